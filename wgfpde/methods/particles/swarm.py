"""A swarm of particles in a box: where it starts, what it draws, how it counts as a density.

    X₁, …, X_n ~ ρ₀ independently        ρ_i = (M/n) #{k : X_k in cell i} / h_i

Replica r of R owns the particles rN … (r+1)N − 1, N = n/R.  Particles reflect at walls and wrap on rings:

    fold(y) = y − mL for even m = ⌊(y − lower)/L⌋ or on a ring,     2 lower + (m + 1) L − y for odd m

**Noise.**  Step k of block b, BLOCK particles each, draws from Philox4x64-10 with the seed as its key and the counter
(0, what for, b, k).  A number depends on the seed, the particle and the step alone: not on threads, not on how many
particles follow, not on where a run was stopped; and nothing of it needs to be stored.

Reference: Salmon, Moraes, Dror, Shaw (2011), Parallel random numbers: as easy as 1, 2, 3, DOI 10.1145/2063384.2063405.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np

from ...base.kernel_cache import njit
from ...grid import Array, Axis, Grid
from ...linear.threads import share

BLOCK = 65536
"""Particles that share a stream of random numbers: half a megabyte per axis, which stays in a core's cache."""
NOISE, START, CHOICE = 0, 1, 2
"""What random numbers are for: the second word of the counter."""
Start = Literal["random", "quantiles"]


def stream(seed: int, what: int, block: int, step: int) -> np.random.Generator:
    """The random numbers of one block of particles in one step."""
    return np.random.Generator(np.random.Philox(key=seed, counter=[0, what, block, step]))


