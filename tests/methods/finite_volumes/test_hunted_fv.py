"""What the hunts found, as the problems they printed, and kept mended (see tests/hunt)."""

from dataclasses import replace

import numpy as np
import pytest
from wild import Wild, at_centres, steady_power, stepper_of

from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.fluxes import dissipation, max_flux
from wgfpde.energy.snapshot import Snapshot
from wgfpde.errors import SolverError
from wgfpde.grid import Grid
from wgfpde.linear.tridiagonal import LANES, factor, solve, solve_balance
from wgfpde.methods.finite_volumes.stepper import FiniteVolumes


def step(problem, flow, rho):
    return stepper_of(problem, flow).step(Snapshot(0.0, 0, {"rho": rho}), problem.dt)


@pytest.mark.parametrize("kind", ["entropy", 0.6, 0.95, 1.05, 1.5, 2.0, 3.0])
def test_the_dissipation_of_a_nearly_steady_state_is_not_negative(kind):
    """It was −Σ F Δξ, with F the rounding of a difference."""
    rng = np.random.default_rng(0)
    for seed in range(60):
        problem = Wild(kind, (6,), potential="noise", steepness=2.0, seed=seed)
        flow, rho = (problem.build()[0], None) if kind == "entropy" else steady_power(problem)
        rho = flow.gibbs() if rho is None else rho
        assert dissipation(flow, rho * (1 + 2.0**-52 * rng.integers(-2, 3, 6))) >= 0.0


@pytest.mark.parametrize("kind", ["entropy", 0.6, 1.05, 1.5, 2.0, 2.5, 3.0])
@pytest.mark.parametrize("potential", ["none", "noise"])
def test_the_dissipation_is_flux_times_force(kind, potential):
    """Away from rounding −F Δξ and M (Δξ)² are one number: one face, so that max|F| is F."""
    problem = Wild(kind, (2,), data="random", potential=potential, steepness=3.0, seed=5)
    flow, rho = problem.build()
    force = abs(np.diff(flow.variation(rho))[0])
    assert dissipation(flow, rho) == pytest.approx(max_flux(flow, rho) * force, rel=1e-12, abs=0)


def test_a_first_step_much_too_long_is_shortened_until_it_fits():
    """Adaptive steps gave up at 1e-12 of the first try, which says nothing about the time scale of the problem."""
    problem = Wild("entropy", (4,), (True,), potential="spike", steepness=3350.0, interaction="quadratic",
                   strength=0.186, data="constant", order=1, dt=247000.0, adaptive=True, seed=564854392)  # fmt: skip
    flow, rho = problem.build()
    new = step(problem, flow, rho)
    assert 0 < new.dt < 1e-6
    assert np.min(new.rho) >= 0


def test_a_reflected_problem_has_the_reflected_solution():
    """A block of lines took one scheme for all of them: a line and its mirror image could take different ones."""
    problem = Wild(0.75, (9, 3), (False, True), (1.0, 1.0), (0.0, 0.0), (1.0, 1e-6), kappa=1e-8, potential="step",
                   steepness=0.0224, dt=0.191, seed=893497159)  # fmt: skip
    flow, rho = problem.build()
    other = Flow(flow.grid, Energy(flow.internal, at_centres(np.ascontiguousarray(np.flip(flow.potential, 1)))))
    a, b = step(problem, flow, rho), step(problem, other, np.ascontiguousarray(np.flip(rho, 1)))
    assert np.flip(b.rho, 1) == pytest.approx(a.rho, rel=1e-9, abs=1e-9 * np.max(a.rho))


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize(
    "problem",
    [
        Wild(1.3, (4, 2), (True, False), (1.0, 1.0), (0.0, 0.0), (1.0, 1.0), kappa=1e8, potential="noise",
             steepness=442.0, dt=0.000727, seed=580377921),
        Wild(0.95, (4,), (False,), (3.0,), (-1.0,), (1e-3,), kappa=0.05, potential="step", steepness=89.3, dt=524.0,
             seed=1242548098),
        Wild(2.0, (9, 2), (False, True), (1.0, 3.0), (0.0, 0.0), (1.0, 1e-6), kappa=1e8, potential="step",
             steepness=0.165, dt=0.0118, seed=976144537),
        Wild(2.5, (8,), (False,), (1e3,), (-1.0,), (1e-3,), kappa=1e8, potential="steep", steepness=762.0, dt=34500.0,
             seed=1050115865),
        Wild(1.3, (4, 3), (True, False), (1.0, 1e3), (0.0, 0.0), (1e-3, 1e-9), kappa=1e8, potential="steep",
             steepness=289.0, dt=1.1, seed=662769957),
    ],
)  # fmt: skip
def test_steady_states_of_powers_rest_however_stiff(problem, order):
    """Where M is the donor's, a flux of rounding size was one rate one way, and moved the state by dt/h² times it."""
    flow, rho = steady_power(problem)
    new = step(replace(problem, order=order), flow, rho)
    assert flow.integral(np.abs(new.rho - rho)) <= 1e-12 * flow.mass(rho)


