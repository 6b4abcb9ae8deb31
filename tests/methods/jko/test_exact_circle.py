"""The exact step on a circle: turned data, what no mass crosses, the decay of waves, many inner steps, promises."""

import numpy as np
import pytest
from test_closed_forms import moved, slope

import wgfpde as wgf
from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.grid import Grid
from wgfpde.methods.jko.exact.exact_line import LineStep
from wgfpde.methods.jko.exact.line_kernels import couple
from wgfpde.methods.jko.exact.solution import Problem
from wgfpde.methods.jko.minimise import Minimiser
from wgfpde.output.promises import promises_of

LAWS = [Internal("entropy", 0.1), Internal("power", 0.02, 2.0), Internal("none")]


def flow_of(n, law, potential=None, ring=True, mapping=None):
    return Flow(Grid([0.0], [1.0], [n], [ring], mapping=mapping), Energy(law, potential))


def wave(x):
    return 0.3 * np.cos(2 * np.pi * (x - 0.35))


def bump(flow, centre, width=0.08, floor=0.02):
    """A density that lies across the seam where the centre does."""
    rho = np.exp(-((((flow.grid.x.centers - centre + 0.5) % 1.0 - 0.5) / width) ** 2) / 2) + floor
    return rho / flow.mass(rho)


def step_of(flow, rho, tau, algorithm="exact", inner=1, tolerance=None):
    limit = 20_000 if algorithm == "pdhg" else None
    return Minimiser(flow, algorithm, inner, tolerance, limit, None, 1).solve(rho.reshape(1, -1), tau, {})


@pytest.mark.parametrize("law", LAWS)
def test_the_seam_is_no_place(law):
    """Data and V turned by k cells: the step is turned, and its value the same."""
    n, tau = 48, 0.2
    for k in (7, 24, 41):
        flow = flow_of(n, law, wave)
        turned = flow_of(n, law, lambda x, k=k: wave(x - k / n))
        rho = bump(flow, 0.95)
        a, b = step_of(flow, rho, tau), step_of(turned, np.roll(rho, k), tau)
        assert max(a.numbers["gap"], b.numbers["gap"]) <= 1e-9
        assert b.numbers["primal"] == pytest.approx(a.numbers["primal"], rel=1e-9, abs=0)
        assert np.sum(np.abs(np.roll(a.rho, k) - b.rho)) / n <= (1e-3 if law.kind == "none" else 1e-6)


@pytest.mark.parametrize("mapping", [None, [lambda s: s + 0.3 * np.sin(2 * np.pi * s) / (2 * np.pi)]])
def test_where_no_mass_comes_near_the_seam_it_is_a_line(mapping):
    law = Internal("power", 0.02, 2.0)
    ends = []
    for ring in (False, True):
        flow = flow_of(60, law, lambda x: 0.5 * (x - 0.5) ** 2, ring, mapping)
        rho = np.maximum(0.02 - (flow.grid.x.centers - 0.45) ** 2, 0.0)
        ends.append(step_of(flow, rho / flow.mass(rho), 0.2))
    assert max(end.numbers["gap"] for end in ends) <= 1e-9
    assert np.max(np.abs(ends[0].rho - ends[1].rho)) <= 1e-5 * np.max(ends[0].rho)
    assert ends[0].numbers["transport"] == pytest.approx(ends[1].numbers["transport"], rel=1e-6, abs=0)


def test_waves_decay_as_implicit_euler_has_it():
    """About the uniform density the exact step is linear: 1/(1 + κτk²) for each wave, with order 2 in h."""
    kappa, tau, e, errors, sizes = 0.1, 0.3, 1e-5, [], (24, 48, 96)
    for n in sizes:
        flow = flow_of(n, Internal("entropy", kappa))
        x, k = flow.grid.x.centers, 4 * np.pi
        new = step_of(flow, 1.0 + e * np.cos(k * (x - 0.1)), tau).rho.ravel()
        amplitude = 2 * np.mean((new - 1.0) * np.cos(k * (x - 0.1))) / e
        errors.append(abs(amplitude * (1 + kappa * tau * k**2) - 1))
    assert 1.9 <= slope(1 / np.array(sizes), errors) <= 2.1
    assert errors[-1] <= 3e-3


