"""The promises of the scheme, for every step size: mass, sign, energy law, steady states, and steps that get there.

Hypothesis draws a `Problem` (module `strategies`): equation × dimension × boundary × stretching × V × W × data × dt.

Rounding allowed to the energy in one step: 64 ε (S(ρ) + S(ρ')), with S = Σ h (|U| + |Vρ|) + ½ mass max|W∗ρ| the size of
the terms that are summed; |U| = κ ρ (|ln ρ| + 1) for the entropy.  The iteration on W∗ρ stops at 1e-13, which adds
2e-13 max|W∗ρ| mass.
"""

import sys
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from strategies import KINDS, POWERS, Problem, problems, random_problem, size_of_terms

from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.fluxes import dissipation
from wgfpde.energy.snapshot import Snapshot
from wgfpde.errors import SolverError
from wgfpde.grid import Grid
from wgfpde.methods.finite_volumes.stepper import FiniteVolumes

EPS = np.finfo(float).eps
MASS = 1e-13
"""Mass lost in one step, relative: ten times better than promised."""


def stepper_of(flow, order, dt):
    return FiniteVolumes(flow, order=order, dt=dt, threads=1)


def check_step(flow, before, after):
    """One accepted step keeps every promise."""
    old, new = before.rho, after.rho
    assert np.all(np.isfinite(new))
    assert np.min(new) >= 0
    assert flow.mass(new) == pytest.approx(flow.mass(old), rel=MASS, abs=0)
    (size_old, drive_old), (size_new, drive_new) = size_of_terms(flow, old), size_of_terms(flow, new)
    rounding = 64 * EPS * (size_old + size_new) + 2e-13 * max(drive_old, drive_new)
    assert flow.value(new) - flow.value(old) <= rounding


def march(problem, steps=2.5, limit=8):
    """Steps towards t = steps · dt, at most `limit`, each checked.  Returns the flow and the snapshots.

    Steps that were not shortened are three, and land exactly.  A strongly repulsive W may keep them short for long.
    """
    flow, rho = problem.build()
    stepper = stepper_of(flow, problem.order, problem.dt)
    t_next = steps * problem.dt
    snapshots = [Snapshot(0.0, 0, {"rho": rho})]
    while snapshots[-1].t < t_next and len(snapshots) <= limit:
        old = snapshots[-1]
        new = stepper.step(old, t_next)
        assert old.t < new.t <= t_next
        assert new.step == old.step + 1
        assert ("step shortened" in new.report.note) == (new.report.rejected > 0)
        check_step(flow, old, new)
        snapshots.append(new)
    if not any(s.report.rejected for s in snapshots):
        assert len(snapshots) == 1 + np.ceil(steps)
    assert snapshots[-1].t == t_next or len(snapshots) == limit + 1
    return flow, snapshots


def all_promises(problem):
    _, snapshots = march(problem)
    rejected = sum(s.report.rejected for s in snapshots)
    event("shortened" if rejected else "as asked")


@settings(max_examples=50)
@given(problem=problems(kinds=("entropy",)))
def test_promises_of_the_entropy(problem):
    all_promises(problem)


@settings(max_examples=50)
@given(problem=problems(kinds=("none",)))
def test_promises_of_pure_drift(problem):
    all_promises(problem)


@settings(max_examples=50)
@given(problem=problems(kinds=(2.0, 3.0, 4.0, 2.5)))
def test_promises_of_slow_diffusion(problem):
    all_promises(problem)


@settings(max_examples=50)
@given(problem=problems(kinds=(1.5, 0.6, 0.75)))
def test_promises_of_fast_diffusion(problem):
    all_promises(problem)


@pytest.mark.nightly
@pytest.mark.parametrize("kind", KINDS)
@settings(settings.get_profile("nightly"))
@given(data=st.data())
def test_promises_at_length(kind, data):
    all_promises(data.draw(problems(kinds=(kind,))))


def succeeds(count, seed):
    """How many random problems end as asked, shortened or with an error, for each kind of energy."""
    rng = np.random.default_rng(seed)
    outcome: Counter = Counter()
    for _ in range(count):
        problem = random_problem(rng)
        try:
            snapshots = march(problem)[1]
        except SolverError:
            outcome[problem.kind, "failed"] += 1
            continue
        outcome[problem.kind, "shortened" if any(s.report.rejected for s in snapshots) else "as asked"] += 1
    return outcome


def total(outcome, what):
    return sum(n for (_, result), n in outcome.items() if result == what)


def test_steps_rarely_need_shortening():
    """No SolverError in the whole range of problems, and few shortened steps."""
    outcome = succeeds(150, seed=0)
    assert total(outcome, "failed") == 0
    assert total(outcome, "shortened") <= 0.2 * 150


@pytest.mark.nightly
def test_how_often_steps_are_shortened(capsys):
    outcome = succeeds(5000, seed=1)
    with capsys.disabled():
        for kind in KINDS:
            counts = ", ".join(f"{outcome[kind, what]} {what}" for what in ("as asked", "shortened", "failed"))
            sys.stdout.write(f"\n{kind!s:>8}: {counts}")
    assert total(outcome, "failed") == 0


