"""Studies of many runs from Python: orders of convergence, and sweeps over values of keys.

wgf.converge("heat_1d", {"grid.shape": [64, 128, 256]}).fitted["l1"]
wgf.sweep("desai_zwanzig_1d", {"params.theta": [0.5, 1, 2]}).mean_x
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..base.plain_text import one_line
from ..base.toml import show
from ..cases.varying import Given, varied_by
from ..errors import CaseError
from ..grid.public_arguments import public
from ..store import read
from .questions import Source, case_of

if TYPE_CHECKING:
    import xarray

    from .convergence import Convergence


@public
def converge(
    case: Source,
    vary: Given,
    out: str | os.PathLike[str] | None = None,
    *,
    against: Literal["exact", "finest"] | None = None,
    norms: Sequence[str] = (),
    measures: Sequence[str] = (),
    errors: Mapping[str, Callable[[Any], float]] | None = None,
    at: float | None = None,
    overwrite: bool = False,
    workers: int = 1,
    progress: bool = True,
    **tables: Mapping[str, Any],
) -> Convergence:
    """Run a case on finer and finer grids or steps, and find the orders of its errors.

    Parameters
    ----------
    case, **tables
        As for `run`.
    vary
        Values by key, ``{"grid.shape": [64, 128, 256], "solver.dt": [0.02, 0.01, 0.005]}``, or the same as a text,
        ``"grid.shape=64,128,256"``, or as a list of texts; several change together.
    out
        A folder that keeps the runs, and goes on with those it holds.  By default none is kept: ``runs`` is empty then.
    against
        "exact", the default where the case has an exact solution, or "finest".
    norms, measures
        Of the errors: "l1", "l2", "linf", "w2" (1D).  Diagnostics whose convergence is followed.
    errors
        Further errors by name, functions of a run.
    at
        A stored time; the last by default.
    overwrite
        Solve all anew.
    workers
        Processes that do the runs.
    progress
        Tell on stderr which run is done.

    Returns
    -------
    Convergence
        ``sizes``, ``errors``, ``orders``, ``fitted`` by norm, and the ``runs`` where a folder keeps them.

    Raises
    ------
    CaseError
        For a study that makes no sense, before it begins.
    KeyboardInterrupt
        On Ctrl-C; the same call with the same folder then goes on.
    """
    from .convergence import converge as study

    def after_run(text: str) -> None:
        sys.stderr.write(one_line(text) + "\n")

    if wrong := [name for name, function in (errors or {}).items() if not callable(function)]:
        raise CaseError(f"errors: expected functions of a run by name, found {show((errors or {})[wrong[0]])}")
    options: dict[str, Any] = {
        "against": against, "norms": norms, "measures": measures, "errors": errors, "time": at,
        "overwrite": overwrite, "after_run": after_run if progress else None, "workers": workers,
    }  # fmt: skip
    known = case_of(case, tables)
    if out is not None:
        return study(known, vary, Path(out), **options)
    with tempfile.TemporaryDirectory(prefix="wgfpde-converge-") as scratch:
        return study(known, vary, Path(scratch) / "runs", **options).without_folder()


@public
def sweep(
    case: Source,
    vary: Given,
    out: str | os.PathLike[str] | None = None,
    *,
    zip: bool = False,
    workers: int | None = None,
    dask: str | None = None,
    series: Sequence[str] = (),
    density: bool = False,
    against: str | os.PathLike[str] | None = None,
    folders: bool | None = None,
    overwrite: bool = False,
    progress: bool = True,
    **tables: Mapping[str, Any],
) -> xarray.Dataset:
    """Run a case over values of its keys, on all cores, into one labelled dataset.

    Parameters
    ----------
    case, **tables
        As for `run`.
    vary
        Values by key, ``{"params.theta": [0.5, 1, 2], "solver.method": ["fv", "jko"]}``, or texts as on the command
        line, ``"params.theta=0.5:2:16"``; every combination is run.
    out
        A folder that keeps the sweep, and goes on with what it holds.  By default none is kept.
    zip
        Keys change together, not in every combination.
    workers
        Processes; by default one for each core, and one for a case that was put together in Python.
    dask
        Workers of dask in place of processes: ``"local"``, or the address of a scheduler.
    series, density, against
        What is kept of each run beside its last diagnostics: diagnostics at all times; the last density; L1, KL and W₂
        to the last density of a run.
    folders
        A run folder for every run; by default where runs are not small and many.
    overwrite
        Forget what the folder holds.
    progress
        Tell on stderr how far it is.

    Returns
    -------
    xarray.Dataset
        A dimension for each key; runs that failed have NaN and a ``status`` and ``message``.

    Raises
    ------
    CaseError
        For a sweep that makes no sense, before it begins, and where xarray is not installed.
    KeyboardInterrupt
        On Ctrl-C; the same call with the same folder then goes on.
    """
    from .sweep import MOST, Kept, Plan
    from .sweep import sweep as study
    from .sweep.engines.choice import engine_for
    from .sweep.live import Live
    from .sweep.reading import needed, read_sweep

    needed()
    known = case_of(case, tables)
    plan = Plan(known, tuple(varied_by(vary, known, together=zip, most=MOST)), zip)
    reference = "" if against is None else str(read(against).path.resolve())
    kept = Kept(folders, tuple(series), density, reference)
    live = Live(sys.stderr if progress else None)
    with tempfile.TemporaryDirectory(prefix="wgfpde-sweep-") as scratch:
        place = Path(scratch) / "runs" if out is None else Path(out)
        try:
            study(plan, place, kept, engine_for(plan, workers, dask), overwrite=overwrite, watcher=live)
        finally:
            live.close()
        return read_sweep(place).to_xarray()
