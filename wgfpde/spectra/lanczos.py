"""Eigenvalues of rings and of 2D grids: shift-invert Lanczos on S, made accurate and counted.

    (S + σ)^{-1} on the complement of √(vol π),     σ = κ π²/Σ L²

The null vector is known and projected out, so that the largest eigenvalue of the inverse is 1/(λ_1 + σ) and an
exponentially small λ_1 does no harm.  What Lanczos finds to eps‖S‖ absolutely becomes accurate relatively in module
`ritz`.  None is missed: the pivots of S − x have as many negative signs as there are eigenvalues below x; with fewer
found, Lanczos goes on from a larger space.

Measured, 9 modes of double_well_2d on one core, everything included:
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..errors import SolverError
from ..grid import Array
from .factor import Factor, check_memory
from .generator import Generator
from .ritz import observables, rayleigh_ritz

GUARDS = 3
"""Eigenvalues found beyond those asked for: some gap among them is where they are counted."""
DENSE = 300
"""Up to this many cells all eigenvectors are computed."""

Tell = Callable[[str], None]


def lanczos(generator: Generator, k: int, tell: Tell) -> tuple[Array, Array]:
    """(values, f) of λ_1 … λ_k: (k,) ascending and (cells, k), orthonormal in L²(π).

    Raises CaseError where memory does not suffice, SolverError where Lanczos does not converge or misses some.
    """
    cells = generator.cells
    if cells <= DENSE:
        values, u = np.linalg.eigh(generator.symmetric().toarray())
        wanted = slice(1, k + 1)
        found = rayleigh_ritz(generator, observables(generator, _off_null(generator, u)[:, wanted], values[wanted]))
        return found
    check_memory(cells, generator.grid.dim, 3 * k + 20)
    values, u = _counted(generator, k, tell)
    tell("modes where the Gibbs state is small")
    values, f = rayleigh_ritz(generator, observables(generator, u, values))
    return values[:k], f[:, :k]


def _off_null(generator: Generator, u: Array) -> Array:
    root = generator.root
    return u - np.outer(root, root @ u)


def _counted(generator: Generator, k: int, tell: Tell) -> tuple[Array, Array]:
    """Eigenvalues and vectors u of S from λ_1, a few more than k, none missed below the k-th."""
    matrix = generator.symmetric()
    shift = generator.kappa * np.pi**2 / sum(axis.length**2 for axis in generator.grid.axes)
    tell(f"factors of {generator.cells} cells")
    factor = Factor(_shifted(matrix, shift))
    wanted = min(k + GUARDS, generator.cells - 2)
    basis = 2 * wanted + 10
    for _ in range(3):
        tell(f"Lanczos iteration for {wanted} modes")
        values, u = _iterate(generator, factor, shift, wanted, basis)
        tell("count of the eigenvalues")
        place = k - 1 + int(np.argmax(np.diff(values[k - 1 :]) / values[k:]))
        bound = 0.5 * (values[place] + values[place + 1])
        below = Factor(_shifted(matrix, -bound)).negative_pivots() - 1
        if below == place + 1:
            return values[: place + 1], u[:, : place + 1]
        wanted, basis = min(wanted + max(below - place, 2), generator.cells - 2), 2 * basis
    raise SolverError(
        f"Lanczos found {place + 1} eigenvalues below {bound:.6g}, and there are {below}; ask for more modes (--modes)"
    )


def _shifted(matrix, shift: float):  # type: ignore[no-untyped-def]
    from scipy.sparse import eye_array

    return matrix + shift * eye_array(matrix.shape[0], format="csc")


def _iterate(generator: Generator, factor: Factor, shift: float, wanted: int, basis: int) -> tuple[Array, Array]:
    from scipy.sparse.linalg import ArpackError, LinearOperator, eigsh

    root, cells = generator.root, generator.cells

    def inverse(x: Array) -> Array:
        y = x.ravel() - (root @ x.ravel()) * root
        y = factor.solve(y)
        return np.asarray(y - (root @ y) * root)

    start = np.random.default_rng(0).standard_normal(cells)  # the same each time
    operator = LinearOperator((cells, cells), matvec=inverse, dtype=float)
    try:
        found, u = eigsh(operator, wanted, which="LA", ncv=min(basis, cells - 1), v0=inverse(start))
    except ArpackError as error:
        raise SolverError(f"Lanczos did not converge ({error}); ask for fewer modes (--modes)") from error
    order = np.argsort(-found)
    return 1.0 / found[order] - shift, _off_null(generator, u[:, order])
