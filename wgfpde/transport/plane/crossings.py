"""Parts apart: a little mass that crosses a vacuum, while what stays in its part hardly moves.

Lattices cost their width squared times all the mass, also that which stays.  So this mass is bounded as between near
densities (module `weighted_norms`), and only that which crosses, s to t, by places:

    above:   W₂²(a, b) ≤ W₂²(a − s, b − t) + W₂²(s, t),       s ≤ a, t ≤ b;
    below:   φ ≤ c_k + u in part k, −∞ in the vacuum;    min over y in the own part of ½|x − y|² − φ ≥ −c_k − u − ½G²,
             over y in the others ≥ F(x), the minimum over the corners y there, less ⅛w² along each axis.

F is ½|x|² and a concave function: between corners not more than ⅛w² an axis below its bilinear interpolant.  The
lesser of two bilinear functions is concave along each axis, its mean over a cell at least that of the corners.  What
crosses is found by a programme on the cells that are nearest to other parts; where it lands φ is less than c_k + u, by
the prices of that programme, and the levels c are shifted until the bound, concave in them, no longer rises.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import label
from scipy.optimize import minimize

from ...grid import Array, Grid
from ..benamou_brenier.operators import Staggering
from ..c_transforms import CTransform, from_points
from .measures import Periods
from .programme import MOST_PIVOTS, WHOLE
from .spanning_tree import SpanningTree
from .weighted_norms import Near, means_of_corners, near_bounds, steepness

MOST_PARTS, MOST_CELLS = 8, 2**16
ROUNDS, CHEAPER, ENOUGH = 3, 0.98, 0.02
"""Of the programme, each with the cells and prices that the bound of the one before calls for; by turns its plans are
mixed (Frank and Wolfe), except with much dearer ones; up to a gap that is small enough."""
TRIALS, GAIN, EXCURSION = 40, 1e-4, 0.02
"""Of the search for levels: evaluations, relative rise that is worth another round, and how far levels go from those of
the programme, in units of the squared diagonal."""
CANDIDATES = 600
"""Cells of each side that the programme of what crosses may choose from."""
ALLOWANCE = 8.0
"""Their mass in each part, in units of what crosses."""
FINER = 8
"""Parts, along each axis, of cells that are shared between what stays and what crosses."""
Pair = tuple[Array, Array]


def apart(grid: Grid, a: Array, b: Array, periods: Periods) -> Near | None:
    """Bounds of W₂² for mass 1, and a value; None where there are not some parts apart, or many thin cells between.

    grid : 2D, uniform.   a, b : (ny, nx) ≥ 0 of mass 1, constant on its cells.
    """
    parts = _parts(grid, a + b)
    count = int(parts.max())
    if not 2 <= count <= MOST_PARTS or grid.size > MOST_CELLS:
        return None
    below = Levels(grid, a, b, parts, periods)
    found = crossing(below)
    if found is None:
        return None
    below.raised(found)
    moved, cost, best, unknown = found.moved, found.cost, math.inf, 0.0
    for k in range(ROUNDS):
        stay = [np.maximum(rho - m * (grid.size / grid.volume), 0.0) for rho, m in zip((a, b), moved, strict=True)]
        if np.array_equal(stay[0], stay[1]):
            return Near(below.value, below.value, cost)
        near = near_bounds(grid, *stay)
        if near.upper + cost < best:
            best, unknown = near.upper + cost, near.value - near.lower
        below.steepen(stay)
        if (found := crossing(below)) is None:
            break
        below.raised(found)
        if best - below.value <= ENOUGH * best:
            break
        share = 1.0 if found.cost < CHEAPER * cost else 2 / (k + 3)
        moved = moved[0] + share * (found.moved[0] - moved[0]), moved[1] + share * (found.moved[1] - moved[1])
        cost += share * (found.cost - cost)
    return Near(below.value, min(below.value + max(unknown, 0.0), best), best)


@dataclass(frozen=True)
class Crossing:
    """What a programme says of the mass that crosses.

    moved : (ny, nx) masses taken from parts, and brought to others.   cost : W₂² between the two at most.
    levels : (parts,).   points, prices : places (n, 2) it is taken from, and the potential there.
    """

    moved: Pair
    cost: float
    levels: Array
    points: Array
    prices: Array


class Levels:
    """The bound below.   parts : (ny, nx) number of each cell's part, from 1, 0 in the vacuum."""

    def __init__(self, grid: Grid, a: Array, b: Array, parts: Array, periods: Periods) -> None:
        self.grid, self.parts, self.count, self.periods = grid, parts, int(parts.max()), periods
        self.cell = grid.volume / grid.size
        self.masses = a * self.cell, b * self.cell
        self.lost = sum((axis.length / axis.size) ** 2 for axis in grid.axes) / 4
        self.corners = [_corners(parts == k + 1, periods) for k in range(self.count)]
        turns = zip(grid.axes, periods, strict=True)
        x, y = (axis.edges if period is None else axis.edges[:-1] for axis, period in turns)
        self._nodes = x, y
        self._transform = CTransform(self._nodes, None, periods)
        self.levels = np.zeros(self.count)
        self.u, self.spent, self.value = np.zeros((grid.shape[0] + 1, grid.shape[1] + 1)), 0.0, 0.0

    def steepen(self, stay: list[Array]) -> None:
        """With the best multiple of the potential that moves what stays."""
        u, steep = steepness(self.grid, Staggering(self.grid), *stay)
        raised = self.cell * float(np.sum((stay[1] - stay[0]) * means_of_corners(u)))
        cost = self.cell * float(np.sum(stay[0] * steep))
        if raised > 0:
            scale = min(raised / cost, 1.0)
            self.u, self.spent = scale * u, 0.5 * scale**2 * float(np.sum(self.masses[0] * steep))

    def transform(self, phi: Array) -> Array:
        """From corners to corners, those on circles closed."""
        ends = [None if period is None else -1 for period in self.periods]
        return self._closed(self._transform(phi[: ends[1], : ends[0]]))

    def _closed(self, found: Array) -> Array:
        more = [(0, 0 if period is None else 1) for period in self.periods]
        return np.pad(found, more[::-1], mode="wrap") if any(m[1] for m in more) else found

    def slack(self, side: int) -> Callable[[int, int], Array]:
        """By how much it is dearer for cells of part k, (n,), to send mass to part n (0), or to get it from there (1),
        than to leave it; < 0 where it is not."""
        own = [(level + self.u) * (1 if side == 0 else -1) for level in self.levels]
        ways = [self.transform(np.where(held, each, -np.inf)) for held, each in zip(self.corners, own, strict=True)]
        return lambda k, n: np.ravel(means_of_corners(ways[n] + own[k]))

    def raised(self, found: Crossing) -> None:
        """Try the levels of a programme, and those around them, with its prices and without."""
        landing = self._closed(from_points(found.prices, found.points, self._nodes, self.periods))
        higher = np.argsort(found.levels[1:])
        directions = 1.0 * (found.levels[1:] >= found.levels[1:][higher][:, None])  # along chains of parts
        width = EXCURSION * sum(axis.length**2 for axis in self.grid.axes)
        options = {"maxfev": TRIALS, "ftol": GAIN, "direc": directions}
        for less in (np.full_like(landing, np.inf), landing):
            trial = _Shifts(self, found.levels, less)
            start, bounds = np.zeros(self.count - 1), [(-width, width)] * (self.count - 1)
            best = minimize(trial.negative, start, method="Powell", bounds=bounds, options=options)
            if -best.fun > self.value:
                self.value, self.levels = -float(best.fun), found.levels + np.append(0.0, best.x)


