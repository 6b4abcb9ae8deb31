"""Kernels of the exact step in the plane: densities carried by T = y − ∇φ, back and forth.

    R = ρ − ρ⁰(T) det(I − D²φ)      the Monge–Ampère residual, local, at the end points y of the step

ρ⁰(T) is interpolated by cubics of its cell averages, and counts as 0 outside the box and where I − D²φ is not positive.
At the walls ∂φ/∂n = 0; an axis that is a ring has none, and φ goes round it.   All arrays (ny, nx); ring_x, ring_y :
whether the axes are rings.
"""

from __future__ import annotations

import numpy as np

from ....base.kernel_cache import njit

STEEP = 4.0
"""Change of ln ρ⁰ from a cell to the next from which it is no smooth function of the cells."""
SOFTEST, STIFFEST = 0.02, 50.0
"""Bounds on 1 − φ_xx in the operator: cells where mass is compressed or stretched by more are taken for these."""


@njit(cache=True, nogil=True)
def _lower(i, n, ring):
    """The cell before i: the last one beside the first of a ring, at a wall the cell itself."""
    return i - 1 if i > 0 else (n - 1 if ring else 0)


@njit(cache=True, nogil=True)
def _upper(i, n, ring):
    return i + 1 if i < n - 1 else (0 if ring else n - 1)


@njit(cache=True, nogil=True, error_model="numpy")
def _turned(x, n):
    """A place on a ring of n cells, in [0, n)."""
    x -= n * np.floor(x / n)
    return x if x < n else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def monge_ampere(phi, source, logs, rho, hx, hy, ring_x, ring_y, out, rows):
    """out = R;  rows (3, ny): per row Σ|R| and ΣR where ρ > 0, and Σ ½|∇φ|² ρ, all times hx hy."""
    ny, nx = phi.shape
    for j in range(ny):
        jm, jp = _lower(j, ny, ring_y), _upper(j, ny, ring_y)
        total = missing = cost = 0.0
        for i in range(nx):
            im, ip = _lower(i, nx, ring_x), _upper(i, nx, ring_x)
            p = phi[j, i]
            gx, gy = 0.5 * (phi[j, ip] - phi[j, im]) / hx, 0.5 * (phi[jp, i] - phi[jm, i]) / hy
            xx = 1.0 - ((phi[j, ip] - p) + (phi[j, im] - p)) / (hx * hx)
            yy = 1.0 - ((phi[jp, i] - p) + (phi[jm, i] - p)) / (hy * hy)
            xy = 0.25 * ((phi[jp, ip] - phi[jp, im]) - (phi[jm, ip] - phi[jm, im])) / (hx * hy)
            carried = 0.0
            x, y, det = i - gx / hx, j - gy / hy, xx * yy - xy * xy
            inside = (ring_x or -0.5 <= x <= nx - 0.5) and (ring_y or -0.5 <= y <= ny - 0.5)
            if inside and xx > 0.0 and det > 0.0:
                x = _turned(x, nx) if ring_x else min(max(x, 0.0), nx - 1.0)
                y = _turned(y, ny) if ring_y else min(max(y, 0.0), ny - 1.0)
                value = _between(source, x, y, logs, ring_x, ring_y)
                carried = det * (np.exp(value) if logs else max(value, 0.0))
            out[j, i] = rho[j, i] - carried
            if rho[j, i] > 0.0:
                total += abs(out[j, i])
                missing += out[j, i]
            cost += 0.5 * (gx * gx + gy * gy) * rho[j, i]
        rows[0, j], rows[1, j], rows[2, j] = total * hx * hy, missing * hx * hy, cost * hx * hy


@njit(cache=True, nogil=True, error_model="numpy")
def _between(values, x, y, careful, ring_x, ring_y):
    """The value at (x, y), in cells, by cubics through 4 × 4 cells.

    careful : where the four cells around differ by more than STEEP, by lines, which do not overshoot.
    """
    ny, nx = values.shape
    if careful:
        i, j = int(x) if ring_x else min(int(x), nx - 2), int(y) if ring_y else min(int(y), ny - 2)
        ip, jp = _upper(i, nx, ring_x), _upper(j, ny, ring_y)
        v00, v01, v10, v11 = values[j, i], values[j, ip], values[jp, i], values[jp, ip]
        if max(max(v00, v01), max(v10, v11)) - min(min(v00, v01), min(v10, v11)) > STEEP:
            a, b = x - i, y - j
            return (1.0 - b) * ((1.0 - a) * v00 + a * v01) + b * ((1.0 - a) * v10 + a * v11)
    i = int(x) if ring_x else min(max(int(x), 1), nx - 3)
    j = int(y) if ring_y else min(max(int(y), 1), ny - 3)
    a, b = x - i, y - j
    w0, w1 = -a * (a - 1.0) * (a - 2.0) / 6.0, (a + 1.0) * (a - 1.0) * (a - 2.0) / 2.0
    w2, w3 = -(a + 1.0) * a * (a - 2.0) / 2.0, (a + 1.0) * a * (a - 1.0) / 6.0
    v0, v1 = -b * (b - 1.0) * (b - 2.0) / 6.0, (b + 1.0) * (b - 1.0) * (b - 2.0) / 2.0
    v2, v3 = -(b + 1.0) * b * (b - 2.0) / 2.0, (b + 1.0) * b * (b - 1.0) / 6.0
    i0, i2, j0, j2 = _lower(i, nx, ring_x), _upper(i, nx, ring_x), _lower(j, ny, ring_y), _upper(j, ny, ring_y)
    i3, j3 = _upper(i2, nx, ring_x), _upper(j2, ny, ring_y)
    r0 = w0 * values[j0, i0] + w1 * values[j0, i] + w2 * values[j0, i2] + w3 * values[j0, i3]
    r1 = w0 * values[j, i0] + w1 * values[j, i] + w2 * values[j, i2] + w3 * values[j, i3]
    r2 = w0 * values[j2, i0] + w1 * values[j2, i] + w2 * values[j2, i2] + w3 * values[j2, i3]
    r3 = w0 * values[j3, i0] + w1 * values[j3, i] + w2 * values[j3, i2] + w3 * values[j3, i3]
    return v0 * r0 + v1 * r1 + v2 * r2 + v3 * r3


