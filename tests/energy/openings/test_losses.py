"""Losses and gains of open walls and sinks: closed forms, orders, what is refused."""

import numpy as np
import pytest
from scipy.sparse import csc_array
from scipy.sparse.linalg import spsolve

from wgfpde.energy.currents import cell_currents, exit_rates, unrest
from wgfpde.energy.dynamics import Dynamics
from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.features import Features
from wgfpde.energy.flow import Flow
from wgfpde.energy.openings.losses import exchange
from wgfpde.energy.openings.sinks import Sink
from wgfpde.energy.rates import faces_of, sg_network
from wgfpde.errors import CaseError
from wgfpde.grid import Grid

STRETCHED = [lambda s: s**1.3]


def heat(grid, kappa=1.0, potential=None, **more):
    return Flow(grid, Energy(Internal("entropy", kappa), potential), **more)


def matrix(flow):
    """The forward operator, volume/time, cells in regions left alone."""
    n, faces = flow.grid.size, faces_of(flow)
    phi = np.zeros(flow.grid.shape) if flow.potential is None else flow.potential
    a, b = sg_network(flow, phi)
    i, j = faces.lower, faces.upper
    loss = sum(flow.losses.values()).ravel() + (0.0 if flow.inside is None else flow.inside.ravel())
    out = np.bincount(i, a, n) + np.bincount(j, b, n) + loss
    rows, columns = np.concatenate([np.arange(n), j, i]), np.concatenate([np.arange(n), i, j])
    return csc_array((np.concatenate([out, -a, -b]), (rows, columns)), shape=(n, n))


def mean_time(flow):
    volume = np.array(np.broadcast_to(flow.grid.cell_volume, flow.grid.shape)).ravel()
    if flow.inside is not None:
        volume *= ~flow.inside.ravel()
    return spsolve(matrix(flow).T.tocsc(), volume).reshape(flow.grid.shape)


def at_rest(flow):
    return spsolve(matrix(flow), sum(flow.gains.values()).ravel()).reshape(flow.grid.shape)


def test_a_robin_wall_and_an_absorbing_one():
    """−T'' = 1, T'(0) = 2T(0), T(1) = 0: T = 1/6 + x/3 − x²/2, and h²/8 above it at the centres."""
    grid = Grid([0.0], [1.0], [40], [{"lower": {"robin": 2.0}, "upper": "absorbing"}])
    x = grid.x.centers
    off = mean_time(heat(grid)) - (1 / 6 + x / 3 - x * x / 2)
    assert np.max(np.abs(off)) == pytest.approx(0.025**2 / 8, rel=1e-9, abs=0)


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("dim", [1, 2])
def test_a_robin_wall_in_a_steep_potential(dim, side):
    """F = aρ − bρ_b = Kρ_b: ρ_b tends to ρ e^{−ΔV/κ} for small K, whatever D is, and to 0 for large K."""
    kappa, rate, wall = 0.3, 1e-9, -1.0 + 3.0 * side

    def v(x, y=0.0):
        return 2.0 * x * x + y

    def lost(wall):
        ends = ["no-flux"] * 2
        ends[side] = wall
        boundary, mapping = [ends, "no-flux"][:dim], [*STRETCHED, None][:dim]
        grid = Grid([-1.0, 0.0][:dim], [2.0, 1.0][:dim], [6, 3][:dim], boundary, mapping)
        flow = heat(grid, kappa, v, dynamics=Dynamics(lambda x, y=0.0: 1.5 + x / 2))
        return grid, sum(flow.losses.values()).reshape(-1, 6)[0, -side]

    grid, little = lost({"robin": rate})
    rise = v(wall) - v(grid.x.centers[-side])
    area = 1.0 if dim == 1 else grid.y.widths[0]
    assert abs(rise) > 0.5 and little == pytest.approx(rate * np.exp(-rise / kappa) * area, rel=1e-6, abs=0)
    assert lost({"robin": 1e12})[1] == pytest.approx(lost("absorbing")[1], rel=1e-9, abs=0)


