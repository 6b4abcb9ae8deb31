"""Batches of tridiagonal M-matrix systems, solved without a single subtraction.

    A ρ = r,   A = diag(s) + (graph Laplacian of rates),   1ᵀA = sᵀ,
    row i:  (s_i + α_i + β_{i−1}) ρ_i − α_{i−1} ρ_{i−1} − β_i ρ_{i+1} = r_i

α_i is the rate from cell i to i+1 and β_i the rate back; s are the column sums.  Eliminating from the left,
D_i = σ_i + α_i and σ_{i+1} = s_{i+1} + β_i σ_i / D_i, where σ_i is again a column sum.  With α, β, s ≥ 0 every
operation adds, multiplies or divides non-negative numbers, so each entry of ρ is accurate to a small multiple of the
rounding unit *relative to itself*, for every size of α and β: 1ᵀs ρ = 1ᵀr and A ρ = 0-flux states survive any step.
Plain Thomas forms s + α + β − … and loses them.  Mixed signs are allowed (Newton) and then this is plain LU.

Cyclic systems carry, beside the chain, each cell's rates to and from the last cell; these stay non-negative too.

A right-hand side with −c ∂F in it has entries that may exceed its sum by more than 1/ε, and elimination would drown
the sum, which is the mass, in their rounding.  `solve_balance` keeps F apart: a cell eliminated with −F_i hands e_i F_i
on, where +F_i is waiting, so that (1 − e_i) F_i = (σ_i/D_i) F_i is all that is added, and formed without subtraction.

Reference: Grassmann, Taksar, Heyman (1985), DOI 10.1287/opre.33.5.1107; O'Cinneide (1993), DOI 10.1007/BF01385741.

Arrays are (n, LANES): LANES independent systems side by side, so that the recurrences run in vector registers.
Unused lanes need s > 0 only; what they hold is never read.
"""

from __future__ import annotations

import numpy as np

from ..base.kernel_cache import njit

LANES = 8


@njit(cache=True, nogil=True, error_model="numpy")
def factor(alpha, beta, c, sums, ring, e, f, g, u, v):
    """Factorise the systems with rates c·alpha, c·beta and column sums `sums`.

    alpha, beta, sums : (n, LANES); rates per face i+½, the last row being the face that closes a ring n−1 → 0.
    e, f, g, u, v : (n, LANES) out: c α/D, c β/D, 1/D and, if ring, rate to and from the last cell over D.
    """
    n, lanes = alpha.shape
    sigma = np.empty(lanes)
    for k in range(lanes):
        sigma[k] = sums[0, k]
    if not ring:
        for i in range(n - 1):
            for k in range(lanes):
                inverse = 1.0 / (sigma[k] + c * alpha[i, k])
                g[i, k] = inverse
                e[i, k] = c * alpha[i, k] * inverse
                f[i, k] = c * beta[i, k] * inverse
                sigma[k] = sums[i + 1, k] + c * beta[i, k] * (sigma[k] * inverse)
        for k in range(lanes):
            g[n - 1, k] = 1.0 / sigma[k]
        return
    to_last = np.empty(lanes)
    from_last = np.empty(lanes)
    sigma_last = np.empty(lanes)
    for k in range(lanes):
        to_last[k] = c * beta[n - 1, k]
        from_last[k] = c * alpha[n - 1, k]
        sigma_last[k] = sums[n - 1, k]
    for i in range(n - 2):
        for k in range(lanes):
            inverse = 1.0 / (sigma[k] + c * alpha[i, k] + to_last[k])
            g[i, k] = inverse
            e[i, k] = c * alpha[i, k] * inverse
            f[i, k] = c * beta[i, k] * inverse
            u[i, k] = to_last[k] * inverse
            v[i, k] = from_last[k] * inverse
            sigma_last[k] += from_last[k] * (sigma[k] * inverse)
            sigma[k] = sums[i + 1, k] + c * beta[i, k] * (sigma[k] * inverse)
            to_last[k] = c * beta[i, k] * u[i, k]
            from_last[k] = from_last[k] * e[i, k]
    i = n - 2
    for k in range(lanes):
        rate = c * alpha[i, k] + to_last[k]
        back = c * beta[i, k] + from_last[k]
        inverse = 1.0 / (sigma[k] + rate)
        g[i, k] = inverse
        e[i, k] = rate * inverse
        f[i, k] = back * inverse
        u[i, k] = 0.0
        v[i, k] = 0.0
        g[n - 1, k] = 1.0 / (sigma_last[k] + back * (sigma[k] * inverse))


