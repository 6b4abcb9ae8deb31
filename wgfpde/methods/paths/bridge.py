"""Schrödinger's bridge: of all diffusions with given densities at both ends, the one nearest to that of the energy.

    min KL(Q | R),   Q₀ = a,   Q_T = b,      R : dX = −∇V dt + √(2κ) dB,  from a

    ρ_t = ψ_t φ_t,      ∂t ψ = ∇·(κ∇ψ + ψ∇V),      ∂t φ = −κΔφ + ∇V·∇φ

    u = −2κ ln φ,       dX = −∇(V + u) dt + √(2κ) dB,      ∂t u + κΔu − ∇V·∇u = ½|∇u|²

On the grid R is a chain of K steps of the propagator, and the bridge of that chain is sought, no approximation of it:

    ψ_{k+1} = Kψ_k,   φ_k = K*φ_{k+1},   ψ_0 = a/φ_0,   φ_T = b/ψ_T

by Sinkhorn's iteration: φ back, ψ_0 from a, ψ forth, φ_T from b, until ‖ψ_Tφ_T − b‖₁ ≤ tolerance·M.  Then
Σhψ_kφ_k is the same number for all k, ψ, φ ≥ 0, and ρ_0 = a: mass, sign and start are exact, the end to the tolerance.

    2κ KL(Q | R) = min ∫∫½|∇u|²ρ dx dt = ⟨u_0, a⟩ − ⟨u_T, b⟩     tends to W₂²(a, b)/2T for V = 0, κ → 0

is the entropic cost; with the φ of any iteration it is a lower bound of the chain's minimum, by duality.

Reference: Léonard (2014), arXiv 1308.0215; Chen, Georgiou, Pavon (2016), DOI 10.1007/s10957-015-0803-z.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ...energy.flow import Flow
from ...energy.snapshot import Report, Snapshot
from ...errors import CaseError, SolverError
from ...grid import Array
from ...grid.axis import Axis
from .propagator import Propagator, in_order, march, scaled, warm_up

MAX_ITERATIONS = 1000
FARTHEST = 600.0
"""Largest d²/(4κT): halfway both ψ and φ are e^{−d²/8κT} of their peaks, and their product must be a number still."""
LARGEST_LOG = 700.0
WIDE = 0.5
"""Largest d h/(2κT) that is not told of: (cosh s − 1)/(s²/2) is then 1.02, and with it the rate at which a chain of
cells shifts a density, relative to diffusion."""
VALUE, COST = "value", "entropic_cost"


@dataclass(frozen=True)
class Factors:
    """A bridge that was found: ψ_k = psi[k] e^{psi_logs[k]}, likewise φ, (K+1, …).

    residual : ‖ψ_Tφ_T − b‖₁/M.   cost : 2κ KL(Q|R), energy·time.   note : a remark, or "".
    """

    psi: Array
    phi: Array
    psi_logs: Array
    phi_logs: Array
    iterations: int
    residual: float
    cost: float
    note: str = ""

    def density(self, k: int) -> Array:
        """ρ at step k, mass/volume."""
        log = float(self.psi_logs[k] + self.phi_logs[k])
        if log > LARGEST_LOG:
            raise SolverError(f"the bridge spans more than double precision does. {REMEDY}")
        return np.asarray(self.psi[k] * self.phi[k] * math.exp(log))

    def log_phi(self, k: int) -> Array:
        """ln φ at step k; −∞ where the target is not reached from."""
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(self.phi[k]) + self.phi_logs[k])


REMEDY = "Take a larger kappa, a later time.end, or ends that are nearer to each other."


class Bridge:
    """A march along a bridge, as a stepper: from `start` at time t0 to `target` at t1, in steps of dt.

    flow : the entropy with any V and any D, no interaction, closed.   start, target : of one mass.   dt : divides t1 −
    t0.   order : 1 or 2, in dt.   tolerance : of the end, ‖ρ_T − target‖₁ over the mass.

    Preserves mass, to rounding at every time, ρ ≥ 0 and the start; the end to the tolerance.  Order 2 in h.
    Field value: u = −2κ ln φ, energy·time/length² as W₂²/T is; its least value at the end is 0, and +∞ stands where the
    target is not reached from.   Column entropic_cost: see above.
    Raises CaseError where the ends are too far apart for double precision, SolverError where no bridge is found.
    """

    def __init__(
        self,
        flow: Flow,
        start: Array,
        target: Array,
        t0: float,
        t1: float,
        dt: float,
        order: int = 2,
        tolerance: float = 1e-9,
        max_iterations: int | None = None,
        threads: int = 1,
    ) -> None:
        self.steps = max(1, round((t1 - t0) / dt))
        self._flow, self._a, self._b = flow, np.asarray(start, dtype=float), np.asarray(target, dtype=float)
        self._t0, self._t1 = t0, t1
        self._order, self._tolerance, self._threads = order, tolerance, threads
        self._limit = MAX_ITERATIONS if max_iterations is None else max_iterations
        check_reach(flow, self._a, self._b, t1 - t0)

    def warm_up(self) -> None:
        """Compile, or load, the kernels of both directions."""
        warm_up(self._flow, self._order)

    def begin(self, snapshot: Snapshot) -> Snapshot:
        """The start with its value, once the bridge is found."""
        return replace(snapshot, fields=snapshot.fields | {VALUE: self._value(0)})

    def step(self, snapshot: Snapshot, t_next: float) -> Snapshot:
        """The density and the value one step on."""
        first, found = snapshot.step == 0, self.found
        dt = (self._t1 - self._t0) / self.steps
        k = round((snapshot.t - self._t0) / dt) + 1
        t = self._t0 + k * dt
        t = t_next if abs(t - t_next) < 0.5 * dt else t  # the same up to rounding: t_next is a multiple of dt
        report = Report(
            iterations=found.iterations if first else 0, residual=found.residual, note=found.note if first else "",
            more={COST: found.cost},
        )  # fmt: skip
        fields = snapshot.fields | {"rho": found.density(k), VALUE: self._value(k)}
        return Snapshot(t, snapshot.step + 1, fields, t - snapshot.t, report=report)

    @cached_property
    def found(self) -> Factors:
        """The bridge; sought when first asked for."""
        factors, note = in_order(self._solve, self._order)
        return replace(factors, note="; ".join(part for part in (note, self._wide_cells()) if part))

    def _wide_cells(self) -> str:
        """A remark where the exponential of the shift, e^{xd/2κT}, is not resolved by the cells; else ""."""
        flow, span = self._flow, self._t1 - self._t0
        steep = max(
            _shift(flow, self._a, self._b, x, axis) * float(x.widths.max()) / (2.0 * flow.internal.kappa * span)
            for axis, x in enumerate(flow.grid.axes)
        )
        if steep <= WIDE:
            return ""
        return (
            f"d h/(2 kappa T) is {steep:.3g}: cells are wide for so small a kappa, by an error of the cost of about "
            f"{steep**2 / 12:.1%}; take more of them"
        )

    def _value(self, k: int) -> Array:
        return -2.0 * self._flow.internal.kappa * self.found.log_phi(k)

    def _solve(self, order: int) -> Factors:
        """Sinkhorn's iteration with steps of an order.  Raises NotPositive, and SolverError."""
        chain = Propagator(self._flow, (self._t1 - self._t0) / self.steps, order, self._threads)
        psi, phi = (np.empty((self.steps + 1, *self._flow.grid.shape)) for _ in range(2))
        a, b, mass = self._a, self._b, self._flow.mass(self._a)
        phi[-1] = 1.0
        for iterations in range(1, self._limit + 1):
            phi_logs = march(chain.backward, phi, last_first=True)
            psi[0], log = _quotient(a, phi[0], "the target is not reached from all of the start")
            psi_logs = march(chain.forward, psi, log=log - phi_logs[0])
            end = psi[-1] * phi[-1] * math.exp(min(psi_logs[-1], LARGEST_LOG))
            residual = self._flow.integral(np.abs(end - b)) / mass
            if residual <= self._tolerance:
                found = Factors(psi, phi, psi_logs, phi_logs, iterations, residual, np.nan)
                return replace(found, cost=self._cost(found))
            phi[-1], _ = _quotient(b, psi[-1], "the start does not reach all of the target")  # ψ takes the factor
        raise SolverError(
            f"no bridge was found in {self._limit} iterations: the end differs from the target by {residual:.3g} of "
            f"the mass, more than {self._tolerance:g}. {REMEDY} Or allow more solver.max_iterations."
        )

    def _cost(self, found: Factors) -> float:
        """2κ(⟨b, ln φ_T⟩ − ⟨a, ln φ_0⟩), where there is mass."""
        ends = (self._b, found.log_phi(self.steps)), (self._a, found.log_phi(0))
        b, a = (self._flow.integral(rho * np.where(rho > 0, log, 0.0)) for rho, log in ends)
        return 2.0 * self._flow.internal.kappa * (b - a)


