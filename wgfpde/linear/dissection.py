"""Nested dissection: the order in which the cells of a grid are eliminated, and which cells a part then couples.

A rectangle of cells is cut across its longer side by a line of cells, its separator; both halves are eliminated first,
cut likewise, and the separator last.  An axis that closes to a ring is opened first, by one line of cells.  Cells are
renumbered in the order of elimination.  The nodes of the tree are parts (leaves of at most LEAF cells, and separators),
children before parents:

    own       : the cells start … stop − 1 that a node eliminates
    boundary  : later cells that these are coupled to once they are gone, ascending

A front, own and boundary together, is thus ascending, and a child's boundary lies within its parent's front.  In 2D the
work is O(n^{3/2}) and the entries are O(n log n), where a band takes O(n²) and O(n^{3/2}).
Reference: George (1973), DOI 10.1137/0710032.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..grid import Array

LEAF = 48
"""Rectangles of at most so many cells are not cut further."""


@dataclass
class Node:
    """A part of the grid.   start, stop : its own cells, in the order of elimination.   children : places in the tree.

    boundary : (b,) ascending.
    """

    start: int
    stop: int
    children: list[int]
    boundary: Array = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    @property
    def own(self) -> int:
        return self.stop - self.start

    @property
    def size(self) -> int:
        """Of its front."""
        return self.own + len(self.boundary)


@dataclass(frozen=True)
class Dissection:
    """An order of elimination.

    place : (cells,) the number of each cell in that order; −1 for cells left out.   nodes : children before parents.
    """

    place: Array
    nodes: list[Node]

    @property
    def kept(self) -> int:
        """How many cells take part."""
        return self.nodes[-1].stop if self.nodes else 0

    @property
    def entries(self) -> int:
        """Numbers that the factors hold."""
        return sum(node.own * (2 * node.size - node.own) for node in self.nodes)


def dissect(shape: Sequence[int], rings: Sequence[int], kept: Array, lower: Array, upper: Array) -> Dissection:
    """Dissect a grid.

    shape, rings : (n,) or (ny, nx), and 1 for each axis that closes, in the same order.   kept : (cells,) bool.
    lower, upper : (faces,) the two cells of each face, both kept.
    """
    shape, rings = ((1, *shape), (0, *rings)) if len(shape) == 1 else (tuple(shape), tuple(rings))
    index = np.where(kept, np.arange(kept.size), -1).reshape(shape)
    parts: list[tuple[Array, list[int]]] = []
    _ring(index, rings, parts)
    place, nodes, count = np.full(kept.size, -1), [], 0
    for cells, children in parts:
        place[cells] = np.arange(count, count + len(cells))
        nodes.append(Node(count, count + len(cells), children))
        count += len(cells)
    _find_boundaries(nodes, place[lower], place[upper], count)
    return Dissection(place, nodes)


def _ring(index: Array, rings: Sequence[int], parts: list[tuple[Array, list[int]]]) -> None:
    """Cut axes that close at their first line, and the rectangle that is left."""
    ring_y, ring_x = (bool(ring) and n > 2 for ring, n in zip(rings, index.shape, strict=True))
    cut = np.zeros(index.shape, dtype=bool)
    cut[0] |= ring_y
    cut[:, 0] |= ring_x
    rest = _cut(index[int(ring_y) :, int(ring_x) :], parts)
    if ring_y or ring_x:
        _part(index[cut], [rest], parts)


def _cut(index: Array, parts: list[tuple[Array, list[int]]]) -> int:
    """Append the parts of a rectangle; returns the place of its last one, −1 where no cell takes part."""
    ny, nx = index.shape
    if index.size <= LEAF or max(ny, nx) < 3:
        return _part(index.ravel(), [], parts)
    if ny > nx:
        index = index.T
    middle = index.shape[1] // 2
    halves = [_cut(index[:, :middle], parts), _cut(index[:, middle + 1 :], parts)]
    return _part(index[:, middle], halves, parts)


def _part(cells: Array, children: list[int], parts: list[tuple[Array, list[int]]]) -> int:
    cells, children = cells[cells >= 0], [child for child in children if child >= 0]
    if not len(cells) and len(children) < 2:
        return children[0] if children else -1
    parts.append((cells, children))
    return len(parts) - 1


def _find_boundaries(nodes: list[Node], lower: Array, upper: Array, count: int) -> None:
    """Fill in the boundaries.   lower, upper : (faces,) cells in the order of elimination."""
    first, later = np.minimum(lower, upper), np.maximum(lower, upper)
    order = np.argsort(first, kind="stable")
    first, later = first[order], later[order]
    ends = np.searchsorted(first, np.arange(count + 1))
    for node in nodes:
        near = [later[ends[node.start] : ends[node.stop]], *(nodes[child].boundary for child in node.children)]
        found = np.unique(np.concatenate(near))
        node.boundary = found[np.searchsorted(found, node.stop) :]
