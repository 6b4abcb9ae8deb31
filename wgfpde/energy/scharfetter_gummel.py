"""Scharfetter–Gummel rates a, b ≥ 0 of the flux of an entropy κ(ρ ln ρ − ρ) in a potential Φ.

    F_{i+½} = a_i ρ_i − b_i ρ_{i+1}

    a = (κ/d) B(ΔΦ/κ),   b = (κ/d) B(−ΔΦ/κ),   B(s) = s/(e^s − 1),      a π_i = b π_{i+1} for π = e^{−Φ/κ}

With a force f, ΔΦ − f d stands in place of ΔΦ: the rates stay ≥ 0, and a/b = e^{−(ΔΦ − f d)/κ}.
Order 2.  Reference: Scharfetter, Gummel (1969), DOI 10.1109/T-ED.1969.16566.
"""

from __future__ import annotations

import math

from ..base.kernel_cache import njit
from ..linear.lines import at, differ

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
def line_rates(phi, push, r, kappa, faces, count, a, b):
    """The rates of one block of lines, (n, LANES): all by the series, side by side, then the few with a large s.

    push : (n,) f d on the faces.   r : resistances of its faces (module `lines`), which stand for d.
    """
    n = phi.shape[0]
    for i in range(faces):
        j = i + 1 if i < n - 1 else 0
        scale = kappa / at(r, i, 0)
        for k in range(count):
            if differ(r):
                scale = kappa / at(r, i, k)
            s = (phi[j, k] - phi[i, k] - push[i]) / kappa
            low = _series(abs(s))
            high = low + abs(s)
            down = s > 0.0
            forth = low if down else high
            back = high if down else low
            a[i, k] = scale * forth
            b[i, k] = scale * back
    for i in range(faces):
        j = i + 1 if i < n - 1 else 0
        scale = kappa / at(r, i, 0)
        for k in range(count):
            if differ(r):
                scale = kappa / at(r, i, k)
            s = (phi[j, k] - phi[i, k] - push[i]) / kappa
            if not abs(s) < SMALL:
                low = bernoulli(abs(s))
                high = low + abs(s)
                a[i, k] = scale * (low if s > 0.0 else high)
                b[i, k] = scale * (high if s > 0.0 else low)
