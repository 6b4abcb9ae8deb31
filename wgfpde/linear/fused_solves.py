"""Two solves with one matrix of a chain, in four passes along it: those of `tridiagonal`, with their bits.

    A one = h old,    A two = h (old + w (one − old)),    A = diag(h) + c L        (module `tridiagonal`)

    up      factorise, and eliminate in the first right-hand side
    down    the first solution, and the second right-hand side from it
    up      eliminate in that
    down    the second solution, and whether it is negative anywhere

Of the factors 1/D is kept; c α/D and c β/D are formed again from the rates, for which there is less to read.
"""

from __future__ import annotations

from ..base.kernel_cache import njit
from .rows import any_negative, filled, least, put, row


@njit(cache=True, nogil=True, error_model="numpy")
def two_solves(alpha, beta, c, weight, h, old, g, one, two):
    """Solve both; two = one for weight 0.   Returns whether a number of `two` is below 0.

    alpha, beta : rates of the faces.   h : (n,) > 0.   old : the density.   g : scratch, 1/D.   one, two : out; `one`
    is not touched for weight 0.   All but h are (n, LANES), or (n,) for a line alone.
    """
    n = h.shape[0]
    carry = h[0] * row(old, 0)
    sigma = filled(old, h[0])
    for i in range(n - 1):
        forth = c * row(alpha, i)
        inverse = 1.0 / (sigma + forth)
        put(g, i, inverse)
        put(two, i, carry)
        sigma = h[i + 1] + c * row(beta, i) * (sigma * inverse)
        carry = h[i + 1] * row(old, i + 1) + forth * inverse * carry
    put(g, n - 1, 1.0 / sigma)
    put(two, n - 1, carry)
    if weight > 0.0:
        _next_side(beta, c, weight, h, old, g, one, two)
        carry = row(two, 0)
        for i in range(n - 1):
            carry = row(two, i + 1) + c * row(alpha, i) * row(g, i) * carry
            put(two, i + 1, carry)
    carry = row(two, n - 1) * row(g, n - 1)
    put(two, n - 1, carry)
    lowest = carry
    for i in range(n - 2, -1, -1):
        inverse = row(g, i)
        carry = row(two, i) * inverse + c * row(beta, i) * inverse * carry
        put(two, i, carry)
        lowest = least(lowest, carry)
    return any_negative(lowest)


@njit(cache=True, nogil=True, error_model="numpy")
def _next_side(beta, c, weight, h, old, g, one, two):
    """The first solution, into one, from what was eliminated in `two`, and there the second right-hand side."""
    n = h.shape[0]
    first = row(two, n - 1) * row(g, n - 1)
    for i in range(n - 1, -1, -1):
        if i < n - 1:
            inverse = row(g, i)
            first = row(two, i) * inverse + c * row(beta, i) * inverse * first
        put(one, i, first)
        if weight == 1.0:
            put(two, i, h[i] * first)
        else:
            start = row(old, i)
            put(two, i, h[i] * (start + weight * (first - start)))
