"""A few runs in one figure: in 1D their last densities over each other, in 2D side by side; their energies in time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ....errors import CaseError
from ....store import Run
from ...shown_values import QUIETLY
from .. import style
from ..density_scale import density_norm

MOST = 12
"""Runs in one figure."""


@QUIETLY
def draw_overlaid(
    runs: Sequence[Run], path: Path, field: str = "rho", time: float | None = None, log: bool = False
) -> Path:
    """Draw runs of one dimension; returns the path.

    field : "rho" — densities at a time, the last by default, above the energies — or the name of a diagnostic.
    Raises CaseError for runs that do not go into one figure or record no such diagnostic, StoreError where there is no
    snapshot at that time, or `path` cannot be written.
    """
    if len(runs) > MOST:
        raise CaseError(f"at most {MOST} runs go into one figure; found {len(runs)}")
    if len({run.dim for run in runs}) > 1:
        raise CaseError("runs in 1D and in 2D do not go into one figure; plot them apart")
    names = _names(runs)
    with style.context():
        if field == "rho":
            figure = _profiles(runs, names, time, log) if runs[0].dim == 1 else _maps(runs, names, time)
        else:
            figure = style.new_figure((7.0, 4.2))
            _series(figure.subplots(), runs, names, field)
        return style.save(figure, path)


def _names(runs: Sequence[Run]) -> list[str]:
    """What tells them apart: folders, or titles where those differ and folders do not."""
    folders = [run.folder.name for run in runs]
    titles = [run.title for run in runs]
    return [style.plain(text) for text in (titles if len(set(folders)) < len(set(titles)) else folders)]


def _look(k: int, count: int) -> dict[str, Any]:
    if count <= len(style.LINES):
        return {"color": style.LINES[k], "ls": style.DASHES[k]}
    return {"color": style.time_colours()(k / (count - 1)), "ls": style.DASHES[k % len(style.DASHES)]}


def _profiles(runs: Sequence[Run], names: Sequence[str], time: float | None, log: bool) -> Figure:
    figure = style.new_figure((7.0, 6.4))
    above, below = figure.subplots(2, 1, height_ratios=[1.5, 1.0])
    for k, (run, name) in enumerate(zip(runs, names, strict=True)):
        at = run.find(time)
        above.plot(
            run.centers[0], run.rho[at], label=f"{name}, $t = {style.number(float(run.t[at]))}$", **_look(k, len(runs))
        )
    if log:
        above.set_yscale("log")
    else:
        above.set_ylim(bottom=0.0)
    above.set_xlabel("$x$")
    above.set_ylabel(r"$\rho$")
    _legend(above)
    _series(below, runs, names, "energy", legend=False)
    return figure


def _maps(runs: Sequence[Run], names: Sequence[str], time: float | None) -> Figure:
    columns = min(len(runs), 4)
    lines = -(-len(runs) // columns)
    figure = style.new_figure((3.1 * columns + 0.6, 3.2 * lines + 2.6))
    parts: Any = figure.subfigures(2, 1, height_ratios=[3.2 * lines, 2.6])
    above, below = parts
    table = above.subplots(lines, columns, squeeze=False)
    for k, axes in enumerate(table.flat):
        if k >= len(runs):
            axes.remove()
            continue
        run = runs[k]
        at = run.find(time)
        rho = run.rho[at]
        norm = density_norm([float(np.nanmax(rho))], np.inf, log=False)
        image = axes.pcolormesh(
            run.edges[0], run.edges[1], rho, cmap=style.density_colours(), norm=norm, rasterized=True
        )
        axes.set_aspect("equal")
        style.map_axes(axes)
        axes.set_title(f"{names[k]}\n$t = {style.number(float(run.t[at]))}$", fontsize=9)
        above.colorbar(image, ax=axes, shrink=0.7, pad=0.02)
    _series(below.subplots(), runs, names, "energy")
    return figure


def _series(axes: Axes, runs: Sequence[Run], names: Sequence[str], field: str, legend: bool = True) -> None:
    """A diagnostic of all runs over time."""
    for k, (run, name) in enumerate(zip(runs, names, strict=True)):
        if field not in run.diagnostics:
            raise CaseError(f"{run.path} records no {field!r}; it records {', '.join(run.diagnostics)}")
        axes.plot(run.t, run.diagnostics[field], label=name, **_look(k, len(runs)))
    axes.set_ylabel(style.label_of(runs[0], field))
    style.time_axis(axes, np.concatenate([run.t for run in runs]))
    if legend:
        _legend(axes)


def _legend(axes: Axes) -> None:
    """Above the panel, in two columns: names are long."""
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2, borderpad=0.1, borderaxespad=0.2)
