"""The figure of a sweep: a number over one key as a line, over two as a map, over more as lines side by side.

A key whose values are words has a line, or a place on the axis, for each.  "rho" is drawn as small multiples.
"""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ....errors import CaseError
from ....grid import Array
from ....store import Study
from ...shown_values import QUIETLY
from .. import style
from ..symbols import symbol_of
from .small_multiples import density_panels

MOST_LINES = 12
"""Lines in one panel."""
MARKERS = "osD^v<>pXP*h"
FEW_TICKS = 7
"""Values of a key that are ticks themselves, where there are no more."""
LARGEST = 1e300
"""A key with a value beyond it has no axis, whose ends would be larger still: its values are shown as words are."""
LOG_SPREAD = 30.0
"""Positive values of a key that are spread by more are on a logarithmic axis, where that spaces them evenly."""


@dataclass(frozen=True)
class Key:
    """A key that is varied.   name : of its dimension.   key : of the case.   values : numbers or words."""

    name: str
    key: str
    values: Array

    @property
    def numeric(self) -> bool:
        return self.values.dtype.kind == "f" and bool(np.all(np.abs(self.values) <= LARGEST))

    @property
    def places(self) -> Array:
        """Where its values are on an axis."""
        return self.values if self.numeric else np.arange(len(self.values), dtype=float)

    @property
    def logarithmic(self) -> bool:
        """Whether its values are spread evenly in their logarithms, over more than a decade or so."""
        v = self.values
        if not self.numeric or len(v) < 3 or not np.all(v > 0) or v.max() < LOG_SPREAD * v.min():
            return False
        even, log = np.diff(np.sort(v)), np.diff(np.log(np.sort(v)))
        return float(np.ptp(log) / log.max()) < float(np.ptp(even) / even.max())

    def text(self, k: int) -> str:
        value = self.values[k]
        return style.number(float(value)) if self.numeric else style.plain(value)


@QUIETLY
def draw_sweep(study: Study, path: Path, field: str = "") -> Path:
    """Draw a study of the kind "sweep"; returns the path.

    field : a diagnostic, or "rho"; by default the energy, or the first diagnostic there is.
    Raises CaseError for what the sweep does not hold, StoreError where `path` cannot be written.
    """
    keys = keys_of(study)
    _check_keys(study, keys)
    name = field or default_field(study)
    with style.context():
        figure = density_panels(study, keys) if name == "rho" else _figure(study, keys, name)
        style.put_title(figure, study.attributes.get("title", ""))
        return style.save(figure, path)


def _check_keys(study: Study, keys: Sequence[Key]) -> None:
    """Raises CaseError where the keys are not the dimensions of the runs: the file is damaged, or by another hand."""
    dims = study.variables["status"].dims if "status" in study.variables else ()
    zipped = bool(study.attributes.get("zipped", 0))
    own = {study.variables[key.name].dims for key in keys}
    plain = all(key.values.ndim == 1 and len(key.values) for key in keys)
    fitting = own == {("run",)} and dims == ("run",) if zipped else dims == tuple(key.name for key in keys)
    if not (keys and plain and fitting):
        raise CaseError(f"{study.path}: the keys that it names are not the dimensions of its runs; the file is damaged")


def keys_of(study: Study) -> list[Key]:
    """What was varied, in the order of the dimensions."""
    found = {v.long_name: v for v in study.variables.values() if v.description == "What was varied."}
    order = [key for key in str(study.attributes.get("keys", "")).split() if key in found]
    return [Key(found[key].name, key, np.asarray(found[key].values)) for key in order]


def fields_of(study: Study) -> list[str]:
    """The numbers that can be drawn."""
    dims = study.variables["status"].dims if "status" in study.variables else ()
    return [n for n, v in study.variables.items() if v.dims == dims and np.asarray(v.values).dtype.kind == "f" and dims]


def default_field(study: Study) -> str:
    known = fields_of(study)
    return "energy" if "energy" in known else next(iter(known), "")


