"""The entropy in one cell, for kernels: U, c U', its stiffness, its conjugate and its proximal map.

    ρ(y) = argmin_ρ  c U(ρ) − y ρ = e^{y/c},      B(y) = −c ρ(y)       (U with κ = 1)
    prox: c ln r + s r = Z;   y = r s/c has y + ln y = Z/c + ln(s/c), the Wright function

Reference: Fritsch, Shafer, Crowley (1973), DOI 10.1145/361952.361970.
"""

from __future__ import annotations

import math

from ...base.kernel_cache import njit
from ...linear.row_logarithm import logarithm


@njit(cache=True, nogil=True, error_model="numpy")
def entropy_energy(rho, kappa):
    """U(ρ), ρ > 0."""
    return kappa * (rho * math.log(rho) - rho)


@njit(cache=True, nogil=True, error_model="numpy")
def entropy_energies(rho, kappa):
    """U(ρ) of a row (module `linear.rows`), ρ ≥ 0; U(0) = 0."""
    return kappa * (rho * logarithm(rho) - rho)


@njit(cache=True, nogil=True, error_model="numpy")
def entropy_pressure(rho, c):
    """ρcU' − cU."""
    return c * rho


@njit(cache=True, nogil=True, error_model="numpy")
def entropy_slope(rho, c):
    """c U'(ρ), ρ > 0."""
    return c * math.log(rho)


@njit(cache=True, nogil=True, error_model="numpy")
def entropy_stiffness(rho, s, c):
    """1/(c U'' + s/ρ), ρ > 0."""
    return rho / (c + s)


@njit(cache=True, nogil=True, error_model="numpy")
def entropy_free(y, c):
    """ρ(y), kept finite, and ∂ρ/∂y."""
    rho = math.exp(min(y / c, 709.0))
    return rho, rho / c


@njit(cache=True, nogil=True, error_model="numpy")
def entropy_dual(y, c):
    """ρ(y) and B(y); −inf where e^{y/c} is beyond all numbers."""
    rho = math.exp(min(y / c, 710.0))
    return rho, -c * rho if y / c <= 700.0 else -math.inf


@njit(cache=True, nogil=True, error_model="numpy")
def entropy_prox(target, c, s):
    """The root r of c ln r + s r = target."""
    return wright(target / c + math.log(s / c)) * (c / s)


@njit(cache=True, nogil=True, error_model="numpy")
def wright(w):
    """y > 0 with y + ln y = w, to rounding; 0 where it underflows."""
    if w < -700.0:
        return math.exp(w)
    if w < -1.5:
        y = math.exp(w)
        y = y / (1.0 + y)
    elif w < 1.5:
        y = 0.567 * math.exp(0.6 * w)
    else:
        y = w - math.log(w)
    for _ in range(3):
        residual = w - y - math.log(y)
        y *= 1.0 + residual / (1.0 + y) * (1.0 + 0.5 * residual / (1.0 + y) ** 2)
    return y
