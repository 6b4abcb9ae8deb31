"""Convex polygons: cut by a half plane, and their moments.

A polygon is given by its corners, counterclockwise, and by the label of the side that leaves each corner: the number of
what cut it off there, −1 for a side of the box that it was cut from.
"""

from __future__ import annotations

from ...base.kernel_cache import njit


@njit(cache=True, nogil=True)
def set_box(x0, x1, y0, y1, x, y, label):
    """The corners of a box, and its four sides, into x, y and label; returns 4."""
    x[0], x[1], x[2], x[3] = x0, x1, x1, x0
    y[0], y[1], y[2], y[3] = y0, y0, y1, y1
    label[:4] = -1
    return 4


@njit(cache=True, nogil=True)
def cut_off(x, y, label, count, ax, ay, c, new, into_x, into_y, into_label):
    """What of a polygon has s = ax x + ay y + c ≤ 0, into the last three; returns the number of its corners.

    x, y, label : (≥ count,).   into_x, into_y, into_label : with room for count + 1.   new : label of the cut.
    0 where no corner lies inside by more than nothing.  A side along the cut gets its label too: of two polygons that
    meet at a side of the box the one that is left knows it.
    """
    some = False
    for k in range(count):
        if ax * x[k] + ay * y[k] + c < 0.0:
            some = True
            break
    if not some:
        return 0
    held = 0
    s = ax * x[0] + ay * y[0] + c
    for k in range(count):
        n = k + 1 if k + 1 < count else 0
        after = ax * x[n] + ay * y[n] + c
        if s <= 0.0:
            into_x[held], into_y[held] = x[k], y[k]
            into_label[held] = new if s == 0.0 and after >= 0.0 else label[k]
            held += 1
        if (s < 0.0 and after > 0.0) or (s > 0.0 and after < 0.0):
            t = s / (s - after)
            into_x[held], into_y[held] = x[k] + t * (x[n] - x[k]), y[k] + t * (y[n] - y[k])
            into_label[held] = new if s < 0.0 else label[k]
            held += 1
        s = after
    return held


@njit(cache=True, nogil=True)
def moments(x, y, count, px, py):
    """Area, ∫(x − px), ∫(y − py) and ∫|(x, y) − (px, py)|² of a polygon: triangles at its first corner."""
    area, first_x, first_y, second = 0.0, 0.0, 0.0, 0.0
    u0, v0 = x[0] - px, y[0] - py
    for k in range(1, count - 1):
        a = 0.5 * ((x[k] - x[0]) * (y[k + 1] - y[0]) - (x[k + 1] - x[0]) * (y[k] - y[0]))
        u1, v1, u2, v2 = x[k] - px, y[k] - py, x[k + 1] - px, y[k + 1] - py
        area += a
        first_x += a * (u0 + u1 + u2) / 3.0
        first_y += a * (v0 + v1 + v2) / 3.0
        squares = u0 * u0 + u1 * u1 + u2 * u2 + u0 * u1 + u1 * u2 + u2 * u0
        second += a * (squares + v0 * v0 + v1 * v1 + v2 * v2 + v0 * v1 + v1 * v2 + v2 * v0) / 6.0
    return area, first_x, first_y, second
