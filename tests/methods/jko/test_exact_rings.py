"""The exact step in 2D on periodic axes: kernels that go round, products of steps on lines and circles, promises."""

import math

import numpy as np
import pytest
from test_closed_forms import slope, start

from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.grid import Grid
from wgfpde.methods.jko.exact.exact_plane import eased_from
from wgfpde.methods.jko.exact.halved_grids import finer, smoother, uncertainty
from wgfpde.methods.jko.exact.pull_back import conductances, monge_ampere, push
from wgfpde.methods.jko.exact.solution import Problem
from wgfpde.methods.jko.method import FALLBACK_GAP
from wgfpde.methods.jko.stepper import Jko
from wgfpde.transport import distance

RINGS = [(True, True), (True, False), (False, True)]
TURNS = [(3, 5), (3, 0), (0, 5)]
"""Cells that may be turned, along x and y."""


def turned(values, turn):
    return np.roll(values, (turn[1], turn[0]), (0, 1))


# -------------------------------------------------------------------------------------------------------- kernels


@pytest.mark.parametrize(("rings", "turn"), list(zip(RINGS, TURNS, strict=True)))
def test_kernels_do_not_know_where_a_ring_begins(rings, turn):
    """Fields turned along the rings: what is made of them is turned, with maps that go farther than the box is long."""
    rng, shape = np.random.default_rng(0), (9, 8)
    small, rho = 1e-3 * rng.normal(size=shape), rng.random(shape)
    x, y = np.arange(8)[None, :] + 0.5, np.arange(9)[:, None] + 0.5
    far = small + (0.4 * np.sin(2 * np.pi * x / 8) if rings[0] else 0) + (0.3 * np.cos(2 * np.pi * y / 9))

    def made(phi, rho):
        out, rows, gx, gy, pushed = np.zeros(shape), np.zeros((3, 9)), np.zeros(shape), np.zeros(shape), rho.copy()
        for logs in (False, True):
            monge_ampere(phi, np.log(rho) if logs else rho, logs, 0.5 * rho, 0.1, 0.2, *rings, out, rows)
            yield out.copy()
        conductances(phi, rho, 0.1, 0.2, *rings, gx, gy)
        yield gx
        yield gy
        push(10 * phi, rho, 0.1, 0.2, *rings, pushed)
        yield pushed
        yield smoother(rho, rings)

    for here, there in zip(made(far, rho), made(turned(far, turn), turned(rho, turn)), strict=True):
        np.testing.assert_allclose(turned(here, turn), there, rtol=1e-11, atol=1e-12)
    assert uncertainty(rho, rings) == pytest.approx(uncertainty(turned(rho, turn), rings), rel=1e-13, abs=0)
    doubled = turned(finer(far, rings), (2 * turn[0], 2 * turn[1]))
    np.testing.assert_allclose(doubled, finer(turned(far, turn), rings), rtol=1e-12, atol=1e-12)


def test_what_is_pushed_round_a_ring_keeps_its_mass_and_moves_by_the_gradient():
    rho, out = np.zeros((8, 8)), np.zeros((8, 8))
    rho[6, 7] = 2.0
    psi = 0.25 * 0.01 * np.cos(2 * np.pi * (np.arange(8)[None, :] - 7) / 8 + 0.5) + np.zeros((8, 1))
    push(psi, rho, 0.1, 0.1, True, True, out)
    moved = -(psi[6, 0] - psi[6, 6]) / (2 * 0.01)
    assert out.sum() == pytest.approx(2.0, rel=1e-14, abs=0) and moved > 0.05
    assert np.sum(out * ((np.arange(8)[None, :] - 7 + 4) % 8 - 4)) / 2 == pytest.approx(moved, rel=1e-12, abs=0)


def test_edges_are_eased_across_the_seam_too():
    flow = Flow(Grid([0.0, 0.0], [1.0, 1.0], [9, 8], [True, False]), Energy(Internal("entropy")))
    rho = np.full((8, 9), 1e-30)
    rho[3, 0] = 1.0
    eased = eased_from(Problem(flow, rho, np.zeros((8, 9)), 0.1), 0.1).rho0
    apart = np.minimum(np.arange(9), 9 - np.arange(9))
    expected = np.maximum(0.1 ** (apart[None, :] + np.abs(np.arange(8) - 3.0)[:, None]), 1e-30)
    np.testing.assert_allclose(eased / eased.max(), expected, rtol=1e-12)


# --------------------------------------------------------------------------------------------------- closed forms


def waves(x, ring):
    return 1 + 0.6 * np.cos((2 if ring else 1) * np.pi * (x - 0.02 * ring))


