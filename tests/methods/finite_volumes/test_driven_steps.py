"""Driven steps: first and second law for every dt, order 2, Jarzynski and Crooks; steps under a force."""

import math
from itertools import pairwise

import numpy as np
import pytest

from wgfpde.energy import fluxes
from wgfpde.energy.driving.work import account_of
from wgfpde.energy.dynamics import Dynamics
from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.snapshot import Snapshot
from wgfpde.errors import CaseError, SolverError
from wgfpde.grid import Grid
from wgfpde.methods.finite_volumes.one_step import OneStep
from wgfpde.methods.finite_volumes.stepper import FiniteVolumes
from wgfpde.methods.jko.stepper import Jko
from wgfpde.studies.stationary import stationary


def bend(s):
    return s + 0.4 / (2 * np.pi) * np.sin(2 * np.pi * s)


LINE = Grid([-2], [2], [30], mapping=[bend])
RING = Grid([-2], [2], [30], "periodic", mapping=[bend])
PLANE = Grid([-2, -1], [2, 1], [12, 9], ["periodic", "no-flux"], mapping=[bend, None])
GRIDS = {"line": LINE, "ring": RING, "plane": PLANE}


def wave(x, t, y=0.0):
    return 2 * np.sin(np.pi * (x - 3 * t) / 2) ** 2 + np.cos(5 * t) * np.cos(np.pi * y)


def kernel(x, t, y=0.0):
    return (0.5 + t) * np.cos(np.pi * x / 2) * np.cos(np.pi * y)


ENERGIES = {
    "V": Energy(Internal(kappa=0.2), wave),
    "V, kappa": Energy(Internal(kappa=0.2), wave, kappa=lambda t: 0.2 + t**2),
    "W": Energy(Internal(kappa=0.2), interaction=kernel),
    "V, power": Energy(Internal("power", m=2.0), wave),
    "V, fast": Energy(Internal("power", m=0.8), wave),
    "V, none": Energy(Internal("none"), wave),
}


def start(grid, seed=1):
    """Random data, with vacuum."""
    rho = np.random.default_rng(seed).uniform(-0.5, 1.5, grid.shape).clip(0.0)
    return rho / np.sum(rho * grid.cell_volume)


def march(stepper, rho, end, t=0.0, **fields):
    snapshot = Snapshot(t, 0, {"rho": rho, **fields})
    while snapshot.t < end:
        snapshot = stepper.step(snapshot, end)
    return snapshot


@pytest.mark.parametrize("grid", GRIDS.values(), ids=list(GRIDS))
@pytest.mark.parametrize("name", ENERGIES)
@pytest.mark.parametrize("order", [1, 2])
def test_both_laws_for_every_dt(grid, name, order):
    flow, rho = Flow(grid, ENERGIES[name]), start(grid)
    mass = flow.mass(rho)
    for dt in (1e-3, 0.05, 1.0, 30.0):
        after = FiniteVolumes(flow, order, dt, threads=1).step(Snapshot(0.0, 0, {"rho": rho}), dt)
        work, heat = account_of(after)
        change = flow.at(after.t).value(after.rho) - flow.value(rho)  # a step that cannot be solved is shortened
        size = abs(flow.value(rho)) + abs(work) + abs(heat) + 1.0
        assert abs(change - (work - heat)) <= 1e-13 * size
        assert heat >= -1e-13 * size
        assert after.rho.min() >= 0.0
        assert flow.mass(after.rho) == pytest.approx(mass, rel=1e-13, abs=0)
        assert after.report.more == {"work": work, "heat": heat}


@pytest.mark.parametrize("name", ["V", "V, kappa", "W"])
def test_both_laws_in_adaptive_steps(name):
    flow, rho = Flow(RING, ENERGIES[name]), start(RING) + 0.1
    after = march(FiniteVolumes(flow, 2, "adaptive", tolerance=1e-3, threads=1), rho, 0.3)
    work, heat = account_of(after)
    assert after.step > 3
    assert flow.at(0.3).value(after.rho) - flow.value(rho) == pytest.approx(work - heat, rel=1e-12, abs=1e-13)
    assert heat > 0


