"""The HDF5 file: what it holds, who can read it, and that it opens whatever happened to the writer."""

import errno
import io
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time

import h5py
import numpy as np
import pytest
import xarray

from wgfpde import __version__, store
from wgfpde.errors import StoreError
from wgfpde.flow import Column, Report, Snapshot
from wgfpde.grid import Grid
from wgfpde.store import Label, Writer, read, read_last

GRID_1D = Grid([0.0], [1.0], [16], mapping=[lambda s: s**1.5])
GRID_2D = Grid([0.0, -1.0], [3.0, 1.0], [6, 4], periodic=[True, False])
LABELS = [Label("mass", "1", "mass", "Total mass."), Label("energy", "1", "energy", "The energy.")]
TEXTS = {"case_toml": 'title = "ρ"\n', "resolved_toml": "schema = 1\n"}
ATTRIBUTES = {"title": "Füße ρ", "equation": "heat", "method": "fv", "wall_seconds": np.nan}


def state(grid, k):
    return Snapshot(0.5 * k, 2 * k, {"rho": np.arange(grid.size, dtype=float).reshape(grid.shape) + 100 * k})


def fill(writer, grid, count, steps_each=2, first=0):
    for k in range(first, first + count):
        for j in range(steps_each if k else 0):
            writer.append_step(0.5 * (k - 1) + 0.25 * (j + 1), 0.25, Report(iterations=k, residual=1e-14))
        writer.append(state(grid, k), {"mass": 1.0 + k, "energy": -float(k)})


def make(path, grid=GRID_2D, planned=4, count=4, steps=10, steps_each=2, status="finished", message="done"):
    with Writer(path, grid, ATTRIBUTES, LABELS, planned, steps, TEXTS) as writer:
        fill(writer, grid, count, steps_each)
        if status:
            writer.finish(status, message)
    return path


def lengths(path):
    with h5py.File(path) as file:
        along_t = [file["t"], file["rho"], *file["diagnostics"].values()]
        return {d.shape[0] for d in along_t}, {d.shape[0] for d in file["steps"].values()}


@pytest.mark.parametrize("grid", [GRID_1D, GRID_2D], ids=["1d", "2d"])
def test_what_is_written_is_read(tmp_path, grid):
    run = read(make(tmp_path / "output.h5", grid))
    assert (run.status, run.message, run.title) == ("finished", "done", "Füße ρ")
    assert len(run) == 4 and run.dim == grid.dim and run.folder == tmp_path
    np.testing.assert_array_equal(run.t, [0.0, 0.5, 1.0, 1.5])
    for edges, axis, periodic in zip(run.edges, grid.axes, run.periodic, strict=True):
        np.testing.assert_array_equal(edges, axis.edges)
        assert periodic == axis.periodic
    for k in (0, 3, -1):
        np.testing.assert_array_equal(run.rho[k], state(grid, k % 4).rho)
    assert list(run.diagnostics) == ["mass", "energy"]
    np.testing.assert_array_equal(run.diagnostics["energy"], [0, -1, -2, -3])
    assert run.labels["energy"] == LABELS[1]
    assert (run.case_toml, run.resolved_toml) == (TEXTS["case_toml"], TEXTS["resolved_toml"])
    assert run.attributes["format"] == 1 and run.attributes["wgfpde_version"] == __version__


def test_steps_have_their_own_rows(tmp_path):
    steps = read(make(tmp_path / "output.h5")).steps
    assert list(steps) == ["t", "dt", "iterations", "residual", "gap", "outer", "repaired", "rejected"]
    np.testing.assert_array_equal(steps["t"], 0.25 * np.arange(1, 7))
    np.testing.assert_array_equal(steps["iterations"], [1, 1, 2, 2, 3, 3])
    assert steps["iterations"].dtype == np.int64 and np.isnan(steps["gap"]).all()


def test_a_scheme_adds_columns(tmp_path):
    extra = (Column("transport", "1", "cost", "Cost."), Column("linear", "1", "inner", "Inner.", integer=True))
    with Writer(tmp_path / "output.h5", GRID_1D, ATTRIBUTES, LABELS, 2, 1, TEXTS, extra) as writer:
        for k in range(3):  # more than planned, so that the file is copied
            writer.append_step(k + 1.0, 1.0, Report(linear=k, transport=0.5 * k))
        writer.append(state(GRID_1D, 0), {"mass": 1.0, "energy": 0.0})
        writer.finish("finished")
    steps = read(tmp_path).steps
    assert list(steps)[-3:] == ["rejected", "transport", "linear"]
    np.testing.assert_array_equal(steps["transport"], [0.0, 0.5, 1.0])
    np.testing.assert_array_equal(steps["linear"], [0, 1, 2])
    assert steps["linear"].dtype == np.int64


