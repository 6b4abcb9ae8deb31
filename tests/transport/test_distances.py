"""Wasserstein distances and geodesics of densities on grids: closed forms, checks of the data, and cases."""

import numpy as np
import pytest
from scipy.special import erf

from wgfpde.cases.building import build
from wgfpde.cases.loading import loads
from wgfpde.energy.equations import gaussian, profile_second_moment, self_similar
from wgfpde.errors import CaseError, SolverError
from wgfpde.grid import Grid
from wgfpde.runs.runner import run
from wgfpde.store import read
from wgfpde.transport.distances import distance, w2
from wgfpde.transport.shortest_path import Path, geodesic

LINE = Grid([-10.0], [10.0], [800])
CIRCLE = Grid([0.0], [2.0], [200], periodic=True)


def normal(grid, mean, variance, mass=1.0):
    return mass * grid.average(lambda x: gaussian(x, mean=mean, cov=variance))


# ---- closed forms in 1D ------------------------------------------------------------------------------------


@pytest.mark.parametrize("mass", [1.0, 3.0])
def test_gaussians(mass):
    """√M ((m₁ − m₂)² + (s₁ − s₂)²)^½ up to h², for cells that are constant inside."""
    a, b = normal(LINE, -1.0, 0.25, mass), normal(LINE, 0.5, 1.44, mass)
    expected = np.sqrt(mass * (1.5**2 + 0.7**2))
    assert w2(LINE, a, b) == pytest.approx(expected, rel=2e-4)


def test_barenblatt_profiles():
    """Dilations of one profile: √c₂ |R₁ − R₂|."""
    a, b = (LINE.average(lambda x, r=r: self_similar(x, r, 2, 1)) for r in (1.0, 2.5))
    a, b = (rho / np.sum(rho * LINE.x.widths) for rho in (a, b))
    assert w2(LINE, a, b) == pytest.approx(1.5 * np.sqrt(profile_second_moment(2, 1)), rel=1e-4)


def test_stretched_and_different_grids():
    stretched = Grid([-9.0], [11.0], [501], mapping=[lambda s: s + 0.1 * np.sin(2 * np.pi * s)])
    a, b = normal(LINE, -1.0, 0.25), normal(stretched, 0.5, 1.44)
    b /= np.sum(b * stretched.x.widths)
    a /= np.sum(a * LINE.x.widths)
    assert distance(LINE, a, b, stretched).w2 == pytest.approx(np.sqrt(1.5**2 + 0.7**2), rel=2e-4)
    assert distance(LINE, a, b, stretched).w2 == pytest.approx(distance(stretched, b, a, LINE).w2, rel=1e-12)


def test_refining_cells_changes_nothing():
    fine = Grid([-10.0], [10.0], [2400])
    a, b = normal(LINE, -1.0, 0.25), normal(LINE, 2.0, 1.0)
    assert w2(fine, np.repeat(a, 3), np.repeat(b, 3)) == pytest.approx(w2(LINE, a, b), rel=1e-13)


def test_geodesic_of_gaussians():
    """Means and standard deviations are linear in s; h²/12 of variance is what depositing adds, at most."""
    a, b = normal(LINE, -1.0, 0.25), normal(LINE, 1.0, 1.44)
    times = [0.0, 0.2, 0.5, 0.9, 1.0]
    x, h = LINE.x.centers, LINE.x.widths
    for s, rho in zip(times, geodesic(LINE, a, b, times), strict=True):
        assert rho.min() >= 0 and np.sum(rho * h) == pytest.approx(1, rel=1e-14)
        mean = np.sum(x * rho * h)
        assert mean == pytest.approx(-1 + 2 * s, abs=1e-10)
        assert np.sqrt(np.sum((x - mean) ** 2 * rho * h)) == pytest.approx(0.5 + 0.7 * s, abs=1e-3)
    ends = geodesic(LINE, a, b, [0, 1])
    assert np.array_equal(ends[0], a) and np.allclose(ends[1], b, rtol=1e-12)


def test_geodesic_round_a_circle():
    """From 0.1 to 1.9 the short way leads through the seam."""
    x = CIRCLE.x.centers
    a, b = (np.where(np.abs(x - c) < 0.05, 10.0, 0.0) for c in (0.1, 1.9))
    middle = geodesic(CIRCLE, a, b, [0.5])[0]
    assert np.flatnonzero(middle > 1e-6).tolist() == [*range(5), *range(195, 200)]
    assert w2(CIRCLE, a, b) == pytest.approx(0.2, abs=1e-6)


# ---- in 2D -------------------------------------------------------------------------------------------------

SQUARE = Grid([-2.0, -2.0], [2.0, 2.0], [24, 24])


