"""Sums over all pairs of particles of a table of W'(r)/r, compiled: for every i, over all j of its replica, in order.

    open    no rings, no breaks in the table
    once    no rings, one break
    ring    rings, one break at most
    any     rings or not, breaks in any intervals

One break costs a pair a comparison, many cost it a look-up: 1 ns more of 3.  Where several may be taken they find the
same, bit by bit.  first … last are the particles whose sums are wanted; f(q) is told in `pull_table`.
"""

from __future__ import annotations

import numpy as np

from ...base.kernel_cache import njit


@njit(cache=True, nogil=True, error_model="numpy")
def _smooth(q, shift, mask, unit, base, top, cubics):
    """f(q) of a table without breaks.   cubics : (4, n)."""
    bits = np.float64(q).view(np.int64)
    k = min(max((bits >> shift) - base, 0), top)
    s = (bits & mask) * unit
    return cubics[0, k] + s * (cubics[1, k] + s * (cubics[2, k] + s * cubics[3, k]))


@njit(cache=True, nogil=True, error_model="numpy")
def _once(q, shift, mask, unit, base, top, limit, cubics):
    """f(q) of a table with one break, at q = limit.   cubics : (4, n + 1), the interval of the break has two."""
    bits = np.float64(q).view(np.int64)
    e = min(max((bits >> shift) - base, 0), top) + (q >= limit)
    s = (bits & mask) * unit
    return cubics[0, e] + s * (cubics[1, e] + s * (cubics[2, e] + s * cubics[3, e]))


@njit(cache=True, nogil=True, error_model="numpy")
def _broken(q, shift, mask, unit, base, breaks, cubics):
    """f(q).   cubics : (4, 2n)."""
    bits = np.float64(q).view(np.int64)
    k = min(max((bits >> shift) - base, 0), len(breaks) - 1)
    s = (bits & mask) * unit
    e = 2 * k + (s >= breaks[k])
    return cubics[0, e] + s * (cubics[1, e] + s * (cubics[2, e] + s * cubics[3, e]))


@njit(cache=True, nogil=True, error_model="numpy")
def open_1d(first, last, x, each, factor, shift, base, cubics, out):
    """Particles first … last, each by all of its replica; without rings and breaks."""
    top, mask, unit = cubics.shape[1] - 1, (np.int64(1) << shift) - 1, 0.5**shift
    for i in range(first, last):
        start = i // each * each
        xi, total = x[i], 0.0
        for j in range(start, start + each):
            dx = xi - x[j]
            total += dx * _smooth(dx * dx, shift, mask, unit, base, top, cubics)
        out[i] = factor * total


@njit(cache=True, nogil=True, error_model="numpy")
def open_2d(first, last, x, y, each, factor, shift, base, cubics, out_x, out_y):
    top, mask, unit = cubics.shape[1] - 1, (np.int64(1) << shift) - 1, 0.5**shift
    for i in range(first, last):
        start = i // each * each
        xi, yi, a, b = x[i], y[i], 0.0, 0.0
        for j in range(start, start + each):
            dx, dy = xi - x[j], yi - y[j]
            f = _smooth(dx * dx + dy * dy, shift, mask, unit, base, top, cubics)
            a += dx * f
            b += dy * f
        out_x[i], out_y[i] = factor * a, factor * b


@njit(cache=True, nogil=True, error_model="numpy")
def once_1d(first, last, x, each, factor, shift, base, top, limit, cubics, out):
    """The same with one break."""
    mask, unit = (np.int64(1) << shift) - 1, 0.5**shift
    for i in range(first, last):
        start = i // each * each
        xi, total = x[i], 0.0
        for j in range(start, start + each):
            dx = xi - x[j]
            total += dx * _once(dx * dx, shift, mask, unit, base, top, limit, cubics)
        out[i] = factor * total


