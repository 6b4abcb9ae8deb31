"""Anderson mixing for the fixed point x = G(x).

`Anderson` is for small fields; `DampedAnderson` for stacks of fields, with weights, a damped residual, and no copies
but its memory.

Reference: Walker, Ni (2011), DOI 10.1137/10078356X.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..grid import Array

DEPTH = 3


class Anderson:
    """Mixes the last DEPTH + 1 iterates so that the mixed residual is smallest; the first move is plain iteration."""

    def __init__(self) -> None:
        self._images: list[Array] = []
        self._residuals: list[Array] = []

    def mix(self, x: Array, image: Array) -> Array:
        """The next iterate after x, whose image is G(x); same shape.  Superlinear in practice where G contracts."""
        residual = image - x
        self._images.append(image)
        self._residuals.append(residual)
        del self._images[: -DEPTH - 1], self._residuals[: -DEPTH - 1]
        changes = [r - residual for r in self._residuals[:-1]]
        if not changes:
            return image
        gram = np.array([[_dot(a, b) for b in changes] for a in changes])
        load = np.array([_dot(a, residual) for a in changes])
        size = np.sqrt(np.diag(gram))
        if not (np.all(size > 0) and np.all(np.isfinite(gram)) and np.all(np.isfinite(load))):  # ⟨r, r⟩ overflows
            return image
        weights = np.linalg.lstsq(gram / np.outer(size, size), load / size, rcond=1e-12)[0] / size
        mixed = image * (1.0 + weights.sum())
        for weight, old in zip(weights, self._images[:-1], strict=True):
            mixed -= weight * old
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
        shares = self._shares(residual, weight)
        mixed = np.empty_like(x)
        for k in range(len(x)):
            mixed[k] = x[k] + self._damping * residual[k]
            for share, place, old in zip(shares, self._places[:-1], self._residuals[:-1], strict=True):
                mixed[k] += share * (place[k] - x[k] + self._damping * (old[k] - residual[k]))
        return mixed

    def _shares(self, residual: Array, weight: Callable[[int], Array]) -> Array:
        """c_j of all but the last, level by level."""
        n = len(self._residuals) - 1
        gram, load = np.zeros((n, n)), np.zeros(n)
        if n == 0:
            return load
        for k in range(len(residual)):
            w = weight(k)
            now = w * residual[k]
            changes = np.array([w * old[k] - now for old in self._residuals[:-1]]).reshape(n, -1)
            gram += np.einsum("ai,bi->ab", changes, changes)
            load -= np.einsum("ai,i->a", changes, now.ravel())
        size = np.sqrt(np.diag(gram))
        if not (np.all(size > 0) and np.all(np.isfinite(gram)) and np.all(np.isfinite(load))):
            return np.zeros(n)
        return np.linalg.lstsq(gram / np.outer(size, size), load / size, rcond=1e-13)[0] / size


def _dot(a: Array, b: Array) -> float:
    """⟨a, b⟩ without BLAS, whose threads would fight with the sweeps' own."""
    return float(np.einsum("ij,ij->", a, b))
