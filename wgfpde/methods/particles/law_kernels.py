"""Kernels of the law of Langevin chains: masses at cell centres move and spread over lattices.

All lengths are in cells: cell i has its centre at i, T is where its mass goes, `spread` the standard deviation of the
noise, `reach` how far from T it goes.  A place p of the unbounded lattice is folded into 0 … n − 1 by reflection at
walls, p ↦ −1 − p and 2n − 1 − p, or modulo n on a ring.  Weights are Gaussian values at the centres over their sum.
"""

from __future__ import annotations

import math

import numpy as np

from ...base.kernel_cache import njit


@njit(cache=True, nogil=True)
def turned(p, n, ring):
    """(side, shift) of the isometry side · p + shift that folds a place p of the lattice."""
    turns = p // n
    if ring == 1 or turns % 2 == 0:
        return 1, -turns * n
    return -1, (turns + 1) * n - 1


@njit(cache=True, nogil=True)
def _gridded(target, spread, bell, weights):
    """Fills `weights` about a target, returns the place of the first.   bell : e^{−k²/2s²}, |k| ≤ reach.

    e^{−(k − d)²/2s²} ∝ e^{−k²/2s²} e^{kd/s²}, |d| ≤ ½: two exponentials a call (Greengard, Lee).
    """
    reach = (len(bell) - 1) // 2
    middle = math.floor(target + 0.5)
    rest = target - middle
    ratio = math.exp(rest / spread**2)
    power = math.exp(-reach * rest / spread**2)
    total = 0.0
    for k in range(len(bell)):
        weights[k] = bell[k] * power
        total += weights[k]
        power *= ratio
    for k in range(len(bell)):
        weights[k] /= total
    return int(middle) - reach


@njit(cache=True, nogil=True)
def spread_1d(mass, target, spread, bell, ring, out):
    """out_j = Σ_i mass_i w_{ij}, by `_gridded`."""
    n, count = len(mass), len(bell)
    weights = np.empty(count)
    out[:] = 0.0
    for i in range(n):
        if mass[i] == 0.0:
            continue
        first = _gridded(target[i], spread, bell, weights)
        if first >= 0 and first + count <= n:
            for k in range(count):
                out[first + k] += mass[i] * weights[k]
        else:
            for k in range(count):
                side, shift = turned(first + k, n, ring)
                out[side * (first + k) + shift] += mass[i] * weights[k]


@njit(cache=True, nogil=True)
def spread_2d(mass, target_x, target_y, spread_x, spread_y, bell_x, bell_y, ring_x, ring_y, out):
    """The same in the plane, with a product of weights."""
    ny, nx = mass.shape
    count_x, count_y = len(bell_x), len(bell_y)
    across, along = np.empty(count_x), np.empty(count_y)
    columns = np.empty(count_x, np.int64)
    out[:] = 0.0
    for j in range(ny):
        for i in range(nx):
            if mass[j, i] == 0.0:
                continue
            left = _gridded(target_x[j, i], spread_x, bell_x, across)
            low = _gridded(target_y[j, i], spread_y, bell_y, along)
            inside = left >= 0 and left + count_x <= nx
            if not inside:
                for k in range(count_x):
                    side, shift = turned(left + k, nx, ring_x)
                    columns[k] = side * (left + k) + shift
            for m in range(count_y):
                row = low + m
                if row < 0 or row >= ny:
                    side, shift = turned(row, ny, ring_y)
                    row = side * row + shift
                share = mass[j, i] * along[m]
                line = out[row]
                if inside:
                    for k in range(count_x):
                        line[left + k] += share * across[k]
                else:
                    for k in range(count_x):
                        line[columns[k]] += share * across[k]


