"""Runs whose file is written late, when they have ended: it is the file that it would have been."""

import os

import h5py
import numpy as np
import pytest
from sample_runs import ATTRIBUTES, GRID_1D, GRID_2D, LABELS, TEXTS, fill

from wgfpde.cases.loading import load
from wgfpde.errors import StoreError
from wgfpde.runs.runner import resume, run
from wgfpde.runs.unstored import Kept
from wgfpde.store import Writer, read, writer
from wgfpde.store.book import Book
from wgfpde.store.layout import Layout

ALWAYS = ("created", "wall_seconds", "cpu_seconds", "compile_seconds")
"""Attributes that differ from run to run."""


def content(path):
    """All that a file holds, by path: data and attributes."""
    found = {}

    def note(name, entry):
        found[name] = (np.asarray(entry[()]).tolist() if isinstance(entry, h5py.Dataset) else None, attributes(entry))

    with h5py.File(path) as file:
        file.visititems(note)
        found["/"] = attributes(file)
    return repr(found)


def attributes(entry):
    skipped = (*ALWAYS, "DIMENSION_LIST", "REFERENCE_LIST", "command")
    return {name: np.asarray(value).tolist() for name, value in sorted(entry.attrs.items()) if name not in skipped}


def made(path, grid, late, count, status):
    with Writer(path, Layout(grid, LABELS, texts=TEXTS), ATTRIBUTES, 6, 10, late=late) as out:
        fill(out, grid, count)
        assert out.count == count
        out.annotate(wall_seconds=2.0, title=ATTRIBUTES["title"])
        out.finish(status, "done")
    return path


@pytest.mark.parametrize("seconds", [60.0, -1.0], ids=["at the end", "at once"])
@pytest.mark.parametrize(("count", "status"), [(6, "finished"), (3, "finished"), (2, "interrupted"), (0, "failed")])
@pytest.mark.parametrize("grid", [GRID_1D, GRID_2D], ids=["1D", "2D"])
def test_a_late_file_is_that_of_a_run(tmp_path, monkeypatch, grid, count, status, seconds):
    monkeypatch.setattr(writer, "LATE", seconds)
    for late in (False, True):
        (tmp_path / str(late)).mkdir()
        made(tmp_path / str(late) / "output.h5", grid, late, count, status)
    assert content(tmp_path / "True/output.h5") == content(tmp_path / "False/output.h5")
    xdmf = [(tmp_path / str(late) / "output.xdmf").read_text() for late in (False, True)]
    assert xdmf[0] == xdmf[1]


@pytest.mark.parametrize("limit", ["size", "steps", "checkpoint"])
def test_what_is_large_or_takes_long_is_not_held_back(tmp_path, monkeypatch, limit):
    monkeypatch.setattr(writer, "LATE", -1.0 if limit == "checkpoint" else 60.0)
    monkeypatch.setattr(writer, "LARGE", 3 * GRID_2D.size * 8 if limit == "size" else 1 << 30)
    monkeypatch.setattr(writer, "STEP_BUFFER", 5 if limit == "steps" else 4096)
    path = tmp_path / "output.h5"
    with Writer(path, Layout(GRID_2D, LABELS, texts=TEXTS), ATTRIBUTES, 6, 10, late=True) as out:
        assert not path.exists()
        if limit == "checkpoint":
            out.flush_steps()
            assert path.exists()
        fill(out, GRID_2D, 4)
        known = read(path)
        assert known.status == "running" and len(known) == 4 and len(known.steps["t"]) == 6
        out.finish("finished")


@pytest.mark.parametrize(("case", "shape"), [("heat_1d", "[12]"), ("jko_double_well_2d", "[8, 8]")])
def test_a_run_with_a_late_file_is_a_run(tmp_path, monkeypatch, case, shape):
    """In a folder, with its checkpoint; what a finished run leaves is asked onto the disk once, file and folder."""
    short = [f"grid.shape={shape}", "time.end=0.2", "output.every=0.1"]
    synced = []
    real = os.fsync
    case = load(case, short)
    run(case, tmp_path / "plain")
    monkeypatch.setattr(
        os,
        "fsync",
        lambda handle: (synced.append(os.path.basename(os.readlink(f"/proc/self/fd/{handle}"))), real(handle)),
    )
    run(case, tmp_path / "late", beside=Kept())
    assert synced == ["output.h5", "late"]
    assert content(tmp_path / "late/output.h5") == content(tmp_path / "plain/output.h5")
    for name in ("plain", "late"):
        resume(tmp_path / name, until=0.3)
    further = [read(tmp_path / name) for name in ("plain", "late")]
    assert len(further[0]) > 3 and np.array_equal(further[0].rho[:], further[1].rho[:])


@pytest.mark.parametrize("place", [(Book, "rewrite"), (Writer, "_append")], ids=["made", "filled"])
def test_what_was_held_back_is_tried_again_where_there_was_no_room(tmp_path, monkeypatch, place):
    """A checkpoint in passing goes on where it cannot be kept; no snapshot is lost by that."""
    made(tmp_path / "whole.h5", GRID_2D, False, 6, "finished")
    owner, name = place
    real, failed = getattr(owner, name), []

    def once(self, *rest):
        if not failed:
            failed.append(True)
            raise OSError(28, "No space left on device")
        return real(self, *rest)

    path = tmp_path / "output.h5"
    with Writer(path, Layout(GRID_2D, LABELS, texts=TEXTS), ATTRIBUTES, 6, 10, late=True) as out:
        fill(out, GRID_2D, 2)
        monkeypatch.setattr(owner, name, once)
        monkeypatch.setattr(writer, "LATE", -1.0)
        with pytest.raises(StoreError, match="No space left"):
            out.flush_steps()
        assert out.count == 2
        fill(out, GRID_2D, 4, first=2)
        out.annotate(wall_seconds=2.0, title=ATTRIBUTES["title"])
        out.finish("finished", "done")
    assert failed and content(path) == content(tmp_path / "whole.h5")
