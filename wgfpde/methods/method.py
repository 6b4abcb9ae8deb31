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

Promises = Callable[["Run", Mapping[str, Any]], list[dict[str, Any]]]


@dataclass(frozen=True)
class Asked:
    """What a builder is given.

    path : the case file, as messages name it.   flow : the energy on its grid.   rho : the density at the start.
    target : the density of [target], or None.   start, end : times.   threads : how many it may use.
    """

    path: Path
    flow: Flow
    rho: Array
    target: Array | None
    start: float
    end: float
    threads: int

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
    """

    stepper: Stepper
    columns: tuple[Column, ...] = ()
    fields: tuple[Field, ...] = ()
    initial: Mapping[str, Array] = field(default_factory=dict)


def _as_it_is(table: Any, span: float) -> Any:
    return table


@dataclass(frozen=True)
class Method:
    """The record of a method.

    name : the word in `solver.method`.   table : its keys; `stationary` and `blow_up`, where it has them, are served by
    the time loop.   build : see `Asked` and `Built`.   traits : of a completed table.
    needs : tables of the case beyond those of every run, such as "target".
    dynamics, radial : whether it takes a diffusion that depends on place, and radial grids.
    exits : whether it takes open walls and sinks, and accounts for what leaves by them.
    complete : (table, span) → the table with the defaults that depend on the time span.
    sampling : how the start is sampled unless the case says so.
    equation : (energy table, table) → what the run solves; None for the usual name of the energy's equation.
    promises : (run, solver table as plain values) → what its runs promise on the energy and beyond (`bounds_on_runs`);
    None for "the energy never rises" where the traits say so.
    diagnostics : numbers to record unasked beyond the usual ones.
    arrays : (table, dim) → arrays of the grid's size that a run holds at once.
    coarse : (table, span, steps) → overrides for a small run of few steps, solved closely: for references.
    amplification : (solver table, z) → |ρ_k(t + dt)/ρ_k(t)| of a mode with rate λ in steps z = λ dt; None if unknown.
    columns, fields : all that `Built` may hold of them, for the reference of the output file.
    """

    name: str
    table: type[Table]
    build: Callable[[Any, Asked], Built]
    traits: Callable[[Any], Traits]
    needs: frozenset[str] = frozenset()
    dynamics: bool = False
    radial: bool = False
    exits: bool = False
    complete: Callable[[Any, float], Any] = _as_it_is
    sampling: Literal["average", "centre"] = "average"
    equation: Callable[[Any, Any], str | None] = lambda energy, table: None
    promises: Promises | None = None
    diagnostics: tuple[str, ...] = ()
    arrays: Callable[[Any, int], int] = lambda table, dim: 20
    coarse: Callable[[Any, float, int], list[str]] = lambda table, span, steps: []
    amplification: Callable[[Mapping[str, Any], Array], Array] | None = None
    columns: tuple[Column, ...] = ()
    fields: tuple[Field, ...] = ()

    def stationary(self, table: Any) -> float | None:
        """The largest flux at which a march may stop, where the table asks for that."""
        return getattr(table, "stationary", None)

    def watches(self, table: Any) -> bool:
        """Whether a blow-up ends the run."""
        return getattr(table, "blow_up", "ignore") == "stop"
