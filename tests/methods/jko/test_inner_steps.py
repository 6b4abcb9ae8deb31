"""Steps with N inner steps by the interior point: its operators against differences, its end against `pdhg`."""

import math

import numpy as np
import pytest

from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.snapshot import Snapshot
from wgfpde.errors import SolverError
from wgfpde.grid import Grid
from wgfpde.methods.jko.exact import inner_steps
from wgfpde.methods.jko.exact.inner_steps import Barrier, solve_by_barrier, solve_surely
from wgfpde.methods.jko.exact.space_time import SpaceTime
from wgfpde.methods.jko.method import FALLBACK_GAP
from wgfpde.methods.jko.stepper import Jko
from wgfpde.transport.benamou_brenier.operators import Staggering
from wgfpde.transport.benamou_brenier.pdhg import solve_step
from wgfpde.transport.benamou_brenier.pdhg_cascade import EnergyStep, Problem
from wgfpde.transport.benamou_brenier.pdhg_certificate import Prover, slacks
from wgfpde.transport.benamou_brenier.pdhg_end import End

RINGS = [(False, False), (True, False), (False, True), (True, True)]
LAWS = [Internal("entropy", 0.7), Internal("power", 0.7, 2.0), Internal("power", 0.7, 8.0)]


def problem_of(internal, rings=(False, False), steps=3, tau=0.2, seed=0, shape=(6, 5)):
    rng = np.random.default_rng(seed)
    grid = Grid([0.0, 0.0], [2.0, 1.0], shape, rings)
    rho0 = np.where(rng.random(grid.shape) < 0.3, 0.0, rng.random(grid.shape))
    end = End.of_energy(internal, rng.random(grid.shape), tau, None, grid.volume / grid.size)
    return Problem(grid, rho0, end, steps)


@pytest.mark.parametrize("rings", RINGS)
def test_the_equations_are_those_of_the_certificate(rings):
    """Slacks against the kernel of the certificate, and the path of the momenta against its march."""
    problem, rng = problem_of(LAWS[0], rings), np.random.default_rng(1)
    space_time, shape = SpaceTime(problem.grid, 3), (3, *problem.rho0.shape)
    phi, rho = rng.normal(size=(3, 30)), 1 + rng.random((3, 30))
    g = space_time.slopes(phi)
    rates, slack, rows = np.empty((2, *shape[1:])), np.empty((2, *shape[1:])), np.empty((2, shape[1]))
    faces = Staggering(problem.grid)
    slacks(phi.reshape(shape), faces.ax, faces.ay, rates, slack, rows)
    found = space_time.slack(phi, g, np.zeros(30)).reshape(shape)
    np.testing.assert_allclose(found[:2], slack, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found[2], phi[2].reshape(shape[1:]) - rates[1], rtol=1e-12, atol=1e-12)
    theta, start = space_time.on_faces(np.ones(30), rho), np.ones(30)
    small = 1e-4  # so that no limiter changes the path
    moved = Prover(problem.faces(), start.reshape(shape[1:]), problem.end, 3).prove(
        space_time.momentum(small * theta * g), phi.reshape(shape)
    )
    path = np.concatenate([start[None], moved.path[1:].reshape(3, 30)])
    left = space_time.continuity(start, path[1:], theta, small * g)
    assert np.max(np.abs(left)) <= 1e-13
    cost = small**2 / 6 * np.sum(theta**2 * g**2 / space_time.on_faces(start, path[1:])) * problem.end.volume
    assert moved.transport == pytest.approx(cost, rel=1e-12, abs=0)


@pytest.mark.parametrize("rings", RINGS)
def test_the_operators_are_the_derivatives(rings):
    space_time, rng, e = SpaceTime(Grid([0.0, 0.0], [2.0, 1.0], (6, 5), rings), 3), np.random.default_rng(2), 1e-6
    phi, rho, start, none = rng.normal(size=(3, 30)), 1 + rng.random((3, 30)), rng.random(30), np.zeros(30)
    to_phi, to_rho = rng.normal(size=(2, 3, 30))
    theta, g = space_time.on_faces(start, rho), space_time.slopes(phi)
    by_phi, laplacian = space_time.operators(theta, g)

    def slack(size):
        other = phi + size * to_phi
        return space_time.slack(other, space_time.slopes(other), none)

    def continuity(size, other):
        there = rho + size * to_rho
        return space_time.continuity(start, there, space_time.on_faces(start, there), space_time.slopes(phi + other))

    change = (slack(e) - slack(-e)) / (2 * e)
    np.testing.assert_allclose(by_phi @ to_phi.ravel(), change.ravel(), rtol=1e-6, atol=1e-7)
    change = (continuity(e, 0.0) - continuity(-e, 0.0)) / (2 * e)
    np.testing.assert_allclose(by_phi.T @ to_rho.ravel(), change.ravel(), rtol=1e-6, atol=1e-7)
    change = continuity(0.0, to_phi) - continuity(0.0, 0.0)
    np.testing.assert_allclose(-(laplacian @ to_phi.ravel()), change.ravel(), rtol=1e-9, atol=1e-9)
    assert abs(laplacian @ np.ones(90)).max() <= 1e-12


