"""The figure of a spectrum: eigenvalues with the gap, the first modes, and the decay of a run beside the gap.

Modes are drawn as φ_k √π, whose squares integrate to 1: the observables φ_k grow where π is small, and the densities
φ_k π hide what lies between the wells.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator

from ...grid import Array
from ...store import Study
from . import style

SHOWN = {1: 4, 2: 6}
"""Modes drawn, by dimension."""
SPREAD = 200.0
"""Eigenvalues that span more than this are drawn on a logarithmic axis."""


def spectrum_figure(study: Study) -> Figure:
    """The figure of a study of the kind "spectrum"."""
    with style.context():
        figure = _figure_1d(study) if study["pi"].ndim == 1 else _figure_2d(study)
        style.put_title(figure, study.attributes.get("title", ""))
        return figure


def _figure_1d(study: Study) -> Figure:
    decays = _has_decay(study)
    figure = style.new_figure((13.2 if decays else 9.4, 3.9))
    axes = figure.subplots(1, 3 if decays else 2, width_ratios=[0.8, 1.2, 1.0][: 3 if decays else 2])
    _draw_levels(axes[0], study)
    _draw_lines(axes[1], study)
    if decays:
        _draw_decay(axes[2], study)
    return figure


def _figure_2d(study: Study) -> Figure:
    count = min(SHOWN[2], len(study["mode"]) - 1)
    decays = _has_decay(study)
    columns = 1 if count == 1 else 2 if count in (2, 4) else 3
    rows = 2 if decays else -(-count // columns)
    x, y = _edges(study, "x"), _edges(study, "y")
    width = 2.5 * columns * min(max((x[-1] - x[0]) / (y[-1] - y[0]), 0.5), 2.0)
    figure = style.new_figure((4.6 + width, 2.7 * max(rows, 1) + 0.7 + (0.7 if rows == 1 else 0.0)))
    parts: Any = figure.subfigures(1, 2, width_ratios=[4.0, width + 0.6])
    left, right = parts
    sides = left.subplots(2 if decays else 1, 1, squeeze=False)[:, 0]
    _draw_levels(sides[0], study)
    if decays:
        _draw_decay(sides[1], study)
    table = right.subplots(-(-count // columns), columns, squeeze=False, sharex=True, sharey=True)
    _draw_maps(table, study, count)
    return figure


# ---- panels ------------------------------------------------------------------------------------------------


def _draw_levels(axes: Axes, study: Study) -> None:
    """Eigenvalues over their number, and the gap."""
    number, values = study["mode"][1:], study["eigenvalue"][1:]
    gap = float(values[0])
    log = values[-1] > SPREAD * gap
    if log:
        style.value_axis(axes, values, log=True)
        axes.set_ylim(0.2 * gap, 5.0 * values[-1])
    else:
        axes.set_ylim(0.0, 1.1 * values[-1])
    axes.vlines(number, axes.get_ylim()[0], values, color=style.INK, lw=1.1, alpha=0.45)
    axes.plot(number, values, "o", color=style.INK, ms=5, zorder=3)
    axes.axhline(gap, **style.STEADY, label=rf"gap $\lambda_1 = {style.number(gap, 5)}$")
    style.legend_above(axes)
    axes.set_xlim(0.4, number[-1] + 0.6)
    axes.xaxis.set_major_locator(FixedLocator(number.tolist()) if len(number) <= 12 else MaxNLocator(9, integer=True))
    axes.set_xlabel("$k$")
    axes.set_ylabel(r"eigenvalue $\lambda_k$")


def _draw_lines(axes: Axes, study: Study) -> None:
    """The first modes, over the Gibbs state in the background."""
    x, pi = study["x"], study["pi"]
    count = min(SHOWN[1], len(study["mode"]) - 1)
    shapes = [_shape(study, k) for k in range(1, count + 1)]
    high = max(float(np.abs(shape).max()) for shape in shapes)
    axes.fill_between(x, 0.9 * high * pi / pi.max(), color=style.GRAPHITE, alpha=0.16, lw=0, label=r"$\pi$, scaled")
    for k, shape in enumerate(shapes):
        label = rf"$\lambda_{k + 1} = {style.number(float(study['eigenvalue'][k + 1]), 3)}$"
        axes.plot(x, shape, color=style.LINES[k], ls=style.DASHES[k], label=label)
    axes.axhline(0.0, color=style.GRAPHITE, lw=0.6, zorder=0.5)
    edges = _edges(study, "x")
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(-1.1 * high, 1.1 * high)
    axes.set_xlabel("$x$")
    axes.set_ylabel(r"$\varphi_k \sqrt{\pi}$")
    axes.legend(
        loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, borderpad=0.1, borderaxespad=0.2, columnspacing=1.2,
        handlelength=1.8, handletextpad=0.5,
    )  # fmt: skip


def _draw_maps(table: Array, study: Study, count: int) -> None:
    """Maps of the first modes on one scale, symmetric about 0, over level lines of the Gibbs state."""
    x, y, pi = _edges(study, "x"), _edges(study, "y"), study["pi"]
    shapes = [_shape(study, k) for k in range(1, count + 1)]
    high = max(float(np.abs(shape).max()) for shape in shapes)
    for k, axes in enumerate(table.ravel()):
        if k >= count:
            axes.remove()
            continue
        axes.pcolormesh(x, y, shapes[k], cmap=style.ERROR_MAP, norm=Normalize(-high, high), rasterized=True)
        if np.ptp(pi) > 1e-6 * pi.max():
            levels = pi.max() * np.array([1e-3, 1e-2, 0.1, 0.5])
            axes.contour(study["x"], study["y"], pi, levels=levels, colors=style.GRAPHITE, linewidths=0.5, alpha=0.7)
        axes.set_aspect("equal")
        style.map_axes(axes)
        value = style.number(float(study["eigenvalue"][k + 1]), 4)
        axes.set_title(rf"$\varphi_{k + 1} \sqrt{{\pi}},\ \lambda_{k + 1} = {value}$", fontsize=10)
        axes.set_xlabel("$x$" if k + table.shape[1] >= count else "")
        axes.set_ylabel("$y$" if k % table.shape[1] == 0 else "")


def _draw_decay(axes: Axes, study: Study) -> None:
    """The distance of the run from its Gibbs state, and the slope of the mode that it decays with."""
    t, chi = study["t"], study["chi"]
    shown = np.isfinite(chi) & (chi > 0)
    axes.semilogy(t[shown], chi[shown], "o", color=style.INK, ms=4, label=r"run: $\chi$")
    mode = int(study.attributes.get("observed_mode", 0))
    if mode:
        value, start = float(study["eigenvalue"][mode]), float(study.attributes["observed_from"])
        size = np.abs(study["amplitude"][:, mode])
        k = int(np.argmin(np.abs(t - start)))
        group = np.isclose(study["eigenvalue"], value, rtol=1e-6)
        size = np.linalg.norm(study["amplitude"][:, group], axis=1)
        span = np.array([t[0], t[-1]])
        axes.semilogy(
            span, size[k] * np.exp(-value * (span - t[k])), **style.STEADY, label=rf"$\propto e^{{-\lambda_{mode} t}}$"
        )  # fmt: skip
    style.time_axis(axes, t)
    finite = chi[shown]
    style.value_axis(axes, finite, log=True)
    axes.set_ylabel(r"$\chi = \|\rho/\pi - M\|_{L^2(\pi)}$")
    style.legend_above(axes)


# ---- data --------------------------------------------------------------------------------------------------


def _has_decay(study: Study) -> bool:
    """Whether there is a decay that a logarithmic axis can show."""
    return "chi" in study.variables and int(np.sum(np.isfinite(study["chi"]) & (study["chi"] > 0))) > 1


def _shape(study: Study, k: int) -> Array:
    """φ_k √π, by logarithms where the file holds them: a mode may live where π underflows."""
    phi = study["phi"][k]
    if "log_pi" not in study.variables:
        root = np.sqrt(study["pi"])
        return np.asarray(np.where(root > 0, phi, 0.0) * root)
    with np.errstate(divide="ignore"):
        return np.asarray(np.sign(phi) * np.exp(np.log(np.abs(phi)) + 0.5 * study["log_pi"]))


def _edges(study: Study, name: str) -> Array:
    bounds = study[f"{name}_bnds"]
    return np.append(bounds[:, 0], bounds[-1, 1])
