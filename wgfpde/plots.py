"""Figures of a run.  The only Matplotlib import.

1D: ρ at the stored times, coloured by time.   2D: ρ at the first, middle and last stored time, one colour
scale.   Below, how the energy falls: (E − E_∞)/κ = KL(ρ | ρ_∞) on a logarithmic axis where a Gibbs state is
known, else E − E_end likewise where that spans decades, else E itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .errors import StoreError
from .grid import Array
from .store import Run, read

matplotlib.use("Agg")

STYLE: dict[Any, Any] = {
    "font.family": "serif", "font.serif": ["STIXGeneral", "DejaVu Serif"], "mathtext.fontset": "cm",
    "font.size": 11, "axes.labelsize": 12, "axes.titlesize": 11, "axes.titlepad": 6.0, "axes.linewidth": 0.7,
    "axes.spines.top": False, "axes.spines.right": False, "xtick.major.width": 0.7, "ytick.major.width": 0.7,
    "xtick.labelsize": 10, "ytick.labelsize": 10, "lines.linewidth": 1.4,
}  # fmt: skip
INK = "#1f3b63"
LINES = 16
"""Most density lines in one panel."""
RAISE = 0.22
"""How far each later line of a waterfall is raised, relative to the density scale."""
DPI = 150


def plot(path: str | os.PathLike[str], out: str | os.PathLike[str] | None = None) -> list[Path]:
    """Draw a run into the folder `out` (default: plots/ beside its file) and return the PNG files.

    path : a run folder or its HDF5 file; also of a run that is going on or was stopped.
    Raises StoreError where the run cannot be read, holds no snapshot, or `out` cannot be written.
    """
    run = read(path)
    if len(run) == 0:
        raise StoreError(f"{run.path} holds no snapshot yet: nothing to draw. Wait for its first one.")
    folder = Path(out) if out is not None else run.folder / "plots"
    with matplotlib.rc_context(STYLE):
        figure = _figure_1d(run) if run.dim == 1 else _figure_2d(run)
        return [_save(figure, folder / "density.png")]


def panels(path: Path, count: int, draw: Callable[..., None]) -> Path:
    """Call draw(axes, …) with `count` empty axes side by side, in the style of all figures, and save as PNG.

    Raises StoreError where `path` cannot be written.
    """
    with matplotlib.rc_context(STYLE):
        figure = _new_figure((5.0 * count, 3.9))
        draw(*figure.subplots(1, count, squeeze=False)[0])
        return _save(figure, path)


def draw_order(axes: Axes, sizes: Sequence[float], errors: Sequence[float], order: int, label: str) -> None:
    """Errors over cell or step sizes, with the slope that is claimed."""
    guide = [errors[-1] * (size / sizes[-1]) ** order for size in sizes]
    axes.loglog(sizes, errors, "o-", color=INK, label="measured")
    axes.loglog(sizes, guide, "k--", lw=0.8, label=f"slope {order}")
    axes.set_xticks(list(sizes), labels=[f"{size:.3g}" for size in sizes])
    axes.set_xticks([], minor=True)
    axes.set_xlabel(label)
    axes.set_ylabel(r"$L^1$ error")
    axes.legend(frameon=False)
    axes.grid(alpha=0.25, lw=0.5, which="both")


def _figure_1d(run: Run) -> Figure:
    figure = _new_figure((7.0, 6.0))
    density, energy = figure.subplots(2, 1, height_ratios=[2.2, 1.0])
    _draw_waterfall(density, run)
    _draw_energy(energy, run)
    _title(figure, run)
    return figure


def _figure_2d(run: Run) -> Figure:
    picks = sorted({0, len(run) // 2, len(run) - 1})
    fields = [run.rho[k] for k in picks]
    panel = 3.1
    aspect = float(np.ptp(run.edges[1]) / np.ptp(run.edges[0]))
    height = panel * min(max(aspect, 0.25), 2.0)
    figure = _new_figure((panel * len(picks) + 1.1, height + 3.1))
    top, bottom = figure.subfigures(2, 1, squeeze=False, height_ratios=[height + 0.7, 2.2])[:, 0]
    panels = top.subplots(1, len(picks), sharey=True, squeeze=False)[0]
    high = _top([float(rho.max()) for rho in fields])
    for axes, k, rho in zip(panels, picks, fields, strict=True):
        image = axes.pcolormesh(*run.edges, rho, cmap="magma", vmin=0.0, vmax=high, rasterized=True)
        axes.set_aspect("equal")
        axes.set_title(f"$t = {_number(float(run.t[k]))}$")
        axes.set_xlabel("$x$")
        for side in axes.spines.values():
            side.set_visible(True)
        axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    panels[0].set_ylabel("$y$")
    above = max(float(rho.max()) for rho in fields) > high
    top.colorbar(image, ax=list(panels), label=r"$\rho$", pad=0.015, extend="max" if above else "neither")
    _draw_energy(bottom.subplots(), run)
    _title(figure, run)
    return figure


def _draw_waterfall(axes: Axes, run: Run) -> None:
    """ρ(x) at up to LINES stored times, each later one raised a step; the ticks belong to the first, in front."""
    picks = np.unique(np.linspace(0, len(run) - 1, min(len(run), LINES)).round().astype(int))
    colours = ListedColormap(matplotlib.colormaps["viridis"](np.linspace(0.0, 0.93, 256)))
    first, last = float(run.t[0]), float(run.t[-1])
    scale = Normalize(first, last if last > first else first + 1.0)
    profiles = [run.rho[k] for k in picks]
    top = _top([float(rho.max()) for rho in profiles])
    step = RAISE * top
    x = run.centers[0]
    for place in reversed(range(len(picks))):
        base, rho = place * step, profiles[place]
        colour = colours(scale(float(run.t[picks[place]])))
        axes.fill_between(x, base, base + rho, color="white", alpha=0.75, lw=0, zorder=2.0 - 0.01 * place)
        axes.plot(x, base + rho, color=colour, lw=1.2, zorder=2.005 - 0.01 * place)
    axes.set_xlim(run.edges[0][0], run.edges[0][-1])
    peaks = [place * step + min(float(rho.max()), top) for place, rho in enumerate(profiles)]
    axes.set_ylim(0.0, 1.05 * max(peaks) if max(peaks) > 0 else 1.0)
    ticks = MaxNLocator(4, steps=[1, 2, 5, 10]).tick_values(0.0, top)
    axes.set_yticks([tick for tick in ticks if 0.0 <= tick <= 1.05 * top])
    axes.set_xlabel("$x$")
    axes.set_ylabel(r"$\rho(x, t)$, later times raised")
    axes.figure.colorbar(ScalarMappable(scale, colours), ax=axes, label="$t$", pad=0.015)


def _draw_energy(axes: Axes, run: Run) -> None:
    """The energy over time, above its limit where that is known or seen."""
    energy = run.diagnostics.get("energy", np.full(len(run), np.nan))
    excess, label = energy - energy[-1], r"$E(t) - E(t_\mathrm{end})$"
    if "kl_gibbs" in run.diagnostics:
        excess, label = run.diagnostics["kl_gibbs"], r"$(E - E_\infty)/\kappa$"
    floor = 1e-15 * max(1.0, float(np.max(np.abs(energy))))
    shown = np.isfinite(excess) & (excess > floor)
    marker = "o" if len(run) <= 60 else ""
    if np.count_nonzero(shown) >= 4 and excess[shown].max() > 10 * excess[shown].min():
        axes.semilogy(run.t[shown], excess[shown], color=INK, marker=marker, markersize=3)
        axes.set_ylabel(label)
    else:
        axes.plot(run.t, energy, color=INK, marker=marker, markersize=3)
        axes.set_ylabel("$E(t)$")
        if _readable(energy):
            axes.ticklabel_format(axis="y", useOffset=False, style="plain")
    axes.set_xlabel("$t$")
    if run.t[-1] > run.t[0]:
        axes.set_xlim(run.t[0], run.t[-1])
    axes.grid(alpha=0.25, lw=0.5)


def _readable(values: Array) -> bool:
    """Whether plain tick labels tell the values apart in few digits."""
    size, spread = float(np.max(np.abs(values))), float(np.ptp(values))
    return 1e-3 < size < 1e5 and spread > 1e-3 * size


def _top(peaks: list[float]) -> float:
    """The upper end of a density scale: the largest peak, but at most twice the largest of the later ones."""
    top = max(peaks)
    if len(peaks) > 1 and max(peaks[1:]) > 0:
        top = min(top, 2 * max(peaks[1:]))
    return top if top > 0 else 1.0


def _title(figure: Figure, run: Run) -> None:
    note = "" if run.status == "finished" else f"  ({run.status})"
    figure.suptitle(f"{run.title}{note}".replace("$", r"\$"), fontsize=13)


def _number(value: float) -> str:
    text = f"{value:.4g}"
    if "e" not in text:
        return text
    mantissa, exponent = text.split("e")
    return rf"{mantissa} \times 10^{{{int(exponent)}}}"


def _new_figure(size: tuple[float, float]) -> Figure:
    """A figure of its own, outside pyplot: nothing to close, no window."""
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _save(figure: Figure, path: Path) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=DPI)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}. Choose another folder.") from error
    return path
