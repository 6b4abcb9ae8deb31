"""The reaction of a cell in a frozen potential Φ: ∂t ρ = −c ρ (U'(ρ) + Φ − λ) over a time s/c, λ fixed by the mass.

Entropy and no internal energy, exactly:

    ln ρ' = a ln ρ − b Φ + const,      a = e^{−κs},  b = (1 − a)/κ        (U = 0: a = 1, b = s)

Every other energy by a discrete gradient,

    ρ' = ρ e^y,      y = −s (ξ̄ + Φ − λ),      ξ̄ = (U(ρ') − U(ρ))/(ρ' − ρ)

one root a cell (module `cell_roots`); ∫ρ' rises in λ.  Unbalanced: λ = 0, and the constant is 0.

Preserves: mass where balanced, ρ ≥ 0, and ∫U(ρ) + ∫Φρ never rises: along the exact flow by −c∫ρ(ξ − λ)², with the
discrete gradient by −(1/s) Σ h L y² with L = (ρ' − ρ)/y > 0 the logarithmic mean.  An empty cell stays empty.
Order 2 in s.
Reference: Gonzalez (1996), DOI 10.1007/BF02440162; Gallouët, Monsaingeon (2017), DOI 10.1137/16M106666X.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ...energy.energy import Internal
from ...grid import Array
from ...linear.threads import share
from .cell_roots import EPS, NEWTON, ArrayRoots, NoRoot, PowerRoots

SMALL, LARGE = 1e-200, 1e200
"""Masses between which no exponential has lost its digits."""


@dataclass(slots=True)
class Reacted:
    """A reaction: the density after it, (ny, nx), the Newton iterations of its cells, evaluations of W∗ρ, remarks.

    energy : ∫U(ρ) + ∫Φρ after it and the size of both parts, where they come from the exponents; else None.
    """

    rho: Array
    iterations: int = 0
    outer: int = 0
    notes: tuple[str, ...] = ()
    energy: tuple[float, float] | None = None


class Reaction:
    """Reactions of an energy U on cells of given volumes, (ny, nx).

    balanced : whether the mass stays.   threads : that share the rows of large grids.   What is remembered of a
    potential only saves work.
    """

    def __init__(self, internal: Internal, volume: Array, balanced: bool, threads: int = 1) -> None:
        self.internal, self.volume, self.balanced, self.threads = internal, volume, balanced, threads
        self._law = internal.law
        self._equal = bool(np.all(volume == volume.flat[0]))
        self._size = float(volume.flat[0])
        self._exponent, self._weight = np.empty(volume.shape), np.empty(volume.shape)
        self._weighed: tuple[Array, float] | None = None

    def mass(self, rho: Array) -> float:
        """Σ h ρ, summed row by row and then serially."""
        held = rho if self._equal else rho * self.volume
        total = float(np.add.reduce(np.add.reduce(held, -1)))
        return self._size * total if self._equal else total

    def react(self, rho: Array, phi: Array, s: float, mass: float, weigh: bool = False) -> Reacted:
        """The density after a time s/c.   rho, phi : (ny, nx), rho ≥ 0 of that mass, phi in energy/mass.

        weigh : whether its energy is wanted.   Raises NoRoot where the numbers overflow.
        """
        if self._law.linear_diffusion:
            kappa = self.internal.kappa
            a, b = math.exp(-kappa * s), -math.expm1(-kappa * s) / kappa
            return self._exponential(rho, phi, a, b, mass, weigh and self._equal)
        if self._law.vanishes:
            return self._exponential(rho, phi, 1.0, s, mass, False)
        kind = ArrayRoots if self._law.code is None else PowerRoots
        return _discrete_gradient(kind(self.internal, rho, s), rho, s * phi, self.volume, self.balanced)

    def _exponential(self, rho: Array, phi: Array, a: float, b: float, mass: float, weigh: bool) -> Reacted:
        """ρ^a e^{−bΦ}, at the given mass where it is balanced."""
        if self._weighed is None or self._weighed[0] is not phi or self._weighed[1] != b:
            np.multiply(phi, -b, out=self._weight)
            self._weighed = (phi, b)
        out = np.empty_like(rho)
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            share(_exponentials, len(rho), rho.size, self.threads, rho, a, self._weight, self._exponent, out)
            total = self.mass(out)
            if self.balanced and not SMALL < total < LARGE:  # far from 1: the same, less the largest exponent
                self._exponent -= self._exponent.max()
                np.exp(self._exponent, out=out)
                total = self.mass(out)
        if not math.isfinite(total):
            raise NoRoot("the density became infinite or undefined")
        factor = mass / total if self.balanced else 1.0
        if self.balanced:
            out *= factor
        found = Reacted(out)
        if weigh:
            found.energy = self._energy(out, phi, factor, mass if self.balanced else total)
        return found

    def _energy(self, rho: Array, phi: Array, factor: float, mass: float) -> tuple[float, float] | None:
        """∫κ(ρ ln ρ − ρ) + ∫Φρ from the exponents, ln ρ = exponent + ln(factor); None where cells are empty."""
        kappa, outer = self.internal.kappa, self._size * float(np.einsum("ij,ij->", phi, rho))
        with np.errstate(invalid="ignore"):
            power = self._size * float(np.einsum("ij,ij->", self._exponent, rho))
        inner = kappa * (power + (math.log(factor) - 1.0) * mass)
        return (inner + outer, abs(inner) + abs(outer)) if math.isfinite(inner) else None


def _exponentials(first: int, last: int, rho: Array, a: float, weight: Array, exponent: Array, out: Array) -> None:
    """exponent = a ln ρ + weight and out = its exponential, in some rows."""
    rows = slice(first, last)
    part = exponent[rows]
    np.log(rho[rows], out=part)
    part *= a
    part += weight[rows]
    np.exp(part, out=out[rows])


def integral(values: Array, volume: Array) -> float:
    """Σ h v, summed row by row and then serially."""
    return float(np.sum(np.sum(values * volume, axis=-1)))


# ---- the discrete gradient -----------------------------------------------------------------------------------


def _discrete_gradient(
    roots: ArrayRoots | PowerRoots, rho: Array, force: Array, volume: Array, balanced: bool
) -> Reacted:
    """Find Λ = sλ with the mass of ρ: Newton on ln(mass), between the least and the largest s ξ of the start.

    force : sΦ.  The roots for the next Λ are sought from their tangents.
    """
    held = rho > 0
    slope, xi = 1.0 + roots.bend(), roots.at_zero + force
    if not balanced:
        y, _, count = roots.solve(-force, np.where(held, -xi / slope, 0.0))
        return _checked(rho * _exp(y), count)
    low, high = float(xi[held].min()), float(xi[held].max())
    mass = integral(rho, volume)
    weight = integral(rho / slope, volume)
    level = integral(rho / slope * np.where(held, xi, 0.0), volume) / weight if weight > 0 else 0.5 * (low + high)
    level = min(max(level, low), high)
    y, count = np.where(held, (level - xi) / slope, 0.0), 0
    for _ in range(NEWTON):
        y, response, taken = roots.solve(level - force, y)
        count += taken
        new = rho * _exp(y)
        total = integral(new, volume)
        if abs(total - mass) <= 16 * EPS * mass or high - low <= 2 * EPS * max(abs(low), abs(high)):
            return _checked(new * (mass / total), count)
        low, high = (level, high) if total < mass else (low, level)
        step = math.log(mass / total) * total / integral(new * response, volume) if 0 < total < math.inf else math.nan
        change = step if low <= level + step <= high else 0.5 * (low + high) - level
        level += change
        y = y + change * response
    raise NoRoot("the reaction found no level of ξ that keeps the mass")


def _exp(y: Array) -> Array:
    with np.errstate(over="ignore"):
        return np.exp(y)


def _checked(rho: Array, iterations: int) -> Reacted:
    if not np.all(np.isfinite(rho)):
        raise NoRoot("the density became infinite or undefined")
    return Reacted(rho, iterations)
