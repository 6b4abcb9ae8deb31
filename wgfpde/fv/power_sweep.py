"""Implicit sweeps for power-law energies: Newton's method on each grid line, LANES lines at a time.

Backward Euler on a line,

    R_i(ρ) = h_i (ρ_i − ρ^n_i) + dt (F_{i+½}(ρ) − F_{i−½}(ρ)) = 0,      F from module `power_flux`.

1ᵀR' = hᵀ for every ρ, so the Newton matrix has the known column sums h and is factorised without subtraction.  m ≥ 2 iterates
on ρ, projected on ρ ≥ 0; m < 2 on ln ρ (down by at most e^−2 a time, up linearly).  Each lane keeps its own line search on
‖R‖₁.  A lane is done when ‖R‖₁ ≤ ε Σ|terms of R|, the rounding of R itself, which grows like ε (1 + dt κ p'/h²).  A lane that
gets stuck reports failure, never a half-solved step.

That residual would be lost mass.  So the last move is not Newton's: the flux at the solution is written with rates,
F = α ρ_i − β ρ_{i+1}, α, β ≥ 0 (the drift goes to the donor), and h ρ + dt ∂(α ρ_i − β ρ_{i+1}) = h ρ^n is solved for ρ.  The
matrix is an M-matrix with column sums h: mass is exact to rounding and ρ ≥ 0 for every dt, and since its inverse contracts
‖h·‖₁, nothing moves by more than ‖R‖₁.

Each line is scaled by a power of two to a maximum in [1, 2), κ by the matching power, so that ρ^m never underflows.

Second order: extrapolated backward Euler 2ρ_{dt/2,dt/2} − ρ_dt, each solve starting from non-negative data, repaired
toward ρ_{dt/2,dt/2} (module `limiter`).
Reference: Bailo, Carrillo, Hu (2020), DOI 10.4310/CMS.2020.v18.n5.a5 (implicit, energy-stable sweeps); Hairer, Wanner (1996),
Solving ODEs II, sec. IV.9 (extrapolation).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from ..linear.tridiagonal import LANES, factor, solve
from .blocks import gather, scatter
from .limiter import EPS, POWER, TINY, correct_fluxes, dissipate
from .power_flux import fast_flux, power, slow_flux

MAX_NEWTON = 80
SETTLED = 1e-8
"""Rounding may dominate the residual only once the residual, or the last move, is below this fraction of the mass."""

RUNNING, DONE, FAILED = 0, 1, 2


@njit(cache=True, nogil=True, error_model="numpy")
def residual(old, phi, new, h, d, dt, kappa, m, periodic, count, q, flux, left, right, res, size, norm, gate):
    """R, its Jacobian's rates, ‖R‖₁ per lane (norm), the sum of absolute terms of R per lane (size), two-way shares (gate)."""
    n = new.shape[0]
    for i in range(n):
        for k in range(count):
            q[i, k] = power(new[i, k], m)
    for k in range(count):
        size[k] = 0.0
        norm[k] = 0.0
    for i in range(n if periodic else n - 1):
        j = i + 1 if i < n - 1 else 0
        inverse = 1.0 / d[i]
        for k in range(count):
            dphi = phi[j, k] - phi[i, k]
            if m >= 2.0:
                value, a, b, s, two_way = slow_flux(new[i, k], new[j, k], q[i, k], q[j, k], dphi, kappa[k], m)
            else:
                value, a, b, s, two_way = fast_flux(new[i, k], new[j, k], q[i, k], q[j, k], dphi, kappa[k], m)
            flux[i, k] = value * inverse
            left[i, k] = a * inverse
            right[i, k] = b * inverse
            gate[i, k] = two_way
            spread = abs(a) + abs(b) if m < 2.0 else abs(a) * new[i, k] + abs(b) * new[j, k]
            size[k] += dt * (s + spread) * inverse  # rounding of the terms, and of ρ itself
    for i in range(n):
        for k in range(count):
            balance = h[i] * (new[i, k] - old[i, k])
            if i < n - 1 or periodic:
                balance += dt * flux[i, k]
            if i > 0 or periodic:
                balance -= dt * flux[i - 1, k]
            res[i, k] = balance
            norm[k] += abs(balance)
            size[k] += h[i] * (new[i, k] + old[i, k])


