"""What this version knows of the method that made a stored run, by its record; little, where it is no longer there."""

from __future__ import annotations

import tomllib
from typing import Any

from ..energy.snapshot import Column, Traits
from ..grid.axis import AXIS_NAMES
from ..grid.boundary import SIDES
from ..methods import METHODS, Method, method_of, table_of
from ..store import Run
from ..store.layout import STEP_COLUMNS


def solver_of(run: Run) -> dict[str, Any]:
    """The table [solver] of a stored run as plain values; of one that Python code put together, its method at least."""
    return tomllib.loads(run.resolved_toml).get("solver") or {"method": str(run.attributes.get("method", ""))}


def record_of_method(run: Run) -> Method | None:
    """The record of its method; None where this version has none of that name."""
    return METHODS.get(str(solver_of(run).get("method")))


def traits_of(run: Run) -> Traits | None:
    """What is true of a stored march; None where this version does not know its method, or its keys."""
    table = table_of(solver_of(run))
    if table is None:
        return None
    traits = method_of(table).traits(table)
    return traits.with_exits if exits_of_run(run) else traits


def exits_of_run(run: Run) -> tuple[str, ...]:
    """The names of the exits of a stored run: open walls, then sinks."""
    ends = [
        (f"{name}_{side}", getattr(b, side))
        for name, b in zip(AXIS_NAMES, run.boundary, strict=False)
        for side in SIDES
    ]
    return (*(name for name, wall in ends if wall.open), *(tomllib.loads(run.resolved_toml).get("sinks") or ()))


def is_path(run: Run) -> bool:
    """Whether it is a path between two densities, which follows no energy; False where nobody knows."""
    traits = traits_of(run)
    return traits is not None and traits.path


def step_columns(run: Run) -> tuple[Column, ...]:
    """What is known of the columns of /steps: those of every run, and those of its method."""
    method = record_of_method(run)
    exits = tuple(Column(f"exit_{name}", "1", f"mass gone by {name}", "") for name in exits_of_run(run))
    return (*STEP_COLUMNS, *exits) if method is None else (*STEP_COLUMNS, *method.columns, *exits)
