"""The Python interface: what `import wgfpde as wgf` offers.

    case = wgf.load("case.toml")                        # or a packaged case, or an output file
    run = wgf.run(case, solver={"dt": 0.02})            # a Run: rho, t, diagnostics, steps, plot(), to_xarray()
    for snapshot in wgf.march(case): ...                # step by step, nothing on disk
    wgf.spectrum(case).gap                              # and wgf.exits, wgf.stationary, wgf.converge: see `questions`
    case = wgf.problem(grid, energy, initial, end=5.0)  # put together in Python, with functions for V and W

Everything else of the package can be imported from its modules; what is here stays.
"""

from __future__ import annotations

import math
import os
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from . import store
from .base import floating_point
from .cases import loading
from .cases.building import build
from .cases.in_code import problem
from .cases.limits.cost import check_asked, cost_of
from .cases.schema import Case
from .energy.dynamics import Dynamics
from .energy.energy import Energy, Internal
from .energy.flow import Flow
from .energy.openings.sinks import Sink
from .energy.snapshot import Snapshot
from .errors import CaseError, SolverError
from .grid.grid import Grid
from .grid.public_arguments import public
from .output.notebook import Run
from .runs import runner
from .runs.progress import status_line
from .studies.questions import Source, case_of, exits, spectrum, stationary
from .studies.run_studies import converge, sweep
from .studies.sweep.reading import read_sweep
from .studies.sweep_mark import is_sweep
from .transport import graphs
from .transport.barycentres import barycentre
from .transport.distances import distance, w2
from .transport.pairs import Points
from .transport.shortest_path import geodesic

floating_point.install()

if TYPE_CHECKING:
    from .grid.tables.tabulated import Tabulated

__all__ = [
    "Case", "Dynamics", "Energy", "Flow", "Grid", "Internal", "Points", "Run", "Sink", "Snapshot", "barycentre",
    "converge", "distance", "exits", "geodesic", "graphs", "load", "march", "problem", "read", "read_table", "resume",
    "run", "spectrum", "stationary", "sweep", "w2",
]  # fmt: skip


@public
def load(path: str | os.PathLike[str], overrides: Sequence[str] = (), **tables: Mapping[str, Any]) -> Case:
    """Read and check a case.

    Parameters
    ----------
    path
        A case file, the name of a packaged case, or the output file of a run, whose case is meant.
    overrides
        Texts such as ``"grid.shape=[64, 64]"``, as ``--set`` takes them.
    **tables
        Tables laid over those of the file: ``solver={"dt": 0.01}``.

    Raises
    ------
    CaseError
        With the key, what was expected and what was found.
    """
    case = loading.load(Path(path), overrides)
    return loading.override(case, tables) if tables else case


@public
def read_table(
    source: Any,
    *,
    dim: int = 1,
    column: str | None = None,
    dataset: str | None = None,
    lower: Sequence[float] | None = None,
    upper: Sequence[float] | None = None,
    points: Literal["centres", "ends"] = "centres",
    interpolation: Literal["cubic", "pchip", "linear", "nearest"] = "cubic",
    missing: Literal["forbidden", "error", "nearest"] = "forbidden",
    scale: float = 1.0,
    histogram: bool = False,
    kappa: float | None = None,
) -> Tabulated:
    """A function from a table, for ``Energy(potential=…)``, ``Dynamics`` and densities.

    Parameters
    ----------
    source
        A file, as in a case, or an object of pandas or xarray.
    dim
        Coordinates of a table in a text file, 1 or 2; else they are known.
    column, dataset, lower, upper, points, interpolation, missing, scale, histogram
        As in ``potential = { file = "…" }``.
    kappa
        Of a histogram, V = −κ ln of its values.

    Returns
    -------
    Tabulated
        Called with ``x=…`` (and ``y=…``), arrays; ``on(grid)`` closes it to rings and checks that it covers the grid.

    Raises
    ------
    CaseError
        For what is no table.
    """
    from .grid.tables.array_file import npy_array
    from .grid.tables.objects import holds_table, table_of_object
    from .grid.tables.table import free_energy, scaled
    from .grid.tables.tabulated import Tabulated
    from .store.table_file import read_table as from_file

    if histogram and kappa is None:
        raise CaseError("a histogram needs kappa: V = −kappa ln of its values")
    if holds_table(source):
        table = table_of_object(source, column, dim if dim == 2 else None)
    elif not isinstance(source, str | os.PathLike):
        raise CaseError(f"source: expected a file, or a table of pandas or xarray, found {type(source).__name__}")
    else:
        bounds = None if lower is None or upper is None else (lower, upper)
        dim = npy_array(Path(source)).ndim if Path(source).suffix.lower() == ".npy" else dim
        table = from_file(Path(source), dim, column, dataset, bounds, points)
    table = free_energy(table, float(kappa)) if histogram and kappa is not None else table
    return Tabulated(scaled(table, scale), interpolation, missing)


