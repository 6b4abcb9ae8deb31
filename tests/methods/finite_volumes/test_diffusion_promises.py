"""Finite volumes with a diffusion that depends on place, and on a radius: the promises for every dt, and orders."""

from typing import Literal

import numpy as np
import pytest

from wgfpde.base.case_table import Positive, Table
from wgfpde.energy.dynamics import Dynamics
from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.fluxes import dissipation, max_flux
from wgfpde.energy.laws import LAWS, ArrayLaw, register
from wgfpde.energy.snapshot import Snapshot
from wgfpde.grid import Grid
from wgfpde.methods.finite_volumes.stepper import FiniteVolumes

STEPS = (1e-3, 1e-1, 10.0, 1e6)
INTERNALS = {
    "entropy": Internal("entropy", 0.5),
    "square": Internal("power", 0.5, 2.0),
    "cube": Internal("power", 0.5, 3.5),
    "none": Internal("none"),
}


class Cubic(Table):
    """U = κρ³, as of arrays."""

    kind: Literal["cubic"]
    kappa: Positive = 1.0


CUBIC = ArrayLaw("cubic", Cubic, lambda r, kappa: kappa * r**3, lambda r, kappa: 3 * kappa * r**2,
                 lambda r, kappa: 6 * kappa * r)  # fmt: skip


def plane(periodic=False):
    return Grid(
        [-1.0, -1.0], [1.0, 2.0], [9, 10], [periodic, False], [lambda s: s**1.3, None] if not periodic else None
    )


GRIDS = {
    "line": Grid([-1.0], [1.0], [12], mapping=[lambda s: 0.4 * s + 0.6 * s**2]),
    "circle": Grid([-1.0], [1.0], [12], "periodic"),
    "plane": plane(),
    "cylinder": plane(True),
    "ball": Grid([0.0], [2.0], [12], mapping=[lambda s: s**1.3], radial=3),
    "annulus": Grid([0.5], [2.0], [12], radial=2),
}


def diffusion(x, y=0.5):
    """0 at the walls of [−1, 1] and positive inside, periodic, and different on every line."""
    return (1.001 - np.cos(np.pi * (x + 1))) * (1.5 + np.sin(3 * y * (1 + 0 * x)))


def potential(x, y=0.5):
    return 2 * np.cos(np.pi * x) * (1 + y) + y**2


def flow_on(grid, internal, varying=True):
    return Flow(grid, Energy(internal, potential), dynamics=Dynamics(diffusion) if varying else None)


def one(flow, rho, dt, order=2):
    return FiniteVolumes(flow, order, dt=dt, threads=1).step(Snapshot(t=0.0, step=0, fields={"rho": rho}), dt)


def check(flow, rho, dt, order):
    snapshot = one(flow, rho, dt, order)
    size = sum(abs(part) for part in flow.parts(rho)) + 1.0
    assert flow.mass(snapshot.rho) == pytest.approx(flow.mass(rho), rel=1e-13, abs=0)
    assert snapshot.rho.min() >= 0.0
    assert flow.value(snapshot.rho) <= flow.value(rho) + 1e-13 * size


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("law", INTERNALS)
@pytest.mark.parametrize("name", GRIDS)
def test_mass_sign_and_energy_for_every_step(name, law, order):
    grid, rng = GRIDS[name], np.random.default_rng(len(name) + len(law))
    flow = flow_on(grid, INTERNALS[law])
    rho = rng.exponential(size=grid.shape) * (rng.random(grid.shape) < 0.7)
    for dt in STEPS:
        check(flow, rho, dt, order)


@pytest.mark.parametrize("name", ["circle", "plane", "ball"])
def test_the_same_of_laws_without_kernels(name):
    register(CUBIC)
    try:
        flow, rng = flow_on(GRIDS[name], Internal("cubic", 0.5)), np.random.default_rng(3)
        for dt in STEPS:
            check(flow, rng.exponential(size=flow.grid.shape), dt, 2)
    finally:
        del LAWS["cubic"]


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("convention", ["kinetic", "ito"])
def test_the_gibbs_state_stays(name, convention):
    flow = Flow(GRIDS[name], Energy(INTERNALS["entropy"], potential), dynamics=Dynamics(diffusion, convention))
    gibbs = flow.gibbs(2.0)
    for dt in STEPS:
        np.testing.assert_allclose(one(flow, gibbs, dt).rho, gibbs, rtol=1e-11)


