"""The entropy U = κ(ρ ln ρ − ρ): linear diffusion, κΔρ.

    U' = κ ln ρ,     U'' = κ/ρ,     p = ρU' − U = κρ,     ρ ∝ e^{−Φ/κ} in equilibrium with Φ

Fluxes: `scharfetter_gummel`.  In a cell: `entropy_cell`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from pydantic import Field

from ...base.case_table import PositiveInTime, Table
from .law import ENTROPY, Array, Law, factor_text
from .steady_density import Equilibrium, OnGrid


class Entropy(Table):
    """U = κ(ρ ln ρ − ρ)."""

    kind: Literal["entropy"]
    kappa: PositiveInTime = Field(default=1.0, description="diffusivity, a positive number, or a formula in t")


class EntropyLaw(Law):
    """Linear diffusion, whose steady state is the Gibbs state where nothing interacts."""

    kind, table, code = "entropy", Entropy, ENTROPY
    linear_diffusion = steady = conjugate = True

    def density(self, rho: Array, p: Any) -> Array:
        with np.errstate(divide="ignore"):
            return np.asarray(p.kappa * (rho * np.log(np.where(rho > 0, rho, 1.0)) - rho))

    def derivative(self, rho: Array, p: Any) -> Array:
        with np.errstate(divide="ignore"):
            return np.asarray(p.kappa * np.log(rho))

    def second_derivative(self, rho: Array, p: Any) -> Array:
        return np.asarray(p.kappa / rho)

    def fenchel_gap(self, rho: Array, shift: Array, p: Any) -> Array:
        """κρ(e^z − 1 − z), z = shift/κ; U*(η) = κe^{η/κ}."""
        z = shift / p.kappa
        with np.errstate(over="ignore"):
            return np.asarray(p.kappa * rho * (np.expm1(z) - z))

    def growth(self, p: Any) -> float:
        return 1.0

    def equation(self, p: Any, drift: bool, interaction: bool) -> str:
        return "McKean-Vlasov" if interaction else "Fokker-Planck" if drift else "heat"

    def formula(self, table: Mapping[str, Any]) -> str:
        kappa = table.get("kappa", 1.0)
        return "ρ ln ρ - ρ" if kappa == 1 else f"{factor_text(kappa)}*(ρ ln ρ - ρ)"

    def equilibrium(self, flow: OnGrid, phi: Array, mass: float) -> Equilibrium:
        """ρ = M e^{−Φ/κ} / Σ h e^{−Φ/κ}."""
        low, kappa = float(phi.min()), flow.internal.kappa
        exponent = (low - phi) / kappa
        weight = np.exp(exponent)
        scale = mass / flow.integral(weight)
        rho = scale * weight
        return Equilibrium(rho, rho / kappa, low + kappa * float(np.log(scale)), exponent + np.log(scale))

    def dual_shift(self, y: Array, volume: Array, mass: float, c: float, m: float, mu: float) -> float:
        """ρ(y) = e^{y/c} is scaled to the mass."""
        top = float(y.max())
        total = float(np.sum(volume * np.exp((y - top) / c)))
        return top + c * float(np.log(total / mass))
