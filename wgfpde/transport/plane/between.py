"""W₂ between two measures in the plane: potentials from coarse lattices to fine ones, then bounds from both sides.

On the coarsest lattice dual ascent takes a few turns, on each that is twice as fine one (module `ascent`): what a
potential is off by enters both bounds in square.  Lattices get finer until the extrapolated distance no longer changes
or they have MOST_CELLS cells; for densities also finer than the cells, since it is the density that is moved, not the
centres of its cells.

Points beside a density need no lattice: the weights of their power cells give both bounds (folder `semidiscrete`).
Where these stay wide, the lattices and a programme narrow them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ...grid import Array, Grid
from ..benamou_brenier.nearby import solve_nearby
from ..c_transforms import CTransform
from ..semidiscrete.beside_density import beside
from .crossings import apart
from .dual_bound import Bound, DualBound
from .interpolation import Interpolation
from .ladder import Ladder, check_memory
from .measures import Atoms, Cells, Measure, Periods, Points
from .plan_bound import plan_cost
from .programme import between_lattices
from .sharper_bounds import lattices, semidiscrete, sharpened
from .weighted_norms import Near, near_bounds, uncrossed

MOST_CELLS = 2**16
"""Of lattices finer than the data."""
BOTH_WAYS = 2**15
"""Cells up to which both measures are tried as the source of the plan."""
TRUSTED = 0.5
"""Share of the extrapolated W₂² that the lower bound must reach: below, a lattice holds potentials in place, and what
two of them agree on is their own cost."""
WIDE, CLEAR, LESS = 0.03, 0.1, 0.5
"""Gaps above which programmes are to narrow the bounds, and up to which what lies between them is a value, which is
taken where they leave less than that share of the gap."""
LOOSE, CLOSE, FAIR = 0.05, 0.8, 0.7
"""Doubt up to which the finest lattice is believed between near densities, the share as above, and that from which it
has a say without being believed."""
NEAR, EARLY, KNOWN = 3.0, 0.15, 0.98
"""Distances in cells up to which densities may be near each other, and up to which lattices know less of them; share of
the extrapolated W₂² from which on a lower bound knows more."""
MOST_COMMON, SAME = 2**20, 1e-13
"""Cells of the common refinement of two grids, and lengths, over its own, at which two edges are one."""
INNER_STEPS, SHOT = 16, 1e-3
"""Of the shooting: steps in s, and the gap of its own problem that it must close."""
MOST_ATOMS = 2**13
"""Of both sides together, that the linear programme takes: some seconds."""
BYTES_NEAR = 1500
"""Held at most for each cell of near densities; measured."""
ROUNDING = 1e-14
"""Of the bounds, in units of the squared diagonal."""


@dataclass(frozen=True)
class Squares:
    """Of W₂² for mass 1.   value : the best guess, between the bounds, NaN where there is none.

    iterations : of conjugate gradients; of points beside a density, how often power cells were cut.
    """

    value: float
    lower: float
    upper: float
    iterations: int


def squared_distance(
    mu: Measure,
    nu: Measure,
    rings: tuple[bool, bool],
    tolerance: float,
    most_cells: int = MOST_CELLS,
    tell: Callable[[str], None] | None = None,
) -> Squares:
    """W₂² between two measures of mass 1, with bounds that hold whatever the tolerance.

    rings : which axes are periodic; both measures then span the same circle.   tolerance : relative, of the guess.
    most_cells : of lattices finer than the data.   tell : is told how far it is, of points beside a density.
    """
    met = _met(mu, nu, rings, tolerance, tell)
    if met is not None and not met.upper >= met.lower:
        met = None  # bounds that cross are none
    if met is not None and met.upper - met.lower <= WIDE * met.upper:
        return met
    found = _on_lattices(mu, nu, rings, tolerance, most_cells)
    lower, upper, iterations = found.lower, found.upper, found.iterations
    if met is not None:
        lower, upper, iterations = max(lower, met.lower), min(upper, met.upper), iterations + met.iterations
    lower = uncrossed(lower, upper)
    return Squares(min(max(found.value, lower), upper), lower, upper, iterations)


def _met(
    mu: Measure, nu: Measure, rings: tuple[bool, bool], tolerance: float, tell: Callable[[str], None] | None
) -> Squares | None:
    """Of points beside a density: bounds that meet, most often, and what lies between them as the value."""
    points, other = (mu, nu) if isinstance(mu, Points) else (nu, mu)
    if not isinstance(points, Points) or type(other) is not Cells:
        return None
    x, y = (axis.length if ring else None for axis, ring in zip(other.grid.axes, rings, strict=True))
    found = beside(points, other, (x, y), tolerance, tell)
    if found is None:
        return None
    return Squares(0.5 * (found.lower + found.upper), found.lower, found.upper, found.cuts)


def _on_lattices(mu: Measure, nu: Measure, rings: tuple[bool, bool], tolerance: float, most_cells: int) -> Squares:
    ladder = Ladder(mu, nu, rings, most_cells)
    bound_on = DualBound(mu, nu, ladder.periods)
    lower, near = 0.0, None
    while True:
        level, phi = ladder.next()
        if not ladder.as_fine_as_data:
            continue
        rounding = ROUNDING * sum(axis.length**2 for axis in level.axes)
        bound = bound_on(level, phi)
        if bound.doubt == math.inf:  # points alone: only a finer lattice tells
            bound = replace(bound, doubt=bound.estimate - lower)
        lower, settled = max(lower, bound.lower - rounding), _settled(bound, tolerance)
        if near is None and not settled:
            near = _near(mu, nu, bound)
            if near is not None and near.close and (near.tight or near.upper < (EARLY * min(_widths(mu, nu))) ** 2):
                return _shot(mu, nu, near, tolerance)
        if settled or not (mu.spread and nu.spread) or 4 * level.size > most_cells:
            break
    upper = _upper(mu, nu, level, phi, ladder.periods) + rounding
    if near is not None:
        if type(mu) is type(nu) is Cells and math.isnan(near.value) and upper - lower > WIDE * upper:
            near = _near_bounds(mu, nu) or near
        lower, upper = max(lower, near.lower), min(upper, near.upper)
    lower = uncrossed(lower, upper)
    if type(mu) is type(nu) is Cells and upper - lower > WIDE * upper and not ladder.coarse:
        better = _narrowed(mu, nu, ladder, level, phi, Near(lower, math.nan, upper), rounding)
        if not math.isnan(better.value):
            return Squares(better.value, better.lower, better.upper, ladder.iterations)
        lower, upper = better.lower, better.upper
    if upper - lower > tolerance * upper and (split := _split(mu, nu, level, bound_on)) is not None:
        lower, upper = max(lower, split.lower - rounding), min(upper, split.upper + rounding)
        value = max(bound.estimate, split.value)  # both of them from below
        return Squares(min(max(value, lower), upper), lower, upper, ladder.iterations)
    if type(mu) is type(nu) is Atoms and upper - lower > tolerance * upper:
        lower, upper = _polished(mu, nu, phi, ladder.periods, (lower, upper), rounding)
        bound = replace(bound, estimate=lower)
    if near is None or math.isnan(near.value) or _settled(bound, LOOSE, CLOSE):
        return Squares(min(max(bound.estimate, lower), upper), lower, upper, ladder.iterations)
    found = _shot(mu, nu, Near(lower, min(max(near.value, lower), upper), upper), tolerance)
    if bound.lower >= FAIR * bound.estimate:  # neither is believed, and what is wrong in both makes them larger
        found = replace(found, value=min(found.value, max(bound.estimate, lower)))
    return found


def _polished(
    mu: Atoms, nu: Atoms, phi: Array, periods: Periods, bounds: tuple[float, float], rounding: float
) -> tuple[float, float]:
    """Better bounds by a linear programme, where it is small."""
    x, y = ((side.grid.x.centers, side.grid.y.centers) for side in (mu, nu))
    programme, pairs = between_lattices(x, mu.mass, y, nu.mass, periods)
    if sum(len(held) for held in pairs.held) > MOST_ATOMS:
        return bounds
    found = programme.solve(np.ravel(phi)[pairs.held[1]])
    return max(2 * found.lower - rounding, bounds[0]), min(2 * found.upper + rounding, bounds[1])


def _split(mu: Measure, nu: Measure, level: Grid, bound_on: DualBound) -> Near | None:
    """Of points and another measure, where they are few enough."""
    for points, other in ((nu, mu), (mu, nu)):
        if isinstance(points, Points):
            return semidiscrete(points, other, level, bound_on)
    return None


def _narrowed(mu: Cells, nu: Cells, ladder: Ladder, level: Grid, phi: Array, wide: Near, rounding: float) -> Near:
    """Bounds by programmes, and their value where they say much more, else NaN."""
    found = [wide]
    for way in (_apart, sharpened):
        better = way(mu, nu, level, phi, ladder.periods)
        if better is not None:
            found.append(Near(better.lower - rounding, better.value, better.upper + rounding))
            if found[-1].upper - found[-1].lower <= WIDE * found[-1].upper:
                break
    lower, upper = max(near.lower for near in found), min(near.upper for near in found)
    best = min(found, key=lambda near: near.upper - near.lower)
    if upper - lower > CLEAR * upper or best.upper - best.lower > LESS * (wide.upper - wide.lower):
        return Near(lower, math.nan, upper)
    return Near(lower, min(max(best.value, lower), upper), upper)


def _apart(mu: Cells, nu: Cells, level: Grid, phi: Array, periods: Periods) -> Near | None:
    """On the finest lattice that cuts the cells of both and on which few cells hold what crosses."""
    if not _on_one_grid(mu, nu):
        return None
    for lattice in lattices(level):
        cuts = [fine.size / axis.size for fine, axis in zip(lattice.axes, mu.grid.axes, strict=True)]
        if min(cuts) < 1 or any(cut % 1 for cut in cuts):
            continue
        cell = lattice.volume / lattice.size
        found = apart(lattice, mu.deposit(lattice) / cell, nu.deposit(lattice) / cell, periods)
        if found is not None:
            return found
    return None


def _settled(bound: Bound, doubt: float, trusted: float = TRUSTED) -> bool:
    return bound.doubt <= doubt * bound.estimate and bound.lower >= trusted * bound.estimate


def _near(mu: Measure, nu: Measure, bound: Bound) -> Near | None:
    """Bounds of densities constant on cells, unless a lattice says that they are more than some cells apart."""
    if not type(mu) is type(nu) is Cells or bound.lower >= KNOWN * bound.estimate:
        return None
    if bound.lower >= sum((NEAR * h) ** 2 for h in _widths(mu, nu)):
        return None
    return _near_bounds(mu, nu, bound.lower if _settled(bound, LOOSE, CLOSE) else 0.0)


def _near_bounds(mu: Cells, nu: Cells, known: float = 0.0) -> Near | None:
    """Of densities on any two grids; None where what is constant for both is too small."""
    grid = mu.grid if mu.grid == nu.grid else common_refinement(mu.grid, nu.grid)
    if grid is not mu.grid and grid.size > MOST_COMMON:
        return None
    check_memory(BYTES_NEAR * grid.size, f"the path between two densities on {grid.size} cells")
    a, b = (side.density if grid is side.grid else side.deposit(grid) / grid.cell_volume for side in (mu, nu))
    return near_bounds(grid, a, b, known=known) if np.any(a != b) else Near(0.0, 0.0, 0.0)


def _widths(mu: Measure, nu: Measure) -> list[float]:
    return [max(p, q) for p, q in zip(mu.widths, nu.widths, strict=True)]


def common_refinement(one: Grid, other: Grid) -> Grid:
    """The coarsest grid over both on whose cells all that is constant on the cells of one or the other is constant."""
    merged = []
    for p, q in zip(one.axes, other.axes, strict=True):
        edges = np.unique(np.concatenate([p.edges, q.edges]))
        apart = np.diff(edges) > SAME * (edges[-1] - edges[0])
        edges = np.append(edges[:-1][apart], edges[-1])
        edges[0] = min(p.lower, q.lower)
        merged.append(edges)
    return Grid.of_edges(merged, [axis.boundary for axis in one.axes])


def _on_one_grid(mu: Measure, nu: Measure) -> bool:
    return type(mu) is type(nu) is Cells and mu.grid == nu.grid and mu.grid.uniform


def _shot(mu: Measure, nu: Measure, near: Near, tolerance: float) -> Squares:
    """Between near densities, within their bounds.

    Much closer than a cell the norm of `near` is the distance; from a cell on shooting is better on one uniform grid,
    which knows how the path bends and takes cells for smooth; in between the two are mixed.
    """
    value, iterations = near.value, 0
    if value > 0 and _on_one_grid(mu, nu):  # 0 of densities that rounding alone tells apart
        found = solve_nearby(mu.grid, mu.density, nu.density, INNER_STEPS, min(tolerance, SHOT))  # type: ignore
        iterations = found.iterations
        if found.gap <= max(tolerance, SHOT):
            cells = min(math.sqrt(2 * found.primal) / min(mu.widths), 1.0)
            value = cells * 2 * found.primal + (1 - cells) * value
            value = min(max(value, near.lower), near.upper)
    return Squares(value, near.lower, near.upper, iterations)


def _upper(mu: Measure, nu: Measure, level: Grid, phi: Array, periods: Periods) -> float:
    """The cost of a plan from the denser measure, which its map spreads, or the better of the two ways."""
    centres = [axis.centers for axis in level.axes]
    psi = CTransform(centres, None, periods)(phi)
    sides = [(mu.bundles(level), psi), (nu.bundles(level), CTransform(centres, None, periods)(psi))]
    concentration = [float(np.sum(bundles.mass**2)) for bundles, _ in sides]
    first = int(concentration[1] > concentration[0])
    costs = []
    for k in (first, 1 - first):
        (source, potential), target = sides[k], sides[1 - k][0]
        places = Interpolation(level, source.places)(potential)
        costs.append(plan_cost(places, source, target, periods))
        if level.size > BOTH_WAYS:
            break
    return min(costs)


def warm_up() -> None:
    """Compile, or load, every kernel that any pair needs: four small pairs, near and far, of cells and of points."""
    grid = Grid([0.0, 0.0], [1.0, 1.0], [16, 16])
    x, y = (np.broadcast_to(places, grid.shape) for places in grid.coordinates().values())
    flat, corner = Cells(grid, 1.0 + 0.0 * x), Cells(grid, (x < 0.3) & (y < 0.3))
    points = Points(np.array([[0.2, 0.3], [0.7, 0.6]]), np.ones(2))
    for mu, nu in ((flat, Cells(grid, 1.0 + 1e-3 * x)), (corner, flat), (flat, points), (points, points)):
        squared_distance(mu, nu, (False, False), 0.1, grid.size)
    sharpened(corner, flat, grid, np.zeros(grid.shape), (None, None))
