"""The time loop and the run folder, with a stepper that does what a test needs."""

import dataclasses
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numba
import numpy as np
import pytest

import wgfpde.runs.runner as runner
from wgfpde.cases.building import build
from wgfpde.cases.loading import loads
from wgfpde.energy.snapshot import Report
from wgfpde.errors import CaseError, SolverError, StoreError
from wgfpde.methods.jko.method import STEP_COLUMNS
from wgfpde.output.promises import record_of
from wgfpde.runs import time_loop
from wgfpde.runs.compiler_watch import COMPILING, LOADING
from wgfpde.runs.runner import run
from wgfpde.store import Writer, read

TEXT = """
title = "Relaxation"
[grid]
shape = [20]
lower = [0]
upper = [1]
[energy]
internal = { kind = "entropy" }
[initial]
density = "1 + 0.5*cos(pi*x)"
[solver]
method = "fv"
dt = 0.01
[time]
end = 1
[output]
every = 0.25
"""


class Relax:
    """Half the distance to the mean in a step of at most 0.1; `events` = {step: function} may do something else."""

    def __init__(self, events=None):
        self.events = events or {}

    def warm_up(self):
        pass

    def step(self, snapshot, t_next):
        number = snapshot.step + 1
        t = min(snapshot.t + 0.1, t_next)
        rho = 0.5 * (snapshot.rho + snapshot.rho.mean())
        if number in self.events:
            rho = self.events[number](rho)
        report = Report(iterations=number, note="odd" if number == 2 else "")
        return dataclasses.replace(snapshot, t=t, step=number, dt=t - snapshot.t, fields={"rho": rho}, report=report)


def fails(error):
    def event(rho):
        raise error

    return event


