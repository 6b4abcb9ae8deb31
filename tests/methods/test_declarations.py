"""What methods declare, against what they do: traits, amplification, defaults, memory, small runs for references."""

import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest

import wgfpde as wgf
from wgfpde.cases import building
from wgfpde.cases.limits import memory
from wgfpde.cases.loading import loads
from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.snapshot import Snapshot, Traits
from wgfpde.grid import Grid
from wgfpde.methods import METHODS, Method
from wgfpde.methods.finite_volumes.stepper import FiniteVolumes
from wgfpde.output.promises import promises_of
from wgfpde.transport.benamou_brenier.nearby import solve_nearby

JKO = {"method": "jko", "tau": 0.25}
PDHG = JKO | {"algorithm": "pdhg"}
DECLARED = [
    ({"method": "fv", "order": 1}, Traits(order=1.0)),
    ({"method": "fv"}, Traits(order=2.0)),
    (JKO, Traits(step=0.25, order=1.0)),
    (JKO | {"scheme": "extrapolated"}, Traits(step=0.25, order=2.0)),
    (PDHG | {"congestion": 2.0}, Traits(wasserstein=False, tends_to_gibbs=False, step=0.25, order=1.0)),
    ({"method": "geodesic"}, Traits(lowers_energy=False, wasserstein=False, tends_to_gibbs=False, path=True)),
]


def table_of(solver):
    return METHODS[solver["method"]].table.model_validate(solver)


@pytest.mark.parametrize(("solver", "traits"), DECLARED, ids=str)
def test_traits(solver, traits):
    assert METHODS[solver["method"]].traits(table_of(solver)) == traits


def test_a_plain_march_is_the_gradient_flow_of_its_energy():
    assert Traits() == Traits(
        lowers_energy=True, wasserstein=True, keeps_mass=True, tends_to_gibbs=True, random=False, path=False, step=None,
        order=1.0,
    )  # fmt: skip


@pytest.mark.parametrize(("traits", "names"), [
    (Traits(), ["mass drift", "min density", "energy rise"]),
    (Traits(keeps_mass=False), ["min density", "energy rise"]),
    (Traits(lowers_energy=False), ["mass drift", "min density"]),
])  # fmt: skip
def test_promises_follow_from_traits(traits, names, monkeypatch):
    fv = METHODS["fv"]
    monkeypatch.setitem(METHODS, "fv", Method("fv", fv.table, fv.build, lambda table: traits))
    columns = {name: np.ones(2) for name in ("mass", "min", "energy")}
    run = SimpleNamespace(
        diagnostics=columns, attributes={}, boundary=(), resolved_toml='solver = { method = "fv" }',
        number=lambda name, default=0.0: default,
    )  # fmt: skip
    assert [promise["name"] for promise in promises_of(run)] == names


def step_of_a_mode(order, dt, first=None):
    """z = λ dt of a cosine on a circle and what one step leaves of it."""
    n, k = 16, 3
    grid = Grid([0.0], [1.0], [n], True)
    mode = np.cos(2 * np.pi * k * (np.arange(n) + 0.5) / n)
    stepper = FiniteVolumes(Flow(grid, Energy(Internal("entropy", 0.5))), order, dt, 1e-2, first)
    after = stepper.step(Snapshot(0.0, 0, {"rho": 1 + 0.1 * mode}), 1.0)
    rate = 0.5 * (2 * n * np.sin(np.pi * k / n)) ** 2
    return rate * after.dt, abs(after.rho @ mode) / (0.1 * mode @ mode)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("dt", [1e-3, 1e-2, 0.1])
def test_amplification_is_what_a_step_does(order, dt):
    for chosen, first in ((dt, None), ("adaptive", dt)):
        z, left = step_of_a_mode(order, chosen, first)
        told = METHODS["fv"].amplification({"dt": chosen, "order": order}, np.array([z]))
        assert told[0] == pytest.approx(left, rel=1e-11, abs=0)
        if order == 2:  # unless it says otherwise
            assert METHODS["fv"].amplification({"dt": chosen}, np.array([z]))[0] == told[0]


@pytest.mark.parametrize(
    ("solver", "arrays"),
    [(JKO, 50), (PDHG, 48), (PDHG | {"inner_steps": 4}, 147), ({"method": "fv"}, 20),
     ({"method": "geodesic", "inner_steps": 4}, 385), ({"method": "geodesic"}, 543),
     ({"method": "geodesic", "inner_steps": 32}, 1071)],
)  # fmt: skip
def test_arrays_held_at_once(solver, arrays):
    assert METHODS[solver["method"]].arrays(table_of(solver), 2, 1.0) == arrays


