"""Entropic JKO steps: the distance of a step smoothed by the entropy of its coupling, solved by Sinkhorn's iteration.

    ρ' = argmin  (1/2τ) min_γ [ ∫|x−y|²dγ + ε∫γ ln γ ] + F(ρ'),      γ ∈ Π(ρ, ρ')

With ν = ε/4τ and the heat kernel P of ∂t = νΔ over τ, of variance 2ντ = ε/2, the bracket is 2ν KL(γ|P) but for a
constant, and the minimiser is

    γ = a(x) P(x,y) b(y),     a = ρ/Pb,     ρ' = b Pa,     2ν ln b + δF/δρ(ρ') = const

    b = exp(−(V + W∗ρ + κ̃ ln Pa)/(2ν + κ̃))      for F = κ̃∫ρ ln ρ + ∫Vρ + ½∬Wρρ

an iteration that contracts by |κ̃|/(2ν + κ̃) in the logarithm.  W∗ρ is that of the start of the step.

The smoothed distance is biased: it acts as ν∫ρ ln ρ added to F, to second order in ε.
    plain         κ̃ = κ          steps of E, with the bias: those of κ + ν, nearly
    compensated   κ̃ = κ − ν      the bias is taken off; what is left of it is O(ε²)
At ε = 4κτ, ν = κ, compensated, nothing is left of the entropy and the step is the kernel formula, without iteration:

    ρ' = φ P(ρ/Pφ),     φ = e^{−(V + W∗ρ)/2κ}

Without W that is a Markov chain, reversible with respect to φPφ, which differs from e^{−V/κ} by O(τ).

P is a step of the finite volumes in parts (module `propagator`), P* = P.  The mass is kept, ρ ≥ 0, and
    A_n = 2ν KL(γ_n|P) + F(ρ_{n−1}) + F(ρ_n)   never rises, without W, for every τ and ε, V convex or not:
γ_n turned round leads from ρ_n to ρ_{n−1}, and the next step is at least as good.

Reference: Peyré (2015), arXiv 1502.06216; Li, Liu, Osher (2023), arXiv 2301.10301.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ...energy.flow import Flow
from ...energy.snapshot import Report, Snapshot
from ...errors import CaseError, SolverError
from ...grid import Array
from .propagator import NotPositive, Propagator, heat_propagator, scaled
from .propagator import warm_up as warm_up_of

MAX_ITERATIONS = 2000
LEAST = 0.7
"""Smallest spread √(ε/2) of a coupling over the width of a cell."""
ROUNDING = 1e-11
"""Of the mass, that sums over a grid of millions of cells leave."""
ENERGY = "entropic_energy"
ORDER_1 = "heat steps taken at first order in time: those of second order gave negative values; take more heat_steps"


@dataclass(frozen=True)
class Step:
    """A solved step: ρ', and what it took.   kl : KL(γ|P), mass.   residual : how far b is from its equation."""

    rho: Array
    iterations: int
    residual: float
    kl: float
    note: str = ""


