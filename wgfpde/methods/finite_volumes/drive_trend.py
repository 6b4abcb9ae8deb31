"""How the drive W∗ρ has been going, and where a step begins to look for the next one.

The mean rates r₁ and r₂ of the last two steps, over s₁ and s₂, newest first, are divided differences of the drive.  The
parabola through its last three values goes on over a step dt with the mean rate

    r₁ + (dt + s₁)(r₁ − r₂)/(s₁ + s₂),     2r₁ − r₂ for equal steps.

It only saves work: the drive that a step ends with is found by iteration.  A third rate saves little more, and is one
more field in every checkpoint.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ...grid import Array

RATES = ("drive_rate", "drive_rate_before")
SPANS = "drive_spans"
"""Fields of a snapshot: the rates, newest first, and the steps over which they are means."""
FAR = 3.0
"""Times the shorter of two steps, beyond which the last rate alone is carried on."""


@dataclass(frozen=True)
class DriveTrend:
    """The mean rates of W∗ρ over the last steps, (ny, nx) each, newest first, at most two, and those steps."""

    rates: tuple[Array, ...] = ()
    spans: tuple[float, ...] = ()

    @classmethod
    def of(cls, fields: Mapping[str, Array], rows: tuple[int, ...]) -> DriveTrend:
        """What a snapshot holds of it; nothing at the start."""
        spans = tuple(float(span) for span in fields.get(SPANS, np.zeros(1)))
        return cls(tuple(fields[name].reshape(rows) for name in RATES if name in fields), spans)

    def fields(self, shape: tuple[int, ...]) -> dict[str, Array]:
        """For a snapshot on a grid of that shape."""
        rates = {name: rate.reshape(shape) for name, rate in zip(RATES, self.rates, strict=False)}
        return rates | {SPANS: np.array(self.spans)} if rates else {}

    def after(self, rate: Array, dt: float) -> DriveTrend:
        """With one step more."""
        return DriveTrend((rate, *self.rates[:1]), (dt, *self.spans[: len(self.rates[:1])]))

    def carried(self, before: Array, dt: float) -> Array:
        """W∗ρ after a step dt, as the trend has it.   before : (ny, nx), W∗ρ at its start, not changed."""
        if not self.rates:
            return before
        share = 0.0
        if len(self.rates) == 2 and dt <= FAR * min(self.spans):
            share = (dt + self.spans[0]) / (self.spans[0] + self.spans[1])
        drive = before + dt * (1.0 + share) * self.rates[0]
        if share:
            drive -= dt * share * self.rates[1]
        return drive


NO_TREND = DriveTrend()
"""At the start, and without interaction."""
