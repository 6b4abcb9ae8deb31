"""Kernels of the exact step on a line: the coupling of two densities cell by cell, and its Newton system.

ρ⁰ and ρ are constant on cells, F and G their distribution functions at the edges, Q = F⁻¹, T = Q∘G the optimal map.
In a cell of ρ with s = (y − y_left)/h, g the value of G at its left edge and d = hρ its rise,

    z = y − T(y),    a_L = ∫(1 − s)z dy,    a_R = ∫s z dy,    cost = ½∫ρz² dy,    dν = dQ/ρ

and ½W₂² changes, when g and d do, by −(a_L + a_R) δg − a_R δd + ½∫(δg + s δd)² dν.  Where F is flat Q jumps, and ν has
an atom.  ν is kept as (A, s̄, S): its mass, mean and ∫(s − s̄)²dν, of which all that is needed is a sum of terms ≥ 0.
"""

from __future__ import annotations

import numpy as np

from ....base.kernel_cache import njit

EMPTY = 1e-290
"""Part of the mass below which a cell counts as empty: 1/(hρ) would exceed the doubles."""
MOST_SHIFTS, CLOSE = 200, 4e-16
"""Evaluations in the search for the shift of a circle, and the width of its last bracket over the mass."""


@njit(cache=True, nogil=True, error_model="numpy")
def couple(ends, g, edges, f, out):
    """out[:, j] = a_L, a_R, cost, A, s̄, S of cell j.

    ends, g : (n+1,) edges of ρ's cells, and G there, increasing.   edges, f : (k+1,) the same of ρ⁰; f reaches from
    below the first to above the last of g.   out : (6, n).
    """
    n, last, i = len(g) - 1, len(f) - 2, 0  # i: the cell of ρ⁰ that holds the level reached
    for j in range(n):
        left, h, low, rise = ends[j], ends[j + 1] - ends[j], g[j], g[j + 1] - g[j]
        for row in range(6):
            out[row, j] = 0.0
        if rise <= EMPTY * (g[n] - g[0]):
            while i < last and f[i + 1] < low:
                i += 1
            least, most = _quantiles(edges, f, i, low)
            _rest(left, h, least, most, out, j)
            continue
        while i < last and f[i + 1] <= low:
            i += 1
        s0, t0 = 0.0, _place(edges, f, i, low)
        while i < last and f[i + 1] < g[j + 1]:
            s1, t1 = (f[i + 1] - low) / rise, edges[i + 1]
            _piece(left, h, rise, s0, s1, t0, t1, out, j)
            above, i = f[i + 1], i + 1
            while i < last and f[i + 1] <= above:
                i += 1
            s0, t0 = s1, edges[i]
            if t0 > t1:
                _add(h / rise * (t0 - t1), s0, 0.0, out, j)
        _piece(left, h, rise, s0, 1.0, t0, _place(edges, f, i, g[j + 1]), out, j)


@njit(cache=True, nogil=True, error_model="numpy")
def couple_on_circle(ends, levels, edges, f, shift, out, other):
    """`couple` with the shift α of least cost: g = α + levels.

    The slope of the cost in α, −∫z dy, rises with it and is 0 where φ closes on the circle.  Where it passes 0 between
    neighbouring doubles, as it does in a cell of very little mass, `out` is the mean of both sides for which it is 0.
    Returns α, and what the cost may be off by as α is no finer.
    levels : (n+1,) from 0 to the mass M.   edges, f : of ρ⁰ over five turns, from −2M to 3M.   other : (6, n) work.
    """
    mass = levels[-1]
    low, high = -mass, mass
    shift = min(max(shift, low), high)
    slope_low, slope_high = -np.inf, np.inf
    for count in range(MOST_SHIFTS):
        couple(ends, levels + shift, edges, f, out)
        slope, bend = -np.sum(out[0] + out[1]), np.sum(out[3])
        if slope == 0.0:
            return shift, 0.0
        if slope < 0.0:
            low, slope_low = shift, slope
        else:
            high, slope_high = shift, slope
        if high - low <= CLOSE * mass:
            break
        new = shift - slope / bend
        if abs(new - shift) <= 0.25 * CLOSE * mass:  # a bracket on the other side of the root
            new = shift + (0.5 if slope < 0.0 else -0.5) * CLOSE * mass
        if count % 4 == 3 or not low < new < high:
            new = 0.5 * (low + high)
        shift = new
    couple(ends, levels + low, edges, f, out)
    couple(ends, levels + high, edges, f, other)
    slope_low, slope_high = -np.sum(out[0] + out[1]), -np.sum(other[0] + other[1])
    if not slope_low < 0.0 < slope_high:
        return low, 0.0
    part = slope_low / (slope_low - slope_high)
    if part > 0.5:
        out[3:] = other[3:]
    out[:3] = (1.0 - part) * out[:3] + part * other[:3]
    return low + part * (high - low), (high - low) * max(-slope_low, slope_high)


