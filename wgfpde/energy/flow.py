"""A flow is an energy bound to a grid.

`Flow.value` is the discrete energy E and `Flow.variation` its first variation ξ, in the cell-volume pairing
⟨a, b⟩ = Σ h a b, so that ⟨ξ, δ⟩ = dE(ρ)[δ].  Every scheme and every diagnostic uses these.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, wraps
from typing import TypeVar
from weakref import WeakKeyDictionary

import numpy as np

from ..errors import CaseError
from ..grid import Array, Grid
from .energy import Energy
from .features import Features, FeaturesOnGrid, Together
from .interaction import Interaction, make_interaction

Result = TypeVar("Result")


class Flow:
    """An energy on a grid.

    potential : V at cell centres, array of the grid's shape, or None; with features also their linear part.
    interaction : the operator ρ ↦ W∗ρ, or None; with features also their form of low rank.
    features : those of the energy on this grid, or None.

    Raises CaseError where V or W is not finite, V is not periodic on a periodic axis, W is odd, or m does not suit
    the dimension.
    """

    def __init__(self, grid: Grid, energy: Energy, threads: int = 1) -> None:
        energy.internal.check_dimension(grid.dim)
        self.grid = grid
        self.energy = energy
        self.internal = energy.internal
        self.potential = None if energy.potential is None else _sampled(grid, energy.potential, "the potential")
        self.interaction: Interaction | None = (
            make_interaction(energy.interaction, grid, threads) if energy.interaction is not None else None
        )
        self._external, self._kernel = self.potential, self.interaction
        self.features = None if energy.features is None else _features_on(grid, energy.features)
        if self.features is not None:
            linear = self.features.linear()
            self.potential = linear if self.potential is None else self.potential + linear
            self.interaction = self.features if self._kernel is None else Together(self._kernel, self.features)

    def __repr__(self) -> str:
        return f"Flow({self.energy} on {self.grid})"

    def integral(self, values: Array) -> float:
        """Σ h v, summed row by row and then serially: independent of threads."""
        if self.grid.uniform:
            return float(np.sum(np.sum(values, axis=-1))) * self.grid.volume / self.grid.size
        return float(np.sum(np.sum(values * self.grid.cell_volume, axis=-1)))

    def mass(self, rho: Array) -> float:
        return self.integral(rho)

    def parts(self, rho: Array) -> tuple[float, ...]:
        """The energies (internal, potential, interaction), and with features their loss; E is their sum."""
        internal = self.integral(self.internal.density(rho))
        potential = 0.0 if self._external is None else self.integral(self._external * rho)
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

    @cached_property
    def has_gibbs(self) -> bool:
        """Whether the steady state is the Gibbs state e^{−V/κ}/Z: entropy without interaction."""
        return self.internal.law.linear_diffusion and self.interaction is None

    @cached_property
    def unit_gibbs(self) -> tuple[Array, Array]:
        """The discrete Gibbs state of mass 1 and its logarithm, finite where the state underflows.

        Raises CaseError where there is none.
        """
        if not self.has_gibbs:
            raise CaseError("a Gibbs state in closed form needs the entropy and no interaction.")
        if self.potential is None:
            return np.full(self.grid.shape, 1 / self.grid.volume), np.full(self.grid.shape, -np.log(self.grid.volume))
        exponent = -(self.potential - self.potential.min()) / self.internal.kappa
        weight = np.exp(exponent)
        total = self.integral(weight)
        return weight / total, exponent - np.log(total)

    def gibbs(self, mass: float = 1.0) -> Array:
        """The discrete Gibbs state of the given mass, ρ_i ∝ exp(−V_i/κ).  Raises CaseError where there is none."""
        return mass * self.unit_gibbs[0]


def once_per_flow(function: Callable[[Flow], Result]) -> Callable[[Flow], Result]:
    """Remember what a function makes of a flow, for as long as the flow lives; the result must not refer to it."""
    known: WeakKeyDictionary[Flow, Result] = WeakKeyDictionary()

    @wraps(function)
    def remembered(flow: Flow) -> Result:
        if flow not in known:
            known[flow] = function(flow)
        return known[flow]

    return remembered


def _features_on(grid: Grid, features: Features) -> FeaturesOnGrid:
    """Features at the cell centres, checked as a potential is."""
    phi = [_sampled(grid, function, f"feature {k + 1}") for k, function in enumerate(features.functions)]
    targets, weights = (np.array(values, dtype=float) for values in (features.targets, features.weights))
    return FeaturesOnGrid(np.array(phi), targets, weights, grid)


def _sampled(grid: Grid, function: Callable[..., Array], what: str) -> Array:
    """A function at the cell centres, checked for finiteness and for periodicity.   what : its name in messages."""
    with np.errstate(all="ignore"):
        values = grid.sample(function)
    if not np.all(np.isfinite(values)):
        index = tuple(int(k[0]) for k in np.nonzero(~np.isfinite(values)))
        raise CaseError(
            f"{what} is not finite at {grid.describe(index)}: found {values[index]}. "
            "Change the formula or move the grid so that no cell centre lies there."
        )
    scale = 1.0 + np.max(np.abs(values))
    for axis in grid.axes:
        if not axis.ring:
            continue
        ends = []
        for position in (axis.lower, axis.upper):
            coords = dict(grid.coordinates())
            coords[axis.name] = np.full_like(coords[axis.name].ravel()[:1], position)
            with np.errstate(all="ignore"):
                ends.append(np.asarray(function(**coords), dtype=float))
        jump = float(np.max(np.abs(ends[1] - ends[0])))
        if not jump <= 1e-9 * scale:
            raise CaseError(
                f"axis {axis.name} is periodic but {what} is not: it jumps by {jump:.6g} between "
                f"{axis.name} = {axis.lower:g} and {axis.name} = {axis.upper:g}."
            )
    return values
