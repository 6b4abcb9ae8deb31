"""Fluxes and dissipation of the scheme at a given state: what diagnostics ask for.

    D(ρ) = Σ_faces area · M (Δξ)²/d = −Σ area · F Δξ,    dE/dt = −D along the semi-discrete flow

Infinite where the entropy (or m < 1) meets vacuum.  Zero exactly at the discrete Gibbs state up to rounding.

Near a steady state F is a difference of large terms, and F Δξ has either sign.  The work of a face is therefore formed
without F: M (Δξ)² with the mobility M ≥ 0 itself, and for the entropy, with z = Δξ/κ and the donor (higher ξ) leaving
at the rate r of `sg_rates`,

    −F Δξ = κ r ρ_donor |z| (1 − e^{−|z|}) ≥ 0,      as  F = ±r ρ_donor (1 − e^{−|z|}).
"""

from __future__ import annotations

import math

import numpy as np

from ..base.kernel_cache import njit
from ..grid import Array
from ..linear.lines import Lines, lines_of
from ..linear.threads import default_threads, share
from .flow import Flow, once_per_flow
from .laws.power_flux import fast_flux, mobility, power, slow_flux
from .rates import bernoulli, line_weight


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
    axes, threads = _axes(flow), default_threads()
    total, largest = 0.0, 0.0
    for lines in axes:
        area = np.ones(1) if grid.dim == 1 else _other(axes, lines).widths
        work, peak = np.empty(lines.count), np.empty(lines.count)
        transpose = lines.direction == 0
        rho_lines = np.ascontiguousarray(state.T) if transpose else state
        phi_lines = np.ascontiguousarray(phi.T) if transpose else phi
        d, periodic, kappa = lines.distances, lines.periodic, internal.kappa
        shared = lines.count, grid.size, threads, rho_lines, phi_lines
        if internal.kind == "power":
            share(_power_totals, *shared, d, periodic, kappa, internal.m, work, peak)
        elif internal.kind == "none":
            share(_drift_totals, *shared, lines.widths, d, periodic, work, peak)
        else:
            with np.errstate(divide="ignore"):
                share(_entropy_totals, *shared, np.log(rho_lines), d, periodic, kappa, work, peak)
        total += float((work * area).sum())
        largest = max(largest, float(peak.max()))
    return total, largest


_axes = once_per_flow(lambda flow: lines_of(flow.grid))
"""Of a flow, as the steps between two snapshots ask for its dissipation again and again."""


def _other(axes: list[Lines], lines: Lines) -> Lines:
    return axes[1] if lines is axes[0] else axes[0]


@njit(cache=True, nogil=True, error_model="numpy")
def _power_face(a, b, dphi, kappa, m):
    """d·F and the work −d·F Δξ = M (Δξ)² of one face between densities a and b: power law."""
    if a == 0.0 and b == 0.0:
        return 0.0, 0.0
    if m < 1.0 and (a == 0.0 or b == 0.0):
        return math.inf, math.inf
    qa, qb = power(a, m), power(b, m)
    value = slow_flux(a, b, qa, qb, dphi, kappa, m)[0] if m >= 2.0 else fast_flux(a, b, qa, qb, dphi, kappa, m)[0]
    dxi = kappa * m / (m - 1.0) * (qb - qa) + dphi
    return value, mobility(a, b, qa, qb, dphi, dxi, kappa, m) * dxi * dxi


# A kernel for each internal energy: each compiles only what it needs, and holds a face in registers.


@njit(cache=True, nogil=True, error_model="numpy")
def _entropy_totals(first, last, rho, phi, log, d, periodic, kappa, work, peak):
    """Per line of first … last: work = −Σ F Δξ ≥ 0 and peak = max |F|.  rho, phi, log = ln ρ : (lines, n)."""
    n = rho.shape[1]
    for k in range(first, last):
        work[k] = 0.0
        peak[k] = 0.0
        for i in range(n if periodic else n - 1):
            j = i + 1 if i < n - 1 else 0
            a, b, dphi = rho[k, i], rho[k, j], phi[k, j] - phi[k, i]
            s = dphi / kappa
            low = bernoulli(abs(s))
            high = low + abs(s)
            ra, rb = (low if s > 0.0 else high) * a, (high if s > 0.0 else low) * b
            flux = kappa / d[i] * (ra - rb)
            if a > 0.0 and b > 0.0:
                z = log[k, j] - log[k, i] + s
                work[k] -= kappa * kappa / d[i] * (rb if z > 0.0 else ra) * abs(z) * math.expm1(-abs(z))
            elif a > 0.0 or b > 0.0:
                work[k] = math.inf
            peak[k] = max(peak[k], abs(flux))


@njit(cache=True, nogil=True, error_model="numpy")
def _drift_totals(first, last, rho, phi, h, d, periodic, work, peak):
    """As `_entropy_totals`, without internal energy.   h : (n,) widths."""
    n = rho.shape[1]
    state = np.empty((n, 1))
    for k in range(first, last):
        for i in range(n):
            state[i, 0] = rho[k, i]
        work[k] = 0.0
        peak[k] = 0.0
        for i in range(n if periodic else n - 1):
            j = i + 1 if i < n - 1 else 0
            dphi = phi[k, j] - phi[k, i]
            velocity = -dphi / d[i]
            weight = line_weight(state, 0, i, velocity, h, d, periodic)
            flux = weight * (state[i, 0] if velocity >= 0.0 else state[j, 0]) * velocity
            work[k] -= flux * dphi
            peak[k] = max(peak[k], abs(flux))


@njit(cache=True, nogil=True, error_model="numpy")
def _power_totals(first, last, rho, phi, d, periodic, kappa, m, work, peak):
    """As `_entropy_totals`, for power laws."""
    n = rho.shape[1]
    for k in range(first, last):
        work[k] = 0.0
        peak[k] = 0.0
        for i in range(n if periodic else n - 1):
            j = i + 1 if i < n - 1 else 0
            flux, lost = _power_face(rho[k, i], rho[k, j], phi[k, j] - phi[k, i], kappa, m)
            work[k] += lost / d[i]
            peak[k] = max(peak[k], abs(flux) / d[i])
