"""Stein variational gradient flow of a density: transport along the gradient of ξ, smoothed by a kernel.

    ∂t ρ = −∇·(ρv),      v(x) = (KJ)(x) = ∫k(x, y) J(y) dy,      J = −ρ∇ξ,      dE/dt = −⟨J, KJ⟩ ≤ 0

J stands on faces: the flux of Scharfetter and Gummel, r the rate of its donor, the cell of higher ξ (`energy.rates`),

    |J| = (r/A) ρ_d (1 − e^{−|z|}) = M |Δξ|/d,      z = Δξ/κ,      M = (r/A) ρ_d (1 − e^{−|z|}) d/(κ|z|) ≥ 0

per area A, d between the centres, without cancellation; without internal energy M = ½(ρ_i + ρ_j).  K acts on the faces
of each direction apart: by the FFT, by a matrix on stretched grids, by three sums for k = x·y + 1.  The flux is M v, M
at most twice the density that v leaves, and half of it where the other cell is empty: steps up to 1/(4 Σ max|v|/h) keep
ρ ≥ 0.  The limit takes effect where densities jump by more than 3.5 between cells.  Should E rise by it, J and M both
take M ≤ 2 min(ρ_i, ρ_j), by which dE/dt = −⟨J, KJ⟩ holds for every grid.

Preserves: mass to rounding, ρ ≥ 0, E never up: a step that would raise it is shortened.  Order 2 in space and time.
Not stiff, since K takes the derivatives.
References: Liu (2017), arXiv 1704.07520; Lu, Lu, Nolen (2019), DOI 10.1137/18M1187611.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ....energy.energy import Energy
from ....energy.flow import Flow
from ....energy.interaction import make_interaction
from ....energy.rates import sg_network
from ....energy.snapshot import Snapshot
from ....errors import SolverError
from ....grid import Array, Grid
from .explicit_steps import ExplicitMarch, Rate
from .stein_kernels import Kernel, kernel_function

EPS = float(np.finfo(float).eps)
ROUNDING = 64
"""Multiples of ε of the energies that a step may leave."""
RISES, NEGATIVE = "the energy would rise", "the density would become negative"
Smoothing = Callable[[Array], Array]


class Direction:
    """The faces between cells along one axis of a grid: arrays of the grid's shape, less one along it but on a ring.

    area : of the faces.   distance : between the centres beside them, both broadcast.   smooth : J ↦ KJ.
    """

    def __init__(self, grid: Grid, k: int, kernel: Kernel, threads: int) -> None:
        axis, self.along = grid.axes[k], grid.dim - 1 - k
        self.faces, self.ring = axis.size - 1 + axis.ring, axis.ring
        self.shape = tuple(self.faces if a == self.along else n for a, n in enumerate(grid.shape))
        self.distance = self._across(axis.distances[: self.faces], grid.dim)
        self.area = np.ones(1) if grid.dim == 1 else _spread(grid.axes[1 - k].widths, k)
        self.narrowest = float(axis.widths.min())
        self.smooth = _smoothing(grid, k, kernel, threads)

    def beside(self, values: Array) -> tuple[Array, Array]:
        """The values of the lower and of the upper cell at every face."""
        if self.ring:
            return values, np.roll(values, -1, axis=self.along)
        return np.delete(values, -1, self.along), np.delete(values, 0, self.along)

    def gain(self, through: Array) -> Array:
        """What cells gain by masses that cross the faces upwards, of the grid's shape."""
        if self.ring:
            return np.roll(through, 1, axis=self.along) - through
        pad = [(0, 0)] * through.ndim
        pad[self.along] = (1, 1)
        return -np.diff(np.pad(through, pad), axis=self.along)

    def _across(self, values: Array, dim: int) -> Array:
        shape = [1] * dim
        shape[self.along] = len(values)
        return values.reshape(shape)


