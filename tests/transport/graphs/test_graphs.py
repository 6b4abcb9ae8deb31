"""Reversible chains: balance, heat flow as a gradient flow, Maas's metric, curvature of Bakry and Émery."""

import math

import numpy as np
import pytest
from scipy.integrate import quad

import wgfpde as wgf
from wgfpde.energy import fluxes
from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.errors import CaseError
from wgfpde.grid import Grid
from wgfpde.transport import graphs
from wgfpde.transport.graphs import maas_metric


def stretch(s):
    return s + 0.06 * np.sin(2 * np.pi * s)


def complete(n):
    return graphs.from_rates(np.ones((n, n)))


def cycle(n):
    rates = np.zeros((n, n))
    for k in range(n):
        rates[k, (k + 1) % n] = rates[(k + 1) % n, k] = 1
    return graphs.from_rates(rates)


def cube(d):
    n = 2**d
    return graphs.from_rates([[float((a ^ b).bit_count() == 1) for a in range(n)] for b in range(n)])


def random_chain(seed, n=7, more=()):
    rng = np.random.default_rng(seed)
    pi = rng.random(n) + 0.1
    edges = [(k, k + 1) for k in range(n - 1)] + [(0, 3), (2, 5), (1, 6), *more]
    return graphs.Chain(pi / np.sum(pi), edges, rng.random(len(edges)) + 0.1)


def random_density(chain, seed):
    rho = np.random.default_rng(seed).random(chain.states) + 0.05
    return rho / np.sum(chain.pi * rho)


def flow_on(shape, potential, mapping=None, boundary="no-flux", kappa=0.7):
    dim = len(shape)
    grid = Grid([-2.0] * dim, [2.0] * dim, shape, boundary, [mapping] + [None] * (dim - 1))
    return Flow(grid, Energy(Internal("entropy", kappa), potential))


# ---- chains --------------------------------------------------------------------------------------------------------


def test_heat_flow_keeps_mass_and_tends_to_rest_at_the_gap():
    chain = random_chain(1)
    rho = random_density(chain, 2)
    states = chain.heat(rho, [0.0, 0.3, 30.0, 31.0])
    assert states @ chain.pi == pytest.approx(1.0, abs=1e-13) and np.all(states > 0)
    assert states[0] == pytest.approx(rho, abs=1e-15)
    far = np.max(np.abs(states[2:] - 1), axis=1)
    if far[1] > 1e-12:
        assert math.log(far[0] / far[1]) == pytest.approx(chain.gap, rel=1e-3, abs=0)
    eigenvalues = np.sort(np.linalg.eigvals(-chain.generator.toarray()).real)
    assert chain.gap == pytest.approx(eigenvalues[1], rel=1e-10, abs=0) and abs(eigenvalues[0]) < 1e-13


def test_the_entropy_falls_by_the_dissipation():
    chain = random_chain(3)
    rho = random_density(chain, 4)
    before, after = (chain.entropy(state) for state in chain.heat(rho, [0.5 - 1e-5, 0.5 + 1e-5]))
    assert (before - after) / 2e-5 == pytest.approx(chain.dissipation(chain.heat(rho, 0.5)[0]), rel=1e-8, abs=0)
    assert chain.dissipation(np.eye(7)[0] / chain.pi[0]) == math.inf


@pytest.mark.parametrize("seed", range(3))
def test_heat_flow_is_the_gradient_flow_of_entropy(seed):
    """π ρ̇ = −K(ρ) ln ρ, with the derivative of Σ π ρ ln ρ in the mass π ρ."""
    chain = random_chain(seed)
    rho = random_density(chain, seed + 10)
    by_metric = -graphs.onsager(chain, rho) @ np.log(rho)
    assert by_metric == pytest.approx(chain.pi * (chain.generator @ rho), rel=1e-11, abs=1e-14)


def test_a_large_chain_has_the_gap_of_a_small_one():
    """Beyond DENSE states by shift-invert: cos(πk/n) on a path, 2(1 − cos(π/n))."""
    n = 1600
    chain = graphs.Chain(np.full(n, 1 / n), [(k, k + 1) for k in range(n - 1)], np.full(n - 1, 1 / n))
    assert chain.gap == pytest.approx(2 - 2 * math.cos(math.pi / n), rel=1e-6, abs=0)


