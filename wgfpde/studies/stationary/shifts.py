"""Translations: stationary states that come in a family because nothing holds them in place.

Where V does not vary along an axis that is periodic, or whose walls lie in vacuum, a state may be shifted.  Its mode
∂ρ has the growth rate 0 (nearly, where cells pin a free boundary) and says nothing about stability.
"""

from __future__ import annotations

import numpy as np

from ...energy.flow import Flow
from ...energy.laws.steady_density import Equilibrium
from ...grid import Array
from .pencil import Linearised

WALLS = 1e-9
"""Density at a wall, relative to the largest, that lets a state be shifted along that axis."""

VARIES = 1e-9
"""Norm of ∂w, relative to that of w, from which on a drive varies."""


def free_axes(flow: Flow, rho: Array) -> tuple[str, ...]:
    """Axes of equal cells along which a density may be shifted: V does not vary, and no wall is felt."""
    found = []
    scale = 0.0 if flow.potential is None else float(np.abs(flow.potential).max())
    for k, axis in enumerate(flow.grid.axes):
        along = flow.grid.dim - 1 - k
        varies = 0.0 if flow.potential is None else float(np.ptp(flow.potential, axis=along).max())
        walls = 0.0 if axis.ring else float(np.take(rho, [0, -1], along).max())
        if axis.uniform and varies <= 1e-12 * scale and walls <= WALLS * float(rho.max()):
            found.append(axis.name)
    return tuple(found)


def translations(flow: Flow, pair: Linearised, state: Equilibrium) -> dict[str, Array]:
    """h ∂ρ/S along each axis on which the state may be shifted; none along axes on which it is uniform."""
    found = {}
    entropy = state.log_rho is not None
    shaped = np.sqrt(state.rho) if entropy else state.rho  # ∂ρ/√ρ = 2∂√ρ does not underflow
    for name in free_axes(flow, state.rho):
        axis = flow.grid.dim - 1 - "xy".index(name)
        slope = (np.roll(shaped, -1, axis) - np.roll(shaped, 1, axis)).ravel()[pair.inside]
        if float(np.abs(slope).max()) <= 1e-7 * float(shaped.max()):
            continue
        z = slope * np.sqrt(pair.volume)
        found[name] = pair.project(z if entropy else z / np.sqrt(state.response.ravel()[pair.inside]))
    return found


def neutral(flow: Flow, rho: Array, drive: Array) -> list[Array]:
    """∂w of norm 1, flat, along each axis on which the state may be shifted and its drive w = W∗ρ varies."""
    found = []
    for name in free_axes(flow, rho):
        number = "xy".index(name)
        axis = flow.grid.dim - 1 - number
        ring = flow.grid.axes[number].ring
        slope = 0.5 * (np.roll(drive, -1, axis) - np.roll(drive, 1, axis)) if ring else np.gradient(drive, axis=axis)
        size = float(np.linalg.norm(slope))
        if size > VARIES * float(np.linalg.norm(drive)):
            found.append(slope.ravel() / size)
    return found


def overlaps(images: Array, shifts: Array, pair: Linearised) -> Array:
    """Squared cosine of each mode with the span of the shifts (cells, p), in ⟨·, A'⁺·⟩, where modes have length 1."""
    gram = shifts.T @ np.column_stack([pair.pseudoinverse(shift) for shift in shifts.T])
    inner = images.T @ shifts
    return np.sum(inner.T * np.linalg.solve(gram, inner.T), axis=0)
