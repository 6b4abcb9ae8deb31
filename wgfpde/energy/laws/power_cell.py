"""A power law in one cell, for kernels: U, c U', its stiffness, its conjugate with a barrier and its proximal map.

    ρ(y) = argmin_ρ  c U(ρ) − μ ln ρ − y ρ,      c = τκ (U with κ = 1)

    c U'(ρ) − μ/ρ = y:    m < 1   −c m/(1−m) ρ^{m−1} = y < 0             (μ = 0: ρ > 0 by itself)
                          m > 1   c m/(m−1) ρ^m − y ρ − μ = 0            ((y₊)^{1/(m−1)} for μ = 0)

The barrier value B(y) = c U(ρ) − μ ln ρ − y ρ at that ρ is minus the conjugate: concave in y, B' = −ρ.
Where no ρ exists (y ≥ 0 for m < 1) ρ is inf: the dual is −inf there, and a line search turns back.
Roots are found by Newton from the side on which the iterates are monotone: no safeguard is needed.
"""

from __future__ import annotations

import math

from ...base.kernel_cache import njit

NEWTON_MAX = 100


@njit(cache=True, nogil=True, error_model="numpy")
def power_energy(rho, kappa, m):
    """U(ρ)."""
    if m == 2.0:
        return kappa * rho * rho
    if m == 3.0:
        return 0.5 * kappa * rho * rho * rho
    return kappa / (m - 1.0) * rho**m


@njit(cache=True, nogil=True, error_model="numpy")
def power_pressure(rho, c, m):
    """ρcU' − cU."""
    return c * rho**m


@njit(cache=True, nogil=True, error_model="numpy")
def power_slope(rho, c, m):
    """c U'(ρ), ρ > 0."""
    if m == 2.0:
        return 2.0 * c * rho
    return c * m / (m - 1.0) * rho ** (m - 1.0)


@njit(cache=True, nogil=True, error_model="numpy")
def power_stiffness(rho, s, c, m):
    """1/(c U'' + s/ρ), ρ > 0, written ρ/(c ρU'' + s)."""
    if m == 2.0:
        return rho / (2.0 * c * rho + s)
    return rho / (c * m * rho ** (m - 1.0) + s)


@njit(cache=True, nogil=True, error_model="numpy")
def power_free(y, c, m):
    """ρ(y) without barrier, and ∂ρ/∂y; inf outside the domain."""
    if m > 1.0:
        if y <= 0.0:
            return 0.0, 0.0
        rho = (y * (m - 1.0) / (c * m)) ** (1.0 / (m - 1.0))
        return rho, rho / (y * (m - 1.0))
    if y < 0.0:
        rho = (-y * (1.0 - m) / (c * m)) ** (1.0 / (m - 1.0))
        return rho, rho / (y * (m - 1.0))
    return math.inf, 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def power_dual(y, c, m, mu, guess):
    """ρ(y) and B(y).  mu : the barrier, of m > 1 only; guess : a density near the root, or 0."""
    if m > 1.0:
        rho = density_slow(y, c, m, mu, guess)
        power = rho * rho if m == 2.0 else rho**m
        return rho, c / (m - 1.0) * power - mu * math.log(rho) - y * rho if mu > 0.0 else -c * power
    if y >= 0.0:
        return math.inf, -math.inf
    rho = (-y * (1.0 - m) / (c * m)) ** (1.0 / (m - 1.0))
    return rho, -c * rho**m


@njit(cache=True, nogil=True, error_model="numpy")
def power_prox(target, c, m, s):
    """The root r ≥ 0 of c U'(r) + s r = target (0 if the left side at 0 is larger)."""
    return power_root(target, c * m / (m - 1.0), s, m - 1.0)


@njit(cache=True, nogil=True, error_model="numpy")
def density_slow(y, c, m, mu, guess):
    """The root ρ > 0 of f(ρ) = a ρ^m − yρ − μ, a = c m/(m−1), to rounding; guess ≤ 0: none.  Zero for μ = 0, y ≤ 0."""
    a = c * m / (m - 1.0)
    if mu == 0.0:
        return (y / a) ** (1.0 / (m - 1.0)) if y > 0.0 else 0.0
    if m == 2.0:
        q = math.sqrt(y * y + 4.0 * a * mu)
        return (y + q) / (2.0 * a) if y > 0.0 else 2.0 * mu / (q - y)
    if y > 0.0:  # f ≥ 0 where both a ρ^m ≥ 2yρ and a ρ^m ≥ 2μ
        rho = max((2.0 * y / a) ** (1.0 / (m - 1.0)), (2.0 * mu / a) ** (1.0 / m))
    else:
        rho = (mu / a) ** (1.0 / m)
        if y < 0.0:
            rho = min(rho, mu / (-y))
    if 0.0 < guess < rho:
        power = a * guess ** (m - 1.0)
        if guess * (power - y) > mu:
            rho = guess
        elif m * power > y:  # one step from the left on a convex function lands on the right
            rho = min(rho, guess - (guess * (power - y) - mu) / (m * power - y))
    for _ in range(NEWTON_MAX):
        power = a * rho ** (m - 1.0)
        step = (rho * (power - y) - mu) / (m * power - y)
        rho -= step
        if not abs(step) > 1e-15 * rho:
            break
    return rho


@njit(cache=True, nogil=True, error_model="numpy")
def power_root(target, a, s, p):
    """r ≥ 0 with a r^p + s r = target, s > 0, where a p > 0, p = m − 1 ≠ 0; r = 0 where p > 0 and target ≤ 0."""
    if p > 0.0:
        if target <= 0.0:
            return 0.0
        if p == 1.0:
            return target / (a + s)
        if p < 1.0:
            r = min((0.5 * target / a) ** (1.0 / p), 0.5 * target / s)
        else:
            r = min((target / a) ** (1.0 / p), target / s)
    elif target < 0.0:
        r = min((-0.5 * a / s) ** (1.0 / (1.0 - p)), (0.5 * a / target) ** (-1.0 / p))
    else:
        r = max((-a / s) ** (1.0 / (1.0 - p)), target / s)
    for _ in range(NEWTON_MAX):
        if r == 0.0:
            break
        power = a * r ** (p - 1.0)
        step = (target - (power + s) * r) / (p * power + s)
        r += step
        if not abs(step) > 4e-16 * r:
            break
    return r
