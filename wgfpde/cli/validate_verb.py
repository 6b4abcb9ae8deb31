"""The verb validate."""

from __future__ import annotations

import argparse
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import CaseError
from .arguments import Verbs, json_of
from .printing import print_json, say

if TYPE_CHECKING:
    from ..claims.checking import Table

HELP = """
The quick set takes three to four minutes on two cores; --full checks what takes longer as well.  When all claims are
checked, a page about them is written too: one HTML file, figures included, that needs nothing but a browser.  It is
validation/report.html in a source tree, else validation-report.html in the current folder.  Exit code: 0 where all
claims hold, 3 where one does not.

--regenerate runs every packaged case on a coarse grid again (or the cases named), prints what has changed in its
results since the stored reference, and then replaces those references that have changed beyond rounding.
"""


def add(verbs: Verbs) -> None:
    validate = verbs.add("validate", _validate, "check the claims on this machine", HELP)
    words = "claims to check, or cases with --regenerate (default: all)"
    validate.add_argument("names", metavar="NAME", nargs="*", help=words)
    validate.add_argument("--regenerate", action="store_true", help="make the regression references anew")
    validate.add_argument(
        "--full", action="store_true", help="check also what takes longer: finer grids, all parameters"
    )
    validate.add_argument("--figures", type=Path, metavar="DIR", help="keep the figures in DIR (default: in the page)")
    validate.add_argument("--out", type=Path, metavar="DIR", help="keep the runs in DIR (default: nowhere)")
    page = validate.add_mutually_exclusive_group()
    page.add_argument("--report", type=Path, metavar="FILE", help="where to write the page, also about some claims")
    page.add_argument("--no-report", action="store_true", help="write no page")
    json_of(validate)


def _validate(args: argparse.Namespace) -> int:
    """Prints the table of claims and writes the page; exit code 3 when one does not hold."""
    if args.regenerate:
        return _regenerate(args)
    from ..claims.checking import validate

    def done(table: Table, name: str) -> None:
        say(f"{name:<28}{table.seconds[name]:6.1f} s", error=True)

    # a page about some claims must not replace the page about all of them unasked
    if args.report is not None and args.report.suffix not in (".html", ".htm"):
        raise CaseError(f"--report {args.report}: expected a file ending in .html")
    page = None if args.no_report or (args.names and args.report is None) else args.report or _default_page()
    with ExitStack() as stack:
        figures = args.figures
        if page is not None and figures is None:
            figures = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wgfpde-figures-")))
        table = validate(args.names, runs=args.out, figures=figures, done=done, full=args.full)
        if args.json:
            print_json({"passed": table.passed, "claims": table.rows, "seconds": table.seconds})
        else:
            for row in str(table).split("\n"):
                say(row)
        if page is not None:
            from ..claims.claims_page import write

            say(f"report: {write(table, page, figures)}", error=True)
    return 0 if table.passed else 3


def _regenerate(args: argparse.Namespace) -> int:
    """Prints a line per case and, under it, one per number that has changed."""
    from ..claims.regression import Change, folder, regenerate

    if args.full or args.figures or args.out or args.report or args.no_report:
        raise CaseError("--regenerate takes the names of cases and --json; it checks no claims and writes no page.")
    records: list[dict[str, Any]] = []

    def done(name: str, change: Change | None, written: bool) -> None:
        moved = [] if change is None else [metric for metric in change.arrays if not metric.passed]
        if written and not moved and change is not None and change.worst is not None and change.worst.difference > 0:
            moved = [change.worst]
        records.append(
            {
                "case": name, "written": written, "new": change is None,
                "notes": [] if change is None else list(change.notes),
                "changes": {metric.name: metric.relative for metric in moved},
            }
        )  # fmt: skip
        if args.json:
            say(name, error=True)
            return
        words = "new" if change is None else "changed" if written else "the same up to rounding"
        say(f"{name:<28} {words}")
        for note in change.notes if change else ():
            say(f"    {note}")
        for metric in moved:
            say(f"    {metric.name:<24} by {metric.relative:.1e} of its scale {metric.scale:.4g}, at t = {metric.t:g}")

    written = regenerate(folder(), args.names, done)
    if args.json:
        print_json({"written": written, "cases": records})
    else:
        say(f"{len(written)} of {len(records)} references written in {folder()}")
    return 0


def _default_page() -> Path:
    from ..claims.checking import report_path

    return report_path()
