"""Time stepping by the JKO scheme: every accepted step is a minimisation with its certificate.

    ρ^{n+1} = argmin_ρ ½W₂²(ρ^n, ρ) + τE(ρ)

Of an energy that depends on time each step takes that of its end: work at ρ^n from E_n to E_{n+1}, then the
minimisation, so that E_{n+1}(ρ^{n+1}) + ½W₂²/τ ≤ E_{n+1}(ρ^n) = E_n(ρ^n) + W.

A step that cannot be solved is taken in halves, and the report says so.  What the next step starts from, the dual
potential φ and the rate of W∗ρ, travels in the snapshot.
"""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import replace

import numpy as np

from ...energy.driving.work import entered, heat_between, work_between
from ...energy.flow import Flow, small_flow
from ...energy.snapshot import Snapshot
from ...errors import CaseError, SolverError
from ...grid import Array
from ...linear.threads import default_threads
from .extrapolation import extrapolate
from .minimise import Minimiser
from .solved_step import Step

SHORTEST = 2.0**-10
"""Smallest step tried, relative to tau."""

NOT_SOLVED = "steps that could not be solved"


class Jko:
    """The JKO stepper.

    flow : energy on a grid.   tau : step > 0.
    algorithm : "newton" (one inner step), "pdhg" (inner_steps ≥ 1, uniform axes) or "exact" (W₂ itself, no inner steps;
    in 2D uniform axes, the entropy or m > 1).
    tolerance : relative primal–dual gap of each step; of "exact" in 2D its backward error.
    max_iterations : of the algorithm, for one convex step.
    congestion : upper bound on ρ (pdhg).   scheme : "jko", first order in τ, or "extrapolated", second.

    Preserves for every τ: mass, ρ ≥ 0, and E(ρ^{n+1}) + ½W₂²/τ ≤ E(ρ^n) up to the gap ("extrapolated": E never up;
    driven: E(ρ^n) + W, see above).
    Order: 2 in space, 1 or 2 in τ.   Source: Jordan, Kinderlehrer, Otto (1998), DOI 10.1137/S0036141096303359.
    Raises CaseError for options out of range; `step` raises SolverError when no step, however short, can be solved.
    """

    def __init__(
        self,
        flow: Flow,
        tau: float,
        algorithm: str = "newton",
        inner_steps: int = 1,
        tolerance: float | None = None,
        max_iterations: int | None = None,
        congestion: float | None = None,
        scheme: str = "jko",
        threads: int | None = None,
    ) -> None:
        if not (math.isfinite(tau) and tau > 0):
            raise CaseError(f"tau must be positive; found {tau}.")
        if flow.exits:
            raise CaseError(
                f"a JKO step moves all of the mass: it takes no walls that mass may pass and no sinks; found "
                f'{", ".join(flow.exits)}. Take method = "fv".'
            )
        if flow.internal.code is None:
            raise CaseError(
                f'solver.method: "jko" cannot step the internal energy "{flow.internal.kind}", which is given by '
                'functions of arrays; take method = "fv".'
            )
        if flow.grid.radial > 1:
            raise CaseError('solver.method: "jko" steps densities on plain axes, not on a radius; take method = "fv".')
        if scheme not in ("jko", "extrapolated"):
            raise CaseError(f'scheme must be "jko" or "extrapolated"; found {scheme!r}.')
        if scheme == "extrapolated" and algorithm == "exact":
            raise CaseError(
                'scheme = "extrapolated" combines fluxes, of which algorithm = "exact" has none; take "jko".'
            )
        if scheme == "extrapolated" and congestion is not None:
            raise CaseError('scheme = "extrapolated" does not keep a bound on the density; take scheme = "jko".')
        _check_drive(flow, scheme)
        self.flow, self.tau, self.scheme = flow, float(tau), scheme
        if tolerance is None and algorithm != "exact":
            tolerance = 1e-8
        self.options = (algorithm, inner_steps, tolerance, max_iterations, congestion)
        self.threads = threads or default_threads()
        self._minimiser = Minimiser(flow, *self.options, self.threads)

    def warm_up(self) -> None:
        """Compile, or load, every kernel that `step` calls: one step of a bump, with vacuum where the law has it, and
        what only hard steps call."""
        small = small_flow(self.flow, 32, _hill)
        cells = np.arange(small.grid.size).reshape(small.grid.shape) / small.grid.size
        bump = 1.0 + cells if self.flow.internal.law.linear_diffusion else np.maximum(cells - 0.4, 0.0)
        algorithm, inner_steps, _, _, congestion = self.options
        bound = None if congestion is None else 4.0
        tolerance = {"newton": 1e-8, "pdhg": 1e-2, "exact": None}[algorithm]
        stepper = Jko(small, 1e-3, algorithm, inner_steps, tolerance, None, bound, self.scheme, threads=1)
        with suppress(SolverError):
            stepper.step(Snapshot(t=0.0, step=0, fields={"rho": bump}), 1e-3)
        stepper._minimiser.compile_rare(bump)

    def step(self, snapshot: Snapshot, t_next: float) -> Snapshot:
        """One accepted step from `snapshot`, never past t_next and landing on it exactly.

        Raises SolverError when no step could be solved; the snapshot given is then the last good state.
        """
        tau, lands = self._propose(snapshot, t_next)
        asked, rejected, reason = tau, 0, ""
        while True:
            try:
                end = t_next if lands else snapshot.t + tau
                step = self._take(snapshot, tau, end)
                break
            except SolverError as failure:
                rejected, reason = rejected + 1, str(failure).rstrip(".")
            tau, lands = 0.5 * tau, False
            if tau < 0.99 * SHORTEST * self.tau or snapshot.t + tau == snapshot.t or not self._minimiser.divisible:
                raise SolverError(
                    f"no JKO step could be solved at t = {snapshot.t:.10g}: {reason}; tried {rejected} from "
                    f"{asked:.3g} down to {2 * tau:.3g}. {self._minimiser.remedy}"
                )
        notes = [step.note] if step.note else []
        if reason:
            notes.append(f"step shortened from {asked:.3g} to {tau:.3g}: {reason}")
        shortened = rejected > 0 or 0 < snapshot.dt_next < self.tau
        report = replace(step.report(rejected, "; ".join(notes)), limit=NOT_SOLVED if reason else "")
        fields = {name: v.reshape(self.flow.grid.shape) for name, v in step.fields.items()}
        if self.flow.driven:
            work = work_between(self._at(snapshot.t), self._at(end), snapshot.rho)
            heat = heat_between(self._at(end), snapshot.rho, fields["rho"])
            report = replace(report, more={**report.more, "work": work, "heat": heat})
            fields |= entered(snapshot.fields, work, heat)
        return Snapshot(
            t=end,
            step=snapshot.step + 1,
            fields=snapshot.fields | fields,
            dt=tau,
            dt_next=2.0 * tau if shortened and 2.0 * tau < self.tau else 0.0,
            report=report,
        )

    def _propose(self, snapshot: Snapshot, t_next: float) -> tuple[float, bool]:
        """The step to try first and whether it lands on t_next; equal steps fill the way to t_next."""
        remaining = t_next - snapshot.t
        if not remaining > 0:
            raise SolverError(f"the next time {t_next} must lie after the present one {snapshot.t}.")
        wish = min(self.tau, snapshot.dt_next) if snapshot.dt_next > 0 else self.tau
        count = math.ceil(remaining / wish * (1 - 1e-9))
        if count <= 1:
            return remaining, True
        return (wish if wish == self.tau else remaining / count), False

    def _at(self, t: float) -> Flow:
        """The flow at a time.  Raises SolverError where V, W or κ make no sense then."""
        try:
            return self.flow.at(t)
        except CaseError as error:
            raise SolverError(f"the energy at t = {t:.10g}: {error}") from error

    def _take(self, snapshot: Snapshot, tau: float, end: float) -> Step:
        self._minimiser.freeze(self._at(end))
        rho = np.ascontiguousarray(snapshot.rho, dtype=float).reshape(self._minimiser.shape)
        warm = {name: v.reshape(self._minimiser.shape) for name, v in snapshot.fields.items() if v.size == rho.size}
        ratio = tau / snapshot.dt if snapshot.dt > 0 else 1.0
        if "phi" in warm:
            warm["phi"] = warm["phi"] * ratio
        if self.scheme == "jko":
            return self._minimiser.solve(rho, tau, warm)
        return extrapolate(self._minimiser, rho, tau, warm)


def _check_drive(flow: Flow, scheme: str) -> None:
    """Refuse what steps by minimisation cannot do."""
    if flow.push is not None:
        raise CaseError('a force has no energy to be minimised; take method = "fv".')
    if "diffusion" in flow.driven:
        raise CaseError('steps by minimisation take no diffusion that depends on t; take method = "fv".')
    if flow.driven and scheme == "extrapolated":
        raise CaseError(
            'scheme = "extrapolated" takes an energy that does not depend on t: its three steps would be of three '
            'energies, and no law would hold between them. Take scheme = "jko", of first order, or method = "fv".'
        )


def _hill(x: Array, **_: Array) -> Array:
    return 0.1 * np.sin(2.0 * np.pi * x)
