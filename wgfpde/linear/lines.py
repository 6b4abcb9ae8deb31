"""Lines of a grid, taken LANES at a time.

A sweep along one axis solves one small problem per grid line.  LANES neighbouring lines form a block, stored as
(n, LANES), so that recurrences along the line run in vector registers and a block stays in cache.  Fields are (ny, nx)
(a 1D field is one row); coefficients of an axis are (blocks, n, LANES).

Blocks are independent, so that threads may share them.

What multiplies the flux through a face, its area and the diffusion D there, enters as a longer or shorter way across
it: r = d/(A D), the resistance of the face, is d where both are 1.  It is (n,) where it is the same on every line, else
(blocks, n, LANES); kernels read it by `of_block` and `at`, and are compiled for either.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..base.kernel_cache import njit
from ..grid import Array, Grid
from .rows import put, put_at, row, row_at, turn
from .tridiagonal import LANES

X, Y = 1, 0
"""Array axis along which a sweep runs."""


class Lines:
    """Geometry of the sweeps along one axis.

    direction : X or Y.   n : cells per line.   count : number of lines.   ring : whether lines close.
    lanes : of a block, LANES or 1.   width : the same with None for 1, as kernels that `live` is in take it.
    widths, distances : (n,) of the axis.   volumes : (n,) of the cells, which are the widths on a plain axis.
    areas : (n,) of the faces i+½, 1 on a plain axis.
    resistances : d/(A D) of the faces, and `conductances` A D/d, (n,) or (blocks, n, LANES).
    """

    def __init__(self, grid: Grid, direction: int, mobility: Array | None = None) -> None:
        axis = grid.x if direction == X else grid.y
        self.direction = direction
        self.n = axis.size
        self.count = grid.size // axis.size
        self.lanes = LANES if self.count > 1 else 1
        self.width = LANES if self.count > 1 else None
        self.blocks = -(-self.count // self.lanes)
        self.widths = np.ascontiguousarray(axis.widths)
        self.distances = np.ascontiguousarray(axis.distances)
        self.volumes = np.ascontiguousarray(axis.volumes)
        self.areas = np.ascontiguousarray(axis.areas[1:])
        self.ring = axis.ring
        self.resistances, self.conductances = self.distances, 1.0 / self.distances
        if mobility is not None or axis.radial > 1:
            self._weigh(self.areas if mobility is None else self._of_lines(mobility) * self.areas[:, None])

    def _of_lines(self, mobility: Array) -> Array:
        """D of the faces i+½, (n, lines), or (n, 1) where all lines have the same; mobility : with both walls."""
        per_line = mobility.reshape(-1, self.n + 1).T if self.direction == X else mobility
        upper = per_line[1:]
        return upper[:, :1] if np.array_equal(upper, np.broadcast_to(upper[:, :1], upper.shape)) else upper

    def _weigh(self, factor: Array) -> None:
        """Take a factor of the flux, (n, lines) or (n, 1) or (n,), into the resistances and the conductances."""
        factor = factor.reshape(self.n, -1)
        with np.errstate(divide="ignore"):
            parts = self.distances[:, None] / factor, factor / self.distances[:, None]
        if factor.shape[1] == 1:
            self.resistances, self.conductances = (np.ascontiguousarray(part[:, 0]) for part in parts)
            return
        self.resistances, self.conductances = (self.coefficients() for _ in parts)
        self.resistances += np.inf
        for blocks, part in zip((self.resistances, self.conductances), parts, strict=True):
            for q in range(self.blocks):
                lines = part[:, q * self.lanes : (q + 1) * self.lanes]
                blocks[q, :, : lines.shape[1]] = lines

    def rows(self, faces: Array) -> Array:
        """Values of faces, (n,) or (blocks, n, LANES), as (n, lines), or (n, 1) where all lines have the same."""
        return faces[:, None] if faces.ndim == 1 else np.moveaxis(faces, 1, 2).reshape(-1, self.n)[: self.count].T

    def coefficients(self) -> Array:
        """Zeros (blocks, n, lanes); unused lanes and the face that a no-flux line lacks stay zero."""
        return np.zeros((self.blocks, self.n, self.lanes))


def lines_of(grid: Grid, mobility: Sequence[Array] | None = None) -> list[Lines]:
    """The sweeps of a grid: x, then y.

    mobility : what multiplies the flux per area, on the faces across each axis, walls included: (nx+1,), or
    (ny, nx+1) and (ny+1, nx).
    """
    return [Lines(grid, (X, Y)[k], None if mobility is None else mobility[k]) for k in range(grid.dim)]


@njit(cache=True, nogil=True, error_model="numpy")
def of_block(faces, q):
    """Block q of values of faces: themselves where all lines have the same, (n,), else (n, LANES)."""
    if faces.ndim == 1:
        return faces
    return faces[q]


@njit(cache=True, nogil=True, forceinline=True, error_model="numpy")
def at(faces, i, k):
    """The value of face i+½ on lane k, of values as `of_block` returns them."""
    if faces.ndim == 1:
        return faces[i]
    return faces[i, k]


@njit(cache=True, nogil=True, forceinline=True, error_model="numpy")
def differ(faces):
    """Whether the lanes of a block have values of their own: known when a kernel is compiled."""
    return faces.ndim == 2


@njit(cache=True, nogil=True, forceinline=True, error_model="numpy")
def live(count):
    """How many lanes loops go over: `count`; of None, a line alone, 1, which is known when a kernel is compiled."""
    if count is None:
        return 1
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def some_of(width, count):
    """`count` of so many lanes, or None where `width` is."""
    if width is None:
        return None
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def lanes_of(rates):
    """How many lines a block of rates has, (blocks, n, LANES), or (1, n) of a line alone."""
    if rates.ndim == 2:
        return 1
    return rates.shape[2]


@njit(cache=True, nogil=True, error_model="numpy")
def alone(block):
    """The numbers (n,) of a block (n, 1)."""
    return block.reshape(block.shape[0])


@njit(cache=True, nogil=True, error_model="numpy")
def as_block(values):
    """A block (n, LANES), or (n, 1) of the numbers (n,) of a line alone."""
    if values.ndim == 1:
        return values.reshape((values.shape[0], 1))
    return values


@njit(cache=True, nogil=True, error_model="numpy")
def closes(ring):
    """Whether lines close, of a value that is None where those of no axis do."""
    if ring is None:
        return False
    return ring


@njit(cache=True, nogil=True)
def gather(field, direction, first, count, out):
    """Copy `count` lines of a (ny, nx) field, from line `first`, into out (n, LANES)."""
    n = out.shape[0]
    tiles = n - n % LANES if count == LANES else 0
    if direction == 1:
        for i in range(0, tiles, LANES):
            turn(field, first, i, out, i, 0)
        for i in range(tiles, n):
            for k in range(count):
                out[i, k] = field[first + k, i]
    elif count == LANES:
        for i in range(n):
            put(out, i, row_at(field, i, first))
    else:
        for i in range(n):
            for k in range(count):
                out[i, k] = field[i, first + k]


@njit(cache=True, nogil=True)
def scatter(block, direction, first, count, field):
    """Copy a block (n, LANES) back into `count` lines of a (ny, nx) field."""
    n = block.shape[0]
    tiles = n - n % LANES if count == LANES else 0
    if direction == 1:
        for i in range(0, tiles, LANES):
            turn(block, i, 0, field, first, i)
        for i in range(tiles, n):
            for k in range(count):
                field[first + k, i] = block[i, k]
    elif count == LANES:
        for i in range(n):
            put_at(field, i, first, row(block, i))
    else:
        for i in range(n):
            for k in range(count):
                field[i, first + k] = block[i, k]
