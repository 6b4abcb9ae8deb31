"""V-cycle kernels: red-black smoothing fused with the transfers, row by row.

One level holds the 5-point operator  (A u)_i = c_i u_i + Σ_σ g_σ (u_i − u_other)  with diagonal D_i = c_i + Σ_σ g_σ.
From a zero guess, red-black Gauss–Seidel gives u_red = f/D and u_black = (f + Σ g u_red)/D; the residual is then zero
on black cells and Σ g u_black on red ones.  Neither u_black nor u_red is needed again: the cycle comes back with a
coarse correction e, and the post-smoothing (black, then red, the adjoint order) reads u_red + e alone.  So a level is
two passes over memory, `descend` (smooth, residual, restrict) and `ascend` (prolong, smooth), each a wavefront over
rows that live in cache; the iterate between them is never stored.

Faces across a ring seam are left out of the smoother, whatever the parity of the axis, and put back in the
residual: with M = D − (lower part) this keeps M + Mᵀ − A ≥ 0, so the cycle stays symmetric positive definite.

Rows with D = 0 have 1/D := 0: they receive 0 and pass nothing on.

Arrays of one level, see `hierarchy.Level`: f, u, w = 1/D (ny, nx); gx (ny, nx+1) and gy (ny+1, nx) with zero borders.
"""

from __future__ import annotations

from ...base.kernel_cache import njit


@njit(cache=True, nogil=True, forceinline=True, error_model="numpy", fastmath={"contract"})
def _relax_row(f, w, gx, gy, parity, j, red, under, row, over, black):
    """Black row j: (f + Σ g red)/D on black cells, 0 on red ones; under, row, over: rows of the ring `red`."""
    colour = 1 - (j & 1)
    for i in range(f.shape[1]):
        x = gx[j, i] * red[row, i] + gx[j, i + 1] * red[row, i + 2]
        y = gy[j, i] * red[under, i + 1] + gy[j + 1, i] * red[over, i + 1]
        black[row, i + 1] = parity[colour, i] * w[j, i] * (f[j, i] + x + y)


@njit(cache=True, nogil=True, forceinline=True, error_model="numpy", fastmath={"contract"})
def _finish_row(f, w, gx, gy, parity, j, black, under, row, over, u):
    """Row j of u: black values kept, red cells relaxed."""
    colour = j & 1
    for i in range(f.shape[1]):
        x = gx[j, i] * black[row, i] + gx[j, i + 1] * black[row, i + 2]
        y = gy[j, i] * black[under, i + 1] + gy[j + 1, i] * black[over, i + 1]
        u[j, i] = black[row, i + 1] + parity[colour, i] * w[j, i] * (f[j, i] + x + y)


@njit(cache=True, nogil=True, forceinline=True, error_model="numpy", fastmath={"contract"})
def _add_inflow_row(gx, gy, j, black, under, row, over, total):
    """total += Σ g black for row j: the residual, which lives on red cells."""
    for i in range(total.shape[0]):
        x = gx[j, i] * black[row, i] + gx[j, i + 1] * black[row, i + 2]
        y = gy[j, i] * black[under, i + 1] + gy[j + 1, i] * black[over, i + 1]
        total[i] += x + y


@njit(cache=True, nogil=True, forceinline=True)
def _sum_row(fine, kind, parent, coarse, k):
    """Row k of coarse = Σ fine over the cells of each coarse cell (kind 2: regular pairs); fine is set to zero."""
    n = fine.shape[0]
    if kind == 2:
        half = n // 2
        for i in range(half):
            coarse[k, i] = fine[2 * i] + fine[2 * i + 1]
        if 2 * half < n:
            coarse[k, half] = fine[2 * half]
    else:
        for i in range(coarse.shape[1]):
            coarse[k, i] = 0.0
        for i in range(n):
            coarse[k, parent[i]] += fine[i]
    for i in range(n):
        fine[i] = 0.0


@njit(cache=True, nogil=True, forceinline=True)
def _spread_row(coarse, k, kind, parent, fine):
    """fine = row k of coarse, each value on all cells of its coarse cell."""
    n = fine.shape[0]
    if kind == 2:
        half = n // 2
        for i in range(half):
            fine[2 * i] = coarse[k, i]
            fine[2 * i + 1] = coarse[k, i]
        if 2 * half < n:
            fine[2 * half] = coarse[k, half]
    else:
        for i in range(n):
            fine[i] = coarse[k, parent[i]]


