"""Masses at two sets of places exactly: the linear programme on few pairs, and more of them as long as they pay.

    min Σ c_ij π_ij,    Σ_j π_ij = a_i,    Σ_i π_ij = b_j,    π ≥ 0,        c_ij = ½|x_i − y_j|²

on the pairs around those that a potential leaves tight, by the network simplex method (module `spanning_tree`).  Its
potentials say by one c-transform each way, on lattices in O(n + m), for every place the partner that it would rather
have; those that pay are added with the next best ones (column generation).  When none is left the plan is optimal.

Reference: Schmitzer (2016), DOI 10.1007/s10851-016-0653-9, for transport on few pairs of a lattice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ...base.kernel_cache import njit
from ...grid import Array
from ..c_transforms import CTransform
from .measures import Periods
from .spanning_tree import SpanningTree

WHOLE = 2**58
"""Units of mass: what a plan moves of each differs from it by half a unit, and by rounding."""
REACH = 1
"""Pairs go from each place to so many lattice places on each side of the best."""
FEW = 4
"""Of scattered places, the best ones that each is paired with."""
ROUNDS, SLACK = 200, 1e-9
"""Most rounds, and the gap aimed at, in units of the cost."""
MOST_PIVOTS = 2**62


@dataclass(frozen=True)
class Optimum:
    """u, z : (n,), (m,) potentials on the filled places of both sides, u the c-transform of z.

    lower, upper : of ½W₂² between the masses, rigorous up to rounding.   pivots : taken.
    """

    u: Array
    z: Array
    lower: float
    upper: float
    pivots: int


Lattice = tuple[Array, Array]


class Pairs(Protocol):
    """Places of two sides, (n, 2) and (m, 2), and who would go where."""

    places: tuple[Array, Array]

    def best(self, side: int, values: Array) -> tuple[Array, Array]:
        """Of a potential on one side, (n,) or (m,): its c-transform on the other, and keys i m + j of pairs around
        those where it is attained."""


class Programme:
    """Between masses a (n,), b (m,) > 0 of one sum at the places of `pairs`.   periods : as for `CTransform`."""

    def __init__(self, pairs: Pairs, a: Array, b: Array, periods: Periods) -> None:
        self._pairs = pairs
        self._weights = a / np.sum(a), b / np.sum(b)
        self._masses = [_wholes(weight) for weight in self._weights]
        self._turn = [0.0 if period is None else period for period in periods]
        both = np.concatenate(pairs.places)
        self._dearest = max(0.5 * float(np.sum(np.ptp(both, axis=0) ** 2)), 1e-300)

    def solve(self, z: Array, gap: float = SLACK, rounds: int = ROUNDS) -> Optimum:
        """From any potential (m,) on the side of b."""
        n, m = (len(mass) for mass in self._masses)
        filled = [np.flatnonzero(mass) for mass in self._masses]  # the rest is less than a unit
        a, b = (mass[held] for mass, held in zip(self._masses, filled, strict=True))
        tree = SpanningTree(a, b, 4.0 * self._dearest)
        at = [np.full(size, -1) for size in (n, m)]
        for number, held in zip(at, filled, strict=True):
            number[held] = np.arange(len(held))
        keys, costs, total = np.empty(0, np.int64), np.empty(0), float(np.sum(self._masses[0]))
        best, most = z, -np.inf
        for _ in range(rounds):
            u, there = self._pairs.best(1, z)
            lower = float(np.sum(self._weights[0] * u) + np.sum(self._weights[1] * z))
            if lower > most:
                most, best = lower, z
            if tree.cost(costs) / total - most <= gap * tree.cost(costs) / total:
                break
            more = np.unique(np.concatenate([there, self._pairs.best(0, u)[1]]))
            more = more[(at[0][more // m] >= 0) & (at[1][more % m] >= 0)]
            more = more[~np.isin(more, keys, assume_unique=True)]
            if not len(more):
                break
            keys, costs = np.append(keys, more), np.append(costs, self._costs(*np.divmod(more, m)))
            tails, heads = np.divmod(keys, m)
            tree.improve(at[0][tails], at[1][heads], costs, MOST_PIVOTS)
            z = self._everywhere(tree.potential[len(filled[0]) : -1], filled[1], z)
        return Optimum(self._pairs.best(1, best)[0], best, most, tree.cost(costs) / total, tree.pivots)

    def _everywhere(self, found: Array, held: Array, before: Array) -> Array:
        """A potential known at most places, at all."""
        z = np.full(len(before), -np.inf)
        z[held] = found
        return z if len(held) == len(z) else self._pairs.best(0, self._pairs.best(1, z)[0])[0]

    def _costs(self, tails: Array, heads: Array) -> Array:
        d = self._pairs.places[0][tails] - self._pairs.places[1][heads]
        for k in range(2):
            if self._turn[k] > 0:
                d[:, k] -= self._turn[k] * np.round(d[:, k] / self._turn[k])
        return 0.5 * np.sum(d * d, axis=1)


class Lattices:
    """Filled places of two lattices.   x, y : per axis, x first, increasing.   a, b : (ny, nx), (my, mx) ≥ 0."""

    def __init__(self, x: Lattice, a: Array, y: Lattice, b: Array, periods: Periods) -> None:
        self.shapes = a.shape, b.shape
        self.held = np.flatnonzero(np.ravel(a)), np.flatnonzero(np.ravel(b))
        self.places = _places(x)[self.held[0]], _places(y)[self.held[1]]
        self._transforms = CTransform(x, y, periods), CTransform(y, x, periods)
        self._numbers = [_numbers(shape, held) for shape, held in zip(self.shapes, self.held, strict=True)]
        self._rings = tuple(period is not None for period in periods)

    def spread(self, side: int, values: Array) -> Array:
        """On the whole lattice, −∞ where there is no mass."""
        wide = np.full(self.shapes[side][0] * self.shapes[side][1], -np.inf)
        wide[self.held[side]] = values
        return wide.reshape(self.shapes[side])

    def best(self, side: int, values: Array) -> tuple[Array, Array]:
        """As for `Pairs`; with what lies around each best partner."""
        other = 1 - side
        found, number = self._transforms[side].with_minimisers(self.spread(side, values))
        i, j = (np.ravel(n)[self.held[other]] for n in number)
        partners = _around(i, j, self._numbers[side], *self._rings, REACH)
        return np.ravel(found)[self.held[other]], _keys(partners, other, len(self.held[1]))


class Scattered:
    """Any places: all pairs are looked at.   x, y : (n, 2), (m, 2)."""

    def __init__(self, x: Array, y: Array, periods: Periods) -> None:
        self.places = np.ascontiguousarray(x), np.ascontiguousarray(y)
        self._turn = [0.0 if period is None else period for period in periods]

    def best(self, side: int, values: Array) -> tuple[Array, Array]:
        """As for `Pairs`; with the FEW next best."""
        here, there = self.places[side], self.places[1 - side]
        found = np.empty((len(there), min(FEW, len(here))))
        partners = np.full(found.shape, -1)
        _nearest(values, here, there, *self._turn, found, partners)
        return found[:, 0].copy(), _keys(partners, 1 - side, len(self.places[1]))


def between_lattices(x: Lattice, a: Array, y: Lattice, b: Array, periods: Periods) -> tuple[Programme, Lattices]:
    """The programme on the filled places of two lattices, arguments as for `Lattices`."""
    pairs = Lattices(x, a, y, b, periods)
    return Programme(pairs, np.ravel(a)[pairs.held[0]], np.ravel(b)[pairs.held[1]], periods), pairs


def _keys(partners: Array, side: int, m: int) -> Array:
    """Keys i m + j of each place of one side with its partners, (n, few), −1 where there is none."""
    own = np.repeat(np.arange(len(partners)), partners.shape[1])
    partners = np.ravel(partners)
    own, partners = own[partners >= 0], partners[partners >= 0]
    return own * m + partners if side == 0 else partners * m + own


def _wholes(mass: Array) -> Array:
    """Masses as whole numbers of sum WHOLE; what rounding leaves is taken from the largest."""
    whole = np.round(mass * (WHOLE / np.sum(mass))).astype(np.int64)
    whole[np.argmax(whole)] += WHOLE - np.sum(whole)
    return whole


def _places(lattice: Lattice) -> Array:
    x, y = np.meshgrid(*lattice)
    return np.stack([np.ravel(x), np.ravel(y)], axis=1)


def _numbers(shape: tuple[int, ...], held: Array) -> Array:
    """The number of each filled place, −1 elsewhere."""
    numbers = np.full(shape[0] * shape[1], -1)
    numbers[held] = np.arange(len(held))
    return numbers.reshape(shape)


@njit(cache=True, nogil=True)
def _around(i, j, numbers, ring_x, ring_y, reach):
    """The numbers of what is filled around each place (i, j), −1 elsewhere; (n, (2 reach + 1)²)."""
    ny, nx = numbers.shape
    out = np.full((i.size, (2 * reach + 1) ** 2), -1)
    for k in range(i.size):
        at = 0
        for b in range(j[k] - reach, j[k] + reach + 1):
            for a in range(i[k] - reach, i[k] + reach + 1):
                inside = (ring_x or 0 <= a < nx) and (ring_y or 0 <= b < ny)
                if inside:
                    out[k, at] = numbers[b % ny, a % nx]
                at += 1
    return out


@njit(cache=True, nogil=True)
def _nearest(phi, here, there, turn_x, turn_y, found, partners):
    """For each place `there` the least ½|x − y|² − φ(y) over the places `here`, increasing, and their numbers."""
    few = found.shape[1]
    found[:] = np.inf
    for i in range(there.shape[0]):
        for j in range(here.shape[0]):
            dx, dy = there[i, 0] - here[j, 0], there[i, 1] - here[j, 1]
            if turn_x > 0.0:
                dx -= turn_x * np.round(dx / turn_x)
            if turn_y > 0.0:
                dy -= turn_y * np.round(dy / turn_y)
            value = 0.5 * (dx * dx + dy * dy) - phi[j]
            if value < found[i, few - 1]:
                k = few - 1
                while k > 0 and found[i, k - 1] > value:
                    found[i, k], partners[i, k] = found[i, k - 1], partners[i, k - 1]
                    k -= 1
                found[i, k], partners[i, k] = value, j
