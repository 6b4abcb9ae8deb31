"""Ctrl-C, SIGTERM, and limits of wall-clock time and of steps, as an exception that comes only where it does no harm.

A step may be abandoned at any instant: it leaves nothing behind.  Between steps, where the state, the file and the
checkpoint are brought in line with each other, a request to stop waits.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

CAUSES = ("Ctrl-C", "SIGTERM", "the end of its terminal", "the limit of wall-clock time")
"""Of a request to stop, in words."""
LIMIT_REACHED = 75
"""The exit code where a limit of time or of steps ended a run."""


class Interrupted(KeyboardInterrupt):
    """A request to stop.

    cause : in words.   exit_code : what the command line returns for it.   lifted : by which option of `resume`, or "".
    """

    def __init__(self, cause: str = "Ctrl-C", exit_code: int = 130, lifted: str = "") -> None:
        super().__init__(cause)
        self.cause, self.exit_code, self.lifted = cause, exit_code, lifted


@contextmanager
def stopping() -> Iterator[None]:
    """SIGTERM and the end of the terminal end what is going on as Ctrl-C does, so that nothing half-written stays.

    For all that is no run, which `Interrupts` ends after a checkpoint.  A second request does not disturb the first.
    """
    previous: list[tuple[int, Any]] = []
    asked: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        if not asked:
            asked.append(number)
            raise _request(number)

    if threading.current_thread() is threading.main_thread():
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) == signal.SIG_DFL:
                previous.append((number, signal.signal(number, stop)))
    try:
        yield
    finally:
        for number, handler in previous:
            signal.signal(number, handler)


def _request(number: int) -> Interrupted:
    """What a signal asks for."""
    if number == signal.SIGTERM:
        return Interrupted("SIGTERM", 143)
    return Interrupted("the end of its terminal", 129)


class Interrupts:
    """A context in which requests to stop are caught.

    wall_seconds : limit counted from here, or None.  Outside the main thread, where the system delivers no signals,
    only this limit counts, and only between steps.
    """

    def __init__(self, wall_seconds: float | None = None) -> None:
        self._limit, self._started = wall_seconds, time.monotonic()
        self._pending: Interrupted | None = None
        self._open = False
        self._previous: list[tuple[int, Any]] = []
        self._most_steps, self._first_step = math.inf, -1

    def limit_steps(self, most: float) -> None:
        """From now on so many steps may be taken, or one stride of the stepper more."""
        self._most_steps = most

    def count(self, step: int) -> None:
        """To be called before each step, with the number of the last.  Raises a request to stop where all are taken."""
        self._first_step = step if self._first_step < 0 else self._first_step
        if step - self._first_step >= self._most_steps:
            text = f"the limit of {self._most_steps:g} steps, for a run whose steps nobody could count before"
            raise Interrupted(text, LIMIT_REACHED, "--yes")

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            self._catch(signal.SIGINT, Interrupted)
            self._catch(signal.SIGTERM, lambda: _request(signal.SIGTERM))
            if hasattr(signal, "SIGHUP"):
                self._catch(signal.SIGHUP, lambda: _request(signal.SIGHUP))
            if self._limit is not None and hasattr(signal, "SIGALRM"):  # ends a step that would outlast the limit
                self._catch(signal.SIGALRM, self._limit_reached)
                signal.setitimer(signal.ITIMER_REAL, max(self._limit, 1e-6))
        return self

    def __exit__(self, *_: object) -> None:
        if any(number == getattr(signal, "SIGALRM", None) for number, _ in self._previous):
            signal.setitimer(signal.ITIMER_REAL, 0.0)
        while self._previous:
            number, handler = self._previous.pop()
            signal.signal(number, handler)

    @contextmanager
    def abandonable(self) -> Iterator[None]:
        """Where a request to stop is raised at once, one that came before included."""
        self._open = True
        try:
            self.check()
            yield
        except Exception:
            if self._pending is not None:  # what became of it in a call that was just going into compiled code
                raise self._pending from None
            raise
        finally:
            self._open = False

    def check(self) -> None:
        """Raise the request to stop that waits, if there is one; again at every call, should the first be lost."""
        if self._limit is not None and time.monotonic() - self._started >= self._limit:
            self._pending = self._pending or self._limit_reached()
        if self._pending is not None:
            self._open = False
            raise self._pending

    def _limit_reached(self) -> Interrupted:
        return Interrupted("the limit of wall-clock time", LIMIT_REACHED)

    def _catch(self, number: int, request: Callable[[], Interrupted]) -> None:
        def note(number: int, frame: FrameType | None) -> None:
            self._pending = self._pending or request()
            if self._open:
                self.check()

        if signal.getsignal(number) not in (signal.SIG_IGN, None):  # nohup, or a background job: it stays
            self._previous.append((number, signal.signal(number, note)))
