"""Files are replaced, never grown in place: a new one is built beside the old and renamed when it is whole."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import h5py

from ..base.amounts import size_text
from ..base.plain_text import error_number, in_words
from ..errors import StoreError

LIBVER = ("earliest", "v108")
FULL = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT}
MARGIN = 1 << 20
"""Bytes of a file beside its tables and densities; generous."""


def build(path: Path, fill: Callable[[h5py.File], None], size: int) -> Path:
    """Build with `fill` the file that shall replace `path`; returns where it is, to be renamed by the caller.

    size : bytes that the file will take, roughly; asked for before the disk is filled in vain.
    Raises OSError, and leaves nothing behind then.
    """
    part = path.with_name(path.name + ".part")
    if path.parent.is_dir() and size > shutil.disk_usage(path.parent).free:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    try:
        with h5py.File(part, "w", libver=LIBVER, locking=False) as file:
            fill(file)
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise
    return part


@contextmanager
def failing_as_store_error(path: Path, size: Callable[[], int]) -> Iterator[None]:
    """Turn what HDF5 and the system raise into a StoreError; where the disk is full, with the numbers."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        text = f"cannot write {path}: {in_words(error)} Check that the folder is writable and the disk has room."
        if error_number(error) in FULL:
            with suppress(OSError):
                free = shutil.disk_usage(path.parent).free
                text += f" The file takes {size_text(size())}; {size_text(free)} are free."
        raise StoreError(text) from error


def sync(path: Path) -> None:
    """Make a file, or the names in a folder, last through a power failure, where the system can."""
    with suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
