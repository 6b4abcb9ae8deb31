"""One cell's energy and its conjugate: roots against a bracketing solver, Fenchel–Young, derivatives."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from strategies import logarithmic

from wgfpde.energy.energy import Internal
from wgfpde.energy.laws.power_cell import density_slow
from wgfpde.grid import Grid
from wgfpde.methods.jko.convex import ConvexStep
from wgfpde.methods.jko.predicted.start import spread
from wgfpde.transport.benamou_brenier.operators import Staggering

EPS = np.finfo(float).eps
LAWS = {
    "entropy": Internal("entropy", 1.0),
    "m=1.2": Internal("power", 1.0, 1.2),
    "m=2": Internal("power", 1.0, 2.0),
    "m=4": Internal("power", 1.0, 4.0),
    "m=0.8": Internal("power", 1.0, 0.8),
    "m=0.3": Internal("power", 1.0, 0.3),
    "none": Internal("none"),
}


# ------------------------------------------------------------------------------------- the root for slow diffusion


def root_by_brackets(y, c, m, mu):
    """ln ρ with a ρ^{m−1} = y + μ/ρ, both sides compared by their logarithms."""
    log_a, log_mu = math.log(c) + math.log(m / (m - 1)), math.log(mu)

    def excess(t):  # increasing in t; its sign is that of a ρ^m − yρ − μ
        power, barrier = log_a + (m - 1) * t, log_mu - t
        if y > 0:
            return power - np.logaddexp(math.log(y), barrier)
        if y < 0:
            return np.logaddexp(power, math.log(-y)) - barrier
        return power - barrier

    return brentq(excess, -1e6, 1e6, xtol=1e-14, rtol=4 * EPS, maxiter=2000)


def check_root(y, c, m, mu, guess):
    t = root_by_brackets(y, c, m, mu)
    assume(abs(t) < 250)
    rho = density_slow(y, c, m, mu, guess)
    assert rho > 0
    condition = 1 + abs(t) + abs(math.log(c)) + abs(math.log(mu)) + abs(math.log(abs(y) if y else 1))
    assert math.log(rho) == pytest.approx(t, abs=32 * EPS * condition / min(m - 1, 1.0))


signs = st.sampled_from((-1.0, 0.0, 1.0))
exponents = st.one_of(st.sampled_from((1.01, 1.1, 1.5, 2.0, 3.0, 4.0, 10.0)), st.floats(1.05, 8.0))


@settings(max_examples=400)
@given(
    sign=signs,
    size=logarithmic(1e-60, 1e60),
    c=logarithmic(1e-30, 1e30),
    m=exponents,
    mu=logarithmic(1e-60, 1e30),
    guess=st.one_of(st.just(0.0), logarithmic(1e-80, 1e80)),
)
def test_the_density_of_slow_diffusion_against_brackets(sign, size, c, m, mu, guess):
    check_root(sign * size, c, m, mu, guess)


@settings(max_examples=200)
@given(y=st.floats(-10, 10), c=logarithmic(1e-6, 10), m=exponents, mu=logarithmic(1e-14, 1), guess=st.floats(0, 10))
def test_the_density_of_slow_diffusion_at_everyday_sizes(y, c, m, mu, guess):
    check_root(y, c, m, mu, guess)


@settings(max_examples=100)
@given(y=st.floats(-1e3, 1e3), c=logarithmic(1e-6, 10), m=exponents)
def test_without_barrier_the_density_is_a_power(y, c, m):
    rho = density_slow(y, c, m, 0.0, 0.0)
    if y <= 0:
        assert rho == 0.0
    elif rho == np.inf:  # only where it has no number
        assert np.log(y * (m - 1) / (c * m)) / (m - 1) > np.log(np.finfo(float).max) * (1 - 1e-12)
    elif rho > 1e-300:
        assert c * m / (m - 1) * rho ** (m - 1) == pytest.approx(y, rel=1e-12, abs=0)


@settings(max_examples=100)
@given(y=st.floats(-5, 5), c=logarithmic(1e-3, 10), m=exponents, mu=logarithmic(1e-12, 1), seed=st.integers(0, 10**6))
def test_the_guess_changes_the_density_by_rounding_only(y, c, m, mu, seed):
    plain = density_slow(y, c, m, mu, 0.0)
    for guess in plain * 10.0 ** np.random.default_rng(seed).uniform(-8, 8, 5):
        assert density_slow(y, c, m, mu, guess) == pytest.approx(plain, rel=64 * EPS / min(m - 1, 1.0), abs=0)


# --------------------------------------------------------------------------------------- conjugacy, law by law


def flat(law, y, tau=0.3, volume=1.0):
    """A step with ρ⁰ = 0 and φ = 0 in cells of which each has its own y = −τV: D is then ΣB(y)."""
    n = len(y)
    stagger = Staggering(Grid([0.0], [n * volume], [n]))
    return ConvexStep(stagger, LAWS[law], np.zeros((1, n)), -np.array([y]) / tau, tau)


def density_and_value(law, y, mu, tau=0.3):
    """ρ(y) and B(y) of one y."""
    point = flat(law, [y, y], tau).point(np.zeros((1, 2)), mu)
    return float(point.rho[0, 0]), 0.5 * point.value


def primal(law, rho, y, mu, tau=0.3):
    """c U(ρ) − μ ln ρ − yρ with U of the energy."""
    value = tau * float(LAWS[law].density(np.array([rho]))[0]) - y * rho
    return value - mu * math.log(rho) if mu > 0 else value


def arguments(law, y, mu):
    """y inside the domain of the law, and no barrier where it takes none."""
    if law in ("m=0.8", "m=0.3", "none"):
        y = -abs(y) - 1e-3
    return y, mu if LAWS[law].empties else 0.0


@pytest.mark.parametrize("law", LAWS)
@settings(max_examples=60)
@given(y=st.floats(-3, 3), mu=logarithmic(1e-8, 1), seed=st.integers(0, 10**6))
def test_fenchel_young(law, y, mu, seed):
    """B(y) is attained at ρ(y), and nothing lies below it."""
    y, mu = arguments(law, y, mu)
    rho, value = density_and_value(law, y, mu)
    size = abs(y * rho) + abs(value) + abs(mu * math.log(rho)) + 1e-300
    assert value == pytest.approx(primal(law, rho, y, mu), abs=16 * EPS * size)
    for other in rho * 10.0 ** np.random.default_rng(seed).uniform(-3, 1, 8):
        assert primal(law, other, y, mu) >= value - 64 * EPS * (size + abs(y * other))


@pytest.mark.parametrize("law", LAWS)
@settings(max_examples=60)
@given(y=st.floats(-3, 3), mu=logarithmic(1e-6, 1))
def test_the_value_falls_at_the_rate_of_the_density(law, y, mu):
    """B' = −ρ, by fourth-order differences."""
    y, mu = arguments(law, y, mu)
    h = 2e-4 * min(1.0, -y) if y < 0 else 2e-4 * min(1.0, max(mu, 1e-3))
    rho, value = density_and_value(law, y, mu)
    b = {k: density_and_value(law, y + k * h, mu)[1] for k in (-2, -1, 1, 2)}
    slope = (8 * (b[1] - b[-1]) - (b[2] - b[-2])) / (12 * h)
    assert slope == pytest.approx(-rho, rel=1e-5, abs=1e-14 * abs(value) / h + 1e-9)


