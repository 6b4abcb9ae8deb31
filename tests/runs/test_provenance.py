"""Where a run comes from is in its file, and a run whose data has changed is not taken for the same."""

import hashlib
import json
import os
import platform
import shutil
import sys

import h5py
import numpy as np
import pytest
from same_runs import assert_same, contents, stop_at

import wgfpde as wgf
from wgfpde import __version__
from wgfpde.cases.loading import load
from wgfpde.cli import main
from wgfpde.errors import CaseError
from wgfpde.runs.provenance import checksum, command
from wgfpde.runs.runner import resume, run
from wgfpde.store import read

CASE = """
title = "From data"
[grid]
shape = [24]
lower = [-1]
upper = [1]
[energy]
internal = { kind = "entropy" }
potential = "x**2"
[initial]
file = "rho.npy"
mass = 1.0
[solver]
method = "fv"
dt = 0.05
[time]
end = 0.4
[output]
every = 0.1
"""


@pytest.fixture
def case(tmp_path, monkeypatch):
    """A case file beside its data file, in the folder of work."""
    monkeypatch.chdir(tmp_path)
    np.save("rho.npy", 1.0 + np.arange(24.0))
    (tmp_path / "case.toml").write_text(CASE)
    return load("case.toml")


# ---- what is recorded --------------------------------------------------------------------------------------


def test_the_attributes(case, tmp_path, monkeypatch):
    monkeypatch.setenv("WGFPDE_NUM_THREADS", "3")
    run(case, "out")
    found = read("out").attributes
    assert found["source"] == f"wgfpde {__version__}" and found["wgfpde_version"] == __version__
    assert found["python"] == platform.python_version() and found["platform"] == platform.platform()
    assert found["threads"] == 3 and found["processors"] == os.cpu_count()
    for library in ("numpy", "scipy", "numba", "h5py", "ducc0"):
        assert f"{library} " in found["libraries"]
    assert f"numpy {np.__version__}" in found["libraries"]
    assert found["seed"] == "none: this method draws nothing" and found["resumed"] == 0 and found["made_in"] == "case"
    assert 0 < found["wall_seconds"] < 600 and 0 < found["cpu_seconds"] < 600 and found["compile_seconds"] >= 0
    assert found["created"].endswith("+00:00")
    digest = hashlib.sha256((tmp_path / "rho.npy").read_bytes()).hexdigest()
    assert json.loads(found["data_files"]) == {str(tmp_path / "rho.npy"): digest}


