"""Whether an HDF5 file may be read: it is whole, holds plain numbers and texts, and leads nowhere else.

A file of others may be damaged or made to do harm.  Before anything in it is read it is walked along its hard links,
by its headers alone.  Refused are

    links to other files and other paths     a FIFO behind one would hang the reader, a device would feed it for ever
    data that lie in other files             virtual datasets, external storage
    filters that are not part of HDF5        the library would look for them in folders of plug-ins and load them
    types other than numbers and texts       in what is read; references and compounds belong to dimensions alone
    attributes of such types                 the library trusts what a type says of itself, and may crash on it
    sizes that the file cannot hold          a length that was damaged asks for any amount of memory

The last: deflate packs at most 1032 bytes into one, so what a dataset claims is compared with what is stored of it.
A file that is exchanged for another one between this look and the reading is not defended against.
"""

from __future__ import annotations

import math
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ...base.amounts import memory_lacking, size_text
from ...base.toml import shortened
from ...errors import StoreError
from ..layout import NO_VARIABLE, TAKEN
from .heaps import check_texts

MOST_OBJECTS = 10_000
MOST_DEEP = 8
LARGEST_ATTRIBUTE = 2**20
DEFLATE = 1032
"""The most bytes that zlib makes of one."""
FREE = 2**20
"""Bytes that need no proof."""
FILTERS = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32}
SCALE = b"DIMENSION_SCALE\0"
OF_DIMENSIONS = frozenset(("DIMENSION_LIST", "REFERENCE_LIST"))
"""Attributes that hold references."""
EMPTY = "/steps/step"
"""A dimension that holds no values and is never read."""


