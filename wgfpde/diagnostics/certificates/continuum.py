"""A density through the cell values, on which functional inequalities are theorems, not approximations.

    ρ̃ = π e^{w} / ∫π e^{w},   π = e^{−V/κ}/Z,   w(x_i) = ln(ρ_i/π_i), linear between cell centres (bilinear in 2D)

ρ_i/π_i is that of the discrete Gibbs state, which the schemes keep: there w = const, ρ̃ = π and all below is 0.

    H(ρ|π) = ∫ρ ln(ρ/π),     I(ρ|π) = ∫ρ |∇ln(ρ/π)|² = ∫ρ |∇w|²,     W₂(ρ, π),        each times the mass

ρ̃ is a density with a Lipschitz logarithm relative to π, on a convex box or torus.  Every inequality that π has
therefore holds for these numbers up to the error of Gauss's rule in sub-cells, whatever the cells are; those of the
cell values themselves (`kl_gibbs`, `dissipation`/κ²) differ from them by O(h²) and may violate it by as much.  For
a shifted Gaussian w is linear, and ρ̃ is the Gaussian.  Where V rises by many κ over a cell, ρ̃ is a density that the
cells do not tell: its mass before it is normalised says so (`Reading.resolved`).

H is summed as ∫π f(w), f(w) = (w − 1)e^w + 1 ≥ 0, so that it is accurate near the Gibbs state too.  Beside
empty cells w is that of the nearest centre: H stays finite, I is infinite.

On a line W₂ is that of the masses in the sub-cells, each with a density whose logarithm is linear there; with the
levels F summed from the nearer end, a distance is known to 1e-14 of the box, also close to equilibrium.  Spread
evenly, as on a circle, a displacement m would come out too long by (s/σ)²/12 of it where m is below the width s of
a sub-cell: enough to break Talagrand's inequality, which a Gaussian that comes to rest saturates.  On a circle only the
uniform measure has sharp constants, and to spread it evenly is exact.

A sub-cell is a 50th of the width of π at most, ∫π|V'/κ|² = 1/σ²: for translates of Gaussians that leaves 1.3e-9 of W₂².
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ...energy.flow import Flow, once_per_flow
from ...grid import Array, Axis
from ...grid.tables.kept_function import in_integrals
from ...linear.threads import default_threads, share
from ...transport.line import Coupling, composite_gauss, line_distance
from .entropy_terms import NEAR, entropy_series, excess, sum_rows

POINTS = 3, 2
"""Gauss points along each axis of a sub-cell, in 1D and in 2D."""
LEAST, LEAST_ON_CIRCLE = (1600, 64), 512
"""Sub-cells along an axis, at least."""
WITHIN = 50, 2
"""Sub-cells in the width σ of π."""
MOST = 65536, 2**20
"""Sub-cells in all, at most, but for 4 between two centres in 1D and 1 in 2D."""
UNTOLD = 0.5
"""Logarithm of the mass that ρ̃ has before it is normalised, beyond which it says nothing of the cells."""
NORMAL = 0.1
"""Excess of that mass over 1 up to which the sums are accurate as they are."""


@dataclass(frozen=True)
class Reading:
    """H and I of a density of mass M, M times those of ρ̃; `log_mass` = ln ∫π e^{w − ln M}."""

    entropy: float
    fisher: float
    log_mass: float

    @property
    def resolved(self) -> bool:
        """Whether the cells tell the density between their centres: ∫π e^w is the mass, up to a factor of √e."""
        return abs(self.log_mass) <= UNTOLD


@dataclass(frozen=True)
class _Nodes:
    """An axis between its centres.   lower, width : (n,) of each stretch.   left, right : (n,) cells at its ends."""

    lower: Array
    width: Array
    left: Array
    right: Array


@once_per_flow
def continuum_of(flow: Flow) -> Continuum:
    """The continuous Gibbs state of a flow, made once."""
    return Continuum(flow)


class Continuum:
    """π at the points of a quadrature of the box, for a flow that has a Gibbs state.  Raises CaseError for others."""

    def __init__(self, flow: Flow) -> None:
        self._ring = flow.grid.x.ring
        self._log_pi_cells = flow.unit_gibbs[1]
        self._nodes = [_between_centres(axis) for axis in flow.grid.axes]
        self._lay_out(flow, _parts(flow, np.inf))
        parts = _parts(flow, self._width(flow))
        if parts != self._parts:
            self._lay_out(flow, parts)
        self._known: list[tuple[Array, float]] = []

    def _lay_out(self, flow: Flow, parts: int) -> None:
        """Points and weights of so many sub-cells between two centres along each axis, and ln π there."""
        self._parts = parts
        self._at, weights = composite_gauss(parts, POINTS[flow.grid.dim - 1])
        if flow.grid.dim == 1:
            self._weights = self._nodes[0].width[:, None] * weights
        else:
            area = self._nodes[1].width[:, None] * self._nodes[0].width
            self._weights = area[..., None] * np.outer(weights, weights).ravel()
        self._log_pi = self._log_density(flow)

    def _width(self, flow: Flow) -> float:
        """σ of π, 1/σ² = ∫π |∂ ln π|²: between the points in 1D, in 2D between cells along the steeper axis."""
        if flow.grid.dim == 1:
            n = self._nodes[0]
            places = np.ravel(n.lower[:, None] + n.width[:, None] * self._at)
            rise = np.diff(self._log_pi.ravel())
            pi = np.exp(np.maximum(self._log_pi.ravel()[1:], self._log_pi.ravel()[:-1]))
            steepest = float(np.sum(pi * rise**2 / np.diff(places)))
            return 1 / math.sqrt(steepest) if steepest > 0 else math.inf
        steepest, share = 0.0, np.exp(self._log_pi_cells) * flow.grid.cell_volume
        for k, axis in enumerate(reversed(flow.grid.axes)):
            rise = np.moveaxis(np.diff(self._log_pi_cells, axis=k), k, -1) / axis.distances[:-1]
            along = np.moveaxis(share, k, -1)
            steepest = max(steepest, float(np.sum(np.maximum(along[..., 1:], along[..., :-1]) * rise**2)))
        return 1 / math.sqrt(steepest) if steepest > 0 else math.inf

    def _log_density(self, flow: Flow) -> Array:
        """ln π at the points, (n, q) or (ny, nx, q·q), normalised there."""
        places = [n.lower[:, None] + n.width[:, None] * self._at for n in self._nodes]
        potential = None if flow.energy.potential is None else in_integrals(flow.energy.potential)
        if potential is None:
            values = np.zeros(self._weights.shape)
        elif flow.grid.dim == 1:
            values = np.array(np.broadcast_to(potential(x=places[0]), self._weights.shape), dtype=float)
        else:
            x, y = places[0][None, :, None, :], places[1][:, None, :, None]
            full = (y.shape[0], x.shape[1], len(self._at), len(self._at))
            values = np.array(np.broadcast_to(potential(x=x, y=y), full), dtype=float).reshape(self._weights.shape)
        exponent = -(values - values.min()) / flow.internal.kappa
        return exponent - math.log(float(np.sum(self._weights * np.exp(exponent))))

    def read(self, rho: Array, mass: float) -> Reading:
        """H and I of cell averages ≥ 0, array of the grid's shape, and their mass > 0."""
        with np.errstate(divide="ignore"):
            w = np.log(rho) - (self._log_pi_cells + math.log(mass))
        sums, shift = self._sums_1d if w.ndim == 1 else self._sums_2d, 0.0
        entropy, surplus, fisher, total, top = sums(w)
        for _ in range(2):  # what is taken from w leaves ρ̃ as it is
            if abs(surplus) <= NORMAL:
                break
            shift += math.log(total) if 0.0 < total < math.inf else top
            entropy, surplus, fisher, total, top = sums(w - shift)
        # ∫ρ̃ w̃ of the normalised density from A = ∫π f(w) and B = ∫π(e^w − 1), without cancellation
        scaled = (entropy - excess(surplus)) / (1 + surplus)
        infinite = not np.all(np.isfinite(w))
        fisher = math.inf if infinite else mass * fisher / (1 + surplus)
        return Reading(mass * scaled, fisher, shift + math.log1p(surplus))

    def _sums_1d(self, w: Array) -> tuple[float, float, float, float, float]:
        """A, B, ∫π e^w |w'|², ∫π e^w, and the largest ln(π e^w)."""
        n = self._nodes[0]
        slope, between = self._between(w)
        with np.errstate(over="ignore"):
            pi, rho = np.exp(self._log_pi), np.exp(self._log_pi + between)
        small = np.abs(between) <= NEAR
        v = np.where(small, between, 0.0)
        with np.errstate(invalid="ignore", over="ignore"):
            plain = np.where(np.isfinite(between), rho * (between - 1), 0.0) + pi
            entropy = np.where(small, pi * entropy_series(v), plain)
            surplus = np.where(small, pi * np.expm1(v), rho - pi)
            terms = (entropy, surplus, rho * (slope / n.width[:, None]) ** 2, rho)
            a, b, c, d = (float(np.sum(np.sum(self._weights * f, axis=1))) for f in terms)
        return a, b, c, d, float(np.max(self._log_pi + between))

    def _between(self, w: Array) -> tuple[Array, Array]:
        """The rise of w over each stretch (n, 1), and w at the points (n, q), in 1D."""
        left, right = w[self._nodes[0].left][:, None], w[self._nodes[0].right][:, None]
        full = np.isfinite(left) & np.isfinite(right)
        slope = np.where(full, right, 0.0) - np.where(full, left, 0.0)
        nearest = np.where(self._at < 0.5, left, right)
        return slope, np.where(full, np.where(full, left, 0.0) + slope * self._at, nearest)

    def _sums_2d(self, w: Array) -> tuple[float, float, float, float, float]:
        nx, ny = self._nodes
        sums = np.empty((5, len(ny.lower)))
        share(
            sum_rows, len(ny.lower), w.size, default_threads(), np.ascontiguousarray(w), self._log_pi, self._weights,
            self._at, nx.left, nx.right, nx.width, ny.left, ny.right, ny.width, sums,
        )  # fmt: skip
        a, b, c, d = (float(row.sum()) for row in sums[:4])
        return a, b, c, d, float(sums[4].max())

    def w2(self, rho: Array, mass: float) -> float:
        """W₂(ρ, π) of a density in 1D, for its mass > 0.  Those of the last two arrays are remembered."""
        for array, known in self._known:
            if array is rho:
                return known
        found = self._w2(rho, mass)
        self._known = [*self._known[-1:], (rho, found)]
        return found

    def _w2(self, rho: Array, mass: float) -> float:
        n = self._nodes[0]
        with np.errstate(divide="ignore"):
            w = np.log(rho) - (self._log_pi_cells + math.log(mass))
        between = self._between(w)[1]
        between = between - np.max(self._log_pi + between)
        shape = (len(n.lower) * self._parts, POINTS[0])
        steps = n.width[:, None] * (np.arange(self._parts) / self._parts)
        edges = np.append(np.ravel(n.lower[:, None] + steps), n.lower[-1] + n.width[-1])
        logs = self._log_pi.reshape(shape), (self._log_pi + between).reshape(shape)
        pi, full = (np.sum(self._weights.reshape(shape) * np.exp(log), axis=1) for log in logs)
        if self._ring:
            return math.sqrt(mass) * Coupling(edges, full / full.sum(), edges, pi / pi.sum(), True).w2
        span = self._at[POINTS[0] - 1] - self._at[0]
        with np.errstate(invalid="ignore"):
            rises = [(log[:, -1] - log[:, 0]) / (span * self._parts) for log in logs]
        return math.sqrt(mass) * line_distance(edges, full, rises[1], pi, rises[0])


def _parts(flow: Flow, width: float) -> int:
    """Sub-cells between two centres, where π is that wide; in 1D an even number: none lies astride the middle."""
    dim, axes = flow.grid.dim, flow.grid.axes
    least = LEAST_ON_CIRCLE if dim == 1 and axes[0].ring else LEAST[dim - 1]
    wanted = max(max(least / a.size, WITHIN[dim - 1] * float(a.widths.max()) / width) for a in axes)
    parts = math.ceil(min(wanted, (MOST[dim - 1] / flow.grid.size) ** (1 / dim)))
    return max(4, parts + parts % 2) if dim == 1 else max(1, parts)


def _between_centres(axis: Axis) -> _Nodes:
    """The stretches between neighbouring centres; under no-flux also the half cells at the walls, with constant w."""
    n, centers = axis.size, axis.centers
    if axis.ring:
        cells = np.arange(n)
        return _Nodes(centers, axis.distances, cells, (cells + 1) % n)
    ends = np.concatenate([[axis.lower], centers, [axis.upper]])
    cells = np.clip(np.arange(-1, n + 1), 0, n - 1)
    return _Nodes(ends[:-1], np.diff(ends), cells[:-1], cells[1:])
