"""A law given by functions of arrays, registered from outside: from a case file to a plot, with every promise."""

from typing import Literal

import h5py
import numpy as np
import pytest
from pydantic import Field

import wgfpde as wgf
from wgfpde.base.case_table import Positive, Table
from wgfpde.cases import building, loading
from wgfpde.cases.table_places import json_schema
from wgfpde.cli import main
from wgfpde.energy import laws
from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.energy.fluxes import dissipation, max_flux
from wgfpde.energy.laws.array_law import two_point
from wgfpde.energy.laws.equation_names import name_equation
from wgfpde.energy.snapshot import Snapshot
from wgfpde.errors import CaseError
from wgfpde.grid import Grid
from wgfpde.methods.finite_volumes.stepper import FiniteVolumes


class Toy(Table):
    """U = κ(ρ ln ρ − ρ) + aρ²/2."""

    kind: Literal["toy"]
    kappa: Positive = 1.0
    a: float = Field(default=1.0, ge=0.0, description="strength of the repulsion, a number ≥ 0")


class Cube(Table):
    """U = κρ³/2, whose cells may be empty: `power` with m = 3."""

    kind: Literal["cube"]
    kappa: Positive = 1.0


TOY = laws.ArrayLaw(
    "toy",
    Toy,
    U=lambda rho, kappa, a: kappa * (rho * np.log(rho) - rho) + a * rho**2 / 2,
    dU=lambda rho, kappa, a: kappa * np.log(rho) + a * rho,
    ddU=lambda rho, kappa, a: kappa / rho + a,
    text="ρ ln ρ - ρ + ρ**2/2",
)
CUBE = laws.ArrayLaw(
    "cube",
    Cube,
    U=lambda rho, kappa: kappa * rho**3 / 2,
    dU=lambda rho, kappa: 1.5 * kappa * rho**2,
    ddU=lambda rho, kappa: 3 * kappa * rho,
)

CASE = """
schema = 1
[grid]
shape = {shape}
lower = {lower}
upper = {upper}
boundary = {boundary}
[energy]
internal = {{ kind = "toy", kappa = 0.3, a = 2.0 }}
potential = "x**4/4 - x**2/2"
[initial]
density = "exp(-4*(x - 0.5)**2)"
mass = 1.0
[solver]
method = "fv"
dt = 0.05
[time]
end = 1.0
[output]
every = 0.25
"""
LINE = {"shape": "[60]", "lower": "[-2.0]", "upper": "[2.0]", "boundary": '["no-flux"]'}
PLANE = {
    "shape": "[24, 16]",
    "lower": "[-2.0, 0.0]",
    "upper": "[2.0, 1.0]",
    "boundary": '["no-flux", "periodic"]',
}


@pytest.fixture(autouse=True)
def registered():
    """The laws of this file, known only while one of its tests runs."""
    laws.register(TOY)
    laws.register(CUBE)
    yield
    for kind in ("toy", "cube"):
        laws.unregister(kind)


def flow_of(internal, dim=1, cells=40, potential=None, interaction=None, periodic=False):
    grid = Grid([-2.0] * dim, [2.0] * dim, [cells] * dim, [periodic] * dim)
    return Flow(grid, Energy(internal, potential, interaction))


def toy(kappa=0.3, a=2.0):
    return Internal("toy", kappa, more=(("a", a),))


def march(flow, rho, dt, steps, order=2):
    stepper, state = FiniteVolumes(flow, order, dt), Snapshot(0.0, 0, {"rho": rho})
    for k in range(steps):
        state = stepper.step(state, (k + 1) * dt)
    return state


# ------------------------------------------------------------------------------------------- from a file to a plot


@pytest.mark.parametrize("place", [LINE, PLANE], ids=["line", "plane"])
def test_from_a_case_file_to_a_plot(tmp_path, place):
    path = tmp_path / "crowd.toml"
    path.write_text(CASE.format(**place), encoding="utf-8")
    assert main(["check", str(path)]) == 0
    assert main(["run", str(path), "--out", str(tmp_path / "run")]) == 0
    run = wgf.read(tmp_path / "run")
    assert run.status == "finished" and min(rho.min() for rho in run.rho) >= 0
    d = run.diagnostics
    assert np.max(np.abs(d["mass"] - 1.0)) < 1e-13
    assert np.all(np.diff(d["energy"]) <= 1e-14) and d["energy"][-1] < d["energy"][0]
    assert np.all(d["dissipation"] >= 0) and d["dissipation"][-1] < d["dissipation"][0]
    with h5py.File(tmp_path / "run" / "output.h5") as file:
        assert file.attrs["equation"] == "nonlinear diffusion with drift"
    for verb in (["inspect"], ["plot"], ["report"]):
        assert main([*verb, str(tmp_path / "run")]) == 0
    assert wgf.resume(tmp_path / "run", 1.25).status == "finished"


