"""Verbs that show a run: inspect, plot."""

from __future__ import annotations

import argparse
from pathlib import Path

from .arguments import Verbs, json_of, run_of
from .words import print_json, print_record


def add(verbs: Verbs) -> None:
    inspect = verbs.add("inspect", _inspect, "show what a run holds and whether its promises were kept")
    run_of(inspect)
    json_of(inspect)
    plot = verbs.add("plot", _plot, "plot a run")
    run_of(plot)
    plot.add_argument("--out", type=Path, metavar="DIR", help="folder for the figures (default: the run's)")


def _inspect(args: argparse.Namespace) -> int:
    from ..promises import record_of, table
    from ..store import read

    record = record_of(read(args.path))
    if args.json:
        print_json(record)
        return 0
    print_record(record)
    for line in table(record):
        print(f"  {line}")
    return 0


def _plot(args: argparse.Namespace) -> int:
    for figure in plot_figures(args.path, args.out):
        print(figure)
    return 0


def plot_figures(path: Path, out: Path | None = None) -> list[Path]:
    from ..plots import plot

    return plot(path, out)
