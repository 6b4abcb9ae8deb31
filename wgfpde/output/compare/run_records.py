"""What two runs hold beside their densities: diagnostics, steps, the case."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...base.toml import flat
from ...grid import Array
from ...store import Run
from .metrics import W2_ROUNDING, Metric, same_time, worst

ROUNDING = 1e-13
"""What rounding leaves of a sum, relative to the sizes that are summed."""


@dataclass(frozen=True)
class Steps:
    """The step tables: their rows, and the first row, from 0, that is not the same in all columns, or None."""

    rows_a: int
    rows_b: int
    first: int | None

    @property
    def equal(self) -> bool:
        return self.first is None


ABOUT_TWO = ("w2_previous", "slack_evi", "de_bruijn")
"""Diagnostics about a snapshot and the one before it."""


def scales_of_differences(run: Run) -> dict[str, float]:
    """Of diagnostics that are what is left of larger numbers: the largest of those."""

    def largest(name: str) -> float:
        values = run.diagnostics.get(name, np.zeros(1))
        return float(np.max(np.abs(values[np.isfinite(values)]), initial=0.0))

    kappa, lam = run.number("kappa", 1.0), run.number("sobolev", 0.0)
    entropy = largest("entropy_gibbs") or largest("kl_gibbs")
    distance = largest("w2_gibbs") ** 2 or (2 * kappa * entropy / lam if lam > 0 else 0.0)
    return {
        "energy_balance": largest("energy"), "de_bruijn": largest("dissipation") / kappa,
        "slack_lsi": entropy, "slack_hwi": kappa * entropy, "slack_talagrand": distance,
        "slack_evi": 0.5 * distance,
    }  # fmt: skip


def diagnostic_metrics(
    a: Run, b: Run, names: Sequence[str], at_a: Array, at_b: Array, rtol: float, atol: float, scales: dict[str, float]
) -> Iterator[Metric]:
    """scales : of those diagnostics that have another than their own largest value."""
    for name in names:
        p, q, t = a.diagnostics[name][at_a], b.diagnostics[name][at_b], b.t[at_b]
        if name in ABOUT_TWO:  # speaks of two snapshots: both must be the same in A and in B
            keep = [
                i == j == 0 or (i > 0 < j and abs(a.t[i - 1] - b.t[j - 1]) <= same_time(a.t, b.t))
                for i, j in zip(at_a, at_b, strict=True)
            ]
            p, q, t = p[keep], q[keep], t[keep]
        if not len(p):
            continue
        finite = np.abs(q[np.isfinite(q)])
        scale = scales.get(name, float(np.max(finite)) if len(finite) else 0.0)
        with np.errstate(invalid="ignore"):
            difference = np.where((p == q) | (np.isnan(p) & np.isnan(q)), 0.0, np.abs(p - q))
        difference = np.where(np.isnan(difference), np.inf, difference)
        bound = atol + rtol * scale + (_rounding(name, b) if rtol > 0 else 0.0)
        yield worst(name, difference, np.full(len(p), scale), np.full(len(p), bound), t)


def _rounding(name: str, run: Run) -> float:
    """What rounding may leave of a diagnostic that is small because its terms cancel; 0 where they do not."""

    def largest(key: str) -> float:
        return float(np.max(np.abs(run.diagnostics.get(key, np.zeros(1)))))

    reach = max(float(np.max(np.abs(edges))) for edges in run.edges)
    mass = largest("mass")
    energy = sum(largest(f"energy_{part}") for part in ("internal", "potential", "interaction"))
    sizes = {
        "mean": reach,
        "variance": reach**2,
        "covariance": reach**2,
        "order": 1.0,
        "min": largest("max"),
        "energy": energy + mass,
        "entropy": mass,
        "kl": mass,
        "w2": W2_ROUNDING / ROUNDING * reach * math.sqrt(mass),
    }
    return ROUNDING * sizes.get(name.partition("_")[0], 0.0)


def compare_steps(a: Mapping[str, Array], b: Mapping[str, Array]) -> Steps:
    """How many steps two runs took, and the first that differs in any column."""
    rows = len(a["t"]), len(b["t"])
    count = min(rows)
    same = np.full(count, set(a) == set(b))
    for name in set(a) & set(b):
        p, q = a[name][:count], b[name][:count]
        same &= (p == q) | ((p != p) & (q != q))
    differing = np.flatnonzero(~same)
    if len(differing):
        return Steps(*rows, int(differing[0]))
    return Steps(*rows, None if rows[0] == rows[1] else count)


def case_changes(a: str, b: str) -> dict[str, tuple[Any, Any]]:
    """Dotted key → its values in two resolved cases, None where absent, of the keys that differ."""
    p, q = (dict(flat(tomllib.loads(text))) for text in (a, b))
    return {key: (p.get(key), q.get(key)) for key in {**p, **q} if p.get(key) != q.get(key)}


def reservations(a: Run, b: Run) -> Iterator[str]:
    """What a reader should know before believing a comparison: runs that did not end, what only one of them holds."""
    for name, run, other in (("A", a, b), ("B", b, a)):
        if run.status != "finished":
            state = {"running": "is going on, or was killed", "interrupted": "was interrupted"}.get(
                run.status, run.status
            )
            yield f"{name} {state}: compared as far as it goes, to t = {run.t[-1]:g}"
        if missing := [key for key in other.diagnostics if key not in run.diagnostics]:
            yield f"{name} lacks the diagnostics {', '.join(missing)}"