@public
def run(
    case: Source,
    out: str | os.PathLike[str] | None = None,
    *,
    overwrite: bool = False,
    progress: bool = True,
    wall_limit: float | None = None,
    on_snapshot: Callable[[Snapshot], Any] | None = None,
    unlimited: bool = False,
    **tables: Mapping[str, Any],
) -> Run:
    """Solve a case.

    Parameters
    ----------
    case
        From `load` or `problem`, or what `load` takes.
    out
        The run folder.  By default a temporary one, which goes when the returned run is no longer used.
    overwrite
        Replace the run that the folder holds.
    progress
        Show on stderr how far it is, from two seconds on.
    wall_limit
        Seconds after which it stops, with a checkpoint; the run returned then has the status "interrupted".
    on_snapshot
        A function that is called with each `Snapshot` once it is written, the start included; its arrays are
        read-only.  What it raises ends the run and reaches the caller; in a named folder the run then goes on with
        `resume`.
    unlimited
        Begin also what takes more than an hour, by a count of its formulas and steps, or 20 GiB of disk.
    **tables
        Tables laid over those of the case: ``solver={"tau": 0.02}``.

    Raises
    ------
    CaseError
        Before anything is written; also for what takes so much, unless it is `unlimited`, or by `wall_limit` in time.
    SolverError
        Where a step cannot be solved; the states before it are in the folder.
    KeyboardInterrupt
        On Ctrl-C, after the last state and a checkpoint were written.
    """
    _check_limit(wall_limit)
    case = case_of(case, tables)
    check_asked(case, cost_of(case), unlimited, wall_limit is not None, python=True)
    place = Path(tempfile.mkdtemp(prefix="wgfpde-")) if out is None else Path(out)
    try:
        with status_line(progress) as line:
            result = runner.run(case, place, overwrite, line, wall_limit, on_snapshot)
            found = _finished(result, keep=out is not None)
    except BaseException:
        if out is None:
            shutil.rmtree(place, ignore_errors=True)
        raise
    if out is None:
        weakref.finalize(found, shutil.rmtree, place, ignore_errors=True)
    return found


@public
def march(case: Source, **tables: Mapping[str, Any]) -> Iterator[Snapshot]:
    """The state at the start and after every accepted step, with nothing on disk.

    Parameters
    ----------
    case, **tables
        As for `run`.

    Yields
    ------
    Snapshot
        With ``t``, ``rho``, ``step``, ``dt`` and a ``report`` of how the step went.
    """
    return runner.march(build(case_of(case, tables)))


@public
def resume(
    folder: str | os.PathLike[str] | Run,
    until: float | None = None,
    *,
    case: Case | None = None,
    progress: bool = True,
    wall_limit: float | None = None,
    on_snapshot: Callable[[Snapshot], Any] | None = None,
) -> Run:
    """Go on with a run from its last checkpoint, as if it had never been stopped.

    Parameters
    ----------
    folder
        The run folder, or the run.
    until
        A new, later end, also of a run that is finished.
    case
        Needed for a run that was put together in Python with functions of time, which its file does not keep.
    progress, wall_limit, on_snapshot
        As for `run`, which also says what is raised.
    """
    _check_limit(wall_limit)
    folder = folder.folder if isinstance(folder, store.Run) else folder
    with status_line(progress) as line:
        return _finished(runner.resume(folder, until, line, wall_limit, case, on_snapshot), keep=True)


@public
def read(path: str | os.PathLike[str]) -> Any:
    """A run on disk, from its folder or its HDF5 file, also one that is going on; or the sweep that a folder holds.

    Raises
    ------
    StoreError
        For a missing, truncated, foreign or newer file.
    """
    if is_sweep(Path(path)):
        return read_sweep(Path(path))
    run = store.read(path)
    return Run(**{field.name: getattr(run, field.name) for field in fields(run)})


def _check_limit(seconds: float | None) -> None:
    if seconds is not None and not math.isfinite(seconds):
        raise CaseError(f"wall_limit: expected a finite number of seconds, found {seconds}; leave it out for none")


def _finished(result: runner.Result, keep: bool) -> Run:
    """The run of a result, or the exception that a script must not miss."""
    if result.error is not None:
        raise result.error
    if result.status == "failed":
        raise SolverError(result.message + (f" See {result.folder}." if keep else ""))
    if result.status == "interrupted" and result.exit_code != 75:
        raise KeyboardInterrupt(result.message)
    return read(result.folder)
