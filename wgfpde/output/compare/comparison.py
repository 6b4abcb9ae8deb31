"""Two stored runs side by side: how far apart densities, diagnostics and steps are, and whether within bounds.

    |a − b| ≤ atol + rtol · scale

B is the reference.  The scale of a density is the norm of ρ_B at that time; of a diagnostic, the largest |b| over the
times compared; of an error, which is itself a distance between densities, the largest norm of ρ_B.  Where rtol > 0,
what rounding alone leaves of a number that cancels (the centre of mass of an even density) is added to its bound.  W₂
is measured in L√M, L the diagonal of the box and M the mass, and never finer than it is known near 0, the root of eps.

Snapshots are matched by time and read one pair at a time.  On different grids both densities are first averaged,
conservatively, over the cells of the coarser one, axis by axis.  Runs that end at different times do not pass, unless
the times to compare are chosen.  Step tables and cases are compared as well, but not judged; wall times, dates and
versions are not even compared.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ...errors import CaseError
from ...grid import Array
from ...store import Run
from ..shown_values import QUIETLY
from .densities import Fields, Moment, field_metrics
from .metrics import Metric, same_bits, same_time
from .run_records import Steps, case_changes, compare_steps, diagnostic_metrics, reservations, scales_of_differences

__all__ = ["ATOL", "RTOL", "Comparison", "Metric", "Moment", "Steps", "compare"]

RTOL, ATOL = 1e-9, 0.0


@dataclass(frozen=True, repr=False)
class Comparison:
    """What `compare` found.

    moments : by time.   metrics : what is judged, one row each.   only_a, only_b : times without a counterpart.
    case_changes : key → values in A and in B (None where absent).   notes : what a reader should know, in words.
    identical : every number compared has the same bits; without chosen times also the times and step tables.
    """

    rtol: float
    atol: float
    moments: list[Moment]
    metrics: list[Metric]
    only_a: list[float]
    only_b: list[float]
    steps: Steps
    case_changes: dict[str, tuple[Any, Any]]
    notes: list[str]
    identical: bool

    def __repr__(self) -> str:
        passed = sum(metric.passed for metric in self.metrics)
        same = ", identical" if self.identical else ""
        return f"Comparison({passed} of {len(self.metrics)} metrics passed at {len(self.moments)} times{same})"

    @property
    def passed(self) -> bool:
        return all(metric.passed for metric in self.metrics)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The metrics as plain values."""
        return [asdict(metric) | {"relative": metric.relative, "passed": metric.passed} for metric in self.metrics]

    @property
    def record(self) -> dict[str, Any]:
        """Everything as plain values, for JSON."""
        found = asdict(self) | {"metrics": self.rows}
        found["steps"]["equal"] = self.steps.equal
        return {"passed": self.passed} | found


@QUIETLY
def compare(
    a: Run,
    b: Run,
    rtol: float = RTOL,
    atol: float = ATOL,
    times: Sequence[float] | None = None,
    w2: bool | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Compare run A with the reference B.

    times : those to compare, which both must hold (default: all common ones).   w2 : whether to find W₂ at each
    (default: in 1D, where it is exact and cheap).   progress : called with (snapshots compared, all) after each.
    Raises CaseError for runs or tolerances that cannot be compared, StoreError for a file or time that is not there.
    """
    _check(a, b, rtol, atol)
    pairs = _matched(a.t, b.t) if times is None else [(a.find(t), b.find(t)) for t in times]
    if not pairs:
        raise CaseError(
            f"{a.path} and {b.path} have no time in common: A holds t = {_span(a)}, B t = {_span(b)}. "
            "Write both at the same times ([output] every or times)."
        )
    fields = Fields(a, b, a.dim == 1 if w2 is None else w2)
    moments = []
    for pair in pairs:
        moments.append(fields.moment(*pair))
        if progress is not None:
            progress(len(moments), len(pairs))
    at_a, at_b = (np.array(side, dtype=int) for side in zip(*pairs, strict=True))
    only_a, only_b = (np.delete(run.t, at).tolist() for run, at in ((a, at_a), (b, at_b)))
    shared = [name for name in a.diagnostics if name in b.diagnostics]
    steps = compare_steps(a.steps, b.steps)
    same = all(same_bits(a.diagnostics[name][at_a], b.diagnostics[name][at_b]) for name in shared)
    same = same and all(moment.identical for moment in moments) and set(a.diagnostics) == set(b.diagnostics)
    metrics = [] if times is not None else [_ends(a, b)]
    metrics += field_metrics(moments, fields, rtol, atol)
    largest = np.max([moment.norms for moment in moments], axis=0)
    scales = dict(zip(("error_l1", "error_l2", "error_linf"), largest.tolist(), strict=True))
    scales |= scales_of_differences(b)
    metrics += diagnostic_metrics(a, b, shared, at_a, at_b, rtol, atol, scales)
    return Comparison(
        rtol=rtol,
        atol=atol,
        moments=moments,
        metrics=metrics,
        only_a=only_a if times is None else [],
        only_b=only_b if times is None else [],
        steps=steps,
        case_changes=case_changes(a.resolved_toml, b.resolved_toml),
        notes=[*reservations(a, b), *fields.notes],
        identical=same and (times is not None or (steps.equal and not only_a and not only_b and same_bits(a.t, b.t))),
    )


def _check(a: Run, b: Run, rtol: float, atol: float) -> None:
    if a.dim != b.dim:
        raise CaseError(f"A is {a.dim}D and B is {b.dim}D ({a.path}, {b.path}); compare runs of one dimension.")
    if not (0 <= rtol < math.inf and 0 <= atol < math.inf):
        raise CaseError(f"tolerances must be ≥ 0 and finite; found rtol = {rtol:g} and atol = {atol:g}.")
    for run in (a, b):
        run.find()  # says so where there is no snapshot


def _matched(a: Array, b: Array) -> list[tuple[int, int]]:
    """Numbers of the snapshots in A and B at the same times."""
    nearest = [int(np.argmin(np.abs(b - t))) for t in a]
    return [(k, j) for k, j in enumerate(nearest) if abs(a[k] - b[j]) <= same_time(a, b)]


def _ends(a: Run, b: Run) -> Metric:
    span = float(max(np.ptp(a.t), np.ptp(b.t)))
    t = float(max(a.t[-1], b.t[-1]))
    return Metric("last time", float(abs(a.t[-1] - b.t[-1])), span, same_time(a.t, b.t), t)


def _span(run: Run) -> str:
    return f"{run.t[0]:g} to {run.t[-1]:g} in {len(run)} snapshots"
