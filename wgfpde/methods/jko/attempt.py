"""The solution of one step under way: what the phases of Newton's method share.

Linearisation at a point, the condensed linear system, the line search on the dual, the plain ascent, and the end of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...errors import SolverError
from ...grid import Array
from ...linear.multigrid.solver import Multigrid
from .certificate import Certificate
from .convex import ConvexStep, Point
from .predicted.start import CENTRED, best_start

ARMIJO = 1e-4
ASCENT_STEPS, GROWTH, COOLING = 10, 30.0, 4.0
"""Ascent steps before the barrier or the temperature is raised, by how much, and by how much the latter falls again."""
PATIENT = {"max_iterations": 400, "patience": 200}
"""Of CG where mass crosses many cells in a step and U'' is small: fronts of m = 8 take hundreds of iterations."""
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

    def lifted(self, height: float, mass: float) -> Solution:
        """The solution of the same step with a τV that is higher by a constant."""
        return replace(self, phi=self.phi - height, certificate=self.certificate.lifted(height * mass))


class Workspace:
    """What one step after the other uses again: hierarchy and buffers, made once.

    shape : (ny, nx).   tolerance : relative gap.   max_iterations : Newton iterations before a step is given up.
    coefficients : c, gx, gy, bx, by of the condensed operator.
    """

    def __init__(self, multigrid: Multigrid, shape: tuple[int, int], tolerance: float, max_iterations: int) -> None:
        self.multigrid, self.tolerance, self.max_iterations = multigrid, tolerance, max_iterations
        self.shape = shape
        self.coefficients = [np.zeros(shape) for _ in range(5)]


class Attempt:
    """One step under way.

    iterations, linear : spent so far.   budget : iterations that may be.   rhs : residual of the last linearisation.
    """

    def __init__(self, solver: Workspace, step: ConvexStep) -> None:
        self.solver, self.step, self.unit = solver, step, step.energy_scale()
        self.iterations = self.linear = 0
        self.budget = solver.max_iterations
        self.centred = False
        self.rhs = np.zeros(solver.shape)
        self.none = np.zeros(solver.shape)

    def ascend(self, point: Point, mu: float, target: float, most: int = 10**6) -> Point:
        """Newton with a line search on D_μ until the continuity residual is below `target` of the mass (`centred`)."""
        count = 0
        while True:
            slack = mu / point.rho if mu > 0 else self.none
            residual = self.linearise(point, slack)
            self.centred = residual <= target
            if self.centred or count >= most:
                return point
            point = self._ascent_step(point, mu, residual)
            count += 1

    def linearise(self, point: Point, slack: Array) -> float:
        return self.linearise_at(point.phi, point.rho, slack)

    def linearise_at(self, phi: Array, rho: Array, slack: Array) -> float:
        """The coefficients at (φ, ρ, s) and the continuity residual into `rhs`; returns its L¹ norm over the mass."""
        out = self.solver.coefficients
        self.step.coefficients(phi, rho, slack, out)
        return self.step.residual(phi, rho, out[1], out[2], self.rhs)

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
        noise = DUAL_NOISE * (abs(point.value) + self.unit * self.step.stagger.total)
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

    def solve_linear(self, rhs: Array, rtol: float, total: bool = False, patient: bool = False) -> Array:
        """CG on the condensed system with the present coefficients; counts one Newton iteration.

        total : see `Multigrid.solve`.   patient : whether to go on where CG is slow.
        """
        if self.iterations >= self.budget:
            raise self.failure(np.nan, f"{self.iterations} Newton iterations were spent")
        self.solver.multigrid.setup(*self.solver.coefficients)
        most = PATIENT if patient else {}
        move, count, _ = self.solver.multigrid.solve(rhs, rtol, total=total, **most)
        self.iterations += 1
        self.linear += count
        if not np.isfinite(np.sum(move)):
            raise self.failure(np.nan, "the linear solver broke down")
        return move

    def forcing(self, residual: float) -> float:
        """Relative tolerance of CG: superlinear convergence, and no more than the step needs to end."""
        return min(0.1, max(0.3 * residual**0.5, 1e-3 * self.solver.tolerance / max(residual, 1e-300), 1e-8))

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

    def anneal(self) -> Point:
        """A centred point by way of larger temperatures c = τκ: up until the ascent is quick, and down again.

        The entropy: ρ/ρ̄ keeps its y = c ln(ρ/ρ̄), ρ̄ the mean, so that the unit of mass does not matter.
        """
        step, cold = self.step, self.step.c
        log_mean = float(np.log(step.mass / step.stagger.total)) if step.internal.law.linear_diffusion else 0.0
        try:
            while True:
                step.c *= GROWTH
                point = self.ascend(
                    best_start(step, None, 0.0, self.solver.coefficients), 0.0, CENTRED, most=ASCENT_STEPS
                )
                if self.centred:
                    break
            while step.c > cold:
                warm, step.c = step.c, max(cold, step.c / COOLING)
                phi = point.phi + (warm - step.c) * log_mean
                point = self.ascend(step.point(phi, 0.0), 0.0, CENTRED)
        finally:
            step.c = cold
        return point
