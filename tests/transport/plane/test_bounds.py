"""Each bound by itself holds for any potential at all, and meets the distance for the right one."""

import numpy as np
import pytest

from wgfpde.grid import Grid
from wgfpde.transport.benamou_brenier.operators import Staggering
from wgfpde.transport.line import Coupling
from wgfpde.transport.plane import dual_bound
from wgfpde.transport.plane.dual_bound import DualBound
from wgfpde.transport.plane.measures import Cells, Points
from wgfpde.transport.plane.parcels import arrivals
from wgfpde.transport.plane.plan_bound import plan_cost
from wgfpde.transport.plane.weighted_norms import _above, log_mean, near_bounds

RNG = np.random.default_rng(6)
RINGS = [(False, False), (True, False), (True, True)]


def pair(rings, stretched=False):
    """Two products of rough densities, and W₂² between them, from the line and the circle."""
    maps = [lambda s: s + 0.2 * s * (1 - s), lambda s: s**1.3] if stretched else None
    one = Grid([0.0, 0.0], [2.0, 1.0], [9, 7], periodic=list(rings), mapping=maps)
    other = one if not stretched else Grid([0.0, 0.0], [2.0, 1.0], [6, 8], periodic=list(rings))
    lines = [[np.random.default_rng(k).uniform(0.0, 1.0, g.axes[k].size) for g in (one, other)] for k in (0, 1)]
    exact = sum(
        Coupling(one.axes[k].edges, a / a.sum(), other.axes[k].edges, b / b.sum(), rings[k]).w2 ** 2
        for k, (a, b) in enumerate(lines)
    )
    cells = [Cells(g, np.outer(lines[1][i], lines[0][i]) / g.cell_volume) for i, g in enumerate((one, other))]
    periods = tuple(axis.length if ring else None for axis, ring in zip(one.axes, rings, strict=True))
    return *cells, periods, exact


def level_of(periods, shape):
    return Grid([0.0, 0.0], [2.0, 1.0], shape, periodic=[p is not None for p in periods])


@pytest.mark.parametrize("rings", RINGS)
@pytest.mark.parametrize("stretched", [False, True])
@pytest.mark.parametrize("size", [0.0, 0.01, 1.0])
def test_the_dual_bound_holds_for_any_potential(rings, stretched, size):
    mu, nu, periods, exact = pair(rings, stretched)
    bound = DualBound(mu, nu, periods)
    for shape in ([9, 7], [18, 14], [31, 20]):
        level = level_of(periods, shape)
        phi = size * RNG.standard_normal(level.shape)
        assert bound(level, phi).lower <= exact * (1 + 1e-12)


def test_the_dual_bound_meets_a_translation():
    """φ = ⟨y, d⟩ is the best there is: what is left are the moments of the parts of cells, ⅔w² in W₂², exactly."""
    for cuts in (1, 2, 5):
        grid = Grid([0.0, 0.0], [8.0, 8.0], [8, 8])
        a = np.zeros((8, 8))
        a[2:4, 2:4] = RNG.uniform(0.1, 1.0, (2, 2))
        mu, nu = Cells(grid, a), Cells(grid, np.roll(a, (1, 2), (0, 1)))
        level = Grid([0.0, 0.0], [8.0, 8.0], [8 * cuts, 8 * cuts])
        phi = level.sample(lambda x, y: 2 * x + y)
        found = DualBound(mu, nu, (None, None))(level, phi)
        assert found.lower == pytest.approx(5 - 2 / 3 / cuts**2, rel=1e-12, abs=0)
        assert cuts == 1 or found.estimate == pytest.approx(5.0, rel=1e-2, abs=0)


def test_the_dual_bound_of_points():
    """One point: any potential gives its moment, exactly; two clouds that move together."""
    grid = Grid([0.0, 0.0], [2.0, 1.0], [8, 4])
    mu = Cells(grid, RNG.uniform(0.0, 1.0, grid.shape))
    x, y = grid.coordinates().values()
    moment = np.sum(mu.mass * ((x - 1.3) ** 2 + (y - 0.2) ** 2 + 2 * 0.25**2 / 12))
    point = Points(np.array([[1.3, 0.2]]), np.ones(1))
    for one, other in ((mu, point), (point, mu)):
        level = Grid([0.0, 0.0], [2.0, 1.0], [16, 8])
        found = DualBound(one, other, (None, None))(level, RNG.standard_normal(level.shape))
        assert found.lower == pytest.approx(moment, rel=1e-12, abs=0) and found.estimate == pytest.approx(
            moment, rel=1e-10, abs=0
        )
    cloud = RNG.uniform(0.0, 1.0, (40, 2))
    pair = Points(cloud, np.ones(40)), Points(cloud + 0.3, np.ones(40))
    level = Grid([0.0, 0.0], [1.3, 1.3], [20, 20])
    assert DualBound(*pair, (None, None))(level, RNG.standard_normal(level.shape)).lower <= 0.18
    linear = level.sample(lambda x, y: 0.3 * (x + y))
    assert DualBound(*pair, (None, None))(level, linear).lower == pytest.approx(0.18, rel=0.03, abs=0)


