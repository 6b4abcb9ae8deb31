"""Studies from Python: spectra, exits, stationary states, orders of convergence, sweeps; what `api` offers beside runs.

wgf.spectrum("double_well_1d").gap
wgf.exits("double_well_1d", to="x < -1").mean_time
wgf.stationary("desai_zwanzig_1d")                                     # all the states that were found
wgf.stationary("desai_zwanzig_1d", vary="energy.internal.kappa=0.3:0.6:31").critical
wgf.converge("heat_1d", {"grid.shape": [64, 128, 256]}).fitted["l1"]
wgf.sweep("desai_zwanzig_1d", {"params.theta": [0.5, 1, 2]}).mean_x
"""

from __future__ import annotations

import operator
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from .. import __version__
from ..base.plain_text import one_line
from ..base.toml import show
from ..cases import loading
from ..cases.building import build, build_flow, build_grid
from ..cases.case_densities import start_of
from ..cases.schema import Case
from ..cases.varying import Given, varied_by
from ..errors import CaseError
from ..grid.public_arguments import public
from ..runs.progress import status_line
from ..store import Run, read
from . import spectrum as spectra
from .stationary import (
    branches,
    check_case,
    continuation,
    default_measures,
    diagram_study,
    starts,
    states_study,
)
from .stationary.search import LIMIT
from .study_views import States, shown

if TYPE_CHECKING:
    import xarray

    from .convergence import Convergence
    from .exits import Exits
    from .stationary import Diagram

Source = Case | Run | str | os.PathLike[str]
"""What names a case: itself, a run of it, a file, a packaged case, an output file."""
EXAMPLE = 'for example vary="energy.internal.kappa=0.3:0.6:31"'


def case_of(case: Source, tables: Mapping[str, Any]) -> Case:
    """A case, also from its name, its file or a run of it, with tables laid over it."""
    if isinstance(case, Run):
        case = case.path
    if not isinstance(case, Case):
        return loading.load(Path(case), tables)
    return loading.override(case, tables) if tables else case


@public(but=("modes",))
def spectrum(
    case: Source, modes: int | None = None, *, progress: bool = True, **tables: Mapping[str, Any]
) -> spectra.Spectrum:
    """Spectral gap and modes of the discrete Fokker–Planck operator of a case.

    Parameters
    ----------
    case, **tables
        As for `run`; the entropy and no interaction.
    modes
        How many, beside the steady state; None for 8, or as many as there are and double precision holds.
    progress
        Tell on stderr what is being done, where it lasts.

    Returns
    -------
    Spectrum
        ``gap``, ``eigenvalues`` (k+1,), ``modes`` of shape ``(k+1, *shape)``, ``pi``, ``residuals``, ``note``.

    Raises
    ------
    CaseError
        For another energy, or more modes than cells.
    """
    known = case_of(case, tables)
    spectra.check_case(known, spectra.default_count(known.cells) if modes is None else modes)
    with status_line(progress, known.cells > spectra.SLOW_CELLS) as line:
        flow = build_flow(known, build_grid(known))
        found = spectra.spectrum(flow, modes, line)
    return shown(found, partial(spectra.spectrum_study, flow, found, *_about(known)))


