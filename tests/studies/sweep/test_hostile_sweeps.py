"""Sweep folders by another hand: links are not written through, and what is no sweep is a sentence."""

import json
import math
import os

import h5py
import numpy as np
import pytest

from wgfpde.base.replaced_files import growing
from wgfpde.cases.loading import load
from wgfpde.cases.varying import Vary, vary
from wgfpde.cli import main
from wgfpde.errors import CaseError, StoreError
from wgfpde.studies.sweep import Kept, Plan, goes_on, sweep
from wgfpde.studies.sweep import journal as journals
from wgfpde.studies.sweep.journal import Appender, Journal
from wgfpde.studies.sweep.outcome import Outcome, read_line
from wgfpde.studies.sweep.reading import read_sweep
from wgfpde.studies.sweep.sweep_folder import locked, read_known
from wgfpde.studies.watch.state import watcher_of

SHORT = ["grid.shape=[24]", "time.end=0.4", "output.every=0.2", "solver.tolerance=1e-3"]
NO_FOLDERS = Kept(folders=False)


def plan_of(*items, zipped=False):
    case = load("desai_zwanzig_1d", SHORT)
    return Plan(case, tuple(vary(items, case, together=zipped)), zipped)


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile") / "S"
    sweep(plan_of("params.theta=0.5,1", "solver.method=fv"), folder, Kept(folders=False, density=True))
    return folder


def copied(swept, folder):
    folder.mkdir()
    for name in ("sweep.json", "rows.jsonl", "sweep.h5"):
        (folder / name).write_bytes((swept / name).read_bytes())
    return folder


# ---- links -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["rows.jsonl", "sweep.lock", "sweep.json.part", "theta=1/run.log", "theta=1", "theta=1/output.h5"]
)
def test_a_link_is_not_written_through(tmp_path, name):
    mine, folder = tmp_path / "mine", tmp_path / "S"
    plan = plan_of("params.theta=1")
    sweep(plan, folder, Kept(folders=True))
    place = folder / name
    if name == "theta=1":
        place.rename(mine)
        before = {file: file.read_bytes() for file in mine.rglob("*") if file.is_file()}
    else:
        mine.write_text("mine")
        before = {mine: b"mine"}
        place.unlink(missing_ok=True)
    place.symlink_to(mine)
    if name == "sweep.json.part":
        (folder / "sweep.json").unlink()
        (folder / "rows.jsonl").unlink()
    try:
        found = sweep(plan, folder, Kept(folders=True), overwrite=True)
    except StoreError as error:
        assert "no regular file" in str(error) or "cannot write" in str(error)
    else:
        assert found.failed == 1 or name == "rows.jsonl"  # a link among the rows goes when they are forgotten
    assert all(file.read_bytes() == data for file, data in before.items())


def test_a_pipe_does_not_stop_a_sweep(tmp_path):
    os.mkfifo(tmp_path / "rows.jsonl")
    with pytest.raises(OSError, match="no regular file"):
        growing(tmp_path / "rows.jsonl")
    with pytest.raises(StoreError, match="no regular file"):
        Appender(tmp_path / "rows.jsonl")


# ---- digests, overwrite, references --------------------------------------------------------------------------------


def test_cases_in_python_are_told_apart_by_their_functions(tmp_path):
    import wgfpde as wgf

    def plan(a, **more):
        grid = wgf.Grid([-2.0], [2.0], [16])
        energy = wgf.Energy(wgf.Internal(kappa=0.3), potential=lambda x: a * x**2)
        start = lambda x: np.exp(-(x**2))  # noqa: E731
        case = wgf.problem(grid, energy, start, end=0.1, every=0.1, solver={"method": "fv", "dt": 0.05}, **more)
        return Plan(case, (Vary("solver.dt", (0.05, 0.1)),))

    plans = [plan(a) for a in (0.5, 0.5, 1.0)]
    assert plans[0].digest(0) == plans[1].digest(0) != plans[2].digest(0)
    first = sweep(plans[0], tmp_path / "S", NO_FOLDERS)
    assert (first.known, sweep(plans[1], tmp_path / "S", NO_FOLDERS).known) == (0, 2)
    assert sweep(plans[2], tmp_path / "S", NO_FOLDERS).known == 0
    timed = [plan(0.5, exact=lambda x, t: np.exp(-(x**2))) for _ in range(2)]
    assert timed[0].digest(0) == timed[0].digest(0) != timed[1].digest(0)
    assert read_known(tmp_path / "S").functions == plans[2].functions
    with pytest.raises(CaseError, match="in Python"):
        goes_on(tmp_path / "S")


