"""Where the search for stationary states draws a line: each bound from both sides, by a factor of less than ten."""

from dataclasses import replace

import numpy as np
import pytest

from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.laws.steady_density import equilibrium
from wgfpde.grid import Grid
from wgfpde.studies.stationary import copies, drive_equation, family, guesses, mean_field, pencil, shifts
from wgfpde.studies.stationary.diagram import critical_values
from wgfpde.studies.stationary.growth_rates import Stability

GRID = Grid([-1.0], [1.0], [40])
HELD = Flow(GRID, Energy(Internal("entropy"), lambda x: np.cos(3 * x + 1)))
"""A flow whose states V holds in place."""
ODD = np.repeat([1.0, -1.0], 20)


def state(rho, rates=(-1.0, -2.0)):
    """A stationary state as far as comparisons look at it."""
    modes = np.zeros((len(rates), *rho.shape))
    return mean_field.Steady(rho, 0.0, 0.0, 0.0, 0, stability=Stability(np.array(rates), modes, (), 1e-12, 0, True))


@pytest.mark.parametrize(
    ("rates", "apart", "one"),
    [
        ((-1.0, -2.0), 0.5e-6, True), ((-1.0, -2.0), 2e-6, False),
        ((-0.5e-6, -1.0), 0.5e-3, True), ((-0.5e-6, -1.0), 2e-3, False), ((-2e-6, -1.0), 0.5e-3, False),
        ((-0.5e-3, -1e3), 0.5e-3, True), ((-2e-3, -1e3), 0.5e-3, False),
    ],
)  # fmt: skip
def test_states_are_one_up_to_1e_6_of_their_mass_and_marginal_ones_up_to_1e_3(rates, apart, one):
    """Marginal: the leading rate is below 1e-6 of the largest, in whatever unit of time."""
    a, b = state(np.full(40, 0.5), rates), state(0.5 * (1 + apart * ODD), rates)
    assert copies.same(HELD, a, b) is one


@pytest.mark.parametrize(("wall", "free"), [(0.3e-9, ("x",)), (3e-9, ())])
def test_a_state_may_be_shifted_where_the_walls_hold_less_than_1e_9_of_its_top(wall, free):
    flow, rho = Flow(GRID, Energy(Internal("entropy"), None, lambda x: x**2)), np.full(40, 2.0)
    rho[0] = 2 * wall
    rho[-1] = 0.0
    assert shifts.free_axes(flow, rho) == free


@pytest.mark.parametrize(
    ("flow", "least"), [(HELD, 1e-13), (Flow(Grid([0.0], [1.0], [40], True), Energy(Internal("entropy"))), 1e-10)]
)
def test_the_residual_to_be_content_with(flow, least):
    """1e-13 of the mass where V is of the size of κ, 1e-10 where nothing holds the state in place."""
    field = drive_equation.MeanField(flow, 1.0)
    assert drive_equation.attainable(field, field.image(np.zeros(40))) == least


def test_a_state_far_from_its_guess_is_not_the_continuation_of_a_branch(monkeypatch):
    """Half of the mass is the most that may lie elsewhere."""
    setting = family.CaseAt(HELD, 1.0, np.full(40, 0.5))
    for way, found in ((0.45, True), (0.55, False)):
        there = state(0.5 * (1 + way * ODD))
        monkeypatch.setattr(family, "corrected", lambda *a, there=there, **k: there)
        assert (family.near(setting, np.full(40, 0.5)) is not None) is found


@pytest.mark.parametrize(("rate", "sign"), [(0.5e-8, 0), (2e-8, 1), (-2e-8, -1)])
def test_a_growth_rate_has_a_sign_from_ten_thousand_times_its_noise(rate, sign):
    assert critical_values._sign(state(np.full(40, 0.5), (rate, -1.0))) == sign


def test_the_shift_of_a_state_costs_no_energy():
    """U = ρ^{1.5}/0.5 and W = −3.3 cos: ρ = ((C + A cos 2πx)/3)² in closed form, with no vacuum; H'∂ρ = 0 to h²."""
    strength = 3.3
    c = 9 / strength
    a = np.sqrt(2 * (9 - c**2))
    residuals = []
    for n in (24, 48):
        grid = Grid([0.0], [1.0], [n], True)
        flow = Flow(grid, Energy(Internal("power", 1.0, 1.5), None, lambda x: -strength * np.cos(2 * np.pi * x)))
        field = drive_equation.MeanField(flow, 1.0)
        state, *_ = drive_equation.newton(field, -a * np.cos(2 * np.pi * grid.x.centers))
        assert state.rho == pytest.approx(((c + a * np.cos(2 * np.pi * grid.x.centers)) / 3) ** 2, rel=1e-2, abs=0)
        pair = pencil.Linearised(flow, state)
        shift = shifts.translations(flow, pair, state)["x"]
        residuals.append(np.linalg.norm(pair.hessian(shift)) / np.linalg.norm(shift))
    assert residuals[1] < 0.01 and residuals[1] < 0.3 * residuals[0]


@pytest.mark.parametrize("m", [1.0, 2.0])
def test_a_perturbation_has_the_mass_one(m):
    """Σ h|η| = 1 on cells of any width, 0 off the support; the cell that changes most gains mass."""
    grid = Grid([-1.0], [1.0], [12], mapping=[lambda s: s + 0.1 * np.sin(2 * np.pi * s)])
    flow = Flow(grid, Energy(Internal("power", 1.0, m) if m > 1 else Internal("entropy")))
    found = equilibrium(flow, np.cos(2.5 * grid.x.centers) * 6.0, 1.0)
    pair = pencil.Linearised(flow, found)
    z = np.random.default_rng(2).normal(size=pair.cells)
    eta = pair.density(z)
    assert flow.integral(np.abs(eta)) == pytest.approx(1.0, rel=1e-13, abs=0)
    assert (m == 1.0) == (pair.cells == 12) and np.all(eta[found.rho == 0] == 0)
    np.testing.assert_array_equal(eta, pair.density(-z))
    gained = (eta * grid.cell_volume).ravel()
    assert gained[np.argmax(np.abs(gained))] > 0
    part = (eta * grid.cell_volume)[found.rho > 0] / (pair.scale * z)  # the mass of S z, up to a factor
    np.testing.assert_allclose(part, part[0], rtol=1e-12)


def test_guesses_lie_between_two_stable_states():
    """On the way from one to the other, of the same mass; the first is the one of most energy on it."""
    a, b = (np.exp(-10 * (GRID.x.centers - place) ** 2) + 0.1 for place in (-0.5, 0.4))
    a, b = a / HELD.mass(a), b / HELD.mass(b)
    states = [state(a), state(b), state(np.full(40, 0.5), (1.0, -1.0))]
    states[2] = replace(states[2], stability=replace(states[2].stability, unstable=1))
    found = list(guesses.between(HELD, states))
    shares = [float(np.vdot(rho - a, b - a) / np.vdot(b - a, b - a)) for rho in found]
    assert shares[1:] == pytest.approx(guesses.SHARES, rel=1e-12, abs=0)
    for rho, share in zip(found, shares, strict=True):
        np.testing.assert_allclose(rho, (1 - share) * a + share * b, rtol=1e-12)
    values = [HELD.value((1 - s) * a + s * b) for s in np.linspace(0, 1, guesses.SAMPLES)[1:-1]]
    assert HELD.value(found[0]) == pytest.approx(max(values), rel=1e-13, abs=0)
    assert guesses.missing(states[:2]) and not guesses.missing(states)
