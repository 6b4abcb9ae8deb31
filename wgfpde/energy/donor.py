"""Limited donor rates of a flux without internal energy: F_{i+½} = a_i ρ_i − b_i ρ_{i+1} in a potential Φ.

The velocity −ΔΦ/d times the donor value plus half its minmod slope, written as w ρ_donor with w ∈ [0, 2] taken from a
reference state.  F stays linear in ρ, and M = w ρ_donor ≥ 0 vanishes with the donor, so mass, sign and energy law hold
for any reference state; order 2 where ρ is smooth.
Reference: van Leer (1979), DOI 10.1016/0021-9991(79)90145-1.
"""

from __future__ import annotations

from ..base.kernel_cache import njit
from ..linear.lines import at


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
def line_weight(rho, k, i, velocity, h, d, ring):
    """Donor weight of face i+½ on lane k of the state rho (n, LANES), for a velocity of known sign."""
    n = rho.shape[0]
    j = i + 1 if i < n - 1 else 0
    if velocity >= 0.0:
        if i == 0 and not ring:
            return 1.0
        p = i - 1 if i > 0 else n - 1
        return donor_weight(rho[p, k], rho[i, k], rho[j, k], h[i], d[p], d[i])
    if j == n - 1 and not ring:
        return 1.0
    p = j + 1 if j < n - 1 else 0
    return donor_weight(rho[p, k], rho[j, k], rho[i, k], h[j], d[j], d[i])


@njit(cache=True, nogil=True, error_model="numpy")
def line_donors(phi, rho, h, d, r, ring, count, a, b):
    """The rates of one block of lines, all (n, LANES); rho is the reference state of the weights.

    r : resistances of its faces (module `lines`), from which the velocity comes; widths h and distances d make slopes.
    """
    n = phi.shape[0]
    for i in range(n if ring else n - 1):
        j = i + 1 if i < n - 1 else 0
        for k in range(count):
            velocity = (phi[i, k] - phi[j, k]) / at(r, i, k)
            weight = line_weight(rho, k, i, velocity, h, d, ring)
            a[i, k] = weight * max(velocity, 0.0)
            b[i, k] = weight * max(-velocity, 0.0)
