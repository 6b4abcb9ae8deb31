"""Rows of a block as values: the LANES numbers of one cell, kept in vector registers, with + − × ÷ among them.

    row(block, i)          the numbers block[i, :] of a block (n, LANES)
    put(block, i, value)   block[i, :] = value
    least(x, y)            the smaller of each two; NaN where x is

A recurrence along a line, of LANES lines side by side, is then written once and without a loop over lanes:

    carry = row(r, i + 1) + e * carry

Numba's loops over a few lanes are either unrolled into operations on single numbers, or guarded in every row against
arrays that overlap; a row is neither.  Each operation is the one of IEEE on each number, so that nothing depends on how
wide the registers are: where they are narrower than LANES, a row takes several.

Of a line alone, stored (n,), a row is a number, and the same kernel compiles for that.  Where compilation is switched
off, a row is an array of NumPy.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, models, overload, register_model

from .tridiagonal import LANES

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


def row(block, i):
    """The numbers of cell i; i is not negative."""
    return block[i].copy() if block.ndim == 2 else block[i]


def put(block, i, value):
    """Set the numbers of cell i; i is not negative."""
    block[i] = value


def row_at(field, i, j):
    """The LANES numbers of a field (ny, nx) from place (i, j) on, none negative."""
    return field[i, j : j + LANES].copy()


def put_at(field, i, j, value):
    """Set the LANES numbers of a field (ny, nx) from place (i, j) on."""
    field[i, j : j + LANES] = value


def turn(source, i, j, target, k, m):
    """target[k + p, m + q] = source[i + q, j + p], p and q < LANES: a square that is transposed.  No place negative."""
    target[k : k + LANES, m : m + LANES] = source[i : i + LANES, j : j + LANES].T


def filled(block, value):
    """A row of a number, for a block."""
    return np.full(block.shape[1], value) if block.ndim == 2 else value


def least(x, y):
    """The smaller of each two; where one is NaN, x."""
    return np.where(y < x, y, x)


def positive(x):
    """max(x, 0) of each; 0 where x is NaN."""
    return np.where(x > 0.0, x, 0.0)


def absolute(x):
    """The absolute value of each."""
    return np.abs(x)


def choose(x, y, first, second):
    """Of each lane first where x < y, else second."""
    return np.where(x < y, first, second)


def total(x):
    """The sum over the lanes, one after the other."""
    return np.cumsum(x)[-1]


def any_negative(x):
    """Whether any is below 0."""
    return bool(np.any(x < 0.0))


@overload(row)
def _row(block, i):
    if block.ndim == 1:
        return lambda block, i: block[i]
    return lambda block, i: _load(block, i, 0)


@overload(put)
def _put(block, i, value):
    if block.ndim == 1:

        def one(block, i, value):
            block[i] = value

        return one
    return lambda block, i, value: _store(block, i, 0, value)


@overload(row_at)
def _row_at(field, i, j):
    return lambda field, i, j: _load(field, i, j)


@overload(put_at)
def _put_at(field, i, j, value):
    return lambda field, i, j, value: _store(field, i, j, value)


@overload(turn)
def _turn(source, i, j, target, k, m):
    return lambda source, i, j, target, k, m: _square(source, i, j, target, k, m)


@overload(filled)
def _filled(block, value):
    if block.ndim == 1:
        return lambda block, value: value
    return lambda block, value: _same(value)


@overload(any_negative)
def _any_negative(x):
    if x == ROW:
        return lambda x: _one_below(x)
    return lambda x: x < 0.0


@overload(positive)
def _positive(x):
    if x == ROW:
        return lambda x: _chosen(0.0, x, x, 0.0)
    return lambda x: x if x > 0.0 else 0.0


@overload(absolute)
def _absolute(x):
    if x == ROW:
        return lambda x: _chosen(x, 0.0, 0.0 - x, x)
    return lambda x: abs(x)


@overload(choose)
def _choose(x, y, first, second):
    if ROW in (x, y, first, second):
        return lambda x, y, first, second: _chosen(x, y, first, second)
    return lambda x, y, first, second: first if x < y else second


@overload(total)
def _total(x):
    if x == ROW:
        return lambda x: _summed(x)
    return lambda x: x


@overload(least)
def _least(x, y):
    if x == ROW:
        return lambda x, y: _chosen(y, x, y, x)
    return lambda x, y: y if y < x else x


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


@intrinsic
def _load(typing, block, i, j):
    if not _of_block(block):
        return None

    def code(context, builder, signature, arguments):
        return builder.load(_place(context, builder, signature.args[0], *arguments), align=8)

    return ROW(block, types.intp, types.intp), code


@intrinsic
def _store(typing, block, i, j, value):
    if not _of_block(block):
        return None

    def code(context, builder, signature, arguments):
        builder.store(arguments[3], _place(context, builder, signature.args[0], *arguments[:3]), align=8)
        return context.get_dummy_value()

    return types.void(block, types.intp, types.intp, ROW), code


@intrinsic
def _square(typing, source, i, j, target, k, m):
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


@intrinsic
def _same(typing, value):
    def code(context, builder, signature, arguments):
        return spread(builder, arguments[0])

    return ROW(types.float64), code


@intrinsic
def _one_below(typing, x):
    def code(context, builder, signature, arguments):
        below = builder.fcmp_ordered("<", arguments[0], ir.Constant(VECTOR, [0.0] * LANES))
        lanes = builder.bitcast(below, ir.IntType(LANES))
        return builder.icmp_unsigned("!=", lanes, ir.Constant(ir.IntType(LANES), 0))

    return types.boolean(x), code


@intrinsic
def _chosen(typing, x, y, first, second):
    def code(context, builder, signature, arguments):
        x, y, first, second = _rows(context, builder, signature, arguments)
        return builder.select(builder.fcmp_ordered("<", x, y), first, second)

    return ROW(x, y, first, second), code


@intrinsic
def _summed(typing, x):
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


def _arithmetic(operation: Callable[..., Any], name: str) -> None:
    """Let `operation` take two rows, or a row and a number.   name : of the instruction."""

    @intrinsic
    def both(typing, x, y):
        def code(context, builder, signature, arguments):
            return getattr(builder, name)(*_rows(context, builder, signature, arguments))

        return ROW(x, y), code

    @overload(operation)
    def _both(x, y):
        others = types.Number, RowType
        if ROW in (x, y) and isinstance(x, others) and isinstance(y, others):
            return lambda x, y: both(x, y)
        return None


for _operation, _name in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _arithmetic(_operation, _name)
