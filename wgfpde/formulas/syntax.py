"""Formula text → Python's syntax tree, checked for characters and size and never evaluated.

Whatever Python says about a mistake is said again in the words of formulas, with its place in the text.
"""

from __future__ import annotations

import ast
import warnings
from dataclasses import dataclass

from ..errors import CaseError

MAX_LENGTH = 10_000
"""Longest formula, in characters."""
MAX_NODES = 4_000
"""Largest number of terms, operators and calls in a formula."""
MAX_DEPTH = 100
"""Deepest nesting of brackets, powers and signs; long sums and products do not count."""

_LOOKALIKES = {"−": "-", "–": "-", "×": "*", "·": "*", "÷": "/", "²": "**2", "³": "**3", "π": "pi", "√": "sqrt(…)"}


@dataclass(frozen=True)
class Formula:
    """The text of a formula, as the user wrote it, and its key path for messages (where)."""

    text: str
    where: str = ""

    def parse(self) -> ast.expr:
        """The tree of the text, checked for size before and after parsing."""
        if not isinstance(self.text, str):
            raise self.fail(f"a formula must be text in quotes; found {self.text!r}", 'Write "…" around it')
        if len(self.text) > MAX_LENGTH:
            found = f"a formula has at most {MAX_LENGTH} characters; found {len(self.text)}"
            raise self.fail(found, "Shorten it, or give the data in a file")
        plain = "".join(" " if c in "\t\n\r\f\v" else c for c in self.text)
        body = plain.lstrip(" ")
        if not body:
            raise self.fail("the formula is empty", "Write one such as exp(-x**2/2), or leave the key out")
        self._check_characters(plain)
        indent = len(plain) - len(body)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(body, mode="eval").body
        except SyntaxError as error:
            raise self._unreadable(error, plain, indent) from None
        except (RecursionError, MemoryError):
            raise self.too_deep() from None
        except ValueError as error:
            raise self.fail(f"the formula cannot be read: {error}") from None
        nodes = [node for node in ast.walk(tree) if isinstance(node, ast.expr)]
        if len(nodes) > MAX_NODES:
            found = f"a formula has at most {MAX_NODES} terms, operators and calls; found {len(nodes)}"
            raise self.fail(found, "Shorten it, or give the data in a file")
        for node in nodes:
            node.col_offset += indent
            node.end_col_offset = (node.end_col_offset or 0) + indent
        return tree

    def _check_characters(self, plain: str) -> None:
        depth = 0
        for k, c in enumerate(plain):
            if not (" " <= c <= "~"):
                remedy = f"Write {_LOOKALIKES[c]}" if c in _LOOKALIKES else "Use plain ASCII characters"
                raise self.fail(f"the character {c!r} cannot stand in a formula", remedy, k)
            if c == "#":
                raise self.fail("a formula has no comments", "Put # after the closing quote", k)
            depth += (c in "([{") - (c in ")]}")
            if depth > MAX_DEPTH:
                raise self.too_deep(k)

    def _unreadable(self, error: SyntaxError, plain: str, indent: int) -> CaseError:
        """Turn Python's words about a syntax error into ours."""
        reason = str(error.msg)
        if "Exceeds the limit" in reason:
            return self.too_large(None)
        if "too many nested" in reason:
            return self.too_deep()
        at = min(max((error.offset or 1) - 1 + indent, 0), len(plain) - 1)
        if plain[at] == "=" and plain[at : at + 2] != "==":
            return self.fail("a formula holds no assignment", "Write == to compare", at)
        if "leading zeros" in reason:
            return self.fail("a number must not start with 0", "Write 7 for 007", at)
        if "literal" in reason and "string" not in reason:
            return self.fail("this is not a number", "Write products with *, as in 2*x", at)
        if "closed" in reason or "unmatched" in reason or "does not match" in reason:
            return self.fail(f"the brackets do not match: {reason}", "Close every bracket that is opened", at)
        remedy = "Write it like exp(-x**2/2) + 2*x, with every * spelled out"
        return self.fail("the formula cannot be read here", remedy, at)

    def fail(self, problem: str, remedy: str = "", at: int | None = None) -> CaseError:
        """The error to raise; `at` counts characters from 0."""
        prefix = f"{self.where}: " if self.where else ""
        place = "" if at is None else f" (character {at + 1} of {_window(self.text, at)})"
        return CaseError(f"{prefix}{problem}{place}." + (f" {remedy}." if remedy else ""))

    def too_deep(self, at: int | None = None) -> CaseError:
        return self.fail(
            f"the formula is nested more than {MAX_DEPTH} deep", "Write it with fewer brackets and signs", at
        )

    def too_large(self, at: int | None) -> CaseError:
        return self.fail("a number in a formula must be at most 1.8e308", "Write a smaller number", at)

    def quote(self, node: ast.expr) -> str:
        return shorten(self.text[node.col_offset : node.end_col_offset])


def shorten(text: str, limit: int = 60) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _window(text: str, at: int) -> str:
    """The text in quotes; of a long one, what surrounds a position."""
    low, high = (0, len(text)) if len(text) <= 60 else (max(at - 25, 0), at + 25)
    return f"{'…' if low else ''}{text[low:high]!r}{'…' if high < len(text) else ''}"
