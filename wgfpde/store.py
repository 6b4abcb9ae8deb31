"""Runs on disk: snapshots ↔ one HDF5 file that netCDF tools read too.  The only h5py import.

    output.h5
      /t /x /y /x_bnds /y_bnds      coordinates (dimension scales; /t unlimited) and cell edges
      /rho (t,x) or (t,y,x)         cell averages, one chunk per snapshot
      /diagnostics/NAME (t)         one number per snapshot
      /steps/NAME (steps/t)         one row per accepted step
      /case_toml /resolved_toml     the case as written and as understood

**The file opens at every moment, also after SIGKILL.**  It is built under another name, with room for all
planned snapshots filled with NaN, and renamed when it is whole.  From then on a snapshot only overwrites
allocated bytes: no HDF5 metadata changes.  /t is written last, so a row counts once its t is a number.
Growing in place is not safe (the chunk index reaches the disk before the end-of-file mark does), so a table
that is full is copied into a larger file, renamed likewise; shrinking in place is safe.  The old file format
is used on purpose: the newer one, SWMR included, marks a file that is being written, and after a kill only
h5clear opens it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import h5py
import numpy as np

from . import __version__
from .errors import StoreError
from .flow import Report, Snapshot
from .grid import Array, Axis, Grid

FORMAT = 1
FILE_NAME = "output.h5"
STATUS = ("running", "finished", "failed", "interrupted")
LIBVER = ("earliest", "v108")
TEXTS = {"case_toml": "the case as the user wrote it", "resolved_toml": "the case with all defaults, as run"}
STEP_BUFFER = 4096
CHUNK_ROWS = 1024
FIXED_TEXT = {"status": 16, "message": 2000}


class Quantity(Protocol):
    """What names a stored number: how it is called, its units, and a sentence on what it is."""

    @property
    def name(self) -> str: ...
    @property
    def units(self) -> str: ...
    @property
    def long_name(self) -> str: ...
    @property
    def description(self) -> str: ...


@dataclass(frozen=True)
class Label:
    """The plain Quantity."""

    name: str
    units: str
    long_name: str
    description: str


STEP_LABELS = (
    Label("t", "1", "time", "Time at the end of each accepted step; the start has no row."),
    Label("dt", "1", "step size", "Length of the step."),
    Label("iterations", "1", "iterations", "Newton (or outer first-order) iterations, summed over the step."),
    Label("residual", "1", "residual", "Largest relative residual left by a solve of the step."),
    Label("gap", "1", "primal-dual gap", "Relative primal minus dual value of a JKO step; else NaN."),
    Label("outer", "1", "interaction evaluations", "Evaluations of the convolution W*rho."),
    Label("repaired", "1", "repaired cells", "Cells touched by the flux correction that keeps rho >= 0."),
    Label("rejected", "1", "rejected attempts", "Attempts thrown away before this step was accepted."),
)
STEP_INTEGERS = ("iterations", "outer", "repaired", "rejected")


class Writer:
    """Writes one run.  A context manager; on leaving it through an exception the file is finished as failed.

    path : file to create; it must not exist.   grid : the grid of every snapshot.
    attributes : of the file, str, int or float; "title", "equation", "method" are expected.
    diagnostics : the numbers that `append` will be given.   snapshots : planned number, the start included.
    steps : planned number of steps, a hint (the table grows).
    texts : {"case_toml": …, "resolved_toml": …}.

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
    ) -> None:
        self.path = Path(path)
        self._count = 0
        self._step_count = 0
        self._buffer: dict[str, list[float]] = {label.name: [] for label in STEP_LABELS}
        self._open: h5py.File | None = None
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self._attributes: dict[str, Any] = {
            "Conventions": "CF-1.11", "format": FORMAT, "wgfpde_version": __version__, "created": now,
            **attributes, "status": "running", "message": "",
        }  # fmt: skip
        self._lay_out = partial(_create, grid=grid, diagnostics=diagnostics, texts=texts or {})
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
        row = {"t": t, "dt": dt} | {label.name: getattr(report, label.name) for label in STEP_LABELS[2:]}
        for name, value in row.items():
            self._buffer[name].append(value)
        if len(self._buffer["t"]) >= STEP_BUFFER:
            with self._failing_as_store_error():
                self._flush_steps()

    def annotate(self, **values: Any) -> None:
        """Overwrite in place attributes given at creation: numbers (wall_seconds, …), status or message."""
        self._attributes |= values
        with self._failing_as_store_error():
            for name, value in values.items():
                if name in FIXED_TEXT:
                    _set_text(self._file, name, value)
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
        unused = (rows - self._count) * row_bytes + (file["steps/t"].shape[0] - self._step_count) * 64
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
                f"cannot write {self.path}: {_plain(error)} Check that the folder is writable and the disk has room."
            ) from error


