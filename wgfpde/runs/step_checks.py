"""What is looked at after every step: whether its state is one, and how far the flow is from rest; and after the last,
whether the grid resolves it."""

from __future__ import annotations

import numpy as np

from ..cases.problems import Problem
from ..energy import currents, fluxes
from ..energy.flow import Flow
from ..energy.snapshot import Snapshot, misfit
from ..errors import SolverError
from ..grid import Array


def check_step(problem: Problem, snapshot: Snapshot, previous: Snapshot, t_next: float) -> None:
    """Refuse a state that is not finite or has other arrays than it should, and a step that did not move or went past
    t_next: raises SolverError."""
    flow = problem.flow
    if trouble := misfit(snapshot.fields, flow.grid.shape, problem.fields):
        raise SolverError(f"the step gave {trouble}.")
    rho = snapshot.rho
    if not np.isfinite(np.sum(rho)):
        bad = np.argwhere(~np.isfinite(rho))
        where = flow.grid.describe(tuple(int(k) for k in bad[0])) if len(bad) else "every cell, summed up"
        raise SolverError(f"rho is not finite at {where}. Use a smaller step; check potential and initial data.")
    if not snapshot.t > previous.t:
        raise SolverError(
            f"the step from t = {previous.t!r} made no progress: its size has fallen to rounding. "
            "Start closer to t = 0, or take larger steps."
        )
    if snapshot.t > t_next:
        raise SolverError(f"the step from t = {previous.t!r} went to t = {snapshot.t!r}, past t = {t_next!r}.")


def distance_from_rest(flow: Flow, rho: Array) -> float:
    """The largest |F|; where mass comes in, and goes on flowing at rest, the largest |∂ρ/∂t| h."""
    passing = flow.lets_in or flow.push is not None
    return currents.unrest(flow, rho) if passing else fluxes.max_flux(flow, rho)


def unresolved(problem: Problem, last: Snapshot, verdict: str) -> str:
    """A sentence on what the grid does not resolve of the last state; "" for nothing, and of a blow-up."""
    if verdict == "blow-up" or not np.all(np.isfinite(last.rho)):
        return ""
    return problem.resolution_note(last, f"the density at t = {last.t:.6g}")
