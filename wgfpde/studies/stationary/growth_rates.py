"""Linear stability of a stationary state, under the semi-discrete flow of the finite-volume scheme.

    ∂t η = −A H η,   H = U''(ρ) + W∗ ,   (Aξ)_i = (1/h_i) Σ_σ (area M_σ/d_σ)(ξ_i − ξ_j),

where M is the mobility of the scheme at Δξ = 0 (module `conductance`).  In masses
h η = S z, S = √(h g), g = 1/U''(ρ), this is

    ∂t z = −A'H' z,   A' = S⁻¹ L S⁻¹ (sparse, L the graph Laplacian),   H' = I + S W S,

a product of symmetric matrices, A' ≥ 0: all growth rates are real.  A' has the null vector S (mass), one for each part
of the support, so that the rates are those on perturbations that move no mass in or out, and the number of unstable
directions is the inertia of H' there, whatever the mobility (Sylvester's law).

Up to DENSE cells all is dense; beyond, the pencil H' z = λ A'⁺z is solved by LOBPCG with a sparse factorisation of A':
H' is the identity plus something smooth, so that no preconditioner is needed.  The inertia is counted up to COUNTED
cells; beyond, positive rates are, which is all of them where a rate that is not positive was found too.
Measured: 20 ms at 200 cells; 0.2 s and 0.8 s at 64² and 128².  Rates err by ε‖A'‖, 1e-12 at 200 cells; both ways
agree to that.

A' and H' are in module `pencil`.  Modes that only shift the state are recognised by ∂ρ and left out (module `shifts`).
Reference: Knyazev (2001), DOI 10.1137/S1064827500366124 (LOBPCG); Carrillo, Gvalani, Pavliotis, Schlichting (2020),
DOI 10.1007/s00205-019-01430-4 (stability and phase transitions).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...energy.flow import Flow
from ...energy.laws.steady_density import EPS, Equilibrium
from ...grid import Array
from .pencil import Linearised
from .shifts import overlaps, translations

DENSE = 400
"""Most cells of the support for which matrices are dense."""
COUNTED = 1600
"""Most cells for which the inertia is found: 40², 1 s."""
MODES = 6
"""Growth rates that are found, from the largest."""
OVERLAP = 0.5
"""Squared cosine between a mode and ∂x ρ from which on it is a translation."""


@dataclass(frozen=True, repr=False)
class Stability:
    """The largest growth rates of small perturbations.

    rates : (k,) 1/time, falling, translations left out.   modes : (k, …) densities of mass 0, Σ h|η| = 1.
    translations : axes along which the state may be shifted at no cost.   noise : rates smaller than this are none.
    unstable : directions in which the state is unstable.   counted : whether these are all; otherwise at least so many.
    """

    rates: Array
    modes: Array
    translations: tuple[str, ...]
    noise: float
    unstable: int = 0
    counted: bool = True

    def __repr__(self) -> str:
        shifts = f", shifts along {', '.join(self.translations)}" if self.translations else ""
        return f"Stability({self.verdict}, {len(self.rates)} rates, leading={self.leading:.6g}{shifts})"

    @property
    def leading(self) -> float:
        return float(self.rates[0]) if len(self.rates) else -np.inf

    @property
    def verdict(self) -> str:
        """ "stable", "unstable" or "marginal": a rate lost in rounding, and no direction known to be unstable."""
        if self.unstable:
            return "unstable"
        return "stable" if self.leading < -self.noise else "marginal"


def stability(flow: Flow, state: Equilibrium) -> Stability:
    """Growth rates and modes at a stationary state."""
    pair = Linearised(flow, state)
    if pair.cells <= pair.parts:
        return Stability(np.zeros(0), np.zeros((0, *flow.grid.shape)), (), 0.0)
    values, vectors, images = _dense(pair) if pair.cells <= DENSE else _iterative(pair)
    keep = np.ones(len(values), dtype=bool)
    shifts = translations(flow, pair, state)
    if shifts:
        cosines = overlaps(images, np.array(list(shifts.values())).T, pair)
        for k in np.argsort(cosines)[::-1][: len(shifts)]:
            keep[k] = cosines[k] < OVERLAP
    modes = np.array([pair.density(vectors[:, k]) for k in np.flatnonzero(keep)]).reshape(-1, *flow.grid.shape)
    rates, noise = -values[keep], 8 * EPS * pair.norm
    return Stability(rates, modes, tuple(shifts), noise, *_count(pair, rates, noise, list(shifts.values())))


def _count(pair: Linearised, rates: Array, noise: float, shifts: list[Array]) -> tuple[int, bool]:
    """Unstable directions, and whether these are all of them."""
    positive = int(np.sum(rates > noise))
    if len(rates) and rates[0] < -noise:
        return 0, True
    if pair.cells <= COUNTED:
        return max(positive, _inertia(pair, shifts)), True
    return positive, positive < len(rates)


def unstable_directions(flow: Flow, state: Equilibrium) -> int:
    """The number of negative eigenvalues of H on perturbations of mass 0 in each part, translations left out; dense.

    It equals the number of positive growth rates, whatever the mobility.
    """
    pair = Linearised(flow, state)
    return _inertia(pair, list(translations(flow, pair, state).values()))


def _inertia(pair: Linearised, shifts: list[Array]) -> int:
    """The number of negative eigenvalues of H' on what is orthogonal to the null vectors of A' and to the shifts.

    A shift is a null vector of H' itself, so that any complement of it serves.
    """
    left_out = np.linalg.qr(np.column_stack([pair.null, *shifts]))[0]
    half = pair.hessian_matrix - left_out @ (left_out.T @ pair.hessian_matrix)
    values = np.linalg.eigvalsh(half - (half @ left_out) @ left_out.T)
    return int(np.sum(values < -64 * EPS * max(1.0, float(np.abs(values).max()))))


def components(flow: Flow, state: Equilibrium) -> int:
    """Connected parts of the support; 1 where there is no vacuum."""
    if state.log_rho is not None or bool(np.all(state.rho > 0)):
        return 1
    return Linearised(flow, state).parts


def _dense(pair: Linearised) -> tuple[Array, Array, Array]:
    """Eigenpairs A'H' z = λ z, the smallest λ first, with the images A'⁺z; from A'^½ H' A'^½."""
    from scipy.linalg import eigh

    values, base = eigh(pair.network.toarray() + 2.0 * pair.norm * pair.null @ pair.null.T)
    # mass is moved up to 2‖A'‖, away from all the others (of a ring the fastest has ‖A'‖); what is left of it there is
    # projected out
    moved = np.argsort(np.sum((pair.null.T @ base) ** 2, axis=0))[: pair.cells - pair.parts]
    root = np.sqrt(np.abs(values[moved]))
    base = pair.project(base[:, moved])
    half = base * root
    found, small = eigh(half.T @ pair.hessian_matrix @ half, subset_by_index=(0, min(MODES, len(moved)) - 1))
    with np.errstate(divide="ignore"):
        return found, half @ small, base @ (np.where(root > 0, 1 / root, 0.0)[:, None] * small)


def _iterative(pair: Linearised) -> tuple[Array, Array, Array]:
    """The same by LOBPCG on H' z = λ A'⁺z."""
    import warnings

    from scipy.sparse.linalg import LinearOperator, lobpcg

    def operator(apply: Any) -> Any:
        def block(z: Array) -> Array:
            return pair.project(np.column_stack([apply(column) for column in pair.project(z).T]))

        size = (pair.cells, pair.cells)
        return LinearOperator(size, matvec=lambda z: block(z.reshape(-1, 1)), matmat=block, dtype=float)

    stiffness, inverse = operator(pair.hessian), operator(pair.pseudoinverse)
    rng = np.random.default_rng(1)
    start = rng.standard_normal((pair.cells, MODES + 2))
    for _ in range(2):  # towards slow modes
        start = np.linalg.qr(inverse @ start)[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of the residual where the last modes are not yet there
        values, vectors = lobpcg(stiffness, start, B=inverse, tol=1e-9, maxiter=200, largest=False)
    order = np.argsort(values)[:MODES]
    vectors = pair.project(vectors[:, order])
    return values[order], vectors, inverse @ vectors
