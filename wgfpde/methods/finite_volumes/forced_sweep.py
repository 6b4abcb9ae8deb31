"""Implicit sweeps of the entropy with a force, and the work of the force along the fluxes.

The rates a, b ≥ 0 hold the force (module `rates`), so that the solves, mass and sign are those of `linear_sweep`.  The
work is taken with the fluxes that moved the mass, integrated over the step,

    ∫∫ f F = Σ_faces f d G,    G = dt F(ρ')                            backward Euler
                               G = dt [(1−γ) F(Y) + γ F(ρ*)]           SDIRK2
                               G = ½ dt [F(ρ_½) + F(ρ_1)] + limited A  where the line is repaired (module `limiter`)

since a density tells the fluxes on a ring up to a constant only, and the work is this constant.  Backward Euler keeps
E(ρ') − E(ρ) ≤ ∫∫ f F for every dt:  E is convex, and Δρ = −∂G with −G (Δξ' − f d) ≥ 0 on each face.
"""

from __future__ import annotations

import numpy as np

from ...base.kernel_cache import njit
from ...linear.lines import as_block, gather, lanes_of, scatter
from .limiter import correct_fluxes, restore_mass
from .linear_sweep import GAMMA, _two_solves


@njit(cache=True, nogil=True, error_model="numpy")
def tilted_sweep(first, last, rho, direction, push, across, a, b, h, ring, dt, order, stats, work):
    """Advance lines of blocks first … last by dt along `direction`, in place; rho (ny, nx).

    push : (n,) f d on the faces.   across : (lines,) areas of the faces.   order : as in `linear_sweep.sweep`.
    stats : (blocks, 5) out, as there.   work : (blocks,) out, ∫∫ f F.
    """
    n, lanes = h.shape[0], lanes_of(a)
    lines = rho.shape[0] if direction == 1 else rho.shape[1]
    room = np.zeros((12, n, lanes))
    wrap = np.zeros((2, n if ring else 1, lanes))
    old, stage, new, half, low, moved, anti = room[5], room[6], room[7], room[8], room[9], room[10], room[11]
    for q in range(first, last):
        count = min(lanes, lines - q * lanes)
        gather(rho, direction, q * lanes, count, old)
        stats[q, 0] = 0.0
        forth, back = as_block(a[q]), as_block(b[q])
        if order == 1:
            _two_solves(a[q], b[q], None, q, dt, 0.0, h, ring, old, room[2], False, room, wrap, stage, new)
            _crossing(forth, back, ring, dt, 0.0, new, new, moved)
        else:
            weight = (1.0 - GAMMA) / GAMMA
            negative = _two_solves(
                a[q], b[q], None, q, GAMMA * dt, weight, h, ring, old, room[2], False, room, wrap, stage, new
            )
            _crossing(forth, back, ring, (1.0 - GAMMA) * dt, GAMMA * dt, stage, new, moved)
            if negative:
                _two_solves(a[q], b[q], None, q, 0.5 * dt, 1.0, h, ring, old, room[2], False, room, wrap, half, low)
                stats[q, 0] = _repaired(forth, back, h, ring, dt, half, low, new, moved, anti, count)
        work[q] = 0.0
        for k in range(count):
            for i in range(n if ring else n - 1):
                work[q] += across[q * lanes + k] * push[i] * moved[i, k]
        kept, stats[q, 1], stats[q, 4] = restore_mass(new, old, h, count)
        stats[q, 3] = 0.0 if kept else 1.0
        scatter(new, direction, q * lanes, count, rho)


@njit(cache=True, nogil=True, error_model="numpy")
def _crossing(a, b, ring, early, late, one, two, moved):
    """moved = early F(one) + late F(two) per face, mass/area: what crosses it in the step."""
    n, lanes = one.shape
    for i in range(n if ring else n - 1):
        j = i + 1 if i < n - 1 else 0
        for k in range(lanes):
            flux = early * (a[i, k] * one[i, k] - b[i, k] * one[j, k])
            moved[i, k] = flux + late * (a[i, k] * two[i, k] - b[i, k] * two[j, k])


@njit(cache=True, nogil=True, error_model="numpy")
def _repaired(a, b, h, ring, dt, half, low, new, moved, anti, count):
    """Correct lines with negative cells, in `new` and `moved`.   anti : (n, LANES) scratch.  Returns cells touched."""
    n = new.shape[0]
    touched, none = 0, np.zeros(0)
    _crossing(a, b, ring, -0.5 * dt, -0.5 * dt, half, low, anti)
    for k in range(count):
        lowest = 0.0
        for i in range(n):
            lowest = min(lowest, new[i, k])
        if lowest < 0.0:
            for i in range(n):
                lower, anti[i, k] = -anti[i, k], moved[i, k] + anti[i, k]
                moved[i, k] = lower
            touched += correct_fluxes(low, anti, none, none, h, ring, 0.0, k, new)
            for i in range(n):
                moved[i, k] += anti[i, k]
    return touched
