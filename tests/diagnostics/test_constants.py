"""The constants of a potential: Bakry–Émery by differences, Holley–Stroock by comparison."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from wgfpde.diagnostics.certificates import constants, displacement, displacement_convexity
from wgfpde.diagnostics.certificates.constants import convexity, holley_stroock
from wgfpde.diagnostics.certificates.curvature import _around, smallest_curvature
from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.grid import Grid

LINE = Grid([-2.6], [2.6], [200])
PLANE = Grid([-3.0, -4.0], [3.0, 4.0], [60, 64])


def flow(grid, potential=None, kappa=1.0, **known):
    return Flow(grid, Energy(Internal("entropy", kappa), potential, **known))


@pytest.mark.parametrize("lam", [0.3, 1.3, 50.0])
def test_parabola(lam):
    found = convexity(flow(LINE, lambda x: lam * (x - 0.3) ** 2 / 2))
    assert found.bound == found.sobolev == pytest.approx(lam, rel=1e-8, abs=0)
    assert found.sobolev_source == "Hess V"


def test_quadratic_form_in_the_plane():
    found = convexity(flow(PLANE, lambda x, y: (2 * x * x + 1.2 * x * y + y * y) / 2))
    assert found.bound == pytest.approx(np.linalg.eigvalsh([[2.0, 0.6], [0.6, 1.0]])[0], rel=1e-8, abs=0)


def test_the_worst_place_counts():
    """V = x⁴/4 − x²/2 bends least at 0, an edge of the grid: V'' = −1."""
    assert smallest_curvature(LINE, lambda x: x**4 / 4 - x**2 / 2) == pytest.approx(-1.0, rel=1e-9, abs=0)
    assert smallest_curvature(PLANE, lambda x, y: (x**2 - 1) ** 2 + y**2 / 2) == pytest.approx(-4.0, rel=1e-9, abs=0)


def test_a_flat_potential_has_exactly_none():
    for potential in (lambda x: 0 * x + 7.3, lambda x: 3 * x - 1, lambda x: np.abs(x)):
        assert smallest_curvature(LINE, potential) == 0.0


def test_what_the_case_says_is_taken():
    """λ is replaced; K stays that of V."""
    found = convexity(flow(LINE, lambda x: x**4 / 4 - x**2 / 2, sobolev=0.5))
    assert (found.sobolev, found.sobolev_source, found.bound_source) == (0.5, "the case", "Hess V")
    assert found.bound == pytest.approx(-1.0, rel=1e-9, abs=0)


@pytest.mark.parametrize("cells", [2, 4, 7])
def test_the_constants_are_those_of_the_formula_not_of_the_cells(cells):
    """A double well whose barrier lies between the cells; a bump that no cell sees."""
    few, many = Grid([-2.0], [2.0], [cells]), Grid([-2.0], [2.0], [400])
    for potential in (lambda x: 3 * (x**2 - 1) ** 2, lambda x: x**2 / 2 + 2 * np.exp(-((x - 0.31) ** 2) / 2e-4)):
        found, known = convexity(flow(few, potential)), convexity(flow(many, potential))
        assert found.bound == pytest.approx(known.bound, rel=1e-3, abs=0) and found.bound < -1
        assert found.sobolev == pytest.approx(known.sobolev, rel=1e-2, abs=0)


def test_a_kink_at_the_seam_of_a_circle_is_seen():
    """V = 3x² on [−2, 2] with its ends joined: Hess V = 6 but there, and a circle has no convex potential."""
    found = convexity(flow(Grid([-2.0], [2.0], [64], periodic=True), lambda x: 3 * x**2))
    assert found.bound < -1000 and found.sobolev_source == "Holley-Stroock"
    smooth = convexity(flow(Grid([-2.0], [2.0], [64], periodic=True), lambda x: np.cos(np.pi * x / 2)))
    assert smooth.bound == pytest.approx(-((np.pi / 2) ** 2), rel=1e-9, abs=0)


def test_concave_kinks_and_jumps_leave_no_convexity():
    for potential in (lambda x: -4 * np.abs(x - 0.0137), lambda x: np.where(x > 0.137, 3.0, 0.0)):
        for cells in (4, 64):
            assert smallest_curvature(Grid([-2.0], [2.0], [cells]), potential) < -100


def test_convex_kinks_cost_nothing():
    for places in (0.0, 0.0007, 0.0137):
        assert smallest_curvature(LINE, lambda x, p=places: x**2 + np.abs(x - p)) == pytest.approx(2.0, rel=1e-5, abs=0)


@pytest.mark.parametrize(("power", "scale"), [(3, 1.0), (4, 50.0), (6, 1.0)])
def test_curvature_that_vanishes_somewhere_is_not_taken_for_convexity(power, scale):
    """V = x^p with its flat place between the cells, or at a wall: K ≤ 1e-6 of the largest, and λ from a comparison."""
    lower = 0.0 if power == 3 else -1.37
    found = convexity(flow(Grid([lower], [2.9], [7]), lambda x: scale * x**power))
    assert found.bound <= 1e-5 * scale * power * (power - 1) * 2.9 ** (power - 2)
    assert found.sobolev > 0.1 and found.sobolev_source == "Holley-Stroock"


def test_curvature_at_a_wall():
    found = smallest_curvature(Grid([-1.0], [1.5], [20]), lambda x: -(x**4))
    assert found == pytest.approx(-12 * 1.5**2, rel=1e-4, abs=0) and found <= -12 * 1.5**2 * (1 - 1e-4)


@pytest.mark.parametrize(
    ("potential", "least"),
    [
        (lambda x, y: 2 * x**2 - x**4 / 4 + 2 * y**2, 1.0),  # at x = 1
        (lambda x, y: 2 * (1 - x) ** 2 - (1 - x) ** 4 / 4 + 2 * y**2, 1.0),  # at x = 0
        (lambda x, y: 2 * x**2 + 2 * y**2 - y**4 / 4, 1.0),  # at y = 1
        (lambda x, y: 2 * x**2 + 2 * (1 - y) ** 2 - (1 - y) ** 4 / 4, 1.0),  # at y = 0
        (lambda x, y: 2 * x**2 + 2 * y**2 - (x * y) ** 2 / 2, 1.0),  # in a corner: 3 ∓ 2
        (lambda x, y: 2 * x**2 + 2 * y**2 - (x * (1 - y)) ** 2 / 2, 1.0),
        (lambda x, y: np.cos(3 * x) * np.cos(2 * y - 2), -9.0),  # at x = 0, y = 1
    ],
)
def test_curvature_at_a_wall_of_the_plane(potential, least):
    found = smallest_curvature(Grid([0.0, 0.0], [1.0, 1.0], [24, 20]), potential)
    assert least - 1e-4 * abs(least) <= found <= least


def test_along_a_wall_the_lowest_place_lies_between_those_that_are_read():
    """V = cos(5y + φ)(1 − x)⁴ bends least at x = 0 and cos = 1: V_yy = −25; where it is read, 2e-5 … 3e-4 less."""
    for phase in (0.3, 0.32):
        found = smallest_curvature(
            Grid([0.0, 0.0], [1.0, 2.0], [16, 16]), lambda x, y, p=phase: np.cos(5 * y + p) * (1 - x) ** 4
        )
        assert found == pytest.approx(-25.0, rel=1e-7, abs=0)


@given(st.lists(st.floats(-2.0, 2.0), min_size=5, max_size=5), st.lists(st.floats(0.0, 6.3), min_size=5, max_size=5))
@settings(max_examples=40)
def test_never_more_convex_than_the_formula(size, phase):
    """Five cosines, up to 2.5 waves in the box: Hess V ≥ K up to the rounding of Hess V."""
    assume(max(map(abs, size)) > 0.01)
    wave, a, p = np.pi * np.arange(1, 6) / 2, np.array(size), np.array(phase)

    def bend(x):
        return np.sum(-a * wave**2 * np.cos(wave * np.asarray(x)[..., None] + p), axis=-1)

    found = smallest_curvature(
        Grid([-1.0], [1.0], [32]), lambda x: np.sum(a * np.cos(wave * np.asarray(x)[..., None] + p), axis=-1)
    )
    x = np.linspace(-1, 1, 4001)
    near = np.clip(x[np.argmin(bend(x))] + np.linspace(-1e-3, 1e-3, 2001), -1, 1)
    scale = np.sum(np.abs(a) * wave**2)
    assert min(bend(x).min(), bend(near).min()) - 1e-5 * scale <= found <= bend(near).min() + 1e-12 * scale


@pytest.mark.parametrize("offset", [0.0, 1e4, 1e6, 1e8])
def test_rounding_never_adds_to_the_convexity(offset):
    """V = offset + 0.65x²: what the differences lose to rounding is taken off."""
    found = smallest_curvature(Grid([-4.0], [4.0], [100]), lambda x: offset + 1.3 * x**2 / 2)
    assert found <= 1.3 and (offset > 1e6 or found > 1.29)


def test_a_potential_that_ends_at_the_wall():
    """−ln of the distance to both walls: +∞ at them, nothing beyond, convex."""
    found = convexity(flow(Grid([-2.0], [2.0], [50]), lambda x: -np.log(x + 2) - np.log(2 - x)))
    assert found.bound == pytest.approx(0.5, rel=1e-6, abs=0) and found.sobolev >= found.bound
    steep = convexity(flow(Grid([-2.0], [2.0], [50]), lambda x: 0.5 * np.log(x + 2)))
    assert steep.sobolev == 0.0  # −∞ at the wall: no comparison


def test_a_weak_parabola_is_no_worse_than_none():
    """λ of V = 0.001x² on [−1, 1] is at least that of the box, nearly: π²/4, not 0.002."""
    found = convexity(flow(Grid([-1.0], [1.0], [32]), lambda x: 0.001 * x**2))
    assert found.bound == pytest.approx(0.002, rel=1e-5, abs=0)
    assert 0.99 * np.pi**2 / 4 < found.sobolev and found.sobolev_source == "Holley-Stroock"


@pytest.mark.parametrize("periodic", [False, True])
def test_uniform_measure(periodic):
    """The constant of an interval is κ(π/L)², that of a circle κ(2π/L)²."""
    grid = Grid([0.0, 0.0], [2.0, 5.0], [8, 8], periodic)
    expected = 0.7 * ((2 if periodic else 1) * np.pi / 5) ** 2
    found = convexity(flow(grid, kappa=0.7))
    assert found.bound == 0.0 and found.sobolev == pytest.approx(expected, rel=1e-14, abs=0)
    assert found.bound_source == found.sobolev_source == "no potential"


@pytest.mark.parametrize("kappa", [0.25, 0.5, 1.0])
def test_holley_stroock_lies_below_the_gap(kappa):
    """λ of the inequality is at most the spectral gap; those of V = x⁴/4 − x²/2 are known."""
    gaps = {0.25: 0.18717041809, 0.5: 0.42294464540, 1.0: 0.79208842659}
    found = holley_stroock(flow(Grid([-5.0], [5.0], [800]), lambda x: x**4 / 4 - x**2 / 2, kappa))
    assert 0.005 * gaps[kappa] < found < gaps[kappa]


@given(st.floats(0.2, 3.0), st.floats(0.0, 0.5), st.floats(0.5, 4.0))
def test_a_bounded_perturbation_of_a_parabola(lam, size, wave):
    """V = λx²/2 + a sin(ωx): no worse than λe^{−2a/κ}, up to the few c that are tried; walls help by (π/L)² at most."""
    found = holley_stroock(flow(LINE, lambda x: lam * x**2 / 2 + size * np.sin(wave * x)))
    assert 0.75 * lam * np.exp(-2 * size) <= found <= lam + size * wave**2 + (np.pi / 5.2) ** 2


@pytest.mark.parametrize("place", [(0.0, 0.0), (1.1, -1.7)])
def test_the_comparison_in_the_plane_has_no_direction(place):
    """V = |x − x₀|² + a sin x sin 2y, which is no sum, with x and y swapped or turned round; above that without V₀."""

    def potential(x, y):
        return (x - place[0]) ** 2 + (y - place[1]) ** 2 + 0.1 * np.sin(x) * np.sin(2 * y)

    turned = Grid([-4.0, -3.0], [4.0, 3.0], [64, 60])
    found = holley_stroock(flow(PLANE, potential))
    assert holley_stroock(flow(turned, lambda x, y: potential(y, x))) == pytest.approx(found, rel=1e-12, abs=0)
    assert holley_stroock(flow(PLANE, lambda x, y: potential(-x, y))) == pytest.approx(found, rel=1e-12, abs=0)
    assert found > 1e3 * (np.pi / 8) ** 2 * np.exp(-25.0)  # V ranges over 25 at least


def test_constants_of_sums_are_the_smaller_ones():
    double = flow(PLANE, lambda x, y: (x**2 - 1) ** 2 + y**2 / 2)
    single = flow(Grid([-3.0], [3.0], [60]), lambda x: (x**2 - 1) ** 2)
    assert holley_stroock(double) == pytest.approx(
        holley_stroock(single), rel=1e-3, abs=0
    )  # read at 257 places, and at 1025
    mixed = flow(PLANE, lambda x, y: (x**2 - 1) ** 2 + y**2 / 2 + 0.3 * np.sin(x * y))
    assert 0 < holley_stroock(mixed) < 1


@pytest.mark.parametrize("shape", [(1,), (2,), (9,), (7, 5), (1, 4), (2, 2)])
def test_the_largest_and_the_smallest_around_a_place(shape):
    """Against SciPy's filters, which are too slow to load."""
    from scipy.ndimage import maximum_filter, minimum_filter

    rng = np.random.default_rng(6)
    values = rng.standard_normal(shape)
    values[rng.random(shape) < 0.2] = np.inf
    assert np.array_equal(_around(np.maximum, values), maximum_filter(values, 3, mode="nearest"))
    assert np.array_equal(_around(np.minimum, values), minimum_filter(values, 3, mode="nearest"))


@pytest.mark.parametrize("grid", [LINE, PLANE, Grid([-2.6], [2.6], [20], ["periodic"])], ids=str)
def test_the_curvature_of_a_potential_is_looked_for_once(grid, monkeypatch):
    """By what asks for λ of V and by what asks how convex each part of the energy is."""
    looked = []

    def look(where, potential):
        looked.append(where)
        return smallest_curvature(where, potential)

    for module in (constants, displacement):
        monkeypatch.setattr(module, "smallest_curvature", look)
    box = flow(grid, lambda x, y=0.0: np.cos(2 * np.pi * x / 5.2) + y * y)
    assert displacement_convexity(box)["potential"].bound == convexity(box).bound
    assert looked == [grid]
