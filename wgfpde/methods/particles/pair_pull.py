"""The pull of all others on every particle, summed over all pairs: (M/N) Σ_j ∇W(X_i − X_j), replica by replica.

    W = c r²/2 without rings      cM (X_i − ⟨X⟩): no pairs at all
    W radial (1D: any even W)     the table of W'(r)/r in r² (`pull_table`)
    else                          the formula itself, some thousands of pairs at a time

Displacements are the shortest ones on a ring, and two particles in one place do not pull each other, also where W is
singular.  Sums run over j in order for every i, so that threads change no bit.  Cost: N² per replica, or N.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ...energy.flow import Flow
from ...formulas.compile import Expression
from ...formulas.gradients import gradient_of
from ...grid import Array, Grid
from ...linear.threads import share
from .pull_sums import sums_1d, sums_2d
from .pull_table import PullTable, best_table

TILE = 2**16
"""Pairs that the formula is evaluated for at once."""
ROUND = 1e-10
"""Largest difference of W between directions, relative to W, where it is radial."""
RELATIVE_STEP = 1e-3
"""Step of the differences of a kernel given as a function, over the distance."""

Pull = Callable[[Array], Array]


def make_pull(flow: Flow, mass: float, replicas: int, threads: int = 1) -> Pull:
    """places (n, dim) ↦ pull (n, dim), for `replicas` crowds of equal numbers, each of that mass."""
    kernel, grid = flow.energy.interaction, flow.grid
    assert kernel is not None
    table = _table_of(kernel, grid) if _is_radial(kernel, grid) else None
    rings = any(axis.ring for axis in grid.axes)
    if table is not None and not rings and not math.isnan(table.constant):
        return _Together(mass * table.constant, replicas)
    if table is not None:
        return _ByTable(table, grid, mass, replicas, threads)
    return _ByFormula(kernel, grid, mass, replicas)


class _Together:
    """The pull of a parabola, towards the mean of the replica.   strength : cM."""

    def __init__(self, strength: float, replicas: int) -> None:
        self.strength, self.replicas = strength, replicas

    def __call__(self, places: Array) -> Array:
        crowds = places.reshape(self.replicas, -1, places.shape[1])
        return np.asarray(self.strength * (crowds - crowds.mean(axis=1, keepdims=True))).reshape(places.shape)


class _ByTable:
    """The pull of a radial kernel."""

    def __init__(self, table: PullTable, grid: Grid, mass: float, replicas: int, threads: int) -> None:
        self.mass, self.replicas, self.threads = mass, replicas, threads
        self.periods = [axis.length if axis.ring else None for axis in grid.axes]
        limit, breaks, cubics = None, None, table.cubics.T
        count = np.count_nonzero(table.breaks <= 1)
        if count > 1:
            breaks = table.breaks
        elif count:
            limit, cubics = table.at_one_limit()
        else:
            cubics = table.cubics[::2].T
        self.known = table.shift, table.base, limit, breaks, np.ascontiguousarray(cubics)

    def __call__(self, places: Array) -> Array:
        n, dim = places.shape
        each = n // self.replicas
        columns = [np.ascontiguousarray(places[:, k]) for k in range(dim)]
        out = np.zeros((dim, n))
        kernel = sums_1d if dim == 1 else sums_2d
        share(kernel, n, n * each, self.threads, *columns, each, self.mass / each, *self.periods, *self.known, *out)
        return np.ascontiguousarray(out.T)


class _ByFormula:
    """The pull of any even kernel, by its gradient."""

    def __init__(self, kernel: Callable[..., Array], grid: Grid, mass: float, replicas: int) -> None:
        if isinstance(kernel, Expression):
            self.slopes: tuple[Callable[..., Array], ...] = gradient_of(kernel, grid)
        else:
            self.slopes = tuple(_Slope(kernel, axis.name) for axis in grid.axes)
        self.grid, self.mass, self.replicas = grid, mass, replicas

    def __call__(self, places: Array) -> Array:
        n = len(places)
        each = n // self.replicas
        out = np.empty_like(places)
        rows = max(1, TILE // each)
        for first in range(0, n, rows if rows < each else rows // each * each):
            last = min(first + rows, each * (first // each + 1)) if rows < each else min(first + rows // each * each, n)
            out[first:last] = self._rows(places, first, last, each)
            if rows < each and last < min(first + rows, n):  # a tile that began in one replica and ends in the next
                out[last : min(first + rows, n)] = self._rows(places, last, min(first + rows, n), each)
        return out * (self.mass / each)

    def _rows(self, places: Array, first: int, last: int, each: int) -> Array:
        """Sums for the particles first … last, of one replica or of several whole ones."""
        own = places[first:last]
        start = first // each * each
        others = places[start : max(start + each, last)].reshape(-1, each, places.shape[1])
        mine = own.reshape(len(others), -1, places.shape[1])
        shifts = {}
        for k, axis in enumerate(self.grid.axes):
            shift = mine[:, :, None, k] - others[:, None, :, k]
            shifts[axis.name] = shift - axis.length * np.round(shift / axis.length) if axis.ring else shift
        together = np.all([shift == 0 for shift in shifts.values()], axis=0)
        sums = np.empty_like(mine)
        for k, slope in enumerate(self.slopes):
            with np.errstate(all="ignore"):
                values = np.broadcast_to(slope(**shifts), together.shape)
            sums[:, :, k] = np.sum(np.where(together, 0.0, values), axis=2)
        return sums.reshape(own.shape)


class _Slope:
    """∂W along an axis by differences of a function, whose steps are a part of the distance: they do not meet 0."""

    def __init__(self, kernel: Callable[..., Array], name: str) -> None:
        self.kernel, self.name = kernel, name

    def __call__(self, **shift: Array) -> Array:
        step = RELATIVE_STEP * np.sqrt(sum(np.square(part) for part in shift.values()))
        at = shift[self.name]
        near, far = (
            np.asarray(self.kernel(**shift | {self.name: at + k * step}), dtype=float)
            - self.kernel(**shift | {self.name: at - k * step})
            for k in (1, 2)
        )
        return np.asarray((8.0 * near - far) / (12.0 * step))


def _table_of(kernel: Callable[..., Array], grid: Grid) -> PullTable | None:
    """None where no table tells W'.  Differences of a function say nothing of very small distances."""
    closest = (1e-12,) if isinstance(kernel, Expression) else (1e-5, 1e-4)
    return best_table(_force(kernel, grid), _reach(grid), closest)


