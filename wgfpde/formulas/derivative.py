"""The derivative of a formula by x, y, t or s: each call of its program is followed by its rule.

    s = f(a, b)   ↦   s' = ∂₁f(a, b) a' + ∂₂f(a, b) b'        (forward mode; a' is left out where it is 0)

The result is a program of the same kind, so that a derivative costs about what the formula does and has no error of
differences.  There is one rule for each function of the grammar.  Where a formula has a kink, the derivative is that of
one of its sides: 0 for `sign`, `floor`, `ceil`, `heaviside` and conditions, of the branch taken for `where`, `min` and
`max`, and 0 for |x| at 0.  An infinite slope times 0 counts 0, as for sqrt(x**2) and r at the origin: there a central
difference of an even formula is 0 as well.

Reference: Griewank, Walther (2008), Evaluating Derivatives, chapter 3, DOI 10.1137/1.9780898717761.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import CaseError
from .program import Builder, Program

Slots = Sequence[int]
Rule = Callable[["_Writer", int, Slots], list["int | None"]]

_COMPARISONS = ("less", "less_equal", "greater", "greater_equal", "equal", "not_equal")
_CONDITIONS = (*_COMPARISONS, "logical_and", "logical_or", "logical_not")
_FLAT = ("sign", "floor", "ceil", "heaviside", *_CONDITIONS)
"""Functions that are constant but for jumps."""


def differentiate(program: Program, name: str, text: str = "") -> Program:
    """The program of ∂/∂name of what a program computes.   text : of the formula, for messages.

    Raises CaseError for a function whose derivative is no function of the grammar, as a second derivative of gammaln.
    """
    write = _Writer()
    values: dict[int, int] = {}
    slopes: dict[int, int | None] = {}
    for slot, value in enumerate(program.start):
        if value is not None:
            values[slot], slopes[slot] = write.number(value), None
    for slot, variable in program.loads:
        values[slot] = write.build.load(variable)
        slopes[slot] = write.number(1.0) if variable == name else None
    for step in program.steps:
        arguments = [values[k] for k in step.arguments]
        word = getattr(step.function, "__name__", "")
        values[step.target] = write.build.emit(step.function, *arguments, condition=word in _CONDITIONS)
        inner = [slopes[k] for k in step.arguments]
        if word in _FLAT or all(slope is None for slope in inner):
            slopes[step.target] = None
        elif word == "where":
            slopes[step.target] = write.choice(arguments[0], inner[1], inner[2])
        elif word in ("minimum", "maximum"):
            slopes[step.target] = write.extreme(word, arguments, inner)
        elif word in _RULES:
            partial = _RULES[word](write, values[step.target], arguments)
            slopes[step.target] = write.chain_rule(word, partial, inner)
        else:
            raise CaseError(f"the formula {text!r} cannot be differentiated by {name}: no rule for {word} is known.")
    slope = slopes[program.result]
    return write.build.finish(write.number(0.0) if slope is None else slope)


class _Writer:
    """Writes arithmetic on slots; None stands for 0 wherever a slope is meant."""

    def __init__(self) -> None:
        self.build = Builder()
        self.emit = self.build.emit

    def number(self, value: Any) -> int:
        return self.build.constant(float(value))

    def chain_rule(self, word: str, partial: Sequence[int | None], inner: Sequence[int | None]) -> int | None:
        """Σ ∂ₖf · a'ₖ.   word : the function, whose slope may be infinite for some."""
        total: int | None = None
        for outer, slope in zip(partial, inner, strict=True):
            if outer is None or slope is None:
                continue
            term = self.times(outer, slope)
            if word in _STEEP:
                term = self.emit(np.where, self.vanishes(slope), self.number(0.0), term)
            total = term if total is None else self.emit(np.add, total, term)
        return total

    def times(self, a: int, b: int) -> int:
        constants = self.build.constants
        if a in constants and constants[a] == 1.0:
            return b
        return a if b in constants and constants[b] == 1.0 else self.emit(np.multiply, a, b)

    def over(self, a: int, b: int) -> int:
        return self.emit(np.divide, a, b)

    def scaled(self, factor: float, a: int) -> int:
        return self.times(self.number(factor), a)

    def reciprocal(self, a: int) -> int:
        return self.over(self.number(1.0), a)

    def vanishes(self, a: int) -> int:
        return self.emit(np.equal, a, self.number(0.0), condition=True)

    def choice(self, test: int, yes: int | None, no: int | None) -> int:
        zero = self.number(0.0)
        return self.emit(np.where, test, zero if yes is None else yes, zero if no is None else no)

    def extreme(self, word: str, arguments: Slots, inner: Sequence[int | None]) -> int:
        """The slope of the argument that is taken, of the first where they are equal."""
        compare = np.less_equal if word == "minimum" else np.greater_equal
        return self.choice(self.emit(compare, *arguments, condition=True), *inner)

    def special(self, name: str, *arguments: int) -> int:
        """A function of scipy.special, which is loaded when it is first used."""
        return self.emit(getattr(importlib.import_module("scipy.special"), name), *arguments)


