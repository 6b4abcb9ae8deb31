"""`wgfpde inspect`: everything about a run but its densities, whatever state it is in."""

import json
import subprocess
import sys

import numpy as np
import pytest
from samples import ramp, write_run

from wgfpde import store
from wgfpde.cli import main
from wgfpde.errors import StoreError
from wgfpde.output.report import summary
from wgfpde.output.report.problem_text import internal, readable
from wgfpde.output.report.run_summary import worst


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path / "run", ramp(), energy=[3.0, 2.5, 2.0], error_l1=[0.0, 0.5, 0.125])


def inspect(capsys, *arguments: str) -> str:
    assert main(["inspect", "--all", *arguments]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def lines_of(out: str) -> dict[str, str]:
    """First word of each line → the rest, blanks folded."""
    pairs = (line.split(maxsplit=1) for line in out.splitlines() if len(line.split()) > 1)
    return {name: " ".join(rest.split()) for name, rest in pairs}


def test_every_block_is_there(capsys, run):
    out = inspect(capsys, str(run.folder))
    lines = lines_of(out)
    assert out.splitlines()[0] == "A <made-up> run"
    assert lines["Fokker-Planck"].startswith("∂t ρ = κΔρ + ∇·(ρ∇V)")
    assert lines["U"] == "0.5·(ρ ln ρ − ρ)" and lines["V"] == "theta·x²/2" and lines["theta"] == "2"
    assert lines["x"] == "[0, 2], no-flux, 8 cells of 0.25"
    assert lines["solver"] == "method = fv, dt = 0.1, order = 2"
    assert lines["count"] == "4" and lines["dt"] == "first 0.05, last 0.05, min 0.05, max 0.05"
    assert lines["iterations"] == "18 in all, 4.5 a step, 6 at most"
    assert lines["rejected"] == "2 in all, 0.5 a step, 1 at most" and lines["repaired"] == "none"
    assert lines["residual"] == "1e-13 at worst, at t = 0.05"
    assert lines["energy"] == "3 2 2 3 smallest fall 0.5 at t = 0.1"
    assert lines["error_l1"] == "0 0.125 0 0.5 largest 0.5 at t = 0.1"
    assert lines["energy.internal.kappa"] == "= 0.5 command line"
    assert lines["solver.dt"] == "= 0.1 file"
    assert lines["command"] == "wgfpde run case.toml" and lines["threads"] == "2"
    assert lines["wall"] == "time not yet known" and lines["cpu"] == "time 0.25 s"
    assert "BROKEN" not in out and "advice" not in lines


def test_the_file_may_be_named_too(capsys, run):
    assert inspect(capsys, str(run.path)) == inspect(capsys, str(run.folder))


def test_a_broken_promise_is_shown_and_is_no_error(capsys, tmp_path):
    run = write_run(tmp_path, ramp(), mass=[1.0, 1.0, 1.5], energy=[0.0, 2.0, 1.0])
    out = inspect(capsys, str(run.folder))
    assert out.count("BROKEN") == 2
    assert lines_of(out)["mass"] == "1 1.5 1 1.5 largest drift 0.5 at t = 0.2"
    assert lines_of(out)["energy"] == "0 1 0 2 largest rise 2 at t = 0.1"


def test_json_has_every_key_and_no_nan(capsys, run):
    record = json.loads(inspect(capsys, str(run.folder), "--json"), parse_constant=lambda word: pytest.fail(word))
    assert list(record) == [
        "file", "title", "equation", "method", "status", "verdict", "message", "resolution",
        "averaging_error", "grid", "snapshots", "t_first", "t_last", "t_end", "steps",
        "wall_seconds", "compile_seconds", "diagnostics", "promises", "certificates", "balance", "advice",
        "times", "question", "axes",
        "solver", "fields", "step_sizes", "step_statistics", "parameters", "provenance", "bytes",
    ]  # fmt: skip
    assert record["wall_seconds"] is None and record["provenance"]["wall_seconds"] is None
    assert record["times"] == [0.0, 0.1, 0.2] and record["t_end"] == 0.4
    assert record["diagnostics"]["max"] == {
        "first": 7.0, "last": 21.0, "min": 7.0, "max": 21.0, "worst": 21.0, "worst_t": 0.2, "rule": "largest",
        "units": "1", "long_name": "the max", "description": "What max is.",
    }  # fmt: skip
    assert {p["name"]: p["sign"] for p in record["promises"]} == {
        "mass drift": "≤", "min density": "≥", "energy rise": "≤"
    }  # fmt: skip
    assert {"key": "solver.order", "value": "2", "source": "default"} in record["parameters"]


def test_keys_do_not_depend_on_the_state_of_the_run(run, tmp_path):
    empty = write_run(tmp_path / "empty", [], end="running", resolved="", case="")
    assert list(summary(empty)) == list(summary(run))


def test_a_run_that_goes_on_or_was_killed(capsys, tmp_path):
    run = write_run(tmp_path / "killed", ramp(2), end="running")
    lines = lines_of(inspect(capsys, str(run.folder)))
    assert lines["status"].startswith("running: t = 0 to 0.1 of 0.4, 2 steps, 2 snapshots")
    assert lines["advice"] == f"the run is going on, or was killed: go on with: wgfpde resume {run.folder}"


@pytest.mark.parametrize(("end", "advised"), [("finished", False), ("failed", False), ("interrupted", True)])
def test_what_ended_is_not_called_running(tmp_path, end, advised):
    advice = summary(write_run(tmp_path, ramp(2), end=end))["advice"]
    assert ("wgfpde resume" in advice) == advised and "killed" not in advice


def test_no_snapshot_yet(capsys, tmp_path):
    run = write_run(tmp_path / "empty", [], end="running")
    out = inspect(capsys, str(run.folder))
    assert "nothing yet of 0.4, 0 steps, 0 snapshots" in out and "count            none" in out
    assert "kept" not in out and "diagnostics" not in out
    json.loads(inspect(capsys, str(run.folder), "--json"))


def test_a_file_without_a_case(capsys, tmp_path):
    """What Python code put together has no formulas that a file could hold."""
    run = write_run(tmp_path, ramp(), resolved="", case="", attributes={"made_in": "python"})
    out = inspect(capsys, str(run.folder))
    assert "made in          python" in out and "parameters" not in out


def test_densities_are_read_once_and_one_by_one(monkeypatch, run):
    asked, get = [], type(run.rho).__getitem__
    monkeypatch.setattr(type(run.rho), "__getitem__", lambda self, k: asked.append(k) or get(self, k))
    assert summary(store.read(run.path))["snapshots"] == 3
    assert asked == [0, 1, 2]


@pytest.mark.parametrize(
    ("verb", "heavy"),
    [("inspect", {"numba", "ducc0", "scipy", "matplotlib", "PIL"}), ("plot", {"numba", "scipy"})],
)
def test_nothing_heavy_is_imported(run, verb, heavy):
    program = (
        "import sys\n"
        "from wgfpde.cli import main\n"
        f"code = main([{verb!r}, {str(run.folder)!r}])\n"
        f"heavy = {heavy!r} & set(sys.modules)\n"
        "sys.exit(code or ' '.join(sorted(heavy)) or None)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("A <made-up> run" if verb == "inspect" else str(run.folder))


def test_what_is_no_run(capsys, tmp_path):
    assert main(["inspect", str(tmp_path / "nowhere")]) == StoreError("").exit_code
    assert "does not exist" in capsys.readouterr().err


# ---- the worst value -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "values", "expected", "time"),
    [
        ("mass", [2.0, 2.5, 1.0, 2.0], 1.0, 2.0),
        ("energy", [3.0, 1.0, 1.5, 0.0], 0.5, 2.0),
        ("energy", [3.0, 2.0, 1.5, 1.25], 0.25, 3.0),
        ("kl_gibbs", [1.0, 0.5, 0.25, 0.5], 0.25, 3.0),
        ("min", [0.5, -1e-20, 0.1, 0.0], -1e-20, 1.0),
        ("max", [1.0, 4.0, 2.0, 3.0], 4.0, 1.0),
        ("error_linf", [0.0, 0.1, 0.3, 0.2], 0.3, 2.0),
    ],
)
def test_worst(name, values, expected, time):
    found = worst(name, np.array(values), np.arange(4.0))
    assert (found["worst"], found["worst_t"]) == (expected, time)
    if name in ("energy", "kl_gibbs"):
        assert found["rule"] == ("smallest fall" if np.all(np.diff(values) < 0) else "largest rise")


@pytest.mark.parametrize("name", ["mass", "energy", "min", "error_l1"])
def test_nan_is_worst_of_all(name):
    found = worst(name, np.array([1.0, 5.0, np.nan, -7.0]), np.arange(4.0))
    assert np.isnan(found["worst"]) and found["worst_t"] == 2.0


def test_no_value_of_a_mean_is_worse():
    assert worst("mean_x", np.array([1.0, 2.0]), np.arange(2.0)) == {"worst": None, "worst_t": None, "rule": ""}


def test_one_snapshot_has_no_rise():
    assert worst("energy", np.array([1.0]), np.zeros(1))["worst"] is None


# ---- formulas --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "text"),
    [
        ("x**4/4 - x**2/2", "x⁴/4 − x²/2"),
        ("exp(-pi**2*t)*cos(pi * x)", "exp(−π²·t)·cos(π·x)"),
        ("x**12 + r**1.5 + spin*x", "x¹² + r^1.5 + spin·x"),
        ("2**x", "2^x"),
    ],
)
def test_readable(formula, text):
    assert readable(formula) == text


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ({"kind": "entropy", "kappa": 1.0}, "ρ ln ρ − ρ"),
        ({"kind": "entropy", "kappa": 0.3}, "0.3·(ρ ln ρ − ρ)"),
        ({"kind": "power", "m": 2.0, "kappa": 1.0}, "ρ²"),
        ({"kind": "power", "m": 3.0, "kappa": 0.1}, "0.1·ρ³/2"),
        ({"kind": "power", "m": 0.75, "kappa": 0.5}, "−0.5·ρ^0.75/0.25"),
        ({"kind": "none"}, ""),
    ],
)
def test_internal_energy_in_words(table, text):
    assert readable(internal(table)) == text


def test_a_screen_without_all(capsys, run, tmp_path):
    """At most 40 lines: promises and the problem, the rest as far as it fits; JSON is the same with and without."""
    long = write_run(tmp_path / "long", ramp(), **{f"error_{k}": [0.0, 0.5, 0.125] for k in range(60)})
    for one in (run, long):
        assert main(["inspect", str(one.folder)]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) <= 40 and lines[-1].endswith("--all") and "provenance" not in lines
        full = inspect(capsys, str(one.folder)).splitlines()
        assert set(lines[:18]) <= set(full) and lines[:9] == full[:9]
        assert ("… " in "\n".join(lines)) == (one is long)
        pages = []
        for more in ([], ["--all"]):
            assert main(["inspect", str(one.folder), "--json", *more]) == 0
            pages.append(capsys.readouterr().out)
        assert pages[0] == pages[1]
