"""method = "jko": the JKO scheme by Benamou–Brenier, each step a minimisation with a certificate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field, ValidationInfo, field_validator, model_validator

from ...base.case_table import Positive, Table, fail
from ...energy.snapshot import Column, Traits
from ...energy.snapshot import Field as StoredField
from ...errors import CaseError
from ..bounds_on_runs import (
    between_snapshots,
    bounded,
    duality_gap,
    energy_changes,
    energy_rise,
    largest_rise,
)
from ..method import Asked, Built, Method
from ..table_keys import (
    AT_REST,
    FIRST_ORDER_FLOOR,
    MOST_ITERATIONS,
    WHERE_IT_BLOWS_UP,
    WHOLE_STEPS,
    WORK_AND_HEAT,
    BlowUp,
    InnerSteps,
    Iterations,
    reachable_gap,
)

if TYPE_CHECKING:
    from ...store import Run

TOLERANCES = {"newton": 1e-8, "pdhg": 1e-6}
"""Default gaps: what a quadratically convergent method reaches at no cost, and a first-order one in reasonable time."""
GAP_FLOORS = {"newton": 1e-12, "pdhg": FIRST_ORDER_FLOOR, "exact": 1e-12}
"""Smallest gaps that may be asked for."""
EXACT_TOLERANCES = {1: 1e-8, 2: 2e-2}
"""Of `exact` by dimension: of the relative gap; of the backward error, which jumps and free boundaries leave."""
EXACT_DRIVE = 1e-6
"""What the outer iteration on W∗ρ of `exact` is held to where the tolerance is larger."""
FALLBACK_STEPS, FALLBACK_GAP = 8, 1e-6
"""Inner steps and gap of the steps that "exact" falls back to in 2D, where the cells do not resolve the map: by "pdhg",
on small grids, where that takes long, by an interior point.  These inner steps leave 1/64 of what one leaves."""
COARSE_GAPS = {"newton": 1e-11, "pdhg": 1e-6}
"""A minimisation ends at an iterate, not at the minimum: the iterate is what references compare."""
CONGESTION_MARGIN = 1e-9
"""How far, relative, a density may exceed the bound of `congestion`."""
WORK_ARRAYS, PATH_ARRAYS = {"newton": 50, "pdhg": 15, "exact": 45}, 33
"""Arrays of the grid's size held at once, and what pdhg holds for each inner step."""


class JkoTable(Table):
    """The JKO scheme by Benamou–Brenier: ρ ↦ argmin ½W₂²(ρ, ·) + τE."""

    method: Literal["jko"]
    tau: Positive = Field(description="JKO " + WHOLE_STEPS)
    scheme: Literal["jko", "extrapolated"] = Field(
        default="jko", description='"jko" (order 1 in tau, default) or "extrapolated" (order 2)'
    )
    algorithm: Literal["newton", "pdhg", "exact"] = Field(
        default="newton", description='"newton", "pdhg", or "exact": W₂ itself, without inner steps'
    )
    inner_steps: InnerSteps = Field(default=1, description="inner steps of the transport, an integer ≥ 1 (pdhg only)")
    tolerance: Positive | None = Field(
        default=None,
        description="largest relative primal–dual gap; default 1e-8 (newton, exact in 1D), 1e-6 (pdhg); "
        "of exact in 2D the largest backward error, default 2e-2",
    )
    max_iterations: Iterations = Field(default=None, description=MOST_ITERATIONS)
    congestion: Positive | None = Field(default=None, description="upper bound on the density (pdhg only)")
    stationary: Positive | None = Field(default=None, description=AT_REST)
    blow_up: BlowUp = Field(default="stop", description=WHERE_IT_BLOWS_UP)

    @field_validator("tolerance")
    @classmethod
    def _reachable(cls, tolerance: float | None, info: ValidationInfo) -> float | None:
        algorithm = info.data.get("algorithm", "newton")
        return reachable_gap(tolerance, GAP_FLOORS[algorithm], f'algorithm = "{algorithm}"')

    @model_validator(mode="after")
    def _newton_takes_plain_steps(self) -> JkoTable:
        name = f'algorithm = "{self.algorithm}"'
        if self.algorithm != "pdhg" and self.inner_steps > 1:
            raise fail(f'{name} takes inner_steps = 1, found {self.inner_steps}; "pdhg" takes more')
        if self.algorithm != "pdhg" and self.congestion is not None:
            raise fail(f'{name} takes no congestion; write algorithm = "pdhg", or remove congestion')
        if self.algorithm == "exact" and self.scheme == "extrapolated":
            raise fail(f'{name} takes scheme = "jko": the other combines fluxes, of which it has none')
        if self.scheme == "extrapolated" and self.congestion is not None:
            raise fail(
                'scheme = "extrapolated" takes no congestion: the combination of its steps would exceed the bound; '
                'write scheme = "jko", or remove congestion'
            )
        return self