@pytest.mark.parametrize("rings", RINGS[:2])
@pytest.mark.parametrize("internal", LAWS)
def test_it_ends_where_the_first_order_method_does(internal, rings):
    """Each encloses the minimum of one problem; the energy is convex, so that the ends are near."""
    problem = problem_of(internal, rings, tau=0.02)
    found = solve_by_barrier(problem, internal, 1e-9)
    other = solve_step(EnergyStep(problem.grid, problem.rho0, internal, problem.end.v / 0.02, 0.02, 3), 1e-6, 20_000)
    assert found.gap <= 1e-9 and found.found_by == "an interior point"
    noise = 1e-13 * found.scale
    assert other.dual <= found.primal + noise and found.dual <= other.primal + noise
    assert found.rho.sum() == pytest.approx(problem.rho0.sum(), rel=1e-13, abs=0) and found.rho.min() >= 0
    assert np.abs(found.rho - other.rho).sum() <= 5e-3 * problem.rho0.sum()


@pytest.mark.parametrize("internal", LAWS)
def test_a_short_move_takes_the_same_part_off_all_residuals(monkeypatch, internal):
    """What Newton's direction is: r ← (1 − a) r, and ρs ← (1 − a) ρs + a μ, but for a²."""
    barrier = Barrier(problem_of(internal), internal)
    for _ in range(2):
        barrier.move(barrier.residuals())
    monkeypatch.setattr(inner_steps, "BOUNDARY", 1e-6)
    before, product = barrier.residuals(), barrier.rho * barrier.slack
    barrier.move(before)
    after, size = barrier.residuals(), np.abs(before.r2).max()
    part = np.max(np.abs(after.r2 - before.r2)) / size
    assert 1e-8 < part <= 1e-6
    np.testing.assert_allclose(after.r2 - before.r2, -part * before.r2, rtol=0, atol=1e-4 * part * size)
    size = np.abs(before.r1).max() + 1e-3 * np.abs(barrier.slack).max()
    np.testing.assert_allclose(after.r1 - before.r1, -part * before.r1, rtol=0, atol=1e-4 * part * size)
    mean = before.complementarity * barrier.unit
    mu = (1.0 if before.continuity > math.sqrt(before.complementarity) else 0.1) * mean
    change = barrier.rho * barrier.slack - product
    np.testing.assert_allclose(change, part * (mu - product), rtol=0, atol=1e-4 * part * product.max())


WILD = [
    # kind, cells, tau, decades of the density
    (8.0, (8, 5), 1e3, 100.0),
    (4.0, (7, 7), 3e3, 60.0),
    (1.2, (4, 8), 1e2, 12.0),
    ("entropy", (7, 5), 1e-4, 100.0),
]


@pytest.mark.parametrize(("kind", "shape", "tau", "decades"), WILD)
def test_rough_densities_are_taken_by_it_where_the_first_order_method_takes_long(
    monkeypatch, kind, shape, tau, decades
):
    monkeypatch.setattr(inner_steps, "FEW_ITERATIONS", 20)
    internal = Internal("entropy") if kind == "entropy" else Internal("power", 1.0, kind)
    grid = Grid([0.0, 0.0], [2.0, 1.0], shape)
    flow = Flow(grid, Energy(internal, lambda x, y: 3 * np.cos(5 * x) + y))
    rho = 10.0 ** np.random.default_rng(3).uniform(-decades, 0, grid.shape)
    rho /= flow.mass(rho)
    new = Jko(flow, tau, "exact", threads=1).step(Snapshot(0.0, 0, {"rho": rho}), tau)
    assert new.dt == tau and new.report.note.startswith("taken by an interior point with 8 inner steps: the exact JKO")
    assert new.report.gap <= FALLBACK_GAP and math.isnan(new.report.more["backward_error"])
    assert new.rho.min() >= 0 and flow.mass(new.rho) == pytest.approx(1.0, rel=1e-13, abs=0)
    before, after = flow.parts(rho), (*flow.parts(new.rho), new.report.transport / tau)
    assert sum(after) <= sum(before) + 2e-13 * sum(map(abs, (*before, *after)))


def test_the_barrier_starts_from_what_is_at_stake():
    """One cell holds 1e13 times the internal energy of the mean, to which a long step brings it."""
    grid, internal = Grid([0.0, 0.0], [2.0, 1.0], (8, 5)), Internal("power", 1.0, 8.0)
    rho0 = np.zeros(grid.shape)
    rho0[1, 2] = 40.0
    end = End.of_energy(internal, np.zeros(grid.shape), 1e5, None, grid.volume / grid.size)
    assert solve_by_barrier(Problem(grid, rho0, end, 8), internal, 1e-6).iterations <= 60


def test_what_it_does_not_solve_ends_in_a_sentence(monkeypatch):
    monkeypatch.setattr(inner_steps, "MOST", 3)
    problem = problem_of(LAWS[1])
    with pytest.raises(
        SolverError, match=r"an interior point with 3 inner steps reached no gap in 3 iterations; .*\.$"
    ):
        solve_by_barrier(problem, LAWS[1], 1e-6)


def test_large_grids_are_left_to_the_first_order_method(monkeypatch):
    monkeypatch.setattr(inner_steps, "MOST_CELLS", 20)
    problem = problem_of(LAWS[1])
    with pytest.raises(SolverError, match=r"pdhg reached a relative gap of .* in 3 iterations"):
        solve_surely(EnergyStep(problem.grid, problem.rho0, LAWS[1], problem.end.v, 1.0, 3), 1e-6, 3)
