"""Integrals over [0, 1] of many functions at once, by Boole's rule on pieces that are halved until two levels agree.

    B = w (7f₀ + 32f₁ + 12f₂ + 32f₃ + 7f₄)/90 on a piece of width w,   B₂ = B_left + B_right,
    done where |B₂ − B| ≤ tolerance max(|∫|, size), with the value B₂ + (B₂ − B)/63 (Richardson: degree 7)

The five points of a piece are points of its halves.  All pieces of a level are done together.

`Halvings` are averages over cells by them, for `quadrature`: in 2D of integrals along one axis, in both orders.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..base.effort import spend

if TYPE_CHECKING:
    from .quadrature import Cells

Array = np.ndarray

TOLERANCE = 1e-10
"""To which two levels agree, relative to the larger of the average and the mean over the grid."""
POINTS = {1: 64, 2: 16}
"""Intervals per cell and axis of the look."""
APART, LOOSEST, SMALLEST = 100, 1e-5, 2.0**-10
"""Tolerances by which two orders may be apart; largest tolerance in quarters of a cell; side of the smallest ones."""
BATCH = 1024
"""Cells that are refined together."""
HALVED = 25.0
"""Nanoseconds a value that halving takes, beyond those of the function (`base.effort`)."""
HALVINGS = 50
PIECES = 2**20
"""Pieces of one level, which bound the memory."""
ODD = np.arange(1, 9, 2) / 8
BOOLE = np.array([7, 32, 12, 32, 7]) / 90
BOOLE_TWICE = np.array([7, 32, 12, 32, 14, 32, 12, 32, 7]) / 180


def halved(
    function: Callable[[Array, Array], Array],
    size: Array,
    tolerance: float,
    hair: Array,
    pieces: int,
    more: Callable[[], bool],
) -> tuple[Array, Array]:
    """The integrals (count,) and the estimates of their errors: 3 Σ|B₂ − B|, those of the values, and hair max|f|.

    function : of the functions' numbers (m,) and places (m, k), to (1, m, k) values or (2, m, k) values and errors.
    size : (count,) what the tolerance is relative to, beside the integrals themselves.
    hair : (count,) lengths on which the functions are constant instead of singular.
    pieces : to begin with.   more : whether to go on, asked after each level.
    """
    count, width = len(size), 1 / pieces
    tag, left = np.repeat(np.arange(count), pieces), np.tile(np.arange(pieces) * width, count)
    first = function(np.arange(count), np.tile(np.arange(4 * pieces + 1) / (4 * pieces), (count, 1)))
    five = np.stack([first[..., 4 * k : 4 * k + 5] for k in range(pieces)], axis=2).reshape(len(first), -1, 5)
    total, error, largest = np.zeros(count), np.zeros(count), np.zeros(count)
    for level in range(HALVINGS + 1):
        nine = np.empty((*five.shape[:2], 9))
        nine[..., ::2], nine[..., 1::2] = five, function(tag, left[:, None] + width * ODD)
        fine = width * np.einsum("cmk,k->cm", nine, BOOLE_TWICE)
        gap = fine[0] - width * np.einsum("mk,k->m", five[0], BOOLE)
        best = fine[0] + gap / 63
        limit = tolerance * np.maximum(size, np.abs(total + np.bincount(tag, best, count)))
        again = np.abs(gap) > limit[tag]
        if level == HALVINGS or not more() or 2 * np.count_nonzero(again) > PIECES:
            again[:] = False
        done = ~again
        total += np.bincount(tag[done], best[done], count)
        error += np.bincount(tag[done], 3 * np.abs(gap[done]) + np.sum(fine[1:, done], axis=0), count)
        np.maximum.at(largest, tag[done], np.max(np.abs(nine[0, done]), axis=1))
        if not np.any(again):
            break
        tag, width = np.repeat(tag[again], 2), 0.5 * width
        left = (left[again, None] + np.array([0.0, width])).ravel()
        nine = nine[:, again]
        five = np.stack([nine[..., :5], nine[..., 4:]], axis=2).reshape(len(nine), -1, 5)
    return total, error + hair * largest


class Halvings:
    """Averages of a function over chosen cells by halving.

    most : evaluations that they may take; twice as many at most.
    """

    def __init__(self, cells: Cells, most: int) -> None:
        self.cells, self.most, self.left = cells, most, 0

    def averages(self, chosen: Array, size: Array) -> tuple[Array, Array]:
        """Averages over chosen cells, by flat index, and the estimates of their errors, as of `Cells.refined`."""
        dim = len(self.cells.shape)
        halvings = ((self.most / dim / len(chosen)) ** (1 / dim) - POINTS[dim]) / 4
        tolerance, self.left = max(TOLERANCE, 2.0**-halvings), 2 * self.most
        values, error = np.empty(len(chosen)), np.empty(len(chosen))
        for start in range(0, len(chosen), BATCH):
            part = slice(start, start + BATCH)
            share = len(chosen[part]) / (len(chosen) - start)
            stop = self.left - int(share * self.left)  # a batch that needs less leaves more to the others
            index = tuple(reversed(np.unravel_index(chosen[part], self.cells.shape)))
            integrate = self._line if dim == 1 else self._plane
            values[part], error[part] = integrate(index, size[part], tolerance, stop)
        return values, error

    def _line(self, index: tuple[Array, ...], size: Array, tolerance: float, stop: int) -> tuple[Array, Array]:
        def line(tag: Array, s: Array) -> Array:
            return self._counted([index[0][tag, None]], [s])

        hair = self.cells.hair[0][index[0]] / self.cells.widths[0][index[0]]
        return halved(line, size, tolerance, hair, POINTS[1] // 4, lambda: self.left > stop)

    def _plane(self, index: tuple[Array, ...], size: Array, tolerance: float, stop: int) -> tuple[Array, Array]:
        """In both orders, and in quarters where these do not agree."""
        values, error, tag = np.zeros(len(size)), np.zeros(len(size)), np.arange(len(size))
        corner, side, more = np.zeros((2, len(size))), 1.0, lambda: self.left > stop
        while len(tag):
            here = [i[tag] for i in index]
            (one, one_error), (two, two_error) = (
                self._square(here, corner, side, inner, size[tag], min(tolerance / side**2, LOOSEST), stop)
                for inner in (0, 1)
            )
            gap, known = np.abs(one - two), one_error + two_error
            limit = APART * tolerance * np.maximum(size[tag], np.abs(one)) / side**2
            again = (gap > np.maximum(known, limit)) & (side > SMALLEST) & more()
            done = ~again
            values += np.bincount(tag[done], side**2 * 0.5 * (one + two)[done], len(size))
            error += np.bincount(tag[done], side**2 * (gap + 0.5 * known)[done], len(size))
            side *= 0.5
            tag, corner = np.repeat(tag[again], 4), np.repeat(corner[:, again], 4, axis=1)
            corner += side * np.tile([[0.0, 1.0, 0.0, 1.0], [0.0, 0.0, 1.0, 1.0]], np.count_nonzero(again))
        return values, error

    def _square(
        self, index: Sequence[Array], corner: Array, side: float, inner: int, size: Array, tolerance: float, stop: int
    ) -> tuple[Array, Array]:
        """Averages over squares in cells, and the estimates of their errors.   inner : the axis that is done first.

        The two orders begin with 16 and with 20 intervals, so that they do not miss the same.
        """
        outer, pieces, more = 1 - inner, POINTS[2] // 4 + inner, lambda: self.left > stop
        hair = [h[i] / (side * w[i]) for h, w, i in zip(self.cells.hair, self.cells.widths, index, strict=True)]

        def lines(tag: Array, s: Array) -> Array:
            """(2, m, k): integrals along one axis at places s (m, k) of the other in squares tag (m,), and errors."""
            square, fixed = np.repeat(tag, s.shape[1]), (corner[outer, tag, None] + side * s).ravel()[:, None]
            cells, start = [i[square, None] for i in index], corner[inner, square, None]

            def along(line: Array, u: Array) -> Array:
                place = {inner: start[line] + side * u, outer: fixed[line]}
                return self._counted([cell[line] for cell in cells], [place[0], place[1]])

            found = halved(along, size[square], 0.1 * tolerance, hair[inner][square], pieces, more)
            return np.reshape(found, (2, *s.shape))

        return halved(lines, size, tolerance, hair[outer], pieces, more)

    def _counted(self, cells: Sequence[Array], places: Sequence[Array]) -> Array:
        values = self.cells.at(cells, places)
        spend(HALVED * values.size)
        self.left -= values.size
        return values[None]
