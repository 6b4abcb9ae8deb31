"""Cubic interpolation from the centres of a uniform lattice to any places, one axis after the other.

Lagrange's polynomial through the two centres on each side.  Beyond a wall values go on by odd reflection about the last
one, so that affine functions are exact up to there and beyond; on a circle they go round.  Order 4 inside, 2 at walls.
"""

from __future__ import annotations

import numpy as np

from ...grid import Array, Axis, Grid

GHOSTS = 3


class Interpolation:
    """From the cell centres of a uniform 2D grid to the lattice of the given places, per axis, x first."""

    def __init__(self, grid: Grid, places: tuple[Array, Array]) -> None:
        self._axes = [_weights(axis, np.asarray(x)) for axis, x in zip(grid.axes, places, strict=True)]

    def __call__(self, values: Array) -> Array:
        """(ny, nx) → (places in y, places in x)."""
        for k, (ring, first, weights) in enumerate(self._axes):
            values = _along(values if k == 0 else values.T, ring, first, weights)
        return np.ascontiguousarray(values.T)


def _weights(axis: Axis, x: Array) -> tuple[bool, Array, Array]:
    """Number of the first of the four centres, ghosts counted, and their weights (4, n)."""
    t = (x - axis.lower) / (axis.length / axis.size) - 0.5
    first = np.clip(np.floor(t).astype(int) - 1, -GHOSTS, axis.size + GHOSTS - 4)
    s = t - first
    weights = np.stack([
        -(s - 1) * (s - 2) * (s - 3) / 6, s * (s - 2) * (s - 3) / 2, -s * (s - 1) * (s - 3) / 2,
        s * (s - 1) * (s - 2) / 6,
    ])  # fmt: skip
    return bool(axis.ring), first + GHOSTS, weights


def _along(values: Array, ring: bool, first: Array, weights: Array) -> Array:
    """Along the last axis; the result is as the argument, that axis last."""
    if ring:
        wide = np.concatenate([values[:, np.arange(-GHOSTS, 0) % values.shape[1]], values,
                               values[:, np.arange(GHOSTS) % values.shape[1]]], axis=1)  # fmt: skip
    else:
        reach = min(GHOSTS, values.shape[1] - 1)
        low, high = 2 * values[:, :1] - values[:, reach:0:-1], 2 * values[:, -1:] - values[:, -2 : -reach - 2 : -1]
        wide = np.concatenate([low, values, high], axis=1)
        if reach < GHOSTS:
            wide = np.pad(wide, ((0, 0), (GHOSTS - reach, GHOSTS - reach)), mode="edge")
    wide = np.ascontiguousarray(wide.T)
    total = weights[0][:, None] * wide[first]
    for k in range(1, 4):
        total += weights[k][:, None] * wide[first + k]
    return total.T
