"""Eigenvalues of a chain of cells (1D, no-flux) to full relative accuracy, however small they are.

S = BᵀB with the bidiagonal B, whose squared entries are the rates themselves: q_i from cell i to i+1 on the diagonal,
e_i from i+1 to i beside it.  Small relative changes of rates change every eigenvalue by as little (Demmel, Kahan), and
the pivots of S − x I by the stationary quotient–difference transform,

    s_0 = −x,   D_i = q_i + s_i,   s_{i+1} = e_i s_i/D_i − x,      the number of D_i < 0 is that of eigenvalues below x,

are those of rates that differ by some eps.  So the count is exact for such rates, bisection finds each eigenvalue to
N eps relative, also 1e-200 beside 1e+6, and none is missed.  (Subtracting from the diagonal of S leaves eps‖S‖.)

The observable belonging to λ follows by ratios from both ends, without π:

    f_i = f_{i+1} q_i/D_i (from the left),    f_{i+1} = f_i e_i/D'_{i+1} (from the right),

joined at the cell r where |s_r + s'_r + λ| is smallest (a twisted factorisation).  Measured: gap 7e-12 of a double well
(κ = 0.01) against 60-digit arithmetic: 2e-14.
References: Demmel, Kahan (1990), DOI 10.1137/0911052; Dhillon, Parlett (2004), DOI 10.1016/j.laa.2003.12.028.
"""

from __future__ import annotations

import math

import numpy as np

from ...base.kernel_cache import njit
from ...grid import Array
from .generator import Generator
from .jacobi import SMALLEST, check_connected


def chain_eigenvalues(generator: Generator, k: int) -> Array:
    """λ_0 = 0 … λ_k, (k+1,).   Raises CaseError where some are too small for double precision."""
    q, e = _chain_rates(generator)
    top = 2.0 * float(generator.outgoing.max())  # Gershgorin
    found = np.zeros(k + 1)
    for m in range(1, k + 1):
        if _count(q, e, SMALLEST) > m:
            check_connected(found[m:], m)
        found[m] = _bisect(q, e, m, max(found[m - 1], SMALLEST), top)
    return found


def chain_mode(generator: Generator, value: float) -> Array:
    """The observable f, (cells,), of an eigenvalue that stands apart from its neighbours; not normalised."""
    q, e = _chain_rates(generator)
    f = np.empty(generator.cells)
    _twisted(q, e, value, f)
    return f


def _chain_rates(generator: Generator) -> tuple[Array, Array]:
    """(q, e), each (cells − 1,): rates to the right and to the left, 1/time."""
    return generator.a / generator.volume[:-1], generator.b / generator.volume[1:]


@njit(cache=True, nogil=True, error_model="numpy")
def _pivot(q, s):
    """q + s, kept away from 0 by less than its rounding."""
    d = q + s
    return d if d != 0.0 else 1e-16 * q + 1e-307


@njit(cache=True, nogil=True, error_model="numpy")
def _count(q, e, x):
    """The number of eigenvalues below x > 0, that of λ_0 = 0 included."""
    s, below = -x, 0
    for i in range(len(q)):
        d = _pivot(q[i], s)
        below += d < 0.0
        s = e[i] * (s / d) - x
    return below + (s < 0.0)


@njit(cache=True, nogil=True, error_model="numpy")
def _bisect(q, e, m, low, high):
    """Eigenvalue m ≥ 1, between low and high: geometric steps while they differ by more than a factor, then halves."""
    for _ in range(200):
        middle = math.sqrt(low) * math.sqrt(high) if high > 4.0 * low else 0.5 * (low + high)
        if not low < middle < high:
            break
        if _count(q, e, middle) > m:
            high = middle
        else:
            low = middle
    return 0.5 * (low + high)


@njit(cache=True, nogil=True, error_model="numpy")
def _twisted(q, e, x, f):
    """Fill f by ratios from both ends towards the cell where the two factorisations meet best."""
    n = len(f)
    left, right = np.empty(n), np.empty(n)
    left[0] = right[n - 1] = -x
    for i in range(n - 1):
        left[i + 1] = e[i] * (left[i] / _pivot(q[i], left[i])) - x
    for i in range(n - 1, 0, -1):
        right[i - 1] = q[i - 1] * (right[i] / _pivot(e[i - 1], right[i])) - x
    r = np.argmin(np.abs(left + right + x))
    f[r] = 1.0
    for i in range(r - 1, -1, -1):
        f[i] = f[i + 1] * (q[i] / _pivot(q[i], left[i]))
    for i in range(r + 1, n):
        f[i] = f[i - 1] * (e[i - 1] / _pivot(e[i - 1], right[i]))
