"""A run goes on in the file it began, killed or finished; what a writer cannot do is said and leaves nothing behind."""

import shutil
import subprocess
import sys
import textwrap
from collections import namedtuple

import h5py
import numpy as np
import pytest
from sample_runs import ATTRIBUTES, GRID_1D, GRID_2D, LABELS, TEXTS, fill, lengths, make, state

from wgfpde.energy.snapshot import Column, Report
from wgfpde.errors import StoreError
from wgfpde.grid import Grid
from wgfpde.store import Writer, read
from wgfpde.store.layout import Layout
from wgfpde.store.reading.opening import written


def reopen(path, rows, step_rows, snapshots=4, attributes=ATTRIBUTES, grid=GRID_2D, **more):
    return Writer.reopen(
        path, Layout(grid, LABELS, texts=TEXTS, **more), attributes, snapshots, rows=rows, step_rows=step_rows
    )


def content(path):
    """All that a run holds, as one comparable text."""
    run = read(path)
    tables = {"t": run.t, **run.diagnostics, **{f"step {name}": values for name, values in run.steps.items()}}
    return {name: values.tobytes() for name, values in tables.items()} | {"rho": np.asarray(run.rho).tobytes()}


@pytest.fixture(params=["killed", "killed in a short table", "finished", "compressed", "interrupted early"])
def begun(request, tmp_path):
    path = tmp_path / "output.h5"
    if request.param == "compressed":
        with Writer(path, Layout(GRID_2D, LABELS, texts=TEXTS, compression="gzip"), ATTRIBUTES, 4, 10) as writer:
            fill(writer, GRID_2D, 4)
            writer.finish("finished")
        return path
    status = {"finished": "finished", "interrupted early": "interrupted"}.get(request.param, "")
    planned = 9 if request.param == "interrupted early" else 4
    return make(path, planned=planned, steps=1 if "short" in request.param else 10, status=status)


@pytest.mark.parametrize("rows", [1, 2, 4])
def test_a_continued_file_equals_one_never_stopped(begun, rows, tmp_path):
    whole = make(tmp_path / "whole.h5", planned=6, count=6)
    with reopen(begun, rows, 2 * (rows - 1), snapshots=6) as writer:
        assert (writer.count, writer.step_count, read(begun).status) == (rows, 2 * (rows - 1), "running")
        assert (len(read(begun)), len(read(begun).steps["t"])) == (rows, 2 * (rows - 1))
        fill(writer, GRID_2D, 6 - rows, first=rows)
        writer.finish("finished", "done")
    assert content(begun) == content(whole)
    assert lengths(begun) == ({6}, {10})
    assert sorted(p.name for p in tmp_path.iterdir() if p.suffix != ".xdmf") == ["output.h5", "whole.h5"]


def test_steps_after_the_last_snapshot_are_kept(begun):
    with reopen(begun, 2, 5) as writer:
        assert writer.step_count == 5
        writer.append_step(9.0, 1.0, Report(iterations=7))
        assert writer.step_count == 6 and len(read(begun).steps["t"]) == 5
        writer.flush_steps()
    np.testing.assert_array_equal(read(begun).steps["iterations"], [1, 1, 2, 2, 3, 7])


def test_a_killed_file_is_continued_in_place(tmp_path):
    path = make(tmp_path / "output.h5", planned=8, status="")
    file = path.stat().st_ino
    reopen(path, 2, 2, snapshots=8, attributes=ATTRIBUTES | {"wall_seconds": 3.5}).close()
    assert path.stat().st_ino == file and read(path).attributes["wall_seconds"] == 3.5
    reopen(path, 2, 2, snapshots=9).close()
    assert path.stat().st_ino != file and lengths(path)[0] == {9}
    file = path.stat().st_ino
    reopen(path, 2, 2, snapshots=9, attributes=ATTRIBUTES | {"title": "another, longer title", "seed": 3}).close()
    assert path.stat().st_ino != file
    assert (read(path).title, read(path).attributes["seed"]) == ("another, longer title", 3)


def test_the_date_of_creation_stays(tmp_path):
    path = make(tmp_path / "output.h5", status="")
    with h5py.File(path, "r+") as file:
        file.attrs["created"] = "2001-02-03T04:05:06+00:00"
    reopen(path, 1, 0).close()
    reopen(path, 1, 0, snapshots=40).close()
    assert read(path).attributes["created"] == "2001-02-03T04:05:06+00:00"


