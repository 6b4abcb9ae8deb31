"""The staggered discretisation of one JKO step with one inner step: faces, mean, Hamilton–Jacobi term.

ρ and φ live in cells, momentum m on faces.  A face σ lies between cells i and j of one axis, d_σ apart, A_σ wide;
w_σ = A_σ d_σ.  The density on a face is the volume-weighted mean θ_σ(ρ) = (h_iρ_i + h_jρ_j)/(h_i + h_j), so that

    w_σ θ_σ = ½(vol_i ρ_i + vol_j ρ_j),      R = θᵀ (weighted):  (R f)_i = ½ Σ_{σ∋i} f_σ,      ⟨θ(ρ), f⟩_w = ⟨ρ, R f⟩

    k(φ) = ¼ R|∇φ|²,    conductance g_σ = ½(M_i + M_j)/d_σ²,  M = vol ½(ρ⁰ + ρ),    vol div(θ∇φ) = Σ ± g_σ (φ_j − φ_i)

A flow with a diffusion D on its faces is a gradient flow in the metric inf ∫m²/(Dρ): D stands beside 1/d² everywhere,

    k(φ) = ¼ R(D|∇φ|²),     g_σ = ½(M_i + M_j)D_σ/d_σ²,     so that 1/d becomes √D/d,

(nx,) and (ny,) where it depends on its own axis alone, else (ny, nx): kernels read it by `along_x` and `along_y`, and
are compiled for either.  Reference: Lisini (2009), DOI 10.1051/cocv:2008044 (the metric).

Everything in the kernels is integrated over cells.  Arrays are (ny, nx), a 1D field one row; a face array has that
shape too: entry [j, i] of gx is the face from cell i to cell i+1 (the wrap face last), and 0 where there is none.
A kernel writes the rows first … last only, so that threads may share it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ...base.kernel_cache import njit
from ...energy.laws.by_code import dual_density, internal_energy, slope, stiffness
from ...grid import Array, Grid
from ...linear.threads import share

PLAIN = np.ones((1, 1, 1))
"""Stands for a D that is 1: kernels are compiled without it."""


class Staggering:
    """What the kernels need to know of a grid.

    shape : (ny, nx).   hx, hy : widths (nx,), (ny,).
    ax, ay : √D/d of the faces after each cell, 0 where there is none; D is 1 without a mobility.
    dx, dy : D of the faces after each cell as ax and ay are, or PLAIN for 1.
    volume : (ny, nx) cell volumes.   total : their sum.   smallest : distance of neighbours, d/√D.
    threads : that share a kernel.
    """

    def __init__(self, grid: Grid, threads: int = 1, mobility: Sequence[Array] | None = None) -> None:
        self.grid, self.threads = grid, threads
        self.hx = np.array(grid.x.widths)
        self.ax = 1.0 / np.array(grid.x.distances)
        if grid.dim == 2:
            self.hy, self.ay = np.array(grid.y.widths), 1.0 / np.array(grid.y.distances)
        else:
            self.hy, self.ay = np.ones(1), np.zeros(1)
        self.dx = self.dy = PLAIN
        if mobility is not None:
            self.dx, self.ax = self._weighted(mobility[0].reshape(-1, len(self.hx) + 1)[:, 1:], self.ax, 0)
            upper = mobility[1][1:] if grid.dim == 2 else np.ones((1, 1))
            self.dy, self.ay = self._weighted(upper, self.ay, 1)
        self.shape = (len(self.hy), len(self.hx))
        self.volume = np.outer(self.hy, self.hx)
        self.total = float(self.volume.sum())
        self.smallest = 1.0 / float(max(self.ax.max(), self.ay.max())) if self.volume.size > 1 else 0.0

    @staticmethod
    def _weighted(d: Array, inverse: Array, across: int) -> tuple[Array, Array]:
        """D and √D/d of the faces after each cell of one axis, as arrays (n,) where the other does not matter."""
        line = np.take(d, 0, across)
        if np.array_equal(d, np.broadcast_to(np.expand_dims(line, across), d.shape)):
            return np.ascontiguousarray(line), np.sqrt(line) * inverse
        return np.ascontiguousarray(d), np.sqrt(d) * np.expand_dims(inverse, across)

    def zeros(self) -> Array:
        return np.zeros(self.shape)

    def share(self, kernel: Callable[..., None], *args: object) -> None:
        """kernel(first, last, *args) over all rows."""
        share(kernel, self.shape[0], self.volume.size, self.threads, *args)


@njit(cache=True, nogil=True, forceinline=True, error_model="numpy")
def along_x(values, j, i):
    """Of the face after cell (j, i) along x, from (nx,) or (ny, nx)."""
    if values.ndim == 1:
        return values[i]
    return values[j, i]


@njit(cache=True, nogil=True, forceinline=True, error_model="numpy")
def along_y(values, j, i):
    """Of the face after cell (j, i) along y, from (ny,) or (ny, nx)."""
    if values.ndim == 1:
        return values[j]
    return values[j, i]


@njit(cache=True, nogil=True, error_model="numpy")
def half_square(phi, j, i, below, above, ax, ay):
    """k(φ) = ¼ R|∇φ|² = ⅛ Σ_{σ∋i} ((φ_j − φ_i)/d_σ)² of one cell; below, above : its neighbours' rows."""
    nx = phi.shape[1]
    left = i - 1 if i > 0 else nx - 1
    right = i + 1 if i < nx - 1 else 0
    p = phi[j, i]
    e, w = along_x(ax, j, i) * (phi[j, right] - p), along_x(ax, j, left) * (p - phi[j, left])
    n, s = along_y(ay, j, i) * (phi[above, i] - p), along_y(ay, below, i) * (p - phi[below, i])
    return 0.125 * (e * e + w * w + n * n + s * s)


