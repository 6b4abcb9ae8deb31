"""The page about the claims: one HTML file with what was claimed and why, what was measured, and the figures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from ..base.amounts import duration
from ..base.html import Markup, page, picture, text
from ..base.html import table as html_table
from ..base.replaced_files import whole_file
from ..errors import StoreError
from ..runs.provenance import provenance_of
from .claim import Claim, Table, heading

TITLE = "wgfpde: the claims and what this machine measured"
SCALE = 0.48
"""Pixels of the page per pixel of a figure, the same for all: three panels fill the page."""
STYLE = """
body { max-width: 68rem; }  .good, .bad { white-space: nowrap; }
p { max-width: 46rem; }  h2 { margin-top: 3rem; padding-top: .6rem; border-top: 2px solid var(--line); }
h3 { margin-top: 2rem; }  h3 code { font-size: .8em; color: var(--soft); font-weight: normal; }
table { margin: .8rem 0 1rem; width: 100%; }  td.number { white-space: nowrap; }  a { color: inherit; }
table.summary, table.machine { width: auto; }  div { max-width: 100%; margin: 1rem 0; }  sup { line-height: 0; }
details { margin: .8rem 0; }  summary { cursor: pointer; color: var(--soft); font: 14px system-ui, sans-serif; }
@media print { h2 { break-after: avoid; } tr, img { break-inside: avoid; } details { display: none; } }
"""


def write(table: Table, path: Path, figures: Path | None = None) -> Path:
    """Write the page about a table of claims.   figures : where the PNG file of each script lies.

    Raises StoreError where the file cannot be written.
    """
    try:
        with whole_file(path) as part:
            part.write_text(page_of(table, figures), encoding="utf-8")
    except OSError as error:
        raise StoreError(
            f"cannot write {path}: {error.strerror or error}. Choose another file with --report."
        ) from error
    return path


def page_of(table: Table, figures: Path | None = None) -> str:
    """The page as HTML; it refers to nothing outside itself."""
    sections, told = [], set()
    for equation, scripts in table.groups.items():
        sections.append(f'<h2 id="{_anchor(equation)}">{_maths(heading(equation))}</h2>')
        for script, claims in scripts.items():
            sections.append(_section(table, script, claims, figures, script in told))
            told.add(script)
    body = [f"<h1>{text(TITLE)}</h1>", _summary(table), *sections, _machine()]
    return page(TITLE, "\n".join(body), style=STYLE)


def _summary(table: Table) -> str:
    """The verdict, what a claim is, and a line per equation."""
    kind = "good" if table.passed else "bad"
    rows = []
    for equation, scripts in table.groups.items():
        claims = [claim for found in scripts.values() for claim in found]
        held = sum(claim.holds for claim in claims)
        verdict = _verdict(held == len(claims), f"{held} of {len(claims)} hold")
        solvers = dict.fromkeys(name for claim in claims for name in claim.solver.split(", ") if name)
        link = Markup(f'<a href="#{_anchor(equation)}">{_maths(heading(equation))}</a>')
        rows.append((link, verdict, ", ".join(sorted(solvers))))
    return (
        f'<p class="{kind}">{text(table.summary)}, checked in {duration(sum(table.seconds.values()))} on '
        f"{datetime.now().astimezone():%Y-%m-%d at %H:%M %Z}.</p>\n"
        "<p>Each claim compares a number measured on runs of this machine with an expected one that does not come from "
        "the solver: a closed form, a conservation law, an order of convergence.  A tolerance is the discretisation "
        "error that is expected, so that a broken solver breaks the claim; the scripts say how it follows.  "
        "What every run promises (mass, sign, energy) is claimed for all of them together.</p>\n"
        + html_table(("Equation", "Claims", "Solvers"), rows).replace("<table", '<table class="summary"', 1)
    )


def _anchor(equation: str) -> str:
    return "equation-" + equation.replace(" ", "-")


def _section(table: Table, script: str, claims: Sequence[Claim], figures: Path | None, told: bool) -> str:
    """Claims of one script about one equation.   told : its text and figure stand further up."""
    head = ("Claim", "Solver", "Case", "Measured", "Expected", "Tolerance", "Off by", "From", "Verdict")
    rows = html_table(head, [_row(claim) for claim in claims], numbers=(3, 4, 5, 6))
    title, name = _maths(table.titles.get(script, "")), text(script)
    if told or script not in table.paths:
        link = name if script not in table.paths else f'<a href="#{name}">{name}</a>'
        return f"<h3>{title} <code>{link}</code></h3>\n{rows}"
    paragraphs = [" ".join(lines.split()) for lines in table.texts.get(script, "").split("\n\n") if lines.strip()]
    parts = [f'<h3 id="{name}">{title} <code>{name}</code></h3>']
    parts += [f"<p>{_maths(paragraph)}</p>" for paragraph in paragraphs]
    parts.append(rows)
    figure = figures / f"{script}.png" if figures is not None else None
    if figure is not None and figure.is_file():
        png = figure.read_bytes()
        width = SCALE * int.from_bytes(png[16:20], "big")  # where every PNG file has it
        parts.append(f'<div style="width: {width:.0f}px">{picture(png, f"Figure: {table.titles[script]}")}</div>')
    if path := table.paths.get(script):
        source = text(path.read_text(encoding="utf-8"))
        parts.append(
            f"<details><summary>The script, and how its tolerances follow</summary><pre>{source}</pre></details>"
        )
    return "\n".join(parts)


def _row(claim: Claim) -> tuple[object, ...]:
    verdict = _verdict(claim.holds, "holds" if claim.holds else "FAILS")
    return (_maths(claim.claim), claim.solver, claim.case, *claim.columns, _maths(claim.source), verdict)


def _maths(words: str) -> Markup:
    """Text in which e^{−t} and R^n are raised."""
    return Markup(re.sub(r"\^(?:\{([^}]*)\}|(\w))", r"<sup>\1\2</sup>", text(words)))


def _verdict(good: bool, words: str) -> Markup:
    return Markup(f'<span class="{"good" if good else "bad"}">{text(words)}</span>')


def _machine() -> str:
    """Where and with what this was measured."""
    found = provenance_of(Path.cwd(), [])
    names = {
        "source": "Code", "git": "Commit", "python": "Python", "libraries": "Libraries", "platform": "System",
        "processors": "Processors", "threads": "Threads",
    }  # fmt: skip
    rows = [(words, found[name]) for name, words in names.items() if found.get(name)]
    return "<h2>The machine</h2>\n" + html_table((), rows).replace("<table", '<table class="machine"', 1)
