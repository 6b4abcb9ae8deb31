"""Scales that double precision carries: lengths, masses and κ between 1e-100 and 1e100, of which squares can be taken.

What lies beyond is refused with the unit that would do: a flow may be written in any units of length and mass.
"""

from __future__ import annotations

import math

from ...base.amounts import LEAST, MOST
from ...errors import CaseError
from ..schema import Case


def check_scales(case: Case) -> None:
    """Raise CaseError for a grid, a mass or a κ that double precision cannot carry."""
    for name, low, high, cells in zip("xy", case.grid.lower, case.grid.upper, case.grid.shape, strict=False):
        _check(case, "grid.lower, grid.upper", f"a box along {name}", max(abs(low), abs(high)), "lengths")
        _check(case, "grid.lower, grid.upper", f"cells along {name}", (high - low) / cells, "lengths")
    _check(case, "initial.mass", "a mass", case.initial.mass, "masses")
    _check(case, "energy.internal.kappa", "κ", getattr(case.energy.internal, "kappa", None), "energies")


def _check(case: Case, key: str, what: str, value: object, units: str) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool) or value == 0 or LEAST <= abs(value) <= MOST:
        return
    unit = 10.0 ** math.floor(math.log10(abs(value)))
    raise CaseError(
        f"{case.path}: {key}: expected {what} between {LEAST:g} and {MOST:g}, of which squares can be computed; found "
        f"{value:g}. Measure {units} in units of {unit:g}."
    )
