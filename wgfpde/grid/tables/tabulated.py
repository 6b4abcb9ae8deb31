"""A table as a function of x (and y): interpolated, closed to rings where the grid's axes are, forbidden where missing.

    f(x, y) = I_y[ I_x[values](x) ](y)       I the interpolation along an axis, see `pieces`

A place is forbidden where the value of the nearest table place is missing.  For the interpolation alone such values are
carried on from the known ones: the function is finite everywhere, also on forbidden cells, where nobody uses it.
A value at a place stands for the bin around it, so that a table reaches half a spacing beyond its outermost places.

Axes that close: where the file says so (PLUMED), or the grid's axis does, the table is one period.  A last place that
repeats the first, one period on, is left out; its value has to be the same, or 0 as PLUMED may write.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from ...errors import CaseError
from ..axis import AXIS_NAMES, Array, Axis
from ..grid import Grid
from . import pieces
from .pieces import Interpolation
from .scattered import Scattered, Slope
from .table import SAME, Table

KINDS = ("cubic", "pchip", "linear", "nearest")
SEAM = 4.0
"""How many times the largest difference of neighbours the one across the seam of a ring may be."""


@dataclass(frozen=True, eq=False, repr=False)
class Tabulated:
    """A table as a function: called with x=…[, y=…], arrays that broadcast, it gives an array of their shape.

    kind : of interpolation.   missing : "forbidden"; "error" where no cell of the grid may lack a value; "empty", of a
    density, as forbidden; or "nearest", which forbids nothing.  The last two take the nearest value for a missing one.
    text : what it is, for records.   rings : the period of each axis, None for open ones; set by `on`.
    """

    table: Table
    kind: Interpolation = "cubic"
    missing: str = "forbidden"
    text: str = ""
    rings: tuple[float | None, ...] = field(default=())

    def __post_init__(self) -> None:
        for name, known in (("kind", KINDS), ("missing", ("forbidden", "error", "empty", "nearest"))):
            if getattr(self, name) not in known:
                what = "interpolation" if name == "kind" else name
                choices = " or ".join(f'"{choice}"' for choice in known)
                raise CaseError(f"{what}: expected {choices}, found {getattr(self, name)!r}")
        if not self.rings:
            object.__setattr__(self, "rings", (None,) * self.table.dim)
        if not self.text:
            object.__setattr__(self, "text", self.table.what)

    def __repr__(self) -> str:
        return f"Tabulated({self.table!r}, {self.kind})"

    # ---- on a grid ----

    def on(self, grid: Grid) -> Tabulated:
        """The same function, closed to rings where the axes of the grid are, and known to cover it.

        Raises CaseError, saying which side, where the table does not reach as far as the grid, where it does not close
        as an axis does, and with missing = "error" where a cell has no value.
        """
        what, table = self.table.what, self.table
        if table.dim != grid.dim:
            raise CaseError(f"{what} has {table.dim} coordinate{'s' * (table.dim > 1)} and the grid {grid.dim}.")
        values, places, rings = table.values, [], []
        for k, axis in enumerate(grid.axes):
            along, values, ring = _closed(table, values, k, axis)
            places.append(along)
            rings.append(ring)
        closed = replace(table, places=tuple(places), values=values)
        _check_cover(closed, rings, grid)
        found = replace(self, table=closed, rings=tuple(rings))
        if self.missing == "error" and np.any(hidden := found.forbidden_cells(grid)):
            index = tuple(int(k[0]) for k in np.nonzero(hidden))
            raise CaseError(
                f"{what} has no value in {int(hidden.sum())} of the grid's {grid.size} cells, as at "
                f'{grid.describe(index)}. Complete the table, or take missing = "forbidden": nothing enters there.'
            )
        return found

    def forbidden_cells(self, grid: Grid) -> Array:
        """Whether the centre of each cell is forbidden, array of the grid's shape."""
        if self.missing == "nearest":
            return np.zeros(grid.shape, dtype=bool)
        index = [
            pieces.nearest(along, axis.centers, ring)
            for along, axis, ring in zip(self.table.places, grid.axes, self.rings, strict=True)
        ]
        return np.isnan(self.table.values[np.ix_(*reversed(index))])

    def averages(self, grid: Grid) -> Array:
        """Exact averages over the cells, array of the grid's shape."""
        return self._tensor([axis.edges for axis in grid.axes], pieces.averages)

    def excess(self, grid: Grid) -> tuple[float, str]:
        """By how much it leaves the range of the table values around a cell centre, at most, and where.

        Forbidden cells do not count.  0 for kinds that cannot.
        """
        values = self.filled
        sides = [
            pieces.between(along, axis.centers, ring)
            for along, axis, ring in zip(self.table.places, grid.axes, self.rings, strict=True)
        ]
        corners = [values[np.ix_(*index)] for index in _products([*reversed(sides)])]
        low, high = np.min(corners, axis=0), np.max(corners, axis=0)
        here = grid.sample(self)
        beyond = np.maximum(here - high, low - here)
        beyond[self.forbidden_cells(grid)] = 0.0
        index = tuple(int(k) for k in np.unravel_index(int(np.argmax(beyond)), beyond.shape))
        return float(max(beyond[index], 0.0)), grid.describe(index)

    # ---- as a function ----

    @cached_property
    def filled(self) -> Array:
        """The values, carried on to where one is missing."""
        values = self.table.values
        if not np.any(np.isnan(values)):
            return values
        return _filled(values, self.rings, onwards=self.missing in ("forbidden", "error"))

    def __call__(self, **points: Array) -> Array:
        given = [np.asarray(points[name], dtype=float) for name in AXIS_NAMES[: self.table.dim]]
        shape = np.broadcast_shapes(*(p.shape for p in given))
        if self.table.dim == 1:
            return pieces.at(self._along_x, given[0].ravel(), self.rings[0]).reshape(shape)
        x, y = (p.reshape((1,) * (len(shape) - p.ndim) + p.shape) for p in given)
        if all(n == 1 or m == 1 for n, m in zip(x.shape, y.shape, strict=True)):
            return _outer(self._tensor([x.ravel(), y.ravel()], pieces.at), x.shape, y.shape)
        return self._scattered([np.broadcast_to(p, shape).ravel() for p in (x, y)], (0, 0)).reshape(shape)

    @cached_property
    def _along_x(self):
        """Pieces along x of all rows of the table."""
        return pieces.pieces_of(self.kind, self.table.places[0], self.filled.T, self.rings[0])

    def _along_y(self, rows: Array):
        """Pieces along y of (n, m) values on the n rows of the table."""
        return pieces.pieces_of(self.kind, self.table.places[1], rows, self.rings[1])

    def _tensor(self, coordinates: list[Array], take: Callable[..., Array]) -> Array:
        """On a tensor grid, (m,) or (my, mx).   take : `pieces.at` or `pieces.averages`."""
        along = take(self._along_x, coordinates[0], self.rings[0])
        return along if self.table.dim == 1 else take(self._along_y(along.T), coordinates[1], self.rings[1])

    @cached_property
    def _scattered(self) -> Scattered:
        return Scattered(self.kind, self.table.places, self.filled, self.rings)

    def derivative(self, name: str) -> Slope:
        """The slope along an axis, in closed form, called as the table is."""
        return Slope(self._scattered, AXIS_NAMES.index(name))


