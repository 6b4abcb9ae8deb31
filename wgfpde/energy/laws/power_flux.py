"""Two-point fluxes of power-law energies U = κ ρ^m/(m−1), with derivatives for Newton's method.

    d·F = −M (ΔU' + ΔΦ),   p' = ρU'' = κ m ρ^{m−1},   M_e = Δp/ΔU'  (Stolarsky mean; m = 2: (a+b)/2)

m ≥ 2:  M = min(M_e, 2ρ_donor), the donor being the cell of higher ξ.  While the limiter sleeps
        d·F = −(Δp + M_e ΔΦ), and for V = W = 0 it always does: then F = −Δp/d exactly, and fronts move.
m < 2:  M = (1−ω) M_e + ω ρ_donor, q = |ΔΦ|/(2 min p'), ω = coth q − 1/q for m < 1.4, max(0, 1 − 1/q) above.

M ≥ 0 gives the energy law, Δξ = 0 ⇒ F = 0 the steady state, M → 0 with the donor positivity.
Reference: Stolarsky (1975), DOI 10.2307/2689825; Heida, Kantner, Stephan (2021), DOI 10.1051/m2an/2021078; the
limiter and the blend are this project's own.

Derivatives are with respect to the unknown of Newton's method: ρ for m ≥ 2, ln ρ for m < 2.
"""

from __future__ import annotations

import math

from ...base.kernel_cache import njit
from ...linear.lines import at, differ, live

SMOOTH_BELOW = 1.4
"""Exponent below which the blend of the mobilities is the smooth one: its kink at q = 1 stalls Newton near vacuum."""


@njit(cache=True, nogil=True, error_model="numpy")
def power(rho, m):
    """ρ^(m−1)."""
    if m == 2.0:
        return rho
    if m == 3.0:
        return rho * rho
    return rho ** (m - 1.0)


@njit(cache=True, nogil=True, error_model="numpy")
def stolarsky(a, b, qa, qb, m):
    """M_e(a, b), given qa = a^(m−1), qb = b^(m−1); a, b ≥ 0.  Relative accuracy a few ε."""
    if m == 2.0:
        return 0.5 * (a + b)
    total = a + b
    if total == 0.0:
        return 0.0
    if m == 3.0:
        return (2.0 / 3.0) * (total - a * (b / total))
    t = (b - a) / total
    if abs(t) < 2e-3:
        t2 = t * t
        c1 = (m - 2.0) / 3.0
        c2 = (m - 2.0) * (m - 3.0) * (m - 4.0) / 30.0 - (m - 2.0) ** 2 * (m - 3.0) / 18.0
        return 0.5 * total * (1.0 + t2 * (c1 + t2 * c2))
    if abs(t) < 0.2:
        ratio = math.log1p((b - a) / a)
        return (m - 1.0) / m * a * (math.expm1(m * ratio) / math.expm1((m - 1.0) * ratio))
    if qa == qb:  # both powers underflow
        return 0.5 * total
    if a == 0.0 or b == 0.0:
        return (m - 1.0) / m * total if m > 1.0 else 0.0
    return (m - 1.0) / m * (b * qb - a * qa) / (qb - qa)


@njit(cache=True, nogil=True, error_model="numpy")
def slow_flux(a, b, qa, qb, dphi, kappa, m):
    """m ≥ 2: (d·F, d·∂F/∂a, −d·∂F/∂b, two_way), two_way being the share of d·F in which −Δp appears."""
    pa, pb = kappa * a * qa, kappa * b * qb
    da, db = kappa * m * qa, kappa * m * qb
    if dphi == 0.0:
        return pa - pb, da, db, 1.0
    mean = stolarsky(a, b, qa, qb, m)
    du = kappa * m / (m - 1.0) * (qb - qa)
    dxi = du + dphi
    donor = a if dxi < 0.0 else b
    if mean <= 2.0 * donor:
        if m == 2.0 or qa == qb or abs(b - a) <= 1e-5 * (a + b):
            ma, mb = 0.5, 0.5
        else:
            ma = (m - 1.0) * (qa / a if a > 0.0 else 0.0) * (mean - a) / (qb - qa)
            mb = (m - 1.0) * (qb / b if b > 0.0 else 0.0) * (b - mean) / (qb - qa)
        return pa - pb - mean * dphi, da - ma * dphi, db + mb * dphi, 1.0
    ua = kappa * m * (qa / a if a > 0.0 else (1.0 if m == 2.0 else 0.0))
    ub = kappa * m * (qb / b if b > 0.0 else (1.0 if m == 2.0 else 0.0))
    if dxi < 0.0:
        return -2.0 * a * dxi, -2.0 * dxi + 2.0 * a * ua, 2.0 * a * ub, 0.0
    return -2.0 * b * dxi, 2.0 * b * ua, 2.0 * dxi + 2.0 * b * ub, 0.0


