"""The kernels of a finite-volume step beside what the machine can do: bytes and operations of a cell, counted.

    python validation/benchmarks/roofline.py [--quick] [--sides 256,1024,4096] [--threads 1,2] [--out FILE]

    attainable = max(bytes/bandwidth, operations/peak)        roof of a kernel, seconds a cell
    bandwidth    of the triad (module `triad`) in memory, with as many threads
    peak         of products and sums on numbers that stay in the first-level cache, with as many threads

Bytes are those of arrays of the grid's size, each read or written once (as in module `scaling`); what a block of lines
holds in cache is free.  Operations are counted by running the kernel itself on numbers that count (module `counted`),
on a small grid, so that they change with the kernel; logarithms and exponentials are one each, which is in favour of
the machine.  Recurrences along lines, divisions and functions keep a kernel below its roof.
Reference: Williams, Waterman, Patterson (2009), Roofline: an insightful visual performance model.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import triad
from numba import njit
from timing import table

from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.grid import Array, Grid
from wgfpde.linear.threads import SERIAL_CELLS, share
from wgfpde.methods.finite_volumes.one_step import OneStep
from wgfpde.methods.finite_volumes.schemes import Cost

RESULTS = Path(__file__).resolve().parent / "results" / "roofline.json"
LARGEST_POWER = 1024
"""Cells a side beyond which the sweeps of power laws, which take ten times as long, are left out."""
COUNTED = 24
"""Cells a side on which operations are counted."""
BYTES = {
    "rates": 2 * 3 * 8, "sweep x": 4 * 8, "sweep y": 4 * 8, "energy": 2 * 8,
    "power sweep x": 3 * 8, "power sweep y": 3 * 8,
}  # fmt: skip
"""A cell: Φ read, a, b written, each axis; ρ, a, b read, ρ written; ρ, Φ read; ρ, Φ read, ρ written."""


def calls(n: int, threads: int, dress: Callable[[Array], Array] = np.asarray) -> dict[str, Callable[[], Any]]:
    """Each kernel on n² cells of a double well, as a step calls it.   dress : what the arrays are made of."""
    found: dict[str, Callable[[], Any]] = {}
    for m, names in ((1, ("sweep x", "sweep y")), (2, ("power sweep x", "power sweep y"))):
        flow, rho = _problem(n, m, threads)
        one = OneStep(flow, 2, threads)
        potential = dress(one.potential)
        one._scheme.prepare(potential)
        one._phi = potential
        for name, lines in zip(names, one.axes, strict=True):
            found[name] = lambda one=one, lines=lines, rho=rho: one._scheme.sweep(
                dress(rho.copy()), lines, 0.01 if one.flow.internal.m == 1 else 1e-3, 2, False, Cost()
            )
        if m == 1:
            found["rates"] = lambda one=one, potential=potential: one._scheme.prepare(potential)
            density = dress(rho)
            found["energy"] = lambda one=one, density=density: one._energy(density)
    return found


def _problem(n: int, m: int, threads: int) -> tuple[Flow, Array]:
    grid = Grid([-3, -4], [3, 4], [n, n])
    internal = Internal("entropy") if m == 1 else Internal("power", 1.0, float(m))
    flow = Flow(grid, Energy(internal, lambda x, y: (x**2 - 1) ** 2 + y**2 / 2), threads)
    c = grid.coordinates()
    rho = np.exp(-(c["x"] ** 2 + c["y"] ** 2) / 2) if m == 1 else np.maximum(4 - c["x"] ** 2 - c["y"] ** 2, 0)
    return flow, rho / flow.mass(rho)


def count() -> dict[str, dict[str, float]]:
    """Operations of a cell, by kind; to be called in a process without compilation.

    Empty for a kernel that does what numbers that count cannot, such as to take a number by its bits.
    """
    import counted

    counted.replace_libraries()
    found = {}
    for name, call in calls(COUNTED, 1, counted.counting).items():
        try:
            done = counted.operations(call)
        except (TypeError, AttributeError):
            done = {}
        found[name] = {kind: number / COUNTED**2 for kind, number in sorted(done.items())}
    return found


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _multiply_add(first, last, x, s, passes):
    """x = x s + s on the rows first … last of (rows, n), `passes` times: two operations a number."""
    for j in range(first, last):
        for _ in range(passes):
            for i in range(x.shape[1]):
                x[j, i] = x[j, i] * s + s


def peak(threads: int, passes: int = 200_000) -> float:
    """Products and sums a second on 64 numbers a thread: the best of five."""
    x, best = np.ones((threads, 64)), np.inf
    for _ in range(6):  # the first one compiles
        begin = time.perf_counter()
        share(_multiply_add, threads, SERIAL_CELLS, threads, x, 0.5, passes)
        best = min(best, time.perf_counter() - begin)
    return 2.0 * x.size * passes / best


def seconds(call: Callable[[], Any], wanted: float) -> float:
    """The fastest of calls that take about `wanted` seconds together, three at least."""
    call()
    best, spent, done = np.inf, 0.0, 0
    while done < 3 or spent < wanted:
        begin = time.perf_counter()
        call()
        last = time.perf_counter() - begin
        best, spent, done = min(best, last), spent + last, done + 1
    return best


def row(name: str, n: int, threads: int, taken: float, operations: dict[str, float], rates: dict[str, float]) -> dict:
    """A kernel beside its roof.   rates : "bandwidth", bytes/s, and "peak", operations/s, with as many threads."""
    every = sum(operations.values())
    by_bytes, by_operations = BYTES[name] / rates["bandwidth"], every / rates["peak"]
    return {
        "kernel": name, "n": n, "threads": threads, "nanoseconds_per_cell": taken / n**2 * 1e9, "bytes": BYTES[name],
        "operations": every, "kinds": operations, "roof_nanoseconds": max(by_bytes, by_operations) * 1e9,
        "bound": "memory" if by_bytes > by_operations else "arithmetic",
        "share_of_roof": max(by_bytes, by_operations) * n**2 / taken,
    }  # fmt: skip


def counts_of_child() -> dict[str, dict[str, float]]:
    """`count` in a process of its own, in which nothing is compiled."""
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run([sys.executable, __file__, "--count"], capture_output=True, text=True, env=environment)
    if done.returncode:
        raise SystemExit(f"counting failed: {done.stderr.strip().splitlines()[-1]}")
    return json.loads(done.stdout)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Kernels beside the roof of the machine.")
    parser.add_argument("--quick", action="store_true", help="128² alone, a twentieth of a second a kernel")
    parser.add_argument("--sides", default="256,1024,4096", help="cells per side")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--count", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.count:
        print(json.dumps(count()))
        return
    sides = [128] if asked.quick else [int(text) for text in asked.sides.split(",")]
    threads = tuple(int(text) for text in asked.threads.split(","))
    operations = counts_of_child()
    far = {s["threads"]: s for s in triad.measure(threads, asked.quick) if s["place"] == "memory"}
    roofs = {k: {"bandwidth": 1e9 * float(far[k]["gigabytes_per_second"]), "peak": peak(k)} for k in threads}
    found = []
    for n in sides:
        for k in threads:
            for name, call in calls(n, k).items():
                if name.startswith("power") and n > LARGEST_POWER:
                    continue
                taken = seconds(call, 0.05 if asked.quick else 0.5)
                found.append(row(name, n, k, taken, operations[name], roofs[k]))
    _show(found)
    about = {"date": datetime.now(UTC).isoformat(timespec="seconds"), "roofs": roofs, "rows": found}
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps(about, indent=1) + "\n")
    print(f"rows in {asked.out}")


def _show(found: list[dict]) -> None:
    head = ["kernel", "grid", "threads", "ns/cell", "bytes", "operations", "roof, ns", "bound", "of roof"]
    lines = [
        [r["kernel"], f"{r['n']}²", str(r["threads"]), f"{r['nanoseconds_per_cell']:.2f}", str(r["bytes"]),
         f"{r['operations']:.1f}", f"{r['roof_nanoseconds']:.2f}", r["bound"], f"{r['share_of_roof']:.0%}"]
        for r in found
    ]  # fmt: skip
    table("kernels beside their roof", head, lines)


if __name__ == "__main__":
    main()
