"""Lattices over two measures, each twice as fine as the one before, with a potential on each from dual ascent.

On the coarsest the ascent takes a few turns from nothing, on each other one from the potential before, interpolated.
The finest nests in the cells of densities, or cuts them.
"""

from __future__ import annotations

import math

import numpy as np

from ...base.amounts import memory_lacking
from ...errors import CaseError
from ...grid import Array, Grid
from ...grid.boundary import PERIODIC
from ..c_transforms import periods_of
from .ascent import Ascent
from .interpolation import Interpolation
from .measures import Measure

COARSEST, LEAST = 16, 64
"""Cells along the longer axis of the first lattice, and of the first whose bounds are asked for."""
FIRST_TURNS, TURNS, FEW_TURNS = 6, 4, 1
"""Most turns of the ascent: on the first lattice, on the others, on those of more cells than the next number."""
FEW = 2**14
BYTES = 450
"""Held at most for each cell of the finest lattice; measured."""
THIN, TINY = 1e-3, 1e-9
"""Least width of the lattices, over their length and at all."""


class Ladder:
    """Lattices over both measures, each twice as fine as the one before, with a potential on each.

    most_cells : of the first whose bounds are asked for, where cells of densities are cut.   coarse : whether it has
    fewer than LEAST along its longer axis for that.
    """

    def __init__(self, mu: Measure, nu: Measure, rings: tuple[bool, bool], most_cells: int = LEAST**2) -> None:
        self._mu, self._nu = mu, nu
        self._rings = [PERIODIC.name if ring else "no-flux" for ring in rings]
        boxes = list(zip(mu.box, nu.box, strict=True))
        self._low, self._high = [min(p[0], q[0]) for p, q in boxes], [max(p[1], q[1]) for p, q in boxes]
        lengths = [b - a for a, b in zip(self._low, self._high, strict=True)]
        for k, length in enumerate(lengths):
            if length <= THIN * max(lengths):  # points on a line, or all in one place
                lengths[k] = max(THIN * max(lengths), TINY)
                self._high[k] = self._low[k] + lengths[k]
        size = [min(p, q, max(lengths) / LEAST) for p, q in zip(mu.widths, nu.widths, strict=True)]
        if not (mu.spread and nu.spread):
            size = [min(p, q) for p, q in zip(mu.widths, nu.widths, strict=True)]
        self._shape = [max(2, math.ceil(length / h - 1e-9)) for length, h in zip(lengths, size, strict=True)]
        if mu.spread and nu.spread and max(map(min, mu.widths, nu.widths)) < np.inf:  # whole parts of the cells
            whole = [round(length / min(pair)) for length, *pair in zip(lengths, mu.widths, nu.widths, strict=True)]
            cuts = [max(0, math.ceil(math.log2(n / m) - 1e-9)) for n, m in zip(self._shape, whole, strict=True)]
            while most_cells < LEAST**2 and any(cuts) and math.prod(whole) * 2 ** sum(cuts) > most_cells:
                cuts = [max(0, n - 1) for n in cuts]
            self._shape = [m * 2**n for m, n in zip(whole, cuts, strict=True)]
        self.coarse = mu.spread and nu.spread and max(self._shape) < LEAST
        check_memory(
            BYTES * math.prod(self._shape), f"a lattice of {self._shape[0]} × {self._shape[1]} cells over both"
        )
        self._halvings = max(0, math.ceil(math.log2(max(self._shape) / COARSEST)))
        self._phi: Array | None = None
        self._level: Grid | None = None
        self._ascent: Ascent | None = None
        self.iterations = 0
        x, y = periods_of(self._grid())
        self.periods = x, y
        self._summed: dict[tuple[int, ...], list[Array]] = {}
        low, self._halvings = self._halvings, 0
        self._masses(self._grid())
        self._halvings = low

    @property
    def as_fine_as_data(self) -> bool:
        return self._halvings < 0

    def next(self) -> tuple[Grid, Array]:
        """The next lattice, and the potential on the side of ν at its centres."""
        level = self._grid()
        ascent = Ascent(level, *self._masses(level))
        if self._phi is None or self._level is None:
            phi = ascent.run(np.zeros(level.shape), FIRST_TURNS)
        else:
            phi = Interpolation(self._level, (level.x.centers, level.y.centers))(self._phi)
            phi = ascent.run(phi, TURNS if level.size <= FEW else FEW_TURNS)
        self.iterations += ascent.iterations
        self._level, self._phi, self._ascent = level, phi, ascent
        self._halvings -= 1
        return level, phi

    def _masses(self, level: Grid) -> list[Array]:
        """Of both measures in the cells of a lattice; summed up from finer ones where those nest."""
        if level.shape in self._summed:
            return self._summed[level.shape]
        found = [self._mu.deposit(level), self._nu.deposit(level)]
        coarse = found
        while all(n % 2 == 0 and n > 2 for n in coarse[0].shape):
            coarse = [_sums(mass) for mass in coarse]
            self._summed[coarse[0].shape] = coarse
        return found

    def _grid(self) -> Grid:
        scale = 2.0**-self._halvings
        shape = [max(2, math.ceil(n * scale)) for n in self._shape]
        return Grid(self._low, self._high, shape, self._rings)


def check_memory(needed: float, what: str) -> None:
    """Raise CaseError, before anything is allocated, where this machine has less than so many bytes."""
    if lacking := memory_lacking(needed):
        raise CaseError(f"a distance needs {what}: {lacking}; average the densities over larger cells")


def _sums(mass: Array) -> Array:
    """Over blocks of two by two."""
    wide = mass[::2] + mass[1::2]
    return np.ascontiguousarray(wide[:, ::2] + wide[:, 1::2])
