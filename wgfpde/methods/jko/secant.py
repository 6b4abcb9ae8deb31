"""Ascent on the dual without barrier (entropy, m < 1) to its maximum, with secant stiffnesses.

Newton on D(φ) sees e^{y/c}: where ρ(φ) lies orders above its final value, a step lowers ln ρ by one; where it lies
below, a step overshoots.  Both are mended by the secant of the law between ρ = ρ(φ) and the density ρ̂ that the last
step predicted, instead of the tangent:

    (GᵀD̂G + L) δφ = ∇D(φ),     D̂ = (ρ − ρ̂)/(cU'(ρ) − cU'(ρ̂)),     ρ̂ ← ρ − D̂ G δφ

(for the entropy D̂ is the logarithmic mean over c).  The right-hand side is the exact gradient and the matrix is
positive, so δφ ascends and a line search makes the iteration converge from anywhere; near the end ρ̂ → ρ and it is
Newton's.  Cells that are all but empty could rocket and shorten everybody's step: their own move is shortened first.
"""

from __future__ import annotations

import numpy as np

from ...base.kernel_cache import njit
from ...energy.laws.by_code import slope, stiffness
from ...grid import Array
from .attempt import Attempt, Solution
from .convex import Point
from .interior import expand

PATIENCE = 40
"""Steps before larger temperatures are tried, and after them before the step is given up: shorter ones cost less."""
FALL, RISE = 1e-2, 1e8
"""A prediction is trusted between these factors of the present density."""
OVERSHOOT, STRICT, NEGLIGIBLE, RESTRAINTS, RELAXATIONS = 30.0, 3.0, 1e-14, 8, 3
"""Factors above the prediction, and above the present density, that are too much; density over its mean that is always
allowed; halvings and relaxations at most."""


@njit(cache=True, nogil=True, error_model="numpy")
def secants(first, last, rho, predicted, code, energy_c, m, volume, c):
    """c = vol D̂; the tangent where ρ̂ is within 1 % of ρ."""
    nx = rho.shape[1]
    for j in range(first, last):
        for i in range(nx):
            r, p = rho[j, i], predicted[j, i]
            if r <= 0.0:
                value = 0.0
            elif abs(p - r) <= 0.01 * r:
                value = stiffness(0.5 * (r + p), 0.0, code, energy_c, m)
            else:
                rise = slope(r, code, energy_c, m) - slope(p, code, energy_c, m)
                value = (r - p) / rise
            c[j, i] = volume[j, i] * value


@njit(cache=True, nogil=True, error_model="numpy")
def predict(first, last, rho, change, predicted):
    """predicted = ρ + change."""
    nx = rho.shape[1]
    for j in range(first, last):
        for i in range(nx):
            predicted[j, i] = rho[j, i] + change[j, i]


@njit(cache=True, nogil=True, error_model="numpy")
def trust(first, last, rho, predicted):
    """Keep the prediction within FALL and RISE of the density."""
    nx = rho.shape[1]
    for j in range(first, last):
        for i in range(nx):
            r = rho[j, i]
            predicted[j, i] = min(max(predicted[j, i], FALL * r), RISE * r)


@njit(cache=True, nogil=True, error_model="numpy")
def overshoots(first, last, trial, rho, predicted, factor, least, bad, rows):
    """bad = 1 where the trial density is above `factor` times what was and what was predicted, and above `least`."""
    nx = rho.shape[1]
    for j in range(first, last):
        count = 0.0
        for i in range(nx):
            bound = max(factor * max(rho[j, i], predicted[j, i]), least)
            bad[j, i] = 0.0 if trial[j, i] <= bound else 1.0
            count += bad[j, i]
        rows[j] = count


@njit(cache=True, nogil=True, error_model="numpy")
def restrain(first, last, bad, move):
    """Halve the move in the bad cells and in their neighbours, whose differences with them enter k(φ)."""
    ny, nx = move.shape
    for j in range(first, last):
        below, above = max(j - 1, 0), min(j + 1, ny - 1)
        for i in range(nx):
            left, right = max(i - 1, 0), min(i + 1, nx - 1)
            if bad[j, i] + bad[j, left] + bad[j, right] + bad[below, i] + bad[above, i] > 0.0:
                move[j, i] *= 0.5


