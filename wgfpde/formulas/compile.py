"""Formula text → vectorised NumPy function.

The text is parsed (`syntax`), translated by a closed grammar (`grammar`) into a list of NumPy calls
(`program`), and never evaluated as Python.
"""

from __future__ import annotations

import keyword
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..base.effort import NANOSECONDS, Recent
from ..base.toml import shortened
from ..errors import CaseError
from ..grid import Array
from .derivative import differentiate
from .grammar import translate
from .polynomials import Terms, polynomial_of
from .program import Program
from .syntax import Formula
from .vocabulary import CONSTANTS, FUNCTIONS, VARIABLES

NAME = re.compile(r"[A-Za-z_]\w*")
_COMPILED: Recent[Expression] = Recent(64)
"""Formulas that are not compiled again."""


@dataclass(frozen=True, eq=False, repr=False)
class Expression:
    """A compiled formula: a function of keyword arrays, made by `compile_expression`, the same for equal formulas.

    text : as the user wrote it.   variables : the variables that it uses, `r` included.
    """

    text: str
    variables: frozenset[str]
    _program: Program
    unchanging: ClassVar[bool] = True

    def __repr__(self) -> str:
        return f"Expression({shortened(self.text)!r} of {', '.join(sorted(self.variables)) or 'nothing'})"

    def __call__(self, **arrays: Any) -> Array:
        """The formula at x=…[, y=…, t=…, s=…], as a new float array of the arguments' common broadcast shape.

        Arguments that the formula does not use may be given or left out.  The values need not be finite.
        Raises TypeError if one that it uses is missing.
        """
        given = {name: np.asarray(value, dtype=float) for name, value in arrays.items()}
        for _, name in self._program.loads:
            if name not in given:
                raise TypeError(f"the formula {self.text!r} needs {name}: call it with {name}=…")
        shape = np.broadcast_shapes(*(value.shape for value in given.values()))
        return self._program.run(given, shape)

    def seconds(self, **shapes: tuple[int, ...]) -> float:
        """What an evaluation at arrays of these shapes takes, by count: see `base.effort`."""
        return self._program.cost(shapes) * NANOSECONDS

    def derivative(self, name: str) -> Expression:
        """∂/∂name of the formula, by x, y, t or s, as another one; see `derivative` for kinks.

        r is no variable of its own, but follows x and y.  Raises CaseError for other names, and for second derivatives
        of gammaln and i1.
        """
        if name not in VARIABLES or name == "r":
            known = ", ".join(variable for variable in VARIABLES if variable != "r")
            raise CaseError(f"a formula is differentiated by one of {known}; found {name!r}.")
        program = differentiate(self._program, name, self.text)
        used = frozenset(variable for _, variable in program.loads)
        return Expression(f"d/d{name} ({self.text})", used, program)

    def polynomial(self, **numbers: float) -> Terms | None:
        """{(i, j): coefficient of x^i y^j} where the formula is a polynomial of low degree, else None.

        numbers : of the other variables that it uses, as t=0.5.
        """
        return polynomial_of(self._program, numbers)


def compile_expression(
    text: str, variables: Iterable[str], params: Mapping[str, float] | None = None, where: str = ""
) -> Expression:
    """The function that a formula stands for.

    variables : names it may use, of x, y, r, t, s; without "y" a 1D grid is meant.
    params : named constants.
    where : key path of the formula, for messages ("energy.potential").

    Raises CaseError, naming the offending part and its position, for anything outside the grammar.
    """
    known, allowed = dict(params or {}), tuple(variables)
    check_params(known)
    named = sorted(set(NAME.findall(text)) & set(known)) if isinstance(text, str) else []
    key = str(text), allowed, tuple((name, repr(float(known[name]))) for name in named)
    before = _COMPILED.get(key) if isinstance(text, str) else None
    if before is not None:
        return before
    program, used = translate(Formula(text, where), allowed, known)
    return _COMPILED.keep(key, Expression(text, used, program))


def check_params(params: Mapping[str, float]) -> None:
    """Raise CaseError unless every parameter is a finite number under a name of its own."""
    for name, value in params.items():
        if not (isinstance(name, str) and name.isascii() and name.isidentifier()) or keyword.iskeyword(name):
            raise CaseError(
                f"params: {name!r} cannot name a parameter. Use letters, digits and _, not starting with a "
                "digit, and no word reserved in Python (such as lambda, if, and)."
            )
        for names, kind in ((VARIABLES, "variable"), (CONSTANTS, "constant"), (FUNCTIONS, "function")):
            if name in names:
                raise CaseError(f"params.{name}: {name} is a {kind} in formulas. Choose another name.")
        if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
            raise CaseError(f"params.{name} must be a number; found {value!r}.")
        try:
            finite = math.isfinite(value)
        except OverflowError:
            finite = False
        if not finite:
            raise CaseError(f"params.{name} must be finite, at most 1.8e308 in size. Change it.")