def test_a_short_geodesic_holds_what_it_declares():
    """Few inner steps save little: between near densities it takes up to 32 all the same."""
    table, held = table_of({"method": "geodesic", "inner_steps": 2}), []
    for cells in (72, 72):  # the first one compiles, and all that this size needs
        grid = Grid([0.0, 0.0], [1.0, 1.0], [cells, cells])
        start = 1.0 + np.where(np.arange(cells) < cells // 3, 9.0, 0.0)[:, None] + grid.x.centers
        tracemalloc.start()
        solve_nearby(grid, start, start[::-1].copy(), table.inner_steps, 1e-3)
        held.append(tracemalloc.get_traced_memory()[1] / (8 * grid.size))
        tracemalloc.stop()
    declared = METHODS["geodesic"].arrays(table, 2, 1.0)
    assert 0.8 * declared < held[1] < 1.05 * declared, held


def test_memory_is_that_of_arrays_of_doubles():
    assert memory.memory_needed(wgf.load("jko_gaussian_2d", grid={"shape": [10, 7]})) == 50 * 8 * 70


def test_defaults_that_depend_on_the_span():
    complete = {name: METHODS[name].complete for name in METHODS}
    assert complete["fv"](table_of({"method": "fv"}), 3.0).dt == 3.0 / 200
    assert complete["fv"](table_of({"method": "fv", "dt": 0.5}), 3.0).dt == 0.5
    assert [complete["jko"](table_of(t), 3.0).tolerance for t in (JKO, PDHG)] == [1e-8, 1e-6]
    assert complete["jko"](table_of(JKO | {"tolerance": 1e-5}), 3.0).tolerance == 1e-5


def test_small_runs_for_references():
    """As many steps as are asked for, solved closely: an iterate is what references compare."""
    coarse = {name: METHODS[name].coarse for name in METHODS}
    assert coarse["fv"](table_of({"method": "fv", "dt": 0.1}), 3.0, 16) == ["solver.dt=0.1875"]
    assert coarse["fv"](table_of({"method": "fv", "dt": "adaptive"}), 3.0, 16) == ["solver.tolerance=1e-3"]
    assert coarse["jko"](table_of(JKO), 3.0, 16) == ["solver={tau=0.1875, tolerance=1e-11}"]
    assert coarse["jko"](table_of(PDHG), 3.0, 16) == ["solver={tau=0.1875, tolerance=1e-06}"]


def test_a_tau_of_few_digits_fills_the_span():
    asked = {"solver": {"method": "jko", "tau": 0.3333333333}, "time": {"end": 1.0}, "output": {"every": 1.0}}
    case = wgf.load("jko_gaussian_1d", grid={"shape": [8]}, **asked)
    assert building.build(case).stepper.tau == 1.0 / 3


def test_a_blow_up_ends_runs_of_methods_that_ask_for_it():
    fv, path = METHODS["fv"], METHODS["geodesic"]
    assert fv.watches(table_of({"method": "fv"})) and not fv.watches(table_of({"method": "fv", "blow_up": "ignore"}))
    assert not path.watches(table_of({"method": "geodesic"}))
    assert Method("m", fv.table, fv.build, fv.traits).arrays(None, 1, 1.0) == 20
    assert fv.stationary(table_of({"method": "fv", "stationary": 1e-9})) == 1e-9
    assert path.stationary(table_of({"method": "geodesic"})) is None


SVGD = "method = 'svgd'\nkernel = { kind = 'gaussian', bandwidth = 0.8 }"
WARMED = [
    "method = 'fv'", "method = 'jko'\ntau = 0.1", "method = 'geodesic'\ninner_steps = 4\ntolerance = 1e-2",
    "method = 'bridge'\ndt = 0.1", "method = 'game'\ndt = 0.1\nviscosity = 0.3", "method = 'sinkhorn'\ntau = 0.3",
    "method = 'langevin'\ntau = 0.15", "method = 'langevin'\ntau = 0.1\nparticles = 9", SVGD,
    SVGD + "\nparticles = 9", "method = 'wfr'\nrate = 1.0\ndt = 0.1", "method = 'gaussian'",
    "method = 'accelerated'\nfriction = 1.0\ndt = 0.01",
]  # fmt: skip


@pytest.mark.parametrize(
    ("solver", "dim"),
    [(solver, dim) for solver in WARMED for dim in (1, 2) if dim == 1 or "accelerated" not in solver],
    ids=lambda value: str(value).replace("\n", " "),
)
def test_every_method_warms_up_and_marches_as_if_it_had_not(solver, dim):
    """What is compiled, or loaded, before the clock starts is of the method's own kind of grid, and leaves no trace."""
    shape, lower, upper = [9, 8][:dim], [-3.0, -3.2][:dim], [3.0, 2.8][:dim]
    square = "((x - 0.3)**2 + y**2)" if dim == 2 else "(x - 0.3)**2"
    tables = f"grid = {{ shape = {shape}, lower = {lower}, upper = {upper} }}\n"
    tables += f"energy = {{ internal = {{ kind = 'entropy' }}, potential = '3*{square}' }}\n"
    tables += f"initial = {{ density = 'exp(-4*{square})' }}\ntime = {{ end = 0.3 }}\noutput = {{ every = 0.3 }}\n"
    if "geodesic" in solver or "bridge" in solver:
        tables += f"target = {{ density = 'exp(-2*{square})' }}\n"
    text = f"schema = 1\ntitle = 'Few cells'\n{tables}[solver]\n{solver}\n"
    ends = []
    for warm in (True, False):
        problem = building.build(loads(text))
        if warm:
            problem.stepper.warm_up()
        ends.append(problem.stepper.step(problem.initial, 0.3))
    assert ends[0].t == ends[1].t
    for name, values in ends[0].fields.items():
        np.testing.assert_array_equal(values, ends[1].fields[name])
