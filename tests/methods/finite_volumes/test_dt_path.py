"""Lines that Newton's method does not solve at once: over rising steps, or in two where that way ends in a fold."""

import numpy as np
import pytest

from wgfpde.methods.finite_volumes.powers.dt_path import CUTS, PART, goes_on, set_out
from wgfpde.methods.finite_volumes.powers.power_newton import MAX_NEWTON, SCRATCH, euler

LINES = [  # cells, ring, seed, largest |ΔV|, dt, κ; at m = 8
    (24, False, 142, 300.0, 1.589148158050148e-4, 6.4066456804081894e-09),
    (24, False, 517, 30.0, 3.143861370204131e-4, 0.04956201291857188),
    (12, False, 745, 3.0, 4.964345424835949e-3, 0.06359062596923287),
    (12, True, 292, 3.0, 5.238427147026253e-2, 1.5398268269069468e-08),
    (12, True, 331, 30.0, 1.6524323783790392e-3, 1.8937370626415726e-06),
]
"""Found at random, one in 2700, to be cut."""


def line(n, ring, seed, steepness):
    """Random densities in [½, 1] and V, a parabola or a cosine on [0, 1]."""
    x = (np.arange(n) + 0.5) / n
    v = np.cos(2 * np.pi * x) if ring else 4 * (x - 0.4) ** 2
    return np.random.default_rng(seed).uniform(0.5, 1.0, n), v * steepness / np.abs(np.diff(v)).max()


def solved(old, phi, dt, kappa, ring, m=8.0):
    """Backward Euler on lines (n, lanes), as sweeps call it: density, fluxes, cuts, failures, iterations, data."""
    n, lanes = old.shape
    data, new, flux = old.copy(), old.copy(), np.zeros((n, lanes))
    shut = False, np.zeros((2, 1, lanes)), np.zeros((2, 1, lanes)), np.zeros((1, lanes)), np.zeros((5, 1, lanes))
    geometry, law = (np.full(n, 1.0 / n), np.full(n, float(n)), ring), (np.full(lanes, kappa), m)
    drain, saved = np.zeros((2, 3, 1, lanes))
    road, kept, outcome = np.zeros(7), np.zeros((6, n, lanes)), np.zeros((2, lanes))
    idle, stuck, left = np.zeros(lanes, bool), np.zeros(lanes, bool), np.zeros(lanes)
    set_out(road, idle)
    count, walks = 0, True
    width = None if lanes == 1 else lanes  # a line alone, as sweeps have it
    while walks:
        work, extra = np.zeros((SCRATCH, n, lanes)), np.zeros((2, n, lanes))
        count += euler(
            data, phi, new, flux, road[PART] * dt, geometry, law, shut, drain, width, idle, work, extra, left, stuck
        )
        walks = goes_on(
            road, kept, outcome, data, phi, new, flux, drain, saved, False, dt, geometry, law, lanes, idle, stuck, left
        )
    return new, flux, int(road[CUTS]), stuck, count, data


@pytest.mark.parametrize(("n", "ring", "seed", "steepness", "dt", "kappa"), LINES)
def test_a_line_whose_way_ends_in_a_fold_is_cut(n, ring, seed, steepness, dt, kappa):
    """Its fluxes are those of both steps: h (ρ' − ρ) + dt ∂F = 0."""
    old, phi = (values[:, None] for values in line(n, ring, seed, steepness))
    new, flux, cuts, stuck, count, data = solved(old, phi, dt, kappa, ring)
    assert cuts == 1 and not stuck[0] and count > MAX_NEWTON
    assert np.array_equal(data, old)
    assert np.all(new >= 0) and np.sum(new) == pytest.approx(np.sum(old), rel=1e-14, abs=0)
    assert np.abs((new - old) / n + dt * (flux - np.roll(flux, 1, axis=0))).max() <= 1e-14


def test_a_line_that_walks_leaves_the_others_alone():
    """In a block between two that Newton's method solves: all three to the bits that they have alone."""
    n, ring, seed, steepness, dt, kappa = LINES[1]
    hard, phi = line(n, ring, seed, steepness)
    old = np.column_stack([np.ones(n), hard, np.linspace(0.5, 1.0, n)])
    potential = np.column_stack([0.01 * phi, phi, 0.0 * phi])
    new, flux, cuts, stuck, _, data = solved(old, potential, dt, kappa, ring)
    assert cuts == 1 and not stuck.any() and np.array_equal(data, old)
    for k in range(3):
        alone = solved(old[:, k : k + 1].copy(), potential[:, k : k + 1].copy(), dt, kappa, ring)
        assert np.array_equal(alone[0][:, 0], new[:, k])
        assert np.array_equal(alone[1][:, 0], flux[:, k])


@pytest.mark.parametrize(
    ("n", "ring", "m", "seed", "steepness", "dt", "kappa"),
    [
        (48, True, 20.0, 270737, 3.934137555431931, 0.004624024838439611, 0.005415150628254181),
        (24, False, 50.0, 855240, 34.20436823787796, 290.8263176644819, 4.062156220247056e-4),
    ],
)
def test_a_line_that_does_not_get_to_dt_is_not_solved(n, ring, m, seed, steepness, dt, kappa):
    """Its tries end at a part of dt, where the last of them succeeded; that is no step of dt."""
    old, phi = line(n, ring, seed, steepness)
    scale = 2.0 ** np.floor(np.log2(old.max()))
    found = solved((old / scale)[:, None], phi[:, None], dt, kappa * scale ** (m - 1), ring, m)
    assert found[3][0]
