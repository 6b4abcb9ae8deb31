"""The run folder: one run at a time, other people's files stay, every file of text is whole."""

import errno
import fcntl
import os
import signal
import time
from contextlib import suppress

import h5py
import numpy as np
import pytest
from same_runs import assert_same, case_of, fork, in_child, stop_at, wait_until, with_events

import wgfpde.runs.folder as folder
from wgfpde.cli import main
from wgfpde.errors import CaseError, StoreError
from wgfpde.runs.runner import resume, run
from wgfpde.store import read

CASE = case_of()


@pytest.fixture
def stopped(tmp_path, monkeypatch):
    """The folder of a run that was stopped."""
    stop_at(monkeypatch, 12)
    run(CASE, tmp_path / "run")
    stop_at(monkeypatch, None)
    return tmp_path / "run"


def content(place):
    """All files of a folder, with what they hold."""
    return {path.relative_to(place): path.read_bytes() for path in place.rglob("*") if path.is_file()}


# ---- one run at a time -------------------------------------------------------------------------------------


@pytest.fixture
def going_on(tmp_path):
    """The folder of a run that another process is in the middle of, and that process."""
    place, go = tmp_path / "busy", tmp_path / "go"

    def child():
        def wait(following):
            (tmp_path / "there").write_text("")
            while not go.exists():
                time.sleep(0.005)

        with pytest.MonkeyPatch.context() as patch:
            with_events(patch, {12: wait})
            run(CASE, place)

    process = fork(child)
    wait_until((tmp_path / "there").exists, process)
    yield place, process, go
    go.write_text("")
    with suppress(ChildProcessError):  # a test may have seen its end
        os.waitpid(process, 0)


def test_the_second_run_is_refused(going_on, whole):
    """New, over it, or resumed; nothing of the first one is touched."""
    place, process, go = going_on
    before = content(place)
    attempts = [
        lambda: run(CASE, place, overwrite=True), lambda: resume(place), lambda: resume(place, until=9.0),
    ]  # fmt: skip
    for attempt in attempts:
        with pytest.raises(CaseError, match=rf"is being written by another run \(process {process}\); wait for it"):
            attempt()
    with pytest.raises(CaseError, match="holds a run already"):
        run(CASE, place)
    assert main(["resume", str(place), "--quiet"]) == 2
    assert content(place) == before
    assert read(place).status == "running"
    go.write_text("")
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0
    assert_same(place, whole)


def test_the_second_run_is_refused_before_the_first_has_its_file(tmp_path):
    place, ready, go = tmp_path / "run", tmp_path / "ready", tmp_path / "go"

    def child():
        with folder.fresh(place, {"case.toml": "first"}, False):
            ready.write_text("")
            while not go.exists():
                time.sleep(0.005)

    process = fork(child)
    wait_until(ready.exists, process)
    with pytest.raises(CaseError, match="is being written by another run"):
        run(CASE, place)
    assert (place / "case.toml").read_text() == "first"
    go.write_text("")
    os.waitpid(process, 0)
    assert run(CASE, place).status == "finished"


def test_the_lock_goes_with_the_process(going_on, whole):
    place, process, _ = going_on
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    assert resume(place).status == "finished"
    assert_same(place, whole)


def test_a_disk_without_locks_is_no_obstacle(tmp_path, monkeypatch):
    def flock(*args):
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(fcntl, "flock", flock)
    assert run(CASE, tmp_path / "run").status == "finished"


# ---- other people's files ----------------------------------------------------------------------------------


def test_what_is_not_of_a_run_stays(tmp_path, monkeypatch):
    """A folder of one's own, with names that a run would use; and with a run in it, overwritten."""
    place = tmp_path / "mine"
    (place / "checkpoint").mkdir(parents=True)
    mine = {"checkpoint/model.npz": b"weights", "checkpoint/notes": b"n", "thesis.tex": b"\\begin"}
    for name, text in mine.items():
        (place / name).write_bytes(text)
    stop_at(monkeypatch, 5)
    run(CASE, place)
    assert len(list((place / "checkpoint").iterdir())) == 3
    stop_at(monkeypatch, None)
    run(CASE, place, overwrite=True)
    assert all((place / name).read_bytes() == text for name, text in mine.items())


