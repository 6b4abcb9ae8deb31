"""Stein variational gradient descent: closed forms for k = x·y + 1, sums over pairs, the energy, and its two limits."""

import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import wgfpde as wgf
from wgfpde.cases.loading import loads
from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.snapshot import Snapshot
from wgfpde.errors import CaseError, SolverError
from wgfpde.grid import Grid
from wgfpde.methods.particles.stein.explicit_steps import ExplicitMarch
from wgfpde.methods.particles.stein.stein_density import SteinDensity, _grid_of_faces
from wgfpde.methods.particles.stein.stein_kernels import Kernel, drive, kernel_function, median_width
from wgfpde.methods.particles.stein.stein_particles import SteinParticles

B, Q, M0, S0 = 0.4, 0.8, -0.6, 0.5
LINEAR = 0.25547748, 0.77186274
"""Mean and variance at 1.5 for k = xy + 1: ṁ = Am − (m − b)/q, Ṡ = 2AS, A = 1 − (S + (m − b)m)/q."""
GAUSSIAN = 0.08189, 0.70849
"""The same at 2 for the Gaussian kernel of width 0.7: grids and crowds extrapolated."""
FIVE = np.array([-1.2, -0.7, 0.1, 0.5, 1.4])


def stretch(s):
    return s + 0.08 * np.sin(2 * np.pi * s)


def well(x):
    return (x - B) ** 2 / (2 * Q)


def flow_on(n, lower=-6.0, upper=6.0, mapping=None, kappa=1.0, potential=well, boundary="no-flux"):
    grid = Grid([lower], [upper], [n], boundary, mapping=mapping)
    return Flow(grid, Energy(Internal("entropy", kappa), potential))


def gaussian(grid, mean=M0, variance=S0):
    rho = np.exp(-((grid.x.centers - mean) ** 2) / (2 * variance))
    return rho / np.sum(grid.cell_volume * rho)


def moments(flow, rho):
    x, h = flow.grid.x.centers, flow.grid.cell_volume
    mean = np.sum(h * x * rho)
    return np.array([mean, np.sum(h * (x - mean) ** 2 * rho)])


def march(stepper, start, end):
    """All snapshots; E never rises where a density marches."""
    found = [Snapshot(0.0, 0, start)]
    while found[-1].t < end:
        found.append(stepper.step(found[-1], end))
    if isinstance(stepper, SteinDensity):
        energies = [stepper.flow.value(state.rho) for state in found]
        assert np.max(np.diff(energies)) <= 1e-13 * np.max(np.abs(energies))
        assert min(state.rho.min() for state in found) >= 0
    return found


# ---- the density --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kernel", "end", "exact", "finest"),
    [(Kernel("linear"), 1.5, LINEAR, (1.3e-4, 6.5e-5)), (Kernel("gaussian", 0.7), 2.0, GAUSSIAN, (1.2e-4, 5e-5))],
    ids=["linear", "gaussian"],
)
@pytest.mark.parametrize("mapping", [None, [stretch]], ids=["uniform", "stretched"])
def test_moments_of_a_density(kernel, end, exact, finest, mapping):
    errors = []
    for n in (100, 200, 400):
        flow = flow_on(n, mapping=mapping)
        last = march(SteinDensity(flow, kernel, tolerance=2e-5), {"rho": gaussian(flow.grid)}, end)[-1]
        errors.append(moments(flow, last.rho) - exact)
        assert flow.mass(last.rho) == pytest.approx(1.0, rel=1e-13, abs=0)
    errors = np.abs(errors)
    assert np.all(errors[-1] < finest)
    if mapping is None:
        assert np.all(np.log2(errors[:-1, 0] / errors[1:, 0]) > 1.9)


