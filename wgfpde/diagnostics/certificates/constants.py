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
plane: a feature narrower than that is missed.  K is found by module `curvature`.  `lambda` in a case replaces λ.

References: Bakry, Émery (1985), DOI 10.1007/BFb0075847; Holley, Stroock (1987), DOI 10.1007/BF01011161; Otto, Villani
(2000), DOI 10.1006/jfan.1999.3557; Émery, Yukich (1987), Lecture Notes in Mathematics 1247, pages 173 to 175.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...base.kernel_cache import njit
from ...energy.flow import Flow, once_per_flow
from ...grid import Array, Axis, Grid
from ...grid.known_results import grid_key, known
from ...grid.tables.kept_function import result_of
from .curvature import smallest_curvature

LEAST_VALUES, MOST_VALUES = (1025, 257), (4097, 1025)
"""Places along an axis where V is read: between these, two to a cell."""
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
    found = curvature_bound(flow)
    source = "no potential" if flow.potential is None else "Hess V"
    given = flow.energy.sobolev
    if given is not None:
        return Convexity(found, source, given, "the case")
    compared = holley_stroock(flow)
    if found > 0 and found >= compared:
        return Convexity(found, source, found, source)
    name = source if flow.potential is None else "Holley-Stroock"
    return Convexity(found, source, compared, name if compared > 0 else "")


@once_per_flow
def curvature_bound(flow: Flow) -> float:
    """K alone, without the comparison that λ may take."""
    if flow.potential is None:
        return 0.0

    def find(raw: Callable[..., Array]) -> float:
        return known(raw, grid_key(flow.grid, "curvature"), lambda: smallest_curvature(flow.grid, raw))

    return float(result_of(_potential(flow), "curvature", find))


def _potential(flow: Flow) -> Callable[..., Array]:
    assert flow.energy.potential is not None
    return flow.energy.potential


# ---- Holley and Stroock ------------------------------------------------------------------------------------


def holley_stroock(flow: Flow) -> float:
    """λ > 0 by comparison; 0 where the exponential underflows."""
    kappa, grid = flow.internal.kappa, flow.grid
    plain = [kappa * ((2 if axis.ring else 1) * np.pi / axis.length) ** 2 for axis in grid.axes]
    if flow.potential is None:
        return float(min(plain))
    return float(result_of(_potential(flow), "comparison", lambda raw: _compared(grid, raw, kappa, plain)))


def _compared(grid: Grid, potential: Callable[..., Array], kappa: float, plain: list[float]) -> float:
    """The same of a potential.   plain : the constants of the axes without one."""
    groups = known(potential, grid_key(grid, "oscillations"), lambda: _oscillations(grid, potential))
    bases = plain if len(groups) == grid.dim else [min(plain)]
    each = (
        max((base if c is None else c) * np.exp(-apart / kappa) for c, apart in group)
        for base, group in zip(bases, groups, strict=False)
    )
    return float(min(each, default=0.0))


def _oscillations(grid: Grid, potential: Callable[..., Array]) -> list[list[tuple[float | None, float]]]:
    """(c, max ψ − min ψ) for each V₀ that is tried, c None for V₀ = 0: of each axis where V is a sum, else of both.

    Empty where V is not finite.  Nothing here depends on κ.
    """
    places, values = _read(grid, potential)
    if not np.all(np.isfinite(values)):
        return []
    parts = _separated(values)
    if parts is not None:
        return [_on_axis(axis, x, part) for axis, x, part in zip(grid.axes, places, parts, strict=True)]
    found: list[tuple[float | None, float]] = [(None, np.ptp(values))]
    x, y = places[0], places[1][:, None]
    if not any(axis.ring for axis in grid.axes):
        j, i = np.unravel_index(np.argmin(values), values.shape)
        for x0, y0 in ((x[i], y[j, 0]), (x.mean(), y.mean())):
            square = 0.5 * ((x - x0) ** 2 + (y - y0) ** 2)
            found += [(c, np.ptp(values - c * square)) for c in _trials(np.ptp(values), square.max())]
    return [found]


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


def _on_axis(axis: Axis, x: Array, values: Array) -> list[tuple[float | None, float]]:
    """The same for a potential of one variable, read at x; V₀ is a parabola and the convex envelope of the rest."""
    found: list[tuple[float | None, float]] = [(None, np.ptp(values))]
    for c in () if axis.ring else _trials(np.ptp(values), 0.5 * (0.5 * axis.length) ** 2):
        psi = values - 0.5 * c * (x - x.mean()) ** 2
        found.append((c, np.max(psi - _convex_envelope(x, psi))))
    return found


def _trials(range_: float, square: float) -> Array:
    """Convexities worth a try: from far below to far above that of the paraboloid of the same range."""
    return np.geomspace(1e-2, 1e2, TRIALS) * max(range_, 1e-12) / square


def _convex_envelope(x: Array, values: Array) -> Array:
    """The largest convex function below given values at increasing x, (n,): the lower hull, by a monotone chain."""
    hull = np.empty(len(x), dtype=np.int64)
    hull = hull[: _lower_hull(x, values, hull)]
    return np.interp(x, x[hull], values[hull])


@njit(cache=True)
def _lower_hull(x, values, hull):
    """The places of the corners into the first entries of `hull`, (n,); returns how many there are."""
    size = 0
    for k in range(len(x)):
        while size > 1:
            i, j = hull[size - 2], hull[size - 1]
            if (values[j] - values[i]) * (x[k] - x[i]) < (values[k] - values[i]) * (x[j] - x[i]):
                break
            size -= 1
        hull[size] = k
        size += 1
    return size
