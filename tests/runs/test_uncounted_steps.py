"""Adaptive steps, whose number nobody knows before, end at a limit that the user lifts; others are counted before."""

import numpy as np
import pytest
from same_runs import assert_same, case_of

from wgfpde.cases.limits import cost
from wgfpde.cli import main
from wgfpde.runs.interrupts import Interrupted, Interrupts
from wgfpde.runs.runner import resume, run
from wgfpde.store import read

ADAPTIVE = {"method": "fv", "dt": "adaptive"}
PLANE = {
    "grid": {"shape": [8, 6], "lower": [-1.0, -1.0], "upper": [1.0, 1.0], "boundary": ["no-flux", "periodic"]},
    "initial": {"density": "1 + 0.5*x", "mass": 1.0},
}
CASES = {"a line": case_of(solver=ADAPTIVE), "a plane": case_of(solver=ADAPTIVE, **PLANE)}
FEW = 3


@pytest.mark.parametrize("name", CASES)
def test_a_run_stops_there_and_goes_on_bit_for_bit(name, tmp_path):
    case = CASES[name]
    run(case, tmp_path / "whole")
    steps = len(read(tmp_path / "whole").steps["t"])
    found = run(case, tmp_path / "cut", most_steps=FEW)
    assert (found.status, found.exit_code) == ("interrupted", 75) and FEW <= found.steps < steps
    assert "stopped by the limit of 3 steps, for a run whose steps nobody could count before" in found.message
    assert found.message.endswith(f"wgfpde resume {tmp_path / 'cut'} --yes")
    assert read(tmp_path / "cut").t[-1] > 0.0
    for _ in range(steps):
        again = resume(tmp_path / "cut", most_steps=FEW)  # as many again
        if again.status == "finished":
            break
        assert again.steps >= found.steps + FEW
        found = again
    assert again.status == "finished"
    assert_same(tmp_path / "cut", tmp_path / "whole")


def test_steps_of_one_size_are_not_limited(tmp_path):
    assert run(case_of(), tmp_path / "a", most_steps=FEW).status == "finished"


def test_the_limit_on_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(cost, "UNCOUNTED", FEW)
    (tmp_path / "case.toml").write_text(CASES["a line"].resolved_toml())
    asked = ["run", str(tmp_path / "case.toml"), "--quiet", "--out"]
    assert main([*asked, str(tmp_path / "a")]) == 75
    assert "stopped by the limit of 3 steps" in capsys.readouterr().err
    assert main(["resume", str(tmp_path / "a"), "--quiet"]) == 75
    assert main(["resume", str(tmp_path / "a"), "--quiet", "--yes"]) == 0
    assert main([*asked, str(tmp_path / "b"), "--yes"]) == 0
    assert_same(tmp_path / "a", tmp_path / "b")


def test_steps_are_counted_from_where_a_run_goes_on():
    interrupts = Interrupts()
    interrupts.count(7)
    interrupts.limit_steps(2)
    interrupts.count(8)
    with pytest.raises(Interrupted) as raised:
        interrupts.count(9)
    assert raised.value.exit_code == 75 and raised.value.lifted == "--yes"
    free = Interrupts()
    for step in np.arange(0, 10**9, 10**8):
        free.count(int(step))
