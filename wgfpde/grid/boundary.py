"""What the ends of an axis are: walls as values.

    no-flux      F = 0 at the end: mass stays
    periodic     the end is identified with the other one: the axis closes to a ring, with one face more

Each end of each axis has its own; an axis closes only as a whole.  What kernels get of this is `ring`, 0 or 1, and
arrays.  A further kind of wall is a value here, with what it adds to the rates (`energy.rates`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import CaseError


@dataclass(frozen=True)
class Wall:
    """One end of an axis.   name : in the case file, and in the file of a run.   closes : it is joined to the other."""

    name: str
    closes: bool = False


NO_FLUX, PERIODIC = Wall("no-flux"), Wall("periodic", closes=True)
WALLS = {wall.name: wall for wall in (NO_FLUX, PERIODIC)}
"""By name."""


@dataclass(frozen=True)
class Boundary:
    """The two ends of an axis.  Raises CaseError where one end closes and the other does not."""

    lower: Wall = NO_FLUX
    upper: Wall = NO_FLUX

    def __post_init__(self) -> None:
        if self.lower.closes != self.upper.closes:
            raise CaseError(
                f'"{PERIODIC.name}" joins the two ends of an axis: expected it at both or at none, found '
                f'["{self.lower.name}", "{self.upper.name}"]'
            )

    @property
    def ring(self) -> int:
        """1 where the axis closes, else 0: what kernels are given."""
        return int(self.lower.closes)

    @property
    def names(self) -> tuple[str, str]:
        return self.lower.name, self.upper.name

    @property
    def in_case(self) -> str | list[str]:
        """As a case file says it."""
        return self.lower.name if self.lower == self.upper else list(self.names)

    def __str__(self) -> str:
        """One name where both ends are alike, else both: "no-flux"."""
        return ", ".join(dict.fromkeys(self.names))


Ends = str | Sequence[str] | Boundary | bool
"""How the ends of an axis may be given: a name for both, a pair of names, True for periodic, or the value itself."""


def boundary_of(ends: Ends) -> Boundary:
    """The boundary that is meant.  Raises CaseError for another name, or for another number of them."""
    if isinstance(ends, Boundary):
        return ends
    if isinstance(ends, bool):
        return Boundary(PERIODIC, PERIODIC) if ends else Boundary()
    names = [part.strip() for part in ends.split(",")] if isinstance(ends, str) else list(ends)
    names = names * 2 if len(names) == 1 else names
    if len(names) != 2 or (unknown := [name for name in names if name not in WALLS]):
        known = " or ".join(f'"{name}"' for name in WALLS)
        found = names if len(names) != 2 else unknown[0]
        raise CaseError(f"expected {known}, one for both ends of an axis or a pair, found {found!r}")
    return Boundary(*(WALLS[name] for name in names))