class _Shifts:
    """The bound of φ = c_k + u, or `landing` where that is less, when all of a part is lifted."""

    def __init__(self, below: Levels, levels: Array, landing: Array) -> None:
        self._below, self._own = below, [-level - below.u for level in levels]
        self._parts = [below.parts == k + 1 for k in range(below.count)]
        self._given = [below.masses[0][here] for here in self._parts]
        self._got = [float(np.sum(below.masses[1][here])) for here in self._parts]
        self._reach, self._gain = [], 0.0
        for own, held, here in zip(self._own, below.corners, self._parts, strict=True):
            phi = np.where(held, np.minimum(-own, landing), -np.inf)
            self._reach.append(below.transform(phi) - below.lost)
            self._gain += float(np.sum(below.masses[1][here] * means_of_corners(phi)[here]))

    def negative(self, shift: Array) -> float:
        """−(the bound of W₂²) for shifts (parts − 1,) of all parts but the first."""
        shift = np.append(0.0, shift)
        total, count = self._gain - self._below.spent, self._below.count
        lifted = [reach - s for reach, s in zip(self._reach, shift, strict=True)]
        for k, here in enumerate(self._parts):
            other = np.min([lifted[n] for n in range(count) if n != k], axis=0)
            least = means_of_lesser(self._own[k] - shift[k], other, here)
            rough = means_of_corners(np.minimum(other, lifted[k]))[here]
            total += float(np.sum(self._given[k] * np.maximum(least, rough))) + shift[k] * self._got[k]
        return -2 * total


