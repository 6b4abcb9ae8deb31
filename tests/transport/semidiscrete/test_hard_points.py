"""Points where cells are hard to cut: on both ends of a circle, and cells that rounding has lost."""

from dataclasses import replace

import numpy as np
import pytest

from wgfpde.grid import Grid
from wgfpde.transport import Points, distance
from wgfpde.transport.semidiscrete.beside_density import bounds
from wgfpde.transport.semidiscrete.power_cells import PowerDiagram


def test_points_on_both_ends_of_a_circle_are_one():
    """−1e-17 wraps to the upper end, which is the lower one: both lost their cells, and the bounds crossed."""
    grid = Grid([0.0, 0.0], [1.0, 1.0], [4, 4], periodic=True)
    found = distance(grid, np.ones((4, 4)), Points([[0.0, 0.5], [-1e-17, 0.5], [0.5, 0.5]]))
    assert found.lower <= found.w2 <= found.upper and found.w2 >= np.sqrt(5 / 48)
    both = distance(grid, np.ones((4, 4)), Points([[0.0, 0.5], [-1e-17, 0.5]]))
    assert both.w2 == pytest.approx(np.sqrt(1 / 6), rel=1e-6, abs=0)


def test_cells_that_lack_mass_prove_nothing():
    grid = Grid([0.0, 0.0], [1.0, 1.0], [4, 4])
    places, nu = np.array([[0.25, 0.5], [0.75, 0.5]]), np.array([0.5, 0.5])
    diagram = PowerDiagram([grid.x.edges, grid.y.edges], np.ones((4, 4)), np.ones((4, 4)), places, (None, None))
    cells = diagram(np.zeros(2))
    assert bounds(places, nu, np.zeros(2), cells)[1] < 1.0
    assert bounds(places, nu, np.zeros(2), replace(cells, mass=0.9 * cells.mass)) == (0.0, np.inf)
