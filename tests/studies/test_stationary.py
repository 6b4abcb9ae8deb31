"""Stationary states against closed forms, their stability against the march, branches and what is kept of them."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mean_fields import CRITICAL_NOISE, ORDERED, desai_zwanzig_2d, double_well

from wgfpde.cases.loading import load
from wgfpde.cases.varying import vary
from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.equations import self_similar
from wgfpde.energy.flow import Flow
from wgfpde.energy.fluxes import max_flux
from wgfpde.energy.laws.steady_density import equilibrium
from wgfpde.energy.snapshot import Snapshot
from wgfpde.errors import CaseError
from wgfpde.grid import Grid
from wgfpde.methods.finite_volumes.stepper import FiniteVolumes
from wgfpde.studies.stationary import (
    branches,
    continuation,
    corrected,
    measured,
    starts,
    stationary,
    unstable_directions,
)
from wgfpde.studies.stationary import growth_rates as rates

SYNCHRONISED, SYNCHRONISED_ENERGY = 0.724158717626, -1.997941067974
"""Order r and energy at K/κ = 3, for U = κ ρ ln ρ."""


def desai_zwanzig(n=200, kappa=0.3, internal=None):
    grid = Grid([-3.0], [3.0], [n])
    return Flow(grid, Energy(internal or Internal("entropy", kappa), double_well, lambda x: x**2 / 2))


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
    assert all(state.stability.counted for state in (low, other, high))


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
