"""W∗ρ of a polynomial W by the moments of ρ: on every grid, in two passes over the density.

    W(x, y) = Σ c_ij x^i y^j
    (W∗ρ)(x, y) = Σ c_ij C(i,p) C(j,q) (−1)^(i−p+j−q) M_{i−p, j−q} X^p Y^q,     M_ab = Σ h ρ X^a Y^b

with X, Y from the centre of mass, so that what cancels is no larger than W over the density and the place: where ρ is
narrow and the box is wide, W∗ρ near ρ is as good as far from it.  It is the sum Σ_j W(x_i − x_j) h_j ρ_j of the other
operators, to rounding.  A periodic axis wraps displacements, of which a polynomial is none of the places: there W must
not depend on them.

Cost: two sums over the rows, and one more sum and one product for every power of x that occurs beside one of y.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import comb, isfinite

import numpy as np

from ...grid import Array, Grid
from ...linear.threads import LINES

Terms = Mapping[tuple[int, int], float]


def even_terms(kernel: Callable[..., Array], grid: Grid) -> Terms | None:
    """The terms of a kernel by which moments give W∗ρ on that grid, or None.

    None for what is no formula, no polynomial or of high degree (`formulas.polynomials`), not even, of displacements
    along a periodic axis, or beyond double precision at those of the box.
    """
    expand = getattr(kernel, "polynomial", None)
    terms: Terms | None = None if expand is None else expand()
    if not terms:
        return None
    sides = [axis.length for axis in grid.axes] + [1.0] * (2 - grid.dim)
    for powers, c in terms.items():
        wraps = any(power and axis.ring for power, axis in zip(powers, grid.axes, strict=False))
        if sum(powers) % 2 or wraps or not isfinite(abs(c) * _size(sides, powers)):
            return None
    return terms


def _size(sides: list[float], powers: tuple[int, int]) -> float:
    with np.errstate(over="ignore"):
        return float(np.float64(sides[0]) ** powers[0] * np.float64(sides[1]) ** powers[1])


class MomentInteraction:
    """W∗ρ of W = Σ c_ij x^i y^j by moments.   terms : by (i, j), as `even_terms` gives them."""

    def __init__(self, terms: Terms, grid: Grid) -> None:
        self._shape = grid.shape
        self._x, self._dx = grid.x.centers, np.asarray(grid.x.widths, dtype=float)
        self._y, self._dy = np.zeros(1), np.ones(1)
        if grid.dim == 2:
            self._y, self._dy = grid.y.centers, np.asarray(grid.y.widths, dtype=float)
        self._degrees = max(i for i, _ in terms), max(j for _, j in terms)
        self._mixed = max((i for i, j in terms if i and j), default=0)
        rows = [
            (p, q, i - p, j - q, c * comb(i, p) * comb(j, q) * (-1) ** (i - p + j - q))
            for (i, j), c in terms.items()
            for p in range(i + 1)
            for q in range(j + 1)
        ]
        self._p, self._q, self._a, self._b = (np.array(part) for part in list(zip(*rows, strict=True))[:4])
        self._factors = np.array([row[4] for row in rows])

    def apply(self, rho: Array) -> Array:
        """W∗ρ, array of the grid's shape; energy/mass."""
        plane = rho.reshape(len(self._y), len(self._x))
        across = np.einsum("ij,j->i", plane, self._dx) * self._dy
        along = np.einsum("ij,i->j", plane, self._dy) * self._dx
        x, y = _powers(self._x, along, self._degrees[0]), _powers(self._y, across, self._degrees[1])
        moments = np.zeros((self._degrees[0] + 1, self._degrees[1] + 1))
        moments[:, 0], moments[0] = np.einsum("pj,j->p", x, along), np.einsum("qi,i->q", y, across)
        for a in range(1, self._mixed + 1):
            moments[a, 1:] = np.einsum("qi,i->q", y[1:], np.einsum("ij,j->i", plane, self._dx * x[a]) * self._dy)
        factors = np.zeros_like(moments)
        np.add.at(factors, (self._p, self._q), self._factors * moments[self._a, self._b])
        left, low = np.einsum("q,qi->i", factors[0], y), np.einsum("p,pj->j", factors[1:, 0], x[1:])
        out = left[:, None] + low
        for first in range(0, len(out) if self._mixed else 0, LINES):
            part = slice(first, first + LINES)
            for p in range(1, self._mixed + 1):
                out[part] += np.einsum("q,qi->i", factors[p, 1:], y[1:, part])[:, None] * x[p]
        return out.reshape(self._shape)


def _powers(places: Array, masses: Array, degree: int) -> Array:
    """(degree + 1, n) powers of the distance from the centre of mass, of the box where there is none inside of it."""
    mass, middle = float(masses.sum()), 0.5 * (places[0] + places[-1])
    centre = float(np.einsum("i,i->", places - middle, masses)) / mass + middle if mass else middle
    if not places[0] <= centre <= places[-1]:
        centre = middle
    return np.vander(places - centre, degree + 1, increasing=True).T.copy()