def test_a_well_between_a_wall_and_an_exit():
    """25527.0913642925 by quadrature; the error is −6.9e-4 at 200 cells, of order 2."""
    found = []
    for n in (100, 200):
        grid = Grid([-2.0], [1.0], [n], [["no-flux", "absorbing"]])
        time = mean_time(heat(grid, 0.1, lambda x: (x * x - 1) ** 2))
        found.append(np.interp(-1.0, grid.x.centers, time) / 25527.0913642925 - 1)
    assert found[1] == pytest.approx(-6.9e-4, rel=0.02, abs=0) and np.log2(found[0] / found[1]) == pytest.approx(
        2, abs=0.02
    )


@pytest.mark.parametrize("boundary", ["absorbing", [["absorbing", "no-flux"]] * 2])
def test_a_square(boundary):
    """Centre 0.0736713522737 of the unit square, or the corner of four of them with two open sides each."""
    found = mean_time(heat(Grid([0.0, 0.0], [1.0, 1.0], [32, 32], boundary)))
    value = found[15:17, 15:17].mean() if boundary == "absorbing" else found[-1, -1] / 4
    assert value == pytest.approx(0.0736713522737, rel=3e-3, abs=0)


def test_the_edge_of_a_region_lies_between_centres():
    """T = (a² − r²)/4 in a disc; order 2, where a staircase of cells would give 1."""
    worst = []
    for n in (20, 40):
        grid = Grid([-1.0, -1.0], [1.0, 1.0], [n, n])
        flow = heat(grid, sinks=[Sink("rim", region=lambda x, y: x * x + y * y > 0.81)])
        r2 = grid.x.centers**2 + grid.y.centers[:, None] ** 2
        worst.append(np.max(np.abs(mean_time(flow) - np.maximum((0.81 - r2) / 4, 0.0))))
    assert worst[1] < 2e-4 and worst[0] / worst[1] > 3.5


def test_a_rate_everywhere():
    """With k alone T = 1/k."""
    flow = heat(Grid([0.0], [1.0], [8], "periodic"), sinks=[Sink("decay", rate=lambda x: 0.25 + 0 * x)])
    assert mean_time(flow) == pytest.approx(np.full(8, 4.0), rel=1e-12, abs=0) and flow.exits == ("decay",)


def test_gibbs_densities_at_walls_keep_the_gibbs_state():
    def potential(x, y):
        return np.cos(3 * x) + x * y + 2 * y * y

    def state(x, y):
        return 0.7 * np.exp(-potential(x, y) / 0.4)

    walls = [
        {"lower": {"density": lambda y: state(0.0, y)}, "upper": {"density": lambda y: state(1.0, y)}},
        {"lower": {"density": lambda x: state(x, -1.0)}, "upper": "no-flux"},
    ]
    grid = Grid([0.0, -1.0], [1.0, 1.0], [9, 7], walls, [lambda s: s**1.3, None])
    flow = heat(grid, 0.4, potential)
    rho = grid.sample(state)
    assert at_rest(flow) == pytest.approx(rho, rel=1e-11, abs=0)
    assert unrest(flow, rho) < 1e-12 and set(flow.gains) == {"x_lower", "x_upper", "y_lower"}


def test_a_line_between_two_densities_and_its_current():
    grid = Grid([0.0], [2.0], [10], [{"lower": {"density": 2.0}, "upper": {"density": "1.0"}}], STRETCHED)
    flow = heat(grid, 0.5)
    rho = at_rest(flow)
    assert rho == pytest.approx(2 - grid.x.centers / 2, rel=1e-12, abs=0)
    assert cell_currents(flow, rho)[0] == pytest.approx(np.full(10, 0.25), rel=1e-11, abs=0)
    assert exit_rates(flow, rho) == pytest.approx({"x_lower": -0.25, "x_upper": 0.25}, rel=1e-11, abs=0)


