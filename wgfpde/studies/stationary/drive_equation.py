"""The equation of a stationary state for its drive w = W∗ρ, F(w) = w − W∗T(V + w) = 0, and Newton's method for it.

T(Φ) is the equilibrium of a potential Φ at the given mass (`steady_density`).  The Jacobian of F is
I + W∗ diag(g)(· − mean_g), g = 1/U''(ρ): the identity plus something smooth, solved matrix-free by GMRES.

Reference: Saad, Schultz (1986), DOI 10.1137/0907058 (GMRES).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ...energy.flow import Flow
from ...energy.laws import law_named
from ...energy.laws.steady_density import EPS, Equilibrium, equilibrium
from ...errors import CaseError
from ...grid import Array
from .shifts import free_axes, neutral

TOLERANCE = 1e-13
"""Of ‖ρ − T(ρ)‖₁/M."""
PINNED = 1e-10
"""Likewise of states that may be shifted: what holds them between two cells is too weak to place them."""
NEWTON_STEPS = 30
VECTORS = 80
"""Of GMRES, at most: a few dozen suffice, and a singular Jacobian is no error."""


def check_law(kind: str) -> None:
    """Raise CaseError for a law whose density in equilibrium with a potential is not known."""
    if not law_named(kind).steady:
        raise CaseError(
            f'energy.internal: stationary states are found for an entropy or a power, found kind = "{kind}"; '
            "march to one instead: wgfpde run CASE --set solver.stationary=1e-10"
        )


class MeanField:
    """A flow at a given mass: the map T and what it needs.

    Raises CaseError where there is no internal energy, or no mass.
    """

    def __init__(self, flow: Flow, mass: float) -> None:
        check_law(flow.internal.kind)
        if not (np.isfinite(mass) and mass > 0):
            raise CaseError(f"a stationary state needs a positive mass; found {mass:g}.")
        self.flow, self.mass = flow, mass
        flow.check_whole("stationary states")
        self.potential = np.zeros(flow.grid.shape) if flow.potential is None else flow.potential

    def drive(self, rho: Array) -> Array:
        """W∗ρ."""
        return np.zeros(rho.shape) if self.flow.interaction is None else self.flow.interaction.apply(rho)

    def image(self, drive: Array) -> Equilibrium:
        """The equilibrium of V + drive; T(ρ) for drive = W∗ρ."""
        return equilibrium(self.flow, self.potential + drive, self.mass)

    def distance(self, a: Array, b: Array) -> float:
        """‖a − b‖₁/M."""
        return self.flow.integral(np.abs(a - b)) / self.mass

    def energy(self, rho: Array, drive: Array) -> float:
        """E(ρ) for drive = W∗ρ."""
        flow = self.flow
        return flow.integral(flow.internal.density(rho) + rho * (self.potential + 0.5 * drive))


def newton(field: MeanField, drive: Array) -> tuple[Equilibrium, float, int] | None:
    """Newton's method for the drive, with a line search on ‖ρ − T(ρ)‖₁/M; None where it does not get there.

    Where the state may be shifted the Jacobian has the null vector ∂w, and moves have no part along it (`jacobian`);
    unless cells pin the state: at an edge of its support, or where this fails.
    Returns (equilibrium, residual, steps).
    """
    held = not field.flow.internal.empties and bool(free_axes(field.flow, field.image(drive).rho))
    found = _searched(field, drive, True) if held else None
    return _searched(field, drive, False) if found is None else found


def _searched(field: MeanField, drive: Array, held: bool) -> tuple[Equilibrium, float, int] | None:
    """Newton's method, the state held in place or free to be shifted."""
    state, image, residual, back = evaluated(field, drive)
    for step in range(NEWTON_STEPS):
        if residual <= 4 * EPS:
            return image, residual, step
        phases = neutral(field.flow, state.rho, drive) if held else []
        move = solved(jacobian(field, state, phases), back - drive, min(1e-2, max(1e-12, 0.1 * residual)))
        length = 1.0
        while True:
            trial = drive + length * move
            found = evaluated(field, trial)
            if found[2] < (1 - 1e-3 * length) * residual:
                break
            length *= 0.5
            if length < 1e-3:
                return (image, residual, step) if residual <= attainable(field, image) else None
        drive, (state, image, residual, back) = trial, found
    return (image, residual, NEWTON_STEPS) if residual <= attainable(field, image) else None


def evaluated(field: MeanField, drive: Array) -> tuple[Equilibrium, Equilibrium, float, Array]:
    """ρ = the equilibrium of a drive, T(ρ), their distance, and W∗ρ."""
    state = field.image(drive)
    back = field.drive(state.rho)
    image = field.image(back)
    return state, image, field.distance(state.rho, image.rho), back


def attainable(field: MeanField, state: Equilibrium) -> float:
    """The residual to be content with: what rounding of Φ leaves, ∫ g δΦ / M, or more where cells pin a state."""
    phi = field.potential + field.drive(state.rho)
    rounding = 16 * EPS * float(np.abs(phi).max()) * field.flow.integral(state.response) / field.mass
    return max(TOLERANCE, rounding, PINNED if free_axes(field.flow, state.rho) else 0.0)


def jacobian(field: MeanField, state: Equilibrium, held: Sequence[Array] = ()) -> Callable[[Array], Array]:
    """δw ↦ δw + W∗[g(δw − mean_g δw)] + Σ φ⟨φ, δw⟩ for unit φ, flat.

    Of null vectors φ, moves that the sum leads to have no part along them, and it is regular.
    """
    weight = state.response * field.flow.grid.cell_volume
    total = float(weight.sum())

    def apply(change: Array) -> Array:
        mean = float((weight * change).sum()) / total
        found = change + field.drive(state.response * (change - mean))
        for phase in held:
            found = found + float(phase @ change.ravel()) * phase.reshape(change.shape)
        return found

    return apply


def solved(operator: Callable[[Array], Array], load: Array, rtol: float) -> Array:
    """x with ‖operator(x) − load‖₂ ≤ rtol ‖load‖₂, or the best of VECTORS Krylov vectors; arrays of load's shape.

    A product with the operator more than there are vectors: the last one measures the residual.
    Reference: Saad, Schultz (1986), DOI 10.1137/0907058.
    """
    from scipy.sparse.linalg import LinearOperator, gmres

    size, shape = load.size, load.shape
    flat = LinearOperator((size, size), matvec=lambda x: operator(x.reshape(shape)).ravel(), dtype=float)
    return np.asarray(gmres(flat, load.ravel(), rtol=rtol, restart=VECTORS, maxiter=1)[0]).reshape(shape)
