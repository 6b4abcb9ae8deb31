"""Level lines of V in a film: which pixels of a map they cover, and the colours that they have there.

The pixels of a map do not pass through the renderer.  The lines stand still: they are rendered once, alone, and laid
over the numbers of every frame, mixed with the colour below them as on a map of `maps`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from numpy.typing import NDArray

from ....grid import Array
from ..maps import LEVEL, draw_levels

COVERED = 0.4
"""Share of a pixel that a line covers, relative to the pixel that it covers most, from which on it counts."""
MIXED = 48
"""Colours of lines, one for so many parts of the scale of densities."""


def mixed_colours(levels: NDArray[np.floating]) -> NDArray[np.floating]:
    """The colours of lines over those of densities, (MIXED, 3).   levels : of the densities, (n, 3)."""
    below = levels[(np.arange(MIXED) + 0.5).astype(int) * len(levels) // MIXED]
    return LEVEL["alpha"] * np.array(to_rgb(LEVEL["color"])) + (1.0 - LEVEL["alpha"]) * below


def covered_pixels(canvas: Any, axes: Axes, box: tuple[Any, ...], x: Array, y: Array, v: Array) -> NDArray[np.bool_]:
    """Which pixels of the box lie under level lines of V, (ny, nx) at the centres; the axes stay as they were."""
    kept = set(axes.collections)

    def picture() -> Array:
        canvas.draw()
        return np.asarray(canvas.buffer_rgba())[..., :3].astype(float)[box]

    without = picture()
    draw_levels(axes, x, y, v)
    dark = np.abs(picture() - without).sum(axis=-1)
    for line in set(axes.collections) - kept:
        line.remove()
    return np.asarray(dark > COVERED * max(float(dark.max()), 1.0))
