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
from .quadrature import Averages, cell_averages

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


def levels(edges: Array, n: int) -> Array:
    """The edges on a line on which a shell is as long as its volume, up to a factor; themselves on a plain axis."""
    return edges if n == 1 else edges**n


def weighted(function: Callable[..., Array], n: int) -> Callable[..., Array]:
    """r ↦ f(r) r^{n−1}."""

    def weighted(x: Array, **more: Array) -> Array:
        return np.asarray(function(x=x, **more), dtype=float) * x ** (n - 1)

    return weighted


def mean_weights(edges: Array, n: int) -> Array:
    """(N,) averages of r^{n−1} over the shells' stretches of the radius."""
    return np.asarray(shells(edges, n) / (SPHERE[n] * np.diff(edges)))


def shell_averages(function: Callable[..., Array], edges: Array, n: int, what: str = "the function") -> Averages:
    """Averages of function(x=r) over shells, (N,): those of f r^{n−1} over those of r^{n−1}.   what : in messages."""
    found = cell_averages(weighted(function, n), [edges], what)
    return Averages(found.values / mean_weights(edges, n), found.error)


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
