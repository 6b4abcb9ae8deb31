"""Parameters at which two branches of stable states have the same energy: transitions of first order.

Between two values at which the difference of their energies has opposite signs, its zero is found by Brent's method,
the two states solved anew at every trial.  Branches that are mirror images of each other have the same energy
everywhere, to rounding, and are no transition.
"""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np

from ....energy.laws.steady_density import EPS
from ....errors import SolverError
from ....grid import Array
from ..family import Branch, EqualEnergy, Family, Point, near

ROUNDING = 1e4
"""A difference of energies counts from so many times the rounding of either on."""


def transitions(at: Family, found: list[Branch]) -> list[EqualEnergy]:
    """Every change of sign of the difference of the energies of two branches, where both are stable."""
    equal = []
    for one, two in combinations(found, 2):
        for before, after in pairwise(_pairs(at, one, two)):
            if before is not None and after is not None and _sign(*before) * _sign(*after) < 0:
                place = _located(at, before, after)
                if place is not None:
                    equal.append(EqualEnergy(place[0].parameter, one.number, two.number, place[0].measure,
                                             place[1].measure, place[0].state.energy))  # fmt: skip
    return sorted(equal, key=lambda place: place.parameter)


def _pairs(at: Family, one: Branch, two: Branch) -> list[tuple[Point, Point] | None]:
    """Points of two branches at the same parameters, at every one of either; None where not both are stable.

    Where the difference of their energies is lost in rounding there is no pair.
    """
    found: list[tuple[Point, Point] | None] = []
    for k in sorted({*one.points, *two.points}):
        points = [branch.points.get(k) or point_at(at, branch, other.points[k].parameter)
                  for branch, other in ((one, two), (two, one)) if _reaches(branch, k)]  # fmt: skip
        if len(points) < 2:
            continue
        first, second = points
        if first is None or second is None or not (first.state.stable and second.state.stable):
            found.append(None)
        elif _sign(first, second):
            found.append((first, second))
    return found


def _reaches(branch: Branch, k: float) -> bool:
    return min(branch.points) <= k <= max(branch.points)


def point_at(at: Family, branch: Branch, parameter: float) -> Point | None:
    """A point of a branch between two of its own; None beyond them, or where it gets lost."""
    ends = next(((a, b) for a, b in pairwise(branch.line) if a.parameter <= parameter <= b.parameter), None)
    if ends is None:  # by a rounding beside an end
        return None
    first, last = ends
    setting = at.setting(parameter)
    state = near(setting, _between(first, last, parameter))
    return None if state is None else at.point(parameter, setting, state)


def _sign(one: Point, two: Point) -> int:
    first, second = one.state.energy, two.state.energy
    return int(np.sign(first - second)) if abs(first - second) > ROUNDING * EPS * (abs(first) + abs(second)) else 0


def _located(at: Family, before: tuple[Point, Point], after: tuple[Point, Point]) -> tuple[Point, Point] | None:
    """The two states of equal energy between two pairs; None where one of them gets lost."""
    from scipy.optimize import brentq

    tried = {before[0].parameter: before, after[0].parameter: after}

    def difference(parameter: float) -> float:
        if parameter not in tried:
            setting = at.setting(parameter)
            states = [near(setting, _between(*ends, parameter)) for ends in zip(before, after, strict=True)]
            one, two = (None if state is None else at.point(parameter, setting, state) for state in states)
            if one is None or two is None:
                raise SolverError("a branch was lost between two values")
            tried[parameter] = one, two
        return tried[parameter][0].state.energy - tried[parameter][1].state.energy

    low, high = before[0].parameter, after[0].parameter
    try:
        root = float(brentq(difference, low, high, xtol=1e-14 * (high - low) + 1e-15))
        difference(root)
    except SolverError:
        return None
    return tried[root]


def _between(first: Point, last: Point, parameter: float) -> Array:
    share = (parameter - first.parameter) / (last.parameter - first.parameter)
    return (1 - share) * first.state.rho + share * last.state.rho