def test_whole_numbers_are_one_value_however_they_are_written():
    case = load("desai_zwanzig_1d", SHORT)
    assert Plan(case, (Vary("time.end", (1,)),)).digest(0) == Plan(case, (Vary("time.end", (1.0,)),)).digest(0)
    with pytest.raises(CaseError, match="given twice"):
        vary(["time.end=1,1.0"], case, together=False)


def test_overwrite_does_runs_anew_where_they_have_folders(tmp_path):
    plan = plan_of("params.theta=1")
    file = tmp_path / "S" / "theta=1" / "output.h5"
    sweep(plan, tmp_path / "S", Kept(folders=True))
    before = file.stat().st_mtime_ns  # of the file; its number may be given again
    sweep(plan, tmp_path / "S", Kept(folders=True))
    assert file.stat().st_mtime_ns == before
    assert sweep(plan, tmp_path / "S", Kept(folders=True), overwrite=True).known == 0
    assert file.stat().st_mtime_ns != before


def test_a_share_that_begins_anew_keeps_what_the_others_have(tmp_path):
    plan, folder = plan_of("params.theta=0.5:1.5:4"), tmp_path / "S"
    for k in (1, 2):
        sweep(plan, folder, NO_FOLDERS, share=(k, 2))
    again = sweep(plan, folder, NO_FOLDERS, share=(1, 2), overwrite=True)
    assert (again.known, again.asked, again.finished) == (0, 2, 2)
    assert sweep(plan, folder, NO_FOLDERS).known == 4


def test_shares_hold_the_folder_together_and_a_sweep_holds_it_alone(tmp_path):
    with locked(tmp_path / "S", "1-of-2"):
        with locked(tmp_path / "S", "2-of-2"):
            pass
        for share in ("", "1-of-2"):
            with pytest.raises(CaseError, match="being written"), locked(tmp_path / "S", share):
                pass
    sweep(plan_of("params.theta=1"), tmp_path / "S", NO_FOLDERS)  # locks alone are nothing else than a sweep


def test_a_reference_that_has_changed_is_another(tmp_path):
    from wgfpde.runs.runner import run

    case, plan = load("desai_zwanzig_1d", SHORT), plan_of("params.theta=1")
    kept = Kept(folders=False, against=str(run(case, tmp_path / "R").folder / "output.h5"))
    assert [sweep(plan, tmp_path / "S", kept).known for _ in range(2)] == [0, 1]
    first = float(read_sweep(tmp_path / "S")["against_l1"][0])
    run(load("desai_zwanzig_1d", [*SHORT, "time.end=0.8"]), tmp_path / "R", True)
    assert sweep(plan, tmp_path / "S", kept).known == 0
    assert float(read_sweep(tmp_path / "S")["against_l1"][0]) != first


def test_one_run_with_an_unforeseen_fault_does_not_end_the_sweep(tmp_path, monkeypatch):
    from wgfpde.studies.sweep import one_run

    real = one_run.varied_case

    def faulty(case, values):
        if values["params.theta"] == 1:
            raise ZeroDivisionError("by another's function")
        return real(case, values)

    monkeypatch.setattr(one_run, "varied_case", faulty)
    found = sweep(plan_of("params.theta=0.5,1,1.5"), tmp_path / "S", NO_FOLDERS)
    assert (found.finished, found.failed) == (2, 1)
    assert list(found.failures.values()) == ["ZeroDivisionError: by another's function"]


# ---- names -----------------------------------------------------------------------------------------------------