def bump(grid, mean, variance, floor=0.0):
    rho = floor + grid.average(lambda x, y: gaussian(x, y, mean=mean, cov=variance))
    return rho / np.sum(rho * grid.cell_volume)


def test_gaussians_in_2d():
    """(m₁ − m₂)² + Σ(s₁ − s₂)², to h² = 0.03 and 1/N² = 0.004 of the distance."""
    a, b = bump(SQUARE, (-0.4, 0.0), 0.16), bump(SQUARE, (0.4, 0.3), 0.25)
    found = distance(SQUARE, a, b)
    assert found.w2 == pytest.approx(np.sqrt(0.64 + 0.09 + 2 * 0.01), rel=0.02)
    assert 0 < found.gap <= 1e-3 and found.mismatch <= 1e-3 and found.iterations > 0
    assert w2(SQUARE, b, a) == pytest.approx(found.w2, rel=5e-3)


def test_a_distance_in_2d_that_varies_in_x_only():
    """On a square it is the distance in 1D, which is exact, times the root of the width."""
    line = Grid([-2.0], [2.0], [24])
    a, b = (0.05 + normal(line, m, 0.16) for m in (-0.3, 0.3))
    b *= np.sum(a) / np.sum(b)
    found = w2(SQUARE, np.tile(a, (24, 1)), np.tile(b, (24, 1)))
    assert found == pytest.approx(2 * w2(line, a, b), rel=0.01)


def test_nothing_to_move_in_2d():
    a = bump(SQUARE, (0.0, 0.0), 0.2)
    assert w2(SQUARE, a, a) == 0.0
    np.testing.assert_array_equal(geodesic(SQUARE, a, a, [0.3, 1.0]), [a, a])


def test_a_geodesic_in_2d_keeps_mass_and_its_ends():
    a, b = bump(SQUARE, (-0.4, 0.0), 0.16, 0.01), bump(SQUARE, (0.4, 0.3), 0.25, 0.01)
    path = geodesic(SQUARE, a, b, [0, 0.3, 0.5, 1], inner_steps=6)
    np.testing.assert_array_equal(path[0], a)
    np.testing.assert_allclose(path[-1], b, rtol=1e-12)
    assert path.min() >= 0
    np.testing.assert_allclose(np.sum(path * SQUARE.cell_volume, axis=(1, 2)), 1, rtol=1e-12)
    means = np.sum(path * SQUARE.x.centers * SQUARE.cell_volume, axis=(1, 2))
    assert means[1] == pytest.approx(0.7 * means[0] + 0.3 * means[3], abs=0.01)


def test_too_few_iterations_are_an_error():
    a, b = bump(SQUARE, (-0.4, 0.0), 0.16), bump(SQUARE, (0.4, 0.3), 0.25)
    with pytest.raises(SolverError, match="20 iterations"):
        distance(SQUARE, a, b, tolerance=1e-6, max_iterations=20)


# ---- in 2D, between densities near each other ---------------------------------------------------------------

BOX = Grid([-4.0, -4.0], [4.0, 4.0], [48, 48])


def product(grid, mean, deviation, mass=1.0):
    """A Gaussian with independent coordinates: exact cell averages."""
    parts = []
    for axis, centre, s in zip(grid.axes, mean, deviation, strict=True):
        values = np.diff(erf((axis.edges - centre) / (s * np.sqrt(2)))) / axis.widths
        parts.append(values / np.sum(values * axis.widths))
    return mass * np.outer(parts[1], parts[0])


@pytest.mark.parametrize("mass", [1.0, 3.0])
@pytest.mark.parametrize("shift", [1e-12, 1e-6, 1e-3, 0.03, 0.3])
def test_a_small_shift(shift, mass):
    """W₂ = shift √M, in any direction: as good at 1e-12 of the width, where ‖a − b‖₁ is as small, as at a third."""
    a, b = (product(BOX, (0.8 * sign * shift / 2, 0.6 * sign * shift / 2), (0.8, 0.8), mass) for sign in (-1, 1))
    found = distance(BOX, a, b)
    assert found.w2 == pytest.approx(shift * np.sqrt(mass), rel=1e-3)
    assert found.gap <= 2e-5 and found.mismatch <= 1e-6 * np.sum(np.abs(a - b)) / np.sum(a) + 1e-15


