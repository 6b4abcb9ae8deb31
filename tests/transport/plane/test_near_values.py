"""Distances of less than a cell: values and bounds against products of lines, which are exact."""

import numpy as np
import pytest
from scipy.special import erf

from wgfpde.grid import Grid
from wgfpde.transport.benamou_brenier.operators import Staggering
from wgfpde.transport.distances import distance
from wgfpde.transport.line import Coupling
from wgfpde.transport.plane import weighted_norms
from wgfpde.transport.plane.ascent import _linearised
from wgfpde.transport.plane.between import SHOT, common_refinement, squared_distance
from wgfpde.transport.plane.measures import Cells
from wgfpde.transport.plane.weighted_norms import near_bounds

N = 32
STRETCHED = [lambda s: s + 0.1 * s * (1 - s), lambda s: s**1.1]


def box(**options):
    return Grid([0.0, 0.0], [float(N)] * 2, [N, N], **options)


def normal(edges, mean, deviation):
    f = np.diff(erf((edges - mean) / (deviation * np.sqrt(2))))
    return f / f.sum()


def block(edges, low, high):
    f = np.clip(np.minimum(edges[1:], high) - np.maximum(edges[:-1], low), 0.0, None)
    return f / f.sum()


def lines(kind, t, one, other):
    """Masses along x and along y, of the first density and of the second, t cells apart or so."""
    ends = [(p.edges, q.edges) for p, q in zip(one.axes, other.axes, strict=True)]
    if kind == "noise":
        rng = np.random.default_rng(5)
        rough = [[f / f.sum() for f in rng.uniform(0.2, 1.0, (2, len(p) - 1))] for p, _ in ends]
        return [(f, (1 - t) * f + t * g) for f, g in rough]
    if kind == "front":
        return [
            (block(p, 9.3, 21.3), block(q, 9.3 + k * t, 21.3 + k * t)) for k, (p, q) in zip((1, 0), ends, strict=True)
        ]
    widths = {"shift": (4.0, 4.0), "sharp": (1.0, 1.0), "widen": (3.0, 3.0 * (1 + t / 4))}[kind]
    drift = 0.0 if kind == "widen" else t
    return [
        (normal(p, 15.0, widths[0]), normal(q, 15.0 + k * drift, widths[1]))
        for k, (p, q) in zip((1, 0.5), ends, strict=True)
    ]


def check(kind, t, one, other, allowed, wide=1.0):
    pairs = lines(kind, t, one, other)
    rings = tuple(bool(axis.ring) for axis in one.axes)
    exact = sum(
        Coupling(p.edges, f, q.edges, g, ring).w2 ** 2
        for p, q, (f, g), ring in zip(one.axes, other.axes, pairs, rings, strict=True)
    )
    mu, nu = (Cells(grid, np.outer(pairs[1][k], pairs[0][k]) / grid.cell_volume) for k, grid in enumerate((one, other)))
    found = squared_distance(mu, nu, rings, 1e-3)
    assert found.lower <= exact * (1 + 1e-9) and found.upper >= exact * (1 - 1e-9)
    assert found.lower <= found.value <= found.upper
    assert np.sqrt(found.value / exact) == pytest.approx(1.0, abs=allowed)
    assert found.upper <= exact * (1 + wide)


@pytest.mark.parametrize("kind", ["noise", "shift", "sharp", "widen", "front"])
def test_less_than_a_cell_apart(kind):
    """1 % at most from nothing to a cell: sharp bumps and fronts were up to 4 % off between a tenth and one."""
    for t in (1e-6, 0.03, 0.1, 0.3, 0.6, 1.0):
        check(kind, t, box(), box(), 0.01, 0.06)


@pytest.mark.parametrize(
    "options", [{"mapping": STRETCHED}, {"periodic": True}, {"mapping": STRETCHED, "periodic": [True, False]}]
)
def test_less_than_a_cell_apart_on_stretched_axes(options):
    """Where there were bounds only."""
    grid = box(**options)
    for t in (1e-6, 0.03, 0.3, 1.0):
        check("shift", t, grid, grid, 8e-3, 0.06)