def test_parameters_may_have_the_names_of_columns(tmp_path):
    keys = ("status", "steps", "run", "times", "snapshot", "energy", "mass_end")
    case = load("desai_zwanzig_1d", [*SHORT, *(f"params.{key}=1.0" for key in keys)])
    for zipped in (False, True):
        plan = Plan(case, tuple(Vary(f"params.{key}", (1.0,)) for key in keys), zipped)
        assert len(set(plan.names)) == len(keys) and plan.names[0] == "params_status"
        folder = tmp_path / f"S{zipped}"
        found = sweep(plan, folder, Kept(folders=False, density=True, series=("energy",)))
        assert found.finished == 1
        known = read_sweep(folder)
        assert known["status"].ravel().tolist() == ["finished"] and known["params_times"].tolist() == [1.0]


# ---- rows, sweep.json and sweep.h5 by another hand ------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"steps": 10**400}, {"steps": -1}, {"message": "\ud800"}, {"message": "a\0b"}, {"numbers": {"a/b": 1.0}},
        {"numbers": {"": 1.0}}, {"numbers": {"..": 1.0}}, {"series": {"a/b": [1.0]}}, {"numbers": {"e": 10**400}},
    ],
)  # fmt: skip
def test_a_row_by_another_hand_is_none(change):
    data = json.loads(Outcome("d", "finished").line)
    assert read_line(json.dumps(data).encode()) is not None
    assert read_line(json.dumps(data | change).encode()) is None


