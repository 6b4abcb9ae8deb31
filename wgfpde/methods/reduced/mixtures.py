"""The gradient flow of an energy on Gaussians, in the metric of Bures and Wasserstein, and on mixtures of them.

    ṁ_k = −K ∂e/∂m_k,     Ṡ_k = −(A_k S_k + S_k A_k),   A_k = 2K ∂e/∂S_k

For one Gaussian these are ṁ = −⟨∇ξ⟩ and A = ⟨∇²ξ⟩: the velocity −∇ξ of the Wasserstein flow, projected onto affine
ones.  In a mixture of K equal weights every component follows the ξ of all.  With e as `gaussians` computes it

    de/dt = −(1/K) Σ_k (|ṁ_k|² + tr A_k S_k A_k) ≤ 0

is exact, whatever the nodes.  The equations are integrated in m and in the logarithms of the diagonal of L, S = LLᵀ,
which keeps S > 0, by LSODA to TOLERANCE: one step leads to the next output time and depends on where it starts alone.

The density is that of the Gaussians, as cell averages; what lies outside the box is put into the outermost cells, and
refused where it is more than OUTSIDE of the mass.
References: Lambert, Chewi, Bach, Bonnabel, Rigollet (2022), arXiv 2205.15902; Petzold (1983), DOI 10.1137/0904010.
"""

from __future__ import annotations

import numpy as np

from ...energy.flow import Flow
from ...energy.snapshot import Report, Snapshot
from ...errors import SolverError
from ...grid import Array, Grid
from .cell_masses import mixture_on_cells, outside
from .gaussians import MixtureEnergy, inverse_of, lower_half

TOLERANCE = 1e-10
"""Relative error of a step of the integrator; absolute ones are a hundredth of it."""
MOST = 20_000
"""Evaluations in a step; smooth energies take hundreds, and slopes that jump stop the integrator."""
TOLD = 1e-5
"""Relative error of the energy by the nodes from which on the log says so."""
OUTSIDE = 1e-6
"""Part of the mass that may lie outside the box."""
ENERGY = "gaussian_energy"
"""Field of a snapshot with E(m, S), (1,)."""


