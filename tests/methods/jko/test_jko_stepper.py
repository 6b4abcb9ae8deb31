"""The promises of the JKO stepper, for every step size, and closed forms.

Hypothesis draws a `JkoProblem`: law × dimension × boundary × stretching × V × W × data × τ.  What a step promises:
mass, ρ ≥ 0, gap ≤ tolerance, and E(ρ¹) + ½W₂²/τ ≤ E(ρ⁰) up to the gap.  For powers κ is taken over mass^{m−1}, so
that τ measures the step for every mass.
"""

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from jko_problems import DATA, KINDS, POTENTIALS, JkoProblem, moved, problems, start, stepper_of

from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.errors import CaseError, SolverError
from wgfpde.grid import Grid
from wgfpde.methods.jko.stepper import Jko

MASS = 1e-14
TOLERANCE = 1e-8


def check_step(flow, before, after, tolerance=TOLERANCE):
    """One accepted step keeps every promise."""
    old, new, report = before.rho, after.rho, after.report
    assert new.shape == flow.grid.shape
    assert np.all(np.isfinite(new))
    assert np.min(new) >= 0
    assert flow.mass(new) == pytest.approx(flow.mass(old), rel=MASS, abs=0)
    assert report.gap <= tolerance
    assert report.transport >= 0
    first, last = flow.parts(old), flow.parts(new)
    scale = report.transport / after.dt + sum(abs(part) for part in last)
    slack = max(report.gap, 0.0) * scale + 1e-13 * (scale + sum(abs(part) for part in first))
    if flow.interaction is not None:
        assert report.drive_residual <= tolerance
        slack += report.drive_residual * scale
    assert sum(last) + report.transport / after.dt <= sum(first) + slack


def march(problem, steps=2.5, limit=4, **options):
    """Steps towards t = steps · τ, at most `limit`, each checked."""
    flow, rho = problem.build()
    stepper = stepper_of(flow, problem.dt, **options)
    snapshots = [start(rho)]
    while snapshots[-1].t < steps * problem.dt and len(snapshots) <= limit:
        old = snapshots[-1]
        new = stepper.step(old, steps * problem.dt)
        assert old.t < new.t <= steps * problem.dt
        assert new.step == old.step + 1
        assert new.dt <= problem.dt * (1 + 1e-8)
        assert ("step shortened" in new.report.note) == (new.report.rejected > 0)
        check_step(flow, old, new)
        snapshots.append(new)
    if not any(s.report.rejected for s in snapshots):
        assert len(snapshots) == 1 + math.ceil(steps)
        assert snapshots[-1].t == steps * problem.dt
    return flow, snapshots


def all_promises(problem):
    _, snapshots = march(problem)
    event("shortened" if any(s.report.rejected for s in snapshots) else "as asked")


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25)
@given(data=st.data())
def test_promises(kind, data):
    all_promises(data.draw(problems(kinds=(kind,))))


@settings(max_examples=40)
@given(problem=problems(interactions=("quadratic",)))
def test_promises_with_quadratic_interaction(problem):
    all_promises(problem)


@pytest.mark.nightly
@pytest.mark.parametrize("kind", KINDS)
@settings(settings.get_profile("nightly"))
@given(data=st.data())
def test_promises_at_length(kind, data):
    all_promises(data.draw(problems(kinds=(kind,), interactions=("none", "quadratic", "attractive", "repulsive"))))


def random_problem(rng):
    """The same, drawn evenly with a NumPy generator: for rates of success."""
    dim = int(rng.integers(1, 3))

    def pick(options):
        return options[rng.integers(len(options))]

    return JkoProblem(
        kind=pick(KINDS),
        shape=tuple(pick((2, 3, 7, 16, 33) if dim == 1 else (2, 3, 5, 8, 11)) for _ in range(dim)),
        periodic=tuple(bool(rng.random() < 0.5) for _ in range(dim)),
        stretched=tuple(bool(rng.random() < 0.5) for _ in range(dim)),
        kappa=pick((1.0, 0.05, 7.0)),
        potential=pick(POTENTIALS),
        steepness=float(10 ** rng.uniform(-1, 1)),
        data=pick(DATA),
        mass=pick((1.0, 1e-6, 1e3, 0.3)),
        dt=float(10 ** rng.uniform(-6, 0)),
        seed=int(rng.integers(2**32)),
    )


