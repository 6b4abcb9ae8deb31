"""The law of Langevin chains on the grid: closed forms, the error of its sums, walls, rings, Metropolis, W."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.snapshot import Snapshot
from wgfpde.errors import CaseError
from wgfpde.formulas.compile import compile_expression
from wgfpde.grid import Grid
from wgfpde.methods.particles import law_kernels
from wgfpde.methods.particles.chain_law import Law, gibbs_moves
from wgfpde.methods.particles.langevin_chain import Chain, Rules
from wgfpde.methods.particles.swarm import draw

STRETCHED = [lambda s: s + 0.5 / (2 * np.pi) * np.sin(2 * np.pi * s)]


def flow_of(grid, potential=None, kappa=1.0, interaction=None):
    v = ("x", "r") if grid.dim == 1 else ("x", "y", "r")
    compiled = [None if text is None else compile_expression(text, v) for text in (potential, interaction)]
    return Flow(grid, Energy(Internal("entropy", kappa), *compiled))


def go(law, rho, count):
    snapshot = Snapshot(0.0, 0, {"rho": rho})
    for _ in range(count):
        snapshot = law.step(snapshot, 1e9)
    return snapshot.rho


def gaussian_on(grid, mean, variances):
    places = grid.coordinates()
    exponent = sum((places["xy"[k]] - m) ** 2 / (2 * v) for k, (m, v) in enumerate(zip(mean, variances, strict=True)))
    rho = np.exp(-exponent)
    return rho / np.sum(rho * grid.cell_volume)


def moments(grid, rho):
    mass = np.ravel(rho * grid.cell_volume)
    points = np.stack([np.ravel(np.broadcast_to(c, grid.shape)) for c in grid.coordinates().values()])
    mean = points @ mass
    return mean, (points - mean[:, None]) * mass @ (points - mean[:, None]).T


@pytest.mark.parametrize("cells", [70, 240, 480], ids=["at once", "in two", "in two, fine"])
def test_ornstein_uhlenbeck(cells):
    """Five steps of 0.1 from a variance of 0.5, λ = 1.3: 0.7425388036; in the end 1/(λ(1 − λτ/2)) = 0.8227067051."""
    grid = Grid([-8.0], [8.0], [cells])
    law = Law(flow_of(grid, "1.3*x**2/2"), 0.1)
    assert (law.spread[0].rest is None) == (cells == 70)
    start = gaussian_on(grid, [1.0], [0.5])
    mean, cov = moments(grid, go(law, start, 5))
    assert mean[0] == pytest.approx(0.87**5, abs=1e-13) and cov[0, 0] == pytest.approx(0.7425388036, abs=1e-10)
    exact = 0.87**10 * 0.5 + 0.2 * sum(0.87 ** (2 * k) for k in range(5))
    assert cov[0, 0] == pytest.approx(exact, abs=1e-13)
    _, cov = moments(grid, go(law, start, 150))
    assert cov[0, 0] == pytest.approx(1 / (1.3 * (1 - 0.065)), abs=1e-12) == pytest.approx(0.8227067051, abs=1e-10)


@pytest.mark.parametrize("shape", [[80, 72], [200, 72], [200, 216]], ids=str)
def test_a_correlated_drift_in_the_plane(shape):
    """m ← (I − τA)m, S ← (I − τA)S(I − τA) + 2κτI, ten steps; spread at once or in two along either axis."""
    a, tau, kappa = np.array([[1.5, 0.6], [0.6, 1.0]]), 0.05, 0.5
    grid = Grid([-5.0, -5.0], [5.0, 5.0], shape)
    law = Law(flow_of(grid, "0.75*x**2 + 0.6*x*y + y**2/2", kappa), tau)
    mean, cov = moments(grid, go(law, gaussian_on(grid, [0.5, -0.5], [0.4, 0.3]), 10))
    m, s, move = np.array([0.5, -0.5]), np.diag([0.4, 0.3]), np.eye(2) - tau * a
    for _ in range(10):
        m, s = move @ m, move @ s @ move + 2 * kappa * tau * np.eye(2)
    np.testing.assert_allclose(mean, m, rtol=0, atol=1e-10)
    np.testing.assert_allclose(mean, [0.32614862, -0.39708769], rtol=0, atol=1e-8)
    np.testing.assert_allclose(cov, s, rtol=0, atol=1e-9)


def test_what_midpoint_sums_leave_falls_as_is_said():
    """4e^{−2π²σ²/h²} at σ/h = 0.7 … 1: the variance after one step of a wide Gaussian, up to a factor of its shift."""
    for cells in (0.72, 0.85, 1.0):
        grid = Grid([-8.0], [8.0], [200])
        tau = (cells * 0.08) ** 2 / 2
        law = Law(flow_of(grid), tau)
        assert law.quadrature_error == pytest.approx(4 * math.exp(-2 * math.pi**2 * cells**2), rel=1e-9, abs=0)
        shifted = Law(flow_of(grid, f"-0.02*x/{tau!r}"), tau)  # by a quarter of a cell
        mean, _ = moments(grid, go(shifted, gaussian_on(grid, [0.0], [1.0]), 1))
        error = abs(mean[0] - 0.02)
        assert 0.02 * law.quadrature_error < error / cells**2 < 3 * law.quadrature_error


WALLS = {
    "walls": (Grid([0.0], [1.0], [40]), "3*x"),
    "ring": (Grid([0.0], [1.0], [40], True), "0.4*cos(2*pi*x)"),
    "plane": (Grid([0.0, 0.0], [1.0, 1.5], [12, 14], [True, False]), "0.4*cos(2*pi*x)*(1 + y) + y"),
}


@pytest.mark.parametrize("adjust", [False, True])
@pytest.mark.parametrize("name", WALLS)
def test_particles_sample_the_law(name, adjust):
    """χ² of 200,000 particles against it, after steps whose noise is as wide as the box: folded many times."""
    grid, potential = WALLS[name]
    flow, n, tau = flow_of(grid, potential, 0.5), 200_000, 0.3
    start = gaussian_on(grid, [0.3] * grid.dim, [0.04] * grid.dim)
    rho = go(Law(flow, tau, adjust), start, 2)
    chain, at = Chain(flow, Rules(tau, 8, adjust, 1.0)), draw(start, grid, n, 8)
    snapshot = Snapshot(0.0, 0, {"rho": start, "position": at})
    for _ in range(2):
        snapshot = chain.step(snapshot, 1e9)
    expected, counts = n * rho * grid.cell_volume, n * snapshot.rho * grid.cell_volume
    chi = float(np.sum((counts - expected) ** 2 / expected))
    assert abs(chi - grid.size) < 5 * math.sqrt(2 * grid.size)


@pytest.mark.parametrize("name", WALLS)
def test_targets_outside_the_box_fold_with_their_noise(name):
    """The drift throws mass across walls, over several boxes; without V it is as if it had started elsewhere."""
    grid = WALLS[name][0]  # x − 2 folds to x
    steep = flow_of(grid, {"walls": "40*x", "ring": "4*cos(2*pi*x)", "plane": "40*y"}[name])
    start = gaussian_on(grid, [0.3] * grid.dim, [0.04] * grid.dim)
    rho = go(Law(steep, 0.05), start, 1)
    assert float(np.sum(rho * grid.cell_volume)) == pytest.approx(1.0, abs=1e-13) and np.all(rho >= 0)
    if name != "walls":
        return
    np.testing.assert_allclose(rho, go(Law(flow_of(grid), 0.05), start, 1), rtol=1e-12)


@pytest.mark.parametrize("name", WALLS)
@pytest.mark.parametrize("tau", [0.015, 0.05, 0.3])
def test_metropolis_keeps_the_gibbs_state_to_rounding_and_entropy_never_rises(name, tau):
    grid, potential = WALLS[name]
    flow = flow_of(grid, potential, 0.7)
    law = Law(flow, tau, True)
    assert gibbs_moves(law, 2.5) < 1e-13
    snapshot = Snapshot(0.0, 0, {"rho": gaussian_on(grid, [0.7] * grid.dim, [0.002] * grid.dim)})
    energies = [flow.value(snapshot.rho)]
    for _ in range(6):
        snapshot = law.step(snapshot, 1e9)
        energies.append(flow.value(snapshot.rho))
        assert 0 < snapshot.report.more["acceptance"] <= 1 + 1e-12
    assert np.all(np.diff(energies) < 1e-14) and flow.mass(snapshot.rho) == pytest.approx(1, abs=1e-14)
    assert gibbs_moves(Law(flow, tau), 1.0) > 1e-4 or name == "ring"  # the unadjusted one has another


@pytest.mark.parametrize("ring", [0, 1])
def test_moves_without_a_return_are_not_made(ring):
    """Weights cut off at one deviation, where it matters: the Gibbs state is kept to rounding all the same."""
    n = 30
    x = np.arange(n, dtype=float)
    log_pi = 2 * np.cos(2 * np.pi * (x + 0.5) / n)
    target, out = x - 3 * np.sin(2 * np.pi * (x + 0.5) / n), np.empty(n)
    law_kernels.adjusted_1d(np.exp(log_pi), log_pi, target, 4.0, 4.0, ring, out)
    np.testing.assert_allclose(out, np.exp(log_pi), rtol=1e-14)
    pi = np.exp(log_pi + log_pi[:, None])
    both, goal = np.empty((n, n)), np.broadcast_to(target, (n, n)).copy()
    sizes = np.array([4.0, 2.5]), np.array([4.0, 2.0])
    law_kernels.adjusted_2d(pi, log_pi + log_pi[:, None], goal, goal.T.copy(), *sizes, ring, 0, both)
    np.testing.assert_allclose(both, pi, rtol=1e-14)


def test_the_bias_of_the_unadjusted_chain():
    """π_τ = π(1 + τ(¼|V'|² − ½V'' + c)) + O(τ²) for (x² − 1)²: halving τ halves the one and quarters the other."""
    grid, expected = Grid([-3.0], [3.0], [300]), {0.02: (5.594e-2, 4.35e-3), 0.01: (2.709e-2, 9.9e-4)}
    flow = flow_of(grid, "(x**2 - 1)**2")
    pi, x = flow.gibbs(), grid.x.centers
    q = 0.25 * (4 * x * (x * x - 1)) ** 2 - 0.5 * (12 * x * x - 4)
    q -= flow.integral(pi * q)
    for tau, (bias, left) in expected.items():
        rho = go(Law(flow, tau), pi, round(5 / tau))
        assert flow.integral(np.abs(rho - pi)) == pytest.approx(bias, rel=0.02, abs=0)
        assert flow.integral(np.abs(rho - pi * (1 + tau * q))) == pytest.approx(left, rel=0.02, abs=0)
    relative = [flow.integral(r * np.log(r / pi)) for r in (pi, go(Law(flow, 0.02), pi, 40))]
    assert relative[1] > relative[0] + 1e-4  # it leaves the Gibbs state at once: no gradient flow of that entropy


def test_the_mean_field_of_a_parabola():
    """W = κx²/2 around its mean: variances follow s ← (1 − (λ + κ)τ)²s + 2τ, the mean λ alone."""
    grid, tau, lam, kappa = Grid([-6.0], [6.0], [160]), 0.05, 1.0, 2.0
    rho = go(Law(flow_of(grid, "x**2/2", 1.0, "x**2"), tau), gaussian_on(grid, [0.7], [0.2]), 20)
    mean, cov = moments(grid, rho)
    s = 0.2
    for _ in range(20):
        s = (1 - (lam + kappa) * tau) ** 2 * s + 2 * tau
    assert mean[0] == pytest.approx(0.7 * 0.95**20, abs=1e-10) and cov[0, 0] == pytest.approx(s, abs=1e-10)


@pytest.mark.parametrize(
    ("grid", "flow", "tau", "words"),
    [
        (Grid([-1.0], [1.0], [20]), {}, 1e-4, r"at least 0.7 cells .*, found 0.141 along x; take 99 cells there, or"),
        (Grid([-1.0], [1.0], [20], mapping=STRETCHED), {}, 0.1, "axis x is stretched. Remove grid.mapping, or give"),
        (Grid([-1.0], [1.0], [20]), {"potential": "abs(x)**0.5 + sqrt(x + 0.95)"}, 0.1,
         r"the gradient of the potential must be finite in every cell; .* at x = -0.95"),
    ],
)  # fmt: skip
def test_what_has_no_law_is_refused(grid, flow, tau, words):
    with pytest.raises(CaseError, match=words):
        Law(flow_of(grid, **flow), tau)


def test_a_chain_without_noise_has_no_density():
    grid = Grid([-1.0], [1.0], [20])
    with pytest.raises(CaseError, match=r"has no density: give solver\.particles"):
        Law(Flow(grid, Energy(Internal("none"), lambda x: x)), 0.1)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(4, 30), st.booleans(), st.booleans(), st.floats(0.71, 6.0), st.floats(-50, 50), st.integers(0, 2**31)
)
def test_mass_and_sign_whatever_the_drift(n, ring, adjust, cells, slope, seed):
    grid = Grid([0.0], [1.0], [n], ring)
    potential = f"{slope!r}*cos(2*pi*x)"
    flow = flow_of(grid, potential)
    law = Law(flow, (cells / n) ** 2 / 2, adjust)
    rho = np.random.default_rng(seed).random(n) ** 8
    after = go(law, rho, 2)
    assert np.all(after >= 0) and flow.mass(after) == pytest.approx(flow.mass(rho), rel=1e-13, abs=0)


@pytest.mark.parametrize("target", [0.0, 2.0, 2.3, -1.5, 1.999999])
@pytest.mark.parametrize("reach", [1.5, 2.0, 3.4])
def test_a_move_may_end_wherever_it_reaches(target, reach):
    """ln Σ_p e^{−(p − target)²/2s²} over all places p within reach, both ends with it."""
    places = np.arange(-10, 11)
    places = places[np.abs(places - target) <= reach]
    expected = np.log(np.sum(np.exp(-0.5 * ((places - target) / 0.9) ** 2)))
    assert law_kernels.log_total(target, 0.9, reach) == pytest.approx(expected, rel=1e-12, abs=1e-14)
