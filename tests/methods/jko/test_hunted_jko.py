"""What the hunts found, each once: the smallest case that showed it."""

import warnings

import numpy as np
import pytest

from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.snapshot import Snapshot
from wgfpde.errors import SolverError
from wgfpde.grid import Grid
from wgfpde.methods.jko.minimise import Minimiser
from wgfpde.methods.jko.stepper import Jko


def step(flow, rho, tau, **options):
    return Jko(flow, tau, threads=1, **options).step(Snapshot(0.0, 0, {"rho": rho}), tau)


@pytest.mark.parametrize("internal", [Internal("entropy"), Internal("power", 1.0, 0.8), Internal("power", 1.0, 2.0)])
@pytest.mark.parametrize("offset", [1e8, -1e8])
def test_a_large_constant_in_the_potential(internal, offset):
    """V + 1e8 κ: no step was solved, as y/c lost eight digits.  Now it is the step without, its energies apart."""
    grid = Grid([0.0], [1.0], [16])
    rho = 1.0 + 0.9 * np.sin(5 * grid.x.centers)

    def flow(a):
        return Flow(grid, Energy(internal, lambda x: np.round(64 * x) / 64 + a))

    plain, raised = (step(flow(a), rho, 0.1) for a in (0.0, offset))
    assert raised.report.rejected == 0
    assert np.max(np.abs(raised.rho - plain.rho)) <= 3e-5  # what a gap of 1e-8 leaves open
    mass = flow(0.0).mass(rho)
    assert raised.report.primal == pytest.approx(plain.report.primal + 0.1 * offset * mass, rel=1e-14, abs=0)
    assert raised.report.gap <= 1e-8 and raised.report.iterations == plain.report.iterations


def test_a_step_continues_from_the_potential_of_the_step_before():
    """φ is stored as for the whole V, so that the second step starts as near as without the constant."""
    grid = Grid([0.0], [1.0], [32])
    rho = 1.0 + 0.5 * np.cos(np.pi * grid.x.centers)
    counts = []
    for offset in (0.0, 1000.0):
        flow = Flow(grid, Energy(Internal("entropy"), lambda x, a=offset: x + a))
        minimiser = Minimiser(flow, "newton", 1, 1e-8, None, None, 1)
        first = minimiser.solve(rho[None], 0.01, {})
        second = minimiser.solve(first.rho, 0.01, first.fields)
        counts.append((first.numbers["iterations"], second.numbers["iterations"]))
    assert counts[0] == counts[1]


@pytest.mark.parametrize("mass", [1e-10, 1e10])
def test_the_unit_of_mass_does_not_matter_where_a_step_is_hard(mass):
    """Blocks between vacuum in a steep valley, entropy: found by larger temperatures, for every mass alike.

    On the way down κ ln ρ was kept, not κ ln(ρ/mean), so that a mass of 1e-10 or 1e10 was lost.
    """
    grid = Grid([-0.5], [0.5], [33], mapping=[lambda s: np.expm1(4 * s) / np.expm1(4)])
    flow = Flow(grid, Energy(Internal("entropy"), lambda x: 200.0 * x))
    blocks = np.where(np.random.default_rng(3).random(33) < 0.4, 1.0, 0.0)
    blocks /= flow.mass(blocks)
    one, other = (step(flow, m * blocks, 0.02) for m in (1.0, mass))
    assert other.report.rejected == 0
    assert other.report.iterations == one.report.iterations
    assert flow.integral(np.abs(other.rho / mass - one.rho)) <= 1e-6


def test_extrapolation_never_rises_where_it_cannot_improve():
    """The end of a flow in a V near 1e8: both halves lay within their gap of ρ⁰, and rose above it by 1e-9 of E."""
    grid = Grid([-0.5], [0.5], [2], mapping=[lambda s: np.expm1(s) / np.expm1(1)])
    v = np.array([-1.18243653, -0.51248935]) + 1e8
    flow = Flow(grid, Energy(Internal("entropy"), lambda x: v, lambda x: -2.373560133557434 / np.e * np.log(np.abs(x))))
    stepper = Jko(flow, 5198.0687, scheme="extrapolated", threads=1)
    state = Snapshot(0.0, 0, {"rho": np.full(2, 2.718281828)})
    for _ in range(3):
        before, state = state, stepper.step(state, 1e6)
        size = sum(abs(part) for part in flow.parts(before.rho))
        assert flow.value(state.rho) <= flow.value(before.rho) + 1e-13 * size


def test_trial_moves_that_overflow_tell_nobody():
    """A mass of 1e5 at κ = 1e-10 in a huge step: what NumPy said of moves that were refused stood on the screen."""
    grid = Grid([-2.0], [2.0], [40], mapping=[lambda s: 0.5 * s**2 + 0.5 * s])
    ring = lambda x: 1e-8 * ((np.abs(x) < 0.541) & (np.abs(x) > 0.05))  # noqa: E731
    flow = Flow(grid, Energy(Internal("entropy", 1e-10), lambda x: 0.5e-8 * x**2, ring))
    rho = grid.average(lambda x: np.where(np.abs(x) < 0.5, np.abs(x) ** -0.5, 0.0))
    rho *= 1e5 / flow.mass(rho)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(SolverError, match="did not solve the JKO step"):
            step(flow, rho, 338288.45566739596, scheme="extrapolated")
