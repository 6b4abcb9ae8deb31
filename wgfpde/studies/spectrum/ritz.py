"""From eigenvectors u of S to observables f, and their eigenvalues as Rayleigh quotients of differences.

An eigenvector in double precision is known to eps‖S‖/gap, absolutely, and f = u/√(vol π) to nothing where π is small.
`observables` keeps f where u or √(vol π) is above TRUSTED of its maximum, and solves −L f = λ f on the other cells with
these as boundary values.  That is well posed, an M-matrix: such cells are left at a rate above λ.

`rayleigh_ritz` then takes both quadratic forms from differences,

    λ = Σ w (f_i − f_j)²/Σ vol π f²,     f ⊥ 1,

in which an error δ of u counts as δ²‖S‖/λ: an exponentially small gap comes out to full precision although it lies
below eps‖S‖ (measured: 3.64e-9 beside ‖S‖ = 2.6e3 to 5e-15, relatively).  The small problem is scaled to a unit
diagonal and solved by Jacobi rotations (LAPACK's dgejsv, of its Cholesky factor), which keep every eigenvalue of such a
graded matrix to a few eps, relatively (measured: 2e-15, where `eigh` leaves nothing of the small ones).
References: Demmel, Veselić (1992), DOI 10.1137/0613074; Drmač, Veselić (2008), DOI 10.1137/050639193.
"""

from __future__ import annotations

import numpy as np

from ...errors import SolverError
from ...grid import Array
from .factor import Factor
from .generator import Generator

TRUSTED = 1e-5
"""Cells where u or √(vol π) is above this share of its maximum keep the f of the eigenvector: about 9 digits."""
DIRECT = 1000
"""Up to this many cells each continuation is factorised: also right where f spans more than its norm tells."""
ALIKE = 1e-6
"""Eigenvalues this near, relatively, have eigenvectors that are mixed."""
CONTINUED, FINEST, SMALL = 1e-8, 1e-14, 0.03
"""Relative residual of f on the other cells, at most and at least, and over √(λ/‖S‖): these cells hold at most TRUSTED²
of the mass, and what a residual r leaves in λ is r² TRUSTED² ‖S‖."""


def observables(generator: Generator, u: Array, values: Array, error: float = 2.0 * TRUSTED) -> Array:
    """f = u/√(vol π) of eigenvectors u (cells, m) with eigenvalues (m,), also where π is too small to divide by.

    error : of u, relative to its maximum.  A continuation that differs by more (other cells have an eigenvalue of their
    own near this one) is left, and f is u/√(vol π) there: right in L²(π), and cell by cell as far as u is.
    """
    root = generator.root
    faint = root <= TRUSTED * root.max()
    with np.errstate(all="ignore"):  # of noise, which is replaced; infinite where a mode lives at a π of 0
        f = np.where(u == 0.0, 0.0, u / root[:, None])
    if not np.any(faint) or not len(values):
        return f
    places = np.flatnonzero(faint)
    rows = generator.rows().tocsr()[faint]
    many = generator.cells > DIRECT
    inner = _factor(_less(rows[:, faint], 0.5 * values.max())) if many else None  # half way: near all the λ
    least = max(float(values.min()), 0.0) / (2.0 * float(generator.outgoing.max()))
    rtol = max(min(CONTINUED, SMALL * np.sqrt(least)), FINEST)  # of all: each mends what is wrong with the first
    small = np.abs(u[faint]) <= TRUSTED * np.abs(u).max(axis=0)
    for m, value in enumerate(values):
        alike = np.abs(values - value) <= ALIKE * value  # of these, rounding gives any mixture
        ours = np.all(small[:, alike], axis=1)  # not where such a mode is large all the same
        before = np.where(np.isfinite(f[places[ours], m]), f[places[ours], m], 0.0)  # rounding over a π of 0
        f[places[ours], m] = 0.0
        own = rows[ours]
        right = -(own @ f[:, m])
        size = float(np.abs(right).max(initial=0.0))  # its square may overflow
        after = np.zeros(len(right))
        if 0.0 < size < np.inf and np.all(np.isfinite(f[:, m])):
            after = size * _continued(_less(own[:, places[ours]], value), right / size, inner, ours, rtol)
        apart = np.abs(root[places[ours]] * after - u[places[ours], m])
        f[places[ours], m] = after if np.all(apart <= error * np.abs(u[:, m]).max()) else before
    return f


def _factor(matrix) -> Factor | None:
    """Its factors; None where it is singular."""
    try:
        return Factor(matrix)
    except SolverError:
        return None


def _less(matrix, value: float):
    """A − value I."""
    from scipy.sparse import eye_array

    return matrix - value * eye_array(matrix.shape[0])


def _continued(matrix, right: Array, inner: Factor | None, place: Array, rtol: float) -> Array:
    """Solve matrix f = right by GMRES.   inner : factor of nearly that on more cells.   place : which are ours.

    NaN where the matrix is singular.
    """
    from scipy.sparse.linalg import LinearOperator, gmres

    def nearly(x: Array) -> Array:
        assert inner is not None
        wide = np.zeros(len(place))
        wide[place] = x
        return np.asarray(inner.solve(wide)[place])

    size = len(right)
    if inner is not None:
        step = LinearOperator((size, size), matvec=lambda x: nearly(matrix @ x.ravel()), dtype=float)
        found, trouble = gmres(step, nearly(right), rtol=rtol, restart=60, maxiter=2)
        if not trouble:
            return np.asarray(found)
    direct = _factor(matrix)
    return np.full(size, np.nan) if direct is None else direct.solve(right)


def rayleigh_ritz(generator: Generator, f: Array) -> tuple[Array, Array]:
    """(values ascending, f) of the space spanned by f (cells, m) and orthogonal to constants.

    The new f are orthonormal in L²(π).
    """
    root = generator.root
    for _ in range(2):  # once leaves eps times the constant, which may be large
        f = f - (root**2) @ f
    f = f / np.linalg.norm(root[:, None] * f, axis=0)
    u, x = root[:, None] * f, generator.root_weight[:, None] * generator.differences(f)
    order = np.argsort(np.linalg.norm(x, axis=0))  # ascending: a small one is then not mixed with larger ones
    f, u, x = f[:, order], u[:, order], x[:, order]
    sizes = np.linalg.norm(x, axis=0)
    correct = np.linalg.inv(np.linalg.cholesky(u.T @ u))
    graded = correct @ (sizes[:, None] * ((x / sizes).T @ (x / sizes)) * sizes) @ correct.T
    values, rotation = graded_eigh(graded)
    f = f @ (correct.T @ rotation)
    return values, f / np.linalg.norm(root[:, None] * f, axis=0)


def graded_eigh(matrix: Array) -> tuple[Array, Array]:
    """(values ascending, vectors) of a positive definite matrix L Lᵀ, from the singular values of Lᵀ.

    Raises LinAlgError where it is none.
    """
    from scipy.linalg.lapack import dgejsv

    root = np.linalg.cholesky(matrix)
    if not np.all(np.isfinite(root)):
        raise np.linalg.LinAlgError("not finite")
    sizes, _, vectors, scale, *_ = dgejsv(root.T, joba=0, jobu=3, jobv=0, jobp=0)  # columns graded, V wanted
    return (sizes * scale[0] / scale[1])[::-1] ** 2, vectors[:, ::-1]