def _quotient(rho: Array, by: Array, trouble: str) -> tuple[Array, float]:
    """(q, l) with q e^l = rho/by and the largest q 1; 0 where rho is.  Raises SolverError where rho/0 is asked for."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = np.where(rho > 0, rho / by, 0.0)
    if not np.all(np.isfinite(ratio)):
        raise SolverError(f"{trouble}, in double precision. {REMEDY}")
    return scaled(ratio)


# ---- how far the ends are apart ----------------------------------------------------------------------------------


def check_reach(flow: Flow, a: Array, b: Array, span: float) -> None:
    """Raise CaseError where d²/(4κDT) > 600: d, between the means of both ends, is too far for a span T."""
    far, kappa = 0.0, flow.internal.kappa
    for axis, x in enumerate(flow.grid.axes):
        fastest = 1.0 if flow.mobility is None else float(np.max(flow.mobility[axis]))
        far += _shift(flow, a, b, x, axis) ** 2 / (4.0 * kappa * fastest * span)
    if far > FARTHEST:
        raise CaseError(
            f"the means of start and target are too far apart: d²/(4 kappa T) is {far:.4g}, and beyond {FARTHEST:g} "
            f"the densities of a bridge underflow in double precision. {REMEDY}"
        )


def _shift(flow: Flow, a: Array, b: Array, axis: Axis, number: int) -> float:
    """The distance of the means along an axis; on a ring that of the circular means, where both ends have one."""
    shape = (-1,) if flow.grid.dim == 1 else ((1, -1), (-1, 1))[number]
    x = axis.centers.reshape(shape)
    if not axis.ring:
        means = [flow.integral(rho * x) / flow.mass(rho) for rho in (a, b)]
        return abs(means[1] - means[0])
    waves = [np.cos(2 * np.pi * x / axis.length), np.sin(2 * np.pi * x / axis.length)]
    first, second = (complex(*(flow.integral(rho * w) / flow.mass(rho) for w in waves)) for rho in (a, b))
    if min(abs(first), abs(second)) < 0.5:
        return 0.0
    return abs(float(np.angle(second / first))) * axis.length / (2 * np.pi)