@njit(cache=True, nogil=True, error_model="numpy")
def solve(e, f, g, u, v, ring, r):
    """Solve in place: r (n, LANES) is the right-hand side on entry, the solution on exit."""
    n, lanes = r.shape
    if not ring:
        for i in range(n - 1):
            for k in range(lanes):
                r[i + 1, k] += e[i, k] * r[i, k]
        for k in range(lanes):
            r[n - 1, k] *= g[n - 1, k]
        for i in range(n - 2, -1, -1):
            for k in range(lanes):
                r[i, k] = r[i, k] * g[i, k] + f[i, k] * r[i + 1, k]
        return
    last = np.empty(lanes)
    for k in range(lanes):
        last[k] = r[n - 1, k]
    for i in range(n - 2):
        for k in range(lanes):
            r[i + 1, k] += e[i, k] * r[i, k]
            last[k] += u[i, k] * r[i, k]
    for k in range(lanes):
        last[k] = (last[k] + e[n - 2, k] * r[n - 2, k]) * g[n - 1, k]
        r[n - 1, k] = last[k]
    for i in range(n - 2, -1, -1):
        for k in range(lanes):
            r[i, k] = r[i, k] * g[i, k] + f[i, k] * r[i + 1, k] + v[i, k] * last[k]


@njit(cache=True, nogil=True, error_model="numpy")
def solve_balance(e, f, g, u, v, sums, ring, flux, c, r):
    """Solve in place with the right-hand side r_i − c (F_i − F_{i−1}); F = flux (n, LANES), per face i+½.

    sums : as given to `factor`.   1ᵀ(sums · solution) = 1ᵀr to a few ε of |r| and of the solution, however large cF is.
    """
    n, lanes = r.shape
    sigma, rest, around, last = np.empty(lanes), np.empty(lanes), np.zeros(lanes), np.zeros(lanes)
    for k in range(lanes):
        sigma[k] = sums[0, k]
        rest[k] = r[0, k]
        if ring:
            around[k] = c * flux[n - 1, k]
            last[k] = r[n - 1, k]
    for i in range(n - 2 if ring else n - 1):
        for k in range(lanes):
            front = c * flux[i, k]
            kept = sigma[k] * g[i, k]
            r[i, k] = rest[k] - front + around[k]
            if ring:
                last[k] += u[i, k] * rest[k] - kept * around[k]
                around[k] = u[i, k] * front + e[i, k] * around[k]
            rest[k] = r[i + 1, k] + e[i, k] * rest[k] + kept * front
            sigma[k] = sums[i + 1, k] + f[i, k] * sigma[k]
    for k in range(lanes):
        if ring:
            across = c * flux[n - 2, k] - around[k]
            r[n - 2, k] = rest[k] - across
            last[k] = (last[k] + e[n - 2, k] * rest[k] + sigma[k] * g[n - 2, k] * across) * g[n - 1, k]
            r[n - 1, k] = last[k]
        else:
            r[n - 1, k] = rest[k] * g[n - 1, k]
    for i in range(n - 2, -1, -1):
        for k in range(lanes):
            back = v[i, k] * last[k] if ring else 0.0
            r[i, k] = r[i, k] * g[i, k] + f[i, k] * r[i + 1, k] + back
