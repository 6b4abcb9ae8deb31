"""What formulas and averages of them cost: operations × points, in nanoseconds of one core, counted beforehand.

    w(f) = FAST for + - * / and most functions, see SLOW for the others      nanoseconds a value, measured
    cost = Σ over the calls of a program of w(f) × (values of its result)

What depends on x alone has as many values as x, so that exp(-x**2)*exp(-y**2) on a grid costs hardly more than its
product.  An undisturbed core takes about as long as the count says, or up to three times as long.

`allowed` bounds what all formulas together may take within it, whoever evaluates them: the averages of a density, the
table of an interaction, a Hessian.  Beyond that `Exhausted` is raised, before the evaluation that would pass the bound.
The count is of the work and not of a clock: the same case is refused on every machine, at every load.

`Recent` keeps what was found, so that it costs nothing when it is asked for again.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

Value = TypeVar("Value")
NANOSECONDS = 1e-9
FAST = 0.5
SLOW = {
    "erf": 8.0, "erfc": 8.0, "gammaln": 20.0, "i0": 50.0, "i1": 50.0,
    "sin": 8.0, "cos": 8.0, "tan": 6.0, "arcsin": 5.0, "cosh": 5.0, "log1p": 5.0,
    "power": 3.0, "hypot": 8.0, "where": 2.0, "heaviside": 5.0,
}  # fmt: skip
"""Nanoseconds a value of a sum, and of what is slower, by the name of the NumPy or SciPy function."""


class Exhausted(Exception):
    """The formulas took more than they were allowed to."""


class Purse:
    """An allowance.   left : nanoseconds."""

    def __init__(self, seconds: float) -> None:
        self.left = seconds / NANOSECONDS


_PURSE: ContextVar[Purse | None] = ContextVar("what formulas may cost", default=None)


@contextmanager
def allowed(seconds: float) -> Iterator[Purse]:
    """All formulas that are evaluated within may take so many seconds by count, else Exhausted is raised."""
    purse = Purse(seconds)
    token = _PURSE.set(purse)
    try:
        yield purse
    finally:
        _PURSE.reset(token)


def counted() -> bool:
    """Whether anybody counts."""
    return _PURSE.get() is not None


def spend(nanoseconds: float) -> None:
    """Take from the allowance, where there is one.  Raises Exhausted, and takes nothing, where that is too little."""
    purse = _PURSE.get()
    if purse is None:
        return
    if nanoseconds > purse.left:
        raise Exhausted(f"formulas would take {(nanoseconds - purse.left) * NANOSECONDS:.3g} s more than they may")
    purse.left -= nanoseconds


def weight(function: object) -> float:
    """Nanoseconds that a call takes for each value of its result."""
    return SLOW.get(getattr(function, "__name__", ""), FAST)


class Recent(dict[Hashable, Value]):
    """The last entries, at most so many: the oldest goes first.  Threads may read and write it at once.

    found = before.get(key)
    return before.keep(key, find()) if found is None else found
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def keep(self, key: Hashable, value: Value) -> Value:
        """What stands under the key from now on: the value, or what another thread has kept before."""
        for oldest in list(self)[: max(0, len(self) + (key not in self) - self.most)]:
            self.pop(oldest, None)
        return self.setdefault(key, value)
