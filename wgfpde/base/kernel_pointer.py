"""Kernels as values: a compiled kernel that another is given, and calls by its address.

A kernel that calls another by name is compiled together with it, and with all that this one calls: a loop around a
sweep takes as long to compile as the sweep.  Called by its address, the sweep is the one that is compiled already.

This module is for rooms with kernels: it loads Numba.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
from numba.core import types
from numba.core.dispatcher import Dispatcher


class KernelPointer(types.WrapperAddressProtocol):
    """A kernel compiled for the types of some arguments.   kernel : made by `njit`.   arguments : examples of them."""

    def __init__(self, kernel: Dispatcher, arguments: tuple[Any, ...]) -> None:
        kinds = tuple(numba.typeof(argument) for argument in arguments)
        kernel.compile(kinds)
        compiled: Any = kernel.overloads[kinds]
        self._signature = compiled.signature
        self._address = compiled.library.get_pointer_to_function(compiled.fndesc.llvm_cfunc_wrapper_name)
        self._held = compiled  # the code lives as long as this

    def __wrapper_address__(self) -> int:
        return int(self._address)

    def signature(self) -> Any:
        return self._signature


def pointer(kernel: Callable[..., None], *arguments: Any) -> Any:
    """A kernel to be given to another; itself where compilation is switched off.

    In a tuple it stands after something else: of one that begins with a kernel Numba says that it is experimental.
    """
    return KernelPointer(kernel, arguments) if isinstance(kernel, Dispatcher) else kernel
