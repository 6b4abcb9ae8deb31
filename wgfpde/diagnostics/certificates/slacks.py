"""What a run proves about itself: functional inequalities along the flow, and where its energy went.

With π the Gibbs state, H = ∫ρ ln(ρ/π), I = ∫ρ|∇ln(ρ/π)|² and W₂ = W₂(ρ, π), all of the run's mass:

    log-Sobolev   H ≤ (κ/2λ) I                  Talagrand   W₂² ≤ (2κ/λ) H
    HWI           κH ≤ κ√I W₂ − (K/2) W₂²       EVI         d/dt ½W₂² + (K/2) W₂² ≤ −κH
    de Bruijn     dH/dt = −κI                   balance     E(t) + ∫₀ᵗ D = E(0),   D = ∫ρ|∇ξ|² = κ²I

λ and K are those of `convexity`.  A slack is the right side less the left.  The first three are theorems for every
density, and H, I, W₂ are those of an actual density (`continuum`): a slack below zero by more than rounding, about
1e-9 of its terms, says that λ or K is too large for the potential, or that something is broken.  In 2D W₂ is that
of the cells, found to 1e-3.

They are NaN where the cells do not tell the density between their centres (`Reading.resolved`), or W₂ was not found.

The others are about the march.  EVI is taken from one snapshot to the next, at time t,

    ½W₂²(t) − ½W₂²(before)/G ≤ −κH(t) (1 − 1/G)/K,     G = ∏(1 + K dt)  over the steps between

as implicit Euler and JKO steps have it; for the flow itself G = e^{Ks} is larger, and the inequality sharper.  For
K < 0 finite volumes are taken with e^{K dt}, since 1 + K dt may vanish.

D is summed over the steps by the trapezoidal rule; where D more than halves in one, as from a start against vacuum, by
its value after the step, and where vacuum stays the balance is unknown, NaN.  What is left of it is the error in
time: negative where the steps lose more energy than the flow does.

References: Otto, Villani (2000), DOI 10.1006/jfan.1999.3557; Ambrosio, Gigli, Savaré (2008), DOI
10.1007/978-3-7643-8722-8, section 4.0.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from ...energy import fluxes
from ...energy.flow import Flow
from ...energy.snapshot import Snapshot
from ...errors import CaseError, SolverError
from ...grid import Array
from ...transport import distances as transport
from ..registry import W2_OPTIONS, WITH_GIBBS, Condition, Setting, State, diagnostic
from .constants import convexity
from .continuum import continuum_of


def _has_sobolev(s: Setting) -> bool:
    return s.flow.has_gibbs and convexity(s.flow).sobolev > 0


def _on_line(s: Setting) -> bool:
    return s.flow.has_gibbs and s.flow.grid.dim == 1


def _in_plane(s: Setting) -> bool:
    return s.flow.has_gibbs and s.flow.grid.dim == 2 and s.flow.grid.uniform


WITH_SOBOLEV = Condition("entropy without interaction, λ > 0", _has_sobolev)
SOBOLEV_LINE = Condition("the same in 1D", lambda s: _on_line(s) and _has_sobolev(s))
SOBOLEV_PLANE = Condition("2D, equal cells", lambda s: _in_plane(s) and _has_sobolev(s))
GIBBS_LINE = Condition("entropy without interaction in 1D", _on_line)
GIBBS_PLANE = Condition("2D, equal cells", _in_plane)
DESCENT_LINE = Condition("entropy without interaction in 1D", lambda s: s.traits.wasserstein and _on_line(s))
DESCENT_PLANE = Condition("2D, equal cells", lambda s: s.traits.wasserstein and _in_plane(s))
BALANCED = Condition("1D; JKO steps", lambda s: s.traits.wasserstein and s.balanced)
DESCENT = Condition("any gradient flow", lambda s: s.traits.wasserstein)
BALANCED_GIBBS = Condition(
    "entropy without interaction: 1D; JKO steps", lambda s: s.traits.wasserstein and s.balanced and s.flow.has_gibbs
)
DESCENT_GIBBS = Condition("2D", lambda s: s.traits.wasserstein and s.flow.has_gibbs)


@diagnostic("relative entropy to the Gibbs state", applies=WITH_GIBBS)
def entropy_gibbs(s: State) -> float:
    """H = int rho ln(rho/pi) of the density through the cell values; kl_gibbs up to O(h^2)."""
    return s.reading.entropy if s.reading.resolved else math.nan


@diagnostic("Fisher information relative to the Gibbs state", applies=WITH_GIBBS)
def fisher_gibbs(s: State) -> float:
    """int rho |grad ln(rho/pi)|^2 of the density through the cell values; dissipation/kappa^2 up to O(h^2); inf in
    vacuum."""
    return s.reading.fisher if s.reading.resolved else math.nan


@diagnostic("Wasserstein distance to the Gibbs state", applies=GIBBS_LINE, on_request=GIBBS_PLANE)
def w2_gibbs(s: State) -> float:
    """Wasserstein distance W2 to the Gibbs state of the same mass; NaN where it was not found."""
    return _w2_gibbs(s, s.rho, s.mass)


@diagnostic("slack of the logarithmic Sobolev inequality", applies=WITH_SOBOLEV)
def slack_lsi(s: State) -> float:
    """kappa I/(2 lambda) - H >= 0; 0 for a shifted Gaussian in a parabola."""
    return s.flow.internal.kappa * fisher_gibbs(s) / (2 * s.convexity.sobolev) - s.reading.entropy


@diagnostic("slack of Talagrand's inequality", applies=SOBOLEV_LINE, on_request=SOBOLEV_PLANE)
def slack_talagrand(s: State) -> float:
    """2 kappa H/lambda - W2^2 >= 0; 0 for a shifted Gaussian in a parabola."""
    return 2 * s.flow.internal.kappa * s.reading.entropy / s.convexity.sobolev - w2_gibbs(s) ** 2


@diagnostic("slack of the HWI inequality", applies=GIBBS_LINE, on_request=GIBBS_PLANE)
def slack_hwi(s: State) -> float:
    """W2 kappa sqrt(I) - K W2^2/2 - kappa H >= 0, Hess V >= K; 0 for a shifted Gaussian in a parabola."""
    kappa, w2 = s.flow.internal.kappa, w2_gibbs(s)
    return w2 * kappa * math.sqrt(fisher_gibbs(s)) - 0.5 * s.convexity.bound * w2**2 - kappa * s.reading.entropy


@diagnostic("slack of the evolution variational inequality", applies=DESCENT_LINE, on_request=DESCENT_PLANE)
def slack_evi(s: State) -> float:
    """What is left of it, against the Gibbs state, since the snapshot before; >= 0 up to the error of the steps, 0 at
    the start."""
    if s.previous is None:
        return 0.0
    before = 0.5 * _w2_gibbs(s, s.previous, s.flow.mass(s.previous)) ** 2
    now, k, ledger = 0.5 * w2_gibbs(s) ** 2, s.convexity.bound, s.snapshot.fields.get(LEDGER)
    growth = k * (s.snapshot.t - s.previous_t) if ledger is None else ledger[GROWTH] - ledger[LAST_GROWTH]
    if not math.isfinite(growth):  # some 1 + K dt is negative
        return math.nan
    excess = s.flow.internal.kappa * s.reading.entropy
    if growth < 0:  # the same, times G
        return -excess * math.expm1(growth) / k - (math.exp(growth) * now - before)
    time = -math.expm1(-growth) / k if k else s.snapshot.t - s.previous_t
    return math.exp(-growth) * before - now - excess * time


@diagnostic("balance of energy and dissipation", applies=BALANCED, on_request=DESCENT)
def energy_balance(s: State) -> float:
    """E(t) + int_0^t D - E(0), D summed over the steps: the energy that the steps lose or keep against the flow."""
    ledger = s.snapshot.fields.get(LEDGER)
    return math.nan if ledger is None else float(sum(s.parts) + ledger[DISSIPATED] - ledger[FIRST_ENERGY])


@diagnostic("residual of de Bruijn's identity", applies=BALANCED_GIBBS, on_request=DESCENT_GIBBS)
def de_bruijn(s: State) -> float:
    """dH/dt + kappa I, a mean over the steps since the snapshot before; 0 at the start."""
    ledger = s.snapshot.fields.get(LEDGER)
    if ledger is None or s.previous is None:
        return math.nan if ledger is None else 0.0
    change = sum(s.parts) - ledger[LAST_ENERGY] + ledger[DISSIPATED] - ledger[LAST_DISSIPATED]
    return float(change / (s.flow.internal.kappa * (s.snapshot.t - s.previous_t)))


def _w2_gibbs(s: State, rho: Array, mass: float) -> float:
    if not s.reading.resolved:
        return math.nan
    if s.flow.grid.dim == 1:
        return continuum_of(s.flow).w2(rho, mass)
    try:
        return transport.w2(s.flow.grid, rho, s.flow.gibbs(mass), **W2_OPTIONS)
    except (CaseError, SolverError):  # no mass, or no convergence: the run goes on
        return math.nan


# ---- the dissipation of the steps --------------------------------------------------------------------------

LEDGER = "ledger"
"""Field of a snapshot that travels with it, also into a checkpoint: (7,) numbers at the places below."""
DISSIPATED, DISSIPATION, FIRST_ENERGY, LAST_ENERGY, LAST_DISSIPATED, GROWTH, LAST_GROWTH = range(7)
STEEP = 2.0
"""Fall of the dissipation in one step from which on the trapezoidal rule says more of its start than of the step."""


def keeps_ledger(names: list[str]) -> bool:
    """Whether one of these numbers needs the dissipation of every step."""
    return not {"energy_balance", "de_bruijn", "slack_evi"}.isdisjoint(names)


def open_ledger(flow: Flow, snapshot: Snapshot) -> Snapshot:
    """A snapshot with its ledger begun; after the start nobody knows what was dissipated before."""
    energy = flow.value(snapshot.rho)
    first = energy if snapshot.step == 0 else np.nan
    return _entered(snapshot, np.array([0.0, fluxes.dissipation(flow, snapshot.rho), first, energy, 0.0, 0.0, 0.0]))


def enter_step(flow: Flow, snapshot: Snapshot, ledger: Array) -> Snapshot:
    """A snapshot with the ledger of the one before, and what its step dissipated."""
    ledger = ledger.copy()
    before, now = ledger[DISSIPATION], fluxes.dissipation(flow, snapshot.rho)
    spent = snapshot.dt * (0.5 * (before + now) if before <= STEEP * now else now)
    ledger[DISSIPATED] += spent if np.isfinite(spent) else np.nan  # vacuum stays: nobody knows what was dissipated
    ledger[DISSIPATION] = now
    if flow.has_gibbs:
        ledger[GROWTH] += _growth(convexity(flow).bound * snapshot.dt, math.isfinite(snapshot.report.transport))
    return _entered(snapshot, ledger)


def _growth(product: float, minimises: bool) -> float:
    """ln G of a step, from K dt: implicit steps contract by 1/(1 + K dt), and JKO steps expand by that for K < 0."""
    if product < 0 and not minimises:
        return product
    return math.log1p(product) if product > -1 else math.nan


def enter_snapshot(snapshot: Snapshot, energy: float) -> Snapshot:
    """A snapshot that was recorded: the next one counts from here."""
    ledger = snapshot.fields[LEDGER].copy()
    ledger[LAST_ENERGY], ledger[LAST_DISSIPATED], ledger[LAST_GROWTH] = energy, ledger[DISSIPATED], ledger[GROWTH]
    return _entered(snapshot, ledger)


def _entered(snapshot: Snapshot, ledger: Array) -> Snapshot:
    return replace(snapshot, fields=snapshot.fields | {LEDGER: ledger})
