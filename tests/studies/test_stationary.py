"""Stationary states against closed forms, their stability against the march, branches and what is kept of them."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from wgfpde.cases.building import build
from wgfpde.cases.loading import load, override
from wgfpde.cases.varying import vary
from wgfpde.cli import main
from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.equations import self_similar
from wgfpde.energy.flow import Flow
from wgfpde.energy.fluxes import max_flux
from wgfpde.energy.laws.steady_density import equilibrium
from wgfpde.energy.snapshot import Snapshot
from wgfpde.errors import CaseError
from wgfpde.grid import Grid
from wgfpde.methods.finite_volumes.stepper import FiniteVolumes
from wgfpde.store import read_study
from wgfpde.studies.stationary import (
    branches,
    continuation,
    corrected,
    measured,
    starts,
    stationary,
    unstable_directions,
)
from wgfpde.studies.stationary import (
    growth_rates as rates,
)
from wgfpde.studies.stationary.drive_equation import solved
from wgfpde.studies.stationary.search import analysed

ORDERED = 0.705495273209
"""The mean m > 0 that solves m = ⟨x⟩ in ρ ∝ exp(−(V + (x − m)²/2)/κ), V = x⁴/4 − x²/2, κ = 0.3."""
CRITICAL_NOISE = 4 * (math.gamma(3 / 4) / math.gamma(1 / 4)) ** 2
SYNCHRONISED, SYNCHRONISED_ENERGY = 0.724158717626, -1.997941067974
"""Order r and energy at K/κ = 3, for U = κ ρ ln ρ."""


def double_well(x):
    return x**4 / 4 - x**2 / 2


def desai_zwanzig(n=200, kappa=0.3, internal=None):
    grid = Grid([-3.0], [3.0], [n])
    return Flow(grid, Energy(internal or Internal("entropy", kappa), double_well, lambda x: x**2 / 2))


def desai_zwanzig_2d(n, kappa=0.3):
    grid = Grid([-3.0, -3.0], [3.0, 3.0], [n, n])
    energy = Energy(
        Internal("entropy", kappa), lambda x, y: double_well(x) + double_well(y), lambda x, y: (x**2 + y**2) / 2
    )
    return Flow(grid, energy)


def kuramoto(coupling, n=64, internal=None):
    grid = Grid([-math.pi], [math.pi], [n], True)
    return Flow(grid, Energy(internal or Internal("entropy", 1.0), None, lambda x: -coupling * np.cos(x)))


def growth(flow, rho, mode, end=0.05, dt=1e-3, size=1e-6):
    """The growth rate of a perturbation under the march, in the mode's direction."""
    step = FiniteVolumes(flow, dt=dt).step
    snapshot = Snapshot(0.0, 0, {"rho": rho + size * mode})
    while snapshot.t < end:
        snapshot = step(snapshot, end)
    before, after = (flow.integral((state - rho) * mode) for state in (rho + size * mode, snapshot.rho))
    return math.log(after / before) / end


# ---- closed forms ----------------------------------------------------------------------------------------


def test_desai_zwanzig_has_three_states_below_the_critical_noise():
    flow = desai_zwanzig()
    low, other, high = branches(flow, 1.0)
    means = sorted(measured(flow, state.rho, "mean_x") for state in (low, other))
    assert means == pytest.approx([-ORDERED, ORDERED], abs=1e-10)
    assert low.energy == pytest.approx(other.energy, abs=1e-12)
    assert measured(flow, high.rho, "mean_x") == pytest.approx(0.0, abs=1e-10)
    assert [state.verdict for state in (low, other, high)] == ["stable", "stable", "unstable"]
    assert high.energy > low.energy
    assert high.stability.unstable == 1


def test_desai_zwanzig_has_one_state_above_the_critical_noise():
    (only,) = branches(desai_zwanzig(kappa=0.6), 1.0)
    assert only.stable


