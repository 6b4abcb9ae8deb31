"""Crooks' relation, path by path: all paths of a few cells and steps, forward and backward."""

import itertools
import math
from itertools import pairwise

import numpy as np
import pytest

from wgfpde.energy.driving.work import account_of, work_between
from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.snapshot import Snapshot
from wgfpde.grid import Grid
from wgfpde.methods.finite_volumes.one_step import OneStep
from wgfpde.methods.finite_volumes.stepper import FiniteVolumes

KAPPA, DT = 0.5, 0.02


def bend(s):
    return s + 0.4 / (2 * np.pi) * np.sin(2 * np.pi * s)


def wave(x, t, y=0.0):
    return np.sin(np.pi * x + 20 * t) + np.cos(9 * t) * (0.7 * np.cos(np.pi * x) - 1) * y


CHAINS = {
    "line": (Grid([-1], [1], [4], mapping=[bend]), 3, 1),
    "line, order 2": (Grid([-1], [1], [4], mapping=[bend]), 3, 2),
    "ring, order 2": (Grid([-1], [1], [4], "periodic", mapping=[bend]), 3, 2),
    "plane, order 2": (Grid([-1, 0], [1, 1.5], [3, 2], ["periodic", "no-flux"], mapping=[bend, bend]), 2, 2),
}


def flow_on(grid):
    return Flow(grid, Energy(Internal(kappa=KAPPA), wave))


def chances(flow, order):
    """(n, n) chance to go from cell i to cell j in a step of the scheme, and how many cells it repaired."""
    one, grid, repaired = OneStep(flow, order, 1), flow.grid, 0
    matrix = np.empty((grid.size, grid.size))
    volume = (grid.cell_volume * np.ones(grid.shape)).ravel()
    for i in range(grid.size):
        attempt = one.solve(unit(grid, i).reshape(one.rows), DT, None)
        assert attempt.order == order
        matrix[i] = attempt.rho.ravel() * volume
        repaired += attempt.cost.repaired
    return matrix, repaired


def unit(grid, i):
    """Mass 1 in cell i."""
    mass = np.zeros(grid.size)
    mass[i] = 1.0
    return mass.reshape(grid.shape) / grid.cell_volume


def paths_of(flow, times, order):
    """Every path i₀ → i₁ → … from the Gibbs state at times[0]: its chance and its work."""
    grid = flow.grid
    gibbs = flow.at(times[0]).gibbs()
    start = (gibbs * grid.cell_volume / flow.mass(gibbs)).ravel()
    steps = []
    for begin, end in pairwise(times):
        first, middle, last = flow.at(begin), flow.at(0.5 * (begin + end)), flow.at(end)
        matrix, repaired = chances(middle, order)
        assert repaired == 0 and np.all(matrix > 0)
        before, after = (
            np.array([work_between(*pair, unit(grid, i)) for i in range(grid.size)])
            for pair in ((first, middle), (middle, last))
        )
        steps.append((matrix, before[:, None] + after))
    found = {}
    for path in itertools.product(range(grid.size), repeat=len(times)):
        moves = list(zip(steps, pairwise(path), strict=True))
        chance = start[path[0]] * math.prod(matrix[move] for (matrix, _), move in moves)
        found[path] = chance, sum(work[move] for (_, work), move in moves)
    return found


def relation(grid, count, order):
    """P_F(path)/P_R(path backward) over e^{(W − ΔF)/κ}, and W + W_R, for all paths."""
    flow, times = flow_on(grid), DT * np.arange(count + 1)
    forth, back = paths_of(flow, times, order), paths_of(flow, times[::-1], order)
    fall = math.log(flow.integral(np.exp(-flow.at(times[-1]).potential / KAPPA)))
    fall -= math.log(flow.integral(np.exp(-flow.at(0.0).potential / KAPPA)))  # −ΔF/κ
    pairs = [(*forth[path], *back[path[::-1]]) for path in forth]
    return np.array([(p / q / math.exp(w / KAPPA + fall), w + u) for p, w, q, u in pairs])


@pytest.mark.parametrize("name", CHAINS)
def test_crooks_of_every_path(name):
    """The joint law of work and path, and so that of the work: P_F(W)/P_R(−W) = e^{(W − ΔF)/κ}."""
    found = relation(*CHAINS[name])
    assert np.max(np.abs(found[:, 0] - 1)) < 1e-12
    assert np.max(np.abs(found[:, 1])) < 1e-14


def test_two_sweeps_in_a_row_are_not_reversible():
    """First order in 2D is x and then y: no palindrome.  Jarzynski's equality holds all the same."""
    grid, count, _ = CHAINS["plane, order 2"]
    found = relation(grid, count, 1)
    assert np.max(np.abs(found[:, 0] - 1)) > 1e-3
    flow = flow_on(grid)
    paths = np.array(list(paths_of(flow, DT * np.arange(count + 1), 1).values()))
    ratio = flow.integral(np.exp(-flow.at(count * DT).potential / KAPPA)) / flow.integral(
        np.exp(-flow.potential / KAPPA)
    )
    assert paths[:, 0] @ np.exp(-paths[:, 1] / KAPPA) == pytest.approx(ratio, rel=1e-13, abs=0)


@pytest.mark.parametrize("name", CHAINS)
def test_the_march_does_the_mean_work_of_the_paths(name):
    grid, count, order = CHAINS[name]
    flow = flow_on(grid)
    paths = np.array(list(paths_of(flow, DT * np.arange(count + 1), order).values()))
    stepper, now = (
        FiniteVolumes(flow, order, DT, threads=1),
        Snapshot(0.0, 0, {"rho": flow.gibbs() / flow.mass(flow.gibbs())}),
    )
    for _ in range(count):
        now = stepper.step(now, count * DT)
    assert now.t == pytest.approx(count * DT, rel=1e-14, abs=0) and paths[:, 0].sum() == pytest.approx(
        1.0, rel=1e-13, abs=0
    )
    assert account_of(now)[0] == pytest.approx(paths[:, 0] @ paths[:, 1], rel=1e-12, abs=0)
