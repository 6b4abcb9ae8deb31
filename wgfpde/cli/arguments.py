"""Arguments that several verbs take, how a verb is declared, and where the figure of a study goes."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from ..base.plain_text import one_line, several_lines

Action = Callable[[argparse.Namespace], int]


class Parser(argparse.ArgumentParser):
    """A parser whose messages show what was typed on one line; --help has lines of its own."""

    def error(self, message: str) -> NoReturn:
        super().error(one_line(message))

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse does, but what is unknown ends here, where the options of the verb are known."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            import difflib

            options = [option for action in self._actions for option in action.option_strings]
            near = difflib.get_close_matches(unknown[0].partition("=")[0], options, n=1)
            self.error(f"unknown argument {unknown[0]}" + (f"; did you mean {near[0]}?" if near else ""))
        return found, unknown

    def _print_message(self, message: str, file: Any = None) -> None:
        super()._print_message(several_lines(message), file)


class Verbs:
    """The verbs of the command line, in the order of --help."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._actions: Any = parser.add_subparsers(dest="verb", metavar="COMMAND")

    def add(self, name: str, action: Action, summary: str, epilog: str = "") -> argparse.ArgumentParser:
        """A verb; `action(args)` does it and returns the exit code."""
        description = summary[0].upper() + summary[1:] + "."
        sub: argparse.ArgumentParser = self._actions.add_parser(
            name, help=summary, description=description, epilog=epilog
        )
        sub.set_defaults(action=action)
        return sub

    @property
    def parsers(self) -> dict[str, argparse.ArgumentParser]:
        """The parser of each verb."""
        return dict(self._actions.choices)

    @property
    def names(self) -> list[str]:
        return list(self.parsers)


def case_of(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("case", metavar="CASE", help="case file, or the name of a packaged case")
    sub.add_argument(
        "--set", dest="overrides", metavar="KEY=VALUE", action="append", default=[],
        help="override a key, e.g. --set grid.shape=[64,64]; KEY= removes it; another solver.method drops all that the "
        "case has in [solver]; may be repeated",
    )  # fmt: skip


def count_of(what: str, most: float = math.inf) -> Callable[[str], int]:
    """A type of argument: a whole number of `what`, from 1 to `most`."""

    def count(text: str) -> int:
        if not (text.isdecimal() and 1 <= int(text) <= most):
            told = "1 or more" if most == math.inf else f"from 1 to {most}"
            raise argparse.ArgumentTypeError(f"expected a number of {what}, {told}; found {text!r}")
        return int(text)

    return count


def yes_of(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "--yes",
        action="store_true",
        help="begin also what takes more than an hour, 20 GiB of disk, or 1e7 adaptive steps",
    )


def run_of(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("path", type=Path, metavar="PATH", help="run folder or its HDF5 file")


def json_of(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--json", action="store_true", help="machine-readable output on stdout")


# ---- a study: its file, and the figure beside it -----------------------------------------------------------


def study_options(sub: argparse.ArgumentParser, name: str = "") -> None:
    """Where the file of a study with such a name goes, and its figure, where there is to be one; --yes and --json."""
    if name:
        sub.add_argument("--out", type=Path, metavar="FILE.h5", help=f"where to (default: NAME-{name}.h5)")
    yes_of(sub)
    figure = sub.add_mutually_exclusive_group()
    figure.add_argument("--plot", type=Path, metavar="FILE", help=".png, .pdf or .svg (default: beside the .h5 file)")
    figure.add_argument("--no-plot", action="store_true", help="no figure")
    json_of(sub)


def figure_of(args: argparse.Namespace, file: Path) -> Path | None:
    """Where the figure of a study goes, None for none; to be called before anything is computed and written.

    Raises CaseError for a format that there is not, StoreError where another figure stands unasked-for in its place.
    """
    if args.no_plot:
        return None
    from ..output.plots.style import picture_path
    from ..store import check_figure

    figure = picture_path(args.plot, file.parent, file.stem, None)
    if args.plot is None:
        check_figure(figure, file)
    return figure
