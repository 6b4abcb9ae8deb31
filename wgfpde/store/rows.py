"""Rows of tables, written without the detours of h5py: a snapshot is some thirty small writes and a large one."""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np


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
