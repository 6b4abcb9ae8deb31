"""Kernels as values: a compiled kernel that another is given, and calls by its address; and calls past the dispatcher.

A kernel that calls another by name is compiled together with it, and with all that this one calls: a loop around a
sweep takes as long to compile as the sweep.  Called by its address, the sweep is the one that is compiled already.

Of a kernel that is an argument Numba asks Python for the address, twice a call, with the signature unpickled: 3 µs.  Of
a `KernelPointer` the address is read.

Of arguments in nested tuples Numba finds the types anew at every call, in Python, which takes a millisecond or two: as
long as the march of a small run.  `Direct` looks them up by what they follow from.

This module is for rooms with kernels: it loads Numba.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, cast

import numba
import numpy as np
from numba.core import cgutils, types
from numba.core.dispatcher import Dispatcher
from numba.experimental.function_type import FunctionModel
from numba.extending import NativeValue, register_model, typeof_impl, unbox

from .effort import Recent

MOST = 64
"""Kernels for other types that are remembered, of each kind."""
LAYOUT = 0x1 | 0x2 | 0x100 | 0x400
"""The flags of an array that decide its type: contiguous as in C or Fortran, aligned, writeable."""


class KernelPointer:
    """A kernel compiled for the types of some arguments.   kernel : made by `njit`.   arguments : examples of them."""

    def __init__(self, kernel: Dispatcher, arguments: tuple[Any, ...]) -> None:
        compiled = _compiled(kernel, arguments)
        self.kind = KernelType(compiled.signature)
        self.address = int(compiled.library.get_pointer_to_function(compiled.fndesc.llvm_cfunc_wrapper_name))
        self._held = compiled  # the code lives as long as this


class KernelType(types.FunctionType):
    """What a `KernelPointer` is to kernels."""


register_model(KernelType)(FunctionModel)


@typeof_impl.register(KernelPointer)
def _kind(value: KernelPointer, _: Any) -> KernelType:
    return value.kind


@unbox(KernelType)
def _unbox(kind: KernelType, value: Any, c: Any) -> Any:
    found = cgutils.create_struct_proxy(kind)(c.context, c.builder)
    address = c.pyapi.object_getattr_string(value, "address")
    with c.builder.if_then(cgutils.is_not_null(c.builder, address), likely=True):
        found.c_addr = c.pyapi.long_as_voidptr(address)
        c.pyapi.decref(address)
    return NativeValue(found._getvalue(), is_error=c.pyapi.c_api_error())


class Direct:
    """A kernel, called without finding the types of its arguments where such were there before.

    Plain where compilation is switched off.   kernel : made by `njit`.
    """

    def __init__(self, kernel: Callable[..., Any]) -> None:
        self._kernel = kernel
        self._entries: Recent[Callable[..., Any]] = Recent(MOST)

    def __call__(self, *arguments: Any) -> Any:
        return self.entry(*arguments)(*arguments)

    def entry(self, *arguments: Any) -> Callable[..., Any]:
        """What takes arguments of the types of these, and of no other: it does not look at them."""
        if not isinstance(self._kernel, Dispatcher):
            return self._kernel
        key = kind_of(arguments)
        if (entry := self._entries.get(key)) is None:
            entry = self._entries.keep(key, _compiled(self._kernel, arguments).entry_point)
        return entry


_POINTERS: Recent[KernelPointer] = Recent(MOST)


def pointer(kernel: Callable[..., None], *arguments: Any) -> Any:
    """A kernel to be given to another; itself where compilation is switched off.

    In a tuple it stands after something else: of one that begins with a kernel Numba says that it is experimental.
    """
    if not isinstance(kernel, Dispatcher):
        return kernel
    key = kernel, kind_of(arguments)
    found = _POINTERS.get(key)
    return _POINTERS.keep(key, KernelPointer(kernel, arguments)) if found is None else found


def kind_of(value: Any) -> Hashable:
    """What the type of an argument follows from; two with one kind have one type."""
    if type(value) is tuple:
        return tuple(map(kind_of, value))
    if type(value) is np.ndarray:
        return value.dtype, value.ndim, value.flags.num & LAYOUT
    if isinstance(value, KernelPointer):
        return value
    if type(value) is int:
        return int, value.bit_length() < 64
    return cast(Hashable, type(value))


def _compiled(kernel: Dispatcher, arguments: tuple[Any, ...]) -> Any:
    """A kernel for the types of arguments."""
    kinds = tuple(numba.typeof(argument) for argument in arguments)
    kernel.compile(kinds)
    return kernel.overloads[kinds]
