"""Mass sent along a map: parcels of the bundles of one raster, shared among the bundles of another.

A potential ψ moves the point x to x − ∇ψ(x).  Over a cell the displacement goes linearly from its value on one side to
that on the other, both from differences of ψ; where that stretches the cell it is cut into as many parcels as it covers
cells there.  A parcel is shared bilinearly among the four nearest places.

`send` is called twice: to see what arrives where, and then, told which share of it each place keeps, for the cost of
what is kept and the moments of what is not.
"""

from __future__ import annotations

import numpy as np

from ...base.kernel_cache import njit
from ...grid import Array
from .measures import Bundles, Periods

SPECK = 1e-13
"""Mass of a bundle, relative to the mean, below which it is not cut."""


def arrivals(psi: Array, source: Bundles, target: Bundles, periods: Periods) -> Array:
    """The mass that ψ sends to each bundle of the target, (ny, nx); its sum is 1."""
    out = np.zeros((*target.mass.shape, 1))
    _send(psi, source, target, periods, _NOTHING, out)
    return out[..., 0]


def kept_and_left(psi: Array, source: Bundles, target: Bundles, periods: Periods, share: Array, left: Array) -> float:
    """Where each place keeps a share of what arrives: Σ m|C − C'|² of that.

    Of the rest, by the place it came to, its mass, Σ m x, Σ m y, Σ m |C|² from where it came are added to the first
    four of `left`, (ny, nx, ≥ 4); round a circle as seen from that place.
    """
    return _send(psi, source, target, periods, share, left)


_NOTHING = np.empty((0, 0))


def _send(psi: Array, source: Bundles, target: Bundles, periods: Periods, share: Array, out: Array) -> float:
    turn = np.array([0.0 if period is None else period for period in periods])
    finest = np.array([target.widths[0].min(), target.widths[1].min()])
    return float(
        send(
            psi, source.mass, *source.places, *source.widths, *source.centres, *target.places, *target.centres, turn,
            finest, SPECK / source.mass.size, share, out,
        )
    )  # fmt: skip


@njit(cache=True, nogil=True)
def _slopes(before, here, after, gap_before, gap_after, first, last, further):
    """Displacements at the two sides of a cell; at a wall they go on linearly, from `further`, the next difference."""
    low = 0.0 if first else (here - before) / gap_before
    high = 0.0 if last else (after - here) / gap_after
    if first:
        low = 2.0 * high - further
    if last:
        high = 2.0 * low - further
    return low, high


@njit(cache=True, nogil=True)
def _locate(p, places, scale, turn):
    """The two places next to p, the share of the second, and by how much each is lifted on a circle.

    scale : places by length.
    """
    n = places.size
    lift = 0.0
    if turn > 0.0:
        lift = turn * np.floor((p - places[0]) / turn)
        p -= lift
    if n == 1 or (p <= places[0]):
        return 0, 0, 0.0, lift, lift
    if p >= places[n - 1]:
        if turn > 0.0:
            gap = places[0] + turn - places[n - 1]
            return n - 1, 0, (p - places[n - 1]) / gap, lift, lift + turn
        return n - 1, n - 1, 0.0, lift, lift
    i = min(int((p - places[0]) * scale), n - 2)
    while places[i] > p:
        i -= 1
    while places[i + 1] < p:
        i += 1
    return i, i + 1, (p - places[i]) / (places[i + 1] - places[i]), lift, lift


@njit(cache=True, nogil=True)
def _parts(stretch, finest, most):
    if abs(stretch) <= finest * (1.0 + 1e-9):
        return 1
    return int(min(np.ceil(abs(stretch) / finest - 1e-9), most))