def test_what_cannot_be_continued_is_refused(tmp_path):
    path = make(tmp_path / "output.h5", status="")
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"holds 4 snapshots, fewer than the 5"):
        reopen(path, 5, 2)
    with pytest.raises(StoreError, match=r"holds 6 steps, fewer than the 7"):
        reopen(path, 4, 7)
    other = Grid([0.0, -1.0], [3.0, 2.0], [6, 4])
    with pytest.raises(StoreError, match="its cells along y are others"):
        reopen(path, 2, 2, grid=other)
    with pytest.raises(StoreError, match="its cells along x are others"):
        reopen(path, 2, 2, grid=GRID_1D)
    with pytest.raises(StoreError, match=r"/steps holds .*; expected .*linear"):
        reopen(path, 2, 2, columns=[Column("linear", "1", "inner", "Inner.", integer=True)])
    with pytest.raises(StoreError, match="does not exist"):
        reopen(tmp_path / "nothing.h5", 0, 0)
    assert path.read_bytes() == before
    with h5py.File(path, "r+") as file:
        file.attrs["format"] = 99
    with pytest.raises(StoreError, match=r"format 99.*Update wgfpde"):
        reopen(path, 2, 2)


# ---- precision and compression -----------------------------------------------------------------------------


def test_single_precision_is_that_of_the_densities(tmp_path):
    path = tmp_path / "output.h5"
    with Writer(path, Layout(GRID_2D, LABELS, precision="float32"), ATTRIBUTES, 9) as writer:
        fill(writer, GRID_2D, 3)
        with h5py.File(path, locking=False) as file:
            assert file["rho"].dtype == np.float32 and np.isnan(file["rho"][3:]).all()
            assert file["t"].dtype == file["diagnostics/mass"].dtype == file["steps/dt"].dtype == np.float64
    assert read(path).rho[2].dtype == np.float64
    np.testing.assert_array_equal(read(path).rho[2], state(GRID_2D, 2).rho)


def test_compression_comes_last(tmp_path):
    path, grid = tmp_path / "output.h5", Grid([0, 0], [1, 1], [64, 64])
    with Writer(path, Layout(grid, LABELS, compression="gzip"), ATTRIBUTES, 4) as writer:
        fill(writer, grid, 4)
        with h5py.File(path, locking=False) as file:
            assert file["rho"].compression is None
        size = path.stat().st_size
        writer.finish("finished", "done")
    with h5py.File(path) as file:
        for name in ("rho", "diagnostics/mass", "steps/dt"):
            assert (file[name].compression, file[name].shuffle) == ("gzip", True), name
        assert file["rho"].chunks == (1, 64, 64)
    assert path.stat().st_size < size / 2
    assert content(path) == content(make(tmp_path / "plain.h5", grid))


def test_unknown_precision_and_compression(tmp_path):
    with pytest.raises(StoreError, match="one of float64, float32; found 'half'"):
        Writer(tmp_path / "output.h5", Layout(GRID_1D, LABELS, precision="half"), ATTRIBUTES, 4)
    with pytest.raises(StoreError, match="one of none, gzip; found 'zip'"):
        Writer(tmp_path / "output.h5", Layout(GRID_1D, LABELS, compression="zip"), ATTRIBUTES, 4)


# ---- a full disk -------------------------------------------------------------------------------------------


def test_a_file_larger_than_the_disk_is_refused_at_once(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")(10, 9, 5 << 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(StoreError, match=r"No space left .* takes 1\d.* MiB; 5 MiB are free"):
        Writer(tmp_path / "output.h5", Layout(Grid([0, 0], [1, 1], [128, 128]), LABELS), ATTRIBUTES, 80)
    assert not list(tmp_path.iterdir())


LIMITED = """
    import resource, sys
    from wgfpde.errors import StoreError
    from wgfpde.grid import Grid
    from wgfpde.store import Writer
    from wgfpde.store.layout import Layout

    resource.setrlimit(resource.RLIMIT_FSIZE, (3 << 20, resource.RLIM_INFINITY))
    try:
        Writer(sys.argv[1], Layout(Grid([0, 0], [1, 1], [128, 128]), []), {}, 100)
    except StoreError as error:
        print(error)
"""


def test_a_creation_that_fails_midway_leaves_nothing(tmp_path):
    call = [sys.executable, "-c", textwrap.dedent(LIMITED), str(tmp_path / "output.h5")]
    done = subprocess.run(call, capture_output=True, text=True)
    assert "File too large" in done.stdout and "The file takes 1" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0 and not list(tmp_path.iterdir())


def test_rows_are_whole_where_every_column_has_them():
    """The shortest column tells, and the first time that is none."""
    t = np.array([0.0, 0.1, 0.2, np.nan])
    assert written({"t": t}) == 3
    assert written({"t": t[:3], "mass": np.ones(2)}) == 2
    assert written({"t": t, "mass": np.ones(4), "energy": np.ones(1)}) == 1
    assert written({"t": t, "mass": np.ones(0)}) == 0
    assert written({"t": t, "mass": np.ones(9)}) == 3
