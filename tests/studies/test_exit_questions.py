"""Questions about exits as users ask them: from Python, on the command line, and what is refused."""

import json
import re

import numpy as np
import pytest

import wgfpde as wgf
from wgfpde.cli import main
from wgfpde.cli.dispatch import make_parser
from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.openings.sinks import Sink
from wgfpde.errors import SolverError
from wgfpde.grid import Grid
from wgfpde.store import read_study
from wgfpde.studies import exits as study
from wgfpde.studies.exits import find_exits, memory_needed

SMALL = {"shape": [40]}
OPEN = {"shape": [40], "boundary": [["no-flux", "absorbing"]]}


def words(*options, case="double_well_1d", cells="[40]"):
    return ["exits", case, "--set", f"grid.shape={cells}", *options]


def test_from_python():
    found = wgf.exits("double_well_1d", "x > 1", "x < -1", grid=SMALL)
    assert found.exits == pytest.approx({"to": 1.0}, rel=1e-9, abs=0) and found.rate > 0 and found.grid.shape == (40,)
    again = wgf.exits("double_well_1d", lambda x: x > 1, lambda x: x < -1, grid=SMALL)
    assert again.mean_time == found.mean_time and again.rate == found.rate
    assert repr(found).startswith("Exits(mean_time=1") and found.standard_deviation > 0
    one = wgf.exits("double_well_1d", to="x_upper", grid=OPEN, times=[1.0, 2.0])
    assert one.committor is None and one.rate is None and one.targets == ("x_upper",)
    assert one.survival.t.tolist() == [0, 1, 2] and "committor" not in one.fields


def test_the_start_of_the_case_or_the_gibbs_state_of_a_region():
    found = wgf.exits("double_well_1d", to="x < -1", grid=SMALL)
    start = found.fields["start"]
    assert np.argmax(start) in (26, 27)  # [initial] at 1
    within = wgf.exits("double_well_1d", "x > 0.5", "x < -1", grid=SMALL)
    x, density = within.grid.x.centers, within.fields["start"]
    gibbs = np.exp(-(x**4 / 4 - x**2 / 2) / 0.25) * (x > 0.5)
    np.testing.assert_allclose(density, gibbs / np.sum(gibbs) / within.grid.x.widths[0], rtol=1e-12, atol=0)
    assert within.committor == pytest.approx(
        np.sum(start * within.fields["committor"]) / np.sum(start), rel=1e-12, abs=0
    )  # told for [initial]


@pytest.mark.parametrize("times", [[], ["--times"], ["--times", "0:4:5"]])
def test_the_verb_its_file_and_its_json(tmp_path, monkeypatch, capsys, times):
    monkeypatch.chdir(tmp_path)
    assert main(words("--from", "x > 1", "--to", "x < -1", *times, "--json")) == 0
    told = json.loads(capsys.readouterr().out)
    keys = {"mean_time", "second_moment", "exits", "committor", "rate", "rate_spread", "quasi_stationary_rate"}
    assert keys <= set(told) and told["from"] == "x > 1" and ("times" in told) == bool(times)
    assert told["rate_spread"] < 1e-12 and told["exits"] == pytest.approx({"to": 1.0}, rel=1e-9, abs=0)
    kept = read_study(told["file"])
    assert kept.kind == "exits" and kept.attributes["mean_time"] == told["mean_time"]
    assert {"mean_time", "committor", "quasi_stationary", "reactive_current_x", "exit_to"} <= set(kept.variables)
    assert kept["mean_time"].shape == (40,) and kept["exit"].tolist() == ["to"]
    assert kept.attributes["from"] == "x > 1" and "case_toml" in kept.texts
    assert (tmp_path / "double_well_1d-exits.png").stat().st_size > 10_000
    if times:
        assert kept["survival"][0] == 1 and kept["left"].shape == (1, len(kept["t"]))
    assert main(words("--from", "x > 1", "--to", "x < -1", *times)) == 0  # replaces its own
    text = capsys.readouterr().out
    assert "mean time" in text and "the same across all cuts" in text and ("survival" in text) == bool(times)


