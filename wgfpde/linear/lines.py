"""Lines of a grid, taken LANES at a time.

A sweep along one axis solves one small problem per grid line.  LANES neighbouring lines form a block, stored as
(n, LANES), so that recurrences along the line run in vector registers and a block stays in cache.  Fields are (ny, nx)
(a 1D field is one row); coefficients of an axis are (blocks, n, LANES).

Blocks are independent, so that threads may share them.
"""

from __future__ import annotations

import numpy as np

from ..base.kernel_cache import njit
from ..grid import Array, Grid
from .tridiagonal import LANES

X, Y = 1, 0
"""Array axis along which a sweep runs."""


class Lines:
    """Geometry of the sweeps along one axis.

    direction : X or Y.   n : cells per line.   count : number of lines.
    widths, distances : (n,) of the axis.   ring : whether lines close.
    """

    def __init__(self, grid: Grid, direction: int) -> None:
        axis = grid.x if direction == X else grid.y
        self.direction = direction
        self.n = axis.size
        self.count = grid.size // axis.size
        self.lanes = min(LANES, self.count)
        self.blocks = -(-self.count // self.lanes)
        self.widths = np.ascontiguousarray(axis.widths)
        self.distances = np.ascontiguousarray(axis.distances)
        self.inverse_distances = 1.0 / self.distances
        self.ring = axis.ring

    def coefficients(self) -> Array:
        """Zeros (blocks, n, lanes); unused lanes and the face that a no-flux line lacks stay zero."""
        return np.zeros((self.blocks, self.n, self.lanes))


def lines_of(grid: Grid) -> list[Lines]:
    """The sweeps of a grid: x, then y."""
    return [Lines(grid, X)] if grid.dim == 1 else [Lines(grid, X), Lines(grid, Y)]


@njit(cache=True, nogil=True)
def gather(field, direction, first, count, out):
    """Copy `count` lines of a (ny, nx) field, from line `first`, into out (n, LANES)."""
    n = out.shape[0]
    if direction == 1:
        for i in range(n):
            for k in range(count):
                out[i, k] = field[first + k, i]
    else:
        for i in range(n):
            for k in range(count):
                out[i, k] = field[i, first + k]


@njit(cache=True, nogil=True)
def scatter(block, direction, first, count, field):
    """Copy a block (n, LANES) back into `count` lines of a (ny, nx) field."""
    n = block.shape[0]
    if direction == 1:
        for i in range(n):
            for k in range(count):
                field[first + k, i] = block[i, k]
    else:
        for i in range(n):
            for k in range(count):
                field[i, first + k] = block[i, k]