def outcomes(count, seed):
    rng, outcome = np.random.default_rng(seed), Counter()
    for _ in range(count):
        problem = random_problem(rng)
        try:
            snapshots = march(problem)[1]
        except SolverError:
            outcome["failed"] += 1
            continue
        outcome["shortened" if any(s.report.rejected for s in snapshots) else "as asked"] += 1
    return outcome


def test_steps_rarely_need_shortening():
    """No SolverError in the whole range of problems, and hardly a shortened step."""
    outcome = outcomes(150, seed=0)
    assert outcome["failed"] == 0
    assert outcome["shortened"] <= 0.03 * 150


@pytest.mark.nightly
def test_steps_rarely_need_shortening_at_length():
    outcome = outcomes(5000, seed=1)
    assert outcome["failed"] == 0
    assert outcome["shortened"] <= 0.02 * 5000


# ------------------------------------------------------------------------------------------------- steady states


def check_gibbs(problem):
    flow, _ = problem.build()
    gibbs = flow.gibbs(problem.mass)
    height = 0.0 if flow.potential is None else float(np.max(np.abs(flow.potential))) / problem.kappa
    for scheme in ("jko", "extrapolated"):
        new = stepper_of(flow, problem.dt, scheme=scheme).step(start(gibbs), problem.dt)
        assert new.t == problem.dt
        assert moved(flow, gibbs, new.rho) <= 1e-13 * (1 + height)


@settings(max_examples=40)
@given(problem=problems(kinds=("entropy",)))
def test_gibbs_state_is_a_fixed_point(problem):
    check_gibbs(problem)


@pytest.mark.parametrize("tau", [1e-6, 1e-4, 1e-2, 1.0])
@pytest.mark.parametrize("dim", [1, 2])
def test_gibbs_state_under_a_steep_barrier_is_a_fixed_point(dim, tau):
    """e^{−V/κ} falls by many orders from a cell to the next: every cell still stays."""
    check_gibbs(JkoProblem("entropy", (16, 12)[:dim], (False,) * dim, (False,) * dim, 0.5, "double well", 5.0, dt=tau))


@pytest.mark.parametrize("tau", [1e-6, 1e-3, 1.0])
def test_without_energy_nothing_moves(tau):
    """U = none, V = 0: the step minimises ½W₂² alone."""
    rng = np.random.default_rng(0)
    for rho in (rng.random(9), np.where(rng.random(9) < 0.4, 1.0, 0.0), np.eye(9)[3]):
        flow = Flow(Grid([0.0], [1.0], [9]), Energy(Internal("none")))
        new = stepper_of(flow, tau).step(start(rho), tau)
        assert new.t == tau
        assert moved(flow, rho, new.rho) <= 1e-12


