"""Backward Euler for power-law energies on a few grid lines at once, by Newton's method.

    R_i(ρ) = h_i (ρ_i − ρ^n_i) + dt (F_{i+½}(ρ) − F_{i−½}(ρ)) = 0,      F from module `power_flux`

1ᵀR' = hᵀ for every ρ, so the Newton matrix has the known column sums h and is factorised without subtraction.
m ≥ 2 iterates on ρ, projected on 0 ≤ ρ_i ≤ mass/h_i, and for m > 3 along p where that is stiff (module
`newton_moves`); m < 2 on ln ρ (down by at most e^−2 a time, up linearly).  Each lane keeps its own, non-monotone line
search on ‖R‖₁: demanding a decrease stalls at vacuum.  A lane is done when ‖R‖₁ is at the level of its own rounding,
which grows like ε (1 + dt κ p'/h²).  A lane that gets stuck reports failure, never a half-solved step.  The fluxes
enter each solve apart from the mass (`tridiagonal.solve_balance`), which they exceed by far.

What is left of ‖R‖₁ would be lost mass.  So the last move is not Newton's: the flux at the solution is written with
rates, F = α ρ_i − β ρ_{i+1}, α, β ≥ 0 (ΔΦ goes to the donor; Δp, and ΔU' where M is the donor's, to both cells), and
h ρ + dt ∂(α ρ_i − β ρ_{i+1}) = h ρ^n is solved for ρ.  Its matrix is an M-matrix with column sums h: mass is exact to
rounding and ρ ≥ 0 for every dt, and since its inverse contracts ‖h·‖₁, nothing moves by more than ‖R‖₁.

Where mass leaves by exits, its loss F(ρ, 0)/d + kρ per area adds to R, its derivative to the column sums, and at the
end the rate that it is of ρ.

Shapes: fields (n, lanes), faces i+½ in row i.  `geometry` = (h (n,), conductances, ring), `law` = (κ (lanes,), m);
h is the volume of a cell, and the conductance A D/d of a face stands for 1/d (module `lines`).
"""

from __future__ import annotations

import numpy as np

from ....base.kernel_cache import njit
from ....energy.laws.power_flux import fast_flux, power, slow_flux, square_fluxes, vacuum_flux
from ....linear.fused_solves import balanced
from ....linear.lines import at, live
from ..limiter import EPS
from .newton_moves import DONE, FAILED, RUNNING, STEEP, move, move_steep

MAX_NEWTON = 80
MAX_EXTINCTION = 480
"""With exits: fast diffusion is extinct in finite time, and a step over that falls to rounding by e^−2 a time."""
SETTLED = 1e-8
"""Rounding may dominate the residual only once the residual, or the last move, is below this fraction of the mass."""
FAINT = 1e-100
"""Ratio of neighbours below which their rates are not balanced against each other: they would overflow."""

MATRIX, SCRATCH = 8, 11
"""Of the blocks of scratch: where the three of a factorised matrix begin, and how many there are."""
DECAY, TOTAL, SLOPE = 2, 3, 4
"""In the room of exits, after what leaves below and above."""


@njit(cache=True, nogil=True, error_model="numpy")
def residual(old, phi, new, dt, geometry, law, exits, count, q, flux, left, right, gate, res, norm):
    """R (res), its fluxes and their derivatives (left, −right), ‖R‖₁ per lane (norm), and q = ρ^(m−1)."""
    h, across, ring = geometry
    kappa, m = law
    n = new.shape[0]
    faces = n if ring else n - 1
    if m == 2.0:
        for i in range(n):
            for k in range(live(count)):
                q[i, k] = new[i, k]
        for i in range(faces):
            j = i + 1 if i < n - 1 else 0
            square_fluxes(new, phi, i, j, kappa, across, count, flux, left, right, gate)
    else:
        _power_fluxes(new, phi, kappa, m, across, faces, count, q, flux, left, right, gate)
    for k in range(live(count)):
        norm[k] = 0.0
        if not ring:
            flux[n - 1, k] = 0.0
    for i in range(n):
        back = i - 1 if i > 0 else n - 1
        for k in range(live(count)):
            balance = h[i] * (new[i, k] - old[i, k]) + dt * (flux[i, k] - flux[back, k])
            res[i, k] = balance
            norm[k] += abs(balance)
    if exits[0]:
        lose(new, law, exits, count)
        lost = exits[4][TOTAL]
        for k in range(live(count)):
            norm[k] = 0.0
        for i in range(n):
            for k in range(live(count)):
                res[i, k] += dt * lost[i, k]
                norm[k] += abs(res[i, k])


