"""JKO steps of a flow with a diffusion D: of the metric inf ∫m²/(Dρ), by both algorithms, with their certificates."""

import numpy as np
import pytest

from wgfpde.energy.dynamics import Dynamics
from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.snapshot import Snapshot
from wgfpde.errors import CaseError
from wgfpde.grid import Grid
from wgfpde.methods.jko.convex import ConvexStep
from wgfpde.methods.jko.stepper import Jko
from wgfpde.transport.benamou_brenier.operators import Staggering
from wgfpde.transport.benamou_brenier.proximal import kinetic_update

INTERNALS = {"entropy": Internal("entropy", 0.5), "square": Internal("power", 0.5, 2.0), "none": Internal("none")}
GRIDS = {
    "line": Grid([-1.0], [1.0], [16], mapping=[lambda s: 0.5 * s + 0.5 * s**2]),
    "circle": Grid([-1.0], [1.0], [16], "periodic"),
    "plane": Grid([-1.0, -1.0], [1.0, 2.0], [10, 9], mapping=[lambda s: s**1.2, None]),
    "cylinder": Grid([-1.0, -1.0], [1.0, 2.0], [10, 9], ["periodic", "no-flux"]),
}


def rough(x, y=0.5):
    return (1.1 + np.cos(np.pi * x)) * (1.5 + np.sin(3 * y * (1 + 0 * x)))


def flow_on(name, law, diffusion=rough):
    energy = Energy(INTERNALS[law], lambda x, y=0.0: np.cos(np.pi * x) + y**2)
    return Flow(GRIDS[name], energy, dynamics=Dynamics(diffusion))


def one(flow, rho, tau, *options):
    return Jko(flow, tau, *options, threads=1).step(Snapshot(0.0, 0, {"rho": rho}), tau)


def start(grid):
    return 0.1 + np.random.default_rng(5).random(grid.shape)


@pytest.mark.parametrize("tau", [1e-3, 0.1, 10.0])
@pytest.mark.parametrize("law", ["entropy", "square"])
@pytest.mark.parametrize("name", GRIDS)
def test_energy_law_gap_mass_and_sign(name, law, tau):
    flow = flow_on(name, law)
    rho = start(flow.grid)
    found = one(flow, rho, tau, "newton", 1, 1e-9)
    assert found.dt == tau and found.report.gap <= 1e-9
    assert flow.mass(found.rho) == pytest.approx(flow.mass(rho), rel=1e-13, abs=0) and found.rho.min() >= 0
    assert flow.value(found.rho) + found.report.transport / tau <= flow.value(rho) + 1e-13


@pytest.mark.parametrize("law", ["entropy", "square", "none"])
@pytest.mark.parametrize("name", ["circle", "cylinder"])
def test_both_algorithms_find_one_minimum(name, law):
    flow = flow_on(name, law)
    rho = start(flow.grid)
    newton, pdhg = one(flow, rho, 0.02, "newton", 1, 1e-10), one(flow, rho, 0.02, "pdhg", 1, 1e-8)
    assert newton.report.primal == pytest.approx(pdhg.report.primal, abs=2e-8 * abs(pdhg.report.primal) + 1e-9)
    assert flow.integral(np.abs(newton.rho - pdhg.rho)) < 1e-3 * flow.mass(rho)
    inner = one(flow, rho, 0.02, "pdhg", 3, 1e-4)
    assert inner.report.gap <= 1e-4 and inner.rho.min() >= 0
    assert flow.value(inner.rho) + inner.report.transport / 0.02 <= flow.value(rho) + 1e-13


@pytest.mark.parametrize(("scheme", "order"), [("jko", 1), ("extrapolated", 2)])
def test_legendre_modes(scheme, order):
    """∂tρ = ∂x((1 − x²)∂xρ): ½ + 0.3 P₁e^{−2t} + 0.1 P₂e^{−6t}, of order 1 and 2 in τ."""
    grid = Grid([-1.0], [1.0], [160])
    flow, errors = Flow(grid, Energy(), dynamics=Dynamics(lambda x: 1 - x**2)), []

    def exact(t):
        a, b = 0.3 * np.exp(-2 * t), 0.05 * np.exp(-6 * t)
        return grid.average(lambda x: 0.5 + a * x + b * (3 * x**2 - 1), points=3)

    for steps in (4, 8):
        jko = Jko(flow, 0.2 / steps, "newton", 1, 1e-11, scheme=scheme, threads=1)
        snapshot = Snapshot(0.0, 0, {"rho": exact(0.0)})
        for k in range(steps):
            snapshot = jko.step(snapshot, 0.2 * (k + 1) / steps)
        errors.append(flow.integral(np.abs(snapshot.rho - exact(0.2))))
    assert np.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.3), errors


