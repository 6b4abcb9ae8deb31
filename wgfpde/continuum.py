"""A density through the cell values, on which functional inequalities are theorems, not approximations.

    ρ̃ = π e^{w} / ∫π e^{w},   π = e^{−V/κ}/Z,   w(x_i) = ln(ρ_i/π_i), linear between cell centres (bilinear in 2D)

ρ_i/π_i is that of the discrete Gibbs state, which the schemes keep: there w = const, ρ̃ = π and all below is 0.

    H(ρ|π) = ∫ρ ln(ρ/π),     I(ρ|π) = ∫ρ |∇ln(ρ/π)|² = ∫ρ |∇w|²,     W₂(ρ, π),        each times the mass

ρ̃ is a density with a Lipschitz logarithm relative to π, on a convex box or torus.  Every inequality that π has
therefore holds for these numbers up to the error of Gauss's rule in sub-cells, whatever the cells are; those of the
cell values themselves (`kl_gibbs`, `dissipation`/κ²) differ from them by O(h²) and may violate it by as much.  For
a shifted Gaussian w is linear, and ρ̃ is the Gaussian.

H is summed as ∫π f(w), f(w) = (w − 1)e^w + 1 ≥ 0, so that it is accurate near the Gibbs state too.  Beside
empty cells w is that of the nearest centre: H stays finite, I is infinite.

W₂ in 1D is that of the masses in the sub-cells, spread evenly: an error of order 4 in their width.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit

from .flow import Flow, once_per_flow
from .grid import Array, Axis
from .quantiles import Coupling
from .threads import default_threads, share

PARTS, POINTS = 4, 3
"""In 1D: sub-cells between two centres, and Gauss points in each: 12 points, exact beyond the 6th power in each."""
POINTS_2D = 2
"""Gauss points along each axis between four centres."""


@dataclass(frozen=True)
class Reading:
    """H and I of a density of mass M, M times those of ρ̃; `log_mass` = ln ∫π e^{w − ln M}."""

    entropy: float
    fisher: float
    log_mass: float


@dataclass(frozen=True)
class _Nodes:
    """An axis between its centres.   lower, width : (n,) of each stretch.   left, right : (n,) cells at its ends."""

    lower: Array
    width: Array
    left: Array
    right: Array


@once_per_flow
def continuum(flow: Flow) -> Continuum:
    """The continuous Gibbs state of a flow, made once."""
    return Continuum(flow)


class Continuum:
    """π at the points of a quadrature of the box, for a flow that has a Gibbs state.  Raises CaseError for others."""

    def __init__(self, flow: Flow) -> None:
        self._periodic = flow.grid.x.periodic
        self._log_pi_cells = flow.unit_gibbs[1]
        self._nodes = [_between_centres(axis) for axis in flow.grid.axes]
        parts, points = (PARTS, POINTS) if flow.grid.dim == 1 else (1, POINTS_2D)
        self._at, weights = _composite_gauss(parts, points)
        if flow.grid.dim == 1:
            self._weights = self._nodes[0].width[:, None] * weights
        else:
            area = self._nodes[1].width[:, None] * self._nodes[0].width
            self._weights = area[..., None] * np.outer(weights, weights).ravel()
        self._log_pi = self._log_density(flow)
        self._last: tuple[Array, float] | None = None

    def _log_density(self, flow: Flow) -> Array:
        """ln π at the points, (n, q) or (ny, nx, q·q), normalised there."""
        places = [n.lower[:, None] + n.width[:, None] * self._at for n in self._nodes]
        if flow.energy.potential is None:
            values = np.zeros(self._weights.shape)
        elif flow.grid.dim == 1:
            values = np.array(np.broadcast_to(flow.energy.potential(x=places[0]), self._weights.shape), dtype=float)
        else:
            x, y = places[0][None, :, None, :], places[1][:, None, :, None]
            full = (y.shape[0], x.shape[1], len(self._at), len(self._at))
            values = np.array(np.broadcast_to(flow.energy.potential(x=x, y=y), full), dtype=float)
            values = values.reshape(self._weights.shape)
        exponent = -(values - values.min()) / flow.internal.kappa
        return exponent - math.log(float(np.sum(self._weights * np.exp(exponent))))

    def read(self, rho: Array, mass: float) -> Reading:
        """H and I of cell averages ≥ 0, array of the grid's shape, and their mass > 0."""
        with np.errstate(divide="ignore"):
            w = np.log(rho) - (self._log_pi_cells + math.log(mass))
        entropy, surplus, fisher = self._sums_1d(w) if w.ndim == 1 else self._sums_2d(w)
        # ∫ρ̃ w̃ of the normalised density from A = ∫π f(w) and B = ∫π(e^w − 1), without cancellation
        scaled = (entropy - _excess(surplus)) / (1 + surplus)
        infinite = not np.all(np.isfinite(w))
        return Reading(mass * scaled, math.inf if infinite else mass * fisher / (1 + surplus), math.log1p(surplus))

    def _sums_1d(self, w: Array) -> tuple[float, float, float]:
        """A, B and ∫π e^w |w'|²."""
        n = self._nodes[0]
        slope, between = self._between(w)
        pi, rho = np.exp(self._log_pi), np.exp(self._log_pi + between)
        small = np.abs(between) <= NEAR
        v = np.where(small, between, 0.0)
        with np.errstate(invalid="ignore"):
            plain = np.where(np.isfinite(between), rho * (between - 1), 0.0) + pi
        entropy = np.where(small, pi * _entropy_series(v), plain)
        surplus = np.where(small, pi * np.expm1(v), rho - pi)
        steep = (slope / n.width[:, None]) ** 2
        a, b, c = (float(np.sum(np.sum(self._weights * f, axis=1))) for f in (entropy, surplus, rho * steep))
        return a, b, c

    def _between(self, w: Array) -> tuple[Array, Array]:
        """The rise of w over each stretch (n, 1), and w at the points (n, q), in 1D."""
        left, right = w[self._nodes[0].left][:, None], w[self._nodes[0].right][:, None]
        full = np.isfinite(left) & np.isfinite(right)
        slope = np.where(full, right, 0.0) - np.where(full, left, 0.0)
        nearest = np.where(self._at < 0.5, left, right)
        return slope, np.where(full, np.where(full, left, 0.0) + slope * self._at, nearest)

    def _sums_2d(self, w: Array) -> tuple[float, float, float]:
        nx, ny = self._nodes
        sums = np.empty((3, len(ny.lower)))
        share(
            _rows, len(ny.lower), w.size, default_threads(), np.ascontiguousarray(w), self._log_pi, self._weights,
            self._at, nx.left, nx.right, nx.width, ny.left, ny.right, ny.width, sums,
        )  # fmt: skip
        return float(sums[0].sum()), float(sums[1].sum()), float(sums[2].sum())

    def w2(self, rho: Array, mass: float) -> float:
        """W₂(ρ, π) of a density in 1D, for its mass > 0.  That of the same array as last time is remembered."""
        if self._last is None or self._last[0] is not rho:
            self._last = rho, self._w2(rho, mass)
        return self._last[1]

    def _w2(self, rho: Array, mass: float) -> float:
        n = self._nodes[0]
        with np.errstate(divide="ignore"):
            between = self._between(np.log(rho) - (self._log_pi_cells + math.log(mass)))[1]
        shape = (len(n.lower) * PARTS, POINTS)
        pi = np.sum((self._weights * np.exp(self._log_pi)).reshape(shape), axis=1)
        full = np.sum((self._weights * np.exp(self._log_pi + between)).reshape(shape), axis=1)
        steps = n.width[:, None] * (np.arange(PARTS) / PARTS)
        edges = np.append(np.ravel(n.lower[:, None] + steps), n.lower[-1] + n.width[-1])
        return math.sqrt(mass) * Coupling(edges, full / full.sum(), edges, pi / pi.sum(), self._periodic).w2


