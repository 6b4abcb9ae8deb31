"""Currents of a flow at a given state: the flux through every face, at cells, and out of the box by each exit.

    J_i = ½ (F_{i−½} + F_{i+½})      mass/(time · area), along each axis; F at an open wall is that of the wall

For the probability current of a density of mass 1.  Order 2 at cells.
"""

from __future__ import annotations

from typing import cast

import numpy as np

from ..grid import Array
from ..linear.lines import Lines, X, lines_of
from .flow import Flow, once_per_flow
from .laws.array_law import ArrayLaw, two_point
from .laws.power_flux import face_fluxes
from .openings.vacuum_exits import exits_of
from .rates import Rates

_axes = once_per_flow(lambda flow: lines_of(flow.grid, flow.mobility))


def potential_of(flow: Flow, rho: Array) -> Array:
    """Φ = V + W∗ρ, array of the grid's shape."""
    phi = np.zeros(flow.grid.shape) if flow.potential is None else flow.potential
    return phi if flow.interaction is None else phi + flow.interaction.apply(rho)


def exit_rates(flow: Flow, rho: Array) -> dict[str, float]:
    """Mass per time that leaves by each exit at a state, net of what comes in."""
    phi = potential_of(flow, rho).ravel()
    total = np.zeros(len(flow.exits))
    for exits in exits_of(flow, _axes(flow)).values():
        exits.fill(phi)
        total += exits.rates(rho)
    return dict(zip(flow.exits, total.tolist(), strict=True))


def cell_currents(flow: Flow, rho: Array) -> tuple[Array, ...]:
    """J along each axis, x first, arrays of the grid's shape."""
    phi, found, every = potential_of(flow, rho).ravel(), [], exits_of(flow, _axes(flow))
    for lines, flux in face_currents(flow, rho):
        exits = every[lines.direction]
        exits.fill(phi)
        before = np.roll(flux, 1, axis=0)
        found.append(_as_field(flow, lines, 0.5 * (before + flux)) + exits.current(rho))
    return tuple(found)


def unrest(flow: Flow, rho: Array) -> float:
    """Largest |dρ/dt| h over the cells, h the least width of its axes: the distance from rest where mass passes."""
    change = np.zeros(flow.grid.shape)
    for lines, fluxes in face_currents(flow, rho):
        through = lines.areas[:, None] * fluxes
        change += _as_field(flow, lines, (through - np.roll(through, 1, axis=0)) / lines.volumes[:, None])
    phi = potential_of(flow, rho).ravel()
    for exits in exits_of(flow, _axes(flow)).values():
        exits.fill(phi)
        change += exits.density_rates(rho)
    return float(np.max(np.abs(change))) * min(float(axis.widths.min()) for axis in flow.grid.axes)


def face_currents(flow: Flow, rho: Array) -> list[tuple[Lines, Array]]:
    """F on the faces i+½ of every axis, (n, lines) with the lines of that axis; 0 at walls, those of exits left out."""
    grid, internal = flow.grid, flow.internal
    rows = (1, grid.size) if grid.dim == 1 else grid.shape
    state = np.array(rho, dtype=float, order="C").reshape(rows)
    phi = np.ascontiguousarray(potential_of(flow, rho)).reshape(rows)
    rates = Rates(grid, _axes(flow), push=flow.push)
    if internal.law.linear_diffusion:
        rates.scharfetter_gummel(phi, internal.kappa)
    found = []
    for lines in _axes(flow):
        a, high = (np.ascontiguousarray(f.T if lines.direction == X else f) for f in (state, phi))
        b, rise = np.roll(a, -1, axis=0), np.roll(high, -1, axis=0) - high
        if internal.law.linear_diffusion or internal.law.vanishes:
            if internal.law.vanishes:
                rates.donors(phi, state, lines)
            forth, back = (lines.rows(side) for side in rates.along(lines))
            flux = (forth * a - back * b) / lines.areas[:, None]
        else:
            flux = np.empty_like(a)
            if internal.code is None:
                flux = two_point(cast(ArrayLaw, internal.law), internal, a, b, rise).flux
            else:
                face_fluxes(a, b, rise, internal.kappa, internal.m, flux)
            flux = np.where(np.isfinite(lines.rows(lines.resistances)), flux, 0.0)
            flux = flux / lines.rows(lines.resistances) / lines.areas[:, None]
        if not lines.ring:
            flux[-1] = 0.0
        found.append((lines, flux))
    return found


def _as_field(flow: Flow, lines: Lines, values: Array) -> Array:
    return np.ascontiguousarray(values.T if lines.direction == X else values).reshape(flow.grid.shape)
