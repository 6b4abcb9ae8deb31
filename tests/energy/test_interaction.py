"""W∗ρ: the FFT against the sum it stands for, its symmetry, the kernel's averages over cells, and the order."""

import math

import numpy as np
import pytest
from scipy import special

from wgfpde.energy.averages.kernel_averages import cell_average, lag_averages, lag_zero
from wgfpde.energy.averages.kernel_values import values_on_lags
from wgfpde.energy.interaction import DENSE_LIMIT, DenseInteraction, FourierInteraction, _lags, make_interaction
from wgfpde.errors import CaseError
from wgfpde.grid import Grid

KERNELS = {
    "smooth": lambda x, y=0.0: np.exp(-0.1 * x**2 - 0.05 * y**2),
    "sheared": lambda x, y=0.0: np.cos(0.2 * (x + 2 * y)) / (1 + 0.05 * (x**2 + y**2)),
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
    if not axis.ring:
        return [shift]
    shift = shift - axis.length * np.round(shift / axis.length)
    half = np.isclose(np.abs(shift), axis.length / 2, atol=0)
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


def corner_log(x, y=None):
    """∫∫ ln r over the box from the origin to (x, y), odd in each of them; in 1D ∫ ln|x|."""
    if y is None:
        return special.xlogy(x, np.abs(x)) - x
    r2 = x**2 + y**2
    angles = x**2 * np.arctan2(np.abs(y), np.abs(x)) + y**2 * np.arctan2(np.abs(x), np.abs(y))
    return 0.5 * special.xlogy(x * y, r2) - 1.5 * x * y + 0.5 * np.sign(x * y) * angles


def corner_distance(x, y=None):
    """The same of r."""
    if y is None:
        return 0.5 * x * np.abs(x)
    x, y = np.where(x == 0, 1e-200, x), np.where(y == 0, 1e-200, y)
    ends = x**3 * np.arcsinh(y / np.abs(x)) + y**3 * np.arcsinh(x / np.abs(y))
    return x * y * np.hypot(x, y) / 3 + ends / 6


CORNERS = {"kinked": corner_distance, "singular": corner_log}


def pieces(axis):
    """Cells around the displacements of all pairs, cut where another displacement becomes the shortest."""
    h = axis.length / axis.size
    shift = axis.centers[:, None] - axis.centers[None, :]
    if not axis.ring:
        return [(shift - h / 2, shift + h / 2)]
    shift = np.round((shift - axis.length * np.round(shift / axis.length)) / h * 2) / 2 * h
    low, high, half = shift - h / 2, shift + h / 2, axis.length / 2
    inside = (np.maximum(low, -half), np.minimum(high, half))
    left = (np.minimum(low, -half) + axis.length, half + 0 * low)
    right = (-half + 0 * high, np.maximum(high, half) - axis.length)
    return [inside, left, right]


def averaged_matrix(corner, grid):
    """Averages of W over cells around the displacements of all pairs, from the integral of W over corner boxes."""
    if grid.dim == 1:
        return sum(corner(b) - corner(a) for a, b in pieces(grid.x)) / grid.x.widths[0]
    ny, nx = grid.shape
    total = 0.0
    for a, b in pieces(grid.x):
        for c, d in pieces(grid.y):
            low, high = np.tile(a, (ny, ny)), np.tile(b, (ny, ny))
            bottom, top = np.kron(c, np.ones((nx, nx))), np.kron(d, np.ones((nx, nx)))
            total += corner(high, top) - corner(low, top) - corner(high, bottom) + corner(low, bottom)
    return total / (grid.x.widths[0] * grid.y.widths[0])


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize(
    ("shape", "periodic"),
    [((n,), p) for n in (2, 3, 8, 13) for p in PERIODIC_1D]
    + [(s, p) for s in ((2, 2), (6, 5), (5, 4), (7, 9)) for p in PERIODIC_2D],
)
def test_fourier_equals_the_direct_sum(name, shape, periodic):
    grid = grid_of(list(shape), periodic)
    kernel = make(KERNELS[name], grid.dim)
    matrix = averaged_matrix(CORNERS[name], grid) if name in CORNERS else direct_matrix(kernel, grid)
    rho = np.random.default_rng(1).random(grid.shape)
    expected = (matrix @ (rho * grid.cell_volume).ravel()).reshape(grid.shape)
    operator = make_interaction(kernel, grid)
    assert isinstance(operator, FourierInteraction)
    scale = np.max(np.abs(matrix)) * np.sum(rho * grid.cell_volume)
    accuracy = 1e-12 if name in CORNERS else 1e-14
    np.testing.assert_allclose(operator.apply(rho), expected, rtol=0, atol=accuracy * scale)


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
    # The Gauss points differ; half a period apart on a circle only the uniform grid puts them on both sides of a kink.
    atol = 1e-13 if name not in CORNERS else 1e-8
    np.testing.assert_allclose(dense, fourier, rtol=1e-12, atol=atol)


def test_dense_on_a_stretched_grid():
    grid = Grid([0.0, 0.0], [1.0, 2.0], [5, 4], periodic=[False, False], mapping=[lambda s: s**2, None])
    operator = make_interaction(make(KERNELS["singular"], 2), grid)
    assert isinstance(operator, DenseInteraction)
    ny, nx = grid.shape
    sides = []
    for axis in grid.axes:
        shift, half = axis.centers[:, None] - axis.centers[None, :], 0.5 * axis.widths[None, :]
        sides.append((shift - half, shift + half))
    (a, b), (c, d) = sides
    low, high, bottom, top = (
        np.tile(a, (ny, ny)),
        np.tile(b, (ny, ny)),
        *(np.kron(e, np.ones((nx, nx))) for e in (c, d)),
    )
    corners = [corner_log(high, top), -corner_log(low, top), -corner_log(high, bottom), corner_log(low, bottom)]
    averages = sum(corners) / grid.cell_volume.ravel()
    rho = np.random.default_rng(4).random(grid.shape)
    expected = (0.5 * (averages + averages.T) @ (rho * grid.cell_volume).ravel()).reshape(grid.shape)
    np.testing.assert_allclose(operator.apply(rho), expected, rtol=1e-10)


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


# The averages over cells


@pytest.mark.parametrize("sides", [(0.1, 0.1), (0.1, 0.02), (0.03, 0.3)])
@pytest.mark.parametrize("name", CORNERS)
def test_lag_averages_2d(name, sides):
    x, y = (h * np.arange(-12, 13) for h in sides)
    found = lag_averages(make(KERNELS[name], 2), [x, y], sides, [None, None])
    low, high, bottom, top = x - sides[0] / 2, x + sides[0] / 2, *(y[:, None] + s * sides[1] / 2 for s in (-1, 1))
    corner = CORNERS[name]
    boxes = corner(high, top) - corner(low, top) - corner(high, bottom) + corner(low, bottom)
    np.testing.assert_allclose(found, boxes / (sides[0] * sides[1]), rtol=0, atol=1e-12 * np.max(np.abs(found)))


@pytest.mark.parametrize(
    ("kernel", "integral"),
    [
        (lambda x: np.log(np.abs(x)), corner_log),
        (lambda x: np.abs(x), corner_distance),
        (lambda x: np.abs(x) ** -0.5, lambda x: 2 * np.sign(x) * np.sqrt(np.abs(x))),
    ],
)
def test_lag_averages_1d(kernel, integral):
    x = 0.1 * np.arange(-300, 301)
    found = lag_averages(kernel, [x], (0.1,), [None])
    np.testing.assert_allclose(found, (integral(x + 0.05) - integral(x - 0.05)) / 0.1, rtol=1e-9, atol=2e-10)


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize(
    ("shape", "periodic"), [((9,), [False]), ((8,), [True]), ((6, 5), [False, True]), ((7, 4), [True, True])]
)
def test_lags_are_even_to_the_last_bit_and_smooth_ones_are_values(name, shape, periodic):
    grid = grid_of(list(shape), periodic)
    kernel, lags = make(KERNELS[name], grid.dim), [_lags(axis) for axis in grid.axes]
    values = values_on_lags(kernel, grid, lags)
    np.testing.assert_array_equal(values, np.flip(values))
    if name == "smooth":
        coords = {"x": lags[0]} if grid.dim == 1 else {"x": lags[0][None, :], "y": lags[1][:, None]}
        np.testing.assert_array_equal(values, kernel(**coords))


@pytest.mark.parametrize("mapping", [None, [lambda s: s**1.1]])
def test_smooth_kernels_on_all_pairs_are_values(mapping):
    grid = Grid([0.0], [1.0], [7], mapping=mapping)
    matrix = KERNELS["smooth"](grid.x.centers[:, None] - grid.x.centers)
    unit = np.eye(7)
    found = np.stack([DenseInteraction(make(KERNELS["smooth"], 1), grid).apply(u) for u in unit], axis=1)
    np.testing.assert_array_equal(found, matrix * grid.cell_volume)


@pytest.mark.parametrize("mapping", [None, [lambda s: s**0.98]])
def test_a_kernel_that_ends_within_the_last_cells_keeps_its_values_there(mapping):
    grid = Grid([0.0], [1.0], [8], mapping=mapping)
    reach = grid.x.centers[-1] - grid.x.centers[0]
    unit = np.zeros(8)
    unit[-1] = 1 / np.ravel(grid.cell_volume)[-1]

    def kernel(x):
        return np.abs(x) * np.sqrt(1.001 * reach - np.abs(x))

    assert make_interaction(kernel, grid).apply(unit)[0] == pytest.approx(kernel(reach), rel=1e-9, abs=0)


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
    assert cell_average(kernel, (h,)) == pytest.approx(closed_form(h), rel=1e-11, abs=0)


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
    assert average == pytest.approx(4 * sum(radial) / (hx * hy), rel=1e-11, abs=0)


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


@pytest.mark.parametrize(
    ("kernel", "smooth"),
    [
        (lambda x: x**4, True), (lambda x: x**4 / 4 - x**2 / 2, True), (lambda x: np.exp(-np.abs(x)), False),
        (lambda x: np.abs(x), False), (lambda x: np.abs(x) ** 1.5, False), (lambda x: np.log(np.abs(x)), False),
    ],
)  # fmt: skip
def test_what_is_smooth_at_the_origin(kernel, smooth):
    """A kernel that is flat at the origin is smooth: its values are kept on all lags."""
    assert lag_zero(kernel, (0.05,))[1] is smooth


@pytest.mark.parametrize("shape", [(300, 260), (256, 256)])
def test_threads_change_no_bit(shape):
    """A library's own threads do: where a range of lines ends decides how it is rounded."""
    grid = Grid([-3.0, -3.0], [3.0, 3.0], shape)
    rho = np.random.default_rng(3).random(grid.shape)
    one, *others = (make_interaction(lambda x, y: (x**2 + y**2) / 2, grid, n).apply(rho) for n in (1, 2, 3))
    for other in others:
        np.testing.assert_array_equal(one, other)
