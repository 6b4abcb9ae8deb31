"""The stationary state between open walls: what comes in by walls of given density, or as an inflow, leaves by exits.

    Σ_faces (a ρ_i − b ρ_j) + Σ_exits k_i ρ_i = Σ_walls g_i        that is Aᵀρ = g, with g ≥ 0

one linear system, solved by elimination without a subtraction, so that ρ ≥ 0 is right relatively in every cell; linear
flows only.  It is the only one, and all densities tend to it, at the rate λ of what is left in the box with the same
walls and nothing coming in (`studies.exits`): its leading growth rate is −λ.  With densities c e^{−V/κ} at all walls it
is c e^{−V/κ}, and nothing flows.
"""

from __future__ import annotations

import numpy as np

from ...diagnostics.resolution import resolution_note
from ...energy.currents import exit_rates
from ...energy.flow import Flow
from ...errors import CaseError, SolverError
from ..exits.killed_chain import KilledChain
from ..exits.late_decay import quasi_stationary
from .growth_rates import Stability
from .mean_field import Steady

REFUSAL = (
    'with exits a stationary state is found for internal energy "entropy" without interaction; found {found}. March to '
    "one instead: wgfpde run CASE --set solver.stationary=1e-8"
)
ALL_LEAVES = (
    "no wall lets mass in: all of it leaves, and the only stationary state is 0. How it leaves: wgfpde exits CASE; for "
    'a state that carries a current write a wall with a density, as boundary = [{ lower = { density = "1.0" } }]'
)


def open_state(flow: Flow) -> Steady:
    """The stationary state of a flow with exits, with the net flux out by each.

    Raises CaseError where the flow is not linear or nothing comes in; SolverError where mass comes into a part that it
    cannot leave.
    """
    if not flow.is_linear:
        found = f'"{flow.internal.kind}"' + (" with an interaction" if flow.interaction is not None else "")
        raise CaseError(REFUSAL.format(found=found))
    if not flow.lets_in:
        raise CaseError(ALL_LEAVES)
    gain = np.sum(list(flow.gains.values()), axis=0).ravel()
    if not np.any(gain > 0):
        raise CaseError(ALL_LEAVES)
    if not any(np.any(loss > 0) for loss in flow.losses.values()):
        raise SolverError("mass comes in and cannot leave: it grows for ever, and there is no stationary state.")
    chain = KilledChain(flow)
    if np.any(gain[chain.endless] > 0):
        raise SolverError("mass comes into a part of the box that it cannot leave: there is no stationary state.")
    factors = chain.eliminated(lambda words: None)
    rho = factors.solve_forward(gain).reshape(flow.grid.shape)
    slowest = quasi_stationary(chain, factors, chain.kept.astype(float), lambda words: None)
    flux = exit_rates(flow, rho)
    notes = ("part of the box is cut off from all walls: what is there stays, and is left out",)
    return Steady(
        rho=rho,
        energy=flow.value(rho),
        constant=np.nan,
        residual=abs(sum(flux.values())) / float(np.sum(gain)),
        iterations=0,
        stability=Stability(np.array([-slowest.rate]), slowest.density.reshape(1, *flow.grid.shape), (), 0.0),
        notes=notes if np.any(chain.endless) else (),
        unresolved=resolution_note(flow, rho, "the state"),
        flux=flux,
    )
