"""What to draw: the options of a figure, the snapshots they pick, and what the run may be held against."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ...errors import CaseError
from ...grid import Array
from ...grid.public_arguments import public
from ...store import Run
from . import style
from .slack_chain import has_certificates

GROUPS = ("rho", "energy", "certificates", "gap", "error", "steps")
"""Fields that are figures of their own; any diagnostic and any column of the steps has its name as a field too."""
SCALES = ("shared", "each")
MOST_PANELS = 8
MOST_LINES = 16


@public
@dataclass(frozen=True)
class Options:
    """How to draw a run.

    field : "rho" (the densities, above the fall of the energy), "energy", "certificates" (functional inequalities),
    "gap", "error", "steps", or the name of a diagnostic or of a column of the steps.   times, index : the snapshots to
    draw, by time or by number; else evenly chosen.   log : a logarithmic scale of densities (or of a diagnostic).
    error : ρ less the exact density as well.
    format : "png", "pdf", "svg"; by default what the file's name ends in, else png.
    scale : of the maps in 2D, "shared", or "each" its own, up to its peak; by default each its own where one peak would
    hide the others.   vmin, vmax : the ends of the density scale.   cmap : of the maps, a name that Matplotlib knows.
    size : width and height in inches.   dpi : dots per inch, of a PNG.
    """

    field: str = "rho"
    times: tuple[float, ...] | None = None
    index: tuple[int, ...] | None = None
    log: bool = False
    error: bool = False
    format: str | None = None
    scale: str | None = None
    vmin: float | None = None
    vmax: float | None = None
    cmap: str | None = None
    size: tuple[float, float] | None = None
    dpi: float | None = None

    def __post_init__(self) -> None:
        """Raises CaseError for values that no picture can have."""
        if self.scale not in (None, *SCALES):
            raise CaseError(f'scale: expected one of {", ".join(SCALES)}, found "{self.scale}"')
        if self.cmap is not None and self.cmap not in style.colour_maps():
            near = difflib.get_close_matches(self.cmap, style.colour_maps(), n=1)
            hint = f"did you mean {near[0]}?" if near else "try viridis, magma, Greys."
            raise CaseError(f'cmap: Matplotlib knows no "{self.cmap}"; {hint}')
        low, high = self.vmin or 0.0, self.vmax
        if not 0 <= low < np.inf or (high is not None and not low < high < np.inf):
            raise CaseError(f"vmin, vmax: expected 0 ≤ vmin < vmax, found {self.vmin} and {self.vmax}")
        if self.scale == "each" and (self.vmin is not None or high is not None):
            raise CaseError("vmin, vmax: where each map has a scale of its own there is none to be set; leave them out")
        if self.size is not None and not (len(self.size) == 2 and all(1 <= inches <= 40 for inches in self.size)):
            raise CaseError("size: expected width and height between 1 and 40 inches")
        if self.dpi is not None and not 20 <= self.dpi <= 1200:
            raise CaseError(f"dpi: expected a number between 20 and 1200, found {self.dpi:g}")

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
            picks = {0, _half_way(run), len(run) - 1}
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

    exact : t ↦ the exact density.   steady : the density the run tends to.   potential : V, of which maps show level
    lines.   All of the shape of a snapshot, or None.
    """

    exact: Callable[[float], Array] | None = None
    steady: Array | None = None
    potential: Array | None = None
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
        found = {"exact density": self.at(float(run.t[0])), "steady state": self.steady, "potential": self.potential}
        for name, values in found.items():
            if values is not None and values.shape != shape:
                raise CaseError(f"the {name} has the shape {values.shape}, the run {shape}; give both on one grid.")


def _half_way(run: Run) -> int:
    """The snapshot by which half of the change of the energy was made, between the ends; of the times without one."""
    energy = run.diagnostics.get("energy", np.zeros(len(run)))
    made = np.cumsum(np.abs(np.diff(energy)))
    if len(run) < 3 or not (np.all(np.isfinite(made)) and made[-1] > 0):
        return len(run) // 2
    return int(np.clip(np.argmin(np.abs(made - 0.5 * made[-1])) + 1, 1, len(run) - 2))


def field_names(run: Run) -> list[str]:
    """Every field that `plot` takes for this run."""
    return list(dict.fromkeys((*GROUPS, *run.diagnostics, *(name for name in run.steps if name not in ("t", "dt")))))


def errors_of(run: Run) -> list[str]:
    """The diagnostics that measure the distance to the exact solution."""
    return [name for name in run.diagnostics if name.startswith("error_")]
