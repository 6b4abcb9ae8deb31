"""The runs of a sweep that are done, a line each, in files that only grow.

    DIR/rows.jsonl             by a sweep on this machine         DIR/rows-3-of-8.jsonl     by its third share of eight

A line that a kill has torn is no line; the run counts as not done.  What is read from a journal in one go is where
each line begins: outcomes with their densities stay on disk until they are asked for.

A sweep that does runs again, as those that failed, says so before it begins and when it ends, for who looks on:

    {"again": {"rows.jsonl": 5120}, "wanted": ["rho"], "share": [3, 8]}   of what stands before those bytes, that which
                                                                          failed or lacks what is wanted; null: no share
    {"again": null}                                                       it has ended
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, NamedTuple

from ...base.plain_text import in_words
from ...base.replaced_files import growing, regular
from ...errors import StoreError
from .outcome import FINISHED, Outcome, read_line

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


def suffices(where: Where | None, wanted: Collection[str]) -> bool:
    """Whether a run is done, with what is wanted of it; what failed is tried again."""
    return where is not None and where.status == FINISHED and where.has >= set(wanted)


@dataclass(frozen=True)
class Again:
    """Runs that a sweep does again.

    sizes : bytes of each journal when it began, by name.   wanted : as for `suffices`.   share : of an array, or None.
    """

    sizes: Mapping[str, int]
    wanted: frozenset[str]
    share: tuple[int, int] | None

    def has(self, number: int, where: Where) -> bool:
        """Whether it does that run again, and has not yet.   number : of the run.   where : its last line."""
        if self.share is not None and number % self.share[1] != self.share[0] - 1:
            return False
        return where.offset < self.sizes.get(where.file.name, 0) and not suffices(where, self.wanted)

    @property
    def line(self) -> bytes:
        """As it is kept, with its line break."""
        known = {"again": dict(self.sizes), "wanted": sorted(self.wanted), "share": self.share}
        return json.dumps(known).encode() + b"\n"


ENDED = b'{"again": null}\n'


class Journal:
    """The outcomes of a sweep by digest; the last line of a run counts, of lines in several files that with most.

    folder : of the sweep.   Raises StoreError where a file cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self._found: dict[str, Where] = {}
        self._again: dict[str, Again] = {}
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
                    where, known = place_of(file, offset, found), self._found.get(found.digest)
                    if known is None or known.file == file or _worth(known) <= _worth(where):
                        self._found[found.digest] = where
                elif b'"again"' in line:
                    self._again.pop(file.name, None)
                    if (again := read_again(line)) is not None:
                        self._again[file.name] = again

    def pending(self, number: int, digest: str) -> bool:
        """Whether a run is not done, or is being done again.   number : of the run in its sweep."""
        where = self._found.get(digest)
        return where is None or any(again.has(number, where) for again in self._again.values())


def read_again(line: bytes) -> Again | None:
    """What a line says is done again; None where it says that this has ended, or is by another hand."""
    try:
        data = json.loads(line)
        sizes = {str(name): int(size) for name, size in data["again"].items()}
        share = None if data["share"] is None else (int(data["share"][0]), int(data["share"][1]))
        if share is not None and share[1] < 1:
            return None
        return Again(sizes, frozenset(map(str, data["wanted"])), share)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError, RecursionError):
        return None


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
        offset = self._end
        self._write(outcome.line)
        return place_of(self.path, offset, outcome)

    @contextmanager
    def again(self, wanted: Collection[str], share: tuple[int, int] | None) -> Iterator[None]:
        """While runs are done again.   Raises StoreError."""
        files = [file for file in self.path.parent.glob(PATTERN) if file.is_file() and not file.is_symlink()]
        sizes = {file.name: file.stat().st_size for file in files}
        self._write(Again(sizes, frozenset(wanted), share).line)
        try:
            yield
        finally:
            self._write(ENDED)

    def _write(self, line: bytes) -> None:
        try:
            while line:
                written = self._stream.write(line)
                self._end += written
                line = line[written:]
        except OSError as error:
            raise _failing(self.path, error) from error


def _worth(where: Where) -> tuple[bool, int]:
    """Of two lines in files of which nobody knows which is later, the larger counts."""
    return where.status == FINISHED, len(where.has)


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
