"""The closed grammar of formulas: one walk over the syntax tree, refusing all that is not listed in `vocabulary`.

    numbers (always floats)   + - * / **   < <= > >= == != (chained too)   and or not   a if c else b
    where(c, a, b)  min max (2 or more)  FUNCTIONS  CONSTANTS  the parameters of the case

A condition used as a number is 1 where it holds, 0 elsewhere: "abs(x) < 1" is the indicator of an interval.
`r` is not passed by the caller: it is |x| in 1D and hypot(x, y) in 2D.
"""

from __future__ import annotations

import ast
import difflib
import importlib
import math
from collections.abc import Iterable, Mapping

import numpy as np

from ..base.unsupported import density_in_formula, not_supported
from ..errors import CaseError
from . import vocabulary as words
from .program import Builder, Program
from .syntax import MAX_DEPTH, Formula, shorten


def translate(
    formula: Formula, variables: tuple[str, ...], params: Mapping[str, float]
) -> tuple[Program, frozenset[str]]:
    """The program of a formula and the variables that it uses, `r` included.

    Raises CaseError, naming the offending part and its position, for anything outside the grammar.
    """
    walk = _Walk(formula, variables, params)
    program = walk.build.finish(walk.build.number(walk.visit(formula.parse(), 1)))
    return program, frozenset(walk.used)