def blocks(count: int) -> Iterator[tuple[int, slice]]:
    """The blocks of so many particles: their numbers and where they lie."""
    for block in range(-(-count // BLOCK)):
        yield block, slice(block * BLOCK, min((block + 1) * BLOCK, count))


def share_blocks(work: Callable[[int, slice], None], count: int, threads: int) -> None:
    """Call work(block, particles) for every block, by several threads where there are several blocks."""
    ranges = list(blocks(count))

    def part(first: int, last: int) -> None:
        for block, where in ranges[first:last]:
            work(block, where)

    share(part, len(ranges), count, threads)  # one block is below what a thread is worth


# ---- the start -------------------------------------------------------------------------------------------------


def draw(rho: Array, grid: Grid, count: int, seed: int) -> Array:
    """Independent places from a density that is constant on cells, (count, dim).   rho : ≥ 0, of the grid's shape."""
    below = np.cumsum(np.ravel(rho * grid.cell_volume))
    below /= below[-1]
    places = np.empty((count, grid.dim))
    for block, where in blocks(count):
        uniform = stream(seed, START, block, 0).random((where.stop - where.start, grid.dim + 1)).T
        cell = np.searchsorted(below, uniform[0], side="right")  # never an empty cell: uniform < 1
        for k, index in enumerate(reversed(np.unravel_index(cell, grid.shape))):
            axis = grid.axes[k]
            places[where, k] = axis.edges[index] + uniform[1 + k] * axis.widths[index]
    return places if _within(places, grid) else fold(places, grid)  # by rounding; else no kernel is loaded


def _within(places: Array, grid: Grid) -> bool:
    """Whether folding leaves all places as they are."""
    lower, upper = [axis.lower for axis in grid.axes], [axis.upper for axis in grid.axes]
    return bool(np.all((lower <= places) & (places < upper)))


def quantiles(rho: Array, grid: Grid, count: int) -> Array:
    """F⁻¹((k + ½)/count), (count, 1): places that tell the density as well as so many can.  1D only."""
    masses = rho * grid.x.widths
    below = np.concatenate([[0.0], np.cumsum(masses)])
    full = np.flatnonzero(masses > 0)
    levels = np.concatenate([below[full], [below[-1]]]) / below[-1]
    wanted = (np.arange(count) + 0.5) / count
    cell = np.clip(np.searchsorted(levels, wanted, side="right") - 1, 0, len(full) - 1)
    share_of_cell = (wanted - levels[cell]) / (levels[cell + 1] - levels[cell])
    places = grid.x.edges[full[cell]] + np.clip(share_of_cell, 0.0, 1.0) * grid.x.widths[full[cell]]
    return places[:, None]


# ---- the box ---------------------------------------------------------------------------------------------------


def fold(places: Array, grid: Grid) -> Array:
    """Places brought into the box, (n, dim), in the same array."""
    for k, axis in enumerate(grid.axes):
        column = places[:, k].copy()
        fold_into(column, axis.lower, axis.upper, axis.ring)
        places[:, k] = column
    return places


@njit(cache=True, nogil=True)
def fold_into(places, lower, upper, ring):
    for i in range(len(places)):
        places[i] = folded(places[i], lower, upper, ring)


@njit(cache=True, nogil=True)
def folded(y, lower, upper, ring):
    """One place brought into [lower, upper], on a ring into [lower, upper)."""
    if lower <= y < upper or (y == upper and ring == 0):
        return y
    length = upper - lower
    turns = np.floor((y - lower) / length)
    z = y - turns * length if ring == 1 or turns % 2 == 0 else 2.0 * lower + (turns + 1.0) * length - y
    if z >= upper:  # by rounding
        return lower if ring == 1 else upper
    return max(z, lower) if z == z else z


@njit(cache=True, nogil=True)
def image(z, y, lower, upper, ring):
    """What the isometry that folds y makes of z: y ↦ folded(y) is a reflection or a translation."""
    length = upper - lower
    turns = 0.0 if lower <= y < upper else np.floor((y - lower) / length)
    if ring == 1 or turns % 2 == 0:
        return z - turns * length
    return 2.0 * lower + (turns + 1.0) * length - z


# ---- as a density ----------------------------------------------------------------------------------------------


def counts_in(places: Array, grid: Grid, threads: int = 1) -> Array:
    """How many particles lie in each cell, integers of the grid's shape; one on an edge is in the cell above it."""
    numbers = -(-len(places) // BLOCK)
    found = np.zeros((numbers, grid.size), dtype=np.int64)

    def count(block: int, where: slice) -> None:
        _count(places[where], *_edges(grid), found[block])

    share_blocks(count, len(places), threads)
    return found.sum(axis=0).reshape(grid.shape)


def density_of_counts(counts: Array, grid: Grid, mass: float) -> Array:
    """ρ_i = M cᵢ / (h_i Σc), a density of that mass.   counts : integers of the grid's shape."""
    return counts * (mass / float(counts.sum())) / grid.cell_volume


def _edges(grid: Grid) -> tuple[Array, Array, float, float]:
    """Edges along x and y, and cells per length where they are equal, else 0; y of a line is one cell."""
    x = grid.x
    if grid.dim == 1:
        return x.edges, np.array([-np.inf, np.inf]), _per_length(x), 0.0
    return x.edges, grid.y.edges, _per_length(x), _per_length(grid.y)


def _per_length(axis: Axis) -> float:
    return axis.size / axis.length if axis.uniform else 0.0


@njit(cache=True, nogil=True)
def cell_of(place, edges, per_length):
    """The cell that holds a place of the box: edges[i] <= place < edges[i+1]; the last also its upper end."""
    last = len(edges) - 2
    if per_length > 0.0:
        i = int((place - edges[0]) * per_length)
        i = min(max(i, 0), last)
        while i > 0 and place < edges[i]:
            i -= 1
        while i < last and place >= edges[i + 1]:
            i += 1
        return i
    low, high = 0, last
    while low < high:
        middle = (low + high + 1) // 2
        if place >= edges[middle]:
            low = middle
        else:
            high = middle - 1
    return low


@njit(cache=True, nogil=True)
def _count(places, x_edges, y_edges, x_rate, y_rate, counts):
    width, dim = len(x_edges) - 1, places.shape[1]
    for p in range(len(places)):
        i = cell_of(places[p, 0], x_edges, x_rate)
        j = cell_of(places[p, 1], y_edges, y_rate) if dim == 2 else 0
        counts[j * width + i] += 1
