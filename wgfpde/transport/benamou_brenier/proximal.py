"""Proximal maps of the kinetic energy on a face and of the energy in a cell.

**Kinetic.**  J(θ, m) = m²/(2θ) (0 at the origin, +∞ for θ < 0 or θ = 0 ≠ m) is the support function of the paraboloid
{a + b²/2 ≤ 0}, so that prox_{σJ*} is the projection of (A, B) onto it in the metric (1/s_θ, 1/s_m):

    b = B/t,     a = min(A, −½b²),     t ≥ 1 the root of t²(t − c) = e,     c = 1 + A s_m/s_θ,   e = ½B² s_m/s_θ

where A + B²/2 > 0, and (A, B) itself elsewhere (t = 1).  By Moreau (A − a)/s_θ = θ and (B − b)/s_m = m are the proximal
point of J, with m = θ b.  Newton on the cubic starts right of its root, on a convex branch: it decreases monotonically
and needs no other safeguard; the start is at most about twice the root, so NEWTON steps reach rounding.

With a diffusion D, J = m²/(2Dθ) has the paraboloid {a + Db²/2 ≤ 0}, which is the same one in √D b and m/√D, of which
the step is s_m D: c = 1 + D A s_m/s_θ, e = ½ D²B² s_m/s_θ, a = min(A, −½Db²).

**Energy.**  With f(r) = c U(r) + v r on 0 ≤ r ≤ cap, prox_{sf*}(Z) = Z − s r, r = prox_{f/s}(Z/s) the root of

    c U'(r) + v + s r = Z,  then clipped to [0, cap]   (exact: f is convex in one variable).

The root is the law's own (`energy.laws.by_code.prox_cell`).  A prescribed density is its own proximal point.   The
constraint r ≥ 0: prox_{sf*}(Z) = min(Z, 0).

Reference: Papadakis, Peyré, Oudet (2014), DOI 10.1137/130920058; Moreau (1965).

Kernels update the dual variables y in place, y ← y + relaxation (prox_{σF*}(y + σKx̄) − y), on rows first … last.
"""

from __future__ import annotations

import math

import numpy as np

from ...base.kernel_cache import njit
from ...energy.laws.by_code import prox_cell
from .operators import along_x, along_y

FIXED = -1
"""The code of a terminal energy that is no law: the density at the end is prescribed."""
NEWTON = 7


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
def kinetic_update(first, last, bar, rho0, d_x, d_y, wrap_x, wrap_y, s_theta, s_m, s_rho, relaxation, y):
    """Dual step of every face, and of ρ_k ≥ 0 for k < N.

    d_x, d_y : D of the faces (`operators.Staggering`).

    bar : (3, N, ny, nx) ρ̄, m̄_x, m̄_y.   rho0 : (ny, nx).   y : (5, N, ny, nx) a_x, b_x, a_y, b_y, z.
    wrap_x, wrap_y : whether the last face of an axis is a face at all; a wall is left alone.
    """
    _, steps, ny, nx = bar.shape
    theta, t, c, e = np.empty(nx), np.empty(nx), np.empty(nx), np.empty(nx)
    d = np.ones(nx)
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
                if d_x.ndim == 3:
                    for i in range(count):
                        theta[i] = a[i] + s_theta * theta[i]
                        c[i] = 1.0 + ratio * theta[i]
                        q = b[i] + s_m * m[i]
                        e[i] = 0.5 * ratio * q * q
                else:
                    for i in range(count):
                        d[i] = along_x(d_x, j, i) if part == 0 else along_y(d_y, j, i)
                        theta[i] = a[i] + s_theta * theta[i]
                        c[i] = 1.0 + ratio * d[i] * theta[i]
                        q = d[i] * (b[i] + s_m * m[i])
                        e[i] = 0.5 * ratio * q * q
                paraboloid(c, e, count, t)
                for i in range(count):
                    q = (b[i] + s_m * m[i]) / t[i]
                    bound = -0.5 * q * q
                    if d_x.ndim != 3:
                        bound *= d[i]
                    a[i] += relaxation * (min(theta[i], bound) - a[i])
                    b[i] += relaxation * (q - b[i])
            if k < steps - 1:
                z = y[4, k, j]
                for i in range(nx):
                    z[i] += relaxation * (min(z[i] + s_rho * rho[i], 0.0) - z[i])


@njit(cache=True, nogil=True)
def terminal_update(first, last, rho, code, c, m, v, cap, s, relaxation, z):
    """Dual step of the terminal energy: rho = ρ̄_N, v its potential (FIXED: the density prescribed), z; (ny, nx)."""
    nx = rho.shape[1]
    for j in range(first, last):
        for i in range(nx):
            old = z[j, i]
            moved = old + s * rho[j, i]
            r = v[j, i] if code == FIXED else min(prox_cell(moved - v[j, i], code, c, m, s), cap)
            z[j, i] = old + relaxation * (moved - s * r - old)
