"""Parcels with inertia: closed forms with their orders, the account of the energy, laws, walls, the front door."""

import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import wgfpde as wgf
from wgfpde.cases.building import build
from wgfpde.cases.loading import loads
from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.snapshot import Snapshot
from wgfpde.errors import CaseError, SolverError
from wgfpde.grid import Grid
from wgfpde.methods.reduced.inertial_parcels import ENERGIES, AcceleratedParcels, parcels_of


def bump(x, mean, var, reach=6.5):
    rho = np.exp(-((x - mean) ** 2) / (2 * var)) / math.sqrt(2 * math.pi * var)
    return rho * (np.abs(x - mean) < reach * math.sqrt(var))


def march(flow, rho, friction, end, steps):
    """The last snapshot, its parcels, and all energies (steps + 1, 2); the account is kept on the way."""
    parcels = parcels_of(flow, rho)
    stepper = AcceleratedParcels(flow, parcels, friction, end / steps)
    state = Snapshot(0.0, 0, stepper.start(parcels.edges))
    energies = [state.fields[ENERGIES]]
    while state.t < end:
        state = stepper.step(state, end)
        energies.append(state.fields[ENERGIES])
        assert np.all(np.diff(state.fields["edge_position"]) > 0)
        assert abs(state.report.more["energy_account"]) <= 1e-13 * np.max(np.abs(energies))
    assert np.sum(state.rho * flow.grid.cell_volume) == pytest.approx(np.sum(parcels.mass), rel=1e-14, abs=0)
    return state, parcels, np.array(energies)


def moments(state, parcels):
    """Mean and variance of the density that is constant on parcels."""
    a, b = state.fields["edge_position"][:-1], state.fields["edge_position"][1:]
    share = parcels.mass / np.sum(parcels.mass)
    mean = np.sum(share * (a + b) / 2)
    return np.array([mean, np.sum(share * ((a - mean) ** 2 + (a - mean) * (b - mean) + (b - mean) ** 2)) / 3])


def gaussian_moments(end, lam, kappa, friction, mean, var):
    """m̈ + αṁ + λm = 0, σ̈ + ασ̇ = −λσ + κ/σ from rest."""

    def rates(t, y):
        return [y[1], -friction * y[1] - lam * y[0], y[3], -friction * y[3] - lam * y[2] + kappa / y[2]]

    y = solve_ivp(rates, (0, end), [mean, 0, math.sqrt(var), 0], rtol=1e-12, atol=1e-14).y[:, -1]
    return np.array([y[0], y[2] ** 2])


def stretch(s):
    return s + 0.06 * np.sin(2 * np.pi * s)


