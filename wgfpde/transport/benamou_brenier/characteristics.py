"""Solutions of the discrete Hamilton–Jacobi equation by the one potential in their middle, and the bound they give.

    s_k = φ_k − φ_{k+1} − (k(φ_k) + k(φ_{k+1}))/N = 0,   k = 1 … N − 1,      k(φ) = ¼R|∇φ|²,
    D = ⟨b, φ_N − k(φ_N)/N⟩ − ⟨a, φ_1 + k(φ_1)/N⟩ + M Σ min s_k   ≤   ½W₂²(a, b) of the discrete problem.

From φ_K, K = ⌈N/2⌉, later and earlier potentials follow one by one, each by a fixed point that contracts with the
Courant number of a step.  Where it does not, because paths would cross, s_k is what it is, and D pays for it.

Differences φ_k − φ_K are stored, not φ_k: they and the rates k are of second order in the distance, so that D and s_k
are sums of small terms, accurate relative to D for distances down to rounding.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ...grid import Array
from .operators import Staggering, hamilton_jacobi

SWEEPS, ROUNDING = 30, 4e-16
"""Most fixed-point iterations for one φ_k, and the change, relative to φ_k − φ_K, that ends them."""


@dataclass(frozen=True)
class Lower:
    """value : D, −inf where φ is not finite.   phi : (ny, nx) φ_K.   change, rate : (N, ny, nx) φ_k − φ_K, k(φ_k)/N."""

    value: float
    phi: Array
    change: Array
    rate: Array

    @property
    def slack(self) -> Array:
        """s_k, (N−1, ny, nx)."""
        return (self.change[:-1] - self.change[1:]) - (self.rate[:-1] + self.rate[1:])


class Characteristics:
    """Bounds for two densities a, b (ny, nx) of one mass, N steps apart."""

    def __init__(self, faces: Staggering, a: Array, b: Array, steps: int) -> None:
        self._faces, self._a, self._b, self.steps = faces, a, b, steps
        self.middle = (steps + 1) // 2

    def bound(self, phi: Array) -> Lower:
        """All φ_k and D from φ_K (ny, nx); a constant in it does not matter."""
        phi = phi - np.vdot(self._a, phi) / self._a.sum()
        change, rate = np.zeros((2, self.steps, *phi.shape))
        centre = self.middle - 1
        with np.errstate(over="ignore", invalid="ignore"):
            self._rate(phi, rate[centre])
            for k in range(centre + 1, self.steps):
                self._follow(phi, change[k - 1] - rate[k - 1], rate[k - 1], 1.0, change[k], rate[k])
            for k in range(centre - 1, -1, -1):
                self._follow(phi, change[k + 1] + rate[k + 1], rate[k + 1], -1.0, change[k], rate[k])
            found = Lower(0.0, phi, change, rate)
            value = self._value(found)
        return Lower(value if math.isfinite(value) else -math.inf, phi, change, rate)

    def _follow(self, phi: Array, known: Array, rate_before: Array, sign: float, change: Array, rate: Array) -> None:
        """The next potential (sign 1), or the one before (−1): change = known − sign rate(change)."""
        change[:] = known - sign * rate_before
        last = math.inf
        for _ in range(SWEEPS):
            self._rate(phi + change, rate)
            better = known - sign * rate
            step = float(np.abs(better - change).max())
            change[:] = better
            if not ROUNDING * float(np.abs(better).max()) < step < last:
                break
            last = step
        self._rate(phi + change, rate)

    def _rate(self, phi: Array, out: Array) -> None:
        self._faces.share(hamilton_jacobi, phi, self._faces.ax, self._faces.ay, out)
        out /= self.steps

    def _value(self, found: Lower) -> float:
        """D."""
        volume, change, rate = float(self._faces.volume[0, 0]), found.change, found.rate
        value = float(np.vdot(self._b - self._a, found.phi))
        value += float(np.vdot(self._b, change[-1] - rate[-1])) - float(np.vdot(self._a, change[0] + rate[0]))
        return volume * (value + float(self._a.sum()) * float(found.slack.min(axis=(1, 2)).sum()))
