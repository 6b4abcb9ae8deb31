"""Steps taken many at a time are the steps taken one by one, bit for bit, and end before one that is unusual."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from strategies import Problem

from wgfpde.base.kernel_cache import njit
from wgfpde.base.kernel_pointer import pointer
from wgfpde.energy.dynamics import Dynamics
from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.laws.law import ENTROPY
from wgfpde.energy.openings.sinks import Sink
from wgfpde.energy.snapshot import Snapshot
from wgfpde.grid import Grid
from wgfpde.methods.finite_volumes.linear_sweep import sweep
from wgfpde.methods.finite_volumes.stepper import FiniteVolumes

END = 0.05


def start(rho):
    return Snapshot(0.0, 0, {"rho": rho})


def one_by_one(stepper, state, end=END):
    """All snapshots up to `end`."""
    states = [state]
    while states[-1].t < end:
        states.append(stepper.step(states[-1], end))
    return states


def by_strides(stepper, state, end=END, seconds=10.0):
    """The last snapshot, the rows of the table of steps, and how many steps were unusual."""
    rows, unusual = [], 0
    while state.t < end:
        stride = stepper.stride(state, end, seconds)
        if stride is None:
            state = stepper.step(state, end)
            rows.append(row(state))
            unusual += 1
            continue
        names = ("t", "dt", "iterations", "residual", "repaired", "rejected")
        rows += zip(*(stride.columns[name].tolist() for name in names), stride.limits, strict=True)
        assert rows[-1] == row(stride.snapshot) and not stride.snapshot.rho.flags.writeable
        state = stride.snapshot
    return state, rows, unusual


def row(state):
    report = state.report
    return state.t, state.dt, report.iterations, report.residual, report.repaired, report.rejected, report.limit


def assert_same(stepper, rho, end=END, seconds=10.0):
    """Returns the steps and how many were unusual."""
    states = one_by_one(stepper, start(rho), end)
    last, rows, unusual = by_strides(stepper, start(rho), end, seconds)
    assert rows == [row(state) for state in states[1:]]
    assert last.rho.tobytes() == states[-1].rho.tobytes()
    assert replace(last, fields={}, report=states[-1].report) == replace(states[-1], fields={})
    assert replace(last.report, gap=0.0) == replace(states[-1].report, gap=0.0) or np.isnan(last.report.gap)
    return states, unusual


def random_problem(kind, seed):
    """A problem in one or two dimensions: plain, stretched or periodic; smooth or steep; dense or with vacuum."""
    rng = np.random.default_rng([21, seed])
    dim = 1 + seed % 2
    return Problem(
        kind,
        shape=tuple(rng.integers(3, 22, dim).tolist()),
        periodic=tuple((rng.random(dim) < 0.4).tolist()),
        stretched=tuple((rng.random(dim) < 0.4).tolist()),
        kappa=float(rng.uniform(0.2, 2.0)),
        potential=str(rng.choice(["none", "smooth", "steep"])),
        steepness=float(rng.choice([1.0, 30.0])),
        data=str(rng.choice(["smooth", "random", "blocks", "dirac", "spread"])),
        mass=float(rng.choice([1.0, 1e-3, 50.0])),
        seed=seed,
    )


@pytest.mark.parametrize("kind", ["entropy", "none", 2.0, 3.0, 2.5, 1.5, 0.6])
@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("dt", [0.003, "adaptive"])
def test_the_same_bits(kind, order, dt):
    """Over random problems, of which some have steps that are unusual."""
    for seed in range(4):
        flow, rho = random_problem(kind, seed).build()
        stepper = FiniteVolumes(flow, order, dt, tolerance=1e-3, threads=1)
        states, unusual = assert_same(stepper, rho, end=0.02)
        assert unusual < len(states) - 1 or len(states) <= 3


@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("internal", [Internal("entropy"), Internal("power", 1.0, 2.0), Internal("none")])
def test_with_a_diffusion(dim, internal):
    """It is in the rates and in the conductances, on every line its own."""
    grid = Grid([-1.0] * dim, [1.0] * dim, [16, 12][:dim])
    names = ("x", "y")[:dim]
    energy = Energy(internal, lambda x, y=0.0: x**2 + 0.5 * y)
    rho = np.ones(grid.shape) + 0.5 * np.cos(np.arange(grid.size)).reshape(grid.shape)
    along = tuple((lambda x, y=0.0: 1.5 + np.sin(x + y)) for _ in names)
    flow = Flow(grid, energy, dynamics=Dynamics(diffusion=along))
    for dt in (0.005, "adaptive"):
        assert_same(FiniteVolumes(flow, 2, dt, threads=1), rho, end=0.02)
    assert FiniteVolumes(flow, 2, 0.005, threads=1).stride(start(rho), END, 1.0) is not None


def test_where_a_stride_ends_changes_no_bit():
    """Of one step a call, of as many as there are, and from any snapshot of the march."""
    flow, rho = random_problem(2.0, 3).build()
    for dt in (0.002, "adaptive"):
        stepper = FiniteVolumes(flow, 2, dt, threads=1)
        states, _ = assert_same(stepper, rho)
        assert_same(stepper, rho, seconds=1e-9)
        few = stepper.stride(start(rho), END, 1e-9)
        assert few.snapshot.step < len(states) - 1
        for state in states[1:-1:3]:
            assert by_strides(stepper, state)[0].rho.tobytes() == states[-1].rho.tobytes()


@pytest.mark.parametrize("kind", ["entropy", "none", 2.0])
@pytest.mark.parametrize("dim", [1, 2])
def test_after_a_shortened_step(kind, dim):
    """Fixed steps grow again to their size, from any time, and land on times that no sum of them is."""
    flow, rho = random_problem(kind, 1 + dim).build()
    stepper = FiniteVolumes(flow, 2, 0.01, threads=1)
    for t, end, wish in ((0.1, 0.17, 0.001), (1 / 3, 0.7, 0.0004), (0.0, 0.3, 0.009)):
        short = Snapshot(t, 7, {"rho": rho}, 1e-4, wish)
        states = one_by_one(stepper, short, end)
        last, rows, _ = by_strides(stepper, short, end)
        assert rows == [row(state) for state in states[1:]] and last.dt_next == states[-1].dt_next
        assert states[1].dt < 0.01 and last.t == end and last.step == states[-1].step


def test_landing():
    """On the time that is asked for, where rounding would end beside it: 0.002 + (0.018 − 0.002) > 0.018."""
    flow, rho = random_problem("entropy", 0).build()
    stride = FiniteVolumes(flow, 2, 0.1, threads=1).stride(Snapshot(0.002, 0, {"rho": rho}), 0.018, 1.0)
    assert stride.snapshot.t == stride.columns["t"][-1] == 0.018 < 0.002 + stride.snapshot.dt


@pytest.mark.parametrize("kind", ["entropy", 3.0])
@pytest.mark.parametrize("dt", [0.3, "adaptive"])
@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("shape", [(30,), (14, 9)])
def test_repaired_cells_are_counted(kind, dt, periodic, shape):
    """Blocks in vacuum between steep walls, in steps that the second order alone would make negative."""
    ring, stretched = (False, periodic)[: len(shape)][::-1], (not periodic, True)[: len(shape)][::-1]
    flow, rho = Problem(kind, shape, ring, stretched, potential="steep", steepness=30.0, data="blocks", seed=5).build()
    states, _ = assert_same(FiniteVolumes(flow, 2, dt, tolerance=0.5, first_dt=0.3, threads=1), rho, end=1.0)
    assert sum(state.report.repaired for state in states) > 0


@pytest.mark.parametrize("internal", [Internal("entropy", 0.05), Internal("power", 0.05, 2.0), Internal("none")])
@pytest.mark.parametrize("dt", [0.02, "adaptive"])
def test_a_stride_ends_before_a_step_that_is_unusual(internal, dt):
    """A drop goes down V = 4x, and its energy is taken in x², which it lowers on its way to 0 and raises after that."""
    grid = Grid([-2.0], [2.0], [40])
    rho = np.exp(-20 * (grid.x.centers - 1.0) ** 2)
    stepper = FiniteVolumes(Flow(grid, Energy(internal, lambda x: 4 * x)), 2, dt, tolerance=1e-3, threads=1)
    assert by_strides(stepper, start(rho), 0.5)[2] == 0
    states = one_by_one(stepper, start(rho), 0.5)
    if internal.kind == "entropy":  # its rates are made, so that another potential is that of the energy alone
        stepper._strider._phi = (grid.x.centers**2)[None].copy()
        before = stepper.stride(start(rho), 0.5, 10.0)
        last = before.snapshot
        assert 0 < last.step < len(states) - 1
        assert last.rho.tobytes() == states[last.step].rho.tobytes()
        assert 0.15 < last.t < 0.35 and stepper.stride(last, 0.5, 10.0) is None
    worse = rho.copy()
    worse[3] = np.nan
    assert stepper.stride(start(worse), 0.5, 10.0) is None


@njit(error_model="numpy")
def fails_when_high(
    first, last, rho, phi, direction, a, b, h, ring, pivots, known, exits, dt, order, guard, code, kappa, out, stats
):  # fmt: skip
    """The sweep of a line, said to have failed where its first cell would hold more than 0.02."""
    sweep(
        first, last, rho, phi, direction, a, b, h, ring, pivots, known, exits, dt, order, guard, code, kappa, out, stats
    )
    if out[0, 0] > 0.02:
        stats[0, 3] = 1.0


@pytest.mark.parametrize("dt", [0.02, "adaptive"])
def test_a_stride_ends_before_a_step_whose_solve_fails(dt):
    """Though its density is sound and its energy falls; where the first fails, there is no stride."""
    flow = Flow(Grid([-2.0], [2.0], [30]), Energy(Internal("entropy", 0.5)))
    rho = np.exp(-4 * flow.grid.x.centers**2)
    stepper = FiniteVolumes(flow, 2, dt, threads=1)
    states = one_by_one(stepper, start(rho), 1.0)
    high = next(k for k, state in enumerate(states) if state.rho[0] > 0.02)
    assert 2 < high < len(states) - 1 and stepper.stride(start(rho), 1.0, 10.0).snapshot.t == 1.0
    one, strider = stepper._one, stepper._strider
    found = strider._sweeps[0][0]
    direction, _, a, b, h, ring, pivots, _ = found[0]
    field, held = one.potential.copy(), np.zeros((1, 5))
    kernel = pointer(
        fails_when_high, 0, 1, field, one.potential, direction, a, b, h, ring, pivots, False, None, 1.0, 1, False,
        ENTROPY, 0.5, field, held,
    )  # fmt: skip
    strider._sweeps = ((found, kernel), None, None)
    last = stepper.stride(start(rho), 1.0, 10.0).snapshot
    assert last.step < high if stepper.adaptive else last.step == high - 1
    assert last.rho.tobytes() == states[last.step].rho.tobytes() and last.rho[0] <= 0.02
    for state in states[high:]:
        assert stepper.stride(state, state.t + 0.02, 10.0) is None


LINE, PLANE = Grid([-1.0], [1.0], [16]), Grid([-1.0, -1.0], [1.0, 1.0], [8, 6])
ALONE = {
    "interaction": Flow(LINE, Energy(interaction=lambda x: x**2)),
    "driven": Flow(LINE, Energy(potential=lambda x, t: t * x)),
    "force": Flow(Grid([-1.0], [1.0], [16], [True]), Energy(tilt=(1.0,))),
    "sink": Flow(LINE, Energy(), sinks=[Sink("decay", rate=lambda x: 1 + x)]),
    "absorbing": Flow(Grid([-1.0], [1.0], [16], ["absorbing"]), Energy()),
    "large": Flow(Grid([-1.0, -1.0], [1.0, 1.0], [256, 256]), Energy()),
    "one axis of D alike": Flow(PLANE, Energy(), dynamics=Dynamics(lambda x, y: 1 + x**2)),
}


@pytest.mark.parametrize("name", ALONE)
def test_steps_that_are_taken_one_by_one(name):
    """With an interaction, exits, a force or what depends on time; on large grids; of unlike axes."""
    flow = ALONE[name]
    assert FiniteVolumes(flow, 2, 0.01).stride(start(np.ones(flow.grid.shape)), END, 1.0) is None


def test_a_stall_does_not_shorten_all_later_calls():
    """A pace that was taken while the process stood still would make every call shorter than can be timed."""
    flow = Flow(Grid([-2.0], [2.0], [100]), Energy(Internal("entropy", 0.3), lambda x: x**2))
    stepper, state = FiniteVolumes(flow, 2, 1e-5), start(np.ones(100))
    assert stepper.stride(state, 1.0, 0.02) is not None
    usual = stepper._strider._pace
    stepper._strider._pace = 1e6 * usual
    taken = [stepper.stride(state, 1.0, 0.02).snapshot.step for _ in range(6)]
    assert stepper._strider._pace < 1e3 * usual and taken[-1] > 20 * taken[0]


PLAIN = """
import sys
sys.path.insert(0, sys.argv[1])
import numpy as np
from strategies import Problem
from wgfpde.energy.snapshot import Snapshot
from wgfpde.methods.finite_volumes.stepper import FiniteVolumes
for kind in ("entropy", "none", 2.0):
    for dim in (1, 2):
        for dt in (0.01, "adaptive"):
            flow, rho = Problem(kind, (5, 4)[:dim], (True, False)[:dim], (False, True)[:dim], potential="smooth",
                                steepness=3.0, data="smooth", seed=4).build()
            stepper, state = FiniteVolumes(flow, 2, dt, threads=1), Snapshot(0.0, 0, {"rho": rho})
            stride = stepper.stride(state, 0.02, 10.0)
            while state.step < stride.snapshot.step:
                state = stepper.step(state, 0.02)
            assert stride.snapshot.step > 0 and state.t == stride.snapshot.t
            assert np.array_equal(state.rho, stride.snapshot.rho)
"""


def test_strides_as_plain_python_keep_to_their_arrays():
    """Compiled, an index beyond the end of an array is read or written all the same; here it is an error."""
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    command = [sys.executable, "-c", PLAIN, str(Path(__file__).resolve().parents[2])]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
