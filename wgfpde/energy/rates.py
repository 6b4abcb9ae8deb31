"""The rates of a flow as a network, assembled here and nowhere else.

    h_i dρ_i/dt + Σ_faces F = 0,     F = a ρ_i − b ρ_j on the face from cell i to cell j,     a, b ≥ 0

by Scharfetter and Gummel (entropy) or by limited donors (no internal energy), a and b per face of every axis.  The
diffusion D of a face and the area of a shell multiply both rates: they are in the resistances of the lines (module
`lines`), and reach the sweeps, the dissipation, the spectrum and the conductances at once.

Two layouts: blocks of lines (blocks, n, LANES) for the sweeps (module `lines`), and one entry a face, times its area,
for what takes the network as a whole; `faces_of` gives the order of the second.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..base.kernel_cache import njit
from ..grid import Array, Grid
from ..grid.axis import Axis
from ..linear.lines import Lines, X, gather, lines_of, of_block
from ..linear.threads import share
from .donor import line_donors
from .flow import Flow
from .scharfetter_gummel import line_rates


class Rates:
    """a and b of every face of a grid, axis by axis, in blocks of lines.

    axes : the sweeps of the grid.   threads : that share the work.
    push : f d on the faces of each axis, x first, see `Flow.push`; None without a force.
    """

    def __init__(self, grid: Grid, axes: list[Lines], threads: int = 1, push: tuple[Array, ...] | None = None) -> None:
        self.grid, self.axes, self.threads = grid, axes, threads
        self._push = push_along(axes, push)
        self._held = {lines.direction: (lines.coefficients(), lines.coefficients()) for lines in axes}

    def along(self, lines: Lines) -> tuple[Array, Array]:
        """a, b (blocks, n, LANES), per area, of the faces along one axis."""
        return self._held[lines.direction]

    def scharfetter_gummel(self, phi: Array, kappa: float) -> None:
        """Fill all with the rates of the entropy in the potential phi, (ny, nx), and of the force."""
        for lines in self.axes:
            share(
                sg_rates, lines.blocks, self.grid.size, self.threads,
                phi, lines.direction, self._push[lines.direction], lines.resistances, kappa, lines.ring,
                *self.along(lines),
            )  # fmt: skip

    def donors(self, phi: Array, reference: Array, lines: Lines) -> None:
        """Fill those of one axis with limited donor rates; reference (ny, nx) gives the weights."""
        share(
            drift_rates, lines.blocks, self.grid.size, self.threads,
            phi, reference, lines.direction, lines.widths, lines.distances, lines.resistances, lines.ring,
            *self.along(lines),
        )  # fmt: skip

    def network(self) -> tuple[Array, Array]:
        """a, b (faces,), volume/time: times ρ_i and ρ_j the mass that crosses, in the order of `faces_of`."""
        each: tuple[list[Array], list[Array]] = ([], [])
        for lines in self.axes:
            for rates, found in zip(self.along(lines), each, strict=True):
                whole = lines.rows(rates).T[:, : _faces(lines)]
                area = 1.0 if self.grid.dim == 1 else _across(self.grid, lines).widths[:, None]
                found.append((whole * area if lines.direction == X else (whole * area).T).ravel())
        return np.concatenate(each[0]), np.concatenate(each[1])


@dataclass(frozen=True)
class Faces:
    """All faces of a grid between two cells, axis by axis, those that close a ring included.

    lower, upper : (faces,) cells i and j, by their place in the flattened grid.   conductance : (faces,) D area/d.
    """

    lower: Array
    upper: Array
    conductance: Array


def faces_of(flow: Flow) -> Faces:
    """The faces of a flow's grid in the order in which a network lists them."""
    grid = flow.grid
    index = np.arange(grid.size, dtype=np.int32).reshape((1, grid.size) if grid.dim == 1 else grid.shape)
    parts: tuple[list[Array], list[Array], list[Array]] = ([], [], [])
    for lines in lines_of(grid, flow.mobility):
        along, count = (1 if lines.direction == X else 0), _faces(lines)
        area = np.ones(1) if grid.dim == 1 else _across(grid, lines).widths
        ratio = area / lines.rows(lines.resistances)
        ratio = ratio.T if lines.direction == X else ratio
        cells = (index, np.roll(index, -1, along), ratio)
        for found, values in zip(parts, cells, strict=True):
            found.append((values[:, :count] if lines.direction == X else values[:count]).ravel())
    return Faces(*(np.concatenate(part) for part in parts))


