"""The exact step in 2D: kernels against definitions, closed forms with orders, promises, refusals."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from test_closed_forms import moved, paraboloid, slope, start

import wgfpde as wgf
from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.errors import CaseError, SolverError
from wgfpde.grid import Grid
from wgfpde.methods.jko.exact.exact_plane import Plane, secant
from wgfpde.methods.jko.exact.exact_solver import ExactSolver
from wgfpde.methods.jko.exact.halved_grids import coarser, finer, uncertainty
from wgfpde.methods.jko.exact.pull_back import conductances, monge_ampere, push
from wgfpde.methods.jko.exact.solution import Problem
from wgfpde.methods.jko.method import FALLBACK_GAP
from wgfpde.methods.jko.minimise import Minimiser
from wgfpde.methods.jko.solved_step import Step
from wgfpde.methods.jko.stepper import Jko
from wgfpde.output.promises import promises_of

WALLS = (False, False)


def stepper_of(flow, tau, **options):
    return Jko(flow, tau, "exact", threads=1, **options)


def gaussian(mean, deviations):
    return lambda x, y: np.exp(
        -(((x - mean[0]) / deviations[0]) ** 2 + ((y - mean[1]) / deviations[1]) ** 2) / 2
    ) / (2 * math.pi * deviations[0] * deviations[1])  # fmt: skip


def box(n, law=None, potential=None, half=5.0, ny=None):
    grid = Grid([-half, -half], [half, half], [n, ny or n])
    return Flow(grid, Energy(law or Internal("entropy"), potential))


# -------------------------------------------------------------------------------------------------------- kernels


@pytest.mark.parametrize("logs", [True, False])
def test_an_affine_map_is_carried_exactly_but_for_the_grid(logs):
    """T(y) = B(y − b), B not diagonal, oblong cells: ρ⁰(T) det B, by cubics of order 4, a Gaussian's log exactly."""
    errors, b, matrix = [], (0.3, -0.2), np.array([[0.9, 0.2], [0.2, 1.1]])
    for n in (40, 80):
        flow = box(n, ny=n + n // 2)
        x, y = flow.grid.x.centers[None, :] - b[0], flow.grid.axes[1].centers[:, None] - b[1]
        image = matrix[0, 0] * x + matrix[0, 1] * y, matrix[1, 0] * x + matrix[1, 1] * y
        phi = 0.5 * ((x + b[0]) ** 2 + (y + b[1]) ** 2) - 0.5 * (x * image[0] + y * image[1])
        made = gaussian((0.0, 0.0), (0.8, 0.7))
        rho0, expected = made(x + b[0], y + b[1]), made(*image) * np.linalg.det(matrix)
        out, rows = np.zeros(rho0.shape), np.zeros((3, len(rho0)))
        source = np.log(rho0) if logs else rho0
        monge_ampere(phi, source, logs, np.zeros(rho0.shape), 10 / n, 10 / (n + n // 2), *WALLS, out, rows)
        middle = np.abs(x) + np.abs(y) < 2
        errors.append(np.max(np.abs(-out - expected)[middle]) / np.max(expected))
    assert errors[1] <= (1e-12 if logs else 2e-3)
    assert logs or errors[0] / errors[1] >= 10  # cubics: order 4


def test_conductances_divide_by_the_stretch_of_the_map():
    x, y = 0.1 * np.arange(6)[None, :], 0.2 * np.arange(5)[:, None]
    phi, gx, gy = 0.25 * x**2 - 0.5 * y**2, np.ones((5, 6)), np.ones((5, 6))
    conductances(phi, np.full((5, 6), 3.0), 0.1, 0.2, *WALLS, gx, gy)
    assert gx[2, 2] == pytest.approx(3.0 / 0.5 * 2.0, rel=1e-9, abs=0)
    assert gy[2, 2] == pytest.approx(3.0 / 2.0 * 0.5, rel=1e-9, abs=0)
    assert not gx[:, -1].any() and not gy[-1].any()


@pytest.mark.parametrize("m", [1.0, 2.0, 3.5])
def test_the_secant_is_the_one_of_the_law(m):
    law = Internal("entropy", 0.7) if m == 1 else Internal("power", 0.7, m)
    flow = box(4, law)
    a, b = np.array([[0.5, 2.0, 1.0, 3.0]] * 4), np.array([[1.5, 0.1, 1.0, 3.01]] * 4)
    slopes = 0.2 * (law.derivative(a) - law.derivative(b))
    expected = (a - b) / np.where(slopes == 0, 1.0, slopes)
    expected[:, 2] = 1 / (0.2 * law.law.second_derivative(np.array(1.0), law))
    found = secant(Problem(flow, a, np.zeros((4, 4)), 0.2), a, b)
    assert np.max(np.abs(found / expected - 1)) <= 1e-4  # chords of close neighbours are taken for tangents


def test_a_step_that_would_raise_its_objective_is_kept_back_or_refused():
    """A little, by what the step leaves open: ρ⁰ stays.  More: it is no step."""
    flow = box(8, potential=lambda x, y: x)
    rho, still = smooth(flow, 0, 0.5), np.zeros((8, 8))
    minimiser, size = Minimiser(flow, "exact", 1, None, None, None, 1), sum(abs(part) for part in flow.parts(rho))
    numbers = {"transport": 0.01 * size, "gap": np.nan, "primal": 1.0, "dual": 0.9, "drive_residual": np.nan}
    up = Step({"rho": rho}, still, still, numbers | {"backward_error": 0.05})
    assert minimiser._rises(rho, 1.0, up) and not minimiser._rises(rho, 1e15, up)
    kept = minimiser._kept(rho, 1.0, up)
    assert "nothing was moved" in kept.note and kept.rho is rho and kept.numbers["transport"] == 0.0
    assert kept.numbers["primal"] == pytest.approx(1.0 - 0.01 * size, rel=1e-9, abs=0) and np.isnan(kept.numbers["gap"])
    with pytest.raises(SolverError, match=r"raises its own objective.*its backward error being 0\.005"):
        minimiser._kept(rho, 1.0, Step({"rho": rho}, still, still, numbers | {"backward_error": 1e-4}))


@pytest.mark.parametrize("dim", [1, 2])
def test_steps_that_land_uphill_stay(monkeypatch, dim):
    """Through the front of the minimiser: in 1D by the gap, which is then that of ρ⁰, in 2D by the backward error."""
    flow = Flow(Grid([-4.0] * dim, [4.0] * dim, [24] * dim), Energy(Internal("entropy"), lambda x, y=0.0: x**2 / 2))
    rho = flow.gibbs(1.0) * (1 + 0.01 * np.sin(flow.grid.x.centers))
    rho = (rho / flow.mass(rho)).reshape(-1, 24)
    minimiser, tau = Minimiser(flow, "exact", 1, 1e-2, None, None, 1), 0.02
    good, exactly = minimiser.solve(rho, tau, {}), minimiser._exact.solve

    def uphill(*asked):
        found = exactly(*asked)
        up = 2 * rho - good.rho
        value = found.primal + tau * (flow.value(up.reshape(flow.grid.shape)) - flow.value(found.rho))
        gap = (value - found.dual) / found.scale if dim == 1 else np.nan
        return replace(found, rho=up.reshape(flow.grid.shape), primal=value, gap=gap)

    monkeypatch.setattr(minimiser._exact, "solve", uphill)
    assert good.note == "" and np.max(np.abs(good.rho - rho)) > 0
    kept = minimiser.solve(rho, tau, {})
    if dim == 2:
        assert kept.note.startswith('taken by "pdhg"')  # this backward error, of 1e-8, allows no rise
        return
    np.testing.assert_array_equal(kept.rho, rho)
    assert kept.numbers["primal"] == pytest.approx(tau * flow.value(rho.ravel()), rel=1e-12, abs=0)
    assert good.numbers["gap"] < kept.numbers["gap"] <= 1e-2


def test_the_residual_sums_are_those_of_its_cells():
    rng = np.random.default_rng(0)
    phi, rho0, rho = 1e-3 * rng.normal(size=(7, 9)), rng.random((7, 9)), rng.random((7, 9))
    rho[2, 3] = 0.0
    out, rows = np.zeros((7, 9)), np.zeros((3, 7))
    monge_ampere(phi, rho0, False, rho, 0.1, 0.2, *WALLS, out, rows)
    held = rho > 0
    assert rows[0].sum() == pytest.approx(0.02 * np.abs(out[held]).sum(), rel=1e-12, abs=0)
    assert rows[1].sum() == pytest.approx(0.02 * out[held].sum(), rel=1e-12, abs=0)
    padded = np.pad(phi, 1, mode="edge")
    gx, gy = (padded[1:-1, 2:] - padded[1:-1, :-2]) / 0.2, (padded[2:, 1:-1] - padded[:-2, 1:-1]) / 0.4
    assert rows[2].sum() == pytest.approx(0.02 * np.sum(0.5 * (gx**2 + gy**2) * rho), rel=1e-12, abs=0)


def test_where_the_map_turns_over_nothing_is_carried():
    """I − D²φ with two negative eigenvalues has a positive determinant, and is no gradient of a convex function."""
    flow = box(16)
    x, y = flow.grid.x.centers[None, :], flow.grid.axes[1].centers[:, None]
    out, rows = np.zeros((16, 16)), np.zeros((3, 16))
    monge_ampere(x**2 + y**2, np.ones((16, 16)), False, np.zeros((16, 16)), 10 / 16, 10 / 16, *WALLS, out, rows)
    assert not out[1:-1, 1:-1].any()


def test_what_is_pushed_keeps_its_mass_and_moves_by_the_gradient():
    rng = np.random.default_rng(0)
    rho, out = np.zeros((12, 15)), np.zeros((12, 15))
    rho[4:8, 5:9] = rng.random((4, 4))
    h = (0.5, 0.25)
    psi = -1.5 * h[0] ** 2 * np.arange(15)[None, :] + 2.25 * h[1] ** 2 * np.arange(12)[:, None]
    push(psi, rho, *h, *WALLS, out)
    assert out.sum() == pytest.approx(rho.sum(), rel=1e-13, abs=0)
    assert np.sum(out * np.arange(15)) / out.sum() == pytest.approx(
        np.sum(rho * np.arange(15)) / rho.sum() + 1.5, rel=1e-9, abs=0
    )
    rows = np.arange(12)[:, None]
    assert np.sum(out * rows) / out.sum() == pytest.approx(np.sum(rho * rows) / rho.sum() - 2.25, rel=1e-9, abs=0)


def test_uncertain_is_what_interpolation_may_miss():
    x = np.arange(64) + 0.5
    waves = 1 + 0.5 * np.cos(2 * np.pi * x / 8)[None, :] + 0 * x[:, None]
    assert uncertainty(waves, WALLS) == pytest.approx(
        3 / 128 * (2 - 2 * np.cos(2 * np.pi / 8)) ** 2 * 0.5 * 0.6533, rel=1e-3, abs=0
    )
    jump = np.where(x < 32, 1.0, 0.0)[None, :] + 0 * x[:, None]
    assert uncertainty(jump, WALLS) == pytest.approx(3 / 128 * 8 / 32, rel=1e-9, abs=0)


def test_grids_of_half_the_size_keep_means_and_cubics():
    x = np.arange(16) + 0.5
    fine = x[None, :] ** 3 / 100 + x[:, None] ** 2
    assert coarser(fine).mean() == pytest.approx(fine.mean(), rel=1e-9, abs=0)
    centres = 2 * np.arange(8) + 1.0
    back = finer(centres[None, :] ** 3 / 100 + centres[:, None] ** 2, WALLS)
    assert np.max(np.abs(back - fine)[4:-4, 4:-4]) <= 1e-12 * np.max(fine)


# --------------------------------------------------------------------------------------------------- closed forms


def test_order_of_a_long_gaussian_step():
    """τ = 0.1 and V with two rates: (1 + λτ)s² − s₀s − τ = 0 on each axis, mean/(1 + λτ)."""
    sizes, errors, tau, mean, start_at = (48, 96, 192), [], 0.1, (0.7, -0.4), (0.8, 0.6)
    rates = (1.0, 2.0)
    ends = [
        (s + math.sqrt(s * s + 4 * (1 + r * tau) * tau)) / (2 * (1 + r * tau))
        for s, r in zip(start_at, rates, strict=True)
    ]
    centre = [m / (1 + r * tau) for m, r in zip(mean, rates, strict=True)]
    for n in sizes:
        flow = box(n, potential=lambda x, y: rates[0] * x**2 / 2 + rates[1] * y**2 / 2)
        new = stepper_of(flow, tau).step(start(flow.grid.average(gaussian(mean, start_at), 4)), tau)
        exact = flow.grid.average(gaussian(centre, ends), 4)
        errors.append(moved(flow, exact, new.rho))
        cost = 0.5 * sum((c - m) ** 2 + (e - s) ** 2 for c, m, e, s in zip(centre, mean, ends, start_at, strict=True))
        assert new.report.transport == pytest.approx(cost, rel=8 / n, abs=0)
    assert 1.8 <= slope(1 / np.array(sizes), errors) <= 2.4
    assert errors[-1] <= 2.5e-4
    assert new.report.more["backward_error"] <= 1e-5
    assert math.isnan(new.report.gap)  # a backward error is no gap


def test_one_inner_step_is_farther_from_the_exact_one():
    """A long step of a Gaussian: what the mid-point leaves is more than the grid."""
    flow, tau = box(48, potential=lambda x, y: (x**2 + y**2) / 2, half=4.0), 0.1
    s = (math.sqrt(0.5) + math.sqrt(0.5 + 0.44)) / 2.2
    exact = flow.grid.average(gaussian((1 / 1.1, -0.5 / 1.1), (s, s)), 4)
    rho = flow.grid.average(gaussian((1.0, -0.5), (math.sqrt(0.5),) * 2), 4)
    ends = [Jko(flow, tau, name, threads=1).step(start(rho), tau).rho for name in ("newton", "exact")]
    one, exactly = (moved(flow, exact, end) for end in ends)
    assert exactly <= 5e-4 < 3 * exactly < one


@pytest.mark.parametrize(("size", "bound"), [(64, 0.02), (128, 0.01)])
def test_a_paraboloid_step_of_the_porous_medium(size, bound):
    """m = 2 in 2D: (R₁ − R₀)/(3τ) = 8/(3πR₁³), within `bound` of the mass; a free boundary has no order."""
    flow, first, tau, centre = box(size, Internal("power", 1.0, 2.0), half=2.0), 1.0, 0.1, (0.1, -0.05)
    second = first
    for _ in range(60):
        second = first + 8 * tau / (math.pi * second**3)
    rho, exact = (flow.grid.average(paraboloid(r, centre), 8) for r in (first, second))
    new = stepper_of(flow, tau).step(start(rho / flow.mass(rho)), tau)
    assert new.dt == tau and np.min(new.rho) >= 0
    assert moved(flow, exact, new.rho) <= bound
    assert new.report.more["backward_error"] <= 2e-2


def test_two_bumps_against_many_inner_steps():
    """The far-from-Gaussian case of the documentation, on a small grid: 8 inner steps are nearer than one is."""
    flow, tau = box(64, potential=lambda x, y: (x**2 + y**2) / 2, half=4.0), 0.1
    rho = flow.grid.average(
        lambda x, y: gaussian((1.5, 1.0), (0.4,) * 2)(x, y) + gaussian((-1.5, -0.5), (0.4,) * 2)(x, y)
    )
    rho /= flow.mass(rho)
    step = stepper_of(flow, tau).step(start(rho), tau)
    assert step.dt == tau
    many = Jko(flow, tau, "pdhg", 8, 1e-4, threads=1).step(start(rho), tau).rho
    one = Jko(flow, tau, threads=1).step(start(rho), tau).rho
    assert moved(flow, many, step.rho) <= 0.75 * moved(flow, one, step.rho)
    assert moved(flow, many, step.rho) <= 0.01


# ------------------------------------------------------------------------------------------ promises and refusals


def smooth(flow, seed, depth):
    """A random smooth positive density: e^{depth × a few waves}."""
    rng = np.random.default_rng(seed)
    x, y = (c / 10 + 0.5 for c in flow.grid.coordinates().values())
    waves = sum(
        rng.normal() * np.cos(np.pi * (j * x + rng.random())) * np.cos(np.pi * k * y)
        for j in (0, 1, 2)
        for k in (0, 1, 2)
    )
    rho = np.exp(depth * waves)
    return rho / flow.mass(rho)


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
