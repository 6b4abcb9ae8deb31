"""Writing a run: snapshots and steps go into a file that opens at every moment."""

from __future__ import annotations

import os
from collections.abc import Mapping
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

STATUS = ("running", "finished", "failed", "interrupted")
STEP_BUFFER = 4096


class Writer:
    """Writes one run.  A context manager; on leaving it through an exception the file is finished as failed.

    path : file to create; it must not exist.   layout : what it holds.
    attributes : of the file, str, int or float; "title", "equation", "method" are expected.
    snapshots : planned number, the start included.   steps : planned number, a hint (the table grows).
    What is compressed is written plain and packed when it is finished: until then it is safe to be killed.

    Raises StoreError when the file exists or cannot be written; nothing is left behind then.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        layout: Layout,
        attributes: Mapping[str, Any],
        snapshots: int,
        steps: int = STEP_BUFFER,
    ) -> None:
        self._prepare(path, layout, attributes)
        if self.path.exists():
            raise StoreError(f"{self.path} exists already; choose another folder or ask to overwrite it.")
        with self._book.failing_as_store_error():
            self._rewrite(max(snapshots, 1), max(steps, 1))

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
        self._buffer: dict[str, list[float]] = {column.name: [] for column in layout.step_columns}
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self._attributes: dict[str, Any] = {
            "Conventions": "CF-1.11", "format": FORMAT, "wgfpde_version": __version__, "created": now,
            **attributes, "status": "running", "message": "",
        }  # fmt: skip

    @property
    def count(self) -> int:
        """Snapshots written so far."""
        return self._count

    @property
    def step_count(self) -> int:
        """Steps noted so far, in the file or on their way there."""
        return self._step_count + len(self._buffer["t"])

    def append(self, snapshot: Snapshot, diagnostics: Mapping[str, float]) -> None:
        """Write a snapshot: steps, field, diagnostics, its time last.  Repeating a torn append is safe."""
        k, book = self._count, self._book
        with book.failing_as_store_error():
            self._flush_steps()
            if k >= book.room("t"):
                self._rewrite(2 * k, book.room("steps/t"))
            book.put("rho", k, snapshot.rho[None])
            for field in book.layout.fields:
                shape = book.layout.shape_of(field)
                values = snapshot.fields.get(field.name)
                book.put(field.name, k, np.full((1, *shape), np.nan) if values is None else values.reshape(1, *shape))
            for quantity in book.layout.diagnostics:
                book.put(f"diagnostics/{quantity.name}", k, [diagnostics[quantity.name]])
            book.file.flush()
            book.put("t", k, [snapshot.t])
            book.file.flush()
            book.show_snapshot(k, snapshot.t)
        self._count = k + 1

    def append_step(self, t: float, dt: float, report: Report) -> None:
        """Note an accepted step; it reaches the file with the next snapshot, or after STEP_BUFFER steps."""
        own = {"t": t, "dt": dt}
        row = [own[name] if name in own else report.number(name) for name in self._buffer]  # whole, or not at all
        for values, value in zip(self._buffer.values(), row, strict=True):
            values.append(value)
        if len(self._buffer["t"]) >= STEP_BUFFER:
            self.flush_steps()

    def append_steps(self, columns: Mapping[str, np.ndarray]) -> None:
        """Note several steps, (rows,) a column, "t" among them; other columns as in a `Report` by default."""
        rows = len(columns["t"])
        whole = [columns[name].tolist() if name in columns else [Report().number(name)] * rows for name in self._buffer]
        for values, more in zip(self._buffer.values(), whole, strict=True):
            values.extend(more)
        if len(self._buffer["t"]) >= STEP_BUFFER:
            self.flush_steps()

    def flush_steps(self) -> None:
        """Put all steps noted so far into the file: they survive a kill from then on."""
        with self._book.failing_as_store_error():
            self._flush_steps()

    def annotate(self, **values: Any) -> None:
        """Overwrite in place attributes given at creation: numbers (wall_seconds, …), status, message, command."""
        self._attributes |= values
        with self._book.failing_as_store_error():
            self._book.annotate(values)

    def finish(self, status: str, message: str = "") -> None:
        """Cut every dataset to the rows written, set @status and @message, and close."""
        if status not in STATUS:
            raise StoreError(f"a run ends as one of {', '.join(STATUS[1:])}; found {status!r}.")
        with self._book.failing_as_store_error():
            self._flush_steps()
            self._attributes |= {"status": status, "message": message}
            self._book.trim(self._attributes, (self._count, self._step_count), final=status != "interrupted")
            self.annotate(status=status, message=message)  # last: a run that is killed before is not finished
            self.close()

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
            if self._book.is_open and kind is not None:
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
