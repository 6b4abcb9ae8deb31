"""The group /code of a file: arrays and texts that stand for the functions of a case that was put together in Python.

What they mean is known to `cases`; here they are written, by their paths below the group, and read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import h5py
import numpy as np

from ..grid import Array

CODE = "code"


def create_code(file: h5py.File, code: Mapping[str, Array | str]) -> None:
    """Write them; nothing where there is none."""
    if code:
        file.create_group(CODE).attrs["description"] = "Values of functions that were given in Python."
    for name, values in code.items():
        kind = {"dtype": h5py.string_dtype("utf-8")} if isinstance(values, str) else {}
        file.create_dataset(f"{CODE}/{name}", data=values, **kind)


def code_in(file: h5py.File, text: Callable[[str], str]) -> dict[str, Array | str]:
    """Read them, from a file whose structure was looked at.   text : reads a text by its path."""
    found: dict[str, Array | str] = {}
    group = file.get(CODE)
    below = list(group.items()) if isinstance(group, h5py.Group) else []
    while below:
        name, item = below.pop()
        if isinstance(item, h5py.Group):
            below += [(f"{name}/{key}", inner) for key, inner in item.items()]
        elif h5py.check_string_dtype(item.dtype) is not None:
            found[name] = text(f"{CODE}/{name}")
        else:
            found[name] = np.asarray(item[...])
    return found
