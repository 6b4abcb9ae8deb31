"""The interaction W∗ρ on a grid: by FFT on uniform grids, by a dense sum on small stretched ones.

    (W∗ρ)_i = Σ_j W_{ij} h_j ρ_j,     W_ij = W_ji ≈ W(x_i − x_j)

The matrix is symmetric to the last bit, so that ½⟨ρ, W∗ρ⟩ is a quadratic form and the half-average
½(ρ^n + ρ^{n+1}) makes the discrete energy law exact.  Displacements are the shortest ones on a periodic axis.

W_ij is the value W(x_i − x_j) where W is smooth at the origin.  Where it is singular or kinked there, every W_ij is the
average of W over a cell around x_i − x_j (`kernel_averages`), on stretched grids the mean of those over both cells,
so that W∗ρ is of second order for every integrable kernel: measured 1.9 to 2.0 for ln|x|, |x|^-½, |x|, log r, r, 1/r.

FFT: zero-padded to ≥ 2N−1 points on no-flux axes (free-space convolution), circular on periodic ones.  Rows
of zeros are never transformed.  The transform of an even kernel is real and is kept as one real array.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import ducc0
import numpy as np

from ..errors import CaseError
from ..grid import Array, Axis, Grid
from ..linear.threads import share_lines
from .kernel_averages import cell_average, lag_averages, lag_zero, pair_averages

DENSE_LIMIT = 4096
"""Largest number of cells for which a stretched grid gets a dense interaction matrix (128 MiB)."""


class Interaction(Protocol):
    """A symmetric operator ρ ↦ W∗ρ on arrays of the grid's shape."""

    def apply(self, rho: Array) -> Array: ...


def make_interaction(kernel: Callable[..., Array], grid: Grid, threads: int = 1) -> Interaction:
    """The operator for an even kernel(x=…[, y=…]).

    Raises CaseError if the kernel is odd, not finite off the origin, not integrable at the origin, or if the
    grid is stretched and has more than DENSE_LIMIT cells.
    """
    if grid.uniform:
        return FourierInteraction(kernel, grid, threads)
    return DenseInteraction(kernel, grid)


