"""Mean field games: linear–quadratic and logarithmic ones against their equations, gaps, costs, and the front door."""

import json
import tracemalloc
import warnings
from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import solve_bvp
from scipy.optimize import brentq

import wgfpde as wgf
from wgfpde.cases.building import build, build_terminal
from wgfpde.cases.limits.memory import memory_needed
from wgfpde.cases.loading import loads
from wgfpde.cli import main
from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.equations import gaussian
from wgfpde.energy.flow import Flow
from wgfpde.energy.snapshot import Snapshot
from wgfpde.errors import CaseError, SolverError
from wgfpde.grid import Grid
from wgfpde.methods.paths.game_costs import Cost, smallest_share
from wgfpde.methods.paths.game_method import PATH_ARRAYS, WORK_ARRAYS
from wgfpde.methods.paths.game_steps import GameMarch, slope
from wgfpde.methods.paths.potential_game import PotentialGame, Sweep
from wgfpde.methods.paths.propagator import Propagator
from wgfpde.output.promises import promises_of

NU, T, S0 = 0.3, 1.5, 0.4


def curve(q, gamma=0.0, kappa=0.0, terminal=(0.0, 0.0), nu=NU, span=T, s0=S0):
    """t ↦ (a, s) of Gaussian games: u = ½a x² + …, a' = a² − (q + κ − γ/s), s' = 2ν − 2as, a(T) = c − γ_T/s(T)."""
    c, at_end = terminal
    found = solve_bvp(
        lambda t, y: [y[0] ** 2 - (q + kappa - gamma / y[1]), 2 * nu - 2 * y[0] * y[1]],
        lambda ya, yb: [ya[1] - s0, yb[0] - (c - at_end / yb[1])],
        np.linspace(0, span, 50), [np.zeros(50), np.full(50, s0)], tol=1e-10, max_nodes=20000,
    )  # fmt: skip
    assert found.success
    return found.sol


def line(n, length=5.0, **more):
    return Grid([-length], [length], [n], **more)


def solved(grid, steps, energy, terminal=None, tolerance=1e-10, nu=NU, span=T, s0=S0, order=2):
    start = grid.sample(lambda **x: gaussian(*x.values(), cov=s0))
    flow = Flow(grid, energy)
    start = start / flow.mass(start)
    end = None if terminal is None else Flow(grid, terminal)
    game = PotentialGame(flow, end, start, span, steps, nu, order)
    return game, game.solve(tolerance, 200)


def variance(grid, m):
    x = grid.x.centers
    return np.sum(grid.cell_volume * m * x**2)


def cost(game, found):
    weights = np.full(len(found.m), T / game.steps)
    weights[[0, -1]] *= 0.5
    return found.actions.sum() + weights @ found.running + found.terminal


# ---- closed forms ------------------------------------------------------------------------------------------