def test_the_command_as_it_was_typed(case, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/some/where/bin/wgfpde", "run", "case.toml", "--set", "title=a b"])
    assert command(sys.argv) == "wgfpde run case.toml --set 'title=a b'"
    main(["run", "case.toml", "--out", "out", "--quiet"])
    assert read("out").attributes["command"] == "wgfpde run case.toml --set 'title=a b'"
    assert command([]) == command([""]) == "python"


def test_the_times_of_all_parts_are_added(case, monkeypatch):
    stop_at(monkeypatch, 4)
    run(case, "out")
    with h5py.File("out/output.h5", "r+") as file:
        file.attrs.update({"wall_seconds": 100.0, "cpu_seconds": 200.0})  # a slow disk at its end
    before = read("out").attributes
    stop_at(monkeypatch, None)
    monkeypatch.setattr(sys, "argv", ["wgfpde", "resume", "out"])
    resume("out")
    after = read("out").attributes
    assert 100 < after["wall_seconds"] < 200 < after["cpu_seconds"] < 300
    assert after["created"] == before["created"] and after["resumed"] == 1
    assert after["command"] == f"{before['command']}; wgfpde resume out"
    assert after["data_files"] == before["data_files"] and after["libraries"] == before["libraries"]


def test_what_another_machine_did_is_told_apart(case, monkeypatch):
    stop_at(monkeypatch, 4)
    run(case, "out")
    stop_at(monkeypatch, None)
    monkeypatch.setattr(platform, "platform", lambda: "Another-1.0")
    resume("out")
    assert read("out").attributes["platform"].endswith("; Another-1.0")
    assert "; " not in read("out").attributes["python"]


def test_checksums(tmp_path, case):
    assert checksum(tmp_path / "nothing") == ""
    (tmp_path / "empty").write_bytes(b"")
    assert checksum(tmp_path / "empty") == hashlib.sha256(b"").hexdigest()
    run(case, "out")
    assert checksum(tmp_path / "out") == checksum(tmp_path / "out" / "output.h5") != ""


# ---- repeating a run ---------------------------------------------------------------------------------------


def test_the_file_is_enough_to_repeat_the_run(case, tmp_path, monkeypatch):
    """`wgfpde run runs/a/output.h5 --out b`, elsewhere, without case file; then without data file as well."""
    run(case, "a")
    (tmp_path / "case.toml").unlink()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert main(["run", "../a/output.h5", "--out", "../b", "--quiet"]) == 0
    (tmp_path / "rho.npy").unlink()
    assert main(["run", "../b/output.h5", "--out", "../c", "--quiet"]) == 0
    for name in ("b", "c"):
        assert_same(tmp_path / name, tmp_path / "a")
    assert main(["run", "../a/output.h5", "--out", "../d", "--set", "time.end=0.2", "--quiet"]) == 0
    assert read(tmp_path / "d").t[-1] == 0.2
    assert read(tmp_path / "d").sources["time.end"] == "command line"
    assert read(tmp_path / "d").sources["solver.order"] == "default"


def test_changed_data_is_refused_by_name(case, monkeypatch):
    stop_at(monkeypatch, 4)
    run(case, "a")
    stop_at(monkeypatch, None)
    before = contents(read("a").path)
    np.save("rho.npy", 2.0 + np.arange(24.0))
    with pytest.raises(CaseError, match=r"a/output\.h5 read .*rho\.npy, which has changed since .*restore that file"):
        run(load("a/output.h5"), "b")
    assert main(["resume", "a", "--quiet"]) == 2
    assert contents(read("a").path) == before
    np.save("rho.npy", 1.0 + np.arange(24.0))
    assert resume("a").status == "finished"


def test_missing_data_is_in_the_first_snapshot(case, tmp_path, monkeypatch):
    """A stopped run goes on, and one stopped before its first step."""
    run(case, "whole")
    for at in (1, 4):
        stop_at(monkeypatch, at)
        run(case, f"at{at}")
    stop_at(monkeypatch, None)
    (tmp_path / "rho.npy").unlink()
    for at in (1, 4):
        resume(f"at{at}")
        assert_same(tmp_path / f"at{at}", tmp_path / "whole")


def test_missing_data_that_the_file_does_not_hold_is_named(tmp_path, monkeypatch, case):
    """Single precision is not the start; and another mass or grid is not that of the snapshot."""
    run(load("case.toml", ["output.precision='float32'"]), "rough")
    run(case, "fine")
    (tmp_path / "rho.npy").unlink()
    with pytest.raises(CaseError, match=r"rho\.npy does not exist"):
        run(load("rough/output.h5"), "b")
    with pytest.raises(CaseError, match=r"grid\.shape|rho\.npy"):
        run(load("fine/output.h5", ["grid.shape=[12]"]), "c")
    run(load("fine/output.h5", ["initial.mass=2.0"]), "d")
    assert read("d").diagnostics["mass"][0] == pytest.approx(2.0, rel=1e-14, abs=0)
    assert not (tmp_path / "b").exists() and not (tmp_path / "c").exists()


def coded(strength, start=lambda x: 1.0 + x**2):
    """A case put together in Python, as a script would."""
    energy = wgf.Energy(wgf.Internal("entropy"), potential=lambda x: strength * x**2, interaction=lambda x: 0.5 * x**2)
    return wgf.problem(wgf.Grid([-1.0], [1.0], [24]), energy, start, 0.4, every=0.1, solver={"dt": 0.05})


def test_a_run_made_in_python_goes_on_by_its_file_or_its_script(tmp_path, monkeypatch):
    """The same functions; others on the same line of the same script, or another array, are told apart."""
    run(coded(1.0), tmp_path / "whole")
    stop_at(monkeypatch, 4)
    run(coded(1.0), tmp_path / "parts")
    stop_at(monkeypatch, None)
    assert read(tmp_path / "parts").attributes["made_in"] == "python"
    shutil.copytree(tmp_path / "parts", tmp_path / "alone")
    resume(tmp_path / "alone")
    assert np.array_equal(np.asarray(read(tmp_path / "alone").rho), np.asarray(read(tmp_path / "whole").rho))
    for other in (coded(2.0), coded(1.0, start=np.ones(24)), coded(1.0, start=lambda x: 1.0 + x**4)):
        with pytest.raises(CaseError, match="of another case"):
            resume(tmp_path / "parts", case=other)
    resume(tmp_path / "parts", case=coded(1.0))
    assert_same(tmp_path / "parts", tmp_path / "whole")
