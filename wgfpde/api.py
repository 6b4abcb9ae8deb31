"""The Python interface: what `import wgfpde as wgf` offers.

    case = wgf.load("case.toml")                        # or a packaged case, or an output file
    run = wgf.run(case, solver={"dt": 0.02})            # a Run: rho, t, diagnostics, steps, plot(), to_xarray()
    for snapshot in wgf.march(case): ...                # step by step, nothing on disk
    wgf.spectrum(case).gap                              # and wgf.exits, wgf.stationary, wgf.converge: see `questions`
    case = wgf.problem(grid, energy, initial, end=5.0)  # put together in Python, with functions for V and W

Everything else of the package can be imported from its modules; what is here stays.
"""

from __future__ import annotations

import difflib
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from . import store
from .base import html
from .cases import loading
from .cases.building import build
from .cases.in_code import problem
from .cases.schema import Case
from .energy.dynamics import Dynamics
from .energy.energy import Energy, Internal
from .energy.flow import Flow
from .energy.openings.sinks import Sink
from .energy.snapshot import Snapshot
from .errors import CaseError, SolverError
from .grid.grid import Grid, grid_text
from .output import promises
from .runs import runner
from .runs.progress import status_line
from .studies.questions import case_of, converge, exits, spectrum, stationary
from .transport import graphs
from .transport.barycentres import barycentre
from .transport.distances import distance, w2
from .transport.pairs import Points
from .transport.shortest_path import geodesic

if TYPE_CHECKING:
    import xarray

    from .grid.tables.tabulated import Tabulated

__all__ = [
    "Case", "Dynamics", "Energy", "Flow", "Grid", "Internal", "Points", "Run", "Sink", "Snapshot", "barycentre",
    "converge", "distance", "exits", "geodesic", "graphs", "load", "march", "problem", "read", "read_table", "resume",
    "run", "spectrum", "stationary", "w2",
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
            As for ``wgfpde plot``: ``field``, ``times``, ``log``, ``error``, ``scale``, ``vmin``, ``vmax``, ``cmap``,
            ``size``, ``dpi``; the exact solution and the Gibbs state are drawn where they are known.

        Returns
        -------
        matplotlib.figure.Figure
            Shown by a notebook; ``figure.savefig("run.pdf")`` writes it.
        """
        from .output.plots import Options, draw
        from .output.references import exact_and_gibbs, potential_of

        if "time" in options:
            options["times"] = options.pop("time")
        known = {field.name for field in fields(Options)}
        if unknown := sorted(set(options) - known):
            near = difflib.get_close_matches(unknown[0], known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(known))}"
            raise CaseError(f"plot takes no {unknown[0]}; {hint}")
        for name in ("times", "index"):
            if options.get(name) is not None:
                options[name] = tuple(np.atleast_1d(options[name]).tolist())
        exact, gibbs = exact_and_gibbs(self)
        potential = potential_of(self) if self.dim == 2 else None
        return draw(self, Options(**options), exact=exact, gibbs=gibbs, potential=potential)

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
        for name, values in self.constants.items():
            label = self.constant_labels[name]
            about = {"units": label.units, "long_name": label.long_name, "description": label.description}
            data[name] = (tuple(reversed(axes)), values, about)
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
    case = loading.load(Path(path), overrides)
    return loading.override(case, tables) if tables else case


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
    else:
        bounds = None if lower is None or upper is None else (lower, upper)
        dim = npy_array(Path(source)).ndim if Path(source).suffix.lower() == ".npy" else dim
        table = from_file(Path(source), dim, column, dataset, bounds, points)
    table = free_energy(table, float(kappa)) if histogram and kappa is not None else table
    return Tabulated(scaled(table, scale), interpolation, missing)


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
