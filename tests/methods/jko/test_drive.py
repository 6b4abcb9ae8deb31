"""Steps with interaction: the outer iteration is converged, so the end satisfies the conditions of the true W."""

import math

import numpy as np
import pytest

from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.snapshot import Snapshot
from wgfpde.errors import SolverError
from wgfpde.grid import Grid
from wgfpde.methods.jko.drive import solve_driven
from wgfpde.methods.jko.stepper import Jko


def flow_of(kind, theta, dim=1, size=24, potential=False, kappa=0.5):
    internal = Internal("power", kappa, kind) if isinstance(kind, float) else Internal(kind, kappa)
    grid = Grid([-3.0] * dim, [3.0] * dim, [size] * dim)
    if dim == 1:
        kernel, well = (lambda x: theta * x**2 / 2), (lambda x: (x - 0.3) ** 2 / 2)
        rho = grid.average(lambda x: np.exp(-((x - 0.5) ** 2) / 0.5) + 0.5 * np.exp(-((x + 0.8) ** 2) / 0.2))
    else:
        kernel, well = (lambda x, y: theta * (x**2 + y**2) / 2), (lambda x, y: ((x - 0.3) ** 2 + y**2) / 2)
        rho = grid.average(lambda x, y: np.exp(-((x - 0.5) ** 2 + y**2) / 0.5))
    flow = Flow(grid, Energy(internal, well if potential else None, kernel))
    return flow, rho / flow.mass(rho)


def step(flow, rho, tau, **options):
    return Jko(flow, tau, threads=1, **options).step(Snapshot(0.0, 0, {"rho": rho}), tau)


def squared_gradient(grid, phi):
    """R|∇φ|², written from the axes."""
    total = np.zeros(grid.shape)
    for which, axis in enumerate(grid.axes):
        place = grid.dim - 1 - which
        difference = np.moveaxis(np.diff(phi, axis=place), place, -1) / axis.distances[:-1]
        square = np.zeros(np.moveaxis(phi, place, -1).shape)
        square[..., :-1] += 0.5 * difference**2
        square[..., 1:] += 0.5 * difference**2
        total += np.moveaxis(square, -1, place)
    return total


@pytest.mark.parametrize("theta", [-0.2, 0.3, 2.0])
@pytest.mark.parametrize("tau", [1e-3, 0.05, 0.3])
@pytest.mark.parametrize(("kind", "dim"), [("entropy", 1), ("entropy", 2), (0.8, 1), (2.0, 1), (2.0, 2)])
def test_the_end_satisfies_the_conditions_of_the_true_interaction(kind, dim, tau, theta):
    """∫ρ|τ(U'(ρ) + V + W∗ρ) + φ − ¼R|∇φ|²| is small against the scale of the gap, with W∗ρ of the end itself."""
    flow, rho = flow_of(kind, theta, dim, 24 if dim == 1 else 14, potential=True)
    new = step(flow, rho, tau)
    assert new.report.rejected == 0
    assert new.report.drive_residual <= 1e-8
    assert new.report.gap <= 1e-8
    assert new.report.outer >= 2
    phi, end = new.fields["phi"], new.rho
    live = end > 0
    with np.errstate(divide="ignore"):
        condition = tau * flow.variation(end) + phi - 0.25 * squared_gradient(flow.grid, phi)
    internal, potential, interaction = flow.parts(end)
    scale = new.report.transport + tau * (abs(internal) + abs(potential) + abs(2 * interaction))
    assert flow.integral(end * np.abs(np.where(live, condition, 0.0))) <= 1e-4 * scale
    last, first = flow.value(end) + new.report.transport / tau, flow.value(rho)
    assert last <= first + 3e-8 * scale / tau


def test_the_drive_rate_is_that_of_the_step_and_a_frozen_potential_would_be_noticed():
    flow, rho = flow_of("entropy", 2.0)
    tau = 0.3
    new = step(flow, rho, tau)
    rate = (flow.interaction.apply(new.rho) - flow.interaction.apply(rho)) / tau
    assert new.fields["drive_rate"] == pytest.approx(rate, rel=1e-4, abs=1e-6)
    before = flow.interaction.apply(rho)
    frozen = step(Flow(flow.grid, Energy(flow.internal, lambda x: before)), rho, tau)
    assert flow.integral(np.abs(frozen.rho - new.rho)) > 3e-4


@pytest.mark.parametrize("tau", [0.01, 0.1])
def test_quadratic_interaction_is_a_potential_about_the_mean(tau):
    """W = θ|x|²/2: W∗ρ = ½θM|x − c|² + const with the mean c kept, so the step is that of V = ½θM(x − c)²."""
    flow, rho = flow_of("entropy", 1.5, size=48)
    x = flow.grid.x.centers
    centre = flow.integral(x * rho)
    new = step(flow, rho, tau, tolerance=1e-10)
    assert flow.integral(x * new.rho) == pytest.approx(centre, abs=2e-3 * tau)
    settled = flow.integral(x * new.rho)
    alone = Flow(flow.grid, Energy(flow.internal, lambda x: 0.75 * (x - settled) ** 2))
    assert flow.integral(np.abs(step(alone, rho, tau, tolerance=1e-10).rho - new.rho)) <= 1e-5


