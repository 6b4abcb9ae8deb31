"""The primal–dual interior point of a step with vacuum: (ρ, φ, s) move together to ρs = μ → 0.

    δρ = −D(r₁ + s − μ/ρ + G δφ),    δs = −s + μ/ρ − (s/ρ) δρ,    (GᵀDG + L) δφ = r₂ − GᵀD(r₁ + s − μ/ρ)

From afar all three take the same fraction of the step, 0.995 of the way to where a density or a slack would vanish.
From a prediction φ takes the whole step, and each cell goes its own way:

    ρ ← ρ(1 + r) for r = δρ/ρ ≥ −½,    ρ/(4|r|) below;    s likewise

with the same value and slope at r = −½.  So ρ and s stay positive, and no cell shortens the step of another: at a free
boundary, where the prediction is a cell off, one cell in ten thousand held the common fraction to 0.03 … 0.3.

There the linear systems are solved more finely for m > 2, whose U'' vanishes with ρ: what conjugate gradients leave in
all but empty cells is δρ many times ρ.  Measured, double well, τ = 0.01 and 0.05, m = 4 and 8: residuals left at 3e-2
end the iteration after 3 of them, those left at 3e-3 do not.
"""

from __future__ import annotations

import math

import numpy as np

from ...base.kernel_cache import njit
from ...grid import Array
from .attempt import Attempt, Solution

BOUNDARY = 0.995
REDUCTION = 0.1
FORCING, FINER = 0.03, 0.003
"""What a linear solution leaves of its residual; the second from a prediction for m > 2."""
FALLS = 0.5
"""Where a continuity residual falls by less than this factor, linear solutions hold it up: the next is finer."""
BEHIND = 1.0
"""μ waits while the continuity residual exceeds this times the square root of the complementarity."""
BLOCKED = 0.05
"""Steps shorter than this are blocked by the boundary; BLOCKS of them in a row send the iteration back."""
BLOCKS = 3


@njit(cache=True, nogil=True, error_model="numpy")
def condense(first, last, r1, rho, slack, mu, volume, c, q):
    """q = c (r₁ + s − μ/ρ), c = vol D."""
    nx = rho.shape[1]
    for j in range(first, last):
        for i in range(nx):
            barrier = slack[j, i] - mu / rho[j, i] if mu > 0.0 else 0.0
            q[j, i] = c[j, i] * (r1[j, i] + barrier)


@njit(cache=True, nogil=True, error_model="numpy")
def subtract_transposed(first, last, q, bx, by, rhs):
    """rhs ← rhs − Gᵀq."""
    ny, nx = q.shape
    for j in range(first, last):
        below, above = (j - 1) % ny, (j + 1) % ny
        for i in range(nx):
            left = i - 1 if i > 0 else nx - 1
            right = i + 1 if i < nx - 1 else 0
            here = q[j, i]
            value = here + bx[j, i] * (here + q[j, right]) - bx[j, left] * (here + q[j, left])
            rhs[j, i] -= value + by[j, i] * (here + q[above, i]) - by[below, i] * (here + q[below, i])


@njit(cache=True, nogil=True, error_model="numpy")
def expand(first, last, move, rho, slack, mu, volume, c, bx, by, q, move_rho, move_slack, rows):
    """δρ = −(q + cGδφ)/vol, δs = −s + μ/ρ − (s/ρ)δρ; rows (ny,) the largest of −δρ/ρ and −δs/s."""
    ny, nx = rho.shape
    for j in range(first, last):
        below, above = (j - 1) % ny, (j + 1) % ny
        worst = 0.0
        for i in range(nx):
            left = i - 1 if i > 0 else nx - 1
            right = i + 1 if i < nx - 1 else 0
            p = move[j, i]
            value = p - bx[j, i] * (move[j, right] - p) - bx[j, left] * (p - move[j, left])
            value -= by[j, i] * (move[above, i] - p) + by[below, i] * (p - move[below, i])
            r, s = rho[j, i], slack[j, i]
            step = -(q[j, i] + c[j, i] * value) / volume[j, i]
            other = -s + (mu - s * step) / r if s > 0.0 else 0.0
            move_rho[j, i] = step
            move_slack[j, i] = other
            if r > 0.0:
                worst = max(worst, -step / r)
            if s > 0.0:
                worst = max(worst, -other / s)
        rows[j] = worst


@njit(cache=True, nogil=True, error_model="numpy")
def move_cells(first, last, rho, move_rho, slack, move_slack, phi, move, size):
    """(ρ, s, φ) ← (ρ, s, φ) + size · (δρ, δs, δφ)."""
    nx = rho.shape[1]
    for j in range(first, last):
        for i in range(nx):
            rho[j, i] += size * move_rho[j, i]
            slack[j, i] += size * move_slack[j, i]
            phi[j, i] += size * move[j, i]


