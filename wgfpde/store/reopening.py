"""Continuing a file: whether it can be, and whether in place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..base.toml import shortened
from ..errors import StoreError
from . import links
from .layout import FIXED_TEXT, Layout
from .reading.opening import fields_of, python_value, written


def check(path: Path, file: h5py.File, layout: Layout, rows: int, steps: int) -> None:
    """Raise StoreError unless the file holds so many rows of the same numbers on the same grid."""
    grid = layout.grid
    names = {
        "diagnostics": [quantity.name for quantity in layout.diagnostics],
        "steps": [column.name for column in layout.step_columns],
    }
    for axis in grid.axes:
        if axis.name not in file or not np.array_equal(file[axis.name][...], axis.centers):
            raise StoreError(f"{path} cannot be continued: its cells along {axis.name} are others. Run the case anew.")
    if len(file["rho"].shape) != 1 + grid.dim:
        raise StoreError(f"{path} cannot be continued: its grid has {len(file['rho'].shape) - 1} axes, not {grid.dim}.")
    for group, expected in names.items():
        found = str(file[group].attrs.get("order", "")).split()
        if found != expected:
            raise StoreError(
                f"{path} cannot be continued: /{group} holds {' '.join(found)}; expected {' '.join(expected)}. "
                "Run the case anew."
            )
    found, expected = str(file.attrs.get("fields", "")).split(), [field.name for field in layout.fields]
    if found != expected:
        raise StoreError(
            f"{path} cannot be continued: beside rho it holds {shortened(' '.join(found)) or 'nothing'}; expected "
            f"{' '.join(expected) or 'nothing'}. Run the case anew."
        )
    for field, dataset in zip(layout.fields, fields_of(path, file, rows).values(), strict=True):
        if dataset.shape[1:] != layout.shape_of(field):
            raise StoreError(f"{path} cannot be continued: its {field.name} has another shape. Run the case anew.")
    held = {"snapshots": _rows(file, "diagnostics", file["t"]), "steps": _rows(file, "steps", file["steps/t"])}
    held["snapshots"] = min(held["snapshots"], *(file[name].shape[0] for name in ("rho", *expected)))
    for what, asked in (("snapshots", rows), ("steps", steps)):
        if held[what] < asked:
            raise StoreError(
                f"{path} holds {held[what]} {what}, fewer than the {asked} to continue from: it is not the file "
                "that the checkpoint belongs to. Run the case anew."
            )


def _rows(file: h5py.File, group: str, t: h5py.Dataset) -> int:
    names = str(file[group].attrs["order"]).split()
    return written({"t": t[...]} | {name: file[group][name] for name in names})


def has_room(file: h5py.File, layout: Layout, attributes: Mapping[str, Any], snapshots: int) -> bool:
    """Whether the file can be continued without a change of its metadata: same layout, rows enough, same texts."""
    rho = file["rho"]
    if rho.dtype != layout.precision or rho.compression is not None or "entry" not in file:
        return False  # the last: a file of an earlier layout
    if min(rho.shape[0], file["t"].shape[0]) < snapshots:
        return False
    if any(label.name not in file for label, _ in layout.constants):
        return False
    if any(name not in file or file[name].asstr()[()] != text for name, text in layout.texts.items()):
        return False
    old = {name: python_value(value) for name, value in file.attrs.items()}
    small = in_place(attributes)
    return set(attributes) <= set(old) and all(
        type(value) is type(old[name]) if name in small else value == old[name] for name, value in attributes.items()
    )


def in_place(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes that can be overwritten without a change of metadata: all but texts of any length."""
    return {name: value for name, value in attributes.items() if name in FIXED_TEXT or not isinstance(value, str)}


def cut(file: h5py.File, rows: int, steps: int) -> None:
    """Mark all later rows as not written, in place; snapshots first, so that none is ever without its steps."""
    links.set_steps(file, file["t"][:rows])
    for t, count in ((file["t"], rows), (file["steps/t"], steps)):
        t[count:] = np.nan
        file.flush()
