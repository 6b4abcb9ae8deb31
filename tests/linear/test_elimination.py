"""Elimination by nested dissection: against exact rational arithmetic, for every spread of the rates."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.rates import faces_of
from wgfpde.grid import Grid
from wgfpde.linear import dissection, elimination
from wgfpde.linear.dissection import dissect
from wgfpde.linear.elimination import Elimination

SHAPES = [
    ((9,), False), ((9,), True), ((2,), True), ((5, 4), False), ((4, 5), (True, False)), ((3, 6), (False, True)),
    ((4, 4), True), ((2, 3), True),
]  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def small_parts():
    """Trees of several levels, and fronts of several panels, on grids that rational arithmetic can take."""
    leaf, panel = dissection.LEAF, elimination.PANEL
    dissection.LEAF, elimination.PANEL = 2, 2
    yield
    dissection.LEAF, elimination.PANEL = leaf, panel


def network(shape, periodic, kept=None):
    """(shape and rings as `dissect` takes them, lower, upper, kept) of a grid, x first."""
    grid = Grid([0.0] * len(shape), [1.0] * len(shape), shape, periodic=periodic)
    faces = faces_of(Flow(grid, Energy(Internal())))
    kept = np.ones(grid.size, bool) if kept is None else kept
    both = kept[faces.lower] & kept[faces.upper]
    rings = [axis.ring for axis in reversed(grid.axes)]
    return grid.shape, rings, faces.lower[both].astype(int), faces.upper[both].astype(int), kept


def solved(lower, upper, a, b, c, f, kept, forward, number):
    """The system by plain elimination in `number`, with pivoting by size where that is exact."""
    cells = [int(i) for i in np.flatnonzero(kept)]
    n, at = len(cells), {cell: k for k, cell in enumerate(cells)}
    m = [[number(0)] * n for _ in range(n)]
    for i, cell in enumerate(cells):
        m[i][i] += number(c[cell])
    for i, j, forth, back in zip(lower, upper, a, b, strict=True):
        p, q = at[int(i)], at[int(j)]
        m[p][p] += number(forth)
        m[p][q] -= number(forth)
        m[q][q] += number(back)
        m[q][p] -= number(back)
    if forward:
        m = [list(row) for row in zip(*m, strict=True)]
    right = [number(f[cell]) for cell in cells]
    for k in range(n):
        pivot = next(i for i in range(k, n) if m[i][k] != 0)
        m[k], m[pivot], right[k], right[pivot] = m[pivot], m[k], right[pivot], right[k]
        for i in range(k + 1, n):
            ratio = m[i][k] / m[k][k]
            m[i] = [x - ratio * y for x, y in zip(m[i], m[k], strict=True)]
            right[i] -= ratio * right[k]
    for k in range(n - 1, -1, -1):
        right[k] = (right[k] - sum(m[k][j] * right[j] for j in range(k + 1, n))) / m[k][k]
    out = np.zeros(len(kept))
    out[cells] = [float(value) for value in right]
    return out


@pytest.mark.parametrize(("shape", "periodic"), SHAPES)
@pytest.mark.parametrize("forward", [False, True])
@settings(max_examples=4)
@given(seed=st.integers(0, 2**32 - 1), spread=st.sampled_from([0.5, 8.0, 60.0]), holes=st.booleans())
def test_every_entry_is_right_relatively(shape, periodic, forward, seed, spread, holes):
    """Rates over 1e±spread, some of them 0; losses in few cells, tiny beside the rates; cells left out."""
    rng = np.random.default_rng(seed)
    cells = int(np.prod(shape))
    kept = rng.random(cells) < (0.8 if holes else 2.0)
    kept[0] = True
    shape, rings, lower, upper, kept = network(shape, periodic, kept)
    a, b = 10.0 ** rng.uniform(-spread, spread, (2, len(lower)))
    c = np.where(rng.random(cells) < 0.3, 10.0 ** rng.uniform(-spread, 0.0, cells), 0.0)
    c[kept & (c == 0) & holes] = 10.0**-spread  # parts that holes cut off
    c[0] = 10.0**-spread
    f = np.where(rng.random(cells) < 0.5, rng.random(cells), 0.0)
    found = Elimination(dissect(shape, rings, kept, lower, upper), lower, upper, a, b, c)
    u = found.solve_forward(f) if forward else found.solve(f)
    exact = solved(lower, upper, a, b, c, f, kept, forward, Fraction)
    assert np.all(u[~kept] == 0)
    np.testing.assert_allclose(u, exact, rtol=1e-13 * cells, atol=0)


@pytest.mark.parametrize(("shape", "periodic"), [((23, 17), (True, True)), ((40, 9), (False, True)), ((300,), True)])
def test_larger_grids_and_signs(shape, periodic, monkeypatch):
    """With the sizes of parts that the code has; right-hand sides of both signs; ⟨u, Aᵀv⟩ = ⟨Au, v⟩."""
    monkeypatch.setattr(dissection, "LEAF", 48)
    monkeypatch.setattr(elimination, "PANEL", 32)
    shape, rings, lower, upper, kept = network(shape, periodic)
    rng = np.random.default_rng(3)
    a, b, c = rng.random(len(lower)), rng.random(len(lower)), rng.random(len(kept))
    f, g = rng.standard_normal((2, len(kept)))
    order = dissect(shape, rings, kept, lower, upper)
    shares = []
    found = Elimination(order, lower, upper, a, b, c, shares.append)
    u, v = found.solve(f), found.solve_forward(g)
    dense = np.diag(c + np.bincount(lower, a, len(c)) + np.bincount(upper, b, len(c)))
    np.add.at(dense, (lower, upper), -a)
    np.add.at(dense, (upper, lower), -b)
    np.testing.assert_allclose(dense @ u, f, rtol=0, atol=1e-12)
    np.testing.assert_allclose(dense.T @ v, g, rtol=0, atol=1e-12)
    assert shares[-1] == 1.0 and shares == sorted(shares)
    assert order.entries == len(found._upper) + len(found._lower)


@pytest.mark.parametrize(("shape", "periodic"), SHAPES)
def test_an_order_has_every_cell_once_and_knows_what_is_coupled(shape, periodic):
    shape, rings, lower, upper, kept = network(shape, periodic)
    order = dissect(shape, rings, kept, lower, upper)
    assert sorted(order.place) == list(range(len(kept))) and order.kept == len(kept)
    fill = {tuple(sorted(pair)) for pair in zip(order.place[lower], order.place[upper], strict=True)}
    for node in order.nodes:
        for k in range(node.start, node.stop):
            later = sorted({j for i, j in fill if i == k} | {i for i, j in fill if j == k and i > k})
            assert set(later) <= set(range(k + 1, node.stop)) | set(node.boundary.tolist())
            fill |= {(i, j) for i in later for j in later if i < j}
        assert np.all(np.diff(node.boundary) > 0) and np.all(node.boundary >= node.stop)
    assert sum(len(node.boundary) > 0 for node in order.nodes) < len(order.nodes)


def test_a_network_without_cells_and_one_that_nothing_leaves():
    shape, rings, lower, upper, _ = network((4,), False)
    none = np.zeros(4, bool)
    found = Elimination(dissect(shape, rings, none, lower[:0], upper[:0]), lower[:0], upper[:0], *np.zeros((3, 0)))
    assert found.order.kept == 0
    every = np.ones(4, bool)
    with np.errstate(all="ignore"):
        stuck = Elimination(dissect(shape, rings, every, lower, upper), lower, upper, *np.ones((2, 3)), np.zeros(4))
    assert np.count_nonzero(stuck.pivot == 0) == 1
