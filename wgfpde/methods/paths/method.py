"""method = "geodesic": the shortest path, in the Wasserstein distance, from [initial] to [target]."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field, field_validator

from ...base.case_table import Positive, Table
from ...energy.equations import GEODESIC
from ...energy.snapshot import Column, Traits
from ..bounds_on_runs import duality_gap
from ..method import Asked, Built, Method
from ..table_keys import FIRST_ORDER_FLOOR, MOST_ITERATIONS, InnerSteps, Iterations, reachable_gap
from .bridge_method import BRIDGE_METHOD
from .sinkhorn_method import SINKHORN_METHOD

if TYPE_CHECKING:
    from ...store import Run

WORK_ARRAYS, PATH_ARRAYS = 15, 33
"""Arrays of the grid's size held at once, and for each inner step."""
NEARBY_ARRAYS, KEPT_ARRAYS = 365, 5
"""What a path between near densities is sought with, of up to 32 steps however few are asked for, and what is kept
meanwhile of the first try, for each inner step."""


class GeodesicTable(Table):
    """The shortest path, in the Wasserstein distance, from [initial] to [target]; the time says how far along it."""

    method: Literal["geodesic"]
    inner_steps: InnerSteps = Field(default=16, description="steps of the path in 2D, an integer ≥ 1")
    tolerance: Positive = Field(default=1e-3, description="largest relative primal–dual gap, in 2D")
    max_iterations: Iterations = Field(default=None, description=MOST_ITERATIONS)

    @field_validator("tolerance")
    @classmethod
    def _reachable(cls, tolerance: float) -> float | None:
        return reachable_gap(tolerance, FIRST_ORDER_FLOOR, 'method = "geodesic"')


STEP_COLUMNS = (Column("transport", "1", "transport cost", "1/2 W2^2 between the ends of the step."),)


def _build(table: GeodesicTable, asked: Asked) -> Built:
    from .geodesics import Geodesic

    assert asked.target is not None  # the schema sees to it
    asked.flow.check_whole("geodesics")
    if asked.flow.grid.dim == 2:
        asked.check_uniform("solver.method", "remove grid.mapping")
    options = table.inner_steps, table.tolerance, table.max_iterations, asked.threads
    stepper = Geodesic(asked.flow.grid, asked.rho, asked.target, asked.start, asked.end, *options)
    return Built(stepper, STEP_COLUMNS)


def _arrays(table: GeodesicTable, dim: int, span: float) -> int:
    path, nearby = (WORK_ARRAYS, PATH_ARRAYS), (NEARBY_ARRAYS, KEPT_ARRAYS)
    return max(work + each * table.inner_steps for work, each in (path, nearby))


def _promises(run: Run, solver: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Along a geodesic the energy is convex, and need not fall."""
    gap, tolerance = run.steps["gap"], solver.get("tolerance")
    return [duality_gap(np.max(gap), tolerance)] if len(gap) and tolerance is not None else []


METHODS: tuple[Method, ...] = (
    Method(
        name="geodesic",
        table=GeodesicTable,
        build=_build,
        traits=lambda table: Traits(lowers_energy=False, wasserstein=False, tends_to_gibbs=False, path=True),
        needs=frozenset({"target"}),
        equation=lambda energy, table: GEODESIC.name,
        promises=_promises,
        arrays=_arrays,
        coarse=lambda table, span, steps: ["solver={inner_steps=8, tolerance=1e-3}"],
        columns=STEP_COLUMNS,
    ),
    BRIDGE_METHOD,
    SINKHORN_METHOD,
)