def test_a_linear_quadratic_game():
    """W = r²: variances 0.43458836, 0.26456423 at T and T/2, u = ½a x²; one sweep, since f is V + W∗m of the spread."""
    exact = curve(0.0, kappa=2.0)
    assert exact(T)[1] == pytest.approx(0.4345883636, abs=1e-9)
    assert exact(T / 2)[1] == pytest.approx(0.2645642303, abs=1e-9)
    errors = []
    for n, steps in ((50, 10), (100, 20), (200, 40)):
        grid = line(n)
        game, found = solved(grid, steps, Energy(Internal("none"), interaction=lambda x: x**2))
        assert found.sweeps == 1 and np.isnan(found.gap) and not game.convex and found.residual < 1e-12
        errors.append([variance(grid, found.m[k]) - exact(k * T / steps)[1] for k in (steps // 2, steps)])
    for coarse, fine in pairwise(np.abs(errors)):
        assert np.all((coarse / fine > 3.6) & (coarse / fine < 4.4))
    assert abs(errors[-1][1]) < 3e-4
    inside = np.abs(grid.x.centers) < 2
    for k in (0, steps // 2):
        velocity = -slope(found.u[k], grid.x, -1)
        np.testing.assert_allclose(velocity[inside], -exact(k * T / steps)[0] * grid.x.centers[inside], atol=5e-3)
    np.testing.assert_allclose(found.u[-1], 0.0, atol=1e-13)


@pytest.mark.parametrize(("nu", "sweeps"), [(0.3, 7), (0.1, 7), (0.03, 8)])
def test_a_logarithmic_game(nu, sweeps):
    """γ∫m ln m and V = ½qx²: order 2, sweeps flat; at ν = 0.3 the variances of the case in the docs."""
    exact = curve(1.2, 0.5, nu=nu)
    if nu == 0.3:
        assert exact(T)[1] == pytest.approx(0.8499505703, abs=1e-8)
        assert exact(T / 2)[1] == pytest.approx(0.5806892497, abs=1e-8)
    errors = []
    for n, steps in ((100, 20), (200, 40)):
        grid = line(n, 6.0)
        _, found = solved(grid, steps, Energy(Internal("entropy", 0.5), lambda x: 0.6 * x**2), nu=nu)
        assert found.sweeps <= sweeps and 0 <= found.gap <= 1e-10
        errors.append(abs(variance(grid, found.m[-1]) - exact(T)[1]))
    assert 3.5 < errors[0] / errors[1] < 4.4 and errors[1] < 3e-3


def test_a_nonlinear_end():
    """G = γ_T ∫m ln m + ½c∫x²m beside a running cost: a(T) = c − γ_T/s(T); in 2D each axis the same."""
    energy, terminal = Energy(Internal("entropy", 0.5), lambda x: 0.6 * x**2), (2.0, 0.8)
    exact = curve(1.2, 0.5, terminal=terminal)(T)[1]
    errors = []
    for n, steps in ((100, 20), (200, 40)):
        grid = line(n, 6.0)
        _, found = solved(grid, steps, energy, Energy(Internal("entropy", 0.8), lambda x: x**2))
        assert found.gap <= 1e-10 and found.sweeps < 12
        errors.append(abs(variance(grid, found.m[-1]) - exact))
    assert errors[1] < 5e-5 and errors[0] / errors[1] > 3.6
    grid = Grid([-5.0, -5.0], [5.0, 5.0], [40, 40])
    energy = Energy(Internal("entropy", 0.5), lambda x, y: 0.6 * (x**2 + y**2))
    _, found = solved(grid, 12, energy, Energy(Internal("entropy", 0.8), lambda x, y: x**2 + y**2))
    assert np.sum(grid.cell_volume * found.m[-1] * grid.x.centers**2) == pytest.approx(exact, abs=1e-2)


def test_an_end_alone_is_an_entropic_jko_step():
    """E = 0, G = F, T = τ, ν = ε/4τ: the variance of the step without compensation, (1/2τ)(1 − s₀/c) + ½ − 1/2s = 0."""
    tau, s0 = 0.1, 0.3
    for epsilon in (0.4, 0.2):
        c = lambda s, e=epsilon: -e / 4 + np.sqrt(e**2 / 16 + s0 * s)  # noqa: E731
        wanted = brentq(lambda s, c=c: (1 - s0 / c(s)) / (2 * tau) + 0.5 - 1 / (2 * s), 1e-3, 1e2, xtol=1e-15)
        if epsilon == 0.2:
            assert wanted == pytest.approx(0.4866999326, abs=1e-9)
        errors = []
        for n, steps in ((100, 10), (200, 20)):
            grid = line(n)
            nothing, end = Energy(Internal("none"), lambda x: 0 * x), Energy(Internal("entropy"), lambda x: x**2 / 2)
            _, found = solved(grid, steps, nothing, end, nu=epsilon / (4 * tau), span=tau, s0=s0)
            errors.append(abs(variance(grid, found.m[-1]) - wanted))
            assert found.gap <= 1e-10
        assert errors[1] < 4e-4 and 3.4 < errors[0] / errors[1] < 4.8


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


# ---- by the front door -------------------------------------------------------------------------------------

CROWD = (
    "game_crowd_2d",
    ["grid.shape=[24,16]", "solver.dt=0.125", "output.every=0.25", "output.fields=['value','velocity']"],
)


def test_a_crowd_from_the_case_to_the_file(tmp_path):
    name, changed = CROWD
    case = wgf.load(name, changed)
    run = wgf.run(case, tmp_path / "a", progress=False)
    assert [p["name"] for p in promises_of(run)] == ["mass drift", "min density", "duality gap"]
    assert all(p["kept"] for p in promises_of(run)) and run.attributes["convex"] == 1
    assert run.attributes["equation"] == "potential mean field game"
    assert list(run.fields) == ["value", "velocity_x", "velocity_y"] and run.fields["value"].shape == (5, 16, 24)
    value, x = np.asarray(run.fields["value"]), run.centers[0]
    np.testing.assert_allclose(value[-1], np.broadcast_to(10 * (x - 0.9) ** 2, (16, 24)), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(np.asarray(run.fields["velocity_x"])[-1][:, 3], -20 * (x[3] - 0.9), rtol=1e-6)
    assert run.steps["terminal_cost"][:-1].max() == 0 < run.steps["terminal_cost"][-1]
    assert run.steps["iterations"][0] > 3 and run.steps["iterations"][1:].sum() == 0
    paid = np.sum(run.steps["action"] + run.steps["running_cost"] + run.steps["terminal_cost"])
    begun = np.sum(run.rho[0] * value[0]) * np.diff(run.edges[0])[0] * np.diff(run.edges[1])[0]
    assert 0 < paid < begun  # everyone's value counts the crowd in full, the cost by half
    half = wgf.run(case, tmp_path / "b", progress=False, wall_limit=1e-9)
    half = wgf.resume(half, progress=False)
    np.testing.assert_array_equal(np.asarray(half.fields["value"]), value)
    np.testing.assert_array_equal(half.steps["action"], run.steps["action"])
    assert main(["report", str(run.folder)]) == 0 and "end cost" in (run.folder / "report.html").read_text("utf-8")


def test_a_game_put_together_in_python():
    grid = line(60)
    case = wgf.problem(
        grid, Energy(Internal("entropy", 0.5), lambda x: 0.6 * x**2), lambda x: gaussian(x, cov=0.4), 1.5,
        terminal=Energy(Internal("none"), lambda x: x**2), solver={"method": "game", "viscosity": 0.3, "dt": 0.1},
    )  # fmt: skip
    end = build_terminal(case, grid)
    np.testing.assert_allclose(end.potential, grid.x.centers**2)
    last = list(wgf.march(case))[-1]
    assert last.t == 1.5 and last.step == 15 and last.report.gap <= 1e-8
    np.testing.assert_allclose(last.fields["value"], grid.x.centers**2, rtol=1e-9, atol=1e-12)


WRONG = {
    "target={density='1'}": r'target: only method = "geodesic".* has one, found method = "game"',
    "solver.viscosity=0": r"solver\.viscosity: expected a positive number|larger than 0",
    "solver.viscosity=": r"solver\.viscosity: missing",
    "energy.internal={kind='power', m=0.5}": r'energy\.internal: a game needs .* found "power" with m = 0\.5',
    "terminal={internal={kind='power', m=0.9}}": r'terminal\.internal: a game needs .* found "power" with m = 0\.9',
    "terminal={internal={kind='none'}}": r"terminal: the energy is zero",
    "terminal={internal={kind='none'}, potential='z'}": r"terminal\.potential: .*z",
    "terminal={internal={kind='none'}, potential='x*t'}": r"terminal\.potential: the cost of the end is of one time",
    "terminal={internal={kind='entropy'}, tilt=1.0}": r"terminal: tilt: of use only in \[energy\]",
    "terminal={internal={kind='entropy'}, potentil='x'}": r'terminal\.potentil: unknown key; did you mean "potential"',
    "terminal.foo=1": r"terminal\.foo: unknown key; Valid keys: internal, potential, interaction, features$",
    "energy.potential='x*t'": r'method = "game" takes no formulas with t',
    "solver.dt=0.4": "is not a multiple of dt = 0.4",
    "solver.tolerance=1e-16": "expected at least 1e-13",
    "grid.boundary=['absorbing']": 'method = "game" takes no walls that mass may pass',
    "dynamics={diffusion='1 + x**2'}": "dynamics: only method",
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_no_game(wrong):
    with pytest.raises(CaseError, match=WRONG[wrong]):
        build(wgf.load("game_lq_1d", [wrong]))


def test_an_end_is_of_games_alone():
    with pytest.raises(CaseError, match=r'terminal: only method = "game" has one, found method = "fv"'):
        wgf.load("heat_1d", ["terminal={internal={kind='none'}, potential='x'}"])
    with pytest.raises(CaseError, match="game needs internal energy"):
        Cost(Flow(line(8), Energy(Internal("power", m=0.5))), "energy")


def test_memory_is_said_and_refused_before_anything_is_made(capsys):
    assert main(["check", "game_lq_1d", "--json"]) == 0
    assert "KiB" in json.loads(capsys.readouterr().out)["memory"]
    assert memory_needed(wgf.load("game_lq_1d")) == 8 * 200 * (14 * 41 + 40)
    with pytest.raises(CaseError, match=r"cells need .*GiB|cells need .*TiB"):
        build(wgf.load("game_crowd_2d", ["grid.shape=[4096,4096]", "solver.dt=0.001", "output.every=0.1"]))


def test_files_of_an_end_are_found_from_anywhere(tmp_path, monkeypatch):
    x = np.linspace(-5, 5, 101)
    np.savetxt(tmp_path / "end.dat", np.column_stack([x, x**2]))
    text = (wgf.load("game_lq_1d").path).read_text("utf-8")
    (tmp_path / "case.toml").write_text(
        text + '\n[terminal]\ninternal = { kind = "none" }\npotential = { file = "end.dat" }\n', "utf-8"
    )
    case = wgf.load(tmp_path / "case.toml", ["terminal.internal.kind=entropy", "terminal.internal.kappa=0.1"])
    problem = build(case)
    assert [file.name for file in problem.record.files] == ["end.dat"]
    assert str(tmp_path) in case.resolved_toml() and loads(case.resolved_toml()).terminal == case.terminal
    assert "terminal" in case.summary and "kappa = 0.1" in case.summary["terminal"]
    with pytest.raises(CaseError, match=r"terminal\.potential.*nowhere\.dat"):
        build(wgf.load(tmp_path / "case.toml", ["terminal.potential.file=nowhere.dat"]))


def test_a_slope_on_any_axis():
    """Order 2 on walls where ∂u = 0, on rings and on stretched cells."""
    for more in ({}, {"periodic": True}, {"mapping": [lambda s: s + 0.1 * np.sin(2 * np.pi * s) / np.pi]}):
        errors = []
        for n in (64, 128):
            grid = line(n, np.pi, **more)
            x = grid.x.centers
            errors.append(np.max(np.abs(slope(np.tile(np.cos(x), (2, 1)), grid.x, -1)[1] + np.sin(x))))
        assert 3.5 < errors[0] / errors[1] < 4.5
