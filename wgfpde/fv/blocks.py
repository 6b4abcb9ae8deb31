"""Lines of a grid, taken LANES at a time, and their distribution over threads.

A sweep along one axis solves one small problem per grid line.  LANES neighbouring lines form a block, stored as
(n, LANES), so that recurrences along the line run in vector registers and a block stays in cache.  Fields are (ny, nx)
(a 1D field is one row); coefficients of an axis are (blocks, n, LANES).

Blocks are independent: threads change neither values nor sums.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
from numba import njit

from ..errors import CaseError
from ..grid import Array, Grid
from ..linear.tridiagonal import LANES

X, Y = 1, 0
"""Array axis along which a sweep runs."""

SERIAL_CELLS = 16384
"""Below this many cells a second thread costs more than it gains."""


class Lines:
    """Geometry of the sweeps along one axis.

    direction : X or Y.   n : cells per line.   count : number of lines.
    widths, distances : (n,) of the axis.   periodic : whether lines close.
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
        self.periodic = axis.periodic

    def coefficients(self) -> Array:
        """Zeros (blocks, n, lanes); unused lanes and the face that a no-flux line lacks stay zero."""
        return np.zeros((self.blocks, self.n, self.lanes))


def default_threads() -> int:
    """Threads used by kernels: WGFPDE_NUM_THREADS, else the cores this process may use.

    Raises CaseError where the variable is set to anything but a positive number.
    """
    chosen = os.environ.get("WGFPDE_NUM_THREADS", "").strip()
    if chosen:
        if not (chosen.isdecimal() and int(chosen) > 0):
            raise CaseError(f'WGFPDE_NUM_THREADS must be a number of threads, such as 4; found "{chosen}".')
        return int(chosen)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


@cache
def _pool(workers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers, thread_name_prefix="wgfpde")


def share(kernel: Callable[..., None], blocks: int, cells: int, threads: int, *args: object) -> None:
    """Call kernel(first, last, *args) on disjoint ranges that cover 0 … blocks."""
    parts = min(threads, blocks) if cells >= SERIAL_CELLS else 1
    if parts == 1:
        kernel(0, blocks, *args)
        return
    bounds = [blocks * k // parts for k in range(parts + 1)]
    futures = [_pool(parts - 1).submit(kernel, bounds[k], bounds[k + 1], *args) for k in range(1, parts)]
    kernel(bounds[0], bounds[1], *args)
    for future in futures:
        future.result()


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
