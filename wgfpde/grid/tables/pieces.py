"""Interpolation along an axis by piecewise polynomials, four kinds, open or closed to a ring.

    cubic      the C² spline, not-a-knot at open ends (order 4; it may leave the range of its values)
    pchip      cubic, C¹, monotone where the values are: it flattens every sampled extremum, and wells and barriers are
               extrema, so that rates come out too fast (by 10 % where a quartic double well of 10 kT has 8 places
               between its minima)
    linear     order 2; rates of tables come out faster still
    nearest    the value of the nearest place

References: Fritsch, Butland (1984), DOI 10.1137/0905021 (pchip); de Boor (1978), A Practical Guide to Splines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from ...errors import CaseError
from ..grid import Array

if TYPE_CHECKING:
    from scipy.interpolate import PPoly

Interpolation = Literal["cubic", "pchip", "linear", "nearest"]
STEEPEST = 1e100
"""The largest slope of a table, and the largest value."""
WRAPPED = 3
"""Places from beyond the seam that pchip sees: slopes depend on three neighbours."""


def pieces_of(kind: Interpolation, places: Array, values: Array, period: float | None) -> PPoly:
    """The piecewise polynomials through values (n, …) at increasing places (n,).

    period : of a ring, which the places, at least two, do not repeat; the pieces then span one period from places[0].
    Raises CaseError where values or the slopes between them are beyond what double precision carries.
    """
    from scipy.interpolate import CubicSpline, PchipInterpolator, PPoly

    if period is not None:
        places, values = np.append(places, places[0] + period), np.concatenate([values, values[:1]])
    with np.errstate(all="ignore"):
        slopes = np.diff(values, axis=0) / np.diff(places).reshape((-1,) + (1,) * (values.ndim - 1))
    if not np.all(np.abs(slopes) <= STEEPEST) or not np.all(np.abs(values) <= STEEPEST):
        raise CaseError(
            f"the values of the table rise by more than {STEEPEST:g} for each unit of length, or are beyond that "
            "themselves, of which no squares can be computed. Check the values and places of the table."
        )
    if kind == "cubic":
        spline = CubicSpline(places, values, bc_type="not-a-knot" if period is None else "periodic")
        return PPoly(spline.c, spline.x)
    if kind == "pchip":
        if period is None:
            spline = PchipInterpolator(places, values)
            return PPoly(spline.c, spline.x)
        return _pchip_ring(places, values, period)
    if kind == "linear":
        return PPoly(np.stack([slopes, values[:-1]]), places)
    middles = 0.5 * (places[1:] + places[:-1])
    return PPoly(values[None], np.concatenate([places[:1], middles, places[-1:]]))


def _pchip_ring(places: Array, values: Array, period: float) -> PPoly:
    """places, values : of a whole period, the first repeated at the end."""
    from scipy.interpolate import PchipInterpolator, PPoly

    n = len(places) - 1
    around = np.arange(-WRAPPED, n + WRAPPED + 1)
    spline = PchipInterpolator(places[around % n] + period * (around // n), values[around % n])
    return PPoly(spline.c[:, WRAPPED : WRAPPED + n], places)


def at(pieces: PPoly, points: Array, period: float | None) -> Array:
    """Their values (m, …) at points (m,); beyond the ends of open ones the outermost pieces go on."""
    return pieces(folded(points, pieces.x[0], period))


def averages(pieces: PPoly, edges: Array, period: float | None) -> Array:
    """Their averages (m, …) over the cells between m + 1 edges, exact."""
    whole = pieces.antiderivative()
    totals = whole(folded(edges, pieces.x[0], period))
    if period is not None:
        turns = np.floor((edges - pieces.x[0]) / period).reshape((-1,) + (1,) * (totals.ndim - 1))
        totals = totals + turns * whole(pieces.x[-1])
    return np.diff(totals, axis=0) / np.diff(edges).reshape((-1,) + (1,) * (totals.ndim - 1))


def folded(points: Array, first: float, period: float | None) -> Array:
    """Points of a ring moved by whole periods to the one that begins at `first`."""
    if period is None:
        return np.asarray(points, dtype=float)
    turns = np.floor((points - first) / period)
    return points - turns * period


def nearest(places: Array, points: Array, period: float | None) -> Array:
    """The index of the place nearest to each point."""
    if period is None:
        return np.searchsorted(0.5 * (places[1:] + places[:-1]), points, side="right")
    middles = np.append(0.5 * (places[1:] + places[:-1]), 0.5 * (places[-1] + places[0] + period))
    return np.searchsorted(middles, folded(points, places[0], period), side="right") % len(places)


def between(places: Array, points: Array, period: float | None) -> tuple[Array, Array]:
    """The indices of the places on either side of each point; beyond open ends the outermost two."""
    x = folded(points, places[0], period)
    last = len(places) - (2 if period is None else 1)
    low = np.clip(np.searchsorted(places, x, side="right") - 1, 0, last)
    return low, (low + 1) % len(places)
