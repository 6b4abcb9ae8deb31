"""Pages that need nothing but a browser: one file, styles and pictures inside.

Text given as values is escaped; `body` and cells marked by `Markup` go in as they are.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Sequence

from .plain_text import several_lines

STYLE = """
:root { --ink: #1f2933; --soft: #5b6773; --line: #d8dee4; --good: #1a7f4b; --bad: #b3261e; --paper: #fff; }
body { font: 16px/1.5 Georgia, "Times New Roman", serif; color: var(--ink); background: var(--paper);
       max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .3rem; }  h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; }
table { border-collapse: collapse; font: 14px/1.4 system-ui, sans-serif; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .25rem .9rem .25rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--soft); font-weight: 600; }  td.number, th.number { text-align: right; }
pre, code { font: 13px/1.45 ui-monospace, monospace; }  pre { overflow-x: auto; background: #f5f7f9; padding: .8rem; }
img, canvas { max-width: 100%; height: auto; }
.good { color: var(--good); }  .bad { color: var(--bad); font-weight: 600; }
.soft { color: var(--soft); }
"""


class Markup(str):
    """Text that is HTML already."""


def page(title: str, body: str, script: str = "", style: str = "") -> str:
    """A whole page.   body, script, style : put in as they are."""
    tail = f"<script>{script}</script>\n" if script else ""
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{text(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<style>{STYLE}{style}</style>\n'
        f"</head>\n<body>\n{body}\n{tail}</body>\n</html>\n"
    )


def table(head: Sequence[str], rows: Iterable[Sequence[object]], numbers: Sequence[int] = ()) -> Markup:
    """A table.   numbers : the columns to align right."""

    def cells(tag: str, values: Sequence[object]) -> str:
        kinds = [' class="number"' if k in numbers else "" for k in range(len(values))]
        return "".join(f"<{tag}{kind}>{text(value)}</{tag}>" for kind, value in zip(kinds, values, strict=True))

    lines = [f"<tr>{cells('td', row)}</tr>" for row in rows]
    first = f"<thead><tr>{cells('th', head)}</tr></thead>\n" if head else ""
    return Markup(f"<table>\n{first}<tbody>\n" + "\n".join(lines) + "\n</tbody>\n</table>")


def picture(png: bytes, alt: str) -> Markup:
    """A PNG picture, inside the page."""
    return Markup(f'<img alt="{text(alt)}" src="{data_url(png, "image/png")}">')


def data_url(data: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


def text(value: object) -> str:
    """A value as HTML: escaped, unless it is Markup; control characters and marks of direction by their numbers."""
    return str(value) if isinstance(value, Markup) else html.escape(several_lines(value))
