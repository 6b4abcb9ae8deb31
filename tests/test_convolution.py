"""W∗ρ: the FFT against the sum it stands for, its symmetry, and the kernel's average at the origin."""

import math

import numpy as np
import pytest

from wgfpde.convolution import (
    DENSE_LIMIT,
    DenseInteraction,
    FourierInteraction,
    _lag_zero,
    cell_average,
    make_interaction,
)
from wgfpde.errors import CaseError
from wgfpde.grid import Grid

KERNELS = {
    "smooth": lambda x, y=0.0: np.exp(-(x**2) - 0.5 * y**2),
    "sheared": lambda x, y=0.0: np.cos(x + 2 * y) / (1 + x**2 + y**2),
    "kinked": lambda x, y=0.0: np.hypot(x, y),
    "singular": lambda x, y=0.0: np.log(np.hypot(x, y)),
}
PERIODIC_1D = [[False], [True]]
PERIODIC_2D = [[False, False], [True, True], [True, False], [False, True]]


def make(kernel, dim):
    return (lambda x: kernel(x)) if dim == 1 else (lambda x, y: kernel(x, y))


def grid_of(shape, periodic, mapping=None):
    return Grid([-1.0, 0.0][: len(shape)], [1.5, 3.0][: len(shape)], shape, periodic, mapping)


def shortest(axis):
    """Displacements between all pairs of centres, and the other choice where ±L/2 are equally short."""
    shift = axis.centers[:, None] - axis.centers[None, :]
    if not axis.periodic:
        return [shift]
    shift = shift - axis.length * np.round(shift / axis.length)
    half = np.isclose(np.abs(shift), axis.length / 2)
    return [shift, np.where(half, -shift, shift)]


def direct_matrix(kernel, grid):
    """W at all pairs of cells, the mean over equally short displacements; not finite at lag 0 perhaps."""
    names = ["x", "y"][: grid.dim]
    choices = [shortest(axis) for axis in grid.axes]
    total, count = 0.0, 0
    for x in choices[0]:
        for y in choices[1] if grid.dim == 2 else [None]:
            shifts = {"x": x}
            if y is not None:
                ny, nx = grid.shape
                shifts = {"x": np.tile(x, (ny, ny)), "y": np.kron(y, np.ones((nx, nx)))}
            with np.errstate(all="ignore"):
                total, count = total + kernel(**{name: shifts[name] for name in names}), count + 1
    return total / count


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize(
    ("shape", "periodic"),
    [((n,), p) for n in (2, 3, 8, 13) for p in PERIODIC_1D]
    + [(s, p) for s in ((2, 2), (6, 5), (5, 4), (7, 9)) for p in PERIODIC_2D],
)
def test_fourier_equals_the_direct_sum(name, shape, periodic):
    grid = grid_of(list(shape), periodic)
    kernel = make(KERNELS[name], grid.dim)
    matrix = direct_matrix(kernel, grid)
    np.fill_diagonal(matrix, _lag_zero(kernel, tuple(axis.length / axis.size for axis in grid.axes)))
    rho = np.random.default_rng(1).random(grid.shape)
    expected = (matrix @ (rho * grid.cell_volume).ravel()).reshape(grid.shape)
    operator = make_interaction(kernel, grid)
    assert isinstance(operator, FourierInteraction)
    scale = np.max(np.abs(matrix)) * np.sum(rho * grid.cell_volume)
    np.testing.assert_allclose(operator.apply(rho), expected, rtol=0, atol=1e-14 * scale)


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize(
    ("shape", "periodic"), [((9,), [False]), ((8,), [True]), ((5, 4), [True, False]), ((4, 7), [False, True])]
)
def test_symmetric(name, mapped, shape, periodic):
    mapping = [lambda s: s**2] * len(shape) if mapped else None
    grid = grid_of(list(shape), periodic, mapping)
    operator = make_interaction(make(KERNELS[name], grid.dim), grid)
    rng = np.random.default_rng(2)
    a, b = rng.standard_normal((2, *grid.shape))
    left = np.sum(grid.cell_volume * a * operator.apply(b))
    right = np.sum(grid.cell_volume * b * operator.apply(a))
    scale = np.sum(grid.cell_volume * np.abs(a) * np.abs(operator.apply(np.abs(b)))) + 1
    assert abs(left - right) <= 1e-13 * scale


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize(
    ("shape", "periodic"), [((9,), [False]), ((9,), [True]), ((5, 4), [False, False]), ((5, 3), [True, True])]
)
def test_dense_equals_fourier_on_a_uniform_grid(name, shape, periodic):
    grid = grid_of(list(shape), periodic)
    kernel = make(KERNELS[name], grid.dim)
    rho = np.random.default_rng(3).random(grid.shape)
    dense, fourier = DenseInteraction(kernel, grid).apply(rho), FourierInteraction(kernel, grid).apply(rho)
    np.testing.assert_allclose(dense, fourier, rtol=1e-12, atol=1e-13)


