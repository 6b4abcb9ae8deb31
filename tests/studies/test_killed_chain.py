"""The chain of a flow with exits: which cells take part, and the Gibbs state that it would be reversible to."""

import numpy as np
import pytest

from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.openings.sinks import Sink
from wgfpde.grid import Grid
from wgfpde.studies.exits.killed_chain import KilledChain, log_gibbs

KAPPA = 0.5
HOLE = Sink("hole", region=lambda x, y=0.0: (x > 0.1) & (x < 0.3))


def chain(dim, potential=None, sinks=(), boundary=("absorbing", "no-flux")):
    """On unequal cells of [−1, 1], beside them a second axis with walls."""
    grid = Grid([-1.0, 0.0][:dim], [1.0, 1.0][:dim], [40, 3][:dim], [list(boundary), "no-flux"][:dim],
                [lambda s: s**1.2, None][:dim])  # fmt: skip
    return KilledChain(Flow(grid, Energy(Internal(kappa=KAPPA), potential), sinks=sinks))


def slope(x, y=0.0):
    """Lowest inside the hole."""
    return 3.0 * (x - 0.2) ** 2 + y


@pytest.mark.parametrize("dim", [1, 2])
def test_the_gibbs_state_of_what_may_hold_mass(dim):
    """Of mass 1 outside the region, as e^{−V/κ} there, whatever lies inside."""
    found = chain(dim, slope, [HOLE])
    x = np.broadcast_to(found.grid.x.centers, found.grid.shape).ravel()
    hole = (x > 0.1) & (x < 0.3)
    assert np.array_equal(found.inside, hole)
    assert np.all(found.log_pi[hole] == -np.inf)
    assert np.sum(found.volume * np.exp(found.log_pi)) == pytest.approx(1.0, rel=1e-14, abs=0)
    level = found.log_pi[~hole] + found.flow.potential.ravel()[~hole] / KAPPA
    assert np.ptp(level) <= 1e-13


def test_the_gibbs_state_of_some_cells():
    """ln π where e^{−V/κ} is beyond double precision elsewhere, and −∞ of no cells at all."""
    found = chain(1, lambda x: -2000.0 * x)
    right = found.grid.x.centers > 0.5
    for where in (right, ~right):
        with np.errstate(over="raise"):
            log_pi = log_gibbs(found.flow, where)
        assert np.sum((found.volume * np.exp(log_pi))[where]) == pytest.approx(1.0, rel=1e-14, abs=0)
        assert np.all(log_pi[~where] == -np.inf)
        assert np.all(np.isfinite(log_pi[where]))
    assert np.all(log_gibbs(found.flow, np.zeros(40, bool)) == -np.inf)


@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("ends", [("absorbing", "no-flux"), ("no-flux", "absorbing")])
def test_cells_that_some_mass_never_leaves(dim, ends):
    """A trap in the middle, since V jumps by 5000 κ beside it, and all cells that lead to it; a region stays out."""
    trap = chain(dim, lambda x, y=0.0: np.where(np.abs(x + 0.5) < 0.2, -2500.0, 0.0) + 0 * y, [HOLE], ends)
    x = np.broadcast_to(trap.grid.x.centers, trap.grid.shape).ravel()
    hole = (x > 0.1) & (x < 0.3)
    assert np.array_equal(trap.endless, x < 0.1)  # also what may leave on the left: some of it falls in
    assert np.array_equal(trap.kept, x > 0.3)
    assert not np.any(trap.endless & hole)
    assert np.array_equal(np.isfinite(trap.log_pi), ~hole)
    step = chain(dim, lambda x, y=0.0: np.where(x > -0.5, 2500.0, 0.0) + 0 * y, [HOLE], ends)
    assert np.array_equal(step.endless, x < 0.1 if ends[1] == "absorbing" else np.zeros(len(x), bool))


@pytest.mark.parametrize("dim", [1, 2])
def test_nothing_is_endless_between_exits(dim):
    found = chain(dim, slope, [HOLE])
    assert not np.any(found.endless)
    assert np.array_equal(found.kept, ~found.inside)
