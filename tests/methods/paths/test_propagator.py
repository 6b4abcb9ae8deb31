"""The propagator of paths: the step of the finite volumes as a linear map, its adjoint, its order, its sign."""

import math

import numpy as np
import pytest

from wgfpde.energy.dynamics import Dynamics
from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.openings.sinks import Sink
from wgfpde.energy.snapshot import Snapshot
from wgfpde.errors import CaseError, SolverError
from wgfpde.grid import Grid
from wgfpde.methods.finite_volumes.stepper import FiniteVolumes
from wgfpde.methods.paths.propagator import (
    FIRST_ORDER,
    NotPositive,
    Propagator,
    heat_propagator,
    in_order,
    march,
    scaled,
    warm_up,
)

EPS = np.finfo(float).eps
KAPPA, DT = 0.5, 0.05


def stretch(s):
    return s + 0.12 * np.sin(2 * np.pi * s)


def well(x, y=None):
    """Smooth, periodic on the box, not separable."""
    if y is None:
        return np.cos(np.pi * x) + 0.4 * np.sin(2 * np.pi * x)
    return np.cos(np.pi * x) * (1 + 0.5 * np.sin(np.pi * y)) + 0.3 * np.sin(np.pi * (x + y))


def bowl(x, y=0.0):
    return x**2 + y**2


FLOWS = {
    "line": lambda: Flow(Grid([-1.0], [1.0], [40]), Energy(Internal("entropy", KAPPA), well)),
    "ring": lambda: Flow(Grid([-1.0], [1.0], [40], [True]), Energy(Internal("entropy", KAPPA), well)),
    "stretched": lambda: Flow(Grid([-1.0], [1.0], [40], mapping=[stretch]), Energy(Internal("entropy", KAPPA), well)),
    "stretched ring": lambda: Flow(
        Grid([-1.0], [1.0], [40], [True], [stretch]), Energy(Internal("entropy", KAPPA), well)
    ),
    "D of place": lambda: Flow(
        Grid([-1.0], [1.0], [40]), Energy(Internal("entropy", KAPPA), well), dynamics=Dynamics((lambda x: 1.5 + x,))
    ),
    "heat": lambda: Flow(Grid([-1.0], [1.0], [40]), Energy(Internal("entropy", KAPPA))),
    "plane": lambda: Flow(Grid([-1.0, -1.0], [1.0, 1.0], [19, 13]), Energy(Internal("entropy", KAPPA), well)),
    "tube": lambda: Flow(
        Grid([-1.0, -1.0], [1.0, 1.0], [19, 13], [True, False], [None, stretch]),
        Energy(Internal("entropy", KAPPA), well),
    ),
    "D of both": lambda: Flow(
        Grid([-1.0, -1.0], [1.0, 1.0], [13, 19], [False, True]),
        Energy(Internal("entropy", KAPPA), well),
        dynamics=Dynamics((lambda x, y: 1.5 + x * np.cos(np.pi * y),)),
    ),
}
flows = pytest.mark.parametrize("name", FLOWS)


def bumps(grid, seed):
    """A positive field, smooth with a little noise."""
    at = grid.coordinates()
    rng = np.random.default_rng(seed)
    smooth = sum(np.cos(np.pi * (x - rng.uniform(-1, 1))) for x in at.values())
    return np.exp(smooth) * (1 + 0.05 * rng.random(grid.shape))


@pytest.mark.parametrize(
    ("name", "order"),
    [(name, 2) for name in FLOWS] + [(name, 1) for name in ("line", "ring", "stretched", "D of place")],
)  # in 2D their first order is x(dt) y(dt), which is not its own adjoint
def test_it_is_the_step_of_the_finite_volumes(name, order):
    flow = FLOWS[name]()
    rho = bumps(flow.grid, 1)
    step = FiniteVolumes(flow, order, DT, threads=1).step(Snapshot(0.0, 0, {"rho": rho}), DT)
    assert step.report.repaired == 0
    np.testing.assert_allclose(Propagator(flow, DT, order).forward(rho), step.rho, rtol=1e-13)


