"""Implicit sweeps with fluxes linear in the density (module `rates`).

On each grid line, with rates a, b ≥ 0 given by the potential Φ,

    h_i dρ_i/dt + F_{i+½} − F_{i−½} = 0,     F_{i+½} = a_i ρ_i − b_i ρ_{i+1}.

First order: backward Euler, an M-matrix with column sums h: mass, ρ ≥ 0, energy decay and Gibbs for every dt.
Second order: SDIRK2, γ = 1 − 1/√2, one factorisation for both stages,

    Y = ρ^n + γ dt L Y,    ρ* = ρ^n + (1−γ)/γ (Y − ρ^n) + γ dt L ρ*,

L-stable but not positive for every dt; lines with a negative cell (and, with `guard`, lines whose energy rises) are
repaired against two backward Euler steps of dt/2 (module `limiter`).

Where mass passes the ends of a line or decays, dt k ≥ 0 adds to the column sums and dt g ≥ 0 to the data: an M-matrix
still, so that ρ ≥ 0 for every dt, and 1ᵀhρ' + dt Σ k ρ̄ = 1ᵀhρ + dt Σ g with the mean density ρ̄ = (1−γ) Y + γ ρ*.
Reference: Alexander (1977), DOI 10.1137/0714068.
"""

from __future__ import annotations

import math

import numpy as np

from ...base.kernel_cache import njit
from ...energy.laws.law import ENTROPY
from ...linear.fused_solves import two_solves, two_solves_around
from ...linear.lines import alone, as_block, closes, gather, lanes_of, scatter
from ...linear.rows import choose, filled, least, positive, put, row, total
from ...linear.tridiagonal import factor, solve
from .limiter import EPS, TINY, contract, correct_fluxes, dissipate, passes, restore_account

GAMMA = 1.0 - math.sqrt(0.5)
SUMS = 3


@njit(cache=True, nogil=True, error_model="numpy")
def sweep(
    first, last, rho, phi, direction, a, b, h, ring, pivots, known, exits, dt, order, guard, code, kappa, out, stats
):  # fmt: skip
    """Advance lines of blocks first … last by dt along `direction`, from rho into out (ny, nx); may be the same array.

    a, b : (blocks, n, LANES), of a line alone (1, n).   ring : whether the lines close, None where those of no axis do.
    pivots : as a, out, 1/D on lines that neither close nor let mass pass; `known` where they are in it, from a sweep
    with the same rates and dt; or of no place.
    order : 1 backward Euler, 2 SDIRK2 with repair.   guard : also keep every line's energy from rising.
    exits : None where no mass passes on any axis, else (rows, loss, gain, mean).   rows : the cells i of lines where it
    does, on some line.   loss, gain : (blocks, n, LANES) k and g, where there are any, else of one place.   mean : as
    loss, out, ρ̄ in these rows.
    stats : (blocks, 5) out: repaired cells, mass defect, 0, failed, mass of the lines.

    What is None and how many axes an array has is known when this is compiled: what a flow does not need is not
    compiled for it.
    """
    n, lanes, opened = h.shape[0], lanes_of(a), passes(exits)
    lines = rho.shape[0] if direction == 1 else rho.shape[1]
    work = np.zeros((10, n, lanes))
    wrap = np.zeros((2, n if closes(ring) else 1, lanes))
    old, potential, stage, new, half, low = work[4], work[5], work[6], work[7], work[8], work[9]
    if exits is not None:
        for i in range(n):
            for k in range(lanes):
                work[SUMS, i, k] = h[i]
    for q in range(first, last):
        count = min(lanes, lines - q * lanes)
        gather(rho, direction, q * lanes, count, old)
        stats[q, 0] = 0.0
        for attempt in range(2):  # the wanted step; then, where lines need repair, two backward Euler steps of dt/2
            span, weight = 0.5 * dt, 1.0
            if attempt == 0:
                span, weight = (dt, 0.0) if order == 1 else (GAMMA * dt, (1.0 - GAMMA) / GAMMA)
            one, two = (stage, new) if attempt == 0 else (half, low)
            held = attempt == 0 and pivots.shape[0] > 0
            inverses = as_block(pivots[q]) if held else work[2]
            negative = _two_solves(
                a[q], b[q], exits, q, span, weight, h, ring, old, inverses, held and known, work, wrap, one, two
            )
            if order == 1 or not (guard or negative):
                break
        if exits is not None:
            _mean(exits, q, 0.0 if order == 1 else 1.0 - GAMMA, stage, new)
        if attempt == 1:
            if guard or opened:
                gather(phi, direction, q * lanes, count, potential)
            stats[q, 0] = _repair(
                old, stage, new, half, low, potential, a[q], b[q], exits, q, h, ring, dt, guard, code, kappa, count,
                work,
            )  # fmt: skip
        kept, stats[q, 1], stats[q, 4] = restore_account(new, old, exits, q, h, dt, count)
        stats[q, 3] = 0.0 if kept else 1.0
        scatter(new, direction, q * lanes, count, out)


