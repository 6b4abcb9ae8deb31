"""The stepper: adaptive error control, steps that fail, what is refused, independence of history and threads."""

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from strategies import Problem

from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.fluxes import dissipation, max_flux
from wgfpde.energy.snapshot import Snapshot
from wgfpde.errors import CaseError, SolverError
from wgfpde.grid import Grid
from wgfpde.linear import threads as threads_module
from wgfpde.methods.finite_volumes.one_step import OneStep
from wgfpde.methods.finite_volumes.stepper import FiniteVolumes


def start(rho, t=0.0):
    return Snapshot(t, 0, {"rho": rho})


def march(stepper, state, end):
    """All snapshots up to `end`."""
    states = [state]
    while states[-1].t < end:
        states.append(stepper.step(states[-1], end))
    return states


def relaxing(kind="entropy", dim=1, size=40, interaction="none", dt=0.01, order=2, **options):
    """A flow with a fast transient and a stepper for it."""
    problem = Problem(
        kind, (size, size)[:dim], (False, True)[:dim], (False, False)[:dim],
        potential="smooth", steepness=2.0, interaction=interaction, strength=0.5, data="blocks", seed=3,
    )  # fmt: skip
    flow, rho = problem.build()
    options.setdefault("threads", 1)
    return flow, rho, FiniteVolumes(flow, order=order, dt=dt, **options)


# ------------------------------------------------------------------------------------------------ adaptive steps


@pytest.mark.parametrize("kind", ["entropy", "none", 2.0, 1.5])
@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("tolerance", [1e-3, 1e-5])
def test_adaptive_steps_keep_the_tolerance(kind, order, tolerance):
    """‖ρ_{dt/2,dt/2} − ρ_dt‖₁ ≤ tolerance · mass, redone here with fixed steps."""
    flow, rho, stepper = relaxing(kind, dt="adaptive", order=order, tolerance=tolerance)
    states = march(stepper, start(rho), 0.02)
    for old, new in pairwise(states[:31]):
        whole = FiniteVolumes(flow, order, new.dt, threads=1).step(start(old.rho), new.dt).rho
        halves = march(FiniteVolumes(flow, order, new.dt / 2, threads=1), start(old.rho), new.dt)
        if len(halves) == 3:
            assert new.rho == pytest.approx(halves[-1].rho, rel=1e-9, abs=1e-13 * np.max(rho))
            assert flow.integral(np.abs(new.rho - whole)) <= tolerance * flow.mass(rho) * (1 + 1e-6)


def test_an_adaptive_step_counts_its_three_solves():
    """The whole step and both halves: iterations, inner and outer ones, are those of three fixed steps."""
    grid = Grid([-2.0], [2.0], [24])
    flow = Flow(grid, Energy(Internal("power", m=2.0), interaction=lambda x: 4.0 * x**2))
    rho = grid.sample(lambda x: 1.0 + np.exp(-((x - 0.5) ** 2)))
    new = FiniteVolumes(flow, 2, "adaptive", tolerance=1.0, first_dt=0.1, threads=1).step(start(rho), 0.1)
    whole = FiniteVolumes(flow, 2, 0.1, threads=1).step(start(rho), 0.1)
    halves = march(FiniteVolumes(flow, 2, 0.05, threads=1), start(rho), 0.1)[1:]
    assert (new.dt, len(halves)) == (0.1, 2)
    for name in ("outer", "iterations"):
        assert getattr(new.report, name) == sum(getattr(s.report, name) for s in (whole, *halves)) > 0


@pytest.mark.parametrize("kind", ["entropy", 2.0, 1.5])
def test_adaptive_steps_grow_and_are_more_numerous_when_asked_for_more(kind):
    counts = []
    for tolerance in (1e-3, 1e-6):
        _, rho, stepper = relaxing(kind, dt="adaptive", tolerance=tolerance)
        states = march(stepper, start(rho), 20.0)
        steps = [s.dt for s in states[1:]]
        assert max(steps) > 30 * steps[0]
        counts.append(len(steps))
    assert counts[0] < counts[1] < 2000


