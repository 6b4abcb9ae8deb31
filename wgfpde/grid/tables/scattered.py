"""A table at places that form no grid, such as those of particles, with its slopes in closed form.

1D         the pieces of `pieces`, or their derivatives
cubic, linear, nearest in 2D      I_y I_x is linear in the values: one polynomial a rectangle of pieces,
           f = Σ_kl c_kl (x − x₀)^k (y − y₀)^l,      whose coefficients are the pieces along y of those along x
pchip in 2D      slopes d along y are not linear in the values: Hermite's cubic through two rows, with d and ∂d/∂x from
           the values g_j(x) and slopes g_j'(x) of the four nearest rows,
           d = (w₁ + w₂)/(w₁/m₁ + w₂/m₂) where the secants m₁, m₂ agree in sign, else 0; one-sided at open ends

The slope of "nearest" is 0 and that of "linear" the one on the right of a place.  At a kink of pchip in the values it
is that of one side.  Some 1 µs a place.
Reference: Fritsch, Butland (1984), DOI 10.1137/0905021.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from ..axis import AXIS_NAMES, Array
from . import pieces
from .pieces import Interpolation

LOW, HIGH, BACK = slice(0, 2), slice(1, 3), slice(1, None, -1)
"""Of three gaps the first two, the last two, and the first two from the right."""
Gaps = tuple[Array, ...]
"""Widths, secants, and how these change in x, of two gaps of each point, (p, 2) each."""


class Scattered:
    """places, values, rings : of a table without missing values, as `Tabulated` has them; values (nx,) or (ny, nx)."""

    def __init__(
        self, kind: Interpolation, places: Sequence[Array], values: Array, rings: tuple[float | None, ...]
    ) -> None:
        self.kind, self.places, self.values, self.rings = kind, places, values, rings
        self._along_x = pieces.pieces_of(kind, places[0], values.T, rings[0])

    def __call__(self, points: Sequence[Array], order: Sequence[int]) -> Array:
        """Values (m,) at points, one array (m,) per axis; `order` 0 or 1 per axis, at most one of them 1: slopes."""
        if len(points) == 1:
            return np.asarray(self._along_x(pieces.folded(points[0], self._along_x.x[0], self.rings[0]), order[0]))
        if self.kind == "pchip":
            return self._monotone(points[0], points[1], order)
        (px, x), (py, y) = self._piece(0, points[0]), self._piece(1, points[1])
        c = self._rectangles[py, px]  # (m, powers of y, powers of x), highest first
        rows = _polynomial(np.moveaxis(c, 2, 0), x[:, None], order[0])
        return _polynomial(rows.T, y, order[1])

    @cached_property
    def _rectangles(self) -> Array:
        along = np.moveaxis(self._along_x.c, 2, 0)  # rows of the table first: (ny, powers, pieces)
        across = pieces.pieces_of(self.kind, self.places[1], along, self.rings[1]).c
        return np.ascontiguousarray(across.transpose(1, 3, 0, 2))

    @cached_property
    def _breaks(self) -> tuple[Array, Array]:
        return self._along_x.x, pieces.pieces_of(self.kind, self.places[1], self.values[:, 0], self.rings[1]).x

    def _piece(self, k: int, points: Array) -> tuple[Array, Array]:
        """The piece along axis k that holds each point, and how far from its beginning that lies."""
        breaks = self._breaks[k]
        x = pieces.folded(points, breaks[0], self.rings[k])
        piece = np.clip(np.searchsorted(breaks, x, side="right") - 1, 0, len(breaks) - 2)
        return piece, x - breaks[piece]

    def _monotone(self, x: Array, y: Array, order: Sequence[int]) -> Array:
        """pchip along y through the rows of pchip along x."""
        (px, dx), (j, dy) = self._piece(0, x), self._piece(1, y)
        n, ring, breaks = len(self.places[1]), self.rings[1], self._breaks[1]
        near = j[:, None] + np.arange(-1, 3)  # the rows on both sides of the piece
        rows = near % n if ring is not None else np.clip(near, 0, n - 1)
        c = self._along_x.c[:, px[:, None], rows]
        g = _polynomial(c, dx[:, None], 0)
        change = _polynomial(c, dx[:, None], 1) if order[0] else np.zeros_like(g)
        gaps = np.diff(breaks)
        h = gaps[(near % len(gaps))[:, :3]] if ring is not None else gaps[np.clip(near[:, :3], 0, len(gaps) - 1)]
        m, m_change = np.diff(g, axis=1) / h, np.diff(change, axis=1) / h
        ends = (np.zeros_like(j, bool),) * 2 if ring is not None else (j == 0, j == n - 2)
        straight = ring is None and n == 2
        gaps_and_secants = (h, m, m_change)
        low, high, back = (tuple(v[:, part] for v in gaps_and_secants) for part in (LOW, HIGH, BACK))
        left, right = _slopes(low, ends[0], high, straight), _slopes(high, ends[1], back, straight)
        k = 1 if order[0] else 0
        return _hermite(dy, h[:, 1], (change if k else g)[:, 1:3], left[k], right[k], order[1])


class Slope:
    """∂f/∂x or ∂f/∂y of a table, called as the table is.   axis : 0 or 1."""

    def __init__(self, table: Scattered, axis: int) -> None:
        self.table, self.axis = table, axis

    def __call__(self, **points: Array) -> Array:
        dim = len(self.table.places)
        given = np.broadcast_arrays(*(np.asarray(points[name], dtype=float) for name in AXIS_NAMES[:dim]))
        order = [int(k == self.axis) for k in range(dim)]
        return self.table([p.ravel() for p in given], order).reshape(given[0].shape)


def _polynomial(c: Array, x: Array, order: int) -> Array:
    """Σ c_k x^k or its derivative.   c : highest power first."""
    degree = len(c) - 1
    powers = range(degree, order - 1, -1)
    total = np.zeros(np.broadcast_shapes(c.shape[1:], x.shape))
    for k in powers:
        total = total * x + (k if order else 1) * c[degree - k]
    return total


def _slopes(beside: Gaps, end: Array, inwards: Gaps, straight: bool) -> tuple[Array, Array]:
    """d at a place, (p,), and how it changes.

    beside : the gaps before and after it.   end : (p,) where it is the outermost; there inwards : the gap beside it and
    the next one.   straight : with two places the slope is the secant.
    """
    (h, m, change), (h_in, m_in, change_in) = beside, inwards
    if straight:
        return m_in[:, 0], change_in[:, 0]
    (h1, h2), (m1, m2) = h.T, m.T
    w1, w2 = 2 * h2 + h1, h2 + 2 * h1
    with np.errstate(all="ignore"):
        d = (w1 + w2) / (w1 / m1 + w2 / m2)
        turn = d**2 / (w1 + w2) * (w1 * change[:, 0] / m1**2 + w2 * change[:, 1] / m2**2)
    agree = m1 * m2 > 0
    d, turn = np.where(agree, d, 0.0), np.where(agree, turn, 0.0)
    (h1, h2), (m1, m2) = h_in.T, m_in.T
    out, out_turn = (((2 * h1 + h2) * a - h1 * b) / (h1 + h2) for a, b in ((m1, m2), change_in.T))
    steep = (np.sign(m1) != np.sign(m2)) & (np.abs(out) > 3 * np.abs(m1))
    flat = np.sign(out) != np.sign(m1)
    out = np.where(flat, 0.0, np.where(steep, 3 * m1, out))
    out_turn = np.where(flat, 0.0, np.where(steep, 3 * change_in[:, 0], out_turn))
    return np.where(end, out, d), np.where(end, out_turn, turn)


def _hermite(s: Array, h: Array, g: Array, left: Array, right: Array, order: int) -> Array:
    """The cubic with values g (p, 2) and slopes left, right at the ends of a gap h, or its slope, s from the first."""
    m = (g[:, 1] - g[:, 0]) / h
    c2, c3 = (3 * m - 2 * left - right) / h, (left + right - 2 * m) / h**2
    if order:
        return np.asarray(left + s * (2 * c2 + s * 3 * c3))
    return np.asarray(g[:, 0] + s * (left + s * (c2 + s * c3)))
