"""The HDF5 file opens whatever happened to its writer, at whatever moment."""

import io
import os
import signal
import subprocess
import sys
import textwrap
import time

import h5py
import numpy as np
import pytest
import xarray
from sample_runs import ATTRIBUTES, GRID_2D, LABELS, TEXTS, fill, make, state

from wgfpde.store import Writer, read, writer
from wgfpde.store.layout import Layout

WRITE_FOR_EVER = """
    import itertools, sys
    import numpy as np
    from wgfpde.energy.snapshot import Column, Report, Snapshot
    from wgfpde.grid import Grid
    from wgfpde.store import Label, Writer
    from wgfpde.store.layout import Layout

    layout = Layout(Grid([0, 0], [1, 1], [40, 40]), [Label("mass", "1", "mass", "m")])
    for round in itertools.count():
        with Writer(f"{sys.argv[1]}/run{round}.h5", layout, {}, 30, 20) as writer:
            print(round, flush=True)
            for k in range(25):
                for j in range(10):
                    writer.append_step(k + j / 10, 0.1, Report(iterations=k))
                writer.append(Snapshot(float(k), k, {"rho": np.full((40, 40), float(k))}), {"mass": float(k)})
            writer.finish("finished")
"""


def test_every_file_opens_after_sigkill(tmp_path):
    """Eight kills at random moments of a writer that creates, appends, grows, cuts and closes without a pause."""
    rng = np.random.default_rng(1)
    ends = []
    child = [sys.executable, "-c", textwrap.dedent(WRITE_FOR_EVER), str(tmp_path)]
    for _ in range(8):
        with subprocess.Popen(child, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(rng.uniform(0.0, 0.2))
            process.send_signal(signal.SIGKILL)
        files = sorted(tmp_path.glob("*.h5"), key=lambda p: int(p.stem[3:]))
        for path in files:
            run = read(path)
            assert run.status == "running" or len(run) == 25
            assert all((rho == k).all() for k, rho in enumerate(run.rho[:]))
            np.testing.assert_array_equal(run.diagnostics["mass"], np.arange(len(run)))
            np.testing.assert_array_equal(run.steps["iterations"], np.arange(len(run.steps["t"])) // 10)
        for path in files[-3:]:
            with xarray.open_dataset(path, engine="h5netcdf") as data:
                assert data.load().rho.dims == ("t", "y", "x")
        ends.append(len(read(files[-1])))
        for path in tmp_path.iterdir():
            path.unlink()
    assert len(set(ends)) > 1, "the kills all struck at one moment; they prove nothing"


class Recorded(io.FileIO):
    """A file that notes every change in a log: (name, offset, bytes) or (name, length)."""

    def __init__(self, path, mode, log):
        super().__init__(path, "w+" if mode == "w" else "r+")
        self.key, self.log = path.name, log
        if mode == "w":
            log.append((self.key, 0))

    def write(self, data):
        self.log.append((self.key, self.tell(), bytes(data)))
        return super().write(data)

    def truncate(self, size=None):
        self.log.append((self.key, self.tell() if size is None else size))
        return super().truncate(size)


def record(monkeypatch, work):
    """Every change that `work` makes to files through the store, in order; a rename is (old, new)."""
    log = []
    real_file, real_replace = h5py.File, os.replace

    def file(path, mode, libver=None, locking=None):
        if mode == "r":
            return real_file(path, mode, locking=False)
        return real_file(Recorded(path, mode, log), mode, libver=libver)

    def replace(old, new):
        real_replace(old, new)
        if ".xdmf" not in old.name:
            log.append((old.name, new.name))

    with monkeypatch.context() as patch:
        patch.setattr(h5py, "File", file)
        patch.setattr(os, "replace", replace)
        work()
    return log


def check_vtk(path):
    """VTK, which copies all Values into NSteps places, reads no place that is not there, and no snapshot either."""
    with h5py.File(path) as file:
        steps = file["VTKHDF/Steps"]
        if file["VTKHDF"].attrs["Type"] == b"ImageData":
            assert 2 <= len(steps["Values"]) <= steps.attrs["NSteps"] <= np.isfinite(file["t"][...]).sum()
        else:
            assert file["VTKHDF"].attrs["Type"] == b"too short"


def replay(log, begin=None):
    """(name that changed, state of the disk {name: content}) after each change."""
    disk = dict(begin or {})
    for name, *change in log:
        if isinstance(change[0], str):
            disk[change[0]] = disk.pop(name)
            name = change[0]
        elif len(change) == 1:
            content = disk.setdefault(name, bytearray())
            disk[name] = bytearray(content[: change[0]].ljust(change[0], b"\0"))
        else:
            offset, data = change
            content = disk[name]
            content.extend(bytes(max(0, offset + len(data) - len(content))))
            content[offset : offset + len(data)] = data
        yield name, disk


def after_each_write(path, log, begin=None, each=2):
    """The run that the file holds after each write to it, looked at; begin : the bytes of the file before.

    each : steps at least between snapshots.
    """
    for changed, disk in replay(log, begin and {path.name: begin}):
        if changed != path.name:
            continue
        path.write_bytes(disk[path.name])
        run = read(path)
        check_vtk(path)
        assert all((rho == state(GRID_2D, k).rho).all() for k, rho in enumerate(run.rho[:]))
        np.testing.assert_array_equal(run.diagnostics["mass"], 1.0 + np.arange(len(run)))
        assert len(run.steps["t"]) >= each * (len(run) - 1)
        yield run


@pytest.mark.parametrize(
    ("planned", "count", "steps", "each"),
    [(4, 4, 8, 2), (40, 3, 20, 2), (2, 4, 1, 2), (4, 4, 4, 100)],
    ids=["cut in place", "cut by a copy", "more snapshots", "more steps"],
)
def test_every_file_opens_after_a_kill_at_every_write(tmp_path, monkeypatch, planned, count, steps, each):
    """Stop after each single write, one after another, from the first to the last."""
    path = tmp_path / "output.h5"
    log = record(monkeypatch, lambda: make(path, GRID_2D, planned, count, steps, each))
    assert len(log) > 100
    seen = []
    for run in after_each_write(path, log, each=each):
        np.testing.assert_array_equal(run.steps["iterations"], 1 + np.arange(len(run.steps["t"])) // each)
        if (len(run), run.status) not in seen:
            seen.append((len(run), run.status))
            with xarray.open_dataset(path, engine="h5netcdf") as data:
                assert data.load().rho.dims == ("t", "y", "x")
    assert seen == [*((k, "running") for k in range(count + 1)), (count, "finished")]


@pytest.mark.parametrize("planned", [5, 3], ids=["in place", "by a copy"])
def test_a_file_that_is_continued_opens_after_a_kill_at_every_write(tmp_path, monkeypatch, planned):
    """Snapshots 2 and 3 of a killed run are dropped and written again, with other steps."""
    path = make(tmp_path / "output.h5", planned=planned, count=4, steps=20, status="")
    begin = bytearray(path.read_bytes())

    def work():
        with Writer.reopen(path, Layout(GRID_2D, LABELS, texts=TEXTS), ATTRIBUTES, 5, rows=2, step_rows=2) as writer:
            fill(writer, GRID_2D, 3, steps_each=3, first=2)
            writer.finish("finished", "done")

    log = record(monkeypatch, work)
    seen = []
    for run in after_each_write(path, log, begin):
        if [len(run)] != seen[-1:]:
            seen.append(len(run))
    assert seen == [4, 2, 3, 4, 5] and run.status == "finished"


def test_a_late_file_opens_after_a_kill_at_every_write(tmp_path, monkeypatch):
    """What was held back comes in one go: all snapshots, or none."""
    monkeypatch.setattr(writer, "LATE", 60.0)
    path = tmp_path / "output.h5"
    log = record(monkeypatch, lambda: make(path, GRID_2D, planned=9, count=3, late=True))
    seen = []
    for run in after_each_write(path, log):
        if (len(run), run.status) not in seen:
            seen.append((len(run), run.status))
    assert seen == [(0, "running"), (3, "running"), (3, "finished")]
