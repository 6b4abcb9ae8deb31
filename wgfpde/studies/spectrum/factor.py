"""Sparse triangular factors of S + σ and of parts of −L, with the memory they take.

Both have positive diagonals that dominate their rows or columns, so that no pivoting is needed and a symmetric ordering
(minimum degree on A + Aᵀ) keeps the fill small.  Measured on square 2D grids (one core): entries of both factors
12 log2(side) − 44 per cell:

    cells       128²     256²     512²    1024²
    factor     0.05 s   0.28 s   1.7 s     12 s
    solve       1 ms     8 ms    36 ms   170 ms
    memory     10 MB    80 MB   400 MB   1.3 GB

Nested dissection took a quarter less time at 512² and a third more memory.  SuperLU keeps the interpreter to itself, so
that threads gain nothing.
"""

from __future__ import annotations

import numpy as np

from ...base.amounts import memory_lacking
from ...errors import CaseError, SolverError
from ...grid import Array

ENTRY_BYTES = 26
"""For each entry of a factor: 12 bytes hold one, and two factors are there while eigenvalues are counted."""


class Factor:
    """A factorised sparse matrix (CSC, n × n).  Raises SolverError where it is singular."""

    def __init__(self, matrix) -> None:
        from scipy.sparse.linalg import splu

        options = {"SymmetricMode": True}
        try:
            self._lu = splu(matrix.tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options=options)
        except RuntimeError as error:
            raise SolverError(
                "a factor of the generator is singular in double precision: its rates lie too far apart. Raise kappa, "
                "lower V, or ask for other modes (--modes)"
            ) from error

    def solve(self, b: Array) -> Array:
        """A^{-1} b for b (n,) or (n, m)."""
        return np.asarray(self._lu.solve(np.ascontiguousarray(b) if b.ndim == 1 else np.asfortranarray(b)))

    def negative_pivots(self) -> int:
        """How many pivots are negative: of a symmetric matrix the number of its negative eigenvalues (Sylvester).

        Raises SolverError where the factors are those of no P A Pᵀ: rows leave their order where a pivot is zero.
        """
        if not np.array_equal(self._lu.perm_r, self._lu.perm_c):
            raise SolverError(
                "eigenvalues cannot be counted here: a pivot is zero. Ask for one mode more, or for one less (--modes)"
            )
        return int(np.count_nonzero(self._lu.U.diagonal() < 0.0))


def memory_needed(cells: int, dim: int, vectors: int) -> int:
    """Bytes that factors and vectors take, roughly."""
    entries = 12.0 if dim == 1 else max(12.0 * np.log2(cells) / 2 - 44.0, 20.0)
    return int(cells * (ENTRY_BYTES * entries + 8 * (6 * vectors + 60)))


def check_memory(cells: int, dim: int, vectors: int) -> None:
    """Raise CaseError where the memory of this machine does not suffice."""
    if lacking := memory_lacking(memory_needed(cells, dim, vectors)):
        raise CaseError(
            f"the spectrum of {cells} cells needs {lacking}; "
            "use fewer cells (--set grid.shape=…) or fewer modes (--modes)"
        )
