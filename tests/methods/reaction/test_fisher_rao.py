"""Fisher–Rao and Wasserstein–Fisher–Rao flows: closed forms with their orders, and the promises at every step size."""

import math
from typing import Literal

import numpy as np
import pytest
from strategies import KINDS, random_problem, size_of_terms

import wgfpde as wgf
from wgfpde.base.case_table import Positive, Table
from wgfpde.cases.loading import loads
from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.laws import ArrayLaw, register, unregister
from wgfpde.energy.snapshot import Snapshot
from wgfpde.errors import CaseError, SolverError
from wgfpde.grid import Grid
from wgfpde.linear.fixed_point import NotFound
from wgfpde.methods.finite_volumes.stepper import FiniteVolumes
from wgfpde.methods.reaction import strang
from wgfpde.methods.reaction.strang import WassersteinFisherRao

EPS = np.finfo(float).eps


def march(flow, rho, end, steps, **options):
    """The last state and all energies."""
    stepper = WassersteinFisherRao(flow, dt=end / steps, threads=1, **options)
    state, energies = Snapshot(0.0, 0, {"rho": rho}), [flow.value(rho)]
    while state.t < end:
        state = stepper.step(state, end)
        energies.append(flow.value(state.rho))
    assert np.max(np.diff(energies)) <= 1e-14 * np.max(np.abs(energies))
    return state.rho


def moments(grid, rho, axis=0):
    """Mean, variance and mass along one axis."""
    x, mass = grid.coordinates()["xy"[axis]], np.sum(grid.cell_volume * rho)
    mean = np.sum(grid.cell_volume * rho * x) / mass
    return np.array([mean, np.sum(grid.cell_volume * rho * (x - mean) ** 2) / mass, mass])


def gaussian(grid, means, variances, mass=1.0):
    exponent = sum(
        -((x - m) ** 2) / (2 * s) for x, m, s in zip(grid.coordinates().values(), means, variances, strict=True)
    )
    rho = np.exp(exponent)
    return mass * rho / np.sum(grid.cell_volume * rho)


def stretch(s):
    return s + 0.08 * np.sin(2 * np.pi * s)


def confined(x):
    return 0.5 * x**2


class Twice(Table):
    """The entropy, as a law of arrays."""

    kind: Literal["twice"]
    kappa: Positive = 1.0


# ---- closed forms -------------------------------------------------------------------------------------------


def balanced_gaussian(t, m0, s0, c):
    """λ = κ = 1: K = (2 + c s0)/(1 − s0), s = (KE − 2)/(KE + c), m = m0 e^t (K + c)/(KE + c), E = e^{(2+c)t}."""
    k, e = (2 + c * s0) / (1 - s0), math.exp((2 + c) * t)
    return m0 * math.exp(t) * (k + c) / (k * e + c), (k * e - 2) / (k * e + c)


def test_the_closed_form_of_gaussians():
    assert balanced_gaussian(0.8, 1.5, 0.3, 1.0) == pytest.approx((0.3844016688, 0.9193960250), rel=1e-9, abs=0)


def slope(errors):
    """Orders between refinements by 2; errors (levels, numbers)."""
    return np.log2(np.abs(errors[:-1]) / np.abs(errors[1:]))


@pytest.mark.parametrize("mapping", [None, [stretch]], ids=["uniform", "stretched"])
def test_a_gaussian_that_moves_and_reacts(mapping):
    errors = []
    for n, steps in ((100, 10), (200, 20), (400, 40)):
        grid = Grid([-7.0], [7.0], [n], mapping=mapping)
        rho = march(Flow(grid, Energy(Internal(), confined)), gaussian(grid, [1.5], [0.3]), 0.8, steps)
        errors.append(moments(grid, rho) - (*balanced_gaussian(0.8, 1.5, 0.3, 1.0), 1.0))
    errors = np.array(errors)
    assert np.all(np.abs(errors[-1, :2]) < (1e-4, 1e-4)) and np.all(np.abs(errors[:, 2]) < 1e-13)
    np.testing.assert_allclose(slope(errors[:, :2]), 2.0, atol=0.15)


