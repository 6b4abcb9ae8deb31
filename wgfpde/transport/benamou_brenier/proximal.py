"""Proximal maps of the kinetic energy on a face and of the energy in a cell.

**Kinetic.**  J(θ, m) = m²/(2θ) (0 at the origin, +∞ for θ < 0 or θ = 0 ≠ m) is the support function of the paraboloid
{a + b²/2 ≤ 0}, so that prox_{σJ*} is the projection of (A, B) onto it in the metric (1/s_θ, 1/s_m):

    b = B/t,     a = min(A, −½b²),     t ≥ 1 the root of t²(t − c) = e,     c = 1 + A s_m/s_θ,   e = ½B² s_m/s_θ

where A + B²/2 > 0, and (A, B) itself elsewhere (t = 1).  By Moreau (A − a)/s_θ = θ and (B − b)/s_m = m are the proximal
point of J, with m = θ b.  Newton on the cubic starts right of its root, on a convex branch: it decreases monotonically
and needs no other safeguard; the start is at most about twice the root, so NEWTON steps reach rounding.

**Energy.**  With f(r) = c U(r) + v r on 0 ≤ r ≤ cap, prox_{sf*}(Z) = Z − s r, r = prox_{f/s}(Z/s) the root of

    c U'(r) + v + s r = Z,  then clipped to [0, cap]   (exact: f is convex in one variable).

Entropy: y = r s/c has y + ln y = (Z − v)/c + ln(s/c), the Wright function.  Power: Newton from the side on which the
iterates are monotone.  A prescribed density is its own proximal point.   The constraint r ≥ 0: prox_{sf*}(Z) = min(Z,
0).

Reference: Papadakis, Peyré, Oudet (2014), DOI 10.1137/130920058; Fritsch, Shafer, Crowley (1973), DOI
10.1145/361952.361970; Moreau (1965).

Kernels update the dual variables y in place, y ← y + relaxation (prox_{σF*}(y + σKx̄) − y), on rows first … last.
"""

from __future__ import annotations

import math

import numpy as np

from ...base.kernel_cache import njit

ENTROPY, SLOW, FAST, NONE, FIXED = 0, 1, 2, 3, 4
"""Kinds of terminal energy: m = 1, m > 1, m < 1, U = 0 (as in `law`), and a prescribed density."""
NEWTON = 7
NEWTON_MAX = 100


@njit(cache=True, nogil=True, error_model="numpy")
def paraboloid(c, e, count, t):
    """t[:count] = max(1, root of t²(t − c) = e) for rows c, e ≥ 0, to rounding.

    Written as plain loops over a row, which run in vector registers.  The start is the least of three bounds of a root
    t ≥ 1:  c⁺ + max(e, 1)^{11/32},  √(e/(1 − c)) for c < 1,  c + e/c² for c > 0.
    """
    for i in range(count):
        g = math.sqrt(math.sqrt(max(e[i], 1.0)))
        h = math.sqrt(math.sqrt(g))
        t[i] = max(c[i], 0.0) + g * h * math.sqrt(h)
    for i in range(count):
        left = math.sqrt(e[i] / max(1.0 - c[i], 0.5))
        right = c[i] + e[i] / max(c[i] * c[i], 0.25)
        t[i] = max(min(t[i], left if c[i] < 0.5 else right), 1.0)
    for _ in range(NEWTON):
        for i in range(count):
            u = t[i]
            t[i] = max(u - (u * u * (u - c[i]) - e[i]) / (u * (3.0 * u - 2.0 * c[i])), 1.0)


@njit(cache=True, nogil=True, error_model="numpy")
def kinetic_update(first, last, bar, rho0, wrap_x, wrap_y, s_theta, s_m, s_rho, relaxation, y):
    """Dual step of every face, and of ρ_k ≥ 0 for k < N.

    bar : (3, N, ny, nx) ρ̄, m̄_x, m̄_y.   rho0 : (ny, nx).   y : (5, N, ny, nx) a_x, b_x, a_y, b_y, z.
    wrap_x, wrap_y : whether the last face of an axis is a face at all; a wall is left alone.
    """
    _, steps, ny, nx = bar.shape
    theta, t, c, e = np.empty(nx), np.empty(nx), np.empty(nx), np.empty(nx)
    ratio = s_m / s_theta
    for j in range(first, last):
        above = j + 1 if j < ny - 1 else 0
        for k in range(steps):
            rho, before = bar[0, k, j], bar[0, k - 1, j] if k > 0 else rho0[j]
            for part in range(2):
                count = nx
                if part == 0:
                    for i in range(nx - 1):
                        theta[i] = 0.25 * (rho[i] + rho[i + 1] + before[i] + before[i + 1])
                    theta[nx - 1] = 0.25 * (rho[nx - 1] + rho[0] + before[nx - 1] + before[0])
                    count = nx if wrap_x else nx - 1
                elif j < ny - 1 or wrap_y:
                    rho_up, before_up = bar[0, k, above], bar[0, k - 1, above] if k > 0 else rho0[above]
                    for i in range(nx):
                        theta[i] = 0.25 * (rho[i] + rho_up[i] + before[i] + before_up[i])
                else:
                    count = 0
                a, b, m = y[2 * part, k, j], y[2 * part + 1, k, j], bar[1 + part, k, j]
                for i in range(count):
                    theta[i] = a[i] + s_theta * theta[i]
                    c[i] = 1.0 + ratio * theta[i]
                    q = b[i] + s_m * m[i]
                    e[i] = 0.5 * ratio * q * q
                paraboloid(c, e, count, t)
                for i in range(count):
                    q = (b[i] + s_m * m[i]) / t[i]
                    a[i] += relaxation * (min(theta[i], -0.5 * q * q) - a[i])
                    b[i] += relaxation * (q - b[i])
            if k < steps - 1:
                z = y[4, k, j]
                for i in range(nx):
                    z[i] += relaxation * (min(z[i] + s_rho * rho[i], 0.0) - z[i])


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
def prox_cell(target, kind, c, m, s):
    """The root r ≥ 0 of c U'(r) + s r = target (0 if the left side at 0 is larger)."""
    if kind == 0:
        return wright(target / c + math.log(s / c)) * (c / s)
    if kind == 3:
        return max(target / s, 0.0)
    return power_root(target, c * m / (m - 1.0), s, m - 1.0)


@njit(cache=True, nogil=True)
def terminal_update(first, last, rho, kind, c, m, v, cap, s, relaxation, z):
    """Dual step of the terminal energy: rho = ρ̄_N, v its potential (FIXED: the density prescribed), z; (ny, nx)."""
    nx = rho.shape[1]
    for j in range(first, last):
        for i in range(nx):
            old = z[j, i]
            moved = old + s * rho[j, i]
            r = v[j, i] if kind == 4 else min(prox_cell(moved - v[j, i], kind, c, m, s), cap)
            z[j, i] = old + relaxation * (moved - s * r - old)
