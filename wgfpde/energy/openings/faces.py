"""The faces through which a grid is open, axis by axis and exit by exit.

At a wall the outside lies half a cell away and V is taken there; at a region sink it is the centre of a cell of the
region.  W∗ρ is known at centres only: at a wall it is carried on linearly from the two cells next to it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import CaseError
from ...grid import Array, Axis, Grid
from ...grid.boundary import ABSORBING, SIDES, Wall
from .sinks import NO_SINK, Sink

Potential = Callable[..., Any] | None


@dataclass(frozen=True, eq=False)
class Opening:
    """Faces to the outside along one axis, all of one exit.

    name : of the wall or the sink.   axis : 0 for x, 1 for y.   side : 0 where the outside lies below the cell.
    cells : (k,) the cells inside, by their place in the flattened grid.
    distance, area : (k,) from their centres to where the density is given, and of the faces.   mobility : (k,) D there.
    outside : (k,) the cells outside, of a region sink; None for a wall.   inner : (k,) the next cells inwards, of a wall.
    potential : (k,) V at a wall.   wall, values : what it is, and K, g or j on each face.
    """

    name: str
    axis: int
    side: int
    cells: Array
    distance: Array
    area: Array
    mobility: Array
    outside: Array | None
    inner: Array
    reach: Array
    potential: Array
    wall: Wall
    values: Array

    def rise(self, phi: Array, base: Array) -> Array:
        """ΔΦ from the cells to the outside, (k,).   phi : Φ of all cells, flat.   base : the part V of it."""
        if self.outside is not None:
            return np.asarray(phi[self.outside] - phi[self.cells])
        drive = phi - base
        drift = (drive[self.cells] - drive[self.inner]) * self.reach
        return np.asarray(self.potential - base[self.cells] + drift)


def openings_of(
    grid: Grid,
    sinks: Sequence[Sink],
    owner: Array | None,
    potential: Potential,
    mobility: Sequence[Array] | None = None,
    weight: float = 0.0,
    lifts: Sequence[Array] = (),
) -> list[Opening]:
    """All of a grid: walls in axis order, then the faces of region sinks by name.

    owner : which sink a cell belongs to, as `regions_of` says.   potential : V, a function of the coordinates.
    mobility : D on the faces across each axis.   weight, lifts : V has weight·ln D + lift beside it, per axis.
    Raises CaseError where V is not finite at an open wall, or the value of a wall makes none.
    """
    inside = np.zeros(grid.size, bool) if owner is None else owner.ravel() != NO_SINK
    found = []
    for k, axis in enumerate(grid.axes):
        for side in (0, 1):
            wall = getattr(axis.boundary, SIDES[side])
            if wall.open:
                found.append(_wall(grid, k, side, wall, inside, potential, mobility, weight, lifts))
    if owner is not None:
        for number, sink in enumerate(sinks):
            for k in range(grid.dim):
                found += [_edge(grid, k, side, sink.name, owner, number, mobility) for side in (0, 1)]
    return [opening for opening in found if len(opening.cells) or opening.outside is None]


def without_regions(grid: Grid, inside: Array, mobility: Sequence[Array] | None) -> tuple[Array, ...]:
    """D on the faces across each axis, 0 on those that touch a region; inside : bool array of its cells."""
    found = []
    for k, axis in enumerate(grid.axes):
        along = grid.dim - 1 - k
        cells = np.moveaxis(inside, along, 0)
        ends = (cells[-1:], cells[:1]) if axis.ring else (cells[:1], cells[-1:])
        touched = np.concatenate([ends[0], cells]) | np.concatenate([cells, ends[1]])
        values = np.ones(touched.shape) if mobility is None else np.moveaxis(mobility[k], along, 0)
        found.append(np.ascontiguousarray(np.moveaxis(np.where(touched, 0.0, values), 0, along)))
    return tuple(found)


def _wall(
    grid: Grid, k: int, side: int, wall: Wall, inside: Array, potential: Potential,
    mobility: Sequence[Array] | None, weight: float, lifts: Sequence[Array],
) -> Opening:  # fmt: skip
    """The faces of one open wall; those of cells in a region are left out."""
    axis, along = grid.axes[k], grid.dim - 1 - k
    name, place = f"{axis.name}_{SIDES[side]}", (axis.upper if side else axis.lower)
    index = np.arange(grid.size).reshape(grid.shape)
    cells, inner = (np.take(index, -1 - n if side else n, along).ravel() for n in (0, 1))
    across = {other.name: other.centers for other in grid.axes if other is not axis}
    values = wall.values(across, cells.shape, name)
    v = np.zeros(cells.shape)
    if potential is not None:
        with np.errstate(all="ignore"):
            v = np.array(np.broadcast_to(np.asarray(potential(**{axis.name: place}, **across), dtype=float), v.shape))
    d = np.ones(cells.shape) if mobility is None else np.take(mobility[k], -1 if side else 0, along).ravel()
    if lifts:
        with np.errstate(divide="ignore"):
            v = v + weight * np.log(d) + lifts[k].ravel()[cells]
    if potential is not None or lifts:
        if not np.all(np.isfinite(v)):
            at = "".join(f", {n} = {c[np.argmax(~np.isfinite(v))]:.6g}" for n, c in across.items())
            raise CaseError(
                f"the potential is not finite at the wall {name}, which is open: at {axis.name} = {place:g}{at}. "
                "Move the wall, or close it."
            )
    kept, width, next_width = ~inside[cells], *(axis.widths[[-1, -2] if side else [0, 1]])
    ones = np.ones(int(kept.sum()))
    area = _area(grid, k).ravel()[kept] * axis.areas[-1 if side else 0]
    return Opening(
        name, k, side, cells[kept], 0.5 * width * ones, area, d[kept], None, inner[kept],
        width / (width + next_width) * ones, v[kept], wall, values[kept],
    )  # fmt: skip


def _edge(
    grid: Grid, k: int, side: int, name: str, owner: Array, number: int, mobility: Sequence[Array] | None
) -> Opening:
    """The faces between cells outside all regions and those of one region, which lies on one side of them."""
    axis, along = grid.axes[k], grid.dim - 1 - k
    step = 1 if side else -1
    there = np.roll(owner == number, -step, along)
    if not axis.ring:
        edge = [slice(None)] * grid.dim
        edge[along] = slice(-1, None) if side else slice(0, 1)
        there[tuple(edge)] = False
    touching = (owner == NO_SINK) & there
    index = np.arange(grid.size).reshape(grid.shape)
    cells, outside = index[touching], np.roll(index, -step, along)[touching]
    gaps = axis.distances if side else np.roll(axis.distances, 1)
    place = np.nonzero(touching)[along]
    area = _area(grid, k)
    area = np.broadcast_to(area if grid.dim == 1 else np.expand_dims(area, along), grid.shape)[touching]
    d = np.ones(len(cells))
    if mobility is not None:
        d = np.take(mobility[k], np.arange(axis.size) + side, along)[touching]
    none = np.zeros(len(cells))
    return Opening(
        name, k, side, cells, gaps[place], area * axis.areas[place + side], d, outside, cells, none, none, ABSORBING,
        none,
    )  # fmt: skip


def _area(grid: Grid, k: int) -> Array:
    """Areas of the faces across axis k, (1,) in 1D, else along the other axis."""
    if grid.dim == 1:
        return np.ones(1)
    other: Axis = grid.axes[1 - k]
    return np.asarray(other.widths)
