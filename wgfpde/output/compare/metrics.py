"""One number judged, and what makes two numbers, or two times, the same."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ...grid import Array

SAME_TIME = 1e-9
"""Times are the same up to this part of the span."""
W2_ROUNDING = 3e-8
"""What rounding leaves of W₂ between equal densities, relative to L√M: the root of a few eps."""


@dataclass(frozen=True)
class Metric:
    """One number judged, where it is worst.   t : that time.   bound : the largest `difference` that passes."""

    name: str
    difference: float
    scale: float
    bound: float
    t: float

    @property
    def relative(self) -> float:
        return self.difference / self.scale if self.scale else (math.inf if self.difference else 0.0)

    @property
    def passed(self) -> bool:
        """Not a number never passes."""
        return self.difference <= self.bound


def worst(name: str, difference: Array, scale: Array, bound: Array, t: Array) -> Metric:
    """The metric where it fills most of its bound, or exceeds it most."""
    with np.errstate(divide="ignore", invalid="ignore"):
        filled = np.where(difference == 0, 0.0, difference / bound)
    k = int(np.argmax(filled))
    return Metric(name, float(difference[k]), float(scale[k]), float(bound[k]), float(t[k]))


def same_time(a: Array, b: Array) -> float:
    """How far apart two times of these runs may lie and be one."""
    span = max(np.ptp(a), np.ptp(b))
    return SAME_TIME * float(span if span > 0 else max(abs(a[-1]), abs(b[-1])))


def same_bits(a: Array, b: Array) -> bool:
    """Whether two arrays are one, bit for bit."""
    return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()
