"""The law of one particle of a Langevin chain, on the grid: the exact distribution that particles sample.

    ρ⁺(y) = ∫ρ(x) N(y; T(x), 2κτ) dx,     T(x) = x − τ∇V(x) − τ∇(W∗ρ)(x),     folded at walls, wrapped on rings

The mass of each cell goes from its centre to T and spreads with Gaussian weights at the centres, which are scaled to
sum 1: mass is kept to rounding and ρ ≥ 0.  For smooth densities midpoint sums are spectrally accurate; a spread of σ
over cells of h leaves 4e^{−2π²σ²/h²}, which is 3e-4 at σ = 0.67 h, 4e-11 at 1.12 h and rounding from 1.34 h on.  Where
σ > 2.1 h, a spread of 1.5 h is followed by an even convolution along each axis with the rest of the variance: the same
to 1e-15, and cheaper.  ∇(W∗ρ) is taken by central differences, of order 2.

By Metropolis' rule (`adjust`) a move i → j is accepted with min(1, π_j q_ji / π_i q_ij), q the weights themselves, and
the mass of what is refused stays: π is kept to rounding, and the entropy relative to it never rises (data processing).

The start should be sampled at the centres: averages over cells add h²/12 to its variance.

References: Greengard, Lee (2004), DOI 10.1137/S003614450343200X; Trefethen, Weideman (2014), DOI 10.1137/130932132.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ...energy.flow import Flow
from ...energy.snapshot import Report, Snapshot
from ...errors import CaseError, SolverError
from ...formulas.gradients import gradient_of
from ...grid import Array, Axis
from ...grid.checked_values import finite
from . import law_kernels as kernels
from .langevin_chain import next_time
from .mesh import slopes_on_cells

LEAST = 0.7
"""Smallest spread of a step over the width of a cell."""
FIRST, SPLIT = 1.5, 2.1
"""Spread over cells that is taken at once, and from which on the rest is a convolution of its own."""
ROUNDING = 1e-11
"""Change of the mass by a step, relative, that is the rounding of its sums; it is given back."""
REACH = 8.5
"""Standard deviations that weights reach: e^{−36} = 2e-16 is left out, and made up for by their sum."""


@dataclass(frozen=True)
class _Spread:
    """How a step spreads along one axis, in cells.   first : at once, with `bell`.   rest : weights of what follows."""

    first: float
    bell: Array
    rest: Array | None

    @property
    def error(self) -> float:
        """What midpoint sums leave of it."""
        return 4 * math.exp(-2 * math.pi**2 * self.first**2)


class Law:
    """Steps of τ of the law of a chain, as a stepper, on equal cells.

    Raises CaseError for stretched cells, where there is no noise, where its spread is below 0.7 cells, and where the
    drift is not finite.
    """

    def __init__(self, flow: Flow, tau: float, adjust: bool = False) -> None:
        self.flow, self.tau, self.adjust = flow, tau, adjust
        self.kappa = flow.internal.kappa if flow.internal.law.linear_diffusion else 0.0
        sigma = math.sqrt(2 * self.kappa * tau)
        self.spread = [_spread(axis, sigma, tau, adjust) for axis in flow.grid.axes]
        self._goal = _targets(flow, tau)
        self._log_pi = None if flow.potential is None else -flow.potential / self.kappa

    @property
    def quadrature_error(self) -> float:
        """What midpoint sums over the cells leave of a step, relative: 4e^{−2π²σ²/h²}."""
        return max(spread.error for spread in self.spread)

    def warm_up(self) -> None:
        """Compile, or load, the kernels: one step of this very grid."""
        self.moved(np.ones(self.flow.grid.shape))

    def step(self, snapshot: Snapshot, t_next: float) -> Snapshot:
        """One step.  Raises SolverError where the drift is not finite."""
        mass = snapshot.rho * self.flow.grid.cell_volume
        after, accepted = self.moved(mass)
        total, kept = float(np.sum(mass)), float(np.sum(after))
        if not abs(kept - total) <= ROUNDING * total:
            raise SolverError(f"a step of the law changed the mass from {total:.15g} to {kept:.15g}. Check the drift.")
        if total > 0:
            after *= total / kept
        t = next_time(snapshot.t, self.tau, t_next)
        report = Report(
            outer=int(self.flow.interaction is not None), more={"acceptance": accepted / total if total > 0 else 1.0}
        )
        fields = snapshot.fields | {"rho": after / self.flow.grid.cell_volume}
        return Snapshot(t, snapshot.step + 1, fields, t - snapshot.t, report=report)

    def moved(self, mass: Array) -> tuple[Array, float]:
        """The masses of the cells after a step, and the mass whose move was accepted."""
        grid, goal = self.flow.grid, self._goal
        if self.flow.interaction is not None:
            slopes = slopes_on_cells(self.flow.interaction.apply(mass / grid.cell_volume), grid)
            goal = [g - self.tau * s for g, s in zip(goal, slopes, strict=True)]
            if not all(np.all(np.isfinite(g)) for g in goal):
                raise SolverError("the drift ∇(W∗ρ) is not finite. Use a smaller tau; check the interaction.")
        targets = [(g - a.lower) * (a.size / a.length) - 0.5 for g, a in zip(goal, grid.axes, strict=True)]
        after = np.empty(grid.shape)
        if self.adjust:
            return after, self._adjusted(np.ascontiguousarray(mass), targets, after)
        self._spread(np.ascontiguousarray(mass), targets, after)
        return after, float(np.sum(mass))

    def _spread(self, mass: Array, targets: list[Array], out: Array) -> None:
        axes, spread = self.flow.grid.axes, self.spread
        near = [_folded(t, a.size, a.ring) for t, a in zip(targets, axes, strict=True)]
        if len(axes) == 1:
            kernels.spread_1d(mass, near[0], spread[0].first, spread[0].bell, axes[0].ring, out)
        else:
            x, y = spread
            rings = axes[0].ring, axes[1].ring
            kernels.spread_2d(mass, *near, x.first, y.first, x.bell, y.bell, *rings, out)
        for k, (one, axis) in enumerate(zip(spread, axes, strict=True)):
            if one.rest is not None:
                lines = np.ascontiguousarray(out.T if k else out.reshape(-1, axis.size))
                blurred = np.empty_like(lines)
                kernels.blur(lines, one.rest, axis.ring, blurred)
                out[...] = blurred.T if k else blurred.reshape(out.shape)

    def _adjusted(self, mass: Array, targets: list[Array], out: Array) -> float:
        axes, spread = self.flow.grid.axes, self.spread
        log_pi = np.zeros(mass.shape) if self._log_pi is None else self._log_pi
        if len(axes) == 1:
            reach = REACH * spread[0].first
            return float(kernels.adjusted_1d(mass, log_pi, targets[0], spread[0].first, reach, axes[0].ring, out))
        sizes = np.array([one.first for one in spread])
        rings = axes[0].ring, axes[1].ring
        return float(kernels.adjusted_2d(mass, log_pi, *targets, sizes, REACH * sizes, *rings, out))


def gibbs_moves(law: Law, mass: float) -> float:
    """‖Kπ − π‖₁/M, what a step does to the discrete Gibbs state of a mass."""
    before = law.flow.gibbs(mass) * law.flow.grid.cell_volume
    return float(np.sum(np.abs(law.moved(before)[0] - before)) / np.sum(before))


def _spread(axis: Axis, sigma: float, tau: float, whole: bool) -> _Spread:
    """whole : all at once."""
    if not axis.uniform:
        raise CaseError(
            f"the law of a chain needs cells of one size: axis {axis.name} is stretched. Remove grid.mapping, or give "
            "solver.particles."
        )
    cells = sigma * axis.size / axis.length
    if cells == 0:
        raise CaseError('a chain without noise (internal kind "none") has no density: give solver.particles.')
    if cells < LEAST:
        finer, longer = math.ceil(axis.size * LEAST / cells), tau * (LEAST / cells) ** 2
        raise CaseError(
            f"solver.tau: expected noise √(2κτ) of at least {LEAST:g} cells for a law on the grid, found {cells:.3g} "
            f"along {axis.name}; take {finer} cells there, or tau = {longer:.3g}, or give particles"
        )
    if whole or cells < SPLIT:
        return _Spread(cells, _bell(cells), None)
    rest = _bell(math.sqrt(cells**2 - FIRST**2))
    return _Spread(FIRST, _bell(FIRST), rest / rest.sum())


def _bell(cells: float) -> Array:
    """e^{−k²/2s²} for |k| ≤ REACH s."""
    reach = math.ceil(REACH * cells)
    return np.asarray(np.exp(-0.5 * (np.arange(-reach, reach + 1) / cells) ** 2))


def _targets(flow: Flow, tau: float) -> list[Array]:
    """x − τ∇V at the cell centres, an array of the grid's shape per axis.  Raises CaseError where it is not finite."""
    grid = flow.grid
    centres = [np.array(np.broadcast_to(c, grid.shape)) for c in grid.coordinates().values()]
    if flow.energy.potential is None:
        return centres
    slopes = [
        finite(slope, grid, "the gradient of the potential") for slope in gradient_of(flow.energy.potential, grid)
    ]
    return [c - tau * slope for c, slope in zip(centres, slopes, strict=True)]


def _folded(targets: Array, n: int, ring: int) -> Array:
    """Targets in cells, brought to where the box is: even noise has the same law about an image."""
    if np.all((targets >= -0.5) & (targets <= n - 0.5)):
        return np.ascontiguousarray(targets)
    turns = np.floor((targets + 0.5) / n)
    odd = (turns % 2 == 1) & (ring == 0)
    return np.ascontiguousarray(np.where(odd, (turns + 1) * n - 1 - targets, targets - turns * n))
