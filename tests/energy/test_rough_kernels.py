"""Kernels that jump, end or are singular away from the origin: averages, order, rates, and what counts as smooth."""

import math

import numpy as np
import pytest
from scipy import special

from wgfpde.energy.averages.both_cells import line_pairs, paired_average
from wgfpde.energy.averages.cell_quadrature import adaptive_averages
from wgfpde.energy.averages.kernel_averages import central_average
from wgfpde.energy.averages.kernel_roughness import Bins, Places, _is_rough, roughness
from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.interaction import make_interaction
from wgfpde.energy.snapshot import Snapshot
from wgfpde.errors import CaseError
from wgfpde.grid import Grid
from wgfpde.methods.finite_volumes.stepper import FiniteVolumes
from wgfpde.methods.jko.stepper import Jko
from wgfpde.studies.stationary import stationary

R = 0.1
RATE = 4 * math.pi**2 * (1 - math.sin(2 * math.pi * R) / (2 * math.pi * R))
"""Decay rate of mode 1 on the circle of length 1 for W = −1/2R within R and κ = 1: 2.5467810."""


def stretch(s):
    return s + 0.08 * np.sin(2 * np.pi * s)


def top_hat(x, radius=R):
    return np.where(np.abs(x) < radius, -0.5 / radius, 0.0)


def disc(x, y, radius=R):
    return np.where(x**2 + y**2 < radius**2, -1 / (np.pi * radius**2), 0.0)


def circle(n, kappa=1.0, mapping=None):
    grid = Grid([0.0], [1.0], [n], True, mapping)
    return Flow(grid, Energy(Internal("entropy", kappa), None, top_hat))


def uniform_energy(kernel, grid):
    flow = Flow(grid, Energy(Internal("entropy", 1.0), None, kernel))
    return flow.parts(np.ones(grid.shape))[2]


# The uniform state: ½∫W on every grid


@pytest.mark.parametrize("mapping", [None, [stretch]])
@pytest.mark.parametrize("radius", [0.1, 0.003, 0.0101, 0.25, 0.48, 0.7])
@pytest.mark.parametrize("n", [20, 33, 64])
def test_energy_of_the_uniform_state_1d(n, radius, mapping):
    grid = Grid([0.0], [1.0], [n], True, mapping)
    expected = -0.5 * min(1.0, 0.5 / radius)
    assert uniform_energy(lambda x: top_hat(x, radius), grid) == pytest.approx(expected, rel=1e-11, abs=0)


ONE_D = {
    "hat": (lambda x: np.maximum(0.2 - np.abs(x), 0), 0.04, 1e-11),
    "a jump that is not flat": (lambda x: np.where(np.abs(x) < 0.2, 1 + x**2, 0), 0.4 + 0.016 / 3, 1e-11),
    "cosine with a cut-off": (lambda x: np.where(np.abs(x) < 0.2, np.cos(7 * x), 0), 2 * np.sin(1.4) / 7, 1e-9),
    "kink half a period from 0": (lambda x: np.abs(x) * (np.abs(x) > 0.2), 0.21, 1e-11),
    "pole with a cut-off": (lambda x: np.where(np.abs(x) < 0.2, np.abs(x) ** -0.5, 0), 4 * np.sqrt(0.2), 1e-6),
    "logarithm with a cut-off": (
        lambda x: np.where(np.abs(x) < 0.2, np.log(np.abs(x)), 0),
        0.4 * np.log(0.2 / np.e),
        1e-6,
    ),
}


@pytest.mark.parametrize("name", ONE_D)
@pytest.mark.parametrize("mapping", [None, [stretch]])
@pytest.mark.parametrize("n", [9, 31])
def test_every_row_sums_to_the_integral_1d(name, mapping, n):
    """On stretched lines averages over both cells stood beside averages over one: 1 % off for the hat on 31 cells."""
    kernel, integral, accuracy = ONE_D[name]
    grid = Grid([0.0], [1.0], [n], True, mapping)
    operator = make_interaction(kernel, grid)
    assert uniform_energy(kernel, grid) == pytest.approx(0.5 * integral, rel=accuracy, abs=0)
    rows = operator.apply(np.ones(n))
    assert rows == pytest.approx(np.full(n, integral), rel=1e-6 if mapping else 1e-9, abs=0)