def test_dense_on_a_stretched_grid():
    grid = Grid([0.0, 0.0], [1.0, 2.0], [5, 4], periodic=[False, True], mapping=[lambda s: s**2, None])
    kernel = make(KERNELS["singular"], 2)
    operator = make_interaction(kernel, grid)
    assert isinstance(operator, DenseInteraction)
    matrix = direct_matrix(kernel, grid)
    for k in range(grid.size):
        j, i = divmod(k, 5)
        matrix[k, k] = cell_average(kernel, (grid.x.widths[i], grid.y.widths[j]))
    rho = np.random.default_rng(4).random(grid.shape)
    expected = (matrix @ (rho * grid.cell_volume).ravel()).reshape(grid.shape)
    np.testing.assert_allclose(operator.apply(rho), expected, rtol=1e-12)


def test_quadratic_kernel_has_a_closed_form():
    grid = Grid([-2.0, -1.0], [3.0, 1.0], [20, 16])
    rho = np.random.default_rng(5).random(grid.shape)
    x, y = np.meshgrid(grid.x.centers, grid.y.centers)
    h = grid.cell_volume
    mass, cx, cy = np.sum(h * rho), np.sum(h * rho * x), np.sum(h * rho * y)
    second = np.sum(h * rho * (x**2 + y**2))
    expected = 0.5 * mass * (x**2 + y**2) - x * cx - y * cy + 0.5 * second
    result = make_interaction(lambda x, y: 0.5 * (x**2 + y**2), grid).apply(rho)
    np.testing.assert_allclose(result, expected, rtol=1e-12)


def test_apply_leaves_its_argument_and_its_last_result():
    for grid in (Grid([0.0], [1.0], [8]), Grid([0.0, 0.0], [1.0, 1.0], [8, 6])):
        operator = make_interaction(make(KERNELS["kinked"], grid.dim), grid)
        rho = np.ones(grid.shape)
        first = operator.apply(rho)
        kept = first.copy()
        operator.apply(2 * rho)
        np.testing.assert_array_equal(first, kept)
        np.testing.assert_array_equal(rho, 1.0)
        np.testing.assert_array_equal(operator.apply(rho), kept)


# The average over a cell at the origin


@pytest.mark.parametrize("h", [1e-4, 0.1, 1.0, 7.3])
@pytest.mark.parametrize(
    ("kernel", "closed_form"),
    [
        (lambda x: np.log(np.abs(x)), lambda h: math.log(h / 2) - 1),
        (lambda x: np.abs(x), lambda h: h / 4),
        (lambda x: np.abs(x) ** -0.5, lambda h: 2 * (h / 2) ** -0.5),
        (lambda x: np.abs(x) ** 1.5, lambda h: (h / 2) ** 1.5 / 2.5),
        (lambda x: x**2, lambda h: h**2 / 12),
        (lambda x: 3.0, lambda h: 3.0),
    ],
)
def test_cell_average_1d(kernel, closed_form, h):
    assert cell_average(kernel, (h,)) == pytest.approx(closed_form(h), rel=1e-11)


@pytest.mark.parametrize("h", [1e-4, 0.1, 1.0, 7.3])
@pytest.mark.parametrize(
    ("kernel", "closed_form"),
    [
        (lambda x, y: np.log(np.hypot(x, y)), lambda h: math.log(h) - math.log(2) / 2 + math.pi / 4 - 1.5),
        (lambda x, y: np.hypot(x, y), lambda h: h * (math.sqrt(2) + math.asinh(1)) / 6),
        (lambda x, y: 1 / np.hypot(x, y), lambda h: 4 * math.asinh(1) / h),
        (lambda x, y: x**2 + 3 * y**2, lambda h: h**2 / 3),
        (lambda x, y: np.abs(x), lambda h: h / 4),
        (lambda x, y: 3.0, lambda h: 3.0),
    ],
)
def test_cell_average_2d(kernel, closed_form, h):
    assert cell_average(kernel, (h, h)) == pytest.approx(closed_form(h), rel=1e-11, abs=1e-11)


