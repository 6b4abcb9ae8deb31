"""A problem that is put together: everything a run needs, and what it tells before the march."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..energy.flow import Flow
from ..energy.snapshot import Column, Field, Label, Snapshot, Stepper, Traits
from ..grid import Array
from ..grid.quadrature import TOLD
from .sources.free_energies import constants_of, table_note

if TYPE_CHECKING:
    from ..diagnostics import Diagnostic
    from ..diagnostics.blowup import Watch

SEEN = 1e-9
"""Mass that is told of where it lies in sinks at the start."""


@dataclass(frozen=True)
class Record:
    """What the file says of the run beside its numbers, and how the run is kept.

    name : of the run folder.   texts : datasets of text, by name.   files : the data files that it read.
    precision, compression : of the densities.   checkpoint : seconds of wall clock between checkpoints.
    in_code : whether it was put together in Python.   code : what the file keeps of its functions.
    """

    name: str = "run"
    title: str = ""
    method: str = ""
    texts: Mapping[str, str] = field(default_factory=dict, repr=False)
    files: tuple[Path, ...] = ()
    precision: str = "float64"
    compression: str = "none"
    checkpoint: float = 60.0
    in_code: bool = False
    code: Mapping[str, Array | str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, repr=False)
class Problem:
    """Everything the time loop needs; no choice is left to make.

    times : (n,) output times, strictly increasing, start and end included.
    exact : t ↦ the exact density on the grid, sampled like the initial data, or None.
    sampling : "average" or "centre".   equation : its short name.
    stationary : stop when max|F| is below, or None.   diagnostics : the numbers to record with every snapshot.
    columns : what the scheme records with every step, beyond what every run does.   record : see there.
    watch : looks for a blow-up that ends the run, or None where there can be none.
    traits : what is true of the march.   fields : what the file holds of every snapshot beside the density.
    lost : mass that [initial] has in region sinks, by sink: it has left at the start.
    attributes : what the file says of the run, by the method.
    averaging : of what formulas give ("initial", "target", "exact"), the estimate of the error of its cell averages, in
    L1 and relative to its mass; of "exact" the larger of start and end.
    breakpoints : further times that steps land on.
    method_notes : sentences on the method, for `check`.   points : whether [initial] is of points, each in its cell.
    """

    flow: Flow
    stepper: Stepper
    initial: Snapshot
    times: Array
    exact: Callable[[float], Array] | None
    sampling: str
    equation: str
    stationary: float | None
    diagnostics: tuple[Diagnostic, ...]
    columns: tuple[Column, ...] = ()
    record: Record = field(default_factory=Record)
    watch: Watch | None = None
    traits: Traits = field(default_factory=Traits)
    fields: tuple[Field, ...] = ()
    attributes: Mapping[str, str | int | float] = field(default_factory=dict, repr=False)
    averaging: Mapping[str, float] = field(default_factory=dict, repr=False)
    lost: Mapping[str, float] = field(default_factory=dict, repr=False)
    breakpoints: Array = field(default_factory=lambda: np.zeros(0), repr=False)
    method_notes: tuple[str, ...] = ()
    points: bool = False

    def next_stop(self, t: float, t_out: float) -> float:
        """The time that a step from t must not pass, on the way to an output time: that, or a breakpoint before it."""
        if not len(self.breakpoints):
            return float(t_out)
        ahead = self.breakpoints[(self.breakpoints > t) & (self.breakpoints < t_out)]
        return float(ahead[0]) if len(ahead) else float(t_out)

    @property
    def notes(self) -> list[str]:
        """Sentences that the user should see before the march."""
        known = self.averaging_note, table_note(self.flow), self.loss_note, *self.resolution_notes
        return [note for note in known if note]

    @property
    def resolution_notes(self) -> list[str]:
        """Sentences on what the grid does not resolve of the start, and of the Gibbs state where the march tends to it.

        A start in points, as that in one cell, is as narrow as it should be.
        """
        rho, found = self.initial.rho, []
        if not self.points and np.count_nonzero(rho) != 1:
            found.append(self.resolution_note(self.initial, "the density at the start"))
        if self.flow.has_gibbs and self.traits.tends_to_gibbs:
            steady = {"rho": self.flow.gibbs(self.flow.mass(rho))}
            found.append(self.resolution_note(replace(self.initial, fields=steady), "the Gibbs state"))
        return [note for note in found if note]

    def resolution_note(self, snapshot: Snapshot, what: str) -> str:
        """A sentence on what the grid does not resolve of a state; else "".   what : it is, in words.

        "" too where densities are those of particles, or of parameters, and the grid only shows them.
        """
        from ..diagnostics.resolution import resolution_note  # loads kernels, which what only reads a case does without

        if self.traits.random or self.traits.near_gibbs:
            return ""
        drift = self.traits.wasserstein or self.traits.exits
        return resolution_note(self.flow.at(snapshot.t), snapshot.rho, what, drift)

    @property
    def loss_note(self) -> str:
        """A sentence on the mass that lies in region sinks at the start; else ""."""
        parts = ", ".join(f"{mass:.3g} by {name}" for name, mass in self.lost.items() if mass > SEEN)
        if not parts:
            return ""
        return f"[initial] has mass in sinks, which leaves at the start: {parts}."

    @property
    def constants(self) -> tuple[tuple[Label, Array], ...]:
        """Arrays of the grid's shape that do not change, for the file."""
        return constants_of(self.flow, self.record.in_code)

    @property
    def averaging_note(self) -> str:
        """A sentence on cell averages that are not known to TOLD of their mass; else ""."""
        poor = [f"[{name}] known to {error:.1g}" for name, error in self.averaging.items() if error > TOLD]
        if not poor:
            return ""
        return f"cell averages of formulas that jump or peak within cells: {', '.join(poor)} of the mass."

    def __repr__(self) -> str:
        method, span = type(self.stepper).__name__, f"t = {self.times[0]:g} to {self.times[-1]:g}"
        return f"Problem({self.record.title!r}: {self.equation or 'no name'} by {method}, {span}, {self.flow.grid})"
