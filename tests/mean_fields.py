"""Flows with attraction, of which the stationary states are known."""

import math

from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.grid import Grid

ORDERED = 0.705495273209
"""The mean m > 0 that solves m = ⟨x⟩ in ρ ∝ exp(−(V + (x − m)²/2)/κ), V = x⁴/4 − x²/2, κ = 0.3."""
CRITICAL_NOISE = 4 * (math.gamma(3 / 4) / math.gamma(1 / 4)) ** 2


def double_well(x):
    return x**4 / 4 - x**2 / 2


def desai_zwanzig_2d(n, kappa=0.3):
    grid = Grid([-3.0, -3.0], [3.0, 3.0], [n, n])
    energy = Energy(
        Internal("entropy", kappa), lambda x, y: double_well(x) + double_well(y), lambda x, y: (x**2 + y**2) / 2
    )
    return Flow(grid, energy)
