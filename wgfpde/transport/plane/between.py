"""W₂ between two measures in the plane: potentials from coarse lattices to fine ones, then bounds from both sides.

On the coarsest lattice dual ascent takes a few turns, on each that is twice as fine one (module `ascent`): what a
potential is off by enters both bounds in square.  Lattices get finer until the extrapolated distance no longer changes
or they have MOST_CELLS cells; for densities also finer than the cells, since it is the density that is moved, not the
centres of its cells.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ...grid import Array, Grid
from ...grid.boundary import PERIODIC
from ..c_transforms import CTransform, periods_of
from .ascent import Ascent
from .dual_bound import Bound, DualBound
from .interpolation import Interpolation
from .measures import Measure
from .plan_bound import plan_cost

COARSEST, LEAST = 16, 64
"""Cells along the longer axis of the first lattice, and of the first whose bounds are asked for."""
MOST_CELLS = 2**16
"""Of lattices finer than the data."""
FIRST_TURNS, TURNS = 6, 1
"""Of the ascent: on the first lattice, on the others."""
BOTH_WAYS = 2**15
"""Cells up to which both measures are tried as the source of the plan."""
ROUNDING = 1e-14
"""Of the bounds, in units of the squared diagonal."""


@dataclass(frozen=True)
class Squares:
    """Of W₂² for mass 1.   value : the best guess, between the bounds.   iterations : of conjugate gradients."""

    value: float
    lower: float
    upper: float
    iterations: int


def squared_distance(
    mu: Measure, nu: Measure, rings: tuple[bool, bool], tolerance: float, most_cells: int = MOST_CELLS
) -> Squares:
    """W₂² between two measures of mass 1, with bounds that hold whatever the tolerance.

    rings : which axes are periodic; both measures then span the same circle.   tolerance : relative, of the guess.
    most_cells : of lattices finer than the data.
    """
    levels = Ladder(mu, nu, rings)
    below = DualBound(mu, nu, levels.periods)
    best: Bound | None = None
    while True:
        level, phi = levels.next()
        if not levels.as_fine_as_data:
            continue
        bound = below(level, phi)
        lower = bound.lower if best is None else max(best.lower, bound.lower)
        best = Bound(lower, bound.estimate, bound.doubt)
        finer = (mu.spread or nu.spread) and 4 * level.size <= most_cells
        if not finer or bound.doubt <= tolerance * abs(bound.estimate):
            break
    diagonal = sum(axis.length**2 for axis in level.axes)
    upper = _upper(mu, nu, level, phi, levels.periods) + ROUNDING * diagonal
    lower = max(best.lower - ROUNDING * diagonal, 0.0)
    return Squares(min(max(best.estimate, lower), upper), lower, upper, levels.iterations)


class Ladder:
    """Lattices over both measures, each twice as fine as the one before, with a potential on each."""

    def __init__(self, mu: Measure, nu: Measure, rings: tuple[bool, bool]) -> None:
        self._mu, self._nu = mu, nu
        self._rings = [PERIODIC.name if ring else "no-flux" for ring in rings]
        boxes = list(zip(mu.box, nu.box, strict=True))
        self._low, self._high = [min(p[0], q[0]) for p, q in boxes], [max(p[1], q[1]) for p, q in boxes]
        lengths = [b - a for a, b in zip(self._low, self._high, strict=True)]
        size = [min(p, q, max(lengths) / LEAST) for p, q in zip(mu.widths, nu.widths, strict=True)]
        if not (mu.spread and nu.spread):
            size = [min(p, q) for p, q in zip(mu.widths, nu.widths, strict=True)]
        self._shape = [max(2, math.ceil(length / h - 1e-9)) for length, h in zip(lengths, size, strict=True)]
        for k, (p, q) in enumerate(zip(mu.widths, nu.widths, strict=True)):
            if mu.spread and nu.spread and min(p, q) < np.inf:  # whole parts of the cells
                cells = round(lengths[k] / min(p, q))
                self._shape[k] = cells * 2 ** max(0, math.ceil(math.log2(self._shape[k] / cells) - 1e-9))
        self._halvings = max(0, math.ceil(math.log2(max(self._shape) / COARSEST)))
        self._phi: Array | None = None
        self._level: Grid | None = None
        self.iterations = 0
        self.periods = periods_of(self._grid())

    @property
    def as_fine_as_data(self) -> bool:
        return self._halvings < 0

    def next(self) -> tuple[Grid, Array]:
        """The next lattice, and the potential on the side of ν at its centres."""
        level = self._grid()
        ascent = Ascent(level, self._mu.deposit(level), self._nu.deposit(level))
        if self._phi is None or self._level is None:
            phi = ascent.run(np.zeros(level.shape), FIRST_TURNS)
        else:
            phi = Interpolation(self._level, (level.x.centers, level.y.centers))(self._phi)
            phi = ascent.run(phi, TURNS)
        self.iterations += ascent.iterations
        self._level, self._phi = level, phi
        self._halvings -= 1
        return level, phi

    def _grid(self) -> Grid:
        scale = 2.0**-self._halvings
        shape = [max(2, math.ceil(n * scale)) for n in self._shape]
        return Grid(self._low, self._high, shape, self._rings)


def _upper(mu: Measure, nu: Measure, level: Grid, phi: Array, periods: tuple[float | None, ...]) -> float:
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
        costs.append(plan_cost(places, source, target, periods))  # type: ignore[arg-type]
        if level.size > BOTH_WAYS:
            break
    return min(costs)
