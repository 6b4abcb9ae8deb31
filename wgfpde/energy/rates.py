"""Rates a, b ≥ 0 of fluxes linear in the density, F_{i+½} = a_i ρ_i − b_i ρ_{i+1}, for a given potential Φ.

Scharfetter–Gummel (entropy), order 2:

    a = (κ/d) B(ΔΦ/κ),   b = (κ/d) B(−ΔΦ/κ),   B(s) = s/(e^s − 1),      a π_i = b π_{i+1} for π = e^{−Φ/κ}

Reference: Scharfetter, Gummel (1969), DOI 10.1109/T-ED.1969.16566.

Limited donor flux (no internal energy): velocity −ΔΦ/d times the donor value plus half its minmod slope, written as
w ρ_donor with w ∈ [0, 2] taken from a reference state.  F stays linear in ρ, and M = w ρ_donor ≥ 0 vanishes with the
donor, so mass, sign and energy law hold for any reference state; order 2 where ρ is smooth.
Reference: van Leer (1979), DOI 10.1016/0021-9991(79)90145-1.
"""

from __future__ import annotations

import math

import numpy as np

from ..base.kernel_cache import njit
from ..linear.lines import gather

SMALL = 0.5
"""Up to here B is summed as a series."""


@njit(cache=True, nogil=True, error_model="numpy")
def bernoulli(s):
    """B(s) = s/(e^s − 1) for s ≥ 0, to full relative accuracy.  For s < 0 use B(−s) = s + B(s).

    Up to ½, where most faces of a fine grid are, by the series 1 − s/2 + Σ B_{2k} s^{2k}/(2k)!, without an exponential;
    the first term left out is below 6e-18.  Above 700 it is 0: B(700) < 1e-301.
    """
    if s < SMALL:
        return _series(s)
    if s > 700.0:
        return 0.0
    return s / math.expm1(s)


@njit(cache=True, nogil=True, forceinline=True, error_model="numpy")
def _series(s):
    """The series of `bernoulli`; without meaning for s ≥ ½."""
    t = s * s
    tail = t * (-691.0 / 1307674368000.0 + t * (1.0 / 74724249600.0))
    tail = t * (-1.0 / 1209600.0 + t * (1.0 / 47900160.0 + tail))
    return 1.0 - 0.5 * s + t * (1.0 / 12.0 + t * (-1.0 / 720.0 + t * (1.0 / 30240.0 + tail)))


@njit(cache=True, nogil=True, error_model="numpy")
def sg_rates(first, last, phi, direction, d, kappa, periodic, a, b):
    """Scharfetter–Gummel rates of all faces of blocks first … last into a, b (blocks, n, LANES)."""
    n, lanes = a.shape[1:]
    lines = phi.shape[0] if direction == 1 else phi.shape[1]
    block = np.zeros((n, lanes))
    for q in range(first, last):
        count = min(lanes, lines - q * lanes)
        gather(phi, direction, q * lanes, count, block)
        _line_rates(block, d, kappa, n if periodic else n - 1, count, a[q], b[q])


@njit(cache=True, nogil=True, error_model="numpy")
def _line_rates(phi, d, kappa, faces, count, a, b):
    """The rates of one block of lines, (n, LANES): all by the series, side by side, then the few with a large s."""
    n = phi.shape[0]
    for i in range(faces):
        j = i + 1 if i < n - 1 else 0
        scale = kappa / d[i]
        for k in range(count):
            s = (phi[j, k] - phi[i, k]) / kappa
            low = _series(abs(s))
            high = low + abs(s)
            down = s > 0.0
            forth = low if down else high
            back = high if down else low
            a[i, k] = scale * forth
            b[i, k] = scale * back
    for i in range(faces):
        j = i + 1 if i < n - 1 else 0
        scale = kappa / d[i]
        for k in range(count):
            s = (phi[j, k] - phi[i, k]) / kappa
            if not abs(s) < SMALL:
                low = bernoulli(abs(s))
                high = low + abs(s)
                a[i, k] = scale * (low if s > 0.0 else high)
                b[i, k] = scale * (high if s > 0.0 else low)


@njit(cache=True, nogil=True, error_model="numpy")
def donor_weight(upup, up, down, h_up, d_back, d_front):
    """w ∈ [0, 2] with w ρ_up = ρ_up + ½ h_up minmod(backward slope, forward slope)."""
    back = (up - upup) / d_back
    front = (down - up) / d_front
    if back * front <= 0.0 or up <= 0.0:
        return 1.0
    slope = back if abs(back) < abs(front) else front
    return min(2.0, max(0.0, 1.0 + 0.5 * h_up * slope / up))


@njit(cache=True, nogil=True, error_model="numpy")
def line_weight(rho, k, i, velocity, h, d, periodic):
    """Donor weight of face i+½ on lane k of the state rho (n, LANES), for a velocity of known sign."""
    n = rho.shape[0]
    j = i + 1 if i < n - 1 else 0
    if velocity >= 0.0:
        if i == 0 and not periodic:
            return 1.0
        p = i - 1 if i > 0 else n - 1
        return donor_weight(rho[p, k], rho[i, k], rho[j, k], h[i], d[p], d[i])
    if j == n - 1 and not periodic:
        return 1.0
    p = j + 1 if j < n - 1 else 0
    return donor_weight(rho[p, k], rho[j, k], rho[i, k], h[j], d[j], d[i])


@njit(cache=True, nogil=True, error_model="numpy")
def drift_rates(first, last, phi, rho, direction, h, d, periodic, a, b):
    """Limited donor rates of blocks first … last; `rho` is the reference state of the weights."""
    n, lanes = a.shape[1:]
    lines = phi.shape[0] if direction == 1 else phi.shape[1]
    potential = np.zeros((n, lanes))
    state = np.zeros((n, lanes))
    for q in range(first, last):
        count = min(lanes, lines - q * lanes)
        gather(phi, direction, q * lanes, count, potential)
        gather(rho, direction, q * lanes, count, state)
        for i in range(n if periodic else n - 1):
            j = i + 1 if i < n - 1 else 0
            for k in range(count):
                velocity = (potential[i, k] - potential[j, k]) / d[i]
                weight = line_weight(state, k, i, velocity, h, d, periodic)
                a[q, i, k] = weight * max(velocity, 0.0)
                b[q, i, k] = weight * max(-velocity, 0.0)