@njit(cache=True, nogil=True, error_model="numpy")
def _two_solves(a, b, exits, q, span, weight, h, ring, old, inverses, known, work, wrap, one, two):
    """A one = h old and A two = h (old + weight (one − old)) with A = h + span·L; two = one for weight 0.

    SDIRK2 and two backward Euler steps (weight 1) are both of this form.   work[SUMS] = h where mass may pass.
    inverses, known : 1/D, as `two_solves` takes them.   work, wrap : scratch.
    Where mass passes, A = h + span·(L + loss), and span·gain is added on the right.   Returns whether a number of `two`
    is below 0.
    """
    if exits is None:
        return _closed_solves(a, b, span, weight, h, ring, old, inverses, known, wrap, one, two)
    if exits[0].shape[0] == 0:
        return _closed_solves(a, b, span, weight, h, ring, old, inverses, known, wrap, one, two)
    return _open_solves(as_block(a), as_block(b), exits, q, span, weight, h, closes(ring), old, work, wrap, one, two)


@njit(cache=True, nogil=True, error_model="numpy")
def _closed_solves(a, b, span, weight, h, ring, old, g, known, wrap, one, two):
    """`_two_solves` where no mass passes, by rows of LANES lines or by the numbers of one."""
    u, v = wrap[0], wrap[1]
    if a.ndim == 1:
        old, g, u, v, one, two = alone(old), alone(g), alone(u), alone(v), alone(one), alone(two)
    if ring is None or not ring:
        return two_solves(a, b, span, weight, h, old, g, known, one, two)
    return two_solves_around(a, b, span, weight, h, old, g, u, v, one, two)


@njit(cache=True, nogil=True, error_model="numpy")
def _open_solves(a, b, exits, q, span, weight, h, ring, old, work, wrap, one, two):
    """`_two_solves` where it does."""
    n, lanes = old.shape
    rows, loss, gain = exits[0], exits[1][q], exits[2][q]
    e, f, g, u, v = work[0], work[1], work[2], wrap[0], wrap[1]
    for i in rows:
        for k in range(lanes):
            work[SUMS, i, k] = h[i] + span * loss[i, k]
    factor(a, b, span, work[SUMS], ring, e, f, g, u, v)
    for stage in range(2 if weight > 0.0 else 1):
        for i in range(n):
            for k in range(lanes):
                start = old[i, k]
                if stage == 1:
                    first = two[i, k]
                    one[i, k] = first
                    start = first if weight == 1.0 else start + weight * (first - start)
                two[i, k] = h[i] * start
        for i in rows:
            for k in range(lanes):
                two[i, k] += span * gain[i, k]
        solve(e, f, g, u, v, ring, two)
    return _negative(two)


@njit(cache=True, nogil=True, error_model="numpy")
def _mean(exits, q, weight, stage, new):
    """The mean density ρ̄ = weight·stage + (1 − weight)·new of block q, where mass passes, into exits."""
    if exits[0].shape[0] == 0:
        return
    rows, mean = exits[0], exits[3][q]
    for i in rows:
        for k in range(mean.shape[1]):
            mean[i, k] = weight * stage[i, k] + (1.0 - weight) * new[i, k] if weight > 0.0 else new[i, k]


@njit(cache=True, nogil=True, error_model="numpy")
def _negative(block):
    """Whether any entry is below zero."""
    for i in range(block.shape[0]):
        for k in range(block.shape[1]):
            if block[i, k] < 0.0:
                return True
    return False


@njit(cache=True, nogil=True, error_model="numpy")
def _repair(old, stage, new, half, low, potential, a, b, exits, q, h, ring, dt, guard, code, kappa, count, work):
    """Make the lines of one block non-negative and, with guard, dissipative.  Returns the number of cells touched.

    stage, new : Y and ρ* of SDIRK2.   half, low : the two backward Euler steps.   a, b : (n, lanes) rates.
    exits : what passes the lines is limited with the fluxes.   work : its first places are scratch.
    """
    around, opened = closes(ring), passes(exits)
    if not (guard or opened):
        return _correct_all(a, b, stage, new, half, low, work[0], work[1], h, around, dt)
    n, lanes = new.shape
    a, b, anti = as_block(a), as_block(b), np.zeros((n, lanes))
    drain, drained = np.zeros(n if opened else 0), np.zeros(n if opened else 0)
    touched = 0
    for i in range(n if around else n - 1):
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
            _drains(exits, q, half, low, dt, k, drain, drained)
            touched += correct_fluxes(low, anti, drain, drained, h, around, 0.0, k, new)
            if _let_go(exits, q, new, low, old, half, potential, h, dt, code, kappa, k, drain, drained):
                touched += n
        if guard and dissipate(new, low, old, potential, h, code, kappa, 1.0, k):
            touched += n
    return touched


