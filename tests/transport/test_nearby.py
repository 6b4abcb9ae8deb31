"""Shooting between densities near each other: the two bounds, the path that makes one, and where it must give up."""

import math

import numpy as np
import pytest

from wgfpde.energy.equations import gaussian
from wgfpde.grid import Grid
from wgfpde.transport.benamou_brenier.characteristics import Characteristics
from wgfpde.transport.benamou_brenier.elliptic import Elliptic, means, rises
from wgfpde.transport.benamou_brenier.nearby import solve_nearby
from wgfpde.transport.benamou_brenier.operators import Staggering
from wgfpde.transport.benamou_brenier.pdhg import solve_transport

BOXES = [(False, False), (True, False), (True, True)]


def box(periodic=(False, False), shape=(20, 26)):
    return Grid([-2.0, -1.5], [2.0, 1.5], list(shape), periodic=list(periodic))


def bump(grid, mean, variance=0.3, floor=0.0):
    rho = floor + grid.average(lambda x, y: gaussian(x, y, mean=mean, cov=variance))
    return rho / np.sum(rho * grid.cell_volume)


def divergence(grid, flux_x, flux_y):
    net = (flux_x - np.roll(flux_x, 1, axis=-1)) * grid.y.widths[0]
    return (net + (flux_y - np.roll(flux_y, 1, axis=-2)) * grid.x.widths[0]) / grid.cell_volume


@pytest.mark.parametrize("periodic", BOXES)
@pytest.mark.parametrize("steps", [1, 2, 5, 8])
def test_the_path_is_feasible_and_pays_what_is_said(periodic, steps):
    grid = box(periodic)
    a, b = bump(grid, (-0.1, 0.0), floor=0.05), bump(grid, (0.1, 0.1), 0.4, floor=0.05)
    found = solve_nearby(grid, a, b, steps, 1e-3)
    np.testing.assert_array_equal(found.path[0], a)
    np.testing.assert_array_equal(found.path[-1], b)
    assert found.path.min() >= 0
    change = steps * np.diff(found.path, axis=0) + divergence(grid, found.momentum_x, found.momentum_y)
    assert np.abs(change).max() <= 1e-9 * np.abs(b - a).max()
    cost = 0.0
    for k in range(steps):
        theta = means(0.5 * (found.path[k] + found.path[k + 1]))
        momenta = found.momentum_x[k] ** 2 / theta[0], found.momentum_y[k] ** 2 / theta[1]
        cost += 0.5 * float(np.sum(momenta[0] + momenta[1]) * grid.cell_volume.flat[0]) / steps
    walls = [np.abs(found.momentum_x[:, :, -1]).max(), np.abs(found.momentum_y[:, -1]).max()]
    assert [wall > 0 for wall in walls] == list(periodic)
    assert found.primal == pytest.approx(cost, rel=1e-9, abs=0)
    assert 0 <= found.primal - found.dual <= 1e-3 * found.primal
    assert found.gap == (found.primal - found.dual) / found.primal


@pytest.mark.parametrize("steps", [2, 5, 8])
def test_any_potential_gives_a_lower_bound(steps):
    """Smooth ones solve the Hamilton–Jacobi equation; rough ones violate it, and pay; none exceeds the optimum."""
    grid = box()
    a, b = bump(grid, (-0.1, 0.0), floor=0.05), bump(grid, (0.1, 0.1), floor=0.05)
    best = solve_nearby(grid, a, b, steps, 1e-6)
    bounds = Characteristics(Staggering(grid), a, b, steps)
    x, y = grid.x.centers, grid.y.centers[:, None]
    smooth = bounds.bound(0.2 * x + 0.1 * y)
    assert np.abs(smooth.slack).max() <= 1e-15 and 0.5 * best.primal < smooth.value <= best.primal
    rng = np.random.default_rng(steps)
    for size in (0.01, 0.1, 10.0, 1e200):
        assert bounds.bound(size * rng.standard_normal(a.shape)).value <= best.primal
    constant = bounds.bound(0.2 * x + 0.1 * y + 100.0)
    assert constant.value == pytest.approx(smooth.value, rel=1e-9, abs=0)


def test_one_step_is_one_elliptic_problem():
    """½W₂² = ½⟨b − a, ψ⟩, −∇·(θ∇ψ) = b − a, whatever the distance."""
    grid = box()
    a, b = bump(grid, (-0.8, 0.0), floor=0.01), bump(grid, (0.8, 0.2), floor=0.01)
    found = solve_nearby(grid, a, b, 1, 1e-6)
    psi, iterations = Elliptic(grid, Staggering(grid), 0.5 * (a + b)).solve(b - a)
    expected = 0.5 * float(np.sum((b - a) * psi * grid.cell_volume))
    assert found.primal == pytest.approx(expected, rel=1e-6, abs=0) and found.gap <= 1e-6
    assert 0 < iterations <= 40 and found.iterations <= 3 * iterations