class EntropicSteps:
    """Steps of τ, as a stepper.

    flow : the entropy, or none, any V and W, closed, D = 1.   tau : τ.   epsilon : ε > 0, length²; None for 4κτ.
    compensated : κ̃ = κ − ν, else κ.   heat_steps : parts of the heat step, each of order 2.
    tolerance : of the equation for b, in L1 of ρ' over the mass.

    Preserves mass, ρ ≥ 0 and, without W, that A never rises, for every τ and ε.  Order 1 in τ, 2 in h.
    Column entropic_energy : A, NaN with W.
    Raises CaseError where ε is too small for the cells, SolverError where b is not found.
    """

    def __init__(
        self,
        flow: Flow,
        tau: float,
        epsilon: float | None = None,
        compensated: bool = True,
        heat_steps: int = 8,
        tolerance: float = 1e-10,
        max_iterations: int | None = None,
        threads: int = 1,
    ) -> None:
        self.flow, self.tau = flow, tau
        self.kappa = 0.0 if flow.internal.law.vanishes else flow.internal.kappa
        self.epsilon = 4.0 * self.kappa * tau if epsilon is None else epsilon
        self.nu = self.epsilon / (4.0 * tau)
        self.entropy = self.kappa - self.nu if compensated else self.kappa
        if abs(self.entropy) <= 1e-12 * self.kappa:  # ε = 4κτ up to the rounding of its text
            self.entropy = 0.0
        self._tolerance, self._limit = tolerance, MAX_ITERATIONS if max_iterations is None else max_iterations
        self._options = heat_steps, threads
        self._heats: dict[int, Propagator] = {}
        widest = max(float(axis.widths.max()) for axis in flow.grid.axes)
        spread = math.sqrt(0.5 * self.epsilon)
        if not spread >= LEAST * widest:
            raise CaseError(
                f"epsilon = {self.epsilon:.4g} couples cells over a spread √(ε/2) of {spread:.3g}, less than {LEAST:g} "
                f"of a cell ({widest:.3g}); take more cells, or an epsilon of at least {2 * (LEAST * widest) ** 2:.3g}"
            )

    def warm_up(self) -> None:
        """Compile, or load, the kernels of the heat step."""
        warm_up_of(self._heat(2).flow)

    def step(self, snapshot: Snapshot, t_next: float) -> Snapshot:
        """One step of τ, which lands on t_next where that is τ away.  Raises SolverError."""
        found = self.solve(snapshot.rho)
        t = snapshot.t + self.tau
        t = t_next if abs(t_next - t) < 1e-6 * self.tau else t
        account = math.nan
        if self.flow.interaction is None:
            account = 2.0 * self.nu * found.kl + self._free(snapshot.rho) + self._free(found.rho)
        report = Report(
            iterations=found.iterations, residual=found.residual, note=found.note, more={ENERGY: account},
            outer=0 if self.flow.interaction is None else 1,
        )  # fmt: skip
        fields = snapshot.fields | {"rho": found.rho}
        return Snapshot(t, snapshot.step + 1, fields, t - snapshot.t, report=report)

    def solve(self, rho: Array) -> Step:
        """ρ' from ρ: second-order heat steps, and where these are not positive first-order ones."""
        try:
            return self._solve(rho, 2, "")
        except NotPositive:
            return self._solve(rho, 1, ORDER_1)

    def _heat(self, order: int) -> Propagator:
        if order not in self._heats:
            repeats, threads = self._options
            self._heats[order] = heat_propagator(self.flow.grid, self.nu, self.tau, order, threads, repeats)
        return self._heats[order]

    def _solve(self, rho: Array, order: int, note: str) -> Step:
        heat, scale = self._heat(order), 2.0 * self.nu + self.entropy
        phi, mass = self._drive(rho), self.flow.mass(rho)
        log_b = _topped(-phi / scale)
        for iterations in range(1, self._limit + 1):
            b = np.exp(log_b)
            a = self._first(rho, heat.backward(b))
            spread, log_spread = scaled(heat.forward(a))
            found = self._restored(b * spread * math.exp(log_spread), mass)
            residual = 0.0
            if self.entropy != 0.0:
                with np.errstate(divide="ignore"):
                    better = -(phi + self.entropy * np.log(spread)) / scale
                better = _topped(np.where(spread > 0, better, -np.inf))
                residual = self._change(found, log_b, better) / mass
                log_b = better
            if residual <= self._tolerance:
                kl = self.flow.integral(_times_log(rho, a)) + self.flow.integral(_times_log(found, b))
                return Step(found, iterations, residual, kl, note)
        raise SolverError(
            f"the entropic step was not found in {self._limit} iterations: a residual of {residual:.3g} is left, more "
            f"than {self._tolerance:g}; each lowers it by {abs(self.entropy) / scale:.3g}. Take a larger epsilon."
        )

    def _drive(self, rho: Array) -> Array:
        """V + W∗ρ."""
        phi = np.zeros(rho.shape) if self.flow.potential is None else self.flow.potential
        return phi if self.flow.interaction is None else phi + self.flow.interaction.apply(rho)

    def _first(self, rho: Array, smoothed: Array) -> Array:
        """a = ρ/Pb, 0 where ρ is.  Raises NotPositive, and SolverError where Pb underflows under ρ."""
        if float(smoothed.min()) < 0:
            raise NotPositive
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            a = np.where(rho > 0, rho / smoothed, 0.0)
        if not np.all(np.isfinite(a)):
            raise SolverError(
                "the potential rises too steeply for so small an epsilon: a coupling underflows in double precision. "
                "Take a larger epsilon or tau."
            )
        return a

    def _restored(self, rho: Array, mass: float) -> Array:
        """ρ' with the mass that it has but for rounding, which would add up over many steps: ⟨b, Pa⟩ = ⟨Pb, a⟩.

        Raises SolverError where more than rounding is missing.
        """
        factor = mass / self.flow.mass(rho)
        if not abs(factor - 1.0) <= ROUNDING:
            raise SolverError(
                f"an entropic step lost {1.0 - 1.0 / factor:.3g} of the mass: its coupling spans more than double "
                "precision does. Take a larger epsilon or tau."
            )
        return rho * factor

    def _change(self, rho: Array, before: Array, after: Array) -> float:
        """Σh ρ |b'/b − c|, c the mean of b'/b: b is known up to a factor."""
        with np.errstate(invalid="ignore"):
            ratio = np.where(rho > 0, np.exp(after - before), 0.0)
        mean = self.flow.integral(rho * ratio) / self.flow.mass(rho)
        return self.flow.integral(rho * np.abs(ratio / mean - 1.0))

    def _free(self, rho: Array) -> float:
        """F: E, less ν∫ρ ln ρ where that is compensated."""
        return self.flow.value(rho) + (self.entropy - self.kappa) * self.flow.integral(_times_log(rho, rho))


def _topped(log: Array) -> Array:
    """Logarithms, less the largest."""
    return log - float(log.max())


def _times_log(rho: Array, values: Array) -> Array:
    """ρ ln v, 0 where ρ is."""
    return np.asarray(rho * np.log(np.where(rho > 0, values, 1.0)))