@pytest.mark.parametrize("name", ["V", "V, kappa", "W"])
def test_a_march_goes_on_as_if_it_had_not_stopped(name):
    """What a stepper remembers of V, W and κ at other times changes no bit."""
    flow, rho = Flow(RING, ENERGIES[name]), start(RING) + 0.1
    stepper = FiniteVolumes(flow, 2, 0.02, threads=1)
    whole = after = march(stepper, rho, 0.04)
    while whole.t < 0.1:
        fresh = FiniteVolumes(Flow(RING, ENERGIES[name]), 2, 0.02, threads=1)
        whole, after = stepper.step(whole, 0.1), fresh.step(after, 0.1)
    for field, values in whole.fields.items():
        assert np.array_equal(values, after.fields[field]), field


def trap(x, t):
    return (x - 1.5 * t) ** 2


def test_order_two_of_the_dragged_trap():
    """k = 2, v = 1.5, κ = 1: ⟨W⟩ = v²(t − (1 − e^{−kt})/k)."""
    errors = []
    for n in (50, 100, 200):
        flow = Flow(Grid([-6], [8], [n]), Energy(potential=trap))
        after = march(FiniteVolumes(flow, 2, 5.0 / n, threads=1), flow.gibbs(), 1.0)
        errors.append(account_of(after)[0] - 1.2772521936411894)
    assert errors[-1] == pytest.approx(1.0e-3, rel=0.05, abs=0)
    assert np.log2(errors[0] / errors[1]) == pytest.approx(2.0, abs=0.06)
    assert np.log2(errors[1] / errors[2]) == pytest.approx(2.0, abs=0.03)


@pytest.mark.parametrize("grid", GRIDS.values(), ids=list(GRIDS))
@pytest.mark.parametrize(("order", "dt", "end"), [(1, 0.5, 0.5), (2, 0.5, 0.5), (2, 0.05, 0.5), (2, "adaptive", 0.2)])
def test_jarzynski_is_exact_in_every_step(grid, order, dt, end):
    flow = Flow(grid, ENERGIES["V"])
    rho = flow.gibbs()
    after = march(FiniteVolumes(flow, order, dt, tolerance=1e-2, threads=1, weigh=True), rho, end)
    z = [flow.integral(np.exp(-flow.at(t).potential / 0.2)) for t in (0.0, end)]
    assert abs(math.exp(after.fields["log_weight"][0]) * z[0] / z[1] - 1) <= 1e-14 * max(4, after.step)
    assert after.fields["work_weight"] == pytest.approx(flow.at(end).gibbs(), rel=1e-12, abs=1e-300)
    assert account_of(after)[0] >= -0.2 * math.log(z[1] / z[0])


def test_weights_of_another_start_are_those_of_the_steps_taken():
    """An adaptive step is two of half the size, for the weights too."""
    flow, rho = Flow(LINE, ENERGIES["V"]), start(LINE) + 0.5
    two = march(FiniteVolumes(flow, 2, 0.01, threads=1, weigh=True), rho, 0.02)
    one = march(FiniteVolumes(flow, 2, "adaptive", first_dt=0.02, tolerance=1.0, threads=1, weigh=True), rho, 0.02)
    assert (one.step, two.step) == (1, 2)
    assert one.rho == pytest.approx(two.rho, rel=1e-13, abs=0)
    assert one.fields["work_weight"] == pytest.approx(two.fields["work_weight"], rel=1e-13, abs=0)
    assert one.fields["log_weight"] == pytest.approx(two.fields["log_weight"], rel=1e-13, abs=0)


