"""Commits as folders, and what was measured of them as lines of JSON.

A commit is unpacked once into build/bench-history, with a cache of compiled kernels of its own; git itself is not
changed.  Each line of results.jsonl is one benchmark of one commit beside a base in the same minutes: seconds are those
of that day, ratios are comparable over years.  The table multiplies ratios along such lines, from the oldest commit on.
"""

from __future__ import annotations

import io
import json
import os
import platform
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import NoReturn

HERE = Path(__file__).resolve().parent
REPO = HERE.parents[2]
UNPACKED = REPO / "build" / "bench-history"
RESULTS = HERE / "results.jsonl"


def leave(words: str) -> NoReturn:
    """End with a sentence and exit code 2, as 1 says that something is slower."""
    print(words, file=sys.stderr)
    raise SystemExit(2)


def git(*arguments: str) -> bytes:
    done = subprocess.run(["git", "-C", str(REPO), *arguments], capture_output=True)
    if done.returncode:
        leave(f"git {' '.join(arguments)} failed: {done.stderr.decode().strip()}")
    return done.stdout


def resolve(revision: str) -> str:
    """The full hash of a revision; "." is the working tree."""
    return "." if revision == "." else git("rev-parse", "--verify", f"{revision}^{{commit}}").decode().strip()


def unpack(commit: str) -> tuple[Path, Path]:
    """Folder to import wgfpde from, and the folder of its compiled kernels."""
    if commit == ".":
        return REPO, UNPACKED / "working-tree"
    folder = UNPACKED / commit[:12]
    root = folder / "source"
    if not root.exists():
        part = folder / f"part-{os.getpid()}"
        with tarfile.open(fileobj=io.BytesIO(git("archive", commit, "wgfpde"))) as archive:
            archive.extractall(part, filter="data")
        part.rename(root)
    return root, folder / "kernels"


def machine() -> str:
    """What tells this machine from others: times are compared on one machine only."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "")
    except OSError:
        model = platform.processor()
    return f"{model or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def record(lines: list[dict[str, object]]) -> None:
    with RESULTS.open("a") as stream:
        stream.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def recorded() -> list[dict[str, object]]:
    """The lines of this machine, oldest first."""
    if not RESULTS.exists():
        return []
    lines = [json.loads(line) for line in RESULTS.read_text().splitlines() if line.strip()]
    return [line for line in lines if line["machine"] == machine()]


def chained(lines: list[dict[str, object]], name: str, commits: list[str]) -> dict[str, float]:
    """Times of one benchmark in units of the first commit that has it, by following ratios; the last line counts."""
    links: dict[str, dict[str, float]] = {}
    for line in lines:
        if line["benchmark"] == name:
            a, b, r = str(line["base"]), str(line["commit"]), float(str(line["ratio"]))
            links.setdefault(a, {})[b] = r
            links.setdefault(b, {})[a] = 1 / r
    first = next((commit for commit in commits if commit in links), None)
    found = {} if first is None else {first: 1.0}
    queue = list(found)
    while queue:
        here = queue.pop(0)
        for there, r in links[here].items():
            if there not in found:
                found[there] = found[here] * r
                queue.append(there)
    return found


def history() -> list[list[str]]:
    """The table: a row per benchmark, a column per commit in the order of time."""
    lines = recorded()
    if not lines:
        leave(f"nothing was measured on this machine yet ({machine()}): name two commits")
    commits = sorted({str(line[key]) for line in lines for key in ("base", "commit")}, key=_time)
    rows = [["benchmark", *(commit[:7] for commit in commits), "newest, ms"]]
    for name in dict.fromkeys(str(line["benchmark"]) for line in lines):
        found = chained(lines, name, commits)
        newest = [line for line in lines if line["benchmark"] == name][-1]
        cells = [f"{found[commit]:.2f}" if commit in found else "n/a" for commit in commits]
        rows.append([name, *cells, f"{float(str(newest['seconds'])) * 1e3:.3g}"])
    return rows


def _time(commit: str) -> int:
    return int(git("show", "-s", "--format=%ct", commit))


def text(rows: list[list[str]]) -> str:
    """Columns as wide as they need to be, the first one flush left."""
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = []
    for first, *others in rows:
        cells = [first.ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(others, widths[1:], strict=True))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
