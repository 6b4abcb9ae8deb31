"""The exact step of a flow: what it takes, and in which dimension by what."""

from __future__ import annotations

import numpy as np

from ....energy.flow import Flow
from ....errors import CaseError
from ....grid import Array
from ..method import EXACT_DRIVE, EXACT_TOLERANCES
from .dual_ascent import ascend
from .exact_line import solve_line
from .exact_plane import Plane
from .solution import ExactSolution, Problem

LEAST_CELLS = 4
INSTEAD = 'take algorithm = "newton"'


def refusal(flow: Flow) -> str:
    """Why there is no exact step of this flow, as the end of a sentence; "" where there is."""
    grid, internal = flow.grid, flow.internal
    if flow.dynamics is not None:
        return f"expected no [dynamics]: a diffusion makes another distance than W₂, found one; {INSTEAD}"
    if grid.dim == 1:
        return ""
    for axis, count in zip(grid.axes, grid.shape[::-1], strict=True):
        if not axis.uniform:
            return f"expected cells of one size, axis {axis.name} is stretched; {INSTEAD}"
        if count < LEAST_CELLS:
            return (
                f"expected at least {LEAST_CELLS} cells along each axis in 2D, axis {axis.name} has {count}; {INSTEAD}"
            )
    if not (internal.law.linear_diffusion or internal.m > 1):
        return f"expected in 2D the entropy or a power m > 1, found {internal.in_case}; {INSTEAD}"
    return ""


class ExactSolver:
    """Exact steps of one flow.

    tolerance : of the gap in 1D, of the backward error in 2D; None: the default.   most : Newton iterations of a grid.
    Raises CaseError where `refusal` has a reason.
    """

    def __init__(self, flow: Flow, tolerance: float | None, most: int | None) -> None:
        reason = refusal(flow)
        if reason:
            raise CaseError(f'algorithm = "exact": {reason}.')
        self.flow, self.most = flow, most
        self.tolerance = EXACT_TOLERANCES[flow.grid.dim] if tolerance is None else tolerance
        self._plane = Plane(flow, self.tolerance, most) if flow.grid.dim == 2 else None

    @property
    def drive_tolerance(self) -> float:
        return min(self.tolerance, EXACT_DRIVE)

    def solve(self, rho0: Array, potential: Array, tau: float, warm: Array | None) -> ExactSolution:
        """The step from rho0 in V (with W∗ρ where frozen).   Arrays of any shape with the grid's size.

        Mass to rounding, ρ ≥ 0.   Raises SolverError where no step of the tolerance is found.
        """
        shape = self.flow.grid.shape
        problem = Problem(self.flow, rho0.reshape(shape), potential.reshape(shape), tau)
        if problem.mass == 0.0:
            raise problem.failure("there is no mass")
        if self._plane is None:
            return solve_line(problem, self.tolerance, self.most)
        return self._plane.solve(problem, None if warm is None else warm.reshape(shape))

    def compile_rare(self, rho: Array) -> None:
        """Call the kernels that only hard steps need, on a density of the flow's grid."""
        if self._plane is not None:
            ascend(self._plane.levels[0], Problem(self.flow, rho, np.zeros(self.flow.grid.shape), 1e-3), 0.0 * rho)