def test_moments_of_a_density_in_the_plane():
    """ṁ = Am − ⟨G⟩, Ṡ = AS + SAᵀ, A = κI − ⟨GXᵀ⟩ with G = Q⁻¹(x − b)."""
    inverse, b = np.array([[1.5, 0.4], [0.4, 1.0]]), np.array([0.4, -0.2])

    def rate(t, y):
        m, s = y[:2], y[2:].reshape(2, 2)
        a = np.eye(2) - inverse @ (s + np.outer(m - b, m))
        return np.concatenate([a @ m - inverse @ (m - b), (a @ s + s @ a.T).ravel()])

    start = np.array([-0.5, 0.3, 0.4, 0.0, 0.0, 0.6])
    exact = solve_ivp(rate, (0, 1.0), start, rtol=1e-10, atol=1e-12).y[:, -1]
    errors = []
    for n in (40, 80):
        grid = Grid([-5.0, -5.0], [5.0, 5.0], [n, n])
        energy = Energy(
            Internal(), lambda x, y: 0.75 * (x - 0.4) ** 2 + 0.4 * (x - 0.4) * (y + 0.2) + (y + 0.2) ** 2 / 2
        )
        x, y = np.meshgrid(grid.x.centers, grid.y.centers)
        rho = np.exp(-((x + 0.5) ** 2) / 0.8 - (y - 0.3) ** 2 / 1.2)
        rho /= rho.sum() * grid.volume / grid.size
        rho = march(SteinDensity(Flow(grid, energy), Kernel("linear")), {"rho": rho}, 1.0)[-1].rho
        rho = rho * grid.volume / grid.size
        mean = np.array([np.sum(x * rho), np.sum(y * rho)])
        covariance = [np.sum((p - a) * (q - c) * rho) for p, a in ((x, mean[0]), (y, mean[1]))
                      for q, c in ((x, mean[0]), (y, mean[1]))]  # fmt: skip
        errors.append(np.concatenate([mean, covariance]) - exact)
    assert np.max(np.abs(errors[-1])) < 4e-3
    assert np.linalg.norm(errors[0]) / np.linalg.norm(errors[1]) > 3.4


@pytest.mark.parametrize("kind", ["gaussian", "inverse-multiquadric"])
@pytest.mark.parametrize("mapping", [None, stretch], ids=["uniform", "stretched"])
@pytest.mark.parametrize("boundary", ["no-flux", "periodic"])
def test_kernels_on_faces_are_positive(kind, mapping, boundary):
    """Also as narrow as a cell, and as wide as a ring."""
    for dim, cells in ((1, (16,)), (2, (5, 4))):
        grid = Grid([0.0] * dim, [2.0, 1.5][:dim], cells, boundary, mapping=[mapping] * dim)
        for width in (max(a.widths.max() for a in grid.axes), 3.0):
            stepper = SteinDensity(Flow(grid, Energy(Internal())), Kernel(kind, width))
            for direction in stepper._directions:
                volume = (direction.area * direction.distance * np.ones(direction.shape)).ravel()
                units = np.eye(math.prod(direction.shape)).reshape(-1, *direction.shape)
                matrix = np.array([direction.smooth(unit).ravel() for unit in units]).T * volume[:, None]
                np.testing.assert_allclose(matrix, matrix.T, atol=1e-14 * np.max(matrix))
                eigenvalues = np.linalg.eigvalsh(0.5 * (matrix + matrix.T))
                assert eigenvalues[0] > -1e-12 * eigenvalues[-1]


