"""Local repair of a second-order step: flux-corrected transport per line, then bisection on the energy.

A second-order line update ρ_HO may have negative cells or more energy than it started with.  The first-order update
ρ_LO has neither.  Both are conservative, so they differ by antidiffusive fluxes A,
h(ρ_HO − ρ_LO) = −(A_{i+½} − A_{i−½}).  Scaling each A by the factor of the cell it leaves,

    R_i = min(1, (1 − 4ε) h_i ρ_LO,i / Σ outgoing A),

gives h_i ρ_i ≥ 4ε h_i ρ_LO,i ≥ 0 in floating point, keeps the mass (one flux per face) and changes nothing where
there is room.  If the energy of the line then still rises, ρ_LO + θ(ρ − ρ_LO) with the largest θ that does not:
θ = 0 always works, because the first-order update dissipates.

Where mass leaves by exits, the losses of both updates differ by a drain, which is one more flux of its cell, limited
like the others; one that comes back may take no more than the first-order update lets go.  There is no energy law then;
for the entropy ∫ρ²e^{Φ/κ} is kept from rising instead, likewise toward ρ_LO.

Reference: Boris, Book (1973), DOI 10.1016/0021-9991(73)90147-2; Zalesak (1979), DOI 10.1016/0021-9991(79)90051-2.
"""

from __future__ import annotations

import numpy as np

from ...base.kernel_cache import njit
from ...energy.laws.by_code import internal_energy
from ...linear.rows import filled, put, row
from ...linear.tridiagonal import LANES

EPS = 2.220446049250313e-16
TINY = 1e-290
"""Cells with less mass than this give nothing away: below, relative rounding bounds do not hold."""
UNTOLD = 64.0 * EPS
"""Of the mass of a lane: what Newton leaves in vacuum, of either sign.  Cells that lack no more are not counted."""


@njit(cache=True, nogil=True, error_model="numpy")
def correct_fluxes(low, anti, drain, drained, h, ring, noise, k, out):
    """Flux-corrected transport on lane k: out = low − ∂(limited anti) − limited drain/h, out ≥ 0.

    low, anti, out : (n, LANES); anti is time-integrated, per face i+½.  Returns the number of limited cells, without
    those that give away at most the fraction `noise` of the mass of the lane too much: 0, or UNTOLD after Newton.
    drain : (n,) what more than `drained` ≥ 0, the loss of `low`, leaves by exits; out, limited, drained + drain ≥ 0.
    Both (0,) where there are none.
    """
    n = low.shape[0]
    share = np.empty(n)
    limited, faint = 0, 0.0
    exits = drain.shape[0] > 0
    for i in range(n):
        faint += noise * h[i] * low[i, k]
    for i in range(n):
        right = anti[i, k] if (i < n - 1 or ring) else 0.0
        left = anti[i - 1, k] if (i > 0 or ring) else 0.0
        leaving = max(right, 0.0) + max(-left, 0.0)
        if exits:
            leaving += max(drain[i], 0.0)
        room = (1.0 - 4.0 * EPS) * h[i] * low[i, k]
        share[i] = 1.0
        if leaving > room:
            share[i] = room / leaving if room > TINY else 0.0
            if leaving - room > faint:
                limited += 1
    faces = n if ring else n - 1
    for i in range(faces):
        j = i + 1 if i < n - 1 else 0
        flux = anti[i, k] * (share[i] if anti[i, k] > 0.0 else share[j])
        anti[i, k] = flux
    if exits:
        for i in range(n):
            drain[i] = drain[i] * share[i] if drain[i] > 0.0 else max(drain[i], -(1.0 - 4.0 * EPS) * drained[i])
    for i in range(n):
        right = anti[i, k] if (i < n - 1 or ring) else 0.0
        left = anti[i - 1, k] if (i > 0 or ring) else 0.0
        gain = max(-right, 0.0) + max(left, 0.0)
        loss = max(right, 0.0) + max(-left, 0.0)
        if exits:
            gain += max(-drain[i], 0.0)
            loss += max(drain[i], 0.0)
        out[i, k] = ((h[i] * low[i, k] - loss) + gain) / h[i]
    return limited


