"""A flow is an energy bound to a grid.

`Flow.value` is the discrete energy E and `Flow.variation` its first variation ξ, in the cell-volume pairing
⟨a, b⟩ = Σ h a b, so that ⟨ξ, δ⟩ = dE(ρ)[δ].  Every scheme and every diagnostic uses these.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property, wraps
from typing import TypeVar
from weakref import WeakKeyDictionary

import numpy as np

from ..errors import CaseError
from ..grid import Array, Grid
from ..grid.tables.tabulated import Tabulated
from ..linear.lines import lines_of
from .dynamics import Dynamics
from .energy import Energy
from .interaction import Interaction, make_interaction

Result = TypeVar("Result")


class Flow:
    """An energy on a grid.

    energy : with what the convention of the dynamics adds to V.
    potential : V at cell centres, array of the grid's shape, or None.   table : of V, on this grid, or None.
    interaction : the operator ρ ↦ W∗ρ, or None.
    mobility : D on the faces across each axis, walls included, (nx+1,), or (ny, nx+1) and (ny+1, nx); None for 1.
    forbidden : cells that V, a table, forbids, array of the grid's shape; None where there are none.  Their faces have
    mobility 0, so that nothing enters; ρ is 0 there, and V a number that nobody uses.

    Raises CaseError where V, W or D is not finite, V or D is not periodic on a periodic axis, W is odd, D ≤ 0, or m
    does not suit the dimension; and for an interaction on a radial grid.
    """

    def __init__(self, grid: Grid, energy: Energy, threads: int = 1, *, dynamics: Dynamics | None = None) -> None:
        energy.internal.check_dimension(grid.space)
        self.table = energy.potential.on(grid) if isinstance(energy.potential, Tabulated) else None
        if self.table is not None:
            energy = replace(energy, potential=self.table)
        dynamics = None if dynamics is None else dynamics.on(grid)
        self.dynamics = dynamics
        self.forbidden = None if self.table is None else _forbidden(grid, self.table)
        self.mobility = None if dynamics is None else dynamics.on_faces(grid)
        if self.forbidden is not None:
            self.mobility = closed_faces(self.forbidden, grid, self.mobility)
        energy = energy if dynamics is None else dynamics.effective(grid, energy)
        self.grid = grid
        self.energy = energy
        self.internal = energy.internal
        self.potential = _sample_potential(grid, energy)
        if grid.radial > 1 and energy.interaction is not None:
            raise CaseError(
                "a radial grid takes no interaction: there W∗ρ is an integral over whole spheres, which W on the "
                "radius does not give. Remove energy.interaction or grid.radial."
            )
        self.interaction: Interaction | None = (
            make_interaction(energy.interaction, grid, threads) if energy.interaction is not None else None
        )

    def __repr__(self) -> str:
        return f"Flow({self.energy} on {self.grid})"

    def integral(self, values: Array) -> float:
        """Σ h v, summed row by row and then serially: independent of threads."""
        if self.grid.uniform:
            return float(np.sum(np.sum(values, axis=-1))) * self.grid.volume / self.grid.size
        return float(np.sum(np.sum(values * self.grid.cell_volume, axis=-1)))

    def mass(self, rho: Array) -> float:
        return self.integral(rho)

    def parts(self, rho: Array) -> tuple[float, float, float]:
        """The three energies (internal, potential, interaction)."""
        internal = self.integral(self.internal.density(rho))
        potential = 0.0 if self.potential is None else self.integral(self.potential * rho)
        interaction = 0.0 if self.interaction is None else 0.5 * self.integral(rho * self.interaction.apply(rho))
        return internal, potential, interaction

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

    @property
    def fills_box(self) -> bool:
        """Whether there is a Gibbs state e^{−V/κ}/Z on the whole box: what functional inequalities are about."""
        return self.has_gibbs and self.forbidden is None and self.grid.radial == 1

    @cached_property
    def unit_gibbs(self) -> tuple[Array, Array]:
        """The discrete Gibbs state of mass 1 and its logarithm, finite where the state underflows.

        On forbidden cells the state is 0 and the logarithm a number without meaning.

        Raises CaseError where there is none.
        """
        if not self.has_gibbs:
            raise CaseError("a Gibbs state in closed form needs the entropy and no interaction.")
        if self.potential is None:
            return np.full(self.grid.shape, 1 / self.grid.volume), np.full(self.grid.shape, -np.log(self.grid.volume))
        allowed = True if self.forbidden is None else ~self.forbidden
        exponent = -(self.potential - self.potential.min(where=allowed, initial=np.inf)) / self.internal.kappa
        weight = np.exp(exponent)
        if self.forbidden is not None:
            weight[self.forbidden] = 0.0
        total = self.integral(weight)
        return weight / total, exponent - np.log(total)

    @property
    def allowed(self) -> Array:
        """Whether a cell may hold mass, array of the grid's shape."""
        return np.ones(self.grid.shape, dtype=bool) if self.forbidden is None else ~self.forbidden

    def check_whole(self, what: str) -> None:
        """Raise CaseError where there are forbidden cells.   what : cannot be had then, in the plural."""
        if self.forbidden is not None:
            raise CaseError(
                f"{what} are not found where cells are forbidden: the table of the potential has no value in "
                f"{int(np.count_nonzero(self.forbidden))} of {self.grid.size}. Complete the table, or march by "
                'method = "fv".'
            )

    def check_allowed(self, rho: Array) -> None:
        """Raise CaseError, with the place, where a density has mass on forbidden cells: it could not leave them."""
        if self.forbidden is None or not np.any(rho[self.forbidden]):
            return
        inside = np.where(self.forbidden, rho, 0.0)
        index = tuple(int(k) for k in np.unravel_index(int(np.argmax(inside)), rho.shape))
        share = self.mass(inside) / self.mass(rho)
        raise CaseError(
            f"the potential has no value in {int(np.count_nonzero(inside))} cells where the density is positive, "
            f"{share:.3g} of the mass, most at {self.grid.describe(index)}. Let the density vanish there, as by a "
            "factor (x > …), or give the table values there."
        )

    def gibbs(self, mass: float = 1.0) -> Array:
        """The discrete Gibbs state of the given mass, ρ_i ∝ exp(−V_i/κ).  Raises CaseError where there is none."""
        return mass * self.unit_gibbs[0]


