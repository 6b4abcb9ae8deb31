"""Dual ascent on a lattice, its parts one by one, and lattices of as few cells as are asked for."""

import math

import numpy as np
import pytest

from wgfpde.grid import Grid
from wgfpde.grid.initial import remap
from wgfpde.transport import distance, distances
from wgfpde.transport.line import Coupling
from wgfpde.transport.plane import between
from wgfpde.transport.plane.ascent import FLOOR, LEAST_SLOPE, MOST_SLOPE, Ascent, _linearised, _smooth
from wgfpde.transport.plane.interpolation import Interpolation
from wgfpde.transport.plane.ladder import LEAST, Ladder
from wgfpde.transport.plane.measures import Cells
from wgfpde.transport.plane.weighted_norms import CLOSE, near_bounds

RINGS = [(False, False), (True, False), (False, True), (True, True)]


def shifted(values, k, ring):
    """The values of the cells before and after each along axis k; at a wall its own."""
    wide = np.pad(values, [(int(n == k),) * 2 for n in range(2)], mode="wrap" if ring else "edge")
    count = values.shape[k]
    return np.take(wide, np.arange(count), axis=k), np.take(wide, np.arange(2, count + 2), axis=k)


@pytest.mark.parametrize("rings", RINGS)
def test_smoothed_values_and_conductances(rings):
    """−∇·(θ (I − D²φ)⁻¹ ∇g): θ is the mean of both densities with a floor, slopes are cut at both ends."""
    rng, h = np.random.default_rng(1), (0.5, 0.2)
    phi, mass, arrived = rng.normal(0.0, 0.02, (5, 7)), rng.random((5, 7)), rng.random((5, 7))
    expected = arrived
    for k in (1, 0):
        low, high = shifted(expected, k, rings[1 - k])
        expected = 0.25 * (low + high) + 0.5 * expected
    theta = _smooth(arrived, *rings)
    np.testing.assert_allclose(theta, expected, rtol=1e-14)
    gx, gy = np.empty((5, 7)), np.empty((5, 7))
    _linearised(phi, mass, *h, *rings, theta, gx, gy)
    mean = 0.5 * (mass + expected) / (h[0] * h[1])
    np.testing.assert_allclose(theta, mean + FLOOR * mean.max(), rtol=1e-14)
    cut = 0
    for k, g in ((1, gx), (0, gy)):
        low, high = shifted(phi, k, rings[1 - k])
        slopes = 1 - (low - 2 * phi + high) / h[1 - k] ** 2
        cells = theta / np.clip(slopes, LEAST_SLOPE, MOST_SLOPE)
        faces = 0.5 * (cells + np.roll(cells, -1, axis=k)) * h[k] / h[1 - k]
        if not rings[1 - k]:
            faces[(slice(None),) * k + (-1,)] = 0.0
        np.testing.assert_allclose(g, faces, rtol=1e-13)
        cut += np.count_nonzero(slopes < LEAST_SLOPE)
    assert cut > 0


@pytest.mark.parametrize("rings", RINGS)
def test_every_turn_raises_the_dual_value_and_leaves_a_pair_of_transforms(rings):
    boundary = ["periodic" if ring else "no-flux" for ring in rings]
    grid, rng = Grid([0.0, 0.0], [2.0, 1.0], [12, 9], boundary), np.random.default_rng(2)
    a, b = (m / m.sum() for m in rng.random((2, *grid.shape)) ** 3)
    values, phi = [], np.zeros(grid.shape)
    for turns in (0, 1, 2, 6):
        ascent = Ascent(grid, a, b)
        phi = ascent.run(np.zeros(grid.shape), turns)
        psi = ascent._transform(phi)
        np.testing.assert_allclose(ascent._transform(psi), phi, atol=1e-13)
        values.append(np.sum(psi * a) + np.sum(phi * b))
    assert values[0] < values[1] < values[2] <= values[3]


def test_cubics_from_a_lattice_go_on_beyond_walls_and_round_circles():
    """Affine functions are exact between two centres, up to the walls of three cells, and beyond those of more."""
    for n, beyond in ((2, -0.5), (3, 0.0), (4, 1.0), (8, 1.0)):
        grid = Grid([0.0, 0.0], [1.0, 1.0], [n, 5])
        x, y = grid.x.centers, grid.y.centers[:, None]
        at = np.linspace(-beyond / n, 1 + beyond / n, 9), np.linspace(-0.2, 1.2, 6)
        found = Interpolation(grid, at)(1 + 2 * x - 3 * y)
        np.testing.assert_allclose(found, 1 + 2 * at[0] - 3 * at[1][:, None], atol=1e-12)
    ring = Grid([0.0, 0.0], [1.0, 1.0], [32, 3], ["periodic", "no-flux"])
    places = np.linspace(0, 1, 50)
    found = Interpolation(ring, (places, ring.y.centers))(
        np.sin(2 * np.pi * ring.x.centers) + 0 * ring.coordinates()["y"]
    )
    np.testing.assert_allclose(found, np.tile(np.sin(2 * np.pi * places), (3, 1)), atol=3.5e-5)


