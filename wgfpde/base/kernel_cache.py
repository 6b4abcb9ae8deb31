"""Kernels that know when they are old: Numba's disk cache, keyed by the sources of all kernels together.

Numba renews a cached kernel when the kernel's own file changes.  Laws, rates and sweeps call each other across files,
and a callee is compiled into its caller: a formula that changes there would go on being computed as it was.  So the
stamp that an index of the cache carries is a digest of every file of the package that holds a kernel, by content, not
by date, so that a copy of the package may keep its cache.

Where the cache lies is Numba's affair: `NUMBA_CACHE_DIR`, else beside the source, else the user's own cache folder.
An index of another stamp is not read, and overwritten together with its data, so that old kernels do not pile up.

Rooms with kernels import `njit` from here in place of Numba's.  This module is for them alone: it loads Numba.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from functools import cache
from typing import Any

import numba
from numba.core import caching
from numba.core.dispatcher import Dispatcher

from .own_process import load_kernel_library

load_kernel_library()

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROOMS = ("diagnostics", "energy", "linear", "methods", "studies", "transport")
"""Rooms that hold kernels; the others are not searched for them, which takes time at every start."""
MARK = b"njit"
"""What a file holds whose changes make kernels old: kernels, or the constants that they compile in."""


class KernelCache(caching.FunctionCache):
    """Numba's cache of one function, with the digest in place of the stamp of its file.

    A function is known by its name and not by its line, which moves as the file is edited.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        name = self._impl.filename_base.replace(f"-{function.__code__.co_firstlineno}.", ".", 1)
        self._cache_file = caching.IndexDataCacheFile(self._cache_path, name, kernel_digest())


def njit(*functions: Callable[..., Any], cache: bool = False, **options: Any) -> Any:
    """`numba.njit`, whose cache on disk holds only what the present sources of all kernels give."""

    def decorate(function: Callable[..., Any]) -> Any:
        kernel = numba.njit(**options)(function)
        if cache and isinstance(kernel, Dispatcher):  # else compilation is switched off
            setattr(kernel, "_cache", KernelCache(function))  # noqa: B010  Numba has no door for it
        return kernel

    return decorate(*functions) if functions else decorate


@cache
def kernel_digest() -> str:
    """SHA-256 of all files with kernels, read once a process: some 4 ms."""
    digest = hashlib.sha256()
    for path in kernel_files():
        with open(path, "rb") as file:
            content = file.read()
        if MARK in content:
            digest.update(os.path.relpath(path, PACKAGE).encode() + b"\0" + content)
    return digest.hexdigest()


def kernel_files() -> list[str]:
    """Every source file in the rooms that hold kernels."""
    found = []
    for room in ROOMS:
        for folder, _, names in os.walk(os.path.join(PACKAGE, room)):
            found += [os.path.join(folder, name) for name in names if name.endswith(".py")]
    return sorted(found)
