"""What a run promised and what it kept: a stored run → plain values → lines of text.  Prints nothing.

    |M(t) − M(0)| ≤ ε M(0),      min ρ ≥ 0,      E(tₖ₊₁) ≤ E(tₖ) + ε'

Judged on the snapshots; ε and ε' are what rounding leaves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .store import Run

COLUMNS = ("first", "last", "min", "max")
MASS_BOUND = 1e-12
"""Relative mass drift over a run, for every energy: each sweep gives every line its mass back to rounding."""


def record_of(run: Run) -> dict[str, Any]:
    """A run as plain values: what it solved, how far it came, its diagnostics and its promises."""
    diagnostics = {
        name: {"first": v[0], "last": v[-1], "min": np.min(v), "max": np.max(v)}
        for name, v in run.diagnostics.items()
        if len(v)
    }
    return {
        "file": str(run.path),
        "title": run.title,
        "equation": str(run.attributes.get("equation", "")),
        "method": str(run.attributes.get("method", "")),
        "status": run.status,
        "message": run.message,
        "grid": grid_text(run.edges),
        "snapshots": len(run),
        "t_first": float(run.t[0]) if len(run) else None,
        "t_last": float(run.t[-1]) if len(run) else None,
        "steps": len(run.steps["t"]),
        "wall_seconds": run.attributes.get("wall_seconds"),
        "compile_seconds": run.attributes.get("compile_seconds"),
        "diagnostics": {n: {k: float(x) for k, x in d.items()} for n, d in diagnostics.items()},
        "promises": promises(run) if len(run) else [],
    }


def promises(run: Run) -> list[dict[str, Any]]:
    """Mass kept, ρ ≥ 0, energy never raised: what the snapshots (at least one) show, and the bound on it."""

    def promise(name: str, measured: float, bound: float, kept: bool) -> dict[str, Any]:
        return {"name": name, "measured": float(measured), "bound": float(bound), "kept": bool(kept)}

    mass, energy = run.diagnostics["mass"], run.diagnostics["energy"]
    drift, drift_bound = np.max(np.abs(mass - mass[0])) / mass[0], MASS_BOUND
    least = np.min(run.diagnostics["min"])
    rise = np.max(np.diff(energy)) if len(energy) > 1 else 0.0
    rise_bound = 1e-12 * (np.max(np.abs(energy)) + mass[0])
    return [
        promise("mass drift", drift, drift_bound, drift <= drift_bound),
        promise("min density", least, 0.0, least >= 0),
        promise("energy rise", rise, rise_bound, rise <= rise_bound),
    ]


# ---- in words ----------------------------------------------------------------------------------------------


def verdicts(record: dict[str, Any]) -> list[str]:
    """One line per promise, and one of the errors against the exact solution where there is one."""
    lines = []
    for promise in record["promises"]:
        verdict = "kept" if promise["kept"] else "BROKEN"
        sign = "≥" if promise["name"] == "min density" else "≤"
        lines.append(f"{promise['name']:<12}{promise['measured']:.3g}  ({verdict}: {sign} {promise['bound']:.2g})")
    errors = {n: d for n, d in record["diagnostics"].items() if n.startswith("error_")}
    if errors:
        texts = [f"{name.removeprefix('error_')} {d['last']:.3g}" for name, d in errors.items()]
        lines.append(f"vs exact    {', '.join(texts)} at the end")
    return lines


def table(record: dict[str, Any]) -> list[str]:
    """The diagnostics, one row each under a header; empty when there are none."""
    rows = [
        f"  {name:<18}" + "".join(f"{d[key]:>14.6g}" for key in COLUMNS) for name, d in record["diagnostics"].items()
    ]
    return [f"{'diagnostic':<20}" + "".join(f"{key:>14}" for key in COLUMNS), *rows] if rows else []


def grid_text(edges: Sequence[Any]) -> str:
    """The grid in words from its cell edges, x first: "64 × 32 cells on [0, 1] × [0, 2]"."""
    cells = " × ".join(str(len(e) - 1) for e in edges)
    return f"{cells} cells on " + " × ".join(f"[{float(e[0]):g}, {float(e[-1]):g}]" for e in edges)
