"""method = "langevin": particles that follow the drift of their energy with noise, and the law that they have."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

from ...base.amounts import memory_lacking
from ...base.case_table import Positive, Table, fail
from ...energy.snapshot import Column, Traits
from ...energy.snapshot import Field as StoredField
from ...errors import CaseError
from ...grid import Array, Grid
from ...grid.boundary import NO_FLUX, PERIODIC
from ..bounds_on_runs import bounded, energy_rise
from ..method import Asked, Built, Method

if TYPE_CHECKING:
    from ...energy.flow import Flow
    from ...store import Run

COPIES = 6
"""Arrays of the particles' size that a run of them holds at once, per axis."""
SEEDS = "an integer from 0 to 2^63 − 1"
OUTSIDE, LEAK = "outside box", "Gibbs moves"
GIBBS_MOVES = 1e-13
"""By how much of the mass a step of the adjusted law may move its Gibbs state: rounding."""


class LangevinTable(Table):
    """Langevin chains: Y = X − τ∇ξ + √(2κτ) noise, as particles, or without `particles` the law that they have."""

    method: Literal["langevin"]
    tau: Positive = Field(
        description="step, a positive number of which the time span and the output times are multiples"
    )
    particles: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="an integer ≥ 1, over all replicas; absent: the exact law of the chain on the grid"
    )
    replicas: Annotated[int, Field(ge=1)] = Field(
        default=1, description="an integer ≥ 1: crowds of equal numbers of particles that do not see each other"
    )
    seed: int = Field(default=0, description=SEEDS + ", of all that is drawn")
    adjust: bool = Field(
        default=False, description="accept or reject by Metropolis' rule (MALA): e^(−V/κ) is kept exactly"
    )
    pairs: Literal["direct", "mesh"] = Field(
        default="direct", description='∇(W∗ρ) of particles: "direct" over all pairs, or "mesh" by the cells'
    )
    start: Literal["random", "quantiles"] = Field(
        default="random", description='drawn independently from [initial], or its "quantiles" (1D, one replica, no W)'
    )

    @field_validator("seed")
    @classmethod
    def _is_a_seed(cls, seed: int) -> int:
        if not 0 <= seed < 2**63:
            raise fail(f"expected {SEEDS}, found {seed}")
        return seed

    @model_validator(mode="after")
    def _fits(self) -> LangevinTable:
        if self.particles is None:
            for name in ("replicas", "seed", "pairs", "start"):
                if getattr(self, name) != type(self).model_fields[name].default:
                    raise fail(f"{name} belongs to particles: give their number, or leave {name} out; a law has none")
            return self
        if self.particles % self.replicas:
            fits = self.replicas * max(1, round(self.particles / self.replicas))
            raise fail(f"{self.particles} particles do not divide into {self.replicas} replicas; take {fits}")
        if self.start == "quantiles" and self.replicas > 1:
            raise fail('start = "quantiles" gives each replica the same start; take one replica, or start = "random"')
        return self


STEP_COLUMNS = (
    Column("acceptance", "1", "acceptance rate", "Share of the moves that were accepted; 1 unless adjusted."),
)


def position_of(particles: int, dim: int) -> StoredField:
    """The field of where particles are; replica r owns those from r N on, N = particles/replicas."""
    return StoredField(
        "position", "1", "position", "Where the particles are; equal numbers of them belong to each replica in turn.",
        (("particle", particles), ("axis", dim)),
    )  # fmt: skip


def _build(table: LangevinTable, asked: Asked) -> Built:
    law, energy = asked.flow.internal.law, asked.flow.energy
    if not (law.linear_diffusion or law.vanishes):
        raise CaseError(
            f'solver.method: "langevin" has noise of one strength everywhere: expected energy.internal {{ kind = '
            f'"entropy" }} or {{ kind = "none" }}, found "{asked.flow.internal.kind}"; take method = "fv"'
        )
    if table.adjust and (energy.interaction is not None or law.vanishes):
        raise CaseError(
            "solver.adjust: Metropolis' rule needs the density e^(−V/κ): expected an entropy and no interaction; "
            "remove adjust"
        )
    check_walls(asked.flow.grid)
    return _build_law(table, asked) if table.particles is None else _build_particles(table, asked)


def check_walls(grid: Grid) -> None:
    """Refuse ends at which it is not known what particles do.  Raises CaseError."""
    for axis in grid.axes:
        for wall in (axis.boundary.lower, axis.boundary.upper):
            if wall not in (NO_FLUX, PERIODIC):
                raise CaseError(
                    f'grid.boundary: particles reflect at "{NO_FLUX.name}" and wrap on "{PERIODIC.name}" ends; found '
                    f'"{wall.name}" on axis {axis.name}'
                )