@njit(cache=True, nogil=True)
def blur(values, weights, ring, out):
    """Rows of `values`, (m, n), convolved with an even kernel, folded at their ends."""
    m, n = values.shape
    reach = (len(weights) - 1) // 2
    padded = np.empty(n + 2 * reach)
    for j in range(m):
        for p in range(-reach, n + reach):
            side, shift = turned(p, n, ring)
            padded[p + reach] = values[j, side * p + shift]
        for i in range(n):
            out[j, i] = 0.0
        for k in range(2 * reach + 1):
            for i in range(n):
                out[j, i] += weights[k] * padded[i + k]


# ---- by Metropolis' rule: every move beside its return -----------------------------------------------------------


@njit(cache=True, nogil=True)
def log_total(target, spread, reach):
    """ln Σ_p e^{−(p − target)²/2s²} over the places p within `reach` of the target."""
    total = 0.0
    for p in range(math.ceil(target - reach), math.floor(target + reach) + 1):
        total += math.exp(-0.5 * ((p - target) / spread) ** 2)
    return math.log(total)


@njit(cache=True, nogil=True)
def adjusted_1d(mass, log_pi, target, spread, reach, ring, out):
    """One step of the adjusted law; returns the mass that moved.

    α = min(1, π_j q(F(i) | j) / π_i q(p | i)), F the isometry that folds p to j; no move without a return.
    """
    n = len(mass)
    totals = np.empty(n)
    for i in range(n):
        totals[i] = log_total(target[i], spread, reach)
    out[:] = 0.0
    moved = 0.0
    for i in range(n):
        if mass[i] == 0.0:
            continue
        gone = 0.0
        for p in range(math.ceil(target[i] - reach), math.floor(target[i] + reach) + 1):
            side, shift = turned(p, n, ring)
            j = side * p + shift
            back = side * i + shift - target[j]
            if abs(back) > reach:
                continue
            ahead = p - target[i]
            forth = -0.5 * (ahead / spread) ** 2 - totals[i]
            ratio = log_pi[j] - log_pi[i] - 0.5 * (back / spread) ** 2 - totals[j] - forth
            share = math.exp(forth + min(ratio, 0.0))
            gone += share
            out[j] += mass[i] * share
        out[i] += mass[i] * (1.0 - gone)
        moved += mass[i] * gone
    return moved


@njit(cache=True, nogil=True)
def adjusted_2d(mass, log_pi, target_x, target_y, spread, reach, ring_x, ring_y, out):
    """The same in the plane.   spread, reach : (2,), x first."""
    ny, nx = mass.shape
    totals = np.empty((ny, nx))
    for j in range(ny):
        for i in range(nx):
            totals[j, i] = log_total(target_x[j, i], spread[0], reach[0]) + log_total(
                target_y[j, i], spread[1], reach[1]
            )
    out[:] = 0.0
    moved = 0.0
    for j in range(ny):
        for i in range(nx):
            if mass[j, i] == 0.0:
                continue
            gone = 0.0
            x, y = target_x[j, i], target_y[j, i]
            for q in range(math.ceil(y - reach[1]), math.floor(y + reach[1]) + 1):
                side_y, shift_y = turned(q, ny, ring_y)
                row = side_y * q + shift_y
                for p in range(math.ceil(x - reach[0]), math.floor(x + reach[0]) + 1):
                    side_x, shift_x = turned(p, nx, ring_x)
                    column = side_x * p + shift_x
                    back_x = side_x * i + shift_x - target_x[row, column]
                    back_y = side_y * j + shift_y - target_y[row, column]
                    if abs(back_x) > reach[0] or abs(back_y) > reach[1]:
                        continue
                    forth = -0.5 * (((p - x) / spread[0]) ** 2 + ((q - y) / spread[1]) ** 2) - totals[j, i]
                    behind = -0.5 * ((back_x / spread[0]) ** 2 + (back_y / spread[1]) ** 2) - totals[row, column]
                    share = math.exp(forth + min(log_pi[row, column] - log_pi[j, i] + behind - forth, 0.0))
                    gone += share
                    out[row, column] += mass[j, i] * share
            out[j, i] += mass[j, i] * (1.0 - gone)
            moved += mass[j, i] * gone
    return moved
