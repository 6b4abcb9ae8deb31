"""Proof of a space–time transport step: a feasible path, a lower bound, and the distance between the two.

**Primal.**  Module `pdhg_path` makes a feasible path of any momenta, and

    P = Σ_k (1/N) Σ_σ w m²/(2Dθ(½(ρ_{k−1}+ρ_k))) + F(ρ_N).

**Dual.**  For every φ_1 … φ_N, with k(φ) = ¼R(D|∇φ|²) and s_k = φ_k − φ_{k+1} − (k(φ_k) + k(φ_{k+1}))/N,

    D(φ) = min { F(ρ) − ⟨k(φ_N)/N − φ_N, ρ⟩ : ∫ρ = M } + M Σ_{k<N} min s_k − ⟨ρ_0, φ_1 + k(φ_1)/N⟩   ≤   min P,

because each ρ_k ≥ 0 has the mass M.  s_k ≥ 0 is a discrete Hamilton–Jacobi inequality; where it fails by v_k the
minimum over *all* cells is charged to the whole mass.  Raising φ_1 … φ_k, or lowering φ_{k+1} … φ_N, by v_k there
costs that amount only where there is mass, but disturbs s where it is steep: v_k is widened first, over a few times
the Courant number.  A few such repairs, of which the best is kept, gain a factor of 2 to 10.

A density prescribed at the end is reached only up to `mismatch` = ‖ρ_N − ρ₁‖₁/M.  Then P is corrected by the
multiplier of ρ₁: P − D is the exact gap of the transport from ρ_0 to the ρ_N found, and D a rigorous lower bound for
ρ₁ itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ...base.kernel_cache import njit
from ...grid import Array
from ...linear.transforms import Cosine
from .operators import Staggering, along_x, along_y
from .pdhg_end import End
from .pdhg_path import keep_below, keep_positive, march
from .proximal import FIXED

OVER = 1e-12
"""Relative excess over the cap that is put down to rounding; a path with more is not feasible, and proves nothing."""
REPAIRS, WIDTH = 6, 4.0
"""Most repairs of φ, and the cells over which one is spread, in units of the Courant number."""


@dataclass(frozen=True)
class Proof:
    """path : (N+1, ny, nx).   momentum : (2, N, ny, nx).   phi : (N, ny, nx), the best found.   gap : (P − D)/scale,
    scale : see `gap_scale`.   mismatch, hamilton_jacobi : relative residuals, see `PdhgResult`."""

    path: Array
    momentum: Array
    phi: Array
    primal: float
    dual: float
    transport: float
    scale: float
    gap: float
    mismatch: float
    hamilton_jacobi: float


class Prover:
    """Certificates for one problem: faces, rho0 (ny, nx), the terminal term, N inner steps."""

    def __init__(self, faces: Staggering, rho0: Array, end: End, steps: int) -> None:
        self.faces, self.rho0, self.end, self.steps = faces, rho0, end, steps
        self.mass = end.volume * float(rho0.sum(axis=1).sum())
        self._rates = np.empty((2, *rho0.shape))
        self._slack = np.empty((steps - 1, *rho0.shape))
        self._work = np.empty((2, *rho0.shape))

    def prove(self, momentum: Array, phi: Array) -> Proof:
        """From any momenta (2, N, ny, nx) and potentials (N, ny, nx)."""
        path, moved, transport = self._path(momentum, phi)
        energies = self.end.value(path[-1])
        if path[-1].max() > self.end.cap * (1.0 + OVER):
            transport = math.inf
        dual, phi, lam = self._bound(phi)
        primal = transport + sum(energies)
        least = self._gaps(phi)
        last = self._rates[1] - phi[-1]
        mismatch = 0.0
        if self.end.code == FIXED:
            primal += self.end.volume * float(np.vdot(path[-1] - self.end.v, last))
            mismatch = self.end.volume * float(np.abs(path[-1] - self.end.v).sum()) / self.mass
        scale = self.end.scale(self.faces, path[-1], transport)
        broken = self.end.surplus(path[-1], last, lam)
        if len(least):
            rows = np.empty(len(self.rho0))
            weighted(path, self._slack, rows)
            broken += self.end.volume * float(rows.sum())
        gap = (primal - dual) / scale if math.isfinite(primal) else math.inf
        return Proof(path, moved, phi, primal, dual, transport, scale, gap, mismatch, broken / scale)

    def _path(self, momentum: Array, phi: Array) -> tuple[Array, Array, float]:
        """(path, momenta that make it, transport)."""
        faces, steps, volume, cap = self.faces, self.steps, self.end.volume, self.end.cap
        scale = np.array([faces.hy[0], faces.hx[0]])[:, None, None, None] / steps
        path, flux = np.empty((steps + 1, *self.rho0.shape)), momentum * scale
        path[0], transport = self.rho0, 0.0
        for k in range(steps):
            flux_x, flux_y, factor = flux[0, k], flux[1, k], self._work[0]
            keep_positive(path[k], volume, faces.ax, faces.ay, phi[k], steps, flux_x, flux_y, path[k + 1], factor)
            if k == steps - 1 and cap < math.inf:
                keep_below(path[k], volume, cap, flux_x, flux_y)
            transport += self._march(path, flux, k)
        highest = float(path[-1].max())
        if highest > cap * (1.0 + 0.5 * OVER):
            mean = self.mass / (volume * self.rho0.size)
            flux += min((highest - cap) / (highest - mean), 1.0) * (self._levelling()[:, None] - flux)
            transport = sum(self._march(path, flux, k) for k in range(steps))
        flux /= scale
        return path, flux, transport

    def _march(self, path: Array, flux: Array, k: int) -> float:
        """path[k + 1] from path[k]; its transport."""
        faces, rows = self.faces, np.empty(len(self.rho0))
        march(path[k], self.end.volume, faces.ax, faces.ay, flux[0, k], flux[1, k], path[k + 1], rows)
        return self.steps * float(rows.sum())

    def _levelling(self) -> Array:
        """Fluxes (2, ny, nx) that, taken in every step, lead from ρ_0 to its mean: the path below any cap.

        Its densities are positive after the start, so that a little of it mixed into another path costs as little.
        """
        faces = self.faces
        u, plain = Cosine(faces.grid).solve(self.rho0.mean() - self.rho0), Staggering(faces.grid)
        slope_x = (np.roll(u, -1, axis=1) - u) * plain.ax
        slope_y = (np.roll(u, -1, axis=0) - u) * plain.ay[:, None]
        return np.stack([slope_x * faces.hy[0], slope_y * faces.hx[0]]) / self.steps

    def _gaps(self, phi: Array) -> Array:
        """min s_k for k < N, after leaving s_k in `_slack`, k(φ_1)/N and k(φ_N)/N in `_rates`."""
        rows = np.empty((self.steps - 1, len(self.rho0)))
        slacks(phi, self.faces.ax, self.faces.ay, self._rates, self._slack, rows)
        return rows.min(axis=1)

    def _bound(self, phi: Array) -> tuple[float, Array, float]:
        """(D, φ, λ) of the best of φ and its repairs; repairs keep the λ of φ, which is as good as any."""
        width = min(max(WIDTH * self._courant(phi), 2.0), 64.0)
        best, lam = None, None
        for attempt in range(1 + REPAIRS):
            least = self._gaps(phi)
            value, lam = self.end.bound(self._rates[1] - phi[-1], self.mass, lam)
            value -= self.end.volume * (float(np.vdot(self.rho0, phi[0])) + float(np.vdot(self.rho0, self._rates[0])))
            value += self.mass * float(least.sum())
            if best is not None and value <= best[0] and attempt > 1:
                break
            if best is None or value > best[0]:
                best = value, phi, lam
            if not len(least) or least.min() >= 0.0:
                break
            phi = phi.copy()
            separate(phi, self._slack, width, self._work[0], self._work[1])
        assert best is not None
        return best

    def _courant(self, phi: Array) -> float:
        """Cells that the fastest velocity crosses in an inner step."""
        across_x, across_y = (float(values.max()) ** 2 for values in (self.faces.ax, self.faces.ay))
        fastest = float(np.abs(np.diff(phi, axis=2)).max()) * across_x
        if phi.shape[1] > 1:
            fastest = max(fastest, float(np.abs(np.diff(phi, axis=1)).max()) * across_y)
        return fastest / self.steps


@njit(cache=True, nogil=True, error_model="numpy")
def hamiltonian_row(phi, j, above, below, ax, ay, factor, out):
    """out (nx,) = factor k(φ) on row j of phi (ny, nx), k(φ) = ¼ R(D|∇φ|²) = ⅛ Σ_{σ∋i} D_σ((φ_j − φ_i)/d_σ)²."""
    row, up, down = phi[j], phi[above], phi[below]
    nx = len(row)
    west = along_x(ax, j, nx - 1) * (row[0] - row[nx - 1])
    for i in range(nx):
        right = row[i + 1] if i < nx - 1 else row[0]
        east = along_x(ax, j, i) * (right - row[i])
        n, s = along_y(ay, j, i) * (up[i] - row[i]), along_y(ay, below, i) * (row[i] - down[i])
        out[i] = 0.125 * factor * (east * east + west * west + n * n + s * s)
        west = east


@njit(cache=True, nogil=True, error_model="numpy")
def hamiltonian(phi, ax, ay, factor, out):
    """out = factor k(φ_k); (N, ny, nx)."""
    steps, ny, _ = phi.shape
    for k in range(steps):
        for j in range(ny):
            above, below = (j + 1 if j < ny - 1 else 0), (j - 1 if j > 0 else ny - 1)
            hamiltonian_row(phi[k], j, above, below, ax, ay, factor, out[k, j])


@njit(cache=True, nogil=True, error_model="numpy")
def slacks(phi, ax, ay, rates, slack, rows):
    """slack (N−1, ny, nx) = s_k, rows (N−1, ny) its least per row, rates (2, ny, nx) = k(φ_1)/N and k(φ_N)/N."""
    steps, ny, nx = phi.shape
    here, before = np.empty(nx), np.empty(nx)
    for j in range(ny):
        above, below = (j + 1 if j < ny - 1 else 0), (j - 1 if j > 0 else ny - 1)
        for k in range(steps):
            hamiltonian_row(phi[k], j, above, below, ax, ay, 1.0 / steps, here)
            edge = 0 if k == 0 else 1
            for i in range(nx):
                rates[edge, j, i] = here[i]
            if k > 0:
                least = math.inf
                first, second, s = phi[k - 1, j], phi[k, j], slack[k - 1, j]
                for i in range(nx):
                    s[i] = first[i] - second[i] - before[i] - here[i]
                    least = min(least, s[i])
                rows[k - 1, j] = least
            for i in range(nx):
                before[i] = here[i]
        if steps == 1:
            for i in range(nx):
                rates[1, j, i] = here[i]


@njit(cache=True, nogil=True)
def weighted(path, slack, rows):
    """rows (ny,): row sums of Σ_k ρ_k |s_k|."""
    for j in range(slack.shape[1]):
        total = 0.0
        for k in range(slack.shape[0]):
            for i in range(slack.shape[2]):
                total += path[k + 1, j, i] * abs(slack[k, j, i])
        rows[j] = total


@njit(cache=True, nogil=True)
def separate(phi, slack, width, violation, total):
    """Where s_k < 0: φ_1 … φ_k raised in the first half of the time, φ_{k+1} … φ_N lowered in the second."""
    gaps, ny, nx = slack.shape
    half = gaps // 2
    for step in range(gaps):
        k = half - 1 - step if step < half else step
        sign = 1.0 if step < half else -1.0
        if step == 0 or step == half:
            for j in range(ny):
                for i in range(nx):
                    total[j, i] = 0.0
        worst = 0.0
        for j in range(ny):
            for i in range(nx):
                violation[j, i] = max(-slack[k, j, i], 0.0)
                worst = max(worst, violation[j, i])
        if worst > 0.0:
            widen(violation, worst / width)
        target = k if step < half else k + 1
        for j in range(ny):
            for i in range(nx):
                total[j, i] += sign * violation[j, i]
                phi[target, j, i] += total[j, i]


@njit(cache=True, nogil=True)
def widen(field, drop):
    """The smallest field ≥ the given one that falls by at most `drop` from cell to cell, in place."""
    ny, nx = field.shape
    for j in range(ny):
        for i in range(1, nx):
            field[j, i] = max(field[j, i], field[j, i - 1] - drop)
        for i in range(nx - 2, -1, -1):
            field[j, i] = max(field[j, i], field[j, i + 1] - drop)
    for j in range(1, ny):
        for i in range(nx):
            field[j, i] = max(field[j, i], field[j - 1, i] - drop)
    for j in range(ny - 2, -1, -1):
        for i in range(nx):
            field[j, i] = max(field[j, i], field[j + 1, i] - drop)