@pytest.mark.parametrize("rings", RINGS)
@pytest.mark.parametrize("stretched", [False, True])
@pytest.mark.parametrize("size", [0.0, 0.01, 1.0])
def test_a_plan_costs_at_least_the_distance(rings, stretched, size):
    mu, nu, periods, exact = pair(rings, stretched)
    for shape in ([9, 7], [18, 14], [31, 20]):
        level = level_of(periods, shape)
        source, target = mu.bundles(level), nu.bundles(level)
        psi = size * RNG.standard_normal(source.mass.shape)
        assert plan_cost(psi, source, target, periods) >= exact * (1 - 1e-12)
        assert np.sum(arrivals(psi, source, target, periods)) == pytest.approx(1.0, rel=1e-12, abs=0)


def test_a_plan_of_the_right_map():
    """A translation by whole cells costs what it must, also round a circle; to one point, the moment."""
    grid = Grid([0.0, 0.0], [8.0, 8.0], [8, 8], periodic=[True, False])
    a = np.zeros((8, 8))
    a[2:4, 5:8] = RNG.uniform(0.1, 1.0, (2, 3))
    mu, nu = Cells(grid, a), Cells(grid, np.roll(a, (1, 2), (0, 1)))
    source, target = mu.bundles(grid), nu.bundles(grid)
    psi = grid.sample(lambda x, y: -2.0 * ((x - 2) % 8) - y)
    assert plan_cost(psi, source, target, (8.0, None)) == pytest.approx(5.0, rel=1e-12, abs=0)
    point = Points(np.array([[6.3, 3.1]]), np.ones(1)).bundles(grid)
    x, y = grid.coordinates().values()
    moment = np.sum(mu.mass * ((x - 6.3) ** 2 + (y - 3.1) ** 2 + 2 / 12))
    assert plan_cost(0 * psi, source, point, (None, None)) == pytest.approx(moment, rel=1e-12, abs=0)


def test_an_uncoupled_plan_is_that_of_blocks():
    """Nothing sent anywhere useful: two pixels exchange what one has too much, at the distance of their centres."""
    grid = Grid([0.0, 0.0], [8.0, 8.0], [8, 8])
    a, b = np.zeros((8, 8)), np.zeros((8, 8))
    a[0, 0], a[5, 6], b[0, 0], b[5, 6] = 2.0, 1.0, 1.0, 2.0
    cost = plan_cost(np.zeros((8, 8)), Cells(grid, a).bundles(grid), Cells(grid, b).bundles(grid), (None, None))
    assert cost == pytest.approx((25 + 36) / 3, rel=1e-12, abs=0)


def test_log_mean():
    """Against the integral that it is the inverse of; equal, far apart, and empty."""
    a, b = np.array([1.0, 2.0, 1e-8, 3.0, 0.0, 1.0]), np.array([1.0, 2.0 + 1e-9, 1.0, 1e-3, 1.0, 1.5])
    s = (np.arange(200_000) + 0.5) / 200_000
    found = log_mean(a, b)
    assert found[0] == 1.0 and found[4] == 0.0 and found[1] == pytest.approx(2.0 + 5e-10, rel=1e-12, abs=0)
    for k in (3, 5):
        assert found[k] == pytest.approx(1 / np.mean(1 / ((1 - s) * a[k] + s * b[k])), rel=1e-5, abs=0)
    assert found[2] == pytest.approx((1 - 1e-8) / np.log(1e8), rel=1e-12, abs=0)


@pytest.mark.parametrize("ring", [False, True])
@pytest.mark.parametrize("share", [1e-6, 1e-3, 0.1, 1.0])
def test_bounds_between_near_densities(ring, share):
    """Rough products mixed with others along x: the distance is that of the line, exactly."""
    grid = Grid([0.0, 0.0], [2.0, 1.0], [24, 10], periodic=[ring, False])
    for k in range(6):
        rng = np.random.default_rng(k)
        start, end, across = (rng.uniform(0.0 if k % 2 else 0.3, 1.0, n) for n in (24, 24, 10))
        if k == 5:
            start[:6] = 0.0  # where the other is not
        lines = [p / p.sum() for p in (start, start / start.sum() * (1 - share) + share * end / end.sum())]
        exact = Coupling(grid.x.edges, lines[0], grid.x.edges, lines[1], ring).w2 ** 2
        a, b = (np.outer(across / across.sum(), line) / grid.cell_volume for line in lines)
        found = near_bounds(grid, a, b)
        assert found.lower <= exact * (1 + 1e-9) and found.upper >= exact * (1 - 1e-9)
        assert found.lower <= found.value <= found.upper
        if share <= 1e-3 and k < 5:
            assert found.value == pytest.approx(exact, rel=0.05, abs=0) and found.lower >= 0.3 * exact


