"""Sweeps that run: by processes and in this one, resumed, interrupted, damaged; what is kept of each run."""

import csv
import json
import math
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import xarray as xr

from wgfpde.cases.building import build
from wgfpde.cases.loading import load
from wgfpde.cases.varying import vary
from wgfpde.cli import main
from wgfpde.errors import CaseError, StoreError
from wgfpde.grid import Grid
from wgfpde.runs.interrupts import Interrupts
from wgfpde.runs.runner import run
from wgfpde.runs.unstored import march_unstored
from wgfpde.store import read
from wgfpde.studies.sweep import Kept, Plan, goes_on, sweep
from wgfpde.studies.sweep.against import Reference
from wgfpde.studies.sweep.dataset import _harmless
from wgfpde.studies.sweep.engines.process_pool import ProcessPool
from wgfpde.studies.sweep.journal import Appender, Journal
from wgfpde.studies.sweep.outcome import Outcome, read_line
from wgfpde.studies.sweep.reading import read_sweep

SHORT = ["grid.shape=[24]", "time.end=0.4", "output.every=0.2", "solver.tolerance=1e-3"]
CASE = "desai_zwanzig_1d"


def plan_of(*items, zipped=False, overrides=()):
    case = load(CASE, [*SHORT, *overrides])
    return Plan(case, tuple(vary(items, case, together=zipped)), zipped)


def row(outcomes, digest):
    return outcomes.read(digest)


# ---- what is kept of a run -----------------------------------------------------------------------------------


def test_a_run_without_a_folder_has_the_bits_of_one_with(tmp_path):
    case = load(CASE, SHORT)
    with Interrupts() as interrupts:
        found = march_unstored(build(case), interrupts)
    run(case, tmp_path / "run")
    stored = read(tmp_path / "run")
    assert found.status == "finished" and found.kept.t == stored.t.tolist()
    assert found.kept.step_count == len(stored.steps["t"])
    assert np.array_equal(found.kept.rho, stored.rho[-1])
    for name, values in stored.diagnostics.items():
        assert np.array_equal(found.kept.diagnostics[name], values, equal_nan=True), name


def test_an_outcome_reads_back_bit_for_bit():
    rho = np.random.default_rng(1).random((3, 5))
    numbers = {"energy": 0.1 + 0.2, "gap": math.nan, "most": math.inf, "tiny": 5e-324}
    outcome = Outcome(
        "d", "finished", "a\nb", "", 7, 0.3, 1 / 3, numbers, "theta=1", (0.0, 1 / 3), {"energy": [1e-3]}, rho
    )
    found = read_line(outcome.line)
    assert outcome.line.count(b"\n") == 1 and found.message == "a b"
    assert list(map(repr, found.numbers.values())) == list(map(repr, numbers.values()))
    assert found.t == outcome.t and found.times == outcome.times and found.series == outcome.series
    assert found.rho.tobytes() == rho.tobytes() and found.rho.shape == rho.shape


@pytest.mark.parametrize(
    "change",
    [
        {"folder": "../x"}, {"folder": "/etc"}, {"status": "running"}, {"digest": 3}, {"numbers": [1]},
        {"numbers": {"e": "x"}}, {"rho": "!!!", "shape": [1]}, {"rho": "AAAA", "shape": [1]}, {"steps": 1e999},
    ],
)  # fmt: skip
def test_a_line_by_another_hand_is_none(change):
    data = json.loads(Outcome("d", "finished").line) | change
    assert read_line(json.dumps(data).encode()) is None


def test_a_torn_line_is_none_and_the_next_one_begins_anew(tmp_path):
    first, second = Outcome("a", "finished", steps=1), Outcome("b", "failed", "why")
    with Appender(tmp_path / "rows.jsonl") as rows:
        rows.append(first)
    with (tmp_path / "rows.jsonl").open("ab") as file:
        file.write(second.line[:20])
    assert "b" not in Journal(tmp_path)
    with Appender(tmp_path / "rows.jsonl") as rows:
        where = rows.append(second)
    journal = Journal(tmp_path)
    assert len(journal) == 2 and journal.get("b") == where
    assert journal.read("a").steps == 1 and journal.read("b").message == "why" and journal.read("c") is None


