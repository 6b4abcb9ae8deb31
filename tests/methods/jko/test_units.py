"""A step is the same in all units, and the default gap gives moments to 1e-3."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.laws.law import ENTROPY, NONE, POWER
from wgfpde.energy.snapshot import Snapshot
from wgfpde.grid import Grid
from wgfpde.methods.jko.method import TOLERANCES
from wgfpde.methods.jko.minimise import TIGHTER, Minimiser
from wgfpde.methods.jko.solved_step import Step
from wgfpde.methods.jko.stepper import Jko
from wgfpde.transport.benamou_brenier.gap_scale import scale_of_gap
from wgfpde.transport.benamou_brenier.operators import Staggering


def march(stepper, rho, steps):
    state, reports = Snapshot(0.0, 0, {"rho": rho}), []
    for _ in range(steps):
        state = stepper.step(state, state.t + stepper.tau)
        reports.append(state.report)
    return state.rho, reports


def trap(length, time, algorithm, inner=1, steps=30, tau=0.05):
    """A bead of 50 nm in a trap of 1 µN/m at room temperature: flow, ρ⁰, mean and deviation after exact JKO steps.

    length, time : the units, in metres and seconds.
    """
    heat, stiffness = 4.114e-21, 1e-6
    friction = 6 * math.pi * 1e-3 * 25e-9
    kappa, rate = heat / friction * time / length**2, stiffness / friction * time
    width = math.sqrt(kappa / rate)
    grid = Grid([-6 * width], [6 * width], [96])
    flow = Flow(grid, Energy(Internal("entropy", kappa), lambda x: rate * x**2 / 2))
    rho = grid.average(lambda x: np.exp(-((x - 2 * width) ** 2) / (2 * (0.6 * width) ** 2)))
    rho /= flow.mass(rho)
    stepper = Jko(flow, tau / rate, algorithm, inner, TOLERANCES[algorithm], threads=1)
    mean, deviation = moments(grid, rho)
    for _ in range(steps):
        mean /= 1 + tau
        deviation = (deviation + math.sqrt(deviation**2 + 4 * (1 + tau) * tau * width**2)) / (2 * (1 + tau))
    end, reports = march(stepper, rho, steps)
    found = moments(grid, end)
    errors = (found[0] - mean) / width, (found[1] / deviation) ** 2 - 1
    return end * grid.x.widths, reports, errors


def moments(grid, rho):
    weights = rho * grid.x.widths
    mean = weights @ grid.x.centers
    return mean, math.sqrt(weights @ (grid.x.centers - mean) ** 2)


@pytest.mark.parametrize("tau", [0.05, 0.2])
@pytest.mark.parametrize("algorithm", ["newton", "pdhg"])
def test_a_trap_in_si_and_in_its_own_units(algorithm, tau):
    """Mean over the width of the trap, and variance, to 1e-3 after 30 steps at the default gap, in both units alike."""
    width, time = math.sqrt(4.114e-21 / 1e-6), 6 * math.pi * 1e-3 * 25e-9 / 1e-6
    si, own = (trap(*units, algorithm, tau=tau) for units in ((1.0, 1.0), (width, time)))
    for _, _, errors in (si, own):
        assert max(map(abs, errors)) <= 1e-3
    np.testing.assert_allclose(si[0], own[0], atol=3e-5)
    assert si[1][0].iterations == own[1][0].iterations
    assert si[1][0].gap == pytest.approx(own[1][0].gap, rel=1e-3, abs=1e-13)


@settings(max_examples=8)
@given(
    kind=st.sampled_from(("entropy", 1.5, 2.0, 3.0)),
    algorithm=st.sampled_from(("newton", "pdhg")),
    dim=st.sampled_from((1, 2)),
    periodic=st.booleans(),
    length=st.sampled_from((2.0**-24, 32.0)),
    mass=st.sampled_from((2.0**-20, 2.0**10)),
    energy=st.sampled_from((2.0**-30, 2.0**7)),
    offset=st.sampled_from((0.0, 5.0)),
)
def test_units_do_not_matter(kind, algorithm, dim, periodic, length, mass, energy, offset):
    """x ↦ ax, ρ ↦ bρ, E ↦ cE, and constants in V and W: the same iterations, gap and density."""
    found = []
    for a, b, c, shift in ((1.0, 1.0, 1.0, 0.0), (length, mass, energy, offset)):
        found.append(one_step(kind, algorithm, dim, periodic, a, b, c, shift))
    (rho, report), (other, again) = found
    assert again.gap <= TOLERANCES[algorithm] and report.gap <= TOLERANCES[algorithm]
    assert abs(report.iterations - again.iterations) <= 2 + 0.2 * report.iterations  # rounding grows on the way
    if kind == 2.0 and algorithm == "newton" and offset == 0.0:  # powers of two, and no logarithm: the same bits
        assert (again.iterations, again.gap) == (report.iterations, report.gap)
    np.testing.assert_allclose(other, rho, atol=1e-5 * rho.max())


def one_step(kind, algorithm, dim, periodic, length, mass, energy, shift):
    """Cell masses over the whole mass, and the report."""
    grid = Grid([-length] * dim, [length] * dim, [16, 10][:dim], [periodic, False][:dim])
    kappa = 0.3 * energy
    if kind == "entropy":
        internal = Internal("entropy", kappa)
    else:
        internal = Internal("power", kappa * (mass / length**dim) ** (1 - kind), kind)

    def well(x, y=0.0):
        return energy * (np.cos(np.pi * x / length) + (y / length) ** 2 + shift)

    def hill(x, y=0.0):
        return np.maximum(1.0 + np.sin(np.pi * x / length) - 0.2 + 0.3 * y / length, 0.0 if internal.empties else 0.05)

    inside = (lambda x: well(x)) if dim == 1 else well
    flow = Flow(grid, Energy(internal, inside))
    rho = grid.sample((lambda x: hill(x)) if dim == 1 else hill)
    rho *= mass / flow.mass(rho)
    tau = 0.1 * length**2 / energy
    new, (report,) = march(Jko(flow, tau, algorithm, threads=1, tolerance=TOLERANCES[algorithm]), rho, 1)
    return new * grid.cell_volume / mass, report


RADIUS = {1: 1.570053604417, 2: 1.478433077848}
"""R_10 of (R − R_n)/τ = R^(−d−1), R_0 = 1, τ = 0.1: exact JKO steps of the Barenblatt profile with m = 2."""


@pytest.mark.parametrize(
    ("dim", "cells", "inner", "within"), [(1, 100, 1, 1e-3), (1, 100, 3, 1e-3), (2, 64, 1, 1e-3), (2, 40, 2, 5e-3)]
)
def test_barenblatt_profiles_at_the_default_gap(dim, cells, inner, within):
    """⟨|x|²⟩ against the closed form: c R² in this family, with mass 1."""
    grid = Grid([-3.0] * dim, [3.0] * dim, [cells] * dim)
    reach, second = {1: (1.442249570307, 0.416016764610), 2: (1.263237555492, 0.531923040535)}[dim]
    flow = Flow(grid, Energy(Internal("power", 1.0, 2.0)))
    start = grid.average(lambda x, y=0.0: np.maximum(reach**2 - x**2 - y**2, 0.0) / 4.0)
    stepper = Jko(flow, tau=0.1, algorithm="pdhg", inner_steps=inner, tolerance=TOLERANCES["pdhg"], threads=1)
    end = march(stepper, start, 10)[0]
    found = flow.integral(grid.sample(lambda x, y=0.0: x**2 + y**2) * end) / flow.mass(end)
    assert math.sqrt(found / second) == pytest.approx(RADIUS[dim], rel=within, abs=0)


@pytest.mark.parametrize(
    "grid", [Grid([0.0], [1.0], [4], True, [lambda s: s**2]), Grid([0.0, 0.0], [1.0, 2.0], [3, 2], mapping=None)]
)
def test_the_scale_of_the_gap_against_its_formula(grid):
    """Term by term, with v̄ the mean over the mass: one cell that holds all mass has no spread, however high it is."""
    faces, random = Staggering(grid, 1), np.random.default_rng(2)
    rho, v = random.uniform(0.5, 2, faces.shape), random.normal(size=faces.shape) + 7
    weight = faces.volume * rho
    mean = np.sum(weight * v) / np.sum(weight)
    spread, height = np.sum(weight * np.abs(v - mean)), np.sum(weight * (v - v.min()))
    laws = {(ENTROPY, 0.3, 1.0): 0.3 * rho, (POWER, 0.3, 3.0): 0.3 * rho**3, (NONE, 0.0, 1.0): 0.0 * rho}
    for law, pressure in laws.items():
        expected = 0.25 + np.sum(faces.volume * pressure) + spread + 1e-3 * height
        assert scale_of_gap(faces, rho, v, law, 0.25) == pytest.approx(expected, rel=1e-12, abs=0)
    one = np.zeros(faces.shape)
    one[0, 1], v[0, 1] = 5.0, v.min() + 4.0
    alone = scale_of_gap(faces, one, v, (NONE, 0.0, 1.0), 0.0)
    assert alone == pytest.approx(1e-3 * 4.0 * 5.0 * faces.volume[0, 1], rel=1e-12, abs=0)


def test_a_wall_without_mass_does_not_loosen_the_gap():
    """V = 1e8 κ in two cells that hold no mass: the scale of the gap is that without, to 1e-6."""
    grid = Grid([-1.0], [1.0], [32])
    rho = np.where(np.abs(grid.x.centers) < 0.4, 1.0, 0.0)
    scales = []
    for height in (0.0, 1e8):
        v = grid.x.centers**2 + np.where(np.abs(grid.x.centers) > 0.93, height, 0.0)
        flow = Flow(grid, Energy(Internal("power", 1.0, 2.0), lambda x, v=v: v))
        report = march(Jko(flow, 1e-3, "pdhg", tolerance=1e-5, threads=1), rho, 1)[1][0]
        scales.append((report.primal - report.dual) / report.gap)
    assert scales[1] == pytest.approx(scales[0], rel=1e-3, abs=0)


@pytest.mark.parametrize("algorithm", ["newton", "pdhg"])
def test_a_loose_gap_never_raises_the_energy(algorithm):
    """At a gap of 1e-2 near rest many steps gain less than that: E + ½W₂²/τ is not above E before for a single one."""
    grid = Grid([-4.0], [4.0], [48])
    flow = Flow(grid, Energy(Internal("entropy"), lambda x: x**2 / 2))
    rho = flow.gibbs() * (1 + 0.02 * np.sin(grid.x.centers))
    rho /= flow.mass(rho)
    stepper = Jko(flow, 0.02, algorithm, tolerance=1e-2, threads=1)
    state = Snapshot(0.0, 0, {"rho": rho})
    for _ in range(12):
        before, state = state, stepper.step(state, state.t + 0.02)
        law = flow.value(state.rho) + state.report.transport / 0.02
        assert law <= flow.value(before.rho) + 1e-13 * sum(map(abs, flow.parts(before.rho)))
        assert state.report.gap <= 1e-2
        if "nothing was moved" in state.report.note:
            np.testing.assert_array_equal(state.rho, before.rho)
            assert state.report.primal == pytest.approx(0.02 * flow.value(before.rho), rel=1e-9, abs=0)


@pytest.mark.parametrize("inner", [1, 3])
def test_the_first_order_method_at_second_order(inner):
    """scheme = "extrapolated" with pdhg: twice the error at a quarter of the step, mass, sign and energy kept."""
    grid = Grid([-5.0], [5.0], [32])
    flow = Flow(grid, Energy(Internal("entropy", 0.7), lambda x: x**2 / 2))
    rho = grid.average(lambda x: np.exp(-((x - 0.6) ** 2)) / np.sqrt(np.pi))
    options = {"inner_steps": inner, "tolerance": 1e-9, "scheme": "extrapolated", "threads": 1}
    ends = {}
    for n in (2, 4, 16):
        ends[n], reports = march(Jko(flow, 0.4 / n, "pdhg", **options), rho, n)
        assert max(report.gap for report in reports) <= 1e-9
        assert ends[n].min() >= 0 and flow.mass(ends[n]) == pytest.approx(flow.mass(rho), rel=1e-13, abs=0)
        assert flow.value(ends[n]) < flow.value(rho)
    coarse, fine = (flow.integral(np.abs(ends[n] - ends[16])) for n in (2, 4))
    assert coarse > 3 * fine


def test_what_rises_within_its_gap_stays(monkeypatch):
    """A minimiser that lands uphill, with a gap that allows it: ρ⁰ is kept, its value and gap are those of ρ⁰."""
    grid = Grid([-4.0], [4.0], [32])
    flow = Flow(grid, Energy(Internal("entropy"), lambda x: x**2 / 2))
    rho = (flow.gibbs() * (1 + 0.1 * np.sin(grid.x.centers))).reshape(1, -1)
    minimiser, tau = Minimiser(flow, "newton", 1, 0.1, None, None, 1), 0.02
    good = minimiser.solve(rho, tau, {})
    up = 2 * rho - good.rho
    primal = good.numbers["transport"] + tau * flow.value(up.ravel())
    scale = 1.0 * tau
    numbers = good.numbers | {"primal": primal, "gap": (primal - good.numbers["dual"]) / scale}
    bad = Step(good.fields | {"rho": up}, good.flux_x, good.flux_y, numbers)
    monkeypatch.setattr(minimiser, "_by_newton", lambda *_: replace(bad, numbers=dict(numbers)))
    kept = minimiser.solve(rho, tau, {})
    np.testing.assert_array_equal(kept.rho, rho)
    assert "nothing was moved" in kept.note and kept.numbers["transport"] == 0.0
    value = tau * flow.value(rho.ravel())
    assert kept.numbers["primal"] == pytest.approx(value, rel=1e-12, abs=0)
    assert kept.numbers["gap"] == pytest.approx((value - good.numbers["dual"]) / scale, rel=1e-6, abs=0)


def test_staying_with_an_interaction(monkeypatch):
    """The value of ρ⁰ is that in the potential V + W∗ρ frozen for the step; the drive stays, and is told to."""
    grid = Grid([-1.0], [1.0], [10], mapping=[lambda s: s**1.3])
    flow = Flow(grid, Energy(Internal("entropy"), lambda x: x**2, lambda x: -np.exp(-(x**2))))
    random = np.random.default_rng(5)
    rho, end = random.uniform(0.5, 2, (2, 1, 10))
    minimiser, tau = Minimiser(flow, "newton", 1, 1e3, None, None, 1), 0.3
    drive = flow.interaction.apply(end[0])
    frozen = [flow.parts(r[0])[0] + flow.integral((grid.x.centers**2 + drive) * r[0]) for r in (rho, end)]
    numbers = {"primal": 0.2 + tau * frozen[1], "dual": tau * frozen[0] - 1.0, "gap": 0.5, "transport": 0.2}
    numbers["drive_residual"] = 0.0
    scale = (numbers["primal"] - numbers["dual"]) / 0.5
    kept = minimiser._kept(rho, tau, Step({"rho": end, "drive_rate": end}, end, end, numbers))
    assert kept.numbers["primal"] == pytest.approx(tau * frozen[0], rel=1e-12, abs=0)
    assert kept.numbers["gap"] == pytest.approx(1.0 / scale, rel=1e-12, abs=0)
    assert not np.any(kept.fields["drive_rate"]) and not np.any(kept.flux_x)
    np.testing.assert_array_equal(kept.rho, rho)
    asked = []
    step = Step({"rho": end, "phi": end}, end, end, numbers | {"iterations": 1, "linear": 1, "outer": 1})
    monkeypatch.setattr(minimiser, "_rises", lambda *_: len(asked) < 2)

    def solve(rho0, tau, warm, tolerance):
        asked.append(tolerance)
        return replace(step, numbers=dict(step.numbers))

    monkeypatch.setattr(minimiser, "_by_newton", solve)
    assert minimiser.solve(rho, tau, {}).numbers["iterations"] == 2
    assert asked == [1e3, pytest.approx(TIGHTER * 1e3, rel=1e-9, abs=0)]