@pytest.mark.parametrize("law", ["entropy", "square", "cube", "none"])
@pytest.mark.parametrize("name", ["line", "plane"])
def test_a_constant_diffusion_is_a_unit_of_time(name, law):
    rng, grid = np.random.default_rng(4), GRIDS[name]
    rho, energy = rng.exponential(size=grid.shape), Energy(INTERNALS[law], potential)
    fast = one(Flow(grid, energy, dynamics=Dynamics(3.0)), rho, 0.02).rho
    slow = one(Flow(grid, energy), rho, 0.06).rho
    np.testing.assert_allclose(fast, slow, rtol=1e-10, atol=1e-14)
    shared = one(Flow(grid, energy, dynamics=Dynamics(lambda x, y=0.0: 1 + x**2)), rho, 0.02).rho
    if name == "plane":  # a D that all lines share, and the same told line by line
        told = Dynamics(lambda x, y: (1 + x**2) * (1 + 1e-16 * np.arange(np.size(x * y)).reshape(np.shape(x * y))))
        np.testing.assert_allclose(one(Flow(grid, energy, dynamics=told), rho, 0.02).rho, shared, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("along", ["x", "y"])
@pytest.mark.parametrize("law", INTERNALS)
def test_every_line_of_a_plane_is_a_line_of_its_own(law, along):
    """With next to no diffusion across, and a D that differs from line to line."""
    line, other = Grid([-1.0], [1.0], [9], mapping=[lambda s: s**1.3]), np.linspace(0.1, 1.9, 10)
    rng = np.random.default_rng(8)
    rho = rng.exponential(size=(10, 9))
    width = {"x": ([-1.0, 0.0], [1.0, 2.0], [9, 10], [lambda s: s**1.3, None]),
             "y": ([0.0, -1.0], [2.0, 1.0], [10, 9], [None, lambda s: s**1.3])}[along]  # fmt: skip
    grid = Grid(*width[:3], mapping=width[3])

    def energy(y):
        return Energy(INTERNALS[law], lambda x: potential(x, y))

    if along == "x":
        flow = Flow(grid, Energy(INTERNALS[law], potential), dynamics=Dynamics((diffusion, 1e-300)))
        found = one(flow, rho, 0.02, 1).rho
    else:
        turned = Energy(INTERNALS[law], lambda x, y: potential(y, x))
        flow = Flow(grid, turned, dynamics=Dynamics((1e-300, lambda x, y: diffusion(y, x))))
        found = one(flow, np.ascontiguousarray(rho.T), 0.02, 1).rho.T
    for row, start, y in zip(found, rho, other, strict=True):
        alone = Flow(line, energy(y), dynamics=Dynamics(lambda x, y=y: diffusion(x, y)))
        np.testing.assert_allclose(row, one(alone, start, 0.02, 1).rho, rtol=1e-9, atol=1e-13)


def test_the_largest_flux_on_a_radius_is_per_area():
    grid, rng = GRIDS["ball"], np.random.default_rng(9)
    for law in INTERNALS:
        flow, rho = flow_on(grid, INTERNALS[law]), 1 + 0.1 * rng.random(grid.shape)
        plain = Grid([0.0], [2.0], [12], mapping=[lambda s: s**1.3])
        assert max_flux(flow, rho) == pytest.approx(max_flux(flow_on(plain, INTERNALS[law]), rho), rel=1e-12, abs=0)
        # Σ A D M (Δξ)²/d: what the shells add
        areas = Dynamics(lambda x: diffusion(x) * 4 * np.pi * x**2)
        weighed = Flow(plain, Energy(INTERNALS[law], potential), dynamics=areas)
        assert dissipation(flow, rho) == pytest.approx(dissipation(weighed, rho), rel=1e-12, abs=0)


def legendre(n, steps, faces="value"):
    """L1 error of ∂tρ = ∂x((1 − x²)∂xρ) at t = ½, from ½ + 0.3 P₁e^{−2t} + 0.1 P₂e^{−6t}."""
    grid = Grid([-1.0], [1.0], [n])
    flow = Flow(grid, Energy(), dynamics=Dynamics(lambda x: 1 - x**2, faces=faces))

    def exact(t):
        a, b = 0.3 * np.exp(-2 * t), 0.05 * np.exp(-6 * t)
        return grid.average(lambda x: 0.5 + a * x + b * (3 * x**2 - 1), points=3)

    stepper, snapshot = FiniteVolumes(flow, dt=0.5 / steps, threads=1), Snapshot(0.0, 0, {"rho": exact(0.0)})
    for k in range(steps):
        snapshot = stepper.step(snapshot, 0.5 * (k + 1) / steps)
    return flow.integral(np.abs(snapshot.rho - exact(0.5)))


def test_legendre_at_second_order_with_d_on_faces():
    errors = [legendre(n, n) for n in (40, 80, 160)]
    assert errors[2] <= 2.3e-7
    assert np.log2(errors[0] / errors[1]) == pytest.approx(2, abs=0.05) == np.log2(errors[1] / errors[2])
    assert legendre(40, 40, "harmonic") > 50 * errors[0]


@pytest.mark.parametrize("n", [2, 3])
def test_the_heat_kernel_on_a_radius(n):
    """(4πt)^{−n/2} e^{−r²/4t}, second order; the mass is that of the space, 1."""
    errors = []
    for cells in (40, 80):
        grid = Grid([0.0], [8.0], [cells], radial=n)
        flow = Flow(grid, Energy())
        exact = [grid.average(lambda x, t=t: np.exp(-(x**2) / 4 / t) / (4 * np.pi * t) ** (n / 2)) for t in (0.25, 1.0)]
        stepper, snapshot = FiniteVolumes(flow, dt=3.0 / cells, threads=1), Snapshot(0.0, 0, {"rho": exact[0]})
        for k in range(cells // 4):
            snapshot = stepper.step(snapshot, 0.75 * (k + 1) / (cells // 4))
        assert flow.mass(snapshot.rho) == pytest.approx(1.0, abs=1e-6)
        errors.append(flow.integral(np.abs(snapshot.rho - exact[1])))
    assert errors[1] < 1.1e-3 and np.log2(errors[0] / errors[1]) == pytest.approx(2, abs=0.1)


def test_barenblatt_on_a_radius():
    """m = 2 in 3D: a profile (C − k r²t^{−2/5})₊ t^{−3/5} that spreads as the one on a plain grid would."""
    grid = Grid([0.0], [3.0], [150], radial=3)
    flow, k = Flow(grid, Energy(Internal("power", 1.0, 2.0))), 1 / 20

    def profile(t):
        return grid.average(lambda x: np.maximum(0.3 - k * x**2 * t**-0.4, 0) * t**-0.6)

    snapshot = one(flow, profile(1.0), 0.25)
    for _ in range(3):
        snapshot = FiniteVolumes(flow, dt=0.25, threads=1).step(snapshot, snapshot.t + 0.25)
    assert flow.integral(np.abs(snapshot.rho - profile(2.0))) < 2e-3 * flow.mass(snapshot.rho)


def test_wright_fisher():
    """D = x(1 − x), V = −ln x − 2 ln(1 − x): the mean is 2/5 + (m₀ − 2/5) e^{−5t}, at second order."""
    errors = []
    for n in (40, 80):
        grid = Grid([0.0], [1.0], [n])
        energy = Energy(Internal("entropy"), lambda x: -np.log(x) - 2 * np.log1p(-x))
        flow, x = Flow(grid, energy, dynamics=Dynamics(lambda x: x * (1 - x))), grid.x.centers
        rho = 30 * x * (1 - x) ** 4
        rho /= flow.mass(rho)
        start, stepper = flow.integral(x * rho), FiniteVolumes(flow, dt=0.3 / n, threads=1)
        snapshot = Snapshot(0.0, 0, {"rho": rho})
        for k in range(n):
            snapshot = stepper.step(snapshot, 0.3 * (k + 1) / n)
        errors.append(flow.integral(x * snapshot.rho) - 0.4 - (start - 0.4) * np.exp(-1.5))
    assert abs(errors[0]) < 2.6e-4 and errors[0] / errors[1] == pytest.approx(4, abs=0.2)
