"""Resolution: whether the cells of a grid are small enough for a density and for what moves it.  O(cells).

Three numbers, by axis the first two:

    cells     2M / Σ_faces |ρ_j − ρ_i| v_f,   v_f = ½(v_i + v_j)       cells across a peak
    Péclet    P_f = |ΔΦ_f| / D_f,   Φ = V + W∗ρ,   D = ρU''(ρ)          drift over diffusion, from a cell to the next
    fullest   max ρ v / M                                              mass in the fullest cell

v volumes of cells, M mass.  A box of n cells has n, a Gaussian √(2π) σ/h = 2.5 σ/h, peaks apart their mean, a disk of
radius R ½πR/h along each axis; ∞ for a constant.  D = κ for the entropy, κ m ρ^{m−1} for a power; without U there is no
diffusion to be resolved and no Péclet number.  A force counts with ΔV.  Faces without mass do not count, nor do those
of cells that are shut.

**Bounds.**  LEAST_CELLS = 4: cells widen a Gaussian's variance by h²/12, which is 3 % of it at 4 cells, 13 % at 2.
MOST_PECLET = 4, over half of the mass: the flux of Scharfetter and Gummel diffuses by κ (P/2) coth(P/2), so that from
there on the scheme's own diffusion is more than κ; in tails P may be anything and does no harm.  MOST_SHARE = 20 % in
one cell, and more than five times the mean, since of few cells each holds much.

What is told is of the grid: the scheme keeps mass, sign, energy law and Gibbs state on any.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..energy.flow import Flow
from ..grid import Array

LEAST_CELLS, MOST_PECLET, MOST_SHARE, MOST_OF_MEAN = 4.0, 4.0, 0.2, 5.0
"""See above."""
FAR = 4
"""Times as many cells along an axis are no longer what to take at once."""
BEYOND = 10**6
"""Cells along an axis that are not to be had."""
OVER = 0.5
"""The part of the mass that lies on faces with a Péclet number of at least that which is told."""


@dataclass(frozen=True)
class Resolution:
    """How a grid resolves a density.

    cells : by axis, x first, cells across a peak, ∞ for none.   peclet : by axis, the number that half of the mass
    reaches, 0 where it is not asked for.   fullest : part of the mass in the fullest cell.   shape : cells, x first.
    """

    cells: tuple[float, ...]
    peclet: tuple[float, ...]
    fullest: float
    shape: tuple[int, ...]

    def faults(self, names: tuple[str, ...], unit: str = "κ") -> list[str]:
        """What the grid does not resolve, parts of a sentence.   names : of the axes.   unit : of the diffusion."""
        found = [
            f"peaks are {n:.2g} cells wide along {name} (expected {LEAST_CELLS:g} at least)"
            for name, n in zip(names, self.cells, strict=True)
            if n < LEAST_CELLS
        ]
        if self.fullest > max(MOST_SHARE, MOST_OF_MEAN / math.prod(self.shape)):
            found.append(
                f"{100 * self.fullest:.0f} % of the mass lies in one cell, a state of the grid, not of the equation"
            )
        found += [
            f"half of the mass lies where the drive along {name} changes by {p:.3g} {unit} or more from a cell to the "
            f"next (expected {MOST_PECLET:g} at most; there the scheme adds diffusion of its own)"
            for name, p in zip(names, self.peclet, strict=True)
            if p > MOST_PECLET
        ]
        return found

    def wanted(self) -> tuple[int, ...]:
        """Cells by axis, x first, that would do for a density of this shape; BEYOND are the most."""
        factors = (max(1.0, LEAST_CELLS / n, p / MOST_PECLET) for n, p in zip(self.cells, self.peclet, strict=True))
        counts = (factor * count for factor, count in zip(factors, self.shape, strict=True))
        return tuple(math.ceil(min(count, max(n, BEYOND))) for count, n in zip(counts, self.shape, strict=True))


def resolution_of(flow: Flow, rho: Array, drift: bool = True) -> Resolution:
    """Of cell averages ≥ 0, array of the grid's shape, with some mass.

    drift : whether Péclet numbers are asked for; W∗ρ is one more convolution.
    """
    grid = flow.grid
    volume = np.broadcast_to(grid.cell_volume, grid.shape)
    held = rho * volume
    mass = float(held.sum())
    cells, peclet = [], []
    drive = _drive(flow, rho) if drift and not flow.internal.law.vanishes else None
    for k, axis in enumerate(grid.axes):
        along = rho.ndim - 1 - k
        here, there = _both(rho, along, axis.ring)
        change = float(np.sum(np.abs(there - here) * _mean(volume, along, axis.ring)))
        cells.append(2 * mass / change if change > 0 else math.inf)
        peclet.append(0.0 if drive is None else _peclet(flow, rho, held, drive, k))
    return Resolution(tuple(cells), tuple(peclet), float(held.max()) / mass, tuple(axis.size for axis in grid.axes))


def _drive(flow: Flow, rho: Array) -> Array:
    """V + W∗ρ, array of the grid's shape."""
    drive = np.zeros(flow.grid.shape) if flow.potential is None else flow.potential
    return drive if flow.interaction is None else drive + flow.interaction.apply(rho)


