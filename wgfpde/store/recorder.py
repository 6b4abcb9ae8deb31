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
