"""method = "wfr": the gradient flow of E in the Wasserstein–Fisher–Rao geometry, or in that of Fisher–Rao alone."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from ...base.case_table import Positive, Table
from ...energy.laws.equation_names import FISHER_RAO, WASSERSTEIN_FISHER_RAO
from ...energy.snapshot import Traits
from ..finite_volumes.method import StepSize
from ..method import Asked, Built, Method
from ..table_keys import coarse_steps, completed_steps, first_dt_is_adaptive

ARRAYS = 30
"""Arrays of the grid's size that a step holds: those of finite volumes, and of mixing in the reaction."""


class WfrTable(Table):
    """Transport and reaction: ∂t ρ = ∇·(ρ∇ξ) − c ρ (ξ − ⟨ξ⟩)."""

    method: Literal["wfr"]
    rate: Positive = Field(default=1.0, description="c, how fast mass grows and decays, a positive number")
    balanced: bool = Field(
        default=True, description="true (default): ⟨ξ⟩ is taken off and the mass stays; false: ∂t ρ = … − c ρ ξ"
    )
    transport: bool = Field(default=True, description="true (default), or false: Fisher–Rao, nothing moves")
    dt: StepSize = Field(default=None, description='step size, a number > 0 or "adaptive"; default span/200')
    tolerance: Positive = Field(default=1e-4, description="error per step over mass, for adaptive steps")
    first_dt: Positive | None = Field(default=None, description="first trial step of adaptive stepping")

    _first_dt = model_validator(mode="after")(first_dt_is_adaptive)


def _build(table: WfrTable, asked: Asked) -> Built:
    from .strang import WassersteinFisherRao

    assert table.dt is not None  # `completed_steps` gave it a value
    return Built(
        WassersteinFisherRao(
            asked.flow, table.rate, table.balanced, table.transport, table.dt, table.tolerance, table.first_dt,
            asked.threads,
        )
    )  # fmt: skip


def _traits(table: WfrTable) -> Traits:
    return Traits(wasserstein=False, keeps_mass=table.balanced, tends_to_gibbs=table.balanced, order=2.0)


def _equation(energy: Any, table: WfrTable) -> str:
    return (WASSERSTEIN_FISHER_RAO if table.transport else FISHER_RAO).name


METHODS = (
    Method(
        name="wfr",
        cellwise=True,
        table=WfrTable,
        build=_build,
        traits=_traits,
        complete=completed_steps,
        equation=_equation,
        diagnostics=("fisher_rao_rate",),
        arrays=lambda table, dim, span: ARRAYS,
        coarse=coarse_steps,
    ),
)
