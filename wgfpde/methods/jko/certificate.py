"""What a step proves about itself: a feasible density, a lower bound, and the distance between the two.

From any dual potential φ and density ρ take m = θ(½(ρ⁰+ρ))∇φ, scale down what leaves a cell that would go negative,
and let ρ¹ = ρ⁰ − div m: mass is exact by telescoping, ρ¹ ≥ 0, and (ρ¹, m) is feasible.  Hence

    P = Σ w m²/(2θ(½(ρ⁰+ρ¹))) + τE(ρ¹)   ≥   min   ≥   D(φ) = −(τE)*(k(φ) − φ) − ⟨ρ⁰, φ + k(φ)⟩,

for every φ: P − D ≥ 0 bounds the distance of P to the minimum, whoever found φ.  (τE)* here carries no barrier.

The limiter.  A cell in need passes on what it has: its outgoing fluxes are scaled by (ρ⁰ + inflow)(1 − 8 eps)/outflow.
These fluxes run up φ, so that no way along them closes, and cells taken one after another, each after those that it
receives from, are each limited once: `limit_downstream`.  Where only a cell's own stock were passed on, or the passes
were few, the mass on its way through many cells of a tail would arrive in none of them.

Faces whose density came out far below what their flux was made from would cost kinetic energy out of proportion: their
flux is scaled with the density, and the limiter runs again.  Fluxes of any other origin may run in circles: `limit`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...base.kernel_cache import njit
from ...grid import Array
from ...transport.benamou_brenier.operators import along_x, along_y

MARGIN, ONCE = 1.0 - 4.0 * np.finfo(float).eps, 1.0 - 8.0 * np.finfo(float).eps
"""What a cell gives away at most of what it has: in `limit`, which looks again, and in one pass."""
THINNINGS = 8


@dataclass(frozen=True)
class Certificate:
    """A feasible end of the step and its proof.

    rho : (ny, nx) ρ¹.   flux_x, flux_y : (ny, nx) integrated momentum through each face, A m.
    primal, dual : P and D.   transport : the kinetic part of P, ½W₂².   scale : see `gap_scale`.
    gap : (P − D)/scale.   limited : cells whose fluxes the limiter touched.
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
def limit(rho0, volume, flux_x, flux_y, factor, margin):
    """Scale outgoing fluxes until no cell would go negative; returns the number of cells in need in the first pass.

    factor : (ny, nx) work array.   A cell in need may give away what it holds, which keeps it non-negative whatever
    flows in; its neighbours then receive less, so this is repeated.
    """
    ny, nx = rho0.shape
    first = 0
    for sweep in range(ny * nx):
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
                if (end < 0.0 or stock + inflow < out) and out > margin * stock:
                    needy += 1
                    factor[j, i] = margin * stock / out
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
def downstream(flux_x, flux_y, order, waits):
    """Into order (ny nx,) the cells, each after those that it receives from; returns their number.

    waits (ny, nx) : work array of integers.   Fluxes along a potential give all cells; none on a circle of fluxes, nor
    after one, has a place.
    """
    ny, nx = flux_x.shape
    tail = k = 0
    for j in range(ny):
        below = j - 1 if j > 0 else ny - 1
        for i in range(nx):
            left = i - 1 if i > 0 else nx - 1
            faces = (1 if flux_x[j, i] < 0.0 else 0) + (1 if flux_x[j, left] > 0.0 else 0)
            waits[j, i] = faces + (1 if flux_y[j, i] < 0.0 else 0) + (1 if flux_y[below, i] > 0.0 else 0)
            if waits[j, i] == 0:
                order[tail] = j * nx + i
                tail += 1
    while k < tail:
        j = order[k] // nx
        i = order[k] - j * nx
        k += 1
        left, right = i - 1 if i > 0 else nx - 1, i + 1 if i < nx - 1 else 0
        below, above = j - 1 if j > 0 else ny - 1, j + 1 if j < ny - 1 else 0
        gives = flux_x[j, i] > 0.0, flux_x[j, left] < 0.0, flux_y[j, i] > 0.0, flux_y[below, i] < 0.0
        others = (j, right), (j, left), (above, i), (below, i)
        for q in range(4):
            if gives[q]:
                other = others[q]
                waits[other] -= 1
                if waits[other] == 0:
                    order[tail] = other[0] * nx + other[1]
                    tail += 1
    return tail


@njit(cache=True, nogil=True, error_model="numpy")
def limit_downstream(order, rho0, expected, volume, flux_x, flux_y, margin):
    """Scale outgoing fluxes so that no cell goes negative, in the given order; returns the number of cells in need.

    order : of `downstream`.   expected : (ny, nx) the ρ that the fluxes were made from; a cell passes on so much that
    ρ⁰ + ρ¹ stays a quarter of ρ⁰ + expected where it can, lest the kinetic energy of its faces be out of proportion.
    """
    ny, nx = rho0.shape
    needy = 0
    for k in range(order.size):
        j = order[k] // nx
        i = order[k] - j * nx
        left, below = i - 1 if i > 0 else nx - 1, j - 1 if j > 0 else ny - 1
        e, w, n, s = flux_x[j, i], flux_x[j, left], flux_y[j, i], flux_y[below, i]
        out = max(e, 0.0) + max(-w, 0.0) + max(n, 0.0) + max(-s, 0.0)
        inflow = max(-e, 0.0) + max(w, 0.0) + max(-n, 0.0) + max(s, 0.0)
        held = volume[j, i] * max(0.25 * expected[j, i] - 0.75 * rho0[j, i], 0.0)
        keep = margin * max(volume[j, i] * rho0[j, i] + inflow - held, 0.0)
        if out > 0.0:
            f = keep / out if out > keep else 1.0
            fresh = (e * f if e > 0.0 else e) - (w * f if w < 0.0 else w)
            fresh += (n * f if n > 0.0 else n) - (s * f if s < 0.0 else s)
            if rho0[j, i] - fresh / volume[j, i] < 0.0:  # numbers so small that eps of them is 0
                f = 0.0
            if f < 1.0:
                needy += 1
                flux_x[j, i] = e * f if e > 0.0 else e
                flux_x[j, left] = w * f if w < 0.0 else w
                flux_y[j, i] = n * f if n > 0.0 else n
                flux_y[below, i] = s * f if s < 0.0 else s
    return needy


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
