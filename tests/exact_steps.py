"""Set-ups of exact steps."""

import math

import numpy as np

from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.grid import Grid
from wgfpde.methods.jko.stepper import Jko


def stepper_of(flow, tau, **options):
    return Jko(flow, tau, "exact", threads=1, **options)


def gaussian(mean, deviations):
    return lambda x, y: np.exp(
        -(((x - mean[0]) / deviations[0]) ** 2 + ((y - mean[1]) / deviations[1]) ** 2) / 2
    ) / (2 * math.pi * deviations[0] * deviations[1])  # fmt: skip


def box(n, law=None, potential=None, half=5.0, ny=None):
    grid = Grid([-half, -half], [half, half], [n, ny or n])
    return Flow(grid, Energy(law or Internal("entropy"), potential))


def smooth(flow, seed, depth):
    """A random smooth positive density: e^{depth × a few waves}."""
    rng = np.random.default_rng(seed)
    x, y = (c / 10 + 0.5 for c in flow.grid.coordinates().values())
    waves = sum(
        rng.normal() * np.cos(np.pi * (j * x + rng.random())) * np.cos(np.pi * k * y)
        for j in (0, 1, 2)
        for k in (0, 1, 2)
    )
    rho = np.exp(depth * waves)
    return rho / flow.mass(rho)