@pytest.mark.parametrize("n", [100, 101])
def test_critical_noise(n):
    case = load("desai_zwanzig_1d", [f"grid.shape=[{n}]"])
    found = continuation(case, vary(["energy.internal.kappa=0.44,0.47"], case)[0])
    (critical,) = found.critical
    assert critical.parameter == pytest.approx(CRITICAL_NOISE, abs=1e-9)
    assert abs(critical.eigenvalue) < 1e-9
    assert critical.measure == pytest.approx(0.0, abs=1e-4)
    ended = [branch for branch in found.branches if branch.line[-1].parameter < 0.47]
    assert len(ended) == 2
    assert all(CRITICAL_NOISE - 0.002 < branch.line[-1].parameter <= CRITICAL_NOISE for branch in ended)


def test_kuramoto_synchronises():
    flow = kuramoto(3.0)
    low, uniform = branches(flow, 1.0, starts(flow, 1.0, 1 + 0.1 * np.cos(flow.grid.x.centers - 1)))
    assert measured(flow, low.rho, "order_x") == pytest.approx(SYNCHRONISED, abs=1e-10)
    assert low.energy + 1 == pytest.approx(SYNCHRONISED_ENERGY, abs=1e-10)
    assert low.stable
    assert low.stability.translations == ("x",)
    assert uniform.verdict == "unstable"
    assert uniform.stability.translations == ()
    assert np.ptp(uniform.rho) < 1e-14


def test_critical_coupling():
    case = load("kuramoto_1d", ["grid.shape=[32]"])
    found = continuation(case, vary(["params.K=1.7,2.4"], case)[0])
    assert found.measure == "order_x"
    (critical,) = found.critical
    assert critical.parameter == pytest.approx(2.0, abs=1e-11)
    assert len(found.branches) == 2


def test_a_critical_value_that_is_asked_for_is_found_too():
    case = load("kuramoto_1d", ["grid.shape=[32]"])
    found = continuation(case, vary(["params.K=2.5,1.5,2.0"], case)[0])
    assert found.values.tolist() == [1.5, 2.0, 2.5]
    (critical,) = found.critical
    assert critical.parameter == 2.0


def test_a_steep_branch_stays_one():
    changes = ["grid.shape=[64]", "grid.lower=[0]", "grid.upper=[1]", "initial.density=1 + 0.1*cos(4*pi*x)"]
    case = load("kuramoto_1d", [*changes, "energy.interaction=K*abs(sin(2*pi*x))"])
    found = continuation(case, vary(["params.K=4.5:8:8"], case)[0], measure="max")
    assert [len(branch.line) >= 7 for branch in found.branches] == [True, True]
    ordered = found.branches[1].line
    assert np.all(np.diff([point.measure for point in ordered]) > 0)
    assert all(point.state.stable for point in ordered)


@pytest.mark.parametrize(("coupling", "kappa"), [(1.0, 1.0), (3.0, 1.0), (3.0, 0.2)])
def test_growth_rates_of_the_uniform_state(coupling, kappa):
    n = 32
    flow = kuramoto(coupling, n, Internal("entropy", kappa))
    h = 2 * math.pi / n
    laplacian = [(2 / h * math.sin(k * h / 2)) ** 2 for k in (1, 2, 3)]
    expected = sorted([laplacian[0] * (coupling / 2 - kappa), *(-kappa * value for value in laplacian[1:])])
    rates = stationary(flow, 1.0).stability.rates
    assert sorted(rates) == pytest.approx(sorted(expected * 2), abs=1e-11)


def test_doi_onsager_loses_uniformity():
    # The kernel is kinked, so that its second Fourier coefficient errs by h²: Richardson's rule leaves h⁴.
    found = []
    for n in (64, 128):
        grid = Grid([0.0], [1.0], [n], True)

        def rate(strength, grid=grid):
            flow = Flow(grid, Energy(Internal("entropy"), None, lambda x: strength * np.abs(np.sin(2 * np.pi * x))))
            return stationary(flow, 1.0).stability

        low, high = rate(4.0), rate(5.0)
        assert np.argmax(np.abs(np.fft.rfft(high.modes[0]))) == 2
        found.append(4.0 - low.leading / (high.leading - low.leading))  # linear in the strength
    assert (4 * found[1] - found[0]) / 3 == pytest.approx(3 * math.pi / 2, abs=1e-5)


