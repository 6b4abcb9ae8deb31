"""Two solves with one matrix of a chain, in four passes along it: those of `tridiagonal`, with their bits.

    A one = h old,    A two = h (old + w (one − old)),    A = diag(h) + c L        (module `tridiagonal`)

    up      factorise, and eliminate in the first right-hand side
    down    the first solution, and the second right-hand side from it
    up      eliminate in that
    down    the second solution, and whether it is negative anywhere

Of the factors 1/D is kept; c α/D and c β/D are formed again from the rates, for which there is less to read.  Of a ring
the rates to and from the last cell are kept beside it, and the last two cells are by themselves.

`balanced` is for a matrix that serves once: of Newton's method, with fluxes apart (`tridiagonal.solve_balance`).

Everything is (n, LANES), or (n,) for a line alone, but h (n,), the volumes > 0.
"""

from __future__ import annotations

from ..base.kernel_cache import njit
from .lines import alone
from .rows import any_negative, filled, least, put, row
from .tridiagonal import LANES, factor, solve_balance


@njit(cache=True, nogil=True, error_model="numpy")
def two_solves(alpha, beta, c, weight, h, old, g, known, one, two):
    """Solve both; two = one for weight 0.   Returns whether a number of `two` is below 0.

    alpha, beta : rates of the faces.   old : the density.   one, two : out; `one` if weight > 0.
    g : 1/D, out, or in where it is `known`.
    """
    n = h.shape[0]
    carry = h[0] * row(old, 0)
    sigma = filled(old, h[0])
    if known:
        for i in range(n - 1):
            put(two, i, carry)
            carry = h[i + 1] * row(old, i + 1) + c * row(alpha, i) * row(g, i) * carry
    else:
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


@njit(cache=True, nogil=True, error_model="numpy")
def two_solves_around(alpha, beta, c, weight, h, old, g, u, v, one, two):
    """The same on rings.   u, v : scratch too, the rates to and from the last cell, over D."""
    n = h.shape[0]
    forth, back, inverse, last = _first_around(alpha, beta, c, h, old, g, u, v, two)
    last = (last + forth * row(two, n - 2)) * inverse
    if weight > 0.0:
        carry = last
        for i in range(n - 1, -1, -1):
            if i < n - 1:
                carry = _down_around(beta, c, g, v, two, i, back, carry, last)
            put(one, i, carry)
            if weight == 1.0:
                put(two, i, h[i] * carry)
            else:
                start = row(old, i)
                put(two, i, h[i] * (start + weight * (carry - start)))
        carry, last = row(two, 0), row(two, n - 1)
        for i in range(n - 2):
            last = last + row(u, i) * carry
            carry = row(two, i + 1) + c * row(alpha, i) * row(g, i) * carry
            put(two, i + 1, carry)
        last = (last + forth * carry) * inverse
    put(two, n - 1, last)
    carry, lowest = last, last
    for i in range(n - 2, -1, -1):
        carry = _down_around(beta, c, g, v, two, i, back, carry, last)
        put(two, i, carry)
        lowest = least(lowest, carry)
    return any_negative(lowest)


@njit(cache=True, nogil=True, error_model="numpy")
def _first_around(alpha, beta, c, h, old, g, u, v, two):
    """Factorise, and eliminate in the first right-hand side.

    Returns c α/D and c β/D of the last cell but one, all ways to the last taken together, 1/D of the last, and what
    stands on its right-hand side but for the one before.
    """
    n = h.shape[0]
    carry, last = h[0] * row(old, 0), h[n - 1] * row(old, n - 1)
    sigma, sigma_last = filled(old, h[0]), filled(old, h[n - 1])
    to_last, from_last = c * row(beta, n - 1), c * row(alpha, n - 1)
    for i in range(n - 2):
        forth = c * row(alpha, i)
        inverse = 1.0 / (sigma + forth + to_last)
        over = to_last * inverse
        put(g, i, inverse)
        put(u, i, over)
        put(v, i, from_last * inverse)
        put(two, i, carry)
        sigma_last = sigma_last + from_last * (sigma * inverse)
        sigma = h[i + 1] + c * row(beta, i) * (sigma * inverse)
        last = last + over * carry
        carry = h[i + 1] * row(old, i + 1) + forth * inverse * carry
        to_last = c * row(beta, i) * over
        from_last = from_last * (forth * inverse)
    rate = c * row(alpha, n - 2) + to_last
    back = c * row(beta, n - 2) + from_last
    inverse = 1.0 / (sigma + rate)
    put(g, n - 2, inverse)
    put(two, n - 2, carry)
    return rate * inverse, back * inverse, 1.0 / (sigma_last + back * (sigma * inverse)), last


@njit(cache=True, nogil=True, error_model="numpy")
def _down_around(beta, c, g, v, two, i, back, above, last):
    """The solution in cell i from that of the one above it and of the last."""
    inverse = row(g, i)
    if i == beta.shape[0] - 2:
        return row(two, i) * inverse + back * above
    return row(two, i) * inverse + c * row(beta, i) * inverse * above + row(v, i) * last


@njit(cache=True, nogil=True, error_model="numpy")
def balanced(alpha, beta, c, sums, ring, flux, d, parts, extra, count, r):
    """`factor` and then `solve_balance`, with their bits, where the factors serve once; in place of r_i, the solution.

    All are blocks (n, lanes), with any number of lanes; in two passes where lines do not close and are LANES, or one,
    which is said by a count of None (`lines.live`).
    sums : column sums.   flux : F.   d : its factor, r_i − d ∂F.   parts, extra : (3, n, lanes), (2, n or 1, lanes)
    scratch.
    """
    e, f, g = parts[0], parts[1], parts[2]
    if count is None and not ring:
        _balanced_chain(alone(alpha), alone(beta), c, alone(sums), alone(flux), d, alone(f), alone(g), alone(r))
    elif sums.shape[1] == LANES and not ring:
        _balanced_chain(alpha, beta, c, sums, flux, d, f, g, r)
    else:
        factor(alpha, beta, c, sums, ring, e, f, g, extra[0], extra[1])
        solve_balance(e, f, g, extra[0], extra[1], sums, ring, flux, d, r)


@njit(cache=True, nogil=True, error_model="numpy")
def _balanced_chain(alpha, beta, c, sums, flux, d, f, g, r):
    """`balanced` of a chain: once up, factorising and eliminating, and once down.   f, g : scratch, c β/D and 1/D."""
    n = sums.shape[0]
    sigma = held = row(sums, 0)
    rest = row(r, 0)
    for i in range(n - 1):
        forth, back, front = c * row(alpha, i), c * row(beta, i), d * row(flux, i)
        inverse = 1.0 / (sigma + forth)
        over, kept, above = back * inverse, held * inverse, row(sums, i + 1)
        put(f, i, over)
        put(g, i, inverse)
        put(r, i, rest - front)
        rest = row(r, i + 1) + forth * inverse * rest + kept * front
        held = above + over * held  # σ again, as `solve_balance` rounds it
        sigma = above + back * (sigma * inverse)
    carry = rest * (1.0 / sigma)
    put(r, n - 1, carry)
    for i in range(n - 2, -1, -1):
        carry = row(r, i) * row(g, i) + 0.0 + row(f, i) * carry  # never −0.0
        put(r, i, carry)
