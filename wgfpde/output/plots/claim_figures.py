"""Figures of validation: errors over cell or step sizes, and panels side by side for scripts to draw into."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from matplotlib.axes import Axes

from . import style


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
