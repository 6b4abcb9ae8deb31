"""Barycentres on a line: Gaussians, displacement interpolation, vacuum, stretched cells; and what is refused."""

import numpy as np
import pytest

import wgfpde as wgf
from wgfpde.energy.equations import gaussian
from wgfpde.errors import CaseError
from wgfpde.grid import Grid
from wgfpde.transport.barycentres import barycentre
from wgfpde.transport.line import Coupling

WEIGHTS = [0.5, 0.3, 0.2]


def stretch(s):
    return s + 0.1 * np.sin(2 * np.pi * s)


def gaussians(grid):
    """N(0, 1), N(2, ¼), N(−1, 4): their barycentre is N(0.4, 1.05²)."""
    return [
        grid.average(lambda x, m=m, s=s: gaussian(x, mean=m, cov=s), points=6) for m, s in ((0, 1), (2, 0.25), (-1, 4))
    ]


def moments(grid, rho):
    mass = np.sum(grid.cell_volume * rho)
    mean = np.sum(grid.cell_volume * rho * grid.x.centers) / mass
    return mean, np.sum(grid.cell_volume * rho * (grid.x.centers - mean) ** 2) / mass, mass


@pytest.mark.parametrize("mapping", [None, [stretch]], ids=["uniform", "stretched"])
def test_gaussians(mapping):
    errors = []
    for n in (200, 400):
        grid = Grid([-16.0], [14.0], [n], mapping=mapping)
        found = wgf.barycentre(grid, gaussians(grid), WEIGHTS)
        mean, variance, mass = moments(grid, found)
        assert mean == pytest.approx(0.4, abs=1e-3) and mass == pytest.approx(1.0, abs=1e-9) and np.all(found >= 0)
        errors.append(abs(variance - 1.05**2))
    assert errors[1] < 3e-3 and errors[0] / errors[1] > 3.3


def test_of_two_it_is_the_middle_of_the_shortest_path():
    """And λ makes it any other point of it, as the coupling says, to rounding."""
    grid = Grid([0.0], [1.0], [30], mapping=[stretch])
    rng = np.random.default_rng(1)
    a, b = rng.random(30) * (rng.random(30) < 0.5), rng.random(30)
    a, b = (rho / np.sum(rho * grid.cell_volume) * 2.5 for rho in (a, b))
    coupling = Coupling(grid.x.edges, a * grid.x.widths, grid.x.edges, b * grid.x.widths)
    for s in (0.0, 0.3, 0.5, 1.0):
        expected = coupling.deposit(s, grid.x.edges) / grid.x.widths
        np.testing.assert_allclose(barycentre(grid, [a, b], [1 - s, s]), expected, atol=1e-12)
    np.testing.assert_allclose(
        barycentre(grid, [a, b]), coupling.deposit(0.5, grid.x.edges) / grid.x.widths, atol=1e-12
    )
    np.testing.assert_allclose(barycentre(grid, [b, b, b]), b, rtol=1e-11)


def test_of_two_humps_it_is_one_between_them():
    grid = Grid([-3.0], [3.0], [60])
    left, right = (np.where(np.abs(grid.x.centers - m) < 0.5, 1.0, 0.0) for m in (-2.0, 2.0))
    np.testing.assert_allclose(
        barycentre(grid, [left, right]), np.where(np.abs(grid.x.centers) < 0.5, 1.0, 0.0), atol=1e-12
    )


def test_what_is_refused():
    line = Grid([0.0], [1.0], [8])
    ones = np.ones(8)
    for grid, densities, weights, words in (
        (Grid([0.0], [1.0], [8], "periodic"), [ones], None, "on a line; found a plane, or a periodic axis"),
        (Grid([0.0, 0.0], [1.0, 1.0], [8, 8]), [np.ones((8, 8))], None, "on a line"),
        (line, [], None, "at least one"),
        (line, [ones, 2 * ones], None, "of one mass"),
        (line, [ones, -ones], None, "density 2 density must be finite and ≥ 0"),
        (line, [ones], [1.0, 2.0], "as many finite weights"),
        (line, [ones, ones], [1.0, -1.0], "weights ≥ 0"),
        (line, [ones], [0.0], "not all 0"),
        (line, [0 * ones], None, "hold mass"),
        (line, [np.ones(7)], None, "shape"),
    ):
        with pytest.raises(CaseError, match=words):
            barycentre(grid, densities, weights)
