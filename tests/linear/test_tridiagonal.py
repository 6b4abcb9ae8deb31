"""Tridiagonal batches without subtraction: against exact rational arithmetic, for every size of the rates."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wgfpde.linear.tridiagonal import LANES, factor, solve, solve_balance

EPS = np.finfo(float).eps


def solution(alpha, beta, c, sums, periodic, rhs):
    """factor, then solve, on fresh arrays (n, lanes)."""
    n, lanes = rhs.shape
    e, f, g = np.zeros((3, n, lanes))
    u, v = np.zeros((2, n if periodic else 1, lanes))
    factor(alpha, beta, c, sums, periodic, e, f, g, u, v)
    out = rhs.copy()
    solve(e, f, g, u, v, periodic, out)
    return out


def matrix(alpha, beta, c, sums, periodic, k, number=float):
    """The dense matrix of lane k."""
    n = len(alpha)
    a = [[number(0)] * n for _ in range(n)]
    for i in range(n):
        a[i][i] += number(sums[i, k])
    for i in range(n if periodic else n - 1):
        j = (i + 1) % n
        forth, back = number(c) * number(alpha[i, k]), number(c) * number(beta[i, k])
        a[i][i] += forth
        a[j][i] -= forth
        a[j][j] += back
        a[i][j] -= back
    return a


def exact(a, b):
    """Gaussian elimination in rational numbers."""
    n = len(b)
    rows = [[*row, value] for row, value in zip(a, b, strict=True)]
    for p in range(n):
        pivot = next(r for r in range(p, n) if rows[r][p] != 0)
        rows[p], rows[pivot] = rows[pivot], rows[p]
        for r in range(p + 1, n):
            if rows[r][p] != 0:
                ratio = rows[r][p] / rows[p][p]
                rows[r] = [x - ratio * y for x, y in zip(rows[r], rows[p], strict=True)]
    x = [Fraction(0)] * n
    for p in reversed(range(n)):
        known = sum((rows[p][q] * x[q] for q in range(p + 1, n)), Fraction(0))
        x[p] = (rows[p][n] - known) / rows[p][p]
    return x


def draw(seed, n, lanes=LANES, spread=1.0):
    rng = np.random.default_rng(seed)
    alpha, beta = 10.0 ** rng.uniform(-spread, spread, (2, n, lanes))
    sums = rng.uniform(0.2, 2.0, (n, 1)) * np.ones((1, lanes))
    return alpha, beta, sums, rng.random((n, lanes))


@pytest.mark.parametrize("periodic", [False, True], ids=["chain", "cyclic"])
@pytest.mark.parametrize("lanes", [1, 3, LANES])
@pytest.mark.parametrize("n", [2, 3, 4, 5, 17, 64])
def test_solves_the_dense_system(n, lanes, periodic):
    alpha, beta, sums, rhs = draw(n, n, lanes)
    found = solution(alpha, beta, 0.7, sums, periodic, rhs)
    for k in range(lanes):
        expected = np.linalg.solve(matrix(alpha, beta, 0.7, sums, periodic, k), rhs[:, k])
        assert found[:, k] == pytest.approx(expected, rel=1e-11, abs=0)


@pytest.mark.parametrize("periodic", [False, True], ids=["chain", "cyclic"])
@pytest.mark.parametrize("n", [2, 3, 4, 17])
def test_solves_the_dense_system_with_fluxes_apart(n, periodic):
    """The right-hand side r_i − c (F_i − F_{i−1}), as one whole."""
    alpha, beta, sums, rhs = draw(n + 50, n, 3)
    flux = np.random.default_rng(n).normal(size=rhs.shape)
    if not periodic:
        flux[-1] = 0.0
    e, f, g, u, v = np.zeros((5, n, 3))
    factor(alpha, beta, 0.7, sums, periodic, e, f, g, u, v)
    found = rhs.copy()
    solve_balance(e, f, g, u, v, sums, periodic, flux, 1.3, found)
    whole = rhs - 1.3 * (flux - np.roll(flux, 1, axis=0))
    for k in range(3):
        expected = np.linalg.solve(matrix(alpha, beta, 0.7, sums, periodic, k), whole[:, k])
        np.testing.assert_allclose(found[:, k], expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("n", [2, 3, 4, 9, 30])
@pytest.mark.parametrize("periodic", [False, True], ids=["chain", "cyclic"])
def test_solves_with_rates_of_either_sign(n, periodic):
    """Newton's matrices: moderately negative rates, column sums still known."""
    alpha, beta, sums, rhs = draw(n + 100, n)
    rng = np.random.default_rng(n)
    alpha, beta = (0.15 * r * rng.choice([-0.2, 1.0], r.shape) / (1 + r) for r in (alpha, beta))
    rhs -= 0.5
    found = solution(alpha, beta, 1.0, sums, periodic, rhs)
    for k in range(LANES):
        expected = np.linalg.solve(matrix(alpha, beta, 1.0, sums, periodic, k), rhs[:, k])
        assert found[:, k] == pytest.approx(expected, rel=1e-11, abs=1e-12)