@njit(cache=True, nogil=True, error_model="numpy")
def _drains(exits, q, half, low, dt, k, drain, drained):
    """What lane k of the two backward Euler steps lets go, (n,), and what that of SDIRK2 lets go more."""
    if exits is None:
        return
    if exits[0].shape[0] == 0:
        return
    rows, loss, mean = exits[0], exits[1][q], exits[3][q]
    for i in rows:
        drained[i] = 0.5 * dt * loss[i, k] * (half[i, k] + low[i, k])
        drain[i] = dt * loss[i, k] * mean[i, k] - drained[i]


@njit(cache=True, nogil=True, error_model="numpy")
def _let_go(exits, q, new, low, old, half, potential, h, dt, code, kappa, k, drain, drained):
    """Take ρ̄ of lane k from what it was let go, and keep ∫ρ²e^{Φ/κ} from rising.  Returns whether it had to."""
    if exits is None:
        return False
    if exits[0].shape[0] == 0:
        return False
    rows, loss, gain, mean = exits[0], exits[1][q], exits[2][q], exits[3][q]
    for i in rows:
        if loss[i, k] > 0.0:
            mean[i, k] = (drained[i] + drain[i]) / (dt * loss[i, k])
    if code != ENTROPY:
        return False
    return contract(new, low, old, mean, half, rows, gain, potential, h, kappa, k)


@njit(cache=True, nogil=True, error_model="numpy")
def _correct_all(a, b, stage, new, half, low, anti, share, h, ring, dt):
    """`correct_lanes` of a block as sweeps hold it."""
    if a.ndim == 1:
        stage, new, half, low = alone(stage), alone(new), alone(half), alone(low)
        anti, share = alone(anti), alone(share)
    return correct_lanes(a, b, stage, new, half, low, anti, share, h, ring, dt)


@njit(cache=True, nogil=True, error_model="numpy")
def correct_lanes(a, b, stage, new, half, low, anti, share, h, ring, dt):
    """`limiter.correct_fluxes` on every lane of a closed block that has a negative cell, side by side, with its bits.

    All but h are (n, LANES), or (n,) for a line alone; anti, share : scratch.   Returns how many cells were limited.
    """
    n = h.shape[0]
    lowest = row(new, 0)
    for i in range(n):
        j = i + 1 if i < n - 1 else 0
        forth, back = row(a, i), row(b, i)
        high = (1.0 - GAMMA) * (forth * row(stage, i) - back * row(stage, j))
        high = high + GAMMA * (forth * row(new, i) - back * row(new, j))
        lower = forth * (row(half, i) + row(low, i)) - back * (row(half, j) + row(low, j))
        put(anti, i, dt * (high - 0.5 * lower))
        lowest = least(lowest, row(new, i))
    if not ring:
        put(anti, n - 1, filled(anti, 0.0))
    left, limited = row(anti, n - 1), filled(anti, 0.0)
    for i in range(n):
        right = row(anti, i)
        leaving = positive(right) + positive(0.0 - left)
        room = (1.0 - 4.0 * EPS) * h[i] * row(low, i)
        part = choose(TINY, room, room / leaving, 0.0)
        put(share, i, choose(room, leaving, part, 1.0))
        limited = limited + choose(room, leaving, 1.0, 0.0)
        left = right
    left = row(anti, n - 1)
    left = left * choose(0.0, left, row(share, n - 1), row(share, 0))
    for i in range(n):
        right = row(anti, i)
        right = right * choose(0.0, right, row(share, i), row(share, i + 1 if i < n - 1 else 0))
        loss = positive(right) + positive(0.0 - left)
        gain = positive(0.0 - right) + positive(left)
        put(new, i, choose(lowest, 0.0, ((h[i] * row(low, i) - loss) + gain) / h[i], row(new, i)))
        left = right
    return int(total(choose(lowest, 0.0, limited, 0.0)))


def compile_repair(a, b, exits, h, ring, kappa, lanes):
    """Compile, or load, what `sweep` calls on blocks that need repair: a third of what it compiles.

    a, b, exits, h, ring, kappa : of a block of so many lanes, as `sweep` hands them on.
    """
    blocks = np.zeros((16, len(a), lanes))
    _repair(*blocks[:6], a, b, exits, 0, h, ring, 0.0, False, ENTROPY, kappa, 0, blocks[6:])


def compile_account(exits, h, lanes):
    """The same of what both a sweep and its repair need at their ends: first, so that only one process compiles it."""
    blocks = np.zeros((2, len(h), lanes))
    restore_account(blocks[0], blocks[1], exits, 0, h, 0.0, 0)
