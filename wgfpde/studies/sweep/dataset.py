"""What came of a sweep, as one labelled dataset: sweep.h5, which xarray opens, and sweep.csv.

theta (theta)  dt (dt) …           a dimension for each key that is varied: its values as numbers, or as texts;
                                   keys that change together share the dimension run, and each has a value by run
energy (theta, dt) …               the diagnostics at the end of each run; NaN, or "" in texts, where a run has none
status, message, steps, wall_seconds, t_end, folder
energy_series (theta, dt, snapshot), times (theta, dt, snapshot)      the diagnostics asked for at all snapshots
rho (theta, dt, x)                 the last densities, where they were asked for and lie on one grid
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ... import __version__
from ...base.amounts import memory_lacking
from ...base.plain_text import is_number
from ...base.toml import to_value
from ...cases.varying import Vary
from ...errors import CaseError, StoreError
from ...store import Variable, check_place, study_of, write_study
from ...store.export.targets import written
from .journal import Journal
from .outcome import FINISHED, Outcome
from .plan import TAKEN, Plan, unique
from .sweep_folder import Kept

FILE_NAME, TABLE_NAME, KIND = "sweep.h5", "sweep.csv", "sweep"
NUMBERS = 64
"""Numbers of each run, for a bound on the memory of a dataset."""
ABSENT, VARIED = "not done", "What was varied."
TEXTS = {
    "status": "how the run ended", "message": "why, in words", "verdict": "what ended it early", "folder": "run folder",
}  # fmt: skip
SCALARS = {"steps": "steps", "wall_seconds": "wall time of the march", "t_end": "time of the last snapshot"}


def coordinate(v: Vary) -> list[Any]:
    """The values of a key: numbers where all are, else texts."""
    numbers = v.numbers
    plain = all(not isinstance(value, list) or len(set(map(repr, value))) == 1 for value in v.values)
    if plain and np.all(np.isfinite(numbers)):
        return [float(n) for n in numbers]
    return [value if isinstance(value, str) else to_value(value) for value in v.values]


def check_memory(plan: Plan, kept: Kept) -> None:
    """Raises CaseError where the dataset of a sweep would not fit into memory, before anything is run."""
    each = NUMBERS + len(kept.series) * 2 + (plan.case.cells if kept.density else 0)
    if lacking := memory_lacking(8.0 * plan.count * each):
        what = "; keep no densities" if kept.density else ""
        raise CaseError(f"the dataset of {plan.count:,} runs takes {lacking}; vary fewer values{what}")


def rows(plan: Plan, journal: Journal) -> Iterator[tuple[int, Outcome | None]]:
    """(number, what came of it) of all runs, in order; one at a time is in memory."""
    for k in range(plan.count):
        yield k, journal.read(plan.digest(k))


def write_dataset(folder: Path, plan: Plan, journal: Journal) -> Path:
    """Write sweep.h5 and sweep.csv from what is done; returns the first.   Raises StoreError."""
    file = folder / FILE_NAME
    check_place(file, KIND)
    columns = Columns(plan)
    for k, outcome in rows(plan, journal):
        columns.add(k, outcome)
    case = plan.case
    attributes: dict[str, Any] = {
        "title": case.title, "source": f"wgfpde {__version__}", "runs": plan.count,
        "finished": int(np.sum(columns.texts["status"] == FINISHED)), "keys": " ".join(v.key for v in plan.varied),
        "zipped": int(plan.zipped),
    }  # fmt: skip
    write_study(file, study_of(KIND, columns.variables(), attributes, {"case_toml": case.text}))
    _write_table(folder / TABLE_NAME, plan, columns)
    return file


class Columns:
    """The dataset while it is filled, run by run."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        count = plan.count
        self.texts = {name: np.full(count, "", dtype=object) for name in TEXTS}
        self.texts["status"][:] = ABSENT
        self.scalars = {name: np.full(count, math.nan) for name in SCALARS}
        self.numbers: dict[str, np.ndarray] = {}
        self.series: dict[str, np.ndarray] = {}
        self.times: np.ndarray = np.zeros((count, 0))
        self.rho: np.ndarray | None = None
        self.mixed_grids = False
        self._each = len(TEXTS) + len(SCALARS)

    def add(self, k: int, outcome: Outcome | None) -> None:
        if outcome is None:
            return
        for name in TEXTS:
            self.texts[name][k] = getattr(outcome, name)
        self.scalars["steps"][k], self.scalars["wall_seconds"][k] = outcome.steps, outcome.wall_seconds
        self.scalars["t_end"][k] = outcome.t
        for name, value in outcome.numbers.items():
            if name not in self.numbers:
                self._take(1)
                self.numbers[name] = np.full(self.plan.count, math.nan)
            self.numbers[name][k] = value
        if outcome.series:
            self._take(max(len(outcome.times) - self.times.shape[1], 0))
            self.times = _wider(self.times, len(outcome.times))
            self.times[k, : len(outcome.times)] = outcome.times
            for name, values in outcome.series.items():
                row = self.series.get(name, np.zeros((self.plan.count, 0)))
                self._take(max(len(values) - row.shape[1], 0))
                row = _wider(row, len(values))
                row[k, : len(values)] = values
                self.series[name] = row
        if outcome.rho is not None and not self.mixed_grids:
            if self.rho is None:
                self._take(outcome.rho.size)
                self.rho = np.full((self.plan.count, *outcome.rho.shape), math.nan)
            if self.rho.shape[1:] == outcome.rho.shape:
                self.rho[k] = outcome.rho
            else:
                self.rho, self.mixed_grids = None, True

    def _take(self, numbers: int) -> None:
        """Raises StoreError where so many more numbers of each run do not fit into memory."""
        self._each += numbers
        if lacking := memory_lacking(8.0 * self.plan.count * self._each):
            raise StoreError(f"the dataset of this sweep takes {lacking}; its runs are done, and {TABLE_NAME} is not.")

    def variables(self) -> list[Variable]:
        """All of it, with dimensions."""
        plan = self.plan
        dims, shape = (("run",) if plan.zipped else plan.names), plan.shape
        made = (
            [Variable("run", ("run",), np.arange(1, plan.count + 1), long_name="number of the run")]
            if plan.zipped
            else []
        )
        for name, v in zip(plan.names, plan.varied, strict=True):
            own = ("run",) if plan.zipped else (name,)
            made.append(Variable(name, own, coordinate(v), long_name=v.key, description=VARIED))
        made += [Variable(n, dims, self.texts[n].reshape(shape), long_name=TEXTS[n]) for n in TEXTS]
        for n, text in SCALARS.items():
            made.append(Variable(n, dims, self.scalars[n].reshape(shape), "s" if n == "wall_seconds" else "1", text))
        taken = {*TAKEN, *(variable.name for variable in made)}
        for n, values in self.numbers.items():
            name = unique(n if n not in taken else f"{n}_end", taken)
            text = f"{n.replace('_', ' ')} at the end"
            made.append(Variable(name, dims, values.reshape(shape), long_name=text))
        if self.series:
            snapshots = self.times.shape[1]
            made.append(
                Variable("times", (*dims, "snapshot"), self.times.reshape(*shape, snapshots), long_name="times")
            )
            for n, values in self.series.items():
                wide = _wider(values[:, :snapshots], snapshots).reshape(*shape, snapshots)
                made.append(
                    Variable(unique(f"{n}_series", taken), (*dims, "snapshot"), wide, long_name=n.replace("_", " "))
                )
        return made + self._densities(dims, shape)

    def _densities(self, dims: tuple[str, ...], shape: tuple[int, ...]) -> list[Variable]:
        if self.rho is None or (axes := _axes(self.plan)) is None:
            return []
        if self.rho.shape[1:] != tuple(len(centers) for centers in reversed(axes)):  # by another hand
            return []
        names = tuple(name if name not in dims else f"{name}_cell" for name in ("x", "y")[: len(axes)])
        made = [
            Variable(n, (n,), centers, long_name=f"{n}, cell centres") for n, centers in zip(names, axes, strict=True)
        ]
        values = self.rho.reshape(*shape, *self.rho.shape[1:])
        return [*made, Variable("rho", (*dims, *reversed(names)), values, long_name="density at the end")]


