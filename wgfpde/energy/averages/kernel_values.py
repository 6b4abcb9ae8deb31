"""W_ij on a grid, on all lags or between all pairs of cells: values of W, or averages where it is rough.

W_ij is the value W(x_i − x_j) where W is smooth at all displacements.  Where it is singular, kinked or jumps, at the
origin or anywhere else, every W_ij is the average of W over a cell around x_i − x_j (`kernel_averages`), so that W∗ρ
is of second order for every integrable kernel: measured 1.9 to 2.0 for ln|x|, |x|^-½, |x|, log r, r, 1/r, and for jumps
and cut-offs.  On stretched grids it is the mean of those over either cell, and on the line, where W is not smooth off
the origin, the average over both at once (`both_cells`); in 2D a jump along the edges of stretched cells is of first
order at single points.  With averages Σ_ij h_i W_ij h_j is |Ω|∫W on periodic axes.  Where another displacement becomes
the shortest, half a period from 0, a formula that is smooth on either side counts as smooth: values are of second order
there.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...base.amounts import MOST
from ...errors import CaseError
from ...grid import Array, Axis, Grid
from .both_cells import line_pairs, paired_average
from .cell_quadrature import adaptive_averages
from .kernel_averages import cell_average, central_average, central_averages, lag_averages, lag_zero, pair_averages
from .kernel_roughness import Bins, Places, roughness

MOST_BINS = (1 << 15, 256)
"""Steps in which a stretched grid's displacements are searched along each axis, in 1D and in 2D."""


