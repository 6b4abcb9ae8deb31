"""Stationary states as lines (1D) or maps (2D, with arrows of a current), and bifurcation diagrams.

What is stable is drawn solid, what is not dashed; circles mark critical values, squares folds, triangles pitchforks,
and diamonds equal energies of two stable branches.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ...grid import Array
from ...store import Study
from . import density_scale, style
from .maps import draw_arrows
from .symbols import symbol_of

Turn = tuple[float, float, int]
PANEL, COLUMNS = 2.5, 4
"""Width of a map in inches, and most maps in a row."""
WITH_ARROWS = 5.0
"""Width of a map with a current."""
ARROWS = "#56b4e9"
"""Seen on the dark and on the pale end of the densities' colours."""
NAMED = 6
"""Up to so many states are named in the legend of the lines."""
MARKERS = {"fold": "s", "pitchfork": "^", "equal energies": "D"}
BESIDE = 0.02
"""A branch that ends this near to a critical point, relative to the range, begins there."""


def branches_figure(study: Study) -> Figure:
    """The figure of a study of the kind "stationary states" or "bifurcation diagram"."""
    with style.context():
        if study.kind == "bifurcation diagram":
            figure = _diagram(study)
        elif "y" in study.variables:
            figure = _maps(study)
        else:
            figure = _lines(study)
        style.put_title(figure, study.attributes["title"])
        return figure


# ---- states ------------------------------------------------------------------------------------------------


def _lines(study: Study) -> Figure:
    """All densities over x."""
    figure = style.new_figure((7.0, 4.2))
    axes = figure.subplots()
    x, rho = study["x"], study["rho"]
    for k in reversed(range(len(rho))):  # the lowest in front
        axes.plot(x, rho[k], color=style.LINES[k % len(style.LINES)], ls=_dash(study, k), label=_end_text(study, k))
    half = 0.5 * (x[1] - x[0]), 0.5 * (x[-1] - x[-2])
    axes.set_xlim(x[0] - half[0], x[-1] + half[1])
    axes.set_ylim(0.0, 1.05 * float(rho.max()))
    axes.set_xlabel("$x$")
    axes.set_ylabel(r"$\rho_\infty$")
    handles, labels = axes.get_legend_handles_labels()
    shown = [h for h in handles[::-1] if isinstance(h, Line2D)][:NAMED]
    axes.legend(
        shown, labels[::-1][:NAMED], loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2 if len(shown) > 1 else 1,
        borderpad=0.1, borderaxespad=0.2, columnspacing=1.6,
    )  # fmt: skip
    return figure


