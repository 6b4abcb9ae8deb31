"""Implicit sweeps with fluxes linear in ρ: Scharfetter–Gummel (entropy) and limited donor fluxes (no internal energy).

On each grid line, with rates a, b ≥ 0 given by the potential Φ,

    h_i dρ_i/dt + F_{i+½} − F_{i−½} = 0,     F_{i+½} = a_i ρ_i − b_i ρ_{i+1}.

First order: backward Euler, an M-matrix with column sums h: mass, ρ ≥ 0, energy decay and the Gibbs state for every dt.
Second order: SDIRK2, γ = 1 − 1/√2, one factorisation for both stages,

    Y = ρ^n + γ dt L Y,    ρ* = ρ^n + (1−γ)/γ (Y − ρ^n) + γ dt L ρ*,

L-stable but not positive for every dt; lines with a negative cell (and, with `guard`, lines whose energy rises) are
repaired against two backward Euler steps of dt/2 (module `limiter`).
Reference: Alexander (1977), DOI 10.1137/0714068.

Scharfetter–Gummel:  a = (κ/d) B(ΔΦ/κ),  b = (κ/d) B(−ΔΦ/κ),  B(s) = s/(e^s − 1);  a π_i = b π_{i+1} for π = e^{−Φ/κ}.  Order 2.
Reference: Scharfetter, Gummel (1969), DOI 10.1109/T-ED.1969.16566.

Donor flux: velocity −ΔΦ/d times the donor value plus half its minmod slope, written as w ρ_donor with w ∈ [0, 2] taken
from a reference state: F stays linear in ρ, M = w ρ_donor ≥ 0 vanishes with the donor, so mass, sign and energy law hold for
any reference state; order 2 where ρ is smooth.  Reference: van Leer (1979), DOI 10.1016/0021-9991(79)90145-1.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from ..linear.tridiagonal import LANES, factor, solve
from .blocks import gather, scatter
from .limiter import correct_fluxes, dissipate

GAMMA = 1.0 - math.sqrt(0.5)


@njit(cache=True, nogil=True, error_model="numpy")
def bernoulli(s):
    """B(s) = s/(e^s − 1) for s ≥ 0, to full relative accuracy.  For s < 0 use B(−s) = s + B(s)."""
    if s < 1e-3:
        s2 = s * s
        return 1.0 - 0.5 * s + s2 / 12.0 - s2 * s2 / 720.0
    if s > 700.0:
        return 0.0
    return s / math.expm1(s)


@njit(cache=True, nogil=True, error_model="numpy")
def sg_rates(first, last, phi, direction, d, kappa, periodic, a, b):
    """Scharfetter–Gummel rates of all faces of blocks first … last into a, b (blocks, n, LANES)."""
    n, lanes = a.shape[1:]
    lines = phi.shape[0] if direction == 1 else phi.shape[1]
    block = np.zeros((n, lanes))
    for q in range(first, last):
        count = min(lanes, lines - q * lanes)
        gather(phi, direction, q * lanes, count, block)
        for i in range(n if periodic else n - 1):
            j = i + 1 if i < n - 1 else 0
            scale = kappa / d[i]
            for k in range(count):
                s = (block[j, k] - block[i, k]) / kappa
                low = bernoulli(abs(s))
                high = low + abs(s)
                a[q, i, k] = scale * (low if s > 0.0 else high)
                b[q, i, k] = scale * (high if s > 0.0 else low)


@njit(cache=True, nogil=True, error_model="numpy")
def donor_weight(upup, up, down, h_up, d_back, d_front):
    """w ∈ [0, 2] with w ρ_up = ρ_up + ½ h_up minmod(backward slope, forward slope)."""
    back = (up - upup) / d_back
    front = (down - up) / d_front
    if back * front <= 0.0 or up <= 0.0:
        return 1.0
    slope = back if abs(back) < abs(front) else front
    return min(2.0, max(0.0, 1.0 + 0.5 * h_up * slope / up))


@njit(cache=True, nogil=True, error_model="numpy")
def line_weight(rho, k, i, velocity, h, d, periodic):
    """Donor weight of face i+½ on lane k of the state rho (n, LANES), for a velocity of known sign."""
    n = rho.shape[0]
    j = i + 1 if i < n - 1 else 0
    if velocity >= 0.0:
        if i == 0 and not periodic:
            return 1.0
        p = i - 1 if i > 0 else n - 1
        return donor_weight(rho[p, k], rho[i, k], rho[j, k], h[i], d[p], d[i])
    if j == n - 1 and not periodic:
        return 1.0
    p = j + 1 if j < n - 1 else 0
    return donor_weight(rho[p, k], rho[j, k], rho[i, k], h[j], d[j], d[i])


@njit(cache=True, nogil=True, error_model="numpy")
def drift_rates(first, last, phi, rho, direction, h, d, periodic, a, b):
    """Limited donor rates of blocks first … last; `rho` is the reference state of the weights."""
    n, lanes = a.shape[1:]
    lines = phi.shape[0] if direction == 1 else phi.shape[1]
    potential = np.zeros((n, lanes))
    state = np.zeros((n, lanes))
    for q in range(first, last):
        count = min(lanes, lines - q * lanes)
        gather(phi, direction, q * lanes, count, potential)
        gather(rho, direction, q * lanes, count, state)
        for i in range(n if periodic else n - 1):
            j = i + 1 if i < n - 1 else 0
            for k in range(count):
                velocity = (potential[i, k] - potential[j, k]) / d[i]
                weight = line_weight(state, k, i, velocity, h, d, periodic)
                a[q, i, k] = weight * max(velocity, 0.0)
                b[q, i, k] = weight * max(-velocity, 0.0)


@njit(cache=True, nogil=True, error_model="numpy")
def sweep(first, last, rho, phi, direction, a, b, h, periodic, dt, order, guard, kind, kappa, out, stats):
    """Advance lines of blocks first … last by dt along `direction`, from rho into out (ny, nx); may be the same array.

    order : 1 backward Euler, 2 SDIRK2 with repair.   guard : also keep every line's energy from rising.
    stats : (blocks, 4) out: repaired cells, largest relative mass defect of a line, and two unused entries.
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
                stats[q, 0] = _repair(
                    rho,
                    phi,
                    direction,
                    q,
                    count,
                    a,
                    b,
                    h,
                    sums,
                    periodic,
                    dt,
                    guard,
                    kind,
                    kappa,
                    e,
                    f,
                    g,
                    u,
                    v,
                    old,
                    stage,
                    new,
                )
        stats[q, 1] = _mass_defect(new, old, h, count)
        scatter(new, direction, q * lanes, count, out)


