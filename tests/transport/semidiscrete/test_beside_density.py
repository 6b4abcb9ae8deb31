"""W₂ between points and a density: exact where it is known, within linear programmes, and bounds from any weights."""

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.sparse import kron, vstack

from wgfpde.grid import Grid
from wgfpde.transport import Points as PointSet
from wgfpde.transport import distance
from wgfpde.transport.plane.measures import Cells, Points
from wgfpde.transport.semidiscrete import beside_density
from wgfpde.transport.semidiscrete.beside_density import beside, bounds
from wgfpde.transport.semidiscrete.easier_densities import first_density, steps_towards
from wgfpde.transport.semidiscrete.power_cells import PowerDiagram

WALLS = (None, None)


def rough(rings=(False, False), stretched=False, seed=0, shape=(6, 5)):
    maps = [lambda s: s + 0.2 * s * (1 - s), lambda s: s**1.3] if stretched else None
    grid = Grid([0.0, 0.0], [2.0, 1.0], list(shape), periodic=list(rings), mapping=maps)
    return Cells(grid, np.random.default_rng(seed).uniform(0.0, 1.0, grid.shape))


def programme(places, masses, points, weights, periods):
    away = places[:, None, :] - points[None, :, :]
    for k, period in enumerate(periods):
        if period is not None:
            away[:, :, k] -= period * np.round(away[:, :, k] / period)
    n, m = len(places), len(points)
    rows = vstack([kron(np.eye(n), np.ones((1, m))), kron(np.ones((1, n)), np.eye(m))]).tocsr()[:-1]
    found = linprog(np.ravel(np.sum(away**2, axis=2)), A_eq=rows, b_eq=np.append(masses, weights)[:-1])
    assert found.status == 0, found.message
    return found.fun


def brackets(cells, points, periods, parts):
    """Of W₂²: parts of cells at their centres, with their own moments; and spread over their corners, less what that
    adds, which does not make W₂² smaller by more."""
    (ex, ey), weights = (axis.edges for axis in cells.grid.axes), points.weights
    ex, ey = (
        np.append((e[:-1, None] + np.diff(e)[:, None] * np.arange(parts) / parts).ravel(), e[-1]) for e in (ex, ey)
    )
    mass = np.kron(cells.mass, np.ones((parts, parts))) / parts**2
    squares = np.diff(ex)[None, :] ** 2 + np.diff(ey)[:, None] ** 2
    x, y = np.meshgrid(0.5 * (ex[1:] + ex[:-1]), 0.5 * (ey[1:] + ey[:-1]))
    held = mass.ravel() > 0
    centres = np.stack([x.ravel(), y.ravel()], axis=1)[held]
    above = programme(centres, mass.ravel()[held], points.places, weights, periods) + np.sum(mass * squares) / 12
    spread = sum(np.pad(0.25 * mass, ((j, 1 - j), (i, 1 - i))) for j in (0, 1) for i in (0, 1)).ravel()
    x, y = np.meshgrid(ex, ey)
    corners = np.stack([x.ravel(), y.ravel()], axis=1)[spread > 0]
    below = programme(corners, spread[spread > 0], points.places, weights, periods) - np.sum(mass * squares) / 6
    return below, above


# ---- against programmes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("rings", [(False, False), (True, False), (True, True)])
@pytest.mark.parametrize("stretched", [False, True])
@pytest.mark.parametrize("kind", ["equal", "weighted", "vacuum"])
def test_against_linear_programmes(rings, stretched, kind):
    rng = np.random.default_rng(7)
    cells = rough(rings, stretched)
    if kind == "vacuum":
        cells = Cells(cells.grid, np.where(rng.random(cells.grid.shape) < 0.5, 0.0, cells.density))
    points = Points(rng.random((8, 2)) * [2.0, 1.0], np.ones(8) if kind == "equal" else rng.exponential(1.0, 8) ** 2)
    periods = tuple(length if ring else None for length, ring in zip((2.0, 1.0), rings, strict=True))
    found = beside(points, cells, periods, 1e-3)
    below, above = brackets(cells, points, periods, 3)
    assert below * (1 - 1e-9) <= found.upper and found.lower <= above * (1 + 1e-9)
    assert above - below <= 0.15 * above
    assert found.upper - found.lower <= 1.1e-6 * found.upper


@pytest.mark.parametrize("rings", [(False, False), (True, True)])
@pytest.mark.parametrize("size", [0.0, 1e-3, 0.1, 10.0])
def test_bounds_from_any_weights(rings, size):
    """Empty cells included."""
    rng = np.random.default_rng(3)
    cells, nu = rough(rings, True), rng.exponential(1.0, 15)
    nu, places = nu / nu.sum(), rng.random((15, 2)) * [2.0, 1.0]
    periods = tuple(length if ring else None for length, ring in zip((2.0, 1.0), rings, strict=True))
    found = beside(Points(places, nu), cells, periods, 1e-3)
    edges = [axis.edges for axis in cells.grid.axes]
    diagram = PowerDiagram(edges, cells.density, cells.density, places, periods)
    for _ in range(5):
        weights = size * rng.standard_normal(15)
        lower, upper = bounds(places, nu, weights, diagram(weights))
        assert lower <= found.upper * (1 + 1e-12) and upper >= found.lower * (1 - 1e-12)


