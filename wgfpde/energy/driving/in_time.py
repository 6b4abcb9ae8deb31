"""Functions of place and time, frozen at a time.

V(x, t) ↦ V(·, t₀)       a formula that uses t, or a Python function with a parameter of that name
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import CaseError

Array = np.ndarray


def takes_time(function: Callable[..., Any] | None) -> bool:
    """Whether a function depends on time: a formula by what it uses, others by a parameter that is named t."""
    if function is None:
        return False
    used = getattr(function, "variables", None)
    if used is not None:
        return "t" in used
    try:
        return "t" in inspect.signature(function).parameters
    except (TypeError, ValueError):  # built in
        return False


@dataclass(frozen=True)
class Frozen:
    """A function of place and time at one time: a function of place.   text : as the user wrote it, or ""."""

    function: Callable[..., Any]
    t: float

    @property
    def text(self) -> str:
        return str(getattr(self.function, "text", ""))

    def __call__(self, **place: Array) -> Array:
        return np.asarray(self.function(**place, t=self.t))

    def polynomial(self) -> dict[tuple[int, int], float] | None:
        """Of a formula that is a polynomial at that time, see `Expression.polynomial`; else None."""
        expand = getattr(self.function, "polynomial", None)
        return None if expand is None else expand(t=self.t)


def frozen(function: Callable[..., Any], t: float) -> Callable[..., Any]:
    """A function at time t; itself where it does not depend on time."""
    return Frozen(function, t) if takes_time(function) else function


def number_at(function: Callable[..., Any], t: float, what: str) -> float:
    """The value of a function of time alone.   what : names it in messages.   Raises CaseError unless it is finite."""
    try:
        with np.errstate(all="ignore"):
            value = float(function(t=t))
    except TypeError as error:
        raise CaseError(f"{what}: expected a function of t, called as f(t=…), to a number: {error}") from error
    if not np.isfinite(value):
        raise CaseError(f"{what} must be finite; found {value} at t = {t:g}. Change the formula.")
    return value
