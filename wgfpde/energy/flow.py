"""A flow is an energy bound to a grid.

`Flow.value` is the discrete energy E and `Flow.variation` its first variation ξ, in the cell-volume pairing
⟨a, b⟩ = Σ h a b, so that ⟨ξ, δ⟩ = dE(ρ)[δ].  Every scheme and every diagnostic uses these.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from functools import cached_property, wraps
from typing import TypeVar
from weakref import WeakKeyDictionary

import numpy as np

from ..errors import CaseError
from ..grid import Array, Grid
from ..grid.checked_values import sampled
from ..grid.public_arguments import public
from ..grid.tables.tabulated import Tabulated
from .driving.force import check_closed, push_of
from .dynamics import Dynamics
from .energy import Energy
from .features import Together
from .ground import Ground
from .interaction import Interaction, make_interaction
from .openings.faces import Opening, check_walls, openings_of, without_regions
from .openings.sinks import NO_PLACE, NO_SINK, Sink, check_names, forbidden_of, rates_of, regions_of

Result = TypeVar("Result")

REMEMBERED = 5
"""Times at which a driven flow is kept: those of an adaptive step, start, end, middle and both quarters."""


@public
class Flow(Ground):
    """An energy on a grid.

    energy : with what the convention of the dynamics adds to V.
    potential : V at cell centres, array of the grid's shape, or None; with features also their linear part.
    external : V alone, as at the outside of open faces; the rest of the drive is carried on to there.
    table : of V, on this grid, or None.
    interaction : the operator ρ ↦ W∗ρ, or None; with features also their form of low rank.
    features : those of the energy on this grid, or None.
    mobility : D on the faces across each axis, walls included, (nx+1,), or (ny, nx+1) and (ny+1, nx); None for 1; 0 on
    the faces of region sinks and of forbidden cells.
    sinks : exits inside the box.   openings : the faces to the outside, of open walls and of region sinks.
    inside : bool array of the cells in region sinks, which hold no mass, or None.   decay : k(x) by sink, 1/time.
    t : of an energy or a D that depends on time, when; a flow is one at a time, and `at` gives it at others.
    driven : what depends on time, see `Energy.driven`, and "diffusion".   time : t.
    push : per axis (n,) f d, what a force adds along the way from cell i to i+1, energy, or None without a force.
    forbidden : cells that V, a table, forbids, array of the grid's shape; None where there are none.  Nothing enters:
    ρ is 0 there, and V a number that nobody uses.

    Raises CaseError where V, W or D is not finite, V or D is not periodic on a periodic axis, W is odd, D ≤ 0, m does
    not suit the dimension, a wall or a sink makes no sense, a force has no periodic axis, or what is driven has exits;
    and for an interaction on a radial grid.
    """

    def __init__(
        self,
        grid: Grid,
        energy: Energy,
        threads: int = 1,
        *,
        dynamics: Dynamics | None = None,
        sinks: Sequence[Sink] = (),
        t: float = 0.0,
    ) -> None:
        now = energy.at(t)
        now.internal.check_dimension(grid.space)
        self.table = energy.potential.on(grid) if isinstance(energy.potential, Tabulated) else None
        if self.table is not None:
            energy, now = replace(energy, potential=self.table), replace(now, potential=self.table)
        dynamics = None if dynamics is None else dynamics.on(grid)
        self.dynamics = None if dynamics is None else dynamics.at(t)
        self.mobility = None if self.dynamics is None else self.dynamics.on_faces(grid)
        self._given = energy
        now = now if self.dynamics is None else self.dynamics.effective(grid, now)
        self.grid = grid
        self.energy = now
        self.internal = now.internal
        self.push = push_of(grid, now)
        if grid.radial > 1 and energy.interaction is not None:
            raise CaseError(
                "a radial grid takes no interaction: there W∗ρ is an integral over whole spheres, which W on the "
                "radius does not give. Remove energy.interaction or grid.radial."
            )
        self.features = None if now.features is None else now.features.on(grid)
        self.external: Array | None = _potential_of(grid, now)
        self._kernel: Interaction | None = (
            make_interaction(now.interaction, grid, threads) if now.interaction is not None else None
        )
        self._join()
        self.sinks = tuple(sinks)
        check_names(self.sinks)
        owner = regions_of(self.sinks, grid)
        self.inside = None if owner is None else owner != NO_SINK
        self.forbidden = None if self.table is None else forbidden_of(self.table, grid, self.inside)
        if self.forbidden is not None:
            owner = np.where(self.forbidden, NO_PLACE, NO_SINK if owner is None else owner)
        self.decay = rates_of(self.sinks, grid, self.inside)
        moves = dynamics is not None and dynamics.driven
        self.time, self.driven = t, energy.driven | (frozenset({"diffusion"}) if moves else frozenset())
        self._moving, self._threads = dynamics, threads
        self._known: list[Flow] = []
        self.openings: list[Opening] = openings_of(grid, self.sinks, owner, now.potential, self.mobility)
        if self.nonlinear:
            check_walls(self.openings, self.internal.kind)
        self._shut = None if owner is None else owner != NO_SINK
        self._shut_faces()
        check_closed(self.exits, bool(self.driven), self.push is not None)

    def at(self, t: float) -> Flow:
        """The flow at another time; itself where nothing depends on time.

        What does not depend on time is shared: a driven V costs its values, a driven W a new operator.  The last few
        are remembered, since one step ends where the next begins.
        """
        if not self.driven or t == self.time:
            return self
        for known in self._known:
            if known.time == t:
                return known
        found = self._frozen(t)
        self._known.append(found)
        del self._known[:-REMEMBERED]
        return found

    def energy_at(self, t: float) -> Energy:
        """The energy at another time, without a grid."""
        return self._given.at(t)

    def _frozen(self, t: float) -> Flow:
        energy, found = self._given.at(t), copy(self)
        for name in ("has_gibbs", "unit_gibbs"):
            found.__dict__.pop(name, None)
        if "diffusion" in self.driven:
            assert self._moving is not None
            found.dynamics = self._moving.at(t)
            found.mobility = found.dynamics.on_faces(self.grid)
            found._shut_faces()
        bent = found.dynamics is not None and found.dynamics.alpha != 1.0  # (1 − α)κ ln D is a part of V
        if found.dynamics is not None:
            energy = found.dynamics.effective(self.grid, energy)
        found.time, found.energy, found.internal = t, energy, energy.internal
        if "potential" in self.driven or (bent and not self.driven.isdisjoint({"diffusion", "kappa"})):
            found.external = _potential_of(self.grid, energy)
        if "force" in self.driven:
            found.push = push_of(self.grid, energy)
        if "interaction" in self.driven:
            assert energy.interaction is not None
            found._kernel = make_interaction(energy.interaction, self.grid, self._threads)
        found._join()
        return found

    def _shut_faces(self) -> None:
        """No face of a cell that holds no mass lets any through."""
        if self._shut is not None:
            self.mobility = without_regions(self.grid, self._shut, self.mobility)

    def _join(self) -> None:
        """V and W with the linear part of the features and with their form."""
        self.potential: Array | None = self.external
        self.interaction: Interaction | None = self._kernel
        if self.features is not None:
            linear = self.features.linear()
            self.potential = linear if self.external is None else self.external + linear
            self.interaction = self.features if self._kernel is None else Together(self._kernel, self.features)

    def __repr__(self) -> str:
        return f"Flow({self.energy} on {self.grid})"

    def parts(self, rho: Array) -> tuple[float, ...]:
        """The energies (internal, potential, interaction), and with features their loss; E is their sum."""
        internal = self.integral(self.internal.density(rho))
        potential = 0.0 if self.external is None else self.integral(self.external * rho)
        interaction = 0.0 if self._kernel is None else 0.5 * self.integral(rho * self._kernel.apply(rho))
        known = internal, potential, interaction
        return known if self.features is None else (*known, self.features.loss(rho))

    def value(self, rho: Array) -> float:
        """The discrete energy E(ρ)."""
        return float(sum(self.parts(rho)))

    def variation(self, rho: Array) -> Array:
        """ξ = U'(ρ) + V + W∗ρ, array of the grid's shape; −inf in vacuum for the entropy and m < 1."""
        xi = self.internal.derivative(rho)
        if self.potential is not None:
            xi = xi + self.potential
        if self.interaction is not None:
            xi = xi + self.interaction.apply(rho)
        return xi

    def with_sinks(self, more: Sequence[Sink]) -> Flow:
        """The same flow with more sinks."""
        return Flow(self.grid, self._given, dynamics=self.dynamics, sinks=(*self.sinks, *more))

    # ---- exits -----------------------------------------------------------------------------------------------

    @cached_property
    def _exchange(self) -> tuple[dict[str, Array], dict[str, Array]]:
        from .openings.losses import exchange  # loads kernels, which pictures do without

        return exchange(self)

    @property
    def losses(self) -> dict[str, Array]:
        """Of every exit, volume/time per cell, without interaction.  Raises CaseError as `pair_of` does."""
        return self._exchange[0]

    @property
    def gains(self) -> dict[str, Array]:
        """Of the walls with a density or an inflow, mass/time per cell.  Raises CaseError as `pair_of` does."""
        return self._exchange[1]

    @property
    def nonlinear(self) -> bool:
        """Whether the flux of the law is not linear in the density: powers and array laws."""
        return not (self.internal.law.linear_diffusion or self.internal.law.vanishes)

    @cached_property
    def is_linear(self) -> bool:
        """Whether the flow is a Fokker–Planck equation: entropy without interaction."""
        return self.internal.law.linear_diffusion and self.interaction is None

    @cached_property
    def has_gibbs(self) -> bool:
        """Whether the steady state is the Gibbs state e^{−V/κ}/Z: entropy, no interaction, no exits and no force."""
        return self.is_linear and not self.exits and self.push is None

    @property
    def fills_box(self) -> bool:
        """Whether there is a Gibbs state e^{−V/κ}/Z on the whole box: what functional inequalities are about."""
        return self.has_gibbs and self.forbidden is None and self.grid.radial == 1

    @cached_property
    def unit_gibbs(self) -> tuple[Array, Array]:
        """The discrete Gibbs state of mass 1 and its logarithm, finite where the state underflows.

        On forbidden cells the state is 0 and the logarithm a number without meaning.
        Rates balance in it, face by face, also where mass leaves and it is not steady.  Raises CaseError without one.
        """
        if not self.is_linear or self.push is not None:
            raise CaseError("a Gibbs state in closed form needs the entropy, no interaction and no force.")
        if self.potential is None:
            return np.full(self.grid.shape, 1 / self.grid.volume), np.full(self.grid.shape, -np.log(self.grid.volume))
        allowed = True if self.forbidden is None else ~self.forbidden
        exponent = -(self.potential - self.potential.min(where=allowed, initial=np.inf)) / self.internal.kappa
        weight = np.exp(exponent)
        if self.forbidden is not None:
            weight[self.forbidden] = 0.0
        total = self.integral(weight)
        return weight / total, exponent - np.log(total)

    def gibbs(self, mass: float = 1.0) -> Array:
        """The discrete Gibbs state of the given mass, ρ_i ∝ exp(−V_i/κ).  Raises CaseError where there is none."""
        return mass * self.unit_gibbs[0]


def small_flow(flow: Flow, cells: int, potential: Callable[..., Array] | None = None) -> Flow:
    """A flow on the unit box, so many cells per axis, that calls the same kernels: to compile them, or to load them."""
    grid, dynamics = flow.grid, None
    if flow.mobility is not None:
        from ..linear.lines import lines_of  # loads kernels, which pictures do without

        differ = [lines.resistances.ndim > 1 for lines in lines_of(grid, flow.mobility)]
        dynamics = Dynamics(tuple(_rough if rough else 1.0 for rough in differ))
    box = [0.0] * grid.dim, [1.0] * grid.dim, [cells] * grid.dim
    energy = Energy(flow.internal, potential, tilt=() if flow.push is None else tuple(float(a.ring) for a in grid.axes))
    sinks = (Sink("any", rate=lambda **at: 1.0),) if flow.exits else ()
    return Flow(Grid(*box, [a.boundary.closed for a in grid.axes]), energy, dynamics=dynamics, sinks=sinks)


def _rough(x: Array, y: Array) -> Array:
    """A diffusion that differs from line to line, and is periodic."""
    return 1.0 + 0.1 * np.sin(2 * np.pi * x) * np.sin(2 * np.pi * y)


def once_per_flow(function: Callable[[Flow], Result]) -> Callable[[Flow], Result]:
    """Remember what a function makes of a flow, for as long as the flow lives; the result must not refer to it."""
    known: WeakKeyDictionary[Flow, Result] = WeakKeyDictionary()

    @wraps(function)
    def remembered(flow: Flow) -> Result:
        if flow not in known:
            known[flow] = function(flow)
        return known[flow]

    return remembered


def _potential_of(grid: Grid, energy: Energy) -> Array | None:
    """V at the cell centres."""
    return None if energy.potential is None else sampled(energy.potential, grid, "the potential")
