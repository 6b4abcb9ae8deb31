"""The figure beside the file of a study: where it goes, and whether there is to be one."""

from __future__ import annotations

import argparse
from pathlib import Path


def figure_options(sub: argparse.ArgumentParser) -> None:
    figure = sub.add_mutually_exclusive_group()
    figure.add_argument("--plot", type=Path, metavar="FILE", help=".png, .pdf or .svg (default: beside the .h5 file)")
    figure.add_argument("--no-plot", action="store_true", help="no figure")


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
