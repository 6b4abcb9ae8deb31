"""method = "langevin": particles that follow the drift of their energy with noise, and the law that they have.

method = "svgd": particles that move together without noise, and their mean field.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

from ...base.amounts import memory_lacking
from ...base.case_table import Positive, Table, fail
from ...energy.laws.equation_names import STEIN
from ...energy.snapshot import Column, Traits
from ...energy.snapshot import Field as StoredField
from ...errors import CaseError
from ...grid import Array
from ..finite_volumes.method import StepSize
from ..kernel_tables import KernelTable
from ..method import Asked, Built, Method
from ..table_keys import WHOLE_STEPS
from .crowd_promises import LEAK_ATTRIBUTE, langevin_promises, svgd_promises

if TYPE_CHECKING:
    from ...energy.flow import Flow

COPIES = 6
"""Arrays of the particles' size that a run of them holds at once, per axis."""
SEEDS = "an integer from 0 to 2^63 − 1"


def _seed(seed: int) -> int:
    if not 0 <= seed < 2**63:
        raise fail(f"expected {SEEDS}, found {seed}")
    return seed


class LangevinTable(Table):
    """Langevin chains: Y = X − τ∇ξ + √(2κτ) noise, as particles, or without `particles` the law that they have."""

    method: Literal["langevin"]
    tau: Positive = Field(description=WHOLE_STEPS)
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

    _is_a_seed = field_validator("seed")(_seed)

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
    asked.flow.check_whole("paths of particles")
    if not (law.linear_diffusion or law.vanishes):
        raise CaseError(
            f'solver.method: "langevin" has noise of one strength everywhere: expected energy.internal {{ kind = '
            f'"entropy" }} or {{ kind = "none" }}, found "{asked.flow.internal.kind}"; take method = "fv"'
        )
    if energy.features is not None and (table.particles is None or table.pairs == "mesh"):
        raise CaseError(
            'solver.method: "langevin" knows features for particles, all pairs of which are summed: give particles, '
            'and no pairs = "mesh"; or take method = "fv"'
        )
    if table.adjust and (asked.flow.interaction is not None or law.vanishes):
        raise CaseError(
            "solver.adjust: Metropolis' rule needs the density e^(−V/κ): expected an entropy and no interaction; "
            "remove adjust"
        )
    return _build_law(table, asked) if table.particles is None else _build_particles(table, asked)


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
    """How others, and features, pull a particle; None without either."""
    from .feature_pull import with_features
    from .mesh import MeshPull
    from .pair_pull import make_pull

    pairs: Callable[[Array], Array] | None = None
    if flow.energy.interaction is not None and table.pairs == "mesh":
        pairs = MeshPull(flow, mass, table.replicas)
    elif flow.energy.interaction is not None:
        pairs = make_pull(flow, mass, table.replicas, threads)
    return with_features(pairs, flow, mass, table.replicas)


def _start(table: LangevinTable | SvgdTable, asked: Asked) -> Array:
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
    noisy = isinstance(table, LangevinTable) and asked.flow.interaction is not None
    if asked.flow.grid.dim > 1 or noisy:
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


def _coarse(table: LangevinTable, span: float, steps: int) -> list[str]:
    """As many parts of the span in whole steps, none longer than those of the case: longer ones may not be stable."""
    parts = math.ceil(span / (steps * table.tau) * (1 - 1e-9))
    return [f"solver.tau={span / (steps * parts)!r}"]


# ---- Stein variational gradient descent --------------------------------------------------------------------------


class SvgdTable(Table):
    """Stein variational gradient descent: particles, or without `particles` their mean field, a density on the grid."""

    method: Literal["svgd"]
    kernel: KernelTable = Field(description="a table with kind and bandwidth: the kernel that smooths the gradient")
    order: Literal[1, 2] = Field(default=2, description="order in time: 1 (Euler, with a fixed dt) or 2 (Heun)")
    dt: StepSize = Field(default="adaptive", description='step size, "adaptive" (default) or a number > 0')
    tolerance: Positive = Field(
        default=1e-4, description="error per adaptive step, of a density over its mass, of places over the box"
    )
    particles: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="how many; absent: the mean field, a density"
    )
    seed: int = Field(default=0, description=SEEDS + ", of the start")
    start: Literal["random", "quantiles"] = Field(
        default="random", description='drawn independently from [initial], or its "quantiles" (1D)'
    )

    _is_a_seed = field_validator("seed")(_seed)

    @model_validator(mode="after")
    def _fits(self) -> SvgdTable:
        idle = {"seed": 0, "start": "random"}  # as the case of a stored run says them
        given = [name for name, value in idle.items() if getattr(self, name) != value]
        if self.particles is None and given:
            raise fail(
                f"{given[0]} belongs to particles; give their number, or leave {given[0]} out: a density draws none"
            )
        if self.order == 1 and self.dt in ("adaptive", None):
            raise fail('an adaptive step has order 2: its error is told by order 1; give dt, or leave out "order"')
        return self


SVGD_COLUMNS = (
    Column(
        "stein_discrepancy", "1", "Stein discrepancy",
        "<J, KJ> at the start of the step, J = -rho grad xi smoothed by the kernel: the rate of energy loss.",
    ),
)  # fmt: skip


def _build_svgd(table: SvgdTable, asked: Asked) -> Built:
    from .stein.stein_cases import build_stein

    asked.flow.check_whole("flows smoothed by a kernel")
    places = None if table.particles is None else _start(table, asked)
    fields = () if table.particles is None else (position_of(table.particles, asked.flow.grid.dim),)
    return build_stein(table, asked, places, SVGD_COLUMNS, fields)


def _svgd_traits(table: SvgdTable) -> Traits:
    """E falls by ⟨J, KJ⟩ along the density; of particles it is known by their counts alone, and may rise."""
    density = table.particles is None
    return Traits(
        lowers_energy=density, wasserstein=False, tends_to_gibbs=density, random=not density, order=float(table.order),
    )  # fmt: skip


METHODS = (
    Method(
        name="langevin",
        table=LangevinTable,
        build=_build,
        traits=_traits,
        sampling=lambda table: "centre" if table.particles is None else "average",
        promises=langevin_promises,
        arrays=lambda table, dim, span: 10,
        memory=_memory,
        coarse=_coarse,
        columns=STEP_COLUMNS,
        fields=(position_of(1, 1),),
    ),
    Method(
        name="svgd",
        table=SvgdTable,
        build=_build_svgd,
        traits=_svgd_traits,
        complete=lambda table, span: table if table.dt is not None else table.model_copy(update={"dt": "adaptive"}),
        equation=lambda energy, table: STEIN.name,
        promises=svgd_promises,
        arrays=lambda table, dim, span: 40,
        memory=lambda table, dim: 0 if table.particles is None else 2 * COPIES * 8 * table.particles * dim,
        coarse=lambda table, span, steps: (
            ["solver.tolerance=1e-3"] if table.dt == "adaptive" else [f"solver.dt={span / steps!r}"]
        ),
        columns=SVGD_COLUMNS,
        fields=(position_of(1, 1),),
    ),
)
