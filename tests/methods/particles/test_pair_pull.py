"""The pull of all others: tables against formulas, breaks, rings, replicas, the mesh, and exact laws of crowds."""

from itertools import pairwise

import numpy as np
import pytest

from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.snapshot import Snapshot
from wgfpde.formulas.compile import compile_expression
from wgfpde.grid import Grid
from wgfpde.methods.particles import pair_pull as pairs
from wgfpde.methods.particles import pull_sums, pull_table
from wgfpde.methods.particles.langevin_chain import Chain, Rules
from wgfpde.methods.particles.mesh import MeshPull, slopes_on_cells
from wgfpde.methods.particles.pair_pull import make_pull
from wgfpde.methods.particles.swarm import draw


def flow_of(kernel, dim=1, ring=False, potential=None, cells=16, kappa=1.0):
    v = ("x", "r") if dim == 1 else ("x", "y", "r")
    given = compile_expression(kernel, v) if isinstance(kernel, str) else kernel
    grid = Grid([-3.0] * dim, [3.0] * dim, [cells] * dim, ring)
    return Flow(grid, Energy(Internal("entropy", kappa), potential and compile_expression(potential, v), given))


def slowly(flow, places, mass, replicas):
    """The sum over all pairs, one at a time."""
    kernel, grid, out = flow.energy.interaction, flow.grid, np.zeros_like(places)
    each = len(places) // replicas
    for i, place in enumerate(places):
        others = places[i // each * each : (i // each + 1) * each]
        shift = place - others
        for k, axis in enumerate(grid.axes):
            if axis.ring:
                shift[:, k] -= axis.length * np.round(shift[:, k] / axis.length)
        apart = shift[np.any(shift != 0, axis=1)]
        for k, axis in enumerate(grid.axes):
            named = dict(zip("xy", apart.T, strict=False))
            out[i, k] = np.sum(np.broadcast_to(kernel.derivative(axis.name)(**named), len(apart))) * mass / each
    return out


KERNELS = {
    "r**2/2": pairs._Together, "exp(-r**2/2)": pairs._ByTable, "r": pairs._ByTable, "log(r)": pairs._ByTable,
    "where(r < 0.9, r**2/2, 0.405)": pairs._ByTable, "min(r**2, 0.7)/2 + 0.1*r**4": pairs._ByTable,
    "where(r < 0.83, (1 - r)**2, 0)": pairs._ByTable, "r**-0.5": pairs._ByTable, "cos(25*r)": pairs._ByTable,
    "where(r < 0.9, r**2/2, where(r < 0.9001, r, r**3))": pairs._ByFormula,
}  # fmt: skip


@pytest.mark.parametrize("ring", [False, True])
@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("kernel", KERNELS)
def test_radial_kernels_by_table(kernel, dim, ring):
    flow = flow_of(kernel, dim, ring)
    pull = make_pull(flow, 2.5, 3)
    expected = pairs._ByTable if ring and KERNELS[kernel] is pairs._Together else KERNELS[kernel]
    assert type(pull) is expected
    places = draw(np.ones(flow.grid.shape), flow.grid, 120, 3)
    places[7] = places[2]  # two in one place do not pull each other, whatever W is there
    right = slowly(flow, places, 2.5, 3)
    found = pull(places)
    np.testing.assert_allclose(found, right, rtol=2e-7, atol=2e-8 * np.max(np.abs(right)))
    crowds = found.reshape(3, 40, dim).sum(axis=1)  # action and reaction
    assert np.all(np.abs(crowds) < 1e-9 * np.sum(np.abs(found))) or KERNELS[kernel] is pairs._ByFormula


@pytest.mark.parametrize("ring", [False, True])
@pytest.mark.parametrize("replicas", [1, 3, 60])
def test_kernels_that_are_not_radial_by_formula(ring, replicas, monkeypatch):
    monkeypatch.setattr(pairs, "TILE", 500)
    flow = flow_of("exp(-x**2 - 2*y**2)*(1 + x*y)", 2, ring)
    pull, places = make_pull(flow, 2.5, replicas), draw(np.ones((16, 16)), flow.grid, 180, 3)
    assert type(pull) is pairs._ByFormula
    np.testing.assert_allclose(pull(places), slowly(flow, places, 2.5, replicas), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(
    ("function", "formula", "kind"),
    [
        (lambda x: -np.cos(x), "-cos(x)", pairs._ByTable),
        (lambda x: x * x / 2, "x**2/2", pairs._ByTable),
        (lambda x: np.abs(x), "abs(x)", pairs._ByFormula),
    ],
)
def test_functions_in_python(function, formula, kind):
    flow, same = flow_of(function), flow_of(formula)
    pull, places = make_pull(flow, 1.0, 1), draw(np.ones(16), flow.grid, 300, 3)
    assert type(pull) is kind
    np.testing.assert_allclose(pull(places), make_pull(same, 1.0, 1)(places), rtol=0, atol=1e-8)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (0.3, 1.0), (0.2, 0.7)])
