"""Numbers over time: how the energy falls, any diagnostic, the errors, and what every step cost and proved."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...errors import StoreError
from ...grid import Array
from ...store import Run
from ..shown_values import drawable
from ..stored_method import exits_of_run, traits_of
from . import style
from .options import errors_of

MARKED = 60
"""Series of up to so many values have markers."""
ROUNDED = 1e-20
"""Below this share of the largest a rate of loss is that of rounding: at rest, or at the start of a run from rest."""
PARTS = {"energy_internal": "internal", "energy_potential": "potential", "energy_interaction": "interaction"}


def draw_fall(axes: Axes, run: Run) -> None:
    """The energy over time, above its limit where known or seen; with exits what is left; with work its account."""
    if "survival" in run.diagnostics:
        _draw_survival(axes, run)
        return
    if "work" in run.diagnostics:
        draw_account(axes, run)
        return
    energy = run.diagnostics.get("energy", np.full(len(run), np.nan))
    excess, label = excess_of(run, energy)
    shown = np.isfinite(excess) & (excess > _floor(energy))
    if np.count_nonzero(shown) >= 4 and excess[shown].max() > 10 * excess[shown].min():
        _line(axes, run.t[shown], excess[shown])
        style.value_axis(axes, excess[shown], log=True)
        axes.set_ylabel(label)
    else:
        values, label = _told_apart(energy)
        _line(axes, run.t, values)
        style.value_axis(axes, values, log=False)
        axes.set_ylabel(label)
    style.time_axis(axes, run.t)


def _told_apart(energy: Array) -> tuple[Array, str]:
    """The energy, and how to call it: less that of the start where ticks would need many digits to tell it apart."""
    finite = energy[np.isfinite(energy)]
    if finite.size == len(energy) and np.ptp(finite) > 0 and not style.readable(finite):
        return energy - energy[0], "$E(t) - E(t_0)$"
    return energy, "$E(t)$"


def _draw_survival(axes: Axes, run: Run) -> None:
    """S(t), and the share of the mass that left by each exit."""
    d = run.diagnostics
    names = [name for name in exits_of_run(run) if f"exit_{name}" in d]  # a case may be edited after its run
    start = d["mass"][0] + sum(d[f"exit_{name}"][0] for name in names)
    _line(axes, run.t, d["survival"], label="left in the box", lw=2.0)
    for k, name in enumerate(names):
        _line(axes, run.t, d[f"exit_{name}"] / start, k + 1, label=f"gone by {style.plain(name)}")
    axes.set_ylim(-0.03, 1.03)
    axes.set_ylabel("share of the mass")
    style.legend_above(axes)
    style.time_axis(axes, run.t)


ACCOUNT = (("work", "work"), ("heat", "heat"), ("energy", r"$E(t) - E(0)$"), ("free_energy", r"$F(t) - F(0)$"))


def draw_account(axes: Axes, run: Run) -> None:
    """Work and heat since the start, what they leave of energy, and the free energy where there is one."""
    drawn = [(name, label) for name, label in ACCOUNT if name in run.diagnostics]
    values = [run.diagnostics[name] - run.diagnostics[name][0] for name, _ in drawn]
    for place, ((_, label), line) in enumerate(zip(drawn, values, strict=True)):
        _line(axes, run.t, line, place, label=label)
    style.value_axis(axes, np.concatenate(values), log=False)
    axes.set_ylabel("energy")
    style.legend_above(axes)
    style.time_axis(axes, run.t)


def figure_of(draw: Callable[..., None], run: Run, *what: Any) -> Figure:
    """A figure of what one of the functions here draws into axes: `draw_account`, `draw_errors` or `draw_series`."""
    figure = style.new_figure((7.0, 4.0))
    draw(figure.subplots(), run, *what)
    style.set_title(figure, run)
    return figure


def excess_of(run: Run, energy: Array) -> tuple[Array, str]:
    """The energy above its limit, and how to call it: relative to the Gibbs state where the run tends to one."""
    traits = traits_of(run)
    if "work" in run.diagnostics or (traits is not None and not traits.lowers_energy):
        return np.full(len(run), np.nan), ""
    if "kl_gibbs" in run.diagnostics:
        return run.diagnostics["kl_gibbs"], r"$(E - E_\infty)/\kappa$"
    return energy - energy[-1], r"$E(t) - E(t_\mathrm{end})$"


def figure_energy(run: Run) -> Figure:
    """The energy and its parts, how far it is above its limit, and how fast it is lost."""
    energy = run.diagnostics.get("energy", np.full(len(run), np.nan))
    figure = style.new_figure((7.0, 7.2))
    parts, fall, loss = figure.subplots(3, 1, sharex=True, height_ratios=[1.3, 1.0, 1.0])
    _line(parts, run.t, energy, label="$E$", lw=2.0)
    drawn = [name for name in PARTS if np.any(run.diagnostics.get(name, np.zeros(1)))]
    for place, name in enumerate(drawn if len(drawn) > 1 else [], 1):
        _line(parts, run.t, run.diagnostics[name], place, label=PARTS[name])
    style.value_axis(parts, energy, log=False)
    parts.set_ylabel("energy")
    if len(drawn) > 1:
        style.legend_above(parts)
    draw_fall(fall, run)
    _draw_loss(loss, run, energy)
    for axes in (parts, fall):
        axes.set_xlabel("")
    style.time_axis(parts, run.t, "")
    style.set_title(figure, run)
    return figure


def _draw_loss(axes: Axes, run: Run, energy: Array) -> None:
    """The dissipation at the snapshots, and the mean rate at which energy was lost between them."""
    rate = run.diagnostics.get("dissipation", np.full(len(run), np.nan))
    with np.errstate(invalid="ignore", divide="ignore"):
        lost = np.diff(run.diagnostics["heat"]) if "heat" in run.diagnostics else -np.diff(energy)
        mean = lost / np.diff(run.t) if len(run) > 1 else np.zeros(0)
    label = r"heat$/\Delta t$, mean" if "heat" in run.diagnostics else r"$-\Delta E/\Delta t$, mean"
    known = np.concatenate([rate, mean])
    least = ROUNDED * float(np.max(known[np.isfinite(known)], initial=0.0))
    seen = known[np.isfinite(known) & (known > least)]
    if mean.size:
        shown = np.where(np.isfinite(mean) & (mean > _floor(energy)), mean, np.nan)
        axes.stairs(shown, run.t, color=style.LINES[1], lw=1.1, baseline=None, label=label)
    _line(axes, run.t, np.where(np.isfinite(rate) & (rate > least), rate, np.nan), label="dissipation")
    style.value_axis(axes, seen, log=bool(seen.size) and seen.max() > 10 * seen.min())
    axes.set_ylabel("rate of loss")
    style.legend_above(axes)
    style.time_axis(axes, run.t)


def draw_errors(axes: Axes, run: Run) -> None:
    """The norms of ρ − exact over time; a logarithmic axis, on which the zeros of the start do not show."""
    names = errors_of(run)
    norms = {"error_l1": "$L^1$", "error_l2": "$L^2$", "error_linf": r"$L^\infty$"}
    for place, name in enumerate(names):
        values = run.diagnostics[name]
        _line(axes, run.t, np.where(values > 0, values, np.nan), place, label=norms.get(name, style.plain(name)))
    seen = np.concatenate([run.diagnostics[name] for name in names])
    style.value_axis(axes, seen[seen > 0], log=bool(np.any(seen > 0)))
    axes.set_ylabel(r"$\|\rho - \rho_\mathrm{exact}\|$")
    style.legend_above(axes)
    style.time_axis(axes, run.t)


def draw_series(axes: Axes, run: Run, name: str, log: bool) -> None:
    """One diagnostic over the snapshots, or one column of the steps over the steps."""
    if name in run.diagnostics:
        t, values = run.t, run.diagnostics[name]
        axes.set_ylabel(style.label_of(run, name))
    else:
        t, values = run.steps["t"], run.steps[name].astype(float)
        axes.set_ylabel(style.plain(name.replace("_", " ")) + " of each step")
    _line(axes, t, _shown(values, log))
    style.value_axis(axes, values[values > 0] if log else values, log and bool(np.any(values > 0)))
    style.time_axis(axes, t)


def figure_steps(run: Run) -> Figure:
    """For every step: its size, what was left of the equations, and the iterations this took."""
    steps = run.steps
    panels = 3 if _iterations(run) else 2
    figure = style.new_figure((7.0, 2.2 * panels - 0.2))
    size, residual, *work = figure.subplots(panels, 1, sharex=True)
    _line(size, steps["t"], steps["dt"])
    _floor_at_zero(size, steps["dt"])
    size.set_ylabel(r"$\Delta t$")
    _draw_log(residual, steps["t"], steps["residual"], "residual")
    residual.set_ylabel("residual")
    style.time_axis(size, steps["t"], "")
    if work:
        _draw_iterations(work[0], run)
        style.time_axis(residual, steps["t"], "")
    else:
        style.time_axis(residual, steps["t"])
    style.set_title(figure, run)
    return figure


def figure_gap(run: Run) -> Figure:
    """For every JKO step: its primal–dual gap beside the tolerance, and the iterations this took."""
    steps = run.steps
    figure = style.new_figure((7.0, 5.2))
    gap, work = figure.subplots(2, 1, sharex=True, height_ratios=[1.4, 1.0])
    _draw_log(gap, steps["t"], steps["gap"], "gap")
    tolerance = tolerance_of(run)
    if tolerance is not None:
        gap.axhline(tolerance, color=style.LINES[1], ls=style.DASHES[1], lw=1.1)
        label = rf"tolerance ${style.number(tolerance)}$"
        gap.annotate(
            label, (1.0, tolerance), (-2, 4), xycoords=("axes fraction", "data"), textcoords="offset points",
            ha="right", va="bottom", fontsize=10, color=style.LINES[1],
        )  # fmt: skip
    gap.set_ylabel("relative primal–dual gap")
    _draw_iterations(work, run)
    style.time_axis(gap, steps["t"], "")
    style.set_title(figure, run)
    return figure


def has_gap(run: Run) -> bool:
    """Whether the steps carry a primal–dual gap."""
    return bool(np.any(np.isfinite(run.steps.get("gap", np.zeros(0)))))


def tolerance_of(run: Run) -> float | None:
    """The gap that a step had to reach, from the case in the file; None where that names none."""
    try:
        value = tomllib.loads(run.resolved_toml)["solver"]["tolerance"]
    except (StoreError, KeyError, TypeError):
        return None
    return float(value) if isinstance(value, int | float) and value > 0 else None


def _iterations(run: Run) -> list[tuple[str, str]]:
    """The counts that a run has, and their labels; a linear scheme without interaction has none."""
    known = [("iterations", "iterations"), ("linear", "of the linear solver"), ("outer", r"evaluations of $W*\rho$")]
    return [(name, label) for name, label in known if np.any(run.steps.get(name, np.zeros(1)) > 0)]


def _draw_iterations(axes: Axes, run: Run) -> None:
    """Iterations of each step, and of the linear solver where the scheme counts them."""
    steps, drawn = run.steps, _iterations(run)
    for place, (name, label) in enumerate(drawn):
        _line(axes, steps["t"], steps[name].astype(float), place, label=label)
    if drawn:
        _floor_at_zero(axes, np.concatenate([steps[name] for name, _ in drawn]))
    else:
        _say(axes, "linear steps: no iterations")
    axes.set_ylabel(drawn[0][1] if len(drawn) == 1 else "iterations")
    if len(drawn) > 1:
        style.legend_above(axes)
    style.time_axis(axes, steps["t"])


def _draw_log(axes: Axes, t: Array, values: Array, label: str) -> None:
    """Numbers ≥ 0 on a logarithmic axis; where all are 0 the panel says so."""
    values = drawable(values)
    seen = values[values > 0]
    if seen.size == 0:
        words = f"{label}: 0 in every step" if np.any(values == 0) else f"{label}: not recorded"
        _say(axes, words)
        return
    line = "-" if len(t) <= MARKED else ""  # rounding jumps from step to step
    axes.plot(t, np.where(values > 0, values, np.nan), color=style.INK, ls=line, lw=1.1, marker="o", markersize=2.5)
    style.value_axis(axes, seen, log=True)


def _say(axes: Axes, words: str) -> None:
    """Words in place of a curve."""
    axes.text(0.5, 0.5, words, transform=axes.transAxes, ha="center", va="center", color=style.GRAPHITE)
    axes.set_yticks([])


def _floor_at_zero(axes: Axes, values: Array) -> None:
    seen = drawable(values.astype(float))
    style.value_axis(axes, seen, log=False)
    axes.set_ylim(0.0, 1.1 * float(np.max(seen, where=np.isfinite(seen), initial=0.0)) or 1.0)


def _line(axes: Axes, t: Array, values: Array, place: int = 0, label: str = "", lw: float = 1.4) -> None:
    """One of several lines, told apart by colour and dash."""
    marker = "o" if len(t) <= MARKED else ""
    colour, dashes = style.LINES[place % 4], style.DASHES[place % 4]
    axes.plot(t, drawable(values), color=colour, ls=dashes, lw=lw, marker=marker, markersize=3, label=label)


def _shown(values: Array, log: bool) -> Array:
    finite = drawable(values)
    return np.where(finite > 0, finite, np.nan) if log else finite


def _floor(energy: Array) -> float:
    """Below this an energy difference is the rounding of its own sum."""
    finite = energy[np.isfinite(energy)]
    return 1e-15 * max(1.0, float(np.max(np.abs(finite), initial=0.0)))
