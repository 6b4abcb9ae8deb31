"""The figures of the page "Beyond one machine": measured into one file of results, and from there into its table.

    python validation/benchmarks/beyond.py [--mpiexec PATH]     measures all, writes results/beyond.json and the table
    python validation/benchmarks/beyond.py --page               the table alone, from the file

Run it with nothing else going on; it ends within five minutes in any case.  The trial of slabs needs mpi4py, and PATH
of its mpiexec; the engine of dask needs dask.distributed.  What is not installed, or takes too long, is told as "not
measured", with the reason.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from wgfpde.errors import WgfpdeError

HERE = Path(__file__).resolve().parent
RESULTS, TABLE = HERE / "results" / "beyond.json", HERE.parents[1] / "docs" / "beyond_figures.csv"
SIZES = (512, 1024, 2048)
ENGINES = [
    ("this process", 1, None, False), ("this process", 1, None, True), ("two processes", 2, None, False),
    ("two processes", 2, None, True), ("dask by two workers", 2, "local", False),
]  # fmt: skip
"""(name, workers, dask, folders)."""
HOW = {False: "rows only", True: "a folder for each run"}
BUDGET, LEAST = 280.0, 5.0
"""Seconds of all together, on a machine under load too, and those that a row is given at least."""
LARGEST = 16384
"""Cells per axis that steps are extrapolated to."""
STEP = """
import json, re, sys, time
from pathlib import Path
from slabs import flow_on, start
from wgfpde.grid import Grid
from wgfpde.linear.threads import default_threads
from wgfpde.methods.finite_volumes.one_step import OneStep
peak = lambda: 1024 * int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])  # not the parent's
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


def slabs_of(mpiexec: str | None) -> dict[str, Any]:
    if mpiexec is None:
        raise NotMeasured("no --mpiexec was given")
    command = [mpiexec, "-n", "2", sys.executable, str(HERE / "slabs.py"), "2048", "5"]
    one = os.environ | {"WGFPDE_NUM_THREADS": "1"}
    found: dict[str, Any] = json.loads(
        subprocess.run(command, check=True, capture_output=True, text=True, env=one).stdout
    )
    return found


class NotMeasured(Exception):
    """Why a row has no figure."""


class TooLong(BaseException):
    """The time of a row is up.  No Exception: a run that it meets would count as failed, and the sweep would go on."""


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raises NotMeasured after so many seconds, where the system has an alarm."""

    def ring(*_: object) -> None:
        raise TooLong

    previous = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    except TooLong:
        raise NotMeasured(f"it took longer than {seconds:.0f} s") from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, previous)


def rows_of(mpiexec: str | None) -> list[tuple[str, Callable[[], Any]]]:
    """(what, how it is measured)."""
    import sweeps

    def engine(name: str, workers: int, dask: str | None, folders: bool) -> Callable[[], Any]:
        return lambda: sweeps.overhead(name, workers, dask, folders)

    rows = [
        (f"{name}, {HOW[folders]}", engine(name, workers, dask, folders)) for name, workers, dask, folders in ENGINES
    ]
    rows += [("speedup", sweeps.speedup), ("resume", sweeps.resuming)]
    rows += [(f"step {cells}", lambda cells=cells: step_of(cells)) for cells in SIZES]  # type: ignore[misc]
    return [*rows, ("slabs", lambda: slabs_of(mpiexec))]


def measured(mpiexec: str | None) -> dict[str, Any]:
    """All of it, within BUDGET seconds; what has no figure says why.  A stop keeps the rows that are there."""
    found: dict[str, Any] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"load {os.getloadavg()[0]:.1f} at the beginning",
        "rows": {},
    }
    rows, end = rows_of(mpiexec), time.monotonic() + BUDGET
    for k, (what, measure) in enumerate(rows):
        try:
            with limited(max(2 * (end - time.monotonic()) / (len(rows) - k + 1), LEAST)):
                found["rows"][what] = measure()
        except (NotMeasured, WgfpdeError, ImportError, OSError, subprocess.SubprocessError) as error:
            found["rows"][what] = {"why": str(error)}
            print(f"{what}: not measured: {error}")
        RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return found


def lines_of(found: dict[str, Any]) -> list[tuple[str, str]]:
    """(what, figure) of the table."""
    rows = found["rows"]
    lines = [("machine", found["machine"])]
    for what in rows:
        if "," in what:
            lines.append((what, _figure(rows[what], _overhead)))
    lines.append(("64 runs of desai_zwanzig_1d, two workers against one", _figure(rows["speedup"], _speedup)))
    taken = _figure(rows["resume"], lambda row: f"{row['seconds']:.1f} s")
    lines.append(("taking up a sweep of 10,000 runs that are done", taken))
    steps = [rows[what] for what in rows if what.startswith("step ")]
    for cells, row in zip(SIZES, steps, strict=False):
        text = _figure(
            row, lambda row: f"{row['step_s']:.3g} s, {row['bytes'] / row['cells_per_axis'] ** 2:.0f} B a cell"
        )
        lines.append((f"a step on {cells}²", text))
    if known := [row for row in steps if "why" not in row]:
        last = known[-1]
        share = (LARGEST / last["cells_per_axis"]) ** 2
        text = f"{last['step_s'] * share:.3g} s, {last['bytes'] * share / 2**30:.0f} GiB"
        lines.append((f"a step on {LARGEST}², extrapolated", text))
    cells = rows["slabs"].get("cells")
    what = f"a step of {cells:,} cells by two slabs" if cells else "a step by two slabs"
    return [*lines, (what, _figure(rows["slabs"], _slabs))]


def _figure(row: dict[str, Any], text: Callable[[dict[str, Any]], str]) -> str:
    return f"not measured: {row['why']}" if "why" in row else text(row)


def _overhead(row: dict[str, Any]) -> str:
    return f"{row['overhead_ms']:.1f} ms a run, {row['runs_per_s']:.0f} runs/s, first runs after {row['start_s']:.1f} s"


def _speedup(row: dict[str, Any]) -> str:
    return f"{row['one_worker_s'] / row['two_workers_s']:.2f} times as fast"


def _slabs(row: dict[str, Any]) -> str:
    how = "bits equal" if row["bits_equal"] else f"off by {row['largest_difference']:.3g}"
    return (
        f"{how}; {row['step_alone_s']:.3g} s alone, {row['sweeps_s']:.3g} s sweeps and {row['transposes_s']:.3g} s "
        "transposes"
    )


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
