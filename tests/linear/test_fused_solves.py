"""Two solves in four passes: the bits of one factorisation and two solves after it."""

import numpy as np
import pytest

from wgfpde.linear.fused_solves import balanced, two_solves, two_solves_around
from wgfpde.linear.tridiagonal import LANES, factor, solve, solve_balance

GAMMA = 1.0 - np.sqrt(0.5)


def one_after_the_other(alpha, beta, c, weight, h, old, ring):
    """(one, two) by `factor` and `solve`, (n, lanes)."""
    n, lanes = old.shape
    e, f, g = np.zeros((3, n, lanes))
    u, v = np.zeros((2, n if ring else 1, lanes))
    factor(alpha, beta, c, np.repeat(h[:, None], lanes, 1), ring, e, f, g, u, v)
    one = h[:, None] * old
    solve(e, f, g, u, v, ring, one)
    if weight == 0.0:
        return one, one
    two = h[:, None] * (one if weight == 1.0 else old + weight * (one - old))
    solve(e, f, g, u, v, ring, two)
    return one, two


@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize("weight", [0.0, 1.0, (1.0 - GAMMA) / GAMMA])
@pytest.mark.parametrize("ring, n", [(False, 1), (False, 2), (False, 3), (False, 50), (True, 2), (True, 3), (True, 50)])
@pytest.mark.parametrize("c", [0.0, 0.01, 1e12])
def test_the_same_bits(alone, weight, ring, n, c):
    """On stretched lines, with rates of every size; and whether anything is negative."""
    rng = np.random.default_rng(n)
    seen = set()
    for _ in range(8):
        alpha, beta = 10.0 ** rng.uniform(-30, 3, (2, n, LANES))
        h, old = rng.uniform(0.5, 2.0, n), rng.random((n, LANES)) ** 20
        one, two = one_after_the_other(alpha, beta, c, weight, h, old, ring)
        first, last = np.zeros((2, n, LANES))
        scratch = np.zeros((3 if ring else 1, n, LANES))
        kernel = two_solves_around if ring else two_solves
        if not alone:
            for known in (False, True)[: 1 if ring else 2]:  # the second time with 1/D of the first
                more = scratch if ring else (*scratch, known)
                negative = kernel(alpha, beta, c, weight, h, old, *more, first, last)
                assert negative == (two < 0).any()
                assert np.array_equal(last, two)
        else:
            for k in range(LANES):
                parts = [values[:, k].copy() for values in (alpha, beta, old, *scratch, first, last)]
                more = parts[2:] if ring else [*parts[2:4], False, *parts[4:]]
                negative = kernel(*parts[:2], c, weight, h, *more)
                assert negative == (two[:, k] < 0).any()
                first[:, k], last[:, k] = parts[-2:]
        seen.add(bool(negative))
        assert np.array_equal(last, two)
        assert np.array_equal(first, one if weight > 0.0 else np.zeros_like(one))
    assert True not in seen or weight not in (0.0, 1.0)
    if n == 50 and c == 1e12 and weight > 1.0 and not alone:
        assert True in seen


def test_written_out_it_is_the_same():
    """Where compilation is switched off."""
    rng = np.random.default_rng(0)
    alpha, beta, old = rng.random((3, 6, LANES))
    h = rng.uniform(0.5, 2.0, 6)
    outs = []
    for kernel in (two_solves, getattr(two_solves, "py_func", two_solves)):
        g, one, two = np.zeros((3, 6, LANES))
        negative = kernel(alpha, beta, 0.3, 2.4, h, old, g, False, one, two)
        outs.append((bool(negative), one.tobytes(), two.tobytes()))
    assert outs[0] == outs[1]


@pytest.mark.parametrize("lanes", [1, 3, LANES])
@pytest.mark.parametrize("ring, n", [(False, 1), (False, 2), (False, 50), (True, 2), (True, 50)])
@pytest.mark.parametrize("c", [0.0, 0.01, 1e12])
def test_a_balance_with_the_bits_of_its_two_parts(lanes, ring, n, c):
    """With rates of both signs, as Newton's matrices have them, and cells and fluxes of nothing, of either sign."""
    rng = np.random.default_rng(n)
    for d, size in ((0.0, 1.0), (c, 1.0), (c, 0.0)):
        alpha, beta = rng.normal(size=(2, n, lanes)) * 10.0 ** rng.uniform(-30, 3, (2, n, lanes))
        sums, right = rng.uniform(0.5, 2.0, (n, lanes)), size * rng.normal(size=(n, lanes))
        flux = size * rng.normal(size=(n, lanes)) * (rng.random((n, lanes)) < 0.7)
        right[rng.random((n, lanes)) < 0.5] = -0.0
        parts, extra = np.zeros((3, n, lanes)), np.zeros((2, n if ring else 1, lanes))
        wanted, found = right.copy(), right.copy()
        factor(alpha, beta, c, sums, ring, *parts, *extra)
        solve_balance(*parts, *extra, sums, ring, flux, d, wanted)
        for count in (lanes, None) if lanes == 1 else (lanes,):
            found = right.copy()
            balanced(alpha, beta, c, sums, ring, flux, d, np.zeros_like(parts), extra, count, found)
            assert found.tobytes() == wanted.tobytes()