@pytest.mark.parametrize("tau", [0.05, 0.5])
@pytest.mark.parametrize("dim", [1, 2])
def test_pure_aggregation(dim, tau):
    """U = none, W = θ|x|²/2: every particle moves to c + (x − c)/(1 + τθ); the mean stays, the spread shrinks so.

    τ is that of the accepted step: the outer iteration may ask for a shorter one where U = none.
    """
    flow, rho = flow_of("none", 0.8, dim, 40 if dim == 1 else 16)
    new = step(flow, rho, tau)
    assert np.min(new.rho) >= 0
    assert flow.mass(new.rho) == pytest.approx(flow.mass(rho), rel=1e-14, abs=0)
    assert new.report.drive_residual <= 1e-8
    assert flow.value(new.rho) + new.report.transport / new.dt <= flow.value(rho) * (1 + 1e-7)
    for coordinate in flow.grid.coordinates().values():
        mean = [flow.integral(coordinate * a) for a in (rho, new.rho)]
        spread = [flow.integral((coordinate - c) ** 2 * a) for c, a in zip(mean, (rho, new.rho), strict=True)]
        assert mean[1] == pytest.approx(mean[0], abs=1e-2 * new.dt)
        assert spread[1] == pytest.approx(spread[0] / (1 + 0.8 * new.dt) ** 2, rel=0.01 if dim == 1 else 0.12, abs=0)


def test_aggregation_ends_in_few_cells():
    flow, rho = flow_of("none", 1.0, 1, 12)
    stepper, state = Jko(flow, 0.5, threads=1), Snapshot(0.0, 0, {"rho": rho})
    energies = [flow.value(rho)]
    for _ in range(5):
        state = stepper.step(state, 100.0)
        energies.append(flow.value(state.rho))
    assert np.all(np.diff(energies) <= 1e-9 * energies[0])
    assert energies[-1] <= 0.2 * energies[0]
    assert state.rho.max() * flow.grid.x.widths[0] > 0.45


def test_a_warm_start_saves_outer_steps():
    flow, rho = flow_of("entropy", 1.0)
    stepper = Jko(flow, 0.02, threads=1)
    first = stepper.step(Snapshot(0.0, 0, {"rho": rho}), 1.0)
    warm = stepper.step(first, 1.0)
    cold = Jko(flow, 0.02, threads=1).step(Snapshot(first.t, 1, {"rho": first.rho}), 1.0)
    assert warm.report.outer <= cold.report.outer
    assert flow.integral(np.abs(warm.rho - cold.rho)) <= 1e-5


def test_an_iteration_that_runs_away_is_refused():
    """No fixed point at all: no answer may come out of noise."""
    flow, _ = flow_of("entropy", 1.0)
    rng = np.random.default_rng(0)

    def solve(potential, last, tolerance):
        return rng.random((1, 24))

    with pytest.raises(SolverError, match="outer iteration on W∗ρ") as failure:
        solve_driven(flow, 0.1, np.zeros((1, 24)), None, 1e-8, solve, lambda s: (s, 1.0))
    assert "tau = 0.1" in str(failure.value)
    assert "1e-08 was asked for" in str(failure.value)


def test_repulsion_too_strong_for_the_step_is_shortened_or_refused_never_wrong():
    flow, rho = flow_of("none", -30.0, 1, 16)
    try:
        new = step(flow, rho, 1.0)
    except SolverError as failure:
        assert str(failure).endswith(".")
    else:
        assert flow.value(new.rho) + new.report.transport / new.dt <= flow.value(rho) + 1e-7 * abs(flow.value(new.rho))
        assert math.isfinite(new.report.gap)


@pytest.mark.parametrize(
    ("internal", "cells"),
    [(Internal("none"), 200), (Internal("entropy", 0.01), 60), (Internal("power", 0.05, 2.0), 60)],
)
def test_a_singular_repulsion_does_not_shorten_steps(internal, cells):
    """x²/2 + 2|x|^(−½) with τ = 0.05: mixing alone got through steps of a fifth of that, after 60 convex steps each."""
    grid = Grid([-3.0], [3.0], [cells])
    x = grid.x.centers
    flow = Flow(grid, Energy(internal, interaction=lambda x: x**2 / 2 + 2 * np.abs(x) ** -0.5))
    rho = np.exp(-(x**2) / 0.5)
    state = Snapshot(0.0, 0, {"rho": rho / flow.integral(rho)})
    stepper = Jko(flow, 0.05, threads=1)
    energy, spread = sum(flow.parts(state.rho)), flow.integral(x**2 * state.rho)
    while state.t < 0.3:
        state = stepper.step(state, 0.3)
        assert state.report.drive_residual <= 1e-8 and state.report.gap <= 1e-8
        assert flow.integral(state.rho) == pytest.approx(1.0, rel=1e-12, abs=0) and np.min(state.rho) >= 0.0
        assert sum(flow.parts(state.rho)) + state.report.transport / state.dt <= energy * (1 + 1e-12)
        energy = sum(flow.parts(state.rho))
        assert flow.integral(x**2 * state.rho) > spread
        spread = flow.integral(x**2 * state.rho)
    assert state.step <= 7


def test_two_small_tolerances_give_one_density():
    """A ring-forming swarm, m = 2: at 1e-12 its second step was cut in halves, 5e-3 of the mass from the whole one."""
    grid = Grid([-1.5] * 2, [1.5] * 2, [48, 48])
    flow = Flow(
        grid,
        Energy(Internal("power", 0.02, 2.0), None, lambda x, y: (x**2 + y**2) ** 2 / 4 - (x**2 + y**2) / 2),
    )
    start = grid.average(lambda x, y: np.exp(-((x - 0.1) ** 2 + y**2) / 0.1))
    start /= flow.mass(start)
    ends = []
    for tolerance in (1e-11, 1e-12):
        stepper, state = Jko(flow, 0.1, tolerance=tolerance, threads=1), Snapshot(0.0, 0, {"rho": start})
        while state.t < 0.3 - 1e-9:
            state = stepper.step(state, 0.3)
            assert state.report.rejected == 0 and state.report.gap <= tolerance
        ends.append(state.rho)
    assert flow.integral(np.abs(ends[1] - ends[0])) <= 1e-8
