"""The hunt for broken promises of the finite volumes, over everything that can be written down (module `wild`).

    WGFPDE_HUNT_EXAMPLES=5000 pytest -m nightly tests/hunt/test_hunt_fv.py

A failure prints its problem as plain numbers; what was found so far is mended and kept in
tests/methods/finite_volumes/test_hunted_fv.py.
No step may be found where the rates exceed what a double holds, but only with a sentence.
"""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from wild import KINDS, Wild, at_centres, embed, steady_power, stepper_of, wild

import wgfpde as wgf
from wgfpde.cli import main
from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.fluxes import dissipation, max_flux
from wgfpde.energy.snapshot import Snapshot
from wgfpde.errors import SolverError
from wgfpde.linear import threads

pytestmark = pytest.mark.nightly
EPS = np.finfo(float).eps
HUNT = settings(settings.get_profile("hunt"))
SENTENCE = re.compile(r"no step could be solved at t = .*: .*; tried \d+ steps from .* down to .*\.")


def begin(rho):
    return Snapshot(0.0, 0, {"rho": rho})


def one_step(problem, flow, rho):
    """A step, or None where there is none, and then with a sentence."""
    try:
        return stepper_of(problem, flow).step(begin(rho), problem.dt)
    except SolverError as error:
        assert SENTENCE.fullmatch(str(error))
        event("no step")
        return None


def close(a, b, tolerance):
    return np.max(np.abs(a - b)) <= tolerance * np.max(np.abs(b))


def size_of_terms(flow, rho):
    """Sum of the absolute terms of E, and of W∗ρ, whose iteration stops at 1e-13."""
    internal, drive = flow.internal, 0.0
    terms = np.abs(internal.density(rho))
    if internal.kind == "entropy":
        terms = internal.kappa * rho * (1 + np.abs(np.log(np.where(rho > 0, rho, 1.0))))
    if flow.potential is not None:
        terms = terms + np.abs(flow.potential * rho)
    if flow.interaction is not None:
        drive = float(np.max(np.abs(flow.interaction.apply(rho)))) * flow.mass(rho)
    return flow.integral(terms) + 0.5 * drive, drive


@HUNT
@given(problem=wild())
def test_mass_sign_energy_time_and_dissipation(problem):
    flow, rho = problem.build()
    stepper, state, end = stepper_of(problem, flow), begin(rho), 2.5 * problem.dt
    for _ in range(5):
        if state.t == end:
            break
        try:
            new = stepper.step(state, end)
        except SolverError as error:
            assert SENTENCE.fullmatch(str(error))
            event("no step")
            break
        assert state.t < new.t <= end
        assert np.all(np.isfinite(new.rho))
        assert np.min(new.rho) >= 0
        assert abs(flow.mass(new.rho) / flow.mass(state.rho) - 1) <= 1e-14
        (old_size, old_drive), (size, drive) = size_of_terms(flow, state.rho), size_of_terms(flow, new.rho)
        assert flow.value(new.rho) - flow.value(state.rho) <= 64 * EPS * (old_size + size) + 2e-13 * max(
            old_drive, drive
        )
        assert dissipation(flow, new.rho) >= 0
        assert max_flux(flow, new.rho) >= 0
        state = new


@HUNT
@given(problem=wild(kinds=("entropy",), interactions=("none",)), order=st.sampled_from((1, 2)))
def test_gibbs_states_rest(problem, order):
    problem = replace(problem, adaptive=False, order=order)
    flow, _ = problem.build()
    gibbs = flow.gibbs(problem.mass)
    height = 0.0 if flow.potential is None else float(np.max(np.abs(flow.potential))) / problem.kappa
    new, normal = one_step(problem, flow, gibbs).rho, gibbs > 1e-290 * problem.mass
    assert flow.integral(np.abs(new - gibbs)) <= 1e-13 * (1 + height) * flow.mass(gibbs)
    assert np.max(np.abs(new[normal] / gibbs[normal] - 1)) <= 1e-13 * (1 + height)


POWERS = tuple(kind for kind in KINDS if isinstance(kind, float))


@HUNT
@given(problem=wild(kinds=POWERS, interactions=("none",), potentials=("smooth", "steep", "step", "noise")))
def test_steady_states_of_powers_rest(problem):
    """Up to the rounding of a residual, which grows like ε dt κ p'/h²: 1e-6 at most is seen in the whole range."""
    problem = replace(problem, adaptive=False)
    flow, rho = steady_power(problem)
    if np.all(np.isfinite(rho)) and 1e-100 < np.max(rho) < 1e100:
        new = one_step(problem, flow, rho)
        slope = problem.kappa * problem.kind * np.max(rho[rho > 0] ** (problem.kind - 1))
        narrow = min(float(np.min(axis.widths)) for axis in flow.grid.axes)
        allowed = 1e-12 + min(10 * EPS * (1 + problem.dt * slope / narrow**2), 1e-6)
        assert new is None or flow.integral(np.abs(new.rho - rho)) <= allowed * flow.mass(rho)


