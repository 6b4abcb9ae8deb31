"""Fluxes, face means and limiters, one at a time, against high precision and against their own algebra."""

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wgfpde.energy.donor import donor_weight
from wgfpde.energy.laws.law import ENTROPY, NONE, POWER
from wgfpde.energy.laws.power_flux import blend, fast_flux, mobilities_at_rest, mobility, power, slow_flux, stolarsky
from wgfpde.energy.rates import sg_rates
from wgfpde.energy.scharfetter_gummel import bernoulli
from wgfpde.methods.finite_volumes.limiter import UNTOLD, correct_fluxes, dissipate, energy_change
from wgfpde.methods.finite_volumes.powers.power_newton import rounding

EPS = np.finfo(float).eps
SLOW, FAST = (2.0, 2.5, 3.0, 4.0, 7.5), (1.9, 1.5, 1.05, 0.75, 0.6, 0.3)
POSITIVE = st.floats(1e-12, 1e3)
JUMPS = st.one_of(st.just(0.0), st.floats(1e-6, 1e3), st.floats(-1e3, -1e-6))


def exact_bernoulli(s):
    with localcontext() as context:
        context.prec = 400
        x = Decimal(s)
        return x / (x.exp() - 1)


def exact_mean(a, b, m):
    """Δp/ΔU' to 80 digits."""
    with localcontext() as context:
        context.prec = 80
        a, b, m = Decimal(a), Decimal(b), Decimal(m)
        if a == b:
            return a
        if 0 in (a, b):
            return (m - 1) / m * (a + b) if m > 1 else Decimal(0)
        return (m - 1) / m * (b**m - a**m) / (b ** (m - 1) - a ** (m - 1))


def flux_of(a, b, dphi, kappa, m):
    """(d·F, its derivatives …)."""
    one = slow_flux if m >= 2.0 else fast_flux
    return one(a, b, power(a, m), power(b, m), dphi, kappa, m)


def terms_of(a, b, dphi, kappa, m):
    """The size of the terms of d·F, which bounds its rounding."""
    qa, qb = power(a, m), power(b, m)
    drive = kappa * m / abs(m - 1) * (qa + qb) + abs(dphi)
    return kappa * (a * qa + b * qb) + max(a, b) * drive


@pytest.mark.parametrize("s", [1e-300, 1e-20, 1e-9, 1e-4, 1e-3, 0.1, 0.3, 0.4999, 0.5, 1.0, 30.0, 300.0, 699.9])
def test_bernoulli_to_full_precision(s):
    assert abs(Decimal(float(bernoulli(s))) / exact_bernoulli(s) - 1) <= 4 * Decimal(EPS)
    assert abs(Decimal(float(s + bernoulli(s))) / exact_bernoulli(-s) - 1) <= 4 * Decimal(EPS)


def test_bernoulli_at_the_ends():
    assert bernoulli(0.0) == 1.0
    assert bernoulli(800.0) == 0.0
    assert bernoulli(1e300) == 0.0


@settings(max_examples=50)
@given(jump=st.floats(-1e3, 1e3), kappa=st.sampled_from([1.0, 0.01, 30.0]))
def test_scharfetter_gummel_rates_balance_the_gibbs_state(jump, kappa):
    """a e^{−Φ_i/κ} = b e^{−Φ_{i+1}/κ} and a − b = −ΔΦ/d."""
    phi = np.array([[0.0, jump]])
    a, b = np.zeros((2, 1, 2, 1))
    sg_rates(0, 1, phi, 1, np.zeros(2), np.array([0.5, np.inf]), kappa, False, a, b)
    a, b = a[0, 0, 0], b[0, 0, 0]
    assert min(a, b) >= 0
    assert a - b == pytest.approx(-jump / 0.5, rel=1e-14, abs=4 * EPS * kappa / 0.5)
    if abs(jump / kappa) < 690:
        assert min(a, b) == pytest.approx(max(a, b) * math.exp(-abs(jump) / kappa), rel=1e-12, abs=0)


@settings(max_examples=100)
@given(a=POSITIVE, ratio=st.floats(-16, 16), m=st.sampled_from(SLOW + FAST))
def test_stolarsky_mean_to_high_precision(a, ratio, m):
    b = a * (1 + 10.0**ratio)
    for x, y in ((a, b), (b, a)):
        found = stolarsky(x, y, power(x, m), power(y, m), m)
        assert abs(Decimal(float(found)) / exact_mean(x, y, m) - 1) <= 64 * Decimal(EPS) / min(1, Decimal(abs(m - 1)))
        assert min(x, y) * (1 - 8 * EPS) <= found


