"""The file that a writer fills: it has room for rows to come, and is replaced by another when that is not enough.

**It opens at every moment, also after SIGKILL.**  It is built under another name, with room for all planned snapshots
filled with NaN, and renamed when it is whole.  From then on a snapshot only overwrites allocated bytes: no HDF5
metadata moves.  /t is written last, so a row counts once its t is a number; only the step count of VTK comes after it.

Growing in place is not safe (the chunk index reaches the disk before the end-of-file mark does), so a table that is
full is copied into a larger file, renamed likewise; shrinking in place is safe.  The old file format is used on
purpose: the newer one, SWMR included, marks a file that is being written, and after a kill only h5clear opens it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..errors import StoreError
from . import links, xdmf
from .empty_file import create, set_text
from .layout import FIXED_TEXT, Layout
from .replacing import LIBVER, MARGIN, build, failing_as_store_error

UNUSED = 0.25
"""Share of the rows written from which on unused ones are worth a copy that frees the disk."""


class Book:
    """An open HDF5 file of a given layout, and the .xdmf beside it.

    Where a method takes `kept` it means (snapshots, steps): the rows that are written.
    """

    def __init__(self, path: Path, layout: Layout) -> None:
        self.path, self.layout = path, layout
        self._open: h5py.File | None = None
        self._tables: dict[str, h5py.Dataset] = {}
        self._size = 0

    @property
    def file(self) -> h5py.File:
        if self._open is None:
            raise StoreError(f"{self.path} is closed: nothing can be added to a finished run.")
        return self._open

    @property
    def is_open(self) -> bool:
        return self._open is not None

    def open(self, mode: str) -> None:
        self._open = h5py.File(self.path, mode, libver=LIBVER, locking=False)
        self._tables = tables_of(self._open)

    def close(self) -> None:
        file, self._open, self._tables = self._open, None, {}
        if file is not None:
            file.close()

    def room(self, table: str) -> int:
        """Rows that a table has, written or not."""
        return int(self._table(table).shape[0])

    def _table(self, name: str) -> h5py.Dataset:
        return self._tables[name] if self.is_open else self.file[name]  # which says that it is closed

    def put(self, table: str, begin: int, values: Any) -> None:
        """Write rows begin, begin + 1, … of a table."""
        put(self._table(table), begin, values)

    def show_snapshots(self, begin: int, times: Sequence[float]) -> None:
        """Tell VTK and the .xdmf of snapshots begin, begin + 1, …, which are written."""
        links.set_steps(self.file, self._tables["t"][: begin + len(times)])
        with suppress(OSError):  # the run goes on without its .xdmf
            for k, t in enumerate(times, begin):
                xdmf.extend(self.path, self.layout.grid, k, t, self.room("t"), self.layout.precision)

    def write_xdmf(self, snapshots: int) -> None:
        """Write the .xdmf anew; where there is no room for it, one that may be torn goes."""
        t = self._tables["t"]
        try:
            xdmf.write(self.path, self.layout.grid, t[:snapshots], len(t), self.layout.precision)
        except OSError:
            with suppress(OSError):
                xdmf.path_of(self.path).unlink(missing_ok=True)

    def annotate(self, values: Mapping[str, Any]) -> None:
        """Overwrite attributes in place: numbers, and the texts that have room."""
        for name, value in values.items():
            if name in FIXED_TEXT:
                set_text(self.file, name, value)
            else:
                self.file.attrs.modify(name, value)
        self.file.flush()

    def rewrite(
        self, attributes: Mapping[str, Any], snapshots: int, steps: int, kept: tuple[int, int], packed: bool = False
    ) -> None:
        """Create the file, or replace it, with room for so many rows; what is written is kept."""
        self._take(self._build(attributes, snapshots, steps, kept, packed), kept)

    def _build(
        self, attributes: Mapping[str, Any], snapshots: int, steps: int, kept: tuple[int, int], packed: bool
    ) -> Path:
        def fill(new: h5py.File) -> None:
            create(new, self.layout, attributes, snapshots, steps, packed)
            if self._open is not None:
                copy(self._tables, tables_of(new), *kept)
                links.set_steps(new, new["t"][: kept[0]])

        self._size = MARGIN + self.layout.bytes_of(snapshots, steps)
        return build(self.path, fill, self._size)

    def _take(self, part: Path, kept: tuple[int, int]) -> None:
        self.close()
        os.replace(part, self.path)
        self.open("r+")
        self.write_xdmf(kept[0])

    def trim(self, attributes: Mapping[str, Any], kept: tuple[int, int], final: bool) -> None:
        """Leave the rows written and no others: in place, or by a copy where that frees much of the disk.

        final : whether the run is over, so that the file may be compressed; one that goes on has no time for it.
        """
        packed = final and self.layout.compression != "none"
        unused = self.layout.bytes_of(self.room("t") - kept[0], self.room("steps/t") - kept[1])
        if packed or unused > UNUSED * self.layout.bytes_of(kept[0], 0):
            try:
                part = self._build(attributes, *kept, kept, packed)
            except (OSError, RuntimeError):
                pass  # no room for a copy
            else:
                self._take(part, kept)
                return
        for name, table in (*self._tables.items(), ("steps/step", self.file["steps/step"])):
            rows = kept[1] if name.startswith("steps/") else kept[0]
            if table.shape[0] != rows:
                table.resize(rows, axis=0)
        self.write_xdmf(kept[0])

    def failing_as_store_error(self) -> AbstractContextManager[None]:
        """Turns what HDF5 and the system raise into StoreErrors."""
        return failing_as_store_error(self.path, lambda: self._size)


# ---- rows, written without the detours of h5py: a snapshot is some thirty small writes and a large one ----


def put(dataset: h5py.Dataset, begin: int, values: Any) -> None:
    """Write rows begin, begin + 1, …; values : (rows, …), of any type of number."""
    data = np.ascontiguousarray(values, dtype=float if dataset.dtype.kind == "f" else np.int64)
    if data.shape[0] == 0:
        return
    place = dataset.id.get_space()
    place.select_hyperslab((begin, *(0 for _ in data.shape[1:])), data.shape)
    dataset.id.write(h5py.h5s.create_simple(data.shape), place, data)


def tables_of(file: h5py.File) -> dict[str, h5py.Dataset]:
    """All that grows by rows, under the names "t", "rho", "diagnostics/NAME", "steps/NAME" and those of the fields."""
    names = ["t", "rho", *str(file.attrs.get("fields", "")).split()]
    for group in ("diagnostics", "steps"):
        names += [f"{group}/{name}" for name in str(file[group].attrs["order"]).split()]
    return {name: file[name] for name in names}


def copy(old: dict[str, h5py.Dataset], new: dict[str, h5py.Dataset], snapshots: int, steps: int) -> None:
    """Copy the first rows of every table; of densities and fields one at a time."""
    for name, table in new.items():
        count = steps if name.startswith("steps/") else snapshots
        if table.ndim == 1:
            put(table, 0, old[name][:count])
            continue
        for k in range(count):
            put(table, k, old[name][k : k + 1])
