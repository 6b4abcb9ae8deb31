"""What a study is asked for, checked before anything is solved: sizes, reference, norms, times."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

import numpy as np

from ...cases.loading import override
from ...cases.schema import Case
from ...cases.times import output_times
from ...cases.varying import Vary
from ...errors import CaseError
from ...grid import Array
from .run_errors import NORMS

COUNTS = ("solver.inner_steps",)
"""Keys that count: their size is the inverse."""


def width_of(case: Case) -> float:
    """The mean width of the cells along the first axis."""
    return (case.grid.upper[0] - case.grid.lower[0]) / case.grid.shape[0]


def from_coarse_to_fine(varied: list[Vary], cases: list[Case]) -> tuple[list[Vary], list[Case], Array]:
    """Keys and cases from the largest size to the smallest, and the sizes.  Raises CaseError."""
    if len(cases) < 2:
        raise CaseError("orders need at least two runs: vary a key, such as grid.shape=64,128,256")
    lead = varied[0]
    sizes = np.array([width_of(case) for case in cases]) if lead.key == "grid.shape" else lead.numbers
    if not np.all(sizes > 0):
        k = int(np.argmin(sizes > 0))
        raise CaseError(
            f"{lead.key}: expected positive numbers, which orders are fitted over; found {lead.text(k)}. Such a key "
            "can be varied together with another one that is given before it"
        )
    if lead.key in COUNTS:
        sizes = 1 / sizes
    if len(np.unique(sizes)) < len(sizes):
        raise CaseError(f"{lead.key}: two of its values give cells of one width along x; sizes must differ")
    order = np.argsort(-sizes)
    keys = [Vary(v.key, tuple(v.values[k] for k in order)) for v in varied]
    return keys, [cases[k] for k in order], sizes[order]


def reference_of(case: Case, against: str | None, norms: Sequence[str], measures: Sequence[str], count: int) -> str:
    """ "exact" or "finest".   count : of the runs.   Raises CaseError where that gives no order."""
    reference = against or ("finest" if case.exact is None else "exact")
    if reference == "exact" and case.exact is None:
        raise CaseError(f'{case.path} has no [exact] to compare with; compare with the finest run: against "finest"')
    if count < 3 and (measures or (norms and reference == "finest")):
        why = "the case has no [exact], and" if norms and against is None else "with the finest run as the reference"
        raise CaseError(f"{why} an order needs at least three runs; found {count}. Give one value more")
    return reference


def norms_of(case: Case, norms: Sequence[str], others: bool) -> tuple[str, ...]:
    """The norms meant.   others : whether something else is asked for, so that none means none.   Raises CaseError."""
    known = NORMS if case.dim == 1 else NORMS[:-1]
    for name in norms:
        if name not in known:
            why = ": W2 is exact, and cheap, in 1D only" if name == "w2" else ""
            raise CaseError(f'expected a norm among {", ".join(known)}, found "{name}"{why}')
    return tuple(dict.fromkeys(norms)) or (() if others else known)


def recording(case: Case, measures: Sequence[str]) -> Case:
    """The case that also records these diagnostics.  Raises CaseError for one that is unknown."""
    if not measures:
        return case
    from ...diagnostics import REGISTRY

    for name in measures:
        if name not in REGISTRY:
            near = difflib.get_close_matches(name, REGISTRY, n=1)
            hint = f'did you mean "{near[0]}"? ' if near else ""
            raise CaseError(f'there is no diagnostic "{name}" to measure; {hint}Known: {", ".join(REGISTRY)}')
    return override(case, {"output": {"diagnostics": list(dict.fromkeys([*case.output.diagnostics, *measures]))}})


def check_time(case: Case, time: float | None) -> None:
    """Raise CaseError where the case writes no snapshot at a time, naming the nearest."""
    if time is None:
        return
    times = output_times(case)
    nearest = float(times[np.argmin(np.abs(times - time))])
    if not abs(nearest - time) <= 1e-9 * max(float(np.ptp(times)), abs(time)):
        raise CaseError(
            f"time {time:g} is not written; the nearest is {nearest:.10g}. Write it with [output] every or times"
        )
