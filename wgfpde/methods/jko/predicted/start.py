"""Where Newton's method starts: the best of a few dual potentials.

−τξ(ρ⁰) is right to first order in τ, φ = 0 belongs to the state of equal ξ, which large steps are near; fractions of
the first lie between.  Where the dual has a domain, or a density that scales (entropy), a constant is added to φ so
that its density has the right mass.  Where U'(0) is infinite, tails must be guessed from above, which Newton's method
mends in few steps; from below it overshoots.  So ρ⁰ is spread first, for the guess only.
"""

from __future__ import annotations

import numpy as np

from ....base.kernel_cache import njit
from ....errors import SolverError
from ....grid import Array
from ..convex import ConvexStep, Point

CENTRED = 0.1
"""A continuity residual below this part of the mass is near enough for all unknowns to move together."""
SPREAD = 1e-3
"""Largest fall of the guess from a cell to its neighbour."""


def best_start(step: ConvexStep, warm: Array | None, mu: float, work: list[Array]) -> Point:
    """Where to start.  warm : φ of the step before, or None.   mu : the barrier, 0 for laws without.
    work : five arrays (ny, nx), overwritten.

    Raises SolverError where no candidate has a finite dual value.
    """
    best = _start_with_barrier(step, warm, mu) if step.barrier else _start_without(step, warm, work)
    if not np.isfinite(best.value):
        best = candidate(step, np.zeros(step.rho0.shape), mu)
    if not np.isfinite(best.value):
        raise SolverError("no dual start with a finite value was found: the energy's range is too large for tau.")
    return best


def _start_with_barrier(step: ConvexStep, warm: Array | None, mu: float) -> Point:
    """The largest D_μ; along −aτξ it is concave in a, so a is halved while that helps."""
    slope = _slope(step)
    best = candidate(step, -slope, mu)
    fraction = 0.5
    while fraction > 1e-6:
        point = candidate(step, -fraction * slope, mu)
        if point.value <= best.value and np.isfinite(best.value):
            break
        best, fraction = point, 0.5 * fraction
    if warm is not None:
        point = candidate(step, warm, mu)
        best = point if point.value > best.value else best
    return best


def _start_without(step: ConvexStep, warm: Array | None, work: list[Array]) -> Point:
    """Of 0, −τξ and the last φ the one with the smallest residual, if that is small, else 0.

    φ = 0 makes a Gibbs state an exact fixed point, and its tails lie above those of most solutions.
    """
    zero = candidate(step, np.zeros(step.rho0.shape), 0.0)
    moved = step.integral(np.abs(zero.rho - step.rho0)) / step.mass if np.isfinite(zero.value) else np.inf
    best, least = zero, min(moved, CENTRED)
    for phi in (-_slope(step), warm):
        if phi is not None and least > 0.0:
            point = candidate(step, phi, 0.0)
            residual = _residual(step, point, work)
            if residual < least:
                best, least = point, residual
    return best


def _slope(step: ConvexStep) -> Array:
    """τξ(ρ⁰); where U'(0) is infinite, of a ρ⁰ spread into the vacuum: a guess from above, no state."""
    guess = step.rho0
    if not step.barrier:
        guess = np.zeros(step.rho0.shape)
        spread(step.rho0, SPREAD, 1e-300, guess)
    return step.tau * step.internal.derivative(guess) + step.tau_v


def candidate(step: ConvexStep, phi: Array, mu: float) -> Point:
    """φ, shifted by the constant that gives its density the right mass where the dual has a domain."""
    law, y = step.internal.law, step.depth(phi)
    shift = law.dual_shift(y, step.stagger.volume, step.mass, step.c, step.m, mu)
    if shift is not None:
        phi = phi + shift
    return step.point(phi, mu)


def _residual(step: ConvexStep, point: Point, work: list[Array]) -> float:
    """‖ρ − ρ⁰ + div θ∇φ‖₁ over the mass; inf outside the domain of the dual."""
    if not np.isfinite(point.value):
        return np.inf
    step.coefficients(point.phi, point.rho, np.zeros(step.rho0.shape), work)
    return step.residual(point.phi, point.rho, work[1], work[2], work[0])


@njit(cache=True, nogil=True, error_model="numpy")
def spread(rho, ratio, least, out):
    """out = the smallest field ≥ max(ρ, least) that falls by no more than `ratio` from a cell to its neighbours."""
    ny, nx = rho.shape
    for j in range(ny):
        for i in range(nx):
            out[j, i] = max(rho[j, i], least)
    for j in range(ny):
        for i in range(1, nx):
            out[j, i] = max(out[j, i], ratio * out[j, i - 1])
        for i in range(nx - 2, -1, -1):
            out[j, i] = max(out[j, i], ratio * out[j, i + 1])
    for j in range(1, ny):
        for i in range(nx):
            out[j, i] = max(out[j, i], ratio * out[j - 1, i])
    for j in range(ny - 2, -1, -1):
        for i in range(nx):
            out[j, i] = max(out[j, i], ratio * out[j + 1, i])
