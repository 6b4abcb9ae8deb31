"""The kernels that diagnostics call, compiled or loaded before the clock of a march starts.

The dissipation, which every run records; and the reading of the density in the plane where a number asks for it.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from ..energy import fluxes
from ..energy.flow import Flow, small_flow
from .certificates import continuum_of, reads_density


def warm_up(flow: Flow, names: Collection[str]) -> None:
    """Compile, or load, what these diagnostics of this kind of flow call: once, on four cells per axis.

    flow : of the run.   names : of the diagnostics that it records.
    """
    small = small_flow(flow, 4)
    fluxes.dissipation(small, np.ones(small.grid.shape))
    if small.has_gibbs and reads_density(names):
        continuum_of(small).read(np.ones(small.grid.shape), 1.0)
