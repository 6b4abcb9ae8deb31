"""Masses on two lattices exactly: the linear programme on few pairs, and more of them as long as they pay.

    min Σ c_ij π_ij,    Σ_j π_ij = a_i,    Σ_i π_ij = b_j,    π ≥ 0,        c_ij = ½|x_i − y_j|²

on the pairs around those that a potential leaves tight, by the network simplex method (module `spanning_tree`).  Its
potentials say by one c-transform each way, in O(n + m), for every place the partner that it would rather have; those
that pay are added with what lies around them (column generation).  When none is left the plan is optimal.

Reference: Schmitzer (2016), DOI 10.1007/s10851-016-0653-9, for transport on few pairs of a lattice.
"""

from __future__ import annotations

from dataclasses import dataclass

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
ROUNDS, SLACK = 200, 1e-9
"""Most rounds, and the gap aimed at, in units of the cost."""
MOST_PIVOTS = 2**62


@dataclass(frozen=True)
class Optimum:
    """phi, psi : (my, mx), (ny, nx) potentials on all places, each the other's c-transform from the filled ones.

    lower, upper : of ½W₂² between the masses, rigorous up to rounding.   pivots : taken.
    """

    phi: Array
    psi: Array
    lower: float
    upper: float
    pivots: int


Lattice = tuple[Array, Array]


class Programme:
    """Between masses a at the places of one lattice and b at those of another.

    x, y : per axis, x first, increasing.   a, b : (ny, nx), (my, mx) ≥ 0 of one sum.   periods : as for `CTransform`.
    """

    def __init__(self, x: Lattice, a: Array, y: Lattice, b: Array, periods: Periods) -> None:
        self.shapes = a.shape, b.shape
        wholes = _wholes(a), _wholes(b)
        self.held = [np.flatnonzero(whole) for whole in wholes]
        self.weights = [np.ravel(m)[held] / np.sum(m) for m, held in zip((a, b), self.held, strict=True)]
        self.masses = wholes[0][self.held[0]], wholes[1][self.held[1]]
        self.places = [_places(x)[self.held[0]], _places(y)[self.held[1]]]
        self._turn = np.array([0.0 if period is None else period for period in periods])
        self._there, self._back = CTransform(y, x, periods), CTransform(x, y, periods)
        self._numbers = [_numbers(shape, held) for shape, held in zip(self.shapes, self.held, strict=True)]
        self._rings = tuple(period is not None for period in periods)
        sides = [max(np.ptp(np.concatenate([p[:, k] for p in self.places])), 0.0) for k in range(2)]
        self._dearest = max(0.5 * sum(s**2 for s in sides), 1e-300)

    @property
    def size(self) -> int:
        return sum(len(held) for held in self.held)

    def solve(self, phi: Array, gap: float = SLACK, rounds: int = ROUNDS) -> Optimum:
        """From any potential (my, mx) on the side of b."""
        n, m = (len(held) for held in self.held)
        tree = SpanningTree(*self.masses, 4.0 * self._dearest)
        keys, costs = np.empty(0, np.int64), np.empty(0)
        total = float(np.sum(self.masses[0]))
        z = best = np.ravel(phi)[self.held[1]]
        most = -np.inf
        for _ in range(rounds):
            psi, there = self._there.with_minimisers(self._spread(z, 1))
            u = np.ravel(psi)[self.held[0]]
            lower = float(np.sum(self.weights[0] * u) + np.sum(self.weights[1] * z))
            upper = tree.cost(costs) / total
            if lower > most:
                most, best = lower, z
            if upper - most <= gap * upper:
                break
            _, back = self._back.with_minimisers(self._spread(u, 0))
            more = np.unique(np.concatenate([self._pairs(there, 0), self._pairs(back, 1)]))
            more = more[~np.isin(more, keys, assume_unique=True)]
            if not len(more):
                break
            keys = np.concatenate([keys, more])
            tails, heads = np.divmod(keys, m)
            costs = np.concatenate([costs, self._costs(*np.divmod(more, m))])
            tree.improve(tails, heads, costs, MOST_PIVOTS)
            z = tree.potential[n : n + m]
        psi = self._there(self._spread(best, 1))
        phi = self._back(self._spread(np.ravel(psi)[self.held[0]], 0))
        return Optimum(phi, psi, most, tree.cost(costs) / total, tree.pivots)

    def _spread(self, values: Array, side: int) -> Array:
        """On the whole lattice, −∞ where there is no mass."""
        wide = np.full(self.shapes[side][0] * self.shapes[side][1], -np.inf)
        wide[self.held[side]] = values
        return wide.reshape(self.shapes[side])

    def _pairs(self, best: tuple[Array, ...], side: int) -> Array:
        """Keys i m + j of the pairs of each place of one side with those around its best partner."""
        i, j = (np.ravel(number)[self.held[side]] for number in best)
        partners = _around(i, j, self._numbers[1 - side], *self._rings, REACH)
        own = np.repeat(np.arange(len(i)), partners.shape[1])
        partners = np.ravel(partners)
        own, partners = own[partners >= 0], partners[partners >= 0]
        return own * len(self.held[1]) + partners if side == 0 else partners * len(self.held[1]) + own

    def _costs(self, tails: Array, heads: Array) -> Array:
        d = self.places[0][tails] - self.places[1][heads]
        for k in range(2):
            if self._turn[k] > 0:
                d[:, k] -= self._turn[k] * np.round(d[:, k] / self._turn[k])
        return 0.5 * np.sum(d * d, axis=1)


def _wholes(mass: Array) -> Array:
    """Masses as whole numbers of sum WHOLE; what rounding leaves is taken from the largest."""
    whole = np.round(np.ravel(mass) * (WHOLE / np.sum(mass))).astype(np.int64)
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
