"""Dual ascent on one lattice: weighted Newton steps between exact c-transforms.

    J(φ) = Σ φ b + Σ φ^c a  →  max,         ∇J = b − (id − ∇φ^c)_# a,
    −∇·(θ (I − D²φ)⁻¹ ∇g) = ∇J,             φ ← (φ + s g)^cc,   s = 1, 2, … while J rises as fast, ½, … until it does,

for φ, and by turns for ψ = φ^c with a and b exchanged.  The matrix is that of the linearised Monge–Ampère equation, its
diagonal second derivatives only, kept positive; θ is the mean of the density sought and the one found, with a floor.
With θ = 1 and no second derivatives this is the back-and-forth method, which takes some eighty iterations where this
takes three to six.  Every iterate is c-concave, J never falls, so nothing can diverge.  A side that no step raises
rests until the next lattice.

References: Jacobs, Léger (2020), DOI 10.1007/s00211-020-01154-8.
"""

from __future__ import annotations

import numpy as np

from ...base.kernel_cache import njit
from ...grid import Array, Grid
from ...linear.multigrid.solver import Multigrid
from ..c_transforms import between_centres, periods_of
from .measures import Bundles, Periods
from .parcels import arrivals

FLOOR = 1e-3
"""Added to θ, in units of the largest density."""
LEAST_SLOPE, MOST_SLOPE = 0.02, 50.0
"""Between which 1 − ∂ₖₖφ is kept."""
ACCURACY, MOST_CYCLES = 0.1, 40
"""Of the linear solves: relative residual, and iterations."""
ONE_SIDED = 2**16
"""Cells above which a turn is that of φ alone: coarser lattices have left little to do."""
RISE = 1e-3
"""Share of the rise that a step promises which it has to bring."""
STRAIGHT = 0.7
"""Share of it, ½ where the model holds, above which a longer step is tried: J is less curved than θ says."""
SHORTEST, LONGEST = 1e-3, 1024.0
REST, LEFT = 1e-4, 1e-5
"""Relative rises of J: below which a turn was the last, and for which no shorter step is tried: the chord through the
last two trials of a concave J says what is left of it."""


class Ascent:
    """The problem on one lattice: masses a and b, (ny, nx), of sum 1, at the centres of a uniform grid."""

    def __init__(self, grid: Grid, a: Array, b: Array) -> None:
        self.grid, self._masses = grid, (a, b)
        self._transform = between_centres(grid)
        x, y = periods_of(grid)
        self._periods: Periods = x, y
        self._rasters = [_raster(grid, mass) for mass in (a, b)]
        self._multigrid = Multigrid(grid)
        self._none = np.zeros(grid.shape)
        self._gx, self._gy = np.zeros(grid.shape), np.zeros(grid.shape)
        self.iterations = 0

    def run(self, phi: Array, most: int) -> Array:
        """φ, on the side of b, after at most so many turns of both sides, from any φ."""
        psi = self._transform(phi)
        sides = [psi, self._transform(psi)]
        value = self._value(sides)
        turn = [1, 0] if self.grid.size <= ONE_SIDED else [1]
        for _ in range(most):
            before = value
            for side in tuple(turn):
                risen = self._step(sides, side, value)
                if not risen > value:
                    turn.remove(side)
                value = risen
            if value - before <= REST * abs(value):
                break
        return sides[1]

    def _value(self, sides: list[Array]) -> float:
        pairs = zip(sides, self._masses, strict=True)
        return float(sum(np.einsum("ji,ji->j", p, mass).sum() for p, mass in pairs))

    def _step(self, sides: list[Array], side: int, value: float) -> float:
        """One Newton step for the potential of one side; the new J."""
        mass = self._masses[side]
        arrived = arrivals(sides[1 - side], self._rasters[1 - side], self._rasters[side], self._periods)
        g, r = self._newton(sides[side], mass, arrived)
        promised, s, best, last = float(np.sum(g * r)), 1.0, value, -np.inf
        while s > SHORTEST:
            other = self._transform(sides[side] + s * g)
            trial = [other, other]
            trial[side] = self._transform(other)
            risen = self._value(trial)
            if risen > max(best, value + RISE * s * promised):
                found, best = trial, risen
                if s < 1.0 or risen < value + STRAIGHT * s * promised or s >= LONGEST:
                    break
                s *= 2.0
            elif best > value or 2.0 * risen - last - value <= LEFT * abs(value):
                break
            else:
                s, last = 0.5 * s, risen
        if best > value:
            sides[:] = found
        return best

    def _newton(self, phi: Array, mass: Array, arrived: Array) -> tuple[Array, Array]:
        """g with −∇·(θ(I − D²φ)⁻¹∇g) = r, the masses that are missing; balanced for that."""
        x, y = self.grid.axes
        h, rings = (x.length / x.size, y.length / y.size), (bool(x.ring), bool(y.ring))
        theta = _smooth(arrived, *rings)
        _linearised(_smooth(phi, *rings), mass, *h, *rings, theta, self._gx, self._gy)
        self._multigrid.setup(1e-10 * theta, self._gx, self._gy, self._none, self._none)
        r = mass - arrived
        g, iterations, _ = self._multigrid.solve(r - np.sum(r) * theta / np.sum(theta), ACCURACY, MOST_CYCLES)
        self.iterations += iterations
        return g, r


