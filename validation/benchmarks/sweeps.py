"""What a sweep costs beside its runs: overhead of a task by each engine, runs a second, speed-up, resuming.

    python validation/benchmarks/sweeps.py [serial] [pool] [dask] [speedup] [resume]        all of them by default

overhead : wall time of a sweep by one worker, less the march itself as each run measured it, per run; the workers are
warm, the start of the engine is given apart.   Times are of this machine as it was: run it with nothing else going on.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

from wgfpde.cases.loading import load
from wgfpde.cases.varying import vary
from wgfpde.studies.sweep import Kept, Plan, goes_on, sweep
from wgfpde.studies.sweep.engines.choice import engine_for
from wgfpde.studies.sweep.journal import Appender, Journal
from wgfpde.studies.sweep.outcome import Outcome
from wgfpde.studies.sweep.sweep_folder import write_known

SHORT = 30.0
"""Seconds from which on two sweeps are not done a second time."""
SMALL = ["grid.shape=[100]", "time.end=1", "output.every=1"]


def plan_of(name: str, overrides: list[str], *items: str) -> Plan:
    case = load(name, overrides)
    return Plan(case, tuple(vary(list(items), case, together=False)))


def timed(plan: Plan, kept: Kept, workers: int, dask: str | None = None) -> tuple[float, float, float]:
    """(seconds until the first run was done, seconds of all the rest, their march)."""
    first: list[float] = []

    class Clock:
        def begun(self, *_: object) -> None:
            pass

        working = begun

        def done(self, *_: object) -> None:
            first.append(time.perf_counter())

    folder = Path(tempfile.mkdtemp()) / "S"
    start = time.perf_counter()
    sweep(plan, folder, kept, engine_for(plan, workers, dask), watcher=Clock())
    end = first[-1]
    journal = Journal(folder)
    outcomes = [journal.read(plan.digest(k)) for k in range(plan.count)]
    march = sum(o.wall_seconds for o in outcomes if o is not None) * (len(first) - workers) / len(first)
    shutil.rmtree(folder.parent)
    warm = first[workers - 1]
    return warm - start, end - warm, march


def overhead(label: str, workers: int, dask: str | None, folders: bool) -> dict[str, object]:
    plan = plan_of("double_well_1d", SMALL, f"energy.internal.kappa=0.5:1:{40 if folders else 400}")
    start, rest, march = timed(plan, Kept(folders=folders), workers, dask)
    each = (rest * workers - march) / (plan.count - workers)
    how = "with folders" if folders else "without"
    rate = (plan.count - workers) / rest
    print(f"{label:<18}{how:<14}start {start:5.2f} s   {rate:7.1f} runs/s   overhead {1e3 * each:6.2f} ms a run")
    return {"engine": label, "folders": folders, "start_s": start, "runs_per_s": rate, "overhead_ms": 1e3 * each}


def speedup() -> dict[str, float]:
    plan = plan_of("desai_zwanzig_1d", [], "params.theta=0.5:1.5:64")
    took = {}
    for workers in (1, 2, 1, 2):
        if workers in took and sum(took.values()) > SHORT:
            break
        start = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            sweep(plan, Path(folder) / "S", Kept(folders=True), engine_for(plan, workers))
        took[workers] = min(took.get(workers, 1e9), time.perf_counter() - start)
    print(
        f"64 runs of desai_zwanzig_1d: {took[1]:.2f} s by one worker, {took[2]:.2f} s by two: {took[1] / took[2]:.2f}"
    )
    return {"one_worker_s": took[1], "two_workers_s": took[2]}


def resuming() -> dict[str, float]:
    plan = plan_of("heat_1d", ["grid.shape=[100]"], "energy.internal.kappa=0.5:1:100", "time.end=0.1:1:100")
    folder = Path(tempfile.mkdtemp()) / "S"
    folder.mkdir()
    write_known(folder, plan, Kept(folders=False))
    numbers = {f"number_{n}": 1 / 3 + n for n in range(20)}
    with Appender(folder / "rows.jsonl") as rows:
        for k in range(plan.count):
            rows.append(Outcome(plan.digest(k), "finished", "reached t = 1.", "", 100, 0.01, 1.0, numbers))
    start = time.perf_counter()
    goes_on(folder)
    took = time.perf_counter() - start
    print(f"a sweep of {plan.count} runs that are done is taken up in {took:.2f} s")
    shutil.rmtree(folder.parent)
    return {"runs": plan.count, "seconds": took}


def main(names: list[str]) -> None:
    chosen = names or ["serial", "pool", "dask", "speedup", "resume"]
    if "serial" in chosen:
        overhead("this process", 1, None, False)
        overhead("this process", 1, None, True)
    if "pool" in chosen:
        overhead("two processes", 2, None, False)
        overhead("two processes", 2, None, True)
    if "dask" in chosen:
        overhead("dask, two local", 2, "local", False)
    if "speedup" in chosen:
        speedup()
    if "resume" in chosen:
        resuming()


if __name__ == "__main__":
    main(sys.argv[1:])
