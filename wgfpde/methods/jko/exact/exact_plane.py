"""The exact JKO step in the plane: Newton's method on the Monge–Ampère equation of the optimal map, coarse to fine.

    R(φ) = ρ(φ) − ρ⁰(y − ∇φ) det(I − D²φ) = 0,      τU'(ρ(φ)) + φ + τΦ = const,  ∫ρ(φ) = M

A potential makes a density, positive and of the right mass; that density is the end of an exact step as soon as the
map T = y − ∇φ, the gradient of a convex function, carries it to ρ⁰.  There is no path and no inner step.  The Newton
step solves

    g d − ∇·(θ (I − D²φ)⁻¹ ∇d) = R,      g = (ρ − T^♯ρ⁰)/(τU'(ρ) − τU'(T^♯ρ⁰)),  the secant of the law

by the multigrid of the other algorithm, the inverse by its diagonal.  A grid starts from the half as fine one; the
coarsest from −τξ(ρ⁰), rest, or the last step's φ, and where none is near, from dual ascent with c-transforms
(`dual_ascent`), which also helps out where Newton stalls.  Without vacuum ρ⁰ is interpolated by its logarithm.
On an axis that is a ring φ is periodic, and T is optimal on the circle.

The certificate is a backward error: if ‖R‖₁ = ε and I − D²φ is positive where there is mass, the step is exact for a
density that differs from ρ⁰ by ε, up to how cubics and differences see the data (order 2).  Data that vary from cell to
cell so much that cubics do not see them are refused.  The dual value by the c-transform of φ, which tells a map that is
optimal in parts only, is held against the primal one.

References: Benamou, Froese, Oberman (2014), DOI 10.1016/j.jcp.2013.12.015; Jacobs, Léger (2020), DOI
10.1007/s00211-020-01154-8.
"""

from __future__ import annotations

import numpy as np

from ....energy.energy import Energy, Internal
from ....energy.flow import Flow
from ....grid import Array, Grid
from ....linear.multigrid.solver import Multigrid
from ....transport.c_transforms import between_centres
from ....transport.distances import distance
from ..predicted.start import spread
from .dual_ascent import ascend
from .halved_grids import coarser, finer, smoother, uncertainty
from .pull_back import conductances, monge_ampere
from .solution import ExactSolution, Problem

COARSEST = 64
"""Cells along the longer side of the grid to start on."""
MOST_NEWTON, LINEAR, MOST_LINEAR = 30, 1e-2, 60
AIM = 1e-7
"""Backward error, over the mass, below which there is nothing to gain."""
LOWERED, SHORTEST = 0.2, 0.03
"""What a full step must take off the error, and the shortest step."""
SLOW, STALLED = 0.5, 0.95
"""The ratio of two errors from which a good enough one is not improved, and from which none is."""
NEAR = 0.1
"""‖R‖₁ over the mass from which Newton's method is tried at once."""
FALLS = 1e-3, 1e-2
"""Largest falls of ρ⁰ from a cell to the next, for laws without vacuum: edges become that steep, one after the other
until the error is small enough.  What that adds to ρ⁰ counts as an error."""
RESOLVED = 2e-2
"""The part of the mass that interpolation may miss: a jump has 0.2 h times its length over the area."""
RESTS = 1e-14
"""Change of the mass below which ρ⁰ is at rest."""
FLOOR = 1e-14, 1e-3
"""θ at least, over its maximum: laws without and with vacuum."""
NOISE = 1e-13
"""Of sums of energies, relative."""
APART = 2.0
"""Primal over dual value, in units of what cells hide (h²/8 a unit of mass and axis) and of the backward error."""


class Level:
    """What one grid needs: its law, its multigrid, its c-transform, and buffers; made once."""

    def __init__(self, grid: Grid, internal: Internal) -> None:
        self.flow = Flow(grid, Energy(internal))
        self.grid, self.hx, self.hy = grid, float(grid.x.widths[0]), float(grid.axes[1].widths[0])
        self.cell = self.hx * self.hy
        self.rings = bool(grid.x.ring), bool(grid.axes[1].ring)
        self.multigrid, self.transform = Multigrid(grid), between_centres(grid)
        shape = grid.shape
        self.zero, self.gx, self.gy = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        self.residual, self._rows = np.zeros(shape), np.zeros((3, shape[0]))

    def density(self, problem: Problem, phi: Array) -> tuple[Array, float]:
        """ρ(φ), and the constant that φ lacks: τU'(ρ) + φ + τΦ = constant."""
        state = self.flow.internal.law.equilibrium(self.flow, (phi + problem.tau_v) / problem.tau, problem.mass)
        return np.ascontiguousarray(state.rho), problem.tau * float(state.constant)

    def judge(self, problem: Problem, phi: Array, rho: Array) -> tuple[float, float]:
        """Fills `residual`; returns ‖T_#ρ − ρ⁰‖₁/mass, what T carries wrongly and what it leaves, and ½∫|∇φ|²ρ."""
        size = self.hx, self.hy, *self.rings
        monge_ampere(phi, problem.source, problem.logs, rho, *size, self.residual, self._rows)
        total, missing, cost = (float(row) for row in self._rows.sum(axis=1))
        return (total + abs(missing)) / problem.mass, cost

    def apart(self, eased: Problem, problem: Problem) -> float:
        """‖difference of the densities they start from‖₁/mass."""
        return self.cell * float(np.abs(eased.rho0 - problem.rho0).sum()) / problem.mass

    def newton_move(self, problem: Problem, phi: Array, rho: Array, residual: Array, rtol: float) -> tuple[Array, int]:
        """The Newton step from φ for a residual ρ − carried, and the iterations of conjugate gradients."""
        carried = np.maximum(rho - residual, 0.0)
        theta = 0.5 * (rho + carried)
        theta += FLOOR[self.flow.internal.empties] * float(theta.max())
        conductances(phi, theta, self.hx, self.hy, *self.rings, self.gx, self.gy)
        weight = secant(problem, rho, carried) * self.cell
        self.multigrid.setup(weight, self.gx, self.gy, self.zero, self.zero)
        move, count, _ = self.multigrid.solve(residual * self.cell, rtol, MOST_LINEAR, total=True)
        return move, count


