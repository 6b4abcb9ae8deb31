"""The words and signs of formulas: functions, constants, operators, and what is said of those that are refused."""

from __future__ import annotations

import ast
import math

import numpy as np

VARIABLES = ("x", "y", "r", "t", "s")
"""Names that no parameter may take, because some formula of a case uses them as variables."""

CONSTANTS = {"pi": math.pi, "e": math.e}

ELEMENTWISE: dict[str, np.ufunc] = {
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "log2": np.log2,
    "log10": np.log10,
    "sqrt": np.sqrt,
    "cbrt": np.cbrt,
    "hypot": np.hypot,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "arcsin": np.arcsin,
    "arccos": np.arccos,
    "arctan": np.arctan,
    "arctan2": np.arctan2,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "atan2": np.arctan2,
    "abs": np.absolute,
    "sign": np.sign,
    "floor": np.floor,
    "ceil": np.ceil,
    "heaviside": np.heaviside,
    "minimum": np.minimum,
    "maximum": np.maximum,
}
SPECIAL = ("erf", "erfc", "gammaln", "i0", "i1")  # scipy.special, imported when first used: it costs 0.3 s
_OTHER = ("where", "min", "max")
FUNCTIONS = tuple(sorted((*ELEMENTWISE, *SPECIAL, *_OTHER)))
"""Names of all functions that a formula may call."""

BINARY: dict[type[ast.operator], np.ufunc] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
}
COMPARE: dict[type[ast.cmpop], np.ufunc] = {
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
    ast.Eq: np.equal,
    ast.NotEq: np.not_equal,
}
JOIN: dict[type[ast.operator], str] = {ast.Mult: "and", ast.Add: "or"}
DELTAS = ("delta", "dirac", "diracdelta", "dirac_delta")
POINTS = "A point mass is no function: put points in a file and name it by initial.samples. "
REFUSED_OPERATOR = {
    ast.BitXor: ("^", "Write powers with **, as in x**2"),
    ast.BitAnd: ("&", "Join conditions with 'and'"),
    ast.BitOr: ("|", "Join conditions with 'or'"),
    ast.FloorDiv: ("//", "Write floor(a/b)"),
    ast.Mod: ("%", "Write a - b*floor(a/b)"),
    ast.MatMult: ("@", "Write products with *"),
    ast.LShift: ("<<", "Write a*2**b"),
    ast.RShift: (">>", "Write a/2**b"),
}
REFUSED_NODE = {
    ast.Attribute: "attribute access",
    ast.Subscript: "indexing with []",
    ast.Lambda: "a lambda",
    ast.JoinedStr: "text in quotes",
    ast.NamedExpr: "an assignment",
    ast.ListComp: "a comprehension",
    ast.SetComp: "a comprehension",
    ast.DictComp: "a comprehension",
    ast.GeneratorExp: "a comprehension",
    ast.List: "a list",
    ast.Tuple: "a list of values",
    ast.Set: "a set",
    ast.Dict: "a dictionary",
    ast.Starred: "argument unpacking",
    ast.Await: "await",
    ast.Yield: "yield",
    ast.YieldFrom: "yield",
}
REFUSED_LITERAL = {str: "text in quotes", bytes: "text in quotes", complex: "a complex number", bool: "a truth value"}
