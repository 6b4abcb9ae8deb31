"""The section "Scaling" of the page, from the rows that validation/benchmarks/scaling.py has left in scaling.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

NAMES = {
    "entropy": "finite volumes, Fokker–Planck", "power": "finite volumes, m = 2 with drift and vacuum",
    "quadratic": "finite volumes, McKean–Vlasov, W = r²/2", "log": "finite volumes, McKean–Vlasov, W = 2 log r",
    "jko": "JKO, Fokker–Planck", "jko_power": "JKO, m = 2 with drift and vacuum",
}  # fmt: skip


WHY = """
Nothing here is bound by the memory of the machine: a step computes far more than it moves.  Finite volumes with m = 1
solve each line from scratch in the second-level cache (elimination, two solves, mass restored), 12 to 16 % of the
bound; above about 700 cells a side that scratch no longer fits, and from 2048² on a cell costs twice as much.
With m = 2 a cell costs three to four times as much: some six Newton solves, each with fluxes and a factorisation.
Interactions add two padded transforms for each convolution, two to six a step, with 3 to 4 times the cells.  JKO steps
are dearest where the density spans the most orders of magnitude: this start is e^{−50} in the corners of the box, where
the potential is 100, and at 512² Newton's method spends its iterations there (see {doc}`limits`).
"""


def scaling(path: Path) -> list[str]:
    """Parts of the page: one table with a row for each equation and grid; empty where nothing was measured."""
    if not path.exists():
        return []
    data = json.loads(path.read_text(encoding="utf-8"))
    rows: dict[tuple[str, int], dict[int, dict[str, Any]]] = {}
    for row in data["rows"]:
        rows.setdefault((row["name"], row["n"]), {})[row["threads"]] = row
    lines = [
        "| equation | grid | ms, 1 thread | ns a cell | ms, 2 threads | speed-up | arrays held | share of bandwidth |",
        "|" + " --- |" * 8,
    ]
    for (name, n), found in rows.items():
        one, two = found.get(1, {}), found.get(2, {})
        both = "seconds" in one and "seconds" in two
        cells = [
            NAMES.get(name, name), f"{n}²", _milliseconds(one), _format(one.get("nanoseconds_per_cell"), ".1f"),
            _milliseconds(two), f"{one['seconds'] / two['seconds']:.2f}" if both else "–",
            _format(one.get("arrays_held") if n >= 512 else None, ".0f"),
            _format((two if both else one).get("share_of_bandwidth"), ".0%"),
        ]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    place = f"{data['machine']}, {data['cores']} cores"
    triads = [speed for speed in data.get("triad", ()) if speed.get("place") == "memory"]
    speeds = ", ".join(f"{s['threads']} threads {s['gigabytes_per_second']:.1f} GB/s" for s in triads)
    intro = (
        f"One step as the grid grows, measured {data['date'][:10]} on {place}.  The last column is the time that the "
        f"arrays of a step need at the bandwidth of a STREAM-like triad ({speeds}), over the time of the step.  "
        "Arrays held are the peak of the memory beyond what the program itself takes, in arrays of the grid's size.  "
        "Below 256² one thread is used whatever was asked for; grids without a number would have taken too long.  "
        "Repeat with `python validation/benchmarks/scaling.py`."
    )
    return ["## Scaling", intro, "\n".join(lines), WHY]


ROOF = """
The kernels of a finite-volume step beside the roof of the machine: the longer of the times that their bytes take at
the bandwidth of a triad in memory, and their operations at the speed of products and sums on numbers in the first-level
cache.  Bytes are those of arrays of the grid's size, each read or written once; operations are counted by running the
kernel itself on numbers that count, logarithms and exponentials as one.  `validation/benchmarks/roofline.py`;
`make bench-scaling` measures both sections and writes this page.
"""


def roofline(path: Path) -> list[str]:
    """Parts of the page: a row for each kernel, grid and number of threads; empty where nothing was measured."""
    if not path.exists():
        return []
    data = json.loads(path.read_text(encoding="utf-8"))
    lines = [
        "| kernel | grid | threads | ns a cell | bytes | operations | roof, ns | bound | of the roof |",
        "|" + " --- |" * 9,
    ]
    for row in data["rows"]:
        cells = [
            row["kernel"], f"{row['n']}²", str(row["threads"]), f"{row['nanoseconds_per_cell']:.1f}", str(row["bytes"]),
            f"{row['operations']:.0f}", f"{row['roof_nanoseconds']:.1f}", row["bound"], f"{row['share_of_roof']:.0%}",
        ]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    speeds = "; ".join(
        f"{threads} threads {roof['bandwidth'] / 1e9:.1f} GB/s and {roof['peak'] / 1e9:.1f} billion operations a second"
        for threads, roof in data["roofs"].items()
    )
    return [
        "## Kernels and the roof of the machine",
        ROOF,
        f"Measured {data['date'][:10]}: {speeds}.",
        "\n".join(lines),
    ]


def _format(value: float | None, style: str) -> str:
    return "–" if value is None else format(value, style)


def _milliseconds(row: dict[str, Any]) -> str:
    return f"{row['seconds'] * 1e3:.2f}" if "seconds" in row else "–"
