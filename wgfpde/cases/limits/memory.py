"""What a run holds in memory and on disk, by its case: counted before anything is allocated."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence

from ...base.amounts import memory_lacking, size_text
from ...base.toml import show
from ...energy.snapshot import Field
from ...errors import CaseError
from ...store.layout import STEP_COLUMNS
from ..problems import Problem
from ..schema import Case

MOST_FIELDS = 2 * 2**30
"""Bytes of stored fields that a run may have unasked."""


def memory_needed(case: Case) -> int:
    """Bytes a run will hold, roughly."""
    return _arrays(case) + case.method.memory(case.solver, case.dim)


def _arrays(case: Case) -> int:
    return case.method.arrays(case.solver, case.dim, case.time.end - case.time.start) * 8 * case.cells


def check_memory(case: Case) -> None:
    """Refuse a grid larger than this machine's memory, before anything is allocated.

    What a method holds beside the grid's arrays it refuses itself, by the key that asks for it.
    """
    if lacking := memory_lacking(_arrays(case)):
        other = ", or a larger solver.dt" if case.traits.path and case.traits.step is not None else ""
        raise CaseError(f"{case.path}: grid.shape: {case.cells} cells need {lacking}; use fewer cells{other}")


def stored_fields(case: Case, offered: Sequence[Field], snapshots: int) -> tuple[Field, ...]:
    """The fields that the file will hold: those that [output] names, else those that the method stores unasked.

    A name may stand for all components, "current" for current_x and current_y.
    """
    names = case.output.fields
    known = {field.name: field for field in offered}
    for name in names or ():
        parts = [offer for offer in known if offer.startswith(f"{name}_")]
        if name not in known and not parts:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f'; did you mean "{near[0]}"?' if near else f"; it offers {', '.join(known) or 'none'}"
            raise CaseError(f'method = "{case.solver.method}" has no field {show(name)}{hint}')
    if names is not None:
        each = [[name] if name in known else [k for k in known if k.startswith(f"{name}_")] for name in names]
        return tuple(known[name] for name in dict.fromkeys(name for part in each for name in part))
    chosen = tuple(field for field in offered if field.stored)
    size = _bytes(chosen, case.cells, snapshots)
    if size > MOST_FIELDS:
        raise CaseError(
            f"{', '.join(field.name for field in chosen)} would take {size_text(size)} in {snapshots} snapshots; "
            "name what to store, as in [output] fields = [], or write fewer snapshots"
        )
    return chosen


def _bytes(fields: Sequence[Field], cells: int, snapshots: int) -> int:
    """What fields take, in double precision."""
    return 8 * snapshots * sum(math.prod([n for _, n in field.dims]) if field.dims else cells for field in fields)


def bytes_stored(problem: Problem, cells: int | None = None, steps: float = 0.0) -> float:
    """What a run will take on disk, uncompressed: densities, what is stored beside them, and the table of steps.

    cells : of the grid, where the problem stands for one on another.   steps : how many there are at least.
    """
    cells, snapshots = cells or problem.flow.grid.size, len(problem.times)
    size = 8 * cells * snapshots + _bytes(problem.fields, cells, snapshots)
    columns = len(STEP_COLUMNS) + len(problem.columns)
    return size / (2 if problem.record.precision == "float32" else 1) + 8 * columns * steps