def crossing(below: Levels) -> Crossing | None:
    """By a programme on the cells that pay least; None where too many hold too little.

    What stays in a part goes to its pool and from there, at the price of u; through pools goes what crosses one vacuum
    after another.
    """
    wholes = [np.ravel(np.round(m * WHOLE)).astype(np.int64) for m in below.masses]
    wholes[1][np.argmax(wholes[1])] += np.sum(wholes[0]) - np.sum(wholes[1])
    numbers = [np.flatnonzero(np.ravel(below.parts) == k + 1) for k in range(below.count)]
    surplus = np.array([np.sum(wholes[0][cells]) - np.sum(wholes[1][cells]) for cells in numbers])
    amount = int(np.sum(np.abs(surplus))) // 2
    most = CANDIDATES // (below.count * (below.count - 1))
    chosen, kinds, held = [], [], []
    for side in (0, 1):
        slack, taken = below.slack(side), []
        for k, cells in enumerate(numbers):
            near = [_cheapest(cells, slack(k, n), wholes[side], amount, most) for n in range(below.count) if n != k]
            taken.append(np.unique(np.concatenate(near)))
        chosen.append(np.concatenate(taken))
        kinds.append(np.repeat(np.arange(below.count), [len(each) for each in taken]))
        held.append(wholes[side][chosen[side]])
        if len(chosen[side]) > 2 * CANDIDATES:
            return None
    given, got = (np.bincount(kind, mass, below.count).astype(np.int64) for kind, mass in zip(kinds, held, strict=True))
    masses = np.concatenate([held[0], WHOLE + surplus - given + got]), np.append(held[1], [WHOLE] * below.count)
    return _programme(below, chosen, kinds, masses)


def _programme(below: Levels, chosen: list[Array], kinds: list[Array], masses: Pair) -> Crossing:
    (n, m), pools = (len(each) for each in chosen), np.arange(below.count)
    x, y = (np.ravel(p) for p in np.meshgrid(below.grid.x.centers, below.grid.y.centers))
    ways, nearest = np.zeros((n, m)), np.zeros((n, m))
    for place, period, axis in zip((x, y), below.periods, below.grid.axes, strict=True):
        d = place[chosen[0]][:, None] - place[chosen[1]][None]
        d = np.abs(d if period is None else d - period * np.round(d / period))
        ways += 0.5 * d**2
        nearest += 0.5 * np.maximum(d - axis.length / axis.size, 0.0) ** 2
    u = np.ravel(means_of_corners(below.u))
    i, j = np.nonzero(kinds[0][:, None] != kinds[1][None])
    tails = np.concatenate([i, np.arange(n), n + kinds[1], n + pools])
    heads = np.concatenate([j, m + kinds[0], np.arange(m), m + pools])
    rest = np.concatenate([-u[chosen[0]], u[chosen[1]], np.zeros(below.count)])
    prices = np.append(ways[i, j], rest)
    tree = SpanningTree(*masses, 4 * float(np.max(ways)) + 1e-300)
    tree.improve(tails, heads, prices, MOST_PIVOTS)
    pairs, flow = tree.pairs()
    real = pairs < len(i)
    pairs, flow = pairs[real], flow[real] / WHOLE
    moved = [np.bincount(each[number[pairs]], flow, below.parts.size).reshape(below.parts.shape)
             for each, number in zip(chosen, (tails, heads), strict=True)]  # fmt: skip
    tree.improve(tails, heads, np.append(nearest[i, j], rest), MOST_PIVOTS)  # for φ, which knows edges, not centres
    p = tree.potential
    levels = p[n + below.count + m : -1]
    points = np.stack([x[chosen[0]], y[chosen[0]]], axis=1)
    cost = 2 * float(np.sum(flow * prices[pairs]))
    return Crossing((moved[0], moved[1]), cost, levels - levels[0], points, levels[0] - p[:n])


