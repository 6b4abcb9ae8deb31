"""Edges of region sinks: where they lie on faces they are absorbing walls there, on every kind of axis."""

import numpy as np
import pytest

from wgfpde.energy.dynamics import Dynamics
from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.openings.sinks import Sink
from wgfpde.grid import Grid


def v(x, y=0.0):
    return np.sin(2 * x) + x * y


def diffusion(x, y=0.0):
    return 1.0 + 0.5 * x + 0.3 * y


def flow_of(grid, sinks=(), interaction=None):
    dynamics = [Dynamics(diffusion)] if grid.dim == 1 else [Dynamics([diffusion, lambda x, y: 2.0 + x - y])]
    return Flow(grid, Energy(Internal("entropy", 0.4), v, interaction), dynamics=dynamics[0], sinks=sinks)


def at_share(edges):
    """The mapping that places these edges, from 0 to 1, on a grid of as many cells."""
    return lambda s: np.interp(s, np.linspace(0.0, 1.0, len(edges)), edges)


EDGES = np.array([0.0, 0.06, 0.17, 0.3, 0.38, 0.5, 0.7, 0.78, 0.9, 1.0])


@pytest.mark.parametrize("radial", [None, 2, 3])
@pytest.mark.parametrize("side", [0, 1])
def test_a_region_that_ends_on_a_face_is_a_wall_there_1d(radial, side):
    """Losses of the cells left are those of a grid that ends at that face: distance, V, D and area."""
    cut = EDGES[5]
    whole = Grid([0.0], [1.0], [9], mapping=[at_share(EDGES)], radial=radial)
    region = Sink("spot", region=(lambda x: x > cut) if side else (lambda x: x < cut))
    ours, kept = flow_of(whole, [region]).losses["spot"], EDGES[:6] if side else EDGES[5:]
    inner = (kept - kept[0]) / (kept[-1] - kept[0])
    walls = ["no-flux", "absorbing"] if side else ["absorbing", "no-flux"]
    part = Grid([kept[0]], [kept[-1]], [len(kept) - 1], [walls], [at_share(inner)], radial=radial)
    theirs = sum(flow_of(part).losses.values())
    assert np.sum(theirs > 0) == 1
    assert (ours[:5] if side else ours[5:]) == pytest.approx(theirs, rel=1e-9, abs=0)
    assert np.sum(ours) == pytest.approx(np.sum(theirs), rel=1e-9, abs=0)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("side", [0, 1])
def test_a_region_that_ends_on_a_face_is_a_wall_there_2d(axis, side):
    cut, other = EDGES[5], np.array([0.0, 0.2, 0.5, 1.0])
    names = ("x", "y")
    sizes, maps = [9, 3] if axis == 0 else [3, 9], [at_share(EDGES), at_share(other)][:: 1 if axis == 0 else -1]
    whole = Grid([0.0, 0.0], [1.0, 1.0], sizes, mapping=maps)
    region = Sink("spot", region=lambda **at: at[names[axis]] > cut if side else at[names[axis]] < cut)
    ours, kept = flow_of(whole, [region]).losses["spot"], EDGES[:6] if side else EDGES[5:]
    inner = (kept - kept[0]) / (kept[-1] - kept[0])
    walls, lower, upper = ["no-flux", "no-flux"], [0.0, 0.0], [1.0, 1.0]
    walls[axis] = ["no-flux", "absorbing"] if side else ["absorbing", "no-flux"]
    lower[axis], upper[axis], sizes[axis], maps[axis] = kept[0], kept[-1], len(kept) - 1, at_share(inner)
    theirs = sum(flow_of(Grid(lower, upper, sizes, walls, maps)).losses.values())
    found = np.moveaxis(ours, 1 - axis, 0)
    found = np.moveaxis(found[:5] if side else found[5:], 0, 1 - axis)
    assert np.sum(theirs > 0) == 3 and found == pytest.approx(theirs, rel=1e-9, abs=0)


@pytest.mark.parametrize("ring", [False, True])
def test_the_drive_is_interpolated_at_the_edge(ring):
    """ΔΦ = V(edge) − V_i + θ(w_j − w_i), θ the share of the way to the centre j inside; also across a ring's seam."""
    grid = Grid([0.0], [1.0], [9], "periodic" if ring else "no-flux", [at_share(EDGES)])
    flow = Flow(grid, Energy(Internal("entropy", 0.4)), sinks=[Sink("spot", region=lambda x: x > 0.81)])
    x, drive = grid.x.centers, np.random.default_rng(5).random(9)
    found = {o.side: (o, o.rise(drive, np.zeros(9))) for o in flow.openings}
    assert set(found) == ({0, 1} if ring else {1})
    opening, rise = found[1]  # up to 0.81 from the cell that ends at 0.78
    share = (0.81 - x[6]) / (x[7] - x[6])
    assert x[7] > 0.81 > EDGES[7]
    assert opening.cells.tolist() == [6] and opening.distance == pytest.approx([0.81 - x[6]], rel=1e-9, abs=0)
    assert rise == pytest.approx([share * (drive[7] - drive[6])], rel=1e-9, abs=0)
    if ring:  # down to the seam from the first cell
        opening, rise = found[0]
        share = 0.03 / (0.03 + 0.05)
        assert opening.cells.tolist() == [0] and opening.distance == pytest.approx([0.03], rel=1e-9, abs=0)
        assert rise == pytest.approx([share * (drive[8] - drive[0])], rel=1e-9, abs=0)
