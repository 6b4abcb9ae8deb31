"""Studies of one case from Python: spectra, exits, stationary states; of many runs see `run_studies`.

wgf.spectrum("double_well_1d").gap
wgf.exits("double_well_1d", to="x < -1").mean_time
wgf.stationary("desai_zwanzig_1d")                                     # all the states that were found
wgf.stationary("desai_zwanzig_1d", vary="energy.internal.kappa=0.3:0.6:31").critical
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from .. import __version__
from ..base.amounts import at_least_one
from ..base.toml import show
from ..cases import loading
from ..cases.building import build, build_flow, build_grid
from ..cases.case_densities import start_of
from ..cases.schema import Case
from ..cases.varying import Given, varied_by
from ..errors import CaseError
from ..grid.public_arguments import public
from ..runs.progress import status_line
from ..store import Run
from . import spectrum as spectra
from .stationary import branches, check_case, continuation, default_measures, diagram_study, starts, states_study
from .stationary.search import LIMIT
from .study_views import States, shown

if TYPE_CHECKING:
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
    if not at_least_one(limit):
        raise CaseError(f"limit: expected a number of states, at least 1; found {show(limit)}")
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
    return {"title": case.title, "source": f"wgfpde {__version__}"}, case.texts
