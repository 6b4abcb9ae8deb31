"""The energy of a Wasserstein gradient flow, free of any grid.

    E(ρ) = ∫U(ρ) + ∫Vρ + ½∬W(x−y)ρ(x)ρ(y),      ∂t ρ = ∇·(ρ ∇(U'(ρ) + V + W∗ρ))

Reference: Carrillo, McCann, Villani (2003), eqs (1.1)–(1.2), DOI 10.4171/RMI/376.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from ..base.toml import shortened
from ..errors import CaseError

Array = np.ndarray
Kind = Literal["entropy", "power", "none"]


@dataclass(frozen=True)
class Internal:
    """The internal energy density U.

    kind : "entropy" U = κ(ρ ln ρ − ρ);  "power" U = κ ρ^m/(m−1);  "none" U = 0.
    kappa : diffusivity κ > 0, energy units.   m : exponent, m > 0, m ≠ 1 (power only).

    Raises CaseError for κ ≤ 0, m ≤ 0 or m = 1.
    """

    kind: Kind = "entropy"
    kappa: float = 1.0
    m: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in ("entropy", "power", "none"):
            raise CaseError(f'internal energy must be "entropy", "power" or "none"; found {self.kind!r}.')
        if self.kind != "none" and not (np.isfinite(self.kappa) and self.kappa > 0):
            raise CaseError(f"kappa must be a positive number; found {self.kappa}.")
        if self.kind == "power" and not (np.isfinite(self.m) and self.m > 0):
            raise CaseError(f"the exponent m must be positive; found {self.m}.")
        if self.kind == "power" and self.m == 1:
            raise CaseError('m = 1 is the entropy: write kind = "entropy".')

    def check_dimension(self, dim: int) -> None:
        """Refuse m < 1 − 1/d, where E is not displacement convex.

        Reference: McCann (1997), DOI 10.1006/aima.1997.1634.
        """
        if self.kind == "power" and self.m < 1 - 1 / dim:
            raise CaseError(f"m must be at least 1 − 1/d = {1 - 1 / dim:g} in {dim}D; found {self.m}.")

    def density(self, rho: Array) -> Array:
        """U(ρ), elementwise; U(0) = 0."""
        if self.kind == "none":
            return np.zeros_like(rho)
        if self.kind == "power":
            return self.kappa / (self.m - 1) * rho**self.m
        with np.errstate(divide="ignore"):
            return self.kappa * (rho * np.log(np.where(rho > 0, rho, 1.0)) - rho)

    def derivative(self, rho: Array) -> Array:
        """U'(ρ), elementwise; −inf at ρ = 0 for the entropy and for m < 1."""
        if self.kind == "none":
            return np.zeros_like(rho)
        with np.errstate(divide="ignore"):
            if self.kind == "power":
                return self.kappa * self.m / (self.m - 1) * rho ** (self.m - 1)
            return self.kappa * np.log(rho)


@dataclass(frozen=True, repr=False)
class Energy:
    """U + V + W.  `potential(x=…[, y=…])` and `interaction(x=…[, y=…])` are vectorised functions or None.

    interaction : even function of the displacement; it may be singular at 0.
    potential_text, interaction_text : how the user wrote them, for records and messages.
    sobolev : λ of the logarithmic Sobolev inequality of e^{−V/κ}, where the user knows it.
    """

    internal: Internal = field(default_factory=Internal)
    potential: Callable[..., Array] | None = None
    interaction: Callable[..., Array] | None = None
    potential_text: str = ""
    interaction_text: str = ""
    sobolev: float | None = None

    def __repr__(self) -> str:
        terms = [repr(self.internal)]
        texts = {"V": (self.potential, self.potential_text), "W": (self.interaction, self.interaction_text)}
        for name, (function, text) in texts.items():
            if function is not None:
                text = text or getattr(function, "text", "") or getattr(function, "__name__", "a function")
                terms.append(f"{name} = {shortened(text)}")
        return f"Energy({', '.join(terms)})"