@pytest.mark.parametrize(
    ("kappa", "energy", "square"), [(0.5, -0.713447933941, 0.893464969574), (0.25, -0.419981560723, 0.832745487128)]
)
def test_gibbs_state_of_a_double_well(kappa, energy, square):
    grid = Grid([-4.0], [4.0], [160])
    flow = Flow(grid, Energy(Internal("entropy", kappa), double_well))
    state = stationary(flow, 1.0)
    assert state.energy + kappa == pytest.approx(energy, abs=1e-11)
    assert measured(flow, state.rho, "second_moment") == pytest.approx(square, abs=1e-11)
    assert state.constant + kappa == pytest.approx(energy + kappa, abs=1e-11)  # ξ = κ ln ρ + V = −κ ln Z
    assert state.stable


def test_gap_of_a_double_well():
    grid = Grid([-4.0], [4.0], [320])
    state = stationary(Flow(grid, Energy(Internal("entropy", 0.5), double_well)), 1.0)
    assert state.eigenvalue == pytest.approx(-0.42294464540, rel=3e-4, abs=0)  # h² = 6e-4
    assert state.stability.rates[1] == pytest.approx(-2.31491325, rel=2e-3, abs=0)


@pytest.mark.parametrize("m", [1.5, 2.0, 3.0])
@pytest.mark.parametrize("binding", ["potential", "interaction"])
def test_a_bound_porous_medium_takes_the_self_similar_profile(m, binding):
    grid = Grid([-2.5], [2.5], [200])
    bound = {binding: lambda x: x**2 / 2}
    flow = Flow(grid, Energy(Internal("power", 1.0, m), **bound))
    state = stationary(flow, 1.0)
    exact = grid.average(lambda x: self_similar(np.abs(x), 1.0, m, 1))
    assert flow.integral(np.abs(state.rho - exact)) < 2e-3
    assert state.parts == 1
    assert state.stable
    assert (state.stability.translations == ("x",)) == (binding == "interaction")


def test_fast_diffusion_is_a_power_of_the_potential():
    grid = Grid([-40.0], [40.0], [320])
    flow = Flow(grid, Energy(Internal("power", 1.0, 0.5), lambda x: x**2 / 2))
    state = stationary(flow, 1.0)
    x = grid.x.centers
    line = state.rho**-0.5  # = (1−m)/(mκ) (V − C)
    assert line == pytest.approx(x**2 / 2 - state.constant, rel=1e-12, abs=0)
    assert state.rho[160] == pytest.approx(0.345000851412, rel=2e-2, abs=0)  # the rest lies outside the grid, and h²
    assert state.stable


def test_a_crowd_repels_itself_to_one_state():
    grid = Grid([-2.0], [2.0], [80])
    flow = Flow(grid, Energy(Internal("entropy", 0.1), double_well, lambda x: 5 * np.exp(-(x**2))))
    (only,) = branches(flow, 1.0)
    assert only.stable
    assert only.residual < 1e-13


# ---- the scheme and the states ---------------------------------------------------------------------------


@pytest.mark.parametrize("m", ["entropy", 0.6, 1.5, 2.0, 3.0])
@pytest.mark.parametrize("dim", [1, 2])
def test_states_are_fixed_points_of_the_scheme(m, dim):
    internal = Internal("entropy", 0.3) if m == "entropy" else Internal("power", 0.3, m)
    if dim == 1:
        stretch = [lambda s: s + 0.1 * np.sin(2 * np.pi * s)]
        grid = Grid([-3.0], [3.0], [60], mapping=stretch)
        energy = Energy(internal, lambda x: double_well(x) + 0.1 * x, lambda x: x**2 / 2)
    else:
        grid = Grid([-3.0, 0.0], [3.0, 2.0], [24, 10], [False, True])
        energy = Energy(
            internal,
            lambda x, y: double_well(x) + 0.2 * np.cos(np.pi * y),
            lambda x, y: x**2 / 2 - 0.1 * np.cos(np.pi * y),
        )
    flow = Flow(grid, energy)
    state = stationary(flow, 2.0)
    assert flow.mass(state.rho) == pytest.approx(2.0, rel=4e-16 * grid.size, abs=0)
    assert max_flux(flow, state.rho) < 1e-12
    for dt in (0.01, 1.0):
        after = FiniteVolumes(flow, dt=dt).step(Snapshot(0.0, 0, {"rho": state.rho}), dt).rho
        assert flow.integral(np.abs(after - state.rho)) < 1e-12


