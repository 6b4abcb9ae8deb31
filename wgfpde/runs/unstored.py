"""A run that leaves no file: the march of a run folder, step for step, with its numbers kept in memory.

For many small runs, of which a sweep keeps a row each: a folder with its file takes longer than such a march.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ..cases.problems import Problem
from ..energy.snapshot import Report, Snapshot
from ..errors import SolverError
from ..grid import Array
from .interrupts import Interrupts
from .time_loop import March


class Kept:
    """A Recorder in memory: the numbers of every snapshot, the density of the last one.

    t : times of the snapshots.   diagnostics : name → a number for each.   rho : the last density, None before it.
    """

    def __init__(self) -> None:
        self.t: list[float] = []
        self.diagnostics: dict[str, list[float]] = {}
        self.rho: Array | None = None
        self.step_count = 0

    @property
    def count(self) -> int:
        return len(self.t)

    def append(self, snapshot: Snapshot, diagnostics: Mapping[str, float]) -> None:
        for name, value in diagnostics.items():
            self.diagnostics.setdefault(name, [np.nan] * self.count).append(float(value))
        self.t.append(snapshot.t)
        self.rho = snapshot.rho

    def append_step(self, t: float, dt: float, report: Report) -> None:
        self.step_count += 1

    def append_steps(self, columns: Mapping[str, np.ndarray]) -> None:
        self.step_count += len(columns["t"])

    def flush_steps(self) -> None:
        """They are counted only."""


@dataclass(frozen=True)
class Unstored:
    """How such a run ended.

    status : "finished" or "failed".   message : why, in words.   verdict : "stationary", "blow-up" or "".
    kept : its numbers and last density.   wall_seconds : of the march.
    """

    status: str
    message: str
    verdict: str
    kept: Kept
    wall_seconds: float


def march_unstored(problem: Problem, interrupts: Interrupts) -> Unstored:
    """March a problem to its last time; what comes out has the bits of the same run in a folder.

    Raises Interrupted where a signal asks for it: nothing of the run is kept then.
    """
    problem = replace(problem, record=replace(problem.record, checkpoint=math.inf))
    kept = Kept()
    loop = March(problem, kept, None, "", lambda text: None, None, interrupts)
    try:
        status, message = "finished", loop.go()
    except SolverError as error:
        status, message = "failed", f"at t = {loop.snapshot.t:.6g}: {str(error).rstrip('.')}."
        loop.write()
    return Unstored(status, message, loop.verdict, kept, loop.clock.wall)
