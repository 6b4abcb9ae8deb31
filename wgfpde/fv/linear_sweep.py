"""Implicit sweeps with fluxes linear in the density (rates from module `linear_rates`).

On each grid line, with rates a, b ≥ 0 given by the potential Φ,

    h_i dρ_i/dt + F_{i+½} − F_{i−½} = 0,     F_{i+½} = a_i ρ_i − b_i ρ_{i+1}.

First order: backward Euler, an M-matrix with column sums h: mass, ρ ≥ 0, energy decay and Gibbs for every dt.
Second order: SDIRK2, γ = 1 − 1/√2, one factorisation for both stages,

    Y = ρ^n + γ dt L Y,    ρ* = ρ^n + (1−γ)/γ (Y − ρ^n) + γ dt L ρ*,

L-stable but not positive for every dt; lines with a negative cell (and, with `guard`, lines whose energy rises) are
repaired against two backward Euler steps of dt/2 (module `limiter`).
Reference: Alexander (1977), DOI 10.1137/0714068.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from ..linear.tridiagonal import factor, solve
from .blocks import gather, scatter
from .limiter import correct_fluxes, dissipate, restore_mass

GAMMA = 1.0 - math.sqrt(0.5)


@njit(cache=True, nogil=True, error_model="numpy")
def sweep(first, last, rho, phi, direction, a, b, h, periodic, dt, order, guard, kind, kappa, out, stats):
    """Advance lines of blocks first … last by dt along `direction`, from rho into out (ny, nx); may be the same array.

    order : 1 backward Euler, 2 SDIRK2 with repair.   guard : also keep every line's energy from rising.
    stats : (blocks, 5) out: repaired cells, mass defect, 0, failed, mass of the lines.
    """
    n, lanes = a.shape[1:]
    lines = rho.shape[0] if direction == 1 else rho.shape[1]
    sums = np.ones((n, lanes))
    for i in range(n):
        sums[i, :] = h[i]
    e, f, g = np.empty((n, lanes)), np.empty((n, lanes)), np.empty((n, lanes))
    extra = n if periodic else 1
    u, v = np.empty((extra, lanes)), np.empty((extra, lanes))
    old = np.zeros((n, lanes))
    factors = (sums, e, f, g, u, v)
    potential = np.zeros((n, lanes))
    stage = np.zeros((n, lanes))
    new = np.zeros((n, lanes))
    weight = (1.0 - GAMMA) / GAMMA
    for q in range(first, last):
        count = min(lanes, lines - q * lanes)
        gather(rho, direction, q * lanes, count, old)
        factor(a[q], b[q], dt if order == 1 else GAMMA * dt, sums, periodic, e, f, g, u, v)
        for i in range(n):
            for k in range(lanes):
                new[i, k] = h[i] * old[i, k]
        solve(e, f, g, u, v, periodic, new)
        stats[q, 0] = 0.0
        if order == 2:
            lowest = 0.0
            for i in range(n):
                for k in range(lanes):
                    stage[i, k] = new[i, k]
                    new[i, k] = h[i] * (old[i, k] + weight * (new[i, k] - old[i, k]))
            solve(e, f, g, u, v, periodic, new)
            for i in range(n):
                for k in range(lanes):
                    lowest = min(lowest, new[i, k])
            if lowest < 0.0 or guard:
                if guard:
                    gather(phi, direction, q * lanes, count, potential)
                stats[q, 0] = _repair(
                    old, stage, new, potential, a[q], b[q], h, periodic, dt, guard, kind, kappa, count, factors
                )
        kept, stats[q, 1], stats[q, 4] = restore_mass(new, old, h, count)
        stats[q, 3] = 0.0 if kept else 1.0
        scatter(new, direction, q * lanes, count, out)


@njit(cache=True, nogil=True, error_model="numpy")
def _repair(old, stage, new, potential, a, b, h, periodic, dt, guard, kind, kappa, count, factors):
    """Make the lines of one block non-negative and, with guard, dissipative.  Returns the number of cells touched.

    stage, new : Y and ρ* of SDIRK2.   a, b : (n, lanes) rates.   factors : the factorisation's arrays, overwritten.
    """
    n, lanes = new.shape
    sums, e, f, g, u, v = factors
    half = np.empty((n, lanes))
    low = np.empty((n, lanes))
    factor(a, b, 0.5 * dt, sums, periodic, e, f, g, u, v)
    for i in range(n):
        for k in range(lanes):
            half[i, k] = h[i] * old[i, k]
    solve(e, f, g, u, v, periodic, half)
    for i in range(n):
        for k in range(lanes):
            low[i, k] = h[i] * half[i, k]
    solve(e, f, g, u, v, periodic, low)
    touched = 0
    anti = e  # the factors are spent
    for i in range(n if periodic else n - 1):
        j = i + 1 if i < n - 1 else 0
        for k in range(lanes):
            high = (1.0 - GAMMA) * (a[i, k] * stage[i, k] - b[i, k] * stage[j, k])
            high += GAMMA * (a[i, k] * new[i, k] - b[i, k] * new[j, k])
            lower = a[i, k] * (half[i, k] + low[i, k]) - b[i, k] * (half[j, k] + low[j, k])
            anti[i, k] = dt * (high - 0.5 * lower)
    for k in range(count):
        lowest = 0.0
        for i in range(n):
            lowest = min(lowest, new[i, k])
        if lowest < 0.0:
            touched += correct_fluxes(low, anti, h, periodic, k, new)
        if guard and dissipate(new, low, old, potential, h, kind, kappa, 1.0, k):
            touched += n
    return touched