@njit(cache=True, nogil=True, forceinline=True, error_model="numpy")
def kept_positive(value, change):
    """value + change where that is at least half of value > 0, else value²/(4|change|): positive, with one slope."""
    if change >= -0.5 * value:
        return value + change
    return 0.25 * value * (value / -change)


@njit(cache=True, nogil=True, error_model="numpy")
def move_apart(first, last, rho, move_rho, slack, move_slack):
    """(ρ, s) ← (ρ + δρ, s + δs), each cell by itself and kept positive."""
    nx = rho.shape[1]
    for j in range(first, last):
        for i in range(nx):
            rho[j, i] = kept_positive(rho[j, i], move_rho[j, i])
            slack[j, i] = kept_positive(slack[j, i], move_slack[j, i])


class Interior:
    """The interior point from a centred (φ, ρ, s); `solve` is the solution under way, whose buffers are shared.

    apart : whether cells go their own way, from a prediction.
    """

    def __init__(self, solve: Attempt, phi: Array, rho: Array, slack: Array, apart: bool = False) -> None:
        self.solve, self.step, self.apart = solve, solve.step, apart
        self.phi, self.rho, self.slack = phi, rho.copy(), slack.copy()
        self.r1, self.q, self.move_rho, self.move_slack = (np.zeros(rho.shape) for _ in range(4))
        self.rows = np.zeros(rho.shape[0])
        self.barrier = 0.0
        self.forcing, self.reduction = FINER if apart and self.step.m > 2.0 else FORCING, REDUCTION
        self.last = math.inf
        self.scale = solve.unit * self.step.stagger.total

    def run(self, most: int = 10**6) -> Solution | None:
        """Iterate until the certificate closes; None where the boundary blocks, the residuals grow, or after `most`."""
        blocked, best = 0, math.inf
        for count in range(most + 1):
            continuity, equation, complementarity = self._residuals()
            if not math.isfinite(continuity + equation):
                return None
            behind = continuity > BEHIND * complementarity**0.5
            self.reduction = 1.0 if behind else REDUCTION
            self._sharpen(continuity, behind)
            estimate = complementarity + equation + continuity**2
            if estimate <= 1e3 * self.solve.solver.tolerance:
                found = self.solve.finish(self.phi, self.rho, self.slack, continuity, equation, complementarity)
                if found.certificate.gap <= self.solve.solver.tolerance:
                    return found
            if count == most or blocked >= BLOCKS or continuity > 100.0 * max(best, 1e-3):
                return None
            best = min(best, continuity)
            blocked = blocked + 1 if self._move() < BLOCKED else 0
        return None

    def _sharpen(self, continuity: float, behind: bool) -> None:
        """How finely the next linear system is solved."""
        slow = continuity > FALLS * self.last if self.apart else behind
        if slow:
            self.forcing = max(0.1 * self.forcing, 1e-8)
        elif not self.apart:
            self.forcing = FORCING
        self.last = continuity

    def _residuals(self) -> tuple[float, float, float]:
        """Residuals at the present point, and the coefficients for the next step: continuity, HJ, complementarity."""
        step, out = self.step, self.solve.solver.coefficients
        equation, product = step.slack_residual(self.phi, self.rho, self.slack, self.r1)
        step.coefficients(self.phi, self.rho, self.slack, out)
        continuity = step.residual(self.phi, self.rho, out[1], out[2], self.solve.rhs)
        self.barrier = product / step.stagger.total
        return continuity, equation / self.scale, product / self.scale

    def _move(self) -> float:
        """One Newton step towards a tenth of the present barrier; returns the fraction of it that φ took."""
        c, _, _, bx, by = self.solve.solver.coefficients
        mu, stagger, rhs = self.reduction * self.barrier, self.step.stagger, self.solve.rhs
        stagger.share(condense, self.r1, self.rho, self.slack, mu, stagger.volume, c, self.q)
        stagger.share(subtract_transposed, self.q, bx, by, rhs)
        move = self.solve.solve_linear(rhs, self.forcing, patient=self.apart)
        changes = self.move_rho, self.move_slack
        stagger.share(expand, move, self.rho, self.slack, mu, stagger.volume, c, bx, by, self.q, *changes, self.rows)
        if self.apart:
            stagger.share(move_apart, self.rho, changes[0], self.slack, changes[1])
            self.phi = self.phi + move
            return 1.0
        worst = float(np.max(self.rows))
        size = min(1.0, BOUNDARY / worst) if worst > 0 else 1.0
        self.phi = self.phi.copy()
        stagger.share(move_cells, self.rho, changes[0], self.slack, changes[1], self.phi, move, size)
        return size
