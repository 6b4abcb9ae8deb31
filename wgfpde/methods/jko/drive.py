"""The outer iteration on the interaction: V + W∗ρ at the end of the step, frozen for one convex step after another.

    Φ ↦ ρ(Φ) = argmin ½W₂²(ρ⁰, ρ) + τ(∫U(ρ) + ∫Φρ),      Φ = V + W∗ρ(Φ)

At a fixed point ρ satisfies the optimality conditions of the step with ½∬Wρρ; the energy is checked by the caller, as W
need not be convex.  Anderson mixing; the first Φ continues the change of W∗ρ over the last step.  Where mixing does not
converge, as for a repulsion like |x|^(−½) and long steps, Newton's method goes on (module `fixed_point`), with convex
steps solved as finely as the algorithm can: it takes differences of them.

The residual is τ∫ρ|W∗ρ − frozen| over the scale of the gap.  Without internal energy the gap determines ρ to its square
root only, and that residual would end there: it is τ∫|ρ − ρ_before||W∗ρ − frozen| instead, ρ_before of the convex step
before, an estimate of what the objective can still lose.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from ...energy.flow import Flow
from ...errors import SolverError
from ...grid import Array
from ...linear.fixed_point import FixedPointSolver, NotFound, hopeless
from ...linear.mixing import Anderson

T = TypeVar("T")
MAX_OUTER = 60
TRIED = 12
"""Convex steps after which mixing is given up where it would need over MAX_OUTER, if Newton's method may follow."""
NEAR, FAR, STEP = 1e-7, 1e-5, 1e-12
"""Newton's method: the differences of the drive, relative, that a gap can resolve, and the last step worth taking."""


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
    finest: float | None = None,
) -> Driven[T]:
    """The fixed point of the outer iteration.

    before : (ny, nx) W∗ρ⁰.   rate : of W∗ρ over the last step, or None.
    solve(potential, last, tolerance) : one convex step, started from the last solution.
    end(solution) : its density and the scale of its gap.   finest : tolerance of convex steps whose differences make
    sense; None where there is none.   Raises SolverError when the iteration does not converge.
    """
    outer = Outer(flow, tau, before.shape, solve, end)
    anderson, drive = Anderson(), before if rate is None else before + tau * rate
    residuals: list[float] = []
    best = drive
    for k in range(1, MAX_OUTER + 1):
        inner = max(tolerance, 1e-4)
        if residuals:
            inner = min(1e-4, max(tolerance, 1e-2 * min(residuals[-1], 1.0) ** 2))
        image = outer.image(drive, inner)
        residual = outer.judge(drive, image)
        if residual <= tolerance and inner <= tolerance:
            return outer.driven(image, before)
        if not residuals or residual < min(residuals):
            best = drive
        residuals.append(residual)
        if not np.isfinite(residual) or residual > 1e3 * max(min(residuals), 1e-3):
            break
        if finest is not None and k >= TRIED and hopeless(residuals, tolerance, MAX_OUTER):
            break
        drive = anderson.mix(drive, image)
    if finest is not None and np.isfinite(min(residuals)):
        offset = float(np.max(np.abs(before)))
        newton = FixedPointSolver(
            lambda x: outer.image(x, finest), STEP, offset, SolverError, NEAR, FAR,
            lambda x, image: outer.judge(x, image) <= tolerance,
        )  # fmt: skip
        with suppress(NotFound):
            found = newton.newton(best, outer.image(best, finest))
            if outer.residual <= tolerance:
                return outer.driven(found.image, before)
    raise SolverError(
        f"the outer iteration on W∗ρ of the JKO step of tau = {tau:.3g} did not converge: its residual is "
        f"{outer.residual:.2g} after {outer.count} convex steps, {tolerance:.2g} was asked for"
    )


class Outer(Generic[T]):
    """The map drive ↦ W∗ρ(V + drive) and how far its last value is from a fixed point.

    solution, rho : of the last convex step.   count : convex steps so far.   residual : as last judged.
    """

    def __init__(
        self,
        flow: Flow,
        tau: float,
        shape: tuple[int, ...],
        solve: Callable[[Array, T | None, float], T],
        end: Callable[[T], tuple[Array, float]],
    ) -> None:
        assert flow.interaction is not None
        self._flow, self._tau, self._shape, self._solve, self._end = flow, tau, shape, solve, end
        self._apply = flow.interaction.apply
        self._potential = np.zeros(shape) if flow.potential is None else flow.potential.reshape(shape)
        self._judged: Array | None = None
        self.solution: T | None = None
        self.rho, self.scale, self.residual, self.count = np.zeros(shape), 0.0, np.inf, 0

    def image(self, drive: Array, tolerance: float) -> Array:
        """W∗ρ of the convex step in the potential V + drive."""
        self.solution = self._solve(self._potential + drive, self.solution, tolerance)
        self.rho, self.scale = self._end(self.solution)
        self.count += 1
        return self._apply(self.rho.reshape(self._flow.grid.shape)).reshape(self._shape)

    def judge(self, drive: Array, image: Array) -> float:
        """The residual of the last convex step, whose drive and image these are."""
        last = None if not self._flow.internal.law.vanishes else self._judged
        weight = self.rho if last is None else np.abs(self.rho - last)
        change = self._tau * self._flow.integral((weight * np.abs(image - drive)).reshape(self._flow.grid.shape))
        self.residual, self._judged = (change / self.scale if self.scale > 0 else 0.0), self.rho
        return self.residual

    def driven(self, image: Array, before: Array) -> Driven[T]:
        assert self.solution is not None
        return Driven(self.solution, self.residual, self.count + 1, {"drive_rate": (image - before) / self._tau})
