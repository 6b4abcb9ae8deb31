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
plane: a feature narrower than that is missed.  The Hessian is taken by fourth-order differences over 1e-3 of the box
(2e-3 in the plane), across the seam of a circle, and less what rounding may have added; where it is smallest once more
at closer places; on a line it is extrapolated to the walls, in the plane the last 4e-3 of the box are left out.  A V
with kinks or jumps counts as smoothed over that step, by differences of second order, which a convex kink keeps ≥ 0; a
concave one has K = −∞ in truth.  `lambda` in a case replaces all this.

References: Bakry, Émery (1985), DOI 10.1007/BFb0075847; Holley, Stroock (1987), DOI 10.1007/BF01011161; Otto, Villani
(2000), DOI 10.1006/jfan.1999.3557; Émery, Yukich (1987), DOI 10.1007/BFb0077630.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .flow import Flow, once_per_flow
from .grid import Array, Axis, Grid

STEP = 1e-3, 2e-3
"""Of the differences, relative to the box, in 1D and in 2D."""
LEAST_POINTS, MOST_POINTS = (2001, 257), (65537, 513)
"""Places along an axis where the Hessian is taken: between these, two to a cell."""
LEAST_VALUES, MOST_VALUES = (1025, 257), (4097, 1025)
"""The same for the values of V."""
ROUGH = 0.01
"""Share of the largest difference of order 2 by which one of order 4 may lie below all of them where V is smooth."""
AGAIN = 33
"""Places along an axis, between the neighbours of the place where the Hessian was smallest."""
TRIALS = 24
"""Convexities c that are tried for V₀."""


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
    given = flow.energy.convexity
    if given is not None:
        return Convexity(given, "the case", max(given, 0.0), "the case" if given > 0 else "")
    found = 0.0 if flow.potential is None else smallest_curvature(flow.grid, _potential(flow))
    compared = holley_stroock(flow)
    if found > 0 and found >= compared:
        return Convexity(found, "Hess V", found, "Hess V")
    return Convexity(found, "Hess V", compared, "Holley-Stroock" if compared > 0 else "")


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

    places = [_inside(axis, 2 * step, grid.dim) for axis, step in zip(grid.axes, steps, strict=True)]
    with np.errstate(all="ignore"):
        second, fourth, noise = _hessian(on_grid, places, steps)
    if not np.any(np.isfinite(fourth)):
        return -np.inf
    rough = _least(second, 0.0)[0] - _least(fourth, 0.0)[0] > ROUGH * np.nanmax(np.abs(np.nan_to_num(second)))
    found, where = _least(second if rough else fourth, noise)
    near = [p[max(i - 1, 0) : i + 2] for p, i in zip(places, reversed(where), strict=True)]
    with np.errstate(all="ignore"):
        closer = _hessian(on_grid, [np.linspace(p[0], p[-1], AGAIN) for p in near], steps)
    found = min(found, _least(closer[0] if rough else closer[1], closer[2])[0])
    if grid.dim == 1 and not grid.x.periodic and not rough:
        found = min([found, *_at_walls(on_grid, grid.x, steps[0], found)])
    return 0.0 if -2 * noise[where] <= found <= 0 else found


def _least(values: Array, noise: Array | float) -> tuple[float, tuple[int, ...]]:
    """The smallest finite value less its noise, and where; +∞ where there is none."""
    with np.errstate(invalid="ignore"):
        lower = np.where(np.isfinite(values), values - noise, np.inf)
    k = np.unravel_index(np.argmin(lower), lower.shape)
    return float(lower[k]), tuple(int(i) for i in k)


def _hessian(potential: Callable[..., Array], places: list[Array], steps: list[float]) -> tuple[Array, Array, Array]:
    """V'' (nx,), or the smaller eigenvalue of the 2 × 2 Hessian (ny, nx): to order 2, to order 4, and their noise."""
    if len(places) == 1:
        return _second(lambda s: np.broadcast_to(potential(x=places[0] + s), places[0].shape), steps[0])
    x, y = places[0][None, :], places[1][:, None]
    shape = (y.size, x.size)

    def at(s: float, t: float) -> Array:
        return np.broadcast_to(potential(x=x + s, y=y + t), shape)

    def smaller(xx: Array, yy: Array, xy: Array) -> Array:
        return 0.5 * (xx + yy) - np.hypot(0.5 * (xx - yy), xy)

    def mixed(a: float, b: float) -> Array:
        return (at(a, b) - at(a, -b) - at(-a, b) + at(-a, -b)) / (4 * a * b)

    xx, yy = _second(lambda s: at(s, 0.0), steps[0]), _second(lambda t: at(0.0, t), steps[1])
    xy, wide = mixed(*steps), mixed(2 * steps[0], 2 * steps[1])
    return smaller(xx[0], yy[0], xy), smaller(xx[1], yy[1], (4 * xy - wide) / 3), xx[2] + yy[2]


def _at_walls(potential: Callable[..., Array], axis: Axis, step: float, found: float) -> list[float]:
    """V'' at both walls by extrapolation from three places each, where it is below `found` by more than rounding."""
    lower = []
    for wall, inward in ((axis.lower, 1.0), (axis.upper, -1.0)):
        with np.errstate(all="ignore"):
            _, (one, two, three), noise = _hessian(potential, [wall + inward * 2 * step * np.arange(1.0, 4.0)], [step])
            value, unsure = float(3 * one - 3 * two + three), 7 * float(np.max(noise))
        if np.isfinite(value) and value + unsure < found:
            lower.append(value - unsure)
    return lower


def _second(line: Callable[[float], Array], step: float) -> tuple[Array, Array, Array]:
    """The second derivative at offset 0 to order 2 and to order 4, and what rounding may leave of them."""
    far, near, here = line(2 * step) + line(-2 * step), line(step) + line(-step), np.asarray(line(0.0), dtype=float)
    scale = np.abs(far) + np.abs(near) + np.abs(here)
    return (near - 2 * here) / step**2, (16 * near - far - 30 * here) / (12 * step**2), 2e-15 * scale / step**2


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
