"""The time loop of finite volumes as one kernel: step after step from a density, for as long as nothing is unusual.

A step is unusual where its solve fails, its energy would rise, or its size falls to rounding.  The loop then ends
before it, and the step is taken by the module `stepper`, which knows what to do: a step that begins here is the same as
one that begins there, and so is every bit of what it gives.
"""

from __future__ import annotations

import math

from ....base.kernel_cache import njit
from ..limiter import EPS
from .clock import MIN_STEP, compiled_limit, compiled_propose, compiled_resize, compiled_wish_after
from .split_kernels import ITERATIONS, REPAIRED, RESIDUAL, energy_of, error_of, split

T, DT, NEWTON, LEFT, TOUCHED, REJECTIONS, LIMIT, WISH = range(8)
COLUMNS = 8
"""Columns of the table of what was done."""


@njit(cache=True, nogil=True, error_model="numpy")
def march(states, phi, sweeps, law, stages, order, widths, scratch, times, control, budget, table):
    """Steps from states[0], to a time at most; what each took into the rows of `table`, (steps, COLUMNS).

    states : (4, ny, nx), scratch but for the first.   phi : Φ (ny, nx).   law, stages : as `split.split` takes them.
    sweeps : (linear, drift, power), likewise; two of them None.   widths : (nx,) and (ny,).
    scratch : (stats, room) as `split` takes them, rows (2, ny), costs (2, 3).
    times : t, the time to land on, the wish for the first step (0: none).
    control : dt of fixed steps (0: adaptive), the first adaptive step (0: none), tolerance.
    budget : (cells that may be solved for before the last step begins, cells of a Newton iteration).
    Returns (steps taken, the place in `states` of the last, cells solved for).
    """
    t, t_next, wish = times
    fixed, first_dt, tolerance = control
    adaptive = not fixed > 0.0
    cells = float(phi.size * len(stages[0]) * (3 if adaptive else 1))
    how = phi, sweeps, law, stages, order, widths, scratch
    total = scratch[3][1]
    now, taken, spent = 0, 0, 0.0
    energy = energy_of(states[0], phi, law, widths, scratch[2])
    while taken < table.shape[0] and t < t_next and spent < budget[0]:
        known = asked = wish
        if not adaptive:
            asked = min(fixed, wish) if wish > 0.0 else fixed
        elif not wish > 0.0:
            asked = first_dt if first_dt > 0.0 else (t_next - t) / 100
        asked, lands = compiled_propose(t_next - t, asked, adaptive)
        dt, resized, rejected = asked, 0.0, 0
        while True:
            solved, after = _take(states, now, energy, adaptive, dt, how)
            if not solved or not adaptive:
                break
            error = error_of(states[now], states[(now + 1) % 4], states[(now + 3) % 4], widths)
            resized = compiled_resize(dt, error, tolerance, order)
            if not error > tolerance:
                break
            rejected += 1
            spent += cells
            dt, lands = min(resized, 0.9 * dt), False
            if dt < MIN_STEP * asked:
                solved = False
                break
        if not solved or not t + dt > t:
            break
        row = table[taken]
        t = t_next if lands else t + dt
        wish = compiled_wish_after(dt, resized, known, fixed, adaptive, lands, rejected)
        row[T], row[DT], row[WISH], row[REJECTIONS] = t, dt, wish, rejected
        row[NEWTON], row[LEFT], row[TOUCHED] = total[ITERATIONS], total[RESIDUAL], total[REPAIRED]
        row[LIMIT] = compiled_limit(dt, resized, known, lands, rejected) if adaptive else 0
        now, energy = (now + (3 if adaptive else 1)) % 4, after
        taken += 1
        spent += cells + total[ITERATIONS] * budget[1]
    return taken, now, spent


@njit(cache=True, nogil=True, error_model="numpy", inline="always")  # else compiled twice, in here and in `march`
def _take(states, now, before, halves, dt, how):
    """A step of dt from the state `now` to the one after it, and with `halves` two of dt/2 to the two after that.

    before : energy of the state and the rounding scale of that.   how : see `march`.
    Returns (whether each was solved and its energy has not risen, the energy after the last); costs[1] is their cost.
    """
    phi, sweeps, law, stages, order, widths, scratch = how
    stats, room, rows, costs = scratch
    for c in range(3):
        costs[1, c] = 0.0
    after = before
    for part in range(3 if halves else 1):
        source = (now + 2) % 4 if part == 2 else now
        start, length = (after if part == 2 else before), (0.5 * dt if part > 0 else dt)
        out = states[(now + 1 + part) % 4]
        if not split(
            states[source], phi, sweeps[0], sweeps[1], sweeps[2], law, stages, length, order, stats, room, out, costs[0]
        ):
            return False, before
        after = energy_of(out, phi, law, widths, rows)
        if not (math.isfinite(after[0]) and after[0] - start[0] <= 16 * EPS * (after[1] + start[1])):
            return False, before
        costs[1, REPAIRED] += costs[0, REPAIRED]
        costs[1, RESIDUAL] = max(costs[1, RESIDUAL], costs[0, RESIDUAL])
        costs[1, ITERATIONS] += costs[0, ITERATIONS]
    return True, after
