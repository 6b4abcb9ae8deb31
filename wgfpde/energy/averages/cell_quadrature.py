"""Averages of a kernel over cells in which it need not be smooth, by adaptive quadrature on many cells at once.

    W̄ = ∫∫ W(x + h_x s, y + h_y t) ds dt,     s, t ∈ [−½, ½]

A line is halved where the six points of Gauss–Lobatto disagree with those on its halves.  Their end points see a jump
beside the end of a line.  Where two neighbouring points see a jump, bisection finds it, and the line is cut there in
place of its middle: no more points than a smooth piece needs are then spent on either side.  In 2D the inner
integrals run along y; the outer one is cut where W jumps along the lower or the upper side of the cell, because the
inner integral has a kink there.

Accuracy, relative to the largest value in the cell: 1e-12 on lines and 1e-10 in the plane for jumps, kinks and
logarithms.  A root |r − R|^(−½) reaches 1e-6: what is left lies within the rounding of r.  In the plane 1e-3 of a cell
is left where the line of a jump has a corner in it: a part that is narrower than a twentieth of a cell in both
directions is seen only by chance.

Bounded work: DEPTH halvings, and CROWD pieces at once for each integral.
Reference: the adaptive rule is that of Gander and Gautschi (2000), DOI 10.1023/A:1022318402393, on all cells abreast.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ...grid import Array

Kernel = Callable[..., Array]
Lines = Callable[[Array, Array], Array]
"""(which of the integrals (m,), places (m, q) in [−½, ½]) ↦ values (m, q)."""

_INNER, _OUTER = np.sqrt((7 - 2 * np.sqrt(7)) / 21), np.sqrt((7 + 2 * np.sqrt(7)) / 21)
NODES = 0.5 + 0.5 * np.array([-1.0, -_OUTER, -_INNER, _INNER, _OUTER, 1.0])
WEIGHTS = np.array([2.0, 14 - np.sqrt(7), 14 + np.sqrt(7), 14 + np.sqrt(7), 14 - np.sqrt(7), 2.0]) / 60
"""Gauss–Lobatto on [0, 1]: exact for polynomials of degree 9."""
LINE_TOLERANCE, PLANE_TOLERANCE = 1e-12, 1e-10
DEPTH, SMALLEST, OPEN = 48, 2.0**-30, 2.0**-10
CROWD = 8
PIECES = 8
"""Pieces that an average over a line starts with; in the plane the outer integral has two."""
CELLS = 1024
"""Cells of a plane held at once."""
DIVERGENT = 1e-3
"""What the smallest pieces may hold of an integral that converges."""
UNSEEN = 1e-300
STEEP = 1e3
"""By how much a pole is larger there than what was seen of the cell at first; a jump is not."""


def adaptive_averages(
    kernel: Kernel,
    shifts: Sequence[Array],
    widths: Sequence[Array],
    periods: Sequence[float | None],
    others: Sequence[Array] | None = None,
) -> Array:
    """Averages of W over cells of sizes `widths` centred at `shifts`, per axis, x first, arrays (n,).

    others : in 1D, sizes of a second cell each; then averages of W(x − y) over x in one and y in the other, `shifts`
    apart.
    periods : per axis its period, on which displacements are the shortest ones, or None.
    Returns (n,): NaN where W is not a number in a part of the cell, infinite where its integral diverges.
    """
    count, two = len(shifts[0]), len(shifts) == 2
    result = np.empty(count)
    for first in range(0, count, CELLS):
        part = slice(first, first + CELLS)
        second = None if others is None else [o[part] for o in others]
        cells = _Cells(kernel, [s[part] for s in shifts], [w[part] for w in widths], periods, second)
        total, lost = cells.over_planes() if two else cells.over_lines()
        result[part] = np.where(lost > DIVERGENT * np.maximum(np.abs(total), 1e-300), np.inf, total)
    return result


def distinct_averages(
    kernel: Kernel, shifts: Sequence[Array], widths: Sequence[Array], periods: Sequence[float | None]
) -> Array:
    """`adaptive_averages`, once for all cells that are equal but for rounding, as along a uniform axis."""
    columns = np.stack([*shifts, *widths], axis=1)
    if not columns.size:
        return np.zeros(0)
    unit = np.max(np.abs(columns)) * 2.0**-44
    _, first, inverse = np.unique(np.round(columns / unit), axis=0, return_index=True, return_inverse=True)
    found = adaptive_averages(kernel, [s[first] for s in shifts], [w[first] for w in widths], periods)
    return found[np.ravel(inverse)]


class _Cells:
    """W on cells, as a function of the places s (and t) in [−½, ½].

    On lines two cells of widths a, b are one of width a + b, with the weight min(1, (½ − |s|)/(½ − c))/(½ + c) that is
    constant within c = |a − b|/2(a + b).
    """

    def __init__(
        self,
        kernel: Kernel,
        shifts: Sequence[Array],
        widths: Sequence[Array],
        periods: Sequence[float | None],
        others: Sequence[Array] | None,
    ) -> None:
        spans = widths if others is None else [w + o for w, o in zip(widths, others, strict=True)]
        self._kernel, self._sides = kernel, list(zip("xy", shifts, spans, periods, strict=False))
        self._bends = (
            [] if others is None else [0.5 * np.abs(w - o) / (w + o) for w, o in zip(widths, others, strict=True)]
        )
        corners = np.array(np.meshgrid(*[NODES - 0.5] * len(shifts))).reshape(len(shifts), 1, -1)
        values = self._weighted if self._bends else self.values  # a pole where two cells touch has no weight
        seen = np.abs(values(np.arange(len(shifts[0])), *corners))
        largest = np.max(seen, axis=1, initial=0.0, where=np.isfinite(seen))
        typical = float(np.median(largest[largest > 0])) if np.any(largest > 0) else 0.0
        self._scale = np.maximum(largest, max(1e-3 * typical, UNSEEN))  # a cell that a jump only grazes looks empty

    def values(self, cell: Array, *places: Array) -> Array:
        """W at places that broadcast against cell[:, None]; 0 where it is infinite."""
        coords = {}
        for (name, shift, span, period), place in zip(self._sides, places, strict=True):
            at = shift[cell, None] + span[cell, None] * place
            coords[name] = at if period is None else at - period * np.round(at / period)
        with np.errstate(all="ignore"):
            values = np.asarray(self._kernel(**coords), dtype=float)
        values = np.broadcast_to(values, np.broadcast_shapes(*(c.shape for c in coords.values())))
        return np.where(np.isinf(values), 0.0, values)

    def _weighted(self, cell: Array, s: Array) -> Array:
        """The same with the weight of two cells, on lines."""
        (bend,) = self._bends
        c = bend[cell, None]
        return self.values(cell, s) * np.minimum(1.0, (0.5 - np.abs(s)) / (0.5 - c)) / (0.5 + c)

    def over_lines(self) -> tuple[Array, Array]:
        cuts = np.tile(np.linspace(-0.5, 0.5, PIECES + 1)[1:-1], (len(self._scale), 1))
        if not self._bends:
            return line_averages(self.values, self._scale, LINE_TOLERANCE, cuts)
        (bend,) = self._bends
        # the weight is 0 at the ends and would hide a jump there: W itself is searched first
        ends = np.pad(cuts, ((0, 0), (1, 1)), constant_values=((0, 0), (-0.5, 0.5)))
        a, b = np.ravel(ends[:, :-1]), np.ravel(ends[:, 1:])
        at, low, high = _jumps([self.values], np.repeat(np.arange(len(bend)), PIECES), a, b)
        before, after = b.copy(), b.copy()
        before[at], after[at] = low, high
        jumps = [part.reshape(-1, PIECES) for part in (before, after)]
        cuts = np.sort(np.column_stack([cuts, -bend, bend, *jumps]), axis=1)
        return line_averages(self._weighted, self._scale, LINE_TOLERANCE, cuts)

    def over_planes(self) -> tuple[Array, Array]:
        """The averages, and what the smallest pieces of the inner integrals hold of them."""

        def columns(cell: Array, s: Array) -> tuple[Array, Array]:
            cells, places = np.repeat(cell, s.shape[1]), s.reshape(-1, 1)
            found = line_averages(
                lambda line, t: self.values(cells[line], places[line], t),
                self._scale[cells],
                LINE_TOLERANCE,
                np.zeros((len(cells), 1)),
            )
            return found[0].reshape(s.shape), found[1].reshape(s.shape)

        count = len(self._scale)
        total, lost = (part @ WEIGHTS for part in columns(np.arange(count), np.tile(NODES - 0.5, (count, 1))))
        kept = np.flatnonzero(lost <= DIVERGENT * np.abs(total))
        sides = [lambda cell, s, t=t: self.values(kept[cell], s, np.array(t)) for t in (-0.5, 0.5)]
        total[kept], lost[kept] = line_averages(
            lambda cell, s: columns(kept[cell], s)[0],
            self._scale[kept],
            PLANE_TOLERANCE,
            np.zeros((len(kept), 1)),
            sides,
        )
        return total, lost


def line_averages(
    values: Lines, scale: Array, tolerance: float, cuts: Array, guides: Sequence[Lines] = ()
) -> tuple[Array, Array]:
    """∫ values ds over [−½, ½] for n lines.

    scale : (n,), the error that is allowed is tolerance·scale.   cuts : (n, p) increasing places where the lines are
    cut to start with.   guides : functions whose jumps are places to cut at; the integrand itself if there are none.
    Returns (n,), (n,): the integrals, and how much of |·| they take from pieces that are open at the end, below
    OPEN, and steep.
    """
    count = len(scale)
    ends = np.pad(cuts, ((0, 0), (1, 1)), constant_values=((0, 0), (-0.5, 0.5)))
    line, a, b = np.repeat(np.arange(count), cuts.shape[1] + 1), np.ravel(ends[:, :-1]), np.ravel(ends[:, 1:])
    coarse = _lobatto(values, line, a, b)
    total = np.zeros(count)
    for _ in range(DEPTH):
        middle = 0.5 * (a + b)
        left, right = _lobatto(values, line, a, middle), _lobatto(values, line, middle, b)
        split = np.abs(left + right - coarse) > tolerance * scale[line]
        total += np.bincount(line[~split], (left + right)[~split], count)
        line, a, b, middle, left, right = (part[split] for part in (line, a, b, middle, left, right))
        if not line.size or line.size > CROWD * (count + 64):
            coarse = left + right
            break
        wide = np.flatnonzero(b - a > SMALLEST)  # in narrower ones a pole looks like a jump, by rounding
        at, low, high = _jumps(guides or [values], line[wide], a[wide], b[wide])
        at = wide[at]
        stop, start = middle.copy(), middle.copy()
        stop[at], start[at] = low, high
        left[at] = _lobatto(values, line[at], a[at], low)
        right[at] = _lobatto(values, line[at], high, b[at])
        line, a, b, coarse = np.tile(line, 2), np.append(a, start), np.append(stop, b), np.append(left, right)
    steep = (scale[line] > UNSEEN) & (b - a < OPEN) & (np.abs(coarse) > STEEP * scale[line] * (b - a))
    smallest = np.where(steep, np.abs(coarse), 0.0)
    return total + np.bincount(line, coarse, count), np.bincount(line, smallest, count)


def _lobatto(values: Lines, line: Array, a: Array, b: Array) -> Array:
    if not line.size:
        return np.zeros(0)
    return (values(line, _nodes(a, b)) @ WEIGHTS) * (b - a)


def _nodes(a: Array, b: Array) -> Array:
    """(m, 6), with the ends met exactly."""
    nodes = a[:, None] + (b - a)[:, None] * NODES
    nodes[:, -1] = b
    return nodes


def _jumps(guides: Sequence[Lines], line: Array, a: Array, b: Array) -> tuple[Array, Array, Array]:
    """Which pieces hold a jump of a guide, and its places just before and after the largest."""
    found = np.zeros(line.size)
    low, high = np.zeros((2, line.size))
    nodes = _nodes(a, b)
    for guide in guides:
        heights = guide(line, nodes)
        gaps = np.abs(np.diff(heights, axis=1))
        gaps[~np.isfinite(gaps)] = 0.0
        k = np.argmax(gaps, axis=1)
        rows = np.arange(line.size)
        which = np.flatnonzero(gaps[rows, k] > found)
        k = k[which]
        state = [nodes[which, k], nodes[which, k + 1], heights[which, k], heights[which, k + 1]]
        gap = gaps[which, k]
        for halvings in (8, 36):
            _bisect(guide, line[which], state, halvings)
            height = np.abs(state[3] - state[2])
            jump = (height > 0.5 * gap) & (height < 2 * gap)
            which, gap, state = which[jump], gap[jump], [part[jump] for part in state]
        low[which], high[which], found[which] = state[0], state[1], gap
    at = np.flatnonzero(found)
    return at, low[at], high[at]


def _bisect(guide: Lines, line: Array, state: list[Array], halvings: int) -> None:
    """Halve brackets [low, high, value at low, value at high] in place, towards the larger difference."""
    if not line.size:
        return
    for _ in range(halvings):
        middle = 0.5 * (state[0] + state[1])
        height = guide(line, middle[:, None])[:, 0]
        below = np.abs(height - state[2]) >= np.abs(state[3] - height)
        state[0], state[2] = np.where(below, state[0], middle), np.where(below, state[2], height)
        state[1], state[3] = np.where(below, middle, state[1]), np.where(below, height, state[3])