def test_cubics_are_fitted_exactly_on_any_part_of_an_interval(low, high):
    starts, widths, given = np.array([2.0, 5.0]), np.array([0.5, 1.5]), (7.0, -3.0, 2.0, 11.0)

    def f(q):
        s = (q - starts) / widths
        return given[0] + s * (given[1] + s * (given[2] + s * given[3]))

    ends = np.full(2, low), np.full(2, high)
    np.testing.assert_allclose(pull_table._fit(f, starts, widths, *ends), [given] * 2, rtol=1e-11)


BREAKS = {"exp(-r**2/2)": 0, "where(r < 0.9, r**2/2, 0.405)": 1,
          "where(r < 0.5, r**2, where(r < 1.3, 0.25, r))": 1,  # 0.5² begins an interval
          "where(r < 0.9, r**2/2, 0.405) + where(r < 0.53, r, 0.53)": 2}  # fmt: skip


@pytest.mark.parametrize("ring", [False, True])
@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("kernel", BREAKS)
def test_sums_that_are_faster_change_no_bit(kernel, dim, ring):
    """All are those with breaks anywhere; also for particles at the break, an ulp before it, and nearer than any."""
    flow = flow_of(kernel, dim, ring)
    pull, places = make_pull(flow, 2.5, 2), draw(np.ones(flow.grid.shape), flow.grid, 300, 3)
    limit, breaks, _ = pull.known[2:]
    assert (limit is not None, breaks is not None) == (BREAKS[kernel] == 1, BREAKS[kernel] > 1)
    assert pull.periods == [6.0 if ring else None] * dim
    places[:, 1:] *= 0.1
    places[:4] = 0.0
    places[1, 0], places[2, 0], places[3, 0] = 0.9, 1e-14, np.nextafter(0.9, 0)
    table = pairs._table_of(flow.energy.interaction, flow.grid)
    columns = [np.ascontiguousarray(x) for x in places.T]
    found = np.zeros((dim, 300))
    known = *pull.periods, table.shift, table.base, None, table.breaks, np.ascontiguousarray(table.cubics.T)
    getattr(pull_sums, f"sums_{dim}d")(0, 300, *columns, 150, 2.5 / 150, *known, *found)
    np.testing.assert_array_equal(pull(places), found.T)


@pytest.mark.parametrize(
    ("force", "kink"),
    [
        (lambda r: np.where(r < 0.53, r, 0.53), 0.53),
        (lambda r: np.where(r < 0.9, r, 0.0), 0.9),
        (lambda r: r + 3 * np.maximum(r - 0.71, 0.0), 0.71),
    ],
    ids=["kink", "jump", "rise"],
)
def test_a_kink_inside_an_interval_is_found(force, kink):
    """One interval has two cubics, from the place on where W' is another function; both tell W' to its accuracy."""
    table = pull_table.tabulated(force, 2.0, 0.1)
    (k,) = np.flatnonzero(table.breaks <= 1)
    ends = np.array([(table.base + k) << table.shift, (table.base + k + 1) << table.shift]).view(float)
    assert ends[0] + table.breaks[k] * np.diff(ends) == pytest.approx(kink**2, rel=1e-7, abs=0)
    r = np.concatenate([np.linspace(0.21, 2.0, 500), kink + 1e-3 * np.linspace(-1, 1, 41)[::2]])
    r = r[np.abs(r - kink) > 1e-7]
    np.testing.assert_allclose(table(r**2) * r, force(r), rtol=1e-7, atol=1e-7 * 2)