class GaussianFlow:
    """The march of a mixture: fields `mean` and `covariance` of a snapshot, and E(m, S).

    mass : M.   count : K.   nodes : per axis.   A single Gaussian has fields without an axis of components.
    """

    def __init__(self, flow: Flow, mass: float, count: int, nodes: int) -> None:
        self.grid, self.mass, self.count, self.dim = flow.grid, mass, count, flow.grid.dim
        self.energy = MixtureEnergy(flow, mass, count, nodes)
        self._coarse = MixtureEnergy(flow, mass, count, max(2, nodes - 4))
        length = max(axis.length for axis in flow.grid.axes)
        tiny = 0.01 * TOLERANCE
        self._errors = np.concatenate([np.full(count * self.dim, tiny * length), np.full(count * self._size, tiny)])

    @property
    def _size(self) -> int:
        """Numbers that describe a covariance."""
        return self.dim * (self.dim + 1) // 2

    def warm_up(self) -> None:
        """There is nothing to compile; the integrator is loaded."""
        import scipy.integrate  # noqa: F401

    def start(self, mean: Array, cov: Array) -> dict[str, Array]:
        """The fields of a snapshot.   mean : (K, d).   cov : (K, d, d).  Raises SolverError."""
        return self._fields(mean, cov, self.energy(mean, np.linalg.cholesky(cov)).value)

    def step(self, snapshot: Snapshot, t_next: float) -> Snapshot:
        """Integrate to t_next.  Raises SolverError where the integrator fails, or the mass leaves the box."""
        from scipy.integrate import solve_ivp

        span = t_next - snapshot.t
        if not span > 0:
            raise SolverError(f"the next time {t_next} must lie after the present one {snapshot.t}.")
        asked = 0

        def rates(t: float, state: Array) -> Array:
            nonlocal asked
            asked += 1
            if asked > MOST:
                raise SolverError(
                    f"the equations of the Gaussians took {MOST} evaluations from t = {snapshot.t:.6g} to "
                    f"{snapshot.t + t:.6g}: their slopes jump, as where V has a kink. Smooth it, as by "
                    "sqrt(x**2 + 0.01) for abs(x)."
                )
            return self.rates(state)

        start = self._packed(*self.state_of(snapshot))
        found = solve_ivp(rates, (0.0, span), start, "LSODA", rtol=TOLERANCE, atol=self._errors)
        if found.status != 0 or not np.all(np.isfinite(found.y[:, -1])):
            raise SolverError(
                f"the equations of the Gaussians could not be integrated beyond t = {snapshot.t + found.t[-1]:.10g}: "
                f"{str(found.message).rstrip('.')}. They may collapse, or spread without bound."
            )
        energies = self.mass * np.array([self.energy(*self._unpacked(state)).value for state in found.y.T])
        mean, root = self._unpacked(found.y[:, -1])
        fields = self._fields(mean, root @ root.swapaxes(1, 2), energies[-1] / self.mass)
        apart = self.mass * abs(self._coarse(mean, root).value - float(energies[-1]) / self.mass)
        known = apart <= TOLD * max(abs(float(energies[-1])), self.mass)
        note = "" if known else f"the nodes tell the energy to {apart:.1g} only: raise solver.nodes"
        more = {
            "gaussian_rise": float(np.max(np.diff(energies), initial=0.0)),
            "evaluations": int(found.nfev), "quadrature_error": apart,
        }  # fmt: skip
        return Snapshot(t_next, snapshot.step + 1, snapshot.fields | fields, span, report=Report(note=note, more=more))

    def rates(self, state: Array) -> Array:
        """d/dt of (m, L with the logarithms of its diagonal): L̇ = LΦ(L⁻¹ Ṡ L⁻ᵀ)."""
        mean, root = self._unpacked(state)
        slopes = self.energy(mean, root)
        pull, cov = 2 * self.count * slopes.by_covariance, root @ root.swapaxes(1, 2)
        inverse = inverse_of(root)
        rate = -(pull @ cov + cov @ pull)
        turned = root @ lower_half(inverse @ rate @ inverse.swapaxes(1, 2))
        index = np.arange(self.dim)
        turned[:, index, index] /= root[:, index, index]
        return np.concatenate([(-self.count * slopes.by_mean).ravel(), turned[:, *np.tril_indices(self.dim)].ravel()])

    def state_of(self, snapshot: Snapshot) -> tuple[Array, Array]:
        """Means (K, d) and roots (K, d, d) of a snapshot."""
        mean = snapshot.fields["mean"].reshape(self.count, self.dim)
        return mean, np.linalg.cholesky(snapshot.fields["covariance"].reshape(self.count, self.dim, self.dim))

    def _packed(self, mean: Array, root: Array) -> Array:
        index = np.arange(self.dim)
        values = root.copy()
        values[:, index, index] = np.log(root[:, index, index])
        return np.concatenate([mean.ravel(), values[:, *np.tril_indices(self.dim)].ravel()])

    def _unpacked(self, state: Array) -> tuple[Array, Array]:
        cut, index = self.count * self.dim, np.arange(self.dim)
        root = np.zeros((self.count, self.dim, self.dim))
        root[:, *np.tril_indices(self.dim)] = state[cut:].reshape(self.count, self._size)
        root[:, index, index] = np.exp(root[:, index, index])
        return state[:cut].reshape(self.count, self.dim), root

    def _fields(self, mean: Array, cov: Array, energy: float) -> dict[str, Array]:
        check_inside(self.grid, mean, cov)
        rho = self.mass / self.count * mixture_on_cells(self.grid, mean, cov)
        alone = self.count == 1
        return {
            "rho": rho, "mean": mean[0] if alone else mean, "covariance": cov[0] if alone else cov,
            ENERGY: np.array([self.mass * energy]),
        }  # fmt: skip


def check_inside(grid: Grid, mean: Array, cov: Array) -> None:
    """Raise SolverError where more than OUTSIDE of the mass lies outside the box."""
    lost = float(np.mean(outside(grid, mean, cov)))
    if not lost <= OUTSIDE:
        k = int(np.argmax(outside(grid, mean, cov)))
        centre = ", ".join(f"{axis.name} = {m:.4g}" for axis, m in zip(grid.axes, mean[k], strict=True))
        width = ", ".join(f"{s:.3g}" for s in np.sqrt(np.diagonal(cov[k])))
        raise SolverError(
            f"{lost:.2g} of the mass of the Gaussians lies outside the box, most of it of the one at {centre} with "
            f"deviation {width}: the cells cannot show them. Widen the grid."
        )
