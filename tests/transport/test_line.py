"""Optimal transport in 1D against closed forms and against brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from wgfpde.errors import CaseError
from wgfpde.grid import Grid
from wgfpde.transport import Points, distances
from wgfpde.transport import w2 as w2_on_grids
from wgfpde.transport.line import Coupling, levels_of
from wgfpde.transport.quantile_pass import quantile_cost

MASSES = st.lists(st.sampled_from([0.0, 0.0, 1e-300, 1e-3, 0.5, 1.0, 7.0]), min_size=2, max_size=9)


@st.composite
def density(draw):
    """(edges, cell masses) of mass 2, some cells empty; the edges span [−1, 3]."""
    masses = np.array(draw(MASSES))
    if not masses.sum() > 1e-6:
        masses[0] = 1.0
    widths = np.array(draw(st.lists(st.floats(0.05, 1.0), min_size=len(masses), max_size=len(masses))))
    edges = np.concatenate([[0.0], np.cumsum(widths)])
    return -1 + 4 * edges / edges[-1], 2 * masses / masses.sum()


def w2(a, b, periodic=False):
    return Coupling(*a, *b, periodic).w2


@given(density(), density(), density(), st.booleans())
def test_it_is_a_distance(a, b, c, periodic):
    assert w2(a, a, periodic) == 0.0
    assert w2(a, b, periodic) == pytest.approx(w2(b, a, periodic), rel=1e-6, abs=1e-6)
    assert w2(a, c, periodic) <= w2(a, b, periodic) + w2(b, c, periodic) + 1e-6


@given(density(), st.floats(-10, 10))
def test_translations(a, shift):
    edges, masses = a
    assert w2(a, (edges + shift, masses)) == pytest.approx(np.sqrt(2) * abs(shift), rel=1e-12, abs=1e-12)


@given(density(), density(), st.floats(-10, 10))
def test_translation_splits_off_the_means(a, b, shift):
    """W₂²(a, b + s) = W₂²(a, b) + 2 s M (mean b − mean a) + M s²."""
    means = [np.sum(m * (e[:-1] + e[1:]) / 2) / 2 for e, m in (a, b)]
    expected = w2(a, b) ** 2 + 4 * shift * (means[1] - means[0]) + 2 * shift**2
    assert w2(a, (b[0] + shift, b[1])) ** 2 == pytest.approx(expected, rel=1e-11, abs=1e-11)


@given(density(), st.floats(0.01, 100))
def test_dilations(a, factor):
    """About 0, the quantiles are scaled: W₂² = (λ − 1)² ∫x²."""
    edges, masses = a
    squares = np.sum(masses * (edges[:-1] ** 2 + edges[:-1] * edges[1:] + edges[1:] ** 2) / 3)
    expected = abs(factor - 1) * np.sqrt(squares)
    assert w2(a, (factor * edges, masses)) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(density(), density(), st.floats(0, 1), st.booleans())
def test_the_geodesic_has_constant_speed_and_keeps_mass(a, b, s, periodic):
    """Cells of an interpolation lose what is inside them: compare on fine cells, to their width."""
    coupling = Coupling(*a, *b, periodic)
    edges = np.linspace(-1, 3, 2001)
    masses = coupling.deposit(s, edges)
    assert masses.min() >= 0 and masses.sum() == pytest.approx(2, rel=1e-14, abs=0)
    width = 2e-3 * np.sqrt(2)
    assert w2(a, (edges, masses), periodic) == pytest.approx(s * coupling.w2, abs=2 * width)
    assert w2((edges, masses), b, periodic) == pytest.approx((1 - s) * coupling.w2, abs=2 * width)


@given(density(), density())
def test_the_ends_of_the_geodesic(a, b):
    coupling = Coupling(*a, *b)
    np.testing.assert_allclose(coupling.deposit(0.0, a[0]), a[1], atol=1e-14)
    np.testing.assert_allclose(coupling.deposit(1.0, b[0]), b[1], atol=1e-14)


@given(density(), density())
def test_one_pass_finds_the_cost_of_the_pieces(a, b):
    found = quantile_cost(a[0], levels_of(a[1]), b[0], levels_of(b[1]))
    assert 2 * found == pytest.approx(Coupling(*a, *b).w2 ** 2, rel=1e-13, abs=1e-28)


@pytest.mark.parametrize("lower", [-1.0, 1e6])
def test_large_densities_take_one_pass(lower):
    """Both ways on grids and points of more than LARGE edges, with cells without mass at the ends and inside."""
    rng = np.random.default_rng(3)
    one, other = Grid([lower], [lower + 4.0], [900]), Grid([lower], [lower + 3.0], [700])
    a, b = (rng.random(900) * (rng.random(900) < 0.5), rng.random(700) * (rng.random(700) < 0.5))
    a[:7], b[-5:] = 0.0, 0.0
    a, b = 2 * a / (a.sum() * one.x.widths[0]), 2 * b / (b.sum() * other.x.widths[0])
    points = Points(lower + 3 * rng.random((800, 1)))
    assert len(one.x.edges) + len(other.x.edges) > distances.LARGE
    pieces = Coupling(one.x.edges, a * one.x.widths, other.x.edges, b * other.x.widths).w2
    assert w2_on_grids(one, a, b, other) == pytest.approx(pieces, rel=1e-12, abs=0)
    at = np.sort(points.places[:, 0])
    held = np.zeros(1599)
    held[::2] = 1 / 800
    pieces = Coupling(one.x.edges, a * one.x.widths, np.repeat(at, 2), 2 * held).w2
    assert w2_on_grids(one, a, points) == pytest.approx(pieces, rel=1e-12, abs=0)


def test_masses_beyond_double_precision_are_refused_and_end_the_pass():
    grid = Grid([0.0], [1e90], [600])
    a = 1e250 * np.linspace(1, 2, 600)
    with pytest.raises(CaseError, match=r"found inf and inf\. Measure mass in another unit"):
        w2_on_grids(grid, a, a[::-1].copy())
    lost = np.array([0.0, np.nan, np.nan])
    assert np.isnan(quantile_cost(np.arange(3.0), lost, np.arange(3.0), np.array([0.0, 0.5, 1.0])))


def test_uniform_densities():
    """(Δ mid)² + (Δ length)²/12 for uniform densities of mass 1."""
    assert w2((np.array([0.0, 1]), np.ones(1)), (np.array([0.5, 2.5]), np.ones(1))) ** 2 == pytest.approx(
        13 / 12, rel=1e-9, abs=0
    )


# ---- on a circle -------------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(density(), density(), st.integers(1, 7))
def test_the_circle_has_no_first_point(a, b, turn):
    """Both densities refined to 8 cells a unit and rolled: the distance stays."""

    def rolled(edges, masses, k):
        fine = np.linspace(-1, 3, 33)
        below = np.interp(fine, edges, np.concatenate([[0.0], np.cumsum(masses)]))
        return fine, np.roll(np.diff(below), k)

    before = w2(rolled(*a, 0), rolled(*b, 0), True)
    assert w2(rolled(*a, turn), rolled(*b, turn), True) == pytest.approx(before, rel=1e-6, abs=1e-6)
    assert before <= w2(rolled(*a, 0), rolled(*b, 0), False) + 1e-7


@pytest.mark.parametrize("seed", range(4))
def test_the_circle_against_the_assignment_problem(seed):
    """n equal short cells on each side, matched by brute force at the squared distance on the circle."""
    rng = np.random.default_rng(seed)
    n, fine = 12, 4096
    places = [np.sort(rng.choice(fine, n, replace=False)) for _ in range(2)]
    edges = np.linspace(0, 1, fine + 1)
    masses = [np.bincount(p, minlength=fine) / n for p in places]
    gap = np.abs(places[0][:, None] - places[1][None, :]) / fine
    cost = np.minimum(gap, 1 - gap) ** 2
    rows, columns = linear_sum_assignment(cost)
    expected = np.sqrt(cost[rows, columns].mean())
    # splitting cells of width w moves nothing by more than w
    assert w2((edges, masses[0]), (edges, masses[1]), True) == pytest.approx(expected, abs=1 / fine)


def test_turning_a_block_round_the_circle():
    """Beyond half a turn the block goes the other way; at half a turn, half of it does."""
    edges = np.linspace(0, 1, 401)
    block = (edges[:-1] < 0.0999) / 40.0
    found = [w2((edges, block), (edges, np.roll(block, k)), True) for k in (0, 40, 160, 240, 399)]
    assert found == pytest.approx([0, 0.1, 0.4, 0.4, 0.0025], abs=1e-7)
    assert w2((edges, block), (edges, np.roll(block, 200)), True) == pytest.approx(0.45, abs=1e-7)