@pytest.mark.parametrize("name", ["case.toml", "resolved.toml"])
def test_texts_that_are_not_of_a_run_are_not_replaced(name, tmp_path):
    (tmp_path / name).write_text("precious = 1\n")
    with pytest.raises(CaseError, match=rf"{name} is not of a run and would be replaced"):
        run(CASE, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [name] and (tmp_path / name).read_text() == "precious = 1\n"


def test_in_the_folder_of_its_own_case(tmp_path, monkeypatch):
    (tmp_path / "case.toml").write_text(CASE.text)
    monkeypatch.chdir(tmp_path)
    assert main(["run", "case.toml", "--out", ".", "--quiet"]) == 0
    assert (tmp_path / "case.toml").read_text() == CASE.text and read(tmp_path).status == "finished"
    assert main(["run", "case.toml", "--out", ".", "--quiet"]) == 2
    assert main(["run", "case.toml", "--out", ".", "--quiet", "--overwrite"]) == 0


def test_overwriting_leaves_nothing_of_the_old_run(stopped, whole, monkeypatch):
    (stopped / "output.h5.part").write_bytes(b"x")
    (stopped / "checkpoint" / "new.part").write_bytes(b"x")
    assert len(list((stopped / "checkpoint").glob("*.npz"))) == 1
    run(CASE, stopped, overwrite=True)
    assert "12 steps" not in (stopped / "run.log").read_text() and "28 steps" in (stopped / "run.log").read_text()
    assert_same(stopped, whole)
    assert [p.name for p in (stopped / "checkpoint").iterdir()] == ["000000000028.npz"]


# ---- what is no run ----------------------------------------------------------------------------------------


def test_what_cannot_be_resumed(stopped, tmp_path):
    with pytest.raises(CaseError, match=r"is no run folder: expected output\.h5"):
        resume(tmp_path)
    with pytest.raises(CaseError, match=r"nowhere is no run folder"):
        resume(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists() and not (tmp_path / "run.log").exists()
    file = stopped / "output.h5"
    with h5py.File(file, "r+") as opened:
        opened.attrs["format"], opened.attrs["wgfpde_version"] = 99, "7.8.9"
    with pytest.raises(StoreError, match=r"output\.h5 has format 99, written by wgfpde 7\.8\.9.*Update wgfpde"):
        resume(stopped)
    before = content(stopped / "checkpoint")
    file.write_bytes(b"not HDF5")
    with pytest.raises(StoreError, match=r"output\.h5 is no HDF5 file"):
        resume(stopped)
    file.unlink()
    with h5py.File(file, "w") as opened:
        opened["other"] = np.arange(3)
    with pytest.raises(StoreError, match=r"is an HDF5 file but no wgfpde run"):
        resume(stopped)
    assert content(stopped / "checkpoint") == before and "other" in h5py.File(file)


def test_the_file_gone_the_run_starts_again(stopped, whole):
    """From the texts beside; the checkpoints of the lost file are of no use."""
    (stopped / "output.h5").unlink()
    assert resume(stopped).status == "finished"
    assert_same(stopped, whole, but=["sources_json"])


# ---- texts and the log -------------------------------------------------------------------------------------


def test_a_log_on_a_full_disk_stops_nothing(stopped, whole):
    (stopped / "run.log").unlink()
    (stopped / "run.log").symlink_to("/dev/full")
    assert resume(stopped).status == "finished"
    assert_same(stopped, whole)


def test_texts_are_replaced_whole_or_not_at_all(stopped, monkeypatch):
    """A full disk or a kill does not leave half a case; the run goes on afterwards."""
    before = {name: (stopped / name).read_text() for name in ("case.toml", "resolved.toml")}

    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch, pytest.raises(StoreError, match=r"cannot write to .*: No space left on"):
        patch.setattr(folder.os, "replace", full)
        folder.write_texts(stopped, {"resolved.toml": "new"})
    assert {name: (stopped / name).read_text() for name in before} == before
    assert not list(stopped.glob("*.part"))

    def child():
        folder.os.replace = lambda *args: os.kill(os.getpid(), signal.SIGKILL)
        folder.write_texts(stopped, {"resolved.toml": "new"})

    assert in_child(child) == -signal.SIGKILL
    assert {name: (stopped / name).read_text() for name in before} == before
    assert resume(stopped).status == "finished"


def test_the_log_tells_the_whole_story(stopped):
    with pytest.raises(CaseError):
        resume(stopped, until=0.1)
    resume(stopped)
    log = (stopped / "run.log").read_text()
    story = [
        "from the start",
        "interrupted after 11 steps",
        "stopped by CaseError",
        "from t = 0.157",
        "finished after 28",
    ]
    assert [log.find(part) for part in story] == sorted(log.find(part) for part in story) and -1 not in map(
        log.find, story
    )
    assert log.count("wgfpde ") >= 2 and log.count(f"process {os.getpid()}") == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="the administrator may write anywhere")
def test_a_folder_that_is_not_ours(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match=r"cannot write to .*Choose a writable folder"):
        run(CASE, tmp_path / "run")
    tmp_path.chmod(0o700)
