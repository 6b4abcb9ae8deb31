"""The figures of the page "Beyond one machine": measured into one file of results, and from there into its table.

    python validation/benchmarks/beyond.py [--mpiexec PATH]     measures all, writes results/beyond.json and the table
    python validation/benchmarks/beyond.py --page               the table alone, from the file

Run it with nothing else going on.  The trial of slabs needs mpi4py, and PATH of its mpiexec; the engine of dask needs
dask.distributed.  What is not installed is told as "not measured".
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
RESULTS, TABLE = HERE / "results" / "beyond.json", HERE.parents[1] / "docs" / "beyond_figures.csv"
SIZES = (512, 1024, 2048)
ENGINES = "this process", "two processes", "dask, two local"
LARGEST = 16384
"""Cells per axis that steps are extrapolated to."""
STEP = """
import json, resource, sys, time
from slabs import flow_on, start
from wgfpde.grid import Grid
from wgfpde.linear.threads import default_threads
from wgfpde.methods.finite_volumes.one_step import OneStep
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
took, before = [], 0
for cells in (16, int(sys.argv[1])):
    before = peak()
    grid = Grid([-3.0, -4.0], [3.0, 4.0], [cells, cells])
    one, rho = OneStep(flow_on(grid), 2, default_threads()), start(grid)
    for _ in range(4):
        begin = time.perf_counter()
        rho = one._prepare_and_split(rho, 1e-3, 2, False)[0]
        took.append(time.perf_counter() - begin)
print(json.dumps({"cells_per_axis": cells, "step_s": min(took[5:]), "bytes": peak() - before}))
"""


def step_of(cells: int) -> dict[str, float]:
    """Seconds of a step and bytes of a grid, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", STEP, str(cells)], cwd=HERE, check=True, capture_output=True, text=True
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def slabs_of(mpiexec: str | None) -> dict[str, Any] | None:
    if mpiexec is None:
        return None
    command = [mpiexec, "-n", "2", sys.executable, str(HERE / "slabs.py"), "2048", "5"]
    one = os.environ | {"WGFPDE_NUM_THREADS": "1"}
    found: dict[str, Any] = json.loads(
        subprocess.run(command, check=True, capture_output=True, text=True, env=one).stdout
    )
    return found


def measured(mpiexec: str | None) -> dict[str, Any]:
    """All of it; minutes."""
    import sweeps

    engines = [("this process", 1, None, folders) for folders in (False, True)]
    engines += [("two processes", 2, None, folders) for folders in (False, True)]
    try:
        import distributed  # noqa: F401

        engines.append(("dask, two local", 2, "local", False))
    except ImportError as error:
        print(f"dask is not measured: {error}")
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"load {os.getloadavg()[0]:.1f} at the beginning",
        "overhead": [sweeps.overhead(*engine) for engine in engines], "speedup": sweeps.speedup(),
        "resume": sweeps.resuming(), "steps": [step_of(cells) for cells in SIZES], "slabs": slabs_of(mpiexec),
    }  # fmt: skip


def lines_of(found: dict[str, Any]) -> list[tuple[str, str]]:
    """(what, figure) of the table."""
    lines = [("machine", found["machine"])]
    for row in found["overhead"]:
        how = "a folder for each run" if row["folders"] else "rows only"
        text = f"{row['overhead_ms']:.1f} ms a run, {row['runs_per_s']:.0f} runs/s"
        text += f", first runs after {row['start_s']:.1f} s"
        lines.append((f"{row['engine']}, {how}", text))
    known = {row["engine"] for row in found["overhead"]}
    lines += [(f"{name}, rows only", "not measured") for name in ENGINES if name not in known]
    two, again = found["speedup"], found["resume"]
    text = "not measured" if two is None else f"{two['one_worker_s'] / two['two_workers_s']:.2f} times as fast"
    lines.append(("64 runs of desai_zwanzig_1d, two workers against one", text))
    text = "not measured" if again is None else f"{again['seconds']:.1f} s"
    lines.append(("taking up a sweep of 10,000 runs that are done", text))
    for row in found["steps"]:
        n = row["cells_per_axis"]
        lines.append((f"a step on {n}²", f"{row['step_s']:.3g} s, {row['bytes'] / n**2:.0f} B a cell"))
    last = found["steps"][-1]
    share = (LARGEST / last["cells_per_axis"]) ** 2
    text = f"{last['step_s'] * share:.3g} s, {last['bytes'] * share / 2**30:.0f} GiB"
    lines.append((f"a step on {LARGEST}², extrapolated", text))
    slabs = found["slabs"]
    if slabs is None:
        return [*lines, ("two slabs", "not measured")]
    how = "bits equal" if slabs["bits_equal"] else f"off by {slabs['largest_difference']:.3g}"
    took = f"{slabs['step_alone_s']:.3g} s alone, {slabs['sweeps_s']:.3g} s sweeps and {slabs['transposes_s']:.3g} s"
    return [*lines, (f"a step of {slabs['cells']:,} cells by two slabs", f"{how}; {took} transposes")]


def write_page(found: dict[str, Any], table: Path = TABLE) -> None:
    with table.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows([("what", "measured"), *lines_of(found)])


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", action="store_true", help="write the table alone")
    parser.add_argument("--mpiexec", help="the launcher of MPI, for the trial of slabs")
    args = parser.parse_args(arguments)
    if not args.page:
        RESULTS.write_text(json.dumps(measured(args.mpiexec), indent=1) + "\n", encoding="utf-8")
    write_page(json.loads(RESULTS.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main(sys.argv[1:])