@pytest.mark.parametrize("law", LAWS[:2])
def test_many_inner_steps_come_near_and_one_is_farther(law):
    flow = flow_of(64, law, wave)
    rho, tau = bump(flow, 0.95), 0.2
    exact = step_of(flow, rho, tau)
    far = {steps: moved(flow, step_of(flow, rho, tau, "pdhg", steps, 1e-6).rho[0], exact.rho[0]) for steps in (2, 8)}
    one = moved(flow, step_of(flow, rho, tau, "newton", 1, 1e-8).rho[0], exact.rho[0])
    assert far[8] <= 0.35 * far[2] and far[8] <= 0.25 * one and one >= 5e-3


def test_mass_takes_the_shorter_way_round():
    """V = −cos about 0.9 and mass at 0.1, no internal energy: it goes across the seam, and by no more than V pulls."""
    flow = flow_of(80, Internal("none"), lambda x: -np.cos(2 * np.pi * (x - 0.9)))
    rho, tau = bump(flow, 0.1, 0.03, 0.0), 1.0
    new = step_of(flow, rho, tau)
    assert np.sum(new.rho[0, 60:]) > 0.99 * np.sum(new.rho) and new.numbers["gap"] <= 1e-8
    assert 2 * new.numbers["transport"] <= 0.25 * flow.mass(rho)  # half the circle is the farthest


@pytest.mark.parametrize("data", ["smooth", "vacuum", "tails"])
def test_the_potential_closes_and_the_shift_is_the_best(data):
    rng = np.random.default_rng(3)
    flow = flow_of(32, Internal("entropy"), wave)
    rho0, rho = rng.random(32), rng.random(32) + 0.1
    if data == "vacuum":
        rho0[:20] = 0.0
    if data == "tails":
        rho0, rho = 10.0 ** rng.uniform(-60, 0, (2, 32))
    step = LineStep(Problem(flow, rho0 / flow.mass(rho0), flow.potential, 0.1), 1e-8, None)
    value = step.couple(rho / flow.mass(rho))
    assert abs(step.jump) <= 1e-15 and step.doubt <= 1e-15
    levels, parts = np.append(0.0, np.cumsum(rho)) / np.sum(rho) * step.mass, np.zeros((6, 32))
    for shift in step.shift + np.array([-0.3, -1e-2, -1e-4, 1e-4, 1e-2, 0.3]):
        couple(step.edges, levels + shift, *step.turns, parts)
        assert np.sum(parts[2]) >= value - 1e-15


def test_an_interaction_on_a_circle():
    """Kuramoto's: V frozen at the end of the step, with its residual, and the energy law."""
    energy = Energy(Internal("entropy", 0.2), None, lambda x: -np.cos(2 * np.pi * x))
    flow = Flow(Grid([0.0], [1.0], [48], [True]), energy)
    rho, tau = bump(flow, 0.97, 0.2), 0.05
    new = step_of(flow, rho, tau)
    assert new.numbers["gap"] <= 1e-8 and new.numbers["drive_residual"] <= 1e-6
    assert flow.value(new.rho[0]) + new.numbers["transport"] / tau <= flow.value(rho)
    level = tau * flow.variation(new.rho[0]) + new.fields["phi"][0]
    assert np.ptp(level) <= 1e-5 * np.ptp(new.fields["phi"])


def test_a_run_by_a_case_file_keeps_its_promises(tmp_path):
    solver = {"method": "jko", "tau": 0.05, "algorithm": "exact"}
    run = wgf.run("heat_circle_1d", tmp_path / "out", progress=False, grid={"shape": [64]}, solver=solver,
                  time={"end": 0.2}, output={"every": 0.1})  # fmt: skip
    promises = {each["name"]: each for each in promises_of(run)}
    assert promises["duality gap"]["measured"] <= 1e-8 and all(each["kept"] for each in promises.values())
