"""One ladder of one package, in an interpreter that has it:  python worker.py FOLDER [--once]

FOLDER holds `jobs.json`, a list of jobs in order of size, and what each starts from, `K.start.npz`.  For each job the
module `adapter_NAME` of its package makes a solver, which marches

    1. through `samples` times, unmeasured: this compiles, and its densities, in `K.states.npz`, tell mass and energy;
    2. to the end, `repeats` times (fewer where that takes long), measured.

A line of JSON goes to stdout when a job begins and when it ends, so that whoever reads can stop one that takes too
long.  With --once a job is marched to the end one time and nothing else: for the seconds of a whole process.
Needs NumPy and the package; the solution is not known here.
"""

from __future__ import annotations

import importlib
import json
import resource
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import numpy as np

LONG = 3.0
"""Seconds of a solve beyond which it is repeated once only."""


def tell(**record: Any) -> None:
    print(json.dumps(record), flush=True)


def peak_mib() -> float:
    """Peak memory of this process, MiB (ru_maxrss is in KiB on Linux and in bytes on macOS)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024**2 if sys.platform == "darwin" else 1024)


def do(job: dict[str, Any], start: dict[str, np.ndarray], once: bool) -> tuple[dict[str, Any], np.ndarray]:
    """What was measured, and the states at the sample times (the last one from the measured solve)."""
    adapter = importlib.import_module(f"adapter_{job['adapter']}")
    begin = time.perf_counter()
    solver = adapter.prepare(job, start)
    setup = time.perf_counter() - begin
    t0, t1 = job["start"], job["end"]
    begin = time.perf_counter()
    times = [t1] if once else [t0 + (t1 - t0) * k / job["samples"] for k in range(1, job["samples"] + 1)]
    states = solver.march(times)
    first = time.perf_counter() - begin
    seconds: list[float] = []
    while not once and len(seconds) < (job["repeats"] if not seconds or seconds[0] < LONG else 1):
        begin = time.perf_counter()
        final = solver.march([t1])[-1]
        seconds.append(time.perf_counter() - begin)
        states[-1] = final
    record = {"setup": setup, "first": first, "all_seconds": seconds, "steps": int(solver.steps)}
    return record | {"note": getattr(solver, "note", "")}, np.asarray(states)


def main() -> None:
    folder, once = Path(sys.argv[1]), "--once" in sys.argv
    jobs = json.loads((folder / "jobs.json").read_text())
    for job in jobs:
        key = job["key"]
        tell(begin=key)
        try:
            with np.load(folder / f"{key}.start.npz") as file:
                start = dict(file)
            with np.errstate(all="ignore"):
                record, states = do(job, start, once)
        except Exception as error:  # any failure of a package is a result
            reason = str(error).strip().splitlines()
            tell(end=key, failed=f"{type(error).__name__}: {reason[0] if reason else ''}"[:300])
            traceback.print_exc()
            continue
        np.savez(folder / f"{key}.states.npz", states=states)
        tell(end=key, peak_mib=peak_mib(), **record)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    main()
