"""Write docs/benchmarks.md and its plots from results/peers.json:  python validation/benchmarks/peers/page.py [RESULTS]

Every number of the page comes from that file, and what `scaling.json` beside it holds is a section of its own; the
words that stand around the numbers are in `page_words.py`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import page_words as words
from drawing import NAMES, work_precision
from equal import Match, Row, matches, solved
from problems import PROBLEMS
from scaling_section import roofline, scaling

ROOT = Path(__file__).resolve().parents[3]
RESULTS = Path(__file__).resolve().parents[1] / "results"
ROUNDING = {"lowest": -1e-15, "drift": 1e-12, "rise": 1e-12}
"""Beyond it a number is printed bold: lowest density, mass, energy relative to its range."""


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|" + "|".join(" --- " for _ in header) + "|"]
    cells = ([cell.replace("|", "\\|") for cell in row] for row in rows)
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in cells)])


def seconds(value: float) -> str:
    return f"{value:.3g}" if value >= 1e-3 else f"{value:.1e}"


def times(ratio: float) -> str:
    """A ratio of seconds in words, the reverse as plainly."""
    if ratio != ratio:
        return "–"
    return f"wgfpde {ratio:.2g}×" if ratio >= 1 else f"**the other {1 / ratio:.2g}×**"


def setting(row: Row) -> str:
    """Cells, and what else was chosen."""
    options = row["settings"].get("options", {})
    blur = options.get("eps") or options.get("reg")
    dim = PROBLEMS[row["problem"]].dim
    return f"{row['n']}{'²' if dim == 2 else ''}" + (f", ε = {blur:g}" if blur else "")


def who(row: Row) -> str:
    return f"{NAMES[row['peer']]}: {row['way']}"


def equal_table(found: list[Match], best: float) -> str:
    rows = []
    for match in found:
        peer, ours = match.peer, match.ours
        own = (
            [setting(ours), f"{ours['error']:.1e}", seconds(ours["seconds"])]
            if ours
            else ["–", f"none ≤ {best:.0e}", "–"]
        )
        rows.append(
            [who(peer), setting(peer), f"{peer['error']:.1e}", seconds(peer["seconds"]), *own, times(match.ratio)]
        )
    return table(["way", "cells", "error", "s", "wgfpde cells", "error", "s", "faster"], rows)


def promises_table(rows: list[Row]) -> str:
    """The worst of each way; what is beyond rounding in bold."""
    ways: dict[str, list[Row]] = {}
    for row in rows:
        if "lowest" in row:
            ways.setdefault(who(row), []).append(row)
    lines = []
    for way, found in ways.items():
        lowest, drift, rise = (f(r[k] for r in found) for k, f in (("lowest", min), ("drift", max), ("rise", max)))
        broken = lowest < ROUNDING["lowest"], drift > ROUNDING["drift"], rise > ROUNDING["rise"]
        cells = f"{lowest:.0e}" if lowest < 0 else "≥ 0", f"{drift:.0e}", "none" if rise <= 0 else f"{rise:.0e}"
        lines.append([way, *(f"**{text}**" if bad else text for text, bad in zip(cells, broken, strict=True))])
    return table(["way", "lowest ρ", "mass drift", "energy rise"], lines)


def raw_table(rows: list[Row]) -> str:
    lines = []
    for row in rows:
        start = [who(row), setting(row)]
        if "failed" in row:
            lines.append([*start, row["failed"].replace("|", "/"), "", "", "", "", ""])
            continue
        numbers = [f"{row['error']:.2e}", seconds(row["seconds"]), seconds(row["setup"]), seconds(row["first"])]
        lines.append([*start, *numbers, str(row["steps"]), f"{row['peak_mib']:.0f}"])
    return table(["way", "cells", "error", "solve s", "set-up s", "first s", "steps", "MiB"], lines)


def problem_section(name: str, rows: list[Row]) -> list[str]:
    problem = PROBLEMS[name]
    image = f"images/benchmark_{name}.png"
    label = "relative error of $W_2$" if problem.kind == "w2" else "$L^1$ error"
    work_precision(rows, ROOT / "docs" / image, label)
    best = min((row["error"] for row in solved(rows) if row["peer"] == "wgfpde"), default=float("nan"))
    title = problem.title + (" (10 steps)" if problem.end == 10 else "")
    parts = [f"## {title}", words.PROBLEMS[name], f"![Error over wall time: {title}]({image})"]
    if found := matches(rows):
        parts += ["At equal error:", equal_table(found, best)]
    if any("lowest" in row for row in rows):
        parts += ["Worst over the ladder, at the sampled times:", promises_table(rows)]
    return [*parts, "All that was measured:", raw_table(rows)]


def reverse_section(data: dict[str, Any]) -> list[str]:
    """Every row in which another package was cheaper, or more accurate than any of ours."""
    lines = []
    for name in PROBLEMS:
        for match in matches([row for row in data["rows"] if row["problem"] == name]):
            if match.ours is None:
                lines.append([PROBLEMS[name].title, who(match.peer), setting(match.peer), f"{match.peer['error']:.1e}",
                              "more accurate than any wgfpde row"])  # fmt: skip
            elif match.ratio < 1:
                lines.append([PROBLEMS[name].title, who(match.peer), setting(match.peer), f"{match.peer['error']:.1e}",
                              f"{1 / match.ratio:.2g}× faster"])  # fmt: skip
    title = "## Where the others are better"
    if not lines:
        return [title, "In none of the rows measured here."]
    return [title, words.REVERSE, table(["problem", "way", "cells", "error", ""], lines)]


def process_section(rows: list[Row]) -> list[str]:
    if not rows:
        return []
    lines = [
        [PROBLEMS[row["problem"]].title, who(row), str(row["n"]),
         *([row["failed"][:60].replace("\n", " "), ""] if "failed" in row
           else [f"{row['first_run']:.1f}", f"{row['process']:.1f}"])]
        for row in rows
    ]  # fmt: skip
    head = ["problem", "way", "cells", "first run, s", "again, s"]
    return ["## Whole processes", words.PROCESSES, table(head, lines)]


def about_section(about: dict[str, Any]) -> list[str]:
    machine = about["machine"]
    where = f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, {machine['system']}"
    parts = [f"Measured {about['date']} on {where}."]
    if machine["load_at_start"] > 0.5 * machine["cores"] or about.get("quick"):
        small = ", smallest sizes only" if about.get("quick") else ""
        load = f"load {machine['load_at_start']}{small}"
        parts.append(f"**Provisional**: other work ran on the machine ({load}), so that times are unreliable.")
    lines = [
        [NAMES[name], *(found.get(key, "–") for key in (name, "python", "numpy", "scipy", "numba"))]
        for name, found in about["versions"].items()
    ]
    return [*parts, table(["", "version", "Python", "NumPy", "SciPy", "Numba"], lines)]


def page(data: dict[str, Any]) -> str:
    parts = ["# Benchmarks", words.INTRODUCTION, *about_section(data["about"]), words.FAIR, *reverse_section(data)]
    for name in PROBLEMS:
        if rows := [row for row in data["rows"] if row["problem"] == name]:
            parts += problem_section(name, rows)
    parts += [
        *process_section(data["processes"]),
        *scaling(RESULTS / "scaling.json"),
        *roofline(RESULTS / "roofline.json"),
    ]
    parts += [words.DISTANCES, words.LANGEVIN, words.REPEAT, words.HISTORY]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def main(argv: Sequence[str]) -> int:
    path = Path(argv[0]) if argv else RESULTS / "peers.json"
    if not path.exists():
        print(f"{path} is not there: run.py beside this file measures and writes it", file=sys.stderr)
        return 2
    out = ROOT / "docs" / "benchmarks.md"
    out.write_text(page(json.loads(path.read_text(encoding="utf-8"))), encoding="utf-8")
    print(out)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
