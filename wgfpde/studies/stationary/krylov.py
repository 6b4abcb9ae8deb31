"""GMRES without restarts, for operators that are the identity plus something smooth: a few dozen vectors suffice.

The Hessenberg matrix is made triangular by one Givens rotation a step, which also tells the residual.
Reference: Saad, Schultz (1986), DOI 10.1137/0907058.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...grid import Array

MAX_VECTORS = 80


def gmres(operator: Callable[[Array], Array], load: Array, tolerance: float) -> Array:
    """x with ‖operator(x) − load‖₂ ≤ tolerance ‖load‖₂, or the best of MAX_VECTORS Krylov vectors; shape of load.

    A singular operator is no error: the residual is the least in the Krylov space.
    """
    size = float(np.linalg.norm(load))
    count = min(MAX_VECTORS, load.size)
    if size == 0.0:
        return np.zeros(load.shape)
    basis = np.zeros((count + 1, load.size))
    basis[0] = load.ravel() / size
    triangle, turns = np.zeros((count, count)), np.zeros((count, 2))
    goal = np.zeros(count + 1)
    goal[0] = size
    used = 0
    for k in range(count):
        new = operator(basis[k].reshape(load.shape)).ravel()
        length = float(np.linalg.norm(new))
        column = np.zeros(k + 2)
        for _ in range(2):  # twice is enough for orthogonality to rounding
            parts = basis[: k + 1] @ new
            new = new - parts @ basis[: k + 1]
            column[:-1] += parts
        column[-1] = float(np.linalg.norm(new))
        last = column[-1] <= 1e-14 * length
        for j, (c, s) in enumerate(turns[:k]):
            column[j], column[j + 1] = c * column[j] + s * column[j + 1], c * column[j + 1] - s * column[j]
        radius = float(np.hypot(column[k], column[k + 1]))
        if radius <= 1e-14 * max(length, 1e-300):  # singular: this vector adds nothing
            break
        turns[k] = column[k] / radius, column[k + 1] / radius
        triangle[: k + 1, k] = column[:-1]
        triangle[k, k] = radius
        goal[k], goal[k + 1] = turns[k, 0] * goal[k], -turns[k, 1] * goal[k]
        used = k + 1
        if last or abs(goal[k + 1]) <= tolerance * size:
            break
        basis[k + 1] = new / float(np.linalg.norm(new))
    weights = np.linalg.solve(triangle[:used, :used], goal[:used]) if used else np.zeros(0)
    return (weights @ basis[:used]).reshape(load.shape)
