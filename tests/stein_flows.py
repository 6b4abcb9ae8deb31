"""Gaussians in a well, for flows smoothed by a kernel."""

import numpy as np

from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.snapshot import Snapshot
from wgfpde.grid import Grid
from wgfpde.methods.particles.stein.stein_density import SteinDensity

B, Q, M0, S0 = 0.4, 0.8, -0.6, 0.5
GAUSSIAN = 0.08189, 0.70849
"""Mean and variance at 2 for the Gaussian kernel of width 0.7: grids and crowds extrapolated."""


def well(x):
    return (x - B) ** 2 / (2 * Q)


def flow_on(n, lower=-6.0, upper=6.0, mapping=None, kappa=1.0, potential=well, boundary="no-flux"):
    grid = Grid([lower], [upper], [n], boundary, mapping=mapping)
    return Flow(grid, Energy(Internal("entropy", kappa), potential))


def gaussian(grid, mean=M0, variance=S0):
    rho = np.exp(-((grid.x.centers - mean) ** 2) / (2 * variance))
    return rho / np.sum(grid.cell_volume * rho)


def march(stepper, start, end):
    """All snapshots; E never rises where a density marches."""
    found = [Snapshot(0.0, 0, start)]
    while found[-1].t < end:
        found.append(stepper.step(found[-1], end))
    if isinstance(stepper, SteinDensity):
        energies = [stepper.flow.value(state.rho) for state in found]
        assert np.max(np.diff(energies)) <= 1e-13 * np.max(np.abs(energies))
        assert min(state.rho.min() for state in found) >= 0
    return found