def generating(flow, times, exponent):
    """⟨e^{−λW/κ}⟩ along a protocol, from the Gibbs state at its start: g ← K e^{−λδV/κ} g, halves at both ends."""
    kappa, one = flow.internal.kappa, OneStep(flow, 2, 1)
    field = flow.at(times[0]).gibbs()
    for begin, end in pairwise(times):
        middle = flow.at(0.5 * (begin + end))
        field = field * np.exp(-exponent * (middle.potential - flow.at(begin).potential) / kappa)
        one.freeze(middle)
        field = one.carry(field.reshape(one.rows), 0.01, 2).reshape(flow.grid.shape)
        field = field * np.exp(-exponent * (flow.at(end).potential - middle.potential) / kappa)
    return flow.integral(field)


@pytest.mark.parametrize("name", ["line", "plane"])
@pytest.mark.parametrize("exponent", [0.2, 0.9])
def test_crooks(name, exponent):
    """G_F(λ) = G_R(1 − λ) e^{−ΔF/κ}: the steps are palindromic, and nothing is repaired."""
    flow = Flow(GRIDS[name], Energy(Internal(kappa=0.5), wave))
    times = np.linspace(0.0, 0.2, 4)
    ratio = flow.integral(np.exp(-flow.at(0.2).potential / 0.5)) / flow.integral(np.exp(-flow.potential / 0.5))
    forth, back = generating(flow, times, exponent), generating(flow, times[::-1], 1 - exponent)
    assert forth == pytest.approx(back * ratio, rel=1e-13, abs=0)


def test_weights_need_a_gibbs_state():
    for energy in (ENERGIES["V, kappa"], ENERGIES["W"], ENERGIES["V, power"], Energy(potential=lambda x: x**2)):
        with pytest.raises(CaseError, match=r"the weights e\^\{−W/κ\} need the entropy with a constant kappa"):
            FiniteVolumes(Flow(LINE, energy), 2, 0.1, weigh=True)


def test_an_energy_that_fails_on_the_way():
    flow = Flow(LINE, Energy(potential=wave, kappa=lambda t: 1 - t))
    with pytest.raises(SolverError, match=r"the energy at t = 1: kappa must be a positive number"):
        march(FiniteVolumes(flow, 2, 0.3, threads=1), start(LINE), 2.0)


def test_a_diffusion_that_moves_makes_its_own_clock():
    """D(t) alone is another clock, t ↦ ∫D: a mode of the circle decays by e^{−λ∫D}."""
    grid = Grid([0], [1], [32], "periodic")
    flow = Flow(grid, Energy(), dynamics=Dynamics(lambda x, t: 1 + 4 * t + 0 * x))
    mode = np.cos(2 * np.pi * grid.x.centers)
    after = march(FiniteVolumes(flow, 2, 1e-3, threads=1), 1 + 0.5 * mode, 0.05)
    rate = (2 * 32 * np.sin(np.pi / 32)) ** 2
    assert after.rho @ mode / (0.5 * mode @ mode) == pytest.approx(np.exp(-rate * 0.055), rel=2e-4, abs=0)
    assert account_of(after)[0] == 0.0


# ---- forces ------------------------------------------------------------------------------------------------

TILTS = {"ring": (3.0,), "plane": (3.0, 0.0)}


def tilted(name, **more):
    cosine = lambda x, **y: np.cos(np.pi * x)  # noqa: E731
    return Flow(GRIDS[name], Energy(Internal(kappa=0.3), cosine, tilt=TILTS[name], **more))


@pytest.mark.parametrize("name", TILTS)
@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("interacts", [False, True])
def test_laws_under_a_force(name, order, interacts):
    flow = tilted(name, interaction=(lambda x, **y: np.cos(np.pi * x)) if interacts else None)
    rho = start(flow.grid)
    for dt in (1e-3, 0.05, 1.0, 1e3):
        after = march(FiniteVolumes(flow, order, dt, threads=1), rho, dt)
        work, heat = account_of(after)
        size = 1 + abs(work) + abs(heat)
        assert abs(flow.value(after.rho) - flow.value(rho) - (work - heat)) <= 1e-12 * size
        assert heat >= 0.0
        assert after.rho.min() >= 0.0
        assert flow.mass(after.rho) == pytest.approx(flow.mass(rho), rel=1e-13, abs=0)


