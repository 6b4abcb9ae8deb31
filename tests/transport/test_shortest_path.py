"""Shortest paths between densities: closed forms, what they keep, and as cases."""

import numpy as np
import pytest

from wgfpde.cases.building import build
from wgfpde.cases.loading import loads
from wgfpde.energy.energy import Energy
from wgfpde.energy.equations import gaussian
from wgfpde.energy.flow import Flow
from wgfpde.energy.snapshot import Snapshot
from wgfpde.errors import CaseError, SolverError
from wgfpde.grid import Grid
from wgfpde.methods.paths.geodesics import Geodesic
from wgfpde.runs.runner import run
from wgfpde.store import read
from wgfpde.transport.distances import w2
from wgfpde.transport.shortest_path import Path, geodesic

LINE = Grid([-10.0], [10.0], [800])
CIRCLE = Grid([0.0], [2.0], [200], periodic=True)
SQUARE = Grid([-2.0, -2.0], [2.0, 2.0], [24, 24])


def normal(grid, mean, variance):
    return grid.average(lambda x: gaussian(x, mean=mean, cov=variance))


def bump(grid, mean, variance, floor=0.0):
    rho = floor + grid.average(lambda x, y: gaussian(x, y, mean=mean, cov=variance))
    return rho / np.sum(rho * grid.cell_volume)


def test_geodesic_of_gaussians():
    """Means and standard deviations are linear in s; h²/12 of variance is what depositing adds, at most."""
    a, b = normal(LINE, -1.0, 0.25), normal(LINE, 1.0, 1.44)
    times = [0.0, 0.2, 0.5, 0.9, 1.0]
    x, h = LINE.x.centers, LINE.x.widths
    for s, rho in zip(times, geodesic(LINE, a, b, times), strict=True):
        assert rho.min() >= 0 and np.sum(rho * h) == pytest.approx(1, rel=1e-14, abs=0)
        mean = np.sum(x * rho * h)
        assert mean == pytest.approx(-1 + 2 * s, abs=1e-10)
        assert np.sqrt(np.sum((x - mean) ** 2 * rho * h)) == pytest.approx(0.5 + 0.7 * s, abs=1e-3)
    ends = geodesic(LINE, a, b, [0, 1])
    assert np.array_equal(ends[0], a) and np.allclose(ends[1], b, rtol=1e-12, atol=0)


def test_a_march_pays_half_the_squared_distance_of_its_ends():
    """At constant speed, whatever the times: √(2 transport) of the steps adds up to W₂."""
    a, b = normal(LINE, -1.0, 0.25), normal(LINE, 1.0, 1.44)
    stepper = Geodesic(Flow(LINE, Energy()), a, b, 1.0, 3.0)
    states = [Snapshot(1.0, 0, {"rho": a})]
    for t in (1.25, 2.5, 3.0):
        states.append(stepper.step(states[-1], t))
    assert [s.step for s in states] == [0, 1, 2, 3]
    whole, paid = w2(LINE, a, b), [np.sqrt(2 * s.report.transport) for s in states[1:]]
    assert paid == pytest.approx(whole * np.array([0.125, 0.625, 0.25]), rel=1e-9, abs=0)
    for before, after, length in zip(states, states[1:], paid, strict=False):
        assert w2(LINE, before.rho, after.rho) == pytest.approx(length, rel=1e-3, abs=0)


def test_geodesic_round_a_circle():
    """From 0.1 to 1.9 the short way leads through the seam."""
    x = CIRCLE.x.centers
    a, b = (np.where(np.abs(x - c) < 0.05, 10.0, 0.0) for c in (0.1, 1.9))
    middle = geodesic(CIRCLE, a, b, [0.5])[0]
    assert np.flatnonzero(middle > 1e-6).tolist() == [*range(5), *range(195, 200)]
    assert w2(CIRCLE, a, b) == pytest.approx(0.2, abs=1e-6)


def test_a_geodesic_in_2d_keeps_mass_and_its_ends():
    a, b = bump(SQUARE, (-0.4, 0.0), 0.16, 0.01), bump(SQUARE, (0.4, 0.3), 0.25, 0.01)
    path = geodesic(SQUARE, a, b, [0, 0.3, 0.5, 1], inner_steps=6)
    np.testing.assert_array_equal(path[0], a)
    np.testing.assert_allclose(path[-1], b, rtol=1e-12)
    assert path.min() >= 0
    np.testing.assert_allclose(np.sum(path * SQUARE.cell_volume, axis=(1, 2)), 1, rtol=1e-12)
    means = np.sum(path * SQUARE.x.centers * SQUARE.cell_volume, axis=(1, 2))
    assert means[1] == pytest.approx(0.7 * means[0] + 0.3 * means[3], abs=0.01)


def test_the_distance_of_a_path_in_2d():
    """(m₁ − m₂)² + Σ(s₁ − s₂)², to h² and 1/N²; its gap is that of the discrete problem."""
    a, b = bump(SQUARE, (-0.4, 0.0), 0.16), bump(SQUARE, (0.4, 0.3), 0.25)
    found = Path(SQUARE, a, b).distance
    assert found.w2 == pytest.approx(np.sqrt(0.64 + 0.09 + 2 * 0.01), rel=0.02, abs=0)
    assert 0 < found.gap <= 1e-3 and found.mismatch <= 1e-3 and found.iterations > 0


def test_too_few_iterations_are_an_error():
    a, b = bump(SQUARE, (-0.4, 0.0), 0.16), bump(SQUARE, (0.4, 0.3), 0.25)
    with pytest.raises(SolverError, match="20 iterations"):
        geodesic(SQUARE, a, b, [0.5], tolerance=1e-6, max_iterations=20)


def test_no_path_rather_than_a_wrong_one():
    """A thousandth of the mass has to cross a vacuum: no path found moves it, and so none counts."""
    a, b = (np.zeros(SQUARE.shape) for _ in range(2))
    a[4, 4], a[20, 20], b[4, 4], b[20, 20] = 1.0, 1.0, 1.001, 0.999
    with pytest.raises(SolverError, match=r"its end .* of the mass from the one prescribed"):
        geodesic(SQUARE, a, b, [0.5], max_iterations=30)


def test_a_path_needs_equal_cells():
    grid = Grid([0, 0], [1, 1], [4, 4], mapping=[None, lambda s: s**2])
    with pytest.raises(CaseError, match="axis y is stretched"):
        geodesic(grid, np.ones((4, 4)), np.ones((4, 4)), [0.5])


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
    assert first.report.transport == pytest.approx(0.5 * (path.distance.w2 / 4) ** 2, rel=1e-9, abs=0)
