"""`Case` → `build` → `Problem`: the only place where a problem is put together.

Reading a case is in `loading`, its tables in `schema` and `tables`, its densities in `case_densities`.
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..base.amounts import memory_lacking, size_text
from ..base.toml import show
from ..energy.driving.work import opened
from ..energy.flow import Flow
from ..energy.openings import account
from ..energy.openings.sinks import Sink
from ..energy.snapshot import Column, Field, Snapshot, Stepper, Traits, misfit
from ..errors import CaseError
from ..grid.axis import AXIS_NAMES, Array
from ..grid.boundary import SIDES, Boundary, boundary_of
from ..grid.grid import Grid
from ..grid.quadrature import TOLD
from ..linear.threads import SERIAL_CELLS, default_threads
from ..methods import Asked
from ..store.layout import STEP_COLUMNS, Label, Layout
from .case_densities import averages_of, build_exact, density_of, function_of, points_of, space_of, start_of
from .energies import build_dynamics, check_drive, energy_of, traits_of_flow
from .limits.scales import check_scales
from .loading import located
from .schema import Case
from .sources.file_tables import files_of
from .sources.free_energies import constants_of, table_note
from .times import output_times

if TYPE_CHECKING:
    from ..diagnostics import Diagnostic
    from ..diagnostics.blowup import Watch

SEEN = 1e-9
"""Mass that is told of where it lies in sinks at the start."""
MOST_FIELDS = 2 * 2**30
"""Bytes of stored fields that a run may have unasked."""


@dataclass(frozen=True)
class Record:
    """What the file says of the run beside its numbers, and how the run is kept.

    name : of the run folder.   texts : datasets of text, by name.   files : the data files that it read.
    precision, compression : of the densities.   checkpoint : seconds of wall clock between checkpoints.
    in_code : whether it was put together in Python.   code : what the file keeps of its functions.
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
    code: Mapping[str, Array | str] = field(default_factory=dict, repr=False)


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
    lost : mass that [initial] has in region sinks, by sink: it has left at the start.
    attributes : what the file says of the run, by the method.
    averaging : of what formulas give ("initial", "target", "exact"), the estimate of the error of its cell averages, in
    L1 and relative to its mass; of "exact" the larger of start and end.
    breakpoints : further times that steps land on.
    method_notes : sentences on the method, for `check`.
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
    lost: Mapping[str, float] = field(default_factory=dict, repr=False)
    breakpoints: Array = field(default_factory=lambda: np.zeros(0), repr=False)
    method_notes: tuple[str, ...] = ()

    def next_stop(self, t: float, t_out: float) -> float:
        """The time that a step from t must not pass, on the way to an output time: that, or a breakpoint before it."""
        if not len(self.breakpoints):
            return float(t_out)
        ahead = self.breakpoints[(self.breakpoints > t) & (self.breakpoints < t_out)]
        return float(ahead[0]) if len(ahead) else float(t_out)

    @property
    def notes(self) -> list[str]:
        """Sentences that the user should see before the march."""
        return [note for note in (self.averaging_note, table_note(self.flow), self.loss_note) if note]

    @property
    def loss_note(self) -> str:
        """A sentence on the mass that lies in region sinks at the start; else ""."""
        parts = ", ".join(f"{mass:.3g} by {name}" for name, mass in self.lost.items() if mass > SEEN)
        if not parts:
            return ""
        return f"[initial] has mass in sinks, which leaves at the start: {parts}."

    @property
    def constants(self) -> tuple[tuple[Label, Array], ...]:
        """Arrays of the grid's shape that do not change, for the file."""
        return constants_of(self.flow, self.record.in_code)

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

    check_scales(case)
    check_memory(case)
    grid = build_grid(case)
    threads = threads or default_threads()
    flow = build_flow(case, grid, threads if grid.size >= SERIAL_CELLS else 1)
    check_drive(case, flow)
    rho, error = start_of(case, grid)
    averaging, target = {"initial": error}, None
    if case.target is not None:
        target, averaging["target"] = density_of(case, grid, case.target, "target", flow.mass(rho))
    terminal = build_terminal(case, grid, threads if grid.size >= SERIAL_CELLS else 1)
    with located(case.path, "initial"):
        flow.check_allowed(rho)
    with located(case.path, "solver"):
        wanted = frozenset([*case.output.diagnostics, *(case.output.fields or [])])
        given = case.initial.samples is not None and case.initial.bandwidth is None  # else they stand for a density
        points = partial(points_of, case, grid) if given else None
        asked = Asked(case.path, flow, rho, target, case.time.start, case.time.end, threads, wanted, points, terminal)
        built = case.method.build(case.solver, asked)
    if target is not None:
        with located(case.path, "target"):
            flow.check_allowed(target)
    times, traits = output_times(case), traits_of_flow(case.traits, flow)
    with located(case.path, "output.fields"):
        stored = _stored(case, built.fields, len(times))
    with located(case.path, "output.diagnostics"):
        setting = Setting(flow, case.exact is not None, traits, frozenset(field.name for field in built.fields))
        recorded = chosen(setting, [*case.method.diagnostics, *case.output.diagnostics])
    recorded = (*recorded, *averages_of(case, grid))
    start = {"rho": rho, **(opened() if flow.driven or flow.push is not None else {}), **built.initial}
    start |= account.opened(flow, start["rho"])
    with located(case.path, "initial"):
        lost = account.check_start(flow, start)
    if trouble := misfit(start, grid.shape, built.fields):
        raise CaseError(f"{case.path}: solver.method: {case.solver.method} starts with {trouble}")
    record = _record(case)
    exact = build_exact(case, grid)
    if exact is not None:
        averaging["exact"] = exact.error
    columns = (*built.columns, *account.columns_of(flow))
    Layout(grid, recorded, columns, record.texts, fields=stored)  # refuses names before anything is written
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
        columns=columns,
        record=record,
        watch=make_watch(flow, flow.mass(rho), (case.time.start, case.time.end)) if _may_blow_up(case) else None,
        traits=traits,
        fields=stored,
        attributes=built.attributes,
        averaging=averaging,
        lost=lost,
        breakpoints=np.array(case.time.breakpoints or [], dtype=float),
        method_notes=built.notes,
    )