@njit(cache=True, nogil=True, error_model="numpy")
def _place(edges, f, i, u):
    """Q(u) for u in cell i."""
    share = (u - f[i]) / (f[i + 1] - f[i]) if f[i + 1] > f[i] else 0.0
    return edges[i] + min(max(share, 0.0), 1.0) * (edges[i + 1] - edges[i])


@njit(cache=True, nogil=True, error_model="numpy")
def _quantiles(edges, f, i, u):
    """The smallest and the largest place where F = u; i is the first cell at whose right edge F ≥ u."""
    first, n, k = _place(edges, f, i, u), len(f) - 1, i
    while k < n and f[k + 1] <= u:
        k += 1
    return first, max(first, edges[k] if k > i else first)


@njit(cache=True, nogil=True)
def _rest(left, h, first, last, out, j):
    """A cell without mass between two quantiles of one level: T is as near to the identity as it can be."""
    z0, z1 = left - min(max(left, first), last), left + h - min(max(left + h, first), last)
    out[0, j] = h * (2.0 * z0 + z1) / 6.0
    out[1, j] = h * (z0 + 2.0 * z1) / 6.0


@njit(cache=True, nogil=True)
def _piece(left, h, rise, s0, s1, t0, t1, out, j):
    """Add the part s0 … s1, on which T is linear."""
    ds, z0, z1 = s1 - s0, left + h * s0 - t0, left + h * s1 - t1
    right = ds * (z0 * (2.0 * s0 + s1) + z1 * (s0 + 2.0 * s1)) / 6.0
    out[0, j] += h * (0.5 * ds * (z0 + z1) - right)
    out[1, j] += h * right
    out[2, j] += rise * ds * (z0 * z0 + z0 * z1 + z1 * z1) / 6.0
    if t1 > t0:
        _add(h / rise * (t1 - t0), 0.5 * (s0 + s1), ds * ds / 12.0, out, j)


@njit(cache=True, nogil=True)
def _add(weight, at, spread, out, j):
    """Add a part of ν with its mean and variance to (A, s̄, S) of cell j."""
    total, off = out[3, j] + weight, at - out[4, j]
    out[5, j] += weight * spread + off * off * weight * out[3, j] / total
    out[4, j] += off * weight / total
    out[3, j] = total


@njit(cache=True, nogil=True, error_model="numpy")
def riccati(stiff, nu, lin_d, lin_g, q, b, d):
    """The d (n,) that minimise Σ ½ K d² + ½∫(g + sd)² dν + lin_d d + lin_g g,  g_{j+1} = g_j + d_j, g_0 = g_n = 0.

    stiff : (n,) K > 0.   nu : (3, n) A, s̄, S.   q, b : (n,) work, the quadratic and linear part of what is to come.
    Every coefficient of the recursion is a sum of terms ≥ 0, so that d_j keeps its digits where K is large.
    """
    n = len(d)
    for j in range(n - 1, -1, -1):
        big, mean, k = nu[0, j], nu[1, j], stiff[j]
        b_, c_, e_ = big * mean, big * mean * mean + nu[2, j], big * (1.0 - mean) * (1.0 - mean) + nu[2, j]
        if j == n - 1:
            q[j] = k + e_
            b[j] = lin_g[j] - lin_d[j]
            continue
        whole = k + c_ + q[j + 1]
        q[j] = k / whole * (big + q[j + 1]) + (big * nu[2, j] + q[j + 1] * e_) / whole  # K² may exceed the doubles
        b[j] = b[j + 1] + lin_g[j] - (b_ + q[j + 1]) * (lin_d[j] + b[j + 1]) / whole
    g = 0.0
    for j in range(n - 1):
        big, mean = nu[0, j], nu[1, j]
        whole = stiff[j] + big * mean * mean + nu[2, j] + q[j + 1]
        d[j] = -((big * mean + q[j + 1]) * g + lin_d[j] + b[j + 1]) / whole
        g += d[j]
    d[n - 1] = -g


@njit(cache=True, nogil=True, error_model="numpy")
def riccati_on_circle(stiff, nu, lin_d, lin_g, q, b, d):
    """The same with any g_0 = g_n = a: a minimum for a = 0, and the change that one with a = 1 makes.  Returns a.

    With g + 1 for g the linear terms gain A in g and A s̄ in d.  The value is V₁a + ½V₂a² above that of a = 0, with V₁
    its slope in g at the first minimum and V₂ a sum of squares of the second.
    """
    n = len(d)
    riccati(stiff, nu, lin_d, lin_g, q, b, d)
    turn = np.empty(n)
    riccati(stiff, nu, nu[0] * nu[1], nu[0].copy(), q, b, turn)
    first = second = g = 0.0
    level = 1.0
    for j in range(n):
        first += nu[0, j] * (g + nu[1, j] * d[j]) + lin_g[j]
        inner = level + nu[1, j] * turn[j]
        second += stiff[j] * turn[j] * turn[j] + nu[0, j] * inner * inner + nu[2, j] * turn[j] * turn[j]
        g, level = g + d[j], level + turn[j]
    a = -first / second if second > 0.0 else 0.0
    for j in range(n):
        d[j] += a * turn[j]
    return a
