"""Sweeps of a linear step at one dt, with factors that are kept: forward, and transposed.

On each grid line, with the rates a, b of the flux (module `energy.rates`) and A = h + c L,

    order 1   S = A⁻¹h,   c = dt                             backward Euler
    order 2   S = G + w G (G − 1),   G = A⁻¹h,   c = γ dt,   w = (1−γ)/γ        SDIRK2, γ = 1 − 1/√2

The elimination of `linear.tridiagonal` is A⁻¹ = (1 − F)⁻¹ D (1 − E)⁻¹, D diagonal, E below it and F above it; so

    A⁻ᵀ = (1 − Eᵀ)⁻¹ D (1 − Fᵀ)⁻¹

is the same elimination with E and F in each other's place.  The adjoint of S in the pairing Σ h a b is h⁻¹Sᵀh, which is
S with A⁻ᵀ for A⁻¹.  No entry of E, D, F is negative, and none is a difference: at order 1 every cell is accurate
relative to itself, in both directions, however small the Gibbs state is there.
"""

from __future__ import annotations

import numpy as np

from ...base.kernel_cache import njit
from ...linear.lines import gather, scatter
from ...linear.tridiagonal import factor, solve


@njit(cache=True, nogil=True, error_model="numpy")
def factors(first, last, a, b, h, span, ring, e, f, g, u, v):
    """The elimination of h + span·L on blocks first … last, into e, f, g, u, v (blocks, n, LANES).

    a, b : rates of the faces.   u, v : (blocks, n, LANES) on rings, else of one place.   g is of h alone before.
    """
    for q in range(first, last):
        place = q if ring else 0
        for i in range(g.shape[1]):
            for k in range(g.shape[2]):
                f[q, i, k] = h[i]
        factor(a[q], b[q], span, f[q].copy(), ring, e[q], f[q], g[q], u[place], v[place])


@njit(cache=True, nogil=True, error_model="numpy")
def carry(first, last, field, direction, e, f, g, u, v, h, ring, weight, out):
    """One sweep of lines of blocks first … last along `direction`, from field into out (ny, nx); may be the same array.

    e, f, g, u, v : from `factors`; with e and f, and u and v, in each other's place it is the adjoint.
    weight : w, or 0 at order 1.
    """
    n, lanes = e.shape[1:]
    lines = field.shape[0] if direction == 1 else field.shape[1]
    old, new = np.zeros((n, lanes)), np.zeros((n, lanes))
    for q in range(first, last):
        place = q if ring else 0
        count = min(lanes, lines - q * lanes)
        gather(field, direction, q * lanes, count, old)
        for i in range(n):
            for k in range(lanes):
                new[i, k] = h[i] * old[i, k]
        solve(e[q], f[q], g[q], u[place], v[place], ring, new)
        if weight > 0.0:
            for i in range(n):
                for k in range(lanes):
                    new[i, k] = h[i] * (old[i, k] + weight * (new[i, k] - old[i, k]))
            solve(e[q], f[q], g[q], u[place], v[place], ring, new)
        scatter(new, direction, q * lanes, count, out)
