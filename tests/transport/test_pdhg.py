"""JKO steps and transport by Chambolle–Pock: certificates, closed forms, constraints, promises, refusals."""

import math

import numpy as np
import pytest

from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.snapshot import Snapshot
from wgfpde.errors import CaseError, SolverError
from wgfpde.grid import Grid
from wgfpde.linear import threads as threads_module
from wgfpde.methods.jko.stepper import Jko
from wgfpde.transport.benamou_brenier.pdhg import solve_step, solve_transport
from wgfpde.transport.benamou_brenier.pdhg_cascade import EnergyStep
from wgfpde.transport.benamou_brenier.pdhg_certificate import separate, widen
from wgfpde.transport.benamou_brenier.pdhg_end import _conjugate
from wgfpde.transport.benamou_brenier.pdhg_path import keep_positive, march
from wgfpde.transport.benamou_brenier.pdhg_steps import way

ENTROPY = Internal("entropy")


def gaussian_step(n, tau, dim=2):
    """Start, potential and exact end of a JKO step of Fokker–Planck with V = |x|²/2: means m/(1+τ),
    (1+τ)s² − s₀s − τ = 0."""
    grid = Grid([-5.0] * dim, [5.0] * dim, [n] * dim)
    s = math.sqrt(0.5)
    end = (s + math.sqrt(s * s + 4 * tau * (1 + tau))) / (2 * (1 + tau))

    def normal(scale, width):
        def density(**position):
            r2 = sum((position[name] - scale * m) ** 2 for name, m in zip(position, (1.0, -0.5), strict=False))
            return np.exp(-r2 / (2 * width**2)) / (2 * np.pi * width**2) ** (dim / 2)

        return grid.sample(density)

    potential = grid.sample(lambda **position: sum(value**2 for value in position.values()) / 2)
    return grid, normal(1.0, s), potential, normal(1 / (1 + tau), end)


@pytest.mark.parametrize("walls", [(False, False), (True, False), (True, True)])
@pytest.mark.parametrize("steps", [1, 3])
def test_the_ways_that_balance_the_steps(walls, steps):
    """‖Δy_j‖² and ‖K_jΔx‖² against sums over arrays; θ on a face is the mean of both cells at both ends of a step."""
    x, y, x0, y0 = (np.random.default_rng(4).normal(size=(k, steps, 3, 4)) for k in (3, 5, 3, 5))
    x0, y0 = 0.5 * x0[:, ::-1], 0.5 * y0[:, ::-1]
    dx, dy = x - x0, y - y0
    expected = np.zeros((3, 2))
    for part, axis in ((0, 2), (1, 1)):
        inner = np.ones((3, 4), dtype=bool)
        if walls[part]:
            inner[(slice(None), -1) if axis == 2 else -1] = False
        before = np.concatenate([np.zeros((1, 3, 4)), dx[0, :-1]])
        cells = 0.5 * (dx[0] + before)
        theta = 0.5 * (cells + np.roll(cells, -1, axis))
        expected[0] += [np.sum(dy[2 * part][:, inner] ** 2), np.sum(theta[:, inner] ** 2)]
        expected[1] += [np.sum(dy[2 * part + 1][:, inner] ** 2), np.sum(dx[1 + part][:, inner] ** 2)]
    expected[2] = np.sum(dy[4, -1] ** 2) / steps**2, np.sum(dx[0, -1] ** 2)
    np.testing.assert_allclose(way(x, y, x0, y0, walls, steps), expected, rtol=1e-12)


@pytest.mark.parametrize("volume", [1e-8, 1.0, 1e8])
@pytest.mark.parametrize("shape", [(1, 40), (8, 9)])
def test_the_limiter_keeps_densities_near_the_smallest_doubles(shape, volume):
    """Fluxes that would empty cells of 1e-323 to 1e-250 many times over leave none of them negative."""
    rng = np.random.default_rng(0)
    ones = np.ones(shape[1]), np.ones(shape[0])
    for _ in range(50):
        rho = 10.0 ** rng.uniform(-323, -250 if rng.random() < 0.5 else -300, shape)
        phi, end, factor, rows = rng.normal(size=shape) * 1e20, np.zeros(shape), np.zeros(shape), np.zeros(shape[0])
        flux = [volume * 10.0 * rng.normal(size=shape) * rho for _ in range(2)]
        keep_positive(rho, volume, *ones, phi, 1, *flux, end, factor)
        march(rho, volume, *ones, *flux, end, rows)
        assert end.min() >= 0.0
        assert np.sum(end) == pytest.approx(np.sum(rho), rel=1e-12, abs=0)


