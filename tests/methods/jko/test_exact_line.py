"""The exact step in 1D: its coupling and derivatives against definitions, its gap, closed forms, promises."""

import math

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from test_closed_forms import gaussian, gaussian_recursion, moved, slope, start
from test_jko_stepper import JkoProblem, problems

from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.snapshot import Snapshot
from wgfpde.errors import SolverError
from wgfpde.grid import Grid
from wgfpde.methods.jko.exact.exact_line import LineStep
from wgfpde.methods.jko.exact.solution import Problem
from wgfpde.methods.jko.minimise import Minimiser
from wgfpde.methods.jko.stepper import Jko
from wgfpde.transport.benamou_brenier.gap_scale import scale_of_gap
from wgfpde.transport.benamou_brenier.operators import Staggering
from wgfpde.transport.line import Coupling

STRETCHED = [lambda s: s + 0.3 * np.sin(2 * np.pi * s) / (2 * np.pi)]


def stepper_of(flow, tau, **options):
    return Jko(flow, tau, "exact", threads=1, **options)


def line(n=40, kind="entropy", mapping=None, data="smooth", seed=0, ring=False):
    """A step under way between two positive densities; ρ⁰ with vacuum where data says so."""
    rng = np.random.default_rng(seed)
    potential = (lambda x: 4 * np.cos(2 * np.pi * x / 3)) if ring else lambda x: x**2
    flow = Flow(Grid([-1.0], [2.0], [n], [ring], mapping=mapping), Energy(Internal(kind), potential))
    rho0, rho = rng.random(n), rng.random(n) + 0.1
    if data == "vacuum":
        rho0[n // 4 : n // 2] = 0.0
        rho0[-3:] = 0.0
    rho0, rho = rho0 / flow.mass(rho0), rho / flow.mass(rho)
    return flow, LineStep(Problem(flow, rho0, flow.potential, 0.05), 1e-8, None), rho0, rho


@pytest.mark.parametrize("ring", [False, True])
@pytest.mark.parametrize("mapping", [None, STRETCHED])
@pytest.mark.parametrize("data", ["smooth", "vacuum"])
def test_the_coupling_costs_what_quantiles_say(mapping, data, ring):
    for seed in range(5):
        flow, step, rho0, rho = line(mapping=mapping, data=data, seed=seed, ring=ring)
        widths, edges = flow.grid.x.widths, flow.grid.x.edges
        expected = Coupling(edges, rho0 * widths, edges, rho * widths, ring).w2
        assert 2 * step.couple(rho) == pytest.approx(expected**2, rel=1e-12, abs=0)


@pytest.mark.parametrize("ring", [False, True])
@pytest.mark.parametrize("mapping", [None, STRETCHED])
@pytest.mark.parametrize("data", ["smooth", "vacuum"])
def test_the_potential_is_the_gradient_of_the_cost(mapping, data, ring):
    flow, step, _, rho = line(mapping=mapping, data=data, ring=ring)
    widths = flow.grid.x.widths
    change = np.random.default_rng(1).normal(size=rho.size)
    change -= np.sum(widths * change) / np.sum(widths)
    step.couple(rho)
    predicted, e = float(np.sum(widths * step.potential() * change)), 1e-5 * float(np.min(rho))
    measured = (step.couple(rho + e * change) - step.couple(rho - e * change)) / (2 * e)
    assert measured == pytest.approx(predicted, rel=1e-6, abs=0)


@pytest.mark.parametrize("ring", [False, True])
@pytest.mark.parametrize("data", ["smooth", "vacuum"])
def test_a_newton_step_solves_the_linear_problem_it_says(data, ring):
    """The sweep against a dense system, whose Hessian is made by differences of gradients."""
    flow, step, _, rho = line(n=24, data=data, ring=ring)
    widths, n, mu = flow.grid.x.widths, 24, 0.0

    def gradient(density):
        """∂J/∂G at the inner edges."""
        step.couple(density)
        slopes = 0.05 * flow.internal.derivative(density) + step.p.tau_v + step.potential()
        return slopes[:-1] - slopes[1:]

    raised = np.eye(n)[:, :-1] - np.eye(n)[:, 1:]  # what G + 1 at an edge does to the masses beside it
    e = 1e-7 * float(np.min(rho * widths))
    hessian = np.stack(
        [(gradient(rho + e * c / widths) - gradient(rho - e * c / widths)) / (2 * e) for c in raised.T], axis=1
    )
    expected = raised @ np.linalg.solve(hessian, -gradient(rho)) / widths
    step.couple(rho)
    move, along = step.direction(rho, mu)
    assert np.max(np.abs(move - expected)) <= 2e-5 * np.max(np.abs(expected))
    step.couple(rho)
    assert along == pytest.approx(
        float(np.sum(widths * move * (0.05 * np.log(rho) + step.p.tau_v + step.potential()))), rel=1e-9, abs=0
    )


@pytest.mark.parametrize("ring", [False, True])
def test_no_other_density_is_better_and_the_gap_knows_by_how_much(ring):
    """J at the end is the least of many, and J − dual ≥ 0 bounds how far any density lies above it."""
    flow, step, _, _ = line(data="vacuum", ring=ring)
    found = step.run()
    assert 0 <= found.gap <= 1e-12
    rng, at_end = np.random.default_rng(3), found.primal
    for size in (1e-3, 1e-2, 0.3, 2.0):
        other = found.rho * np.exp(size * rng.normal(size=found.rho.size))
        other /= flow.mass(other)
        value = step.couple(other) + step.p.energy(other) + step.p.level
        proved = step.proof(other)
        assert value > at_end
        assert proved.dual <= at_end + 1e-12
        assert proved.primal == pytest.approx(value, rel=1e-12, abs=0)


@pytest.mark.parametrize("mapping", [None, STRETCHED])
@pytest.mark.parametrize("lam", [0.0, 1.0])
def test_order_in_space_of_a_long_gaussian_step(lam, mapping):
    """One step of 0.1, where an inner step of the mid-point would leave an error that no grid takes away."""
    sizes, errors = (80, 160, 320), []
    for n in sizes:
        grid = Grid([-8.0], [8.0], [n], mapping=mapping)
        flow = Flow(grid, Energy(Internal("entropy", 0.7), (lambda x: lam * x**2 / 2) if lam else None))
        exact = grid.average(gaussian(*gaussian_recursion(0.6, 0.8, lam, 0.7, 0.1, 1)))
        errors.append(moved(flow, exact, stepper_of(flow, 0.1).step(start(grid.average(gaussian(0.6, 0.8))), 0.1).rho))
    assert 1.9 <= slope(1 / np.array(sizes), errors) <= 2.5
    assert errors[-1] <= 3e-5


@pytest.mark.parametrize(("m", "radius"), [(2.0, 1.0), (3.0, 1.0), (1.5, 1.0)])
def test_barenblatt_profiles_follow_their_recursion(m, radius):
    """(R − Rₙ)/τ = R^{−m} for unit mass, read off the second moment, which cell averages raise by h²/12."""
    from wgfpde.energy.equations import profile_constant, profile_second_moment, self_similar

    tau, exact = 0.1, radius
    for _ in range(100):
        exact = radius + tau * exact**-m
    found = []
    for n in (200, 400):
        box = 1.5 * profile_constant(m, 1) * exact
        grid = Grid([-box], [box], [n])
        flow = Flow(grid, Energy(Internal("power", 1.0, m)))
        rho = grid.average(lambda x: self_similar(np.abs(x), radius, m, 1, 1.0), 16)
        new = stepper_of(flow, tau).step(start(rho / flow.mass(rho)), tau)
        assert new.report.gap <= 1e-8 and np.min(new.rho) >= 0
        found.append(math.sqrt(flow.integral(grid.x.centers**2 * new.rho) / profile_second_moment(m, 1)))
    assert (4 * found[1] - found[0]) / 3 == pytest.approx(exact, rel=2e-4, abs=0)


def test_without_internal_energy_mass_moves_by_the_gradient():
    """U = none, V = −x: everything moves by τ; V = x²/2: everything contracts by 1/(1 + τ)."""
    grid = Grid([-3.0], [5.0], [160])
    rho = grid.average(gaussian(0.5, 0.5))
    for potential, mean in ((lambda x: -x, 0.8), (lambda x: x**2 / 2, 0.5 / 1.3)):
        flow = Flow(grid, Energy(Internal("none"), potential))
        new = stepper_of(flow, 0.3).step(start(rho / flow.mass(rho)), 0.3)
        assert flow.integral(grid.x.centers * new.rho) == pytest.approx(mean, abs=1e-3)


# ------------------------------------------------------------------------------------------------------- promises


def keeps(flow, old, new, tolerance=1e-8):
    assert np.all(np.isfinite(new.rho)) and np.min(new.rho) >= 0
    assert flow.mass(new.rho) == pytest.approx(flow.mass(old), rel=1e-13, abs=0)
    assert new.report.gap <= tolerance and new.report.more["backward_error"] <= tolerance
    before, after = flow.parts(old), flow.parts(new.rho)
    size = new.report.transport / new.dt + sum(abs(part) for part in (*before, *after))
    assert sum(after) + new.report.transport / new.dt <= sum(before) + 2e-13 * size


@settings(max_examples=25)
@given(data=st.data())
def test_steps_keep_their_promises_or_end_in_a_sentence(data):
    problem = data.draw(problems(kinds=("entropy", 1.5, 2.0, 4.0, 0.8)).filter(lambda p: len(p.shape) == 1))
    flow, rho = problem.build()
    try:
        new = stepper_of(flow, problem.dt).step(start(rho), problem.dt)
    except SolverError as failure:
        event("refused")
        assert "exact JKO step" in str(failure) and str(failure).endswith('"pdhg".')
        return
    keeps(flow, rho, new)


@pytest.mark.parametrize("tau", [1e-6, 1e-2, 1.0])
def test_a_gibbs_state_rests(tau):
    flow, _ = JkoProblem("entropy", (33,), potential="double well", steepness=5.0).build()
    gibbs = flow.gibbs(1.0)
    assert moved(flow, gibbs, stepper_of(flow, tau).step(start(gibbs), tau).rho) <= 1e-12


def test_with_interaction_the_gaussian_recursion_has_both_rates():
    """V = x²/2 and W = θx²/2 with θ = 2: (1 + 3τ)s² − s₀s − τ = 0 and the mean by V alone."""
    grid, tau = Grid([-6.0], [6.0], [320]), 0.1
    flow = Flow(grid, Energy(Internal("entropy"), lambda x: x**2 / 2, lambda x: x**2))
    rho = grid.average(gaussian(0.5, 0.8))
    rho /= flow.mass(rho)
    new = stepper_of(flow, tau).step(Snapshot(0.0, 0, {"rho": rho}), tau)
    mean = 0.5 / 1.1
    width = gaussian_recursion(0.0, 0.8, 3.0, 1.0, tau, 1)[1]
    assert moved(flow, grid.average(gaussian(mean, width)), new.rho) <= 1e-4
    assert new.report.drive_residual <= 1e-6


def test_what_the_gap_is_relative_to_is_what_it_is_for_newton():
    """One scale: P − D of both algorithms at one density, over the gap each states."""
    flow, step, _, rho = line(data="vacuum", mapping=STRETCHED)
    transport = step.couple(rho)
    faces = Staggering(flow.grid)
    law = flow.internal.code, 0.05 * flow.internal.kappa, flow.internal.m
    v = (0.05 * (flow.potential - flow.potential.min())).reshape(1, -1)
    assert step.proof(rho).scale == scale_of_gap(faces, rho.reshape(1, -1), v, law, transport)


@pytest.mark.parametrize("mass", [1.0, 1e-10])
def test_cells_that_empty_below_the_smallest_doubles(mass):
    """V of 325 κ over few cells of which some are tiny: their densities fall out of the doubles on the way."""
    n, length = 7, 1.1
    grid = Grid([-0.5 * length], [0.5 * length], [n], mapping=[lambda s: np.expm1(4 * s) / np.expm1(4.0)])
    flow = Flow(grid, Energy(Internal("entropy", 127.0), lambda x: 127.0 * 107.5 * (16 * (x / length) ** 2 - 1) ** 2))
    rho, tau = np.full(n, mass / length), 0.00286
    new = Minimiser(flow, "exact", 1, None, None, None, 1).solve(rho.reshape(1, -1), tau, {})
    assert new.numbers["gap"] <= 1e-12 and new.rho.min() >= 0


@pytest.mark.parametrize("seed", range(3))
def test_without_internal_energy_a_high_block_is_left_by_all_mass(seed):
    """U = none, V = 1e5 of W₂² on a third of the line: the barrier falls on, also where the gap does not at first."""
    grid = Grid([0.0], [1.7], [3 + seed], mapping=[lambda s: np.expm1(s) / np.expm1(1.0)])
    block = (np.abs(grid.x.centers - 0.85) < 0.5) * 1.0
    flow = Flow(grid, Energy(Internal("none"), lambda x: (np.abs(x - 0.85) < 0.5) * 1.0))
    rho, tau = np.full(grid.shape, 1e-3), 1e5
    new = Minimiser(flow, "exact", 1, None, None, None, 1).solve(rho.reshape(1, -1), tau, {})
    assert new.numbers["gap"] <= 1e-8
    assert flow.integral(block * new.rho.ravel()) <= 1e-12 * flow.mass(rho)
