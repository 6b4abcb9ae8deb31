"""A run as one flat netCDF-4 file, for tools that know no groups."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ...energy.snapshot import Label
from ...grid.axis import AXIS_NAMES, Axis
from ..empty_file import attach_scales, create_axis, create_dimensions, create_vertices, describe
from ..layout import NO_VARIABLE
from ..reading.opening import opened
from ..reading.reader import Run
from ..replacing import LIBVER
from .targets import Counted, check, written

NOT_COPIED = {"NX_class", "default", "format"}
"""Attributes that speak of the groups and the layout of the run's own file."""


def netcdf(
    run: Run, target: Path, snapshots: Sequence[int] | None = None, overwrite: bool = False, progress: Counted = None
) -> list[Path]:
    """Write one netCDF-4 file: rho(t, y, x), x_bnds, y_bnds, what is stored beside rho, each diagnostic along t, each
    column of the steps along step as step_NAME, the case texts, the attributes.

    snapshots : None for all.   Densities keep the type and the compression they are stored with.
    Raises StoreError where the file exists already or cannot be written, or the run holds no snapshot.
    """
    run.find()
    chosen = list(range(len(run))) if snapshots is None else [run.find(index=k) for k in snapshots]
    check(run, [target], overwrite)
    with written(target) as part, h5py.File(part, "w", libver=LIBVER, locking=False) as file:
        for name, value in run.attributes.items():
            if name not in NOT_COPIED:
                file.attrs[name] = value
        _add_tables(run, file, chosen)
        for name, values in run.constants.items():
            attach_scales(_variable(file, run.constant_labels[name], values), file, AXIS_NAMES[: run.dim][::-1])
        with opened(run.path, checked=True) as source:
            _add_fields(run, source, file, chosen, progress)
    return [target]


def _add_tables(run: Run, file: h5py.File, chosen: Sequence[int]) -> None:
    time = _variable(file, Label("t", "1", "time", "Time of each snapshot."), run.t[chosen])
    time.attrs["axis"] = "T"
    time.make_scale("t")
    vertices = create_vertices(file)
    for name, edges, boundary in zip(AXIS_NAMES, run.edges, run.boundary, strict=False):
        create_axis(file, Axis(name, edges, boundary, uniform=False), vertices)
    for label in run.labels.values():
        _variable(file, label, run.diagnostics[label.name][chosen]).dims[0].attach_scale(time)
    count = len(run.steps["t"])
    step = file.create_dataset("step", (count,), "f4")
    step.make_scale(f"{NO_VARIABLE}{count:10d}")
    for name, values in run.steps.items():
        label = run.step_labels[name]
        renamed = Label(f"step_{name}", label.units, f"{label.long_name} of each step", label.description)
        _variable(file, renamed, values).dims[0].attach_scale(step)
    for name, text in (("case_toml", run.case_toml), ("resolved_toml", run.resolved_toml)):
        _variable(file, Label(name, "", name, "TOML text of the case."), text, h5py.string_dtype("utf-8"))


def _add_fields(run: Run, source: h5py.File, file: h5py.File, chosen: Sequence[int], progress: Counted) -> None:
    """The density and what is stored beside it, a snapshot at a time."""
    dims = {**run.field_dims, "rho": ("t", *reversed(AXIS_NAMES[: run.dim]))}
    labels = {**run.field_labels, "rho": Label("rho", "1", "density", "Cell averages of the density.")}
    new = {}
    for name, label in labels.items():
        old, shape = source[name], source[name].shape[1:]
        packing = {"compression": old.compression, "shuffle": old.shuffle}
        create_dimensions(file, [pair for pair in zip(dims[name][1:], shape, strict=True) if pair[0] not in AXIS_NAMES])
        new[name] = file.create_dataset(name, (len(chosen), *shape), old.dtype, chunks=(1, *shape), **packing)
        describe(new[name], label)
        attach_scales(new[name], file, dims[name])
    new["rho"].attrs["cell_methods"] = "area: mean"
    for done, k in enumerate(chosen):
        for name, dataset in new.items():
            dataset[done] = source[name][k]
        if progress is not None:
            progress(done + 1, len(chosen))


def _variable(file: h5py.File, label: Label, values: Any, dtype: np.dtype | None = None) -> h5py.Dataset:
    dataset = file.create_dataset(label.name, data=values, dtype=dtype)
    describe(dataset, label)
    return dataset
