"""Grids: geometry, sampling, quadrature and refusals."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wgfpde.errors import CaseError
from wgfpde.grid.checked_values import check_finite
from wgfpde.grid.grid import Grid

PLANE = Grid([-1.0, 0.0], [1.0, 3.0], [4, 3], periodic=[True, False])


def quadratic(s):
    return s**2


def test_geometry_1d():
    grid = Grid([-1.0], [2.0], [6])
    assert grid.dim == 1 and grid.shape == (6,) and grid.size == 6 and grid.uniform and grid.volume == 3
    np.testing.assert_allclose(grid.x.edges, np.linspace(-1, 2, 7), rtol=1e-15)
    np.testing.assert_array_equal(grid.x.widths, 0.5)
    np.testing.assert_allclose(grid.x.centers, np.arange(-0.75, 2, 0.5))
    np.testing.assert_array_equal(grid.x.distances, [0.5] * 5 + [np.inf])
    assert grid.cell_volume.shape == (6,)


def test_geometry_2d_is_ordered_y_x():
    assert PLANE.shape == (3, 4) and PLANE.size == 12
    assert PLANE.cell_volume.shape == (3, 4) and np.all(PLANE.cell_volume == 0.5)
    coords = PLANE.coordinates()
    assert coords["x"].shape == (1, 4) and coords["y"].shape == (3, 1)
    assert PLANE.x.distances[-1] == 0.5 and PLANE.y.distances[-1] == np.inf
    assert PLANE.describe((2, 0)) == "x = -0.75, y = 2.5"
    assert repr(PLANE) == "Grid(4×3 cells on [-1, 1] × [0, 3])"


def test_stretched_axis():
    grid = Grid([0.0, 0.0], [2.0, 1.0], [4, 2], periodic=True, mapping=[quadratic, None])
    np.testing.assert_allclose(grid.x.edges, [0, 0.125, 0.5, 1.125, 2])
    np.testing.assert_allclose(grid.x.widths, [0.125, 0.375, 0.625, 0.875])
    np.testing.assert_allclose(grid.x.distances, [0.25, 0.5, 0.75, 0.5])
    assert not grid.uniform and grid.y.uniform
    np.testing.assert_allclose(grid.cell_volume, 0.5 * np.tile(grid.x.widths, (2, 1)))
    assert np.sum(grid.cell_volume) == pytest.approx(grid.volume, rel=1e-15, abs=0)


def test_the_identity_map_is_uniform():
    assert Grid([0.0], [1.0], [10], mapping=[lambda s: s]).uniform
    assert Grid([0.0], [1.0], [10], mapping=[lambda s: s + 1e-6 * s * (1 - s)]).uniform is False


@given(st.integers(2, 3000), st.floats(-1e3, 1e3), st.floats(1e-3, 1e3))
@settings(max_examples=50, deadline=None)
def test_widths_are_equal_and_fill_the_axis(size, lower, length):
    axis = Grid([lower], [lower + length], [size]).x
    assert np.ptp(axis.widths) == 0
    assert axis.lower == lower and axis.upper == lower + length
    assert axis.widths.sum() == pytest.approx(axis.length, rel=1e-13, abs=0)
    assert np.all(np.diff(axis.edges) > 0)


@pytest.mark.parametrize("function", [lambda x, y: x**2, lambda x, y: y + 1, lambda x, y: x * y, lambda x, y: 3.0])
def test_sample_fills_the_grid_row_by_row(function):
    values = PLANE.sample(function)
    assert values.shape == (3, 4) and values.flags.c_contiguous and values.flags.writeable
    x, y = np.meshgrid(PLANE.x.centers, PLANE.y.centers)
    np.testing.assert_array_equal(values, np.broadcast_to(function(x, y), (3, 4)))


@pytest.mark.parametrize("mapping", [None, [quadratic, quadratic]])
def test_average_is_exact_for_polynomials(mapping):
    grid = Grid([-1.0, 0.0], [1.0, 3.0], [4, 3], mapping=mapping)

    def integral(edges, n):
        return np.diff(edges ** (n + 1)) / (n + 1)

    for n, m in [(0, 0), (1, 0), (7, 2), (3, 7)]:
        expected = np.outer(integral(grid.y.edges, m), integral(grid.x.edges, n)) / grid.cell_volume
        average = grid.average(lambda x, y, n=n, m=m: x**n * y**m)
        np.testing.assert_allclose(average, expected, rtol=1e-12, atol=1e-12)
    line = Grid([-1.0], [1.0], [4])
    np.testing.assert_allclose(line.average(lambda x: x**22), integral(line.x.edges, 22) / 0.5, rtol=1e-12)
    np.testing.assert_allclose(line.average(lambda x: np.exp(x)), np.diff(np.exp(line.x.edges)) / 0.5)
    np.testing.assert_array_equal(line.average(lambda x: x, points=1), line.x.centers)


def test_equality_and_hash():
    same = Grid([-1.0, 0.0], [1.0, 3.0], [4, 3], periodic=[True, False])
    assert same == PLANE and hash(same) == hash(PLANE)
    assert Grid([-1.0, 0.0], [1.0, 3.0], [4, 3]) != PLANE
    assert Grid([0.0], [1.0], [4]) != Grid([0.0], [1.0], [4], mapping=[quadratic])
    assert PLANE != 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([0, 0, 0], [1, 1, 1], [2, 2, 2]), "one or two axes; shape has 3"),
        (([], [], []), "one or two axes"),
        (([0], [1, 1], [2]), "lower has 1 and upper has 2"),
        (([0], [1], [1]), "axis x needs at least 2 cells; found 1"),
        (([0, 0], [1, 1], [2, 0]), "axis y needs at least 2 cells"),
        (([1], [0], [4]), "lower < upper; found lower = 1, upper = 0"),
        (([0], [math.inf], [4]), "finite bounds"),
        (([math.nan], [1], [4]), "finite bounds"),
        (([0], [1], [4], [True, False]), "one entry per axis"),
        (([0], [1], [4], False, [None, None]), "one entry per axis"),
        (([0], [1], [4], False, [lambda s: 2 * s]), "must take s = 0 to 0 and s = 1 to 1; found 0 and 2"),
        (([0], [1], [4], False, [lambda s: s / (1 - s)]), "must take s = 0 to 0"),
        (([0], [1], [4], False, [lambda s: s + np.sin(2 * np.pi * s)]), "it does not between s = 0.25"),
        (([0], [1], [4], False, [lambda s: np.round(s)]), "must increase"),
    ],
)
def test_refused(arguments, words):
    with pytest.raises(CaseError, match=words), np.errstate(all="ignore"):
        Grid(*arguments)


def test_cells_that_cannot_be_told_apart():
    """Edges around 1e6 lie 1e-10 apart at best."""
    Grid([1e6], [1e6 + 1e-6], [64])
    with pytest.raises(CaseError, match="too narrow for double precision"):
        Grid([1e6], [1e6 + 1e-9], [11])


def test_check_finite():
    grid = Grid([-1, 0], [1, 3], [4, 3])
    values = np.ones(grid.shape)
    check_finite(values, grid, "V")
    values[1, 2] = np.inf
    values[2, 0] = np.nan
    with pytest.raises(CaseError) as caught:
        check_finite(values, grid, 'the potential "log(x)"')
    message = str(caught.value)
    assert message.startswith('the potential "log(x)" must be finite in every cell; it is not in 2 of 12: ')
    assert "found inf" in message and "x = 0.25, y = 1.5" in message and "overflow" in message
    values[1, 2] = 0
    with pytest.raises(CaseError, match=r"found nan \(undefined.*x = -0.75, y = 2.5"):
        check_finite(values, grid, "V")
