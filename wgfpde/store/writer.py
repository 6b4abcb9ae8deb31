"""Writing a run: snapshots and steps go into a file that opens at every moment."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np

from .. import __version__
from ..errors import StoreError
from ..flow import Column, Report, Snapshot
from ..grid import Grid
from . import links, reopening, xdmf
from .layout import COMPRESSIONS, FIXED_TEXT, FORMAT, PRECISIONS, STEP_COLUMNS, Quantity, create, set_text
from .opening import attributes_of, find, opened
from .replacing import LIBVER, MARGIN, build, copy_rows, failing_as_store_error

STATUS = ("running", "finished", "failed", "interrupted")
STEP_BUFFER = 4096


class Writer:
    """Writes one run.  A context manager; on leaving it through an exception the file is finished as failed.

    path : file to create; it must not exist.   grid : the grid of every snapshot.
    attributes : of the file, str, int or float; "title", "equation", "method" are expected.
    diagnostics : the numbers that `append` will be given.   snapshots : planned number, the start included.
    steps : planned number of steps, a hint (the table grows).
    texts : {"case_toml": …, "resolved_toml": …}.   columns : what the scheme adds to /steps, fields of its Report.
    precision : of the stored densities, "float64" or "float32"; all else is float64.
    compression : "none", or "gzip": the finished file is rewritten, compressed; until then it is not, to be safe.

    Raises StoreError when the file exists or cannot be written; nothing is left behind then.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        grid: Grid,
        attributes: Mapping[str, Any],
        diagnostics: Sequence[Quantity],
        snapshots: int,
        steps: int = STEP_BUFFER,
        texts: Mapping[str, str] | None = None,
        columns: Sequence[Column] = (),
        precision: str = "float64",
        compression: str = "none",
    ) -> None:
        self._prepare(path, grid, attributes, diagnostics, texts, columns, precision, compression)
        if self.path.exists():
            raise StoreError(f"{self.path} exists already; choose another folder or ask to overwrite it.")
        with self._failing_as_store_error():
            self._rewrite(max(snapshots, 1), max(steps, 1))

    @classmethod
    def reopen(
        cls,
        path: str | os.PathLike[str],
        grid: Grid,
        attributes: Mapping[str, Any],
        diagnostics: Sequence[Quantity],
        snapshots: int,
        rows: int,
        step_rows: int,
        texts: Mapping[str, str] | None = None,
        columns: Sequence[Column] = (),
        precision: str = "float64",
        compression: str = "none",
    ) -> Writer:
        """Continue a file, killed or finished, after its first `rows` snapshots and `step_rows` steps.

        What comes after those is dropped, `snapshots` in all are planned, @status is "running" again and @created
        stays; the other arguments are those of a new file.  In place where the file has room and the same texts,
        else by a copy that replaces it.

        Raises StoreError where the file is no run, holds fewer rows, or holds other numbers on another grid.
        """
        writer = cls.__new__(cls)
        writer._prepare(path, grid, attributes, diagnostics, texts, columns, precision, compression)
        writer.path = find(path)
        names = {"diagnostics": [q.name for q in diagnostics], "steps": list(writer._buffer)}
        with opened(writer.path) as old:
            writer._attributes["created"] = attributes_of(writer.path, old).get("created", "")
            reopening.check(writer.path, old, grid, names, rows, step_rows)
            steps = max(old["steps/t"].shape[0], step_rows + STEP_BUFFER)
            in_place = reopening.has_room(old, writer._attributes, precision, snapshots)
        writer._count, writer._step_count = rows, step_rows
        with writer._failing_as_store_error():
            writer._open = h5py.File(writer.path, "r+" if in_place else "r", libver=LIBVER, locking=False)
            try:
                if in_place:
                    writer.annotate(**reopening.in_place(writer._attributes))
                    reopening.cut(writer._file, rows, step_rows)
                    writer._write_xdmf()
                else:
                    writer._rewrite(max(snapshots, rows, 1), steps)
            except BaseException:
                writer.close()
                raise
        return writer

    def _prepare(
        self,
        path: str | os.PathLike[str],
        grid: Grid,
        attributes: Mapping[str, Any],
        diagnostics: Sequence[Quantity],
        texts: Mapping[str, str] | None,
        columns: Sequence[Column],
        precision: str,
        compression: str,
    ) -> None:
        for name, value, known in (
            ("precision", precision, PRECISIONS),
            ("compression", compression, COMPRESSIONS),
        ):
            if value not in known:
                raise StoreError(f"{name} is one of {', '.join(known)}; found {value!r}.")
        self.path = Path(path)
        self._count = 0
        self._step_count = 0
        self._grid, self._precision, self._compress = grid, precision, compression == "gzip"
        columns = (*STEP_COLUMNS, *columns)
        self._buffer: dict[str, list[float]] = {column.name: [] for column in columns}
        self._open: h5py.File | None = None
        self._row_bytes = grid.size * np.dtype(precision).itemsize + 8 * (1 + len(diagnostics))
        self._size = 0
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self._attributes: dict[str, Any] = {
            "Conventions": "CF-1.11", "format": FORMAT, "wgfpde_version": __version__, "created": now,
            **attributes, "status": "running", "message": "",
        }  # fmt: skip
        self._lay_out = partial(
            create, grid=grid, diagnostics=diagnostics, columns=columns, texts=texts or {}, precision=precision
        )

    @property
    def _file(self) -> h5py.File:
        if self._open is None:
            raise StoreError(f"{self.path} is closed: nothing can be added to a finished run.")
        return self._open

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
        k = self._count
        with self._failing_as_store_error():
            self._flush_steps()
            file = self._file
            if k >= file["t"].shape[0]:
                file = self._rewrite(2 * k, file["steps/t"].shape[0])
            file["rho"][k] = snapshot.rho
            for name, dataset in file["diagnostics"].items():
                dataset[k] = diagnostics[name]
            file.flush()
            file["t"][k] = snapshot.t
            file.flush()
            links.set_steps(file, file["t"][: k + 1])
        self._count = k + 1
        with suppress(OSError):  # the run goes on without its .xdmf
            xdmf.extend(self.path, self._grid, k, snapshot.t, file["t"].shape[0], self._precision)

    def append_step(self, t: float, dt: float, report: Report) -> None:
        """Note an accepted step; it reaches the file with the next snapshot, or after STEP_BUFFER steps."""
        for name, values in self._buffer.items():
            values.append(t if name == "t" else dt if name == "dt" else getattr(report, name))
        if len(self._buffer["t"]) >= STEP_BUFFER:
            self.flush_steps()

    def flush_steps(self) -> None:
        """Put all steps noted so far into the file: they survive a kill from then on."""
        with self._failing_as_store_error():
            self._flush_steps()

    def annotate(self, **values: Any) -> None:
        """Overwrite in place attributes given at creation: numbers (wall_seconds, …), status, message, command."""
        self._attributes |= values
        with self._failing_as_store_error():
            for name, value in values.items():
                if name in FIXED_TEXT:
                    set_text(self._file, name, value)
                else:
                    self._file.attrs.modify(name, value)
            self._file.flush()

    def finish(self, status: str, message: str = "") -> None:
        """Cut every dataset to the rows written, set @status and @message, and close."""
        if status not in STATUS:
            raise StoreError(f"a run ends as one of {', '.join(STATUS[1:])}; found {status!r}.")
        with self._failing_as_store_error():
            self._flush_steps()
            self.annotate(status=status, message=message)
            self._trim()
            self._file.close()
        self._open = None

    def close(self) -> None:
        """Close without finishing: @status stays as it is."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._open is not None and kind is not None:
                self.finish("interrupted" if issubclass(kind, KeyboardInterrupt) else "failed", str(error))
        except StoreError:
            pass  # the first failure is the one to report; the file opens as it is
        finally:
            self.close()

    def _trim(self) -> None:
        """Leave the rows written and no others: in place, or by a copy where that frees much of the disk."""
        file = self._file
        unused_steps = file["steps/t"].shape[0] - self._step_count
        unused = (file["t"].shape[0] - self._count) * self._row_bytes + unused_steps * 8 * len(self._buffer)
        if self._compress or unused > self._count * self._row_bytes // 4:
            try:
                self._rewrite(self._count, self._step_count, packed=self._compress)
                return
            except OSError:
                pass  # no room for a copy
        _resize([file["rho"], *file["diagnostics"].values(), file["t"]], self._count)
        _resize(list(file["steps"].values()), self._step_count)
        self._write_xdmf()

    def _rewrite(self, snapshots: int, steps: int, packed: bool = False) -> h5py.File:
        """Replace the file by one with room for so many rows, keeping what is written."""

        def fill(new: h5py.File) -> None:
            self._lay_out(new, attributes=self._attributes, snapshots=snapshots, steps=steps, packed=packed)
            if self._open is not None:
                copy_rows(self._open, new, self._count, self._step_count)
                links.set_steps(new, new["t"][: self._count])

        self._size = MARGIN + snapshots * self._row_bytes + steps * 8 * len(self._buffer)
        part = build(self.path, fill, self._size)
        self.close()
        os.replace(part, self.path)
        self._open = h5py.File(self.path, "r+", libver=LIBVER, locking=False)
        self._write_xdmf()
        return self._open

    def _write_xdmf(self) -> None:
        t = self._file["t"]
        with suppress(OSError):  # the run goes on without
            xdmf.write(self.path, self._grid, t[: self._count], len(t), self._precision)

    def _flush_steps(self) -> None:
        """Move buffered steps to the file, /steps/t last."""
        rows = len(self._buffer["t"])
        if rows == 0:
            return
        file = self._file
        begin, end = self._step_count, self._step_count + rows
        if end > file["steps/t"].shape[0]:
            file = self._rewrite(file["t"].shape[0], 4 * end)
        table = file["steps"]
        for name in reversed(self._buffer):  # "t" is the first column
            if name == "t":
                file.flush()
            table[name][begin:end] = self._buffer[name]
        file.flush()
        self._step_count = end
        self._buffer = {name: [] for name in self._buffer}

    def _failing_as_store_error(self) -> AbstractContextManager[None]:
        return failing_as_store_error(self.path, lambda: self._size)


def _resize(datasets: Sequence[h5py.Dataset], rows: int) -> None:
    for dataset in datasets:
        if dataset.shape[0] != rows:
            dataset.resize(rows, axis=0)
