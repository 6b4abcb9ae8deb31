"""W₂ between points and a density that is constant on cells, in the plane: bounds that meet.

For any weights w, with the masses m_i of their power cells and what these cost, C = Σ ∫_{Lag_i} |x − y_i|² ρ,

    W₂² ≥ C + 2 Σ w_i (ν_i − m_i),        W₂² ≤ C + what it costs to move m_i − ν_i to where it is missing:

of a cell with too much the same share is taken everywhere, and coupled block by block (module `plane.plan_bound`).
Both are exact but for rounding, and differ by what the masses are off (module `newton_weights`).

Only differences from the means count: with both means in 0, W₂² is that of what is left and the squared distance of the
means.  The first cells are those nearest to the points, scaled to the spread of the density and into its box:

    ½|x − y|² − w = (½|x − (a y + b)|² + terms in x alone)/a,        w = ½|y|² − |a y + b|²/(2a).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from ...grid import Array
from ..plane.ladder import check_memory
from ..plane.measures import Cells, Periods, Points
from ..plane.plan_bound import coupled
from .easier_densities import first_density, spread_of, steps_towards
from .newton_weights import ascent, near_enough
from .power_cells import PowerCells, PowerDiagram

ACCURACY = 1e-6
"""Gap of W₂² at which the ascent ends, if no less is asked for: steps near the end square it."""
MOST_CUTS = 500
"""Of all power cells, for one distance."""
LIGHT, APART = 1e-18, 1e-10
"""Mass below which a point is joined to the heaviest one; distance, over the diagonal, below which places are rounded,
with what that adds in the bounds."""
INSIDE = 0.999
"""Share of the box that the first places may fill."""
BLOCKS = 64
"""Along the longer axis, within which what is too much is coupled first."""
ROUNDING = 1e-15
"""Of the bounds, in units of the squared diagonal, for the root of the number of cells that are summed."""
LOST = 1e-10
"""Mass that cells may lack."""


@dataclass(frozen=True)
class Beside:
    """lower, upper : of W₂² for mass 1.   cuts : how often all power cells were cut."""

    lower: float
    upper: float
    cuts: int


def beside(
    points: Points, density: Cells, periods: Periods, tolerance: float, tell: Callable[[str], None] | None = None
) -> Beside | None:
    """Bounds of W₂², tight to ACCURACY where MOST_CUTS suffice.

    None where one axis is a circle and points spread along the other more than the box does: they have no start here.
    tell : is told how far it is.
    """
    count, cells = len(points.places) * 3 ** sum(period is not None for period in periods), density.density.size
    depth = 2 * math.log2(max(density.density.shape)) + 28
    check_memory(4 * depth * count + 24 * 8 * (count + cells), f"the power cells of {len(points.places)} points")
    places, nu, off = _joined(points)
    centre, apart, edges = _centred(density, places, nu, periods)
    places = places - centre - apart
    weights = _first_weights(edges, density, places, nu, periods)
    if weights is None:
        return None
    extra, lower, upper, spent = float(np.sum(apart**2)), 0.0, math.inf, 0
    before = first_density(edges, density)
    start = PowerDiagram(edges, density.density, before, places, periods)(weights)
    for rho in [*steps_towards(edges, density, nu, start), density.density]:
        cuts, diagram = 0, PowerDiagram(edges, rho, before, places, periods)
        for weights, cells, cuts in ascent(diagram, nu, weights, MOST_CUTS - spent):  # noqa: B020
            if rho is not density.density:
                if near_enough(cells, nu):
                    break
                continue
            below, above = bounds(places, nu, weights, cells)
            lower, upper = max(lower, below + extra), min(upper, above + extra)
            if tell is not None and 0 < upper < math.inf:
                tell(f"power cells cut {spent + cuts} times, bounds {100 * (upper - lower) / upper:.2g} % apart")
            if upper - lower <= min(ACCURACY, tolerance) * upper:
                break
        before, spent = rho, spent + cuts
    extents = [max(e[-1], x.max()) - min(e[0], x.min()) for e, x in zip(edges, places.T, strict=True)]
    rounding = ROUNDING * math.sqrt(density.density.size) * (sum(extent**2 for extent in extents) + extra)
    lower, upper = max(lower - rounding, 0.0), upper + rounding
    return Beside(max(math.sqrt(lower) - off, 0.0) ** 2, (math.sqrt(upper) + off) ** 2, spent)


def bounds(places: Array, nu: Array, weights: Array, cells: PowerCells) -> tuple[float, float]:
    """Of W₂² between ρ and the masses ν (n,) at places (n, 2), up to rounding, from any weights and their cells.

    They say nothing, 0 and inf, where the cells lack mass: rounding has lost one between points too close together.
    """
    if not abs(float(np.sum(cells.mass)) - 1.0) <= LOST:
        return 0.0, math.inf
    cost, surplus = float(np.sum(cells.second)), cells.mass - nu
    lower = cost - 2 * float(np.sum(weights * surplus))
    much, little = np.maximum(surplus, 0.0), np.maximum(-surplus, 0.0)
    held = np.where(cells.mass > 0, cells.mass, 1.0)
    low = places.min(axis=0)
    y, shift, second = places - low, cells.shift.T / held[:, None], cells.second / held
    squares = np.sum(y**2, axis=1)
    columns = [much, *(much * (y + shift).T), much * (squares + 2 * np.sum(y * shift, axis=1) + second),
               little, *(little * y.T), little * squares]  # fmt: skip
    side = max(float(y.max()), 1e-300) / BLOCKS
    i, j = np.minimum((y / side).astype(int), BLOCKS - 1).T
    shape = (int(j.max()) + 1, int(i.max()) + 1)
    raster = [np.bincount(j * shape[1] + i, column, shape[0] * shape[1]).reshape(shape) for column in columns]
    return lower, cost - float(np.sum(much * second)) + float(coupled(np.stack(raster, axis=-1)))


def _joined(points: Points) -> tuple[Array, Array, float]:
    """Places apart from each other and masses that count, and a bound of W₂ to what they stand for."""
    places, masses = points.places, points.weights
    light, heaviest = masses < LIGHT, int(np.argmax(masses))
    moved = float(np.sum(masses[light] * np.sum((places[light] - places[heaviest]) ** 2, axis=1)))
    masses = np.where(light, 0.0, masses)
    masses[heaviest] += 1.0 - np.sum(masses)
    places, masses = places[~light], masses[~light]
    held, group = np.unique(places, axis=0, return_inverse=True)
    step = APART * math.hypot(*np.ptp(held, axis=0))
    if len(held) > 1 and np.min(cKDTree(held).query(held, k=2)[0][:, 1]) < step:
        rounded = held[0] + step * np.round((held - held[0]) / step)
        moved += float(np.sum(masses * np.sum((places - rounded[group.ravel()]) ** 2, axis=1)))
        held, group = np.unique(rounded[group.ravel()], axis=0, return_inverse=True)
    return held, np.bincount(group.ravel(), masses, len(held)), math.sqrt(2 * moved)


def _centred(density: Cells, places: Array, nu: Array, periods: Periods) -> tuple[Array, Array, list[Array]]:
    """The mean of the density, that of the points less it, and edges about it; both 0 along circles."""
    centre, apart, edges = np.zeros(2), np.zeros(2), []
    for k, axis in enumerate(density.grid.axes):
        if periods[k] is None:
            centre[k] = np.sum(np.sum(density.mass, axis=k) * axis.centers)
            apart[k] = np.sum(nu * places[:, k]) - centre[k]
        edges.append(axis.edges - centre[k])
    return centre, apart, edges


def _first_weights(edges: list[Array], density: Cells, places: Array, nu: Array, periods: Periods) -> Array | None:
    """With which no cell is empty; None where circles leave no scale to choose and the points do not fit."""
    low, high = places.min(axis=0), places.max(axis=0)
    box = np.array([[e[0], e[-1]] for e in edges])
    spread, middle = float(np.sum(nu * np.sum(places**2, axis=1))), box.mean(axis=1)
    inner = middle[:, None] + INSIDE * (box - middle[:, None])
    walls = [k for k in range(2) if periods[k] is None]
    wide = [k for k in walls if high[k] > low[k]]
    fits = min(((inner[k, 1] - inner[k, 0]) / (high[k] - low[k]) for k in wide), default=math.inf)
    scale = 1.0
    if len(walls) == 2 and spread > 0:
        scale = min(math.sqrt(2 * spread_of(edges, density) / spread), fits)
    if fits < scale:
        return None
    moved = np.zeros(2)
    for k in walls:
        moved[k] = max(inner[k, 0] - scale * low[k], 0.0) + min(inner[k, 1] - scale * high[k], 0.0)
    weights = 0.5 * np.sum(places**2, axis=1) - np.sum((scale * places + moved) ** 2, axis=1) / (2 * scale)
    return np.asarray(weights - np.sum(weights * nu))
