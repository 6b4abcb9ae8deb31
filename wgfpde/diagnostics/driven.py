"""The numbers of a driven run: work and heat since the start, the free energy of the moment, entropy production.

    E(t) − E(0) = W − Q,      F(t) = E(π_t) ≤ E(t),  π_t the Gibbs state of the frozen V and κ,      σ = D/κ ≥ 0

From the Gibbs state on W ≥ F(t) − F(0), and for constant κ ⟨e^{−W/κ}⟩ = e^{−(F(t) − F(0))/κ M}, of mass M.
Reference: Jarzynski (1997), DOI 10.1103/PhysRevLett.78.2690; Seifert (2012), DOI 10.1088/0034-4885/75/12/126001.
"""

from __future__ import annotations

import numpy as np

from ..energy import fluxes
from ..energy.driving.work import account_of
from .registry import NEVER, WITH_ACCOUNT, Condition, State, diagnostic

DRIVEN_GIBBS = Condition(
    "an energy that depends on time, entropy without interaction", lambda s: bool(s.flow.driven) and s.flow.has_gibbs
)
WEIGHED = Condition(
    "finite volumes with a potential that depends on t, the entropy with a constant kappa, no interaction and no force",
    lambda s: "work_weight" in s.fields,
)
HOT = Condition(
    "an energy that depends on time, or a force; entropy",
    lambda s: s.keeps_account and s.flow.internal.law.linear_diffusion,
)


@diagnostic("work since the start", applies=WITH_ACCOUNT)
def work(s: State) -> float:
    """Work done on the density since the start, by changing V, W and kappa or by a force; energy - energy(0) =
    work - heat."""
    return account_of(s.snapshot)[0]


@diagnostic("heat since the start", applies=WITH_ACCOUNT)
def heat(s: State) -> float:
    """Energy that the density gave off since the start; never falls."""
    return account_of(s.snapshot)[1]


@diagnostic("free energy of the frozen Gibbs state", applies=DRIVEN_GIBBS)
def free_energy(s: State) -> float:
    """Smallest energy of this mass with V and kappa frozen, kappa M (ln M - ln Z - 1) with Z = int exp(-V/kappa);
    work is never less than its change, from the Gibbs state on."""
    kappa, v = s.flow.internal.kappa, s.flow.potential
    if v is None:
        log_z = float(np.log(s.flow.grid.volume))
    else:
        low = float(v.min())
        log_z = float(np.log(s.flow.integral(np.exp((low - v) / kappa)))) - low / kappa
    return kappa * s.mass * (float(np.log(s.mass)) - log_z - 1.0)


@diagnostic("rate of entropy production", applies=HOT)
def entropy_production(s: State) -> float:
    """Heat per time over kappa: sum over faces of F ln(a rho_i / b rho_j) >= 0; inf against vacuum."""
    return fluxes.dissipation(s.flow, s.rho) / s.flow.internal.kappa


@diagnostic("mean of exp(-work/kappa)", applies=NEVER, on_request=WEIGHED)
def jarzynski(s: State) -> float:
    """Mean of exp(-W/kappa) over the trajectories, W the work along one: Z(t)/Z(0) from the Gibbs state on, for every
    dt."""
    log = s.snapshot.fields.get("log_weight")
    return np.nan if log is None else float(np.exp(log[0]))