def push_along(axes: list[Lines], push: tuple[Array, ...] | None) -> dict[int, Array]:
    """f d of the faces along the lines of each direction, (n,) as kernels take it: zeros without a force."""
    return {
        lines.direction: np.zeros(lines.n) if push is None else push[0 if lines.direction == X else 1] for lines in axes
    }


def across_widths(grid: Grid, lines: Lines) -> Array:
    """The widths of the lines of a sweep, (count,): areas of their faces; one in 1D."""
    return np.ones(1) if grid.dim == 1 else np.ascontiguousarray(_across(grid, lines).widths)


def sg_network(flow: Flow, phi: Array) -> tuple[Array, Array]:
    """The network of the entropy in a potential phi of the grid's shape: a, b (faces,), volume/time, with D and f."""
    grid, kappa = flow.grid, flow.internal.kappa
    rates = Rates(grid, lines_of(grid, flow.mobility), push=flow.push)
    rates.scharfetter_gummel(np.array(phi, dtype=float).reshape((1, -1) if grid.dim == 1 else grid.shape), kappa)
    return rates.network()


def _faces(lines: Lines) -> int:
    return lines.n if lines.ring else lines.n - 1


def _across(grid: Grid, lines: Lines) -> Axis:
    """The other axis of the plane."""
    return grid.y if lines.direction == X else grid.x


@njit(cache=True, nogil=True, error_model="numpy")
def block_rates(q, phi, direction, push, r, kappa, ring, potential, a, b):
    """Scharfetter–Gummel rates of block q of lines of phi (ny, nx) into a, b (n, LANES).  Returns the number of lines.

    push : (n,) f d on the faces along the lines.   r : resistances of all blocks (module `lines`).
    potential : (n, LANES) out, Φ along the lines.
    """
    n, lanes = a.shape
    lines = phi.shape[0] if direction == 1 else phi.shape[1]
    count = min(lanes, lines - q * lanes)
    gather(phi, direction, q * lanes, count, potential)
    line_rates(potential, push, of_block(r, q), kappa, n if ring else n - 1, count, a, b)
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def block_donors(q, phi, rho, direction, h, d, r, ring, potential, state, a, b):
    """Limited donor rates of block q, as `block_rates`; state : (n, LANES) out, the reference rho along the lines."""
    lanes = a.shape[1]
    lines = phi.shape[0] if direction == 1 else phi.shape[1]
    count = min(lanes, lines - q * lanes)
    gather(phi, direction, q * lanes, count, potential)
    gather(rho, direction, q * lanes, count, state)
    line_donors(potential, state, h, d, of_block(r, q), ring, count, a, b)
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def sg_rates(first, last, phi, direction, push, r, kappa, ring, a, b):
    """Scharfetter–Gummel rates of all faces of blocks first … last into a, b (blocks, n, LANES)."""
    potential = np.zeros(a.shape[1:])
    for q in range(first, last):
        block_rates(q, phi, direction, push, r, kappa, ring, potential, a[q], b[q])


@njit(cache=True, nogil=True, error_model="numpy")
def drift_rates(first, last, phi, rho, direction, h, d, r, ring, a, b):
    """Limited donor rates of blocks first … last; `rho` is the reference state of the weights."""
    potential, state = np.zeros(a.shape[1:]), np.zeros(a.shape[1:])
    for q in range(first, last):
        block_donors(q, phi, rho, direction, h, d, r, ring, potential, state, a[q], b[q])
