"""What becomes of NumPy's warnings: a sentence in the log of the run that they came up in, else a note on stderr.

Overflow, a division by zero and what is not defined are ordinary where they are expected, and silenced there with
`np.errstate`, at the line.  The others are no reason to stop, since results are checked, but must not be lost, nor
reach a user in NumPy's words.  Where Python is asked to raise warnings (`-W error`) it does.  Warnings of functions of
the user's, and of all other code, stay as they are.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

PACKAGE = str(Path(__file__).resolve().parents[1])
LIBRARIES = ("numpy", "scipy")
WORDS = {
    "overflow": "a number grew beyond double precision",
    "underflow": "a number fell below double precision",
    "divide by zero": "a number was divided by zero",
    "invalid value": "a number was not defined",
}
"""By how NumPy's own words begin."""
Note = Callable[[str], None]
_notes: ContextVar[Note | None] = ContextVar("notes", default=None)


def install() -> None:
    """From now on NumPy's warnings in this package are sentences; a second call changes nothing."""
    before = warnings.showwarning
    if getattr(before, "of_wgfpde", False):
        return

    def show(message: Any, category: Any, filename: str, lineno: int, file: Any = None, line: Any = None) -> None:
        text = _sentence(message, category, filename)
        if text is None:
            before(message, category, filename, lineno, file, line)
        else:
            (_notes.get() or _to_stderr)(text)

    show.of_wgfpde = True  # type: ignore[attr-defined]
    warnings.showwarning = show


@contextmanager
def noted(note: Note) -> Iterator[None]:
    """Inside, the sentences go to `note`."""
    token = _notes.set(note)
    try:
        yield
    finally:
        _notes.reset(token)


def _sentence(message: Any, category: type[Warning], filename: str) -> str | None:
    """The warning in our words, None for one that is not ours."""
    words = next((words for start, words in WORDS.items() if str(message).startswith(start)), None)
    library = Path(filename).parts
    ours = filename.startswith(PACKAGE) or any(name in library for name in LIBRARIES)
    if words is None or not ours or not issubclass(category, RuntimeWarning):
        return None
    frame = sys._getframe(2)
    while frame is not None and not frame.f_code.co_filename.startswith(PACKAGE):
        frame = frame.f_back  # type: ignore[assignment]
    if frame is None:
        return None
    place = Path(frame.f_code.co_filename).relative_to(PACKAGE).with_suffix("").as_posix().replace("/", ".")
    return f"floating point: {words}, in {place}, line {frame.f_lineno}; what came of it was checked like all results"


def _to_stderr(text: str) -> None:
    sys.stderr.write(f"note: {text}\n")
