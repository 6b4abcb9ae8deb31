"""Multigrid for A = GᵀCG + L: against sparse direct solves, as a symmetric operator, and by its iteration counts."""

import numpy as np
import pytest
import scipy.sparse as sp
import scipy.sparse.linalg as sla

from wgfpde.grid import Grid
from wgfpde.linear.multigrid.hierarchy import EVEN_SLACK, TYPICAL, UNEVEN_SLACK, _limit, _merge
from wgfpde.linear.multigrid.solver import Multigrid

SHAPES = [(2, 2), (3, 2), (2, 40), (40, 3), (17, 19), (33, 31), (48, 20)]
WRAPS = [(False, False), (True, False), (False, True), (True, True)]


def assemble(c, gx, gy, bx, by):
    """The sparse matrix A, straight from its definition."""
    index = np.arange(c.size).reshape(c.shape)
    laplace, g_minus = sp.csr_matrix((c.size, c.size)), sp.csr_matrix((c.size, c.size))
    ones, faces = np.ones(c.size), np.arange(c.size)
    for g, b, axis in ((gx, bx, 1), (gy, by, 0)):
        upper = sp.csr_matrix((ones, (faces, np.roll(index, -1, axis).ravel())), (c.size, c.size))
        lower = sp.csr_matrix((ones, (faces, index.ravel())), (c.size, c.size))
        laplace = laplace + (upper - lower).T @ sp.diags(g.ravel()) @ (upper - lower)
        g_minus = g_minus + (upper + lower).T @ sp.diags(b.ravel()) @ (upper - lower)
    gather = sp.identity(c.size) - g_minus
    return (gather.T @ sp.diags(c.ravel()) @ gather + laplace).tocsc()


def make(shape, wraps, rng, orders=2.0, b=0.2):
    """A grid and random weights; wraps says whether x and y are periodic."""
    ny, nx = shape
    grid = Grid([0.0], [1.0], [nx], wraps[0]) if ny == 1 else Grid([0.0, 0.0], [1.0, ny / nx], [nx, ny], list(wraps))
    c, gx, gy = 10.0 ** rng.uniform(-orders, 0.0, (3, ny, nx))
    bx, by = b * rng.standard_normal((2, ny, nx))
    for face, axis, closed in ((gx, 1, wraps[0]), (bx, 1, wraps[0]), (gy, 0, wraps[1]), (by, 0, wraps[1])):
        if not closed or shape[axis] == 1:
            face[(slice(None), -1) if axis == 1 else (-1,)] = 0.0
    return grid, (c, gx, gy, bx, by)


def conductances(rho, grid):
    """g = A_σ θ_σ/d_σ of a density, no-flux or periodic, on any grid."""
    mass = np.array(grid.cell_volume) * rho
    gx = 0.5 * (mass + np.roll(mass, -1, 1)) / grid.x.distances**2
    gy = 0.5 * (mass + np.roll(mass, -1, 0)) / grid.y.distances[:, None] ** 2
    return gx, gy


def gaussian(n, tau=1.0, mapping=None, shape=None):
    grid = Grid([-5.0, -5.0], [5.0, 5.0], shape or [n, n], mapping=mapping)
    rho = grid.sample(lambda x, y: np.exp(-((x - 1.0) ** 2) - (y + 0.5) ** 2) / np.pi)
    zero = np.zeros(grid.shape)
    return grid, (np.array(grid.cell_volume) * rho / tau, *conductances(rho, grid), zero, zero)


def barenblatt(n, outside):
    """A parabola on a disc; cell terms `outside` it (0 is vacuum), conductances 0 there."""
    grid = Grid([0.0, 0.0], [1.0, 1.0], [n, n])
    rho = grid.sample(lambda x, y: np.maximum(1.0 - ((x - 0.5) ** 2 + (y - 0.5) ** 2) / 0.0625, 0.0))
    zero = np.zeros(grid.shape)
    return grid, (np.where(rho > 0.0, 500.0, outside) / n**2, *conductances(rho, grid), zero, zero)


