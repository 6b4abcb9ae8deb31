"""V and W of a case, from formulas or tables, and what a free energy says of its barriers in kT.

barrier     of a minimum: the lowest pass to a deeper one, minus the minimum, on the cells
kT          κ of the entropy, in the unit of V
time        ⟨Δx²⟩ = 2κDt along each axis where V is flat: with D = 1 and a diffusion coefficient D₀ of one's own,
            t = 1 is the time κ/D₀
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...energy.flow import Flow
from ...energy.snapshot import Label
from ...errors import CaseError
from ...grid import Array
from ..case_densities import function_of, space_of
from ..loading import located
from ..schema import Case
from .file_tables import radial, tabulated

EXCESS = 0.1
"""Part of κ by which V may leave the values of its table unsaid."""
SHOWN_BARRIERS = 3


def potential_of(case: Case, kappa: float | None) -> Callable[..., Array] | None:
    """V of a case, not yet on its grid.   kappa : of histograms, None where it depends on time.  Raises CaseError."""
    source = case.energy.potential
    if source is None or isinstance(source, str):
        return None if source is None else function_of(case, source, (*space_of(case), "t"), "energy.potential")
    with located(case.path, "energy.potential"):
        if source.histogram and kappa is None:
            raise CaseError(
                "histogram: V = −κ ln of the values needs one κ, found energy.internal.kappa with t; give V itself"
            )
        return tabulated(source, case.dim, 1.0 if kappa is None else kappa)


def interaction_of(case: Case) -> Callable[..., Array] | None:
    """W of a case."""
    source = case.energy.interaction
    if source is None or isinstance(source, str):
        return None if source is None else function_of(case, source, (*space_of(case), "t"), "energy.interaction")
    with located(case.path, "energy.interaction"):
        return radial(source)


def table_note(flow: Flow) -> str:
    """A sentence where cubic interpolation of V leaves the values of its table by more than EXCESS κ; else ""."""
    table, kappa = flow.table, flow.internal.kappa
    if table is None or table.kind != "cubic":
        return ""
    excess, place = table.excess(flow.grid)
    if not excess > EXCESS * kappa:
        return ""
    return (
        f"V by cubic interpolation leaves the values of its table around it by {excess:.3g} = {excess / kappa:.2g} "
        f"kappa near {place}: a plateau, noise, or a rim of missing values. A finer table helps; "
        'interpolation = "pchip" stays within, and makes rates come out too fast.'
    )


def constants_of(flow: Flow, in_code: bool = False) -> tuple[tuple[Label, Array], ...]:
    """Arrays that do not change, for the file: V where it came from a table, NaN where that forbids, or from Python."""
    if (flow.table is None and not in_code) or flow.potential is None or "potential" in flow.driven:
        return ()
    source = "of a function in Python" if flow.table is None else "from the table; NaN in forbidden cells"
    label = Label("potential", "1", "potential", f"V at the cell centres, {source}.")
    return ((label, np.where(flow.allowed, flow.potential, np.nan)),)


# ---- barriers ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Barrier:
    """The way out of a minimum to a deeper one.

    height, back : V at the pass minus V at this minimum, and at the deeper.   minimum, over, deeper : where they lie.
    """

    height: float
    back: float
    minimum: str
    over: str
    deeper: str


@dataclass(frozen=True)
class Landscape:
    """Barriers of more than κ, the highest first, and the parts that forbidden cells cut the grid into."""

    barriers: tuple[Barrier, ...]
    parts: int


def landscape_of(flow: Flow) -> Landscape:
    """Minima of V on the cells and the lowest passes between them: a flood from below, basin by basin."""
    from ...energy.rates import faces_of  # loads kernels, which pictures do without

    values = np.zeros(flow.grid.size) if flow.potential is None else flow.potential.ravel()
    faces, allowed = faces_of(flow), flow.allowed.ravel()
    open_ = allowed[faces.lower] & allowed[faces.upper]
    low, high = faces.lower[open_], faces.upper[open_]
    basin = _basins(values, low, high)
    across = basin[low] != basin[high]
    low, high = low[across], high[across]
    level = np.maximum(values[low], values[high])
    root = {int(k): int(k) for k in np.unique(basin[allowed])}

    def deepest(k: int) -> int:
        while root[k] != k:
            root[k] = k = root[root[k]]
        return k

    found = []
    for face in np.argsort(level, kind="stable"):
        one, two = deepest(int(basin[low[face]])), deepest(int(basin[high[face]]))
        if one == two:
            continue
        upper, lower = (one, two) if values[one] > values[two] else (two, one)
        root[upper] = lower
        height = float(level[face] - values[upper])
        if height > flow.internal.kappa:
            top = low[face] if values[low[face]] >= values[high[face]] else high[face]
            places = [_place(flow, int(k)) for k in (upper, top, lower)]
            found.append(Barrier(height, float(level[face] - values[lower]), *places))
    parts = sum(k == known for k, known in root.items())
    return Landscape(tuple(sorted(found, key=lambda barrier: -barrier.height)), parts)


def _basins(values: Array, low: Array, high: Array) -> Array:
    """The minimum that each cell runs down to, from neighbour to lowest neighbour.   low, high : the ends of faces."""
    order = np.argsort(values, kind="stable")
    rank = np.empty(len(values), dtype=np.int64)
    rank[order] = np.arange(len(values))
    lowest = rank.copy()
    np.minimum.at(lowest, low, rank[high])
    np.minimum.at(lowest, high, rank[low])
    down = order[lowest]
    while not np.array_equal(further := down[down], down):
        down = further
    return down


def _place(flow: Flow, cell: int) -> str:
    return flow.grid.describe(tuple(int(k) for k in np.unravel_index(cell, flow.grid.shape)))


def told(flow: Flow) -> dict[str, Any]:
    """kT, barriers and the unit of time in words, for `wgfpde check`; {} where there is no kT or no V."""
    if not flow.internal.law.linear_diffusion or flow.potential is None:
        return {}
    kappa, inside = flow.internal.kappa, flow.potential[flow.allowed]
    landscape = landscape_of(flow)
    several = [
        f"{b.height / kappa:.3g} kT from {b.minimum} over {b.over} to {b.deeper}, {b.back / kappa:.3g} kT back"
        for b in landscape.barriers[:SHOWN_BARRIERS]
    ]
    left = len(landscape.barriers) - len(several)
    diffusing = f"{kappa:g} D" if flow.dynamics is not None else f"{kappa:g}"
    when = f" at t = {flow.time:g}" if not flow.driven.isdisjoint({"kappa", "potential"}) else ""
    facts = {
        "kT": f"kappa = {kappa:g}{when}; V from {inside.min():.4g} to {inside.max():.4g}, "
        f"{np.ptp(inside) / kappa:.3g} kT",
        "barriers": "; ".join(several) + (f"; {left} more" if left else "") if several else "none above 1 kT",
        "unit of t": f"free particles spread by 2·{diffusing}·t along each axis; where their own diffusion coefficient "
        f"is D0, t = 1 is the time {diffusing}/D0",
    }
    if flow.forbidden is not None:
        count, parts = int(np.count_nonzero(flow.forbidden)), landscape.parts
        cut = f", which leave {parts} parts, each with a mass of its own" if parts > 1 else ""
        facts["forbidden"] = f"{count} of {flow.grid.size} cells{cut}"
    return facts
