"""The roots y of y + s ξ̄(ρ, ρe^y) = g in all cells, where ξ̄ is the mean of U' between ρ and ρ' = ρe^y.

    ξ̄ = (U(ρ') − U(ρ))/(ρ' − ρ)

The left side rises in y with slope ≥ 1 for every s, since U is convex: one root a cell, between y and y less the
residual.  For powers ξ̄ = κ/(m−1) ρ^{m−1} D(y), D = (e^{my} − 1)/(e^y − 1), free of cancellation.
"""

from __future__ import annotations

import math

import numpy as np

from ...base.kernel_cache import njit
from ...energy.energy import Internal
from ...grid import Array

EPS = 2.220446049250313e-16
NEWTON = 100
"""Most Newton steps in a cell, and most values of λ."""
CLOSE = 1e-3
"""|y| up to which D' is summed as a series."""
APART = 0.05
"""|y| above which a difference of U keeps its digits; below, five points of Gauss miss a mean of U' by 1e-17."""


class NoRoot(Exception):
    """A reaction that double precision cannot solve."""


class ArrayRoots:
    """Roots in all cells at once, by functions of arrays; 0 in empty cells.

    U is a law's own: differences of U where |y| > APART, else Gauss's rule for the mean of U' between ρ and ρ'.
    """

    def __init__(self, internal: Internal, rho: Array, s: float) -> None:
        self._law, self._p, self._s = internal.law, internal, s
        self._rho, self._held = rho, rho > 0
        self._old = np.where(self._held, rho, 1.0)
        self._u = self._law.density(self._old, internal)
        self.at_zero = np.where(self._held, s * self._law.derivative(self._old, internal), 0.0)

    def bend(self) -> Array:
        """½ s ρU''(ρ), the slope of s ξ̄ in y at 0."""
        return 0.5 * self._s * self._old * self._law.second_derivative(self._old, self._p)

    def solve(self, g: Array, y: Array) -> tuple[Array, Array, int]:
        """y and dy/dg, (ny, nx), and the iterations; from a guess."""
        low, high, before = np.full_like(y, -np.inf), np.full_like(y, np.inf), np.full_like(y, np.inf)
        for count in range(1, NEWTON + 1):
            value, slope = self._mean(y)
            f = np.where(self._held, y + value - g, 0.0)
            up = ~(f <= 0)  # also where it overflowed
            high = np.where(up, np.minimum(high, y), np.minimum(high, y - f))
            low = np.where(up, np.maximum(low, np.where(np.isfinite(f), y - f, low)), np.maximum(low, y))
            with np.errstate(invalid="ignore", divide="ignore"):
                new = y - f / (1.0 + slope)
            middle = np.where(np.isfinite(low) & np.isfinite(high), 0.5 * (low + high), 0.0)
            takes = (new >= low) & (new <= high) & (np.abs(new - y) <= 0.5 * before)  # else halve the bracket
            new = np.where(self._held, np.where(takes, new, middle), 0.0)
            before = np.abs(new - y)
            noise = 4 * EPS * (np.abs(y) + np.abs(value) / APART + np.abs(g))
            done = np.all((np.abs(new - y) <= 8 * EPS * (1.0 + np.abs(new))) | (np.abs(f) <= noise) & np.isfinite(f))
            y = new
            if done:
                return y, 1.0 / (1.0 + slope), count
        raise NoRoot("a cell's reaction found no root")

    def _mean(self, y: Array) -> tuple[Array, Array]:
        """s ξ̄ and its derivative in y."""
        law, p, old = self._law, self._p, self._old
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            new = old * np.exp(y)
            change = new - old
            far = (np.abs(y) > APART) & (change != 0)
            apart = np.where(far, change, 1.0)
            difference = (law.density(new, p) - self._u) / apart
            near, bend = 0.0, 0.0
            for x, w in zip(*_GAUSS, strict=True):
                near = near + w * law.derivative(old + x * change, p)
                bend = bend + w * x * law.second_derivative(old + x * change, p)
            mean = np.where(far, difference, near)
            slope = np.where(far, (law.derivative(new, p) - mean) / apart, bend) * new
        return self._s * mean, np.where(np.isfinite(slope), self._s * slope, np.inf)


_GAUSS = tuple(np.array(np.polynomial.legendre.leggauss(5)) * 0.5 + np.array([[0.5], [0.0]]))
"""Nodes and weights on [0, 1]."""


