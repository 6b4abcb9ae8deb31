"""`.. verbs::`: the command-line reference, from the argument parser itself."""

from __future__ import annotations

import argparse
import os

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from words import block, inserted, prose

from wgfpde.cli.dispatch import make_parser

WIDTH = "88"


def usage(parser: argparse.ArgumentParser) -> str:
    """The usage line, wrapped for a page whatever terminal the build runs in."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = WIDTH
    try:
        prefix = "usage: "
        lines = parser.format_usage().rstrip().splitlines()
        return "\n".join(line.removeprefix(prefix).removeprefix(" " * len(prefix)) for line in lines)
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before


def term(action: argparse.Action) -> str:
    """How an argument is written: CASE, --out DIR."""
    metavar = action.metavar or (action.dest.upper() if action.option_strings else action.dest)
    name = " ".join(metavar) if isinstance(metavar, tuple) else str(metavar)
    if action.choices is not None and action.metavar is None:
        name = "{" + ",".join(str(choice) for choice in action.choices) + "}"
    if not action.option_strings:
        return name
    takes = action.nargs != 0
    return ", ".join(f"{option} {name}" if takes else option for option in action.option_strings)


def verb_lines(name: str, parser: argparse.ArgumentParser) -> list[str]:
    """One verb as a section."""
    lines = ["", f".. _verb-{name}:", "", f"wgfpde {name}", "-" * (7 + len(name)), "", prose(parser.description or "")]
    lines += ["", "::", *block(usage(parser))]
    for action in parser._actions:
        if action.help != argparse.SUPPRESS and "--help" not in action.option_strings:
            text = (action.help or "").replace("%%", "%").replace("%(default)s", str(action.default))
            lines += [f"``{term(action)}``", *block(prose(text), "   ")[1:]]
    return [*lines, "", prose(parser.epilog or ""), ""]


class Verbs(SphinxDirective):
    """A section per verb, in the order of --help."""

    def run(self) -> list[nodes.Node]:
        _, verbs = make_parser()
        lines: list[str] = []
        for name, parser in verbs.parsers.items():
            lines += verb_lines(name, parser)
        return inserted(self, lines)


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("verbs", Verbs)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