@pytest.mark.parametrize("dt", [1e-6, "adaptive"])
def test_tails_that_underflow_do_not_shorten_steps(dt):
    """A narrow blob in a wide box: far lines hold 1e-310 of its mass, and the run must not care."""
    grid = Grid([-4.0, -4.0], [4.0, 4.0], [256, 256])
    flow = Flow(grid, Energy(Internal("entropy", 1.0)))
    rho = grid.average(lambda x, y: np.exp(-(x**2 + y**2) / 4e-3))
    stepper = FiniteVolumes(flow, order=2, dt=dt, first_dt=1e-6, threads=1)
    state = Snapshot(0.0, 0, {"rho": rho})
    for _ in range(5):
        new = stepper.step(state, 0.02)
        check_step(flow, state, new)
        assert new.dt >= 1e-8
        state = new


def test_a_subnormal_line_does_not_shorten_steps():
    flow = Flow(Grid([0.0, 0.0], [1.0, 1.0], [8, 2]), Energy(Internal("entropy", 1.0)))
    rho = np.array([[1.0], [1e-318]]) * (1 + np.arange(8.0))
    new = stepper_of(flow, 2, 1e-3).step(Snapshot(0.0, 0, {"rho": rho}), 1e-3)
    assert new.report.rejected == 0


# ---------------------------------------------------------------------------------------------- steady states


def moved(flow, old, new):
    return flow.integral(np.abs(new - old)) / flow.mass(old)


def check_gibbs(problem):
    flow, _ = replace(problem, interaction="none").build()
    gibbs = flow.gibbs(problem.mass)
    height = 0.0 if flow.potential is None else float(np.max(np.abs(flow.potential))) / problem.kappa
    allowed = 1e-13 * (1 + height)
    for order in (1, 2):
        new = stepper_of(flow, order, problem.dt).step(Snapshot(0.0, 0, {"rho": gibbs}), problem.dt).rho
        assert moved(flow, gibbs, new) <= allowed
        normal = gibbs > 1e-290 * problem.mass
        assert np.max(np.abs(new[normal] / gibbs[normal] - 1)) <= allowed


@settings(max_examples=50)
@given(problem=problems(kinds=("entropy",)))
def test_gibbs_state_is_a_fixed_point_at_any_step(problem):
    """Every cell, relative to itself, however deep it lies under the barrier; split and unsplit."""
    check_gibbs(problem)


@pytest.mark.nightly
@settings(settings.get_profile("nightly"))
@given(problem=problems(kinds=("entropy",)))
def test_gibbs_state_at_length(problem):
    check_gibbs(problem)


def confined(m, dim, size, periodic, stretched, kappa=0.7):
    """A flow and its steady state [((m−1)/(mκ)) (C − V)]_+^{1/(m−1)} in a double well tilted to one side."""

    def well(x, y=0.0):
        return np.cos(np.pi * x) + 0.3 * np.cos(2 * np.pi * (y - 0.5) / 3) + 0.2 * np.sin(np.pi * x)

    problem = Problem(m, (size, size - 2)[:dim], (periodic, periodic)[:dim], (stretched, False)[:dim])
    potential = (lambda x: well(x)) if dim == 1 else (lambda x, y: well(x, y))
    flow = Flow(problem.grid(), Energy(Internal("power", kappa, m), potential))
    level = 0.4 if m > 1 else np.min(flow.potential) - 0.3
    base = (m - 1) / (m * kappa) * (level - flow.potential)
    return flow, np.where(base > 0, np.abs(base), 0.0) ** (1 / (m - 1)) if m > 1 else base ** (1 / (m - 1))


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("m", POWERS)
@pytest.mark.parametrize(
    ("dim", "size", "periodic", "stretched"),
    [(1, 40, False, False), (1, 24, True, True), (2, 12, False, True), (2, 10, True, False)],
)
def test_steady_state_of_a_power_is_a_fixed_point(m, order, dim, size, periodic, stretched):
    flow, rho = confined(m, dim, size, periodic, stretched)
    for dt in (1e-6, 1e-2, 1.0, 1e3):
        new = stepper_of(flow, order, dt).step(Snapshot(0.0, 0, {"rho": rho}), dt)
        assert new.t == dt
        assert moved(flow, rho, new.rho) <= 1e-12


@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("kind", ["entropy", 2.0, 1.5])
@pytest.mark.parametrize("interaction", ["attractive", "repulsive"])
def test_where_long_stepping_ends_is_a_fixed_point(interaction, kind, dim):
    """ξ of the half-averaged W vanishes at the limit, so it is one for every step and either order."""
    problem = Problem(
        kind, (20, 12)[:dim], (False, True)[:dim], (False, False)[:dim], potential="smooth",
        interaction=interaction, strength=0.5, kappa=0.5,
    )  # fmt: skip
    flow, rho = problem.build()
    state = Snapshot(0.0, 0, {"rho": rho})
    stepper = stepper_of(flow, 1, 20.0)
    while state.t < 2000:
        state = stepper.step(state, 2000.0)
    for order, dt in ((1, 1e-3), (1, 1.0), (2, 1e-3), (2, 1.0), (2, 50.0)):
        new = stepper_of(flow, order, dt).step(Snapshot(0.0, 0, {"rho": state.rho}), dt)
        assert moved(flow, state.rho, new.rho) <= 3e-12
    if kind == "entropy":
        xi = flow.variation(state.rho)
        assert np.ptp(xi) <= 1e-10