# ---- the rules: (writer, slot of f(a, …), slots of a, …) → slots of the partial derivatives ----------------------


def _power(w: _Writer, f: int, a: Slots) -> list[int | None]:
    """b a^(b−1), and a^b ln a where a > 0, else 0."""
    base, exponent = a
    lower = w.emit(np.power, base, w.emit(np.subtract, exponent, w.number(1.0)))
    positive = w.emit(np.greater, base, w.number(0.0), condition=True)
    log = w.emit(np.log, w.emit(np.where, positive, base, w.number(1.0)))
    return [w.times(exponent, lower), w.times(f, log)]


def _hypot(w: _Writer, f: int, a: Slots) -> list[int | None]:
    """a/f and b/f; 0 at the origin."""
    size = w.emit(np.where, w.vanishes(f), w.number(1.0), f)
    return [w.over(a[0], size), w.over(a[1], size)]


def _arctan2(w: _Writer, f: int, a: Slots) -> list[int | None]:
    """x/(x² + y²) and −y/(x² + y²); 0 at the origin."""
    size = w.emit(np.hypot, a[0], a[1])
    size = w.emit(np.where, w.vanishes(size), w.number(1.0), size)
    return [w.over(w.over(a[1], size), size), w.over(w.over(w.emit(np.negative, a[0]), size), size)]


def _arcsin(w: _Writer, f: int, a: Slots) -> list[int | None]:
    """1/√((1 − a)(1 + a))."""
    less, more = w.emit(np.subtract, w.number(1.0), a[0]), w.emit(np.add, w.number(1.0), a[0])
    return [w.reciprocal(w.emit(np.sqrt, w.emit(np.multiply, less, more)))]


def _arccos(w: _Writer, f: int, a: Slots) -> list[int | None]:
    (slope,) = _arcsin(w, f, a)
    assert slope is not None
    return [w.emit(np.negative, slope)]


def _bell(w: _Writer, a: Slots, factor: float) -> list[int | None]:
    """factor · 2/√π e^{−a²}."""
    exponent = w.emit(np.negative, w.emit(np.square, a[0]))
    return [w.scaled(factor * 2 / math.sqrt(math.pi), w.emit(np.exp, exponent))]


def _i1(w: _Writer, f: int, a: Slots) -> list[int | None]:
    """(I₀ + I₂)/2."""
    return [w.scaled(0.5, w.emit(np.add, w.special("i0", a[0]), w.special("iv", w.number(2.0), a[0])))]


_RULES: dict[str, Rule] = {
    "add": lambda w, f, a: [w.number(1.0), w.number(1.0)],
    "subtract": lambda w, f, a: [w.number(1.0), w.number(-1.0)],
    "multiply": lambda w, f, a: [a[1], a[0]],
    "divide": lambda w, f, a: [w.reciprocal(a[1]), w.emit(np.negative, w.over(f, a[1]))],
    "negative": lambda w, f, a: [w.number(-1.0)],
    "square": lambda w, f, a: [w.scaled(2.0, a[0])],
    "power": _power,
    "exp": lambda w, f, a: [f],
    "expm1": lambda w, f, a: [w.emit(np.exp, a[0])],
    "log": lambda w, f, a: [w.reciprocal(a[0])],
    "log1p": lambda w, f, a: [w.reciprocal(w.emit(np.add, w.number(1.0), a[0]))],
    "log2": lambda w, f, a: [w.over(w.number(1 / math.log(2)), a[0])],
    "log10": lambda w, f, a: [w.over(w.number(1 / math.log(10)), a[0])],
    "sqrt": lambda w, f, a: [w.over(w.number(0.5), f)],
    "cbrt": lambda w, f, a: [w.over(w.number(1 / 3), w.emit(np.square, f))],
    "hypot": _hypot,
    "sin": lambda w, f, a: [w.emit(np.cos, a[0])],
    "cos": lambda w, f, a: [w.emit(np.negative, w.emit(np.sin, a[0]))],
    "tan": lambda w, f, a: [w.emit(np.add, w.number(1.0), w.emit(np.square, f))],
    "sinh": lambda w, f, a: [w.emit(np.cosh, a[0])],
    "cosh": lambda w, f, a: [w.emit(np.sinh, a[0])],
    "tanh": lambda w, f, a: [w.reciprocal(w.emit(np.square, w.emit(np.cosh, a[0])))],
    "arcsin": _arcsin,
    "arccos": _arccos,
    "arctan": lambda w, f, a: [w.reciprocal(w.emit(np.add, w.number(1.0), w.emit(np.square, a[0])))],
    "arctan2": _arctan2,
    "absolute": lambda w, f, a: [w.emit(np.sign, a[0])],
    "erf": lambda w, f, a: _bell(w, a, 1.0),
    "erfc": lambda w, f, a: _bell(w, a, -1.0),
    "gammaln": lambda w, f, a: [w.special("psi", a[0])],
    "i0": lambda w, f, a: [w.special("i1", a[0])],
    "i1": _i1,
}
_STEEP = ("sqrt", "cbrt", "power")
"""Functions with infinite slopes, which times 0 count 0."""
