"""Run one ladder in a process of its own, watch its time, and judge what came back, in one way for all packages.

error    ‖ρ − ρ*‖₁ = Σ h |ρ_i − ρ*_i| over averages or centre values, whichever the unknowns are; |W₂ − W₂*|/W₂*
lowest   min ρ over the sampled states          drift   largest |mass/mass(0) − 1| over them
rise     largest E(t_{k+1}) − E(t_k) between them, over the range of E; E by the mid-point rule (`Problem.energy`)
"""

from __future__ import annotations

import json
import os
import queue
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ladders import Ladder
from problems import PROBLEMS, Problem, centres, exact_w2, formula

Array = np.ndarray
HERE = Path(__file__).resolve().parent


def starts(problem: Problem, n: int, points: bool) -> dict[str, Array]:
    """What a solver begins with."""
    if problem.kind == "w2":
        return {"a": problem.state(n, 0, points), "b": problem.state(n, 1, points)}
    axes = [centres(e) for e in problem.edges(n)]
    potential = formula(problem.potential or "0*x", axes)
    return {"rho": problem.state(n, problem.start, points), "potential": potential}


def judge(problem: Problem, n: int, points: bool, states: Array) -> dict[str, float]:
    """Error, sign, mass and energy of the states at the sample times."""
    if problem.kind == "w2":
        return {"error": abs(float(states[-1]) / exact_w2(problem.name) - 1)}
    first = problem.state(n, problem.start, points)
    exact = problem.state(n, problem.end, points)
    with np.errstate(all="ignore"):
        energies = np.array([problem.energy(rho) for rho in (first, *states)])
        masses = np.array([rho.sum() for rho in (first, *states)])
        return {
            "error": float(np.sum(np.abs(states[-1] - exact)) * problem.volume(n)),
            "lowest": float(states.min()),
            "drift": float(np.max(np.abs(masses / masses[0] - 1))),
            "rise": float(np.max(np.diff(energies)) / np.ptp(energies)),
        }


def environment(ladder: Ladder, cache: Path | None = None) -> dict[str, str]:
    """Threads as each package has them by default; BLAS gets one beside Numba's, where it is never the work."""
    path = os.pathsep.join(filter(None, [str(HERE.parents[2]), os.environ.get("PYTHONPATH", "")]))
    found = dict(os.environ) | {"PYTHONWARNINGS": "ignore", "PYTHONPATH": path}
    if ladder.peer == "wgfpde":
        found |= {"OPENBLAS_NUM_THREADS": "1"}
    if ladder.threads is not None:
        found |= {"WGFPDE_NUM_THREADS": str(ladder.threads), "NUMBA_NUM_THREADS": str(ladder.threads)}
    return found if cache is None else found | {"NUMBA_CACHE_DIR": str(cache)}


def run_ladder(
    ladder: Ladder, python: str, repeats: int, limit: float, count: int | None, tell: Callable[[str], None]
) -> list[dict[str, Any]]:
    """One row for each job; those beyond one that took longer than `limit` seconds in all are not tried."""
    problem, rows = PROBLEMS[ladder.problem], []
    jobs = ladder.jobs(repeats, count)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "jobs.json").write_text(json.dumps(jobs))
        for job in jobs:
            np.savez(folder / f"{job['key']}.start.npz", **starts(problem, job["n"], ladder.points))
        records = _watched(ladder, python, folder, limit)
        for job in jobs:
            settings = {key: job[key] for key in ("n", "steps", "options") if job.get(key)}
            row = {"problem": ladder.problem, "peer": ladder.peer, "way": ladder.way, "points": ladder.points}
            row |= {"n": job["n"], "settings": settings}
            record = next(records, {"failed": "not tried, since the job before it took too long"})
            if "failed" not in record:
                with np.load(folder / f"{job['key']}.states.npz") as file:
                    row |= judge(problem, job["n"], ladder.points, file["states"])
                record["seconds"] = statistics.median(record["all_seconds"])
                if not np.isfinite(row["error"]):
                    record["failed"] = "the solution is not finite"
            row |= {key: value for key, value in record.items() if key not in ("begin", "end")}
            rows.append(row)
            what = row.get("failed") or f"error {row['error']:.1e}, {row['seconds']:.3f} s"
            tell(f"  n = {job['n']}: {what}")
    return rows


def _watched(ladder: Ladder, python: str, folder: Path, limit: float) -> Iterator[dict[str, Any]]:
    """The records of the worker's jobs, in order, until it ends or one takes longer than `limit` seconds."""
    process = subprocess.Popen(
        [python, str(HERE / "worker.py"), str(folder)], env=environment(ladder), text=True,
        stdout=subprocess.PIPE, stderr=(folder / "stderr").open("w"),
    )  # fmt: skip
    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        for line in process.stdout or ():
            lines.put(line)
        lines.put("")

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        while True:
            try:
                line = lines.get(timeout=limit)
            except queue.Empty:
                yield {"failed": f"stopped after {limit:g} s", "wall_limit": limit}
                return
            if not line:
                tail = (folder / "stderr").read_text().strip().splitlines()[-1:]
                if process.wait() != 0:
                    yield {"failed": f"the worker ended with code {process.returncode}: {''.join(tail)}"[:300]}
                return
            record = json.loads(line) if line.startswith("{") else {}
            if "end" in record:
                yield record
    finally:
        process.kill()
        process.wait()


def run_process(ladder: Ladder, rung: int, python: str, limit: float) -> dict[str, Any]:
    """Wall seconds of a whole process that solves one job once: with an empty Numba cache, and again."""
    job = ladder.jobs(1)[rung]
    row: dict[str, Any] = {"problem": ladder.problem, "peer": ladder.peer, "way": ladder.way, "n": job["n"]}
    with tempfile.TemporaryDirectory() as name:
        folder, cache = Path(name), Path(name) / "cache"
        (folder / "jobs.json").write_text(json.dumps([job]))
        start = starts(PROBLEMS[ladder.problem], job["n"], ladder.points)
        np.savez(folder / f"{job['key']}.start.npz", **start)
        command = [python, str(HERE / "worker.py"), str(folder), "--once"]
        row |= _cold_and_warm(command, environment(ladder, cache), limit)
    return row


def run_command(case: Path, limit: float) -> dict[str, Any]:
    """The same for `wgfpde run` of a case file, with its output files."""
    with tempfile.TemporaryDirectory() as name:
        out = str(Path(name) / "out")
        command = [sys.executable, "-m", "wgfpde", "run", str(case), "--out", out, "--overwrite", "--quiet"]
        ladder = Ladder("well", "wgfpde", "command line", ())
        return {"problem": "well", "peer": "wgfpde", "way": "wgfpde run, with output", "n": 256} | _cold_and_warm(
            command, environment(ladder, Path(name) / "cache"), limit
        )


def _cold_and_warm(command: list[str], environ: dict[str, str], limit: float) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in ("first_run", "process"):
        begin = time.perf_counter()
        try:
            done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=limit)
        except subprocess.TimeoutExpired:
            return found | {"failed": f"stopped after {limit:g} s"}
        found[name] = time.perf_counter() - begin
        if done.returncode or '"failed"' in done.stdout:
            return found | {"failed": (done.stderr or done.stdout)[-300:]}
    return found
