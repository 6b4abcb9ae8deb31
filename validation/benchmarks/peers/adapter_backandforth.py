"""The back-and-forth method: transport (Jacobs, Léger 2020) and JKO steps (Jacobs, Lee, Léger 2021); cell averages.

Its authors' C++ does the c-transforms, the pushforwards and the density of a potential, by the Python modules `w2`
(github.com/Math-Jacobs/bfm) and `bfmgf` (github.com/wonjunee/wgfBFMcodes), which no package index has: see README of
each.  The loop around them is Python there and here: a step up the dual along (θ₁ + θ₂ (−Δ))⁻¹ of the residual in one
potential, a c-transform, then the same in the other.  θ₁ and θ₂ are those of the papers, 1/U″ and τ max ρ.

The grid is [0, 1]² there; lengths are scaled to it and back.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.fft import dctn, idctn

Array = np.ndarray
LARGER, FAR, NEAR = 1 / 0.95, 0.75, 0.25
"""The rule of Armijo and Goldstein for the length of a step, as in the example of `w2`."""


def laplacian(n: int) -> Array:
    """Eigenvalues of −Δ on n² cells of [0, 1]² without flux."""
    line = 2.0 * n * n * (1.0 - np.cos(np.pi * np.arange(n) / n))
    return line[:, None] + line


def up(residual: Array, weights: Array) -> Array:
    """The residual, without its mean, times weights of its cosine transform."""
    modes = dctn(residual, norm="ortho") * weights
    modes[0, 0] = 0.0
    return idctn(modes, norm="ortho")


class Step:
    """One JKO step of ∫ρ² on [0, 1]²: U* ' = −φ/2 where that is positive."""

    def __init__(self, job: dict[str, Any], start: dict[str, Array]) -> None:
        if job["m"] != 2 or job["end"] != 1 or job["lower"] != [0, 0] or job["upper"] != [1, 1]:
            raise ValueError("one step of m = 2 on the unit square alone")
        import bfmgf

        n, self._tau, self._rho = job["n"], job["tau"], np.array(start["rho"], order="C")
        self._method, self._legendre = bfmgf.BFM(n, n, self._tau), bfmgf.FLT2D(n, n)
        self._weights = 1.0 / (0.5 + self._tau * self._rho.max() * laplacian(n))
        self.steps = job["options"]["iterations"]

    def march(self, times: list[float]) -> list[Array]:
        rho, tau, convex = self._rho, self._tau, self._legendre.find_c_concave
        mass, none = rho.mean(), np.zeros_like(rho)
        phi, psi, pushed, new = -2.0 * rho, np.zeros_like(rho), np.zeros_like(rho), np.zeros_like(rho)
        convex(psi, phi, tau)
        convex(phi, psi, tau)
        for _ in range(self.steps):
            self._method.calculate_DUstar(new, phi, none, 2.0, mass)
            self._method.compute_push_forth(pushed, phi, psi, rho)
            phi += up(new - pushed, self._weights)
            convex(psi, phi, tau)
            self._method.calculate_DUstar(new, phi, none, 2.0, mass)
            self._method.compute_pull_back(pushed, phi, psi, new)
            psi += up(rho - pushed, self._weights)
            convex(phi, psi, tau)
            convex(psi, phi, tau)
        self._method.calculate_DUstar(new, phi, none, 2.0, mass)
        return [new]


class Distance:
    """W₂ of two densities, by its dual value."""

    def __init__(self, job: dict[str, Any], start: dict[str, Array]) -> None:
        n = job["n"]
        self._length = job["upper"][0] - job["lower"][0]
        self._a, self._b = (np.array(start[name] / start[name].mean(), order="C") for name in ("a", "b"))
        places = (np.arange(n) + 0.5) / n
        self._half = 0.5 * (places[:, None] ** 2 + places**2)
        self._weights = laplacian(n)
        self._weights[0, 0] = 1.0
        self._weights = 1.0 / self._weights
        self.steps = job["options"]["iterations"]

    def march(self, times: list[float]) -> list[Array]:
        from w2 import BFM

        a, b, half = self._a, self._b, self._half
        phi, psi, rho, length = half.copy(), half.copy(), a.copy(), 4.0 / max(a.max(), b.max())
        method, known = BFM(*a.shape, a), self._value(phi, psi)
        for _ in range(self.steps):
            for potential, other, target in ((phi, psi, b), (psi, phi, a)):
                rho -= target
                rise = up(rho, self._weights)
                potential += length * rise
                gradient = np.mean(rise * rho)
                method.ctransform(other, potential)
                method.ctransform(potential, other)
                value = self._value(phi, psi)
                length *= LARGER if value - known > FAR * gradient * length else (
                    1 / LARGER if value - known < NEAR * gradient * length else 1.0
                )  # fmt: skip
                known = value
                method.pushforward(rho, potential, target)
        return [np.array(self._length * np.sqrt(2.0 * known))] * len(times)

    def _value(self, phi: Array, psi: Array) -> float:
        return float(np.mean(self._half * (self._a + self._b) - self._b * phi - self._a * psi))


def prepare(job: dict[str, Any], start: dict[str, Array]) -> Step | Distance:
    return Distance(job, start) if job["kind"] == "w2" else Step(job, start)