# ---- a whole sweep ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """Four runs by two processes, with all that may be kept."""
    folder = tmp_path_factory.mktemp("sweep") / "S"
    plan = plan_of("params.theta=0.5,1", "energy.internal.kappa=0.3,0.4")
    found = sweep(plan, folder, Kept(series=("energy",), density=True), ProcessPool(2))
    return plan, folder, found


def test_the_numbers_are_those_of_the_runs_alone(swept, tmp_path):
    plan, folder, found = swept
    assert (found.finished, found.failed, found.known) == (4, 0, 0)
    with xr.open_dataset(found.file, engine="h5netcdf") as data:
        assert dict(data.sizes) == {"theta": 2, "kappa": 2, "snapshot": 3, "x": 24}
        alone = read(run(plan.case_of(2), tmp_path / "alone").folder)
        there = data.sel(theta=1.0, kappa=0.3)
        assert float(there.energy) == alone.diagnostics["energy"][-1]
        assert np.array_equal(there.energy_series, alone.diagnostics["energy"])
        assert np.array_equal(there.times, alone.t) and np.array_equal(there.rho, alone.rho[-1])
        assert np.array_equal(data.x, alone.centers[0])
        assert str(there.status.values) == "finished" and int(there.steps) == len(alone.steps["t"])
    assert (folder / "theta=1,kappa=0.3" / "output.h5").is_file()