def test_less_than_a_cell_apart_on_two_grids():
    """Of one box, on cells that cut each other; then the one grid ends where the other goes on: a vacuum of its own."""
    finer = Grid([0.0, 0.0], [32.0, 32.0], [29, 37], mapping=STRETCHED)
    larger = Grid([-2.0, 0.0], [34.0, 33.0], [29, 37])
    for t in (0.0, 0.03, 0.3, 1.0):
        check("shift", t, box(), finer, 0.01, 0.05)
    for t in (0.2, 0.6, 1.0):
        check("shift", t, box(), larger, 0.02, 0.3)
    check("shift", 0.0, box(), larger, 0.2, 0.7)  # 0.03 cells


def test_the_bounds_of_near_densities_hold_on_any_cells():
    """Rough ones on stretched axes, with vacuum, round circles, at all distances."""
    for seed in range(40):
        rng = np.random.default_rng(seed)
        rings = [bool(rng.random() < 0.3) for _ in range(2)]
        grid = Grid([0.0, 0.0], [2.0, 1.0], [14, 9], periodic=rings,
                    mapping=[lambda s: s + 0.1 * np.sin(2 * np.pi * s), lambda s: s**1.5])  # fmt: skip
        share, least = 10.0 ** rng.uniform(-7, 0), rng.choice([0.0, 0.3])
        start = [rng.uniform(least, 1.0, axis.size) for axis in grid.axes]
        end = [(1 - share) * f + share * rng.uniform(least, 1.0, len(f)) for f in start]
        start, end = ([f / f.sum() for f in both] for both in (start, end))
        exact = sum(
            Coupling(axis.edges, f, axis.edges, g, ring).w2 ** 2
            for axis, f, g, ring in zip(grid.axes, start, end, rings, strict=True)
        )
        found = near_bounds(grid, *(np.outer(f[1], f[0]) / grid.cell_volume for f in (start, end)))
        assert found.lower <= exact * (1 + 1e-9) and found.upper >= exact * (1 - 1e-9)
        assert found.lower <= found.value <= found.upper


@pytest.mark.parametrize("across", [2, 1])
@pytest.mark.parametrize("shift", [0.0, 0.1])
@pytest.mark.parametrize("ring", [False, True])
def test_two_cells_round_a_circle(across, shift, ring):
    """Between two cells of a circle a potential from corners is constant but for rounding, which moves nothing."""
    ends = [axis.boundary for axis in Grid([0.0, 0.0], [1.0, 1.0], [2, 2], periodic=[True, ring]).axes]
    lines = [np.array([0.0, 0.5 + shift, 1.0]), np.linspace(0.0, 1.0, across + 1)]
    grids = [Grid.of_edges(lines[::k], ends[::k]) for k in (1, -1)]
    if across == 2 and not shift:
        grids = [Grid([0.0, 0.0], [1.0, 1.0], [2, 2], periodic=[True, ring][::k]) for k in (1, -1)]
    for seed in range(60):
        rng = np.random.default_rng(seed)
        p, rise, w = rng.uniform(0.1, 1.1, 2), 10 ** rng.uniform(-4, 0) * rng.random(2), rng.random(across)
        p, q, w = (f / f.sum() for f in (p, p * (1 + rise), w))
        exact = Coupling(lines[0], p, lines[0], q, True).w2 ** 2
        for grid, turned in zip(grids, (False, True), strict=True):
            a, b = (np.outer(f, w) if turned else np.outer(w, f) for f in (p, q))
            found = near_bounds(grid, a / grid.cell_volume, b / grid.cell_volume)
            assert 0.0 <= found.lower <= exact * (1 + 1e-9) and found.upper >= exact * (1 - 1e-9)
            assert found.lower <= found.value <= found.upper


