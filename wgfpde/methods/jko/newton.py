"""One convex JKO step by Newton's method: ascent on the dual, then all unknowns together.

    τE'(ρ) + φ − k(φ) − s = 0,     ρ − ρ⁰ + div(θ(½(ρ⁰+ρ))∇φ) = 0,     ρ s = μ → 0     (s = μ = 0 for entropy and m < 1)

Newton condenses to one SPD system, (GᵀDG + L) δφ = r₂ − GᵀD r₁, G = I − ½R(∇φ·∇), D = 1/(τU'' + s/ρ), L = −div θ∇.

0. The step is predicted (`predicted.prediction`).  Laws without a barrier: ρ and φ are corrected together
   (`predicted.correction`), 3–6 iterations on every grid.  Power laws with one: 3 from there, with ρ of the prediction,
   at μ₀ = 1e-4 of the energy, each cell going its own way: 4–10 iterations.  Where that does not end, and without
   internal energy:
1. Start (`start`): of the last step's φ, fractions of −τξ(ρ⁰) and 0, the one with the largest dual value.
2. Ascent.  (ρ, s) are eliminated, r₁ = 0: Newton on the concave D_μ with a line search, until the continuity residual
   is a tenth of the mass, at μ₀ = 1e-3 of the energy.  Where that takes long, at a larger μ.
3. Laws with a barrier: interior point (`interior`), (ρ, φ, s) move together; where the boundary blocks, back to 2.
   Laws without: secant ascent (`secant`) to the end; where that takes long, from a larger temperature c = τκ down.
4. The step ends when its certificate closes, whatever path led there.

Measured, porous medium m = 2, 4, steps of 1–50 %, 64² … 512²: 5–17 iterations, 13–110 CG.  What lost: no ascent (15–48
iterations and more), ascent alone down to μ → 0 (17–50, up to 3,500 CG), full steps on (ρ − s, φ) (diverge), Mehrotra's
corrector (1.5–5 × the CG), CG to 1e-3 (twice the CG), a first μ of 1e-4 warm (fewer steps at m = 2 and 64², more at
m = 4 and 256²); for the entropy, tangents instead of secants (11–14 for 6–10).
References: Cancès, Gallouët, Todeschi (2020), DOI 10.1007/s00211-020-01153-9 (the discrete step);
Natale, Todeschi (2021), DOI 10.1007/s10915-020-01405-4 (an interior point for it).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress

import numpy as np

from ...errors import SolverError
from ...grid import Array
from ...linear.multigrid.solver import Multigrid
from .attempt import ASCENT_STEPS, GROWTH, Attempt, Solution, Workspace
from .convex import ConvexStep, Point
from .interior import Interior
from .predicted.correction import Correction
from .predicted.prediction import Predictor
from .predicted.start import CENTRED, best_start, candidate
from .secant import SecantAscent, restrain

MAX_ITERATIONS = 200
BARRIER, BARRIER_PREDICTED = 1e-3, 1e-4
"""First μ over the energy per volume, and from a prediction."""
FLOOR, INSIDE = 1e-3, 4
"""Of a predicted density beside what it predicts, over the mean; the iterations from there: two for each digit of the
tolerance, as s falls to 0.28 of itself in each, and so many more."""


class NewtonSolver(Workspace):
    """Newton's method for the steps of one flow."""

    def __init__(
        self,
        multigrid: Multigrid,
        shape: tuple[int, int],
        tolerance: float,
        max_iterations: int,
        predictor: Predictor | None = None,
    ) -> None:
        """predictor : of the flow; without it every step starts from the best of a few potentials."""
        super().__init__(multigrid, shape, tolerance, max_iterations)
        self.predictor = predictor

    def solve(self, step: ConvexStep, warm: Array | None = None, last: Solution | None = None) -> Solution:
        """The minimiser of the step, proved to the tolerance.  warm : φ of the step before.

        last : the solution of the same step in a potential nearby, which is then the one to start from.

        Raises SolverError where the certificate does not close; the message says how far it came.
        """
        attempt, warm = Attempt(self, step), warm if last is None else last.phi
        if step.mass == 0.0 or (step.barrier and attempt.unit == 0.0):  # nothing to move, or no reason to
            zero = np.zeros_like(step.rho0)
            step.coefficients(zero, step.rho0, zero, self.coefficients)
            return attempt.finish(zero, step.rho0, zero, 0.0, 0.0, 0.0)
        if not step.barrier:
            found = self._tried(attempt, lambda: self._predicted(attempt, last))
            if found is not None:
                return found
            return SecantAscent(attempt, best_start(step, warm, 0.0, self.coefficients)).run()
        found = self._tried(attempt, lambda: self._inside(attempt))
        if found is not None:
            return found
        mu = BARRIER * attempt.unit
        point = best_start(step, warm, mu, self.coefficients)
        while True:
            point, mu = self._centre(attempt, point, mu)
            interior = Interior(attempt, point.phi, point.rho, mu / point.rho)
            solution = interior.run()
            if solution is not None:
                return solution
            mu = max(mu, interior.barrier) * 3.0
            point = step.point(interior.phi, mu)
            if not np.isfinite(point.value):
                point = best_start(step, None, mu, self.coefficients)

    def _tried(self, attempt: Attempt, way: Callable[[], Solution | None]) -> Solution | None:
        """What a quick way finds, None where it fails; its iterations are not taken from those of the slow one."""
        found = None
        with suppress(SolverError):
            found = way()
        attempt.budget += attempt.iterations
        return found

    def _predicted(self, attempt: Attempt, last: Solution | None) -> Solution | None:
        """By correction of the last solution where it is near, else of a prediction; None where that fails."""
        if last is not None:
            near = Correction(attempt, last.phi, last.rho)
            if near.residual() <= CENTRED:
                return near.run()
        if self.predictor is None:
            return None
        step, predicted = attempt.step, self.predictor(attempt.step)
        rest = candidate(step, np.zeros(self.shape), 0.0)  # φ = 0 makes a Gibbs state an exact fixed point
        moved = step.integral(np.abs(rest.rho - step.rho0)) / step.mass if np.isfinite(rest.value) else np.inf
        found = None if predicted is None else Correction(attempt, *predicted)
        if moved < (CENTRED if found is None else min(CENTRED, found.residual())):
            found = Correction(attempt, rest.phi, rest.rho)
        return None if found is None else found.run()

    def _inside(self, attempt: Attempt) -> Solution | None:
        """By interior points from a prediction, few of them; None where that does not get there.

        ρ is the predicted one where there is mass; beside it what the barrier and φ make, at most FLOOR of the mean, as
        a small error of φ makes much of ρ for large m.  s = μ/ρ is central everywhere.
        """
        step = attempt.step
        predicted = None if self.predictor is None or step.internal.law.vanishes else self.predictor(step)
        if predicted is None:
            return None
        phi, rho = predicted
        mu = BARRIER_PREDICTED * attempt.unit
        around = np.minimum(step.point(phi, mu).rho, FLOOR * step.mass / step.stagger.total)
        rho = np.maximum(rho, around)
        return Interior(attempt, phi, rho, mu / rho, apart=True).run(
            INSIDE + 2 * math.ceil(-math.log10(min(self.tolerance, 1.0)))
        )

    def _centre(self, attempt: Attempt, point: Point, mu: float) -> tuple[Point, float]:
        """A centred point, at a larger μ where the ascent takes too long at the present one."""
        while True:
            point = attempt.ascend(point, mu, CENTRED, most=ASCENT_STEPS)
            if attempt.centred:
                return point, mu
            mu *= GROWTH
            here, fresh = attempt.step.point(point.phi, mu), best_start(attempt.step, None, mu, self.coefficients)
            point = here if here.value > fresh.value else fresh


def compile_rare(multigrid: Multigrid, step: ConvexStep) -> None:
    """Call the kernels that only hard steps need, on a small one."""
    with suppress(SolverError):
        NewtonSolver(multigrid, step.rho0.shape, 1e-8, 3).solve(step)
    bad = step.stagger.zeros()
    step.relax(bad, step.stagger.zeros())
    step.stagger.share(restrain, bad, step.stagger.zeros())
