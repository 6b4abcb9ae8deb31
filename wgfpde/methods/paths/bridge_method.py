"""method = "bridge": the Schrödinger bridge of the energy's diffusion from [initial] to [target]."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, field_validator

from ...base.case_table import Positive, Table
from ...energy.laws.equation_names import BRIDGE
from ...energy.snapshot import Column, Traits
from ...energy.snapshot import Field as StoredField
from ...errors import CaseError
from ..bounds_on_runs import bounded
from ..method import Asked, Built, Method
from ..table_keys import WHOLE_STEPS, Iterations, reachable_gap

if TYPE_CHECKING:
    from ...store import Run

WORK_ARRAYS = 24
"""Arrays of the grid's size that a bridge holds beside two for each time: the factors of its steps, and work."""
SMALLEST_MISMATCH = 1e-13
"""The rounding of some hundred steps."""


class BridgeTable(Table):
    """The diffusion from [initial] to [target] that is nearest to that of the energy (Schrödinger's bridge)."""

    method: Literal["bridge"]
    dt: Positive = Field(description=WHOLE_STEPS)
    order: Literal[1, 2] = Field(default=2, description="order in time, 1 or 2")
    tolerance: Positive = Field(default=1e-9, description="largest |density at the end − target|, over the mass")
    max_iterations: Iterations = Field(
        default=None, description="an integer ≥ 1, the most iterations of Sinkhorn's method; default 1000"
    )

    @field_validator("tolerance")
    @classmethod
    def _reachable(cls, tolerance: float) -> float | None:
        return reachable_gap(tolerance, SMALLEST_MISMATCH, 'method = "bridge"')


VALUE_OF_BRIDGE = StoredField(
    "value", "1", "value", "u = -2 kappa ln phi: the bridge drifts by -grad(V + u); its least value at the end is 0.",
)  # fmt: skip
COLUMNS = (
    Column(
        "entropic_cost", "1", "entropic cost",
        "2 kappa KL(bridge | diffusion of the energy), of the whole path: the least integral of |grad u|^2 rho/2.",
    ),
)  # fmt: skip


def _build(table: BridgeTable, asked: Asked) -> Built:
    from .bridge import Bridge

    assert asked.target is not None  # the schema sees to it
    check_linear(asked, "bridge")
    stepper = Bridge(
        asked.flow, asked.rho, asked.target, asked.start, asked.end, table.dt, table.order, table.tolerance,
        table.max_iterations, asked.threads,
    )  # fmt: skip
    return Built(stepper, COLUMNS, (VALUE_OF_BRIDGE,))


def check_linear(asked: Asked, method: str) -> None:
    """Refuse all but the entropy without interaction, by the key that is too much.  Raises CaseError."""
    law, energy = asked.flow.internal.law, asked.flow.energy
    if not law.linear_diffusion:
        raise CaseError(
            f'solver.method: "{method}" needs a diffusion: expected energy.internal {{ kind = "entropy" }}, found '
            f'"{asked.flow.internal.kind}"'
        )
    for name in ("interaction", "features"):
        if getattr(energy, name) is not None:
            raise CaseError(
                f'solver.method: "{method}" is a path of particles that do not see each other: expected no '
                f'energy.{name}; remove it, or take method = "game", where it is a running cost'
            )


def path_arrays(table: Any, dim: int, span: float) -> int:
    """Two arrays for each of the times, and what the steps need."""
    return 2 * (max(1, round(span / table.dt)) + 1) + WORK_ARRAYS


def _promises(run: Run, solver: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The end is the target; the energy may do what it likes on the way."""
    residual, tolerance = run.steps["residual"], solver.get("tolerance")
    if not len(residual) or tolerance is None:
        return []
    meaning = "how far the density at the end is from the target, over the mass; the start is exact"
    return [bounded("end mismatch", meaning, residual.max(), tolerance)]


BRIDGE_METHOD = Method(
    name="bridge",
    cellwise=True,
    table=BridgeTable,
    build=_build,
    traits=lambda table: Traits(
        lowers_energy=False, wasserstein=False, tends_to_gibbs=False, path=True, step=table.dt, order=float(table.order)
    ),
    needs=frozenset({"target"}),
    dynamics=True,
    equation=lambda energy, table: BRIDGE.name,
    promises=_promises,
    arrays=path_arrays,
    coarse=lambda table, span, steps: [f"solver.dt={span / steps!r}"],
    columns=COLUMNS,
    fields=(VALUE_OF_BRIDGE,),
)
