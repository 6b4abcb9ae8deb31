"""Optimal transport on a line and on a circle, exactly, by quantile functions of piecewise constant densities.

    F⁻¹(u) = inf {x : F(x) > u},      T : F⁻¹(u) ↦ G⁻¹(u + α),      W₂² = M min_α ∫₀¹ |F⁻¹(u) − G⁻¹(u + α)|² du

α = 0 on a line.  On a circle of length L the quantiles continue by F⁻¹(u + 1) = F⁻¹(u) + L, the integral is convex in
α, and its minimum lies in [−1, 1], because optimal displacements are at most L/2.  Between merged breakpoints both
quantiles are linear, so that everything is integrated exactly.

References: Villani (2003), Topics in Optimal Transportation, section 2.2; Delon, Salomon, Sobolevski (2010), DOI
10.1137/090772708.
"""

from __future__ import annotations

import math

import numpy as np

from ..grid import Array

STRETCH = 500.0
"""Largest change of a log-density over a cell that is told from a point mass at its end."""
TOGETHER = 64
"""Pieces whose costs are added up by themselves, against rounding; njit functions do so, too."""
SHIFT = 1e-13
"""How well α is found; the cost is flat there, so that it is true to the square of that."""


class Coupling:
    """The optimal coupling of two piecewise constant densities of one mass.

    a_edges, b_edges : increasing, (n+1,) and (k+1,).   a, b : cell masses ≥ 0, (n,) and (k,), of one positive sum.
    periodic : whether the first and last edges are one point; both sets of edges then span the same circle.
    w2 : the distance; W₂² is exact to rounding.   shift : α.
    """

    def __init__(self, a_edges: Array, a: Array, b_edges: Array, b: Array, periodic: bool = False) -> None:
        self.mass = float(np.sum(a))
        self.length = float(a_edges[-1] - a_edges[0]) if periodic else None
        self._origin = float(a_edges[0])  # from where places are counted: the digits of a box far from 0 would be lost
        self._a = np.asarray(a_edges, dtype=float) - self._origin, levels_of(a)
        self._b = np.asarray(b_edges, dtype=float) - self._origin, levels_of(b)
        self.shift = self._best_shift() if periodic else 0.0
        self._u, self._from, self._to = self._pieces(self.shift)

    @property
    def w2(self) -> float:
        return float(np.sqrt(self.mass * _cost(self._u, self._from, self._to)))

    def deposit(self, s: float, edges: Array) -> Array:
        """Cell masses (n,) of the law of (1 − s)F⁻¹ + sG⁻¹ on cells with the given edges: mass kept, never negative.

        On a line the edges must hold all the mass; on a circle they must go round it once.
        """
        x = np.ravel((1 - s) * self._from + s * self._to)
        u = np.ravel(np.stack([self._u[:-1], self._u[1:]], axis=1))
        if self.length is not None:
            turns = np.arange(-2, 3)[:, None]
            x, u = np.ravel(x + turns * self.length), np.ravel(u + turns)
        # both rise with u; the running maximum undoes the last bit where two pieces meet
        below = np.maximum.accumulate(np.interp(edges - self._origin, np.maximum.accumulate(x), u))
        if self.length is None:
            below[0], below[-1] = 0.0, 1.0
        else:
            below = np.minimum(below - below[0], 1.0)
            below[-1] = 1.0
        return self.mass * np.diff(below)

    def _pieces(self, shift: float) -> tuple[Array, Array, Array]:
        """Breakpoints u (k+1,) and the values of both quantiles at the ends of each piece, (k, 2) each."""
        b_edges, b_levels = self._b
        if self.length is not None:
            turns = np.arange(-1, 2)[:, None]
            b_edges = np.append(np.ravel(b_edges[:-1] + turns * self.length), b_edges[-1] + self.length)
            b_levels = np.append(np.ravel(b_levels[:-1] + turns), 2.0) - shift
        inside = b_levels[(b_levels > 0) & (b_levels < 1)]
        u = np.unique(np.concatenate([self._a[1], inside]))
        return u, _ends(*self._a, u), _ends(b_edges, b_levels, u)

    def _best_shift(self) -> float:
        """The α of least cost: the zero of a slope that rises with α."""
        from scipy.optimize import brentq

        if self._slope(-1.0) >= 0:  # by rounding, where α = ±1 is best
            return -1.0
        if self._slope(1.0) <= 0:
            return 1.0
        best = float(brentq(self._slope, -1.0, 1.0, xtol=SHIFT, rtol=SHIFT))
        return 0.0 if _cost(*self._pieces(0.0)) <= _cost(*self._pieces(best)) else best

    def _slope(self, shift: float) -> float:
        """Half the derivative of the cost: −∫ (F⁻¹(u) − y) dy along y = G⁻¹(u + α), gaps of G included."""
        _, start, end = self._pieces(shift)
        moved = 0.5 * np.sum((start - end) * np.diff(end, axis=1))
        rest = self.length if self.length is not None else 0.0
        ahead = np.append(end[1:, 0], end[0, 0] + rest) - end[:, 1]  # gaps, the last one across the seam
        here, there = start[:, 1], np.append(start[1:, 0], start[0, 0] + rest)
        middle = end[:, 1] + 0.5 * ahead
        return -float(moved + np.sum((0.5 * (here + there) - middle) * ahead))