@pytest.mark.parametrize(
    "internal", [Internal("entropy", 1.0), Internal("power", 3.0, 2.0), Internal("power", 1.0, 0.6)]
)
def test_modes_grow_and_decay_as_the_march_does(internal):
    flow = kuramoto(4.0, 24, internal)
    uniform = corrected(flow, 1.0, np.full(24, 1 / (2 * math.pi)))
    for k in (0, 2):
        rate = uniform.stability.rates[k]
        assert growth(flow, uniform.rho, uniform.stability.modes[k]) == pytest.approx(rate, rel=2e-4, abs=1e-5)


def test_the_unstable_state_of_two_wells_is_left_at_its_rate():
    flow = desai_zwanzig(60)
    state = stationary(flow, 1.0)
    assert state.verdict == "unstable"
    assert growth(flow, state.rho, state.mode) == pytest.approx(state.eigenvalue, rel=1e-5, abs=0)
    ordered = stationary(flow, 1.0, np.exp(-((flow.grid.x.centers - 1) ** 2)))
    assert growth(flow, ordered.rho, ordered.mode) == pytest.approx(ordered.eigenvalue, rel=1e-4, abs=0)


@pytest.mark.parametrize(("m", "tolerance"), [(3.0, 1e-4), (2.0, 1e-4), (1.5, 1e-4), (0.6, 2e-2)])
def test_rates_of_powers_are_those_of_the_march(m, tolerance):
    # For m < 1 the mobility depends on the sign of Δξ: half of the perturbation sees another one, O(h) apart.
    grid = Grid([0.0], [1.0], [24])
    energy = Energy(Internal("power", 1.0, m), lambda x: 0.3 * np.cos(3 * x), lambda x: 0.2 * x**2)
    state = stationary(Flow(grid, energy), 1.0)
    assert state.rho.max() > 1.1 * state.rho.min() > 0
    found = growth(Flow(grid, energy), state.rho, state.mode, end=0.02, dt=2e-4)
    assert found == pytest.approx(state.eigenvalue, rel=tolerance, abs=0)


def test_dense_and_iterative_rates_agree(monkeypatch):
    flow = desai_zwanzig_2d(20)
    state = stationary(flow, 1.0, analyse=False)
    found = equilibrium(flow, flow.potential + flow.interaction.apply(state.rho), 1.0)
    dense = rates.stability(flow, found)
    monkeypatch.setattr(rates, "DENSE", 0)
    iterative = rates.stability(flow, found)
    assert iterative.rates == pytest.approx(dense.rates, abs=1e-8)
    assert dense.unstable == unstable_directions(flow, found) == 2


def test_a_square_of_wells_has_nine_states():
    flow = desai_zwanzig_2d(16)
    found = branches(flow, 1.0)
    assert [state.stability.unstable for state in found] == [0, 0, 0, 0, 1, 1, 1, 1, 2]


def test_disconnected_supports_are_told():
    grid = Grid([-2.0], [2.0], [80])
    flow = Flow(grid, Energy(Internal("power", 0.02, 2.0), double_well))
    state = stationary(flow, 1.0)
    assert state.parts == 2
    assert "the support has 2 parts" in state.notes[0]
    assert state.stable  # on perturbations that keep the mass of each part


