"""JKO steps and optimal transport by the method of Chambolle and Pock, with any number of inner time steps.

    min  Σ_k (1/N) Σ_σ w |m_k|²/(2Dθ(½(ρ_{k−1}+ρ_k))) + F(ρ_N)     s.t.  N(ρ_k − ρ_{k−1}) + div m_k = 0,  ρ_k ≥ 0,

ρ_0 given; D = 1 but for the steps of a flow with a diffusion of its own.  F is τE with 0 ≤ ρ ≤ `congestion` (a JKO
step) or prescribes ρ_N (transport).  N = 1 is the problem that `newton` solves; the end tends to that of the exact JKO
step as N grows (mid-point: order 2 in 1/N; measured slopes 1.0 to 1.7 for N up to 8).  With x = (ρ, m) in the
continuity equation C and K x = (θ, m on faces; ρ_k), y = (a, b; z), one iteration is

    x̃ = P_C(x − T K*y),     ỹ = prox_{ΣH*}(y + ΣK(2x̃ − x)),     (x, y) ← (x, y) + RELAXATION (x̃ − x, ỹ − y).

P_C is exact (module `projection`), so the multiplier φ of C ascends in an H¹ metric and the number of iterations
hardly grows with the grid.  H* takes faces and cells one by one (module `proximal`).  T⁻¹ is a diagonal bound of
K*ΣK, so that the steps need no safety factor; Σ = (s_θ, s_m, s_ρ, s_end), s_ρ = d s_θ, follows the
way that the blocks of x and y have gone (module `pdhg_steps`).

A cascade of coarser problems gives the start (module `pdhg_cascade`), the certificate its end (module
`pdhg_certificate`).

Measured (Gaussian, entropy, V = |x|²/2): 61 iterations on the finest grid for 48² cells, τ = 0.1, N = 8 and a gap of
1e-4, 523 for 1e-6; 124 and 523 for τ = 1 and N = 4.  Left out: Anderson acceleration (5 or 10 vectors) saves a third of
the iterations at twice the cost of each.  Slow: no internal energy, mass in one cell or between noise, with far to go.

References: Chambolle, Pock (2011), DOI 10.1007/s10851-010-0251-1; Condat (2013), DOI 10.1007/s10957-012-0245-9
(relaxation); Pock, Chambolle (2011), DOI 10.1109/ICCV.2011.6126441 (diagonal metrics); Carrillo, Craig, Wang, Wei
(2022), DOI 10.1007/s10208-021-09503-1; Papadakis, Peyré, Oudet (2014), DOI 10.1137/130920058.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from ...errors import SolverError
from ...grid import Array, Grid
from ...linear.threads import share
from ...linear.transforms import Cosine
from .operators import Staggering
from .pdhg_cascade import EnergyStep, Guess, Problem, at_rest, carried, start_of
from .pdhg_certificate import Proof, Prover, hamiltonian
from .pdhg_end import End
from .pdhg_steps import DualSteps, first_speed, first_steps, typical, way
from .projection import Continuity
from .proximal import FIXED, kinetic_update, terminal_update

RELAXATION = 1.8
COARSE_ITERATIONS = 300
"""Most iterations spent on a coarser level: it only gives a start."""

GAIN, PATIENCE = 0.9, 2
"""Looks in a row that leave more than this share of the smallest gap before, after which sizes go back to the first."""
REST = 1e-2
"""Share of the tolerance that the gap of no move must be below to be taken for the answer."""


@dataclass(frozen=True, repr=False)
class PdhgResult:
    """The end of a step or transport, with its path and its certificate.

    rho : (ny, nx) end density, = path[-1].   path : (N+1, ny, nx).   momentum_x, momentum_y : (N, ny, nx) on faces.
    phi : (N, ny, nx) dual potential.   iterations : on the finest grid.   cascade : per level, coarse to fine.
    primal, dual, transport : P, D and ½W₂² of the path.   gap : (P − D)/scale, see
    `gap_scale`.
    found_by : the method, as sentences name it.
    continuity : end density prescribed: ‖ρ_N − ρ₁‖₁/mass; else 0, since the path is made from the momentum.
    hamilton_jacobi : (Σ_k<N ⟨ρ_k, |s_k|⟩ + ⟨ρ_N, |τE'(ρ_N) + φ_N − k(φ_N)/N − λ|⟩) over the same scale as the gap.
    """

    rho: Array
    path: Array
    momentum_x: Array
    momentum_y: Array
    phi: Array
    iterations: int
    continuity: float
    hamilton_jacobi: float
    primal: float
    dual: float
    transport: float
    gap: float
    cascade: tuple[int, ...] = ()
    scale: float = math.nan
    found_by: str = '"pdhg"'

    def lifted(self, height: float, mass: float) -> PdhgResult:
        """The result of the same step with a τV that is higher by a constant."""
        energy = height * mass
        return replace(self, phi=self.phi - height, primal=self.primal + energy, dual=self.dual + energy)

    def __repr__(self) -> str:
        numbers = f"transport={self.transport:.6g}, gap={self.gap:.3g}, iterations={self.iterations}"
        return f"PdhgResult({numbers}, path of shape {self.path.shape})"


def solve_step(
    step: EnergyStep, tolerance: float, max_iterations: int, warm: PdhgResult | None = None, threads: int = 1
) -> PdhgResult:
    """The end of a step, with its path.

    tolerance : relative gap.   max_iterations : on the finest grid.
    warm : an earlier result, on any grid of the same box, to start from in place of the cascade.
    Preserves: mass to rounding, ρ ≥ 0 exactly, ρ ≤ congestion (1 + 1e-12).  Order: 2 in h; in inner_steps see above.
    Raises CaseError for a stretched grid and as the step does, SolverError where the gap stays above.
    """
    return _solve(step.problem, tolerance, max_iterations, warm, threads)


def solve_transport(
    grid: Grid,
    rho0: Array,
    rho1: Array,
    inner_steps: int,
    tolerance: float,
    max_iterations: int,
    warm: PdhgResult | None = None,
    threads: int = 1,
) -> PdhgResult:
    """The geodesic from rho0 to rho1, `transport` being ½W₂² of its path and `primal` the same corrected to end at
    rho1.

    The gap is brought below the tolerance, and `continuity`, the distance of the end from rho1, below the tolerance
    times that of rho0, if this is less than the mass.  `dual` is a rigorous lower bound of ½W₂² of the discrete
    problem; an upper bound is `primal` up to second order in `continuity`.
    rho0, rho1 : (ny, nx), or (nx,) in 1D; the rest, orders and errors as for `solve_step`, and CaseError without inner
    steps.  One inner step cannot cross a vacuum: take at least two.  From rest, densities less than about a tenth of
    the mass apart take long: start those from `nearby`.
    """
    volume, rho0 = start_of(grid, rho0, inner_steps)
    rho1 = np.ascontiguousarray(rho1, dtype=float).reshape(rho0.shape)
    problem = Problem(grid, rho0, End.of_density(rho1, volume), inner_steps)
    return _solve(problem, tolerance, max_iterations, warm, threads)


def _solve(
    problem: Problem, tolerance: float, max_iterations: int, warm: PdhgResult | None, threads: int
) -> PdhgResult:
    Cosine.check(problem.grid)
    if (rest := _at_rest(problem, tolerance)) is not None:
        return rest
    levels: list[Problem] = [problem]
    guess, rho0, speed = at_rest(problem), problem.rho0, first_speed(problem)
    if warm is not None:
        momentum = np.stack([warm.momentum_x, warm.momentum_y])
        guess, rho0 = Guess(warm.path[1:], momentum, warm.phi), warm.path[0]
        speed = 2.0 * warm.transport / problem.mass or speed
    else:
        while (coarse := levels[-1].coarser()) is not None:
            levels.append(coarse)
        guess, rho0 = at_rest(levels[-1]), levels[-1].rho0
    counts = []
    for level in reversed(levels):
        start = carried(guess, rho0, level)
        density = typical(np.concatenate([level.rho0[None], start.rho]))
        iteration = Iteration(level, start, first_steps(level, speed, density), tolerance, threads)
        proof = iteration.run(max_iterations if level is problem else min(max_iterations, COARSE_ITERATIONS))
        guess, rho0, speed = iteration.guess, level.rho0, 2.0 * proof.transport / level.mass or speed
        counts.append(iteration.count)
    if not _enough(proof, tolerance, problem):
        raise SolverError(_refusal(proof, tolerance, max_iterations, problem))
    return result_of(proof, tuple(counts))


def _at_rest(problem: Problem, tolerance: float) -> PdhgResult | None:
    """The step that moves nothing, where that is proved far below the tolerance: a state at rest stays exactly."""
    if problem.end.code == FIXED:
        return None
    guess = at_rest(problem)
    proof = Prover(problem.faces(), problem.rho0, problem.end, problem.steps).prove(guess.momentum, guess.phi)
    return result_of(proof, (0,)) if _enough(proof, REST * tolerance, problem) else None


def result_of(proof: Proof, counts: tuple[int, ...]) -> PdhgResult:
    """What a proof says, whatever method found it.   counts : iterations per level, coarse to fine."""
    return PdhgResult(
        proof.path[-1], proof.path, proof.momentum[0], proof.momentum[1], proof.phi, counts[-1], proof.mismatch,
        proof.hamilton_jacobi, proof.primal, proof.dual, proof.transport, proof.gap, counts, proof.scale,
    )  # fmt: skip


class Iteration:
    """The method on one grid.

    x, bar : (3, N, ny, nx) ρ, m_x, m_y.   y : (5, N, ny, nx) a_x, b_x, a_y, b_y, z.   sizes : Σ.   count : iterations.
    """

    def __init__(self, problem: Problem, guess: Guess, sizes: DualSteps, tolerance: float, threads: int) -> None:
        self.problem, self.threads, self.tolerance, self.count = problem, threads, tolerance, 0
        self.continuity = Continuity(problem.grid, problem.steps, threads)
        self.faces = problem.faces()
        self.prover = Prover(self.faces, problem.rho0, problem.end, problem.steps)
        self.x = np.concatenate([guess.rho[None], guess.momentum])
        self.bar = np.empty_like(self.x)
        self.y = self._dual_of(guess.phi)
        self._terminal = problem.end.v if problem.end.code == FIXED else problem.steps * problem.end.v
        self._scale(sizes)

    @property
    def guess(self) -> Guess:
        """Where a finer grid starts."""
        return Guess(self.x[0], self.x[1:], self.continuity.phi)

    def run(self, max_iterations: int) -> Proof:
        """Iterate until the certificate meets the tolerance, or to the maximum."""
        check = 5
        self._before = self.x.copy(), self.y.copy()
        self._first, self._best, self._idle = self.sizes, math.inf, 0
        while True:
            self._iterate()
            self.count += 1
            if self.count < min(check, max_iterations):
                continue
            proof = self.prover.prove(self.x[1:], self.continuity.phi)
            if _enough(proof, self.tolerance, self.problem) or self.count >= max_iterations:
                return proof
            check = self.count + max(5, self.count // 5)
            self._balance(proof.gap)

    def _iterate(self) -> None:
        end, rows, cells = self.problem.end, self.x.shape[2], self.continuity.cells
        wraps = [axis.ring for axis in self.problem.grid.axes] + [0]
        self.continuity.descend(self.x, self.y, self.problem.rho0, self.bar)
        self.continuity.project()
        self.continuity.advance(RELAXATION, self.x, self.bar)
        share(kinetic_update, rows, cells, self.threads, self.bar, self.problem.rho0, self.faces.dx, self.faces.dy,
              wraps[0], wraps[1], self.sizes.theta, self.sizes.momentum, self.s_rho, RELAXATION, self.y)  # fmt: skip
        share(terminal_update, rows, cells, self.threads, self.bar[0, -1], end.code, end.c * self.problem.steps, end.m,
              self._terminal, end.cap, self.s_end, RELAXATION, self.y[4, -1])  # fmt: skip

    def _balance(self, gap: float) -> None:
        """Follow the way gone since the last look, or go back to the first sizes where that has gained nothing."""
        walls = [not axis.ring for axis in self.problem.grid.axes] + [True]
        moved = way(self.x, self.y, *self._before, (walls[0], walls[1]), self.problem.steps)
        self._idle = self._idle + 1 if gap > GAIN * self._best else 0
        self._best = min(self._best, gap)
        if self._idle < PATIENCE:
            self._scale(self.sizes.balanced(moved))
        else:
            self._scale(self._first)
            self._idle = -PATIENCE
        self._before[0][:], self._before[1][:] = self.x, self.y

    def _scale(self, sizes: DualSteps) -> None:
        """Take these dual steps, and with them the metric of the projection."""
        steps, dim = self.problem.steps, self.problem.grid.dim
        self.sizes, self.s_rho, self.s_end = sizes, dim * sizes.theta, steps * sizes.end
        t_rho = np.full(steps, 1.0 / (dim * sizes.theta + self.s_rho))
        t_rho[-1] = 1.0 / ((0.5 if steps > 1 else 0.25) * dim * sizes.theta + self.s_end)
        self.continuity.factor(t_rho, 1.0 / sizes.momentum)

    def _dual_of(self, phi: Array) -> Array:
        """y from φ: b = ∇φ, a = −½Db², and z that balances them, at the end with the multiplier of the mass.

        Without that z would be off by N τU'(ρ̄), which for the entropy is any number, by the unit of length.
        """
        steps, y, rate = self.problem.steps, np.zeros((5, *phi.shape)), np.empty_like(phi)
        plain, given = Staggering(self.problem.grid), self.problem.dynamics is not None
        y[1] = (np.roll(phi, -1, axis=2) - phi) * plain.ax
        y[3] = (np.roll(phi, -1, axis=1) - phi) * plain.ay[:, None]
        y[0::2][:2] = -0.5 * y[1::2] ** 2
        if given:
            y[0] *= self.faces.dx
            y[2] *= self.faces.dy if self.faces.dy.ndim == 2 else self.faces.dy[:, None]
        hamiltonian(phi, self.faces.ax, self.faces.ay, 1.0, rate)
        y[4, :-1] = np.minimum(rate[:-1] + rate[1:] - steps * (phi[:-1] - phi[1:]), 0.0)
        last = rate[-1] / steps - phi[-1]
        y[4, -1] = steps * (last + self.problem.end.bound(last, self.problem.mass)[1])
        return y


def _enough(proof: Proof, tolerance: float, problem: Problem) -> bool:
    return proof.gap <= tolerance and proof.mismatch <= tolerance * problem.apart


def _refusal(proof: Proof, tolerance: float, max_iterations: int, problem: Problem) -> str:
    end, asked = "", f"{tolerance:.1e} was"
    if problem.end.code == FIXED:
        end = f", its end {proof.mismatch:.2e} of the mass from the one prescribed,"
        asked = f"{tolerance:.1e} and {tolerance * problem.apart:.1e} were"
    return (
        f"pdhg reached a relative gap of {proof.gap:.2e}{end} in {max_iterations} iterations; {asked} asked for. "
        "Raise max_iterations, take a larger tolerance or fewer inner steps, or for one inner step newton."
    )
