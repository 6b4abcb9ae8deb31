"""Where the mass of a flow may be: the cells of a grid but for those that hold none, and the exits."""

from __future__ import annotations

import numpy as np

from ..errors import CaseError
from ..grid import Array, Grid
from .openings.sinks import Sink


class Ground:
    """A grid with its exits, before there is an energy on it.

    sinks : exits inside the box.   inside : bool array of the cells in region sinks, which hold no mass, or None.
    forbidden : cells where nothing can be, array of the grid's shape, or None.
    """

    grid: Grid
    sinks: tuple[Sink, ...]
    inside: Array | None
    forbidden: Array | None

    def integral(self, values: Array) -> float:
        """Σ h v, summed row by row and then serially: independent of threads."""
        if self.grid.uniform:
            return float(np.sum(np.sum(values, axis=-1))) * self.grid.volume / self.grid.size
        return float(np.sum(np.sum(values * self.grid.cell_volume, axis=-1)))

    def mass(self, rho: Array) -> float:
        return self.integral(rho)

    @property
    def exits(self) -> tuple[str, ...]:
        """The names of what mass leaves by or comes in through: open walls in axis order, then sinks."""
        return (*self.grid.open_walls, *(sink.name for sink in self.sinks))

    @property
    def lets_in(self) -> bool:
        """Whether mass may come in: by walls of given density or inflow."""
        walls = [wall for axis in self.grid.axes for wall in (axis.boundary.lower, axis.boundary.upper)]
        return any(wall.lets_in for wall in walls)

    @property
    def allowed(self) -> Array:
        """Whether a cell may hold mass, array of the grid's shape."""
        return np.ones(self.grid.shape, dtype=bool) if self.forbidden is None else ~self.forbidden

    @property
    def empty(self) -> Array:
        """Whether a cell holds no mass, in a region sink or forbidden; bool array of the grid's shape."""
        return ~self.allowed if self.inside is None else self.inside | ~self.allowed

    def check_whole(self, what: str) -> None:
        """Raise CaseError where there are forbidden cells.   what : cannot be had then, in the plural."""
        if self.forbidden is not None:
            raise CaseError(
                f"{what} are not found where cells are forbidden: the table of the potential has no value in "
                f"{int(np.count_nonzero(self.forbidden))} of {self.grid.size}. Complete the table, or march by "
                'method = "fv".'
            )

    def check_allowed(self, rho: Array) -> None:
        """Raise CaseError, with the place, where a density has mass on forbidden cells: it could not leave them."""
        if self.forbidden is None or not np.any(rho[self.forbidden]):
            return
        inside = np.where(self.forbidden, rho, 0.0)
        index = tuple(int(k) for k in np.unravel_index(int(np.argmax(inside)), rho.shape))
        share = self.mass(inside) / self.mass(rho)
        raise CaseError(
            f"the potential has no value in {int(np.count_nonzero(inside))} cells where the density is positive, "
            f"{share:.3g} of the mass, most at {self.grid.describe(index)}. Let the density vanish there, as by a "
            "factor (x > …), or give the table values there."
        )
