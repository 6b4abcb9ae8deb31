"""Survival and first-passage densities over time."""

import numpy as np
import pytest
from scipy.linalg import eigh

import wgfpde as wgf
from tests.studies.test_exits import ABSORBED, KEPT, line, quartic, random_flow
from wgfpde.studies.exits import KilledChain, find_exits
from wgfpde.studies.exits.late_decay import POLISHED, STEPS, quasi_stationary
from wgfpde.studies.exits.survival import times_of


def exact(flow, rho, t):
    """(S, f by exit) of the discrete chain by all its modes."""
    chain = KilledChain(flow)
    kept = chain.kept
    generator = np.zeros((chain.cells,) * 2)
    np.add.at(generator, (chain.upper, chain.lower), chain.a)
    np.add.at(generator, (chain.lower, chain.upper), chain.b)
    generator -= np.diag(generator.sum(axis=0) + chain.loss)
    root = np.exp(0.5 * (chain.log_pi[kept] + np.log(chain.volume[kept])))
    volume = chain.volume[kept]
    values, modes = eigh(generator[np.ix_(kept, kept)] * (root / volume) / root[:, None])
    start = rho.ravel()[kept] / np.sum(volume * rho.ravel()[kept])
    states = np.zeros((len(t), chain.cells))
    states[:, kept] = (modes @ (np.exp(values[:, None] * t) * (modes.T @ (start * volume / root))[:, None])).T
    states[:, kept] *= root / volume
    survival = np.array([np.sum(chain.volume * state) for state in states])
    return survival, {name: np.array([np.sum(k * state) for state in states]) for name, k in chain.losses.items()}


@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("seed", [0, 5])
def test_against_all_modes(seed, dim):
    """To the error that it names; the promises to rounding."""
    flow, rng = random_flow(seed, dim)
    rho = rng.random(flow.grid.shape)
    mean = find_exits(flow, rho).mean_time
    t = np.linspace(0.0, 3.0 * mean, 16)
    found = find_exits(flow, rho, times=t).survival
    survival, rates = exact(flow, rho, t)
    np.testing.assert_allclose(found.survival, survival, rtol=1e-7, atol=0)
    high = max(values[1:].max() for values in rates.values())
    for name, values in rates.items():
        np.testing.assert_allclose(found.rates[name], values, rtol=1e-5, atol=1e-6 * high)
    assert np.all(np.diff(found.survival) <= 0) and np.all(found.survival > 0) and np.all(found.density >= 0)
    np.testing.assert_allclose(found.survival + sum(found.left.values()), 1.0, rtol=1e-14, atol=0)
    assert found.t[0] == 0 and found.survival[0] == 1


def test_brownian_motion_between_two_walls():
    """S = Σ 4/(nπ) sin(nπx₀) e^{−n²π²t} over odd n, from a narrow start at the middle; f by its slope."""
    n, t = 400, np.array([0.02, 0.05, 0.1, 0.2, 0.4, 1.0])
    flow = line(n, 0.0, 1.0, ABSORBED)
    rho = np.zeros(n)
    rho[n // 2 - 1 : n // 2 + 1] = 1.0
    found = find_exits(flow, rho, times=t).survival
    odd = np.arange(1, 40, 2)[:, None]
    modes = 4 / (odd * np.pi) * np.sin(odd * np.pi / 2) * np.exp(-((odd * np.pi) ** 2) * t)
    np.testing.assert_allclose(found.survival[1:], modes.sum(axis=0), rtol=1e-4, atol=0)
    np.testing.assert_allclose(found.density[1:], ((odd * np.pi) ** 2 * modes).sum(axis=0), rtol=1e-3, atol=0)
    np.testing.assert_allclose(found.left["x_lower"], found.left["x_upper"], rtol=1e-9, atol=0)
    assert found.survival[-1] < 1e-4 and found.error < 1e-3  # relative digits, too, where little is left


def test_late_survival_falls_at_the_quasi_stationary_rate():
    """Of an escape that takes 5e8; the integral of S is the mean time."""
    flow = line(200, -2.0, 1.0, KEPT, 0.05, quartic)
    found = find_exits(flow, np.exp(-((flow.grid.x.centers + 1) ** 2) / 0.01), times="")
    seen, rate = found.survival, found.quasi_stationary_rate
    np.testing.assert_allclose(seen.survival, np.exp(-rate * seen.t), rtol=2e-6, atol=0)
    assert seen.t[-1] == pytest.approx(4 * found.mean_time, rel=1e-9, abs=0)
    np.testing.assert_allclose(seen.density[1:], rate * seen.survival[1:], rtol=1e-6, atol=0)


@pytest.mark.parametrize("dt", [1e-2, 1.0, 1e3, 1e6])
def test_duality_of_backward_euler(dt):
    """dt Σ_{n≥1} Sⁿ = ⟨ρ⁰, T⟩ for every step, with the very chain; a step as long as the process ends it at once."""
    flow = line(60, -2.0, 1.0, KEPT, 0.6, quartic)
    chain = KilledChain(flow)
    rho = np.exp(-((flow.grid.x.centers + 1) ** 2) / 0.05)
    rho /= np.sum(chain.volume * rho)
    mean = find_exits(flow, rho).mean_time
    steps = chain.eliminated(lambda words: None, chain.volume / dt)
    total = 0.0
    for _ in range(int(40 * max(mean / dt, 1)) + 20):
        rho = steps.solve_forward(chain.volume * rho / dt)
        total += dt * float(np.sum(chain.volume * rho))
    assert total == pytest.approx(mean, rel=1e-12, abs=0)


def test_times_that_are_asked_for():
    assert times_of("0:2:3", 1.0).tolist() == [0, 1, 2] and times_of("1,10", 1.0).tolist() == [0, 1, 10]
    assert times_of([0.5], 1.0).tolist() == [0, 0.5] and len(times_of("", 2.0)) == 41
    for given in ("1:2", "a,b", "2,1", "-1,2", "0", "0:inf:3", [np.nan], [[1.0]], "1:2:0"):
        with pytest.raises(wgf.CaseError, match="give times as"):
            times_of(given, 1.0)


@pytest.mark.parametrize(("height", "tilt"), [(1.0, 0.0), (2.0, 0.1), (3.0, 0.1)])
@pytest.mark.parametrize("mapping", [None, lambda s: s + 0.08 * np.sin(2 * np.pi * s)])
def test_two_wells_that_empty_nearly_alike(height, tilt, mapping):
    """λ₁/λ₀ is 1.03 to 1.2: inverse iteration does not come to an end, Lanczos does; ν against all modes."""
    flow = line(
        40, -0.8, 0.8, ABSORBED, potential=lambda x: height * (2 * np.cos(2 * np.pi * x) + tilt * x), mapping=mapping
    )
    chain = KilledChain(flow)
    factors = chain.eliminated(lambda *words: None)
    values, modes = np.linalg.eig(np.stack([factors.solve_forward(e) for e in np.eye(40)], 1) * chain.volume)
    slowest = int(np.argmax(values.real))
    nu = np.abs(modes[:, slowest].real)
    found = quasi_stationary(chain, factors, np.where(flow.grid.x.centers < 0, 1.0, 1e-3), lambda *words: None)
    assert found.method == "Lanczos and inverse iteration" and found.steps <= STEPS + POLISHED
    assert found.rate == pytest.approx(1 / values.real[slowest], rel=1e-12, abs=0)
    np.testing.assert_allclose(found.density, nu / np.sum(chain.volume * nu), rtol=1e-9)
