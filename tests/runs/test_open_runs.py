"""Runs of cases with open walls and sinks: what they record and promise, how they go on, what is refused."""

import json

import h5py
import numpy as np
import pytest

import wgfpde as wgf
from wgfpde import cli
from wgfpde.errors import CaseError, StoreError
from wgfpde.grid.boundary import boundary_of
from wgfpde.output.plots import draw
from wgfpde.output.plots.options import Options
from wgfpde.output.promises import promises_of
from wgfpde.output.report.run_summary import summary
from wgfpde.runs import runner
from wgfpde.studies.stationary.between_exits import open_state

TEXT = """
[grid]
shape = [30]
lower = [-2.0]
upper = [1.0]
boundary = [{ lower = "no-flux", upper = "absorbing" }]
[energy]
internal = { kind = "entropy", kappa = 0.3 }
potential = "(x**2 - 1)**2"
[sinks]
decay = { rate = "0.1*(x > 0)" }
[initial]
density = "exp(-(x + 1)**2/0.1)"
mass = 2.0
[time]
end = 4.0
[solver]
method = "fv"
dt = 0.25
[output]
every = 1.0
"""
PLANE = """
[grid]
shape = [8, 6]
lower = [0.0, 0.0]
upper = [1.0, 1.0]
boundary = [{ lower = { density = "1 + a*y" }, upper = { robin = 2 } }, "periodic"]
[params]
a = 0.5
[energy]
internal = { kind = "entropy" }
[initial]
density = "1 + x"
[time]
end = 0.2
[output]
every = 0.1
"""


def case_of(text=TEXT, **tables):
    found = wgf.cases.loading.loads(text, "open.toml")
    return wgf.cases.loading.override(found, tables) if tables else found


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return wgf.run(case_of(output={"fields": ["current"]}), tmp_path_factory.mktemp("open") / "run", progress=False)


def test_what_a_run_records(run):
    d = run.diagnostics
    assert d["survival"][0] == 1.0 and np.all(np.diff(d["survival"]) < 0) and np.all(np.diff(d["log_square_gibbs"]) < 0)
    assert d["mass"] + d["exit_x_upper"] + d["exit_decay"] == pytest.approx(np.full(5, 2.0), rel=1e-14, abs=0)
    assert np.all(d["exit_decay"][1:] > 0) and "kl_gibbs" not in d and "came_in" not in d
    assert np.sum(run.steps["exit_x_upper"]) == pytest.approx(d["exit_x_upper"][-1], rel=1e-12, abs=0)
    current = np.asarray(run.fields["current_x"])[-1]
    assert current[-1] > 0  # out by the upper wall
    assert current[-1] - 0.5 * d["exit_rate_x_upper"][-1] > 0
    assert [p["name"] for p in promises_of(run)] == ["mass account", "survival rise", "ρ²/π rise", "min density"]
    assert all(p["kept"] for p in promises_of(run)) and run.attributes.get("kappa") is None


def test_rates_are_those_of_the_exits(run):
    """What left between two snapshots lies between dt times the rates at its ends."""
    d = run.diagnostics
    gone, rates = np.diff(d["exit_decay"]), d["exit_rate_decay"]
    assert np.all(gone[1:] <= np.maximum(rates[1:-1], rates[2:])) and np.all(
        gone[1:] >= np.minimum(rates[1:-1], rates[2:])
    )


def test_the_walls_are_read_back(run):
    again = wgf.read(run.path)
    assert str(again.boundary[0]) == "no-flux, absorbing" and again.grid.open_walls == ("x_upper",)
    assert wgf.load(run.path) == case_of(output={"fields": ["current"]})
    figure = draw(again, Options())
    assert [line.get_label() for line in figure.axes[1].get_lines()][:2] == ["left in the box", "gone by x_upper"]


def test_what_a_mass_that_leaves_is_not_judged_by(run):
    told = summary(run)["diagnostics"]
    assert told["mass"]["rule"] == told["energy"]["rule"] == "" and told["min"]["rule"] == "smallest"


def test_a_sink_that_was_renamed_after_its_run(run):
    other = wgf.read(run.path)
    edited = other.resolved_toml.replace("[sinks.decay]", '[sinks."a/b"]').replace("\ndecay =", '\n"a/b" =')
    assert edited != other.resolved_toml
    object.__setattr__(other, "resolved_toml", edited)
    labels = [line.get_label() for line in draw(other, Options()).figure.axes[1].get_lines()]
    assert labels[:2] == ["left in the box", "gone by x_upper"] and len(labels) == 2


def test_a_broken_account_is_told(run):
    for name, change, broken in (("exit_decay", 1e-9, "mass account"), ("survival", 1.0, "survival rise")):
        d = {key: np.array(values) for key, values in run.diagnostics.items()}
        d[name][-1] += change
        other = wgf.read(run.path)
        object.__setattr__(other, "diagnostics", d)
        assert [p["name"] for p in promises_of(other) if not p["kept"]] == [broken]


