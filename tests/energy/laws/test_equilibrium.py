"""Densities in equilibrium with a potential, and shifts of duals to a mass, each against its own definition."""

import numpy as np
import pytest

from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.laws import by_code
from wgfpde.energy.laws.steady_density import equilibrium
from wgfpde.grid import Grid

LAWS = [
    Internal("entropy", 0.7), Internal("power", 1.3, 0.6), Internal("power", 1.3, 1.5), Internal("power", 0.4, 2.0),
    Internal("power", 1.3, 3.0),
]  # fmt: skip
GRID = Grid([0.0], [2.0], [23], mapping=[lambda s: s**1.3])
PHI = 5.0 + 4.0 * np.cos(3 * GRID.x.centers)


@pytest.mark.parametrize("internal", LAWS, ids=lambda u: f"{u.kind}-{u.m:g}")
@pytest.mark.parametrize("mass", [0.02, 3.0])
def test_the_constant_and_the_response(internal, mass):
    """U'(ρ) + Φ = C where ρ > 0, U'(0) + Φ ≥ C elsewhere, and ρ' = 1/U'' by a change of the mass."""
    flow = Flow(GRID, Energy(internal))
    found = equilibrium(flow, PHI, mass)
    inside = found.rho > 0
    assert flow.integral(found.rho) == pytest.approx(mass, rel=1e-14, abs=0)
    np.testing.assert_allclose((internal.derivative(found.rho) + PHI)[inside], found.constant, rtol=1e-11)
    assert np.all(PHI[~inside] >= found.constant) and (internal.m > 1 or inside.all())
    bend = internal.law.second_derivative(found.rho[inside], internal)
    np.testing.assert_allclose(found.response[inside], 1 / bend, rtol=1e-12)
    assert np.all(found.response[~inside] == 0)
    if internal.kind == "entropy":
        np.testing.assert_allclose(np.exp(found.log_rho), found.rho, rtol=1e-13)


@pytest.mark.parametrize("share", [0.05, 0.3, 0.6])
def test_a_cell_that_fills_between_two_numbers_takes_the_rest(share):
    """ρ^100: from one double C to the next the upper cell gets 0.7 at once; what lies between is its own."""
    flow = Flow(Grid([0.0], [2.0], [2]), Energy(Internal("power", 1.0, 100.0)))
    low = (99 / 100) ** (1 / 99)  # κm/(m−1) ρ^{m−1} = C − Φ = 1
    rho = equilibrium(flow, np.array([0.0, 1.0]), low + share).rho
    np.testing.assert_allclose(rho, [low, share], rtol=1e-13)


def test_a_support_of_part_of_the_cells_is_met():
    for internal in LAWS[2:]:
        assert 0 < np.mean(equilibrium(Flow(GRID, Energy(internal)), PHI, 0.02).rho > 0) < 0.7


@pytest.mark.parametrize("internal", [*LAWS[:2], Internal("none")], ids=lambda u: u.kind)
def test_a_dual_is_shifted_to_its_mass(internal):
    """Σ vol ρ(y − δ) = M with the density of the kernels; to 1e-5 where a bisection ends."""
    rng = np.random.default_rng(4)
    y, volume, c, mu, mass = rng.normal(size=9) - 2.0, rng.random(9) + 0.1, 0.3, 0.05, 2.5
    shift = internal.law.dual_shift(y, volume, mass, c, internal.m, mu)
    rho = [by_code.dual_density(each, internal.code, c, internal.m, mu, 0.0)[0] for each in y - shift]
    assert volume @ rho == pytest.approx(mass, rel=1e-5, abs=0)


def test_slow_diffusion_is_not_shifted_and_has_the_scale_of_its_slope():
    """U'/κ of a density of 2 is of the size 2^{m−1}."""
    for internal in LAWS[2:]:
        assert internal.law.dual_shift(np.zeros(2), np.ones(2), 1.0, 1.0, internal.m, 0.1) is None
        assert internal.law.dual_scale(2.0, internal.m) == 2.0 ** (internal.m - 1)
    assert [u.law.dual_scale(2.0, u.m) for u in LAWS[:2]] == [1.0, 1.0]


@pytest.mark.parametrize("mass", [1e-6, 0.02, 3.0])
@pytest.mark.parametrize("internal", LAWS[1:], ids=lambda u: f"{u.m:g}")
def test_the_constant_is_found_by_newton_rather_than_by_bisection(internal, mass, monkeypatch):
    """A slope that is wrong leaves the bracket to be halved fifty times; two integrals an iteration."""
    calls, integral = [], Flow.integral
    monkeypatch.setattr(Flow, "integral", lambda self, a: calls.append(1) or integral(self, a))
    equilibrium(Flow(GRID, Energy(internal)), PHI, mass)
    assert len(calls) <= 40
