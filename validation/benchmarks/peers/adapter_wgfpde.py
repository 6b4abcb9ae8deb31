"""wgfpde: finite volumes of order 2 with fixed or adaptive steps, JKO steps, distances; called as in its documentation.

Cell averages; y before x in memory.  Threads: as by default, or WGFPDE_NUM_THREADS.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.snapshot import Snapshot, strode
from wgfpde.formulas.compile import compile_expression
from wgfpde.grid import Grid
from wgfpde.methods.finite_volumes.stepper import FiniteVolumes
from wgfpde.methods.jko.stepper import Jko
from wgfpde.transport import distance

Array = np.ndarray


class Stepped:
    """A stepper of finite volumes or of JKO; t counts the steps of the latter."""

    def __init__(self, job: dict[str, Any], start: dict[str, Array]) -> None:
        self._job, self._rho = job, np.ascontiguousarray(start["rho"].T)
        grid = Grid(job["lower"], job["upper"], [job["n"]] * len(job["lower"]))
        internal = Internal("entropy") if job["m"] == 1 else Internal("power", 1.0, job["m"])
        potential = compile_expression(job["potential"], ("x", "y")[: grid.dim]) if job["potential"] else None
        flow = Flow(grid, Energy(internal, potential))
        if job["tau"]:
            self._stepper: Any = Jko(flow, job["tau"], **job["options"])
        else:
            fixed = {"dt": (job["end"] - job["start"]) / job["steps"]} if job.get("steps") else {"dt": "adaptive"}
            self._stepper = FiniteVolumes(flow, **fixed, **job["options"])
        self.steps = 0

    def march(self, times: list[float]) -> list[Array]:
        scale = self._job["tau"] or 1.0
        job, stepper = self._job, self._stepper
        state, states = Snapshot(job["start"] * scale, 0, {"rho": self._rho}), []
        for t in times:
            while state.t < t * scale:
                state = self._onward(stepper, state, t * scale)
            states.append(state.rho.T)
        self.steps = state.step
        return states

    def _onward(self, stepper: Any, state: Snapshot, t: float) -> Snapshot:
        """Many steps where the stepper takes them at once, as a run does; else one."""
        stride = strode(stepper, state, t, 1.0)
        return stepper.step(state, t) if stride is None else stride.snapshot


class Distance:
    def __init__(self, job: dict[str, Any], start: dict[str, Array]) -> None:
        self._grid = Grid(job["lower"], job["upper"], [job["n"]] * len(job["lower"]))
        self._pair, self._options = (start["a"].T, start["b"].T), job["options"]
        self.steps = 1

    def march(self, times: list[float]) -> list[Array]:
        found = distance(self._grid, *self._pair, **self._options)
        self.steps, self.note = found.iterations, f"gap {found.gap:.1e}"
        return [np.array(found.w2)] * len(times)


def prepare(job: dict[str, Any], start: dict[str, Array]) -> Stepped | Distance:
    return Distance(job, start) if job["kind"] == "w2" else Stepped(job, start)
