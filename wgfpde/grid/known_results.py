"""What was found of a formula before is found once: runs of a sweep share most of what they are made of.

    known(V, grid_key(grid, "curvature"), lambda: smallest_curvature(grid, V))

A formula never changes and says so, by `unchanging`; a function of the user may, and is asked each time, and so is a
table.  The key holds all else that the result follows from, to the last bit.  Results are kept as long as the formula
is, the last MOST of each, and those on large grids not at all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

from ..base.effort import Recent, counted

if TYPE_CHECKING:
    from .grid import Grid

Result = TypeVar("Result")

MOST = 8
LARGEST = 4096
"""Cells of a grid on which results are kept."""
_RESULTS: WeakKeyDictionary[Any, Recent[tuple[Any]]] = WeakKeyDictionary()


def known(function: Callable[..., Any], key: Hashable, find: Callable[[], Result]) -> Result:
    """find(), or what it gave before for this formula and this key; the same object, which nobody may write to.

    Where the cost of formulas is counted it is found again, so that a count does not depend on what was done before.
    key : None keeps nothing.
    """
    if key is None or counted() or not getattr(function, "unchanging", False):
        return find()
    results = _RESULTS.setdefault(function, Recent(MOST))
    kept = results.get(key) or results.keep(key, (find(),))
    result: Result = kept[0]
    return result


def grid_key(grid: Grid, *more: Hashable) -> Hashable:
    """A key of a grid, its cells and which axes close, and of more; None where nothing is kept, on a large grid."""
    if grid.size > LARGEST:
        return None
    digest = hashlib.blake2b(digest_size=16)
    for axis in grid.axes:
        digest.update(axis.edges.tobytes())
    return (*more, digest.digest(), *((axis.size, axis.ring, axis.uniform, axis.radial) for axis in grid.axes))