@pytest.mark.parametrize("name", TILTS)
@pytest.mark.parametrize("order", [1, 2])
def test_the_energy_may_rise_by_the_work(name, order):
    """From the Gibbs state of V, which has the least energy, in one step that is neither cut nor of lower order."""
    flow = tilted(name)
    rho = Flow(flow.grid, Energy(Internal(kappa=0.3), lambda x, **y: np.cos(np.pi * x))).gibbs()
    after = march(FiniteVolumes(flow, order, 0.2, threads=1), rho, 0.2)
    assert flow.value(after.rho) > flow.value(rho) + 0.01
    assert after.step == 1
    assert after.report.note == ""


@pytest.mark.parametrize("name", TILTS)
def test_heat_is_the_dissipation_of_short_steps(name):
    flow = tilted(name)
    rho = start(flow.grid) + 0.5
    after = march(FiniteVolumes(flow, 2, 1e-6, threads=1), rho, 1e-6)
    work, heat = account_of(after)
    assert heat / 1e-6 == pytest.approx(fluxes.dissipation(flow, rho), rel=1e-3, abs=0)
    assert work / 1e-6 == pytest.approx(heat / 1e-6 + (flow.value(after.rho) - flow.value(rho)) / 1e-6, rel=1e-9, abs=0)


def test_the_work_is_that_of_the_fluxes_where_lines_are_repaired():
    """A point mass in long steps of second order: negative cells, and the fluxes that were limited still add up.

    Of a ring, in which f d G sums up to f ∮G, the moments Σ x_i h_i Δρ tell the flux but for those across the seam.
    """
    grid = Grid([-2], [2], [120], "periodic", mapping=[bend])
    flow = Flow(grid, Energy(Internal(kappa=0.3), lambda x: np.cos(np.pi * x), tilt=(3.0,)))
    rho = np.zeros(120)
    rho[50] = 1 / grid.x.widths[50]
    found = {}
    for order in (1, 2):
        after = march(FiniteVolumes(flow, order, 0.01, threads=1), rho, 0.01)
        found[order] = account_of(after)
        moved = float(np.sum(flow.grid.x.centers * flow.grid.x.widths * (after.rho - rho)))
        crossed = after.rho[[0, -1]].max()
        assert found[order][0] == pytest.approx(3.0 * moved, abs=20 * crossed + 1e-10)
        if order == 2:
            assert after.report.repaired > 0


@pytest.mark.parametrize("row", [0, -1])
def test_lines_across_a_force_are_repaired_as_without_it(row):
    """All mass in the row next to a wall, uniform along the force, which then moves none of it."""
    grid = Grid([-2, -1], [2, 1], [6, 30], ["periodic", "no-flux"], mapping=[None, bend])
    rho = np.zeros(grid.shape)
    rho[row] = 1.0
    plain, forced = (
        march(FiniteVolumes(Flow(grid, Energy(Internal(kappa=0.3), **more)), 2, 2.0, threads=1), rho, 2.0)
        for more in ({}, {"tilt": (3.0, 0.0)})
    )
    assert forced.report.repaired == plain.report.repaired > 0
    np.testing.assert_allclose(forced.rho, plain.rho, rtol=1e-11, atol=1e-15)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("dim", [1, 2])
def test_the_work_is_the_force_times_the_way(order, dim):
    """Of a bump far from the seam: f Σ x h Δρ, on cells of any size."""
    ends = [-2, -1][:dim], [2, 1][:dim]
    grid = Grid(*ends, [96, 7][:dim], ["periodic", "no-flux"][:dim], mapping=[bend, bend][:dim])
    flow = Flow(grid, Energy(Internal(kappa=0.3), lambda x, **y: np.cos(np.pi * x), tilt=(3.0, 0.0)[:dim]))
    rho = grid.sample(lambda x, y=0.0: np.exp(-40 * x**2) * (2 + np.sin(y)))
    after = march(FiniteVolumes(flow, order, 0.01, threads=1), rho, 0.01)
    moved = flow.integral(grid.x.centers * (after.rho - rho))
    assert after.report.repaired == 0
    assert account_of(after)[0] == pytest.approx(3.0 * moved, rel=1e-9, abs=0)


