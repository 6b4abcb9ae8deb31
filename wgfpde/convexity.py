"""How convex a potential is, and the constant of its logarithmic Sobolev inequality.

    Hess V ≥ K     on the box     (Bakry, Émery)        HWI and EVI hold with K, also where it is negative
    H(ρ|π) ≤ (κ/2λ) I(ρ|π),   π ∝ e^{−V/κ}              and with it Talagrand's inequality (Otto, Villani)

λ is the larger of K and of what comparing the measure with one of known constant gives (Holley, Stroock):

    V = V₀ + ψ   ⇒   λ ≥ λ₀ e^{−(max ψ − min ψ)/κ}

with V₀ = 0, λ₀ = κ min (π/L)² between walls and κ min (2π/L)² on circles; and with V₀ = c|x − x₀|²/2 + f, λ₀ = c, for
the best c.  On a line f is the convex envelope of V − c|x − x₀|²/2, which makes ψ as small as it can be; in the plane
f = 0.  A sum of functions of x and of y is treated axis by axis, since constants tensorise: λ = min (λ_x, λ_y).  These
are bounds: a double well's own constant is larger.

Both are those of the formula, whatever the cells are.  V is read at 1025 places or more on a line, 257 × 257 in the
plane: a feature narrower than that is missed.  The Hessian is taken by differences of order 6 over 1e-3 of the box
(2e-3 in the plane), across the seam of a circle, less what those of order 4 differ by and what rounding may have added;
where it is smallest again at ever closer places; and extrapolated into the last three steps before walls and corners,
less the last term of that.  So K is a lower bound up to rounding for smooth V.  A V with kinks or jumps counts as
smoothed over a step, by differences of order 2, which a convex kink keeps ≥ 0, and without those three steps; a concave
kink has K = −∞ in truth.  `lambda` in a case replaces λ.

Measured on sums of five cosines: K is 2e-9 to 1e-8 of itself too small on a line, on which it takes 10 ms, and of three
in the plane 1e-9 to 1e-5, in 0.1 to 0.3 s; never too large.

References: Bakry, Émery (1985), DOI 10.1007/BFb0075847; Holley, Stroock (1987), DOI 10.1007/BF01011161; Otto, Villani
(2000), DOI 10.1006/jfan.1999.3557; Émery, Yukich (1987), Lecture Notes in Mathematics 1247, pages 173 to 175.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np

from .flow import Flow, once_per_flow
from .grid import Array, Axis, Grid

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
LEAST_VALUES, MOST_VALUES = (1025, 257), (4097, 1025)
"""The same for the values of V."""
ROUGH = 0.01
"""Share of the largest difference of order 2 by which one of order 6 may lie below all of them where V is smooth."""
FEW, CLOSER, AGAIN = 8, 3, 33
"""Local minima of the curvature that are looked at, how often, and at how many places along an axis each time."""
TRIALS = 24
"""Convexities c that are tried for V₀."""


Read = Callable[[list[Array]], tuple[Array, ...]]
Wall = tuple[float, float] | None
"""Where a wall is, and the width of its strip, signed: inward."""


@dataclass(frozen=True)
class Convexity:
    """K with Hess V ≥ K, and λ > 0 of the logarithmic Sobolev inequality (0: none is known), each with its origin."""

    bound: float
    bound_source: str
    sobolev: float
    sobolev_source: str


@once_per_flow
def convexity(flow: Flow) -> Convexity:
    """The constants of a flow's Gibbs state; `flow` has one."""
    found = 0.0 if flow.potential is None else smallest_curvature(flow.grid, _potential(flow))
    source = "no potential" if flow.potential is None else "Hess V"
    given = flow.energy.sobolev
    if given is not None:
        return Convexity(found, source, given, "the case")
    compared = holley_stroock(flow)
    if found > 0 and found >= compared:
        return Convexity(found, source, found, source)
    name = source if flow.potential is None else "Holley-Stroock"
    return Convexity(found, source, compared, name if compared > 0 else "")