@njit(cache=True, nogil=True, error_model="numpy")
def lose(new, law, exits, count):
    """What leaves a state per time and area by each kind of exit, all of it, and its derivative, into exits[4].

    exits : (opened, inverse_d, rise, decay, room); inverse_d, rise (2, n, lanes): conductance of the face to the
    outside below and above a cell, 0 where there is none, and ΔΦ to there; decay (n, lanes): k h; room (5, n, lanes).
    """
    _, inverse_d, rise, decay, room = exits
    kappa, m = law
    for i in range(new.shape[0]):
        for k in range(live(count)):
            rho, total, slope = new[i, k], 0.0, 0.0
            for side in range(2):
                room[side, i, k] = 0.0
                if inverse_d[side, i, k] > 0.0:
                    value, bend = vacuum_flux(rho, rise[side, i, k], kappa[k], m)
                    room[side, i, k] = value * inverse_d[side, i, k]
                    total += room[side, i, k]
                    slope += bend * inverse_d[side, i, k]
            room[DECAY, i, k] = decay[i, k] * rho
            room[TOTAL, i, k] = total + room[DECAY, i, k]
            room[SLOPE, i, k] = slope + decay[i, k]


@njit(cache=True, nogil=True, error_model="numpy")
def _power_fluxes(new, phi, kappa, m, across, faces, count, q, flux, left, right, gate):
    """The face by face part of `residual` for m ≠ 2: q, and per face the flux, its derivatives, the two-way share."""
    n = new.shape[0]
    for i in range(n):
        for k in range(live(count)):
            q[i, k] = power(new[i, k], m)
    for i in range(faces):
        j = i + 1 if i < n - 1 else 0
        for k in range(live(count)):
            dphi = phi[j, k] - phi[i, k]
            if m >= 2.0:
                value, a, b, two_way = slow_flux(new[i, k], new[j, k], q[i, k], q[j, k], dphi, kappa[k], m)
            else:
                value, a, b, two_way = fast_flux(new[i, k], new[j, k], q[i, k], q[j, k], dphi, kappa[k], m)
            flux[i, k] = value * at(across, i, k)
            left[i, k] = a * at(across, i, k)
            right[i, k] = b * at(across, i, k)
            gate[i, k] = two_way


@njit(cache=True, nogil=True, error_model="numpy")
def rounding(old, phi, new, dt, geometry, law, exits, count, q, left, right, floor):
    """floor (lanes,) = ε times the sum of the absolute terms of R, and of their sensitivity to the rounding of ρ."""
    h, across, ring = geometry
    kappa, m = law
    n = new.shape[0]
    power_terms = 1.0 + m / abs(m - 1.0)
    for k in range(live(count)):
        floor[k] = 0.0
    for i in range(n):
        for k in range(live(count)):
            floor[k] += h[i] * (new[i, k] + old[i, k])
    for i in range(n if ring else n - 1):
        j = i + 1 if i < n - 1 else 0
        for k in range(live(count)):
            a, b = new[i, k], new[j, k]
            terms = kappa[k] * power_terms * max(a, b) * max(q[i, k], q[j, k])
            terms += abs(phi[j, k] - phi[i, k]) * max(a, b)
            if m < 2.0:
                a, b = 1.0, 1.0
            floor[k] += dt * (terms * at(across, i, k) + abs(left[i, k]) * a + abs(right[i, k]) * b)
    if exits[0]:
        for i in range(n):
            for k in range(live(count)):
                floor[k] += dt * (power_terms * exits[4][TOTAL, i, k] + exits[4][SLOPE, i, k] * new[i, k])
    for k in range(live(count)):
        floor[k] *= EPS


