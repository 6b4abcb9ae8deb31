"""A run of a sweep held against a reference run: L1, KL and W₂ between their last densities.

    against_l1 = ∫|ρ − σ|        against_kl = ∫ρ ln(ρ/σ) − ρ + σ        against_w2 = W₂(ρ, σ), of equal masses

σ is the last density of the reference.  On different grids both are averaged, conservatively, over the cells of the
coarser one, axis by axis; W₂ in 1D is exact on each its own.  W₂ is NaN where there is none, as between other masses;
KL is infinite where σ vanishes and ρ does not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import kl_div

from ... import store
from ...errors import CaseError, SolverError
from ...grid import Array
from ...grid.grid import Grid, grid_text
from ...grid.initial import remap
from ...grid.radial import levels
from ...transport.distances import distance

NAMES = ("against_l1", "against_kl", "against_w2")


@dataclass(frozen=True, eq=False)
class Reference:
    """The last density of a reference run.   grid : its grid.   rho : cell averages."""

    grid: Grid
    rho: Array

    @classmethod
    def of(cls, path: str, sum256: str = "") -> Reference:
        """That of a run folder or file.   sum256 : its SHA-256; with another it is read again.   Raises StoreError."""
        return _read(path, sum256)

    def numbers(self, grid: Grid, rho: Array) -> dict[str, float]:
        """Name → number, for a density on a grid.   Raises CaseError where the two have no common grid."""
        if grid.dim != self.grid.dim or (grid.radial > 1) != (self.grid.radial > 1):
            raise CaseError(
                f"the reference is on {_text(self.grid)}, the run on {_text(grid)}: they cannot be compared"
            )
        pairs = list(zip(_levels(grid), _levels(self.grid), strict=True))
        common = tuple(p if len(p) <= len(q) else q for p, q in pairs)
        a, b = remap(rho, _levels(grid), common), remap(self.rho, _levels(self.grid), common)
        volumes = np.diff(common[0]) if len(common) == 1 else np.multiply.outer(np.diff(common[1]), np.diff(common[0]))
        if grid.radial > 1:
            volumes = (grid if len(common[0]) == len(_levels(grid)[0]) else self.grid).cell_volume
        try:
            w2 = distance(grid, rho, self.rho, self.grid).w2
        except (CaseError, SolverError):  # other masses or boundaries: there is no distance
            w2 = math.nan
        l1, kl = float(np.sum(np.abs(a - b) * volumes)), float(np.sum(kl_div(a, b) * volumes))
        return dict(zip(NAMES, (l1, kl, w2), strict=True))


def _levels(grid: Grid) -> tuple[Array, ...]:
    return tuple(levels(axis.edges, grid.radial) for axis in grid.axes)


def _text(grid: Grid) -> str:
    return grid_text([axis.edges for axis in grid.axes])


@lru_cache(maxsize=2)
def _read(path: str, sum256: str) -> Reference:
    run = store.read(path)
    return Reference(run.grid, run.rho[run.find()])
