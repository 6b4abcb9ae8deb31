"""Branches of stationary states over a parameter, and the values at which they gain or lose stability.

At each value of the parameter every branch is continued by Newton's method from a secant predictor, then new states are
searched for (module `search`), each the first of a branch that is continued back to where it began.  A branch ends
where Newton's method fails, runs into another branch, or lands far from its guess: at a fold or a pitchfork (module
`branch_ends`).  Round a fold it is followed by arclength (module `folds`).  Its critical values are the zeros of its
leading growth rate (module `critical_values`).

Measured: 31 values of the Desai–Zwanzig model, 200 cells, three branches: 6 s.
"""

from __future__ import annotations

import numpy as np

from ....cases.schema import Case
from ....cases.varying import Vary
from ....errors import CaseError, SolverError
from ....grid import Array
from ....runs.progress import ProgressText
from ..copies import apart
from ..family import Branch, CaseAt, Diagram, Family, near
from ..mean_field import Steady
from ..search import LIMIT, check_limit, explore, starts
from .branch_ends import HALVINGS, among, find_end, paired
from .critical_values import criticals
from .equal_energies import transitions
from .folds import Folds

WALK = 8
"""Parts of a step along a branch that is taken again before the branch counts as ended."""


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
    order = np.argsort(values)
    values = values[order]
    at = Family(case, varied.key, measure)
    settings = [at.setting(varied.values[k]) for k in order]
    found: list[Branch] = []
    for k in range(len(values)):
        if progress is not None:
            progress(f"{varied.key} = {values[k]:g}, {k + 1} of {len(values)}: {len(found)} branches")
        _step(at, settings, values, found, k, -1)
        _begin(at, settings, values, found, k, limit)
    if not found:
        raise SolverError(f"no stationary state was found at any value of {varied.key}; try wgfpde run at one of them.")
    ends = []
    for branch in found:
        for side in (-1, 1):
            if progress is not None:
                progress(f"{varied.key}: where branch {branch.number} of {len(found)} begins and ends")
            ends.append(find_end(at, values, found, branch, side))
    widths = 0.5**HALVINGS * float(np.max(np.diff(values), initial=0.0))
    known = paired([end for end in ends if end is not None], widths)
    Folds(at, values, found, known).complete(progress)
    critical = [one for branch in found for one in criticals(at, branch)]
    equal = transitions(at, found)
    return Diagram(varied.key, values, at.measure, settings[0].flow.grid, found, critical, known, equal)


def _begin(at: Family, settings: list[CaseAt], values: Array, found: list[Branch], k: int, limit: int) -> None:
    """Search for states at value k that are on no branch yet, and continue each back to where it began."""
    flow, mass = settings[k].flow, settings[k].mass
    present = [branch.points[k].state for branch in found if k in branch.points]
    new = explore(flow, mass, starts(flow, mass, settings[k].initial), present, limit=limit)
    for state in sorted(new, key=lambda one: one.energy):
        branch = Branch(len(found))
        branch.points[k] = at.point(values[k], settings[k], state)
        found.append(branch)
        for back in range(k - 1, -1, -1):
            if not _step(at, settings, values, [branch], back, 1, found):
                break


def _step(
    at: Family,
    settings: list[CaseAt],
    values: Array,
    moving: list[Branch],
    k: int,
    side: int,
    others: list[Branch] | None = None,
) -> bool:
    """Continue branches to value k from value k + side; whether any got there.

    Of branches that arrive at the same state the one keeps it that comes from nearest by.
    others : branches whose states at value k are taken already.
    """
    setting, arrived = settings[k], []
    for branch in moving:
        if k + side in branch.points:
            last = branch.points[k + side].state.rho
            guess = last
            if k + 2 * side in branch.points:
                before = branch.points[k + 2 * side].state.rho
                share = (values[k] - values[k + side]) / (values[k + side] - values[k + 2 * side])
                guess = last + share * (last - before)
            state = near(setting, guess)
            way = np.inf if state is None else apart(setting.flow, state.rho, last)
            arrived.append((way, branch, last, state))
    taken = [branch.points[k].state for branch in others or () if k in branch.points]
    reached = False
    for _, branch, last, found in sorted(arrived, key=lambda one: one[0]):
        state = found
        if state is None or among(setting, state, taken):
            state = _walk(at, float(values[k + side]), float(values[k]), last)
        if state is not None and not among(setting, state, taken):
            branch.points[k] = at.point(values[k], setting, state)
            taken.append(state)
            reached = True
    return reached


def _walk(at: Family, start: float, end: float, rho: Array) -> Steady | None:
    """The state at one parameter value from that at another, in short steps: in a long one Newton's method may leave
    the branch.
    """
    before, state = rho, None
    for step in range(1, WALK + 1):
        setting = at.setting(start + step / WALK * (end - start))
        state = near(setting, 2 * rho - before, analyse=step == WALK)
        if state is None:
            return None
        before, rho = rho, state.rho
    return state
