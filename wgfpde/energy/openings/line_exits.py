"""Losses and gains of a flow in blocks of lines, as sweeps take them, and what left by each exit in a sweep.

    (h + dt k) ρ' + dt ∂F = h ρ + dt g        along each line; k, g per area across it

A sink with a rate acts along every axis, with an equal share.  What a sweep over dt lets go by one exit is
dt Σ k_exit ρ̄, with the mean density ρ̄ that the sweep took over dt: the parts add up to what is lost, exit by exit.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ...grid import Array
from ...linear.lines import Lines, X
from ..flow import Flow
from .faces import Opening
from .losses import pair_of, through


@dataclass(eq=False)
class Part:
    """What one opening, or one sink with a rate, has to do with the lines of an axis.

    number : of the exit.   cells, places : (k,) of its cells, flat and in blocks.   across : (k,) area across the line
    of each cell.
    loss, gain : (k,) per area across, as last filled.   rise : (k,) ΔΦ, of laws that need it.
    """

    number: int
    cells: Array
    places: Array
    across: Array
    opening: Opening | None
    loss: Array
    gain: Array = field(default_factory=lambda: np.zeros(0))
    rise: Array = field(default_factory=lambda: np.zeros(0))


class LineExits:
    """Of one axis.   loss, gain : (blocks, n, lanes), zeros of one place each where no mass passes along this axis.

    opened : 1 where there is any, else 0.   rows : the cells i of lines where mass passes on some line, for kernels.
    mean : (blocks, n, lanes), for ρ̄ of a sweep in these rows.   passing : (rows, loss, gain, mean), None where a flow
    has no exits along any axis.
    """

    def __init__(self, flow: Flow, lines: Lines) -> None:
        self.flow, self.count = flow, len(flow.exits)
        self._parts = _parts_of(flow, lines)
        self.opened = int(bool(self._parts))
        places = [part.places // lines.lanes % lines.n for part in self._parts]
        self.rows = np.unique(np.concatenate(places)) if places else np.zeros(0, np.int64)
        shape = lines.coefficients().shape if self.opened else (1, 1, 1)
        self.loss, self.gain, self.mean = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        self.passing = (self.rows, self.loss, self.gain, self.mean) if flow.exits else None

    def fill(self, phi: Array) -> None:
        """Take the potential phi of all cells."""
        if not self.opened:
            return
        flat = phi.ravel()
        base = np.zeros(len(flat)) if self.flow.external is None else self.flow.external.ravel()
        self.loss[:], self.gain[:] = 0.0, 0.0
        for part in self._parts:
            if part.opening is not None:
                part.loss, part.gain = (
                    values * (part.opening.area / part.across)
                    for values in through(part.opening, pair_of(self.flow.internal), flat, base)
                )
                np.add.at(self.gain.reshape(-1), part.places, part.gain)
            np.add.at(self.loss.reshape(-1), part.places, part.loss)

    def net(self, part: Part, rho: Array) -> Array:
        """(k,) what leaves per time and area across by a part, less what comes in, at a flat state."""
        return np.asarray(part.loss * rho[part.cells] - (0.0 if part.opening is None else part.gain))

    def rates(self, rho: Array) -> Array:
        """(exits,) net mass per time that leaves by each at a state of the grid's shape."""
        flat, found = rho.ravel(), np.zeros(self.count)
        for part in self._parts:
            found[part.number] += float(np.sum(part.across * self.net(part, flat)))
        return found

    def current(self, rho: Array) -> Array:
        """What the fluxes out through faces add to the mean of both faces of each cell, of the grid's shape: ½ F per
        opening, counted along the axis."""
        flat, found = rho.ravel(), np.zeros(rho.size)
        for part in self._parts:
            if part.opening is not None:
                half = 0.5 * self.net(part, flat) * part.across / part.opening.area
                np.add.at(found, part.cells, half if part.opening.side else -half)
        return found.reshape(rho.shape)

    def density_rates(self, rho: Array) -> Array:
        """What all exits take from the cells, net: mass/(time · volume), array of the grid's shape."""
        flat, found = rho.ravel(), np.zeros(rho.size)
        for part in self._parts:
            np.add.at(found, part.cells, part.across * self.net(part, flat))
        return found.reshape(rho.shape) / self.flow.grid.cell_volume

    def came(self, dt: float) -> float:
        """The mass that came in, gross, in a sweep over dt."""
        gains = [float(np.sum(part.across * part.gain)) for part in self._parts if part.opening is not None]
        return dt * sum(gains)

    def gone(self, dt: float) -> Array:
        """(exits,) net mass that left by each in the sweep over dt that wrote `mean`."""
        found = np.zeros(self.count)
        mean = self.mean.reshape(-1)
        for part in self._parts:
            found[part.number] += dt * float(np.sum(part.across * part.loss * mean[part.places]))
            if part.opening is not None:
                found[part.number] -= dt * float(np.sum(part.across * part.gain))
        return found


def _parts_of(flow: Flow, lines: Lines) -> list[Part]:
    axis = 0 if lines.direction == X else 1
    number = {name: k for k, name in enumerate(flow.exits)}
    found = []
    for opening in flow.openings:
        if opening.axis == axis:
            places, across = _places(flow, lines, opening.cells)
            found.append(Part(number[opening.name], opening.cells, places, across, opening, np.zeros(len(places))))
    every = np.arange(flow.grid.size)
    for name, rate in flow.decay.items():
        flat, widths = rate.ravel() / flow.grid.dim, lines.volumes
        cells = every[flat > 0]
        places, across = _places(flow, lines, cells)
        along = cells % flow.grid.x.size if lines.direction == X else cells // flow.grid.x.size
        found.append(Part(number[name], cells, places, across, None, flat[cells] * widths[along]))
    return found


def _places(flow: Flow, lines: Lines, cells: Array) -> tuple[Array, Array]:
    """Of cells of the flattened grid their places in blocks (blocks, n, lanes), and the area across their lines."""
    row, column = cells // flow.grid.x.size, cells % flow.grid.x.size
    line, along = (row, column) if lines.direction == X else (column, row)
    places = ((line // lines.lanes) * lines.n + along) * lines.lanes + line % lines.lanes
    if flow.grid.dim == 1:
        return places, np.ones(len(cells))
    other = flow.grid.y if lines.direction == X else flow.grid.x
    return places, other.widths[line]
