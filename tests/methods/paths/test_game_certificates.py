"""What certifies a game: gaps and residuals, and what is said where there is no gap."""

import tracemalloc
import warnings

import numpy as np
import pytest
from game_cases import T, line, solved

import wgfpde as wgf
from wgfpde.cli import main
from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.equations import gaussian
from wgfpde.energy.flow import Flow
from wgfpde.energy.snapshot import Snapshot
from wgfpde.errors import SolverError
from wgfpde.grid import Grid
from wgfpde.methods.paths.game_costs import Cost, smallest_share
from wgfpde.methods.paths.game_method import PATH_ARRAYS, WORK_ARRAYS
from wgfpde.methods.paths.game_steps import GameMarch
from wgfpde.methods.paths.potential_game import PotentialGame, Sweep
from wgfpde.methods.paths.propagator import Propagator
from wgfpde.output.promises import promises_of


def cost(game, found):
    weights = np.full(len(found.m), T / game.steps)
    weights[[0, -1]] *= 0.5
    return found.actions.sum() + weights @ found.running + found.terminal


# ---- certificates ------------------------------------------------------------------------------------------

GRIDS = {
    "line": line(60, 3.0),
    "stretched": line(60, 3.0, mapping=[lambda s: s + 0.05 * np.sin(2 * np.pi * s)]),
    "ring": line(60, 3.0, periodic=True),
    "plane": Grid([-2.0, -2.0], [2.0, 2.0], [20, 16], periodic=[True, False]),
}
COSTS = {
    "entropy": (Energy(Internal("entropy", 0.5)), None),
    "congestion": (Energy(Internal("power", 1.0, 2.0), lambda x, y=0.0: np.cos(np.pi * x / 2)), None),
    "cubic": (Energy(Internal("power", 0.3, 3.0)), Energy(Internal("power", 0.5, 2.0), lambda x, y=0.0: x**2)),
    "nonlocal": (
        Energy(Internal("none"), interaction=lambda x, y=0.0: np.exp(-8 * (x**2 + y**2))),
        Energy(Internal("none"), lambda x, y=0.0: np.cos(np.pi * x / 2)),
    ),
    "end": (
        Energy(Internal("none"), lambda x, y=0.0: np.cos(np.pi * x / 2)),
        Energy(Internal("entropy", 0.7), interaction=lambda x, y=0.0: 2 * np.exp(-8 * (x**2 + y**2))),
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", COSTS)
@pytest.mark.parametrize("place", GRIDS)
def test_the_gap_bounds_what_is_missing(place, kind):
    """J(m) − min J ≤ gap, at any tolerance; mass, sign, and f = 0 where nothing acts."""
    grid, (energy, terminal) = GRIDS[place], COSTS[kind]
    if place == "ring" and kind == "cubic":
        terminal = Energy(Internal("power", 0.5, 2.0), lambda x: np.cos(np.pi * x / 3))
    if (place, kind) != ("line", "end") and place != "plane":
        swapped = {"potential": lambda x: np.cos(np.pi * x / 3)}  # periodic on [−3, 3]
        energy, terminal = (
            e and Energy(e.internal, interaction=e.interaction, **(swapped if e.potential else {}))
            for e in (energy, terminal)
        )
    if place == "plane" and kind == "cubic":
        terminal = COSTS["nonlocal"][1]
    game, best = solved(grid, 12, energy, terminal, tolerance=1e-13)
    assert game.convex
    before = np.inf
    for tolerance in (1e-1, 1e-3, 1e-5):
        _, found = solved(grid, 12, energy, terminal, tolerance)
        missing = cost(game, found) - cost(game, best)
        size = found.actions.sum() + abs(found.running).mean() * T + abs(found.terminal)
        assert -1e-12 * size <= missing <= found.gap * size * 1.7 + 1e-12, tolerance  # parts may be larger than sums
        assert found.gap <= min(tolerance, before)
        before = max(found.gap, 1e-9)
        np.testing.assert_allclose([game.cost.flow.mass(m) for m in found.m], 1, rtol=1e-13)
        assert found.m.min() >= 0
    assert best.actions.min() >= 0


@pytest.mark.parametrize(("running", "at_end"), [(1.0, 0.1), (0.1, 1.0)])
@pytest.mark.parametrize("place", GRIDS)
def test_the_residual_is_of_logarithms(place, running, at_end):
    """The largest deviation under m_k of what f is off by, times T/2ν, and of g, times 1/2ν; no constants."""
    grid, nu, span = GRIDS[place], 0.3, 0.7
    flow = Flow(grid, Energy(Internal("entropy", 0.5)))
    x = grid.coordinates()["x"] + np.zeros(grid.shape)
    start = np.exp(-2 * x**2) / flow.mass(np.exp(-2 * x**2))
    game = PotentialGame(flow, flow, start, span, 4, nu)
    sweep = Sweep(Propagator(game.heat_flow, span / 4), start, 4, nu)
    sweep.free()
    change = np.stack([running * (k + 1) / 4 * x + 3.0 for k in range(4)] + [at_end * x - 5.0])
    spread = np.sqrt([flow.integral(m * x**2) - flow.integral(m * x) ** 2 for m in sweep.m])
    wanted = max(span * running * np.max(spread[1:] * [0.25, 0.5, 0.75, 1.0]), at_end * spread[-1]) / (2 * nu)
    assert game._judged(sweep, change).residual == pytest.approx(wanted, rel=1e-9, abs=0)


@pytest.mark.parametrize("place", ["line", "plane"])
def test_steps_share_the_costs(place):
    """Action, running cost by the rule of trapezes, and the cost of the end, each in the step that it belongs to."""
    grid, dt = GRIDS[place], 0.1
    energy, terminal = COSTS["cubic"]
    flow, end = Flow(grid, energy), Flow(grid, terminal)
    start = grid.sample(lambda x, y=0.0: np.exp(-4 * (x - 0.5) ** 2 - y**2))
    march = GameMarch(PotentialGame(flow, end, start, 0.4, 4, 0.3), 1.0, dt, 1e-9, 200, False)
    state = march.begin(Snapshot(1.0, 0, {"rho": start}))
    for k in range(4):
        before, state = state.rho, march.step(state, 1.0 + (k + 1) * dt)
        more = state.report.more
        assert more["running_cost"] == pytest.approx(
            0.5 * dt * (flow.value(before) + flow.value(state.rho)), rel=1e-12, abs=0
        )
        assert more["terminal_cost"] == pytest.approx(end.value(state.rho) if k == 3 else 0.0, rel=1e-12, abs=0)
        assert more["action"] > 0 and (state.report.iterations > 0) == (k == 0)
    assert state.t == 1.4


def test_a_gap_that_is_exact():
    """One sweep with f = V + c, for V alone: nothing is missing; and with f off by δ(x) the gap is Fenchel's."""
    grid = line(80)
    _, found = solved(grid, 10, Energy(Internal("none"), lambda x: x**2))
    assert found.gap == 0 and found.sweeps == 1
    m, off = np.array([0.0, 0.3, 1.2]), np.array([0.2, -0.4, 0.1])
    density = np.linspace(1e-9, 8.0, 400_001)
    for internal in (Internal("entropy", 0.7), Internal("power", 0.5, 2.0), Internal("power", 1.5, 3.0)):
        law = internal.law
        for rho, shift in zip(m[1:], off[1:], strict=True):
            eta = float(internal.derivative(np.array([rho]))[0]) + shift
            dual = np.max(eta * density - internal.density(density))
            wanted = float(internal.density(np.array([rho]))[0]) + max(dual, 0.0) - eta * rho
            assert law.fenchel_gap(np.array([rho]), np.array([shift]), internal)[0] == pytest.approx(wanted, abs=1e-8)
    square = Internal("power", 0.5, 2.0)
    assert square.law.fenchel_gap(m[:1], -off[:1], square)[0] == 0  # η < 0 at an empty cell
    fast = Internal("power", 0.5, 0.5)
    assert fast.law.fenchel_gap(m[1:2], np.array([9.0]), fast)[0] == np.inf


def test_a_gap_of_densities_is_the_distance_of_bregman():
    """Of E = ½⟨m, Wm⟩ with f = δE/δn it is E(m) − E(n) − ⟨δE/δn, m − n⟩."""
    grid = line(40, 3.0, mapping=[lambda s: s + 0.05 * np.sin(2 * np.pi * s)])
    flow = Flow(grid, Energy(Internal("none"), lambda x: x**2, interaction=lambda x: np.exp(-4 * x**2)))
    m, n = (grid.sample(lambda x, c=c: gaussian(x - c, cov=0.3)) for c in (0.2, -0.4))
    cost = Cost(flow, "energy")
    assert cost.convex and cost.mixes_density and not cost.known
    f = cost.potential(n)
    np.testing.assert_allclose(f, flow.variation(n), rtol=1e-14)
    residual, gap = cost.judged(m, cost.image(m) - n)
    np.testing.assert_allclose(residual, flow.variation(m) - f, atol=1e-14)
    assert gap == pytest.approx(flow.value(m) - flow.value(n) - flow.integral(f * (m - n)), rel=1e-11, abs=0)


@pytest.mark.parametrize(
    ("kernel", "low", "high"),
    [
        (lambda x: np.exp(-(x**2)), -1e-10, 0.0 + 1e-3),
        (lambda x: -np.exp(-(x**2)), -1.01, -0.99),
        (lambda x: x**2, -1.01, -0.99),
        (lambda x: -(x**2), -1e-10, 1e-10),
        (lambda x: -np.abs(x), -1e-10, 1e-2),
        (lambda x: np.exp(-(x**2)) - 0.2 * np.exp(-2 * (x - 1) ** 2) - 0.2 * np.exp(-2 * (x + 1) ** 2), -0.3, -0.001),
    ],
)
@pytest.mark.parametrize("mapping", [None, [lambda s: s + 0.1 * s * (1 - s)]])
def test_the_form_of_w(kernel, low, high, mapping):
    """On differences of one mass: Gaussians, −|x| and −x² are positive, x² is not."""
    flow = Flow(line(64, 3.0, mapping=mapping), Energy(Internal("none"), interaction=kernel))
    assert low <= smallest_share(flow) <= high


def test_costs_that_are_not_convex_have_no_gap(tmp_path, capsys):
    run = wgf.run("game_lq_1d", tmp_path / "a", progress=False, grid={"shape": [60]}, solver={"dt": 0.15})
    assert np.all(np.isnan(run.steps["gap"])) and np.all(run.steps["residual"] < 1e-8)
    assert [p["name"] for p in promises_of(run)] == ["mass drift", "min density", "residual"]
    assert main(["check", "game_lq_1d"]) == 0
    assert "energy.interaction: the quadratic form of W is not convex" in capsys.readouterr().out
    hill = Energy(Internal("none"), lambda x: 0.6 * x**2, interaction=lambda x: -np.exp(-(x**2)))
    _, found = solved(line(100), 20, hill, tolerance=1e-8)
    assert np.isnan(found.gap) and found.residual <= 1e-8 and found.sweeps > 3


def test_a_start_in_one_cell_is_solved_at_first_order():
    grid = line(100, 3.0)
    start = np.zeros(100)
    start[50] = 1.0
    flow = Flow(grid, Energy(Internal("entropy", 0.2)))
    found = PotentialGame(flow, None, start, 1.0, 4, 0.5).solve(1e-8, 20)
    assert found.note.startswith("solved at first order in time") and found.m.min() >= 0 and found.gap <= 1e-8
    np.testing.assert_allclose([flow.mass(m) for m in found.m], flow.mass(start), rtol=1e-13)
    assert np.all(np.isfinite(found.u))


def test_a_search_that_went_too_far_goes_back():
    """Little viscosity against much congestion, from a start with edges: plain mixing goes round in circles."""
    grid = line(100, 3.0)
    start = np.where(np.abs(grid.x.centers) < 0.5, 1.0, 0.0)
    found = PotentialGame(Flow(grid, Energy(Internal("entropy", 0.2))), None, start, 1.0, 10, 0.01).solve(1e-8, 40)
    assert found.gap <= 1e-8 and not found.note


def test_what_underflows_is_told_without_warnings():
    """So small a viscosity that φ vanishes where the crowd is: a sentence, no warnings of NumPy."""
    with warnings.catch_warnings(), pytest.raises(SolverError, match="spans more than double precision does"):
        warnings.simplefilter("error")
        solved(line(24, 3.0), 8, Energy(Internal("entropy", 1.0), lambda x: x**2 / 2), nu=1e-99)


def test_too_few_sweeps():
    with pytest.raises(SolverError, match=r"not solved in 2 sweeps, which reached a gap of .*solver\.max_iterations"):
        start = line(60).sample(lambda x: gaussian(x, cov=0.2))
        PotentialGame(Flow(line(60), Energy(Internal("entropy", 2.0))), None, start, 1.5, 10, 0.03).solve(1e-12, 2)


def test_arrays_that_a_game_holds():
    grid, steps = Grid([-5.0, -5.0], [5.0, 5.0], [48, 48]), 24
    energy = Energy(Internal("entropy", 0.5), lambda x, y: 0.6 * (x**2 + y**2))
    end = Energy(Internal("power", 0.5, 2.0), lambda x, y: x**2)
    solved(Grid([-5.0, -5.0], [5.0, 5.0], [8, 8]), 2, energy, end, tolerance=1e-3)
    tracemalloc.start()
    solved(grid, steps, energy, end, tolerance=1e-12)
    held = tracemalloc.get_traced_memory()[1] / (8 * grid.size)
    tracemalloc.stop()
    declared = PATH_ARRAYS * (steps + 1) + WORK_ARRAYS
    assert 0.8 * declared < held < 1.05 * declared
