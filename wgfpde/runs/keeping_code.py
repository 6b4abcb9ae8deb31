"""Of a case that was put together in Python: its functions note down what a run asks of them, for the file."""

from __future__ import annotations

from dataclasses import replace

from ..cases.problems import Problem
from ..cases.schema import Case
from ..cases.sources.python_code import Recording


def recorded(case: Case) -> tuple[Case, Recording | None]:
    """The case with functions that note down what they are asked; itself and None for a case of a file."""
    if case._code is None:
        return case, None
    recording, watched = Recording(case._code), case.model_copy()
    watched._code = recording.code
    return watched, recording


def keeping(problem: Problem, recording: Recording | None) -> Problem:
    """The problem whose file keeps what its functions were asked in building it."""
    if recording is None:
        return problem
    return replace(problem, record=replace(problem.record, code=recording.arrays()))