def test_a_robin_wall_under_a_drift():
    """F = j at one end and Kρ at the other, V = vx: ρ = Ce^{−vx/κ} − j/v, on the cells to rounding."""
    kappa, v, j, k = 0.3, 0.8, 0.5, 2.0
    grid = Grid([0.0], [1.0], [12], [{"lower": {"inflow": j}, "upper": {"robin": k}}], STRETCHED)
    expected = (j / k + j / v) * np.exp(v * (1 - grid.x.centers) / kappa) - j / v
    assert at_rest(heat(grid, kappa, lambda x: v * x)) == pytest.approx(expected, rel=1e-11, abs=0)


def test_an_inflow_at_a_formula_of_the_other_coordinate():
    walls = [{"lower": {"inflow": lambda y: 1 + y}, "upper": {"robin": 3.0}}, "periodic"]
    flow = heat(Grid([0.0, 0.0], [1.0, 1.0], [6, 8], walls))
    assert exit_rates(flow, at_rest(flow)) == pytest.approx({"x_lower": -1.5, "x_upper": 1.5}, rel=1e-11, abs=0)


def test_diffusion_at_the_wall_counts():
    """D doubles at the wall: of a line in ∫dx/D the flux is κ/∫dx/D."""
    grid = Grid([0.0], [1.0], [400], [{"lower": {"density": 1.0}, "upper": "absorbing"}])
    flow = heat(grid, dynamics=Dynamics((lambda x: 1 + x,)))
    assert exit_rates(flow, at_rest(flow))["x_upper"] == pytest.approx(1 / np.log(2), rel=2e-6, abs=0)
    twice = heat(grid, dynamics=Dynamics((lambda x: 2 + 0 * x,)))
    assert twice.losses["x_upper"] == pytest.approx(2 * heat(grid).losses["x_upper"], rel=1e-14, abs=0)


def test_what_drifts_without_diffusion_leaves_and_comes_in():
    """No internal energy, velocity 1: F = ρ at the outlet, g at the inlet, nothing against the stream."""
    grid = Grid([0.0], [1.0], [5], [{"lower": {"density": 3.0}, "upper": {"density": 2.0}}])
    flow = Flow(grid, Energy(Internal("none"), lambda x: -x))
    losses, gains = exchange(flow)
    assert losses["x_upper"][-1] == pytest.approx(1.0, rel=1e-14, abs=0) and losses["x_lower"].max() == 0.0
    assert gains["x_lower"][0] == pytest.approx(3.0, rel=1e-14, abs=0) and gains["x_upper"].max() == 0.0


def test_an_interaction_is_carried_on_to_the_wall():
    """A linear W∗ρ acts at the wall as the same V does."""
    grid = Grid([0.0], [1.0], [6], "absorbing", STRETCHED)
    tilted = heat(grid, 0.3, lambda x: 2 * x)
    plain = heat(grid, 0.3)
    found = exchange(plain, 2 * grid.x.centers)[0]
    for name in ("x_lower", "x_upper"):
        assert found[name] == pytest.approx(tilted.losses[name], rel=1e-12, abs=0)


@pytest.mark.parametrize("dim", [1, 2])
def test_features_are_carried_on_to_the_wall(dim):
    """½w(⟨x⟩ − b)² at one ρ acts at walls and at regions as V = w(⟨x⟩ − b)x does."""
    grid = Grid([0.0] * dim, [1.0] * dim, [12, 5][:dim], ["absorbing"] * dim, [*STRETCHED, None][:dim])
    sinks = [Sink("hole", region=lambda x, y=0.0: (x > 0.4) & (x < 0.6))]
    rho = grid.sample(lambda x, y=0.0: 1.0 + x + 0 * y)
    plain = Energy(Internal("entropy", 0.3), lambda x, y=0.0: x * x + 0 * y)
    flow = Flow(grid, Energy(plain.internal, plain.potential, features=Features([_x], [1.5], [2.0])), sinks=sinks)
    amount = 2.0 * (flow.integral(grid.sample(_x) * rho) - 1.5)
    same = Flow(grid, Energy(plain.internal, lambda x, y=0.0: x * x + amount * x + 0 * y), sinks=sinks)
    found = exchange(flow, flow.interaction.apply(rho))[0]
    for name in flow.exits:
        assert np.max(np.abs(found[name] - same.losses[name])) <= 1e-12 * np.max(same.losses[name])