def test_what_others_say_of_it(tmp_path):
    path = tmp_path / "crowd.toml"
    path.write_text(CASE.format(**LINE), encoding="utf-8")
    case = loading.load(path)
    assert loading.loads(case.resolved_toml()) == case
    assert case.energy.internal == Toy(kind="toy", kappa=0.3, a=2.0)
    assert "nonlinear diffusion with drift" in repr(case)
    with pytest.raises(CaseError, match=r"solver.method.*functions of arrays.*take method = \"fv\""):
        building.build(loading.load(path, ["solver.method=jko", "solver.tau=0.05"]))
    with pytest.raises(CaseError, match=r'crowd\.toml: energy\.internal: stationary .*found kind = "toy"'):
        wgf.stationary(case)
    with pytest.raises(CaseError, match='internal energy "toy"'):
        wgf.spectrum(case)
    with pytest.raises(CaseError, match=r"energy.internal.a: expected .*≥"):
        loading.load(path, ["energy.internal.a=-1"])
    with pytest.raises(CaseError, match=r"energy.internal.b: unknown key; .*Valid keys: kind, kappa, a"):
        loading.load(path, ["energy.internal.b=1"])
    with pytest.raises(CaseError, match=r'energy.internal.kind: expected "entropy", "power", "none", "toy" or "cube"'):
        loading.load(path, ["energy.internal.kind=toys"])
    assert loading.load(path, ["energy.internal.kind=entropy"]).energy.internal.kappa == 0.3


def test_from_python():
    grid = Grid([-2.0], [2.0], [40])
    run = wgf.march(wgf.problem(grid, Energy(toy()), lambda x: np.exp(-(x**2)), end=0.1))
    *_, last = run
    assert last.rho.min() > 0


def test_a_law_must_be_displacement_convex():
    """−ρ^0.4 is in one dimension and not in two, as a power with m = 0.4 is."""
    root = laws.ArrayLaw("cube", Cube, lambda r, kappa: -(r**0.4), lambda r, kappa: -0.4 * r**-0.6,
                         lambda r, kappa: 0.24 * r**-1.6)  # fmt: skip
    root.check_dimension(Internal("cube"), 1)
    with pytest.raises(CaseError, match="not displacement convex in 2D"):
        root.check_dimension(Internal("cube"), 2)
    TOY.check_dimension(toy(), 2)


def test_names_are_the_laws_own():
    with pytest.raises(CaseError, match='there is an internal energy "toy" already'):
        laws.register(laws.ArrayLaw("toy", Toy, TOY.U, TOY.dU, TOY.ddU))
    with pytest.raises(CaseError, match=r'kind: Literal\["other"\]'):
        laws.register(laws.ArrayLaw("other", Toy, TOY.U, TOY.dU, TOY.ddU))
    assert name_equation(Energy(toy(), interaction=lambda x: x**2)).name == "aggregation-diffusion"
    with pytest.raises(CaseError, match="internal energy must be"):
        laws.unregister("toi")
    assert "Toy" in json_schema()["$defs"]  # while it is registered


# --------------------------------------------------------------------------------------------------- the promises


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("dt", [1e-3, 0.3, 100.0])
@pytest.mark.parametrize("law", ["toy", "stiff", "cube"])
@pytest.mark.parametrize("periodic", [False, True])
def test_mass_sign_and_energy(law, dt, order, periodic):
    internal = Internal("cube", 2.0) if law == "cube" else toy() if law == "toy" else toy(0.05, 10.0)
    rng = np.random.default_rng(5)
    flow = flow_of(internal, potential=lambda x: 3 * np.cos(np.pi * x), periodic=periodic)
    rho = rng.exponential(size=40) * (rng.random(40) > 0.3)
    state = Snapshot(0.0, 0, {"rho": rho})
    stepper = FiniteVolumes(flow, order, dt)
    for _ in range(5):
        after = stepper.step(state, 1e9)
        assert after.rho.min() >= 0
        assert flow.mass(after.rho) == pytest.approx(flow.mass(rho), rel=1e-13, abs=0)
        assert flow.value(after.rho) <= flow.value(state.rho) + 1e-12 * abs(flow.value(state.rho))
        state = after