@njit(cache=True, nogil=True, error_model="numpy")
def energy_change(new, old, phi, h, code, kappa, m, k):
    """Σ h [U(new) − U(old) + Φ(new − old)] on lane k, and the rounding scale of that sum."""
    n = new.shape[0]
    total = 0.0
    scale = 0.0
    for i in range(n):
        a = internal_energy(new[i, k], code, kappa, m)
        b = internal_energy(old[i, k], code, kappa, m)
        work = phi[i, k] * (new[i, k] - old[i, k])
        total += h[i] * (a - b + work)
        scale += h[i] * (abs(a) + abs(b) + abs(phi[i, k]) * (new[i, k] + old[i, k]))
    return total, scale


@njit(cache=True, nogil=True, error_model="numpy")
def dissipate(new, low, old, phi, h, code, kappa, m, k):
    """Pull lane k of `new` toward `low` until its energy does not exceed that of `old`.  Returns whether it had to."""
    n = new.shape[0]
    change, scale = energy_change(new, old, phi, h, code, kappa, m, k)
    if change <= 2.0 * EPS * scale:
        return False
    trial = new.copy()
    good, bad = 0.0, 1.0
    for _ in range(14):
        theta = 0.5 * (good + bad)
        for i in range(n):
            trial[i, k] = (1.0 - theta) * low[i, k] + theta * new[i, k]
        change, scale = energy_change(trial, old, phi, h, code, kappa, m, k)
        if change <= 0.0:
            good = theta
        else:
            bad = theta
    for i in range(n):
        new[i, k] = (1.0 - good) * low[i, k] + good * new[i, k]
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def contract(new, low, old, mean, half, rows, gain, phi, h, kappa, k):
    """Pull lane k of `new` toward `low`, and ρ̄ with it, until Σ h ρ² e^{Φ/κ} does not exceed that of `old`.

    half : the first of the two steps that led to `low`.   rows : where mass passes.   Nothing is done where mass
    comes in.   Returns whether it had to.
    """
    n = new.shape[0]
    top = -np.inf
    for i in rows:
        if gain[i, k] > 0.0:
            return False
    for i in range(n):
        top = max(top, phi[i, k])
    before, after = 0.0, 0.0
    for i in range(n):
        weight = h[i] * np.exp((phi[i, k] - top) / kappa)
        before += weight * old[i, k] ** 2
        after += weight * new[i, k] ** 2
    if after <= before * (1.0 + 4.0 * EPS):
        return False
    good, bad = 0.0, 1.0
    for _ in range(14):
        theta = 0.5 * (good + bad)
        after = 0.0
        for i in range(n):
            value = (1.0 - theta) * low[i, k] + theta * new[i, k]
            after += h[i] * np.exp((phi[i, k] - top) / kappa) * value**2
        if after <= before:
            good = theta
        else:
            bad = theta
    for i in rows:
        mean[i, k] = (1.0 - good) * 0.5 * (half[i, k] + low[i, k]) + good * mean[i, k]
    for i in range(n):
        new[i, k] = (1.0 - good) * low[i, k] + good * new[i, k]
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def passes(exits):
    """Whether mass passes lines.   exits : None, or a tuple that begins with the rows where it does."""
    if exits is None:
        return False
    return exits[0].shape[0] > 0