STEP_COLUMNS = (
    Column("linear", "1", "linear iterations", "Conjugate-gradient iterations, summed over the step.", integer=True),
    Column(
        "continuity",
        "1",
        "continuity residual",
        "Residual of rho - rho0 + div m = 0, relative to the mass.",
        residual=True,
    ),
    Column(
        "hamilton_jacobi",
        "1",
        "Hamilton-Jacobi residual",
        "Residual of tau E'(rho) + phi - k(phi) - s = 0.",
        residual=True,
    ),
    Column(
        "complementarity",
        "1",
        "complementarity",
        "Residual of rho s = 0, with the slack s of rho >= 0.",
        residual=True,
    ),
    Column("primal", "1", "primal value", "1/2 W2^2 + tau E at the density accepted; V + W*rho frozen as converged."),
    Column("dual", "1", "dual value", "A lower bound of the primal value, from the potential phi."),
    Column("transport", "1", "transport cost", "1/2 W2^2 between the ends of the step."),
    Column(
        "backward_error",
        "1",
        "backward error",
        "By how much of the mass the density that an exact step starts from differs from the one given (exact only).",
        residual=True,
    ),
    Column(
        "drive_residual",
        "1",
        "interaction residual",
        "Residual of the outer iteration on V + W*rho.",
        residual=True,
    ),
)
PHI = StoredField(
    "phi", "1", "dual potential",
    "Dual potential phi of the last JKO step, in the middle of its last of N inner steps: mass moves by grad phi, and "
    "tau dE/drho + phi - |grad phi|^2/(4N) is constant where there is mass; NaN before the first step. An extrapolated "
    "step has that of its one JKO step over all of tau, which ends at a density that is not stored; an exact step that "
    "of its end y, to which mass comes from y - grad phi: tau dE/drho + phi is constant there.",
    stored=False,
)  # fmt: skip


def _build(table: JkoTable, asked: Asked) -> Built:
    asked.flow.check_whole("JKO steps")
    if table.algorithm == "pdhg":
        asked.check_uniform("solver.algorithm", 'algorithm = "newton" takes stretched ones')
    if table.congestion is not None:
        _check_congestion(table.congestion, asked)
    from .stepper import Jko

    if table.algorithm == "exact":
        from .exact.exact_solver import refusal

        if reason := refusal(asked.flow):
            raise CaseError(f"{asked.path}: solver.algorithm: {reason}")
    span = asked.end - asked.start
    tau = span / round(span / table.tau)  # a tau of few digits would leave a last step of rounding size
    stepper = Jko(
        asked.flow, tau, table.algorithm, table.inner_steps, table.tolerance, table.max_iterations,
        table.congestion, table.scheme, asked.threads,
    )  # fmt: skip
    return Built(stepper, (*STEP_COLUMNS, *(WORK_AND_HEAT if asked.flow.driven else ())), (PHI,))


def _check_congestion(congestion: float, asked: Asked) -> None:
    """Refuse a bound below which the mass does not fit."""
    mass, volume = asked.flow.mass(asked.rho), asked.flow.grid.volume
    if congestion < mass / volume:
        raise CaseError(
            f"{asked.path}: solver.congestion: {congestion:g} lies below the mean density {mass / volume:.6g} "
            f"(mass {mass:g} on a grid of volume {volume:g}); enlarge it, or the grid, or lower initial.mass"
        )


def _complete(table: JkoTable, span: float) -> JkoTable:
    """The tolerance, which of `exact` depends on the dimension and stays open."""
    default = TOLERANCES.get(table.algorithm)
    return table if table.tolerance is not None else table.model_copy(update={"tolerance": default})


def _traits(table: JkoTable) -> Traits:
    """A crowd of bounded density is no gradient flow of its energy alone, and does not tend to its Gibbs state."""
    free = table.congestion is None
    order = 2.0 if table.scheme == "extrapolated" else 1.0
    return Traits(wasserstein=free, tends_to_gibbs=free, step=table.tau, order=order)