def test_translations_count_once():
    flow = kuramoto(4.0, 32)
    x = flow.grid.x.centers
    found = branches(flow, 1.0, [1 + 0.5 * np.cos(x - shift) for shift in (0.0, 0.4, 2.0)])
    assert len(found) == 1
    grid = Grid([-3.0], [3.0], [61])
    free = Flow(grid, Energy(Internal("power", 1.0, 2.0), None, lambda x: x**2 / 2))
    assert len(branches(free, 1.0, [np.exp(-((grid.x.centers - shift) ** 2)) for shift in (0.0, 0.33, 1.0)])) == 1


def test_collapse_is_told():
    """Far above 8π one cell holds all the mass: stationary on the grid, and said to be of the grid."""
    grid = Grid([-2.0, -2.0], [2.0, 2.0], [24, 24])
    energy = Energy(Internal("entropy", 1.0), None, lambda x, y: np.log(x**2 + y**2) / (4 * math.pi))
    found = branches(Flow(grid, energy), 60.0)
    assert "a state of the grid" in found[0].unresolved and found[0].told == (found[0].unresolved,)


@st.composite
def problems(draw):
    """Random V, random even W of either sign, random starts."""
    n, periodic = draw(st.sampled_from([5, 16, 33])), draw(st.booleans())
    kind = draw(st.sampled_from(["entropy", 0.6, 1.5, 2.0, 3.0]))
    seed = draw(st.integers(0, 2**32 - 1))
    strength = draw(st.sampled_from([-3.0, -0.5, 0.5, 3.0]))
    rng = np.random.default_rng(seed)
    waves = rng.standard_normal((2, 3))
    phases = rng.uniform(0, 2 * math.pi, 3)
    mass = draw(st.sampled_from([1.0, 0.03, 20.0]))
    internal = Internal("entropy", 0.7) if kind == "entropy" else Internal("power", 0.7, kind)
    unit = 0.7 * (mass / 2) ** (internal.m - 1)  # of U', at the mean density
    energy = Energy(
        internal,
        lambda x: unit * sum(waves[0, k] * np.cos((k + 1) * math.pi * x + phases[k]) for k in range(3)),
        lambda x: strength * unit / mass * sum(waves[1, k] * np.cos((k + 1) * math.pi * x) for k in range(3)),
    )
    grid = Grid([-1.0], [1.0], [n], periodic)
    return Flow(grid, energy), mass, rng.random(n) + 1e-3


@settings(max_examples=60, deadline=None)
@given(problems())
def test_whatever_the_energy(problem):
    flow, mass, start = problem
    start = start * (mass / flow.mass(start))
    state = stationary(flow, mass, start)
    assert flow.mass(state.rho) == pytest.approx(mass, rel=1e-13, abs=0)
    assert np.all(state.rho >= 0)
    before = flow.value(start)
    assert state.energy <= before + 1e-12 * (abs(before) + mass)
    scale = 1 + (0 if flow.interaction is None else np.abs(flow.interaction.apply(state.rho)).max())
    assert state.residual <= 1e-12 * scale
    assert max_flux(flow, state.rho) <= 1e-11 * scale * mass * flow.grid.size
    found = equilibrium(flow, flow.potential + flow.interaction.apply(state.rho), mass)
    rates = state.stability.rates
    assert np.all(np.isfinite(rates))
    assert np.all(np.diff(rates) <= 1e-9 * (1 + np.abs(rates[:-1])))
    if not len(rates) or np.min(np.abs(rates)) > 1e-6:  # signs are beyond doubt
        assert state.stability.unstable == min(unstable_directions(flow, found), len(rates))


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([0.4, 0.75, 1.2, 2.0, 5.0]), st.floats(-6, 6), st.integers(0, 2**32 - 1))
def test_equilibria_have_their_mass_and_their_constant(m, decades, seed):
    rng = np.random.default_rng(seed)
    flow = Flow(Grid([0.0], [1.0], [17]), Energy(Internal("power", 0.3, m)))
    phi, mass = rng.standard_normal(17) * 10.0 ** rng.uniform(-3, 2), 10.0**decades
    found = equilibrium(flow, phi, mass)
    assert flow.mass(found.rho) == pytest.approx(mass, rel=1e-14, abs=0)
    inside = found.rho > 0
    xi = flow.internal.derivative(found.rho[inside]) + phi[inside]
    size = np.abs(phi).max() + np.abs(flow.internal.derivative(found.rho[inside])).max()
    assert xi == pytest.approx(found.constant, abs=1e-12 * size)
    assert np.all(phi[~inside] >= found.constant - 1e-12 * size)


