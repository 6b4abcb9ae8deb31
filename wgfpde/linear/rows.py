"""Rows of a block as values: the LANES numbers of one cell, kept in vector registers, with + − × ÷ among them.

    row(block, i)          the numbers block[i, :] of a block (n, LANES)
    put(block, i, value)   block[i, :] = value
    least(x, y)            the smaller of each two

A recurrence along a line, of LANES lines side by side, is then written once and without a loop over lanes:

    carry = row(r, i + 1) + e * carry

Numba's loops over a few lanes are either unrolled into operations on single numbers, or guarded in every row against
arrays that overlap; a row is neither.  Each operation is the one of IEEE on each number, so that nothing depends on how
wide the registers are: where they are narrower than LANES, a row takes several.

Of a line alone, stored (n,), a row is a number, and the same kernel compiles for that.  Where compilation is switched
off, a row is an array of NumPy.  These functions are for kernels (`njit`); for NumPy there are shorter ways.
"""

from __future__ import annotations

import numpy as np
from numba.extending import overload

from .row_code import ROW, chosen, load, one_below, same, square, store, summed
from .tridiagonal import LANES


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
    return lambda block, i: load(block, i, 0)


@overload(put)
def _put(block, i, value):
    if block.ndim == 1:

        def one(block, i, value):
            block[i] = value

        return one
    return lambda block, i, value: store(block, i, 0, value)


@overload(row_at)
def _row_at(field, i, j):
    return lambda field, i, j: load(field, i, j)


@overload(put_at)
def _put_at(field, i, j, value):
    return lambda field, i, j, value: store(field, i, j, value)


@overload(turn)
def _turn(source, i, j, target, k, m):
    return lambda source, i, j, target, k, m: square(source, i, j, target, k, m)


@overload(filled)
def _filled(block, value):
    if block.ndim == 1:
        return lambda block, value: value
    return lambda block, value: same(value)


@overload(any_negative)
def _any_negative(x):
    if x == ROW:
        return lambda x: one_below(x)
    return lambda x: x < 0.0


@overload(positive)
def _positive(x):
    if x == ROW:
        return lambda x: chosen(0.0, x, x, 0.0)
    return lambda x: x if x > 0.0 else 0.0


@overload(absolute)
def _absolute(x):
    if x == ROW:
        return lambda x: chosen(x, 0.0, 0.0 - x, x)
    return lambda x: abs(x)


@overload(choose)
def _choose(x, y, first, second):
    if ROW in (x, y, first, second):
        return lambda x, y, first, second: chosen(x, y, first, second)
    return lambda x, y, first, second: first if x < y else second


@overload(total)
def _total(x):
    if x == ROW:
        return lambda x: summed(x)
    return lambda x: x


@overload(least)
def _least(x, y):
    if x == ROW:
        return lambda x, y: chosen(y, x, y, x)
    return lambda x, y: y if y < x else x
