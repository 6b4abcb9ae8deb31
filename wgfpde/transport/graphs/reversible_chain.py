"""A reversible Markov chain in continuous time on a finite, connected graph.

    (Lf)_i = Σ_j q_ij (f_j − f_i),     w_ij = π_i q_ij = π_j q_ji

By detailed balance densities relative to π follow the same generator, ∂t ρ = Lρ, and the entropy H = Σ π_i ρ_i ln ρ_i
falls,

    −dH/dt = Σ_edges w (ρ_i − ρ_j)(ln ρ_i − ln ρ_j) ≥ 0

Rates are kept, and ln π, so that a chain may reach where π underflows.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ...errors import CaseError
from ...grid import Array
from ...grid.public_arguments import public

DENSE = 1500
"""States up to which the gap is that of a full matrix."""
UNIT = 1e-10
"""How far the sums of π and of densities may be from 1."""


def parts_of(states: int, lower: Array, upper: Array, what: str) -> str:
    """Into how many parts the edges leave a graph, and how large they are, in words; "" where it is connected.

    lower, upper : (edges,) their ends.   what : the states are, in the plural.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = coo_array((np.ones(len(lower)), (lower, upper)), shape=(states, states))
    parts, of_part = connected_components(links, directed=False)
    sizes = ", ".join(str(size) for size in sorted(np.bincount(of_part), reverse=True)[:5])
    return f"{parts} parts (of {sizes}{', …' if parts > 5 else ''} {what})" if parts > 1 else ""