# ---- finite volumes are chains ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "potential", "mapping", "boundary"),
    [
        ([30], lambda x: 2 * x**2 + np.sin(3 * x), None, "no-flux"),
        ([30], lambda x: 2 * x**2 + np.sin(3 * x), stretch, "no-flux"),
        ([24], lambda x: 4 * np.cos(np.pi * x / 2), None, "periodic"),
        ([9, 8], lambda x, y: x**2 + 0.8 * x * y + y**2, stretch, "no-flux"),
        ([8, 9], lambda x, y: 3 * np.cos(np.pi * x / 2) + 0 * y, None, "periodic"),
    ],
)
def test_every_scharfetter_gummel_operator_is_a_flow_in_the_metric_of_maas(shape, potential, mapping, boundary):
    """Fluxes and dissipation of the finite volumes are those of K(f) ln f, f = ρ/π, to rounding."""
    flow = flow_on(shape, potential, mapping, boundary)
    chain, volume = graphs.from_flow(flow), np.ravel(flow.grid.cell_volume)
    rng = np.random.default_rng(0)
    rho = rng.random(flow.grid.shape) + 0.1
    rho /= flow.mass(rho)
    f = np.ravel(rho) * volume / chain.pi
    by_metric = -graphs.onsager(chain, f) @ np.log(f)
    change = by_metric / volume
    size = np.max(chain.leaving) * np.max(rho)
    assert change == pytest.approx(chain.generator.T @ (np.ravel(rho) * volume) / volume, abs=1e-13 * size)
    kappa = flow.internal.kappa
    assert kappa * chain.dissipation(f) == pytest.approx(fluxes.dissipation(flow, rho), rel=1e-11, abs=0)
    small = 1e-3 / size
    xi = flow.variation(rho)
    assert -flow.integral(xi * change.reshape(rho.shape)) == pytest.approx(
        kappa * chain.dissipation(f), rel=1e-10, abs=0
    )
    assert np.all(np.ravel(rho) + small * change > 0)


def test_forbidden_cells_and_flows_that_are_no_chains():
    with pytest.raises(CaseError, match="a reversible chain is that of a linear flow in a closed box"):
        graphs.from_flow(Flow(Grid([0.0], [1.0], [8]), Energy(Internal("power", 1.0, 2.0))))
    with pytest.raises(CaseError, match="a reversible chain is that of a linear flow in a closed box"):
        graphs.from_flow(Flow(Grid([0.0], [1.0], [8], ["absorbing"]), Energy()))


# ---- the metric -----------------------------------------------------------------------------------------------------


def two_points(a, b):
    """W between (1 ± r)/2 for r = a, b on two points with jumps at rate 1."""
    return quad(lambda r: math.sqrt(math.atanh(r) / r) if abs(r) > 1e-9 else 1.0, a, b, epsabs=1e-12)[0] / math.sqrt(2)


def test_two_points():
    chain = graphs.Chain([0.5, 0.5], [(0, 1)], [0.5])
    assert two_points(-0.5, 0.7) == pytest.approx(0.8700676741, abs=1e-9)
    errors = []
    for steps in (8, 16, 32):
        found = graphs.geodesic(chain, [1.5, 0.5], [0.3, 1.7], steps)
        errors.append(found.distance - two_points(-0.5, 0.7))
        assert found.path @ chain.pi == pytest.approx(1.0, abs=1e-14) and found.residual < 1e-6
        assert np.ptp(found.speeds) < 0.02 * found.distance
    assert errors == pytest.approx([-4.4e-4, -1.11e-4, -2.8e-5], rel=0.02, abs=0)
    ends = graphs.geodesic(chain, [2, 0], [0, 2], 64).distance
    assert ends == pytest.approx(1.5587074515, abs=2e-3)
    assert graphs.geodesic(chain, [1.5, 0.5], [1.5, 0.5]).distance == 0.0


