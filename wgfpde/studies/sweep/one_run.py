"""One run of a sweep: in a folder of its own, or without one; what came of it, as an Outcome.

This is what a worker does, in this process or in another, on this machine or elsewhere: it needs a `Setup`, the same
for all runs of the sweep, and a `Task`, and both are plain values that travel.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ... import store
from ...cases.building import build
from ...cases.loading import Draft
from ...cases.schema import Case
from ...errors import SolverError, StoreError, WgfpdeError
from ...grid.grid import Grid
from ...runs.folder import LOG_NAME, WRITTEN
from ...runs.interrupts import LIMIT_REACHED, Interrupted, Interrupts
from ...runs.progress import Progress
from ...runs.runner import Result, limit_steps, resume
from ...runs.runner import run as run_case
from ...runs.unstored import Kept, kind_of, march_unstored
from ...store import FILE_NAME, Run
from ...store.checkpoint import FOLDER as CHECKPOINTS
from ..stored_runs import difference
from .against import Reference
from .outcome import FAILED, FINISHED, INTERRUPTED, Outcome
from .plan import varied_case

LONGEST_MESSAGE = 400
"""Letters of a message that its file surely holds."""
Listener = Callable[[Progress], None] | None


@dataclass(frozen=True)
class Setup:
    """What all runs of a sweep have in common.

    tables, path, text : of the case, as in a Draft.   folder : of the sweep, absolute.
    folders : whether each run gets a folder of its own.   series : diagnostics that are kept for all snapshots.
    density : whether the last density is kept.   against : the HDF5 file of a run that each is held against, or "".
    case : put together in Python, which does not travel; then the tables are not used.   anew : whatever is there.
    against_sum : SHA-256 of the reference.   most_steps : of a run whose steps nobody can count before; then it failed.
    """

    tables: Mapping[str, Any]
    path: str
    text: str
    folder: str
    folders: bool
    series: tuple[str, ...] = ()
    density: bool = False
    against: str = ""
    case: Case | None = None
    anew: bool = False
    against_sum: str = ""
    most_steps: float = math.inf

    @property
    def against_key(self) -> str:
        """The reference as rows name it: a file of that name with other values is another."""
        return f"{self.against} {self.against_sum}" if self.against else ""

    def case_with(self, values: Mapping[str, Any]) -> Case:
        """The case with other values.   Raises CaseError."""
        base: Any = self.case
        if base is None:
            base = Draft(dict(self.tables), {}, Path(self.path), self.text)
        return varied_case(base, values)


@dataclass(frozen=True)
class Task:
    """A run to do.   number : from 0, in the sweep.   digest : see Plan.   values : key → value.

    folder : its name.   label : its values in words.
    """

    number: int
    digest: str
    values: Mapping[str, Any]
    folder: str
    label: str = ""


def solve(setup: Setup, task: Task, progress: Listener = None) -> Outcome:
    """Do a run.  What fails — the case, a step, the disk — is an outcome; a signal gives one that is "interrupted"."""
    try:
        case = setup.case_with(task.values)
        outcome = _in_a_folder(setup, task, case, progress) if setup.folders else _unstored(setup, task, case)
    except Interrupted as request:
        return Outcome(task.digest, INTERRUPTED, request.cause, exit_code=request.exit_code)
    except MemoryError:
        return Outcome(task.digest, FAILED, "the machine ran out of memory; use fewer cells, or fewer workers")
    except WgfpdeError as error:
        return Outcome(task.digest, FAILED, " ".join(error.lines))
    except OSError as error:
        return Outcome(task.digest, FAILED, f"{error.filename or 'system'}: {error.strerror or error}")
    except Exception as error:  # a fault of this program, or of a function of the case: the other runs go on
        return Outcome(task.digest, FAILED, f"{type(error).__name__}: {error}")
    return outcome


def _in_a_folder(setup: Setup, task: Task, case: Case, progress: Listener) -> Outcome:
    place = Path(setup.folder) / task.folder
    if linked := _linked(place):
        text = f"{linked[0]} is a link, which is not written through; remove it, or choose another folder with --out"
        return Outcome(task.digest, FAILED, text)
    earlier = None if setup.anew else _earlier(place, case)
    if earlier is None or earlier.status != "finished":
        code, kept = (case if setup.case is not None else None), Kept()
        try:
            if earlier is None or earlier.status == "failed":
                result = run_case(case, place, True, progress, beside=kept, most_steps=setup.most_steps)
            else:
                result = resume(place, progress=progress, case=code, most_steps=setup.most_steps)
        except SolverError as error:  # before the first step
            return Outcome(task.digest, FAILED, str(error))
        if result.status == "interrupted" and result.exit_code != LIMIT_REACHED:
            return Outcome(task.digest, INTERRUPTED, result.message, exit_code=result.exit_code)
        if _is_whole(setup, case, kept, result):  # to read the file takes longer than a small run
            end = result.status, result.message, result.verdict, result.wall_seconds
            return replace(_of_kept(setup, task, kept, end, None, place.name), exit_code=result.exit_code)
        return replace(outcome_of(store.read(place), setup, task), exit_code=result.exit_code)
    return outcome_of(store.read(place), setup, task)


def _is_whole(setup: Setup, case: Case, kept: Kept, result: Result) -> bool:
    """Whether memory holds what the file would give: all snapshots, in full precision, and no message that was cut."""
    plain = case.output.precision == "float64" and not setup.against and len(result.message) <= LONGEST_MESSAGE
    return plain and kept.rho is not None


def _linked(place: Path) -> list[Path]:
    """What is a link, of what a run writes: its folder, a file of it, its checkpoints."""
    saved = place / CHECKPOINTS
    files = [place / end for name in (LOG_NAME, *WRITTEN) for end in (name, f"{name}.part")]
    found = [path for path in (place, saved, *files) if path.is_symlink()]
    return found or [path for path in saved.glob("*") if path.is_symlink()]


def _earlier(place: Path, case: Case) -> Run | None:
    """A run of this very case that is in the folder; None where there is another, which is replaced."""
    try:
        run = store.read(place) if (place / FILE_NAME).is_file() else None
        return run if run is not None and not difference(run, case) else None
    except StoreError:
        return None  # damaged: solved again


def outcome_of(run: Run, setup: Setup, task: Task) -> Outcome:
    """What a sweep keeps of a run in its folder.   Raises StoreError, and CaseError for a series that it lacks."""
    last = run.find()
    rho = run.rho[last]
    numbers = {name: float(values[last]) for name, values in run.diagnostics.items()}
    return _outcome(
        setup, task, run.status, run.message, str(run.attributes.get("verdict", "")), len(run.steps["t"]),
        run.number("wall_seconds"), list(map(float, run.t)), numbers,
        {name: list(map(float, values)) for name, values in run.diagnostics.items() if name in setup.series},
        rho, run.grid, run.folder.name,
    )  # fmt: skip


def _unstored(setup: Setup, task: Task, case: Case) -> Outcome:
    with Interrupts() as interrupts:
        problem = build(case)
        limit_steps(interrupts, case, setup.most_steps)
        try:
            found = march_unstored(problem, interrupts, bool(setup.series), kind_of(case, problem))
        except Interrupted as request:
            if request.exit_code != LIMIT_REACHED:
                raise
            again = f"wgfpde resume {shlex.quote(setup.folder)} {request.lifted}"
            text = f"stopped by {request.cause}; without a folder it begins anew, as long as it takes, with: {again}"
            return Outcome(task.digest, FAILED, text)
    kept = found.kept
    if kept.rho is None:
        return Outcome(task.digest, FAILED, found.message)
    end = found.status, found.message, found.verdict, found.wall_seconds
    return _of_kept(setup, task, kept, end, problem.flow.grid, "")


def _of_kept(
    setup: Setup, task: Task, kept: Kept, end: tuple[str, str, str, float], grid: Grid | None, folder: str
) -> Outcome:
    """What a sweep keeps of a run from memory.   end : its status, message, verdict and seconds.

    grid : needed where it is held against a reference.
    """
    assert kept.rho is not None
    numbers = {name: values[-1] for name, values in kept.diagnostics.items()}
    series = {name: values for name, values in kept.diagnostics.items() if name in setup.series}
    return _outcome(setup, task, *end[:3], kept.step_count, end[3], kept.t, numbers, series, kept.rho, grid, folder)


def _outcome(
    setup: Setup,
    task: Task,
    status: str,
    message: str,
    verdict: str,
    steps: int,
    wall: float,
    times: list[float],
    numbers: dict[str, float],
    series: dict[str, list[float]],
    rho: np.ndarray,
    grid: Grid | None,
    folder: str,
) -> Outcome:
    if missing := [name for name in setup.series if name not in numbers]:
        known = ", ".join(numbers)
        return Outcome(task.digest, FAILED, f"the run records no {missing[0]}; it records {known}", folder=folder)
    if setup.against and grid is not None:
        numbers = numbers | Reference.of(setup.against, setup.against_sum).numbers(grid, rho)
    return Outcome(
        task.digest, FINISHED if status == "finished" else FAILED, message, verdict, steps, wall, times[-1], numbers,
        folder, tuple(times) if series else (), series, rho if setup.density else None,
        setup.against_key,
    )  # fmt: skip
