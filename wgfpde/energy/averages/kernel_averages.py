"""Averages of a kernel over cells, for interactions that are not smooth: singular, kinked or jumping, at any radius.

    W̄_k = ∫_C W(kh + ξ) dξ / |C|,     C = Π [−h/2, h/2]

With W̄ in place of W the sum Σ_k W̄_k h ρ_{i−k} is W∗ρ exactly for a density that is constant on cells, so that it is of
second order for every kernel that is integrable, and the energy of a uniform state on a circle is ½∫W M²/L always.
Values W(kh) are not: the error is of order h where W jumps, of order h^(d−s) for W = r^(−s) beside an average at the
origin, and of order h for ln|x| (Navot 1961: the value at 0 would have to be ln(h/2π)).

At the origin: Duffy's transformation (1982, DOI 10.1137/0719090) and tanh-sinh quadrature (Takahasi, Mori 1974,
DOI 10.2977/prims/1195192451).  Elsewhere: Gauss–Legendre, with the more points the nearer the origin, from 16 an axis
(and more panels along the long side of oblong cells) to 2.  Cells around 0 or half a period along an axis are
split there on uniform grids, where a kernel such as |x| or the shortest displacement has a kink.

Measured for log r, r and r^-½, relative to the largest value near the origin: 1e-12 and better on squares, 1e-11 on
rectangles of 1 : 5.

Cells that hold a suspect displacement (`kernel_roughness`), and those beside the origin of such a kernel, are
integrated adaptively (`cell_quadrature`), and all others with 6 points an axis or more.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np

from ...errors import CaseError
from ...grid import Array
from .cell_quadrature import adaptive_averages, distinct_averages
from .kernel_roughness import Places, widened

Kernel = Callable[..., Array]
Rule = tuple[Array, Array]
"""Nodes in [−½, ½] and weights summing to 1, both (q,)."""

BANDS = ((np.inf, 2), (64, 3), (16, 4), (6, 6), (2, 16))
"""(Distance from the origin in longest sides of a cell, Gauss points an axis up to there), the nearer the later."""
PAIR_BANDS = ((np.inf, 2), (8, 6), (2, 16))
"""The same for all pairs of cells of a stretched grid, where each point costs N² evaluations."""
SPLIT_POINTS = 10
PANELS = 16
"""Most panels along the long side of an oblong cell."""
ROUGH_POINTS = 6
"""Least number of points an axis for kernels that jump somewhere: they need not be smoother far from the origin."""
ROUGH_PAIR_POINTS = 3
"""The same for pairs in 2D."""
BLOCK = 1 << 18
"""Kernel values held at once."""


def lag_averages(
    kernel: Kernel,
    lags: Sequence[Array],
    widths: tuple[float, ...],
    periods: Sequence[float | None],
    suspect: Array | None = None,
) -> Array:
    """W̄ on all lags of a uniform grid.

    lags : per axis, x first, the multiples of the cell's width from −n to n.   periods : None without one.
    suspect : on the lags ≥ 0 of the last axis, where W need not be smooth, apart from the origin; None for nowhere.
    Returns an array (2n+1,) or (2ny+1, 2nx+1).  One half is evaluated, the other is W(−x) = W(x).  NaN where W is not
    a number in a part of the cell, infinite where its integral diverges.
    """
    half = [*lags[:-1], lags[-1][len(lags[-1]) // 2 :]]
    values = np.empty([len(lag) for lag in reversed(half)])
    rough = suspect is not None and bool(np.any(suspect))
    for radius, points in BANDS:
        points = max(points, ROUGH_POINTS) if rough else points
        box = [np.flatnonzero(np.abs(lag) <= radius * max(widths)) for lag in half]
        panels = _panels(widths) if radius == BANDS[-1][0] else (1,) * len(widths)
        rules = [rule(points, n) for n in panels]
        values[np.ix_(*reversed(box))] = _box_averages(kernel, half, box, widths, periods, rules)
    rules = [rule(SPLIT_POINTS, 2 * n) for n in _panels(widths)]
    for k, (lag, h, period) in enumerate(zip(half, widths, periods, strict=True)):
        split = np.abs(lag) < h / 4
        if period is not None:
            split |= np.abs(np.abs(lag) - period / 2) < h / 4
        box = [np.arange(len(other)) for other in half]
        box[k] = np.flatnonzero(split)
        values[np.ix_(*reversed(box))] = _box_averages(kernel, half, box, widths, periods, rules)
    origin = (0,) if len(lags) == 1 else (0, len(lags[0]) // 2)
    values[origin] = central_average(kernel, widths)
    if suspect is not None and rough:
        mend = widened(suspect) | _near(half, widths)
        mend[origin] = False
        index = np.nonzero(mend)
        shifts = [lag[i] for lag, i in zip(half, reversed(index), strict=True)]
        values[index] = adaptive_averages(kernel, shifts, [np.full(len(index[0]), h) for h in widths], periods)
    return np.concatenate([np.flip(values)[:-1], values])


def pair_averages(
    kernel: Kernel,
    centers: Sequence[Array],
    widths: Sequence[Array],
    periods: Sequence[float | None],
    suspect: Places | None = None,
) -> Array:
    """Averages of W(x_i − y) over y in cell j, for all pairs of cells; see `both_cells` for kernels that jump on the
    line.

    centers, widths : per axis, x first, (N,) of all cells.   suspect : where W need not be smooth, apart from the
    origin; None for nowhere.
    Returns (N, N), as `lag_averages`; the diagonal is left to `cell_average` if W is not smooth at the origin.
    """
    size = len(centers[0])
    longest = np.max(widths, axis=0)
    panels = np.stack([np.clip(np.ceil(w / np.min(widths, axis=0) - 1e-9), 1, PANELS) for w in widths], axis=1)
    kinds, kind = np.unique(panels.astype(int), axis=0, return_inverse=True)
    single = [(1,) * len(widths)]
    result = np.empty((size, size))
    rows = max(1, BLOCK // size)
    for first in range(0, size, rows):
        block = result[first : first + rows]
        shifts = [shortest(c[first : first + rows, None] - c, p) for c, p in zip(centers, periods, strict=True)]
        distance = np.max(np.abs(shifts), axis=0) / longest
        for radius, points in PAIR_BANDS:
            last = radius == PAIR_BANDS[-1][0]
            if suspect is not None:
                points = max(points, ROUGH_PAIR_POINTS)
            for n, counts in enumerate(kinds if last else single):
                near = (distance <= radius) & ((np.ravel(kind) == n) | (not last))
                i, j = np.nonzero(near)
                rules = [rule(points, count) for count in counts]
                block[i, j] = _averages(kernel, [s[i, j] for s in shifts], [w[j] for w in widths], periods, rules)
        if suspect is not None:
            i, j = np.nonzero(suspect.meet(shifts, [w[None, :] for w in widths]))
            block[i, j] = distinct_averages(kernel, [s[i, j] for s in shifts], [w[j] for w in widths], periods)
    return result


def central_average(kernel: Kernel, widths: tuple[float, ...]) -> float:
    """`cell_average` of a kernel that may jump, or have kinks, elsewhere in the cell."""
    return float(central_averages(kernel, np.array([widths]))[0])


def central_averages(kernel: Kernel, sizes: Array, depth: int = 12) -> Array:
    """(n,) of them, for cells of sizes (n, d), all at once.

    The cell about the origin of half the size is cut out of each, until the average of the cell is that of its parts.
    """
    count, dim = sizes.shape
    result = np.array([cell_average(kernel, tuple(size)) for size in sizes])
    places = np.array([-0.375, -0.125, 0.125, 0.375])
    parts = np.stack(np.meshgrid(*[places] * dim), axis=-1).reshape(-1, dim)
    ring = parts[np.max(np.abs(parts), axis=1) > 0.25]
    shifts, sides = [np.ravel(sizes[:, k, None] * ring[:, k]) for k in range(dim)], np.repeat(sizes / 4, len(ring), 0)
    found = adaptive_averages(kernel, shifts, list(sides.T), [None] * dim)
    around = np.sum(found.reshape(count, -1), axis=1) / len(parts)
    inner = np.array([cell_average(kernel, tuple(0.5 * size)) for size in sizes])
    share = 0.5**dim
    open_ = np.flatnonzero(np.abs(result - (around + share * inner)) > 1e-11 * np.abs(result))
    if depth and len(open_):
        result[open_] = around[open_] + share * central_averages(kernel, 0.5 * sizes[open_], depth - 1)
    return result


def cell_average(kernel: Kernel, widths: tuple[float, ...]) -> float:
    """Average of a kernel over a cell centred at the origin, where it may have an integrable singularity.

    widths : (hx,) or (hx, hy).  In 2D the rectangle is cut into eight triangles with a corner at the origin,
    mapped to squares by Duffy's transformation; the radial integral uses tanh-sinh quadrature.  Accuracy ~1e-13
    for log r, r and r^-½.

    Raises CaseError where the singularity is not integrable, or too close to that to be resolved.
    """
    s, weight = _tanh_sinh()
    with np.errstate(all="ignore"):
        if len(widths) == 1:
            half = 0.5 * widths[0]
            return _integral_from_origin(s, weight * _finite(kernel(x=half * s)))
        hx, hy = 0.5 * widths[0], 0.5 * widths[1]
        t, weight_t = s[:, None], weight[:, None]
        total = np.zeros(len(s))
        for sx in (-1.0, 1.0):
            for sy in (-1.0, 1.0):
                right = _finite(kernel(x=sx * hx * s[None, :], y=sy * hy * s[None, :] * t))
                top = _finite(kernel(x=sx * hx * s[None, :] * t, y=sy * hy * s[None, :]))
                total += np.sum(weight_t * (right + top), axis=0) * (weight * s / 4)
        return _integral_from_origin(s, total)


def lag_zero(kernel: Kernel, widths: tuple[float, ...]) -> tuple[float, bool]:
    """W at lag 0 and whether W is smooth there: the value W(0) where it is, else the cell average.

    Smooth means that the average minus the value falls by 4 or more when the cell is halved.
    """
    names = ("x", "y")[: len(widths)]
    with np.errstate(all="ignore"):
        value = float(np.asarray(kernel(**{name: np.zeros(1) for name in names})).ravel()[0])
    average = cell_average(kernel, widths)
    if not np.isfinite(value):
        return average, False
    half = cell_average(kernel, tuple(0.5 * w for w in widths))
    noise = 1e-12 * max(abs(value), abs(average))
    smooth = abs(half - value) <= 0.27 * abs(average - value) + noise
    return (value, True) if smooth else (average, False)


def _box_averages(
    kernel: Kernel,
    lags: Sequence[Array],
    box: Sequence[Array],
    widths: tuple[float, ...],
    periods: Sequence[float | None],
    rules: Sequence[Rule],
) -> Array:
    """W̄ on the lags of a box: a tensor of all nodes, a block of rows at a time, so that the memory stays small."""
    nodes = [
        shortest(lag[index, None] + h * rule[0], period)
        for lag, index, h, period, rule in zip(lags, box, widths, periods, rules, strict=True)
    ]
    (x, (_, weight_x)), (y, (_, weight_y)) = [*zip(nodes, rules, strict=True), (np.zeros((1, 1)), rule(1, 1))][:2]
    result = np.empty((len(y), len(x)))
    rows = max(1, BLOCK // max(1, x.size * len(weight_y)))
    for first in range(0, len(y), rows):
        part = y[first : first + rows]
        coords = {"x": x.reshape(1, -1)} if len(lags) == 1 else {"x": x.reshape(1, -1), "y": part.reshape(-1, 1)}
        with np.errstate(all="ignore"):
            values = np.broadcast_to(np.asarray(kernel(**coords), dtype=float), (part.size, x.size))
            inner = values.reshape(part.size, len(x), len(weight_x)) @ weight_x
            result[first : first + rows] = weight_y @ inner.reshape(len(part), len(weight_y), len(x))
    return result[0] if len(lags) == 1 else result


def _averages(
    kernel: Kernel,
    shifts: Sequence[Array],
    widths: Sequence[Array],
    periods: Sequence[float | None],
    rules: Sequence[Rule],
) -> Array:
    """Averages of W over cells of sizes `widths` centred at `shifts`, arrays of one shape; node by node."""
    total = np.zeros(np.shape(shifts[0]))
    for node in itertools.product(*[zip(*rule, strict=True) for rule in rules]):
        weight = float(np.prod([w for _, w in node]))
        coords = {
            name: shortest(shift + s * h, period)
            for name, shift, h, period, (s, _) in zip("xy", shifts, widths, periods, node, strict=False)
        }
        with np.errstate(all="ignore"):
            total += weight * np.asarray(kernel(**coords), dtype=float)
    return total


def _near(lags: Sequence[Array], widths: tuple[float, ...]) -> Array:
    """The lags so close to the origin that what W does there may hide a jump."""
    near = [np.abs(lag) < 2.5 * h for lag, h in zip(lags, widths, strict=True)]
    return near[0] if len(near) == 1 else near[1][:, None] & near[0]


def _panels(widths: tuple[float, ...]) -> tuple[int, ...]:
    """Panels that cut a cell into nearly square pieces."""
    return tuple(min(PANELS, int(np.ceil(h / min(widths) - 1e-9))) for h in widths)


def rule(points: int, panels: int) -> Rule:
    """Gauss–Legendre in each of equal panels of [−½, ½]."""
    nodes, weights = np.polynomial.legendre.leggauss(points)
    starts = (np.arange(panels)[:, None] + 0.5 * (1 + nodes)) / panels - 0.5
    return np.ravel(starts), np.tile(0.5 * weights / panels, panels)


def shortest(shift: Array, period: float | None) -> Array:
    """Displacements as they are, or the shortest ones on a circle."""
    return shift if period is None else shift - period * np.round(shift / period)


def _integral_from_origin(s: Array, terms: Array) -> float:
    """Σ terms, refused if the terms of the smallest nodes still count: then ∫ diverges at the origin."""
    first = int(np.argmax(terms != 0))
    total = float(np.sum(terms))
    if not np.isfinite(total) or (s[first] < 1e-10 and abs(terms[first]) > 1e-3 * np.max(np.abs(terms))):
        raise CaseError(
            "the interaction is not integrable at displacement 0, or nearly so: in d dimensions |W| must "
            "grow slower than r^(-d). Soften it, for instance by sqrt(r**2 + a**2) in place of r."
        )
    return total


def _tanh_sinh() -> tuple[Array, Array]:
    """Nodes in (0, 1) and weights summing to 1; the nodes crowd double-exponentially at 0, accurately."""
    u = np.arange(-4.6, 4.6 + 1e-9, 0.05)
    e = np.exp(np.pi * np.sinh(u))
    s = e / (1 + e)
    weight = 0.05 * np.pi * np.cosh(u) * s / (1 + e)
    return s, weight / weight.sum()


def _finite(values: Array) -> Array:
    """Values at the nodes, which never touch the origin but may underflow onto it."""
    return np.where(np.isfinite(values), values, 0.0)
