"""c-transforms of potentials on lattices, exactly, by lower envelopes of parabolas along one axis after the other.

    φ^c(x) = min_y ½|x − y|² − φ(y) = min_{y₂} ½|x₂ − y₂|² + ( min_{y₁} ½|x₁ − y₁|² − φ(y₁, y₂) )

Along a line each y carries a parabola of one width; two of them cross once, so that a sweep keeps those that are lowest
somewhere on a stack, with the places where they take over, and a second sweep reads off the values: O(sources +
targets), for points at any places.  On a circle of length L the y are repeated up to L/2 beyond both ends of the x.

The Hopf–Lax formula min_y f(y) + |x − y|²/(2τ) = (−τf)^c/τ is `CTransform.hopf_lax`.

References: Felzenszwalb, Huttenlocher (2012), DOI 10.4086/toc.2012.v008a019; Villani (2003), Topics in Optimal
Transportation, section 2.1; Jacobs, Léger (2020), DOI 10.1007/s00211-020-01154-8.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..base.kernel_cache import njit
from ..errors import CaseError
from ..grid import Array, Grid

BLOCK = 4096
"""Points at a time in `at_points`."""


class CTransform:
    """φ ↦ φ^c from a lattice of sources y to a lattice of targets x, in one or two dimensions.

    sources, targets : per axis, x first, increasing places, (m,) and (n,); the targets are the sources by default.
    periods : per axis None or the length of its circle; places then lie within one turn.

    (φ^c)^c ≥ φ, and ((φ^c)^c)^c = φ^c; φ^c + φ ≤ ½|x − y|² for all pairs; adding a constant to φ takes it off φ^c.
    A source with φ = −∞ takes no part; where none does φ^c = ∞.
    Raises CaseError for places that do not increase, or that go round a circle more than once.
    """

    def __init__(
        self,
        sources: Sequence[Array],
        targets: Sequence[Array] | None = None,
        periods: Sequence[float | None] | None = None,
    ) -> None:
        targets = sources if targets is None else targets
        periods = [None] * len(sources) if periods is None else periods
        self.shape = tuple(len(places) for places in reversed(sources))
        """Shape of φ: (mx,) or (my, mx)."""
        self._lines = [_Line(*each) for each in zip(sources, targets, periods, strict=True)]

    def __call__(self, phi: Array) -> Array:
        """φ^c, (nx,) or (ny, nx), of φ, (mx,) or (my, mx)."""
        return self._envelope(np.negative(self._checked(phi)))

    def hopf_lax(self, f: Array, tau: float) -> Array:
        """min_y f(y) + |x − y|²/(2τ), shapes as for `__call__`; f = ∞ takes no part.   tau : > 0."""
        return self._envelope(tau * self._checked(f)) / tau

    def with_minimisers(self, phi: Array) -> tuple[Array, tuple[Array, ...]]:
        """φ^c, and which y it takes: per axis, x first, their numbers, arrays of the targets' shape, −1 where none."""
        f = np.negative(self._checked(phi))
        if f.ndim == 1:
            value, x = self._lines[0].with_minimisers(f[None, :])
            return value[:, 0], (x[:, 0],)
        value, x = self._lines[0].with_minimisers(f)
        value, y = self._lines[1].with_minimisers(value)
        return value, (np.take_along_axis(x.T, np.maximum(y, 0), axis=0), y)

    def _envelope(self, f: Array) -> Array:
        """min_y ½|x − y|² + f(y).  Each line writes its result transposed, so that the next finds it contiguous."""
        if f.ndim == 1:
            return self._lines[0](f[None, :])[:, 0]
        return self._lines[1](self._lines[0](f))

    def _checked(self, values: Array) -> Array:
        values = np.ascontiguousarray(values, dtype=float)
        if values.shape != self.shape:
            raise CaseError(f"a potential on these points has shape {self.shape}; found {values.shape}.")
        return values


def at_points(phi: Array, sources: Sequence[Array], points: Array, periods: Sequence[float | None]) -> Array:
    """φ^c at any points of the plane, exactly: along the rows by envelopes, across them by comparison.

    phi : (my, mx) on the lattice of sources, per axis, x first.   points : (n, 2), within one turn on a circle.
    Returns (n,).  O(my (mx + n)), n at a time up to BLOCK.
    """
    found = np.empty(len(points))
    f, y = np.negative(np.ascontiguousarray(phi, dtype=float)), np.asarray(sources[1], dtype=float)
    for start in range(0, len(points), BLOCK):
        part = points[start : start + BLOCK]
        x, number = np.unique(part[:, 0], return_inverse=True)
        rows = _Line(sources[0], x, periods[0])(f)
        _least_of_rows(rows, np.ravel(number), part[:, 1].copy(), y, periods[1] or 0.0, found[start : start + BLOCK])
    return found


def from_points(phi: Array, points: Array, targets: Sequence[Array], periods: Sequence[float | None]) -> Array:
    """φ^c of a potential known at points only, on a lattice, exactly: O(points × targets).

    phi : (n,).   points : (n, 2).   targets : per axis, x first.   Returns (ny, nx).
    """
    x, y = (np.ascontiguousarray(places, dtype=float) for places in targets)
    out = np.empty((len(y), len(x)))
    _least_of_points(np.ascontiguousarray(phi), np.ascontiguousarray(points), x, y, periods[0] or 0.0,
                     periods[1] or 0.0, out)  # fmt: skip
    return out


