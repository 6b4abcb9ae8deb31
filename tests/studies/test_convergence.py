"""Orders of convergence: the mathematics on errors of known order, then studies of cases, from Python and as typed."""

import json
import math
import shutil
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from hypothesis import strategies as st

from wgfpde.cases.loading import load
from wgfpde.claims import Validation
from wgfpde.cli import main
from wgfpde.energy.energy import Energy, Internal
from wgfpde.errors import CaseError, StoreError
from wgfpde.grid import Grid
from wgfpde.runs.interrupts import Interrupted
from wgfpde.store import FILE_NAME, read, read_study
from wgfpde.studies.convergence import Convergence, converge, record, write
from wgfpde.studies.convergence import solved_runs as runs

SHORT = ("time.end=0.1", "output.every=0.1")
HEAT = (*SHORT, "grid.shape=[32]", "solver.dt=2e-3")
SPACE = ("time.end=0.1", "output.every=0.05", "solver.dt=1e-3")
STEPS = {"solver.dt": [0.02, 0.01, 0.005]}
CELLS = {"grid.shape": [8, 16, 32]}
order = st.floats(0.3, 6.0)


# ---- studies ------------------------------------------


@pytest.fixture(scope="module")
def space(tmp_path_factory) -> Convergence:
    """The heat equation on finer and finer grids, against its solution; given out of order."""
    case = load("heat_1d", SPACE)
    return converge(case, {"grid.shape": [16, 32, 8]}, tmp_path_factory.mktemp("space"))


def test_order_in_space(space):
    assert [v.values for v in space.varied] == [([8], [16], [32])]
    assert np.allclose(space.sizes, [1 / 8, 1 / 16, 1 / 32], atol=0) and np.array_equal(space.sizes, space.h)
    assert space.against == "exact" and space.t == 0.1 and space.size_key == "grid.shape" and not space.failures
    assert set(space.fitted) == {"l1", "l2", "linf", "w2"}
    for name, p in space.fitted.items():
        assert p == pytest.approx(2, abs=0.05) == space.fitted_last[name]
        assert np.allclose(space.orders[name][1:], 2, atol=0.05)
    assert [s.folder.name for s in space.solved] == ["01-8", "02-16", "03-32"]
    assert space.notes == () and np.array_equal(space.steps, [100] * 3) and np.all(space.seconds > 0)
    assert space.met(2) == dict.fromkeys(space.fitted, True) and not any(space.met(2.5).values())


def test_errors_are_those_that_the_runs_recorded(space):
    for k, run in enumerate(space.runs):
        for norm in ("l1", "l2", "linf"):
            assert space.errors[norm][k] == run.diagnostics[f"error_{norm}"][-1]


def test_at_an_earlier_time(space):
    """From the runs that are there; the errors are those of that time."""
    found = converge(load("heat_1d", SPACE), CELLS, space.folder, time=0.05, norms=["l1"])
    assert found.t == 0.05 and all(s.reused for s in found.solved)
    assert found.errors["l1"][0] == found.runs[0].diagnostics["error_l1"][1]


def test_against_the_finest_in_space(space):
    case = load("heat_1d", SPACE)
    found = converge(case, {"grid.shape": [8, 16, 32]}, space.folder, against="finest", measures=["energy"],
                     norms=["l1", "l2", "linf", "w2"])  # fmt: skip
    assert [s.reused for s in found.solved] == [True] * 3  # energy is recorded by all runs
    for name, p in found.fitted.items():
        assert p == pytest.approx(2, abs=0.05), name
    assert math.isnan(found.errors["l1"][-1]) and math.isnan(found.orders["l1"][-1])
    limit = found.limits["energy"]
    assert limit.error == pytest.approx(abs(found.values["energy"][-1] - limit.value), rel=1e-9, abs=0)
    x = (np.arange(10**5) + 0.5) / 10**5
    rho = 1 + 0.5 * math.exp(-(math.pi**2) * 0.1) * np.cos(math.pi * x)
    assert limit.value == pytest.approx(float(np.mean(rho * np.log(rho) - rho)), abs=2e-6)
    assert abs(found.values["energy"][-1] - limit.value) > 5e-6  # what the rule gains


@pytest.mark.parametrize("p", [1, 2])
def test_order_in_time(p, tmp_path):
    case = load("heat_1d", (*HEAT, f"solver.order={p}"))
    steps = STEPS if p == 2 else {"solver.dt": [0.0025, 0.00125, 0.000625]}
    found = converge(case, steps, tmp_path, against="finest", norms=["l1", "w2"])
    assert found.fitted["l1"] == pytest.approx(p, abs=0.05 * p)
    assert found.fitted["w2"] == pytest.approx(p, abs=0.05 * p)
    assert found.notes == ()


