"""Anderson mixing for the fixed point drive = G(drive).

Reference: Walker, Ni (2011), DOI 10.1137/10078356X.
"""

from __future__ import annotations

import numpy as np

from ..grid import Array

DEPTH = 3


class Anderson:
    """Mixes the last few iterates; falls back to plain iteration where the small system is ill conditioned."""

    def __init__(self, like: Array) -> None:
        self._shape = like.shape
        self._steps: list[Array] = []
        self._changes: list[Array] = []
        self._last: tuple[Array, Array] | None = None

    def mix(self, x: Array, image: Array) -> Array:
        """The next iterate after x, whose image is G(x).  Depth 3; order of convergence: superlinear in practice."""
        residual = (image - x).ravel()
        if self._last is not None:
            self._steps.append(image.ravel() - self._last[0])
            self._changes.append(residual - self._last[1])
            del self._steps[:-DEPTH], self._changes[:-DEPTH]
        self._last = (image.ravel().copy(), residual)
        if not self._changes:
            return image
        basis = np.stack(self._changes)
        gram = basis @ basis.T
        load = basis @ residual
        size = np.sqrt(np.diag(gram))
        if not np.all(size > 0):
            return image
        weights, *_ = np.linalg.lstsq(gram / np.outer(size, size), load / size, rcond=1e-12)
        step = (weights / size) @ np.stack(self._steps)
        return (image.ravel() - step).reshape(self._shape)