def _between_centres(axis: Axis) -> _Nodes:
    """The stretches between neighbouring centres; under no-flux also the half cells at the walls, with constant w."""
    n, centers = axis.size, axis.centers
    if axis.periodic:
        cells = np.arange(n)
        return _Nodes(centers, axis.distances, cells, (cells + 1) % n)
    ends = np.concatenate([[axis.lower], centers, [axis.upper]])
    cells = np.clip(np.arange(-1, n + 1), 0, n - 1)
    return _Nodes(ends[:-1], np.diff(ends), cells[:-1], cells[1:])


def _composite_gauss(parts: int, points: int) -> tuple[Array, Array]:
    """Nodes in (0, 1) and weights of Gauss's rule in each of `parts` equal parts, (parts·points,)."""
    nodes, weights = np.polynomial.legendre.leggauss(points)
    offsets = np.arange(parts)[:, None]
    return np.ravel((offsets + 0.5 * (nodes + 1)) / parts), np.tile(0.5 * weights / parts, parts)


NEAR = 0.05
"""Below this |w| the functions f(w) and e^w − 1 are taken by their series, which do not cancel."""
SERIES = [(k - 1) / math.factorial(k) for k in range(2, 11)]
"""f(w) = (w − 1)e^w + 1 = Σ_{k≥2} (k−1)/k! w^k; what is left out is below 1e-19 w²."""


