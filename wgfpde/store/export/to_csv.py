"""A run in the files that others expect: netCDF, VTK's XML, CSV, PLUMED's grids.

    netcdf   one flat netCDF-4 file: densities, cell edges, diagnostics along t, steps along step, attributes
    vtk      one .vti (equal cells) or .vtr (stretched) a snapshot, and a .pvd that gives their times
    csv      diagnostics.csv, steps.csv, and density.csv, one row per cell
    fes      fes.dat, fes_x.dat, fes_y.dat: −κ ln of a density and of its marginals, for `potential = { file = … }`

Each takes an open run, where to write, which snapshots (numbers from 0; None: as said there), whether it may replace
files, and whom to tell of its progress; it returns the paths written.  Densities are read one snapshot at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ...base.plain_text import one_line
from ..reading.reader import Run
from .targets import Counted, check, written
from .to_fes import fes
from .to_netcdf import netcdf
from .to_vtk import vtk

__all__ = ["csv", "fes", "netcdf", "vtk"]


def csv(
    run: Run, folder: Path, snapshots: Sequence[int] | None = None, overwrite: bool = False, progress: Counted = None
) -> list[Path]:
    """Write diagnostics.csv and steps.csv, whole, and density.csv: x, y, rho of one snapshot, by default the last.

    With several snapshots density.csv has t as its first column.  Numbers keep all their digits.
    Raises StoreError where a file exists already or cannot be written, or the run holds no snapshot.
    """
    chosen = [run.find()] if snapshots is None else [run.find(index=k) for k in snapshots]
    targets = [folder / name for name in ("diagnostics.csv", "steps.csv", "density.csv")]
    check(run, targets, overwrite)
    for target, table in zip(targets, ({"t": run.t, **run.diagnostics}, run.steps), strict=False):
        with written(target) as part:
            _save(part, list(table), [np.column_stack(list(table.values()))])
    with written(targets[-1]) as part:
        names = ["t"] * (len(chosen) > 1) + ["x", "y"][: run.dim] + ["rho"]
        _save(part, names, _densities(run, chosen, progress))
    return targets


def _densities(run: Run, chosen: Sequence[int], progress: Counted) -> Iterator[np.ndarray]:
    """For each snapshot the table of its cells, x fastest."""
    places = [axis.ravel() for axis in np.meshgrid(*run.centers)]
    for done, k in enumerate(chosen, start=1):
        time = [np.full(places[0].size, run.t[k])] * (len(chosen) > 1)
        yield np.column_stack([*time, *places, run.rho[k].ravel()])
        if progress is not None:
            progress(done, len(chosen))


def _head(name: str) -> str:
    """The name of a column, which a file may choose: on one line, in quotes where it would end the column."""
    text = one_line(name)
    return '"' + text.replace('"', '""') + '"' if set(text) & set(',"') else text


def _save(path: Path, names: Sequence[str], tables: Sequence[np.ndarray] | Iterator[np.ndarray]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(",".join(map(_head, names)) + "\n")
        for table in tables:
            np.savetxt(file, table, fmt="%.17g", delimiter=",")