def small_flow(flow: Flow, cells: int, potential: Callable[..., Array] | None = None) -> Flow:
    """A flow on the unit box, so many cells per axis, that calls the same kernels: to compile them, or to load them."""
    grid, dynamics = flow.grid, None
    if flow.mobility is not None:
        differ = [lines.resistances.ndim > 1 for lines in lines_of(grid, flow.mobility)]
        dynamics = Dynamics(tuple(_rough if rough else 1.0 for rough in differ))
    box = [0.0] * grid.dim, [1.0] * grid.dim, [cells] * grid.dim
    return Flow(Grid(*box, [a.boundary for a in grid.axes]), Energy(flow.internal, potential), dynamics=dynamics)


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


def _forbidden(grid: Grid, table: Tabulated) -> Array | None:
    """The cells that the table of V forbids, or None.  Raises CaseError where it forbids all."""
    found = table.forbidden_cells(grid)
    if np.all(found):
        raise CaseError(f"{table.table.what} has no value in any cell of the grid.")
    return found if np.any(found) else None


def closed_faces(forbidden: Array, grid: Grid, mobility: Sequence[Array] | None) -> tuple[Array, ...]:
    """The mobility of the faces across each axis, walls included, 0 on those of forbidden cells.

    forbidden : array of the grid's shape.   mobility : as of a flow; None for 1.
    """
    found = []
    for k, axis in enumerate(grid.axes):
        along = grid.dim - 1 - k
        cells = np.moveaxis(forbidden, along, 0)
        before, after = (cells[-1:], cells[:1]) if axis.ring else (np.zeros_like(cells[:1]),) * 2
        faces = np.moveaxis(np.concatenate([before, cells]) | np.concatenate([cells, after]), 0, along)
        found.append(np.where(faces, 0.0, 1.0 if mobility is None else mobility[k]))
    return tuple(found)


def _sample_potential(grid: Grid, energy: Energy) -> Array | None:
    """V at the cell centres, checked for finiteness and for periodicity."""
    if energy.potential is None:
        return None
    with np.errstate(all="ignore"):
        values = grid.sample(energy.potential)
    if not np.all(np.isfinite(values)):
        index = tuple(int(k[0]) for k in np.nonzero(~np.isfinite(values)))
        raise CaseError(
            f"the potential is not finite at {grid.describe(index)}: found {values[index]}. "
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
                ends.append(np.asarray(energy.potential(**coords), dtype=float))
        jump = float(np.max(np.abs(ends[1] - ends[0])))
        if not jump <= 1e-9 * scale:
            raise CaseError(
                f"axis {axis.name} is periodic but the potential is not: it jumps by {jump:.6g} between "
                f"{axis.name} = {axis.lower:g} and {axis.name} = {axis.upper:g}."
            )
    return values