@pytest.mark.parametrize("shape", [(1, 9), (9, 1), (7, 6)])
def test_the_smallest_field_above_another_that_falls_slowly(shape):
    """Each cell has the largest of what the others leave it, each less by `drop` for every cell on the way."""
    y, x = (part.ravel() for part in np.indices(shape))
    way = np.abs(y[:, None] - y) + np.abs(x[:, None] - x)
    for corner in range(len(x)):
        field = np.random.default_rng(corner).uniform(0, 0.2, shape)
        field.ravel()[corner] = 1.0  # and from every cell of the lattice, one after another, it spreads over the rest
        expected = np.max(field.ravel()[:, None] - 0.11 * way, axis=0).reshape(shape)
        widen(field, 0.11)
        np.testing.assert_allclose(field, expected, rtol=1e-13)


@pytest.mark.parametrize("steps", [2, 3, 6, 7])
def test_repairs_lift_what_fails_to_nothing(steps):
    """φ even in space: s_k = φ_k − φ_{k+1}; where it was negative it is 0 afterwards, and as it was elsewhere.  Of an
    early step φ_1 … φ_k are raised, of a late one φ_{k+1} … φ_N lowered."""
    for seed in range(10):
        levels = np.random.default_rng(seed).normal(size=steps)
        phi = np.broadcast_to(levels[:, None, None], (steps, 3, 4)).copy()
        before = phi[:-1] - phi[1:]
        separate(phi, before, 5.0, np.empty((3, 4)), np.empty((3, 4)))
        np.testing.assert_allclose(phi[:-1] - phi[1:], np.maximum(before, 0.0), rtol=0, atol=1e-14)
        half = (steps - 1) // 2
        assert np.all(phi[:half] >= levels[:half, None, None])
        np.testing.assert_array_equal(phi[half], np.full((3, 4), levels[half]))
        assert np.all(phi[half + 1 :] <= levels[half + 1 :, None, None])


@pytest.mark.parametrize("cap", [math.inf, 1.2])
@pytest.mark.parametrize("internal", [ENTROPY, Internal("power", 1.0, 2.0), Internal("power", 1.0, 0.6)], ids=str)
def test_the_conjugate_has_the_density_as_its_slope(internal, cap):
    """f*(s) = sup sρ − cU(ρ) over 0 ≤ ρ ≤ cap: its derivative is ρ, whose own one is 0 where the cap holds."""
    p, h = np.random.default_rng(3).uniform(-3.0, -0.2, (3, 5)), 1e-5
    p += 2.0 * (internal.kind != "power" or internal.m > 1)  # m < 1: only below 0
    law = internal.law.code, 0.7, internal.m, cap
    here, below, above = (np.zeros((3, 3)) for _ in range(3))
    for lam, rows in ((0.0, here), (-h, below), (h, above)):
        _conjugate(p, lam, *law, rows)
    np.testing.assert_allclose((above - below)[:2] / (2 * h), here[1:], rtol=1e-6, atol=1e-9)


def paths_are_feasible(grid, rho0, result):
    """Mass exact, ρ ≥ 0 exactly, continuity to rounding, for every slice."""
    shape = (1, -1) if grid.dim == 1 else grid.shape
    np.testing.assert_array_equal(result.path[0], rho0.reshape(shape))
    np.testing.assert_array_equal(result.path[-1], result.rho)
    assert np.all(result.path >= 0)
    masses = result.path.sum(axis=(1, 2))
    np.testing.assert_allclose(masses, masses[0], rtol=1e-13)
    steps = len(result.path) - 1
    rate = steps * np.diff(result.path, axis=0)
    rate += (result.momentum_x - np.roll(result.momentum_x, 1, 2)) / grid.x.widths[0]
    if grid.dim == 2:
        rate += (result.momentum_y - np.roll(result.momentum_y, 1, 1)) / grid.y.widths[0]
    assert np.abs(rate).max() < 1e-11 * steps * np.abs(result.path).max()


