"""Files that an export writes: never half a file, and none replaced unasked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ...base.plain_text import in_words
from ...base.replaced_files import BeingWritten, whole_file
from ...errors import StoreError
from ..reading.reader import Run

Counted = Callable[[int, int], None] | None
"""Called with (snapshots done, of how many)."""


def check(run: Run, targets: Sequence[Path], overwrite: bool) -> None:
    """Raise StoreError where a target is the run itself, or exists and may not be replaced."""
    for target in targets:
        if target.exists() and target.samefile(run.path):
            raise StoreError(f"{target} is the run that is exported; choose another place with --out.")
        if target.exists() and not overwrite:
            raise StoreError(f"{target} exists and is kept; choose another place with --out, or add --overwrite.")


@contextmanager
def written(target: Path) -> Iterator[Path]:
    """A place to write to, put in place of the target once it is whole.  Raises StoreError."""
    try:
        with whole_file(target) as part:
            yield part
    except BeingWritten as error:
        raise StoreError(f"cannot write {target}: {error.strerror}; or choose another place with --out.") from error
    except (OSError, RuntimeError) as error:
        text = f"cannot write {target}: {in_words(error)} Check that the folder is writable and the disk has room."
        raise StoreError(text) from error
