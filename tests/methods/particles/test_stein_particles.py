"""Particles that a smoothed gradient moves: sums over pairs, walls, and what is known of few and of many."""

import math

import numpy as np
import pytest
from stein_flows import GAUSSIAN, M0, S0, B, Q, flow_on, march

from wgfpde.energy.snapshot import Snapshot
from wgfpde.errors import SolverError
from wgfpde.grid import Grid
from wgfpde.methods.particles.stein.stein_kernels import Kernel, drive, kernel_function, median_width
from wgfpde.methods.particles.stein.stein_particles import SteinParticles

FIVE = np.array([-1.2, -0.7, 0.1, 0.5, 1.4])


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
