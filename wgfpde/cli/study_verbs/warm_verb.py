"""The verb warm."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ...base.amounts import duration
from ..arguments import Verbs, count_of, json_of, yes_of
from ..printing import print_json, say

if TYPE_CHECKING:
    from ...studies.warming.side_by_side import Done

HELP = """
The first run of each kind of problem compiles its kernels, which takes some seconds to half a minute; all later ones
load them.  This compiles them before, by several processes at once: those of one case, or of all packaged cases.
"""


def add(verbs: Verbs) -> None:
    sub = verbs.add("warm", _warm, "compile kernels before they are needed, by several processes", HELP)
    sub.add_argument("case", metavar="CASE", nargs="?", help="case file, or a packaged name (default: all packaged)")
    sub.add_argument(
        "--set", dest="overrides", metavar="KEY=VALUE", action="append", default=[], help="override a key of CASE"
    )
    sub.add_argument(
        "--workers", type=count_of("processes"), metavar="N", help="processes (default: the cores it may use)"
    )
    sub.add_argument("--quiet", action="store_true", help="say nothing; errors are still shown")
    yes_of(sub)
    json_of(sub)


def _warm(args: argparse.Namespace) -> int:
    from ...cases.limits.cost import check_asked, cost_of
    from ...cases.loading import load
    from ...errors import CaseError
    from ...studies.sweep.engines.process_pool import cores
    from ...studies.warming.side_by_side import jobs_of, packaged_jobs, warm

    if args.case is None and args.overrides:
        raise CaseError("--set changes a case: name it, wgfpde warm CASE --set KEY=VALUE")
    if args.case is not None:
        case = load(args.case, args.overrides)
        check_asked(case, cost_of(case).of_formulas, args.yes)
    workers = args.workers or cores()
    jobs = packaged_jobs() if args.case is None else jobs_of(args.case, args.overrides, workers)
    told = 0

    def tell(done: Done) -> None:
        nonlocal told
        told += 1
        what = f"{done.compiled} kernels compiled" if done.compiled else "nothing to compile"
        parts = "" if args.case is None else f" ({', '.join(done.job.parts)})"
        say(f"{told:>3} of {len(jobs)}  {done.job.name}{parts}: {what}, {duration(done.seconds)}", error=True)

    found = warm(jobs, workers, None if args.quiet or args.json else tell)
    if args.json:
        whole = {"compiled": found.compiled, "seconds": found.seconds, "workers": found.workers, "folder": found.folder}
        print_json(whole | {"jobs": [_plain(done) for done in found.jobs]})
    elif not args.quiet:
        by = "one process" if found.workers == 1 else f"{found.workers} processes"
        what = f"{found.compiled} kernels compiled" if found.compiled else "all kernels were there"
        of = f"of {jobs[0].name}" if args.case is not None else f"of {len(jobs)} packaged cases"
        say(f"{what}, {of}, in {duration(found.seconds)} by {by}; kept in {found.folder}")
    return 0


def _plain(done: Done) -> dict[str, Any]:
    return {
        "case": done.job.name, "parts": list(done.job.parts), "compiled": done.compiled, "seconds": done.seconds,
        "cpu_seconds": done.cpu_seconds,
    }  # fmt: skip
