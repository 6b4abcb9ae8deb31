"""The conductances of the scheme at a stationary state, scaled: the entries of A' = S⁻¹LS⁻¹ (module `pencil`).

A face σ between cells i and j has the conductance c = area M/d and adds c/S_i², c/S_j² to the diagonal of A' and
−c/(S_iS_j) beside it, S² = hg, with the mobility M of the scheme at Δξ = 0.

    entropy      c/S_i² = (κ area/(d h_i)) B(s),  B(s) = s/(e^s − 1),  s = ln(ρ_i/ρ_j): only ratios are needed
    power m ≥ 2  M = min(M_e, 2ρ_donor)
    power m < 2  M = (1−ω)M_e + ω ρ_donor

For powers the donor is the cell of higher ξ, which a perturbation decides: M is the mean of both.  Next to vacuum,
where they differ much, rates depend on this choice, their signs do not.
"""

from __future__ import annotations

import numpy as np

from ...base.kernel_cache import njit
from ...energy.flow import Flow
from ...energy.laws.power_flux import blend, power, stolarsky
from ...energy.rates import bernoulli
from ...energy.steady_density import Equilibrium
from ...grid import Array


def faces(flow: Flow, state: Equilibrium) -> tuple[Array, Array, Array, Array, Array]:
    """Per face: its two cells (flat indices), and what it adds to −A' between them and to A' at each of them."""
    grid = flow.grid
    index = np.arange(grid.size).reshape(grid.shape)
    volume = np.ravel(grid.cell_volume)
    found = []
    for k, axis in enumerate(grid.axes):
        along = grid.dim - 1 - k
        first, second = index, np.roll(index, -1, along)
        distance = np.broadcast_to(_placed(axis.distances, along, grid.dim), grid.shape)
        area = np.ones(grid.shape)
        if grid.dim == 2:
            area = area * _placed(grid.axes[1 - k].widths, 1 - along, 2)
        if not axis.periodic:
            inner = np.arange(axis.size - 1)
            first, second, distance, area = (np.take(a, inner, along) for a in (first, second, distance, area))
        i, j = first.ravel(), second.ravel()
        rate = flow.internal.kappa * (area / distance).ravel()
        found.append((i, j, *_weights(flow, state, i, j, rate, volume)))
    return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))  # type: ignore[return-value]


def _placed(line: Array, along: int, dim: int) -> Array:
    """Numbers of one axis, to be broadcast over the grid."""
    shape = [1] * dim
    shape[along] = len(line)
    return line.reshape(shape)


def _weights(
    flow: Flow, state: Equilibrium, i: Array, j: Array, rate: Array, volume: Array
) -> tuple[Array, Array, Array]:
    """c/(S_i S_j), c/S_i², c/S_j² of faces with c = area M/d.   rate : κ area/d."""
    if state.log_rho is not None:
        log = state.log_rho.ravel()
        low, high = np.empty(len(i)), np.empty(len(i))
        _bernoulli_pairs(log[i] - log[j], low, high)  # M/ρ_i and M/ρ_j
        to_first, to_second = rate * low / volume[i], rate * high / volume[j]
        return np.sqrt(to_first * to_second), to_first, to_second
    rho, squared = state.rho.ravel(), volume * state.response.ravel()
    mobility = np.empty(len(i))
    _power_mobility(rho[i], rho[j], flow.internal.m, mobility)
    conductance = rate / flow.internal.kappa * mobility
    with np.errstate(divide="ignore", invalid="ignore"):  # vacuum, which the caller leaves out
        return conductance / np.sqrt(squared[i] * squared[j]), conductance / squared[i], conductance / squared[j]


@njit(cache=True, nogil=True, error_model="numpy")
def _bernoulli_pairs(s, low, high):
    """B(s) and B(−s) of each s."""
    for k in range(s.shape[0]):
        small = bernoulli(abs(s[k]))
        low[k] = small if s[k] > 0.0 else small + abs(s[k])
        high[k] = small + abs(s[k]) if s[k] > 0.0 else small


@njit(cache=True, nogil=True, error_model="numpy")
def _power_mobility(a, b, m, out):
    """M at Δξ = 0 of the faces of a power law, the mean of its limits from both sides; 0 at vacuum."""
    for k in range(a.shape[0]):
        out[k] = 0.0
        if a[k] > 0.0 and b[k] > 0.0:
            qa, qb = power(a[k], m), power(b[k], m)
            mean = stolarsky(a[k], b[k], qa, qb, m)
            if m >= 2.0:
                out[k] = 0.5 * (min(mean, 2.0 * a[k]) + min(mean, 2.0 * b[k]))
            else:
                q = 0.5 * abs(qb - qa) / (abs(m - 1.0) * min(qa, qb))  # ΔΦ = −ΔU'
                omega = blend(q, m)[0]
                out[k] = (1.0 - omega) * mean + omega * 0.5 * (a[k] + b[k])
