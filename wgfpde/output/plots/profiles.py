"""Densities in 1D: as a waterfall, each later line raised a step; or over each other, for chosen times and tails.

The exact solution is dashed on every line, the steady state dotted on the last one.  A value that is stored beside the
density has a panel of its own, where there is mass.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from ...grid import Array
from ...store import Run
from ..shown_values import density_of
from . import density_scale, style
from .options import Options, References
from .series import draw_fall

RAISE = 0.22
"""How far each later line of a waterfall is raised, relative to the density scale."""
TICKS = 300
"""Most particles that are shown below a line."""
NAMED = 6
"""Up to so many chosen times are named in a legend; more are told by the colour bar."""


def figure_1d(run: Run, options: Options, known: References) -> Figure:
    """The densities, the error below where it is asked for, and how the energy falls."""
    picks = options.picks(run)
    valued = style.has_value(run)
    heights = [2.2, *([1.0] if options.error else []), *([1.0] if valued else []), 1.0]
    figure = style.new_figure((7.0, 2.0 + 1.82 * (sum(heights) - 1.0)))
    axes = figure.subplots(len(heights), 1, height_ratios=heights)
    named = (options.chosen or options.log) and len(picks) <= NAMED
    colours = style.line_colours(run, picks, named)
    if options.chosen or options.log:
        _draw_overlay(axes[0], run, picks, known, options.log, colours)
    else:
        _draw_waterfall(axes[0], run, picks, known, colours)
    if options.vmin is not None or options.vmax is not None:
        axes[0].set_ylim(options.vmin, options.vmax)
    if not named:
        bar = ScalarMappable(style.time_scale(run), style.time_colours())
        figure.colorbar(bar, ax=axes[: len(heights) - 1], label="$t$", pad=0.015)
    if options.error:
        _draw_error(axes[1], run, picks, known, colours)
    if valued:
        _draw_value(axes[-2], run, picks, colours)
    draw_fall(axes[-1], run)
    style.set_title(figure, run)
    return figure


def lines_on(axes: Axes, run: Run, options: Options, known: References) -> None:
    """The densities at the times chosen as lines from one base, into axes of the caller."""
    picks = options.picks(run)
    colours = style.line_colours(run, picks, len(picks) <= NAMED)
    _draw_overlay(axes, run, picks, known, options.log, colours)
    if options.vmin is not None or options.vmax is not None:
        axes.set_ylim(options.vmin, options.vmax)


def _draw_value(axes: Axes, run: Run, picks: list[int], colours: list[Any]) -> None:
    """u over x, from one base, where there is mass to be driven by it."""
    lines = [style.value_where_mass_is(run, k) for k in picks]
    for line, colour in zip(lines, colours, strict=True):
        axes.plot(run.centers[0], line, color=colour, lw=1.1)
    shown = np.concatenate(lines)
    if np.any(np.isfinite(shown)):
        style.value_axis(axes, shown[np.isfinite(shown)], log=False)
    axes.set_ylabel(r"$u - \langle u\rangle$")
    _x_axis(axes, run)


def _draw_waterfall(axes: Axes, run: Run, picks: list[int], known: References, colours: list[Any]) -> None:
    """Each later line raised a step; the ticks belong to the first, in front."""
    profiles = [density_of(run, k) for k in picks]
    top = density_scale.top([float(rho.max()) for rho in profiles])
    step = RAISE * top
    x = run.centers[0]
    for place in reversed(range(len(picks))):
        base, rho, t = place * step, profiles[place], float(run.t[picks[place]])
        depth = 2.0 - 0.01 * place
        axes.fill_between(x, base, base + rho, color="white", alpha=0.75, lw=0, zorder=depth)
        axes.plot(x, base + rho, color=colours[place], lw=1.2, zorder=depth + 0.004)
        _draw_particles(axes, run, picks[place], base, colours[place], depth + 0.004)
        exact = known.at(t)
        if exact is not None:
            axes.plot(x, base + exact, **style.EXACT | {"lw": 0.7}, zorder=depth + 0.005)
    last = (len(picks) - 1) * step
    if known.steady is not None:
        axes.plot(x, last + known.steady, **style.STEADY, zorder=2.0)
    _x_axis(axes, run)
    peaks = [place * step + min(float(rho.max()), top) for place, rho in enumerate(profiles)]
    if known.steady is not None:
        peaks.append(last + min(float(known.steady.max()), top))
    axes.set_ylim(0.0, 1.05 * max(peaks) if max(peaks) > 0 else 1.0)
    ticks = MaxNLocator(4, steps=[1, 2, 5, 10]).tick_values(0.0, top)
    axes.set_yticks([tick for tick in ticks if 0.0 <= tick <= 1.05 * top])
    axes.set_ylabel(_density_label(run) + (", later times raised" if len(picks) > 1 else ""))
    _legend(axes, [], known)


def _draw_particles(axes: Axes, run: Run, k: int, base: float, colour: Any, depth: float) -> None:
    """A tick below the density for each of some particles."""
    places = style.particles_of(run, k, TICKS)
    if places is not None:
        axes.plot(places[:, 0], np.full(len(places), base), "|", color=colour, ms=5, mew=0.5, alpha=0.5, zorder=depth)


def _draw_overlay(axes: Axes, run: Run, picks: list[int], known: References, log: bool, colours: list[Any]) -> None:
    """All lines from one base.  On a logarithmic scale a line ends where the density is 0."""
    profiles = [density_of(run, k) for k in picks]
    smallest = density_scale.smallest_positive(profiles)
    norm = density_scale.density_norm([float(rho.max()) for rho in profiles], smallest, log)
    x, named = run.centers[0], []
    for k, rho, colour in zip(picks, profiles, colours, strict=True):
        t = float(run.t[k])
        (line,) = axes.plot(x, _positive(rho) if log else rho, color=colour, lw=1.4)
        if not log:
            _draw_particles(axes, run, k, 0.0, colour, 2.5)
        named.append((line, f"$t = {style.number(t)}$"))
        exact = known.at(t)
        if exact is not None:
            axes.plot(x, _positive(exact) if log else exact, **style.EXACT)
    if known.steady is not None:
        axes.plot(x, _positive(known.steady) if log else known.steady, **style.STEADY)
    _x_axis(axes, run)
    handles: list[tuple[Line2D | Patch, str]] = list(named) if len(picks) <= NAMED else []
    if log:
        below = any(np.any((rho > 0) & (rho < norm.vmin)) for rho in profiles)
        style.value_axis(axes, np.array([norm.vmin, norm.vmax]), log=True)
        axes.set_ylim(float(norm.vmin or 0) / 1.5, 2.0 * max(float(rho.max()) for rho in profiles))
        axes.set_ylabel(density_scale.density_label(norm, below))
        handles += _mark_empty(axes, run, profiles[-1])
    else:
        axes.set_ylim(0.0, 1.05 * float(norm.vmax or 1.0))
        axes.set_ylabel(_density_label(run))
    _legend(axes, handles, known)


def _positive(rho: Array) -> Array:
    """NaN where there is nothing to show on a logarithmic scale."""
    return np.where(rho > 0, rho, np.nan)


def _mark_empty(axes: Axes, run: Run, rho: Array) -> list[tuple[Line2D | Patch, str]]:
    """Grey bands where the last density is exactly 0."""
    empty = np.flatnonzero(rho == 0)
    if empty.size == 0:
        return []
    edges = run.edges[0]
    for block in np.split(empty, np.flatnonzero(np.diff(empty) > 1) + 1):
        axes.axvspan(edges[block[0]], edges[block[-1] + 1], color=style.EMPTY, alpha=0.4, lw=0, zorder=0)
    return [(Patch(color=style.EMPTY, alpha=0.4, lw=0), r"$\rho = 0$ at the last time")]


def _draw_error(axes: Axes, run: Run, picks: list[int], known: References, colours: list[Any]) -> None:
    """ρ − exact, from one base, on an axis that is symmetric about 0."""
    high = 0.0
    for k, colour in zip(picks, colours, strict=True):
        exact = known.at(float(run.t[k]))
        assert exact is not None  # Options.check saw to it
        error = density_of(run, k) - exact
        axes.plot(run.centers[0], error, color=colour, lw=1.1)
        high = max(high, float(np.abs(error).max()))
    axes.axhline(0.0, color=style.GRAPHITE, lw=0.6, zorder=0.5)
    high = high if high > 0 else 1.0
    axes.set_ylim(-1.08 * high, 1.08 * high)
    axes.ticklabel_format(axis="y", style="sci", scilimits=(-2, 4), useMathText=True)
    axes.set_ylabel(r"$\rho - \rho_\mathrm{exact}$")
    _x_axis(axes, run)


def _density_label(run: Run) -> str:
    return r"$\rho(r, t)$" if run.radial > 1 else r"$\rho(x, t)$"


def _x_axis(axes: Axes, run: Run) -> None:
    axes.set_xlim(run.edges[0][0], run.edges[0][-1])
    axes.set_xlabel("$r$" if run.radial > 1 else "$x$")


def _legend(axes: Axes, named: list[tuple[Line2D | Patch, str]], known: References) -> None:
    """Names the lines that are drawn, above the panel, where no curve can lie under them."""
    if known.exact is not None:
        named = [*named, (Line2D([], [], **style.EXACT), "exact")]
    if known.steady is not None:
        named = [*named, (Line2D([], [], **style.STEADY), "Gibbs state")]
    if named:
        handles, labels = zip(*named, strict=True)
        style.legend_above(axes, handles, labels)
