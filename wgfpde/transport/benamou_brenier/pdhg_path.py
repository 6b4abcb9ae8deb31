"""A feasible path from momenta: mass exact, density non-negative, below the cap at the end.

From momenta m_k the path ρ_k = ρ_{k−1} − div m_k/N keeps the mass by telescoping.  It is made feasible step by step.

Noise first: where there is no density its momentum would cost any amount, so that on each face |m| is held below
twice Dθ⁺|∇φ|, its value at an optimum, with θ from the densities the momenta would lead to.  Then the limiter: a cell
passes on what it has and what it receives, down to half of the density it was to have.  Its neighbours may then
receive less, so this is repeated until nothing changes; after PASSES repetitions a cell that would still go negative
gives away at most what it held, which no inflow can break.  Under a cap, what does not fit into a cell at the last
step stays where it came from.  What that cannot mend is left to `pdhg_certificate`.

Fluxes are momenta times face area over N, changed in place; arrays are (ny, nx).  Preserves mass exactly, ρ ≥ 0
exactly.
"""

from __future__ import annotations

import numpy as np

from ...base.kernel_cache import njit
from .operators import along_x, along_y

EXCESS = 2.0
PASSES = 20
MARGIN = 1.0 - 4.0 * np.finfo(float).eps
LEAST = 1e-290
"""Mass, and density, below which a cell passes nothing on: near the smallest doubles MARGIN is less than a rounding."""


@njit(cache=True, nogil=True, error_model="numpy")
def march(rho, volume, ax, ay, flux_x, flux_y, end, rows):
    """end = ρ − div flux; rows (ny,): row sums of Σ flux²/(2g), g = ½ vol ½(ρ + end summed over both cells)/d²."""
    ny, nx = rho.shape
    for j in range(ny):
        below = j - 1 if j > 0 else ny - 1
        for i in range(nx):
            left = i - 1 if i > 0 else nx - 1
            net = (flux_x[j, i] - flux_x[j, left]) + (flux_y[j, i] - flux_y[below, i])
            end[j, i] = rho[j, i] - net / volume
    for j in range(ny):
        above = j + 1 if j < ny - 1 else 0
        total = 0.0
        for i in range(nx):
            right = i + 1 if i < nx - 1 else 0
            here = 0.25 * volume * (rho[j, i] + end[j, i])
            f = flux_x[j, i]
            if f != 0.0:
                g = here + 0.25 * volume * (rho[j, right] + end[j, right])
                total += 0.5 * f * (f / (g * along_x(ax, j, i) * along_x(ax, j, i)))
            f = flux_y[j, i]
            if f != 0.0:
                g = here + 0.25 * volume * (rho[above, i] + end[above, i])
                total += 0.5 * f * (f / (g * along_y(ay, j, i) * along_y(ay, j, i)))
        rows[j] = total