@njit(cache=True, nogil=True, forceinline=True, error_model="numpy", fastmath={"contract", "reassoc"})
def _dot_row(a, b, j):
    total = 0.0
    for i in range(a.shape[1]):
        total += a[j, i] * b[j, i]
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def _add_seam(j, w, parity, seam, edges, out, k, shift):
    """Add the inflow g u/D through the ring seams, from the values before smoothing, to row k of out."""
    ny, nx = w.shape
    if seam[j] > 0.0:
        out[k, shift] += parity[0] * w[j, 0] * (seam[j] * edges[1, j])
        out[k, shift + nx - 1] += parity[nx - 1] * w[j, nx - 1] * (seam[j] * edges[0, j])
    for side in range(2):
        if j == side * (ny - 1) and ny > 1:
            for i in range(nx):
                out[k, shift + i] += parity[i] * w[j, i] * (seam[ny + i] * edges[1 - side, ny + i])


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def descend(f, alpha, q, w, gx, gy, seam, edges, parity, red, black, total, kind, parents, coarse):
    """f −= alpha q (if alpha ≠ 0), then smooth from zero and restrict the residual into `coarse`.

    red, black : (4, nx+2) rings of rows; the last row and the borders are zero.   total : (nx,) zeros.
    edges : (2, ny+nx) out: the smoothed values along the lower and upper ends of each row, then of each column.
    """
    ny, nx = f.shape
    for step in range(ny + 2):
        j = step
        if j < ny:
            row, colour = j % 3, j & 1
            if alpha != 0.0:
                for i in range(nx):
                    f[j, i] -= alpha * q[j, i]
            for i in range(nx):
                red[row, i + 1] = parity[colour, i] * w[j, i] * f[j, i]
        j = step - 1
        if 0 <= j < ny:
            row = j % 3
            under, over = ((j + 2) % 3 if j > 0 else 3), ((j + 1) % 3 if j < ny - 1 else 3)
            _relax_row(f, w, gx, gy, parity, j, red, under, row, over, black)
            edges[0, j] = red[row, 1] + black[row, 1]
            edges[1, j] = red[row, nx] + black[row, nx]
            for side in range(2):
                if j == side * (ny - 1):
                    for i in range(nx):
                        edges[side, ny + i] = red[row, i + 1] + black[row, i + 1]
        j = step - 2
        if j >= 0:
            under, over = ((j + 2) % 3 if j > 0 else 3), ((j + 1) % 3 if j < ny - 1 else 3)
            _add_inflow_row(gx, gy, j, black, under, j % 3, over, total)
            if j == ny - 1 or parents[j + 1] != parents[j]:
                _sum_row(total, kind, parents[ny:], coarse, parents[j])
    my, mx = coarse.shape
    for j in range(ny):
        coarse[parents[j], 0] += seam[j] * edges[1, j]
        coarse[parents[j], mx - 1] += seam[j] * edges[0, j]
    for i in range(ny, ny + nx):
        coarse[0, parents[i]] += seam[i] * edges[1, i]
        coarse[my - 1, parents[i]] += seam[i] * edges[0, i]


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def ascend(f, w, gx, gy, seam, edges, parity, red, black, spread, kind, parents, coarse, finest, u):
    """Prolong `coarse` onto the red cells, smooth black then red into u.  Returns ⟨f, u⟩ if finest, else 0."""
    ny, nx = f.shape
    my, mx = coarse.shape
    total = 0.0
    for side in range(2):
        for j in range(ny):
            edges[side, j] += coarse[parents[j], side * (mx - 1)]
        for i in range(ny, ny + nx):
            edges[side, i] += coarse[side * (my - 1), parents[i]]
    for step in range(ny + 2):
        j = step
        if j < ny:
            row, colour = j % 3, j & 1
            if j == 0 or parents[j] != parents[j - 1]:
                _spread_row(coarse, parents[j], kind, parents[ny:], spread)
            for i in range(nx):
                red[row, i + 1] = parity[colour, i] * (w[j, i] * f[j, i] + spread[i])
        j = step - 1
        if 0 <= j < ny:
            row = j % 3
            under, over = ((j + 2) % 3 if j > 0 else 3), ((j + 1) % 3 if j < ny - 1 else 3)
            _relax_row(f, w, gx, gy, parity, j, red, under, row, over, black)
            _add_seam(j, w, parity[1 - (j & 1)], seam, edges, black, row, 1)
        j = step - 2
        if j >= 0:
            under, over = ((j + 2) % 3 if j > 0 else 3), ((j + 1) % 3 if j < ny - 1 else 3)
            _finish_row(f, w, gx, gy, parity, j, black, under, j % 3, over, u)
            _add_seam(j, w, parity[j & 1], seam, edges, u, j, 0)
            if finest:
                total += _dot_row(f, u, j)
    return total
