"""The metric of Maas on densities of a reversible chain, in which heat flow is the gradient flow of entropy.

    W(ρ₀, ρ₁)² = min ∫₀¹ Σ_edges w θ(ρ_i, ρ_j)(ψ_i − ψ_j)² dt,     π_i ρ̇_i + Σ_j w θ(ρ_i, ρ_j)(ψ_j − ψ_i) = 0

with the logarithmic mean θ(a, b) = (a − b)/(ln a − ln b).  By θ (ln ρ_i − ln ρ_j) = ρ_i − ρ_j the gradient flow of
H = Σ π ρ ln ρ is ρ̇ = Lρ, exactly; on the chain of a grid's cells W tends to the Wasserstein distance.

In time: K steps, θ at the middle of each, densities between positive by ρ = e^y/Σπe^y, L-BFGS in y, from few steps to
many.  The distance is of order 2 in 1/K.  Meant for tens of states: a step solves a full system of as many.
References: Maas (2011), Gradient flows of the entropy for finite Markov chains, J. Funct. Anal. 261; Erbar, Maas
(2012), Ricci curvature of finite Markov chains via convexity of the entropy, arXiv 1111.2687.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ...base.amounts import memory_lacking
from ...errors import CaseError, SolverError
from ...grid import Array
from ...grid.public_arguments import public
from .reversible_chain import Chain

CLOSE = 1e-3
"""Relative difference of densities below which θ and its slopes are series, right to rounding."""
ITERATIONS = 4000


@dataclass(frozen=True, eq=False)
class ChainGeodesic:
    """A shortest path between two densities of a chain.

    distance : W.   path : (K+1, n) densities relative to π at equal times.   speeds : (K,), equal along a geodesic.
    residual : what is left of the derivative of W², relative to it.   iterations : of all levels.
    """

    distance: float
    path: Array
    speeds: Array
    residual: float
    iterations: int


@public
def log_mean(a: ArrayLike, b: ArrayLike) -> tuple[Array, Array, Array]:
    """θ(a, b) and its slopes ∂θ/∂a, ∂θ/∂b, elementwise, for finite a, b > 0.  Raises CaseError for others."""
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if not (np.all((a > 0) & (a < np.inf)) and np.all((b > 0) & (b < np.inf))):
        raise CaseError("the logarithmic mean is taken of finite numbers > 0, found others; leave empty states out.")
    m, z = 0.5 * (a + b), (a - b) / (a + b)
    near = np.abs(z) < CLOSE
    apart = np.where(near, 1.0, a - b)
    log = np.where(near, 1.0, np.log(a) - np.log(b))
    theta = np.where(near, m * (1 - z**2 / 3 - 4 * z**4 / 45), apart / log)
    series = 0.5 * (1 + z**2 / 3 + 4 * z**4 / 15), z / 3 + 8 * z**3 / 45
    by_a = np.where(near, series[0] - series[1], theta * (1 - theta / a) / apart)
    by_b = np.where(near, series[0] + series[1], theta * (theta / b - 1) / apart)
    return theta, by_a, by_b


@public
def onsager(chain: Chain, rho: ArrayLike) -> Array:
    """K(ρ), (n, n): Σ_edges w θ(ρ_i, ρ_j)(e_i − e_j)(e_i − e_j)ᵀ, by which π ρ̇ = −K(ρ) ∂F; rows sum to zero."""
    found = chain.check(rho)
    if np.any(found <= 0):
        raise CaseError("K(rho) is taken of a density that is positive in every state.")
    return np.asarray(_laplacians(chain, chain.weights * log_mean(*found[chain.edges.T])[0][None])[0])


@public
def geodesic(chain: Chain, start: ArrayLike, end: ArrayLike, steps: int = 32) -> ChainGeodesic:
    """The shortest path between two densities relative to π, which may vanish in places.

    steps : K ≥ 2.   Raises CaseError for what are no densities, and where memory does not suffice; SolverError where
    no shortest path is found.
    """
    a, b = chain.check(start, "start"), chain.check(end, "end")
    if not (isinstance(steps, int) and steps >= 2):
        raise CaseError(f"steps is an integer ≥ 2; found {steps!r}.")
    if not np.all(chain.pi > 0):
        raise CaseError("pi underflows in some states: the metric needs its numbers. Leave those states out.")
    if lacking := memory_lacking(4 * 8 * steps * chain.states**2):
        raise CaseError(f"{steps} steps of {chain.states} states need {lacking}; take fewer.")
    if np.array_equal(a, b):
        return ChainGeodesic(0.0, np.repeat(a[None], steps + 1, 0), np.zeros(steps), 0.0, 0)
    levels = [steps]
    while levels[0] > 4:
        levels.insert(0, (levels[0] + 1) // 2)
    s = np.linspace(0, 1, levels[0] + 1)[:, None]
    path, done = 0.95 * ((1 - s) * a + s * b) + 0.05, 0
    for count in levels:
        path = _at_times(path, count)
        path[0], path[-1] = a, b
        path, square, residual, iterations = _shortest(chain, path)
        done += iterations
    speeds = np.sqrt(_action(chain, path)[1])
    return ChainGeodesic(float(np.sqrt(square)), path, speeds, residual, done)


def _at_times(path: Array, count: int) -> Array:
    """A path at count + 1 equal times, by linear interpolation."""
    s = np.linspace(0, len(path) - 1, count + 1)
    below = np.minimum(s.astype(int), len(path) - 2)
    share = (s - below)[:, None]
    return np.asarray((1 - share) * path[below] + share * path[below + 1])


def _shortest(chain: Chain, path: Array) -> tuple[Array, float, float, int]:
    """Minimise over the densities between the ends: the path, W², its relative derivative, and the iterations."""
    from scipy.optimize import minimize

    pi, shape = chain.pi, (len(path) - 2, chain.states)

    def whole(y: Array) -> Array:
        raised = np.exp(y.reshape(shape) - np.max(y.reshape(shape), axis=1, keepdims=True))
        inner = raised / np.sum(pi * raised, axis=1, keepdims=True)
        return np.concatenate([path[:1], inner, path[-1:]])

    def value(y: Array) -> tuple[float, Array]:
        rho = whole(y)
        square, _, slope = _action(chain, rho)
        weighted = rho[1:-1] * slope[1:-1]
        return square / scale, (weighted - pi * rho[1:-1] * np.sum(weighted, axis=1, keepdims=True)).ravel() / scale

    scale = _action(chain, path)[0]
    options = {"maxiter": ITERATIONS, "maxfun": 2 * ITERATIONS, "ftol": 1e-15, "gtol": 1e-9, "maxcor": 40}
    found = minimize(value, np.log(path[1:-1]).ravel(), jac=True, method="L-BFGS-B", options=options)
    residual = float(np.max(np.abs(found.jac)) / found.fun)
    if not np.isfinite(found.fun) or residual > 1e-3:
        raise SolverError(
            f"no shortest path was found: {str(found.message).rstrip('.')}, derivative {residual:.2g} of W²."
        )
    return whole(found.x), float(found.fun * scale), residual, int(found.nit)


def _action(chain: Chain, path: Array) -> tuple[float, Array, Array]:
    """∫ of the squared speed, the squared speeds (K,), and the derivative in the densities, (K+1, n)."""
    count, (i, j) = len(path) - 1, chain.edges.T
    middle, moved = 0.5 * (path[1:] + path[:-1]), count * chain.pi * (path[1:] - path[:-1])
    theta, by_i, by_j = log_mean(middle[:, i], middle[:, j])
    matrices = _laplacians(chain, chain.weights * theta)
    psi = np.zeros_like(moved)
    psi[:, :-1] = np.linalg.solve(matrices[:, :-1, :-1], moved[:, :-1, None])[..., 0]  # ψ = 0 at the last state
    squares = np.sum(moved * psi, axis=1)
    heat = chain.weights * (psi[:, i] - psi[:, j]) ** 2
    by_middle = np.zeros_like(moved)
    for k in range(count):
        by_middle[k] = np.bincount(i, -heat[k] * by_i[k], chain.states) + np.bincount(
            j, -heat[k] * by_j[k], chain.states
        )
    slope = np.zeros_like(path)
    slope[1:] += 0.5 * by_middle / count + 2 * chain.pi * psi
    slope[:-1] += 0.5 * by_middle / count - 2 * chain.pi * psi
    return float(np.mean(squares)), squares, slope


def _laplacians(chain: Chain, weights: Array) -> Array:
    """Σ_edges c (e_i − e_j)(e_i − e_j)ᵀ for each row of weights (K, m): (K, n, n)."""
    i, j = chain.edges.T
    found, every = np.zeros((len(weights), chain.states, chain.states)), np.arange(chain.states)
    found[:, i, j] = found[:, j, i] = -weights
    found[:, every, every] = -np.sum(found, axis=2)
    return found
