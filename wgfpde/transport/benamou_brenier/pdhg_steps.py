"""The dual step sizes Σ = (s_θ, s_m, s_end) of `pdhg`: first from what the problem is made of, then from what it does.

At first, with the mean density ρ̄, the mean squared velocity v² and the size of F'',

    s_m = 5/(D̄ρ̄),    s_θ = 5v²/ρ̄,    s_end = 125 N τκm ρ̄^{m−2};

125 is large because the thin tails converge last; it is 5 where m ≥ 2 has none.  Then, at each look at the certificate,

    s_j = ‖Δy_j‖/‖K_jΔx‖,      at most a factor of CHANGE at once,

for each of the three blocks j = θ, m, end, Δ being the way since the last look.  What primal and dual variables have to
go is then gone in about as many iterations by both, in each block, and nothing depends on a unit.  Sizes far too large
keep Δx small, and so themselves large: where the gap no longer falls they start again from the first.  The looks become
rarer like a geometric series, and with them the changes.

Measured on 400 random steps with 1 to 4 inner steps (1D and 2D, m = 1, 1.5, 2, 3 and no internal energy, rough
densities, vacuum, steep and noisy potentials, W; at most 20000 iterations): 1 is refused at a gap of 1e-4 and 2 at
1e-6, the medians are 73 and 178 iterations; with the first sizes throughout 37 are refused at 1e-4, and the median is
148.  One factor for all three blocks took twice the iterations.  Averages with restarts on top saved a tenth of them,
each a third dearer.

Reference: Applegate, Díaz, Hinder, Lu, Lubin, O'Donoghue, Schudy (2021), arXiv 2106.04756 (the primal weight of PDLP).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ...base.kernel_cache import njit
from ...grid import Array
from .pdhg_cascade import Problem
from .proximal import FIXED

MOMENTUM, FREE, TAIL, FRONT, BARE = 5.0, 1.5, 125.0, 5.0, 1.5
"""In units of the problem: s_m with and without internal energy; s_end with thin tails, with a front, and without
internal energy."""
CHANGE = 16.0


@dataclass(frozen=True)
class DualSteps:
    """theta, momentum : s_θ, s_m on faces.   end : s_end/N, of the density at the end."""

    theta: float
    momentum: float
    end: float

    def balanced(self, moved: Array) -> DualSteps:
        """The sizes after a way ‖Δy_j‖², ‖K_jΔx‖² (3, 2) of the blocks; as they are where nothing moved."""
        found = []
        for size, (up, down) in zip((self.theta, self.momentum, self.end), moved, strict=True):
            wanted = math.sqrt(up / down) / size if up > 0.0 and down > 0.0 else 1.0
            found.append(size * (min(max(wanted, 1.0 / CHANGE), CHANGE) if math.isfinite(wanted) else 1.0))
        return DualSteps(*found)


def first_steps(problem: Problem, speed: float, density: float) -> DualSteps:
    """The sizes for a mean squared velocity `speed` and a mean density."""
    end = problem.end
    momentum = (MOMENTUM if end.diffuses else FREE) / density
    bend = end.c * end.m * density ** (end.m - 1.0) if end.diffuses else speed
    share = (TAIL if end.m < 2 else FRONT) if end.diffuses else BARE
    return DualSteps(speed * momentum, momentum / problem.mean_diffusion, share * bend / density)


def first_speed(problem: Problem) -> float:
    """A guess of v²: for a step, 2(F(ρ_0) − min F)/M bounds it; for transport, means and widths give a lower bound."""
    end, mass = problem.end, problem.mass
    if end.code != FIXED:
        start = np.minimum(problem.rho0, end.cap)
        found = 2.0 * (sum(end.value(start)) - end.bound(np.zeros_like(start), mass)[0]) / mass
    else:
        found = 0.0
        for axis, place in zip(problem.grid.axes, (1, 0), strict=False):
            moments = []
            for rho in (problem.rho0, end.v):
                weights = rho.sum(axis=1 - place) / rho.sum()
                mean = float(weights @ axis.centers)
                moments.append((mean, math.sqrt(float(weights @ (axis.centers - mean) ** 2))))
            found += (moments[0][0] - moments[1][0]) ** 2 + (moments[0][1] - moments[1][1]) ** 2
    smallest = 1e-4 * max(axis.length / axis.size for axis in problem.grid.axes) ** 2
    return found if math.isfinite(found) and found > smallest else smallest


def typical(path: Array) -> float:
    """Geometric mean over time of ∫ρ²/∫ρ, the density that mass meets."""
    squares = np.einsum("kji,kji->k", path, path) / np.maximum(np.abs(path.sum(axis=(1, 2))), np.finfo(float).tiny)
    return float(np.exp(np.log(squares).mean()))


def way(x: Array, y: Array, x_before: Array, y_before: Array, walls: tuple[bool, bool], steps: int) -> Array:
    """‖Δy_j‖² and ‖K_jΔx‖² (3, 2) of the blocks θ, m, end.

    x : (3, N, ny, nx).   y : (5, N, ny, nx).   walls : whether the last face of the x and of the y axis is none.
    """
    rows = np.empty((x.shape[2], 6))
    _way(x, y, x_before, y_before, walls[0], walls[1], rows)
    total = rows.sum(axis=0).reshape(3, 2)
    total[2, 0] /= steps**2
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def _way(x, y, x_before, y_before, wall_x, wall_y, rows):
    """rows (ny, 6): row sums of (Δa)², (Δθ)², (Δb)², (Δm)² over faces and inner steps, of (Δz_N)² and (Δρ_N)²."""
    _, steps, ny, nx = x.shape
    for j in range(ny):
        above = j + 1 if j < ny - 1 else 0
        rows[j, :] = 0.0
        for k in range(steps):
            for part in range(2):
                if part == 1 and wall_y and j == ny - 1:
                    continue
                for i in range(nx - 1 if part == 0 and wall_x else nx):
                    right, up = (i + 1 if i < nx - 1 else 0, j) if part == 0 else (i, above)
                    theta = (x[0, k, j, i] - x_before[0, k, j, i]) + (x[0, k, up, right] - x_before[0, k, up, right])
                    if k > 0:
                        theta += x[0, k - 1, j, i] - x_before[0, k - 1, j, i]
                        theta += x[0, k - 1, up, right] - x_before[0, k - 1, up, right]
                    rows[j, 0] += (y[2 * part, k, j, i] - y_before[2 * part, k, j, i]) ** 2
                    rows[j, 1] += (0.25 * theta) ** 2
                    rows[j, 2] += (y[2 * part + 1, k, j, i] - y_before[2 * part + 1, k, j, i]) ** 2
                    rows[j, 3] += (x[1 + part, k, j, i] - x_before[1 + part, k, j, i]) ** 2
        for i in range(nx):
            rows[j, 4] += (y[4, -1, j, i] - y_before[4, -1, j, i]) ** 2
            rows[j, 5] += (x[0, -1, j, i] - x_before[0, -1, j, i]) ** 2
