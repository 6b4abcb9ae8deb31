"""Densities in 2D: one map per time over level lines of V, the error below where it is asked for.

A section through the last peak holds the densities against each other, and against an exact solution and a steady
state where these are known: on a map two densities that differ by a few per cent look alike.  A value that is stored
beside the density is drawn over it by lines of equal value.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import ScalarFormatter

from ...errors import CaseError
from ...grid import Array
from ...store import Run
from ..shown_values import density_of
from . import density_scale, style
from .density_scale import MapScale
from .options import Options, References
from .series import draw_fall

PANEL = 3.1
"""Width of a map, in inches."""
COLUMNS = 4
"""Most maps in a row."""
DOTS = 2000
"""Most particles that are shown on a map."""
LEVELS = 9
"""Lines of equal value on a map, about."""
LEVEL: dict[str, Any] = {"color": "#8796a5", "lw": 0.7, "alpha": 0.9}
"""Level lines of V: seen on black, on the pale end of the colours and on white paper."""
LEVELS_OF_V = 6
SECTION: dict[str, Any] = {"color": "#56b4e9", "lw": 0.9, "ls": (0, (6, 4))}
"""Where the section lies."""
ARROWS = 24
"""Arrows along the longer side, at most."""
FAINT = 1e-3
"""Currents below this share of the largest one have no arrow."""


def draw_arrows(axes: Axes, x: Array, y: Array, u: Array, v: Array, colour: str) -> None:
    """Arrows of a current (u, v), (ny, nx), at some of the cells x, y; their lengths are the root of its size."""
    step = -(-max(u.shape) // ARROWS)
    place = slice(step // 2, None, step)
    u, v = (values[place, place] for values in (u, v))
    size = np.hypot(u, v)
    if not size.max() > 0:
        return
    scale = np.where(size > FAINT * size.max(), 1.0 / np.sqrt(np.maximum(size * size.max(), 1e-300)), np.nan)
    axes.quiver(x[place], y[place], u * scale, v * scale, color=colour, pivot="mid", scale=ARROWS, width=0.005)


def levels_of(v: Array) -> Array:
    """Levels of V that are drawn, up to its median, beyond which walls crowd the lines; none where V is flat.

    Their distance from the minimum grows like k², so that they are evenly spaced where V is quadratic and small wells
    are seen.
    """
    known = v[np.isfinite(v)]
    low, high = (float(known.min()), float(np.median(known))) if known.size else (0.0, 0.0)
    if not high > low:
        return np.empty(0)
    return np.asarray(low + (high - low) * (np.arange(1, LEVELS_OF_V + 1) / LEVELS_OF_V) ** 2)


def draw_levels(axes: Axes, x: Array, y: Array, v: Array) -> bool:
    """Level lines of V, (ny, nx); whether there are any."""
    levels = levels_of(v)
    if not levels.size:
        return False
    axes.contour(
        x, y, np.ma.masked_invalid(v), levels=levels, colors=LEVEL["color"], linewidths=LEVEL["lw"],
        alpha=LEVEL["alpha"], linestyles="solid",
    )  # fmt: skip
    return True


def figure_2d(run: Run, options: Options, known: References) -> Figure:
    """Maps of the density (and of its error); below, a section through the last peak and how the energy falls."""
    picks = options.picks(run)
    rows = -(-len(picks) // COLUMNS)
    columns = -(-len(picks) // rows)
    kinds = 2 if options.error else 1
    aspect = float(np.ptp(run.edges[1]) / np.ptp(run.edges[0]))
    height = PANEL * min(max(aspect, 0.25), 2.0) + (0.35 if aspect > 0.5 else 0.7)  # a flat box has as many labels
    figure = style.new_figure(
        (max(PANEL * columns + 1.1, 7.4), kinds * rows * height + 0.6 + 2.7), space=0.06, pad=0.12
    )
    upper, lower = figure.subfigures(2, 1, squeeze=False, height_ratios=[kinds * rows * height + 0.5, 2.4])[:, 0]
    axes = upper.subplots(kinds * rows, columns, sharex=True, sharey=True, squeeze=False)
    maps = _in_use(axes[:rows], len(picks))
    fields = [density_of(run, k) for k in picks]
    scale = density_scale.map_scale([density_scale.extremes(rho) for rho in fields], options)
    named = _draw_densities(maps, columns, run, picks, scale, options, known)
    if options.error:
        _draw_errors(_in_use(axes[rows:], len(picks)), columns, run, picks, known)
    section, fall = lower.subplots(1, 2)
    place = _draw_section(section, run, picks, known, scale, options.log)
    if place is not None:
        maps[-1].axhline(place, **SECTION)
        named.append(Line2D([], [], **SECTION, label="section"))
    upper.legend(handles=named, loc="outside lower right", ncols=len(named), borderaxespad=0.0)
    draw_fall(fall, run)
    style.set_title(upper, run)
    return figure


def map_on(axes: Axes, run: Run, options: Options, known: References) -> None:
    """One density as a map, the last where no time is chosen, into axes of the caller.  Raises CaseError for more."""
    picks = options.picks(run) if options.chosen else [len(run) - 1]
    if len(picks) != 1:
        raise CaseError(f"ax: one map has room in it, {len(picks)} times were chosen; choose one, or leave ax out")
    scale = density_scale.map_scale([density_scale.extremes(density_of(run, picks[0]))], options)
    _draw_densities([axes], 1, run, picks, scale, options, known)
    axes.set_xlabel("$x$")
    axes.set_ylabel("$y$")


def _in_use(table: np.ndarray, count: int) -> list[Axes]:
    """The first `count` of a table of axes, labelled along the outer sides; those left over are removed."""
    axes: list[Axes] = list(table.flat)
    for empty in axes[count:]:
        empty.remove()
    columns = table.shape[1]
    for k, one in enumerate(axes[:count]):
        lowest = k + columns >= count  # of its column, also where the last row is cut short
        one.tick_params(labelbottom=lowest)
        one.set_xlabel("$x$" if lowest else "")
        one.set_ylabel("$y$" if k % columns == 0 else "")
    return axes[:count]


def _draw_densities(
    maps: list[Axes], columns: int, run: Run, picks: list[int], scale: MapScale, options: Options, known: References
) -> list[Patch | Line2D]:
    """The maps; returns what their legend names."""
    named: list[Patch | Line2D] = [Patch(color=style.EMPTY, label=r"$\rho = 0$")] if options.log and scale.empty else []
    valued, levels = style.has_value(run), False
    for axes, k in zip(maps, picks, strict=True):
        rho = density_of(run, k)
        values = scale.shown(rho)
        shown = np.ma.masked_equal(values, 0.0) if options.log else values
        image = _draw_map(axes, run, shown, scale.norm, options.cmap)
        if known.potential is not None and not valued:
            levels = draw_levels(axes, run.centers[0], run.centers[1], known.potential)
        _draw_particles(axes, run, k)
        _draw_value(axes, run, k)
        axes.set_title(scale.title(float(run.t[k]), rho))
    _draw_bars(maps, columns, image, label=scale.label(), extend=scale.extend)
    named += [Line2D([], [], color=style.GRAPHITE, lw=0.7, label="equal $u$")] if valued else []
    return [*named, *([Line2D([], [], **LEVEL, label="equal $V$")] if levels else [])]


def _draw_particles(axes: Axes, run: Run, k: int) -> None:
    """A dot for each of some particles."""
    places = style.particles_of(run, k, DOTS)
    if places is not None:
        axes.plot(*places.T, ".", color="white", ms=2.2, mew=0.0, alpha=0.8, rasterized=True)


def _draw_value(axes: Axes, run: Run, k: int) -> None:
    """Lines of equal value, where there is mass to be driven across them."""
    if not style.has_value(run):
        return
    value = np.ma.masked_invalid(style.value_where_mass_is(run, k))
    if value.count() and np.ptp(value.compressed()) > 0:
        axes.contour(*run.centers, value, LEVELS, colors="white", linewidths=0.6, linestyles="solid", alpha=0.8)


def _draw_map(axes: Axes, run: Run, values: Array, norm: Normalize, colours: str | None = None) -> QuadMesh:
    """Cells as they are, stretched ones too; an image inside a vector file."""
    image = axes.pcolormesh(*run.edges, values, cmap=style.density_colours(colours), norm=norm, rasterized=True)
    axes.set_aspect("equal")
    style.map_axes(axes)
    return image


def _draw_bars(maps: list[Axes], columns: int, image: QuadMesh, **words: Any) -> None:
    """A colour bar at the right end of each full row, exactly as high as its maps."""
    for last in maps[columns - 1 :: columns]:
        last.figure.colorbar(image, cax=last.inset_axes((1.05, 0.0, 0.06, 1.0)), **words)


def _draw_errors(maps: list[Axes], columns: int, run: Run, picks: list[int], known: References) -> None:
    """ρ − exact, on one scale that is symmetric about 0."""
    errors = []
    for k in picks:
        exact = known.at(float(run.t[k]))
        assert exact is not None  # Options.check saw to it
        errors.append(density_of(run, k) - exact)
    high = max(float(np.abs(error).max()) for error in errors) or 1.0
    for axes, error in zip(maps, errors, strict=True):
        image = _draw_map(axes, run, error, Normalize(-high, high), style.ERROR_MAP)
    powers = ScalarFormatter(useMathText=True)
    powers.set_powerlimits((-2, 4))
    _draw_bars(maps, columns, image, label=r"$\rho - \rho_\mathrm{exact}$", format=powers)


def _draw_section(
    axes: Axes, run: Run, picks: list[int], known: References, scale: MapScale, log: bool
) -> float | None:
    """ρ along x through the peak of the last density, with what it is held against; returns that y.

    Of particles, whose histogram is rough in a row of cells, its sum over y, and None.   Where each map has its own
    scale so has each line: all are relative to the peaks of the maps, or to their own.
    """
    fields, x = [density_of(run, k) for k in picks], run.centers[0]
    row = None if "position" in run.fields else _peak_row(fields[-1])
    heights = np.diff(run.edges[1])

    def cut(rho: Array) -> Array:
        return rho[row] if row is not None else heights @ rho

    lines = [cut(rho) for rho in fields]
    tops = [float((rho if row is not None else line).max()) for rho, line in zip(fields, lines, strict=True)]
    units = [top if scale.apart and top > 0 else 1.0 for top in tops]
    named = []
    for k, line, unit, colour in zip(picks, lines, units, style.line_colours(run, picks, named=True), strict=True):
        t = float(run.t[k])
        named += axes.plot(x, _visible(line / unit, log), color=colour, label=f"$t = {style.number(t)}$")
        exact = known.at(t)
        if exact is not None:
            axes.plot(x, _visible(cut(exact) / unit, log), **style.EXACT)
    named += [Line2D([], [], **style.EXACT, label="exact")] if known.exact is not None else []
    if known.steady is not None:
        axes.plot(x, _visible(cut(known.steady) / units[-1], log), **style.STEADY)
        named.append(Line2D([], [], **style.STEADY, label="Gibbs state"))
    smallest = density_scale.smallest_positive(fields)
    peaks = [float(line.max()) / unit for line, unit in zip(lines, units, strict=True)]
    norm = density_scale.density_norm(peaks, smallest, log)
    if isinstance(norm, LogNorm):
        style.value_axis(axes, np.array([norm.vmin, norm.vmax]), log=True)
        axes.set_ylim(float(norm.vmin or 0.0) / 1.5, 2.0 * float(norm.vmax or 1.0))
    else:
        axes.set_ylim(0.0, 1.08 * float(norm.vmax or 1.0))
    axes.set_xlim(run.edges[0][0], run.edges[0][-1])
    axes.set_xlabel("$r$" if run.radial > 1 else "$x$")
    y = None if row is None else float(run.centers[1][row])
    words = r"\int\rho\,\mathrm{d}y" if y is None else rf"\rho(x, {{{style.number(y, 3)}}})"
    share = "" if not scale.apart else r"/\max" if y is None else r"/\max\rho"
    axes.set_ylabel(f"${words}{share}$")
    style.legend_above(axes, named, [str(line.get_label()) for line in named])
    return y


def _peak_row(rho: Array) -> int:
    """The row that holds the peak; of rows that share it up to rounding, the one nearest to the middle."""
    tops = rho.max(axis=1)
    rows = np.flatnonzero(tops >= (1 - 1e-6) * tops.max())
    return int(rows[np.argmin(np.abs(rows - 0.5 * (len(tops) - 1)))])


def _visible(values: Array, log: bool) -> Array:
    """NaN where a logarithmic scale has nothing to show."""
    return np.where(values > 0, values, np.nan) if log else values
