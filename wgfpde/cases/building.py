"""`Case` → `build` → `Problem`: the only place where a problem is put together.

Reading a case is in `loading`, its tables in `schema` and `tables`, its densities in `case_densities`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from ..energy.driving.work import opened
from ..energy.dynamics import Dynamics
from ..energy.energy import Energy
from ..energy.flow import Flow
from ..energy.openings import account
from ..energy.openings.sinks import Sink
from ..energy.snapshot import Snapshot, misfit
from ..errors import CaseError
from ..grid.axis import AXIS_NAMES, Array
from ..grid.boundary import SIDES, Boundary, boundary_of
from ..grid.grid import Grid
from ..linear.threads import SERIAL_CELLS, default_threads
from ..methods import Asked
from ..store.layout import Layout
from .case_densities import averages_of, build_exact, density_of, function_of, points_of, space_of, start_of
from .energies import build_dynamics, check_drive, energy_of, traits_of_flow
from .limits.memory import check_memory, stored_fields
from .limits.scales import check_scales
from .loading import located
from .problems import Problem, Record
from .schema import Case
from .sources.file_tables import files_of
from .times import output_times


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
        stored = stored_fields(case, built.fields, len(times))
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
        points=given,
    )


def _may_blow_up(case: Case) -> bool:
    """Whether the method follows the gradient flow, exits or not, and the case asks to look out for a blow-up."""
    return case.method.traits(case.solver).wasserstein and case.method.watches(case.solver)


def _record(case: Case) -> Record:
    tables = [table for table in (case.initial, case.target) if table is not None]
    energies = [energy for energy in (case.energy, case.terminal) if energy is not None]
    diffusion = None if case.dynamics is None else case.dynamics.diffusion
    features = [getattr(energy.features, "data", None) for energy in energies]
    return Record(
        name=case.name,
        title=case.title,
        method=case.solver.method,
        texts={**case.texts, "sources_json": json.dumps(case.sources, ensure_ascii=False)},
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
    for key, cells, part, dynamics, exits in _parts(case, energy, grid, sinks):
        with located(case.path, key):
            flow = Flow(cells, part, threads, dynamics=dynamics, sinks=exits, t=start)
    return flow


def _parts(
    case: Case, energy: Energy, grid: Grid, sinks: tuple[Sink, ...]
) -> Iterator[tuple[str, Grid, Energy, Dynamics | None, tuple[Sink, ...]]]:
    """What flows are made of, with one thing more each time, and the key of that: a mistake is of one key."""
    plain, dynamics = replace(energy, interaction=None, tilt=(), force=None, features=None), None
    closed = grid.with_boundary([axis.boundary.closed for axis in grid.axes]) if grid.open_walls else grid
    yield "energy.potential" if energy.kappa is None else "energy", closed, plain, dynamics, ()
    if energy.features is not None:
        plain = replace(plain, features=energy.features)
        yield "energy.features", closed, plain, dynamics, ()
    if energy.tilted:
        plain = replace(energy, interaction=None)
        yield "energy.tilt" if energy.force is None else "energy.force", closed, plain, dynamics, ()
    if (dynamics := build_dynamics(case)) is not None:
        yield "dynamics", closed, plain, dynamics, ()
    if sinks:
        yield "sinks", closed, plain, dynamics, sinks
    if grid.open_walls:
        yield "grid.boundary", grid, plain, dynamics, sinks
    if energy.interaction is not None:
        yield "energy.interaction", grid, energy, dynamics, sinks


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