def test_cell_average_of_a_root_on_a_rectangle():
    integrate = pytest.importorskip("scipy.integrate")
    hx, hy = 0.3, 0.8
    corner = math.atan2(hy, hx)
    radial = [
        integrate.quad(lambda t: (hx / 2 / math.cos(t)) ** 1.5 / 1.5, 0, corner, epsabs=1e-14)[0],
        integrate.quad(lambda t: (hy / 2 / math.sin(t)) ** 1.5 / 1.5, corner, math.pi / 2, epsabs=1e-14)[0],
    ]
    average = cell_average(lambda x, y: np.hypot(x, y) ** -0.5, (hx, hy))
    assert average == pytest.approx(4 * sum(radial) / (hx * hy), rel=1e-11)


def test_lag_zero_is_the_value_where_the_kernel_is_smooth():
    grid = Grid([0.0], [1.0], [2])  # h = 1/2
    unit = np.array([1.0, 0.0])
    for kernel, expected in [
        (lambda x: np.cos(x), 1.0),
        (lambda x: 0.5 * x**2, 0.0),
        (lambda x: np.zeros_like(x), 0.0),
        (lambda x: np.abs(x), 0.5 / 4),
        (lambda x: np.exp(-np.abs(x)), (1 - math.exp(-0.25)) / 0.25),
    ]:
        result = make_interaction(kernel, grid).apply(unit)
        assert result[0] == pytest.approx(0.5 * expected, rel=1e-10, abs=1e-15)


# Refusals


@pytest.mark.parametrize("mapping", [None, [lambda s: s**2]])
@pytest.mark.parametrize("power", [1, 1.5, 2, 8, 12])
def test_kernel_not_integrable_in_1d(power, mapping):
    with pytest.raises(CaseError, match="not integrable at displacement 0"):
        make_interaction(lambda x: np.abs(x) ** -power, Grid([0.0], [1.0], [8], mapping=mapping))


@pytest.mark.parametrize("power", [2, 3, 8])
def test_kernel_not_integrable_in_2d(power):
    with pytest.raises(CaseError, match=r"not integrable at displacement 0.*Soften"):
        make_interaction(lambda x, y: -(np.hypot(x, y) ** -power), Grid([0.0, 0.0], [1.0, 1.0], [4, 4]))


def test_strong_but_integrable_kernels_are_accepted():
    make_interaction(lambda x: np.abs(x) ** -0.9, Grid([0.0], [1.0], [8]))
    make_interaction(lambda x, y: np.hypot(x, y) ** -1.8, Grid([0.0, 0.0], [1.0, 1.0], [4, 4]))
    make_interaction(lambda x, y: (np.hypot(x, y) > 0.12) * 1.0, Grid([0.0, 0.0], [1.0, 1.0], [4, 4]))


@pytest.mark.parametrize("mapping", [None, [lambda s: s**2]])
@pytest.mark.parametrize("kernel", [lambda x: x, lambda x: np.sin(x) + np.cos(x), lambda x: np.exp(x)])
def test_odd_kernel_refused(kernel, mapping):
    with pytest.raises(CaseError, match="must be even"):
        make_interaction(kernel, Grid([0.0], [1.0], [8], mapping=mapping))


def test_odd_kernel_refused_in_2d():
    with pytest.raises(CaseError, match="must be even"):
        make_interaction(lambda x, y: x + y**2, Grid([0.0, 0.0], [1.0, 1.0], [4, 4]))
    make_interaction(lambda x, y: x * y, Grid([0.0, 0.0], [1.0, 1.0], [4, 4]))


@pytest.mark.parametrize("mapping", [None, [lambda s: s**2]])
def test_kernel_not_finite(mapping):
    with pytest.raises(CaseError, match="not finite at displacement x = "):
        make_interaction(lambda x: np.sqrt(0.5 - np.abs(x)), Grid([0.0], [1.0], [8], mapping=mapping))


def test_stretched_grid_too_large():
    side = math.isqrt(DENSE_LIMIT) + 1
    grid = Grid([0.0, 0.0], [1.0, 1.0], [side, side], mapping=[lambda s: s**2, None])
    with pytest.raises(CaseError, match=rf"at most {DENSE_LIMIT} cells, found {side * side}.*uniform grid"):
        make_interaction(make(KERNELS["smooth"], 2), grid)
