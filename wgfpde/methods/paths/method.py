"""method = "geodesic": the shortest path, in the Wasserstein distance, from [initial] to [target]."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field as Key
from pydantic import field_validator

from ...base.case_table import Positive, Table
from ...energy.laws.equation_names import GEODESIC
from ...energy.snapshot import Column, Field, Traits
from ..bounds_on_runs import bounded, duality_gap, energy_sizes
from ..method import Asked, Built, Method
from ..table_keys import FIRST_ORDER_FLOOR, MOST_ITERATIONS, InnerSteps, Iterations, reachable_gap
from .bridge_method import BRIDGE_METHOD
from .game_method import GAME_METHOD
from .sinkhorn_method import SINKHORN_METHOD

if TYPE_CHECKING:
    from ...energy.flow import Flow
    from ...store import Run

WORK_ARRAYS, PATH_ARRAYS = 15, 33
"""Arrays of the grid's size held at once, and for each inner step."""
NEARBY_ARRAYS, KEPT_ARRAYS = 365, 5
"""What a path between near densities is sought with, of up to 32 steps however few are asked for, and what is kept
meanwhile of the first try, for each inner step."""


class GeodesicTable(Table):
    """The shortest path, in the Wasserstein distance, from [initial] to [target]; the time says how far along it."""

    method: Literal["geodesic"]
    inner_steps: InnerSteps = Key(default=16, description="steps of the path in 2D, an integer ≥ 1")
    tolerance: Positive = Key(default=1e-3, description="largest relative primal–dual gap, in 2D")
    max_iterations: Iterations = Key(default=None, description=MOST_ITERATIONS)

    @field_validator("tolerance")
    @classmethod
    def _reachable(cls, tolerance: float) -> float | None:
        return reachable_gap(tolerance, FIRST_ORDER_FLOOR, 'method = "geodesic"')


STEP_COLUMNS = (Column("transport", "1", "transport cost", "1/2 W2^2 between the ends of the step."),)
CHORD_FIELD = Field(
    "chord", "1", "chord of the energy",
    "s, W2^2, M W2^2 less the square of the way of the first moment, then internal, potential and interaction energy "
    "at the start and at the target: what the slacks of displacement convexity are made of.",
    dims=(("chord_part", 9),), stored=False,
)  # fmt: skip
JENSEN = 1e-12
"""Of the internal energy, by which rounding may lift it above its chord in 1D."""


def _build(table: GeodesicTable, asked: Asked) -> Built:
    from .geodesics import Geodesic

    assert asked.target is not None  # the schema sees to it
    asked.flow.check_whole("geodesics")
    if asked.flow.grid.dim == 2:
        asked.check_uniform("solver.method", "remove grid.mapping")
    options = table.inner_steps, table.tolerance, table.max_iterations, asked.threads
    stepper = Geodesic(asked.flow, asked.rho, asked.target, asked.start, asked.end, *options)
    return Built(
        stepper, STEP_COLUMNS, (CHORD_FIELD,), {CHORD_FIELD.name: stepper.chord(asked.start)}, _bounds(asked.flow)
    )


def _bounds(flow: Flow) -> dict[str, float]:
    """λ of the parts of the energy, where it is known, for the file."""
    from ...diagnostics.certificates import displacement_convexity

    known = {part: found.bound for part, found in displacement_convexity(flow).items()}
    return {f"lambda_{part}": bound for part, bound in known.items() if np.isfinite(bound)}


def _arrays(table: GeodesicTable, dim: int, span: float) -> int:
    path, nearby = (WORK_ARRAYS, PATH_ARRAYS), (NEARBY_ARRAYS, KEPT_ARRAYS)
    return max(work + each * table.inner_steps for work, each in (path, nearby))


def _promises(run: Run, solver: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Along a geodesic the energy is convex, and need not fall; of ∫U this is judged in 1D, where it is to rounding."""
    gap, tolerance = run.steps["gap"], solver.get("tolerance")
    found = [duality_gap(np.max(gap), tolerance)] if len(gap) and tolerance is not None else []
    if run.dim == 1 and "slack_internal" in run.diagnostics and "lambda_internal" in run.attributes:
        meaning = "how far the internal energy rises above its chord between start and target at most"
        above, bound = -np.min(run.diagnostics["slack_internal"]), JENSEN * np.max(energy_sizes(run))
        found.append(bounded("convexity", meaning, above, bound))
    return found


METHODS: tuple[Method, ...] = (
    Method(
        name="geodesic",
        cellwise=True,
        table=GeodesicTable,
        build=_build,
        traits=lambda table: Traits(lowers_energy=False, wasserstein=False, tends_to_gibbs=False, path=True),
        needs=frozenset({"target"}),
        equation=lambda energy, table: GEODESIC.name,
        promises=_promises,
        arrays=_arrays,
        coarse=lambda table, span, steps: ["solver={inner_steps=8, tolerance=1e-3}"],
        columns=STEP_COLUMNS,
        fields=(CHORD_FIELD,),
    ),
    BRIDGE_METHOD,
    GAME_METHOD,
    SINKHORN_METHOD,
)
