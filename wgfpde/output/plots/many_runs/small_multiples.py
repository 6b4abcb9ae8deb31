"""The last densities of a sweep, small: in 1D lines in a panel for each value of the later keys, in 2D a map each."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ....errors import CaseError
from ....grid import Array
from ....store import Study
from .. import style
from ..density_scale import density_norm
from ..symbols import symbol_of

if TYPE_CHECKING:
    from .sweep_figure import Key

MOST_PANELS, COLUMNS, MOST_CURVES = 16, 4, 12


def density_panels(study: Study, keys: Sequence[Key]) -> Figure:
    """Raises CaseError where the sweep keeps no densities."""
    if "rho" not in study.variables:
        raise CaseError("the sweep keeps no densities; run it again with --density")
    variable = study.variables["rho"]
    places = [study[name] for name in variable.dims if name in ("x", "y", "x_cell", "y_cell")]
    rho = study["rho"].reshape(-1, *study["rho"].shape[-len(places) :])
    zipped = bool(study.attributes.get("zipped", 0))
    rows = [[k] * len(keys) for k in range(len(rho))]
    if not zipped:
        rows = [list(row) for row in itertools.product(*(range(len(key.values)) for key in keys))]
    if len(places) == 2:
        return _maps(rho, [_label(keys, row) for row in rows], places[1], places[0])
    if zipped or len(keys) == 1:
        return _profiles(rho, [("", list(range(len(rho))))], [_label(keys, row) for row in rows], places[0])
    each = len(rho) // len(keys[0].values)
    groups = [(_label(keys[:1], [i]), list(range(i * each, (i + 1) * each))) for i in range(len(keys[0].values))]
    return _profiles(rho, groups, [_label(keys[1:], row[1:]) for row in rows], places[0])


def _label(keys: Sequence[Key], places: Sequence[int]) -> str:
    parts = [f"${key.text(k)}$" if key.numeric else key.text(k) for key, k in zip(keys, places, strict=True)]
    return ", ".join(f"{symbol_of(key.key)} = {part}" for key, part in zip(keys, parts, strict=True))


def _chosen(count: int, most: int) -> list[int]:
    """At most so many of them, evenly, both ends among them."""
    return sorted({round(k) for k in np.linspace(0, count - 1, min(count, most)).tolist()})


def _profiles(rho: Array, groups: Sequence[tuple[str, list[int]]], labels: Sequence[str], x: Array) -> Figure:
    """A panel for each group, with its title; the lines of all panels have one legend, beside the last."""
    groups = [groups[i] for i in _chosen(len(groups), MOST_PANELS)]
    columns = min(len(groups), COLUMNS)
    lines = -(-len(groups) // columns)
    figure = style.new_figure((3.2 * columns + (3.6 if columns == 1 else 1.8), 2.7 * lines + 0.6))
    table = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True)
    finite = rho[np.isfinite(rho)]
    for axes, group in itertools.zip_longest(table.flat, groups):
        if group is None:
            axes.remove()
            continue
        title, numbers = group
        shown = [numbers[i] for i in _chosen(len(numbers), MOST_CURVES)]
        for n, k in enumerate(shown):
            colour = style.time_colours()(n / max(len(shown) - 1, 1))
            axes.plot(x, rho[k], color=colour, ls=style.DASHES[n % 4] if len(shown) < 5 else "-", label=labels[k])
        axes.set_title(title)
        axes.set_xlabel("$x$")
    table[0, 0].set_ylim(0.0, 1.05 * float(finite.max()) if finite.size else 1.0)
    for row in table:
        row[0].set_ylabel(r"$\rho$")
    handles, words = table[0, 0].get_legend_handles_labels()
    figure.legend(handles, words, loc="outside right center")
    return figure


def _maps(rho: Array, labels: Sequence[str], x: Array, y: Array) -> Figure:
    """A map of each, up to its own peak."""
    shown = _chosen(len(rho), MOST_PANELS)
    columns = min(len(shown), COLUMNS)
    lines = -(-len(shown) // columns)
    figure = style.new_figure((2.6 * columns + 0.6, 2.9 * lines + 0.4))
    table = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True)
    for place, k in itertools.zip_longest(table.flat, shown):
        axes: Axes = place
        if k is None:
            axes.remove()
            continue
        finite = rho[k][np.isfinite(rho[k])]
        norm = density_norm([float(finite.max()) if finite.size else 1.0], np.inf, log=False)
        image = axes.pcolormesh(x, y, rho[k], cmap=style.density_colours(), norm=norm, rasterized=True)
        axes.set_aspect("equal")
        style.map_axes(axes)
        axes.set_title(labels[k].replace(", ", "\n"), fontsize=8)
        figure.colorbar(image, ax=axes, shrink=0.7, pad=0.02).ax.tick_params(labelsize=7)
    return figure
