"""A small flow that calls the same kernels as a large one, with which they are compiled or loaded before it marches."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..grid import Array, Grid
from ..linear.lines import lines_of
from .dynamics import Dynamics
from .energy import Energy
from .flow import Flow


def small_flow(flow: Flow, cells: int, potential: Callable[..., Array] | None = None) -> Flow:
    """A flow on the unit box, so many cells per axis, that calls the same kernels."""
    grid, dynamics = flow.grid, None
    if flow.mobility is not None:
        differ = [lines.resistances.ndim > 1 for lines in lines_of(grid, flow.mobility)]
        dynamics = Dynamics(tuple(_rough if rough else 1.0 for rough in differ))
    box = [0.0] * grid.dim, [1.0] * grid.dim, [cells] * grid.dim
    energy = Energy(flow.internal, potential, tilt=() if flow.push is None else tuple(float(a.ring) for a in grid.axes))
    return Flow(Grid(*box, [a.boundary.closed for a in grid.axes]), energy, dynamics=dynamics)


def _rough(x: Array, y: Array) -> Array:
    """A diffusion that differs from line to line, and is periodic."""
    return 1.0 + 0.1 * np.sin(2 * np.pi * x) * np.sin(2 * np.pi * y)
