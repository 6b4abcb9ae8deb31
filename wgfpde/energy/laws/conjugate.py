"""The internal energy of one cell, its conjugate with a barrier, and the density that belongs to a dual value.

    ρ(y) = argmin_ρ  c U(ρ) − μ ln ρ − y ρ,       c = τκ (U with κ = 1),     y = k(φ) − φ − τV

    c U'(ρ) − μ/ρ = y:    entropy      c ln ρ = y                                 (μ = 0: ρ > 0 by itself)
                          m < 1        −c m/(1−m) ρ^{m−1} = y < 0                 (μ = 0)
                          m > 1        c m/(m−1) ρ^m − y ρ − μ = 0                ((y₊)^{1/(m−1)} for μ = 0)
                          none         ρ = μ/(−y), y < 0

The barrier value B(y) = c U(ρ) − μ ln ρ − y ρ at that ρ is minus the conjugate: concave in y, B' = −ρ.
Where no ρ exists (y ≥ 0 for m < 1 and none) ρ is inf: the dual is −inf there, and a line search turns back.
For m > 1 the root is found by Newton from a point right of it, on a convex function: monotone, no safeguard needed.
"""

from __future__ import annotations

import math

from ...base.kernel_cache import njit
from ..energy import Internal

ENTROPY, SLOW, FAST, NONE = 0, 1, 2, 3
"""Kinds of law: m = 1, m > 1, m < 1, U = 0."""
NEWTON_MAX = 100


def law_of(internal: Internal) -> tuple[int, float]:
    """(kind, m)."""
    if internal.kind == "entropy":
        return ENTROPY, 1.0
    if internal.kind == "none":
        return NONE, 1.0
    return (SLOW if internal.m > 1 else FAST), internal.m


def has_barrier(kind: int) -> bool:
    """Whether ρ ≥ 0 must be enforced: U'(0) is finite."""
    return kind in (SLOW, NONE)


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
def first_derivative(r, kind, c, m):
    """c U'(ρ) of one cell; 0 where ρ is: such a cell takes no part."""
    if r <= 0.0 or kind == 3:
        return 0.0
    if kind == 0:
        return c * math.log(r)
    if m == 2.0:
        return 2.0 * c * r
    return c * m / (m - 1.0) * r ** (m - 1.0)


@njit(cache=True, nogil=True, error_model="numpy")
def stiffness(r, s, kind, c, m):
    """D = 1/(c U'' + s/ρ) of one cell, written ρ/(c ρU'' + s): finite, and 0 where ρ is.  s is 0 without barrier."""
    if r <= 0.0:
        return 0.0
    if kind == 0:
        return r / (c + s)
    if kind == 3:
        return r / s
    if m == 2.0:
        return r / (2.0 * c * r + s)
    return r / (c * m * r ** (m - 1.0) + s)


@njit(cache=True, nogil=True, error_model="numpy")
def energies(first, last, rho, tau_v, kind, c, m, volume, internal, potential):
    """Row sums (ny,): Σ vol c U(ρ) into `internal`, Σ vol τV ρ into `potential`.  U(0) = 0."""
    nx = rho.shape[1]
    for j in range(first, last):
        inner = outer = 0.0
        for i in range(nx):
            r = rho[j, i]
            outer += volume[j, i] * tau_v[j, i] * r
            if r > 0.0 and kind != 3:
                if kind == 0:
                    inner += volume[j, i] * c * (r * math.log(r) - r)
                elif m == 2.0:
                    inner += volume[j, i] * c * r * r
                else:
                    inner += volume[j, i] * c / (m - 1.0) * r**m
        internal[j] = inner
        potential[j] = outer


@njit(cache=True, nogil=True, error_model="numpy")
def spread(rho, ratio, least, out):
    """out = the smallest field ≥ max(ρ, least) that falls by no more than `ratio` from a cell to its neighbours."""
    ny, nx = rho.shape
    for j in range(ny):
        for i in range(nx):
            out[j, i] = max(rho[j, i], least)
    for j in range(ny):
        for i in range(1, nx):
            out[j, i] = max(out[j, i], ratio * out[j, i - 1])
        for i in range(nx - 2, -1, -1):
            out[j, i] = max(out[j, i], ratio * out[j, i + 1])
    for j in range(1, ny):
        for i in range(nx):
            out[j, i] = max(out[j, i], ratio * out[j - 1, i])
    for j in range(ny - 2, -1, -1):
        for i in range(nx):
            out[j, i] = max(out[j, i], ratio * out[j + 1, i])
