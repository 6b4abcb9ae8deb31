"""Both bounds of W₂² by exact programmes, on as fine a lattice as they can bear.

Where a potential is far from the best, as between scattered cells or across a vacuum, dual ascent takes its time: all
its steps are local.  The network simplex method does not mind.  Of a density on cells cut into parts of width w

    below:   the programme between the corners of parts, each of mass a quarter of the parts around it, less what
             spreading a part over its corners adds: the best bound that any potential at these corners gives;
    above:   the programme between the centres of parts, each of which moves as it is.

Between parts half as wide both gaps are a quarter; from two widths the one above is extrapolated.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...grid import Array, Grid
from .dual_bound import DualBound
from .interpolation import Interpolation
from .measures import Cells, Measure, Periods, Points
from .plan_bound import shapes
from .programme import Lattice, Programme, Scattered, between_lattices
from .weighted_norms import Near

MOST_PLACES = 2**12
"""Filled, of both sides together: about a second."""
MOST_SPLIT, MOST_PAIRS = 2**14, 2**24
"""Points and parts together, and pairs of them, each of which is looked at once a round."""
ACCURACY = 1e-5
"""Relative, of the programmes."""


Potential = Callable[[Lattice], Array]
"""Its values at the places of a lattice."""


def sharpened(mu: Cells, nu: Cells, level: Grid, phi: Array, periods: Periods) -> Near | None:
    """From a potential (ny, nx) on the side of ν at the centres of the finest lattice; None for too many cells."""

    def start(at: Lattice) -> Array:
        return Interpolation(level, at)(phi)

    widths = [lattice for lattice in lattices(level) if _count(mu, lattice) + _count(nu, lattice) <= MOST_PLACES]
    if not widths:
        return None
    lower = _below(mu, nu, widths[0], start, periods)
    upper = _above(mu, nu, widths[0], start, periods)
    value = 0.5 * (lower + upper)
    if len(widths) > 1 and all(_count(side, widths[1]) < _count(side, widths[0]) for side in (mu, nu)):
        value = upper - (_above(mu, nu, widths[1], start, periods) - upper) / 3
    return Near(lower, min(max(value, lower), upper), upper)


def semidiscrete(points: Points, other: Measure, level: Grid, bound: DualBound) -> Near | None:
    """Between points and cells, atoms or points: the programme between the points and the centres of parts.

    bound : for these two, on the finest lattice.   None for too many points or parts.
    A part all of which goes to one point costs what it must: both bounds leave out only what is split.
    """
    lattice = next((n for n in lattices(level) if _bearable(points.count, _filled(other, n))), None)
    if lattice is None:
        return None
    places, masses, inner = _parts(other, lattice)
    pairs = Scattered(places, points.places, bound.periods)
    best = Programme(pairs, masses, points.weights, bound.periods).solve(np.zeros(points.count), ACCURACY)
    upper = 2 * best.upper + inner
    if not isinstance(other, Cells) or not other.spread:
        return Near(2 * best.lower, 2 * best.lower, upper)
    below = bound.from_points(level, best.z, points, other)
    return Near(below.lower, min(max(below.estimate, below.lower), upper), upper)


def _bearable(n: int, m: int) -> bool:
    return n + m <= MOST_SPLIT and n * m <= MOST_PAIRS


def _filled(side: Measure, lattice: Grid) -> int:
    return side.count if isinstance(side, Points) else _count(side, lattice)


def _parts(side: Measure, lattice: Grid) -> tuple[Array, Array, float]:
    """Centres (n, 2) and masses (n,) of what is filled, and its second moments about these centres."""
    if isinstance(side, Points):
        return side.places, side.weights, 0.0
    bundles = side.bundles(lattice)
    held = bundles.mass > 0
    inner = [np.sum(bundles.mass * sigma**2) for sigma in (bundles.sigmas[0], bundles.sigmas[1][:, None])]
    return np.stack([x[held] for x in bundles.centres], axis=1), bundles.mass[held], float(sum(inner))


def lattices(level: Grid) -> list[Grid]:
    """The finest, and each with half as many cells along both axes."""
    found = [level]
    low, high = ([getattr(axis, end) for axis in level.axes] for end in ("lower", "upper"))
    while max(found[-1].shape) > 2:
        found.append(Grid(low, high, [max(2, axis.size // 2) for axis in found[-1].axes]))
    return found


def _count(side: Cells, lattice: Grid) -> int:
    return int(np.prod(side.cuts(lattice))) * int(np.count_nonzero(side.mass))


def _below(mu: Cells, nu: Cells, lattice: Grid, start: Potential, periods: Periods) -> float:
    x, y = mu.nodes(lattice), nu.nodes(lattice)
    (a, less_a), (b, less_b) = mu.on_nodes(x), nu.on_nodes(y)
    (x, a), (y, b) = _open(x, a, periods), _open(y, b, periods)
    programme, pairs = between_lattices(x, a, y, b, periods)
    return 2 * (programme.solve(np.ravel(start(y))[pairs.held[1]], ACCURACY).lower - less_a - less_b)


def _above(mu: Cells, nu: Cells, lattice: Grid, start: Potential, periods: Periods) -> float:
    source, target = mu.bundles(lattice), nu.bundles(lattice)
    programme, pairs = between_lattices(source.places, source.mass, target.places, target.mass, periods)
    z = np.ravel(start(target.places))[pairs.held[1]]
    return 2 * programme.solve(z, ACCURACY).upper + shapes(source, target)


def _open(nodes: Lattice, mass: Array, periods: Periods) -> tuple[Lattice, Array]:
    """Without the node that closes each circle, whose mass goes to the first."""
    x, y = nodes
    if periods[0] is not None:
        x, mass = x[:-1], np.hstack([mass[:, :1] + mass[:, -1:], mass[:, 1:-1]])
    if periods[1] is not None:
        y, mass = y[:-1], np.vstack([mass[:1] + mass[-1:], mass[1:-1]])
    return (x, y), mass
