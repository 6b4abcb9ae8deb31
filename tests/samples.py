"""Runs written without a solver, for tests of what reads them: any density, any numbers, any ending."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wgfpde.energy.snapshot import Report, Snapshot
from wgfpde.grid import Grid
from wgfpde.store import Label, Run, Writer, read
from wgfpde.store.layout import Layout

CASE = """
schema = 1
title = "A <made-up> run"
params = { theta = 2.0 }
grid = { shape = [8], lower = [0.0], upper = [2.0] }
energy = { internal = { kind = "entropy", kappa = 0.5 }, potential = "theta*x**2/2" }
initial = { density = "1" }
solver = { method = "fv", dt = 0.1, order = 2 }
time = { start = 0.0, end = 0.4 }
output = { every = 0.1 }
"""
SOURCES = {"energy.internal.kappa": "command line", "solver.order": "default", "solver.dt": "file"}
ATTRIBUTES = {
    "title": "A <made-up> run", "equation": "Fokker-Planck", "method": "fv", "threads": 2, "platform": "here",
    "command": "wgfpde run case.toml", "wall_seconds": np.nan, "cpu_seconds": 0.25, "compile_seconds": 0.0,
}  # fmt: skip
COLUMNS = ("mass", "energy", "min", "max")


def write_run(
    folder: Path,
    densities: Sequence[np.ndarray],
    *,
    end: str = "finished",
    resolved: str = CASE,
    case: str = CASE,
    edges: Sequence[tuple[float, float]] = ((0.0, 2.0), (-1.0, 1.0)),
    mapping: Any = None,
    shape: Sequence[int] = (8,),
    attributes: dict[str, Any] | None = None,
    **diagnostics: Sequence[float],
) -> Run:
    """A run of one snapshot every 0.1, two steps between them; the energy falls by 1 each time unless it is given.

    end : the status at the end, or "running" for a file that was left open as a killed run leaves it.
    shape : of densities, (nx,) or (ny, nx), for when there are none.   diagnostics : columns, one value per density.
    """
    shape = densities[0].shape if len(densities) else tuple(shape)
    axes = edges[: len(shape)]
    grid = Grid([a for a, _ in axes], [b for _, b in axes], shape[::-1], mapping=mapping)
    defaults = {
        "mass": [1.0] * len(densities), "energy": [-float(k) for k in range(len(densities))],
        "min": [float(np.min(rho)) for rho in densities], "max": [float(np.max(rho)) for rho in densities],
    }  # fmt: skip
    columns = defaults | {name: list(values) for name, values in diagnostics.items()}
    labels = [Label(name, "1", f"the {name}", f"What {name} is.") for name in columns]
    texts = {"case_toml": case, "resolved_toml": resolved, "sources_json": json.dumps(SOURCES)}
    folder.mkdir(parents=True, exist_ok=True)
    writer = Writer(
        folder / "output.h5", Layout(grid, labels, texts=texts), ATTRIBUTES | (attributes or {}), max(len(densities), 5)
    )
    for k, rho in enumerate(densities):
        if k:
            for half in (1, 2):
                report = Report(iterations=3 * half, residual=10.0 ** -(12 + half), rejected=k - 1)
                writer.append_step(0.1 * (k - 1) + 0.05 * half, 0.05, report)
        numbers = {name: values[k] for name, values in columns.items()}
        writer.append(Snapshot(t=0.1 * k, step=2 * k, fields={"rho": np.asarray(rho, dtype=float)}), numbers)
    if end == "running":
        writer.close()
    else:
        writer.finish(end, "as made up.")
    return read(folder)


def ramp(count: int = 3, cells: int = 8) -> list[np.ndarray]:
    """Densities in 1D that tell cells and times apart, the first cell empty."""
    return [np.arange(cells) * (1.0 + k) for k in range(count)]


def hills(count: int = 3, nx: int = 12, ny: int = 6) -> list[np.ndarray]:
    """Densities in 2D with an empty rim, a faint tail and a peak, moving."""
    x, y = np.arange(nx), np.arange(ny)[:, None]
    found = []
    for k in range(count):
        rho = np.exp(-((x - 3.0 - k) ** 2 + (y - 2.0) ** 2))
        rho[-1] = 0.0
        found.append(rho)
    return found