def test_two_dimensions_with_a_picture(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for options in (["--from", "x > 0.8", "--to", "x < -0.8"], ["--set", 'grid.boundary=["absorbing", "no-flux"]']):
        out = ["--out", "one.h5", "--plot", "one.pdf", "--times", "1,2", "--json"]
        assert main(words(*options, *out, case="double_well_2d", cells="[14, 16]")) == 0
        told = json.loads(capsys.readouterr().out)
        kept = read_study("one.h5")
        assert kept["mean_time"].shape == (16, 14) and (tmp_path / "one.pdf").stat().st_size > 5_000
        assert ("reactive_current_y" in kept.variables) == (told["rate"] is not None)
        (tmp_path / "one.pdf").unlink()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "nothing leaves"),
        (["--to", "x_uper", "--set", 'grid.boundary=[["no-flux", "absorbing"]]'], 'did you mean "x_upper"'),
        (["--to", "product"], "this case has no exit"),
        (["--to", "x > 9"], "--to \"x > 9\" holds no cell"),
        (["--to", "x > -9"], "covers every cell"),
        (["--from", "x > 9", "--to", "x < 0"], '--from "x > 9" holds no cell'),
        (["--from", "x > -1", "--to", "x > 1"], "--from and --to overlap, as at x = "),
        (["--from", "x >", "--to", "x > 1"], "--from"),
        (["--to", "x > 1", "--set", 'energy.internal={kind="power", m=2.0}'], "need a linear equation"),
        (["--to", "x > 1", "--set", 'energy.interaction="x**2/2"'], "need a linear equation"),
        (["--to", "x > 1", "--times", "2,1"], "--times"),
        (["--to", "log(x) > 1"], "covers|holds|finite"),
        (["--to", "x > 1", "--out", "a.txt"], "a file ending in"),
    ],
)  # fmt: skip
def test_what_is_refused(tmp_path, monkeypatch, capsys, options, message):
    monkeypatch.chdir(tmp_path)
    code = main(words(*options, "--no-plot"))
    said = capsys.readouterr()
    if code == 0:
        assert message == "covers|holds|finite"  # a formula may be undefined where it is not needed
        return
    assert code == 2 and said.out == "" and said.err.startswith("error: ") and re.search(message, said.err)
    assert list(tmp_path.iterdir()) == []


def line(cells, ends="no-flux", potential=None, sinks=(), kappa=1.0):
    return Flow(Grid([-1.0], [1.0], [cells], [ends]), Energy(Internal("entropy", kappa), potential), sinks=sinks)


MIDDLE = Sink("middle", region=lambda x: np.abs(x) < 0.1)


def in_time(x, t=0.0):
    return (1 + t) * np.cos(np.pi * x)


@pytest.mark.parametrize(
    ("energy", "message"),
    [(Energy(Internal(), tilt=(2.0,)), "a force beside"), (Energy(Internal(), in_time), "formulas with t")],
)
def test_what_is_driven(energy, message):
    flow = Flow(Grid([-1.0], [1.0], [12], periodic=True), energy)
    with pytest.raises(wgf.CaseError, match=message):
        find_exits(flow, np.ones(12), target=lambda x: x > 0.5)


def test_a_target_beyond_a_sink():
    """From the left of a sink to a wall on the right: never; the part is named."""
    flow = line(40, ["no-flux", "absorbing"], sinks=[MIDDLE])
    left = (flow.grid.x.centers < -0.5) * 1.0
    assert find_exits(flow, left).exits == pytest.approx({"x_upper": 0.0, "middle": 1.0}, abs=1e-14)
    with pytest.raises(
        wgf.CaseError, match=r"the target x_upper cannot be reached.*18 cells, x from -0\.975 to -0\.125"
    ):
        find_exits(flow, left, target="x_upper")
    with pytest.raises(wgf.CaseError, match="the target --to cannot be reached"):
        find_exits(flow, left, target=lambda x: x > 0.5)
    both = find_exits(flow, np.ones(40))
    assert both.exits["middle"] > both.exits["x_upper"] > 0.2


