"""W₂² on a line between piecewise constant densities, in one pass over both distribution functions.

    ∫₀¹ |F⁻¹(u) − G⁻¹(u)|² du = Σ_k Δu_k (d₀² + d₀ d₁ + d₁²)/3

over the pieces between merged levels of F and G, on which both quantiles are linear; d₀ and d₁ are the differences at
the ends of a piece.  Exact to rounding, O(n + k), nothing sorted and nothing held.  `line.Coupling` holds the pieces.

This module is for rooms with kernels: it loads Numba.
"""

from __future__ import annotations

from ..base.kernel_cache import njit

TOGETHER = 64
"""Pieces whose costs are added up by themselves, so that rounding grows with far fewer terms."""


@njit(cache=True, nogil=True)
def quantile_cost(a_edges, a_levels, b_edges, b_levels):
    """W₂² for mass 1.   edges : increasing, (n+1,) and (k+1,).   levels : of F and G there, rising from 0 to 1."""
    i, j, u = 0, 0, 0.0
    total, part, held = 0.0, 0.0, 0
    while a_levels[i + 1] <= 0.0:  # cells without mass are jumps of the quantile
        i += 1
    while b_levels[j + 1] <= 0.0:
        j += 1
    x, y = a_edges[i], b_edges[j]
    while True:
        a_end, b_end = a_levels[i + 1], b_levels[j + 1]
        end = min(a_end, b_end)
        x_end, y_end = a_edges[i + 1], b_edges[j + 1]
        if end < a_end:
            x_end = a_edges[i] + (end - a_levels[i]) / (a_end - a_levels[i]) * (x_end - a_edges[i])
        if end < b_end:
            y_end = b_edges[j] + (end - b_levels[j]) / (b_end - b_levels[j]) * (y_end - b_edges[j])
        first, last = x - y, x_end - y_end
        part += (end - u) * (first * first + first * last + last * last)
        held += 1
        if held == TOGETHER:
            total, part, held = total + part, 0.0, 0
        if not end < 1.0:  # NaN, of masses beyond double precision, ends it too
            return (total + part) / 3
        x, y, u = x_end, y_end, end
        if a_end <= b_end:
            i += 1
            while a_levels[i + 1] <= end:
                i += 1
            x = a_edges[i]
        if b_end <= a_end:
            j += 1
            while b_levels[j + 1] <= end:
                j += 1
            y = b_edges[j]
