"""Wasserstein distances and geodesics of densities on grids: closed forms, checks of the data, and cases."""

import numpy as np
import pytest
from scipy.special import erf

from wgfpde.cases.loading import loads
from wgfpde.energy.equations import gaussian, profile_second_moment, self_similar
from wgfpde.errors import CaseError
from wgfpde.grid import Grid
from wgfpde.runs.runner import run
from wgfpde.store import read
from wgfpde.transport.distances import distance, w2
from wgfpde.transport.pairs import Points

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
    assert w2(LINE, a, b) == pytest.approx(expected, rel=2e-4, abs=0)


def test_barenblatt_profiles():
    """Dilations of one profile: √c₂ |R₁ − R₂|."""
    a, b = (LINE.average(lambda x, r=r: self_similar(x, r, 2, 1)) for r in (1.0, 2.5))
    a, b = (rho / np.sum(rho * LINE.x.widths) for rho in (a, b))
    assert w2(LINE, a, b) == pytest.approx(1.5 * np.sqrt(profile_second_moment(2, 1)), rel=1e-4, abs=0)


def test_stretched_and_different_grids():
    stretched = Grid([-9.0], [11.0], [501], mapping=[lambda s: s + 0.1 * np.sin(2 * np.pi * s)])
    a, b = normal(LINE, -1.0, 0.25), normal(stretched, 0.5, 1.44)
    b /= np.sum(b * stretched.x.widths)
    a /= np.sum(a * LINE.x.widths)
    assert distance(LINE, a, b, stretched).w2 == pytest.approx(np.sqrt(1.5**2 + 0.7**2), rel=2e-4, abs=0)
    assert distance(LINE, a, b, stretched).w2 == pytest.approx(distance(stretched, b, a, LINE).w2, rel=1e-12, abs=0)


def test_refining_cells_changes_nothing():
    fine = Grid([-10.0], [10.0], [2400])
    a, b = normal(LINE, -1.0, 0.25), normal(LINE, 2.0, 1.0)
    assert w2(fine, np.repeat(a, 3), np.repeat(b, 3)) == pytest.approx(w2(LINE, a, b), rel=1e-13, abs=0)


# ---- in 2D -------------------------------------------------------------------------------------------------

SQUARE = Grid([-2.0, -2.0], [2.0, 2.0], [24, 24])


def bump(grid, mean, variance, floor=0.0):
    rho = floor + grid.average(lambda x, y: gaussian(x, y, mean=mean, cov=variance))
    return rho / np.sum(rho * grid.cell_volume)


def test_gaussians_in_2d():
    """(m₁ − m₂)² + Σ(s₁ − s₂)², to h² = 0.03 of the distance."""
    a, b = bump(SQUARE, (-0.4, 0.0), 0.16), bump(SQUARE, (0.4, 0.3), 0.25)
    found = distance(SQUARE, a, b)
    assert found.w2 == pytest.approx(np.sqrt(0.64 + 0.09 + 2 * 0.01), rel=5e-3, abs=0)
    assert found.lower < found.w2 < found.upper and 0 < found.gap <= 5e-3 and found.iterations > 0
    assert found.gap == pytest.approx(1 - (found.lower / found.upper) ** 2, rel=1e-9, abs=0)
    assert w2(SQUARE, b, a) == pytest.approx(found.w2, rel=2e-4, abs=0)
    assert distance(SQUARE, 3 * a, 3 * b).w2 == pytest.approx(np.sqrt(3) * found.w2, rel=1e-12, abs=0)


FAR, WIDER = ((-2.0, -1.5), 0.4, (2.0, 1.5), 0.5), ((0.0, 0.0), 0.6, (0.0, 0.0), 1.2)


@pytest.mark.parametrize("pair", [FAR, WIDER, ((-0.5, 0.0), 0.6, (0.5, 0.3), 0.8)])
def test_far_apart_and_of_other_widths(pair):
    """Against two distances in 1D, exact on the same cells: 5 apart at widths of a half, and of twice the width."""
    grid, line = Grid([-5.0, -5.0], [5.0, 5.0], [64, 64]), Grid([-5.0], [5.0], [64])
    a, b = (product(grid, mean, (s, s)) for mean, s in (pair[:2], pair[2:]))
    sums = [[np.sum(rho, axis=k) * line.x.widths[0] for rho in (a, b)] for k in (0, 1)]
    exact = np.hypot(*(w2(line, *each) for each in sums))
    found = distance(grid, a, b)
    assert found.w2 == pytest.approx(exact, rel=1e-3, abs=0)
    assert found.lower <= exact * (1 + 1e-9) and found.upper >= exact * (1 - 1e-9) and found.gap <= 0.05


