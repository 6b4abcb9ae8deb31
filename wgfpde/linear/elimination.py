"""Direct solution of networks of rates with losses, of any spread, without a single subtraction.

    A u = f,    (A u)_i = (c_i + Σ_j r_ij) u_i − Σ_j r_ij u_j        and its transpose        c, r ≥ 0

r_ij is the rate from cell i to cell j and c_i the rate at which i is left for good: A is the backward operator of a
Markov chain, Aᵀ its forward operator.  Eliminating cell k with D_k = c_k + Σ_j r_kj, summed over the cells still there,
leaves the chain watched outside k (Grassmann, Taksar, Heyman),

    r_ij += (r_ik/D_k) r_kj,      c_i += (r_ik/D_k) c_k,

all sums, products and quotients of non-negative numbers: every rate is right to a small multiple of the rounding unit
relative to itself, also where the chain takes 1e200 of its steps to leave, and so is u for f ≥ 0.  A sparse LU, which
forms D_k by subtraction, loses all digits once the rates are spread over 1e16.  No symmetry is needed.

Cells go in the order of a nested dissection, a dense front per node: panels of PANEL cells by a kernel, the rest of
the front by a matrix product.  Measured on square 2D grids, on one core of a machine that others used too; a band of
the width of the grid would hold 4 times as much at 256² and take some 20 times as long at 1024²:

    cells         128²     256²     512²    1024²
    dissect     0.05 s   0.13 s    0.8 s    3.3 s
    eliminate    0.1 s    0.6 s      4 s     12 s
    solve         3 ms    40 ms    0.2 s    0.6 s
    factors      11 MB    51 MB   235 MB   1.1 GB

References: Grassmann, Taksar, Heyman (1985), DOI 10.1287/opre.33.5.1107; O'Cinneide (1993), DOI 10.1007/BF01385741;
Duff, Reid (1983), DOI 10.1145/356044.356047 (fronts).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..base.kernel_cache import njit
from ..grid import Array
from .dissection import Dissection

PANEL = 32
"""Cells eliminated one by one before the rest of a front is brought up to date."""


class Elimination:
    """The factors of A on the cells of a dissection.

    lower, upper : (faces,) cells i and j of every face.   a, b : (faces,) r_ij and r_ji.   c : (cells,).
    progress : called with the share of the work done, 0 … 1.

    pivot : (kept,) D_k in the order of elimination; 0 where a cell cannot be left, and `solve` then gives inf or NaN.
    """

    def __init__(
        self, order: Dissection, lower: Array, upper: Array, a: Array, b: Array, c: Array,
        progress: Callable[[float], None] | None = None,
    ) -> None:  # fmt: skip
        self.order, self.cells = order, len(c)
        self._to = np.flatnonzero(order.place >= 0)
        self._place = order.place[self._to]
        self.pivot = np.zeros(order.kept)
        loss = np.zeros(order.kept)
        loss[self._place] = c[self._to]
        nodes = order.nodes
        self._tree = np.array([(node.start, node.stop, len(node.boundary)) for node in nodes], dtype=np.int64)
        self._boundary = np.concatenate([node.boundary for node in nodes] or [np.zeros(0, dtype=np.int64)])
        self._upper = np.empty(sum(node.own * node.size for node in nodes))
        self._lower = np.empty(sum(node.own * (node.size - node.own) for node in nodes))
        self._fill(_faces_by_node(order, lower, upper, a, b), loss, progress)

    def _fill(self, faces: tuple[Array, ...], loss: Array, progress: Callable[[float], None] | None) -> None:
        ends, faces = faces[0], faces[1:]
        left: dict[int, Array] = {}
        above = below = 0
        for k, node in enumerate(self.order.nodes):
            front = np.zeros((node.size, node.size))
            cells = np.concatenate([np.arange(node.start, node.stop), node.boundary])
            _place_faces(front, cells, *(part[ends[k] : ends[k + 1]] for part in faces))
            for child in node.children:
                _add_child(front, cells, self.order.nodes[child].boundary, left.pop(child))
            left[k] = self._eliminate(front, cells, node.own, loss)
            self._upper[above : above + node.own * node.size] = front[: node.own].ravel()
            self._lower[below : below + node.own * (node.size - node.own)] = front[node.own :, : node.own].ravel()
            above += node.own * node.size
            below += node.own * (node.size - node.own)
            if progress is not None:
                progress(above / len(self._upper))

    def _eliminate(self, front: Array, cells: Array, own: int, loss: Array) -> Array:
        """Eliminate the first `own` cells of a front; returns what it leaves among the others."""
        c = loss[cells]
        for first in range(0, own, PANEL):
            last = min(first + PANEL, own)
            _panel(front, c, first, last)
            if last < len(front):
                front[last:, last:] += front[last:, first:last] @ front[first:last, last:]
                c[last:] += front[last:, first:last] @ c[first:last]
        self.pivot[cells[:own]] = np.diagonal(front)[:own]
        loss[cells[own:]] = c[own:]
        return front[own:, own:].copy()

    def solve(self, f: Array) -> Array:
        """u of A u = f, (cells,); 0 in cells that are left out.  Each entry is right relatively where f ≥ 0."""
        return self._solved(_solve, f)

    def solve_forward(self, f: Array) -> Array:
        """u of Aᵀ u = f, (cells,), as `solve`."""
        return self._solved(_solve_transposed, f)

    def _solved(self, kernel: Callable[..., None], f: Array) -> Array:
        u, out = np.empty(len(self._to)), np.zeros(self.cells)
        u[self._place] = np.asarray(f).ravel()[self._to]
        kernel(self._tree, self._boundary, self._upper, self._lower, self.pivot, u)
        out[self._to] = u[self._place]
        return out


def _faces_by_node(order: Dissection, lower: Array, upper: Array, a: Array, b: Array) -> tuple[Array, ...]:
    """(ends, i, j, forth, back): faces, both cells in the order of elimination, by the node that eliminates the first.

    ends : (nodes + 1,) where the faces of each node begin.
    """
    i, j = order.place[lower], order.place[upper]
    first = np.minimum(i, j)
    sort = np.argsort(first, kind="stable")
    starts = [node.start for node in order.nodes]
    ends = np.searchsorted(first[sort], np.array([*starts, order.kept], dtype=np.int64))
    return ends, i[sort], j[sort], a[sort], b[sort]


@njit(cache=True, nogil=True, error_model="numpy")
def _place_faces(front, cells, i, j, forth, back):
    """Add the rates of faces to a front; both cells of each are in `cells`, which ascends."""
    for k in range(len(i)):
        p, q = np.searchsorted(cells, i[k]), np.searchsorted(cells, j[k])
        front[p, q] += forth[k]
        front[q, p] += back[k]


@njit(cache=True, nogil=True, error_model="numpy")
def _add_child(front, cells, boundary, rates):
    """Add the rates that a child left among its boundary; both lists ascend."""
    at = np.searchsorted(cells, boundary)
    for p in range(len(at)):
        for q in range(len(at)):
            front[at[p], at[q]] += rates[p, q]


@njit(cache=True, nogil=True, error_model="numpy")
def _panel(front, c, first, last):
    """Eliminate the cells first … last − 1 from their own rows and columns; pivots end on the diagonal.

    Rows and columns beyond the panel among themselves are left to the caller, and so are their losses.
    """
    size = front.shape[0]
    for k in range(first, last):
        total = c[k]
        for j in range(k + 1, size):
            total += front[k, j]
        front[k, k] = total
        for i in range(k + 1, size):
            if front[i, k] > 0.0:
                ratio = front[i, k] / total
                front[i, k] = ratio
                for j in range(k + 1, size if i < last else last):
                    front[i, j] += ratio * front[k, j]
                if i < last:
                    c[i] += ratio * c[k]


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc"})
def _solve(tree, boundary, upper, lower, pivot, u):
    """Replace the right-hand side u, in the order of elimination, by the solution of A u = f."""
    edge = above = below = 0
    for node in range(len(tree)):
        start, stop, wide = tree[node]
        own = stop - start
        size = own + wide
        for i in range(own):
            value = 0.0
            for k in range(i):
                value += upper[above + i * size + k] * u[start + k]
            u[start + i] += value
        for i in range(wide):
            value = 0.0
            for k in range(own):
                value += lower[below + i * own + k] * u[start + k]
            u[boundary[edge + i]] += value
        edge, above, below = edge + wide, above + own * size, below + own * wide
    for node in range(len(tree) - 1, -1, -1):
        start, stop, wide = tree[node]
        own = stop - start
        size = own + wide
        edge, above = edge - wide, above - own * size
        for i in range(own - 1, -1, -1):
            value = u[start + i]
            for j in range(i + 1, own):
                value += upper[above + i * size + j] * u[start + j]
            for j in range(wide):
                value += upper[above + i * size + own + j] * u[boundary[edge + j]]
            u[start + i] = value / pivot[start + i]


@njit(cache=True, nogil=True, error_model="numpy")
def _solve_transposed(tree, boundary, upper, lower, pivot, u):
    """Replace the right-hand side u, in the order of elimination, by the solution of Aᵀ u = f."""
    edge = above = below = 0
    for node in range(len(tree)):
        start, stop, wide = tree[node]
        own = stop - start
        size = own + wide
        for k in range(own):
            value = u[start + k] / pivot[start + k]
            u[start + k] = value
            for j in range(k + 1, own):
                u[start + j] += upper[above + k * size + j] * value
            for j in range(wide):
                u[boundary[edge + j]] += upper[above + k * size + own + j] * value
        edge, above, below = edge + wide, above + own * size, below + own * wide
    for node in range(len(tree) - 1, -1, -1):
        start, stop, wide = tree[node]
        own = stop - start
        size = own + wide
        edge, above, below = edge - wide, above - own * size, below - own * wide
        for i in range(wide):
            value = u[boundary[edge + i]]
            for k in range(own):
                u[start + k] += lower[below + i * own + k] * value
        for i in range(own - 1, -1, -1):
            value = u[start + i]
            for k in range(i):
                u[start + k] += upper[above + i * size + k] * value
