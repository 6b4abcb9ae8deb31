"""Numbers that every run records: one per snapshot and name.

A diagnostic is a function of a `State` (flow, snapshot, exact solution) that returns a float.  The decorator
names its units and says where it applies; the order below is the order in the file.  What several diagnostics
share — mass, the energies with their one W∗ρ, moments — is computed once per State.

Integrals are midpoint sums Σ h f(x_i) ρ_i over the cell averages, as in the discrete energy.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .. import fv, transport
from ..energy import Energy
from ..errors import CaseError, SolverError
from ..flow import Flow, Snapshot
from ..grid import Array, Grid


@dataclass(frozen=True)
class State:
    """What a diagnostic may look at.

    exact : cell values of the exact solution at this time, or None.   previous : the density of the snapshot before, or
    None for the first.
    """

    flow: Flow
    snapshot: Snapshot
    exact: Array | None = None
    previous: Array | None = None

    @property
    def rho(self) -> Array:
        return self.snapshot.rho

    @cached_property
    def mass(self) -> float:
        return self.flow.mass(self.rho)

    @cached_property
    def parts(self) -> tuple[float, float, float]:
        return self.flow.parts(self.rho)

    @cached_property
    def error(self) -> Array:
        return np.abs(self.rho - self.exact)

    @cached_property
    def log_rho(self) -> Array:
        """ln ρ, 0 where ρ = 0."""
        return np.log(np.where(self.rho > 0, self.rho, 1.0))

    @cached_property
    def marginals(self) -> tuple[Array, ...]:
        """The mass in each slice of cells along each axis, x first; moments are sums over these."""
        axes = self.flow.grid.axes
        if len(axes) == 1:
            return (axes[0].widths * self.rho,)
        x, y = axes
        return x.widths * np.sum(y.widths[:, None] * self.rho, axis=0), y.widths * np.sum(x.widths * self.rho, axis=1)

    @cached_property
    def means(self) -> tuple[float, ...]:
        """Centre of mass per axis, x first."""
        return tuple(self.mean(i, axis.centers) for i, axis in enumerate(self.flow.grid.axes))

    def mean(self, i: int, values: Array) -> float:
        """∫ f(x_i) ρ / ∫ ρ along axis i; NaN without mass.   values : f at the cell centres of that axis."""
        return float(np.sum(values * self.marginals[i])) / self.mass if self.mass else np.nan

    def variance(self, i: int) -> float:
        """∫ (x_i − ⟨x_i⟩)² ρ / ∫ ρ."""
        return self.mean(i, (self.flow.grid.axes[i].centers - self.means[i]) ** 2)

    @cached_property
    def covariance(self) -> float:
        """∫ (x − ⟨x⟩)(y − ⟨y⟩) ρ / ∫ ρ."""
        x, y = ((axis.centers - mean) * axis.widths for axis, mean in zip(self.flow.grid.axes, self.means, strict=True))
        return float(np.sum(y * np.sum(x * self.rho, axis=1))) / self.mass if self.mass else np.nan

    def order(self, i: int) -> float:
        """|∫ ρ e^{2πi x/L}| / ∫ ρ along axis i: 0 for a uniform state, 1 for a point mass."""
        axis = self.flow.grid.axes[i]
        angle = (2 * np.pi / axis.length) * (axis.centers - axis.lower)
        return float(np.hypot(self.mean(i, np.cos(angle)), self.mean(i, np.sin(angle))))


@dataclass(frozen=True)
class Diagnostic:
    """A named number; `applies(flow, has_exact)` says where it is recorded, `on_request` where it may be asked for."""

    name: str
    units: str
    long_name: str
    description: str
    value: Callable[[State], float]
    applies: Callable[[Flow, bool], bool]
    on_request: Callable[[Flow, bool], bool]


REGISTRY: dict[str, Diagnostic] = {}


def everywhere(flow: Flow, has_exact: bool) -> bool:
    return True


def nowhere(flow: Flow, has_exact: bool) -> bool:
    return False


def in_1d(flow: Flow, has_exact: bool) -> bool:
    return flow.grid.dim == 1


def in_2d(flow: Flow, has_exact: bool) -> bool:
    return flow.grid.dim == 2


def in_2d_uniform(flow: Flow, has_exact: bool) -> bool:
    return flow.grid.dim == 2 and flow.grid.uniform


def with_exact(flow: Flow, has_exact: bool) -> bool:
    return has_exact


def with_gibbs(flow: Flow, has_exact: bool) -> bool:
    return flow.has_gibbs


def periodic(i: int) -> Callable[[Flow, bool], bool]:
    def applies(flow: Flow, has_exact: bool) -> bool:
        return i < flow.grid.dim and flow.grid.axes[i].periodic

    return applies


def diagnostic(
    long_name: str,
    units: str = "1",
    applies: Callable[[Flow, bool], bool] = everywhere,
    on_request: Callable[[Flow, bool], bool] = nowhere,
) -> Callable[[Callable[[State], float]], Callable[[State], float]]:
    """Register a function of a State under its name (less a trailing _); its docstring is the description."""

    def register(function: Callable[[State], float]) -> Callable[[State], float]:
        name = function.__name__.rstrip("_")
        text = " ".join((function.__doc__ or "").split())
        REGISTRY[name] = Diagnostic(name, units, long_name, text, function, applies, on_request)
        return function

    return register


def chosen(flow: Flow, has_exact: bool, requested: Sequence[str] = ()) -> tuple[Diagnostic, ...]:
    """The diagnostics of a run, in the order of the file: all that apply, and those asked for.

    Raises CaseError for a name that is unknown or makes no sense here.
    """
    for name in requested:
        if name not in REGISTRY:
            near = difflib.get_close_matches(name, REGISTRY, n=1)
            hint = f'did you mean "{near[0]}"? ' if near else ""
            raise CaseError(f'there is no diagnostic "{name}"; {hint}Known: {", ".join(REGISTRY)}')
        known = REGISTRY[name]
        if not (known.applies(flow, has_exact) or known.on_request(flow, has_exact)):
            raise CaseError(f'"{name}" ({known.long_name}) has no meaning for this case; leave it out')
    return tuple(d for d in REGISTRY.values() if d.applies(flow, has_exact) or d.name in requested)


def compute(
    flow: Flow,
    snapshot: Snapshot,
    exact: Callable[[float], Array] | None = None,
    previous: Array | None = None,
    which: Sequence[Diagnostic] | None = None,
) -> dict[str, float]:
    """Diagnostics of a snapshot, by default all that apply.

    exact : t ↦ cell values, array of the grid's shape.   previous : the density of the snapshot before.
    """
    state = State(flow, snapshot, None if exact is None else exact(snapshot.t), previous)
    which = chosen(flow, exact is not None) if which is None else which
    return {d.name: float(d.value(state)) for d in which}


def warm_up(flow: Flow) -> None:
    """Compile, or load, the kernels that diagnostics of this kind of flow call: once, on four cells per axis."""
    grid = flow.grid
    cube = [0.0] * grid.dim, [1.0] * grid.dim, [4] * grid.dim
    small = Flow(Grid(*cube, [axis.periodic for axis in grid.axes]), Energy(flow.internal))
    fv.dissipation(small, np.ones(small.grid.shape))


@diagnostic("mass")
def mass(s: State) -> float:
    """Total mass, the integral of rho; conserved."""
    return s.mass


@diagnostic("energy")
def energy(s: State) -> float:
    """Energy E = int U(rho) + int V rho + 1/2 iint W rho rho; never rises."""
    return float(sum(s.parts))


@diagnostic("internal energy")
def energy_internal(s: State) -> float:
    """Internal energy, int U(rho)."""
    return s.parts[0]


@diagnostic("potential energy")
def energy_potential(s: State) -> float:
    """Potential energy, int V rho."""
    return s.parts[1]


@diagnostic("interaction energy")
def energy_interaction(s: State) -> float:
    """Interaction energy, 1/2 iint W(x-y) rho(x) rho(y)."""
    return s.parts[2]


@diagnostic("dissipation")
def dissipation(s: State) -> float:
    """Rate of energy loss of the semi-discrete flow, int rho |grad xi|^2; inf where entropy meets vacuum."""
    return fv.dissipation(s.flow, s.rho)


@diagnostic("smallest density")
def min_(s: State) -> float:
    """Smallest cell average of rho; never negative."""
    return float(s.rho.min())


@diagnostic("largest density")
def max_(s: State) -> float:
    """Largest cell average of rho."""
    return float(s.rho.max())


@diagnostic("mean x")
def mean_x(s: State) -> float:
    """Centre of mass in x; on a periodic axis, of the box as drawn."""
    return s.means[0]


@diagnostic("mean y", applies=in_2d)
def mean_y(s: State) -> float:
    """Centre of mass in y; on a periodic axis, of the box as drawn."""
    return s.means[1]


@diagnostic("variance in x")
def variance_x(s: State) -> float:
    """Variance of x under rho/mass."""
    return s.variance(0)


@diagnostic("variance in y", applies=in_2d)
def variance_y(s: State) -> float:
    """Variance of y under rho/mass."""
    return s.variance(1)


@diagnostic("covariance of x and y", applies=in_2d)
def covariance_xy(s: State) -> float:
    """Covariance of x and y under rho/mass."""
    return s.covariance


@diagnostic("second moment")
def second_moment(s: State) -> float:
    """int |x|^2 rho, about the origin and not divided by the mass."""
    axes = s.flow.grid.axes
    return float(sum(np.sum(axis.centers**2 * mass) for axis, mass in zip(axes, s.marginals, strict=True)))


@diagnostic("order parameter in x", applies=periodic(0))
def order_x(s: State) -> float:
    """Modulus of the first circular moment in x: 0 for a uniform state, 1 for a point mass."""
    return s.order(0)


@diagnostic("order parameter in y", applies=periodic(1))
def order_y(s: State) -> float:
    """Modulus of the first circular moment in y: 0 for a uniform state, 1 for a point mass."""
    return s.order(1)


@diagnostic("entropy")
def entropy(s: State) -> float:
    """int rho ln rho, with 0 ln 0 = 0; lower is more spread out."""
    return s.flow.integral(s.rho * s.log_rho)


@diagnostic("Kullback-Leibler divergence", applies=with_gibbs)
def kl_gibbs(s: State) -> float:
    """Kullback-Leibler divergence to the Gibbs state pi of the same mass, int rho ln(rho/pi) - rho + pi."""
    pi = s.mass * s.flow.unit_gibbs[0]
    log_pi = s.flow.unit_gibbs[1] + np.log(s.mass)
    return s.flow.integral(relative_entropy_density(s.rho, s.log_rho, pi, log_pi))


@diagnostic("L1 error", applies=with_exact)
def error_l1(s: State) -> float:
    """int |rho - exact|."""
    return s.flow.integral(s.error)


@diagnostic("L2 error", applies=with_exact)
def error_l2(s: State) -> float:
    """Square root of int (rho - exact)^2."""
    return float(np.sqrt(s.flow.integral(s.error**2)))


@diagnostic("largest error", applies=with_exact)
def error_linf(s: State) -> float:
    """Largest |rho - exact| over the cells."""
    return float(s.error.max())


W2_OPTIONS = {"inner_steps": 4, "tolerance": 1e-3, "max_iterations": 2000}
"""For `w2_previous` in 2D.  Snapshots near each other need no such iterations; others are left out after so many."""


@diagnostic("Wasserstein distance to the previous snapshot", applies=in_1d, on_request=in_2d_uniform)
def w2_previous(s: State) -> float:
    """Wasserstein distance W2 between this snapshot and the one before, 0 at the start; NaN where it was not found."""
    if s.previous is None:
        return 0.0
    try:
        return transport.w2(s.flow.grid, s.previous, s.rho, **W2_OPTIONS)
    except (CaseError, SolverError):  # no mass, or no convergence: the run goes on
        return np.nan


SERIES = [1 / (k * (k - 1)) for k in range(2, 10)]


def relative_entropy_density(rho: Array, log_rho: Array, pi: Array, log_pi: Array) -> Array:
    """ρ ln(ρ/π) − ρ + π ≥ 0, elementwise, accurate also where ρ ≈ π.

        π f(u),   u = (ρ − π)/π,   f(u) = (1+u) ln(1+u) − u = Σ_{k≥2} (−u)^k / (k(k−1))     for |u| ≤ 1e-2

    rho, log_rho, pi, log_pi : arrays of one shape; log_pi is given because π may underflow.  The value at ρ = 0 is π.
    Eight terms of the series leave a relative error below 1e-16 there; the plain formula would leave eps/u.
    """
    plain = rho * (log_rho - log_pi) - rho + pi
    near = (np.abs(rho - pi) <= 1e-2 * pi) & (pi > 0)
    v = np.divide(pi - rho, pi, out=np.zeros_like(pi), where=near)
    series = np.full_like(v, SERIES[-1])
    for coefficient in SERIES[-2::-1]:  # in place: a third of the time of polyval on large grids
        series *= v
        series += coefficient
    series *= v
    series *= v
    series *= pi
    return np.where(near, series, plain)