def test_newton_moves_are_solved_for_also_where_the_jacobian_is_singular():
    rng = np.random.default_rng(3)
    matrix = np.eye(30) + 0.3 * rng.standard_normal((30, 30)) / 6
    load = rng.standard_normal((5, 6))
    exact = np.linalg.solve(matrix, load.ravel()).reshape(5, 6)
    assert solved(_product(matrix), load, 1e-13) == pytest.approx(exact, abs=1e-11)
    flat = _product(np.eye(30) - np.ones((30, 30)) / 30)
    assert flat(solved(flat, flat(load), 1e-13)) == pytest.approx(flat(load), abs=1e-12)
    assert np.all(solved(lambda v: v, np.zeros(3), 1e-13) == 0)


def test_a_newton_move_takes_a_handful_of_convolutions():
    """The Jacobian is the identity plus something smooth: as many on any grid."""
    counts = []
    for n in (100, 400):
        calls = []
        x = np.linspace(-1.0, 1.0, n)

        def apply(v, x=x, calls=calls):
            calls.append(v)
            return v + x * float(x @ v) / len(x) + x**2 * float(x**2 @ v) / len(x)

        move = solved(apply, np.cos(3 * x), 1e-12)
        assert apply(move) == pytest.approx(np.cos(3 * x), abs=1e-11)
        counts.append(len(calls))
    assert max(counts) <= 6


def _product(matrix):
    return lambda v: (matrix @ v.ravel()).reshape(v.shape)


# ---- what is refused -------------------------------------------------------------------------------------


def test_what_has_no_stationary_states_is_refused():
    flow = Flow(Grid([0.0], [1.0], [8]), Energy(Internal("none"), lambda x: x))
    with pytest.raises(CaseError, match=r"solver\.stationary"):
        stationary(flow, 1.0)
    with pytest.raises(CaseError, match="positive mass"):
        stationary(desai_zwanzig(8), 0.0)
    with pytest.raises(CaseError, match="shape"):
        stationary(desai_zwanzig(8), 1.0, np.ones(7))
    with pytest.raises(CaseError, match="density"):
        stationary(desai_zwanzig(8), 1.0, -np.ones(8))


def test_only_numbers_off_the_grid_are_varied():
    case = load("desai_zwanzig_1d")
    for item in ("grid.shape=16,32", "energy.potential=x,x**2"):
        with pytest.raises(CaseError, match="leaves the grid as it is"):
            continuation(case, vary([item], case)[0])


# ---- the command line ------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


DZ = ["stationary", "desai_zwanzig_1d", "--set", "grid.shape=[60]"]


def test_states_on_the_command_line(folder, capsys):
    assert main(DZ) == 0
    out = capsys.readouterr().out
    assert out.count("stable, lowest found") == 2
    assert "unstable in 1 direction" in out
    assert (folder / "desai_zwanzig_1d-stationary.png").stat().st_size > 1000
    with xr.open_dataset(folder / "desai_zwanzig_1d-stationary.h5", engine="h5netcdf") as data:
        assert data.rho.dims == ("state", "x")
        assert data.stable.values.tolist() == [1, 1, 0]
        assert data.measure.values == pytest.approx(
            np.sum(data.rho * data.x, axis=1) * 0.1 / (np.sum(data.rho, axis=1) * 0.1), abs=1e-12
        )
    assert main([*DZ, "--json", "--no-plot", "--measure", "variance_x"]) == 0  # its own result is replaced
    record = json.loads(capsys.readouterr().out)
    assert record["figure"] is None
    assert [state["verdict"] for state in record["states"]] == ["stable", "stable", "unstable"]
    assert record["states"][2]["measures"]["variance_x"] > record["states"][0]["measures"]["variance_x"]