def test_in_2d_on_stretched_and_different_grids():
    """Against the same distance on one grid of equal cells."""
    square = Grid([-3.0, -3.0], [3.0, 3.0], [48, 48])
    stretched = Grid([-3.5, -3.0], [3.0, 3.0], [40, 52], mapping=[lambda s: s + 0.1 * s * (1 - s), None])
    means, widths = ((-0.6, 0.2), (0.5, 0.0)), ((0.6, 0.5), (0.5, 0.7))
    one = distance(square, *(product(square, *each) for each in zip(means, widths, strict=True)))
    other = distance(square, product(square, means[0], widths[0]), product(stretched, means[1], widths[1]), stretched)
    assert other.w2 == pytest.approx(one.w2, rel=2e-3, abs=0)
    assert other.lower <= one.upper and one.lower <= other.upper


def test_a_distance_in_2d_that_varies_in_x_only():
    """On a square it is the distance in 1D, which is exact, times the root of the width."""
    line = Grid([-2.0], [2.0], [24])
    a, b = (0.05 + normal(line, m, 0.16) for m in (-0.3, 0.3))
    b *= np.sum(a) / np.sum(b)
    found = w2(SQUARE, np.tile(a, (24, 1)), np.tile(b, (24, 1)))
    assert found == pytest.approx(2 * w2(line, a, b), rel=1e-3, abs=0)


def test_nothing_to_move_in_2d():
    a = bump(SQUARE, (0.0, 0.0), 0.2)
    assert w2(SQUARE, a, a) == 0.0


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
    """W₂ = shift √M, in any direction, up to h²/(6σ²)/2 = 2e-3: what densities constant on cells are further apart."""
    a, b = (product(BOX, (0.8 * sign * shift / 2, 0.6 * sign * shift / 2), (0.8, 0.8), mass) for sign in (-1, 1))
    found = distance(BOX, a, b)
    assert found.w2 == pytest.approx(shift * np.sqrt(mass), rel=3e-3, abs=0)
    assert found.lower <= found.w2 <= found.upper and found.gap <= (0.03 if shift > 1e-9 else 0.5)


@pytest.mark.parametrize("factor", [1e-6, 1e-4, 0.02, 0.1])
def test_a_small_dilation(factor):
    """Against the line, exactly on the same cells; the bounds hold, and close as densities get nearer."""
    for n in (24, 48):
        grid, line = Grid([-5.0, -5.0], [5.0, 5.0], [n, n]), Grid([-5.0], [5.0], [n])
        a, b = (product(grid, (0.0, 0.0), (s, s)) for s in (0.8, 0.8 * (1 + factor)))
        exact = np.sqrt(2) * w2(line, *(np.sum(rho, axis=0) * line.x.widths[0] for rho in (a, b)))
        found = distance(grid, a, b)
        assert found.w2 == pytest.approx(exact, rel=8e-3 if factor > 1e-3 else 1e-3, abs=0)
        assert found.lower <= exact * (1 + 1e-6) and found.upper >= exact * (1 - 1e-6)
        assert found.gap <= 0.5 if factor > 1e-3 else found.gap <= 0.08


def test_squares_of_distances_add_up_for_products():
    """Against the exact distances in 1D, on the same cells."""
    grid = Grid([-4.0, -4.0], [4.0, 4.0], [64, 64])
    line = Grid([-4.0], [4.0], [64])
    means, deviations = ((0.0, 0.0), (0.05, -0.02)), ((0.8, 0.7), (0.82, 0.69))
    a, b = (product(grid, mean, deviation) for mean, deviation in zip(means, deviations, strict=True))
    parts = [w2(line, *(np.sum(rho, axis=k) * line.x.widths[0] for rho in (a, b))) for k in (0, 1)]
    assert w2(grid, a, b) == pytest.approx(np.hypot(*parts), rel=5e-3, abs=0)


def test_a_small_shift_round_a_torus():
    """Against the circle, exact in 1D; on a torus a shift also leads through the seam."""
    torus, circle = (Grid([0.0] * d, [2.0] * d, [48] * d, periodic=[True] * d) for d in (2, 1))
    a, b = (circle.average(lambda x, c=c: 1.5 + np.cos(np.pi * (x - c))) for c in (0.0, 0.02))
    expected = np.sqrt(2) * w2(circle, a, b)
    assert w2(torus, np.tile(a, (48, 1)), np.tile(b, (48, 1))) == pytest.approx(expected, rel=5e-3, abs=0)
    assert w2(torus, np.tile(a, (48, 1)).T, np.tile(b, (48, 1)).T) == pytest.approx(expected, rel=5e-3, abs=0)


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
        assert w2(SQUARE, b, a) == pytest.approx(ab, rel=1e-4, abs=0)


