"""Fluxes and dissipation of the scheme at a given state: what diagnostics ask for.

    D(ρ) = Σ_faces area · M (Δξ)²/d = −Σ area · F Δξ,    dE/dt = −D along the semi-discrete flow

Infinite where the entropy (or m < 1) meets vacuum.  Zero exactly at the discrete Gibbs state up to rounding.

Near a steady state F is a difference of large terms, and F Δξ has either sign.  The work of a face is therefore formed
without F: M (Δξ)² with the mobility M ≥ 0 itself, and for the entropy, with z = Δξ/κ and the donor (higher ξ) leaving
at its rate r (module `rates`),

    −F Δξ = κ r ρ_donor |z| (1 − e^{−|z|}) ≥ 0,      as  F = ±r ρ_donor (1 − e^{−|z|}).

With a force f the same holds of z = (Δξ − f d)/κ: D is the heat per time, dE/dt = −D + Σ area · F f d, and D/κ the
entropy that is produced, Σ area · F ln(a ρ_i/b ρ_j).
"""

from __future__ import annotations

import math
from typing import cast

import numpy as np

from ..base.kernel_cache import njit
from ..grid import Array
from ..linear.lines import Lines, at, gather, lines_of, of_block
from ..linear.threads import default_threads, share
from .energy import Internal
from .flow import Flow, once_per_flow
from .laws.array_law import ArrayLaw, two_point
from .laws.power_flux import face_work
from .rates import block_donors, block_rates, push_along


def dissipation(flow: Flow, rho: Array) -> float:
    """D(ρ) ≥ 0, energy/time; inf where the entropy or a power m < 1 meets vacuum."""
    return _totals(flow, rho)[0]


def max_flux(flow: Flow, rho: Array) -> float:
    """Largest |F| over all faces between cells, mass/(time · area): the distance from stationarity."""
    return _totals(flow, rho)[1]


def _totals(flow: Flow, rho: Array) -> tuple[float, float]:
    grid, internal = flow.grid, flow.internal
    rows = (1, grid.size) if grid.dim == 1 else grid.shape
    phi = np.zeros(grid.shape) if flow.potential is None else flow.potential
    if flow.interaction is not None:
        phi = phi + flow.interaction.apply(rho)
    state = np.array(rho, dtype=float, order="C").reshape(rows)  # a copy: for read-only arrays Numba compiles anew
    phi = np.ascontiguousarray(phi).reshape(rows)
    axes, threads = _axes(flow), default_threads()
    push = push_along(axes, flow.push)
    total, largest = 0.0, 0.0
    for lines in axes:
        area = np.ones(1) if grid.dim == 1 else _other(axes, lines).widths
        work, peak = np.empty(lines.count), np.empty(lines.count)
        shared = lines.blocks, grid.size, threads, state, phi
        line = lines.direction, lines.n, lines.lanes, lines.resistances, lines.areas, lines.ring
        if internal.law.linear_diffusion:
            with np.errstate(divide="ignore"):
                share(_entropy_totals, *shared, *line, np.log(state), push[lines.direction], internal.kappa, work, peak)
        elif internal.law.vanishes:
            share(_drift_totals, *shared, *line, lines.widths, lines.distances, work, peak)
        elif internal.code is None:
            work, peak = _array_totals(internal, state, phi, lines)
        else:
            share(_power_totals, *shared, *line, internal.kappa, internal.m, work, peak)
        total += float((work * area).sum())
        largest = max(largest, float(peak.max()))
    return total, largest


_axes = once_per_flow(lambda flow: lines_of(flow.grid, flow.mobility))
"""Of a flow, as the steps between two snapshots ask for its dissipation again and again."""


def _other(axes: list[Lines], lines: Lines) -> Lines:
    return axes[1] if lines is axes[0] else axes[0]


def _array_totals(internal: Internal, rho: Array, phi: Array, lines: Lines) -> tuple[Array, Array]:
    """As `_entropy_totals`, for laws without kernels."""
    along = lines.direction
    count = lines.n if lines.ring else lines.n - 1
    (a, b), (low, high) = (
        (np.moveaxis(f, along, 0)[:count], np.roll(np.moveaxis(f, along, 0), -1, axis=0)[:count]) for f in (rho, phi)
    )
    face = two_point(cast(ArrayLaw, internal.law), internal, a, b, high - low)
    r, area = lines.rows(lines.resistances)[:count], lines.areas[:count, None]
    work = np.where(np.isfinite(r), face.work, 0.0)
    return np.sum(work / r, axis=0), np.max(np.abs(face.flux) / r / area, axis=0, initial=0.0)