def test_what_is_mended():
    """All of a density in the cell of one of two points: half of it, taken everywhere, goes to the other."""
    cells = rough()
    edges, places = [axis.edges for axis in cells.grid.axes], np.array([[0.3, 0.7], [1.9, 0.2]])
    diagram, each, uppers = PowerDiagram(edges, cells.density, cells.density, places, WALLS), [], []
    for first in (0, 1):
        weights = np.where(np.arange(2) == first, 100.0, 0.0)
        found = diagram(weights)
        assert found.mass[first] == pytest.approx(1.0, rel=1e-14, abs=0)
        each.append(float(np.sum(found.second)))
        uppers.append(bounds(places, np.array([0.5, 0.5]), weights, found)[1])
    assert uppers == pytest.approx([0.5 * sum(each)] * 2, rel=1e-12, abs=0)


# ---- closed forms ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [(0.3, 0.7), (-4.0, 9.0), (1e4, 0.0)])
def test_one_point_has_the_second_moment(place):
    cells = rough(stretched=True)
    x, y = np.meshgrid(*(axis.centers for axis in cells.grid.axes))
    parts = (np.diff(cells.grid.x.edges)[None, :] ** 2 + np.diff(cells.grid.y.edges)[:, None] ** 2) / 12
    exact = np.sum(cells.mass * ((x - place[0]) ** 2 + (y - place[1]) ** 2 + parts))
    for count in (1, 3):  # equal points are one
        found = beside(Points(np.array([place] * count), np.arange(1.0, count + 1)), cells, WALLS, 1e-3)
        assert found.lower == pytest.approx(exact, rel=1e-12, abs=0) and found.upper == pytest.approx(
            exact, rel=1e-12, abs=0
        )
        assert found.lower <= exact * (1 + 1e-14) and exact <= found.upper * (1 + 1e-14)


@pytest.mark.parametrize("ring", [False, True])
def test_a_lattice_in_a_uniform_density(ring):
    """Each of m × m points has its square: W₂² = w²/6 for squares of width w, whatever the grid; on a torus too."""
    for m, n in ((3, 10), (8, 8), (8, 16), (12, 7)):
        grid = Grid([0.0, 0.0], [1.0, 1.0], [n, n], periodic=[ring, ring])
        middle = (np.arange(m) + 0.5) / m + (0.123 if ring else 0.0)
        places = np.stack([np.ravel(p) for p in np.meshgrid(middle, middle)], axis=1)
        circle = (0.0, 1.0) if ring else None
        found = beside(Points(places, np.ones(m * m), [circle, circle]), Cells(grid, np.ones((n, n))),
                       (1.0 if ring else None,) * 2, 1e-3)  # fmt: skip
        assert found.lower == pytest.approx(1 / (6 * m**2), rel=2e-6, abs=0)
        assert found.upper == pytest.approx(1 / (6 * m**2), rel=2e-6, abs=0)


def test_translations():
    """Points moved by s: W₂² gains |s|² + 2 s · (difference of the means)."""
    rng = np.random.default_rng(5)
    cells, places, nu = rough(), rng.random((20, 2)), rng.exponential(1.0, 20)
    mean = [np.sum(np.sum(cells.mass, axis=k) * axis.centers) for k, axis in enumerate(cells.grid.axes)]
    apart, here = nu @ places / nu.sum() - mean, beside(Points(places, nu), cells, WALLS, 1e-9)
    for move in ([0.1, 0.0], [3.0, -2.0], [1e3, 0.0]):
        there = beside(Points(places + move, nu), cells, WALLS, 1e-9)
        exact = here.lower + np.dot(move, move) + 2 * np.dot(move, apart)
        assert there.lower == pytest.approx(exact, rel=1e-8, abs=0) and there.upper == pytest.approx(
            exact, rel=1e-8, abs=0
        )


# ---- hard points -------------------------------------------------------------------------------------------


def gauss(n, width=1.0):
    grid = Grid([-5.0, -5.0], [5.0, 5.0], [n, n])
    return Cells(grid, grid.sample(lambda x, y: np.exp(-(x**2 + y**2) / (2 * width**2))))


def hard_points():
    rng = np.random.default_rng(11)
    cloud = rng.uniform(-5, 5, (60, 2))
    yield "on a line", np.stack([np.linspace(-4, 4, 60), np.zeros(60)], axis=1), np.ones(60)
    yield "in a corner, tight", 4.9 + 1e-3 * cloud, np.ones(60)
    yield "outside", cloud + np.array([12.0, 3.0]), np.ones(60)
    yield "wider than the box", 30 * cloud, np.ones(60)
    yield "two and two nearly equal", np.concatenate([cloud[:30], cloud[:30] + 1e-12]), np.ones(60)
    yield "of all weights", cloud, 10.0 ** rng.uniform(-25, 0, 60)
    yield "on the sides of cells", np.round(cloud), np.ones(60)


