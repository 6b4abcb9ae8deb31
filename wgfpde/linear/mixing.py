"""Anderson mixing for the fixed point x = G(x).

`Anderson` is for small fields; `DampedAnderson` for stacks of fields, with weights, a damped residual, and no copies
but its memory.

Reference: Walker, Ni (2011), DOI 10.1137/10078356X.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..grid import Array

DEPTH = 3
BLOCK = 1 << 13
"""Cells that are treated at once: of the eight arrays of a mixing they fill the half of a cache of 1 MiB."""


class Anderson:
    """Mixes the last DEPTH + 1 iterates so that the mixed residual is smallest; the first move is plain iteration."""

    def __init__(self) -> None:
        self._images: list[Array] = []
        self._residuals: list[Array] = []

    def mix(self, x: Array, image: Array, residual: Array | None = None) -> Array:
        """The next iterate after x, whose image is G(x); same shape.  Superlinear in practice where G contracts.

        residual : G(x) − x, where it is known.  It and the image are kept, not copied.
        """
        residual = image - x if residual is None else residual
        self._images.append(image)
        self._residuals.append(residual)
        del self._images[: -DEPTH - 1], self._residuals[: -DEPTH - 1]
        normal = NormalEquations(len(self._residuals) - 1)
        flat = [r.reshape(-1) for r in self._residuals]
        for block in blocks_of(residual.size):
            normal.add([r[block] for r in flat[:-1]], flat[-1][block])
        shares = normal.solve(1e-12)
        if not np.any(shares):
            return image
        mixed = np.empty(image.shape)
        out, new = mixed.reshape(-1), image.reshape(-1)
        older = [old.reshape(-1) for old in self._images[:-1]]
        for block in blocks_of(image.size):
            part = np.multiply(new[block], 1.0 - shares.sum(), out=out[block])
            for share, old in zip(shares, older, strict=True):
                part += share * old[block]
        return mixed


class DampedAnderson:
    """Mixes the last depth + 1 iterates, with β times the mixed residual, for stacks of fields (levels, cells).

        x ← Σ c_j (x_j + β r_j),   Σ c_j = 1,   |w Σ c_j r_j| smallest,   r_j = G(x_j) − x_j

    depth : at least 1.   damping : 0 < β ≤ 1.   Holds 2(depth + 1) arrays of the size of x.
    """

    def __init__(self, depth: int, damping: float) -> None:
        self._depth, self._damping = depth, damping
        self._places: list[Array] = []
        self._residuals: list[Array] = []

    def restart(self, damping: float) -> None:
        """Forget all iterates, and go on with that β."""
        self._damping = damping
        self._places.clear()
        self._residuals.clear()

    def mix(self, x: Array, residual: Array, weight: Callable[[int], Array]) -> Array:
        """The next iterate after x, a new array; x and its residual are kept, not copied.   weight : w of a level."""
        self._places.append(x)
        self._residuals.append(residual)
        del self._places[: -self._depth - 1], self._residuals[: -self._depth - 1]
        normal = NormalEquations(len(self._residuals) - 1)
        for k in range(len(residual) if len(self._residuals) > 1 else 0):
            flat, w = [r[k].reshape(-1) for r in self._residuals], weight(k).reshape(-1)
            for block in blocks_of(w.size):
                weighted = [w[block] * r[block] for r in flat]
                normal.add(weighted[:-1], weighted[-1])
        shares = normal.solve(1e-13)
        mixed = np.empty_like(x)
        for k in range(len(x)):
            mixed[k] = x[k] + self._damping * residual[k]
            for share, place, old in zip(shares, self._places[:-1], self._residuals[:-1], strict=True):
                mixed[k] += share * (place[k] - x[k] + self._damping * (old[k] - residual[k]))
        return mixed


class NormalEquations:
    """The shares c_j of the older of n + 1 residuals with which |r + Σ c_j (r_j − r)| is smallest, summed in parts.

    The sums are taken without BLAS, whose threads would fight with the sweeps' own.
    """

    def __init__(self, n: int) -> None:
        self._gram, self._load = np.zeros((n, n)), np.zeros(n)

    def add(self, older: Sequence[Array], newest: Array) -> None:
        """A part of all residuals, (cells,) each, small enough to stay in the cache."""
        changes = [old - newest for old in older]
        for a, change in enumerate(changes):
            self._load[a] -= _dot(change, newest)
            for b in range(a + 1):
                self._gram[a, b] += _dot(change, changes[b])

    def solve(self, rcond: float) -> Array:
        """(n,) shares; 0 where residuals are equal or their squares overflow."""
        if not len(self._load):
            return self._load
        gram = np.tril(self._gram) + np.tril(self._gram, -1).T
        size = np.sqrt(np.diag(gram))
        if not (np.all(size > 0) and np.all(np.isfinite(gram)) and np.all(np.isfinite(self._load))):
            return np.zeros(len(size))
        return np.linalg.lstsq(gram / np.outer(size, size), self._load / size, rcond=rcond)[0] / size


def blocks_of(size: int) -> list[slice]:
    """Parts of BLOCK cells."""
    return [slice(first, min(first + BLOCK, size)) for first in range(0, size, BLOCK)]


def _dot(a: Array, b: Array) -> float:
    return float(np.einsum("i,i->", a, b))
