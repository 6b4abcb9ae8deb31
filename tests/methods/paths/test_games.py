"""Mean field games: linear–quadratic and logarithmic ones against their equations, gaps, costs, and the front door."""

import json
from itertools import pairwise

import numpy as np
import pytest
from game_cases import NU, S0, T, line, solved
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
from wgfpde.errors import CaseError
from wgfpde.grid import Grid
from wgfpde.methods.paths.game_costs import Cost
from wgfpde.methods.paths.game_steps import slope
from wgfpde.output.promises import promises_of


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


def variance(grid, m):
    x = grid.x.centers
    return np.sum(grid.cell_volume * m * x**2)


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