def primal_of(grid, result, internal, potential, tau):
    """½W₂² + τE of the path, written out."""
    mid = 0.5 * (result.path[1:] + result.path[:-1])
    cost = 0.0
    for mom, axis in ((result.momentum_x, 2), (result.momentum_y, 1)):
        theta = 0.5 * (mid + np.roll(mid, -1, axis))
        cost += np.sum(np.divide(mom**2, 2 * theta, out=np.zeros_like(mom), where=mom != 0))
    volume = grid.volume / grid.size
    transport = volume * cost / (len(result.path) - 1)
    energy = volume * np.sum(internal.density(result.rho) + potential * result.rho)
    return transport, transport + tau * energy


@pytest.mark.parametrize(("tau", "steps"), [(0.1, 1), (0.1, 8), (1.0, 4), (1e-4, 2)])
def test_gaussian_step(tau, steps):
    grid, rho0, potential, exact = gaussian_step(48, tau)
    result = solve_step(EnergyStep(grid, rho0, ENTROPY, potential, tau, steps), 1e-6, 2000)
    paths_are_feasible(grid, rho0, result)
    assert -1e-12 <= result.gap <= 1e-6
    transport, primal = primal_of(grid, result, ENTROPY, potential, tau)
    assert result.transport == pytest.approx(transport, rel=1e-10, abs=0)
    assert result.primal == pytest.approx(primal, rel=1e-10, abs=0)
    distance = np.abs(result.rho - exact).sum() / np.abs(rho0 - exact).sum()
    assert distance < 0.12
    assert result.cascade[-1] == result.iterations


def test_iterations_do_not_grow_with_the_grid():
    counts = [solve_step(EnergyStep(*step[:2], ENTROPY, step[2], 1.0, 4), 1e-4, 500).iterations
              for step in (gaussian_step(n, 1.0) for n in (32, 64, 128))]  # fmt: skip
    assert max(counts) <= 250
    assert counts[-1] <= 1.5 * counts[0]


def test_more_inner_steps_approach_the_exact_step():
    """The width of the end settles as N grows, faster than order 1 from N = 2 on, near the exact width."""
    grid, rho0, potential, exact = gaussian_step(96, 1.0, dim=1)
    x = grid.x.centers

    def width(rho):
        rho = rho.ravel() / rho.sum()
        return math.sqrt(rho @ x**2 - (rho @ x) ** 2)

    steps = [EnergyStep(grid, rho0, ENTROPY, potential, 1.0, n) for n in (1, 2, 4, 12)]
    widths = [width(solve_step(step, 1e-6, 4000).rho) for step in steps]
    errors = np.abs(np.array(widths[:3]) - widths[3])
    assert errors[0] > 1.5 * errors[1] > 3 * errors[2]
    assert abs(widths[3] - width(exact)) < 5e-4


@pytest.mark.parametrize("internal", [ENTROPY, Internal("power", 1.0, 2.0), Internal("power", 1.0, 4.0)],
                         ids=["entropy", "m=2", "m=4"])  # fmt: skip
def test_one_inner_step_is_the_problem_newton_solves(internal):
    grid = Grid([-3.0, -2.0], [3.0, 2.0], [36, 26])
    rho0 = grid.sample(lambda x, y: np.maximum(1.2 - (x - 0.5) ** 2 - y**2, 0.0) + (0.05 if internal.m == 1 else 0))
    flow = Flow(grid, Energy(internal, lambda x, y: 0.5 * x**2 + y))
    newton = Jko(flow, 0.1, "newton", 1, 1e-9, threads=1).step(Snapshot(t=0.0, step=0, fields={"rho": rho0}), 0.1)
    potential = grid.sample(lambda x, y: 0.5 * x**2 + y)
    result = solve_step(EnergyStep(grid, rho0, internal, potential, 0.1, 1), 1e-5, 5000)
    scale = (result.primal - result.dual) / result.gap
    assert result.dual <= newton.report.primal + 1e-9 * scale
    assert newton.report.dual <= result.primal + 1e-9 * scale
    assert abs(result.primal - newton.report.primal) <= 1.1e-5 * scale
    assert np.abs(result.rho - newton.rho).sum() <= 0.01 * np.abs(rho0 - newton.rho).sum()