@pytest.mark.parametrize("boundary", ["no-flux", "periodic"])
@pytest.mark.parametrize("kind", ["entropy", "none"])
@pytest.mark.parametrize("dim", [1, 2])
def test_the_energy_falls_by_the_discrepancy(boundary, kind, dim):
    """dE/dt = −⟨J, KJ⟩ where no flux is limited, and always where J is limited alike; with W too."""
    mapping = [stretch] if dim == 1 else None
    grid = Grid([0.0] * dim, [2.0, 1.5][:dim], [24, 10][:dim], boundary, mapping=mapping)

    def potential(**place):
        return sum(np.cos(np.pi * v * (1 if k == 0 else 4 / 3)) for k, v in enumerate(place.values()))

    flow = Flow(
        grid, Energy(Internal(kind, 0.7), potential, lambda **d: 0.2 * sum(np.cos(np.pi * v) for v in d.values()))
    )
    smooth = 1.0 + 0.5 * grid.sample(lambda **p: sum(np.sin(np.pi * v) for v in p.values())) / dim
    rough = np.random.default_rng(3).uniform(0.001, 1.0, grid.shape) ** 3
    for rho, strict in ((smooth, False), (smooth, True), (rough, True)):
        stepper = SteinDensity(flow, Kernel("gaussian", 0.6))
        stepper._strict = strict
        rate = stepper.rate(rho)
        slope = np.sum(grid.cell_volume * flow.variation(rho) * rate.velocity)
        assert slope == pytest.approx(-rate.numbers["stein_discrepancy"], rel=1e-12, abs=0) and slope < 0
        assert np.sum(grid.cell_volume * rate.velocity) == pytest.approx(0.0, abs=1e-13 * np.max(np.abs(rate.velocity)))


def test_rest_is_the_gibbs_state():
    flow = flow_on(80)
    rate = SteinDensity(flow, Kernel("gaussian", 0.7)).rate(flow.gibbs())
    assert np.max(np.abs(rate.velocity)) < 1e-13 and 0 <= rate.numbers["stein_discrepancy"] < 1e-26


def test_a_narrow_normalised_kernel_gives_rho_squared():
    """k = N(0, ℓ²), ℓ → 0: ∂ρ = ∇·(ρ²∇ξ); the difference is of order ℓ² (h ≪ ℓ)."""
    flow = flow_on(1600)
    x, rho = flow.grid.x.centers, gaussian(flow.grid)
    fall = rho**2 * ((x - B) / Q - (x - M0) / S0)  # ρ²ξ'
    limit = np.gradient(fall, x)
    gaps = []
    for width in (0.16, 0.08):
        rate = SteinDensity(flow, Kernel("gaussian", width)).rate(rho).velocity / (math.sqrt(2 * math.pi) * width)
        gaps.append(np.max(np.abs(rate - limit)) / np.max(np.abs(limit)))
    assert gaps[1] < 0.03 and 3.5 < gaps[0] / gaps[1] < 4.3


def test_under_a_wide_kernel_only_the_mean_moves():
    """k → 1: v = ∫J dy in all places; the crowd shifts without changing its shape, up to order ℓ⁻²."""
    flow = flow_on(1000)
    x, rho = flow.grid.x.centers, gaussian(flow.grid)
    changes = []
    for width in (10.0, 20.0):
        rate = SteinDensity(flow, Kernel("gaussian", width)).rate(rho).velocity * flow.grid.cell_volume
        changes.append([np.sum(rate * x), np.sum(rate * (x - M0) ** 2)])
    changes = np.array(changes)
    assert changes[1, 0] == pytest.approx(-(M0 - B) / Q, rel=5e-3, abs=0)
    assert abs(changes[1, 1]) < 0.01 and 3.8 < changes[0, 1] / changes[1, 1] < 4.2


def test_a_block_spreads_into_what_is_empty():
    """Mass enters empty cells from the cell that v leaves; the crowd of the same start says how far."""
    flow = flow_on(160)
    x = flow.grid.x.centers
    rho = np.where(np.abs(x + 1) < 0.6, 1.0, 0.0)
    rho /= flow.mass(rho)
    last = march(SteinDensity(flow, Kernel("gaussian", 0.7)), {"rho": rho}, 2.0)[-1]
    places = np.linspace(-1.6, -0.4, 801)[:-1, None] + 0.6 / 800
    crowd = march(SteinParticles(flow, Kernel("gaussian", 0.7), 1.0), {"rho": rho, "position": places}, 2.0)[-1]
    np.testing.assert_allclose(
        moments(flow, last.rho), (crowd.fields["position"].mean(), crowd.fields["position"].var()), atol=0.02
    )
    assert flow.mass(last.rho) == pytest.approx(1.0, rel=1e-13, abs=0)