def test_relative_entropy_to_the_steady_state_falls():
    flow = tilted("ring")
    steady, rho = stationary(flow, 1.0).rho, start(flow.grid)
    for dt in (1e-3, 0.1, 1.0, 1e4):
        stepper, now = FiniteVolumes(flow, 1, dt, threads=1), Snapshot(0.0, 0, {"rho": rho})
        values = []
        for _ in range(3):
            now = stepper.step(now, now.t + dt)
            values.append(flow.integral(now.rho * np.log(now.rho / steady)))
        assert all(two <= one + 1e-14 for one, two in pairwise(values))
    assert now.rho == pytest.approx(steady, rel=1e-10, abs=0)


def test_a_force_that_rocks():
    """f(t) = 2 cos 10t on a free ring: no net work beyond what friction takes, and the first law."""
    energy = Energy(Internal(kappa=0.3), force=lambda x, t: 2 * np.cos(10 * t) + 0 * x)
    flow = Flow(RING, energy)
    after = march(FiniteVolumes(flow, 2, 0.01, threads=1), start(RING) + 0.5, 2 * np.pi / 10)
    work, heat = account_of(after)
    assert flow.driven == {"force"}
    assert flow.value(after.rho) - flow.value(start(RING) + 0.5) == pytest.approx(work - heat, rel=1e-12, abs=0)
    # on a uniform density the current is f/L, the mean power f²M/2
    assert work == pytest.approx(2.0 * flow.mass(after.rho) * 2 * np.pi / 10, rel=0.05, abs=0)


# ---- JKO ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("grid", "name"), [("line", "V"), ("line", "V, kappa"), ("line", "V, power"), ("ring", "W"),
                                            ("plane", "V")])  # fmt: skip
@pytest.mark.parametrize("tau", [0.02, 0.5])
def test_jko_takes_the_energy_of_the_end(grid, name, tau):
    grid = GRIDS[grid]
    flow, rho = Flow(grid, ENERGIES[name]), start(grid) + 0.1
    after = Jko(flow, tau, threads=1).step(Snapshot(0.0, 0, {"rho": rho}), tau)
    work, heat = account_of(after)
    end = flow.at(tau)
    assert work == pytest.approx(end.value(rho) - flow.value(rho), rel=1e-11, abs=0)
    assert end.value(after.rho) - flow.value(rho) == pytest.approx(work - heat, rel=1e-11, abs=1e-13)
    assert heat >= after.report.transport / tau - 1e-12
    frozen = Jko(Flow(grid, ENERGIES[name].at(tau)), tau, threads=1).step(Snapshot(0.0, 0, {"rho": rho}), tau)
    assert np.array_equal(frozen.rho, after.rho)


@pytest.mark.parametrize("algorithm", ["pdhg", "exact"])
def test_other_algorithms_take_it_too(algorithm):
    grid = Grid([-2], [2], [24])
    flow = Flow(grid, ENERGIES["V, kappa"])
    after = march(Jko(flow, 0.1, algorithm, threads=1, tolerance=1e-6), start(grid) + 0.1, 0.2)
    work, heat = account_of(after)
    assert flow.at(0.2).value(after.rho) - flow.value(start(grid) + 0.1) == pytest.approx(work - heat, rel=1e-11, abs=0)


@pytest.mark.parametrize(("flow", "scheme", "words"), [
    (Flow(RING, Energy(tilt=(1.0,))), "jko", "a force has no energy to be minimised"),
    (Flow(LINE, ENERGIES["V"]), "extrapolated", "takes an energy that does not depend on t"),
    (Flow(LINE, Energy(), dynamics=Dynamics(lambda x, t: 1 + t + 0 * x)), "jko", "no diffusion that depends on t"),
])  # fmt: skip
def test_what_jko_refuses(flow, scheme, words):
    with pytest.raises(CaseError, match=words):
        Jko(flow, 0.1, scheme=scheme)