def _potential(flow: Flow) -> Callable[..., Array]:
    assert flow.energy.potential is not None
    return flow.energy.potential


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
        (None,) if axis.periodic else (None, (axis.lower, REACH * step), (axis.upper, -REACH * step))
        for axis, step in zip(grid.axes, steps, strict=True)
    ]
    for walls in product(*sides):
        if not any(walls) or rough:
            continue
        near = [p if w is None else w[0] + w[1] * np.linspace(0, 1, STRIP) for p, w in zip(places, walls, strict=True)]
        least, doubt = _lowest(partial(read, walls=walls), near, read(near, walls), rough)
        found = least if least + 2 * doubt < found else found  # not for rounding alone
    return 0.0 if -2 * unsure <= found <= 0 else found


def _least(values: Array) -> float:
    """The smallest finite value; +∞ where there is none."""
    return float(np.min(values, where=np.isfinite(values), initial=np.inf))


def _lowest(read: Read, places: list[Array], known: tuple[Array, ...], rough: bool) -> tuple[float, float]:
    """The smallest value less its noise, and that noise.   known : what is read at the places.

    Around each of the lowest local minima that may lie lower between the places, it is read again, ever closer.
    """
    from scipy.ndimage import maximum_filter, minimum_filter

    def lower(second: Array, sixth: Array, noise: Array) -> tuple[Array, Array]:
        value = second if rough else sixth
        with np.errstate(invalid="ignore"):
            return np.where(np.isfinite(value), value - noise, np.inf), noise

    values, noise = lower(*known)
    k = np.unravel_index(np.argmin(values), values.shape)
    found, unsure = float(values[k]), float(noise[k])
    with np.errstate(invalid="ignore"):
        sunk = values - (maximum_filter(values, 3, mode="nearest") - values)  # what a parabola may reach, and more
        may = np.argwhere((values <= minimum_filter(values, 3, mode="nearest")) & (sunk <= found) & (values < np.inf))
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


def _curvature(
    potential: Callable[..., Array], places: list[Array], steps: list[float], walls: Sequence[Wall]
) -> tuple[Array, Array, Array]:
    """The smaller eigenvalue of Hess V, (nx,) or (ny, nx): to order 2, a lower bound by order 6, and their noise.

    walls : for each axis the wall in whose strip the places are, and to which is extrapolated, if any.
    """
    nodes = [p if w is None else w[0] + w[1] * np.arange(1.0, 6.0) for p, w in zip(places, walls, strict=True)]
    differences, noise = _hessian(potential, nodes, steps)
    second, fourth, sixth = np.tensordot(ORDERS, differences, 1)
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
    shape = tuple(len(p) for p in reversed(places))
    named = {"x": places[0]} if len(places) == 1 else {"x": places[0][None, :], "y": places[1][:, None]}

    def at(**shift: float) -> Array:
        return np.broadcast_to(potential(**{name: p + shift.get(name, 0.0) for name, p in named.items()}), shape)

    here, entries = at(), np.empty((REACH, 1 if len(places) == 1 else 3, *shape))
    noise = np.zeros(shape)
    for (k, name), m in product(enumerate(named), range(1, REACH + 1)):
        pair = at(**{name: m * steps[k]}) + at(**{name: -m * steps[k]})
        entries[m - 1, k] = (pair - 2 * here) / (m * steps[k]) ** 2
        noise += 2e-15 * abs(ORDERS[2, m - 1]) * (np.abs(pair) + 2 * np.abs(here)) / (m * steps[k]) ** 2
    for m in range(1, REACH + 1) if len(places) == 2 else ():
        a, b = m * steps[0], m * steps[1]
        entries[m - 1, 2] = (at(x=a, y=b) - at(x=a, y=-b) - at(x=-a, y=b) + at(x=-a, y=-b)) / (4 * a * b)
    return entries, noise


def _wrapped(axis: Axis, places: Array) -> Array:
    """Places on an axis, brought back to it where it is a circle."""
    if not axis.periodic:
        return places
    outside = (places < axis.lower) | (places > axis.upper)
    return np.where(outside, axis.lower + np.mod(places - axis.lower, axis.length), places)