def test_a_narrow_start_on_few_cells_keeps_the_law():
    """Densities that jump by many orders from cell to cell: limited, and E still falls."""
    flow = flow_on(24, kappa=0.3, potential=lambda x: 8 * (x - B) ** 2)
    rho = 10.0 ** np.random.default_rng(5).uniform(-30, 0, 24)
    march(SteinDensity(flow, Kernel("gaussian", 0.5)), {"rho": rho / flow.mass(rho)}, 0.3)


# ---- the particles ------------------------------------------------------------------------------------------


def brute(kernel, places, force, kappa, grid):
    """v and ⟨J, KJ⟩ by differences of k itself, with images of rings in the displacements."""
    n, dim, h = *places.shape, 1e-4
    k = kernel_function(kernel, grid)
    names = [axis.name for axis in grid.axes]

    def at(x, y):
        return k(**{name: x[i] - y[i] for i, name in enumerate(names)})

    steps = np.eye(dim) * h
    velocity, total = np.zeros((n, dim)), 0.0
    for i in range(n):
        for j in range(n):
            x, y = places[i], places[j]
            slope_y = np.array([(at(x, y + s) - at(x, y - s)) / (2 * h) for s in steps])
            slope_x = np.array([(at(x + s, y) - at(x - s, y)) / (2 * h) for s in steps])
            mixed = sum((at(x + s, y + s) - at(x + s, y - s) - at(x - s, y + s) + at(x - s, y - s)) / (4 * h * h)
                        for s in steps)  # fmt: skip
            velocity[i] += (-at(x, y) * force[j] + kappa * slope_y) / n
            total += (
                force[i] @ force[j] * at(x, y) - kappa * (force[i] @ slope_y + force[j] @ slope_x) + kappa**2 * mixed
            )
    return velocity, total / n**2


@pytest.mark.parametrize("kind", ["gaussian", "inverse-multiquadric"])
@pytest.mark.parametrize("boundary", [["no-flux"], ["periodic"], ["no-flux", "no-flux"], ["periodic", "no-flux"],
                                      ["periodic", "periodic"]])  # fmt: skip
def test_sums_over_pairs(kind, boundary):
    dim = len(boundary)
    grid = Grid([-1.0, 0.0][:dim], [1.0, 3.0][:dim], [8, 8][:dim], boundary)
    rng = np.random.default_rng(1)
    places = grid.axes[0].lower + rng.random((9, dim)) * [2.0, 3.0][:dim]
    if dim == 2:
        places[:, 1] += 1.0
    force = rng.normal(size=(9, dim))
    found = drive(Kernel(kind, 0.7), places, force, 0.6, grid, 0.7)
    velocity, discrepancy = brute(Kernel(kind, 0.7), places, force, 0.6, grid)
    np.testing.assert_allclose(found.velocity, velocity, atol=1e-7)
    assert found.discrepancy == pytest.approx(discrepancy, rel=1e-6, abs=0) and discrepancy > 0


def test_sums_of_the_linear_kernel():
    grid = Grid([-2.0, -2.0], [2.0, 2.0], [8, 8])
    rng = np.random.default_rng(2)
    x, g = rng.normal(size=(7, 2)), rng.normal(size=(7, 2))
    found = drive(Kernel("linear"), x, g, 0.6, grid, 1.0)
    gram = x @ x.T + 1
    np.testing.assert_allclose(found.velocity, (-gram @ g + 0.6 * 7 * x) / 7, rtol=1e-13)
    expected = (np.sum(gram * (g @ g.T)) - 2 * 0.6 * 7 * np.sum(g * x) + 0.36 * 2 * 49) / 49
    assert found.discrepancy == pytest.approx(expected, rel=1e-12, abs=0)


