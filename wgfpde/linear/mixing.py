"""Anderson mixing for the fixed point x = G(x).

Reference: Walker, Ni (2011), DOI 10.1137/10078356X.
"""

from __future__ import annotations

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


def _dot(a: Array, b: Array) -> float:
    """⟨a, b⟩ without BLAS, whose threads would fight with the sweeps' own."""
    return float(np.einsum("ij,ij->", a, b))
