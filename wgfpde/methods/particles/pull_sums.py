"""Sums over all pairs of particles of a table of W'(r)/r, compiled: for every i, over all j of its replica, in order.

Compiled anew for what there is of rings and of breaks in the table, so that nothing is paid for what is not there:

    period   of an axis that is a ring, else None
    breaks   in which parts of their intervals they lie, (n,), and the cubics are (4, 2n); None with one at most
    limit    r² at the only break, and the cubics are (4, n + 1); None where there is none, and they are (4, n)

One break costs a pair a comparison, many cost it a look-up: 1 ns more of 3.  Where several may be taken they find the
same, bit by bit.  first … last are the particles whose sums are wanted; f(q) is told in `pull_table`.
"""

from __future__ import annotations

import numpy as np

from ...base.kernel_cache import njit


@njit(cache=True, nogil=True, error_model="numpy")
def _value(q, shift, mask, unit, base, limit, breaks, cubics):
    """f(q).   mask, unit : of the bits below `shift`; found by the caller, once."""
    bits = np.float64(q).view(np.int64)
    s = (bits & mask) * unit
    if breaks is not None:
        k = min(max((bits >> shift) - base, 0), len(breaks) - 1)
        e = 2 * k + (s >= breaks[k])
    elif limit is not None:
        e = min(max((bits >> shift) - base, 0), cubics.shape[1] - 2) + (q >= limit)
    else:
        e = min(max((bits >> shift) - base, 0), cubics.shape[1] - 1)
    return cubics[0, e] + s * (cubics[1, e] + s * (cubics[2, e] + s * cubics[3, e]))


@njit(cache=True, nogil=True, error_model="numpy")
def _shortest(shift, period):
    """A displacement on a ring, the shortest one."""
    if period is None:
        return shift
    return shift - period * np.rint(shift * (1.0 / period))


@njit(cache=True, nogil=True, error_model="numpy")
def sums_1d(first, last, x, each, factor, period, shift, base, limit, breaks, cubics, out):
    """Particles first … last, each by all of its replica."""
    mask, unit = (np.int64(1) << shift) - 1, 0.5**shift
    for i in range(first, last):
        start = i // each * each
        xi, total = x[i], 0.0
        for j in range(start, start + each):
            dx = _shortest(xi - x[j], period)
            total += dx * _value(dx * dx, shift, mask, unit, base, limit, breaks, cubics)
        out[i] = factor * total


@njit(cache=True, nogil=True, error_model="numpy")
def sums_2d(first, last, x, y, each, factor, period_x, period_y, shift, base, limit, breaks, cubics, out_x, out_y):
    mask, unit = (np.int64(1) << shift) - 1, 0.5**shift
    for i in range(first, last):
        start = i // each * each
        xi, yi, a, b = x[i], y[i], 0.0, 0.0
        for j in range(start, start + each):
            dx, dy = _shortest(xi - x[j], period_x), _shortest(yi - y[j], period_y)
            f = _value(dx * dx + dy * dy, shift, mask, unit, base, limit, breaks, cubics)
            a += dx * f
            b += dy * f
        out_x[i], out_y[i] = factor * a, factor * b