# ---------------------------------------------------------------------------------------------- the law itself


def in_1d(problem):
    return replace(problem, shape=problem.shape[:1], periodic=problem.periodic[:1], stretched=problem.stretched[:1])


def frozen(flow, phi):
    """The same flow with the potential Φ and no interaction."""
    return Flow(flow.grid, Energy(flow.internal, lambda **coords: phi))


@settings(max_examples=50)
@given(problem=problems(kinds=("entropy", *POWERS), interactions=("none", "attractive", "repulsive", "log")))
def test_energy_falls_at_least_by_the_dissipation(problem):
    """Backward Euler in 1D: E(ρ') − E(ρ) ≤ −dt Σ M (Δξ)²/d with ξ = U'(ρ') + V + W∗½(ρ + ρ'), for W of either sign."""
    problem = replace(in_1d(problem), order=1)
    flow, rho = problem.build()
    new = stepper_of(flow, 1, problem.dt).step(Snapshot(0.0, 0, {"rho": rho}), problem.dt)
    phi = np.zeros_like(rho) if flow.potential is None else flow.potential
    if flow.interaction is not None:
        phi = phi + 0.5 * (flow.interaction.apply(rho) + flow.interaction.apply(new.rho))
    rate = dissipation(frozen(flow, phi), new.rho)
    if np.isfinite(rate):
        (size_old, drive_old), (size_new, drive_new) = size_of_terms(flow, rho), size_of_terms(flow, new.rho)
        rounding = 64 * EPS * (size_old + size_new) + 2e-13 * max(drive_old, drive_new)
        assert flow.value(rho) - flow.value(new.rho) >= new.dt * rate * (1 - 1e-6) - rounding


def reference_flux(kind, a, b, dphi, kappa):
    """d·F of one face in extended precision, straight from the definition."""
    if kind == "entropy":
        s = dphi / kappa
        low = np.where(np.abs(s) < 1e-8, 1 - s / 2 + s * s / 12, s / np.expm1(np.where(s == 0, 1, s)))
        return kappa * (low * a - (low + s) * b)
    m = np.longdouble(kind)
    du, dp = kappa * m / (m - 1) * (b ** (m - 1) - a ** (m - 1)), kappa * (b**m - a**m)
    close = np.abs(b - a) < 1e-5 * (a + b)
    mean = np.where(close, (a + b) / 2 * (1 + ((b - a) / (a + b)) ** 2 * (m - 2) / 3), dp / np.where(close, 1, du))
    dxi = du + dphi
    donor = np.where(dxi < 0, a, b)
    if m >= 2:
        return np.where(mean <= 2 * donor, -dp - mean * dphi, -2 * donor * dxi)
    q = np.abs(dphi) / (2 * np.minimum(kappa * m * a ** (m - 1), kappa * m * b ** (m - 1)))
    if m > 1:
        omega = np.maximum(0, 1 - 1 / np.maximum(q, 1e-300))
    else:
        omega = np.where(q < 1e-3, q / 3, 1 / np.tanh(np.maximum(q, 1e-3)) - 1 / np.maximum(q, 1e-3))
    return (1 - omega) * (-dp - mean * dphi) - omega * donor * dxi


@settings(max_examples=50)
@given(
    problem=problems(
        kinds=("entropy", *POWERS),
        interactions=("none",),
        potentials=("none", "smooth"),
        data=("smooth", "random"),
        dts=(1e-6, 10.0),
    )
)
def test_backward_euler_solves_its_equation(problem):
    """h (ρ' − ρ)/dt + ∂F(ρ') = 0 to rounding, with fluxes written out independently in extended precision."""
    problem = replace(in_1d(problem), order=1, mass=1.0)
    flow, rho = problem.build()
    new = stepper_of(flow, 1, problem.dt).step(Snapshot(0.0, 0, {"rho": rho}), problem.dt)
    axis = flow.grid.x
    phi = np.zeros_like(rho) if flow.potential is None else flow.potential
    state, phi, kappa = (np.asarray(z, dtype=np.longdouble) for z in (new.rho, phi, problem.kappa))
    flux = reference_flux(problem.kind, state, np.roll(state, -1), np.roll(phi, -1) - phi, kappa) / axis.distances
    if not axis.ring:
        flux[-1] = 0
    residual = axis.widths * (state - rho) + new.dt * (flux - np.roll(flux, 1))
    m = problem.kind if not problem.linear else 1.0
    stiffness = problem.kappa * m * float(np.max(state ** (m - 1) if m != 1 else 1.0)) + float(np.ptp(phi))
    allowed = 64 * EPS * (1 + new.dt * stiffness / np.min(axis.widths) ** 2) + 1e-7 * (m < 1)
    assert float(np.sum(np.abs(residual))) <= allowed * len(rho)
