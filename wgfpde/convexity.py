"""How convex a potential is, and the constant of its logarithmic Sobolev inequality.

    Hess V ≥ K     on the box     (Bakry, Émery)        HWI and EVI hold with K, also where it is negative
    H(ρ|π) ≤ (κ/2λ) I(ρ|π),   π ∝ e^{−V/κ}              and with it Talagrand's inequality (Otto, Villani)

λ = K where that is positive.  Else the measure is compared with one whose constant is known (Holley, Stroock):

    V = V₀ + ψ   ⇒   λ ≥ λ₀ e^{−(max ψ − min ψ)/κ}

with V₀ = 0, λ₀ = κ min (π/L)² between walls and κ min (2π/L)² on circles; and with V₀ = c|x − x₀|²/2 + f, λ₀ = c, for
the best c.  On a line f is the convex envelope of V − c|x − x₀|²/2, which makes ψ as small as it can be; in the plane
f = 0.  A sum of functions of x and of y is treated axis by axis, since constants tensorise: λ = min (λ_x, λ_y).  These
are bounds: a double well's own constant is larger.

The Hessian is taken by fourth-order differences over 1e-3 of the box, at the edges and centres of the cells;
`lambda` in a case replaces it.

References: Bakry, Émery (1985), DOI 10.1007/BFb0075847; Holley, Stroock (1987), DOI 10.1007/BF01011161; Otto, Villani
(2000), DOI 10.1006/jfan.1999.3557; Émery, Yukich (1987), DOI 10.1007/BFb0077630.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .flow import Flow, once_per_flow
from .grid import Array, Axis, Grid

STEP = 1e-3
"""Of the differences, relative to the box."""
MOST_POINTS = 65536
"""Larger grids are sampled at every second, third, … point."""
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
    if found > 0:
        return Convexity(found, "Hess V", found, "Hess V")
    sobolev = holley_stroock(flow)
    return Convexity(found, "Hess V", sobolev, "Holley-Stroock" if sobolev > 0 else "")


def _potential(flow: Flow) -> Callable[..., Array]:
    assert flow.energy.potential is not None
    return flow.energy.potential


def smallest_curvature(grid: Grid, potential: Callable[..., Array]) -> float:
    """The smallest eigenvalue of Hess V over the edges and centres of the cells; 0 where it is rounding."""
    steps = [STEP * axis.length for axis in grid.axes]
    most = int(MOST_POINTS ** (1 / grid.dim))
    places = [_inside(axis, 2 * step, most) for axis, step in zip(grid.axes, steps, strict=True)]
    with np.errstate(all="ignore"):
        if grid.dim == 1:
            value, noise = _second(lambda s: potential(x=places[0] + s), steps[0])
        else:
            value, noise = _smallest_of_2d(potential, places, steps)
    if not np.any(np.isfinite(value)):
        return -np.inf
    k = np.unravel_index(np.nanargmin(value), value.shape)
    return 0.0 if abs(value[k]) <= noise[k] else float(value[k])


def _smallest_of_2d(
    potential: Callable[..., Array], places: list[Array], steps: list[float]
) -> tuple[Array, Array]:
    """The smaller eigenvalue of the 2 × 2 Hessian (ny, nx), and what rounding may leave of it."""
    x, y = places[0][None, :], places[1][:, None]
    shape = (y.size, x.size)

    def at(s: float, t: float) -> Array:
        return np.broadcast_to(np.asarray(potential(x=x + s, y=y + t), dtype=float), shape)

    xx, noise_x = _second(lambda s: at(s, 0.0), steps[0])
    yy, noise_y = _second(lambda t: at(0.0, t), steps[1])

    def mixed(a: float, b: float) -> Array:
        return (at(a, b) - at(a, -b) - at(-a, b) + at(-a, -b)) / (4 * a * b)

    xy = (4 * mixed(*steps) - mixed(2 * steps[0], 2 * steps[1])) / 3
    return 0.5 * (xx + yy) - np.hypot(0.5 * (xx - yy), xy), noise_x + noise_y


def _second(line: Callable[[float], Array], step: float) -> tuple[Array, Array]:
    """The second derivative at offset 0 to order 4, and what rounding may leave of it."""
    far, near, here = line(2 * step) + line(-2 * step), line(step) + line(-step), np.asarray(line(0.0), dtype=float)
    scale = np.abs(far) + np.abs(near) + np.abs(here)
    return (16 * near - far - 30 * here) / (12 * step**2), 2e-15 * scale / step**2


def _inside(axis: Axis, margin: float, most: int) -> Array:
    """Cell edges and centres, not all of a large grid, at least `margin` from the ends."""
    places = np.sort(np.concatenate([axis.edges, axis.centers]))
    return np.clip(places[:: max(1, -(-len(places) // most))], axis.lower + margin, axis.upper - margin)


# ---- Holley and Stroock ------------------------------------------------------------------------------------


def holley_stroock(flow: Flow) -> float:
    """λ > 0 by comparison; 0 where the exponential underflows."""
    kappa, grid = flow.internal.kappa, flow.grid
    plain = [kappa * ((2 if axis.periodic else 1) * np.pi / axis.length) ** 2 for axis in grid.axes]
    if flow.potential is None:
        return float(min(plain))
    values = flow.potential
    parts = _separated(values)
    if parts is not None:
        pairs = zip(grid.axes, parts, plain, strict=True)
        return float(min(_on_axis(axis, part, kappa, base) for axis, part, base in pairs))
    found = [min(plain) * np.exp(-np.ptp(values) / kappa)]
    x, y = grid.x.centers, grid.y.centers[:, None]
    if not any(axis.periodic for axis in grid.axes):
        j, i = np.unravel_index(np.argmin(values), values.shape)
        for x0, y0 in ((x[i], y[j, 0]), (x.mean(), y.mean())):
            square = 0.5 * ((x - x0) ** 2 + (y - y0) ** 2)
            found += [c * np.exp(-np.ptp(values - c * square) / kappa) for c in _trials(np.ptp(values), square.max())]
    return float(max(found))


def _separated(values: Array) -> list[Array] | None:
    """V on each axis where it is a sum of functions of x and of y (always in 1D), else None."""
    if values.ndim == 1:
        return [values]
    along_x, along_y = values[0], values[:, 0] - values[0, 0]
    rest = values - along_x - along_y[:, None]
    return [along_x, along_y] if np.max(np.abs(rest)) <= 1e-11 * (1 + np.max(np.abs(values))) else None


def _on_axis(axis: Axis, values: Array, kappa: float, plain: float) -> float:
    """The best bound for a potential of one variable; `plain` is the constant without any."""
    found = [plain * np.exp(-np.ptp(values) / kappa)]
    if axis.periodic:
        return float(found[0])
    x = axis.centers
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
