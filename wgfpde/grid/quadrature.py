"""Averages of a function over cells, to 1e-10 where the cost allows, with an estimate of their error.

Every cell is looked at on n + 1 equispaced points per axis, both ends included: n = 64 in 1D, 16 in 2D.

    look      R_n, Romberg's rule on n intervals (degree 13 in 1D, 9 in 2D), beside R_{n/2} on every second point; in
              1D also G, the Gauss–Legendre rule of 12 points (degree 23)
    accepted  |R_n − R_{n/2}|, |G − R_n| ≤ ε max(|R_n|, ρ̄),  ε = 1e-10, ρ̄ the mean of |ρ| over the grid; the
              average is G in 1D, R_n in 2D
    refined   else: cut into pieces of 4 intervals, B = Boole's rule (7, 32, 12, 32, 7)/90 on each.  A piece is halved
              until |B₂ − B| ≤ ε max(|∫|, ρ̄), B₂ = B_left + B_right, and gives B₂ + (B₂ − B)/63 (Richardson)
    in 2D     the same along y of integrals along x, which are known ten times as well, and in the other order; where
              the two differ by more than 100ε max(…), as at a tip thinner than h/n, in the quarters of the cell, with
              the tolerance of their share.  The average is the mean of both

All points of a level are points of the next, so that what was once seen is not lost: a peak at one point is followed
to its bottom, a jump in 33 halvings.  Weights are positive: averages of a function ≥ 0 are ≥ 0.  Only ratios enter:
neither the unit of length nor that of ρ changes a decision.

Values at the ends of a cell are those a hair inside, 8 roundings of the coordinates: a jump on an edge is exact.
Where the function is not finite its value a hair beside is taken, so that sin(x)/x and integrable singularities have
averages, the latter with an error of the hair that the estimate has: about 1e-7 of the cell for |x|^{-1/2}.

The estimate of the error is the sum of |R_n − R_{n/2}| or |G − R_n| where accepted, of 3|B₂ − B| where refined, as a
jump that lies between two points of B₂ errs by at most three times the difference, and in 2D of the gap between the two
orders.  What lies between all points of the look, h/n apart, is not seen and not in the estimate: on a background that
may be a box narrower than h/n, or a Gaussian of deviation below h/12n in 1D and h/8n in 2D, of which no point need see
more than ε; or a tip that reaches into a cell less than h/n wide.

The cost is bounded.  The look takes LOOK evaluations: in 2D n = 8 above 681² cells, 4 above 1287²; in 1D n = 32 above
two million cells.  In 2D finer looks R_2n … R_AGAIN at the cells concerned come before halving.  Both take about
REFINED, five times that at most: where many cells need it ε is larger, and the estimate says so.  What is still open by
more than UNRESOLVED of the mass in one cell is refused.

Sources: Romberg (1955), Det Kong. Norske Vid. Selsk. Forh. 28; Davis, Rabinowitz (1984), Methods of Numerical
Integration, sections 6.2 and 6.3.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ..base.effort import spend
from ..errors import CaseError
from .halving import POINTS, TOLERANCE, Halvings

Array = np.ndarray
Function = Callable[..., Array]

LEAST_POINTS, GAUSS, AGAIN = 4, 12, 256
LOOK, REFINED = 2**27, 2**24
"""Evaluations that the look, and all refinement after it, may take."""
UNRESOLVED, TOLD = 1e-4, 1e-8
"""Part of the mass that a single cell may be off by, and that all may be off by before the user is told."""
BLOCK = 2**17
"""Values of the look held at once."""
MOST = 6_000
"""Cells that are refined at most, those where R_n and R_{n/2} differ most."""
LOOKED = 6.0
"""Nanoseconds a value that the look takes, beyond those of the function (`base.effort`)."""


class Averages(NamedTuple):
    """values : array of the grid's shape.   error : estimate of Σ|C_i||error_i| / Σ|C_i||ρ_i|, ≥ 0."""

    values: Array
    error: float


def cell_averages(function: Function, edges: Sequence[Array], what: str = "the function") -> Averages:
    """Averages of function(x=…[, y=…]) over the cells between the edges, x first; values ordered (y, x).

    what : names the function in messages.   Values need not be finite: then those of their cells are not.
    Raises CaseError where a cell is not known to UNRESOLVED of the mass, and for what is no function of points.
    """
    cells = Cells(function, edges, what)
    with np.errstate(all="ignore"):
        values, apart = cells.look()
        if not np.all(np.isfinite(values)):
            return Averages(values, 0.0)
        error, mean = apart, cells.mean(np.abs(values))
        for _ in range(3):  # once more where the look took a peak for larger than it is
            size = np.maximum(np.abs(values), mean)
            chosen = np.flatnonzero(apart > TOLERANCE * size)
            if not len(chosen):
                break
            if len(chosen) > MOST:
                chosen = np.sort(chosen[np.argsort(-apart.flat[chosen], kind="stable")[:MOST]])
            values, error = values.copy(), error.copy()
            values.flat[chosen], error.flat[chosen] = cells.refined(chosen, size.flat[chosen])
            known, mean = mean, cells.mean(np.abs(values))
            if not mean < 0.5 * known:
                break
        cells.check(error, mean)
        return Averages(values, cells.mean(error) / mean if mean > 0 else 0.0)


