"""What a method is: all that the rest of the package knows of one.

A family of methods is a folder; its `method.py` holds a table of the case file and a builder for each method, and the
tuple METHODS of records.  The union [solver], the reference, `check`'s memory, promises, diagnostics and references are
made from the records, so that a method is added by its folder and a word in `methods/__init__.py`.

    table  →  complete  →  traits, promises, …         what a case says, with the defaults that depend on the span
    Asked  →  build  →  Built                          a flow and a start  →  a stepper and what it stores

A record is made without importing a kernel: `build` imports what it needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..base.case_table import Table
from ..errors import CaseError

if TYPE_CHECKING:
    from ..energy.flow import Flow
    from ..energy.snapshot import Column, Field, Stepper, Traits
    from ..grid import Array
    from ..store import Run

Sampling = Literal["average", "centre"]
Promises = Callable[["Run", Mapping[str, Any]], list[dict[str, Any]]]


@dataclass(frozen=True)
class Asked:
    """What a builder is given.

    path : the case file, as messages name it.   flow : the energy on its grid.   rho : the density at the start.
    target : the density of [target], or None.   terminal : the energy of [terminal] on the same grid, or None.
    start, end : times.   threads : how many it may use.
    wanted : the diagnostics and fields that [output] names.
    points : gives the points of [initial] samples, (n, dim), and their weights, (n,); None where the start is no such,
    or has a bandwidth, by which it is a density.
    """

    path: Path
    flow: Flow
    rho: Array
    target: Array | None
    start: float
    end: float
    threads: int
    wanted: frozenset[str] = frozenset()
    points: Callable[[], tuple[Array, Array]] | None = None
    terminal: Flow | None = None

    def check_uniform(self, key: str, remedy: str) -> None:
        """Refuse stretched cells.   key : of the case, to name in the message.   Raises CaseError."""
        for axis in self.flow.grid.axes:
            if not axis.uniform:
                raise CaseError(
                    f"{self.path}: {key}: expected cells of one size, axis {axis.name} is stretched; {remedy}"
                )


@dataclass(frozen=True)
class Built:
    """What a builder makes.

    columns : of the table of steps, beyond what every run has; fields of the Report, or in its `more`.
    fields : that may be stored.
    initial : further fields of the first snapshot; "rho" replaces the density at the start.
    attributes : numbers and texts that the file says of the run, such as how many replicas its particles are of.
    notes : sentences that `check` says of the method on this problem, such as its bias.
    """

    stepper: Stepper
    columns: tuple[Column, ...] = ()
    fields: tuple[Field, ...] = ()
    initial: Mapping[str, Array] = field(default_factory=dict)
    attributes: Mapping[str, str | int | float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def _as_it_is(table: Any, span: float) -> Any:
    return table


@dataclass(frozen=True)
class Method:
    """The record of a method.

    name : the word in `solver.method`.   table : its keys; `stationary` and `blow_up`, where it has them, are served by
    the time loop.   build : see `Asked` and `Built`.   traits : of a completed table.
    needs : tables of the case beyond those of every run, such as "target".   takes : those that it may have, such as
    "terminal".
    dynamics, radial : whether it takes a diffusion that depends on place, and radial grids.
    exits : whether it takes open walls and sinks, and accounts for what leaves by them.
    complete : (table, span) → the table with the defaults that depend on the time span.
    sampling : how the start is sampled unless the case says so; a function of the table where that depends on it.
    equation : (energy table, table) → what the run solves; None for the usual name of the energy's equation.
    promises : (run, solver table as plain values) → what its runs promise on the energy and beyond (`bounds_on_runs`);
    None for "the energy never rises" where the traits say so.
    diagnostics : numbers to record unasked beyond the usual ones.
    arrays : (table, dim, span) → arrays of the grid's size that a run over a time span holds at once.
    memory : (table, dim) → bytes that it holds beside them.
    cellwise : whether every step goes over all cells, for what a run takes at least.
    coarse : (table, span, steps) → overrides for a small run of few steps, solved closely: for references.
    amplification : (solver table, z) → |ρ_k(t + dt)/ρ_k(t)| of a mode with rate λ in steps z = λ dt; None if unknown.
    driven, pushed : whether it takes an energy that depends on time, and one with a force.
    columns, fields : all that `Built` may hold of them, for the reference of the output file.
    """

    name: str
    table: type[Table]
    build: Callable[[Any, Asked], Built]
    traits: Callable[[Any], Traits]
    needs: frozenset[str] = frozenset()
    takes: frozenset[str] = frozenset()
    dynamics: bool = False
    radial: bool = False
    exits: bool = False
    complete: Callable[[Any, float], Any] = _as_it_is
    sampling: Sampling | Callable[[Any], Sampling] = "average"
    equation: Callable[[Any, Any], str | None] = lambda energy, table: None
    promises: Promises | None = None
    diagnostics: tuple[str, ...] = ()
    arrays: Callable[[Any, int, float], int] = lambda table, dim, span: 20
    memory: Callable[[Any, int], int] = lambda table, dim: 0
    cellwise: bool = False
    coarse: Callable[[Any, float, int], list[str]] = lambda table, span, steps: []
    amplification: Callable[[Mapping[str, Any], Array], Array] | None = None
    driven: bool = False
    pushed: bool = False
    columns: tuple[Column, ...] = ()
    fields: tuple[Field, ...] = ()

    def start_sampling(self, table: Any) -> Sampling:
        """How the start of a case with that table is sampled unless the case says so."""
        return self.sampling(table) if callable(self.sampling) else self.sampling

    def stationary(self, table: Any) -> float | None:
        """The largest flux at which a march may stop, where the table asks for that."""
        return getattr(table, "stationary", None)

    def watches(self, table: Any) -> bool:
        """Whether a blow-up ends the run."""
        return getattr(table, "blow_up", "ignore") == "stop"
