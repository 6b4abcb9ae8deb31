"""The curvature of Bakry and Émery of a reversible chain, state by state.

    Γ(f) = ½(Lf² − 2f Lf),   Γ₂(f) = ½(LΓ(f) − 2Γ(f, Lf)),     K(x) = min Γ₂(f)(x)/Γ(f)(x)

Γ₂(f)(x) sees f on the states within two jumps of x alone.  With f(x) = 0 the values two jumps away enter as
¼p_z f_z² − f_z Σ_y c_yz f_y, c_yz = q_xy q_yz, p_z = Σ_y c_yz: minimised, they leave −(Σ_y c_yz f_y)²/p_z (a Schur
complement that is diagonal), and K(x) is the least eigenvalue of a matrix of the size of the degree of x.

K ≥ λ at all states is CD(λ, ∞), by which the gap of the chain is at least λ: a bound that knows grid and walls.
Complexity: the squares of degrees, summed.  References: Bakry, Émery (1985), Diffusions hypercontractives, Séminaire de
probabilités XIX; Cushing, Liu, Peyerimhoff (2020), Canad. J. Math. 72, on graphs.
"""

from __future__ import annotations

import numpy as np

from ...base.kernel_cache import njit
from ...grid import Array
from ...grid.public_arguments import public
from .reversible_chain import Chain


@public
def curvature(chain: Chain) -> Array:
    """K(x) of every state, (n,), 1/time; its least value bounds the gap from below.  NaN where rates underflow."""
    from scipy.sparse import coo_array

    i, j = chain.edges.T
    places = np.concatenate([i, j]), np.concatenate([j, i])
    rates = coo_array((np.concatenate([chain.forth, chain.back]), places), shape=(chain.states,) * 2).tocsr()
    return np.asarray(_curvatures(rates.indptr.astype(np.int64), rates.indices.astype(np.int64), rates.data))


@njit(cache=True, nogil=True, error_model="numpy")
def _curvatures(start, to, rate):
    """K of all states of the graph whose jumps from x are to[start[x]:start[x + 1]], at these rates."""
    n = len(start) - 1
    found, place = np.empty(n), np.full(n, -1)
    far, at = np.full(n, -1), np.empty(n, np.int64)
    for x in range(n):
        first, degree = start[x], start[x + 1] - start[x]
        near, q = to[first : first + degree], rate[first : first + degree]
        for a in range(degree):
            place[near[a]] = a
        form = _near_form(x, near, q, start, to, rate, place)
        count = 0
        for a in range(degree):  # the states two jumps away, numbered
            for k in range(start[near[a]], start[near[a] + 1]):
                z = to[k]
                if z != x and place[z] < 0 and far[z] < 0:
                    far[z], at[count] = count, z
                    count += 1
        jump = np.zeros((count, degree))
        for a in range(degree):
            for k in range(start[near[a]], start[near[a] + 1]):
                if far[to[k]] >= 0:
                    jump[far[to[k]], a] = q[a] * rate[k]
        for z in range(count):
            total = np.sum(jump[z])
            for a in range(degree):
                for b in range(degree):
                    form[a, b] -= jump[z, a] * jump[z, b] / total
            far[at[z]] = -1
        for a in range(degree):
            place[near[a]] = -1
            for b in range(degree):
                form[a, b] *= 2.0 / np.sqrt(q[a] * q[b])
        found[x] = np.linalg.eigvalsh(form)[0] if np.all(np.isfinite(form)) else np.nan
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def _near_form(x, near, q, start, to, rate, place):
    """Γ₂(f)(x) with f(x) = 0 as a form in the values of f at the neighbours, those two jumps away being 0."""
    degree = len(near)
    form, total = np.zeros((degree, degree)), np.sum(q)
    for a in range(degree):
        form[a, a] -= 0.25 * total * q[a]
        for b in range(degree):
            form[a, b] += 0.5 * q[a] * q[b]
        for k in range(start[near[a]], start[near[a] + 1]):
            c, b = q[a] * rate[k], place[to[k]]
            form[a, a] += 0.75 * c
            if b >= 0:
                form[b, b] += 0.25 * c
                form[a, b] -= 0.5 * c
                form[b, a] -= 0.5 * c
    return form