@pytest.mark.parametrize("place", [None, 0.0, 1e-17, 0.3, 1 / 3, 1.0])
def test_one_break_is_one_number(place):
    """The cubics of a table, found by comparing q with the limit: up to the last float before it, and from it on."""
    starts = pull_table._starts(2.0, 0.1, 46)
    base, n = int(starts[:1].view(np.int64)[0] >> 46), len(starts)
    breaks = np.full(n, 2.0)
    if place is not None:
        breaks[n // 2] = place
    cubics = np.random.default_rng(1).normal(size=(2 * n, 4))
    table = pull_table.PullTable(46, base, breaks, cubics)
    limit, columns = table.at_one_limit()
    assert columns.shape == (4, n + 1) and (limit == np.inf) == (place is None)
    q = np.concatenate(
        [np.random.default_rng(2).uniform(0.0, 5.0, 500), starts, np.nextafter(starts, 0), [0.0, 1e-300]]
    )
    if place is not None:
        q = np.append(q, [limit, np.nextafter(limit, 0), np.nextafter(limit, 9)])
    found = [pull_sums._value(x, 46, (1 << 46) - 1, 0.5**46, base, limit, None, columns) for x in q]
    np.testing.assert_array_equal(found, table(q))


def test_threads_change_no_bit():
    for dim in (1, 2):
        flow = flow_of("exp(-r)", dim)
        places = draw(np.ones(flow.grid.shape), flow.grid, 600, 3)
        np.testing.assert_array_equal(*(make_pull(flow, 1.0, 2, threads)(places) for threads in (1, 3)))


# ---- by the cells ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stretched", [False, True])
@pytest.mark.parametrize("ring", [False, True])
def test_slopes_on_cells_are_of_order_2(ring, stretched):
    errors = []
    for n in (40, 80):
        mapping = [lambda s: s + 0.5 / (2 * np.pi) * np.sin(2 * np.pi * s)] if stretched else [None]
        grid = Grid([0.0, 0.0], [1.0, 2.0], [n, n], ring, mapping * 2)
        x, y = grid.x.centers, grid.y.centers[:, None]
        u = np.sin(2 * np.pi * x) * np.cos(np.pi * y)
        fx, fy = slopes_on_cells(u, grid)
        right_x = 2 * np.pi * np.cos(2 * np.pi * x) * np.cos(np.pi * y)
        right_y = -np.pi * np.sin(2 * np.pi * x) * np.sin(np.pi * y)
        errors.append(max(np.max(np.abs(fx - right_x)), np.max(np.abs(fy - right_y))))
    assert np.log2(errors[0] / errors[1]) > 1.85


@pytest.mark.parametrize("dim", [1, 2])
def test_the_mesh_is_of_order_2(dim):
    """RMS error of the pull of a Gaussian kernel, over its RMS: 8.0e-3, 2.0e-3, 5.0e-4 in 1D at 100, 200, 400 cells."""
    errors = []
    for cells in (50, 100) if dim == 2 else (100, 200, 400):
        flow = flow_of("exp(-r**2/2)", dim, cells=cells)
        places = 0.7 * np.random.default_rng(0).standard_normal((2000, dim)) * 0.5
        right = make_pull(flow, 1.0, 2)(places)
        errors.append(np.sqrt(np.mean((MeshPull(flow, 1.0, 2)(places) - right) ** 2) / np.mean(right**2)))
    assert all(np.log2(a / b) > 1.9 for a, b in pairwise(errors))
    assert errors[0] < 0.02


@pytest.mark.parametrize("ring", [False, True])
def test_nobody_pushes_himself_and_all_together_stay(ring):
    flow = flow_of("exp(-r)", 1, ring, cells=64)
    alone = np.array([[0.123]])
    assert abs(MeshPull(flow, 1.0, 1)(alone)[0, 0]) < 1e-13
    places = np.random.default_rng(1).uniform(-1.5, 1.5, (50, 1))
    pull = MeshPull(flow, 1.0, 1)(places)
    assert abs(pull.sum()) < 1e-12 * np.abs(pull).sum()


def test_the_mesh_on_stretched_cells_and_beside_walls():
    grid = Grid([-3.0], [3.0], [300], mapping=[lambda s: s + 0.5 / (2 * np.pi) * np.sin(2 * np.pi * s)])
    kernel = compile_expression("exp(-r**2/2)", ("x", "r"))
    flow = Flow(grid, Energy(Internal("entropy", 1.0), None, kernel))
    places = draw(np.ones(300), grid, 2000, 1)
    right = make_pull(flow, 1.0, 1)(places)
    error = np.sqrt(np.mean((MeshPull(flow, 1.0, 1)(places) - right) ** 2) / np.mean(right**2))
    assert error < 4e-3
    MeshPull(flow, 1.0, 1)(np.array([[-3.0], [3.0], [-2.9999]]))


# ---- crowds ----------------------------------------------------------------------------------------------------


def test_finite_crowds_have_their_exact_variances():
    """V = λx²/2, W = κx²/2, N = 8, 20 steps of 0.05 from 0.2: variance 0.4300465341, of the mean 0.1149420146,
    covariance 0.0699270833; z-scores of 20,000 replicas."""
    n, replicas, tau, seed = 8, 20_000, 0.05, 11
    flow = flow_of("x**2", potential="x**2/2", cells=1200)
    wide = Flow(Grid([-12.0], [12.0], [1200]), flow.energy)
    rho = np.exp(-(wide.grid.x.centers**2) / 0.4)
    places = draw(rho, wide.grid, n * replicas, seed)
    chain = Chain(wide, Rules(tau, seed, False, 1.0, pull=make_pull(wide, 1.0, replicas), replicas=replicas))
    snapshot = Snapshot(0.0, 0, {"rho": rho, "position": places})
    for _ in range(20):
        snapshot = chain.step(snapshot, 9.0)
    x = snapshot.fields["position"].reshape(replicas, n)

    def variance(rate):
        s = 0.2
        for _ in range(20):
            s = (1 - rate * tau) ** 2 * s + 2 * tau
        return s

    mean, apart = variance(1.0) / n, variance(3.0)
    expected = {"one": mean + (1 - 1 / n) * apart, "mean": mean, "two": mean - apart / n}
    assert [round(expected[k], 10) for k in ("one", "mean", "two")] == [0.4300465341, 0.1149420146, 0.0699270833]
    # per replica ⟨x²⟩ and x̄² are independent draws: their own spread gives the z-scores
    for found, right in (
        ((x**2).mean(axis=1), expected["one"]), (x.mean(axis=1) ** 2, expected["mean"]),
        ((x.sum(axis=1) ** 2 - (x**2).sum(axis=1)) / (n * (n - 1)), expected["two"]),
    ):  # fmt: skip
        z = (found.mean() - right) / (found.std() / np.sqrt(replicas))
        assert abs(z) < 4
