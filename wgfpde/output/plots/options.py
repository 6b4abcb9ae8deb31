"""What to draw: the options of a figure, the snapshots they pick, and what the run may be held against."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ...errors import CaseError
from ...grid import Array
from ...store import Run
from . import style
from .slack_chain import has_certificates

GROUPS = ("rho", "energy", "certificates", "gap", "error", "steps")
"""Fields that are figures of their own; any diagnostic and any column of the steps has its name as a field too."""
MOST_PANELS = 8
MOST_LINES = 16


@dataclass(frozen=True)
class Options:
    """How to draw a run.

    field : "rho" (the densities, above the fall of the energy), "energy", "certificates" (functional inequalities),
    "gap", "error", "steps", or the name of a diagnostic or of a column of the steps.   times, index : the snapshots to
    draw, by time or by number; else evenly chosen.   log : a logarithmic scale of densities (or of a diagnostic).
    error : ρ less the exact density as well.
    format : "png", "pdf", "svg"; by default what the file's name ends in, else png.
    """

    field: str = "rho"
    times: tuple[float, ...] | None = None
    index: tuple[int, ...] | None = None
    log: bool = False
    error: bool = False
    format: str | None = None

    @property
    def chosen(self) -> bool:
        """Whether the caller says which snapshots to draw."""
        return self.times is not None or self.index is not None

    def check(self, run: Run, known: References) -> None:
        """Raises CaseError where the run does not hold what is asked for."""
        names = field_names(run)
        if self.field not in names:
            near = difflib.get_close_matches(self.field, names, n=1)
            hint = f'did you mean "{near[0]}"? ' if near else ""
            if self.field == style.VALUE and style.has_value(run):
                raise CaseError(
                    f'{run.path}: {self.field} is drawn beside the density; leave out field = "{self.field}".'
                )
            if self.field in run.fields:
                raise CaseError(
                    f"{run.path}: {self.field} is stored beside the density and has no picture; read it in Python as "
                    f'run.fields["{self.field}"], or export the run.'
                )
            raise CaseError(f'{run.path} holds no field "{self.field}"; {hint}Known: {", ".join(names)}')
        if self.field == "error" and not errors_of(run):
            raise CaseError(
                f"{run.path} records no errors: its case names no exact solution. Add [exact] and run again."
            )
        if self.field == "certificates" and not has_certificates(run):
            raise CaseError(
                f"{run.path} records no inequalities: they need the entropy, no interaction, and "
                'a convex potential or [output] diagnostics, such as ["slack_lsi", "slack_talagrand"].'
            )
        if self.field != "rho" and (self.error or self.chosen):
            raise CaseError(f'times and the error choose densities; "{self.field}" shows all times. Leave them out.')
        if self.error and known.exact is None:
            raise CaseError(
                f"{run.path}: no exact solution is known, so there is no error to draw; "
                "add [exact] to the case and run it again."
            )
        if self.times is not None and self.index is not None:
            raise CaseError("snapshots are chosen either by time or by number; leave one of the two out.")

    def picks(self, run: Run) -> list[int]:
        """The snapshots to draw, as numbers from 0, oldest first.

        Raises StoreError naming the nearest time where there is none at a time, CaseError for too many panels.
        """
        if self.times is not None:
            picks = {run.find(time=t) for t in self.times}
        elif self.index is not None:
            picks = {run.find(index=k) for k in self.index}
        elif run.dim == 2:
            picks = {0, len(run) // 2, len(run) - 1}
        else:
            lines = min(len(run), MOST_LINES)
            picks = set(np.linspace(0, len(run) - 1, lines).round().astype(int).tolist())
        if not picks:
            raise CaseError("no time was chosen; name one, or leave the choice out.")
        if run.dim == 2 and len(picks) > MOST_PANELS:
            raise CaseError(f"at most {MOST_PANELS} panels fit a page, {len(picks)} times were chosen; choose fewer.")
        return sorted(picks)


@dataclass(frozen=True)
class References:
    """What a density may be held against.

    exact : t ↦ the exact density.   steady : the density the run tends to.   Both of the shape of a snapshot, or None.
    """

    exact: Callable[[float], Array] | None = None
    steady: Array | None = None
    _seen: dict[float, Array] = field(default_factory=dict, repr=False)

    def at(self, t: float) -> Array | None:
        """The exact density at a time, evaluated once."""
        if self.exact is None:
            return None
        if t not in self._seen:
            self._seen[t] = np.asarray(self.exact(t), dtype=float)
        return self._seen[t]

    def check(self, run: Run) -> None:
        """Raises CaseError where a shape differs from that of the run's densities."""
        shape = run.rho.shape[1:]
        found = {"exact density": self.at(float(run.t[0])), "steady state": self.steady}
        for name, values in found.items():
            if values is not None and values.shape != shape:
                raise CaseError(f"the {name} has the shape {values.shape}, the run {shape}; give both on one grid.")


def field_names(run: Run) -> list[str]:
    """Every field that `plot` takes for this run."""
    return list(dict.fromkeys((*GROUPS, *run.diagnostics, *(name for name in run.steps if name not in ("t", "dt")))))


def errors_of(run: Run) -> list[str]:
    """The diagnostics that measure the distance to the exact solution."""
    return [name for name in run.diagnostics if name.startswith("error_")]
