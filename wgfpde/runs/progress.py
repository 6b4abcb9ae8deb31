"""Progress as one line of text: of a run, where a warning stays on the screen, and of anything else in words."""

from __future__ import annotations

import shutil
import time
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

from ..base.amounts import duration

if TYPE_CHECKING:
    from .time_loop import Progress

QUIET_SECONDS = 2.0
"""A run shorter than this shows no progress."""


class ProgressLine:
    """Shows progress: one line rewritten in place on a terminal, a log line every 5 s elsewhere.

    stream : where to.   Times are those of the run, `progress.wall`; a note is shown at once.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._terminal = stream.isatty()
        self._next = QUIET_SECONDS if self._terminal else 5.0
        self._shown = False
        self._noted = False

    def __call__(self, progress: Progress) -> None:
        """Called after steps; cheap unless it is time to show something."""
        if progress.note:
            self._show(progress.note)
            self._noted = True
            if progress.warning and self._terminal:
                self._write("\n")  # it stays
            return
        if self._noted:
            self._noted = False
            self.clear()
        if progress.wall < self._next:
            return
        self._next = progress.wall + (0.2 if self._terminal else 5.0)
        self._show(self.text(progress))

    def _show(self, text: str) -> None:
        self._write(f"\r\x1b[K{text[: self._width]}" if self._terminal else f"{text}\n")
        self._shown = True

    def _write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # whoever read it is gone: the run goes on
            self._stream.write(text)
            self._stream.flush()

    @property
    def _width(self) -> int:
        """What fits on one line: a longer text would not be rewritten in place."""
        return max(shutil.get_terminal_size().columns - 1, 20)

    def text(self, p: Progress) -> str:
        done = (p.t - p.start) / (p.end - p.start)
        rate = p.step / p.wall if p.wall > 0 else 0.0
        left = p.wall * (1 - done) / done if done > 0 else float("inf")
        return (
            f"{100 * done:5.1f} %   t = {p.t:.5g} of {p.end:g}   step {p.step}   dt = {p.dt:.3g}   "
            f"{rate:.3g} steps/s   {duration(left)} left"
        )

    def clear(self) -> None:
        if self._terminal and self._shown:
            self._write("\r\x1b[K")
            self._shown = False


class NoteLine:
    """What is being done, in words: one line rewritten in place on a terminal, a line now and then elsewhere.

    stream : where to.   at_once : from the first call on, not from two seconds on; then no call is passed over.
    """

    def __init__(self, stream: TextIO, at_once: bool = False) -> None:
        self._stream = stream
        self._terminal = stream.isatty()
        self._pause = 0.0 if at_once else 0.2 if self._terminal else 5.0
        self._next = time.monotonic() + (0.0 if at_once else QUIET_SECONDS if self._terminal else self._pause)
        self._shown = False

    def __call__(self, text: str) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + self._pause
        width = max(shutil.get_terminal_size().columns - 1, 20)
        self._write(f"\r\x1b[K{text[:width]}" if self._terminal else f"{text}\n")
        self._shown = self._terminal

    def _write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # whoever read it is gone: the work goes on
            self._stream.write(text)
            self._stream.flush()

    def clear(self) -> None:
        if self._shown:
            self._write("\r\x1b[K")
        self._shown = False