def test_barenblatt_step_with_vacuum():
    """ρ = (2/πR²)(1 − |x|²/R²)₊ goes to radius R₁, (R₁ − R₀)/(3τ) = 8/(3πR₁³), and its support stays compact."""
    grid = Grid([0.0, 0.0], [1.0, 1.0], [48, 48])

    def profile(radius):
        def density(x, y):
            return 2 / np.pi / radius**2 * np.maximum(1 - ((x - 0.5) ** 2 + (y - 0.5) ** 2) / radius**2, 0)

        return grid.average(density)

    step = EnergyStep(grid, profile(0.250082), Internal("power", 1.0, 2.0), np.zeros(grid.shape), 1e-3, 6)
    result = solve_step(step, 1e-4, 1000)
    paths_are_feasible(grid, profile(0.250082), result)
    assert np.abs(result.rho - profile(0.324562891)).sum() / result.rho.sum() < 0.01
    assert result.rho.min() == 0.0


ENERGIES = [ENTROPY, Internal("power", 1.0, 0.7), Internal("power", 1.0, 1.5), Internal("power", 0.5, 3.0),
            Internal("none")]  # fmt: skip


@pytest.mark.parametrize("internal", ENERGIES, ids=lambda u: f"{u.kind}-{u.m:g}")
@pytest.mark.parametrize("cap", [None, 1.0])
def test_every_energy_with_and_without_congestion(internal, cap):
    grid = Grid([-2.0, -1.5], [2.0, 1.5], [26, 19], [True, False])
    rho0 = grid.sample(lambda x, y: np.where((x - 0.4) ** 2 + y**2 < 0.4, 0.9, 0.0))
    potential = grid.sample(lambda x, y: 1 - np.cos(np.pi * x / 2) + y**2)
    result = solve_step(EnergyStep(grid, rho0, internal, potential, 0.1, 2, congestion=cap), 5e-4, 3000)
    paths_are_feasible(grid, rho0, result)
    assert -1e-12 <= result.gap <= 5e-4
    _, primal = primal_of(grid, result, internal, potential, 0.1)
    assert result.primal == pytest.approx(primal, rel=1e-10, abs=0)
    if cap is not None:
        assert result.rho.max() <= cap * (1 + 1e-12)
    start = 0.1 * grid.volume / grid.size * np.sum(internal.density(rho0) + potential * rho0)
    assert result.primal <= start + 1e-12  # never worse than staying


def test_a_congested_crowd_fills_the_bottom():
    """Without internal energy and with ρ ≤ 1 a long step fills the lowest cells to exactly 1."""
    grid = Grid([0.0], [4.0], [80])
    rho0 = np.where((grid.x.centers > 2) & (grid.x.centers < 4), 0.5, 0.0)
    result = solve_step(EnergyStep(grid, rho0, Internal("none"), grid.x.centers, 6.0, 4, congestion=1.0), 1e-4, 4000)
    expected = np.where(grid.x.centers < 1, 1.0, 0.0)
    assert result.rho.max() <= 1 + 1e-12
    assert np.abs(result.rho[0] - expected).sum() / expected.sum() < 0.03


def test_translation_and_dilation_have_their_closed_form():
    """W₂² of a translate is M d²; of a dilated Barenblatt profile c₂ (R₁ − R₀)², c₂ = M/3 in 2D."""
    grid = Grid([-1.0, -1.0], [1.0, 1.0], [48, 48])

    def profile(radius, shift=0.0):
        values = grid.average(lambda x, y: np.maximum(1 - ((x - shift) ** 2 + y**2) / radius**2, 0))
        return values / (values.sum() * grid.volume / grid.size)

    moved = solve_transport(grid, profile(0.4, -0.25), profile(0.4, 0.25), 8, 2e-3, 3000)
    assert 2 * moved.primal == pytest.approx(0.25, rel=0.02, abs=0)
    paths_are_feasible(grid, profile(0.4, -0.25), moved)
    assert moved.continuity <= 2e-3 and moved.dual <= moved.primal
    grown = solve_transport(grid, profile(0.4), profile(0.7), 8, 2e-3, 3000)
    assert 2 * grown.primal == pytest.approx(0.3**2 / 3, rel=0.03, abs=0)


