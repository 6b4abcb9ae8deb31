"""Where branches end between two values of the parameter: in a fold, on another branch, or for a reason unknown.

The end is narrowed down by bisection.  With d the distance to it, μ the leading growth rate and s the distance of two
states,

    fold    μ² ∝ d   two branches, one more unstable than the other, meet and end
    joins   s² ∝ d   the branch meets another that goes on: a pitchfork

so that the zero of μ² or s², by extrapolation from two states next to the end, tells which it is, and where.
Measured: the fold of the Desai–Zwanzig model in a field, 200 cells, 13 values of κ from 0.3 to 0.6: to 8e-6; 21
from 0.40 to 0.41: to 2e-9.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ....grid import Array
from ..copies import apart, same
from ..family import Branch, CaseAt, End, Family, Point, near
from ..mean_field import Steady

HALVINGS = 5
"""Bisections of the step in which a branch ends."""
REACH = 1.5
"""A zero so many widths of the last bisection beyond the last state, or nearer, is the end."""


def among(setting: CaseAt, state: Steady, taken: list[Steady]) -> bool:
    """Whether a state is one of those."""
    return any(same(setting.flow, state, other) for other in taken)


def find_end(at: Family, values: Array, found: list[Branch], branch: Branch, side: int) -> End | None:
    """Where a branch ends on one side, its points there added by bisection; None where that is beyond the values."""
    k = int(max(branch.points) if side > 0 else min(branch.points))
    if not 0 <= k + side < len(values):
        return None
    others = [other for other in found if other is not branch and k in other.points]
    inside = _narrow(at, values, others, branch, k, side)
    width = 0.5**HALVINGS * float(values[k + side] - values[k])
    last = branch.points[k + side * inside]
    setting = at.setting(last.parameter - width)
    state = near(setting, _inward(branch, side).state.rho)  # from the last, other states may be nearer
    if state is not None:
        before = at.point(last.parameter - width, setting, state)
        for other in others:
            zero = _zero(last, before, width, *_distances(at, other.points[k], last, before))
            if k + side in other.points and zero is not None:
                return End(zero, branch.number, side, "joins", other.number, last.measure, last.state.energy)
        zero = _zero(last, before, width, last.state.eigenvalue**2, before.state.eigenvalue**2)
        if zero is not None:
            return End(zero, branch.number, side, "fold", -1, last.measure, last.state.energy)
    return End(last.parameter, branch.number, side, "end", -1, last.measure, last.state.energy)


def _inward(branch: Branch, side: int) -> Point:
    """The point before the last on one side of a branch, where it has two."""
    line = branch.line if side > 0 else branch.line[::-1]
    return line[-2] if len(line) > 1 else line[-1]


def _narrow(at: Family, values: Array, others: list[Branch], branch: Branch, k: int, side: int) -> float:
    """Add points of a branch towards where it ends, beyond value k, by bisection; returns how far it goes, of 1."""
    last, inside, outside = branch.points[k].state.rho, 0.0, 1.0
    for _ in range(HALVINGS):
        share = 0.5 * (inside + outside)
        parameter = float(values[k] + share * (values[k + side] - values[k]))
        setting = at.setting(parameter)
        state = near(setting, last)
        rivals = (near(setting, other.points[k].state.rho, analyse=False) for other in others)
        if state is None or among(setting, state, [rival for rival in rivals if rival is not None]):
            outside = share
        else:
            branch.points[k + side * share] = at.point(parameter, setting, state)
            last, inside = state.rho, share
    return inside


def _distances(at: Family, other: Point, last: Point, before: Point) -> tuple[float, float]:
    """s² between another branch and this one at two parameters; NaN where the other is not found."""
    found = []
    for point in (last, before):
        setting = at.setting(point.parameter)
        state = near(setting, other.state.rho, analyse=False)
        found.append(np.nan if state is None else apart(setting.flow, state.rho, point.state.rho) ** 2)
    return found[0], found[1]


def _zero(last: Point, before: Point, width: float, now: float, then: float) -> float | None:
    """The parameter beyond the last at which a quantity, linear in it, is 0; None where it does not tend to 0 there."""
    beyond = width * now / (then - now) if then > now else np.inf
    return last.parameter + beyond if abs(beyond) <= REACH * abs(width) else None


def paired(ends: list[End], widths: float) -> list[End]:
    """Folds in which two branches meet, at one place: the mean of what either tells.

    widths : folds further apart are not one.
    """
    ends = list(ends)
    for i, one in enumerate(ends):
        for j in range(i + 1, len(ends)):
            two = ends[j]
            single = one.kind == two.kind == "fold" and one.meets == two.meets == -1 and one.side == two.side
            if single and abs(one.parameter - two.parameter) <= widths:
                place, measure, energy = (
                    0.5 * (getattr(one, name) + getattr(two, name)) for name in ("parameter", "measure", "energy")
                )
                ends[i] = replace(one, parameter=place, meets=two.branch, measure=measure, energy=energy)
                ends[j] = replace(two, parameter=place, meets=one.branch, measure=measure, energy=energy)
                break
    return ends
