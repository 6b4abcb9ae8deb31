"""The figure of a study of exits: mean time to leave, where it leaves or how it goes there, and what is left late.

With a committor its panel shows it in 1D beside the density of reactive mass, and in 2D under arrows of the reactive
current, whose lengths are the root of its size; without one, of several exits the probability of each, in 2D of the
first.  With times, survival and the first-passage density have a panel of their own.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ...grid import Array
from ...store import Study
from . import density_scale, style
from .maps import LEVEL, draw_arrows, draw_levels

SPREAD = 100.0
"""Mean times that span more than this are drawn on a logarithmic scale."""
COMMITTOR_MAP = "RdBu"

Panel = Callable[[Axes, Study], None]


def exits_figure(study: Study) -> Figure:
    """The figure of a study of the kind "exits"."""
    with style.context():
        figure = _figure(study, _panels(study))
        style.put_title(figure, study.attributes.get("title", ""))
        return figure


def _panels(study: Study) -> list[Panel]:
    """Who draws what, in 1D or 2D."""
    time, committor, shares, density = (
        (_time_line, _committor_line, _exit_lines, _density_lines),
        (_time_map, _committor_map, _exit_map, _density_map),
    )[study["mean_time"].ndim - 1]
    panels: list[Panel] = [time]
    if "committor" in study.variables:
        panels.append(committor)
    elif len(study["exit"]) > 1:
        panels.append(shares)
    panels.append(density)
    return [*panels, _survival] if "t" in study.variables else panels


def _figure(study: Study, panels: list[Panel]) -> Figure:
    width, height = 4.4, 3.9
    if study["mean_time"].ndim == 2:
        x, y = _edges(study, "x"), _edges(study, "y")
        height = min(max(4.4 * (y[-1] - y[0]) / (x[-1] - x[0]), 2.6), 6.0) + 0.5
    figure = style.new_figure((width * len(panels), height))
    for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        panel(axes, study)
    return figure


# ---- 1D ----------------------------------------------------------------------------------------------------


def _time_line(axes: Axes, study: Study) -> None:
    """The mean time from each place, and that from the start."""
    x, time = study["x"], _shown(study["mean_time"])
    finite = time[np.isfinite(time)]
    style.value_axis(axes, finite, log=finite.size > 0 and finite.max() > SPREAD * finite.min())
    axes.plot(x, time, color=style.INK)
    mean = float(study.attributes["mean_time"])
    axes.axhline(mean, **style.STEADY, label=rf"from the start: ${style.number(mean, 5)}$")
    _finish_line(axes, study, r"mean time to leave, $T(x)$")
    style.legend_above(axes)


def _committor_line(axes: Axes, study: Study) -> None:
    """The committor, and the density of reactive mass in the background."""
    x, density = study["x"], study["reactive_density"]
    if density.max() > 0:
        axes.fill_between(
            x, 0.95 * density / density.max(), color=style.GRAPHITE, alpha=0.2, lw=0, label="reactive mass, scaled"
        )
    axes.plot(x, study["committor"], color=style.INK, label="committor")
    axes.set_ylim(0.0, 1.02)
    _finish_line(axes, study, "committor")
    style.legend_above(axes)


def _exit_lines(axes: Axes, study: Study) -> None:
    for k, name in enumerate(study["exit"][: len(style.LINES)]):
        values = study[f"exit_{name}"]
        axes.plot(study["x"], values, color=style.LINES[k], ls=style.DASHES[k], label=style.plain(name))
    axes.set_ylim(0.0, 1.02)
    _finish_line(axes, study, "probability to leave by")
    style.legend_above(axes)


def _density_lines(axes: Axes, study: Study) -> None:
    """The quasi-stationary density and the start."""
    late, start = study["quasi_stationary"], study["start"]
    axes.plot(study["x"], late, color=style.INK, label="quasi-stationary")
    axes.plot(study["x"], start, color=style.LINES[1], ls=style.DASHES[1], label="start")
    axes.set_ylim(0.0, 1.08 * density_scale.top([float(start.max()), float(late.max())]))
    _finish_line(axes, study, r"density, of mass 1")
    style.legend_above(axes)


def _finish_line(axes: Axes, study: Study, label: str) -> None:
    edges = _edges(study, "x")
    axes.set_xlim(edges[0], edges[-1])
    axes.set_xlabel("$x$")
    axes.set_ylabel(label)


# ---- 2D ----------------------------------------------------------------------------------------------------


def _time_map(axes: Axes, study: Study) -> None:
    time = np.ma.masked_invalid(_shown(study["mean_time"]))
    log = time.count() > 0 and time.max() > SPREAD * time.min()
    norm = LogNorm(time.min(), time.max()) if log else Normalize(0.0, time.max() if time.count() else 1.0)
    _map(axes, study, time, norm, style.TIME_MAP, "mean time to leave")
    if draw_levels(axes, study["x"], study["y"], study["potential"]):
        style.legend_above(axes, [Line2D([], [], **LEVEL)], ["equal $V$"])


def _committor_map(axes: Axes, study: Study) -> None:
    """The committor, and arrows of the reactive current."""
    _map(axes, study, study["committor"], Normalize(0.0, 1.0), COMMITTOR_MAP, "committor and reactive current")
    current = [study[f"reactive_current_{name}"] for name in ("x", "y")]
    draw_arrows(axes, study["x"], study["y"], current[0], current[1], "black")


def _exit_map(axes: Axes, study: Study) -> None:
    name = str(study["exit"][0])
    _map(axes, study, study[f"exit_{name}"], Normalize(0.0, 1.0), style.TIME_MAP, f"probability to leave by {name}")


def _density_map(axes: Axes, study: Study) -> None:
    values = study["quasi_stationary"]
    norm = Normalize(0.0, float(values.max()))
    _map(axes, study, values, norm, style.density_colours(), "quasi-stationary density")


def _map(axes: Axes, study: Study, values: Array, norm: Normalize, colours: object, title: str) -> None:
    x, y = _edges(study, "x"), _edges(study, "y")
    image = axes.pcolormesh(x, y, values, cmap=colours, norm=norm, rasterized=True)  # type: ignore[arg-type]
    axes.set_aspect("equal")
    style.map_axes(axes)
    axes.set_xlabel("$x$")
    axes.set_ylabel("$y$")
    axes.set_title(style.plain(title))
    axes.figure.colorbar(image, cax=axes.inset_axes((1.04, 0.0, 0.06, 1.0)))


# ---- over time ---------------------------------------------------------------------------------------------


def _survival(axes: Axes, study: Study) -> None:
    """S on the left, f on an axis of its own."""
    t, density = study["t"], study["first_passage_density"]
    axes.plot(t, study["survival"], color=style.INK, label="survival $S$")
    axes.set_ylim(0.0, 1.05)
    style.time_axis(axes, t)
    axes.set_ylabel("$S(t)$")
    second = axes.twinx()
    second.spines["right"].set_visible(True)
    second.plot(t, density, color=style.LINES[1], ls=style.DASHES[1], label="first-passage density $f$")
    second.set_ylim(0.0, 1.08 * (float(density[1:].max()) or 1.0))
    second.set_ylabel("$f(t)$")
    lines = [*axes.get_lines(), *second.get_lines()]
    style.legend_above(axes, lines, [str(line.get_label()) for line in lines])


# ---- data --------------------------------------------------------------------------------------------------


def _shown(time: Array) -> Array:
    """NaN where there is nothing to show: in sinks, and where it never ends."""
    return np.where(np.isfinite(time) & (time > 0), time, np.nan)


def _edges(study: Study, name: str) -> Array:
    bounds = study[f"{name}_bnds"]
    return np.append(bounds[:, 0], bounds[-1, 1])