@pytest.mark.parametrize("tau", [1e-6, 1e-3, 1.0])
@pytest.mark.parametrize("shape", [(7,), (5, 7)])
def test_mass_at_the_bottom_of_a_well_stays(tau, shape):
    """U = none and all mass in the cell where V is smallest."""
    dim = len(shape)
    potential = (lambda x: x**2) if dim == 1 else (lambda x, y: x**2 + y**2)
    flow = Flow(Grid([-1.0] * dim, [1.0] * dim, shape), Energy(Internal("none"), potential))
    rho = np.zeros(flow.grid.shape)
    rho[tuple(n // 2 for n in flow.grid.shape)] = 1.0
    new = stepper_of(flow, tau).step(start(rho), tau)
    assert new.t == tau
    assert moved(flow, rho, new.rho) <= 1e-8


@pytest.mark.parametrize("kind", [2.0, 4.0, 1.5, 0.8])
def test_where_long_stepping_ends_is_a_fixed_point(kind):
    flow, rho = JkoProblem(kind, (16,), potential="double well", steepness=0.2, data="vacuum").build()
    state, stepper = start(rho), stepper_of(flow, 20.0, tolerance=1e-12)
    for _ in range(30):
        state = stepper.step(state, 1e4)
    for tau in (1e-3, 1.0, 100.0):
        new = stepper_of(flow, tau, tolerance=1e-12).step(start(state.rho), tau)
        assert moved(flow, state.rho, new.rho) <= 1e-5


# ------------------------------------------------------------------------------------------- times, notes, errors


def test_every_output_time_is_hit_exactly():
    flow, rho = JkoProblem("entropy", (16,), potential="quadratic").build()
    stepper, state = stepper_of(flow, 0.013), start(rho)
    for t_next in (1e-9, 0.1, 0.1 + 1e-12, 1 / 3):
        while state.t < t_next:
            new = stepper.step(state, t_next)
            assert state.t < new.t <= t_next
            check_step(flow, state, new)
            state = new
        assert state.t == t_next
    with pytest.raises(SolverError, match="must lie after"):
        stepper.step(state, state.t)


def test_fixed_steps_fill_the_way():
    flow, rho = JkoProblem("entropy", (16,), potential="quadratic").build()
    stepper, state, sizes = stepper_of(flow, 0.3), start(rho), []
    while state.t < 1.0:
        state = stepper.step(state, 1.0)
        sizes.append(state.dt)
    assert len(sizes) == 4
    assert max(sizes) <= 0.3 * (1 + 1e-9)
    assert sum(sizes) == pytest.approx(1.0, rel=1e-12, abs=0)


def limited(limit, kind=4.0, tau=0.5):
    """A problem, and a stepper with so few iterations that a large step cannot be solved."""
    flow, rho = JkoProblem(
        kind, (16, 12), (False, False), (False, False), potential="double well", data="smooth"
    ).build()
    return flow, stepper_of(flow, tau, max_iterations=limit), start(rho)


def test_a_shortened_step_says_so_and_recovers():
    flow, stepper, state = limited(3, "entropy", 0.01)
    new = stepper.step(state, 0.01)
    assert new.t < 0.01
    assert new.report.rejected >= 1
    assert "step shortened from 0.01 to" in new.report.note
    assert "Newton iterations were spent" in new.report.note
    check_step(flow, state, new)
    while new.t < 0.01:
        old, new = new, stepper.step(new, 0.01)
        check_step(flow, old, new)
    assert new.t == 0.01


@pytest.mark.parametrize("kind", ["entropy", 4.0, "none"])
def test_a_step_that_cannot_be_solved_offers_something(kind):
    _, stepper, state = limited(1, kind)
    with pytest.raises(SolverError) as failure:
        stepper.step(state, 0.5)
    text = str(failure.value)
    assert text.endswith(".")
    assert "no JKO step could be solved at t = 0" in text
    assert "Take a smaller tau" in text
    assert "pdhg" in text
    assert ".." not in text.replace("...", "")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"tau": 0.0}, "tau must be positive"),
        ({"tau": math.inf}, "tau must be positive"),
        ({"tolerance": 0.0}, "tolerance must be positive"),
        ({"scheme": "second"}, '"jko" or "extrapolated"'),
        ({"algorithm": "admm"}, '"newton", "pdhg" or "exact"'),
        ({"inner_steps": 2}, "one inner step"),
        ({"congestion": 1.0}, "congestion"),
    ],
)
def test_options_out_of_range(options, words):
    flow = Flow(Grid([0.0], [1.0], [4]), Energy())
    with pytest.raises(CaseError, match=words):
        Jko(flow, **{"tau": 0.1} | options)


def test_warm_up_leaves_no_trace():
    flow, rho = JkoProblem(2.0, (16,), potential="quadratic", data="vacuum").build()
    plain, warm = stepper_of(flow, 0.05), stepper_of(flow, 0.05)
    warm.warm_up()
    assert np.array_equal(plain.step(start(rho), 0.05).rho, warm.step(start(rho), 0.05).rho)


def test_a_shortened_step_is_doubled_until_it_is_tau_again():
    """From τ/8, which a step before had to take: τ/8, τ/4, τ/2, τ, τ; then nothing is left to remember."""
    flow, rho = JkoProblem(2.0, (16,), potential="quadratic").build()
    stepper = stepper_of(flow, 0.08)
    state, sizes = replace(start(rho), dt_next=0.01), []
    for _ in range(5):
        state = stepper.step(state, 1e3)
        sizes.append(state.dt)
    assert sizes == pytest.approx([0.01, 0.02, 0.04, 0.08, 0.08], rel=1e-4, abs=0) and state.dt_next == 0.0
