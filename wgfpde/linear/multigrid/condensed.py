"""The condensed operator of a JKO Newton step, and conjugate gradients on it.

    A = GᵀCG + L,   (G p)_i = p_i − Σ_{σ∋i} b_σ δp_σ,   (L u)_i = Σ_{σ∋i} g_σ (u_i − u_other)

with δp_σ = p_upper − p_lower, C = diag(c) ≥ 0, g ≥ 0, b of both signs.  With y = C G p every face carries
F_σ = g_σ δp_σ − b_σ (y_lower + y_upper), and A p = y − F_upper + F_lower, summed over the axes: one pass over rows.
"""

from __future__ import annotations

from ...base.kernel_cache import njit

FLUX = 6
"""First of the rows of work that hold fluxes: along x, then two rows of fluxes along y."""


@njit(cache=True, nogil=True, forceinline=True, error_model="numpy", fastmath={"contract"})
def _advance_row(alpha, beta, z, p, u, j):
    """u += alpha p, then p = z + beta p."""
    for i in range(p.shape[1]):
        u[j, i] += alpha * p[j, i]
        p[j, i] = z[j, i] + beta * p[j, i]


@njit(cache=True, nogil=True, forceinline=True, error_model="numpy", fastmath={"contract"})
def _weigh_row(p, c, bx, by, plain, j, lower, upper, rows, y, d):
    """Row d of rows: differences δp along x; row y: C G p of grid row j.  Both are closed periodically."""
    n = p.shape[1]
    for i in range(n - 1):
        rows[d, i + 1] = p[j, i + 1] - p[j, i]
    rows[d, n] = p[j, 0] - p[j, n - 1]
    rows[d, 0] = rows[d, n]
    if plain:
        for i in range(n):
            rows[y, i] = c[j, i] * p[j, i]
    else:
        for i in range(n):
            rows[FLUX, i + 1] = bx[j, i] * rows[d, i + 1]
        rows[FLUX, 0] = rows[FLUX, n]
        for i in range(n):
            rise = by[lower, i] * (p[j, i] - p[lower, i]) + by[j, i] * (p[upper, i] - p[j, i])
            rows[y, i] = c[j, i] * (p[j, i] - (rows[FLUX, i] + rows[FLUX, i + 1] + rise))
    rows[y, n] = rows[y, 0]


@njit(cache=True, nogil=True, forceinline=True, error_model="numpy", fastmath={"contract"})
def _upper_flux(p, gy, by, plain, j, upper, rows, y, y_upper, out):
    """Row `out` of rows: F through the upper y faces of grid row j."""
    if plain:
        for i in range(p.shape[1]):
            rows[out, i] = gy[j, i] * (p[upper, i] - p[j, i])
    else:
        for i in range(p.shape[1]):
            rows[out, i] = gy[j, i] * (p[upper, i] - p[j, i]) - by[j, i] * (rows[y, i] + rows[y_upper, i])


@njit(cache=True, nogil=True, forceinline=True, error_model="numpy", fastmath={"contract", "reassoc"})
def _gather_row(p, gx, bx, plain, j, rows, y, d, below, above, q):
    """Grid row j of q = y − F_upper + F_lower.  Returns its part of ⟨p, q⟩."""
    n = p.shape[1]
    if plain:
        for i in range(n):
            rows[FLUX, i + 1] = gx[j, i] * rows[d, i + 1]
    else:
        for i in range(n):
            rows[FLUX, i + 1] = gx[j, i] * rows[d, i + 1] - bx[j, i] * (rows[y, i] + rows[y, i + 1])
    rows[FLUX, 0] = rows[FLUX, n]
    for i in range(n):
        q[j, i] = rows[y, i] + (rows[FLUX, i] - rows[FLUX, i + 1]) + (rows[below, i] - rows[above, i])
    total = 0.0
    for i in range(n):
        total += p[j, i] * q[j, i]
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def apply_rows(advance, alpha, beta, z, u, p, c, gx, gy, bx, by, plain, rows, q):
    """u += alpha p and p = z + beta p (if `advance`), q = A p.  Returns ⟨p, q⟩.

    rows : (9, nx+1) work: y and δp in rings of three rows each, then fluxes.
    """
    ny = p.shape[0]
    total = 0.0
    ready = 0
    if advance:
        for j in range(max(ny - 2, 0), ny):
            _advance_row(alpha, beta, z, p, u, j)
    for step in range(-2, ny):  # y of row step + 1, then q of row step; the rows −1 and ny close the grid
        if advance:
            while ready < ny - 2 and ready <= step + 2:
                _advance_row(alpha, beta, z, p, u, ready)
                ready += 1
        j, k = (step + 1) % ny, (step + 1) % 3
        _weigh_row(p, c, bx, by, plain, j, (j - 1) % ny, (j + 1) % ny, rows, k, 3 + k)
        if step >= -1:
            j, k, below, above = step % ny, step % 3, FLUX + 1 + (step - 1) % 2, FLUX + 1 + step % 2
            _upper_flux(p, gy, by, plain, j, (j + 1) % ny, rows, k, (k + 1) % 3, above)
            if step >= 0:
                total += _gather_row(p, gx, bx, plain, j, rows, k, 3 + k, below, above, q)
    return total


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc"})
def sum_of_moduli(f):
    """Σ|f|."""
    total = 0.0
    for j in range(f.shape[0]):
        for i in range(f.shape[1]):
            total += abs(f[j, i])
    return total
