"""An empty file with room for a run, laid out as `layout` says, with the attributes that explain it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import h5py
import numpy as np

from ..energy.snapshot import Column, Field, Label
from ..errors import StoreError
from ..grid import Axis
from . import links
from .kept_code import create_code
from .layout import FIXED_TEXT, NO_VARIABLE, TEXTS, Layout

CHUNK_ROWS = 1024


def create(
    file: h5py.File, layout: Layout, attributes: Mapping[str, Any], snapshots: int, steps: int, packed: bool = False
) -> None:
    """Lay out the whole file; /rho last, so that what a short run does not use lies at the end.

    packed : compress /rho and the tables.  Such a file is written once: its chunks move as they are filled.
    """
    grid = layout.grid
    _create_attributes(file, attributes)
    time = _grow_along(file, Label("t", "1", "time", "Time of each snapshot."), (snapshots,))
    time.attrs["axis"] = "T"
    time.make_scale("t")
    vertices = create_vertices(file)
    for axis in grid.axes:
        create_axis(file, axis, vertices)
    for name, text in layout.texts.items():
        dataset = file.create_dataset(name, data=text, dtype=h5py.string_dtype("utf-8"))
        describe(dataset, Label(name, "", TEXTS.get(name, name), "TOML text, a case file for `wgfpde run`."))
    _create_constants(file, layout)
    create_code(file, layout.code)
    group = file.create_group("diagnostics")
    group.attrs["description"] = "One number per snapshot; row k belongs to /t[k]."
    group.attrs["order"] = " ".join(quantity.name for quantity in layout.diagnostics)
    for quantity in layout.diagnostics:
        _grow_along(group, quantity, (snapshots,), packed=packed).dims[0].attach_scale(time)
    _create_steps(file.create_group("steps"), layout.step_columns, steps, packed)
    file.attrs["fields"] = " ".join(field.name for field in layout.fields)
    for field in layout.fields:
        _create_field(file, layout, field, snapshots, packed)
    density = Label("rho", "1", "density", "Cell averages of the density.")
    rho = _grow_along(file, density, (snapshots, *grid.shape), layout.precision, packed)
    rho.attrs["cell_methods"] = "area: mean"
    attach_scales(rho, file, ["t", *(axis.name for axis in reversed(grid.axes))])
    links.add(file, grid, snapshots)


def _create_constants(file: h5py.File, layout: Layout) -> None:
    """What does not change, along the cells."""
    for label, values in layout.constants:
        dataset = file.create_dataset(label.name, data=values)
        describe(dataset, label)
        attach_scales(dataset, file, [axis.name for axis in reversed(layout.grid.axes)])
    if layout.constants:
        file.attrs["constants"] = " ".join(label.name for label, _ in layout.constants)


def attach_scales(dataset: h5py.Dataset, file: h5py.File, names: Sequence[str]) -> None:
    """Say along which dimensions of the file a dataset runs."""
    for k, name in enumerate(names):
        dataset.dims[k].attach_scale(file[name])


def _create_field(file: h5py.File, layout: Layout, field: Field, snapshots: int, packed: bool) -> None:
    """A field along t and the cells, or along dimensions of its own, which hold no values."""
    create_dimensions(file, field.dims)
    dataset = _grow_along(file, field, (snapshots, *layout.shape_of(field)), layout.precision, packed)
    names = [name for name, _ in field.dims] or [axis.name for axis in reversed(layout.grid.axes)]
    attach_scales(dataset, file, ["t", *names])


def create_dimensions(file: h5py.File, dims: Sequence[tuple[str, int]]) -> None:
    """Dimensions that netCDF shows without values, those that are not there yet.  Raises StoreError for two sizes."""
    for name, size in dims:
        if name not in file:
            scale = file.create_dataset(name, (size,), "f4")
            scale.make_scale(f"{NO_VARIABLE}{size:10d}")
            describe(scale, Label(name, "", name, "A dimension of fields; it holds no values."))
        elif file[name].shape != (size,):
            held = file[name].shape[0]
            raise StoreError(f"the dimension {name} has {held} places for one field and {size} for another.")


def _create_attributes(file: h5py.File, attributes: Mapping[str, Any]) -> None:
    for name, value in attributes.items():
        if name in FIXED_TEXT:
            file.attrs.create(name, b"", dtype=h5py.string_dtype("utf-8", FIXED_TEXT[name]))
            set_text(file, name, value)
        else:
            file.attrs[name] = value


def create_vertices(file: h5py.File) -> h5py.Dataset:
    """The dimension of the two edges of a cell."""
    vertices = file.create_dataset("vertices", data=np.zeros(2))
    vertices.make_scale(f"{NO_VARIABLE}{2:10d}")
    describe(vertices, Label("vertices", "1", "lower and upper edge", "The two edges of a cell, in *_bnds."))
    return vertices


def create_axis(file: h5py.File, axis: Axis, vertices: h5py.Dataset) -> None:
    """The cell centres of an axis, a dimension, and its cell edges."""
    name = axis.name
    centers = file.create_dataset(name, data=axis.centers)
    centers.make_scale(name)
    boundary = str(axis.boundary)
    describe(centers, Label(name, "1", f"{name} coordinate", f"Cell centres; {boundary} boundary."))
    centers.attrs["axis"] = name.upper()
    centers.attrs["bounds"] = f"{name}_bnds"
    centers.attrs["boundary"] = boundary
    if axis.radial > 1:
        centers.attrs["radial"] = axis.radial
    bounds = file.create_dataset(f"{name}_bnds", data=np.stack([axis.edges[:-1], axis.edges[1:]], axis=1))
    describe(bounds, Label("", "1", f"cell edges in {name}", "Lower and upper edge of each cell."))
    bounds.dims[0].attach_scale(centers)
    bounds.dims[1].attach_scale(vertices)


def _create_steps(group: h5py.Group, columns: Sequence[Column], steps: int, packed: bool) -> None:
    """The table of steps, along a dimension of its own: "t" is that of the snapshots, which have another length."""
    group.attrs["description"] = "One row per accepted step."
    group.attrs["order"] = " ".join(column.name for column in columns)
    step = group.create_dataset("step", (steps,), "f4", maxshape=(None,), chunks=_chunk((steps,)))
    step.make_scale(f"{NO_VARIABLE}{steps:10d}")
    describe(step, Label("step", "1", "step number", "The dimension of the table; it holds no values."))
    for column in columns:
        dataset = _grow_along(group, column, (steps,), "int64" if column.integer else "float64", packed)
        dataset.dims[0].attach_scale(step)
        if column.name != "t":
            dataset.attrs["coordinates"] = "t"


def _chunk(shape: tuple[int, ...]) -> tuple[int, ...]:
    """One snapshot a chunk; numbers in longer runs."""
    return (1, *shape[1:]) if shape[1:] else (min(max(shape[0], 64), CHUNK_ROWS),)


def _grow_along(
    parent: h5py.Group, quantity: Label, shape: tuple[int, ...], dtype: str = "float64", packed: bool = False
) -> h5py.Dataset:
    """A dataset unlimited along its first axis; all rows are allocated and filled now (NaN; integers: −1)."""
    creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    if not packed:
        creation.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    dataset = parent.create_dataset(
        quantity.name,
        shape=shape,
        maxshape=(None, *shape[1:]),
        chunks=_chunk(shape),
        dtype=dtype,
        fillvalue=-1 if np.dtype(dtype).kind == "i" else np.nan,
        dcpl=creation,
        **({"compression": "gzip", "shuffle": True} if packed else {}),
    )
    describe(dataset, quantity)
    return dataset


def describe(dataset: h5py.Dataset, quantity: Label) -> None:
    """Write the attributes that explain a dataset."""
    if quantity.units:
        dataset.attrs["units"] = quantity.units
    dataset.attrs["long_name"] = quantity.long_name
    dataset.attrs["description"] = quantity.description


def set_text(file: h5py.File, name: str, text: str) -> None:
    """Overwrite a fixed-length text attribute in place, cut to whole characters."""
    size = FIXED_TEXT[name]
    cut = text.encode()[:size].decode(errors="ignore")
    file.attrs.modify(name, np.array(cut.encode(), dtype=h5py.string_dtype("utf-8", size)))