@njit(cache=True, nogil=True)
def keep_positive(rho, volume, ax, ay, phi, steps, flux_x, flux_y, wanted, factor):
    """Scale the outgoing fluxes of cells so that rho − div flux ≥ 0 (see the module).

    rho, phi, flux_x, flux_y, wanted, factor : (ny, nx); phi of this one of N steps; wanted is written: the density
    without the limiter.   factor is a work array.
    """
    ny, nx = rho.shape
    least = LEAST * max(volume, 1.0)
    for j in range(ny):
        below = j - 1 if j > 0 else ny - 1
        for i in range(nx):
            left = i - 1 if i > 0 else nx - 1
            net = (flux_x[j, i] - flux_x[j, left]) + (flux_y[j, i] - flux_y[below, i])
            wanted[j, i] = rho[j, i] - net / volume
            factor[j, i] = 1.0
    for j in range(ny):
        above = j + 1 if j < ny - 1 else 0
        for i in range(nx):
            right = i + 1 if i < nx - 1 else 0
            cx = 0.25 * EXCESS / steps * volume * along_x(ax, j, i) * along_x(ax, j, i)
            cy = 0.25 * EXCESS / steps * volume * along_y(ay, j, i) * along_y(ay, j, i)
            here = rho[j, i] + wanted[j, i]
            most = cx * max(here + rho[j, right] + wanted[j, right], 0.0) * abs(phi[j, right] - phi[j, i])
            flux_x[j, i] = min(max(flux_x[j, i], -most), most)
            most = cy * max(here + rho[above, i] + wanted[above, i], 0.0) * abs(phi[above, i] - phi[j, i])
            flux_y[j, i] = min(max(flux_y[j, i], -most), most)
    for sweep in range(PASSES + nx * ny + 1):
        limited = 0
        for row in range(ny):
            j = row if sweep % 2 == 0 else ny - 1 - row
            below, above = (j - 1 if j > 0 else ny - 1), (j + 1 if j < ny - 1 else 0)
            for column in range(nx):
                i = column if sweep % 4 < 2 else nx - 1 - column
                left, right = (i - 1 if i > 0 else nx - 1), (i + 1 if i < nx - 1 else 0)
                e, w, n, s = flux_x[j, i], flux_x[j, left], flux_y[j, i], flux_y[below, i]
                out = factor[j, i] * (max(e, 0.0) + max(-w, 0.0) + max(n, 0.0) + max(-s, 0.0))
                allowed = max(-e, 0.0) * factor[j, right] + max(w, 0.0) * factor[j, left]
                allowed += max(-n, 0.0) * factor[above, i] + max(s, 0.0) * factor[below, i]
                allowed += volume * rho[j, i]
                if sweep < PASSES:
                    allowed = max(allowed - 0.5 * volume * max(wanted[j, i], 0.0), 0.0)
                if out > 0.0 and allowed < least:
                    factor[j, i] = 0.0
                    limited += 1
                elif out > MARGIN * allowed:
                    if sweep >= PASSES:
                        allowed = min(allowed, volume * rho[j, i])
                    factor[j, i] *= MARGIN * MARGIN * allowed / out
                    limited += 1
        if limited == 0:
            break
    for j in range(ny):
        above = j + 1 if j < ny - 1 else 0
        for i in range(nx):
            right = i + 1 if i < nx - 1 else 0
            flux_x[j, i] *= factor[j, i] if flux_x[j, i] > 0.0 else factor[j, right]
            flux_y[j, i] *= factor[j, i] if flux_y[j, i] > 0.0 else factor[above, i]


@njit(cache=True, nogil=True)
def keep_below(rho, volume, cap, flux_x, flux_y):
    """Scale the incoming fluxes of cells so that rho − div flux ≤ cap, where that can be.

    What does not enter stays with its neighbour, so this is repeated, at most PASSES·(nx + ny) times.
    """
    ny, nx = rho.shape
    for sweep in range(PASSES * (nx + ny)):
        limited = 0
        for row in range(ny):
            j = row if sweep % 2 == 0 else ny - 1 - row
            below = j - 1 if j > 0 else ny - 1
            for column in range(nx):
                i = column if sweep % 4 < 2 else nx - 1 - column
                left = i - 1 if i > 0 else nx - 1
                e, w, n, s = flux_x[j, i], flux_x[j, left], flux_y[j, i], flux_y[below, i]
                inflow = max(-e, 0.0) + max(w, 0.0) + max(-n, 0.0) + max(s, 0.0)
                excess = rho[j, i] - ((e - w) + (n - s)) / volume - cap
                if excess > 0.0 and inflow > 0.0:
                    f = max(MARGIN - volume * excess / inflow, 0.0)
                    limited += 1
                    flux_x[j, i] = e if e > 0.0 else e * f
                    flux_x[j, left] = w if w < 0.0 else w * f
                    flux_y[j, i] = n if n > 0.0 else n * f
                    flux_y[below, i] = s if s < 0.0 else s * f
        if limited == 0:
            break