def test_near_bounds_say_nothing_where_all_is_vacuum_for_one():
    """Mass that is to leave, or to come, where one density is 0: no finite norm with the logarithmic mean, which is 0
    there; the value is then that of the other mean, within the bounds."""
    grid = Grid([0.0, 0.0], [12.0, 2.0], [12, 2])
    a, b = (np.ones(grid.shape) for _ in range(2))
    a[:, :3] = 0.0
    a, b = (f / np.sum(f * grid.cell_volume) for f in (a, b))
    mean = log_mean(a, b)
    assert np.all(mean[:, :3] == 0) and np.all(mean[:, 3:] > 0)
    faces = Staggering(grid)
    assert _above(grid, faces, a, b, mean) == _above(grid, faces, b, a, mean) == (np.inf, np.inf)
    assert np.all(np.isfinite(_above(grid, faces, a, b, 0.5 * (a + b))))


def test_points_between_nodes(monkeypatch):
    """Too many to be compared one by one: interpolated, and still a bound, whatever the potential."""
    monkeypatch.setattr(dual_bound, "MOST_PAIRS", 0)
    grid = Grid([0.0, 0.0], [2.0, 1.0], [8, 4])
    mu, point = Cells(grid, RNG.uniform(0.0, 1.0, grid.shape)), Points(np.array([[1.3, 0.21]]), np.ones(1))
    x, y = grid.coordinates().values()
    moment = np.sum(mu.mass * ((x - 1.3) ** 2 + (y - 0.21) ** 2 + 2 * 0.25**2 / 12))
    for shape in ([5, 3], [16, 8], [64, 32]):
        level = Grid([0.0, 0.0], [2.0, 1.0], shape)
        phi = -10 * level.sample(lambda x, y: (x - 1.3) ** 2 + (y - 0.21) ** 2)  # all goes there
        found = dual_bound.DualBound(mu, point, (None, None))(level, phi)
        assert found.lower <= moment
    assert found.lower >= 0.9 * moment
    cloud = RNG.uniform(0.2, 0.8, (30, 2))
    clouds = Points(cloud, np.ones(30)), Points(cloud + 0.01, np.ones(30))  # 2e-4 apart, squared; cells are 4e-3
    level = Grid([0.2, 0.2], [0.81, 0.81], [10, 10])
    for size in (0.0, 1e-4, 1e-2):
        phi = level.sample(lambda x, y: 0.01 * (x + y)) + size * RNG.standard_normal(level.shape)
        assert dual_bound.DualBound(*clouds, (None, None))(level, phi).lower <= 2e-4 * (1 + 1e-9)


def test_points_within_one_place_keep_their_variance():
    """A square to its four quarters' centres: all in one place of the raster, at distances that count."""
    grid = Grid([0.0, 0.0], [2.0, 2.0], [2, 2])
    square = Cells(grid, np.array([[1.0, 0.0], [0.0, 0.0]]))
    quarters = Points(np.array([[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]]), np.ones(4))
    cost = plan_cost(np.zeros((2, 2)), square.bundles(grid), quarters.bundles(grid), (None, None))
    assert cost == pytest.approx(2 / 12 + 2 / 16, rel=1e-12, abs=0)  # nothing is known of which goes where


def test_integrals_as_masses_at_nodes():
    """The same number for any potential, from cells of all sizes."""
    grid = Grid([0.0, 0.0], [2.0, 1.0], [6, 5], mapping=[lambda s: s**1.5, None])
    cells = Cells(grid, RNG.uniform(0.0, 1.0, grid.shape))
    for shape in ([6, 5], [17, 13]):
        nodes = cells.nodes(Grid([0.0, 0.0], [2.0, 1.0], shape))
        phi = RNG.standard_normal((len(nodes[1]), len(nodes[0])))
        mass, less = cells.on_nodes(nodes)
        assert np.sum(mass * phi) - less == pytest.approx(cells.integral(phi, nodes), rel=1e-12, abs=0)


def test_integrals_of_half_the_square():
    """φ = ½|y|², whose envelope is 0, is integrated exactly over cells and at points, from any nodes."""
    grid = Grid([0.0, 0.0], [2.0, 1.0], [6, 5], mapping=[lambda s: s**1.5, None])
    cells, points = Cells(grid, RNG.uniform(0.0, 1.0, grid.shape)), Points(RNG.uniform(0.0, 1.0, (20, 2)), np.ones(20))
    level = Grid([0.0, 0.0], [2.0, 1.0], [17, 13])
    for side in (cells, points):
        x, y = side.nodes(level)
        found = side.integral(0.5 * (x**2 + y[:, None] ** 2), (x, y))
        if side is points:
            assert found == pytest.approx(np.mean(0.5 * np.sum(points.places**2, axis=1)), rel=1e-12, abs=0)
            continue
        edges = grid.x.edges, grid.y.edges
        means = [(e[1:] ** 2 + e[1:] * e[:-1] + e[:-1] ** 2) / 6 for e in edges]
        assert found == pytest.approx(np.sum(cells.mass * (means[0] + means[1][:, None])), rel=1e-12, abs=0)
