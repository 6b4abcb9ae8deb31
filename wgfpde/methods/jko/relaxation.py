"""Coordinate ascent on the dual in single cells: nonlinear relaxation where cells are all but empty.

    G(φ_i) = ∂D/∂φ_i = −Σ_j vol_j (ρ_j + ρ⁰_j) ∂k_j/∂φ_i + vol_i (ρ_i − ρ⁰_i) = 0,    j = i and its neighbours

with all other φ held.  D is concave, so G falls with φ_i and has one zero: Newton, kept in a bracket.  A far cell holds
nothing and may need a change of φ by hundreds of c = τκ; solved alone it cannot shorten the step of the others.
"""

from __future__ import annotations

import math

import numpy as np

from ...base.kernel_cache import njit
from ...energy.laws.by_code import free_density, stiffness
from ...transport.benamou_brenier.operators import along_x, along_y

ITERATIONS = 60
ACCURACY = 1e-10
"""Of φ, over `reach`.  At the edge of a vacuum an error y of φ makes ρ = y^{1/(m−1)}: 1e-5 left a gap of 2e-8, m=8."""


@njit(cache=True, nogil=True, error_model="numpy")
def relax(bad, phi, tau_v, rho0, volume, code, c, m, reach, ax, ay):
    """φ ← the maximiser of D in its own cell, for the cells with bad > 0, one after another; D never falls.

    All arrays (ny, nx).   reach : longest step of Newton, and ACCURACY of it the accuracy.
    Cells on a ring of two cells are left alone.
    """
    ny, nx = phi.shape
    js, is_, a = np.zeros(4, np.int64), np.zeros(4, np.int64), np.zeros(4)
    base = np.zeros(4)
    for j in range(ny):
        for i in range(nx):
            if not bad[j, i] > 0.0:
                continue
            left, right = (i - 1) % nx, (i + 1) % nx
            below, above = (j - 1) % ny, (j + 1) % ny
            js[0], js[1], js[2], js[3] = j, j, above, below
            is_[0], is_[1], is_[2], is_[3] = right, left, i, i
            a[0], a[1] = along_x(ax, j, i), along_x(ax, j, left)
            a[2], a[3] = along_y(ay, j, i), along_y(ay, below, i)
            if (left == right and a[0] * a[1] > 0.0) or (below == above and ny > 1 and a[2] * a[3] > 0.0):
                continue
            for q in range(4):
                n, o = js[q], is_[q]
                p = phi[n, o]
                e = along_x(ax, n, o) * (phi[n, (o + 1) % nx] - p)
                w = along_x(ax, n, (o - 1) % nx) * (p - phi[n, (o - 1) % nx])
                u = along_y(ay, n, o) * (phi[(n + 1) % ny, o] - p)
                d = along_y(ay, (n - 1) % ny, o) * (p - phi[(n - 1) % ny, o])
                own = a[q] * (phi[j, i] - p)
                base[q] = 0.125 * (e * e + w * w + u * u + d * d - own * own) - p - tau_v[n, o]
            low, high = -math.inf, math.inf
            x = phi[j, i]
            for _ in range(ITERATIONS):
                slope = 0.0
                bend = 0.0
                k = sum_k = sum_a = 0.0
                for q in range(4):
                    if a[q] > 0.0:
                        n, o = js[q], is_[q]
                        delta = a[q] * (x - phi[n, o])
                        k += 0.125 * delta * delta
                        turn = 0.25 * a[q] * delta
                        sum_k += turn
                        sum_a += 0.25 * a[q] * a[q]
                        r, _ = free_density(base[q] + 0.125 * delta * delta, code, c, m)
                        slope -= volume[n, o] * (r + rho0[n, o]) * turn
                        bend += volume[n, o] * (
                            stiffness(r, 0.0, code, c, m) * turn * turn + (r + rho0[n, o]) * 0.25 * a[q] * a[q]
                        )
                r, _ = free_density(k - x - tau_v[j, i], code, c, m)
                slope += volume[j, i] * (r * (1.0 - sum_k) - rho0[j, i] * (1.0 + sum_k))
                bend += volume[j, i] * (stiffness(r, 0.0, code, c, m) * (sum_k - 1.0) ** 2 + (r + rho0[j, i]) * sum_a)
                if slope > 0.0:
                    low = max(low, x)
                elif slope < 0.0:
                    high = min(high, x)
                else:
                    break
                step = slope / bend
                if not abs(step) < reach:
                    step = math.copysign(reach, slope)
                fresh = x + step
                if not low < fresh < high:
                    middle = 0.5 * (low + high)
                    fresh = middle if math.isfinite(middle) else x  # a step below rounding: x is the zero
                if abs(fresh - x) <= ACCURACY * reach:
                    x = fresh
                    break
                x = fresh
            if math.isfinite(x):
                phi[j, i] = x
