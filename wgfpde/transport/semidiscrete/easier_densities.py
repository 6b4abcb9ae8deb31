"""Densities on the way from an easy one to that which is meant, so that power cells never lose their mass.

The first is a Gaussian of the same mean and spread.  Where that which is meant leaves cells all but empty, as with a
vacuum, it comes next blurred, each time less: mass goes where it belongs little by little, and weights with it.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.ndimage import gaussian_filter1d

from ...grid import Array
from ..plane.measures import Cells
from .newton_weights import FEW, mixture
from .power_cells import PowerCells

SMOOTH = 0.9
"""Share of the first density that is no constant."""
WIDEST, NARROWEST, HALF = 0.5, 0.5, 0.5
"""Deviation of the first blur, over that of the density; of the last in cells; and of each over the one before."""
FLAT = 1e-3
"""Constant share of blurred densities, times their blur over the width of the box."""
REACH = 6.0
"""Deviations up to which a blur reaches."""


def spread_of(edges: list[Array], density: Cells) -> float:
    """Variance along an axis, the mean of both axes."""
    return 0.5 * sum(variance for _, variance in _moments(edges, density))


def _moments(edges: list[Array], density: Cells) -> list[tuple[float, float]]:
    """(mean, variance) along each axis."""
    found = []
    for k, e in enumerate(edges):
        x, mass = 0.5 * (e[1:] + e[:-1]), np.sum(density.mass, axis=k)
        mean = float(np.sum(mass * x))
        found.append((mean, float(np.sum(mass * ((x - mean) ** 2 + np.diff(e) ** 2 / 12)))))
    return found


def first_density(edges: list[Array], density: Cells) -> Array:
    """A density (ny, nx) > 0 of mass 1 on the same cells: a Gaussian of its mean and spread, and a constant."""
    spread, means = spread_of(edges, density), [mean for mean, _ in _moments(edges, density)]
    x, y = (np.exp(-((0.5 * (e[1:] + e[:-1]) - m) ** 2) / (2 * spread)) for e, m in zip(edges, means, strict=True))
    return _scaled(np.outer(y, x), density, 1 - SMOOTH)


def steps_towards(edges: list[Array], density: Cells, nu: Array, cells: PowerCells) -> list[Array]:
    """Blurred densities (ny, nx) > 0 of mass 1 between the first and the one meant; none where that is near.

    cells : of the one meant and the first, from the first weights.   nu : (n,) masses of the points.
    """
    if mixture(cells, nu, 1.0, first=True) <= FEW:
        return []
    found, blur = [], WIDEST * math.sqrt(spread_of(edges, density))
    width = min(axis.length / axis.size for axis in density.grid.axes)
    while blur >= NARROWEST * width:
        mass = density.mass
        for k, axis in enumerate(density.grid.axes):
            wide = blur * axis.size / axis.length
            mass = gaussian_filter1d(mass, wide, axis=1 - k, mode="wrap" if axis.ring else "reflect", truncate=REACH)
        flat = FLAT * blur / max(axis.length for axis in density.grid.axes)
        found.append(_scaled(mass / density.grid.cell_volume, density, flat))
        blur *= HALF
    return found


def _scaled(rho: Array, density: Cells, flat: float) -> Array:
    """Of mass 1, a share of it constant."""
    area = density.grid.cell_volume
    constant = np.full(rho.shape, 1.0) / float(np.sum(area * np.ones(rho.shape)))
    return np.asarray((1 - flat) * rho / float(np.sum(rho * area)) + flat * constant)