class _Walk:
    """One walk over one formula.  Each method returns the slot that holds the value of its part."""

    def __init__(self, formula: Formula, variables: tuple[str, ...], params: Mapping[str, float]) -> None:
        self.formula = formula
        self.variables = variables
        self.planar = "y" in variables
        self.params = params
        self.used: set[str] = set()
        self.build = Builder()
        self.fail, self.quote = formula.fail, formula.quote
        self.emit, self.constant, self.load = self.build.emit, self.build.constant, self.build.load
        self.radius = -1  # the slot of r

    def visit(self, node: ast.expr, depth: int) -> int:
        """The slot that holds the value of a node."""
        at = node.col_offset
        if depth > MAX_DEPTH:
            raise self.formula.too_deep(at)
        match node:
            case ast.BinOp():
                return self._arithmetic(node, depth)
            case ast.Constant():
                return self._literal(node)
            case ast.Name():
                return self._name(node.id, at)
            case ast.Call():
                return self._call(node, depth)
            case ast.UnaryOp(op=ast.USub()):
                return self.emit(np.negative, self._number_of(node.operand, depth))
            case ast.UnaryOp(op=ast.UAdd()):
                return self._number_of(node.operand, depth)
            case ast.UnaryOp(op=ast.Not()):
                operand = self._condition_of(node.operand, depth, "not")
                return self.emit(np.logical_not, operand, condition=True)
            case ast.UnaryOp():
                raise self.fail("the sign ~ is not part of a formula", "Write not", at)
            case ast.Compare():
                return self._comparison(node, depth)
            case ast.BoolOp():
                both = isinstance(node.op, ast.And)
                word, join = ("and", np.logical_and) if both else ("or", np.logical_or)
                parts = [self._condition_of(value, depth, word) for value in node.values]
                return self.build.chain(join, parts, condition=True)
            case ast.IfExp():
                return self._choice(node.test, node.body, node.orelse, depth, "if")
        raise self._refused(node, words.REFUSED_NODE.get(type(node), "this"))

    def _refused(self, node: ast.expr, what: str) -> CaseError:
        remedy = "Use numbers, names, + - * / **, comparisons, and functions such as exp(x)"
        return self.fail(f"{self.quote(node)}: {what} is not part of a formula", remedy, node.col_offset)

    def _number_of(self, node: ast.expr, depth: int) -> int:
        return self.build.number(self.visit(node, depth + 1))

    def _condition_of(self, node: ast.expr, depth: int, word: str) -> int:
        slot = self.visit(node, depth + 1)
        if slot not in self.build.conditions:
            found = f"'{word}' needs a condition; found the number {self.quote(node)}"
            remedy = "Write a comparison such as x > 0"
            join = words.JOIN.get(type(node.op)) if isinstance(node, ast.BinOp) else None
            if join and any(isinstance(part, ast.Compare) for part in ast.walk(node)):
                remedy = f"Join conditions with '{join}'"
            raise self.fail(found, remedy, node.col_offset)
        return slot

    def _arithmetic(self, node: ast.BinOp, depth: int) -> int:
        """Left-associative chains are unrolled, so that a long sum is not deep."""
        chain: list[ast.BinOp] = []
        first: ast.expr = node
        while isinstance(first, ast.BinOp):
            chain.append(first)
            first = first.left
        left = self._number_of(first, depth)
        for part in reversed(chain):
            operator = type(part.op)
            if operator in words.REFUSED_OPERATOR:
                sign, remedy = words.REFUSED_OPERATOR[operator]
                at = self.formula.text.find(sign, part.left.end_col_offset)
                raise self.fail(f"the operator {sign} is not part of a formula", remedy, at)
            right = self._number_of(part.right, depth)
            power = operator is ast.Pow
            left = self._power(left, right) if power else self.emit(words.BINARY[operator], left, right)
        return left

    def _power(self, base: int, exponent: int) -> int:
        """base**exponent; by multiplications for whole exponents up to 8, and r² as x² + y²."""
        n = float(self.build.constants.get(exponent, math.nan))
        if n == 0.5:
            return self.emit(np.sqrt, base)
        if not (n.is_integer() and abs(n) <= 8):
            return self.emit(np.power, base, exponent)
        if n == 0:
            return self.constant(1.0)
        if n < 0:
            return self.emit(np.divide, self.constant(1.0), self._power(base, self.constant(-n)))
        if base == self.radius and n % 2 == 0:
            names = ("x", "y") if self.planar else ("x",)
            base = self.build.chain(np.add, [self.emit(np.square, self.load(name)) for name in names])
            n /= 2
        result, square, bits = -1, base, int(n)
        while bits:
            if bits & 1:
                result = square if result < 0 else self.emit(np.multiply, result, square)
            bits >>= 1
            if bits:
                square = self.emit(np.square, square)
        return result

    def _comparison(self, node: ast.Compare, depth: int) -> int:
        links = []
        left = self._number_of(node.left, depth)
        for operator, term in zip(node.ops, node.comparators, strict=True):
            if type(operator) not in words.COMPARE:
                found = f"{self.quote(node)}: comparing with words is not part of a formula"
                raise self.fail(found, "Compare with < <= > >= == or !=", node.col_offset)
            right = self._number_of(term, depth)
            links.append(self.emit(words.COMPARE[type(operator)], left, right, condition=True))
            left = right
        return self.build.chain(np.logical_and, links, condition=True)

    def _choice(self, test: ast.expr, yes: ast.expr, no: ast.expr, depth: int, word: str) -> int:
        condition = self._condition_of(test, depth, word)
        return self.emit(np.where, condition, self._number_of(yes, depth), self._number_of(no, depth))

    def _literal(self, node: ast.Constant) -> int:
        value = node.value
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self._refused(node, words.REFUSED_LITERAL.get(type(value), "this"))
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isinf(number):
            raise self.formula.too_large(node.col_offset)
        return self.constant(number)

    def _name(self, name: str, at: int) -> int:
        if name in self.variables:
            self.used.add(name)
            return self._radius() if name == "r" else self.load(name)
        if name in self.params:
            return self.constant(float(self.params[name]))
        if name in words.CONSTANTS:
            return self.constant(words.CONSTANTS[name])
        if name in words.FUNCTIONS:
            raise self.fail(f"{name} is a function", f"Write {name}(…)", at)
        known = [("variables", self.variables), ("parameters", self.params), ("constants", words.CONSTANTS)]
        listed = "Known here: " + "; ".join(f"the {what} {', '.join(names)}" for what, names in known if names)
        if name == "y" and "x" in self.variables:
            raise self.fail("y is not available: the grid has one axis", listed, at)
        if name in words.VARIABLES:
            raise self.fail(f"{name} is not available in this formula", listed, at)
        names = [*self.variables, *self.params, *words.CONSTANTS]
        hint = density_in_formula(name) or _nearest(name, names)
        raise self.fail(f"the name {shorten(name)} is unknown", hint + listed, at)

    def _radius(self) -> int:
        if self.radius < 0:
            x = self.load("x")
            self.radius = self.emit(np.hypot, x, self.load("y")) if self.planar else self.emit(np.abs, x)
        return self.radius

    def _call(self, node: ast.Call, depth: int) -> int:
        name = self._called(node, depth)
        self._check_count(name, len(node.args), node.col_offset)
        if name == "where":
            test, yes, no = node.args
            return self._choice(test, yes, no, depth, "where")
        slots = [self._number_of(argument, depth) for argument in node.args]
        if name in ("min", "max"):
            return self.build.chain(np.minimum if name == "min" else np.maximum, slots)
        if name == "heaviside" and len(slots) == 1:
            slots.append(self.constant(0.5))
        if name in words.SPECIAL:
            return self.emit(getattr(importlib.import_module("scipy.special"), name), *slots)
        return self.emit(words.ELEMENTWISE[name], *slots)

    def _called(self, node: ast.Call, depth: int) -> str:
        """The name of the function that is called, with plain arguments."""
        at = node.col_offset
        if not isinstance(node.func, ast.Name):
            if type(node.func) in words.REFUSED_NODE:
                self.visit(node.func, depth + 1)
            raise self.fail(f"{self.quote(node)}: only functions can be called", "Write products with *", at)
        name = node.func.id
        if name in self.variables or name in self.params or name in words.CONSTANTS:
            raise self.fail(f"{name} is not a function", f"Write a product as {name}*(…)", at)
        if name not in words.FUNCTIONS:
            hint = words.POINTS if name.lower() in words.DELTAS else _nearest(name, words.FUNCTIONS)
            if refused := not_supported(name):
                hint = f"{refused[0].upper()}{refused[1:]}. "
            remedy = f"{hint}Functions: {', '.join(words.FUNCTIONS)}"
            raise self.fail(f"the function {shorten(name)} is unknown", remedy, at)
        if node.keywords:
            raise self.fail(f"{name} takes no named arguments", f"Write {name}(…) with plain values", at)
        if any(isinstance(argument, ast.Starred) for argument in node.args):
            raise self.fail(f"{name} takes no unpacked arguments", f"Write {name}(…) with plain values", at)
        return name

    def _check_count(self, name: str, count: int, at: int) -> None:
        if name in ("min", "max"):
            fits, expected = count >= 2, "2 or more arguments"
        elif name == "where":
            fits, expected = count == 3, "3 arguments"
        elif name == "heaviside":
            fits, expected = count in (1, 2), "1 or 2 arguments"
        else:
            n = words.ELEMENTWISE[name].nin if name in words.ELEMENTWISE else 1
            fits, expected = count == n, f"{n} argument{'s' if n > 1 else ''}"
        if not fits:
            remedy = "Write where(condition, value, other)" if name == "where" else ""
            raise self.fail(f"{name} takes {expected}; found {count}", remedy, at)


def _nearest(name: str, names: Iterable[str]) -> str:
    close = difflib.get_close_matches(name.lower(), list(names), n=1)
    return f"Did you mean {close[0]}? " if close else ""
