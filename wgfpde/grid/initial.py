"""Initial densities: cell averages from a formula, an array, a table, a picture, a cloud of points, or another grid.

Every function returns a new float64 C-contiguous array of the grid's shape, finite and ≥ 0, and raises
CaseError otherwise.  Nothing is clipped: a negative value is an error with its place.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Literal

import numpy as np

from ..base.amounts import MOST
from ..errors import CaseError
from .axis import Array, Axis
from .checked_values import check_finite
from .grid import Grid
from .point_file import read_points
from .smoothed_points import smoothed
from .tables.array_file import existing_file, npy_array, picture, read_bytes
from .tables.tabulated import Tabulated

Sampling = Literal["average", "centre"]
Edges = tuple[Array, ...]

MOST_BYTES = 2**28
"""Of a file of points."""
LOST_LIMIT = 1e-12
"""Largest fraction of the mass that `remap` may leave outside the target grid."""


def from_expression(expression: Callable[..., Array], grid: Grid, sampling: Sampling = "average") -> Array:
    """The density expression(x=…[, y=…]): its cell averages, see `quadrature`, or its values at cell centres."""
    return with_error(expression, grid, sampling)[0]


def with_error(expression: Callable[..., Array], grid: Grid, sampling: Sampling = "average") -> tuple[Array, float]:
    """The same, and the estimate of the error of its averages, Σ h_i|error_i| / mass; 0 at centres."""
    if sampling not in ("average", "centre"):
        raise CaseError(f'initial.sampling must be "average" or "centre"; found {sampling!r}.')
    text = getattr(expression, "text", "")
    what = f'the density "{text}"' if text else "the density"
    if sampling == "centre":
        with np.errstate(all="ignore"):
            return _density(grid.sample(expression), grid, what), 0.0
    values, error = grid.averages(expression, what)
    return _density(values, grid, what), error


def from_array(values: Array, grid: Grid, what: str = "the density") -> Array:
    """The density given as cell averages, ordered (y, x).   what : names the array in messages."""
    array = np.asarray(values)
    if array.dtype.kind not in "buif":
        raise CaseError(f"{what} must hold real numbers; found the type {array.dtype}. Save it as float64.")
    if array.shape != grid.shape:
        hint = ""
        if array.ndim == 2 and array.T.shape == grid.shape:
            hint = " It looks transposed: save the array's .T."
        order = "(ny, nx), ordered (y, x)," if grid.dim == 2 else "(nx,)"
        raise CaseError(
            f"{what} must have the grid's shape {order} here {grid.shape}; found {array.shape}.{hint} "
            "Change grid.shape (x first) or the array."
        )
    return _density(array, grid, what)


def from_npy(path: str | PathLike[str], grid: Grid) -> Array:
    """The density in a NumPy .npy file.  Pickled objects are never loaded."""
    file = existing_file(path)
    values = npy_array(file)
    return from_array(values, grid, f"the density in {file}")


def from_picture(path: str | PathLike[str], grid: Grid, invert: bool = False) -> Array:
    """The grey values of a picture laid over the whole of a 2D grid, as cell averages; bright is much.

    The bottom row of pixels lies at the lower end of y.   invert : dark is much.
    """
    if grid.dim != 2:
        raise CaseError("a picture gives a density on a grid of two axes; this one has one.")
    file = existing_file(path)
    grey = picture(file, invert)
    pixels = tuple(
        np.linspace(axis.lower, axis.upper, n + 1) for axis, n in zip(grid.axes, reversed(grey.shape), strict=True)
    )
    values = remap(grey, pixels, tuple(axis.edges for axis in grid.axes))
    return _density(values, grid, f"the density in {file}")


def from_table(function: Tabulated, grid: Grid, sampling: Sampling = "average") -> Array:
    """The density that a table gives: exact cell averages of its interpolant, or values at cell centres.

    0 in cells whose centre lies where the table's value is missing.
    """
    function = function.on(grid)
    if sampling == "centre":
        values = grid.sample(function)
    else:
        values = function.averages(grid) if grid.radial == 1 else grid.average(function)
    values[function.forbidden_cells(grid)] = 0.0
    return _density(values, grid, f"the density in {function.text}")


def from_samples(path: str | PathLike[str], grid: Grid, bandwidth: float | str | None = None) -> Array:
    """The histogram of the points in a text file, or their smoothed density, as cell averages of total mass 1.

        ρ_i = (Σ weights of the points in cell i) / (h_i Σ all weights)

    bandwidth : of a Gaussian around each point, a length or "scott" (module `smoothed_points`); None for the histogram.

    The file is as `point_file` says.  A point on an edge belongs to the cell above it (the last edge to the last
    cell).  Points outside are wrapped on a periodic axis and refused on others.
    """
    file = existing_file(path)
    points, weights = points_in(path, grid.dim)
    index = [_bin(axis, column, file) for axis, column in zip(grid.axes, points, strict=True)]
    flat = np.ravel_multi_index(tuple(reversed(index)), grid.shape)
    total = _exact_sum(weights)
    if not (math.isfinite(total) and total > 0):
        raise CaseError(f"the weights in {file} must have a positive, finite sum; found {total:g}.")
    what = f"the density of the points in {file}"
    if bandwidth is not None:
        wrapped = [
            a.lower + np.mod(x - a.lower, a.length) if a.ring else x for a, x in zip(grid.axes, points, strict=True)
        ]
        return _density(smoothed(wrapped, weights, grid, bandwidth), grid, what)
    counts = np.bincount(flat, weights=weights, minlength=grid.size).reshape(grid.shape)
    return _density(counts / total / grid.cell_volume, grid, what)


def _exact_sum(values: Array) -> float:
    """Correctly rounded; infinite where it does not fit a double."""
    try:
        return math.fsum(values)
    except OverflowError:
        return math.inf


def remap(values: Array, source_edges: Edges, target_edges: Edges) -> Array:
    """Cell averages on one tensor grid from those on another, conservatively.

        ρ_i = Σ_j |C_i ∩ S_j| ρ_j / |C_i|      (the average over C_i of the piecewise constant density)

    values : cell averages, ordered (y, x).
    source_edges, target_edges : one increasing array of cell edges per axis, x first.
    Returns an array ordered (y, x), 0 outside the source.
    Preserves: mass to rounding, sign, and every bit where the grids are equal.  Order: 1.
    Raises CaseError if more than LOST_LIMIT of the mass lies outside the target.
    """
    rho = np.array(values, dtype=float)
    source_edges = tuple(np.asarray(edges, dtype=float) for edges in source_edges)
    target_edges = tuple(np.asarray(edges, dtype=float) for edges in target_edges)
    expected = tuple(len(edges) - 1 for edges in reversed(source_edges))
    if rho.shape != expected or len(target_edges) != len(source_edges):
        raise CaseError(
            f"the earlier density has shape {rho.shape} on cells of shape {expected} and cannot be moved "
            f"to a grid of dimension {len(target_edges)}. Restart from a run with the same number of axes."
        )
    if not np.all(np.isfinite(rho)) or np.any(rho < 0):
        raise CaseError("the earlier density must be finite and ≥ 0. Restart from another run or snapshot.")
    _check_lost(rho, source_edges, target_edges)
    for k, (source, target) in enumerate(zip(source_edges, target_edges, strict=True)):
        rho = _remap_axis(rho, rho.ndim - 1 - k, source, target)
    return np.ascontiguousarray(rho)


def normalise(rho: Array, grid: Grid, mass: float | None = None) -> Array:
    """The density rescaled to a mass, or as it is if mass is None.

    Raises CaseError for a density without mass, for a mass that is not positive and finite, and for one, or values,
    that double precision does not carry.
    """
    rho = _density(rho, grid, "the density")
    with np.errstate(over="ignore"):
        total = float(np.sum(np.sum(rho * grid.cell_volume, axis=-1)))
    if not (math.isfinite(total) and total > 0):
        raise CaseError(
            f"the density must have a positive, finite mass; found {total:g}. "
            "Check that its support lies inside the grid and is not narrower than a cell."
        )
    if mass is None:
        return _carried(rho, total)
    if not (math.isfinite(mass) and mass > 0):
        raise CaseError(f"initial.mass must be a positive number; found {mass}.")
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = rho * (mass / total)
    if not np.all(np.isfinite(scaled)):
        raise CaseError(f"a density of mass {total:g} cannot be rescaled to {mass:g}: the numbers overflow.")
    return _carried(scaled, mass)


def _carried(rho: Array, mass: float) -> Array:
    """Refuse a mass or a density of which no squares can be computed."""
    for what, value in (("mass", mass), ("largest value", float(rho.max()))):
        if not value <= MOST:
            raise CaseError(
                f"the density must have a {what} of at most {MOST:g}, of which squares can be computed; found "
                f"{value:g}. Measure masses in another unit."
            )
    return rho


def _density(values: Array, grid: Grid, what: str) -> Array:
    """A checked copy: finite, then non-negative, with the place of the worst cell."""
    rho = np.array(values, dtype=float, order="C")
    check_finite(rho, grid, what)
    negative = int(np.count_nonzero(rho < 0))
    if negative:
        index = tuple(int(k) for k in np.unravel_index(int(np.argmin(rho)), rho.shape))
        raise CaseError(
            f"{what} must be ≥ 0 in every cell; it is negative in {negative} of {grid.size}, the least being "
            f"{rho[index]:.6g} at {grid.describe(index)}. Change the formula, as to max(…, 0), or the data."
        )
    rho += 0.0  # −0 becomes 0
    return rho


def points_in(path: str | PathLike[str], dim: int) -> tuple[list[Array], Array]:
    """Columns x[, y] of a file of points and their weights, (n,) each, as `point_file` says.  Raises CaseError."""
    file = existing_file(path)
    return read_points(file, read_bytes(file, MOST_BYTES), dim)


def _bin(axis: Axis, points: Array, file: Path) -> Array:
    """The cell of every point along one axis."""
    if axis.ring:
        points = axis.lower + np.mod(points - axis.lower, axis.length)
    outside = (points < axis.lower) | (points > axis.upper)
    if np.any(outside):
        count, k = int(np.count_nonzero(outside)), int(np.argmax(outside))
        raise CaseError(
            f"{count} of {len(points)} points in {file} lie outside the grid, which spans {axis.name} in "
            f"[{axis.lower:g}, {axis.upper:g}]; the first is {axis.name} = {points[k]:.6g} in data row "
            f"{k + 1}. Widen the grid: the points span [{points.min():.6g}, {points.max():.6g}]."
        )
    return np.clip(np.searchsorted(axis.edges, points, side="right") - 1, 0, axis.size - 1)


def _check_lost(rho: Array, source_edges: Edges, target_edges: Edges) -> None:
    """Refuse to lose mass: sum what lies outside the target, which is exactly 0 for cells inside."""
    inside = rho.copy()
    mass = rho.copy()
    outside = np.zeros_like(rho)
    for k, (source, target) in enumerate(zip(source_edges, target_edges, strict=True)):
        low, high = np.clip(source[:-1], target[0], target[-1]), np.clip(source[1:], target[0], target[-1])
        width = np.diff(source)
        gone = ((low - source[:-1]) + (source[1:] - high)) / width
        gone[high <= low] = 1.0
        along = (slice(None),) + (None,) * k
        outside = (outside + inside * gone[along]) * width[along]
        inside = inside * (1 - gone[along]) * width[along]
        mass = mass * width[along]
    total, lost = float(np.sum(mass)), float(np.sum(outside))
    if lost > LOST_LIMIT * total:
        raise CaseError(
            f"{lost / total:.3g} of the earlier run's mass lies outside the new grid. "
            "Widen the grid so that it covers the earlier one, at least where its density is positive."
        )


def _remap_axis(rho: Array, axis: int, source: Array, target: Array) -> Array:
    """Overlap averages along one axis: cut both at all edges, then sum the pieces of each target cell."""
    cuts = np.union1d(source, target)
    cuts = cuts[(cuts >= max(source[0], target[0])) & (cuts <= min(source[-1], target[-1]))]
    shape = list(rho.shape)
    shape[axis] = len(target) - 1
    out = np.zeros(shape)
    if len(cuts) < 2:
        return out
    cell = np.searchsorted(target, cuts[:-1], side="right") - 1
    origin = np.searchsorted(source, cuts[:-1], side="right") - 1
    share = np.diff(cuts) / np.diff(target)[cell]
    starts = np.flatnonzero(np.diff(cell, prepend=-1))
    pieces = np.moveaxis(np.take(rho, origin, axis=axis), axis, -1) * share
    np.moveaxis(out, axis, -1)[..., cell[starts]] = np.add.reduceat(pieces, starts, axis=-1)
    return out
