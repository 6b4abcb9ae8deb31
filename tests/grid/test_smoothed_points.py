"""Densities of points with a bandwidth: against sums of Gaussians, at walls and on rings; Scott's rule; mistakes."""

import math

import numpy as np
import pytest

import wgfpde as wgf
from wgfpde.cases.building import build
from wgfpde.cases.loading import loads
from wgfpde.errors import CaseError
from wgfpde.grid import Grid
from wgfpde.grid.initial import from_samples
from wgfpde.grid.smoothed_points import scott, smoothed

POINTS = np.array([0.1, 0.5, 0.55, 0.93])
WEIGHTS = np.array([1.0, 2.0, 0.5, 1.5])


def stretch(s):
    return s + 0.08 * np.sin(2 * np.pi * s)


def images(axis, x):
    """The places from which a Gaussian reaches the box."""
    turns = np.arange(-12, 13) * axis.length
    if axis.ring:
        return x + turns
    return np.concatenate([x + 2 * turns, 2 * axis.lower - x + 2 * turns])


def direct(grid, points, weights, widths):
    """Cell averages of the sum of Gaussians and of all their images."""

    def value(**place):
        total = 0.0
        for p, weight in enumerate(weights):
            factor = weight / np.sum(weights)
            for axis, x, h in zip(grid.axes, points, widths, strict=True):
                near = images(axis, x[p])
                z = (place[axis.name][..., None] - near) / h
                factor = factor * np.sum(np.exp(-0.5 * z**2), axis=-1) / (math.sqrt(2 * math.pi) * h)
            total = total + factor
        return total

    return grid.average(value, points=12)


@pytest.mark.parametrize("boundary", ["no-flux", "periodic"])
@pytest.mark.parametrize("mapping", [None, [stretch]], ids=["uniform", "stretched"])
@pytest.mark.parametrize("h", [0.02, 0.1, 0.7])
def test_sums_of_gaussians_on_a_line(boundary, mapping, h):
    grid = Grid([0.0], [1.0], [40], boundary, mapping=mapping)
    rho = smoothed([POINTS], WEIGHTS, grid, h)
    np.testing.assert_allclose(rho, direct(grid, [POINTS], WEIGHTS, [h]), rtol=1e-9, atol=1e-12)
    assert np.sum(rho * grid.cell_volume) == pytest.approx(1.0, rel=1e-14, abs=0) and np.all(rho >= 0)


@pytest.mark.parametrize("boundary", ["no-flux", "periodic"])
@pytest.mark.parametrize("mapping", [None, [stretch]], ids=["uniform", "stretched"])
def test_a_bandwidth_of_many_boxes_is_even_at_no_cost(boundary, mapping):
    """The sums of images and the constant meet at 1.5 periods; a bandwidth of 1e12 boxes ends."""
    grid = Grid([0.0], [1.0], [8], boundary, mapping=mapping)
    period = 1.0 if boundary == "periodic" else 2.0
    for h in (1.49 * period, 1.51 * period, 1e12):
        np.testing.assert_allclose(smoothed([POINTS], WEIGHTS, grid, h), 1.0, rtol=1e-12)
    assert np.ptp(smoothed([POINTS], WEIGHTS, grid, 1.0 * period)) > 1e-10


def test_sums_of_gaussians_in_the_plane():
    grid = Grid([0.0, -1.0], [1.0, 1.0], [10, 14], ["periodic", "no-flux"], mapping=[None, stretch])
    points = [POINTS, np.array([-0.9, 0.2, 0.95, 0.0])]
    rho = smoothed(points, WEIGHTS, grid, 0.2)
    np.testing.assert_allclose(rho, direct(grid, points, WEIGHTS, [0.2, 0.2]), rtol=1e-7, atol=1e-9)
    assert np.sum(rho * grid.cell_volume) == pytest.approx(1.0, rel=1e-14, abs=0)


def test_far_tails_are_told_on_both_sides():
    """From either side of Φ: mirrored points give mirrored densities, down to 1e-40 of the largest."""
    grid = Grid([-3.0], [3.0], [60])
    rho = smoothed([np.zeros(1)], np.ones(1), grid, 0.2)
    np.testing.assert_allclose(rho, rho[::-1], rtol=1e-11)
    assert 0 < rho[0] < 1e-40


