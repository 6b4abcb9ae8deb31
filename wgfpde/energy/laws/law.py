"""What an internal energy U(ρ) is asked for: a law has one record of this kind, and nothing else decides by its name.

A record has its case table and what NumPy needs.  What kernels need of a law goes by its code and by (κ, m), from
module `by_code`, so that records may be read without loading Numba; a law without a code is an *array law*.

Methods take `p`, the parameters: an `Internal`, or the [energy] internal table of a case where that is enough.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ...base.amounts import LEAST, MOST
from ...base.case_table import Table
from ...errors import CaseError

if TYPE_CHECKING:
    from .steady_density import Equilibrium, OnGrid

Array = np.ndarray

ENTROPY, POWER, NONE = 0, 1, 2
"""The codes of laws, which njit functions compare with: the only coding there is."""
LOOKED_AT = np.logspace(-8.0, 8.0, 257)
"""Densities at which a law is looked at."""
ROUNDING = 1e-10
"""Of p, over the terms that make it, there."""


class Law:
    """A family of internal energies.

    kind : its name in case files.   table : its table there.
    code : by which kernels know it, None for an array law.
    linear_diffusion : whether U = κ(ρ ln ρ − ρ): then ρ∇U' = κ∇ρ, and e^{−V/κ} is the steady state.
    vanishes : whether U = 0.   conjugate : whether `fenchel_gap` is known.
    steady : whether the density in equilibrium with a potential is known.
    """

    kind: str
    table: type[Table]
    code: ClassVar[int | None] = None
    linear_diffusion: ClassVar[bool] = False
    vanishes: ClassVar[bool] = False
    conjugate: ClassVar[bool] = False
    steady: ClassVar[bool] = False

    def check(self, p: Any) -> None:
        """Raise CaseError for parameters out of range."""
        if not (np.isfinite(p.kappa) and p.kappa > 0):
            raise CaseError(f"kappa must be a positive number; found {p.kappa}.")
        if not LEAST <= p.kappa <= MOST:
            raise CaseError(
                f"kappa: expected a number between {LEAST:g} and {MOST:g}, of which squares can be computed; found "
                f"{p.kappa:g}. Measure energies in another unit."
            )

    def check_dimension(self, p: Any, dim: int) -> None:
        """Raise CaseError where E is not displacement convex in this dimension (McCann)."""

    def not_convex(self, p: Any, dim: int) -> Array:
        """The densities, of LOOKED_AT, that break McCann's condition ρP' ≥ (1 − 1/d)P ≥ 0, P = ρU' − U, ρP' = ρ²U''.

        Where it holds for all ρ, ∫U(ρ) is displacement convex in d dimensions; that ρP' ≥ P would be more than is
        needed.  Reference: McCann (1997), DOI 10.1006/aima.1997.1634.
        """
        rho = LOOKED_AT
        with np.errstate(all="ignore"):
            size = np.abs(rho * self.derivative(rho, p)) + np.abs(self.density(rho, p))
            bend, pressure = rho**2 * self.second_derivative(rho, p), self.pressure(rho, p)
            kept = (bend >= (1 - 1 / dim) * pressure - ROUNDING * size) & (pressure >= -ROUNDING * size) & (bend >= 0)
        return rho[~kept]

    # ---- U and its derivatives, elementwise ---------------------------------------------------------------

    def density(self, rho: Array, p: Any) -> Array:
        """U(ρ); U(0) = 0."""
        raise NotImplementedError

    def derivative(self, rho: Array, p: Any) -> Array:
        """U'(ρ); −inf at ρ = 0 where the law knows no vacuum."""
        raise NotImplementedError

    def second_derivative(self, rho: Array, p: Any) -> Array:
        """U''(ρ) > 0 at ρ > 0."""
        raise NotImplementedError

    def pressure(self, rho: Array, p: Any) -> Array:
        """ρU'(ρ) − U(ρ); 0 at ρ = 0."""
        slope = np.where(rho > 0, self.derivative(rho, p), 0.0)
        return np.asarray(rho * slope - self.density(rho, p))

    def empties(self, p: Any) -> bool:
        """Whether U'(0) is finite: cells may be empty where ξ is high, and JKO steps need a barrier."""
        return False

    def growth(self, p: Any) -> float | None:
        """The γ of U ~ ρ^γ as ρ grows: 1 for ρ ln ρ, 0 for U = 0, None where it is not known."""
        return None

    # ---- words ----------------------------------------------------------------------------------------------

    def equation(self, p: Any, drift: bool, interaction: bool) -> str:
        """The name in `equation_names.EQUATIONS` of the flow with V (drift) and W (interaction) or without."""
        return "aggregation-diffusion" if interaction else f"nonlinear diffusion{' with drift' if drift else ''}"

    def formula(self, table: Mapping[str, Any]) -> str:
        """U(ρ) of a table of a case file, to be read; "" for U = 0."""
        return ""

    # ---- steady states --------------------------------------------------------------------------------------

    def into_vacuum(self, rho: Array, rise: Array, p: Any) -> tuple[Array, Array]:
        """d·F ≥ 0 from a density to a place without any, ΔΦ = rise, and its derivative in ρ, no less than 0.

        Of laws whose flux is not linear in the density.
        """
        raise NotImplementedError

    def equilibrium(self, flow: OnGrid, phi: Array, mass: float) -> Equilibrium:
        """The density of a mass that is in equilibrium with a potential."""
        raise NotImplementedError

    # ---- the dual of a game -----------------------------------------------------------------------------------

    def fenchel_gap(self, rho: Array, shift: Array, p: Any) -> Array:
        """U(ρ) + U*(η) − ηρ ≥ 0 at η = U'(ρ) + shift, elementwise, U*(η) = sup_{ρ ≥ 0} ηρ − U(ρ); 0 where shift = 0."""
        raise NotImplementedError

    # ---- the dual of a JKO step, c = τκ -----------------------------------------------------------------------

    def dual_scale(self, top: float, m: float) -> float:
        """The size of changes of U'/κ that matter where densities reach up to `top`."""
        return 1.0

    def dual_shift(self, y: Array, volume: Array, mass: float, c: float, m: float, mu: float) -> float | None:
        """The δ with Σ vol ρ(y − δ) = mass, where the dual has a domain or its density scales; else None.

        ρ(y) = argmin_ρ cU(ρ) − μ ln ρ − yρ (U with κ = 1).
        """
        return None


def factor_text(kappa: float | str) -> str:
    """κ as a factor of a formula: a formula in t in brackets."""
    return f"({kappa})" if isinstance(kappa, str) else f"{kappa:g}"


def shift_into_domain(surplus: Callable[[float], float]) -> float:
    """δ > 0 where a decreasing surplus of mass changes sign, to 1e-6: by factors, then by bisection on a log scale."""
    low, high = 1e-300, 1.0
    with np.errstate(over="ignore", divide="ignore"):
        while surplus(high) > 0 and high < 1e300:
            low, high = high, 4.0 * high
        for _ in range(200):
            middle = (low * high) ** 0.5
            low, high = (middle, high) if surplus(middle) > 0 else (low, middle)
            if high <= low * (1 + 1e-6):
                break
    return high
