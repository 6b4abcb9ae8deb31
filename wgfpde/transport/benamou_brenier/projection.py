"""Exact projection onto the continuity equation, on a staggered space–time grid.

    N(ρ_k − ρ_{k−1}) + div m_k = 0,   k = 1 … N,   ρ_0 given:      D x = f,   x = (ρ_1 … ρ_N, m_1 … m_N)

In the metric T⁻¹ with T = (t_1 … t_N on ρ, t_m on m) the projection of x̂ is x = x̂ − T D*φ, where

    D T D*φ = D x̂ − f,      (D*φ)_ρk = N(φ_k − φ_{k+1}),   φ_{N+1} = 0,      (D*φ)_m = −∇φ_k

is diagonal in space after a cosine (or Hartley) transform with eigenvalue λ and tridiagonal in k,

    row k:  (N²(t_k + t_{k−1}) + t_m λ) φ_k − N² t_{k−1} φ_{k−1} − N² t_k φ_{k+1} = r_k,      t_0 = 0.

Its φ is the multiplier of the continuity equation: the projection is a dual ascent step in an H¹ metric, which is why
the method around it needs about as many iterations on a fine grid as on a coarse one.

Reference: Papadakis, Peyré, Oudet (2014), DOI 10.1137/130920058; Jacobs, Léger, Li, Osher (2019), SIAM J. Numer.
Anal. 57 (G-prox PDHG).

Arrays are (N, ny, nx), faces as in `operators`.  Kernels work on rows first … last, so that threads can share them.
"""

from __future__ import annotations

import numpy as np

from ...base.kernel_cache import njit
from ...grid import Array, Grid
from ...linear.threads import share
from ...linear.transforms import Cosine
from .operators import Staggering


class Continuity:
    """The projection for one grid and N inner steps.

    factor(t_rho (N,), t_m) prepares it for a metric; `descend` takes x − T K*y into `bar` and its residual into `phi`,
    `project` solves for φ, `advance` writes the projected and the extrapolated variables.
    """

    def __init__(self, grid: Grid, inner_steps: int, threads: int = 1) -> None:
        self.cosine = Cosine(grid, threads)
        self.steps, self.threads = inner_steps, threads
        self.shape = (inner_steps, *self.cosine.shape)
        self.cells = inner_steps * grid.size
        self._across = [axis.size / axis.length for axis in grid.axes] + [0.0] * (2 - grid.dim)
        faces = Staggering(grid)
        self._slopes = (faces.ax, faces.ay)
        self.phi = np.zeros(self.shape)
        self._pivots = np.empty(self.shape)

    def factor(self, t_rho: Array, t_m: float) -> None:
        """Choose the metric: t_rho (N,) > 0, t_m > 0."""
        self.t_rho, self.t_m = np.array(t_rho, dtype=float), float(t_m)
        self._off = self.steps**2 * self.t_rho
        rest = t_m * self.cosine.eigenvalues
        for k in range(self.steps):
            np.divide(1.0, self._off[k] + rest, out=self._pivots[k])
            rest = self._off[k] * rest * self._pivots[k] + t_m * self.cosine.eigenvalues

    def descend(self, x: Array, y: Array, rho0: Array, bar: Array) -> None:
        """bar = x − T K*y, phi = D bar − f.  x, bar : (3, N, ny, nx) ρ, m_x, m_y.  y : (5, …) a_x, b_x, a_y, b_y, z."""
        share(_descend, self.shape[1], self.cells, self.threads, x, y, rho0, self.t_rho, self.t_m, *self._across,
              bar, self.phi)  # fmt: skip

    def project(self) -> None:
        """phi ← (D T D*)⁻¹ phi."""
        self.cosine.forward(self.phi)
        share(_tridiagonal, self.shape[1], self.cells, self.threads, self._pivots, self._off, self.phi)
        self.cosine.backward(self.phi)

    def advance(self, relaxation: float, x: Array, bar: Array) -> None:
        """x̃ = bar − T D*phi;  bar ← 2x̃ − x;  x ← x + relaxation (x̃ − x)."""
        share(_advance, self.shape[1], self.cells, self.threads, self.phi, self.t_rho, self.t_m, *self._slopes,
              relaxation, x, bar)  # fmt: skip

    def onto(self, x: Array, rho0: Array) -> Array:
        """The projection of x (3, N, ny, nx) itself."""
        bar, result = np.empty_like(x), np.array(x, dtype=float)
        self.descend(result, np.zeros((5, *self.shape)), rho0, bar)
        self.project()
        self.advance(1.0, result, bar)
        return result


