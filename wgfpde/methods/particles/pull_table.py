"""W'(r)/r of a radial kernel as a table in r², which a pair of particles looks up.

    F = −∇W(x) = −f(r²) x,      f(q) ≈ c₀ + s(c₁ + s(c₂ + s c₃)),   s ∈ [0, 1) the place of q in its interval

Every octave of q = r² is cut into 64 equal intervals (1024 where W' turns fast), found from the bits of q.  Nodes are
thus as dense near 0 as the kernel may need: a power r^p has the same relative error, 1e-9, in every interval.  Each is
a cubic through Chebyshev points.  Where W' jumps or has a kink inside an interval, the place is sought by bisection,
between the cubics that go on from both sides, and the interval has two of them.  What no such table tells to 1e-7 of
the force is refused, and is summed by the formula itself (`pair_pull`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ...grid import Array

BITS = 6, 10
"""An octave has 2^6 intervals, or 2^10 where those do not tell W'."""
NEARER = np.array([0.9, 0.3, 0.1])
"""Distances below the smallest of the table, over it, at which f is held against what the table has there."""
GOOD = 1e-7
"""Largest error of the force, of the force there or of its root mean square, whichever is larger."""
NODES = 0.5 - 0.5 * np.cos(np.pi * (np.arange(4) + 0.5) / 4)
TINY = 1e-10
"""Up to which pairs nearer than the table do not matter."""
TESTED = np.array([0.003, 0.11, 0.3, 0.5, 0.7, 0.89, 0.997])
"""Places of an interval at which its cubic is held against f."""


@dataclass(frozen=True)
class PullTable:
    """f(q) by cubics.

    shift : bits of q below those that number the intervals.   base : number of the first interval.   breaks : (n,)
    place in an interval from which on its second cubic holds, 2 where it has none.   cubics : (2n, 4) coefficients, two
    rows an interval.
    """

    shift: int
    base: int
    breaks: Array
    cubics: Array

    def __call__(self, q: Array) -> Array:
        """f at squared distances, as kernels read it."""
        bits = np.asarray(q, dtype=float).view(np.int64)
        k = np.clip((bits >> self.shift) - self.base, 0, len(self.breaks) - 1)
        s = (bits & ((1 << self.shift) - 1)) * 0.5**self.shift
        c = self.cubics[2 * k + (s >= self.breaks[k])]
        return np.asarray(c[..., 0] + s * (c[..., 1] + s * (c[..., 2] + s * c[..., 3])))

    @property
    def constant(self) -> float:
        """f where it is the same everywhere, as for W = c r²/2; else NaN."""
        first = self.cubics[:, 0]
        flat = np.ptp(first) <= 1e-12 * abs(first[0]) and np.max(np.abs(self.cubics[:, 1:])) <= 1e-12 * abs(first[0])
        return float(np.median(first)) if flat else math.nan

    def at_one_limit(self) -> tuple[float, Array]:
        """The smallest q of the second cubic of the one interval with a break, ∞ where none has, and cubics by columns.

        Of shape (4, n + 1): an interval one cubic, that one two.  With no break the last column is there twice.
        """
        twice = int(np.argmin(self.breaks))
        limit = np.inf
        if self.breaks[twice] <= 1:
            place = math.ceil(math.ldexp(self.breaks[twice], self.shift))
            limit = float(np.array([((self.base + twice) << self.shift) + place]).view(float)[0])
        else:
            twice = len(self.breaks) - 1
        rows = np.insert(2 * np.arange(len(self.breaks)), twice + 1, 2 * twice + 1)
        return limit, np.ascontiguousarray(self.cubics[rows].T)


def best_table(force: Callable[[Array], Array], reach: float, closest: Sequence[float]) -> PullTable | None:
    """The first table that tells W' well enough, of few intervals or many.   closest : smallest distances to try."""
    tried = (tabulated(force, reach, part, bits) for bits in BITS for part in closest)
    return next((table for table in tried if table is not None), None)


