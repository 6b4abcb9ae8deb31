"""A sweep from its plan to its dataset; what was done before is not done again.

Outcomes are written one by one as they come, so that a kill loses the runs that were in progress and no more; the
dataset is made from them at the end, also where a signal ended the sweep.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Protocol

from ...cases.building import build
from ...cases.limits.cost import Cost, cost_of
from ...errors import CaseError
from ...runs.interrupts import Interrupted
from ...runs.provenance import checksum
from ..sweep_mark import is_sweep
from .dataset import FILE_NAME, check_memory, write_dataset
from .engines.engine import Engine, Serial, Teller
from .journal import PATTERN, Appender, Journal, rows_of, suffices
from .one_run import Setup, Task
from .outcome import INTERRUPTED, Outcome
from .plan import Plan
from .sweep_folder import Kept, check_folder, locked, read_known, write_known
from .swept import Swept, swept_of

SMALL_CELLS, MANY = 4096, 200
"""Runs of at most so many cells, where there are at least so many of them, leave no folders unless asked to."""
CHECKED = 1000
"""Values that are tried before anything is run."""
CAUSES = {129: "the end of its terminal", 143: "SIGTERM"}
"""What ended a run, by its exit code."""


class Watcher(Protocol):
    """Is told how a sweep goes."""

    def begun(self, plan: Plan, known: int, workers: int) -> None:
        """known : runs that were done before."""

    def working(self, worker: int, task: Task, share: float) -> None:
        """A worker is at a task."""

    def done(self, task: Task, outcome: Outcome) -> None:
        """A run has ended."""


def stores_folders(plan: Plan, kept: Kept) -> bool:
    """Whether each run gets a folder: as asked for, else unless runs are small and many."""
    if kept.folders is not None:
        return kept.folders
    return plan.count < MANY or plan.case.cells > SMALL_CELLS


def plan_cost(plan: Plan, kept: Kept, workers: int, share: tuple[int, int] | None = None) -> Cost:
    """What a sweep takes at least, by its first and its last run: seconds by so many workers, bytes of its folders.

    share : as for `sweep`; then what that takes.
    """
    count = len(_numbers(plan, share))
    ends = [cost_of(plan.case_of(k)) for k in (0, plan.count - 1)]
    least = min(ends, key=lambda cost: cost.seconds)
    seconds = {key: each * count / workers for key, each in least.formulas.items()}
    disk = least.disk * count if stores_folders(plan, kept) else 0.0
    return Cost(seconds, least.steps * count, least.march * count / workers, disk)


def _numbers(plan: Plan, share: tuple[int, int] | None) -> range:
    """The runs of a share, or all."""
    return range(plan.count) if share is None else range(share[0] - 1, plan.count, share[1])


def sweep(
    plan: Plan,
    folder: Path,
    kept: Kept,
    engine: Engine | None = None,
    *,
    overwrite: bool = False,
    share: tuple[int, int] | None = None,
    watcher: Watcher | None = None,
    most_steps: float = math.inf,
) -> Swept:
    """Do the runs of a plan that are not done yet, and write the dataset of all.

    share : (K, N), the runs K, K + N, … only, counted from 1, and no dataset: other processes have the others.
    overwrite : forget what is there; with a share, its own runs.   most_steps : after which a run has failed that does
    not say how many it takes; where it has a folder it goes on, as long again, with the next call.
    Raises CaseError before anything is run, StoreError where the folder cannot be written, and Interrupted where a
    signal asks for it; then what was done is kept, and the same call goes on.
    """
    engine = engine or Serial()
    begun = time.monotonic()
    folder = folder.absolute()
    check_folder(folder, plan, overwrite)
    _check_values(plan)
    _check_series(plan, kept)
    check_memory(plan, kept)
    if plan.made_of and plan.case._code is None:
        raise CaseError("this sweep is of a case that was put together in Python; go on by the same call in Python")
    if plan.case._code is not None and not isinstance(engine, Serial):
        raise CaseError("this case was put together in Python, and its functions do not travel to workers: workers = 1")
    with locked(folder, "" if share is None else f"{share[0]}-of-{share[1]}"):
        check_folder(folder, plan, overwrite)  # again: nobody but the other shares can write now
        if overwrite:
            _clear(folder, share)
        write_known(folder, plan, kept)
        journal = Journal(folder)
        setup = _setup(plan, folder, kept, overwrite, most_steps)
        numbers = _numbers(plan, share)
        wanted = {*kept.series, *(["rho"] if kept.density else []), f"against {setup.against_key}"}
        known = sum(suffices(journal.get(plan.digest(k)), wanted) for k in numbers)
        if watcher is not None:
            watcher.begun(plan, known, engine.workers)
        tasks = _Tasks(plan, numbers, journal, wanted, len(numbers) - known)
        again = known < sum(plan.digest(k) in journal for k in numbers)
        with Appender(folder / rows_of(share)) as rows, rows.again(wanted, share) if again else nullcontext():
            try:
                for outcome in engine.outcomes(setup, tasks, _teller(watcher)):
                    task = tasks.given.pop(outcome.digest)
                    if outcome.status == INTERRUPTED:
                        raise Interrupted(CAUSES.get(outcome.exit_code, "Ctrl-C"), outcome.exit_code)
                    journal.note(outcome, rows.append(outcome))
                    if watcher is not None:
                        watcher.done(task, outcome)
            finally:
                file = write_dataset(folder, plan, journal) if share is None and len(journal) else None
    return swept_of(plan, folder, file, journal, numbers, known, time.monotonic() - begun)


def goes_on(folder: Path, engine: Engine | None = None, watcher: Watcher | None = None) -> Swept:
    """Go on with the sweep of a folder, as it was asked for.   Raises as `sweep`."""
    known = read_known(folder)
    return sweep(known.plan(), folder, known.kept, engine, watcher=watcher)


class _Tasks:
    """The runs that are not done, one by one.   given : those that were asked for, by digest.   left : at most."""

    def __init__(self, plan: Plan, numbers: range, journal: Journal, wanted: set[str], left: int) -> None:
        self.given: dict[str, Task] = {}
        self._left = left
        self._found = self._find(plan, numbers, journal, wanted)

    def _find(self, plan: Plan, numbers: range, journal: Journal, wanted: set[str]) -> Iterator[Task]:
        for k in numbers:
            digest = plan.digest(k)
            if not suffices(journal.get(digest), wanted) and digest not in self.given:
                self._left -= 1
                self.given[digest] = Task(k, digest, plan.values(k), plan.folder(k), plan.label(k))
                yield self.given[digest]

    def __iter__(self) -> Iterator[Task]:
        return self

    def __next__(self) -> Task:
        return next(self._found)

    def __length_hint__(self) -> int:
        return self._left


def _setup(plan: Plan, folder: Path, kept: Kept, anew: bool, most_steps: float) -> Setup:
    case = plan.case
    draft = case._draft
    code = case if case._code is not None else None
    return Setup(
        draft.data, str(draft.path), draft.text, str(folder), stores_folders(plan, kept), kept.series, kept.density,
        kept.against, code, anew, checksum(Path(kept.against)) if kept.against else "", most_steps,
    )  # fmt: skip


def _teller(watcher: Watcher | None) -> Teller:
    return (lambda worker, task, share: None) if watcher is None else watcher.working


def _check_values(plan: Plan) -> None:
    """Raises CaseError for a value that makes no case with the first values of the other keys, nor with the last."""
    tried = 0
    for axis, v in enumerate([] if plan.zipped else plan.varied):
        for i in range(len(v)):
            if (tried := tried + 1) > CHECKED:
                return
            failures = []
            for end in (0, -1):
                values = {w.key: w.values[i if j == axis else end] for j, w in enumerate(plan.varied)}
                try:
                    _case_with(plan, values)
                    break
                except CaseError as error:
                    failures.append(error)
            if len(failures) == 2:
                raise failures[0]
    if plan.zipped:
        plan.case_of(0)


def _case_with(plan: Plan, values: dict[str, object]) -> None:
    from .plan import varied_case

    varied_case(plan.case, values)


def _check_series(plan: Plan, kept: Kept) -> None:
    """Raises CaseError for a diagnostic that the first run does not record; builds that run."""
    if not kept.series:
        return
    known = [d.name for d in build(plan.case_of(0)).diagnostics]
    if unknown := [name for name in kept.series if name not in known]:
        import difflib

        near = difflib.get_close_matches(unknown[0], known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
        raise CaseError(f"--series {unknown[0]}: the runs record no such diagnostic; {hint}")


def _clear(folder: Path, share: tuple[int, int] | None) -> None:
    """Forget an earlier sweep; its run folders are replaced one by one.   share : keep what the other shares have."""
    if not is_sweep(folder):
        return
    for file in [*folder.glob(PATTERN), folder / FILE_NAME]:
        if share is None or not file.name.endswith(f"-of-{share[1]}.jsonl") or file.name == rows_of(share):
            file.unlink(missing_ok=True)