@pytest.mark.parametrize("factor", [1e-4, 0.1])
def test_order_of_a_small_dilation(factor):
    """√2 |s₁ − s₂|; second order in h."""
    errors = []
    for n in (24, 48, 96):
        grid = Grid([-5.0, -5.0], [5.0, 5.0], [n, n])
        a, b = (product(grid, (0.0, 0.0), (s, s)) for s in (0.8, 0.8 * (1 + factor)))
        errors.append(abs(w2(grid, a, b) / (0.8 * factor * np.sqrt(2)) - 1))
    assert np.log2(errors[0] / errors[1]) > 1.7 and np.log2(errors[1] / errors[2]) > 1.7


def test_squares_of_distances_add_up_for_products():
    """Against the exact distances in 1D, on the same cells."""
    grid = Grid([-4.0, -4.0], [4.0, 4.0], [64, 64])
    line = Grid([-4.0], [4.0], [64])
    means, deviations = ((0.0, 0.0), (0.05, -0.02)), ((0.8, 0.7), (0.82, 0.69))
    a, b = (product(grid, mean, deviation) for mean, deviation in zip(means, deviations, strict=True))
    parts = [w2(line, *(np.sum(rho, axis=k) * line.x.widths[0] for rho in (a, b))) for k in (0, 1)]
    assert w2(grid, a, b) == pytest.approx(np.hypot(*parts), rel=5e-3)


def test_a_small_shift_round_a_torus():
    """Against the circle, exact in 1D; on a torus a shift also leads through the seam."""
    torus, circle = (Grid([0.0] * d, [2.0] * d, [48] * d, periodic=[True] * d) for d in (2, 1))
    a, b = (circle.average(lambda x, c=c: 1.5 + np.cos(np.pi * (x - c))) for c in (0.0, 0.02))
    expected = np.sqrt(2) * w2(circle, a, b)
    assert w2(torus, np.tile(a, (48, 1)), np.tile(b, (48, 1))) == pytest.approx(expected, rel=5e-3)
    assert w2(torus, np.tile(a, (48, 1)).T, np.tile(b, (48, 1)).T) == pytest.approx(expected, rel=5e-3)


def test_it_is_a_distance():
    """Positive, symmetric, and with the triangle inequality, on random densities a little apart."""
    rng = np.random.default_rng(5)
    x, y = SQUARE.x.centers, SQUARE.y.centers[:, None]
    waves = np.stack([np.cos(k * x + c) * np.cos(j * y + c) for k in (1, 2) for j in (1, 2) for c in (0.0, 0.7)])
    for size in (1e-6, 1e-3, 0.2):
        rho = [np.exp(-(x**2) + np.tensordot(size * rng.standard_normal(len(waves)), waves, 1)) for _ in range(3)]
        a, b, c = (values / np.sum(values * SQUARE.cell_volume) for values in rho)
        ab, bc, ca = (w2(SQUARE, *pair) for pair in ((a, b), (b, c), (c, a)))
        assert 0 < max(ab, bc, ca) <= (ab + bc + ca - max(ab, bc, ca)) * (1 + 1e-3)
        assert w2(SQUARE, b, a) == pytest.approx(ab, rel=1e-4)


def test_a_moving_front_takes_the_first_order_method():
    """Which then starts close to the end, and ends within a thousandth of ‖a − b‖₁ of b."""
    parabolas = [BOX.average(lambda x, y, c=c: np.maximum(4 - (x - c) ** 2 - y**2, 0.0)) for c in (0.0, 0.2)]
    a, b = (rho / np.sum(rho * BOX.cell_volume) for rho in parabolas)
    found = distance(BOX, a, b, max_iterations=100)
    assert found.w2 == pytest.approx(0.2, rel=5e-3) and found.gap <= 1e-3
    assert 1e-12 < found.mismatch <= 1e-3 * np.sum(np.abs(a - b)) / np.sum(a)


def test_no_number_rather_than_a_wrong_one():
    """A thousandth of the mass has to cross a vacuum: no path found moves it, and so none counts."""
    a, b = (np.zeros(SQUARE.shape) for _ in range(2))
    a[4, 4], a[20, 20], b[4, 4], b[20, 20] = 1.0, 1.0, 1.001, 0.999
    with pytest.raises(SolverError, match=r"its end .* of the mass from the one prescribed"):
        distance(SQUARE, a, b, max_iterations=30)


def test_w2_previous_near_equilibrium(tmp_path):
    """It is at least the distance of the means, and hardly more while the widths no longer change."""
    text = """
    grid = { shape = [32, 32], lower = [-4, -4], upper = [4, 4] }
    energy = { internal = { kind = "entropy" }, potential = "(x**2 + y**2)/2" }
    initial = { density = "exp(-((x - 1)**2 + (y - 0.5)**2)/2)" }
    time = { end = 12 }
    output = { every = 2, diagnostics = ["w2_previous"] }
    solver = { method = "fv", dt = 0.1 }
    """
    record = read(run(loads(text, "equilibrium.toml"), tmp_path / "out").folder)
    found = record.diagnostics["w2_previous"][1:]
    mean = np.stack([record.diagnostics["mean_x"], record.diagnostics["mean_y"]])
    least = np.hypot(*np.diff(mean, axis=1)) * np.sqrt(record.diagnostics["mass"][0])
    assert least[-1] < 2e-4 and np.all(found >= least * (1 - 5e-4)) and np.all(found <= 1.05 * least)


