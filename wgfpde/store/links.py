"""The same data under the names that ParaView (VTKHDF) and h5web or silx (NeXus) look for.

    /VTKHDF                       uniform grids: an image in time; CellData/rho is a hard link to /rho
      Steps @NSteps, Values       the times again, as many as there are snapshots
    /entry/density                NXdata, the default plot: hard links to /rho and its axes

VTK copies the whole of Steps/Values into an array of NSteps numbers, and h5netcdf takes the name of a dimension from
the first path to its scale, so Values is no link to /t, which is longer while a run goes on, but a table of its own.
Its one chunk is allocated at creation: it grows without new metadata.  NSteps goes ahead of it, never behind.
With fewer than two snapshots VTK would read the file as one without time, and wrongly: @Type is no type until then.
"""

from __future__ import annotations

from collections.abc import Sequence

import h5py
import numpy as np

from ..grid import Grid

VERSION = (2, 0)
"""The version of VTKHDF that has time."""
IMAGE, TOO_SHORT = "ImageData", "too short"


def add(file: h5py.File, grid: Grid, snapshots: int) -> None:
    """Add both groups to a file that holds /rho and its axes, with room for so many times."""
    _add_nexus(file, grid)
    if grid.uniform:
        _add_vtk(file, grid, snapshots)


def _add_nexus(file: h5py.File, grid: Grid) -> None:
    axes = ["t", *(axis.name for axis in reversed(grid.axes))]
    file.attrs["NX_class"], file.attrs["default"] = "NXroot", "entry"
    entry = file.create_group("entry")
    entry.attrs["NX_class"], entry.attrs["default"] = "NXentry", "density"
    data = entry.create_group("density")
    data.attrs["NX_class"], data.attrs["signal"], data.attrs["axes"] = "NXdata", "rho", axes
    for k, name in enumerate(axes):
        data.attrs[f"{name}_indices"] = k
        data[name] = file[name]
    data["rho"] = file["rho"]


def _add_vtk(file: h5py.File, grid: Grid, snapshots: int) -> None:
    group = file.create_group("VTKHDF")
    group.attrs["Version"] = np.array(VERSION, dtype=np.int64)
    group.attrs.create("Type", TOO_SHORT.encode(), dtype=h5py.string_dtype("ascii", len(TOO_SHORT)))
    missing = 3 - grid.dim
    group.attrs["WholeExtent"] = np.array([n for axis in grid.axes for n in (0, axis.size)] + [0, 0] * missing)
    group.attrs["Origin"] = np.array([axis.lower for axis in grid.axes] + [0.0] * missing)
    group.attrs["Spacing"] = np.array([axis.length / axis.size for axis in grid.axes] + [1.0] * missing)
    group.attrs["Direction"] = np.eye(3).ravel()
    group.create_group("CellData")["rho"] = file["rho"]
    steps = group.create_group("Steps")
    steps.attrs["NSteps"] = 0
    creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    creation.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    values = steps.create_dataset(
        "Values", (1,), float, maxshape=(None,), chunks=(max(snapshots, 2),), fillvalue=np.nan, dcpl=creation
    )
    values.attrs["units"], values.attrs["long_name"] = "1", "time"
    values.attrs["description"] = "Time of each snapshot, for VTK."
    values.make_scale("Values")


def set_steps(file: h5py.File, times: Sequence[float] | np.ndarray) -> None:
    """Tell VTK of the times of all snapshots; each change reaches the file before the next."""
    if "VTKHDF" not in file:
        return
    group = file["VTKHDF"]
    steps, count = group["Steps"], len(times)
    values = steps["Values"]
    if count < 2:
        _set_type(group, TOO_SHORT)
    if len(values) > max(count, 1):
        values.resize(max(count, 1), axis=0)
        file.flush()
    steps.attrs.modify("NSteps", count)
    if len(values) < count:
        file.flush()
        begin = len(values) if len(values) > 1 else 0
        values.resize(count, axis=0)
        values[begin:] = times[begin:]
    elif count == 1:
        values[0] = times[0]
    file.flush()
    if count >= 2:
        _set_type(group, IMAGE)


def _set_type(group: h5py.Group, name: str) -> None:
    if group.attrs["Type"] != name.encode():
        group.attrs.modify("Type", np.bytes_(name.encode()))
        group.file.flush()
