"""Slabs of rows and of columns: a Strang step by several processes has the bits of one, on every kind of axis."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from wgfpde.errors import CaseError
from wgfpde.grid import Grid

FOLDER = Path(__file__).resolve().parents[2] / "validation" / "benchmarks"
sys.path.insert(0, str(FOLDER))
import beyond  # noqa: E402
import slabs  # noqa: E402

sys.path.remove(str(FOLDER))


class Thread:
    """What the trial asks of MPI, between threads.   wire : what all of them share."""

    def __init__(self, rank, size, wire, barrier):
        self._rank, self._size, self._wire, self._barrier = rank, size, wire, barrier

    def Get_rank(self):
        return self._rank

    def Get_size(self):
        return self._size

    def Barrier(self):
        self._barrier.wait(60)

    def _all(self, mine):
        self._wire[self._rank] = mine
        self.Barrier()
        found = [self._wire[k] for k in range(self._size)]
        self.Barrier()
        return found

    def gather(self, mine):
        return self._all(mine)

    def Alltoallv(self, sent, received):
        parts = [np.split(values, np.cumsum(counts)[:-1])[self._rank] for values, counts in self._all(sent)]
        assert [part.size for part in parts] == list(received[1])
        received[0][:] = np.concatenate(parts)


def by(count, grid, steps=2):
    wire, barrier, found = {}, threading.Barrier(count), {}

    def one(rank):
        try:
            found[rank] = slabs.trial(Thread(rank, count, wire, barrier), grid, steps)
        except BaseException:
            barrier.abort()
            raise

    threads = [threading.Thread(target=one, args=(rank,)) for rank in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(found) == set(range(count))
    return found[0]


def stretch(s):
    return s + 0.05 * np.sin(2 * np.pi * s)


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize(
    "grid",
    [
        Grid([-3.0, -4.0], [3.0, 4.0], [40, 53]),
        Grid([-3.0, -4.0], [3.0, 4.0], [37, 40], mapping=[stretch, None]),
        Grid([-3.0, -4.0], [3.0, 4.0], [33, 48], mapping=[None, stretch]),
    ],
)
def test_slabs_have_the_bits_of_one_process(grid, count):
    found = by(count, grid)
    assert found["bits_equal"] and found["largest_difference"] == 0.0
    assert found["moved_MB"] == pytest.approx(16e-6 * grid.size * (count - 1) / count, rel=1e-12, abs=0)


def test_slabs_have_the_bits_of_one_process_on_a_ring(monkeypatch):
    monkeypatch.setattr(slabs, "potential", lambda x, y: np.cos(np.pi * x / 3) + 0.5 * y**2)
    grid = Grid([-3.0, -4.0], [3.0, 4.0], [40, 36], ["periodic", "no-flux"])
    assert by(2, grid)["bits_equal"]


@pytest.mark.parametrize("n", [8, 37, 64, 1000])
@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_slabs_cover_all_lines_by_whole_blocks(n, ranks):
    cuts = slabs.bounds(n, ranks)
    assert cuts[0] == 0 and cuts[-1] == n and cuts == sorted(cuts)
    assert all(cut % slabs.LANES == 0 for cut in cuts[:-1])


@pytest.mark.skipif(not (find_spec("mpi4py") and shutil.which("mpiexec")), reason="needs MPI")
def test_two_processes_under_mpi():
    command = ["mpiexec", "-n", "2", sys.executable, str(FOLDER / "slabs.py"), "48", "2"]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"WGFPDE_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["bits_equal"]


def test_the_page_is_that_of_its_results(tmp_path):
    """docs/beyond_figures.csv is written by a program; a figure is changed by measuring it again."""
    beyond.write_page(json.loads(beyond.RESULTS.read_text(encoding="utf-8")), tmp_path / "table.csv")
    assert (tmp_path / "table.csv").read_bytes() == beyond.TABLE.read_bytes()


def test_what_was_not_measured_is_told_so(monkeypatch, tmp_path):
    """With its reason: what fails, and what takes longer than its part of the time of all."""

    def fails():
        raise CaseError("--dask needs dask.distributed")

    two = {"one_worker_s": 3.0, "two_workers_s": 2.0}
    steps = {"cells_per_axis": 512, "step_s": 0.1, "bytes": 512.0**2 * 80}
    rows = [("dask, rows only", fails), ("speedup", lambda: two), ("resume", lambda: time.sleep(60))]
    rows += [("step 512", lambda: steps), ("slabs", lambda: beyond.slabs_of(None))]
    monkeypatch.setattr(beyond, "rows_of", lambda mpiexec: rows)
    monkeypatch.setattr(beyond, "RESULTS", tmp_path / "beyond.json")
    monkeypatch.setattr(beyond, "LEAST", 0.1)
    monkeypatch.setattr(beyond, "BUDGET", 1.0)
    lines = dict(beyond.lines_of(beyond.measured(None)))
    assert json.loads((tmp_path / "beyond.json").read_text())["rows"]["speedup"] == two
    assert lines["dask, rows only"] == "not measured: --dask needs dask.distributed"
    assert lines["taking up a sweep of 10,000 runs that are done"].startswith("not measured: it took longer than")
    assert lines["a step by two slabs"] == "not measured: no --mpiexec was given"
    assert "1.50 times as fast" in lines.values() and lines["a step on 512²"] == "0.1 s, 80 B a cell"
    assert lines["a step on 16384², extrapolated"] == "102 s, 20 GiB"
