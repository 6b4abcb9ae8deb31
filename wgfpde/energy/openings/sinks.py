"""Sinks: regions that absorb what reaches them, and places where mass decays.

    region   the density is 0 in the cells whose centres lie in it; faces to them are absorbing walls
    rate     ∂tρ = … − k(x) ρ,  k ≥ 0 in 1/time

A region holds no mass: faces that touch it have no rates but the loss of the cell outside.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import CaseError
from ...grid import Array, Grid
from ...grid.checked_values import finite
from ...grid.public_arguments import public
from ...grid.tables.tabulated import Tabulated

NO_SINK = -1
"""In `regions_of`, of a cell that lies in no region."""
NO_PLACE = -2
"""Of a cell where nothing can be: forbidden by the table of V (`Flow.forbidden`)."""
RESERVED = {"x_lower", "x_upper", "y_lower", "y_upper", "initial", "probability", "rate", "time"}
"""Names that walls have, or that questions about exits and their files use: exit_probability, exit_rate, exit_time."""


@public
@dataclass(frozen=True)
class Sink:
    """A named exit inside the box: exactly one of a region and a rate.

    region : region(x=…[, y=…]), not 0 inside.   rate : rate(x=…[, y=…]) ≥ 0, 1/time.   text : how the user wrote it.

    Raises CaseError for a name that is none, or is a wall's, and for both or neither.
    """

    name: str
    region: Callable[..., Any] | None = None
    rate: Callable[..., Any] | None = None
    text: str = ""

    def __post_init__(self) -> None:
        taken = self.name in RESERVED or self.name.startswith("rate_")
        if taken or not re.fullmatch(r"[^\W\d]\w*", self.name, re.ASCII):
            raise CaseError(
                f"a sink has a name of letters, digits and _, other than rate_… and {', '.join(sorted(RESERVED))}; "
                f"found {self.name!r}"
            )
        if (self.region is None) == (self.rate is None):
            raise CaseError(f"the sink {self.name} needs a region or a rate, one of them")


def regions_of(sinks: Sequence[Sink], grid: Grid) -> Array | None:
    """Which region a cell lies in, by the place of its sink among the sinks, else NO_SINK; None without regions.

    Raises CaseError for regions that hold no cell, that overlap, or that leave none.
    """
    owner = np.full(grid.shape, NO_SINK)
    for k, sink in enumerate(sinks):
        if sink.region is None:
            continue
        values = finite(sink.region, grid, f"the sink {sink.name}")
        inside = values != 0
        if not np.any(inside):
            raise CaseError(
                f"the sink {sink.name} covers no cell: its region{_quoted(sink)} holds the centre of none of the "
                f"{grid.size} cells. Enlarge it, or refine the grid."
            )
        if np.any(both := inside & (owner != NO_SINK)):
            other = sinks[int(owner[both][0])].name
            where = grid.describe(tuple(int(i) for i in np.argwhere(both)[0]))
            raise CaseError(f"the sinks {other} and {sink.name} overlap, as at {where}; what goes where is not clear.")
        owner[inside] = k
    if np.all(owner != NO_SINK):
        raise CaseError("the sinks cover every cell of the grid: no mass can be anywhere. Make their regions smaller.")
    return owner if np.any(owner != NO_SINK) else None


def forbidden_of(table: Tabulated, grid: Grid, inside: Array | None) -> Array | None:
    """The cells that the table of V forbids, less those inside of region sinks, or None.

    Raises CaseError where it forbids all.
    """
    found = table.forbidden_cells(grid)
    if np.all(found):
        raise CaseError(f"{table.table.what} has no value in any cell of the grid.")
    found = found if inside is None else found & ~inside
    return found if np.any(found) else None


def rates_of(sinks: Sequence[Sink], grid: Grid, inside: Array | None) -> dict[str, Array]:
    """k of every sink with a rate, by name, arrays of the grid's shape; 0 in regions.

    Raises CaseError for rates that are negative or not finite somewhere, or 0 everywhere.
    """
    found = {}
    for sink in sinks:
        if sink.rate is None:
            continue
        values = finite(sink.rate, grid, f"the sink {sink.name}")
        if np.any(values < 0):
            where = tuple(int(i) for i in np.argwhere(values < 0)[0])
            raise CaseError(
                f"the rate of the sink {sink.name} must be ≥ 0; found {values[where]:.6g} at {grid.describe(where)}. "
                "Change the formula, as to max(…, 0)."
            )
        if inside is not None:
            values[inside] = 0.0
        if not np.any(values > 0):
            raise CaseError(f"the sink {sink.name} covers no cell: its rate{_quoted(sink)} is 0 in all of them.")
        found[sink.name] = values
    return found


def check_names(sinks: Sequence[Sink]) -> None:
    """Raises CaseError where two sinks have one name."""
    names = [sink.name for sink in sinks]
    if twice := [name for name in names if names.count(name) > 1]:
        raise CaseError(f"two sinks have the name {twice[0]}; give each its own")


def _quoted(sink: Sink) -> str:
    return f' "{sink.text}"' if sink.text else ""
