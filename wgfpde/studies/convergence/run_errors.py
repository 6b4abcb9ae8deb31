"""How far each run of a study is from the solution, or from the finest run.

    against the solution    the norms that the run recorded with its snapshot; W₂ to its cell averages, in 1D
    against the finest      the same of cell averages, the finer ones averaged conservatively over the coarser cells

W₂ too is between cell averages on one grid.  Between densities that are constant on cells of two sizes it also sees the
steps of the coarser one, which are of order h² and add up in squares: the fitted order then was 1.80 instead of 2.

Numbers at the level of rounding are left out of the orders: below 1e-13 of the norm of ρ itself, for W₂ below 3e-8 L√M,
the root of rounding.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ...cases.building import build_grid
from ...cases.case_densities import build_exact
from ...cases.schema import Case
from ...errors import CaseError, StoreError
from ...grid import Array, Grid
from ...grid.initial import remap
from ...output.compare.densities import Fields
from ...output.compare.metrics import W2_ROUNDING
from ...store import Run
from ...transport.distances import distance
from .orders import ROUNDING

SAME_MASS = 1e-3
"""How far, relatively, the sums of averages of a solution with kinks may lie from its mass on coarse cells."""
NORMS = ("l1", "l2", "linf", "w2")


def against_exact(case: Case, run: Run, k: int, norms: Sequence[str]) -> dict[str, float]:
    """Norms of ρ − exact at snapshot k; NaN where a number is rounding."""
    mass, peak = run.diagnostics["mass"][k], run.diagnostics["max"][k]
    scales = {"l1": mass, "l2": math.sqrt(mass * peak), "linf": peak}
    return {
        name: _w2_to_exact(case, run, k) if name == "w2" else _kept(run.diagnostics[f"error_{name}"][k], scales[name])
        for name in norms
    }


def against_run(run: Run, k: int, finest: Run, j: int, norms: Sequence[str]) -> dict[str, float]:
    """Norms of ρ − ρ_finest, snapshots k and j; NaN where a number is rounding."""
    fields = Fields(run, finest, w2=False)
    moment = fields.moment(k, j)
    found = {
        name: _kept(value, scale)
        for name, value, scale in zip(NORMS[:3], moment.differences, moment.norms, strict=True)
    }
    if "w2" in norms:
        coarse = run if len(run.edges[0]) <= len(finest.edges[0]) else finest
        a, b = (remap(r.rho[i], r.levels, coarse.levels) for r, i in ((run, k), (finest, j)))
        found["w2"] = _kept_w2(coarse.grid, a, b)
    return {name: found[name] for name in norms}


def nested(coarse: Run, fine: Run) -> bool:
    """Whether the edges of the coarse cells are edges of the fine ones: else averages have an error of their own."""
    pairs = zip(coarse.edges, fine.edges, strict=True)
    return all(np.max(np.min(np.abs(p[:, None] - q), axis=1)) <= 1e-9 * (p[-1] - p[0]) for p, q in pairs)


def differences(values: Array) -> Array:
    """|v − v of the finest|, NaN for the finest and at the level of rounding; the finest is the last finite one."""
    found = np.full(len(values), math.nan)
    keep = np.flatnonzero(np.isfinite(values))
    if len(keep):
        off = np.abs(values[keep[:-1]] - values[keep[-1]])
        found[keep[:-1]] = np.where(off > ROUNDING * np.max(np.abs(values[keep])), off, math.nan)
    return found


def snapshot(run: Run, time: float | None) -> int:
    """The number of the snapshot at a time, else of the last.  Raises CaseError where there is none."""
    try:
        return run.find(time)
    except StoreError as error:
        raise CaseError(f"--time: {error}") from error


def _kept(value: float, scale: float) -> float:
    return float(value) if value > ROUNDING * scale else math.nan


def _w2_to_exact(case: Case, run: Run, k: int) -> float:
    """In 1D, to the solution rescaled to the mass of the run; NaN where the two masses differ by more than little."""
    grid = build_grid(case)
    exact = build_exact(case, grid)
    assert exact is not None  # the caller saw to it
    rho, solution = run.rho[k], exact(float(run.t[k]))
    a, b = (float(np.sum(density * grid.cell_volume)) for density in (rho, solution))
    if not abs(a - b) <= SAME_MASS * a:
        return math.nan
    return _kept_w2(grid, rho, solution * (a / b))


def _kept_w2(grid: Grid, a: Array, b: Array) -> float:
    """W₂ on a line or circle; NaN at the level of rounding, and between densities of two masses."""
    try:
        found = distance(grid, a, b).w2
    except CaseError:
        return math.nan
    mass = float(np.sum(a * grid.cell_volume))
    return found if found > W2_ROUNDING * grid.x.length * math.sqrt(mass) else math.nan