@pytest.mark.parametrize("m", [3.0, 4.0, 6.0])
@pytest.mark.parametrize("periodic", [False, True])
def test_a_point_mass_spreads_out_in_one_step_however_large(m, periodic):
    """dt κ p'/h² up to 1e80: Newton's iterates lost their mass in the rounding of the fluxes, and no step was found."""
    for mass in (1e3, 1e6, 1e12):
        problem = Wild(m, (5,), (periodic,), data="dirac", mass=mass, dt=1e3, seed=3)
        flow, rho = problem.build()
        new = step(problem, flow, rho)
        assert new.t == problem.dt
        assert flow.mass(new.rho) == pytest.approx(mass, rel=1e-14, abs=0)
        assert new.rho == pytest.approx(mass, rel=1e-6, abs=0)


def test_backward_euler_contracts_and_keeps_order():
    """ρ ≤ σ stays so, cell by cell, and ‖ρ − σ‖₁ never grows, also over steep V on stretched, flat cells."""
    problem = Wild("entropy", (6, 5), (True, False), (1e3, 1.0), (0.0, 0.0), (1.0, 1e-3), potential="steep",
                   steepness=1e4, order=1, dt=3.0, data="blocks", seed=11)  # fmt: skip
    flow, rho = problem.build()
    above = rho + np.random.default_rng(1).random(rho.shape) * np.max(rho)
    beside = np.ascontiguousarray(np.roll(rho, 1, 1))
    a, b, c = (step(problem, flow, r).rho for r in (rho, above, beside))
    assert np.all(a <= b * (1 + 1e-13))
    assert flow.integral(np.abs(a - c)) <= flow.integral(np.abs(rho - beside)) + 1e-13 * flow.mass(rho)


def test_cells_of_subnormal_mass_beside_others_are_no_obstacle():
    problem = Wild(
        6.0, (4,), (False,), lower=(-1.0,), data="subnormal", mass=1e-12, order=1, dt=0.00685, seed=159265241
    )
    flow, rho = problem.build()
    new = step(problem, flow, rho)
    assert new.t == problem.dt
    assert flow.mass(new.rho) == pytest.approx(1e-12, rel=1e-14, abs=0)


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("n", [2, 3, 7])
def test_a_solve_keeps_the_mass_beside_fluxes_that_dwarf_it(n, periodic):
    """1ᵀ(h · solution) = 1ᵀr with c F up to 1e30 r; and where nothing is dwarfed the answer is that of `solve`."""
    rng = np.random.default_rng(n)
    alpha, beta = 0.1 + rng.random((2, n, LANES))
    h, r, flux = 0.1 + rng.random((n, LANES)), rng.standard_normal((n, LANES)), rng.standard_normal((n, LANES))
    if not periodic:
        flux[-1] = 0.0
    for c in (1.0, 1e10, 1e20, 1e30):
        e, f, g, u, v = np.zeros((5, n, LANES))
        factor(alpha, beta, c, h, periodic, e, f, g, u, v)
        found = r.copy()
        solve_balance(e, f, g, u, v, h, periodic, flux, c, found)
        assert np.sum(h * found, axis=0) == pytest.approx(np.sum(r, axis=0), rel=0, abs=1e-13 * np.max(np.abs(found)))
        if c == 1.0:
            whole = r - (flux - np.roll(flux, 1, axis=0))
            solve(e, f, g, u, v, periodic, whole)
            assert found == pytest.approx(whole, rel=1e-12, abs=1e-12)


def test_a_reflected_problem_has_the_reflected_solution_however_stiff():
    """dt κ p'/h² beyond 1e20 with m < 2: rounding decided which scheme a line took."""
    problem = Wild(1.5, (2, 4), (True, True), (1.0, 1.0), (1.0, 1.0), (1.0, 1e-6), kappa=1e8, potential="steep",
                   steepness=3390.0, offset=1e8, data="hump", dt=0.435, seed=1832705714)  # fmt: skip
    flow, rho = problem.build()
    other = Flow(flow.grid, Energy(flow.internal, at_centres(np.ascontiguousarray(np.flip(flow.potential, 1)))))
    a, b = step(problem, flow, rho), step(problem, other, np.ascontiguousarray(np.flip(rho, 1)))
    assert np.max(np.abs(np.flip(b.rho, 1) - a.rho)) <= 1e-5 * np.max(a.rho)


