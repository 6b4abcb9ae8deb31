"""Verbs that tell about a run, or a sweep: inspect, report."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..runs.progress import status_line
from .arguments import Verbs, json_of, run_of
from .printing import print_json, print_record, print_screen, print_summary, say

WORST_HELP = (
    "The worst value of a diagnostic: the largest drift of the mass, the largest rise of the energy, or its smallest "
    "fall where it always falls, the smallest "
    "density, the largest error. The stored densities are read once, for their smallest value."
)


def add(verbs: Verbs) -> None:
    inspect = verbs.add("inspect", _inspect, "show what a run holds and whether its promises were kept", WORST_HELP)
    inspect.add_argument(
        "path", type=Path, metavar="PATH", help="run folder or its HDF5 file, or the folder of a sweep"
    )
    inspect.add_argument("--all", action="store_true", help="every block in full: steps, parameters, provenance too")
    json_of(inspect)
    report = verbs.add("report", _report, "write one HTML page about a run, readable offline")
    run_of(report)
    report.add_argument("--out", type=Path, metavar="FILE", help="the page (default: report.html beside the run)")


def _inspect(args: argparse.Namespace) -> int:
    from ..studies.sweep_mark import is_sweep

    if is_sweep(args.path):
        from .study_verbs.sweep_verb import inspected

        return inspected(args)
    from ..output.report import summary
    from ..store import read

    with status_line() as line:
        record = summary(read(args.path), lambda done, total: line(f"density {done} of {total}"))
    if args.json:
        print_json(record)
        return 0
    if args.all:
        print_record(record)
        print_summary(record)
    else:
        print_screen(record)
    return 0


def _report(args: argparse.Namespace) -> int:
    from ..output.report import write
    from ..store import read

    say(write(read(args.path), args.out))
    return 0
