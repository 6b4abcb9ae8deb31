"""Runs whose steps are taken many at a time: the files of single steps, signals, checkpoints."""

import os
import signal
import time

import pytest
from same_runs import assert_same, case_of, fork, wait_until

from wgfpde.methods.finite_volumes.stepper import FiniteVolumes
from wgfpde.runs import time_loop
from wgfpde.runs.runner import resume, run
from wgfpde.store import read

FIXED, ADAPTIVE = {"method": "fv", "dt": 0.003}, {"method": "fv", "dt": "adaptive", "tolerance": 1e-4}
LONG = case_of(solver={"method": "fv", "dt": 4e-6}, output={"every": 0.1, "checkpoint": 0.05})
"""Some 100,000 steps."""


def single_steps(monkeypatch):
    monkeypatch.setattr(FiniteVolumes, "stride", lambda *args: None)


@pytest.mark.parametrize(("internal", "m"), [("entropy", None), ("power", 2.0), ("none", None)])
@pytest.mark.parametrize("solver", [FIXED, ADAPTIVE])
def test_the_file_of_single_steps(internal, m, solver, tmp_path, monkeypatch):
    case = case_of(internal, m, solver=solver)
    run(case, tmp_path / "strides")
    single_steps(monkeypatch)
    run(case, tmp_path / "steps")
    assert_same(tmp_path / "strides", tmp_path / "steps")


def test_in_the_plane(tmp_path, monkeypatch):
    grid = {"shape": [9, 7], "lower": [-1.0, -1.0], "upper": [1.0, 1.0]}
    case = case_of(grid=grid, initial={"density": "1 + x*y", "mass": 1.0}, solver=FIXED)
    run(case, tmp_path / "strides")
    single_steps(monkeypatch)
    run(case, tmp_path / "steps")
    assert_same(tmp_path / "strides", tmp_path / "steps")


def test_a_signal_comes_between_calls(tmp_path):
    """In the middle of many steps; what the run goes on to is what it would have been, where it was stopped."""
    process = fork(lambda: os._exit(run(LONG, tmp_path / "run").exit_code))
    file = tmp_path / "run" / "output.h5"
    wait_until(lambda: file.exists() and any(tmp_path.glob("run/checkpoint/*.npz")), process)
    os.kill(process, signal.SIGTERM)
    sent = time.perf_counter()
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 143
    assert time.perf_counter() - sent < 5.0  # on any machine, however loaded
    stopped = read(tmp_path / "run")
    assert stopped.status == "interrupted" and stopped.steps["t"][-1] == stopped.t[-1] < 0.4
    assert resume(tmp_path / "run").status == "finished"
    run(LONG, tmp_path / "whole")
    assert_same(tmp_path / "run", tmp_path / "whole", ["sources_json"])


def test_checkpoints_come_at_their_time(tmp_path, monkeypatch):
    """Where each step has one, steps are taken one by one."""
    strides = []
    monkeypatch.setattr(time_loop, "strode", lambda *args: strides.append(args))
    run(case_of(solver=FIXED, output={"every": 0.1, "checkpoint": 1e-9}), tmp_path / "run")
    assert strides == []
    run(case_of(solver=FIXED, output={"every": 0.1, "checkpoint": 300.0}), tmp_path / "seldom")
    assert strides and all(0 < seconds <= time_loop.STRIDE for *_, seconds in strides)


@pytest.mark.parametrize(
    "tables",
    [
        {"solver": FIXED | {"stationary": 1e-12}},
        {"solver": FIXED, "output": {"every": 0.1, "diagnostics": ["energy_balance"]}},
    ],
)
def test_where_each_state_is_looked_at(tables, tmp_path, monkeypatch):
    """A march that may come to rest, and the dissipation of every step."""
    strides = []
    monkeypatch.setattr(time_loop, "strode", lambda *args: strides.append(args))
    run(case_of(**tables), tmp_path / "run")
    assert strides == []