@pytest.mark.parametrize("periodic", BOXES)
def test_the_first_order_method_agrees(periodic):
    grid = box(periodic)
    a, b = bump(grid, (-0.3, 0.0), floor=0.05), bump(grid, (0.3, 0.2), 0.4, floor=0.05)
    near, far = solve_nearby(grid, a, b, 8, 1e-5), solve_transport(grid, a, b, 8, 1e-4, 3000)
    assert near.gap <= 1e-5 and far.dual <= near.primal * (1 + 1e-12)
    assert near.primal == pytest.approx(far.primal, rel=2e-4, abs=0)
    np.testing.assert_allclose(near.path, far.path, atol=0.01 * a.max())


@pytest.mark.parametrize("distance", [1e-13, 1e-9, 1e-5, 1e-2])
def test_the_gap_is_true_at_any_distance(distance):
    """W₂ is in proportion to a small change of density, and both bounds see it."""
    grid = box()
    a, x = bump(grid, (0.0, 0.0), floor=0.02), grid.x.centers
    change = a * np.sin(x)
    change -= a * (change.sum() / a.sum())
    unit = solve_nearby(grid, a, a + 1e-4 * change, 4, 1e-3)
    found = solve_nearby(grid, a, a + distance * change, 4, 1e-3)
    assert math.sqrt(found.primal) / distance == pytest.approx(
        math.sqrt(unit.primal) / 1e-4, rel=max(1e-3, distance), abs=0
    )
    assert 0 <= found.gap <= 1e-5


def test_densities_that_differ_by_rounding():
    """Also where there is a vacuum."""
    grid, rng = box(), np.random.default_rng(3)
    x, y = grid.x.centers, grid.y.centers[:, None]
    for a in (bump(grid, (0, 0), 0.002), np.maximum(1 - x**2 - y**2, 0.0), rng.random(grid.shape)):
        b = a * (1 + 2e-16 * rng.standard_normal(a.shape))
        found = solve_nearby(grid, a, b * (a.sum() / b.sum()), 4, 1e-3)
        assert not np.array_equal(a, b) and found.gap <= 1e-3 and 0 < found.primal < 1e-28


def test_thin_parts_do_not_spoil_the_rest():
    """Tails that change by orders of magnitude, beside a peak that moves by a tenth of its width."""
    grid = box(shape=(48, 36))
    a, b = bump(grid, (-0.02, 0.0), 0.04), bump(grid, (0.02, 0.0), 0.04)
    b += 1e-9 * bump(grid, (0.0, 0.0), 0.2)
    b /= np.sum(b * grid.cell_volume)
    found = solve_nearby(grid, a, b, 8, 1e-3)
    assert found.gap <= 1e-3 and math.sqrt(2 * found.primal) == pytest.approx(0.04, rel=2e-3, abs=0)


def test_fast_mass_gets_more_steps():
    grid = box(shape=(80, 60))
    a, b = bump(grid, (-0.25, 0.0), floor=0.05), bump(grid, (0.25, 0.0), floor=0.05)
    found = solve_nearby(grid, a, b, 2, 1e-3)
    assert 2 < len(found.phi) <= 32 and found.gap <= 1e-3


def test_what_cannot_be_joined_is_not_claimed():
    """Two cells with a vacuum between them."""
    grid = box()
    a, b = np.zeros(grid.shape), np.zeros(grid.shape)
    a[5, 5] = a[20, 15] = 1.0
    b[5, 5], b[20, 15] = 1.01, 0.99
    assert solve_nearby(grid, a, b, 4, 1e-3).gap == math.inf


@pytest.mark.parametrize("periodic", BOXES)
def test_the_elliptic_problem(periodic):
    """Its flux moves r, also with densities that span 250 orders of magnitude and with parts that do not touch."""
    grid = box(periodic)
    x, y = grid.x.centers, grid.y.centers[:, None]
    for rho in (np.exp(-150 * (x**2 + y**2)), np.where(np.abs(x + 0.0 * y) < 0.5, 0.0, 1.0 + x**2)):
        r = rho * np.sin(3 * y)
        r -= rho * (r.sum() / rho.sum())
        problem = Elliptic(grid, Staggering(grid), rho)
        flux = problem.g * rises(problem.solve(r)[0])
        net = (flux[0] - np.roll(flux[0], 1, axis=1)) + (flux[1] - np.roll(flux[1], 1, axis=0))
        assert np.abs(net + r * grid.cell_volume).sum() <= 1e-9 * np.abs(r * grid.cell_volume).sum()
