"""Power cells: what they hold, their sides, and the cases in which a cell or a side is nothing."""

from types import SimpleNamespace

import numpy as np
import pytest

from wgfpde.transport.semidiscrete.newton_weights import near_enough, newton_step
from wgfpde.transport.semidiscrete.power_cells import PowerDiagram

RINGS = [(None, None), (2.0, None), (2.0, 1.0)]


def problem(periods, n, stretched=False, seed=0, size=0.02):
    """Two rough densities on [0, 2] × [0, 1], points, and weights."""
    rng = np.random.default_rng(seed)
    edges = [np.linspace(0.0, 1.0, 8), np.linspace(0.0, 1.0, 6)]
    edges = [2.0 * edges[0] ** (1.4 if stretched else 1.0), edges[1] ** (0.8 if stretched else 1.0)]
    density, other = (rng.uniform(0.0, 1.0, (5, 7)) for _ in range(2))
    density[1, 2:4] = 0.0
    places = rng.random((n, 2)) * [2.0, 1.0]
    return edges, density, other, places, periods, size * rng.standard_normal(n)


def sampled(edges, densities, places, periods, weights, parts):
    """Masses and ∫½|x − y|² ρ of the first, from the midpoints of parts of cells."""
    shares = (np.arange(parts) + 0.5) / parts
    x, y = (np.ravel(e[:-1, None] + np.diff(e)[:, None] * shares) for e in edges)
    area = np.outer(*(np.repeat(np.diff(e) / parts, parts) for e in edges[::-1]))
    away = [x[None, :, None] - places[:, 0], y[:, None, None] - places[:, 1]]
    away = [a if p is None else a - p * np.round(a / p) for a, p in zip(away, periods, strict=True)]
    squares = away[0] ** 2 + away[1] ** 2
    owner = np.argmin(0.5 * squares - weights, axis=2)
    fine = [np.kron(rho, np.ones((parts, parts))) * area for rho in densities]
    masses = [np.bincount(owner.ravel(), m.ravel(), len(places)) for m in fine]
    second = np.take_along_axis(squares, owner[:, :, None], axis=2)[:, :, 0] * fine[0]
    return masses, np.bincount(owner.ravel(), second.ravel(), len(places))


@pytest.mark.parametrize("periods", RINGS)
@pytest.mark.parametrize("stretched", [False, True])
def test_what_cells_hold(periods, stretched):
    """Against midpoints, whose error falls with the parts."""
    edges, density, other, places, periods, weights = problem(periods, 12, stretched)
    cells = PowerDiagram(edges, density, other, places, periods)(weights)
    masses, second = sampled(edges, (density, other), places, periods, weights, 40)
    assert cells.mass == pytest.approx(masses[0], abs=2e-3)
    assert cells.other == pytest.approx(masses[1], abs=2e-3)
    assert cells.second == pytest.approx(second, abs=2e-4)
    area = np.outer(np.diff(edges[1]), np.diff(edges[0]))
    assert np.sum(cells.mass) == pytest.approx(np.sum(density * area), rel=1e-14, abs=0)
    assert np.sum(cells.other) == pytest.approx(np.sum(other * area), rel=1e-14, abs=0)


@pytest.mark.parametrize("periods", RINGS)
@pytest.mark.parametrize("n", [2, 25])
def test_derivatives(periods, n):
    """K falls by the masses, and these change with the sides, against central differences; both densities."""
    edges, density, other, places, periods, weights = problem(periods, n, True, seed=1)
    diagram, h = PowerDiagram(edges, density, other, places, periods), 1e-5
    cells = diagram(weights)
    for k, direction in enumerate(np.eye(n)):
        low, high = (diagram(weights + s * h * direction) for s in (-1, 1))
        values = [np.sum(0.5 * c.second - (weights + s * h * direction) * c.mass) for c, s in ((low, -1), (high, 1))]
        assert (values[1] - values[0]) / (2 * h) == pytest.approx(-cells.mass[k], abs=1e-8)
        for name, piece in zip(("mass", "other"), cells.weight, strict=True):
            i, j = cells.pairs
            row = np.bincount(np.append(i[j == k], j[i == k]), np.append(piece[j == k], piece[i == k]), n)
            row[k] = -np.sum(row)
            change = (getattr(high, name) - getattr(low, name)) / (2 * h)
            assert change == pytest.approx(-row, abs=2e-4 * (np.abs(row).max() + 1e-6))


