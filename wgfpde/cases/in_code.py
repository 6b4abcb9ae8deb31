"""Cases put together in Python: a grid, an energy and functions in place of formulas."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..energy.driving.in_time import takes_time
from ..energy.dynamics import Dynamics
from ..energy.energy import Energy
from ..energy.openings.sinks import Sink
from ..errors import CaseError
from ..grid.grid import Array, Grid
from ..grid.initial import from_array, from_table, with_error
from ..grid.public_arguments import public
from ..grid.tables.objects import holds_table, table_of_object
from ..grid.tables.tabulated import Tabulated
from ..methods import METHODS
from .loading import from_mapping
from .schema import Case
from .sources.python_code import Code


@public
def problem(
    grid: Grid,
    energy: Energy,
    initial: Callable[..., Array] | Array,
    end: float,
    *,
    start: float = 0.0,
    every: float | None = None,
    times: Sequence[float] | None = None,
    solver: Mapping[str, Any] | None = None,
    exact: Callable[..., Array] | None = None,
    mass: float | None = None,
    dynamics: Dynamics | None = None,
    sinks: Sequence[Sink] = (),
    breakpoints: Sequence[float] = (),
    terminal: Energy | None = None,
    title: str = "A problem put together in Python",
) -> Case:
    """A case from a grid and an energy, with functions for the densities, V and W.

    Functions are called by keyword, ``f(x=…)`` in 1D and ``f(x=…, y=…)`` in 2D, with arrays.

    Parameters
    ----------
    grid, energy
        As they are; ``energy.potential(x=…[, y=…])`` and ``energy.interaction`` take and return arrays, or are tables
        of pandas or xarray.  A function with a parameter ``t`` depends on time.
    initial
        The density at the start: cell averages of the grid's shape, or a function of x (and y) or a table of pandas or
        xarray, which are averaged over the cells.
    end, start
        The times.
    every, times
        When snapshots are written; start and end always are.
    solver
        As the table ``[solver]`` of a case file; default ``{"method": "fv"}``.
    exact
        The solution where it is known, a function of x (and y) and t: adds the errors to the diagnostics.
    breakpoints
        Times that steps land on, as where a function of time jumps.
    terminal
        The cost of the density at the end, of a game (``solver={"method": "game", …}``).
    mass
        Rescale the start to this mass.
    dynamics
        The diffusion, a factor of the flux: ``wgf.Dynamics(lambda x: 1 / (1 + x**2))``, or a function per axis in a
        tuple, with ``convention="ito"`` where the noise is meant so.
    sinks
        Regions that absorb, and places where mass decays: ``wgf.Sink("product", region=lambda x, y: x > 1)`` or
        ``rate=…``.  Walls that mass may pass are the grid's: ``boundary=["no-flux", "absorbing"]``.

    Returns
    -------
    Case
        For `run` and `march`.  The file of a run keeps the values of its functions where they were asked for, so that
        the run is made again and goes on from it; of time-dependent ones, and of an exact solution, it keeps none:
        such a run goes on with ``resume(folder, case=case)``.

    Raises
    ------
    CaseError
        Where the parts do not make a problem.
    """
    parts = _functions_of("energy", energy) + ([] if terminal is None else _functions_of("terminal", terminal))
    parts += [("dynamics.diffusion", function) for function in ([] if dynamics is None else dynamics.diffusion)]
    for name, function in parts:
        _check_function(name, function, grid, **({"t": float(start)} if takes_time(function) else {}))
    for sink in sinks:
        _check_function(f"sinks.{sink.name}", sink.region or sink.rate, grid)
    _check_function("exact", exact, grid, t=float(start))
    if callable(initial):
        _check_function("initial", initial, grid)
    data: dict[str, Any] = {
        "title": title,
        "grid": _grid_table(grid),
        "energy": _energy_table(energy, float(start)),
        "initial": {"density": _name(initial)} | ({} if mass is None else {"mass": float(mass)}),
        "solver": {"method": next(iter(METHODS))} | dict(solver or {}),
        "time": {"start": float(start), "end": float(end)}
        | ({"breakpoints": [float(t) for t in breakpoints]} if len(breakpoints) else {}),
        "output": ({} if every is None else {"every": float(every)})
        | ({} if times is None else {"times": [float(t) for t in times]}),
    }
    if exact is not None:
        data["exact"] = {"density": _name(exact)}
    if terminal is not None:
        data["terminal"] = _energy_table(terminal, float(end))
    if dynamics is not None:
        data["dynamics"] = {
            "diffusion": [_name(function) for function in dynamics.diffusion],
            "convention": dynamics.convention,
            "faces": dynamics.faces,
        }
    if sinks:
        data["sinks"] = {s.name: {"rate": _name(s.rate)} if s.region is None else _name(s.region) for s in sinks}
    case = from_mapping(data, "problem")
    rho, error = _density(initial, grid)
    case._code = Code(grid, energy, rho, exact, error, dynamics, tuple(sinks), terminal or Energy())
    return case


def _functions_of(key: str, energy: Energy) -> list[tuple[str, Any]]:
    """The functions of an energy, with their places in a case."""
    names = "potential", "interaction", "force"
    features = () if energy.features is None else energy.features.functions
    return [(f"{key}.{name}", getattr(energy, name)) for name in names] + [
        (f"{key}.features[{k}]", function) for k, function in enumerate(features)
    ]


def _energy_table(energy: Energy, t: float) -> dict[str, Any]:
    """An energy as a table of a case, with names in place of functions."""
    internal: dict[str, Any] = {**energy.at(t).internal.in_case}
    if energy.kappa is not None:
        internal["kappa"] = _name(energy.kappa)
    formulas = {"potential": energy.potential, "interaction": energy.interaction, "force": energy.force}
    return {
        "internal": internal,
        **{key: _name(f) for key, f in formulas.items() if f is not None},
        **_features(energy),
        **({"tilt": [float(f) for f in energy.tilt]} if energy.tilt else {}),
        **({} if energy.sobolev is None else {"lambda": float(energy.sobolev)}),
    }


def _features(energy: Energy) -> dict[str, Any]:
    """The key `features` of its table, where it has some."""
    if energy.features is None:
        return {}
    rows = zip(energy.features.functions, energy.features.targets, energy.features.weights, strict=True)
    return {"features": [{"formula": _name(f), "target": float(b), "weight": float(w)} for f, b, w in rows]}


def _grid_table(grid: Grid) -> dict[str, Any]:
    axes = grid.axes
    table: dict[str, Any] = {
        "shape": [axis.size for axis in axes],
        "lower": [float(axis.lower) for axis in axes],
        "upper": [float(axis.upper) for axis in axes],
        "boundary": [axis.boundary.in_case for axis in axes],
    }
    table |= {} if grid.radial == 1 else {"radial": grid.radial}
    return table if all(axis.uniform for axis in axes) else table | {"mapping": ["python: edges as given"] * grid.dim}


def _check_function(name: str, function: object, grid: Grid, **more: float) -> None:
    """Raises CaseError where a function does not take the coordinates of the grid."""
    if function is None:
        return
    names = [axis.name for axis in grid.axes] + list(more)
    call = f"f({', '.join(f'{key}=…' for key in names)})"
    if not callable(function):
        raise CaseError(f"{name}: expected a function, called as {call}; found {type(function).__name__}")
    try:
        with np.errstate(all="ignore"):
            found = np.asarray(function(**grid.coordinates(), **more), dtype=float)
        np.broadcast_to(found, grid.shape)
    except (TypeError, ValueError) as error:
        raise CaseError(f"{name}: expected a function of arrays, called as {call}, to an array: {error}") from error


def _density(source: Callable[..., Array] | Array, grid: Grid) -> tuple[Array, float]:
    if holds_table(source):
        source = Tabulated(table_of_object(source, dim=grid.dim), "linear", "empty")
    if isinstance(source, Tabulated):
        return from_table(source, grid), 0.0
    if callable(source):
        return with_error(source, grid)
    return from_array(np.asarray(source), grid, "the array given as initial"), 0.0


def _name(source: object) -> str:
    """What a record says of a function or an array."""
    if not callable(source):
        return "python: a table" if holds_table(source) else f"python: an array of shape {np.asarray(source).shape}"
    text = getattr(source, "text", None)
    code = getattr(inspect.unwrap(source), "__code__", None)
    where = f" at {Path(code.co_filename).name}:{code.co_firstlineno}" if code is not None else ""
    return text or f"python: {getattr(source, '__name__', type(source).__name__)}{where}"
