"""The energy of a mixture of Gaussians, and its slopes in their means and covariances.

    ρ = (M/K) Σ_k N(m_k, S_k),     e(m, S) = E(ρ)/M
      = (1/K) Σ_k ⟨U(ρ)/ρ + V⟩_k + (M/2K²) Σ_jk ⟨W⟩_jk,     ⟨·⟩_jk over N(m_j − m_k, S_j + S_k)

Expectations are sums over nodes, ⟨f⟩ = Σ_n w_n f(m + L z_n) with S = LLᵀ, L lower triangular, in equal steps of
z.  What is differentiated is that sum itself, so that slopes are those of the energy as it is computed:

    ∂e/∂L = Σ_n w_n ∇f(m + L z_n) z_nᵀ,     ∂e/∂S = sym(L⁻ᵀ Φ(Lᵀ ∂e/∂L) L⁻¹),   Φ: lower triangle, diagonal halved

Under exact integration 2 ∂⟨f⟩/∂S = ⟨∇²f⟩ (Price) and ∂⟨f⟩/∂m = ⟨∇f⟩ (Bonnet).  The internal energy of a single
Gaussian depends on det S alone, as an integral over s = ½zᵀz, by nodes of Gauss and Laguerre: exact for the entropy.

Arrays: means (K, d), roots L and covariances (K, d, d); energies per mass.
Reference: Lambert, Chewi, Bach, Bonnabel, Rigollet (2022), arXiv 2205.15902.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ...energy.flow import Flow
from ...errors import SolverError
from ...formulas.gradients import gradient_of
from ...grid import Array

REACH = 9.0
"""Deviations out to which nodes lie: 2e-19 of a Gaussian lies beyond."""
RADII = 64
"""Nodes of Gauss and Laguerre: ∫ρ^m of a Gaussian is right to 1e-12 and better for m from 0.75 to 5."""
HALF = {1: np.array([[0.5]]), 2: np.array([[0.5, 0.0], [1.0, 0.5]])}
"""Φ as a factor, by dimension."""
Function = Callable[..., Array]


@dataclass(frozen=True)
class Slopes:
    """e, ∂e/∂m (K, d) and ∂e/∂S (K, d, d), symmetric."""

    value: float
    by_mean: Array
    by_covariance: Array


class MixtureEnergy:
    """e(m, S) of a flow's energy, without its grid.

    mass : M.   count : K.   nodes : per axis.
    """

    def __init__(self, flow: Flow, mass: float, count: int, nodes: int) -> None:
        from scipy.special import roots_genlaguerre

        self.internal, self.mass, self.count, self.dim = flow.internal, mass, count, flow.grid.dim
        self.names = tuple(axis.name for axis in flow.grid.axes)
        energy = flow.energy
        self._potential = _with_slopes(energy.potential, flow)
        self._interaction = _with_slopes(energy.interaction, flow)
        self.z, self.w = normal_nodes(nodes, self.dim)
        s, weights = roots_genlaguerre(RADII, 0.5 * self.dim - 1)
        self._fall, self._radial = np.exp(-s), weights / np.sum(weights)
        self._pairs = [(j, k) for j in range(count) for k in range(j)]

    def __call__(self, mean: Array, root: Array) -> Slopes:
        """e and its slopes.   root : (K, d, d) lower triangular.  Raises SolverError where V or W is no number."""
        value, by_mean, by_cov = self._internal_single(root) if self.count == 1 else self._internal(mean, root)
        if self._potential is not None:
            each, dm, ds = self._mean_of(self._potential, mean, root, "V")
            value, by_mean, by_cov = value + float(np.mean(each)), by_mean + dm / self.count, by_cov + ds / self.count
        if self._interaction is not None:
            pulled, dm, ds = self._attraction(mean, root)
            value, by_mean, by_cov = value + pulled, by_mean + dm, by_cov + ds
        return Slopes(value, by_mean, by_cov)

    # ---- parts -----------------------------------------------------------------------------------------------------

    def _internal_single(self, root: Array) -> tuple[float, Array, Array]:
        """⟨U(ρ)/ρ⟩ = ∫ U(ρ₀e^{−s})/(ρ₀e^{−s}) dΓ(s),  ρ₀ = M/√((2π)^d det S);  its slope in ln det S is −½⟨p/ρ⟩."""
        rho = self.mass * np.exp(-_log_peak(root))[0] * self._fall
        value = float(np.sum(self._radial * self.internal.density(rho) / rho))
        slope = -0.5 * float(np.sum(self._radial * self.internal.law.pressure(rho, self.internal) / rho))
        inverse = inverse_of(root)
        return value, np.zeros((1, self.dim)), slope * inverse.swapaxes(1, 2) @ inverse

    def _internal(self, mean: Array, root: Array) -> tuple[float, Array, Array]:
        """(1/K) Σ_k ⟨U(ρ)/ρ⟩_k and its slopes: d⟨U/ρ⟩_k = ⟨(p/ρ) d ln ρ⟩_k, at nodes that move with component k, of a
        density that moves with all; r_j N_j = share of component j, y_j = L_j⁻¹(x − m_j), s_j = L_j⁻ᵀ y_j."""
        inverse = inverse_of(root)
        x = self._nodes(mean, root)
        y = np.einsum("jab,knjb->knja", inverse, x[:, :, None, :] - mean)
        log_each = -0.5 * np.sum(y * y, axis=-1) - _log_peak(root)
        top = np.max(log_each, axis=-1, keepdims=True)
        share = np.exp(log_each - top)
        total = np.sum(share, axis=-1, keepdims=True)
        share /= total
        rho = self.mass / self.count * np.exp(top + np.log(total))[..., 0]
        s = np.einsum("jba,knjb->knja", inverse, y)
        weight = self.w / self.count * self.internal.law.pressure(rho, self.internal) / rho
        each = weight[:, :, None] * share
        moved = -np.einsum("knj,knja->kna", each, s)
        by_mean = np.sum(moved, axis=1) + np.einsum("knj,knja->ja", each, s)
        by_root = np.einsum("kna,nb->kab", moved, self.z) + np.einsum("knj,knja,knjb->jab", each, s, y)
        by_root -= np.sum(each, axis=(0, 1))[:, None, None] * inverse.swapaxes(1, 2)
        value = np.sum(self.w / self.count * self.internal.density(rho) / rho)
        return float(value), by_mean, slope_in_square(root, by_root)

    def _attraction(self, mean: Array, root: Array) -> tuple[float, Array, Array]:
        """(M/2K²) Σ_jk ⟨W⟩_jk; W is even, so that a component's own part does not move its mean."""
        assert self._interaction is not None
        factor = self.mass / self.count**2
        v, _, ds = self._mean_of(self._interaction, np.zeros_like(mean), np.sqrt(2.0) * root, "W")
        value, by_mean, by_cov = 0.5 * factor * np.sum(v), np.zeros_like(mean), factor * ds
        if self._pairs:
            one, two = np.array(self._pairs).T
            cov = root @ root.swapaxes(1, 2)
            v, dm, ds = self._mean_of(
                self._interaction, mean[one] - mean[two], np.linalg.cholesky(cov[one] + cov[two]), "W"
            )
            value += factor * np.sum(v)
            for index, sign in ((one, 1.0), (two, -1.0)):
                np.add.at(by_mean, index, sign * factor * dm)
                np.add.at(by_cov, index, factor * ds)
        return float(value), by_mean, by_cov

    def _mean_of(self, what: Sequence[Function], mean: Array, root: Array, name: str) -> tuple[Array, Array, Array]:
        """⟨f⟩ (K,), its slopes in the means (K, d) and in the covariances (K, d, d)."""
        x = self._nodes(mean, root)
        at = {axis: x[..., k] for k, axis in enumerate(self.names)}
        zero = np.zeros(x.shape[:-1])
        with np.errstate(all="ignore"):
            values = [np.asarray(f(**at) + zero, dtype=float) for f in what]
        bad = ~np.all(np.isfinite(values), axis=0)
        if np.any(bad):
            place = ", ".join(f"{axis} = {at[axis][bad][0]:.6g}" for axis in self.names)
            raise SolverError(
                f"{name} or its gradient is no number at {place}, where a node of a Gaussian lies. A Gaussian lives on "
                "the whole space: give a formula that does too, or fewer solver.nodes, which reach less far."
            )
        slopes = np.stack(values[1:], axis=-1)
        by_root = np.einsum("n,kna,nb->kab", self.w, slopes, self.z)
        return values[0] @ self.w, np.einsum("n,kna->ka", self.w, slopes), slope_in_square(root, by_root)

    def _nodes(self, mean: Array, root: Array) -> Array:
        """(K, n, d)."""
        return np.asarray(mean[:, None, :] + np.einsum("kab,nb->kna", root, self.z))