def test_which_cells_meet_a_suspect_displacement():
    """Displacements beyond half a period are as far before it, and signs make no difference."""
    suspect = np.zeros(21, dtype=bool)
    suspect[16] = True  # bins of width 0.05 at multiples of it: 0.8, and its neighbours
    for limit, shift, width, expected in (
        (None, 0.8, 0.01, True), (None, -0.8, 0.01, True), (None, 0.6, 0.05, False), (None, 0.6, 0.4, True),
        (None, 0.0, 0.01, False), (1.0, 0.99, 0.3, True), (1.0, 0.99, 0.1, False), (1.0, 0.9, 0.1, True),
        (1.0, 1.2, 0.01, True),
    ):  # fmt: skip
        places = Places(suspect, [Bins(0.05, 0, 20, limit)])
        assert places.meet([np.array([shift])], [np.array([width])]).tolist() == [expected], (limit, shift, width)


def test_pairs_of_cells_against_a_closed_form():
    """∫∫ |x − y|^-½ dx dy: by second differences of 4/3 |u|^1.5, also where the cells touch and overlap."""
    edges = np.array([0.0, 0.3, 0.4, 0.45, 0.9, 1.5])
    centers, widths = 0.5 * (edges[1:] + edges[:-1]), np.diff(edges)
    bins = [Bins(0.01, 0, 150, 1.5)]
    found = line_pairs(lambda x: np.abs(x) ** -0.5, centers, widths, None, Places(np.zeros(151, dtype=bool), bins))
    shift, a, b = centers[:, None] - centers, widths[:, None], widths
    primitive = [4 / 3 * np.abs(shift + 0.5 * u) ** 1.5 for u in (a + b, a - b, b - a, -a - b)]
    expected = (primitive[0] - primitive[1] - primitive[2] + primitive[3]) / (a * b)
    np.fill_diagonal(found, [paired_average(lambda x: np.abs(x) ** -0.5, w) for w in widths])
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    near = np.abs(shift) <= 1.25 * (a + b)
    np.testing.assert_allclose(found[near], expected[near], rtol=1e-10)
    np.testing.assert_array_equal(found, found.T)


TWO_D = {
    "disc": (disc, -0.5),
    "a disc within a cell": (lambda x, y: disc(x, y, 0.02), -0.5),
    "box": (lambda x, y: ((np.abs(x) < 0.1) & (np.abs(y) < 0.17)) / 0.068, 0.5),
    "tilted": (lambda x, y: ((np.abs(x + 0.3 * y) < 0.1) & (np.abs(y) < 0.17)) / 0.068, 0.5),
    "cone": (lambda x, y: np.maximum(0.2 - np.hypot(x, y), 0), np.pi * 0.2**3 / 6),
    "logarithm with a cut-off": (
        lambda x, y: np.where(np.hypot(x, y) < 0.3, np.log(np.hypot(x, y)), 0.0),
        0.5 * np.pi * (0.09 * np.log(0.3) - 0.045),
    ),
    "root of a distance": (
        lambda x, y: np.sqrt(np.abs(np.hypot(x, y) - 0.2)) * (np.hypot(x, y) < 0.2),
        np.pi * 0.2**2.5 * 4 / 15,
    ),
}


@pytest.mark.parametrize("name", TWO_D)
@pytest.mark.parametrize("shape", [(16, 16), (17, 12)])
def test_energy_of_the_uniform_state_2d(name, shape):
    kernel, expected = TWO_D[name]
    found = uniform_energy(kernel, Grid([0.0, 0.0], [1.0, 1.0], shape, periodic=True))
    # a corner within a cell is seen to 1e-3 of the cell
    assert found == pytest.approx(expected, rel=1e-4 if name == "tilted" else 1e-8, abs=0)


@pytest.mark.parametrize("mapping", [[stretch, None]])
def test_energy_of_the_uniform_state_on_stretched_cells_2d(mapping):
    grid = Grid([0.0, 0.0], [1.0, 1.0], [9, 8], True, mapping)
    assert uniform_energy(disc, grid) == pytest.approx(-0.5, rel=1e-9, abs=0)


