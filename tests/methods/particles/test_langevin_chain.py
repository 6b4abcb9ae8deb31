"""Langevin chains of particles: their exact moments, what threads and stops change (nothing), walls, Metropolis."""

import math

import numpy as np
import pytest

from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.snapshot import Snapshot
from wgfpde.errors import SolverError
from wgfpde.formulas.compile import compile_expression
from wgfpde.grid import Grid
from wgfpde.methods.particles.langevin_chain import Chain, Rules, next_time
from wgfpde.methods.particles.swarm import draw

STRETCHED = [lambda s: s + 0.5 / (2 * np.pi) * np.sin(2 * np.pi * s)] * 2
ENTROPY, NONE = Internal("entropy", 0.5), Internal("none")


def flow_of(potential, grid, internal=ENTROPY):
    v = ("x", "r") if grid.dim == 1 else ("x", "y", "r")
    return Flow(grid, Energy(internal, None if potential is None else compile_expression(potential, v)))


def steps(chain, places, count):
    snapshot = Snapshot(0.0, 0, {"rho": np.ones(chain.flow.grid.shape), "position": places})
    for _ in range(count):
        snapshot = chain.step(snapshot, 1e9)
    return snapshot


@pytest.mark.parametrize("mapping", [None, STRETCHED], ids=["equal cells", "stretched"])
@pytest.mark.parametrize("dim", [1, 2])
def test_moments_of_a_linear_drift(dim, mapping):
    """m ← (I − τA)m, S ← (I − τA)S(I − τA) + 2κτI; z-scores of 40,000 particles, fixed seed."""
    a = np.array([[1.5, 0.6], [0.6, 1.0]])[:dim, :dim]
    grid = Grid([-9.0] * dim, [9.0] * dim, [16] * dim, mapping=None if mapping is None else mapping[:dim])
    flow = flow_of("0.75*x**2" if dim == 1 else "0.75*x**2 + 0.6*x*y + y**2/2", grid)
    tau, count, n = 0.05, 10, 40_000
    random = np.random.default_rng(4)
    cov, mean = np.diag([0.4, 0.3])[:dim, :dim], np.array([0.5, -0.5])[:dim]
    places = mean + random.standard_normal((n, dim)) * np.sqrt(np.diag(cov))
    found = steps(Chain(flow, Rules(tau, 9, False, 2.0)), places, count)
    move = np.eye(dim) - tau * a
    for _ in range(count):
        mean, cov = move @ mean, move @ cov @ move + 2 * 0.5 * tau * np.eye(dim)
    x = found.fields["position"]
    assert np.all(np.abs(x.mean(axis=0) - mean) < 4 * np.sqrt(np.diag(cov) / n))
    spread = np.sqrt((np.outer(np.diag(cov), np.diag(cov)) + cov**2) / n)
    assert np.all(np.abs(np.cov(x.T, bias=True).reshape(dim, dim) - cov) < 4 * spread)
    assert found.t == pytest.approx(tau * count, rel=1e-12, abs=0) and found.report.more["acceptance"] == 1
    assert flow.mass(found.rho) == pytest.approx(2.0, rel=1e-15, abs=0)


@pytest.mark.parametrize("adjust", [False, True])
@pytest.mark.parametrize("dim", [1, 2])
def test_threads_and_stops_change_no_bit_and_more_particles_none_of_the_first(dim, adjust):
    grid = Grid([-2.0] * dim, [2.0] * dim, [8] * dim, [True, False][:dim])
    flow = flow_of("cos(pi*x/2)" if dim == 1 else "cos(pi*x/2) + y**4", grid)
    places = draw(np.ones(grid.shape), grid, 140_000, 1)
    whole = steps(Chain(flow, Rules(0.1, 3, adjust, 1.0, threads=1)), places, 3)
    half = steps(Chain(flow, Rules(0.1, 3, adjust, 1.0, threads=3)), places, 2)
    other = Chain(flow, Rules(0.1, 3, adjust, 1.0, threads=2)).step(half, 1e9)
    few = steps(Chain(flow, Rules(0.1, 3, adjust, 1.0)), places[:70_001].copy(), 3)
    for name in ("rho", "position"):
        np.testing.assert_array_equal(whole.fields[name], other.fields[name])
    assert whole.report.more == other.report.more and whole.t == other.t
    np.testing.assert_array_equal(few.fields["position"], whole.fields["position"][:70_001])
    apart = steps(Chain(flow, Rules(0.1, 4, adjust, 1.0)), places, 3)
    assert np.mean(apart.fields["position"] == whole.fields["position"]) < 0.05


