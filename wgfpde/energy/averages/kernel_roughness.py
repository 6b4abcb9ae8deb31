"""Where a kernel is not smooth: it jumps, has a kink or a cut-off, or is singular, at any displacement.

W is sampled on lines half a cell apart, q ≥ 4 points a cell, and along each of them

    D_δ(x) = W(x − 2δ) − 4W(x − δ) + 6W(x) − 4W(x + δ) + W(x + 2δ)

is compared with D_{2δ}.  For a smooth kernel D_δ ≈ δ⁴W'''' is 16 times smaller; across a jump the two are alike, across
a kink one is half the other.  Where D_δ > D_{2δ}/12 the kernel is *suspect*.  A smooth kernel that the lattice does not
resolve is suspect as well: halving δ twelve times around the largest D_δ tells them apart.  D_δ falls as 2^−p a time,
with p = 0 at a jump, s at a root |x|^s, 1 at a kink and 4 where W is smooth; p < 1.75 is *rough*.

No choice of a grid makes a smooth kernel rough.  Not seen: a feature that lies between two points of the lattice; a
jump below 1e-11 of the largest value.  Cost: 4q values of W a lag in 2D, with q from 8 on small grids to 4.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ...base.effort import spend
from ...grid import Array

Kernel = Callable[..., Array]

FALL = 12.0
"""D_{2δ}/D_δ of a smooth kernel on a lattice that resolves it: 16 less what the next derivatives change."""
NOISE = 1e-11
HALVINGS, SETTLED, EXPONENT = 12, 6, 1.75
"""Halvings of δ; after how many of them the fall is measured; the least p of a smooth kernel."""
LATTICE = 1 << 23
"""Points of the lattice, where that leaves 4 a cell or more."""
MOST_PER_CELL = (32, 8)
"""In 1D, in 2D."""
BLOCK = 1 << 15
"""Points held at once."""
WORST = 64
"""Stencils of each block that are looked at closely."""
AROUND_ORIGIN = 4
"""Stencils centred up to as many points of the lattice from an origin where W is not smooth are left out."""
SEARCHED = 20.0
"""Nanoseconds a value that the search takes beyond those of the kernel (`base.effort`)."""


@dataclass(frozen=True)
class Bins:
    """Cells of displacements along one axis: [k − ½, k + ½] width, k from `first` to `last`.

    limit : displacements beyond it do not occur (half a period), or None.
    """

    width: float
    first: int
    last: int
    limit: float | None = None

    @property
    def size(self) -> int:
        return self.last - self.first + 1

    def lattice(self, q: int) -> Array:
        """Multiples of width/q, as whole numbers."""
        low, high = self.first * q - q // 2, self.last * q + q // 2
        if self.limit is not None:
            most = round(self.limit / self.width * q)
            low, high = max(low, -most), min(high, most)
        return np.arange(low, high + 1)


@dataclass(frozen=True)
class Roughness:
    """What was found.

    suspect : one bool a bin, (nx,) or (ny, nx): whether a stencil that reaches into it finds W suspect.
    rough : whether W is rough in one of them.
    """

    suspect: Array
    rough: bool


def roughness(kernel: Kernel, bins: Sequence[Bins], scale: float, smooth: bool) -> Roughness:
    """Where W is suspect, and whether it is rough there.

    bins : per axis, x first.   scale : the largest |W| on the grid.   smooth : whether W is smooth at the origin; if
    not, that is known already, and left out.
    """
    dim, size = len(bins), int(np.prod([b.size for b in bins]))
    q = 2 * int(0.5 * (LATTICE / size) ** (1 / dim) + 1e-9)
    q = min(max(q, 4), MOST_PER_CELL[dim - 1])
    lattice = [b.lattice(q) for b in bins]
    steps = [b.width / q for b in bins]
    noise, around = NOISE * scale, -1 if smooth else AROUND_ORIGIN
    suspect = np.zeros([b.size for b in reversed(bins)], dtype=bool)
    rough = False
    for axis in range(dim):
        along = lattice[axis]
        lines = lattice[1 - axis][:: q // 2] if dim == 2 else np.zeros(1, dtype=int)
        rows = max(1, BLOCK // len(along))
        for first in range(0, len(lines), rows):
            part = lines[first : first + rows]
            places = [along[None, :], part[:, None]][:dim]
            nodes = [p * step for p, step in zip(_in_order(places, axis), steps, strict=True)]
            found, worst = _search(_values(kernel, *nodes), along, part, noise, around)
            _mark(suspect, _in_order(found[:dim], axis), axis, bins, q)
            rough = rough or _is_rough(kernel, _in_order(worst[:dim], axis), steps, axis, noise)
    return Roughness(suspect, rough)


class Places:
    """Suspect displacements of a stretched grid, and which cells meet one.

    suspect, bins : of a `Roughness`, bins ≥ 0 of the last axis.   Signs of displacements make no difference here.
    """

    def __init__(self, suspect: Array, bins: Sequence[Bins]) -> None:
        suspect = widened(suspect)
        if len(bins) == 2:
            n = bins[0].last
            suspect = suspect[:, n:] | suspect[:, n::-1]
        self._bins = bins
        counts = np.pad(suspect.astype(np.int64), [(1, 0)] * suspect.ndim)
        for axis in range(suspect.ndim):
            counts = np.cumsum(counts, axis=axis)
        self._counts = counts

    def meet(self, shifts: Sequence[Array], widths: Sequence[Array]) -> Array:
        """Whether cells of these widths, centred at these shifts, hold a suspect displacement."""
        ends = []
        for shift, width, b in zip(shifts, widths, self._bins, strict=True):
            near, far = np.abs(shift) - 0.5 * width, np.abs(shift) + 0.5 * width
            if b.limit is not None:  # what lies beyond half a period is as far before it
                near, far = np.minimum(near, 2 * b.limit - far), np.minimum(far, b.limit)
            near = np.maximum(near, 0.0)
            low, high = (np.clip(np.floor(e / b.width + 0.5).astype(int), 0, b.last) for e in (near, far))
            ends.append((low, high + 1))
        if len(ends) == 1:
            ((low, high),) = ends
            return self._counts[high] > self._counts[low]
        (left, right), (low, high) = ends
        c = self._counts
        return c[high, right] - c[low, right] - c[high, left] + c[low, left] > 0


def widened(suspect: Array) -> Array:
    """The bins and their neighbours, which a curve may cut between the points of the lattice."""
    result = suspect
    for axis in range(suspect.ndim):
        padded = np.pad(result, [(int(k == axis),) * 2 for k in range(suspect.ndim)])
        n = suspect.shape[axis]
        result = np.logical_or.reduce([np.take(padded, np.arange(k, k + n), axis=axis) for k in range(3)])
    return result


def _values(kernel: Kernel, *places: Array) -> Array:
    coords, shape = dict(zip("xy", places, strict=False)), np.broadcast_shapes(*(p.shape for p in places))
    spend(SEARCHED * math.prod(shape))
    with np.errstate(all="ignore"):
        values = np.asarray(kernel(**coords), dtype=float)
    return np.broadcast_to(values, shape)


def _in_order(places: list[Array], axis: int) -> list[Array]:
    """(along an axis, across it) ↦ (x, y)."""
    return places[::-1] if axis else places


def _search(values: Array, along: Array, lines: Array, noise: float, around: int) -> tuple[list[Array], list[Array]]:
    """Suspect stencils on lines (l, m) of the lattice, farther than `around` from the origin.

    Returns their places along the lines and those of the lines, of all and of the WORST.
    """
    fine, coarse = _differences(values, 1), _differences(values, 2)
    n = max(values.shape[-1] - 4, 0)
    padded = np.zeros((len(values), n + 4))
    padded[:, 4 : 4 + coarse.shape[1]] = coarse
    padded[~np.isfinite(padded)] = 0.0
    fine[~np.isfinite(fine)] = np.inf
    beside = padded[:, :n].copy()
    for k in range(1, 5):
        np.maximum(beside, padded[:, k : n + k], out=beside)
    line, at = np.nonzero(fine > beside / FALL + noise)
    height, places = fine[line, at], [along[at + 2], lines[line]]
    away = np.max(np.abs(places), axis=0) > around
    places, height = [p[away] for p in places], height[away]
    order = np.argsort(-height, kind="stable")[:WORST]
    return places, [p[order] for p in places]


def _differences(values: Array, stride: int) -> Array:
    """|D| with a spacing of `stride` points, at all places where it fits."""
    if values.shape[1] <= 4 * stride:
        return np.zeros((len(values), 0))
    with np.errstate(all="ignore"):
        for _ in range(4):
            values = values[:, stride:] - values[:, :-stride]
    return np.abs(values, out=values)


def _mark(suspect: Array, places: Sequence[Array], axis: int, bins: Sequence[Bins], q: int) -> None:
    """Mark the bins that the stencils reach into."""
    for shift in (-2, 0, 2):
        index = []
        for k, (place, b) in enumerate(zip(places, bins, strict=True)):
            at = place + shift * (k == axis)
            low = np.clip((at + q // 2) // q - b.first, 0, b.size - 1)
            high = np.clip(-((q // 2 - at) // q) - b.first, 0, b.size - 1)
            index.append((low, high))
        for corner in np.ndindex(*(2,) * len(index)):
            suspect[tuple(index[k][corner[k]] for k in reversed(range(len(index))))] = True


def _is_rough(kernel: Kernel, worst: Sequence[Array], steps: Sequence[float], axis: int, noise: float) -> bool:
    """Whether D_δ falls as δ^1.75 or slower around one of these stencils as δ is halved."""
    if not worst[0].size:
        return False
    centre = [place * step for place, step in zip(worst, steps, strict=True)]
    step, rows = steps[axis], np.arange(worst[0].size)
    history = []
    for _ in range(HALVINGS):
        step *= 0.5
        offsets = step * np.arange(-4, 5)
        nodes = [c[:, None] + (offsets if k == axis else 0.0 * offsets) for k, c in enumerate(centre)]
        fine = _differences(_values(kernel, *nodes), 1)
        fine[~np.isfinite(fine)] = np.inf
        best = np.argmax(fine, axis=1)
        centre[axis] = nodes[axis][rows, best + 2]
        history.append(fine[rows, best])
    last, settled = history[-1], history[SETTLED - 1]
    slow = last >= settled * 2.0 ** (-EXPONENT * (HALVINGS - SETTLED))
    return bool(np.any(~np.isfinite(last) | (slow & (last > noise))))
