"""Time stepping of the finite-volume scheme: fixed and adaptive steps that land on output times.

Of an energy that depends on time a step is work, heat, work (module `driven_step`), each half of the work at a frozen
density and the heat at V, W and κ of the middle of the step: order 2.

A step that cannot be solved is shortened, also at fixed dt, and the report says so; the promises hold for what is
taken.  What the next step needs to know (its size, the trend of W∗ρ) travels in the snapshot, so that a march continued
from a snapshot is the same march, bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ...energy.flow import Flow, small_flow
from ...energy.fluxes import dissipation, max_flux
from ...energy.openings.account import EXITS, entered, opened
from ...energy.snapshot import Report, Snapshot, Stride
from ...errors import CaseError, SolverError
from ...grid import Array
from ...linear.threads import default_threads
from .drive_trend import DriveTrend
from .driven_step import DrivenStep, keeps_account
from .limiter import EPS
from .one_step import Attempt, OneStep, StepFailure
from .schemes import Cost
from .strides.clock import LIMITS, MIN_STEP, limit, propose, resize, wish_after
from .strides.split_kernels import error_of
from .strides.stride import Strider, strides

SHRINK = 0.3


class FiniteVolumes:
    """The finite-volume stepper.

    flow : energy on a grid.   order : 1 or 2, in time.   dt : fixed step > 0, or "adaptive".
    tolerance : adaptive steps keep ‖ρ_{dt/2,dt/2} − ρ_dt‖₁ ≤ tolerance · mass, and keep the better of the two.
    first_dt : first adaptive step.   threads : default all cores.
    weigh : carry the field of Jarzynski's equality along, see `driven_step`.

    Preserves for every dt: mass, ρ ≥ 0, E never up (driven: by no more than the work), the Gibbs state; where mass may
    leave, the account of it in place of mass and E (module `openings.account`).  Order: 2 in space, `order` in time; at
    region sinks in 2D ½ to 1 in time.
    Raises CaseError for options out of range; `step` raises SolverError when no step, however short, can be solved.
    """

    def __init__(
        self,
        flow: Flow,
        order: int = 2,
        dt: float | str = 0.01,
        tolerance: float = 1e-4,
        first_dt: float | None = None,
        threads: int | None = None,
        weigh: bool = False,
    ) -> None:
        if order not in (1, 2):
            raise CaseError(f"order must be 1 or 2; found {order}.")
        if isinstance(dt, str) and dt != "adaptive":
            raise CaseError(f'dt must be a positive number or "adaptive"; found {dt!r}.')
        if not isinstance(dt, str) and not (math.isfinite(dt) and dt > 0):
            raise CaseError(f"dt must be positive; found {dt}.")
        if not tolerance > 0:
            raise CaseError(f"tolerance must be positive; found {tolerance}.")
        self.flow = flow
        self.order = order
        self.adaptive = isinstance(dt, str)
        self.dt = 0.0 if isinstance(dt, str) else float(dt)
        self.tolerance = tolerance
        self.first_dt = first_dt
        self.threads = threads or default_threads()
        self._one = OneStep(flow, order, self.threads)
        self._driven = DrivenStep(flow, self._one, weigh) if keeps_account(flow) or weigh else None
        self._strides = strides(self._one)
        self._strider: Strider | None = None

    def warm_up(self) -> None:
        """Compile, or load, every kernel that `step` and the diagnostics call: one step on four cells per axis.

        A kernel is compiled for the types of its arguments, and these are the same as in a march: the law is this
        flow's own, and V and W reach the kernels as arrays that are always there.
        """
        small = small_flow(self.flow, 4)
        dissipation(small, np.ones(small.grid.shape))  # first: all that writing the start needs, if patience ends
        self._warm_steps()

    def warm_parts(self) -> tuple[Callable[[], None], ...]:
        """What `warm_up` compiles in parts for several processes: the steps, and what sweeps call on the way."""
        small = FiniteVolumes(small_flow(self.flow, 4), self.order, dt=1e-3, threads=1)
        return self._warm_steps, small._one.compile_parts

    def _warm_steps(self) -> None:
        self._one.compile_first()
        small = small_flow(self.flow, 4)
        start = Snapshot(t=0.0, step=0, fields={"rho": np.ones(small.grid.shape)})
        stepper = FiniteVolumes(small, self.order, dt=1e-3, threads=1)
        new = stepper.step(start, 1e-3)
        if self.adaptive:
            old, rows = start.rho.reshape(stepper._one.rows), new.rho.reshape(stepper._one.rows)
            _error(old, old, rows, stepper._one.widths)
        if self._strides:
            stepper.stride(start, 1e-3, 0.0)

    def step(self, snapshot: Snapshot, t_next: float) -> Snapshot:
        """One accepted step from `snapshot`, never past t_next and landing on it exactly.

        Raises SolverError when no step could be solved; the snapshot given is then the last good state.
        """
        if self.flow.exits and EXITS not in snapshot.fields:
            snapshot = replace(snapshot, fields=snapshot.fields | opened(self.flow, snapshot.rho))
        rho = np.ascontiguousarray(snapshot.rho, dtype=float).reshape(self._one.rows)
        trend = DriveTrend.of(snapshot.fields, self._one.rows)
        asked, lands = self._propose(snapshot, t_next)
        dt, rejected, reason = asked, 0, ""
        while True:
            try:
                attempt, dt_next = self._try(rho, (snapshot.t, t_next if lands else snapshot.t + dt), dt, trend)
                failed = "the error of the step was too large"
            except StepFailure as failure:
                failed = reason = str(failure)
                attempt, dt_next = None, SHRINK * dt
            if attempt is not None:
                break
            rejected += 1
            dt, lands = dt_next, False
            if snapshot.t + dt == snapshot.t or (dt < MIN_STEP * asked and not self._moves(rho, snapshot.t, dt)):
                raise SolverError(
                    f"no step could be solved at t = {snapshot.t:.10g}: {failed}; "
                    f"tried {rejected} steps from {asked:.3g} down to {dt:.3g}."
                )
        notes, gone = list(attempt.notes), self._gone(attempt)
        if reason:
            notes.append(f"step shortened from {asked:.3g} to {dt:.3g}: {reason}")
        report = Report(
            iterations=attempt.cost.iterations,
            residual=attempt.cost.residual,
            outer=attempt.outer,
            repaired=attempt.cost.repaired,
            rejected=rejected,
            note="; ".join(notes),
            limit=self._limit(reason, dt, dt_next, snapshot.dt_next, lands, rejected),
            more={} if gone is None else {f"exit_{name}": x for name, x in zip(self.flow.exits, gone, strict=True)},
        )
        shape = self.flow.grid.shape
        after = snapshot.fields | {"rho": attempt.rho.reshape(shape)} | attempt.trend.fields(shape)
        t = t_next if lands else snapshot.t + dt
        if gone is not None:
            after = after | {EXITS: entered(snapshot.fields[EXITS], gone, attempt.cost.came)}
        if self._driven is not None:
            report = replace(report, more={**report.more, "work": attempt.work, "heat": attempt.heat})
            after = after | self._driven.fields(snapshot, attempt, t, dt, halves=self.adaptive)
        return Snapshot(
            t=t,
            step=snapshot.step + 1,
            fields=after,
            dt=dt,
            dt_next=wish_after(dt, dt_next, snapshot.dt_next, self.dt, self.adaptive, lands, rejected),
            report=report,
        )

    def stride(self, snapshot: Snapshot, t_next: float, seconds: float) -> Stride | None:
        """The steps that `step` would take one by one, in one compiled call, for some `seconds` and never past t_next.

        None where steps are taken one by one: with an interaction, exits, a force, or what depends on time, on large
        grids, for laws without kernels, and where the next step is unusual, such as one that must be shortened.
        The bits are those of `step`, wherever a stride ends.
        """
        if not self._strides:
            return None
        if self._strider is None:
            self._strider = Strider(self._one, self.order, self.dt, self.first_dt, self.tolerance)
        return self._strider.stride(snapshot, t_next, seconds)

    def _gone(self, attempt: Attempt) -> Array | None:
        """What a step let go by each exit, (exits,); None where there is none."""
        if not self.flow.exits:
            return None
        return np.zeros(len(self.flow.exits)) if attempt.cost.gone is None else attempt.cost.gone

    def _limit(self, reason: str, dt: float, dt_next: float, known: float, lands: bool, rejected: int) -> str:
        """What kept a step from being longer.   known : the wish before it."""
        if reason:
            return reason.partition(" (")[0]
        return LIMITS[limit(dt, dt_next, known, lands, rejected)] if self.adaptive else ""

    def _propose(self, snapshot: Snapshot, t_next: float) -> tuple[float, bool]:
        """The step to try first and whether it lands on t_next; equal steps fill the way to t_next."""
        remaining = t_next - snapshot.t
        if not remaining > 0:
            raise SolverError(f"the next time {t_next} must lie after the present one {snapshot.t}.")
        if self.adaptive:
            wish = snapshot.dt_next or self.first_dt or remaining / 100
        else:
            wish = min(self.dt, snapshot.dt_next) if snapshot.dt_next > 0 else self.dt
        return propose(remaining, wish, self.adaptive)

    def _try(self, rho: Array, span: tuple[float, float], dt: float, trend: DriveTrend) -> tuple[Attempt | None, float]:
        """One step and the size of the next; None and a shorter size where an adaptive step errs too much.

        span : the times it goes from and to, dt apart.
        """
        if not self.adaptive:
            return self._solve(rho, span, dt, trend), 0.0
        middle = 0.5 * (span[0] + span[1])
        whole = self._solve(rho, span, dt, trend)
        first = self._solve(rho, (span[0], middle), 0.5 * dt, trend)
        second = self._solve(first.rho, (middle, span[1]), 0.5 * dt, first.trend)
        error = _error(rho, whole.rho, second.rho, self._one.widths)
        dt_next = resize(dt, error, self.tolerance, self.order)
        if error > self.tolerance:
            return None, min(dt_next, 0.9 * dt)
        cost = Cost()
        for part in (whole, first, second):
            cost.iterations += part.cost.iterations
            cost.residual = max(cost.residual, part.cost.residual)
            cost.repaired += part.cost.repaired
        if first.cost.gone is not None and second.cost.gone is not None:
            cost.gone, cost.came = first.cost.gone + second.cost.gone, first.cost.came + second.cost.came
        return Attempt(
            second.rho, cost, whole.outer + first.outer + second.outer, first.notes + second.notes, second.trend,
            order=min(first.order, second.order), work=first.work + second.work, heat=first.heat + second.heat,
        ), dt_next  # fmt: skip

    def _solve(self, rho: Array, span: tuple[float, float], dt: float, trend: DriveTrend) -> Attempt:
        if self._driven is None:
            return self._one.solve(rho, dt, trend)
        return self._driven.solve(rho, span, dt, trend)

    def _moves(self, rho: Array, t: float, dt: float) -> bool:
        """Whether a step may change a density by more than the rounding of the largest one.

        Raises SolverError where the fluxes of rho overflow: no step, however short, can then be solved.
        """
        largest = max_flux(self.flow.at(t), rho.reshape(self.flow.grid.shape))
        if not math.isfinite(largest):
            raise SolverError(
                f"no step can be solved: the flux between cells exceeds double precision where the density is "
                f"{rho.max():.6g}. Start lower, or make the internal energy less steep (a smaller exponent m)."
            )
        narrowest = min(float(axis.widths.min()) for axis in self.flow.grid.axes)
        return dt * largest / narrowest > EPS * float(rho.max())


def _error(rho: Array, whole: Array, halves: Array, widths: tuple[Array, Array]) -> float:
    """Of a whole step and of two halves of it, relative to the mass: as in strides, to the last bit."""
    return float(error_of(rho.copy(), whole.copy(), halves.copy(), widths))  # copies: those there are read-only
