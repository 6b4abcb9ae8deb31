"""Sentences about a study: what to know of its runs, and where its orders are not those of what is varied."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from ...grid import Array
from ...store import Run
from .orders import collapsed
from .result import Convergence
from .run_errors import NORMS, nested

RISEN = 1.5
"""An order in time above this multiple of that of the scheme is one of two errors that cancel."""


def on_runs(found: Convergence, densities: bool, t: float) -> tuple[str, ...]:
    """What a reader should know about the runs.

    densities : whether densities are compared.   t : the time compared, NaN where the runs end at different times.
    """
    notes = []
    if found.failures:
        which = ", ".join(found.label(k) for k in found.failures)
        notes.append(f"{len(found.failures)} of {len(found.solved)} runs did not finish, and do not count: {which}")
    if len(found.runs) > 1 and math.isnan(t):
        notes.append("the runs end at different times; each counts at its own end")
    if densities and _at_target(found, t):
        notes.append(
            "at its end a path is the target, whatever the cells and the steps: errors there say nothing. Compare on "
            "the way (--time)"
        )
    for k, s in enumerate(found.solved):
        if found.size_key == "solver.dt" and s.finished and s.run is not None and not _of_equal_steps(s.run, k, found):
            notes.append(
                f"not all steps have the size of {found.label(k)}, since they also end on the output times, which "
                "disturbs the order: take steps that divide [output] every"
            )
            break
    if found.against == "finest" and densities and len(found.runs) > 1:
        *others, finest = found.runs
        if not all(nested(run, finest) for run in others):
            notes.append(
                "not all cells are whole numbers of the finest ones: averaging over them adds an error of its own; "
                "better take shapes that divide the finest one"
            )
    return tuple(notes)


def _at_target(found: Convergence, t: float) -> bool:
    """Whether the time compared is the end of a path whose end is given."""
    end = found.case.time.end
    return found.case.target is not None and abs(t - end) <= 1e-9 * max(1.0, abs(end))


def _of_equal_steps(run: Run, k: int, found: Convergence) -> bool:
    return bool(np.all(np.abs(run.steps["dt"] - found.sizes[k]) <= 1e-6 * found.sizes[k]))


def on_orders(found: Convergence, orders: Mapping[str, Array]) -> str:
    """A sentence where what is not varied is seen in the errors against the solution, or ""."""
    keys = {v.key for v in found.varied}
    steps = any(key.startswith("solver.") for key in keys)
    if found.against != "exact" or steps == ("grid.shape" in keys) or _at_target(found, found.t):
        return ""
    declared = found.case.traits.order if steps else 2.0
    columns = [orders[name] for name in NORMS if name in orders]
    what, finer = ("cells", "a finer grid") if steps else ("steps", "smaller steps")
    remedy = f"Compare with the finest run (--against finest), or take {finer}"
    if any(collapsed(column, declared) for column in columns):
        size = f" (h = {found.h[-1]:.3g})" if steps else ""
        return f"the orders collapse: the error of the {what}{size}, which are not varied, dominates. {remedy}"
    if steps and any(column[-1] > RISEN * declared for column in columns):
        return f"the orders rise above {declared:g}: the errors of cells and steps cancel. {remedy}"
    return ""