def test_the_chain_of_a_line_tends_to_wasserstein():
    """Gigli, Maas: 0.2213, 0.2195 on 8, 16 cells, W₂ = 0.2188."""
    for n, known in ((8, 0.22125), (16, 0.21951)):
        grid = Grid([0.0], [1.0], [n])
        chain = graphs.from_flow(Flow(grid, Energy(Internal("entropy", 1.0))))
        a, b = (1 + s * 0.5 * np.cos(np.pi * grid.x.centers) for s in (1, -1))
        found = graphs.geodesic(chain, a, b, 32).distance
        assert found == pytest.approx(known, abs=2e-5)
    assert found == pytest.approx(wgf.w2(grid, a, b), rel=5e-3, abs=0)


def test_the_metric_is_symmetric_and_knows_the_triangle():
    chain = random_chain(5)
    a, b, c = (random_density(chain, s) for s in (1, 2, 3))
    ab, ba, bc, ac = (graphs.geodesic(chain, *pair, 16).distance for pair in ((a, b), (b, a), (b, c), (a, c)))
    assert ab == pytest.approx(ba, rel=1e-6, abs=0) and ac < (ab + bc) * (1 + 1e-3)


def test_the_mean_of_close_densities():
    """θ = m z/artanh z, z = (a − b)/(a + b), m = (a + b)/2, and Euler's aθ_a + bθ_b = θ, by series and beyond."""
    z = np.array([0.0, 1e-9, 1e-5, 4e-4, -9.9e-4, 9.9e-4, 1.01e-3, 5e-3])
    a, b = 0.7 * (1 + z), 0.7 * (1 - z)
    theta, by_a, by_b = graphs.log_mean(a, b)
    known = (a - b) / (a + b)
    exact = 0.5 * (a + b) * np.divide(known, np.arctanh(known), out=np.ones_like(z), where=known != 0)
    np.testing.assert_allclose(theta[:6], exact[:6], rtol=2e-15)
    np.testing.assert_allclose(theta, exact, rtol=1e-12)
    np.testing.assert_allclose((a * by_a + b * by_b)[:6], exact[:6], rtol=2e-15)
    np.testing.assert_allclose(a * by_a + b * by_b, theta, rtol=1e-12)


def test_slopes_of_the_action_and_of_the_mean():
    chain = random_chain(6)
    path = np.array([random_density(chain, s) for s in range(4)])
    h, (_, _, slope) = 1e-6, maas_metric._action(chain, path)
    for k, i in ((0, 2), (1, 0), (2, 5), (3, 6)):
        shift = np.zeros_like(path)
        shift[k, i], shift[k, (i + 1) % 7] = h / chain.pi[i], -h / chain.pi[(i + 1) % 7]  # keeps the mass
        ends = [maas_metric._action(chain, path + s * shift)[0] for s in (1, -1)]
        exact = slope[k, i] / chain.pi[i] - slope[k, (i + 1) % 7] / chain.pi[(i + 1) % 7]
        assert (ends[0] - ends[1]) / (2 * h) == pytest.approx(exact, rel=1e-6, abs=0)
    a, b = np.array([1.0, 1.0, 1.0, 2.0]), np.array([1.0, 1.0 + 1e-3, 1.003, 0.1])
    theta, by_a, by_b = graphs.log_mean(a, b)
    assert theta[2:] == pytest.approx((a - b)[2:] / np.log(a / b)[2:], rel=1e-12, abs=0)
    ends = (
        [graphs.log_mean(a + s * 1e-6, b)[0] for s in (1, -1)],
        [graphs.log_mean(a, b + s * 1e-6)[0] for s in (1, -1)],
    )
    assert (ends[0][0] - ends[0][1]) / 2e-6 == pytest.approx(by_a, abs=1e-8)
    assert (ends[1][0] - ends[1][1]) / 2e-6 == pytest.approx(by_b, abs=1e-8)


# ---- curvature -------------------------------------------------------------------------------------------------