def test_files_without_an_order_of_columns_are_read(tmp_path):
    path = make(tmp_path / "output.h5")
    with h5py.File(path, "r+") as file:
        del file["steps"].attrs["order"]
    assert list(read(path).steps)[:3] == ["t", "dt", "iterations"]


@pytest.mark.parametrize("grid", [GRID_1D, GRID_2D], ids=["1d", "2d"])
def test_the_grid_of_a_run(tmp_path, grid):
    found = read(make(tmp_path / "output.h5", grid)).grid
    assert found.shape == grid.shape
    for a, b in zip(found.axes, grid.axes, strict=True):
        np.testing.assert_allclose(a.edges, b.edges, rtol=1e-15, atol=1e-15)
        assert (a.periodic, a.uniform) == (b.periodic, b.uniform)


def test_snapshots_are_found_by_time_and_number(tmp_path):
    run = read(make(tmp_path / "output.h5"))
    assert [run.find(), run.find(time=0.5), run.find(time=1.0 + 1e-12), run.find(index=-4)] == [3, 1, 2, 0]
    with pytest.raises(StoreError, match=r"no snapshot at t = 0.7; the nearest is at t = 0.5"):
        run.find(time=0.7)
    with pytest.raises(StoreError, match="holds 4 snapshots; number -5"):
        run.find(index=-5)


def test_a_folder_is_read_like_its_file(tmp_path):
    make(tmp_path / "output.h5")
    rho, edges, t = read_last(tmp_path)
    assert t == 1.5 and [len(e) for e in edges] == [7, 5]
    np.testing.assert_array_equal(rho, state(GRID_2D, 3).rho)


def test_snapshot_number_out_of_range(tmp_path):
    with pytest.raises(StoreError, match="holds 4 snapshots; number 4"):
        read(make(tmp_path / "output.h5")).rho[4]


# ---- other readers -----------------------------------------------------------------------------------------


def test_xarray_opens_it(tmp_path):
    path = make(tmp_path / "output.h5")
    with xarray.open_dataset(path, engine="h5netcdf") as data:
        assert data.rho.dims == ("t", "y", "x") and data.rho.dtype == np.float64
        assert set(data.coords) == {"t", "x", "y"}
        np.testing.assert_array_equal(data.x, GRID_2D.x.centers)
        assert data.x.attrs["bounds"] == "x_bnds" and data.x_bnds.dims == ("x", "vertices")
        np.testing.assert_array_equal(data.rho.sel(t=1.0), state(GRID_2D, 2).rho)
        assert data.attrs["Conventions"] == "CF-1.11" and data.attrs["status"] == "finished"
        assert str(data.case_toml.values) == TEXTS["case_toml"]
    with xarray.open_dataset(path, engine="h5netcdf", group="diagnostics") as data:
        assert data.mass.dims == ("t",) and data.sizes["t"] == 4
    with xarray.open_dataset(path, engine="h5netcdf", group="steps") as data:
        assert data.dt.dims == ("t",) and data.sizes["t"] == 6 and "t" in data.coords
    with xarray.open_dataset(make(tmp_path / "one.h5", GRID_1D), engine="h5netcdf") as data:
        assert data.rho.dims == ("t", "x")


def test_the_file_explains_itself(tmp_path):
    with h5py.File(make(tmp_path / "output.h5")) as file:
        named = []

        def look(name, item):
            if isinstance(item, h5py.Dataset):
                named.append(name)
                assert item.attrs["long_name"] and item.attrs["description"], name
                if item.dtype.kind in "fi":
                    assert item.attrs["units"] == "1", name

        file.visititems(look)
        assert len(named) > 15
        assert file["rho"].chunks == (1, 4, 6)
        for name in ("rho", "t", "diagnostics/mass", "steps/t", "steps/dt"):
            assert file[name].maxshape[0] is None and file[name].is_scale == (name in ("t", "steps/t"))


# ---- running, stopped and grown files ----------------------------------------------------------------------


