"""The transport problem with N inner steps as matrices: its residuals and the operator of its Newton steps.

    s_k = φ_k − φ_{k+1} − (k(φ_k) + k(φ_{k+1}))/N  (k < N),        s_N = τ(U'(ρ_N) + V) + φ_N − k(φ_N)/N
    ρ_k − ρ_{k−1} + div(θ(½(ρ_{k−1} + ρ_k))∇φ_k)/N = 0

With B the differences from a cell to the next over their distance, T the means of two cells, g = Bφ and k = ¼Tᵀg²,

    G_kk = I − Tᵀ diag(g_k) B/(2N),      G_{k,k+1} = −I − Tᵀ diag(g_{k+1}) B/(2N)      (ds = G dφ),
    L_kk = Bᵀ diag(θ_k) B/N,

and Gᵀ is the derivative of the second equation in ρ.  Uniform cells, walls or rings, D = 1.  Densities are in units of
their mean; fields of all inner steps are (N, cells), on faces (N, faces).  The problem is that of `pdhg`.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from ....grid import Array, Grid


class SpaceTime:
    """The operators of one grid and N inner steps.   cells, faces : their numbers."""

    def __init__(self, grid: Grid, steps: int) -> None:
        self.shape, self.steps, self.cells = grid.shape, steps, grid.size
        number = np.arange(grid.size).reshape(grid.shape)
        here, there, apart, kinds = [], [], [], []
        for part, (axis, along) in enumerate(zip(grid.axes, (1, 0), strict=True)):
            first = number if axis.ring else number.take(np.arange(axis.size - 1), axis=along)
            here.append(first.ravel())
            there.append(np.roll(number, -1, axis=along).take(np.arange(first.shape[along]), axis=along).ravel())
            apart.append(np.full(first.size, axis.length / axis.size))
            kinds.append(np.full(first.size, part))
        self._cell, other = np.concatenate(here), np.concatenate(there)
        self._part, d = np.concatenate(kinds), np.concatenate(apart)
        self.faces = len(d)
        rows, columns = np.tile(np.arange(self.faces), 2), np.concatenate([other, self._cell])
        shape = (self.faces, self.cells)
        self._b = sparse.csr_matrix((np.concatenate([1.0 / d, -1.0 / d]), (rows, columns)), shape)
        self._t = sparse.csr_matrix((np.full(2 * self.faces, 0.5), (rows, columns)), shape)
        self._one = sparse.identity(self.cells, format="csr")

    def slopes(self, phi: Array) -> Array:
        """g = ∇φ on faces."""
        return np.asarray((self._b @ phi.T).T)

    def on_faces(self, start: Array, rho: Array) -> Array:
        """θ(½(ρ_{k−1} + ρ_k)) from ρ_0 (cells,) on."""
        return np.asarray((self._t @ (0.5 * (_before(start, rho) + rho)).T).T)

    def slack(self, phi: Array, g: Array, end: Array) -> Array:
        """s from φ, its slopes and end = τ(U'(ρ_N) + V) (cells,)."""
        k = 0.25 / self.steps * (self._t.T @ (g * g).T).T
        found = phi - k
        found[:-1] -= phi[1:] + k[1:]
        found[-1] += end
        return np.asarray(found)

    def continuity(self, start: Array, rho: Array, theta: Array, g: Array) -> Array:
        """ρ_k − ρ_{k−1} + div(θ_k g_k)/N."""
        return np.asarray(rho - _before(start, rho) - (self._b.T @ (theta * g).T).T / self.steps)

    def operators(self, theta: Array, g: Array) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
        """G and L, of all inner steps, (N cells) × (N cells)."""
        steps, blocks = self.steps, []
        for k in range(steps):
            row: list[sparse.csr_matrix | None] = [None] * steps
            for j, sign in ((k, 1.0), (k + 1, -1.0)):
                if j < steps:
                    row[j] = sign * self._one - self._t.T @ sparse.diags(0.5 / steps * g[j]) @ self._b
            blocks.append(row)
        diagonal = [self._b.T @ sparse.diags(theta[k] / steps) @ self._b for k in range(steps)]
        return sparse.bmat(blocks, format="csr"), sparse.block_diag(diagonal, format="csr")

    def momentum(self, m: Array) -> Array:
        """Momenta on faces as the certificate takes them: (2, N, ny, nx), each at the cell before its face."""
        out = np.zeros((2, self.steps, self.cells))
        for part in range(2):
            chosen = self._part == part
            out[part][:, self._cell[chosen]] = m[:, chosen]
        return out.reshape(2, self.steps, *self.shape)


def _before(start: Array, rho: Array) -> Array:
    return np.concatenate([start[None], rho[:-1]])