@njit(cache=True, nogil=True, forceinline=True, error_model="numpy")
def square_fluxes(rho, phi, i, j, kappa, across, count, flux, left, right, gate):
    """m = 2: `slow_flux`, times the conductance, on all lanes of the face between rows i and j.

    Into row i of the last four; across : conductances (module `lines`).  The same to the last bit, with selections in
    place of branches, so that lanes go side by side.
    """
    conductance = at(across, i, 0)
    for k in range(live(count)):
        if differ(across):
            conductance = at(across, i, k)
        a, b, dphi = rho[i, k], rho[j, k], phi[j, k] - phi[i, k]
        two = kappa[k] * 2.0
        dxi = two * (b - a) + dphi
        donor = a if dxi < 0.0 else b
        mean = 0.5 * (a + b)
        free = (mean <= 2.0 * donor) | (dphi == 0.0)
        slope = 2.0 * donor * two
        tilt = 2.0 * dxi
        limited_left = slope - tilt if dxi < 0.0 else slope
        limited_right = slope if dxi < 0.0 else slope + tilt
        flux[i, k] = (kappa[k] * a * a - kappa[k] * b * b - mean * dphi if free else -2.0 * donor * dxi) * conductance
        left[i, k] = (two * a - 0.5 * dphi if free else limited_left) * conductance
        right[i, k] = (two * b + 0.5 * dphi if free else limited_right) * conductance
        gate[i, k] = 1.0 if free else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def blend(q, m):
    """ω(q) and q ω'(q) of the blend for m < 2."""
    if m > SMOOTH_BELOW:
        return (1.0 - 1.0 / q, 1.0 / q) if q > 1.0 else (0.0, 0.0)
    if q < 1e-2:
        q2 = q * q
        return q / 3.0 * (1.0 - q2 / 15.0 + 2.0 * q2 * q2 / 315.0), q / 3.0 * (1.0 - q2 / 5.0)
    if q > 300.0:
        return 1.0 - 1.0 / q, 1.0 / q
    s = math.sinh(q)
    return 1.0 / math.tanh(q) - 1.0 / q, 1.0 / q - q / (s * s)


@njit(cache=True, nogil=True, error_model="numpy")
def fast_flux(a, b, qa, qb, dphi, kappa, m):
    """m < 2, a, b > 0: (d·F, d·a∂F/∂a, −d·b∂F/∂b, two_way), derivatives in ln ρ."""
    pa, pb = kappa * a * qa, kappa * b * qb
    if dphi == 0.0:
        return pa - pb, m * pa, m * pb, 1.0
    ga, gb = kappa * m * qa, kappa * m * qb
    mean = stolarsky(a, b, qa, qb, m)
    du = (gb - ga) / (m - 1.0)
    if qa == qb or abs(b - a) <= 1e-5 * (a + b):
        ma, mb = 0.5 * a, 0.5 * b
    else:
        ma, mb = (m - 1.0) * qa * (mean - a) / (qb - qa), (m - 1.0) * qb * (b - mean) / (qb - qa)
    flux = pa - pb - mean * dphi
    left = m * pa - ma * dphi
    right = m * pb + mb * dphi
    least = min(ga, gb)
    q = 0.5 * abs(dphi) / least if least > 0.0 else 1e300
    omega, slope = blend(q, m)
    if omega == 0.0:
        return flux, left, right, 1.0
    dxi = du + dphi
    donor = a if dxi < 0.0 else b
    upwind = -donor * dxi
    up_left = donor * ga - (a * dxi if dxi < 0.0 else 0.0)
    up_right = donor * gb + (0.0 if dxi < 0.0 else b * dxi)
    turn = -(m - 1.0) * slope * (upwind - flux)  # ∂ω/∂ln ρ of the cell with the smaller p'
    out_left = (1.0 - omega) * left + omega * up_left + (turn if ga <= gb else 0.0)
    out_right = (1.0 - omega) * right + omega * up_right - (0.0 if ga <= gb else turn)
    return (1.0 - omega) * flux + omega * upwind, out_left, out_right, 1.0 - omega


