"""Time stepping of the finite-volume scheme: fixed or adaptive steps, the energy law, and the interaction.

One step solves ρ' = S_dt(ρ; Φ) with Φ = V + W∗½(ρ + ρ').  Then

    E(ρ') − E(ρ) = ∫U(ρ') − ∫U(ρ) + ⟨Φ, ρ' − ρ⟩ ≤ 0,

because ½⟨ρ', Wρ'⟩ − ½⟨ρ, Wρ⟩ = ⟨W½(ρ + ρ'), ρ' − ρ⟩ for symmetric W of any sign, and S lowers ∫U + ∫Φρ for frozen Φ.
Φ is frozen over all sweeps of the step, so that one convolution an outer iteration is enough; being the mean of both
ends it keeps order 2.  The iteration ρ' ↦ Φ ↦ ρ' contracts like dt; Anderson mixing speeds it up, and where it does not
converge the step is shortened.

A second-order step that raises the energy is redone with every line guarded (module `limiter`), and if that is not
enough, at first order, where the law holds for every dt.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from ..errors import CaseError, SolverError
from ..flow import Flow, Report, Snapshot
from ..grid import Array
from .anderson import Anderson
from .blocks import default_threads, share
from .limiter import EPS, KIND_CODES, energy_rows
from .schemes import Cost, DriftScheme, EntropyScheme, PowerScheme, Scheme, make_axes, split_step

MAX_OUTER = 40
OUTER_TOLERANCE = 1e-13
SHRINK = 0.3
GROW = 2.5
MIN_STEP = 1e-12
"""Smallest step tried, relative to the step asked for."""


class _StepFailure(Exception):
    """A step of this size cannot be solved; a shorter one may."""


@dataclass
class _Attempt:
    rho: Array
    cost: Cost
    outer: int = 0
    notes: tuple[str, ...] = ()


class FiniteVolumes:
    """The finite-volume stepper.

    flow : energy on a grid.   order : 1 or 2, in time.   dt : fixed step > 0, or "adaptive".
    tolerance : adaptive steps keep ‖ρ_{dt/2,dt/2} − ρ_dt‖₁ ≤ tolerance · mass, and keep the better of the two.
    first_dt : first adaptive step.   threads : default all cores.

    Preserves for every dt: mass, ρ ≥ 0, E never up, the Gibbs state.  Order: 2 in space, `order` in time.
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
        grid = flow.grid
        self._rows = (1, grid.size) if grid.dim == 1 else grid.shape
        self._axes = make_axes(flow)
        self._scheme = _make_scheme(flow, self._axes, self.threads)
        self._kind = KIND_CODES[flow.internal.kind]
        self._widths_x = np.ascontiguousarray(grid.x.widths)
        self._widths_y = np.ones(1) if grid.dim == 1 else np.ascontiguousarray(grid.y.widths)
        base = np.zeros(grid.shape) if flow.potential is None else flow.potential
        self._potential = np.ascontiguousarray(base).reshape(self._rows)
        self._prepared = False
        self._known_energy: tuple[Array, tuple[float, float]] | None = None
        self._known_drive: tuple[Array, Array, Array] | None = None

    def step(self, snapshot: Snapshot, t_next: float) -> Snapshot:
        """One accepted step from `snapshot`, never past t_next and landing on it exactly.

        Raises SolverError when no step could be solved; the snapshot given is then the last good state.
        """
        rho = np.ascontiguousarray(snapshot.rho, dtype=float).reshape(self._rows)
        asked, lands = self._propose(snapshot, t_next)
        dt, rejected, reason = asked, 0, ""
        while True:
            try:
                attempt, dt_next = self._try(rho, dt)
            except _StepFailure as failure:
                reason = str(failure)
                attempt, dt_next = None, SHRINK * dt
            if attempt is not None:
                break
            rejected += 1
            dt, lands = dt_next, False
            if dt < MIN_STEP * asked or snapshot.t + dt == snapshot.t:
                raise SolverError(
                    f"no step could be solved at t = {snapshot.t:.10g}: {reason or 'the step error stays too large'}; "
                    f"tried {rejected} steps from {asked:.3g} down to {dt:.3g}."
                )
        notes = list(attempt.notes)
        if reason:
            notes.append(f"step shortened from {asked:.3g} to {dt:.3g}: {reason}")
        report = Report(
            iterations=attempt.cost.iterations,
            residual=attempt.cost.residual,
            outer=attempt.outer,
            repaired=attempt.cost.repaired,
            rejected=rejected,
            note="; ".join(notes),
        )
        if self.adaptive:
            wish = max(dt_next, snapshot.dt_next) if lands and not rejected else dt_next
        else:
            wish = GROW * dt if rejected or 0 < snapshot.dt_next < self.dt else 0.0
        attempt.rho.flags.writeable = False  # a snapshot is a record; what is remembered of it stays true
        return Snapshot(
            t=t_next if lands else snapshot.t + dt,
            step=snapshot.step + 1,
            fields={**snapshot.fields, "rho": attempt.rho.reshape(self.flow.grid.shape)},
            dt=dt,
            dt_next=wish,
            report=report,
        )

    def _propose(self, snapshot: Snapshot, t_next: float) -> tuple[float, bool]:
        """The step to try first and whether it lands on t_next; equal steps fill the way to t_next."""
        remaining = t_next - snapshot.t
        if not remaining > 0:
            raise SolverError(f"the next time {t_next} must lie after the present one {snapshot.t}.")
        if self.adaptive:
            wish = snapshot.dt_next or self.first_dt or remaining / 100
        else:
            wish = min(self.dt, snapshot.dt_next) if snapshot.dt_next > 0 else self.dt
        count = math.ceil(remaining / wish * (1 - 1e-9)) if math.isfinite(remaining / wish) else 2
        if self.adaptive and count > 2:
            return wish, False
        return remaining / max(count, 1), count <= 1

    def _try(self, rho: Array, dt: float) -> tuple[_Attempt | None, float]:
        """One step and the size of the next; None and a shorter size where an adaptive step errs too much."""
        if not self.adaptive:
            return self._solve(rho, dt), 0.0
        whole = self._solve(rho, dt)
        first = self._solve(rho, 0.5 * dt)
        second = self._solve(first.rho, 0.5 * dt)
        mass = self._integral(rho)
        error = self._integral(np.abs(second.rho - whole.rho)) / mass
        factor = 0.8 * (self.tolerance / max(error, 1e-300)) ** (1.0 / (self.order + 1))
        dt_next = dt * min(GROW, max(0.2, factor))
        if error > self.tolerance:
            return None, min(dt_next, 0.9 * dt)
        cost = Cost()
        for part in (whole, first, second):
            cost.iterations += part.cost.iterations
            cost.residual = max(cost.residual, part.cost.residual)
            cost.repaired += part.cost.repaired
        outer = whole.outer + first.outer + second.outer
        return _Attempt(second.rho, cost, outer, first.notes + second.notes), dt_next

    def _solve(self, rho: Array, dt: float) -> _Attempt:
        """One step of the wanted order that keeps the energy law; raises _StepFailure."""
        modes = [(1, False)] if self.order == 1 else [(2, False), (2, True), (1, False)]
        notes: tuple[str, ...] = ()
        for order, guard in modes:
            attempt = self._advance(rho, dt, order, guard)
            if self._dissipates(rho, attempt.rho):
                return replace(attempt, notes=notes + attempt.notes)
            notes = (
                ("energy law enforced line by line",)
                if not guard
                else ("step taken at first order to keep the energy law",)
            )
        raise _StepFailure("the energy rose")

    def _advance(self, rho: Array, dt: float, order: int, guard: bool) -> _Attempt:
        """One step in the converged potential V + W∗½(ρ + ρ')."""
        if self.flow.interaction is None:
            if not self._prepared:
                self._phi = self._potential
                self._scheme.prepare(self._phi)
                self._prepared = True
            out, cost = split_step(self._scheme, self._axes, rho, dt, order, guard)
            if cost.failed:
                raise _StepFailure("the implicit solve did not converge")
            return _Attempt(out, cost)
        before, drive = self._drives(rho, dt)
        mixer = Anderson()
        smallest, total = math.inf, Cost()
        for outer in range(1, MAX_OUTER + 1):
            self._phi = self._potential + 0.5 * (before + drive)
            self._scheme.prepare(self._phi)
            out, cost = split_step(self._scheme, self._axes, rho, dt, order, guard)
            if cost.failed:
                raise _StepFailure("the implicit solve did not converge")
            total.iterations += cost.iterations
            total.repaired = cost.repaired
            total.residual = cost.residual
            after = self._interact(out)
            scale = float(np.max(np.abs(after))) + float(np.max(np.abs(before)))
            change = float(np.max(np.abs(after - drive)))
            if not math.isfinite(change):
                raise _StepFailure("the density became infinite or undefined")
            if change <= OUTER_TOLERANCE * scale:
                out.flags.writeable = False
                self._known_drive = (out, after, (after - before) / dt)
                return _Attempt(out, total, outer)
            if outer > 6 and change > 1e3 * smallest:
                break
            smallest = min(smallest, change)
            drive = mixer.mix(drive, after)
        raise _StepFailure(
            f"the iteration on W∗ρ did not converge (change {change / scale:.1e} after {outer} convolutions)"
        )

    def _drives(self, rho: Array, dt: float) -> tuple[Array, Array]:
        """W∗ρ and a guess of it one step later, both remembered from the step that made ρ."""
        if self._known_drive is not None and _same(self._known_drive[0], rho):
            _, drive, rate = self._known_drive
            return drive, drive + dt * rate
        drive = self._interact(rho)
        return drive, drive

    def _interact(self, rho: Array) -> Array:
        assert self.flow.interaction is not None
        return self.flow.interaction.apply(rho.reshape(self.flow.grid.shape)).reshape(self._rows)

    def _dissipates(self, old: Array, new: Array) -> bool:
        """Whether ∫U + ∫Φρ has not risen, up to the rounding of the two sums; raises _StepFailure if it is infinite."""
        if self.flow.interaction is None and self._known_energy is not None and _same(self._known_energy[0], old):
            before = self._known_energy[1]
        else:
            before = self._energy(old)
        after = self._energy(new)
        if not math.isfinite(after[0]):
            raise _StepFailure("the density became infinite or undefined")
        self._known_energy = (new, after)
        return after[0] - before[0] <= 16 * EPS * (after[1] + before[1])

    def _energy(self, rho: Array) -> tuple[float, float]:
        """∫U(ρ) + ∫Φρ in the present Φ, and the sum of absolute values that bounds its rounding."""
        rows = rho.shape[0]
        energy, scale = np.empty(rows), np.empty(rows)
        internal = self.flow.internal
        share(
            energy_rows, rows, rho.size, self.threads,
            rho, self._phi, self._widths_x, self._widths_y, self._kind, internal.kappa, internal.m, energy, scale,
        )  # fmt: skip
        return float(energy.sum()), float(scale.sum())

    def _integral(self, values: Array) -> float:
        return self.flow.integral(values.reshape(self.flow.grid.shape))


def _same(a: Array, b: Array) -> bool:
    """Whether two read-only arrays are the same memory."""
    return a.ctypes.data == b.ctypes.data and not b.flags.writeable


def _make_scheme(flow: Flow, axes: list, threads: int) -> Scheme:
    if flow.internal.kind == "entropy":
        return EntropyScheme(flow, axes, threads)
    if flow.internal.kind == "none":
        return DriftScheme(flow, axes, threads)
    return PowerScheme(flow, axes, threads)
