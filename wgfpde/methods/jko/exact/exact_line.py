"""The exact JKO step on a line or a circle: Newton's method on a convex function of the new cell averages.

    J(ρ) = ½W₂²(ρ⁰, ρ) + τE(ρ) − μ Σ h ln ρ,      ρ⁰, ρ constant on cells, μ → 0 for laws that allow vacuum

W₂ is exact, by quantiles, and so are its gradient, the cell averages of the Kantorovich potential, φ' = y − T(y), and
its Hessian in the distribution function, which couples neighbouring edges only (module `line_kernels`).  A Newton step
is one sweep back and forth, and its positive coefficients keep the digits of tails.

The certificate is a true gap: φ is optimal between ρ⁰ and ρ, whose c-transform is known with it, so that only the
energy leaves something open, cell by cell,

    P − D = Σ h [ cU(ρ) + (cU)*(y) − yρ ],      y = const − φ̄ − τV,

terms ≥ 0 without cancellation.

On a circle of length L quantiles go on by Q(u + M) = Q(u) + L, T = Q(G + α), and the cost is convex in G and α
together.  α is found anew for each ρ, where φ closes: ∫(y − T) dy = 0; the Newton step has it as one unknown more.

References: Villani (2003), Topics in Optimal Transportation, section 2.2; Delon, Salomon, Sobolevski (2010), DOI
10.1137/090772708.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ....energy.laws.steady_density import Equilibrium
from ....errors import SolverError
from ....grid import Array
from .line_kernels import couple, couple_on_circle, riccati, riccati_on_circle
from .solution import ExactSolution, Problem

MAX_ITERATIONS = 150
AIM = 1e-4
"""Gap aimed at, in units of the tolerance: the last Newton steps cost little and leave the density exact."""
ARMIJO, NOISE, SHORTEST = 1e-4, 1e-14, 1e-8
FULL = 0.995
"""Part of the way to an empty cell that a step may go."""
BARRIER, COOLING, CENTRED = 1e-2, 0.1, 0.1
"""First μ over the scale of J per volume, its factor, and the Newton decrement, over μ times the volume, at which it
falls."""
STALLED = 20
"""Newton steps that lower neither J nor the gap, after which there is no more to be had."""
LEAST = 1e-290
"""Density, over the mean, below which a cell counts as empty for the stiffness."""
TINY = 1e-250
"""The least density of a start, over the mean."""
GROWTH = 300.0
"""Largest change of ln ρ in a step."""


FLOORS = (0.0, 1e-4, 1e-2, 0.5)
"""Parts of the mass spread over ρ⁰, in units of the tolerance, one after the other until the gap closes."""


def solve_line(problem: Problem, tolerance: float, most: int | None = None) -> ExactSolution:
    """The exact step from ρ⁰, or from a ρ⁰ that differs by `backward` ≤ tolerance of the mass.

    problem : on a 1D grid, stretched or not, with walls or periodic.   tolerance : of the gap and of `backward`.
    most : Newton iterations.

    Where ρ⁰ leaves vacuum no mass may cross it, and the potential there is what no density tells in double precision:
    a little mass all over is enough.  Raises SolverError where the gap stays above the tolerance with that too.
    """
    failure: SolverError | None = None
    volume, spent = problem.flow.grid.volume, 0
    rest = 0.5 * (problem.mass / volume + resting(problem))
    for floor in FLOORS:
        share = floor * tolerance
        eased = problem.starting_from((1.0 - share) * problem.rho0 + share * rest) if share else problem
        step = LineStep(eased, tolerance, most)
        try:
            found = step.run()
        except SolverError as error:
            failure, spent = error, spent + step.iterations
            continue
        backward = problem.flow.integral(np.abs(eased.rho0 - problem.rho0)) / problem.mass
        return replace(found, backward=backward, iterations=spent + found.iterations)
    assert failure is not None
    raise failure


def resting(problem: Problem) -> Array:
    """The density at rest in Φ; without internal energy the uniform one."""
    internal, flow = problem.internal, problem.flow
    if internal.law.vanishes:
        return np.full(flow.grid.shape, problem.mass / flow.grid.volume)
    return np.asarray(internal.law.equilibrium(flow, problem.tau_v / problem.tau, problem.mass).rho)


class LineStep:
    """One step under way.   parts : (6, n) of the coupling last made, see `couple`."""

    def __init__(self, problem: Problem, tolerance: float, most: int | None) -> None:
        grid = problem.flow.grid
        self.p, self.tolerance, self.most = problem, tolerance, most or MAX_ITERATIONS
        self.edges, self.h = grid.x.edges - grid.x.edges[0], grid.x.widths
        self.f = _levels(problem.rho0 * self.h)
        self.mass, self.n, self.ring = float(self.f[-1]), len(self.h), grid.x.ring
        self.shift, self.doubt, self._other = 0.0, 0.0, np.zeros((6, self.n))
        if self.ring:
            self.turns = _around(self.edges, float(self.edges[-1])), _around(self.f, self.mass)
        self.parts = np.zeros((6, self.n))
        self._q, self._b = np.zeros(self.n), np.zeros(self.n)
        self.barrier = problem.internal.empties
        self.iterations = 0

    # ---- the function ----------------------------------------------------------------------------------------

    def couple(self, rho: Array) -> float:
        """Fill `parts`; returns ½W₂²."""
        g = _levels(rho * self.h)
        g = np.minimum(g * (self.mass / g[-1]), self.mass)  # rounding must not put an edge beyond the last of F
        g[-1] = self.mass
        if self.ring:
            asked = self.edges, g, *self.turns, self.shift, self.parts, self._other
            self.shift, self.doubt = couple_on_circle(*asked)
        else:
            couple(self.edges, g, self.edges, self.f, self.parts)
        return float(np.sum(self.parts[2]))

    def value(self, rho: Array, mu: float) -> float:
        barrier = mu * float(np.sum(self.h * np.log(rho))) if mu > 0 else 0.0
        return self.couple(rho) + self.p.energy(rho) - barrier

    def potential(self) -> Array:
        """Cell averages of φ, 0 at the first edge, from `parts`; on a circle closed."""
        left, right = self.parts[0], self.parts[1]
        phi = np.concatenate([[0.0], np.cumsum(left + right)[:-1]]) + left
        return phi - self.jump / self.edges[-1] * 0.5 * (self.edges[1:] + self.edges[:-1])

    @property
    def jump(self) -> float:
        """By how much rounding of α keeps φ from closing on a circle."""
        return float(np.sum(self.parts[0] + self.parts[1])) if self.ring else 0.0

    # ---- Newton ----------------------------------------------------------------------------------------------

    def direction(self, rho: Array, mu: float) -> tuple[Array, float]:
        """(δρ, slope of J along it) from the `parts` of ρ."""
        internal = self.p.internal
        held = np.maximum(rho, LEAST * self.mass / float(np.sum(self.h)))
        slope, bend = np.zeros(self.n), np.zeros(self.n)
        if not internal.law.vanishes:
            slope = self.p.tau * internal.derivative(held)
            bend = self.p.tau * internal.law.second_derivative(held, internal)
        if mu > 0:
            slope, bend = slope - mu / held, bend + mu / held**2
        left, right = self.parts[0], self.parts[1]
        lin_d, lin_g, rise = slope + self.p.tau_v - right, -(left + right), np.zeros(self.n)
        solve = riccati_on_circle if self.ring else riccati
        solve(np.minimum(bend / self.h, 1e300), self.parts[3:], lin_d, lin_g, self._q, self._b, rise)
        g = np.concatenate([[0.0], np.cumsum(rise)[:-1]])
        return rise / self.h, float(np.sum(lin_d * rise + lin_g * g))

    def moved(self, rho: Array, move: Array, size: float, plain: bool) -> Array:
        """ρ + size δρ.  For the entropy not plain: the same of ln ρ, which is exact where nothing else counts, and
        positive; where mass must come from elsewhere it would be far too much, and only what falls takes ln ρ."""
        if self.p.internal.law.linear_diffusion:
            ratio = np.divide(size * move, rho, out=np.zeros(self.n), where=rho > 0)
            grown = rho + size * move if plain else rho * np.exp(np.minimum(ratio, GROWTH))
            new = np.where(move > 0, grown, rho * np.exp(np.clip(ratio, -700.0, 0.0)))
        else:
            new = rho + size * move
        return np.asarray(new * (self.mass / float(np.sum(self.h * new))))

    def search(self, rho: Array, mu: float, value: float, move: Array, slope: float) -> Array | None:
        """The first of 1, ½, ¼ … of the longest step that lowers J enough, or None."""
        noise, size = NOISE * (abs(value) + self.p.size(rho)), self.longest(rho, move)
        ways = (False, True) if self.p.internal.law.linear_diffusion else (True,)
        while size >= SHORTEST:
            for plain in ways:
                trial = self.moved(rho, move, size, plain)
                if self.value(trial, mu) <= value + ARMIJO * size * slope + noise:
                    return trial
            size *= 0.5
        return None

    def longest(self, rho: Array, move: Array) -> float:
        if self.p.internal.law.linear_diffusion:
            return 1.0
        falls = move < 0
        return min(1.0, FULL * float(np.min(-rho[falls] / move[falls]))) if falls.any() else 1.0

    def run(self) -> ExactSolution:
        """The minimiser, proved.  Raises SolverError where its gap stays above the tolerance."""
        rho = self.start()
        room = float(np.sum(self.h))
        mu = BARRIER * (self.couple(rho) + self.p.size(rho)) / room if self.barrier else 0.0
        best: ExactSolution | None = None
        stalled, least = 0, np.inf
        while True:
            value = self.value(rho, mu)
            found = self.proof(rho)
            if best is None or found.gap < best.gap:
                best = found
            if value + 1e-3 * NOISE * abs(value) < least or best is found:
                least, stalled = min(value, least), 0
            stalled += best is not found
            if best.gap <= AIM * self.tolerance or self.iterations >= self.most or stalled > STALLED:
                break
            move, slope = self.direction(rho, mu)
            if not np.isfinite(slope + float(np.sum(move))):
                break
            if mu > 0 and -slope <= CENTRED * mu * room:
                mu, least = mu * COOLING, np.inf
                continue
            self.iterations += 1
            after = self.search(rho, mu, value, move, slope)
            if after is None:
                break
            rho = after
        if not best.gap <= self.tolerance:
            raise self.p.failure(
                f"its gap is {best.gap:.2g} after {self.iterations} Newton iterations; "
                f"{self.tolerance:.2g} was asked for"
            )
        return best

    def start(self) -> Array:
        """The best of mixtures of ρ⁰ and a state of rest, which is positive."""
        rest = resting(self.p)
        if self.barrier:
            rest = 0.5 * (rest + self.mass / float(np.sum(self.h)))
        rest = np.maximum(rest, TINY * self.mass / float(np.sum(self.h)))
        mixed = [(1 - a) * self.p.rho0 + a * rest for a in (1.0, 0.3, 1e-2, 1e-4)]
        return min(mixed, key=lambda rho: self.value(rho, 0.0))

    # ---- the proof -------------------------------------------------------------------------------------------

    def proof(self, rho: Array) -> ExactSolution:
        """Primal and dual value of ρ and its optimal potential, from its `parts`."""
        p, internal = self.p, self.p.internal
        transport, phi = float(np.sum(self.parts[2])), self.potential()
        unclosed = self.doubt + 0.5 * self.mass * (self.jump / self.edges[-1]) ** 2  # φ was closed by a line
        y, integral = -phi - p.tau_v, p.flow.integral
        if internal.law.vanishes:
            level = float(y.max())
            left = unclosed + integral(rho * (level - y))
        else:
            state = internal.law.equilibrium(p.flow, -y / p.tau, self.mass)
            level = -p.tau * float(state.constant)
            left = unclosed + integral(_young(p, rho, state, y - level))
        primal = transport + p.energy(rho)
        scale = p.scale(rho, transport)
        return ExactSolution(
            rho, phi + level, left / scale if scale > 0 else 0.0, np.nan, primal + p.level * self.mass,
            primal - left + p.level * self.mass, transport, scale, self.iterations, 0,
        )  # fmt: skip


def _around(values: Array, turn: float) -> Array:
    """Values at the edges, from 0 to `turn`, over five turns."""
    return np.append(np.ravel(values[:-1] + turn * np.arange(-2, 3)[:, None]), 3 * turn)


def _levels(masses: Array) -> Array:
    return np.concatenate([[0.0], np.cumsum(masses)])


def _young(p: Problem, rho: Array, state: Equilibrium, y: Array) -> Array:
    """τU(ρ) + (τU)*(y) − yρ ≥ 0 of each cell, where y belongs to the density of `state`."""
    internal, free = p.internal, state.rho
    if state.log_rho is not None:
        held = np.where(rho > 0, rho, 1.0)
        return np.asarray(p.c * (rho * (np.log(held) - state.log_rho) - rho + free))
    energies = p.tau * (internal.density(rho) - internal.density(free))
    return np.maximum(energies - y * (rho - free), 0.0)
