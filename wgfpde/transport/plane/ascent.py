"""Dual ascent on one lattice: weighted Newton steps between exact c-transforms.

    J(φ) = Σ φ b + Σ φ^c a  →  max,         ∇J = b − (id − ∇φ^c)_# a,
    −∇·(θ (I − D²φ)⁻¹ ∇g) = ∇J,             φ ← (φ + s g)^cc,   s = 1, 2, … while J rises as fast, ½, … until it does,

for φ, and by turns for ψ = φ^c with a and b exchanged.  The matrix is that of the linearised Monge–Ampère equation, its
diagonal second derivatives only, kept positive; θ is the mean of the density sought and the one found, with a floor.
With θ = 1 and no second derivatives this is the back-and-forth method, which takes some eighty iterations where this
takes three to six.  Every iterate is c-concave, J never falls, so nothing can diverge.

References: Jacobs, Léger (2020), DOI 10.1007/s00211-020-01154-8.
"""

from __future__ import annotations

import numpy as np

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
REST = 1e-4
"""Relative rise of J below which a turn was the last."""


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
        self.iterations = 0

    def run(self, phi: Array, most: int) -> Array:
        """φ, on the side of b, after at most so many turns of both sides, from any φ."""
        psi = self._transform(phi)
        sides = [psi, self._transform(psi)]
        value = self._value(sides)
        turn = (1, 0) if self.grid.size <= ONE_SIDED else (1,)
        for _ in range(most):
            before = value
            for side in turn:
                value = self._step(sides, side, value)
            if value - before <= REST * abs(value):
                break
        return sides[1]

    def _value(self, sides: list[Array]) -> float:
        return float(sum(np.sum(p * mass) for p, mass in zip(sides, self._masses, strict=True)))

    def _step(self, sides: list[Array], side: int, value: float) -> float:
        """One Newton step for the potential of one side; the new J."""
        mass = self._masses[side]
        arrived = arrivals(sides[1 - side], self._rasters[1 - side], self._rasters[side], self._periods)
        r = mass - arrived
        theta = 0.5 * (mass + self._smooth(arrived)) / (self.grid.volume / self.grid.size)
        g = self._newton(theta + FLOOR * theta.max(), self._smooth(sides[side]), r)
        promised, s, best = float(np.sum(g * r)), 1.0, value
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
            elif best > value:
                break
            else:
                s *= 0.5
        if best > value:
            sides[:] = found
        return best

    def _newton(self, theta: Array, phi: Array, r: Array) -> Array:
        """g with −∇·(θ(I − D²φ)⁻¹∇g) = r; r, masses, is first balanced."""
        conductances = []
        for axis, across, k in zip(self.grid.axes, self.grid.axes[::-1], (1, 0), strict=True):
            h, area = axis.length / axis.size, across.length / across.size
            low, high = beside_each(phi, k, axis.ring)
            slope = np.clip(1.0 - (low - 2.0 * phi + high) / h**2, LEAST_SLOPE, MOST_SLOPE)
            cells = theta / slope
            faces = 0.5 * (cells + np.roll(cells, -1, axis=k)) * area / h
            if not axis.ring:
                faces[(slice(None),) * k + (-1,)] = 0.0
            conductances.append(faces)
        gx, gy = conductances
        self._multigrid.setup(1e-10 * theta, gx, gy, self._none, self._none)
        r = r - np.sum(r) * theta / np.sum(theta)
        g, iterations, _ = self._multigrid.solve(r, ACCURACY, MOST_CYCLES)
        self.iterations += iterations
        return g

    def _smooth(self, values: Array) -> Array:
        """(1, 2, 1)/4 along each axis."""
        for axis, k in zip(self.grid.axes, (1, 0), strict=True):
            low, high = beside_each(values, k, axis.ring)
            values = 0.25 * (low + high) + 0.5 * values
        return values


def beside_each(values: Array, k: int, ring: int) -> tuple[Array, Array]:
    """The values of the cells before and after each along axis k; at a wall its own."""
    along = (slice(None),) * k
    first, last = values[(*along, slice(1))], values[(*along, slice(-1, None))]
    before, after = (last, first) if ring else (first, last)
    low = np.concatenate([before, values[(*along, slice(-1))]], axis=k)
    return low, np.concatenate([values[(*along, slice(1, None))], after], axis=k)


def _raster(grid: Grid, mass: Array) -> Bundles:
    x, y = grid.x.centers, grid.y.centers
    still = (np.zeros(grid.x.size), np.zeros(grid.y.size))
    centres = (np.empty((1, 1)), np.empty((1, 1)))  # for costs only
    return Bundles((x, y), (grid.x.widths, grid.y.widths), mass, centres, still)