def test_mass_inside_a_sink_has_left_at_once():
    flow = line(40, sinks=[MIDDLE])
    inside = flow.inside.astype(float)
    found = find_exits(flow, 1.0 + inside)
    assert np.all(found.fields["mean_time"][flow.inside] == 0) and np.all(
        found.fields["exit_middle"] == pytest.approx(1, rel=1e-9, abs=0)
    )
    assert found.exits == pytest.approx({"middle": 1.0}, rel=1e-9, abs=0)
    assert found.mean_time == pytest.approx(np.sum(found.fields["mean_time"]) / (40 + inside.sum()), rel=1e-12, abs=0)
    with pytest.raises(wgf.CaseError, match="overlaps a sink of the case"):
        find_exits(flow, 1.0 + inside, lambda x: np.abs(x) < 0.3)
    with pytest.raises(wgf.CaseError, match="or the name of the sink"):
        find_exits(flow, 1.0 + inside, target=lambda x: np.abs(x) < 0.3)


def test_a_part_that_is_never_left():
    """A step of V by 2000 κ from one cell to the next: what falls down it stays; what starts beyond it, too."""
    flow = line(40, ["no-flux", "absorbing"], lambda x: np.where(x < -0.5, 0.0, 2000.0))
    rho = np.ones(40)
    with pytest.raises(wgf.CaseError, match=r"\[initial\] has mass in a part.*rises by more than 700 kappa"):
        find_exits(flow, rho)
    ramp = line(40, ["absorbing", "absorbing"], lambda x: np.where(x < -0.5, 2000.0, 0.0))
    found = find_exits(ramp, (ramp.grid.x.centers > 0) * 1.0)
    assert found.exits == pytest.approx({"x_lower": 0.0, "x_upper": 1.0}, abs=1e-200)


def test_some_cells_without_end_where_the_start_is_elsewhere():
    """A well between two sinks that nothing leaves, since V jumps beside it; the start lies outside."""
    flow = line(40, ["absorbing", "no-flux"], lambda x: np.where(x > 0.5, -5000.0, 0.0), sinks=[
        Sink("gate", region=lambda x: (x > 0.1) * (x < 0.2))
    ])  # fmt: skip
    start = (flow.grid.x.centers < 0) * 1.0
    found = find_exits(flow, start)
    assert np.isinf(found.fields["mean_time"][-1]) and "never leaves" in found.notes[0]
    assert np.isfinite(found.mean_time) and np.isfinite(found.second_moment)


def test_times_beyond_double_precision():
    flow = line(200, ["no-flux", "absorbing"], lambda x: 1500.0 * x)
    with pytest.raises(SolverError, match="double precision"):
        find_exits(flow, np.ones(200))


def test_memory_is_refused_before_anything_is_built(monkeypatch):
    assert 20e6 < memory_needed(128**2, 2) < 60e6 and 1.5e9 < memory_needed(1024**2, 2) < 4e9
    monkeypatch.setattr("wgfpde.base.amounts.machine_memory", lambda: 1e6)
    with pytest.raises(wgf.CaseError, match=r"of 4900 cells needs about 6[.0-9]* MiB of memory"):
        wgf.exits("double_well_2d", to="x > 1", grid={"shape": [70, 70]})


def test_what_enters_by_a_wall_is_not_followed():
    flow = line(30, {"lower": {"density": 1.0}, "upper": {"inflow": 2.0}})
    found = find_exits(flow, np.ones(30))
    assert set(found.exits) == {"x_lower"} and "does not count" in found.notes[0]


def test_the_face_of_the_room():
    assert set(study.__all__) <= set(dir(study)) and "exits" in make_parser()[1].names