@dataclass(frozen=True)
class Run:
    """A run on disk, also one that is running or was killed.  Snapshots are read when asked for.

    path : the HDF5 file.   attributes : its attributes, as Python values.   t : (n,) times of the snapshots.
    edges : cell edges per axis, x first.   periodic : per axis, x first.   diagnostics : name → (n,) values.
    labels : name → Label, for diagnostics.
    """

    path: Path
    attributes: dict[str, Any]
    t: Array
    edges: tuple[Array, ...]
    periodic: tuple[bool, ...]
    diagnostics: dict[str, Array]
    labels: dict[str, Label] = field(repr=False)

    def __len__(self) -> int:
        return len(self.t)

    @property
    def folder(self) -> Path:
        return self.path.parent

    @property
    def dim(self) -> int:
        return len(self.edges)

    @property
    def centers(self) -> tuple[Array, ...]:
        """Cell centres per axis, x first."""
        return tuple(0.5 * (e[:-1] + e[1:]) for e in self.edges)

    @property
    def status(self) -> str:
        """How the run ended: "finished", "failed", "interrupted"; "running" also after a kill."""
        return str(self.attributes.get("status", "running"))

    @property
    def message(self) -> str:
        return str(self.attributes.get("message", ""))

    @property
    def title(self) -> str:
        return str(self.attributes.get("title", self.path.stem))

    def rho(self, k: int) -> Array:
        """Snapshot k (negative from the end), array (nx,) or (ny, nx), read from disk."""
        if not -len(self) <= k < len(self):
            raise StoreError(f"{self.path} holds {len(self)} snapshots; number {k} was asked for.")
        with _opened(self.path) as file:
            return np.asarray(file["rho"][k % len(self)])

    @cached_property
    def steps(self) -> dict[str, Array]:
        """One array per column of /steps: t, dt, iterations, residual, gap, outer, repaired, rejected."""
        with _opened(self.path) as file:
            columns = {name: dataset[...] for name, dataset in file["steps"].items()}
        count = _written(columns)
        return {label.name: columns[label.name][:count] for label in STEP_LABELS if label.name in columns}

    @cached_property
    def case_toml(self) -> str:
        return self._text("case_toml")

    @cached_property
    def resolved_toml(self) -> str:
        return self._text("resolved_toml")

    def _text(self, name: str) -> str:
        with _opened(self.path) as file:
            return file[name].asstr()[()] if name in file else ""


def read(path: str | os.PathLike[str]) -> Run:
    """Open a run folder or its HDF5 file.

    Raises StoreError for a missing, truncated, foreign or newer file.
    """
    file_path = _find(Path(path))
    with _opened(file_path) as file:
        attributes = {name: _python(value) for name, value in file.attrs.items()}
        _check_format(file_path, attributes)
        axes = [name for name in ("x", "y") if name in file]
        group = file["diagnostics"]
        columns = {name: group[name][...] for name in str(group.attrs["order"]).split()}
        count = min(_written({"t": file["t"][...]} | columns), file["rho"].shape[0])
        edges = tuple(np.append(file[f"{a}_bnds"][:, 0], file[f"{a}_bnds"][-1, 1]) for a in axes)
        return Run(
            path=file_path,
            attributes=attributes,
            t=file["t"][:count],
            edges=edges,
            periodic=tuple(_python(file[a].attrs["boundary"]) == "periodic" for a in axes),
            diagnostics={name: values[:count] for name, values in columns.items()},
            labels={name: _label(group[name]) for name in columns},
        )