def _outer(values: Array, x: tuple[int, ...], y: tuple[int, ...]) -> Array:
    """Values (size of y, size of x) as an array that the shapes x and y, of one length, broadcast to."""
    n = len(x)
    mixed = values.reshape((*y, *x)).transpose(
        [k for pair in zip(range(n), range(n, 2 * n), strict=True) for k in pair]
    )
    return mixed.reshape(tuple(a * b for a, b in zip(x, y, strict=True)))


def _products(sides: list[tuple[Array, Array]]) -> list[tuple[Array, ...]]:
    """One index per axis, for all corners."""
    found: list[tuple[Array, ...]] = [()]
    for pair in sides:
        found = [(*some, side) for some in found for side in pair]
    return found


def _closed(table: Table, values: Array, k: int, axis: Axis) -> tuple[Array, Array, float | None]:
    """Places and values of axis k without a repeated last place, and the period if it closes.  Raises CaseError."""
    places, said, what = table.places[k], table.periods[k], f"{table.what}: {table.names[k]}"
    if axis.ring and said is not None and abs(said - axis.length) > SAME * said:
        raise CaseError(
            f"{what} has the period {said:.10g} and axis {axis.name} of the grid the length {axis.length:.10g}. "
            "Give the grid one period."
        )
    period = axis.length if axis.ring else said
    if period is None:
        return places, values, None
    along, span = values.ndim - 1 - k, float(places[-1] - places[0])
    if span > period * (1 + SAME):
        raise CaseError(f"{what} spans {span:.6g}, more than the period {period:.6g}. Give the table one period.")
    if span > period * (1 - SAME) and len(places) > 2:  # the last place is the first, one period on
        first, last = np.take(values, 0, axis=along), np.take(values, -1, axis=along)
        jump = _largest(np.abs(last - first))
        scale = float(np.nanmax(np.abs(values)))
        if jump > 1e-6 * scale and not (said is not None and not np.any(last)):
            raise CaseError(
                f"{what}: axis {axis.name} is periodic and the table is not: from {places[0]:.6g} to "
                f"{places[-1]:.6g}, one period on, it jumps by {jump:.6g}. Mend the table, or take no-flux walls."
            )
        places, values = places[:-1], np.take(values, range(len(places) - 1), axis=along)
    _check_seam(places, values, along, period, what, axis)
    return places, values, period