def test_with_interaction_in_the_plane():
    flow = flow_of(toy(), 2, 16, interaction=lambda x, y: 2 * (x**2 + y**2))
    rho = np.random.default_rng(1).exponential(size=(16, 16))
    energies, state, stepper = [flow.value(rho)], Snapshot(0.0, 0, {"rho": rho}), FiniteVolumes(flow, dt=1e-3)
    for _ in range(4):
        state = stepper.step(state, 1.0)
        energies.append(flow.value(state.rho))
        assert state.rho.min() >= 0 and flow.mass(state.rho) == pytest.approx(flow.mass(rho), rel=1e-13, abs=0)
    assert np.all(np.diff(energies) < 0)


def test_the_steady_state_is_one_of_equal_xi():
    """κ ln ρ + aρ + V = C, found by the march and kept by a step of any size."""
    flow = flow_of(toy(), potential=lambda x: x**2)
    rho = march(flow, np.full(40, 0.25), 5.0, 60).rho
    assert np.ptp(flow.variation(rho)) < 1e-10
    assert max_flux(flow, rho) < 1e-10 and dissipation(flow, rho) < 1e-18
    again = march(flow, rho, 1e3, 1).rho
    np.testing.assert_allclose(again, rho, rtol=1e-10, atol=1e-11)


# ----------------------------------------------------------------------------------------- against laws with kernels


@pytest.mark.parametrize("floor", [0.3, -0.5], ids=["full", "vacuum"])
@pytest.mark.parametrize("dim", [1, 2])
def test_a_cube_is_the_power_three(dim, floor):
    """The same scheme by other ways: kernels and arrays agree to rounding, fluxes as well as steps."""
    powers = [
        flow_of(u, dim, 20, lambda x, **_: 3 * x**2) for u in (Internal("power", 2.0, 3.0), Internal("cube", 2.0))
    ]
    rho = np.maximum(floor + np.random.default_rng(2).random(powers[0].grid.shape), 0.0)
    one, two = ([dissipation(flow, rho), max_flux(flow, rho), flow.value(rho)] for flow in powers)
    np.testing.assert_allclose(one, two, rtol=1e-12)
    first, second = (march(flow, rho, 1e-3, 3, order=1).rho for flow in powers)
    np.testing.assert_allclose(first, second, rtol=1e-9, atol=1e-14)


def test_nothing_leaves_an_empty_cell():
    """Uphill in ξ into it or level, never out of it, however steep V is."""
    dphi = np.array([-1e3, -1.0, 0.0])
    for law, p in ((TOY, toy()), (CUBE, Internal("cube"))):
        face = two_point(law, p, np.zeros(3), np.ones(3), dphi)
        assert np.all(face.flux <= 0.0)
    assert two_point(CUBE, Internal("cube"), np.zeros(1), np.ones(1), np.array([-1e3])).flux == 0.0


def test_order_two_in_time_and_space():
    """Against the finest of its own, for a smooth density away from vacuum."""

    def end(cells, steps):
        flow = flow_of(toy(), cells=cells, potential=lambda x: np.cos(np.pi * x))
        return march(flow, 1 + 0.5 * flow.grid.average(lambda x: np.sin(np.pi * x / 4)), 0.2 / steps, steps).rho

    coarse = [end(16 * 2**k, 10 * 2**k) for k in range(4)]
    halved = [rho.reshape(-1, 2).mean(axis=1) for rho in coarse[1:]]
    errors = [np.abs(a - b).mean() for a, b in zip(coarse[:-1], halved, strict=True)]
    rates = np.log2(np.array(errors[:-1]) / errors[1:])
    assert rates.min() > 1.8, rates


@pytest.mark.parametrize("dphi", [0.0, 0.4, -3.0])
def test_derivatives_of_the_two_point_flux(dphi):
    a, b = np.array([0.2, 1.0, 1.3, 0.01, 2.0]), np.array([0.9, 1.0 + 1e-7, 0.1, 1.5, 1.9])
    face, h = two_point(TOY, toy(), a, b, np.full(5, dphi)), 1e-6

    def flux(da, db):
        return two_point(TOY, toy(), a + da, b + db, np.full(5, dphi)).flux

    np.testing.assert_allclose(face.left, (flux(h, 0) - flux(-h, 0)) / (2 * h), rtol=2e-5, atol=1e-6)
    np.testing.assert_allclose(-face.right, (flux(0, h) - flux(0, -h)) / (2 * h), rtol=2e-5, atol=1e-6)
    assert np.all(face.work >= 0)
