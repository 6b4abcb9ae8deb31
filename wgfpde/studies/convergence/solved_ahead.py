"""The runs of a study by worker processes, before the study reads them one by one.

They are done by the pool that does sweeps, the finest first: it lasts longest.  What a worker could not do is left to
the study, which does it again in this process and says why it fails.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...cases.schema import Case
from ...cases.varying import Vary
from ...errors import CaseError
from ...runs.interrupts import LIMIT_REACHED, Interrupted
from ..sweep.engines.process_pool import ProcessPool
from ..sweep.one_run import Setup, Task
from .solved_runs import Place


def solve_ahead(
    case: Case, keys: Sequence[Vary], places: Sequence[Place], workers: int, overwrite: bool, most_steps: float
) -> dict[Path, str]:
    """Do what is not finished.   case : without the values of the keys.   places : the runs, coarse to fine.

    most_steps : as for `solve`.   Returns why, by folder, for each run that took them: it is not to go on now.
    Raises CaseError for a case that was put together in Python; Interrupted on signals, after checkpoints.
    """
    if case._code is not None:
        raise CaseError("this case was put together in Python, and its functions do not travel to workers; workers = 1")
    todo = [
        (k, place)
        for k, place in enumerate(places)
        if overwrite or place.earlier is None or place.earlier.status != "finished"
    ]
    if not todo:
        return {}
    draft = case._draft
    setup = Setup(
        draft.data, str(draft.path), draft.text, str(todo[0][1].folder.parent.absolute()), folders=True, anew=overwrite,
        most_steps=most_steps,
    )  # fmt: skip
    tasks = [
        Task(k, str(k), {v.key: v.values[k] for v in keys}, place.folder.name, place.folder.name)
        for k, place in reversed(todo)
    ]
    try:
        outcomes = list(ProcessPool(min(workers, len(tasks))).outcomes(setup, iter(tasks), lambda *_: None))
    except Interrupted as request:
        text = f"{request.cause}\nThe same command, without --overwrite, goes on with the study."
        raise Interrupted(text, request.exit_code) from request
    return {places[int(one.digest)].folder: one.message for one in outcomes if one.exit_code == LIMIT_REACHED}
