"""Runs to be drawn, and what is drawn of them."""

import numpy as np

from wgfpde.energy.snapshot import Column, Snapshot
from wgfpde.grid import Grid
from wgfpde.store import Label, Writer
from wgfpde.store.layout import Layout

LINE = Grid([0.0], [1.0], [30])
PLANE = Grid([0.0, -1.0], [2.0, 1.0], [12, 10], mapping=[lambda s: s**1.2, None])
ENERGIES = (3.0, 2.0, 1.5, 1.2)


def make(folder, grid, energies=ENERGIES, *, status="finished", densities=None, texts=None, jko=False, **more):
    """A run with given energies; more : further diagnostics, name = values."""
    columns = [Label("energy", "1", "energy", "E.")] + [Label(name, "1", f"the {name}", "N.") for name in more]
    extra = [Column("linear", "1", "linear", "L.", integer=True)] if jko else []
    attributes = {"title": "costs 5$ & 6_7", "method": "jko" if jko else "fv"}
    with Writer(
        folder / "output.h5", Layout(grid, columns, columns=extra, texts=texts or {}), attributes, len(energies) + 2
    ) as writer:
        for k, energy in enumerate(energies):
            rho = np.random.default_rng(k).uniform(size=grid.shape) if densities is None else densities[k]
            values = {"energy": energy} | {name: series[k] for name, series in more.items()}
            writer.append(Snapshot(0.1 * k, k, {"rho": rho}), values)
        if status != "running":
            writer.finish(status)
    return folder


def ydata(axes):
    return [np.asarray(line.get_ydata()) for line in axes.lines]


def holds(lines, wanted):
    return any(line.shape == np.shape(wanted) and np.array_equal(line, wanted) for line in lines)
