"""A stored run as plain values, everything that one asks of it: what `inspect` shows and a report is made of.

Imports no kernel and no drawing library.  The densities are read once, one by one, for their smallest value: what the
columns say of it is what the run saw, and a file may have been damaged since.

Of each diagnostic there is a **worst** value, by the rule that its meaning asks for:

    mass                largest |M(t) − M(0)|
    energy, kl_gibbs    largest rise from one snapshot to the next, or where there is none the smallest fall
    min, slack_*        smallest
    max, error_*        largest
    energy_balance, de_bruijn   largest modulus

and none where no value is worse than another (means, variances, …; the energy where work is done).  NaN is worst of
all.
"""

from __future__ import annotations

import shlex
import tomllib
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np

from ...grid.axis import AXIS_NAMES, Array
from ...store import Run
from ..promises import record_of, seen_in_densities
from ..shown_values import QUIETLY
from ..stored_method import step_columns
from .problem_text import parameters, question

SECONDS = ("wall_seconds", "cpu_seconds", "compile_seconds")
PROVENANCE = (
    "wgfpde_version", "git", "created", "command", "made_in", "seed", "threads", "platform", "python", "libraries",
    *SECONDS, "resumed",
)  # fmt: skip
"""Attributes that say how a run came about, in the order shown; a file holds those that its version knew."""


@QUIETLY
def summary(run: Run, progress: Callable[[int, int], None] | None = None) -> dict[str, Any]:
    """Everything but the densities: `promises.record_of` and more, with the same keys for every run.

    progress : called with the number of densities read, and of all.
    Numbers may be NaN (in JSON: null).  No snapshot, no step, and a case that the file does not hold leave empty
    tables, not errors.
    """
    case = tomllib.loads(run.resolved_toml)
    record = record_of(run)
    record["promises"] = seen_in_densities(run, record["promises"], progress)
    leaves = any(name.startswith("exit_") for name in run.diagnostics)
    may_rise = {"energy", "kl_gibbs"} if leaves or "work" in run.diagnostics else set()
    not_judged = may_rise | ({"mass"} if leaves else set())
    facts = {
        n: facts | worst("" if n in not_judged else n, run.diagnostics[n], run.t)
        for n, facts in record["diagnostics"].items()
    }
    for name, label in run.labels.items():
        if name in facts:
            facts[name] |= {"units": label.units, "long_name": label.long_name, "description": label.description}
    return record | {
        "advice": advice(run),
        "times": run.t.tolist(),
        "question": question(run),
        "axes": axes(run),
        "solver": case.get("solver", {}),
        "fields": {
            name: {"dims": list(run.field_dims[name]), "shape": list(stored.shape), **asdict(run.field_labels[name])}
            for name, stored in run.fields.items()
        },
        "diagnostics": facts,
        "step_sizes": step_sizes(run),
        "step_statistics": step_statistics(run),
        "parameters": parameters(run),
        "provenance": {
            name: run.number(name) if name in SECONDS else run.attributes[name]
            for name in PROVENANCE
            if name in run.attributes
        },
        "bytes": run.path.stat().st_size if run.path.is_file() else None,
    }


def advice(run: Run) -> str:
    """What to do about a run that has not come to its end, or ""."""
    resume = f"go on with: wgfpde resume {shlex.quote(str(run.folder))}"
    if run.status == "running":
        return f"the run is going on, or was killed: {resume}"
    return resume if run.status == "interrupted" else ""


def axes(run: Run) -> list[dict[str, Any]]:
    """Per axis, x first: {name, cells, lower, upper, boundary, stretched, smallest_cell, largest_cell}."""
    found = []
    for name, edges, boundary in zip(AXIS_NAMES, run.edges, run.boundary, strict=False):
        widths = np.diff(edges)
        rounding = 1e-9 * float(np.max(np.abs(edges)))
        found.append({
            "name": name, "cells": len(widths), "lower": float(edges[0]), "upper": float(edges[-1]),
            "boundary": str(boundary), "stretched": bool(np.ptp(widths) > rounding),
            "smallest_cell": float(widths.min()), "largest_cell": float(widths.max()),
        })  # fmt: skip
    return found


def worst(name: str, values: Array, t: Array) -> dict[str, Any]:
    """{worst, worst_t, rule} of a diagnostic, at least one value long; rule "" and None where there is none."""
    if name == "mass":
        rule, badness = "largest drift", np.abs(values - values[0])
    elif name.startswith("slack_"):
        rule, badness = "smallest", -values
    elif name in ("energy_balance", "de_bruijn"):
        rule, badness = "largest", np.abs(values)
    elif name in ("energy", "kl_gibbs"):
        falls = len(values) > 1 and bool(np.all(np.diff(values) < 0))
        rule, badness, t = "smallest fall" if falls else "largest rise", np.diff(values), t[1:]
    elif name == "min":
        rule, badness = "smallest", -values
    elif name == "max" or name.startswith("error_"):
        rule, badness = "largest", values
    else:
        rule, badness = "", values[:0]
    if not len(badness):
        return {"worst": None, "worst_t": None, "rule": rule}
    k = int(np.argmax(np.where(np.isnan(badness), np.inf, badness)))
    found = {"smallest": values, "smallest fall": -badness}.get(rule, badness)[k]
    return {"worst": float(found), "worst_t": float(t[k]), "rule": rule}


def step_sizes(run: Run) -> dict[str, float]:
    """{first, last, min, max} of dt; empty before the first step."""
    dt = run.steps["dt"]
    if not len(dt):
        return {}
    return {"first": float(dt[0]), "last": float(dt[-1]), "min": float(dt.min()), "max": float(dt.max())}


def step_statistics(run: Run) -> dict[str, dict[str, float]]:
    """Work of the steps {total, mean, max}, and residuals {worst, worst_t}; columns that hold nothing are left out."""
    steps, columns, found = run.steps, step_columns(run), {}
    for name in [column.name for column in columns if column.integer]:
        if len(values := steps.get(name, np.empty(0))):
            found[name] = {"total": _whole(values.sum()), "mean": float(values.mean()), "max": _whole(values.max())}
    for name in [column.name for column in columns if column.residual]:
        values = steps.get(name, np.empty(0))
        if np.any(shown := ~np.isnan(values)):
            k = int(np.argmax(np.where(shown, values, -np.inf)))
            found[name] = {"worst": float(values[k]), "worst_t": float(steps["t"][k])}
    return found


def _whole(count: float) -> float:
    """A count; what a damaged file holds in its place stays as it is."""
    return int(count) if np.isfinite(count) else float(count)
