"""Checkpoints are whole or not there: damage, full disks, and a death while one is being written."""

import json
import os
import resource
import shutil
import signal
import zipfile
from collections import namedtuple
from dataclasses import asdict

import h5py
import numpy as np
import pytest
from same_runs import ATTRACT, assert_same, case_of, in_child, stop_at, with_events

import wgfpde.store.book as book
import wgfpde.store.checkpoint as checkpoint
from wgfpde.energy.snapshot import Report, Snapshot
from wgfpde.errors import StoreError
from wgfpde.runs import time_loop
from wgfpde.runs.runner import resume, run
from wgfpde.store import Writer, read
from wgfpde.store.checkpoint import Checkpoint, checkpoints, save

CASE = case_of(solver={"method": "fv", "dt": "adaptive", "tolerance": 1e-5}, **ATTRACT)
OFTEN = case_of(solver=CASE.solver.model_dump(exclude_none=True), output={"every": 0.1, "checkpoint": 1e-9}, **ATTRACT)
"""With a checkpoint after every step."""
OFTEN_BUT = ("resolved_toml", "case_toml", "sources_json")
"""Texts in which it differs from the other."""


def state(step=7, **other):
    rng = np.random.default_rng(step)
    fields = {"rho": rng.random((5, 4)), "phi": np.asfortranarray(rng.random((5, 4))), "rate": rng.random((1, 20))}
    report = Report(iterations=3, residual=np.float64(1e-300), note="shortened “here”", primal=-np.inf)
    snapshot = Snapshot(0.1 + 0.2, step, fields, dt=np.nextafter(0.1, 1), dt_next=5e-324, report=report)
    values = {"previous": rng.random((5, 4)), "previous_t": -0.0, "rows": 3, "step_rows": step, "digest": "abc"}
    return Checkpoint(snapshot, **values | other)


def same(a, b):
    """Whether two checkpoints are of the same state, to the last bit."""
    fields = a.snapshot.fields.keys() == b.snapshot.fields.keys() and all(
        same_array(values, b.snapshot.fields[name]) for name, values in a.snapshot.fields.items()
    )
    none = a.previous is None or b.previous is None
    previous = a.previous is b.previous if none else same_array(a.previous, b.previous)
    rest = ("previous_t", "rows", "step_rows", "digest", "wall", "cpu")
    numbers = all(repr(getattr(a, name)) == repr(getattr(b, name)) for name in rest)
    s, t = a.snapshot, b.snapshot
    step = [float(x).hex() for x in (s.t, s.dt, s.dt_next)] == [float(x).hex() for x in (t.t, t.dt, t.dt_next)]
    return fields and previous and numbers and step and s.step == t.step and plain(s.report) == plain(t.report)


def plain(report):
    """What a report says; NaN is equal to NaN here."""
    values = asdict(report)
    values |= values.pop("more")
    return {name: value if isinstance(value, str) else repr(float(value)) for name, value in values.items()}


def same_array(a, b):
    return (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())


def names(folder):
    return sorted(path.name for path in (folder / "checkpoint").glob("*"))


def steps(folder):
    return [found.snapshot.step for found in checkpoints(folder)]


# ---- one checkpoint ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("previous", [None, np.arange(20.0).reshape(5, 4)], ids=["first", "later"])
def test_every_bit_comes_back(tmp_path, previous):
    """Signs of zeros, NaN, infinity, the smallest numbers, and the order of arrays in memory."""
    put = state(previous=previous, wall=1.5)
    path = save(tmp_path, put)
    (found,) = checkpoints(tmp_path)
    assert same(found, put)
    assert found.snapshot.fields["phi"].flags.f_contiguous and np.isnan(found.snapshot.report.gap)
    assert [p.name for p in tmp_path.rglob("*.*")] == [path.name]


def test_the_two_latest_are_kept(tmp_path):
    for step in (9, 10, 99, 1000):
        save(tmp_path, state(step))
    assert steps(tmp_path) == [1000, 99]
    assert [found.rows for found in checkpoints(tmp_path)] == [3, 3]
    save(tmp_path, state(1000, rows=4))  # the same step, with one more snapshot in the file
    assert steps(tmp_path) == [1000, 99] and next(checkpoints(tmp_path)).rows == 4


