"""method = "game": potential mean field games, with [energy] as the running cost and [terminal] as that of the end."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field as Key
from pydantic import field_validator

from ...base.case_table import Positive, Table
from ...energy.laws.equation_names import GAME
from ...energy.snapshot import Column, Field, Traits
from ...grid.axis import AXIS_NAMES
from ..bounds_on_runs import bounded
from ..method import Asked, Built, Method
from ..table_keys import reachable_gap

if TYPE_CHECKING:
    from ...store import Run
    from .potential_game import PotentialGame

LEAST_GAP = 1e-13
"""The sums of a gap leave some ε of the costs."""
PATH_ARRAYS, WORK_ARRAYS = 14, 40
"""Arrays of the grid's size: for each time of the path, mixing included, and at work."""


class GameTable(Table):
    """A potential mean field game: ∂tρ = νΔρ + ∇·(ρ∇u), −∂t u − νΔu + ½|∇u|² = δE/δρ, u(T) = δG/δρ."""

    method: Literal["game"]
    viscosity: Positive = Key(description="ν, how much each wanders, a positive number, length²/time")
    dt: Positive | None = Key(default=None, description="step, a positive number; default: the time span over 64")
    order: Literal[1, 2] = Key(default=2, description="of the steps in time, 2 (default) or 1")
    tolerance: Positive = Key(
        default=1e-8, description="largest relative duality gap; of costs that are not convex, largest residual"
    )
    max_iterations: int = Key(default=200, ge=1, description="an integer ≥ 1, the most sweeps forth and back")

    @field_validator("tolerance")
    @classmethod
    def _reachable(cls, tolerance: float) -> float | None:
        return reachable_gap(tolerance, LEAST_GAP, 'method = "game"')


STEP_COLUMNS = (
    Column("action", "1", "action", "Kinetic cost of the step: int int 1/2 |v|^2 rho."),
    Column("running_cost", "1", "running cost", "Integral of E over the step."),
    Column("terminal_cost", "1", "terminal cost", "G of the density at the end, in the last step; else 0."),
)
VALUE = Field("value", "1", "value function", "u, what is still to be paid from here on; everyone moves by -grad u.")
VELOCITIES = tuple(
    Field(f"velocity_{name}", "1", f"velocity along {name}", f"-du/d{name} at the cell centres.", stored=False)
    for name in AXIS_NAMES
)


def _build(table: GameTable, asked: Asked) -> Built:
    from .game_steps import GameMarch
    from .potential_game import PotentialGame

    asked.flow.check_whole("games")
    if asked.terminal is not None:
        asked.terminal.check_whole("games")
    assert table.dt is not None  # completed
    span = asked.end - asked.start
    steps = _steps(table, span)
    game = PotentialGame(
        asked.flow, asked.terminal, asked.rho, span, steps, table.viscosity, table.order, asked.threads
    )
    known = VELOCITIES[: asked.flow.grid.dim]
    wanted = any(field.name in asked.wanted for field in known) or "velocity" in asked.wanted
    march = GameMarch(game, asked.start, table.dt, table.tolerance, table.max_iterations, wanted)
    nothing = np.full(asked.flow.grid.shape, np.nan)
    initial = {field.name: nothing for field in ((VALUE, *known) if wanted else (VALUE,))}
    return Built(march, STEP_COLUMNS, (VALUE, *known), initial, {"convex": int(game.convex)}, _notes(game))


def _notes(game: PotentialGame) -> tuple[str, ...]:
    costs = [("energy", game.cost)] + ([] if game.end is None else [("terminal", game.end)])
    names = " and ".join(f"{name}.interaction" for name, cost in costs if not cost.convex)
    if not names:
        return ()
    return (
        f"{names}: the quadratic form of W is not convex: there is no duality gap, the residual ends the search, and "
        "the game may have other solutions.",
    )


def _steps(table: GameTable, span: float) -> int:
    return max(1, round(span / table.dt)) if table.dt else 64


def _complete(table: GameTable, span: float) -> GameTable:
    return table if table.dt is not None else table.model_copy(update={"dt": span / 64})


def _promises(run: Run, solver: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The gap where the costs are convex, else the residual; the energy may do what it likes."""
    tolerance = solver.get("tolerance")
    if tolerance is None or not len(run.steps["gap"]):
        return []
    if run.attributes.get("convex", 1):
        meaning = "how far the cost of the path is above the least at most, relative to the size of its parts"
        return [bounded("duality gap", meaning, np.max(run.steps["gap"]), tolerance)]
    meaning = "the largest change of ln ρ that the potentials are still off by; they are not convex and have no gap"
    return [bounded("residual", meaning, np.max(run.steps["residual"]), tolerance)]


GAME_METHOD = Method(
    name="game",
    cellwise=True,
    table=GameTable,
    build=_build,
    traits=lambda table: Traits(
        lowers_energy=False, wasserstein=False, tends_to_gibbs=False, path=True, step=table.dt, order=float(table.order)
    ),
    takes=frozenset({"terminal"}),
    complete=_complete,
    equation=lambda energy, table: GAME.name,
    promises=_promises,
    arrays=lambda table, dim, span: PATH_ARRAYS * (math.ceil(span / table.dt - 0.5) + 1) + WORK_ARRAYS,
    coarse=lambda table, span, steps: [f"solver.dt={span / steps!r}", "solver.tolerance=1e-10"],
    columns=STEP_COLUMNS,
    fields=(VALUE, *VELOCITIES),
)
