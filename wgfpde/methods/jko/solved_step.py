"""A solved JKO step, whatever algorithm found it: what the snapshot keeps of it, and the numbers of its report."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ...energy.snapshot import Report
from ...grid import Array


@dataclass(frozen=True)
class Step:
    """A solved step: fields for the snapshot, all (ny, nx), and the numbers of its report.

    flux_x, flux_y : (ny, nx) integrated momentum through the faces.   by : what found it, where not what was asked for.
    """

    fields: dict[str, Array]
    flux_x: Array
    flux_y: Array
    numbers: dict[str, float] = field(default_factory=dict)
    note: str = ""
    by: str = ""

    @property
    def rho(self) -> Array:
        return self.fields["rho"]

    def report(self, rejected: int, note: str) -> Report:
        numbers = {"backward_error": np.nan} | self.numbers
        more = {"backward_error": numbers.pop("backward_error")}
        counts = {name: int(numbers.pop(name)) for name in ("iterations", "linear", "outer", "repaired")}
        return Report(**counts, **numbers, rejected=rejected, note=note, more=more)  # type: ignore[arg-type]
