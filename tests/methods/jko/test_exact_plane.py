"""The exact step in 2D: kernels against definitions, closed forms with orders, promises, refusals."""

import math
from dataclasses import replace

import numpy as np
import pytest
from exact_steps import box, gaussian, smooth, stepper_of
from test_closed_forms import moved, paraboloid, slope, start

from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.errors import SolverError
from wgfpde.grid import Grid
from wgfpde.methods.jko.exact.exact_plane import secant
from wgfpde.methods.jko.exact.halved_grids import coarser, finer, uncertainty
from wgfpde.methods.jko.exact.pull_back import conductances, monge_ampere, push
from wgfpde.methods.jko.exact.solution import Problem
from wgfpde.methods.jko.minimise import Minimiser
from wgfpde.methods.jko.solved_step import Step
from wgfpde.methods.jko.stepper import Jko

WALLS = (False, False)


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