@pytest.fixture
def case(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return loads(TEXT, "relax.toml")


@pytest.fixture
def with_events(monkeypatch):
    """Let `run` build the case with a Relax stepper, and other changes to the problem."""

    def patch(events=None, **changes):
        replaced = {"stepper": Relax(events)} | changes
        monkeypatch.setattr(runner, "build", lambda case: dataclasses.replace(build(case), **replaced))

    patch()
    return patch


def test_a_run_folder(case, with_events, tmp_path):
    result = run(case)
    assert (result.status, result.exit_code, result.steps) == ("finished", 0, 12)
    assert result.folder == type(result.folder)("runs/relax") and result.wall_seconds > 0
    names = {"case.toml", "resolved.toml", "output.h5", "output.xdmf", "run.log", "checkpoint"}
    assert {p.name for p in result.folder.iterdir()} == names
    assert [p.name for p in (result.folder / "checkpoint").iterdir()] == ["000000000012.npz"]
    record = read(result.folder)
    np.testing.assert_array_equal(record.t, [0, 0.25, 0.5, 0.75, 1.0])
    assert (record.status, record.title, record.message) == ("finished", "Relaxation", "reached t = 1.")
    np.testing.assert_allclose(record.steps["t"][:4], [0.1, 0.2, 0.25, 0.35])
    np.testing.assert_array_equal(record.steps["iterations"], np.arange(1, 13))
    assert record.case_toml == TEXT == (result.folder / "case.toml").read_text()
    assert loads(record.resolved_toml) == case
    assert record.attributes["equation"] == "heat" and record.attributes["method"] == "fv"
    assert record.attributes["wall_seconds"] > 0 and record.attributes["threads"] >= 1
    assert record.attributes["compile_seconds"] >= 0
    assert "numpy" in record.attributes["libraries"]
    assert np.all(np.diff(record.diagnostics["energy"]) < 0)
    log = (result.folder / "run.log").read_text()
    assert "odd" in log and "finished after 12 steps" in log


def test_the_true_stepper(case):
    result = run(case, "out")
    assert result.status == "finished" and result.steps == 100
    record = read("out")
    assert record.diagnostics["kl_gibbs"][-1] < 1e-3 * record.diagnostics["kl_gibbs"][0]


JKO = TEXT.replace('method = "fv"\ndt = 0.01', 'method = "jko"\ntau = 0.05')


@pytest.mark.parametrize("boundary", ["no-flux", "periodic"])
@pytest.mark.parametrize("scheme", ["jko", "extrapolated"])
def test_a_jko_run(tmp_path, boundary, scheme):
    """Every step has its certificate in the file, lands on the output times, and the promises are judged."""
    overrides = {"boundary": f'shape = [20]\nboundary = ["{boundary}"]', "scheme": f'tau = 0.05\nscheme = "{scheme}"'}
    text = JKO.replace("shape = [20]", overrides["boundary"]).replace("tau = 0.05", overrides["scheme"])
    text = text.replace("[output]", '[output]\ndiagnostics = ["w2_previous"]')
    result = run(loads(text, "relax.toml"), tmp_path / "out")
    assert (result.status, result.steps) == ("finished", 20)
    record = read(result.folder)
    np.testing.assert_array_equal(record.t, [0, 0.25, 0.5, 0.75, 1.0])
    np.testing.assert_allclose(record.steps["dt"], 0.05, rtol=1e-12)
    assert list(record.steps)[8:] == [column.name for column in STEP_COLUMNS]
    assert np.all(record.steps["gap"] <= 1e-8) and record.steps["iterations"][0] >= 1
    assert np.isnan(record.steps["drive_residual"]).all()
    if scheme == "jko":
        assert np.all(record.steps["primal"] >= record.steps["dual"] - 1e-13)
        length, chords = np.sum(np.sqrt(2 * record.steps["transport"])), np.sum(record.diagnostics["w2_previous"])
        assert 0.98 * chords <= length <= 1.2 * chords
    kept = {p["name"]: p["kept"] for p in record_of(record)["promises"]}
    assert all(kept.values()) and set(kept) >= {"mass drift", "min density", "energy rise", "duality gap"}
    assert ("E+T/τ rise" in kept) == (scheme == "jko")


def test_a_tau_of_few_digits_fills_the_span(tmp_path):
    """Ten digits of 1/3 are a multiple to 1e-9; the last step is not left over."""
    text = JKO.replace("tau = 0.05", "tau = 0.3333333333").replace("every = 0.25", "every = 1")
    assert run(loads(text, "relax.toml"), tmp_path / "out").steps == 3


def test_a_taken_folder_is_refused(case, with_events, tmp_path):
    run(case, "out")
    keep = tmp_path / "out" / "notes.txt"
    keep.write_text("mine")
    before = (tmp_path / "out" / "output.h5").read_bytes()
    with pytest.raises(CaseError, match=r"holds a run already.*--overwrite"):
        run(case, "out")
    assert (tmp_path / "out" / "output.h5").read_bytes() == before
    assert run(case, "out", overwrite=True).status == "finished"
    assert keep.read_text() == "mine"


def test_a_bad_case_writes_nothing(case, tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "build", fails(CaseError("wrong")))
    with pytest.raises(CaseError, match="wrong"):
        run(case, "out")
    assert list(tmp_path.iterdir()) == []


def test_unwritable_places(case, with_events, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CaseError, match="is a file"):
        run(case, "file")
    with pytest.raises(StoreError, match=r"cannot write to .*Choose a writable folder"):
        run(case, "file/below")


@pytest.mark.parametrize(
    ("event", "says"),
    [
        (fails(SolverError("Newton gave up. Take smaller steps.")), "at t = 0.35: Newton gave up. Take smaller"),
        (lambda rho: np.where(np.arange(20) == 3, np.nan, rho), "rho is not finite at x = 0.175"),
    ],
    ids=["error", "nan"],
)
def test_a_failed_step_keeps_the_last_good_state(case, with_events, event, says):
    with_events({5: event})
    result = run(case, "out")
    assert (result.status, result.exit_code, result.steps) == ("failed", 1, 4)
    assert says in result.message
    record = read("out")
    assert record.status == "failed" and record.message == result.message
    np.testing.assert_allclose(record.t, [0, 0.25, 0.35])
    assert np.isfinite(record.rho[-1]).all() and len(record.steps["t"]) == 4
    assert {len(values) for values in record.diagnostics.values()} == {3}


def test_failing_at_once_leaves_the_start(case, with_events):
    with_events({1: fails(SolverError("no"))})
    assert run(case, "out").exit_code == 1
    assert len(read("out")) == 1


def test_a_step_without_progress_is_an_error(case, with_events):
    class Stuck(Relax):
        def step(self, snapshot, t_next):
            return dataclasses.replace(snapshot, step=snapshot.step + 1)

    with_events(stepper=Stuck())
    result = run(case, "out")
    assert result.status == "failed" and "made no progress" in result.message


@pytest.mark.parametrize(
    ("number", "code", "cause"), [(signal.SIGINT, 130, "Ctrl-C"), (signal.SIGTERM, 143, "SIGTERM")]
)
def test_signals_end_a_run_in_order(case, with_events, number, code, cause):
    before = signal.getsignal(signal.SIGTERM)
    with_events({6: lambda rho: os.kill(os.getpid(), number) or time.sleep(5)})
    result = run(case, "out")
    assert (result.status, result.exit_code, result.steps) == ("interrupted", code, 5)
    assert cause in result.message and "t = 0.45" in result.message
    record = read("out")
    assert record.status == "interrupted" and record.t[-1] == pytest.approx(0.45, rel=1e-9, abs=0)
    assert signal.getsignal(signal.SIGTERM) is before


def test_an_unforeseen_error_is_raised_and_recorded(case, with_events):
    with_events({6: fails(ZeroDivisionError("by nought"))})
    with pytest.raises(ZeroDivisionError):
        run(case, "out")
    record = read("out")
    assert (record.status, record.message) == ("failed", "by nought") and record.t[-1] == pytest.approx(
        0.45, rel=1e-9, abs=0
    )
    assert "ZeroDivisionError" in (record.folder / "run.log").read_text()


def test_a_store_that_fails_stops_the_run(case, with_events, monkeypatch):
    append = Writer.append

    def full(self, snapshot, numbers):
        if snapshot.t > 0.3:
            raise StoreError("the disk is full.")
        append(self, snapshot, numbers)

    monkeypatch.setattr(Writer, "append", full)
    with pytest.raises(StoreError, match="full"):
        run(case, "out")
    assert len(read("out")) == 2


def test_it_stops_at_a_steady_state(case, with_events):
    with_events(stationary=1e-2)
    result = run(case, "out")
    assert result.status == "finished" and "stationary at t = 0." in result.message and 0 < result.steps < 12
    record = read("out")
    assert record.t[-1] == record.steps["t"][-1] < 1.0


def test_progress_is_told_at_most_ten_times_a_second(case, with_events, monkeypatch):
    told = []
    with_events({k: lambda rho: time.sleep(0.02) or rho for k in range(1, 13)})
    run(case, "out", progress=told.append)
    snapshots = 5
    assert snapshots <= len(told) <= snapshots + 4
    assert (told[0].t, told[0].start, told[0].end, told[0].step) == (0, 0, 1, 0)
    assert told[-1].t == 1 and told[-1].step == 12 and told[-1].wall > 0


class Compiling(Relax):
    """A stepper whose kernels take a while."""

    def __init__(self, events=None, compile=lambda: time.sleep(1.0)):
        super().__init__(events)
        self.warm_up = compile


def load():
    """Kernels come from the disk."""
    time.sleep(1.0)


def compile_one():
    """A kernel is compiled, whatever any cache holds."""
    numba.njit(lambda x: x + 1.0)(1.0)
    time.sleep(1.0)


@pytest.mark.parametrize("warm_up", [load, compile_one])
def test_compiling_is_told_once_and_not_timed(case, with_events, monkeypatch, warm_up):
    run(case, "first")  # loads the kernels of the diagnostics
    monkeypatch.setattr(time_loop, "PATIENCE", 0.5)
    with_events(stepper=Compiling(compile=warm_up))
    told = []
    result = run(case, "out", progress=told.append)
    compiles = warm_up is compile_one and not numba.config.DISABLE_JIT
    assert told[0].note == (COMPILING if compiles else LOADING) and not any(p.note for p in told[1:])
    assert told[1].t == 0 and told[1].wall < 1.0
    record = read("out")
    assert record.attributes["compile_seconds"] >= 1.0 > result.wall_seconds == record.attributes["wall_seconds"]
    done = "compiled" if compiles else "loaded"
    assert f"kernels {done} in" in (result.folder / "run.log").read_text()


def test_a_long_step_is_told_and_told_again(case, with_events, monkeypatch):
    run(case, "first")
    monkeypatch.setattr(time_loop, "STEP_PATIENCE", 0.1)
    with_events({3: lambda rho: time.sleep(0.35) or rho})
    told = []
    assert run(case, "out", progress=told.append).status == "finished"
    notes = [p for p in told if p.note]
    assert [p.step for p in notes] == [2, 2]  # after 0.1 s and after 0.2 s, not after 0.3 s
    assert notes[0].note.startswith("step 3: ") and told[-1].note == ""
    assert not any(thread.name == "wgfpde-watch" for thread in threading.enumerate())


def test_quick_loading_is_not_told(case, with_events):
    told = []
    run(case, "out", progress=told.append)
    assert not any(p.note for p in told)


def test_an_interrupt_while_compiling_leaves_the_start(case, with_events):
    def stop():
        raise KeyboardInterrupt

    with_events(stepper=Compiling(compile=stop))
    result = run(case, "out")
    assert (result.status, result.exit_code, result.steps) == ("interrupted", 130, 0)
    assert len(read("out")) == 1


WARM_UP = """
    import sys
    from numba.core.dispatcher import Dispatcher
    from wgfpde.cases.building import build
    from wgfpde.cases.loading import load
    from wgfpde import diagnostics
    from wgfpde.energy.fluxes import dissipation, max_flux
    from wgfpde.energy.snapshot import strode

    def compiled():
        modules = [m for name, m in sys.modules.items() if name.startswith("wgfpde.")]
        found = {v for m in modules for v in vars(m).values() if isinstance(v, Dispatcher)}
        return {(d.py_func.__qualname__, s) for d in found for s in d.nopython_signatures}

    problem = build(load(sys.argv[1], sys.argv[2:]))
    stepper, flow, state = problem.stepper, problem.flow, problem.initial
    assert not compiled()
    diagnostics.warm_up(flow, [d.name for d in problem.diagnostics])
    stepper.warm_up()
    warm = compiled()
    assert warm
    dissipation(flow, state.rho)
    for t in problem.times[1:3]:
        while state.t < t:
            state = stepper.step(state, t)
            max_flux(flow, state.rho)
    strode(stepper, problem.initial, float(problem.times[1]), 0.0)
    assert compiled() == warm, compiled() - warm
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ("barenblatt_2d_m3", "grid.shape=[8,6]", "solver.dt=0.01"),
        ("kuramoto_1d", "grid.shape=[16]", "solver.dt='adaptive'"),
        ("kuramoto_1d", "grid.shape=[16]", "energy.internal={kind='none'}", "solver.order=1"),
        ("geodesic_2d", "grid.shape=[12,12]", "solver={inner_steps=4, tolerance=1e-2}"),
        ("double_well_2d", "grid.shape=[10,6]"),
        ("escape_2d", "grid.shape=[12,9]", "grid.boundary=['no-flux','no-flux']"),
    ],
    ids=["power 2d", "entropy 1d", "none 1d", "geodesic", "entropy 2d", "sink 2d"],
)
def test_nothing_is_left_to_compile_after_the_warm_up(arguments):
    child = [sys.executable, "-c", textwrap.dedent(WARM_UP), *arguments]
    done = subprocess.run(child, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_it_runs_in_a_thread(case, with_events):
    results = []
    thread = threading.Thread(target=lambda: results.append(run(case, "out")))
    thread.start()
    thread.join()
    assert results[0].status == "finished"
