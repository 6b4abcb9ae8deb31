"""f(w) = (w − 1)e^w + 1, of which relative entropies are made, accurate near 0; and its sums over sub-cells in 2D."""

from __future__ import annotations

import math

import numpy as np

from ...base.kernel_cache import njit
from ...grid import Array

NEAR = 0.05
"""Below this |w| the functions f(w) and e^w − 1 are taken by their series, which do not cancel."""
SERIES = [(k - 1) / math.factorial(k) for k in range(2, 11)]
"""f(w) = (w − 1)e^w + 1 = Σ_{k≥2} (k−1)/k! w^k; what is left out is below 1e-19 w²."""


def entropy_series(w: Array) -> Array:
    total = np.full_like(w, SERIES[-1])
    for coefficient in SERIES[-2::-1]:
        total *= w
        total += coefficient
    return total * w * w


def excess(b: float) -> float:
    """(1 + b) ln(1 + b) − b ≥ 0, accurately for small b."""
    if abs(b) > 1e-2:
        return (1 + b) * math.log1p(b) - b
    return sum((-b) ** k / (k * (k - 1)) for k in range(2, 12))


@njit(cache=True, nogil=True, error_model="numpy")
def sum_rows(first, last, w, log_pi, weights, at, left, right, dx, lower, upper, dy, sums):
    """A, B, ∫π e^w |∇w|², ∫π e^w and the largest ln(π e^w) of the stretches in rows [first, last)."""
    points = len(at)
    for j in range(first, last):
        entropy, surplus, fisher, total, top = 0.0, 0.0, 0.0, 0.0, -math.inf
        for i in range(len(dx)):
            a, b = w[lower[j], left[i]], w[lower[j], right[i]]
            c, d = w[upper[j], left[i]], w[upper[j], right[i]]
            full = math.isfinite(a) and math.isfinite(b) and math.isfinite(c) and math.isfinite(d)
            for q in range(points):
                for p in range(points):
                    k = q * points + p
                    weight = weights[j, i, k]
                    pi = math.exp(log_pi[j, i, k])
                    s, t = at[p], at[q]
                    if full:
                        v = (1.0 - t) * (a + s * (b - a)) + t * (c + s * (d - c))
                    elif t < 0.5:
                        v = a if s < 0.5 else b
                    else:
                        v = c if s < 0.5 else d
                    top = max(top, log_pi[j, i, k] + v)
                    if v == -math.inf:
                        entropy += weight * pi
                        surplus -= weight * pi
                        continue
                    if abs(v) <= 0.05:
                        less = v * (1.0 + v * (0.5 + v * (1 / 6 + v * (1 / 24 + v * (1 / 120 + v * (1 / 720
                               + v * (1 / 5040 + v / 40320)))))))  # fmt: skip
                        rho = pi * (1.0 + less)
                        entropy += weight * pi * v * v * (0.5 + v * (1 / 3 + v * (1 / 8 + v * (1 / 30 + v * (1 / 144
                                   + v * (1 / 840 + v * (1 / 5760 + v * (1 / 45360 + v / 403200))))))))  # fmt: skip
                        surplus += weight * pi * less
                    else:
                        rho = math.exp(log_pi[j, i, k] + v)
                        entropy += weight * (rho * (v - 1.0) + pi)
                        surplus += weight * (rho - pi)
                    total += weight * rho
                    if not full:
                        continue
                    gx = ((1.0 - t) * (b - a) + t * (d - c)) / dx[i]
                    gy = ((1.0 - s) * (c - a) + s * (d - b)) / dy[j]
                    fisher += weight * rho * (gx * gx + gy * gy)
        sums[0, j], sums[1, j], sums[2, j], sums[3, j], sums[4, j] = entropy, surplus, fisher, total, top
