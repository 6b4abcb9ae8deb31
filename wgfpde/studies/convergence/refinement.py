"""A case on finer and finer grids or steps: runs → errors → orders.

The first key that is varied gives the size s over which orders are fitted:

    grid.shape            h, the (mean) cell width of the first axis
    solver.inner_steps    1/N
    any other             the value itself: solver.dt, solver.tau, solver.tolerance

Further keys change with it, so that dt ∝ h is one study.  Errors are against [exact] where the case has it, else
against the finest run, whose own error the fit allows for.  With [exact] and only dt varied, the error of the cells
stays: the pairwise orders then collapse, or rise where the two cancel.  That is said, and `against="finest"` is the
remedy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from ...base.plain_text import one_line
from ...cases.schema import Case
from ...cases.varying import Given, Vary, together, varied_by
from ...runs.interrupts import Interrupted
from ...runs.progress import ProgressText
from ...store import Run
from .notes import on_orders, on_runs
from .orders import extrapolate, fit, pairwise
from .requests import check_time, from_coarse_to_fine, norms_of, recording, reference_of, width_of
from .result import Convergence
from .run_errors import NORMS, against_exact, against_run, differences, snapshot
from .solved_ahead import solve_ahead
from .solved_runs import Listener, Place, Solved, folder_of, places, solve


def converge(
    case: Case,
    varied: Sequence[Vary] | Given,
    out: Path | str | None = None,
    *,
    against: Literal["exact", "finest"] | None = None,
    norms: Sequence[str] = (),
    measures: Sequence[str] = (),
    errors: Mapping[str, Callable[[Run], float]] | None = None,
    time: float | None = None,
    overwrite: bool = False,
    progress: Listener = None,
    after_run: ProgressText = None,
    workers: int = 1,
    most_steps: float = math.inf,
) -> Convergence:
    """Run a case for each value of the keys that are varied, and find the orders of its errors.

    varied : such as "grid.shape=64,128,256" or {"grid.shape": [64, 128, 256]}; several keys are varied together.
    out : folder for the runs (default runs/NAME-converge); runs of the same case that it holds are not solved again.
    against : "exact" (default where the case has [exact]) or "finest".   norms : among l1, l2, linf, w2 (W₂, in 1D);
    default all, or none where there are measures or errors.   measures : diagnostics whose convergence is
    followed, by their differences to the finest run.   errors : further errors by name, functions of a run.
    time : a stored time (default: the last).   overwrite : solve all anew.   progress : as for `runner.run`.
    after_run : called with a line for each run.   workers : processes that do the runs, the finest first; wall times
    are then those of runs beside each other.   most_steps : after which a run has failed that does not say how many it
    takes; it goes on, as long again, with the next call.

    A run that fails is a row without errors.  Raises CaseError for a study that makes no sense, before it begins, and
    KeyboardInterrupt on Ctrl-C; the same call then goes on.
    """
    keys = varied_by(varied, case)
    case = recording(case, measures)
    keys, cases, sizes = from_coarse_to_fine(keys, together(case, keys))
    norms = norms_of(case, norms, bool(measures or errors))
    reference = reference_of(case, against, norms, measures, len(cases))
    for one in cases:
        check_time(one, time)
    folder = folder_of(case, out)
    names = ["-".join(v.text(k) for v in keys) for k in range(len(cases))]
    cut: dict[Path, str] = {}
    if workers > 1:
        cut = solve_ahead(case, keys, places(folder, cases, names, overwrite), workers, overwrite, most_steps)
    there = places(folder, cases, names, overwrite and workers == 1)

    def solved_at(place: Place) -> Solved:
        if place.folder in cut:
            return Solved(place.folder, place.earlier, cut[place.folder])
        return solve(place, progress, overwrite and workers == 1, most_steps)

    solved = _solve(there, keys, solved_at, after_run)
    found = Convergence(
        case=case, folder=folder, varied=tuple(keys), against=reference, t=math.nan, sizes=sizes,
        h=np.array([width_of(one) for one in cases]), solved=tuple(solved),
        values={}, limits={}, errors={}, orders={}, fitted={}, fitted_last={}, notes=(),
    )  # fmt: skip
    return _with_orders(_with_errors(found, cases, norms, measures, errors or {}, time))


def _solve(
    there: Sequence[Place], keys: list[Vary], solve_one: Callable[[Place], Solved], after_run: ProgressText
) -> list[Solved]:
    solved: list[Solved] = []
    for k, place in enumerate(there):
        head = one_line(f"{k + 1} of {len(there)}  {', '.join(f'{v.key} = {v.text(k)}' for v in keys)}")
        try:
            found = solve_one(place)
        except Interrupted as error:
            text = f"run {head}: {error.cause}\nThe same command, without --overwrite, goes on with the study."
            raise Interrupted(text, error.exit_code) from error
        solved.append(found)
        if after_run is not None:
            how = "failed" if found.failure else f"{found.seconds:.3g} s"
            how = f"taken from {found.folder}" if found.reused else how
            after_run(f"{head}: {how}")
    return solved


def _with_errors(
    found: Convergence,
    cases: list[Case],
    norms: Sequence[str],
    measures: Sequence[str],
    own: Mapping[str, Callable[[Run], float]],
    time: float | None,
) -> Convergence:
    """The errors of the runs that finished, against the solution or the finest of them."""
    rows = [s.run if s.finished else None for s in found.solved]
    at = [-1 if run is None else snapshot(run, time) for run in rows]
    done = [k for k, run in enumerate(rows) if run is not None]
    table = {name: np.full(len(rows), math.nan) for name in (*norms, *own)}
    values = {name: np.full(len(rows), math.nan) for name in measures}
    finest = rows[done[-1]] if done else None
    for k, run in enumerate(rows):
        if run is None or finest is None:
            continue
        if found.against == "exact":
            numbers = against_exact(cases[k], run, at[k], norms)
        else:
            numbers = {} if run is finest else against_run(run, at[k], finest, at[done[-1]], norms)
        for name, number in numbers.items():
            table[name][k] = number
        for name, function in own.items():
            table[name][k] = function(run)
        for name in measures:
            values[name][k] = run.diagnostics[name][at[k]]
    times = [float(run.t[i]) for run, i in zip(rows, at, strict=True) if run is not None]
    t = times[0] if times and np.ptp(times) <= 1e-9 * max(1.0, abs(times[0])) else math.nan
    table |= {name: differences(column) for name, column in values.items()}
    return replace(found, t=t, errors=table, values=values, notes=on_runs(found, bool(norms), t))


def _with_orders(found: Convergence) -> Convergence:
    """Orders allow for a reference run where there is one: measures always have one."""
    orders, fitted, last, notes = {}, {}, {}, list(found.notes)
    for name, errors in found.errors.items():
        reference = _reference_size(found, name)
        orders[name] = pairwise(found.sizes, errors, reference)
        fitted[name] = fit(found.sizes, errors, reference)
        kept = np.flatnonzero(np.isfinite(errors))[-3:]
        last[name] = fit(found.sizes[kept], errors[kept], reference)
    limits = {name: extrapolate(found.sizes, values) for name, values in found.values.items()}
    if note := on_orders(found, orders):
        notes.append(note)
    return replace(found, orders=orders, fitted=fitted, fitted_last=last, limits=limits, notes=tuple(notes))


def _reference_size(found: Convergence, name: str) -> float:
    """The size of the run that errors are relative to; 0 for the solution, and for errors of the caller's own."""
    if name in found.values:
        there = np.isfinite(found.values[name])
    elif name in NORMS and found.against == "finest":
        there = np.array([s.finished for s in found.solved])
    else:
        return 0.0
    return float(found.sizes[there][-1]) if np.any(there) else 0.0