def test_many_particles_in_tiles_and_threads():
    """More than a tile holds; and the same bits from any number of threads."""
    grid = Grid([-4.0, -4.0], [4.0, 4.0], [8, 8])
    rng = np.random.default_rng(4)
    x, g = rng.normal(size=(401, 2)), rng.normal(size=(401, 2))
    one, two = (drive(Kernel("gaussian", 0.5), x, g, 1.0, grid, 0.5, threads) for threads in (1, 2))
    np.testing.assert_array_equal(one.velocity, two.velocity)
    shift = x[:, None] - x[None]
    k = np.exp(-np.sum(shift**2, axis=2) / 0.5)
    np.testing.assert_allclose(one.velocity, (-k @ g + np.einsum("ij,ijk->ik", k, shift) / 0.25) / 401, rtol=1e-11)


def test_five_particles_under_the_linear_kernel():
    """Any crowd has the moments of the closed form; Heun's are of order 2, extrapolated to 1e-8."""
    flow, found = flow_on(50), []
    for dt in (0.02, 0.01, 0.005):
        stepper = SteinParticles(flow, Kernel("linear"), 1.0, dt=dt)
        places = march(stepper, {"rho": flow.gibbs(), "position": FIVE[:, None]}, 1.5)[-1].fields["position"]
        found.append([places.mean(), places.var()])
    found = np.array(found)
    once = (4 * found[1:] - found[:-1]) / 3
    np.testing.assert_allclose((8 * once[1] - once[0]) / 7, (0.34097122, 0.82817914), atol=3e-8)
    np.testing.assert_allclose(np.log2((found[0] - found[1]) / (found[1] - found[2])), 2.0, atol=0.1)


def test_a_thousand_steps_of_euler():
    """The algorithm as published, written out, and the numbers that blackjax has for it: ℓ = 0.7, steps of 0.01."""
    flow = flow_on(50)
    stepper = SteinParticles(flow, Kernel("gaussian", 0.7), 1.0, order=1, dt=0.01)
    found = march(stepper, {"rho": flow.gibbs(), "position": FIVE[:, None].copy()}, 10.0)
    x = FIVE.copy()
    for _ in range(1000):
        shift = x[:, None] - x[None]
        k = np.exp(-(shift**2) / (2 * 0.49))
        x = x + 0.01 * (k @ (-(x - B) / Q) + np.sum(k * shift, axis=1) / 0.49) / 5
    assert found[-1].step == 1000
    np.testing.assert_allclose(found[-1].fields["position"][:, 0], x, rtol=1e-12)
    for places, rounding in ((x, 2e-15), (found[-1].fields["position"][:, 0], 1e-13)):
        np.testing.assert_allclose(places, BLACKJAX, rtol=0, atol=rounding)


BLACKJAX = (-0.7656074472538744, -0.03404099473843788, 0.4519541402540458, 0.7713918539760464, 1.5914636012545391)
"""By blackjax 1.7.1, optax 0.2.8 and jax 0.10.2 in double precision (`jax_enable_x64`), 1,000 times `step` of

    algorithm = blackjax.svgd(jax.grad(lambda x: -(x - 0.4)**2/1.6), optax.sgd(0.01), rbf_kernel, lambda s: s)
    state = algorithm.init(jnp.array([-1.2, -0.7, 0.1, 0.5, 1.4]), {"length_scale": 2*0.7**2})

whose kernel is e^{−(x − y)²/length_scale}; the last argument keeps that length as it is.
"""


def test_a_crowd_tends_to_its_mean_field():
    flow = flow_on(100)
    from scipy.special import ndtri

    errors = []
    for n in (100, 400):
        places = M0 + math.sqrt(S0) * ndtri((np.arange(n) + 0.5) / n)
        start = {"rho": flow.gibbs(), "position": places[:, None]}
        places = march(SteinParticles(flow, Kernel("gaussian", 0.7), 1.0), start, 2.0)[-1].fields["position"]
        errors.append(np.abs([places.mean() - GAUSSIAN[0], places.var() - GAUSSIAN[1]]))
    assert np.all(errors[1] < (3e-4, 2.5e-3)) and np.all(errors[0] > 2 * errors[1])