@njit(cache=True, nogil=True, error_model="numpy")
def euler(old, phi, new, flux, h, d, dt, kappa, m, periodic, count, work, extra):
    """Backward Euler on `count` lanes.  new : (n, LANES), first guess in, solution out; flux : its fluxes.

    kappa : (LANES,), per lane.   work : (11, n, LANES) scratch; extra : (2, ·, LANES) scratch of the cyclic solver.
    Returns (iterations, largest ‖R‖₁ relative to the lane's mass, failed).
    """
    n, lanes = new.shape
    q, left, right, res, base, sums, e, f, g, step, gate = (
        work[0], work[1], work[2], work[3], work[4], work[5], work[6], work[7], work[8], work[9], work[10],
    )  # fmt: skip
    size, norm, best, damp = np.zeros(lanes), np.zeros(lanes), np.full(lanes, np.inf), np.ones(lanes)
    status = np.zeros(lanes, np.int64)
    fresh = np.zeros(lanes, np.bool_)
    mass, moved = np.zeros(lanes), np.full(lanes, np.inf)
    for i in range(n):
        for k in range(count):
            mass[k] += h[i] * old[i, k]
    iterations = 0
    for iteration in range(MAX_NEWTON + 1):
        residual(old, phi, new, h, d, dt, kappa, m, periodic, count, q, flux, left, right, res, size, norm, gate)
        running = 0
        for k in range(count):
            fresh[k] = False
            if status[k] != RUNNING:
                continue
            rounding = EPS * size[k]
            settled = norm[k] <= SETTLED * mass[k] or moved[k] <= SETTLED * mass[k]
            noise = norm[k] <= 64.0 * rounding
            if settled and (norm[k] <= rounding or (noise and norm[k] >= 0.5 * best[k])):
                status[k] = DONE
            elif iteration == MAX_NEWTON or damp[k] < 1e-6:
                status[k] = FAILED
            elif not noise and norm[k] > 4.0 * best[k] and damp[k] > 0.1:
                damp[k] *= 0.5
                running += 1
            else:
                best[k] = norm[k]
                damp[k] = 1.0
                fresh[k] = True
                running += 1
        if running == 0:
            break
        iterations += 1
        for i in range(n):
            for k in range(lanes):
                sums[i, k] = h[i] if m >= 2.0 or k >= count else h[i] * new[i, k]
        factor(left, right, dt, sums, periodic, e, f, g, extra[0], extra[1])
        solve(e, f, g, extra[0], extra[1], periodic, res)
        moved[:] = 0.0
        for i in range(n):
            for k in range(count):
                if fresh[k]:
                    base[i, k] = new[i, k]
                    step[i, k] = -res[i, k]
                if status[k] == RUNNING:
                    move = damp[k] * step[i, k]
                    if m >= 2.0:
                        new[i, k] = max(base[i, k] + move, 0.0)
                    elif move < 0.0:
                        new[i, k] = base[i, k] * math.exp(max(move, -2.0))
                    else:
                        new[i, k] = base[i, k] * (1.0 + move)
                    moved[k] += h[i] * abs(new[i, k] - base[i, k])
    polish(old, new, flux, q, gate, h, d, dt, kappa, periodic, count, left, right, sums, e, f, g, extra)
    worst = 0.0
    failed = False
    for k in range(count):
        failed = failed or status[k] != DONE
        worst = max(worst, norm[k] / mass[k])
    return iterations, worst, failed


@njit(cache=True, nogil=True, error_model="numpy")
def polish(old, new, flux, q, gate, h, d, dt, kappa, periodic, count, left, right, sums, e, f, g, extra):
    """Re-solve with the fluxes written as non-negative rates: exact mass, exact sign.  Updates new and flux."""
    n, lanes = new.shape
    for i in range(n):
        for k in range(lanes):
            sums[i, k] = h[i]
    for i in range(n if periodic else n - 1):
        j = i + 1 if i < n - 1 else 0
        for k in range(count):
            a, b, value = new[i, k], new[j, k], flux[i, k]
            share = gate[i, k] * kappa[k] / d[i]
            if value >= 0.0:
                right[i, k] = share * q[j, k] if b > 0.0 else 0.0
                left[i, k] = (value + right[i, k] * b) / a if a > 0.0 else 0.0
            else:
                left[i, k] = share * q[i, k] if a > 0.0 else 0.0
                right[i, k] = (left[i, k] * a - value) / b if b > 0.0 else 0.0
    factor(left, right, dt, sums, periodic, e, f, g, extra[0], extra[1])
    for i in range(n):
        for k in range(count):
            new[i, k] = h[i] * old[i, k]
    solve(e, f, g, extra[0], extra[1], periodic, new)
    for i in range(n if periodic else n - 1):
        j = i + 1 if i < n - 1 else 0
        for k in range(count):
            flux[i, k] = left[i, k] * new[i, k] - right[i, k] * new[j, k]


