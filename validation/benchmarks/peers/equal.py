"""Which package is cheaper at equal error: Pareto fronts, and the cheapest row of wgfpde at least as accurate.

A row is a dict with `peer`, `way`, `error` and `seconds`, or `failed`.  wgfpde stands with its default threads:
rows whose way ends in "1 thread" are not looked up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True)
class Match:
    """A row of a peer and the cheapest of wgfpde's with an error that is not larger; None where there is none."""

    peer: Row
    ours: Row | None

    @property
    def ratio(self) -> float:
        """Seconds of the peer over those of wgfpde; NaN where wgfpde has no such row."""
        return self.peer["seconds"] / self.ours["seconds"] if self.ours else float("nan")


def solved(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if "failed" not in row and "seconds" in row]


def front(rows: Sequence[Row]) -> list[Row]:
    """The rows that no other of them beats in both error and seconds, by falling error."""
    found: list[Row] = []
    for row in sorted(solved(rows), key=lambda row: (row["error"], row["seconds"])):
        if not found or row["seconds"] < found[-1]["seconds"]:
            found.append(row)
    return found[::-1]


def cheapest(rows: Sequence[Row], error: float) -> Row | None:
    """The row of wgfpde with the fewest seconds among those of at most this error."""
    able = [row for row in solved(rows) if row["peer"] == "wgfpde" and not row["way"].endswith("1 thread")]
    return min((row for row in able if row["error"] <= error), key=lambda row: row["seconds"], default=None)


def matches(rows: Sequence[Row]) -> list[Match]:
    """For each way of each peer, the rows on its front and their match; rows are those of one problem."""
    ways: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row["peer"] != "wgfpde":
            ways.setdefault((row["peer"], row["way"]), []).append(row)
    return [Match(row, cheapest(rows, row["error"])) for way in ways.values() for row in front(way)]