class PowerRoots:
    """The same for powers, by a kernel: s ξ̄ = q D(y), q = sκ/(m−1) ρ^{m−1}."""

    def __init__(self, internal: Internal, rho: Array, s: float) -> None:
        self._m = internal.m
        held = rho > 0
        with np.errstate(over="ignore"):
            power = np.where(held, rho, 1.0) ** (internal.m - 1)
        self._q = np.where(held, s * internal.kappa / (internal.m - 1) * power, 0.0)
        if not np.all(np.isfinite(self._q)):
            raise NoRoot("U'(ρ) exceeds double precision")
        self._held = held
        self.at_zero = self._m * self._q

    def bend(self) -> Array:
        """As of `ArrayRoots`."""
        return 0.5 * self._m * (self._m - 1) * self._q

    def solve(self, g: Array, y: Array) -> tuple[Array, Array, int]:
        """As of `ArrayRoots`."""
        found, response = np.empty_like(y), np.empty_like(y)
        most = power_roots(self._q.ravel(), g.ravel(), self._held.ravel(), self._m, y.ravel(), found.ravel(),
                           response.ravel())  # fmt: skip
        if most > NEWTON:
            raise NoRoot("a cell's reaction found no root")
        return found, response, most


# ---- kernels -------------------------------------------------------------------------------------------------


@njit(cache=True, nogil=True, error_model="numpy")
def power_roots(q, g, held, m, y, found, response):
    """Roots of y + q D(y) = g and dy/dg = 1/(1 + q D'), (n,); 0 where nothing is held.  Returns the most iterations."""
    most = 0
    for i in range(q.size):
        if not held[i]:
            found[i] = 0.0
            response[i] = 0.0
            continue
        found[i], response[i], count = _root(q[i], g[i], m, y[i])
        most = max(most, count)
    return most


@njit(cache=True, nogil=True, error_model="numpy")
def _root(q, g, m, y):
    """The root, the response and the iterations, by Newton within a bracket that every value narrows; q may be 0."""
    if q == 0.0:
        return g, 1.0, 1
    low, high = _bracket(q, g, m)
    y = min(max(y, low), high)
    slope = 1.0
    for count in range(1, NEWTON + 1):
        ratio, bend = _ratio(y, m)
        f = y + q * ratio - g
        slope = 1.0 + q * bend
        if f > 0.0:
            high = min(high, y)
            low = max(low, y - f)
        else:
            low = max(low, y)
            high = min(high, y - f)
        new = y - f / slope
        if not (low <= new <= high):
            new = 0.5 * (low + high)
        step = abs(new - y)
        y = new
        noise = 4.0 * EPS * (abs(y) + abs(q * ratio) + abs(g))
        if step <= 8.0 * EPS * (1.0 + abs(y)) or abs(f) <= noise < math.inf:
            return y, 1.0 / slope, count
    return y, 1.0 / slope, NEWTON + 1


@njit(cache=True, nogil=True, error_model="numpy")
def _bracket(q, g, m):
    """Two numbers between which the root lies.

    m > 1: D rises from 1 over D(0) = m, and D ≥ e^{(m−1)y} for y > 0.
    m < 1: D falls from 1 to 0, and m e^{(m−1)y} ≤ D ≤ e^{(m−1)y} for y > 0.
    """
    if m > 1.0:
        if g <= q * m:
            return g - q * m, min(0.0, g - q)
        high = g - q * m
        return 0.0, min(high, math.log(g / q) / (m - 1.0))
    high = max(g, min(g - q, max(math.log(-q) / (1.0 - m), g + 1.0, 0.0)))
    low = math.log(-m * q / (high - g)) / (1.0 - m) if high > g else g
    return (max(g, low) if low > 0.0 else g), high


@njit(cache=True, nogil=True, error_model="numpy")
def _ratio(y, m):
    """D = (e^{my} − 1)/(e^y − 1) and D'."""
    if m == 2.0:
        grown = math.exp(y)
        return grown + 1.0, grown
    if abs(y) < CLOSE:
        bend = 0.5 * m * (m - 1.0)
        middle = m + bend * y * (1.0 + (2.0 * m - 1.0) / 6.0 * y)
        ratio = math.expm1(m * y) / math.expm1(y) if abs(y) > 1e-12 else middle
        return ratio, bend * (1.0 + (2.0 * m - 1.0) / 3.0 * y)
    if y > 0.0:  # divided by e^y, so that neither overflows before D does
        shrunk = -math.expm1(-y)
        grown = math.exp((m - 1.0) * y)
        ratio = grown * -math.expm1(-m * y) / shrunk
        return ratio, (m * grown - ratio) / shrunk
    ratio = math.expm1(m * y) / math.expm1(y)
    return ratio, (m * math.exp(m * y) - ratio * math.exp(y)) / math.expm1(y)
