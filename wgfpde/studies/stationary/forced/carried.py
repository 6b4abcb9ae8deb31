"""What a steady state under a force carries, and where it can be found."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ....energy.flow import Flow
from ....errors import CaseError, SolverError
from ....grid import Array

LEAVES = (
    "the steady state under the force leaves double precision: V/kappa changes too much along the ring. "
    "A larger kappa helps, or more cells where V is steep."
)


@dataclass(frozen=True, eq=False)
class Transport:
    """What a steady state under a force carries: numbers in 1D; in 2D by axis, x first, 0 along an axis with walls.

    current : J, mass/time, in 2D through a line across the axis.   velocity : v = J L/M, length/time.
    diffusivity : D_eff, length²/time; in 2D (2, 2), half the growth per time of the covariance of the way.
    entropy_production : σ = Σ J ∮f/κ over the axes, mass/time: D/κ of the diagnostics.
    """

    current: Any
    velocity: Any
    diffusivity: Any
    entropy_production: float


def check_forced(flow: Flow, mass: float) -> None:
    """Raise CaseError with an interaction, or without mass."""
    if flow.interaction is not None:
        raise CaseError(
            "the steady state under a force is found without interaction; march to it instead: wgfpde run CASE --set "
            "solver.stationary=1e-10"
        )
    if not (math.isfinite(mass) and mass > 0):
        raise CaseError(f"a stationary state needs a positive mass; found {mass:g}.")


def check_finite(*values: Array | float) -> None:
    """Raise SolverError where a number is not finite."""
    if not all(np.all(np.isfinite(value)) for value in values):
        raise SolverError(LEAVES)