def test_a_running_file_can_be_read(tmp_path):
    path = tmp_path / "output.h5"
    with Writer(path, GRID_2D, ATTRIBUTES, LABELS, 10) as writer:
        assert len(read(path)) == 0
        with pytest.raises(StoreError, match="no snapshot"):
            read_last(path)
        fill(writer, GRID_2D, 3)
        run = read(path)
        assert run.status == "running" and len(run) == 3 and len(run.steps["t"]) == 4
        assert len(run.diagnostics["mass"]) == 3 and np.isfinite(run.rho[-1]).all()
        look = "import h5py, sys; print(h5py.File(sys.argv[1])['t'].shape)"  # another process, with locks
        done = subprocess.run([sys.executable, "-c", look, path], capture_output=True, text=True)
        assert done.stdout == "(10,)\n", done.stderr
        with xarray.open_dataset(shutil.copy(path, tmp_path / "copy.h5"), engine="h5netcdf") as data:
            assert data.sizes["t"] == 10 and np.isnan(data.t[3:]).all() and np.isnan(data.rho[3:]).all()
        writer.annotate(wall_seconds=2.5)
        assert read(path).attributes["wall_seconds"] == 2.5


@pytest.mark.parametrize("planned", [40, 5], ids=["much cut", "little cut"])
def test_finish_leaves_one_length(tmp_path, planned):
    path = make(tmp_path / "output.h5", planned=planned, count=4, steps=100, status="failed", message="ü" * 3000)
    assert lengths(path) == ({4}, {6})
    run = read(path)
    assert run.status == "failed" and run.message == "ü" * 1000
    np.testing.assert_array_equal(run.rho[-1], state(GRID_2D, 3).rho)
    assert not (tmp_path / "output.h5.part").exists()


def test_cutting_frees_the_disk(tmp_path):
    grid = Grid([0, 0], [1, 1], [64, 64])
    path = make(tmp_path / "output.h5", grid, planned=100, count=2, status="")
    assert path.stat().st_size > 100 * grid.size * 8
    path = make(tmp_path / "short.h5", grid, planned=100, count=2)
    assert path.stat().st_size < 6 * grid.size * 8


def test_more_snapshots_and_steps_than_planned(tmp_path):
    path = make(tmp_path / "output.h5", planned=1, count=9, steps=1, steps_each=300)
    assert lengths(path) == ({9}, {2400})
    run = read(path)
    np.testing.assert_array_equal(run.steps["iterations"], np.repeat(np.arange(1, 9), 300))
    for k in range(9):
        np.testing.assert_array_equal(run.rho[k], state(GRID_2D, k).rho)


def test_many_steps_between_snapshots_reach_the_file(tmp_path):
    path = tmp_path / "output.h5"
    with Writer(path, GRID_1D, ATTRIBUTES, LABELS, 2) as writer:
        fill(writer, GRID_1D, 1)
        for k in range(store.STEP_BUFFER + 5):
            writer.append_step(k + 1.0, 1.0, Report())
        assert len(read(path).steps["t"]) == store.STEP_BUFFER


def test_a_torn_append_is_repeated(tmp_path, monkeypatch):
    path = tmp_path / "output.h5"
    with Writer(path, GRID_1D, ATTRIBUTES, LABELS, 3) as writer:
        fill(writer, GRID_1D, 1)
        with pytest.raises(KeyError):
            writer.append(state(GRID_1D, 1), {"mass": 1.0})
        assert len(read(path)) == 1
        fill(writer, GRID_1D, 1, steps_each=0, first=1)
        writer.finish("finished")
    assert lengths(path)[0] == {2}


def test_an_exception_ends_as_failed(tmp_path):
    path = tmp_path / "output.h5"
    with pytest.raises(ZeroDivisionError), Writer(path, GRID_1D, ATTRIBUTES, LABELS, 9) as writer:
        fill(writer, GRID_1D, 2)
        raise ZeroDivisionError("by nought")
    run = read(path)
    assert (run.status, run.message, len(run)) == ("failed", "by nought", 2)
    assert lengths(path) == ({2}, {2})


def test_existing_file_and_unwritable_folder_are_refused(tmp_path):
    make(tmp_path / "output.h5")
    with pytest.raises(StoreError, match="exists already"):
        make(tmp_path / "output.h5")
    with pytest.raises(StoreError, match=r"cannot write .*Check that the folder"):
        make(tmp_path / "nowhere" / "output.h5")


def test_full_disk_is_a_sentence(tmp_path, monkeypatch):
    path = tmp_path / "output.h5"
    with Writer(path, GRID_1D, ATTRIBUTES, LABELS, 3) as writer:
        fill(writer, GRID_1D, 1)

        def full(*_):
            raise OSError(errno.ENOSPC, "write failed deep inside")

        with monkeypatch.context() as patch:
            patch.setattr(h5py.File, "flush", full)
            with pytest.raises(StoreError, match=r"No space left on device\. Check"):
                fill(writer, GRID_1D, 1, first=1)
    assert len(read(path)) == 1