def _may_blow_up(case: Case) -> bool:
    """Whether the method follows the gradient flow, exits or not, and the case asks to look out for a blow-up."""
    return case.method.traits(case.solver).wasserstein and case.method.watches(case.solver)


def _stored(case: Case, offered: Sequence[Field], snapshots: int) -> tuple[Field, ...]:
    """The fields that the file will hold: those that [output] names, else those that the method stores unasked.

    A name may stand for all components, "current" for current_x and current_y.
    """
    names = case.output.fields
    known = {field.name: field for field in offered}
    for name in names or ():
        parts = [offer for offer in known if offer.startswith(f"{name}_")]
        if name not in known and not parts:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f'; did you mean "{near[0]}"?' if near else f"; it offers {', '.join(known) or 'none'}"
            raise CaseError(f'method = "{case.solver.method}" has no field {show(name)}{hint}')
    if names is not None:
        each = [[name] if name in known else [k for k in known if k.startswith(f"{name}_")] for name in names]
        return tuple(known[name] for name in dict.fromkeys(name for part in each for name in part))
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


def bytes_stored(problem: Problem, cells: int | None = None, steps: float = 0.0) -> float:
    """What a run will take on disk, uncompressed: densities, what is stored beside them, and the table of steps.

    cells : of the grid, where the problem stands for one on another.   steps : how many there are at least.
    """
    cells, snapshots = cells or problem.flow.grid.size, len(problem.times)
    size = 8 * cells * snapshots + _bytes(problem.fields, cells, snapshots)
    columns = len(STEP_COLUMNS) + len(problem.columns)
    return size / (2 if problem.record.precision == "float32" else 1) + 8 * columns * steps


def _record(case: Case) -> Record:
    tables = [table for table in (case.initial, case.target) if table is not None]
    energies = [energy for energy in (case.energy, case.terminal) if energy is not None]
    diffusion = None if case.dynamics is None else case.dynamics.diffusion
    features = [getattr(energy.features, "data", None) for energy in energies]
    return Record(
        name=case.name,
        title=case.title,
        method=case.solver.method,
        texts={
            "case_toml": case.text,
            "resolved_toml": case.resolved_toml(),
            "sources_json": json.dumps(case.sources, ensure_ascii=False),
        },
        files=(
            *(path for table in tables for path in table.paths),
            *files_of(*(part for energy in energies for part in (energy.potential, energy.interaction)), diffusion),
            *(Path(data) for data in features if data is not None),
        ),
        precision=case.output.precision,
        compression=case.output.compression,
        checkpoint=case.output.checkpoint,
        in_code=case._code is not None,
    )


def memory_needed(case: Case) -> int:
    """Bytes a run will hold, roughly."""
    return _arrays(case) + case.method.memory(case.solver, case.dim)


def _arrays(case: Case) -> int:
    return case.method.arrays(case.solver, case.dim, case.time.end - case.time.start) * 8 * case.cells


def check_memory(case: Case) -> None:
    """Refuse a grid larger than this machine's memory, before anything is allocated.

    What a method holds beside the grid's arrays it refuses itself, by the key that asks for it.
    """
    if lacking := memory_lacking(_arrays(case)):
        other = ", or a larger solver.dt" if case.traits.path and case.traits.step is not None else ""
        raise CaseError(f"{case.path}: grid.shape: {case.cells} cells need {lacking}; use fewer cells{other}")