@pytest.mark.parametrize("mapping", [None, stretch])
def test_a_gaussian_swings_as_two_equations_say(mapping):
    exact = gaussian_moments(2.0, 2.0, 0.5, 1.0, 1.0, 1.5)
    assert exact == pytest.approx([-0.2574213883, 0.0928652385], abs=1e-9)
    errors = []
    for n in (100, 200):
        grid = Grid([-10.0], [12.0], [n], mapping=[mapping])
        flow = Flow(grid, Energy(Internal("entropy", 0.5), lambda x: x**2))
        state, parcels, energies = march(flow, grid.average(lambda x: bump(x, 1.0, 1.5)), 1.0, 2.0, n // 2)
        assert np.max(np.diff(energies.sum(axis=1))) < 0 < np.max(np.diff(energies[:, 1]))  # E alone may rise
        errors.append(np.abs(moments(state, parcels) - exact))
    assert np.all(errors[1] < [2e-5, 6e-4]) and np.all(np.log2(errors[0] / errors[1]) > 1.9)


def test_critical_friction():
    """α = 2√λ: the mean is m₀(1 + √λ t)e^{−√λ t}, in steps of order 2."""
    grid, errors = Grid([-9.0], [9.0], [60]), []
    flow = Flow(grid, Energy(Internal("entropy", 0.5), lambda x: 1.125 * x**2))
    for steps in (40, 80):
        state, parcels, _ = march(flow, grid.average(lambda x: bump(x, 1.0, 0.7, 5.0)), 3.0, 1.6, steps)
        errors.append(moments(state, parcels)[0] - 3.4 * math.exp(-2.4))
    assert abs(errors[1]) < 4e-5 and math.log2(errors[0] / errors[1]) > 1.9


@pytest.mark.parametrize("friction", [0.0, 0.7])
@pytest.mark.parametrize(
    "internal", [Internal("entropy", 0.5), Internal("power", 0.5, 2.0), Internal("power", 0.5, 0.6), Internal("none")]
)
@pytest.mark.parametrize("tau", [0.02, 0.5])
def test_the_account_is_exact_for_every_step(internal, friction, tau):
    """`march` holds each step to it; without friction the total energy stays."""
    grid = Grid([-20.0], [20.0], [200])
    flow = Flow(grid, Energy(internal, lambda x: (x**2 - 4) ** 2 / 40 + np.cos(x)))
    start = np.where(np.abs(grid.x.centers - 0.5) < 2.0, 1.0, 0.0)
    if internal.kind == "none":  # nothing keeps trajectories apart: they may meet after a while
        flow = Flow(grid, Energy(internal, lambda x: np.sin(0.2 * x) - 0.1 * x**2))
    _, _, energies = march(flow, start, friction, 1.0, round(1.0 / tau))
    total = energies.sum(axis=1)
    if friction == 0:
        assert total == pytest.approx(total[0], rel=1e-12, abs=0)
    else:
        assert np.all(np.diff(total) < 0)


@pytest.mark.parametrize("m", [1.0, 2.0, 0.6])
@pytest.mark.parametrize("moved", [0.0, 1e-5, 0.3])
def test_slopes_of_the_discrete_gradient(m, moved):
    """The matrix of Newton's method against differences, near where edges were, by a series, and farther away."""
    grid = Grid([-3.0], [3.0], [24])
    internal = Internal("entropy", 0.5) if m == 1 else Internal("power", 0.5, m)
    flow = Flow(grid, Energy(internal, lambda x: np.sin(x) + x**4 / 8))
    parcels = parcels_of(flow, 1.0 + 0.3 * np.cos(grid.x.centers))
    stepper, x = AcceleratedParcels(flow, parcels, 1.0, 0.1), parcels.edges
    new = x + moved * np.sin(2 * x)
    gaps, later = np.diff(x), np.diff(new)
    for shift, size in (
        (lambda d: stepper._pressures(gaps, later + d), gaps[0]),
        (lambda d: stepper._pull(x, new + d), 1.0),
    ):
        d = 1e-2 * size  # a quotient of two values, whose digits a small d would lose
        rate = (8 * (shift(d)[0] - shift(-d)[0]) - (shift(2 * d)[0] - shift(-2 * d)[0])) / (12 * d)
        np.testing.assert_allclose(shift(0.0)[1], rate, rtol=1e-4, atol=1e-4 * np.max(np.abs(rate)))


def test_edges_on_the_walls_lose_no_mass():
    """What rounding puts beyond the box is in its outermost cells, to the last digit."""
    grid = Grid([-3.0], [3.0], [24])
    flow = Flow(grid, Energy(Internal("entropy", 0.5)))
    parcels = parcels_of(flow, np.ones(24))
    stepper = AcceleratedParcels(flow, parcels, 1.0, 0.1)
    x = parcels.edges * (1 + 1e-12)
    assert np.sum(stepper.on_cells(x) * grid.x.widths) == pytest.approx(6.0, rel=1e-15, abs=0)


def test_a_parcel_is_squeezed_and_not_turned_over():
    """A heavy fall into a narrow well in one long step: gaps shrink, none closes."""
    grid = Grid([-6.0], [6.0], [120])
    flow = Flow(grid, Energy(Internal("entropy", 0.01), lambda x: 10 * x**2))
    state, _, _ = march(flow, grid.average(lambda x: bump(x, 1.0, 0.5)), 5.0, 1.0, 6)
    assert np.min(np.diff(state.fields["edge_position"])) < 0.2 * grid.x.widths[0]


def test_at_rest_nothing_moves():
    """From the discrete state of rest, which a long time with friction finds, a step changes rounding alone."""
    grid = Grid([-6.0], [6.0], [40])
    flow = Flow(grid, Energy(Internal("entropy", 0.5), lambda x: x**2))
    state, parcels, _ = march(flow, grid.average(lambda x: bump(x, 0.0, 0.25)), 3.0, 60.0, 300)
    assert np.max(np.abs(state.fields["edge_velocity"])) < 1e-11
    assert moments(state, parcels)[1] == pytest.approx(0.25, rel=0.08, abs=0)


def test_powers_of_one_law_meet_the_entropy():
    """The quotient of (g^{1−m} − 1)/(m − 1) tends to that of −ln g as m → 1."""
    grid = Grid([-8.0], [8.0], [60])
    rho, found = grid.average(lambda x: bump(x, 0.5, 0.6)), []
    for internal in (Internal("entropy", 0.5), Internal("power", 0.5, 1.0 + 1e-6)):
        flow = Flow(grid, Energy(internal, lambda x: x**2))
        found.append(march(flow, rho, 1.0, 0.5, 10)[0].fields["edge_position"])
    assert found[1] == pytest.approx(found[0], abs=1e-4)


# ---- what cannot be ------------------------------------------------------------------------------------------------


def test_parcels_that_leave_the_box_are_told():
    grid = Grid([-3.0], [3.0], [40])
    flow = Flow(grid, Energy(Internal("none"), lambda x: -x))
    with pytest.raises(SolverError, match=r"the last parcel leaves the box: its edge would be at x = 3\.\d+ at t = "):
        march(flow, np.where(grid.x.centers > 1, 1.0, 0.0), 0.1, 3.0, 30)


def test_trajectories_that_meet_are_told():
    """Without pressure they cross in a finite time, here π/2, where no step ends in order."""
    grid = Grid([-3.0], [3.0], [40])
    flow = Flow(grid, Energy(Internal("none"), lambda x: 0.5 * x**2))
    with pytest.raises(SolverError, match="no step of the parcels could be solved, however short"):
        march(flow, np.where(np.abs(grid.x.centers) < 1, 1.0, 0.0), 0.0, 2.0, 20)


CASE = """
title = "t"
grid = { shape = [60], lower = [-8.0], upper = [8.0] }
energy = { internal = { kind = "entropy" }, potential = "x**2/2" }
initial = { density = "exp(-(x - 1)**2/2)*(abs(x - 1) < 5)", mass = 2.0 }
solver = { method = "accelerated", friction = 0.5, dt = 0.02 }
time = { end = 0.4 }
output = { every = 0.1 }
"""


def test_a_run_keeps_its_promises_and_goes_on_bit_for_bit(tmp_path):
    whole = wgf.run(loads(CASE), tmp_path / "whole", progress=False)
    html = whole._repr_html_()
    assert whole.attributes["equation"] == "accelerated flow" and "BROKEN" not in html and "account" in html
    assert not {"slack_evi", "de_bruijn"} & set(whole.diagnostics)
    d = whole.diagnostics
    assert d["total_energy"][0] > d["total_energy"][-1] and d["kinetic_energy"][0] == 0 < d["kinetic_energy"][-1]
    half = wgf.run(loads(CASE), tmp_path / "half", progress=False, time={"end": 0.2})
    half = wgf.resume(half, until=0.4, progress=False)
    for name in ("edge_position", "edge_velocity"):
        assert np.array_equal(half.fields[name][:], whole.fields[name][:])
    assert np.array_equal(half.rho[:], whole.rho[:])
    for name, values in d.items():
        assert np.array_equal(half.diagnostics[name], values, equal_nan=True), name
    again = build(loads(CASE.replace(", dt = 0.02", ""))).stepper
    assert again.dt == pytest.approx(0.4 / 200, rel=1e-9, abs=0)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("friction = 0.5", "friction = -1", "solver.friction"),
        ("dt = 0.02", "dt = 0", "solver.dt"),
        ("< 5)", "> 1)", r"positive between its first and its last cell, found none at x = "),
        ("< 5)", "< 0.05)", "needs mass in two cells at least"),
        ('"x**2/2"', '"x**2/2", interaction = "x**2"', 'energy.interaction: method = "accelerated" takes none'),
        (
            "[60], lower = [-8.0], upper = [8.0]",
            "[9, 9], lower = [-8.0, -8.0], upper = [8.0, 8.0]",
            "expected one axis",
        ),
    ],
)
def test_bad_tables(old, new, words):
    with pytest.raises(CaseError, match=words):
        build(loads(CASE.replace(old, new)))


def test_a_ring_is_refused():
    text = CASE.replace("lower", 'boundary = ["periodic"], lower').replace("x**2/2", "cos(pi*x/8)")
    with pytest.raises(CaseError, match='"accelerated" takes no periodic axis'):
        build(loads(text))
