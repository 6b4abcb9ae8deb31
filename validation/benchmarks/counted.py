"""How many operations a kernel does: the kernel itself, in plain Python, on numbers that count.

Compilation is off (NUMBA_DISABLE_JIT=1, set before this is imported), and in the modules of kernels NumPy and math are
replaced by stand-ins whose arrays hold `Counted` numbers.  Additions, multiplications, divisions and comparisons count
one each, and so does a logarithm or an exponential, which on a processor is 10 to 20.  What is done with integers and
with plain numbers alone (a step's coefficients) is not counted.
"""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

COUNTS: Counter[str] = Counter()
FUNCTIONS = ("exp", "expm1", "log", "log1p", "sqrt", "tanh", "sinh", "cosh")


def plain(x: Any) -> Any:
    return x.value if isinstance(x, Counted) else float(x)


class Counted:
    """A number; what is done with it is counted in COUNTS."""

    __slots__ = ("value",)
    __array_ufunc__ = None  # so that NumPy's numbers leave operations to this class

    def __init__(self, value: float) -> None:
        self.value = float(value)

    def __float__(self) -> float:
        return self.value

    def __neg__(self) -> Counted:
        return Counted(-self.value)

    def __abs__(self) -> Counted:
        return Counted(abs(self.value))


def _operation(name: str, kind: str, compare: bool = False) -> Callable[[Counted, Any], Any]:
    method = getattr(np.float64, name)

    def operation(self: Counted, other: Any) -> Any:
        COUNTS[kind] += 1
        with np.errstate(all="ignore"):
            found = method(np.float64(self.value), plain(other))
        return bool(found) if compare else Counted(found)

    return operation


for _name, _kind in (("add", "add"), ("sub", "add"), ("mul", "multiply"), ("truediv", "divide"), ("pow", "function")):
    setattr(Counted, f"__{_name}__", _operation(f"__{_name}__", _kind))
    setattr(Counted, f"__r{_name}__", _operation(f"__r{_name}__", _kind))
for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
    setattr(Counted, f"__{_name}__", _operation(f"__{_name}__", "compare", compare=True))


class StandIn:
    """NumPy or math with functions and arrays of counted numbers; all else as it is there."""

    def __init__(self, module: Any) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._module, name)
        if name in FUNCTIONS:
            return lambda x, *rest: _function(found, x, *rest)
        if name in ("zeros", "empty", "ones", "full"):
            return lambda *given, **more: counting(found(*given, **more) if name != "empty" else np.zeros(*given))
        if name == "frexp":
            return _parts
        if name in ("isfinite", "isnan", "isinf"):
            return lambda x: found(plain(x)) if isinstance(x, Counted) else found(x)
        return found


def _function(function: Callable[..., Any], x: Any, *rest: Any) -> Any:
    if not isinstance(x, Counted):
        return function(x, *rest)
    COUNTS["function"] += 1
    with np.errstate(all="ignore"):
        try:
            return Counted(function(x.value))
        except (ValueError, OverflowError):  # of math, where NumPy gives infinities
            return Counted(math.nan)


def _parts(x: Any) -> Any:
    """`frexp`, which is a few operations on bits and counts nothing."""
    values = np.array([plain(y) for y in np.ravel(x)]).reshape(np.shape(x))
    mantissa, power = np.frexp(values)
    return (counting(mantissa) if np.ndim(x) else Counted(float(mantissa))), power


def counting(values: np.ndarray) -> np.ndarray:
    """An array of counted numbers; integers stay."""
    values = np.asarray(values)
    if values.dtype != float:
        return values
    found = np.empty(values.shape, dtype=object)
    found.ravel()[:] = [Counted(x) for x in values.ravel()]
    return found


def replace_libraries() -> None:
    """Put the stand-ins into all loaded modules with kernels."""
    for name, module in list(sys.modules.items()):
        if name.startswith("wgfpde.") and "njit" in vars(module):
            for library, real in (("np", np), ("math", math)):
                if vars(module).get(library) is real:
                    setattr(module, library, StandIn(real))


def operations(call: Callable[[], Any]) -> dict[str, int]:
    """What a call does to counted numbers."""
    COUNTS.clear()
    call()
    return dict(COUNTS)
