"""Transport between densities near each other, by shooting from the middle of the path.

    ½W₂² ≤ P = Σ_k (1/N) Σ_σ w m_k²/(2θ(½(ρ_{k−1}+ρ_k)))                          for every path ρ_k ≥ 0 from a to b,
    ½W₂² ≥ D = ⟨b, φ_N − k(φ_N)/N⟩ − ⟨a, φ_1 + k(φ_1)/N⟩ + M Σ_{k<N} min s_k      for all φ_1 … φ_N,
    s_k = φ_k − φ_{k+1} − (k(φ_k) + k(φ_{k+1}))/N,      k(φ) = ¼R|∇φ|²:

the discrete problem and the bounds of `pdhg`.  While no paths cross, s_k = 0 determines all φ_k by the one in the
middle, φ_K; the fixed point contracts with the Courant number |∇φ|/(Nh).  D is then a concave function of φ_K alone.
Its gradient is what the continuity equation leaves open in step K, when ρ is marched with the momenta θ∇φ_k from a
and from b to there, r.  One elliptic problem serves both bounds,

    −∇·(θ∇ψ) = r,  θ of ½(a + b):       φ_K ← φ_K + ψ raises D;      m_k = θ_k∇φ_k + θ∇ψ closes the path, P.

At first φ = 0 and r = b − a: the path is (1 − s)a + sb with its best constant momentum, exact for N = 1, and P − D is
of relative order (distance/width)².  Every round gains another such factor.  All sums are of small terms, none a
difference of large ones, so that the relative gap holds for distances of 1e-15 as it does for 0.1.

In a vacuum θ = 0 and ψ is free, but s_k must not be negative there: potentials are found with a little added to θ,
which costs D as much as that share of the mass would; momenta are not.  A closed path that is negative somewhere is
marched again without its thin parts, then mixed with the straight one, which never is.  What this costs is in the gap.

Measured: see `distances`.  It ends at fronts, and at distances of more than one or two widths: on 64², parabolas on a
disc of radius 2 moved by 0.01, 0.1, 0.3 leave gaps of 2e-5, 2e-3, 2e-2.  From there `pdhg` takes 5 to 40 iterations,
where from rest it takes 25 to 200 or, with less than a tenth of the mass to move, more than 2000.

References: Benamou, Brenier (2000), DOI 10.1007/s002110050002; Peyre (2018), DOI 10.1051/cocv/2017050 (W₂ and weighted
H⁻¹ norms).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ...grid import Array, Grid
from .characteristics import Characteristics, Lower
from .elliptic import Elliptic, means, rises
from .operators import Staggering
from .pdhg import PdhgResult
from .pdhg_path import march

ROUNDS, GAIN = 12, 0.7
"""Most rounds; one that leaves more than this share of the gap is the last."""
AIM = 0.01
"""Gap aimed at, in units of the tolerance: another round costs little."""
FLOORS = (1e-3, 1e-1, 1e1)
"""Densities added for the potentials, in units of the mean density and of the tolerance."""
ENOUGH = 0.5
"""A rise of D by less than this share of what it promised calls for the next of them."""
CLOSED, MASS_ROUNDING = 1e-8, 1e-15
"""‖ρ_N − b‖₁ of a path that counts as closed, relative to ‖b − a‖₁, and what rounding of the mass adds."""
MOST_STEPS = 32
"""In s."""
MARCHES = 4
"""Fixed-point iterations for one ρ_k."""
THIN = (0.0, 1e-4, 1e-2)
"""Densities below which momenta θ∇φ are left out, in units of the mean density, until the closed path is positive."""


@dataclass(frozen=True)
class Upper:
    """value : P.   path : (N+1, ny, nx).   flux : (2, N, ny, nx).   miss : ‖ρ_N − b‖₁."""

    value: float
    path: Array
    flux: Array
    miss: float


@dataclass(frozen=True)
class Marched:
    """path : (N+1, ny, nx) ρ from a up to K − 1 and from b down to K.   flux : (2, N, ny, nx) along it.
    open : (ny, nx) r, what step K leaves open."""

    path: Array
    flux: Array
    open: Array


def solve_nearby(grid: Grid, a: Array, b: Array, inner_steps: int, tolerance: float, threads: int = 1) -> PdhgResult:
    """The best path and potentials found; its `gap` and `continuity` say what they are worth.

    grid : 2D, uniform.   a, b : (ny, nx), ≥ 0, different, of one mass up to rounding.   inner_steps : at least; more
    are taken, up to MOST_STEPS, where a step would cross more than a cell.   tolerance : relative gap.
    Result: `iterations` of conjugate gradients; `gap` is inf where not even the straight path could be closed.
    Preserves mass to rounding, ρ ≥ 0 exactly.
    """
    shooting = Shooting(grid, a, b, inner_steps, tolerance, threads)
    found = shooting.run()
    steps = min(inner_steps * math.ceil(shooting.courant), MOST_STEPS)
    if found.gap <= tolerance or steps <= inner_steps:
        return found
    finer = Shooting(grid, a, b, steps, tolerance, threads).run()
    return finer if finer.gap < found.gap else found


class Shooting:
    """The method for one pair of densities; arguments as for `solve_nearby`.  Fluxes are momenta times area over N.

    iterations : of conjugate gradients.   courant : cells that the fastest velocity last found crosses in a step.
    """

    def __init__(self, grid: Grid, a: Array, b: Array, steps: int, tolerance: float, threads: int) -> None:
        self.a, self.b, self.steps, self.tolerance = a, b, steps, tolerance
        self.faces = Staggering(grid, threads)
        self.cell = grid.volume / grid.size
        self.mass = self.cell * float(a.sum(axis=1).sum())
        self.apart = self.cell * float(np.abs(b - a).sum(axis=1).sum())
        self._characteristics = Characteristics(self.faces, a, b, steps)
        self.middle = self._characteristics.middle
        self.iterations, self.courant = 0, 0.0
        self._grid, self._mean = grid, 0.5 * (a + b)
        self._momenta, self._potentials = Elliptic(grid, self.faces, self._mean), self._with_floor(0)
        time = np.arange(steps + 1.0)[:, None, None] / steps
        self._straight = (1.0 - time) * a + time * b
        self._share = time - (np.arange(steps + 1) >= self.middle)[:, None, None]

    def run(self) -> PdhgResult:
        """Lower P and raise D until they meet, or a round no longer gains."""
        nothing = np.zeros((self.steps, *self.a.shape))
        lower, r = Lower(0.0, nothing[0], nothing, nothing), self.b - self.a
        straight = self._closing(r)
        upper = self._bound(self._straight, straight)
        if upper.value == math.inf:
            return self._result(upper, lower)
        lower = self._raised(lower, r)
        last, gap = math.inf, (upper.value - lower.value) / upper.value
        for _ in range(ROUNDS):
            if not AIM * self.tolerance < gap < GAIN * last:
                break
            marched = self._march(lower, 0.0)
            upper = self._lowered(upper, lower, marched, straight)
            lower = self._raised(lower, marched.open)
            last, gap = gap, (upper.value - lower.value) / upper.value
        return self._result(upper, lower)

    def _result(self, upper: Upper, lower: Lower) -> PdhgResult:
        momentum = upper.flux * (self.steps / np.array([self.faces.hy[0], self.faces.hx[0]]))[:, None, None, None]
        broken = self.mass * float(np.abs(lower.slack).max(axis=(1, 2)).sum())
        gap = (upper.value - lower.value) / upper.value if upper.value < math.inf else math.inf
        return PdhgResult(
            upper.path[-1], upper.path, momentum[0], momentum[1], lower.phi + lower.change, self.iterations,
            upper.miss / self.mass, broken / upper.value, upper.value, lower.value,
            upper.value, gap,
        )  # fmt: skip

    def _solve(self, problem: Elliptic, r: Array) -> Array:
        psi, count = problem.solve(r)
        self.iterations += count
        return psi

    # ---- the path: P -----------------------------------------------------------------------------------------

    def _closing(self, r: Array) -> Array:
        """Steady fluxes (2, 1, ny, nx) that move r in N steps: θ∇ψ."""
        return (self._momenta.g * rises(self._solve(self._momenta, r)))[:, None] / self.steps

    def _march(self, lower: Lower, thin: float) -> Marched:
        path, flux = np.empty((self.steps + 1, *self.a.shape)), np.empty((2, self.steps, *self.a.shape))
        path[0], path[-1], centre = self.a, self.b, self.middle - 1
        for k in range(centre):
            path[k + 1], flux[:, k] = self._step(path[k], lower.phi + lower.change[k], thin, 1.0)
        for k in range(self.steps - 1, centre, -1):
            path[k], flux[:, k] = self._step(path[k + 1], lower.phi + lower.change[k], thin, -1.0)
        flux[:, centre] = self._flux(0.5 * (path[centre] + path[centre + 1]), rises(lower.phi), thin)
        return Marched(path, flux, (path[centre + 1] - path[centre]) + self._divergence(flux[:, centre]))

    def _step(self, rho: Array, phi: Array, thin: float, sign: float) -> tuple[Array, Array]:
        """ρ a step later (sign 1) or earlier (−1) under φ, and the flux that leads there."""
        rise, end = rises(phi), rho
        for _ in range(MARCHES):
            flux = self._flux(0.5 * (rho + end), rise, thin)
            end = rho - sign * self._divergence(flux)
        return end, flux

    def _flux(self, rho: Array, rise: Array, thin: float) -> Array:
        theta = means(rho)
        if thin > 0.0:
            share = (theta / thin) ** 2
            theta *= share / (share + 1)
        return theta * self._momenta.scale * rise / self.steps

    def _divergence(self, flux: Array) -> Array:
        """What a flux (2, ny, nx) takes from the density of the cells."""
        x, y = flux
        return ((x - np.roll(x, 1, axis=1)) + (y - np.roll(y, 1, axis=0))) / self.cell

    def _lowered(self, upper: Upper, lower: Lower, marched: Marched, straight: Array) -> Upper:
        """The bound of the marched path, closed; where it is negative, also of those that leave thin parts out.

        There, a and b are joined by the closing alone: the path tends to the straight one.  `upper` if none is better.
        """
        for thin in THIN:
            if thin > 0.0:
                marched = self._march(lower, thin * float(self._mean.mean()))
            path = marched.path + self._share * marched.open
            found = self._mixed(path, marched.flux + self._closing(marched.open), straight)
            upper = min(upper, found, key=_value)
            if path.min() >= 0.0:
                break
        return upper

    def _mixed(self, path: Array, flux: Array, straight: Array) -> Upper:
        """The bound of a path, mixed with just so much of the straight one that it is not negative."""
        negative = path < 0.0
        if negative.any():
            below, above = -path[negative], self._straight[negative]
            share = min(float((below / (below + above)).max()) * (1.0 + 1e-9), 1.0)
            path = np.maximum((1.0 - share) * path + share * self._straight, 0.0)
            flux = (1.0 - share) * flux + share * straight
        return self._bound(path, flux)

    def _bound(self, path: Array, flux: Array) -> Upper:
        """P of a path ≥ 0 and of fluxes that lead along it, up to rounding; inf where they miss b."""
        flux = np.broadcast_to(flux, (2, *path[1:].shape))
        miss = self.cell * float(np.abs((self.b - self.a) + self._divergence(flux.sum(axis=1))).sum())
        rows, end, total = np.empty((self.steps, len(self.a))), np.empty_like(self.a), math.inf
        if miss <= CLOSED * self.apart + MASS_ROUNDING * self.mass:
            for k in range(self.steps):
                march(path[k], self.cell, self.faces.ax, self.faces.ay, flux[0, k], flux[1, k], end, rows[k])
            total = self.steps * float(rows.sum())
        return Upper(total, path, flux, miss)

    # ---- the potentials: D -----------------------------------------------------------------------------------

    def _raised(self, lower: Lower, r: Array) -> Lower:
        """The bound of φ_K + ψ, the best of those found with a little and with more added to θ."""
        best, start = lower, self._level
        for level in range(start, len(FLOORS)):
            if level > start:
                self._potentials = self._with_floor(level)
            psi = self._solve(self._potentials, r)
            found = self._characteristics.bound(lower.phi + psi)
            best, self.courant = max(best, found, key=_value), self._crossed(found.phi)
            if best.value - lower.value >= ENOUGH * 0.5 * self.cell * float(np.vdot(r, psi)):
                break
        return best

    def _crossed(self, phi: Array) -> float:
        """Cells that the fastest velocity crosses in a step."""
        x, y = (float(np.abs(part).max()) for part in rises(phi) * self._momenta.scale / self.cell)
        return max(x, y) / self.steps

    def _with_floor(self, level: int) -> Elliptic:
        self._level = level
        floor = FLOORS[level] * self.tolerance * float(self._mean.mean())
        return Elliptic(self._grid, self.faces, self._mean + floor)


def _value(bound: Upper | Lower) -> float:
    return bound.value
