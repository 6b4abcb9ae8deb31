"""Tables at scattered places: values as on grids, slopes against differences."""

import numpy as np
import pytest
from scipy.interpolate import CubicSpline, PchipInterpolator

from wgfpde import Grid
from wgfpde.formulas.gradients import gradient_of
from wgfpde.grid.tables.scattered import Slope
from wgfpde.grid.tables.table import table_of
from wgfpde.grid.tables.tabulated import KINDS, Tabulated

SMOOTH = ("cubic", "pchip")


def table(kind, dim, ring, sizes=(11, 8)):
    """Random values at unequal places, on a grid with walls or rings, and random places in its box."""
    rng = np.random.default_rng([dim, ring, *sizes])
    gaps = [np.sort(rng.uniform(0.5, 2.0, n - 1))[::-1] for n in sizes[:dim]]  # the last one closes a ring
    places = [np.append(0.0, np.cumsum(gap) / np.sum(gap)) for gap in gaps]
    if ring:
        places = [along[:-1] for along in places]
    values = rng.normal(size=tuple(len(along) for along in reversed(places)))
    grid = Grid([0.0] * dim, [1.0] * dim, [12, 10][:dim], "periodic" if ring else "no-flux")
    points = dict(zip("xy", rng.uniform(0.0, 1.0, size=(dim, 400)), strict=False))
    return Tabulated(table_of(places, values, "t"), kind).on(grid), grid, points


@pytest.mark.parametrize("ring", [False, True])
@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_slopes_are_those_of_the_function(kind, dim, ring):
    """By central differences away from where the pieces meet: 1e-7 of the largest."""
    found, grid, points = table(kind, dim, ring)
    step = 1e-6
    for name, slope in zip("xy", gradient_of(found, grid), strict=False):
        ahead, back = (found(**points | {name: points[name] + side * step}) for side in (1, -1))
        difference, value = (ahead - back) / (2 * step), slope(**points)
        assert isinstance(slope, Slope) and value.shape == (400,)
        off = np.abs(value - difference) > 1e-7 * np.max(np.abs(value)) + 1e-9
        assert np.mean(off) <= 0.01  # those within a step of a place


@pytest.mark.parametrize("kind", SMOOTH)
@pytest.mark.parametrize("ring", [False, True])
def test_slopes_of_smooth_kinds_do_not_jump(kind, ring):
    """Nor across the places of the table."""
    found = table(kind, 2, ring)[0]
    for k, name in enumerate("xy"):
        slope, at = found.derivative(name), found.table.places[k][1:-1]
        other = {"xy"[1 - k]: np.full(len(at), 0.3)}
        left, right = (slope(**{name: at + side}, **other) for side in (-1e-12, 1e-12))
        assert left == pytest.approx(right, rel=1e-8, abs=1e-8)


@pytest.mark.parametrize("ring", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sizes", [(11, 8), (6, 4), (5, 3)])
def test_values_are_those_of_interpolating_row_by_row(kind, ring, sizes):
    found, _, points = table(kind, 2, ring, sizes)
    line = [found(x=x, y=np.array([y]))[0] for x, y in zip(points["x"][:60, None], points["y"][:60], strict=True)]
    direct = found(x=points["x"][:60], y=points["y"][:60])
    grids = [found(x=x[None, :], y=np.array([[y]]))[0, 0] for x, y in zip(points["x"][:60, None], points["y"][:60],
                                                                           strict=True)]  # fmt: skip
    assert direct == pytest.approx(grids, rel=1e-11, abs=1e-12)
    assert line == pytest.approx(grids, rel=1e-11, abs=1e-12)


def test_the_slope_of_a_table_of_two_rows():
    values = np.array([[0.0, 1.0, 4.0, 9.0], [2.0, 3.0, 6.0, 11.0]])
    for kind in KINDS:
        found = Tabulated(table_of([np.arange(4.0), np.array([0.0, 1.0])], values, "t"), kind)
        expected = 0.0 if kind == "nearest" else 2.0
        assert found.derivative("y")(x=[0.3, 2.2], y=[0.2, 0.7]) == pytest.approx([expected] * 2, rel=1e-12, abs=1e-15)


def test_slopes_against_scipy_along_a_line():
    rng = np.random.default_rng(3)
    x, y, values = np.linspace(0, 1, 9), np.linspace(0, 2, 7), rng.normal(size=(7, 9))
    for kind, spline in (("cubic", CubicSpline), ("pchip", PchipInterpolator)):
        found = Tabulated(table_of([x, y], values, "t"), kind)
        for place in (0.05, 0.4, 0.93):
            rows = spline(x, values.T)(place)
            at = np.linspace(-0.1, 2.1, 37)  # beyond the ends too
            expected = spline(y, rows)(at, 1)
            assert found.derivative("y")(x=np.full(37, place), y=at) == pytest.approx(expected, rel=1e-10, abs=1e-10)


def test_slopes_on_a_grid_of_places():
    found, grid, _ = table("cubic", 2, False)
    for name in "xy":
        slope = found.derivative(name)
        whole = grid.sample(slope)
        x, y = np.meshgrid(grid.x.centers, grid.y.centers)
        assert whole == pytest.approx(slope(x=x.ravel(), y=y.ravel()).reshape(grid.shape), rel=1e-13, abs=0)
