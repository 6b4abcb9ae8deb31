"""Sweeps by dask: a local cluster of processes; a scheduler and two workers that run as commands, one killed."""

import os
import re
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

distributed = pytest.importorskip("distributed")

from wgfpde.cases.loading import load  # noqa: E402
from wgfpde.cases.varying import vary  # noqa: E402
from wgfpde.errors import CaseError  # noqa: E402
from wgfpde.studies.sweep import Kept, Plan, sweep  # noqa: E402
from wgfpde.studies.sweep.engines.choice import engine_for  # noqa: E402
from wgfpde.studies.sweep.reading import read_sweep  # noqa: E402

SHORT = ["grid.shape=[24]", "time.end=0.4", "output.every=0.2", "solver.tolerance=1e-3"]
WARNINGS = "ignore::Warning"  # dask's own, of ports and of what closes late


def plan_of(count, *overrides):
    case = load("desai_zwanzig_1d", [*SHORT, *overrides])
    return Plan(case, tuple(vary([f"params.theta=0.5:1.5:{count}"], case)))


@pytest.mark.filterwarnings(WARNINGS)
def test_a_local_cluster_gives_the_same_rows(tmp_path):
    plan = plan_of(5)
    found = sweep(plan, tmp_path / "D", Kept(density=True), engine_for(plan, 2, "local"))
    sweep(plan, tmp_path / "S", Kept(density=True))
    assert (found.finished, found.failed) == (5, 0)
    a, b = read_sweep(tmp_path / "D"), read_sweep(tmp_path / "S")
    for name in ("energy", "rho", "steps"):
        assert np.array_equal(a[name], b[name]), name
    assert a.run(theta=1.0).status == "finished"


@pytest.fixture
def cluster(tmp_path):
    """The address of a scheduler and the processes of its two workers, as commands on loopback."""
    processes = []

    def start(*words):
        process = subprocess.Popen(
            [sys.executable, "-m", "distributed.cli." + words[0], *words[1:]], cwd=tmp_path,
            stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=os.environ | {"WGFPDE_NUM_THREADS": "1"},
        )  # fmt: skip
        processes.append(process)
        return process

    scheduler = start("dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
    address = next(found[0] for line in scheduler.stderr if (found := re.search(r"tcp://127\.0\.0\.1:\d+", line)))
    workers = [start("dask_worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard") for _ in range(2)]
    for process in processes:
        threading.Thread(target=process.stderr.read, daemon=True).start()  # so that no pipe fills
    yield address, workers
    for process in reversed(processes):
        process.kill()
        process.wait()


@pytest.mark.filterwarnings(WARNINGS)
def test_a_worker_that_is_killed_loses_no_run(cluster, tmp_path):
    address, workers = cluster
    plan = plan_of(8, "time.end=4", "grid.shape=[64]")
    engine = engine_for(plan, None, address)
    engine._client.wait_for_workers(2, timeout=60)

    class Killer:
        killed = False

        def begun(self, *_):
            pass

        working = begun

        def done(self, task, outcome):
            if not self.killed:
                workers[0].send_signal(signal.SIGKILL)
                self.killed = True

    watcher = Killer()
    found = sweep(plan, tmp_path / "D", Kept(folders=False), engine, watcher=watcher)
    assert watcher.killed and (found.finished, found.failed) == (8, 0)


@pytest.mark.filterwarnings(WARNINGS)
def test_a_worker_of_another_version_is_refused(cluster, monkeypatch):
    address, _ = cluster
    from wgfpde.studies.sweep.engines import dask_cluster

    monkeypatch.setattr(dask_cluster, "__version__", "9.9")
    with pytest.raises(CaseError, match=r"this is wgfpde 9\.9; install the same version everywhere"):
        engine_for(plan_of(2), None, address)


@pytest.mark.filterwarnings(WARNINGS)
def test_a_scheduler_that_is_not_there_is_a_sentence(monkeypatch):
    from wgfpde.studies.sweep.engines import dask_cluster

    monkeypatch.setattr(dask_cluster, "SECONDS", 1)
    for address in ("tcp://127.0.0.1:9", "nonsense://x"):
        with pytest.raises(CaseError, match="no scheduler with workers answered"):
            engine_for(plan_of(2), None, address)