class SecantAscent:
    """The ascent from a point; `attempt` is the solution under way, whose buffers are shared."""

    def __init__(self, attempt: Attempt, point: Point) -> None:
        self.attempt, self.step, self.point = attempt, attempt.step, point
        shape = point.rho.shape
        self.predicted = point.rho.copy()
        self.none, self.change, self.idle = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        self.rows = np.zeros(shape[0])
        self.stalled, self.sharpness = False, 1.0
        self.least = NEGLIGIBLE * self.step.mass / self.step.stagger.total

    def run(self) -> Solution:
        """Iterate until the certificate closes and the residual is a hundredth of the tolerance (or will not fall).

        Raises SolverError when the iterations are spent.
        """
        tolerance = self.attempt.solver.tolerance
        patience, last = self.attempt.iterations + PATIENCE, self.attempt.budget
        while True:
            if self.attempt.iterations == patience:
                self.point = self.attempt.anneal()
                self.predicted = self.point.rho.copy()
                last = self.attempt.iterations + PATIENCE
            residual = self.attempt.linearise(self.point, self.none)
            if residual <= 1e-2 * tolerance or (self.stalled and residual <= tolerance**0.5):
                phi, rho = self.point.phi, self.point.rho
                equation, _ = self.step.slack_residual(phi, rho, self.none, self.change)
                scale = self.attempt.unit * self.step.stagger.total
                equation = equation / scale if scale > 0.0 else equation
                found = self.attempt.finish(phi, rho, self.none, residual, equation, 0.0)
                if found.certificate.gap <= tolerance:
                    return found
            if self.attempt.iterations >= last:
                raise self.attempt.failure(np.nan, f"{self.attempt.iterations} Newton iterations were spent")
            self._move(residual)

    def _move(self, residual: float) -> None:
        """One step: secants, linear solve, prediction, restraint, line search."""
        step, attempt, stagger = self.step, self.attempt, self.step.stagger
        c, _, _, bx, by = attempt.solver.coefficients
        rho, none = self.point.rho, self.none
        stagger.share(secants, rho, self.predicted, step.code, step.c, step.m, stagger.volume, c)
        move = attempt.solve_linear(attempt.rhs, self.sharpness * attempt.forcing(residual), self.sharpness == 1.0)
        stagger.share(expand, move, rho, none, 0.0, stagger.volume, c, bx, by, none, self.change, self.idle, self.rows)
        stagger.share(predict, rho, self.change, self.predicted)
        whole = move.copy()
        trial = self._restrain(move, self.predicted, OVERSHOOT, 0)
        found, size = attempt.search(self.point, move, 0.0, 1.0, trial)
        self.stalled = size == 0.0
        if self.stalled:
            trial = self._restrain(whole, rho, STRICT, RESTRAINTS)
            found, _ = attempt.search(self.point, whole, 0.0, 1e-10, trial)
        self.point = found
        self.sharpness = max(0.1 * self.sharpness, 1e-4) if self.stalled else 1.0
        if self.stalled:
            self.predicted[:] = found.rho
        stagger.share(trust, self.point.rho, self.predicted)

    def _restrain(self, move: Array, predicted: Array, factor: float, halvings: int) -> Point:
        """Mend the move in cells whose density would overshoot, most of them all but empty: none may shorten the step
        of all the others.  First by relaxation of these cells alone, then by shortening the move where they stand.
        Returns the point at the end of the move."""
        step, stagger, bad = self.step, self.step.stagger, self.idle
        for sweep in range(RELAXATIONS + halvings + 1):
            trial = step.point(self.point.phi + move, 0.0)
            stagger.share(overshoots, trial.rho, self.point.rho, predicted, factor, self.least, bad, self.rows)
            if not np.sum(self.rows) > 0.0 or sweep == RELAXATIONS + halvings:
                break
            if sweep < RELAXATIONS:
                phi = trial.phi.copy()
                step.relax(bad, phi)
                move[:] = phi - self.point.phi
            else:
                stagger.share(restrain, bad, move)
        return trial
