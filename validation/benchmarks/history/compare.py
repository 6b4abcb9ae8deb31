"""Is it slower than before?  Two or more commits, timed in alternation on this machine.

    python validation/benchmarks/history/compare.py HEAD~1 HEAD      two commits
    python validation/benchmarks/history/compare.py HEAD .           the last commit and the working tree
    python validation/benchmarks/history/compare.py A B C D          all beside A, in the order given
    python validation/benchmarks/history/compare.py --show           what was measured so far, as a table

A process of each commit stays alive and is asked in turn for one sample of one benchmark, there and back (A B, B A, …),
so that a drift of the machine meets both; more pairs are taken until the interval of the ratio lies on one side of the
edge (module `ratios`).  What seems slower or faster is measured again in new processes, as two processes of one commit
differ by their places in memory too, and counts only where both say so.  Exit code 1 where something is slower by about
the limit or more, 2 for usage.  Comparisons with the working tree are not kept.  The interval is one of 99 % for a
single look; the second set of processes makes up for the repeated ones.  Kernels are compiled before, once for each
commit; one thread unless --threads says otherwise.

Measured on two cores of a shared virtual machine.  One commit twice, at load 7: 17 benchmarks, ratios 0.958 … 1.039,
nothing flagged, four undecided.  Sweeps that do a quarter of their work twice, at load 1 to 3 with up to 61 pairs:
1.155, 1.168 and more flagged, three others at 0.97 … 1.02 not; at load 6 with up to 39 pairs two of three stayed
undecided.  So what is undecided is for a quieter hour, or for more --pairs.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field

import past
from ratios import Ratio, ratio, verdict

from wgfpde.runs.progress import StatusLine

FIRST_PAIRS = 9
"""Pairs before the first look; each later look is at 1.6 times as many."""
SAMPLE_SECONDS = 0.06
"""A sample is the fastest of as many calls as fit into this."""


class Side:
    """A process with one commit's wgfpde."""

    def __init__(self, commit: str, threads: int) -> None:
        root, kernels = past.unpack(commit)
        worker = [sys.executable, str(past.HERE / "worker.py"), str(root)]
        environment = os.environ | {
            "PYTHONPATH": str(root),
            "PYTHONHASHSEED": "0",
            "NUMBA_CACHE_DIR": str(kernels),
            "WGFPDE_NUM_THREADS": str(threads),
            "OPENBLAS_NUM_THREADS": str(threads),
        }
        self.process = subprocess.Popen(
            worker, env=environment, cwd=root, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def ask(self, name: str, calls: int = 1) -> dict[str, float]:
        """Seconds by clock, or {"missing": …}.  Leaves the program where the process has died."""
        assert self.process.stdin is not None and self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps({"name": name, "calls": calls}) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            past.leave(f"the process that timed {name} has died; what it said stands above")
        return json.loads(line)

    def close(self) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


@dataclass
class Samples:
    """Seconds of one benchmark, one list per commit; missing : which commits cannot do it."""

    seconds: list[list[float]]
    missing: set[int] = field(default_factory=set)

    @property
    def base(self) -> int:
        """The first commit that can do it."""
        return min(set(range(len(self.seconds))) - self.missing, default=0)

    def ratio(self, k: int) -> Ratio | None:
        """Of commit k to the base; None where it cannot do it or is the base itself."""
        return None if k in self.missing or k <= self.base else ratio(self.seconds[self.base], self.seconds[k])


def measure(name: str, sides: list[Side], limit: float, most: int, clock: str) -> Samples:
    """Pairs of one benchmark until they decide, or until they are as many as allowed."""
    samples = Samples([[] for _ in sides])
    first = [side.ask(name) for side in sides]
    samples.missing = {k for k, found in enumerate(first) if "missing" in found}
    for k in samples.missing:
        print(f"{name}: commit {k + 1} cannot do it: {first[k]['missing']}", file=sys.stderr, flush=True)
    there = [k for k in range(len(sides)) if k not in samples.missing]
    if len(there) < 2:
        return samples
    calls = max(1, int(SAMPLE_SECONDS / min(first[k]["cpu"] for k in there)))
    look = FIRST_PAIRS
    while True:
        while len(samples.seconds[there[0]]) < min(look, most):
            for k in there:
                samples.seconds[k].append(sides[k].ask(name, calls)[clock])
            there.reverse()
        found = [samples.ratio(k) for k in there]
        if look >= most or all(verdict(each, limit) for each in found if each is not None):
            return samples
        look = int(1.6 * look)


def rounds(
    commits: list[str], names: list[str], options: argparse.Namespace, note: StatusLine, title: str
) -> dict[str, Samples]:
    """All benchmarks in one set of processes."""
    sides = [Side(commit, options.threads) for commit in commits]
    found = {}
    try:
        for k, name in enumerate(names):
            note(f"{title}: {k + 1} of {len(names)}, {name}")
            found[name] = measure(name, sides, options.limit, options.pairs, options.clock)
    finally:
        for side in sides:
            side.close()
    return found


def warm_up(commits: list[str], names: list[str], threads: int, note: StatusLine) -> None:
    """Compile the kernels of each commit in a process that is not measured."""
    for commit in dict.fromkeys(commits):
        side = Side(commit, threads)
        try:
            for name in names:
                note(f"compiling or loading the kernels of {commit[:12]}: {name}")
                side.ask(name)
        finally:
            side.close()


def judge(commits: list[str], names: list[str], options: argparse.Namespace) -> tuple[list[list[str]], list[dict]]:
    """Rows of the table, and lines of the history with their verdicts."""
    note = StatusLine(sys.stderr)
    warm_up(commits, names, options.threads, note)
    found = rounds(commits, names, options, note, "timing")
    suspects = [name for name in names if any(_moved(found[name], k, options.limit) for k in range(1, len(commits)))]
    again = rounds(commits, suspects, options, note, "timing again, in new processes") if suspects else {}
    note.clear()
    rows, lines = [["benchmark", "commit", "base, ms", "ms", "ratio", "99 % interval", "pairs", ""]], []
    for name in names:
        for k in range(1, len(commits)):
            found_first, found_again = found[name], again.get(name)
            first = found_first.ratio(k)
            if first is None:
                rows.append([name, commits[k][:7], *["n/a"] * 4, "0", ""])
                continue
            second = found_again.ratio(k) if found_again is not None else None
            last, word = _agreed(first, second, options.limit)
            samples = found_again or found_first
            base, new = (statistics.median(samples.seconds[i]) for i in (samples.base, k))
            pairs = first.pairs + (second.pairs if second else 0)
            interval = f"{last.low:.3f} … {last.high:.3f}"
            rows.append([name, commits[k][:7], f"{base * 1e3:.3g}", f"{new * 1e3:.3g}", f"{last.value:.3f}", interval,
                         str(pairs), "" if word == "same" else word])  # fmt: skip
            lines.append({"benchmark": name, "base": commits[samples.base], "commit": commits[k], "base_seconds": base,
                          "seconds": new, "ratio": last.value, "low": last.low, "high": last.high, "pairs": pairs,
                          "verdict": word})  # fmt: skip
    return rows, lines


def _moved(samples: Samples, k: int, limit: float) -> bool:
    found = samples.ratio(k)
    return found is not None and verdict(found, limit) in ("slower", "faster")


def _agreed(first: Ratio, second: Ratio | None, limit: float) -> tuple[Ratio, str]:
    """The later ratio, and what it is taken for: what moved only in one of two sets of processes is undecided."""
    if second is None:
        return first, verdict(first, limit) or "undecided"
    said = verdict(first, limit), verdict(second, limit)
    return second, (said[1] if said[1] in (said[0], "same") else "") or "undecided"


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commits", nargs="*", help='base and others; "." is the working tree (default: HEAD .)')
    parser.add_argument("--only", default="", help='benchmarks whose names contain one of these, as "fv_,convolution"')
    parser.add_argument("--limit", type=float, default=0.2, help="the slowdown to be seen (default 0.2: 20 %%)")
    parser.add_argument("--pairs", type=int, default=61, help="most pairs of samples a benchmark (default 61)")
    parser.add_argument("--clock", choices=("cpu", "wall"), default="cpu", help="default cpu: see the module worker")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--show", action="store_true", help="print the history of this machine and stop")
    parser.add_argument("--json", action="store_true", help="lines of JSON in place of the table")
    options = parser.parse_args(arguments)
    if len(options.commits) == 1:
        parser.error("expected two commits or more, found one; the working tree is '.'")
    options.commits = options.commits or ["HEAD", "."]
    return options


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    if options.show:
        print(past.text(past.history()))
        return 0
    from timed import TIMED

    names = [name for name in TIMED if any(part.strip() in name for part in options.only.split(","))]
    if not names:
        print(f"no benchmark contains {options.only!r}; there are {', '.join(TIMED)}", file=sys.stderr)
        return 2
    begin = time.monotonic()
    commits = [past.resolve(revision) for revision in options.commits]
    rows, lines = judge(commits, names, options)
    when = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    about = {"when": when, "machine": past.machine(), "clock": options.clock, "threads": options.threads}
    if "." not in commits and len(set(commits)) == len(commits):
        past.record([about | line for line in lines])
    print("\n".join(json.dumps(about | line) for line in lines) if options.json else past.text(rows))
    slower = [f"{line['benchmark']} ({line['commit'][:7]})" for line in lines if line["verdict"] == "slower"]
    seconds, names_of = time.monotonic() - begin, ", ".join(slower) or "none"
    print(f"{seconds:.0f} s; slower by about {options.limit:.0%} or more: {names_of}", file=sys.stderr)
    if any(line["verdict"] == "undecided" for line in lines):
        print("undecided: repeat it in a quieter hour, or with more --pairs", file=sys.stderr)
    return 1 if slower else 0


if __name__ == "__main__":
    sys.exit(main())
