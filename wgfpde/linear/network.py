"""Direct solution of small networks (c u)_i + Σ_j g_ij (u_i − u_j) = f_i, without a single subtraction.

Eliminating cell k with D_k = c_k + Σ_j g_kj leaves a network: g_ij += g_ik g_kj/D_k, c_i += g_ik c_k/D_k
(Grassmann–Taksar–Heyman).  All numbers stay non-negative, so no pivot loses digits, whatever the spread of the
weights; a zero pivot means a component without cell terms, whose last cell receives 0.

Cells are (rows, width), eliminated row by row: a band of `width` cells ahead.  Where the rows close to a ring the
last row is a border, coupled to every cell; the last two rows are eliminated together as a full block.
A chain (1D) is the case width = 1.

share : (n, band) g_kj/D_k towards cell k + 1 + m.   tail : (n, width) towards cell m of the last row, if ring.
pivot : (n,) D_k.   band = 2 width − 1 (≥ 1) if ring, else width.

Reference: Grassmann, Taksar, Heyman (1985), DOI 10.1287/opre.33.5.1107.
"""

from __future__ import annotations

import numpy as np

from ..base.kernel_cache import njit
from ..grid import Array


class Network:
    """Factor and solver of one level, given by arrays in the bordered layout of `hierarchy.Level`."""

    def __init__(self, rows: int, width: int, ring: int) -> None:
        cells = rows * width
        self.width, self.ring = width, int(ring and rows > 1)
        self.share = np.zeros((cells, 2 * width - 1 if self.ring else width))
        self.tail = np.zeros((cells if self.ring else 0, width))
        self.pivot = np.zeros(cells)

    def factor(self, c: Array, gx: Array, gy: Array, seam: Array) -> None:
        """Eliminate the level c (rows, width); a single row stands for a chain of width 1."""
        rows, n = len(self.pivot) // self.width, c.shape[1]
        self.share[:] = 0.0
        self.tail[:] = 0.0
        self.pivot[:] = c.ravel()
        across, closing = (gy, seam[rows:]) if n == self.width else (gx.reshape(-1, 1), seam[:1])
        if self.width > 1:
            couplings = self.share.reshape(rows, self.width, -1)
            couplings[:, :-1, 0] = gx[:, 1:-1]
            couplings[:, 0, self.width - 2] += seam[:rows]
        self.share[: -self.width, self.width - 1] += across[1:-1].ravel()
        if self.ring:
            np.fill_diagonal(self.tail[: self.width], closing)
        _eliminate(self.width, self.ring, self.share, self.tail, self.pivot)

    def solve(self, f: Array, u: Array) -> float:
        """u of the shape of f.  Returns ⟨f, u⟩."""
        return _solve(self.width, self.ring, self.share, self.tail, self.pivot, f.ravel(), u.ravel())


@njit(cache=True, nogil=True, error_model="numpy")
def _eliminate(width, ring, share, tail, pivot):
    """Replace couplings by shares and cell terms by pivots, cell by cell."""
    n = pivot.shape[0]
    last = n - width
    for k in range(n):
        bordered = ring and k < last - width
        if ring and k == max(last - width, 0):
            for i in range(k, last):
                for m in range(width):
                    share[i, last + m - i - 1] += tail[i, m]
                    tail[i, m] = 0.0
        reach = min(width if k < last - width else share.shape[1], n - 1 - k)
        total = pivot[k]
        for m in range(reach):
            total += share[k, m]
        if bordered:
            for m in range(width):
                total += tail[k, m]
        kept = pivot[k] / total if total > 0.0 else 0.0
        pivot[k] = total
        if total == 0.0:
            continue
        for i in range(reach):
            flow = share[k, i]
            share[k, i] = flow / total
            pivot[k + 1 + i] += flow * kept
            for m in range(i + 1, reach):
                share[k + 1 + i, m - i - 1] += share[k, m] * (flow / total)
            if bordered:
                for m in range(width):
                    tail[k + 1 + i, m] += tail[k, m] * (flow / total)
        if bordered:
            for i in range(width):
                flow = tail[k, i]
                tail[k, i] = flow / total
                pivot[last + i] += flow * kept
                for m in range(i + 1, width):
                    share[last + i, m - i - 1] += tail[k, m] * (flow / total)


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc"})
def _solve(width, ring, share, tail, pivot, f, u):
    """Solve the eliminated system for flat f.  Returns ⟨f, u⟩."""
    n = f.shape[0]
    last = n - width
    for k in range(n):
        u[k] = f[k]
    for k in range(n - 1):
        reach = min(width if k < last - width else share.shape[1], n - 1 - k)
        value = u[k]
        for m in range(reach):
            u[k + 1 + m] += share[k, m] * value
        if ring and k < last - width:
            for m in range(width):
                u[last + m] += tail[k, m] * value
    total = 0.0
    for k in range(n - 1, -1, -1):
        reach = min(width if k < last - width else share.shape[1], n - 1 - k)
        value = 0.0
        for m in range(reach):
            value += share[k, m] * u[k + 1 + m]
        if ring and k < last - width:
            for m in range(width):
                value += tail[k, m] * u[last + m]
        u[k] = value + (u[k] / pivot[k] if pivot[k] > 0.0 else 0.0)
        total += f[k] * u[k]
    return total
