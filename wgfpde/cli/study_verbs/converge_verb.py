"""The verb converge."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...runs.progress import StatusLine
from ..arguments import Verbs, case_of, figure_of, study_options
from ..printing import print_json, say

if TYPE_CHECKING:
    from ...runs.progress import Progress
    from ...studies.convergence import Convergence

HELP = """
The first key gives the size that orders are fitted over: h for grid.shape, else the value itself; keys that are given
together change together.  Errors are against [exact] where the case has it, else against the finest run, which counts
as a solution with an error of its own: the orders allow for it.  Runs of the same case that DIR holds already are not
solved again, so that a study that was stopped goes on with the same command; DIR/converge.h5 and its figure are
replaced.  Exit code: 0, 1 where a run did not
finish, 3 where a fitted order, over all errors or over the last three, stays below the expected one by more than a
tenth of it, 2 for a study that makes no sense.
"""
NORMS = ("l1", "l2", "linf", "w2")


def add(verbs: Verbs) -> None:
    sub = verbs.add("converge", _converge, "run a case on finer and finer grids or steps, and find the orders", HELP)
    case_of(sub)
    sub.add_argument(
        "--vary", metavar="KEY=A,B,C", action="append", required=True,
        help="its values, e.g. --vary grid.shape=64,128,256; again for keys that change with the first",
    )  # fmt: skip
    sub.add_argument("--against", choices=("exact", "finest"), help="what errors are against (default: exact if known)")
    sub.add_argument(
        "--norm", dest="norms", choices=NORMS, action="append", default=[],
        help="of the errors (default: all, or none with --measure); may be repeated; w2 in 1D",
    )  # fmt: skip
    sub.add_argument(
        "--measure", dest="measures", metavar="NAME", action="append", default=[],
        help="follow this diagnostic: its differences to the finest run, and its extrapolated limit; may be repeated",
    )  # fmt: skip
    sub.add_argument("--time", type=float, metavar="T", help="a stored time (default: the last)")
    sub.add_argument("--expect", type=_order, metavar="P", help="the order that each fitted one should reach")
    sub.add_argument("--out", type=Path, metavar="DIR", help="folder of the runs (default: runs/NAME-converge)")
    sub.add_argument("--overwrite", action="store_true", help="solve all runs anew, also those that are there")
    sub.add_argument("--workers", type=int, metavar="N", default=1, help="processes that do the runs (default: 1)")
    sub.add_argument("--quiet", action="store_true", help="no progress; errors are still shown")
    study_options(sub)


def _order(text: str) -> float:
    try:
        order = float(text)
    except ValueError:
        order = math.nan
    if not 0 < order < math.inf:
        raise argparse.ArgumentTypeError(f"expected a positive order, such as 2; found {text!r}")
    return order


def _converge(args: argparse.Namespace) -> int:
    from ...cases.limits.cost import UNCOUNTED, check_asked, together_cost
    from ...cases.loading import load
    from ...cases.varying import together, vary
    from ...studies.convergence import converge, place_of, record, write

    case = load(args.case, args.overrides)
    varied = vary(args.vary, case)
    check_asked(case, together_cost(together(case, varied)), args.yes)
    figure = figure_of(args, place_of(case, args.out))
    lines = None if args.quiet else _Lines(max(map(len, varied)))
    try:
        found = converge(
            case, varied, args.out, against=args.against, norms=args.norms, measures=args.measures, time=args.time,
            overwrite=args.overwrite, progress=lines, after_run=None if lines is None else lines.after_run,
            workers=args.workers, most_steps=math.inf if args.yes else UNCOUNTED,
        )  # fmt: skip
    finally:
        if lines is not None:
            lines.clear()
    file = write(found)
    if figure is not None:
        _draw(file, figure)
    verdict = None if args.expect is None else found.met(args.expect)
    if args.json:
        more = {
            "expected": args.expect,
            "met": verdict,
            "file": str(file),
            "figure": None if figure is None else str(figure),
        }
        print_json(record(found) | more)
    else:
        _print(found)
        if verdict is not None:
            say(f"verdict  {_verdict(args.expect, verdict)}")
        say(f"file     {file}")
        if figure is not None:
            say(f"figure   {figure}")
    for k, failure in found.failures.items():
        say(f"error: run {k + 1} of {len(found.solved)}, {found.label(k)}: {failure}", error=True)
    if found.failures:
        return 1
    return 0 if verdict is None or all(verdict.values()) else 3


class _Lines:
    """A line that stays for each run that is done, and one of its own for that which is going on."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._begin(1)

    def _begin(self, number: int) -> None:
        self._number = number
        self._line = StatusLine(sys.stderr, head=f"run {number} of {self._count}   ")

    def __call__(self, progress: Progress) -> None:
        self._line(progress)

    def after_run(self, text: str) -> None:
        self.clear()
        say(text, error=True)
        self._begin(self._number + 1)

    def clear(self) -> None:
        self._line.clear()