@njit(cache=True, nogil=True, error_model="numpy")
def restore_account(new, old, exits, q, h, dt, count):
    """As `restore_mass`, and where mass passes Σ h ρ' + dt Σ k ρ̄ is given the size of Σ h ρ + dt Σ g, lane by lane.

    exits : (rows where mass passes, k, g, ρ̄), (blocks, n, LANES) each, or None.   q : the block.
    Both ρ' and ρ̄ take the factor.
    """
    if exits is None:
        return restore_mass(new, old, h, count)
    if exits[0].shape[0] == 0:
        return restore_mass(new, old, h, count)
    rows, loss, gain, mean = exits[0], exits[1][q], exits[2][q], exits[3][q]
    n, lanes = new.shape
    before, after = np.zeros(lanes), np.zeros(lanes)
    for i in range(n):
        for k in range(count):
            before[k] += h[i] * old[i, k]
            after[k] += h[i] * new[i, k]
    for i in rows:
        for k in range(count):
            before[k] += dt * gain[i, k]
            after[k] += dt * loss[i, k] * mean[i, k]
    kept = True
    change, mass = 0.0, 0.0
    for k in range(count):
        gap = abs(before[k] - after[k])
        change += gap
        mass += before[k]
        if not (gap <= (1e-13 + 4.0 * EPS * n) * before[k] + TINY):
            kept = False
        before[k] = before[k] / after[k] if kept and after[k] > TINY else 1.0
    for i in range(n):
        for k in range(count):
            new[i, k] *= before[k]
    for i in rows:
        for k in range(count):
            mean[i, k] *= before[k]
    return kept, change, mass


@njit(cache=True, nogil=True, error_model="numpy")
def restore_with(new, old, gone, h, count):
    """As `restore_mass`, with the mass gone (3, n, LANES) ≥ 0 beside that of `new`; both take the factor."""
    n = new.shape[0]
    kept = True
    for k in range(count):
        before, after = 0.0, 0.0
        for i in range(n):
            before += h[i] * old[i, k]
            after += h[i] * new[i, k]
        for kind in range(3):
            for i in range(n):
                after += gone[kind, i, k]
        if not (abs(before - after) <= (1e-13 + 4.0 * EPS * n) * before + TINY):
            kept = False
        factor = before / after if kept and after > TINY else 1.0
        for i in range(n):
            new[i, k] *= factor
        for kind in range(3):
            for i in range(n):
                gone[kind, i, k] *= factor
    return kept


@njit(cache=True, nogil=True, error_model="numpy")
def restore_mass(new, old, h, count):
    """Give every lane of `new` the mass of `old` back.  Returns (whether it was there but for rounding, change, mass).

    A solve is accurate to a few ε in every cell, but equal coefficients round alike, so that these errors add up to
    some ε a step in the mass and drift over a run.  The factor is 1 + O(ε) and the change is reported; a change beyond
    the rounding of n cells means that the solve failed, and is refused.
    """
    n, lanes = new.shape
    held = np.zeros((2, lanes))
    before, after = held[0], held[1]
    _masses(new, old, h, held)
    kept = True
    change, mass = 0.0, 0.0
    for k in range(count):
        gap = abs(before[k] - after[k])
        change += gap
        mass += before[k]
        if not (gap <= (1e-13 + 4.0 * EPS * n) * before[k] + TINY):
            kept = False
        before[k] = before[k] / after[k] if kept and after[k] > TINY else 1.0
    for k in range(count, lanes):
        before[k] = 1.0
    if lanes == LANES:
        factor = row(held, 0)
        for i in range(n):
            put(new, i, row(new, i) * factor)
    else:
        for k in range(lanes):
            for i in range(n):
                new[i, k] *= before[k]
    return kept, change, mass


@njit(cache=True, nogil=True, error_model="numpy")
def _masses(new, old, h, held):
    """Of every lane of old and of new, into held (2, lanes)."""
    n, lanes = new.shape
    if lanes == LANES:
        before, after = filled(old, 0.0), filled(new, 0.0)
        for i in range(n):
            before = before + h[i] * row(old, i)
            after = after + h[i] * row(new, i)
        put(held, 0, before)
        put(held, 1, after)
        return
    for k in range(lanes):
        before, after = 0.0, 0.0
        for i in range(n):
            before += h[i] * old[i, k]
            after += h[i] * new[i, k]
        held[0, k], held[1, k] = before, after