def test_no_damage_is_taken_for_a_state(tmp_path):
    """A bit turned round anywhere: it is passed over, or makes no difference; the older one is there."""
    older, newer = state(7), state(8)
    save(tmp_path, older)
    path = save(tmp_path, newer)
    content = path.read_bytes()
    rng = np.random.default_rng(3)
    ends = rng.choice(700, 250, replace=False) + len(content) - 700  # the table of contents
    places = [*rng.choice(len(content) - 700, 150, replace=False), *ends]
    passed = 0
    for place in places:
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        found = next(checkpoints(tmp_path))
        assert same(found, newer) or same(found, older), f"byte {place} of {len(content)}"
        passed += found.snapshot.step == 7
    assert passed > 200
    for length in (0, 1, 30, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        assert steps(tmp_path) == [7]


def test_a_newer_one_is_refused(tmp_path, monkeypatch):
    save(tmp_path, state(3))
    monkeypatch.setattr(checkpoint, "FORMAT", 99)
    monkeypatch.setattr(checkpoint, "__version__", "7.8.9")
    path = save(tmp_path, state(4))
    monkeypatch.undo()
    with pytest.raises(StoreError, match=r"checkpoint/0*4\.npz has format 99, written by wgfpde 7\.8\.9.*Update"):
        list(checkpoints(tmp_path))
    with zipfile.ZipFile(path) as archive:
        assert "state.npy" in archive.namelist()


def test_what_it_holds_is_readable_without_this_package(tmp_path):
    with np.load(save(tmp_path, state(4)), allow_pickle=False) as archive:
        assert json.loads(str(archive["state"]))["t"] == 0.1 + 0.2


# ---- runs whose checkpoints are damaged --------------------------------------------------------------------


def damage(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_the_older_one_is_taken(whole, tmp_path, monkeypatch):
    stop_at(monkeypatch, 20)
    run(OFTEN, tmp_path / "run")
    assert steps(tmp_path / "run") == [19, 18]
    damage(max((tmp_path / "run" / "checkpoint").iterdir()))
    assert steps(tmp_path / "run") == [18]
    stop_at(monkeypatch, None)
    resume(tmp_path / "run")
    assert_same(tmp_path / "run", whole, OFTEN_BUT)
    assert len(steps(tmp_path / "run")) == 2


def test_without_a_whole_one_it_starts_again_and_can_be_stopped_again(whole, tmp_path, monkeypatch):
    stop_at(monkeypatch, 20)
    run(OFTEN, tmp_path / "run")
    for path in (tmp_path / "run" / "checkpoint").iterdir():
        path.write_bytes(path.read_bytes()[:-1])
    stop_at(monkeypatch, 10)
    assert resume(tmp_path / "run").status == "interrupted"
    assert steps(tmp_path / "run") == [9, 8], "the damaged ones of later steps must not drive out the new ones"
    began = []
    with_events(monkeypatch, {step: lambda following: began.append(following.step) for step in range(1, 12)})
    resume(tmp_path / "run")
    assert began == [10, 11]
    assert_same(tmp_path / "run", whole, OFTEN_BUT)


def test_a_checkpoint_of_rows_that_the_file_lacks_is_passed_over(whole, tmp_path, monkeypatch):
    """As after a power failure that kept the checkpoint and lost the end of the file."""
    stop_at(monkeypatch, 20)
    run(OFTEN, tmp_path / "run")
    rows = [found.rows for found in checkpoints(tmp_path / "run")]
    with h5py.File(tmp_path / "run" / "output.h5", "r+") as file:
        file["t"][rows[0] - 1 :] = np.nan
    stop_at(monkeypatch, None)
    assert resume(tmp_path / "run").status == "finished"
    assert_same(tmp_path / "run", whole, OFTEN_BUT)


# ---- death while a checkpoint is being written -------------------------------------------------------------


@pytest.mark.parametrize("moment", ["opened", "half written", "written", "synced", "renamed", "an old one removed"])
def test_killed_while_writing_a_checkpoint(moment, whole, tmp_path):
    """In the checkpoint after step 12: that one is taken from its renaming on, before the one of step 11."""
    work = tmp_path / "run"

    def child():
        real_savez, real_fsync, real_replace, real_unlink = np.savez, os.fsync, os.replace, os.unlink
        armed = []

        def dying(name, real, before=False):
            def call(*args, **named):
                if before and armed and moment == name:
                    os.kill(os.getpid(), signal.SIGKILL)
                result = real(*args, **named)
                if not before and armed and moment == name:
                    os.kill(os.getpid(), signal.SIGKILL)
                return result

            return call

        def half(file, **arrays):
            if armed and moment == "half written":
                file.write(b"PK" + bytes(500))
                file.flush()
                os.kill(os.getpid(), signal.SIGKILL)
            return dying("opened", dying("written", real_savez), before=True)(file, **arrays)

        def saving(folder, found):
            if found.snapshot.step == 12:
                armed.append(True)
            save(folder, found)

        np.savez, os.fsync = half, dying("synced", real_fsync)
        os.replace, os.unlink = dying("renamed", real_replace), dying("an old one removed", real_unlink)
        time_loop.save = saving
        run(OFTEN, work)

    assert in_child(child) == -signal.SIGKILL
    latest = 12 if moment in ("renamed", "an old one removed") else 11
    assert steps(work)[:2] == [latest, latest - 1]
    assert read(work).status == "running" and len(read(work).steps["t"]) >= 11
    assert resume(work).status == "finished"
    assert_same(work, whole, OFTEN_BUT)
    assert len(names(work)) == 2 and "new.part" not in names(work)


# ---- no room -----------------------------------------------------------------------------------------------


def no_larger_than(size):
    """From here on no file of this process grows beyond `size` bytes: writing fails as on a full disk."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def test_no_room_for_a_new_file(tmp_path, whole):
    def child():
        no_larger_than(20_000)
        with pytest.raises(StoreError, match=r"cannot write .*output\.h5: File too large\..* are free"):
            run(CASE, tmp_path / "run")
        assert not [p.name for p in (tmp_path / "run").iterdir() if p.name.startswith("output")]

    assert in_child(child) == 0
    assert (tmp_path / "run" / "case.toml").read_text() == CASE.text
    assert resume(tmp_path / "run").status == "finished"
    assert (tmp_path / "run" / "case.toml").read_text() == CASE.text
    assert_same(tmp_path / "run", whole, but=["sources_json"])


def test_no_room_for_a_checkpoint_in_passing(tmp_path, whole):
    """The run goes on, says so, and keeps the checkpoint it has."""
    work = tmp_path / "run"

    def child():
        told, real = [], np.savez

        def full(file, **arrays):
            if len(steps(work)) == 2:
                file.write(b"PK")
                raise OSError(28, os.strerror(28))
            real(file, **arrays)

        np.savez = full
        with pytest.MonkeyPatch.context() as patch:
            stop_at(patch, 20)
            result = run(OFTEN, work, progress=told.append)
        assert (result.status, result.exit_code) == ("interrupted", 130)
        assert "No space left" in result.message and "checkpoint before" in result.message
        assert any("No space left" in p.note and "goes on without it" in p.note for p in told)
        assert "No space left" in (work / "run.log").read_text()

    assert in_child(child) == 0
    assert steps(work) == [2, 1] and len(names(work)) == 2
    assert read(work).status == "interrupted" and len(read(work).steps["t"]) == 19
    assert resume(work).status == "finished"
    assert_same(work, whole, OFTEN_BUT)


def test_no_room_at_a_signal(tmp_path, whole):
    """A clear error; the run goes on from the checkpoint before."""
    work = tmp_path / "run"

    def child():
        def stop(following):
            no_larger_than(1000)
            os.kill(os.getpid(), signal.SIGTERM)

        with pytest.MonkeyPatch.context() as patch:
            with_events(patch, {15: stop})
            with pytest.raises(StoreError, match=r"cannot write .*output\.h5: File too large\."):
                run(OFTEN, work)

    code = in_child(child)
    assert steps(work) == [14, 13] and len(names(work)) == 2
    assert resume(work).status == "finished"
    assert_same(work, whole, OFTEN_BUT)
    assert code == 0


@pytest.mark.parametrize("how", ["in place", "by a copy"])
def test_no_room_for_steps(how, tmp_path, whole):
    """A clear error, where the file cannot be written any more and where its table of steps cannot grow."""
    work = tmp_path / "run"

    def child():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("wgfpde.store.writer.STEP_BUFFER", 6)
            patch.setattr(Writer.__init__, "__defaults__", (6, *Writer.__init__.__defaults__[1:]))
            if how == "in place":
                with_events(patch, {8: lambda following: no_larger_than(50_000)})
            else:
                usage = namedtuple("usage", "total used free")(10, 9, 1)
                with_events(patch, {8: lambda following: patch.setattr(shutil, "disk_usage", lambda path: usage)})
            with pytest.raises(StoreError, match=r"cannot write .*output\.h5: (File too large|No space left)"):
                run(OFTEN, work)

    code = in_child(child)
    assert steps(work)[0] >= 6
    assert not list(work.rglob("*.part"))
    assert resume(work).status == "finished"
    assert_same(work, whole, OFTEN_BUT)
    assert code == 0


def test_no_room_for_the_last_checkpoint_of_a_finished_run(tmp_path, whole, monkeypatch):
    """All that was asked for is in the file: the run is finished, with a warning."""

    def full(folder, found):
        raise StoreError("cannot write the checkpoint: full.")

    monkeypatch.setattr(time_loop, "save", full)
    told = []
    assert run(CASE, tmp_path / "run", progress=told.append).status == "finished"
    assert any("full" in p.note for p in told)
    assert read(tmp_path / "run").status == "finished"


@pytest.mark.parametrize("error", [OSError(28, "No space"), RuntimeError("cannot flush (errno = 28)")], ids=repr)
def test_no_room_for_the_copy_at_the_end(error, tmp_path, whole, monkeypatch):
    """Where the finished file would be copied to save room and there is none, it is cut in place.

    The library reports what it cannot write at once as the one error, and what it cannot flush as the other.
    """
    calls = []

    def full(*args):
        calls.append(args)
        raise error

    monkeypatch.setattr(book, "copy", full)
    assert run(CASE, tmp_path / "run").status == "finished"
    assert len(calls) == 1
    assert_same(tmp_path / "run", whole)


def test_a_checkpoint_that_cannot_be_read_now_is_not_taken_for_damaged(tmp_path, monkeypatch):
    """Else a fault of a network disk would start a long run again from nothing."""
    from pathlib import Path

    from wgfpde.errors import StoreError
    from wgfpde.store.checkpoint import checkpoints

    folder = tmp_path / "checkpoint"
    folder.mkdir()
    (folder / "000000000001.npz").write_bytes(b"damaged")
    assert list(checkpoints(tmp_path)) == []

    def fault(self):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "read_bytes", fault)
    with pytest.raises(StoreError, match="cannot read the checkpoint"):
        list(checkpoints(tmp_path))
