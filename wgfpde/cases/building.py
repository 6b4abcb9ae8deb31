"""`Case` → `build` → `Problem`: the only place where a problem is put together.

Reading a case is in `loading`, its tables in `schema` and `tables`, its densities in `case_densities`.
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..base.amounts import memory_lacking, size_text
from ..base.toml import show
from ..energy.energy import Energy, Internal
from ..energy.flow import Flow
from ..energy.snapshot import Column, Field, Snapshot, Stepper, Traits, misfit
from ..errors import CaseError
from ..grid.grid import Array, Grid
from ..grid.quadrature import TOLD
from ..linear.threads import SERIAL_CELLS, default_threads
from ..methods import Asked
from ..store.layout import Layout
from .case_densities import build_exact, density_of, function_of, points_of, space_of, start_of
from .feature_data import features_of
from .loading import located
from .schema import Case
from .times import output_times

if TYPE_CHECKING:
    from ..diagnostics import Diagnostic
    from ..diagnostics.blowup import Watch

MOST_FIELDS = 2 * 2**30
"""Bytes of stored fields that a run may have unasked."""


@dataclass(frozen=True)
class Record:
    """What the file says of the run beside its numbers, and how the run is kept.

    name : of the run folder.   texts : datasets of text, by name.   files : the data files that it read.
    precision, compression : of the densities.   checkpoint : seconds of wall clock between checkpoints.
    in_code : whether it was put together in Python.
    """

    name: str = "run"
    title: str = ""
    method: str = ""
    texts: Mapping[str, str] = field(default_factory=dict, repr=False)
    files: tuple[Path, ...] = ()
    precision: str = "float64"
    compression: str = "none"
    checkpoint: float = 60.0
    in_code: bool = False


@dataclass(frozen=True, repr=False)
class Problem:
    """Everything the time loop needs; no choice is left to make.

    times : (n,) output times, strictly increasing, start and end included.
    exact : t ↦ the exact density on the grid, sampled like the initial data, or None.
    sampling : "average" or "centre".   equation : its short name.
    stationary : stop when max|F| is below, or None.   diagnostics : the numbers to record with every snapshot.
    columns : what the scheme records with every step, beyond what every run does.   record : see there.
    watch : looks for a blow-up that ends the run, or None where there can be none.
    traits : what is true of the march.   fields : what the file holds of every snapshot beside the density.
    attributes : what the file says of the run, by the method.
    averaging : of what formulas give ("initial", "target", "exact"), the estimate of the error of its cell averages, in
    L1 and relative to its mass; of "exact" the larger of start and end.
    """

    flow: Flow
    stepper: Stepper
    initial: Snapshot
    times: Array
    exact: Callable[[float], Array] | None
    sampling: str
    equation: str
    stationary: float | None
    diagnostics: tuple[Diagnostic, ...]
    columns: tuple[Column, ...] = ()
    record: Record = field(default_factory=Record)
    watch: Watch | None = None
    traits: Traits = field(default_factory=Traits)
    fields: tuple[Field, ...] = ()
    attributes: Mapping[str, str | int | float] = field(default_factory=dict, repr=False)
    averaging: Mapping[str, float] = field(default_factory=dict, repr=False)

    @property
    def averaging_note(self) -> str:
        """A sentence on cell averages that are not known to TOLD of their mass; else ""."""
        poor = [f"[{name}] known to {error:.1g}" for name, error in self.averaging.items() if error > TOLD]
        if not poor:
            return ""
        return f"cell averages of formulas that jump or peak within cells: {', '.join(poor)} of the mass."

    def __repr__(self) -> str:
        method, span = type(self.stepper).__name__, f"t = {self.times[0]:g} to {self.times[-1]:g}"
        return f"Problem({self.record.title!r}: {self.equation or 'no name'} by {method}, {span}, {self.flow.grid})"


def build(case: Case, threads: int | None = None) -> Problem:
    """Put the problem together.  Raises CaseError, with the key path, where the data makes none.

    threads : default WGFPDE_NUM_THREADS, else the cores this process may use.
    """
    from ..diagnostics import Setting, chosen  # these load kernels, which what only reads a case does without
    from ..diagnostics.blowup import make_watch

    check_memory(case)
    grid = build_grid(case)
    threads = threads or default_threads()
    flow = build_flow(case, grid, threads if grid.size >= SERIAL_CELLS else 1)
    rho, error = start_of(case, grid)
    averaging, target = {"initial": error}, None
    if case.target is not None:
        target, averaging["target"] = density_of(case, grid, case.target, "target", flow.mass(rho))
    with located(case.path, "solver"):
        points = None if case.initial.samples is None else partial(points_of, case, grid)
        asked = Asked(case.path, flow, rho, target, case.time.start, case.time.end, threads, points)
        built = case.method.build(case.solver, asked)
    times, traits = output_times(case), case.traits
    with located(case.path, "output.fields"):
        stored = _stored(case, built.fields, len(times))
    with located(case.path, "output.diagnostics"):
        setting = Setting(flow, case.exact is not None, traits, frozenset(field.name for field in built.fields))
        recorded = chosen(setting, [*case.method.diagnostics, *case.output.diagnostics])
    start = {"rho": rho, **built.initial}
    if trouble := misfit(start, grid.shape, built.fields):
        raise CaseError(f"{case.path}: solver.method: {case.solver.method} starts with {trouble}")
    record = _record(case)
    exact = build_exact(case, grid)
    if exact is not None:
        averaging["exact"] = exact.error
    Layout(grid, recorded, built.columns, record.texts, fields=stored)  # refuses names before anything is written
    return Problem(
        flow=flow,
        stepper=built.stepper,
        initial=Snapshot(t=case.time.start, step=0, fields=start),
        times=times,
        exact=exact,
        sampling=case.initial.sampling,
        equation=case.equation,
        stationary=case.method.stationary(case.solver),
        diagnostics=recorded,
        columns=built.columns,
        record=record,
        watch=make_watch(flow, flow.mass(rho)) if traits.wasserstein and case.method.watches(case.solver) else None,
        traits=traits,
        fields=stored,
        attributes=built.attributes,
        averaging=averaging,
    )


def _stored(case: Case, offered: Sequence[Field], snapshots: int) -> tuple[Field, ...]:
    """The fields that the file will hold: those that [output] names, else those that the method stores unasked."""
    names = case.output.fields
    known = {field.name: field for field in offered}
    for name in names or ():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f'; did you mean "{near[0]}"?' if near else f"; it offers {', '.join(known) or 'none'}"
            raise CaseError(f'method = "{case.solver.method}" has no field {show(name)}{hint}')
    if names is not None:
        return tuple(known[name] for name in dict.fromkeys(names))
    chosen = tuple(field for field in offered if field.stored)
    size = _bytes(chosen, case.cells, snapshots)
    if size > MOST_FIELDS:
        raise CaseError(
            f"{', '.join(field.name for field in chosen)} would take {size_text(size)} in {snapshots} snapshots; "
            "name what to store, as in [output] fields = [], or write fewer snapshots"
        )
    return chosen


def _bytes(fields: Sequence[Field], cells: int, snapshots: int) -> int:
    """What fields take, in double precision."""
    return 8 * snapshots * sum(math.prod([n for _, n in field.dims]) if field.dims else cells for field in fields)


def bytes_stored(problem: Problem) -> int:
    """What the densities of a run and what is stored beside them will take on disk, uncompressed."""
    cells, snapshots = problem.flow.grid.size, len(problem.times)
    size = 8 * cells * snapshots + _bytes(problem.fields, cells, snapshots)
    return size // 2 if problem.record.precision == "float32" else size


def _record(case: Case) -> Record:
    tables = [table for table in (case.initial, case.target) if table is not None]
    names = [name for table in tables for name in (table.file, table.samples)]
    names += [getattr(case.energy.features, "data", None)]
    return Record(
        name=case.name,
        title=case.title,
        method=case.solver.method,
        texts={
            "case_toml": case.text,
            "resolved_toml": case.resolved_toml(),
            "sources_json": json.dumps(case.sources, ensure_ascii=False),
        },
        files=tuple(Path(name) for name in names if name is not None),
        precision=case.output.precision,
        compression=case.output.compression,
        checkpoint=case.output.checkpoint,
        in_code=case._code is not None,
    )


def memory_needed(case: Case) -> int:
    """Bytes a run will hold, roughly."""
    method, table = case.method, case.solver
    return method.arrays(table, case.dim) * 8 * case.cells + method.memory(table, case.dim)


def check_memory(case: Case) -> None:
    """Refuse a grid larger than this machine's memory, before anything is allocated."""
    if lacking := memory_lacking(memory_needed(case)):
        raise CaseError(f"{case.path}: grid.shape: {case.cells} cells need {lacking}; use fewer cells")