@njit(cache=True, nogil=True, error_model="numpy")
def conductances(phi, theta, hx, hy, ring_x, ring_y, gx, gy):
    """gx, gy = those of −div(θ (I − D²φ)⁻¹ ∇), its diagonal part: between a cell and its right, its upper neighbour."""
    ny, nx = phi.shape
    for j in range(ny):
        for i in range(nx):
            gx[j, i] = gy[j, i] = 0.0
            if i + 1 < nx or ring_x:
                ip = _upper(i, nx, ring_x)
                a, b = theta[j, i] / _x_bend(phi, j, i, hx, ring_x), theta[j, ip] / _x_bend(phi, j, ip, hx, ring_x)
                gx[j, i] = 0.5 * (a + b) * hy / hx
            if j + 1 < ny or ring_y:
                jp = _upper(j, ny, ring_y)
                a, b = theta[j, i] / _y_bend(phi, j, i, hy, ring_y), theta[jp, i] / _y_bend(phi, jp, i, hy, ring_y)
                gy[j, i] = 0.5 * (a + b) * hx / hy


@njit(cache=True, nogil=True)
def _x_bend(phi, j, i, h, ring):
    left, right = phi[j, _lower(i, phi.shape[1], ring)], phi[j, _upper(i, phi.shape[1], ring)]
    return min(max(1.0 - (left - 2.0 * phi[j, i] + right) / (h * h), SOFTEST), STIFFEST)


@njit(cache=True, nogil=True)
def _y_bend(phi, j, i, h, ring):
    below, above = phi[_lower(j, phi.shape[0], ring), i], phi[_upper(j, phi.shape[0], ring), i]
    return min(max(1.0 - (below - 2.0 * phi[j, i] + above) / (h * h), SOFTEST), STIFFEST)


@njit(cache=True, nogil=True, error_model="numpy")
def push(psi, rho0, hx, hy, ring_x, ring_y, out):
    """out = T_#ρ⁰ with T = x − ∇ψ: each cell in as many parts as it is stretched by, each part on four cells."""
    ny, nx = psi.shape
    out[:] = 0.0
    for j in range(ny):
        jm, jp = _lower(j, ny, ring_y), _upper(j, ny, ring_y)
        for i in range(nx):
            if rho0[j, i] <= 0.0:
                continue
            im, ip = _lower(i, nx, ring_x), _upper(i, nx, ring_x)
            east, west = (psi[j, ip] - psi[j, i]) / (hx * hx), (psi[j, i] - psi[j, im]) / (hx * hx)
            north, south = (psi[jp, i] - psi[j, i]) / (hy * hy), (psi[j, i] - psi[jm, i]) / (hy * hy)
            kx = int(min(max(np.ceil(abs(1.0 - (east - west))), 1.0), nx))
            ky = int(min(max(np.ceil(abs(1.0 - (north - south))), 1.0), ny))
            share = rho0[j, i] / (kx * ky)
            for b in range(ky):
                t = (b + 0.5) / ky
                y = j + t - 0.5 - (south + (north - south) * t)
                y = _turned(y, ny) if ring_y else min(max(y, 0.0), ny - 1.0)
                jj = int(y) if ring_y else min(int(y), ny - 2)
                v, above = y - jj, _upper(jj, ny, ring_y)
                for a in range(kx):
                    t = (a + 0.5) / kx
                    x = i + t - 0.5 - (west + (east - west) * t)
                    x = _turned(x, nx) if ring_x else min(max(x, 0.0), nx - 1.0)
                    ii = int(x) if ring_x else min(int(x), nx - 2)
                    u, right = x - ii, _upper(ii, nx, ring_x)
                    out[jj, ii] += share * (1.0 - u) * (1.0 - v)
                    out[jj, right] += share * u * (1.0 - v)
                    out[above, ii] += share * (1.0 - u) * v
                    out[above, right] += share * u * v
