"""Multigrid for the condensed operator of a JKO Newton step.

    A = GᵀCG + L,   (L u)_i = Σ_{σ∋i} g_σ (u_i − u_other),   (G p)_i = p_i − Σ_{σ∋i} b_σ (p_upper − p_lower)

`solve` runs conjugate gradients preconditioned with one symmetric V-cycle (one red-black Gauss–Seidel sweep down, the
adjoint one up, piecewise-constant transfers) of the 5-point operator with cell terms c and conductances
g_σ + 2 b_σ² (c_i + c_j), which carries the transport part of GᵀCG.  In 1D the preconditioner is that operator's exact,
subtraction-free elimination.

Weights may span 300 orders of magnitude and be zero: every coefficient of the preconditioner is a sum, product or
quotient of non-negative weights, and a row without cell term and conductances receives exactly 0 and touches no other.

Measured and dropped: coarse conductances of Galerkin's size (9 → 41 iterations to 1e-8) or harmonic along the axis
(9 → 53 beside vacuum); adding div(C∇φ/2) to c (no gain); one compiled call for the whole solve (no faster, twice the
compile time).
"""

from __future__ import annotations

from math import inf, nan, sqrt

import numpy as np

from ...grid import Array, Grid
from ..network import Network
from .condensed import apply_rows, sum_of_moduli
from .hierarchy import build_levels, fill_levels
from .vcycle import ascend, descend

STAGNATION = 50
"""Iterations without a tenth of progress after which the solution is returned as it is."""


class Multigrid:
    """Solver for A u = f on a grid; the hierarchy is allocated once and filled by `setup`.

    Arrays are (ny, nx), in 1D (1, nx).  Faces as in the grid: gx[j, i] lies between (j, i) and (j, i+1); the last one
    is the face that closes a ring, and must be 0 without one.
    """

    def __init__(self, grid: Grid) -> None:
        self.shape = grid.shape if grid.dim == 2 else (1, grid.size)
        self._levels = build_levels(grid)
        rows, width = self._levels[-1].c.shape if grid.dim == 2 else (grid.size, 1)
        self._network = Network(rows, width, grid.axes[-1].ring)
        self._rings = [np.zeros((2, 4, level.c.shape[1] + 2)) for level in self._levels]
        self._lines = [np.zeros((2, level.c.shape[1])) for level in self._levels]
        parity = np.add.outer(np.arange(2), np.arange(self.shape[1])) % 2
        self._parity = [np.ascontiguousarray(1.0 - parity[:, : level.c.shape[1]]) for level in self._levels]
        self._rows = np.zeros((9, self.shape[1] + 1))
        self._p, self._q = np.zeros(self.shape), np.zeros(self.shape)

    def setup(self, c: Array, gx: Array, gy: Array, bx: Array, by: Array) -> None:
        """Take the weights and derive the levels.  c, g ≥ 0; float64, C order; kept by reference for the operator."""
        self._weights = (c, gx, gy, bx, by, not (np.any(bx) or np.any(by)))
        fill_levels(self._levels, *self._weights)
        last = self._levels[-1]
        self._network.factor(last.c, last.gx, last.gy, last.seam)

    def precondition(self, r: Array) -> Array:
        """One V-cycle from zero for the right-hand side r."""
        self._levels[0].f[:] = r
        self._cycle(0.0)
        return self._levels[0].u.copy()

    def apply(self, p: Array) -> Array:
        """A p."""
        q = np.empty(self.shape)
        p = np.ascontiguousarray(p)
        apply_rows(False, 0.0, 0.0, p, q, p, *self._weights, self._rows, q)
        return q

    def solve(
        self,
        f: Array,
        rtol: float,
        max_iterations: int = 200,
        atol: float = 0.0,
        total: bool = False,
        patience: int = STAGNATION,
    ) -> tuple[Array, int, float]:
        """Conjugate gradients from zero: (u, iterations, final relative residual).

        Residuals are √(rᵀ M⁻¹ r), relative to the start.  Stops at max(rtol · start, atol), when it stagnates or breaks
        down, or after max_iterations; never raises, the caller judges the residual (NaN where the data are not finite).
        total : stop also where Σ|r| ≤ rtol Σ|f|, a norm in which cells of next to no weight count for what they hold.
        patience : iterations without a tenth of progress that are stagnation.

        One iteration is three passes over memory: u += α p of the last one, p = z + β p, q = A p and ⟨p, q⟩; the finest
        level down with r −= α q; the finest level up with ⟨r, z⟩.
        """
        z, p, q, u = self._levels[0].u, self._p, self._q, np.zeros(self.shape)
        self._levels[0].f[:] = f
        p[:] = 0.0
        rho = self._cycle(0.0)
        if not 0.0 <= rho < inf:
            return u, 0, nan
        start = norm = best = sqrt(rho)
        alpha = beta = 0.0
        iterations = best_at = 0
        enough = rtol * sum_of_moduli(f) if total else -1.0
        while norm > max(rtol * start, atol) and iterations < max_iterations and iterations - best_at < patience:
            curvature = apply_rows(True, alpha, beta, z, u, p, *self._weights, self._rows, q)
            alpha = 0.0
            if not 0.0 < curvature < inf:
                break
            fresh = self._cycle(rho / curvature)
            if not 0.0 <= fresh < inf:
                break
            alpha, beta, rho, norm = rho / curvature, fresh / rho, fresh, sqrt(fresh)
            iterations += 1
            if total and sum_of_moduli(self._levels[0].f) <= enough:
                break
            if norm < 0.9 * best:
                best, best_at = norm, iterations
        if alpha != 0.0:
            u += alpha * p
        return u, iterations, norm / start if start > 0.0 else 0.0

    def _cycle(self, alpha: float) -> float:
        """Finest f −= alpha q, then finest u = M⁻¹ f by one V-cycle.  Returns ⟨f, u⟩."""
        levels = self._levels
        if len(levels) == 1:
            levels[0].f -= alpha * self._q
        for k in range(len(levels) - 1):
            v, rings = levels[k], self._rings[k]
            descend(
                v.f, alpha if k == 0 else 0.0, self._q, v.w, v.gx, v.gy, v.seam, v.edges, self._parity[k], rings[0],
                rings[1], self._lines[k][0], v.kind, v.parents, levels[k + 1].f,
            )  # fmt: skip
        total = self._network.solve(levels[-1].f, levels[-1].u)
        for k in range(len(levels) - 2, -1, -1):
            v, rings = levels[k], self._rings[k]
            total = ascend(
                v.f, v.w, v.gx, v.gy, v.seam, v.edges, self._parity[k], rings[0], rings[1], self._lines[k][1], v.kind,
                v.parents, levels[k + 1].u, k == 0, v.u,
            )  # fmt: skip
        return total
