"""Sweeps for power-law energies: second-order time steps built from backward Euler solves (module `power_newton`).

SDIRK2, γ = 1 − 1/√2, on every line whose second stage has non-negative data,

    Y = ρ^n + γ dt L(Y),    ρ* = z + γ dt L(ρ*),    z = ρ^n + (1−γ)/γ (Y − ρ^n) ≥ 0,

so that both solves have non-negative data and ρ* ≥ 0 by itself.  Elsewhere (cells that empty fast, and guarded steps)
extrapolated backward Euler 2ρ_{dt/2,dt/2} − ρ_dt, repaired toward ρ_{dt/2,dt/2} (module `limiter`).  SDIRK2 takes two
solves instead of three and its error is some three times smaller.  Each line chooses for itself, whatever lines share
its block, and cells of nothing have no say: where z lacks NOISE of the line's mass, which is its rounding, the fluxes
that it is made of are limited.  So symmetric data stay symmetric.  A line that Newton's method does not solve goes over
steps that rise to dt (module `dt_path`).  A block of which only some lines take SDIRK2 is solved by both: five solves.
Reference: Alexander (1977), DOI 10.1137/0714068; Bailo, Carrillo, Hu (2020), DOI 10.4310/CMS.2020.v18.n5.a5 (implicit
energy-stable sweeps); Hairer, Wanner (1996), Solving ODEs II, sec. IV.9 (extrapolation).

Each line is scaled by a power of two to a maximum in [1, 2), κ by the matching power, so that ρ^m does not underflow;
not for m > 900, where 2^m would overflow.
"""

from __future__ import annotations

import math

import numpy as np

from ....base.kernel_cache import njit
from ....energy.laws.law import POWER
from ....linear.lines import gather, live, of_block, some_of
from ..limiter import EPS, TINY, UNTOLD, correct_fluxes, dissipate, restore_mass, restore_with
from ..linear_sweep import GAMMA
from .dt_path import CUTS, PART, goes_on, set_out
from .newton_moves import lift
from .power_newton import SCRATCH, euler

# the blocks of a sweep's state, and the stages of a step
OLD, POTENTIAL, RESULT, DATA, LOW, FLUX, FLUX_HALF, FLUX_FULL, SDIRK, ASIDE = range(10)
EULER, FIRST, SECOND, WHOLE, HALF, FULL, END = range(7)
# what left in the stages, and with the results of SDIRK2 and of extrapolation
PLAIN, HALVED, FULLY, TAKEN, KEPT, ASIDE_DRAIN = range(6)
SLOTS = (PLAIN, PLAIN, TAKEN, PLAIN, HALVED, FULLY)


NOISE = 4.0 * EPS
"""Of the mass of a line: cells of z that lack no more do not decide by which rule the line goes."""
UNSCALED = 900.0
"""Exponent above which lines are left as they are: 2^m would overflow, and ρ^m is as good as 0 for ρ < ½."""


