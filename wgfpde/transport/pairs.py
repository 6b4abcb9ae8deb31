"""Two densities, or points in place of one, that can be compared: of one kind of space, and of one mass."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from ..errors import CaseError
from ..grid import Array, Axis, Grid
from ..grid.public_arguments import public

MASS_MISMATCH = 1e-6
"""Largest relative difference of the masses, what single precision leaves; below it the second density is rescaled."""


@public
@dataclass(frozen=True)
class Points:
    """Points in place of a density, for `distance` and `w2`.

    places : (n,) or (n, 1) on a line, (n, 2) in the plane, x first.   weights : (n,) ≥ 0, equal by default, of
    sum 1; beside a density they take its mass.
    Raises CaseError for places that are no such array, or weights that do not fit.
    """

    places: Array
    weights: Array | None = None
    mass: Array = field(init=False, repr=False)

    def __post_init__(self) -> None:
        places = np.asarray(self.places, dtype=float)
        places = places[:, None] if places.ndim == 1 else places
        if places.ndim != 2 or places.shape[1] not in (1, 2) or not len(places) or not np.all(np.isfinite(places)):
            raise CaseError(f"points are an array (n, 1) or (n, 2) of finite places; found the shape {places.shape}.")
        mass = np.full(len(places), 1 / len(places)) if self.weights is None else np.asarray(self.weights, dtype=float)
        if mass.shape != (len(places),) or not np.all(mass >= 0) or not 0 < np.sum(mass) < np.inf:
            raise CaseError(f"{len(places)} points take as many finite weights ≥ 0, not all 0; found {mass.shape}.")
        object.__setattr__(self, "places", places)
        object.__setattr__(self, "mass", mass)

    @property
    def dim(self) -> int:
        return int(self.places.shape[1])


def comparable(a_grid: Grid, a: Array, b_grid: Grid, b: Array) -> tuple[Array, Array]:
    """Both densities as arrays, b of the mass of a.  Raises CaseError where they cannot be compared."""
    check_grids(a_grid, b_grid)
    (a, a_mass), (b, b_mass) = checked("first", a_grid, a), checked("second", b_grid, b)
    check_masses(a_mass, b_mass)
    return a, b * (a_mass / b_mass)


def checked(name: str, grid: Grid, rho: Array) -> tuple[Array, float]:
    """A density as an array, by rows, and its mass.  Raises CaseError for one that is none.   name : in messages."""
    rho = np.asarray(rho, dtype=float, order="C")
    if rho.shape != grid.shape:
        raise CaseError(f"the {name} density must have the grid's shape {grid.shape}; found {rho.shape}.")
    if not (rho >= 0).all() or not math.isfinite(rho.sum()):
        raise CaseError(f"the {name} density must be finite and ≥ 0 in every cell; check the data.")
    with np.errstate(over="ignore"):  # it is infinite then, which is told with what it was for
        return rho, float((rho * grid.cell_volume).sum(axis=-1).sum())


def check_masses(a: float, b: float) -> None:
    if not (0 < a < np.inf and 0 < b < np.inf):
        unit = "" if a + b < np.inf else " Measure mass in another unit."
        raise CaseError(f"both densities need mass; found {a:g} and {b:g}.{unit}")
    if abs(a - b) > MASS_MISMATCH * max(a, b):
        raise CaseError(
            f"mass can only be moved between densities of one mass; found {a:.10g} and {b:.10g}. "
            "Rescale one of them, for example with initial.mass in its case."
        )


def check_grids(a: Grid, b: Grid) -> None:
    """Raise CaseError unless both cover parts of one space: a line or a circle along each axis."""
    if a.dim != b.dim:
        raise CaseError(f"the first density is {a.dim}D and the second {b.dim}D; compare densities of one dimension.")
    for p, q in zip(a.axes, b.axes, strict=True):
        if p.radial != q.radial:
            raise CaseError("a radius and a plain axis, or radii in two dimensions, are no common space.")
        if p.ring != q.ring or (p.ring and (p.lower, p.upper) != (q.lower, q.upper)):
            where = f" along {p.name}" if a.dim == 2 else ""
            raise CaseError(
                f"both densities must live on one line or on one circle{where}; found {_kind(p)} and {_kind(q)}. "
                "Give both runs the same grid.boundary, and on a circle the same bounds."
            )


def check_equal_cells(grid: Grid) -> None:
    """Raise CaseError for a stretched axis in the plane."""
    if grid.radial > 1:
        raise CaseError("a shortest path is found on plain axes; this grid is a radius. Run without grid.radial.")
    for axis in grid.axes:
        if grid.dim == 2 and not axis.uniform:
            raise CaseError(f"in 2D a shortest path needs cells of one size; axis {axis.name} is stretched. Run "
                            "without grid.mapping.")  # fmt: skip


def _kind(axis: Axis) -> str:
    return f"{'the circle' if axis.ring else 'the line'} [{axis.lower:g}, {axis.upper:g}]"
