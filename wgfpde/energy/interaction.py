"""The interaction W∗ρ on a grid: of polynomials by moments, else by FFT on uniform grids, by a dense sum on others.

    (W∗ρ)_i = Σ_j W_{ij} h_j ρ_j,     W_ij = W_ji ≈ W(x_i − x_j)

The matrix is symmetric, by moments to rounding and else to the last bit, so that ½⟨ρ, W∗ρ⟩ is a quadratic form and the
half-average ½(ρ^n + ρ^{n+1}) makes the discrete energy law exact.  Displacements are the shortest on a periodic axis;
`kernel_values` says what W_ij is.

FFT: zero-padded to ≥ 2N−1 points on no-flux axes (free-space convolution), circular on periodic ones.  Rows
of zeros are never transformed.  The transform of an even kernel is real and is kept as one real array.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Protocol

import numpy as np

from ..base.amounts import MOST
from ..errors import CaseError
from ..grid import Array, Axis, Grid
from ..grid.tables.kept_function import result_of
from ..linear.threads import share_lines
from .averages.kernel_values import values_between_cells, values_on_lags
from .averages.polynomial_moments import MomentInteraction, even_terms

DENSE_LIMIT = 4096
"""Largest number of cells for which a stretched grid gets a dense interaction matrix (128 MiB)."""

AT_ONCE = 1 << 15
"""Modes in the columns that are transformed, multiplied and transformed back at once: 512 kB, half of a cache."""


class Interaction(Protocol):
    """A symmetric operator ρ ↦ W∗ρ on arrays of the grid's shape."""

    def apply(self, rho: Array) -> Array: ...


def make_interaction(kernel: Callable[..., Array], grid: Grid, threads: int = 1) -> Interaction:
    """The operator for an even kernel(x=…[, y=…]).

    Raises CaseError if the kernel is odd, not a number off the origin, not integrable, or if the grid is stretched and
    has more than DENSE_LIMIT cells, and the kernel is no polynomial.
    """
    terms = even_terms(kernel, grid)
    if terms is not None:
        lengths = [*(axis.length for axis in grid.axes), 1.0]
        with np.errstate(all="ignore"):
            size = float(sum(abs(c) * lengths[0] ** i * lengths[1] ** j for (i, j), c in terms.items()))
        if not size <= MOST:
            raise CaseError(f"the interaction is not at most {MOST:g} in size: it reaches {size:.3g} on the grid.")
        return MomentInteraction(terms, grid)
    if grid.uniform:
        return FourierInteraction(kernel, grid, threads)
    return DenseInteraction(kernel, grid)


@cache
def _fft() -> Any:
    """Loaded with the first interaction: most flows have none."""
    import ducc0

    return ducc0.fft


class FourierInteraction:
    """W∗ρ by real FFTs on a uniform grid.  One `apply` costs two padded transforms."""

    def __init__(self, kernel: Callable[..., Array], grid: Grid, threads: int = 1) -> None:
        self._shape = grid.shape
        self._threads = threads
        lags = [_lags(axis) for axis in grid.axes]
        shape = tuple(len(lag) for lag in reversed(lags))
        values = result_of(kernel, "operator", lambda raw: values_on_lags(raw, grid, lags), shape)
        padded = tuple(_padded_size(axis) for axis in reversed(grid.axes))
        wrapped = np.zeros(padded)
        indices = [np.arange(len(lag)) - (len(lag) - 1) // 2 for lag in reversed(lags)]
        if grid.dim == 1:
            wrapped[indices[0] % padded[0]] = values
        else:
            wrapped[np.ix_(indices[0] % padded[0], indices[1] % padded[1])] = values
        transform = _fft().r2c(wrapped, axes=tuple(range(grid.dim)))
        self._multiplier = transform.real * (grid.volume / grid.size / np.prod(padded))
        self._padded = padded
        self._buffer = np.zeros((*self._shape[:-1], transform.shape[-1]), dtype=complex)
        self._row = np.zeros((*self._shape[:-1], padded[-1]))

    def apply(self, rho: Array) -> Array:
        """W∗ρ, array of the grid's shape; energy/mass."""
        n, row, buffer, fft = self._shape[-1], self._row, self._buffer, _fft()
        row[..., :n] = rho
        row[..., n:] = 0.0
        if len(self._shape) == 1:
            fft.r2c(row, axes=(0,), out=buffer)
            buffer *= self._multiplier
            result = fft.c2r(buffer, axes=(0,), lastsize=len(row), forward=False)
            return result[:n].copy()
        ny, width = row.shape

        def to_modes(rows: slice) -> None:
            fft.r2c(row[rows], axes=(1,), out=buffer[rows])

        def across(columns: slice) -> None:
            part = np.empty((self._padded[0], columns.stop - columns.start), dtype=complex)
            part[:ny], part[ny:] = buffer[:, columns], 0.0
            fft.c2c(part, axes=(0,), out=part)
            part *= self._multiplier[:, columns]
            fft.c2c(part, axes=(0,), forward=False, out=part)
            buffer[:, columns] = part[:ny]

        def from_modes(rows: slice) -> None:
            fft.c2r(buffer[rows], axes=(1,), lastsize=width, forward=False, out=row[rows])

        share_lines(to_modes, ny, rho.size, self._threads)
        share_lines(across, buffer.shape[1], rho.size, self._threads, max(AT_ONCE // self._padded[0], 1))
        share_lines(from_modes, ny, rho.size, self._threads)
        return row[:, :n].copy()


class DenseInteraction:
    """W∗ρ by a symmetric matrix, for stretched grids of at most DENSE_LIMIT cells."""

    def __init__(self, kernel: Callable[..., Array], grid: Grid) -> None:
        if grid.size > DENSE_LIMIT:
            raise CaseError(
                f"an interaction on a stretched grid needs all pairs of cells: at most {DENSE_LIMIT} cells, "
                f"found {grid.size}. Use a uniform grid (no mapping), fewer cells, or a formula that is a polynomial."
            )
        values = result_of(kernel, "operator", lambda raw: values_between_cells(raw, grid), (grid.size, grid.size))
        self._matrix = values * np.ravel(grid.cell_volume)[None, :]
        self._shape = grid.shape

    def apply(self, rho: Array) -> Array:
        """W∗ρ, array of the grid's shape; energy/mass."""
        return (self._matrix @ np.ravel(rho)).reshape(self._shape)


def _lags(axis: Axis) -> Array:
    """Displacements along one axis, symmetric about 0: all under no-flux, the shortest ones when periodic."""
    h = axis.length / axis.size
    n = axis.size // 2 if axis.ring else axis.size - 1
    return h * np.arange(-n, n + 1)


def _padded_size(axis: Axis) -> int:
    return axis.size if axis.ring else int(_fft().good_size(2 * axis.size - 1, True))
