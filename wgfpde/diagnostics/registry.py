"""What a diagnostic looks at (`State`), how it is declared, and which of them a run records."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, wraps
from typing import Any, TypeVar

import numpy as np

from ..base.toml import show
from ..energy.flow import Flow
from ..energy.snapshot import Label, Snapshot, Traits
from ..errors import CaseError
from ..grid import Array

Result = TypeVar("Result")


@dataclass(frozen=True)
class State:
    """What a diagnostic may look at.

    exact : cell values of the exact solution at this time, or None.   previous, previous_t : the density and the time
    of the snapshot before; None and −inf for the first.   shared : what `once_per_state` remembers.
    """

    flow: Flow
    snapshot: Snapshot
    exact: Array | None = None
    previous: Array | None = None
    previous_t: float = -np.inf
    shared: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def rho(self) -> Array:
        return self.snapshot.rho

    @cached_property
    def mass(self) -> float:
        return self.flow.mass(self.rho)

    @cached_property
    def parts(self) -> tuple[float, ...]:
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
            return (axes[0].volumes * self.rho,)
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

    def order(self, i: int, n: int = 1) -> float:
        """|∫ ρ e^{2πi n x/L}| / ∫ ρ along axis i: 0 for a uniform state, 1 for a point mass."""
        axis = self.flow.grid.axes[i]
        angle = (2 * np.pi * n / axis.length) * (axis.centers - axis.lower)
        return float(np.hypot(self.mean(i, np.cos(angle)), self.mean(i, np.sin(angle))))


def once_per_state(function: Callable[[State], Result]) -> Callable[[State], Result]:
    """Remember what a function makes of a State, for the other numbers of that State."""

    @wraps(function)
    def remembered(s: State) -> Result:
        if function not in s.shared:
            s.shared[function] = function(s)
        found: Result = s.shared[function]
        return found

    return remembered


@dataclass(frozen=True)
class Setting:
    """What decides which numbers a run records.

    traits : what is true of the march.   fields : the names of what its snapshots hold beside the density.
    """

    flow: Flow
    has_exact: bool = False
    traits: Traits = field(default_factory=Traits)
    fields: frozenset[str] = frozenset()

    @property
    def keeps_account(self) -> bool:
        """Whether work is done on the density."""
        return bool(self.flow.driven) or self.flow.push is not None


@dataclass(frozen=True)
class Condition:
    """Where a number makes sense, and that in words, for the reference."""

    words: str
    holds: Callable[[Setting], bool]


ALWAYS = Condition("always", lambda s: True)
NEVER = Condition("", lambda s: False)
IN_THE_PLANE = Condition("2D", lambda s: s.flow.grid.dim == 2)
EQUAL_CELLS_2D = Condition(
    "1D; 2D, equal cells; no `[dynamics]`",
    lambda s: (s.flow.grid.dim == 1 or s.flow.grid.uniform) and s.flow.dynamics is None,
)
WITH_EXACT = Condition("with `[exact]`", lambda s: s.has_exact)
WITH_FEATURES = Condition("with features", lambda s: s.flow.features is not None)
WITH_ACCOUNT = Condition("an energy that depends on time; a force", lambda s: s.keeps_account)
WITH_GIBBS = Condition("entropy without interaction, no exits", lambda s: s.flow.has_gibbs)
WITH_EXITS = Condition("with exits", lambda s: bool(s.flow.exits))
WITH_EXITS_ONLY = Condition(
    "with exits, none of which lets mass in", lambda s: bool(s.flow.exits) and not s.flow.lets_in
)
WITH_GIBBS_ON_AXES = Condition("entropy without interaction, no exits, not on a radius", lambda s: s.flow.fills_box)


def with_field(name: str) -> Condition:
    """Where snapshots hold a field of that name."""
    return Condition(f"with the field `{name}`", lambda s: name in s.fields)


def periodic(i: int) -> Condition:
    """Where axis i closes to a ring."""
    return Condition("periodic axis", lambda s: i < s.flow.grid.dim and s.flow.grid.axes[i].ring == 1)


@dataclass(frozen=True)
class Diagnostic(Label):
    """A named number.   applies : where it is recorded.   on_request : where else it may be asked for.

    brings : names of those that come with it where it is asked for, since it is judged by them.
    """

    value: Callable[[State], float]
    applies: Condition
    on_request: Condition
    brings: tuple[str, ...] = ()


REGISTRY: dict[str, Diagnostic] = {}
OF_A_FLOW: list[Callable[[Flow], Sequence[Diagnostic]]] = []
"""Functions that give the numbers which a flow has of its own, as one for each of its exits."""


def diagnostic(
    long_name: str,
    units: str = "1",
    applies: Condition = ALWAYS,
    on_request: Condition = NEVER,
    brings: tuple[str, ...] = (),
) -> Callable[[Callable[[State], float]], Callable[[State], float]]:
    """Register a function of a State under its name (less a trailing _); its docstring is the description.

    Raises CaseError where another function has that name.
    """

    def register(function: Callable[[State], float]) -> Callable[[State], float]:
        name = function.__name__.rstrip("_")
        if name in REGISTRY and REGISTRY[name].value is not function:
            raise CaseError(f'there is a diagnostic "{name}" already; choose another name, or unregister that one.')
        text = " ".join((function.__doc__ or "").split())
        REGISTRY[name] = Diagnostic(name, units, long_name, text, function, applies, on_request, brings)
        return function

    return register


def unregister(name: str) -> None:
    """Let a diagnostic go, so that another may have its name.  Raises CaseError where there is none."""
    if name not in REGISTRY:
        raise CaseError(f'there is no diagnostic "{name}".')
    del REGISTRY[name]


def chosen(setting: Setting, requested: Sequence[str] = ()) -> tuple[Diagnostic, ...]:
    """The diagnostics of a run, in the order of the file: all that apply, those asked for, and what these bring.

    Raises CaseError for a name that is unknown or makes no sense here.
    """
    registered = REGISTRY | {d.name: d for own in OF_A_FLOW for d in own(setting.flow)}
    for name in requested:
        if name not in registered:
            near = difflib.get_close_matches(name, registered, n=1)
            hint = f'did you mean "{near[0]}"? ' if near else ""
            raise CaseError(f"there is no diagnostic {show(name)}; {hint}Known: {', '.join(registered)}")
        known = registered[name]
        if not (known.applies.holds(setting) or known.on_request.holds(setting)):
            words = known.on_request.words or known.applies.words
            raise CaseError(
                f'"{name}" ({known.long_name}) has no meaning for this case; it is for: {words}. Leave it out'
            )
    wanted = {*requested, *(other for name in requested for other in registered[name].brings)}
    return tuple(d for d in registered.values() if d.applies.holds(setting) or d.name in wanted)


def as_before(which: Sequence[Diagnostic], held: Iterable[str]) -> tuple[Diagnostic, ...]:
    """The diagnostics of a run that goes on: also those that its file holds, begun by a version that records more."""
    names = {d.name for d in which} | set(held)
    registered = REGISTRY | {d.name: d for d in which if d.name not in REGISTRY}
    return tuple(d for d in registered.values() if d.name in names)


def compute(
    flow: Flow,
    snapshot: Snapshot,
    exact: Callable[[float], Array] | None = None,
    previous: Array | None = None,
    previous_t: float = -np.inf,
    which: Sequence[Diagnostic] | None = None,
) -> dict[str, float]:
    """Diagnostics of a snapshot, by default all that apply; of an energy that depends on time, at that of the snapshot.

    exact : t ↦ cell values, array of the grid's shape.   previous, previous_t : of the snapshot before.
    """
    state = State(flow.at(snapshot.t), snapshot, None if exact is None else exact(snapshot.t), previous, previous_t)
    which = chosen(Setting(flow, exact is not None)) if which is None else which
    return {d.name: float(d.value(state)) for d in which}