@njit(cache=True, nogil=True, error_model="numpy")
def eliminate(first, last, phi, tau_v, rho0, code, c, m, mu, volume, ax, ay, rho, rows):
    """rho = ρ(y), y = k(φ) − φ − τV, from the rho given as a guess (m > 1); rows = Σ vol (B(y) − ρ⁰(φ + k)).

    All arrays (ny, nx), rows (ny,); rows first … last are written.   rows is −inf outside the domain of the dual.
    """
    ny, nx = phi.shape
    for j in range(first, last):
        below, above = (j - 1) % ny, (j + 1) % ny
        total = 0.0
        for i in range(nx):
            p = phi[j, i]
            k = half_square(phi, j, i, below, above, ax, ay)
            y = k - p - tau_v[j, i]
            r, value = dual_density(y, code, c, m, mu, rho[j, i])
            rho[j, i] = r
            total += volume[j, i] * (value - rho0[j, i] * (p + k))
        rows[j] = total


@njit(cache=True, nogil=True, error_model="numpy")
def energies(first, last, rho, tau_v, code, c, m, volume, internal, potential):
    """Row sums (ny,): Σ vol c U(ρ) into `internal`, Σ vol τV ρ into `potential`.  U(0) = 0."""
    nx = rho.shape[1]
    for j in range(first, last):
        inner = outer = 0.0
        for i in range(nx):
            r = rho[j, i]
            outer += volume[j, i] * tau_v[j, i] * r
            if r > 0.0:
                inner += internal_energy(r, code, volume[j, i] * c, m)
        internal[j] = inner
        potential[j] = outer


@njit(cache=True, nogil=True, error_model="numpy")
def hamilton_jacobi(first, last, phi, ax, ay, out):
    """out = k(φ), (ny, nx)."""
    ny, nx = phi.shape
    for j in range(first, last):
        below, above = (j - 1) % ny, (j + 1) % ny
        for i in range(nx):
            out[j, i] = half_square(phi, j, i, below, above, ax, ay)


@njit(cache=True, nogil=True, error_model="numpy")
def slack_equation(first, last, phi, rho, slack, tau_v, code, energy_c, m, volume, ax, ay, out, rows, products):
    """out = r₁ = τE'(ρ) + φ − k(φ) − s; rows (ny,) = Σ vol ρ|r₁|, products (ny,) = Σ vol ρs."""
    ny, nx = phi.shape
    for j in range(first, last):
        below, above = (j - 1) % ny, (j + 1) % ny
        total = product = 0.0
        for i in range(nx):
            p = phi[j, i]
            k = half_square(phi, j, i, below, above, ax, ay)
            r = rho[j, i]
            value = slope(r, code, energy_c, m) + tau_v[j, i] + p - k - slack[j, i]
            out[j, i] = value
            total += volume[j, i] * r * abs(value)
            product += volume[j, i] * r * slack[j, i]
        rows[j] = total
        products[j] = product


@njit(cache=True, nogil=True, error_model="numpy")
def faces(first, last, phi, rho0, rho, slack, code, energy_c, m, hx, hy, ax, ay, c, gx, gy, bx, by):
    """Coefficients of the condensed operator GᵀCG + L at (φ, ρ, s).

    c = vol D, D = 1/(τU'' + s/ρ).   g = conductances of θ(½(ρ⁰+ρ)).   b = ¼ ∇φ/d.
    """
    ny, nx = phi.shape
    for j in range(first, last):
        above = (j + 1) % ny
        for i in range(nx):
            ay2 = along_y(ay, j, i) * along_y(ay, j, i)
            right = i + 1 if i < nx - 1 else 0
            p = phi[j, i]
            here = 0.25 * hx[i] * (rho0[j, i] + rho[j, i])
            c[j, i] = hx[i] * hy[j] * stiffness(rho[j, i], slack[j, i], code, energy_c, m)
            ax2 = along_x(ax, j, i) * along_x(ax, j, i)
            gx[j, i] = ax2 * hy[j] * (here + 0.25 * hx[right] * (rho0[j, right] + rho[j, right]))
            bx[j, i] = 0.25 * ax2 * (phi[j, right] - p)
            gy[j, i] = ay2 * (hy[j] * here + 0.25 * hy[above] * hx[i] * (rho0[above, i] + rho[above, i]))
            by[j, i] = 0.25 * ay2 * (phi[above, i] - p)


@njit(cache=True, nogil=True, error_model="numpy")
def continuity(first, last, phi, rho0, rho, gx, gy, hx, hy, out, rows):
    """out = vol (ρ − ρ⁰ + div θ∇φ); rows (ny,) its absolute sum per row."""
    ny, nx = phi.shape
    for j in range(first, last):
        below, above = (j - 1) % ny, (j + 1) % ny
        total = 0.0
        for i in range(nx):
            left = i - 1 if i > 0 else nx - 1
            right = i + 1 if i < nx - 1 else 0
            p = phi[j, i]
            flow = gx[j, i] * (phi[j, right] - p) - gx[j, left] * (p - phi[j, left])
            flow += gy[j, i] * (phi[above, i] - p) - gy[below, i] * (p - phi[below, i])
            value = hx[i] * hy[j] * (rho[j, i] - rho0[j, i]) + flow
            out[j, i] = value
            total += abs(value)
        rows[j] = total