@flows
@pytest.mark.parametrize("order", [1, 2])
def test_backward_is_the_adjoint(name, order):
    flow = FLOWS[name]()
    step, h = Propagator(flow, DT, order), flow.grid.cell_volume
    rho, phi = bumps(flow.grid, 1), bumps(flow.grid, 2)
    there, back = np.sum(h * step.forward(rho) * phi), np.sum(h * rho * step.backward(phi))
    assert there == pytest.approx(back, rel=20 * EPS, abs=0)
    pi = flow.gibbs()
    np.testing.assert_allclose(step.backward(phi), step.forward(pi * phi) / pi, rtol=1e-13)
    np.testing.assert_allclose(step.backward(np.ones(flow.grid.shape)), 1, rtol=50 * EPS)
    np.testing.assert_allclose(step.forward(pi), pi, rtol=100 * EPS)
    assert flow.mass(step.forward(rho)) == pytest.approx(flow.mass(rho), rel=30 * EPS, abs=0)
    if name == "heat":
        np.testing.assert_allclose(step.backward(phi), step.forward(phi), rtol=1e-14)


@pytest.mark.parametrize("name", ["ring", "plane"])
def test_it_is_linear(name):
    flow = FLOWS[name]()
    step, rho, phi = Propagator(flow, DT), bumps(flow.grid, 1), bumps(flow.grid, 2)
    for apply in (step.forward, step.backward):
        np.testing.assert_allclose(apply(3 * rho - 7 * phi), 3 * apply(rho) - 7 * apply(phi), rtol=0, atol=1e-13)
    np.testing.assert_array_equal(step.forward(2.0**-900 * rho), 2.0**-900 * step.forward(rho))


@pytest.mark.parametrize("dim", [1, 2])
def test_where_the_gibbs_state_underflows(dim):
    """V/κ goes to 4,000 in 1D, 8,000 in 2D: π is 0 over most of the box, and K* is as good as anywhere."""
    grid = Grid([-2.0] * dim, [2.0] * dim, [32, 24][:dim])
    flow = Flow(grid, Energy(Internal("entropy", 1e-3), bowl))
    pi, step = flow.gibbs(), Propagator(flow, 0.01, 1)
    assert np.mean(pi == 0) > 0.3
    np.testing.assert_allclose(step.backward(np.ones(grid.shape)), 1, rtol=50 * EPS)
    np.testing.assert_allclose(step.forward(pi)[pi > 1e-290], pi[pi > 1e-290], rtol=1e-12)
    x, short = np.broadcast_to(grid.x.centers, grid.shape), 1e-5
    back = step.backward(x + 2)
    assert np.all(np.isfinite(back)) and np.all(np.diff(back, axis=-1) > 0)  # what it does to x keeps its order
    moved = (Propagator(flow, short, 1).backward(x) - x) / short  # down the tail: to the next cell at the rate ΔV/h²
    down = -np.diff(x**2, axis=-1) / grid.x.widths[0]
    np.testing.assert_allclose(moved[..., 21:], down[..., 20:], rtol=2e-3)


@pytest.mark.parametrize(("order", "slope"), [(1, 1.0), (2, 2.0)])
@pytest.mark.parametrize("dim", [1, 2])
def test_order_in_time(order, slope, dim):
    """Of both directions, on a fixed grid, against many steps."""
    flow = Flow(Grid([-1.0] * dim, [1.0] * dim, [12] * dim), Energy(Internal("entropy", KAPPA), well))
    rho = bumps(flow.grid, 1)

    def path(steps):
        step, there, back = Propagator(flow, 0.2 / steps, order), rho, rho
        for _ in range(steps):
            there, back = step.forward(there), step.backward(back)
        return np.stack([there, back])

    exact = path(512) if order == 2 else 2 * path(1024) - path(512)
    errors = [np.abs(path(n) - exact).reshape(2, -1).max(axis=1) for n in (8, 16, 32)]
    slopes = np.log2(np.divide(errors[:-1], errors[1:]))
    np.testing.assert_allclose(slopes[-1], slope, atol=0.12)


@pytest.mark.parametrize("periodic", [False, True])
def test_heat_spreads_by_its_variance(periodic):
    """2κ dt is added to the variance exactly, and 3(2κdt)² to the fourth moment at order 2: no matter how few steps."""
    grid = Grid([-12.0], [12.0], [600], [periodic])
    x, h = grid.x.centers, grid.x.widths
    rho = np.exp(-(x**2) / 2)
    for repeats in (1, 4):
        out = heat_propagator(grid, KAPPA, 0.3, repeats=repeats).forward(rho)
        before, after = (np.sum(h * r * x**2) / np.sum(h * r) for r in (rho, out))
        assert after - before == pytest.approx(0.3, rel=1e-10, abs=0)
        assert np.sum(h * out * x**4) / np.sum(h * rho) == pytest.approx(3 * 1.3**2, rel=6e-4, abs=0)