def test_a_gaussian_that_moves_and_reacts_in_the_plane():
    errors = []
    for n, steps in ((32, 8), (64, 16)):
        grid = Grid([-5.0, -6.0], [7.0, 6.0], [n, n])
        flow = Flow(grid, Energy(Internal(), lambda x, y: 0.5 * (x**2 + y**2)))
        rho = march(flow, gaussian(grid, [1.5, -1.0], [0.3, 0.6]), 0.8, steps)
        exact = [balanced_gaussian(0.8, m, s, 1.0) for m, s in ((1.5, 0.3), (-1.0, 0.6))]
        errors.append([moments(grid, rho, k)[:2] - exact[k] for k in range(2)])
    errors = np.array(errors)
    assert np.max(np.abs(errors[-1])) < 5e-3
    assert np.all(np.log2(np.abs(errors[0]) / np.abs(errors[1])) > 1.7)


def test_fisher_rao_alone_is_exact():
    """1/s − 1 and (m/s) decay by e^{−ct}; in any number of steps, to the rounding of the sums."""
    c, t, m0, s0 = 1.0, 0.8, 1.5, 0.3
    s = 1 / (1 + (1 / s0 - 1) * math.exp(-c * t))
    m = m0 / s0 * math.exp(-c * t) * s
    assert (m, s) == pytest.approx((1.0967619883, 0.4881777388), rel=1e-9, abs=0)
    for boundary, steps in (("no-flux", 1), ("periodic", 7)):
        grid = Grid([-9.0], [9.0], [300], [boundary])
        rho = march(Flow(grid, Energy(Internal(), confined)), gaussian(grid, [m0], [s0]), t, steps, transport=False)
        np.testing.assert_allclose(moments(grid, rho), (m, s, 1.0), rtol=1e-13)
    grid = Grid([-8.0, -8.0], [8.0, 8.0], [64, 96], mapping=[stretch, None])
    flow = Flow(grid, Energy(Internal(), lambda x, y: 0.5 * (x**2 + y**2)))
    rho = march(flow, gaussian(grid, [m0, 0.0], [s0, 1.0]), t, 3, transport=False)
    log = np.log(rho[60, 20:40])
    x = grid.x.centers[20:40]
    np.testing.assert_allclose(np.polyfit(x, log, 2)[:2], (-0.5 / s, m / s), rtol=1e-10)


def test_an_unbalanced_gaussian():
    lam, kappa, c, t = 1.5, 0.7, 2.0, 0.6
    height = kappa * math.log(1.3 / math.sqrt(2 * math.pi * kappa / lam))
    errors = []
    for n, steps in ((100, 10), (200, 20), (400, 40)):
        grid = Grid([-6.0], [6.0], [n])
        flow = Flow(grid, Energy(Internal("entropy", kappa), lambda x: lam * x**2 / 2 - height))
        rho = march(flow, gaussian(grid, [1.0], [0.5], 0.4), t, steps, rate=c, balanced=False)
        errors.append(moments(grid, rho) - (0.1718925355, 0.4689962097, 0.6835753039))
    assert np.all(np.abs(errors[-1]) < 5e-5)
    np.testing.assert_allclose(slope(np.array(errors)), 2.0, atol=0.1)


def test_replicators():
    """κ∫ρ² with ρ = 1 ± d on halves: d²/(1 − d²) = d0²/(1 − d0²) e^{−4cκt}."""
    for shape in ([10], [6, 4]):
        grid = Grid([0.0] * len(shape), [1.0] * len(shape), shape)
        flow = Flow(grid, Energy(Internal("power", 0.5, 2.0)))
        left = np.broadcast_to(grid.x.centers < 0.5, grid.shape)
        found = [march(flow, np.where(left, 1.6, 0.4), 0.7, n, transport=False).flat[0] - 1 for n in (10, 20, 40)]
        errors = np.array(found) - 0.3490184679
        assert abs(errors[-1]) < 2e-6
        np.testing.assert_allclose(np.log2(errors[:-1] / errors[1:]), 2.0, atol=0.02)


