"""Studies from Python: spectra, stationary states and orders of convergence; what `door` offers beside runs.

    wgf.spectrum("double_well_1d").gap
    wgf.stationary("desai_zwanzig_1d")                                     # all the states that were found
    wgf.stationary("desai_zwanzig_1d", vary="energy.internal.kappa=0.3:0.6:31").critical
    wgf.converge("heat_1d", {"grid.shape": [64, 128, 256]}).fitted["l1"]
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from . import casefile
from .case import Case, build, build_flow, build_grid

if TYPE_CHECKING:
    from .convergence import Convergence
    from .spectra import Spectrum
    from .steady import Diagram, Steady

Source = Case | str | os.PathLike[str]
"""What names a case: itself, a file, a packaged case, an output file."""


def case_of(case: Source, tables: Mapping[str, Any]) -> Case:
    """A case, also from its name or its file, with tables laid over it."""
    if not isinstance(case, Case):
        return casefile.load(Path(case), tables)
    return casefile.override(case, tables) if tables else case


def spectrum(case: Source, modes: int = 8, **tables: Mapping[str, Any]) -> Spectrum:
    """Spectral gap and modes of the discrete Fokker–Planck operator of a case.

    Parameters
    ----------
    case, **tables
        As for `run`; the entropy and no interaction.
    modes
        How many, beside the steady state.

    Returns
    -------
    Spectrum
        ``gap``, ``eigenvalues`` (k+1,), ``modes`` (k+1, *shape), ``pi``, ``residuals``.

    Raises
    ------
    CaseError
        For another energy, or more modes than cells.
    """
    from .spectra import spectrum as find

    known = case_of(case, tables)
    return find(build_flow(known, build_grid(known)), modes)


@overload
def stationary(
    case: Source, vary: None = None, *, measure: str = "", limit: int = 12, **tables: Mapping[str, Any]
) -> list[Steady]: ...


@overload
def stationary(
    case: Source, vary: str, *, measure: str = "", limit: int = 12, **tables: Mapping[str, Any]
) -> Diagram: ...


def stationary(
    case: Source,
    vary: str | None = None,
    *,
    measure: str = "",
    limit: int = 12,
    **tables: Mapping[str, Any],
) -> list[Steady] | Diagram:
    """Stationary states without marching, their energies and their stability; or branches of them.

    Parameters
    ----------
    case, **tables
        As for `run`; with an internal energy.
    vary
        Follow the states over a key: ``"params.theta=0.5:2:31"``, from, to, how many.
    measure
        The order parameter of a diagram, the name of a diagnostic.
    limit
        Most states at one value.

    Returns
    -------
    list of Steady, or Diagram
        States by energy, the lowest first: ``rho``, ``energy``, ``eigenvalue`` (the largest growth rate), ``verdict``.
        A diagram has ``branches`` and the ``critical`` values, where stability changes.

    Raises
    ------
    CaseError
        Without internal energy, or for a key that cannot be followed.
    SolverError
        Where no state is found.
    """
    from . import vary as parse
    from .steady import branches, check_case, continuation, starts

    known = case_of(case, tables)
    check_case(known)
    if vary is not None:
        [key] = parse.vary([vary], known)
        return continuation(known, key, measure=measure, limit=limit)
    problem = build(known)
    flow, rho = problem.flow, problem.initial.rho
    mass = flow.mass(rho)
    return branches(flow, mass, starts(flow, mass, rho), limit=limit)


def converge(
    case: Source,
    vary: Mapping[str, Sequence[Any]],
    out: str | os.PathLike[str] | None = None,
    *,
    against: Literal["exact", "finest"] | None = None,
    norms: Sequence[str] = (),
    measures: Sequence[str] = (),
    at: float | None = None,
    overwrite: bool = False,
    progress: bool = True,
    **tables: Mapping[str, Any],
) -> Convergence:
    """Run a case on finer and finer grids or steps, and find the orders of its errors.

    Parameters
    ----------
    case, **tables
        As for `run`.
    vary
        Values by key, ``{"grid.shape": [64, 128, 256], "solver.dt": [0.02, 0.01, 0.005]}``; several change together.
    out
        A folder that keeps the runs, and goes on with those it holds.  By default none is kept.
    against
        "exact", the default where the case has an exact solution, or "finest".
    norms, measures
        Of the errors: "l1", "l2", "linf", "w2" (1D).  Diagnostics whose convergence is followed.
    at
        A stored time; the last by default.
    overwrite
        Solve all anew.
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

    def tell(line: str) -> None:
        sys.stderr.write(line + "\n")

    options: dict[str, Any] = {
        "against": against, "norms": norms, "measures": measures, "time": at, "overwrite": overwrite,
        "tell": tell if progress else None,
    }  # fmt: skip
    known = case_of(case, tables)
    if out is not None:
        return study(known, vary, Path(out), **options)
    with tempfile.TemporaryDirectory(prefix="wgfpde-converge-") as scratch:
        return study(known, vary, Path(scratch) / "runs", **options)