@njit(cache=True, nogil=True, error_model="numpy")
def _mass_defect(new, old, h, count):
    worst = 0.0
    for k in range(count):
        total = 0.0
        change = 0.0
        for i in range(new.shape[0]):
            total += h[i] * old[i, k]
            change += h[i] * (new[i, k] - old[i, k])
        if total > 0.0:
            worst = max(worst, abs(change) / total)
    return worst


@njit(cache=True, nogil=True, error_model="numpy")
def _repair(
    rho, phi, direction, q, count, a, b, h, sums, periodic, dt, guard, kind, kappa, e, f, g, u, v, old, stage, new
):
    """Make the lines of one block non-negative and, with guard, dissipative.  Returns the number of cells touched."""
    n, lanes = new.shape
    half = np.empty((n, lanes))
    low = np.empty((n, lanes))
    potential = np.zeros((n, lanes))
    if guard:
        gather(phi, direction, q * lanes, count, potential)
    factor(a[q], b[q], 0.5 * dt, sums, periodic, e, f, g, u, v)
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
            high = (1.0 - GAMMA) * (a[q, i, k] * stage[i, k] - b[q, i, k] * stage[j, k])
            high += GAMMA * (a[q, i, k] * new[i, k] - b[q, i, k] * new[j, k])
            lower = a[q, i, k] * (half[i, k] + low[i, k]) - b[q, i, k] * (half[j, k] + low[j, k])
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
