"""`Case` → `build` → `Problem`: the only place where a problem is put together.

Reading a case is in `casefile`, its tables in `schema`; their public names are exported here too.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import initial
from .casefile import find_case, from_mapping, load, loads, located, output_times, presets
from .energy import Energy, Internal
from .equations import name_equation
from .errors import CaseError
from .expressions import Expression, check_finite, compile_expression
from .flow import Flow, Snapshot, Stepper
from .grid import Array, Grid
from .schema import Case, EnergyTable, Entropy, FvTable, Power, json_schema
from .toml import to_toml

__all__ = [
    "Case", "Entropy", "Power", "Problem", "build", "build_grid", "check_memory", "equation_name",
    "find_case", "from_mapping", "json_schema", "load", "loads", "memory_needed", "output_times", "presets",
    "to_toml",
]

WORK_ARRAYS = 20
"""Arrays of the grid's size that a run holds at once, for the estimate of its memory."""


@dataclass(frozen=True)
class Problem:
    """Everything the time loop needs; no choice is left to make.

    times : (n,) output times, strictly increasing, start and end included.
    exact : t ↦ the exact density on the grid, sampled like the initial data, or None.
    sampling : "average" or "centre".   equation : its short name.
    stationary : stop when max|F| is below, or None.
    """

    flow: Flow
    stepper: Stepper
    initial: Snapshot
    times: Array
    exact: Callable[[float], Array] | None
    sampling: str
    equation: str
    stationary: float | None


def build(case: Case, threads: int | None = None) -> Problem:
    """Put the problem together.  Raises CaseError, with the key path, where the data makes none.

    threads : default WGFPDE_NUM_THREADS, else the cores this process may use.
    """
    from .fv.blocks import SERIAL_CELLS, default_threads

    source, solver = case.path, case.solver
    if not isinstance(solver, FvTable):
        raise CaseError(
            f'{source}: solver: method = "jko" is not available yet in this version; use method = "fv"'
        )
    check_memory(case)
    grid = build_grid(case)
    threads = threads or default_threads()
    flow = _build_flow(case, grid, threads if grid.size >= SERIAL_CELLS else 1)
    rho = _initial_density(case, grid)
    return Problem(
        flow=flow,
        stepper=_finite_volumes(flow, solver, threads),
        initial=Snapshot(t=case.time.start, step=0, fields={"rho": rho}),
        times=output_times(case),
        exact=_exact(case, grid),
        sampling=case.initial.sampling,
        equation=equation_name(case.energy),
        stationary=solver.stationary,
    )


def memory_needed(case: Case) -> int:
    """Bytes a run will hold, roughly."""
    return WORK_ARRAYS * 8 * case.cells


def check_memory(case: Case) -> None:
    """Refuse a grid larger than this machine's memory, before anything is allocated."""
    try:
        available = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return
    needed = memory_needed(case)
    if needed > available:
        raise CaseError(
            f"{case.path}: grid.shape: {case.cells} cells need about {needed / 2**30:.1f} GiB of memory "
            f"and this machine has {available / 2**30:.1f} GiB; use fewer cells"
        )


def build_grid(case: Case) -> Grid:
    table = case.grid
    periodic = [kind == "periodic" for kind in table.boundary]
    mapping = None if table.mapping is None else [_mapping(case, k, t) for k, t in enumerate(table.mapping)]
    with located(case.path, "grid" if mapping is None else "grid.mapping"):
        return Grid(table.lower, table.upper, table.shape, periodic, mapping)


def equation_name(energy: EnergyTable) -> str:
    """The usual short name of the equation that an energy gives."""
    return name_equation(energy).name


def _function(case: Case, text: str, variables: tuple[str, ...], key: str) -> Expression:
    with located(case.path, key):
        return compile_expression(text, variables, case.params, where=key)


def _mapping(case: Case, axis: int, text: str) -> Callable[[Array], Array]:
    expression = _function(case, text, ("s",), f"grid.mapping[{axis}]")
    return lambda s: expression(s=s)


def _space(case: Case) -> tuple[str, ...]:
    """Variables of a formula over the grid."""
    return ("x", "r") if case.dim == 1 else ("x", "y", "r")


def _build_flow(case: Case, grid: Grid, threads: int) -> Flow:
    table = case.energy
    potential = interaction = None
    if table.potential is not None:
        potential = _function(case, table.potential, _space(case), "energy.potential")
    if table.interaction is not None:
        interaction = _function(case, table.interaction, _space(case), "energy.interaction")
    internal = Internal(**table.internal.model_dump())
    with located(case.path, "energy.internal.m"):
        internal.check_dimension(grid.dim)
    texts = (table.potential or "", table.interaction or "")
    with located(case.path, "energy.potential"):  # without W first: a mistake is of one key
        flow = Flow(grid, Energy(internal, potential, None, texts[0]), threads)
    if interaction is None:
        return flow
    with located(case.path, "energy.interaction"):
        return Flow(grid, Energy(internal, potential, interaction, *texts), threads)


def _initial_density(case: Case, grid: Grid) -> Array:
    table = case.initial
    if table.density is not None:
        with located(case.path, "initial.density"):
            expression = _function(case, table.density, _space(case), "initial.density")
            rho = initial.from_expression(expression, grid, table.sampling)
            return initial.normalise(rho, grid, table.mass)
    key, name = ("file", table.file) if table.file is not None else ("samples", table.samples)
    assert name is not None
    path = Path(name)
    with located(case.path, f"initial.{key}"):
        if not path.exists():
            here = os.listdir(path.parent) if path.parent.is_dir() else []
            near = difflib.get_close_matches(path.name, here, n=1)
            hint = f"; did you mean {near[0]}?" if near else "; paths are relative to the case file"
            raise CaseError(f"{path} does not exist{hint}")
        rho = initial.from_samples(path, grid) if key == "samples" else _density_file(path, grid)
        return initial.normalise(rho, grid, table.mass)


def _density_file(path: Path, grid: Grid) -> Array:
    from . import store

    if path.suffix == ".npy":
        return initial.from_npy(path, grid)
    if path.is_dir() or path.suffix in (".h5", ".hdf5"):
        rho, edges, _ = store.read_last(path)
        target = tuple(axis.edges for axis in grid.axes)
        if len(edges) != len(target):
            raise CaseError(f"{path} holds a {len(edges)}D density and grid.shape has {len(target)} entries")
        same = all(len(a) == len(b) and np.array_equal(a, b) for a, b in zip(edges, target, strict=True))
        return initial.from_array(rho if same else initial.remap(rho, edges, target), grid, str(path))
    raise CaseError(f"expected a .npy array, a .h5 file or a run folder, found {path.name}")


def _exact(case: Case, grid: Grid) -> Callable[[float], Array] | None:
    if case.exact is None:
        return None
    expression = _function(case, case.exact.density, (*_space(case), "t"), "exact.density")
    sample = grid.average if case.initial.sampling == "average" else grid.sample

    def exact(t: float) -> Array:
        with located(case.path, "exact.density"):
            values = sample(lambda **place: expression(**place, t=t))
            check_finite(values, grid, f"the exact density at t = {t:g}")
        return values

    for t in (case.time.start, case.time.end):  # fail before the run, not in it
        exact(t)
    return exact


def _finite_volumes(flow: Flow, table: FvTable, threads: int) -> Stepper:
    from .fv import FiniteVolumes

    assert table.dt is not None  # _complete gave it a value
    return FiniteVolumes(flow, table.order, table.dt, table.tolerance, table.first_dt, threads)
