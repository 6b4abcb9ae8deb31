"""Averages of a kernel over both cells of a pair, for kernels that are not smooth somewhere, on stretched lines.

    W_ij = ∫∫ W(x − y) dx dy / h_i h_j,     x in cell i, y in cell j

Averages over one of the two cells, and the mean of both, do: with them W∗ρ is of second order for kernels with kinks
and poles.  A jump needs both: else its averages do not fit together along i and along j, where cells differ in size.
And all pairs have to have both, or none: only then Σ_j h_j W_ij = ∫W on a circle, for every i, as it is for W.

One integral over u = x − y, with a weight that rises, is constant and falls again: by Gauss–Legendre on these three
parts, and adaptively (`cell_quadrature`) where the pair meets a suspect displacement (`kernel_roughness`), near the
origin, and half a period from it.
"""

from __future__ import annotations

import numpy as np

from ...grid import Array
from .cell_quadrature import adaptive_averages
from .kernel_averages import BLOCK, Kernel, central_average, rule, shortest
from .kernel_roughness import Places

POINTS = 3
"""Of Gauss–Legendre on each of the three parts."""
BESIDE = 2.5
"""Pairs up to this many of their mean widths apart are near the origin."""


def line_pairs(kernel: Kernel, centers: Array, widths: Array, period: float | None, suspect: Places) -> Array:
    """W_ij for all pairs of cells, (N, N), symmetric to the last bit.

    centers, widths : (N,).   suspect : where W need not be smooth, apart from the origin.
    The diagonal is left to `paired_average` if W is not smooth at the origin.
    """
    size = len(centers)
    result = np.empty((size, size))
    rows = max(1, BLOCK // size)
    for first in range(0, size, rows):
        mine = widths[first : first + rows, None]
        shift, mean = shortest(centers[first : first + rows, None] - centers, period), 0.5 * (mine + widths)
        block = _trapezoid(kernel, shift, mine, widths, period)
        adaptive = suspect.meet([shift], [2 * mean]) | (np.abs(shift) <= BESIDE * mean)
        if period is not None:  # another displacement becomes the shortest
            adaptive |= np.abs(shift) + mean >= 0.5 * period
        i, j = np.nonzero(adaptive)
        upper = first + i <= j
        i, j = i[upper], j[upper]
        block[i, j] = adaptive_averages(kernel, [shift[i, j]], [widths[first + i]], [period], [widths[j]])
        result[first : first + rows] = block
    lower = np.tril_indices(size, -1)
    result[lower] = result.T[lower]
    return result


def _trapezoid(kernel: Kernel, shift: Array, a: Array, b: Array, period: float | None) -> Array:
    """Averages over two cells of widths a, b, `shift` apart; arrays that broadcast."""
    total: Array = np.zeros(np.broadcast_shapes(np.shape(shift), np.shape(a), np.shape(b)))
    short, flat = np.minimum(a, b), 0.5 * np.abs(a - b)
    nodes, weights = rule(POINTS, 1)
    parts = [(side * (flat + 0.5 * short), short, 0.5 + side * -nodes) for side in (-1.0, 1.0)]
    for middle, width, height in [*parts, (0.0 * flat, 2 * flat, np.ones_like(nodes))]:
        for s, weight, share in zip(nodes, weights, height, strict=True):
            with np.errstate(all="ignore"):
                values = np.asarray(kernel(x=shortest(shift + middle + s * width, period)), dtype=float)
                total += weight * share * (width / np.maximum(a, b)) * values
    return total


def paired_average(kernel: Kernel, width: float) -> float:
    """Average of W(x − y) over x and y in one cell on the line, where W is not smooth at 0: ∫ W(u) 2(1 − |u|/h) du/2h.

    Raises CaseError as `cell_average`.
    """
    return central_average(lambda x: 2.0 * (1.0 - np.abs(x) / width) * kernel(x=x), (2.0 * width,))
