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


def scaling(path: Path) -> list[str]:
    """Parts of the page: one table with a row for each equation and grid; empty where nothing was measured."""
    if not path.exists():
        return []
    data = json.loads(path.read_text(encoding="utf-8"))
    rows: dict[tuple[str, int], dict[int, dict[str, Any]]] = {}
    for row in data["rows"]:
        rows.setdefault((row["name"], row["n"]), {})[row["threads"]] = row
    lines = [
        "| equation | grid | ms, 1 thread | ns a cell | ms, 2 threads | speed-up | share of bandwidth |",
        "|" + " --- |" * 7,
    ]
    for (name, n), found in rows.items():
        one, two = found.get(1, {}), found.get(2, {})
        both = "seconds" in one and "seconds" in two
        cells = [
            NAMES.get(name, name), f"{n}²", _milliseconds(one), _format(one.get("nanoseconds_per_cell"), ".1f"),
            _milliseconds(two), f"{one['seconds'] / two['seconds']:.2f}" if both else "–",
            _format((two if both else one).get("share_of_bandwidth"), ".0%"),
        ]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    place = f"{data['machine']}, {data['cores']} cores"
    triads = [speed for speed in data.get("triad", ()) if speed.get("place") == "memory"]
    speeds = ", ".join(f"{s['threads']} threads {s['gigabytes_per_second']:.1f} GB/s" for s in triads)
    intro = (
        f"One step as the grid grows, measured {data['date'][:10]} on {place}.  The last column is the time that the "
        f"arrays of a step need at the bandwidth of a STREAM-like triad ({speeds}), over the time of the step.  "
        "Repeat with `python validation/benchmarks/scaling.py`."
    )
    return ["## Scaling", intro, "\n".join(lines)]


def _format(value: float | None, style: str) -> str:
    return "–" if value is None else format(value, style)


def _milliseconds(row: dict[str, Any]) -> str:
    return f"{row['seconds'] * 1e3:.2f}" if "seconds" in row else "–"
