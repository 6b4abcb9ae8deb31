"""What the compiler does for a row (module `rows`): its type, a vector of LANES numbers, and one function an operation.

Each writes what it does into the code that LLVM compiles, by the builder that Numba hands it; kernels (`njit`) call
them through the module `rows`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import reduce
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, models, overload, register_model

from .tridiagonal import LANES

operation: Any = intrinsic
"""Makes a function for kernels of one that types and writes it; kernels do not see its first argument."""
VECTOR, SHUFFLE = ir.VectorType(ir.DoubleType(), LANES), ir.VectorType(ir.IntType(32), LANES)


class RowType(types.Type):
    """The type of a row, for the compiler."""

    def __init__(self) -> None:
        super().__init__(name=f"Row({LANES})")


@register_model(RowType)
class _Model(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: RowType) -> None:
        super().__init__(manager, kind, VECTOR)


ROW = RowType()


def spread(builder: Any, value: Any) -> Any:
    """The row of LANES times one number, in the compiler's language."""
    nothing = ir.Constant(VECTOR, ir.Undefined)
    first = builder.insert_element(nothing, value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, nothing, ir.Constant(SHUFFLE, [0] * LANES))


def _place(context: Any, builder: Any, kind: Any, block: Any, i: Any, j: Any) -> Any:
    array = context.make_array(kind)(context, builder, block)
    place = cgutils.get_item_pointer(context, builder, kind, array, [i, j], wraparound=False, boundscheck=False)
    return builder.bitcast(place, VECTOR.as_pointer())


def _of_block(block: Any) -> bool:
    """Whether a type is that of a block: numbers that lie side by side."""
    return isinstance(block, types.Array) and block.ndim == 2 and block.layout == "C" and block.dtype == types.float64


@operation
def load(typing, block, i, j):
    if not _of_block(block):
        return None

    def code(context, builder, signature, arguments):
        return builder.load(_place(context, builder, signature.args[0], *arguments), align=8)

    return ROW(block, types.intp, types.intp), code


@operation
def store(typing, block, i, j, value):
    if not _of_block(block):
        return None

    def code(context, builder, signature, arguments):
        builder.store(arguments[3], _place(context, builder, signature.args[0], *arguments[:3]), align=8)
        return context.get_dummy_value()

    return types.void(block, types.intp, types.intp, ROW), code


@operation
def square(typing, source, i, j, target, k, m):
    """By rows that are exchanged half by half: of 4, of 2 and of 1 number."""
    if not (_of_block(source) and _of_block(target)):
        return None

    def code(context, builder, signature, arguments):
        kinds = signature.args

        def place(field, at, offset):
            i, j = (context.cast(builder, arguments[p], kinds[p], types.intp) for p in (at, at + 1))
            i = builder.add(i, context.get_constant(types.intp, offset))
            return _place(context, builder, kinds[field], arguments[field], i, j)

        rows = [builder.load(place(0, 1, q), align=8) for q in range(LANES)]
        half = LANES // 2
        while half:
            upper = [p % (2 * half) < half for p in range(LANES)]
            first = ir.Constant(SHUFFLE, [p if upper[p] else p + LANES - half for p in range(LANES)])
            last = ir.Constant(SHUFFLE, [p + half if upper[p] else p + LANES for p in range(LANES)])
            for p in range(LANES):
                if upper[p]:
                    x, y = rows[p], rows[p + half]
                    rows[p] = builder.shuffle_vector(x, y, first)
                    rows[p + half] = builder.shuffle_vector(x, y, last)
            half //= 2
        for p in range(LANES):
            builder.store(rows[p], place(3, 4, p), align=8)
        return context.get_dummy_value()

    places = types.intp, types.intp
    return types.void(source, *places, target, *places), code


@operation
def same(typing, value):
    def code(context, builder, signature, arguments):
        return spread(builder, arguments[0])

    return ROW(types.float64), code


@operation
def one_below(typing, x):
    def code(context, builder, signature, arguments):
        below = builder.fcmp_ordered("<", arguments[0], ir.Constant(VECTOR, [0.0] * LANES))
        lanes = builder.bitcast(below, ir.IntType(LANES))
        return builder.icmp_unsigned("!=", lanes, ir.Constant(ir.IntType(LANES), 0))

    return types.boolean(x), code


@operation
def chosen(typing, x, y, first, second):
    def code(context, builder, signature, arguments):
        x, y, first, second = _rows(context, builder, signature, arguments)
        return builder.select(builder.fcmp_ordered("<", x, y), first, second)

    return ROW(x, y, first, second), code


@operation
def summed(typing, x):
    def code(context, builder, signature, arguments):
        places = [builder.extract_element(arguments[0], ir.Constant(ir.IntType(32), k)) for k in range(LANES)]
        return reduce(builder.fadd, places)

    return types.float64(x), code


def _rows(context: Any, builder: Any, signature: Any, arguments: Any) -> list[Any]:
    """The arguments, numbers among them as rows."""
    return [
        value if kind == ROW else spread(builder, context.cast(builder, value, kind, types.float64))
        for value, kind in zip(arguments, signature.args, strict=True)
    ]


def _arithmetic(function: Callable[..., Any], name: str) -> None:
    """Let `function` take two rows, or a row and a number.   name : of the instruction."""

    @operation
    def both(typing, x, y):
        def code(context, builder, signature, arguments):
            return getattr(builder, name)(*_rows(context, builder, signature, arguments))

        return ROW(x, y), code

    @overload(function)
    def _both(x, y):
        others = types.Number, RowType
        if ROW in (x, y) and isinstance(x, others) and isinstance(y, others):
            return lambda x, y: both(x, y)
        return None


for _function, _name in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _arithmetic(_function, _name)
