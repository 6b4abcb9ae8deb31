"""What kernels ask of a law in one cell, by its code and by (κ, m) or (c, m), c = τκ: the one place that dispatches.

    ρ(y) = argmin_ρ  c U(ρ) − μ ln ρ − y ρ,    B(y) its value        (U with κ = 1; none: ρ = μ/(−y), y < 0)

Each function is compiled into the loops that call it, where its branches on the code are the same for all cells.
"""

from __future__ import annotations

import math

from ...base.kernel_cache import njit
from .entropy_cell import (
    entropy_dual,
    entropy_energy,
    entropy_free,
    entropy_pressure,
    entropy_prox,
    entropy_slope,
    entropy_stiffness,
)
from .law import ENTROPY, NONE
from .power_cell import (
    power_dual,
    power_energy,
    power_free,
    power_pressure,
    power_prox,
    power_slope,
    power_stiffness,
)


@njit(cache=True, nogil=True, error_model="numpy")
def internal_energy(rho, code, kappa, m):
    """U(ρ) of one cell; U(0) = 0."""
    if code == NONE or rho == 0.0:
        return 0.0
    if code == ENTROPY:
        return entropy_energy(rho, kappa)
    return power_energy(rho, kappa, m)


@njit(cache=True, nogil=True, error_model="numpy")
def pressure(rho, code, c, m):
    """ρ cU'(ρ) − cU(ρ) ≥ 0 of one cell; 0 where ρ is."""
    if code == NONE or rho <= 0.0:
        return 0.0
    if code == ENTROPY:
        return entropy_pressure(rho, c)
    return power_pressure(rho, c, m)


@njit(cache=True, nogil=True, error_model="numpy")
def slope(rho, code, c, m):
    """c U'(ρ) of one cell; 0 where ρ is: such a cell takes no part."""
    if rho <= 0.0 or code == NONE:
        return 0.0
    if code == ENTROPY:
        return entropy_slope(rho, c)
    return power_slope(rho, c, m)


@njit(cache=True, nogil=True, error_model="numpy")
def stiffness(rho, s, code, c, m):
    """D = 1/(c U'' + s/ρ) of one cell, finite, and 0 where ρ is.  s is 0 without barrier."""
    if rho <= 0.0:
        return 0.0
    if code == ENTROPY:
        return entropy_stiffness(rho, s, c)
    if code == NONE:
        return rho / s
    return power_stiffness(rho, s, c, m)


@njit(cache=True, nogil=True, error_model="numpy")
def free_density(y, code, c, m):
    """ρ(y) without barrier, and ∂ρ/∂y; inf outside the domain of the conjugate."""
    if code == ENTROPY:
        return entropy_free(y, c)
    if code == NONE:
        return (math.inf if y > 0.0 else 0.0), 0.0
    return power_free(y, c, m)


@njit(cache=True, nogil=True, error_model="numpy")
def dual_density(y, code, c, m, mu, guess):
    """ρ(y) and B(y) with the barrier μ where the law allows vacuum; B is −inf outside the domain."""
    if code == ENTROPY:
        return entropy_dual(y, c)
    if code != NONE:
        return power_dual(y, c, m, mu, guess)
    if y >= 0.0:
        return math.inf, -math.inf
    rho = mu / (-y)
    return rho, mu - mu * math.log(rho)


@njit(cache=True, nogil=True, error_model="numpy")
def prox_cell(target, code, c, m, s):
    """The root r ≥ 0 of c U'(r) + s r = target (0 if the left side at 0 is larger)."""
    if code == ENTROPY:
        return entropy_prox(target, c, s)
    if code == NONE:
        return max(target / s, 0.0)
    return power_prox(target, c, m, s)