@njit(cache=True, nogil=True, error_model="numpy")
def euler(old, phi, new, flux, dt, geometry, law, exits, drain, count, idle, work, extra, left_over, stuck):
    """Backward Euler on `count` lanes.  new : first guess in, solution out; flux : out, the fluxes that made it.

    count : None of a line alone, for which loops over lanes are compiled away.
    exits : as `lose` takes them.   drain : (3, n, lanes) out, what left per time by each kind of exit.
    idle : (lanes,) those that are not solved; what is put out of them is void.
    work : (SCRATCH, n, lanes); extra : (2, n or 1, lanes), of the cyclic solver.
    left_over : (lanes,) out, ‖R‖₁ before the last move.   stuck : (lanes,) out, whether a lane failed.
    Returns the number of iterations.
    """
    h, _, ring = geometry
    _, m = law
    n, lanes = new.shape[0], new.shape[1] if count is not None else 1
    q, left, right, gate, res, base, step, sums = (
        work[0], work[1], work[2], work[3], work[4], work[5], work[6], work[7],
    )  # fmt: skip
    norm, accepted, damp = np.zeros(lanes), np.full(lanes, np.inf), np.ones(lanes)
    mass, moved = np.zeros(lanes), np.full(lanes, np.inf)
    floor, status = np.zeros(lanes), np.zeros(lanes, np.int64)
    fresh = np.zeros(lanes, np.bool_)
    for i in range(n):
        for k in range(live(count)):
            mass[k] += h[i] * old[i, k]
    for k in range(live(count)):
        status[k] = DONE if idle[k] else RUNNING
    iterations = 0
    most = MAX_EXTINCTION if exits[0] and m < 1.0 else MAX_NEWTON
    for iteration in range(most + 1):
        residual(old, phi, new, dt, geometry, law, exits, count, q, flux, left, right, gate, res, norm)
        running = 0
        near = False
        for k in range(live(count)):
            near = near or (status[k] == RUNNING and (norm[k] <= SETTLED * mass[k] or moved[k] <= SETTLED * mass[k]))
        if near:
            rounding(old, phi, new, dt, geometry, law, exits, count, q, left, right, floor)
        for k in range(live(count)):
            fresh[k] = False
            if status[k] != RUNNING:
                continue
            noise = False
            if norm[k] <= SETTLED * mass[k] or moved[k] <= SETTLED * mass[k]:
                noise = norm[k] <= 64.0 * floor[k]
                if norm[k] <= floor[k] or (noise and norm[k] >= 0.5 * accepted[k]):
                    status[k] = DONE
                    continue
            if iteration == most:
                status[k] = FAILED
                continue
            running += 1
            if not noise and not (norm[k] <= 4.0 * accepted[k]) and damp[k] > 0.1:
                damp[k] *= 0.5
            else:
                accepted[k] = norm[k]
                damp[k] = 1.0
                fresh[k] = True
        last = running == 0
        if last:
            _positive_rates(old, new, flux, q, gate, geometry, law, count, left, right, res)
        for i in range(n):
            for k in range(lanes):
                sums[i, k] = h[i] if last or m >= 2.0 or k >= live(count) else h[i] * new[i, k]
        if exits[0]:
            _lower(new, dt, exits, m, count, last, sums)
        if not last:
            for i in range(n):
                for k in range(live(count)):
                    res[i, k] = h[i] * (old[i, k] - new[i, k])
            if exits[0]:
                for i in range(n):
                    for k in range(live(count)):
                        res[i, k] -= dt * exits[4][TOTAL, i, k]
        balanced(left, right, dt, sums, ring, flux, 0.0 if last else dt, work[MATRIX:], extra, count, res)
        if last:
            break
        iterations += 1
        if m > STEEP:
            move_steep(new, base, step, res, dt, geometry, law, count, status, fresh, damp, moved, mass)
        else:
            move(new, base, step, res, h, m, count, status, fresh, damp, moved, mass)
    if exits[0]:
        for i in range(n):
            for k in range(live(count)):
                grown = res[i, k] / new[i, k] if new[i, k] > 0.0 else 0.0
                for kind in range(3):
                    drain[kind, i, k] = exits[4][kind, i, k] * grown
    for i in range(n):
        for k in range(live(count)):
            new[i, k] = res[i, k]
    for i in range(n if ring else n - 1):
        j = i + 1 if i < n - 1 else 0
        for k in range(live(count)):
            flux[i, k] = left[i, k] * new[i, k] - right[i, k] * new[j, k]
    for k in range(live(count)):
        stuck[k] = status[k] != DONE
        left_over[k] = norm[k]
    return iterations


@njit(cache=True, nogil=True, error_model="numpy")
def _lower(new, dt, exits, m, count, last, sums):
    """Add to the column sums what exits take: the derivative of the loss, and at the end its rate."""
    room = exits[4]
    for i in range(new.shape[0]):
        for k in range(live(count)):
            if last:
                sums[i, k] += dt * room[TOTAL, i, k] / new[i, k] if new[i, k] > 0.0 else 0.0
            else:
                sums[i, k] += dt * room[SLOPE, i, k] * (1.0 if m >= 2.0 else new[i, k])


@njit(cache=True, nogil=True, error_model="numpy")
def _positive_rates(old, new, flux, q, gate, geometry, law, count, left, right, res):
    """The fluxes at the solution as rates left, right ≥ 0, and the mass of the old state as right-hand side.

    A flux that cancels, as at a steady state, must do so between two rates: one of its rounding's size, one way, would
    move the state by dt/h² times that rounding.  So the rate back holds the share of −Δp, and of −M ΔU' where M is the
    donor's (2ρ for m ≥ 2, ωρ for m < 2), of the cell the flux goes to; for m < 1, where U' < 0, of the one it leaves.
    """
    h, across, ring = geometry
    kappa, m = law
    n = new.shape[0]
    upwind = 2.0 if m >= 2.0 else 1.0
    slope = m / abs(m - 1.0)
    for i in range(n if ring else n - 1):
        j = i + 1 if i < n - 1 else 0
        for k in range(live(count)):
            a, b, value = new[i, k], new[j, k], flux[i, k]
            share = gate[i, k] * kappa[k] * at(across, i, k)
            donor = (1.0 - gate[i, k]) * upwind * slope * kappa[k] * at(across, i, k)
            if value >= 0.0:
                back = q[j, k] if m > 1.0 else q[i, k]
                right[i, k] = share * q[j, k] if b > 0.0 else 0.0
                if b > FAINT * a:
                    right[i, k] += donor * back * (a / b)
                left[i, k] = (value + right[i, k] * b) / a if a > 0.0 else 0.0
            else:
                back = q[i, k] if m > 1.0 else q[j, k]
                left[i, k] = share * q[i, k] if a > 0.0 else 0.0
                if a > FAINT * b:
                    left[i, k] += donor * back * (b / a)
                right[i, k] = (left[i, k] * a - value) / b if b > 0.0 else 0.0
    for i in range(n):
        for k in range(live(count)):
            res[i, k] = h[i] * old[i, k]