@pytest.mark.parametrize("shift", [0.001, 0.05, 0.2])
def test_a_moving_front(shift):
    """Parabolas on a disc, by less than a cell and by more: one is empty where the other is not."""
    parabolas = [BOX.average(lambda x, y, c=c: np.maximum(4 - (x - c) ** 2 - y**2, 0.0)) for c in (0.0, shift)]
    a, b = (rho / np.sum(rho * BOX.cell_volume) for rho in parabolas)
    found = distance(BOX, a, b)
    assert found.w2 == pytest.approx(shift, rel=7e-3, abs=0)
    assert found.lower <= shift * 1.001 and found.upper >= shift * 0.999 and found.gap <= 0.3


def test_a_thousandth_of_the_mass_crosses_a_vacuum():
    """Which no path on cells could: now there are bounds, that hold, and that say how little is known."""
    a, b = (np.zeros(SQUARE.shape) for _ in range(2))
    a[4, 4], a[20, 20], b[4, 4], b[20, 20] = 1.0, 1.0, 1.001, 0.999
    found = distance(SQUARE, a, b)
    assert found.lower <= np.sqrt(0.001 / 36) * 16 / 6 * np.sqrt(2) and found.gap >= 0.01
    assert found.upper >= np.sqrt(0.001 / 36) * 15 / 6 * np.sqrt(2)  # from the near corner of one cell to the other's


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
        (Grid([0, 0], [1, 1], [4, 4]), np.ones((4, 4)), np.ones(800), LINE, "is 2D and the second 1D"),
        (
            Grid([0, 0], [1, 1], [4, 4], periodic=[False, True]),
            np.ones((4, 4)),
            np.ones((4, 4)),
            Grid([0, 0], [1, 1], [4, 4]),
            r"along y; found the circle \[0, 1\] and the line",
        ),
        (LINE, np.ones(800), Points(np.zeros((3, 2))), None, "first is 1D and the second 2D"),
        (None, np.ones(800), Points(np.zeros(3)), None, "first density needs its grid"),
    ],
)
def test_bad_data(grid, a, b, other, says):
    with pytest.raises(CaseError, match=says):
        distance(grid, a, b, other)


@pytest.mark.parametrize(
    ("places", "weights", "says"),
    [
        (np.zeros((2, 3)), None, r"\(n, 1\) or \(n, 2\) of finite places; found the shape \(2, 3\)"),
        (np.array([0.0, np.inf]), None, "finite places"),
        (np.zeros((2, 2)), [1.0], "2 points take as many finite weights"),
        (np.zeros((2, 2)), [1.0, -1.0], "weights ≥ 0"),
    ],
)
def test_bad_points(places, weights, says):
    with pytest.raises(CaseError, match=says):
        Points(places, weights)


@pytest.mark.parametrize("options", [{"tolerance": 0.0}, {"tolerance": 2.0}, {"cells": 0}])
def test_bad_options(options):
    with pytest.raises(CaseError, match="tolerance lies between 0 and 1, cells is at least 1"):
        distance(SQUARE, bump(SQUARE, (0, 0), 1.0), bump(SQUARE, (0, 0.1), 1.0), **options)


def test_a_distance_larger_than_the_machine(monkeypatch):
    """Refused before anything is allocated: for small cells far apart, and for near densities on many."""
    monkeypatch.setattr("wgfpde.base.amounts.machine_memory", lambda: 2**20)
    small, far = Grid([0.0, 0.0], [1.0, 1.0], [8, 8]), Grid([1e5, 0.0], [1e5 + 1.0, 1.0], [8, 8])
    with pytest.raises(CaseError, match="a lattice of 800008 × 1600 cells over both: about 536 GiB of memory"):
        distance(small, np.ones((8, 8)), np.ones((8, 8)), far)
    monkeypatch.setattr("wgfpde.base.amounts.machine_memory", lambda: 2**23)
    grid = Grid([0.0, 0.0], [1.0, 1.0], [90, 90])
    x = grid.sample(lambda x, y: x)
    assert distance(grid, np.ones(grid.shape), 2 * x).w2 > 0.1
    with pytest.raises(CaseError, match=r"the path between two densities on 8100 cells: about 11.6 MiB"):
        distance(grid, np.ones(grid.shape), 1 + 1e-3 * (x - 0.5))


def test_masses_may_differ_by_rounding():
    assert w2(LINE, np.ones(800), np.ones(800) * (1 + 1e-10)) < 1e-6


# ---- points and atoms --------------------------------------------------------------------------------------


