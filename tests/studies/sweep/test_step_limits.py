"""Runs of sweeps and studies of convergence whose steps nobody can count: they end at a limit, and the others go on."""

import math

import numpy as np
import pytest
from same_runs import assert_same, case_of

from wgfpde.cases.limits import cost
from wgfpde.cases.varying import vary
from wgfpde.cli import main
from wgfpde.runs.runner import run
from wgfpde.store import read
from wgfpde.studies.convergence import converge
from wgfpde.studies.sweep import Kept, Plan, sweep

FEW = 6
LINE = {"solver": {"method": "fv", "dt": "adaptive", "tolerance": 1e-2}, "time": {"end": 0.2}, "output": {"every": 0.1}}
PLANE = LINE | {
    "grid": {"shape": [8, 6], "lower": [-1.0, -1.0], "upper": [1.0, 1.0], "boundary": ["no-flux", "periodic"]},
    "initial": {"density": "1 + 0.5*x", "mass": 1.0},
}
LIMIT = "stopped by the limit of 6 steps, for a run whose steps nobody could count before"


def plan_of(tables, *items):
    case = case_of(**tables)
    return Plan(case, tuple(vary(items, case)))


@pytest.mark.parametrize("tables", [LINE, PLANE], ids=["1d", "2d"])
@pytest.mark.parametrize("folders", [True, False])
def test_a_run_of_a_sweep_fails_there_and_the_sweep_goes_on(tables, folders, tmp_path):
    """The last run has steps of one size, which were counted; the next call takes as many again, or begins anew."""
    plan = plan_of(tables, "solver.dt=adaptive,0.01")
    place = tmp_path / "S"
    found = sweep(plan, place, Kept(folders), most_steps=FEW)
    assert (found.finished, found.failed) == (1, 1)
    (why,) = found.failures.values()
    assert LIMIT in why and "wgfpde resume" in why and "--yes" in why
    if folders:
        assert FEW <= len(read(place / "dt=adaptive").steps["t"]) <= 2 * FEW
    found = sweep(plan, place, Kept(folders), most_steps=math.inf)
    assert (found.finished, found.failed, found.known) == (2, 0, 1)
    if folders:
        run(plan.case_of(0), tmp_path / "whole")
        assert_same(place / "dt=adaptive", tmp_path / "whole", but=("sources_json",))


def test_each_call_of_a_sweep_takes_as_many_again(tmp_path):
    plan, steps = plan_of(LINE, "solver.dt=adaptive"), [0]
    while sweep(plan, tmp_path / "S", Kept(True), most_steps=FEW).failed:
        steps.append(len(read(tmp_path / "S" / "dt=adaptive").steps["t"]))
    assert len(steps) > 1 and np.all(np.diff(steps) >= FEW)


@pytest.mark.parametrize(("tables", "workers"), [(LINE, 1), (PLANE, 1), (LINE, 2)], ids=["1d", "2d", "by processes"])
def test_a_run_of_a_study_of_convergence_did_not_finish_there(tables, workers, tmp_path):
    case = case_of(**tables)
    varied = {"solver.tolerance": [1e-1, 1e-2, 1e-3]}
    found = converge(case, varied, tmp_path / "C", against="finest", workers=workers, most_steps=FEW)
    assert found.failures and all(LIMIT in why for why in found.failures.values())
    for k in found.failures:
        assert FEW <= found.solved[k].steps <= 2 * FEW, "it went on at once"
    found = converge(case, varied, tmp_path / "C", against="finest", workers=workers)
    assert not found.failures and all(one.finished for one in found.solved)


@pytest.mark.parametrize("verb", ["sweep", "converge"])
def test_the_limit_on_the_command_line(verb, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(cost, "UNCOUNTED", FEW)
    (tmp_path / "case.toml").write_text(case_of(**LINE).resolved_toml())
    asked = [verb, str(tmp_path / "case.toml"), "--vary", "solver.tolerance=1e-1,1e-2,1e-3", "--workers", "1"]
    asked += ["--quiet", "--no-plot", "--out", str(tmp_path / "D")]
    assert main(asked) == 1
    assert capsys.readouterr().err.count(LIMIT) == 3
    assert main([*asked, "--yes"]) == 0
