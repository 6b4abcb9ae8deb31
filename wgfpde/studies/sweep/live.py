"""How a sweep goes, on a terminal: a bar, and a line for each worker where tqdm is installed; one line of text else.

12 of 64 runs, 1 failed, 35 s left   |   theta = 0.5: 40 %   |   theta = 0.7: 12 %
"""

from __future__ import annotations

import sys
import time
from typing import Any, TextIO

from ...base.amounts import duration
from ...base.plain_text import one_line
from ...runs.progress import StatusLine
from .one_run import Task
from .outcome import FINISHED, Outcome
from .plan import Plan

SHOWN = 16
"""Most workers with a line of their own."""


class Live:
    """A Watcher that shows.   stream : where to; None: nowhere.   It takes no room when `close` was called."""

    def __init__(self, stream: TextIO | None = sys.stderr) -> None:
        self._stream = stream
        self._line = StatusLine(stream)
        self._bars: list[Any] = []
        self._at: dict[int, tuple[str, float]] = {}
        self._count = self._done = self._failed = self._known = 0
        self._since = time.monotonic()

    def begun(self, plan: Plan, known: int, workers: int) -> None:
        self._count, self._done, self._known = plan.count, known, known
        self._since = time.monotonic()
        if self._stream is not None and self._stream.isatty() and (tqdm := _tqdm()) is not None:
            rows = min(workers, SHOWN)
            self._bars = [tqdm(total=plan.count, initial=known, position=0, leave=False, file=self._stream, unit="run")]
            form = "  {desc}"
            self._bars += [
                tqdm(total=1.0, position=k + 1, leave=False, file=self._stream, bar_format=form) for k in range(rows)
            ]

    def working(self, worker: int, task: Task, share: float) -> None:
        self._at[worker] = (one_line(task.label), share)
        if 0 <= worker < len(self._bars) - 1:
            self._bars[worker + 1].set_description_str(
                f"worker {worker + 1}: {self._at[worker][0]}  {100 * share:.0f} %"
            )
        self._show()

    def done(self, task: Task, outcome: Outcome) -> None:
        self._done += 1
        self._failed += outcome.status != FINISHED
        if self._bars:
            self._bars[0].update(1)
        self._show()

    def _show(self) -> None:
        if self._bars:
            return
        at = "".join(f"   |   {label}: {100 * share:.0f} %" for label, share in list(self._at.values())[:SHOWN])
        self._line(f"{self.text}{at}")

    @property
    def text(self) -> str:
        """How far it is, in words."""
        new = self._done - self._known
        left = (time.monotonic() - self._since) / new * (self._count - self._done) if new else float("inf")
        failed = f", {self._failed} failed" if self._failed else ""
        return f"{self._done} of {self._count} runs{failed}, {duration(left)} left"

    def close(self) -> None:
        for bar in reversed(self._bars):
            bar.close()
        self._bars = []
        self._line.clear()


def _tqdm() -> Any:
    try:
        from tqdm import tqdm
    except ImportError:
        return None
    return tqdm
