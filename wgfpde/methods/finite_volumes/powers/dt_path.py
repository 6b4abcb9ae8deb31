"""A way to a step of a line that Newton's method does not find at once: its solutions over a rising dt.

    h (ρ(s) − ρ^n) + s dt ∂F(ρ(s)) = 0,     s from 1/stiffness to 1, each solution the first guess of the next

From data far off the solution (a point mass in a steep V, m = 8: dt κ p'/h² of 1e21) Newton's iterates pass through
states that are like neither, and whether they arrive hangs on rounding: a line was solved, and its mirror image cut
into steps of other sizes.  Along the way each guess is near its solution, and a hundred iterations lead to the end.  s
grows by a factor that is squared after a solve and rooted after a failure.

The limited mobilities are no monotone function of ρ, and a way may end in a fold at some s < 1.  The line is then
taken to ρ(s), a whole step of size s dt, and goes on from there for the rest of dt: two steps of first order, each of
which keeps mass, sign and energy law, on that line alone.  Lines with exits are not cut.

All this is for lines that Newton's method has failed on; what it solves keeps its bits.  A line walks alone, so that
the others in its block do not count.
Reference: Deuflhard (2011), Newton Methods for Nonlinear Problems, chapter 5 (continuation).
"""

from __future__ import annotations

import math

from ....base.kernel_cache import njit
from .newton_moves import coupling, lift

LANE, PART, REACHED, FACTOR, TRIES, REST, CUTS = range(7)
"""Places in a road: the lane that walks (−1: all of them, at once), s, the last s that was solved, its factor, tries,
what is left of 1 after a cut, and how many lines were cut."""
NEW, FLUX, DATA, FOUND, FOUND_FLUX, SPENT = range(6)
"""Blocks that are kept: what is solved of all lanes with its fluxes; of the one that walks its data, its last solution
with its fluxes, and what passed before a cut."""
FIRST_FACTOR, LARGEST_FACTOR, LEAST_FACTOR = 1e2, 1e4, 1.01
BACK = 1e-3
"""Of s, where not even the first is solved."""
MOST_TRIES = 60


@njit(cache=True, nogil=True, error_model="numpy")
def set_out(road, idle):
    """Begin with all lanes at once, and s = 1."""
    road[LANE], road[PART], road[CUTS] = -1.0, 1.0, 0.0
    for k in range(idle.shape[0]):
        idle[k] = False


@njit(cache=True, nogil=True, error_model="numpy")
def goes_on(
    road, kept, outcome, old, phi, new, flux, drain, saved, opened, dt, geometry, law, count, idle, stuck, left_over
):
    """Whether something is left to solve after `euler`, and if so what: road[PART], `idle`, the guess in `new`, and
    after a cut the data in `old`.

    road : (7,).   kept : (6, n, lanes).   outcome : (2, lanes).   drain, saved : (3, n or 1, lanes), what leaves by
    exits.   dt : of the step.   When all is done old is what it was, and new, flux, drain, stuck, left_over are those
    of every lane.
    """
    if road[LANE] < 0.0:
        some = False
        for k in range(count):
            some = some or stuck[k]
        if not some:
            return False
        for k in range(count):
            _keep(kept, outcome, new, flux, drain, saved, stuck[k], left_over[k], k)
    else:
        k = int(road[LANE])
        if _walks(road, kept, old, phi, new, flux, opened, dt, geometry, law, stuck[k], k):
            return True
        stuck[k] = stuck[k] or road[PART] != road[REST]  # no more tries, and dt was not reached
        _finish(road, kept, old, new, flux, stuck[k], k)
        if not stuck[k]:
            _keep(kept, outcome, new, flux, drain, saved, False, left_over[k], k)
    for k in range(int(road[LANE]) + 1, count):
        if outcome[0, k] > 0.0:
            for other in range(count):
                idle[other] = other != k
            road[LANE], road[REST] = k, 1.0
            for i in range(new.shape[0]):
                kept[DATA, i, k], kept[SPENT, i, k] = old[i, k], 0.0
            _begin(road, kept, old, phi, new, dt, geometry, law, k)
            return True
    for k in range(count):
        for i in range(new.shape[0]):
            new[i, k], flux[i, k] = kept[NEW, i, k], kept[FLUX, i, k]
        for kind in range(3):
            for i in range(drain.shape[1]):
                drain[kind, i, k] = saved[kind, i, k]
        stuck[k], left_over[k] = outcome[0, k] > 0.0, outcome[1, k]
    return False


