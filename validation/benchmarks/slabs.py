"""One step of a grid that no process holds: slabs of rows, and of columns, with a transpose between the sweeps.

    mpiexec -n 2 python validation/benchmarks/slabs.py [cells per axis] [steps]        needs mpi4py

Every line of a sweep is solved alone.  Sweeps along x therefore need a slab of whole rows and sweeps along y one of
whole columns; between them an Alltoallv moves every cell that changes hands:

    x(dt/2) on rows   →   y(dt) on columns   →   x(dt/2) on rows          two transposes a Strang step, 8 B a cell each

The first process also takes the steps alone, by the package's own stepper, and compares: the bits are the same.  It
is a trial, no feature: the package itself runs on one machine.
Reference: Strang (1968), DOI 10.1137/0705041.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass, field

import numpy as np

from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.grid import Grid
from wgfpde.grid.boundary import boundary_of
from wgfpde.linear.lines import lines_of
from wgfpde.linear.tridiagonal import LANES
from wgfpde.methods.finite_volumes.one_step import OneStep
from wgfpde.methods.finite_volumes.schemes import Cost, EntropyScheme, make_scheme

DT, KAPPA = 1e-3, 0.5


def potential(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return (x**2 - 1) ** 2 + 0.5 * y**2 + 0.3 * x * y


def flow_on(grid: Grid) -> Flow:
    return Flow(grid, Energy(Internal("entropy", KAPPA), potential))


def start(grid: Grid) -> np.ndarray:
    place = grid.coordinates()
    return np.exp(-((place["x"] - 0.5) ** 2) - (place["y"] + 0.3) ** 2) * np.ones(grid.shape)


def bounds(n: int, ranks: int) -> list[int]:
    """Where slabs of n lines begin and end: blocks of LANES are not cut."""
    return [min(n, round(n / LANES * k / ranks) * LANES) for k in range(ranks)] + [n]


@dataclass
class Slabs:
    """The part of a grid that one process has, as rows and as columns.

    grid : the whole; nothing of its size is held but its edges.   seconds : spent in sweeps and in transposes.
    """

    comm: object
    grid: Grid
    seconds: dict[str, float] = field(default_factory=lambda: {"sweeps": 0.0, "transposes": 0.0})

    def __post_init__(self) -> None:
        x, y = self.grid.axes
        rank, ranks = self.comm.Get_rank(), self.comm.Get_size()
        self.rows, self.columns = bounds(y.size, ranks), bounds(x.size, ranks)
        j, i = self.rows[rank : rank + 2], self.columns[rank : rank + 2]
        cut = boundary_of("no-flux")  # across the lines of a slab no sweep goes
        self.wide = Grid.of_edges([x.edges, y.edges[j[0] : j[1] + 1]], [x.boundary, cut], [x.uniform, False])
        self.tall = Grid.of_edges([x.edges[i[0] : i[1] + 1], y.edges], [cut, y.boundary], [False, y.uniform])
        self._along = [self._prepared(self.wide, 0), self._prepared(self.tall, 1)]

    def _prepared(self, grid: Grid, axis: int) -> tuple[EntropyScheme, object]:
        flow = flow_on(grid)
        lines = lines_of(grid)
        scheme = make_scheme(flow, lines, 1)
        scheme.prepare(flow.potential)
        return scheme, lines[axis]

    def sweep(self, rho: np.ndarray, axis: int, dt: float) -> None:
        begin = time.perf_counter()
        scheme, lines = self._along[axis]
        cost = Cost()
        scheme.sweep(rho, lines, dt, 2, False, cost)
        assert not cost.failed
        self.seconds["sweeps"] += time.perf_counter() - begin

    def transpose(self, rho: np.ndarray, to_columns: bool) -> np.ndarray:
        """The other slab of this process, from those of all."""
        begin = time.perf_counter()
        rank, ranks = self.comm.Get_rank(), self.comm.Get_size()
        cut = self.columns if to_columns else self.rows
        parts = [rho[:, cut[k] : cut[k + 1]] if to_columns else rho[cut[k] : cut[k + 1]] for k in range(ranks)]
        sent = np.concatenate([np.ascontiguousarray(part).ravel() for part in parts])
        grid, held = (self.tall, self.rows) if to_columns else (self.wide, self.columns)
        sizes = [np.diff(held)[k] * np.diff(cut)[rank] for k in range(ranks)]
        received = np.empty(sum(sizes))
        self.comm.Alltoallv((sent, [part.size for part in parts]), (received, sizes))
        pieces = np.split(received, np.cumsum(sizes)[:-1])
        if to_columns:
            out = np.concatenate([piece.reshape(-1, grid.shape[1]) for piece in pieces])
        else:
            out = np.concatenate([piece.reshape(grid.shape[0], -1) for piece in pieces], axis=1)
        self.seconds["transposes"] += time.perf_counter() - begin
        return out

    def step(self, rho: np.ndarray, dt: float) -> np.ndarray:
        """A Strang step of the rows of this process."""
        self.sweep(rho, 0, 0.5 * dt)
        tall = self.transpose(rho, to_columns=True)
        self.sweep(tall, 1, dt)
        rho = self.transpose(tall, to_columns=False)
        self.sweep(rho, 0, 0.5 * dt)
        return rho


def alone(grid: Grid, steps: int) -> tuple[np.ndarray, float]:
    """The density after the steps, by one process, and the seconds of the last of them."""
    one, rho, seconds = OneStep(flow_on(grid), 2, 1), start(grid), 0.0
    for _ in range(steps):
        begin = time.perf_counter()
        rho = one._prepare_and_split(rho, DT, 2, False)[0]
        seconds = time.perf_counter() - begin
    return rho, seconds


def trial(comm: object, grid: Grid, steps: int = 3) -> dict[str, object] | None:
    """What the first process found; None in the others."""
    slabs = Slabs(comm, grid)
    rho = start(slabs.wide)
    for k in range(steps):
        if k == steps - 1:  # the first ones load kernels
            slabs.seconds = dict.fromkeys(slabs.seconds, 0.0)
            comm.Barrier()
        rho = slabs.step(rho, DT)
    pieces = comm.gather(rho)
    if comm.Get_rank() > 0:
        return None
    whole, seconds = alone(grid, steps)
    found = np.concatenate(pieces)
    return {
        "processes": comm.Get_size(), "cells": grid.size, "steps": steps,
        "bits_equal": bool(np.array_equal(found, whole)),
        "largest_difference": float(np.max(np.abs(found - whole))), "step_alone_s": seconds,
        "sweeps_s": slabs.seconds["sweeps"], "transposes_s": slabs.seconds["transposes"],
        "moved_MB": 2 * 8 * grid.size * (comm.Get_size() - 1) / comm.Get_size() / 1e6,
    }  # fmt: skip


def main(arguments: list[str]) -> None:
    from mpi4py import MPI

    cells, steps = (int(text) for text in (arguments + ["1024", "3"][len(arguments) :])[:2])
    found = trial(MPI.COMM_WORLD, Grid([-3.0, -4.0], [3.0, 4.0], [cells, cells]), steps)
    if found is not None:
        print(json.dumps(found, indent=1))
        if not found["bits_equal"]:
            sys.exit("the bits differ")


if __name__ == "__main__":
    main(sys.argv[1:])
