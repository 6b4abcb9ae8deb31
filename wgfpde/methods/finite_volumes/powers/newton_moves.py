"""How Newton's method for power laws (module `power_newton`) moves, and where it starts.

m ≥ 2 moves along ρ, projected on 0 ≤ ρ_i ≤ mass/h_i; m < 2 along ln ρ, down by at most e^−2 a time and up linearly.

For m > 3 the variable is s(ρ), with s = ρ up to the turn ρ* and s = ρ* + (p − p*)/p'(ρ*) above, where

    dt p'(ρ*) (1/d_{i−½} + 1/d_{i+½}) = h_i,      p = κ ρ^m:

below h ρ outweighs the fluxes, above they do, and each is linear in its variable.  Along ρ alone a density far above
ρ* falls by 1/m of itself an iteration: 100 of them for m = 100.
Reference: Brenner, Cancès (2017), SIAM J. Numer. Anal. 55, 1760, arXiv 1607.01508 (switching variables, for
Richards' equation).

Shapes: fields (n, lanes).
"""

from __future__ import annotations

import math

from ....base.kernel_cache import njit
from ....linear.lines import at, differ, live

STEEP = 3.0
"""Exponent above which Newton moves along p where that is stiff: along ρ it falls by 1/m a time from above."""
RUNNING, DONE, FAILED = 0, 1, 2


@njit(cache=True, nogil=True, error_model="numpy")
def move(new, base, step, res, h, m, count, status, fresh, damp, moved, mass):
    """Newton's move on the lanes that run: a fresh step, or the last one shortened.

    No cell of a solution holds more than the mass of its line, and none of an iterate does.
    """
    n = new.shape[0]
    for k in range(live(count)):
        moved[k] = 0.0
    if m >= 2.0:  # selections in place of branches, so that lanes go side by side
        for i in range(n):
            for k in range(live(count)):
                here = new[i, k]
                start = here if fresh[k] else base[i, k]
                direction = res[i, k] if fresh[k] else step[i, k]
                end = min(max(start + damp[k] * direction, 0.0), mass[k] / h[i])
                end = end if status[k] == RUNNING else here
                base[i, k], step[i, k], new[i, k] = start, direction, end
                moved[k] += h[i] * abs(end - start)
        return
    for i in range(n):
        for k in range(live(count)):
            if fresh[k]:
                base[i, k] = new[i, k]
                step[i, k] = res[i, k]
            if status[k] == RUNNING:
                move = damp[k] * step[i, k]
                if move < 0.0:
                    new[i, k] = base[i, k] * math.exp(max(move, -2.0))
                else:
                    new[i, k] = min(base[i, k] * (1.0 + move), mass[k] / h[i])
                moved[k] += h[i] * abs(new[i, k] - base[i, k])


@njit(cache=True, nogil=True, error_model="numpy")
def move_steep(new, base, step, res, dt, geometry, law, count, status, fresh, damp, moved, mass):
    """As `move`, for steep powers: along ρ where h outweighs dt p'/d, and along p where dt p'/d outweighs h."""
    h, across, ring = geometry
    kappa, m = law
    n = new.shape[0]
    for k in range(live(count)):
        moved[k] = 0.0
    for i in range(n):
        couple = coupling(across, i, 0, n, ring)
        for k in range(live(count)):
            if status[k] != RUNNING:
                continue
            if differ(across):
                couple = coupling(across, i, k, n, ring)
            if fresh[k]:
                base[i, k], step[i, k] = new[i, k], res[i, k]
            turn = math.exp((math.log(h[i] / couple) - math.log(dt) - math.log(kappa[k] * m)) / (m - 1.0))
            end = _bent(base[i, k], damp[k] * step[i, k], turn, m)
            new[i, k] = min(end, mass[k] / h[i])
            moved[k] += h[i] * abs(new[i, k] - base[i, k])


@njit(cache=True, nogil=True, error_model="numpy")
def coupling(across, i, k, n, ring):
    """The sum of the conductances of both faces of a cell."""
    couple = at(across, i, k) if i < n - 1 or ring else 0.0
    return couple + (at(across, i - 1, k) if i > 0 else (at(across, n - 1, k) if ring else 0.0))


@njit(cache=True, nogil=True, error_model="numpy")
def _bent(rho, move, turn, m):
    """ρ after the move dρ along s(ρ) = ρ up to `turn` and turn + (ρ^m − turn^m)/(m turn^{m−1}) above; ≥ 0."""
    if rho <= turn:
        s = rho + move
        return max(s, 0.0) if s <= turn else turn * (1.0 + m * (s / turn - 1.0)) ** (1.0 / m)
    ratio = (rho / turn) ** m
    lifted = 1.0 + m * (move / rho)
    if lifted > 0.0 and ratio * lifted >= 1.0:
        return rho * lifted ** (1.0 / m)
    return max(turn * (1.0 + (ratio * lifted - 1.0) / m), 0.0)


@njit(cache=True, nogil=True, error_model="numpy")
def lift(guess, old, m, count):
    """For m < 2 lift a first guess off vacuum, where ln ρ does not live; Newton brings it down again."""
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
