"""Dual ascent with exact c-transforms: a start for the Newton method of exact steps that needs no good start itself.

    D(φ) = min_ρ [ ∫φρ + τE(ρ) ] + ∫φ^c ρ⁰,      dD = ρ(φ) − T_#ρ⁰,   T = x − ∇φ^c

is concave, and (φ^c)^c ≥ φ has no smaller D.  Each step solves g d − ∇·(θ (I − D²φ)⁻¹∇d) = ρ(φ) − T_#ρ⁰ and is halved
until D rises: back and forth as by Jacobs and Léger, with the metric of Newton's method in place of H¹.  T_#ρ⁰ is
spread on the lattice, so that a residual of a few hundredths stays: enough to start from.

References: Jacobs, Léger (2020), DOI 10.1007/s00211-020-01154-8; Jacobs, Lee, Léger (2021), The back-and-forth method
for Wasserstein gradient flows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ....grid import Array
from .halved_grids import smoother
from .pull_back import push
from .solution import Problem

if TYPE_CHECKING:
    from .exact_plane import Level

MOST, ENOUGH, LINEAR = 40, 3e-2, 1e-2
SHORTEST, GAIN = 1e-3, 1e-7
"""The shortest step, and the relative rise of D that is worth another."""


def ascend(level: Level, problem: Problem, phi: Array) -> tuple[Array, int, int]:
    """A potential of larger dual value, near the largest; and the iterations, also of conjugate gradients."""
    phi, psi, rho, value = _dual(level, problem, phi)
    carried, linear, count, rings = np.empty_like(phi), 0, 0, level.rings
    while count < MOST:
        push(psi, problem.rho0, level.hx, level.hy, *rings, carried)
        residual = smoother(rho, rings) - smoother(carried, rings)
        if float(np.abs(smoother(residual, rings)).sum()) * level.cell <= ENOUGH * problem.mass:
            break
        move, iterations = level.newton_move(problem, smoother(phi, rings), smoother(rho, rings), residual, LINEAR)
        count, linear = count + 1, linear + iterations
        size, before = 1.0, value
        while size > SHORTEST:
            trial = _dual(level, problem, phi + size * move)
            if trial[3] > value:
                break
            size *= 0.5
        else:
            break
        phi, psi, rho, value = trial
        if value - before <= GAIN * abs(value):
            break
    return phi, count, linear


def _dual(level: Level, problem: Problem, phi: Array) -> tuple[Array, Array, Array, float]:
    """((φ^c)^c, φ^c, ρ, D) with the constant that gives ρ its mass."""
    psi = level.transform(phi)
    phi = level.transform(psi)
    rho, _ = level.density(problem, phi)
    value = level.flow.integral(phi * rho + psi * problem.rho0) + problem.energy(rho)
    return phi, psi, rho, value
