"""The reaction of cells: closed forms, the identity of the energy, roots of both kinds, limits of double precision."""

import math

import numpy as np
import pytest

from wgfpde.energy.energy import Internal
from wgfpde.methods.reaction.cell_roots import NEWTON, ArrayRoots, NoRoot, PowerRoots, _ratio, power_roots
from wgfpde.methods.reaction.pointwise import Reaction, integral

X = np.linspace(-2.0, 2.0, 24).reshape(4, 6)
RHO = np.exp(-(X**2)) + 0.3 * np.cos(3 * X) ** 2
PHI = X**2 - X
VOLUME = np.outer(np.linspace(0.5, 1.0, 4), np.linspace(0.2, 0.4, 6))
LAWS = [Internal("entropy", 0.7), Internal("none"), *(Internal("power", 0.7, m) for m in (0.6, 1.5, 2.0, 3.5))]
NAMES = ["entropy", "none", "m=0.6", "m=1.5", "m=2", "m=3.5"]


def reacted(internal, s, balanced=True, rho=RHO, phi=PHI):
    return Reaction(internal, VOLUME, balanced).react(rho, phi, s, integral(rho, VOLUME)).rho


@pytest.mark.parametrize("internal", LAWS, ids=NAMES)
@pytest.mark.parametrize("s", [1e-6, 0.1, 3.0, 200.0])
@pytest.mark.parametrize("balanced", [True, False])
def test_energy_falls_and_mass_stays(internal, s, balanced):
    found = reacted(internal, s, balanced)
    assert np.all(found >= 0)
    if balanced:
        assert integral(found, VOLUME) == pytest.approx(integral(RHO, VOLUME), rel=4e-15, abs=0)
    parts = [VOLUME * (internal.density(rho) + PHI * rho) for rho in (RHO, found)]
    assert np.sum(parts[1] - parts[0]) < 4e-16 * np.sum(np.abs(parts[0]) + np.abs(parts[1]))


@pytest.mark.parametrize("internal", LAWS[2:], ids=NAMES[2:])
@pytest.mark.parametrize("s", [0.01, 1.0, 30.0])
def test_energy_falls_by_the_logarithmic_mean(internal, s):
    """E(ρ') − E(ρ) = −(1/s) Σ h L y², L = (ρ' − ρ)/y, and y = −s(ξ̄ + Φ − λ) with one λ."""
    found = reacted(internal, s)
    y = np.log(found / RHO)
    lost = np.sum(VOLUME * (found - RHO) * y) / s
    change = np.sum(VOLUME * (internal.density(found) - internal.density(RHO) + PHI * (found - RHO)))
    assert change == pytest.approx(-lost, rel=1e-11, abs=0)
    level = y / s + (internal.density(found) - internal.density(RHO)) / (found - RHO) + PHI
    assert np.ptp(level) < 1e-11 * np.max(np.abs(level))


@pytest.mark.parametrize("balanced", [True, False])
def test_linear_reactions_in_closed_form(balanced):
    kappa, s = 0.7, 0.9
    a = math.exp(-kappa * s)
    gibbs = np.exp(-PHI / kappa)
    for internal, expected in (
        (Internal("entropy", kappa), RHO**a * gibbs ** (1 - a)),
        (Internal("none"), RHO * np.exp(-s * PHI)),
    ):
        if balanced:
            expected = expected * (integral(RHO, VOLUME) / integral(expected, VOLUME))
        np.testing.assert_allclose(reacted(internal, s, balanced), expected, rtol=1e-14)


def test_large_shifts_of_the_potential_change_nothing_where_balanced():
    for internal in LAWS[:2]:
        np.testing.assert_allclose(
            reacted(internal, 2.0, phi=PHI + 3e3), reacted(internal, 2.0), rtol=1e-11
        )  # e^{−6000} underflows
        np.testing.assert_allclose(reacted(internal, 2.0, phi=PHI - 3e3), reacted(internal, 2.0), rtol=1e-11)


def test_the_energy_after_a_reaction_comes_with_it():
    equal = np.full(RHO.shape, 0.25)
    for balanced in (True, False):
        reaction = Reaction(Internal("entropy", 0.7), equal, balanced)
        found = reaction.react(RHO, PHI, 0.4, reaction.mass(RHO), weigh=True)
        expected = 0.25 * np.sum(Internal("entropy", 0.7).density(found.rho) + PHI * found.rho)
        assert found.energy[0] == pytest.approx(expected, rel=1e-13, abs=0) and found.energy[1] >= abs(expected)
    empty = np.where(X > 0, RHO, 0.0)
    assert reaction.react(empty, PHI, 0.4, reaction.mass(empty), weigh=True).energy is None
    assert Reaction(Internal("entropy", 0.7), VOLUME, True).react(RHO, PHI, 0.4, 1.0, weigh=True).energy is None


