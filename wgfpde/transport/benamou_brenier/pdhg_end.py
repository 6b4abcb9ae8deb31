"""What happens at the end of the inner time: an energy to pay, or a density to reach.

    F(ρ) = Σ vol [τU(ρ) + v ρ]  on 0 ≤ ρ ≤ cap        or        F = 0 at ρ = ρ₁, +∞ elsewhere

Both are used by three things: a proximal map (module `proximal`), a value, and a lower bound for the dual,

    min { F(ρ) − ⟨q, ρ⟩ : ∫ρ = M }  ≥  λM − Σ vol f*(q + λ),     f*(p) = sup { p r − τU(r) − v r : 0 ≤ r ≤ cap },

true for *every* λ; the best one has ∫r(q + λ) = M, where r(p) attains the sup.  It is found by Newton, kept in a
bracket by bisection; where U = 0 without a cap it is min(v − q).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from ...base.kernel_cache import njit
from ...energy.energy import Internal
from ...energy.laws.by_code import free_density, internal_energy, slope
from ...energy.laws.law import ENTROPY, NONE
from ...grid import Array
from .gap_scale import scale_of_gap
from .operators import Staggering
from .proximal import FIXED

SEARCH = 200
"""Most evaluations spent on λ; any λ gives a bound."""


@dataclass(frozen=True)
class End:
    """The terminal term F, integrated with one cell volume.

    code : of a law, or FIXED.   c : τκ.   m : exponent.   v : (ny, nx) τV, or ρ₁ for FIXED.   cap : largest density
    (inf where there is none).   volume : of a cell."""

    code: int
    c: float
    m: float
    v: Array
    cap: float
    volume: float

    @staticmethod
    def of_energy(internal: Internal, potential: Array, tau: float, cap: float | None, volume: float) -> End:
        assert internal.code is not None  # no array law comes this far
        c = 0.0 if internal.law.vanishes else tau * internal.kappa
        return End(internal.code, c, internal.m, tau * potential, math.inf if cap is None else float(cap), volume)

    @staticmethod
    def of_density(rho1: Array, volume: float) -> End:
        return End(FIXED, 0.0, 1.0, rho1, math.inf, volume)

    @property
    def diffuses(self) -> bool:
        """Whether an internal energy is paid."""
        return self.code not in (NONE, FIXED)

    def with_values(self, v: Array, volume: float) -> End:
        """The same on another grid."""
        return replace(self, v=v, volume=volume)

    def value(self, rho: Array) -> tuple[float, float]:
        """(internal, potential) energy times τ of a density within the constraints."""
        if self.code == FIXED:
            return 0.0, 0.0
        rows = np.empty((2, len(rho)))
        _energies(rho, self.v, self.code, self.c, self.m, rows)
        total = rows.sum(axis=1) * self.volume
        return float(total[0]), float(total[1])

    def scale(self, faces: Staggering, rho: Array, transport: float) -> float:
        """What the gap of a path to this density is relative to; see `gap_scale`."""
        return scale_of_gap(faces, rho, None if self.code == FIXED else self.v, (self.code, self.c, self.m), transport)

    def bound(self, q: Array, mass: float, lam: float | None = None) -> tuple[float, float]:
        """(lower bound of min F(ρ) − ⟨q, ρ⟩ over densities of this mass, its λ); lam: one to take as it is."""
        if self.code == FIXED:
            return -self.volume * float(np.vdot(self.v, q)), 0.0
        p = q - self.v
        top = float(p.max())
        if self.code == NONE and not self.cap < math.inf:
            return -mass * top, -top
        if lam is None:
            lam = self._multiplier(p, top, mass)
        return lam * mass - self._measure(p, lam)[0], lam

    def surplus(self, rho: Array, q: Array, lam: float) -> float:
        """∫ρ e⁺ + ∫min(ρ, cap − ρ) e⁻, e = τU'(ρ) + v − q − λ: 0 at an optimum."""
        if self.code == FIXED:
            return 0.0
        rows = np.empty(len(rho))
        _surplus(rho, q - self.v, lam, self.code, self.c, self.m, self.cap, rows)
        return self.volume * float(rows.sum())

    def _measure(self, p: Array, lam: float) -> tuple[float, float, float]:
        """(Σ vol f*, mass, its derivative in λ) at p + λ."""
        rows = np.empty((3, len(p)))
        _conjugate(p, lam, self.code, self.c, self.m, self.cap, rows)
        with np.errstate(over="ignore"):  # a λ far too large: the search turns back
            total = rows.sum(axis=1) * self.volume
        return float(total[0]), float(total[1]), float(total[2])

    def _multiplier(self, p: Array, top: float, mass: float) -> float:
        mean = mass / (p.size * self.volume)
        uniform = slope(mean, self.code, self.c, self.m)  # τU'
        low, high = uniform - top, uniform - float(p.min())
        lam = low
        if self.code == ENTROPY:
            lam = min(low + self.c * math.log(mass / self._measure(p, low)[1]), high)
        for _ in range(SEARCH):
            _, found, rate = self._measure(p, lam)
            if abs(found - mass) <= 1e-13 * mass or high - low <= 1e-15 * (abs(low) + abs(high)):
                break
            low, high = (lam, high) if found < mass else (low, lam)
            step = lam + (mass - found) / rate if rate > 0 and math.isfinite(found) else math.nan
            lam = step if low < step < high else 0.5 * (low + high)
        return lam


@njit(cache=True, nogil=True)
def _energies(rho, v, code, c, m, rows):
    """rows (2, ny): row sums of c U(ρ) and of v ρ."""
    ny, nx = rho.shape
    for j in range(ny):
        first = second = 0.0
        for i in range(nx):
            r = rho[j, i]
            second += v[j, i] * r
            if r > 0.0:
                first += internal_energy(r, code, c, m)
        rows[0, j], rows[1, j] = first, second


@njit(cache=True, nogil=True)
def _conjugate(p, lam, code, c, m, cap, rows):
    """rows (3, ny): row sums of f*(p + λ), of r(p + λ) and of dr/dp."""
    ny, nx = p.shape
    for j in range(ny):
        value = density = rate = 0.0
        for i in range(nx):
            s = p[j, i] + lam
            r, response = free_density(s, code, c, m)
            if r >= cap:
                r, response = cap, 0.0
            value += s * r - internal_energy(r, code, c, m) if r < math.inf else math.inf
            density += r
            rate += response
        rows[0, j], rows[1, j], rows[2, j] = value, density, rate


@njit(cache=True, nogil=True)
def _surplus(rho, p, lam, code, c, m, cap, rows):
    ny, nx = rho.shape
    for j in range(ny):
        total = 0.0
        for i in range(nx):
            r = rho[j, i]
            if r > 0.0:
                excess = slope(r, code, c, m) - p[j, i] - lam
                total += r * excess if excess > 0.0 else -min(r, cap - r) * excess
        rows[j] = total