def test_curvatures_in_closed_form():
    for n in (3, 4, 6):
        assert graphs.curvature(complete(n)) == pytest.approx(1 + n / 2, abs=1e-13)
    for d in (1, 2, 3):
        assert graphs.curvature(cube(d)) == pytest.approx(2.0, abs=1e-13)
    for n, known in ((3, 2.5), (4, 2.0), (5, 0.0), (6, 0.0)):
        assert graphs.curvature(cycle(n)) == pytest.approx(known, abs=1e-13)


@pytest.mark.parametrize("more", [(), ((0, 2), (3, 5), (1, 3))], ids=["squares", "triangles"])
def test_curvature_is_the_least_ratio_of_the_forms(more):
    """By a full matrix of Γ₂ and Γ, on graphs with squares, or triangles, and unequal rates."""
    chain = random_chain(7, more=more)
    lap, every = chain.generator.toarray(), np.eye(chain.states)
    found = graphs.curvature(chain)

    def gamma(f, g):
        return 0.5 * (lap @ (f * g) - f * (lap @ g) - g * (lap @ f))

    for x in range(chain.states):
        first = np.array([[gamma(f, g)[x] for g in every] for f in every])
        second = np.array(
            [[0.5 * (lap @ gamma(f, g) - gamma(f, lap @ g) - gamma(g, lap @ f))[x] for g in every] for f in every]
        )
        assert np.linalg.eigvalsh(second - found[x] * first)[0] == pytest.approx(0, abs=1e-12)
        assert np.linalg.eigvalsh(second - (found[x] + 1e-3) * first)[0] < -1e-9


@pytest.mark.parametrize("seed", range(4))
def test_curvature_bounds_the_gap(seed):
    chain = random_chain(seed)
    assert np.min(graphs.curvature(chain)) <= chain.gap * (1 + 1e-12)


