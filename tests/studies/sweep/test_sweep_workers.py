"""Who does the runs of a sweep: handfuls of them, workers of dask, an array of Slurm; and of a study of orders."""

import os
import subprocess
import sys

import pytest

from wgfpde.cases.loading import load
from wgfpde.cli import main
from wgfpde.studies.sweep.engines.dask_cluster import _outcomes
from wgfpde.studies.sweep.engines.engine import Handfuls
from wgfpde.studies.sweep.one_run import Task
from wgfpde.studies.sweep.outcome import Outcome

SHORT = ["grid.shape=[24]", "time.end=0.4", "output.every=0.2", "solver.tolerance=1e-3"]
CASE = "desai_zwanzig_1d"


def test_a_slurm_script_does_the_whole_sweep(tmp_path, capsys, monkeypatch):
    """The script as Slurm runs it: once for each element, with its number in the environment."""
    monkeypatch.chdir(tmp_path)
    args = ["sweep", CASE, *(part for text in SHORT for part in ("--set", text)), "--vary", "params.theta=0.5:1.5:3"]
    assert main([*args, "--out", "S", "--no-folders", "--slurm", "--shares", "2"]) == 0
    assert "sbatch sweep.slurm" in capsys.readouterr().out
    text = (tmp_path / "sweep.slurm").read_text()
    assert "#SBATCH --array=1-2" in text
    (tmp_path / "wgfpde").write_text(f'#!/bin/sh\nexec {sys.executable} -m wgfpde "$@"\n')
    (tmp_path / "wgfpde").chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    for k in (1, 2):
        done = subprocess.run(["bash", "sweep.slurm"], env=os.environ | {"SLURM_ARRAY_TASK_ID": str(k), "PATH": path})
        assert done.returncode == 0
    assert main(["resume", "S", "--quiet"]) == 0
    assert "3 of 3 runs, 3 of them before" in capsys.readouterr().out
    assert main([*args, "--slurm"]) == 2 and "exists and is kept" in capsys.readouterr().err
    assert main([*args, "--slurm", "x.slurm", "--shares", "9"]) == 2


def test_a_count_of_shares_is_refused_by_its_name(capsys):
    assert main(["sweep", CASE, "--vary", "params.theta=1,2", "--slurm", "--shares", "0"]) == 2
    assert "--shares: expected a number of shares, from 1 to 4096; found '0'" in capsys.readouterr().err


def test_a_study_of_orders_by_two_processes_is_that_by_one(tmp_path):
    from wgfpde.studies.convergence import converge

    case = load("heat_1d", ["time.end=0.02", "output.every=0.02", "solver.dt=2e-3"])
    both = [
        converge(case, "grid.shape=8,16,32", tmp_path / f"by-{workers}", workers=workers, overwrite=overwrite)
        for workers, overwrite in ((1, False), (2, False), (2, True))
    ]
    assert both[0].fitted == both[1].fitted == both[2].fitted and both[0].fitted["l1"] > 1.8


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_small_runs_go_in_handfuls_that_get_smaller_towards_the_end(workers):
    class Tasks:
        def __init__(self, count):
            self.left = count

        def __iter__(self):
            return self

        def __next__(self):
            if not self.left:
                raise StopIteration
            self.left -= 1
            return self.left

        def __length_hint__(self):
            return self.left

    handfuls, tasks, counts = Handfuls(workers), Tasks(1000), []
    while chosen := handfuls.next(tasks):
        counts.append(len(chosen))
        assert len(chosen) <= 1 + (tasks.left + len(chosen)) / (2 * workers)
        handfuls.done([Outcome(str(k), "finished", wall_seconds=1e-3) for k in chosen])
    assert sum(counts) == 1000 and counts[:3] == [1, 2, 4] and max(counts) == 64 and counts[-1] <= 2
    handfuls.done([Outcome("slow", "finished", wall_seconds=5.0)])
    assert len(handfuls.next(Tasks(1000))) == 1


def test_of_a_handful_that_no_worker_of_dask_could_do_each_is_tried_alone():
    class Dead:
        def result(self):
            raise OSError("killed")

    one, two = (Task(k, str(k), {}, "") for k in range(2))
    assert _outcomes(Dead(), [one, two]) is None
    (failed,) = _outcomes(Dead(), [one])
    assert (failed.digest, failed.status, failed.message) == ("0", "failed", "no worker could do it: killed")