@pytest.mark.parametrize(
    ("name", "places", "nu"), list(hard_points()), ids=lambda each: each if type(each) is str else ""
)
def test_hard_points(name, places, nu):
    found = beside(Points(places, nu), gauss(24), WALLS, 1e-3)
    assert 0 < found.lower <= found.upper and found.upper - found.lower <= 1e-5 * found.upper


@pytest.mark.parametrize("ring", [False, True])
def test_a_density_with_a_vacuum(ring):
    """A disc, two discs of unequal mass, scattered pixels; points everywhere."""
    grid, rng = Grid([-5.0, -5.0], [5.0, 5.0], [24, 24], periodic=[ring, ring]), np.random.default_rng(2)
    circle, period = ((-5.0, 5.0), 10.0) if ring else (None, None)
    points = Points(rng.uniform(-5, 5, (60, 2)), np.ones(60), [circle, circle])
    x, y = np.meshgrid(grid.x.centers, grid.y.centers)
    two = 1.0 * ((x - 3) ** 2 + y**2 < 2) + 2.0 * ((x + 3) ** 2 + y**2 < 2)
    for rho, gap in ((x**2 + y**2 < 4, 1e-5), (two, 1e-5), (rng.random((24, 24)) < 0.03, 0.05)):
        found = beside(points, Cells(grid, rho), (period, period), 1e-3)
        assert 0 < found.lower <= found.upper and found.upper - found.lower <= gap * found.upper


@pytest.mark.parametrize("ring", [False, True])
def test_densities_on_the_way(ring):
    """Positive, of mass 1, ever less blurred: nearer to the one that is meant; none where that is near at once."""
    grid = Grid(
        [0.0, 0.0], [2.0, 1.0], [32, 24], periodic=[ring, ring], mapping=[lambda s: s + 0.1 * s * (1 - s), None]
    )
    rho = np.zeros(grid.shape)
    rho[4:8, 3:9], rho[15:20, 20:30] = 1.0, 2.0
    cells, edges = Cells(grid, rho), [axis.edges for axis in grid.axes]
    places, nu = np.random.default_rng(0).random((40, 2)) * [2.0, 1.0], np.full(40, 1 / 40)
    first = first_density(edges, cells)
    start = PowerDiagram(edges, cells.density, first, places, WALLS)(np.zeros(40))
    way = [first, *steps_towards(edges, cells, nu, start)]
    off = [np.sum(np.abs(each - cells.density) * grid.cell_volume) for each in way]
    assert len(way) > 3 and np.all(np.diff(off) < 0)
    for each in way:
        assert np.all(each > 0) and np.sum(each * grid.cell_volume) == pytest.approx(1.0, rel=1e-12, abs=0)
    assert (
        steps_towards(edges, Cells(grid, first), nu, PowerDiagram(edges, first, first, places, WALLS)(np.zeros(40)))
        == []
    )


def test_what_has_no_start(monkeypatch):
    """A cylinder, and points that reach beyond its walls: as before, by lattices; and where steps do not suffice."""
    grid, rng = Grid([0.0, 0.0], [2.0, 1.0], [12, 8], periodic=[True, False]), np.random.default_rng(4)
    cells, cloud = Cells(grid, np.ones(grid.shape)), rng.random((30, 2)) * [2.0, 3.0]
    points = Points(cloud, np.ones(30), [(0.0, 2.0), None])
    assert beside(points, cells, (2.0, None), 1e-3) is None
    found = distance(grid, PointSet(cloud), np.full(grid.shape, 0.5))
    assert 0 < found.lower <= found.w2 <= found.upper and found.gap < 0.1
    exact = distance(grid, PointSet(cloud / [1.0, 3.0]), np.full(grid.shape, 0.5))
    monkeypatch.setattr(beside_density, "MOST_CUTS", 1)
    wide = distance(grid, PointSet(cloud / [1.0, 3.0]), np.full(grid.shape, 0.5))
    assert exact.gap <= 1e-6 < wide.gap and wide.lower <= exact.upper and wide.upper >= exact.lower


# ---- through the door --------------------------------------------------------------------------------------


def test_thousands_of_samples():
    """3000 of a Gaussian: bounds 1e-3 apart at most; mass M makes M times as much; either side may come first."""
    cells, told = gauss(64), []
    samples = PointSet(np.random.default_rng(0).standard_normal((3000, 2)))
    found = distance(cells.grid, samples, 2 * cells.density, progress=told.append)
    assert found.lower <= found.w2 <= found.upper and found.gap <= 1e-6 and 0.05 < found.w2 / np.sqrt(2) < 0.15
    assert found.iterations < 30 and told and all("bounds" in text for text in told)
    turned = distance(cells.grid, 2 * cells.density, samples)
    assert turned.w2 == pytest.approx(found.w2, rel=1e-9, abs=0)
