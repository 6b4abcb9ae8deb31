"""Entropic JKO steps: Gaussians in closed form, the coupling by dense algebra, the account of two steps, the door."""

import math
import tomllib
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.optimize import brentq
from test_propagator import FLOWS, bumps

import wgfpde as wgf
from wgfpde.cases.building import build
from wgfpde.cases.loading import loads, override
from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.snapshot import Snapshot
from wgfpde.errors import CaseError, SolverError
from wgfpde.grid import Grid
from wgfpde.methods.paths.propagator import heat_propagator
from wgfpde.methods.paths.sinkhorn import ORDER_1, EntropicSteps
from wgfpde.methods.paths.sinkhorn_method import SINKHORN_METHOD

TAU, S0 = 0.1, 0.3
CASE = """
title = "Entropic steps on few cells"
grid = { shape = [48], lower = [-3.0], upper = [3.0] }
energy = { internal = { kind = "entropy" }, potential = "x**2/2" }
initial = { density = "exp(-2*(x + 0.5)**2)", mass = 2.0 }
solver = { method = "sinkhorn", tau = 0.05, epsilon = 0.1 }
time = { end = 0.5 }
output = { every = 0.25 }
"""
CLOSED = {name: FLOWS[name] for name in FLOWS if "D of" not in name}


def variance_after(s, tau, epsilon, kappa, compensated):
    """The step of N(0, s) in V = x²/2: (1 − s/c)/2τ + ½ − κ̃/2s' = 0, c = −ε/4 + √(ε²/16 + ss')."""
    entropy = kappa - epsilon / (4 * tau) if compensated else kappa

    def slope(r):
        c = -epsilon / 4 + math.sqrt(epsilon**2 / 16 + s * r)
        return (1 - s / c) / (2 * tau) + 0.5 - entropy / (2 * r)

    return brentq(slope, 1e-9, 1e3, xtol=1e-15)


def gaussian(flow, var, mean=0.0):
    x = flow.grid.coordinates()["x"]
    rho = np.exp(-((x - mean) ** 2) / (2 * var))
    if flow.grid.dim == 2:
        rho = rho * np.exp(-(flow.grid.coordinates()["y"] ** 2) / (2 * var))
    return rho / flow.mass(rho)


def variance(flow, rho):
    x = flow.grid.coordinates()["x"]
    return flow.integral(rho * x**2) / flow.mass(rho)


def trap(cells, dim=1, internal=None):
    half = 5.0 if dim == 1 else 4.0
    quadratic = (lambda x: x**2 / 2) if dim == 1 else (lambda x, y: (x**2 + y**2) / 2)
    return Flow(
        Grid([-half] * dim, [half] * dim, [cells] * dim), Energy(internal or Internal("entropy", 1.0), quadratic)
    )


@pytest.mark.parametrize(
    ("epsilon", "compensated", "expected", "iterations"),
    [(0.2, False, 0.4866999326, 40), (0.2, True, 0.4148094282, 30), (0.4, True, 0.4297520661, 1),
     (0.1, True, 0.4095738676 + 1.3e-3, 70), (0.6, True, None, 40)],
)  # fmt: skip
def test_gaussians(epsilon, compensated, expected, iterations):
    """One step of 0.1 from variance 0.3, κ = λ = 1: against the recursion, of order 2 in h, and the numbers of it."""
    exact = variance_after(S0, TAU, epsilon, 1.0, compensated)
    assert expected is None or exact == pytest.approx(expected, abs=5e-5 if epsilon == 0.1 else 1e-9)
    errors = []
    for cells in (100, 200):
        flow = trap(cells)
        steps = EntropicSteps(flow, TAU, epsilon, compensated, heat_steps=40)
        found = steps.solve(gaussian(flow, S0))
        assert found.iterations <= iterations and found.note == ""
        errors.append(variance(flow, found.rho) - exact)
    assert abs(errors[1]) < 5e-4 and errors[0] / errors[1] == pytest.approx(4, rel=0.1, abs=0)
    usual = EntropicSteps(flow, TAU, epsilon, compensated).solve(gaussian(flow, S0))
    assert variance(flow, usual.rho) == pytest.approx(variance(flow, found.rho), abs=5e-5)


