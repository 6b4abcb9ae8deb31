"""The verb sweep."""

from __future__ import annotations

import argparse
import math
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ...base.amounts import duration
from ...errors import CaseError
from ..arguments import Verbs, case_of, count_of, json_of, yes_of
from ..printing import print_json, say

if TYPE_CHECKING:
    from ...cases.schema import Case
    from ...studies.sweep import Kept, Plan, Swept
    from ...studies.sweep.engines.engine import Engine

HELP = """
Values: a,b,c or FIRST:LAST:COUNT, or FIRST:LAST:COUNT:log; of any key, such as solver.method=fv,jko.  Every
combination is run, or with --zip the first values together, the second ones, and so on.  DIR/sweep.h5 and DIR/sweep.csv
hold the last diagnostics of every run.  A run has a folder of its own in DIR, named by its values; where there are 200
runs or more of at most 4096 cells it has none, unless --folders asks for them.  Runs that DIR holds are not done again:
the same command, or wgfpde resume DIR, goes on with a sweep that was stopped; what failed is tried again.
Exit code: 0, 1 where a run failed, 2 for a sweep that makes no sense, 130 on Ctrl-C.
"""

TOLD = 3
"""Failures that `inspect` tells one by one."""
SHARES = 16
"""Elements of an array, where nobody says."""


def add(verbs: Verbs) -> None:
    sub = verbs.add("sweep", _sweep, "run a case over values of its keys, on all cores, into one dataset", HELP)
    case_of(sub)
    sub.add_argument(
        "--vary", metavar="KEY=VALUES", action="append", required=True,
        help="e.g. --vary params.theta=0.5:2:16; again for further keys",
    )  # fmt: skip
    sub.add_argument("--zip", dest="zipped", action="store_true", help="keys change together, not in every combination")
    sub.add_argument("--out", type=Path, metavar="DIR", help="folder of the sweep (default: runs/NAME-sweep)")
    sub.add_argument("--overwrite", action="store_true", help="forget what DIR holds, and do all runs anew")
    kept = sub.add_argument_group("what is kept of each run, beside its last diagnostics")
    kept.add_argument(
        "--series", metavar="NAME", action="append", default=[], help="this diagnostic at all times; may be repeated"
    )
    kept.add_argument("--density", action="store_true", help="the last density")
    kept.add_argument("--against", type=Path, metavar="RUN", help="L1, KL and W2 to the last density of this run")
    folders = kept.add_mutually_exclusive_group()
    folders.add_argument("--folders", action="store_true", default=None, help="a run folder for every run")
    folders.add_argument("--no-folders", dest="folders", action="store_false", help="none, whatever the runs are")
    engine = sub.add_argument_group("who does the runs")
    engine.add_argument(
        "--workers", type=count_of("processes", 4096), metavar="N", help="processes (default: one for each core)"
    )
    engine.add_argument("--dask", metavar="ADDRESS", help='workers of dask: "local", or the address of a scheduler')
    engine.add_argument(
        "--slurm", type=Path, metavar="FILE", nargs="?", const=Path("sweep.slurm"),
        help="run nothing: write a script for a Slurm array of shares (default: sweep.slurm), see --shares",
    )  # fmt: skip
    engine.add_argument(
        "--shares", type=count_of("shares", 4096), metavar="N", help="elements of that array (default: 16, or fewer)"
    )
    engine.add_argument("--array", type=_share, metavar="K/N", help="only the K-th of N shares of the runs, no dataset")
    sub.add_argument("--measure", metavar="NAME", default="", help="what the figure draws (default: the energy)")
    sub.add_argument("--no-plot", action="store_true", help="no figure")
    sub.add_argument("--quiet", action="store_true", help="no progress; errors are still shown")
    yes_of(sub)
    json_of(sub)


def _share(text: str) -> tuple[int, int]:
    first, slash, last = text.partition("/")
    if not (slash and first.isdecimal() and last.isdecimal() and 1 <= int(first) <= int(last)):
        raise argparse.ArgumentTypeError(f"expected K/N with K from 1 to N, such as 3/8; found {text!r}")
    return int(first), int(last)


def _sweep(args: argparse.Namespace) -> int:
    from ...cases.loading import load
    from ...cases.varying import vary
    from ...studies.sweep import MOST, Plan

    case = load(args.case, args.overrides)
    plan = Plan(case, tuple(vary(args.vary, case, args.zipped, MOST)), args.zipped)
    if args.slurm is not None:
        return _scripted(args, plan)
    return swept(args, plan, _kept(args, case), args.out or Path("runs") / f"{case.name}-sweep")


def _scripted(args: argparse.Namespace, plan: Plan) -> int:
    """Write the script of a Slurm array in place of running the sweep."""
    from ...studies.sweep.engines.slurm_script import array_script, write_script

    out = args.out or Path("runs") / f"{plan.case.name}-sweep"
    shares = min(args.shares or SHARES, plan.count) if args.shares is None else args.shares
    command = ["wgfpde", "sweep", args.case, *(part for text in args.overrides for part in ("--set", text))]
    command += [*(part for text in args.vary for part in ("--vary", text)), *(["--zip"] if args.zipped else [])]
    command += ["--out", str(out), *(part for name in args.series for part in ("--series", name))]
    command += ["--density"] if args.density else []
    command += ["--against", str(args.against)] if args.against is not None else []
    command += [*(["--overwrite"] if args.overwrite else []), *(["--yes"] if args.yes else [])]
    command += [] if args.folders is None else ["--folders" if args.folders else "--no-folders"]
    write_script(args.slurm, array_script(plan.case.name, command, plan.count, shares, out))
    say(f"script  {args.slurm}: {plan.count} runs in {shares} shares")
    say(f"next    sbatch {args.slurm}, and when all have ended: wgfpde resume {out}")
    return 0


