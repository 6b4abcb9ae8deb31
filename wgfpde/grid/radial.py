"""Shells of a radial grid: the axis is the distance r from the origin of a space of n = 2 or 3 dimensions.

    |C_i| = ω (r_{i+½}^n − r_{i−½}^n)/n,     A_{i+½} = ω r_{i+½}^{n−1},     ω = 2π (n = 2), 4π (n = 3)

What depends on r alone there is a problem on one axis, with these volumes and areas in place of widths and 1: masses
are those of the space.  A radius that begins at 0 has a face without area there, and no wall.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ..errors import CaseError
from .quadrature import cell_averages

Array = np.ndarray

SPHERE = {1: 1.0, 2: 2 * math.pi, 3: 4 * math.pi}
"""ω, the area of the unit sphere, by the dimension n of the space; 1 for a plain axis."""


def shells(edges: Array, n: int) -> Array:
    """(N,) volumes between neighbouring edges (N+1,), length^n."""
    lower, upper = edges[:-1], edges[1:]
    powers = sum((lower**k * upper ** (n - 1 - k) for k in range(n)), start=np.zeros(len(lower)))
    return np.asarray(SPHERE[n] / n * (upper - lower) * powers)


def spheres(edges: Array, n: int) -> Array:
    """(N+1,) areas at the edges, length^(n−1)."""
    return np.asarray(SPHERE[n] * edges ** (n - 1))


def shell_averages(function: Callable[..., Array], edges: Array, n: int, points: int | None = None) -> Array:
    """Averages of function(x=r) over shells, (N,): those of f r^{n−1} over those of r^{n−1}.

    points : as of `Grid.average`.
    """
    weight = shells(edges, n) / (SPHERE[n] * np.diff(edges))

    def weighted(x: Array) -> Array:
        return np.asarray(function(x=x), dtype=float) * x ** (n - 1)

    if points is None:
        return np.asarray(cell_averages(weighted, [edges]).values / weight)
    nodes, parts = np.polynomial.legendre.leggauss(points)
    places = 0.5 * (edges[1:] + edges[:-1]) + 0.5 * nodes[:, None] * np.diff(edges)
    return np.asarray(0.5 * parts @ np.broadcast_to(weighted(places), places.shape) / weight)


def check_radius(dim: int, lower: float, ring: int, n: int) -> None:
    """Raise CaseError unless the axes can be a radius in n dimensions."""
    if n not in (2, 3):
        raise CaseError(
            f"grid.radial is the dimension of the space of which the axis is the radius: expected 2 or 3, found {n}."
        )
    if dim != 1:
        raise CaseError(f"a radial grid has one axis, the radius; found {dim}. Remove grid.radial or an axis.")
    if ring:
        raise CaseError("a radius does not close to a ring: with grid.radial write another boundary than periodic.")
    if lower < 0:
        raise CaseError(f"a radial grid needs grid.lower ≥ 0, as a radius is; found {lower:g}.")