def _peclet(flow: Flow, rho: Array, held: Array, drive: Array, k: int) -> float:
    """The largest P with half of the mass on faces across axis k that reach it; 0 where less than that has a face."""
    axis, along = flow.grid.axes[k], rho.ndim - 1 - k
    low, high = _both(drive, along, axis.ring)
    change = high - low
    if flow.push is not None:
        push = flow.push[k] if axis.ring else flow.push[k][: axis.size - 1]
        change = change - push.reshape([-1 if other == along else 1 for other in range(rho.ndim)])
    between = _mean(rho, along, axis.ring)
    shut = np.logical_or(*_both(flow.empty, along, axis.ring))
    weight = np.where(shut, 0.0, _mean(held, along, axis.ring))
    counted = weight > 0
    weight, between = weight[counted], between[counted]
    with np.errstate(over="ignore", under="ignore", divide="ignore", invalid="ignore"):
        number = np.abs(change[counted]) / (between * flow.internal.law.second_derivative(between, flow.internal))
    number = np.nan_to_num(number, nan=0.0, posinf=np.inf)
    half = OVER * float(held.sum())
    if float(weight[number > MOST_PECLET].sum()) < half:
        return min(MOST_PECLET, float(np.dot(weight, np.minimum(number, MOST_PECLET))) / float(held.sum()))
    order = np.argsort(-number)
    return float(number[order[np.searchsorted(np.cumsum(weight[order]), half)]])


def _both(values: Array, along: int, ring: int) -> tuple[Array, Array]:
    """The values on both sides of the faces across an axis, that which closes a ring last."""
    if ring:
        return values, np.roll(values, -1, along)
    count = values.shape[along]
    return np.take(values, range(count - 1), along), np.take(values, range(1, count), along)


def _mean(values: Array, along: int, ring: int) -> Array:
    here, there = _both(values, along, ring)
    return np.asarray(0.5 * (here + there))


def resolution_note(flow: Flow, rho: Array, what: str, drift: bool = True) -> str:
    """A sentence on what the grid does not resolve of a density, and what to do; "" where there is nothing to tell.

    what : the density, as "the density at the start".
    """
    if not float(np.sum(rho)) > 0:
        return ""
    found, names = resolution_of(flow, rho, drift), tuple(axis.name for axis in flow.grid.axes)
    faults = found.faults(names, "κ" if flow.internal.law.linear_diffusion else "ρU''(ρ)")
    return f"the grid does not resolve {what}: {'; '.join(faults)}. {_remedy(flow, found)}" if faults else ""


def _remedy(flow: Flow, found: Resolution) -> str:
    wanted, shape = found.wanted(), found.shape
    if flow.internal.law.vanishes:
        return "Without internal energy a crowd may be as narrow as the cells on every grid: compare it on a finer one."
    if wanted == shape:
        return "Refine the grid, and see what changes."
    if any(most >= BEYOND and most > n for most, n in zip(wanted, shape, strict=True)):
        return "No grid would: take more diffusion, or a drive that changes less."
    cells = " x ".join(map(str, wanted))
    if any(most > FAR * n for most, n in zip(wanted, shape, strict=True)):
        few = " x ".join(map(str, shape))
        return f"About {cells} cells would do in place of {few}: see on twice as many, or with more diffusion."
    return (
        f"Take about {cells} cells in place of {' x '.join(map(str, shape))}, or a smaller box or grid.mapping, and "
        "see what changes."
    )
