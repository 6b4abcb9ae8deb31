"""Errors over sizes with their slopes: the figure of a convergence study, with what they cost, and those of claims."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from ...grid import Array
from ...store import Study
from . import style
from .symbols import symbol_of

NORMS = {"l1": "$L^1$", "l2": "$L^2$", "linf": r"$L^\infty$", "w2": "$W_2$"}
MARKERS = "osD^v"
BASE = 0.7
"""Of the triangle, as a part of the interval that it stands under."""


def convergence_figure(study: Study) -> Figure:
    """The figure of a study of the kind "convergence", on logarithmic axes.

    Left: each error over the size, with the slopes that are fitted, to halves.   Right: over the wall time.
    """
    errors = _errors(study)
    with style.context():
        figure = style.new_figure((9.6, 4.4))
        left, right = figure.subplots(1, 2, sharey=True)
        if errors:
            shown = np.any(np.array(list(errors.values())) > 0, axis=0)  # the finest run has no distance to itself
            orders = {name: float(study.attributes[f"fitted_{name}"]) for name in errors}
            _draw(left, study["size"], errors, orders)
            _draw(right, study["wall_seconds"], errors, {})
            _slopes(left, study["size"], errors, orders)
            _ticks(left, study["size"][shown])
            _decade(right, study["wall_seconds"][shown])
        else:
            left.text(0.5, 0.5, "no errors", ha="center", transform=left.transAxes)
            left.set(xticks=[], yticks=[])
            right.set_xticks([])
        left.set_xlabel(symbol_of(str(study.attributes["size_key"])))
        left.set_ylabel(_against(study, errors))
        right.set_xlabel("wall time (s)")
        style.put_title(figure, study.attributes["title"])
        return figure


def _errors(study: Study) -> dict[str, Array]:
    """Those that have a value, in the order of NORMS, then others."""
    known = [name.removeprefix("error_") for name in study.variables if name.startswith("error_")]
    names = [*(name for name in NORMS if name in known), *(name for name in known if name not in NORMS)]
    return {name: study[f"error_{name}"] for name in names if np.any(study[f"error_{name}"] > 0)}


def _against(study: Study, errors: dict[str, Array]) -> str:
    text = "error" if study.attributes["against"] == "exact" else "distance to the finest run"
    return text if any(name in NORMS for name in errors) or not errors else "difference to the finest run"


def _draw(axes: Axes, places: Array, errors: dict[str, Array], orders: dict[str, float]) -> None:
    """orders : the fitted ones, for a legend; none without them."""
    axes.set_xscale("log")
    axes.set_yscale("log")
    handles: list[Artist] = [Line2D([], [], ls="none")]
    labels = ["fitted order"]
    for k, (name, values) in enumerate(errors.items()):
        shown = np.isfinite(values) & (values > 0) & (places > 0)
        look: dict[str, Any] = {"color": style.LINES[k % len(style.LINES)], "ls": style.DASHES[k % len(style.DASHES)]}
        handles += axes.plot(places[shown], values[shown], marker=MARKERS[k % len(MARKERS)], ms=4.5, **look)
        label, order = NORMS.get(name, style.plain(name.replace("_", " "))), orders.get(name, np.nan)
        labels.append(f"{label} {order:.2f}" if np.isfinite(order) else label)
    axes.grid(alpha=0.25, lw=0.5, which="both")
    if orders:
        style.legend_above(axes, handles, labels)


def _slopes(axes: Axes, sizes: Array, errors: dict[str, Array], orders: dict[str, float]) -> None:
    """A triangle under all curves at their finest end, with one side for each order that is fitted, to halves."""
    halves = sorted({round(2 * order) / 2 for order in orders.values() if np.isfinite(order) and order > 0.25})
    lowest = min(errors.values(), key=lambda values: float(np.nanmin(values)))
    near = int(np.nanargmin(lowest))
    if not halves or near == 0:
        return
    left, low = float(sizes[near]), 0.2 * float(lowest[near])
    right = left * float(sizes[near - 1] / sizes[near]) ** BASE
    tops = [low * (right / left) ** order for order in halves]
    axes.plot([left, right, right], [low, low, tops[-1]], "-", color=style.GRAPHITE, lw=0.8)
    for order, top in zip(halves, tops, strict=True):
        axes.plot([left, right], [low, top], "-", color=style.GRAPHITE, lw=0.8)
        axes.annotate(f"{order:g}", (right, top), xytext=(4, 0), textcoords="offset points", va="center",
                      color=style.GRAPHITE, fontsize=10)  # fmt: skip
    axes.set_ylim(bottom=0.5 * low)


def _ticks(axes: Axes, sizes: Array) -> None:
    """The sizes themselves where they are few, at most eight of them else."""
    shown = sizes[:: -(-len(sizes) // 8)]
    axes.set_xticks(list(shown), labels=[f"${style.number(float(size), 3)}$" for size in shown])
    axes.xaxis.set_minor_locator(NullLocator())


def _decade(axes: Axes, seconds: Array) -> None:
    """At least a decade of wall time: times that differ by chance look alike."""
    seen = seconds[np.isfinite(seconds) & (seconds > 0)]
    if seen.size:
        low, high = float(seen.min()), float(seen.max())
        room = max((10 * low / high) ** 0.5, 1.25)
        axes.set_xlim(low / room, high * room)
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=7))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"${style.number(value)}$"))
    axes.xaxis.set_minor_formatter(NullFormatter())


# ---- figures of claims: scripts draw into them ---------------------------------------------------------------


def panels(path: Path, count: int, draw: Callable[..., None]) -> Path:
    """Call draw(axes, …) with `count` empty axes side by side, in the style of all figures, and save the picture.

    Raises StoreError where `path` cannot be written.
    """
    with style.context():
        figure = style.new_figure((5.0 * count, 3.9))
        draw(*figure.subplots(1, count, squeeze=False)[0])
        return style.save(figure, path)


def draw_order(axes: Axes, sizes: Sequence[float], errors: Sequence[float], order: int, label: str) -> None:
    """Errors over cell or step sizes, with the slope that is claimed."""
    guide = [errors[-1] * (size / sizes[-1]) ** order for size in sizes]
    axes.loglog(sizes, errors, "o-", color=style.INK, label="measured")
    axes.loglog(sizes, guide, "k--", lw=0.8, label=f"slope {order}")
    axes.set_xticks(list(sizes), labels=[f"{size:.3g}" for size in sizes])
    axes.set_xticks([], minor=True)
    axes.set_xlabel(label)
    axes.set_ylabel(r"$L^1$ error")
    axes.legend(frameon=False)
    axes.grid(alpha=0.25, lw=0.5, which="both")
