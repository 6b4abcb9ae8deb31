"""Where from and where to: the regions and names that a question about exits is asked with.

A region is a formula that is not 0 inside, such as "x < -0.8", or a function of the coordinates.  A target is a region
or the name of an exit that the case has.  As a region it becomes one more sink, for the question only.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...base.toml import show
from ...cases.case_densities import function_of, space_of
from ...cases.schema import Case
from ...energy.flow import Flow
from ...errors import CaseError
from ...grid import Array, Grid
from ...grid.axis import AXIS_NAMES
from ...grid.checked_values import finite

Region = Callable[..., Any]
FROM, TO = "from", "to"
"""What the regions of a question are called, unless the case has sinks of these names."""


def cells_of(region: Region, grid: Grid, word: str) -> Array:
    """Which cells have their centre in a region, (cells,).   word : "--from" or "--to", for messages.

    Raises CaseError for a region that holds no cell, or all.
    """
    values = finite(region, grid, f"the region of {word}")
    found = values.ravel() != 0
    text = getattr(region, "text", "")
    quoted = f' "{text}"' if text else ""
    if not np.any(found):
        spans = ", ".join(f"{axis.name} from {axis.centers[0]:.6g} to {axis.centers[-1]:.6g}" for axis in grid.axes)
        raise CaseError(f"{word}{quoted} holds no cell: their centres are at {spans}. Enlarge it, or refine the grid")
    if np.all(found):
        raise CaseError(f"{word}{quoted} covers every cell of the grid: expected a part of it")
    return found


def check_apart(flow: Flow, start: Array | None, target: Array | None) -> None:
    """Raise CaseError where --from and --to, or one of them and a sink of the case, share a cell."""
    given = {"--from": start, "--to": target}
    if start is not None and target is not None and np.any(both := start & target):
        raise CaseError(f"--from and --to overlap, as at {_place(flow.grid, both)}; give regions that are apart")
    for word, cells in given.items():
        if cells is not None and flow.inside is not None and np.any(both := cells & flow.inside.ravel()):
            raise CaseError(
                f"{word} overlaps a sink of the case, as at {_place(flow.grid, both)}; give a region apart from it"
                + (", or the name of the sink" if word == "--to" else "")
            )


def exit_named(text: str, names: Sequence[str]) -> str | None:
    """The exit that a target names; None where it is a formula.   Raises CaseError for a word that names none."""
    word = text.strip()
    if word in names:
        return word
    if re.fullmatch(r"[^\W\d]\w*", word, re.ASCII) is None:
        return None
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    known = f"exits of this case: {', '.join(names)}" if names else "this case has no exit"
    hint = f'did you mean "{near[0]}"? ' if near else ""
    raise CaseError(f'--to "{word}" is no exit; {hint}{known}; or give a region, as "x > 1"')


def free_name(word: str, names: Sequence[str]) -> str:
    """A name for a region of the question that no exit of the case has."""
    while word in names:
        word += "_"
    return word


def part_text(grid: Grid, cells: Array) -> str:
    """A part of the domain in words: "40 cells, x from 0.1 to 0.9".   cells : (cells,) bool."""
    places = np.nonzero(cells.reshape(grid.shape))
    spans = [
        f"{axis.name} from {axis.centers[at.min()]:.6g} to {axis.centers[at.max()]:.6g}"
        for axis, at in zip(grid.axes, reversed(places), strict=True)
    ]
    count = int(np.count_nonzero(cells))
    return f"{count} {'cell' if count == 1 else 'cells'}, {', '.join(spans)}"


def _place(grid: Grid, cells: Array) -> str:
    return grid.describe(tuple(int(k) for k in np.argwhere(cells.reshape(grid.shape))[0]))


def region_of(case: Case, given: str | Region, word: str) -> Region:
    """The region that a text or a function stands for.   word : "--from" or "--to", for messages.  Raises CaseError."""
    if isinstance(given, str):
        return function_of(case, given, space_of(case), word)
    if not callable(given):
        what = 'a formula, as "x > 1", or a function of the coordinates'
        raise CaseError(f"{word}: expected {what}, found {show(given)}")
    names = AXIS_NAMES[: case.dim]
    try:
        with np.errstate(all="ignore"):
            np.asarray(given(**{name: np.zeros(1) for name in names}), dtype=float)
    except (TypeError, ValueError) as error:
        call = f"f({', '.join(f'{name}=…' for name in names)})"
        raise CaseError(f"{word}: expected a function of arrays, called as {call}, to an array: {error}") from error
    return given


def target_of(case: Case, flow: Flow, given: str | Region | None) -> str | Region | None:
    """The name of an exit, or a region.  Raises CaseError for a word that names no exit."""
    if isinstance(given, str):
        return exit_named(given, open_exits(flow)) or region_of(case, given, "--to")
    return None if given is None else region_of(case, given, "--to")


def open_exits(flow: Flow) -> list[str]:
    """The exits of a linear flow by which something can leave."""
    return [name for name, k in flow.losses.items() if np.any(k > 0)]