def test_the_median_of_distances():
    grid = Grid([-3.0], [3.0], [6])
    assert median_width(FIVE[:, None], grid) == pytest.approx(
        np.median([abs(a - b) for k, a in enumerate(FIVE) for b in FIVE[:k]]) / math.sqrt(2 * math.log(5)),
        rel=1e-14,
        abs=0,
    )
    many = np.random.default_rng(0).normal(size=(4000, 1))
    assert median_width(many, grid) == pytest.approx(
        0.6745 * math.sqrt(2) / math.sqrt(2 * math.log(4000)), rel=0.05, abs=0
    )
    ring = Grid([0.0], [1.0], [6], "periodic")
    chord = math.sin(0.1 * math.pi) / math.pi
    assert median_width(np.array([[0.05], [0.95]]), ring) == pytest.approx(
        chord / math.sqrt(2 * math.log(2)), rel=1e-12, abs=0
    )
    same = SteinParticles(flow_on(10), Kernel("gaussian", "median"), 1.0)
    with pytest.raises(SolverError, match="stand in one place"):
        same.step(Snapshot(0.0, 0, {"rho": np.ones(10), "position": np.zeros((4, 1))}), 1.0)


def test_particles_at_a_wall_are_reflected():
    flow = flow_on(20, -1.0, 1.0, potential=lambda x: -3 * x)
    start = {"rho": np.ones(20), "position": np.linspace(-0.9, 0.9, 20)[:, None]}
    last = march(SteinParticles(flow, Kernel("gaussian", 0.3), 1.0, dt=0.05), start, 2.0)[-1]
    assert np.all(np.abs(last.fields["position"]) <= 1) and last.rho.sum() * 0.1 == pytest.approx(1.0, rel=1e-14, abs=0)


def test_a_force_that_is_no_number_is_told():
    flow = flow_on(20, -1.0, 1.0, potential=lambda x: np.where(x > 0.5, np.nan, x) if np.ndim(x) and len(x) == 3 else x)
    stepper = SteinParticles(flow, Kernel("gaussian", 0.3), 1.0)
    with pytest.raises(SolverError, match=r"no number at x = 0\.7"):
        stepper.step(Snapshot(0.0, 0, {"rho": np.ones(20), "position": np.array([[0.0], [0.7], [0.1]])}), 1.0)


# ---- steps, tables, runs ------------------------------------------------------------------------------------


def test_options_of_explicit_steps():
    for options, words in (
        ((3, 0.1, 1e-4), "order must be 1 or 2"), ((1, "adaptive", 1e-4), "has order 2"), ((2, -1.0, 1e-4), "dt must"),
        ((2, math.nan, 1e-4), "dt must"), ((2, 0.1, 0.0), "tolerance must"),
    ):  # fmt: skip
        with pytest.raises(CaseError, match=words):
            ExplicitMarch(*options)


def test_steps_fill_the_way_and_shorten_where_they_must():
    flow = flow_on(60)
    rho = {"rho": gaussian(flow.grid)}
    fixed = march(SteinDensity(flow, Kernel("gaussian", 0.7), dt=0.03), rho, 0.1)
    np.testing.assert_allclose([state.dt for state in fixed[1:]], 0.025, rtol=1e-14)
    long = SteinDensity(flow, Kernel("gaussian", 0.7), dt=50.0).step(Snapshot(0.0, 0, rho), 50.0)
    assert 0 < long.t < 50 and "step shortened from 50" in long.report.note and long.report.rejected > 0
    assert 0 < long.dt_next <= 50
    adaptive = march(SteinDensity(flow, Kernel("gaussian", 0.7)), rho, 2.0)
    assert adaptive[-1].t == 2.0 and max(s.dt for s in adaptive) > 3 * adaptive[1].dt
    with pytest.raises(SolverError, match="must lie after"):
        SteinDensity(flow, Kernel("gaussian", 0.7)).step(Snapshot(1.0, 0, rho), 1.0)