@pytest.mark.parametrize("law", LAWS)
@settings(max_examples=60)
@given(y=st.floats(-3, 3), mu=logarithmic(1e-8, 1))
def test_the_density_satisfies_its_equation(law, y, mu):
    """c U'(ρ) − μ/ρ = y with U' of the energy."""
    y, mu = arguments(law, y, mu)
    rho, _ = density_and_value(law, y, mu)
    slope = 0.3 * float(LAWS[law].derivative(np.array([rho]))[0])
    assert slope - mu / rho == pytest.approx(y, abs=1e-12 * (abs(slope) + mu / rho + abs(y)) + 1e-15)


@pytest.mark.parametrize("m", [1.2, 2.0, 4.0])
def test_vacuum_without_barrier(m):
    """μ = 0: ρ = 0 and B = 0 for y ≤ 0, and no NaN."""
    rho, value = density_and_value(f"m={m:g}", -1.0, 0.0)
    assert (rho, value) == (0.0, 0.0)


def test_laws_with_vacuum():
    assert [LAWS[law].empties for law in LAWS] == [False, True, True, True, False, False, True]


# ---------------------------------------------------------------------------------------------- sums and guesses


@pytest.mark.parametrize("law", LAWS)
def test_energies_of_a_certificate_are_those_of_the_energy(law):
    """With φ = 0 nothing moves: the primal value is τE(ρ⁰), vacuum included."""
    rng = np.random.default_rng(3)
    stagger = Staggering(Grid([0.0, 0.0], [1.0, 2.0], [5, 4], False, [lambda s: s**1.5, None]))
    rho0 = 10.0 ** rng.uniform(-12, 1, stagger.shape) * (rng.random(stagger.shape) < 0.7)
    v = rng.normal(size=stagger.shape)
    proof = ConvexStep(stagger, LAWS[law], rho0, v, 0.3).certify(*(np.zeros(stagger.shape) for _ in range(4)))
    internal = np.sum(stagger.volume * LAWS[law].density(rho0))
    potential = np.sum(stagger.volume * v * rho0)
    assert np.array_equal(proof.rho, rho0)
    assert proof.transport == 0.0
    assert proof.primal == pytest.approx(0.3 * (internal + potential), rel=1e-13, abs=0)
    slope = (LAWS[law].density(rho0 * (1 + 1e-6)) - LAWS[law].density(rho0 * (1 - 1e-6))) / 2e-6
    pressure = np.sum(stagger.volume * (slope - LAWS[law].density(rho0)))  # ρU' − U
    mass = stagger.volume * rho0
    spread = np.sum(mass * np.abs(v - potential / np.sum(mass))) + 1e-3 * np.sum(mass * (v - v.min()))
    assert proof.scale == pytest.approx(0.3 * (pressure + spread), rel=1e-8, abs=0)


@pytest.mark.parametrize("shape", [(1, 9), (6, 1), (5, 7)])
def test_spread_is_the_smallest_field_that_falls_slowly(shape):
    """max over all cells of ratio^distance · max(ρ, least), distances counted along the axes."""
    rng = np.random.default_rng(1)
    rho = 10.0 ** rng.uniform(-30, 0, shape) * (rng.random(shape) < 0.5)
    out = np.full(shape, np.nan)
    spread(rho, 1e-3, 1e-20, out)
    j, i = np.indices(shape)
    best = np.zeros(shape)
    for at in np.ndindex(shape):
        best = np.maximum(best, 1e-3 ** (np.abs(j - at[0]) + np.abs(i - at[1])) * max(rho[at], 1e-20))
    assert out == pytest.approx(best, rel=1e-12, abs=0)
