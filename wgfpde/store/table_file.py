"""Tables in files of every kind: text, .npy, HDF5 and netCDF, by the ending of the name.

    .csv .dat .txt and others    text (`grid.text_columns`), PLUMED's grids included
    .npy                         an array ordered (y, x) on a box: the values at the centres of equal cells, or from end
                                 to end
    .h5 .hdf5 .nc .nc4           a dataset with a scale for each dimension, as netCDF-4 and xarray write it
    .nc                          also netCDF-3

Files are hostile: what is large is refused by what the header says, before it is read; links, external storage and
virtual datasets, which lead to other files, are not followed; nothing is unpickled.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np

from ..errors import CaseError, StoreError
from ..grid import Array
from ..grid.axis import AXIS_NAMES
from ..grid.tables.array_file import check_size, existing_file, npy_array, opened_binary, read_bytes
from ..grid.tables.table import MOST_VALUES, Table, table_in_text, table_of
from ..grid.text_columns import MOST_BYTES, read_columns
from .reading.heaps import check_heaps
from .reading.opening import opened, python_value
from .reading.structure import check_attributes, check_scales

Points = Literal["centres", "ends"]
HDF5 = (".h5", ".hdf5", ".nc", ".nc4", ".he5")
_MAGIC = b"\x89HDF\r\n\x1a\n"
MOST_NAMES = 50
"""Datasets that are looked at where none is named."""


def read_table(
    path: Path,
    dim: int,
    column: str | None = None,
    dataset: str | None = None,
    bounds: tuple[Sequence[float], Sequence[float]] | None = None,
    points: Points = "centres",
    first: Sequence[str] = AXIS_NAMES,
) -> Table:
    """The table in a file.

    dim : coordinates that it has to have.   column : of a text file, the values.   dataset : of HDF5 and netCDF.
    bounds : lower and upper, x first, of a .npy array.   points : where its values lie.
    first : as for `table_in_text`.
    Raises CaseError for what is no table, is too large, or leads out of the file.
    """
    file = existing_file(path, "a table", "the name")
    ending = file.suffix.lower()
    if column is not None and (ending == ".npy" or ending in HDF5):
        raise CaseError(f"column: {file.name} has none; column names one of a text file (of HDF5 say dataset = …)")
    if dataset is not None and ending not in HDF5:
        raise CaseError(f"dataset: {file.name} has none; dataset names one of an HDF5 or netCDF file")
    if bounds is not None and ending != ".npy":
        raise CaseError(f"lower, upper: the places are in {file.name}; bounds are for .npy arrays, which have none")
    if points != "centres" and ending != ".npy":
        raise CaseError(f"points: the places are in {file.name}; points is of .npy arrays, which have none; remove it")
    if ending == ".npy":
        return _from_npy(file, dim, bounds, points)
    if ending in HDF5:
        with opened_binary(file) as stream:
            begin = stream.read(8)
        if begin[:3] == b"CDF":
            return _from_classic(file, dim, dataset)
        if begin != _MAGIC:
            raise CaseError(f"{file} is neither HDF5 nor netCDF, as its name says. Give a text file another ending.")
        return _from_hdf5(file, dim, dataset)
    columns = read_columns(file, read_bytes(file, MOST_BYTES), "value", holes=True)
    return table_in_text(columns, dim, file.name, column, first)


# ---- arrays on a box ---------------------------------------------------------------------------------------


def _from_npy(file: Path, dim: int, bounds: tuple[Sequence[float], Sequence[float]] | None, points: Points) -> Table:
    values = npy_array(file)
    if values.dtype.kind not in "buif" or values.ndim != dim:
        raise CaseError(
            f"{file} must hold real numbers along {dim} axes; found {values.dtype} of shape {values.shape}."
        )
    check_size(file, values.size)
    if bounds is None or len(bounds[0]) != dim or len(bounds[1]) != dim:
        raise CaseError(f"lower, upper: {file.name} does not say where its values lie; give {dim} of each, x first")
    places = []
    for name, n, low, high in zip(AXIS_NAMES, reversed(values.shape), *bounds, strict=False):
        if not (math.isfinite(high - low) and low < high):
            raise CaseError(f"lower, upper: expected lower < upper along {name}, found {low:g} and {high:g}")
        inset = 0.5 * (high - low) / max(n, 1) if points == "centres" else 0.0
        places.append(np.linspace(low + inset, high - inset, n))
    return table_of(places, np.array(values, dtype=float), file.name)


# ---- HDF5 and netCDF ---------------------------------------------------------------------------------------


def _from_hdf5(file: Path, dim: int, name: str | None) -> Table:
    try:
        check_heaps(file)
        with opened(file, checked=True) as store:
            dataset = _named(file, store, name, dim)
            values = _read(file, dataset)
            axes = [_scale(file, store, dataset, k) for k in range(dim)]
    except StoreError as error:
        raise CaseError(str(error)) from None
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError) as error:  # a damaged file
        raise CaseError(f"{file} cannot be read: {str(error).rstrip('.')}. It may be damaged; copy it again.") from None
    return _oriented(file, values, axes)


def _named(file: Path, store: h5py.File, name: str | None, dim: int) -> h5py.Dataset:
    """The dataset of that name, else the only one of so many dimensions that is no scale."""
    if name is not None:
        found = _at(store, name)
        if found is None:
            raise CaseError(f"{file} holds no dataset {name!r} of its own (links to elsewhere are not followed).")
        if not isinstance(found, h5py.Dataset):
            raise CaseError(f"{file}: {name!r} is no dataset.")
        if found.ndim != dim:
            raise CaseError(f"{file}: {name} has {found.ndim} dimensions, and the grid {dim}.")
        return found
    items = [item for key in list(store)[:MOST_NAMES] if isinstance(item := _at(store, key), h5py.Dataset)]
    bounds = {str(python_value(item.attrs.get("bounds", ""))) for item in items}
    known = [item for item in items if item.ndim == dim and item.dtype.kind in "fiu" and not item.is_scale]
    known = [item for item in known if str(item.name).strip("/") not in bounds]
    if len(known) != 1:
        names = ", ".join(str(item.name).strip("/") for item in known[:8]) or "none"
        raise CaseError(f"{file} holds {len(known)} datasets of {dim} dimensions ({names}); say which by dataset = …")
    return known[0]


def _at(store: h5py.File, path: str) -> Any:
    """What a path names, along hard links alone; None where there is nothing, or a link leads away.

    Raises StoreError for a dataset whose dimensions the library cannot be asked for.
    """
    here: Any = store
    for part in [part for part in path.split("/") if part]:
        if not isinstance(here, h5py.Group) or not isinstance(here.get(part, getlink=True), h5py.HardLink):
            return None
        here = here[part]
    if isinstance(here, h5py.Dataset):
        check_attributes(Path(store.filename), path, here, (*_PACKING, "bounds"))
        check_scales(Path(store.filename), path, here)
    return here


def _read(file: Path, dataset: h5py.Dataset) -> Array:
    """Its values, NaN where it has _FillValue or missing_value."""
    name = str(dataset.name).strip("/")
    if dataset.dtype.kind not in "fiu":
        raise CaseError(f"{file}: {name} must hold real numbers; found {dataset.dtype}.")
    if dataset.is_virtual or dataset.external:
        raise CaseError(f"{file}: {name} lies in other files, which are not read; copy the data into one.")
    most = max(dataset.size, math.prod(dataset.chunks or (0,)))
    if most > MOST_VALUES:
        raise CaseError(f"{file}: {name} has {most} values; at most {MOST_VALUES} are taken. Average it.")
    attributes = {key: dataset.attrs[key] for key in _PACKING if key in dataset.attrs}
    return _unpacked(np.array(dataset[...]), attributes)


_PACKING = ("_FillValue", "missing_value", "scale_factor", "add_offset")


def _unpacked(values: Array, attributes: dict[str, Any]) -> Array:
    """As netCDF's conventions say: what is missing, then scale and offset."""
    out = values.astype(float)
    for key in ("_FillValue", "missing_value"):
        if key in attributes:
            out[np.isin(values, np.ravel(attributes[key]))] = np.nan
    scale, offset = (float(np.ravel(attributes.get(key, default))[0]) for key, default in
                     (("scale_factor", 1.0), ("add_offset", 0.0)))  # fmt: skip
    return out if scale == 1.0 and offset == 0.0 else out * scale + offset