def test_the_table_holds_the_same_rows(swept):
    plan, folder, _found = swept
    with (folder / "sweep.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    study = read_sweep(folder)
    assert [(float(r["theta"]), float(r["kappa"])) for r in rows] == [tuple(plan.values(k).values()) for k in range(4)]
    assert [float(r["energy"]) for r in rows] == study["energy"].ravel().tolist()


def test_what_is_done_is_not_done_again(swept):
    _plan, folder, _found = swept
    before = {file: file.stat().st_mtime_ns for file in folder.glob("*/output.h5")}
    again = goes_on(folder)
    assert (again.finished, again.known) == (4, 4)
    assert before == {file: file.stat().st_mtime_ns for file in folder.glob("*/output.h5")}


def test_further_values_are_added(swept, tmp_path):
    import shutil

    _plan, folder, _found = swept
    shutil.copytree(folder, tmp_path / "S")
    wider = plan_of("params.theta=0.5,1,2", "energy.internal.kappa=0.4")
    more = sweep(wider, tmp_path / "S", Kept())
    assert (more.finished, more.known, more.plan.count) == (3, 2, 3)


def test_a_sweep_on_disk_gives_its_runs(swept):
    _plan, folder, _found = swept
    known = read_sweep(folder)
    assert known.run(theta=1, kappa=0.4).diagnostics["energy"][-1] == known["energy"][1, 1]
    assert known.run(kappa=0.39, theta=0.51).folder.name == "theta=0.5,kappa=0.4"
    with pytest.raises(CaseError, match="expected theta, kappa"):
        known.run(theta=1)
    assert dict(known.to_xarray().sizes)["theta"] == 2


def test_another_sweep_and_other_files_are_kept(swept, tmp_path):
    _plan, folder, _found = swept
    with pytest.raises(CaseError, match=r"holds another sweep: its time\.end is 0\.4, not 0\.6"):
        sweep(plan_of("params.theta=0.5,1", "energy.internal.kappa=0.3", overrides=["time.end=0.6"]), folder, Kept())
    with pytest.raises(CaseError, match=r"it varies params\.theta, energy\.internal\.kappa, not params\.theta"):
        sweep(plan_of("params.theta=0.5,1"), folder, Kept())
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(CaseError, match="something else than a sweep"):
        sweep(plan_of("params.theta=0.5,1"), tmp_path, Kept())


def test_overwrite_does_not_take_runs_of_another_case(tmp_path):
    first = sweep(plan_of("params.theta=0.5"), tmp_path / "S", Kept())
    energy = read_sweep(tmp_path / "S")["energy"][0]
    second = sweep(plan_of("params.theta=0.5", overrides=["time.end=0.6"]), tmp_path / "S", Kept(), overwrite=True)
    assert first.finished == second.finished == 1 and second.known == 0
    assert read_sweep(tmp_path / "S")["energy"][0] < energy and read_sweep(tmp_path / "S")["t_end"][0] == 0.6


def test_without_folders_the_rows_are_the_same(swept, tmp_path):
    plan, folder, _found = swept
    sweep(plan, tmp_path / "S", Kept(folders=False, density=True))
    a, b = read_sweep(folder), read_sweep(tmp_path / "S")
    for name in ("energy", "mass", "variance_x", "rho", "steps"):
        assert np.array_equal(a[name], b[name]), name
    assert not list((tmp_path / "S").glob("*/"))
    with pytest.raises(StoreError, match="left no folder"):
        b.run(theta=1, kappa=0.3)


def test_what_fails_is_kept_apart_with_its_sentence(tmp_path):
    plan = plan_of("initial.density=exp(-x**2),0*x,exp(-x**4)")
    found = sweep(plan, tmp_path / "S", Kept(), ProcessPool(2))
    assert (found.finished, found.failed) == (2, 1)
    (text,) = found.failures.values()
    assert "density" in text or "mass" in text
    known = read_sweep(tmp_path / "S")
    assert np.isnan(known["energy"][1]) and known["status"].tolist() == ["finished", "failed", "finished"]
    assert known["message"][1] == text


def test_a_value_that_makes_no_case_is_refused_before_anything_is_run(tmp_path):
    with pytest.raises(CaseError, match="kappa"):
        sweep(plan_of("energy.internal.kappa=0.3,-1"), tmp_path / "S", Kept())
    with pytest.raises(CaseError, match="did you mean energy"):
        sweep(plan_of("params.theta=1"), tmp_path / "S", Kept(series=("enrgy",)))
    assert not (tmp_path / "S").exists()


def test_shares_of_an_array_make_one_sweep(tmp_path):
    plan = plan_of("params.theta=0.5:1.5:5")
    for k in (1, 2):
        part = sweep(plan, tmp_path / "S", Kept(folders=False), share=(k, 2))
        assert part.file is None
    whole = goes_on(tmp_path / "S")
    assert (whole.known, whole.finished) == (5, 5)
    assert {f.name for f in (tmp_path / "S").glob("rows-*")} == {"rows-1-of-2.jsonl", "rows-2-of-2.jsonl"}


# ---- against a reference -------------------------------------------------------------------------------------


def test_numbers_against_a_reference_are_those_of_two_gaussians():
    grid, other = Grid([-8.0], [8.0], [1600]), Grid([-8.0], [8.0], [800])
    gauss = lambda x, m, s: np.exp(-((x - m) ** 2) / (2 * s * s)) / (s * math.sqrt(2 * math.pi))  # noqa: E731
    a, b = gauss(grid.x.centers, 0.5, 0.8), gauss(other.x.centers, 0.0, 1.0)
    found = Reference(other, b).numbers(grid, a)
    kl = math.log(1 / 0.8) + (0.8**2 + 0.5**2) / 2 - 0.5
    assert found["against_kl"] == pytest.approx(kl, rel=1e-3, abs=0)
    assert found["against_w2"] == pytest.approx(math.hypot(0.5, 0.2), rel=1e-3, abs=0)
    both = Reference(other, b).numbers(other, gauss(other.x.centers, 0.5, 0.8))
    assert found["against_l1"] == pytest.approx(both["against_l1"], rel=1e-3, abs=0) and 0.3 < found["against_l1"] < 1


def test_a_reference_in_the_plane_and_one_of_another_dimension():
    grid = Grid([0.0, 0.0], [2.0, 1.0], [4, 2])
    rho = np.arange(8.0).reshape(2, 4) / 14
    found = Reference(grid, rho).numbers(grid, rho[:, ::-1])
    assert found["against_l1"] == pytest.approx(float(np.sum(np.abs(rho - rho[:, ::-1]))) * 0.25, rel=1e-14, abs=0)
    assert found["against_kl"] == math.inf
    with pytest.raises(CaseError, match="cannot be compared"):
        Reference(grid, rho).numbers(Grid([0.0], [1.0], [4]), np.ones(4))


# ---- signals and kills -------------------------------------------------------------------------------------------


def started(folder, *more):
    """A sweep by two processes as a process of its own."""
    args = [sys.executable, "-m", "wgfpde", "sweep", CASE, "--vary", "params.theta=0.5:1.5:40", "--out", str(folder)]
    args += ["--set", "time.end=4", "--set", "grid.shape=[64]", "--workers", "2", "--quiet", "--no-folders", *more]
    return subprocess.Popen(args, stderr=subprocess.PIPE, text=True, start_new_session=True)


def until_rows(process, folder, count):
    end = time.monotonic() + 120
    while time.monotonic() < end and process.poll() is None:
        if len(Journal(folder)) >= count:
            return
        time.sleep(0.02)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_sweep_goes_on(tmp_path, how):
    folder = tmp_path / "S"
    process = started(folder)
    until_rows(process, folder, 3)
    if how == signal.SIGINT:
        os.killpg(process.pid, how)  # as a terminal does
    else:
        process.kill()
    text = process.communicate(timeout=60)[1]
    done = len(Journal(folder))
    assert 3 <= done < 40
    if how == signal.SIGINT:
        assert process.returncode == 130 and "Go on with: wgfpde resume" in text and "Traceback" not in text
        assert read_sweep(folder)["status"].tolist().count("finished") == done
    found = goes_on(folder)
    assert found.finished == 40 and found.known >= done


def test_a_worker_that_is_killed_loses_no_run(tmp_path):
    folder = tmp_path / "S"
    plan = plan_of("params.theta=0.5:1.5:12", overrides=["time.end=4", "grid.shape=[64]"])
    killed = []

    class Killer:
        def begun(self, *_):
            pass

        def working(self, *_):
            pass

        def done(self, task, outcome):
            if not killed:
                import multiprocessing

                killed.append(multiprocessing.active_children()[0].pid)
                os.kill(killed[0], signal.SIGKILL)

    found = sweep(plan, folder, Kept(folders=False), ProcessPool(2), watcher=Killer())
    assert killed and (found.finished, found.failed) == (12, 0)


# ---- as typed ------------------------------------------------------------------------------------------------------


def test_as_typed(tmp_path, capsys):
    folder = tmp_path / "S"
    args = ["sweep", CASE, *(part for text in SHORT for part in ("--set", text)), "--vary", "params.theta=0.5,1"]
    assert main([*args, "--out", str(folder), "--workers", "1", "--quiet", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["finished"] == 2 and record["keys"] == {"params.theta": [0.5, 1]}
    assert main(["resume", str(folder), "--quiet"]) == 0
    assert "2 of 2 runs, 2 of them before" in capsys.readouterr().out
    assert main(["resume", str(folder), "--until", "3"]) == 2
    assert "--until" in capsys.readouterr().err
    assert main([*args, "--out", str(folder), "--array", "3/2"]) == 2
    assert "K from 1 to N" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"kind": "wgfpde sweep"}',
        '{"kind": "wgfpde sweep", "case": 1, "kept": 2, "vary": 3}',
        "\0",
        "[" * 9999,
    ],
)
def test_a_damaged_sweep_is_a_sentence(tmp_path, capsys, text):
    (tmp_path / "sweep.json").write_text(text)
    assert main(["resume", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1


def test_cells_of_the_table_are_no_formulas():
    assert [_harmless(text) for text in ("=1+1", "@x", "-x**2", "-1.5e3", "fv", "")] == [
        "'=1+1",
        "'@x",
        "'-x**2",
        "-1.5e3",
        "fv",
        "",
    ]
