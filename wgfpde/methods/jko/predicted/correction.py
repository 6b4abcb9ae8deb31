"""Newton's method on density and potential together, from a prediction, for laws without vacuum (entropy, m < 1).

    r₁ = τE'(ρ) + φ − k(φ),    r₂ = ρ − ρ⁰ + div(θ(½(ρ⁰+ρ))∇φ),
    (GᵀDG + L + L_ε) δφ = r₂ − GᵀD r₁,    δρ = −D(r₁ + G δφ)

ρ need not be the ρ(φ) of the dual, in which a stray φ makes e^{y/c}: every step is whole, and ρ alone is held positive,
cell by cell, ρ(1 + d) for d = δρ/ρ > 0 and ρ e^d else.  No cell shortens the step of another.

L_ε = −ε ρ̄ Δ, ρ̄ the mean density, stands in the matrix only.  Where ρ is below ε ρ̄ the continuity equation has next to
no weight, and its φ would be noise that the dual exponentiates; L_ε carries the change of φ on smoothly from where
there is mass.  The residuals are the true ones, so that the end is the same, but for a residual of about ε in all.

Measured, double well, 512², N(0, 0.05 I) and N(0, 0.25 I), τ = 1e-3 … 0.05: 3–6 iterations with 10–28 of CG for
ε = 1e-14, 1e-12 and 1e-10 alike; τ = 1 and 10 at 256²: 3–6 with 9–19.  Without L_ε it diverges in the third step.
What lost: ρ⁰ raised to 1e-13 of a Gibbs state (needed in no case), ρ/(1 − d) in place of ρ e^d (1–2 iterations more).
"""

from __future__ import annotations

import math

import numpy as np

from ....base.kernel_cache import njit
from ....grid import Array
from ....transport.benamou_brenier.operators import along_x, along_y
from ..attempt import Attempt, Solution
from ..interior import condense, expand, subtract_transposed

THIN = 1e-12
"""ε: the density, over its mean, below which φ is carried on rather than solved for."""
MOST = 15
"""Iterations before the correction is given up."""
GROWTH = 10.0
"""Of the residual over its least, after which it is."""
STEEPEST = -50.0
"""Of d: a density falls by e^50 at most in one step, and does not vanish."""
SLOW = 0.5
"""A fall of the residual by less than this factor, below the root of the tolerance, is the end of its digits."""


@njit(cache=True, nogil=True, error_model="numpy")
def carry_on(first, last, density, volume, ax, ay, gx, gy):
    """g += conductance of a uniform density on every face."""
    nx = volume.shape[1]
    for j in range(first, last):
        for i in range(nx):
            mass = density * volume[j, i]
            gx[j, i] += mass * along_x(ax, j, i) * along_x(ax, j, i)
            gy[j, i] += mass * along_y(ay, j, i) * along_y(ay, j, i)


@njit(cache=True, nogil=True, error_model="numpy")
def move_density(first, last, change, rho):
    """ρ ← ρ + change where that is more, else ρ e^(change/ρ), the same to first order and positive."""
    nx = rho.shape[1]
    for j in range(first, last):
        for i in range(nx):
            r, d = rho[j, i], change[j, i]
            if d >= 0.0:
                rho[j, i] = r + d
            elif r > 0.0:
                rho[j, i] = r * math.exp(max(d / r, STEEPEST))


class Correction:
    """The iteration from (φ, ρ); `attempt` is the solution under way, whose buffers are shared."""

    def __init__(self, attempt: Attempt, phi: Array, rho: Array) -> None:
        self.attempt, self.step = attempt, attempt.step
        self.phi, self.rho = phi, rho.copy()
        shape = rho.shape
        self.r1, self.q, self.change, self.idle, self.none = (np.zeros(shape) for _ in range(5))
        self.rows = np.zeros(shape[0])
        self.scale = attempt.unit * self.step.stagger.total
        self.continuity = self.equation = math.inf

    def residual(self) -> float:
        """Linearises at the present point.  Returns (‖r₂‖₁ + ‖D r₁‖₁)/mass: by how much ρ is wrong, relative."""
        step, out = self.step, self.attempt.solver.coefficients
        equation, _ = step.slack_residual(self.phi, self.rho, self.none, self.r1)
        self.equation = equation / self.scale if self.scale > 0.0 else equation
        self.continuity = self.attempt.linearise_at(self.phi, self.rho, self.none)
        step.stagger.share(condense, self.r1, self.rho, self.none, 0.0, step.stagger.volume, out[0], self.q)
        return self.continuity + float(np.sum(np.sum(np.abs(self.q), axis=-1))) / step.mass

    def run(self) -> Solution | None:
        """Iterate until the residual is a hundredth of the tolerance, or will not fall, and the certificate closes.

        None where it does not.  Raises SolverError when the iterations that the solver allows are spent.
        """
        tolerance, least, last = self.attempt.solver.tolerance, math.inf, math.inf
        for count in range(MOST + 1):
            residual = self.residual()
            if not residual <= GROWTH * least:  # also where it is not a number
                return None
            ended = residual <= 1e-2 * tolerance
            if ended or (residual > SLOW * last and residual <= tolerance**0.5):
                found = self.attempt.finish(self.phi, self.rho, self.none, self.continuity, self.equation, 0.0)
                if found.certificate.gap <= tolerance:
                    return found
            if count == MOST:
                return None
            least, last = min(least, residual), residual
            self._move(residual)
        return None

    def _move(self, residual: float) -> None:
        """One whole Newton step."""
        attempt, stagger = self.attempt, self.step.stagger
        c, gx, gy, bx, by = attempt.solver.coefficients
        stagger.share(subtract_transposed, self.q, bx, by, attempt.rhs)
        density = THIN * self.step.mass / stagger.total
        stagger.share(carry_on, density, stagger.volume, stagger.ax, stagger.ay, gx, gy)
        move = attempt.solve_linear(attempt.rhs, attempt.forcing(residual), True)
        changes = self.change, self.idle
        stagger.share(expand, move, self.rho, self.none, 0.0, stagger.volume, c, bx, by, self.q, *changes, self.rows)
        stagger.share(move_density, self.change, self.rho)
        self.phi = self.phi + move
