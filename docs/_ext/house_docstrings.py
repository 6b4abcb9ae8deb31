"""Docstrings of this package → reStructuredText.

They are written to be read in an editor: formulas indented, arguments as "name : meaning.   other : meaning.",
then sentences that begin with Returns, Raises, Preserves, Reference.  Here indented lines become literal blocks,
arguments a definition list, and what reStructuredText would take for markup (|x|, x**2, `name`) is protected.
Docstrings in sections (Parameters, Returns), as in `wgfpde.api`, are left to numpydoc.
"""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx
from words import block, prose

UNDERLINE = re.compile(r"-{3,}\s*")
NAMES = r"[A-Za-z_][\w.]*(?:, [\w.]+)*"
FIELD = re.compile(rf"({NAMES})(?: \([^)]*\))? : (?=\S)")
NEXT_FIELD = re.compile(rf"\s{{2,}}(?={NAMES}(?: \([^)]*\))? : \S)")
OPENERS = re.compile(
    r"(?:Returns?|Raises?|Preserves|Order|References?|Source|Writes|Reads|Uses|Arrays|Shapes|Measured)\b"
)


def house(lines: list[str]) -> list[str]:
    """The lines of a docstring, its indentation removed, as reStructuredText."""
    result: list[str] = []
    paragraph: list[str] = []
    k = 0
    while k < len(lines):
        line = lines[k]
        if line.startswith("    ") and not _continues(paragraph):
            result += _paragraph(paragraph)
            paragraph = []
            stop = k
            while stop < len(lines) and (not lines[stop].strip() or lines[stop].startswith("    ")):
                stop += 1
            result += ["::", *block("\n".join(part[4:] for part in lines[k:stop]).rstrip())]
            k = stop
            continue
        if line.strip():
            paragraph.append(line)
        else:
            result += _paragraph(paragraph)
            paragraph = []
        k += 1
    return result + _paragraph(paragraph)


def _continues(paragraph: list[str]) -> bool:
    """An indented line right under an argument belongs to it."""
    return bool(paragraph) and bool(FIELD.match(paragraph[-1]) or paragraph[-1].startswith("    "))


def _paragraph(lines: list[str]) -> list[str]:
    """Sentences, each opener on its own, and arguments as a definition list."""
    if not lines:
        return []
    parts: list[str] = []
    for line in lines:
        pieces = NEXT_FIELD.split(line.strip())
        for place, piece in enumerate(pieces):
            starts = place > 0 or FIELD.match(piece) or OPENERS.match(piece) or not parts
            if starts:
                parts.append(piece)
            else:
                parts[-1] += " " + piece
    result: list[str] = []
    for part in parts:
        field = FIELD.match(part)
        if field:
            result += [f"``{part[: field.end() - 3]}``", *block(prose(part[field.end() :]), "   ")[1:]]
        else:
            result += ["", prose(part), ""]
    return result


def process(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    if not any(UNDERLINE.fullmatch(line) for line in lines):
        lines[:] = house(lines)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", process, priority=400)  # before numpydoc
    return {"parallel_read_safe": True, "parallel_write_safe": True}