def test_order_of_jko_steps(tmp_path):
    case = load("jko_gaussian_1d", ("grid.shape=[64]", "time.end=0.1", "output.every=0.1", "params.s0=0.8"))
    found = converge(case, {"solver.tau": [0.05, 0.025, 0.0125, 0.00625]}, tmp_path, against="finest", norms=["l1"])
    assert found.fitted["l1"] == pytest.approx(1, abs=0.05) and found.size_key == "solver.tau"


def test_together_in_two_dimensions(tmp_path):
    """h and dt halved together; cells averaged over those of the coarser grid."""
    case = load("heat_2d", ("time.end=0.5", "output.every=0.5"))
    found = converge(case, {"grid.shape": [16, 32, 64], "solver.dt": [0.1, 0.05, 0.025]}, tmp_path, against="finest")
    assert set(found.fitted) == {"l1", "l2", "linf"} and found.fitted["l2"] == pytest.approx(2, abs=0.2)
    assert (
        found.label(1) == "grid.shape = [32, 32], solver.dt = 0.05" and found.solved[1].folder.name == "02-32-32-0.05"
    )
    assert np.array_equal(found.steps, [5, 10, 20])
    with pytest.raises(CaseError, match="in 1D only"):
        converge(case, CELLS, tmp_path, norms=["w2"])


def test_w2_to_a_solution_with_kinks(tmp_path):
    """Averages of a free boundary over coarse cells are not exact, and their sum is not quite the mass."""
    case = load("barenblatt_1d_m2", ("time.end=1.2", "output.every=1.2", "solver.dt=0.02"))
    found = converge(case, {"grid.shape": [32, 64]}, tmp_path, norms=["w2"])
    assert np.isfinite(found.errors["w2"]).all() and 1 < found.fitted["w2"] < 3


def test_cells_that_do_not_nest_are_noted(tmp_path):
    found = converge(load("heat_1d", HEAT), {"grid.shape": [8, 12, 18]}, tmp_path, against="finest", norms=["l1"])
    assert "whole numbers of the finest" in found.notes[0]


def test_errors_of_the_callers_own(tmp_path):
    """Two runs are enough, and a case without a closed form; no norm is found unasked."""
    case = load("double_well_1d", ("time.end=0.1", "output.every=0.1", "solver.dt=0.05"))
    found = converge(
        case, {"grid.shape": [32, 64]}, tmp_path, errors={"cells": lambda run: len(run.centers[0]) ** -3.0}
    )
    assert set(found.errors) == {"cells"} and found.fitted["cells"] == pytest.approx(3, rel=1e-9, abs=0)


def test_a_case_put_together_in_python(tmp_path):
    from wgfpde.api import problem

    case = problem(
        Grid([0.0], [1.0], [16]), Energy(Internal("entropy")), lambda x: 1 + 0.5 * np.cos(np.pi * x), end=0.1, every=0.1
    )
    found = converge(case, STEPS, tmp_path, norms=["l1"])
    assert found.against == "finest" and found.fitted["l1"] == pytest.approx(2, abs=0.1)
    with pytest.raises(CaseError, match="cannot be compared"):
        converge(case, STEPS, tmp_path)


# ---- what is said -------------------------------------


def test_the_error_of_the_cells_is_told_from_that_of_the_steps(tmp_path):
    """Against the solution the cells are seen, which is said; against the finest run they are not."""
    case = load("heat_1d", (*SHORT, "grid.shape=[16]"))
    found = converge(case, {"solver.dt": [0.005, 0.0025, 0.00125]}, tmp_path, norms=["l1"])
    (note,) = found.notes
    assert "the error of the cells (h = 0.0625)" in note and "--against finest" in note
    assert found.met(2) == {"l1": False}
    again = converge(case, {"solver.dt": [0.005, 0.0025, 0.00125]}, tmp_path, norms=["l1"], against="finest")
    assert again.notes == () and again.met(2) == {"l1": True} and all(s.reused for s in again.solved)


def test_the_error_of_the_steps_is_told_from_that_of_the_cells(tmp_path):
    case = load("heat_1d", (*SHORT, "solver.dt=0.05"))
    found = converge(case, {"grid.shape": [64, 128, 256]}, tmp_path, norms=["l1"])
    assert "the error of the steps, which are not varied, dominates" in found.notes[0]