def _x(x, y=0.0):
    return x + 0 * y


@pytest.mark.parametrize(
    ("sinks", "words"),
    [
        ([Sink("a", region=lambda x: x > 9)], "the sink a covers no cell"),
        ([Sink("a", region=lambda x: x > -9)], "cover every cell"),
        (
            [Sink("a", region=lambda x: x > 0.5), Sink("b", region=lambda x: x > 0.7)],
            "a and b overlap, as at x = 0.875",
        ),
        ([Sink("a", rate=lambda x: x - 0.5)], "rate of the sink a must be ≥ 0; found -0.375 at x = 0.125"),
        ([Sink("a", rate=lambda x: 0 * x)], "covers no cell: its rate is 0"),
        ([Sink("a", rate=lambda x: 1 / (x - 0.125))], "the sink a must be finite in every cell"),
        ([Sink("a", rate=lambda x: x), Sink("a", rate=lambda x: x)], "two sinks have the name a"),
    ],
)
def test_sinks_that_make_no_sense(sinks, words):
    with pytest.raises(CaseError, match=words):
        heat(Grid([0.0], [1.0], [4]), sinks=sinks)


@pytest.mark.parametrize("name", ["x_lower", "a b", "", "1a", "rate_x"])
def test_names_of_sinks(name):
    with pytest.raises(CaseError, match="a sink has a name of letters"):
        Sink(name, rate=lambda x: x)


def test_a_sink_has_a_region_or_a_rate():
    for more in ({}, {"region": abs, "rate": abs}):
        with pytest.raises(CaseError, match="needs a region or a rate"):
            Sink("a", **more)


@pytest.mark.parametrize(
    ("boundary", "words"),
    [
        ({"density": lambda: -1.0}, "x_lower: density must be finite and ≥ 0; found -1"),
        ({"inflow": lambda: np.nan}, "x_lower: inflow must be finite and ≥ 0; found nan"),
        ({"density": "1 + z"}, "known as a text only"),
    ],
)
def test_walls_that_make_no_sense(boundary, words):
    with pytest.raises(CaseError, match=words):
        heat(Grid([0.0], [1.0], [4], [boundary]))


def test_walls_that_laws_do_not_take():
    grid = Grid([0.0], [1.0], [4], [{"upper": {"robin": 1.0}}])
    with pytest.raises(CaseError, match='x_upper: a wall with robin needs internal energy "entropy" or "none"'):
        Flow(grid, Energy(Internal("power", m=2.0)))
    with pytest.raises(CaseError, match="losses are no rates"):
        _ = Flow(Grid([0.0], [1.0], [4], "absorbing"), Energy(Internal("power", m=2.0))).losses
    with pytest.raises(CaseError, match="not finite at the wall x_lower, which is open"):
        heat(Grid([0.0], [1.0], [4], "absorbing"), potential=lambda x: -np.log(x))
    plane, edge = Grid([0.0, 0.0], [1.0, 1.0], [4, 2]), 0.3  # between centres; V is infinite there in one row of two
    spot = Sink("spot", region=lambda x, y: x < edge)
    with pytest.raises(CaseError, match="not finite at the edge of the sink spot"):
        heat(plane, potential=lambda x, y: np.where((y > 0.5) & (np.abs(x - edge) < 1e-6), np.inf, 0.0), sinks=[spot])