class Cells:
    """A function on the cells of a tensor grid; a place in a cell is s ∈ [0, 1] per axis."""

    def __init__(self, function: Function, edges: Sequence[Array], what: str) -> None:
        self.function, self.edges, self.what, self.names = function, edges, what, ("x", "y")[: len(edges)]
        self.widths = [np.diff(e) for e in edges]
        self.shape = tuple(len(w) for w in reversed(self.widths))
        self.hair = [  # how far inside of an edge its value is taken
            np.minimum(np.maximum(8 * np.spacing(np.max(np.abs(e))), 2.0**-48 * w), w / 4)
            for e, w in zip(edges, self.widths, strict=True)
        ]
        self.lower = [e[:-1] + hair for e, hair in zip(edges, self.hair, strict=True)]
        self.spans = [w - 2 * hair for w, hair in zip(self.widths, self.hair, strict=True)]
        shares = [w / np.sum(w) for w in self.widths]
        self.share = shares[0] if len(shares) == 1 else np.multiply.outer(shares[1], shares[0])

    def mean(self, values: Array) -> float:
        """Their mean over the grid, an array of its shape."""
        return float(np.sum(self.share * values))

    # ---- evaluation ----

    def at(self, cells: Sequence[Array], places: Sequence[Array]) -> Array:
        """The function at places in cells, per axis, x first, which broadcast; beside them where it is not finite."""
        inside = enumerate(zip(cells, places, strict=True))
        points = [self.lower[k][cell] + s * self.spans[k][cell] for k, (cell, s) in inside]
        values = self.call(points)
        if not np.all(np.isfinite(values)):
            bad = ~np.isfinite(values)
            beside = []
            for k, (cell, s, point) in enumerate(zip(cells, places, points, strict=True)):
                moved = point + np.where(s < 0.5, 1, -1) * self.hair[k][cell]
                beside.append(np.broadcast_to(moved, values.shape)[bad])
            values[bad] = self.call(beside)
        return values

    def call(self, points: Sequence[Array]) -> Array:
        """The function at points that broadcast, as a float array of their shape to write to."""
        shape = np.broadcast_shapes(*(p.shape for p in points))
        spend(LOOKED * math.prod(shape))
        values = np.asarray(self.function(**dict(zip(self.names, points, strict=True))), dtype=float)
        try:
            return np.array(np.broadcast_to(values, shape))
        except ValueError:
            raise CaseError(
                f"{self.what} must be a function of points that gives one value for each: for points of shape {shape} "
                f"it gave an array of shape {values.shape}. Give what is known on the cells alone as an array."
            ) from None

    # ---- the look ----

    def look(self) -> tuple[Array, Array]:
        """The averages of all cells, and how far the levels are apart."""
        n = intervals(len(self.shape), self.share.size)
        return self._look_1d(n) if len(self.shape) == 1 else self._look_2d(n)

    def _look_1d(self, n: int) -> tuple[Array, Array]:
        s, fine, coarse = np.arange(n + 1)[:, None] / n, np.empty(self.shape), np.empty(self.shape)
        for start in range(0, len(fine), BLOCK // (n + 1)):
            x = np.arange(start, min(start + BLOCK // (n + 1), len(fine)))
            values = self.at([x], [s])
            fine[x] = np.einsum("kn,k->n", values, romberg(n))
            coarse[x] = np.einsum("kn,k->n", values[::2], romberg(n // 2))
        gauss, centers = np.zeros(self.shape), 0.5 * (self.edges[0][:-1] + self.edges[0][1:])
        for node, weight in zip(*np.polynomial.legendre.leggauss(GAUSS), strict=True):
            gauss += 0.5 * weight * self.call([centers + 0.5 * node * self.widths[0]])
        seen = np.isfinite(gauss)
        apart = np.maximum(np.abs(fine - coarse), np.where(seen, np.abs(gauss - fine), np.abs(fine)))
        return np.where(seen, gauss, fine), apart

    def _look_2d(self, n: int) -> tuple[Array, Array]:
        s, fine, coarse = np.arange(n + 1) / n, np.empty(self.shape), np.empty(self.shape)
        (rows, columns), most = self.shape, max(1, BLOCK // (n + 1) ** 2)
        wide = min(columns, most)
        for i in range(0, columns, wide):
            x = np.arange(i, min(i + wide, columns))
            for j in range(0, rows, most // wide):
                y = np.arange(j, min(j + most // wide, rows))
                values = self.at([x, y[:, None, None]], [s[:, None], s[:, None, None, None]])  # (s_y, y, s_x, x)
                block = np.ix_(y, x)
                fine[block] = _both(values, romberg(n))
                coarse[block] = _both(values[::2, :, ::2], romberg(n // 2))
        return fine, np.abs(fine - coarse)

    # ---- refinement ----

    def refined(self, chosen: Array, size: Array) -> tuple[Array, Array]:
        """Averages over chosen cells, by flat index, and the estimates of their errors.

        size : what the tolerance is relative to, which is as fine as REFINED evaluations allow: a cell with one jump
        takes about d (n + 4 log₂(1/tolerance))^d.
        """
        if len(self.shape) == 1:
            return Halvings(self, REFINED).averages(chosen, size)
        values, error = self._looked_at_again(chosen, size)
        rough = np.flatnonzero(error > TOLERANCE * size)
        if len(rough):
            found, known = Halvings(self, REFINED).averages(chosen[rough], size[rough])
            better = known < error[rough]
            values[rough[better]], error[rough[better]] = found[better], known[better]
        return values, error

    def _looked_at_again(self, chosen: Array, size: Array) -> tuple[Array, Array]:
        """Averages by R_2n, R_4n … R_AGAIN, as far as REFINED allows, and how far the last two levels are apart.

        What is smooth but varies a few times within a cell is known then; halving would spend far more on it.
        """
        n, index = POINTS[2], np.unravel_index(chosen, self.shape)
        values, apart = self._romberg(index, n), np.full(len(chosen), np.inf)
        while n < AGAIN:
            n *= 2
            rough = np.flatnonzero(apart > TOLERANCE * size)
            if not len(rough) or (n + 1) ** 2 * len(rough) > REFINED:
                break
            better = self._romberg([i[rough] for i in index], n)
            apart[rough], values[rough] = np.abs(better - values[rough]), better
        return values, apart

    def _romberg(self, index: Sequence[Array], n: int) -> Array:
        """R_n over cells, (m,), of which (y, x) are the indices."""
        s, found, weights = np.arange(n + 1) / n, np.empty(len(index[0])), romberg(n)
        for start in range(0, len(found), most := max(1, BLOCK // (n + 1) ** 2)):
            y, x = (i[start : start + most] for i in index)
            values = self.at([x, y], [s[:, None], s[:, None, None]])  # (s_y, s_x, m)
            found[start : start + most] = np.einsum("jkm,j,k->m", values, weights, weights)
        return found

    def check(self, error: Array, mean: float) -> None:
        """Refuse what the halvings did not resolve."""
        part = self.share * error / mean if mean > 0 else error
        index = np.unravel_index(int(np.argmax(part)), self.shape)
        if not part[index] > UNRESOLVED:
            return
        place = zip(self.names, self.edges, reversed(index), strict=True)
        where = ", ".join(f"{name} = {0.5 * (e[i] + e[i + 1]):.6g}" for name, e, i in place)
        raise CaseError(
            f"{self.what} has a peak that is much narrower than a cell, or no finite integral, in the cell at {where}: "
            f"halving the cell left {part[index]:.1g} of the mass open. Make the peak wider, or remove the singularity."
        )


def intervals(dim: int, cells: int) -> int:
    """n of the look, per cell and axis."""
    n = POINTS[dim]
    while n > LEAST_POINTS and (n + 1) ** dim * cells > LOOK:
        n //= 2
    return n


def _both(values: Array, weights: Array) -> Array:
    """Σ over the places along y and x of values (s_y, y, s_x, x)."""
    return np.einsum("jrn,j->rn", np.einsum("jrkn,k->jrn", values, weights), weights)


@cache
def romberg(n: int) -> Array:
    """(n + 1,) weights of Romberg's rule on [0, 1], n = 2^k intervals: positive, of sum 1 and degree 2k + 1; kept."""
    rows = []
    for level in range(n.bit_length()):
        step = n >> level
        trapezoid = np.zeros(n + 1)
        trapezoid[::step] = step / n
        trapezoid[[0, -1]] *= 0.5
        rows.append(trapezoid)
    for k in range(1, len(rows)):
        rows = [b + (b - a) / (4**k - 1) for a, b in pairwise(rows)]
    rows[0].flags.writeable = False
    return rows[0]