def check_regular(path: Path) -> None:
    """Raise StoreError for what is no regular file, such as a FIFO or a device: to open it might never end."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise StoreError(f"{path} cannot be opened: {(error.strerror or str(error)).rstrip('.')}.") from None
    if not stat.S_ISREG(mode):
        raise StoreError(f"{path} is no regular file but a device, a pipe or a folder; give a file.")


def check_structure(path: Path, file: h5py.File) -> None:
    """Raise StoreError for a file that leads elsewhere, or that holds what no file of this package holds."""
    check_attributes(path, "/", file)
    for count, (name, found) in enumerate(_walk(path, file, "", set(), 0)):
        if count >= MOST_OBJECTS:
            raise StoreError(f"{path} holds more than {MOST_OBJECTS} objects: it is no file of wgfpde.")
        check_attributes(path, name, found)
        if isinstance(found, h5py.Dataset):
            _check_dataset(path, name, found)
        elif not isinstance(found, h5py.Group):
            raise _foreign(path, name, "is no array and no group")


def _walk(path: Path, group: h5py.Group, above: str, seen: set[Any], depth: int) -> Iterator[tuple[str, Any]]:
    """All below a group, with names from the root; a group that is reached again is not entered again."""
    address = h5py.h5o.get_info(group.id).addr
    if address in seen:
        return
    seen.add(address)
    if depth > MOST_DEEP:
        raise _foreign(path, above, f"lies deeper than {MOST_DEEP} groups")
    for key in group:
        name = f"{above}/{key}"
        if not isinstance(group.get(key, getlink=True), h5py.HardLink):
            raise _foreign(path, name, "is a link to another place, which is not followed")
        item = group[key]
        yield name, item
        if isinstance(item, h5py.Group):
            yield from _walk(path, item, name, seen, depth + 1)


def _check_dataset(path: Path, name: str, data: h5py.Dataset) -> None:
    if data.is_virtual or data.external:
        raise _foreign(path, name, "lies in other files, which are not read")
    creation = data.id.get_create_plist()
    filters = {creation.get_filter(k)[0] for k in range(creation.get_nfilters())}
    if filters - FILTERS:
        raise _foreign(path, name, "is packed by a filter that is not part of HDF5")
    text = h5py.check_string_dtype(data.dtype)
    if text is None and data.dtype.kind not in "fiub":
        raise _foreign(path, name, f"holds {shortened(str(data.dtype))}, which is neither numbers nor text")
    if text is not None and text.length is None:
        check_texts(path, name, data)
    check_scales(path, name, data)
    if not data.size or name == EMPTY or _is_bare_dimension(path, name, data):
        return
    chunk = math.prod(data.chunks) if data.chunks else 0
    claimed, stored = max(data.size, chunk) * data.dtype.itemsize, data.id.get_storage_size()
    if claimed > FREE + stored * (DEFLATE if filters else 1):
        raise _foreign(path, name, f"claims {size_text(claimed)} where {size_text(stored)} are stored")
    row = max(data.size // data.shape[0] if data.ndim > 1 else data.size, chunk) * data.dtype.itemsize
    if lacking := memory_lacking(2.0 * row):
        raise StoreError(f"{path}: to read {shortened(name)} takes {lacking}.")


def check_attributes(path: Path, name: str, item: h5py.HLObject, keys: Iterable[str] | None = None) -> None:
    """Raise StoreError for attributes that are neither numbers nor texts, but for those of dimensions.

    keys : of those that are looked at; None: all.
    """
    for key in sorted(set(item.attrs) - OF_DIMENSIONS if keys is None else set(item.attrs) & set(keys)):
        found = item.attrs.get_id(key).dtype
        if h5py.check_string_dtype(found) is None and found.kind not in "fiub":
            raise _foreign(path, name, f"has an attribute {shortened(key)} that is neither numbers nor text")


def check_scales(path: Path, name: str, data: h5py.Dataset) -> None:
    """Raise StoreError for attributes of dimension scales that are of another type than theirs.

    The library reads them as what they should be, and writes beyond its memory.
    """
    for key in {"CLASS", "NAME", "DIMENSION_LABELS", *OF_DIMENSIONS} & set(data.attrs):
        about = data.attrs.get_id(key)
        if key in ("CLASS", "NAME"):
            text = h5py.check_string_dtype(about.dtype)
            right = about.shape == () and text is not None and text.length is not None
            if right and key == "CLASS" and text.length == len(SCALE):  # another word of its length is freed twice
                right = bytes(data.attrs[key]) == SCALE.rstrip(b"\0")
        elif key == "DIMENSION_LABELS":
            text = h5py.check_string_dtype(about.dtype)
            right = about.shape == (data.ndim,) and text is not None and text.length is None
        elif key == "DIMENSION_LIST":
            inner = h5py.check_vlen_dtype(about.dtype)
            right = about.shape == (data.ndim,) and inner is not None and _is_reference(inner)
        else:
            fields = about.dtype.names or ()
            right = len(fields) == 2 and _is_reference(about.dtype[0]) and about.dtype[1].kind in "iu"
            right = right and len(about.shape) == 1
        if not right:
            raise _foreign(path, name, f"has an attribute {key} that is none of a dimension")


def _is_reference(dtype: np.dtype) -> bool:
    return h5py.check_ref_dtype(dtype) is h5py.h5r.Reference


def _is_bare_dimension(path: Path, name: str, data: h5py.Dataset) -> bool:
    """Whether it only lends its length to a dimension, as that of the particles: no value of it is stored or read."""
    if data.ndim != 1 or not data.is_scale or name.strip("/") in TAKEN or name.count("/") > 1:
        return False
    return str(plain_attribute(path, data, "NAME")).startswith(NO_VARIABLE)


def _foreign(path: Path, name: str, what: str) -> StoreError:
    return StoreError(f"{path}: {shortened(name)} {what}. The file is damaged, or no file of wgfpde.")


# ---- attributes and texts ------------------------------------------------------------------------------------


def plain_attributes(path: Path, item: h5py.Group | h5py.Dataset) -> dict[str, Any]:
    """All attributes of an object as str, int, float or bool.  Raises StoreError for any other, or a very long one."""
    return {name: plain_attribute(path, item, name) for name in item.attrs}


def plain_attribute(path: Path, item: h5py.Group | h5py.Dataset, name: str, default: Any = "") -> Any:
    """One attribute as str, int, float or bool; the default where there is none.  Raises StoreError as above."""
    if name not in item.attrs:
        return default
    where = f"attribute {shortened(name)} of {shortened(str(item.name))}"
    if h5py.h5a.open(item.id, name.encode("utf-8", "surrogateescape")).get_storage_size() > LARGEST_ATTRIBUTE:
        raise _foreign(path, where, "is longer than any text of this package")
    value = item.attrs[name]
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, np.generic):
        value = value.item()
    if not isinstance(value, str | int | float | bool):
        raise _foreign(path, where, "is neither a number nor a text")
    return value.encode(errors="replace").decode() if isinstance(value, str) else value


def stored_text(path: Path, file: h5py.File, name: str) -> str:
    """A text of the file, "" where there is none.  Raises StoreError where it is no text."""
    data = file.get(name)
    if data is None:
        return ""
    if not isinstance(data, h5py.Dataset) or data.shape != () or h5py.check_string_dtype(data.dtype) is None:
        raise _foreign(path, name, "is no text")
    try:
        return str(data.asstr()[()])
    except UnicodeDecodeError:
        raise _foreign(path, name, "is no text: it holds bytes that are not UTF-8") from None