def pieces_cost(a_edges: Array, a: Array, b_edges: Array, b: Array) -> float:
    """W₂² for mass 1 on a line, arguments as for `Coupling`: to the bit `quantile_pass.quantile_cost`, no Numba."""
    sides = [(a_edges, levels_of(a)), (b_edges, levels_of(b))]
    u = np.unique(np.concatenate([level for _, level in sides]))
    starts, ends = [], []
    for edges, level in sides:
        i = np.searchsorted(level, u[:-1], side="right") - 1
        low, high = level[i], level[i + 1]
        within, width = high - low, edges[i + 1] - edges[i]
        starts.append(edges[i] + (u[:-1] - low) / within * width)
        ends.append(np.where(u[1:] < high, edges[i] + (u[1:] - low) / within * width, edges[i + 1]))
    first, last = starts[0] - starts[1], ends[0] - ends[1]
    costs = np.diff(u) * (first * first + first * last + last * last)
    blocks = np.zeros(len(costs) + -len(costs) % TOGETHER)
    blocks[: len(costs)] = costs
    parts = np.add.accumulate(blocks.reshape(-1, TOGETHER), axis=1)[:, -1]
    return float(np.add.accumulate(parts)[-1]) / 3


def levels_of(masses: Array) -> Array:
    """The distribution function at the edges, from 0 to 1 exactly."""
    total = np.concatenate([[0.0], np.cumsum(masses)])
    return total / total[-1]


def _ends(edges: Array, levels: Array, u: Array) -> Array:
    """The quantile function at u[k]+ and u[k+1]−, (k, 2); no level lies between them."""
    i = np.searchsorted(levels, u[:-1], side="right") - 1
    into = np.stack([u[:-1] - levels[i], u[1:] - levels[i]], axis=1) / (levels[i + 1] - levels[i])[:, None]
    return edges[i][:, None] + into * (edges[i + 1] - edges[i])[:, None]


def _cost(u: Array, start: Array, end: Array) -> float:
    """∫₀¹ |start − end|² du of functions linear on each piece: Simpson's rule, written without cancellation."""
    d = start - end
    squares = d[:, 0] ** 2 + d[:, 0] * d[:, 1] + d[:, 1] ** 2
    return float(np.sum(np.diff(u) * squares)) / 3


def composite_gauss(parts: int, points: int) -> tuple[Array, Array]:
    """Nodes in (0, 1) and weights of Gauss's rule in each of `parts` equal parts, (parts·points,)."""
    nodes, weights = np.polynomial.legendre.leggauss(points)
    offsets = np.arange(parts)[:, None]
    return np.ravel((offsets + 0.5 * (nodes + 1)) / parts), np.tile(0.5 * weights / parts, parts)


def line_distance(edges: Array, a: Array, a_rises: Array, b: Array, b_rises: Array) -> float:
    """W₂ of two densities of mass 1 on the same increasing edges, (n+1,).

    a, b : cell masses ≥ 0, (n,), normalised here.   rises : of the log-densities over each cell, (n,), linear there.
    """
    edges = edges - edges[0]
    rises = [np.clip(np.nan_to_num(r, nan=0.0), -STRETCH, STRETCH) for r in (a_rises, b_rises)]
    below = _half_cost(edges, a / a.sum(), rises[0], b / b.sum(), rises[1])
    above = _half_cost(-edges[::-1], (a / a.sum())[::-1], -rises[0][::-1], (b / b.sum())[::-1], -rises[1][::-1])
    return math.sqrt(below + above)


def _half_cost(edges: Array, a: Array, a_rises: Array, b: Array, b_rises: Array) -> float:
    """∫₀^½ |F⁻¹(u) − G⁻¹(u)|² du, by Gauss's rule between levels of both."""
    levels = [np.concatenate([[0.0], np.cumsum(masses)]) for masses in (a, b)]
    u = np.unique(np.concatenate([*(level[level < 0.5] for level in levels), [0.5]]))
    at, weights = composite_gauss(1, 2)
    points = u[:-1, None] + np.diff(u)[:, None] * at
    found = []
    for level, rises in zip(levels, (a_rises, b_rises), strict=True):
        i = np.searchsorted(level, u[:-1], side="right") - 1
        share = (points - level[i][:, None]) / np.diff(level)[i][:, None]
        found.append(edges[i][:, None] + np.diff(edges)[i][:, None] * _place(share, rises[i][:, None]))
    return float(np.sum(np.diff(u) * np.sum(weights * (found[0] - found[1]) ** 2, axis=1)))


def _place(share: Array, rise: Array) -> Array:
    """Where in [0, 1] this share of the mass of a density e^{rise·ξ} lies below: ln(1 + share (e^rise − 1))/rise."""
    z = np.where(np.abs(rise) > 1e-5, rise, 1.0)
    return np.where(np.abs(rise) > 1e-5, np.log1p(share * np.expm1(z)) / z, share + 0.5 * rise * share * (1 - share))
