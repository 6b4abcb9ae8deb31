"""Wasserstein distances and geodesics between two densities of equal mass on a grid.

    W₂²(a, b) = min ∫₀¹∫ |m|²/ρ    s.t.  ∂s ρ + ∇·m = 0,  ρ(0) = a,  ρ(1) = b;     mass M makes it M times as large

In 1D the densities are constant on cells, their distribution functions F, G piecewise linear, and with the quantiles

    W₂² = M ∫₀¹ |F⁻¹(u) − G⁻¹(u)|² du,      ρ_s is the law of (1 − s)F⁻¹ + sG⁻¹

is integrated exactly between the merged breakpoints, on any two grids.  On a circle of length L the quantiles go on as
F⁻¹(u + 1) = F⁻¹(u) + L, and W₂² is the minimum over the shift α of the convex ∫₀¹ |F⁻¹(u) − G⁻¹(u + α)|² du (module
`line`).

In 2D a distance is found by potentials on lattices, coarse to fine, also finer than the cells, and stands between two
bounds of the distance of the densities themselves, constant on their cells (folder `plane`):

    W₂² ≥ 2∫φ db + 2∫φ^c da for every φ,      W₂² ≤ the cost of any plan with the marginals a and b

On any two grids, stretched and periodic axes, and for points in place of a density: beside a density, by weights of
their power cells (folder `semidiscrete`), exactly but for how well masses are met.  Between densities nearer to each
other than lattices tell, weighted H⁻¹ norms bound it and shooting along the path gives its value (module `nearby`).

References: Villani (2003), Topics in Optimal Transportation, section 2.2; Jacobs, Léger (2020), DOI
10.1007/s00211-020-01154-8; Peyre (2018), DOI 10.1051/cocv/2017050.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import CaseError
from ..grid import Array, Grid
from ..grid.public_arguments import public
from .line import Coupling, pieces_cost
from .pairs import Points, check_grids, check_masses, checked, comparable

TOLERANCE = 1e-3
"""Relative change of W₂² from one lattice to the next, in 2D, at which they are fine enough."""
MOST_CELLS = 2**16
"""Cells up to which lattices finer than the data are taken, in 2D."""

LARGE = 1000
"""Edges of both on a line from which on a compiled pass is worth the loading of Numba."""


@dataclass(frozen=True)
class Distance:
    """w2 : the distance.   lower, upper : bounds of the distance; rigorous, up to rounding, for `distance`.

    gap : (upper² − lower²)/upper², 0 where the distance is exact (1D).
    mismatch : of a geodesic's distance, ‖ρ(1) − b‖₁/mass, how far the path found ends from b; else 0.
    iterations : of the first-order method or of conjugate gradients, 0 in 1D; of points beside a density in 2D how
    often power cells were cut.
    """

    w2: float
    lower: float
    upper: float
    mismatch: float = 0.0
    iterations: int = 0

    @property
    def gap(self) -> float:
        return (self.upper**2 - self.lower**2) / self.upper**2 if self.upper > 0 else 0.0

    @classmethod
    def exact(cls, w2: float) -> Distance:
        return cls(w2, w2, w2)


@public
def w2(grid: Grid | None, a: Array | Points, b: Array | Points, other: Grid | None = None, **options: Any) -> float:
    """The distance alone; arguments as for `distance`."""
    return distance(grid, a, b, other, **options).w2


@public
def distance(
    grid: Grid | None,
    a: Array | Points,
    b: Array | Points,
    other: Grid | None = None,
    *,
    tolerance: float = TOLERANCE,
    cells: int = MOST_CELLS,
    atoms: bool = False,
    progress: Callable[[str], None] | None = None,
) -> Distance:
    """W₂ between two densities, constant on cells, or between points and a density, or two sets of points.

    grid : of a; None where both are points.   a, b : cell averages, arrays of the grid's shape, ≥ 0, of one mass; or
    `Points`, which take the mass of the density.   other : the grid of b, where it is not that of a.
    tolerance, cells : in 2D lattices are refined until the distance squared changes by less than this share of it from
    one to the next, or has that many cells; it is worked on the data's own cells at least, and on 64 along the longer
    side unless `cells` is less than 64²: quick for small grids, with wide bounds.
    atoms : the mass of each cell stands at its centre, as solvers for point sets take it.
    progress : is told, in words, how far it is, of points beside a density in 2D.

    1D: exact; W₂² is true to about 1e-16 L² M, so that W₂ near 0 is to 1e-8 L √M.
    2D: the distance lies between `lower` and `upper`, whatever the tolerance.  Measured: see docs/transport.
    On one uniform grid densities are nearer to each other than the atoms of their cells: by 0.3 h² M in W₂² for images
    that fill their cells, by more for a few bright ones, whose parts go different ways.
    Raises CaseError for densities, masses or grids that do not fit, and where memory does not suffice.
    """
    if not 0 < tolerance < 1 or cells < 1:
        raise CaseError(f"tolerance lies between 0 and 1, cells is at least 1; found {tolerance:g} and {cells}.")
    sides = _Side(grid, a, "first"), _Side(other or grid, b, "second")
    mass = _common_mass(*sides)
    if sides[0].dim == 1:
        return Distance.exact(_on_a_line(*sides, atoms) * math.sqrt(mass))
    return _in_the_plane(*sides, mass, tolerance, cells, atoms, progress)


class _Side:
    """One of the two: a density on its grid, or points, in the space of a grid where there is one."""

    def __init__(self, grid: Grid | None, rho: Array | Points, name: str) -> None:
        self.points = rho if isinstance(rho, Points) else None
        self.space = grid
        if self.points is not None:
            self.grid, self.rho, self.mass, self.dim = None, None, float(np.sum(self.points.mass)), self.points.dim
            return
        if grid is None:
            raise CaseError(f"the {name} density needs its grid; only of points alone the grid is None.")
        assert not isinstance(rho, Points)
        self.grid, self.dim = grid, grid.dim
        self.rho, self.mass = checked(name, grid, rho)


def _common_mass(a: _Side, b: _Side) -> float:
    """That of the first density, else of the points.  Raises CaseError where the two do not fit."""
    if a.dim != b.dim:
        raise CaseError(f"the first is {a.dim}D and the second {b.dim}D; compare what lives in one dimension.")
    if a.grid is not None and b.grid is not None:
        check_grids(a.grid, b.grid)
    if (a.grid is None) == (b.grid is None):
        check_masses(a.mass, b.mass)
    elif not (mass := a.mass if b.grid is None else b.mass) > 0:
        raise CaseError(f"a density needs mass; found {mass:g}.")
    return a.mass if a.grid is not None or b.grid is None else b.mass


def _on_a_line(a: _Side, b: _Side, atoms: bool) -> float:
    """W₂ for mass 1; points, and atoms, are cells without width."""
    grid = a.space or b.space
    ring = grid is not None and grid.x.ring == 1
    edges, masses = zip(*(_line_of(side, grid, atoms) for side in (a, b)), strict=True)
    if ring:
        return Coupling(edges[0], masses[0] / a.mass, edges[1], masses[1] / b.mass, True).w2
    origin = edges[0][0]  # the digits of a box far from 0 would be lost
    given = edges[0] - origin, masses[0], edges[1] - origin, masses[1]
    if "numba" in sys.modules or len(edges[0]) + len(edges[1]) > LARGE:
        from .quantile_pass import quantile_cost

        return math.sqrt(quantile_cost(*given))
    return math.sqrt(pieces_cost(*given))


def _line_of(side: _Side, grid: Grid | None, atoms: bool) -> tuple[Array, Array]:
    """Edges (n+1,) and masses (n,) of one side."""
    if side.grid is not None and side.rho is not None:
        mass = side.rho * side.grid.x.volumes
        if not atoms:
            return side.grid.x.edges, mass
        x = side.grid.x.centers
    else:
        assert side.points is not None
        x, mass = side.points.places[:, 0], side.points.mass
        if grid is not None and grid.x.ring:
            x = grid.x.lower + np.mod(x - grid.x.lower, grid.x.length)
        order = np.argsort(x, kind="stable")
        x, mass = x[order], mass[order]
    doubled, held = np.repeat(x, 2), np.zeros(2 * len(x) - 1)
    held[::2] = mass
    if grid is not None and grid.x.ring:
        return np.concatenate([[grid.x.lower], doubled, [grid.x.upper]]), np.concatenate([[0.0], held, [0.0]])
    return doubled, held


def _in_the_plane(
    a: _Side,
    b: _Side,
    mass: float,
    tolerance: float,
    cells: int,
    atoms: bool,
    progress: Callable[[str], None] | None,
) -> Distance:
    from .plane.between import squared_distance

    if a.grid is not None and a.grid == b.grid:
        assert a.rho is not None and b.rho is not None
        if np.array_equal(*comparable(a.grid, a.rho, a.grid, b.rho)):
            return Distance.exact(0.0)
    space = a.space or b.space
    axes = None if space is None else space.axes
    rings = (False, False) if axes is None else (axes[0].ring == 1, axes[1].ring == 1)
    circles = [(axes[k].lower, axes[k].upper) if axes is not None and rings[k] else None for k in range(2)]
    mu, nu = (_measure(side, circles, atoms) for side in (a, b))
    found = squared_distance(mu, nu, rings, tolerance, cells, progress)
    lower, value, upper = (math.sqrt(mass * square) for square in (found.lower, found.value, found.upper))
    return Distance(value, lower, upper, iterations=found.iterations)


def _measure(side: _Side, circles: list[tuple[float, float] | None], atoms: bool) -> Any:
    from .plane import measures

    if side.points is not None:
        return measures.Points(side.points.places, side.points.mass, circles)
    return (measures.Atoms if atoms else measures.Cells)(side.grid, side.rho)  # type: ignore[arg-type]
