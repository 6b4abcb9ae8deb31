"""GMRES without restarts, for operators that are the identity plus something smooth: a few dozen vectors suffice.

Reference: Saad, Schultz (1986), DOI 10.1137/0907058.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..grid import Array

MAX_VECTORS = 80


def gmres(operator: Callable[[Array], Array], load: Array, tolerance: float) -> Array:
    """x with ‖operator(x) − load‖₂ ≤ tolerance ‖load‖₂, or the best of MAX_VECTORS Krylov vectors; shape of load.

    A singular operator is no error: the least residual is found in the Krylov space.
    """
    shape, size = load.shape, float(np.linalg.norm(load))
    if size == 0.0:
        return np.zeros(shape)
    basis = [load.ravel() / size]
    table = np.zeros((MAX_VECTORS + 1, MAX_VECTORS))
    weights = np.zeros(0)
    for k in range(min(MAX_VECTORS, load.size)):
        new = operator(basis[k].reshape(shape)).ravel()
        length = float(np.linalg.norm(new))
        for _ in range(2):  # twice is enough for orthogonality to rounding
            for j, old in enumerate(basis):
                part = float(np.sum(old * new))
                table[j, k] += part
                new = new - part * old
        table[k + 1, k] = float(np.linalg.norm(new))
        goal = np.zeros(k + 2)
        goal[0] = size
        weights = np.linalg.lstsq(table[: k + 2, : k + 1], goal, rcond=1e-14)[0]
        left = float(np.linalg.norm(table[: k + 2, : k + 1] @ weights - goal))
        if left <= tolerance * size or table[k + 1, k] <= 1e-14 * length:
            break
        basis.append(new / table[k + 1, k])
    found = np.zeros(load.size)
    for weight, vector in zip(weights, basis, strict=False):
        found += weight * vector
    return found.reshape(shape)
