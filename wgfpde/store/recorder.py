"""What the time loop writes into: a file, or the memory of a run that leaves none.

    append(snapshot, numbers)      a snapshot with its diagnostics       count        snapshots so far
    append_step(t, dt, report)     an accepted step                      step_count   steps so far
    append_steps(columns)          several of them
    flush_steps()                  all steps are where they are kept

`Writer` is the one on disk.  A march asks for nothing else, so that its numbers do not depend on where they go.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from ..energy.snapshot import Report, Snapshot


class Recorder(Protocol):
    """Where a march leaves what it computes."""

    @property
    def count(self) -> int:
        """Snapshots so far."""

    @property
    def step_count(self) -> int:
        """Steps so far."""

    def append(self, snapshot: Snapshot, diagnostics: Mapping[str, float]) -> None:
        """A snapshot and its numbers by name."""

    def append_step(self, t: float, dt: float, report: Report) -> None:
        """An accepted step of size dt that ended at t."""

    def append_steps(self, columns: Mapping[str, np.ndarray]) -> None:
        """Several steps, (rows,) a column, "t" among them."""

    def flush_steps(self) -> None:
        """Put the steps where they are kept."""


class Both:
    """Two recorders that are given the same; how much there is the first one says."""

    def __init__(self, first: Recorder, second: Recorder) -> None:
        self._first, self._second = first, second

    @property
    def count(self) -> int:
        return self._first.count

    @property
    def step_count(self) -> int:
        return self._first.step_count

    def append(self, snapshot: Snapshot, diagnostics: Mapping[str, float]) -> None:
        self._first.append(snapshot, diagnostics)
        self._second.append(snapshot, diagnostics)

    def append_step(self, t: float, dt: float, report: Report) -> None:
        self._first.append_step(t, dt, report)
        self._second.append_step(t, dt, report)

    def append_steps(self, columns: Mapping[str, np.ndarray]) -> None:
        self._first.append_steps(columns)
        self._second.append_steps(columns)

    def flush_steps(self) -> None:
        self._first.flush_steps()
        self._second.flush_steps()
