"""Closed forms of the JKO scheme: Gaussians, a shift, a paraboloid."""

import math

import numpy as np
import pytest

from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.snapshot import Snapshot
from wgfpde.grid import Grid
from wgfpde.methods.jko.stepper import Jko


def start(rho):
    return Snapshot(0.0, 0, {"rho": rho})


def stepper_of(flow, tau):
    return Jko(flow, tau, threads=1)


def moved(flow, old, new):
    return flow.integral(np.abs(new - old)) / flow.mass(old)


def slope(sizes, errors):
    """The exponent p of error ∝ size^p."""
    return np.polyfit(np.log(sizes), np.log(errors), 1)[0]


def gaussian(mean, deviation):
    return lambda x: np.exp(-(((x - mean) / deviation) ** 2) / 2) / (math.sqrt(2 * math.pi) * deviation)


def gaussian_recursion(mean, deviation, lam, kappa, tau, steps):
    """The JKO scheme keeps Gaussians: mean/(1 + λτ), and (1 + λτ)s² − s_n s − κτ = 0."""
    for _ in range(steps):
        mean, a = mean / (1 + lam * tau), 1 + lam * tau
        deviation = (deviation + math.sqrt(deviation**2 + 4 * a * kappa * tau)) / (2 * a)
    return mean, deviation


@pytest.mark.parametrize("mapping", [None, [lambda s: s + 0.3 * np.sin(2 * np.pi * s) / (2 * np.pi)]])
@pytest.mark.parametrize("lam", [0.0, 1.0])
def test_order_in_space_of_gaussian_steps(lam, mapping):
    """Five steps of 1e-3: one inner step differs from the exact JKO step by far less than the grid does."""
    tau, steps, kappa, sizes, errors = 1e-3, 5, 0.7, (40, 80, 160, 320), []
    for n in sizes:
        grid = Grid([-5.0], [5.0], [n], mapping=mapping)
        flow = Flow(grid, Energy(Internal("entropy", kappa), (lambda x: lam * x**2 / 2) if lam else None))
        state, stepper = start(grid.average(gaussian(0.6, 0.8))), stepper_of(flow, tau)
        for k in range(1, steps + 1):
            state = stepper.step(state, k * tau)
        exact = grid.average(gaussian(*gaussian_recursion(0.6, 0.8, lam, kappa, tau, steps)))
        errors.append(moved(flow, exact, state.rho))
    assert 1.9 <= slope(1 / np.array(sizes), errors) <= 2.2
    assert errors[-1] <= 6e-6


@pytest.mark.parametrize(("tau", "bound"), [(0.01, 1e-3), (0.1, 6e-3)])
def test_the_midpoint_step_is_near_the_exact_one(tau, bound):
    """One inner step: relative to how far the step moves, the distance to the exact JKO step is small, and shrinks."""
    grid = Grid([-5.0], [5.0], [320])
    flow = Flow(grid, Energy(Internal("entropy", 0.7)))
    rho = grid.average(gaussian(0.6, 0.8))
    exact = grid.average(gaussian(*gaussian_recursion(0.6, 0.8, 0.0, 0.7, tau, 1)))
    new = stepper_of(flow, tau).step(start(rho), tau).rho
    assert moved(flow, exact, new) <= bound * moved(flow, rho, exact)


def test_transport_cost_of_a_shift():
    """U = none, V = −x: everything moves by τ, and ½W₂² = ½τ²."""
    grid = Grid([-3.0], [5.0], [160])
    flow = Flow(grid, Energy(Internal("none"), lambda x: -x))
    rho = grid.average(gaussian(0.0, 0.5))
    rho /= flow.mass(rho)
    new = stepper_of(flow, 0.3).step(start(rho), 0.3)
    assert flow.integral(grid.x.centers * (new.rho - rho)) == pytest.approx(0.3, rel=1e-3, abs=0)
    assert new.report.transport == pytest.approx(0.5 * 0.3**2, rel=2e-3, abs=0)


def paraboloid(radius, centre):
    return lambda x, y: (
        2 / (math.pi * radius**2) * np.maximum(1 - ((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / radius**2, 0.0)
    )


@pytest.mark.parametrize(("size", "bound"), [(32, 0.05), (64, 0.02)])
def test_a_paraboloid_step_of_the_porous_medium(size, bound):
    """m = 2 in 2D, E = ∫ρ²: (R₁ − R₀)/(3τ) = 8/(3πR₁³), within `bound` of the distance moved."""
    grid = Grid([-2.0, -2.0], [2.0, 2.0], [size, size])
    flow = Flow(grid, Energy(Internal("power", 1.0, 2.0)))
    first, tau, centre = 1.0, 5e-3, (0.1, -0.05)
    second = first
    for _ in range(60):
        second = first + 8 * tau / (math.pi * second**3)
    rho = grid.average(paraboloid(first, centre), 16)
    exact = grid.average(paraboloid(second, centre), 16)
    new = stepper_of(flow, tau).step(start(rho), tau)
    assert np.min(new.rho) >= 0
    assert new.report.gap <= 1e-8
    assert moved(flow, exact, new.rho) <= bound * moved(flow, rho, exact)
    x, y = grid.x.centers[None, :], grid.y.centers[:, None]
    moment = [flow.integral(((x - centre[0]) ** 2 + (y - centre[1]) ** 2) * a) for a in (exact, new.rho)]
    assert moment[1] == pytest.approx(moment[0], rel=bound * (second - first), abs=0)
    assert flow.integral(x * new.rho) == pytest.approx(0.1, abs=3e-5)
