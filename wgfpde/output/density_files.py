"""Densities from files of several kinds, two at a time, as `wgfpde w2` takes them.

    a run folder, its HDF5 file    a snapshot, on its grid, with its mass
    .npy, a picture                cell averages: the rows of the array along y; a picture from below, bright is much
    .csv, .txt                     points, with weights if a header names them

What has no grid of its own is put on cells of side 1, beside a run on the box of the run, and takes the mass of the
other one, else 1.  Nothing is unpickled, and what is too large is refused by its header, before it is read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import CaseError
from ..grid import Array, Grid
from ..grid.initial import points_in
from ..grid.tables.array_file import PICTURES, check_size, npy_array, picture
from ..store import read
from ..transport.pairs import Points

MOST_CELLS, MOST_BYTES = 2**22, 2**28
"""Of an array or a picture: about 1.5 GB are needed for the distance; of a file of points."""
POINTS = (".csv", ".txt", ".dat")

End = tuple[Path, float | None, int | None]


@dataclass(frozen=True)
class Opened:
    """One of the two.   rho : on its grid, or points.   what : in words.   index, t : of a snapshot."""

    path: Path
    grid: Grid | None
    rho: Array | Points
    what: str
    index: int | None = None
    t: float | None = None


def opened_pair(a: End, b: End) -> tuple[Opened, Opened]:
    """Both densities, each from a path and, for a run, the time or the number of its snapshot.

    Raises CaseError for files that hold no density, are too large, or have no times where one is asked for.
    """
    runs = [_snapshot(*end) if _kind(end[0]) == "run" else None for end in (a, b)]
    grids = [None if run is None else run.grid for run in runs]
    pair = [run or _without_grid(*end, grids[1 - k]) for k, (end, run) in enumerate(zip((a, b), runs, strict=True))]
    if all(isinstance(side.rho, Points) for side in pair):
        return pair[0], pair[1]
    return _of_one_mass(pair, [run is not None for run in runs])


def _of_one_mass(pair: list[Opened], fixed: list[bool]) -> tuple[Opened, Opened]:
    """What comes from no run is scaled to the mass of the other, else to 1; points need not be."""
    masses = [_mass(side) for side in pair]
    for k in (0, 1):
        if fixed[k] or masses[k] is None:
            continue
        wanted = masses[1 - k] if fixed[1 - k] else 1.0
        assert wanted is not None
        pair[k] = replace(pair[k], rho=np.asarray(pair[k].rho) * (wanted / masses[k]))  # type: ignore[operator]
    return pair[0], pair[1]


def _mass(side: Opened) -> float | None:
    if side.grid is None or isinstance(side.rho, Points):
        return None
    mass = float(np.sum(side.rho * side.grid.cell_volume))
    if not (mass > 0 and np.isfinite(mass)):
        raise CaseError(f"{side.path} holds no density: its sum is {mass:g}. All values must be finite and ≥ 0.")
    return mass


def _kind(path: Path) -> str:
    ending = path.suffix.lower()
    return "array" if ending == ".npy" else "picture" if ending in PICTURES else "points" if ending in POINTS else "run"


def _snapshot(path: Path, time: float | None, index: int | None) -> Opened:
    run = read(path)
    k = run.find(time, index)
    return Opened(run.path, run.grid, run.rho[k], "a snapshot", k, float(run.t[k]))


def _without_grid(path: Path, time: float | None, index: int | None, beside: Grid | None) -> Opened:
    if time is not None or index is not None:
        raise CaseError(f"{path} is one density and has no times; only of runs a time or a number can be asked for.")
    if not path.is_file():
        raise CaseError(f"{path} does not exist, or is a folder; give a file.")
    if _kind(path) == "points":
        if path.stat().st_size > MOST_BYTES:
            raise CaseError(f"{path} has {path.stat().st_size} bytes; at most {MOST_BYTES} are read.")
        columns, weights = points_in(path, _columns(path) if beside is None else beside.dim)
        return Opened(
            path, None, Points(np.stack(columns, axis=1), weights / np.sum(weights)), f"{len(weights)} points"
        )
    values = _array(path) if _kind(path) == "array" else picture(path, most=MOST_CELLS)
    box = [(0.0, float(n)) for n in reversed(values.shape)]
    boundary: Any = "no-flux"
    if beside is not None and beside.dim == values.ndim:
        box, boundary = [(axis.lower, axis.upper) for axis in beside.axes], [axis.boundary for axis in beside.axes]
    grid = Grid([p for p, _ in box], [q for _, q in box], list(reversed(values.shape)), boundary)
    return Opened(path, grid, values, " × ".join(str(n) for n in reversed(values.shape)) + " cells")


def _columns(path: Path) -> int:
    """Two unless the file is one of points on a line."""
    try:
        points_in(path, 2)
    except CaseError:
        return 1
    return 2


def _array(path: Path) -> Array:
    values = npy_array(path)
    if values.dtype.kind not in "buif" or values.ndim not in (1, 2) or min(values.shape, default=0) < 2:
        raise CaseError(f"{path} must hold real numbers in one or two dimensions, at least 2 along each; found "
                        f"{values.dtype} of shape {values.shape}.")  # fmt: skip
    check_size(path, values.size, MOST_CELLS)
    values = np.array(values, dtype=float)
    if not np.all(values >= 0) or not np.all(np.isfinite(values)):
        raise CaseError(f"{path} must hold finite values ≥ 0; found others.")
    return values
