"""Rows of a block as values: the operations of NumPy on every lane, bit for bit, compiled or not; their logarithm."""

import numpy as np
import pytest

from wgfpde.base.kernel_cache import njit
from wgfpde.linear.lines import gather, scatter
from wgfpde.linear.row_logarithm import logarithm
from wgfpde.linear.rows import any_negative, choose, filled, least, positive, put, row, total, turn
from wgfpde.linear.tridiagonal import LANES

ODD = [0.0, -0.0, 1.0, -1.0, 5e-324, -1e308, 1e308, np.inf, -np.inf, np.nan, 1 / 3]


@njit(error_model="numpy")
def operations(x, y, out, sums):
    """Each of them once, on every cell of x and y, into the rows of out; (sum, whether one is negative) into sums."""
    n = x.shape[0]
    for i in range(n):
        a, b = row(x, i), row(y, i)
        put(out, i, a + b)
        put(out, n + i, a - b)
        put(out, 2 * n + i, a * b)
        put(out, 3 * n + i, a / b)
        put(out, 4 * n + i, 2.0 * a - b / 3)
        put(out, 5 * n + i, least(a, b))
        put(out, 6 * n + i, positive(a))
        put(out, 7 * n + i, choose(a, b, 1.0, a) + choose(0.0, a, b, -2.0))
        put(out, 8 * n + i, filled(x, 0.1) + 1.0 / a)
        sums[i, 0], sums[i, 1] = total(a), any_negative(b)


def expected(x, y):
    with np.errstate(all="ignore"):
        first, last = np.where(x < y, 1.0, x), np.where(x > 0, y, -2.0)
        small, above = np.where(y < x, y, x), np.where(x > 0, x, 0.0)
        parts = x + y, x - y, x * y, x / y, 2.0 * x - y / 3, small, above, first + last, 0.1 + 1.0 / x
    return np.concatenate(parts)


@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize("compiled", [True, False])
def test_operations(alone, compiled):
    """On usual numbers and on odd ones, in blocks and in a line alone."""
    rng = np.random.default_rng(21)
    x, y = rng.normal(size=(2, 20, LANES)) * 10.0 ** rng.integers(-9, 9, (2, 20, LANES))
    x[10:], y[10:] = rng.choice(ODD, (2, 10, LANES))
    if alone:
        x, y = x[:, 0].copy(), y[:, 0].copy()
    out, sums = np.full((9 * len(x), *x.shape[1:]), 7.0), np.zeros((len(x), 2))
    with np.errstate(all="ignore"):
        (operations if compiled else getattr(operations, "py_func", operations))(x, y, out, sums)
        lanes = x.reshape(len(x), -1)
        assert np.array_equal(sums[:, 0], np.cumsum(lanes, axis=1)[:, -1], equal_nan=True)
    assert np.array_equal(sums[:, 1], (y.reshape(len(y), -1) < 0).any(axis=1))
    wanted = expected(x, y)
    assert np.array_equal(out, wanted, equal_nan=True)
    there = np.isfinite(wanted)
    assert np.array_equal(np.signbit(out[there]), np.signbit(wanted[there]))


@njit(error_model="numpy")
def logarithms(x, out):
    for i in range(x.shape[0]):
        put(out, i, logarithm(row(x, i)))


@pytest.mark.parametrize("compiled", [True, False])
def test_the_logarithm(compiled):
    """Within a unit in the last place, from the least subnormal to the largest number, and close to 1."""
    rng = np.random.default_rng(3)
    size = 80_000 if compiled else 800
    near = 1.0 + 10.0 ** rng.uniform(-17, -0.3, size) * rng.choice([-1, 1], size)
    wide, usual = 2.0 ** rng.uniform(-1074, 1023.9, size), rng.uniform(0.4, 3, size)
    ends = [5e-324, 2.0**-1023, np.nextafter(2.0**-1022, 0), 2.0**-1022, 1.0, np.sqrt(0.5), np.sqrt(2), 1.7e308]
    x = np.concatenate([wide, usual, near, ends]).reshape(-1, LANES)
    out = np.empty_like(x)
    if compiled:
        logarithms(x, out)
    else:
        out = getattr(logarithm, "py_func", logarithm)(x)
    true = np.log(x.astype(np.longdouble))
    assert np.max(np.abs(out - true) / np.spacing(np.abs(np.log(x)))) <= 1.0
    assert np.all(out[x == 1.0] == 0.0)


def test_the_logarithm_where_there_is_none():
    """0 ln 0 is 0, and what is no density is not taken for one."""
    x = np.array([[0.0, -0.0, -1e-300, -np.inf, np.inf, np.nan, 1.0, -5e-324]])
    out = np.empty_like(x)
    logarithms(x, out)
    assert np.all(np.isfinite(out[0, [0, 1, 6]])) and np.all(x[0, [0, 1]] * out[0, [0, 1]] == 0.0)
    assert np.all(np.isnan(out[0, [2, 3, 4, 5, 7]]))


@njit(error_model="numpy")
def square(source, target):
    turn(source, 2, 3, target, 5, 1)


def test_a_square_is_turned():
    source, target = np.random.default_rng(1).random((2, 20, 17))
    wanted, other = target.copy(), target.copy()
    wanted[5 : 5 + LANES, 1 : 1 + LANES] = source[2 : 2 + LANES, 3 : 3 + LANES].T
    square(source, target)
    getattr(square, "py_func", square)(source, other)
    assert np.array_equal(target, wanted) and np.array_equal(other, wanted)


@pytest.mark.parametrize("shape", [(1, 7), (8, 8), (9, 23), (24, 16), (3, 40)])
@pytest.mark.parametrize("direction", [0, 1])
def test_lines_to_blocks_and_back(shape, direction):
    """Whole squares and what is left of them; a block with fewer lines than lanes keeps the others as they are."""
    field = np.random.default_rng(2).random(shape)
    along = field if direction == 0 else field.T
    n, count = along.shape
    back = np.zeros(shape)
    for first in range(0, count, LANES):
        lines = min(LANES, count - first)
        block = np.full((n, LANES), -1.0)
        gather(field, direction, first, lines, block)
        assert np.array_equal(block[:, :lines], along[:, first : first + lines]) and np.all(block[:, lines:] == -1.0)
        scatter(block, direction, first, lines, back)
    assert np.array_equal(back, field)
