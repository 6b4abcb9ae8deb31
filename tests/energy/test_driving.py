"""Energies that depend on time, and forces: frozen flows, work and heat, the push on faces."""

import numpy as np
import pytest

from wgfpde.energy.driving.force import affinity_of
from wgfpde.energy.driving.in_time import takes_time
from wgfpde.energy.driving.work import account_of, entered, heat_between, opened, work_between
from wgfpde.energy.dynamics import Dynamics
from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.rates import faces_of, sg_network
from wgfpde.energy.snapshot import Snapshot
from wgfpde.errors import CaseError
from wgfpde.formulas.compile import compile_expression
from wgfpde.grid import Grid


def bend(s):
    return s + 0.3 / (2 * np.pi) * np.sin(2 * np.pi * s)


GRIDS = {
    "1d": Grid([-1], [1], [24]),
    "1d stretched": Grid([-1], [1], [24], mapping=[bend]),
    "ring": Grid([-1], [1], [24], "periodic", mapping=[bend]),
    "2d": Grid([-1, -1], [1, 1], [12, 10], ["periodic", "no-flux"], mapping=[None, bend]),
}


def well(x, t, y=0.0):
    return (1 + t) * np.cos(np.pi * x) + t * np.cos(np.pi * y)


def kernel(x, t, y=0.0):
    return (1 + t**2) * np.cos(np.pi * x) * np.cos(np.pi * y)


def density(grid, seed=0):
    rho = np.random.default_rng(seed).uniform(0.1, 2.0, grid.shape)
    return rho / np.sum(rho * grid.cell_volume)


def kappa(t):
    return 0.5 + 0.25 * t


ENERGIES = {
    "V": Energy(potential=well),
    "kappa": Energy(potential=lambda x, **y: np.cos(np.pi * x), kappa=kappa),
    "W": Energy(interaction=kernel),
    "all": Energy(Internal("power", m=2.0), potential=well, interaction=kernel, kappa=kappa),
}


def test_what_takes_time():
    assert takes_time(well)
    assert takes_time(compile_expression("x + t", ("x", "t")))
    assert not takes_time(compile_expression("x", ("x", "t")))  # it may use t, and does not
    for function in (None, np.cos, lambda **place: place["x"], lambda x: x):
        assert not takes_time(function)


def test_an_energy_that_does_not_depend_on_time_is_itself_at_all_times():
    energy = Energy(potential=lambda x: x**2)
    flow = Flow(GRIDS["1d"], energy)
    assert energy.at(3.0) is energy
    assert energy.driven == flow.driven == frozenset()
    assert flow.at(3.0) is flow


@pytest.mark.parametrize(
    ("name", "parts"), [("V", ["potential"]), ("kappa", ["kappa"]), ("W", ["interaction"]),
                        ("all", ["potential", "interaction", "kappa"])]
)  # fmt: skip
def test_what_of_an_energy_depends_on_time(name, parts):
    assert ENERGIES[name].driven == frozenset(parts)


@pytest.mark.parametrize("grid", GRIDS.values(), ids=list(GRIDS))
@pytest.mark.parametrize("name", ENERGIES)
def test_a_frozen_flow_is_that_of_the_frozen_energy(grid, name):
    flow, rho, t = Flow(grid, ENERGIES[name]), density(grid), 0.75
    assert flow.driven == ENERGIES[name].driven != frozenset()
    frozen, plain = flow.at(t), Flow(grid, ENERGIES[name].at(t))
    assert frozen.parts(rho) == plain.parts(rho)
    assert frozen.at(t) is frozen
    assert flow.at(t) is frozen
    assert frozen.at(0.0).parts(rho) == flow.parts(rho)
    assert frozen.has_gibbs == plain.has_gibbs
    if flow.has_gibbs:
        assert np.array_equal(flow.unit_gibbs[0], Flow(grid, ENERGIES[name].at(0.0)).unit_gibbs[0])
        assert np.array_equal(frozen.unit_gibbs[0], plain.unit_gibbs[0])


