"""No internal energy, U = 0: every particle rolls down V + W∗ρ on its own.

Fluxes: `donor`.  The dual of a JKO step has the domain y < 0, where with a barrier ρ = μ/(−y).
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from ...base.case_table import Table
from .law import NONE, Array, Law, shift_into_domain


class NoInternal(Table):
    """U = 0."""

    kind: Literal["none"]


class NoLaw(Law):
    """U = 0: no diffusion, and cells empty freely."""

    kind, table, code = "none", NoInternal, NONE
    vanishes = True

    def check(self, p: Any) -> None:
        """There is nothing to check."""

    def density(self, rho: Array, p: Any) -> Array:
        return np.zeros_like(rho)

    derivative = second_derivative = density

    def empties(self, p: Any) -> bool:
        return True

    def growth(self, p: Any) -> float:
        return 0.0

    def equation(self, p: Any, drift: bool, interaction: bool) -> str:
        return "aggregation" if interaction else "drift"

    def dual_shift(self, y: Array, volume: Array, mass: float, c: float, m: float, mu: float) -> float:
        top = float(y.max())
        return top + shift_into_domain(lambda delta: float(np.sum(volume * (mu / (top - y + delta)))) - mass)