@pytest.mark.parametrize("internal", LAWS, ids=NAMES)
def test_vacuum_stays(internal):
    rho = np.where(X > 0.5, 0.0, RHO)
    for balanced in (True, False):
        found = reacted(internal, 0.7, balanced, rho)
        np.testing.assert_array_equal(found == 0, rho == 0)


@pytest.mark.parametrize("m", [0.6, 1.5, 2.0, 3.5])
@pytest.mark.parametrize("s", [1e-3, 1.0, 1e3])
def test_the_roots_of_a_power_are_those_of_its_functions(m, s):
    """By differences of U, so that both agree to what these leave: a few ε of s(U + Φρ)/ρ."""
    internal = Internal("power", 0.7, m)
    rho = np.where(X > 1.9, 0.0, RHO)
    kernel, arrays = PowerRoots(internal, rho, s), ArrayRoots(internal, rho, s)
    np.testing.assert_allclose(kernel.at_zero, arrays.at_zero, rtol=1e-14)
    np.testing.assert_allclose(kernel.bend()[rho > 0], arrays.bend()[rho > 0], rtol=1e-14)
    for y0 in (np.zeros(rho.shape), X):
        g = min(s, 300.0) * (0.7 * X + 1.0)
        y, response, _ = kernel.solve(g, y0)
        z, slow, _ = arrays.solve(g, y0)
        np.testing.assert_allclose(y, z, rtol=1e-9, atol=1e-10)
        np.testing.assert_allclose(response[rho > 0], slow[rho > 0], rtol=1e-8)


@pytest.mark.parametrize("m", [0.5, 0.9, 1.2, 2.0, 3.0, 7.5])
def test_the_ratio_of_exponentials(m):
    """D and D' against 50 digits' worth of care: series near 0, plain quotients off it."""
    assert _ratio(0.0, m)[0] == pytest.approx(m, rel=1e-15, abs=0)
    for y in (-700.0, -30.0, -1.0, -2e-3, -5e-4, 1e-13, 5e-4, 2e-3, 1.0, 30.0):
        ratio, bend = _ratio(y, m)
        assert ratio == pytest.approx(math.expm1(m * y) / math.expm1(y), rel=1e-13, abs=0)
        h = 1e-4
        central = (_ratio(y + h, m)[0] - _ratio(y - h, m)[0]) / (2 * h)
        assert bend == pytest.approx(central, rel=1e-5, abs=1e-12)
    for y in (750.0, 2000.0):  # beyond e^y
        assert _ratio(y, 0.9)[0] == pytest.approx(math.exp(-0.1 * y), rel=1e-12, abs=0)


@pytest.mark.parametrize("m", [0.5, 0.9, 1.2, 2.0, 3.5, 12.0])
def test_roots_over_many_sizes(m):
    """Densities of 1e-250 to 1e5, forces up to 1e8: every root to its residual, in few iterations."""
    with np.errstate(over="ignore"):
        q = np.sign(m - 1) * np.logspace(-250, 5, 60)[:, None] ** (m - 1) * np.ones(41)
    g = np.concatenate([-np.logspace(8, -6, 20), [0.0], np.logspace(-6, 8, 20)]) * np.ones((60, 1))
    q, g = q.ravel(), g.ravel()
    sane = np.isfinite(q) & (q != 0)
    q, g = q[sane], g[sane]
    found, response = np.empty(q.size), np.empty(q.size)
    most = power_roots(q, g, np.ones(q.size, bool), m, np.zeros(q.size), found, response)
    assert most <= NEWTON
    ratio = np.array([_ratio(y, m)[0] for y in found])
    misfit = np.abs(found + q * ratio - g)
    slope = 1.0 / np.maximum(response, 1e-300)
    with np.errstate(over="ignore"):
        size = np.abs(found) * slope + np.abs(q * ratio) + np.abs(g)
    assert np.all(misfit <= 1e-14 * (size + slope))
    assert np.all((response >= 0) & (response <= 1 + 1e-12))


def test_overflow_is_refused():
    with pytest.raises(NoRoot, match="infinite"):
        reacted(Internal("none"), 1e4, balanced=False)
    with pytest.raises(NoRoot, match="exceeds double precision"):
        reacted(Internal("power", 1.0, 0.01), 1.0, rho=np.full(RHO.shape, 5e-324))


def test_half_steps_agree_to_second_order():
    for internal in LAWS[2:]:
        gaps = []
        for s in (0.02, 0.01):
            half = reacted(internal, 0.5 * s)
            gaps.append(np.max(np.abs(reacted(internal, 0.5 * s, rho=half) - reacted(internal, s))))
        assert 2.7 < np.log2(gaps[0] / gaps[1]) < 3.3  # a local error of order 3
