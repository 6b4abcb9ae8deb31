"""Where a step will end, from cheaper mathematics: the density by finite volumes, the potential by Hopf and Lax.

    ρ ≈ two implicit Euler steps of τ/2 in the step's potential,       φ(x) ≈ −min_y u(y) + |x − y|²,   u = τ(U'(ρ) + V)

The step has u + φ = k(φ) ≈ ¼|∇φ|², and ψ = −φ from the formula has ψ + ¼|∇ψ|² = u(y) + ∇u·(x − y) = u(x) up to the
square of x − y = ½∇ψ.  Where τ∇V is many cells long, −τξ(ρ⁰) is the potential of no step, as cells would cross each
other's paths; a lower envelope of parabolas always is one.

Distances between cells are those of the metric, d/√D.  Where D varies across an axis its mean over the lines is taken:
this is a guess, and what starts from it proves its end.
Reference: Evans (2010), Partial Differential Equations, section 3.3 (the formula).
"""

from __future__ import annotations

import numpy as np

from ....energy.flow import Flow
from ....grid import Array
from ....linear.lines import lines_of
from ....transport.benamou_brenier.operators import Staggering
from ....transport.c_transforms import CTransform, between_centres
from ...finite_volumes.schemes import make_scheme, split_step
from ..convex import ConvexStep

EULER_STEPS = 2
EMPTY = 1e-250
"""A density this far below its mean is taken for it: its logarithm is finite."""
LEAST_GAP = 1e-12
"""Between neighbours, relative to the axis: where D spans more, the prediction is rough there."""


class Predictor:
    """Predictions for the steps of one flow.   stagger : of its grid and metric."""

    def __init__(self, flow: Flow, stagger: Staggering) -> None:
        self._stagger = stagger
        self._axes = lines_of(flow.grid, flow.mobility)
        self._transform = _transform(flow, stagger)
        self._scheme = make_scheme(flow, self._axes, stagger.threads)

    def __call__(self, step: ConvexStep) -> tuple[Array, Array] | None:
        """(φ, ρ), each (ny, nx), ρ > 0 for laws without vacuum; None where the finite volumes do not get there."""
        rho = step.rho0
        self._scheme.prepare(step.tau_v / step.tau)
        for _ in range(EULER_STEPS):
            rho, cost = split_step(self._scheme, self._axes, rho, step.tau / EULER_STEPS, 1, False)
            if cost.failed:
                return None
        if not step.barrier:
            rho = np.maximum(rho, EMPTY * step.mass / self._stagger.total)
        u = step.tau * step.internal.derivative(rho) + step.tau_v
        if not np.all(np.isfinite(u)):
            return None
        return -self._transform.hopf_lax(u.reshape(self._transform.shape), 0.5).reshape(u.shape), rho


def _transform(flow: Flow, stagger: Staggering) -> CTransform:
    """Lower envelopes on the cells of the grid, in the metric of the flow."""
    grid = flow.grid
    if flow.mobility is None:
        return between_centres(grid)
    places: list[Array] = []
    periods: list[float | None] = []
    for axis, inverse, across in zip(grid.axes, (stagger.ax, stagger.ay), (0, 1), strict=False):
        gaps = _gaps(inverse if inverse.ndim == 1 else np.moveaxis(inverse, across, 0), axis.distances)
        gaps = np.maximum(gaps, LEAST_GAP * np.sum(gaps))
        places.append(np.concatenate(([0.0], np.cumsum(gaps[:-1]))))
        periods.append(float(np.sum(gaps)) if axis.ring else None)
    return CTransform(places, None, periods)


def _gaps(inverse: Array, distances: Array) -> Array:
    """d/√D of the faces after each cell, (n,), the mean over the lines that have the face; d where none has."""
    inverse = np.atleast_2d(inverse)
    there = inverse > 0.0
    count = np.sum(there, axis=0)
    total = np.sum(np.where(there, 1.0 / np.where(there, inverse, 1.0), 0.0), axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.where(np.isfinite(distances), distances, 1.0))
