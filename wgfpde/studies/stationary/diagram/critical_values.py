"""Critical values: where the leading growth rate of a branch of states is 0.

Between two points with rates of opposite signs Brent's method finds the zero of μ(parameter); the state is solved again
at every trial.  The error is that of μ, 1e-12 or so, over dμ/dp.
Measured: the critical noise of the Desai–Zwanzig model to 2e-11, the critical coupling of the Kuramoto model to 2e-13.

Reference: Brent (1973), Algorithms for Minimization Without Derivatives, chapter 4.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ....errors import SolverError
from ..family import Branch, Critical, Family, Point, near
from ..mean_field import Steady

SIGNS = 1e4
"""A growth rate counts as positive or negative from so many times its noise on."""


def criticals(at: Family, branch: Branch) -> list[Critical]:
    """Where the leading growth rate changes sign along a branch; points at which it has none are passed over."""
    found = []
    line = branch.line
    signed = [(k, sign) for k, sign in enumerate(_sign(point.state) for point in line) if sign]
    for (first, before), (last, after) in pairwise(signed):
        if before * after > 0:
            continue
        zeros = [point for point in line[first + 1 : last] if point.state.verdict == "marginal"]
        if zeros:  # it was asked for, or all of a plateau is
            found.append(_critical(branch.number, zeros[len(zeros) // 2]))
        elif point := _locate(at, line[first], line[last]):
            found.append(_critical(branch.number, point))
    return found


def _critical(number: int, point: Point) -> Critical:
    return Critical(point.parameter, number, point.state.eigenvalue, point.measure, point.state.energy)


def _sign(state: Steady) -> int:
    rate, noise = state.eigenvalue, 0.0 if state.stability is None else state.stability.noise
    return int(np.sign(rate)) if abs(rate) > SIGNS * noise else 0


def _locate(at: Family, first: Point, last: Point) -> Point | None:
    """The zero of the growth rate between two points; None where the branch cannot be followed between them."""
    from scipy.optimize import brentq

    tried: dict[float, Point] = {first.parameter: first, last.parameter: last}

    def rate(parameter: float) -> float:
        if parameter not in tried:
            setting = at.setting(parameter)
            share = (parameter - first.parameter) / (last.parameter - first.parameter)
            state = near(setting, first.state.rho + share * (last.state.rho - first.state.rho))
            if state is None:
                raise SolverError("the branch was lost between two values")
            tried[parameter] = at.point(parameter, setting, state)
        return tried[parameter].state.eigenvalue

    span = abs(last.parameter - first.parameter)
    try:
        root = float(brentq(rate, first.parameter, last.parameter, xtol=1e-14 * span + 1e-15, maxiter=100))
        rate(root)
    except SolverError:
        return None
    return tried[root]