def secant(problem: Problem, a: Array, b: Array) -> Array:
    """(a − b)/(τU'(a) − τU'(b)), elementwise, the derivative of ρ(y) where both agree."""
    internal, least = problem.internal, FLOOR[0] * float(a.max())
    a, b = a + least, b + least
    middle = 0.5 * (a + b)
    far = np.abs(a - b) > 1e-2 * middle
    if internal.law.linear_diffusion:
        slopes = np.log(np.divide(a, b, out=np.ones_like(a), where=far))
        return np.divide(a - b, slopes, out=middle, where=far) / problem.c
    rise = internal.derivative(a) - internal.derivative(b)
    near = 1.0 / internal.law.second_derivative(middle, internal)
    return np.asarray(np.divide(a - b, rise, out=near, where=far)) / problem.tau


def eased_from(problem: Problem, fall: float) -> Problem:
    """The step from a density that falls by no more than this factor from a cell to the next."""
    rho0 = np.empty_like(problem.rho0)
    spread(problem.rho0, fall, 1e-300, rho0)
    for place, axis in zip((1, 0), problem.flow.grid.axes, strict=True):
        if axis.ring:  # once more, with the seam in the middle
            half, eased = axis.size // 2, np.empty_like(rho0)
            spread(np.roll(rho0, half, place), fall, 1e-300, eased)
            rho0 = np.roll(eased, -half, place)
    return problem.starting_from(rho0 * (problem.mass / problem.flow.mass(rho0)))


