"""Power cells of points, cut exactly with the cells of a density: masses, moments, and the sides between them.

    Lag_i(w) = { x : ½|x − y_i|² − w_i ≤ ½|x − y_j|² − w_j for all j }

Boxes of cells are halved, and of the points that may be lowest somewhere in a box only those are kept that may be so in
its half: the difference of two of them is linear, so that its least value lies at a corner.  A box of one point is all
its own; in a single cell of few points each polygon is cut by all others.  Nothing is known of neighbours, so that no
place of the points is special: on one line, outside the box, with empty cells, on circles with their images.
All is measured in two densities at once, that which is meant and one that is positive everywhere.

    ∂m_i/∂w_j = −∫_{Lag_i ∩ Lag_j} ρ / |y_i − y_j|

are the second derivatives of what weights are sought for (module `newton_weights`).  O((n + N) log N) for n points that
are spread over N cells.  Reference: Aurenhammer (1987), Power diagrams: properties, algorithms and applications.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...base.kernel_cache import njit
from ...grid import Array
from ..plane.measures import Periods
from .polygons import cut_off, moments, set_box

FEW = 6
"""Points of a cell up to which polygons are cut; a cell with more is halved."""
HALVINGS = 24
"""Of a cell, after which polygons are cut in any case."""
MARGIN = 1e-13
"""In units of the squared diagonal: by how much a point has to be above another to be left out."""


@dataclass(frozen=True)
class PowerCells:
    """What densities have in the power cell of each point.

    mass, other : (n,) of both densities.   shift : (2, n) ∫(x − y_i) ρ.   second : (n,) ∫|x − y_i|² ρ.
    pairs : (2, k) points on both sides of a piece of side.   weight : (2, k) of it, ∫ρ/|y_i − y_j| for both densities.
    """

    mass: Array
    other: Array
    shift: Array
    second: Array
    pairs: Array
    weight: Array


class PowerDiagram:
    """Of points beside two densities, for one set of weights after another.

    edges : per axis, x first.   density, other : (ny, nx).   places : (n, 2), no two equal.   periods : lengths of
    circles, or None; there each point is joined by its images, and places lie within the box.
    """

    def __init__(self, edges: list[Array], density: Array, other: Array, places: Array, periods: Periods) -> None:
        self._edges = [np.ascontiguousarray(e) for e in edges]
        self._densities = [np.ascontiguousarray(rho, dtype=float) for rho in (density, other)]
        self.count = len(places)
        self._owner, images = np.arange(self.count, dtype=np.int32), places
        for k, period in enumerate(periods):
            if period is not None:
                step = np.zeros(2)
                step[k] = period
                images = np.concatenate([images, images - step, images + step])
                self._owner = np.tile(self._owner, 3)
        self._x, self._y = (np.ascontiguousarray(images[:, k]) for k in (0, 1))
        cells = density.size
        self._depth = int(np.ceil(np.log2(density.shape[0])) + np.ceil(np.log2(density.shape[1]))) + HALVINGS + 2
        self._candidates = np.empty((self._depth + 1) * len(self._x), dtype=np.int32)
        self.few = FEW
        self._room = 8 * (self.count + cells)
        extent = [
            max(e[-1], x.max()) - min(e[0], x.min()) for e, x in zip(self._edges, (self._x, self._y), strict=True)
        ]
        self._margin = MARGIN * (extent[0] ** 2 + extent[1] ** 2)

    def __call__(self, weights: Array) -> PowerCells:
        """weights : (n,) w."""
        heights = 0.5 * (self._x**2 + self._y**2) - weights[self._owner]
        while True:
            sums = np.zeros((5, self.count))
            pairs, pieces = np.empty((2, self._room), dtype=np.int32), np.empty((2, self._room))
            needed = cut_cells(*self._edges, *self._densities, self._x, self._y, heights, self._owner, self._candidates,
                               self._depth, self.few, self._margin, sums, pairs, pieces)  # fmt: skip
            if needed <= self._room:
                break
            self._room = 2 * needed
        return PowerCells(sums[0], sums[1], sums[2:4], sums[4], pairs[:, :needed], pieces[:, :needed])


@njit(cache=True, nogil=True)
def cut_cells(ex, ey, density, other, px, py, heights, owner, candidates, depth, few, margin, sums, pairs, pieces):
    """Adds to sums (5, n) and writes pieces of sides, as many as there is room for; returns how many there are.

    heights : ½|y|² − w.   candidates : with room for depth + 1 times all points.
    """
    count = len(px)
    cells, box, held = np.empty((depth + 2, 4), np.int64), np.empty((depth + 2, 4)), np.empty((depth + 2, 2), np.int64)
    left = np.empty(depth + 2, np.int64)
    room = count + 8
    polygons, labels = np.empty((4, room)), np.empty((2, room), np.int64)
    for k in range(count):
        candidates[k] = k
    cells[0], held[0], left[0] = (0, len(ex) - 1, 0, len(ey) - 1), (0, count), HALVINGS
    box[0] = (ex[0], ex[-1], ey[0], ey[-1])
    top, found = 1, 0
    while top > 0:
        top -= 1
        i0, i1, j0, j1 = cells[top]
        x0, x1, y0, y1 = box[top]
        start, end = held[top]
        halvings = left[top]
        stop = keep_lowest(x0, x1, y0, y1, px, py, heights, candidates, start, end, margin)
        if stop == end + 1:
            add_block(ex, ey, density, other, i0, i1, j0, j1, x0, x1, y0, y1, candidates[end], px, py, owner, sums)
            continue
        if i1 - i0 == 1 and j1 - j0 == 1 and (stop - end <= few or halvings == 0):
            found = cut_box(x0, x1, y0, y1, density[j0, i0], other[j0, i0], px, py, heights, owner,
                            candidates[end:stop], polygons, labels, sums, pairs, pieces, found)  # fmt: skip
            continue
        for half in range(2):
            cells[top + half], box[top + half], held[top + half] = cells[top], box[top], (end, stop)
            left[top + half] = halvings
        if i1 - i0 == 1 and j1 - j0 == 1:
            left[top] = left[top + 1] = halvings - 1
            if tells_more(x1 - x0, y1 - y0, px, py, candidates, end, stop):
                box[top, 1] = box[top + 1, 0] = 0.5 * (x0 + x1)
            else:
                box[top, 3] = box[top + 1, 2] = 0.5 * (y0 + y1)
        elif j1 - j0 == 1 or (i1 - i0 > 1 and x1 - x0 >= y1 - y0):
            middle = (i0 + i1) // 2
            cells[top, 1], cells[top + 1, 0], box[top, 1], box[top + 1, 0] = middle, middle, ex[middle], ex[middle]
        else:
            middle = (j0 + j1) // 2
            cells[top, 3], cells[top + 1, 2], box[top, 3], box[top + 1, 2] = middle, middle, ey[middle], ey[middle]
        top += 2
    return found


@njit(cache=True, nogil=True)
def keep_lowest(x0, x1, y0, y1, px, py, heights, candidates, start, end, margin):
    """Of candidates[start:end] those that may be lowest in a box, from `end` on; returns where they stop."""
    cx, cy, rx, ry = 0.5 * (x0 + x1), 0.5 * (y0 + y1), 0.5 * (x1 - x0), 0.5 * (y1 - y0)
    best, least = candidates[start], np.inf
    for k in range(start, end):
        i = candidates[k]
        value = heights[i] - cx * px[i] - cy * py[i]
        if value < least:
            best, least = i, value
    stop = end
    for k in range(start, end):
        i = candidates[k]
        above = heights[i] - cx * px[i] - cy * py[i] - least
        if above <= abs(px[i] - px[best]) * rx + abs(py[i] - py[best]) * ry + margin:
            candidates[stop] = i
            stop += 1
    return stop


@njit(cache=True, nogil=True)
def tells_more(width, height, px, py, candidates, start, end):
    """Whether halves along x leave fewer of the candidates than those along y."""
    low_x = high_x = px[candidates[start]]
    low_y = high_y = py[candidates[start]]
    for k in range(start, end):
        i = candidates[k]
        low_x, high_x = min(low_x, px[i]), max(high_x, px[i])
        low_y, high_y = min(low_y, py[i]), max(high_y, py[i])
    return width * (high_x - low_x) >= height * (high_y - low_y)


@njit(cache=True, nogil=True)
def add_block(ex, ey, density, other, i0, i1, j0, j1, x0, x1, y0, y1, i, px, py, owner, sums):
    """All of a block of cells, or of a part of one, belongs to one point."""
    mass, beside, first_x, first_y, second = 0.0, 0.0, 0.0, 0.0, 0.0
    for b in range(j0, j1):
        low, high = max(y0, ey[b]) - py[i], min(y1, ey[b + 1]) - py[i]
        height, centre_y = high - low, 0.5 * (low + high)
        for a in range(i0, i1):
            near, far = max(x0, ex[a]) - px[i], min(x1, ex[a + 1]) - px[i]
            width, centre_x = far - near, 0.5 * (near + far)
            part = width * height
            beside += part * other[b, a]
            part *= density[b, a]
            mass += part
            first_x += part * centre_x
            first_y += part * centre_y
            second += part * (centre_x * centre_x + centre_y * centre_y + (width * width + height * height) / 12.0)
    n = owner[i]
    sums[0, n] += mass
    sums[1, n] += beside
    sums[2, n] += first_x
    sums[3, n] += first_y
    sums[4, n] += second


@njit(cache=True, nogil=True)
def cut_box(x0, x1, y0, y1, rho, smooth, px, py, heights, owner, here, polygons, labels, sums, pairs, pieces, found):
    """A box of one density is shared by the points `here`; returns the number of pieces of sides after it."""
    for i in here:
        now, then = 0, 1
        count = set_box(x0, x1, y0, y1, polygons[0], polygons[1], labels[0])
        for j in here:
            if j != i:
                count = cut_off(polygons[2 * now], polygons[2 * now + 1], labels[now], count, px[j] - px[i],
                                py[j] - py[i], heights[i] - heights[j], j, polygons[2 * then],
                                polygons[2 * then + 1], labels[then])  # fmt: skip
                now, then = then, now
                if count == 0:
                    break
        if count < 3:
            continue
        x, y, label, n = polygons[2 * now], polygons[2 * now + 1], labels[now], owner[i]
        area, first_x, first_y, second = moments(x, y, count, px[i], py[i])
        sums[0, n] += rho * area
        sums[1, n] += smooth * area
        sums[2, n] += rho * first_x
        sums[3, n] += rho * first_y
        sums[4, n] += rho * second
        for k in range(count):
            j = label[k]
            if j > i and owner[j] != n:
                m = k + 1 if k + 1 < count else 0
                length = np.hypot(x[m] - x[k], y[m] - y[k])
                if length > 0.0:
                    if found < pieces.shape[1]:
                        per = length / np.hypot(px[j] - px[i], py[j] - py[i])
                        pairs[0, found], pairs[1, found] = n, owner[j]
                        pieces[0, found], pieces[1, found] = rho * per, smooth * per
                    found += 1
    return found
