"""py-pde: finite differences on centred values, explicit steps by Numba, JAX or PyTorch, or SciPy's integrators.

    heat         `DiffusionPDE(1)`, its no-flux default
    well         PDE "laplace(c) + Vx d_dx(c) + Vy d_dy(c) + L c" with V's derivatives as fields, and the condition
                 ∂c/∂n + c ∂V/∂n = 0 that makes the flux vanish (py-pde's "mixed" condition)
                 or, with `gibbs`, the same equation for g = ρe^V, "laplace(g) − Vx d_dx(g) − Vy d_dy(g)", ∂g/∂n = 0,
                 whose steady state, a constant, finite differences keep: the better way, for whoever thinks of it
    barenblatt   PDE "laplace(c**2)"

`euler`, `runge-kutta` : py-pde's solvers, with fixed steps or adaptive ones; `scipy` : solve_ivp on the compiled rate,
with LSODA and the bands of the Jacobian in 1D.  Its implicit and Crank–Nicolson solvers find their step by fixed-point
iterations, which diverge for steps larger than the explicit ones, and are left out.  The stepper is made once and
called again, so that compiling, which py-pde does for every stepper, is not in the seconds of a solve.
"""

from __future__ import annotations

import os
from typing import Any

os.environ |= {"JAX_PLATFORMS": "cpu", "JAX_ENABLE_X64": "1"}

import numpy as np
import pde
from pde.solvers import SolverBase

Array = np.ndarray


def equation(job: dict[str, Any], grid: Any) -> Any:
    if job["m"] == 2:
        return pde.PDE({"c": "laplace(c**2)"}, bc={"derivative": 0})
    if not job["potential"]:
        return pde.DiffusionPDE(1.0)
    if len(job["gradient"]) != 2:
        raise ValueError("drifts are written for two dimensions here")
    names = ("Vx", "Vy") if job.get("gibbs") else ("Vx", "Vy", "L")
    fields = {
        name: pde.ScalarField.from_expression(grid, text)
        for name, text in zip(names, (*job["gradient"], job["laplacian"]), strict=False)
    }
    if job.get("gibbs"):
        return pde.PDE({"g": "laplace(g) - Vx * d_dx(g) - Vy * d_dy(g)"}, consts=fields, bc={"derivative": 0})
    sides = dict(zip("xy", ({"type": "mixed", "value": float(v), "const": 0.0} for v in job["normal"]), strict=True))
    return pde.PDE({"c": "laplace(c) + Vx * d_dx(c) + Vy * d_dy(c) + L * c"}, consts=fields, bc=sides)


class PyPde:
    def __init__(self, job: dict[str, Any], start: dict[str, Array]) -> None:
        self._job = job
        bounds = list(zip(job["lower"], job["upper"], strict=True))
        self._grid = pde.CartesianGrid(bounds, [job["n"]] * len(bounds))
        self._weight = np.exp(-start["potential"]) if job.get("gibbs") else np.ones_like(start["rho"])
        self._start = pde.ScalarField(self._grid, start["rho"] / self._weight)
        span = job["end"] - job["start"]
        dt = span / job["steps"] if job.get("steps") else 1e-6 * span
        self._solver = SolverBase.from_name(
            job["solver"], equation(job, self._grid), backend=job.get("backend", "numba"), **job["options"]
        )
        self._stepper = self._solver.make_stepper(self._start.copy(), None if job["solver"] == "scipy" else dt)
        self.steps = 0

    def march(self, times: list[float]) -> list[Array]:
        state, t, states, before = self._start.copy(), self._job["start"], [], self._solver.info["steps"]
        for t_next in times:
            t = self._stepper(state, t, t_next)
            states.append(state.data * self._weight)
        self.steps = self._solver.info["steps"] - before
        return states


def prepare(job: dict[str, Any], start: dict[str, Array]) -> PyPde:
    return PyPde(job, start)
