"""PyDDM: drift–diffusion models of decisions, whose density between two bounds is a Fokker–Planck equation in 1D.

    dx = −V'(x) dt + √2 dW,   V = x²/2: `DriftLinear(x=-1)`, `NoiseConstant(√2)`, backward Euler, in Python
                              (`solve_numerical_implicit`) or in C (`solve_numerical_c`)

Its Crank–Nicolson steps are left out: they give the times of decisions, and not the density that is left.

Its bounds absorb: they lie where nothing arrives.  Unknowns are values at multiples of dx, which are the centres of an
odd number of cells.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pyddm
from pyddm.models.ic import InitialCondition

Array = np.ndarray


class Given(InitialCondition):
    """The density of the problem, as weights that sum to one."""

    name = "given"
    required_parameters: ClassVar[list[str]] = []
    weights: Array

    def get_IC(self, x: Array, dx: float, *_: Any, **__: Any) -> Array:
        return self.weights / self.weights.sum()


class PyDdm:
    def __init__(self, job: dict[str, Any], start: dict[str, Array]) -> None:
        if job["potential"] != "x**2/2" or job["lower"][0] != -job["upper"][0]:
            raise ValueError("written for V = x²/2 on a box around 0")
        if job["n"] % 2 == 0:
            raise ValueError("the values of PyDDM are the centres of an odd number of cells")
        self._job, self._size, self.steps = job, (job["upper"][0] - job["lower"][0]) / job["n"], 0
        self._mass = float(start["rho"].sum())
        self._given = type("Start", (Given,), {"weights": start["rho"]})

    def march(self, times: list[float]) -> list[Array]:
        job, states = self._job, []
        dt = (job["end"] - job["start"]) / job["steps"]
        for t in times:
            model = pyddm.Model(
                drift=pyddm.DriftLinear(drift=0.0, x=-1.0, t=0.0), noise=pyddm.NoiseConstant(noise=2**0.5),
                bound=pyddm.BoundConstant(B=(job["n"] // 2 - 1e-9) * self._size), IC=self._given(),
                dx=self._size, dt=dt, T_dur=t - job["start"],
            )  # fmt: skip
            found = getattr(model, f"solve_numerical_{job['solver']}")()
            self.steps = round((t - job["start"]) / dt)
            states.append(np.asarray(found.undec) * self._mass)
        return states


def prepare(job: dict[str, Any], start: dict[str, Array]) -> PyDdm:
    return PyDdm(job, start)
