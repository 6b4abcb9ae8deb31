"""Branches of stationary states over a parameter, and the values at which they gain or lose stability.

From value to value a branch goes by Newton's method from a secant predictor, where the state is near what the secant
says and no other branch claims it; else by arclength (module `curve_walks`), in steps of its own, however far apart the
values are.  Then new states are searched for (module `search`), each the first of a branch that is continued back to
where it began.  A branch ends where its parameter turns back: where, and what comes after, is found by arclength
(module `folds`).  Its critical values are the zeros of its leading growth rate (module `critical_values`).

Measured: 31 values of the Desai–Zwanzig model, 200 cells, three branches: 6 s.
"""

from __future__ import annotations

import numpy as np

from ....cases.schema import Case
from ....cases.varying import Vary
from ....errors import CaseError, SolverError
from ....grid import Array
from ....runs.progress import ProgressText
from ..copies import SAME, apart
from ..family import Branch, CaseAt, Diagram, Family, among, near
from ..mean_field import Steady
from ..search import LIMIT, check_limit, explore, starts
from .critical_values import criticals
from .curve_walks import reached
from .equal_energies import transitions
from .folds import Folds, beyond_values

PREDICTED = 0.25
"""Of a step along a branch, what a state may lie beside the secant's prediction."""


def continuation(
    case: Case, varied: Vary, *, measure: str = "", limit: int = LIMIT, progress: ProgressText = None
) -> Diagram:
    """Branches of stationary states over the values of a key.

    measure : the order parameter, the name of a diagnostic (default order_x on a circle, else mean_x).
    limit : branches at one value, at most.   progress : called with a few words now and then.

    Raises CaseError for a key that is no number or changes the grid, a measure that makes no sense, a limit below 1, no
    internal energy.
    """
    check_limit(limit)
    values = varied.numbers
    if varied.key.startswith("grid.") or not np.all(np.isfinite(values)):
        raise CaseError(
            f"--vary {varied.key}: expected a key with numbers that leaves the grid as it is, such as params.sigma or "
            "energy.internal.kappa; states on different grids are no branch"
        )
    values, order = np.unique(values, return_index=True)
    at = Family(case, varied.key, measure)
    settings = [at.setting(varied.values[k]) for k in order]
    found: list[Branch] = []
    for k in range(len(values)):
        if progress is not None:
            progress(f"{varied.key} = {values[k]:g}, {k + 1} of {len(values)}: {len(found)} branches")
        _step(at, settings, values, found, k)
        _begin(at, settings, values, found, k, limit)
    if not found:
        raise SolverError(f"no stationary state was found at any value of {varied.key}; try wgfpde run at one of them.")
    ends = [end for branch in found for side in (-1, 1) if (end := beyond_values(values, branch, side)) is not None]
    Folds(at, values, found, ends).complete(progress)
    critical = [one for branch in found for one in criticals(at, branch)]
    equal = transitions(at, found)
    return Diagram(varied.key, values, at.measure, settings[0].flow.grid, found, critical, ends, equal)


def _begin(at: Family, settings: list[CaseAt], values: Array, found: list[Branch], k: int, limit: int) -> None:
    """Search for states at value k that are on no branch yet, and continue each back to where it began.

    One that comes to the end of a branch there is the rest of that branch.
    """
    flow, mass = settings[k].flow, settings[k].mass
    present = [branch.points[k].state for branch in found if k in branch.points]
    new = explore(flow, mass, starts(flow, mass, settings[k].initial), present, limit=limit)
    for state in sorted(new, key=lambda one: one.energy):
        branch = Branch(len(found))
        branch.points[k] = at.point(values[k], settings[k], state)
        found.append(branch)
        for back in range(k - 1, -1, -1):
            others = [other for other in found[:-1] if back in other.points]
            ahead = _straight(settings[back], values, branch, back, 1)
            arrived = _settled(at, settings[back], values, branch, back, 1, ahead, others)
            met = next((o for o in others if arrived and among(settings[back], arrived, [o.points[back].state])), None)
            if met is not None and back + 1 not in met.points:
                met.points.update(branch.points)
                found.pop()
            if arrived is None or met is not None:
                break
            branch.points[back] = at.point(values[back], settings[back], arrived)


def _step(at: Family, settings: list[CaseAt], values: Array, found: list[Branch], k: int) -> None:
    """Continue branches from value k − 1 to value k."""
    setting = settings[k]
    moving = [branch for branch in found if k - 1 in branch.points]
    ahead = [_straight(setting, values, branch, k, -1) for branch in moving]
    for number, (branch, state) in enumerate(zip(moving, ahead, strict=True)):
        rivals = [other for other in ahead[:number] + ahead[number + 1 :] if other is not None]
        if state is not None and among(setting, state, rivals):
            state = None
        there = [other for other in found if k in other.points]
        arrived = _settled(at, setting, values, branch, k, -1, state, there)
        if arrived is not None and not among(setting, arrived, [other.points[k].state for other in there]):
            branch.points[k] = at.point(values[k], setting, arrived)


def _straight(setting: CaseAt, values: Array, branch: Branch, k: int, side: int) -> Steady | None:
    """The state at value k from those at k + side and k + 2 side, by a secant; None where it says too little of it."""
    if k + 2 * side not in branch.points:
        return None
    last, before = branch.points[k + side].state.rho, branch.points[k + 2 * side].state.rho
    share = (values[k] - values[k + side]) / (values[k + side] - values[k + 2 * side])
    guess = last + share * (last - before)
    state = near(setting, guess)
    if state is None:
        return None
    way = apart(setting.flow, state.rho, last)
    return state if way <= SAME or apart(setting.flow, state.rho, guess) <= PREDICTED * way else None


def _settled(
    at: Family,
    setting: CaseAt,
    values: Array,
    branch: Branch,
    k: int,
    side: int,
    state: Steady | None,
    others: list[Branch],
) -> Steady | None:
    """A state that is on no other branch as it stands; else that which arclength leads to from value k + side."""
    if state is not None and not among(setting, state, [other.points[k].state for other in others]):
        return state
    return reached(at, branch.points[k + side], float(values[k]))