def _coarse(table: JkoTable, span: float, steps: int) -> list[str]:
    tolerance = f", tolerance={COARSE_GAPS[table.algorithm]}" if table.algorithm in COARSE_GAPS else ""
    return [f"solver={{tau={span / steps!r}{tolerance}}}"]


def _arrays(table: JkoTable, dim: int, span: float) -> int:
    path = PATH_ARRAYS * table.inner_steps if table.algorithm == "pdhg" else 0
    fallback = WORK_ARRAYS["pdhg"] + PATH_ARRAYS * FALLBACK_STEPS if table.algorithm == "exact" and dim == 2 else 0
    return WORK_ARRAYS[table.algorithm] + path + fallback


# ---- what runs promise -------------------------------------------------------------------------------------


def _promises(run: Run, solver: Mapping[str, Any]) -> list[dict[str, Any]]:
    """E(tₖ₊₁) + Σ ½W₂²/τ ≤ E(tₖ) + ε', gap ≤ tolerance, W-residual ≤ tolerance; with work done, E(tₖ) + W + ε'.

    The sum is over the steps between two snapshots: staying at ρⁿ has the value τE(ρⁿ), and a step that would lie
    higher stays.  An extrapolated step is no minimiser: only its energy is judged.  Where `congestion` bounds the
    density, the energy of a denser state is infinite: a start above the bound is left out, and the density of all
    others is judged.
    """
    bound = solver.get("congestion")
    first = 0 if bound is None else int(run.diagnostics["max"][0] > bound * (1 + CONGESTION_MARGIN))
    minimisers, exact = solver.get("scheme", "jko") == "jko", solver.get("algorithm") == "exact"
    found = [energy_rise(run, first)]
    if minimisers:
        spent = between_snapshots(run, run.steps["transport"] / run.steps["dt"])
        meaning = "the same with the cost ½W₂²/τ of the steps added: each step minimises the sum of both"
        rises = energy_changes(run) + spent
        found.append(largest_rise("E+T/τ rise", meaning, rises, run, first))
    if bound is not None and first < len(run):
        meaning = "the largest cell average, where the case bounds it"
        largest, allowed = np.max(run.diagnostics["max"][first:]), bound * (1 + CONGESTION_MARGIN)
        found.append(bounded("max density", meaning, largest, allowed))
    tolerance = solver.get("tolerance")
    if exact:
        return [*found, *_exact_promises(run, tolerance)]
    if tolerance is None:
        return found
    if len(gap := run.steps["gap"]):
        found.append(duality_gap(np.max(gap), tolerance))
    return found + _drive_promises(run, tolerance)


def _exact_promises(run: Run, tolerance: float | None) -> list[dict[str, Any]]:
    """The gap in 1D; in 2D, where no gap is known, the backward error, which is no gap and is not called one.

    Steps in 2D that fell back to "pdhg" have a gap.
    """
    dim = len(run.edges)
    bound = EXACT_TOLERANCES[dim] if tolerance is None else tolerance
    if not len(run.steps["gap"]):
        return []
    meaning = "the largest part of the mass by which the density that a step is exact for differs from the one given"
    if dim == 1:
        return [duality_gap(np.max(run.steps["gap"]), bound), *_drive_promises(run, min(bound, EXACT_DRIVE))]
    gaps = run.steps["gap"]
    direct, fallen_back = run.steps["backward_error"][np.isnan(gaps)], gaps[~np.isnan(gaps)]
    found = [bounded("backward error", meaning, np.max(direct), bound)] if len(direct) else []
    found += [duality_gap(np.max(fallen_back), FALLBACK_GAP)] if len(fallen_back) else []
    return found + _drive_promises(run, min(bound, EXACT_DRIVE))


def _drive_promises(run: Run, bound: float) -> list[dict[str, Any]]:
    if not np.any(np.isfinite(drive := run.steps.get("drive_residual", np.empty(0)))):
        return []
    meaning = "the largest relative residual of a step in the potential W∗ρ"
    return [bounded("W residual", meaning, np.max(drive), bound)]


METHODS = (
    Method(
        name="jko",
        cellwise=True,
        table=JkoTable,
        build=_build,
        traits=_traits,
        dynamics=True,
        complete=_complete,
        promises=_promises,
        arrays=_arrays,
        coarse=_coarse,
        driven=True,
        columns=(*STEP_COLUMNS, *WORK_AND_HEAT),
        fields=(PHI,),
    ),
)