def build_grid(case: Case) -> Grid:
    """The grid of a case.  Raises CaseError for a mapping that makes none."""
    table = case.grid
    if case._code is not None:
        return case._code.grid
    mapping = None if table.mapping is None else [_mapping(case, k, t) for k, t in enumerate(table.mapping)]
    with located(case.path, "grid" if mapping is None else "grid.mapping"):
        return Grid(table.lower, table.upper, table.shape, table.boundary, mapping)


def _mapping(case: Case, axis: int, text: str) -> Callable[[Array], Array]:
    expression = function_of(case, text, ("s",), f"grid.mapping[{axis}]")
    return lambda s: expression(s=s)


def build_flow(case: Case, grid: Grid, threads: int = 1) -> Flow:
    """The energy of a case on its grid."""
    table = case.energy
    if case._code is not None:
        return Flow(grid, case._code.energy, threads)
    potential = interaction = None
    if table.potential is not None:
        potential = function_of(case, table.potential, space_of(case), "energy.potential")
    if table.interaction is not None:
        interaction = function_of(case, table.interaction, space_of(case), "energy.interaction")
    internal = Internal.of(table.internal)
    with located(case.path, "energy.internal.m" if "m" in internal.parameters else "energy.internal"):
        internal.check_dimension(grid.dim)
    texts, features = (table.potential or "", table.interaction or ""), features_of(case)
    with located(case.path, "energy.potential"):  # without W first: a mistake is of one key
        flow = Flow(grid, Energy(internal, potential, None, texts[0], sobolev=table.sobolev), threads)
    if features is not None:
        with located(case.path, "energy.features"):
            flow = Flow(grid, Energy(internal, potential, None, texts[0], features=features), threads)
    if interaction is None:
        return flow
    with located(case.path, "energy.interaction"):
        return Flow(grid, Energy(internal, potential, interaction, *texts, features=features), threads)
