"""One convex JKO step by Newton's method: ascent on the dual, then all unknowns together.

    τE'(ρ) + φ − k(φ) − s = 0,     ρ − ρ⁰ + div(θ(½(ρ⁰+ρ))∇φ) = 0,     ρ s = μ → 0     (s = μ = 0 for entropy and m < 1)

Newton condenses to one SPD system, (GᵀDG + L) δφ = r₂ − GᵀD r₁, G = I − ½R(∇φ·∇), D = 1/(τU'' + s/ρ), L = −div θ∇.

1. Start (`start`): of the last step's φ, fractions of −τξ(ρ⁰) and 0, the one with the largest dual value.
2. Ascent.  (ρ, s) are eliminated, r₁ = 0: Newton on the concave D_μ with a line search, until the continuity residual
   is a tenth of the mass, at μ₀ = 1e-3 (1e-4 warm) of the energy.  Where that takes long, at a larger μ.
3. Laws with a barrier: interior point (`interior`), (ρ, φ, s) move together; where the boundary blocks, back to 2.
   Laws without: secant ascent (`secant`) to the end; where that takes long, from a larger temperature c = τκ down.
4. The step ends when its certificate closes, whatever path led there.

Measured, porous medium m = 2, 4, steps of 1–50 %, 64² … 512²: 4–15 iterations and 7–95 CG.  What lost: no ascent (15–48
iterations and more), ascent alone down to μ → 0 (17–50, up to 3,500 CG), full steps on (ρ − s, φ) (diverge), Mehrotra's
corrector (1.5–5 × the CG), CG to 1e-3 (twice the CG); for the entropy, tangents instead of secants (11–14 for 6–10).
References: Cancès, Gallouët, Todeschi (2020), DOI 10.1007/s00211-020-01153-9 (the discrete step);
Natale, Todeschi (2021), DOI 10.1007/s10915-020-01405-4 (an interior point for it).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import SolverError
from ..grid import Array
from ..linear.multigrid import Multigrid
from .certificate import Certificate
from .convex import ConvexStep, Point
from .interior import Interior
from .secant import SecantAscent
from .start import CENTRED, best_start

MAX_ITERATIONS = 200
ARMIJO = 1e-4
BARRIER_COLD, BARRIER_WARM = 1e-3, 1e-3
"""First μ over the energy per volume."""
ASCENT_STEPS, BARRIER_GROWTH = 10, 30.0
"""Ascent steps before μ is raised, and by how much."""
COOLING = 4.0
RETRIES = 6
"""Returns from the interior to the ascent before larger temperatures are tried."""
DUAL_NOISE = 1e-13
"""Relative rounding of the dual value, which a line search must not mistake for a decrease."""


@dataclass(frozen=True)
class Solution:
    """A solved step.

    phi, rho, slack : (ny, nx) the unknowns at the end (rho before it is made feasible).   certificate : see there.
    iterations, linear : Newton and CG iterations.   continuity : ‖r₂‖₁/mass.   hamilton_jacobi : ∫ρ|r₁| / scale.
    complementarity : ∫ρs / scale.
    """

    phi: Array
    rho: Array
    slack: Array
    certificate: Certificate
    iterations: int
    linear: int
    continuity: float
    hamilton_jacobi: float
    complementarity: float


class NewtonSolver:
    """Newton's method for the steps of one flow: buffers and hierarchy are made once.

    tolerance : relative gap.   max_iterations : Newton iterations before a step is given up.
    """

    def __init__(self, multigrid: Multigrid, shape: tuple[int, int], tolerance: float, max_iterations: int) -> None:
        self.multigrid, self.tolerance, self.max_iterations = multigrid, tolerance, max_iterations
        self.shape = shape
        self.coefficients = [np.zeros(shape) for _ in range(5)]

    def solve(self, step: ConvexStep, warm: Array | None = None) -> Solution:
        """The minimiser of the step, proved to the tolerance.  warm : φ of the step before.

        Raises SolverError where the certificate does not close; the message says how far it came.
        """
        return Attempt(self, step).run(warm)


class Attempt:
    """The solution of one step under way."""

    def __init__(self, solver: NewtonSolver, step: ConvexStep) -> None:
        self.solver, self.step = solver, step
        self.iterations = self.linear = 0
        self.centred = False
        self.rhs = np.zeros(solver.shape)
        self.none = np.zeros(solver.shape)

    def run(self, warm: Array | None) -> Solution:
        step = self.step
        unit = step.energy_scale()
        if step.mass == 0.0 or (step.barrier and unit == 0.0):  # nothing to move, or no reason to
            zero = np.zeros_like(step.rho0)
            step.coefficients(zero, step.rho0, zero, self.solver.coefficients)
            return self.finish(zero, step.rho0, zero, 0.0, 0.0, 0.0)
        if not step.barrier:
            return SecantAscent(self, best_start(step, warm, 0.0, self.solver.coefficients)).run()
        mu = (BARRIER_COLD if warm is None else BARRIER_WARM) * unit
        point = best_start(step, warm, mu, self.solver.coefficients)
        while True:
            point, mu = self.centre(point, mu)
            interior = Interior(self, point.phi, point.rho, mu / point.rho)
            solution = interior.run()
            if solution is not None:
                return solution
            mu = max(mu, interior.barrier) * 3.0
            point = step.point(interior.phi, mu)
            if not np.isfinite(point.value):
                point = best_start(self.step, None, mu, self.solver.coefficients)

    def centre(self, point: Point, mu: float) -> tuple[Point, float]:
        """A centred point, at a larger μ where the ascent takes too long at the present one."""
        while True:
            point = self.ascend(point, mu, CENTRED, most=ASCENT_STEPS)
            if self.centred:
                return point, mu
            mu *= BARRIER_GROWTH
            here, fresh = self.step.point(point.phi, mu), best_start(self.step, None, mu, self.solver.coefficients)
            point = here if here.value > fresh.value else fresh

    def anneal(self) -> Point:
        """A centred point by way of larger temperatures c = τκ: up until the ascent is quick, and down again."""
        step, cold = self.step, self.step.c
        try:
            while True:
                step.c *= BARRIER_GROWTH
                point = self.ascend(
                    best_start(step, None, 0.0, self.solver.coefficients), 0.0, CENTRED, most=ASCENT_STEPS
                )
                if self.centred:
                    break
            while step.c > cold:
                step.c = max(cold, step.c / COOLING)
                point = self.ascend(step.point(point.phi, 0.0), 0.0, CENTRED)
        finally:
            step.c = cold
        return point

    # ---- ascent ---------------------------------------------------------------------------------------------

    def ascend(self, point: Point, mu: float, target: float, least: int = 0, most: int = 10**6) -> Point:
        """Newton with a line search on D_μ until the continuity residual is below `target` of the mass.

        least, most : numbers of steps to take in any case, and at most.
        """
        count = 0
        while True:
            slack = mu / point.rho if mu > 0 else self.none
            residual = self.linearise(point, slack)
            self.centred = residual <= target
            if (self.centred and count >= least) or count >= most:
                return point
            point = self._ascent_step(point, mu, residual)
            count += 1

    def linearise(self, point: Point, slack: Array) -> float:
        out = self.solver.coefficients
        self.step.coefficients(point.phi, point.rho, slack, out)
        return self.step.residual(point.phi, point.rho, out[1], out[2], self.rhs)

    def _ascent_step(self, point: Point, mu: float, residual: float) -> Point:
        """One Newton step on D_μ with a line search; the point itself where no multiple of the step ascends."""
        move = self.solve_linear(self.rhs, self.forcing(residual))
        return self.search(point, move, mu)[0]

    def search(
        self, point: Point, move: Array, mu: float, least: float = 1e-10, whole: Point | None = None
    ) -> tuple[Point, float]:
        """The first of 1, ½, ¼ … ≥ least times the move that ascends enough, and that size; 0 where none does.

        whole : the point after the whole move, where it is known.
        """
        slope = float(np.sum(np.sum(move * self.rhs, axis=-1)))
        noise = DUAL_NOISE * (abs(point.value) + self.step.energy_scale() * self.step.stagger.total)
        size = 1.0
        while size >= least:
            if whole is not None and size == 1.0:
                trial = whole
            else:
                trial = self.step.point(point.phi + size * move, mu, point.rho)
            if trial.value >= point.value + ARMIJO * size * slope - noise:
                return trial, size
            size *= 0.5
        return point, 0.0

    # ---- shared with the interior point ---------------------------------------------------------------------

    def solve_linear(self, rhs: Array, rtol: float, total: bool = False) -> Array:
        """CG on the condensed system with the present coefficients; counts one Newton iteration.  total : see solve."""
        if self.iterations >= self.solver.max_iterations:
            raise self.failure(np.nan, f"{self.iterations} Newton iterations were spent")
        self.solver.multigrid.setup(*self.solver.coefficients)
        move, count, _ = self.solver.multigrid.solve(rhs, rtol, total=total)
        self.iterations += 1
        self.linear += count
        if not np.isfinite(np.sum(move)):
            raise self.failure(np.nan, "the linear solver broke down")
        return move

    def forcing(self, residual: float) -> float:
        """Relative tolerance of CG: superlinear convergence, and no more than the step needs to end."""
        return min(0.1, max(0.3 * residual**0.5, 1e-3 * self.solver.tolerance / residual, 1e-8))

    def finish(
        self, phi: Array, rho: Array, slack: Array, continuity: float, hamilton_jacobi: float, complementarity: float
    ) -> Solution:
        certificate = self.step.certify(phi, rho, self.solver.coefficients[1], self.solver.coefficients[2])
        return Solution(
            phi, rho, slack, certificate, self.iterations, self.linear, continuity, hamilton_jacobi, complementarity
        )

    def failure(self, gap: float, reason: str) -> SolverError:
        reached = "" if np.isnan(gap) else f"; the gap is {gap:.2g}, {self.solver.tolerance:.2g} was asked for"
        return SolverError(
            f"Newton's method did not solve the JKO step of tau = {self.step.tau:.3g}: {reason}{reached}"
        )