def test_masses_on_a_finer_lattice_that_nests():
    grid = Grid([-1.0, 0.0], [0.3, 2.0], [5, 4])
    rho = np.random.default_rng(3).random(grid.shape)
    level = Grid([-1.0, 0.0], [0.3, 2.0], [20, 8])
    mu = Cells(grid, rho)
    edges, onto = (tuple(axis.edges for axis in each.axes) for each in (grid, level))
    np.testing.assert_allclose(mu.deposit(level), remap(mu.density, edges, onto) * level.cell_volume, rtol=1e-12)
    for other in (
        Grid([-1.3, 0.0], [0.3, 2.0], [20, 8]),
        Grid.of_edges([-1.0 + 1.3 * np.linspace(0, 1, 11) ** 2, level.y.edges], ["no-flux"] * 2),
    ):  # of another box, and stretched
        onto = tuple(axis.edges for axis in other.axes)
        np.testing.assert_allclose(mu.deposit(other), remap(mu.density, edges, onto) * other.cell_volume, rtol=1e-12)


def gaussian(axis, mean, width):
    edges = (axis.edges - mean) / (width * math.sqrt(2))
    f = np.diff([math.erf(e) for e in edges])
    return f / f.sum()


@pytest.mark.parametrize("boundary", ["no-flux", "periodic"])
@pytest.mark.parametrize(("n", "cells", "shape"), [(16, 256, 16), (16, 1024, 32), (16, 4095, 32), (20, 256, 20),
                                                   (16, 4096, 64)])  # fmt: skip
def test_as_few_cells_as_asked_for(n, cells, shape, boundary, monkeypatch):
    """Both bounds hold on the cells of the data, too; programmes are for lattices as fine as by default."""
    grid = Grid([-4.0, -4.0], [4.0, 4.0], [n, n], boundary)
    pairs = [(gaussian(axis, -0.8, 0.7), gaussian(axis, 0.8, 1.0)) for axis in grid.axes]
    exact = math.sqrt(sum(
        Coupling(axis.edges, *(pair[0], axis.edges, pair[1]), boundary == "periodic").w2 ** 2
        for axis, pair in zip(grid.axes, pairs, strict=True)
    ))  # fmt: skip
    a, b = (np.outer(pairs[1][k], pairs[0][k]) / grid.cell_volume for k in (0, 1))
    rings = (boundary == "periodic",) * 2
    assert Ladder(Cells(grid, a), Cells(grid, b), rings, cells)._shape == [shape, shape]
    asked = []
    monkeypatch.setattr(between, "_narrowed", lambda *given: asked.append(1) or given[-2])
    found = distance(grid, a, b, cells=cells)
    assert found.lower <= exact <= found.upper and found.lower <= found.w2 <= found.upper
    assert found.w2 == pytest.approx(exact, rel=0.05, abs=0)
    assert not asked or shape >= LEAST


def test_stretched_cells_are_cut_as_far_as_asked_for():
    grid = Grid.of_edges([np.linspace(0, 1, 13) ** 1.3, np.linspace(0, 0.5, 9)], ["no-flux", "no-flux"])
    mu = Cells(grid, np.ones(grid.shape))
    for cells, shape in ((100, [12, 8]), (700, [24, 8]), (800, [48, 16]), (distances.MOST_CELLS, [96, 32])):
        assert Ladder(mu, mu, (False, False), cells)._shape == shape


def test_bounds_of_near_densities_end_where_more_is_known():
    """The lower one is found first, and where it is far below what is known it is all there is."""
    grid = Grid([0.0, 0.0], [1.0, 1.0], [12, 12])
    a, b = (np.outer(gaussian(grid.y, 0.5, 0.1), gaussian(grid.x, mean, 0.1)) / grid.cell_volume for mean in (0.3, 0.7))
    whole = near_bounds(grid, a, b)
    assert near_bounds(grid, a, b, known=whole.lower / (1 - CLOSE) * (1 - 1e-12)) == whole
    far = near_bounds(grid, a, b, known=whole.lower / (1 - CLOSE) * (1 + 1e-12))
    assert far.lower == whole.lower and far.upper == math.inf and math.isnan(far.value)
    assert not far.close and not far.tight


def test_the_flux_is_asked_for_where_bounds_stay_wide(monkeypatch):
    """Its upper bound is often the better one on few cells, also where lattices know a better lower one."""
    rng = np.random.default_rng(11)
    stretched = [lambda s: s + 0.1 * s * (1 - s), lambda s: s + 0.05 * np.sin(2 * np.pi * s)]
    grid, other = (Grid([0.0, 0.0], [1.0, 1.0], [7, 7], periodic=[False, True], mapping=m) for m in (None, stretched))
    lines = [[f / f.sum() for f in rng.uniform(0.1, 1.1, (2, 7))] for _ in range(2)]
    exact = sum(
        Coupling(p.edges, f, q.edges, g, bool(p.ring)).w2 ** 2
        for p, q, (f, g) in zip(grid.axes, other.axes, lines, strict=True)
    )
    densities = [np.outer(lines[1][k], lines[0][k]) / side.cell_volume for k, side in enumerate((grid, other))]
    found = distance(grid, densities[0], densities[1], other)
    assert found.lower**2 <= exact * (1 + 1e-9)
    assert exact * (1 - 1e-9) <= found.upper**2 <= 1.12 * exact  # 1.27 by the plan alone