def _build_particles(table: LangevinTable, asked: Asked) -> Built:
    from .langevin_chain import Chain, Rules
    from .swarm import counts_in, density_of_counts

    assert table.particles is not None
    flow, grid, threads = asked.flow, asked.flow.grid, asked.threads
    if lacking := memory_lacking(_memory(table, grid.dim)):
        raise CaseError(f"solver.particles: {table.particles} need {lacking}; take fewer")
    position, mass = _start(table, asked), flow.mass(asked.rho)
    pull = _pull(table, flow, mass, threads)
    rules = Rules(table.tau, table.seed, table.adjust, mass, threads, pull, table.replicas)
    rho = density_of_counts(counts_in(position, grid, threads), grid, mass)
    initial = {"rho": rho, "position": position, "replicas": np.array([table.replicas])}
    fields = (position_of(table.particles, grid.dim),)
    return Built(Chain(flow, rules), STEP_COLUMNS, fields, initial, {"replicas": table.replicas})


def _pull(table: LangevinTable, flow: Flow, mass: float, threads: int) -> Callable[[Array], Array] | None:
    """How others pull a particle; None without interaction."""
    from .mesh import MeshPull
    from .pair_pull import make_pull

    if flow.interaction is None:
        return None
    if table.pairs == "mesh":
        return MeshPull(flow, mass, table.replicas)
    return make_pull(flow, mass, table.replicas, threads)


def _start(table: LangevinTable, asked: Asked) -> Array:
    """Where the particles start: the points of [initial] samples themselves, or drawn from its density."""
    from .swarm import draw, quantiles

    assert table.particles is not None
    if asked.points is not None:
        places, weights = asked.points()
        if len(places) != table.particles:
            raise CaseError(
                f"solver.particles: expected {len(places)}, as many as initial.samples has points, "
                f"found {table.particles}"
            )
        if np.any(weights != weights[0]):
            raise CaseError("initial.samples: particles count alike: expected no weights, or equal ones")
        return places
    if table.start == "random":
        return draw(asked.rho, asked.flow.grid, table.particles, table.seed)
    if asked.flow.grid.dim > 1 or asked.flow.interaction is not None:
        raise CaseError('solver.start: "quantiles" are of a line, for particles without W; take start = "random"')
    return quantiles(asked.rho, asked.flow.grid, table.particles)


def _build_law(table: LangevinTable, asked: Asked) -> Built:
    from .chain_law import Law, gibbs_moves

    law = Law(asked.flow, table.tau, table.adjust)
    about: dict[str, str | int | float] = {"quadrature_error": law.quadrature_error}
    if table.adjust:
        about[LEAK_ATTRIBUTE] = gibbs_moves(law, asked.flow.mass(asked.rho))
    return Built(law, STEP_COLUMNS, attributes=about)


def _memory(table: LangevinTable, dim: int) -> int:
    return 0 if table.particles is None else COPIES * 8 * table.particles * dim


def _traits(table: LangevinTable) -> Traits:
    """The energy of a chain may rise; by Metropolis' rule the entropy of its law relative to e^{−V/κ} never does."""
    law = table.particles is None
    return Traits(
        lowers_energy=table.adjust and law, wasserstein=False, tends_to_gibbs=False, near_gibbs=True, random=not law,
        step=table.tau,
    )  # fmt: skip


def _promises(run: Run, solver: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Particles in the box; of the adjusted law, a Gibbs state that stays and an energy that never rises."""
    found = []
    if "position" in run.fields:
        found.append(bounded(OUTSIDE, "how far a particle lies outside the box", _outside(run), 0.0))
    if solver.get("adjust") and solver.get("particles") is None:
        found.append(energy_rise(run))
    if LEAK_ATTRIBUTE in run.attributes:
        meaning = "by how much of its mass a step moves the Gibbs state"
        found.append(bounded(LEAK, meaning, float(run.attributes[LEAK_ATTRIBUTE]), GIBBS_MOVES))
    return found


LEAK_ATTRIBUTE = "gibbs_moves"
"""Attribute of the file of an adjusted law: what a step does to the Gibbs state."""


def _outside(run: Run) -> float:
    worst = 0.0
    for places in run.fields["position"]:
        for k, edges in enumerate(run.edges):
            beyond = np.maximum(edges[0] - places[:, k], places[:, k] - edges[-1])
            worst = max(worst, float(np.max(np.where(np.isnan(beyond), np.inf, beyond))))
    return worst


def _coarse(table: LangevinTable, span: float, steps: int) -> list[str]:
    """As many parts of the span in whole steps, none longer than those of the case: longer ones may not be stable."""
    parts = math.ceil(span / (steps * table.tau) * (1 - 1e-9))
    return [f"solver.tau={span / (steps * parts)!r}"]


METHODS = (
    Method(
        name="langevin",
        table=LangevinTable,
        build=_build,
        traits=_traits,
        sampling=lambda table: "centre" if table.particles is None else "average",
        promises=_promises,
        arrays=lambda table, dim: 10,
        memory=_memory,
        coarse=_coarse,
        columns=STEP_COLUMNS,
        fields=(position_of(1, 1),),
    ),
)
