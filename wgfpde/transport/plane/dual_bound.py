"""A lower bound of W₂² between two measures, from a potential of any kind.

For all φ and its c-transform ψ on two lattices of nodes, extended as in `measures`,

    ½W₂² ≥ ∫φ dν + ∫ψ dμ,      ψ(x) = min_y ½|x − y|² − φ(y) over the nodes y.

The extended φ is ½|y|² less the convex envelope of its nodes, and the conjugate of an envelope is that of its nodes: ψ
is exact at every x, and convexity bounds it between its own nodes.  No potential makes the bound wrong; a potential
that is off by δ costs δ², and the lattice costs about ½w² in W₂² for sides w of its cells.  The same potential on every
second node costs four times that: `Bound.estimate` extrapolates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...grid import Array, Grid
from ..c_transforms import CTransform, at_points, from_points
from .interpolation import Interpolation
from .measures import Measure, Periods, Points

Nodes = tuple[Array, Array]
LATTICES = 3
MOST_PAIRS = 2**29
"""Of points with nodes or points that are compared one by one; beyond, points are interpolated between nodes."""


@dataclass(frozen=True)
class Bound:
    """lower : of W₂², rigorous.   estimate : of W₂², extrapolated.   doubt : how far the estimate of lattices twice as
    coarse was from it."""

    lower: float
    estimate: float
    doubt: float


class DualBound:
    """The bound for two measures on one lattice after another.   periods : as for `CTransform`."""

    def __init__(self, mu: Measure, nu: Measure, periods: Periods) -> None:
        self._mu, self._nu, self.periods = mu, nu, periods

    def __call__(self, level: Grid, phi: Array) -> Bound:
        """phi : (ny, nx) on the centres of a lattice, the potential on the side of ν."""
        for points, other in ((self._nu, self._mu), (self._mu, self._nu)):
            if isinstance(points, Points) and points.count * _count(level, other) <= MOST_PAIRS:
                return self._of_points(level, phi, points, other)
        x, y = self._mu.nodes(level), self._nu.nodes(level)
        transform = self._transform(y, x)
        psi = self._closed(transform(self._open(Interpolation(level, y)(phi))))
        phi = self._closed(self._transform(x, y)(self._open(psi)))
        found = [2 * (self._nu.integral(phi, y) + self._mu.integral(psi, x))]
        if not (self._mu.spread and self._nu.spread):
            return Bound(found[0], found[0], 0.0)
        for k in range(1, LATTICES):
            found.append(2 * self._coarse(phi, x, y, 2**k))
        return _extrapolated(found)

    def _of_points(self, level: Grid, phi: Array, points: Points, other: Measure) -> Bound:
        """From the potential at the points alone: nothing else has to stay below it."""
        centres = level.x.centers, level.y.centers
        if points is self._nu:
            phi = CTransform(centres, None, self.periods)(phi)
        return self.from_points(level, at_points(phi, centres, points.places, self.periods), points, other)

    def from_points(self, level: Grid, p: Array, points: Points, other: Measure) -> Bound:
        """From a potential (n,) at the points, with the other measure on nodes about as fine as a lattice."""
        if isinstance(other, Points):
            q = pairwise(p, points.places, other.places, self.periods)
            p = pairwise(q, other.places, points.places, self.periods)
            value = 2 * float(p @ points.weights + q @ other.weights)
            return Bound(value, value, np.inf)
        nodes, found = other.nodes(level), []
        for k in range(LATTICES):
            few = tuple(n[_every(len(n), 2**k)] for n in nodes)
            q = self._closed(from_points(p, points.places, [self._turn(n, k) for k, n in enumerate(few)], self.periods))
            back = at_points(self._open(q), [self._turn(n, k) for k, n in enumerate(few)], points.places, self.periods)
            found.append(2 * (float(back @ points.weights) + other.integral(_extended(q, few, nodes), nodes)))
        if not other.spread:
            return Bound(found[0], found[0], 0.0)
        return _extrapolated(found)

    def _coarse(self, phi: Array, x: Nodes, y: Nodes, step: int) -> float:
        """The bound from every so many nodes, extended to all of them."""
        pick_x, pick_y = ([_every(len(n), step) for n in nodes] for nodes in (x, y))
        few_x, few_y = (tuple(n[p] for n, p in zip(nodes, pick, strict=True)) for nodes, pick in
                        ((x, pick_x), (y, pick_y)))  # fmt: skip
        phi = np.ascontiguousarray(phi[np.ix_(*pick_y[::-1])])
        psi = self._closed(self._transform(few_y, few_x)(self._open(phi)))
        phi = self._closed(self._transform(few_x, few_y)(self._open(psi)))
        return self._nu.integral(_extended(phi, few_y, y), y) + self._mu.integral(_extended(psi, few_x, x), x)

    def _transform(self, sources: Nodes, targets: Nodes) -> CTransform:
        return CTransform([self._turn(n, k) for k, n in enumerate(sources)],
                          [self._turn(n, k) for k, n in enumerate(targets)], self.periods)  # fmt: skip

    def _turn(self, nodes: Array, k: int) -> Array:
        return nodes if self.periods[k] is None else nodes[:-1]

    def _open(self, values: Array) -> Array:
        """Without the node that closes each circle."""
        ends = [None if period is None else -1 for period in self.periods]
        return np.ascontiguousarray(values[: ends[1], : ends[0]])

    def _closed(self, values: Array) -> Array:
        more = [(0, 0 if period is None else 1) for period in self.periods]
        return np.pad(values, more[::-1], mode="wrap") if any(m[1] for m in more) else values


def _extrapolated(found: list[float]) -> Bound:
    """Of bounds from all nodes, from every second and from every fourth: what they leave out falls by four."""
    fine, coarse = ((4 * found[k] - found[k + 1]) / 3 for k in range(2))
    return Bound(found[0], fine, abs(fine - coarse))


def _count(level: Grid, other: Measure) -> int:
    return other.count if isinstance(other, Points) else level.size


def pairwise(phi: Array, points: Array, places: Array, periods: Periods) -> Array:
    """φ^c from points to places, (n,) and (m,)."""
    each = [from_points(phi, points, (place[:1], place[1:]), periods)[0, 0] for place in places]
    return np.array(each)


def _every(count: int, step: int) -> Array:
    picked = np.arange(0, count, step)
    return picked if picked[-1] == count - 1 else np.append(picked, count - 1)


def _extended(values: Array, few: Nodes, nodes: Nodes) -> Array:
    """A lower bound of the extension at more nodes: bilinear, less ½(x − x₀)(x₁ − x) per axis."""
    for k in range(2):
        i = np.clip(np.searchsorted(few[k], nodes[k], side="right") - 1, 0, len(few[k]) - 2)
        low, high = few[k][i], few[k][i + 1]
        share, less = (nodes[k] - low) / (high - low), 0.5 * (nodes[k] - low) * (high - nodes[k])
        if k == 0:
            values = (1 - share) * values[:, i] + share * values[:, i + 1] - less
        else:
            values = (1 - share)[:, None] * values[i] + share[:, None] * values[i + 1] - less[:, None]
    return values
