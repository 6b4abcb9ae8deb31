"""Stein variational gradient descent: particles that move together towards e^{−V/κ}, without noise.

    Ẋ_i = (M/n) Σ_j [−k(X_i, X_j) ∇ξ_j + κ∇_{X_j} k(X_i, X_j)],      ∇ξ_j = ∇V(X_j) + (M/n) Σ_l ∇W(X_j − X_l)

Steps of order 1 (Euler, the algorithm as it was published) or of order 2.  A bandwidth "median" is that of the places
at the start of a step and is held through it.  Particles reflect at walls and wrap on rings.  The density beside them
is that of the cells that count them; their mean field is in module `stein_density`.

Preserves the number of particles, which stay in the box.  Draws nothing after the start.
Reference: Liu, Wang (2016), Stein variational gradient descent, arXiv 1608.04471.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ....energy.flow import Flow
from ....energy.snapshot import Snapshot
from ....errors import SolverError
from ....formulas.gradients import gradient_of
from ....grid import Array
from ..swarm import counts_in, density_of_counts, fold
from .explicit_steps import ExplicitMarch, Rate
from .stein_kernels import Kernel, drive, median_width


class SteinParticles(ExplicitMarch):
    """The march of a crowd.  The field `position` is (n, dim), in the box.

    mass : of the density that the particles stand for.   pull : places ↦ (M/n) Σ ∇W, or None.
    order, dt, tolerance : as of `ExplicitMarch`; the error is the root mean square of places over the size of the box.
    The report of a step has the Stein discrepancy ⟨J, KJ⟩ at its start, energy/time.
    """

    def __init__(
        self,
        flow: Flow,
        kernel: Kernel,
        mass: float,
        pull: Callable[[Array], Array] | None = None,
        order: int = 2,
        dt: float | str = "adaptive",
        tolerance: float = 1e-4,
        threads: int = 1,
    ) -> None:
        super().__init__(order, dt, tolerance)
        self.flow, self.kernel, self._mass, self._pull, self._threads = flow, kernel, mass, pull, threads
        self._kappa = flow.internal.kappa if flow.internal.law.linear_diffusion else 0.0
        potential = flow.energy.potential
        self._slopes = None if potential is None else gradient_of(potential, flow.grid)
        self._box = float(np.sqrt(sum(axis.length**2 for axis in flow.grid.axes)))
        self._width = float(kernel.bandwidth) if isinstance(kernel.bandwidth, float | int) else 1.0

    def warm_up(self) -> None:
        """Compile, or load, the kernels: the velocity of two particles in the middle of the box."""
        middle = np.array([[0.5 * (axis.lower + axis.upper) for axis in self.flow.grid.axes]] * 2)
        drive(self.kernel, middle, np.zeros_like(middle), self._kappa, self.flow.grid, 1.0)
        if self._pull is not None:
            self._pull(middle)
        fold(middle, self.flow.grid)
        counts_in(middle, self.flow.grid)

    def step(self, snapshot: Snapshot, t_next: float) -> Snapshot:
        """As of `ExplicitMarch`, with the density that the cells count.  Raises SolverError."""
        if self.kernel.bandwidth == "median":
            self._width = median_width(snapshot.fields["position"], self.flow.grid)
            if self._width == 0.0:
                raise SolverError("the particles stand in one place, so that the median of their distances is 0.")
        found = super().step(snapshot, t_next)
        counts = counts_in(found.fields["position"], self.flow.grid, self._threads)
        rho = density_of_counts(counts, self.flow.grid, self._mass)
        return replace(found, fields=found.fields | {"rho": rho})

    def start_of(self, snapshot: Snapshot) -> Array:
        return snapshot.fields["position"]

    def fields_of(self, x: Array) -> dict[str, Array]:
        return {"position": fold(x, self.flow.grid)}

    def size(self, change: Array) -> float:
        return float(np.sqrt(np.mean(np.sum(change**2, axis=1)))) / self._box

    def trouble(self, old: Array, new: Array) -> str:
        return "" if np.all(np.isfinite(new)) else "a place would be no number"

    def rate(self, x: Array) -> Rate:
        places = fold(x.copy(), self.flow.grid)
        found = drive(self.kernel, places, self._force(places), self._kappa, self.flow.grid, self._width, self._threads)
        lost = self._mass**2 * found.discrepancy
        return Rate(self._mass * found.velocity, numbers={"stein_discrepancy": lost})

    def _force(self, places: Array) -> Array:
        """∇ξ at the places, (n, dim)."""
        force = np.zeros_like(places) if self._pull is None else np.array(self._pull(places))
        if self._slopes is not None:
            at = {axis.name: places[:, k] for k, axis in enumerate(self.flow.grid.axes)}
            with np.errstate(all="ignore"):
                for k, slope in enumerate(self._slopes):
                    force[:, k] += np.broadcast_to(slope(**at), len(places))
        if not np.all(np.isfinite(force)):
            where = places[int(np.argmax(~np.all(np.isfinite(force), axis=1)))]
            at_text = ", ".join(f"{a.name} = {p:.6g}" for a, p in zip(self.flow.grid.axes, where, strict=True))
            raise SolverError(f"the gradient of the energy is no number at {at_text}.")
        return force