def test_scalings_are_the_same_up_to_a_factor():
    """What the tolerance bounds: Σh ρ |b'/b − c|, over c, the mean of b'/b; a factor of b is nothing, nor is vacuum."""
    flow = trap(16)
    steps, rho, log = EntropicSteps(flow, TAU), np.zeros(16), np.full(16, -np.inf)
    rho[4:7], log[4:7] = [1.0, 2.0, 1.0], [0.3, 0.0, -2.0]
    for factor in (1e-3, 1.0, 7.0):
        assert steps._change(rho, log, log + math.log(factor)) <= 1e-15
        after = log + math.log(factor)
        after[4:7] += np.log([1.2, 1.0, 0.8])
        assert steps._change(rho, log, after) == pytest.approx(0.4 * flow.grid.x.widths[0], rel=1e-13, abs=0)


def test_the_bias_of_the_distance():
    """Plain: of order 1 in ε, as κ + ν would have it.  Compensated: of order 2.  To JKO as ε → 0."""
    jko = brentq(lambda s: (1 - math.sqrt(S0 / s)) / (2 * TAU) + 0.5 - 1 / (2 * s), 1e-9, 1e3, xtol=1e-15)
    assert jko == pytest.approx(0.4095738676, abs=1e-9)
    plain, compensated = (
        [variance_after(S0, TAU, epsilon, 1.0, c) - jko for epsilon in (0.2, 0.1, 0.05)] for c in (False, True)
    )
    np.testing.assert_allclose(plain, [7.7e-2, 3.8e-2, 1.9e-2], rtol=0.03)
    np.testing.assert_allclose(compensated, [5.2e-3, 1.3e-3, 3.3e-4], rtol=0.03)


def test_order_in_tau():
    """The kernel formula to t = ½: 1.7e-2 … 1.16e-3 (n = 5, 80), against the flow; on the grid the recursion."""
    flow, errors = trap(200), []
    for count in (10, 20):
        steps, rho, s = EntropicSteps(flow, 0.5 / count), gaussian(flow, S0), S0
        for _ in range(count):
            rho, s = steps.solve(rho).rho, variance_after(s, 0.5 / count, 2.0 / count, 1.0, True)
        assert variance(flow, rho) == pytest.approx(s, abs=6e-4)
        errors.append(s - (1 + (S0 - 1) * math.exp(-1)))
    assert errors[0] / errors[1] == pytest.approx(2, rel=0.1, abs=0) and errors[0] < 1e-2


def test_a_plane():
    flow = trap(64, 2)
    found = EntropicSteps(flow, TAU, 0.2).solve(gaussian(flow, S0))
    assert variance(flow, found.rho) == pytest.approx(0.4148094282, abs=1.5e-3)


