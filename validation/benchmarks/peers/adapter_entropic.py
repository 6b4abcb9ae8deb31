"""The entropic JKO step of module `entropic`; needs NumPy and SciPy.  Cell averages."""

from __future__ import annotations

from typing import Any

import numpy as np
from entropic import entropic_step

Array = np.ndarray


class Entropic:
    def __init__(self, job: dict[str, Any], start: dict[str, Array]) -> None:
        n = job["n"]
        pairs = zip(job["lower"], job["upper"], strict=True)
        self._axes = [a + (b - a) * (np.arange(n) + 0.5) / n for a, b in pairs]
        self._job, self._rho, self._potential, self.steps = job, start["rho"], start["potential"], 0

    def march(self, times: list[float]) -> list[Array]:
        job, rho, states, iterations = self._job, self._rho, [], 0
        for k in range(1, round(job["end"]) + 1):
            rho, count = entropic_step(
                rho,
                self._axes,
                self._potential,
                job["m"],
                job["tau"],
                job["options"]["eps"],
                job["options"]["tolerance"],
            )
            iterations += count
            if any(abs(t - k) < 1e-9 for t in times):
                states.append(rho)
        self.steps = iterations
        return states


def prepare(job: dict[str, Any], start: dict[str, Array]) -> Entropic:
    return Entropic(job, start)
