"""POT: transport between weights at the cell centres, and JKO steps of the entropy as semi-relaxed transport.

    emd          `ot.emd2` (1D: `ot.emd2_1d`), exact for the weights
    sinkhorn     `ot.sinkhorn2` in logarithms, ⟨C, γ⟩ of the entropic plan
    divergence   `ot.bregman.empirical_sinkhorn_divergence`, the entropic cost without its bias
    jko          min_γ ⟨½C, γ⟩ + ε KL(γ) + τ KL(γᵀ1 | e^{−V}) with γ1 = ρ₀ is an entropic JKO step of ∫ρ ln ρ + Vρ:
                 `ot.unbalanced.sinkhorn_unbalanced` with reg_m = (∞, τ), the new density from the columns of the plan

All but the first in 1D hold the matrix of costs, n⁴ numbers in 2D: cells of weight below 1e-12 are left out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import ot

Array = np.ndarray


def places(job: dict[str, Any]) -> Array:
    n = job["n"]
    axes = [a + (b - a) * (np.arange(n) + 0.5) / n for a, b in zip(job["lower"], job["upper"], strict=True)]
    return np.stack([mesh.ravel() for mesh in np.meshgrid(*axes, indexing="ij")], axis=1)


class Distance:
    def __init__(self, job: dict[str, Any], start: dict[str, Array]) -> None:
        self._options, self._way, self.steps = job["options"], job["way"], 1
        x = places(job)
        a, b = start["a"].ravel(), start["b"].ravel()
        a, b = a / a.sum(), b / b.sum()
        keep_a, keep_b = a > 1e-12, b > 1e-12
        self._a, self._b = a[keep_a] / a[keep_a].sum(), b[keep_b] / b[keep_b].sum()
        self._x, self._y = x[keep_a], x[keep_b]

    def march(self, times: list[float]) -> list[Array]:
        a, b, x, y, options = self._a, self._b, self._x, self._y, self._options
        if self._way == "emd" and x.shape[1] == 1:
            cost = ot.emd2_1d(x, y, a, b)
        elif self._way == "emd":
            cost = ot.emd2(a, b, ot.dist(x, y), numItermax=10_000_000)
        elif self._way == "sinkhorn":
            cost = ot.sinkhorn2(a, b, ot.dist(x, y), method="sinkhorn_log", warn=False, **options)
        else:
            cost = ot.bregman.empirical_sinkhorn_divergence(x, y, a=a, b=b, warn=False, **options)
        return [np.sqrt(np.array(float(np.ravel(cost)[0])))] * len(times)


class Step:
    def __init__(self, job: dict[str, Any], start: dict[str, Array]) -> None:
        x = places(job)
        self._job, self._rho, self._costs, self.steps = job, start["rho"], 0.5 * ot.dist(x, x), 1
        self._volume = float(np.prod([(b - a) / job["n"] for a, b in zip(job["lower"], job["upper"], strict=True)]))
        self._gibbs = np.exp(-start["potential"].ravel()) * self._volume

    def march(self, times: list[float]) -> list[Array]:
        job, states = self._job, []
        weights = self._rho.ravel() * self._volume
        for k in range(1, round(job["end"]) + 1):
            plan = ot.unbalanced.sinkhorn_unbalanced(
                weights, self._gibbs, self._costs, job["options"]["eps"], (float("inf"), job["tau"]),
                reg_type="entropy", numItermax=2000, stopThr=1e-7, method=job["options"].get("method", "sinkhorn"),
            )  # fmt: skip
            weights = plan.sum(axis=0)
            if any(abs(t - k) < 1e-9 for t in times):
                states.append((weights / self._volume).reshape(self._rho.shape))
        return states


def prepare(job: dict[str, Any], start: dict[str, Array]) -> Distance | Step:
    return Distance(job, start) if job["kind"] == "w2" else Step(job, start)
