"""The outer iteration on the interaction: V + W∗ρ at the end of the step, frozen for one convex step after another.

    Φ ↦ ρ(Φ) = argmin ½W₂²(ρ⁰, ρ) + τ(∫U(ρ) + ∫Φρ),      Φ = V + W∗ρ(Φ)

At a fixed point ρ satisfies the optimality conditions of the step with ½∬Wρρ; the energy is checked by the caller, as W
need not be convex.  Anderson mixing; the first Φ continues the change of W∗ρ over the last step.

The residual is τ∫ρ|W∗ρ − frozen| over the scale of the gap.  Without internal energy the gap determines ρ to its square
root only, and that residual would end there: it is τ∫|ρ − ρ_before||W∗ρ − frozen| instead, ρ_before of the convex step
before, an estimate of what the objective can still lose.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from ...energy.flow import Flow
from ...errors import SolverError
from ...grid import Array
from ...linear.mixing import Anderson

T = TypeVar("T")
MAX_OUTER = 60


@dataclass(frozen=True)
class Driven(Generic[T]):
    """solution : of the last convex step.   residual : τ∫ρ|W∗ρ − frozen|/scale, NaN without interaction.
    evaluations : of W∗ρ.   fields : "drive_rate" (ny, nx), the rate of W∗ρ, for the next step to start from."""

    solution: T
    residual: float
    evaluations: int
    fields: dict[str, Array]


def solve_driven(
    flow: Flow,
    tau: float,
    before: Array,
    rate: Array | None,
    tolerance: float,
    solve: Callable[[Array, T | None, float], T],
    end: Callable[[T], tuple[Array, float]],
) -> Driven[T]:
    """The fixed point of the outer iteration.

    before : (ny, nx) W∗ρ⁰.   rate : of W∗ρ over the last step, or None.
    solve(potential, last, tolerance) : one convex step, started from the last solution.
    end(solution) : its density and the scale of its gap.   Raises SolverError when the iteration does not converge.
    """
    assert flow.interaction is not None
    shape = before.shape
    potential = np.zeros(shape) if flow.potential is None else flow.potential.reshape(shape)
    anderson, drive = Anderson(), before if rate is None else before + tau * rate
    strict = not flow.internal.law.vanishes
    solution, residual, best, last = None, np.inf, np.inf, None
    for k in range(1, MAX_OUTER + 1):
        inner = min(1e-4, max(tolerance, 1e-2 * min(residual, 1.0) ** 2)) if k > 1 else max(tolerance, 1e-4)
        solution = solve(potential + drive, solution, inner)
        rho, scale = end(solution)
        image = flow.interaction.apply(rho.reshape(flow.grid.shape)).reshape(shape)
        weight = rho if strict or last is None else np.abs(rho - last)
        change = tau * flow.integral((weight * np.abs(image - drive)).reshape(flow.grid.shape))
        residual, last = (change / scale if scale > 0 else 0.0), rho
        if residual <= tolerance and inner <= tolerance:
            return Driven(solution, residual, k + 1, {"drive_rate": (image - before) / tau})
        best = min(best, residual)
        if not np.isfinite(residual) or residual > 1e3 * max(best, 1e-3):
            break
        drive = anderson.mix(drive, image)
    raise SolverError(
        f"the outer iteration on W∗ρ of the JKO step of tau = {tau:.3g} did not converge: its residual is "
        f"{residual:.2g} after {k} convex steps, {tolerance:.2g} was asked for"
    )