def test_errors_that_cancel_are_noted(tmp_path):
    """Cells too few make the decay too slow, large steps too fast; near where both are one, the order seems large."""
    case = load("heat_1d", (*SHORT, "grid.shape=[200]"))
    found = converge(case, {"solver.dt": [0.01, 0.005, 0.0025]}, tmp_path, norms=["l1"])
    assert found.orders["l1"][-1] > 3 and "rise above 2" in found.notes[0]


@pytest.mark.parametrize("against", ["exact", "finest"])
def test_the_end_of_a_path_is_its_target(tmp_path, against):
    """Errors there are those of the tolerance, of no order, which is no fault of cells or steps; halfway it is 2."""
    case = load("bridge_1d", ("output.every=0.5", "solver.dt=0.0625"))
    cells = {"grid.shape": [24, 48, 96]}
    found = converge(case, cells, tmp_path, norms=["l1"], against=against)
    assert len(found.notes) == 1 and "at its end a path is the target" in found.notes[0]
    halfway = converge(case, cells, tmp_path, norms=["l1"], against=against, time=0.5)
    assert not any("target" in note for note in halfway.notes) and halfway.errors["l1"][0] > 1e-3


def test_steps_that_output_times_cut_are_noted(tmp_path):
    found = converge(load("heat_1d", (*HEAT, "output.every=0.05")), STEPS, tmp_path, against="finest", norms=["l1"])
    assert "solver.dt = 0.02, since they also end on the output times" in found.notes[0]


# ---- going on -----------------------------------------


def test_finished_runs_are_used_again(tmp_path, space):
    """Also by a study with other values, whatever their numbers; not where another key has changed."""
    folder = tmp_path / "study"
    shutil.copytree(space.folder, folder)
    told = []
    case = load("heat_1d", SPACE)
    found = converge(case, {"grid.shape": [8, 32, 64]}, folder, after_run=told.append)
    assert [s.reused for s in found.solved] == [True, True, False]
    assert [s.folder.name for s in found.solved] == ["01-8", "03-32", "03-64"]
    assert told[1] == f"2 of 3  grid.shape = 32: taken from {folder / '03-32'}" and told[2].startswith("3 of 3")
    other = load("heat_1d", (*SPACE, "solver.dt=2e-3"))
    before = (folder / "01-8" / FILE_NAME).read_bytes()
    with pytest.raises(CaseError, match=r"its solver.dt is 0.001, not 0.002.*--overwrite"):
        converge(other, {"grid.shape": [8, 16]}, folder)
    assert (folder / "01-8" / FILE_NAME).read_bytes() == before
    again = converge(other, {"grid.shape": [8, 16]}, folder, overwrite=True)
    assert not any(s.reused for s in again.solved) and np.array_equal(again.steps, [50, 50])


def test_a_run_by_another_version_is_not_used(tmp_path, space, monkeypatch):
    monkeypatch.setattr("wgfpde.studies.stored_runs.__version__", "0.0.1")
    with pytest.raises(CaseError, match="it is by wgfpde"):
        converge(load("heat_1d", SPACE), CELLS, space.folder)


def test_an_interrupted_study_goes_on(tmp_path, monkeypatch):
    """SIGTERM stops the second run at once; the next call resumes it and takes the first."""
    case, solve = load("heat_1d", HEAT), runs.run_case
    calls = []

    def stopped(case, folder, overwrite, progress, most_steps):
        calls.append(folder)
        result = solve(case, folder, overwrite, progress, wall_limit=1e-9 if len(calls) == 2 else None)
        return replace(result, exit_code=143) if len(calls) == 2 else result

    monkeypatch.setattr(runs, "run_case", stopped)
    with pytest.raises(Interrupted, match=r"run 2 of 3(.|\n)*goes on with the study") as stop:
        converge(case, STEPS, tmp_path, against="finest")
    assert stop.value.exit_code == 143 and read(calls[1]).status == "interrupted"
    found = converge(case, STEPS, tmp_path, against="finest")
    assert [path.name for path in calls] == ["01-0.02", "02-0.01", "03-0.005"]  # the second was resumed
    assert [s.reused for s in found.solved] == [True, False, False]
    assert found.runs[1].attributes["resumed"] == 1 and found.fitted["l1"] == pytest.approx(2, abs=0.1)


