"""Orders of convergence, from errors e at sizes s (of cells or steps) that get finer.

    against the solution            e = C s^p              p = slope of ln e over ln s
    against a run of size r < s     e = C (s^p − r^p)      p = the root of a scalar equation (below)
    of a number without a reference v = v₀ + C s^p         p from its differences to the finest, then v₀

The finest run is no solution: it errs by C r^p itself, and the plain slope comes out too large — 2.32 instead of 2 and
1.58 instead of 1 from sizes 4, 2 against 1.  With g(p) = ln((x^p − 1)/p), x = s/r, which is smooth in p, also through
0, the least-squares fit of ln e = c + g(p) has the normal equation

    Σ (ln e − g(p) − mean) (g'(p) − mean) = 0,      g'(p) = ln x/(1 − x^{−p}) − 1/p.

For two errors it is the classical equation for three grids of any ratio.  Nothing else is assumed; on errors that do
not fall there is no root, and the order is NaN.

References: Richardson (1911), DOI 10.1098/rsta.1911.0009; Roache (1994), DOI 10.1115/1.2910291; Celik, Ghia, Roache,
Freitas, Coleman, Raad (2008), DOI 10.1115/1.2960953.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...grid import Array

LARGEST = 20.0
"""Orders are sought between its negative and it."""
COLLAPSED = 0.6
"""A last order below this part of the best one is no longer that of what is varied."""
ROUNDING = 1e-13
"""Differences below this part of a value are rounding."""


@dataclass(frozen=True)
class Limit:
    """What a number tends to as the size tends to 0.

    value : v₀.   order : p.   error : |v₀ − v| of the finest run, an estimate of its error.
    """

    value: float
    order: float
    error: float


def fitted_order(sizes: Sequence[float] | Array, errors: Sequence[float] | Array) -> float:
    """The slope of ln error over ln size, by least squares.   sizes : cell or step sizes."""
    return float(np.polyfit(np.log(sizes), np.log(errors), 1)[0])


def fit(sizes: Sequence[float] | Array, errors: Sequence[float] | Array, reference: float = 0.0) -> float:
    """The order over all positive errors; NaN where there are fewer than two, or no order fits.

    sizes, errors : (n,).   reference : the size of the run that the errors are measured against, 0 for the solution.
    """
    s, e = np.asarray(sizes, dtype=float), np.asarray(errors, dtype=float)
    usable = np.isfinite(e) & (e > 0) & (s > reference)
    s, e = s[usable], e[usable]
    if len(s) < 2:
        return math.nan
    return fitted_order(s, e) if reference == 0 else _corrected(np.log(s / reference), np.log(e))


def pairwise(sizes: Sequence[float] | Array, errors: Sequence[float] | Array, reference: float = 0.0) -> Array:
    """The order between each run and the one before it, (n,); NaN for the first and where there is none."""
    pairs = (slice(k - 1, k + 1) for k in range(1, len(sizes)))
    return np.array([math.nan, *(fit(sizes[pair], errors[pair], reference) for pair in pairs)])


def extrapolate(sizes: Sequence[float] | Array, values: Sequence[float] | Array) -> Limit | None:
    """The limit by Richardson's rule from the last three finite values, with their own order; sizes of any ratios.

    None for fewer values, and where the differences are rounding, change sign or do not fall.
    """
    keep = np.flatnonzero(np.isfinite(values))[-3:]
    if len(keep) < 3:
        return None
    s, v = np.asarray(sizes, dtype=float)[keep], np.asarray(values, dtype=float)[keep]
    off = v[:2] - v[2]
    if off[0] * off[1] <= 0 or np.min(np.abs(off)) <= ROUNDING * np.max(np.abs(v)):
        return None
    order = fit(s[:2], np.abs(off), s[2])
    if not order > 0:
        return None
    error = float(off[1] / np.expm1(order * math.log(s[1] / s[2])))
    return Limit(float(v[2]) - error, order, abs(error))


def collapsed(orders: Sequence[float] | Array, declared: float) -> bool:
    """Whether the last of the pairwise orders has fallen off: something that is not varied dominates the error.

    declared : the order of the scheme in what is varied.  It counts half, so that a solution too rough for it, which
    keeps a lower order throughout, is not taken for this.
    """
    found = np.asarray(orders, dtype=float)
    if len(found) < 2 or not np.isfinite(found[-1]):
        return False
    before = found[:-1][np.isfinite(found[:-1])]
    return bool(found[-1] < COLLAPSED * max([0.5 * declared, *before.tolist()]))


def _corrected(x: Array, y: Array) -> float:
    """The root of the normal equation.   x : ln(s/r) > 0.   y : ln e."""
    from scipy.optimize import brentq

    def equation(p: float) -> float:
        rest, slope = y - _growth(p, x), _growth_slope(p, x)
        return float((rest - rest.mean()) @ (slope - slope.mean()))

    if not equation(-LARGEST) * equation(LARGEST) < 0:
        return math.nan
    return float(brentq(equation, -LARGEST, LARGEST, xtol=1e-12))


def _growth(p: float, x: Array) -> Array:
    """g(p) = ln((e^{px} − 1)/p)."""
    return np.log(np.expm1(p * x) / p) if p != 0 else np.log(x)


def _growth_slope(p: float, x: Array) -> Array:
    """g'(p) up to a constant, which drops out: by its series x/2 + px²/12 − p³x⁴/720 where terms cancel."""
    z = p * x
    if np.max(np.abs(z)) < 1e-2:
        return x * (0.5 + z / 12 - z**3 / 720)
    return -x / np.expm1(-z)