@pytest.mark.parametrize("m", SLOW + FAST)
def test_stolarsky_mean_in_its_limits(m):
    for a in (1e-8, 0.3, 50.0):
        q = power(a, m)
        assert stolarsky(a, a, q, q, m) == pytest.approx(a, rel=2 * EPS, abs=0)
        if m > 1:
            for x, y in ((a, 0.0), (0.0, a)):
                assert stolarsky(x, y, power(x, m), power(y, m), m) == pytest.approx(
                    (m - 1) / m * a, rel=4 * EPS, abs=0
                )
    if m > 1:
        assert stolarsky(0.0, 0.0, 0.0, 0.0, m) == 0.0


@settings(max_examples=100)
@given(a=POSITIVE, b=POSITIVE, m=st.sampled_from(SLOW + FAST))
def test_stolarsky_mean_lies_between_its_arguments(a, b, m):
    found = stolarsky(a, b, power(a, m), power(b, m), m)
    slack = 64 * EPS / min(1.0, abs(m - 1))
    assert min(a, b) * (1 - slack) <= found <= max(a, b) * (1 + slack)


@settings(max_examples=200)
@given(a=POSITIVE, b=POSITIVE, dphi=JUMPS, kappa=st.sampled_from([1.0, 0.05, 7.0]), m=st.sampled_from(SLOW + FAST))
def test_flux_runs_down_the_gradient(a, b, dphi, kappa, m):
    """F Δξ ≤ 0, and the flux changes sign when the face is turned around."""
    value, size = flux_of(a, b, dphi, kappa, m)[0], terms_of(a, b, dphi, kappa, m)
    dxi = kappa * m / (m - 1) * (power(b, m) - power(a, m)) + dphi
    rounding = 16 * EPS * (kappa * m / abs(m - 1) * (power(a, m) + power(b, m)) + abs(dphi))
    assert value * dxi <= 64 * EPS * size * abs(dxi) + size * rounding
    turned = flux_of(b, a, -dphi, kappa, m)[0]
    assert turned == pytest.approx(-value, abs=64 * EPS * size / min(1.0, abs(m - 1)))


@settings(max_examples=100)
@given(b=POSITIVE, dphi=JUMPS, kappa=st.sampled_from([1.0, 0.05, 7.0]), m=st.sampled_from((*SLOW, 1.9, 1.5)))
def test_nothing_leaves_an_empty_cell(b, dphi, kappa, m):
    if m < 2:
        value = flux_of(1e-300, b, dphi, kappa, m)[0]
        assert value <= 1e-290 * (1 + abs(dphi)) + 1e-13 * terms_of(1e-300, b, dphi, kappa, m)
    else:
        assert flux_of(0.0, b, dphi, kappa, m)[0] <= 0
        assert flux_of(b, 0.0, dphi, kappa, m)[0] >= 0


@pytest.mark.parametrize("m", SLOW)
def test_flux_without_drift_is_the_difference_of_pressures(m):
    for a, b in ((0.0, 1.0), (0.3, 0.0), (2.0, 1e-30), (1.0, 1.0)):
        assert flux_of(a, b, 0.0, 0.7, m)[0] == pytest.approx(0.7 * (a**m - b**m), rel=1e-15, abs=0)


@settings(max_examples=200)
@given(a=st.floats(1e-3, 1e2), b=st.floats(1e-3, 1e2), dphi=st.floats(-20, 20), m=st.sampled_from(SLOW + FAST))
def test_flux_derivatives_against_differences(a, b, dphi, m):
    """In ρ for m ≥ 2, in ln ρ below; skipped within a difference of the kinks of the limiter and the blend."""
    kappa = 0.8

    def value(x, y):
        return flux_of(x, y, dphi, kappa, m)[0]

    left, right = flux_of(a, b, dphi, kappa, m)[1:3]
    size = terms_of(a, b, dphi, kappa, m)
    for which, found in ((0, left), (1, -right)):
        centre = a if which == 0 else b
        step = 1e-5 * centre

        def at(t, which=which, centre=centre, step=step):
            x = centre + t * step
            return value(x, b) if which == 0 else value(a, x)

        scale = centre if m < 2 else 1.0
        sides = [scale * (at(s) - at(0.0)) / (s * step) for s in (1.0, -1.0)]
        tolerance = 1e-3 * (abs(found) + size * scale / centre) + 1e-9
        if abs(sides[0] - sides[1]) <= tolerance:
            assert found == pytest.approx(scale * (at(1.0) - at(-1.0)) / (2 * step), abs=tolerance)