@pytest.mark.parametrize("dt", ["adaptive", 0.013])
@pytest.mark.parametrize("kind", ["entropy", 2.0])
def test_every_output_time_is_hit_exactly(kind, dt):
    _, rho, stepper = relaxing(kind, dt=dt)
    state = start(rho)
    for t_next in (1e-9, 0.1, 0.1 + 1e-12, 1 / 3, 0.7, 2.0):
        while state.t < t_next:
            new = stepper.step(state, t_next)
            assert state.t < new.t <= t_next
            state = new
        assert state.t == t_next


def test_an_output_time_does_not_shrink_the_steps_after_it():
    _, rho, stepper = relaxing(dt="adaptive")
    state = march(stepper, start(rho), 1.0)[-1]
    wish = state.dt_next
    state = stepper.step(state, 1.0 + 1e-9)
    assert state.t == 1.0 + 1e-9
    assert state.dt_next >= wish


def test_fixed_steps_fill_the_way_evenly():
    _, rho, stepper = relaxing(dt=0.3)
    states = march(stepper, start(rho), 1.0)
    assert [s.dt for s in states[1:]] == pytest.approx([0.25] * 4, rel=1e-12, abs=0)
    assert len(march(relaxing(dt=0.1)[2], start(rho), 1.0)) == 11


def test_first_step_as_asked():
    _, rho, stepper = relaxing(dt="adaptive", first_dt=1e-5, tolerance=1e-2)
    assert stepper.step(start(rho), 1.0).dt == 1e-5


# ------------------------------------------------------------------------------------------------------- failures


def shortened():
    """Repulsion so strong that the iteration on W∗ρ cannot converge at the step asked for."""
    problem = Problem("none", (16,), interaction="minus log", strength=3.0, data="blocks", dt=1e3, seed=1)
    flow, rho = problem.build()
    return flow, FiniteVolumes(flow, order=2, dt=1e3, threads=1), start(rho)


def test_a_shortened_step_is_recorded():
    flow, stepper, state = shortened()
    new = stepper.step(state, 1e3)
    assert new.report.rejected >= 1
    assert new.dt < 1e3
    assert new.t == new.dt < 1e3
    assert f"step shortened from 1e+03 to {new.dt:.3g}" in new.report.note
    assert "W∗ρ did not converge" in new.report.note
    assert flow.mass(new.rho) == pytest.approx(flow.mass(state.rho), rel=1e-13, abs=0)
    after = stepper.step(new, 1e3)
    assert after.dt <= 2.5 * new.dt  # recovers by a factor, instead of failing at dt again


def test_blow_up_says_when_and_keeps_the_last_state():
    """Data too large for ρ^m: no step can be solved, and the sentence names the time, the reason and what was tried."""
    grid = Grid([0.0], [1.0], [8])
    flow = Flow(grid, Energy(Internal("power", 1.0, 4.0), lambda x: x))
    rho = 1e200 * (1 + grid.x.centers)
    state = start(rho.copy(), t=0.25)
    for dt in (0.1, "adaptive"):
        with pytest.raises(SolverError, match=r"t = 0\.25: .*; tried \d+ steps from .* down to .*\."):
            FiniteVolumes(flow, dt=dt, threads=1).step(state, 1.0)
    assert np.array_equal(state.rho, rho)
    assert state.step == 0


@pytest.mark.parametrize("kind", ["entropy", "none", 2.0, 1.5])
@pytest.mark.parametrize("dt", [0.1, "adaptive"])
def test_undefined_data_is_a_solver_error(kind, dt):
    _, rho, stepper = relaxing(kind, dt=dt)
    rho = rho.copy()
    rho[5] = np.nan
    with pytest.raises(SolverError, match="no step could be solved at t = 0"):
        stepper.step(start(rho), 1.0)


@pytest.mark.parametrize("kind", ["entropy", "none", 2.0, 1.5])
@pytest.mark.parametrize("dt", [0.1, "adaptive"])
def test_nothing_stays_nothing(kind, dt):
    _, rho, stepper = relaxing(kind, dt=dt)
    assert not stepper.step(start(0 * rho), 1.0).rho.any()


