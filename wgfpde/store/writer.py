"""Writing a run: snapshots and steps go into a file that opens at every moment."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
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
from .layout import FIXED_TEXT, FORMAT, STEP_COLUMNS, Quantity, create, in_words, set_text

STATUS = ("running", "finished", "failed", "interrupted")
LIBVER = ("earliest", "v108")
STEP_BUFFER = 4096


class Writer:
    """Writes one run.  A context manager; on leaving it through an exception the file is finished as failed.

    path : file to create; it must not exist.   grid : the grid of every snapshot.
    attributes : of the file, str, int or float; "title", "equation", "method" are expected.
    diagnostics : the numbers that `append` will be given.   snapshots : planned number, the start included.
    steps : planned number of steps, a hint (the table grows).
    texts : {"case_toml": …, "resolved_toml": …}.   columns : what the scheme adds to /steps, fields of its Report.

    Raises StoreError when the file exists or cannot be written.
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
    ) -> None:
        self.path = Path(path)
        self._count = 0
        self._step_count = 0
        columns = (*STEP_COLUMNS, *columns)
        self._buffer: dict[str, list[float]] = {column.name: [] for column in columns}
        self._open: h5py.File | None = None
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self._attributes: dict[str, Any] = {
            "Conventions": "CF-1.11", "format": FORMAT, "wgfpde_version": __version__, "created": now,
            **attributes, "status": "running", "message": "",
        }  # fmt: skip
        self._lay_out = partial(create, grid=grid, diagnostics=diagnostics, columns=columns, texts=texts or {})
        if self.path.exists():
            raise StoreError(f"{self.path} exists already; choose another folder or ask to overwrite it.")
        with self._failing_as_store_error():
            self._rewrite(max(snapshots, 1), max(steps, 1))

    @property
    def _file(self) -> h5py.File:
        if self._open is None:
            raise StoreError(f"{self.path} is closed: nothing can be added to a finished run.")
        return self._open

    @property
    def count(self) -> int:
        """Snapshots written so far."""
        return self._count

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
        self._count = k + 1

    def append_step(self, t: float, dt: float, report: Report) -> None:
        """Note an accepted step; it reaches the file with the next snapshot, or after STEP_BUFFER steps."""
        for name, values in self._buffer.items():
            values.append(t if name == "t" else dt if name == "dt" else getattr(report, name))
        if len(self._buffer["t"]) >= STEP_BUFFER:
            with self._failing_as_store_error():
                self._flush_steps()

    def annotate(self, **values: Any) -> None:
        """Overwrite in place attributes given at creation: numbers (wall_seconds, …), status or message."""
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
        rows, row_bytes = file["t"].shape[0], file["rho"].dtype.itemsize * int(np.prod(file["rho"].shape[1:]))
        unused_steps = file["steps/t"].shape[0] - self._step_count
        unused = (rows - self._count) * row_bytes + unused_steps * 8 * len(self._buffer)
        if unused > self._count * row_bytes // 4:
            try:
                self._rewrite(self._count, self._step_count)
                return
            except OSError:
                pass  # no room for a copy
        _resize([file["rho"], *file["diagnostics"].values(), file["t"]], self._count)
        _resize(list(file["steps"].values()), self._step_count)

    def _rewrite(self, snapshots: int, steps: int) -> h5py.File:
        """Replace the file by one with room for so many rows, keeping what is written."""
        part = self.path.with_name(self.path.name + ".part")
        with h5py.File(part, "w", libver=LIBVER, locking=False) as new:
            self._lay_out(new, attributes=self._attributes, snapshots=snapshots, steps=steps)
            if self._open is not None:
                _copy_rows(self._open, new, self._count, self._step_count)
        self.close()
        os.replace(part, self.path)
        self._open = h5py.File(self.path, "r+", libver=LIBVER, locking=False)
        return self._open

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

    @contextmanager
    def _failing_as_store_error(self) -> Iterator[None]:
        try:
            yield
        except (OSError, RuntimeError) as error:
            raise StoreError(
                f"cannot write {self.path}: {in_words(error)} Check that the folder is writable and the disk has room."
            ) from error


def _copy_rows(old: h5py.File, new: h5py.File, snapshots: int, steps: int) -> None:
    for k in range(snapshots):
        new["rho"][k] = old["rho"][k]
    for name in ["t", *(f"diagnostics/{name}" for name in old["diagnostics"])]:
        new[name][:snapshots] = old[name][:snapshots]
    for name, dataset in old["steps"].items():
        new["steps"][name][:steps] = dataset[:steps]


def _resize(datasets: Sequence[h5py.Dataset], rows: int) -> None:
    for dataset in datasets:
        if dataset.shape[0] != rows:
            dataset.resize(rows, axis=0)