def test_repeats_are_shorter_steps():
    flow = FLOWS["tube"]()
    rho, thrice, short = bumps(flow.grid, 1), Propagator(flow, DT, repeats=3), Propagator(flow, DT / 3)
    np.testing.assert_allclose(thrice.forward(rho), short.forward(short.forward(short.forward(rho))), rtol=1e-15)
    np.testing.assert_allclose(thrice.backward(rho), short.backward(short.backward(short.backward(rho))), rtol=1e-15)


def test_threads_change_nothing():
    flow = Flow(Grid([-1.0, -1.0], [1.0, 1.0], [300, 240], [False, True]), Energy(Internal("entropy", KAPPA), well))
    rho, one, two = bumps(flow.grid, 1), Propagator(flow, DT), Propagator(flow, DT, threads=3)
    np.testing.assert_array_equal(one.forward(rho), two.forward(rho))
    np.testing.assert_array_equal(one.backward(rho), two.backward(rho))


@pytest.mark.parametrize("name", ["line", "plane"])
def test_a_spike_is_not_positive_at_second_order(name):
    flow = FLOWS[name]()
    spike = np.zeros(flow.grid.shape)
    spike.flat[flow.grid.size // 2] = 1.0

    def work(order):
        return scaled(Propagator(flow, 1.0, order).forward(spike))[0]

    with pytest.raises(NotPositive):
        work(2)
    found, note = in_order(work, 2)
    assert np.all(found > 0) and note == FIRST_ORDER and in_order(lambda order: order, 2) == (2, "")
    with pytest.raises(SolverError, match="the start holds one"):
        in_order(lambda order: scaled(-spike), 2)


def test_a_march_over_hundreds_of_orders_of_magnitude():
    """Forward from one end and back from the other; between every pair of fields the pairing is the same."""
    flow = FLOWS["plane"]()
    step, h = Propagator(flow, DT), flow.grid.cell_volume
    there, back = np.empty((2, 9, *flow.grid.shape))
    there[0], back[-1] = 1e-200 * bumps(flow.grid, 1), bumps(flow.grid, 2)
    ahead = march(step.forward, there, log=-3.0)
    behind = march(step.backward, back, log=500.0, last_first=True)
    assert np.max(there[1:], axis=(1, 2)) == pytest.approx(1, abs=0) and ahead[0] == -3 and behind[-1] == 500
    pairing = np.log([np.sum(h * a * b) for a, b in zip(there, back, strict=True)]) + ahead + behind
    np.testing.assert_allclose(pairing, pairing[0], rtol=0, atol=2e-13)
    plain = bumps(flow.grid, 1)
    for _ in range(8):
        plain = step.forward(plain)
    np.testing.assert_allclose(there[-1] * math.exp(ahead[-1] + 200 * math.log(10) + 3), plain, rtol=1e-12)


def test_what_spans_too_much_is_told():
    with pytest.raises(SolverError, match="vanished: what it holds spans more than double precision does"):
        scaled(np.zeros(4))
    with pytest.raises(SolverError, match="is not finite"):
        scaled(np.array([1.0, np.inf]))


def test_cells_that_are_forbidden_stay_empty():
    flow = FLOWS["line"]()
    flow.mobility = (np.where(np.arange(41) == 20, 0.0, 1.0),)  # no way through the middle
    left = np.where(flow.grid.x.centers < 0, 1.0, 0.0)
    step = Propagator(flow, DT)
    for out in (step.forward(left), step.backward(left)):
        assert np.all(out[20:] == 0) and np.all(out[:20] > 0)


def test_bad_input():
    grid = Grid([0.0], [1.0], [8])
    heat = Flow(grid, Energy(Internal()))
    for options, words in (
        ({"dt": 0.0}, "dt must be a positive number"),
        ({"dt": math.inf}, "dt must be a positive number"),
        ({"dt": 0.1, "order": 3}, "order must be 1 or 2"),
        ({"dt": 0.1, "repeats": 0}, "at least 1 step"),
    ):
        with pytest.raises(CaseError, match=words):
            Propagator(heat, **options)
    for flow in (
        Flow(grid, Energy(Internal("power", 1.0, 2.0))),
        Flow(grid, Energy(Internal(), interaction=lambda x: x**2)),
        Flow(grid, Energy(Internal()), sinks=[Sink("gone", rate=lambda x: 1.0 + 0 * x, text="1")]),
    ):
        with pytest.raises(CaseError, match="a propagator needs an equation that is linear"):
            Propagator(flow, 0.1)


def test_kernels_are_loaded_beforehand():
    warm_up(FLOWS["tube"](), 1)
    warm_up(FLOWS["D of both"]())