# ---- damaged and foreign files -----------------------------------------------------------------------------


def test_missing(tmp_path):
    with pytest.raises(StoreError, match="does not exist"):
        read(tmp_path / "nothing")
    with pytest.raises(StoreError, match=r"holds no output\.h5"):
        read(tmp_path)


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_truncated(tmp_path, share):
    path = make(tmp_path / "output.h5")
    with path.open("r+b") as file:
        file.truncate(int(share * path.stat().st_size))
    with pytest.raises(StoreError, match=r"truncated.*Copy it again"):
        read(path)


def test_foreign(tmp_path):
    text = tmp_path / "notes.txt"
    text.write_text("no HDF5\n" * 100)
    with pytest.raises(StoreError, match="no HDF5 file"):
        read(text)
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["t"] = [1.0]
    with pytest.raises(StoreError, match="no wgfpde run"):
        read_last(other)
    text.write_text("")
    with pytest.raises(StoreError, match="no HDF5 file"):
        read(text)


def test_newer_format(tmp_path):
    path = make(tmp_path / "output.h5")
    with h5py.File(path, "r+") as file:
        file.attrs["format"] = 99
    with pytest.raises(StoreError, match=r"format 99.*Update wgfpde"):
        read(path)


# ---- SIGKILL -----------------------------------------------------------------------------------------------

WRITE_FOR_EVER = """
    import itertools, sys
    import numpy as np
    from wgfpde.flow import Column, Report, Snapshot
    from wgfpde.grid import Grid
    from wgfpde.store import Label, Writer

    grid = Grid([0, 0], [1, 1], [40, 40])
    for round in itertools.count():
        with Writer(f"{sys.argv[1]}/run{round}.h5", grid, {}, [Label("mass", "1", "mass", "m")], 30, 20) as writer:
            print(round, flush=True)
            for k in range(25):
                for j in range(10):
                    writer.append_step(k + j / 10, 0.1, Report(iterations=k))
                writer.append(Snapshot(float(k), k, {"rho": np.full(grid.shape, float(k))}), {"mass": float(k)})
            writer.finish("finished")
"""


def test_every_file_opens_after_sigkill(tmp_path):
    """Ten kills at random moments of a writer that creates, appends, grows, cuts and closes without a pause."""
    rng = np.random.default_rng(1)
    ends = []
    child = [sys.executable, "-c", textwrap.dedent(WRITE_FOR_EVER), str(tmp_path)]
    for _ in range(10):
        with subprocess.Popen(child, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(rng.uniform(0.0, 0.2))
            process.send_signal(signal.SIGKILL)
        files = sorted(tmp_path.glob("*.h5"), key=lambda p: int(p.stem[3:]))
        for path in files:
            run = read(path)
            assert run.status == "running" or len(run) == 25
            assert all((run.rho[k] == k).all() for k in range(len(run)))
            np.testing.assert_array_equal(run.diagnostics["mass"], np.arange(len(run)))
            np.testing.assert_array_equal(run.steps["iterations"], np.arange(len(run.steps["t"])) // 10)
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

    def file(path, mode, libver, locking):
        return real_file(Recorded(path, mode, log), mode, libver=libver)

    def replace(old, new):
        real_replace(old, new)
        log.append((old.name, new.name))

    with monkeypatch.context() as patch:
        patch.setattr(h5py, "File", file)
        patch.setattr(os, "replace", replace)
        work()
    return log


def replay(log):
    """(name that changed, state of the disk {name: content}) after each change."""
    disk = {}
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
    for changed, disk in replay(log):
        if changed != path.name:
            continue
        path.write_bytes(disk[path.name])
        run = read(path)
        assert all((run.rho[k] == state(GRID_2D, k).rho).all() for k in range(len(run)))
        np.testing.assert_array_equal(run.diagnostics["mass"], 1.0 + np.arange(len(run)))
        assert len(run.steps["t"]) >= each * (len(run) - 1)
        np.testing.assert_array_equal(run.steps["iterations"], 1 + np.arange(len(run.steps["t"])) // each)
        if (len(run), run.status) not in seen:
            seen.append((len(run), run.status))
            with xarray.open_dataset(path, engine="h5netcdf") as data:
                assert data.load().rho.dims == ("t", "y", "x")
    assert seen == [*((k, "running") for k in range(count + 1)), (count, "finished")]
