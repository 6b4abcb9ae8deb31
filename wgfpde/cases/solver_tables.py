"""The tables [solver] of a case file, one for each method."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from ..base.toml import show
from .tables import Positive, Table, fail


def _step_size(value: object) -> object:
    """Accept a positive number or "adaptive", with one message for both (a union would give two)."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if value is None or value == "adaptive" or (number and 0 < value < math.inf):  # type: ignore[operator]
        return value
    raise fail(f'expected a positive number or "adaptive", found {show(value)}')


StepSize = Annotated[float | Literal["adaptive"] | None, BeforeValidator(_step_size)]
Algorithm = Literal["newton", "pdhg"]
InnerSteps = Annotated[int, Field(ge=1)]
Iterations = Annotated[int, Field(ge=1)] | None
BlowUp = Literal["stop", "ignore"]
WHERE_IT_BLOWS_UP = '"stop" (default): end the run where the density blows up; "ignore": march on'
MOST_ITERATIONS = "an integer ≥ 1, the most iterations for one convex problem"
TOLERANCE_FLOOR = {"newton": 1e-12, "pdhg": 1e-10}
"""Smallest relative gap that may be asked for.  Primal and dual are sums of cell values that cancel to the gap, which
leaves about 1e-13 of rounding; a first-order method loses some more digits in its transforms."""
TOLERANCES = {"newton": 1e-8, "pdhg": 1e-4}
"""Default gaps: what a quadratically convergent method reaches at no cost, and a first-order one in reasonable time."""


class FvTable(Table):
    """Structure-preserving finite volumes."""

    method: Literal["fv"]
    order: Literal[1, 2] = Field(default=2, description="order in time, 1 or 2")
    dt: StepSize = Field(default=None, description='step size, a number > 0 or "adaptive"; default span/200')
    tolerance: Positive = Field(default=1e-4, description="error per step over mass, for adaptive steps")
    first_dt: Positive | None = Field(default=None, description="first trial step of adaptive stepping")
    stationary: Positive | None = Field(default=None, description="stop when max|F| falls below this number")
    blow_up: BlowUp = Field(default="stop", description=WHERE_IT_BLOWS_UP)

    @model_validator(mode="after")
    def _first_dt_is_adaptive(self) -> FvTable:
        if self.first_dt is not None and self.dt != "adaptive":
            raise fail('first_dt belongs to adaptive stepping; write dt = "adaptive" or remove it')
        return self


class JkoTable(Table):
    """The JKO scheme by Benamou–Brenier: ρ ↦ argmin ½W₂²(ρ, ·) + τE."""

    method: Literal["jko"]
    tau: Positive = Field(description="JKO step, a positive number")
    scheme: Literal["jko", "extrapolated"] = Field(
        default="jko", description='"jko" (order 1 in tau, default) or "extrapolated" (order 2)'
    )
    algorithm: Algorithm = Field(default="newton", description='"newton" or "pdhg"')
    inner_steps: InnerSteps = Field(default=1, description="inner steps of the transport, an integer ≥ 1 (pdhg only)")
    tolerance: Positive | None = Field(
        default=None, description="largest relative primal–dual gap; default 1e-8 (newton), 1e-4 (pdhg)"
    )
    max_iterations: Iterations = Field(default=None, description=MOST_ITERATIONS)
    congestion: Positive | None = Field(default=None, description="upper bound on the density (pdhg only)")
    stationary: Positive | None = Field(default=None, description="stop when max|F| falls below this number")
    blow_up: BlowUp = Field(default="stop", description=WHERE_IT_BLOWS_UP)

    @field_validator("tolerance")
    @classmethod
    def _reachable(cls, tolerance: float | None, info: ValidationInfo) -> float | None:
        return reachable(tolerance, info.data.get("algorithm", "newton"))

    @model_validator(mode="after")
    def _newton_takes_plain_steps(self) -> JkoTable:
        if self.algorithm == "newton" and self.inner_steps > 1:
            raise fail(f'algorithm = "newton" takes inner_steps = 1, found {self.inner_steps}; "pdhg" takes more')
        if self.algorithm == "newton" and self.congestion is not None:
            raise fail('algorithm = "newton" takes no congestion; write algorithm = "pdhg", or remove congestion')
        if self.scheme == "extrapolated" and self.congestion is not None:
            raise fail(
                'scheme = "extrapolated" takes no congestion: the combination of its steps would exceed the bound; '
                'write scheme = "jko", or remove congestion'
            )
        return self


class GeodesicTable(Table):
    """The shortest path, in the Wasserstein distance, from [initial] to [target]; the time says how far along it."""

    method: Literal["geodesic"]
    inner_steps: InnerSteps = Field(default=16, description="steps of the path in 2D, an integer ≥ 1")
    tolerance: Positive = Field(default=1e-3, description="largest relative primal–dual gap, in 2D")
    max_iterations: Iterations = Field(default=None, description=MOST_ITERATIONS)

    @field_validator("tolerance")
    @classmethod
    def _reachable(cls, tolerance: float) -> float | None:
        return reachable(tolerance, "pdhg")


def reachable(tolerance: float | None, algorithm: str) -> float | None:
    """Refuse a gap that double precision cannot show, or that the algorithm cannot reach."""
    floor = TOLERANCE_FLOOR[algorithm]
    if tolerance is None or tolerance >= floor:
        return tolerance
    raise fail(
        f'expected at least {floor:g}, found {tolerance:g}: double precision leaves algorithm = "{algorithm}" '
        "no smaller gap; enlarge it"
    )
