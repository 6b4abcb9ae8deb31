"""FiPy: implicit finite volumes on cell averages, matrices solved by SciPy.

    heat         TransientTerm == DiffusionTerm
    well         TransientTerm == DiffusionTerm + ExponentialConvectionTerm(∇V) (or PowerLaw), the flux of Scharfetter
                 and Gummel, V's differences on the faces
    barenblatt   TransientTerm == DiffusionTerm(2c), four sweeps a step: ten changed the error by 1 %

`euler` : implicit Euler.  `midpoint` : an implicit Euler step of dt/2, extrapolated, c ← 2c(dt/2) − c, which is Crank
and Nicolson's step for a linear equation; written here in FiPy's favour, its own way to Crank–Nicolson needs explicit
terms, which convection by exponentials lacks.  `solver` : "lu", SciPy's direct one and FiPy's default; "cg" and
"bicgstab" without a preconditioner to 1e-10, which were faster than those with one.
"""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("FIPY_SOLVERS", "scipy")

import fipy
import numpy as np
from fipy.solvers.scipy import LinearBicgstabSolver, LinearCGSolver, LinearLUSolver

Array = np.ndarray
SWEEPS = 4


def solver(name: str) -> Any:
    kinds = {"lu": LinearLUSolver, "cg": LinearCGSolver, "bicgstab": LinearBicgstabSolver}
    return kinds[name]() if name == "lu" else kinds[name](tolerance=1e-10, iterations=5000, precon=None)


class FiPy:
    def __init__(self, job: dict[str, Any], start: dict[str, Array]) -> None:
        n, self._job = job["n"], job
        sizes = [(b - a) / n for a, b in zip(job["lower"], job["upper"], strict=True)]
        mesh = fipy.Grid1D(nx=n, dx=sizes[0]) if len(sizes) == 1 else fipy.Grid2D(nx=n, ny=n, dx=sizes[0], dy=sizes[1])
        self._start = start["rho"].T.ravel()  # FiPy's cells run along x first
        self._rho = fipy.CellVariable(mesh=mesh, value=self._start, hasOld=job["m"] == 2)
        spread = fipy.DiffusionTerm(coeff=2 * self._rho if job["m"] == 2 else 1.0)
        self._equation = fipy.TransientTerm() == spread
        if job["potential"]:
            potential = fipy.CellVariable(mesh=mesh, value=start["potential"].T.ravel())
            kinds = {"exponential": fipy.ExponentialConvectionTerm, "power law": fipy.PowerLawConvectionTerm}
            self._equation = fipy.TransientTerm() == spread + kinds[job["convection"]](potential.faceGrad)
        self._solver = solver(job["solver"])
        self.steps = 0

    def march(self, times: list[float]) -> list[Array]:
        job, t, states = self._job, self._job["start"], []
        dt = (job["end"] - job["start"]) / job["steps"]
        self._rho.setValue(self._start)
        self.steps = 0
        for t_next in times:
            count = max(1, round((t_next - t) / dt))
            for _ in range(count):
                self._step((t_next - t) / count)
            self.steps, t = self.steps + count, t_next
            states.append(np.array(self._rho.value).reshape(start_shape(job)).T)
        return states

    def _step(self, dt: float) -> None:
        before = np.array(self._rho.value) if self._job["scheme"] == "midpoint" else None
        self._solve(dt if before is None else 0.5 * dt)
        if before is not None:
            self._rho.setValue(2 * np.array(self._rho.value) - before)

    def _solve(self, dt: float) -> None:
        if self._job["m"] == 1:
            self._equation.solve(self._rho, dt=dt, solver=self._solver)
            return
        self._rho.updateOld()
        for _ in range(SWEEPS):
            self._equation.sweep(self._rho, dt=dt, solver=self._solver)


def start_shape(job: dict[str, Any]) -> tuple[int, ...]:
    return (job["n"],) * len(job["lower"])


def prepare(job: dict[str, Any], start: dict[str, Array]) -> FiPy:
    return FiPy(job, start)