def test_the_grid_of_faces():
    grid = Grid([0.0, -1.0], [1.0, 1.0], [5, 4], ["no-flux", "periodic"], mapping=[stretch, stretch])
    x, y = _grid_of_faces(grid, 0), _grid_of_faces(grid, 1)
    assert x.shape == (4, 4) and y.shape == (4, 5)
    np.testing.assert_allclose(x.x.edges, grid.x.centers, rtol=1e-14)
    np.testing.assert_allclose(y.y.edges[:-1], grid.y.centers, atol=1e-14)
    np.testing.assert_allclose(y.y.widths, grid.y.distances, rtol=1e-12)
    np.testing.assert_allclose(x.y.edges, grid.y.edges, atol=1e-14)


CASE = """
title = "A crowd under a kernel"
grid = { shape = [40], lower = [-4.0], upper = [4.0] }
energy = { internal = { kind = "entropy" }, potential = "x**2/2" }
initial = { density = "exp(-(x-1)**2)", mass = 2.0 }
solver = { method = "svgd", kernel = { kind = "gaussian", bandwidth = 0.7 } }
time = { end = 0.4 }
output = { every = 0.2 }
"""


@pytest.mark.parametrize("solver", [{}, {"particles": 50, "seed": 3}, {"particles": 8, "start": "quantiles"}])
def test_runs_keep_their_promises_and_go_on_bit_for_bit(tmp_path, solver):
    whole = wgf.run(loads(CASE), tmp_path / "whole", progress=False, solver=solver)
    assert whole.attributes["equation"] == "Stein variational gradient flow" and "BROKEN" not in whole._repr_html_()
    assert np.all(whole.steps["stein_discrepancy"] > 0) and not {"slack_evi", "de_bruijn"} & set(whole.diagnostics)
    half = wgf.run(loads(CASE), tmp_path / "half", progress=False, solver=solver, time={"end": 0.2})
    half = wgf.resume(half, until=0.4, progress=False)
    np.testing.assert_array_equal(half.rho, whole.rho)
    if solver:
        np.testing.assert_array_equal(half.fields["position"], whole.fields["position"])
        assert np.all(np.isnan(whole.diagnostics["standard_error_x"]))  # they are not independent
        assert "energy rise" not in whole._repr_html_()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("bandwidth = 0.7", "bandwidth = 0.0", r'bandwidth: expected a positive number or "median", found 0'),
        ("bandwidth = 0.7", "bandwidth = -1.0", 'a positive number or "median"'),
        ("bandwidth = 0.7", 'bandwidth = "mean"', 'a positive number or "median", found "mean"'),
        ("bandwidth = 0.7", "bandwidth = 0.1", r"at least the width of a cell, 0\.2, found 0\.1"),
        ("bandwidth = 0.7", 'bandwidth = "median"', "number of particles; give a number, or particles"),
        (', bandwidth = 0.7', "", r'solver\.kernel: kind = "gaussian" needs a bandwidth'),
        ('"gaussian"', '"linear"', r"solver\.kernel: x·y \+ 1 has no bandwidth"),
        ("bandwidth = 0.7", "bandwith = 0.7", 'unknown key; did you mean "bandwidth"'),
        ('"gaussian", bandwidth = 0.7', '"cubic"', 'expected "gaussian", "inverse-multiquadric" or "linear"'),
        ('kernel = { kind = "gaussian", bandwidth = 0.7 }', "seed = 1", "kernel"),
        ("0.7 }", "0.7 }, seed = 1", "seed belongs to particles"),
        ("0.7 }", "0.7 }, order = 1", "an adaptive step has order 2"),
        ('"entropy"', '"power", m = 2', '"svgd" smooths the gradient of an entropy'),
        ("lower = [-4.0]", 'boundary = ["periodic"], lower = [-4.0]', "periodic"),
    ],
)  # fmt: skip
def test_bad_tables(old, new, words):
    text = CASE.replace(old, new)
    if "boundary" in new:
        text = text.replace('kind = "gaussian", bandwidth = 0.7', 'kind = "linear"').replace("x**2/2", "cos(pi*x/4)")
    with pytest.raises(CaseError, match=words):
        wgf.cases.building.build(loads(text))