@pytest.mark.parametrize("m", [0.5, 1.5])
def test_blend_is_smooth_and_between_zero_and_one(m):
    q = np.logspace(-6, 6, 4001)
    omega, slope = np.array([blend(x, m) for x in q]).T
    assert np.all((omega >= 0) & (omega <= 1))
    assert np.all(np.diff(omega) >= -1e-15)
    numeric = np.gradient(omega, np.log(q))
    away = np.abs(q - 1) > 0.02
    assert slope[away] == pytest.approx(numeric[away], abs=2e-4)


@settings(max_examples=100)
@given(rho=st.tuples(*[st.floats(0, 10)] * 3), h=st.floats(0.1, 3), back=st.floats(0.1, 3), front=st.floats(0.1, 3))
def test_donor_weight_is_bounded(rho, h, back, front):
    weight = donor_weight(*rho, h, back, front)
    assert 0 <= weight <= 2
    if min(back, front) >= 0.5 * h and rho[1] > 0:  # cells of a grid
        assert weight * rho[1] <= max(rho) * (1 + 4 * EPS)


@settings(max_examples=50)
@given(
    n=st.integers(2, 20),
    periodic=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
    low=st.floats(-320, 5),
    size=st.floats(-320, 20),
    gaps=st.floats(0, 0.5),
)
def test_flux_correction_is_conservative_and_positive(n, periodic, seed, low, size, gaps):
    """From subnormal to huge: nothing turns negative and what leaves a cell enters the next."""
    rng = np.random.default_rng(seed)
    h = rng.uniform(0.1, 2, n)
    start = rng.random((n, 1)) * 10.0**low * 10.0 ** (-rng.uniform(0, 30, (n, 1)) * rng.integers(2))
    start[rng.random((n, 1)) < gaps] = 0.0
    anti = rng.standard_normal((n, 1)) * 10.0**size
    asked, out = anti.copy(), np.empty((n, 1))
    correct_fluxes(start, anti, np.zeros(0), np.zeros(0), h, periodic, 0.0, 0, out)
    assert np.min(out) >= 0
    total = math.fsum(h * start[:, 0])
    assert abs(math.fsum(h * out[:, 0]) - total) <= 8 * n * EPS * total + n * 1e-322
    faces = n if periodic else n - 1
    assert np.all(np.abs(anti[:faces]) <= np.abs(asked[:faces]))
    assert np.all(anti[:faces] * asked[:faces] >= 0)


def test_flux_correction_leaves_room_alone():
    h, low = np.full(6, 0.5), np.full((6, 1), 1.0)
    anti = np.array([[0.1], [-0.1], [0.2], [0.0], [0.1], [9.0]])
    out = np.empty((6, 1))
    assert correct_fluxes(low, anti, np.zeros(0), np.zeros(0), h, False, 0.0, 0, out) == 0
    assert out[:, 0] == pytest.approx([0.8, 1.4, 0.4, 1.4, 0.8, 1.2], rel=1e-9, abs=0)


@pytest.mark.parametrize("ring", [False, True])
def test_cells_that_lack_rounding_are_repaired_and_not_counted(ring):
    """Two cells of a lane of mass 1 give too much away: one a tenth, one some 1e-30."""
    h, low = np.full(4, 0.5), np.array([[1.0], [1e-30], [1.0], [1e-30]])
    for noise, counted in ((0.0, 2), (UNTOLD, 1)):
        anti, out = np.array([[0.6], [2e-30], [0.0], [0.0]]), np.empty((4, 1))
        assert correct_fluxes(low, anti, np.zeros(0), np.zeros(0), h, ring, noise, 0, out) == counted
        assert np.min(out) >= 0 and anti[:2, 0] == pytest.approx([0.5, 5e-31], rel=1e-14, abs=0)
    for lacks, counted in ((0.5 * UNTOLD, 0), (2.0 * UNTOLD, 1)):  # a drain, of the mass of the lane
        anti, out, drain = np.zeros((4, 1)), np.empty((4, 1)), np.array([0.0, lacks, 0.0, 0.0])
        assert correct_fluxes(low, anti, drain, np.ones(4), h, ring, UNTOLD, 0, out) == counted


