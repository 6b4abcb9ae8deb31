"""From a table of `method = "svgd"` to its march: what its energy must be, its kernel, a crowd or a density."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....energy.snapshot import Column, Field
from ....errors import CaseError
from ....grid import Array
from ...method import Asked, Built
from ..feature_pull import with_features
from ..pair_pull import make_pull
from ..swarm import counts_in, density_of_counts
from .stein_density import SteinDensity
from .stein_kernels import Kernel
from .stein_particles import SteinParticles


def build_stein(
    table: Any, asked: Asked, places: Array | None, columns: tuple[Column, ...], fields: tuple[Field, ...]
) -> Built:
    """The march.   places : where particles start, (n, dim), or None for the mean field.   Raises CaseError."""
    flow, grid = asked.flow, asked.flow.grid
    if not (flow.internal.law.linear_diffusion or flow.internal.law.vanishes):
        raise CaseError(
            'solver.method: "svgd" smooths the gradient of an entropy: expected energy.internal { kind = "entropy" } '
            f'or {{ kind = "none" }}, found "{flow.internal.kind}"; take method = "fv"'
        )
    flow.check_whole("Stein's velocities")
    kernel = Kernel(table.kernel.kind, table.kernel.bandwidth)
    kernel.check(grid, places is not None)
    options = table.order, table.dt, table.tolerance, asked.threads
    if places is None:
        return Built(SteinDensity(flow, kernel, *options), columns)
    mass = flow.mass(asked.rho)
    pairs = None if flow.energy.interaction is None else make_pull(flow, mass, 1, asked.threads)
    pull = with_features(pairs, flow, mass, 1)
    rho = density_of_counts(counts_in(places, grid, asked.threads), grid, mass)
    initial = {"rho": rho, "position": places, "replicas": np.zeros(1)}  # no two of them are independent
    return Built(SteinParticles(flow, kernel, mass, pull, *options), columns, fields, initial)