def test_first_moments():
    """∫(x − y_i)ρ is how the cost changes as the point moves."""
    edges, density, other, places, periods, weights = problem((None, None), 9, seed=2, size=0.002)
    cells, h = PowerDiagram(edges, density, other, places, periods)(weights), 1e-5
    for k in range(2):
        assert cells.mass[4] > 0.01
        step = np.zeros((9, 2))
        step[4, k] = h
        values = []
        for s in (-1, 1):
            moved = PowerDiagram(edges, density, other, places + s * step, periods)(weights)
            values.append(np.sum(0.5 * moved.second - weights * moved.mass))
        assert (values[1] - values[0]) / (2 * h) == pytest.approx(-cells.shift[k, 4], abs=1e-8)


@pytest.mark.parametrize("cells_each", [1, 2, 3])
def test_sides_along_the_sides_of_grid_cells(cells_each):
    """A lattice of points whose power cells are blocks of grid cells: each side is seen once, as long as it is."""
    m = 4
    edges = [np.linspace(0.0, 1.0, m * cells_each + 1)] * 2
    middle = (np.arange(m) + 0.5) / m
    places = np.stack([np.ravel(p) for p in np.meshgrid(middle, middle)], axis=1)
    ones = np.ones((m * cells_each, m * cells_each))
    cells = PowerDiagram(edges, ones, 2 * ones, places, (None, None))(np.zeros(m * m))
    assert cells.mass == pytest.approx(np.full(m * m, 1 / m**2), rel=1e-13, abs=0)
    table = np.zeros((m * m, m * m))
    np.add.at(table, tuple(cells.pairs), cells.weight[0])
    table += table.T
    near = np.isclose(np.sum((places[:, None] - places) ** 2, axis=2), 1 / m**2, atol=0)
    assert table == pytest.approx(np.where(near, 1.0, 0.0), abs=1e-9)  # 1/m long, 1/m apart
    assert cells.weight[1] == pytest.approx(2 * cells.weight[0], rel=1e-12, abs=0)


def test_halved_cells_hold_the_same():
    """How many points a cell may have before it is halved makes no difference; nor does a point where all meet."""
    turn = 2 * np.pi * np.arange(30) / 30
    round_about = np.stack([1.0 + 0.3 * np.cos(turn), 0.5 + 0.3 * np.sin(turn)], axis=1)
    edges, density, other, places, periods, weights = problem((None, None), 30, seed=3)
    for points, w in ((places, 0.1 * weights), (round_about, np.zeros(30))):
        found = []
        for few in (2, 6, 40):
            diagram = PowerDiagram(edges, density, other, points, periods)
            diagram.few = few
            found.append(diagram(w))
        for cells in found[1:]:
            assert cells.mass == pytest.approx(found[0].mass, abs=1e-12)
            assert np.sum(cells.weight) == pytest.approx(np.sum(found[0].weight), rel=1e-9, abs=0)


def test_room_for_sides_grows():
    """More pieces than there was room for: cut again, with the same result."""
    edges, density, other, places, periods, weights = problem((None, None), 25, seed=4)
    diagram = PowerDiagram(edges, density, other, places, periods)
    enough = diagram(weights)
    diagram._room = 3
    again = diagram(weights)
    assert np.array_equal(again.weight, enough.weight) and np.array_equal(again.mass, enough.mass)


def test_a_newton_step_moves_what_is_missing():
    """To first order the masses change by what they should."""
    edges, density, other, places, periods, weights = problem((2.0, None), 20, seed=5, size=0.001)
    diagram = PowerDiagram(edges, density, other, places, periods)
    cells = diagram(weights)
    missing = np.random.default_rng(0).standard_normal(20)
    missing -= missing.mean()
    for epsilon in (0.0, 0.4):
        step = 1e-6 * newton_step(cells, missing, epsilon)
        after = diagram(weights + step)
        change = (1 - epsilon) * (after.mass - cells.mass) + epsilon * (after.other - cells.other)
        assert 1e6 * change == pytest.approx(missing, abs=1e-3)
    assert newton_step(PowerDiagram(edges, density, other, places[:1], periods)(weights[:1]), np.zeros(1), 0.0) == 0.0


def test_no_cell_is_left_behind_on_the_way():
    """A density has done what it is for when every cell has a share of its mass, and little is missing in all."""
    nu = np.array([0.01, 0.5, 0.49])
    for mass, near in (
        ([0.01, 0.5, 0.49], True), ([0.004, 0.51, 0.486], True),
        ([0.002, 0.503, 0.495], False), ([0.01, 0.3, 0.69], False),
    ):  # fmt: skip
        assert near_enough(SimpleNamespace(mass=np.array(mass)), nu) is near
