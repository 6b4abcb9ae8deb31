"""How long a step is: what is asked for, how it lands on a time, what the next may be.

Written once, for steps one by one and, compiled, for many of them in one call.
"""

from __future__ import annotations

import math

from ....base.kernel_cache import njit

GROW = 2.5
"""Most that a step grows by from one to the next."""
MIN_STEP = 1e-30
"""Smallest step tried, relative to the step asked for, where that moves less than rounding; else on to one that does:
the step asked for may be far from the time scale of the problem, h²/(κ m ρ^{m−1}) = 1e-36 for m = 100 and ρ = 2."""
UNCOUNTED = 1e15
"""So many steps to the next time are not counted: they do not land on it."""
LIMITS = ("", "the next time to land on", "growth from a shorter one", "the tolerance")
"""What kept a step that was solved from being longer, as `limit` numbers it."""


def propose(remaining: float, wish: float, adaptive: bool) -> tuple[float, bool]:
    """The step to try first and whether it lands on the next time; equal steps fill the way to there.

    remaining : time to there, > 0.   wish : the step that is wished for, > 0.
    """
    if not remaining / wish < UNCOUNTED:
        return wish, False
    count = math.ceil(remaining / wish * (1 - 1e-9))
    if adaptive and count > 2:
        return wish, False
    return remaining / max(count, 1), count <= 1


def resize(dt: float, error: float, tolerance: float, order: int) -> float:
    """The next adaptive step after one of dt with an error relative to the mass."""
    factor = 0.8 * (tolerance / max(error, 1e-300)) ** (1.0 / (order + 1))
    return dt * min(GROW, max(0.2, factor))


def wish_after(
    dt: float, resized: float, known: float, fixed: float, adaptive: bool, lands: bool, rejected: int
) -> float:
    """The wish for the next step, 0 for none.

    resized : of an adaptive step.   known : the wish before the step.   fixed : dt of fixed steps.
    rejected : attempts thrown away.
    """
    if not adaptive and rejected == 0 and not 0 < known < fixed:
        return 0.0
    wish = resized if adaptive else GROW * dt
    if lands and rejected == 0 and dt < 0.5 * known:  # it was cut short to land
        return max(wish, known)
    return wish


def limit(dt: float, resized: float, known: float, lands: bool, rejected: int) -> int:
    """What kept an adaptive step from being longer, a place in LIMITS."""
    if lands and dt < 0.99 * known:
        return 1
    return 2 if resized >= GROW * dt and rejected == 0 else 3


compiled_propose = njit(cache=True)(propose)
compiled_resize = njit(cache=True, error_model="numpy")(resize)
compiled_wish_after = njit(cache=True)(wish_after)
compiled_limit = njit(cache=True)(limit)
