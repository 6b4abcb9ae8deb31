"""What is left of a chain with exits long after the start: its quasi-stationary density, and the rate of its decay.

    Aᵀ ν = λ vol ν,    ∫ν = 1,    λ = Σ k ν,        S(t) ∝ e^{−λt} at late times

Found by inverse iteration, Aᵀ ρ' = vol ρ, from the occupation density of the start, so that of several parts of the
domain that one is meant which the start is in.  All iterates are positive and right relatively in each cell, so that λ
is, too, however small: λ = 1e-44 beside rates of 1e+4.  Where the second rate is near the first one, Lanczos' method on
the symmetric form of the chain, in u = ρ√(vol/π), finds where the iteration is to begin; the last steps are always
those of the iteration.
Reference: Collet, Martínez, San Martín (2013), DOI 10.1007/978-3-642-33131-2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...grid import Array
from ...linear.elimination import Elimination
from .killed_chain import KilledChain, Progress

STEPS = 40
"""Steps of the plain iteration."""
SETTLED = 1e-13
"""Relative change of λ from one step to the next at which the iteration ends."""
POLISHED = 4
"""Steps after Lanczos' method."""


@dataclass(frozen=True, eq=False)
class QuasiStationary:
    """density : ν, (cells,), mass 1.   rate : λ, 1/time.   residual : ∫|ρ − λρ'|/∫ρ of the last step.

    steps : of the iteration.   method : in words.
    """

    density: Array
    rate: float
    residual: float
    steps: int
    method: str


def quasi_stationary(chain: KilledChain, factors: Elimination, start: Array, progress: Progress) -> QuasiStationary:
    """The quasi-stationary density that a start tends to.   start : (cells,) ≥ 0, some mass in cells that take part."""
    progress("quasi-stationary density")
    rho = np.where(chain.kept, start, 0.0)
    rho, rate, residual, steps, settled = _iterate(chain, factors, rho / np.sum(chain.volume * rho), STEPS)
    method = "inverse iteration"
    if not settled:
        progress("quasi-stationary density, Lanczos iteration")
        better = _lanczos(chain, factors, rho)
        if better is not None:
            rho, rate, residual, more, _ = _iterate(chain, factors, better, POLISHED)
            steps, method = steps + more, "Lanczos and inverse iteration"
    return QuasiStationary(rho, rate, residual, steps, method)


def _iterate(chain: KilledChain, factors: Elimination, rho: Array, most: int) -> tuple[Array, float, float, int, bool]:
    """(ν, λ, residual, steps, whether λ settled) from a density of mass 1."""
    rate, residual, step = np.nan, np.inf, 0
    for step in range(1, most + 1):
        after = factors.solve_forward(chain.volume * rho)
        mass = float(np.sum(chain.volume * after))
        before, rate = rate, float(np.sum(chain.loss * after)) / mass
        residual = float(np.sum(chain.volume * np.abs(rho - rate * after)))
        rho = after / mass
        if abs(rate - before) <= SETTLED * rate and residual <= np.sqrt(SETTLED):
            return rho, rate, residual, step, True
    return rho, rate, residual, step, False


def _lanczos(chain: KilledChain, factors: Elimination, rho: Array) -> Array | None:
    """A positive density near ν; None where the method fails or does not improve on it."""
    from scipy.sparse.linalg import ArpackError, LinearOperator, eigsh

    where = np.flatnonzero(chain.kept & (rho > 0))
    root = np.exp(0.5 * (chain.log_pi + np.log(chain.volume)))[where]
    held = root > 0
    where, root = where[held], root[held]
    if len(where) < 30:
        return None

    def inverse(u: Array) -> Array:
        f = np.zeros(chain.cells)
        f[where] = u.ravel() * root
        return np.asarray(factors.solve_forward(f)[where] * chain.volume[where] / root)

    begin = rho[where] * chain.volume[where] / root
    try:
        _, vectors = eigsh(LinearOperator((len(where),) * 2, matvec=inverse, dtype=float), 1, which="LA", v0=begin)
    except ArpackError:
        return None
    found = np.zeros(chain.cells)
    found[where] = np.abs(vectors[:, 0]) * root / chain.volume[where]
    return found / np.sum(chain.volume * found)