def read_last(path: str | os.PathLike[str]) -> tuple[Array, tuple[Array, ...], float]:
    """(rho, cell edges per axis with x first, t) of the last snapshot of a run."""
    run = read(path)
    if len(run) == 0:
        raise StoreError(f"{run.path} holds no snapshot: the run stopped before its first one. Run it again.")
    return run.rho(-1), run.edges, float(run.t[-1])


# ---- layout ----------------------------------------------------------------------------------------------


def _create(
    file: h5py.File,
    *,
    grid: Grid,
    attributes: Mapping[str, Any],
    diagnostics: Sequence[Quantity],
    snapshots: int,
    steps: int,
    texts: Mapping[str, str],
) -> None:
    """Lay out the whole file; /rho last, so that what a short run does not use lies at the end."""
    _create_attributes(file, attributes)
    time = _grow_along(file, Label("t", "1", "time", "Time of each snapshot."), (), snapshots)
    time.attrs["axis"] = "T"
    time.make_scale("t")
    vertices = file.create_dataset("vertices", data=np.zeros(2))
    vertices.make_scale("This is a netCDF dimension but not a netCDF variable.         2")
    _describe(vertices, Label("vertices", "1", "lower and upper edge", "The two edges of a cell, in *_bnds."))
    for axis in grid.axes:
        _create_axis(file, axis, vertices)
    for name, text in texts.items():
        dataset = file.create_dataset(name, data=text, dtype=h5py.string_dtype("utf-8"))
        _describe(dataset, Label(name, "", TEXTS.get(name, name), "TOML text, a case file for `wgfpde run`."))
    group = file.create_group("diagnostics")
    group.attrs["description"] = "One number per snapshot; row k belongs to /t[k]."
    group.attrs["order"] = " ".join(quantity.name for quantity in diagnostics)
    for quantity in diagnostics:
        _grow_along(group, quantity, (), snapshots).dims[0].attach_scale(time)
    _create_steps(file.create_group("steps"), steps)
    density = Label("rho", "1", "density", "Cell averages of the density.")
    rho = _grow_along(file, density, grid.shape, snapshots)
    rho.attrs["cell_methods"] = "area: mean"
    rho.dims[0].attach_scale(time)
    for k, axis in enumerate(reversed(grid.axes)):
        rho.dims[k + 1].attach_scale(file[axis.name])


def _create_attributes(file: h5py.File, attributes: Mapping[str, Any]) -> None:
    for name, value in attributes.items():
        if name in FIXED_TEXT:
            file.attrs.create(name, b"", dtype=h5py.string_dtype("utf-8", FIXED_TEXT[name]))
            _set_text(file, name, value)
        else:
            file.attrs[name] = value


def _create_axis(file: h5py.File, axis: Axis, vertices: h5py.Dataset) -> None:
    name = axis.name
    centers = file.create_dataset(name, data=axis.centers)
    centers.make_scale(name)
    boundary = "periodic" if axis.periodic else "no-flux"
    _describe(centers, Label(name, "1", f"{name} coordinate", f"Cell centres; {boundary} boundary."))
    centers.attrs["axis"] = name.upper()
    centers.attrs["bounds"] = f"{name}_bnds"
    centers.attrs["boundary"] = boundary
    bounds = file.create_dataset(f"{name}_bnds", data=np.stack([axis.edges[:-1], axis.edges[1:]], axis=1))
    _describe(bounds, Label("", "1", f"cell edges in {name}", "Lower and upper edge of each cell."))
    bounds.dims[0].attach_scale(centers)
    bounds.dims[1].attach_scale(vertices)


