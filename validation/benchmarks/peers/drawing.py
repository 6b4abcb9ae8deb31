"""Work–precision plots: error over seconds of a solve, one curve for each way of each package."""

from __future__ import annotations

from pathlib import Path

from equal import Row, solved
from matplotlib.axes import Axes

from wgfpde.output.plots import style

COLOURS = {"wgfpde": "#1f3b63", "py-pde": "#d55e00", "fipy": "#009e73", "fplanck": "#cc79a7", "pot": "#d55e00",
           "entropic": "#009e73", "numpy": "#7f7f7f", "pyddm": "#d55e00", "geomloss": "#009e73",
           "ott-jax": "#cc79a7", "back-and-forth": "#8c564b"}  # fmt: skip
NAMES = {"wgfpde": "wgfpde", "py-pde": "py-pde", "fipy": "FiPy", "fplanck": "fplanck", "pot": "POT",
         "entropic": "entropic JKO", "numpy": "NumPy loop", "pyddm": "PyDDM", "geomloss": "GeomLoss",
         "ott-jax": "OTT", "back-and-forth": "back-and-forth"}  # fmt: skip
MARKERS = {"wgfpde": "o", "py-pde": "s", "fipy": "^", "fplanck": "D", "pot": "s", "entropic": "^", "numpy": "v",
           "pyddm": "P", "geomloss": "X", "ott-jax": "D", "back-and-forth": "p"}  # fmt: skip
"""One for each package in a figure, so that they are told apart without colours; solid inside for wgfpde alone."""
LINES = ("-", (0, (5, 1.5)), (0, (1, 1.2)), "-.", (0, (6, 1, 1, 1)))
"""One for each way of a package."""


def work_precision(rows: list[Row], path: Path, error: str) -> Path:
    """One figure from the rows of one problem: the curves, and beside them what they are.   error : the axis label."""
    with style.context():
        figure = style.new_figure((8.4, 3.9))
        axes, legend = figure.subplots(1, 2, width_ratios=(5.0, 3.2))
        _curves(axes, rows)
        axes.set_xlabel("wall time of a solve (s)")
        axes.set_ylabel(error)
        axes.grid(alpha=0.25, lw=0.5)
        legend.set_axis_off()
        legend.legend(*axes.get_legend_handles_labels(), loc="center left", borderaxespad=0.0, handlelength=3.5)
        return style.save(figure, path)


def _curves(axes: Axes, rows: list[Row]) -> None:
    ways: dict[tuple[str, str], list[Row]] = {}
    for row in solved(rows):
        ways.setdefault((row["peer"], row["way"]), []).append(row)
    drawn: dict[str, int] = {}
    for (peer, way), found in ways.items():
        line, fill = LINES[drawn.get(peer, 0) % len(LINES)], COLOURS[peer] if peer == "wgfpde" else "white"
        drawn[peer] = drawn.get(peer, 0) + 1
        seconds, errors = ([row[key] for row in found] for key in ("seconds", "error"))
        label = f"{NAMES[peer]}: {way}".replace("W₂", "$W_2$")  # no font has that letter
        axes.loglog(seconds, errors, color=COLOURS[peer], marker=MARKERS[peer], mfc=fill, ms=5, ls=line, label=label)
