"""Kernels of the exact step in the plane: densities carried by T = y − ∇φ, back and forth, and grids of half the size.

    R = ρ − ρ⁰(T) det(I − D²φ)      the Monge–Ampère residual, local, at the end points y of the step

ρ⁰(T) is interpolated by cubics of its cell averages, and counts as 0 outside the box and where I − D²φ is not positive.
At the walls ∂φ/∂n = 0.   All arrays (ny, nx).
"""

from __future__ import annotations

import numpy as np

from ....base.kernel_cache import njit
from ....grid import Array

STEEP = 4.0
"""Change of ln ρ⁰ from a cell to the next from which it is no smooth function of the cells."""
SOFTEST, STIFFEST = 0.02, 50.0
"""Bounds on 1 − φ_xx in the operator: cells where mass is compressed or stretched by more are taken for these."""


@njit(cache=True, nogil=True, error_model="numpy")
def monge_ampere(phi, source, logs, rho, hx, hy, out, rows):
    """out = R;  rows (3, ny): per row Σ|R| and ΣR where ρ > 0, and Σ ½|∇φ|² ρ, all times hx hy."""
    ny, nx = phi.shape
    for j in range(ny):
        jm, jp = max(j - 1, 0), min(j + 1, ny - 1)
        total = missing = cost = 0.0
        for i in range(nx):
            im, ip = max(i - 1, 0), min(i + 1, nx - 1)
            p = phi[j, i]
            gx, gy = 0.5 * (phi[j, ip] - phi[j, im]) / hx, 0.5 * (phi[jp, i] - phi[jm, i]) / hy
            xx = 1.0 - ((phi[j, ip] - p) + (phi[j, im] - p)) / (hx * hx)
            yy = 1.0 - ((phi[jp, i] - p) + (phi[jm, i] - p)) / (hy * hy)
            xy = 0.25 * ((phi[jp, ip] - phi[jp, im]) - (phi[jm, ip] - phi[jm, im])) / (hx * hy)
            carried = 0.0
            x, y, det = i - gx / hx, j - gy / hy, xx * yy - xy * xy
            if -0.5 <= x <= nx - 0.5 and -0.5 <= y <= ny - 0.5 and xx > 0.0 and det > 0.0:
                value = _between(source, min(max(x, 0.0), nx - 1.0), min(max(y, 0.0), ny - 1.0), logs)
                carried = det * (np.exp(value) if logs else max(value, 0.0))
            out[j, i] = rho[j, i] - carried
            if rho[j, i] > 0.0:
                total += abs(out[j, i])
                missing += out[j, i]
            cost += 0.5 * (gx * gx + gy * gy) * rho[j, i]
        rows[0, j], rows[1, j], rows[2, j] = total * hx * hy, missing * hx * hy, cost * hx * hy


@njit(cache=True, nogil=True, error_model="numpy")
def _between(values, x, y, careful):
    """The value at (x, y), in cells, by cubics through 4 × 4 cells.

    careful : where the four cells around differ by more than STEEP, by lines, which do not overshoot.
    """
    ny, nx = values.shape
    if careful:
        i, j = min(int(x), nx - 2), min(int(y), ny - 2)
        v00, v01, v10, v11 = values[j, i], values[j, i + 1], values[j + 1, i], values[j + 1, i + 1]
        if max(max(v00, v01), max(v10, v11)) - min(min(v00, v01), min(v10, v11)) > STEEP:
            a, b = x - i, y - j
            return (1.0 - b) * ((1.0 - a) * v00 + a * v01) + b * ((1.0 - a) * v10 + a * v11)
    i, j = min(max(int(x), 1), nx - 3), min(max(int(y), 1), ny - 3)
    a, b = x - i, y - j
    w0, w1 = -a * (a - 1.0) * (a - 2.0) / 6.0, (a + 1.0) * (a - 1.0) * (a - 2.0) / 2.0
    w2, w3 = -(a + 1.0) * a * (a - 2.0) / 2.0, (a + 1.0) * a * (a - 1.0) / 6.0
    v0, v1 = -b * (b - 1.0) * (b - 2.0) / 6.0, (b + 1.0) * (b - 1.0) * (b - 2.0) / 2.0
    v2, v3 = -(b + 1.0) * b * (b - 2.0) / 2.0, (b + 1.0) * b * (b - 1.0) / 6.0
    r0 = w0 * values[j - 1, i - 1] + w1 * values[j - 1, i] + w2 * values[j - 1, i + 1] + w3 * values[j - 1, i + 2]
    r1 = w0 * values[j, i - 1] + w1 * values[j, i] + w2 * values[j, i + 1] + w3 * values[j, i + 2]
    r2 = w0 * values[j + 1, i - 1] + w1 * values[j + 1, i] + w2 * values[j + 1, i + 1] + w3 * values[j + 1, i + 2]
    r3 = w0 * values[j + 2, i - 1] + w1 * values[j + 2, i] + w2 * values[j + 2, i + 1] + w3 * values[j + 2, i + 2]
    return v0 * r0 + v1 * r1 + v2 * r2 + v3 * r3


