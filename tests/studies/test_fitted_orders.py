"""Orders, limits and least squares of errors that are given: the mathematics below a study of convergence."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from wgfpde.cli import main
from wgfpde.studies.convergence import orders
from wgfpde.studies.convergence.orders import collapsed, extrapolate, fit, fitted_order, pairwise
from wgfpde.studies.convergence.run_errors import differences

positive = st.floats(1e-8, 1e8)
order = st.floats(0.3, 6.0)


@st.composite
def sizes(draw, least=2):
    """From coarse to fine, neighbours 1.2 to 4 times apart."""
    ratios = draw(st.lists(st.floats(1.2, 4.0), min_size=least - 1, max_size=5))
    return draw(st.floats(1e-3, 1e3)) / np.cumprod([1.0, *ratios])


@given(sizes(), order, positive)
def test_order_against_the_solution(s, p, c):
    e = c * s**p
    assert fit(s, e) == pytest.approx(p, abs=1e-9) == fitted_order(s, e)
    assert np.allclose(pairwise(s, e)[1:], p, atol=1e-9) and math.isnan(pairwise(s, e)[0])


@given(sizes(least=3), order, positive)
def test_order_against_the_finest_run(s, p, c):
    """The finest run errs too: the fit knows that, the plain slope is too steep."""
    e = c * (s**p - s[-1] ** p)
    e[-1] = math.nan
    assert fit(s, e, s[-1]) == pytest.approx(p, abs=1e-6)
    assert np.allclose(pairwise(s, e, s[-1])[1:-1], p, atol=1e-6)
    assert fitted_order(s[:-1], e[:-1]) > p


def test_how_steep_the_plain_slope_is():
    """As the module says: sizes 4, 2 against 1."""
    for p, plain in ((1, 1.58), (2, 2.32)):
        e = [4.0**p - 1, 2.0**p - 1]
        assert fitted_order([4, 2], e) == pytest.approx(plain, abs=5e-3)
        assert fit([4, 2], e, 1) == pytest.approx(p, abs=1e-12)


def test_a_least_squares_fit_lies_between_its_pairs():
    s, e = np.array([8.0, 4.0, 2.0, 1.0]), np.array([20.0, 7.0, 1.4, math.nan])
    pairs = pairwise(s, e, 1.0)[1:3]
    assert pairs.min() < fit(s, e, 1.0) < pairs.max()


@pytest.mark.parametrize("e", [[1.0], [1.0, math.nan], [0.0, 0.0], [math.nan, math.nan]])
def test_too_few_errors_have_no_order(e):
    assert math.isnan(fit(np.arange(len(e), 0, -1) + 1.0, e)) and math.isnan(fit([9.0, 8.0][: len(e)], e, 1.0))


def test_errors_that_grow():
    """Against a solution the order is negative; no power law gives them against the finest run."""
    assert fit([2, 1], [1.0, 2.0]) == pytest.approx(-1, rel=1e-9, abs=0)
    assert math.isnan(fit([4, 2], [1.0, 2.0], 1))


@given(sizes(least=3), order, positive, st.floats(-100, 100), st.sampled_from([-1, 1]))
def test_richardson(s, p, c, v0, sign):
    """Order and limit from three values, for sizes of any ratios."""
    v = v0 + sign * c * s**p
    spread = np.abs(v[-3:-1] - v[-1])
    assume(np.all(spread > 1e-6 * np.max(np.abs(v))))
    found = extrapolate(s, v)
    assert found.order == pytest.approx(p, rel=1e-3, abs=0)
    assert found.value == pytest.approx(v0, abs=1e-2 * abs(v[-1] - v0) + 1e-9 * np.max(np.abs(v)))
    assert found.error == pytest.approx(abs(found.value - v[-1]), abs=1e-12 * np.max(np.abs(v)))


@pytest.mark.parametrize("v", [[1, 2], [1, 2, 1.5], [1, 2, 4], [3, 3, 3], [1, 1 + 1e-15, 1], [1, math.nan, 2]])
def test_no_limit(v):
    """Too few, to and fro, growing, equal, rounding."""
    assert extrapolate([4, 2, 1][: len(v)], v) is None


def test_collapsed():
    s = 0.1 * 0.5 ** np.arange(6)
    for p in (1, 2):
        assert not collapsed(pairwise(s, s**p), p)
        assert collapsed(pairwise(s, s**p + 5 * s[-1] ** p), p)
        assert collapsed(pairwise(s[:2], [1.0, 0.99]), p)  # at the floor from the start
    assert not collapsed(pairwise(s, s), 2)  # a rough solution, of half the order throughout
    assert not collapsed([math.nan], 2) and not collapsed([math.nan, 2.0, math.nan], 2)


def test_differences_leave_rounding_out():
    assert np.array_equal(differences(np.array([3.0, math.nan, 2.0, 1.0])), [2, math.nan, 1, math.nan], equal_nan=True)
    assert np.isnan(differences(np.array([1.0, 1.0 + 1e-15, 1.0]))).all()
    assert np.isnan(differences(np.full(2, math.nan))).all()


def test_growth_is_smooth_through_zero():
    """The function and its slope, also where their terms cancel."""
    x, eps = np.array([0.3, 1.1]), 1e-5
    for p in (-2.0, -1e-3, 0.0, 1e-3, 0.5, 7.0):
        slope = (orders._growth(p + eps, x) - orders._growth(p - eps, x)) / (2 * eps)
        assert np.ptp(orders._growth_slope(p, x) - slope) < 1e-6


def test_a_run_that_blew_up_is_no_row(tmp_path, capsys):
    """It ends where its own grid gave up, at another time than the others."""
    out = ["--out", str(tmp_path / "study"), "--set", "solver.dt=0.005", "--measure", "max", "--quiet"]
    arguments = ["converge", "keller_segel_blow_up_2d", "--vary", "grid.shape=16,24,32", *out]
    for _ in range(2):  # found, and found again
        assert main(arguments) == 1
        assert "blow-up at t = " in capsys.readouterr().err