def test_a_diagram_on_the_command_line(folder, capsys):
    arguments = [*DZ, "--vary", "energy.internal.kappa=0.42:0.5:3", "--out", "found/dz.h5"]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "critical  energy.internal.kappa = 0.45694" in out
    assert (folder / "found" / "dz.png").exists()
    study = read_study("found/dz.h5")
    assert study.kind == "bifurcation diagram"
    assert study["critical_value"] == pytest.approx([CRITICAL_NOISE], abs=1e-8)
    assert study["rho"].shape == (len(study["parameter"]), 60)
    with xr.open_dataset("found/dz.h5", engine="h5netcdf") as data:
        assert data.rho.dims == ("point", "x")
    assert main([*arguments, "--json", "--no-plot"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["critical"][0]["parameter"] == pytest.approx(CRITICAL_NOISE, abs=1e-8)
    assert len(record["branches"]) == 3


def test_states_in_2d_are_drawn_as_maps(folder, capsys):
    case = ["stationary", "double_well_2d", "--set", "grid.shape=[12,10]", "--plot", "maps.svg"]
    assert main(case) == 0
    assert "mean_y" in capsys.readouterr().out
    assert "<svg" in (folder / "maps.svg").read_text()
    with xr.open_dataset("double_well_2d-stationary.h5", engine="h5netcdf") as data:
        assert data.rho.dims == ("state", "y", "x")


def test_mistakes_on_the_command_line(folder, capsys):
    Path("notes.h5").write_text("not a study")
    wrong = {
        "wgfpde run CASE --set solver.stationary": ["stationary", "aggregation_1d"],
        "a geodesic has no": ["stationary", "geodesic_2d"],
        "without a bound": ["stationary", "crowd_motion_2d"],
        "there is no diagnostic": [*DZ, "--measure", "meen_x"],
        "leaves the grid": [*DZ, "--vary", "grid.shape=16,32"],
        "one parameter": [*DZ, "--vary", "params.theta=1,2", "--vary", "energy.internal.kappa=1,2"],
        "at least 1": [*DZ, "--branches", "0"],
        "holds no stationary states": [*DZ, "--out", "notes.h5"],
        "ending in .h5": [*DZ, "--out", "notes.txt"],
    }
    for message, arguments in wrong.items():
        assert main(arguments) == 2
        out, err = capsys.readouterr()
        assert message in err
        assert out == ""
    assert Path("notes.h5").read_text() == "not a study"


def test_the_case_decides_the_start(folder):
    problem = build(load("desai_zwanzig_1d", ["grid.shape=[60]"]))
    flow = problem.flow
    state = stationary(flow, flow.mass(problem.initial.rho), problem.initial.rho)
    assert measured(flow, state.rho, "mean_x") == pytest.approx(ORDERED, abs=1e-6)


# ---- folds, plateaus, and numbers that are no numbers --------------------------------------------------------


TILTED = {"energy": {"potential": "x**4/4 - x**2/2 + 0.01*x"}}
"""A weak field: of the three roots of the self-consistency the middle one has no symmetry to be found by."""


def tilted_roots(kappa):
    """m = ⟨x⟩ under e^{−(x⁴/4 − x²/2 + x/100 + (x − m)²/2)/κ}, by sign changes on a fine mesh."""
    x = np.linspace(-4, 4, 4001)

    def excess(m):
        weight = np.exp(-(x**4 / 4 - x**2 / 2 + 0.01 * x + (x - m) ** 2 / 2) / kappa)
        return float(np.sum(x * weight) / np.sum(weight)) - m

    mesh = np.linspace(-1.5, 1.5, 301)
    values = [excess(m) for m in mesh]
    pairs = zip(mesh[:-1], mesh[1:], values[:-1], values[1:], strict=True)
    return [brentq(excess, a, b, xtol=1e-13) for a, b, u, v in pairs if u * v < 0]


def test_the_state_between_two_minima_is_found():
    case = override(load("desai_zwanzig_1d"), TILTED)
    problem = build(case)
    states = branches(problem.flow, 1.0, starts(problem.flow, 1.0, problem.initial.rho))
    assert [state.verdict for state in states] == ["stable", "stable", "unstable"]
    means = sorted(problem.flow.integral(problem.flow.grid.x.centers * state.rho) for state in states)
    assert means == pytest.approx(tilted_roots(0.3), abs=1e-9)


def test_a_fold_is_told():
    """Two of the three roots meet where the field wins: between 0.40 and 0.41 by counting them."""
    assert (len(tilted_roots(0.4)), len(tilted_roots(0.41))) == (3, 1)
    case = override(load("desai_zwanzig_1d", ["grid.shape=[60]"]), TILTED)
    [key] = vary(["energy.internal.kappa=0.36:0.44:5"], case)
    diagram = continuation(case, key)
    assert not diagram.critical and [end.kind for end in diagram.ends] == ["fold", "fold"]
    place = diagram.ends[0].parameter
    assert len(tilted_roots(place - 1e-4)) == 3 and len(tilted_roots(place + 1e-4)) == 1
    assert {diagram.ends[0].meets, diagram.ends[1].meets} == {end.branch for end in diagram.ends}


def test_a_pitchfork_is_told_and_not_called_a_fold():
    case = load("desai_zwanzig_1d", ["grid.shape=[60]"])
    [key] = vary(["energy.internal.kappa=0.44:0.48:3"], case)
    ends = continuation(case, key).ends
    assert {end.kind for end in ends} == {"pitchfork"} and len(ends) == 2
    assert all(end.parameter == pytest.approx(0.456946581044, abs=1e-9) for end in ends)


def test_a_plateau_of_marginal_rates_hides_no_critical_value():
    case = load("kuramoto_1d", ["grid.shape=[64]"])
    [key] = vary(["params.K=1.9,1.99999999,2.00000001,2.1"], case)
    assert [one.parameter for one in continuation(case, key).critical] == pytest.approx([2.0], abs=2e-8)


def test_all_unstable_directions_are_counted():
    """W = −6 Σ cos kx, k ≤ 6, at the uniform state: cos and sin of each, 12 in all, more than the rates kept."""
    grid = Grid([-np.pi], [np.pi], [64], periodic=True)
    flow = Flow(grid, Energy(Internal(), interaction=lambda x: -6 * sum(np.cos(k * x) for k in range(1, 7))))
    state = analysed(flow, 1.0, stationary(flow, 1.0, np.full(64, 1 / (2 * np.pi)), analyse=False))
    assert np.ptp(state.rho) < 1e-12 and state.stability.unstable == 12 and state.stability.counted


def test_guesses_that_are_none_are_refused():
    flow = desai_zwanzig_2d(8)
    for guess in (np.full((8, 8), np.nan), np.ones(5)):
        with pytest.raises(CaseError, match="a guess needs the grid's shape"):
            corrected(flow, 1.0, guess)
    assert stationary(flow, 1.0, analyse=False).stable is None
    with pytest.raises(CaseError, match="at least 1; found 0"):
        branches(flow, 1.0, limit=0)


@pytest.mark.parametrize("measure", ["energy_balance", "de_bruijn", "slack_evi", "w2_previous"])
def test_measures_of_a_run_are_refused(measure):
    case = load("desai_zwanzig_1d", ["grid.shape=[40]"])
    [key] = vary(["energy.internal.kappa=0.3:0.4:2"], case)
    with pytest.raises(CaseError, match=measure):
        continuation(case, key, measure=measure)


def test_a_foreign_picture_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "desai_zwanzig_1d-stationary.png").write_text("precious")
    assert main(["stationary", "desai_zwanzig_1d", "--set", "grid.shape=[40]"]) == 2
    assert (tmp_path / "desai_zwanzig_1d-stationary.png").read_text() == "precious"