def moved(problem, flow, rho, move):
    """The same problem with its arrays moved, solved and moved back by the caller."""
    potential = None if flow.potential is None else at_centres(np.ascontiguousarray(move(flow.potential)))
    other = Flow(flow.grid, Energy(flow.internal, potential, problem.kernel()))
    return one_step(problem, flow, rho), one_step(problem, other, np.ascontiguousarray(move(rho)))


def comparable(a, b):
    """Whether both took the step as asked: where rounding decides on a remedy the two may differ."""
    return a is not None and b is not None and a.dt == b.dt and not a.report.note and not b.report.note


@HUNT
@given(problem=wild(), axis=st.sampled_from((0, -1)))
def test_reflections_and_translations(problem, axis):
    problem = replace(problem, adaptive=False, stretch=(1.0,) * len(problem.shape))
    flow, rho = problem.build()
    a, b = moved(problem, flow, rho, lambda z: np.flip(z, axis))
    assert not comparable(a, b) or close(np.flip(b.rho, axis), a.rho, 1e-5)
    problem = replace(problem, periodic=(True,) * len(problem.shape))
    flow, rho = problem.build()
    a, b = moved(problem, flow, rho, lambda z: np.roll(z, 1, axis))
    assert not comparable(a, b) or close(np.roll(b.rho, -1, axis), a.rho, 1e-5)


@HUNT
@given(problem=wild(dims=(1,), interactions=("none",), kinds=[k for k in KINDS if k != 0.3]))
def test_a_line_is_a_plane_that_does_not_vary(problem):
    problem = replace(problem, adaptive=False, order=1)
    flow, rho = problem.build()
    plane = embed(problem, 3)
    potential = None if flow.potential is None else at_centres(np.tile(flow.potential, (3, 1)))
    a = one_step(problem, flow, rho)
    b = one_step(plane, Flow(plane.grid(), Energy(flow.internal, potential)), np.tile(rho, (3, 1)))
    if comparable(a, b):
        assert all(close(row, a.rho, 1e-9) for row in b.rho)


@HUNT
@given(problem=wild())
def test_units_do_not_matter(problem):
    """E by 2⁷ and dt by 2⁻⁷; lengths by 8 and dt by 64: powers of two, for what is left to rounding to be little."""
    problem = replace(problem, adaptive=False)
    flow, rho = problem.build()
    kernel, law, potential = problem.kernel(), flow.internal, flow.potential
    a = one_step(problem, flow, rho)
    stronger = Energy(
        Internal(law.kind, 128 * law.kappa, law.m),
        None if potential is None else at_centres(128 * potential),
        None if kernel is None else lambda **z: 128 * kernel(**z),
    )
    b = one_step(replace(problem, dt=problem.dt / 128), Flow(flow.grid, stronger), rho)
    if a is not None and b is not None and 128 * b.dt == a.dt:
        assert close(b.rho, a.rho, 1e-11)
    wide = replace(
        problem,
        lower=tuple(8 * z for z in problem.lower),
        length=tuple(8 * z for z in problem.length),
        dt=64 * problem.dt,
    )
    wider = Energy(
        law,
        None if potential is None else at_centres(potential),
        None if kernel is None else lambda **z: kernel(**{k: v / 8 for k, v in z.items()}) / 8 ** len(problem.shape),
    )
    b = one_step(wide, Flow(wide.grid(), wider), rho)
    if a is not None and b is not None and b.dt == 64 * a.dt:
        assert close(b.rho, a.rho, 1e-9)


@HUNT
@given(problem=wild(kinds=("entropy",), interactions=("none",)))
def test_backward_euler_contracts_and_keeps_order(problem):
    problem = replace(problem, adaptive=False, order=1)
    flow, rho = problem.build()
    above = rho * (1 + np.random.default_rng(problem.seed).random(rho.shape))
    beside = np.ascontiguousarray(np.roll(rho, 1, -1))
    a, b, c = (one_step(problem, flow, r).rho for r in (rho, above, beside))
    assert np.all(a[b > 1e-290] <= b[b > 1e-290] * (1 + 1e-12))
    size = flow.mass(rho) + flow.mass(beside)
    assert flow.integral(np.abs(a - c)) <= flow.integral(np.abs(rho - beside)) + 1e-13 * size