def _figure(study: Study, keys: Sequence[Key], name: str) -> Figure:
    known = fields_of(study)
    if name not in known or not keys:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"it holds {', '.join(known) or 'none'}"
        raise CaseError(f"the sweep holds no number {name!r} of each run; {hint}")
    values = study[name]
    label = style.plain(study.variables[name].long_name.removesuffix(" at the end"))
    if values.ndim == 1:
        return _lines(keys[:1], values, label)
    if values.ndim == 2 and all(key.numeric and len(key.values) > 1 for key in keys):
        return _map(keys, values, label)
    if values.ndim == 2 and not keys[0].numeric and keys[1].numeric:
        return _lines([keys[1], keys[0]], values.T, label)
    return _lines(keys, values, label)


def _lines(keys: Sequence[Key], values: Array, label: str) -> Figure:
    """Over the first key; a line for each combination of the others."""
    others = keys[1:]
    combinations = list(itertools.product(*(range(len(key.values)) for key in others)))
    shown = combinations[:: -(-len(combinations) // MOST_LINES)]
    figure = style.new_figure((6.4, 4.2))
    axes = figure.subplots()
    for k, combination in enumerate(shown):
        text = ", ".join(f"{symbol_of(key.key)} = {_math(key, i)}" for key, i in zip(others, combination, strict=True))
        look: dict[str, Any] = {
            "color": style.LINES[k % len(style.LINES)],
            "ls": style.DASHES[k // len(style.LINES) % 4],
        }
        if len(shown) > len(style.LINES):
            look = {"color": style.time_colours()(k / max(len(shown) - 1, 1)), "ls": style.DASHES[k % 4]}
        row = values.reshape(len(values), -1)[:, combinations.index(combination)]
        axes.plot(keys[0].places, row, marker=MARKERS[k % len(MARKERS)], ms=4.0, label=text, **look)
    _key_axis(axes, keys[0], "x")
    axes.set_ylabel(label)
    axes.grid(alpha=0.25, lw=0.5)
    style.value_axis(axes, values[np.isfinite(values)], log=False)
    if others:
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), borderaxespad=0.0)
    return figure


def _math(key: Key, k: int) -> str:
    return f"${key.text(k)}$" if key.numeric else key.text(k)


def _map(keys: Sequence[Key], values: Array, label: str) -> Figure:
    """Over two keys, a cell for each run, as wide as its neighbours leave it; runs without a value are grey."""
    figure = style.new_figure((6.4, 4.8))
    axes = figure.subplots()
    x, y = (_borders(key) for key in keys)
    order = np.argsort(keys[0].values), np.argsort(keys[1].values)
    shown = np.ma.masked_invalid(values[np.ix_(*order)].T)
    axes.set_facecolor(style.EMPTY)
    image = axes.pcolormesh(x, y, shown, cmap="viridis", rasterized=True)
    for key, which in zip(keys, "xy", strict=True):
        _key_axis(axes, key, which)
    for side in axes.spines.values():
        side.set_visible(True)
    figure.colorbar(image, ax=axes, label=label, pad=0.02)
    return figure


def _borders(key: Key) -> Array:
    """Between the values of a key, halfway; halfway of their logarithms on a logarithmic axis."""
    v = np.sort(key.values)
    v = np.log(v) if key.logarithmic else v
    middle = 0.5 * (v[1:] + v[:-1])
    edges = np.concatenate([[2 * v[0] - middle[0]], middle, [2 * v[-1] - middle[-1]]])
    return np.exp(edges) if key.logarithmic else edges


def _key_axis(axes: Axes, key: Key, which: str) -> None:
    """The label and the ticks of a key."""
    getattr(axes, f"set_{which}label")(symbol_of(key.key))
    if key.logarithmic:
        getattr(axes, f"set_{which}scale")("log")
    if not key.numeric:
        getattr(axes, f"set_{which}ticks")(list(key.places), labels=[style.plain(word) for word in key.values])
    elif len(key.values) <= FEW_TICKS:
        getattr(axes, f"set_{which}ticks")(
            list(key.places), labels=[f"${key.text(k)}$" for k in range(len(key.values))]
        )
        getattr(axes, f"set_{which}ticks")([], minor=True)
