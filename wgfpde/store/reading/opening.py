"""How every file is opened: what is no run, is damaged, or is newer than this version is refused by name."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ... import __version__
from ...base.plain_text import in_words
from ...base.toml import shortened
from ...errors import CaseError, StoreError
from ...grid.boundary import Boundary, boundary_of
from ..layout import FILE_NAME, FORMAT, STUDY_KIND, SWEEP_FILE, TAKEN
from .heaps import check_heaps
from .structure import check_regular, check_structure, plain_attribute, plain_attributes

DAMAGED = (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError, IndexError, OverflowError)
"""What h5py raises on bytes that make no sense: as many kinds as there are places where it first notices."""


def find(path: str | os.PathLike[str]) -> Path:
    """The HDF5 file of a run folder, or the file itself.  Raises StoreError where there is none."""
    path = Path(path)
    file = path / FILE_NAME if path.is_dir() else path
    if file.exists() and not file.is_dir():
        check_regular(file)
        return file
    if (path / SWEEP_FILE).is_file():
        raise StoreError(
            f"{path} is the folder of a sweep; give one of the runs in it, or ask wgfpde inspect {path} what it holds."
        )
    if path.is_dir():
        raise StoreError(f"{path} holds no {FILE_NAME}: it is no run folder, or the run never began.")
    raise StoreError(f"{path} does not exist; give a run folder or its {FILE_NAME}.")


def is_run(path: str | os.PathLike[str]) -> bool:
    """Whether a file may be a run: not where it is HDF5 and says nothing of this package."""
    try:
        with _open(Path(path)) as file:
            return "wgfpde_version" in file.attrs
    except (OSError, RuntimeError):
        return True  # to be refused by name where it is read


@contextmanager
def opened(path: Path, checked: bool = False) -> Iterator[h5py.File]:
    """The file, read-only; a file that HDF5 cannot read, or may not (`structure`), raises StoreError.

    checked : whether its structure was looked at before.
    """
    check_regular(path)
    try:
        if not checked:
            check_heaps(path)
        with _open(path) as file:
            if not checked:
                check_structure(path, file)
            yield file
    except MemoryError as error:
        raise StoreError(f"cannot read {path}: it asks for more memory than there is. It may be damaged.") from error
    except DAMAGED as error:
        text = str(error)
        if "truncated" in text:
            raise StoreError(f"{path} is truncated: part of it was not copied. Copy it again.") from error
        if "signature not found" in text:
            raise StoreError(f"{path} is no HDF5 file; give a run folder or its {FILE_NAME}.") from error
        raise StoreError(f"cannot read {path}: {in_words(error)} It may be damaged; copy it again.") from error


def _open(path: Path) -> h5py.File:
    try:
        return h5py.File(path, "r", locking=False)
    except OSError as error:
        if "locking flag" not in str(error):
            raise
        return h5py.File(path, "r")  # another library has it open in this process, and locks as HDF5 does


def attributes_of(path: Path, file: h5py.File) -> dict[str, Any]:
    """The attributes as Python values.  Raises StoreError where the file is no run or a newer one."""
    attributes = plain_attributes(path, file)
    if (kind := str(attributes.get("kind", ""))).startswith(STUDY_KIND):
        what = shortened(kind.removeprefix(f"{STUDY_KIND}: "))
        raise StoreError(f"{path} is the file of a study ({what}), not of a run; give a run folder or its {FILE_NAME}.")
    if "wgfpde_version" not in attributes or not isinstance(attributes.get("format"), int):
        raise StoreError(f"{path} is an HDF5 file but no wgfpde run; give a run folder or its {FILE_NAME}.")
    if attributes["format"] > FORMAT:
        raise StoreError(
            f"{path} has format {attributes['format']}, written by wgfpde {attributes['wgfpde_version']}; "
            f"this version {__version__} reads formats up to {FORMAT}. Update wgfpde."
        )
    return attributes


def boundary_in(path: Path, axis: h5py.Dataset) -> Boundary:
    """What the ends of an axis are.  Raises StoreError where no wall here has the name."""
    found = str(plain_attribute(path, axis, "boundary"))
    try:
        return boundary_of(found)
    except CaseError:
        name = str(axis.name).strip("/")
        raise StoreError(
            f'{path}: the ends of axis {name} are "{shortened(found)}", which this version does not know. '
            "The file may be damaged; copy it again, or update wgfpde."
        ) from None


def fields_of(path: Path, file: h5py.File, rows: int) -> dict[str, h5py.Dataset]:
    """The arrays stored beside the density, by name.   rows : that each must have.

    Raises StoreError where one that the file names is no array of numbers along t and dimensions of the file.
    """
    found = {}
    for name in str(plain_attribute(path, file, "fields")).split():
        dataset = None if name in TAKEN or "/" in name else file.get(name)
        if not (isinstance(dataset, h5py.Dataset) and _runs_along_t(dataset, rows)):
            raise StoreError(
                f'{path} names the field "{shortened(name)}" and holds no array of numbers of that name with a row '
                "for each snapshot. It may be damaged; copy it again."
            )
        found[name] = dataset
    return found


def _runs_along_t(dataset: h5py.Dataset, rows: int) -> bool:
    if dataset.dtype.kind not in "fiu" or dataset.ndim < 2 or dataset.shape[0] < rows:
        return False
    time, *along = dataset.dims
    return len(time) > 0 and all(
        len(dim) > 0 and dim[0].shape == (size,) for dim, size in zip(along, dataset.shape[1:], strict=True)
    )


def written(columns: Mapping[str, np.ndarray]) -> int:
    """Rows that are whole: the shortest length, cut where the first t is not a number."""
    missing = np.isnan(columns["t"])
    rows = int(np.argmax(missing)) if missing.any() else len(missing)
    return min(rows, *(len(values) for values in columns.values()))


def python_value(value: Any) -> Any:
    """An attribute as HDF5 gives it, as str, int, float or list."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value.item() if isinstance(value, np.generic) else value
