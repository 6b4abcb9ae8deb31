"""∫U(ρ) + ∫Φρ by rows of the grid, for the entropy by a logarithm of its own."""

import numpy as np
import pytest

from wgfpde.energy.laws.energy_sums import energy_rows
from wgfpde.energy.laws.law import ENTROPY, NONE, POWER

EPS = np.finfo(float).eps


def plain(rho, phi, wx, wy, code, kappa, m):
    """Energies and their rounding scales, (ny,) both."""
    if code == ENTROPY:
        u = kappa * (rho * np.log(np.where(rho > 0, rho, 1.0)) - rho)
    else:
        u = kappa * rho**m / (m - 1.0) if code == POWER else 0.0 * rho
    steep = max(1.0, 0.25 * m)
    return wy * ((u + phi * rho) @ wx), wy * ((steep * np.abs(u) + np.abs(phi * rho)) @ wx)


@pytest.mark.parametrize("code, m", [(ENTROPY, 1.0), (POWER, 2.0), (POWER, 7.0), (NONE, 1.0)])
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (1, 8), (1, 9), (3, 16), (5, 29)])
def test_sums(code, m, shape):
    """Rows of every length, with vacuum and densities of every size; the widths differ from cell to cell."""
    rng = np.random.default_rng(shape[1])
    for kappa in (1.0, 0.3):
        rho = 10.0 ** rng.uniform(-40, 1, shape) * (rng.random(shape) < 0.8)
        rho[rng.random(shape) < 0.1] = 5e-324
        phi = rng.normal(size=shape) * 10
        wx, wy = rng.uniform(0.5, 2.0, shape[1]), rng.uniform(0.5, 2.0, shape[0])
        energy, scale = np.full((2, shape[0]), np.nan)
        energy_rows(0, shape[0], rho, phi, wx, wy, code, kappa, m, energy, scale)
        energies, scales = plain(rho, phi, wx, wy, code, kappa, m)
        assert np.all(np.abs(energy - energies) <= 8 * EPS * scales)
        assert np.all(np.abs(scale - scales) <= 8 * EPS * scales)


def test_parts_of_the_rows_are_what_the_whole_gives():
    """Threads take disjoint ranges of rows."""
    rho, phi = np.random.default_rng(1).random((2, 6, 13))
    whole, parts = np.zeros((2, 6)), np.zeros((2, 6))
    wx, wy = np.ones(13), np.ones(6)
    energy_rows(0, 6, rho, phi, wx, wy, ENTROPY, 1.0, 1.0, *whole)
    for first, last in ((4, 6), (0, 1), (1, 4)):
        energy_rows(first, last, rho, phi, wx, wy, ENTROPY, 1.0, 1.0, *parts)
    assert whole.tobytes() == parts.tobytes()


@pytest.mark.parametrize("place", [0, 3, 9])
@pytest.mark.parametrize("odd", [np.nan, np.inf, -1e-3])
def test_what_is_no_density_has_no_energy(place, odd):
    """A step that gave it is refused, wherever in its row it stands."""
    rho = np.ones((1, 10))
    rho[0, place] = odd
    energy, scale = np.zeros((2, 1))
    energy_rows(0, 1, rho, np.zeros((1, 10)), np.ones(10), np.ones(1), ENTROPY, 1.0, 1.0, energy, scale)
    assert not np.isfinite(energy[0])