def test_transport_in_1d_on_a_line_and_a_circle():
    grid = Grid([0.0], [1.0], [64])
    a, b = 1 + 0.5 * np.cos(np.pi * grid.x.centers), 1 - 0.5 * np.cos(np.pi * grid.x.centers)
    u = np.linspace(0, 1, 20_001)
    fine = np.linspace(0, 1, 20_001)
    quantiles = [np.interp(u, fine + s * 0.5 * np.sin(np.pi * fine) / np.pi, fine) for s in (1, -1)]
    exact = np.trapezoid((quantiles[0] - quantiles[1]) ** 2, u)
    result = solve_transport(grid, a, b, 8, 1e-5, 3000)
    assert 2 * result.primal == pytest.approx(exact, rel=2e-3, abs=0)
    circle = Grid([0.0], [1.0], [64], True)
    bump = np.exp(20 * (np.cos(2 * np.pi * circle.x.centers) - 1))
    bump /= bump.mean()
    result = solve_transport(circle, np.roll(bump, -5), np.roll(bump, 5), 8, 1e-3, 3000)
    assert 2 * result.primal == pytest.approx((10 / 64) ** 2, rel=0.02, abs=0)  # the short way, across the seam


def test_nothing_to_move():
    grid = Grid([0.0, 0.0], [1.0, 1.0], [4, 4])
    result = solve_transport(grid, np.ones((4, 4)), np.ones((4, 4)), 2, 1e-6, 50)
    assert result.transport < 1e-20
    np.testing.assert_allclose(result.rho, 1.0, rtol=1e-12)


def test_warm_start_saves_iterations_and_other_grids_are_taken():
    grid, rho0, potential, _ = gaussian_step(48, 0.1)
    cold = solve_step(EnergyStep(grid, rho0, ENTROPY, potential, 0.1, 4), 1e-4, 500)
    warm = solve_step(EnergyStep(grid, rho0, ENTROPY, potential, 0.1, 4), 1e-4, 500, warm=cold)
    assert warm.iterations <= 10 and warm.cascade == (warm.iterations,)
    fine, rho1, potential, _ = gaussian_step(64, 0.1)
    other = solve_step(EnergyStep(fine, rho1, ENTROPY, potential, 0.1, 6), 1e-4, 500, warm=cold)
    assert other.gap <= 1e-4


def test_threads_change_nothing(monkeypatch):
    monkeypatch.setattr(threads_module, "SERIAL_CELLS", 0)
    grid, rho0, potential, _ = gaussian_step(64, 0.1)
    results = [solve_step(EnergyStep(grid, rho0, ENTROPY, potential, 0.1, 4), 1e-3, 200, threads=n) for n in (1, 2)]
    np.testing.assert_array_equal(results[0].rho, results[1].rho)
    assert results[0].gap == results[1].gap


def test_refusals():
    grid, rho0, potential, _ = gaussian_step(32, 0.1)
    with pytest.raises(SolverError, match=r"relative gap of .* in 5 iterations; .* Raise max_iterations"):
        solve_step(EnergyStep(grid, rho0, ENTROPY, potential, 0.1, 4), 1e-8, 5)
    with pytest.raises(CaseError, match="congestion must exceed the mean density"):
        solve_step(EnergyStep(grid, rho0, ENTROPY, potential, 0.1, 1, congestion=rho0.mean() / 2), 1e-4, 100)
    with pytest.raises(CaseError, match="inner_steps must be at least 1"):
        solve_step(EnergyStep(grid, rho0, ENTROPY, potential, 0.1, 0), 1e-4, 100)
    stretched = Grid([0.0], [1.0], [16], mapping=[lambda s: s**2])
    with pytest.raises(CaseError, match="axis x is stretched; remove the mapping"):
        solve_step(EnergyStep(stretched, np.ones(16), ENTROPY, np.zeros(16), 0.1, 1), 1e-4, 100)