def _create_steps(group: h5py.Group, steps: int) -> None:
    group.attrs["description"] = "One row per accepted step."
    for label in STEP_LABELS:
        dtype = np.int64 if label.name in STEP_INTEGERS else np.float64
        dataset = _grow_along(group, label, (), steps, dtype)
        if label.name == "t":
            dataset.make_scale("t")
        else:
            dataset.dims[0].attach_scale(group["t"])


def _grow_along(
    parent: h5py.Group, quantity: Quantity, shape: tuple[int, ...], rows: int, dtype: type = np.float64
) -> h5py.Dataset:
    """A dataset unlimited along its first axis; `rows` are allocated and filled now (NaN; integers: −1)."""
    creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    creation.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    dataset = parent.create_dataset(
        quantity.name,
        shape=(rows, *shape),
        maxshape=(None, *shape),
        chunks=(1, *shape) if shape else (min(max(rows, 64), CHUNK_ROWS),),
        dtype=dtype,
        fillvalue=np.nan if dtype is np.float64 else -1,
        dcpl=creation,
    )
    _describe(dataset, quantity)
    return dataset


def _describe(dataset: h5py.Dataset, quantity: Quantity) -> None:
    if quantity.units:
        dataset.attrs["units"] = quantity.units
    dataset.attrs["long_name"] = quantity.long_name
    dataset.attrs["description"] = quantity.description


def _label(dataset: h5py.Dataset) -> Label:
    name = dataset.name.rsplit("/", 1)[-1]
    units, long_name, text = (str(dataset.attrs.get(k, "")) for k in ("units", "long_name", "description"))
    return Label(name, units, long_name, text)


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


def _set_text(file: h5py.File, name: str, text: str) -> None:
    """Overwrite a fixed-length text attribute in place, cut to whole characters."""
    size = FIXED_TEXT[name]
    cut = text.encode()[:size].decode(errors="ignore")
    file.attrs.modify(name, np.array(cut.encode(), dtype=h5py.string_dtype("utf-8", size)))


# ---- reading ---------------------------------------------------------------------------------------------


def _find(path: Path) -> Path:
    file = path / FILE_NAME if path.is_dir() else path
    if file.is_file():
        return file
    if path.is_dir():
        raise StoreError(f"{path} holds no {FILE_NAME}: it is no run folder, or the run never began.")
    raise StoreError(f"{path} does not exist; give a run folder or its {FILE_NAME}.")


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    """The file, read-only; a file that HDF5 cannot read raises StoreError."""
    try:
        with h5py.File(path, "r", locking=False) as file:
            yield file
    except (OSError, RuntimeError, KeyError) as error:
        text = str(error)
        if "truncated" in text:
            raise StoreError(f"{path} is truncated: part of it was not copied. Copy it again.") from error
        if "signature not found" in text:
            raise StoreError(f"{path} is no HDF5 file; give a run folder or its {FILE_NAME}.") from error
        raise StoreError(f"cannot read {path}: {_plain(error)} It may be damaged; copy it again.") from error


def _check_format(path: Path, attributes: Mapping[str, Any]) -> None:
    if "wgfpde_version" not in attributes or not isinstance(attributes.get("format"), int):
        raise StoreError(f"{path} is an HDF5 file but no wgfpde run; give a run folder or its {FILE_NAME}.")
    if attributes["format"] > FORMAT:
        raise StoreError(
            f"{path} has format {attributes['format']}, written by wgfpde {attributes['wgfpde_version']}; "
            f"this version {__version__} reads formats up to {FORMAT}. Update wgfpde."
        )


def _written(columns: Mapping[str, Array]) -> int:
    """Rows that are whole: the shortest length, cut where the first t is not a number."""
    missing = np.isnan(columns["t"])
    rows = int(np.argmax(missing)) if missing.any() else len(missing)
    return min(rows, *(len(values) for values in columns.values()))


def _python(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value.item() if isinstance(value, np.generic) else value


def _plain(error: Exception) -> str:
    """The system's own words, where there are some, else the library's; ends in a full stop."""
    number = getattr(error, "errno", None)
    text = os.strerror(number) if number else str(error)
    return text.rstrip(".") + "."
