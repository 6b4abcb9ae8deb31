"""∇f of what a user gives: of formulas by their rules, of tables in closed form, of functions in Python by differences.

    ∂f(x) ≈ [8 (f(x + h) − f(x − h)) − (f(x + 2h) − f(x − 2h))] / 12h         error h⁴ f⁽⁵⁾/30, and rounding ε|f|/h

with h a 4000th of the box, 1e-3 … of what f varies over in it: 2e-12 of f over the box for smooth functions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..grid import Array, Grid

Function = Callable[..., Array]
STEPS = 4000
"""Steps of the differences across the box."""


def gradient_of(function: Function, grid: Grid) -> tuple[Function, ...]:
    """∂f/∂x[, ∂f/∂y], one function per axis of the grid, called as f is: by keyword, with arrays.

    Raises CaseError where a formula holds what cannot be differentiated.
    """
    derivative = getattr(function, "derivative", None)  # of an Expression, of what is made from one, and of a table
    if callable(derivative):
        return tuple(derivative(axis.name) for axis in grid.axes)
    return tuple(_Difference(function, axis.name, axis.length / STEPS) for axis in grid.axes)


class _Difference:
    """A central difference of order 4 along one axis.   step : h."""

    def __init__(self, function: Function, name: str, step: float) -> None:
        self.function, self.name, self.step = function, name, step

    def __call__(self, **place: Any) -> Array:
        at = np.asarray(place[self.name], dtype=float)
        near, far = (self._across(place, at, k * self.step) for k in (1, 2))
        return np.asarray((8.0 * near - far) / (12.0 * self.step))

    def _across(self, place: dict[str, Any], at: Array, step: float) -> Array:
        with np.errstate(all="ignore"):
            ahead, back = (self.function(**place | {self.name: at + side}) for side in (step, -step))
        return np.asarray(ahead, dtype=float) - np.asarray(back, dtype=float)
