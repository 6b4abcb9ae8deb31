"""Critical values: where the leading growth rate of a branch of states is 0.

Between two points with rates of opposite signs Brent's method finds the zero of μ(parameter); the state is solved again
at every trial.  The error is that of μ, 1e-12 or so, over dμ/dp.
Measured: the critical noise of the Desai–Zwanzig model to 2e-11, the critical coupling of the Kuramoto model to 2e-13.

Reference: Brent (1973), Algorithms for Minimization Without Derivatives, chapter 4.
"""

from __future__ import annotations

import numpy as np

from ..errors import SolverError
from .family import Branch, Critical, Family, Point, near
from .solve import Steady

SIGNS = 1e4
"""A growth rate counts as positive or negative from so many times its noise on."""


def criticals(at: Family, branch: Branch) -> list[Critical]:
    """Where the leading growth rate changes sign along a branch."""
    found = []
    line = branch.line
    signs = [_sign(point.state) for point in line]
    for k in range(len(line) - 1):
        if signs[k] * signs[k + 1] < 0:
            critical = _locate(at, branch.number, line[k], line[k + 1])
            found += [critical] if critical is not None else []
        elif k > 0 and signs[k] == 0 and signs[k - 1] * signs[k + 1] < 0:
            point = line[k]
            found.append(
                Critical(point.parameter, branch.number, point.state.eigenvalue, point.measure, point.state.energy)
            )
    return found


def _sign(state: Steady) -> int:
    rate, noise = state.eigenvalue, 0.0 if state.stability is None else state.stability.noise
    return int(np.sign(rate)) if abs(rate) > SIGNS * noise else 0


def _locate(at: Family, number: int, first: Point, last: Point) -> Critical | None:
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
    point = tried[root]
    return Critical(root, number, point.state.eigenvalue, point.measure, point.state.energy)
