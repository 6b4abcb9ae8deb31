"""Where the energy of a march went: a ledger that travels with its snapshots, and what the march is held against.

    EVI         d/dt ½W₂² + (K/2) W₂² ≤ −κH
    de Bruijn   dH/dt = −κI                      balance     E(t) + ∫₀ᵗ D = E(0),   D = ∫ρ|∇ξ|² = κ²I

with H, I, W₂, K as in `slacks`.  Where the flow has a diffusion of its own it stands in the integrals of D and of I;
EVI is one of its metric, and left out.  EVI is taken from one snapshot to the next, at time t,

    ½W₂²(t) − ½W₂²(before)/G ≤ −κH(t) (1 − 1/G)/K,     G = ∏(1 + K dt)  over the steps between

as implicit Euler and JKO steps have it; for the flow itself G = e^{Ks} is larger, and the inequality sharper.  For
K < 0 finite volumes are taken with e^{K dt}, since 1 + K dt may vanish.

D is summed over the steps by the trapezoidal rule; where D more than halves in one, as from a start against vacuum, by
its value after the step, and where vacuum stays the balance is unknown, NaN.  What is left of it is the error in
time: negative where the steps lose more energy than the flow does.

All are on request: D of every step costs about as much as a step of finite volumes in the plane.

Reference: Ambrosio, Gigli, Savaré (2008), DOI 10.1007/978-3-7643-8722-8, section 4.0.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import replace

import numpy as np

from ...energy import fluxes
from ...energy.flow import Flow
from ...energy.snapshot import Snapshot
from ...grid import Array
from ..registry import NEVER, Condition, State, diagnostic
from .constants import curvature_bound
from .slacks import distance_to_gibbs, has_distance, reading, w2_gibbs

DESCENT = Condition("any gradient flow", lambda s: s.traits.wasserstein)
DESCENT_GIBBS = Condition("entropy without interaction", lambda s: s.traits.wasserstein and s.flow.fills_box)
DESCENT_DISTANCE = Condition(
    "entropy without interaction or `[dynamics]`: 1D; 2D, equal cells",
    lambda s: s.traits.wasserstein and has_distance(s),
)

LEDGER = "ledger"
"""Field of a snapshot that travels with it, also into a checkpoint: (7,) numbers at the places below."""
DISSIPATED, DISSIPATION, FIRST_ENERGY, LAST_ENERGY, LAST_DISSIPATED, GROWTH, LAST_GROWTH = range(7)
STEEP = 2.0
"""Fall of the dissipation in one step from which on the trapezoidal rule says more of its start than of the step."""


@diagnostic(
    "slack of the evolution variational inequality",
    applies=NEVER,
    on_request=DESCENT_DISTANCE,
    brings=("fisher_gibbs", "w2_gibbs"),
)
def slack_evi(s: State) -> float:
    """What is left of it, against the Gibbs state, since the snapshot before; >= 0 up to the error of the steps, 0 at
    the start."""
    if s.previous is None:
        return 0.0
    before = 0.5 * distance_to_gibbs(s, s.previous, s.flow.mass(s.previous)) ** 2
    now, k, ledger = 0.5 * w2_gibbs(s) ** 2, curvature_bound(s.flow), s.snapshot.fields.get(LEDGER)
    growth = k * (s.snapshot.t - s.previous_t) if ledger is None else ledger[GROWTH] - ledger[LAST_GROWTH]
    if not math.isfinite(growth):  # some 1 + K dt is negative
        return math.nan
    excess = s.flow.internal.kappa * reading(s).entropy
    if growth < 0:  # the same, times G
        return -excess * math.expm1(growth) / k - (math.exp(growth) * now - before)
    time = -math.expm1(-growth) / k if k else s.snapshot.t - s.previous_t
    return math.exp(-growth) * before - now - excess * time


@diagnostic("balance of energy and dissipation", applies=NEVER, on_request=DESCENT)
def energy_balance(s: State) -> float:
    """E(t) + int_0^t D - E(0), D summed over the steps: the energy that the steps lose or keep against the flow."""
    ledger = s.snapshot.fields.get(LEDGER)
    return math.nan if ledger is None else float(sum(s.parts) + ledger[DISSIPATED] - ledger[FIRST_ENERGY])


@diagnostic("residual of de Bruijn's identity", applies=NEVER, on_request=DESCENT_GIBBS)
def de_bruijn(s: State) -> float:
    """dH/dt + kappa I, a mean over the steps since the snapshot before, with the diffusion in I; 0 at the start."""
    ledger = s.snapshot.fields.get(LEDGER)
    if ledger is None or s.previous is None:
        return math.nan if ledger is None else 0.0
    change = sum(s.parts) - ledger[LAST_ENERGY] + ledger[DISSIPATED] - ledger[LAST_DISSIPATED]
    return float(change / (s.flow.internal.kappa * (s.snapshot.t - s.previous_t)))


# ---- the ledger ----------------------------------------------------------------------------------------------


def keeps_ledger(names: Collection[str]) -> bool:
    """Whether one of these numbers needs the dissipation of every step."""
    return not {"energy_balance", "de_bruijn", "slack_evi"}.isdisjoint(names)


def open_ledger(flow: Flow, snapshot: Snapshot) -> Snapshot:
    """A snapshot with its ledger begun, unless it has one; after the start nobody knows what was dissipated before."""
    if LEDGER in snapshot.fields:
        return snapshot
    energy = flow.value(snapshot.rho)
    first = energy if snapshot.step == 0 else np.nan
    return _entered(snapshot, np.array([0.0, fluxes.dissipation(flow, snapshot.rho), first, energy, 0.0, 0.0, 0.0]))


def enter_step(flow: Flow, snapshot: Snapshot, previous: Snapshot) -> Snapshot:
    """A snapshot with the ledger of the one before its step, and what the step dissipated."""
    ledger = previous.fields[LEDGER].copy()
    before, now = ledger[DISSIPATION], fluxes.dissipation(flow, snapshot.rho)
    spent = snapshot.dt * (0.5 * (before + now) if before <= STEEP * now else now)
    ledger[DISSIPATED] += spent if np.isfinite(spent) else np.nan  # vacuum stays: nobody knows what was dissipated
    ledger[DISSIPATION] = now
    if flow.fills_box and flow.dynamics is None:
        ledger[GROWTH] += _growth(curvature_bound(flow) * snapshot.dt, math.isfinite(snapshot.report.transport))
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