def test_the_chains_of_ornstein_uhlenbeck():
    """λ = 1.3 on [−3, 3]: in the middle 1.2870, 1.2968, least 1.2099, 1.2692, never above the gap."""
    for n, middle, least, gap in ((20, 1.2870, 1.2099, 1.2835), (40, 1.2968, 1.2692, 1.3028)):
        flow = Flow(Grid([-3.0], [3.0], [n]), Energy(Internal(), lambda x: 0.65 * x**2))
        chain = graphs.from_flow(flow)
        found = graphs.curvature(chain)
        assert (found[n // 2], np.min(found), chain.gap) == pytest.approx((middle, least, gap), abs=1e-4)
    flow = Flow(
        Grid([-3.0] * 2, [3.0] * 2, [14, 14]), Energy(Internal(), lambda x, y: 0.75 * x**2 + 0.4 * x * y + 0.5 * y**2)
    )
    chain = graphs.from_flow(flow)
    assert (np.min(graphs.curvature(chain)), chain.gap) == pytest.approx((0.568, 0.777), abs=1e-3)


def test_there_is_no_curvature_where_rates_underflow():
    zero = graphs.Chain.of_rates(np.zeros(3), np.array([[0, 1], [1, 2]]), np.array([1.0, 0.0]), np.array([1.0, 1.0]))
    assert np.isnan(graphs.curvature(zero)[1])


# ---- from elsewhere ---------------------------------------------------------------------------------------------


def test_rates_give_their_measure():
    chain = random_chain(8)
    again = graphs.from_rates(chain.generator.toarray())
    assert again.pi == pytest.approx(chain.pi, rel=1e-12, abs=0) and again.gap == pytest.approx(
        chain.gap, rel=1e-12, abs=0
    )
    assert np.sum(again.weights) == pytest.approx(np.sum(chain.weights), rel=1e-12, abs=0)


def test_graphs_of_networkx():
    networkx = pytest.importorskip("networkx")
    chain = graphs.from_networkx(networkx.complete_graph(4))
    assert graphs.curvature(chain) == pytest.approx(3.0, abs=1e-13) and chain.pi == pytest.approx(0.25, rel=1e-9, abs=0)
    walk = graphs.from_networkx(networkx.path_graph(3), pi="degree")
    assert walk.pi == pytest.approx([0.25, 0.5, 0.25], rel=1e-9, abs=0) and walk.leaving == pytest.approx(
        1.0, rel=1e-9, abs=0
    )
    rates = networkx.DiGraph()
    rates.add_weighted_edges_from([("a", "b", 2.0), ("b", "a", 1.0)])
    assert graphs.from_networkx(rates).pi == pytest.approx([1 / 3, 2 / 3], rel=1e-9, abs=0)
    with pytest.raises(CaseError, match="needs to be connected"):
        graphs.from_networkx(networkx.disjoint_union(networkx.path_graph(2), networkx.path_graph(3)))


class Graph:
    """As much of networkx.Graph as `from_networkx` uses."""

    def __init__(self, links, directed=False, multi=False):
        self.links, self.directed, self.multi = links, directed, multi

    def __iter__(self):
        return iter(dict.fromkeys(node for link in self.links for node in link[:2]))

    def is_multigraph(self):
        return self.multi

    def is_directed(self):
        return self.directed

    def edges(self, data):
        return self.links


def test_graphs_like_those_of_networkx():
    links = [("a", "b", {"weight": 2.0}), ("b", "c", {})]
    chain = graphs.from_networkx(Graph(links))
    assert chain.pi == pytest.approx(1 / 3, rel=1e-9, abs=0) and chain.leaving == pytest.approx(
        [2, 3, 1], rel=1e-9, abs=0
    )
    walk = graphs.from_networkx(Graph(links), pi="degree")
    assert walk.pi == pytest.approx([1 / 3, 1 / 2, 1 / 6], rel=1e-9, abs=0) and walk.leaving == pytest.approx(
        1.0, rel=1e-9, abs=0
    )
    with pytest.raises(CaseError, match="one edge between two states"):
        graphs.from_networkx(Graph(links, multi=True))
    with pytest.raises(CaseError, match="jumps from 0 to 1 and not back"):
        graphs.from_networkx(Graph(links, directed=True))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: graphs.Chain([0.5, 0.6], [(0, 1)], [1.0]), "of sum 1"),
        (lambda: graphs.Chain([0.5, 0.5], [(0, 1)], [-1.0]), "one positive number per edge"),
        (lambda: graphs.Chain([0.5, 0.5], [(0, 2)], [1.0]), "edges join states 0 to 1"),
        (lambda: graphs.Chain([0.5, 0.5], [(1, 1)], [1.0]), "to itself"),
        (lambda: graphs.Chain([0.5, 0.5], [(0, 1), (1, 0)], [1.0, 1.0]), "named once"),
        (lambda: graphs.Chain([0.25] * 4, [(0, 1), (2, 3)], [1.0, 1.0]), r"falls into 2 parts \(of 2, 2 states\)"),
        (lambda: graphs.from_rates([[0, 1, 0.5], [0.5, 0, 1], [1, 0.5, 0]]), "is not reversible: no pi is in balance"),
        (lambda: graphs.from_rates([[0, 1], [0, 0]]), "jumps from 0 to 1 and not back"),
        (lambda: graphs.from_rates(np.kron(np.eye(2), np.ones((2, 2)))), "falls into 2 parts"),
        (lambda: complete(3).heat([1, 1, 2], 1.0), r"sum\(pi\*rho\) = 1"),
        (lambda: complete(3).heat([1, 1, 1], -1.0), "times are finite numbers ≥ 0"),
        (lambda: graphs.geodesic(complete(3), [1, 1], [1, 1, 1]), "start is a density relative to pi: 3 numbers"),
        (lambda: graphs.geodesic(complete(3), [1, 1, 1], [3, 0, 0], 1), "steps is an integer ≥ 2"),
        (lambda: graphs.geodesic(complete(3), [1, 1, 1], [3, 0, 0], 10**12), "steps of 3 states need .* take fewer"),
    ],
)
def test_what_is_no_chain_is_told(make, words):
    with pytest.raises(CaseError, match=words):
        make()


def test_the_door():
    assert wgf.graphs is graphs and "graphs" in dir(wgf)
    assert repr(complete(3)) == "Chain(3 states, 3 edges)"