@pytest.mark.parametrize("name", CLOSED)
@pytest.mark.parametrize(("share", "compensated"), [(1.0, True), (0.4, True), (1.7, True), (0.5, False)])
def test_it_minimises_by_dense_algebra(name, share, compensated):
    """Marginals of the coupling, the equation for b, and no neighbour is lower; mass, sign and the account."""
    flow, tau = CLOSED[name](), 0.05
    epsilon = share * 4 * flow.internal.kappa * tau * (2 if name == "tube" else 1)  # whose cells are wide
    steps = EntropicSteps(flow, tau, epsilon, compensated, tolerance=1e-12)
    rho, volume = bumps(flow.grid, 1), flow.grid.cell_volume.ravel()
    rho /= flow.mass(rho)
    found = steps.solve(rho)
    assert flow.mass(found.rho) == pytest.approx(1, rel=1e-13, abs=0) and np.all(found.rho > 0)
    heat, size = heat_propagator(flow.grid, steps.nu, tau, repeats=8), flow.grid.size
    unit = np.eye(size).reshape(size, *flow.grid.shape)
    kernel = np.stack([heat.forward(e / v).ravel() for e, v in zip(unit, volume, strict=True)])
    kernel = kernel * volume[:, None] * volume
    np.testing.assert_allclose(kernel, kernel.T, rtol=1e-10, atol=1e-17)

    def objective(log_b, correct):
        """2ν KL + F of the coupling with b and the first marginal; and its second marginal."""
        b = np.exp(log_b)
        a = rho.ravel() / (kernel @ b) * volume
        new = b * (a @ kernel) / volume
        kl = np.sum(rho.ravel() * volume * np.log(a)) + np.sum(new * volume * log_b)
        return 2 * steps.nu * kl + steps._free(new.reshape(flow.grid.shape)), new

    spread = found.rho * 1.0
    slope = steps._drive(rho) + steps.entropy * np.log(spread)
    value, new = objective(-slope.ravel() / (2 * steps.nu), True)
    np.testing.assert_allclose(new, found.rho.ravel(), rtol=1e-9)
    assert value == pytest.approx(2 * steps.nu * found.kl + steps._free(found.rho), abs=1e-9)
    account = steps.step(Snapshot(0.0, 0, {"rho": rho}), tau).report.more["entropic_energy"]
    assert account == pytest.approx(value + steps._free(rho), abs=1e-9)
    rng = np.random.default_rng(0)
    for _ in range(4):
        other = objective(-slope.ravel() / (2 * steps.nu) + 0.05 * rng.standard_normal(size), True)[0]
        assert other > value + 1e-8


@pytest.mark.parametrize("name", CLOSED)
@pytest.mark.parametrize("epsilon", [None, 0.03])
def test_promises(name, epsilon):
    """For every τ: mass, sign, and an account of two steps that never rises, also where the energy does."""
    flow = CLOSED[name]()
    epsilon = epsilon and (0.15 if name == "tube" else epsilon)  # whose cells are wide
    for tau in (0.02 if name != "tube" else 0.04, 0.5):
        steps, state = EntropicSteps(flow, tau, epsilon), Snapshot(0.0, 0, {"rho": flow.gibbs()})
        energies, accounts = [flow.value(state.rho)], []
        for k in range(6):
            state = steps.step(state, (k + 1) * tau)
            energies.append(flow.value(state.rho))
            accounts.append(state.report.more["entropic_energy"])
            assert flow.mass(state.rho) == pytest.approx(1, rel=1e-12, abs=0) and np.all(state.rho >= 0)
        assert np.max(np.diff(accounts)) <= 1e-9 and state.t == 6 * tau
        if name == "line":
            assert energies[-1] > energies[0]  # it leaves the Gibbs state


def test_the_kernel_formula_rests_in_phi_P_phi():
    flow = Flow(Grid([-3.0], [3.0], [120]), Energy(Internal("entropy", 1.0), lambda x: (x**2 - 1) ** 2))
    steps = EntropicSteps(flow, 0.05)
    assert steps.entropy == 0 and steps.nu == pytest.approx(1, rel=1e-9, abs=0)
    phi = np.exp(-flow.potential / 2)
    rest = phi * heat_propagator(flow.grid, 1.0, 0.05, repeats=8).forward(phi)
    found = steps.solve(rest / flow.mass(rest))
    np.testing.assert_allclose(found.rho, rest / flow.mass(rest), rtol=1e-12)
    assert found.iterations == 1 and found.residual == 0
    rho = bumps(flow.grid, 1)
    plain = phi * heat_propagator(flow.grid, 1.0, 0.05, repeats=8).forward(
        rho / heat_propagator(flow.grid, 1.0, 0.05, repeats=8).backward(phi)
    )
    np.testing.assert_allclose(steps.solve(rho).rho, plain, rtol=1e-12)


