"""What came of a sweep, when it has ended or until now, and as plain values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .dataset import FILE_NAME
from .journal import Journal, suffices
from .outcome import FINISHED
from .plan import Plan
from .sweep_folder import read_known

LISTED = 20
"""Failures that are told one by one."""


@dataclass(frozen=True)
class Swept:
    """What came of a sweep.

    plan, folder : of it.   file : sweep.h5; None for a share of an array.   finished, failed : runs, in all that are
    done.   known : how many had finished before.   failures : label → why, the first of them.   seconds : it took.
    asked : the runs of the sweep, or of its share.
    """

    plan: Plan
    folder: Path
    file: Path | None
    finished: int
    failed: int
    known: int
    seconds: float
    failures: dict[str, str] = field(default_factory=dict)
    asked: int = 0

    @property
    def record(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return {
            "title": self.plan.case.title, "keys": {v.key: list(v.values) for v in self.plan.varied},
            "zip": self.plan.zipped, "runs": self.plan.count, "finished": self.finished, "failed": self.failed,
            "done_before": self.known, "failures": self.failures, "seconds": self.seconds, "folder": str(self.folder),
            "file": None if self.file is None else str(self.file),
        }  # fmt: skip


def swept_of(
    plan: Plan, folder: Path, file: Path | None, journal: Journal, numbers: Sequence[int], known: int, seconds: float
) -> Swept:
    """What a journal has of a sweep, or of the runs of a share.   numbers : of those runs; the rest as in Swept."""
    finished = failed = 0
    failures: dict[str, str] = {}
    for k in numbers:
        where = journal.get(plan.digest(k))
        if where is None:
            continue
        finished += where.status == FINISHED
        if where.status != FINISHED:
            failed += 1
            if len(failures) < LISTED:
                outcome = journal.read(plan.digest(k))
                failures[plan.label(k)] = "" if outcome is None else outcome.message
    return Swept(plan, folder, file, finished, failed, known, seconds, failures, len(set(map(plan.digest, numbers))))


def swept_so_far(folder: Path) -> Swept:
    """What a folder has of its sweep now; it is only read.   Raises StoreError where it holds none, CaseError where
    its case is none any more.
    """
    plan, journal, file = read_known(folder).plan(), Journal(folder), folder / FILE_NAME
    numbers = range(plan.count)
    known = sum(suffices(journal.get(plan.digest(k)), ()) for k in numbers)
    return swept_of(plan, folder, file if file.is_file() else None, journal, numbers, known, math.nan)
