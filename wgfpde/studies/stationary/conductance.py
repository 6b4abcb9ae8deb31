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

from ...energy.flow import Flow
from ...energy.laws.power_flux import mobilities_at_rest
from ...energy.laws.steady_density import Equilibrium
from ...energy.rates import faces_of, sg_network
from ...grid import Array


def conductances(flow: Flow, state: Equilibrium) -> tuple[Array, Array, Array, Array, Array]:
    """Per face: its two cells (flat indices), and what it adds to −A' between them and to A' at each of them.

    The entropy has the rates of the potential −κ ln ρ, in which the state is at rest.
    """
    grid, faces = flow.grid, faces_of(flow)
    i, j, volume = faces.lower, faces.upper, np.ravel(grid.cell_volume)
    if state.log_rho is not None:
        kappa = flow.internal.kappa
        a, b = sg_network(flow, -kappa * state.log_rho)  # κc/ρ_i and κc/ρ_j
        to_first, to_second = a / volume[i], b / volume[j]
        return i, j, np.sqrt(to_first * to_second), to_first, to_second
    rho, squared = state.rho.ravel(), volume * state.response.ravel()
    mobility = np.empty(len(i))
    mobilities_at_rest(rho[i], rho[j], flow.internal.m, mobility)
    c = faces.conductance * mobility
    with np.errstate(divide="ignore", invalid="ignore"):  # vacuum, which the caller leaves out
        return i, j, c / np.sqrt(squared[i] * squared[j]), c / squared[i], c / squared[j]