def _draw(file: Path, figure: Path) -> None:
    from ...output.plots import draw_study

    draw_study(file, figure)


# ---- the table --------------------------------------------------------------------------------------------


def _print(found: Convergence) -> None:
    where = {"exact": "the exact solution", "finest": "the finest run"}[found.against]
    when = "at the end of each run" if math.isnan(found.t) else f"at t = {found.t:g}"
    say(f"{found.case.title}: against {where}, {when}")
    say()
    columns = _columns(found)
    widths = [max(len(text) for text in (title, *cells)) for title, cells in columns]
    say("  ".join(f"{title:>{width}}" for (title, _), width in zip(columns, widths, strict=True)))
    for k in range(len(found.solved)):
        say("  ".join(f"{cells[k]:>{width}}" for (_, cells), width in zip(columns, widths, strict=True)))
    say()
    say(f"fitted order       {_orders(found.fitted)}")
    if any(sum(map(math.isfinite, errors)) > 3 for errors in found.errors.values()):
        say(f"of the last three  {_orders(found.fitted_last)}")
    for name, limit in found.limits.items():
        if limit is None:
            say(f"limit    {name}: none, for its differences do not fall like a power of the size")
        else:
            text = f"{limit.value:.10g}, order {limit.order:.2f}; the finest run is off by {limit.error:.2g}"
            say(f"limit    {name} → {text}")
    for note in found.notes:
        say(f"note     {note}")


def _columns(found: Convergence) -> list[tuple[str, list[str]]]:
    """(title, one text for each run)."""
    count = range(len(found.solved))
    columns = [(v.key, [v.text(k) for k in count]) for v in found.varied]
    columns += [
        ("h", [f"{h:.4g}" for h in found.h]),
        ("steps", [f"{steps}" for steps in found.steps]),
        ("seconds", [_number(seconds, ".3g") for seconds in found.seconds]),
    ]
    for name, errors in found.errors.items():
        if name in found.values:
            columns.append((name, [_number(value, ".10g") for value in found.values[name]]))
        title = f"Δ {name}" if name in found.values else name
        columns.append((title, [_number(error, ".3e") for error in errors]))
        columns.append(("order", [_number(order, ".2f") for order in found.orders[name]]))
    if found.failures:
        columns.append(("", ["failed" if k in found.failures else "" for k in count]))
    return columns


def _orders(orders: dict[str, float]) -> str:
    return ", ".join(f"{name} {_number(order, '.3f')}" for name, order in orders.items())


def _verdict(expected: float, met: dict[str, bool]) -> str:
    from ...studies.convergence import SLACK

    bound = f"at least {(1 - SLACK) * expected:g}, for an order of {expected:g}"
    below = [name for name, yes in met.items() if not yes]
    return f"{bound}: BELOW in {', '.join(below)}" if below else f"{bound}: met by {', '.join(met)}"


def _number(value: Any, form: str) -> str:
    return format(value, form) if math.isfinite(value) else "–"