@njit(cache=True, nogil=True)
def _smooth(values, ring_x, ring_y):
    """(1, 2, 1)/4 along each axis; at a wall a cell is its own neighbour."""
    ny, nx = values.shape
    wide, out = np.empty((ny, nx)), np.empty((ny, nx))
    for j in range(ny):
        first, last = (values[j, nx - 1], values[j, 0]) if ring_x else (values[j, 0], values[j, nx - 1])
        for i in range(nx):
            low, high = values[j, i - 1] if i > 0 else first, values[j, i + 1] if i < nx - 1 else last
            wide[j, i] = 0.25 * (low + high) + 0.5 * values[j, i]
    for j in range(ny):
        below = j - 1 if j > 0 else (ny - 1 if ring_y else 0)
        above = j + 1 if j < ny - 1 else (0 if ring_y else ny - 1)
        for i in range(nx):
            out[j, i] = 0.25 * (wide[below, i] + wide[above, i]) + 0.5 * wide[j, i]
    return out


@njit(cache=True, nogil=True)
def _linearised(phi, mass, hx, hy, ring_x, ring_y, theta, gx, gy):
    """Conductances of the faces after each cell.   theta : what arrives, smoothed; on return θ, with its floor."""
    ny, nx = phi.shape
    most = 0.0
    for j in range(ny):
        for i in range(nx):
            theta[j, i] = 0.5 * (mass[j, i] + theta[j, i]) / (hx * hy)
            most = max(most, theta[j, i])
    theta += FLOOR * most
    for j in range(ny):
        below = j - 1 if j > 0 else (ny - 1 if ring_y else 0)
        above = j + 1 if j < ny - 1 else (0 if ring_y else ny - 1)
        for i in range(nx):
            left = i - 1 if i > 0 else (nx - 1 if ring_x else 0)
            right = i + 1 if i < nx - 1 else (0 if ring_x else nx - 1)
            slope = 1.0 - (phi[j, left] - 2.0 * phi[j, i] + phi[j, right]) / hx**2
            gx[j, i] = theta[j, i] / min(max(slope, LEAST_SLOPE), MOST_SLOPE)
            slope = 1.0 - (phi[below, i] - 2.0 * phi[j, i] + phi[above, i]) / hy**2
            gy[j, i] = theta[j, i] / min(max(slope, LEAST_SLOPE), MOST_SLOPE)
    for j in range(ny):
        first = gx[j, 0]
        for i in range(nx):
            after = gx[j, i + 1] if i < nx - 1 else first
            gx[j, i] = 0.5 * (gx[j, i] + after) * hy / hx if i < nx - 1 or ring_x else 0.0
    bottom = gy[0].copy()
    for j in range(ny):
        for i in range(nx):
            after = gy[j + 1, i] if j < ny - 1 else bottom[i]
            gy[j, i] = 0.5 * (gy[j, i] + after) * hx / hy if j < ny - 1 or ring_y else 0.0


def _raster(grid: Grid, mass: Array) -> Bundles:
    x, y = grid.x.centers, grid.y.centers
    still = (np.zeros(grid.x.size), np.zeros(grid.y.size))
    centres = (np.empty((1, 1)), np.empty((1, 1)))  # for costs only
    return Bundles((x, y), (grid.x.widths, grid.y.widths), mass, centres, still)