def test_what_does_not_move_is_shared():
    grid = GRIDS["ring"]
    flow = Flow(grid, Energy(potential=well, interaction=lambda x: np.cos(np.pi * x)))
    assert flow.at(0.5).interaction is flow.interaction
    flow = Flow(grid, Energy(potential=lambda x: np.cos(np.pi * x), kappa=kappa))
    assert flow.at(0.5).potential is flow.potential
    assert flow.at(0.5).internal.kappa == kappa(0.5)


@pytest.mark.parametrize("grid", GRIDS.values(), ids=list(GRIDS))
@pytest.mark.parametrize("name", ENERGIES)
def test_work_and_heat_are_differences_of_the_energy(grid, name):
    flow = Flow(grid, ENERGIES[name])
    one, two, rho, other = flow.at(0.2), flow.at(0.9), density(grid), density(grid, 1)
    assert work_between(one, two, rho) == pytest.approx(two.value(rho) - one.value(rho), rel=1e-11, abs=0)
    assert heat_between(one, rho, other) == pytest.approx(one.value(rho) - one.value(other), rel=1e-11, abs=0)
    assert work_between(one, one, rho) == 0.0


def test_small_work_on_a_large_energy_keeps_its_digits():
    grid = GRIDS["1d"]
    flow = Flow(grid, Energy(potential=lambda x, t: 1e8 * (2 + x) + t * x))
    rho = density(grid)
    exact = 1e-9 * flow.integral(grid.x.centers * rho)
    assert work_between(flow.at(0.0), flow.at(1e-9), rho) == pytest.approx(exact, rel=1e-6, abs=1e-16 * 1e8)


def test_the_account_carries_what_rounding_leaves():
    fields, times = opened(), 20_000
    for _ in range(times):
        fields = entered(fields, 0.1, 1e-17)
    work, heat = account_of(Snapshot(0.0, 0, {"rho": np.ones(2), **fields}))
    assert work == times * 0.1
    assert heat == pytest.approx(times * 1e-17, rel=1e-14, abs=0)
    assert np.isnan(account_of(Snapshot(0.0, 0, {"rho": np.ones(2)}))).all()


def test_a_diffusion_that_moves():
    grid = GRIDS["1d"]
    flow = Flow(grid, Energy(), dynamics=Dynamics(lambda x, t: 1 + t + 0 * x))
    assert flow.driven == {"diffusion"}
    assert np.all(flow.mobility[0] == 1.0)
    assert np.all(flow.at(2.0).mobility[0] == 3.0)
    ito = Flow(grid, Energy(), dynamics=Dynamics(lambda x, t: np.exp(t * x), convention="ito"))
    assert ito.at(2.0).potential == pytest.approx(2.0 * grid.x.centers, rel=1e-9, abs=0)


@pytest.mark.parametrize(("energy", "words"), [
    (Energy(potential=lambda x, t: np.log(x + 1.5 - t)), "not finite"),
    (Energy(potential=lambda x, t: t * x), "periodic but the potential is not"),
    (Energy(kappa=lambda t: 1 - t), r"^kappa must be a positive number; found 0"),
    (Energy(kappa=lambda t: np.where(t < 0.5, 1.0, np.nan)), "kappa must be finite"),
])  # fmt: skip
def test_frozen_energies_that_make_no_sense(energy, words):
    flow = Flow(GRIDS["ring" if "periodic" in words else "1d"], energy)
    with pytest.raises(CaseError, match=words):
        flow.at(1.0)


# ---- forces ------------------------------------------------------------------------------------------------