def test_a_disc_that_only_touches_cells_is_not_taken_for_a_pole():
    grid = Grid([0.0, 0.0], [1.0, 1.0], [12, 12], True, [stretch, None])
    assert uniform_energy(disc, grid) == pytest.approx(-0.5, rel=1e-9, abs=0)


def test_pairs_in_several_blocks_of_rows_are_symmetric():
    grid = Grid([0.0], [1.0], [700], True, [stretch])
    np.testing.assert_allclose(make_interaction(top_hat, grid).apply(np.ones(700)), -1.0, rtol=1e-12)


# Order


def mode(grid, rho):
    return float(np.sum(grid.cell_volume * rho * np.cos(2 * np.pi * grid.x.centers)))


def studied(n):
    """The decay rate of mode 1 that the stationary study finds."""
    return -float(np.max(stationary(circle(n), 1.0).stability.rates))


@pytest.mark.parametrize("n", [20, 33, 64, 100])
def test_decay_rate_of_the_stationary_study(n):
    """At any number of cells: 61 h² of the average, 207 h² of aliases, 9 h² of the second difference at most."""
    assert abs(studied(n) - RATE) <= 280 / n**2


def test_decay_rate_is_of_second_order():
    sizes = (20, 60, 100, 220)  # R in the middle of a cell
    errors = [abs(studied(n) - RATE) for n in sizes]
    assert np.polyfit(np.log(sizes), -np.log(errors), 1)[0] > 1.95


def marched(flow, scheme, steps, amplitude):
    """Factor in some steps of 0.005 of the difference between two runs, mode 1 apart."""
    wave, ends = amplitude * flow.grid.average(lambda x: np.cos(2 * np.pi * x)), []
    for sign in (1, -1):
        snapshot = Snapshot(0.0, 0, {"rho": 1 + sign * wave})
        for k in range(steps):
            snapshot = scheme.step(snapshot, 0.005 * (k + 1))
        ends.append(snapshot.rho)
    return mode(flow.grid, ends[0] - ends[1]) / mode(flow.grid, 2 * wave)


@pytest.mark.parametrize("n", [20, 33])
@pytest.mark.parametrize("mapping", [None, [stretch]])
def test_decay_by_finite_volumes(n, mapping):
    """Cells are up to 1.5 times wider on the stretched circle."""
    flow = circle(n, mapping=mapping)
    rate = -math.log(marched(flow, FiniteVolumes(flow, dt=0.005), 10, 1e-4)) / 0.05
    assert abs(rate - RATE) <= (280 if mapping is None else 2.25 * 280) / n**2


def test_decay_by_jko():
    """A step of τ multiplies a mode by 1/(1 + τs)."""
    flow = circle(33)
    found = marched(flow, Jko(flow, tau=0.005, tolerance=1e-12, threads=1), 2, 1e-3)
    rate = (found**-0.5 - 1) / 0.005
    assert rate == pytest.approx(studied(33), rel=2e-3, abs=0)
    assert abs(rate - RATE) <= 280 / 33**2


def of_gaussian(x):
    """W∗ρ of ρ = e^(−x²/0.08)/√(0.08π) for the top hat of radius 0.3, no walls."""
    width = math.sqrt(0.08)
    return -(special.erf((x + 0.3) / width) - special.erf((x - 0.3) / width)) / 1.2


@pytest.mark.parametrize("mapping", [None, [stretch]])
def test_order_between_walls_1d(mapping):
    sizes, errors = (50, 90, 130, 250), []  # R in the same place of a cell on uniform ones
    for n in sizes:
        grid = Grid([-1.5], [1.5], [n], mapping=mapping)
        rho = grid.average(lambda x: np.exp(-(x**2) / 0.08)) / math.sqrt(0.08 * math.pi)
        found = make_interaction(lambda x: top_hat(x, 0.3), grid).apply(rho)
        errors.append(np.max(np.abs(found - of_gaussian(grid.x.centers))))
    assert np.polyfit(np.log(sizes), -np.log(errors), 1)[0] > 1.8