def _reach(grid: Grid) -> float:
    """The largest displacement."""
    return math.hypot(*(axis.length / (2 if axis.ring else 1) for axis in grid.axes))


def _is_radial(kernel: Callable[..., Array], grid: Grid) -> bool:
    """Whether W is a function of r alone: always in 1D, where it is even; else seen in a dozen directions."""
    if grid.dim == 1 or (isinstance(kernel, Expression) and kernel.variables <= {"r"}):
        return True
    r = _reach(grid) * np.linspace(0.01, 1.0, 37)[:, None]
    angles = 2 * np.pi * (np.arange(12) + 0.3) / 12
    with np.errstate(all="ignore"):
        turned = np.broadcast_to(kernel(x=r * np.cos(angles), y=r * np.sin(angles)), (37, 12))
        straight = np.broadcast_to(kernel(x=r, y=0.0 * r), (37, 1))
    size = np.max(np.abs(straight[np.isfinite(straight)]), initial=0.0)
    return bool(np.all(np.abs(turned - straight) <= ROUND * size))


def _force(kernel: Callable[..., Array], grid: Grid) -> Callable[[Array], Array]:
    """W'(r), along x."""
    still = [axis.name for axis in grid.axes[1:]]
    slope = kernel.derivative("x") if isinstance(kernel, Expression) else _Slope(kernel, "x")
    return lambda r: slope(x=r, **{name: np.zeros_like(r) for name in still})