def test_minus_rho_log_rho_plus_one_loses_mass():
    """The variation of ∫ρ ln ρ without ⟨ξ⟩: ln ρ + 1 decays, and with it the mass; with ⟨ξ⟩ nothing happens."""
    grid = Grid([0.0], [2.0], [8])
    flow = Flow(grid, Energy(Internal(), lambda x: 1.0 + 0 * x))
    rho = np.full(8, 0.5)
    free = march(flow, rho, 0.6, 3, balanced=False)
    np.testing.assert_allclose(np.log(free) + 1, (math.log(0.5) + 1) * math.exp(-0.6), rtol=1e-13)
    assert flow.mass(free) < 0.9
    np.testing.assert_allclose(march(flow, rho, 0.6, 3), rho, rtol=1e-14)


@pytest.mark.parametrize("kind", ["power", "entropy", "none"])
@pytest.mark.parametrize("transport", [True, False])
def test_order_two_in_time_with_an_interaction(kind, transport):
    grid = Grid([-3.0], [3.0], [32])
    flow = Flow(grid, Energy(Internal(kind, 1.0, 2.0), confined, lambda x: -0.4 * x**2))
    rho = gaussian(grid, [1.0], [0.25]) + 0.3 * gaussian(grid, [-1.5], [0.125])
    best = march(flow, rho, 0.5, 160, transport=transport)
    errors = [np.sum(np.abs(march(flow, rho, 0.5, n, transport=transport) - best)) for n in (10, 20)]
    np.testing.assert_allclose(slope(np.array(errors)), 2.0, atol=0.25)


@pytest.mark.parametrize("shape", [[24], [6, 5]])
def test_a_step_is_half_a_reaction_a_transport_and_half_a_reaction(shape):
    """The density, and both counts of iterations, are those of the three one after another."""
    dim = len(shape)
    grid, dt = Grid([-3.0] * dim, [3.0] * dim, shape), 0.05
    kernel = (lambda x: -0.4 * x**2) if dim == 1 else (lambda x, y: -0.4 * (x**2 + y**2))
    flow = Flow(grid, Energy(Internal("power", 1.0, 2.0), None, kernel))
    start = Snapshot(0.0, 0, {"rho": gaussian(grid, [0.5] * dim, [1.0] * dim)})
    half = WassersteinFisherRao(flow, transport=False, dt=0.5 * dt, threads=1)
    parts = [half.step(start, 0.5 * dt)]
    parts.append(FiniteVolumes(flow, 2, dt, threads=1).step(Snapshot(0.0, 0, {"rho": parts[0].rho}), dt))
    parts.append(half.step(Snapshot(0.0, 0, {"rho": parts[1].rho}), 0.5 * dt))
    whole = WassersteinFisherRao(flow, dt=dt, threads=1).step(start, dt)
    np.testing.assert_allclose(whole.rho, parts[2].rho, rtol=1e-12)
    for name in ("outer", "iterations"):
        assert getattr(whole.report, name) == sum(getattr(part.report, name) for part in parts)
        assert min(getattr(part.report, name) for part in parts) > 0


def test_the_rate_of_energy_loss():
    """−dE/dt of a short reaction is c times what the diagnostics say; of a flow that also moves, D more."""
    from wgfpde.diagnostics import REGISTRY
    from wgfpde.diagnostics.registry import State
    from wgfpde.energy.fluxes import dissipation

    grid = Grid([-4.0], [4.0], [80])
    flow = Flow(grid, Energy(Internal("power", 0.8, 2.0), confined, lambda x: 0.3 * x**2))
    rho = 0.7 * gaussian(grid, [0.7], [0.4])
    c, dt = 1.7, 1e-5
    for balanced, name in ((True, "fisher_rao_rate"), (False, "unbalanced_rate")):
        rate = REGISTRY[name].value(State(flow, Snapshot(0.0, 0, {"rho": rho})))
        for transport in (False, True):
            after = march(flow, rho, dt, 1, rate=c, balanced=balanced, transport=transport)
            middle = 0.5 * (rho + after)
            lost = (flow.value(rho) - flow.value(after)) / dt
            expected = c * REGISTRY[name].value(State(flow, Snapshot(0.0, 0, {"rho": middle})))
            assert lost == pytest.approx(expected + (dissipation(flow, middle) if transport else 0.0), rel=1e-4, abs=0)
        assert rate > 0


