"""Stationary states without marching: damped fixed-point iteration, then Newton's method.

    ξ = U'(ρ) + V + W∗ρ = C on the support   ⇔   ρ = T(ρ),   T(ρ) = the equilibrium of V + W∗ρ   (`steady_density`)

Near: ρ ← ρ + α(T(ρ) − ρ).  ⟨ξ, T(ρ) − ρ⟩ = ⟨U'(ρ) − U'(T), T − ρ⟩ ≤ 0 for convex U, so that small α lowers the free
energy: α is halved until it does, and what is found lies no higher than the start.  W∗ along the segment is linear, so
one convolution an iteration is enough, whatever α.
At the end: Newton's method for the drive w = W∗ρ, F(w) = w − W∗T(V + w), whose Jacobian is
I + W∗ diag(g)(· − mean_g), g = 1/U''(ρ): the identity plus something smooth, solved matrix-free by GMRES.

Preserved: ρ ≥ 0 and the mass, because every iterate is an equilibrium of its drive, and nothing is clipped.
Measured: 4 to 7 Newton steps of 3 to 15 convolutions each; ‖ρ − T(ρ)‖₁/M of 1e-16 to 1e-14.
A stationary state here is one of the scheme: fluxes vanish to rounding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ...diagnostics.resolution import resolution_note
from ...energy.driving.force import affinity_of
from ...energy.flow import Flow
from ...energy.laws.steady_density import EPS, Equilibrium
from ...errors import CaseError, SolverError
from ...grid import Array
from .drive_equation import MeanField, newton
from .forced.carried import Transport
from .forced.plane_state import state_on_plane
from .forced.ring_state import state_on_ring
from .growth_rates import Stability, components, stability

RELAXATIONS = ((40, 1e-4), (160, 1e-5), (640, 1e-7), (2560, 1e-10))
"""Before each try of Newton's method: damped iterations at most, and the residual that makes more of them needless."""


@dataclass(frozen=True, repr=False)
class Steady:
    """A stationary state of the scheme.

    rho : array of the grid's shape, mass/volume.   energy : E(ρ).   constant : C, energy/mass; of disconnected supports
    all have the same.   residual : ‖ρ − T(ρ)‖₁/M.   iterations : damped and Newton iterations.   parts : connected
    parts of the support.   stability : growth rates of small perturbations, or None where it was not asked for.
    notes : sentences about what is special.   unresolved : one on what the grid does not resolve of it, or "".
    flux : mass per time that leaves by each exit, net, where there are any.
    transport : current, velocity, diffusivity and entropy production under a force, else None.  Then `residual` is that
    of the flux, C is not known, and the state is the only one.
    """

    rho: Array
    energy: float
    constant: float
    residual: float
    iterations: int
    parts: int = 1
    stability: Stability | None = None
    notes: tuple[str, ...] = ()
    unresolved: str = ""
    flux: Mapping[str, float] = field(default_factory=dict)
    transport: Transport | None = None

    @property
    def told(self) -> tuple[str, ...]:
        """All sentences that the user should see."""
        return (*self.notes, *filter(None, [self.unresolved]))

    @property
    def eigenvalue(self) -> float:
        """The leading growth rate μ, 1/time, translations left out; NaN where it is not known."""
        return np.nan if self.stability is None else self.stability.leading

    @property
    def mode(self) -> Array | None:
        """The perturbation of the density that grows at that rate, array of the grid's shape; Σ h|η| = 1."""
        return None if self.stability is None or not len(self.stability.modes) else self.stability.modes[0]

    @property
    def stable(self) -> bool | None:
        """Whether the leading growth rate is negative; None where it was not asked for."""
        return self.verdict == "stable" if self.verdict else None

    @property
    def verdict(self) -> str:
        """ "stable", "unstable", "marginal", or "" where it was not asked for."""
        if self.transport is not None:
            return "stable"
        return "" if self.stability is None else self.stability.verdict

    def __repr__(self) -> str:
        what = f", {self.verdict}, eigenvalue={self.eigenvalue:.6g}" if self.stability is not None else ""
        return f"Steady(energy={self.energy:.12g}{what}, residual={self.residual:.1g}, rho of shape {self.rho.shape})"


def stationary(flow: Flow, mass: float, start: Array | None = None, *, analyse: bool = True) -> Steady:
    """The stationary state that the damped iteration leads to from a start; its energy is never above the start's.

    start : density of the grid's shape, brought to the mass; default the equilibrium of V alone.
    analyse : whether to find its growth rates too.

    Raises CaseError where there is no internal energy, no mass or a start of another shape; SolverError where no state
    is found.
    """
    if flow.push is not None:
        return under_force(flow, mass)
    field = MeanField(flow, mass)
    rho = field.image(np.zeros(flow.grid.shape)).rho if start is None else _scaled(field, start)
    if flow.interaction is None:
        return steady_at(field, field.image(field.drive(rho)), 0.0, 0, analyse)
    return steady_at(field, *_relaxed(field, rho), analyse)


