"""method = "gaussian": the Wasserstein flow of E among Gaussians, or mixtures of them, by their means and covariances.

method = "accelerated": flow with inertia and friction, by parcels on a line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

from ...base.amounts import memory_lacking
from ...base.case_table import Positive, Table, fail
from ...base.toml import show
from ...energy.laws.equation_names import ACCELERATED, GAUSSIAN
from ...energy.snapshot import Column, Traits
from ...energy.snapshot import Field as StoredField
from ...errors import CaseError, SolverError
from ...grid import Array
from ..method import Asked, Built, Method
from ..table_keys import completed_steps
from .reduced_promises import accelerated_promises, gaussian_promises

if TYPE_CHECKING:
    from ...energy.flow import Flow

LEAST_NODES, NODES = 24, {1: 80, 2: 40}
MATRIX = "a positive number, or a symmetric positive definite matrix of a row per axis,"


class GaussianTable(Table):
    """Gaussian variational flow: the gradient flow of E among Gaussians, or mixtures of equal weights."""

    method: Literal["gaussian"]
    components: Annotated[int, Field(ge=1)] = Field(
        default=1, description="how many Gaussians of equal weight, an integer ≥ 1"
    )
    means: list[list[float]] | None = Field(
        default=None,
        description="where they start, a point per component as [[-0.5], [0.5]]; absent: those of parts of [initial]",
    )
    variances: list[float | list[list[float]]] | None = Field(
        default=None, description=f"what they start with, {MATRIX} per component; goes with means"
    )
    nodes: Annotated[int, Field(ge=LEAST_NODES, le=400)] | None = Field(
        default=None,
        description=f"per axis, for expectations, an integer from {LEAST_NODES} to 400; default 80 in 1D, 40 in 2D",
    )

    @field_validator("variances")
    @classmethod
    def _spread(cls, variances: list[float | list[list[float]]] | None) -> list[float | list[list[float]]] | None:
        for value in variances or []:
            if not _is_spread(value):
                raise fail(f"expected {MATRIX} per component, found {show(value)}")
        return variances

    @model_validator(mode="after")
    def _fits(self) -> GaussianTable:
        if (self.means is None) != (self.variances is None):
            given, other = ("means", "variances") if self.variances is None else ("variances", "means")
            raise fail(f"{given} needs {other} beside it; give both, or neither for those of [initial]")
        for name in ("means", "variances"):
            found = getattr(self, name)
            if found is not None and len(found) != self.components:
                raise fail(f"{name}: expected one entry per component, {self.components}, found {len(found)}")
        return self


def _is_spread(value: float | list[list[float]]) -> bool:
    """Whether it is a variance or a covariance."""
    if isinstance(value, float | int):
        return value > 0
    if any(len(row) != len(value) for row in value) or not value:
        return False
    matrix = np.array(value, dtype=float)
    return bool(np.array_equal(matrix, matrix.T) and np.all(np.linalg.eigvalsh(matrix) > 0))


GAUSSIAN_COLUMNS = (
    Column(
        "gaussian_rise", "1", "largest rise of the energy within the step",
        "Largest rise of the energy of the Gaussians between two steps of the integrator.", residual=True,
    ),
    Column("evaluations", "1", "evaluations", "Evaluations of the slopes of the energy.", integer=True),
    Column(
        "quadrature_error", "1", "error of the nodes",
        "Difference of the energy of the Gaussians by the nodes and by four fewer per axis.", residual=True,
    ),
)  # fmt: skip


def gaussian_fields(components: int, dim: int) -> tuple[StoredField, ...]:
    """Means and covariances; of a mixture along an axis of components."""
    each = () if components == 1 else (("component", components),)
    return (
        StoredField("mean", "1", "mean", "Mean of the Gaussian, or of each component.", (*each, ("axis", dim))),
        StoredField(
            "covariance", "1", "covariance", "Covariance of the Gaussian, or of each component.",
            (*each, ("axis", dim), ("other_axis", dim)),
        ),
    )  # fmt: skip


def _build_gaussian(table: GaussianTable, asked: Asked) -> Built:
    from .cell_masses import moments
    from .mixtures import GaussianFlow

    flow = asked.flow
    _check_line_or_plane(flow, "gaussian", "a Gaussian lives on a line or a plane")
    flow.check_whole("flows of Gaussians")
    _check_smooth(flow)
    if lacking := memory_lacking(_memory(table, flow.grid.dim)):
        raise CaseError(f"solver.components: {table.components} need {lacking}; take fewer, or fewer nodes")
    if table.means is not None and table.variances is not None:
        mean, cov = _given(table, flow.grid.dim)
    else:
        mean, cov = moments(flow.grid, asked.rho, table.components)
    stepper = GaussianFlow(flow, flow.mass(asked.rho), table.components, table.nodes or NODES[flow.grid.dim])
    try:
        start = stepper.start(mean, cov)
    except SolverError as error:
        raise CaseError(f"solver.method: at the start {error}") from error
    return Built(stepper, GAUSSIAN_COLUMNS, gaussian_fields(table.components, flow.grid.dim), start)


def _memory(table: GaussianTable, dim: int) -> int:
    """Bytes of what every node knows of every component."""
    return 8 * (8 + 6 * dim) * table.components**2 * (table.nodes or NODES[dim]) ** dim


def _given(table: GaussianTable, dim: int) -> tuple[Array, Array]:
    """Means (K, d) and covariances (K, d, d) of the table."""
    assert table.means is not None and table.variances is not None
    for k, point in enumerate(table.means):
        if len(point) != dim:
            raise CaseError(f"solver.means[{k}]: expected {dim} number{'s' * (dim > 1)}, found {show(point)}")
    covariances = []
    for k, value in enumerate(table.variances):
        matrix = np.array(value, dtype=float) if isinstance(value, list) else float(value) * np.eye(dim)
        if matrix.shape != (dim, dim):
            raise CaseError(f"solver.variances[{k}]: expected a number or a {dim}×{dim} matrix, found {show(value)}")
        covariances.append(matrix)
    return np.array(table.means, dtype=float), np.array(covariances)


def _check_line_or_plane(flow: Flow, method: str, why: str) -> None:
    """Refuse rings, and features, which neither method knows."""
    for axis in flow.grid.axes:
        if axis.ring:
            raise CaseError(
                f'solver.method: "{method}" takes no periodic axis, found {axis.name}: {why}; close its ends, or take '
                'method = "fv"'
            )
    if flow.features is not None:
        raise CaseError(f'solver.method: "{method}" takes no energy.features; remove them, or take method = "fv"')


def _check_smooth(flow: Flow) -> None:
    """Refuse kernels with a kink or a pole at 0, through which no rule in equal steps is exact."""
    if flow.energy.interaction is None:
        return
    from ...energy.averages.kernel_averages import lag_zero

    widths = tuple(1e-3 * axis.length for axis in flow.grid.axes)
    if not lag_zero(flow.energy.interaction, widths)[1]:
        raise CaseError(
            'energy.interaction: method = "gaussian" takes expectations of W by nodes: expected a W that is smooth at '
            'distance 0, found a kink or a pole there; smooth it, as by (r**2 + 0.01) for r**2, or take method = "fv"'
        )


# ---- accelerated flow --------------------------------------------------------------------------------------------


class AcceleratedTable(Table):
    """Flow with inertia and friction: ẍ + αẋ = −∂ξ/∂x along the trajectories of parcels, from rest."""

    method: Literal["accelerated"]
    friction: Annotated[float, Field(ge=0)] = Field(default=1.0, description="α, 1/time, a number ≥ 0")
    dt: Positive | None = Field(default=None, description="step size, a number > 0; default span/200")


ACCELERATED_COLUMNS = (
    Column("friction_loss", "1", "energy lost to friction", "alpha dt int rho |v|^2 of the step."),
    Column(
        "energy_account", "1", "account of the total energy",
        "Change of the total energy of the parcels plus what friction took; 0 but for rounding.", residual=True,
    ),
)  # fmt: skip


def accelerated_fields(edges: int) -> tuple[StoredField, ...]:
    """Where the edges of the parcels are, and how fast."""
    dims = (("edge", edges),)
    return (
        StoredField("edge_position", "1", "edges of the parcels", "Where the edges of the parcels are.", dims),
        StoredField("edge_velocity", "1", "velocity of the edges", "How fast the edges of the parcels move.", dims),
    )


def _build_accelerated(table: AcceleratedTable, asked: Asked) -> Built:
    from .inertial_parcels import AcceleratedParcels, parcels_of

    flow = asked.flow
    if flow.grid.dim > 1:
        raise CaseError('solver.method: "accelerated" moves parcels on a line: expected one axis, found 2')
    _check_line_or_plane(flow, "accelerated", "parcels have a first and a last edge")
    flow.check_whole("parcels")
    if flow.energy.interaction is not None:
        raise CaseError('energy.interaction: method = "accelerated" takes none; remove it, or take method = "fv"')
    if flow.internal.code is None:
        raise CaseError(
            f'energy.internal: method = "accelerated" knows "entropy", "power" and "none", found "{flow.internal.kind}"'
        )
    assert table.dt is not None  # `complete` gave it a value
    parcels = parcels_of(flow, asked.rho)
    stepper = AcceleratedParcels(flow, parcels, table.friction, table.dt)
    fields = accelerated_fields(len(parcels.edges))
    return Built(stepper, ACCELERATED_COLUMNS, fields, stepper.start(parcels.edges))


TRAITS = Traits(lowers_energy=False, wasserstein=False, tends_to_gibbs=False, near_gibbs=True, order=2.0)
METHODS = (
    Method(
        name="gaussian",
        table=GaussianTable,
        build=_build_gaussian,
        traits=lambda table: TRAITS,
        sampling="centre",
        equation=lambda energy, table: GAUSSIAN.name,
        promises=gaussian_promises,
        arrays=lambda table, dim, span: 6 if dim == 1 else 12,
        memory=_memory,
        columns=GAUSSIAN_COLUMNS,
        fields=gaussian_fields(1, 1),
    ),
    Method(
        name="accelerated",
        table=AcceleratedTable,
        build=_build_accelerated,
        traits=lambda table: TRAITS,
        complete=completed_steps,
        equation=lambda energy, table: ACCELERATED.name,
        promises=accelerated_promises,
        arrays=lambda table, dim, span: 30,
        coarse=lambda table, span, steps: [f"solver.dt={span / steps!r}"],
        columns=ACCELERATED_COLUMNS,
        fields=accelerated_fields(2),
    ),
)
