"""Newton's method for one convex step: optimality at its end, counts that do not grow with the grid, failures."""

import re

import numpy as np
import pytest

from wgfpde.energy.energy import Internal
from wgfpde.errors import SolverError
from wgfpde.grid import Grid
from wgfpde.linear.multigrid.solver import Multigrid
from wgfpde.methods.jko.convex import ConvexStep
from wgfpde.methods.jko.newton import NewtonSolver
from wgfpde.transport.benamou_brenier.operators import Staggering

LAWS = {
    "entropy": Internal("entropy", 1.0),
    "m=1.5": Internal("power", 1.0, 1.5),
    "m=2": Internal("power", 1.0, 2.0),
    "m=4": Internal("power", 1.0, 4.0),
    "m=0.8": Internal("power", 1.0, 0.8),
    "none": Internal("none"),
}


def problem(law, size, tau, dim=2):
    """(grid, step): a hat or a bell off the centre of a tilted quadratic well."""
    grid = Grid([-3.0] * dim, [3.0] * dim, [size] * dim)
    x = grid.x.centers[None, :]
    y = grid.y.centers[:, None] if dim == 2 else 0.0
    r2 = (x - 0.5) ** 2 + 0.5 * y**2
    rho = np.exp(-2 * r2) if law in ("entropy", "m=0.8") else np.maximum(1 - r2, 0.0)
    stagger = Staggering(grid)
    rho = rho / np.sum(stagger.volume * rho)
    return grid, ConvexStep(stagger, LAWS[law], rho, 0.5 * (x**2 + y**2) + 0.3 * x * y, tau)


def solve(law, size, tau, dim=2, tolerance=1e-8, limit=200, warm=None):
    grid, step = problem(law, size, tau, dim)
    return step, NewtonSolver(Multigrid(grid), step.rho0.shape, tolerance, limit).solve(step, warm)


# --------------------------------------------------------------------------------------------------- optimality


@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("tau", [1e-3, 0.1, 1.0])
@pytest.mark.parametrize("law", LAWS)
def test_the_end_satisfies_the_optimality_conditions(law, tau, dim):
    """τξ(ρ) + φ − k(φ) = s ≥ 0 with ρs small, and the continuity equation, all in the norms of the energy.

    k and ξ are written out here; ρ is the certified one.
    """
    step, found = solve(law, 24, tau, dim)
    proof, phi = found.certificate, found.phi
    assert proof.gap <= 1e-8
    k = np.zeros(phi.shape)
    for axis, inverse in ((1, step.stagger.ax[None, :]), (0, step.stagger.ay[:, None])):
        square = ((np.roll(phi, -1, axis=axis) - phi) * inverse) ** 2
        k += 0.125 * (square + np.roll(square, 1, axis=axis))
    with np.errstate(divide="ignore"):
        slack = step.tau * LAWS[law].derivative(proof.rho) + step.tau_v + phi - k
    if law == "none":
        slack = slack - np.min(slack)
    size = np.max(np.abs(step.tau_v)) + np.max(np.abs(phi)) + step.tau
    live = proof.rho > 0
    pairing = np.sum((step.stagger.volume * proof.rho * np.abs(np.where(live, slack, 0.0)))[live])
    assert pairing <= 1e-3 * proof.scale
    if step.barrier:
        assert np.min(slack) >= -1e-3 * size
    assert found.continuity <= 1e-2
    assert found.iterations > 0 and found.linear > 0


@pytest.mark.parametrize("law", LAWS)
def test_the_start_does_not_matter(law):
    """From the potential of another step, from noise, from zero: the same end within the gap."""
    step, cold = solve(law, 16, 0.05, tolerance=1e-10)
    other = solve(law, 16, 0.5)[1].phi
    noise = 0.1 * np.random.default_rng(0).normal(size=cold.phi.shape)
    for warm in (other, noise, cold.phi, np.zeros_like(noise), 1e3 * noise):
        again = solve(law, 16, 0.05, tolerance=1e-10, warm=warm)[1]
        assert again.certificate.primal == pytest.approx(cold.certificate.primal, abs=1.1e-10 * cold.certificate.scale)
        assert step.integral(np.abs(again.certificate.rho - cold.certificate.rho)) <= 3e-4
    assert solve(law, 16, 0.05, warm=cold.phi)[1].iterations <= cold.iterations


@pytest.mark.parametrize("law", LAWS)
def test_a_smaller_tolerance_is_kept(law):
    for tolerance in (1e-2, 1e-4, 1e-6, 1e-9):
        assert solve(law, 16, 0.05, tolerance=tolerance)[1].certificate.gap <= tolerance


# -------------------------------------------------------------------------------------------------- grid counts


@pytest.mark.parametrize("tau", [0.01, 0.1, 1.0])
def test_counts_of_the_entropy_do_not_depend_on_the_grid(tau):
    counts = [(s.iterations, s.linear) for s in (solve("entropy", n, tau)[1] for n in (32, 64, 128))]
    newton, linear = zip(*counts, strict=True)
    assert max(newton) <= max(1.5 * newton[0], newton[0] + 2)
    assert max(linear) <= 1.5 * linear[0]
    assert max(newton) <= 12
    assert max(linear) <= 45


@pytest.mark.parametrize("tau", [1e-3, 0.01, 1.0])
def test_counts_with_vacuum_do_not_depend_on_the_grid(tau):
    """Porous medium, m = 2: steps of about 1 %, 10 % and 100 %."""
    counts = [(s.iterations, s.linear) for s in (solve("m=2", n, tau)[1] for n in (32, 64, 128))]
    newton, linear = zip(*counts, strict=True)
    assert max(newton) <= 1.5 * newton[0]
    assert max(linear) <= 1.5 * linear[0]
    assert max(newton) <= 25


# ----------------------------------------------------------------------------------------------------- failures


@pytest.mark.parametrize("law", ["entropy", "m=2", "none"])
def test_too_few_iterations_are_a_sentence(law):
    grid, step = problem(law, 16, 0.5)
    with pytest.raises(SolverError) as failure:
        NewtonSolver(Multigrid(grid), step.rho0.shape, 1e-8, 2).solve(step)
    assert re.search(r"tau = 0\.5: 2 Newton iterations", str(failure.value))


@pytest.mark.parametrize("law", LAWS)
def test_no_mass_is_a_step_that_stays(law):
    grid, step = problem(law, 8, 0.1)
    empty = ConvexStep(step.stagger, LAWS[law], np.zeros_like(step.rho0), step.tau_v / step.tau, 0.1)
    found = NewtonSolver(Multigrid(grid), step.rho0.shape, 1e-8, 50).solve(empty)
    assert not found.certificate.rho.any()
    assert found.certificate.gap == 0


def test_one_solver_serves_many_steps():
    """Its buffers carry nothing over: the same bits after another step in between."""
    grid, step = problem("m=2", 16, 0.05)
    solver = NewtonSolver(Multigrid(grid), step.rho0.shape, 1e-8, 100)
    first = solver.solve(step)
    solver.solve(problem("entropy", 16, 1.0)[1])
    again = solver.solve(problem("m=2", 16, 0.05)[1])
    assert np.array_equal(first.certificate.rho, again.certificate.rho)
    assert np.array_equal(first.phi, again.phi)
    assert first.certificate.gap == again.certificate.gap