def test_without_noise_it_is_gradient_descent():
    grid = Grid([-2.0], [2.0], [8])
    chain = Chain(flow_of("(x**2 - 1)**2", grid, NONE), Rules(0.05, 0, False, 1.0))
    x = np.array([-1.7, -0.2, 0.4, 1.9])
    found = steps(chain, x[:, None].copy(), 7).fields["position"][:, 0]
    for _ in range(7):
        x = x - 0.05 * 4 * x * (x * x - 1)
    np.testing.assert_allclose(found, x, rtol=1e-14)


def test_a_function_in_python_moves_as_its_formula_does():
    grid = Grid([-2.0, -2.0], [2.0, 2.0], [8, 8])
    by_formula = flow_of("exp(-x**2)*cos(y)", grid)
    by_function = Flow(grid, Energy(ENTROPY, lambda x, y: np.exp(-x * x) * np.cos(y)))
    places = draw(np.ones(grid.shape), grid, 1000, 1)
    first, second = (steps(Chain(f, Rules(0.05, 3, True, 1.0)), places, 5) for f in (by_formula, by_function))
    np.testing.assert_allclose(second.fields["position"], first.fields["position"], rtol=0, atol=1e-10)


BOXES = {
    "walls": (Grid([0.0], [1.0], [10]), "2*x - cos(3*x)"),
    "ring": (Grid([0.0], [1.0], [10], True), "cos(2*pi*x)"),
    "plane": (Grid([0.0, 0.0], [1.0, 1.5], [5, 4], [True, False]), "cos(2*pi*x)*(1 + y) + 2*y"),
    "nothing": (Grid([0.0], [1.0], [10]), None),
}


@pytest.mark.parametrize("name", BOXES)
def test_metropolis_keeps_the_gibbs_state_in_a_small_box(name):
    """Noise half as wide as the box: folded moves and their returns.  χ² against e^{−V/κ} after 6 steps from it."""
    grid, potential = BOXES[name]
    flow = flow_of(potential, grid)
    fine = Grid([a.lower for a in grid.axes], [a.upper for a in grid.axes], [16 * a.size for a in grid.axes],
                [a.boundary for a in grid.axes])  # fmt: skip
    gibbs, n = flow_of(potential, fine).gibbs(1.0), 200_000
    chain = Chain(flow, Rules(0.25, 5, True, 1.0))
    found = steps(chain, draw(gibbs, fine, n, 2), 6)
    blocks = gibbs * fine.cell_volume
    shape = [k for size in grid.shape for k in (size, 16)]
    expected = n * blocks.reshape(shape).sum(axis=tuple(range(1, 2 * grid.dim, 2)))
    counts = found.rho * grid.cell_volume * n
    chi = float(np.sum((counts - expected) ** 2 / expected))
    assert abs(chi - (grid.size - 1)) < 5 * math.sqrt(2 * grid.size)
    assert 0.05 < found.report.more["acceptance"] <= 1.0
    if potential is None:
        assert found.report.more["acceptance"] == 1.0
    else:  # the same test sees the bias of the unadjusted chain
        plain = steps(Chain(flow, Rules(0.25, 5, False, 1.0)), draw(gibbs, fine, n, 2), 6)
        counts = plain.rho * grid.cell_volume * n
        assert np.sum((counts - expected) ** 2 / expected) > 20 * grid.size


def test_nobody_goes_where_the_potential_is_infinite_by_metropolis():
    grid = Grid([0.0], [2.0], [8])
    flow = flow_of("-log(x)", grid)
    found = steps(Chain(flow, Rules(0.3, 5, True, 1.0)), draw(np.ones(8), grid, 5000, 2), 10)
    assert np.all(found.fields["position"] > 0)


@pytest.mark.parametrize("adjust", [False, True])
def test_a_drift_that_is_no_number_ends_the_run_with_its_place(adjust):
    chain = Chain(flow_of("sqrt(x)", Grid([-0.1], [2.0], [3])), Rules(0.1, 5, adjust, 1.0))
    with pytest.raises(SolverError, match=r"the drift of a particle is not a number at x = -0.05"):
        steps(chain, np.array([[0.5], [-0.05]]), 1)
    chain.warm_up()


def test_times_of_steps():
    assert next_time(0.0, 0.1, 1.0) == 0.1 and next_time(0.9, 0.1, 1.0) == 1.0
    assert next_time(0.9 + 1e-9, 0.1, 1.0) == 1.0 and next_time(0.9 - 1e-9, 0.1, 1.0) == 1.0
    with pytest.raises(SolverError, match="must lie after"):
        next_time(1.0, 0.1, 1.0)