def test_many_points_are_summed_in_parts():
    grid = Grid([-6.0], [6.0], [400])
    x = np.random.default_rng(0).normal(size=6000)
    rho = smoothed([x], np.ones(6000), grid, 0.3)
    halves = [smoothed([part], np.ones(len(part)), grid, 0.3) * len(part) / 6000 for part in (x[:1000], x[1000:])]
    np.testing.assert_allclose(rho, sum(halves), rtol=1e-12, atol=1e-20)
    assert np.sum(rho * grid.x.centers**2) * 0.03 == pytest.approx(np.mean(x**2) + 0.09, rel=1e-4, abs=0)


def test_scotts_rule():
    line = Grid([0.0], [1.0], [10])
    mean = np.sum(WEIGHTS * POINTS) / 5
    spread = math.sqrt(np.sum(WEIGHTS * (POINTS - mean) ** 2) / 5)
    count = 25 / np.sum(WEIGHTS**2)
    assert scott([POINTS], WEIGHTS, line)[0] == pytest.approx(spread * count**-0.2, rel=1e-14, abs=0)
    plane = Grid([0.0, 0.0], [1.0, 1.0], [10, 10])
    assert scott([POINTS, 0.5 * POINTS], WEIGHTS, plane)[1] == pytest.approx(
        0.5 * spread * count ** (-1 / 6), rel=1e-13, abs=0
    )
    ring = Grid([0.0], [1.0], [10], "periodic")
    near = np.array([0.98, 0.99, 0.01, 0.02])
    assert scott([near], np.ones(4), ring)[0] == pytest.approx(
        np.std([-0.02, -0.01, 0.01, 0.02]) * 4**-0.2, rel=1e-3, abs=0
    )
    even = np.arange(4) / 4
    assert scott([even], np.ones(4), ring)[0] == pytest.approx(4**-0.2 / math.sqrt(12), rel=1e-12, abs=0)
    with pytest.raises(CaseError, match="points that differ in x"):
        scott([np.full(3, 0.5)], np.ones(3), line)


CASE = """
title = "Points with a bandwidth"
grid = { shape = [40], lower = [0.0], upper = [1.0] }
energy = { internal = { kind = "entropy" } }
initial = { samples = "points.csv", bandwidth = 0.1 }
solver = { method = "fv", dt = 0.01 }
time = { end = 0.02 }
"""


def test_cases(tmp_path):
    (tmp_path / "points.csv").write_text("x,weight\n0.1,1\n0.5,2\n0.55,0.5\n0.93,1.5\n")
    rho = build(loads(CASE, folder=tmp_path)).initial.rho
    grid = Grid([0.0], [1.0], [40])
    np.testing.assert_allclose(rho, smoothed([POINTS], WEIGHTS, grid, 0.1), rtol=1e-14)
    scotts = build(loads(CASE.replace("0.1 }", '"scott" }'), folder=tmp_path)).initial.rho
    np.testing.assert_allclose(scotts, smoothed([POINTS], WEIGHTS, grid, "scott"), rtol=1e-14)
    plain = build(loads(CASE.replace(", bandwidth = 0.1", ""), folder=tmp_path)).initial.rho
    np.testing.assert_array_equal(plain, from_samples(tmp_path / "points.csv", grid))
    run = wgf.run(loads(CASE, folder=tmp_path), tmp_path / "out", progress=False)
    again = wgf.run(wgf.load(run.path, initial={"density": "1"}), tmp_path / "again", progress=False)  # takes it away
    assert np.ptp(again.rho[0]) < 1e-12
    (tmp_path / "points.csv").write_text("7.1\n-2.5\n")
    ring = loads(CASE.replace("shape", 'boundary = ["periodic"], shape'), folder=tmp_path)
    np.testing.assert_allclose(
        build(ring).initial.rho, smoothed([np.array([0.1, 0.5])], np.ones(2), Grid([0.0], [1.0], [40], "periodic"), 0.1)
    )


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("0.1 }", "0.0 }", r'initial\.bandwidth: expected a positive number or "scott", found 0\.0'),
        ("0.1 }", "-1 }", 'a positive number or "scott"'),
        ("0.1 }", '"silverman" }', 'a positive number or "scott", found "silverman"'),
        ("0.1 }", "inf }", 'a positive number or "scott"|finite'),
        ('samples = "points.csv"', 'density = "1"', "bandwidth: of use only with samples, found density"),
    ],
)
def test_mistakes(old, new, words):
    with pytest.raises(CaseError, match=words):
        loads(CASE.replace(old, new))