@pytest.mark.parametrize("periodic", [False, True], ids=["chain", "cyclic"])
@pytest.mark.parametrize("n", [2, 3, 4, 12])
@pytest.mark.parametrize("c", [1e-6, 1.0, 1e3, 1e6, 1e12])
def test_every_entry_is_accurate_relative_to_itself(c, n, periodic):
    alpha, beta, sums, rhs = draw(7, n, spread=3.0)
    rhs[n // 2] *= 1e-30
    found = solution(alpha, beta, c, sums, periodic, rhs)
    for k in range(3):
        a = matrix(alpha, beta, c, sums, periodic, k, Fraction)
        expected = exact(a, [Fraction(x) for x in rhs[:, k]])
        for value, truth in zip(found[:, k], expected, strict=True):
            assert abs(Fraction(float(value)) - truth) <= Fraction(16 * n * EPS) * truth


@pytest.mark.parametrize("periodic", [False, True], ids=["chain", "cyclic"])
@pytest.mark.parametrize("c", [1e3, 1e6, 1e9, 1e12])
def test_mass_is_kept_at_any_step(c, periodic):
    """The case of the module's docstring, 800 cells at dt = 1e3 and far beyond: plain elimination loses 2e-11."""
    n, h = 800, 0.01
    x = (np.arange(n) + 0.5) * h
    potential = np.cos(2 * np.pi * x / (n * h)) + (0 if periodic else 0.3 * x)
    s = (np.roll(potential, -1) - potential)[:, None] * np.ones((1, LANES))
    s = np.where(s == 0, 1e-30, s)
    beta = s / -np.expm1(-s) / h
    alpha = beta * np.exp(-s)
    sums = np.full((n, LANES), h)
    rhs = h * np.random.default_rng(0).random((n, LANES))
    found = solution(alpha, beta, c, sums, periodic, rhs)
    assert np.sum(sums * found, axis=0) == pytest.approx(np.sum(rhs, axis=0), rel=2e-14, abs=0)
    assert np.min(found) > 0
    gibbs = np.exp(-potential)[:, None] * np.ones((1, LANES))
    kept = solution(alpha, beta, c, sums, periodic, h * gibbs)
    assert kept == pytest.approx(gibbs, rel=2e-13, abs=0)


@settings(max_examples=50)
@given(
    n=st.integers(2, 12),
    periodic=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
    spread=st.floats(0, 12),
    exponent=st.floats(-12, 12),
    holes=st.floats(0, 0.7),
)
def test_positive_and_conservative_whatever_the_rates(n, periodic, seed, spread, exponent, holes):
    """Rates may vanish and span twenty-four orders; data may vanish too."""
    alpha, beta, sums, rhs = draw(seed, n, spread=spread)
    rng = np.random.default_rng(seed + 1)
    for values in (alpha, beta, rhs):
        values[rng.random(values.shape) < holes] = 0.0
    found = solution(alpha, beta, 10.0**exponent, sums, periodic, rhs)
    assert np.all(np.isfinite(found))
    assert np.min(found) >= 0
    assert np.sum(sums * found, axis=0) == pytest.approx(np.sum(rhs, axis=0), rel=1e-14, abs=0)


def test_lanes_do_not_see_each_other():
    alpha, beta, sums, rhs = draw(3, 20)
    for periodic in (False, True):
        together = solution(alpha, beta, 1.0, sums, periodic, rhs)
        for k in range(LANES):
            alone = solution(
                *(np.ascontiguousarray(z[:, k : k + 1]) for z in (alpha, beta)),
                1.0,
                np.ascontiguousarray(sums[:, :1]),
                periodic,
                np.ascontiguousarray(rhs[:, k : k + 1]),
            )
            assert np.array_equal(alone[:, 0], together[:, k])


def test_unused_lanes_stay_zero():
    alpha, beta, sums, rhs = draw(4, 6)
    for values in (alpha, beta, rhs):
        values[:, 5:] = 0.0
    sums[:, 5:] = 1.0
    for periodic in (False, True):
        assert not solution(alpha, beta, 1.0, sums, periodic, rhs)[:, 5:].any()