def test_a_run_goes_on_as_if_it_had_not_stopped(tmp_path, run):
    short = wgf.run(case_of(output={"fields": ["current"]}, time={"end": 2.0}), tmp_path / "short", progress=False)
    assert runner.resume(short.path.parent, until=4.0).status == "finished"
    again = wgf.read(short.path)
    assert (again.rho[-1] == run.rho[-1]).all()
    for name in ("exit_x_upper", "exit_decay", "survival"):
        assert again.diagnostics[name][-1] == run.diagnostics[name][-1]
    assert (again.steps["exit_decay"] == run.steps["exit_decay"]).all()


def test_mass_in_a_sink_has_left_and_is_told_of(tmp_path):
    case = case_of(sinks={"well": "x < -0.9"})
    found = wgf.run(case, tmp_path / "run", progress=False)
    log = (tmp_path / "run" / "run.log").read_text(encoding="utf-8")
    assert "[initial] has mass in sinks, which leaves at the start: " in log and " by well." in log
    d = found.diagnostics
    assert d["survival"][0] < 0.5 and d["mass"][0] + d["exit_well"][0] == pytest.approx(2.0, rel=1e-14, abs=0)
    assert found.rho[0][0] == 0.0
    with pytest.raises(CaseError, match=r"initial: all of the mass lies inside sinks \(decay, well\)"):
        wgf.run(case_of(sinks={"well": "x < 0.5"}, initial={"density": "x < 0"}), tmp_path / "none", progress=False)


def test_walls_with_values_and_formulas(tmp_path):
    found = wgf.run(case_of(PLANE), tmp_path / "run", progress=False)
    d = found.diagnostics
    assert "survival" not in d and d["came_in"][-1] > 0
    through = d["mass"][0] + d["came_in"][-1]
    assert d["mass"] + d["exit_x_lower"] + d["exit_x_upper"] == pytest.approx(np.full(3, 1.5), abs=1e-13 * through)
    again = wgf.read(found.path)
    assert again.boundary[0] == boundary_of({"lower": {"density": "1 + a*y"}, "upper": {"robin": 2}})
    assert [p["kept"] for p in promises_of(again)] == [True, True]
    with pytest.raises(CaseError, match="known as a text only"):
        wgf.Flow(again.grid, wgf.Energy())
    with h5py.File(found.path, "r+") as file:
        file["x"].attrs["boundary"] = "{ density = " + "[" * 900
    with pytest.raises(StoreError, match="the ends of axis x are"):
        wgf.read(found.path)


def test_at_rest_where_mass_comes_in(tmp_path):
    """Fluxes go on; what stops the march is the change."""
    text = PLANE.replace('"periodic"', '"no-flux"').replace("a = 0.5", "a = 0.0")
    case = case_of(text, solver={"method": "fv", "dt": 0.5, "stationary": 1e-6}, time={"end": 50.0})
    found = wgf.run(case, tmp_path / "run", progress=False)
    assert found.attributes["verdict"] == "stationary" and "largest change" in found.message
    state = wgf.stationary(case, progress=False)[0]
    assert found.rho[-1] == pytest.approx(state.rho, rel=1e-5, abs=0)
    assert state.flux == pytest.approx({"x_lower": -2 / 3, "x_upper": 2 / 3}, rel=1e-11, abs=0) and state.stable
    assert state.residual < 1e-12


def test_a_case_in_python():
    grid = wgf.Grid([0.0], [1.0], [10], [{"lower": {"inflow": lambda: 0.5}, "upper": "absorbing"}])
    sink = wgf.Sink("half", region=lambda x: (x > 0.5) & (x < 0.6))
    case = wgf.problem(grid, wgf.Energy(), np.ones(10), end=0.1, sinks=[sink], solver={"method": "fv", "dt": 0.05})
    last = list(wgf.march(case))[-1]
    assert last.rho[5] == 0.0 and last.fields["exits"].shape == (4, 2)
    line = sink.region.__code__.co_firstlineno
    assert case.model_dump()["sinks"] == {"half": f"python: <lambda> at test_open_runs.py:{line}"}


def test_what_check_says(tmp_path, capsys):
    file = tmp_path / "open.toml"
    file.write_text(TEXT, encoding="utf-8")
    assert cli.main(["check", str(file)]) == 0
    out = capsys.readouterr().out
    assert "exits       x_upper, decay" in out and "survival never rises, nor does ∫ρ²/π." in out
    assert "inequalities and rates of decay are those of a mass that stays" in out
    file.write_text(PLANE + '[sinks]\nspot = "(x - 0.5)**2 + (y - 0.5)**2 < 0.04"\n', encoding="utf-8")
    assert cli.main(["check", str(file)]) == 0
    out = capsys.readouterr().out
    assert "order 1/2 to 1 in time at region sinks in 2D" in out and "up to dt²" in out
    assert 'x_lower { density = "1 + a*y" }, x_upper { robin = 2' in out and "}, y periodic" in out
    assert "in 2D exit_rate_NAME is that of the density after the last sweep" in out
    assert wgf.load(file).traits.order == 1.0 and wgf.load(file).traits.exits