def _maps(study: Study) -> Figure:
    """A small map of each density, on one colour scale."""
    rho, x, y = study["rho"], study["x"], study["y"]
    count = len(rho)
    rows = -(-count // COLUMNS)
    columns = -(-count // rows)
    panel = PANEL if "current_x" not in study.variables else WITH_ARROWS
    height = panel * min(max(float(np.ptp(y) / np.ptp(x)), 0.3), 2.0) + 0.6
    figure = style.new_figure((panel * columns + 1.0, rows * height + 0.5))
    table = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    norm = density_scale.density_norm([float(rho.max())], density_scale.smallest_positive(list(rho)), log=False)
    used: list[Axes] = list(table.flat)[:count]
    for k, axes in enumerate(used):
        image = axes.pcolormesh(x, y, rho[k], cmap=style.density_colours(), norm=norm, rasterized=True)
        if "current_x" in study.variables:
            draw_arrows(axes, x, y, study["current_x"][k], study["current_y"][k], ARROWS)
        axes.set_aspect("equal")
        style.map_axes(axes)
        axes.set_title(_end_text(study, k).replace(": ", "\n"), fontsize=9)
        axes.set_xlabel("$x$" if k + columns >= count else "")
        axes.set_ylabel("$y$" if k % columns == 0 else "")
    for empty in list(table.flat)[count:]:
        empty.remove()
    figure.colorbar(image, ax=used, label=r"$\rho_\infty$", shrink=0.8, pad=0.02)
    return figure


def _dash(study: Study, k: int) -> object:
    return "-" if study["stable"][k] else style.DASHES[1]


def _end_text(study: Study, k: int) -> str:
    """ "stable: E = −0.5177, μ = −0.395"; of a state with a current "steady, under a force: v = 0.54, D = 0.213"."""
    rate = float(study["eigenvalue"][k])
    if "velocity" in study.variables:
        return (
            rf"steady, under a force: $v = {_by_axis(study, 'velocity', k)}$, $D = {_by_axis(study, 'diffusivity', k)}$"
        )
    kind = "stable" if study["stable"][k] else "unstable" if rate > 0 else "marginal"
    energy = style.number(float(study["energy"][k]))
    return rf"{k}, {kind}: $E = {energy}$, $\mu = {style.number(rate, 3)}$"


def _by_axis(study: Study, name: str, k: int) -> str:
    """ "0.5404", or "(0.0867, 0.0342)"; of a matrix its diagonal.  0 for what rounding leaves beside the largest."""
    value = np.atleast_1d(study[name][k])
    row = np.diagonal(value) if value.ndim == 2 else value
    each = [style.number(0.0 if abs(one) < 1e-13 * np.abs(row).max() else float(one)) for one in row]
    return each[0] if len(each) == 1 else f"({', '.join(each)})"


# ---- diagrams ----------------------------------------------------------------------------------------------


def _diagram(study: Study) -> Figure:
    """Order parameter, energy and leading growth rate over the parameter."""
    figure = style.new_figure((7.0, 8.2))
    panels = figure.subplots(3, 1, sharex=True, height_ratios=[1.5, 1.0, 1.0])
    names = ("measure", "energy", "eigenvalue")
    for number in np.unique(study["branch"]):
        colour = style.LINES[int(number) % len(style.LINES)]
        for axes, name in zip(panels, names, strict=True):
            for places, values, stable in _pieces(study, int(number), name):
                axes.plot(places, values, color=colour, ls="-" if stable else style.DASHES[1])
    for axes, name in zip(panels, names, strict=True):
        axes.grid(alpha=0.25, lw=0.5)
        if "critical" in study.variables:
            marks = np.zeros(len(study["critical"])) if name == "eigenvalue" else study[f"critical_{name}"]
            axes.plot(study["critical_value"], marks, "o", mfc="white", mec="black", mew=1.1, ms=6, zorder=5)
        for kind, marker in MARKERS.items():
            at, marks = _further(study, name, kind)
            axes.plot(at, marks, marker, mfc="white", mec="black", mew=1.1, ms=5, ls="", zorder=5)
    panels[2].axhline(0.0, color=style.GRAPHITE, lw=0.7, zorder=0.5)
    _rates_scale(panels[2], study["eigenvalue"])
    measure = study.variables["measure"]
    panels[0].set_ylabel(style.plain(measure.long_name))
    panels[1].set_ylabel("$E$")
    panels[2].set_ylabel(r"growth rate $\mu$")
    panels[2].set_xlabel(symbol_of(str(study.attributes["key"])))
    handles, labels = _legend(study)
    style.legend_above(panels[0], handles, labels, columns=4 if len(labels) <= 4 else 3)
    return figure


def _pieces(study: Study, number: int, name: str) -> list[tuple[Array, Array, bool]]:
    """A branch cut where it changes stability: (parameters, values, stable); critical points join the pieces.

    A branch that ends beside the critical point of another is drawn on to it.
    """
    chosen = np.flatnonzero(study["branch"] == number)
    places, values = study["parameter"][chosen], study[name][chosen]
    stable = study["stable"][chosen].astype(bool)
    at, own, whose = _marks(study, name)
    turns = _turns(study, name, number)
    ends = [k for k in _beside(study["parameter"], places, at) if number != whose[k]]
    cuts = [0, *(np.flatnonzero(stable[1:] != stable[:-1]) + 1).tolist(), len(places)]
    pieces = []
    for first, last in pairwise(cuts):
        reach = places[max(first - 1, 0)], places[min(last, len(places) - 1)]
        inside = (whose == number) & (at >= min(reach)) & (at <= max(reach))
        for k in ends:
            nearest = 0 if at[k] <= places.min() else len(places) - 1
            inside[k] |= first <= nearest < last
        at_end = [turn[:2] for turn in turns if (last == len(places) if turn[2] > 0 else first == 0)]
        where = np.concatenate([places[first:last], at[inside], [turn[0] for turn in at_end]])
        order = np.argsort(where, kind="stable")
        what = np.concatenate([values[first:last], own[inside], [turn[1] for turn in at_end]])
        pieces.append((where[order], what[order], bool(stable[first])))
    return pieces


def _marks(study: Study, name: str) -> tuple[Array, Array, Array]:
    """Critical points: (parameters, values, branches)."""
    if "critical" not in study.variables:
        return np.zeros(0), np.zeros(0), np.zeros(0)
    at = study["critical_value"]
    return at, np.zeros(len(at)) if name == "eigenvalue" else study[f"critical_{name}"], study["critical_branch"]


def _turns(study: Study, name: str, number: int, kinds: tuple[str, ...] = ("fold", "pitchfork")) -> list[Turn]:
    """Where a branch ends in a fold or a pitchfork: (parameter, value, side)."""
    if "end" not in study.variables:
        return []
    chosen = (study["end_branch"] == number) & np.isin(study["end_kind"], kinds)
    values = np.zeros(len(chosen)) if name == "eigenvalue" else study[f"end_{name}"]
    return list(zip(study["end_value"][chosen], values[chosen], study["end_side"][chosen], strict=True))


def _further(study: Study, name: str, kind: str) -> tuple[Array, Array]:
    """Marks of folds, pitchforks, or equal energies: (parameters, values); rates have none of the last."""
    if kind != "equal energies":
        numbers = np.unique(study["branch"])
        turns = [turn[:2] for number in numbers for turn in _turns(study, name, int(number), (kind,))]
        return (np.array(turns).T[0], np.array(turns).T[1]) if turns else (np.zeros(0), np.zeros(0))
    if "equal" not in study.variables or name == "eigenvalue":
        return np.zeros(0), np.zeros(0)
    if name == "energy":
        return study["equal_value"], study["equal_energy"]
    return np.tile(study["equal_value"], 2), np.concatenate([study["equal_measure"], study["equal_other_measure"]])


def _beside(everywhere: Array, places: Array, at: Array) -> list[int]:
    """The critical point just beyond each end of a branch, if there is one: at most BESIDE of the range away."""
    room, found = BESIDE * float(np.ptp(everywhere)), []
    for gap in (places.min() - at, at - places.max()):
        close = np.flatnonzero((gap >= 0) & (gap <= room))
        if len(close):
            found.append(int(close[np.argmin(gap[close])]))
    return found


def _rates_scale(axes: Axes, rates: Array) -> None:
    """Linear, cut below where a fast decay would flatten what happens at 0."""
    finite = rates[np.isfinite(rates)]
    if finite.size:
        high, low = max(float(finite.max()), 0.0), float(finite.min())
        span = max(high, -float(np.median(np.minimum(finite, 0.0))), 1e-12)
        axes.set_ylim(max(low, -4 * span) - 0.1 * span, high + 0.2 * span)


def _legend(study: Study) -> tuple[list[Line2D], list[str]]:
    handles = [Line2D([], [], color=style.GRAPHITE), Line2D([], [], color=style.GRAPHITE, ls=style.DASHES[1])]
    labels = ["stable", "not stable"]
    if "critical" in study.variables:
        handles.append(Line2D([], [], marker="o", ls="", mfc="white", mec="black", mew=1.1, ms=6))
        values = ", ".join(f"{value:.8g}" for value in np.unique(np.round(study["critical_value"], 10))[:3])
        labels.append(f"critical: {values}")
    for name, marker in MARKERS.items():
        places = list(dict.fromkeys(f"{value:.8g}" for value in np.sort(_further(study, "energy", name)[0])))
        if places:
            handles.append(Line2D([], [], marker=marker, ls="", mfc="white", mec="black", mew=1.1, ms=5))
            labels.append(f"{name}: {', '.join(places[:3])}")
    return handles, labels
