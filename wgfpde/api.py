"""The Python interface: what `import wgfpde as wgf` offers.

    case = wgf.load("case.toml")                        # or a packaged case, or an output file
    run = wgf.run(case, solver={"dt": 0.02})            # a Run: rho, t, diagnostics, steps, plot(), to_xarray()
    for snapshot in wgf.march(case): ...                # step by step, nothing on disk
    wgf.spectrum(case).gap                              # and wgf.stationary, wgf.converge: see `questions`
    case = wgf.problem(grid, energy, initial, end=5.0)  # put together in Python, with functions for V and W

Everything else of the package can be imported from its modules; what is here stays.
"""

from __future__ import annotations

import inspect
import os
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import store
from .base import html
from .cases import loading as casefile
from .cases.building import Case, Code, build
from .energy.energy import Energy, Internal
from .energy.flow import Flow
from .energy.snapshot import Snapshot
from .errors import CaseError, SolverError
from .grid import initial
from .grid.grid import Array, Grid, grid_text
from .methods import METHODS
from .output import promises
from .runs import runner
from .runs.progress import status_line
from .studies.questions import case_of, converge, spectrum, stationary
from .transport.distances import distance, geodesic, w2

if TYPE_CHECKING:
    import xarray

__all__ = [
    "Case", "Energy", "Flow", "Grid", "Internal", "Run", "Snapshot", "converge", "distance", "geodesic", "load",
    "march", "problem", "read", "resume", "run", "spectrum", "stationary", "w2",
]  # fmt: skip


class Run(store.Run):
    """A run on disk, with what one does with it in a notebook.

    Densities are read when asked for.  See `wgfpde.store.Run` for the attributes: ``t``, ``rho``, ``diagnostics``,
    ``steps``, ``grid``, ``status`` and others.
    """

    def plot(self, **options: Any) -> Any:
        """Draw the run.

        Parameters
        ----------
        **options
            As for ``wgfpde plot``: ``field``, ``times``, ``log``, ``error``; the exact solution and the Gibbs state
            are drawn where they are known.

        Returns
        -------
        matplotlib.figure.Figure
            Shown by a notebook; ``figure.savefig("run.pdf")`` writes it.
        """
        from .output.plots import Options, draw
        from .output.references import exact_and_gibbs

        for name in ("times", "index"):
            if options.get(name) is not None:
                options[name] = tuple(np.atleast_1d(options[name]).tolist())
        exact, gibbs = exact_and_gibbs(self)
        return draw(self, Options(**options), exact=exact, gibbs=gibbs)

    def to_xarray(self) -> xarray.Dataset:
        """All densities and diagnostics in memory, with coordinates, units and names.

        Returns
        -------
        xarray.Dataset
            ``rho`` over (t, x) or (t, y, x), other stored fields, and each diagnostic over t.

        Raises
        ------
        CaseError
            Where xarray is not installed.
        """
        try:
            import xarray
        except ImportError:
            raise CaseError("to_xarray needs xarray: pip install 'wgfpde[xarray]'") from None
        axes = ["x", "y"][: self.dim]
        data: dict[str, Any] = {
            "rho": (("t", *reversed(axes)), np.asarray(self.rho), {"units": "1", "long_name": "density"})
        }
        for name, stored in self.fields.items():
            label = self.field_labels[name]
            about = {"units": label.units, "long_name": label.long_name, "description": label.description}
            data[name] = (self.field_dims[name], np.asarray(stored), about)
        for name, values in self.diagnostics.items():
            label = self.labels[name]
            about = {"units": label.units, "long_name": label.long_name, "description": label.description}
            data[name] = ("t", values, about)
        places = dict(zip(axes, self.centers, strict=True))
        return xarray.Dataset(data, {"t": self.t, **places}, {"title": self.title, "status": self.status})

    def _repr_html_(self) -> str:
        rows = [("status", f"{self.status}: {self.message}"), ("grid", grid_text(self.edges))]
        rows += [("snapshots", f"{len(self)}, t = {self.t[0]:g} to {self.t[-1]:g}")] if len(self) else []
        found = promises.promises_of(self) if len(self) else []
        rows += [(p["name"], f"{p['measured']:.3g} ({'kept' if p['kept'] else 'BROKEN'})") for p in found]
        return f"<b>{html.text(self.title)}</b>{html.table([], [*rows, ('file', self.path)])}"


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
    case = casefile.load(Path(path), overrides)
    return casefile.override(case, tables) if tables else case