def tabulated(force: Callable[[Array], Array], reach: float, closest: float, bits: int = BITS[0]) -> PullTable | None:
    """The table of f(q) = W'(√q)/√q for distances up to `reach`; None where no table tells it well enough.

    force : W'(r) for r > 0, an array of the same shape.   closest : smallest distance in the table, over the reach;
    nearer pairs have f of that distance.   bits : an octave has 2^bits intervals.
    """
    shift = 52 - bits

    def f(q: Array) -> Array:
        r = np.sqrt(q)
        with np.errstate(all="ignore"):
            return np.asarray(force(r), dtype=float) / r

    starts = _starts(reach, closest, shift)
    base = int(starts[:1].view(np.int64)[0] >> shift)
    widths = np.diff(np.append(starts, np.array([(base + len(starts)) << shift], dtype=np.int64).view(float)))
    r = reach * (np.arange(256) + 0.5) / 256
    with np.errstate(all="ignore"):
        typical = float(np.sqrt(np.mean(np.asarray(force(r), dtype=float) ** 2)))
    cubics = _fit(f, starts, widths, np.zeros(len(starts)), np.ones(len(starts)))
    breaks, both = np.full(len(starts), 2.0), np.repeat(cubics, 2, axis=0)
    if closest > TINY and not _goes_on(f, cubics[0, 0], np.sqrt(starts[0]), typical):
        return None
    bad = np.flatnonzero(~_fits(f, cubics, starts, widths, TESTED[:, None], typical))
    for k in bad:
        if not 0 < k < len(starts) - 1 or k - 1 in bad or k + 1 in bad:
            return None
        breaks[k] = at = _break(f, cubics, starts, widths, int(k))
        for side, (low, high) in enumerate(((0.0, at), (at, 1.0))):
            one, only = slice(k, k + 1), np.array([0.0])
            both[2 * k + side] = _fit(f, starts[one], widths[one], only + low, only + high)[0]
            places = low + (high - low) * (1e-6 + (1 - 2e-6) * TESTED[:, None])
            if not _fits(f, both[2 * k + side][None], starts[one], widths[one], places, typical)[0]:
                return None
    return PullTable(shift, base, breaks, both) if np.all(np.isfinite(both)) else None


def _goes_on(f: Callable[[Array], Array], first: float, r: float, typical: float) -> bool:
    """Whether f stays what it is at the smallest distance of the table, r, as for W that is smooth at 0."""
    r_below = r * NEARER
    return bool(np.all(np.abs(f(r_below**2) - first) * r_below <= 10 * GOOD * typical))


def _starts(reach: float, closest: float, shift: int) -> Array:
    """Smallest q of every interval up to reach²."""
    numbers = np.array([(closest * reach) ** 2, reach**2]).view(np.int64) >> shift
    return (np.arange(numbers[0], numbers[1] + 1) << shift).view(float)


def _fit(f: Callable[[Array], Array], starts: Array, widths: Array, low: Array, high: Array) -> Array:
    """Cubics in s through four points of [low, high], (n, 4)."""
    s = low + (high - low) * NODES[:, None]
    values = f(starts + widths * s)
    found = np.empty((len(starts), 4))
    inside = np.linalg.solve(np.vander(NODES, 4, increasing=True), values)  # in (s − low)/(high − low)
    scale = 1.0 / (high - low)
    a = inside * scale ** np.arange(4)[:, None]
    found[:, 3] = a[3]
    found[:, 2] = a[2] - 3 * low * a[3]
    found[:, 1] = a[1] - 2 * low * a[2] + 3 * low**2 * a[3]
    found[:, 0] = a[0] - low * a[1] + low**2 * a[2] - low**3 * a[3]
    return found


def _at(cubics: Array, s: Array) -> Array:
    return np.asarray(cubics[:, 0] + s * (cubics[:, 1] + s * (cubics[:, 2] + s * cubics[:, 3])))


def _fits(f: Callable[[Array], Array], cubics: Array, starts: Array, widths: Array, s: Array, typical: float) -> Array:
    """Whether cubics tell the force at places s (m, 1) of their intervals."""
    q = starts + widths * s
    true = f(q)
    r = np.sqrt(q)
    with np.errstate(invalid="ignore"):
        good = np.abs(_at(cubics, s) - true) * r <= GOOD * np.maximum(np.abs(true) * r, typical)
    return np.asarray(np.all(good, axis=0))


def _break(f: Callable[[Array], Array], cubics: Array, starts: Array, widths: Array, k: int) -> float:
    """Where in interval k the cubic of the one before ceases to hold and that of the one after begins."""
    low, high = 0.0, 1.0
    before, after = (
        lambda q, i=i: float(_at(cubics[i][None], np.array([(q - starts[i]) / widths[i]]))[0]) for i in (k - 1, k + 1)
    )
    for _ in range(60):
        middle = 0.5 * (low + high)
        q = starts[k] + widths[k] * middle
        true = float(f(np.array([q]))[0])
        if abs(true - before(q)) < abs(true - after(q)):
            low = middle
        else:
            high = middle
    return high