def means_of_lesser(one: Array, other: Array, here: Array) -> Array:
    """At most the means over the cells `here` of the lesser of two functions, bilinear between corners; exact where one
    is less at all corners, else by the corners of FINER by FINER parts of the cell."""
    pairs = [np.stack([f[j : f.shape[0] - 1 + j, i : f.shape[1] - 1 + i][here] for j in (0, 1) for i in (0, 1)])
             for f in (one, other)]  # fmt: skip
    least = np.mean(np.minimum(*pairs), axis=0)
    less = pairs[0] < pairs[1]
    mixed = np.any(less, axis=0) & ~np.all(less, axis=0)
    if np.any(mixed):
        s = np.linspace(0.0, 1.0, FINER + 1)
        weights = np.stack([np.outer(p, q) for p in (1 - s, s) for q in (1 - s, s)])
        ends = np.full(FINER + 1, 1.0 / FINER)
        ends[[0, -1]] *= 0.5
        inside = [np.tensordot(f[:, mixed], weights, (0, 0)) for f in pairs]
        least[mixed] = np.einsum("kji,j,i->k", np.minimum(*inside), ends, ends)
    return np.asarray(least)


def _cheapest(cells: Array, slack: Array, whole: Array, amount: int, most: int) -> Array:
    """Those of some cells of least slack that hold ALLOWANCE times an amount; that amount at least, if need be all."""
    cells = cells[whole[cells] > 0]
    cells = cells[np.argsort(slack[cells], kind="stable")]
    sums = np.cumsum(whole[cells])
    enough, least = (int(np.searchsorted(sums, size * amount)) + 1 for size in (ALLOWANCE, 1.0))
    return cells[: max(min(enough, most), least)]


def _parts(grid: Grid, held: Array) -> Array:
    """Connected cells, corners included, also round circles."""
    parts, count = label(held > 0, np.ones((3, 3)))
    same = np.arange(count + 1)
    for k, axis in enumerate(grid.axes):
        if axis.ring:
            first, last = np.take(parts, 0, axis=1 - k), np.take(parts, -1, axis=1 - k)
            for shift in (-1, 0, 1):
                other = np.roll(last, shift)
                if shift and not grid.axes[1 - k].ring:
                    other[(shift - 1) // 2] = 0  # came round an end at a wall
                for p, q in zip(first, other, strict=True):
                    if p and q:
                        same[same == same[max(p, q)]] = same[min(p, q)]
    return np.unique(same, return_inverse=True)[1].reshape(-1)[parts]


def _corners(here: Array, periods: Periods) -> Array:
    wide = np.zeros((here.shape[0] + 1, here.shape[1] + 1), dtype=bool)
    for j in (0, 1):
        for i in (0, 1):
            wide[j : j + here.shape[0], i : i + here.shape[1]] |= here
    for axis, period in ((1, periods[0]), (0, periods[1])):
        if period is not None:
            ends = np.take(wide, 0, axis=axis) | np.take(wide, -1, axis=axis)
            wide[(slice(None),) * axis + (0,)] = wide[(slice(None),) * axis + (-1,)] = ends
    return wide
