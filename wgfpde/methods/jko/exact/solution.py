"""What an exact step hands back, in one and in two dimensions, and what its numbers are relative to."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ....energy.flow import Flow
from ....errors import SolverError
from ....grid import Array
from ....transport.benamou_brenier.gap_scale import scale_of_gap
from ....transport.benamou_brenier.operators import Staggering


@dataclass(frozen=True)
class ExactSolution:
    """A solved step.   rho, phi : arrays of the grid's shape.

    gap : of primal and dual value over `scale`, where both are known exactly (1D), else NaN.
    backward : ‖ρ⁰ − T_#ρ‖₁/mass of the map T = y − ∇φ, NaN where the gap says more (1D).
    primal, dual, transport : ½W₂² + τE, its lower bound by the c-transform of φ, and ½W₂².   moved : Σ|ρ − ρ⁰|/mass.
    iterations, linear : of Newton's method and of conjugate gradients.   note : "" or what was unusual.
    """

    rho: Array
    phi: Array
    gap: float
    backward: float
    primal: float
    dual: float
    transport: float
    scale: float
    iterations: int
    linear: int
    note: str = ""


class Problem:
    """One convex step: minimise ½W₂²(ρ⁰, ·) + τ(∫U + ∫Φ·), Φ given up to a constant.

    flow : its internal energy and grid are used.   rho0, potential : arrays of the grid's shape.   tau : > 0.
    tau_v : τ(Φ − min Φ).   c : τκ.
    """

    def __init__(self, flow: Flow, rho0: Array, potential: Array, tau: float) -> None:
        self.flow, self.internal, self.rho0, self.tau = flow, flow.internal, rho0, tau
        self.level = tau * float(potential.min())
        self.tau_v = tau * potential - self.level
        self.c = tau * flow.internal.kappa
        self.mass = flow.mass(rho0)
        self.faces = Staggering(flow.grid)

    @property
    def logs(self) -> bool:
        """Whether ρ⁰ is interpolated by its logarithm: where no cell is empty."""
        return self.internal.law.linear_diffusion

    @cached_property
    def source(self) -> Array:
        """What ρ⁰ is interpolated from."""
        return np.log(np.maximum(self.rho0, 1e-300)) if self.logs else self.rho0

    def starting_from(self, rho0: Array) -> Problem:
        """The same step from another density."""
        other = copy(self)
        other.__dict__.pop("source", None)
        other.rho0, other.mass = rho0, self.flow.mass(rho0)
        return other

    def on(self, flow: Flow, moved: Callable[[Array], Array]) -> Problem:
        """The same step on another grid.   moved : what takes arrays there."""
        other = copy(self)
        other.flow, other.tau_v, other.faces = flow, moved(self.tau_v), Staggering(flow.grid)
        return other.starting_from(moved(self.rho0))

    def energy(self, rho: Array) -> float:
        """τE, with Φ from its minimum on."""
        return self.tau * self.flow.integral(self.internal.density(rho)) + self.flow.integral(self.tau_v * rho)

    def scale(self, rho: Array, transport: float) -> float:
        """What the gap is relative to, as for the other algorithms: see `gap_scale`."""
        law, shape = (self.internal.code, self.c, self.internal.m), self.faces.shape
        return scale_of_gap(self.faces, rho.reshape(shape), self.tau_v.reshape(shape), law, transport)

    def size(self, rho: Array) -> float:
        """τ(∫|p(ρ)| + ∫(Φ − min Φ)ρ): of terms whose sum is rounded."""
        pressure = self.flow.integral(np.abs(self.internal.law.pressure(rho, self.internal)))
        return self.tau * pressure + self.flow.integral(self.tau_v * rho)

    def failure(self, reason: str) -> SolverError:
        return SolverError(f"the exact JKO step of tau = {self.tau:.3g} was not found: {reason}")
