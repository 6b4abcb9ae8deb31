"""A case in which one key varies: its states, its branches of states, and what a diagram of them holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ... import diagnostics
from ...base.toml import nested
from ...cases.building import build
from ...cases.energies import refuse_driving, refuse_force
from ...cases.loading import located, override
from ...cases.schema import Case
from ...energy.flow import Flow
from ...energy.laws import law_named
from ...energy.snapshot import Snapshot
from ...errors import CaseError, SolverError
from ...grid import Array, Grid
from ...grid.boundary import boundary_of
from ...methods import METHODS
from ..study_views import Shown, numbers
from .between_exits import ALL_LEAVES, REFUSAL
from .copies import apart, same
from .drive_equation import check_law
from .mean_field import Steady, corrected

JUMP = 0.5
"""Largest distance of a state from its guess, of a step along a branch."""


@dataclass(frozen=True)
class Point:
    """A state on a branch.   parameter : where.   measure : the order parameter."""

    parameter: float
    state: Steady
    measure: float


@dataclass(repr=False)
class Branch:
    """States that continue each other.   points : by the number of the value, from 0; where it ends, fractions too."""

    number: int
    points: dict[float, Point] = field(default_factory=dict)

    @property
    def line(self) -> list[Point]:
        """The points in the order of the values."""
        return [self.points[k] for k in sorted(self.points)]

    def __repr__(self) -> str:
        reach = [point.parameter for point in self.line]
        span = f", from {reach[0]:g} to {reach[-1]:g}" if reach else ""
        return f"Branch({self.number}: {len(reach)} states{span})"


@dataclass(frozen=True)
class Critical:
    """Where the leading growth rate of a branch is 0.

    eigenvalue : what is left of it there.   measure, energy : of the state there.
    """

    parameter: float
    branch: int
    eigenvalue: float
    measure: float
    energy: float


@dataclass(frozen=True)
class End:
    """Where a branch ends between two values of the parameter.

    parameter : where; of an "end" that of the last state.   side : 1 where it ends as the parameter rises, −1 where it
    begins.   kind : "fold", where the branch turns back and nothing goes on; "pitchfork", where it meets its own mirror
    image, or a shift of itself, on a branch that goes on; or "end", for a reason unknown.
    meets : the branch that goes on, or that ends in the same fold; −1 for none known.
    measure, energy : of the state there.
    """

    parameter: float
    branch: int
    side: int
    kind: str
    meets: int
    measure: float
    energy: float


@dataclass(frozen=True)
class EqualEnergy:
    """Where two branches of stable states have the same energy: a transition of first order, if they are the lowest.

    branch, other : their numbers.   measure, other_measure : their order parameters there.   energy : of both.
    """

    parameter: float
    branch: int
    other: int
    measure: float
    other_measure: float
    energy: float


@dataclass(frozen=True, repr=False)
class Diagram(Shown):
    """Branches over a parameter.   key : its name.   values : (n,) rising.   measure : its name."""

    key: str
    values: Array
    measure: str
    grid: Grid
    branches: list[Branch]
    critical: list[Critical]
    ends: list[End] = field(default_factory=list)
    equal: list[EqualEnergy] = field(default_factory=list)

    @property
    def notes(self) -> list[str]:
        """By branch a sentence on states that the grid does not resolve, with what is said of the fullest."""
        found = []
        for branch in self.branches:
            poor = [point for point in branch.line if point.state.unresolved]
            if poor:
                worst = max(poor, key=lambda point: float(np.max(point.state.rho * self.grid.cell_volume)))
                where = f"branch {branch.number}, {len(poor)} of {len(branch.line)} states, most at {self.key}"
                found.append(f"{where} = {worst.parameter:.6g}: {worst.state.unresolved}")
        return found

    def __repr__(self) -> str:
        span = f"{len(self.values)} values of {self.key} from {self.values[0]:g} to {self.values[-1]:g}"
        return f"Diagram({span}: {len(self.branches)} branches, {len(self.critical)} critical values, {self.grid})"

    def _rows(self) -> list[tuple[str, object]]:
        found = ", ".join(f"{one.parameter:.8g} (branch {one.branch})" for one in self.critical)
        same = ", ".join(f"{one.parameter:.8g} (branches {one.branch} and {one.other})" for one in self.equal)
        return [
            ("parameter", f"{self.key}: {numbers(self.values)}"), ("measure", self.measure),
            *((f"branch {branch.number}", repr(branch)) for branch in self.branches),
            ("critical values", found or "none"), ("equal energies", same or "none"), ("grid", repr(self.grid)),
        ]  # fmt: skip


@dataclass(frozen=True)
class CaseAt:
    """A case at one value of the parameter."""

    flow: Flow
    mass: float
    initial: Array


def check_case(case: Case) -> None:
    """Raise CaseError where the case is no gradient flow of its energy (a path, a bound on the density), or its law is
    not known to have a density in equilibrium."""
    refuse_driving(case, "a stationary state")
    with located(case.path, "energy.internal"):
        check_law(case.energy.internal.kind)
    if case.traits.path:
        name = case.solver.method
        others = " or ".join(other.name for other in METHODS.values() if not other.needs)
        raise CaseError(f"{case.path}: solver.method: a {name} has no stationary states; choose {others}")
    if case.has_exits:
        law = law_named(case.energy.internal.kind)
        if not law.linear_diffusion or case.energy.interaction is not None:
            what = " with an interaction" if case.energy.interaction is not None else ""
            raise CaseError(f"{case.path}: energy: {REFUSAL.format(found=repr(law.kind) + what)}")
        walls = [wall for ends in map(boundary_of, case.grid.boundary) for wall in (ends.lower, ends.upper)]
        if not any(wall.lets_in for wall in walls):
            raise CaseError(f"{case.path}: grid.boundary: {ALL_LEAVES}")
        return
    if not case.traits.wasserstein:
        stops = "stationary" in type(case.solver).model_fields
        march = "; march to one instead: wgfpde run CASE --set solver.stationary=1e-8" if stops else ""
        raise CaseError(
            f"{case.path}: solver: stationary states are found of the gradient flow of the energy alone, without a "
            f'bound on the density or the like, and method = "{case.solver.method}" is asked for another march{march}'
        )


OF_A_RUN = frozenset({"energy_balance", "de_bruijn", "slack_evi", "w2_previous"})
"""Diagnostics that look at the steps of a run, or at its snapshot before."""


class Family:
    """A case with one key that varies, and the order parameter of its states."""

    def __init__(self, case: Case, key: str, measure: str) -> None:
        self.case, self.key = case, key
        check_case(case)
        refuse_force(case, "a diagram of branches")
        if case.has_exits:
            raise CaseError(
                f"{case.path}: with exits there is one stationary state at each value, and no branches; ask for it "
                "value by value: wgfpde stationary CASE --set KEY=VALUE"
            )
        problem = build(case)
        self.measure = measure or default_measures(problem.flow)[0]
        measured(problem.flow, problem.initial.rho, self.measure)  # a mistake is told before the work

    def setting(self, value: Any) -> CaseAt:
        problem = build(override(self.case, nested({self.key: value}), "--vary"), threads=1)
        rho = problem.initial.rho
        return CaseAt(problem.flow, problem.flow.mass(rho), rho)

    def point(self, parameter: float, setting: CaseAt, state: Steady) -> Point:
        return Point(float(parameter), state, measured(setting.flow, state.rho, self.measure))


def default_measures(flow: Flow) -> list[str]:
    """The usual order parameters, one for each axis: order_x on a circle, else mean_x."""
    return [f"order_{axis.name}" if axis.ring else f"mean_{axis.name}" for axis in flow.grid.axes]


def measured(flow: Flow, rho: Array, name: str) -> float:
    """A diagnostic of a density.  Raises CaseError where there is none of that name, or it needs a run."""
    wanted = next(d for d in diagnostics.chosen(diagnostics.Setting(flow), [name]) if d.name == name)
    if name in OF_A_RUN:
        raise CaseError(
            f'"{name}" ({wanted.long_name}) compares moments of a run and has no meaning for one state; choose another '
            f"measure, such as {default_measures(flow)[0]} or energy."
        )
    return float(wanted.value(diagnostics.State(flow, Snapshot(0.0, 0, {"rho": rho}))))


def near(setting: CaseAt, guess: Array, *, analyse: bool = True) -> Steady | None:
    """The state that Newton's method finds near a guess; None where there is none."""
    try:
        state = corrected(setting.flow, setting.mass, guess, analyse=analyse)
    except SolverError:
        return None
    return state if apart(setting.flow, state.rho, guess) <= JUMP else None


def among(setting: CaseAt, state: Steady, taken: list[Steady]) -> bool:
    """Whether a state of a branch is one of those, of other branches: marginal ones too are one only where equal."""
    return any(same(setting.flow, state, other, loosely=False) for other in taken)
