"""Kernels that know when they are old: Numba's disk cache, keyed by the sources of all kernels together.

Numba renews a cached kernel when the kernel's own file changes.  Laws, rates and sweeps call each other across files,
and a callee is compiled into its caller: a formula that changes there would go on being computed as it was.  So the
stamp that an index of the cache carries is a digest of every file of the package that holds a kernel, by content, not
by date, so that a copy of the package may keep its cache.

Where the cache lies is Numba's affair: `NUMBA_CACHE_DIR`, else beside the source, else the user's own cache folder.
An index of another stamp is not read, and removed together with its code by the next kernel of that name, so that old
kernels do not pile up.

Each signature has an index of its own.  In one for all, as Numba has it, two processes that compile the same function
for different types at once give both codes the same file, and one of them is later run in place of the other.

A wheel may bring kernels along (folder SHIPPED, made by validation/kernels_in_wheel), compiled for a processor that
most have, PORTABLE.  They serve where the sources are those that they were compiled from and this processor has what
they use; what is in the cache goes first.

Rooms with kernels import `njit` from here in place of Numba's.  This module is for them alone: it loads Numba.
"""

from __future__ import annotations

import glob
import hashlib
import os
import pickle
import platform
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache, cached_property
from typing import Any

import numba
from llvmlite import binding
from numba.core import caching, config
from numba.core.dispatcher import Dispatcher
from numba.core.runtime import rtsys

from .own_process import load_kernel_library

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROOMS = ("diagnostics", "energy", "linear", "methods", "studies", "transport")
"""Rooms that hold kernels; the others are not searched for them, which takes time at every start."""
BESIDE = ("base/kernel_pointer.py",)
"""Files elsewhere whose code is compiled into kernels."""
MARK = b"njit"
"""What a file holds whose changes make kernels old: kernels, or the constants that they compile in."""


SHIPPED = os.path.join(PACKAGE, "_kernels")
"""Where a wheel has its kernels, in folders as the sources are; most have none."""
V3 = [
    "avx",
    "avx2",
    "bmi",
    "bmi2",
    "cx16",
    "f16c",
    "fma",
    "lzcnt",
    "movbe",
    "popcnt",
    "sse3",
    "sse4.1",
    "sse4.2",
    "ssse3",
]
PORTABLE = {"x86_64": ("x86-64-v3", ",".join(f"+{name}" for name in V3)), "aarch64": ("generic", "")}
"""The processor that shipped kernels are compiled for, as LLVM names it, and what it must be able to do."""

Key = tuple[Any, tuple[str, str, str], Any]
"""A signature, (system, processor, what it can do), and digests of the function."""


class KernelFiles:
    """The compiled code of one function in one folder: an index and a file for each signature.

    stamp : of the sources; what bears another is not read.
    """

    def __init__(self, folder: str, name: str, stamp: str) -> None:
        self._folder, self._name, self._stamp = folder, name, stamp

    def load(self, key: Key) -> Any:
        """The code, or None."""
        return self._files(key).load(key)

    def save(self, key: Key, code: Any) -> None:
        self._remove_old()
        self._files(key).save(key, code)

    def flush(self) -> None:
        """Remove all, as Numba's `recompile` asks."""
        self._remove(glob.glob(os.path.join(glob.escape(self._folder), f"{glob.escape(self._name)}.*.nb[ci]")))

    def _files(self, key: Key) -> caching.IndexDataCacheFile:
        mark = hashlib.sha256(f"{key[0]} {key[1]}".encode()).hexdigest()[:16]
        return caching.IndexDataCacheFile(self._folder, f"{self._name}.{mark}", self._stamp)

    def _remove_old(self) -> None:
        for index in glob.glob(os.path.join(glob.escape(self._folder), f"{glob.escape(self._name)}.*.nbi")):
            with suppress(Exception):  # what a damaged pickle raises, and another process that was faster
                with open(index, "rb") as file:
                    known = pickle.load(file) == numba.__version__ and pickle.load(file)[0] == self._stamp
                if not known:
                    self._remove([*glob.glob(f"{glob.escape(index[:-4])}.*.nbc"), index])  # no code without an index

    @staticmethod
    def _remove(paths: list[str]) -> None:
        for path in paths:
            with suppress(OSError):  # another process was faster
                os.unlink(path)


class KernelCache(caching.FunctionCache):
    """Numba's cache of one function, with the digest in place of the stamp of its file.

    A function is known by its name and not by its line, which moves as the file is edited.  Where its files lie is
    looked up when it is first called: few of the functions of a module are.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._py_func, self._name = function, repr(function)
        self.enable()

    @cached_property
    def _impl(self) -> Any:
        return self._impl_class(self._py_func)

    @cached_property
    def _cache_path(self) -> str:
        return str(self._impl.locator.get_cache_path())

    @cached_property
    def _file_name(self) -> str:
        return str(self._impl.filename_base).replace(f"-{self._py_func.__code__.co_firstlineno}.", ".", 1)

    @cached_property
    def _cache_file(self) -> KernelFiles:  # type: ignore[override]  # ours has an index for each signature
        return KernelFiles(self._cache_path, self._file_name, kernel_digest())

    @cached_property
    def _shipped(self) -> KernelFiles:
        folder = os.path.relpath(os.path.dirname(os.path.abspath(self._py_func.__code__.co_filename)), PACKAGE)
        return KernelFiles(os.path.join(SHIPPED, folder), self._file_name, kernel_digest())

    def load_overload(self, signature: Any, context: Any) -> Any:
        """As Numba's, which loads all that compiling takes, a third of a second, before it looks; here that is left to
        the compiler, which does so itself."""
        rtsys.initialize(context)  # what allocates memory for kernels
        with self._guard_against_spurious_io_errors():
            found = self._load_overload(signature, context)
        if found is None:
            load_kernel_library()
        return found

    def _load_overload(self, signature: Any, context: Any) -> Any:
        found = super()._load_overload(signature, context)
        if found is not None or not serves_portable():
            return found
        own = self._index_key(signature, context.codegen())
        code = self._shipped.load((own[0], (own[1][0], *PORTABLE[platform.machine()]), own[2]))
        return None if code is None else self._impl.rebuild(context, code)


@cache
def serves_portable() -> bool:
    """Whether there are shipped kernels, and this processor can do all that they use."""
    if not os.path.isdir(SHIPPED) or not sys.platform.startswith("linux") or platform.machine() not in PORTABLE:
        return False
    able = binding.get_host_cpu_features()
    return all(able.get(name[1:], False) for name in PORTABLE[platform.machine()][1].split(",") if name)


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
    """Every source file in the rooms that hold kernels, and those BESIDE."""
    found = [os.path.join(PACKAGE, *name.split("/")) for name in BESIDE]
    for room in ROOMS:
        for folder, _, names in os.walk(os.path.join(PACKAGE, room)):
            found += [os.path.join(folder, name) for name in names if name.endswith(".py")]
    return sorted(found)


def cache_folder() -> str:
    """Where compiled kernels are kept, for people: a folder, or the source tree in whose __pycache__ folders they lie.

    Raises RuntimeError, as Numba does, where no folder can be written.
    """
    own = getattr(config, "CACHE_DIR", "")  # which Numba makes of NUMBA_CACHE_DIR
    if own:
        return str(own)
    path = str(KernelCache(kernel_files).cache_path)
    return f"the __pycache__ folders of {PACKAGE}" if path.startswith(PACKAGE) else path
