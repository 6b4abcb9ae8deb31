"""W₂² on a line between piecewise constant densities, in one pass over both distribution functions.

    ∫₀¹ |F⁻¹(u) − G⁻¹(u)|² du = Σ_k Δu_k (d₀² + d₀ d₁ + d₁²)/3

over the pieces between merged levels of F and G, on which both quantiles are linear; d₀ and d₁ are the differences at
the ends of a piece.  Exact to rounding, O(n + k), nothing sorted and nothing held.  `line.pieces_cost` is the same to
the bit without Numba; `line.Coupling` holds the pieces.

This module is for rooms with kernels: it loads Numba.
"""

from __future__ import annotations

import numpy as np

from ..base.kernel_cache import njit
from .line import TOGETHER


@njit(cache=True, nogil=True, error_model="numpy")
def quantile_cost(a_edges, a, b_edges, b):
    """W₂² for mass 1.   edges : increasing, (n+1,) and (k+1,).   a, b : masses between them, ≥ 0, of any sums.

    NaN where a sum is not finite or 0.
    """
    a_whole, b_whole = 0.0, 0.0
    for k in range(max(a.size, b.size)):
        if k < a.size:
            a_whole += a[k]
        if k < b.size:
            b_whole += b[k]
    if not (0.0 < a_whole < np.inf and 0.0 < b_whole < np.inf):  # beyond double precision
        return np.nan
    i, j, u = 0, 0, 0.0
    a_sum, b_sum = a[0], b[0]
    a_start, b_start, a_end, b_end = 0.0, 0.0, a_sum / a_whole, b_sum / b_whole
    total, part, held = 0.0, 0.0, 0
    while a_end <= 0.0:  # cells without mass are jumps of the quantile
        i += 1
        a_sum += a[i]
        a_end = a_sum / a_whole
    while b_end <= 0.0:
        j += 1
        b_sum += b[j]
        b_end = b_sum / b_whole
    x, y = a_edges[i], b_edges[j]
    while True:
        end = min(a_end, b_end)
        x_end, y_end = a_edges[i + 1], b_edges[j + 1]
        if end < a_end:
            x_end = a_edges[i] + (end - a_start) / (a_end - a_start) * (x_end - a_edges[i])
        if end < b_end:
            y_end = b_edges[j] + (end - b_start) / (b_end - b_start) * (y_end - b_edges[j])
        first, last = x - y, x_end - y_end
        part += (end - u) * (first * first + first * last + last * last)
        held += 1
        if held == TOGETHER:
            total, part, held = total + part, 0.0, 0
        if end >= 1.0:
            return (total + part) / 3
        x, y, u = x_end, y_end, end
        a_ends, b_ends = a_end <= end, b_end <= end
        if a_ends:
            a_start = a_end
            while a_end <= end:
                i += 1
                a_sum += a[i]
                a_end = a_sum / a_whole
            x = a_edges[i]
        if b_ends:
            b_start = b_end
            while b_end <= end:
                j += 1
                b_sum += b[j]
                b_end = b_sum / b_whole
            y = b_edges[j]
