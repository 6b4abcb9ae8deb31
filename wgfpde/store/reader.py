"""Reading a run, also one that is running or was killed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from .. import __version__
from ..errors import StoreError
from ..grid import Array
from .layout import FILE_NAME, FORMAT, STEP_LABELS, Label, in_words


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


def _label(dataset: h5py.Dataset) -> Label:
    name = dataset.name.rsplit("/", 1)[-1]
    units, long_name, text = (str(dataset.attrs.get(k, "")) for k in ("units", "long_name", "description"))
    return Label(name, units, long_name, text)


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
        raise StoreError(f"cannot read {path}: {in_words(error)} It may be damaged; copy it again.") from error


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
