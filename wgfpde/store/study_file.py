"""Results that are no run — spectra, orders, branches — as one HDF5 file of labelled arrays, readable as netCDF.

A variable whose only dimension bears its own name is a coordinate, and its dataset that dimension's scale; xarray opens
the file as a Dataset.  Texts are scalar strings.  A file is put in place when it is whole, over an older one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..base.toml import shortened
from ..energy.snapshot import Label
from ..errors import StoreError
from ..grid import Array, Grid
from .empty_file import describe
from .export.targets import written
from .layout import NO_VARIABLE, check_texts
from .layout import STUDY_KIND as KIND
from .reading.opening import opened
from .reading.structure import plain_attribute, plain_attributes, stored_text
from .replacing import LIBVER

ENDINGS = (".h5", ".hdf5", ".nc")


@dataclass(frozen=True)
class Variable:
    """A labelled array.

    dims : the names of its dimensions, one for each axis of `values`.   values : numbers, truth values or texts.
    """

    name: str
    dims: tuple[str, ...]
    values: Any = field(repr=False)
    units: str = "1"
    long_name: str = ""
    description: str = ""


@dataclass(frozen=True, repr=False)
class Study:
    """What such a file holds.   kind : what was studied, such as "spectrum".   variables : by name."""

    path: Path
    kind: str
    variables: Mapping[str, Variable]
    attributes: Mapping[str, Any]
    texts: Mapping[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Array:
        """The values of a variable."""
        return np.asarray(self.variables[name].values)

    def __repr__(self) -> str:
        return f"Study({str(self.path)!r}: {self.kind}, {len(self.variables)} variables)"


def study_of(
    kind: str,
    variables: Sequence[Variable],
    attributes: Mapping[str, Any],
    texts: Mapping[str, str] | None = None,
) -> Study:
    """A study that is on no disk, with the values that a file would give back.

    kind : what was studied, in a word.   attributes : numbers and texts about the whole.   texts : such as case_toml.
    """
    known = {one.name: replace(one, values=_stored(one.values)) for one in variables}
    return Study(Path(), kind, known, dict(attributes), dict(texts or {}))


def coordinates_of(grid: Grid) -> list[Variable]:
    """The cells of a grid as variables: centres, and the edges beside them, for each axis."""
    variables = []
    for axis in grid.axes:
        bounds = np.stack([axis.edges[:-1], axis.edges[1:]], axis=1)
        variables += [
            Variable(axis.name, (axis.name,), axis.centers, "1", axis.name, f"Cell centres along {axis.name}."),
            Variable(f"{axis.name}_bnds", (axis.name, "nv"), bounds, "1", f"{axis.name} bounds", "Edges of the cells."),
        ]
    return variables


def dims_of(grid: Grid) -> tuple[str, ...]:
    """The dimensions of a density: ("x",) or ("y", "x")."""
    return tuple(axis.name for axis in reversed(grid.axes))


def check_place(path: Path, *kinds: str) -> None:
    """Raise StoreError where a study may not be written: by its ending, or for another file than an older one there.

    kinds : those of the older studies that a new one replaces, such as "spectrum".
    """
    if path.suffix not in ENDINGS:
        raise StoreError(f"--out {path}: expected a file ending in {', '.join(ENDINGS)}.")
    if not path.exists():
        return
    try:
        if path.is_file() and read_study(path).kind in kinds:
            return
    except StoreError:
        pass  # no study
    raise StoreError(f"{path} exists and holds no {' or '.join(kinds)}; it is kept. Choose another place with --out.")


def check_figure(figure: Path, path: Path) -> None:
    """Raise StoreError where a figure stands that does not belong to an older study at `path`, beside which it goes."""
    if figure.exists() and not path.exists():
        raise StoreError(f"{figure} exists and is kept; name another figure with --plot FILE, or add --no-plot.")


def write_study(path: Path, study: Study) -> Path:
    """Write a study that was put together by `study_of`; returns its path.  What stands there is replaced.

    Raises StoreError where it cannot be written.
    """
    check_texts(study.texts)
    variables = list(study.variables.values())
    with written(path) as part, h5py.File(part, "w", libver=LIBVER, locking=False) as file:
        file.attrs["kind"] = f"{KIND}: {study.kind}"
        for name, value in study.attributes.items():
            file.attrs[name] = value
        for name, text in study.texts.items():
            file.create_dataset(name, data=text, dtype=h5py.string_dtype("utf-8"))
        _create_scales(file, variables)
        for variable in variables:
            if variable.dims != (variable.name,):
                _create(file, variable)
    return path


def save_study(path: Path, study: Study, *kinds: str) -> Path:
    """Write a study over older ones of these kinds; returns the path.

    Raises StoreError as `check_place` and `write_study`.
    """
    check_place(path, *kinds)
    return write_study(path, study)


def _create_scales(file: h5py.File, variables: Sequence[Variable]) -> None:
    """The dimensions: coordinates as given, others as numbers without a variable."""
    sizes: dict[str, int] = {}
    for variable in variables:
        shape = np.shape(variable.values)
        if len(shape) != len(variable.dims):
            raise ValueError(f"{variable.name} has {len(shape)} axes and the dimensions {variable.dims}")
        for name, size in zip(variable.dims, shape, strict=True):
            if sizes.setdefault(name, size) != size:
                raise ValueError(f"{variable.name}: dimension {name} has {sizes[name]} entries, found {size}")
    coordinates = {variable.name: variable for variable in variables if variable.dims == (variable.name,)}
    for name, size in sizes.items():
        if name in coordinates:
            _create(file, coordinates[name]).make_scale(name)
        else:
            file.create_dataset(name, data=np.zeros(size, "f4")).make_scale(f"{NO_VARIABLE}{size:10d}")


def _create(file: h5py.File, variable: Variable) -> h5py.Dataset:
    values = _stored(variable.values)
    dtype = h5py.string_dtype("utf-8") if values.dtype.kind == "O" else values.dtype
    dataset = file.create_dataset(variable.name, data=values, dtype=dtype)
    describe(dataset, Label(variable.name, variable.units, variable.long_name, variable.description))
    if variable.dims != (variable.name,):
        for k, name in enumerate(variable.dims):
            dataset.dims[k].attach_scale(file[name])
    return dataset


def _stored(given: Any) -> Array:
    """Values as a file holds them: truth values as numbers, texts as objects."""
    values = np.asarray(given)
    if values.dtype.kind == "b":
        return values.astype("i1")
    return values.astype(object) if values.dtype.kind in "UO" else values


def read_study(path: Path | str) -> Study:
    """Read a study whole.  Raises StoreError where there is none that can be read."""
    place = Path(path)
    if not place.exists():
        raise StoreError(f"{place}: no such file.")
    with opened(place) as file:
        known = plain_attributes(place, file)
        kind = str(known.pop("kind", ""))
        if not kind.startswith(KIND):
            raise StoreError(f"{place}: expected a study of wgfpde, found another HDF5 file.")
        if groups := [name for name, item in file.items() if not isinstance(item, h5py.Dataset)]:
            raise StoreError(f"{place}: {shortened(groups[0])} is no array. The file is damaged, or no study.")
        scales = {name for name, item in file.items() if item.is_scale}
        bare = {name for name in scales if str(plain_attribute(place, file[name], "NAME")).startswith(NO_VARIABLE)}
        texts = {n: stored_text(place, file, n) for n, item in file.items() if item.shape == () and _is_text(item)}
        variables = {name: _read(place, file, name, scales) for name in file if name not in bare and name not in texts}
        return Study(place, kind.removeprefix(f"{KIND}: "), variables, known, texts)


def _read(path: Path, file: h5py.File, name: str, scales: set[str]) -> Variable:
    item = file[name]
    dims = (name,) if name in scales else tuple(Path(item.dims[k][0].name).name for k in range(item.ndim))
    values = item.asstr()[()] if _is_text(item) else item[()]
    about = {key: str(plain_attribute(path, item, key)) for key in ("units", "long_name", "description")}
    return Variable(name, dims, values, **about)


def _is_text(item: h5py.Dataset) -> bool:
    return h5py.check_string_dtype(item.dtype) is not None
