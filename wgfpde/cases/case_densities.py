"""The densities of a case on its grid: where it starts, where a geodesic ends, the exact solution.

Formulas are averaged over the cells (`grid.quadrature`) or taken at the centres, as [initial] sampling says.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.toml import show
from ..errors import CaseError
from ..formulas.compile import Expression, compile_expression
from ..grid import Array, Grid, initial
from ..grid.checked_values import check_finite
from ..grid.known_results import grid_key, known
from ..grid.radial import levels
from ..grid.tables.array_file import looked_in
from ..store.layout import TAKEN
from .loading import located
from .schema import Case
from .sources.file_tables import DensityFile, tabulated
from .tables.density_tables import DensityTable

if TYPE_CHECKING:
    from ..diagnostics import Diagnostic


def function_of(case: Case, text: str, variables: tuple[str, ...], key: str) -> Expression:
    if text.startswith("python: "):
        raise CaseError(f"{case.path}: {key}: expected a formula, found a function given in Python ({text[8:]})")
    with located(case.path, key):
        return compile_expression(text, variables, case.params, where=key)


def space_of(case: Case) -> tuple[str, ...]:
    """Variables of a formula over the grid."""
    return ("x", "r") if case.dim == 1 else ("x", "y", "r")


def start_of(case: Case, grid: Grid) -> tuple[Array, float]:
    """The density at the start and the estimate of its error; where its data file is gone, from the run that the case
    was read from."""
    if case._code is not None:
        return initial.normalise(case._code.initial, grid, case.initial.mass), case._code.initial_error
    run = None if case._draft is None else case._draft.run
    paths = case.initial.paths
    if paths and run is not None and not paths[0].exists():
        known = tomllib.loads(run.resolved_toml)
        before, kept = known["initial"], known["output"].get("precision", "float64") == "float64"
        same_grid = grid.dim == run.dim and all(
            np.array_equal(axis.edges, edges) for axis, edges in zip(grid.axes, run.edges, strict=True)
        )
        if kept and same_grid and len(run) and str(paths[0]) in _named_in(before):
            rho = initial.from_array(run.rho[0], grid, f"the first snapshot of {run.path}")
            same = case.initial.mass == before.get("mass")  # to rescale once more would change its last bit
            return (rho if same else initial.normalise(rho, grid, case.initial.mass)), 0.0
    return density_of(case, grid, case.initial, "initial", case.initial.mass)


def points_of(case: Case, grid: Grid) -> tuple[Array, Array]:
    """The points of [initial] samples, (n, dim), and their weights, (n,); those outside a ring are wrapped into it.

    Raises CaseError where the file is gone: a density tells no points.
    """
    assert case.initial.samples is not None
    with located(case.path, "initial.samples"):
        columns, weights = initial.points_in(case.initial.samples, grid.dim)
    for axis, column in zip(grid.axes, columns, strict=True):
        if axis.ring:
            column[:] = axis.lower + np.mod(column - axis.lower, axis.length)
    return np.stack(columns, axis=1), weights


def density_of(case: Case, grid: Grid, table: DensityTable, place: str, mass: float | None) -> tuple[Array, float]:
    """The density that a table gives, rescaled to a mass, and the estimate of its error.   place : the table's key."""
    if table.density is not None:
        with located(case.path, f"{place}.density"):
            expression = function_of(case, table.density, space_of(case), f"{place}.density")
            rho, error = initial.with_error(expression, grid, case.initial.sampling)
            return initial.normalise(rho, grid, mass), error
    key = next(key for key in ("file", "samples", "image") if getattr(table, key) is not None)
    (path,) = table.paths
    with located(case.path, f"{place}.{key}"):
        if not path.exists():
            here = os.listdir(path.parent) if path.parent.is_dir() else []
            near = difflib.get_close_matches(path.name, here, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise CaseError(f"{path} does not exist{looked_in(path)}{hint}")
        if key == "samples":
            rho = initial.from_samples(path, grid, table.bandwidth)
        elif key == "image":
            rho = initial.from_picture(path, grid, bool(table.invert))
        elif isinstance(table.file, DensityFile):
            rho = initial.from_table(tabulated(table.file, grid.dim), grid, case.initial.sampling)
        else:
            rho = _density_file(path, grid, case.initial.sampling)
        return initial.normalise(rho, grid, mass), 0.0


def _named_in(table: Mapping[str, Any]) -> list[str]:
    """The data files that the table of a stored case names."""
    found = [table.get(key) for key in ("file", "samples", "image")]
    return [str(name["file"]) if isinstance(name, Mapping) else str(name) for name in found if name is not None]


def _density_file(path: Path, grid: Grid, sampling: initial.Sampling) -> Array:
    """The density in a file: cell values in .npy, the end of a run, else a table."""
    from .. import store

    if path.suffix == ".npy":
        return initial.from_npy(path, grid)
    if path.is_dir() or (path.suffix in (".h5", ".hdf5") and store.is_run(path)):
        rho, edges, _, radial = store.read_last(path)
        target = tuple(axis.edges for axis in grid.axes)
        if len(edges) != len(target):
            raise CaseError(f"{path} holds a {len(edges)}D density and grid.shape has {len(target)} entries")
        if radial != grid.radial:
            raise CaseError(f"{path} holds a density {_place(radial)}, and this grid is one {_place(grid.radial)}")
        same = all(len(a) == len(b) and np.array_equal(a, b) for a, b in zip(edges, target, strict=True))
        if not same:
            onto = tuple(axis.levels for axis in grid.axes)
            rho = initial.remap(rho, tuple(levels(e, radial) for e in edges), onto)
        return initial.from_array(rho, grid, str(path))
    return initial.from_table(tabulated(DensityFile(file=str(path)), grid.dim), grid, sampling)


def averages_of(case: Case, grid: Grid) -> tuple[Diagnostic, ...]:
    """The averages that [output] averages asks for, ∫qρ/∫ρ by cell averages of q, as diagnostics of this run alone.

    Raises CaseError for a name that is taken or none, and for formulas that are not finite.
    """
    from ..diagnostics.registry import ALWAYS, REGISTRY, Diagnostic, State

    def made(name: str, text: str) -> Diagnostic:
        key = f"output.averages.{name}"
        with located(case.path, key):
            if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) or name in (*REGISTRY, *TAKEN):
                found = "a diagnostic already" if name in REGISTRY else "which cannot name a number of the file"
                raise CaseError(f"expected a name of letters, digits and _ of its own, found {show(name)}, {found}")
            values = grid.average(function_of(case, text, space_of(case), key))
            check_finite(values, grid, f'the function "{text}"')

        def average(s: State) -> float:
            return s.flow.integral(values * s.rho) / s.mass if s.mass else np.nan

        about = f"Average of {text} under rho/mass."
        return Diagnostic(name, "1", f"average of {text}", about, average, ALWAYS, ALWAYS)

    return tuple(made(name, text) for name, text in (case.output.averages or {}).items())