class SteinDensity(ExplicitMarch):
    """The march of a density.

    kernel : k and its bandwidth, a number.   order, dt, tolerance : as of `ExplicitMarch`; the error is ‖·‖₁ over mass.
    The report of a step has the Stein discrepancy ⟨J, KJ⟩ at its start, energy/time.
    """

    def __init__(
        self,
        flow: Flow,
        kernel: Kernel,
        order: int = 2,
        dt: float | str = "adaptive",
        tolerance: float = 1e-4,
        threads: int = 1,
    ) -> None:
        super().__init__(order, dt, tolerance)
        self.flow, self.kernel = flow, kernel
        self._kappa = flow.internal.kappa if flow.internal.law.linear_diffusion else 0.0
        self._directions = [Direction(flow.grid, k, kernel, threads) for k in range(flow.grid.dim)]
        self._potential = np.zeros(flow.grid.shape) if flow.potential is None else flow.potential
        self._rates = self._rates_in(self._potential)
        self._strict = False

    def warm_up(self) -> None:
        """Compile, or load, the kernels that diagnostics call: the rates are there already."""
        from ....energy.fluxes import dissipation

        grid = self.flow.grid
        small = Grid([0.0] * grid.dim, [1.0] * grid.dim, [4] * grid.dim, [axis.boundary for axis in grid.axes])
        dissipation(Flow(small, Energy(self.flow.internal)), np.ones(small.shape))

    def step(self, snapshot: Snapshot, t_next: float) -> Snapshot:
        """As of `ExplicitMarch`; once more with J and flux limited alike where E would rise.  Raises SolverError."""
        self._strict = False
        try:
            found = super().step(snapshot, t_next)
            if RISES not in found.report.note:
                return found
        except SolverError as error:
            if RISES not in str(error):
                raise
        self._strict = True
        found = super().step(snapshot, t_next)
        note = "; ".join(part for part in ("gradient limited on steep cells", found.report.note) if part)
        return replace(found, report=replace(found.report, note=note))

    def start_of(self, snapshot: Snapshot) -> Array:
        return snapshot.rho

    def fields_of(self, x: Array) -> dict[str, Array]:
        return {"rho": x}

    def size(self, change: Array) -> float:
        return self.flow.integral(np.abs(change)) / self._mass

    def sound(self, stage: Array) -> bool:
        return bool(np.all(stage >= 0))

    def trouble(self, old: Array, new: Array) -> str:
        if not np.all(new >= 0):
            return NEGATIVE
        (before, size), (after, more) = self._energy(old), self._energy(new)
        return "" if after - before <= ROUNDING * EPS * (size + more) else RISES

    def rate(self, x: Array) -> Rate:
        self._mass = self.flow.mass(x)
        phi, rates = self._potential, self._rates
        if self.flow.interaction is not None:
            phi = phi + self.flow.interaction.apply(x)
            rates = self._rates_in(phi)
        gain, speed, lost = np.zeros_like(x), 0.0, 0.0
        for direction, pair in zip(self._directions, rates, strict=True):
            mean, current = self._current(direction, pair, x, phi)
            velocity = direction.smooth(current)
            gain += direction.gain(direction.area * self._carried(direction, mean, velocity, x) * velocity)
            speed += float(np.max(np.abs(velocity))) / direction.narrowest
            lost += float(np.sum(direction.area * direction.distance * current * velocity))
        longest = 0.25 / speed if speed > 0 else math.inf
        return Rate(gain / self.flow.grid.cell_volume, longest, {"stein_discrepancy": lost})

    def _rates_in(self, phi: Array) -> list[tuple[Array, Array]]:
        """a/A and b/A of the faces of each direction; without internal energy nothing is asked of them."""
        if self._kappa == 0.0:
            return [(np.ones(1), np.ones(1))] * len(self._directions)
        a, b = sg_network(self.flow, phi)
        found, first = [], 0
        for direction in self._directions:
            last = first + math.prod(direction.shape)
            found.append(tuple(r[first:last].reshape(direction.shape) / direction.area for r in (a, b)))
            first = last
        return found

    def _current(self, direction: Direction, rates: tuple[Array, Array], rho: Array, phi: Array) -> tuple[Array, Array]:
        """M and J = −M Δξ/d on the faces of a direction."""
        lower, upper = direction.beside(rho)
        below, above = direction.beside(phi)
        if self._kappa == 0.0:
            mean, change = 0.5 * (lower + upper), above - below
            mean = np.minimum(mean, 2 * np.minimum(lower, upper)) if self._strict else mean
            return mean, -mean * change / direction.distance
        with np.errstate(divide="ignore", invalid="ignore"):
            z = np.log(upper) - np.log(lower) + (above - below) / self._kappa
        z = np.where(np.isnan(z), 0.0, z)  # both empty
        size = np.abs(z)
        leaves = np.where(z < 0, rates[0] * lower, rates[1] * upper)
        current = -np.sign(z) * leaves * -np.expm1(-size)
        ratio = np.where(size > 0, -np.expm1(-size) / np.where(size > 0, size, 1.0), 1.0)
        mean = leaves * ratio * direction.distance / self._kappa
        if not self._strict:
            return mean, current
        least = 2 * np.minimum(lower, upper)
        share = np.where(mean > least, least / np.where(mean > 0, mean, 1.0), 1.0)
        return mean * share, np.where(least > 0, current * share, 0.0)

    def _carried(self, direction: Direction, mean: Array, velocity: Array, rho: Array) -> Array:
        """The density that v carries through the faces."""
        lower, upper = direction.beside(rho)
        left = np.where(velocity > 0, lower, upper)
        return np.where(np.minimum(lower, upper) > 0, np.minimum(mean, 2.0 * left), 0.5 * left)

    def _energy(self, rho: Array) -> tuple[float, float]:
        """E(ρ) and the size of what it is summed from."""
        parts = self.flow.parts(rho)
        return float(sum(parts)), float(sum(abs(part) for part in parts)) + self._kappa * self.flow.mass(rho)