def under_force(flow: Flow, mass: float) -> Steady:
    """The steady state under a force.  Raises as `state_on_ring` and `state_on_plane` do."""
    flow.check_whole("stationary states")
    rho, carried, residual = (state_on_ring if flow.grid.dim == 1 else state_on_plane)(flow, mass)
    assert flow.push is not None
    rings = [(axis.name, affinity_of(push)) for axis, push in zip(flow.grid.axes, flow.push, strict=True) if axis.ring]
    along = ", ".join(f"{size:.6g}" if flow.grid.dim == 1 else f"{size:.6g} along {name}" for name, size in rings)
    note = f"a force of ∮f = {along} drives it: not an equilibrium, and the only steady state"
    told = resolution_note(flow, rho, "the state")
    return Steady(rho, flow.value(rho), np.nan, residual, 0, notes=(note,), unresolved=told, transport=carried)


def corrected(flow: Flow, mass: float, guess: Array, *, analyse: bool = True) -> Steady:
    """The stationary state, unstable ones too, that Newton's method leads to from a guess of any sign near it.

    Raises as `stationary` does.
    """
    if flow.push is not None:
        raise CaseError("under a force there is one steady state, and no guess is needed; call stationary(flow, mass).")
    field = MeanField(flow, mass)
    near = np.asarray(guess, dtype=float)
    if near.shape != flow.grid.shape or not np.all(np.isfinite(near)):
        raise CaseError(f"a guess needs the grid's shape {flow.grid.shape} and finite numbers; found {_faults(near)}.")
    found = newton(field, field.drive(near))
    if found is None:
        raise SolverError("Newton's method found no stationary state near the guess; start nearer to one.")
    return steady_at(field, *found, analyse)


def steady_at(field: MeanField, found: Equilibrium, residual: float, count: int, analyse: bool) -> Steady:
    flow = field.flow
    parts = components(flow, found)
    return Steady(
        rho=found.rho,
        energy=flow.value(found.rho),
        constant=found.constant,
        residual=residual,
        iterations=count,
        parts=parts,
        stability=stability(flow, found) if analyse else None,
        notes=_notes(parts),
        unresolved=resolution_note(flow, found.rho, "the state"),
    )


def _scaled(field: MeanField, start: Array) -> Array:
    """The start at the field's mass."""
    rho = np.asarray(start, dtype=float)
    if rho.shape != field.flow.grid.shape:
        raise CaseError(f"a start needs the shape {field.flow.grid.shape} of the grid; found {rho.shape}.")
    total = field.flow.integral(rho)
    if not (np.all(rho >= 0) and np.isfinite(total) and total > 0):
        raise CaseError("a start must be a density: finite, nowhere negative, not zero everywhere.")
    return rho * (field.mass / total)


def _faults(values: Array) -> str:
    """ "the shape (7,)" or "3 that are not"."""
    bad = int(np.sum(~np.isfinite(values)))
    return f"the shape {values.shape}" + (f", {bad} of them NaN or infinite" if bad else "")


def _notes(parts: int) -> tuple[str, ...]:
    if parts <= 1:
        return ()
    return (
        f"the support has {parts} parts: any division of the mass among them is stationary too, "
        "and the one with a single constant C is returned",
    )


def _relaxed(field: MeanField, rho: Array) -> tuple[Equilibrium, float, int]:
    """Damped iteration until Newton's method leads on without climbing."""
    total, energy = 0, field.energy(rho, field.drive(rho))
    scale = abs(energy) + field.mass * field.flow.internal.kappa
    for limit, near in RELAXATIONS:
        rho, energy, count = _descend(field, rho, limit, near)
        total += count
        end = newton(field, field.drive(rho))
        if end is not None:
            found, residual, steps = end
            if field.energy(found.rho, field.drive(found.rho)) <= energy + 64 * EPS * scale:
                return found, residual, total + steps
    raise SolverError(
        f"no stationary state was found in {total} damped iterations: the state goes on changing. "
        "A finer grid or a weaker interaction may help; wgfpde run shows where the flow leads."
    )


def _descend(field: MeanField, rho: Array, limit: int, near: float) -> tuple[Array, float, int]:
    """Up to `limit` damped iterations ρ ← ρ + α(T(ρ) − ρ), each lowering the energy; (ρ, its energy, iterations)."""
    drive = field.drive(rho)
    energy, alpha = field.energy(rho, drive), 1.0
    for count in range(limit):
        image = field.image(drive).rho
        if field.distance(rho, image) <= near:
            return rho, energy, count
        image_drive = field.drive(image)
        alpha = min(1.0, 2 * alpha)
        while True:
            trial = (1 - alpha) * rho + alpha * image  # convex: stays non-negative
            trial_drive = (1 - alpha) * drive + alpha * image_drive
            after = field.energy(trial, trial_drive)
            if after < energy:
                break
            alpha *= 0.5
            if alpha < 1e-9:  # down to rounding
                return rho, energy, count
        rho, drive, energy = trial, trial_drive, after
    return rho, energy, limit
