"""A step of a driven flow: half of the work, the heat, half of the work.

    work    V^n → V^{n+½} at the density ρ^n           W₁ = E^{n+½}(ρ^n) − E^n(ρ^n)
    heat    ρ^n → ρ^{n+1} in V^{n+½}, frozen           Q = E^{n+½}(ρ^n) − E^{n+½}(ρ^{n+1}) ≥ 0
    work    V^{n+½} → V^{n+1} at the density ρ^{n+1}   W₂

and so for W and κ.  The first law E^{n+1} − E^n = W − Q holds by the definition of both, and the frozen step lowers its
energy for every dt, so that E^{n+1} ≤ E^n + W: the second law.  Being symmetric, the step has order 2.
A force works along the fluxes of the frozen step; that is added to W and to Q.

For the entropy without W and with constant κ the weights e^{−W/κ} of the trajectories sum up to a field g,

    g ← e^{−δV/κ} g,     g ← K g,     g ← e^{−δV/κ} g          ⟨e^{−W/κ}⟩ = ∫g / ∫ρ

with the step K of the density.  K keeps e^{−V/κ}, so that from the Gibbs state on g is e^{−V(t)/κ}, and Jarzynski's
equality ⟨e^{−W/κ}⟩ = Z(t)/Z(0) holds for every dt, up to rounding.

Crooks' relation holds likewise where K is reversible (a step in 1D, a palindrome in 2D) and nothing is repaired.  From
cell i to j the work is w = V^{n+½}_i − V^n_i + V^{n+1}_j − V^{n+½}_j, and

    K_ij/K_ji = (|j|/|i|) e^{(V^{n+½}_i − V^{n+½}_j)/κ} = (|j| e^{−V^{n+1}_j/κ})/(|i| e^{−V^n_i/κ}) e^{w/κ} .

Along a path these factors cancel but for those of its ends, which the Gibbs states there have:
P_F(path)/P_R(path backward) = (Z(t)/Z(0)) e^{W/κ} = e^{(W−ΔF)/κ}; the paths of one W, summed, give P_F(W)/P_R(−W).

Reference: Jarzynski (1997), DOI 10.1103/PhysRevLett.78.2690; Crooks (1999), DOI 10.1103/PhysRevE.60.2721.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...energy.driving.work import entered, heat_between, work_between
from ...energy.flow import Flow
from ...energy.snapshot import Snapshot
from ...errors import CaseError, SolverError
from ...grid import Array
from .drive_trend import DriveTrend
from .one_step import Attempt, OneStep

WEIGHT, LOG_WEIGHT = "work_weight", "log_weight"
"""Fields of a snapshot: g brought to the mass of ρ, and ln⟨e^{−W/κ}⟩."""


def keeps_account(flow: Flow) -> bool:
    """Whether work is done on the density: something depends on time, or a force drives it."""
    return bool(flow.driven) or flow.push is not None


def may_weigh(flow: Flow) -> bool:
    """Whether the weights of trajectories are a field: V(t) is driven, κ is not, and e^{−V/κ} is the steady state."""
    return "potential" in flow.driven and flow.driven <= {"potential", "diffusion"} and flow.has_gibbs


class DrivenStep:
    """Steps of a flow and their account.   one : solves the frozen ones.   weigh : carry g along."""

    def __init__(self, flow: Flow, one: OneStep, weigh: bool) -> None:
        if weigh and not may_weigh(flow):
            raise CaseError(
                "the weights e^{−W/κ} need the entropy with a constant kappa, no interaction and no force, and a "
                "potential that depends on t."
            )
        self._flow, self._one, self._weigh = flow, one, weigh

    def at(self, t: float) -> Flow:
        """The flow at a time.  Raises SolverError where V, W or κ make no sense then."""
        try:
            return self._flow.at(t)
        except CaseError as error:
            raise SolverError(f"the energy at t = {t:.10g}: {error}") from error

    def solve(self, rho: Array, span: tuple[float, float], dt: float, trend: DriveTrend) -> Attempt:
        """One step from rho (ny, nx), over a span of dt, with its work and its heat.  Raises StepFailure."""
        middle = self.at(0.5 * (span[0] + span[1]))
        self._one.freeze(middle)
        attempt = self._one.solve(rho, dt, trend)
        shape, pushed = middle.grid.shape, attempt.cost.pushed
        old, new = rho.reshape(shape), attempt.rho.reshape(shape)
        work = work_between(self.at(span[0]), middle, old) + work_between(middle, self.at(span[1]), new)
        return replace(attempt, work=work + pushed, heat=heat_between(middle, old, new) + pushed)

    def fields(self, snapshot: Snapshot, attempt: Attempt, t: float, dt: float, halves: bool) -> dict[str, Array]:
        """What travels with the density, after an accepted step to time t.   halves : it was taken in two."""
        found = entered(snapshot.fields, attempt.work, attempt.heat)
        if not self._weigh:
            return found
        middle = 0.5 * (snapshot.t + t)
        spans = [(snapshot.t, middle), (middle, t)] if halves else [(snapshot.t, t)]
        weight, log = snapshot.fields.get(WEIGHT, snapshot.rho), float(snapshot.fields.get(LOG_WEIGHT, np.zeros(1))[0])
        for span in spans:
            weight, gained = self._carried(weight, span, dt / len(spans), attempt.order)
            log += gained
        return found | {WEIGHT: weight, LOG_WEIGHT: np.array([log])}

    def _carried(self, weight: Array, span: tuple[float, float], dt: float, order: int) -> tuple[Array, float]:
        """g after a step, brought back to its mass, and ln of what that took."""
        first, middle, last = self.at(span[0]), self.at(0.5 * (span[0] + span[1])), self.at(span[1])
        before = middle.mass(weight)
        weight, one = _tilted(weight, first, middle)
        self._one.freeze(middle)
        weight = self._one.carry(weight.reshape(self._one.rows), dt, order).reshape(middle.grid.shape)
        weight, two = _tilted(weight, middle, last)
        ratio = before / last.mass(weight)
        return weight * ratio, one + two - float(np.log(ratio))


def _tilted(weight: Array, before: Flow, after: Flow) -> tuple[Array, float]:
    """e^{−δV/κ} g over its largest factor, and the logarithm of that."""
    assert before.potential is not None and after.potential is not None
    exponent = (before.potential - after.potential) / after.internal.kappa
    top = float(exponent.max())
    return weight * np.exp(exponent - top), top