# ---- K on the faces ---------------------------------------------------------------------------------------------


def _smoothing(grid: Grid, k: int, kernel: Kernel, threads: int) -> Smoothing:
    """J ↦ KJ on the faces along axis k: sums over faces of k(x_f, x_g) J_g A_g d_g, a positive form."""
    faces = _grid_of_faces(grid, k)
    if kernel.kind != "linear":
        return make_interaction(kernel_function(kernel, grid), faces, threads).apply
    places = list(faces.coordinates().values())
    volume = faces.cell_volume

    def smooth(current: Array) -> Array:
        held = current * volume
        total = np.full(current.shape, float(np.sum(held)))
        for place in places:
            total = total + place * float(np.sum(held * place))
        return total

    return smooth


def _grid_of_faces(grid: Grid, k: int) -> Grid:
    """A grid whose cells are what lies between neighbouring centres along axis k, around the faces."""
    lower, upper, shape, bounds, maps = [], [], [], [], []
    for j, axis in enumerate(grid.axes):
        edges = axis.edges
        if j == k:
            edges = np.append(axis.centers, axis.centers[0] + axis.length) if axis.ring else axis.centers
        lower.append(float(edges[0]))
        upper.append(float(edges[-1]))
        shape.append(len(edges) - 1)
        bounds.append(axis.boundary)
        maps.append(None if axis.uniform else _through((edges - edges[0]) / (edges[-1] - edges[0])))
    return Grid(lower, upper, shape, bounds, maps)


def _through(marks: Array) -> Callable[[Array], Array]:
    """A map of [0, 1] that takes equal steps to the marks."""
    return lambda s: np.interp(s, np.linspace(0.0, 1.0, len(marks)), marks)


def _spread(values: Array, k: int) -> Array:
    """Widths of the other axis, as arrays of faces along axis k see them: x-faces by rows, y-faces by columns."""
    return values[:, None] if k == 0 else values[None, :]