def values_on_lags(kernel: Callable[..., Array], grid: Grid, lags: list[Array]) -> Array:
    """The kernel on all lags, made exactly even; raises CaseError where it is odd or not finite."""
    coords = {"x": lags[0]} if grid.dim == 1 else {"x": lags[0][None, :], "y": lags[1][:, None]}
    shape = tuple(len(lag) for lag in reversed(lags))
    with np.errstate(all="ignore"):
        values = np.array(np.broadcast_to(np.asarray(kernel(**coords), dtype=float), shape))
    widths = tuple(axis.length / axis.size for axis in grid.axes)
    values[tuple(n // 2 for n in shape)], smooth = lag_zero(kernel, widths)
    flipped = values[::-1] if grid.dim == 1 else values[::-1, ::-1]
    infinite = _admitted(values, flipped, list(coords.values()))
    last = len(lags) - 1
    bins = [
        Bins(h, 0 if k == last else -(len(lag) // 2), len(lag) // 2, axis.length / 2 if axis.ring else None)
        for k, (axis, lag, h) in enumerate(zip(grid.axes, lags, widths, strict=True))
    ]
    found = roughness(kernel, bins, float(np.max(np.abs(values))), smooth)
    if found.rough or not smooth:
        suspect = found.suspect if found.rough else None
        averages = lag_averages(kernel, lags, widths, [_period(axis) for axis in grid.axes], suspect)
        sides = [np.array(h) for h in widths]
        _accept(kernel, values, averages, infinite, list(coords.values()), sides, grid)
    values = 0.5 * (values + flipped)
    for k, axis in enumerate(reversed(grid.axes)):
        if axis.ring and axis.size % 2 == 0:  # ±L/2 are the same lag: give it one value
            ends = np.moveaxis(values, k, 0)
            ends[0] = ends[-1] = 0.5 * (ends[0] + ends[-1])
    return values


def values_between_cells(kernel: Callable[..., Array], grid: Grid) -> Array:
    """W between all pairs of cells, (N, N), symmetric; raises CaseError where it is odd or not finite."""
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
    infinite = _admitted(matrix, matrix.T, list(shifts.values()))
    found = roughness(kernel, _bins(grid), float(np.max(np.abs(matrix))), smooth)
    if found.rough or not smooth:
        suspect = Places(found.suspect, _bins(grid)) if found.rough else None
        if suspect is not None and grid.dim == 1:
            averages = line_pairs(kernel, coords[0], widths[0], _period(grid.x), suspect)
        else:
            averages = pair_averages(kernel, coords, widths, [_period(axis) for axis in grid.axes], suspect)
        if not smooth:
            _fill_diagonal(kernel, averages, sizes, np.ravel(inverse), diagonal, suspect)
        _accept(kernel, matrix, averages, infinite, list(shifts.values()), [w[None, :] for w in widths], grid)
    return np.asarray(0.5 * (matrix + matrix.T))


def _fill_diagonal(
    kernel: Callable[..., Array],
    averages: Array,
    sizes: Array,
    kind: Array,
    diagonal: Array,
    suspect: Places | None,
) -> None:
    """Averages about the origin, where W is not smooth; on the line over both cells where all others are."""
    if suspect is not None and sizes.shape[1] == 1:
        diagonal = np.array([paired_average(kernel, float(size)) for (size,) in sizes])
    elif suspect is not None:
        met = suspect.meet(list(0.0 * sizes.T), list(2 * sizes.T))
        if np.any(met) or central_average(kernel, tuple(sizes[0])) != diagonal[0]:
            diagonal = central_averages(kernel, sizes)
    np.fill_diagonal(averages, diagonal[kind])


def _diagonal(kernel: Callable[..., Array], sizes: Array) -> tuple[Array, bool]:
    """W at lag 0 for cells of all sizes, (k, dim), and whether W is smooth there, seen on each of them."""
    values = []
    for size in sizes:
        value, smooth = lag_zero(kernel, tuple(size))
        if not smooth:
            return np.array([cell_average(kernel, tuple(size)) for size in sizes]), False
        values.append(value)
    return np.array(values), True


def _bins(grid: Grid) -> list[Bins]:
    """Displacements in equal steps, half the narrowest cell where that is not too many."""
    bins = []
    for k, axis in enumerate(grid.axes):
        reach = axis.length / (2 if axis.ring else 1)
        count = min(int(np.ceil(2 * reach / np.min(axis.widths))), MOST_BINS[grid.dim - 1])
        bins.append(Bins(reach / count, 0 if k == grid.dim - 1 else -count, count, reach))
    return bins


def _admitted(values: Array, flipped: Array, shifts: list[Array]) -> Array:
    """Where W is infinite: there its values become 0.   flipped : a view of the values at opposite displacements.

    Raises CaseError where W is not a number, exceeds MOST, or is not even.
    """
    infinite = np.isinf(values)
    _require(~np.isnan(values), "finite", shifts)
    values[infinite] = 0.0
    _require(np.abs(values) <= MOST, f"at most {MOST:g} in size", shifts)
    gap = np.max(np.abs(values - flipped))
    if gap > 1e-10 * np.max(np.abs(values)):
        raise CaseError(
            "the interaction must be even, W(−x) = W(x); found a difference of "
            f"{gap:.3g} between opposite displacements."
        )
    return infinite


def _accept(
    kernel: Callable[..., Array],
    values: Array,
    averages: Array,
    infinite: Array,
    shifts: list[Array],
    widths: list[Array],
    grid: Grid,
) -> None:
    """Averages in place of values, where W is a number in all of the cell.

    infinite : where W is infinite at the displacement itself; there |W| has to be integrable too, because the two sides
    of a pole cancel.
    """
    _require(~np.isposinf(averages) | infinite, "integrable", shifts)
    index = np.nonzero(infinite)
    if len(index[0]):
        at, sides = ([np.broadcast_to(a, values.shape)[index] for a in arrays] for arrays in (shifts, widths))
        size = adaptive_averages(lambda **x: np.abs(kernel(**x)), at, sides, [_period(axis) for axis in grid.axes])
        held = np.ones(values.shape, dtype=bool)
        held[index] = np.isfinite(size) & np.isfinite(averages[index]) & (size > 0)  # 0: infinite in all of the cell
        _require(held, "finite", shifts)
    np.copyto(values, averages, where=np.isfinite(averages))


def _require(holds: Array, what: str, shifts: list[Array]) -> None:
    if not np.all(holds):
        index = tuple(int(k[0]) for k in np.nonzero(~holds))
        places = zip("xy", (np.broadcast_to(s, holds.shape)[index] for s in shifts), strict=False)
        where = ", ".join(f"{name} = {place:.6g}" for name, place in places)
        raise CaseError(f"the interaction is not {what} at displacement {where}.")


def _period(axis: Axis) -> float | None:
    return axis.length if axis.ring else None