# A kernel for each internal energy: each compiles only what it needs, and holds a face in registers.


@njit(cache=True, nogil=True, error_model="numpy")
def _entropy_totals(first, last, rho, phi, direction, n, lanes, r, area, ring, log, push, kappa, work, peak):
    """Of the lines of blocks first … last: work = −Σ F (Δξ − f d) ≥ 0 and peak = max |F|, (lines,).

    rho, phi, log = ln ρ : (ny, nx).   n, lanes : shape of a block.   r, area : of the faces (module `lines`).
    push : (n,) f d.
    """
    room = np.zeros((5, n, lanes))
    a, b, state, potential, logs = room[0], room[1], room[2], room[3], room[4]
    for q in range(first, last):
        count = block_rates(q, phi, direction, push, r, kappa, ring, potential, a, b)
        gather(rho, direction, q * lanes, count, state)
        gather(log, direction, q * lanes, count, logs)
        for k in range(count):
            lost = largest = 0.0
            for i in range(n if ring else n - 1):
                j = i + 1 if i < n - 1 else 0
                forth, back = a[i, k] * state[i, k], b[i, k] * state[j, k]
                if state[i, k] > 0.0 and state[j, k] > 0.0:
                    z = logs[j, k] - logs[i, k] + (potential[j, k] - potential[i, k] - push[i]) / kappa
                    lost -= kappa * (back if z > 0.0 else forth) * abs(z) * math.expm1(-abs(z))
                elif (state[i, k] > 0.0 or state[j, k] > 0.0) and (a[i, k] > 0.0 or b[i, k] > 0.0):
                    lost = math.inf
                largest = max(largest, abs(forth - back) / area[i])
            work[q * lanes + k], peak[q * lanes + k] = lost, largest


@njit(cache=True, nogil=True, error_model="numpy")
def _drift_totals(first, last, rho, phi, direction, n, lanes, r, area, ring, h, d, work, peak):
    """As `_entropy_totals`, without internal energy.   h, d : (n,) widths and distances."""
    a, b, state, potential = np.zeros((n, lanes)), np.zeros((n, lanes)), np.zeros((n, lanes)), np.zeros((n, lanes))
    for q in range(first, last):
        count = block_donors(q, phi, rho, direction, h, d, r, ring, potential, state, a, b)
        for k in range(count):
            lost = largest = 0.0
            for i in range(n if ring else n - 1):
                j = i + 1 if i < n - 1 else 0
                flux = a[i, k] * state[i, k] - b[i, k] * state[j, k]
                lost -= flux * (potential[j, k] - potential[i, k])
                largest = max(largest, abs(flux) / area[i])
            work[q * lanes + k], peak[q * lanes + k] = lost, largest


@njit(cache=True, nogil=True, error_model="numpy")
def _power_totals(first, last, rho, phi, direction, n, lanes, r, area, ring, kappa, m, work, peak):
    """As `_entropy_totals`, for power laws."""
    state, potential = np.zeros((n, lanes)), np.zeros((n, lanes))
    lines = phi.shape[0] if direction == 1 else phi.shape[1]
    for q in range(first, last):
        faces = of_block(r, q)
        count = min(lanes, lines - q * lanes)
        gather(phi, direction, q * lanes, count, potential)
        gather(rho, direction, q * lanes, count, state)
        for k in range(count):
            lost = largest = 0.0
            for i in range(n if ring else n - 1):
                j = i + 1 if i < n - 1 else 0
                if at(faces, i, k) == math.inf:  # no way across, whatever the densities are
                    continue
                flux, paid = face_work(state[i, k], state[j, k], potential[j, k] - potential[i, k], kappa, m)
                lost += paid / at(faces, i, k)
                largest = max(largest, abs(flux) / at(faces, i, k) / area[i])
            work[q * lanes + k], peak[q * lanes + k] = lost, largest
