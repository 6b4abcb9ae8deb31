"""Keys that the tables of several methods share, with what is said of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field

from ..base.case_table import fail
from ..energy.snapshot import Column

InnerSteps = Annotated[int, Field(ge=1)]
Iterations = Annotated[int, Field(ge=1)] | None
BlowUp = Literal["stop", "ignore"]
WHERE_IT_BLOWS_UP = '"stop" (default): end the run where the density blows up; "ignore": march on'
WHOLE_STEPS = "step, a positive number of which the time span and the output times are multiples"
AT_REST = "stop when max|F| falls below this number"
MOST_ITERATIONS = "an integer ≥ 1, the most iterations for one convex problem"
FIRST_ORDER_FLOOR = 1e-10
"""Smallest relative gap of a first-order method.  Primal and dual are sums of cell values that cancel to the gap, which
leaves about 1e-13 of rounding; a first-order method loses some more digits in its transforms."""


Keys = TypeVar("Keys", bound=Any)


def first_dt_is_adaptive(table: Keys) -> Keys:
    """Refuse a first step where steps are of one size."""
    if table.first_dt is not None and table.dt != "adaptive":
        raise fail('first_dt belongs to adaptive stepping; write dt = "adaptive" or remove it')
    return table


def completed_steps(table: Keys, span: float) -> Keys:
    """A table without dt takes 200 steps."""
    return table if table.dt is not None else table.model_copy(update={"dt": span / 200})


def coarse_steps(table: Any, span: float, steps: int) -> list[str]:
    """What asks for so many steps, or for adaptive ones of a larger error."""
    return ["solver.tolerance=1e-3" if table.dt == "adaptive" else f"solver.dt={span / steps!r}"]


def reachable_gap(tolerance: float | None, floor: float, of: str) -> float | None:
    """Refuse a gap that double precision cannot show, or that is out of reach.   of : what reaches the floor."""
    if tolerance is None or tolerance >= floor:
        return tolerance
    raise fail(
        f"expected at least {floor:g}, found {tolerance:g}: double precision leaves {of} no smaller gap; enlarge it"
    )


WORK_AND_HEAT = (
    Column("work", "1", "work", "Work done in the step: what changing V, W and kappa adds to the energy, or a force."),
    Column("heat", "1", "heat", "Energy that the density gave off in the step; never negative."),
)
"""Columns of the table of steps of a run whose energy depends on time, or that a force drives."""