@pytest.mark.parametrize(
    ("kernel", "transform"),
    [
        (disc, -2 * special.j1(2 * np.pi * R) / (2 * np.pi * R)),
        (
            lambda x, y: ((np.abs(x) < 0.1) & (np.abs(y) < 0.17)) / 0.068,
            math.sin(0.2 * math.pi) / (0.2 * math.pi),
        ),
    ],
)
def test_order_on_a_torus(kernel, transform):
    """W∗cos(2πx) = Ŵ cos(2πx)."""
    for n in (16, 21, 50):
        grid = Grid([0.0, 0.0], [1.0, 1.0], [n, n], True)
        wave = grid.sample(lambda x, y: np.cos(2 * np.pi * x) + 0 * y)
        error = np.max(np.abs(make_interaction(kernel, grid).apply(wave) - transform * wave))
        assert error <= 7 / n**2


def test_a_march_lowers_the_energy_and_the_matrix_is_symmetric():
    for grid in (
        Grid([0.0], [1.0], [21], True, [stretch]),
        Grid([0.0, 0.0], [1.0, 0.7], [9, 8], periodic=[True, False]),
    ):
        kernel = top_hat if grid.dim == 1 else lambda x, y: 3 * disc(x, y, 0.23)
        flow = Flow(grid, Energy(Internal("entropy", 0.1), None, kernel))
        a, b = np.random.default_rng(1).random((2, *grid.shape))
        assert flow.integral(a * flow.interaction.apply(b)) == pytest.approx(
            flow.integral(b * flow.interaction.apply(a)), rel=1e-13, abs=0
        )
        step, snapshot = FiniteVolumes(flow, dt=0.02).step, Snapshot(0.0, 0, {"rho": 0.5 + a})
        for k in range(5):
            before, snapshot = snapshot, step(snapshot, 0.02 * (k + 1))
            assert flow.value(snapshot.rho) <= flow.value(before.rho) + 1e-13


# What is smooth, and what is not


def found_on(kernel, n, dim=1, smooth=True):
    bins = [Bins(1 / n, -(n - 1) if k < dim - 1 else 0, n - 1) for k in range(dim)]
    return roughness(kernel, bins, 1.0, smooth)


SMOOTH = {
    "cosine": lambda r: np.cos(2 * np.pi * r),
    "fast cosine": lambda r: np.cos(80 * np.pi * r),
    "narrow Gaussian": lambda r: np.exp(-(r**2) / 2e-4),
    "steep": lambda r: np.tanh((r**2 - 0.1) / 1e-2),
    "softened": lambda r: 0.01 / np.sqrt(r**2 + 1e-4),
    "square": lambda r: r**2,
}
ROUGH = {
    "jump": lambda r: 1.0 * (r < 0.31),
    "small jump": lambda r: np.cos(r) + 1e-8 * (r < 0.31),
    "kink": lambda r: np.maximum(0.31 - r, 0),
    "root": lambda r: np.sqrt(np.abs(r - 0.31)),
    "pole": lambda r: np.abs(r - 0.31) ** -0.5,
    "logarithm": lambda r: np.log(np.abs(r - 0.31)),
}


@pytest.mark.parametrize("n", [8, 33, 100])
@pytest.mark.parametrize("name", [*SMOOTH, *ROUGH])
def test_what_is_rough_1d(name, n):
    kernel = (SMOOTH | ROUGH)[name]
    found = found_on(lambda x: kernel(np.abs(x)), n)
    assert found.rough is (name in ROUGH)
    if name in ROUGH:
        assert found.suspect[round(0.31 * n)]


@pytest.mark.parametrize("n", [12, 24])
@pytest.mark.parametrize("name", [*SMOOTH, *ROUGH])
def test_what_is_rough_2d(name, n):
    kernel = (SMOOTH | ROUGH)[name]
    assert found_on(lambda x, y: kernel(np.hypot(x, y)), n, 2).rough is (name in ROUGH)


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("shape", [(20,), (9, 10)])
def test_smooth_kernels_keep_their_values(name, shape):
    """To the last bit: W∗δ of one cell is W at the centres."""
    kernel = SMOOTH[name] if name != "narrow Gaussian" else lambda r: np.exp(-(r**2) / 0.02)
    grid = Grid([0.0] * len(shape), [0.9] * len(shape), shape, mapping=[lambda s: s**1.1] * len(shape))
    unit = np.zeros(grid.shape)
    unit.flat[0] = 1 / np.ravel(grid.cell_volume)[0]
    apart = [axis.centers - axis.centers[0] for axis in grid.axes]
    full = (lambda x: kernel(np.abs(x))) if grid.dim == 1 else (lambda x, y: kernel(np.sqrt(x**2 + y**2)))
    places = {"x": apart[0]} if grid.dim == 1 else {"x": apart[0][None, :], "y": apart[1][:, None]}
    found = make_interaction(full, grid).apply(unit)
    if name not in ("fast cosine", "softened", "steep"):  # not resolved at the origin: averages, as ever
        np.testing.assert_allclose(found, full(**places), rtol=1e-14, atol=1e-16)


