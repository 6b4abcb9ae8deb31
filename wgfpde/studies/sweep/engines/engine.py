"""What an engine is, and the loop over tasks in this process.

outcomes(setup, tasks)   takes tasks as it needs them, a few ahead of what its workers do, and yields outcomes
                         in the order in which they come; "interrupted" ones end it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from operator import length_hint
from typing import Protocol

from ....runs.progress import Progress
from ..one_run import Setup, Task, solve
from ..outcome import INTERRUPTED, Outcome

SECONDS_TOGETHER, MOST_TOGETHER = 0.1, 64
"""That runs which are handed out together should take, and how many they are at most."""

Teller = Callable[[int, Task, float], None]
"""Called with (worker, its task, the share of it that is done), now and then."""


class Engine(Protocol):
    """Does the runs of a sweep.   workers : how many at once.   name : in words, for the first line."""

    @property
    def workers(self) -> int:
        """Runs at once."""

    @property
    def name(self) -> str:
        """What does the runs, in words."""

    def outcomes(self, setup: Setup, tasks: Iterator[Task], tell: Teller) -> Iterator[Outcome]:
        """Do the tasks.  Raises Interrupted where a signal asks for it, after what was done has been given."""


class Serial:
    """One run after the other, in this process."""

    workers = 1
    name = "in this process"

    def outcomes(self, setup: Setup, tasks: Iterator[Task], tell: Teller) -> Iterator[Outcome]:
        for task in tasks:
            outcome = solve(setup, task, lambda p, task=task: tell(0, task, _share(p)))  # type: ignore[misc]
            yield outcome
            if outcome.status == INTERRUPTED:
                return


class Handfuls:
    """How many runs are handed out together: small ones more, towards the end no more than a worker's part of the rest.

    With what takes milliseconds, handing out would take as long as the run.
    """

    def __init__(self, workers: int) -> None:
        self._workers, self._size = workers, 1

    def next(self, tasks: Iterator[Task]) -> list[Task]:
        """The next of them; [] where there are no more."""
        part = 1 + length_hint(tasks, MOST_TOGETHER * self._workers) // (2 * self._workers)
        return list(islice(tasks, min(self._size, part)))

    def done(self, found: Sequence[Outcome]) -> None:
        """Learn how long they took, together."""
        seconds = sum(outcome.wall_seconds for outcome in found if outcome.wall_seconds == outcome.wall_seconds)
        each = max(seconds / max(len(found), 1), 1e-3)
        self._size = min(max(1, int(SECONDS_TOGETHER / each)), MOST_TOGETHER, 2 * self._size)


def _share(progress: Progress) -> float:
    return (progress.t - progress.start) / (progress.end - progress.start)
