"""The runs of a sweep that are done, a line each, in files that only grow.

    DIR/rows.jsonl             by a sweep on this machine         DIR/rows-3-of-8.jsonl     by its third share of eight

A line that a kill has torn is no line; the run counts as not done.  What is read from a journal in one go is where
each line begins: outcomes with their densities stay on disk until they are asked for.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, NamedTuple

from ...base.plain_text import in_words
from ...base.replaced_files import growing, regular
from ...errors import StoreError
from .outcome import Outcome, read_line

PATTERN = "rows*.jsonl"
LONGEST = 1 << 28
"""Bytes of a line that is read: a density of 4096² cells."""


def rows_of(share: tuple[int, int] | None) -> str:
    """The name of the journal of a share, or of a sweep on this machine."""
    return "rows.jsonl" if share is None else f"rows-{share[0]}-of-{share[1]}.jsonl"


class Where(NamedTuple):
    """Of a line.

    status, folder : of the run.   has : what it holds beside its numbers: "rho", names of series, "against PATH".
    """

    file: Path
    offset: int
    status: str
    folder: str
    has: frozenset[str]


class Journal:
    """The outcomes of a sweep by digest; the last line of a run counts.

    folder : of the sweep.   Raises StoreError where a file cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self._found: dict[str, Where] = {}
        for file in sorted(folder.glob(PATTERN)):
            if file.is_file() and not file.is_symlink():
                self._index(file)

    def __len__(self) -> int:
        return len(self._found)

    def __contains__(self, digest: str) -> bool:
        return digest in self._found

    def get(self, digest: str) -> Where | None:
        """Where the line of a run is, None where it is not done."""
        return self._found.get(digest)

    def read(self, digest: str) -> Outcome | None:
        """What is kept of a run, None where it is not done."""
        where = self._found.get(digest)
        if where is None:
            return None
        with _reading(where.file) as stream:
            stream.seek(where.offset)
            return read_line(stream.readline(LONGEST))

    def note(self, outcome: Outcome, where: Where) -> None:
        """An outcome that was appended after this was read."""
        self._found[outcome.digest] = where

    def _index(self, file: Path) -> None:
        try:
            stream = _reading(file)
        except StoreError:
            if file.exists():
                raise
            return  # a share that begins anew has removed it
        with stream:
            for offset, line in _lines(stream):
                if (found := read_line(line)) is not None:
                    self._found[found.digest] = place_of(file, offset, found)


class Appender:
    """Adds outcomes to a journal; each is on disk, as far as the system is asked, before the next begins."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._stream = growing(path)
            self._end = self._stream.seek(0, os.SEEK_END)
            if self._end and not _ends_line(path):  # a line that a kill has torn
                self._stream.write(b"\n")
                self._end += 1
        except OSError as error:
            raise _failing(path, error) from error

    def __enter__(self) -> Appender:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()

    def append(self, outcome: Outcome) -> Where:
        """Where its line is now.  Raises StoreError where it cannot be written."""
        line, offset = outcome.line, self._end
        try:
            while line:
                written = self._stream.write(line)
                self._end += written
                line = line[written:]
        except OSError as error:
            raise _failing(self.path, error) from error
        return place_of(self.path, offset, outcome)


def place_of(file: Path, offset: int, outcome: Outcome) -> Where:
    has = {*outcome.series, *(["rho"] if outcome.rho is not None else []), f"against {outcome.against}"}
    return Where(file, offset, outcome.status, outcome.folder, frozenset(has))


def _lines(stream: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """(offset, line), but for those that are longer than LONGEST."""
    offset, inside = 0, False
    while line := stream.readline(LONGEST):
        whole = line.endswith(b"\n") or len(line) < LONGEST
        if whole and not inside:
            yield offset, line
        inside = not whole
        offset += len(line)


def _ends_line(path: Path) -> bool:
    with _reading(path) as stream:
        stream.seek(-1, os.SEEK_END)
        return stream.read(1) == b"\n"


def _reading(path: Path) -> IO[bytes]:
    try:
        return os.fdopen(regular(path, os.O_RDONLY), "rb")
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {in_words(error)}") from error


def _failing(path: Path, error: OSError) -> StoreError:
    return StoreError(
        f"cannot write {path}: {in_words(error)} Check that the folder is writable and the disk has room."
    )