def _largest(values: Array) -> float:
    """Of those that are known, 0 where none is."""
    return float(np.max(values, where=np.isfinite(values), initial=0.0))


def _check_seam(places: Array, values: Array, along: int, period: float, what: str, axis: Axis) -> None:
    """Refuse a table that is no whole period, or jumps where it closes."""
    gap, widest = period - float(places[-1] - places[0]), float(np.max(np.diff(places)))
    if gap > widest * (1 + 1e-6):
        raise CaseError(
            f"{what} spans {places[-1] - places[0]:.6g} of the period {period:.6g}: from {places[-1]:.6g} to "
            f"{places[0] + period:.6g} nothing is known. Give a whole period, the last place one spacing before the "
            "first comes again, or that one too."
        )
    steps = np.abs(np.diff(values, axis=along))
    seam = np.abs(np.take(values, 0, axis=along) - np.take(values, -1, axis=along))
    most, jump = _largest(steps), _largest(seam)
    if len(places) > 4 and jump > SEAM * most > 0:
        raise CaseError(
            f"{what}: axis {axis.name} is periodic and the table is not: where it closes, between {places[-1]:.6g} and "
            f"{places[0] + period:.6g}, it jumps by {jump:.6g}, elsewhere between neighbours by {most:.6g} at most. "
            "Mend the table, or take no-flux walls."
        )


def _check_cover(table: Table, rings: list[float | None], grid: Grid) -> None:
    """Raises CaseError where an open axis of the grid reaches beyond the bins of the table."""
    short = []
    for k, (axis, ring) in enumerate(zip(grid.axes, rings, strict=True)):
        if ring is not None:
            continue
        low, high = _reach(table.places[k])
        slack = 1e-9 * (high - low)
        name = table.names[k]
        if axis.lower < low - slack:
            short.append(f"{axis.name} begins at {axis.lower:.6g} and {name} of the table at {table.places[k][0]:.6g}")
        if axis.upper > high + slack:
            short.append(f"{axis.name} ends at {axis.upper:.6g} and {name} of the table at {table.places[k][-1]:.6g}")
    if short:
        turned = ""
        if grid.dim == 2 and all(
            low <= axis.lower and axis.upper <= high
            for axis, (low, high) in zip(grid.axes, map(_reach, reversed(table.places)), strict=True)
        ):
            turned = " It looks transposed: its first coordinate fits y and its second x; x comes first."
        raise CaseError(
            f"{table.what} does not cover the grid: {'; '.join(short)} (a value reaches half a spacing).{turned} "
            "Make the grid smaller or the table larger."
        )


def _reach(places: Array) -> tuple[float, float]:
    return 1.5 * places[0] - 0.5 * places[1], 1.5 * places[-1] - 0.5 * places[-2]


def _filled(values: Array, rings: tuple[float | None, ...], onwards: bool) -> Array:
    """Missing values from the known: V(m) = 2V(r) − V(2r − m), r the nearest known place, so that the slope goes on.

    Just V(r) where 2r − m is missing too, and everywhere without `onwards`.  Distances are counted in places, around
    rings too.
    """
    from scipy.ndimage import binary_dilation
    from scipy.spatial import cKDTree

    missing = np.isnan(values)
    closed = [ring is not None for ring in reversed(rings)]
    known = ~missing
    rim = (
        known
        & binary_dilation(np.pad(missing, 1, mode="wrap"), np.ones((3,) * values.ndim))[(slice(1, -1),) * values.ndim]
    )
    rim = rim if np.any(rim) else known
    size = [float(n) if ring else 0.0 for n, ring in zip(values.shape, closed, strict=True)]
    tree = cKDTree(np.argwhere(rim).astype(float), boxsize=size)
    holes = np.argwhere(missing)
    _, found = tree.query(holes.astype(float))
    nearest = np.argwhere(rim)[found]
    beyond, inside = 2 * nearest - holes, np.ones(len(holes), dtype=bool)
    for k, (n, ring) in enumerate(zip(values.shape, closed, strict=True)):
        inside &= ring | ((beyond[:, k] >= 0) & (beyond[:, k] < n))
        beyond[:, k] %= n
    near, far = values[tuple(nearest.T)], values[tuple(beyond.T)]
    out = values.copy()
    out[missing] = np.where(onwards & inside & np.isfinite(far), 2 * near - far, near)
    return out