def checkers(n):
    grid = Grid([0.0, 0.0], [1.0, 1.0], [n, n])
    rho = grid.sample(lambda x, y: np.where((np.floor(8 * x) + np.floor(8 * y)) % 2 == 0, 1e-6, 1.0))
    zero = np.zeros(grid.shape)
    return grid, (rho / n**2, *conductances(rho, grid), zero, zero)


def solver(grid, weights):
    multigrid = Multigrid(grid)
    multigrid.setup(*weights)
    return multigrid


def iterations(problem, rtol=1e-8):
    grid, weights = problem
    multigrid = solver(grid, weights)
    f = multigrid.apply(np.random.default_rng(0).standard_normal(grid.shape))
    _, count, residual = multigrid.solve(f, rtol)
    assert residual <= rtol
    return count


@pytest.mark.parametrize("wraps", WRAPS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("b", [0.0, 0.2])
def test_solution_is_that_of_a_direct_solver(shape, wraps, b):
    rng = np.random.default_rng(1)
    grid, weights = make(shape, wraps, rng, b=b)
    multigrid, a = solver(grid, weights), assemble(*weights)
    f = rng.standard_normal(shape)
    u, _, residual = multigrid.solve(f, 1e-12)
    expected = sla.spsolve(a, f.ravel()).reshape(shape)
    assert residual <= 1e-12
    np.testing.assert_allclose(u, expected, atol=1e-8 * np.abs(expected).max())
    p = rng.standard_normal(shape)
    np.testing.assert_allclose(multigrid.apply(p).ravel(), a @ p.ravel(), atol=1e-13 * abs(a).max() * np.abs(p).max())


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("n", [2, 3, 30, 101])
def test_1d_takes_one_iteration_over_many_orders(n, periodic):
    rng = np.random.default_rng(2)
    grid, (c, gx, gy, bx, by) = make((1, n), (periodic, False), rng, b=0.0)
    gx *= 10.0 ** rng.uniform(-100.0, 0.0, (1, n))
    multigrid = solver(grid, (c, gx, gy, bx, by))
    f = rng.standard_normal((1, n))
    u, count, _ = multigrid.solve(f, 1e-12)
    assert count == 1
    expected = sla.spsolve(assemble(c, gx, gy, bx, by), f.ravel())
    np.testing.assert_allclose(u[0], expected, atol=1e-12 * np.abs(expected).max())


@pytest.mark.parametrize("periodic", [False, True])
def test_1d_with_transport(periodic):
    rng = np.random.default_rng(3)
    grid, weights = make((1, 60), (periodic, False), rng)
    f = rng.standard_normal((1, 60))
    u, _, _ = solver(grid, weights).solve(f, 1e-12)
    expected = sla.spsolve(assemble(*weights), f.ravel())
    np.testing.assert_allclose(u[0], expected, atol=1e-8 * np.abs(expected).max())


@pytest.mark.parametrize("wraps", WRAPS)
@pytest.mark.parametrize("shape", [(17, 19), (33, 30), (40, 3)])
def test_operator_and_cycle_are_symmetric_positive(shape, wraps):
    rng = np.random.default_rng(4)
    grid, weights = make(shape, wraps, rng, orders=8.0)
    multigrid = solver(grid, weights)
    x, y = rng.standard_normal((2, *shape))
    for operator in (multigrid.apply, multigrid.precondition):
        xx, yy = np.vdot(x, operator(x)), np.vdot(y, operator(y))
        assert xx > 0.0 and yy > 0.0
        assert abs(np.vdot(x, operator(y)) - np.vdot(operator(x), y)) <= 1e-13 * np.sqrt(xx * yy)


@pytest.mark.parametrize("wraps", WRAPS)
def test_cycle_is_definite_in_every_direction(wraps):
    grid, weights = make((20, 19), wraps, np.random.default_rng(5))
    multigrid = solver(grid, weights)
    assert len(multigrid._levels) > 1
    columns = [multigrid.precondition(e.reshape(grid.shape)).ravel() for e in np.eye(grid.size)]
    values = np.linalg.eigvalsh(np.array(columns))
    assert values[0] > 0.0


def test_smooth_weights_over_300_orders():
    """ρ falls by 1e-300 to the corner; the answer is right relative to itself, there too."""
    n = 48
    grid = Grid([0.0, 0.0], [1.0, 1.0], [n, n])
    rho = grid.sample(lambda x, y: 10.0 ** (-150.0 * (x + y)))
    zero = np.zeros(grid.shape)
    weights = (rho, *conductances(rho, grid), zero, zero)
    expected = grid.sample(lambda x, y: 2.0 + np.sin(3 * x + y))
    scale = 1.0 / np.sqrt(rho)  # symmetric scaling, so that the sparse solver can be trusted
    matrix = sp.diags(scale.ravel()) @ assemble(*weights) @ sp.diags(scale.ravel())
    f = (matrix @ (expected / scale).ravel()).reshape(grid.shape) / scale
    multigrid = solver(grid, weights)
    u, _, residual = multigrid.solve(f, 1e-12)
    assert residual <= 1e-12
    np.testing.assert_allclose((u / scale), (expected / scale), atol=1e-10 * (expected / scale).max())
    z = multigrid.precondition(f)
    ratio = z / expected  # one cycle gives every cell its order of magnitude: nothing underflows where ρ is faint
    assert ratio.min() > 0.1 and ratio.max() < 10.0


def test_vacuum_receives_zero_and_changes_nothing():
    grid, (c, gx, gy, bx, by) = barenblatt(64, 0.0)
    rng = np.random.default_rng(6)
    full = (gx > 0) | (np.roll(gx, 1, 1) > 0) | (gy > 0) | (np.roll(gy, 1, 0) > 0) | (c > 0)
    assert 0 < full.sum() < full.size
    f = rng.standard_normal(grid.shape) * full
    multigrid = solver(grid, (c, gx, gy, bx, by))
    u, _, residual = multigrid.solve(f, 1e-12)
    assert residual <= 1e-12
    assert np.all(u[~full] == 0.0)
    keep = np.flatnonzero(full)
    a = assemble(c, gx, gy, bx, by)[keep][:, keep]
    expected = sla.spsolve(a, f.ravel()[keep])
    np.testing.assert_allclose(u.ravel()[keep], expected, atol=1e-9 * np.abs(expected).max())
    dirty = f + np.where(full, 0.0, 1e3 * rng.standard_normal(grid.shape))
    np.testing.assert_array_equal(multigrid.solve(dirty, 1e-12)[0], u)


@pytest.mark.parametrize("factor", [2.0**-500, 2.0**500])
def test_scaling_all_weights_and_f_changes_no_bit(factor):
    rng = np.random.default_rng(7)
    grid, (c, gx, gy, bx, by) = make((33, 40), (True, False), rng)
    f = rng.standard_normal(grid.shape)
    u, count, _ = solver(grid, (c, gx, gy, bx, by)).solve(f, 1e-10)
    v, again, _ = solver(grid, (factor * c, factor * gx, factor * gy, bx, by)).solve(factor * f, 1e-10)
    assert count == again
    np.testing.assert_array_equal(u, v)


def _sinh(s):
    """Widths that vary 1 : 10."""
    return 0.5 + 0.5 * np.sinh(3.0 * (2.0 * s - 1.0)) / np.sinh(3.0)


FAMILIES = {
    "Gaussian, tau = 1": (gaussian, 11),
    "Gaussian, tau = 0.01": (lambda n: gaussian(n, 0.01), 10),
    "odd": (lambda n: gaussian(n + 1), 11),
    "vacuum": (lambda n: barenblatt(n, 0.0), 11),
    "nearly vacuum": (lambda n: barenblatt(n, 1e-9), 11),
    "jumps": (checkers, 20),
    "elongated cells": (lambda n: gaussian(n, shape=[n, n // 4]), 13),
    "stretched": (lambda n: gaussian(n, mapping=[_sinh, _sinh]), 14),
}
"""Problem and most iterations to 1e-8; jumps grow slowly (12 at 64², 16 at 512²), the others stay within two."""


@pytest.mark.parametrize("name", FAMILIES)
def test_iterations_do_not_grow_with_the_grid(name):
    problem, most = FAMILIES[name]
    counts = [iterations(problem(n)) for n in (64, 128, 256, 512)]
    assert max(counts) <= most
    assert counts[-1] <= 1.4 * counts[0] + 1


@pytest.mark.parametrize("n", [61, 64])
def test_periodic_seam_costs_nothing(n):
    one, zero = np.ones((n, n)), np.zeros((n, n))
    counts = []
    for wrap in (False, True):
        grid = Grid([0.0, 0.0], [1.0, 1.0], [n, n], wrap)
        counts.append(iterations((grid, (1e-6 * one, *conductances(one, grid), zero, zero))))
    assert counts[1] <= counts[0] + 2


def test_failures_are_returned_not_raised():
    grid, weights = make((33, 31), (False, False), np.random.default_rng(8))
    multigrid, f = solver(grid, weights), np.random.default_rng(9).standard_normal((33, 31))
    _, count, residual = multigrid.solve(f, 1e-12, max_iterations=2)
    assert count == 2 and residual > 1e-12
    u, count, residual = multigrid.solve(np.full((33, 31), np.nan), 1e-12)
    assert count == 0 and np.isnan(residual) and not u.any()
    u, count, residual = multigrid.solve(f, 1e-12)
    assert residual <= 1e-12  # what failed before leaves nothing behind
    u, count, residual = multigrid.solve(np.zeros((33, 31)), 1e-12)
    assert count == 0 and residual == 0.0 and not u.any()
    start = np.sqrt(np.vdot(f, multigrid.precondition(f)))
    _, count, residual = multigrid.solve(f, 0.0, atol=1e-3 * start)
    assert 0 < count < 20 and residual <= 1e-3


@pytest.mark.parametrize("stretched", [False, True])
@pytest.mark.parametrize("count", [1, 2, 7, 8, 33])
def test_neighbours_are_merged_from_the_left(count, stretched):
    """All pairs, none, and some: as one after the other finds them."""
    rng = np.random.default_rng(count)
    widths = rng.uniform(0.5, 1.5, count) if stretched else np.full(count, 0.1)
    for limit in (0.0, 0.19, 0.21, 1.2, 1.8, 3.1):
        expected, i = [], 0
        while i < count:
            pair = i + 1 < count and widths[i] + widths[i + 1] <= limit
            expected += [expected[-1] + 1 if expected else 0] * (1 + pair)
            i += 1 + pair
        found = _merge(widths, limit)
        assert found.dtype == np.int64 and found.tolist() == expected


def test_the_widths_that_limit_a_merged_pair():
    """Of pairs of which a tenth may be narrower, or wider."""
    rng = np.random.default_rng(0)
    for counts in ((5, 40), (12, 3), (2, 1)):
        widths = [rng.uniform(0.5, 1.5, n) for n in counts]
        pairs = [w[:-1] + w[1:] for w in widths if len(w) > 1]
        narrow = [np.quantile(p, TYPICAL, method="higher") for p in pairs]
        even = all(np.quantile(p, 1 - TYPICAL, method="lower") <= 1.1 * n for p, n in zip(pairs, narrow, strict=True))
        assert _limit(widths) == (EVEN_SLACK if even else UNEVEN_SLACK) * min(narrow)