def _place(radial: int) -> str:
    return f"on the radius in {radial}D" if radial > 1 else "on plain axes"


class Exact:
    """t ↦ the exact density of a case, sampled like its start: an array of the grid's shape.

    error : the largest estimate so far of the error of its cell averages, in L1 and relative to its mass.
    """

    def __init__(self, case: Case, grid: Grid, expression: Callable[..., Array]) -> None:
        self.case, self.grid, self.expression, self.error = case, grid, expression, 0.0
        self._ends: dict[float, Array] = {}

    def __call__(self, t: float) -> Array:
        return self._ends[t].copy() if t in self._ends else self._at(t)

    def _at(self, t: float) -> Array:
        key = grid_key(self.grid, "exact", float(t).hex(), self.case.initial.sampling)
        values, error = known(self.expression, key, lambda: self._found(t))
        self.error = max(self.error, error)
        return values.copy()

    def _found(self, t: float) -> tuple[Array, float]:
        what, grid = f"the exact density at t = {t:g}", self.grid
        with located(self.case.path, "exact.density"), np.errstate(all="ignore"):
            error = 0.0
            if self.case.initial.sampling == "average":
                values, error = grid.averages(lambda **place: self.expression(**place, t=t), what)
            else:
                values = grid.sample(lambda **place: self.expression(**place, t=t))
            check_finite(values, grid, what)
        return values, error

    def check_ends(self) -> None:
        """Fail before the run, not in it.  Raises CaseError.  Start and end are kept, as they are asked for again."""
        self._ends = {t: self._at(t) for t in (self.case.time.start, self.case.time.end)}


def build_exact(case: Case, grid: Grid) -> Exact | None:
    """t ↦ the exact density of a case, where it names one, sampled like its start."""
    if case.exact is None:
        return None
    if case._code is not None:
        expression = case._code.exact
        if expression is None:
            raise CaseError(
                f"{case.path}: exact.density: a function of time in Python, which the file does not hold; put the case "
                "together again, and give it: wgf.resume(folder, case=case)"
            )
    else:
        expression = function_of(case, case.exact.density, (*space_of(case), "t"), "exact.density")
    exact = Exact(case, grid, expression)
    exact.check_ends()
    return exact
