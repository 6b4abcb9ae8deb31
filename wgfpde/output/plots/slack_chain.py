"""The functional inequalities along a run: a chain of curves that may touch and not cross, and the room between them.

    (λ/2) W₂² ≤ κH ≤ (κ²/2λ) I          Talagrand, logarithmic Sobolev;     κH(0) e^{−2λt} for comparison

Both ends are recorded on request; where only the slacks are, they follow from these (`inequalities.sides`).
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...grid import Array
from ...store import Run
from ..inequalities import NAMES, least_diffusion, sides
from ..stored_method import traits_of
from . import style

ROUNDING = 1e-8
"""Shares below zero by less are rounding."""
SHOWN = ("log-Sobolev", "Talagrand", "HWI")


def has_certificates(run: Run) -> bool:
    """Whether a run has recorded them."""
    d = run.diagnostics
    return "kl_gibbs" in d and ("fisher_gibbs" in d or any(NAMES[name] in d for name in SHOWN))


def figure_certificates(run: Run) -> Figure:
    """The chain above, and each slack as a share of the larger side of its inequality."""
    figure = style.new_figure((7.0, 5.6))
    chain, shares = figure.subplots(2, 1, sharex=True, height_ratios=[1.6, 1.0])
    kappa, lam = (run.number(name) for name in ("kappa", "sobolev"))
    d, known = run.diagnostics, sides(run)
    entropy, curves = kappa * d.get("entropy_gibbs", d["kl_gibbs"]), []
    if lam > 0 and ("fisher_gibbs" in d or "log-Sobolev" in known):
        above = kappa * d["fisher_gibbs"] / (2 * lam) if "fisher_gibbs" in d else known["log-Sobolev"][1]
        curves.append((kappa * above, r"$\frac{\kappa^2}{2\lambda}\,I$"))
    curves.append((entropy, r"$\kappa H$"))
    if lam > 0 and ("w2_gibbs" in d or "Talagrand" in known):
        below = d["w2_gibbs"] ** 2 if "w2_gibbs" in d else known["Talagrand"][0]
        curves.append((0.5 * lam * below, r"$\frac{\lambda}{2}\,W_2^2$"))
    for place, (values, label) in enumerate(curves):
        _line(chain, run.t, values, place, label)
    traits = traits_of(run)
    if lam > 0 and (traits is None or traits.lowers_energy):  # along a path nothing decays at this rate
        least = least_diffusion(run)
        decay = entropy[0] * np.exp(-2 * lam * least * (run.t - run.t[0]))
        rate = r"2\lambda t" if least == 1 else r"2\lambda D_{\min} t"
        chain.plot(run.t, decay, **style.EXACT, label=rf"$\kappa H(0)\,e^{{-{rate}}}$, $\lambda = {lam:.4g}$")
    seen = np.concatenate([values for values, _ in curves])
    seen = seen[np.isfinite(seen) & (seen > 0)]
    style.value_axis(chain, seen, log=bool(seen.size) and seen.max() > 10 * seen.min())
    chain.set_ylabel("energy")
    style.legend_above(chain)
    style.time_axis(chain, run.t, "")
    _draw_shares(shares, run)
    style.time_axis(shares, run.t)
    style.set_title(figure, run)
    return figure


def _draw_shares(axes: Axes, run: Run) -> None:
    """Slack over the larger side: 0 where an inequality is an equality.  One that fails is marked by crosses."""
    known, found, labels = sides(run), [], []
    for place, label in enumerate(SHOWN):
        if label not in known:
            continue
        bounded, larger = known[label]
        with np.errstate(invalid="ignore", divide="ignore"):
            share = run.diagnostics[NAMES[label]] / np.maximum(bounded, np.abs(larger))
        found.append(np.abs(share[np.isfinite(share) & (share != 0)]))
        labels.append(label)
        _line(axes, run.t, share, place, label)
        fails = share < -ROUNDING
        if np.any(fails):
            words = f"{label} VIOLATED"
            axes.plot(run.t[fails], -share[fails], "x", color=style.LINES[place], markersize=6, label=words)
    values = np.concatenate(found) if found else np.empty(0)
    style.value_axis(axes, values, log=bool(values.size) and values.max() > 10 * values.min())
    axes.set_ylabel("slack / larger side")
    if labels:
        style.legend_above(axes)


def _line(axes: Axes, t: Array, values: Array, place: int, label: str) -> None:
    shown = np.where(np.isfinite(values) & (values > 0), values, np.nan)
    axes.plot(t, shown, color=style.LINES[place], ls=style.DASHES[place], label=label)
