"""A run that leaves no file: the march of a run folder, step for step, with its numbers kept in memory.

For many small runs, of which a sweep keeps a row each: a folder with its file takes longer than such a march.  Where
a row is all that is kept, numbers are found of the last state alone, and an exact density only at its time; and kernels
that a run before has loaded are not tried out again.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .. import diagnostics
from ..base.effort import Recent
from ..cases.problems import Problem
from ..cases.schema import Case
from ..energy.snapshot import Report, Snapshot
from ..errors import SolverError
from ..grid import Array
from .interrupts import Interrupts
from .time_loop import March


class Kept:
    """A Recorder in memory: the numbers of every snapshot, or of the last one, and the density of the last one.

    t : times of the snapshots.   diagnostics : name → a number for each, or the last.   rho : the last density, None
    before it.
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


_WARM: Recent[bool] = Recent(64)
"""Kinds of runs whose kernels are loaded in this process."""


class Quick(March):
    """The same march, of which the numbers of the last state are kept alone, or those of all snapshots.

    kind : what kernels are called for, None where that is not known.
    """

    def __init__(self, problem: Problem, kept: Kept, interrupts: Interrupts, series: bool, kind: Hashable) -> None:
        super().__init__(problem, kept, None, "", lambda text: None, None, interrupts)
        self._kept, self._kind = kept, kind
        self._all = series or self._keeps_ledger  # a ledger grows by the energies of the snapshots
        self._last: tuple[Snapshot, Array | None, float] | None = None

    def write(self) -> None:
        if self._all:
            super().write()
        elif not self.written:
            self._last = self.snapshot, self._previous, self._written_t
            self._kept.t.append(self.snapshot.t)
            self._previous, self._written_t = self.snapshot.rho, self.snapshot.t

    def measure(self) -> None:
        """Find the numbers of the last snapshot, where they are not known."""
        if self._last is None:
            return
        snapshot, previous, t = self._last
        numbers = diagnostics.compute(
            self.problem.flow, snapshot, self.problem.exact, previous, t, self.problem.diagnostics
        )
        self._kept.diagnostics = {name: [float(value)] for name, value in numbers.items()}
        self._kept.rho = snapshot.rho

    def _warm_up(self) -> None:
        if self._kind is None or self._kind not in _WARM:
            super()._warm_up()
            _WARM.keep(self._kind, True)
            return
        self.compile_seconds = 0.0
        self.clock.restart()


def march_unstored(problem: Problem, interrupts: Interrupts, series: bool = True, kind: Hashable = None) -> Unstored:
    """March a problem to its last time; what comes out has the bits of the same run in a folder.

    series : whether the numbers of all snapshots are kept; else those of the last one.   kind : of two problems of one
    kind the kernels are the same; see `kind_of`.
    Raises Interrupted where a signal asks for it: nothing of the run is kept then.
    """
    problem = replace(problem, record=replace(problem.record, checkpoint=math.inf))
    kept = Kept()
    loop = Quick(problem, kept, interrupts, series, kind)
    try:
        status, message = "finished", loop.go()
        loop.measure()
    except SolverError as error:
        status, message = "failed", f"at t = {loop.snapshot.t:.6g}: {str(error).rstrip('.')}."
        loop.write()
        loop.measure()
    return Unstored(status, message, loop.verdict, kept, loop.clock.wall)


def kind_of(case: Case, problem: Problem) -> Hashable:
    """What the kernels of a run follow from: its tables without the values of real numbers, and what it records.

    None for a case that was put together in Python, whose tables do not say all.
    """
    if case._code is not None:
        return None
    names = tuple(d.name for d in problem.diagnostics)
    return _without_reals(case.model_dump(exclude={"title"})), names


def _without_reals(value: Any) -> Hashable:
    if isinstance(value, dict):
        return tuple((key, _without_reals(entry)) for key, entry in value.items())
    if isinstance(value, list | tuple):
        return tuple(map(_without_reals, value))
    return float if isinstance(value, float) else repr(value)
