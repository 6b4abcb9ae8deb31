"""Stein variational gradient descent: closed forms for k = x·y + 1, sums over pairs, the energy, and its two limits."""

import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from stein_flows import GAUSSIAN, M0, S0, B, Q, flow_on, gaussian, march, well

import wgfpde as wgf
from wgfpde.cases.loading import loads
from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.snapshot import Snapshot
from wgfpde.errors import CaseError, SolverError
from wgfpde.grid import Grid
from wgfpde.methods.particles.stein.explicit_steps import ExplicitMarch
from wgfpde.methods.particles.stein.stein_density import SteinDensity, _grid_of_faces
from wgfpde.methods.particles.stein.stein_kernels import Kernel
from wgfpde.methods.particles.stein.stein_particles import SteinParticles

LINEAR = 0.25547748, 0.77186274
"""Mean and variance at 1.5 for k = xy + 1: ṁ = Am − (m − b)/q, Ṡ = 2AS, A = 1 − (S + (m − b)m)/q."""


def stretch(s):
    return s + 0.08 * np.sin(2 * np.pi * s)


def moments(flow, rho):
    x, h = flow.grid.x.centers, flow.grid.cell_volume
    mean = np.sum(h * x * rho)
    return np.array([mean, np.sum(h * (x - mean) ** 2 * rho)])


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


@pytest.mark.parametrize("constant", [0.0, 1e9, -1e9])
def test_a_constant_in_the_potential_refuses_no_step(constant):
    """At rest E moves by rounding, which is that of its parts: V = 1e9 makes it larger, and is no rise."""
    flow = flow_on(24, potential=lambda x: well(x) + constant)
    rho = flow_on(24).gibbs() * (1 + 1e-9 * np.cos(flow.grid.x.centers))
    state = Snapshot(0.0, 0, {"rho": rho / flow.mass(rho)})
    stepper = SteinDensity(flow, Kernel("gaussian", 0.7), dt=0.01)
    for _ in range(20):
        state = stepper.step(state, 1.0)
        assert (state.report.rejected, state.report.note) == (0, "")
