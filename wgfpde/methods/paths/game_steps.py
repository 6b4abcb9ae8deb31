"""A march along the solution of a game, which is solved as a whole before the start is written."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...energy.snapshot import Report, Snapshot
from ...errors import SolverError
from ...grid import Array, Axis
from .potential_game import PotentialGame, Solution
from .propagator import warm_up

ON_TIME = 1e-6
"""Part of a step by which an output time may lie beside the end of one, by rounding."""


class GameMarch:
    """A game as a stepper: from the start at t0 on by steps of dt; fields rho and value,
    and the velocity −∇u where it is wanted.

    game : not yet solved.   tolerance, most : as for `PotentialGame.solve`.
    Preserves mass and ρ ≥ 0.   The report of the first step holds the sweeps, each its part of the cost, and the gap.
    `begin` and `step` raise SolverError where the game is not solved.
    """

    def __init__(self, game: PotentialGame, t0: float, dt: float, tolerance: float, most: int, moves: bool) -> None:
        self._game, self._t0, self._dt = game, t0, dt
        self._options = tolerance, most
        self._moves = moves
        self._known: Solution | None = None

    def warm_up(self) -> None:
        """Compile, or load, the kernels of the propagator."""
        warm_up(self._game.heat_flow)

    def begin(self, snapshot: Snapshot) -> Snapshot:
        """The start with its value."""
        return replace(snapshot, fields=snapshot.fields | self._at(0))

    def step(self, snapshot: Snapshot, t_next: float) -> Snapshot:
        """The density and the value one step on."""
        found, k = self._solution(), snapshot.step + 1
        t = self._t0 + k * self._dt
        if abs(t - t_next) <= ON_TIME * self._dt:
            t = t_next
        if k > self._game.steps or t > t_next:
            raise SolverError(f"the path of the game has no time {t_next:g} after {snapshot.t:g}: its steps are fixed.")
        last = k == self._game.steps
        costs = {
            "action": found.actions[k - 1],
            "running_cost": 0.5 * self._dt * float(found.running[k - 1] + found.running[k]),
            "terminal_cost": found.terminal if last else 0.0,
        }
        first = k == 1
        report = Report(
            iterations=found.sweeps if first else 0, residual=found.residual, gap=found.gap,
            note=found.note if first else "", more=costs,
        )  # fmt: skip
        return Snapshot(t, k, snapshot.fields | self._at(k), t - snapshot.t, report=report)

    def _solution(self) -> Solution:
        if self._known is None:
            self._known = self._game.solve(*self._options)
        return self._known

    def _at(self, k: int) -> dict[str, Array]:
        """The fields of the snapshot of step k."""
        found, axes = self._solution(), self._game.grid.axes
        fields = {"rho": found.m[k].copy(), "value": found.u[k].copy()}
        if self._moves:
            fields |= {f"velocity_{axis.name}": -slope(found.u[k], axis, -1 - i) for i, axis in enumerate(axes)}
        return fields


def slope(u: Array, axis: Axis, along: int) -> Array:
    """∂u/∂x at the cell centres, by what the cells on both sides differ by; walls mirror.   along : axis of the array.

    Order 2, on smooth mappings too.
    """
    widths = [(1, 1) if k == along % u.ndim else (0, 0) for k in range(u.ndim)]
    beside = np.moveaxis(np.pad(u, widths, mode="wrap" if axis.ring else "edge"), along, -1)
    x, h = axis.centers, axis.widths
    ends = (x[-1] - axis.length, x[0] + axis.length) if axis.ring else (x[0] - h[0], x[-1] + h[-1])
    places = np.concatenate([[ends[0]], x, [ends[1]]])
    found = (beside[..., 2:] - beside[..., :-2]) / (places[2:] - places[:-2])
    return np.moveaxis(found, -1, along)
