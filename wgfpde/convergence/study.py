"""A case on finer and finer grids or steps: runs → errors → orders.

The first key that is varied gives the size s over which orders are fitted:

    grid.shape            h, the (mean) cell width of the first axis
    solver.inner_steps    1/N
    any other             the value itself: solver.dt, solver.tau, solver.tolerance

Further keys change with it, so that dt ∝ h is one study.  Errors are against [exact] where the case has it, else against
the finest run, whose own error the fit allows for.  With [exact] and only dt varied, the error of the cells stays: the
pairwise orders then collapse, which is said, and `against="finest"` is the remedy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..grid import Array
from ..interrupts import Interrupted
from ..schema import Case, FvTable, JkoTable
from ..store import Run
from ..vary import Vary, together, vary_values
from .asked import check_time, from_coarse_to_fine, norms_of, recording, reference_of, width_of
from .errors import NORMS, against_exact, against_run, differences, nested, snapshot
from .orders import Limit, collapsed, extrapolate, fit, pairwise
from .runs import Listener, Solved, places, solve

SLACK = 0.1
"""Part of an expected order that a fitted one may lack: coarse runs are not yet in the asymptotic range."""

Tell = Callable[[str], None] | None


@dataclass(frozen=True)
class Convergence:
    """What `converge` found; arrays have one entry for each of the n runs, from the coarsest to the finest.

    varied : the keys, in that order too.   against : "exact" or "finest".   t : the time compared, or NaN where the
    runs end at different times.   size_key : the key that gives `sizes`.   h : mean cell width of the first axis.
    solved : the runs, failed ones included.
    values : diagnostic → (n,).   limits : diagnostic → its extrapolated limit, or None.
    errors : norm or diagnostic → (n,), NaN where there is none.   orders : the same, between a run and that before it.
    fitted, fitted_last : the order over all runs, and over the last three errors.   notes : sentences.
    """

    case: Case
    folder: Path
    varied: tuple[Vary, ...]
    against: str
    t: float
    sizes: Array
    h: Array
    solved: tuple[Solved, ...]
    values: dict[str, Array]
    limits: dict[str, Limit | None]
    errors: dict[str, Array]
    orders: dict[str, Array]
    fitted: dict[str, float]
    fitted_last: dict[str, float]
    notes: tuple[str, ...]

    @property
    def size_key(self) -> str:
        return self.varied[0].key

    @property
    def runs(self) -> list[Run]:
        """The runs that finished."""
        return [s.run for s in self.solved if s.finished and s.run is not None]

    @property
    def failures(self) -> dict[int, str]:
        """Number of a run, from 0 → why it did not finish."""
        return {k: s.failure for k, s in enumerate(self.solved) if not s.finished}

    @property
    def steps(self) -> Array:
        return np.array([s.steps for s in self.solved])

    @property
    def seconds(self) -> Array:
        """Of the march, as each run recorded it."""
        return np.array([s.seconds for s in self.solved])

    def label(self, k: int) -> str:
        """What run k is: "grid.shape = 64, solver.dt = 0.01"."""
        return ", ".join(f"{v.key} = {v.text(k)}" for v in self.varied)

    def met(self, order: float) -> dict[str, bool]:
        """Whether each fitted order is at least `order` less a tenth of it; NaN never is."""
        return {name: fitted >= (1 - SLACK) * order for name, fitted in self.fitted.items()}


def converge(
    case: Case,
    varied: Sequence[Vary] | Mapping[str, Sequence[Any]],
    out: Path | str | None = None,
    *,
    against: Literal["exact", "finest"] | None = None,
    norms: Sequence[str] = (),
    measures: Sequence[str] = (),
    errors: Mapping[str, Callable[[Run], float]] | None = None,
    time: float | None = None,
    overwrite: bool = False,
    progress: Listener = None,
    tell: Tell = None,
) -> Convergence:
    """Run a case for each value of the keys that are varied, and find the orders of its errors.

    varied : such as {"grid.shape": [64, 128, 256]}; keys with as many values each are varied together.
    out : folder for the runs (default runs/NAME-converge); runs of the same case that it holds are not solved again.
    against : "exact" (default where the case has [exact]) or "finest".   norms : among l1, l2, linf, w2 (W₂, in 1D);
    default all, or none where there are measures or errors.   measures : diagnostics whose convergence is
    followed, by their differences to the finest run.   errors : further errors by name, functions of a run.
    time : a stored time (default: the last).   overwrite : solve all anew.   progress : as for `runner.run`.
    tell : called with a line for each run.

    A run that fails is a row without errors.  Raises CaseError for a study that makes no sense, before it begins, and
    KeyboardInterrupt on Ctrl-C; the same call then goes on.
    """
    keys = vary_values(varied, case) if isinstance(varied, Mapping) else list(varied)
    case = recording(case, measures)
    keys, cases, sizes = from_coarse_to_fine(keys, together(case, keys))
    reference = reference_of(case, against, len(cases))
    norms = norms_of(case, norms, bool(measures or errors))
    for one in cases:
        check_time(one, time)
    folder = Path(out) if out is not None else Path("runs") / f"{case.name}-converge"
    names = ["-".join(v.text(k) for v in keys) for k in range(len(cases))]
    solved = _solve(folder, cases, keys, names, overwrite, progress, tell)
    found = Convergence(
        case=case, folder=folder, varied=tuple(keys), against=reference, t=math.nan, sizes=sizes,
        h=np.array([width_of(one) for one in cases]), solved=tuple(solved),
        values={}, limits={}, errors={}, orders={}, fitted={}, fitted_last={}, notes=(),
    )  # fmt: skip
    return _with_orders(_with_errors(found, cases, norms, measures, errors or {}, time))


def _solve(
    folder: Path, cases: list[Case], keys: list[Vary], names: list[str], overwrite: bool, progress: Listener, tell: Tell
) -> list[Solved]:
    solved: list[Solved] = []
    for k, place in enumerate(places(folder, cases, names, overwrite)):
        head = f"{k + 1} of {len(cases)}  {', '.join(f'{v.key} = {v.text(k)}' for v in keys)}"
        try:
            found = solve(place, progress, overwrite)
        except Interrupted as error:
            text = f"run {head}: {error.cause} The same command, without --overwrite, goes on with the study"
            raise Interrupted(text, error.exit_code) from error
        solved.append(found)
        if tell is not None:
            how = f"taken from {found.folder}" if found.reused else found.failure or f"{found.seconds:.3g} s"
            tell(f"{head}: {how}")
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
    return replace(found, t=t, errors=table, values=values, notes=_first_notes(found, bool(norms), t))


def _first_notes(found: Convergence, densities: bool, t: float) -> tuple[str, ...]:
    """What a reader should know about the runs."""
    notes = []
    if found.failures:
        which = ", ".join(found.label(k) for k in found.failures)
        notes.append(f"{len(found.failures)} of {len(found.solved)} runs did not finish, and do not count: {which}")
    if len(found.runs) > 1 and math.isnan(t):
        notes.append("the runs end at different times; each counts at its own end")
    if found.against == "finest" and densities and len(found.runs) > 1:
        *others, finest = found.runs
        if not all(nested(run, finest) for run in others):
            notes.append(
                "not all cells are whole numbers of the finest ones: averaging over them adds an error of its own; "
                "better take shapes that divide the finest one"
            )
    return tuple(notes)


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
    if note := _floor_note(found, orders):
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


def _floor_note(found: Convergence, orders: Mapping[str, Array]) -> str:
    """A sentence where what is not varied dominates the errors against the solution, or ""."""
    keys = {v.key for v in found.varied}
    steps = any(key.startswith("solver.") for key in keys)
    if found.against != "exact" or steps == ("grid.shape" in keys):
        return ""
    declared = _order_in_time(found.case) if steps else 2.0
    if not any(collapsed(orders[name], declared) for name in NORMS if name in orders):
        return ""
    if steps:
        what, finer = f"the error of the cells (h = {found.h[-1]:.3g}), which stays,", "a finer grid"
    else:
        what, finer = "the error of the steps, which stays,", "smaller steps"
    return f"the orders collapse: {what} dominates. Compare with the finest run (--against finest), or take {finer}"


def _order_in_time(case: Case) -> float:
    """What the scheme declares."""
    if isinstance(case.solver, FvTable):
        return float(case.solver.order)
    return 2.0 if isinstance(case.solver, JkoTable) and case.solver.scheme == "extrapolated" else 1.0