def _entropy_series(w: Array) -> Array:
    total = np.full_like(w, SERIES[-1])
    for coefficient in SERIES[-2::-1]:
        total *= w
        total += coefficient
    return total * w * w


def _excess(b: float) -> float:
    """(1 + b) ln(1 + b) − b ≥ 0, accurately for small b."""
    if abs(b) > 1e-2:
        return (1 + b) * math.log1p(b) - b
    return sum((-b) ** k / (k * (k - 1)) for k in range(2, 12))


@njit(cache=True, nogil=True, error_model="numpy")
def _rows(first, last, w, log_pi, weights, at, left, right, dx, lower, upper, dy, sums):
    """A, B and ∫π e^w |∇w|² of the stretches in rows [first, last)."""
    points = len(at)
    for j in range(first, last):
        entropy, surplus, fisher = 0.0, 0.0, 0.0
        for i in range(len(dx)):
            a, b = w[lower[j], left[i]], w[lower[j], right[i]]
            c, d = w[upper[j], left[i]], w[upper[j], right[i]]
            full = math.isfinite(a) and math.isfinite(b) and math.isfinite(c) and math.isfinite(d)
            for q in range(points):
                for p in range(points):
                    k = q * points + p
                    weight = weights[j, i, k]
                    pi = math.exp(log_pi[j, i, k])
                    s, t = at[p], at[q]
                    if full:
                        v = (1.0 - t) * (a + s * (b - a)) + t * (c + s * (d - c))
                    elif t < 0.5:
                        v = a if s < 0.5 else b
                    else:
                        v = c if s < 0.5 else d
                    if v == -math.inf:
                        entropy += weight * pi
                        surplus -= weight * pi
                        continue
                    if abs(v) <= 0.05:
                        less = v * (1.0 + v * (0.5 + v * (1 / 6 + v * (1 / 24 + v * (1 / 120 + v * (1 / 720
                               + v * (1 / 5040 + v / 40320)))))))  # fmt: skip
                        rho = pi * (1.0 + less)
                        entropy += weight * pi * v * v * (0.5 + v * (1 / 3 + v * (1 / 8 + v * (1 / 30 + v * (1 / 144
                                   + v * (1 / 840 + v * (1 / 5760 + v * (1 / 45360 + v / 403200))))))))  # fmt: skip
                        surplus += weight * pi * less
                    else:
                        rho = math.exp(log_pi[j, i, k] + v)
                        entropy += weight * (rho * (v - 1.0) + pi)
                        surplus += weight * (rho - pi)
                    if not full:
                        continue
                    gx = ((1.0 - t) * (b - a) + t * (d - c)) / dx[i]
                    gy = ((1.0 - s) * (c - a) + s * (d - b)) / dy[j]
                    fisher += weight * rho * (gx * gx + gy * gy)
        sums[0, j], sums[1, j], sums[2, j] = entropy, surplus, fisher
