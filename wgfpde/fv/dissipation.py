"""Fluxes and dissipation of the scheme at a given state: what diagnostics ask for.

    D(ρ) = Σ_faces area · M (Δξ)²/d = −Σ area · F Δξ,    dE/dt = −D along the semi-discrete flow

Infinite where the entropy (or m < 1) meets vacuum.  Zero exactly at the discrete Gibbs state up to rounding.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from ..flow import Flow
from ..grid import Array
from .blocks import Lines
from .limiter import KIND_CODES, NONE
from .linear_rates import bernoulli, line_weight
from .power_flux import fast_flux, power, slow_flux
from .schemes import make_axes


def dissipation(flow: Flow, rho: Array) -> float:
    """D(ρ) ≥ 0, energy/time; inf where the entropy or a power m < 1 meets vacuum."""
    return _totals(flow, rho)[0]


def max_flux(flow: Flow, rho: Array) -> float:
    """Largest |F| over all faces, mass/(time · area): the distance from stationarity."""
    return _totals(flow, rho)[1]


def _totals(flow: Flow, rho: Array) -> tuple[float, float]:
    grid = flow.grid
    rows = (1, grid.size) if grid.dim == 1 else grid.shape
    phi = np.zeros(grid.shape) if flow.potential is None else flow.potential
    if flow.interaction is not None:
        phi = phi + flow.interaction.apply(rho)
    state = np.array(rho, dtype=float, order="C").reshape(rows)  # a copy: for read-only arrays Numba compiles anew
    phi = np.ascontiguousarray(phi).reshape(rows)
    internal = flow.internal
    axes = make_axes(flow)
    total, largest = 0.0, 0.0
    for lines in axes:
        area = np.ones(1) if grid.dim == 1 else _other(axes, lines).widths
        work, peak = np.empty(lines.count), np.empty(lines.count)
        transpose = lines.direction == 0
        rho_lines = np.ascontiguousarray(state.T) if transpose else state
        phi_lines = np.ascontiguousarray(phi.T) if transpose else phi
        d, periodic, kappa = lines.distances, lines.periodic, internal.kappa
        if internal.kind == "power":
            _power_totals(rho_lines, phi_lines, d, periodic, kappa, internal.m, work, peak)
        else:
            kind = KIND_CODES[internal.kind]
            _linear_totals(rho_lines, phi_lines, lines.widths, d, periodic, kind, kappa, work, peak)
        total += float((work * area).sum())
        largest = max(largest, float(peak.max()))
    return total, largest


def _other(axes: list[Lines], lines: Lines) -> Lines:
    return axes[1] if lines is axes[0] else axes[0]


@njit(cache=True, nogil=True, error_model="numpy")
def _linear_face(state, potential, i, j, h, d, periodic, kind, kappa):
    """Flux F and F Δξ of face i+½ on one line: entropy or no internal energy."""
    a, b = state[i, 0], state[j, 0]
    dphi = potential[j, 0] - potential[i, 0]
    if kind == NONE:
        velocity = -dphi / d[i]
        weight = line_weight(state, 0, i, velocity, h, d, periodic)
        flux = weight * (a if velocity >= 0.0 else b) * velocity
        return flux, flux * dphi
    s = dphi / kappa
    low = bernoulli(abs(s))
    high = low + abs(s)
    flux = kappa / d[i] * ((low if s > 0.0 else high) * a - (high if s > 0.0 else low) * b)
    if a == 0.0 and b == 0.0:
        return flux, 0.0
    if a == 0.0 or b == 0.0:
        return flux, -math.inf
    return flux, flux * (kappa * math.log(b / a) + dphi)


@njit(cache=True, nogil=True, error_model="numpy")
def _power_face(a, b, dphi, kappa, m):
    """d·F and d·F Δξ of one face between densities a and b: power law."""
    if a == 0.0 and b == 0.0:
        return 0.0, 0.0
    if m < 1.0 and (a == 0.0 or b == 0.0):
        return math.inf, -math.inf
    qa, qb = power(a, m), power(b, m)
    value = slow_flux(a, b, qa, qb, dphi, kappa, m)[0] if m >= 2.0 else fast_flux(a, b, qa, qb, dphi, kappa, m)[0]
    return value, value * (kappa * m / (m - 1.0) * (qb - qa) + dphi)


# Two kernels rather than one with a branch: each compiles only what its energies need.


@njit(cache=True, nogil=True, error_model="numpy")
def _linear_totals(rho, phi, h, d, periodic, kind, kappa, work, peak):
    """Per line: work = −Σ F Δξ and peak = max |F|.  rho, phi : (lines, n)."""
    lines, n = rho.shape
    state, potential = np.empty((n, 1)), np.empty((n, 1))
    for k in range(lines):
        for i in range(n):
            state[i, 0] = rho[k, i]
            potential[i, 0] = phi[k, i]
        work[k] = 0.0
        peak[k] = 0.0
        for i in range(n if periodic else n - 1):
            flux, lost = _linear_face(state, potential, i, i + 1 if i < n - 1 else 0, h, d, periodic, kind, kappa)
            work[k] -= lost
            peak[k] = max(peak[k], abs(flux))


@njit(cache=True, nogil=True, error_model="numpy")
def _power_totals(rho, phi, d, periodic, kappa, m, work, peak):
    """As `_linear_totals`, for power laws."""
    lines, n = rho.shape
    for k in range(lines):
        work[k] = 0.0
        peak[k] = 0.0
        for i in range(n if periodic else n - 1):
            j = i + 1 if i < n - 1 else 0
            flux, lost = _power_face(rho[k, i], rho[k, j], phi[k, j] - phi[k, i], kappa, m)
            work[k] -= lost / d[i]
            peak[k] = max(peak[k], abs(flux) / d[i])
