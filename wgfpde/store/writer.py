"""Writing a run: snapshots and steps go into a file that opens at every moment."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from .. import __version__
from ..energy.snapshot import Report, Snapshot
from ..errors import StoreError
from . import reopening
from .book import Book
from .layout import FORMAT, Layout
from .reading.opening import attributes_of, find, opened
from .replacing import sync

STATUS = ("running", "finished", "failed", "interrupted")
STEP_BUFFER = 4096
LATE, LARGE = 0.5, 1 << 24
"""Seconds, and bytes of snapshots, that are held back of a run whose file is written late."""


class Writer:
    """Writes one run.  A context manager; on leaving it through an exception the file is finished as failed.

    path : file to create; it must not exist.   layout : what it holds.
    attributes : of the file, str, int or float; "title", "equation", "method" are expected.
    snapshots : planned number, the start included.   steps : planned number, a hint (the table grows).
    What is compressed is written plain and packed when it is finished: until then it is safe to be killed.
    late : hold back what comes in the first LATE seconds, so that a short run writes its file once, when it is
    finished, and onto the disk; one that is killed before leaves no file.

    Raises StoreError when the file exists or cannot be written; nothing is left behind then.
    """

    _held: list[tuple[Snapshot, Mapping[str, float]]] | None
    """Snapshots that came before there was a file; None where there is one."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        layout: Layout,
        attributes: Mapping[str, Any],
        snapshots: int,
        steps: int = STEP_BUFFER,
        late: bool = False,
    ) -> None:
        self._prepare(path, layout, attributes)
        self._planned, self._late = max(snapshots, 1), late
        if self.path.exists():
            raise StoreError(f"{self.path} exists already; choose another folder or ask to overwrite it.")
        if late:
            self._held = []
            return
        with self._book.failing_as_store_error():
            self._rewrite(self._planned, max(steps, 1))

    @classmethod
    def reopen(
        cls,
        path: str | os.PathLike[str],
        layout: Layout,
        attributes: Mapping[str, Any],
        snapshots: int,
        rows: int,
        step_rows: int,
    ) -> Writer:
        """Continue a file, killed or finished, after its first `rows` snapshots and `step_rows` steps.

        What comes after those is dropped, `snapshots` in all are planned, @status is "running" again and @created
        stays; the other arguments are those of a new file.  In place where the file has room and the same texts,
        else by a copy that replaces it.

        Raises StoreError where the file is no run, holds fewer rows, or holds other numbers on another grid.
        """
        writer = cls.__new__(cls)
        writer._prepare(find(path), layout, attributes)
        writer._count, writer._step_count = rows, step_rows
        book = writer._book
        with opened(writer.path) as old:
            writer._attributes["created"] = attributes_of(writer.path, old).get("created", "")
            reopening.check(writer.path, old, layout, rows, step_rows)
            steps = max(old["steps/t"].shape[0], step_rows + STEP_BUFFER)
            in_place = reopening.has_room(old, layout, writer._attributes, snapshots)
        with book.failing_as_store_error():
            book.open("r+" if in_place else "r")
            try:
                if in_place:
                    book.annotate(reopening.in_place(writer._attributes))
                    reopening.cut(book.file, rows, step_rows)
                    book.write_xdmf(rows)
                else:
                    writer._rewrite(max(snapshots, rows, 1), steps)
            except BaseException:
                book.close()
                raise
        return writer

    def _prepare(self, path: str | os.PathLike[str], layout: Layout, attributes: Mapping[str, Any]) -> None:
        self.path = Path(path)
        self._book = Book(self.path, layout)
        self._count = 0
        self._step_count = 0
        self._late = False
        self._held = None
        self._begun = time.monotonic()
        self._buffer: dict[str, list[float]] = {column.name: [] for column in layout.step_columns}
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self._attributes: dict[str, Any] = {
            "Conventions": "CF-1.11", "format": FORMAT, "wgfpde_version": __version__, "created": now,
            **attributes, "status": "running", "message": "",
        }  # fmt: skip

    @property
    def count(self) -> int:
        """Snapshots written so far, or held back."""
        return self._count if self._held is None else len(self._held)

    @property
    def step_count(self) -> int:
        """Steps noted so far, in the file or on their way there."""
        return self._step_count + len(self._buffer["t"])

    def append(self, snapshot: Snapshot, diagnostics: Mapping[str, float]) -> None:
        """Write a snapshot: steps, field, diagnostics, its time last.  Repeating a torn append is safe."""
        if self._held is not None:
            self._held.append((snapshot, diagnostics))
            self._begin_in_time()
            return
        with self._book.failing_as_store_error():
            self._append([(snapshot, diagnostics)])

    def _append(self, rows: Sequence[tuple[Snapshot, Mapping[str, float]]]) -> None:
        k, book, end = self._count, self._book, self._count + len(rows)
        self._flush_steps()
        if end > book.room("t"):
            self._rewrite(2 * k, book.room("steps/t"))
        for i, (snapshot, _) in enumerate(rows, k):
            book.put("rho", i, snapshot.rho[None])
            for field in book.layout.fields:
                shape = book.layout.shape_of(field)
                values = snapshot.fields.get(field.name)
                book.put(field.name, i, np.full((1, *shape), np.nan) if values is None else values.reshape(1, *shape))
        for quantity in book.layout.diagnostics:
            book.put(f"diagnostics/{quantity.name}", k, [numbers[quantity.name] for _, numbers in rows])
        book.file.flush()
        book.put("t", k, [snapshot.t for snapshot, _ in rows])
        book.file.flush()
        book.show_snapshots(k, [snapshot.t for snapshot, _ in rows])
        self._count = end

    def _begin_in_time(self, at_last: bool = False) -> None:
        """Make the file of what was held back, when that is long enough, or `at_last`: then with no room for more."""
        if self._held is None:
            return
        size = sum(values.nbytes for snapshot, _ in self._held for values in snapshot.fields.values())
        if at_last or size > LARGE or len(self._buffer["t"]) >= STEP_BUFFER or time.monotonic() - self._begun > LATE:
            held = self._held
            steps = max(len(self._buffer["t"]), 1) if at_last else STEP_BUFFER
            with self._book.failing_as_store_error():
                self._rewrite(max(len(held), 1) if at_last else max(self._planned, len(held)), steps)
                self._append(held)
            self._held = None  # where there was no room it is all tried again with the next

    def append_step(self, t: float, dt: float, report: Report) -> None:
        """Note an accepted step; it reaches the file with the next snapshot, or after STEP_BUFFER steps."""
        own = {"t": t, "dt": dt}
        row = [own[name] if name in own else report.number(name) for name in self._buffer]  # whole, or not at all
        for values, value in zip(self._buffer.values(), row, strict=True):
            values.append(value)
        self._begin_in_time()
        if len(self._buffer["t"]) >= STEP_BUFFER:
            self.flush_steps()

    def append_steps(self, columns: Mapping[str, np.ndarray]) -> None:
        """Note several steps, (rows,) a column, "t" among them; other columns as in a `Report` by default."""
        rows = len(columns["t"])
        whole = [columns[name].tolist() if name in columns else [Report().number(name)] * rows for name in self._buffer]
        for values, more in zip(self._buffer.values(), whole, strict=True):
            values.extend(more)
        self._begin_in_time()
        if len(self._buffer["t"]) >= STEP_BUFFER:
            self.flush_steps()

    def flush_steps(self) -> None:
        """Put all steps noted so far into the file, where there is one: they survive a kill from then on."""
        self._begin_in_time()
        if self._held is not None:
            return
        with self._book.failing_as_store_error():
            self._flush_steps()

    def annotate(self, **values: Any) -> None:
        """Overwrite in place attributes given at creation: numbers (wall_seconds, …), status, message, command."""
        self._attributes |= values
        if self._held is not None:
            return
        with self._book.failing_as_store_error():
            self._book.annotate(values)

    def finish(self, status: str, message: str = "") -> None:
        """Cut every dataset to the rows written, set @status and @message, and close."""
        if status not in STATUS:
            raise StoreError(f"a run ends as one of {', '.join(STATUS[1:])}; found {status!r}.")
        self._begin_in_time(at_last=True)
        with self._book.failing_as_store_error():
            self._flush_steps()
            self._attributes |= {"status": status, "message": message}
            self._book.trim(self._attributes, (self._count, self._step_count), final=status != "interrupted")
            self.annotate(status=status, message=message)  # last: a run that is killed before is not finished
            self.close()
            if self._late:
                sync(self.path)
                sync(self.path.parent)

    def close(self) -> None:
        """Close without finishing: @status stays as it is.  Raises StoreError where the last bytes find no room."""
        with self._book.failing_as_store_error():
            self._book.close()

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if (self._book.is_open or self._held is not None) and kind is not None:
                self.finish("interrupted" if issubclass(kind, KeyboardInterrupt) else "failed", str(error))
            self.close()
        except StoreError:
            with suppress(StoreError):
                self.close()
            if kind is None:
                raise
            # else the first failure is the one to report; the file opens as it is

    def _rewrite(self, snapshots: int, steps: int) -> None:
        self._book.rewrite(self._attributes, snapshots, steps, (self._count, self._step_count))

    def _flush_steps(self) -> None:
        """Move buffered steps to the file, /steps/t last."""
        rows = len(self._buffer["t"])
        if rows == 0:
            return
        book = self._book
        begin, end = self._step_count, self._step_count + rows
        if end > book.room("steps/t"):
            self._rewrite(book.room("t"), 4 * end)
        for name in reversed(self._buffer):  # "t" is the first column
            if name == "t":
                book.file.flush()
            book.put(f"steps/{name}", begin, self._buffer[name])
        book.file.flush()
        self._step_count = end
        self._buffer = {name: [] for name in self._buffer}
