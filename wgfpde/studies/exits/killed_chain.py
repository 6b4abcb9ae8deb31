"""The Markov chain of a Fokker–Planck equation with exits: its rates, what can be reached, and its elimination.

    vol_i dρ_i/dt = Σ_faces (b ρ_j − a ρ_i) − Σ_exits k_i ρ_i,        forward operator Aᵀ, backward operator A

with the rates of the finite volumes (`energy.rates`, `energy.openings`): a, b ≥ 0 per face and k ≥ 0 per exit, in
volume/time, D included.  Cells in region sinks take no part.  Neither do cells from which some mass never leaves,
because a part of the domain without exit can be reached: their mean time is infinite.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np

from ...base.amounts import memory_lacking, size_text
from ...base.toml import shortened
from ...cases.energies import refuse_driving, refuse_force
from ...cases.schema import Case
from ...energy.flow import Flow
from ...energy.laws import law_named
from ...energy.rates import faces_of, sg_network
from ...errors import CaseError, SolverError
from ...grid import Array, Grid
from ...linear.dissection import Dissection, dissect
from ...linear.elimination import Elimination

Progress = Callable[[str], None]


class KilledChain:
    """A flow with exits as a chain.  Arrays are (cells,), flat.

    lower, upper, a, b : (faces,) of the faces that let mass pass.   area, across : of each, and the axis it is across.
    names : the exits by which something can leave.   losses : k by name, volume/time.   loss : their sum.
    inside : cells that hold no mass, in region sinks or forbidden.   endless : cells from which some mass never leaves.

    Raises CaseError where the flow is not linear, or has no exit.
    """

    def __init__(self, flow: Flow) -> None:
        check_linear(flow)
        self.flow, self.grid = flow, flow.grid
        self.volume = np.array(flow.grid.cell_volume, dtype=float).ravel()
        self.losses = {name: k.ravel() for name, k in flow.losses.items() if np.any(k > 0)}
        self.names = tuple(self.losses)
        if not self.names:
            raise CaseError(
                "nothing leaves: no wall absorbs and there is no sink. Say where to (--to REGION), or give the case an "
                'exit, as [grid] boundary = [{ upper = "absorbing" }] or [sinks] product = "x > 1"'
            )
        self.loss = np.sum(list(self.losses.values()), axis=0)
        self.inside = flow.empty.ravel()
        faces = faces_of(flow)
        phi = np.zeros(flow.grid.shape) if flow.potential is None else flow.potential
        a, b = sg_network(flow, phi)
        joined = (a > 0) | (b > 0)
        self.lower, self.upper = faces.lower[joined].astype(np.int64), faces.upper[joined].astype(np.int64)
        self.a, self.b = a[joined], b[joined]
        self.area, self.across = (part[joined] for part in _areas(flow.grid, faces.lower))
        self.endless = self._endless()

    @property
    def cells(self) -> int:
        return len(self.volume)

    @property
    def kept(self) -> Array:
        """The cells that take part."""
        return ~(self.inside | self.endless)

    @cached_property
    def log_pi(self) -> Array:
        """ln of the Gibbs state of mass 1 on the cells that may hold mass; −∞ in region sinks and forbidden cells."""
        return log_gibbs(self.flow, ~self.inside)

    def _endless(self) -> Array:
        stuck = ~self.inside & ~self._leads_to(self.loss > 0)
        return self._leads_to(stuck) if np.any(stuck) else stuck  # cells inside regions lead nowhere

    def _leads_to(self, target: Array) -> Array:
        """Cells from which one of the target can be reached, itself included."""
        from scipy.sparse import csr_array
        from scipy.sparse.csgraph import breadth_first_order

        n, there = self.cells, np.flatnonzero(target)
        forth, back = self.a > 0, self.b > 0
        rows = np.concatenate([self.upper[forth], self.lower[back], np.full(len(there), n)])
        columns = np.concatenate([self.lower[forth], self.upper[back], there])
        graph = csr_array((np.ones(len(rows), np.int8), (rows, columns)), shape=(n + 1, n + 1))
        found = np.zeros(n + 1, bool)
        found[breadth_first_order(graph, n, directed=True, return_predecessors=False)] = True
        return found[:n]

    def part_of(self, cell: int) -> Array:
        """The cells that are joined with one by faces that let mass pass, itself included."""
        from scipy.sparse import csr_array
        from scipy.sparse.csgraph import connected_components

        graph = csr_array((np.ones(len(self.lower), np.int8), (self.lower, self.upper)), shape=(self.cells,) * 2)
        labels = connected_components(graph, directed=False)[1]
        return np.asarray(labels == labels[cell])

    def eliminated(
        self, progress: Progress, extra: Array | float = 0.0, order: Dissection | None = None
    ) -> Elimination:
        """The factors of A + diag(extra).   extra : volume/time.   order : of an earlier elimination of this chain.

        Raises SolverError where double precision does not hold the rate at which a part is left.
        """
        both = self.kept[self.lower] & self.kept[self.upper]
        lower, upper, a, b = (part[both] for part in (self.lower, self.upper, self.a, self.b))
        gone = np.bincount(self.lower, np.where(both, 0.0, self.a), self.cells)
        gone += np.bincount(self.upper, np.where(both, 0.0, self.b), self.cells)
        assert not np.any(gone[self.kept]), "cells that are kept lead to cells that are not"
        if order is None:
            order = dissect(self.grid.shape, [axis.ring for axis in reversed(self.grid.axes)], self.kept, lower, upper)
        size = size_text(8 * order.entries)
        with np.errstate(all="ignore"):
            found = Elimination(
                order, lower, upper, a, b, self.loss + extra,
                lambda share: progress(f"elimination of {order.kept} cells, {100 * share:.0f} % of {size}"),
            )  # fmt: skip
        if not np.all(found.pivot > 0.0):
            raise SolverError(
                "some part of the domain is left at a rate below 1e-308, what double precision holds. Raise kappa, "
                "lower the barriers, or shorten the domain"
            )
        return found


def check_linear(flow: Flow) -> None:
    """Raise CaseError where the flow is no Fokker–Planck equation, is driven in time, or has a force beside −∇V."""
    if flow.driven or flow.push is not None:
        raise CaseError(_refusal("formulas with t" if flow.driven else "a force beside that of the potential"))
    if not flow.is_linear:
        kind = f'internal energy "{flow.internal.kind}"'
        raise CaseError(_refusal("an interaction" if flow.interaction is not None else kind))


def _refusal(found: str) -> str:
    return (
        'times and rates of exits need a linear equation, internal energy "entropy" and no interaction, in a potential '
        f"that does not depend on time; found {found}. What a run loses it shows itself: wgfpde run CASE, with the "
        "diagnostic survival"
    )


def _areas(grid: Grid, lower: Array) -> tuple[Array, Array]:
    """Area and axis of every face of a grid, (faces,) each, in their order.   lower : the cells below."""
    if grid.dim == 1:
        return grid.x.areas[1:][: len(lower)], np.zeros(len(lower), dtype=int)
    ny, nx = grid.shape
    across = (np.arange(len(lower)) >= ny * (nx if grid.x.ring else nx - 1)).astype(int)
    return np.where(across == 0, grid.y.widths[lower // nx], grid.x.widths[lower % nx]), across


def log_gibbs(flow: Flow, where: Array) -> Array:
    """ln of the Gibbs state e^{−V/κ}, of mass 1 on the cells `where`, (cells,); −∞ elsewhere."""
    if not np.any(where):
        return np.full(len(where), -np.inf)
    phi = np.zeros(len(where)) if flow.potential is None else flow.potential.ravel()
    exponent = -(phi - phi[where].min()) / flow.internal.kappa
    volume = np.ravel(flow.grid.cell_volume)
    total = np.sum((volume * np.exp(np.minimum(exponent, 0.0)))[where])
    return np.where(where, exponent - np.log(total), -np.inf)


def check_exits_case(case: Case) -> None:
    """Raise CaseError where a case has no linear equation or too many cells, before anything is built."""
    table, found = case.energy, ""
    if not law_named(table.internal.kind).linear_diffusion:
        found = f'internal energy "{table.internal.kind}"'
    if table.interaction is not None:
        found = f"interaction = {shortened(table.interaction)!r}"
    if case.traits.path:
        found = f"a {case.solver.method}"
    if found:
        raise CaseError(f"{case.path}: {_refusal(found)}")
    refuse_driving(case, "a study of exits")
    refuse_force(case, "a study of exits")
    if lacking := memory_lacking(memory_needed(case.cells, case.dim)):
        raise CaseError(
            f"{case.path}: the elimination of {case.cells} cells needs {lacking}; use fewer cells (--set grid.shape=…)"
        )


def memory_needed(cells: int, dim: int) -> int:
    """Bytes that a question takes, roughly: the factors, and some 95 numbers a cell beside them, measured."""
    entries = 100.0 if dim == 1 else max(7.5 * np.log2(cells) - 20.0, 50.0)
    return int(cells * 8 * (entries + 95.0))
