"""Exact steps in the plane: what they keep, where they are refused, what is done instead."""

import numpy as np
import pytest
from exact_steps import box, gaussian, smooth, stepper_of
from hypothesis import event, given, settings
from hypothesis import strategies as st
from test_closed_forms import moved, paraboloid, start

import wgfpde as wgf
from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.errors import CaseError, SolverError
from wgfpde.grid import Grid
from wgfpde.methods.jko.exact.exact_plane import Plane
from wgfpde.methods.jko.exact.exact_solver import ExactSolver
from wgfpde.methods.jko.exact.solution import Problem
from wgfpde.methods.jko.method import FALLBACK_GAP
from wgfpde.methods.jko.stepper import Jko
from wgfpde.output.promises import promises_of


@settings(max_examples=20)
@given(
    kind=st.sampled_from((1.0, 1.5, 2.0, 3.0)), shape=st.sampled_from(((24, 24), (17, 32))), depth=st.floats(0.1, 2),
    rough=st.sampled_from((0.0, 0.0, 1.0)), tau=st.floats(-4, 0.5), seed=st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_steps_keep_their_promises_or_end_in_a_sentence(kind, shape, depth, rough, tau, seed):
    law = Internal("entropy") if kind == 1 else Internal("power", 10.0, kind)
    flow = box(*shape[:1], law, lambda x, y: (x**2 + x * y + 2 * y**2) / 8, ny=shape[1])
    rho, tau = smooth(flow, seed, depth), 10.0**tau
    if rough:
        rho = np.where(np.random.default_rng(seed).random(rho.shape) < 0.5, rho, 0.0)
        rho /= flow.mass(rho)
    try:
        new = stepper_of(flow, tau).step(start(rho), tau)
    except SolverError as failure:
        event("refused")
        assert str(failure).endswith('"pdhg".')
        return
    assert np.all(np.isfinite(new.rho)) and np.min(new.rho) >= 0
    assert flow.mass(new.rho) == pytest.approx(flow.mass(rho), rel=1e-13, abs=0)
    fell_back = "taken by" in new.report.note
    event(f"fell back: {fell_back}")
    assert new.report.gap <= FALLBACK_GAP if fell_back else new.report.more["backward_error"] <= 2e-2
    before, after = flow.parts(rho), flow.parts(new.rho)
    size = new.report.transport / new.dt + sum(abs(part) for part in (*before, *after))
    assert sum(after) + new.report.transport / new.dt <= sum(before) + 2e-13 * size


def test_a_gibbs_state_rests_under_a_steep_barrier_too():
    for height in (1.0, 400.0):
        flow = box(24, potential=lambda x, y, height=height: height * ((x / 3) ** 2 - 1) ** 2 + y**2 / 2)
        gibbs = flow.gibbs(2.0)
        for tau in (1e-4, 1.0):
            new = stepper_of(flow, tau).step(start(gibbs), tau)
            assert new.t == tau and moved(flow, gibbs, new.rho) <= 1e-13


def test_a_map_that_is_optimal_in_parts_only_is_no_step():
    """Two far bumps that exchange places: each part of the map is a translation, and the whole is not optimal."""
    flow, tau = box(80), 1.0
    x, y = flow.grid.x.centers[None, :], flow.grid.axes[1].centers[:, None]
    rho = sum(gaussian((c, 0.0), (0.3, 0.3))(x, y) for c in (-2.0, 2.0))
    rho /= flow.mass(rho)
    inner = np.clip(x + 0 * y, -3.6, 3.6)  # φ is even at the walls
    phi = np.where(inner < 0, -4.0 * (inner + 2.0), 4.0 * (inner - 2.0))
    plane = Plane(flow, 5e-2, None)
    level = plane.levels[0]
    problem = Problem(flow, rho, -np.log(rho) - phi / tau, tau)  # of which these bumps are the density of this φ
    density, _ = level.density(problem, phi)
    assert moved(flow, rho, density) <= 1e-6
    assert level.judge(problem, phi, density)[0] <= plane.tolerance
    with pytest.raises(SolverError, match="no optimal one"):
        plane._proved(level, problem, phi, problem)


UNRESOLVED = "the density that it starts from varies so much from cell to cell"


def test_densities_that_cells_do_not_resolve_are_taken_with_inner_steps():
    """What has no map on its cells is refused by the exact solver, and taken by "pdhg", whose gap the step then has."""
    flow, rng = box(16), np.random.default_rng(0)
    for rho in (rng.random((16, 16)), np.indices((16, 16)).sum(axis=0) % 2 + 0.0):
        state = start(rho / flow.mass(rho))
        with pytest.raises(SolverError, match=UNRESOLVED):
            ExactSolver(flow, None, None).solve(state.rho, np.zeros((16, 16)), 0.1, None)
        new = stepper_of(flow, 0.1).step(state, 0.1)
        assert new.report.note.startswith('taken by "pdhg" with 8 inner steps') and UNRESOLVED in new.report.note
        assert new.report.gap <= FALLBACK_GAP and np.isnan(new.report.more["backward_error"])
        same = Jko(flow, 0.1, "pdhg", inner_steps=8, tolerance=1e-6, threads=1).step(state, 0.1)
        assert np.array_equal(new.rho, same.rho)


def test_a_run_that_falls_back_promises_the_gap_of_those_steps(tmp_path):
    checkerboard = {"density": "1 + 0.99*sin(3.2*pi*(x + 5))*sin(3.2*pi*(y + 5))", "mass": 1.0}
    found = wgf.run(
        "jko_gaussian_2d", tmp_path / "run", progress=False, grid={"shape": [32, 32]}, initial=checkerboard,
        solver={"method": "jko", "tau": 0.2, "algorithm": "exact"}, time={"end": 0.8}, output={"every": 0.2},
    )  # fmt: skip
    fallen = ~np.isnan(found.steps["gap"])
    assert fallen[0] and not fallen[-1]
    named = {p["name"]: p for p in promises_of(found)}
    assert named["duality gap"]["measured"] == np.max(found.steps["gap"][fallen]) <= FALLBACK_GAP
    assert named["backward error"]["measured"] == np.max(found.steps["backward_error"][~fallen])
    assert all(p["kept"] for p in named.values())


def test_a_step_with_a_large_residual_is_none():
    flow = box(32, Internal("power", 1.0, 3.0), lambda x, y: x)
    rho = flow.grid.average(paraboloid(2.0, (0.0, 0.0)), 8)
    with pytest.raises(SolverError, match=r"it is exact for a density that differs by .* 1e-09 was asked for"):
        ExactSolver(flow, 1e-9, 2).solve(rho / flow.mass(rho), flow.potential, 0.1, None)


@pytest.mark.parametrize(
    ("case", "shape", "named"),
    [("jko_gaussian_1d", [64], "duality gap"), ("jko_gaussian_2d", [32, 32], "backward error")],
)
def test_through_the_front_door_each_dimension_has_its_own_promise(tmp_path, case, shape, named):
    """A run by a case file: all promises kept, and a backward error is not called a gap."""
    solver = {"method": "jko", "tau": 0.1, "algorithm": "exact"}
    asked = {
        "grid": {"shape": shape},
        "solver": solver,
        "time": {"end": 0.3},
        "output": {"every": 0.1, "fields": ["phi"]},
    }
    run = wgf.run(case, tmp_path / "out", progress=False, **asked)
    promises = {each["name"]: each for each in promises_of(run)}
    assert named in promises and all(each["kept"] for each in promises.values())
    assert ("duality gap" in promises) == (len(shape) == 1)
    assert np.all(np.isnan(run.steps["gap"])) == (len(shape) == 2)
    assert np.all(run.steps["backward_error"] <= 2e-2)
    flow = wgf.cases.building.build(wgf.load(case, grid={"shape": shape})).flow
    level = (0.1 * flow.variation(run.rho[-1]) + run.fields["phi"][-1])[run.rho[-1] > 1e-3 * run.rho[-1].max()]
    assert np.ptp(level) <= 1e-4 * np.ptp(run.fields["phi"][-1])


STRETCH = [lambda s: s**1.5, None]


@pytest.mark.parametrize(
    ("grid", "law", "words"),
    [
        (Grid([0.0, 0.0], [1.0, 1.0], [8, 8], mapping=STRETCH), Internal(), "axis x is stretched"),
        (Grid([0.0, 0.0], [1.0, 1.0], [3, 8]), Internal(), "at least 4 cells"),
        (Grid([0.0, 0.0], [1.0, 1.0], [8, 8]), Internal("none"), "the entropy or a power m > 1"),
        (Grid([0.0, 0.0], [1.0, 1.0], [8, 8]), Internal("power", 1.0, 0.8), "the entropy or a power m > 1"),
    ],
)
def test_what_it_does_not_take_is_said_when_it_is_built(grid, law, words):
    with pytest.raises(CaseError, match=words):
        stepper_of(Flow(grid, Energy(law)), 0.1)


def test_it_has_no_fluxes_to_extrapolate_with_and_no_inner_steps():
    flow = box(8)
    with pytest.raises(CaseError, match="combines fluxes"):
        stepper_of(flow, 0.1, scheme="extrapolated")
    with pytest.raises(CaseError, match="one inner step"):
        stepper_of(flow, 0.1, inner_steps=2)
    with pytest.raises(CaseError, match="no congestion"):
        stepper_of(flow, 0.1, congestion=1.0)


def test_the_same_bits_again():
    flow = box(32, potential=lambda x, y: x**2 / 2)
    rho = smooth(flow, 1, 1.0)
    stepper = stepper_of(flow, 0.05)
    first = stepper.step(start(rho), 0.05)
    stepper.step(start(smooth(flow, 2, 1.0)), 0.05)
    stepper.warm_up()
    for again in (stepper, stepper_of(flow, 0.05)):
        assert np.array_equal(first.rho, again.step(start(rho), 0.05).rho)


def test_mass_that_no_map_brought_is_seen_where_moves_are_less_than_a_cell():
    """What the residual left there cost the map nothing; ½W₂² was 600 times its transport: no energy law held."""
    n, kappa, shape = (0.39271168655273825, 0.70482216058057), 1.640931242378578, (48, 64)
    grid = Grid([-0.5 * a for a in n], [0.5 * a for a in n], shape)
    phase = np.random.default_rng(3668114807)
    phase.normal(size=grid.shape)
    centre = 0.3 * np.sin(phase.uniform(0, 2 * np.pi, 2))
    x, y = grid.coordinates().values()
    rho = np.exp(-600 * ((x / n[0] - centre[0]) ** 2 + (y / n[1] - centre[1]) ** 2))
    rho /= np.sum(rho * grid.cell_volume)
    well = lambda x, y: 0.1220731110394148 * kappa * 4 * ((x / n[0]) ** 2 + (y / n[1]) ** 2)  # noqa: E731
    flow = Flow(grid, Energy(Internal("power", kappa * grid.volume, 2.0), well))
    tau = 3.401344252852947e-08 * max(n) ** 2 / kappa
    with pytest.raises(SolverError, match="½W₂² of what it ends at is at least"):
        ExactSolver(flow, None, None).solve(rho, flow.external, tau, None)


def test_a_step_at_rest_counts_no_iterations_of_the_one_before():
    """Else the table of steps of a run that goes on from there differs from that of one never stopped."""
    grid = Grid([-3.0, -3.0], [3.0, 3.0], [32, 32])
    flow = Flow(grid, Energy(Internal("entropy", 1.0), lambda x, y: 0.5 * (x**2 + y**2)))
    gibbs = flow.gibbs()
    c = flow.grid.coordinates()
    bell = np.exp(-((c["x"] - 0.5) ** 2) - c["y"] ** 2)
    stepper = Jko(flow, 0.1, "exact", threads=1)
    first = stepper.step(start(bell / flow.mass(bell)), 0.1)
    rest = stepper.step(start(gibbs / flow.mass(gibbs)), 0.1)
    assert first.report.iterations > 0 == rest.report.iterations
