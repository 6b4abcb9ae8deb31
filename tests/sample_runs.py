"""Small runs on disk, of known content: snapshot k has density 0, 1, 2, … + 100k, mass 1 + k, energy −k, t = k/2."""

import h5py
import numpy as np

from wgfpde.energy.snapshot import Report, Snapshot
from wgfpde.grid import Grid
from wgfpde.store import Label, Writer
from wgfpde.store.layout import Layout

GRID_1D = Grid([0.0], [1.0], [16], mapping=[lambda s: s**1.5])
GRID_2D = Grid([0.0, -1.0], [3.0, 1.0], [6, 4], periodic=[True, False])
LABELS = [Label("mass", "1", "mass", "Total mass."), Label("energy", "1", "energy", "The energy.")]
TEXTS = {"case_toml": 'title = "ρ"\n', "resolved_toml": "schema = 1\n"}
ATTRIBUTES = {"title": "Füße ρ", "equation": "heat", "method": "fv", "wall_seconds": np.nan}


def state(grid, k):
    return Snapshot(0.5 * k, 2 * k, {"rho": np.arange(grid.size, dtype=float).reshape(grid.shape) + 100 * k})


def fill(writer, grid, count, steps_each=2, first=0):
    for k in range(first, first + count):
        for j in range(steps_each if k else 0):
            writer.append_step(0.5 * (k - 1) + 0.25 * (j + 1), 0.25, Report(iterations=k, residual=1e-14))
        writer.append(state(grid, k), {"mass": 1.0 + k, "energy": -float(k)})


def make(path, grid=GRID_2D, planned=4, count=4, steps=10, steps_each=2, status="finished", message="done", late=False):
    with Writer(path, Layout(grid, LABELS, texts=TEXTS), ATTRIBUTES, planned, steps, late) as writer:
        fill(writer, grid, count, steps_each)
        if status:
            writer.finish(status, message)
    return path


def lengths(path):
    with h5py.File(path) as file:
        along_t = [file["t"], file["rho"], *file["diagnostics"].values()]
        return {d.shape[0] for d in along_t}, {d.shape[0] for d in file["steps"].values()}
