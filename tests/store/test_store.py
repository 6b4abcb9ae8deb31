"""The HDF5 file: what it holds, how it ends, and what is refused."""

import errno
import shutil
import subprocess
import sys

import h5py
import numpy as np
import pytest
import xarray
from sample_runs import ATTRIBUTES, GRID_1D, GRID_2D, LABELS, TEXTS, fill, lengths, make, state

from wgfpde import __version__, store
from wgfpde.energy.snapshot import Column, Report
from wgfpde.errors import StoreError
from wgfpde.grid import Grid
from wgfpde.store import Writer, read, read_last
from wgfpde.store.layout import Layout
from wgfpde.store.study_file import study_of, write_study


@pytest.mark.parametrize("grid", [GRID_1D, GRID_2D], ids=["1d", "2d"])
def test_what_is_written_is_read(tmp_path, grid):
    run = read(make(tmp_path / "output.h5", grid))
    assert (run.status, run.message, run.title) == ("finished", "done", "Füße ρ")
    assert len(run) == 4 and run.dim == grid.dim and run.folder == tmp_path
    np.testing.assert_array_equal(run.t, [0.0, 0.5, 1.0, 1.5])
    for edges, axis, periodic in zip(run.edges, grid.axes, run.periodic, strict=True):
        np.testing.assert_array_equal(edges, axis.edges)
        assert periodic == axis.ring
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
    with Writer(
        tmp_path / "output.h5", Layout(GRID_1D, LABELS, columns=extra, texts=TEXTS), ATTRIBUTES, 2, 1
    ) as writer:
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
        assert (a.ring, a.uniform) == (b.ring, b.uniform)


def test_snapshots_are_found_by_time_and_number(tmp_path):
    run = read(make(tmp_path / "output.h5"))
    assert [run.find(), run.find(time=0.5), run.find(time=1.0 + 1e-12), run.find(index=-4)] == [3, 1, 2, 0]
    with pytest.raises(StoreError, match=r"no snapshot at t = 0.7; the nearest is at t = 0.5"):
        run.find(time=0.7)
    with pytest.raises(StoreError, match="holds 4 snapshots; number -5"):
        run.find(index=-5)


def test_a_folder_is_read_like_its_file(tmp_path):
    make(tmp_path / "output.h5")
    rho, edges, t, radial = read_last(tmp_path)
    assert t == 1.5 and radial == 1 and [len(e) for e in edges] == [7, 5]
    np.testing.assert_array_equal(rho, state(GRID_2D, 3).rho)


def test_snapshot_number_out_of_range(tmp_path):
    with pytest.raises(StoreError, match="holds 4 snapshots; number 4"):
        read(make(tmp_path / "output.h5")).rho[4]


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
            assert file[name].maxshape[0] is None and file[name].is_scale == (name == "t")


# ---- running, stopped and grown files ----------------------------------------------------------------------


def test_a_running_file_can_be_read(tmp_path):
    path = tmp_path / "output.h5"
    with Writer(path, Layout(GRID_2D, LABELS), ATTRIBUTES, 10) as writer:
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
    with Writer(path, Layout(GRID_1D, LABELS), ATTRIBUTES, 2) as writer:
        fill(writer, GRID_1D, 1)
        for k in range(store.STEP_BUFFER + 5):
            writer.append_step(k + 1.0, 1.0, Report())
        assert len(read(path).steps["t"]) == store.STEP_BUFFER


def test_a_torn_append_is_repeated(tmp_path, monkeypatch):
    path = tmp_path / "output.h5"
    with Writer(path, Layout(GRID_1D, LABELS), ATTRIBUTES, 3) as writer:
        fill(writer, GRID_1D, 1)
        with pytest.raises(KeyError):
            writer.append(state(GRID_1D, 1), {"mass": 1.0})
        assert len(read(path)) == 1
        fill(writer, GRID_1D, 1, steps_each=0, first=1)
        writer.finish("finished")
    assert lengths(path)[0] == {2}


def test_a_closed_writer_says_so(tmp_path):
    with Writer(tmp_path / "output.h5", Layout(GRID_1D, LABELS), ATTRIBUTES, 3) as writer:
        fill(writer, GRID_1D, 1)
        writer.finish("finished")
        for work in (lambda: fill(writer, GRID_1D, 1, first=1), lambda: writer.annotate(wall_seconds=1.0)):
            with pytest.raises(StoreError, match="is closed: nothing can be added"):
                work()


def test_an_exception_ends_as_failed(tmp_path):
    path = tmp_path / "output.h5"
    with pytest.raises(ZeroDivisionError), Writer(path, Layout(GRID_1D, LABELS), ATTRIBUTES, 9) as writer:
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
    with Writer(path, Layout(GRID_1D, LABELS), ATTRIBUTES, 3) as writer:
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


def test_a_text_that_the_file_cannot_keep_is_refused_before_anything_is_written(tmp_path):
    """Texts of HDF5 end at a NUL; h5py raises ValueError."""
    with pytest.raises(StoreError, match="case_toml holds a NUL"):
        Layout(GRID_1D, LABELS, texts={"case_toml": "title = 'a\0b'"})
    with pytest.raises(StoreError, match="case_toml holds a NUL"):
        write_study(tmp_path / "s.h5", study_of("spectrum", [], {}, {"case_toml": "\0"}))
    assert not list(tmp_path.iterdir())
