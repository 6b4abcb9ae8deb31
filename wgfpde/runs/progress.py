"""How far something is, and for how long it has run; shown in one line.

Of a run, where a warning stays on the screen, and of anything else in words.
"""

from __future__ import annotations

import shutil
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TextIO

from ..base.amounts import duration
from ..base.plain_text import one_line

QUIET_SECONDS = 2.0
"""What takes no longer shows no progress."""
ProgressText = Callable[[str], None] | None
"""What a study calls with what is being done, in words, now and then; a StatusLine is one."""


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    t, start, end : times.   step, dt : the last step.   wall : seconds since the first step began.
    note : what keeps it from stepping, or "".   warning : whether the note is one that the user must not miss.
    """

    t: float
    start: float
    end: float
    step: int
    dt: float
    wall: float
    note: str = ""
    warning: bool = False


class Clock:
    """Wall and processor seconds since it was started, on top of what was spent before."""

    def __init__(self, wall: float = 0.0, cpu: float = 0.0) -> None:
        self._before = wall, cpu
        self.restart()

    def restart(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    @property
    def wall(self) -> float:
        return self._before[0] + time.perf_counter() - self._wall

    @property
    def cpu(self) -> float:
        return self._before[1] + time.process_time() - self._cpu


class StatusLine:
    """Called with the Progress of a run, or with words; shows them now and then, and from a while on.

    One line rewritten in place on a terminal; in a notebook a bar of tqdm, where that is installed; lines of a log
    elsewhere.  Times are those of a run, `progress.wall`, or since the line was made; a note of a run is shown at once.

    stream : where to; None: nowhere.   at_once : from the first call on, and none is passed over.
    head : before each text.
    """

    def __init__(self, stream: TextIO | None, at_once: bool = False, head: str = "") -> None:
        self._screen = _screen(stream)
        self._head = head
        self._begun = time.monotonic()
        self._pause, self._next = (0.0, 0.0) if at_once else (self._screen.pause, self._screen.quiet)
        self._noted = False

    def __call__(self, what: Progress | str) -> None:
        """Cheap unless it is time to show something."""
        if isinstance(what, str):
            if self._due(time.monotonic() - self._begun):
                self._show(what)
        elif what.note:
            self._screen.show(one_line(what.note), _share(what))
            self._noted = True
            if what.warning:
                self._screen.keep()
        else:
            if self._noted:
                self._noted = False
                self.clear()
            if self._due(what.wall):
                self._show(progress_text(what), _share(what))

    def _show(self, text: str, share: float | None = None) -> None:
        self._screen.show(one_line(self._head + text), share)

    def _due(self, seconds: float) -> bool:
        if seconds < self._next:
            return False
        self._next = seconds + self._pause
        return True

    def clear(self) -> None:
        self._screen.clear()


@contextmanager
def status_line(shown: bool = True, at_once: bool = False) -> Iterator[StatusLine]:
    """A StatusLine on stderr that is gone in the end.   shown : whether it shows anything."""
    line = StatusLine(sys.stderr if shown else None, at_once)
    try:
        yield line
    finally:
        line.clear()


def progress_text(p: Progress) -> str:
    """ "25.0 %   t = 1.5 of 3   step 50   dt = 0.01   5 steps/s   30 s left"."""
    done = _share(p)
    rate = p.step / p.wall if p.wall > 0 else 0.0
    left = p.wall * (1 - done) / done if done > 0 else float("inf")
    return (
        f"{100 * done:5.1f} %   t = {p.t:.5g} of {p.end:g}   step {p.step}   dt = {p.dt:.3g}   "
        f"{rate:.3g} steps/s   {duration(left)} left"
    )


def _share(p: Progress) -> float:
    return (p.t - p.start) / (p.end - p.start)


# ---- where it is shown -------------------------------------------------------------------------------------


class _Nowhere:
    """Shows nothing.   quiet : seconds before the first text.   pause : from one to the next."""

    quiet, pause = float("inf"), float("inf")

    def show(self, text: str, share: float | None = None) -> None:
        """share : of the work, that is done."""

    def keep(self) -> None:
        """What is shown stays when this is cleared."""

    def clear(self) -> None:
        """Nothing stays but what was kept."""


class _Log(_Nowhere):
    """A line each time."""

    quiet, pause = 5.0, 5.0

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def show(self, text: str, share: float | None = None) -> None:
        self._write(f"{text}\n")

    def _write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # whoever read it is gone: the work goes on
            self._stream.write(text)
            self._stream.flush()


class _Terminal(_Log):
    """One line, rewritten in place: a text that is longer than it is cut."""

    quiet, pause = QUIET_SECONDS, 0.2
    _shown = False

    def show(self, text: str, share: float | None = None) -> None:
        width = max(shutil.get_terminal_size().columns - 1, 20)
        self._write(f"\r\x1b[K{text[:width]}")
        self._shown = True

    def keep(self) -> None:
        self._write("\n")

    def clear(self) -> None:
        if self._shown:
            self._write("\r\x1b[K")
        self._shown = False


class _Bar(_Log):
    """A bar of tqdm in a notebook; words alone where it is not known how much is done."""

    quiet, pause = QUIET_SECONDS, 0.2

    def __init__(self, stream: TextIO, tqdm: Any) -> None:
        super().__init__(stream)
        self._tqdm = tqdm
        self._bar: Any = None

    def show(self, text: str, share: float | None = None) -> None:
        if self._bar is None:
            form = "{desc}" if share is None else "{desc}{bar}"
            total = None if share is None else 1.0
            self._bar = self._tqdm(total=total, bar_format=form, leave=False, file=self._stream)
        self._bar.n = share or 0.0
        self._bar.set_description_str(text, refresh=False)
        self._bar.refresh()
        self._text = text

    def keep(self) -> None:
        self._write(f"{self._text}\n")

    def clear(self) -> None:
        if self._bar is not None:
            self._bar.close()
        self._bar = None


def _screen(stream: TextIO | None) -> _Nowhere:
    if stream is None:
        return _Nowhere()
    if stream.isatty():
        return _Terminal(stream)
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is not None and "IPKernelApp" in shell.config:  # the shell of a notebook
        with suppress(ImportError), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # tqdm's own, where there are no widgets for bars: it has others
            from tqdm.auto import tqdm

            return _Bar(stream, tqdm)
    return _Log(stream)
