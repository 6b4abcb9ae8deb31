"""What an engine is, and the loop over tasks in this process.

outcomes(setup, tasks)   takes tasks as it needs them, a few ahead of what its workers do, and yields outcomes
                         in the order in which they come; "interrupted" ones end it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from ....runs.time_loop import Progress
from ..one_run import Setup, Task, solve
from ..outcome import INTERRUPTED, Outcome

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


def _share(progress: Progress) -> float:
    return (progress.t - progress.start) / (progress.end - progress.start)