@pytest.mark.parametrize("rings", RINGS)
def test_order_of_a_product_of_steps_in_one_dimension(rings):
    """Entropy and V(x) + V(y): W₂² and E are sums, the step a product, of proved steps on lines and circles."""
    sizes, errors, tau = (24, 48, 96), [], 0.02

    def well(x):
        return 0.5 * np.sin(2 * np.pi * x)

    for n in sizes:
        lines, cost = [], 0.0
        for ring in rings:
            flow = Flow(Grid([0.0], [1.0], [n], [ring]), Energy(Internal("entropy"), well))
            rho = waves(flow.grid.x.centers, ring)
            rho /= flow.mass(rho)
            new = Jko(flow, tau, "exact", threads=1).step(start(rho), tau)
            lines.append((rho, new.rho))
            cost += new.report.transport
        flow = Flow(
            Grid([0.0] * 2, [1.0] * 2, [n] * 2, rings), Energy(Internal("entropy"), lambda x, y: well(x) + well(y))
        )
        rho, exact = (lines[1][k][:, None] * lines[0][k][None, :] for k in (0, 1))
        new = Jko(flow, tau, "exact", threads=1).step(start(rho), tau)
        assert new.report.note == "" and new.report.more["backward_error"] <= 4e-3
        assert new.report.transport == pytest.approx(cost, rel=80 / n**2, abs=0)
        errors.append(flow.integral(np.abs(new.rho - exact)))
    assert 1.8 <= slope(1 / np.array(sizes), errors) <= 2.3
    assert errors[-1] <= 2e-4


@pytest.mark.parametrize("m", [1.0, 2.0])
def test_a_step_does_not_know_where_a_ring_begins(m):
    """A bump with a slanted well, turned across both seams; its transport is within the bounds of the distance."""
    law = Internal("entropy") if m == 1 else Internal("power", 0.3, m)
    grid = Grid([0.0, 0.0], [1.0, 2.0], [32, 32], [True, True])
    x, y = grid.coordinates().values()
    well = np.cos(2 * np.pi * (x + 0.5 * y))
    rho = np.exp(np.cos(2 * np.pi * (x - 0.4)) + 0.8 * np.sin(np.pi * y))
    found = []
    for turn in ((0, 0), (11, 7)):
        there = turned(well, turn)
        flow = Flow(grid, Energy(law, lambda x, y, there=there: there if np.shape(x) == there.shape else 0.0 * x))
        given = turned(rho, turn) / flow.mass(rho)
        new = Jko(flow, 0.02, "exact", threads=1).step(start(given), 0.02)
        assert new.report.note == ""
        between = distance(grid, given, new.rho)
        cell = math.hypot(1 / 32, 2 / 32)
        assert between.lower - 0.05 * cell <= math.sqrt(2 * new.report.transport) <= between.upper + 0.05 * cell
        found.append(turned(new.rho, (-turn[0], -turn[1])))
    assert np.abs(found[0] - rho / flow.mass(rho)).max() > 0.05
    assert flow.integral(np.abs(found[0] - found[1])) <= 1e-5


# ------------------------------------------------------------------------------------------------------- promises


@pytest.mark.parametrize("rings", RINGS)
@pytest.mark.parametrize("kind", [1.0, 3.0])
@pytest.mark.parametrize("rough", [False, True])
def test_steps_on_rings_keep_their_promises(rings, kind, rough):
    law = Internal("entropy") if kind == 1 else Internal("power", 1.0, kind)

    def well(x, y):
        return np.sin(2 * np.pi * x) * np.sin(4 * np.pi * y / 3)

    flow = Flow(Grid([0.0, 0.0], [1.0, 1.5], [16, 12], rings), Energy(law, well))
    rho = waves(flow.grid.x.centers, rings[0]) * waves(flow.grid.y.centers / 1.5, rings[1])[:, None]
    rho = np.where(np.random.default_rng(5).random(rho.shape) < 0.5, rho, 0.0) if rough else rho
    rho /= flow.mass(rho)
    new = Jko(flow, 0.01, "exact", threads=1).step(start(rho), 0.01)
    assert ("taken by" in new.report.note) or not rough
    assert (
        new.report.gap <= FALLBACK_GAP if "taken by" in new.report.note else new.report.more["backward_error"] <= 2e-2
    )
    assert new.rho.min() >= 0 and flow.mass(new.rho) == pytest.approx(1.0, rel=1e-13, abs=0)
    before, after = flow.parts(rho), (*flow.parts(new.rho), new.report.transport / new.dt)
    assert sum(after) <= sum(before) + 2e-13 * sum(map(abs, (*before, *after)))