def steep(shape, m, height, periodic=False, mapping=None, kappa=1.0, potential=None):
    """A power law and a box of that height, over vacuum."""
    dim = len(shape)
    grid = Grid([-2.0] * dim, [2.0] * dim, shape, periodic, None if mapping is None else [mapping] * dim)
    flow = Flow(grid, Energy(Internal("power", kappa, m), potential))
    near = [np.abs(axis.centers) < 0.8 for axis in reversed(grid.axes)]
    return flow, height * (near[0] if dim == 1 else np.logical_and.outer(*near)).astype(float)


@pytest.mark.parametrize(("m", "height"), [(20.0, 10.0), (50.0, 2.0), (100.0, 2.0), (200.0, 2.0), (1000.0, 1.9)])
@pytest.mark.parametrize("dt", [0.005, "adaptive"])
@pytest.mark.parametrize(
    ("shape", "periodic", "mapping"), [([30], False, None), ([24], True, None), ([9, 8], False, lambda s: s**1.3)]
)
def test_steep_powers_reach_a_first_step(shape, periodic, mapping, dt, m, height):
    """Refused at t = 0 where adaptive: the time scale is 1e-36; and 0.005 was shortened to 1e-15, or refused."""
    flow, rho = steep(shape, m, height, periodic, mapping)
    stepper = FiniteVolumes(flow, dt=dt, threads=1)
    now, energy = Snapshot(0.0, 0, {"rho": rho}), flow.value(rho)
    for _ in range(3):
        now = stepper.step(now, 1.0)
        assert np.min(now.rho) >= 0
        assert flow.integral(now.rho) == pytest.approx(flow.integral(rho), rel=1e-13, abs=0)
        assert flow.value(now.rho) <= energy * (1 + 8 * m * 2.0**-52)  # ρ^m by m times the rounding of ρ
        energy = flow.value(now.rho)
    if dt != "adaptive":
        assert now.t == pytest.approx(0.015, rel=1e-12, abs=0) and now.report.rejected == 0


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("m", [100.0, 200.0])
def test_adaptive_and_fixed_steps_of_steep_powers_agree(m, order):
    """From 1e-34 on to the end, and the box is then nearly as high as it may be: 1."""
    flow, rho = steep([30], m, 2.0)
    ends = []
    for dt in (0.01, "adaptive"):
        stepper, now = FiniteVolumes(flow, order, dt=dt, threads=1), Snapshot(0.0, 0, {"rho": rho})
        while now.t < 0.1:
            now = stepper.step(now, 0.1)
        ends.append(now.rho)
    assert flow.integral(np.abs(ends[0] - ends[1])) < (1e-2 if order == 1 else 2e-3) * flow.integral(rho)
    assert 0.9 < ends[1].max() < 1.1


@pytest.mark.parametrize("m", [50.0, 100.0, 200.0])
def test_the_rounding_of_a_steep_energy_is_no_rise(m):
    """A constant, but for rounding: ρ^m changes by m ε, and steps were refused since "the energy rose"."""
    flow, _ = steep([28], m, 1.0, periodic=True)
    rng = np.random.default_rng(3)
    for height in 10.0 ** rng.uniform(-0.3, 0.9, 20):
        now = Snapshot(0.0, 0, {"rho": height * (1 + 2.0**-52 * rng.integers(-2, 3, 28))})
        stepper = FiniteVolumes(flow, dt=0.05, threads=1)
        for _ in range(4):
            now = stepper.step(now, 1.0)
        assert now.t == pytest.approx(0.2, rel=1e-12, abs=0)


def test_pressures_beyond_double_precision_are_refused_with_a_sentence():
    """Where steps are as short as those of the flow: a long one lands where the pressure is small."""
    flow, rho = steep([20], 1100.0, 2.0)
    with pytest.raises(SolverError, match=r"exceeds double precision where the density is 2\. Start lower"):
        FiniteVolumes(flow, dt="adaptive", threads=1).step(Snapshot(0.0, 0, {"rho": rho}), 1.0)
    below = FiniteVolumes(flow, dt=0.005, threads=1).step(Snapshot(0.0, 0, {"rho": 0.49 * rho}), 1.0)
    assert below.t == 0.005
