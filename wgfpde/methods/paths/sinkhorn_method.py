"""method = "sinkhorn": entropic JKO steps, and the kernel formula that they become at ε = 4κτ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field, field_validator

from ...base.case_table import Positive, Table
from ...energy.snapshot import Column, Traits
from ...errors import CaseError
from ..bounds_on_runs import bounded
from ..method import Asked, Built, Method
from ..table_keys import WHOLE_STEPS, Iterations, reachable_gap

if TYPE_CHECKING:
    from ...store import Run
    from .sinkhorn import EntropicSteps

ARRAYS = 30
"""Arrays of the grid's size that a step holds."""
SMALLEST_RESIDUAL = 1e-13
RISE = 1e-12
"""Rounding of sums, by which the account of two steps may rise, relative to its parts."""


class SinkhornTable(Table):
    """Entropic JKO steps: the distance of a step is smoothed by the entropy of its coupling."""

    method: Literal["sinkhorn"]
    tau: Positive = Field(description=WHOLE_STEPS)
    epsilon: Positive | None = Field(
        default=None, description="weight of the entropy of couplings, length²; default 4κτ: no iteration"
    )
    form: Literal["compensated", "plain"] = Field(
        default="compensated",
        description='"compensated" (default): the bias ν∫ρ ln ρ, ν = ε/4τ, is taken off; "plain": it is left in',
    )
    heat_steps: Annotated[int, Field(ge=1)] = Field(
        default=8, description="an integer ≥ 1: parts of the heat step by which couplings are smoothed"
    )
    tolerance: Positive = Field(default=1e-10, description="residual of a step in L1, over the mass")
    max_iterations: Iterations = Field(
        default=None, description="an integer ≥ 1, the most iterations for a step; default 2000"
    )

    @field_validator("tolerance")
    @classmethod
    def _reachable(cls, tolerance: float) -> float | None:
        return reachable_gap(tolerance, SMALLEST_RESIDUAL, 'method = "sinkhorn"')


COLUMNS = (
    Column(
        "entropic_energy", "1", "account of two steps",
        "2 nu KL(coupling | heat kernel) + F before + F after the step; it never rises.  NaN with an interaction.",
    ),
)  # fmt: skip


def _build(table: SinkhornTable, asked: Asked) -> Built:
    from .sinkhorn import EntropicSteps

    law = asked.flow.internal.law
    asked.flow.check_whole("entropic steps")
    if not (law.linear_diffusion or law.vanishes):
        raise CaseError(
            f'solver.method: "sinkhorn" solves its steps in logarithms: expected energy.internal '
            f'{{ kind = "entropy" }} or {{ kind = "none" }}, found "{asked.flow.internal.kind}"; take method = "jko"'
        )
    if law.vanishes and table.epsilon is None:
        raise CaseError(
            "solver.epsilon: expected a positive number: without an entropy there is no kappa to take it from"
        )
    stepper = EntropicSteps(
        asked.flow, table.tau, table.epsilon, table.form == "compensated", table.heat_steps, table.tolerance,
        table.max_iterations, asked.threads,
    )  # fmt: skip
    return Built(stepper, COLUMNS, attributes={"nu": stepper.nu}, notes=(bias_of(stepper, table.form),))


def bias_of(steps: EntropicSteps, form: str) -> str:
    """What the steps are biased by, in a sentence."""
    known = f"epsilon = {steps.epsilon:.4g} smooths a step like a diffusion of nu = epsilon/4 tau = {steps.nu:.4g}"
    if steps.entropy == 0.0 and form == "compensated":
        return (
            f"{known}, which is all of kappa: the kernel formula, without iteration. It rests in phi P phi, "
            "phi = exp(-V/2 kappa), which differs from exp(-V/kappa) by O(tau)."
        )
    if form == "compensated":
        return f"{known}; that bias is taken off, what is left of it is O(epsilon²), beside the O(tau) of JKO steps."
    return (
        f"{known}, and nothing makes up for it: steps are nearly those of kappa = {steps.kappa + steps.nu:.4g} in "
        f'place of {steps.kappa:.4g}. form = "compensated" takes it off.'
    )


def _promises(run: Run, solver: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Steps solved to the tolerance; without W the account of two steps never rises.  The energy itself may."""
    tolerance, residual = solver.get("tolerance"), run.steps["residual"]
    if not len(residual) or tolerance is None:
        return []
    found = [bounded("residual", "the largest residual of a step, in L1 over the mass", np.max(residual), tolerance)]
    account = run.steps["entropic_energy"]
    if np.all(np.isfinite(account)):
        meaning = "the largest rise, from step to step, of 2 nu KL + F before + F after"
        rise = float(np.max(np.diff(account), initial=0.0))
        mass, nu = float(run.diagnostics["mass"][0]), float(run.attributes["nu"])
        size = float(np.max(np.abs(account))) + nu * mass
        # what a step may miss of its minimum: 2ν times the error of ln b, which the residual bounds
        found.append(bounded("account rise", meaning, rise, RISE * size + 4 * nu * mass * float(tolerance)))
    return found


SINKHORN_METHOD = Method(
    name="sinkhorn",
    cellwise=True,
    table=SinkhornTable,
    build=_build,
    traits=lambda table: Traits(
        lowers_energy=False, wasserstein=False, tends_to_gibbs=False, near_gibbs=True, step=table.tau
    ),
    promises=_promises,
    arrays=lambda table, dim, span: ARRAYS,
    coarse=lambda table, span, steps: [f"solver.tau={span / steps!r}"],
    columns=COLUMNS,
)