@njit(cache=True, nogil=True, error_model="numpy")
def once_2d(first, last, x, y, each, factor, shift, base, top, limit, cubics, out_x, out_y):
    mask, unit = (np.int64(1) << shift) - 1, 0.5**shift
    for i in range(first, last):
        start = i // each * each
        xi, yi, a, b = x[i], y[i], 0.0, 0.0
        for j in range(start, start + each):
            dx, dy = xi - x[j], yi - y[j]
            f = _once(dx * dx + dy * dy, shift, mask, unit, base, top, limit, cubics)
            a += dx * f
            b += dy * f
        out_x[i], out_y[i] = factor * a, factor * b


@njit(cache=True, nogil=True, error_model="numpy")
def ring_1d(first, last, x, each, factor, period, shift, base, top, limit, cubics, out):
    """The same with the shortest displacements on a ring (period 0: none), and with one break or none."""
    mask, unit = (np.int64(1) << shift) - 1, 0.5**shift
    turns = 1.0 / period if period > 0.0 else 0.0
    for i in range(first, last):
        start = i // each * each
        xi, total = x[i], 0.0
        for j in range(start, start + each):
            dx = xi - x[j]
            dx -= period * np.rint(dx * turns)
            total += dx * _once(dx * dx, shift, mask, unit, base, top, limit, cubics)
        out[i] = factor * total


@njit(cache=True, nogil=True, error_model="numpy")
def ring_2d(first, last, x, y, each, factor, period_x, period_y, shift, base, top, limit, cubics, out_x, out_y):
    mask, unit = (np.int64(1) << shift) - 1, 0.5**shift
    turns_x = 1.0 / period_x if period_x > 0.0 else 0.0
    turns_y = 1.0 / period_y if period_y > 0.0 else 0.0
    for i in range(first, last):
        start = i // each * each
        xi, yi, a, b = x[i], y[i], 0.0, 0.0
        for j in range(start, start + each):
            dx, dy = xi - x[j], yi - y[j]
            dx -= period_x * np.rint(dx * turns_x)
            dy -= period_y * np.rint(dy * turns_y)
            f = _once(dx * dx + dy * dy, shift, mask, unit, base, top, limit, cubics)
            a += dx * f
            b += dy * f
        out_x[i], out_y[i] = factor * a, factor * b


@njit(cache=True, nogil=True, error_model="numpy")
def any_1d(first, last, x, each, factor, period, shift, base, breaks, cubics, out):
    """The same with the shortest displacements on a ring (period 0: none), and with any breaks."""
    mask, unit = (np.int64(1) << shift) - 1, 0.5**shift
    turns = 1.0 / period if period > 0.0 else 0.0
    for i in range(first, last):
        start = i // each * each
        xi, total = x[i], 0.0
        for j in range(start, start + each):
            dx = xi - x[j]
            dx -= period * np.rint(dx * turns)
            total += dx * _broken(dx * dx, shift, mask, unit, base, breaks, cubics)
        out[i] = factor * total


@njit(cache=True, nogil=True, error_model="numpy")
def any_2d(first, last, x, y, each, factor, period_x, period_y, shift, base, breaks, cubics, out_x, out_y):
    mask, unit = (np.int64(1) << shift) - 1, 0.5**shift
    turns_x = 1.0 / period_x if period_x > 0.0 else 0.0
    turns_y = 1.0 / period_y if period_y > 0.0 else 0.0
    for i in range(first, last):
        start = i // each * each
        xi, yi, a, b = x[i], y[i], 0.0, 0.0
        for j in range(start, start + each):
            dx, dy = xi - x[j], yi - y[j]
            dx -= period_x * np.rint(dx * turns_x)
            dy -= period_y * np.rint(dy * turns_y)
            f = _broken(dx * dx + dy * dy, shift, mask, unit, base, breaks, cubics)
            a += dx * f
            b += dy * f
        out_x[i], out_y[i] = factor * a, factor * b