@njit(cache=True, nogil=True)
def send(psi, mass, x, y, wx, wy, cx, cy, tx, ty, tcx, tcy, turn, finest, speck, share, out):
    """Adds to out; returns the cost of what is kept.  Arguments as in `Bundles`: of the source, then of the target."""
    ny, nx = mass.shape
    cost = 0.0
    measured = share.size > 0
    ring_x, ring_y = turn[0] > 0.0, turn[1] > 0.0
    before, beyond, shares, lifts = (np.empty(tx.size, np.int64), np.empty(tx.size, np.int64), np.empty(tx.size),
                                     np.empty((tx.size, 2)))  # fmt: skip
    scale_x = (tx.size - 1) / (tx[-1] - tx[0]) if tx.size > 1 else 0.0
    scale_y = (ty.size - 1) / (ty[-1] - ty[0]) if ty.size > 1 else 0.0
    for j in range(ny):
        below, above = j - 1 if j > 0 else ny - 1, j + 1 if j < ny - 1 else 0
        gap_below = y[j] - y[below] + (turn[1] if j == 0 else 0.0)
        gap_above = y[above] - y[j] + (turn[1] if j == ny - 1 else 0.0)
        for i in range(nx):
            m = mass[j, i]
            if m <= 0.0:
                continue
            left, right = i - 1 if i > 0 else nx - 1, i + 1 if i < nx - 1 else 0
            gap_left = x[i] - x[left] + (turn[0] if i == 0 else 0.0)
            gap_right = x[right] - x[i] + (turn[0] if i == nx - 1 else 0.0)
            further = 0.0
            if nx > 2 and i == 0:
                further = (psi[j, 2] - psi[j, 1]) / (x[2] - x[1])
            elif nx > 2 and i == nx - 1:
                further = (psi[j, nx - 2] - psi[j, nx - 3]) / (x[nx - 2] - x[nx - 3])
            here = psi[j, i]
            first, last = i == 0 and not ring_x, i == nx - 1 and not ring_x
            gw, ge = _slopes(psi[j, left], here, psi[j, right], gap_left, gap_right, first, last, further)
            if ny > 2 and j == 0:
                further = (psi[2, i] - psi[1, i]) / (y[2] - y[1])
            elif ny > 2 and j == ny - 1:
                further = (psi[ny - 2, i] - psi[ny - 3, i]) / (y[ny - 2] - y[ny - 3])
            first, last = j == 0 and not ring_y, j == ny - 1 and not ring_y
            gs, gn = _slopes(psi[below, i], here, psi[above, i], gap_below, gap_above, first, last, further)
            kx = _parts(wx[i] - (ge - gw), finest[0], tx.size) if m > speck else 1
            ky = _parts(wy[j] - (gn - gs), finest[1], ty.size) if m > speck else 1
            w = m / (kx * ky)
            for a in range(kx):
                s = (a + 0.5) / kx
                before[a], beyond[a], shares[a], lifts[a, 0], lifts[a, 1] = _locate(
                    x[i] + (s - 0.5) * wx[i] - gw - (ge - gw) * s, tx, scale_x, turn[0]
                )
            for b in range(ky):
                s = (b + 0.5) / ky
                j0, j1, fy, ly0, ly1 = _locate(y[j] + (s - 0.5) * wy[j] - gs - (gn - gs) * s, ty, scale_y, turn[1])
                for a in range(kx):
                    i0, i1, fx, lx0, lx1 = before[a], beyond[a], shares[a], lifts[a, 0], lifts[a, 1]
                    for corner in range(4):
                        up, over = corner // 2, corner % 2
                        part = w * (fy if up else 1.0 - fy) * (fx if over else 1.0 - fx)
                        if part == 0.0:
                            continue
                        jt, it = (j1 if up else j0), (i1 if over else i0)
                        if not measured:
                            out[jt, it, 0] += part
                            continue
                        fromx = cx[j, i] - (lx1 if over else lx0)
                        fromy = cy[j, i] - (ly1 if up else ly0)
                        dx, dy = tcx[jt, it] - fromx, tcy[jt, it] - fromy
                        cost += part * share[jt, it] * (dx * dx + dy * dy)
                        e = part * (1.0 - share[jt, it])
                        if e > 0.0:
                            out[jt, it, 0] += e
                            out[jt, it, 1] += e * fromx
                            out[jt, it, 2] += e * fromy
                            out[jt, it, 3] += e * (fromx * fromx + fromy * fromy)
    return cost
