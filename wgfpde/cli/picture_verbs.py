"""Verbs that draw a run: plot, movie."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..base.own_process import load_figure_library
from ..errors import CaseError
from ..runs.progress import status_line
from .arguments import Verbs, run_of
from .printing import say

FIELDS = (
    "Fields: rho (the default), energy, certificates, gap, error, steps, or the name of a diagnostic, as inspect "
    "shows them."
)


def add(verbs: Verbs) -> None:
    plot = verbs.add("plot", _plot, "plot a run", FIELDS)
    plot.add_argument(
        "paths", type=Path, metavar="PATH", nargs="+",
        help="run folder or its HDF5 file; several, in one figure; or the folder of a sweep",
    )  # fmt: skip
    plot.add_argument("--field", metavar="NAME", help="what to draw (default: rho, above the energy)")
    which = plot.add_mutually_exclusive_group()
    which.add_argument("--times", type=_times, metavar="T,T,…", help="stored times to draw the density at")
    which.add_argument("--index", type=_indices, metavar="K,K,…", help="or numbers, from 0; --index=-1 is the last")
    plot.add_argument("--log", action="store_true", help="logarithmic scale, for tails; cells without mass are marked")
    plot.add_argument("--error", action="store_true", help="also the density less the exact one")
    plot.add_argument("--out", type=Path, metavar="PATH", help="file (.png, .pdf, .svg) or folder (default: the run's)")
    plot.add_argument("--format", choices=("png", "pdf", "svg"), help="kind of file (default: as --out ends, or png)")
    look = _looks_of(plot)
    look.add_argument("--size", type=_size, metavar="WxH", help="width and height in inches, such as 7x4")
    look.add_argument("--dpi", type=float, metavar="N", help="dots per inch of a PNG (default: 150)")
    movie = verbs.add("movie", _movie, "film a run, one frame for each snapshot")
    run_of(movie)
    movie.add_argument("--out", type=Path, metavar="FILE", help=".gif or .mp4 (default: plots/movie.gif of the run)")
    speed = movie.add_mutually_exclusive_group()
    speed.add_argument(
        "--fps", type=float, metavar="N", help="frames per second (default: about 8 s, at most 200 frames)"
    )  # fmt: skip
    speed.add_argument("--seconds", type=float, metavar="S", help="or how long the film lasts")
    movie.add_argument("--log", action="store_true", help="logarithmic scale, for tails; cells without mass are marked")
    movie.add_argument("--times", type=_span, metavar="A:B", help="first and last time; either may be left out")
    _looks_of(movie)


def _looks_of(sub: argparse.ArgumentParser) -> Any:
    """Scale and colours, of a figure or of a film."""
    look = sub.add_argument_group("looks")
    look.add_argument("--scale", choices=("shared", "each"), help="colours of maps: one scale, or each up to its peak")
    look.add_argument("--vmin", type=float, metavar="RHO", help="lower end of the density scale")
    look.add_argument("--vmax", type=float, metavar="RHO", help="and its upper end")
    look.add_argument("--cmap", metavar="NAME", help="colours of maps, a name that Matplotlib knows, such as viridis")
    return look


def _plot(args: argparse.Namespace) -> int:
    names = ("field", "times", "index", "log", "error", "format", "scale", "vmin", "vmax", "cmap", "size", "dpi")
    given = {name: value for name in names if (value := getattr(args, name)) not in (None, False)}
    from ..studies.sweep_mark import is_sweep

    if len(args.paths) == 1 and not is_sweep(args.paths[0]):
        figures = plot_figures(args.paths[0], args.out, **given)
    else:
        figures = [_plot_many(args.paths, args.out, given)]
    for figure in figures:
        say(figure)
    return 0


def _plot_many(paths: Sequence[Path], out: Path | None, given: dict[str, Any]) -> Path:
    """A figure of a sweep, or of several runs."""
    from ..output.plots.many_runs.overlaid import draw_overlaid
    from ..output.plots.many_runs.sweep_figure import default_field, draw_sweep
    from ..output.plots.style import picture_path
    from ..store import read, read_study
    from ..studies.sweep_mark import dataset_of

    takes = {"field", "format"} if len(paths) == 1 else {"field", "format", "times", "log"}
    if unknown := sorted(set(given) - takes):
        what = "a sweep" if len(paths) == 1 else "several runs"
        raise CaseError(
            f"--{unknown[0]} is not for a figure of {what}; it takes --{', --'.join(sorted(takes))} and --out"
        )
    if len(paths) == 1:
        study = read_study(dataset_of(paths[0]))
        field = given.get("field") or default_field(study)
        path = picture_path(out, paths[0] / "plots", field, given.get("format"))
        return draw_sweep(study, path, field)
    runs = [read(path) for path in paths]
    field = given.get("field", "rho")
    times = given.get("times", (None,))
    if len(times) > 1:
        raise CaseError("several runs are drawn at one time: --times T")
    path = picture_path(out, Path("."), f"{field}-of-{len(runs)}-runs", given.get("format"))
    return draw_overlaid(runs, path, field, times[0], "log" in given)


def _movie(args: argparse.Namespace) -> int:
    from ..output.plots import movie
    from ..output.references import exact_and_gibbs, potential_of
    from ..store import read

    run = read(args.path)
    gibbs = exact_and_gibbs(run)[1] if run.dim == 1 else None
    potential = potential_of(run) if run.dim == 2 else None
    with status_line() as line:
        file = movie(
            run, args.out, fps=args.fps, seconds=args.seconds, log=args.log, times=args.times,
            scale=args.scale, vmin=args.vmin, vmax=args.vmax, cmap=args.cmap, gibbs=gibbs, potential=potential,
            progress=lambda done, total: line(f"frame {done} of {total}"),
        )  # fmt: skip
    say(file)
    return 0


def plot_figures(path: Path, out: Path | None = None, **given: Any) -> list[Path]:
    """Draw a run, held against its exact solution and its Gibbs state where its case tells them.

    given : fields of plots.Options.
    """
    load_figure_library()
    from ..output.plots import Options, plot
    from ..output.references import exact_and_gibbs, potential_of
    from ..store import read

    run, options = read(path), Options(**given)
    exact, gibbs = exact_and_gibbs(run) if options.field == "rho" else (None, None)
    potential = potential_of(run) if options.field == "rho" and run.dim == 2 else None
    return plot(run, out, options=options, exact=exact, gibbs=gibbs, potential=potential)


def _times(text: str) -> tuple[float, ...]:
    return tuple(_number(part, text, "times, such as 0,0.5,2") for part in text.split(","))


def _indices(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected numbers of snapshots, such as 0,5,-1; found {text!r}") from None


def _size(text: str) -> tuple[float, float]:
    wish = "a width and a height in inches, such as 7x4"
    width, _, height = text.lower().partition("x")
    return _number(width, text, wish), _number(height, text, wish)


def _span(text: str) -> tuple[float, float]:
    wish = "a span of times, such as 0.5:2 or 0.5:"
    first, colon, last = text.partition(":")
    if not colon:
        raise argparse.ArgumentTypeError(f"expected {wish}; found {text!r}")
    return (
        _number(first, text, wish) if first.strip() else float("-inf"),
        _number(last, text, wish) if last.strip() else float("inf"),
    )


def _number(part: str, text: str, wish: str) -> float:
    try:
        return float(part)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected {wish}; found {text!r}") from None
