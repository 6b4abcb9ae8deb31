"""Measure wgfpde and other packages side by side:  python validation/benchmarks/peers/run.py

    --problem NAME …   only these: heat well barenblatt ou jko-gauss jko-gauss-10 jko-power w2-1d w2-2d
    --peer NAME …      only these: wgfpde entropic numpy py-pde fipy fplanck pyddm pot geomloss ott-jax back-and-forth
    --way TEXT         only ladders whose way has this in it: with the two above, one row of the tables alone
    --quick            the two smallest rungs of each ladder, measured once; to a file of its own
    --python NAME=PATH an interpreter that has the package, instead of an environment in .peers/ (several times)
    --python PATH      one that has all of them but back-and-forth, which is measured only where it is named
    --limit SECONDS    a job that takes longer, warm-up and repeats included, is stopped (60)
    --out FILE         default validation/benchmarks/results/peers.json; what was not measured again stays in it

The tables and plots of docs/benchmarks.md are written from that file by page.py.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent))

from environments import BUILT, NAMES, OWN, ROOT, interpreter, versions
from ladders import LADDERS, PROCESSES, Ladder
from measure import run_command, run_ladder, run_process
from problems import PROBLEMS

RESULTS = Path(__file__).resolve().parents[1] / "results"
REPEATS = 3


def machine() -> dict[str, Any]:
    """CPU, cores and memory as the system tells them, and how busy it is."""
    model, memory = platform.processor() or platform.machine(), 0.0
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), model)
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    except (OSError, ValueError):
        pass
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    found = {"cpu": model, "cores": cores, "memory_gib": round(memory, 1), "system": platform.system()}
    return found | {"load_at_start": round(load, 2)}


def merge(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """New rows in the place of old ones of the same ladder; all in the order of LADDERS."""
    order = {(lad.problem, lad.peer, lad.way): k for k, lad in enumerate(LADDERS)}

    def key(row: dict[str, Any]) -> tuple[str, str, str]:
        return row["problem"], row["peer"], row["way"]

    measured = {key(row) for row in new}
    rows = [row for row in old if key(row) not in measured] + new
    return sorted(rows, key=lambda row: order.get(key(row), len(order)))


class Record:
    """The results file, written after every ladder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data: dict[str, Any] = {"about": {"versions": {}}, "rows": [], "processes": []}
        if path.exists():
            self.data = json.loads(path.read_text(encoding="utf-8"))

    def add(self, kind: str, rows: list[dict[str, Any]]) -> None:
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        self.data[kind] = merge(self.data[kind], [row | {"measured": now} for row in rows])
        self.path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.data, indent=1, ensure_ascii=False) + "\n"
        temporary = self.path.with_suffix(".part")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(self.path)


def tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problem", nargs="+", choices=sorted(PROBLEMS), default=sorted(PROBLEMS), metavar="NAME")
    parser.add_argument("--peer", nargs="+", choices=OWN + NAMES, default=list(OWN + NAMES), metavar="NAME")
    parser.add_argument("--way", default="", metavar="TEXT")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--python", action="append", default=[], metavar="NAME=PATH")
    parser.add_argument("--limit", type=float, default=60.0, metavar="SECONDS")
    parser.add_argument("--out", type=Path)
    found = parser.parse_args(argv)
    everything = {name: entry for entry in found.python if "=" not in entry for name in set(NAMES) - set(BUILT)}
    found.python = everything | dict(entry.split("=", 1) for entry in found.python if "=" in entry)
    if unknown := set(found.python) - set(NAMES):
        parser.error(f"--python NAME=PATH: expected a name among {', '.join(NAMES)}, found {', '.join(unknown)}")
    found.out = found.out or RESULTS / ("peers-quick.json" if found.quick else "peers.json")
    return found


def chosen(options: argparse.Namespace) -> list[Ladder]:
    """The ladders that were asked for, in their order."""
    there = [peer for peer in options.peer if peer not in BUILT or peer in options.python]
    asked = [ladder for ladder in LADDERS if ladder.problem in options.problem and ladder.peer in there]
    return [ladder for ladder in asked if options.way in ladder.way]


def main(argv: list[str] | None = None) -> int:
    options = arguments(argv)
    plan = chosen(options)
    pythons = {name: interpreter(name, options.python) for name in dict.fromkeys(ladder.peer for ladder in plan)}
    record = Record(options.out)
    about = record.data["about"]
    about |= {"machine": machine(), "date": datetime.date.today().isoformat(), "quick": options.quick}
    about["versions"] |= {name: versions(python, name) for name, python in pythons.items()}
    guess = sum(ladder.estimate for ladder in plan) * (0.3 if options.quick else 1.0)
    tell(f"{len(plan)} ladders, about {guess / 60:.0f} minutes on two quiet cores; results in {options.out}")
    begin, count = time.perf_counter(), (2, 1) if options.quick else (None, REPEATS)
    for k, ladder in enumerate(plan, 1):
        tell(f"[{k}/{len(plan)}, {time.perf_counter() - begin:.0f} s] {ladder.key}")
        record.add("rows", run_ladder(ladder, pythons[ladder.peer], count[1], options.limit, count[0], tell))
    for ladder in plan:
        rung = PROCESSES.get((ladder.problem, ladder.peer, ladder.way))
        if rung is None or options.quick:
            continue
        tell(f"[{time.perf_counter() - begin:.0f} s] whole process: {ladder.key}")
        record.add("processes", [run_process(ladder, rung, pythons[ladder.peer], options.limit)])
    if "wgfpde" in pythons and "well" in options.problem and not options.quick:
        record.add("processes", [run_command(ROOT / "cases" / "double_well_2d.toml", options.limit)])
    tell(f"done in {time.perf_counter() - begin:.0f} s; python {Path(__file__).with_name('page.py')} writes the page")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        command = " ".join(map(str, error.cmd))
        tell(f"{command} failed with code {error.returncode}: name an interpreter with --python NAME=PATH instead")
        sys.exit(1)