def _axes(plan: Plan) -> tuple[np.ndarray, ...] | None:
    """Cell centres by axis where all runs have one grid; None where a key of the grid is varied."""
    from ...cases.building import build_grid

    if any(v.key.startswith("grid.") and v.key != "grid.boundary" for v in plan.varied):
        return None
    grid = build_grid(plan.case)
    return tuple(axis.centers for axis in grid.axes)


def _wider(values: np.ndarray, size: int) -> np.ndarray:
    """A table with at least so many columns, NaN in new ones."""
    if values.shape[1] >= size:
        return values
    wide = np.full((len(values), size), math.nan)
    wide[:, : values.shape[1]] = values
    return wide


def _write_table(path: Path, plan: Plan, columns: Columns) -> None:
    """One line for each run: its values, how it ended, its numbers."""
    stream = io.StringIO()
    table = csv.writer(stream, lineterminator="\n")
    numbers = [*columns.scalars, *columns.numbers]
    table.writerow([_harmless(name) for name in (*plan.names, "status", *numbers, "folder", "message")])
    for k in range(plan.count):
        values = [
            v.text(i) if not isinstance(v.values[i], float) else repr(v.values[i])
            for v, i in zip(plan.varied, plan.places(k), strict=True)
        ]
        found = [repr(float((columns.scalars | columns.numbers)[name][k])) for name in numbers]
        texts = [columns.texts[name][k] for name in ("status", "folder", "message")]
        table.writerow([*map(_harmless, values), texts[0], *found, *map(_harmless, texts[1:])])
    with written(path) as part:
        part.write_text(stream.getvalue(), encoding="utf-8")


def _harmless(text: str) -> str:
    """A text that a spreadsheet does not take for a formula."""
    return (
        f"'{text}" if text[:1] in ("=", "@", "\t", "\r") or (text[:1] in ("+", "-") and not is_number(text)) else text
    )
