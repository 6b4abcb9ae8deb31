"""A potential mean field game: the cheapest way of a crowd that wanders, from where it starts to where it likes to be.

    minimise  ∫∫ ½|v|²m dx dt + ∫E(m_t)dt + G(m_T)      over  ∂t m = νΔm − ∇·(mv),  m(0) given

    v = −∇u,     −∂t u − νΔu + ½|∇u|² = f,  u(T) = g,     f = δE/δm,  g = δG/δm

Hopf–Cole: with φ = e^{−u/2ν} and m = ψφ both equations are linear.  Between times t_k = k dt the heat equation is
solved by the propagator P = P* (module `propagator`, κ = ν), at them f acts with the weight w_k = dt, half at the ends:

    φ_K = e^{−(w_K f_K + g)/2ν},   φ_k = e^{−w_k f_k/2ν} Pφ_{k+1},     ψ_{k+1} = P e^{−w_k f_k/2ν} ψ_k,   ψ_0 = m(0)/φ_0

For given f, g this m is the exact minimiser of the linear problem: a chain whose entropy relative to P, times 2ν, is
the action A = ⟨m_0, u_0⟩ − Σ w_k⟨f_k, m_k⟩ − ⟨g, m_K⟩, here summed step by step.  So the discrete problem is
convex where E and G are, and any f, g bound it from below: its gap is that of Fenchel (module `game_costs`), summed,

    Σ_k w_k [E(m_k) + E*(f_k) − ⟨f_k, m_k⟩]  +  G(m_K) + G*(g) − ⟨g, m_K⟩  ≥  J − min J,

relative to A + Σ w_k |E| + |G|, each energy by the sizes of its parts.  f_0 acts on nothing: m_0 is given.

Sought is the fixed point f = δE/δm, g = δG/δm by Anderson mixing, with weights √(w_k m_k), without which tails decide.
The residual is the largest standard deviation under m_k of δE/δm − f, times T/2ν (of g: 1/2ν): by how much logarithms
of the density may be off.  It ends the search where there is no gap.

References: Lasry, Lions (2007), DOI 10.1007/s11537-007-0657-8; Guéant (2012), arXiv 1106.3269; Benamou,
Carlier, Di Marino, Nenna (2019), arXiv 1807.09078; Walker, Ni (2011), DOI 10.1137/10078356X.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...energy.energy import Energy, Internal
from ...energy.flow import Flow
from ...errors import SolverError
from ...grid import Array
from ...linear.mixing import DampedAnderson
from .game_costs import LEAST, Cost
from .propagator import Propagator, in_order, march, scaled

DEPTH, DAMPING = 4, 0.5
"""Of Anderson mixing."""


@dataclass(frozen=True)
class Solution:
    """m, u : (K+1, …) densities and value function at t_k.   actions : (K,) of each step.

    running : (K+1,) E(m_k).   terminal : G(m_K).   gap, residual : see above, gap NaN where there is none.
    sweeps : passes forth and back.   note : a remark.
    """

    m: Array
    u: Array
    actions: Array
    running: Array
    terminal: float
    gap: float
    residual: float
    sweeps: int
    note: str = ""


class PotentialGame:
    """The game of a running cost and an end cost on one grid.

    flow : of the running cost E.   terminal : of G, or None.   start : m(0), of any mass.   span : T.   steps : K.
    viscosity : ν > 0, length²/time; energies have the unit length²/time² of ½|v|².   order : of P, 1 or 2.

    Preserves mass to rounding and m ≥ 0.   Order 2 in h and dt where the fields are smooth.   Holds 14(K+1) arrays.
    Raises CaseError for costs whose conjugate is not known.
    """

    def __init__(
        self,
        flow: Flow,
        terminal: Flow | None,
        start: Array,
        span: float,
        steps: int,
        viscosity: float,
        order: int = 2,
        threads: int = 1,
    ) -> None:
        self.cost = Cost(flow, "energy")
        self.end = None if terminal is None else Cost(terminal, "terminal")
        self.convex = self.cost.convex and (self.end is None or self.end.convex)
        self.grid, self.heat_flow = flow.grid, Flow(flow.grid, Energy(Internal("entropy", viscosity)))
        self._flow, self._start, self._order, self._threads = flow, start, order, threads
        self.steps, self._dt, self._nu = steps, span / steps, viscosity
        self._weights = np.full(steps + 1, self._dt)
        self._weights[[0, -1]] *= 0.5
        self._span = span

    def solve(self, tolerance: float, most: int) -> Solution:
        """The game, to a gap (without one: a residual) of at most `tolerance`, in at most `most` sweeps.

        Raises SolverError where that is not reached.
        """
        found, note = in_order(lambda order: self._iterate(order, tolerance, most), self._order)
        return found if not note else Solution(**{**vars(found), "note": note})

    # ---- the fixed point ---------------------------------------------------------------------------------------

    def _iterate(self, order: int, tolerance: float, most: int) -> Solution:
        heat = Propagator(self.heat_flow, self._dt, order, self._threads)
        sweep = Sweep(heat, self._start, self.steps, self._nu)
        f, mixer = np.empty_like(sweep.m), DampedAnderson(DEPTH, DAMPING)
        sweep.free()
        x = self._change(sweep.m, None)
        f, best, damping = self._swept(sweep, f, x), None, DAMPING
        for count in range(1, most + 1):
            change = self._change(sweep.m, x)
            now = self._judged(sweep, change)
            if now.certificate <= tolerance:
                return self._solution(sweep, f, now, count)
            if best is not None and not now.bound >= best[0].bound:  # too far
                damping *= 0.5
                mixer.restart(damping)
                x = best[1] + damping * best[2]
            else:
                best = now, x, change
                x = mixer.mix(x, change, lambda k: np.sqrt(self._weight_of(k) * sweep.m[self._time_of(k)]))
            f = self._swept(sweep, f, x)
        raise SolverError(self._failure(now, most))

    @property
    def _levels(self) -> int:
        """How many times have an unknown of the running cost, from t_1 on; that of the end cost comes after them."""
        return 0 if self.cost.known else self.steps

    def _time_of(self, level: int) -> int:
        """The k of t_k of an unknown."""
        return level + 1 if level < self._levels else self.steps

    def _weight_of(self, level: int) -> float:
        return float(self._weights[level + 1]) if level < self._levels else 1.0

    def _change(self, m: Array, x: Array | None) -> Array:
        """The images of all unknowns, less these; a new array (unknowns, …)."""
        ends = self.end is not None and not self.end.known
        change = np.empty((self._levels + ends, *m.shape[1:]))
        for level in range(len(change)):
            cost = self.cost if level < self._levels else self.end
            assert cost is not None
            change[level] = cost.image(m[self._time_of(level)])
        if x is not None:
            change -= x
        return change

    def _swept(self, sweep: Sweep, f: Array, x: Array) -> Array:
        """Fills f by the unknowns (f_0 by δE/δm, and by f_1 where the start is empty) and makes a sweep."""
        for k in range(1, self.steps + 1):
            f[k] = self.cost.potential(None if self.cost.known else x[k - 1])
        f[0] = np.where(self._start > 0, self._flow.variation(np.maximum(self._start, LEAST)), f[1])
        g = None if self.end is None else self.end.potential(None if self.end.known else x[-1])
        sweep.run(f, g, self._weights)
        return f

    def _judged(self, sweep: Sweep, change: Array) -> Judged:
        """How good the potentials of the last sweep are.   change : of the unknowns."""
        gap, residual = 0.0, 0.0
        for level in range(len(change)):
            m, running = sweep.m[self._time_of(level)], level < self._levels
            cost = self.cost if running else self.end
            assert cost is not None
            off, part = cost.judged(m, change[level])
            gap += self._weight_of(level) * part
            residual = max(residual, (self._span if running else 1.0) * self._spread(m, off))
        parts = [(w, *self.cost.value(m)) for w, m in zip(self._weights, sweep.m, strict=True)]
        parts += [(1.0, *self.end.value(sweep.m[-1]))] if self.end is not None else []
        action = float(np.sum(sweep.actions))
        total, size = (action + sum(part[0] * part[k] for part in parts) for k in (1, 2))
        return Judged(total, gap, size, residual / (2 * self._nu), self.convex)

    def _spread(self, m: Array, r: Array) -> float:
        """The standard deviation of r under m."""
        mass = self._flow.integral(m)
        return float(np.sqrt(self._flow.integral(m * (r - self._flow.integral(m * r) / mass) ** 2) / mass))

    def _solution(self, sweep: Sweep, f: Array, judged: Judged, sweeps: int) -> Solution:
        m = sweep.m
        terminal = 0.0 if self.end is None else self.end.value(m[-1])[0]
        running = np.array([self.cost.value(part)[0] for part in m])
        u = sweep.value(f, self._weights)
        return Solution(m, u, sweep.actions, running, terminal, judged.gap, judged.residual, sweeps)

    def _failure(self, judged: Judged, most: int) -> str:
        reached = f"a {'gap' if self.convex else 'residual'} of {judged.certificate:.2g}"
        return (
            f"the game was not solved in {most} sweeps, which reached {reached}. Enlarge solver.max_iterations, "
            "solver.viscosity or solver.tolerance, or take smaller steps"
            + ("." if self.convex else "; a game whose costs are not convex may have several solutions.")
        )


@dataclass(frozen=True)
class Judged:
    """The cost of a path, its gap and the size of its parts, in the unit of the cost; and the residual.

    convex : whether the gap is one.
    """

    cost: float
    missing: float
    size: float
    residual: float
    convex: bool

    @property
    def gap(self) -> float:
        """Relative; NaN where the costs are not convex."""
        return self.missing / self.size if self.size > 0 else self.missing

    @property
    def certificate(self) -> float:
        """What ends the search: the gap, or the residual where there is none."""
        return self.gap if self.convex else self.residual

    @property
    def bound(self) -> float:
        """What no path costs less than, by these potentials; where the costs are not convex nothing is known: 0."""
        return self.cost - self.missing if self.convex else 0.0


class Sweep:
    """One pass back for φ and one forth for m.   start : m(0).   steps : K.   nu : ν.

    m : (K+1, …) of the last pass.   actions : (K,), 2ν times the relative entropy of each step.
    Every φ_k is kept up to a factor, which m_{k+1} = φ_{k+1} P(m_k/Pφ_{k+1}) does not see; its logarithm is for u.
    Holds 2(K+1) arrays.
    """

    def __init__(self, heat: Propagator, start: Array, steps: int, nu: float) -> None:
        self._heat, self._start, self._nu = heat, start, nu
        self.m, self._phi = np.empty((steps + 1, *start.shape)), np.empty((steps + 1, *start.shape))
        self._logs, self.actions = np.zeros(steps + 1), np.zeros(steps)

    def free(self) -> None:
        """m with f = 0 and g = 0: the start that spreads."""
        self.m[0] = self._start
        for m, log in zip(self.m, march(self._heat.forward, self.m), strict=True):
            m *= np.exp(log)

    def run(self, f: Array, g: Array | None, weights: Array) -> None:
        """m for the potentials f (K+1, …) and g.   Raises NotPositive and SolverError."""
        phi, logs, ahead = self._phi, self._logs, self.m  # Pφ_{k+1} lies at m_k before m does
        phi[-1], logs[-1] = self._lowered(weights[-1] * f[-1] + (0.0 if g is None else g))
        for k in range(len(f) - 2, -1, -1):
            ahead[k] = self._heat.backward(phi[k + 1])
            factor, shift = self._lowered(weights[k] * f[k])
            phi[k], gained = scaled(ahead[k] * factor)
            logs[k] = logs[k + 1] + shift + gained
        self._forth()

    def value(self, f: Array, weights: Array) -> Array:
        """u (K+1, …) at t_k, of the last pass with these potentials: between times half of f acts before, half after.

        In the place of φ, so that there is no second value.
        """
        u, last = self._phi, len(f) - 1
        for k in range(last + 1):
            with np.errstate(divide="ignore"):
                u[k] = -2 * self._nu * (np.log(u[k]) + self._logs[k])
            u[k] -= (1.0 if k == last else 0.5 if k else 0.0) * weights[k] * f[k]
        return u

    def _lowered(self, cost: Array) -> tuple[Array, float]:
        """e^{−cost/2ν} over its largest value, and the logarithm of that."""
        low = float(cost.min())
        return np.exp((low - cost) / (2 * self._nu)), -low / (2 * self._nu)

    def _forth(self) -> None:
        """m_{k+1} from m_k, where Pφ_{k+1} lies at k, and the actions."""
        integral, m, phi = self._heat.flow.integral, self.m, self._phi
        ahead, m[0] = m[0].copy(), self._start
        for k in range(len(m) - 1):
            with np.errstate(divide="ignore", over="ignore"):
                share = np.divide(m[k], ahead, out=np.zeros_like(ahead), where=m[k] > 0)
                spent = integral(_weighed(m[k], ahead))  # where ahead underflows, `scaled` says so
            spread, log = scaled(self._heat.forward(share))
            ahead = m[k + 1].copy()
            m[k + 1] = phi[k + 1] * (spread * np.exp(log))
            self.actions[k] = 2 * self._nu * (integral(_weighed(m[k + 1], phi[k + 1])) - spent)


def _weighed(m: Array, phi: Array) -> Array:
    """m ln φ; 0 where m = 0."""
    return m * np.log(phi, out=np.zeros_like(phi), where=m > 0)
