"""method = "fv": structure-preserving finite volumes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BeforeValidator, Field, model_validator

from ...base.case_table import Positive, Table, positive_or
from ...energy.snapshot import Field as StoredField
from ...energy.snapshot import Traits
from ...grid import Array
from ...grid.axis import AXIS_NAMES
from .. import table_keys as keys
from ..method import Asked, Built, Method
from ..table_keys import AT_REST, WHERE_IT_BLOWS_UP, WORK_AND_HEAT, BlowUp

StepSize = Annotated[float | Literal["adaptive"] | None, BeforeValidator(positive_or("adaptive"))]


class FvTable(Table):
    """Structure-preserving finite volumes."""

    method: Literal["fv"]
    order: Literal[1, 2] = Field(default=2, description="order in time, 1 or 2")
    dt: StepSize = Field(default=None, description='step size, a number > 0 or "adaptive"; default span/200')
    tolerance: Positive = Field(default=1e-4, description="error per step over mass, for adaptive steps")
    stationary: Positive | None = Field(default=None, description=AT_REST)
    blow_up: BlowUp = Field(default="stop", description=WHERE_IT_BLOWS_UP)
    first_dt: Positive | None = Field(default=None, description="first trial step of adaptive stepping")

    _first_dt = model_validator(mode="after")(keys.first_dt_is_adaptive)


WEIGHT = StoredField(
    "work_weight", "1", "weights of trajectories",
    "Density of the weights e^{-W/kappa} of the trajectories that end there, brought to the mass of rho; W is the work "
    "along one.  From the Gibbs state on it is the Gibbs state of every time.",
    stored=False,
)  # fmt: skip


def _current(axis: int) -> Callable[[Any, Array], Array]:
    def current(flow: Any, rho: Array) -> Array:
        from ...energy.currents import cell_currents

        return cell_currents(flow, rho)[axis]

    return current


CURRENTS = tuple(
    StoredField(
        f"current_{name}", "1", f"current along {name}",
        f"Flux along {name}, mass/(time area), mean of both faces of a cell: of a probability, its current.",
        stored=False, value=_current(axis),
    )
    for axis, name in enumerate(AXIS_NAMES)
)  # fmt: skip


def _build(table: FvTable, asked: Asked) -> Built:
    from .driven_step import keeps_account, may_weigh
    from .stepper import FiniteVolumes

    assert table.dt is not None  # `completed_steps` gave it a value
    weigh = may_weigh(asked.flow) and not asked.wanted.isdisjoint({"jarzynski", WEIGHT.name})
    stepper = FiniteVolumes(asked.flow, table.order, table.dt, table.tolerance, table.first_dt, asked.threads, weigh)
    return Built(
        stepper,
        columns=WORK_AND_HEAT if keeps_account(asked.flow) else (),
        fields=(*CURRENTS[: asked.flow.grid.dim], *((WEIGHT,) if may_weigh(asked.flow) else ())),
        initial={WEIGHT.name: asked.rho, "log_weight": np.zeros(1)} if weigh else {},
    )


def _amplification(solver: Mapping[str, Any], z: Array) -> Array:
    """|R(z)| of backward Euler, or of SDIRK2; an adaptive step keeps the solution of two half steps."""
    from .linear_sweep import GAMMA

    halves = solver.get("dt") == "adaptive"
    z = 0.5 * z if halves else z
    factor = 1.0 / (1.0 + z)
    if solver.get("order") != 1:
        factor = np.abs(1.0 - (1.0 - 2.0 * GAMMA) * z) / (1.0 + GAMMA * z) ** 2
    return factor**2 if halves else factor


METHODS = (
    Method(
        name="fv",
        cellwise=True,
        table=FvTable,
        build=_build,
        traits=lambda table: Traits(order=float(table.order)),
        dynamics=True,
        radial=True,
        exits=True,
        complete=keys.completed_steps,
        coarse=keys.coarse_steps,
        amplification=_amplification,
        driven=True,
        pushed=True,
        columns=WORK_AND_HEAT,
        fields=(*CURRENTS, WEIGHT),
    ),
)
