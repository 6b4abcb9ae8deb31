"""A snapshot is the state of a march at one time; with it, what a step reports and what is true of a march.

What a step takes and gives, what a file holds, what a checkpoint keeps and what a diagnostic reads are one thing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from ..errors import CaseError, SolverError
from ..grid import Array


@dataclass(frozen=True)
class Report:
    """What one accepted step cost and how well it was solved.

    iterations : Newton iterations (0 where the step is linear), summed over all solves of the step.
    residual : largest ‖residual‖₁ over mass that a solve left, before the mass was restored to rounding.
    outer : evaluations of W∗ρ.
    repaired : cells touched by the flux correction that keeps the step non-negative.
    rejected : attempts thrown away before this step was accepted.
    gap : primal–dual gap of a JKO step, (primal − dual)/scale, see `transport.benamou_brenier.gap_scale`.
    note : a sentence when something unusual happened.   limit : what kept the step from being longer, "" as asked for.

    JKO only, NaN or 0 elsewhere:
    linear : iterations of the linear solver.   continuity, hamilton_jacobi, complementarity : residuals of the
    optimality conditions.   primal, dual : values of the step's two problems; primal = transport + τE.
    transport : ½W₂² of the step.   drive_residual : residual of the outer iteration on V + W∗ρ.

    more : numbers for columns that are a method's own, by name.
    """

    iterations: int = 0
    residual: float = 0.0
    outer: int = 0
    repaired: int = 0
    rejected: int = 0
    gap: float = np.nan
    note: str = ""
    limit: str = ""
    linear: int = 0
    continuity: float = np.nan
    hamilton_jacobi: float = np.nan
    complementarity: float = np.nan
    primal: float = np.nan
    dual: float = np.nan
    transport: float = np.nan
    drive_residual: float = np.nan
    more: Mapping[str, float] = field(default_factory=dict)

    def number(self, name: str) -> float:
        """What goes into the column of that name.  Raises SolverError where the step does not say it."""
        found = self.more.get(name, getattr(self, name, None))
        if not isinstance(found, int | float | np.number):
            raise SolverError(f"the report of a step has no number {name}, which is a column of the table of steps.")
        return float(found)


@dataclass(frozen=True)
class Label:
    """What names a stored number: how it is called, its units, and a sentence on what it is."""

    name: str
    units: str
    long_name: str
    description: str


@dataclass(frozen=True)
class Column(Label):
    """A number recorded with every step: `Report.number` (or of the snapshot), described for the file.

    integer : it counts work, and is summed up over a run.   residual : the largest is the worst of a run.
    """

    integer: bool = False
    residual: bool = False


@dataclass(frozen=True)
class Field(Label):
    """An array of every snapshot beside the density, described for the file; NaN where a snapshot lacks it.

    dims : () for one value a cell; else (name, size) of each dimension, as (("particle", 1000), ("axis", 2)).
    stored : whether it is stored unasked; else only where [output] fields names it.
    value : (flow, rho) ↦ the array, where it follows from the density and is made when a snapshot is written.
    """

    dims: tuple[tuple[str, int], ...] = ()
    stored: bool = True
    value: Callable[[Any, Array], Array] | None = None


@dataclass(frozen=True)
class Traits:
    """What is true of a march, and with it which numbers and promises have a meaning.

    lowers_energy : E never rises.   wasserstein : the march is the gradient flow of E in W₂: its energy balance, de
    Bruijn's identity, the evolution variational inequality and rates of decay apply.   keeps_mass : ∫ρ is constant.
    tends_to_gibbs : towards the Gibbs state, where the energy has one.   near_gibbs : towards a state near to it, which
    is held against it in pictures.   random : something is drawn, by a seed.
    exits : mass may leave, or come in, and is accounted for: by open walls and sinks.
    path : solved as a whole from start to end, so that there is no going on after the end.
    step : the size of which all times are multiples, or None.   order : in time, as the method declares it.
    """

    lowers_energy: bool = True
    wasserstein: bool = True
    keeps_mass: bool = True
    tends_to_gibbs: bool = True
    near_gibbs: bool = False
    random: bool = False
    exits: bool = False
    path: bool = False
    step: float | None = None
    order: float = 1.0

    def __post_init__(self) -> None:
        if self.step is not None and not 0 < self.step < np.inf:
            raise CaseError(f"the step of a march is a positive number, or None; found {self.step!r}.")

    @property
    def with_exits(self) -> Traits:
        """The same march where mass may leave: no longer a gradient flow of E at a mass."""
        return replace(self, lowers_energy=False, wasserstein=False, keeps_mass=False, tends_to_gibbs=False, exits=True)


@dataclass(frozen=True, repr=False)
class Snapshot:
    """State at one time: what a step takes and gives, what a file holds, what a diagnostic reads.

    t : time.   step : number of accepted steps so far.   fields : {"rho": array of the grid's shape} and what else the
    scheme wants to find again, such as "drive_rate", d(W∗ρ)/dt of the last step.
    dt : size of the step that led here (0 at the start).   dt_next : what the step-size controller would like next
    (0: no wish).   report : how the last step went.
    """

    t: float
    step: int
    fields: dict[str, Array]
    dt: float = 0.0
    dt_next: float = 0.0
    report: Report = Report()

    @property
    def rho(self) -> Array:
        return self.fields["rho"]

    def __repr__(self) -> str:
        others = [name for name in self.fields if name != "rho"]
        also = f", also {', '.join(others)}" if others else ""
        return f"Snapshot(t={self.t:g}, step={self.step}, dt={self.dt:g}, rho of shape {self.rho.shape}{also})"


def misfit(fields: Mapping[str, Any], shape: tuple[int, ...], stored: Sequence[Field] = ()) -> str:
    """What is wrong with the fields of a snapshot on a grid of that shape, in words; "" where nothing is.

    stored : those whose shapes are known.  A leading axis of one place is no matter: kernels see lines as planes.
    """
    if "rho" not in fields:
        return "no density rho"
    shapes: dict[str, tuple[int, ...]] = {"rho": shape}
    shapes |= {known.name: tuple(size for _, size in known.dims) or shape for known in stored}
    for name, values in fields.items():
        if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiub":
            return f"a field {name} that is no array of real numbers"
        wanted = shapes.get(name)
        if wanted is None or values.shape == wanted or (name != "rho" and values.shape == (1, *wanted)):
            continue
        return f"a field {name} of shape {values.shape}; expected {wanted}"
    return ""


@dataclass(frozen=True)
class Stride:
    """Several accepted steps at once.

    snapshot : after the last, with its report.   columns : a number a step for those columns of the table of steps that
    these steps fill, "t" among them; others are as in a `Report` by default.   limits : of each step.
    """

    snapshot: Snapshot
    columns: Mapping[str, Array]
    limits: tuple[str, ...]


class Stepper(Protocol):
    """A scheme bound to a flow.

    warm_up : compile, or load, what the steps and their diagnostics will call, so that the first step costs no more
    than the others.
    step : one accepted step, never past t_next, landing on t_next exactly when it gets there; raises SolverError when
    no step however small can be solved.

    A stepper may also have begin(snapshot) → the start with fields that are known of it only once a path is solved as a
    whole; it is called before the first snapshot is written.  And stride(snapshot, t_next, seconds) → a `Stride` of
    the steps that `step` would take, bit for bit, which takes some `seconds`; or None where `step` is to be called.
    And warm_parts() → functions that together compile what warm_up does, the longest first, each for another process;
    what one has finished the others find in the cache.
    """

    def warm_up(self) -> None: ...

    def step(self, snapshot: Snapshot, t_next: float) -> Snapshot: ...


def warm_parts(stepper: Stepper) -> tuple[Callable[[], None], ...]:
    """What warm_up compiles, in parts for processes side by side."""
    parts: Callable[[], tuple[Callable[[], None], ...]] | None = getattr(stepper, "warm_parts", None)
    return (stepper.warm_up,) if parts is None else parts()


def begun(stepper: Stepper, start: Snapshot) -> Snapshot:
    """The start, with what the stepper finds of it before the first step.  Raises SolverError."""
    begin: Callable[[Snapshot], Snapshot] | None = getattr(stepper, "begin", None)
    return start if begin is None else begin(start)


def strode(stepper: Stepper, snapshot: Snapshot, t_next: float, seconds: float) -> Stride | None:
    """Several steps at once, where a stepper takes them; None where it is to be asked for the next step."""
    stride: Callable[[Snapshot, float, float], Stride | None] | None = getattr(stepper, "stride", None)
    return None if stride is None else stride(snapshot, t_next, seconds)
