"""What the benchmarks share: marching a stepper, medians over repeats, tables.

Times are medians of wall seconds on this machine; the solve alone, kernels warm, unless a line says otherwise.
"""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from wgfpde.energy.flow import Flow
from wgfpde.energy.snapshot import Snapshot
from wgfpde.methods.finite_volumes.stepper import FiniteVolumes

Array = np.ndarray


def march(flow: Flow, rho: Array, start: float, end: float, **options: object) -> tuple[Snapshot, int]:
    """From start to end; returns the last snapshot and the number of convolutions."""
    stepper = FiniteVolumes(flow, **options)  # type: ignore[arg-type]
    snapshot = Snapshot(start, 0, {"rho": rho})
    convolutions = 0
    while snapshot.t < end:
        snapshot = stepper.step(snapshot, end)
        convolutions += snapshot.report.outer
    return snapshot, convolutions


def median_seconds(run: Callable[[], object], repeats: int = 5) -> float:
    """Median wall time of `run`, after one call that is not counted."""
    run()
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        run()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def step_seconds(flow: Flow, rho: Array, dt: float, steps: int = 10, **options: object) -> tuple[float, float]:
    """Median wall time of one step and mean number of convolutions, after one step that is not counted."""
    stepper = FiniteVolumes(flow, dt=dt, **options)  # type: ignore[arg-type]
    snapshot = stepper.step(Snapshot(0.0, 0, {"rho": rho}), 1e6)
    times, convolutions = [], 0
    for _ in range(steps):
        begin = time.perf_counter()
        snapshot = stepper.step(snapshot, 1e6)
        times.append(time.perf_counter() - begin)
        convolutions += snapshot.report.outer
    return statistics.median(times), convolutions / steps


def table(title: str, header: list[str], rows: list[list[str]]) -> None:
    """Print a table with its title and the machine."""
    widths = [max(len(row[k]) for row in [header, *rows]) for k in range(len(header))]
    print(f"\n{title}   [{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}]")
    for row in [header, *rows]:
        print("  " + "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)))
