"""Tensor-product grids of finite-volume cells in one and two dimensions.

Arrays on a grid are ordered (y, x): shape (nx,) in 1D, (ny, nx) in 2D.  The user's `shape` says x first.
An axis is a list of edges; cells lie between neighbouring edges, d is the distance between neighbouring
centres.  An axis that closes to a ring has one more face, between its last and its first cell.
On a radial grid the axis is a radius, and cells are shells (module `radial`).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..errors import CaseError
from .boundary import NO_FLUX, SIDES, Boundary, Ends, boundary_of
from .known_results import grid_key, known
from .public_arguments import public
from .quadrature import Averages, cell_averages
from .radial import check_radius, levels, mean_weights, shell_averages, shells, spheres, weighted

Array = np.ndarray
AXIS_NAMES = ("x", "y")


@dataclass(frozen=True, repr=False)
class Axis:
    """One axis of a grid.

    edges : (n+1,) increasing face positions, length units.
    boundary : what its two ends are.   ring : 1 where the last edge is identified with the first, else 0.
    uniform : whether all widths are equal by construction.
    radial : the dimension n of the space of which the axis is the radius, or 1 for a plain axis.
    """

    name: str
    edges: Array
    boundary: Boundary
    uniform: bool
    radial: int = 1

    @property
    def ring(self) -> int:
        return self.boundary.ring

    @property
    def size(self) -> int:
        return len(self.edges) - 1

    @property
    def lower(self) -> float:
        return float(self.edges[0])

    @property
    def upper(self) -> float:
        return float(self.edges[-1])

    @property
    def length(self) -> float:
        return self.upper - self.lower

    def __repr__(self) -> str:
        more = f", {self.boundary}" if self.ring or self.boundary.open else ""
        more += "" if self.uniform else ", stretched"
        more += f", radius in {self.radial}D" if self.radial > 1 else ""
        return f"Axis({self.name}: {self.size} cells on [{self.lower:g}, {self.upper:g}]{more})"

    @cached_property
    def widths(self) -> Array:
        """(n,) cell widths; exactly equal on a uniform axis."""
        if self.uniform:
            return np.full(self.size, self.length / self.size)
        return np.diff(self.edges)

    @cached_property
    def volumes(self) -> Array:
        """(n,) what the cells hold: the widths, or the volumes of the shells."""
        return self.widths if self.radial == 1 else shells(self.edges, self.radial)

    @cached_property
    def levels(self) -> Array:
        """(n+1,) the edges on a line on which cells are as long as their volumes, up to a factor."""
        return levels(self.edges, self.radial)

    @cached_property
    def areas(self) -> Array:
        """(n+1,) areas of the faces: 1, or those of the spheres."""
        return spheres(self.edges, self.radial)

    @cached_property
    def centers(self) -> Array:
        """(n,) cell centres."""
        return 0.5 * (self.edges[:-1] + self.edges[1:])

    @cached_property
    def distances(self) -> Array:
        """(n,) distance from cell i to cell i+1; the last entry is the face that closes a ring (inf without one)."""
        wrap = 0.5 * (self.widths[-1] + self.widths[0]) if self.ring else np.inf
        inner = self.widths[:-1] if self.uniform else np.diff(self.centers)
        return np.append(inner, wrap)


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
            _make_axis(AXIS_NAMES[k], lower[k], upper[k], shape[k], boundary_of(ends[k]), maps[k]) for k in range(dim)
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


def check_finite(values: Array, grid: Grid, what: str) -> None:
    """Raise CaseError unless all values, an array of the grid's shape, are finite.

    what : names the values in the message, as in 'the potential "log(x)"'.
    """
    bad = ~np.isfinite(np.broadcast_to(values, grid.shape))
    count = int(np.count_nonzero(bad))
    if count == 0:
        return
    index = tuple(int(k) for k in np.unravel_index(int(np.argmax(bad)), bad.shape))
    value = float(np.broadcast_to(values, grid.shape)[index])
    cause = "undefined, as 0/0 or log(-1)" if math.isnan(value) else "an overflow or a division by zero"
    raise CaseError(
        f"{what} must be finite in every cell; it is not in {count} of {grid.size}: found {value} ({cause}) "
        f"at {grid.describe(index)}. Change the formula or the data, or move the grid away from there."
    )


def grid_text(edges: Sequence[Array]) -> str:
    """The grid in words from its cell edges, x first: "64 × 32 cells on [0, 1] × [0, 2]"."""
    cells = " × ".join(str(len(e) - 1) for e in edges)
    return f"{cells} cells on " + " × ".join(f"[{float(e[0]):g}, {float(e[-1]):g}]" for e in edges)


def _make_axis(
    name: str, lower: float, upper: float, size: int, boundary: Boundary, mapping: Callable[[Array], Array] | None
) -> Axis:
    if size != int(size):
        raise CaseError(f"axis {name} needs a whole number of cells; found {size}.")
    size = int(size)
    if size < 2:
        raise CaseError(f"axis {name} needs at least 2 cells; found {size}.")
    if not (np.isfinite(lower) and np.isfinite(upper)) or upper <= lower:
        raise CaseError(f"axis {name} needs finite bounds with lower < upper; found lower = {lower}, upper = {upper}.")
    if (upper - lower) / size < 4 * np.spacing(max(abs(lower), abs(upper))):
        raise CaseError(
            f"axis {name} from {lower!r} to {upper!r}: {size} cells are too narrow for double precision to tell their "
            "edges apart; move the origin closer, or take fewer cells."
        )
    s = np.arange(size + 1) / size
    if mapping is None:
        return Axis(name, lower + (upper - lower) * s, boundary, uniform=True)
    mapped = np.array(np.broadcast_to(np.asarray(mapping(s), dtype=float), s.shape))
    if not np.all(np.isfinite(mapped)) or abs(mapped[0]) > 1e-9 or abs(mapped[-1] - 1) > 1e-9:
        raise CaseError(
            f"the mapping of axis {name} must take s = 0 to 0 and s = 1 to 1; "
            f"found {mapped[0]:.6g} and {mapped[-1]:.6g}."
        )
    mapped[0], mapped[-1] = 0.0, 1.0
    if np.any(np.diff(mapped) <= 0):
        k = int(np.argmax(np.diff(mapped) <= 0))
        raise CaseError(
            f"the mapping of axis {name} must increase; it does not between s = {s[k]:.6g} and {s[k + 1]:.6g}."
        )
    if np.ptp(np.diff(mapped)) <= 1e-12 / size:
        return Axis(name, lower + (upper - lower) * s, boundary, uniform=True)
    return Axis(name, lower + (upper - lower) * mapped, boundary, uniform=False)
