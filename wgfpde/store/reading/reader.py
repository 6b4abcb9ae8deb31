"""Reading a run, also one that is running or was killed."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ...base.plain_text import joined_lines
from ...base.toml import shortened
from ...energy.snapshot import Label
from ...errors import CaseError, StoreError
from ...grid import Array, Grid
from ...grid.boundary import Boundary
from ...grid.grid import grid_text
from ...grid.public_arguments import public
from ...grid.radial import levels
from ..kept_code import code_in
from .arrays import DAMAGED, Columns, column, dimension_name, edges_of, label_of, radial_of, step_names
from .fields import Stored
from .opening import attributes_of, boundary_in, fields_of, find, opened, written
from .structure import plain_attribute, stored_text


@dataclass(frozen=True, eq=False, repr=False)
class Run:
    """A run on disk, also one that is running or was killed.  Snapshots are read when asked for.

    path : the HDF5 file.   attributes : its attributes, as Python values.   t : (n,) times of the snapshots.
    edges, boundary : cell edges and what the ends are, per axis, x first.   diagnostics : name → (n,) values.
    labels : name → Label, for diagnostics.   radial : the dimension of the space of which the axis is the radius, or 1.
    """

    path: Path
    attributes: dict[str, Any]
    t: Array
    edges: tuple[Array, ...]
    boundary: tuple[Boundary, ...]
    diagnostics: dict[str, Array]
    labels: dict[str, Label]
    radial: int = 1

    def __len__(self) -> int:
        return len(self.t)

    def __repr__(self) -> str:
        span = f"t = {self.t[0]:g} to {self.t[-1]:g}" if len(self) else "no snapshot yet"
        return f"Run({self.title!r}, {self.status}: {len(self)} snapshots, {span}, {grid_text(self.edges)})"

    @property
    def periodic(self) -> tuple[bool, ...]:
        """Whether each axis closes to a ring, x first."""
        return tuple(bool(boundary.ring) for boundary in self.boundary)

    @property
    def folder(self) -> Path:
        return self.path.parent

    @property
    def dim(self) -> int:
        return len(self.edges)

    @property
    def centers(self) -> tuple[Array, ...]:
        """Cell centres per axis, x first."""
        return tuple(0.5 * (e[:-1] + e[1:]) for e in self.edges)

    @cached_property
    def grid(self) -> Grid:
        """The grid of the run; stretched edges agree with the stored ones to rounding."""
        lower, upper = [float(e[0]) for e in self.edges], [float(e[-1]) for e in self.edges]
        maps = [_mapping(e) for e in self.edges]
        radial = self.radial if self.radial > 1 else None
        return Grid(lower, upper, [len(e) - 1 for e in self.edges], self.boundary, maps, radial=radial)

    @property
    def levels(self) -> tuple[Array, ...]:
        """The edges on lines on which cells are as long as their volumes, up to a factor; x first."""
        return tuple(levels(e, self.radial) for e in self.edges)

    @property
    def status(self) -> str:
        """How the run ended: "finished", "failed", "interrupted"; "running" also after a kill."""
        return str(self.attributes.get("status", "running"))

    @public
    def number(self, name: str, default: float = float("nan")) -> float:
        """An attribute that is a number.  Raises StoreError where it is none."""
        found = self.attributes.get(name, default)
        if isinstance(found, str):
            raise StoreError(f"{self.path}: {name} is a number; found {shortened(found)}. {DAMAGED}")
        return float(found)

    @property
    def message(self) -> str:
        return str(self.attributes.get("message", ""))

    @property
    def title(self) -> str:
        return joined_lines(str(self.attributes.get("title", self.path.stem)))

    @property
    def rho(self) -> Stored:
        """The densities: run.rho[k] reads snapshot k, an array (nx,) or (ny, nx), from disk."""
        return Stored(self, "rho")

    @cached_property
    def fields(self) -> dict[str, Stored]:
        """What is stored beside the density: run.fields["phi"][k] reads that of snapshot k.

        Raises StoreError where the file names a field that it does not hold.
        """
        with opened(self.path, checked=True) as file:
            found = fields_of(self.path, file, len(self))
            return {name: Stored(self, name, dataset.shape[1:]) for name, dataset in found.items()}

    @cached_property
    def field_labels(self) -> dict[str, Label]:
        """What the fields are."""
        with opened(self.path, checked=True) as file:
            return {name: label_of(self.path, file[name]) for name in self.fields}

    @cached_property
    def field_dims(self) -> dict[str, tuple[str, ...]]:
        """The dimensions of the fields, "t" first, as in the file."""
        with opened(self.path, checked=True) as file:
            return {name: tuple(dimension_name(dim) for dim in file[name].dims) for name in self.fields}

    @cached_property
    def constants(self) -> dict[str, Array]:
        """Arrays of the grid's shape that do not change: "potential" where V came from a table, NaN where it forbids.

        Raises StoreError where the file names one that it does not hold.
        """
        shape = tuple(len(e) - 1 for e in reversed(self.edges))
        with opened(self.path, checked=True) as file:
            found = {}
            for name in str(self.attributes.get("constants", "")).split():
                dataset = file.get(name) if "/" not in name else None
                if not isinstance(dataset, h5py.Dataset) or dataset.shape != shape or dataset.dtype.kind != "f":
                    raise StoreError(f"{self.path} names {shortened(name)} and holds no such array. {DAMAGED}")
                found[name] = np.asarray(dataset[...], dtype=float)
            return found

    @cached_property
    def constant_labels(self) -> dict[str, Label]:
        """What they are."""
        with opened(self.path, checked=True) as file:
            return {name: label_of(self.path, file[name]) for name in self.constants}

    @cached_property
    def code(self) -> dict[str, Array | str]:
        """What stands for functions that were given in Python, by path below /code; {} where there is nothing.

        Raises StoreError for anything but numbers and texts.
        """
        with opened(self.path, checked=True) as file:
            return code_in(file, lambda name: stored_text(self.path, file, name))

    @public
    def find(self, time: float | None = None, index: int | None = None) -> int:
        """The number, from 0, of the snapshot at a time (to 1e-9 of the span) or with an index; else of the last.

        Raises StoreError naming the nearest time where there is none at that time.
        """
        if len(self) == 0:
            raise StoreError(f"{self.path} holds no snapshot: the run stopped before its first one. Run it again.")
        if time is None:
            k = len(self) - 1 if index is None else index
            if not -len(self) <= k < len(self):
                raise StoreError(f"{self.path} holds {len(self)} snapshots; number {k} was asked for.")
            return k % len(self)
        k = int(np.argmin(np.abs(self.t - time)))
        if not abs(self.t[k] - time) <= 1e-9 * max(min(abs(time), 1e300), float(np.ptp(self.t))):
            raise StoreError(f"{self.path} holds no snapshot at t = {time:g}; the nearest is at t = {self.t[k]:.10g}.")
        return k

    @public
    def sample(self, count: int, time: float | None = None, seed: int = 0) -> Array:
        """Independent points from the density at a time (default: the last), (count, dim), x first.

        A cell is drawn by its mass and a place in it evenly.   seed : of the numbers drawn.
        Raises StoreError where there is no snapshot at that time, and CaseError for a density without mass.
        """
        if count < 1:
            raise CaseError(f"sample: expected a number of points ≥ 1, found {count}")
        mass = np.ravel(self.rho[self.find(time)] * self.grid.cell_volume)
        if not (np.all(mass >= 0) and 0 < np.sum(mass) < np.inf):
            raise CaseError(f"{self.path} holds no density with mass at that time")
        random = np.random.default_rng(seed)
        below = np.cumsum(mass)
        cell = np.searchsorted(below / below[-1], random.random(count), side="right")  # never an empty cell
        index = np.unravel_index(cell, self.grid.shape)
        axes = zip(self.grid.axes, reversed(index), strict=True)
        return np.stack([a.edges[i] + a.widths[i] * random.random(count) for a, i in axes], axis=1)

    @cached_property
    def steps(self) -> dict[str, Array]:
        """One array per column of /steps: t, dt, iterations, residual, gap, … and what the scheme added."""
        with opened(self.path, checked=True) as file:
            columns = {name: column(self.path, file["steps"], name) for name in step_names(self.path, file)}
        if "t" not in columns:
            raise StoreError(f"{self.path} holds no times of its steps. {DAMAGED}")
        count = written(columns)
        return Columns(self.path, "column of the steps", {name: values[:count] for name, values in columns.items()})

    @cached_property
    def step_labels(self) -> dict[str, Label]:
        """What the columns of `steps` are."""
        with opened(self.path, checked=True) as file:
            return {name: label_of(self.path, file["steps"][name]) for name in step_names(self.path, file)}

    @cached_property
    def case_toml(self) -> str:
        return self._text("case_toml")

    @cached_property
    def resolved_toml(self) -> str:
        """The case with every default.  Raises StoreError where it is no TOML."""
        text = self._text("resolved_toml")
        try:
            tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise StoreError(f"{self.path}: resolved_toml is no TOML: {error}. {DAMAGED}") from error
        return text

    @cached_property
    def sources(self) -> dict[str, str]:
        """Dotted key of the resolved case → where its value came from: "default", "file", "command line", …"""
        return self._table("sources_json", self._text("sources_json"))

    @property
    def data_files(self) -> dict[str, str]:
        """The data files that it read → their SHA-256."""
        return self._table("data_files", str(self.attributes.get("data_files") or ""))

    def _table(self, name: str, text: str) -> dict[str, str]:
        """What a text of the file holds as JSON; {} where there is none.  Raises StoreError for anything but texts."""
        try:
            found = json.loads(text or "{}")
        except ValueError as error:
            raise StoreError(f"{self.path}: {name} is no JSON: {error}. {DAMAGED}") from error
        if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
            raise StoreError(f"{self.path}: {name} is no table of texts. {DAMAGED}")
        return found

    def _text(self, name: str) -> str:
        with opened(self.path, checked=True) as file:
            return stored_text(self.path, file, name)


def read(path: str | os.PathLike[str]) -> Run:
    """Open a run folder or its HDF5 file.

    Raises StoreError for a missing, truncated, foreign or newer file.
    """
    file_path = find(path)
    with opened(file_path) as file:
        attributes = attributes_of(file_path, file)
        axes = [name for name in ("x", "y") if name in file]
        group = file["diagnostics"]
        order = str(plain_attribute(file_path, group, "order")).split()
        columns = {name: column(file_path, group, name) for name in order}
        edges = tuple(edges_of(file_path, file, a) for a in axes)
        t, rho = column(file_path, file, "t"), file["rho"]
        if not axes or rho.shape[1:] != tuple(len(e) - 1 for e in reversed(edges)) or rho.dtype.kind != "f":
            raise StoreError(f"{file_path}: rho has another shape than the grid. {DAMAGED}")
        count = min(written({"t": t} | columns), rho.shape[0])
        return Run(
            path=file_path,
            attributes=attributes,
            t=t[:count],
            edges=edges,
            boundary=tuple(boundary_in(file_path, file[a]) for a in axes),
            radial=radial_of(file_path, file[axes[0]]),
            diagnostics=Columns(file_path, "diagnostic", {name: values[:count] for name, values in columns.items()}),
            labels={name: label_of(file_path, group[name]) for name in columns},
        )


def read_last(path: str | os.PathLike[str]) -> tuple[Array, tuple[Array, ...], float, int]:
    """(rho, cell edges per axis with x first, t, `radial`) of the last snapshot of a run."""
    run = read(path)
    if len(run) == 0:
        raise StoreError(f"{run.path} holds no snapshot: the run stopped before its first one. Run it again.")
    return run.rho[-1], run.edges, float(run.t[-1]), run.radial


def _mapping(edges: Array) -> Callable[[Array], Array]:
    """The map of s = k/n to edge k, both scaled to [0, 1]."""
    s = np.arange(len(edges)) / (len(edges) - 1)
    return lambda places: np.interp(places, s, (edges - edges[0]) / (edges[-1] - edges[0]))
