"""fplanck: the matrix of jump rates between cells, propagated by SciPy's `expm_multiply`.  Probabilities of cells.

Its rates e^{−ΔV/2}/h² are in detailed balance; kT = 1 and drag 1 make D = 1.  fplanck 0.2.2 calls `np.product`, which
NumPy 2 no longer has: it is put back here.  Its matrix, made cell by cell in Python, is set-up and not in the
seconds of a solve.
"""

from __future__ import annotations

from typing import Any

import numpy as np

if not hasattr(np, "product"):
    np.product = np.prod  # noqa: NPY003, NPY201

import fplanck
from scipy import constants

Array = np.ndarray


class FPlanck:
    def __init__(self, job: dict[str, Any], start: dict[str, Array]) -> None:
        n = job["n"]
        sizes = np.array([(b - a) / n for a, b in zip(job["lower"], job["upper"], strict=True)])
        middle = [0.5 * (a + b) for a, b in zip(job["lower"], job["upper"], strict=True)]
        if any(middle):
            raise ValueError("fplanck's boxes are centred at 0")
        values = start["potential"]
        self._solver = fplanck.fokker_planck(
            temperature=1 / constants.k, drag=1.0, extent=sizes * (n - 0.5), resolution=sizes,
            potential=(lambda *_: values) if job["potential"] else None,
        )  # fmt: skip
        self._job, self._volume, self._start, self.steps = job, float(np.prod(sizes)), start["rho"], 1

    def march(self, times: list[float]) -> list[Array]:
        rho, t, states = self._start, self._job["start"], []
        mass = float(rho.sum())
        for t_next in times:
            now = rho / mass
            rho = mass * self._solver.propagate(lambda *_, now=now: now.copy(), t_next - t, normalize=False)
            states.append(rho)
            t = t_next
        return states


def prepare(job: dict[str, Any], start: dict[str, Array]) -> FPlanck:
    return FPlanck(job, start)
