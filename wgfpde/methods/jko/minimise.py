"""One JKO step of a flow by any of the algorithms, with the interaction converged and the energy law checked."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

import numpy as np

from ...energy.flow import Flow
from ...errors import CaseError, SolverError
from ...grid import Array
from ...linear.multigrid.solver import Multigrid
from ...transport.benamou_brenier.operators import Staggering
from .convex import ConvexStep
from .drive import Driven, solve_driven
from .exact.exact_solver import ExactSolver
from .exact.solution import ExactSolution
from .method import FALLBACK_GAP, FALLBACK_STEPS
from .newton import MAX_ITERATIONS, NewtonSolver, Solution, compile_rare
from .predicted.prediction import Predictor
from .solved_step import Step

T = TypeVar("T")
MAX_PDHG_ITERATIONS = 20_000
FINEST = 1e-12
"""Gap of the convex steps of which the outer iteration takes differences."""
ENERGY_NOISE = 1e-13
"""Relative rounding of the energies that a violation of the energy law must exceed."""
TIGHTER = 1e-2
"""Share of the tolerance that is sought where a step within its gap would raise the energy."""
NOT_MOVED = (
    "nothing was moved, as E falls by less than the gap of a step; "
    "if that lasts away from rest, take a smaller tolerance"
)
REMEDIES = {
    "newton": 'Take a smaller tau, a larger tolerance, or algorithm = "pdhg".',
    "pdhg": "Take a larger tolerance or max_iterations, or a smaller tau.",
    "exact": 'Take a smaller tau, a finer grid, a larger tolerance, or algorithm = "newton" or "pdhg".',
}
"""What to do about a step that is not solved, by algorithm."""


class Minimiser:
    """Solves ρ^{n+1} = argmin ½W₂²(ρ^n, ρ) + τE(ρ) for one flow; see `Jko` for the options.

    shape : (ny, nx) of the arrays.   divisible : whether shorter steps may help.   remedy : what to tell the user.
    surely : "pdhg" only, by an interior point where it takes long.
    """

    def __init__(
        self,
        flow: Flow,
        algorithm: str,
        inner_steps: int,
        tolerance: float | None,
        max_iterations: int | None,
        congestion: float | None,
        threads: int,
        surely: bool = False,
    ) -> None:
        if algorithm not in REMEDIES:
            raise CaseError(f'algorithm must be "newton", "pdhg" or "exact"; found {algorithm!r}.')
        if algorithm != "pdhg" and (inner_steps != 1 or congestion is not None):
            raise CaseError(f'algorithm = "{algorithm}" takes one inner step and no congestion; "pdhg" takes both.')
        if algorithm == "exact":
            self._asked = tolerance, max_iterations
            self._exact = ExactSolver(flow, *self._asked)
            self._fallback = None if flow.grid.dim == 1 else Minimiser(
                flow, "pdhg", FALLBACK_STEPS, FALLBACK_GAP, None, None, threads, surely=True
            )  # fmt: skip
            tolerance = self._exact.drive_tolerance
        if tolerance is None or not tolerance > 0:
            raise CaseError(f"tolerance must be positive; found {tolerance}.")
        self.flow, self.algorithm, self.inner_steps = flow, algorithm, inner_steps
        self.tolerance, self.max_iterations, self.congestion = tolerance, max_iterations, congestion
        self._largest_gap = self._exact.tolerance if algorithm == "exact" else tolerance
        self.surely, self.threads, self.stagger = surely, threads, Staggering(flow.grid, threads, flow.mobility)
        self.shape = self.stagger.shape
        self.divisible = algorithm != "pdhg"
        self.remedy = REMEDIES[algorithm]
        if algorithm == "newton":
            most, predictor = max_iterations or MAX_ITERATIONS, Predictor(flow, self.stagger)
            self._newton = NewtonSolver(Multigrid(flow.grid), self.shape, tolerance, most, predictor)

    def freeze(self, flow: Flow) -> None:
        """Take the same flow at another time for the steps to come."""
        if flow is self.flow:
            return
        if self.algorithm == "exact":
            if flow.internal != self.flow.internal:
                self._exact = ExactSolver(flow, *self._asked)
            self._exact.flow = flow
            if self._fallback is not None:
                self._fallback.freeze(flow)
        elif self.algorithm == "newton" and flow.internal != self.flow.internal:
            self._newton.predictor = Predictor(flow, self.stagger)
        self.flow = flow

    def compile_rare(self, rho: Array) -> None:
        """Call the kernels that only hard steps need, on a density of the flow's grid."""
        if self.algorithm == "exact":
            self._exact.compile_rare(rho)
            if self._fallback is not None:
                self._fallback.solve(rho.reshape(self.shape), 1e-3, {})
        if self.algorithm == "newton":
            step = ConvexStep(self.stagger, self.flow.internal, rho.reshape(self.shape), self.stagger.zeros(), 1e-3)
            compile_rare(Multigrid(self.flow.grid), step)

    def solve(self, rho0: Array, tau: float, warm: dict[str, Array]) -> Step:
        """One step from rho0 (ny, nx).  warm : "phi", "drive_rate" of the step before, where known.

        In 2D "exact" falls back to inner steps, by "pdhg" or an interior point, and their gap, where it finds no step
        of its tolerance.
        E + ½W₂²/τ at its end is not above E(rho0): where what was found is, by less than its gap, a gap of TIGHTER
        times the tolerance is sought once, and where that does not help rho0 is kept, then the better minimiser.
        Raises SolverError where the step is not solved to the tolerance, or lies higher by more than its gap.
        """
        if self.algorithm == "exact":
            try:
                step = self._exactly(rho0, tau, warm)
                return self._kept(rho0, tau, step) if self._rises(rho0, tau, step) else step
            except SolverError as error:
                if self._fallback is None:
                    raise
                step = self._fallback.solve(rho0, tau, {k: v for k, v in warm.items() if k != "phi"})
                reason = f"taken by {step.by} with {FALLBACK_STEPS} inner steps: {str(error).rstrip('.')}"
                return replace(step, note="; ".join(filter(None, (reason, step.note))))
        solve = self._by_newton if self.algorithm == "newton" else self._by_pdhg
        step = solve(rho0, tau, warm, self.tolerance)
        if not self._rises(rho0, tau, step):
            return step
        with suppress(SolverError):
            tighter = solve(rho0, tau, warm | {"phi": step.fields["phi"]}, TIGHTER * self.tolerance)
            for name in ("iterations", "linear", "outer"):
                tighter.numbers[name] += step.numbers[name]
            if not self._rises(rho0, tau, tighter):
                return tighter
            step = tighter
        return self._kept(rho0, tau, step)

    def _by_newton(self, rho0: Array, tau: float, warm: dict[str, Array], tolerance: float) -> Step:
        spent = [0, 0]

        def convex(potential: Array, last: Solution | None, tolerance: float) -> Solution:
            self._newton.tolerance = tolerance
            level = float(potential.min())
            step = ConvexStep(self.stagger, self.flow.internal, rho0, potential - level, tau)
            near = last and last.lifted(-tau * level, step.mass)
            before = warm["phi"] + tau * level if "phi" in warm else None
            with np.errstate(over="ignore", invalid="ignore"):  # in trial moves far too long, which are refused
                solution = self._newton.solve(step, before, near)
            spent[0] += solution.iterations
            spent[1] += solution.linear
            return solution.lifted(tau * level, step.mass)

        driven = self._driven(rho0, tau, warm, tolerance, convex, lambda s: (s.certificate.rho, s.certificate.scale))
        solution, proof = driven.solution, driven.solution.certificate
        numbers = {
            "iterations": spent[0], "linear": spent[1], "outer": driven.evaluations, "repaired": proof.limited,
            "residual": solution.continuity, "gap": proof.gap, "continuity": solution.continuity,
            "hamilton_jacobi": solution.hamilton_jacobi, "complementarity": solution.complementarity,
            "primal": proof.primal, "dual": proof.dual, "transport": proof.transport,
            "drive_residual": driven.residual,
        }  # fmt: skip
        return Step({"rho": proof.rho, "phi": solution.phi} | driven.fields, proof.flux_x, proof.flux_y, numbers)

    def _by_pdhg(self, rho0: Array, tau: float, warm: dict[str, Array], tolerance: float) -> Step:
        from ...transport.benamou_brenier.pdhg import PdhgResult, solve_step
        from ...transport.benamou_brenier.pdhg_cascade import EnergyStep
        from .exact.inner_steps import solve_surely

        solve = solve_surely if self.surely else solve_step
        spent = [0]
        limit, mass = self.max_iterations or MAX_PDHG_ITERATIONS, float(np.sum(self.stagger.volume * rho0))

        def convex(potential: Array, last: PdhgResult | None, tolerance: float) -> PdhgResult:
            level = float(potential.min())
            step = EnergyStep(
                self.flow.grid, rho0, self.flow.internal, potential - level, tau, self.inner_steps, self.congestion,
                self.flow.dynamics,
            )  # fmt: skip
            near = None if last is None else last.lifted(-tau * level, mass)
            result = solve(step, tolerance, limit, near, self.threads)
            spent[0] += result.iterations
            return result.lifted(tau * level, mass)

        driven = self._driven(rho0, tau, warm, tolerance, convex, lambda result: (result.rho, result.scale))
        result = driven.solution
        numbers = {
            "iterations": spent[0], "linear": 0, "outer": driven.evaluations, "repaired": 0,
            "residual": result.continuity, "gap": result.gap, "continuity": result.continuity,
            "hamilton_jacobi": result.hamilton_jacobi, "complementarity": np.nan,
            "primal": result.primal, "dual": result.dual, "transport": result.transport,
            "drive_residual": driven.residual,
        }  # fmt: skip
        hx, hy = self.stagger.hx[None, :], self.stagger.hy[:, None]
        flux_x, flux_y = hy * result.momentum_x.mean(axis=0), hx * result.momentum_y.mean(axis=0)
        fields = {"rho": result.rho, "phi": result.phi[-1]} | driven.fields
        return Step(fields, flux_x, flux_y, numbers, by=result.found_by)

    def _exactly(self, rho0: Array, tau: float, warm: dict[str, Array]) -> Step:
        spent = [0, 0]

        def convex(potential: Array, last: ExactSolution | None, tolerance: float) -> ExactSolution:
            solution = self._exact.solve(rho0, potential, tau, warm.get("phi") if last is None else last.phi)
            spent[0] += solution.iterations
            spent[1] += solution.linear
            return solution

        driven = self._driven(rho0, tau, warm, self.tolerance, convex, lambda s: (s.rho.reshape(self.shape), s.scale))
        found, none = driven.solution, self.stagger.zeros()
        numbers = {
            "iterations": spent[0], "linear": spent[1], "outer": driven.evaluations, "repaired": 0,
            "residual": np.nan_to_num(found.backward), "gap": found.gap, "continuity": np.nan,
            "hamilton_jacobi": np.nan, "complementarity": np.nan, "primal": found.primal, "dual": found.dual,
            "transport": found.transport, "drive_residual": driven.residual, "backward_error": found.backward,
        }  # fmt: skip
        fields = {"rho": found.rho.reshape(self.shape), "phi": found.phi.reshape(self.shape)} | driven.fields
        return Step(fields, none, none, numbers)

    def _driven(
        self,
        rho0: Array,
        tau: float,
        warm: dict[str, Array],
        tolerance: float,
        convex: Callable[[Array, T | None, float], T],
        end: Callable[[T], tuple[Array, float]],
    ) -> Driven[T]:
        """The convex step, or the outer iteration of convex steps where there is an interaction."""
        if self.flow.interaction is None:
            potential = np.zeros(self.shape) if self.flow.potential is None else self.flow.potential.reshape(self.shape)
            return Driven(convex(potential, None, tolerance), np.nan, 0, {})
        before = self.flow.interaction.apply(rho0.reshape(self.flow.grid.shape)).reshape(self.shape)
        rate = warm.get("drive_rate")
        finest = FINEST if self.algorithm == "newton" else None
        return solve_driven(self.flow, tau, before, rate, tolerance, convex, end, finest)

    def _rises(self, rho0: Array, tau: float, step: Step) -> bool:
        """Whether E(ρ) + ½W₂²/τ exceeds E(ρ⁰) by more than rounding.

        A start above the bound on ρ is no competitor, and its first step may raise the energy.
        """
        if self.congestion is not None and float(rho0.max()) > self.congestion * (1.0 + 1e-9):
            return False
        before, after = self._parts(rho0), (*self._parts(step.rho), step.numbers["transport"] / tau)
        return sum(after) > sum(before) + ENERGY_NOISE * sum(abs(part) for part in (*before, *after))

    def _kept(self, rho0: Array, tau: float, step: Step) -> Step:
        """The step that stays at ρ⁰, whose value is below that found and above the same dual bound.

        With W the bound is that of the potential V + W∗ρ frozen for the step, and so is the value of ρ⁰.  Where no gap
        is known, ρ⁰ may lie below what was found by the backward error of that, over the size of the energies.
        Raises SolverError where what is open at ρ⁰ is above what may be left open, as W need not be convex.
        """
        before, numbers = self._parts(rho0), step.numbers
        after = (*self._parts(step.rho), numbers["transport"] / tau)
        rise = sum(after) - sum(before)
        volume, change = self.stagger.volume, rho0 - step.rho
        bent = 0.0
        if self.flow.interaction is not None:  # ½∬W(ρ⁰ − ρ)(ρ⁰ − ρ), which freezing W∗ρ leaves out
            image = self.flow.interaction.apply(change.reshape(self.flow.grid.shape)).reshape(self.shape)
            bent = 0.5 * float(np.sum(np.sum(volume * change * image, axis=-1)))
        primal, backward = numbers["primal"] - tau * (rise + bent), numbers.get("backward_error", 0.0)
        scale = (numbers["primal"] - numbers["dual"]) / numbers["gap"] if numbers["gap"] > 0.0 else 0.0
        gap = max(primal - numbers["dual"], 0.0) / scale if scale > 0.0 else 0.0 * numbers["gap"]
        name, left, most = "gap", gap, self._largest_gap + backward
        if np.isnan(gap):
            name, left, most = "backward error", rise / sum(abs(part) for part in (*before, *after)), backward
        if left > most + np.nan_to_num(numbers["drive_residual"]):
            raise SolverError(
                f"the step of tau = {tau:.3g} raises its own objective: E + transport/tau goes from {sum(before):.10g} "
                f"to {sum(after):.10g}, and staying is no minimum either, its {name} being {left:.2g} "
                "(W may not be convex at this step size)"
            )
        numbers = numbers | {"primal": primal, "gap": gap, "transport": 0.0, "continuity": 0.0, "repaired": 0}
        fields = step.fields | {"rho": rho0}
        if "drive_rate" in fields:
            fields["drive_rate"] = np.zeros(self.shape)
        still = np.zeros(self.shape)
        return Step(fields, still, still, numbers, NOT_MOVED, step.by)

    def _parts(self, rho: Array) -> tuple[float, ...]:
        return self.flow.parts(rho.reshape(self.flow.grid.shape))
