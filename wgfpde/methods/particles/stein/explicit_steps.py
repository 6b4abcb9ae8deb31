"""Explicit steps of order 1 or 2 for what is not stiff: by Euler, or by Heun with Euler's error to choose the step.

    e = x + dt f(x),      x' = x + ½ dt (f(x) + f(e))  (order 2),  or e (order 1),      error ‖x' − e‖

What x is, how an error is measured, and when a step is refused is said by the march that is made from this one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from ....energy.snapshot import Report, Snapshot
from ....errors import CaseError, SolverError
from ....grid import Array

GROW, SHRINK = 2.0, 0.5
MOST_REFUSED = 60
"""Attempts at one step; 2^−60 of the step asked for is below its rounding."""


@dataclass(frozen=True)
class Rate:
    """f(x): what moves, how fast.

    velocity : of the shape of x.   longest : the longest step that is sure to be sound.   numbers : for the table of
    steps.
    """

    velocity: Array
    longest: float = math.inf
    numbers: dict[str, float] = field(default_factory=dict)


class ExplicitMarch:
    """A march by explicit steps, from a snapshot to times to land on.

    order : 1 or 2.   dt : a fixed step > 0, or "adaptive" (order 2).   tolerance : of the error of an adaptive step.
    Raises CaseError for options out of range; `step` raises SolverError where no step is sound.
    """

    def __init__(self, order: int, dt: float | str, tolerance: float) -> None:
        if order not in (1, 2):
            raise CaseError(f"order must be 1 or 2; found {order}.")
        if dt == "adaptive" and order == 1:
            raise CaseError(
                "an adaptive step has order 2: its error is told by that of order 1. Give dt, or order = 2."
            )
        if dt != "adaptive" and not (isinstance(dt, int | float) and math.isfinite(dt) and dt > 0):
            raise CaseError(f'dt must be a positive number or "adaptive"; found {dt!r}.')
        if not tolerance > 0:
            raise CaseError(f"tolerance must be positive; found {tolerance}.")
        self.order, self.tolerance = order, tolerance
        self.dt = 0.0 if isinstance(dt, str) else float(dt)

    # ---- said by what is made from this ------------------------------------------------------------------------

    def start_of(self, snapshot: Snapshot) -> Array:
        """x of a snapshot."""
        raise NotImplementedError

    def rate(self, x: Array) -> Rate:
        """f(x)."""
        raise NotImplementedError

    def size(self, change: Array) -> float:
        """‖change‖ in the unit of the tolerance."""
        raise NotImplementedError

    def trouble(self, old: Array, new: Array) -> str:
        """Why a step from old to new is refused; "" where it is not."""
        return ""

    def sound(self, stage: Array) -> bool:
        """Whether f may be asked at a stage."""
        return True

    def fields_of(self, x: Array) -> dict[str, Array]:
        """What a snapshot holds of x."""
        raise NotImplementedError

    # ---- the march -----------------------------------------------------------------------------------------------

    def step(self, snapshot: Snapshot, t_next: float) -> Snapshot:
        """One accepted step, never past t_next and landing on it exactly."""
        x = self.start_of(snapshot)
        first = self.rate(x)
        asked, lands = self._propose(snapshot, t_next, first.longest)
        dt, why, refused = asked, "", 0
        while True:
            new, error, trouble = self._try(x, first.velocity, dt)
            factor = 0.9 * math.sqrt(self.tolerance / error) if error > 0 else GROW
            if not trouble and (self.dt or error <= self.tolerance):
                break
            why = trouble or why
            refused += 1
            dt, lands = dt * (SHRINK if trouble else min(SHRINK, factor)), False
            if refused > MOST_REFUSED or snapshot.t + dt == snapshot.t:
                raise SolverError(
                    f"no step could be solved at t = {snapshot.t:.10g}: {why or 'its error was too large'}; "
                    f"tried {refused} steps from {asked:.3g} down to {dt:.3g}."
                )
        note = f"step shortened from {asked:.3g} to {dt:.3g}: {why}" if why else ""
        report = Report(rejected=refused, note=note, more=first.numbers)
        return Snapshot(
            t=t_next if lands else snapshot.t + dt,
            step=snapshot.step + 1,
            fields=snapshot.fields | self.fields_of(new),
            dt=dt,
            dt_next=self._wish(snapshot, dt, factor, refused, lands),
            report=report,
        )

    def _try(self, x: Array, velocity: Array, dt: float) -> tuple[Array, float, str]:
        """The state after dt, the error of order 1, and why it is refused."""
        euler = x + dt * velocity
        if self.order == 1:
            return euler, 0.0, self.trouble(x, euler)
        if not self.sound(euler):
            return euler, math.inf, "a first stage left what is sound"
        change = 0.5 * dt * (self.rate(euler).velocity - velocity)
        new = euler + change
        return new, self.size(change), self.trouble(x, new)

    def _propose(self, snapshot: Snapshot, t_next: float, longest: float) -> tuple[float, bool]:
        """The step to try first and whether it lands on t_next; equal steps fill the way to t_next."""
        remaining = t_next - snapshot.t
        if not remaining > 0:
            raise SolverError(f"the next time {t_next} must lie after the present one {snapshot.t}.")
        wish = snapshot.dt_next or self.dt or remaining / 100
        wish = min(wish, longest) if not self.dt else min(self.dt, wish)
        count = math.ceil(remaining / wish * (1 - 1e-9)) if remaining / wish < 1e9 else 10**9
        if not self.dt and count > 2:
            return wish, False
        return remaining / max(count, 1), count <= 1

    def _wish(self, snapshot: Snapshot, dt: float, factor: float, refused: int, lands: bool) -> float:
        """What the next step should be; 0 for the fixed one."""
        if self.dt:
            return 0.0 if not refused and snapshot.dt_next == 0 else min(self.dt, (1.0 if refused else GROW) * dt)
        wish = dt * min(GROW, max(0.2, factor))
        return max(wish, snapshot.dt_next) if lands and not refused and dt < 0.5 * snapshot.dt_next else wish