def test_what_potentials_are_rounded_by(monkeypatch):
    """They go round circles to the bit, have the mean 0, and what rounding makes of a constant moves nothing."""
    grid = Grid([0.0, 0.0], [1.0, 1.0], [49, 49], periodic=True)  # 49 (1/49) is not 1
    a, b = (f / np.sum(f * grid.cell_volume) for f in np.random.default_rng(8).random((2, *grid.shape)) + 0.1)
    u, steep = weighted_norms.steepness(grid, Staggering(grid), a, b)
    assert np.array_equal(u[0], u[-1]) and np.array_equal(u[:, 0], u[:, -1])
    assert abs(np.mean(u)) <= 1e-15 * np.max(np.abs(u))
    for constant in (1.0, -1.0):
        for k in range(10):
            monkeypatch.setattr(weighted_norms, "steepness", lambda *given, c=constant * 1.3**k: (0 * u + c, 0 * steep))
            assert near_bounds(grid, a, b).lower == 0.0


@pytest.mark.parametrize(("seed", "power"), [(1, 6), (5, 18)])
def test_any_unit_of_length(seed, power):
    """The same bounds and the same value in boxes whose squared squares are no numbers."""
    rng = np.random.default_rng(seed)
    a = rng.random((8, 8)) ** power
    b = a * (1 + 10 ** rng.uniform(-2, 0) * rng.random(a.shape))
    found = []
    for length in (1.0, 1e100, 1e-100):
        grid = Grid([0.0, 0.0], [length, length], [8, 8])
        given = [f / np.sum(f * grid.cell_volume) for f in (a, b)]
        found.append(distance(grid, *given))
        for name, rel in (("w2", SHOT), ("lower", 1e-6), ("upper", SHOT)):  # solves end elsewhere
            assert getattr(found[-1], name) / length == pytest.approx(getattr(found[0], name), rel=rel, abs=0)


def test_arrays_by_columns():
    """To the bit what arrays by rows give, without kernels of their own."""
    grid = Grid([0.0, 0.0], [1.0, 1.3], [6, 5])
    given = np.random.default_rng(7).random((2, *grid.shape))
    given[1] *= given[0].sum() / given[1].sum()
    found, compiled = distance(grid, *given), len(_linearised.signatures)
    assert distance(grid, *map(np.asfortranarray, given)) == found
    assert len(_linearised.signatures) == compiled


def test_common_refinement():
    """All edges of both, those that are one but for rounding once, over both boxes."""
    one, other = Grid([0.0, 0.0], [3.0, 1.0], [3, 2]), Grid([-1.0, 0.0], [2.0 + 1e-15, 1.0], [2, 3])
    found = common_refinement(one, other)
    assert found.x.edges == pytest.approx([-1.0, 0.0, 0.5, 1.0, 2.0, 3.0], rel=1e-14, abs=0)
    assert found.y.edges == pytest.approx([0.0, 1 / 3, 0.5, 2 / 3, 1.0], rel=1e-14, abs=0)
    rho = np.random.default_rng(0).uniform(0.0, 1.0, other.shape)
    mass = Cells(other, rho).deposit(found)
    assert np.sum(mass) == pytest.approx(1.0, rel=1e-13, abs=0) and np.count_nonzero(mass) == 4 * 4


@pytest.mark.parametrize("shape", [(5, 7), (16, 12)])
@pytest.mark.parametrize("cells", [1, 3, None])
def test_densities_that_rounding_tells_apart(shape, cells):
    """A step at rest gave one; a division by zero was the answer."""
    grid = Grid([-1.3, -0.25], [1.4, 0.25], shape)
    a = np.full(grid.shape, 1.0 / grid.volume)
    b = a.copy()
    b.flat[:cells] = np.nextafter(a.flat[0], 2.0)
    found = distance(grid, a, b)
    assert 0 <= found.lower <= found.w2 <= found.upper < 1e-7
