"""What mass is carried by: cells that are constant inside, or points.

Both bounds of a distance see a measure of mass 1 in two ways.  A potential φ known at the nodes of a lattice is
extended by the lower envelope of ½|y|² − φ, which is at most its bilinear interpolant because it is convex, so that

    ∫φ dν ≥ Σ_cells ν (mean of φ at the corners − Σ_axes w²/12),        φ(y) ≥ Σ weights φ − Σ_axes ½(y − y₀)(y₁ − y)

for a cell with sides w whose corners are nodes, and for a point y between nodes y₀ < y₁.  And a plan moves *bundles*:
mass m about a centre C, either uniform on a box with standard deviations σ per axis, or any points of variance V,

    E|X − Y|² = |C − C'|² + Σ_axes (σ − σ')² + V + V'      (boxes stretched onto boxes, all else independent).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...grid import Array, Grid
from ...grid.initial import remap


@dataclass(frozen=True)
class Bundles:
    """Mass on a raster.   places : per axis, x first, increasing centres of the raster, (n,).   widths : (n,) each.

    mass : (ny, nx), of sum 1.   centres : x and y of each bundle, (ny, nx) each.   sigmas : per axis (n,).
    variance : Σ m V.
    """

    places: tuple[Array, Array]
    widths: tuple[Array, Array]
    mass: Array
    centres: tuple[Array, Array]
    sigmas: tuple[Array, Array]
    variance: float = 0.0


class Cells:
    """A density that is constant on the cells of a 2D grid, scaled to mass 1.   rho : (ny, nx) ≥ 0, with mass."""

    spread = True
    """Whether lattices finer than its own say more."""

    def __init__(self, grid: Grid, rho: Array) -> None:
        self.grid = grid
        mass = np.asarray(rho, dtype=float, order="C") * grid.cell_volume
        self.mass = mass / np.sum(mass)
        self.density = self.mass / grid.cell_volume
        self.box = [(axis.lower, axis.upper) for axis in grid.axes]
        self.widths = [axis.length / axis.size for axis in grid.axes]
        self._known: tuple[tuple[Array, Array], tuple[Array, float]] | None = None

    def deposit(self, level: Grid) -> Array:
        """Its mass in the cells of a lattice that covers it, (ny, nx)."""
        edges, onto = ([axis.edges for axis in grid.axes] for grid in (self.grid, level))
        if level.shape == self.mass.shape and all(map(np.array_equal, edges, onto)):
            return self.mass
        whole = all(fine.size % axis.size == 0 for fine, axis in zip(level.axes, self.grid.axes, strict=True))
        even = level.uniform and self.grid.uniform
        if whole and even and self.box == [(fine.lower, fine.upper) for fine in level.axes]:
            return self._finer(self.cuts(level))
        return remap(self.density, tuple(edges), tuple(onto)) * level.cell_volume

    def nodes(self, level: Grid) -> tuple[Array, Array]:
        """Corners of its cells, cut into parts about as fine as a lattice; per axis, x first."""
        return tuple(cut(a.edges, n) for a, n in zip(self.grid.axes, self.cuts(level), strict=True))  # type: ignore

    def integral(self, phi: Array, nodes: tuple[Array, Array]) -> float:
        """A lower bound of ∫φ for φ on `nodes`, (ny+1, nx+1)."""
        at, taken = self.on_nodes(nodes)
        return float(np.einsum("ji,ji->j", at, phi).sum() - taken)

    def on_nodes(self, nodes: tuple[Array, Array]) -> tuple[Array, float]:
        """That bound as one of φ: masses at the nodes, and what is taken off."""
        if self._known is not None and all(map(np.array_equal, self._known[0], nodes)):
            return self._known[1]
        mass = self._on(nodes)
        at = np.zeros((mass.shape[0] + 1, mass.shape[1] + 1))
        for j in (0, 1):
            for i in (0, 1):
                at[j : j + mass.shape[0], i : i + mass.shape[1]] += 0.25 * mass
        self._known = nodes, (at, self._taken(mass, nodes))
        return self._known[1]

    def _on(self, nodes: tuple[Array, Array]) -> Array:
        return self._finer([(len(x) - 1) // axis.size for x, axis in zip(nodes, self.grid.axes, strict=True)])

    @staticmethod
    def _taken(mass: Array, nodes: tuple[Array, Array]) -> float:
        return float(sum(np.sum(np.diff(x) ** 2 * np.sum(mass, axis=k)) / 12 for k, x in enumerate(nodes)))

    def bundles(self, level: Grid) -> Bundles:
        cuts = self.cuts(level)
        edges = [cut(axis.edges, n) for axis, n in zip(self.grid.axes, cuts, strict=True)]
        x, y = (0.5 * (e[1:] + e[:-1]) for e in edges)
        widths = tuple(np.diff(e) for e in edges)
        mass = self._finer(cuts)
        centres = np.broadcast_to(x, mass.shape).copy(), np.broadcast_to(y[:, None], mass.shape).copy()
        return Bundles((x, y), widths, mass, centres, tuple(w / np.sqrt(12) for w in widths))  # type: ignore[arg-type]

    def cuts(self, level: Grid) -> list[int]:
        """Into how many parts along each axis cells are cut to be about as fine as a lattice."""
        pairs = zip(self.grid.axes, level.axes, strict=True)
        return [max(1, round((axis.length / axis.size) / (fine.length / fine.size))) for axis, fine in pairs]

    def _finer(self, cuts: list[int]) -> Array:
        if cuts == [1, 1]:
            return self.mass
        return np.repeat(np.repeat(self.mass, cuts[1], axis=0), cuts[0], axis=1) / (cuts[0] * cuts[1])


class Atoms(Cells):
    """Mass at the centres of the cells of a 2D grid, scaled to mass 1.   rho : as for `Cells`."""

    spread = False

    def nodes(self, level: Grid) -> tuple[Array, Array]:
        """Centres of its cells; on a circle the first once more, a turn on, as corners of cells have it."""
        x, y = (np.append(a.centers, a.centers[:1] + a.length) if a.ring else a.centers for a in self.grid.axes)
        return x, y

    def integral(self, phi: Array, nodes: tuple[Array, Array]) -> float:
        return float(np.sum(self.mass * phi[: self.mass.shape[0], : self.mass.shape[1]]))

    def bundles(self, level: Grid) -> Bundles:
        shape, places = self.mass.shape, (self.grid.x.centers, self.grid.y.centers)
        centres = np.broadcast_to(places[0], shape).copy(), np.broadcast_to(places[1][:, None], shape).copy()
        still = (np.zeros(shape[1]), np.zeros(shape[0]))
        return Bundles(places, (self.grid.x.widths, self.grid.y.widths), self.mass, centres, still)


class Points:
    """Points in the plane, scaled to mass 1.

    places : (n, 2), x first.   weights : (n,) ≥ 0, with a sum.   circles : per axis the circle (lower, upper) into
    which places are wrapped, or None.
    """

    spread = True

    def __init__(
        self, places: Array, weights: Array, circles: Sequence[tuple[float, float] | None] = (None, None)
    ) -> None:
        self.places, self.weights = np.array(places, dtype=float), weights / np.sum(weights)
        self.count = len(self.places)
        self.box, self.widths = [], [np.inf, np.inf]
        for k, circle in enumerate(circles):
            x = self.places[:, k]
            if circle is not None:
                x[:] = circle[0] + np.mod(x - circle[0], circle[1] - circle[0])
                x[x >= circle[1]] = circle[0]  # what rounding leaves at the upper end is the lower one
            self.box.append(circle or (float(x.min()), float(x.max())))

    def deposit(self, level: Grid) -> Array:
        return self._sum(level, self.weights)

    def nodes(self, level: Grid) -> tuple[Array, Array]:
        return level.x.edges, level.y.edges

    def integral(self, phi: Array, nodes: tuple[Array, Array]) -> float:
        (i, p, taken_x), (j, q, taken_y) = (_between(n, self.places[:, k]) for k, n in enumerate(nodes))
        low, high = ((1 - p) * phi[j + k, i] + p * phi[j + k, i + 1] for k in (0, 1))
        return float(np.sum(self.weights * ((1 - q) * low + q * high - taken_x - taken_y)))

    def bundles(self, level: Grid) -> Bundles:
        mass = self._sum(level, self.weights)
        filled = np.where(mass > 0, mass, 1.0)
        x, y = (self._sum(level, self.weights * self.places[:, k]) / filled for k in (0, 1))
        j, i = self._cell(level)
        variance = np.sum(self.weights * ((self.places[:, 0] - x[j, i]) ** 2 + (self.places[:, 1] - y[j, i]) ** 2))
        places, widths = (level.x.centers, level.y.centers), (level.x.widths, level.y.widths)
        still = (np.zeros(level.x.size), np.zeros(level.y.size))
        return Bundles(places, widths, mass, (x, y), still, float(variance))

    def _cell(self, level: Grid) -> tuple[Array, Array]:
        i, j = (
            np.clip(np.searchsorted(axis.edges, self.places[:, k], side="right") - 1, 0, axis.size - 1)
            for k, axis in enumerate(level.axes)
        )
        return j, i

    def _sum(self, level: Grid, values: Array) -> Array:
        j, i = self._cell(level)
        return np.bincount(j * level.x.size + i, values, minlength=level.size).reshape(level.shape)


Measure = Cells | Points
Periods = tuple[float | None, float | None]


def cut(edges: Array, parts: int) -> Array:
    """Edges with each cell cut into equal parts; the old ones are kept to the bit."""
    share = np.arange(parts) / parts
    inner = edges[:-1, None] + np.diff(edges)[:, None] * share
    return np.append(np.ravel(inner), edges[-1])


def _between(nodes: Array, x: Array) -> tuple[Array, Array, Array]:
    """The node before each place, how far along it is to the next, and what the envelope may be below the chord."""
    i = np.clip(np.searchsorted(nodes, x, side="right") - 1, 0, len(nodes) - 2)
    low, high = nodes[i], nodes[i + 1]
    return i, (x - low) / (high - low), 0.5 * (x - low) * (high - x)
