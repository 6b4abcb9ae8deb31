"""The verb exits."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...runs.progress import status_line
from ..arguments import Verbs, case_of, figure_of, study_options
from ..printing import print_json, say

if TYPE_CHECKING:
    from ...cases.schema import Case
    from ...studies.exits import Exits

HELP = """
For Fokker-Planck equations (entropy, no interaction), by elimination and without time steps, so that barriers of 100 kT
are no harder than others.  What ends the process are the exits of the case (absorbing walls, sinks); --to REGION is one
more, for this question only, and --to NAME means one of them.  The start is [initial], or with --from the Gibbs state
within a region.  With both, the committor is the probability to reach the target before that region (told for
[initial]), and the rate counts passages per time in equilibrium.  A region is a formula that is not 0 inside.
An older answer of the same name is replaced.
"""


def add(verbs: Verbs) -> None:
    sub = verbs.add("exits", _exits, "mean first-passage times, exit probabilities, committors and rates", HELP)
    case_of(sub)
    sub.add_argument("--from", dest="start", metavar="REGION", help='where to start, e.g. "x < -0.8"')
    sub.add_argument("--to", metavar="NAME|REGION", help='the target: an exit of the case, or a region, e.g. "x > 1"')
    sub.add_argument(
        "--times", nargs="?", const="", metavar="A:B:N",
        help="also survival and first-passage density over time: N times from A to B, or t1,t2,… "
        "(default: 41 up to four mean times)",
    )  # fmt: skip
    study_options(sub, "exits")


def _exits(args: argparse.Namespace) -> int:
    from ... import __version__
    from ...cases.building import build_flow, build_grid
    from ...cases.case_densities import start_of
    from ...cases.limits.cost import check_asked, cost_of
    from ...cases.loading import load
    from ...store import check_place, save_study
    from ...studies.exits import KIND, SLOW_CELLS, check_exits_case, exits_study, find_exits, region_of, target_of

    case = load(args.case, args.overrides)
    check_exits_case(case)
    check_asked(case, cost_of(case).of_formulas, args.yes)
    out = Path(f"{case.name}-exits.h5") if args.out is None else args.out
    check_place(out, KIND)
    figure = figure_of(args, out)
    with status_line(at_once=case.cells > SLOW_CELLS) as line:
        grid = build_grid(case)
        flow = build_flow(case, grid)
        start = None if args.start is None else region_of(case, args.start, "--from")
        found = find_exits(flow, start_of(case, grid)[0], start, target_of(case, flow, args.to), args.times, line)
    about = {"title": case.title, "source": f"wgfpde {__version__}", "from": args.start or "", "to": args.to or ""}
    save_study(out, exits_study(flow, found, about, case.texts), KIND)
    if figure is not None:
        from ...output.plots import draw_study

        draw_study(out, figure)
    if args.json:
        print_json(_record(case, found, args, out, figure))
    else:
        _print(case, found, args, out, figure)
    return 0


# ---- in words ----------------------------------------------------------------------------------------------


def _print(case: Case, found: Exits, args: argparse.Namespace, out: Path, figure: Path | None) -> None:
    from ...grid.grid import grid_text

    say(case.title)
    say(f"  {case.summary['equation']}, {grid_text([axis.edges for axis in found.grid.axes])}")
    say()
    _line("from", args.start or "[initial]")
    _line("to", args.to or ", ".join(found.exits))
    _line("mean time", f"{found.mean_time:.10g}, standard deviation {found.standard_deviation:.6g}")
    for name, share in found.exits.items():
        when = f", after {found.conditional_times[name]:.8g} on average" if share > 0 and len(found.exits) > 1 else ""
        _line("leaves by", f"{name} with probability {share:.10g}{when}")
    if found.rate is not None:
        _line("committor", f"{found.committor:.10g} at [initial]")
        _line("rate", f"{found.rate:.10g}, the same across all cuts to {found.rate_spread:.1e}")
        _line("passage", f"{found.passage_time:.6g} on average, from leaving --from for good to --to")
    late = f"{found.quasi_stationary_rate:.10g}, 1/rate = {1 / found.quasi_stationary_rate:.8g}"
    _line("late decay", f"{late} (residual {found.quasi_stationary_residual:.1e})")
    if (seen := found.survival) is not None:
        half = seen.t[seen.survival >= 0.5]
        _line("survival", f"{seen.survival[-1]:.6g} at t = {seen.t[-1]:g}, at least half up to t = {half[-1]:g}")
        _line("", f"of order {seen.levels} in time, relative error about {seen.error:.1e}")
    for note in found.notes:
        _line("note", note)
    _line("file", str(out))
    if figure is not None:
        _line("figure", str(figure))


def _line(name: str, text: str) -> None:
    say(f"  {name:<12}{text}")


def _record(case: Case, found: Exits, args: argparse.Namespace, out: Path, figure: Path | None) -> dict[str, Any]:
    from ...studies.exits import exits_record

    return {
        "title": case.title, "shape": list(case.grid.shape), "from": args.start, "to": args.to,
        **exits_record(found), "file": str(out), "figure": None if figure is None else str(figure),
    }  # fmt: skip