class FourierInteraction:
    """W∗ρ by real FFTs on a uniform grid.  One `apply` costs two padded transforms."""

    def __init__(self, kernel: Callable[..., Array], grid: Grid, threads: int = 1) -> None:
        self._shape = grid.shape
        self._threads = threads
        lags = [_lags(axis) for axis in grid.axes]
        values = _kernel_on_lags(kernel, grid, lags)
        padded = tuple(_padded_size(axis) for axis in reversed(grid.axes))
        wrapped = np.zeros(padded)
        indices = [np.arange(len(lag)) - (len(lag) - 1) // 2 for lag in reversed(lags)]
        if grid.dim == 1:
            wrapped[indices[0] % padded[0]] = values
        else:
            wrapped[np.ix_(indices[0] % padded[0], indices[1] % padded[1])] = values
        axes = tuple(range(grid.dim))
        transform = ducc0.fft.r2c(wrapped, axes=axes)
        self._multiplier = transform.real * (grid.volume / grid.size / np.prod(padded))
        self._padded = padded
        spectrum = transform.shape
        self._buffer = np.zeros(spectrum, dtype=complex)
        self._row = np.zeros((*self._shape[:-1], padded[-1]))

    def apply(self, rho: Array) -> Array:
        """W∗ρ, array of the grid's shape; energy/mass."""
        n, row, buffer = self._shape[-1], self._row, self._buffer
        row[..., :n] = rho
        row[..., n:] = 0.0
        if len(self._shape) == 1:
            ducc0.fft.r2c(row, axes=(0,), out=buffer)
            buffer *= self._multiplier
            result = ducc0.fft.c2r(buffer, axes=(0,), lastsize=len(row), forward=False)
            return result[:n].copy()
        ny, width = row.shape
        buffer[ny:] = 0.0

        def to_modes(rows: slice) -> None:
            ducc0.fft.r2c(row[rows], axes=(1,), out=buffer[rows])

        def across(columns: slice) -> None:
            part = buffer[:, columns]
            ducc0.fft.c2c(part, axes=(0,), out=part)
            part *= self._multiplier[:, columns]
            ducc0.fft.c2c(part, axes=(0,), forward=False, out=part)

        def from_modes(rows: slice) -> None:
            ducc0.fft.c2r(buffer[rows], axes=(1,), lastsize=width, forward=False, out=row[rows])

        share_lines(to_modes, ny, rho.size, self._threads)
        share_lines(across, buffer.shape[1], rho.size, self._threads)
        share_lines(from_modes, ny, rho.size, self._threads)
        return row[:, :n].copy()


class DenseInteraction:
    """W∗ρ by a symmetric matrix, for stretched grids of at most DENSE_LIMIT cells."""

    def __init__(self, kernel: Callable[..., Array], grid: Grid) -> None:
        if grid.size > DENSE_LIMIT:
            raise CaseError(
                f"an interaction on a stretched grid needs all pairs of cells: at most {DENSE_LIMIT} cells, "
                f"found {grid.size}. Use a uniform grid (no mapping) or fewer cells."
            )
        points = np.meshgrid(*[axis.centers for axis in reversed(grid.axes)], indexing="ij")
        coords = [p.ravel() for p in reversed(points)]
        shifts = {}
        for axis, c in zip(grid.axes, coords, strict=True):
            shift = c[:, None] - c[None, :]
            if axis.ring:
                shift = shift - axis.length * np.round(shift / axis.length)
            shifts[axis.name] = shift
        with np.errstate(all="ignore"):
            values = np.asarray(kernel(**shifts), dtype=float)
        matrix = np.array(np.broadcast_to(values, (grid.size, grid.size)))
        sides = np.meshgrid(*[axis.widths for axis in reversed(grid.axes)], indexing="ij")
        widths = [w.ravel() for w in reversed(sides)]
        sizes, inverse = np.unique(np.stack(widths, axis=1), axis=0, return_inverse=True)
        diagonal, smooth = _diagonal(kernel, sizes)
        np.fill_diagonal(matrix, diagonal[np.ravel(inverse)])
        if not np.all(np.isfinite(matrix)):
            i, j = (int(k[0]) for k in np.nonzero(~np.isfinite(matrix)))
            where = ", ".join(f"{name} = {s[i, j]:.6g}" for name, s in shifts.items())
            raise CaseError(f"the interaction is not finite at displacement {where}.")
        _require_even(matrix, matrix.T, "the interaction must be even, W(−x) = W(x)")
        if not smooth:
            averages = pair_averages(kernel, coords, widths, [_period(axis) for axis in grid.axes])
            np.fill_diagonal(averages, diagonal[np.ravel(inverse)])
            np.copyto(matrix, averages, where=np.isfinite(averages))
        self._matrix = 0.5 * (matrix + matrix.T) * np.ravel(grid.cell_volume)[None, :]
        self._shape = grid.shape

    def apply(self, rho: Array) -> Array:
        """W∗ρ, array of the grid's shape; energy/mass."""
        return (self._matrix @ np.ravel(rho)).reshape(self._shape)


def _diagonal(kernel: Callable[..., Array], sizes: Array) -> tuple[Array, bool]:
    """W at lag 0 for cells of all sizes, (k, dim), and whether W is smooth there, seen on each of them."""
    values = []
    for size in sizes:
        value, smooth = lag_zero(kernel, tuple(size))
        if not smooth:
            return np.array([cell_average(kernel, tuple(size)) for size in sizes]), False
        values.append(value)
    return np.array(values), True


def _period(axis: Axis) -> float | None:
    return axis.length if axis.ring else None


def _lags(axis: Axis) -> Array:
    """Displacements along one axis, symmetric about 0: all under no-flux, the shortest ones when periodic."""
    h = axis.length / axis.size
    n = axis.size // 2 if axis.ring else axis.size - 1
    return h * np.arange(-n, n + 1)


def _padded_size(axis: Axis) -> int:
    return axis.size if axis.ring else int(ducc0.fft.good_size(2 * axis.size - 1, True))


def _kernel_on_lags(kernel: Callable[..., Array], grid: Grid, lags: list[Array]) -> Array:
    """The kernel on all lags, made exactly even; raises CaseError where it is odd or not finite."""
    coords = {"x": lags[0]} if grid.dim == 1 else {"x": lags[0][None, :], "y": lags[1][:, None]}
    shape = tuple(len(lag) for lag in reversed(lags))
    with np.errstate(all="ignore"):
        values = np.array(np.broadcast_to(np.asarray(kernel(**coords), dtype=float), shape))
    widths = tuple(axis.length / axis.size for axis in grid.axes)
    values[tuple(n // 2 for n in shape)], smooth = lag_zero(kernel, widths)
    if not np.all(np.isfinite(values)):
        index = tuple(int(k[0]) for k in np.nonzero(~np.isfinite(values)))
        place = zip(grid.axes, lags, reversed(index), strict=True)
        where = ", ".join(f"{axis.name} = {lag[i]:.6g}" for axis, lag, i in place)
        raise CaseError(f"the interaction is not finite at displacement {where}.")
    flipped = values[::-1] if grid.dim == 1 else values[::-1, ::-1]
    _require_even(values, flipped, "the interaction must be even, W(−x) = W(x)")
    if not smooth:
        averages = lag_averages(kernel, lags, widths, [_period(axis) for axis in grid.axes])
        np.copyto(values, averages, where=np.isfinite(averages))
    values = 0.5 * (values + flipped)
    for k, axis in enumerate(reversed(grid.axes)):
        if axis.ring and axis.size % 2 == 0:  # ±L/2 are the same lag: give it one value
            first, last = np.take(values, 0, axis=k), np.take(values, -1, axis=k)
            mean = 0.5 * (first + last)
            index_first: list = [slice(None)] * grid.dim
            index_last: list = [slice(None)] * grid.dim
            index_first[k], index_last[k] = 0, -1
            values[tuple(index_first)] = mean
            values[tuple(index_last)] = mean
    return values


def _require_even(values: Array, flipped: Array, message: str) -> None:
    gap = np.max(np.abs(values - flipped))
    if gap > 1e-10 * np.max(np.abs(values)):
        raise CaseError(f"{message}; found a difference of {gap:.3g} between opposite displacements.")