# ---- promises -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_promises_on_random_problems(kind, seed):
    """All laws × 1D and 2D × walls × stretching × V × W × data × step sizes."""
    problem = random_problem(np.random.default_rng([seed, KINDS.index(kind)]), kind=kind)
    flow, rho = problem.build()
    for balanced, transport in ((True, True), (True, False), (False, True)):
        stepper = WassersteinFisherRao(
            flow, rate=1.0 / problem.kappa, balanced=balanced, transport=transport, dt=problem.dt, threads=1
        )
        try:
            after = stepper.step(Snapshot(0.0, 0, {"rho": rho}), 1e300).rho
        except SolverError:
            assert not balanced  # mass that grows beyond all numbers
            continue
        assert np.all(np.isfinite(after)) and np.min(after) >= 0
        if balanced:
            assert flow.mass(after) == pytest.approx(flow.mass(rho), rel=1e-13, abs=0)
        (old, old_drive), (new, new_drive) = size_of_terms(flow, rho), size_of_terms(flow, after)
        assert flow.value(after) - flow.value(rho) <= 64 * EPS * (old + new) + 4e-13 * max(old_drive, new_drive)


def test_a_stiff_reaction_is_halved(monkeypatch):
    """Where no fixed point is found the reaction is taken in halves, and the step says so; then it is too long."""
    grid = Grid([-3.0], [3.0], [40])
    flow = Flow(grid, Energy(Internal(), confined, lambda x: -0.4 * x**2))
    rho = gaussian(grid, [1.0], [0.25])
    stepper = WassersteinFisherRao(flow, dt=0.8, threads=1)
    whole, longest = strang.ReactingStep._whole, [0.15]

    def stubborn(self, density, s, *more):
        if s > longest[0]:
            raise NotFound(1.0)
        return whole(self, density, s, *more)

    free = stepper.step(Snapshot(0.0, 0, {"rho": rho}), 0.8)
    monkeypatch.setattr(strang.ReactingStep, "_whole", stubborn)
    found = stepper.step(Snapshot(0.0, 0, {"rho": rho}), 0.8)
    assert found.t == 0.8 and found.report.note == "; ".join(2 * ["reaction taken in shorter steps"])
    assert found.report.outer > free.report.outer and flow.value(found.rho) < flow.value(rho)
    assert np.max(np.abs(found.rho - free.rho)) < 0.1 * rho.max()
    longest[0] = 1e-5
    shorter = stepper.step(Snapshot(0.0, 0, {"rho": rho}), 0.8)
    assert shorter.t < 0.03 and "the iteration on W∗ρ of the reaction did not converge" in shorter.report.note


def test_a_law_of_arrays_reacts():
    law = register(
        ArrayLaw(
            "twice",
            Twice,
            U=lambda rho, kappa: kappa * (rho * np.log(rho) - rho),
            dU=lambda rho, kappa: kappa * np.log(rho),
            ddU=lambda rho, kappa: kappa / rho,
        )
    )
    try:
        grid = Grid([-6.0], [6.0], [80])
        rho = gaussian(grid, [1.5], [0.3])
        found = [
            march(Flow(grid, Energy(Internal(kind, 1.0), confined)), rho, 0.8, 40) for kind in ("entropy", "twice")
        ]
        assert np.max(np.abs(found[1] - found[0])) < 2e-3
        exact = march(Flow(grid, Energy(Internal(), confined)), rho, 0.8, 1, transport=False)
        twice = Flow(grid, Energy(Internal(law.kind), confined))
        errors = [np.max(np.abs(march(twice, rho, 0.8, n, transport=False) - exact)) for n in (10, 20)]
        assert math.log2(errors[0] / errors[1]) == pytest.approx(2.0, abs=0.15)
    finally:
        unregister("twice")