@njit(cache=True, nogil=True, error_model="numpy")
def first_guess(guess, old, m, count):
    """For m < 2 lift vacuum off zero, where ln ρ lives; Newton brings it down again."""
    if m >= 2.0:
        return
    n = guess.shape[0]
    for k in range(count):
        top = 0.0
        for i in range(n):
            top = max(top, old[i, k])
        floor = top * (1e-30 if m > 1.0 else 1e-10)
        for i in range(n):
            guess[i, k] = max(guess[i, k], floor)


@njit(cache=True, nogil=True, error_model="numpy")
def power_sweep(first, last, rho, phi, direction, h, d, periodic, dt, order, guard, kappa, m, lanes, out, stats):
    """Advance lines of blocks first … last by dt along `direction`, from rho into out (ny, nx); may be the same array.

    order : 1 backward Euler, 2 extrapolated with repair.   guard : also keep every line's energy from rising.
    stats : (blocks, 4) out: repaired cells, residual, Newton iterations, failed.
    """
    n = h.shape[0]
    lines = rho.shape[0] if direction == 1 else rho.shape[1]
    work = np.zeros((11, n, lanes))
    extra = np.zeros((2, n if periodic else 1, lanes))
    state = np.zeros((8, n, lanes))
    old, potential, whole, half, full = state[0], state[1], state[2], state[3], state[4]
    flux, flux_half, anti = state[5], state[6], state[7]
    empty = np.zeros(lanes, np.bool_)
    scale, strength = np.ones(lanes), np.ones(lanes)
    for q in range(first, last):
        count = min(lanes, lines - q * lanes)
        gather(rho, direction, q * lanes, count, old)
        gather(phi, direction, q * lanes, count, potential)
        for k in range(count):  # a line of (next to) vacuum stays as it is; solve a dummy in its lane
            top = 0.0
            for i in range(n):
                top = max(top, old[i, k])
            empty[k] = top < TINY
            scale[k] = 1.0 if empty[k] else 2.0 ** math.floor(math.log2(top))
            strength[k] = kappa * scale[k] ** (m - 1.0)
            for i in range(n):
                old[i, k] /= scale[k]
            if empty[k]:
                for i in range(n):
                    old[i, k] = 1.0
                    potential[i, k] = 0.0
        whole[:] = old
        first_guess(whole, old, m, count)
        steps, worst, failed = euler(old, potential, whole, flux, h, d, dt, strength, m, periodic, count, work, extra)
        result = whole
        touched = 0
        if order == 2 and not failed:
            for i in range(n):
                for k in range(count):
                    half[i, k] = 0.5 * (old[i, k] + whole[i, k])
                    anti[i, k] = -dt * flux[i, k]
            first_guess(half, old, m, count)
            more, r, failed = euler(old, potential, half, flux_half, h, d, 0.5 * dt, strength, m, periodic, count, work, extra)
            steps, worst = steps + more, max(worst, r)
            full[:] = whole
            first_guess(full, half, m, count)
            if not failed:
                more, r, failed = euler(half, potential, full, flux, h, d, 0.5 * dt, strength, m, periodic, count, work, extra)
                steps, worst = steps + more, max(worst, r)
            for i in range(n):
                for k in range(count):
                    anti[i, k] += 0.5 * dt * (flux_half[i, k] + flux[i, k])
                    whole[i, k] = 2.0 * full[i, k] - whole[i, k]
            for k in range(count):
                lowest = 0.0
                for i in range(n):
                    lowest = min(lowest, whole[i, k])
                if lowest < 0.0:
                    touched += correct_fluxes(full, anti, h, periodic, k, whole)
                if guard and dissipate(whole, full, old, potential, h, POWER, strength[k], m, k):
                    touched += n
        for i in range(n):
            for k in range(count):
                result[i, k] *= scale[k]
        if empty.any():
            gather(rho, direction, q * lanes, count, old)
            for k in range(count):
                if empty[k]:
                    result[:, k] = old[:, k]
        stats[q, 0] = touched
        stats[q, 1] = worst
        stats[q, 2] = steps
        stats[q, 3] = 1.0 if failed else 0.0
        scatter(result, direction, q * lanes, count, out)
