"""The arrays of a file by name: columns of numbers, edges of cells, labels; what is none is refused by a sentence."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ...base.toml import shortened
from ...energy.snapshot import Label
from ...errors import StoreError
from ...grid import Array
from ..layout import STEP_COLUMNS
from .structure import plain_attribute

DAMAGED = "The file may be damaged; copy it again."


class Columns(dict[str, Array]):
    """Arrays by name; a name that is not there raises StoreError with those that are."""

    def __init__(self, path: Path, what: str, values: Mapping[str, Array]) -> None:
        super().__init__(values)
        self._path, self._what = path, what

    def __missing__(self, name: str) -> Array:
        near = difflib.get_close_matches(str(name), self, n=1)
        hint = f"did you mean {near[0]}?" if near else f"it holds {', '.join(self) or 'none'}."
        raise StoreError(f"{self._path} holds no {self._what} {shortened(str(name))}; {hint}")


def step_names(path: Path, file: h5py.File) -> list[str]:
    group = file["steps"]
    names = plain_attribute(path, group, "order", " ".join(column.name for column in STEP_COLUMNS))
    return [name for name in str(names).split() if name in group]


def column(path: Path, group: h5py.Group, name: str) -> Array:
    """A row of numbers along t or the steps."""
    data = group.get(name) if "/" not in name else None
    if not isinstance(data, h5py.Dataset) or data.ndim != 1 or data.dtype.kind not in "fi":
        raise StoreError(f"{path}: {shortened(name)} is no row of numbers. {DAMAGED}")
    return np.asarray(data[...])


def damaged(path: Path, what: str) -> StoreError:
    """The error of a file that is not whole.   what : is wrong with it, in words."""
    return StoreError(f"{path}: {shortened(what)}. {DAMAGED}")


def edges_of(path: Path, file: h5py.File, name: str) -> Array:
    """The cell edges of an axis."""
    cells, bounds = file[name], file.get(f"{name}_bnds")
    whole = isinstance(bounds, h5py.Dataset) and bounds.dtype.kind == "f" and bounds.shape == (*cells.shape, 2)
    found = np.append(bounds[:, 0], bounds[-1, 1]) if whole and cells.size else np.empty(0)
    if len(found) < 2 or not np.all(np.isfinite(found)) or not np.all(np.diff(found) > 0):
        raise StoreError(f"{path}: {name}_bnds holds no edges of cells, which increase. {DAMAGED}")
    return found


def radial_of(path: Path, axis: h5py.Dataset) -> int:
    found = plain_attribute(path, axis, "radial", 1)
    if found not in (1, 2, 3):
        raise StoreError(f"{path}: radial is 2 or 3, where it is; found {shortened(str(found))}. {DAMAGED}")
    return int(found)


def dimension_name(dim: Any) -> str:
    """The name of the scale that a dimension has."""
    return str(dim[0].name).rsplit("/", 1)[-1] if len(dim) else ""


def label_of(path: Path, dataset: h5py.Dataset) -> Label:
    name = dataset.name.rsplit("/", 1)[-1]
    return Label(name, *(str(plain_attribute(path, dataset, k)) for k in ("units", "long_name", "description")))
