"""Two densities at a time: on one grid, and how far apart they are."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...errors import CaseError, SolverError
from ...grid.grid import Array, grid_text
from ...grid.initial import remap
from ...store import Run
from ...transport.distances import distance
from .metrics import W2_ROUNDING, Metric, same_bits, worst

NORMS = ("rho L1", "rho L2", "rho Linf")


@dataclass(frozen=True)
class Moment:
    """The densities at one time.   differences, norms : L1, L2, Linf of ρ_A − ρ_B and of ρ_B.

    w2 : the distance, None where it was not found.   gap : relative gap of its bounds, of W₂², in 2D; 0 in 1D.
    """

    index_a: int
    index_b: int
    t: float
    differences: tuple[float, float, float]
    norms: tuple[float, float, float]
    identical: bool
    w2: float | None = None
    gap: float | None = None


class Fields:
    """The densities of two runs on one grid, pair by pair."""

    def __init__(self, a: Run, b: Run, w2: bool) -> None:
        self._a, self._b, self._w2 = a, b, w2
        self.edges = tuple(p if _close(p, q) or len(p) <= len(q) else q for p, q in zip(a.edges, b.edges, strict=True))
        self._moved = [
            name
            for name, run in (("A", a), ("B", b))
            if not all(_close(p, q) for p, q in zip(run.edges, self.edges, strict=True))
        ]
        if a.radial != b.radial:
            raise CaseError("a radius and a plain axis, or radii in two dimensions, have no common grid.")
        self._common = replace(a, edges=self.edges)
        volumes = self._common.grid.x.volumes if a.radial > 1 else np.diff(self.edges[0])
        self._widths = [volumes, *(np.diff(edges) for edges in self.edges[1:])]
        self.notes: list[str] = []
        self._lost = False
        if self._moved:
            cells = " × ".join(str(len(edges) - 1) for edges in self.edges)
            which = f"{self._moved[0]} is" if len(self._moved) == 1 else "both are"
            self.notes.append(f"different grids: {which} averaged, conservatively, over the coarser {cells} cells")
        if any(p[0] != q[0] or p[-1] != q[-1] for p, q in zip(a.edges, b.edges, strict=True)):
            self.notes.append(
                f"different boxes: {grid_text(a.edges)}, and {grid_text(b.edges)}; outside a density is 0"
            )

    @property
    def diagonal(self) -> float:
        return math.hypot(*(float(edges[-1] - edges[0]) for edges in self.edges))

    def moment(self, i: int, j: int) -> Moment:
        a, b = self._a.rho[i], self._b.rho[j]
        p, q = (self._on_one_grid(name, rho, run) for name, rho, run in (("A", a, self._a), ("B", b, self._b)))
        w2, gap = self._distance((a, b), (p, q), float(self._a.t[i])) if self._w2 else (None, None)
        identical = self._a.boundary == self._b.boundary and same_bits(a, b)
        identical = identical and all(map(same_bits, self._a.edges, self._b.edges))
        return Moment(i, j, float(self._b.t[j]), self._norms(p - q), self._norms(q), identical, w2, gap)

    def _on_one_grid(self, name: str, rho: Array, run: Run) -> Array:
        if name not in self._moved:
            return rho
        try:
            return remap(rho, run.levels, self._common.levels)
        except CaseError as error:
            raise CaseError(
                f"{name} has mass outside the coarser grid of the two, on which they would be compared. "
                "Run both on one box."
            ) from error

    def _norms(self, values: Array) -> tuple[float, float, float]:
        size = np.abs(values)
        return self._sum(size), math.sqrt(self._sum(size * size)), float(np.max(size))

    def _sum(self, values: Array) -> float:
        for widths in self._widths:
            values = values @ widths
        return float(values)

    def _distance(self, own: tuple[Array, Array], moved: tuple[Array, Array], t: float) -> Any:
        """(W₂, gap) of the densities: in 1D each on its own grid, in 2D on the common one."""
        try:
            if self._a.boundary != self._b.boundary:
                raise CaseError("the boundaries differ.")
            if self._a.dim == 1:
                found = distance(self._a.grid, *own, self._b.grid)
            else:
                found = distance(self._common.grid, *moved)
        except (CaseError, SolverError) as error:
            if not self._lost:
                self.notes.append(f"W2 is left out, at t = {t:g} and wherever else there is none: {error}")
            self._lost = True
            return None, None
        return found.w2, found.gap


def _close(p: Array, q: Array) -> bool:
    """Whether two lists of edges are one grid, up to rounding."""
    return p.shape == q.shape and bool(np.max(np.abs(p - q)) <= 1e-12 * (p[-1] - p[0]))


def field_metrics(moments: list[Moment], fields: Fields, rtol: float, atol: float) -> Iterator[Metric]:
    """The worst differences of the densities over all common times, each with its bound."""
    t = np.array([moment.t for moment in moments])
    for k, name in enumerate(NORMS):
        scale = np.array([moment.norms[k] for moment in moments])
        yield worst(name, np.array([moment.differences[k] for moment in moments]), scale, atol + rtol * scale, t)
    found = [moment for moment in moments if moment.w2 is not None]
    if found:
        scale = fields.diagonal * np.sqrt([moment.norms[0] for moment in found])
        bound = atol + (max(rtol, W2_ROUNDING) if rtol > 0 else 0.0) * scale
        values = np.array([moment.w2 for moment in found], dtype=float)
        yield worst("W2", values, scale, bound, np.array([moment.t for moment in found]))