def problem(
    grid: Grid,
    energy: Energy,
    initial: Callable[..., Array] | Array,
    end: float,
    *,
    start: float = 0.0,
    every: float | None = None,
    times: Sequence[float] | None = None,
    solver: Mapping[str, Any] | None = None,
    exact: Callable[..., Array] | None = None,
    mass: float | None = None,
    title: str = "A problem put together in Python",
) -> Case:
    """A case from a grid and an energy, with functions for the densities, V and W.

    Functions are called by keyword, ``f(x=…)`` in 1D and ``f(x=…, y=…)`` in 2D, with arrays.

    Parameters
    ----------
    grid, energy
        As they are; ``energy.potential(x=…[, y=…])`` and ``energy.interaction`` take and return arrays.
    initial
        The density at the start: cell averages of the grid's shape, or a function of x (and y), which is averaged over
        the cells.
    end, start
        The times.
    every, times
        When snapshots are written; start and end always are.
    solver
        As the table ``[solver]`` of a case file; default ``{"method": "fv"}``.
    exact
        The solution where it is known, a function of x (and y) and t: adds the errors to the diagnostics.
    mass
        Rescale the start to this mass.

    Returns
    -------
    Case
        For `run` and `march`.  A file cannot hold its functions, so that a run of it goes on only with
        ``resume(folder, case=case)``.

    Raises
    ------
    CaseError
        Where the parts do not make a problem.
    """
    for name, function in (("energy.potential", energy.potential), ("energy.interaction", energy.interaction)):
        _check_function(name, function, grid)
    _check_function("exact", exact, grid, t=float(start))
    if callable(initial):
        _check_function("initial", initial, grid)
    internal: dict[str, Any] = {"kind": energy.internal.kind, **energy.internal.parameters}
    bound = {} if energy.sobolev is None else {"lambda": float(energy.sobolev)}
    formulas = {"potential": energy.potential, "interaction": energy.interaction}
    data: dict[str, Any] = {
        "title": title,
        "grid": _grid_table(grid),
        "energy": {"internal": internal} | {key: _name(f) for key, f in formulas.items() if f is not None} | bound,
        "initial": {"density": _name(initial)} | ({} if mass is None else {"mass": float(mass)}),
        "solver": {"method": next(iter(METHODS))} | dict(solver or {}),
        "time": {"start": float(start), "end": float(end)},
        "output": ({} if every is None else {"every": float(every)})
        | ({} if times is None else {"times": [float(t) for t in times]}),
    }
    if exact is not None:
        data["exact"] = {"density": _name(exact)}
    case = casefile.from_mapping(data, "problem")
    case._code = Code(grid, energy, _density(initial, grid), exact)
    return case


def run(
    case: Case | str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    *,
    overwrite: bool = False,
    progress: bool = True,
    wall_limit: float | None = None,
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
    **tables
        Tables laid over those of the case: ``solver={"tau": 0.02}``.

    Raises
    ------
    CaseError
        Before anything is written.
    SolverError
        Where a step cannot be solved; the states before it are in the folder.
    KeyboardInterrupt
        On Ctrl-C, after the last state and a checkpoint were written.
    """
    case = case_of(case, tables)
    place = Path(tempfile.mkdtemp(prefix="wgfpde-")) if out is None else Path(out)
    try:
        with status_line(progress) as line:
            result = runner.run(case, place, overwrite, line, wall_limit)
            found = _finished(result, keep=out is not None)
    except BaseException:
        if out is None:
            shutil.rmtree(place, ignore_errors=True)
        raise
    if out is None:
        weakref.finalize(found, shutil.rmtree, place, ignore_errors=True)
    return found


def march(case: Case | str | os.PathLike[str], **tables: Mapping[str, Any]) -> Iterator[Snapshot]:
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


def resume(
    folder: str | os.PathLike[str] | Run,
    until: float | None = None,
    *,
    case: Case | None = None,
    progress: bool = True,
    wall_limit: float | None = None,
) -> Run:
    """Go on with a run from its last checkpoint, as if it had never been stopped.

    Parameters
    ----------
    folder
        The run folder, or the run.
    until
        A new, later end, also of a run that is finished.
    case
        Needed for a run that was put together in Python.
    progress, wall_limit
        As for `run`, which also says what is raised.
    """
    folder = folder.folder if isinstance(folder, store.Run) else folder
    with status_line(progress) as line:
        return _finished(runner.resume(folder, until, line, wall_limit, case), keep=True)


def read(path: str | os.PathLike[str]) -> Run:
    """A run on disk, from its folder or its HDF5 file, also one that is going on.

    Raises
    ------
    StoreError
        For a missing, truncated, foreign or newer file.
    """
    run = store.read(path)
    return Run(**{field.name: getattr(run, field.name) for field in fields(run)})


def _finished(result: runner.Result, keep: bool) -> Run:
    """The run of a result, or the exception that a script must not miss."""
    if result.status == "failed":
        raise SolverError(result.message + (f" See {result.folder}." if keep else ""))
    if result.status == "interrupted" and result.exit_code != 75:
        raise KeyboardInterrupt(result.message)
    return read(result.folder)


def _grid_table(grid: Grid) -> dict[str, Any]:
    axes = grid.axes
    table: dict[str, Any] = {
        "shape": [axis.size for axis in axes],
        "lower": [float(axis.lower) for axis in axes],
        "upper": [float(axis.upper) for axis in axes],
        "boundary": [axis.boundary.in_case for axis in axes],
    }
    return table if grid.uniform else table | {"mapping": ["python: edges as given"] * grid.dim}


def _check_function(name: str, function: object, grid: Grid, **more: float) -> None:
    """Raises CaseError where a function does not take the coordinates of the grid."""
    if function is None:
        return
    names = [axis.name for axis in grid.axes] + list(more)
    call = f"f({', '.join(f'{key}=…' for key in names)})"
    if not callable(function):
        raise CaseError(f"{name}: expected a function, called as {call}; found {type(function).__name__}")
    try:
        with np.errstate(all="ignore"):
            found = np.asarray(function(**grid.coordinates(), **more), dtype=float)
        np.broadcast_to(found, grid.shape)
    except (TypeError, ValueError) as error:
        raise CaseError(f"{name}: expected a function of arrays, called as {call}, to an array: {error}") from error


def _density(source: Callable[..., Array] | Array, grid: Grid) -> Array:
    if callable(source):
        return initial.from_expression(source, grid)
    return initial.from_array(np.asarray(source), grid, "the array given as initial")


def _name(source: object) -> str:
    """What a record says of a function or an array."""
    if not callable(source):
        return f"python: an array of shape {np.asarray(source).shape}"
    text = getattr(source, "text", None)
    code = getattr(inspect.unwrap(source), "__code__", None)
    where = f" at {Path(code.co_filename).name}:{code.co_firstlineno}" if code is not None else ""
    return text or f"python: {getattr(source, '__name__', type(source).__name__)}{where}"