def test_the_push_of_a_force():
    grid = GRIDS["ring"]
    (push,) = Flow(grid, Energy(tilt=(3.0,))).push
    assert push == pytest.approx(3.0 * grid.x.distances, rel=1e-9, abs=0)
    assert affinity_of(push) == pytest.approx(6.0, rel=1e-9, abs=0)
    (push,) = Flow(grid, Energy(force=lambda x: 1 + np.sin(np.pi * x))).push
    c, d = grid.x.centers, grid.x.distances
    assert push == pytest.approx(d - (np.cos(np.pi * (c + d)) - np.cos(np.pi * c)) / np.pi, rel=1e-7, abs=0)
    assert affinity_of(push) == pytest.approx(2.0, rel=1e-12, abs=0)
    (push,) = Flow(grid, Energy(force=lambda x: 1 - x**2)).push  # a formula that is not periodic beyond the ends
    assert push[-1] == pytest.approx(d[-1] ** 2 / 2, rel=0.3, abs=0)
    pushes = Flow(GRIDS["2d"], Energy(tilt=(3.0, 0.0))).push
    assert [p.shape for p in pushes] == [(12,), (10,)]
    assert np.all(pushes[1] == 0.0)
    assert Flow(grid, Energy(tilt=(0.0,))).push is None


@pytest.mark.parametrize("name", ["ring", "2d"])
def test_rates_hold_the_force(name):
    """a/b = e^{−(ΔV − f d)/κ}, and without a force nothing changes in a bit."""
    grid = GRIDS[name]
    tilt = (2.0,) if grid.dim == 1 else (2.0, 0.0)
    potential = lambda x, **y: np.cos(np.pi * x)  # noqa: E731
    plain, flow = (Flow(grid, Energy(Internal(kappa=0.3), potential, tilt=f)) for f in ((), tilt))
    a, b = sg_network(flow, flow.potential)
    faces, v = faces_of(flow), flow.potential.ravel()
    distance = np.zeros(len(a))
    distance[: grid.size] = np.broadcast_to(grid.x.distances, grid.shape).ravel()
    expected = -(v[faces.upper] - v[faces.lower] - 2.0 * distance) / 0.3
    assert np.log(a / b) == pytest.approx(expected, abs=1e-12)
    zero = Flow(grid, Energy(Internal(kappa=0.3), potential, tilt=tuple(0.0 * f for f in tilt)))
    for one, two in zip(sg_network(plain, v), sg_network(zero, v), strict=True):
        assert np.array_equal(one, two)


def test_no_gibbs_state_under_a_force():
    flow = Flow(GRIDS["ring"], Energy(tilt=(1.0,)))
    assert not flow.has_gibbs
    with pytest.raises(CaseError, match="no force"):
        flow.gibbs()


@pytest.mark.parametrize(("grid", "energy", "words"), [
    ("1d", Energy(tilt=(2.0,)), r"periodic axis, found walls at the ends of axis x.*Add -2\*x to energy.potential"),
    ("2d", Energy(tilt=(0.0, 1.0)), "walls at the ends of axis y"),
    ("1d", Energy(force=lambda x: x), "walls at the ends of axis x"),
    ("2d", Energy(force=lambda x: x), "needs a grid of one axis"),
    ("ring", Energy(tilt=(1.0, 1.0)), "a tilt for each of 1 axes, found 2"),
    ("ring", Energy(force=lambda x: x), "periodic but the force is not: it jumps by 2"),
    ("ring", Energy(force=lambda x: 1 / np.sin(0 * x)), "the force is not finite"),
    ("ring", Energy(Internal("power", m=2.0), tilt=(1.0,)), 'needs the entropy.*"power"'),
    ("ring", Energy(Internal("none"), tilt=(1.0,)), 'needs the entropy.*"none"'),
])  # fmt: skip
def test_forces_that_make_no_sense(grid, energy, words):
    with pytest.raises(CaseError, match=words):
        Flow(GRIDS[grid], energy)


def test_exits_and_driving_exclude_each_other():
    grid = Grid([0], [1], [8], [["absorbing", "no-flux"]])
    with pytest.raises(CaseError, match="formulas with t in the energy need a closed box, found x_lower"):
        Flow(grid, Energy(potential=lambda x, t: t * x))


def test_words():
    assert repr(Energy(potential=well, kappa=kappa, tilt=(2.0,))).endswith("V = well, kappa(t), tilt = [2.0])")