# ---- what is refused ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("grid", "a", "b", "other", "says"),
    [
        (LINE, np.ones(800), np.ones(800) * (1 + 2e-6), None, "found 20 and 20.00004. Rescale"),
        (LINE, np.ones(800), np.ones(7), None, r"second density must have the grid's shape \(800,\); found \(7,\)"),
        (LINE, -np.ones(800), np.ones(800), None, "first density must be finite and ≥ 0"),
        (LINE, np.full(800, np.nan), np.ones(800), None, "first density must be finite and ≥ 0"),
        (LINE, np.zeros(800), np.zeros(800), None, "both densities need mass; found 0 and 0"),
        (CIRCLE, np.ones(200), np.ones(800), LINE, r"the circle \[0, 2\] and the line \[-10, 10\]"),
        (
            Grid([0, 0], [1, 1], [4, 4], mapping=[None, lambda s: s**2]),
            np.ones((4, 4)),
            np.ones((4, 4)),
            None,
            "axis y is stretched",
        ),
        (Grid([0, 0], [1, 1], [4, 4]), np.ones((4, 4)), np.ones(800), LINE, "is 2D and the second 1D"),
        (Grid([0, 0], [1, 1], [4, 4]), np.ones((4, 4)), np.ones((4, 4)), Grid([0, 0], [1, 2], [4, 4]), "on one grid"),
    ],
)
def test_bad_data(grid, a, b, other, says):
    with pytest.raises(CaseError, match=says):
        distance(grid, a, b, other)


def test_masses_may_differ_by_rounding():
    assert w2(LINE, np.ones(800), np.ones(800) * (1 + 1e-10)) < 1e-6


def test_times_of_a_geodesic_lie_between_0_and_1():
    with pytest.raises(CaseError, match=r"times in \[0, 1\]; found 1.5"):
        geodesic(LINE, np.ones(800), np.ones(800), [0.5, 1.5])
    assert geodesic(LINE, np.ones(800), np.ones(800), []).shape == (0, 800)


# ---- as a case ---------------------------------------------------------------------------------------------

CASE = """
[grid]
shape = [100]
lower = [-2]
upper = [4]
[energy]
internal = { kind = "entropy" }
[initial]
density = "exp(-x**2/0.1)"
mass = 2
[target]
density = "exp(-(x - 2)**2) + 0.01"
[solver]
method = "geodesic"
[time]
start = 1
end = 3
[output]
times = [1.5, 2]
diagnostics = ["w2_previous"]
"""


def test_a_geodesic_case(tmp_path):
    """The target takes the mass of the start; distances along the path are proportional to time; E is convex."""
    result = run(loads(CASE, "path.toml"), tmp_path / "out")
    assert (result.status, result.steps) == ("finished", 3)
    record = read(result.folder)
    assert record.attributes["equation"] == "Wasserstein geodesic" and record.attributes["method"] == "geodesic"
    np.testing.assert_allclose(record.diagnostics["mass"], 2, rtol=1e-13)
    whole = w2(record.grid, record.rho[0], record.rho[-1])
    np.testing.assert_allclose(record.diagnostics["w2_previous"], np.array([0, 0.25, 0.25, 0.5]) * whole, rtol=2e-3)
    energy = record.diagnostics["energy"]
    assert energy[2] < 0.5 * (energy[0] + energy[3]) and energy[1] < 0.5 * (energy[0] + energy[2])
    assert record.steps["gap"].tolist() == [0.0, 0.0, 0.0]


def test_a_geodesic_can_be_continued_from_any_snapshot():
    problem = build(loads(CASE))
    first = problem.stepper.step(problem.initial, 1.5)
    assert (first.t, first.step, first.dt) == (1.5, 1, 0.5)
    again = build(loads(CASE)).stepper.step(first, 2.0)
    np.testing.assert_array_equal(again.rho, problem.stepper.step(first, 2.0).rho)
    path = Path(problem.flow.grid, problem.initial.rho, problem.stepper.step(again, 3.0).rho)
    np.testing.assert_allclose(again.rho, path(0.5), atol=1e-12)
    assert first.report.transport == pytest.approx(0.5 * (path.distance.w2 / 4) ** 2)