@njit(cache=True, nogil=True, error_model="numpy")
def power_sweep(
    first, last, rho, phi, direction, h, across, ring, opened, inverse_d, rise, decay, gone, dt, order, guard, kappa, m,
    width, stats,
):  # fmt: skip
    """Advance lines of blocks first … last by dt along `direction`, in place; rho, phi (ny, nx).

    h : volumes.   across : conductances of the faces (module `lines`).
    opened : whether mass leaves; then inverse_d, rise (blocks, 2, n, lanes) and decay (blocks, n, lanes) as
    `power_newton.lose` takes them, and gone (blocks, 3, n, lanes) out, the mass that left by each kind of exit; else of
    one place each.
    order : 1 backward Euler, 2 as above.   guard : also keep every line's energy from rising.
    width : lanes of a block, None for one (`lines.live`).
    stats : (blocks, 5) out: repaired cells, ‖R‖₁ left by Newton, its iterations, failed, mass of the lines.
    """
    n, lanes = h.shape[0], live(width)
    lines = rho.shape[0] if direction == 1 else rho.shape[1]
    work = np.zeros((SCRATCH, n, lanes))
    extra = np.zeros((2, n if ring else 1, lanes))
    state = np.zeros((ASIDE + 6, n, lanes))
    old, potential, result = state[OLD], state[POTENTIAL], state[RESULT]
    scale, strength = np.ones(lanes), np.ones(lanes)
    left_over, residue = np.zeros(lanes), np.zeros(lanes)
    stuck, chosen, idle = np.zeros(lanes, np.bool_), np.zeros(lanes, np.bool_), np.zeros(lanes, np.bool_)
    road, outcome = np.zeros(7), np.zeros((2, lanes))
    drains, room = np.zeros((6, 3, n if opened else 1, lanes)), np.zeros((5, n if opened else 1, lanes))
    for q in range(first, last):
        count = min(lanes, lines - q * lanes)
        gather(rho, direction, q * lanes, count, old)
        if _empty(old, count):  # nothing to move, and the fluxes of vacuum are zero
            for k in range(5):
                stats[q, k] = 0.0
            if opened:
                for kind in range(3):
                    for i in range(n):
                        for k in range(lanes):
                            gone[q, kind, i, k] = 0.0
            continue
        gather(phi, direction, q * lanes, count, potential)
        _scale_lines(old, potential, count, kappa, m, scale, strength)
        geometry, law = (h, of_block(across, q), ring), (strength, m)
        place = q if opened else 0
        exits = opened, inverse_d[place], rise[place], decay[place], room
        touched, steps = 0, 0
        for k in range(lanes):
            left_over[k] = 0.0
            chosen[k] = False
        stage = EULER if order == 1 else (WHOLE if guard else FIRST)
        while stage != END:  # one call of euler for all stages: it is large, and would be compiled once a call
            source, target, fluxes, span = _set_up(stage, state, count, m)
            drain = drains[SLOTS[stage]]
            set_out(road, idle)
            walks = True
            while walks:
                steps += euler(
                    state[source], potential, state[target], state[fluxes], road[PART] * (span * dt), geometry, law,
                    exits, drain, some_of(width, count), idle, work, extra, residue, stuck,
                )  # fmt: skip
                walks = goes_on(
                    road, state[ASIDE:], outcome, state[source], potential, state[target], state[fluxes], drain,
                    drains[ASIDE_DRAIN], opened, span * dt, geometry, law, count, idle, stuck, residue,
                )  # fmt: skip
            touched += n * int(road[CUTS])
            if stage == FULL:
                touched += _combine(state, dt, geometry, law, count, guard, chosen, opened, drains)
            if opened:
                _drain(stage, dt, count, drains)
            if stage == FIRST:
                touched += _second_data(state, dt, geometry, opened, count, chosen, stuck)
            stage = _next(stage, state, count, chosen, stuck, residue, left_over)
        failed = False
        for k in range(count):
            failed = failed or stuck[k]
        if opened:
            for kind in range(3):
                for i in range(n):
                    for k in range(count):
                        use = TAKEN if chosen[k] else (KEPT if order == 2 else PLAIN)
                        gone[q, kind, i, k] = drains[use, kind, i, k]
            kept = restore_with(result, old, gone[q], h, count)
        else:
            kept, _, _ = restore_mass(result, old, h, count)
        failed = failed or not kept
        stats[q, 0] = touched
        stats[q, 2] = steps
        stats[q, 3] = 1.0 if failed else 0.0
        stats[q, 1], stats[q, 4] = 0.0, 0.0
        for k in range(count):
            stats[q, 1] += scale[k] * left_over[k]
            for i in range(n):
                stats[q, 4] += scale[k] * h[i] * old[i, k]
        if opened:
            for kind in range(3):
                for i in range(n):
                    for k in range(count):
                        gone[q, kind, i, k] *= scale[k]
        for i in range(n):
            for k in range(count):
                if scale[k] > 0.0:
                    if direction == 1:
                        rho[q * lanes + k, i] = scale[k] * result[i, k]
                    else:
                        rho[i, q * lanes + k] = scale[k] * result[i, k]


