"""Tensor-product grids of finite-volume cells in one and two dimensions.

Arrays on a grid are ordered (y, x): shape (nx,) in 1D, (ny, nx) in 2D.  The user's `shape` says x first.
On a radial grid the one axis is a radius, and cells are shells (module `radial`).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np

from ..errors import CaseError
from .axis import AXIS_NAMES, Array, Axis, make_axis
from .boundary import NO_FLUX, SIDES, Boundary, Ends, boundary_of
from .known_results import grid_key, known
from .public_arguments import public
from .quadrature import Averages, cell_averages
from .radial import check_radius, mean_weights, shell_averages, shells, weighted


@public
class Grid:
    """A 1D or 2D tensor-product grid.  Immutable.

    lower, upper : one or two floats, x first, length units.
    shape : one or two cell counts, x first, each ≥ 2.
    boundary : what the ends are, one for all axes or one per axis: "no-flux" (default), "periodic", another wall of
    module `boundary`, a pair for the lower and the upper end, {"lower": …, "upper": …}, or True for periodic.
    periodic : the same as one bool, or one per axis.
    mapping : per axis None (uniform) or an increasing function of s ∈ [0, 1] onto [0, 1] that places the
        edges.
    radial : 2 or 3 where the one axis is the radius in a space of so many dimensions, else None.

    Raises CaseError for sizes, bounds or mappings that make no grid, and for a radius below 0 or on a ring.
    """

    def __init__(
        self,
        lower: Sequence[float],
        upper: Sequence[float],
        shape: Sequence[int],
        boundary: Ends | Sequence[Ends] = NO_FLUX.name,
        mapping: Sequence[Callable[[Array], Array] | None] | None = None,
        *,
        periodic: bool | Sequence[bool] = False,
        radial: int | None = None,
    ) -> None:
        dim = len(shape)
        if dim not in (1, 2):
            raise CaseError(f"a grid has one or two axes; shape has {dim} entries. Give [nx] or [nx, ny].")
        if len(lower) != dim or len(upper) != dim:
            raise CaseError(
                f"shape has {dim} entries but lower has {len(lower)} and upper has {len(upper)}; "
                "give one each per axis."
            )
        given = periodic if periodic is not False else boundary
        if not isinstance(given, bool | str | Boundary | Mapping | Sequence):
            raise CaseError(f"boundary: expected a wall or a list of them, one per axis, found {type(given).__name__}.")
        ends: list[Ends] = [given] * dim if isinstance(given, bool | str | Boundary | Mapping) else list(given)
        maps = [None] * dim if mapping is None else list(mapping)
        if len(ends) != dim or len(maps) != dim:
            raise CaseError(f"boundary and mapping need one entry per axis: {dim} expected.")
        self.axes: tuple[Axis, ...] = tuple(
            make_axis(AXIS_NAMES[k], lower[k], upper[k], shape[k], boundary_of(ends[k]), maps[k]) for k in range(dim)
        )
        if radial is not None:
            check_radius(dim, self.x.lower, self.x.ring, radial)
            self.axes = (replace(self.x, radial=radial),)

    @classmethod
    def of_edges(
        cls, edges: Sequence[Array], boundary: Sequence[Boundary], uniform: Sequence[bool] = (), radial: int = 1
    ) -> Grid:
        """The grid with these increasing cell edges, per axis, x first; an axis counts as stretched, unless `uniform`
        says that all its cells are equal by construction."""
        grid = cls.__new__(cls)
        rows = zip(edges, boundary, uniform or [False] * len(edges), strict=True)
        grid.axes = tuple(Axis(AXIS_NAMES[k], e, ends, same, radial) for k, (e, ends, same) in enumerate(rows))
        return grid

    @property
    def dim(self) -> int:
        return len(self.axes)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of an array on this grid: (nx,) or (ny, nx)."""
        return tuple(axis.size for axis in reversed(self.axes))

    @property
    def size(self) -> int:
        return math.prod(axis.size for axis in self.axes)

    @property
    def radial(self) -> int:
        """The dimension of the space of which the axis is the radius, or 1."""
        return self.x.radial

    @property
    def space(self) -> int:
        """The dimension of the space in which the density lives: that of the axes, or of the radius."""
        return self.radial if self.radial > 1 else self.dim

    @property
    def uniform(self) -> bool:
        """Whether all cells have the same volume."""
        return all(axis.uniform for axis in self.axes) and self.radial == 1

    @property
    def open_walls(self) -> tuple[str, ...]:
        """The names of the walls that mass may pass: "x_lower", …"""
        ends = [(f"{axis.name}_{side}", getattr(axis.boundary, side)) for axis in self.axes for side in SIDES]
        return tuple(name for name, wall in ends if wall.open)

    @property
    def x(self) -> Axis:
        return self.axes[0]

    @property
    def y(self) -> Axis:
        return self.axes[1]

    def with_boundary(self, ends: Sequence[Ends]) -> Grid:
        """The same cells with other ends.   ends : one entry per axis."""
        other = copy.copy(self)
        other.axes = tuple(replace(a, boundary=boundary_of(b)) for a, b in zip(self.axes, ends, strict=True))
        other.__dict__.pop("cell_volume", None)
        return other

    @cached_property
    def cell_volume(self) -> Array:
        """Cell volumes, array of `shape` (a read-only broadcast view where the grid is uniform)."""
        if self.uniform:
            volume = np.prod([axis.length / axis.size for axis in self.axes])
            return np.broadcast_to(np.float64(volume), self.shape)
        if self.dim == 1:
            return self.x.volumes
        return self.y.widths[:, None] * self.x.widths[None, :]

    @property
    def volume(self) -> float:
        if self.radial > 1:
            return float(shells(np.array([self.x.lower, self.x.upper]), self.radial)[0])
        return float(np.prod([axis.length for axis in self.axes]))

    def coordinates(self) -> dict[str, Array]:
        """Cell centres as broadcastable arrays: {"x": (nx,)} or {"x": (1, nx), "y": (ny, 1)}."""
        if self.dim == 1:
            return {"x": self.x.centers}
        return {"x": self.x.centers[None, :], "y": self.y.centers[:, None]}

    def sample(self, function: Callable[..., Array]) -> Array:
        """function(x=…[, y=…]) at the cell centres, as a float array of `shape`."""
        values = np.asarray(function(**self.coordinates()), dtype=float)
        return np.array(np.broadcast_to(values, self.shape), order="C")

    def average(self, function: Callable[..., Array], points: int | None = None) -> Array:
        """Cell averages of function(x=…[, y=…]), to 1e-10 where that can be had: see `quadrature`.

        points : instead a tensor Gauss–Legendre rule of so many points per axis, exact for degree 2·points − 1.
        Returns an array of `shape`.  Raises CaseError for peaks and singularities that cannot be resolved.
        """
        if points is None:
            return self.averages(function).values.copy()
        nodes, weights = np.polynomial.legendre.leggauss(points)
        total = np.zeros(self.shape)
        if self.dim == 1:
            if self.radial > 1:
                function = weighted(function, self.radial)
            for node, weight in zip(nodes, weights, strict=True):
                total += 0.5 * weight * function(x=self.x.centers + 0.5 * node * self.x.widths)
            return total if self.radial == 1 else total / mean_weights(self.x.edges, self.radial)
        for node_y, weight_y in zip(nodes, weights, strict=True):
            y = (self.y.centers + 0.5 * node_y * self.y.widths)[:, None]
            for node_x, weight_x in zip(nodes, weights, strict=True):
                x = (self.x.centers + 0.5 * node_x * self.x.widths)[None, :]
                total += (0.25 * weight_x * weight_y) * function(x=x, y=y)
        return total

    def averages(self, function: Callable[..., Array], what: str = "the function") -> Averages:
        """The same by `quadrature`, not to write to, with the estimate of their error.   what : names the function."""
        if self.radial > 1:
            return shell_averages(function, self.x.edges, self.radial, what)
        edges = [axis.edges for axis in self.axes]
        return known(function, grid_key(self, "averages"), lambda: cell_averages(function, edges, what))

    def describe(self, index: tuple[int, ...]) -> str:
        """Where a cell lies, for messages: "x = 0.5, y = -1"."""
        position = tuple(reversed(index))
        return ", ".join(f"{a.name} = {a.centers[i]:.6g}" for a, i in zip(self.axes, position, strict=True))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Grid)
            and self.dim == other.dim
            and all(
                a.boundary == b.boundary and a.radial == b.radial and np.array_equal(a.edges, b.edges)
                for a, b in zip(self.axes, other.axes, strict=True)
            )
        )

    def __hash__(self) -> int:
        return hash((self.shape, tuple((a.lower, a.upper, a.boundary) for a in self.axes)))

    def __repr__(self) -> str:
        spans = " × ".join(f"[{a.lower:g}, {a.upper:g}]" for a in self.axes)
        cells = "×".join(str(a.size) for a in self.axes)
        return f"Grid({cells} cells on {spans}{f', radius in {self.radial}D' if self.radial > 1 else ''})"


def grid_text(edges: Sequence[Array]) -> str:
    """The grid in words from its cell edges, x first: "64 × 32 cells on [0, 1] × [0, 2]"."""
    cells = " × ".join(str(len(e) - 1) for e in edges)
    return f"{cells} cells on " + " × ".join(f"[{float(e[0]):g}, {float(e[-1]):g}]" for e in edges)
