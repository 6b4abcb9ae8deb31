"""One axis of a grid: a list of edges, between which cells lie.

d is the distance between neighbouring centres.  An axis that closes to a ring has one more face, between its last and
its first cell.  On a radius cells are shells (module `radial`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..errors import CaseError
from .boundary import Boundary
from .radial import levels, shells, spheres

Array = np.ndarray
AXIS_NAMES = ("x", "y")


@dataclass(frozen=True, repr=False)
class Axis:
    """One axis of a grid.

    edges : (n+1,) increasing face positions, length units.
    boundary : what its two ends are.   ring : 1 where the last edge is identified with the first, else 0.
    uniform : whether all widths are equal by construction.
    radial : the dimension n of the space of which the axis is the radius, or 1 for a plain axis.
    """

    name: str
    edges: Array
    boundary: Boundary
    uniform: bool
    radial: int = 1

    @property
    def ring(self) -> int:
        return self.boundary.ring

    @property
    def size(self) -> int:
        return len(self.edges) - 1

    @property
    def lower(self) -> float:
        return float(self.edges[0])

    @property
    def upper(self) -> float:
        return float(self.edges[-1])

    @property
    def length(self) -> float:
        return self.upper - self.lower

    def __repr__(self) -> str:
        more = f", {self.boundary}" if self.ring or self.boundary.open else ""
        more += "" if self.uniform else ", stretched"
        more += f", radius in {self.radial}D" if self.radial > 1 else ""
        return f"Axis({self.name}: {self.size} cells on [{self.lower:g}, {self.upper:g}]{more})"

    @cached_property
    def widths(self) -> Array:
        """(n,) cell widths; exactly equal on a uniform axis."""
        if self.uniform:
            return np.full(self.size, self.length / self.size)
        return np.diff(self.edges)

    @cached_property
    def volumes(self) -> Array:
        """(n,) what the cells hold: the widths, or the volumes of the shells."""
        return self.widths if self.radial == 1 else shells(self.edges, self.radial)

    @cached_property
    def levels(self) -> Array:
        """(n+1,) the edges on a line on which cells are as long as their volumes, up to a factor."""
        return levels(self.edges, self.radial)

    @cached_property
    def areas(self) -> Array:
        """(n+1,) areas of the faces: 1, or those of the spheres."""
        return spheres(self.edges, self.radial)

    @cached_property
    def centers(self) -> Array:
        """(n,) cell centres."""
        return 0.5 * (self.edges[:-1] + self.edges[1:])

    @cached_property
    def distances(self) -> Array:
        """(n,) distance from cell i to cell i+1; the last entry is the face that closes a ring (inf without one)."""
        wrap = 0.5 * (self.widths[-1] + self.widths[0]) if self.ring else np.inf
        inner = self.widths[:-1] if self.uniform else np.diff(self.centers)
        return np.append(inner, wrap)


def make_axis(
    name: str, lower: float, upper: float, size: int, boundary: Boundary, mapping: Callable[[Array], Array] | None
) -> Axis:
    """The axis of so many cells, stretched where a mapping says so.  Raises CaseError for what makes none."""
    if size != int(size):
        raise CaseError(f"axis {name} needs a whole number of cells; found {size}.")
    size = int(size)
    if size < 2:
        raise CaseError(f"axis {name} needs at least 2 cells; found {size}.")
    if not (np.isfinite(lower) and np.isfinite(upper)) or upper <= lower:
        raise CaseError(f"axis {name} needs finite bounds with lower < upper; found lower = {lower}, upper = {upper}.")
    if (upper - lower) / size < 4 * np.spacing(max(abs(lower), abs(upper))):
        raise CaseError(
            f"axis {name} from {lower!r} to {upper!r}: {size} cells are too narrow for double precision to tell their "
            "edges apart; move the origin closer, or take fewer cells."
        )
    s = np.arange(size + 1) / size
    if mapping is None:
        return Axis(name, lower + (upper - lower) * s, boundary, uniform=True)
    mapped = np.array(np.broadcast_to(np.asarray(mapping(s), dtype=float), s.shape))
    if not np.all(np.isfinite(mapped)) or abs(mapped[0]) > 1e-9 or abs(mapped[-1] - 1) > 1e-9:
        raise CaseError(
            f"the mapping of axis {name} must take s = 0 to 0 and s = 1 to 1; "
            f"found {mapped[0]:.6g} and {mapped[-1]:.6g}."
        )
    mapped[0], mapped[-1] = 0.0, 1.0
    if np.any(np.diff(mapped) <= 0):
        k = int(np.argmax(np.diff(mapped) <= 0))
        raise CaseError(
            f"the mapping of axis {name} must increase; it does not between s = {s[k]:.6g} and {s[k + 1]:.6g}."
        )
    if np.ptp(np.diff(mapped)) <= 1e-12 / size:
        return Axis(name, lower + (upper - lower) * s, boundary, uniform=True)
    return Axis(name, lower + (upper - lower) * mapped, boundary, uniform=False)
