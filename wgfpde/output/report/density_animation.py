"""The density over time, as data for the scripts of a page (density.js, slider.js), with what is said beside it.

1D: numbers, as 32-bit floats, drawn as lines; with the start, and where known the exact and the steady state.
2D: pictures (`grey_frames`), coloured by the browser.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...base.html import Markup, picture, text
from ...grid import Array
from ...store import Run
from ..shown_values import density_of
from .grey_frames import BUDGET, DECADES, MAGMA, averaged, frames, scale_of

MOST = 200
"""Snapshots in an animation; of more, as many at equal distances."""
TINY = float(np.finfo(np.float32).tiny)
Exact = Callable[[float], Array]
INK, FAINT, DASHED, DOTTED = "#1f3b63", "#b4bcc6", "#1f2933", "#d55e00"
LEGEND = {
    "rho": ("ρ(x, t)", INK, "solid"), "start": ("at the start", FAINT, "solid"),
    "exact": ("exact", DASHED, "dashed"), "gibbs": ("steady state", DOTTED, "dotted"),
}  # fmt: skip
"""Lines in 1D: name, colour, style."""


@dataclass(frozen=True)
class Animation:
    """data : for the script, plain values.   still : the last snapshot, where no script runs.   legend : of the lines.

    notes : sentences on what the animation leaves out.
    """

    data: dict[str, Any]
    still: Markup
    legend: Markup
    notes: list[str]


def animated(run: Run, exact: Exact | None = None, gibbs: Array | None = None, budget: int = BUDGET) -> Animation:
    """The animation of a run with at least one snapshot.

    exact : t ↦ cell values, array of the grid's shape.   gibbs : the steady state, likewise; both drawn in 1D only.
    budget : bytes that its densities may take in the page.
    """
    picks = np.unique(np.linspace(0, len(run) - 1, min(len(run), MOST)).round().astype(int)).tolist()
    notes = [f"{len(picks)} of {len(run)} snapshots, evenly chosen."] if len(picks) < len(run) else []
    scale = scale_of(density_of(run, k) for k in picks)
    data = {
        "t": [float(run.t[k]) for k in picks],
        "x": [float(run.edges[0][0]), float(run.edges[0][-1])],
        "top": scale.top, "low": scale.low, "high": scale.high, "peak": scale.peak, "zero": scale.zero,
        "across": "r" if run.radial > 1 else "x",
    }  # fmt: skip
    apart = run.dim == 2 and bool(scale.tops)
    if apart:
        data["tops"] = list(scale.tops)
        notes.append("The linear scale of each picture ends at its own peak: one scale would leave some of them dark.")
    elif scale.peak > scale.top:
        notes.append(f"The linear scale ends at {scale.top:.3g}; early peaks, up to {scale.peak:.3g}, are cut.")
    if scale.low > 0 and scale.peak > 0 and scale.low <= 1.001 * scale.peak * 10.0**-DECADES:
        notes.append(f"The logarithmic scale spans {DECADES} decades; smaller positive densities lie at its end.")
    if run.dim == 1:
        return _lines(run, picks, data, notes, exact, gibbs, budget)
    return _images(run, picks, data, notes, scale, budget)


def _lines(
    run: Run, picks: Sequence[int], data: dict[str, Any], notes: list[str], exact: Exact | None, gibbs: Array | None,
    budget: int,
) -> Animation:  # fmt: skip
    cells = len(run.centers[0])
    room = int(budget / (16 / 3) / (len(picks) * (1 if exact is None else 2) + 2))
    size = min(cells, max(8, room))

    def thin(rho: Array) -> Array:
        return rho if size == cells else averaged(rho, run.edges, [size])

    lines = {"rho": np.stack([thin(density_of(run, k)) for k in picks])}
    if exact is not None:
        lines["exact"] = np.stack([thin(exact(float(run.t[k]))) for k in picks])
    if gibbs is not None:
        lines["gibbs"] = thin(gibbs)
    if size < cells:
        notes.append(f"Drawn at {size} points, each an average over {cells / size:.3g} cells, to keep the page small.")
    step = np.diff(data["x"])[0] / size
    centers = run.centers[0] if size == cells else data["x"][0] + step * (np.arange(size) + 0.5)
    data |= {"kind": "lines", "centers": _floats(centers)} | {name: _floats(rho) for name, rho in lines.items()}
    data["style"] = {name: {"colour": colour, "dash": style} for name, (_, colour, style) in LEGEND.items()}
    shown = [entry for name, entry in LEGEND.items() if name in lines or name == "start"]
    shown = [(name.replace("x", data["across"]) if c == INK else name, c, s) for name, c, s in shown]
    legend = "".join(f'<span><i style="border-top: 2px {s} {c}"></i>{text(n)}</span>' for n, c, s in shown)
    return Animation(data, _still_line(centers, lines["rho"][-1]), Markup(f'<p class="legend">{legend}</p>'), notes)


def _images(
    run: Run, picks: Sequence[int], data: dict[str, Any], notes: list[str], scale: Any, budget: int
) -> Animation:
    found = frames(run, picks, scale, budget)
    cells = tuple(len(e) - 1 for e in run.edges)
    if (found.width, found.height) != cells:
        drawn = f"{found.width} × {found.height} equal pixels for {cells[0]} × {cells[1]} cells"
        notes.append(f"Drawn on {drawn}: each pixel is the average over what it covers.")
    data |= {
        "kind": "images", "y": [float(run.edges[1][0]), float(run.edges[1][-1])], "width": found.width,
        "height": found.height, "frames": found.pngs, "colours": MAGMA,
    }  # fmt: skip
    still = picture(found.still, f"The density at t = {run.t[picks[-1]]:g}")
    return Animation(data, still, Markup(""), notes)


def _floats(values: Array) -> str:
    """Base64 of little-endian 32-bit floats.  What is positive stays so: no tail becomes vacuum by rounding."""
    rounded = np.where(values > 0, np.maximum(values, TINY), values).astype("<f4")
    return base64.b64encode(rounded.tobytes()).decode("ascii")


def _still_line(x: Array, rho: Array) -> Markup:
    """The last density as a plain drawing."""
    high, span = float(rho.max()) or 1.0, float(np.ptp(x)) or 1.0
    points = " ".join(f"{700 * (a - x[0]) / span:.1f},{300 * (1 - b / high):.1f}" for a, b in zip(x, rho, strict=True))
    line = f'<polyline points="{points}" fill="none" stroke="{INK}" stroke-width="2"/>'
    return Markup(f'<svg viewBox="-5 -5 710 310" role="img" aria-label="The last density">{line}</svg>')