def test_time_must_advance():
    _, rho, stepper = relaxing()
    for t_next in (0.5, 0.4, float("nan")):
        with pytest.raises(SolverError, match="must lie after"):
            stepper.step(start(rho, t=0.5), t_next)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"order": 3}, "order must be 1 or 2; found 3"),
        ({"order": 0}, "order must be 1 or 2"),
        ({"dt": 0.0}, "dt must be positive"),
        ({"dt": -1.0}, "dt must be positive"),
        ({"dt": float("nan")}, "dt must be positive"),
        ({"dt": float("inf")}, "dt must be positive"),
        ({"dt": "fast"}, "\"adaptive\"; found 'fast'"),
        ({"dt": "adaptive", "tolerance": 0.0}, "tolerance must be positive"),
        ({"dt": "adaptive", "tolerance": float("nan")}, "tolerance must be positive"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    flow = relaxing()[0]
    with pytest.raises(CaseError, match=message):
        FiniteVolumes(flow, **options)


# -------------------------------------------------------------------------------- independence of history and threads

KINDS = ["entropy", "none", 2.0, 1.5]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("interaction", ["none", "attractive"])
def test_threads_do_not_change_a_bit(kind, interaction, monkeypatch):
    """Sweeps are shared between threads on grids of any size here."""
    monkeypatch.setattr(threads_module, "SERIAL_CELLS", 0)
    ends = []
    for threads in (1, 2):
        flow, rho, stepper = relaxing(kind, 2, 144, interaction, dt=1e-3, threads=threads)
        state = start(rho)
        for _ in range(2):
            state = stepper.step(state, 1.0)
        ends.append(state)
    assert np.array_equal(ends[0].rho, ends[1].rho)
    assert repr(ends[0].report) == repr(ends[1].report)
    assert flow.value(ends[0].rho) == flow.value(ends[1].rho)


@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("dt", [0.01, "adaptive"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("interaction", ["none", "attractive"])
def test_a_fresh_stepper_continues_bit_for_bit(kind, interaction, dt, dim):
    """As in a resumed run: a new stepper takes up a stored snapshot, and nothing differs from a run never stopped."""
    flow, rho, whole = relaxing(kind, dim, 40 if dim == 1 else 12, interaction, dt=dt)
    state, resumed = start(rho), start(rho)
    for _ in range(4):
        state = whole.step(state, 0.2)
        fields = {name: values.copy() for name, values in resumed.fields.items()}
        stored = Snapshot(resumed.t, resumed.step, fields, resumed.dt, resumed.dt_next)
        resumed = FiniteVolumes(flow, dt=dt, threads=1).step(stored, 0.2)
    assert resumed.t == state.t
    assert resumed.dt_next == state.dt_next
    assert np.array_equal(resumed.rho, state.rho)


def test_a_step_leaves_its_snapshot_alone_and_carries_other_fields():
    for kind in KINDS:
        _, rho, stepper = relaxing(kind)
        state = Snapshot(0.0, 7, {"rho": rho, "other": np.arange(3.0)})
        kept = rho.copy()
        new = stepper.step(state, 0.01)
        assert np.array_equal(state.rho, kept)
        assert new.step == 8
        assert np.array_equal(new.fields["other"], np.arange(3.0))


def test_memory_layout_and_type_do_not_matter():
    _, rho, stepper = relaxing(2.0, 2, 12)
    plain = stepper.step(start(rho), 0.01).rho
    for other in (np.asfortranarray(rho), np.repeat(rho, 2, axis=1)[:, ::2]):
        assert np.array_equal(stepper.step(start(other), 0.01).rho, plain)


# ------------------------------------------------------------------------------------------------------------ cost


def test_few_convolutions_a_step():
    """A typical McKean–Vlasov step in 2D: W∗ρ converges to 1e-13 in a dozen convolutions at most."""
    grid = Grid([-4.0, -4.0], [4.0, 4.0], [64, 64])
    flow = Flow(grid, Energy(Internal("entropy", 0.5), lambda x, y: (x**2 + y**2) / 2, lambda x, y: x**2 + y**2))
    rho = grid.average(lambda x, y: np.exp(-((x - 1) ** 2) - (y + 0.5) ** 2) / np.pi)
    states = march(FiniteVolumes(flow, dt=0.02, threads=1), start(rho), 0.2)
    assert max(s.report.outer for s in states) <= 12
    assert not any(s.report.rejected or s.report.note for s in states)


def test_smooth_steps_need_few_newton_iterations_and_no_repair():
    for m in (2.0, 3.0, 1.5, 0.6):
        problem = Problem(m, (64,), potential="smooth", seed=2)
        flow, rho = problem.build()
        new = FiniteVolumes(flow, dt=1e-3, threads=1).step(start(rho), 1e-3)
        assert new.report.iterations <= 30
        assert new.report.residual <= 1e-11
        assert new.report.rejected == 0


# ------------------------------------------------------------------------------------------------------ dissipation


@pytest.mark.parametrize("kind", ["entropy", 2.0, 3.0, 1.5, 0.6])
@pytest.mark.parametrize("dim", [1, 2])
def test_energy_falls_at_the_rate_of_the_dissipation(kind, dim):
    """dE/dt = −D along the flow, with W: short steps."""
    problem = Problem(
        kind, (24, 16)[:dim], (False, True)[:dim], (False, False)[:dim], potential="smooth", interaction="repulsive"
    )
    flow, rho = problem.build()
    dt = 1e-6
    new = FiniteVolumes(flow, dt=dt, threads=1).step(start(rho), dt).rho
    rate = 0.5 * (dissipation(flow, rho) + dissipation(flow, new))
    assert (flow.value(rho) - flow.value(new)) / dt == pytest.approx(rate, rel=1e-3, abs=0)
    assert max_flux(flow, rho) > 0


def test_dissipation_vanishes_at_the_gibbs_state_and_is_infinite_in_vacuum():
    flow, rho, _ = relaxing()
    gibbs = flow.gibbs()
    assert abs(dissipation(flow, gibbs)) <= 1e-25
    assert max_flux(flow, gibbs) <= 1e-12
    assert dissipation(flow, rho) == np.inf


# -------------------------------------------------------------------------------------------------- without compiling

PLAIN = """
import sys
sys.path.insert(0, sys.argv[1])
import numpy as np
from strategies import Problem
from wgfpde.energy.snapshot import Snapshot
from wgfpde.energy.fluxes import dissipation
from wgfpde.methods.finite_volumes.stepper import FiniteVolumes
for kind in ("entropy", "none", 2.0, 2.5, 1.5, 0.6):
    for dim in (1, 2):
        for interaction in ("none", "repulsive"):
            problem = Problem(kind, (5, 4)[:dim], (True, False)[:dim], (False, True)[:dim], potential="steep",
                              steepness=30.0, interaction=interaction, data="blocks", seed=4)
            flow, rho = problem.build()
            for order in (1, 2):
                stepper = FiniteVolumes(flow, order=order, dt=0.05, threads=1)
                new = stepper.step(Snapshot(0.0, 0, {"rho": rho}), 0.1)
                print(float(dissipation(flow, new.rho)), *map(float, new.rho.ravel()))
"""


def test_kernels_as_plain_python_agree_with_the_compiled_ones():
    """Also lets the kernels count in coverage."""
    here = str(Path(__file__).resolve().parents[2])
    answers = []
    for disabled in ("1", "0"):
        environment = {**os.environ, "NUMBA_DISABLE_JIT": disabled}
        command = [sys.executable, "-c", PLAIN, here]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        answers.append([[float(x) for x in line.split()] for line in done.stdout.splitlines()])
    assert len(answers[0]) == 48
    for plain, compiled in zip(*answers, strict=True):
        assert plain == pytest.approx(compiled, rel=1e-9, abs=1e-12)


def test_the_energies_of_a_step_with_an_interaction_are_summed_once(monkeypatch):
    """What tells whether the drive is good enough is what the energy law looks at: two sums, before and after."""
    _, rho, stepper = relaxing(interaction="gauss")
    inner, summed = OneStep._energy, []
    monkeypatch.setattr(OneStep, "_energy", lambda self, rho: summed.append(rho) or inner(self, rho))
    new = stepper.step(start(rho), 0.01)
    assert new.t == 0.01 and new.report.outer > 1
    assert len(summed) == 2 and summed[0] is not summed[1]