@njit(cache=True, nogil=True, error_model="numpy")
def _descend(first, last, x, y, rho0, t_rho, t_m, rx, ry, bar, residual):
    steps, ny, nx = residual.shape
    here, after = np.zeros(nx), np.zeros(nx)
    for j in range(first, last):
        below = j - 1 if j > 0 else ny - 1
        for k in range(-1, steps):
            if k + 1 < steps:
                a, b, c = y[0, k + 1, j], y[2, k + 1, j], y[2, k + 1, below]
                after[0] = a[nx - 1] + a[0] + b[0] + c[0]
                for i in range(1, nx):
                    after[i] = a[i - 1] + a[i] + b[i] + c[i]
            else:
                for i in range(nx):
                    after[i] = 0.0
            if k >= 0:
                rho, z, out = x[0, k, j], y[4, k, j], bar[0, k, j]
                t = t_rho[k]
                for i in range(nx):
                    out[i] = rho[i] - t * (0.25 * (here[i] + after[i]) + z[i])
                m, v, mom = x[1, k, j], y[1, k, j], bar[1, k, j]
                for i in range(nx):
                    mom[i] = m[i] - t_m * v[i]
                m, v, up = x[2, k, j], y[3, k, j], bar[2, k, j]
                m1, v1 = x[2, k, below], y[3, k, below]
                before = bar[0, k - 1, j] if k > 0 else rho0[j]
                r = residual[k, j]
                for i in range(nx):
                    up[i] = m[i] - t_m * v[i]
                    r[i] = steps * (out[i] - before[i]) + ry * (up[i] - (m1[i] - t_m * v1[i]))
                r[0] += rx * (mom[0] - mom[nx - 1])
                for i in range(1, nx):
                    r[i] += rx * (mom[i] - mom[i - 1])
            for i in range(nx):
                here[i] = after[i]


@njit(cache=True, nogil=True, error_model="numpy")
def _tridiagonal(first, last, pivots, off, f):
    steps, _, nx = f.shape
    for j in range(first, last):
        for k in range(1, steps):
            p, lower, row = pivots[k - 1, j], f[k - 1, j], f[k, j]
            for i in range(nx):
                row[i] += off[k - 1] * (p[i] * lower[i])
        p, row = pivots[steps - 1, j], f[steps - 1, j]
        for i in range(nx):
            row[i] *= p[i]
        for k in range(steps - 2, -1, -1):
            p, upper, row = pivots[k, j], f[k + 1, j], f[k, j]
            for i in range(nx):
                row[i] = p[i] * (row[i] + off[k] * upper[i])


@njit(cache=True, nogil=True, error_model="numpy")
def _advance(first, last, phi, t_rho, t_m, ax, ay, relaxation, x, bar):
    steps, ny, nx = phi.shape
    change = np.empty(nx)
    for j in range(first, last):
        above = j + 1 if j < ny - 1 else 0
        for k in range(steps):
            row, up = phi[k, j], phi[k, above]
            for part in range(3):
                if part == 0:
                    t = t_rho[k] * steps
                    later = phi[k + 1 if k < steps - 1 else k, j]
                    weight = 1.0 if k < steps - 1 else 0.0
                    for i in range(nx):
                        change[i] = t * (weight * later[i] - row[i])
                elif part == 1:
                    for i in range(nx - 1):
                        change[i] = t_m * ax[i] * (row[i + 1] - row[i])
                    change[nx - 1] = t_m * ax[nx - 1] * (row[0] - row[nx - 1])
                else:
                    for i in range(nx):
                        change[i] = t_m * ay[j] * (up[i] - row[i])
                old, hat = x[part, k, j], bar[part, k, j]
                for i in range(nx):
                    new = hat[i] + change[i]
                    hat[i] = 2.0 * new - old[i]
                    old[i] += relaxation * (new - old[i])