def normal_nodes(nodes: int, dim: int) -> tuple[Array, Array]:
    """Nodes (n^d, d) and weights (n^d,) of sum 1 for N(0, I): equal steps h along each axis, out to REACH deviations.

    Of polynomials right to e^{−2π²/h²}, 1e-14 from 24 nodes on; of what is analytic in |Im z| < a to e^{−2πa/h}.
    """
    z = np.linspace(-REACH, REACH, nodes)
    w = np.exp(-0.5 * z * z)
    w /= np.sum(w)
    if dim == 1:
        return z[:, None], w
    x, y = np.meshgrid(z, z, indexing="ij")
    return np.stack([x.ravel(), y.ravel()], axis=1), np.outer(w, w).ravel()


def lower_half(a: Array) -> Array:
    """Φ: the lower triangles of (…, d, d), their diagonals halved."""
    return np.asarray(a * HALF[a.shape[-1]])


def inverse_of(root: Array) -> Array:
    """L⁻¹ of lower triangles (K, d, d), d ≤ 2."""
    found = np.zeros_like(root)
    found[:, 0, 0] = 1.0 / root[:, 0, 0]
    if root.shape[-1] == 2:
        found[:, 1, 1] = 1.0 / root[:, 1, 1]
        found[:, 1, 0] = -root[:, 1, 0] * found[:, 0, 0] * found[:, 1, 1]
    return found


def slope_in_square(root: Array, by_root: Array) -> Array:
    """∂e/∂S from ∂e/∂L, S = LLᵀ: sym(L⁻ᵀ Φ(Lᵀ ∂e/∂L) L⁻¹), (K, d, d)."""
    inverse = inverse_of(root)
    found = inverse.swapaxes(1, 2) @ lower_half(root.swapaxes(1, 2) @ by_root) @ inverse
    return np.asarray(0.5 * (found + found.swapaxes(1, 2)))


def _log_peak(root: Array) -> Array:
    """ln √((2π)^d det S), (K,)."""
    diagonal = np.diagonal(root, axis1=1, axis2=2)
    return np.asarray(np.sum(np.log(diagonal), axis=1) + 0.5 * root.shape[-1] * math.log(2 * math.pi))


def _with_slopes(function: Function | None, flow: Flow) -> tuple[Function, ...] | None:
    return None if function is None else (function, *gradient_of(function, flow.grid))