@pytest.mark.parametrize("law", ["entropy", "square"])
@pytest.mark.parametrize("algorithm", ["newton", "pdhg"])
def test_a_constant_diffusion_is_a_unit_of_time(algorithm, law):
    """D = 3 for τ is D = 1 for 3τ: the same minimum, the objective a third."""
    fast, slow = (
        flow_on("cylinder", law, lambda x, y: 3.0 + 0 * x * y),
        Flow(GRIDS["cylinder"], flow_on("line", law).energy),
    )
    rho = start(fast.grid)
    a, b = one(fast, rho, 0.01, algorithm, 1, 1e-7), one(slow, rho, 0.03, algorithm, 1, 1e-7)
    np.testing.assert_allclose(a.rho, b.rho, rtol=1e-9 if algorithm == "newton" else 1e-2)
    assert 3 * a.report.transport == pytest.approx(
        b.report.transport, rel=1e-6 if algorithm == "newton" else 1e-2, abs=0
    )


@pytest.mark.parametrize("diffusion", [rough, lambda x, y: 1 + x**2 + 0 * y])
def test_the_dual_and_its_gradient(diffusion):
    """The continuity residual is the gradient of the dual, and k(φ) = ⅛ Σ D ((φ_j − φ_i)/d)²."""
    flow = flow_on("plane", "entropy", diffusion)
    grid, rng = flow.grid, np.random.default_rng(6)
    faces = Staggering(grid, 1, flow.mobility)
    rho0, phi = start(grid), 0.05 * rng.normal(size=grid.shape)
    step = ConvexStep(faces, flow.internal, rho0, 0.1 * rng.random(grid.shape), 0.1)
    dx, dy = diffusion(grid.x.edges[None, :], grid.y.centers[:, None]), diffusion(grid.x.centers, grid.y.edges[:, None])
    east = dx[:, 1:-1] * (np.diff(phi, axis=1) / grid.x.distances[:-1]) ** 2
    north = np.broadcast_to(dy, (10, 10))[1:-1] * (np.diff(phi, axis=0) / grid.y.distances[:-1, None]) ** 2
    k = np.zeros(grid.shape)
    k[:, :-1] += east
    k[:, 1:] += east
    k[:-1] += north
    k[1:] += north
    np.testing.assert_allclose(step.depth(phi) + phi + step.tau_v, k / 8, rtol=1e-10, atol=1e-14)
    work = [faces.zeros() for _ in range(6)]
    point = step.point(phi, 0.0)
    step.coefficients(phi, point.rho, faces.zeros(), work[:5])
    step.residual(phi, point.rho, work[1], work[2], work[5])
    move, eps = rng.normal(size=grid.shape), 1e-6
    rise = step.point(phi + eps * move, 0.0).value - step.point(phi - eps * move, 0.0).value
    assert rise / (2 * eps) == pytest.approx(float(np.sum(work[5] * move)), rel=1e-6, abs=0)


def test_the_proximal_map_of_a_face_is_a_projection():
    """Onto {a + D b²/2 ≤ 0} in the metric (1/s_θ, 1/s_m): feasible, and optimal against nearby points."""
    rng, n, s_theta, s_m = np.random.default_rng(7), 6, 0.7, 1.9
    d = np.concatenate([[1e-8, 0.0], rng.exponential(size=n - 2)])
    bar, y, rho0 = rng.normal(size=(3, 1, 1, n)), rng.normal(size=(5, 1, 1, n)), rng.random((1, n))
    before = y.copy()
    theta = 0.25 * (bar[0, 0, 0] + np.roll(bar[0, 0, 0], -1) + rho0[0] + np.roll(rho0[0], -1))
    kinetic_update(0, 1, bar, rho0, d, np.ones(1), 1, 0, s_theta, s_m, 1.0, 1.0, y)
    start_a, start_b = before[0, 0, 0] + s_theta * theta, before[1, 0, 0] + s_m * bar[1, 0, 0]
    a, b = y[0, 0, 0], y[1, 0, 0]

    def far(a, b):
        return (a - start_a) ** 2 / s_theta + (b - start_b) ** 2 / s_m

    assert np.all(a + 0.5 * d * b**2 <= 1e-12)
    for shift in (-1e-4, 1e-4):
        assert np.all(far(a, b) <= far(np.minimum(start_a, -0.5 * d * (b + shift) ** 2), b + shift) + 1e-12)


def test_what_is_refused():
    with pytest.raises(CaseError, match=r'algorithm = "exact": expected no \[dynamics\]'):
        Jko(flow_on("line", "entropy"), 0.1, "exact")
    with pytest.raises(CaseError, match='"jko" steps densities on plain axes, not on a radius'):
        Jko(Flow(Grid([0.0], [1.0], [8], radial=3), Energy()), 0.1)
