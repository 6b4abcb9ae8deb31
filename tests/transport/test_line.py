"""Optimal transport in 1D against closed forms and against brute force."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from wgfpde.errors import CaseError
from wgfpde.grid import Grid
from wgfpde.transport import Points
from wgfpde.transport import w2 as w2_on_grids
from wgfpde.transport.line import Coupling, pieces_cost
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
    """And with Numba what is found without it, to the bit."""
    found = quantile_cost(*a, *b)
    assert 2 * found == pytest.approx(Coupling(*a, *b).w2 ** 2, rel=1e-13, abs=1e-28)
    assert found == pieces_cost(*a, *b)


@pytest.mark.parametrize("count", [64, 130])
def test_with_and_without_numba_to_the_bit(count):
    """Blocks of pieces that are full and that are not, gaps, cells without width, masses of other sums."""
    rng = np.random.default_rng(count)
    for share in (1.0, 0.4):
        a, b = (rng.random(n) * (rng.random(n) < share) for n in (count, 2 * count))
        edges = np.cumsum(rng.random(count + 1)), np.cumsum(np.append(rng.random(count + 1), np.zeros(count)))
        assert quantile_cost(edges[0], a, edges[1], 3 * b) == pieces_cost(edges[0], a, edges[1], 3 * b)
    cells = np.arange(count + 1.0), np.ones(count)
    assert quantile_cost(*cells, *cells) == pieces_cost(*cells, *cells) == 0.0


def test_small_distances_load_no_numba():
    """A process without it takes the same bits from NumPy."""
    words = """if True:
        import sys
        import numpy as np
        from wgfpde.grid import Grid
        from wgfpde.transport import distance
        grid = Grid([1e6], [1e6 + 4.0], [40])
        a = np.linspace(1, 2, 40) ** 3
        print(distance(grid, a, a[::-1].copy()).w2.hex(), "numba" in sys.modules)
        import numba
        print(distance(grid, a, a[::-1].copy()).w2.hex(), "numba" in sys.modules)
        """
    found = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True).stdout.split()
    assert found[1::2] == ["False", "True"] and found[0] == found[2]


@pytest.mark.parametrize("lower", [-1.0, 1e6])
def test_large_densities_take_one_pass(lower):
    """Both ways on grids and points of many edges, with cells without mass at the ends and inside."""
    rng = np.random.default_rng(3)
    one, other = Grid([lower], [lower + 4.0], [900]), Grid([lower], [lower + 3.0], [700])
    a, b = (rng.random(900) * (rng.random(900) < 0.5), rng.random(700) * (rng.random(700) < 0.5))
    a[:7], b[-5:] = 0.0, 0.0
    a, b = 2 * a / (a.sum() * one.x.widths[0]), 2 * b / (b.sum() * other.x.widths[0])
    points = Points(lower + 3 * rng.random((800, 1)))
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
    for lost in (np.array([np.nan, 1.0]), np.array([1.5e308, 1.5e308]), np.zeros(2)):
        assert np.isnan(quantile_cost(np.arange(3.0), lost, np.arange(3.0), np.ones(2)))
        assert np.isnan(quantile_cost(np.arange(3.0), np.ones(2), np.arange(3.0), lost))


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