@njit(cache=True, nogil=True, error_model="numpy")
def _walks(road, kept, old, phi, new, flux, opened, dt, geometry, law, failed, k):
    """One try is over: whether lane k goes on, at another s or after a cut."""
    road[TRIES] += 1.0
    if not failed:
        if road[PART] == road[REST]:
            return False
        for i in range(new.shape[0]):
            kept[FOUND, i, k], kept[FOUND_FLUX, i, k] = new[i, k], flux[i, k]
        road[REACHED], road[FACTOR] = road[PART], min(road[FACTOR] ** 2, LARGEST_FACTOR)
    elif road[REACHED] > 0.0:
        road[FACTOR] = math.sqrt(road[PART] / road[REACHED])
    if road[TRIES] >= MOST_TRIES or road[PART] == 0.0:
        return False
    if road[REACHED] == 0.0:
        road[PART] *= BACK
        _guess(kept, old, new, law[1], k, False)
    elif road[FACTOR] < LEAST_FACTOR:
        if opened:
            return False
        _cut(road, kept, old, k)
        _begin(road, kept, old, phi, new, dt, geometry, law, k)
    else:
        road[PART] = min(road[REACHED] * road[FACTOR], road[REST])
        _guess(kept, old, new, law[1], k, True)
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def _cut(road, kept, old, k):
    """Take lane k to what was reached."""
    if road[REST] == 1.0:
        road[CUTS] += 1.0
    for i in range(old.shape[0]):
        old[i, k] = kept[FOUND, i, k]
        kept[SPENT, i, k] += road[REACHED] * kept[FOUND_FLUX, i, k]
    road[REST] -= road[REACHED]


@njit(cache=True, nogil=True, error_model="numpy")
def _begin(road, kept, old, phi, new, dt, geometry, law, k):
    """From the data of lane k, at the least s."""
    if road[REST] == 1.0:
        road[TRIES] = 0.0
    road[REACHED], road[FACTOR] = 0.0, FIRST_FACTOR
    road[PART] = min(_first_part(old, phi, dt, geometry, law, k), road[REST])
    _guess(kept, old, new, law[1], k, False)


@njit(cache=True, nogil=True, error_model="numpy")
def _finish(road, kept, old, new, flux, failed, k):
    """The data of lane k as they were, and its fluxes those of all that it took."""
    for i in range(new.shape[0]):
        old[i, k] = kept[DATA, i, k]
        if not failed:
            flux[i, k] = kept[SPENT, i, k] + road[PART] * flux[i, k]


@njit(cache=True, nogil=True, error_model="numpy")
def _keep(kept, outcome, new, flux, drain, saved, failed, left_over, k):
    """Put what was found of lane k aside."""
    for i in range(new.shape[0]):
        kept[NEW, i, k], kept[FLUX, i, k] = new[i, k], flux[i, k]
    for kind in range(3):
        for i in range(drain.shape[1]):
            saved[kind, i, k] = drain[kind, i, k]
    outcome[0, k], outcome[1, k] = 1.0 if failed else 0.0, left_over


@njit(cache=True, nogil=True, error_model="numpy")
def _guess(kept, old, new, m, k, known):
    """The first guess of lane k: its last solution, or its data."""
    for i in range(new.shape[0]):
        new[i, k] = kept[FOUND, i, k] if known else old[i, k]
    lift(new, old, m, k + 1)


@njit(cache=True, nogil=True, error_model="numpy")
def _first_part(old, phi, dt, geometry, law, k):
    """The s of a step in which lane k moves about as much as it holds: ½/(1 + dt (κ p' + |ΔΦ|)/h²), p' at its top."""
    h, across, ring = geometry
    kappa, m = law
    n = old.shape[0]
    top, stiff = 0.0, 0.0
    for i in range(n):
        top = max(top, old[i, k])
    for i in range(n):
        j = i + 1 if i < n - 1 else 0
        jump = abs(phi[j, k] - phi[i, k]) if i < n - 1 or ring else 0.0
        speed = kappa[k] * m * top ** (m - 1.0) + jump
        stiff = max(stiff, dt * speed * coupling(across, i, k, n, ring) / h[i])
    return 0.5 / (1.0 + stiff)