@public
class Chain:
    """A chain by its invariant measure and the weights of its edges.

    pi : (n,) > 0, of sum 1.   edges : (m, 2) pairs of states i ≠ j, each edge once.
    weights : (m,) w_ij > 0, 1/time; the chain jumps from i to j at the rate w_ij/π_i.
    Raises CaseError where π is no positive measure of sum 1, an edge is none, or the graph is not connected.
    """

    def __init__(self, pi: ArrayLike, edges: ArrayLike, weights: ArrayLike) -> None:
        pi, weights = np.array(pi, dtype=float), np.array(weights, dtype=float)
        if pi.ndim != 1 or not np.all(np.isfinite(pi)) or not np.all(pi > 0) or abs(np.sum(pi) - 1) > UNIT:
            raise CaseError(
                "pi is one positive number per state, of sum 1: divide it by its sum, leave out empty states."
            )
        pairs = _pairs(edges, len(pi))
        if weights.shape != (len(pairs),) or not np.all(np.isfinite(weights)) or not np.all(weights > 0):
            raise CaseError(f"weights are one positive number per edge, {len(pairs)}; found {_short(weights)}.")
        self._set(np.log(pi), pairs, weights / pi[pairs[:, 0]], weights / pi[pairs[:, 1]])

    @classmethod
    def of_rates(cls, log_pi: Array, edges: Array, forth: Array, back: Array) -> Chain:
        """The chain of known rates from edges[:, 0] to edges[:, 1] and back, in balance with π.

        log_pi : (n,) ln π, of any sum.   Raises CaseError where the graph is not connected.
        """
        chain = cls.__new__(cls)
        chain._set(np.asarray(log_pi, dtype=float), _pairs(edges, len(log_pi)), np.asarray(forth), np.asarray(back))
        return chain

    def _set(self, log_pi: Array, edges: Array, forth: Array, back: Array) -> None:
        self.edges, self.forth, self.back = edges, forth, back
        top = float(np.max(log_pi))
        self.log_pi = log_pi - top - np.log(np.sum(np.exp(log_pi - top)))
        if parts := parts_of(self.states, edges[:, 0], edges[:, 1], "states"):
            raise CaseError(
                f"the graph falls into {parts}, each with a mass of its own for ever: it needs to be connected. Join "
                "them, or take one of them."
            )

    def __repr__(self) -> str:
        return f"Chain({self.states} states, {len(self.edges)} edges)"

    @property
    def states(self) -> int:
        return len(self.log_pi)

    @cached_property
    def pi(self) -> Array:
        """(n,) π, of sum 1; 0 where it underflows."""
        return np.asarray(np.exp(self.log_pi))

    @cached_property
    def weights(self) -> Array:
        """(m,) w_ij = π_i q_ij, 1/time."""
        return np.asarray(np.exp(self.log_pi[self.edges[:, 0]]) * self.forth)

    @cached_property
    def generator(self) -> Any:
        """L as a sparse matrix in CSR form, (n, n); rows sum to zero."""
        from scipy.sparse import coo_array

        i, j = self.edges.T
        every, leaves = np.arange(self.states), -self.leaving
        places = np.concatenate([i, j, every]), np.concatenate([j, i, every])
        return coo_array((np.concatenate([self.forth, self.back, leaves]), places), shape=(self.states,) * 2).tocsr()

    @cached_property
    def leaving(self) -> Array:
        """(n,) Σ_j q_ij, the rate at which a state is left."""
        i, j = self.edges.T
        return np.asarray(np.bincount(i, self.forth, self.states) + np.bincount(j, self.back, self.states))

    def check(self, rho: Any, what: str = "rho") -> Array:
        """A density as an array.  Raises CaseError for what is none."""
        found = np.array(rho, dtype=float)
        if found.shape != (self.states,) or not np.all(found >= 0) or not np.all(np.isfinite(found)):
            raise CaseError(f"{what} is a density relative to pi: {self.states} numbers ≥ 0; found {_short(found)}.")
        total = float(np.sum(self.pi * found))
        if abs(total - 1) > UNIT:
            raise CaseError(f"{what} is a density relative to pi, with sum(pi*{what}) = 1; found {total:.10g}.")
        return found

    def heat(self, rho: Any, times: Any) -> Array:
        """e^{tL}ρ, (len(times), n).   rho : a density relative to π.   times : ≥ 0.

        Preserves: mass and sign to rounding.  Reference: Al-Mohy, Higham (2011), DOI 10.1137/100788860.
        """
        from scipy.sparse.linalg import expm_multiply

        start, marks = self.check(rho), np.atleast_1d(np.asarray(times, dtype=float))
        if not np.all(np.isfinite(marks)) or np.any(marks < 0):
            raise CaseError(f"times are finite numbers ≥ 0; found {_short(marks)}.")
        return np.array([expm_multiply(self.generator * t, start, traceA=-t * np.sum(self.leaving)) for t in marks])

    def entropy(self, rho: Any) -> float:
        """H = Σ π ρ ln ρ ≥ 0, relative to π, with 0 ln 0 = 0."""
        found = self.check(rho)
        return float(np.sum(self.pi * found * np.log(np.where(found > 0, found, 1.0))))

    def dissipation(self, rho: Any) -> float:
        """−dH/dt = Σ w (ρ_i − ρ_j)(ln ρ_i − ln ρ_j) along the heat flow; inf against an empty state."""
        a, b = self.check(rho)[self.edges.T]
        with np.errstate(divide="ignore", invalid="ignore"):
            each = np.where(a == b, 0.0, (a - b) * (np.log(a) - np.log(b)))
        return float(np.sum(self.weights * each))

    @cached_property
    def gap(self) -> float:
        """The smallest eigenvalue of −L beside 0, 1/time."""
        from scipy.sparse import coo_array
        from scipy.sparse.linalg import eigsh

        i, j = self.edges.T
        couple, every = -np.sqrt(self.forth * self.back), np.arange(self.states)
        values = np.concatenate([couple, couple, self.leaving])
        places = np.concatenate([i, j, every]), np.concatenate([j, i, every])
        matrix = coo_array((values, places), shape=(self.states,) * 2)
        if self.states <= DENSE:
            return float(np.linalg.eigvalsh(matrix.toarray())[1])
        shift = -1e-3 * float(np.min(self.leaving))
        found = eigsh(matrix.tocsc(), k=2, sigma=shift, v0=np.ones(self.states), return_eigenvectors=False)
        return float(np.max(found))


def _pairs(edges: Any, states: int) -> Array:
    """Edges as (m, 2) integers.  Raises CaseError for what are none."""
    found = np.array(edges)
    if found.ndim != 2 or found.shape[1] != 2 or found.dtype.kind not in "iu" or len(found) == 0:
        raise CaseError("edges are pairs of states by their numbers, as [(0, 1), (1, 2)]; one at least.")
    if np.min(found) < 0 or np.max(found) >= states:
        raise CaseError(f"edges join states 0 to {states - 1}; found {int(np.min(found))} and {int(np.max(found))}.")
    low, high = np.min(found, axis=1), np.max(found, axis=1)
    if np.any(low == high):
        raise CaseError(f"an edge joins two states; found one from {int(low[low == high][0])} to itself.")
    if len(np.unique(low * states + high)) < len(found):
        raise CaseError("each edge is named once, in one direction: the chain jumps both ways along it.")
    return found.astype(np.int64)


def _short(values: Array) -> str:
    """Some numbers for a message."""
    text = ", ".join(f"{v:.6g}" for v in np.ravel(values)[:4])
    return f"{text}{', …' if np.size(values) > 4 else ''} (shape {np.shape(values)})"
