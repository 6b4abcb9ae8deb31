"""The density of points smoothed by a Gaussian of a bandwidth: a kernel density estimate, as exact cell averages.

    ρ = Σ_p w_p N(x − X_p; h²)/Σw,      mass of a cell = Σ_p w_p Π_k [Φ((e⁺_k − X_pk)/h_k) − Φ((e⁻_k − X_pk)/h_k)]/Σw

At a wall the Gaussian is reflected, on a ring it goes round: images are summed as far as they matter, and from 1.5
periods on (a ring's length, twice that between walls) it is even to 2e^{−2π²(3/2)²} = 1e-19.  Scott's rule is
h_k = σ_k n^{−1/(d+4)}, n = (Σw)²/Σw², σ_k the standard deviation along the axis (on a ring the circular one).

Preserves: mass, ρ ≥ 0 (differences of a rising function; a transform would leave its rounding, of either sign).
Cost: n (nx + ny) values of Φ and n nx ny products.
Reference: Scott (1992), Multivariate Density Estimation, DOI 10.1002/9780470316849.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..errors import CaseError
from .axis import Array, Axis
from .grid import Grid

REACH = 9.0
"""Bandwidths beyond which a Gaussian holds less than 1e-18 of its mass."""
EVEN = 1.5
"""Periods of a bandwidth from which on a Gaussian with its images is constant to rounding."""
CHUNK = 2**20
"""Values of Φ that are held at once."""


def smoothed(points: Sequence[Array], weights: Array, grid: Grid, bandwidth: float | str) -> Array:
    """The density of mass 1, of the grid's shape.   points : x[, y], (n,) each, in the box.   weights : (n,) ≥ 0.

    bandwidth : h > 0 along every axis, or "scott".   Raises CaseError where Scott's rule finds no spread.
    """
    widths = scott(points, weights, grid) if bandwidth == "scott" else [float(bandwidth)] * grid.dim
    mass = np.zeros(grid.shape)
    rows = max(1, CHUNK // max(axis.size for axis in grid.axes))
    for first in range(0, len(weights), rows):
        part = slice(first, first + rows)
        shares = [_shares(axis, x[part], h) for axis, x, h in zip(grid.axes, points, widths, strict=True)]
        mass += shares[0] @ weights[part] if grid.dim == 1 else (shares[1] * weights[part]) @ shares[0].T
    return np.asarray(mass / np.sum(mass) / grid.cell_volume)


def scott(points: Sequence[Array], weights: Array, grid: Grid) -> list[float]:
    """Bandwidths by Scott's rule, one per axis."""
    share = weights / np.sum(weights)
    count = 1.0 / float(np.sum(share**2))
    found = []
    for axis, x in zip(grid.axes, points, strict=True):
        if axis.ring:
            order = abs(np.sum(share * np.exp(2j * math.pi * x / axis.length)))
            angle = math.sqrt(max(-2.0 * math.log(order), 0.0)) if order > 0 else math.inf
            spread = axis.length * min(angle / (2 * math.pi), 1 / math.sqrt(12))  # at most that of an even ring
        else:
            spread = math.sqrt(float(np.sum(share * (x - np.sum(share * x)) ** 2)))
        if not spread > 0:
            raise CaseError(
                f"Scott's rule needs points that differ in {axis.name}; give the bandwidth as a number instead"
            )
        found.append(spread * count ** (-1.0 / (grid.dim + 4)))
    return found


def _shares(axis: Axis, x: Array, h: float) -> Array:
    """The mass that a Gaussian around each point puts into each cell, (cells, n), images included."""
    if h >= EVEN * axis.length * (1 if axis.ring else 2):
        return np.repeat(axis.widths[:, None] / axis.length, len(x), axis=1)
    turns = math.ceil(REACH * h / axis.length) + 1
    shares = np.zeros((axis.size, len(x)))
    for turn in range(-turns, turns + 1):
        if axis.ring:
            places = [x + turn * axis.length]
        else:
            places = [x + 2 * turn * axis.length, 2 * axis.lower - x + 2 * turn * axis.length]
        for place in places:
            if np.min(place) < axis.upper + REACH * h and np.max(place) > axis.lower - REACH * h:
                shares += _between((axis.edges[:, None] - place) / h)
    return shares


def _between(z: Array) -> Array:
    """Φ(z_{i+1}) − Φ(z_i) ≥ 0, from the side on which Φ is small."""
    from scipy.special import ndtr

    low, high = z[:-1], z[1:]
    right = low > 0
    return np.asarray(ndtr(np.where(right, -low, high)) - ndtr(np.where(right, -high, low)))
