"""What a step proves about itself: a feasible density, a lower bound, and the distance between the two.

From any dual potential φ and density ρ take m = θ(½(ρ⁰+ρ))∇φ, scale down what leaves a cell that would go negative,
and let ρ¹ = ρ⁰ − div m: mass is exact by telescoping, ρ¹ ≥ 0, and (ρ¹, m) is feasible.  Hence

    P = Σ w m²/(2θ(½(ρ⁰+ρ¹))) + τE(ρ¹)   ≥   min   ≥   D(φ) = −(τE)*(k(φ) − φ) − ⟨ρ⁰, φ + k(φ)⟩,

for every φ: P − D ≥ 0 bounds the distance of P to the minimum, whoever found φ.  (τE)* here carries no barrier.

The limiter.  A cell in need passes on what it has: its outgoing fluxes are scaled by (ρ⁰ + inflow)(1 − 4 eps)/outflow.
Its neighbours then receive less, so this is repeated; a cell still in need after PASSES of it may give away at most
(1 − 4 eps) ρ⁰, which keeps it non-negative whatever flows in.  Faces whose density came out far below what their flux
was made from would cost kinetic energy out of proportion: their flux is scaled with the density, and the limiter runs
again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...base.kernel_cache import njit
from ...grid import Array
from ...transport.benamou_brenier.operators import along_x, along_y

MARGIN = 1.0 - 4.0 * np.finfo(float).eps
PASSES = 12
THINNINGS = 8


@dataclass(frozen=True)
class Certificate:
    """A feasible end of the step and its proof.

    rho : (ny, nx) ρ¹.   flux_x, flux_y : (ny, nx) integrated momentum through each face, A m.
    primal, dual : P and D.   transport : the kinetic part of P, ½W₂².   scale : see `gap_scale`.
    gap : (P − D)/scale.   limited : faces that the limiter touched.
    """

    rho: Array
    flux_x: Array
    flux_y: Array
    primal: float
    dual: float
    transport: float
    scale: float
    gap: float
    limited: int

    def lifted(self, energy: float) -> Certificate:
        """The certificate where every density has so much more energy: the gap is the same."""
        return replace(self, primal=self.primal + energy, dual=self.dual + energy)


@njit(cache=True, nogil=True, error_model="numpy")
def momentum(first, last, phi, gx, gy, flux_x, flux_y):
    """flux = g (φ_j − φ_i) on every face."""
    ny, nx = phi.shape
    for j in range(first, last):
        above = (j + 1) % ny
        for i in range(nx):
            right = i + 1 if i < nx - 1 else 0
            flux_x[j, i] = gx[j, i] * (phi[j, right] - phi[j, i])
            flux_y[j, i] = gy[j, i] * (phi[above, i] - phi[j, i])


@njit(cache=True, nogil=True, error_model="numpy")
def limit(rho0, expected, volume, flux_x, flux_y, factor, passes, margin):
    """Scale outgoing fluxes until no cell would go negative; returns the number of cells in need in the first pass.

    expected : (ny, nx) the ρ that the fluxes were made from.   factor : (ny, nx) work array.
    A cell is in need when it would go negative or, in the first `passes` passes, when ρ⁰ + ρ¹ would be less than a
    quarter of ρ⁰ + expected: the kinetic energy of its faces would then be out of proportion.
    """
    ny, nx = rho0.shape
    first = 0
    for sweep in range(passes + ny * nx):
        needy = 0
        for j in range(ny):
            below = (j - 1) % ny
            for i in range(nx):
                left = i - 1 if i > 0 else nx - 1
                e, w, n, s = flux_x[j, i], flux_x[j, left], flux_y[j, i], flux_y[below, i]
                stock = volume[j, i] * rho0[j, i]
                factor[j, i] = 1.0
                out = max(e, 0.0) + max(-w, 0.0) + max(n, 0.0) + max(-s, 0.0)
                inflow = max(-e, 0.0) + max(w, 0.0) + max(-n, 0.0) + max(s, 0.0)
                end = rho0[j, i] - ((e - w) + (n - s)) / volume[j, i]
                short = sweep < passes and rho0[j, i] + end < 0.25 * (rho0[j, i] + expected[j, i])
                if end < 0.0 or stock + inflow < out or (short and out > 0.0):
                    floor = 0.25 * expected[j, i] - 0.75 * rho0[j, i]
                    keep = max(stock + inflow - volume[j, i] * max(floor, 0.0), 0.0) if sweep < passes else stock
                    if out > margin * keep:
                        needy += 1
                        factor[j, i] = margin * keep / out
        if sweep == 0:
            first = needy
        if needy == 0:
            break
        for j in range(ny):
            above = (j + 1) % ny
            for i in range(nx):
                right = i + 1 if i < nx - 1 else 0
                flux_x[j, i] *= factor[j, i] if flux_x[j, i] > 0.0 else factor[j, right]
                flux_y[j, i] *= factor[j, i] if flux_y[j, i] > 0.0 else factor[above, i]
    return first


@njit(cache=True, nogil=True, error_model="numpy")
def advance(first, last, rho0, volume, flux_x, flux_y, out):
    """out = ρ⁰ − div m; each flux leaves one cell and enters its neighbour with the same bits."""
    ny, nx = rho0.shape
    for j in range(first, last):
        below = (j - 1) % ny
        for i in range(nx):
            left = i - 1 if i > 0 else nx - 1
            net = (flux_x[j, i] - flux_x[j, left]) + (flux_y[j, i] - flux_y[below, i])
            out[j, i] = rho0[j, i] - net / volume[j, i]


@njit(cache=True, nogil=True, error_model="numpy")
def thin(first, last, flux_x, flux_y, gx, gy, rho0, rho, volume, ax, ay, rows):
    """Scale fluxes down with the density of their face where that came out below a quarter of what they were made from.

    gx, gy : conductances that the fluxes were made from.   rows (ny,) : number of faces touched.
    """
    ny, nx = rho.shape
    for j in range(first, last):
        above = (j + 1) % ny
        count = 0.0
        for i in range(nx):
            right = i + 1 if i < nx - 1 else 0
            here = 0.25 * volume[j, i] * (rho0[j, i] + rho[j, i])
            if flux_x[j, i] != 0.0:
                inverse = along_x(ax, j, i)
                g = (here + 0.25 * volume[j, right] * (rho0[j, right] + rho[j, right])) * inverse * inverse
                if g < 0.25 * gx[j, i]:
                    flux_x[j, i] *= g / gx[j, i]
                    count += 1.0
            if flux_y[j, i] != 0.0:
                inverse = along_y(ay, j, i)
                g = (here + 0.25 * volume[above, i] * (rho0[above, i] + rho[above, i])) * inverse * inverse
                if g < 0.25 * gy[j, i]:
                    flux_y[j, i] *= g / gy[j, i]
                    count += 1.0
        rows[j] = count


@njit(cache=True, nogil=True, error_model="numpy")
def kinetic(first, last, flux_x, flux_y, rho0, rho, volume, ax, ay, rows):
    """rows (ny,): Σ w m²/(2θ) = Σ flux²/(2g), g = ½(M_i + M_j)/d² at ½(ρ⁰+ρ); 0 where there is no flux."""
    ny, nx = rho.shape
    for j in range(first, last):
        above = (j + 1) % ny
        total = 0.0
        for i in range(nx):
            right = i + 1 if i < nx - 1 else 0
            here = 0.25 * volume[j, i] * (rho0[j, i] + rho[j, i])
            f = flux_x[j, i]
            if f != 0.0:
                g = here + 0.25 * volume[j, right] * (rho0[j, right] + rho[j, right])
                total += 0.5 * f * (f / (g * along_x(ax, j, i) * along_x(ax, j, i)))
            f = flux_y[j, i]
            if f != 0.0:
                g = here + 0.25 * volume[above, i] * (rho0[above, i] + rho[above, i])
                total += 0.5 * f * (f / (g * along_y(ay, j, i) * along_y(ay, j, i)))
        rows[j] = total
