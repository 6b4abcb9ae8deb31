"""Integrals over [0, 1] of many functions at once, by Boole's rule on pieces that are halved until two levels agree.

    B = w (7f₀ + 32f₁ + 12f₂ + 32f₃ + 7f₄)/90 on a piece of width w,   B₂ = B_left + B_right,
    done where |B₂ − B| ≤ tolerance max(|∫|, size), with the value B₂ + (B₂ − B)/63 (Richardson: degree 7)

The five points of a piece are points of its halves.  All pieces of a level are done together.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Array = np.ndarray

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