def failing(tmp_path) -> list[str]:
    """A study whose first run is allowed one iteration of a problem that takes several."""
    return ["converge", "jko_gaussian_1d", "--set", "grid.shape=[128]", "--set", "time.end=0.1", "--set",
            "output.every=0.1", "--vary", "solver.tau=0.1,0.05,0.025", "--vary", "solver.max_iterations=1,50,50",
            "--out", str(tmp_path / "study"), "--norm", "l1"]  # fmt: skip


def test_a_run_that_fails_is_a_row(tmp_path, capsys):
    assert main([*failing(tmp_path), "--expect", "0.5"]) == 1
    out, err = capsys.readouterr()
    rows = [line for line in out.splitlines() if "failed" in line]
    assert len(rows) == 1 and rows[0].split()[:2] == ["0.1", "1"]
    assert "1 of 3 runs did not finish" in out and "met by l1" in out
    assert "error: run 1 of 3, solver.tau = 0.1, solver.max_iterations = 1: at t = 0:" in err and "Traceback" not in err
    found = read_study(tmp_path / "study" / "converge.h5")
    assert np.isnan(found["error_l1"][0]) and np.isfinite(found["error_l1"][1:]).all()
    assert found["status"][1] == "finished" and found["status"][0].startswith("at t = 0")


# ---- the command line ---------------------------------

TYPED = ["converge", "heat_1d", "--set", "time.end=0.1", "--set", "output.every=0.05", "--set", "solver.dt=1e-3"]
VARIED = ["--vary", "grid.shape=8,16,32"]


@pytest.fixture
def typed(space, tmp_path) -> list[str]:
    """A command whose runs are there already."""
    shutil.copytree(space.folder, tmp_path / "study")
    return [*TYPED, *VARIED, "--out", str(tmp_path / "study")]


@pytest.fixture
def undrawn(monkeypatch):
    """Without the figure, which is drawn in `test_table` and takes longer than a study."""
    monkeypatch.setattr("wgfpde.cli.study_verbs.converge_verb._draw", lambda file, figure: None)


def test_table(typed, capsys, tmp_path):
    assert main(typed) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0] == "Heat equation in 1D: against the exact solution, at t = 0.1"
    after = ["order", "l2", "order", "linf", "order", "w2", "order"]
    assert lines[2].split() == ["grid.shape", "h", "steps", "seconds", "l1", *after]
    rows = [line.split() for line in lines[3:6]]
    assert [row[0] for row in rows] == ["8", "16", "32"] and len({len(line) for line in lines[2:6]}) == 1
    assert rows[0][5] == "–" and float(rows[2][5]) == pytest.approx(2, abs=0.05)
    assert "fitted order       l1 2.0" in out
    assert err.count("taken from") == 3 and "3 of 3  grid.shape = 32" in err
    assert (tmp_path / "study" / "converge.png").stat().st_size > 10_000


@pytest.mark.parametrize(("expected", "code"), [("2", 0), ("2.3", 3)])
def test_expected_order(typed, undrawn, capsys, expected, code):
    assert main([*typed, "--expect", expected, "--quiet"]) == code
    out, err = capsys.readouterr()
    verdict = next(line for line in out.splitlines() if line.startswith("verdict"))
    assert ("met by l1, l2, linf, w2" if code == 0 else "BELOW in l1, l2, linf, w2") in verdict
    assert err == ""


