"""A table of an interaction W(r), r = |(x, y)| ≥ 0, as an even function of the displacement.

Cubic interpolation has W'(0) = 0 where the table is flat there, so that an even W is smooth at the origin; another
slope is a kink, as of |x|, and stays.  Beyond the last r W is constant.

A table that does not begin at r = 0 does not say what W is between particles that meet, which averages over cells
around 0 need: it is refused, unless W is to be constant up to the first r.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...errors import CaseError
from ..axis import AXIS_NAMES, Array
from . import pieces
from .pieces import Interpolation
from .table import Table

FLAT = 0.05
"""Slope at r = 0, relative to the steepest of the table, that counts as 0."""


@dataclass(frozen=True, eq=False, repr=False)
class RadialTable:
    """W as a function: called with x=…[, y=…], displacements that broadcast.

    table : of one coordinate, r.   kind : of interpolation.   at_zero : "refuse", or "constant" up to the first r.
    text : what it is, for records.

    Raises CaseError for r < 0, missing values, and r > 0 at the beginning.
    """

    table: Table
    kind: Interpolation = "cubic"
    at_zero: str = "refuse"
    text: str = ""

    def __post_init__(self) -> None:
        what, r = self.table.what, self.table.places[0]
        if self.table.dim != 1:
            raise CaseError(f"{what}: an interaction has columns r and W; found {self.table.dim} coordinates.")
        if np.any(np.isnan(self.table.values)):
            missing = r[np.isnan(self.table.values)][0]
            raise CaseError(f"{what}: an interaction needs a value at every r; it is missing at r = {missing:.6g}.")
        if r[0] < 0:
            raise CaseError(f"{what}: r is a distance ≥ 0; found {r[0]:.6g}. Give W for r ≥ 0; it is even.")
        if self.at_zero not in ("refuse", "constant"):
            raise CaseError(f'at_zero: expected "refuse" or "constant", found {self.at_zero!r}')
        if r[0] > 0 and self.at_zero != "constant":
            raise CaseError(
                f"{what} begins at r = {r[0]:.6g}, and W between there and r = 0 decides what particles that meet do. "
                'Add r = 0, or write at_zero = "constant".'
            )
        if not self.text:
            object.__setattr__(self, "text", what)

    def __repr__(self) -> str:
        return f"RadialTable({self.table!r}, {self.kind})"

    @cached_property
    def _pieces(self):
        from scipy.interpolate import CubicSpline

        r, values = self.table.places[0], self.table.values
        found = pieces.pieces_of(self.kind, r, values, None)
        steepest = float(np.max(np.abs(np.diff(values) / np.diff(r))))
        if self.kind == "cubic" and r[0] == 0 and abs(float(found(0.0, 1))) <= FLAT * steepest:
            return CubicSpline(r, values, bc_type=((1, 0.0), "not-a-knot"))
        return found

    def __call__(self, **shifts: Array) -> Array:
        given = [np.asarray(shifts[name], dtype=float) for name in AXIS_NAMES if name in shifts]
        r = np.abs(given[0]) if len(given) == 1 else np.hypot(*given)
        places = self.table.places[0]
        return np.asarray(self._pieces(np.clip(r, places[0], places[-1])))
