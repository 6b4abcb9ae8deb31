"""One step on 64² … 4096² cells by one and two threads: time, memory, and how far from the bandwidth of the memory.

Every row is a process of its own, so that its peak memory is its own.  Steps are marched, not repeated; a row gives the
fastest of them with that step's own counts, as other work on the machine can only slow a step down.

The bound of a step is what its passes over arrays of the grid's size must move, at the bandwidth that the triad of
module `triad` has with as many threads.  Each kernel or NumPy operation counts every such array that it reads once and
every one that it writes once; blocks of grid lines that live in cache do not count.  Arrays moved by

    finite volumes   three sweeps of ρ read, ρ written, and rates a, b (m = 1) or Φ (m = 2) read; ρ copied; ρ, Φ in E
    interaction      for each of c convolutions all of that, the rates of both axes, the transforms (two passes along y
                     of the padded complex array, two along x of its filled half, one product), the mixing by depth
    JKO              26 a CG iteration (operator, and a V-cycle with 1/3 for its coarser levels), 67 a Newton iteration
                     (coefficients, levels, dual values), 100 a step (start and certificate)

A grid is left out, and its row says so, where the one before took so long that this one would pass the limit.
Rows, the machine, its triad and the versions go to results/scaling.json beside this file.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import triad
from timing import table

from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.snapshot import Report, Snapshot, Stepper
from wgfpde.grid import Array, Grid
from wgfpde.methods.finite_volumes.stepper import FiniteVolumes
from wgfpde.methods.jko.stepper import Jko
from wgfpde.runs.git_commit import own_commit
from wgfpde.runs.provenance import PACKAGES, version

SIDES = (64, 128, 256, 512, 1024, 2048, 4096)
RESULTS = Path(__file__).resolve().parent / "results" / "scaling.json"
GROWTH = 4.4
"""Time of a row over that of the row with half its cells per side."""


@dataclass(frozen=True)
class Equation:
    """title : in tables.   method : "fv" or "jko".   m : exponent.   kernel : of the interaction.   dt : the step."""

    title: str
    method: str
    m: int
    dt: float
    kernel: str = ""


EQUATIONS = {
    "entropy": Equation("FV, Fokker–Planck", "fv", 1, 0.01),
    "power": Equation("FV, m = 2, drift, vacuum", "fv", 2, 1e-3),
    "quadratic": Equation("FV, McKean–Vlasov r²/2", "fv", 1, 0.01, "quadratic"),
    "log": Equation("FV, McKean–Vlasov 2 log r", "fv", 1, 0.01, "log"),
    "jko": Equation("JKO, Fokker–Planck", "jko", 1, 0.01),
    "jko_power": Equation("JKO, m = 2, drift, vacuum", "jko", 2, 1e-3),
}
KERNELS = {"quadratic": lambda x, y: (x**2 + y**2) / 2, "log": lambda x, y: 2 * np.log(np.hypot(x, y))}


def problem(equation: Equation, n: int, threads: int) -> tuple[Stepper, Array]:
    """The stepper and the density it starts from: a double well on [−3, 3] × [−4, 4]."""
    grid = Grid([-3, -4], [3, 4], [n, n])
    internal = Internal("entropy") if equation.m == 1 else Internal("power", 1.0, float(equation.m))
    energy = Energy(internal, lambda x, y: (x**2 - 1) ** 2 + y**2 / 2, KERNELS.get(equation.kernel))
    flow = Flow(grid, energy, threads)
    c = grid.coordinates()
    r2 = c["x"] ** 2 + c["y"] ** 2
    rho = np.exp(-2 * r2) if equation.m == 1 else np.maximum(1 - r2, 0)
    rho /= flow.mass(rho)
    if equation.method == "fv":
        return FiniteVolumes(flow, dt=equation.dt, threads=threads), rho
    return Jko(flow, equation.dt, threads=threads), rho


def arrays_moved(equation: Equation, n: int, report: Report) -> float:
    """Arrays of the grid's size that the passes of one step read and write; see above."""
    if equation.method == "jko":
        return 26.0 * report.linear + 67.0 * report.iterations + 100.0
    sweeps = 3 * (4 if equation.m == 1 else 3) + 2
    if not equation.kernel:
        return sweeps + 2.0
    import ducc0

    side = int(ducc0.fft.good_size(2 * n - 1, True))
    spectrum = side * (side // 2 + 1) / n**2  # real numbers: half as many complex ones take twice the bytes
    transforms = 1 + side / n + spectrum * (1 + 4 + 2.5) + spectrum + 4 * spectrum * n / side + 2 * side / n + 2
    depths = [min(k, 3) for k in range(report.outer - 1)]  # of the mixing, which is called but after the last one
    mixing = sum(5 + 8 * d + 2 * d * d for d in depths)
    return report.outer * (8 + 6 + sweeps + transforms + 12) + mixing + 5 + 4.0


def measure(name: str, n: int, threads: int, seconds: float) -> dict[str, Any]:
    """March one equation on n² cells for at least two steps and about `seconds`; the fastest step and the memory."""
    equation = EQUATIONS[name]
    problem(equation, 8, threads)[0].warm_up()
    before, begin = _peak_bytes(), time.perf_counter()
    stepper, rho = problem(equation, n, threads)
    snapshot = stepper.step(Snapshot(0.0, 0, {"rho": rho}), 1e6)  # the first step has no step before to start from
    ready = time.perf_counter() - begin
    best, best_cpu, report, steps, spent = np.inf, np.inf, snapshot.report, 0, 0.0
    while steps < 2 or spent < seconds:
        start, start_cpu = time.perf_counter(), time.process_time()
        snapshot = stepper.step(snapshot, 1e6)
        wall, cpu = time.perf_counter() - start, time.process_time() - start_cpu
        steps, spent, best_cpu = steps + 1, spent + wall, min(best_cpu, cpu)
        if wall < best:
            best, report = wall, snapshot.report
    return {
        "name": name, "n": n, "threads": threads, "steps": steps, "seconds": best, "cpu_seconds": best_cpu,
        "nanoseconds_per_cell": best / n**2 * 1e9, "convolutions": report.outer, "newton": report.iterations,
        "linear": report.linear, "arrays_held": (_peak_bytes() - before) / (8 * n**2),
        "arrays_moved": arrays_moved(equation, n, report),
        "needed_seconds": ready + 2 * best,
    }  # fmt: skip


def _peak_bytes() -> int:
    """Largest resident memory so far.  getrusage would count that of the process that started this one, too."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return 1024 * int(line.split()[1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def add_bound(row: dict[str, Any], rates: dict[int, float]) -> dict[str, Any]:
    """The row with the seconds its arrays need at the triad's bandwidth, and their share of the step's."""
    if "skipped" in row:
        return row
    bound = row["arrays_moved"] * 8 * row["n"] ** 2 / rates[row["threads"]]
    return row | {"bound_seconds": bound, "share_of_bandwidth": bound / row["seconds"]}


def rows(names: list[str], threads: list[int], largest: int, limit: float, seconds: float) -> Iterator[dict[str, Any]]:
    """All rows, the grids of an equation in rising order until one would take longer than `limit` seconds."""
    for name in names:
        for count in threads:
            last = 0.0
            for n in (side for side in SIDES if side <= largest):
                expected = GROWTH * last
                if expected > limit:
                    note = f"would take about {expected:.0f} s, the limit is {limit:g} s"
                    yield {"name": name, "n": n, "threads": count, "skipped": note}
                    break
                row = _in_process(name, n, count, seconds)
                yield row
                last = row.get("needed_seconds", np.inf)


def _in_process(name: str, n: int, threads: int, seconds: float) -> dict[str, Any]:
    """`measure` in a process of its own; a row that says why where it fails."""
    command = [sys.executable, __file__, "--row", name, str(n), str(threads), str(seconds)]
    environment = os.environ | {"WGFPDE_NUM_THREADS": str(threads)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        return {"name": name, "n": n, "threads": threads, "skipped": f"failed: {last}"}
    return json.loads(done.stdout)


def machine() -> dict[str, Any]:
    """What the numbers depend on beside the code."""
    info = Path("/proc/cpuinfo")
    model = [line for line in info.read_text().splitlines() if "model name" in line] if info.exists() else []
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, {model[0].split(':')[1].strip() if model else platform.processor()}",
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": {package: version(package) for package in PACKAGES},
        "git": own_commit(),
    }


def show(found: list[dict[str, Any]]) -> None:
    """One table per equation."""
    head = [
        "grid",
        "threads",
        "ms",
        "CPU ms",
        "ns/cell",
        "speed-up",
        "W∗ρ",
        "Newton",
        "CG",
        "held",
        "moved",
        "of bandwidth",
    ]
    for name, equation in EQUATIONS.items():
        mine = [row for row in found if row["name"] == name]
        single = {row["n"]: row["seconds"] for row in mine if row["threads"] == 1 and "seconds" in row}
        lines = [[f"{r['n']}²", str(r["threads"]), *_cells(r, single)] for r in mine]
        if lines:
            table(f"{equation.title}, one step of {equation.dt:g}", head, lines)
        for row in mine:
            if "skipped" in row:
                print(f"  {row['n']}², {row['threads']} threads: left out, {row['skipped']}")


def _cells(row: dict[str, Any], single: dict[int, float]) -> list[str]:
    if "skipped" in row:
        return ["–"] * 10
    faster = single[row["n"]] / row["seconds"] if row["n"] in single else np.nan
    held = f"{row['arrays_held']:.1f}" if row["n"] >= 512 else "–"  # below, the allocator hides it
    return [
        f"{row['seconds'] * 1e3:.2f}", f"{row['cpu_seconds'] * 1e3:.2f}", f"{row['nanoseconds_per_cell']:.1f}",
        f"{faster:.2f}", str(row["convolutions"]), str(row["newton"]), str(row["linear"]), held,
        f"{row['arrays_moved']:.0f}", f"{row['share_of_bandwidth']:.0%}",
    ]  # fmt: skip


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Time and memory of one step as the grid grows.")
    parser.add_argument("--quick", action="store_true", help="up to 256², a tenth of a second a row")
    parser.add_argument("--threads", default="1,2", help="numbers of threads, as 1,2")
    parser.add_argument("--names", default=",".join(EQUATIONS), help=f"of {', '.join(EQUATIONS)}")
    parser.add_argument("--largest", type=int, default=SIDES[-1], help="cells per side")
    parser.add_argument("--limit", type=float, default=15.0, help="seconds that a row may take")
    parser.add_argument("--out", type=Path, default=RESULTS, help="the JSON file")
    parser.add_argument("--row", nargs=4, metavar=("NAME", "N", "THREADS", "SECONDS"), help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.row:
        name, n, count, seconds = asked.row
        print(json.dumps(measure(name, int(n), int(count), float(seconds))))
        return
    threads, names = [int(text) for text in asked.threads.split(",")], asked.names.split(",")
    if unknown := set(names) - set(EQUATIONS):
        parser.error(f"--names takes {', '.join(EQUATIONS)}; found {', '.join(sorted(unknown))}")
    largest, seconds = (min(asked.largest, 256), 0.1) if asked.quick else (asked.largest, 0.7)
    speeds = triad.measure(tuple(threads), asked.quick)
    rates = {int(s["threads"]): 1e9 * float(s["gigabytes_per_second"]) for s in speeds if s["place"] == "memory"}
    found = []
    for row in rows(names, threads, largest, asked.limit, seconds):
        found.append(add_bound(row, rates))
        print(f"\r{len(found)} rows, last {row['name']} {row['n']}² \033[K", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    show(found)
    for speed in speeds:
        print(f"triad, {speed['place']}, {speed['threads']} threads: {speed['gigabytes_per_second']:.1f} GB/s")
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps(machine() | {"triad": speeds, "rows": found}, indent=1) + "\n")
    print(f"rows in {asked.out}")


if __name__ == "__main__":
    main()