@njit(cache=True, nogil=True, error_model="numpy")
def _empty(block, count):
    """Whether the lines of a block hold (next to) no mass: lines that `_scale_lines` would leave as they are."""
    for i in range(block.shape[0]):
        for k in range(count):
            if block[i, k] >= TINY or block[i, k] != block[i, k]:
                return False
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def _scale_lines(old, potential, count, kappa, m, scale, strength):
    """Scale each lane to a maximum in [1, 2).  A line of (next to) vacuum gets scale 0 and a dummy to solve."""
    n = old.shape[0]
    for k in range(count):
        top = 0.0
        for i in range(n):
            top = max(top, old[i, k])
        if top < TINY:
            scale[k], strength[k] = 0.0, kappa
            for i in range(n):
                old[i, k] = 1.0
                potential[i, k] = 0.0
            continue
        scale[k] = 2.0 ** math.floor(math.log2(top)) if m <= UNSCALED else 1.0
        strength[k] = kappa * scale[k] ** (m - 1.0)
        for i in range(n):
            old[i, k] /= scale[k]


@njit(cache=True, nogil=True, error_model="numpy")
def _set_up(stage, state, count, m):
    """First guess of a stage; returns (source, target, fluxes) as indices into state and the step relative to dt."""
    source, target, fluxes, span = OLD, RESULT, FLUX, 1.0
    if stage == FIRST:
        span = GAMMA
    elif stage == SECOND:
        source, span = DATA, GAMMA
    elif stage == HALF:
        target, fluxes, span = DATA, FLUX_HALF, 0.5
    elif stage == FULL:
        source, target, fluxes, span = DATA, LOW, FLUX_FULL, 0.5
    for i in range(state.shape[1]):
        for k in range(count):
            old, new = state[OLD, i, k], state[RESULT, i, k]
            if stage == SECOND:
                guess = max(old + (new - old) / GAMMA, 0.0)
            elif stage == HALF:
                guess = 0.5 * (old + new)
            else:
                guess = new if stage == FULL else old
            state[target, i, k] = guess
    lift(state[target], state[source], m, count)
    return source, target, fluxes, span


@njit(cache=True, nogil=True, error_model="numpy")
def _second_data(state, dt, geometry, opened, count, chosen, stuck):
    """The data z of the second stage, where they are not negative but for NOISE; else ρ^n, which is not used.

    z = ρ^n − (1−γ) dt ∂F(Y); where cells are below 0 its fluxes are limited against ρ^n (module `limiter`), not where
    mass leaves.   chosen : (lanes,) out, the lanes that take SDIRK2.   Returns the number of limited cells.
    """
    old, new, data, flux, anti = state[OLD], state[RESULT], state[DATA], state[FLUX], state[FLUX_HALF]
    h, _, ring = geometry
    touched, nothing = 0, np.zeros(0)
    for k in range(count):
        missing, mass = 0.0, 0.0
        for i in range(old.shape[0]):
            data[i, k] = old[i, k] + (1.0 - GAMMA) / GAMMA * (new[i, k] - old[i, k])
            missing += h[i] * max(-data[i, k], 0.0)
            mass += h[i] * old[i, k]
        chosen[k] = not stuck[k] and missing <= (0.0 if opened else NOISE * mass)
        if not chosen[k]:  # solved along with the others
            for i in range(old.shape[0]):
                data[i, k] = old[i, k]
                new[i, k] = old[i, k]
        elif missing > 0.0:
            for i in range(old.shape[0]):
                anti[i, k] = (1.0 - GAMMA) * dt * flux[i, k]
            touched += correct_fluxes(old, anti, nothing, nothing, h, ring, UNTOLD, k, data)
    return touched


@njit(cache=True, nogil=True, error_model="numpy")
def _next(stage, state, count, chosen, stuck, residue, left_over):
    """The stage that follows: extrapolation where SDIRK2 fails or its second stage would have negative data.

    chosen : (lanes,), the lanes that take SDIRK2; their result is kept in state[SDIRK] while the others go on.
    stuck : (lanes,), cleared of failures that extrapolation makes good.   left_over : (lanes,), raised to `residue`.
    """
    new = state[RESULT]
    if stage == FIRST:
        some = False
        for k in range(count):
            some = some or chosen[k]
            stuck[k] = False
            if chosen[k]:
                left_over[k] = residue[k]
        return SECOND if some else WHOLE
    if stage == SECOND:
        left = False
        for k in range(count):
            chosen[k] = chosen[k] and not stuck[k]
            left = left or not chosen[k]
            left_over[k] = max(left_over[k], residue[k]) if chosen[k] else 0.0
        for k in range(count):
            stuck[k] = False
            if left:
                for i in range(new.shape[0]):
                    state[SDIRK, i, k] = new[i, k]
        return WHOLE if left else END
    some = False
    for k in range(count):
        stuck[k] = stuck[k] and not chosen[k]
        some = some or stuck[k]
        if not chosen[k]:
            left_over[k] = max(left_over[k], residue[k])
    if some or stage in (EULER, FULL):
        return END
    return HALF if stage == WHOLE else FULL


