"""Wasserstein–Fisher–Rao flows: reaction, transport and reaction in turn.

    ∂t ρ = ∇·(ρ∇ξ) − c ρ (ξ − ⟨ξ⟩),      ⟨ξ⟩ = ∫ρξ/∫ρ  (balanced), or 0

    R(dt/2) T(dt) R(dt/2):   T a step of the finite volumes,   R the reaction of every cell (module `pointwise`)

Either part keeps ρ ≥ 0 and lowers E, at any size; T keeps the mass, and R where it is balanced.  With W the reaction
sees Φ = V + W∗½(ρ + ρ'), so that E falls as in the transport: the fixed point of drive ↦ W∗R(ρ; V + ½(W∗ρ + drive)) by
Anderson mixing, else by Newton's method; where neither converges the reaction is taken in two halves, and so on.

Without ⟨ξ⟩ the mass is free, and U and V count with their constants: the entropy relaxes to e^{−V/κ}, of the mass that
this has.  A reaction −ρ(ln ρ + 1), the variation of ∫ρ ln ρ, is of this kind, and loses mass.

Reference: Strang (1968), DOI 10.1137/0705041; Gallouët, Monsaingeon (2017), DOI 10.1137/16M106666X; Liero, Mielke,
Savaré (2018), DOI 10.1007/s00222-017-0759-8; Chizat, Peyré, Schmitzer, Vialard (2018), DOI 10.1007/s10208-016-9331-y.
"""

from __future__ import annotations

import numpy as np

from ...energy.energy import Energy
from ...energy.flow import Flow
from ...energy.snapshot import Snapshot
from ...errors import CaseError
from ...grid import Array, Grid
from ...linear.fixed_point import FixedPointSolver, NotFound
from ..finite_volumes.drive_trend import DriveTrend
from ..finite_volumes.one_step import OUTER_TOLERANCE, Attempt, OneStep, StepFailure
from ..finite_volumes.schemes import Cost
from ..finite_volumes.stepper import FiniteVolumes
from .cell_roots import NoRoot
from .pointwise import Reacted, Reaction

DEEPEST = 10
"""A reaction is halved so often at most; then the whole step is too long."""


class WassersteinFisherRao(FiniteVolumes):
    """The stepper of finite volumes with reactions before and after the transport, or with a reaction alone.

    rate : c > 0, 1/energy.   balanced : whether ⟨ξ⟩ is taken off.   transport : False for Fisher–Rao flows.
    Otherwise as `FiniteVolumes`.

    Preserves for every dt: ρ ≥ 0, E never up, and the mass where balanced; empty cells stay empty without transport.
    Order: 2 in space and time; in time exact for the entropy, or without internal energy, where neither W nor transport
    is there.   Raises CaseError for options out of range; `step` raises SolverError.
    """

    def __init__(
        self,
        flow: Flow,
        rate: float = 1.0,
        balanced: bool = True,
        transport: bool = True,
        dt: float | str = 0.01,
        tolerance: float = 1e-4,
        first_dt: float | None = None,
        threads: int | None = None,
    ) -> None:
        if not (np.isfinite(rate) and rate > 0):
            raise CaseError(f"rate must be a positive number; found {rate}.")
        if flow.exits:
            raise CaseError(
                f"mass that reacts has no account of exits; found {', '.join(flow.exits)}: close the walls and remove "
                "the sinks."
            )
        super().__init__(flow, 2, dt, tolerance, first_dt, threads)
        self._options = rate, balanced, transport
        self._one: OneStep = ReactingStep(flow, rate, balanced, transport, self.threads)
        self._strides = False  # the compiled loop knows no reaction

    def warm_up(self) -> None:
        """As of finite volumes, and one step on four cells per axis."""
        super().warm_up()
        grid = self.flow.grid
        cube = [0.0] * grid.dim, [1.0] * grid.dim, [4] * grid.dim
        small = Flow(Grid(*cube, [axis.boundary for axis in grid.axes]), Energy(self.flow.internal))
        start = Snapshot(t=0.0, step=0, fields={"rho": np.ones(small.grid.shape)})
        WassersteinFisherRao(small, *self._options, dt=1e-3, threads=1).step(start, 1e-3)


class ReactingStep(OneStep):
    """Solves single steps.   Preserves what the class above says."""

    def __init__(self, flow: Flow, rate: float, balanced: bool, transport: bool, threads: int) -> None:
        super().__init__(flow, 2, threads)
        self._rate, self._transport = rate, transport
        self._reaction = Reaction(flow.internal, self._volume, balanced, threads)

    def solve(self, rho: Array, dt: float, trend: DriveTrend) -> Attempt:
        """One step of size dt.   trend : of W∗ρ over the last transports.   Raises StepFailure."""
        mass = self._reaction.mass(rho)
        if not self._transport:
            found = self._react(rho, self._rate * dt, mass)
            return Attempt(found.rho, Cost(iterations=found.iterations), found.outer, found.notes)
        before = self._react(rho, 0.5 * self._rate * dt, mass, weigh=True)
        if before.energy is not None:  # the transport need not sum it again
            self._known_energy = (before.rho, before.energy)
        moved = super().solve(before.rho, dt, trend)
        if not self._reaction.balanced:
            mass = self._reaction.mass(moved.rho)
        after = self._react(moved.rho, 0.5 * self._rate * dt, mass)
        cost = moved.cost
        cost.iterations += before.iterations + after.iterations
        notes = before.notes + moved.notes + after.notes
        return Attempt(after.rho, cost, before.outer + moved.outer + after.outer, notes, moved.trend)

    def _react(self, rho: Array, s: float, mass: float, weigh: bool = False, depth: int = 0) -> Reacted:
        """The reaction over a time s/c, halved where its fixed point is not found.   mass : of rho."""
        try:
            return self._whole(rho, s, mass, weigh)
        except NotFound as failure:
            if depth == DEEPEST:
                raise StepFailure(f"the iteration on W∗ρ of the reaction did not converge ({failure})") from failure
        first = self._react(rho, 0.5 * s, mass, depth=depth + 1)
        between = mass if self._reaction.balanced else self._reaction.mass(first.rho)
        second = self._react(first.rho, 0.5 * s, between, depth=depth + 1)
        iterations, outer = first.iterations + second.iterations, first.outer + second.outer
        return Reacted(second.rho, iterations, outer, ("reaction taken in shorter steps",))

    def _whole(self, rho: Array, s: float, mass: float, weigh: bool) -> Reacted:
        """The reaction in the converged potential V + W∗½(ρ + ρ').  Raises NotFound, and StepFailure."""
        if self.flow.interaction is None:
            return self._in_potential(rho, self.potential, s, mass, weigh)
        before = self._drive(rho)
        last, iterations = Reacted(rho), 0

        def image(drive: Array) -> Array:
            nonlocal last, iterations
            last = self._in_potential(rho, self.potential + 0.5 * (before + drive), s, mass)
            iterations += last.iterations
            return self._interact(last.rho)

        solver = FixedPointSolver(image, OUTER_TOLERANCE, float(np.max(np.abs(before))), StepFailure)
        found = solver.solve(before)
        self._known_drive = (last.rho, found.image)
        return Reacted(last.rho, iterations, found.values)

    def _in_potential(self, rho: Array, phi: Array, s: float, mass: float, weigh: bool = False) -> Reacted:
        try:
            found = self._reaction.react(rho, phi, s, mass, weigh)
        except NoRoot as failure:
            raise StepFailure(str(failure)) from failure
        found.rho.flags.writeable = False  # a step is a record; what is remembered of it stays true
        return found