def _kept(args: argparse.Namespace, case: Case) -> Kept:
    from ...store import read
    from ...studies.sweep import Kept

    against = "" if args.against is None else str(read(args.against).path.resolve())
    return Kept(args.folders, tuple(dict.fromkeys(args.series)), args.density, against)


def swept(args: argparse.Namespace, plan: Plan, kept: Kept, folder: Path) -> int:
    """Do a sweep, showing how it goes, and say what came of it; its exit code."""
    from ...cases.limits.cost import UNCOUNTED, check_asked
    from ...runs.interrupts import Interrupted
    from ...studies.sweep import sweep
    from ...studies.sweep.live import Live
    from ...studies.sweep.sweep_study import plan_cost, stores_folders

    engine = engine_of(args, plan)
    share = getattr(args, "array", None)
    check_asked(plan.case, plan_cost(plan, kept, engine.workers, share), args.yes)
    if not (args.quiet or args.json):
        where = "each in a folder" if stores_folders(plan, kept) else "without folders (--folders asks for them)"
        say(f"{plan.count} runs of {plan.case.title}, {engine.name}, {where}", error=True)
    live = Live(None if args.quiet else sys.stderr)
    try:
        found = sweep(
            plan, folder, kept, engine, overwrite=getattr(args, "overwrite", False),
            share=share, watcher=live, most_steps=math.inf if args.yes else UNCOUNTED,
        )  # fmt: skip
    except Interrupted as request:
        live.close()
        done = live.text.rpartition(",")[0]
        text = f"stopped by {request.cause}: {done} done\nGo on with: wgfpde resume {shlex.quote(str(folder))}"
        raise Interrupted(text, request.exit_code) from None
    finally:
        live.close()
    figure = _figure(args, found)
    if args.json:
        print_json(found.record | {"figure": None if figure is None else str(figure)})
    else:
        _print(found)
        if figure is not None:
            say(f"figure  {figure}")
    return 1 if found.failed else 0


def _figure(args: argparse.Namespace, found: Swept) -> Path | None:
    """Draw what came of it, where there is something."""
    if found.file is None or getattr(args, "no_plot", False) or not found.finished:
        return None
    from ...output.plots.many_runs.sweep_figure import draw_sweep
    from ...store import read_study

    return draw_sweep(read_study(found.file), found.file.with_suffix(".png"), getattr(args, "measure", ""))


def resumed(args: argparse.Namespace) -> int:
    """wgfpde resume, of a sweep."""
    from ...studies.sweep.sweep_folder import read_known

    if args.until is not None or args.wall_limit is not None or args.plot:
        raise CaseError(f"{args.path} holds a sweep, which goes on without --until, --wall-limit and --plot")
    known = read_known(args.path)
    return swept(args, known.plan(), known.kept, args.path)


def inspected(args: argparse.Namespace) -> int:
    """wgfpde inspect, of a sweep: what it runs over, what is done, and where to look further."""
    from ...studies.sweep.swept import swept_so_far

    found = swept_so_far(args.path)
    if args.json:
        print_json({"kind": "sweep"} | found.record)
        return 0
    plan, place = found.plan, shlex.quote(str(args.path))
    how = ", together" if plan.zipped else ", in every combination" if len(plan.varied) > 1 else ""
    say(plan.case.title)
    say(f"  sweep       {plan.count} runs over {', '.join(f'{v.key} ({len(v)} values)' for v in plan.varied)}{how}")
    rest = found.asked - found.finished - found.failed
    say(f"  status      {found.finished} finished, {found.failed} failed, {rest} not done")
    for label, why in list(found.failures.items())[: None if args.all else TOLD]:
        say(f"  failed      {label}: {why}")
    if found.failed > TOLD and not args.all:
        say(f"  failed      and {found.failed - TOLD} more; sweep.csv has all")
    if found.file is not None:
        say(f"  file        {found.file}, and the same as a table in {found.file.with_suffix('.csv').name}")
        say(f"  see         wgfpde plot {place}, or of a run in it: wgfpde inspect DIR")
    if rest or found.failed:
        say(f"  go on       wgfpde resume {place}, which tries again what failed; wgfpde watch {place} follows it")
    return 0


def engine_of(args: argparse.Namespace, plan: Plan) -> Engine:
    """Who does the runs."""
    from ...studies.sweep.engines.choice import engine_for

    return engine_for(plan, getattr(args, "workers", None), getattr(args, "dask", None))


def _print(found: Swept) -> None:
    for label, why in found.failures.items():
        say(f"error: {label}: {why}", error=True)
    if (more := found.failed - len(found.failures)) > 0:
        say(f"error: and {more} more; sweep.csv has all", error=True)
    before = f", {found.known} of them before" if found.known else ""
    failed = f"; {found.failed} failed" if found.failed else ""
    if (rest := found.asked - found.finished - found.failed) > 0:
        failed += f"; {rest} not done"
    say(f"done    {found.finished} of {found.plan.count} runs{before}{failed}, in {duration(found.seconds)}")
    if found.file is not None:
        say(f"file    {found.file}")
        say(f"table   {found.file.with_suffix('.csv')}")