def test_mass_does_not_drift():
    grid = Grid([-3.0], [3.0], [16])
    flow = Flow(grid, Energy(Internal(), confined))
    stepper = WassersteinFisherRao(flow, dt=0.01, threads=1)
    state = Snapshot(0.0, 0, {"rho": gaussian(grid, [0.0], [1.0])})
    for _ in range(3000):
        state = stepper.step(state, 1e9)
    assert flow.mass(state.rho) == pytest.approx(1.0, rel=1e-13, abs=0)


# ---- through the front door ---------------------------------------------------------------------------------

CASE = """
title = "A Gaussian that moves and reacts"
grid = { shape = [60], lower = [-6.0], upper = [6.0] }
energy = { internal = { kind = "entropy" }, potential = "x**2/2", interaction = "0.1*x**2" }
initial = { density = "exp(-(x-1.5)**2/0.6)", mass = 1.0 }
solver = { method = "wfr", rate = 2.0, dt = 0.02 }
time = { end = 0.2 }
output = { every = 0.1 }
"""


def test_a_run_and_its_promises(tmp_path):
    whole = wgf.run(loads(CASE), tmp_path / "whole", progress=False)
    assert whole.attributes["equation"] == "Wasserstein-Fisher-Rao" and np.all(whole.diagnostics["fisher_rao_rate"] > 0)
    text = whole._repr_html_()
    assert "mass drift" in text and "energy rise" in text and "BROKEN" not in text
    assert not {"slack_evi", "energy_balance", "de_bruijn"} & set(whole.diagnostics)
    half = wgf.run(loads(CASE), tmp_path / "half", progress=False, time={"end": 0.1})
    half = wgf.resume(half, until=0.2, progress=False)
    np.testing.assert_array_equal(half.rho, whole.rho)
    free = {"solver": {"balanced": False, "transport": False, "dt": "adaptive"}}
    free = wgf.run(loads(CASE), tmp_path / "free", progress=False, **free)
    assert free.attributes["equation"] == "Fisher-Rao" and abs(free.diagnostics["mass"][-1] - 1) > 0.01
    assert "mass drift" not in free._repr_html_() and "energy rise" in free._repr_html_()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rate = 0.0", r"solver\.rate: expected a number larger than 0, found 0\.0"),
        ("rate = -1.0", r"solver\.rate"),
        ("rate = inf", r"solver\.rate"),
        ("rate = 2.0, first_dt = 0.1", "first_dt belongs to adaptive stepping"),
        ('rate = 2.0, balanced = "no"', r"solver\.balanced"),
    ],
)
def test_bad_tables(text, words):
    with pytest.raises(CaseError, match=words):
        loads(CASE.replace("rate = 2.0", text))


def test_a_rate_is_positive():
    flow = Flow(Grid([0.0], [1.0], [4]), Energy(Internal()))
    for rate in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(CaseError, match="rate must be a positive number"):
            WassersteinFisherRao(flow, rate=rate)


def test_records_without_transport_do_not_differ_by_threads():
    grid = Grid([-4.0, -4.0], [4.0, 4.0], [300, 240])
    flow = Flow(grid, Energy(Internal(), lambda x, y: 0.5 * (x**2 + y**2)))
    rho = gaussian(grid, [1.5, 0.0], [0.3, 1.0])
    found = [
        WassersteinFisherRao(flow, dt=0.1, threads=n).step(Snapshot(0.0, 0, {"rho": rho}), 0.1).rho for n in (1, 2)
    ]
    np.testing.assert_array_equal(*found)