def test_small_epsilon_is_a_jko_step():
    """Against the JKO step of the same case: nearer the smaller ε is, and always nearer when compensated."""
    base = override(loads(CASE), {"grid": {"shape": [192]}, "time": {"end": 0.05}, "output": {"every": 0.05}})
    jko = override(base, {"solver": {"method": "jko", "scheme": "jko", "tau": 0.05}})
    problem = build(jko)
    exact = problem.stepper.step(problem.initial, 0.05).rho
    gaps = []
    for epsilon in (0.08, 0.04, 0.02):
        pair = [EntropicSteps(problem.flow, 0.05, epsilon, form).solve(problem.initial.rho).rho for form in (1, 0)]
        gaps.append([problem.flow.integral(np.abs(rho - exact)) / 2 for rho in pair])
    better, plain = np.transpose(gaps)
    assert np.all(plain[:-1] / plain[1:] > 1.7) and np.all(better < 0.2 * plain) and np.max(better) < 2e-3


def test_interaction_pulls_from_where_the_step_starts():
    """W = x²/2 acts on a centred density as V does, and there is no account then."""
    grid = Grid([-5.0], [5.0], [200])
    both = Flow(grid, Energy(Internal("entropy", 1.0), interaction=lambda x: x**2 / 2)), trap(200)
    rho = gaussian(both[1], S0)
    pulled, trapped = (EntropicSteps(flow, TAU, 0.2).solve(rho) for flow in both)
    np.testing.assert_allclose(pulled.rho, trapped.rho, rtol=1e-9)
    step = EntropicSteps(both[0], TAU, 0.2).step(Snapshot(0.0, 0, {"rho": rho}), TAU)
    assert math.isnan(step.report.more["entropic_energy"]) and step.report.outer == 1


def test_many_steps_keep_the_mass():
    """Rounding does not add up; what is more than rounding is told."""
    flow = trap(60)
    steps, state = EntropicSteps(flow, 0.02, heat_steps=1), Snapshot(0.0, 0, {"rho": gaussian(flow, S0)})
    for k in range(2000):
        state = steps.step(state, 0.02 * (k + 1))
    assert flow.mass(state.rho) == pytest.approx(1, rel=3e-14, abs=0)
    with pytest.raises(SolverError, match=r"lost 0\.0\d+ of the mass"):
        steps._restored(state.rho, 1.01)


def test_without_internal_energy():
    """κ = 0: mass rolls down, spread by ν."""
    flow = trap(200, internal=Internal("none"))
    found = EntropicSteps(flow, TAU, 0.05, compensated=False).solve(gaussian(flow, S0))
    assert variance(flow, found.rho) == pytest.approx(variance_after(S0, TAU, 0.05, 0.0, False), abs=3e-4)


def test_spikes_and_vacuum():
    """Heat steps of first order where those of second are negative; empty cells fill."""
    flow = trap(100)
    spike = np.zeros(100)
    spike[30] = 1 / flow.grid.x.widths[30]
    found = EntropicSteps(flow, 5.0, heat_steps=1).solve(spike)
    assert np.all(found.rho > 0) and flow.mass(found.rho) == pytest.approx(1, rel=1e-13, abs=0)
    again = EntropicSteps(flow, 0.05, 0.05).solve(spike)
    assert np.all(again.rho >= 0) and flow.mass(again.rho) == pytest.approx(1, rel=1e-12, abs=0)
    assert (found.note, again.note) == (ORDER_1, "")