def build_grid(case: Case) -> Grid:
    """The grid of a case.  Raises CaseError for a mapping that makes none."""
    table = case.grid
    if case._code is not None:
        return case._code.grid
    ends = [_boundary(case, k) for k in range(case.dim)]
    mapping = None if table.mapping is None else [_mapping(case, k, t) for k, t in enumerate(table.mapping)]
    with located(case.path, "grid" if mapping is None else "grid.mapping"):
        return Grid(table.lower, table.upper, table.shape, ends, mapping, radial=table.radial)


def _boundary(case: Case, axis: int) -> Boundary:
    """The ends of an axis, with functions for the formulas of its walls: of the other coordinate in 2D."""
    found = boundary_of(case.grid.boundary[axis])
    others = tuple(name for k, name in enumerate(AXIS_NAMES[: case.dim]) if k != axis)
    walls = []
    for side in SIDES:
        wall = getattr(found, side)
        if isinstance(wall.value, str):
            wall = replace(wall, function=function_of(case, wall.value, others, f"grid.boundary[{axis}].{side}"))
        walls.append(wall)
    return Boundary(*walls)


def build_sinks(case: Case) -> tuple[Sink, ...]:
    """The sinks of a case, in its order.  Raises CaseError."""
    if case._code is not None:
        return case._code.sinks
    found = []
    for name, value in case.sinks.items():
        key, text = ("rate", value["rate"]) if isinstance(value, dict) else ("region", value)
        function = function_of(case, text, space_of(case), f"sinks.{name}")
        with located(case.path, f"sinks.{name}"):
            found.append(Sink(name, text=text, **{key: function}))
    return tuple(found)


def _mapping(case: Case, axis: int, text: str) -> Callable[[Array], Array]:
    expression = function_of(case, text, ("s",), f"grid.mapping[{axis}]")
    return lambda s: expression(s=s)


def build_flow(case: Case, grid: Grid, threads: int = 1) -> Flow:
    """The energy of a case on its grid, at the start of the time span."""
    energy, start, sinks = energy_of(case), case.time.start, build_sinks(case)
    if case._code is not None:
        return Flow(grid, energy, threads, dynamics=case._code.dynamics, sinks=sinks, t=start)
    with located(case.path, "energy.internal.m" if "m" in energy.internal.parameters else "energy.internal"):
        energy.internal.check_dimension(grid.space)
    plain = replace(energy, interaction=None, tilt=(), force=None, features=None)
    # without W, D, walls, sinks and a force first: a mistake is of one key
    with located(case.path, "energy.potential" if energy.kappa is None else "energy"):
        flow = Flow(_closed(grid), plain, threads, t=start)
    if energy.features is not None:
        plain = replace(plain, features=energy.features)
        with located(case.path, "energy.features"):
            flow = Flow(_closed(grid), plain, threads, t=start)
    if energy.tilted:
        plain = replace(energy, interaction=None)
        with located(case.path, "energy.tilt" if energy.force is None else "energy.force"):
            flow = Flow(_closed(grid), plain, threads, t=start)
    dynamics = build_dynamics(case)
    if dynamics is not None:
        with located(case.path, "dynamics"):
            flow = Flow(_closed(grid), plain, threads, dynamics=dynamics, t=start)
    if sinks:
        with located(case.path, "sinks"):
            flow = Flow(_closed(grid), plain, threads, dynamics=dynamics, sinks=sinks, t=start)
    if grid.open_walls:
        with located(case.path, "grid.boundary"):
            flow = Flow(grid, plain, threads, dynamics=dynamics, sinks=sinks, t=start)
    if energy.interaction is None:
        return flow
    with located(case.path, "energy.interaction"):
        return Flow(grid, energy, threads, dynamics=dynamics, sinks=sinks, t=start)


def build_terminal(case: Case, grid: Grid, threads: int = 1) -> Flow | None:
    """The energy of [terminal] on the grid, None without one.  Raises CaseError, with the keys of that table."""
    if case.terminal is None:
        return None
    if case._code is not None:
        return Flow(grid, case._code.terminal, threads)
    alone = case.model_copy(update={"energy": case.terminal, "dynamics": None})
    try:
        flow = build_flow(alone, grid, threads)
    except CaseError as error:
        raise CaseError(*(line.replace(": energy", ": terminal", 1) for line in error.lines)) from error
    if flow.driven:
        keys = " and ".join(sorted("internal.kappa" if name == "kappa" else name for name in flow.driven))
        raise CaseError(f"{case.path}: terminal.{keys}: the cost of the end is of one time; write it without t")
    return flow


def _closed(grid: Grid) -> Grid:
    """The same cells between closed walls."""
    return grid.with_boundary([axis.boundary.closed for axis in grid.axes]) if grid.open_walls else grid
