"""Verbs that set runs against each other: w2, compare."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import CaseError
from ..runs.progress import status_line
from .arguments import Verbs, json_of
from .printing import print_json, say

if TYPE_CHECKING:
    from ..output.compare.comparison import Comparison, Metric, Moment
    from ..store import Run

W2_HELP = """
A and B are run folders or their HDF5 files; or densities from a .npy file or a picture (bright is much), on cells of
side 1 or, beside a run, on its box, rescaled to its mass; or points from a .csv or .txt file, one a row.
The distance is that of the densities, constant on their cells, on any two grids: exact in 1D, in 2D with bounds that
hold.  --atoms puts the mass of each cell at its centre, which is further by up to the side of a cell.
Exit code: 0, or 2 where A and B cannot be compared.
"""
COMPARE_HELP = """
A number passes where |a - b| <= X + R * scale.  The scale of a density is the norm (L1, L2, Linf) of B at that time; of
a diagnostic, the largest |b| over the times compared; of error_*, the largest norm of B; of W2, the diagonal of the box
times the root of the mass.  What rounding leaves of a number that cancels is not counted, unless R is 0.  Snapshots are
matched by time, to 1e-9 of the span; runs that end at different times do not pass, unless --time or --times chooses.
On different grids the finer density is averaged over the coarser cells.  Steps and cases are shown, not judged; wall
times, dates and versions are not compared.  Runs that are going on or were killed are compared as far as they go.
Exit code: 0 within the bounds, 3 beyond them, 2 where A and B cannot be compared.
"""
ROWS = 12
"""Most snapshots shown; --json has them all."""
LISTED = 4
"""Most of the times or cases listed in a line."""


def add(verbs: Verbs) -> None:
    w2 = verbs.add("w2", _w2, "the Wasserstein distance between two snapshots", W2_HELP)
    _two_runs(w2)
    for which in "ab":
        place, name = w2.add_mutually_exclusive_group(), which.upper()
        place.add_argument(f"--time-{which}", type=float, metavar="T", help=f"time in {name} (default: the last)")
        place.add_argument(f"--index-{which}", type=int, metavar="K", help="or number, from 0, or from -1 backwards")
    w2.add_argument("--atoms", action="store_true", help="between points at the centres of the cells")
    w2.add_argument("--tolerance", type=float, metavar="X", help="relative accuracy of W2^2 in 2D (default: 1e-3)")
    w2.add_argument("--cells", type=int, metavar="N", help="most cells finer than the data, in 2D (default: 65536)")
    json_of(w2)
    compare = verbs.add(
        "compare", _compare, "compare a run with a reference: densities, diagnostics, steps", COMPARE_HELP
    )
    _two_runs(compare, "; the reference: any stored run")
    compare.add_argument("--rtol", type=float, metavar="R", help="relative tolerance (default: 1e-9)")
    compare.add_argument("--atol", type=float, metavar="X", help="absolute tolerance (default: 0)")
    times = compare.add_mutually_exclusive_group()
    times.add_argument("--time", type=float, metavar="T", help="compare at this time only (default: all in common)")
    times.add_argument("--times", type=float, metavar="T", nargs="+", help="compare at these times only")
    compare.add_argument("--w2", action="store_true", help="W2 between the densities in 2D as well; in 1D always")
    json_of(compare)


def _two_runs(sub: argparse.ArgumentParser, more: str = "") -> None:
    for which, note in (("A", ""), ("B", more)):
        sub.add_argument(f"path_{which.lower()}", type=Path, metavar=which, help=f"run folder or its HDF5 file{note}")


def _w2(args: argparse.Namespace) -> int:
    """Prints the distance between two densities, or sets of points."""
    from ..output.density_files import opened_pair
    from ..transport.distances import MOST_CELLS, TOLERANCE, distance

    tolerance = TOLERANCE if args.tolerance is None else args.tolerance
    cells = MOST_CELLS if args.cells is None else args.cells
    if not 0 < tolerance < 1 or cells < 1:
        raise CaseError(f"--tolerance > 0, < 1 and --cells ≥ 1 are needed; found {tolerance:g} and {cells}.")
    a, b = opened_pair((args.path_a, args.time_a, args.index_a), (args.path_b, args.time_b, args.index_b))
    grid, other = (side.grid for side in (a, b))
    with status_line() as line:
        found = distance(grid, a.rho, b.rho, other, tolerance=tolerance, cells=cells, atoms=args.atoms, progress=line)
    record = {name: getattr(found, name) for name in ("w2", "lower", "upper", "gap", "iterations")}
    times = [{} if side.t is None else {"index": side.index, "t": side.t} for side in (a, b)]
    ends = [{"file": str(side.path)} | time for side, time in zip((a, b), times, strict=True)]
    if args.json:
        print_json(record | {"atoms": args.atoms, "a": ends[0], "b": ends[1]})
        return 0
    for name, side in zip("AB", (a, b), strict=True):
        say(f"{name}    {side.path}{'' if side.t is None else f' at t = {side.t:g}'}: {side.what}")
    how = "exact" if found.gap == 0 else f"between {found.lower:.6g} and {found.upper:.6g}"
    say(f"W2   {found.w2:.10g}  ({how})")
    return 0


# ---- compare -----------------------------------------------------------------------------------------------


def _compare(args: argparse.Namespace) -> int:
    """Prints how far two runs are apart; exit code 3 where that is beyond the tolerances."""
    from ..output.compare.comparison import ATOL, RTOL, compare
    from ..store import read

    a, b = read(args.path_a), read(args.path_b)
    slow = args.w2 and a.dim == 2

    rtol, atol = RTOL if args.rtol is None else args.rtol, ATOL if args.atol is None else args.atol
    times = args.times if args.time is None else [args.time]
    with status_line(slow, at_once=True) as line:
        found = compare(
            a, b, rtol, atol, times, w2=True if args.w2 else None, progress=lambda k, count: line(f"W2 {k} of {count}")
        )
    if args.json:
        print_json({"a": str(a.path), "b": str(b.path)} | found.record)
    else:
        _print_comparison(a, b, found)
    return 0 if found.passed else 3


def _print_comparison(a: Run, b: Run, found: Comparison) -> None:
    from ..grid.grid import grid_text

    for name, run in (("A", a), ("B", b)):
        say(f"{name}        {run.path}: {run.title}, {run.attributes.get('method', '')}, {grid_text(run.edges)}")
    say(f"times    {_times_text(found)}")
    if found.case_changes:
        say("cases    differ in (A | B)")
        for key, values in found.case_changes.items():
            say(f"           {key:<24} {' | '.join(_value_text(value) for value in values)}")
    say(f"steps    {_steps_text(found)}")
    for note in found.notes:
        say(f"note     {note}")
    if not found.identical:
        say()
        _print_moments(found)
        say()
        _print_metrics(found.metrics)
        say()
    say(f"verdict  {_verdict(found)}")


def _times_text(found: Comparison) -> str:
    text = f"{len(found.moments)} compared"
    for name, times in (("A", found.only_a), ("B", found.only_b)):
        if times:
            shown = ", ".join(f"{t:g}" for t in times[:LISTED]) + (", …" if len(times) > LISTED else "")
            text += f"; {len(times)} only in {name} (t = {shown})"
    return text


def _value_text(value: Any) -> str:
    from ..base.toml import show

    return "–" if value is None else show(value)


def _steps_text(found: Comparison) -> str:
    steps = found.steps
    if steps.equal:
        return f"{steps.rows_a}, the same in A and in B"
    return (
        f"{steps.rows_a} in A, {steps.rows_b} in B; the first that differs is step {steps.first} (from 0); not judged"
    )


def _print_moments(found: Comparison) -> None:
    """ρ_A − ρ_B at some of the times, those where a norm or W₂ is worst among them."""
    moments = found.moments
    worst = {k for k in range(len(moments)) if any(_is_worst(metric, moments[k]) for metric in found.metrics)}
    every = max(1, -(-(len(moments) - 1) // (ROWS - 1)))
    shown = sorted(worst | set(range(0, len(moments), every)) | {len(moments) - 1})
    w2 = any(moment.w2 is not None for moment in moments)
    say(
        f"{'t':>12}{'L1':>13}{'L2':>13}{'Linf':>13}"
        + (f"{'W2':>13}" if w2 else "")
        + "   rho_A - rho_B, norms relative"
    )
    for k in shown:
        m = moments[k]
        values = [d / n if n else d for d, n in zip(m.differences, m.norms, strict=True)]
        text = f"{m.t:>12.6g}" + "".join(f"{value:>13.3g}" for value in values)
        if w2:
            text += f"{'–' if m.w2 is None else format(m.w2, '.3g'):>13}"
        marks = [metric.name for metric in found.metrics if metric.difference and _is_worst(metric, m)]
        gap = f"   gap {m.gap:.1g}" if m.gap else ""
        say(text + gap + (f"   worst {', '.join(marks)}" if marks else ""))
    if len(shown) < len(moments):
        say(f"  {len(shown)} of {len(moments)} snapshots; --json has all")


def _is_worst(metric: Metric, moment: Moment) -> bool:
    return metric.t == moment.t and metric.name in ("rho L1", "rho L2", "rho Linf", "W2")


def _print_metrics(metrics: list[Metric]) -> None:
    """What is judged, the worst marked."""
    say(f"{'judged':<20}{'|a - b|':>12}{'bound':>12}{'scale':>12}{'relative':>12}{'at t':>12}   verdict")
    worst = _worst(metrics)
    for m in metrics:
        numbers = "".join(f"{x:>12.3g}" for x in (m.difference, m.bound, m.scale, m.relative))
        mark = "   <- worst" if m is worst and m.difference else ""
        say(f"{m.name:<20}{numbers}{m.t:>12.6g}   {'within' if m.passed else 'BEYOND'}{mark}")


def _worst(metrics: list[Metric]) -> Metric:
    """The one that fills most of its bound, or exceeds it most."""
    return max(metrics, key=lambda m: m.difference / m.bound if m.bound else float(m.difference > 0) * float("inf"))


def _verdict(found: Comparison) -> str:
    if found.identical:
        return "identical bit for bit"
    tolerances = f"rtol {found.rtol:g}, atol {found.atol:g}"
    beyond = [metric for metric in found.metrics if not metric.passed]
    if not beyond:
        return f"within the tolerances ({tolerances})"
    count = f"{len(beyond)} of {len(found.metrics)}"
    return f"BEYOND the tolerances ({tolerances}): {count} numbers, most of all {_worst(beyond).name}"
