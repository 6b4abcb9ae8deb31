"""OTT (JAX, on the processor, double precision): Sinkhorn on a grid, whose kernels are products, debiased.

blur ε^{1/2}/√2 in cells; S(a, b) = OT(a, b) − ½ OT(a, a) − ½ OT(b, b), W₂ ≈ √S; weights at the centres of cells
"""

from __future__ import annotations

import math
import os
from typing import Any

os.environ |= {"JAX_PLATFORMS": "cpu", "JAX_ENABLE_X64": "1"}

import jax
import numpy as np
from ott.geometry import grid
from ott.problems.linear import linear_problem
from ott.solvers.linear import sinkhorn

Array = np.ndarray
EMPTY = 1e-20
"""Weight of an empty cell: logarithms are taken."""


class Divergence:
    def __init__(self, job: dict[str, Any], start: dict[str, Array]) -> None:
        n, self.steps = job["n"], 1
        a, b = (np.maximum(start[name] / start[name].sum(), EMPTY).ravel() for name in "ab")
        self._pairs = (a, b), (a, a), (b, b)
        self._side = job["upper"][0] - job["lower"][0]
        places = [jax.numpy.asarray((np.arange(n) + 0.5) / n)] * len(job["lower"])
        epsilon = 2 * (job["options"]["blur"] / n) ** 2

        @jax.jit
        def cost(p: Any, q: Any) -> Any:
            solver = sinkhorn.Sinkhorn(threshold=1e-4, max_iterations=5000)
            return solver(linear_problem.LinearProblem(grid.Grid(x=places, epsilon=epsilon), p, q)).reg_ot_cost

        self._cost = cost

    def march(self, times: list[float]) -> list[Array]:
        ab, aa, bb = (float(self._cost(*pair)) for pair in self._pairs)
        return [np.array(self._side * math.sqrt(max(ab - 0.5 * (aa + bb), 0.0)))] * len(times)


def prepare(job: dict[str, Any], start: dict[str, Array]) -> Divergence:
    return Divergence(job, start)
