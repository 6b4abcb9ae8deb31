"""Interactions that make a step stiff: how long steps are is set by accuracy, not by h."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.special import beta

from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.snapshot import Snapshot
from wgfpde.grid import Grid
from wgfpde.methods.finite_volumes import one_step
from wgfpde.methods.finite_volumes.drive_trend import DriveTrend
from wgfpde.methods.finite_volumes.stepper import FiniteVolumes

NO_SOLVE = "the iteration on W∗ρ did not converge"
AT_REST = (4 * 0.5 * beta(0.25, 1.75) / beta(0.5, 1.75)) ** 0.8 / 4.5
"""Variance at rest under W = x²/2 + 2|x|^(−½): ρ ∝ (R² − x²)^¾ with R^2.5 = 2 B(¼, 7/4)/B(½, 7/4)."""


def march(flow, rho, end, order=2, dt="adaptive", tolerance=1e-3, most=120):
    """All snapshots up to `end`, with the promises checked: mass, sign, energy."""
    stepper = FiniteVolumes(flow, order, dt, tolerance, threads=1)
    states = [Snapshot(0.0, 0, {"rho": rho / flow.integral(rho)})]
    energies = [sum(flow.parts(states[0].rho))]
    while states[-1].t < end and len(states) < most:
        states.append(stepper.step(states[-1], end))
        energies.append(sum(flow.parts(states[-1].rho)))
        assert abs(flow.integral(states[-1].rho) - 1.0) < 1e-13 and np.min(states[-1].rho) >= 0.0
    assert states[-1].t == end, f"only t = {states[-1].t} after {most} steps"
    assert np.max(np.diff(energies)) <= 1e-14 * np.max(np.abs(energies))
    return states


def repulsion(x):
    return x**2 / 2 + 2 * np.abs(x) ** -0.5


def on_line(cells, mapping=None, internal=None):
    grid = Grid([-3.0], [3.0], [cells], mapping=mapping)
    return Flow(grid, Energy(internal or Internal("none"), interaction=repulsion)), grid.x.centers


@pytest.mark.parametrize("order", [1, 2])
def test_singular_repulsion_comes_to_rest_in_few_steps(order):
    """Before Newton's method: 900 steps and more on 100 cells, nearly all of them cut short by the iteration on W∗ρ."""
    flow, x = on_line(100)
    states = march(flow, np.exp(-(x**2) / 0.5), 30.0, order, most=60)
    assert flow.integral(x**2 * states[-1].rho) == pytest.approx(AT_REST, rel=1e-3, abs=0)
    assert sum(s.report.limit == NO_SOLVE for s in states) <= 5


def test_steps_do_not_grow_shorter_with_the_cells():
    counts = []
    for cells in (50, 200):
        flow, x = on_line(cells)
        counts.append(len(march(flow, np.exp(-(x**2) / 0.5), 1.0)))
    assert counts[1] <= 2 * counts[0]


def test_a_second_order_step_is_one_of_the_stiff_flow():
    """Halving dt divides the change of ρ by four, where h^1.5 is a tenth of dt."""
    flow, x = on_line(100)
    ends = [march(flow, np.exp(-(x**2) / 0.5), 0.4, dt=dt)[-1].rho for dt in (0.04, 0.02, 0.01)]
    first, second = (flow.integral(np.abs(a - b)) for a, b in pairwise(ends))
    assert np.log2(first / second) > 1.6


@pytest.mark.parametrize(
    "internal", [Internal("entropy", 0.01), Internal("power", 0.05, 2.0), Internal("power", 0.05, 1.5)]
)
def test_with_diffusion(internal):
    flow, x = on_line(100, internal=internal)
    states = march(flow, np.exp(-(x**2) / 0.5), 10.0)
    assert sum(s.report.limit == NO_SOLVE for s in states) <= 4


def test_on_a_stretched_line():
    flow, x = on_line(100, mapping=[lambda s: s + 0.05 * np.sin(2 * np.pi * s)])
    states = march(flow, np.exp(-(x**2) / 0.5), 30.0)
    assert flow.integral(x**2 * states[-1].rho) == pytest.approx(AT_REST, rel=3e-3, abs=0)


def test_on_a_circle():
    """Repulsion alone: the uniform density at rest."""
    grid = Grid([0.0], [1.0], [64], periodic=[True])
    flow = Flow(grid, Energy(Internal("none"), interaction=lambda x: np.abs(x) ** -0.5))
    states = march(flow, 1 + 0.5 * np.cos(2 * np.pi * grid.x.centers), 3.0)
    assert states[-1].rho == pytest.approx(np.ones(64), rel=1e-6, abs=0)


def test_in_the_plane():
    """r²/2 + ½ r^(−3/2): as stiff as h^1.5."""
    grid = Grid([-2.5, -2.5], [2.5, 2.5], [24, 24])
    x, y = np.meshgrid(grid.x.centers, grid.y.centers)
    kernel = lambda x, y: (x**2 + y**2) / 2 + 0.5 * (x**2 + y**2) ** -0.75  # noqa: E731
    flow = Flow(grid, Energy(Internal("none"), interaction=kernel))
    states = march(flow, np.exp(-(x**2 + y**2) / 0.5), 10.0, most=50)
    turned = states[-1].rho.T
    assert states[-1].rho == pytest.approx(turned, abs=1e-3 * np.max(turned))


def test_what_limits_a_step():
    flow, x = on_line(50)
    states = march(flow, np.exp(-(x**2) / 0.5), 1.0)
    assert {s.report.limit for s in states[1:]} & {"the tolerance", "growth from a shorter one"}
    assert states[-1].report.limit in ("the next time to land on", "the tolerance")
    fixed = march(flow, np.exp(-(x**2) / 0.5), 0.02, dt=0.01)
    assert [s.report.limit for s in fixed[1:]] == ["", ""]


def test_the_energy_of_a_drive_that_is_not_yet_the_steps_own(monkeypatch):
    """E(ρ') − E(ρ) is the change of ∫U + ∫Φρ and the mismatch, wherever the search for the drive stops."""
    monkeypatch.setattr(one_step, "OUTER_TOLERANCE", 1e-2)
    flow, x = on_line(50, internal=Internal("entropy", 0.1))
    rho = np.exp(-(x**2) / 0.5)[None, :] / flow.integral(np.exp(-(x**2) / 0.5))
    step = one_step.OneStep(flow, 2, 1)
    found = step._advance(rho, 0.01, 2, False, DriveTrend())
    change = sum(flow.parts(found.rho[0])) - sum(flow.parts(rho[0]))
    frozen = step._energy(found.rho)[0] - step._energy(rho)[0]
    assert abs(found.mismatch) > 1e-6 * abs(change)
    assert frozen + found.mismatch == pytest.approx(change, rel=1e-10, abs=0)