def test_json(typed, undrawn, capsys, tmp_path):
    assert main([*typed, "--json", "--expect", "2", "--norm", "l1", "--measure", "variance_x", "--quiet"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["against"] == "exact" and found["size_key"] == "grid.shape" and found["met"]["l1"] is True
    assert [row["values"] for row in found["runs"]] == [{"grid.shape": [n]} for n in (8, 16, 32)]
    assert found["runs"][0]["orders"] == {"l1": None, "variance_x": None}
    assert found["fitted"]["l1"] == pytest.approx(2, abs=0.05)
    assert found["limits"]["variance_x"]["order"] == pytest.approx(2, abs=0.1)
    assert found["file"] == str(tmp_path / "study" / "converge.h5")
    assert found["figure"] == str(tmp_path / "study" / "converge.png")


def test_json_without_a_figure(typed, capsys, tmp_path):
    assert main([*typed, "--json", "--no-plot", "--quiet"]) == 0
    assert json.loads(capsys.readouterr().out)["figure"] is None
    assert not (tmp_path / "study" / "converge.png").exists()
    assert main([*typed, "--quiet", "--plot", str(tmp_path / "a.gif")]) == 2
    assert "png, pdf, svg" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["converge.h5", "converge.png"])
def test_files_of_another_origin_are_kept(typed, undrawn, capsys, tmp_path, name):
    """Told before anything is solved; an older study of its own is replaced."""
    mine = tmp_path / "study" / name
    mine.write_text("precious")
    shutil.rmtree(tmp_path / "study" / "03-32")
    assert main([*typed, "--quiet"]) == 2
    assert f"{mine} exists" in capsys.readouterr().err and mine.read_text() == "precious"
    assert not (tmp_path / "study" / "03-32").exists()
    mine.unlink()
    assert main([*typed, "--quiet"]) == 0 and main([*typed, "--quiet"]) == 0


def test_a_study_in_python_keeps_files_of_another_origin(space, tmp_path):
    (tmp_path / "mine.h5").write_text("precious")
    with pytest.raises(StoreError, match="holds no convergence"):
        write(space, tmp_path / "mine.h5")
    assert (tmp_path / "mine.h5").read_text() == "precious"


def test_file_opens_in_xarray(space, tmp_path):
    path = write(space, tmp_path / "converge.h5")
    with xr.open_dataset(path, engine="h5netcdf") as data:
        assert data.grid_shape.values.tolist() == [8, 16, 32] and data.grid_shape.attrs["long_name"] == "grid.shape"
        assert data.run.values.tolist() == [1, 2, 3] and data.error_l1.dims == ("run",)
        assert np.array_equal(data.error_l1, space.errors["l1"]) and np.array_equal(data.h, space.h)
        assert np.array_equal(data.order_w2, space.orders["w2"], equal_nan=True)
        assert data.attrs["fitted_l1"] == space.fitted["l1"] and data.attrs["against"] == "exact"
    assert read_study(path).kind == "convergence" and "[exact]" in read_study(path).texts["case_toml"]
    assert record(space)["runs"][1]["errors"]["l1"] == space.errors["l1"][1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--vary", "grid.shape=8"], "at least two runs"),
        (["--vary", "grid.shape=8,16", "--against", "finest"], "at least three runs"),
        (["--vary", "grid.shape=8,16", "--measure", "energy"], "at least three runs"),
        ([*VARIED, "--measure", "enrgy"], 'did you mean "energy"'),
        ([*VARIED, "--time", "0.03"], "nearest is 0.05"),
        ([*VARIED, "--set", "exact.density=1 + t"], "--overwrite"),
        ([*VARIED, "--expect", "-1"], "positive order"),
        ([*VARIED, "--norm", "h1"], "invalid choice"),
        (["--vary", "solver.dt=0.1,adaptive"], "expected positive numbers"),
        (["--vary", "solver.order=1,3"], "solver.order: expected 1 or 2"),
        ([], "--vary"),
    ],
)
def test_what_makes_no_sense(typed, capsys, arguments, words):
    out = typed[typed.index("--out") + 1]
    assert main([*TYPED, *arguments, "--out", out]) == 2
    printed, err = capsys.readouterr()
    assert printed == "" and words in err and "Traceback" not in err


def test_no_closed_form(capsys, tmp_path):
    out = ["--out", str(tmp_path / "study")]
    assert main(["converge", "double_well_1d", "--vary", "grid.shape=8,16", "--against", "exact", *out]) == 2
    assert "no [exact]" in capsys.readouterr().err
    assert main(["converge", "double_well_1d", "--vary", "grid.shape=8,16", *out]) == 2
    assert "the case has no [exact], and an order needs at least three runs" in capsys.readouterr().err
    assert not (tmp_path / "study").exists()


def test_default_folder_and_a_size_given_twice(undrawn, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main([*TYPED, "--vary", "grid.shape=8,16", "--quiet", "--norm", "l1"]) == 0
    assert (tmp_path / "runs" / "heat_1d-converge" / "01-8" / FILE_NAME).is_file()
    assert main(["converge", "heat_2d", "--vary", "grid.shape=[8, 8],[8, 16]"]) == 2
    assert "sizes must differ" in capsys.readouterr().err


def test_from_a_validation_script(tmp_path):
    v = Validation("script", tmp_path)
    found = v.converge("heat_1d", {"grid.shape": [8, 16]}, *SHORT, "solver.dt=1e-3", norms=["l1"])
    assert found.fitted["l1"] == pytest.approx(2, abs=0.05) and found.folder == tmp_path / "01-heat_1d"
    assert [run.folder.name for run in found.runs] == ["01-8", "02-16"]