def _inside(axis: Axis, margin: float, dim: int) -> Array:
    """Cell edges and centres, not all of a large grid, and places between; at least `margin` from walls."""
    cells = np.sort(np.concatenate([axis.edges, axis.centers]))
    cells = cells[:: max(1, -(-len(cells) // MOST_POINTS[dim - 1]))]
    places = np.union1d(cells, np.linspace(axis.lower, axis.upper, LEAST_POINTS[dim - 1]))
    return places if axis.periodic else np.unique(np.clip(places, axis.lower + margin, axis.upper - margin))


# ---- Holley and Stroock ------------------------------------------------------------------------------------


def holley_stroock(flow: Flow) -> float:
    """λ > 0 by comparison; 0 where the exponential underflows."""
    kappa, grid = flow.internal.kappa, flow.grid
    plain = [kappa * ((2 if axis.periodic else 1) * np.pi / axis.length) ** 2 for axis in grid.axes]
    if flow.potential is None:
        return float(min(plain))
    places, values = _read(grid, _potential(flow))
    if not np.all(np.isfinite(values)):
        return 0.0
    parts = _separated(values)
    if parts is not None:
        each = zip(grid.axes, places, parts, plain, strict=True)
        return float(min(_on_axis(axis, x, part, kappa, base) for axis, x, part, base in each))
    found = [min(plain) * np.exp(-np.ptp(values) / kappa)]
    x, y = places[0], places[1][:, None]
    if not any(axis.periodic for axis in grid.axes):
        j, i = np.unravel_index(np.argmin(values), values.shape)
        for x0, y0 in ((x[i], y[j, 0]), (x.mean(), y.mean())):
            square = 0.5 * ((x - x0) ** 2 + (y - y0) ** 2)
            found += [c * np.exp(-np.ptp(values - c * square) / kappa) for c in _trials(np.ptp(values), square.max())]
    return float(max(found))


def _read(grid: Grid, potential: Callable[..., Array]) -> tuple[list[Array], Array]:
    """V at many places along each axis, x first, walls included unless it is +∞ or nothing there."""
    k = grid.dim - 1
    counts = [min(max(2 * axis.size + 1, LEAST_VALUES[k]), MOST_VALUES[k]) for axis in grid.axes]
    places = [np.linspace(axis.lower, axis.upper, n) for axis, n in zip(grid.axes, counts, strict=True)]

    def at(places: list[Array]) -> Array:
        shape = tuple(len(p) for p in reversed(places))
        named = {"x": places[0]} if grid.dim == 1 else {"x": places[0][None, :], "y": places[1][:, None]}
        with np.errstate(all="ignore"):
            return np.array(np.broadcast_to(np.asarray(potential(**named), dtype=float), shape))

    values = at(places)
    if np.all(np.isfinite(values) | (values == -np.inf)):
        return places, values
    places = [p[1:-1] for p in places]
    return places, at(places)


def _separated(values: Array) -> list[Array] | None:
    """V on each axis where it is a sum of functions of x and of y (always in 1D), else None."""
    if values.ndim == 1:
        return [values]
    along_x, along_y = values[0], values[:, 0] - values[0, 0]
    rest = values - along_x - along_y[:, None]
    return [along_x, along_y] if np.max(np.abs(rest)) <= 1e-11 * (1 + np.max(np.abs(values))) else None


def _on_axis(axis: Axis, x: Array, values: Array, kappa: float, plain: float) -> float:
    """The best bound for a potential of one variable, read at x; `plain` is the constant without any."""
    found = [plain * np.exp(-np.ptp(values) / kappa)]
    if axis.periodic:
        return float(found[0])
    for c in _trials(np.ptp(values), 0.5 * (0.5 * axis.length) ** 2):
        psi = values - 0.5 * c * (x - x.mean()) ** 2
        found.append(c * np.exp(-np.max(psi - _convex_envelope(x, psi)) / kappa))
    return float(max(found))


def _trials(range_: float, square: float) -> Array:
    """Convexities worth a try: from far below to far above that of the paraboloid of the same range."""
    return np.geomspace(1e-2, 1e2, TRIALS) * max(range_, 1e-12) / square


def _convex_envelope(x: Array, values: Array) -> Array:
    """The largest convex function below given values at increasing x, (n,): the lower hull, by a monotone chain."""
    hull: list[int] = []
    for k in range(len(x)):
        while len(hull) > 1:
            i, j = hull[-2:]
            if (values[j] - values[i]) * (x[k] - x[i]) < (values[k] - values[i]) * (x[j] - x[i]):
                break
            hull.pop()
        hull.append(k)
    return np.interp(x, x[hull], values[hull])