def _scale(file: Path, store: h5py.File, dataset: h5py.Dataset, k: int) -> tuple[str, Array]:
    """Name and places of a dimension: its scale, else the dataset that its label names."""
    dim = dataset.dims[k]
    scale = dim[0] if len(dim) else _at(store, dim.label) if dim.label else None
    if not isinstance(scale, h5py.Dataset) or scale.shape != (dataset.shape[k],):
        name = str(dataset.name).strip("/")
        raise CaseError(
            f"{file}: dimension {k} of {name} has no scale that says where its values lie. Attach one, as netCDF and "
            "xarray do, or write x, y and the value as columns of text."
        )
    return str(scale.name).rsplit("/", 1)[-1], _read(file, scale)


def _from_classic(file: Path, dim: int, name: str | None) -> Table:
    """netCDF-3, read from memory."""
    from scipy.io import netcdf_file

    try:
        with netcdf_file(io.BytesIO(read_bytes(file, MOST_BYTES)), mmap=False) as store:
            names = [key for key in store.variables if key not in store.dimensions]
            held = {key: store.variables[key] for key in names if len(store.variables[key].dimensions) == dim}
            if (name is None and len(held) != 1) or (name is not None and name not in held):
                asked = f"no dataset {name!r}" if name is not None else f"{len(held)} datasets"
                raise CaseError(
                    f"{file} holds {asked} of {dim} dimensions ({', '.join(held) or 'none'}); say which by dataset = …"
                )
            variable = held[name or next(iter(held))]
            check_size(file, math.prod(variable.shape))
            attributes = {key: getattr(variable, key) for key in _PACKING if hasattr(variable, key)}
            values = _unpacked(np.array(variable[...]), attributes)
            if missing := [key for key in variable.dimensions if key not in store.variables]:
                raise CaseError(f"{file}: dimension {missing[0]} has no values that say where it lies.")
            axes = [(key, np.array(store.variables[key][...], dtype=float)) for key in variable.dimensions]
    except CaseError:
        raise
    except Exception as error:  # a damaged header raises whatever its bytes lead to
        raise CaseError(f"{file} cannot be read as netCDF-3: {type(error).__name__}: {error}.") from None
    return _oriented(file, values, axes)


def _oriented(file: Path, values: Array, axes: list[tuple[str, Array]]) -> Table:
    """Dimensions named x and y by their names, others in the order (y, x)."""
    if [name for name, _ in axes] == list(AXIS_NAMES):
        values, axes = values.T, axes[::-1]
    names, places = zip(*reversed(axes), strict=True)
    return table_of(places, values, file.name, names)
