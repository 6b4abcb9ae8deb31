"""What anybody would write first: explicit Euler in NumPy, on cell averages, with fluxes between the cells.

    F_{i+½} = −(u(ρ_{i+1}) − u(ρ_i))/h − ½(ρ_i + ρ_{i+1}) (V_{i+1} − V_i)/h,     u = ρ or ρ²,     ρ ← ρ − dt ∂F

Preserves: mass, to rounding.  Neither ρ ≥ 0 nor the energy law is promised; steps are those of `ladders._stable`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray


class Explicit:
    def __init__(self, job: dict[str, Any], start: dict[str, Array]) -> None:
        self._job, self._rho, self.steps = job, start["rho"], 0
        self._sizes = [(b - a) / job["n"] for a, b in zip(job["lower"], job["upper"], strict=True)]
        self._drops = []
        for k, h in enumerate(self._sizes):
            self._drops.append(np.diff(start["potential"], axis=k) / h if job["potential"] else None)

    def march(self, times: list[float]) -> list[Array]:
        job, rho, t, states = self._job, self._rho.copy(), self._job["start"], []
        dt = (job["end"] - job["start"]) / job["steps"]
        self.steps = 0
        for t_next in times:
            count = max(1, round((t_next - t) / dt))
            for _ in range(count):
                rho = self._step(rho, (t_next - t) / count)
            self.steps, t = self.steps + count, t_next
            states.append(rho)
        return states

    def _step(self, rho: Array, dt: float) -> Array:
        pressure = rho * rho if self._job["m"] == 2 else rho
        new = rho.copy()
        for k, (h, drop) in enumerate(zip(self._sizes, self._drops, strict=True)):
            lower, upper = _shifted(rho.ndim, k)
            flux = (pressure[lower] - pressure[upper]) / h
            if drop is not None:
                flux -= 0.5 * (rho[lower] + rho[upper]) * drop
            new[lower] -= dt / h * flux
            new[upper] += dt / h * flux
        return new


def _shifted(dim: int, axis: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """All cells but the last, and all but the first, along an axis."""
    lower, upper = ([slice(None)] * dim for _ in range(2))
    lower[axis], upper[axis] = slice(None, -1), slice(1, None)
    return tuple(lower), tuple(upper)


def prepare(job: dict[str, Any], start: dict[str, Array]) -> Explicit:
    return Explicit(job, start)
