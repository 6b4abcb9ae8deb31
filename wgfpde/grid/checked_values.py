"""Functions at cell centres, refused where they are no numbers or jump across the seam of a ring."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ..base.amounts import MOST
from ..errors import CaseError
from .axis import Array, Axis
from .grid import Grid

SEAM = 1e-9
"""By how much, relative to its size, a function may jump across the seam of a ring."""


def check_finite(values: Array, grid: Grid, what: str) -> None:
    """Raise CaseError unless all values, an array of the grid's shape, are finite.

    what : names the values in the message, as in 'the potential "log(x)"'.
    """
    bad = ~np.isfinite(np.broadcast_to(values, grid.shape))
    count = int(np.count_nonzero(bad))
    if count == 0:
        return
    index = tuple(int(k) for k in np.unravel_index(int(np.argmax(bad)), bad.shape))
    value = float(np.broadcast_to(values, grid.shape)[index])
    cause = "undefined, as 0/0 or log(-1)" if math.isnan(value) else "an overflow or a division by zero"
    raise CaseError(
        f"{what} must be finite in every cell; it is not in {count} of {grid.size}: found {value} ({cause}) "
        f"at {grid.describe(index)}. Change the formula or the data, or move the grid away from there."
    )


def finite(function: Callable[..., Array], grid: Grid, what: str) -> Array:
    """A function at the cell centres, an array of the grid's shape.  Raises CaseError as `check_finite`."""
    with np.errstate(all="ignore"):
        values = grid.sample(function)
    check_finite(values, grid, what)
    return values


def check_closes(axis: Axis, jump: float, size: float, what: str) -> None:
    """Raise CaseError where `what` jumps by more than SEAM of its size between the ends of a ring."""
    if not abs(jump) <= SEAM * size:
        raise CaseError(
            f"axis {axis.name} is periodic but {what} is not: it jumps by {jump:.6g} between "
            f"{axis.name} = {axis.lower:g} and {axis.name} = {axis.upper:g}."
        )


def sampled(function: Callable[..., Array], grid: Grid, what: str) -> Array:
    """The same of what enters an energy.  Raises CaseError where it exceeds MOST, or is not periodic on a ring."""
    with np.errstate(all="ignore"):
        values = grid.sample(function)
    if not np.all(carried := np.abs(values) <= MOST):
        index = tuple(int(k[0]) for k in np.nonzero(~carried))
        how = f"beyond {MOST:g} in size" if np.isfinite(values[index]) else "not finite"
        raise CaseError(
            f"{what} is {how} at {grid.describe(index)}: found {values[index]}. "
            "Change the formula or move the grid so that no cell centre lies there."
        )
    for axis in grid.axes:
        if not axis.ring:
            continue
        ends = []
        for position in (axis.lower, axis.upper):
            coords = dict(grid.coordinates())
            coords[axis.name] = np.full_like(coords[axis.name].ravel()[:1], position)
            with np.errstate(all="ignore"):
                ends.append(np.asarray(function(**coords), dtype=float))
        check_closes(axis, float(np.max(np.abs(ends[1] - ends[0]))), 1.0 + float(np.max(np.abs(values))), what)
    return values