def test_stationary_prints_the_flux_by_each_wall(tmp_path, capsys):
    file = tmp_path / "line.toml"
    text = TEXT.replace(
        '{ lower = "no-flux", upper = "absorbing" }', "{ lower = { density = 2.0 }, upper = 'absorbing' }"
    )
    text = text.replace('[sinks]\ndecay = { rate = "0.1*(x > 0)" }\n', "").replace('potential = "(x**2 - 1)**2"\n', "")
    file.write_text(text, encoding="utf-8")
    assert cli.main(["stationary", str(file), "--json", "--out", str(tmp_path / "s.h5"), "--no-plot"]) == 0
    state = json.loads(capsys.readouterr().out)["states"][0]
    assert state["flux"] == pytest.approx({"x_lower": -0.2, "x_upper": 0.2}, rel=1e-12, abs=0)  # κ·2/3
    assert (
        state["eigenvalue"] == pytest.approx(-0.3 * (np.pi / 3) ** 2, rel=2e-3, abs=0) and state["verdict"] == "stable"
    )
    assert cli.main(["stationary", str(file), "--out", str(tmp_path / "s.h5"), "--no-plot"]) == 0
    out = capsys.readouterr().out
    assert "flux      x_upper" in out and ": 30 cells" in out and "mass 2" not in out  # it is the walls' to give
    with h5py.File(tmp_path / "s.h5") as stored:
        assert stored["flux_x_upper"][0] == pytest.approx(0.2, rel=1e-12, abs=0)


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        ({"solver": {"method": "jko", "tau": 0.5}}, 'sinks: method = "jko" takes no sinks: it moves all of the mass'),
        ({"sinks": {"x_upper": "x > 0"}}, r"sinks\.x_upper: a sink has a name of letters"),
        ({"sinks": {"time": "x > 0"}}, r"sinks\.time: a sink has a name of letters"),
        ({"sinks": {"rate": "x > 0"}}, r"sinks\.rate: a sink has a name of letters"),
        ({"sinks": {"a": 3}}, r'sinks\.a: expected a region, a formula such as "x > 1", or \{ rate = "…" \}, found 3'),
        ({"sinks": {"a": {"rat": 3}}}, r"sinks\.a: expected a region, .*, found \{ rat = 3 \}"),
        ({"sinks": {"a": "x > 7"}}, r'sinks: the sink a covers no cell: its region "x > 7" holds'),
        ({"sinks": {"a": "z > 7"}}, r"sinks\.a: the name z is unknown"),
        (
            {"grid": {"boundary": ["absorbin"]}},
            r'grid\.boundary\[0\]: expected .* found "absorbin"; did you mean "absorbing"',
        ),
        ({"grid": {"boundary": [{"robin": 0}]}}, r"grid\.boundary\[0\]: robin: expected a positive number, found 0"),
        ({"grid": {"boundary": [{"lower": {"robn": 1}}]}}, r'found \{ robn = 1 \}; did you mean "robin"'),
        ({"grid": {"boundary": ["robin"]}}, r"write \{ robin = … \}"),
        ({"grid": {"boundary": [{"lower": {"density": "1 + x"}}]}}, r"grid\.boundary\[0\]\.lower: x is not"),
        (
            {"grid": {"boundary": [{"lower": {"inflow": "-1"}}]}},
            r"grid\.boundary: x_lower: inflow must be finite and ≥ 0",
        ),
    ],
)
def test_mistakes_in_a_case(tables, words):
    with pytest.raises(CaseError, match=words):
        list(wgf.march(case_of(**tables)))


def test_what_makes_no_sense_with_exits(tmp_path):
    for verb, words in (
        (lambda: wgf.spectrum(case_of(), progress=False), "a spectrum here is that of a flow that keeps its mass"),
        (lambda: wgf.stationary(case_of(), progress=False), "no wall lets mass in: all of it leaves"),
        (
            lambda: wgf.stationary(case_of(energy={"internal": {"kind": "power", "m": 2.0}}), progress=False),
            "found 'power'",
        ),
        (
            lambda: wgf.stationary(case_of(PLANE), vary="params.a=0:1:3", progress=False),
            "there is one stationary state",
        ),
        (lambda: list(wgf.march(case_of(output={"diagnostics": ["w2_gibbs"]}))), '"w2_gibbs" .* has no meaning'),
    ):
        with pytest.raises(CaseError, match=words):
            verb()
    flow = wgf.Flow(wgf.Grid([0.0], [1.0], [4], "absorbing"), wgf.Energy(wgf.Internal("power", m=2.0)))
    with pytest.raises(CaseError, match='found "power"'):
        open_state(flow)