# Averages


@pytest.mark.parametrize("shift", [0.3, 0.27, 0.34])
@pytest.mark.parametrize(
    ("kernel", "primitive", "accuracy"),
    [
        (lambda x: 1.0 * (np.abs(x) < 0.3), lambda u: np.minimum(u, 0), 1e-12),
        (lambda x: np.abs(np.abs(x) - 0.3), lambda u: u * np.abs(u) / 2, 1e-11),
        (lambda x: np.log(np.abs(np.abs(x) - 0.3)), lambda u: special.xlogy(u, np.abs(u)) - u, 1e-9),
        (lambda x: np.abs(np.abs(x) - 0.3) ** -0.5, lambda u: 2 * np.sign(u) * np.sqrt(np.abs(u)), 1e-5),
    ],
)
def test_averages_on_the_line(kernel, primitive, accuracy, shift):
    found = adaptive_averages(kernel, [np.array([shift])], [np.array([0.1])], [None])
    expected = (primitive(shift + 0.05 - 0.3) - primitive(shift - 0.05 - 0.3)) / 0.1
    assert found[0] == pytest.approx(expected, abs=accuracy)


def test_average_at_the_origin_beside_a_jump():
    """ln|x| within 0.02, in a cell of 0.1; ln r on a disc within a square."""
    found = central_average(lambda x: np.where(np.abs(x) < 0.02, np.log(np.abs(x)), 0.0), (0.1,))
    assert found == pytest.approx(0.4 * (math.log(0.02) - 1), rel=1e-9, abs=0)
    found = central_average(lambda x, y: np.where(np.hypot(x, y) < 0.02, np.log(np.hypot(x, y)), 0.0), (0.1, 0.07))
    assert found == pytest.approx(np.pi * 4e-4 * (math.log(0.02) - 0.5) / 7e-3, rel=1e-8, abs=0)


def test_a_pole_away_from_the_origin():
    """At a lag itself and between two of them: the energy of the uniform state is ½∫W."""
    for n in (20, 23):
        found = uniform_energy(lambda x: np.abs(np.abs(x) - 0.3) ** -0.5, Grid([0.0], [1.0], [n], True))
        assert found == pytest.approx(2 * (math.sqrt(0.3) + math.sqrt(0.2)), rel=1e-5, abs=0)


@pytest.mark.parametrize("mapping", [None, [stretch]])
@pytest.mark.parametrize("radius", [0.3, 0.283])
@pytest.mark.parametrize("power", [1, 2])
def test_poles_that_are_not_integrable_are_refused(mapping, radius, power):
    grid = Grid([0.0], [1.0], [20], True, mapping)
    with pytest.raises(CaseError, match=r"not (finite|integrable) at displacement x = -?0"):
        make_interaction(lambda x: (np.abs(x) - radius) ** -power, grid)


@pytest.mark.parametrize("power", [0.5, 1.0, 1.6, 1.9, 2.5, 5.0])
@pytest.mark.parametrize("axis", [0, 1])
def test_a_kernel_is_rough_where_differences_fall_slowly(power, axis):
    """Around |x − x₀|^p they fall as δ^p, or δ⁴ where that is faster: rough up to p = 1.75, in 1D and 2D."""

    def kernel(x, y=0.0):
        return np.abs((y if axis else x) - 0.3) ** power

    worst = [np.array([3.2]), np.array([1.0])][:: -1 if axis else 1]
    assert _is_rough(kernel, worst, [0.1, 0.1], axis, 1e-13) == (power < 1.75)
    if axis == 0:
        assert _is_rough(kernel, worst[:1], [0.1], axis, 1e-13) == (power < 1.75)
