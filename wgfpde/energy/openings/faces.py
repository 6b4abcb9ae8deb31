"""The faces through which a grid is open, axis by axis and exit by exit.

At a wall the outside lies half a cell away and V is taken there; at a region sink it lies at the distance θd at which
the line from the centre of a cell to that of a cell inside, d apart, enters the region (found by bisection; Gibou et
al.), so that the place of the edge between centres counts: order 2 in space, where taking the centre gives 1.
W∗ρ is known at centres only: at a wall it is carried on linearly from the two cells next to it, at a region sink it is
interpolated between both centres.
Reference: Gibou, Fedkiw, Cheng, Kang (2002), DOI 10.1006/jcph.2001.6977.
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
HALVINGS = 52
"""Of a line, to find where it enters a region."""


@dataclass(frozen=True, eq=False)
class Opening:
    """Faces to the outside along one axis, all of one exit.

    name : of the wall or the sink.   axis : 0 for x, 1 for y.   side : 0 where the outside lies below the cell.
    cells : (k,) the cells inside, by their place in the flattened grid.
    distance, area : (k,) from their centres to where the density is given, and of the faces.   mobility : (k,) D there.
    outside : (k,) the cells outside, of a region sink; None for a wall.
    inner, reach : (k,) cells, and shares of the drive's difference to them by which it differs at the outside.
    potential : (k,) V at the outside.   wall, values : what it is, and K, g or j on each face.
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
        drive = phi - base
        drift = (drive[self.cells] - drive[self.inner]) * self.reach
        return np.asarray(self.potential - base[self.cells] + drift)


def openings_of(
    grid: Grid,
    sinks: Sequence[Sink],
    owner: Array | None,
    potential: Potential,
    mobility: Sequence[Array] | None = None,
) -> list[Opening]:
    """All of a grid: walls in axis order, then the faces of region sinks by name.

    owner : which sink a cell belongs to, as `regions_of` says, or NO_PLACE: forbidden cells have no way out or in.
    potential : V, a function of the coordinates.
    mobility : D on the faces across each axis.
    Raises CaseError where V is not finite at an open wall, or the value of a wall makes none.
    """
    inside = np.zeros(grid.size, bool) if owner is None else owner.ravel() != NO_SINK
    found = []
    for k, axis in enumerate(grid.axes):
        for side in (0, 1):
            wall = getattr(axis.boundary, SIDES[side])
            if wall.open:
                found.append(_wall(grid, k, side, wall, inside, potential, mobility))
    if owner is not None:
        for number, sink in enumerate(sinks):
            for k in range(grid.dim) if sink.region is not None else ():
                own, free = owner == number, owner == NO_SINK
                found += [_edge(grid, k, side, sink, own, free, potential, mobility) for side in (0, 1)]
    return [opening for opening in found if len(opening.cells) or opening.outside is None]


def check_walls(openings: Sequence[Opening], kind: str) -> None:
    """Refuse openings of a law whose flux is not linear in ρ that do more than absorb.   kind : of its energy."""
    for opening in openings:
        if opening.wall.name != "absorbing":
            raise CaseError(
                f'{opening.name}: a wall with {opening.wall.name} needs internal energy "entropy" or "none", where '
                f'the flux is linear in the density; found "{kind}", which takes "absorbing" and sinks.'
            )


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
    mobility: Sequence[Array] | None,
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
    if potential is not None and not np.all(np.isfinite(v)):
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
    grid: Grid, k: int, side: int, sink: Sink, own: Array, free: Array, potential: Potential,
    mobility: Sequence[Array] | None,
) -> Opening:  # fmt: skip
    """The faces between free cells and those of one region, its own, which lies on one side of them."""
    axis, along = grid.axes[k], grid.dim - 1 - k
    step = 1 if side else -1
    there = np.roll(own, -step, along)
    if not axis.ring:
        edge = [slice(None)] * grid.dim
        edge[along] = slice(-1, None) if side else slice(0, 1)
        there[tuple(edge)] = False
    touching = free & there
    index = np.arange(grid.size).reshape(grid.shape)
    cells, outside = index[touching], np.roll(index, -step, along)[touching]
    faces = np.nonzero(touching)[along] + side
    gaps = np.append(axis.distances[-1], axis.distances)[faces]
    area = _area(grid, k)
    area = np.broadcast_to(area if grid.dim == 1 else np.expand_dims(area, along), grid.shape)[touching]
    centers = {name: np.broadcast_to(at, grid.shape)[touching] for name, at in grid.coordinates().items()}

    def at(share: Array) -> dict[str, Array]:
        place = centers[axis.name] + step * share * gaps
        if axis.ring:
            place = axis.lower + np.mod(place - axis.lower, axis.length)
        return centers | {axis.name: place}

    share = _entrance(sink, at, len(cells))
    v = _potential_at(at(share), potential, sink.name)
    d = np.ones(len(cells)) if mobility is None else np.take(mobility[k], np.arange(axis.size) + side, along)[touching]
    return Opening(
        sink.name, k, side, cells, share * gaps, area * axis.areas[faces], d, outside, outside, -share, v, ABSORBING,
        np.zeros(len(cells)),
    )  # fmt: skip


def _entrance(sink: Sink, at: Callable[[Array], dict[str, Array]], count: int) -> Array:
    """Where lines of length 1 that begin outside a region and end inside enter it, (count,), 0 < θ ≤ 1."""
    assert sink.region is not None
    low, high = np.zeros(count), np.ones(count)
    for _ in range(HALVINGS if count else 0):
        middle = 0.5 * (low + high)
        with np.errstate(all="ignore"):
            within = np.broadcast_to(np.asarray(sink.region(**at(middle)), dtype=float), (count,)) != 0
        low, high = np.where(within, low, middle), np.where(within, middle, high)
    return high


def _potential_at(place: dict[str, Array], potential: Potential, name: str) -> Array:
    """V where lines enter the region of the sink `name`, (k,).   Raises CaseError where it is not finite."""
    shape = np.broadcast_shapes(*(np.shape(at) for at in place.values()))
    if potential is None or not np.prod(shape):
        return np.zeros(shape)
    with np.errstate(all="ignore"):
        v = np.array(np.broadcast_to(np.asarray(potential(**place), dtype=float), shape))
    if not np.all(np.isfinite(v)):
        bad = int(np.argmax(~np.isfinite(v)))
        spot = ", ".join(f"{name} = {np.broadcast_to(at, shape)[bad]:.6g}" for name, at in place.items())
        raise CaseError(
            f"the potential is not finite at the edge of the sink {name}: at {spot}. Move the edge, or change the "
            "formula."
        )
    return v


def _area(grid: Grid, k: int) -> Array:
    """Areas of the faces across axis k, (1,) in 1D, else along the other axis."""
    if grid.dim == 1:
        return np.ones(1)
    other: Axis = grid.axes[1 - k]
    return np.asarray(other.widths)
