"""Powers U = κ ρ^m/(m−1): slow diffusion for m > 1, fast diffusion for m < 1.

    U' = κ m/(m−1) ρ^{m−1},     U'' = κ m ρ^{m−2},     p = ρU' − U = κ ρ^m

In equilibrium with Φ ρ = [(m−1)/(mκ) (C − Φ)₊]^{1/(m−1)}, and for m < 1 ρ = [(1−m)/(mκ) (Φ − C)]^{−1/(1−m)}, C < Φ.
The constant C is where the mass is M.  Its bracket is U' of the mass spread over all cells and of the mass in one cell,
both above min Φ; between them Newton's method runs on (mass/M)^{m−1} − 1, nearly linear in C.

Fluxes: `power_flux`.  In a cell: `power_cell`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from pydantic import Field, field_validator

from ...base.case_table import Positive, PositiveInTime, Table, fail
from ...errors import CaseError
from .law import POWER, Array, Law, factor_text, shift_into_domain
from .steady_density import EPS, Equilibrium, OnGrid

MAX_STEPS = 200


class Power(Table):
    """U = κ ρ^m/(m − 1)."""

    kind: Literal["power"]
    m: Positive = Field(description="exponent, a positive number other than 1, ≥ 1 − 1/d in d dimensions")
    kappa: PositiveInTime = Field(default=1.0, description="diffusivity, a positive number, or a formula in t")

    @field_validator("m")
    @classmethod
    def _not_one(cls, m: float) -> float:
        if m == 1:
            raise fail('m = 1 is the entropy; write { kind = "entropy" } instead')
        return m


class PowerLaw(Law):
    """Slow diffusion, which leaves vacuum, for m > 1; fast diffusion, which fills it at once, for m < 1."""

    kind, table, code = "power", Power, POWER
    steady = conjugate = True

    def check(self, p: Any) -> None:
        super().check(p)
        if not (np.isfinite(p.m) and p.m > 0):
            raise CaseError(f"the exponent m must be positive; found {p.m}.")
        if p.m == 1:
            raise CaseError('m = 1 is the entropy: write kind = "entropy".')

    def into_vacuum(self, rho: Array, rise: Array, p: Any) -> tuple[Array, Array]:
        """max(κρ^m − c ρ ΔΦ, 0), c = m/(m+1) for m > 1, else 0 (`power_flux.vacuum_flux`)."""
        with np.errstate(divide="ignore"):
            power = p.kappa * np.where(rho > 0, rho, 1.0) ** (p.m - 1.0)
        drift = p.m / (p.m + 1.0) * rise if p.m > 1.0 else 0.0 * rise
        leaves = (rho > 0) & (power > drift)
        return (
            np.where(leaves, (power - drift) * rho, 0.0),
            np.where(leaves, np.maximum(p.m * power - drift, 0.0), 0.0),
        )

    def check_dimension(self, p: Any, dim: int) -> None:
        """Refuse m < 1 − 1/d.  Reference: McCann (1997), DOI 10.1006/aima.1997.1634."""
        if p.m < 1 - 1 / dim:
            raise CaseError(f"m must be at least 1 − 1/d = {1 - 1 / dim:g} in {dim}D; found {p.m}.")

    def density(self, rho: Array, p: Any) -> Array:
        with np.errstate(over="ignore"):  # inf, which a step refuses
            return np.asarray(p.kappa / (p.m - 1) * rho**p.m)

    def derivative(self, rho: Array, p: Any) -> Array:
        with np.errstate(divide="ignore", over="ignore"):
            return np.asarray(p.kappa * p.m / (p.m - 1) * rho ** (p.m - 1))

    def second_derivative(self, rho: Array, p: Any) -> Array:
        return np.asarray(p.kappa * p.m * rho ** (p.m - 2))

    def fenchel_gap(self, rho: Array, shift: Array, p: Any) -> Array:
        """U(ρ) − U(σ) − U'(σ)(ρ − σ), σ the density with U'(σ) = η, where there is one; else U(ρ) − ηρ for m > 1,
        η ≤ 0, and +∞ for m < 1, η ≥ 0."""
        eta = self.derivative(rho, p) + shift
        scaled = (p.m - 1) / (p.m * p.kappa) * eta  # σ^{m−1}
        held = scaled > 0
        sigma = np.where(held, scaled, 1.0) ** (1 / (p.m - 1))
        none = self.density(rho, p) - eta * rho if p.m > 1 else np.full_like(eta, np.inf)
        return np.where(held, self.density(rho, p) - self.density(sigma, p) - eta * (rho - sigma), none)

    def empties(self, p: Any) -> bool:
        return bool(p.m > 1)

    def growth(self, p: Any) -> float:
        return float(p.m)

    def equation(self, p: Any, drift: bool, interaction: bool) -> str:
        if interaction:
            return "aggregation-diffusion"
        return f"{'porous medium' if p.m > 1 else 'fast diffusion'}{' with drift' if drift else ''}"

    def formula(self, table: Mapping[str, Any]) -> str:
        kappa, m = table.get("kappa", 1.0), table["m"]
        factor = "" if kappa == 1 else f"{factor_text(kappa)}*"
        share = "" if abs(m - 1) == 1 else f"/{abs(m - 1):g}"
        return f"{'−' if m < 1 else ''}{factor}ρ**{m:g}{share}"

    def equilibrium(self, flow: OnGrid, phi: Array, mass: float) -> Equilibrium:
        p, low = flow.internal, float(phi.min())
        height = phi - low
        below, above = _level(flow, height, mass)
        rho = _density_at(below - height, p)
        if above > below:  # neighbouring numbers between which a cell fills: the rest of the mass is that cell's
            full = _density_at(above - height, p)
            less, more = flow.integral(rho), flow.integral(full)
            share = (mass - less) / (more - less) if more > less else 0.0
            rho = (1 - share) * rho + share * full
        rho *= mass / flow.integral(rho)
        return Equilibrium(rho, susceptibility(rho, p), low + below)

    def dual_scale(self, top: float, m: float) -> float:
        return max(top, 1e-300) ** (m - 1.0) if m > 1 else 1.0

    def dual_shift(self, y: Array, volume: Array, mass: float, c: float, m: float, mu: float) -> float | None:
        """For m < 1, where the dual has the domain y < 0; ρ(y) = [(1−m)(−y)/(cm)]^{1/(m−1)}."""
        if m > 1:
            return None
        top = float(y.max())

        def surplus(delta: float) -> float:
            depth = top - y + delta
            return float(np.sum(volume * (depth * (1 - m) / (c * m)) ** (1 / (m - 1)))) - mass

        return top + shift_into_domain(surplus)


def susceptibility(rho: Array, p: Any) -> Array:
    """g = 1/U''(ρ) = ρ^{2−m}/(κm), elementwise; 0 where ρ = 0."""
    found = np.zeros_like(rho)
    inside = rho > 0
    found[inside] = rho[inside] ** (2 - p.m) / (p.kappa * p.m)
    return found


def _density_at(above: Array, p: Any) -> Array:
    """ρ where U'(ρ) = `above`; 0 where m > 1 and `above` ≤ 0."""
    m = p.m
    scaled = (m - 1) / (m * p.kappa) * above  # ρ^{m−1}
    return np.asarray(np.maximum(scaled, 0.0) ** (1 / (m - 1)) if m > 1 else scaled ** (1 / (m - 1)))


def _level(flow: OnGrid, height: Array, mass: float) -> tuple[float, float]:
    """C − min Φ for heights Φ − min Φ ≥ 0, twice; or the two numbers next to it, where the mass jumps."""
    p, m = flow.internal, flow.internal.m
    smallest = float(flow.grid.cell_volume.flat[int(np.argmin(height))])
    bounds = p.derivative(np.array([mass / flow.grid.volume, mass / smallest]))
    low, high = (float(end) for end in bounds + 1e-12 * np.abs(bounds) * np.array([-1.0, 1.0]))  # an end may be it
    c = 0.5 * (low + high)
    for _ in range(MAX_STEPS):
        rho = _density_at(c - height, p)
        found = flow.integral(rho)
        if abs(found - mass) <= 4 * EPS * mass:
            return c, c
        low, high = (c, high) if found < mass else (low, c)
        if high - low <= 2 * EPS * max(abs(low), abs(high)):
            break
        ratio = (found / mass) ** (m - 1)
        slope = (m - 1) * ratio * flow.integral(susceptibility(rho, p)) / found if found > 0 else 0.0
        step = c - (ratio - 1) / slope if slope != 0 and np.isfinite(slope) else np.nan
        c = step if low < step < high else 0.5 * (low + high)
    return low, high