@HUNT
@given(problem=wild())
def test_threads_and_a_fresh_start_change_no_bit(problem):
    flow, rho = problem.build()
    serial = threads.SERIAL_CELLS
    threads.SERIAL_CELLS = 0
    try:
        a, b = (stepper_of(problem, flow, count).step(begin(rho), 3 * problem.dt) for count in (1, 2))
        assert np.array_equal(a.rho, b.rho)
        if a.t < 3 * problem.dt:
            again = stepper_of(problem, problem.build()[0])
            c, d = (stepper.step(a, 3 * problem.dt) for stepper in (stepper_of(problem, flow), again))
            assert np.array_equal(c.rho, d.rho)
            assert (c.t, c.dt_next) == (d.t, d.dt_next)
    except SolverError as error:
        assert SENTENCE.fullmatch(str(error))
    finally:
        threads.SERIAL_CELLS = serial


@HUNT
@given(problem=wild())
def test_the_variation_is_the_derivative_of_the_energy(problem):
    problem = replace(problem, data="random", offset=0.0)
    flow, rho = problem.build()
    rho = rho + 0.1 * np.max(rho)
    change = 1e-5 * rho * np.random.default_rng(problem.seed).standard_normal(rho.shape)
    xi = flow.variation(rho)
    slope = 0.5 * (flow.value(rho + change) - flow.value(rho - change))
    size = flow.integral(np.abs(xi * change)) + 1e-5 * size_of_terms(flow, rho)[0]
    assert abs(slope - flow.integral(xi * change)) <= 1e-6 * size


@HUNT
@given(problem=wild(dims=(1,)), count=st.integers(1, 3))
def test_the_door_marches_through_it(problem, count):
    flow, rho = problem.build()
    steps = {"dt": "adaptive", "first_dt": problem.dt} if problem.adaptive else {"dt": problem.dt}
    solver = {"method": "fv", "order": problem.order} | steps
    case = wgf.problem(flow.grid, flow.energy, rho, end=count * problem.dt, solver=solver)
    try:
        for number, state in enumerate(wgf.march(case)):
            assert np.min(state.rho) >= 0
            assert abs(flow.mass(state.rho) / flow.mass(rho) - 1) <= 1e-13
            if number == 4:
                break
    except SolverError as error:
        assert SENTENCE.fullmatch(str(error))


CASES = (
    "heat_1d",
    "ou_1d",
    "barenblatt_1d_m2",
    "kuramoto_1d",
    "fast_diffusion_1d",
    "aggregation_1d",
    "ou_stretched_1d",
)
NUMBERS = ("0", "-1", "1", "1e-300", "1e300", "inf", "nan", "1e-12", "2", "true", '"x"', "[]", "{}", "[1.0]", "9" * 25)
FORMULAS = (
    '"x"',
    '"1/x"',
    '"log(x)"',
    '"exp(1000*x)"',
    '"y"',
    '"x*"',
    '"0"',
    '"-1"',
    '"nan"',
    '"x[0]"',
    '"("',
    "1",
    "[]",
)
KEYS = {
    "grid.shape": ("[2]", "[1]", "[3, 2]", "[0]", "[4.5]", "4", "[1000000000000]", "[4, 4, 4]", "[]"),
    "grid.lower": ("[0.0]", "[1e308]", "[nan]", "[-inf]", "0", "[0.0, 0.0]"),
    "grid.boundary": ('["periodic"]', '["no-flux"]', '"periodic"', '["x"]', "[]"),
    "grid.mapping": ('["s"]', '["s**2"]', '["1-s"]', '["nan"]', '["s**400"]', '["0*s"]'),
    "energy.internal": ('{kind="none"}', '{kind="power"}', '{kind="power",m=0.3}', '{kind="power",m=600.0}', "{}", "1"),
    "output.times": ("[]", "[0.1]", "[nan]", "[-1.0]", "[0.2,0.1]", "1"),
    "solver.method": ('"fv"', '"jko"', '"x"', "1", '"geodesic"'),
} | dict.fromkeys(("energy.potential", "energy.interaction", "initial.density", "exact.density"), FORMULAS)
KEYS |= dict.fromkeys(("initial.mass", "time.end", "time.start", "output.every", "solver.dt", "solver.order"), NUMBERS)
KEYS |= dict.fromkeys(
    ("solver.tolerance", "solver.tau", "solver.blow_up", "energy.lambda", "params", "bogus.key"), NUMBERS
)
SETTINGS = st.sampled_from(sorted(KEYS)).flatmap(lambda key: st.sampled_from(KEYS[key]).map(lambda v: f"{key}={v}"))


@HUNT
@given(case=st.sampled_from(CASES), changes=st.lists(SETTINGS, min_size=1, max_size=3))
def test_any_change_to_a_case_is_checked_or_refused_with_a_sentence(case, changes):
    code = main(["check", case, *(word for change in changes for word in ("--set", change))])
    event(f"exit code {code}")
    assert code in (0, 2)


def test_a_problem_prints_as_it_can_be_pasted():
    problem = Wild(0.75, (3, 2), (True, False), (1.0, 3.0), (0.0, 0.0), (1.0, 1.0), data="dirac", seed=7)
    assert eval(repr(problem)) == problem
