"""Laws without kernels: U, U', U'' as NumPy functions of whole arrays, and the two-point flux that they give.

    d·F = −M Δξ,   Δξ = ΔU' + ΔΦ,     M = min(M_e, 2ρ_donor),   M_e = Δp/ΔU',   p = ρU' − U

the donor being the cell of higher ξ.  M ≥ 0 gives the energy law, Δξ = 0 ⇒ F = 0 the steady state, M → 0 with the
donor positivity; while the limiter sleeps d·F = −(Δp + M_e ΔΦ).  Where U'(0) = −∞ an empty cell gives M_e = 0 and
d·F = −Δp.  With dp = ρ dU',

    ∂M_e/∂a = U''(a) (M_e − a)/ΔU',     ∂M_e/∂b = U''(b) (b − M_e)/ΔU'       (½ each where a and b are close)

The mean and the limiter are those of `power_flux` for m ≥ 2.

U must be displacement convex (McCann): ρ²U'' ≥ (1 − 1/d) p ≥ 0, which is looked at for densities of 1e-8 to 1e8.
Reference: McCann (1997), DOI 10.1006/aima.1997.1634.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...base.case_table import Table
from ...errors import CaseError
from .law import Array, Law

CLOSE = 1e-5
"""Relative difference of densities below which M_e is their mean, with an error of its square."""


@dataclass(frozen=True, eq=False)
class ArrayLaw(Law):
    """A convex internal energy given by functions of arrays.

    kind : its name in case files.   table : a `Table` with the line kind: Literal["…"] and its parameters as numbers.
    U, dU, ddU : f(rho, **parameters), elementwise, with the names of the table; at ρ = 0 they may be infinite or NaN,
    where U(0) = 0 and U'(0) = −∞ are meant.
    mean : M_e(a, b, **parameters), with its derivatives in a and b; default as above.
    text : U(ρ) as one writes it, for reports.   large : the γ of U ~ ρ^γ as ρ grows, to tell a blow-up.
    """

    kind: str
    table: type[Table]
    U: Callable[..., Array]
    dU: Callable[..., Array]
    ddU: Callable[..., Array]
    mean: Callable[..., tuple[Array, Array, Array]] | None = None
    text: str = ""
    large: float | None = None

    def check(self, p: Any) -> None:
        """The table has checked the parameters."""

    def check_dimension(self, p: Any, dim: int) -> None:
        broken = self.not_convex(p, dim)
        if len(broken):
            raise CaseError(
                f'the internal energy "{self.kind}" is not displacement convex in {dim}D: at ρ = {broken[0]:.3g} '
                "it breaks ρ²U″ ≥ (1 − 1/d)(ρU′ − U) ≥ 0."
            )

    def density(self, rho: Array, p: Any) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(rho > 0, self.U(rho, **p.parameters), 0.0)

    def derivative(self, rho: Array, p: Any) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            found = np.asarray(self.dU(rho, **p.parameters), dtype=float)
        return np.where((rho > 0) | np.isfinite(found), found, -np.inf)

    def second_derivative(self, rho: Array, p: Any) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(self.ddU(rho, **p.parameters), dtype=float)

    def empties(self, p: Any) -> bool:
        return bool(np.isfinite(self.derivative(np.zeros(1), p)[0]))

    def growth(self, p: Any) -> float | None:
        return self.large

    def into_vacuum(self, rho: Array, rise: Array, p: Any) -> tuple[Array, Array]:
        """The two-point flux with b = 0: −Δp where U'(0) = −∞."""
        face = two_point(self, p, rho, np.zeros_like(rho), rise)
        if self.empties(p):
            return np.where(rho > 0, face.flux, 0.0), np.where(rho > 0, np.maximum(face.left, 0.0), 0.0)
        return face.flux, np.where(rho > 0, rho * self.second_derivative(rho, p), 0.0)

    def formula(self, table: Mapping[str, Any]) -> str:
        return self.text or f"{self.kind}(ρ)"


@dataclass(frozen=True)
class TwoPoint:
    """Fluxes through faces between densities a and b, arrays of one shape.

    flux : d·F.   left, right : d·∂F/∂a and −d·∂F/∂b (0 at vacuum where U'(0) = −∞).   work : −d·F Δξ ≥ 0.
    gate : whether the limiter sleeps.   bend : the smaller p' = ρU'' of both cells.   rise : |ΔU'|, where it is finite.
    """

    flux: Array
    left: Array
    right: Array
    work: Array
    gate: Array
    bend: Array
    rise: Array


def two_point(law: ArrayLaw, p: Any, a: Array, b: Array, dphi: Array) -> TwoPoint:
    """The flux of a law from densities a to densities b, ΔΦ = dphi; p : the parameters."""
    ua, ub = law.derivative(a, p), law.derivative(b, p)
    ca, cb = law.second_derivative(a, p), law.second_derivative(b, p)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        du = ub - ua
        dp = law.pressure(b, p) - law.pressure(a, p)
        ma, mb, mean = _mean(law, p, a, b, du, dp, ca, cb)
        dxi = du + dphi
        down = dxi < 0
        donor = np.where(down, a, b)
        free = mean <= 2 * donor
        flux = np.where(free, -mean * dxi, -2 * donor * dxi)
        left = np.where(free, mean * ca - ma * dxi, 2 * donor * ca - np.where(down, 2 * dxi, 0.0))
        right = np.where(free, mean * cb + mb * dxi, 2 * donor * cb + np.where(down, 0.0, 2 * dxi))
        work = np.where(free, mean, 2 * donor) * dxi**2
        empty = ~np.isfinite(du)  # vacuum with U'(0) = −∞ on one side, or on both
        both = (a <= 0) & (b <= 0)
        bend = np.minimum(np.where(a > 0, a * ca, 0.0), np.where(b > 0, b * cb, 0.0))
    flux, work = np.where(empty, -dp, flux), np.where(empty, np.where(both, 0.0, np.inf), work)
    left, right, rise = (np.where(empty, 0.0, values) for values in (left, right, np.abs(du)))
    return TwoPoint(flux, left, right, work, free | empty, bend, rise)


def _mean(
    law: ArrayLaw, p: Any, a: Array, b: Array, du: Array, dp: Array, ca: Array, cb: Array
) -> tuple[Array, Array, Array]:
    """∂M_e/∂a, ∂M_e/∂b and M_e."""
    if law.mean is not None:
        mean, ma, mb = law.mean(a, b, **p.parameters)
        return np.asarray(ma), np.asarray(mb), np.asarray(mean)
    close = (np.abs(b - a) <= CLOSE * (a + b)) | (du == 0)
    mean = np.where(close, 0.5 * (a + b), dp / np.where(close, 1.0, du))
    ma = np.where(close, 0.5, ca * (mean - a) / np.where(close, 1.0, du))
    mb = np.where(close, 0.5, cb * (b - mean) / np.where(close, 1.0, du))
    return ma, mb, mean