def between_centres(grid: Grid, other: Grid | None = None) -> CTransform:
    """From the cell centres of one grid to those of another, by default its own; periodic where the grid is."""
    targets = grid if other is None else other
    return CTransform([a.centers for a in grid.axes], [a.centers for a in targets.axes], periods_of(grid))


def periods_of(grid: Grid) -> tuple[float | None, ...]:
    """Per axis, x first, the length of its circle, or None."""
    return tuple(axis.length if axis.ring else None for axis in grid.axes)


class _Line:
    """min_k f_k + ½(x_i − y_k)² along one axis, of many rows at once."""

    def __init__(self, sources: Array, targets: Array, period: float | None) -> None:
        y, x = (np.asarray(places, dtype=float) for places in (sources, targets))
        for places in (y, x):
            if len(places) < 1 or not np.all(np.diff(places) > 0):
                raise CaseError("a c-transform needs places that increase along each axis; sort them, each once.")
            if period is not None and places[-1] - places[0] > period * (1 + 1e-12):
                raise CaseError(f"on a circle of length {period:g} places lie within one turn; sort them into one.")
        index = np.arange(len(y))
        if period is not None:
            y, index = _around(y, x, period)
        origin = 0.5 * (x[0] + x[-1])  # squares of places far from 0 would lose digits
        self._y, self._x, self._index = y - origin, x - origin, index

    def __call__(self, f: Array) -> Array:
        """(rows, sources) → (targets, rows)."""
        out = np.empty((len(self._x), len(f)))
        _envelopes(f, self._y, self._index, self._x, out, _NO_NUMBERS)
        return out

    def with_minimisers(self, f: Array) -> tuple[Array, Array]:
        out = np.empty((len(self._x), len(f)))
        numbers = np.empty(out.shape, dtype=np.int64)
        _envelopes(f, self._y, self._index, self._x, out, numbers)
        return out, numbers


@njit(cache=True, nogil=True)
def _lag(d, period):
    return d - period * np.round(d / period) if period > 0.0 else d


@njit(cache=True, nogil=True)
def _least_of_rows(rows, number, place, y, period, out):
    """out[k] = min_j rows[number[k], j] + ½(place[k] − y[j])²."""
    for k in range(place.size):
        least = np.inf
        for j in range(y.size):
            d = _lag(place[k] - y[j], period)
            least = min(least, rows[number[k], j] + 0.5 * d * d)
        out[k] = least


@njit(cache=True, nogil=True)
def _least_of_points(phi, points, x, y, period_x, period_y, out):
    """out[j, i] = min_k ½|(x[i], y[j]) − points[k]|² − phi[k]."""
    out[:] = np.inf
    for j in range(y.size):
        for k in range(phi.size):
            d = _lag(y[j] - points[k, 1], period_y)
            row = 0.5 * d * d - phi[k]
            for i in range(x.size):
                d = _lag(x[i] - points[k, 0], period_x)
                out[j, i] = min(out[j, i], row + 0.5 * d * d)


_NO_NUMBERS = np.empty((0, 0), dtype=np.int64)


def _around(y: Array, x: Array, period: float) -> tuple[Array, Array]:
    """The sources on all turns that come within half a turn of a target, increasing, and their numbers."""
    first, last = x[0] - 0.5 * period, x[-1] + 0.5 * period
    turns = range(math.floor((first - y[-1]) / period), math.ceil((last - y[0]) / period) + 1)
    places = np.concatenate([y + k * period for k in turns])
    numbers = np.tile(np.arange(len(y)), len(turns))
    margin = 1e-9 * period
    keep = (places >= first - margin) & (places <= last + margin)
    keep[1:] &= np.diff(places) > 0  # the two ends of a whole turn are one place
    return places[keep], numbers[keep]


@njit(cache=True, nogil=True)
def _envelopes(f, y, index, x, out, numbers):
    """out[i, j] = min_k f[j, index[k]] + ½(x[i] − y[k])², and, where asked, the index that attains it."""
    kept = np.empty(y.size, np.int64)  # parabolas of the envelope, from left to right
    value = np.empty(y.size)
    begin = np.empty(y.size + 1)  # where each takes over
    for j in range(f.shape[0]):
        top = -1
        for k in range(y.size):
            g = f[j, index[k]]
            if g == np.inf:
                continue
            at = -np.inf
            while top >= 0:
                p = kept[top]
                at = (g - value[top]) / (y[k] - y[p]) + 0.5 * (y[k] + y[p])
                if at > begin[top]:
                    break
                top -= 1
                at = -np.inf
            top += 1
            kept[top], value[top], begin[top] = k, g, at
        at_piece = 0
        for i in range(x.size):
            if top < 0:
                out[i, j] = np.inf
                if numbers.size:
                    numbers[i, j] = -1
                continue
            while at_piece < top and begin[at_piece + 1] < x[i]:
                at_piece += 1
            d = x[i] - y[kept[at_piece]]
            out[i, j] = value[at_piece] + 0.5 * d * d
            if numbers.size:
                numbers[i, j] = index[kept[at_piece]]
