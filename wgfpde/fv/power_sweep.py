"""Sweeps for power-law energies: second-order time steps built from backward Euler solves (module `power_newton`).

SDIRK2, γ = 1 − 1/√2, wherever its second stage has non-negative data,

    Y = ρ^n + γ dt L(Y),    ρ* = z + γ dt L(ρ*),    z = ρ^n + (1−γ)/γ (Y − ρ^n) ≥ 0,

so that both solves have non-negative data and ρ* ≥ 0 by itself.  Elsewhere (cells that empty fast, and guarded steps)
extrapolated backward Euler 2ρ_{dt/2,dt/2} − ρ_dt, repaired toward ρ_{dt/2,dt/2} (module `limiter`).  SDIRK2 takes two
solves instead of three and its error is some three times smaller.
Reference: Alexander (1977), DOI 10.1137/0714068; Bailo, Carrillo, Hu (2020), DOI 10.4310/CMS.2020.v18.n5.a5 (implicit
energy-stable sweeps); Hairer, Wanner (1996), Solving ODEs II, sec. IV.9 (extrapolation).

Each line is scaled by a power of two to a maximum in [1, 2), κ by the matching power, so that ρ^m does not underflow.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from .blocks import gather, scatter
from .limiter import POWER, TINY, correct_fluxes, dissipate, restore_mass
from .linear_sweep import GAMMA, ROUNDING_LIMIT
from .power_newton import SCRATCH, euler, lift


@njit(cache=True, nogil=True, error_model="numpy")
def power_sweep(
    first, last, rho, phi, direction, h, inverse_d, periodic, dt, order, guard, kappa, m, lanes, out, stats
):
    """Advance lines of blocks first … last by dt along `direction`, from rho into out (ny, nx); may be the same array.

    order : 1 backward Euler, 2 as above.   guard : also keep every line's energy from rising.
    stats : (blocks, 4) out: repaired cells, residual, Newton iterations, failed.
    """
    n = h.shape[0]
    lines = rho.shape[0] if direction == 1 else rho.shape[1]
    geometry = (h, inverse_d, periodic)
    work = np.zeros((SCRATCH, n, lanes))
    extra = np.zeros((2, n if periodic else 1, lanes))
    state = np.zeros((8, n, lanes))
    old, potential, result = state[0], state[1], state[2]
    scale, strength = np.ones(lanes), np.ones(lanes)
    for q in range(first, last):
        count = min(lanes, lines - q * lanes)
        gather(rho, direction, q * lanes, count, old)
        gather(phi, direction, q * lanes, count, potential)
        empty = _scale_lines(old, potential, count, kappa, m, scale, strength)
        law = (strength, m)
        touched = 0
        if order == 1:
            result[:] = old
            lift(result, old, m, count)
            steps, worst, failed = euler(old, potential, result, state[3], dt, geometry, law, count, work, extra)
        else:
            done = False
            steps, worst = 0, 0.0
            if not guard:
                steps, worst, done = _sdirk(state, dt, geometry, law, count, work, extra)
            failed = not done
            if not done:
                more, worst, failed, touched = _extrapolate(state, dt, geometry, law, count, guard, work, extra)
                steps += more
        failed = failed or not (restore_mass(result, old, h, count) <= ROUNDING_LIMIT)
        for i in range(n):
            for k in range(count):
                result[i, k] *= scale[k]
        if empty:
            gather(rho, direction, q * lanes, count, old)
            for k in range(count):
                if scale[k] == 0.0:
                    result[:, k] = old[:, k]
        stats[q, 0] = touched
        stats[q, 1] = worst
        stats[q, 2] = steps
        stats[q, 3] = 1.0 if failed else 0.0
        scatter(result, direction, q * lanes, count, out)


@njit(cache=True, nogil=True, error_model="numpy")
def _scale_lines(old, potential, count, kappa, m, scale, strength):
    """Scale each lane to a maximum in [1, 2).  A line of (next to) vacuum gets scale 0 and a dummy to solve."""
    n = old.shape[0]
    empty = False
    for k in range(count):
        top = 0.0
        for i in range(n):
            top = max(top, old[i, k])
        if top < TINY:
            empty = True
            scale[k], strength[k] = 0.0, kappa
            for i in range(n):
                old[i, k] = 1.0
                potential[i, k] = 0.0
            continue
        scale[k] = 2.0 ** math.floor(math.log2(top))
        strength[k] = kappa * scale[k] ** (m - 1.0)
        for i in range(n):
            old[i, k] /= scale[k]
    return empty


@njit(cache=True, nogil=True, error_model="numpy")
def _sdirk(state, dt, geometry, law, count, work, extra):
    """SDIRK2 on one block, into state[2].  Returns (iterations, residual, done), not done if z has a negative cell."""
    old, potential, new, data, flux = state[0], state[1], state[2], state[3], state[4]
    m = law[1]
    n = old.shape[0]
    new[:] = old
    lift(new, old, m, count)
    steps, worst, failed = euler(old, potential, new, flux, GAMMA * dt, geometry, law, count, work, extra)
    lowest = 0.0
    for i in range(n):
        for k in range(count):
            change = (new[i, k] - old[i, k]) / GAMMA
            data[i, k] = old[i, k] + (1.0 - GAMMA) * change
            lowest = min(lowest, data[i, k])
            new[i, k] = max(old[i, k] + change, 0.0)
    if failed or lowest < 0.0:
        return steps, worst, False
    lift(new, data, m, count)
    more, r, failed = euler(data, potential, new, flux, GAMMA * dt, geometry, law, count, work, extra)
    return steps + more, max(worst, r), not failed


@njit(cache=True, nogil=True, error_model="numpy")
def _extrapolate(state, dt, geometry, law, count, guard, work, extra):
    """Extrapolated backward Euler on one block, into state[2].  Returns (iterations, residual, failed, repaired)."""
    old, potential, whole, half, full = state[0], state[1], state[2], state[3], state[4]
    flux, flux_half, anti = state[5], state[6], state[7]
    h, m = geometry[0], law[1]
    n = old.shape[0]
    whole[:] = old
    lift(whole, old, m, count)
    steps, worst, failed = euler(old, potential, whole, flux, dt, geometry, law, count, work, extra)
    if failed:
        return steps, worst, True, 0
    for i in range(n):
        for k in range(count):
            half[i, k] = 0.5 * (old[i, k] + whole[i, k])
            full[i, k] = whole[i, k]
            anti[i, k] = -dt * flux[i, k]
    lift(half, old, m, count)
    more, r, failed = euler(old, potential, half, flux_half, 0.5 * dt, geometry, law, count, work, extra)
    steps, worst = steps + more, max(worst, r)
    if failed:
        return steps, worst, True, 0
    lift(full, half, m, count)
    more, r, failed = euler(half, potential, full, flux, 0.5 * dt, geometry, law, count, work, extra)
    steps, worst = steps + more, max(worst, r)
    touched = 0
    for i in range(n):
        for k in range(count):
            anti[i, k] += 0.5 * dt * (flux_half[i, k] + flux[i, k])
            whole[i, k] = 2.0 * full[i, k] - whole[i, k]
    for k in range(count):
        lowest = 0.0
        for i in range(n):
            lowest = min(lowest, whole[i, k])
        if lowest < 0.0:
            touched += correct_fluxes(full, anti, h, geometry[2], k, whole)
        if guard and dissipate(whole, full, old, potential, h, POWER, law[0][k], m, k):
            touched += n
    return steps, worst, failed, touched
