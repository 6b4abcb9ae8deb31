"""∇(W∗ρ) by the cells of a grid: of a density there, and of particles by way of their density.

    ρ_h = cloud-in-cell density of the particles,    u = W∗ρ_h,    ∇u by central differences,    at X by interpolation

A particle between two cell centres gives each a share that is linear in its distance; between a wall and the first
centre all goes to that cell.  The slope at a particle is read by the same weights, so that a particle does not push
itself and the centre of mass of even kernels stays.  Order 2 in h for smooth W, away from walls; 1 for |x|: a kernel is
smoothed over a cell.  One step costs O(n) and one W∗ρ.

Reference: Hockney, Eastwood (1988), Computer Simulation Using Particles, chapter 5, DOI 10.1201/9780367806934.
"""

from __future__ import annotations

import numpy as np

from ...base.kernel_cache import njit
from ...energy.flow import Flow
from ...grid import Array, Axis, Grid
from .swarm import cell_of


def slopes_on_cells(values: Array, grid: Grid) -> list[Array]:
    """∂/∂x[, ∂/∂y] of cell values at the centres: central differences, one-sided of order 2 beside walls."""
    found = []
    for k, axis in enumerate(grid.axes):
        place = values.ndim - 1 - k
        if axis.ring:
            centres = np.concatenate([[axis.centers[-1] - axis.length], axis.centers, [axis.centers[0] + axis.length]])
            around = np.concatenate([np.take(values, [-1], place), values, np.take(values, [0], place)], axis=place)
            slope = np.gradient(around, centres, axis=place)
            found.append(np.take(slope, np.arange(1, axis.size + 1), axis=place))
        else:
            found.append(np.gradient(values, axis.centers, axis=place, edge_order=2 if axis.size > 2 else 1))
    return found


class MeshPull:
    """places ↦ ∇(W∗ρ) there, for replicas that do not see each other.   mass : of each of them."""

    def __init__(self, flow: Flow, mass: float, replicas: int) -> None:
        self.flow, self.mass, self.replicas = flow, mass, replicas

    def __call__(self, places: Array) -> Array:
        """(n, dim) → (n, dim)."""
        grid, out = self.flow.grid, np.empty_like(places)
        interaction = self.flow.interaction
        assert interaction is not None
        for part in np.split(np.arange(len(places)), self.replicas):
            own = slice(int(part[0]), int(part[-1]) + 1)
            shares = [_shares(axis, places[own, k]) for k, axis in enumerate(grid.axes)]
            each = self.mass / len(part)
            if grid.dim == 1:
                rho = np.zeros(grid.shape)
                _deposit_1d(*shares[0], rho)
                slopes = slopes_on_cells(interaction.apply(rho * each / grid.cell_volume), grid)
                _read_1d(*shares[0], slopes[0], out[own, 0])
            else:
                rho = np.zeros(grid.shape)
                _deposit_2d(*shares[0], *shares[1], rho)
                for k, slope in enumerate(slopes_on_cells(interaction.apply(rho * each / grid.cell_volume), grid)):
                    _read_2d(*shares[0], *shares[1], np.ascontiguousarray(slope), out[own, k])
        return out


def _shares(axis: Axis, places: Array) -> tuple[Array, Array, Array]:
    """The two cells whose centres lie about each place, (n,) each, and the share of the second."""
    lower, upper = np.empty(len(places), np.int64), np.empty(len(places), np.int64)
    share = np.empty(len(places))
    rate = axis.size / axis.length if axis.uniform else 0.0
    _between(np.ascontiguousarray(places), axis.edges, axis.centers, rate, axis.ring, lower, upper, share)
    return lower, upper, share


@njit(cache=True, nogil=True)
def _between(places, edges, centers, per_length, ring, lower, upper, share):
    n = len(centers)
    length = edges[-1] - edges[0]
    for p in range(len(places)):
        i = cell_of(places[p], edges, per_length)
        a = i if places[p] >= centers[i] else i - 1
        if 0 <= a < n - 1:
            lower[p], upper[p], gap = a, a + 1, centers[a + 1] - centers[a]
        elif ring == 1:
            lower[p], upper[p], gap = n - 1, 0, centers[0] + length - centers[n - 1]
        else:
            lower[p], upper[p], share[p] = i, i, 0.0
            continue
        away = places[p] - centers[lower[p]]
        share[p] = (away + length if away < 0.0 else away) / gap


@njit(cache=True, nogil=True)
def _deposit_1d(lower, upper, share, out):
    for p in range(len(lower)):
        out[lower[p]] += 1.0 - share[p]
        out[upper[p]] += share[p]


@njit(cache=True, nogil=True)
def _read_1d(lower, upper, share, values, out):
    for p in range(len(lower)):
        out[p] = (1.0 - share[p]) * values[lower[p]] + share[p] * values[upper[p]]


@njit(cache=True, nogil=True)
def _deposit_2d(left, right, x, low, high, y, out):
    for p in range(len(left)):
        out[low[p], left[p]] += (1.0 - y[p]) * (1.0 - x[p])
        out[low[p], right[p]] += (1.0 - y[p]) * x[p]
        out[high[p], left[p]] += y[p] * (1.0 - x[p])
        out[high[p], right[p]] += y[p] * x[p]


@njit(cache=True, nogil=True)
def _read_2d(left, right, x, low, high, y, values, out):
    for p in range(len(left)):
        below = (1.0 - x[p]) * values[low[p], left[p]] + x[p] * values[low[p], right[p]]
        above = (1.0 - x[p]) * values[high[p], left[p]] + x[p] * values[high[p], right[p]]
        out[p] = (1.0 - y[p]) * below + y[p] * above
