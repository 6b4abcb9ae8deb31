"""The staggered operators and the dual they make: adjointness, gradient and Hessian against finite differences."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from wgfpde.energy.energy import Internal
from wgfpde.grid import Grid
from wgfpde.linear.multigrid.solver import Multigrid
from wgfpde.methods.jko.convex import ConvexStep
from wgfpde.transport.benamou_brenier.operators import Staggering

LAWS = {
    "entropy": Internal("entropy", 0.7),
    "m=1.5": Internal("power", 0.7, 1.5),
    "m=2": Internal("power", 0.7, 2.0),
    "m=4": Internal("power", 0.7, 4.0),
    "m=0.8": Internal("power", 0.7, 0.8),
    "none": Internal("none"),
}


def stretch(s):
    return s + 0.12 * np.sin(2 * np.pi * s)


@st.composite
def grids(draw):
    dim = draw(st.sampled_from((1, 2)))
    shape = [draw(st.sampled_from((2, 3, 4, 7))) for _ in range(dim)]
    flags = [draw(st.booleans()) for _ in range(dim)]
    maps = [draw(st.sampled_from((None, stretch))) for _ in range(dim)]
    return Grid([-1.0, 0.5][:dim], [1.0, 1.2][:dim], shape, flags, maps)


seeds = st.integers(0, 2**32 - 1)


def face_list(grid):
    """(i, j, d, area, h_i, h_j) of every face, from the grid alone; i, j flat numbers of the cells."""
    number = np.arange(grid.size).reshape(grid.shape)
    found = []
    for which, axis in enumerate(grid.axes):
        place = grid.dim - 1 - which
        for a in range(axis.size if axis.ring else axis.size - 1):
            b = (a + 1) % axis.size
            d = 0.5 * (axis.widths[a] + axis.widths[b])
            lower, upper = np.take(number, a, place).ravel(), np.take(number, b, place).ravel()
            across = np.ones(1) if grid.dim == 1 else grid.axes[1 - which].widths
            found += [
                (i, j, d, area, axis.widths[a], axis.widths[b]) for i, j, area in zip(lower, upper, across, strict=True)
            ]
    return found


def k_of(step, phi):
    return step.depth(phi) + phi + step.tau_v


def random_step(grid, law, rng, tau=0.3):
    stagger = Staggering(grid)
    rho0 = rng.random(stagger.shape) * (rng.random(stagger.shape) < 0.8)
    return ConvexStep(stagger, LAWS[law], rho0, rng.normal(size=stagger.shape), tau)


@given(grid=grids(), seed=seeds)
def test_hamilton_jacobi_is_the_adjoint_of_the_mean_applied_to_the_squared_gradient(grid, seed):
    """⟨θ(ρ), |∇φ|²⟩_w = ⟨ρ, R|∇φ|²⟩ = 4⟨ρ, k(φ)⟩, the left side face by face from the definition of θ."""
    rng = np.random.default_rng(seed)
    step = random_step(grid, "entropy", rng, tau=1e-3)
    rho, phi = rng.random(step.rho0.shape), rng.normal(size=step.rho0.shape)
    r, p, left = rho.ravel(), phi.ravel(), 0.0
    for i, j, d, area, hi, hj in face_list(grid):
        theta = (hi * r[i] + hj * r[j]) / (hi + hj)
        left += area * d * theta * ((p[j] - p[i]) / d) ** 2
    right = 4 * np.sum(step.stagger.volume * rho * k_of(step, phi))
    assert right == pytest.approx(left, rel=1e-12, abs=0)


@given(grid=grids(), seed=seeds)
def test_conductances_and_continuity_face_by_face(grid, seed):
    """g = wθ/d², b = ∇φ/(4d), and the integrated residual vol (ρ − ρ⁰ + div θ∇φ), from their definitions."""
    rng = np.random.default_rng(seed)
    step = random_step(grid, "entropy", rng)
    volume, rho0 = step.stagger.volume, step.rho0
    rho, phi = rng.random(rho0.shape) + 1e-3, rng.normal(size=rho0.shape)
    c, gx, gy, bx, by = weights = [np.full(rho0.shape, np.nan) for _ in range(5)]
    step.coefficients(phi, rho, np.zeros(rho0.shape), weights)
    half, p = 0.5 * (rho0 + rho).ravel(), phi.ravel()
    expected = (volume * (rho - rho0)).ravel()
    total = sum_b = 0.0
    for i, j, d, area, hi, hj in face_list(grid):
        conductance = area * (hi * half[i] + hj * half[j]) / (hi + hj) / d
        expected[i] += conductance * (p[j] - p[i])
        expected[j] -= conductance * (p[j] - p[i])
        total += conductance
        sum_b += abs(0.25 * (p[j] - p[i]) / d**2)
    assert np.sum(gx) + np.sum(gy) == pytest.approx(total, rel=1e-12, abs=0)
    assert np.sum(np.abs(bx)) + np.sum(np.abs(by)) == pytest.approx(sum_b, rel=1e-12, abs=0)
    assert c == pytest.approx(volume * rho / (0.3 * 0.7), rel=1e-14, abs=0)
    assume(step.mass > 0)
    out = np.full(rho0.shape, np.nan)
    norm = step.residual(phi, rho, gx, gy, out)
    assert out.ravel() == pytest.approx(expected, rel=1e-12, abs=1e-12)
    assert norm == pytest.approx(np.sum(np.abs(expected)) / step.mass, rel=1e-11, abs=0)
    assert np.sum(out) == pytest.approx(np.sum(volume * (rho - rho0)), abs=1e-12)


@pytest.mark.parametrize("law", LAWS)
@settings(max_examples=20)
@given(grid=grids(), seed=seeds)
def test_slack_equation_and_stiffness_against_the_energy(law, grid, seed):
    """r₁ = τ(U'(ρ) + V) + φ − k(φ) − s with U' of the energy, and D = 1/(τU'' + s/ρ) as a difference of it."""
    rng = np.random.default_rng(seed)
    step, internal = random_step(grid, law, rng), LAWS[law]
    rho, slack = rng.random(step.rho0.shape) + 0.1, rng.random(step.rho0.shape) + 0.1
    phi, out = rng.normal(size=rho.shape), np.full(rho.shape, np.nan)
    size, product = step.slack_residual(phi, rho, slack, out)
    expected = 0.3 * internal.derivative(rho) - step.depth(phi) - slack
    assert out == pytest.approx(expected, rel=1e-11, abs=1e-11)
    assert size == pytest.approx(step.integral(rho * np.abs(out)), rel=1e-12, abs=0)
    assert product == pytest.approx(step.integral(rho * slack), rel=1e-12, abs=0)
    weights = [np.zeros(rho.shape) for _ in range(5)]
    step.coefficients(phi, rho, slack, weights)
    second = (internal.derivative(rho + 1e-5) - internal.derivative(rho - 1e-5)) / 2e-5
    assert step.stagger.volume / weights[0] == pytest.approx(0.3 * second + slack / rho, rel=1e-6, abs=0)


# ------------------------------------------------------------------------------------------ the dual, every law


def example(law, grid, seed):
    """A step and a dual potential inside the dual's domain, with μ > 0 for the laws that take one."""
    rng = np.random.default_rng(seed)
    step = random_step(grid, law, rng)
    phi = 0.2 * rng.normal(size=step.rho0.shape) * min(np.min(a.widths) for a in grid.axes)
    if law in ("m=0.8", "none"):
        phi += np.max(step.depth(phi)) + 0.5
    return step, phi, (0.05 if step.barrier else 0.0), rng


def gradient(step, phi, mu):
    """dD/dφ as the solver sees it: the residual of the continuity equation; and the coefficients there."""
    point = step.point(phi, mu)
    slack = mu / point.rho if mu > 0 else np.zeros_like(phi)
    out = [np.zeros_like(phi) for _ in range(5)]
    step.coefficients(phi, point.rho, slack, out)
    residual = np.zeros_like(phi)
    norm = step.residual(phi, point.rho, out[1], out[2], residual)
    if step.mass > 0:
        assert norm == pytest.approx(np.sum(np.abs(residual)) / step.mass, rel=1e-12, abs=0)
    return residual, out


@pytest.mark.parametrize("law", LAWS)
@settings(max_examples=20)
@given(grid=grids(), seed=seeds)
def test_the_gradient_of_the_dual_is_the_continuity_residual(law, grid, seed):
    step, phi, mu, rng = example(law, grid, seed)
    slope, _ = gradient(step, phi, mu)
    move, size = rng.normal(size=phi.shape), 1e-4 * min(np.min(a.widths) for a in grid.axes)

    def value(t):
        return step.point(phi + t * move, mu).value

    difference = (8 * (value(size) - value(-size)) - (value(2 * size) - value(-2 * size))) / (12 * size)
    noise = 1e-15 * (abs(value(0.0)) + step.mass) / size
    assert np.sum(slope * move) == pytest.approx(difference, rel=1e-6, abs=20 * noise + 1e-8)


@pytest.mark.parametrize("law", LAWS)
@settings(max_examples=15)
@given(grid=grids(), seed=seeds)
def test_the_condensed_operator_is_symmetric_and_the_hessian_of_the_dual(law, grid, seed):
    step, phi, mu, _ = example(law, grid, seed)
    _, weights = gradient(step, phi, mu)
    operator = Multigrid(grid)
    operator.setup(*weights)
    unit = np.eye(phi.size).reshape((phi.size, *phi.shape))
    matrix = np.array([operator.apply(e).ravel() for e in unit])
    size = np.max(np.abs(matrix))
    assert np.max(np.abs(matrix - matrix.T)) <= 1e-14 * size
    assert np.min(np.linalg.eigvalsh(matrix)) >= -1e-13 * size
    t = 1e-5 * min(np.min(a.widths) for a in grid.axes)
    hessian = [
        (gradient(step, phi + t * e, mu)[0] - gradient(step, phi - t * e, mu)[0]).ravel() / (2 * t) for e in unit
    ]
    assert np.max(np.abs(matrix + np.array(hessian))) <= 1e-5 * size


@pytest.mark.parametrize("law", LAWS)
@settings(max_examples=20)
@given(grid=grids(), seed=seeds, stride=st.floats(0.01, 3.0))
def test_the_dual_is_concave(law, grid, seed, stride):
    step, phi, mu, rng = example(law, grid, seed)
    move = stride * rng.normal(size=phi.shape)
    ends, middle = [step.point(phi + s * move, mu).value for s in (-1, 1)], step.point(phi, mu).value
    rounding = 1e-13 * (abs(middle) + sum(abs(e) for e in ends if np.isfinite(e)) + 1.0)
    assert middle >= 0.5 * sum(ends) - rounding


def test_outside_its_domain_the_dual_is_minus_infinity():
    grid = Grid([0.0], [1.0], [4])
    for law in ("none", "m=0.8"):
        step = ConvexStep(Staggering(grid), LAWS[law], np.ones((1, 4)), np.zeros((1, 4)), 0.1)
        assert step.point(np.array([[1.0, 1.0, -1.0, 1.0]]) * 1e-3, 0.01).value == -np.inf
        assert np.isfinite(step.point(np.full((1, 4), 1e-3), 0.01).value)
    entropy = ConvexStep(Staggering(grid), LAWS["entropy"], np.ones((1, 4)), np.zeros((1, 4)), 1e-4)
    assert entropy.point(np.full((1, 4), -1.0), 0.0).value == -np.inf


def test_shifting_the_potential_shifts_phi_only():
    """V + a and φ − τa give the same ρ, and a dual value higher by τ a mass."""
    step, phi, _, _ = example("entropy", Grid([0.0, 0.0], [1.0, 1.0], [4, 3]), 1)
    other = ConvexStep(step.stagger, LAWS["entropy"], step.rho0, step.tau_v / step.tau + 2.0, step.tau)
    a, b = step.point(phi, 0.0), other.point(phi - 2.0 * step.tau, 0.0)
    assert b.rho == pytest.approx(a.rho, rel=1e-13, abs=0)
    assert b.value == pytest.approx(a.value + 2.0 * step.tau * step.mass, rel=1e-13, abs=0)


def test_without_energy_phi_is_made_feasible_by_a_constant():
    """dual(φ) = sup over constants a of D(φ + a), μ = 0: the best lower bound that this φ gives."""
    step, phi, _, _ = example("none", Grid([0.0], [1.0], [6]), 3)
    best = step.dual(phi)
    edge = np.max(step.depth(phi))
    assert best == pytest.approx(-step.integral(step.rho0 * (phi + edge + k_of(step, phi))), rel=1e-13, abs=0)
    for shift in (0.0, 0.3, 5.0):
        assert step.dual(phi + shift) == pytest.approx(best, rel=1e-12, abs=0)
