"""The runs of a study, each in a folder of its own; what was solved before is not solved again.

    DIR/01-64  02-128  03-256        the runs, from the coarsest to the finest

A run anywhere in DIR is taken as it is where it is finished, of the same resolved case, by the same version, and its
data files are unchanged; one that was stopped goes on from its checkpoint.  So a study that was interrupted goes on,
and one with further values solves only those.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ... import store
from ...cases.schema import Case
from ...errors import CaseError, SolverError, StoreError
from ...runs.interrupts import LIMIT_REACHED, Interrupted
from ...runs.progress import Progress
from ...runs.runner import resume
from ...runs.runner import run as run_case
from ...store import FILE_NAME, Run
from ..stored_runs import difference

Listener = Callable[[Progress], None] | None
NAME_LENGTH = 40
"""Letters of a value in the name of a folder."""


@dataclass(frozen=True)
class Solved:
    """One run of a study.

    run : what is in its folder, None where it left no file.   failure : why it did not finish, or "".
    reused : whether it was finished before.
    """

    folder: Path
    run: Run | None
    failure: str = ""
    reused: bool = False

    @property
    def finished(self) -> bool:
        return self.run is not None and not self.failure

    @property
    def steps(self) -> int:
        return 0 if self.run is None else len(self.run.steps["t"])

    @property
    def seconds(self) -> float:
        return float("nan") if self.run is None else self.run.number("wall_seconds")


@dataclass(frozen=True)
class Place:
    """Where a run goes.   earlier : the run of the same case that is there already."""

    folder: Path
    case: Case
    earlier: Run | None


def folder_of(case: Case, out: Path | str | None) -> Path:
    """Where the runs of a study go.   out : where they were asked to go, if anywhere."""
    return Path("runs") / f"{case.name}-converge" if out is None else Path(out)


def places(folder: Path, cases: Sequence[Case], names: Sequence[str], overwrite: bool) -> list[Place]:
    """The folder of each run, before anything is solved.

    names : the values, in a few letters.   Raises CaseError where a folder holds a run of another case.
    """
    stored = [] if overwrite else _stored(folder)
    found = []
    for k, (case, name) in enumerate(zip(cases, names, strict=True), 1):
        known = next((run for run in stored if not difference(run, case)), None)
        own = folder / f"{k:02d}-{re.sub(r'[^A-Za-z0-9._+]+', '-', name).strip('-')[:NAME_LENGTH]}"
        if known is None and not overwrite and (own / FILE_NAME).exists():
            why = next((difference(run, case) for run in stored if run.folder == own), "it cannot be read")
            raise CaseError(
                f"{own} holds a run of another case: {why}. Choose another folder with --out, or replace it with "
                "--overwrite"
            )
        found.append(Place(own if known is None else known.folder, case, known))
    return found


def solve(place: Place, progress: Listener, overwrite: bool, most_steps: float) -> Solved:
    """Run a case where it was not run before.   most_steps : as for `runner.run`; one that takes more did not finish.

    Raises Interrupted on Ctrl-C and on signals, after a checkpoint, and CaseError for a case that makes no problem.
    """
    earlier = place.earlier
    if earlier is not None and earlier.status == "finished":
        return Solved(place.folder, earlier, _blown_up(earlier), reused=True)
    code = place.case if place.case._code is not None else None
    try:
        if earlier is not None and earlier.status != "failed":
            result = resume(place.folder, progress=progress, case=code, most_steps=most_steps)
        else:
            anew = overwrite or earlier is not None
            result = run_case(place.case, place.folder, anew, progress, most_steps=most_steps)
    except SolverError as error:  # before the first step
        return Solved(place.folder, None, str(error))
    if result.status == "interrupted" and result.exit_code != LIMIT_REACHED:
        raise Interrupted(result.message, result.exit_code)
    run = store.read(place.folder)
    return Solved(place.folder, run, _blown_up(run) if result.status == "finished" else result.message)


def _blown_up(run: Run) -> str:
    """That a run ended in a blow-up, and so not where the others did; else ""."""
    return run.message.partition(":")[0] if run.attributes.get("verdict") == "blow-up" else ""


def _stored(folder: Path) -> list[Run]:
    """The runs in a folder of runs, those that are finished first."""
    found = []
    for file in sorted(folder.glob(f"*/{FILE_NAME}")):
        try:
            found.append(store.read(file))
        except StoreError:
            continue  # damaged: solved again, or named when it is in the way
    return sorted(found, key=lambda run: run.status != "finished")