@njit(cache=True, nogil=True, error_model="numpy")
def _combine(state, dt, geometry, law, count, guard, chosen, opened, drains):
    """Extrapolate, 2ρ_{dt/2,dt/2} − ρ_dt, and repair, into state[RESULT]; lanes that chose SDIRK2 get theirs back.

    drains : what left by exits in each stage; into KEPT what leaves with the result.   Returns the number of repaired
    cells.
    """
    old, potential, new, low = state[OLD], state[POTENTIAL], state[RESULT], state[LOW]
    flux, flux_half, flux_full = state[FLUX], state[FLUX_HALF], state[FLUX_FULL]
    h, _, ring = geometry
    n = old.shape[0]
    touched, nothing = 0, np.zeros(0)
    for i in range(n):
        for k in range(count):
            flux[i, k] = 0.5 * dt * (flux_half[i, k] + flux_full[i, k]) - dt * flux[i, k]
            new[i, k] = 2.0 * low[i, k] - new[i, k]
    for k in range(count):
        if chosen[k]:
            for i in range(n):
                new[i, k] = state[SDIRK, i, k]
            continue
        lowest = 0.0
        for i in range(n):
            lowest = min(lowest, new[i, k])
        if opened:
            touched += _combine_drains(low, flux, drains, dt, h, ring, k, lowest, new)
        elif lowest < 0.0:
            touched += correct_fluxes(low, flux, nothing, nothing, h, ring, UNTOLD, k, new)
        if guard and dissipate(new, low, old, potential, h, POWER, law[0][k], law[1], k):
            touched += n
    return touched


@njit(cache=True, nogil=True, error_model="numpy")
def _drain(stage, dt, count, drains):
    """After a stage of SDIRK2, or of order 1, the mass that leaves with its result: into TAKEN, or in place."""
    for kind in range(3):
        for i in range(drains.shape[2]):
            for k in range(count):
                if stage == EULER:
                    drains[PLAIN, kind, i, k] *= dt
                elif stage == SECOND:
                    both = (1.0 - GAMMA) * drains[PLAIN, kind, i, k] + GAMMA * drains[TAKEN, kind, i, k]
                    drains[TAKEN, kind, i, k] = dt * both


@njit(cache=True, nogil=True, error_model="numpy")
def _combine_drains(low, flux, drains, dt, h, ring, k, lowest, new):
    """What leaves with an extrapolated lane, 2 L − W of two half steps and the whole one, by kind, into KEPT.

    Where cells, or what leaves them, would be negative the lane is repaired.   Returns the number of limited cells.
    """
    n = low.shape[0]
    drain, drained = np.zeros(n), np.zeros(n)
    least, limited = 0.0, 0
    for i in range(n):
        for kind in range(3):
            two = 0.5 * dt * (drains[HALVED, kind, i, k] + drains[FULLY, kind, i, k])
            drained[i] += two
            drain[i] += two - dt * drains[PLAIN, kind, i, k]
            least = min(least, 2.0 * two - dt * drains[PLAIN, kind, i, k])
    if lowest < 0.0 or least < 0.0:
        limited = correct_fluxes(low, flux, drain, drained, h, ring, UNTOLD, k, new)
    for i in range(n):
        for kind in range(3):
            two = 0.5 * dt * (drains[HALVED, kind, i, k] + drains[FULLY, kind, i, k])
            if lowest < 0.0 or least < 0.0:
                drains[KEPT, kind, i, k] = (drained[i] + drain[i]) * (two / drained[i]) if drained[i] > 0.0 else 0.0
            else:
                drains[KEPT, kind, i, k] = 2.0 * two - dt * drains[PLAIN, kind, i, k]
    return limited