@public
def exits(
    case: Source,
    from_: str | Callable[..., Any] | None = None,
    to: str | Callable[..., Any] | None = None,
    *,
    times: str | Sequence[float] | None = None,
    progress: bool = True,
    **tables: Mapping[str, Any],
) -> Exits:
    """How long it takes to leave, where, and how it goes there: mean first-passage times, committors and rates.

    Parameters
    ----------
    case, **tables
        As for `run`; the entropy and no interaction.
    from_
        A region, as a formula ``"x < -0.8"`` or a function ``f(x=…[, y=…])`` that is not 0 inside: the start is the
        Gibbs state within it.  None for the initial density of the case.
    to
        The target: the name of an exit of the case (``"x_upper"``, a sink), or a region as `from_`, which is then one
        more exit.  None for all exits.
    times
        When survival and the first-passage density are wanted: numbers, ``"0:50:101"``, or "" for 41 times up to four
        mean times.
    progress
        Tell on stderr what is being done, where it lasts.

    Returns
    -------
    Exits
        ``mean_time``, ``second_moment``, ``exits`` by name, ``committor`` and ``rate`` (with both regions),
        ``quasi_stationary_rate``, ``fields`` over the cells, ``survival``.

    Raises
    ------
    CaseError
        For another energy, no exit, regions that are empty or overlap, a name that is no exit, an unreachable target.
    SolverError
        Where double precision does not hold the rates.
    """
    from .exits import SLOW_CELLS, check_exits_case, exits_study, find_exits, region_of, target_of

    known = case_of(case, tables)
    check_exits_case(known)
    with status_line(progress, known.cells > SLOW_CELLS) as line:
        grid = build_grid(known)
        flow = build_flow(known, grid)
        start = None if from_ is None else region_of(known, from_, "--from")
        found = find_exits(flow, start_of(known, grid)[0], start, target_of(known, flow, to), times, line)
    return shown(found, partial(exits_study, flow, found, *_about(known)))


@overload
def stationary(
    case: Source,
    vary: None = None,
    *,
    measure: str = "",
    limit: int = LIMIT,
    progress: bool = True,
    **tables: Mapping[str, Any],
) -> States: ...


@overload
def stationary(
    case: Source,
    vary: Given,
    *,
    measure: str = "",
    limit: int = LIMIT,
    progress: bool = True,
    **tables: Mapping[str, Any],
) -> Diagram: ...


@public(but=("limit",))
def stationary(
    case: Source,
    vary: Given | None = None,
    *,
    measure: str = "",
    limit: int = LIMIT,
    progress: bool = True,
    **tables: Mapping[str, Any],
) -> States | Diagram:
    """Stationary states without marching, their energies and their stability; or branches of them.

    Parameters
    ----------
    case, **tables
        As for `run`; with an internal energy.
    vary
        Follow the states over a key: ``"params.theta=0.5:2:31"``, from, to, how many; or ``{"params.theta": values}``.
    measure
        The order parameter of a diagram, the name of a diagnostic.
    limit
        Most states at one value.
    progress
        Tell on stderr what is being done, where it lasts.

    Returns
    -------
    States, a list of Steady; or Diagram
        States by energy, the lowest first: ``rho``, ``energy``, ``eigenvalue`` (the largest growth rate), ``verdict``.
        A diagram has ``branches``, the ``critical`` values, where stability changes, the ``ends`` of branches, folds
        and pitchforks, and ``equal``: where two stable branches have the same energy.

    Raises
    ------
    CaseError
        Without internal energy, for a key that cannot be followed, or a measure without one.
    SolverError
        Where no state is found.
    """
    known = case_of(case, tables)
    check_case(known)
    _check_limit(limit)
    if vary is None and measure:
        raise CaseError(f'measure = "{measure}" is the order parameter of a diagram; say what varies, too: {EXAMPLE}')
    with status_line(progress) as line:
        if vary is not None:
            keys = varied_by(vary, known)
            if len(keys) > 1:
                raise CaseError(f"a diagram has one parameter, found {', '.join(v.key for v in keys)}; {EXAMPLE}")
            diagram = continuation(known, keys[0], measure=measure, limit=limit, progress=line)
            return shown(diagram, partial(diagram_study, known, diagram))
        problem = build(known)
        flow, rho = problem.flow, problem.initial.rho
        mass = flow.mass(rho)
        found = States(branches(flow, mass, starts(flow, mass, rho), limit=limit, progress=line))
    return shown(found, partial(states_study, known, flow, found, default_measures(flow)[0]))


def _about(case: Case) -> tuple[dict[str, str], dict[str, str]]:
    """(attributes, texts) of a study of a case."""
    about = {"title": case.title, "source": f"wgfpde {__version__}"}
    return about, {"case_toml": case.text, "resolved_toml": case.resolved_toml()}


def _check_limit(limit: int) -> None:
    try:
        right = operator.index(limit) >= 1
    except TypeError:
        right = False
    if not right:
        raise CaseError(f"limit: expected a number of states, at least 1; found {show(limit)}")


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
