"""A case looked at in about a second, as `check` does: whole where its formulas allow, else with less.

    whole     the problem as a run would build it, where its formulas take QUICK["whole"] by count (`base.effort`)
    centres   the same grid, densities at the centres of the cells, averages of [output] on a small grid
    small     SMALL cells an axis at most, densities at the centres

What a look that is not whole refuses is built whole, up to PATIENT, since a peak between the centres of few cells is no
fault of the case; beyond that the refusal says what it is of.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from ...base.amounts import duration
from ...base.effort import Exhausted, allowed
from ...errors import CaseError
from ..building import build, build_grid
from ..case_densities import averages_of
from ..problems import Problem
from ..schema import Case

QUICK = {"whole": 0.15, "centres": 0.1, "small": math.inf}
PATIENT = 2.0
"""Seconds by count that each look may take, and that a case may take that a lesser look refused."""
SMALL = {1: 256, 2: 16}
"""Cells an axis of the small grid, by dimension."""

Found = TypeVar("Found")


@dataclass(frozen=True)
class Look(Generic[Found]):
    """What was found.   how : "whole", "centres" or "small".   note : what was not looked at, a sentence, or ""."""

    found: Found
    how: str
    note: str = ""


def look_at(case: Case, ask: Callable[[Problem], Found], cost: float) -> Look[Found]:
    """What `ask` finds of the problem of a case, which it is given as whole as can be had in a moment.

    cost : seconds of its formulas, see `cost`.
    Raises CaseError where the data makes no problem.
    """
    looks = {"centres": _at_centres, "small": _small}
    try:
        if cost <= QUICK["whole"]:
            with allowed(QUICK["whole"]):
                return Look(ask(build(case)), "whole")
    except Exhausted:
        pass
    for how, lessened in looks.items():
        try:
            with allowed(QUICK[how]):
                less = lessened(case)
                found = Look(ask(build(less)), how, _note(case, less, cost))
                _check_averages(case)
                return found
        except Exhausted:
            continue
        except CaseError as error:
            return _whole_after(case, ask, error, how)
    raise AssertionError("the last look is not bounded")


def _whole_after(case: Case, ask: Callable[[Problem], Found], error: CaseError, how: str) -> Look[Found]:
    """The whole problem where a lesser look was refused; what that said where the whole takes too long."""
    try:
        with allowed(PATIENT):
            return Look(ask(build(case)), "whole")
    except Exhausted:
        seen = "the centres of its cells" if how == "centres" else "few cells"
        text = f"{str(error).rstrip('.')}. This is of a quick look at {seen}; a run looks at all."
        raise CaseError(text) from None


def _at_centres(case: Case) -> Case:
    initial = case.initial.model_copy(update={"sampling": "centre"})
    output = case.output.model_copy(update={"averages": None})
    return case.model_copy(update={"initial": initial, "output": output})


def _small(case: Case) -> Case:
    """On a small grid, with numbers of cells halved as often as they may be: methods may ask for even ones."""
    shape = [_halved(n, SMALL[case.dim]) for n in case.grid.shape]
    return _at_centres(case.model_copy(update={"grid": case.grid.model_copy(update={"shape": shape})}))


def _halved(count: int, most: int) -> int:
    while count > most and count % 2 == 0:
        count //= 2
    return min(count, most)


def _check_averages(case: Case) -> None:
    """Raises CaseError for averages that [output] asks for and that make no sense, on a small grid."""
    if case.output.averages:
        small = _small(case)
        averages_of(small.model_copy(update={"output": case.output}), build_grid(small))


def _note(case: Case, less: Case, cost: float) -> str:
    cells = " x ".join(map(str, case.grid.shape))
    few = " x ".join(map(str, less.grid.shape))
    took = f", about {duration(cost)}," if cost > 1.0 else ""
    where = "at the centres of its cells" if few == cells else f"at the centres of {few} cells in place of {cells}"
    return f"a quick look: densities {where}. A run computes the averages{took} before its first step."