# ---- the front door ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"solver": {"epsilon": None}}, {"solver": {"form": "plain"}}])
def test_a_run(options, tmp_path):
    run = wgf.run(override(loads(CASE), options), tmp_path / "run", progress=False)
    kept = {promise["name"]: promise["kept"] for promise in wgf.output.promises.promises_of(run)}
    assert kept == {"mass drift": True, "min density": True, "residual": True, "account rise": True}
    assert run.attributes["equation"] == "Fokker-Planck" and len(run.steps["t"]) == 10
    assert (run.steps["iterations"].max() == 1) == ("epsilon" in options.get("solver", {}))
    longer = wgf.run(override(loads(CASE), options), tmp_path / "half", progress=False, time={"end": 0.25})
    longer = wgf.resume(longer, until=0.5, progress=False)
    np.testing.assert_array_equal(longer.rho[-1], run.rho[-1])


def test_notes_say_the_bias():
    for options, words in (
        ({}, "that bias is taken off, what is left of it is O(epsilon²)"),
        ({"epsilon": None}, "the kernel formula, without iteration. It rests in phi P phi"),
        ({"form": "plain"}, "nearly those of kappa = 1.5 in place of 1"),
    ):
        assert words in build(override(loads(CASE), {"solver": options})).method_notes[0]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"energy": {"internal": {"kind": "power", "m": 2.0, "kappa": 1.0}}}, 'found "power"; take method = "jko"'),
        ({"energy": {"internal": {"kind": "none"}}, "solver": {"epsilon": None}}, "solver.epsilon: expected"),
        ({"solver": {"epsilon": 1e-3}}, "less than 0.7 of a cell"),
        ({"solver": {"epsilon": -1.0}}, "solver.epsilon"),
        ({"solver": {"tau": 0.3}}, "is not a multiple of tau"),
        ({"solver": {"form": "exact"}}, "solver.form"),
        ({"solver": {"heat_steps": 0}}, "solver.heat_steps"),
        ({"solver": {"tolerance": 1e-16}}, "no smaller gap"),
        ({"sinks": {"gone": "x > 2"}}, "takes no sinks"),
        ({"energy": {"potential": "x**2*cos(t)"}}, '"sinkhorn"'),
        ({"target": {"density": "1"}}, "target: only method"),
    ],
)
def test_what_does_not_fit_is_told(options, words):
    with pytest.raises(CaseError, match=words):
        build(override(loads(CASE), options))


@pytest.mark.parametrize("name", CLOSED)
def test_the_smallest_epsilon(name):
    """√(ε/2) is 0.7 of the widest cell; the message names an ε that is taken."""
    flow = CLOSED[name]()
    least = 2 * (0.7 * max(float(axis.widths.max()) for axis in flow.grid.axes)) ** 2
    EntropicSteps(flow, 0.1, 1.001 * least)
    with pytest.raises(CaseError, match=f"an epsilon of at least {least:.3g}"):
        EntropicSteps(flow, 0.1, 0.999 * least)


def test_an_account_that_rises_is_told(tmp_path):
    """By more than residuals of the tolerance may leave, 4νMδ beside rounding."""
    run = wgf.run(loads(CASE), tmp_path / "run", progress=False)
    account, mass, nu = run.steps["entropic_energy"], run.diagnostics["mass"][0], run.attributes["nu"]
    solver = tomllib.loads(run.resolved_toml)["solver"]

    def kept(rise):
        changed = account.copy()
        changed[3] = changed[2] + rise
        steps = {name: run.steps[name] for name in run.steps} | {"entropic_energy": changed}
        other = SimpleNamespace(steps=steps, diagnostics=run.diagnostics, attributes=run.attributes)
        return {promise["name"]: promise["kept"] for promise in SINKHORN_METHOD.promises(other, solver)}["account rise"]

    bound = 4 * nu * mass * solver["tolerance"]
    assert kept(0.9 * bound) and not kept(1.2 * bound)


def test_what_is_not_found_is_told():
    flow = trap(100)
    with pytest.raises(SolverError, match=r"not found in 3 iterations: .* each lowers it by 0\.333\. Take a larger"):
        EntropicSteps(flow, TAU, 0.2, max_iterations=3).solve(gaussian(flow, S0, 1.0))