@pytest.mark.parametrize(
    ("kind", "m"), [(NONE, 1.0), (ENTROPY, 1.0), (POWER, 2.0), (POWER, 3.0), (POWER, 1.5), (POWER, 0.6)]
)
def test_dissipate_ends_at_or_below_the_old_energy(kind, m):
    rng = np.random.default_rng(5)
    n = 12
    h, phi = rng.uniform(0.5, 1, n), rng.standard_normal((n, 1))
    old, peak = 1 + rng.random((n, 1)), np.zeros((n, 1))
    peak[np.argmax(phi)] = np.sum(h * old[:, 0]) / h[np.argmax(phi)]  # all mass at the top of Φ
    low = old.copy()
    low[np.argmin(phi)] += 0.1 / h[np.argmin(phi)]  # and a little moved downhill
    low[np.argmax(phi)] -= 0.1 / h[np.argmax(phi)]
    new = peak.copy()
    kappa = 1e-3
    raised = energy_change(new, old, phi, h, kind, kappa, m, 0)[0] > 0
    assert dissipate(new, low, old, phi, h, kind, kappa, m, 0) == raised
    change, scale = energy_change(new, old, phi, h, kind, kappa, m, 0)
    assert change <= 4 * EPS * scale
    assert np.sum(h * new[:, 0]) == pytest.approx(np.sum(h * old[:, 0]), rel=1e-14, abs=0)
    assert not dissipate(new, low, old, phi, h, kind, kappa, m, 0)


@pytest.mark.parametrize("m", [0.6, 1.5, 2.0, 3.0, 8.0])
@pytest.mark.parametrize(("a", "b"), [(0.01, 5.0), (5.0, 0.01), (1.0, 1.3), (2.0, 2.0), (1.0, 0.0)])
def test_the_mobility_at_rest_is_the_mean_of_its_limits(a, b, m):
    """M of ΔΦ = −ΔU' ± δ for δ → 0, also where the limiter holds the mean back; 0 beside vacuum."""
    found, kappa = np.empty(1), 0.7
    mobilities_at_rest(np.array([a]), np.array([b]), m, found)
    if b == 0.0:
        assert found[0] == 0.0
        return
    qa, qb = power(a, m), power(b, m)
    rise = kappa * m / (m - 1.0) * (qb - qa)
    sides = [mobility(a, b, qa, qb, -rise + tip, tip, kappa, m) for tip in (-1e-9, 1e-9)]
    assert found[0] == pytest.approx(0.5 * sum(sides), rel=1e-6, abs=0)
    if m >= 2.0:
        assert found[0] <= a + b


@pytest.mark.parametrize("m", [2.5, 3.0, 4.0])
def test_the_error_of_the_flux_near_a_front_is_that_of_taylors_formula(m):
    """ρ = s^p, p = 1/(m − 1), at k cells from its front, which recedes at speed 1 against a drift of 5: F_h(ρ̄) − F."""
    k, g, p = 30, 5.0, 1 / (m - 1)
    low, high = (((i + 1) ** (p + 1) - i ** (p + 1)) / (p + 1) for i in (k - 1.0, float(k)))
    found = slow_flux(low, high, low ** (m - 1), high ** (m - 1), -g, (m - 1) / m, m)[0] - k**p * (g - 1)
    expected = -(1 - p) * (2 * p * g + 1 - 2 * p) / 24
    assert found / k ** (p - 2) == pytest.approx(expected, rel=0, abs=1 / k**2)


@pytest.mark.parametrize("m", [0.6, 1.5, 2.0, 3.0])
@pytest.mark.parametrize("ring", [False, True])
def test_rounding_of_a_residual_has_no_direction(m, ring):
    """A line from right to left: the floor of ‖R‖₁ sums what both cells of a face are sensitive to, and is the same."""
    rng, n, lanes = np.random.default_rng(7), 7, 2
    old, new, q = rng.uniform(0.1, 2.0, (3, n, lanes))
    phi, h = rng.normal(size=(n, lanes)), rng.uniform(0.5, 1.5, n)
    across, left, right = rng.uniform(0.5, 4.0, n), *rng.normal(size=(2, n, lanes))  # of face i+½ in row i
    shut = False, np.zeros((2, 1, lanes)), np.zeros((2, 1, lanes)), np.zeros((1, lanes)), np.zeros((5, 1, lanes))
    law, found = (np.full(lanes, 0.7), m), np.zeros((2, lanes))
    rounding(old, phi, new, 10.0, (h, across, ring), law, shut, lanes, q, left, right, found[0])

    def turned(cells):
        return np.ascontiguousarray(cells[::-1])

    def faces(values):
        return np.ascontiguousarray(np.roll(values[::-1], -1, axis=0))  # the last, of a ring or of none, stays the last

    rounding(
        turned(old), turned(phi), turned(new), 10.0, (turned(h), faces(across), ring), law, shut, lanes, turned(q),
        faces(right), faces(left), found[1],
    )  # fmt: skip
    np.testing.assert_allclose(found[0], found[1], rtol=1e-14)
    more = np.zeros(lanes)
    for side in (0, 1):  # and falls where either is less sensitive
        parts = [np.zeros_like(left) if k == side else part for k, part in enumerate((left, right))]
        rounding(old, phi, new, 10.0, (h, across, ring), law, shut, lanes, q, *parts, more)
        assert np.all(more < found[0])