@njit(cache=True, nogil=True, error_model="numpy")
def mobility(a, b, qa, qb, dphi, dxi, kappa, m):
    """M ≥ 0 of d·F = −M Δξ, where dxi = Δξ = ΔU' + ΔΦ; a, b > 0 for m < 1."""
    mean = stolarsky(a, b, qa, qb, m)
    donor = a if dxi < 0.0 else b
    if m >= 2.0:
        return mean if dphi == 0.0 else min(mean, 2.0 * donor)
    if dphi == 0.0:
        return mean
    least = kappa * m * min(qa, qb)
    omega = blend(0.5 * abs(dphi) / least if least > 0.0 else 1e300, m)[0]
    return (1.0 - omega) * mean + omega * donor


@njit(cache=True, nogil=True, error_model="numpy")
def face_work(a, b, dphi, kappa, m):
    """d·F and the work −d·F Δξ = M (Δξ)² of one face between densities a and b; inf at vacuum for m < 1."""
    if a == 0.0 and b == 0.0:
        return 0.0, 0.0
    if m < 1.0 and (a == 0.0 or b == 0.0):
        return math.inf, math.inf
    qa, qb = power(a, m), power(b, m)
    value = slow_flux(a, b, qa, qb, dphi, kappa, m)[0] if m >= 2.0 else fast_flux(a, b, qa, qb, dphi, kappa, m)[0]
    dxi = kappa * m / (m - 1.0) * (qb - qa) + dphi
    return value, mobility(a, b, qa, qb, dphi, dxi, kappa, m) * dxi * dxi


@njit(cache=True, nogil=True, error_model="numpy")
def vacuum_flux(rho, dphi, kappa, m):
    """d·F ≥ 0 from a density to vacuum at the distance d, an absorbing wall, and its derivative in ρ; no less than 0.

        d·F = max(κρ^m − c ρ ΔΦ, 0),   c = m/(m+1) for m > 1, else 0

    c ρ is the mean density on the way where p rises linearly from 0, as it does where F is constant; for m < 1 what it
    multiplies is of higher order, and without it F rises with ρ.  Order 2 for V smooth at the wall.
    """
    if rho <= 0.0:
        return 0.0, 0.0
    q = kappa * power(rho, m)
    drift = m / (m + 1.0) * dphi if m > 1.0 else 0.0
    if q <= drift:
        return 0.0, 0.0
    return (q - drift) * rho, max(m * q - drift, 0.0)


@njit(cache=True, nogil=True, error_model="numpy")
def face_fluxes(a, b, dphi, kappa, m, out):
    """d·F of faces between densities a and b, arrays (n, lines)."""
    for i in range(a.shape[0]):
        for k in range(a.shape[1]):
            out[i, k] = face_work(a[i, k], b[i, k], dphi[i, k], kappa, m)[0]


@njit(cache=True, nogil=True, error_model="numpy")
def mobilities_at_rest(a, b, m, out):
    """M at Δξ = 0 of faces between densities a and b, the mean of its limits from both sides; 0 at vacuum."""
    for k in range(a.shape[0]):
        out[k] = 0.0
        if a[k] > 0.0 and b[k] > 0.0:
            qa, qb = power(a[k], m), power(b[k], m)
            mean = stolarsky(a[k], b[k], qa, qb, m)
            if m >= 2.0:
                out[k] = 0.5 * (min(mean, 2.0 * a[k]) + min(mean, 2.0 * b[k]))
            else:
                q = 0.5 * abs(qb - qa) / (abs(m - 1.0) * min(qa, qb))  # ΔΦ = −ΔU'
                omega = blend(q, m)[0]
                out[k] = (1.0 - omega) * mean + omega * 0.5 * (a[k] + b[k])