@njit(cache=True, nogil=True, error_model="numpy")
def conductances(phi, theta, hx, hy, gx, gy):
    """gx, gy = those of −div(θ (I − D²φ)⁻¹ ∇), its diagonal part: between a cell and its right, its upper neighbour."""
    ny, nx = phi.shape
    for j in range(ny):
        for i in range(nx):
            gx[j, i] = gy[j, i] = 0.0
            if i + 1 < nx:
                a, b = theta[j, i] / _x_bend(phi, j, i, hx), theta[j, i + 1] / _x_bend(phi, j, i + 1, hx)
                gx[j, i] = 0.5 * (a + b) * hy / hx
            if j + 1 < ny:
                a, b = theta[j, i] / _y_bend(phi, j, i, hy), theta[j + 1, i] / _y_bend(phi, j + 1, i, hy)
                gy[j, i] = 0.5 * (a + b) * hx / hy


@njit(cache=True, nogil=True)
def _x_bend(phi, j, i, h):
    left, right = phi[j, max(i - 1, 0)], phi[j, min(i + 1, phi.shape[1] - 1)]
    return min(max(1.0 - (left - 2.0 * phi[j, i] + right) / (h * h), SOFTEST), STIFFEST)


@njit(cache=True, nogil=True)
def _y_bend(phi, j, i, h):
    below, above = phi[max(j - 1, 0), i], phi[min(j + 1, phi.shape[0] - 1), i]
    return min(max(1.0 - (below - 2.0 * phi[j, i] + above) / (h * h), SOFTEST), STIFFEST)


@njit(cache=True, nogil=True, error_model="numpy")
def push(psi, rho0, hx, hy, out):
    """out = T_#ρ⁰ with T = x − ∇ψ: each cell in as many parts as it is stretched by, each part on four cells."""
    ny, nx = psi.shape
    out[:] = 0.0
    for j in range(ny):
        jm, jp = max(j - 1, 0), min(j + 1, ny - 1)
        for i in range(nx):
            if rho0[j, i] <= 0.0:
                continue
            im, ip = max(i - 1, 0), min(i + 1, nx - 1)
            east, west = (psi[j, ip] - psi[j, i]) / (hx * hx), (psi[j, i] - psi[j, im]) / (hx * hx)
            north, south = (psi[jp, i] - psi[j, i]) / (hy * hy), (psi[j, i] - psi[jm, i]) / (hy * hy)
            kx = int(min(max(np.ceil(abs(1.0 - (east - west))), 1.0), nx))
            ky = int(min(max(np.ceil(abs(1.0 - (north - south))), 1.0), ny))
            share = rho0[j, i] / (kx * ky)
            for b in range(ky):
                t = (b + 0.5) / ky
                y = min(max(j + t - 0.5 - (south + (north - south) * t), 0.0), ny - 1.0)
                jj = min(int(y), ny - 2)
                v = y - jj
                for a in range(kx):
                    t = (a + 0.5) / kx
                    x = min(max(i + t - 0.5 - (west + (east - west) * t), 0.0), nx - 1.0)
                    ii = min(int(x), nx - 2)
                    u = x - ii
                    out[jj, ii] += share * (1.0 - u) * (1.0 - v)
                    out[jj, ii + 1] += share * u * (1.0 - v)
                    out[jj + 1, ii] += share * (1.0 - u) * v
                    out[jj + 1, ii + 1] += share * u * v


def uncertainty(values: Array) -> float:
    """Σ of what interpolation half-way between cells may miss, over Σ values: 3/128 |fourth differences|, both axes."""
    ny, nx = values.shape
    padded = np.pad(values, 2, mode="symmetric")
    x, y = padded[2:-2], padded[:, 2:-2]
    along = sum(w * x[:, k : k + nx] for k, w in enumerate(FOURTH))
    across = sum(w * y[k : k + ny] for k, w in enumerate(FOURTH))
    return float(3 / 128 * (np.abs(along).sum() + np.abs(across).sum()) / values.sum())


FOURTH = (1.0, -4.0, 6.0, -4.0, 1.0)


def coarser(values: Array) -> Array:
    """Averages of two by two cells."""
    ny, nx = values.shape
    return np.ascontiguousarray(values.reshape(ny // 2, 2, nx // 2, 2).mean(axis=(1, 3)))


QUARTER = np.array([-7.0, 105.0, 35.0, -5.0]) / 128
"""Weights at −1, 0, 1, 2 of the cubic's value at +¼."""


def finer(values: Array) -> Array:
    """Cubic interpolation to the cells of half the size; odd about the outermost values beyond the ends."""
    padded = np.pad(values, 2, mode="reflect", reflect_type="odd")
    return np.ascontiguousarray(_doubled(np.ascontiguousarray(_doubled(padded).T)).T)


def _doubled(padded: Array) -> Array:
    n = padded.shape[-1] - 4
    near = [padded[..., k : k + n] for k in range(5)]
    out = np.empty((padded.shape[0], 2 * n))
    out[:, 0::2] = sum(w * near[3 - k] for k, w in enumerate(QUARTER))
    out[:, 1::2] = sum(w * near[1 + k] for k, w in enumerate(QUARTER))
    return out


def smoother(values: Array) -> Array:
    """Averages with the weights ¼, ½, ¼ along both axes, walls reflecting."""
    padded = np.pad(values, 1, mode="edge")
    along = 0.25 * padded[:, :-2] + 0.5 * padded[:, 1:-1] + 0.25 * padded[:, 2:]
    return np.asarray(0.25 * along[:-2] + 0.5 * along[1:-1] + 0.25 * along[2:])
