"""What stands for the formulas of a case that is put together in Python, and what a file keeps of it.

    /code/initial              the density at the start          /code/NAME/keys, shapes, values   of a function, where
    /code/uniform              which axes are uniform                                               it was asked
    /code/NAME/results/…       of many places, as W∗             /code/NAME/places_x …, table      of a table

NAME is potential, interaction, force, feature_k, diffusion_k, sink_NAME, wall_x_lower …, with terminal_ before what is
of the end of a game.  With these and its tables the case is whole again.  A function of time is not kept, as it has
no end of values: such a run needs its script.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import store
from ...energy.driving.in_time import takes_time
from ...energy.dynamics import Dynamics
from ...energy.energy import Energy, Internal
from ...energy.features import Features
from ...energy.openings.sinks import Sink
from ...errors import CaseError
from ...grid.boundary import SIDES, Boundary
from ...grid.grid import Array, Grid
from ...grid.tables.kept_function import Budget, Kept
from ...grid.tables.radial_table import RadialTable
from ...grid.tables.tabulated import Tabulated
from .kept_arrays import arrays_of, kept_from

if TYPE_CHECKING:
    from ..problems import Problem
    from ..schema import Case

TABLES = (Tabulated, RadialTable)
"""Functions that a case file can hold, too."""
MOST_BYTES = 2**26
"""What the record of a run's functions may take; of a longer one nothing is kept."""
Replacing = Callable[[str, str, Any], Any]
"""(name in the file, key of the case, function) ↦ what takes its place."""


@dataclass(frozen=True)
class Code:
    """What stands for the formulas of a case that is put together in Python.

    grid, energy : as they are.   initial : its density, an array of the grid's shape.
    exact : exact(x=…[, y=…], t=…), or None.   initial_error : estimate of the error of averages, relative to the mass.
    dynamics : as it is, or None.   sinks : exits inside the box.   terminal : the cost of the end of a game.
    """

    grid: Grid
    energy: Energy = field(repr=False)
    initial: Array = field(repr=False)
    exact: Callable[..., Array] | None = None
    initial_error: float = 0.0
    dynamics: Dynamics | None = None
    sinks: tuple[Sink, ...] = ()
    terminal: Energy = field(default_factory=Energy, repr=False)

    @property
    def driven(self) -> list[str]:
        """The keys of what depends on time, which no file keeps."""
        found = [f"energy.{name}" for name in sorted(self.energy.driven)]
        moving = () if self.dynamics is None else self.dynamics.diffusion
        return found + (["dynamics.diffusion"] if any(takes_time(f) for f in moving) else [])

    def each(self, put: Replacing) -> Code:
        """The same with every function replaced."""
        dynamics = self.dynamics
        if dynamics is not None:
            moving = enumerate(dynamics.diffusion)
            dynamics = replace(
                dynamics, diffusion=tuple(put(f"diffusion_{k}", "dynamics.diffusion", f) for k, f in moving)
            )
        sinks = tuple(
            replace(sink, **{key: put(f"sink_{sink.name}", f"sinks.{sink.name}", getattr(sink, key))})
            for sink in self.sinks
            for key in (["rate"] if sink.region is None else ["region"])
        )
        energies = _each_of(self.energy, "", "energy", put), _each_of(self.terminal, "terminal_", "terminal", put)
        grid = self.grid.with_boundary([_each_wall(axis.name, axis.boundary, put) for axis in self.grid.axes])
        return replace(self, grid=grid, energy=energies[0], terminal=energies[1], dynamics=dynamics, sinks=sinks)


def _each_of(energy: Energy, head: str, key: str, put: Replacing) -> Energy:
    names = [name for name in ("potential", "interaction", "force") if getattr(energy, name) is not None]
    found: dict[str, Any] = {name: put(f"{head}{name}", f"{key}.{name}", getattr(energy, name)) for name in names}
    if energy.features is not None:
        functions = enumerate(energy.features.functions)
        each = [put(f"{head}feature_{k}", f"{key}.features[{k}]", f) for k, f in functions]
        found["features"] = replace(energy.features, functions=each)
    return replace(energy, **found)


def _each_wall(axis: str, boundary: Boundary, put: Replacing) -> Boundary:
    walls = []
    for side in SIDES:
        wall = getattr(boundary, side)
        if wall.function is not None:
            wall = replace(wall, function=put(f"wall_{axis}_{side}", f"grid.boundary.{axis}.{side}", wall.function))
        walls.append(wall)
    return Boundary(*walls)


# ---- keeping -----------------------------------------------------------------------------------------------


