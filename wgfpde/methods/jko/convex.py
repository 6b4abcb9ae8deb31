"""One convex step: minimise ½W₂²(ρ⁰, ρ) + τE(ρ) with V given.  Its dual, its faces, its certificate.

    D_μ(φ) = Σ vol B_μ(k(φ) − φ − τV) − ⟨ρ⁰, φ + k(φ)⟩,       dD_μ/dφ = ρ − ρ⁰ + div(θ(½(ρ⁰+ρ))∇φ),   ρ = −B_μ'

is concave: B_μ is decreasing and concave and −k is concave, and so is −⟨ρ⁰, k⟩.  μ > 0 adds the barrier −μ∫ln ρ to
the energy, for laws that allow vacuum.  The gradient is the residual of the continuity equation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ...energy.energy import Internal
from ...energy.laws.law import POWER
from ...grid import Array
from ...transport.benamou_brenier.gap_scale import scale_of_gap
from ...transport.benamou_brenier.operators import (
    Staggering,
    continuity,
    eliminate,
    energies,
    faces,
    hamilton_jacobi,
    slack_equation,
)
from .certificate import ONCE, THINNINGS, Certificate, advance, downstream, kinetic, limit_downstream, momentum, thin
from .relaxation import relax

PENALTY = 1e-6
DUAL_SWEEPS = 5
"""Relaxations of a potential before its bound is taken."""


@dataclass
class Point:
    """A dual potential, what follows from it, and its value.  All arrays (ny, nx)."""

    phi: Array
    rho: Array
    value: float


class ConvexStep:
    """The data of one step and the maps between its unknowns.

    rho0 : (ny, nx) ≥ 0.   potential : (ny, nx) V (with W∗ρ where frozen), energy/mass.   tau : > 0.
    """

    def __init__(self, stagger: Staggering, internal: Internal, rho0: Array, potential: Array, tau: float) -> None:
        self.stagger, self.internal, self.rho0, self.tau = stagger, internal, rho0, tau
        self.code, self.m = internal.code, internal.m
        self.c = tau * internal.kappa
        self.tau_v = tau * potential
        self.mass = self.integral(rho0)
        self._rows, self._rows2 = np.zeros(stagger.shape[0]), np.zeros(stagger.shape[0])

    @property
    def barrier(self) -> bool:
        return self.internal.empties

    def integral(self, values: Array) -> float:
        return float(np.sum(np.sum(self.stagger.volume * values, axis=-1)))

    def energy_scale(self) -> float:
        """τ(|∫U(ρ⁰)| + ∫(V − min V)ρ⁰) per volume, and a little of V's range: the size of a barrier that matters."""
        internal, _ = self._energies(self.rho0)
        lowest, highest = float(self.tau_v.min()), float(self.tau_v.max())
        potential = self.integral((self.tau_v - lowest) * self.rho0) + 1e-3 * (highest - lowest) * self.mass
        return (abs(internal) + potential) / self.stagger.total

    def point(self, phi: Array, mu: float, guess: Array | None = None) -> Point:
        """ρ and the value that belong to φ; the value is −inf outside the dual's domain."""
        s = self.stagger
        rho = s.zeros() if guess is None else guess.copy()
        law = self.code, self.c, self.m, mu
        s.share(eliminate, phi, self.tau_v, self.rho0, *law, s.volume, s.ax, s.ay, rho, self._rows)
        value = float(np.sum(self._rows))
        return Point(phi, rho, value if math.isfinite(value) else -math.inf)

    def depth(self, phi: Array) -> Array:
        """y = k(φ) − φ − τV, what the dual makes its density from."""
        s = self.stagger
        k = s.zeros()
        s.share(hamilton_jacobi, phi, s.ax, s.ay, k)
        return k - phi - self.tau_v

    def dual(self, phi: Array) -> float:
        """D(φ) without barrier; for U = none φ is first shifted by the constant that makes it feasible."""
        if not self.internal.law.vanishes:
            return self.point(phi, 0.0).value
        depth = self.depth(phi)
        return -self.integral(self.rho0 * (depth + 2.0 * phi + self.tau_v)) - float(np.max(depth)) * self.mass

    def relax(self, bad: Array, phi: Array) -> None:
        """Maximise the dual without barrier over φ in the cells with bad > 0, one after another, in place."""
        s = self.stagger
        reach = 100.0 * self.c * self.internal.law.dual_scale(float(self.rho0.max()), self.m)
        relax(bad, phi, self.tau_v, self.rho0, s.volume, self.code, self.c, self.m, reach, s.ax, s.ay)

    def best_dual(self, phi: Array, expected: Array) -> tuple[Array, float]:
        """D(φ), after relaxation of the cells whose ρ(φ) lies far above `expected`; the φ that has it, and D.

        In vacuum the equation for φ has next to no weight, and a stray φ would cost the bound.
        """
        if self.internal.law.vanishes:
            return self._best_dual_without_energy(phi)
        least = 1e-14 * self.mass / self.stagger.total
        point = self.point(phi, 0.0)
        for _ in range(DUAL_SWEEPS):
            bad = (point.rho > 4.0 * expected + least).astype(float)
            if not bad.any():
                break
            mended = point.phi.copy()
            self.relax(bad, mended)
            fresh = self.point(mended, 0.0)
            if not fresh.value > point.value:
                break
            point = fresh
        return point.phi, point.value

    def _best_dual_without_energy(self, phi: Array) -> tuple[Array, float]:
        """The same for U = none, where one stray cell shifts all of φ: relaxation with a stiff law, m = 2."""
        s, best = self.stagger, (phi, self.dual(phi))
        span = float(self.tau_v.max() - self.tau_v.min())
        c = PENALTY * span / max(float(self.rho0.max()), 1e-300)
        for _ in range(DUAL_SWEEPS):
            bad = (self.depth(best[0]) > 0.0).astype(float)
            if not bad.any() or not c > 0.0:
                break
            mended = best[0].copy()
            relax(bad, mended, self.tau_v, self.rho0, s.volume, POWER, c, 2.0, span, s.ax, s.ay)
            value = self.dual(mended)
            if not value > best[1]:
                break
            best = mended, value
        return best

    def coefficients(self, phi: Array, rho: Array, slack: Array, out: list[Array]) -> None:
        """out = [c, gx, gy, bx, by] of the condensed operator at (φ, ρ, s)."""
        s = self.stagger
        law = self.code, self.c, self.m
        s.share(faces, phi, self.rho0, rho, slack, *law, s.hx, s.hy, s.ax, s.ay, *out)

    def residual(self, phi: Array, rho: Array, gx: Array, gy: Array, out: Array) -> float:
        """out = r₂, integrated residual of the continuity equation; returns its L¹ norm over the mass."""
        s = self.stagger
        s.share(continuity, phi, self.rho0, rho, gx, gy, s.hx, s.hy, out, self._rows)
        return float(np.sum(self._rows)) / self.mass

    def slack_residual(self, phi: Array, rho: Array, slack: Array, out: Array) -> tuple[float, float]:
        """out = r₁ = τE'(ρ) + φ − k(φ) − s; returns ∫ρ|r₁| and ∫ρs."""
        s = self.stagger
        law = self.code, self.c, self.m
        s.share(slack_equation, phi, rho, slack, self.tau_v, *law, s.volume, s.ax, s.ay, out, self._rows, self._rows2)
        return float(np.sum(self._rows)), float(np.sum(self._rows2))

    def certify(self, phi: Array, expected: Array, gx: Array, gy: Array) -> Certificate:
        """A feasible end of the step from φ and the conductances at the present ρ, and its gap."""
        s = self.stagger
        flux_x, flux_y, rho = s.zeros(), s.zeros(), s.zeros()
        s.share(momentum, phi, gx, gy, flux_x, flux_y)
        order, limited = np.empty(rho.size, np.int64), 0
        order = order[: downstream(flux_x, flux_y, order, np.empty(rho.shape, np.int64))]
        for thinned in range(THINNINGS + 1):
            needy = limit_downstream(order, self.rho0, expected, s.volume, flux_x, flux_y, ONCE)
            limited = max(limited, needy)
            s.share(advance, self.rho0, s.volume, flux_x, flux_y, rho)
            if thinned < THINNINGS:
                s.share(thin, flux_x, flux_y, gx, gy, self.rho0, rho, s.volume, s.ax, s.ay, self._rows)
                if not np.sum(self._rows) > 0.0:
                    break
        s.share(kinetic, flux_x, flux_y, self.rho0, rho, s.volume, s.ax, s.ay, self._rows)
        transport = float(np.sum(self._rows))
        internal, potential = self._energies(rho)
        primal, (_, dual) = transport + internal + potential, self.best_dual(phi, expected)
        scale = scale_of_gap(s, rho, self.tau_v, (self.code, self.c, self.m), transport)
        gap = (primal - dual) / scale if scale > 0 else 0.0
        return Certificate(rho, flux_x, flux_y, primal, dual, transport, scale, gap, limited)

    def _energies(self, rho: Array) -> tuple[float, float]:
        s = self.stagger
        s.share(energies, rho, self.tau_v, self.code, self.c, self.m, s.volume, self._rows, self._rows2)
        return float(np.sum(self._rows)), float(np.sum(self._rows2))
