"""The smallest curvature of a potential: K with Hess V ≥ K on the box.

The Hessian is taken by differences of order 6 over 1e-3 of the box (2e-3 in the plane), across the seam of a circle,
less what those of order 4 differ by and what rounding may have added; where it is smallest again at ever closer
places; and extrapolated into the last three steps before walls and corners, less the last term of that. So K is a
lower bound up to rounding for smooth V. A V with kinks or jumps counts as smoothed over a step, by differences of
order 2, which a convex kink keeps ≥ 0, and without those three steps; a concave kink has K = −∞ in truth.

Measured on sums of five cosines: K is 2e-9 to 1e-8 of itself too small on a line, on which it takes 10 ms, and of three
in the plane 1e-9 to 1e-5, in 0.1 to 0.3 s; never too large.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import product

import numpy as np

from ...grid import Array, Axis, Grid

STEP = 1e-3, 2e-3
"""Of the differences, relative to the box, in 1D and in 2D."""
REACH = 3
"""Steps to each side that differences of order 6 take."""
ORDERS = np.array([[1.0, 0.0, 0.0], [4 / 3, -1 / 3, 0.0], [1.5, -0.6, 0.1]])
"""Of differences over one, two and three steps: to order 2, 4 and 6."""
STRIP = 9
"""Places in the strip of that width at a wall, which is extrapolated to from 1 … 5 such widths."""
LEAST_POINTS, MOST_POINTS = (2001, 257), (65537, 513)
"""Places along an axis where the Hessian is taken: between these, two to a cell."""
ROUGH = 0.01
"""Share of the largest difference of order 2 by which one of order 6 may lie below all of them where V is smooth."""
FEW, CLOSER, AGAIN = 8, 3, 33
"""Local minima of the curvature that are looked at, how often, and at how many places along an axis each time."""

Read = Callable[[list[Array]], tuple[Array, ...]]
Wall = tuple[float, float] | None
"""Where a wall is, and the width of its strip, signed: inward."""


def smallest_curvature(grid: Grid, potential: Callable[..., Array]) -> float:
    """The smallest eigenvalue of Hess V on the box or circle, less what rounding may add; 0 where it is rounding."""
    steps = [STEP[grid.dim - 1] * axis.length for axis in grid.axes]

    def on_grid(**place: Array) -> Array:
        """V, its arguments brought back to the box along circles."""
        inside = {axis.name: _wrapped(axis, place[axis.name]) for axis in grid.axes}
        return np.asarray(potential(**inside), dtype=float)

    def read(places: list[Array], walls: Sequence[Wall] = (None,) * grid.dim) -> tuple[Array, Array, Array]:
        with np.errstate(all="ignore"):
            return _curvature(on_grid, places, steps, walls)

    places = [_inside(axis, REACH * step, grid.dim) for axis, step in zip(grid.axes, steps, strict=True)]
    inside = read(places)
    second, sixth, _ = inside
    if not np.any(np.isfinite(sixth)):
        return -np.inf
    rough = _least(second) - _least(sixth) > ROUGH * np.nanmax(np.abs(np.nan_to_num(second)))
    found, unsure = _lowest(read, places, inside, rough)
    sides = [
        (None,) if axis.ring else (None, (axis.lower, REACH * step), (axis.upper, -REACH * step))
        for axis, step in zip(grid.axes, steps, strict=True)
    ]
    for walls in product(*sides):
        if not any(walls) or rough:
            continue
        near = [p if w is None else w[0] + w[1] * np.linspace(0, 1, STRIP) for p, w in zip(places, walls, strict=True)]
        least, doubt = _lowest(partial(read, walls=walls), near, read(near, walls), rough, found)
        found = least if least + 2 * doubt < found else found  # not for rounding alone
    return 0.0 if -2 * unsure <= found <= 0 else found


def _least(values: Array) -> float:
    """The smallest finite value; +∞ where there is none."""
    return float(np.min(values, where=np.isfinite(values), initial=np.inf))


def _lowest(
    read: Read, places: list[Array], known: tuple[Array, ...], rough: bool, least: float = np.inf
) -> tuple[float, float]:
    """The smallest value less its noise, and that noise.   known : what is read at the places.

    Around each of the lowest local minima that may lie lower between the places, it is read again, ever closer.
    least : the smallest value elsewhere; what lies above it need not be known closer.
    """

    def lower(second: Array, sixth: Array, noise: Array) -> tuple[Array, Array]:
        value = second if rough else sixth
        with np.errstate(invalid="ignore"):
            return np.where(np.isfinite(value), value - noise, np.inf), noise

    values, noise = lower(*known)
    k = np.unravel_index(np.argmin(values), values.shape)
    found, unsure = float(values[k]), float(noise[k])
    with np.errstate(invalid="ignore"):
        sunk = values - (_around(np.maximum, values) - values)  # what a parabola may reach, and more
        may = np.argwhere((values <= _around(np.minimum, values)) & (sunk <= min(found, least)) & (values < np.inf))
    for first in sorted(may.tolist(), key=lambda index: float(values[tuple(index)]))[:FEW]:
        index, at = first, places
        for _ in range(CLOSER):
            around = [p[max(i - 1, 0) : i + 2] for p, i in zip(at, reversed(index), strict=True)]
            at = [np.linspace(p[0], p[-1], AGAIN) if len(p) > 1 else p for p in around]
            closer, doubt = lower(*read(at))
            index = [int(i) for i in np.unravel_index(np.argmin(closer), closer.shape)]
            if closer[tuple(index)] < found:
                found, unsure = float(closer[tuple(index)]), float(doubt[tuple(index)])
    return found, unsure


def _around(extreme: np.ufunc, values: Array) -> Array:
    """The largest or smallest of each value and its neighbours, diagonal ones too.

    As `scipy.ndimage.maximum_filter`, whose import alone takes longer than the whole of this module.
    """
    for axis in range(values.ndim):
        line = np.moveaxis(values, axis, 0)
        wide = np.concatenate((line[:1], line, line[-1:]))
        values = np.moveaxis(extreme(extreme(wide[:-2], wide[1:-1]), wide[2:]), 0, axis)
    return values


def _curvature(
    potential: Callable[..., Array], places: list[Array], steps: list[float], walls: Sequence[Wall]
) -> tuple[Array, Array, Array]:
    """The smaller eigenvalue of Hess V, (nx,) or (ny, nx): to order 2, a lower bound by order 6, and their noise.

    walls : for each axis the wall in whose strip the places are, and to which is extrapolated, if any.
    """
    nodes = [p if w is None else w[0] + w[1] * np.arange(1.0, 6.0) for p, w in zip(places, walls, strict=True)]
    differences, noise = _hessian(potential, nodes, steps)
    second, fourth, sixth = (w[0] * differences[0] + w[1] * differences[1] + w[2] * differences[2] for w in ORDERS)
    for k, wall in enumerate(walls):
        if wall is not None:
            weights, along = _extrapolation((places[k] - wall[0]) / wall[1]), -1 - k
            second, fourth, sixth = (
                np.moveaxis(np.tensordot(part, w, (along, 0)), -1, along)
                for part, w in zip((second, fourth, sixth), weights, strict=True)
            )
            noise = np.moveaxis(np.tensordot(noise, np.abs(weights[2]), (along, 0)), -1, along)
    best = _smaller(sixth)
    return _smaller(second), best - np.abs(best - _smaller(fourth)), noise


def _extrapolation(t: Array) -> Array:
    """Weights of values at 1 … 5 for a value at t, (3, 5, len(t)): by parabolas, by cubics, to degree 4 (Lagrange)."""
    weights = np.zeros((3, 5, len(t)))
    for degree in (2, 3, 4):
        for j in range(degree + 1):
            others = [i for i in range(degree + 1) if i != j]
            weights[degree - 2, j] = np.prod([(t - 1 - i) / (j - i) for i in others], axis=0)
    return weights


def _smaller(entries: Array) -> Array:
    """The smaller eigenvalue.   entries : (1, nx), or (3, ny, nx) of V_xx, V_yy, V_xy."""
    if len(entries) == 1:
        return np.asarray(entries[0])
    xx, yy, xy = entries
    return np.asarray(0.5 * (xx + yy) - np.hypot(0.5 * (xx - yy), xy))


def _hessian(potential: Callable[..., Array], places: list[Array], steps: list[float]) -> tuple[Array, Array]:
    """Entries of Hess V by differences of order 2 over one, two and three steps, (3, entries, …), and noise, (…)."""
    offsets = range(-REACH, REACH + 1)
    if len(places) == 1:
        at = {(i, 0): v for i, v in zip(offsets, _beside(potential, places[0], steps[0], offsets, None), strict=True)}
    else:
        at = {}
        for j in offsets:
            along = offsets if j == 0 else (-abs(j), 0, abs(j))
            y = places[1][:, None] + j * steps[1]
            at |= {(i, j): v for i, v in zip(along, _beside(potential, places[0], steps[0], along, y), strict=True)}
    here, noise = at[0, 0], np.zeros(at[0, 0].shape)
    entries = np.empty((REACH, 1 if len(places) == 1 else 3, *here.shape))
    for k, m in product(range(len(places)), range(1, REACH + 1)):
        pair = at[(m, 0) if k == 0 else (0, m)] + at[(-m, 0) if k == 0 else (0, -m)]
        entries[m - 1, k] = (pair - 2 * here) / (m * steps[k]) ** 2
        noise += 2e-15 * abs(ORDERS[2, m - 1]) * (np.abs(pair) + 2 * np.abs(here)) / (m * steps[k]) ** 2
    for m in range(1, REACH + 1) if len(places) == 2 else ():
        a, b = m * steps[0], m * steps[1]
        entries[m - 1, 2] = (at[m, m] - at[m, -m] - at[-m, m] + at[-m, -m]) / (4 * a * b)
    return entries, noise


def _beside(
    potential: Callable[..., Array], x: Array, step: float, offsets: Sequence[int], y: Array | None
) -> list[Array]:
    """V at places some steps to the side, an array for each offset: in one call, which costs more than a few places.

    y : (ny, 1), or None on a line.
    """
    places = np.concatenate([x + i * step for i in offsets])
    values = potential(x=places) if y is None else potential(x=places[None, :], y=y)
    shape = places.shape if y is None else (len(y), len(places))
    return np.split(np.broadcast_to(values, shape), len(offsets), axis=-1)


def _wrapped(axis: Axis, places: Array) -> Array:
    """Places on an axis, brought back to it where it is a circle."""
    if not axis.ring:
        return places
    outside = (places < axis.lower) | (places > axis.upper)
    return np.where(outside, axis.lower + np.mod(places - axis.lower, axis.length), places)


def _inside(axis: Axis, margin: float, dim: int) -> Array:
    """Cell edges and centres, not all of a large grid, and places between; at least `margin` from walls."""
    cells = np.sort(np.concatenate([axis.edges, axis.centers]))
    cells = cells[:: max(1, -(-len(cells) // MOST_POINTS[dim - 1]))]
    places = np.union1d(cells, np.linspace(axis.lower, axis.upper, LEAST_POINTS[dim - 1]))
    return places if axis.ring else np.unique(np.clip(places, axis.lower + margin, axis.upper - margin))
