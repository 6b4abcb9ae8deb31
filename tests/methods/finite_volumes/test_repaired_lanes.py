"""Negative lines of a block are repaired side by side, with the bits of the repair of each alone."""

import numpy as np
import pytest

from wgfpde.linear.tridiagonal import LANES
from wgfpde.methods.finite_volumes.limiter import EPS, correct_fluxes, restore_mass
from wgfpde.methods.finite_volumes.linear_sweep import GAMMA, correct_lanes


def block(rng, n, ring):
    """(a, b, stage, new, half, low, h) of a block; every third lane of `new` is positive, low is now and then zero."""
    a, b = 10.0 ** rng.uniform(-3, 2, (2, n, LANES))
    if not ring:
        a[-1] = b[-1] = 0.0
    stage, half = rng.random((2, n, LANES))
    low = rng.random((n, LANES)) ** 9 * (rng.random((n, LANES)) < 0.9)
    low[::5] *= 1e-300
    new = rng.random((n, LANES)) - 0.2 * (np.arange(LANES) % 3 > 0)
    new[n // 2, 1::3] = -0.1
    return a, b, stage, new, half, low, rng.uniform(0.5, 2.0, n)


def lane_by_lane(a, b, stage, new, half, low, h, ring, dt):
    """The new block and how many cells were limited, by `correct_fluxes`."""
    out, limited, none = new.copy(), 0, np.zeros(0)
    high = (1.0 - GAMMA) * (a * stage - b * np.roll(stage, -1, 0)) + GAMMA * (a * new - b * np.roll(new, -1, 0))
    lower = a * (half + low) - b * np.roll(half + low, -1, 0)
    anti = dt * (high - 0.5 * lower)
    for k in range(LANES):
        if new[:, k].min() < 0.0:
            limited += correct_fluxes(low, anti, none, none, h, ring, 0.0, k, out)
    return out, limited


@pytest.mark.parametrize("ring", [False, True])
@pytest.mark.parametrize("n", [2, 3, 30])
@pytest.mark.parametrize("alone", [False, True])
def test_the_same_bits(ring, n, alone):
    rng = np.random.default_rng(n)
    for dt in (1e-4, 0.01, 3.0):
        a, b, stage, new, half, low, h = block(rng, n, ring)
        wanted, limited = lane_by_lane(a, b, stage, new, half, low, h, ring, dt)
        out, scratch, found = new.copy(), np.zeros((2, n, LANES)), 0
        if not alone:
            found = correct_lanes(a, b, stage, out, half, low, *scratch, h, ring, dt)
        else:
            for k in range(LANES):
                parts = [values[:, k].copy() for values in (a, b, stage, out, half, low)]
                found += correct_lanes(*parts, np.zeros(n), np.zeros(n), h, ring, dt)
                out[:, k] = parts[3]
        assert np.array_equal(out, wanted) and found == limited > 0
        fine = new.min(axis=0) >= 0.0
        assert fine.any() and out[:, fine].tobytes() == new[:, fine].tobytes()
        assert np.all(out[:, ~fine] >= 0.0)


@pytest.mark.parametrize("lanes", [1, 3, LANES])
def test_the_mass_of_each_lane(lanes):
    """It is that of the old block in the lanes that are used; where more than rounding is missing, that is said."""
    rng = np.random.default_rng(lanes)
    n, count = 40, max(1, lanes - 2)
    old, h = rng.random((n, lanes)), rng.uniform(0.5, 2.0, n)
    true = (h[:, None] * old).sum(axis=0)
    new = old[::-1].copy()
    new *= true / (h[:, None] * new).sum(axis=0) * (1.0 + 1e-14 * np.arange(1, lanes + 1))
    unused = new[:, count:].copy()
    kept, change, mass = restore_mass(new, old, h, count)
    assert kept and mass == pytest.approx(true[:count].sum(), rel=1e-14, abs=0)
    assert change == pytest.approx(1e-14 * (np.arange(1, count + 1) * true[:count]).sum(), rel=0.5, abs=0)
    assert np.all(np.abs((h[:, None] * new).sum(axis=0) - true)[:count] <= 16 * EPS * true[:count])
    assert new[:, count:].tobytes() == unused.tobytes()
    new[:, count - 1] *= 1.0 + 1e-12
    assert not restore_mass(new, old, h, count)[0]