class Recording:
    """The code of a case whose functions note down what they are asked, until `arrays` is called."""

    def __init__(self, code: Code) -> None:
        self._kept: dict[str, Any] = {}
        self._budget = None if code.driven else Budget(MOST_BYTES)
        self.code = code.each(self._put)

    def _put(self, name: str, key: str, function: Any) -> Any:
        if self._budget is None:
            return function
        if isinstance(function, Kept):  # read from a file: what it does not hold is refused
            function = replace(function, strict=True)
        elif not isinstance(function, TABLES):
            function = Kept(key, function, budget=self._budget)
        self._kept[name] = function
        return function

    def arrays(self) -> dict[str, Array | str]:
        """What the file keeps, by name; {} where functions depend on time, or were asked too much."""
        if self._budget is None or self._budget.left < 0:
            found: dict[str, Array | str] = {}
        else:
            axes = self.code.grid.axes
            found = {"initial": self.code.initial, "initial_error": np.array([self.code.initial_error])}
            found["uniform"] = np.array([int(axis.uniform) for axis in axes])
            for name, function in self._kept.items():
                found |= {f"{name}/{key}": values for key, values in arrays_of(function).items()}
        for function in self._kept.values():
            if isinstance(function, Kept):
                function.budget = None
        return found


# ---- reading -----------------------------------------------------------------------------------------------


def code_of(run: store.Run, case: Any) -> Code:
    """The code of a run that was put together in Python, from its file.   case : its tables.

    Raises CaseError where the file does not hold it, and StoreError where it is damaged.
    """
    held = run.code
    if not held:
        raise CaseError(
            f"{run.path}: this run was put together in Python, with functions that the file does not hold (of time, or "
            "of too many places); put the case together again, and give it: wgf.resume(folder, case=case)"
        )
    grid = _grid_of(run, held)
    initial = held.get("initial")
    if not isinstance(initial, np.ndarray) or initial.shape != grid.shape or not np.all(np.isfinite(initial)):
        raise store.damaged(run.path, "/code/initial is no density on the cells")
    error = held.get("initial_error")
    code = Code(
        grid,
        _energy_of(case.energy),
        initial,
        initial_error=float(error[0]) if isinstance(error, np.ndarray) and error.shape == (1,) else 0.0,
        dynamics=None if case.dynamics is None else _dynamics_of(case.dynamics),
        sinks=tuple(_sinks_of(case.sinks)),
        terminal=Energy() if case.terminal is None else _energy_of(case.terminal),
    )

    def put(name: str, key: str, _: Any) -> Any:
        own = {k.removeprefix(f"{name}/"): values for k, values in held.items() if k.startswith(f"{name}/")}
        between = grid if key in ("energy.potential", "dynamics.diffusion") else None
        return kept_from(run.path, f"{run.path}: {key}", own, between)

    return code.each(put)


def _grid_of(run: store.Run, held: Mapping[str, Any]) -> Grid:
    uniform = held.get("uniform")
    if not isinstance(uniform, np.ndarray) or uniform.shape != (run.dim,):
        raise store.damaged(run.path, "/code/uniform does not say which axes are uniform")
    return Grid.of_edges(run.edges, [_opened(ends) for ends in run.boundary], [bool(u) for u in uniform], run.radial)


def _opened(boundary: Boundary) -> Boundary:
    """The ends of an axis with an empty place for each function: a text that says of one what it was."""
    walls = (getattr(boundary, side) for side in SIDES)
    return Boundary(*(replace(wall, function=_absent) if isinstance(wall.value, str) else wall for wall in walls))


def _absent(**_: Array) -> Array:
    """Stands for a function until it is read."""
    raise AssertionError


def _energy_of(table: Any) -> Energy:
    """The energy of a table, with empty places for its functions."""
    tilt = table.tilt
    tilt = () if tilt is None else (float(tilt),) if isinstance(tilt, int | float) else tuple(float(f) for f in tilt)
    given: dict[str, Any] = {
        name: _absent for name in ("potential", "interaction", "force") if getattr(table, name, None) is not None
    }
    if table.features is not None:
        each = list(table.features)
        targets, weights = ([float(getattr(one, key)) for one in each] for key in ("target", "weight"))
        given["features"] = Features([_absent] * len(each), targets, weights)
    return Energy(Internal.of(table.internal), sobolev=table.sobolev, tilt=tilt, **given)


def _dynamics_of(table: Any) -> Dynamics:
    texts = table.diffusion if isinstance(table.diffusion, list) else [table.diffusion]
    return Dynamics(tuple(_absent for _ in texts), table.convention, table.faces)


def _sinks_of(table: Mapping[str, Any]) -> Iterator[Sink]:
    for name, value in table.items():
        yield Sink(name, rate=_absent) if isinstance(value, dict) else Sink(name, region=_absent)


def recorded(case: Case) -> tuple[Case, Recording | None]:
    """The case with functions that note down what they are asked; itself and None for a case of a file."""
    if case._code is None:
        return case, None
    recording, watched = Recording(case._code), case.model_copy()
    watched._code = recording.code
    return watched, recording


def keeping(problem: Problem, recording: Recording | None) -> Problem:
    """The problem whose file keeps what its functions were asked in building it."""
    if recording is None:
        return problem
    return replace(problem, record=replace(problem.record, code=recording.arrays()))
