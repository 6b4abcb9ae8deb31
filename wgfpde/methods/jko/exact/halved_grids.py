"""Fields on grids of half and of twice the size, smoothed ones, and what a field does not say between its cells.

Arrays are (ny, nx).   rings : per axis, x first, whether it is a ring; fields go round it, and at walls they are even
(averages) or odd about their outermost values (cubics).
"""

from __future__ import annotations

import numpy as np

from ....grid import Array

FOURTH = (1.0, -4.0, 6.0, -4.0, 1.0)
QUARTER = np.array([-7.0, 105.0, 35.0, -5.0]) / 128
"""Weights at −1, 0, 1, 2 of the cubic's value at +¼."""


def _padded(values: Array, width: int, rings: tuple[bool, bool], odd: bool = False) -> Array:
    """With `width` more values at both ends of both axes, y first."""
    for axis, ring in ((0, rings[1]), (1, rings[0])):
        more = [(width, width) if k == axis else (0, 0) for k in range(2)]
        if ring:
            values = np.pad(values, more, mode="wrap")
        elif odd:
            values = np.pad(values, more, mode="reflect", reflect_type="odd")
        else:
            values = np.pad(values, more, mode="symmetric")
    return values


def uncertainty(values: Array, rings: tuple[bool, bool]) -> float:
    """Σ of what interpolation half-way between cells may miss, over Σ values: 3/128 |fourth differences|, both axes."""
    ny, nx = values.shape
    padded = _padded(values, 2, rings)
    x, y = padded[2:-2], padded[:, 2:-2]
    along = sum(w * x[:, k : k + nx] for k, w in enumerate(FOURTH))
    across = sum(w * y[k : k + ny] for k, w in enumerate(FOURTH))
    return float(3 / 128 * (np.abs(along).sum() + np.abs(across).sum()) / values.sum())


def coarser(values: Array) -> Array:
    """Averages of two by two cells."""
    ny, nx = values.shape
    return np.ascontiguousarray(values.reshape(ny // 2, 2, nx // 2, 2).mean(axis=(1, 3)))


def finer(values: Array, rings: tuple[bool, bool]) -> Array:
    """Cubic interpolation to the cells of half the size."""
    padded = _padded(values, 2, rings, odd=True)
    return np.ascontiguousarray(_doubled(np.ascontiguousarray(_doubled(padded).T)).T)


def _doubled(padded: Array) -> Array:
    n = padded.shape[-1] - 4
    near = [padded[..., k : k + n] for k in range(5)]
    out = np.empty((padded.shape[0], 2 * n))
    out[:, 0::2] = sum(w * near[3 - k] for k, w in enumerate(QUARTER))
    out[:, 1::2] = sum(w * near[1 + k] for k, w in enumerate(QUARTER))
    return out


def smoother(values: Array, rings: tuple[bool, bool]) -> Array:
    """Averages with the weights ¼, ½, ¼ along both axes."""
    padded = _padded(values, 1, rings)
    along = 0.25 * padded[:, :-2] + 0.5 * padded[:, 1:-1] + 0.25 * padded[:, 2:]
    return np.asarray(0.25 * along[:-2] + 0.5 * along[1:-1] + 0.25 * along[2:])
