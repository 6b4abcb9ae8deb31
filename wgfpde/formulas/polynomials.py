"""Formulas that are polynomials of x and y of low degree, found by one walk over their program.

A radius counts where it comes out even: |x| and hypot(x, y) are carried as a root √S with S a polynomial, and √S·√S is
S, so that r**4/4 - r**2/2 is a polynomial of x and y, and r**3 is none.  Coefficients are those of the expanded
formula, each to rounding.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from .program import Program

Terms = dict[tuple[int, int], float]
"""Coefficients by the powers of x and y; none is 0."""

MOST_DEGREE = 8
"""Largest degree in x and y together that is followed."""

_Rooted = dict[tuple[int, int, int], float]
"""The same with the power of the root, 0 or 1, as a third."""


class _NoPolynomial(Exception):
    """A step leads out of the polynomials."""


def polynomial_of(program: Program, numbers: Mapping[str, float]) -> Terms | None:
    """The polynomial of x and y that a program computes, or None where it is none of degree ≤ MOST_DEGREE.

    numbers : values of further variables, as {"t": 0.5}.   A coefficient that is not finite makes it None as well.
    """
    walk = _Expansion()
    values: dict[int, _Rooted] = {}
    try:
        for slot, value in enumerate(program.start):
            if value is not None:
                values[slot] = walk.number(float(value))
        for slot, name in program.loads:
            powers = {"x": (1, 0, 0), "y": (0, 1, 0)}.get(name)
            values[slot] = walk.number(numbers[name]) if powers is None else {powers: 1.0}
        for step in program.steps:
            rule = getattr(walk, f"of_{getattr(step.function, '__name__', '')}", None)
            if rule is None:
                return None
            values[step.target] = rule(*(values[k] for k in step.arguments))
    except (_NoPolynomial, KeyError, OverflowError):
        return None
    found = values[program.result]
    if any(root for _, _, root in found):
        return None
    return {(i, j): c for (i, j, _), c in found.items()}


class _Expansion:
    """Arithmetic on expanded polynomials, with one kind of root in a formula; `of_NAME` is the rule of a NumPy call."""

    def __init__(self) -> None:
        self._square: _Rooted | None = None

    def number(self, value: float) -> _Rooted:
        if not math.isfinite(value):
            raise _NoPolynomial
        return {(0, 0, 0): value} if value else {}

    def of_add(self, a: _Rooted, b: _Rooted) -> _Rooted:
        total = dict(a)
        for powers, c in b.items():
            total[powers] = total.get(powers, 0.0) + c
        if not all(map(math.isfinite, total.values())):
            raise _NoPolynomial
        return {powers: c for powers, c in total.items() if c}

    def of_negative(self, a: _Rooted) -> _Rooted:
        return {powers: -c for powers, c in a.items()}

    def of_subtract(self, a: _Rooted, b: _Rooted) -> _Rooted:
        return self.of_add(a, self.of_negative(b))

    def of_multiply(self, a: _Rooted, b: _Rooted) -> _Rooted:
        total: _Rooted = {}
        for (i, j, k), c in a.items():
            for (p, q, r), d in b.items():
                term: _Rooted = {(i + p, j + q, (k + r) % 2): c * d}
                if i + p + j + q > MOST_DEGREE:
                    raise _NoPolynomial
                total = self.of_add(total, term if k + r < 2 else self.of_multiply(term, self._square or {}))
        return total

    def of_square(self, a: _Rooted) -> _Rooted:
        return self.of_multiply(a, a)

    def of_divide(self, a: _Rooted, b: _Rooted) -> _Rooted:
        divisor = _constant(b)
        if divisor == 0.0:
            raise _NoPolynomial
        return self.of_add({powers: c / divisor for powers, c in a.items()}, {})

    def of_power(self, a: _Rooted, b: _Rooted) -> _Rooted:
        exponent = _constant(b)
        if exponent not in range(MOST_DEGREE + 1):
            raise _NoPolynomial
        result = self.number(1.0)
        for _ in range(int(exponent)):
            result = self.of_multiply(result, a)
        return result

    def of_absolute(self, a: _Rooted) -> _Rooted:
        return self._root(self.of_square(a))

    def of_hypot(self, a: _Rooted, b: _Rooted) -> _Rooted:
        return self._root(self.of_add(self.of_square(a), self.of_square(b)))

    def _root(self, square: _Rooted) -> _Rooted:
        """√S ≥ 0 of what is a sum of squares; a second kind of root is not followed."""
        if any(root for _, _, root in square) or self._square not in (None, square):
            raise _NoPolynomial
        self._square = square
        return {(0, 0, 1): 1.0}


def _constant(a: _Rooted) -> float:
    """The number that a constant polynomial is."""
    if any(powers != (0, 0, 0) for powers in a):
        raise _NoPolynomial
    return a.get((0, 0, 0), 0.0)