@pytest.mark.parametrize(
    "change",
    [
        {"numbers": {"theta": 1.0, "status": 2.0, "theta_end": 3.0, "x": 1.0, "energy": 0.5, "run": 1.0}},
        {"shape": [3], "rho": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
        {"series": {"theta": [1.0, 2.0], "energy": [1.0]}, "times": [0.0]},
        {"series": {"energy": [1.0] * 9}, "times": []},
    ],
)
def test_a_dataset_of_odd_rows_is_written(swept, tmp_path, change):
    folder = copied(swept, tmp_path / "S")
    lines = [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()]
    (folder / "rows.jsonl").write_text("".join(json.dumps(line | change) + "\n" for line in lines))
    from wgfpde.studies.sweep.dataset import write_dataset

    write_dataset(folder, read_known(folder).plan(), Journal(folder))
    assert read_sweep(folder)["status"].ravel().tolist() == ["finished"] * 2


def test_long_lines_are_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(journals, "LONGEST", 600)
    first, last = Outcome("a", "finished").line, Outcome("b", "finished").line
    (tmp_path / "rows.jsonl").write_bytes(first + b" " * 5000 + Outcome("c", "finished").line + last)
    journal = Journal(tmp_path)
    assert "a" in journal and "b" in journal and "c" not in journal and journal.read("b").digest == "b"


@pytest.mark.parametrize(
    "change",
    [
        {"vary": [["params.theta", []]]}, {"vary": []}, {"vary": [["a", [1]], ["a", [2]]]},
        {"vary": [["params.theta", [10**400]]]}, {"base": {"title": "\ud800"}}, {"base": {"title": "\0"}},
    ],
)  # fmt: skip
def test_a_sweep_by_another_hand_is_a_sentence(swept, tmp_path, capsys, change):
    folder = copied(swept, tmp_path / "S")
    (folder / "sweep.json").write_text(json.dumps(json.loads((folder / "sweep.json").read_text()) | change))
    for verb in (["resume"], ["watch", "--once"]):
        assert main([*verb, str(folder)]) == 2
        error = capsys.readouterr().err
        assert error.startswith("error: ") and error.count("\n") == 1


def test_a_figure_of_keys_that_are_no_dimensions_is_refused(swept, tmp_path):
    from wgfpde.output.plots.many_runs.sweep_figure import draw_sweep
    from wgfpde.store import read_study

    folder = copied(swept, tmp_path / "S")
    with h5py.File(folder / "sweep.h5", "r+") as file:
        file.attrs["keys"] = "params.theta"
    for field in ("energy", "rho"):
        with pytest.raises(CaseError, match="the file is damaged"):
            draw_sweep(read_study(folder / "sweep.h5"), tmp_path / "x.png", field)


@pytest.mark.parametrize("value", [1e308, -1.7e308, math.inf, math.nan])
def test_values_beyond_any_axis_are_shown_as_words(tmp_path, value):
    """Of a key of lines, and of one of a map: the places between its values would be infinite."""
    from wgfpde.output.plots.many_runs.sweep_figure import draw_sweep, keys_of
    from wgfpde.store import read_study

    for sweeps, shape in (("params.theta=0.5,1", (2,)), ("params.theta=0.5,1;time.end=0.1,0.2", (2, 2))):
        folder = tmp_path / str(len(shape))
        sweep(plan_of(*sweeps.split(";")), folder, Kept())
        with h5py.File(folder / "sweep.h5", "r+") as file:
            file["theta"][...] = 0.5, value
        study = read_study(folder / "sweep.h5")
        assert study["energy"].shape == shape and not keys_of(study)[0].numeric
        assert draw_sweep(study, folder / "x.png").stat().st_size > 1000


def test_values_of_a_run_are_found_or_a_sentence(tmp_path):
    tables = ({"method": "fv", "dt": 0.1}, {"method": "fv", "dt": 0.2})
    plan = Plan(load("heat_1d", ["time.end=0.4", "output.every=0.4"]), (Vary("solver", tables),))
    sweep(plan, tmp_path / "T", Kept(folders=True))
    tabled = read_sweep(tmp_path / "T")
    assert [float(tabled.run(solver=table).steps["dt"][0]) for table in tables] == [0.1, 0.2]
    sweep(plan_of("params.theta=0.5,1"), tmp_path / "S", Kept(folders=True))
    found = read_sweep(tmp_path / "S")
    assert found.run(theta=1).folder.name == "theta=1"
    for one, value in ((found, "x"), (found, math.nan)):
        with pytest.raises(CaseError, match="run: theta: expected a number"):
            one.run(theta=value)
    with pytest.raises(CaseError, match="run: solver: no run has"):
        tabled.run(solver="jko")


def test_a_dataset_that_does_not_fit_is_refused_before_the_first_run(tmp_path, monkeypatch):
    from wgfpde.base import amounts

    monkeypatch.setattr(amounts, "machine_memory", lambda: 1000)
    with pytest.raises(CaseError, match="the dataset of 2 runs takes about"):
        sweep(plan_of("params.theta=0.5,1"), tmp_path / "S", Kept(density=True))
    assert not (tmp_path / "S").exists()


def test_a_log_that_is_a_pipe_does_not_stop_who_looks(tmp_path):
    folder = tmp_path / "R"
    folder.mkdir()
    (folder / "resolved.toml").write_text("")
    os.mkfifo(folder / "run.log")
    assert watcher_of(folder)().status == "running"


# ---- the script of an array --------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["x\ntouch mine", "x\rtouch mine", "x\x85y"])
def test_a_script_has_no_lines_but_its_own(tmp_path, monkeypatch, capsys, text):
    monkeypatch.chdir(tmp_path)
    args = ["sweep", "desai_zwanzig_1d", "--vary", "params.theta=0.5,1", "--slurm"]
    assert main([*args, "--out", text]) == 2
    assert "line breaks" in capsys.readouterr().err and not (tmp_path / "sweep.slurm").exists()


def test_a_script_passes_on_what_was_said(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    args = ["sweep", "desai_zwanzig_1d", "--vary", "params.theta=0.5,1", "--slurm", "--yes", "--overwrite"]
    assert main(args) == 0
    text = (tmp_path / "sweep.slurm").read_text()
    assert "--overwrite --yes" in text and "resume runs/desai_zwanzig_1d-sweep --yes" in text


def test_a_share_costs_its_share():
    from wgfpde.studies.sweep.sweep_study import plan_cost

    plan = plan_of("params.theta=0.5:1.5:8")
    whole, part = plan_cost(plan, Kept(), 1), plan_cost(plan, Kept(), 1, (1, 4))
    assert (
        part.disk == pytest.approx(whole.disk / 4, rel=1e-12, abs=0)
        and part.formulas["initial.density"] < 0.3 * whole.formulas["initial.density"]
    )
