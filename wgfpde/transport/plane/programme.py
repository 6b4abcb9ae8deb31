"""Atoms on lattices exactly: the linear programme on few pairs, and more of them as long as they pay.

    min Σ c_ij π_ij,    Σ_j π_ij = a_i,    Σ_i π_ij = b_j,    π ≥ 0,        c_ij = |x_i − y_j|²

on the pairs that a potential from dual ascent leaves nearly tight, with a detour at a price above all pairs, so that it
can be solved and its value is that of a plan at least.  Its dual potentials say by one c-transform whether any other
pair would lower the cost; those that would are added (column generation).  When none is left the plan is optimal.

Reference: Schmitzer (2016), DOI 10.1007/s10851-016-0653-9, for transport on few pairs of a lattice.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import coo_array

from ...grid import Array
from ..c_transforms import CTransform
from .measures import Atoms, Periods

MOST_ATOMS = 2200
"""Of both sides together: some seconds."""
PAIRS = 12
"""For each atom, at first."""
ROUNDS, SLACK = 40, 1e-9
"""Most rounds, and by how much a pair must pay, in units of the squared diagonal."""

SIZE, FEASIBLE = 1e4, 1e-7
"""Mean mass that the solver is given, and by how much it may miss each of its rows."""


def polished(mu: Atoms, nu: Atoms, phi: Array, periods: Periods) -> tuple[float, float] | None:
    """(lower, upper) bounds of W₂², equal up to rounding where the rounds suffice; None for too many atoms.

    phi : (ny, nx) a potential on the side of ν, such as dual ascent finds.
    """
    i, j = (np.flatnonzero(np.ravel(side.mass)) for side in (mu, nu))
    if len(i) + len(j) > MOST_ATOMS:
        return None
    x, y = _places(mu)[i], _places(nu)[j]
    a, b = np.ravel(mu.mass)[i], np.ravel(nu.mass)[j]
    lags = [_lags(x[:, None, k] - y[None, :, k], periods[k]) for k in range(2)]
    cost = lags[0] ** 2 + lags[1] ** 2
    psi = CTransform([p.centers for p in nu.grid.axes], [p.centers for p in mu.grid.axes], periods)(phi)
    chosen = _few(cost - 2 * np.ravel(psi)[i][:, None] - 2 * np.ravel(phi)[j][None, :], PAIRS)
    detour = 4 * float(np.max(cost))
    best = (0.0, np.inf)
    for _ in range(ROUNDS):
        value, z = _solve(cost, chosen, a, b, detour)
        u = np.min(cost - z[None, :], axis=1)  # the c-transform, on all pairs
        best = max(best[0], float(u @ a + z @ b)), min(best[1], value)
        pays = _few(cost - u[:, None] - z[None, :], 2)
        if best[1] - best[0] <= SLACK * detour or not np.any(pays & ~chosen):
            break
        chosen |= pays
    return best


def _places(side: Atoms) -> Array:
    x, y = np.meshgrid(side.grid.x.centers, side.grid.y.centers)
    return np.stack([np.ravel(x), np.ravel(y)], axis=1)


def _lags(d: Array, period: float | None) -> Array:
    return d if period is None else d - period * np.round(d / period)


def _few(slack: Array, count: int) -> Array:
    """The pairs of least slack of each row and each column, as a mask."""
    chosen = np.zeros(slack.shape, dtype=bool)
    for k in (0, 1):
        most = min(count, slack.shape[k])
        np.put_along_axis(chosen, np.argpartition(slack, most - 1, axis=k).take(range(most), axis=k), True, axis=k)
    return chosen


def _solve(cost: Array, chosen: Array, a: Array, b: Array, detour: float) -> tuple[float, Array]:
    """The programme on the chosen pairs: its value, that of a plan at least, and the potential of the targets."""
    n, m = cost.shape
    i, j = np.nonzero(chosen)
    rows = np.concatenate([i, n + j, np.arange(n + m), [*[n + m] * (n + m)]])
    columns = np.concatenate([np.tile(np.arange(len(i)), 2), np.tile(len(i) + np.arange(n + m), 2)])
    signs = np.concatenate([np.ones(2 * len(i) + n + m), np.ones(n), -np.ones(m)])
    matrix = coo_array((signs, (rows, columns)), shape=(n + m + 1, len(i) + n + m)).tocsr()
    prices = np.concatenate([cost[i, j], np.full(n + m, 0.5 * detour)])
    scale = SIZE * (n + m)
    sides = np.concatenate([a, b * (a.sum() / b.sum()), [0.0]])
    found = linprog(prices / detour, A_eq=matrix, b_eq=scale * sides, method="highs")
    if found.status != 0:
        return np.inf, np.zeros(m)
    inexact = FEASIBLE / SIZE * detour  # what rows may miss, moved at the highest price
    return float(found.fun) * detour / scale + inexact, detour * np.asarray(found.eqlin.marginals[n : n + m])