def test_points_on_a_line():
    """Sorted, they go one to one; a density goes to the mean of each point's share of it."""
    rng = np.random.default_rng(2)
    p, q = rng.uniform(-1, 1, 50), rng.uniform(-1, 1, 50)
    found = distance(None, Points(p), Points(q))
    assert (
        found.w2 == pytest.approx(np.sqrt(np.mean((np.sort(p) - np.sort(q)) ** 2)), rel=1e-12, abs=0) and found.gap == 0
    )
    unit = Grid([0.0], [1.0], [10])
    assert w2(unit, np.full(10, 3.0), Points([0.5])) == pytest.approx(np.sqrt(3 / 12), rel=1e-12, abs=0)
    assert w2(unit, Points([0.25, 0.75], [1.0, 1.0]), np.ones(10)) == pytest.approx(0.25 / np.sqrt(3), rel=1e-12, abs=0)
    circle = Grid([0.0], [2.0], [8], periodic=True)
    assert w2(circle, Points([0.1]), Points([3.9])) == pytest.approx(0.2, rel=1e-9, abs=0)


def test_points_in_the_plane():
    """Exactly known: one point and a density, points that move together, a point and a square."""
    grid = Grid([-2.0, -1.0], [2.0, 1.0], [40, 20])
    rho = product(grid, (0.3, -0.1), (0.5, 0.3), mass=2.0)
    x, y = grid.coordinates().values()
    second = np.sum(rho * grid.cell_volume * ((x - 1.0) ** 2 + (y - 0.5) ** 2 + 2 * 0.1**2 / 12))
    found = distance(grid, rho, Points(np.array([[1.0, 0.5]])))
    assert found.w2 == pytest.approx(np.sqrt(second), rel=2e-3, abs=0)
    assert found.lower <= np.sqrt(second) * (1 + 1e-9) and found.upper >= np.sqrt(second) * (1 - 1e-9)
    cloud = np.random.default_rng(1).normal(0.0, 1.0, (300, 2))
    found = distance(None, Points(cloud), Points(cloud + np.array([0.9, 1.2])))
    assert found.w2 == pytest.approx(1.5, rel=2e-3, abs=0) and found.lower <= 1.5 * (1 + 1e-9) <= found.upper * (
        1 + 2e-9
    )


def test_many_points_against_their_density():
    """Samples come nearer to a density the more there are; the bounds say how near."""
    rng = np.random.default_rng(8)
    rho = product(BOX, (0.0, 0.0), (0.8, 0.8))
    found = [distance(BOX, rho, Points(rng.normal(0.0, 0.8, (n, 2)))) for n in (30, 500)]
    assert found[1].upper < found[0].lower and 2 * found[1].w2 < found[0].w2
    assert found[0].gap <= 0.02 and found[1].gap <= 0.2
    assert all(d.lower <= d.w2 <= d.upper for d in found)


def test_points_on_a_torus():
    torus = Grid([0.0, 0.0], [1.0, 1.0], [16, 16], periodic=True)
    found = distance(torus, Points(np.array([[0.05, 0.1], [0.5, 0.5]])), Points(np.array([[0.95, 1.0], [0.5, 0.5]])))
    assert found.w2 == pytest.approx(0.1, rel=2e-2, abs=0) and found.lower <= 0.1 * (1 + 1e-6) and found.upper >= 0.1
    whole = distance(torus, np.ones((16, 16)), Points(np.array([[0.99, 0.01]])))
    assert whole.w2 == pytest.approx(np.sqrt(1 / 6), rel=5e-3, abs=0) and whole.lower <= np.sqrt(1 / 6) <= whole.upper


def test_atoms_are_further_apart_than_densities():
    """A pixel against the four around it: one ends at centres, the other spreads."""
    grid = Grid([0.0, 0.0], [5.0, 5.0], [5, 5])
    a, b = np.zeros((5, 5)), np.zeros((5, 5))
    a[2, 2], b[[1, 3, 2, 2], [2, 2, 1, 3]] = 4.0, 1.0
    assert distance(grid, a, b, atoms=True).w2 == pytest.approx(2.0, rel=1e-6, abs=0)
    assert distance(grid, a, b).upper < 2.0
    line = Grid([0.0], [3.0], [3])
    a, b = np.array([0.0, 2.0, 0.0]), np.array([1.0, 0.0, 1.0])
    assert w2(line, a, b, atoms=True) == pytest.approx(np.sqrt(2), rel=1e-12, abs=0)
    assert w2(line, a, b) == pytest.approx(
        np.sqrt(2 * 7 / 12), rel=1e-12, abs=0
    )  # ½ → 1 of 2 cells: (∆ + u)², u ∈ [0, ½]