class Plane:
    """The solver of one flow's exact steps.   tolerance : of ‖R‖₁/mass.   most : Newton iterations on one grid."""

    def __init__(self, flow: Flow, tolerance: float, most: int | None) -> None:
        self.tolerance, self.most = tolerance, most or MOST_NEWTON
        grids = [flow.grid]
        while max(grids[-1].shape) > COARSEST and all(n % 2 == 0 and n >= 16 for n in grids[-1].shape):
            last = grids[-1]
            ends = [a.lower for a in last.axes], [a.upper for a in last.axes]
            grids.append(Grid(*ends, [n // 2 for n in last.shape[::-1]], [a.boundary for a in last.axes]))
        self.levels = [Level(grid, flow.internal) for grid in grids]
        self.iterations = self.linear = 0

    def solve(self, problem: Problem, warm: Array | None) -> ExactSolution:
        """The exact step.   warm : φ of the step before.   Raises SolverError where it is not found."""
        self.iterations = self.linear = 0
        fine, rest = self.levels[0], np.zeros(problem.rho0.shape)
        rho, _ = fine.density(problem, rest)
        if fine.apart(problem.starting_from(rho), problem) <= RESTS:
            return self._proved(fine, problem, rest, problem.starting_from(rho), resting=True)
        self._check_resolved(problem, problem.rho0, "starts from")
        problems = [problem]
        for level in self.levels[1:]:
            problems.append(problems[-1].on(level.flow, coarser))
        phi, eased = None, problem
        for level, each in zip(self.levels[::-1], problems[::-1], strict=True):
            if phi is None:
                shrunk = warm
                for _ in self.levels[1:]:
                    shrunk = None if shrunk is None else coarser(shrunk)
                phi = self._start(level, each, shrunk)
            else:
                phi = finer(phi, fine.rings)
            phi, eased = self._best(level, each, phi)
        assert phi is not None
        return self._proved(fine, problem, phi, eased)

    def _start(self, level: Level, problem: Problem, warm: Array | None) -> Array:
        """Of −τξ of a smoothed ρ⁰, rest, and the last φ the one with the least ‖R‖₁; dual ascent if none is near."""
        spread = smoother(problem.rho0, level.rings) + 1e-12 * float(problem.rho0.max())
        slope = -problem.tau * problem.internal.derivative(spread) - problem.tau_v
        found = []
        for phi in (np.zeros(slope.shape), slope, warm):
            if phi is not None:
                rho, _ = level.density(problem, phi)
                found.append((level.judge(problem, phi, rho)[0], phi))
        least, phi = min(found, key=lambda pair: pair[0])
        return phi if least <= NEAR else self._ascended(level, problem, phi)

    def _ascended(self, level: Level, problem: Problem, phi: Array) -> Array:
        phi, count, linear = ascend(level, problem, phi)
        self.iterations, self.linear = self.iterations + count, self.linear + linear
        return smoother(smoother(phi, level.rings), level.rings)

    def _best(self, level: Level, problem: Problem, phi: Array) -> tuple[Array, Problem]:
        """The potential found, and the problem it solves: from ρ⁰, or from one whose edges are a little less steep."""
        found = []
        for eased in [eased_from(problem, fall) for fall in FALLS] if problem.logs else [problem]:
            end, left = self._newton(level, eased, phi)
            found.append((left + level.apart(eased, problem), end, eased))
            if found[-1][0] <= self.tolerance:
                return end, eased
        eased = found[0][2]
        end, left = self._newton(level, eased, self._ascended(level, problem, phi))
        found.append((left + level.apart(eased, problem), end, eased))
        return min(found, key=lambda each: each[0])[1:]

    def _newton(self, level: Level, problem: Problem, phi: Array) -> tuple[Array, float]:
        """φ and ‖R‖₁/mass, when it is small enough or falls no more."""
        rho, _ = level.density(problem, phi)
        left, _ = level.judge(problem, phi, rho)
        for _ in range(self.most):
            if left <= AIM:
                break
            move, count = level.newton_move(problem, phi, rho, level.residual, LINEAR)
            self.iterations, self.linear = self.iterations + 1, self.linear + count
            size = 1.0
            while True:
                trial = phi + size * move
                other, _ = level.density(problem, trial)
                less, _ = level.judge(problem, trial, other)
                if less < (1.0 - LOWERED * size) * left or size < SHORTEST:
                    break
                size *= 0.5
            if not less < left:
                level.judge(problem, phi, rho)
                break
            done = less > (SLOW if less <= self.tolerance else STALLED) * left
            phi, rho, left = trial, other, less
            if done:
                break
        return phi, left

    def _check_resolved(self, problem: Problem, rho: Array, which: str) -> None:
        """Refuse densities of which the cells do not say what they are between them: no residual is to be trusted."""
        if not (unknown := uncertainty(rho, self.levels[0].rings)) <= RESOLVED:
            raise problem.failure(
                f"the density that it {which} varies so much from cell to cell that {unknown:.2g} of its mass is "
                f"unknown between them; at most {RESOLVED:g} is taken"
            )

    def _check_energy(self, level: Level, problem: Problem, rho: Array, transport: float) -> None:
        """Refuse what rises in energy with W₂ itself, where dual and primal value cannot tell: moves less than a cell.

        What a residual leaves where no mass can come from costs the map nothing, and W₂ all of the way.
        """
        cost = 0.5 * distance(level.grid, problem.rho0, rho).lower ** 2
        before, after = problem.energy(problem.rho0), problem.energy(rho)
        if cost > transport and cost + after - before > NOISE * (abs(before) + abs(after)):
            raise problem.failure(
                f"½W₂² of what it ends at is at least {cost:.3g} and that of its map {transport:.3g}; the energy, "
                f"times tau, falls by {before - after:.3g}"
            )

    def _proved(
        self, level: Level, problem: Problem, phi: Array, eased: Problem, resting: bool = False
    ) -> ExactSolution:
        rho, constant = level.density(problem, phi)
        backward, transport = level.judge(eased, phi, rho)
        backward += level.apart(eased, problem)
        if not backward <= self.tolerance:
            raise problem.failure(
                f"it is exact for a density that differs by {backward:.2g} of the mass from the one given; "
                f"{self.tolerance:.2g} was asked for"
            )
        if not resting:
            self._check_resolved(problem, rho, "ends at")
        integral = problem.flow.integral
        primal = transport + problem.energy(rho)
        dual = integral(phi * rho) + integral(level.transform(phi) * problem.rho0) + problem.energy(rho)
        hidden = 0.125 * (level.hx**2 + level.hy**2) * problem.mass
        reach = (backward * problem.mass) * (float(np.ptp(phi)) + 1e-300)
        if primal - dual > APART * (hidden + reach):
            raise problem.failure(f"its map is no optimal one: primal value {primal:.6g}, dual value {dual:.6g}")
        rho *= problem.mass / problem.flow.mass(rho)
        if not resting and transport < APART * (hidden + reach):
            self._check_energy(level, problem, rho, transport)
        return ExactSolution(
            rho, phi - constant, np.nan, backward, primal + problem.level * problem.mass,
            dual + problem.level * problem.mass, transport, problem.scale(rho, transport), self.iterations, self.linear,
        )  # fmt: skip
