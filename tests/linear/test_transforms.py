"""The cosine and Hartley transforms diagonalise the five-point Laplacian for every mixture of boundaries."""

import numpy as np
import pytest

from wgfpde.errors import CaseError
from wgfpde.grid import Grid
from wgfpde.linear.transforms import Cosine

GRIDS = [
    Grid([0.0], [2.0], [7]),
    Grid([0.0], [2.0], [8], True),
    Grid([0.0, -1.0], [2.0, 1.0], [6, 5]),
    Grid([0.0, -1.0], [2.0, 1.0], [2, 9], [True, False]),
    Grid([0.0, -1.0], [2.0, 1.0], [12, 7], [False, True]),
    Grid([0.0, -1.0], [2.0, 1.0], [4, 6], True),
]


def minus_laplacian(grid, u):
    out = np.zeros_like(u)
    for place, axis in zip((1, 0), grid.axes, strict=False):
        weights = (1.0 / axis.distances / axis.widths).reshape((1, -1) if place else (-1, 1))
        flux = (np.roll(u, -1, place) - u) * weights
        out -= flux - np.roll(flux, 1, place)
    return out


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_diagonalises_the_laplacian(grid):
    cosine = Cosine(grid)
    u = np.random.default_rng(0).normal(size=cosine.shape)
    image = cosine.backward(cosine.eigenvalues * cosine.forward(u.copy()))
    np.testing.assert_allclose(image, minus_laplacian(grid, u), atol=1e-11)


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_orthogonal(grid):
    cosine = Cosine(grid)
    u, v = np.random.default_rng(1).normal(size=(2, 3, *cosine.shape))
    assert np.vdot(cosine.forward(u.copy()), v) == pytest.approx(
        np.vdot(u, cosine.backward(v.copy())), rel=1e-12, abs=0
    )
    np.testing.assert_allclose(cosine.backward(cosine.forward(u.copy())), u, atol=1e-14)


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_each_of_many_is_transformed_as_alone(grid):
    cosine = Cosine(grid)
    many = np.random.default_rng(4).normal(size=(2, 3, *cosine.shape))
    for transform in (cosine.forward, cosine.backward):
        alone = [[transform(each.copy()) for each in row] for row in many]
        np.testing.assert_allclose(transform(many.copy()), alone, rtol=0, atol=1e-14)


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_solve(grid):
    cosine = Cosine(grid)
    f = np.random.default_rng(2).normal(size=cosine.shape)
    u = cosine.solve(f)
    np.testing.assert_allclose(minus_laplacian(grid, u), f - f.mean(), atol=1e-12 * np.abs(cosine.eigenvalues).max())
    assert abs(u.mean()) < 1e-13
    u = cosine.solve(f, shift=0.5)
    np.testing.assert_allclose(minus_laplacian(grid, u) + 0.5 * u, f, atol=1e-12 * np.abs(cosine.eigenvalues).max())


def test_stretched_axes_are_refused():
    with pytest.raises(CaseError, match="axis x is stretched"):
        Cosine(Grid([0.0], [1.0], [8], mapping=[lambda s: s**2]))


@pytest.mark.parametrize("boundary", [False, True])
@pytest.mark.parametrize("shape", [(300, 260), (256, 256)])
def test_threads_change_no_bit(shape, boundary):
    """A library's own threads do: where a range of lines ends decides how it is rounded."""
    grid = Grid([0.0, 0.0], [1.0, 1.0], shape, boundary)
    a = np.random.default_rng(3).normal(size=(2, *grid.shape))
    one, *others = (Cosine(grid, threads).forward(a.copy()) for threads in (1, 2, 3))
    for other in others:
        np.testing.assert_array_equal(one, other)
