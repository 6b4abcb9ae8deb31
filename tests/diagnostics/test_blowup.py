"""Blow-up: which energies allow it, what a peak looks like on a grid, and runs that end with the verdict."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wgfpde import cli, store
from wgfpde.cases.loading import load, loads, override
from wgfpde.diagnostics.blowup import LEAST_SHARPNESS, make_watch, peak, reason_to_blow_up
from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.errors import CaseError
from wgfpde.grid import Grid
from wgfpde.runs import runner

LINE = Grid([-4.0], [4.0], [64])
PLANE = Grid([-3.0, -3.0], [3.0, 3.0], [32, 32])


def reason(grid, kernel, mass=1.0, **internal):
    return reason_to_blow_up(Flow(grid, Energy(Internal(**internal), interaction=kernel)), mass)


def keller_segel(x, y):
    return np.log(np.hypot(x, y)) / (2 * np.pi)


# ---- which energies allow it --------------------------------------------------------------------------------


@pytest.mark.parametrize("kappa", [0.3, 1.0])
def test_keller_segel_has_a_critical_mass(kappa):
    """8πκ in the plane; 2κ/χ on the line with W = χ ln|x|."""
    critical = 8 * np.pi * kappa
    assert not reason(PLANE, keller_segel, 0.999 * critical, kappa=kappa)
    assert "no lower bound" in reason(PLANE, keller_segel, 1.001 * critical, kappa=kappa)
    chi = 0.4

    def line(x):
        return chi * np.log(np.abs(x))

    assert not reason(LINE, line, 0.999 * 2 * kappa / chi, kappa=kappa)
    assert reason(LINE, line, 1.001 * 2 * kappa / chi, kappa=kappa)


def test_a_smooth_attraction_never_blows_up():
    for kernel in (lambda x: 50 * x**2, lambda x: -np.cos(x), lambda x: 5 * np.abs(x), lambda x: -np.exp(-(x**2))):
        assert not reason(LINE, kernel, 100.0)
        assert not reason(LINE, kernel, 100.0, kind="power", m=2.0)


def test_a_repulsion_never_does():
    assert not reason(PLANE, lambda x, y: -keller_segel(x, y), 100.0)
    assert not reason(PLANE, lambda x, y: (x**2 + y**2) / 2 - np.log(np.hypot(x, y)), 100.0, kind="none")
    assert not reason(LINE, lambda x: -np.abs(x), kind="none")


def test_power_diffusion_holds_against_weak_singularities():
    """W = −r^{−k} against κρ^m: k ≥ d(m − 1) decides."""

    def kernel(x, y):
        return -(np.hypot(x, y) ** -0.5)

    assert reason(PLANE, kernel, kind="power", m=1.2)
    assert reason(PLANE, kernel, kind="power", m=1.25)
    assert not reason(PLANE, kernel, kind="power", m=1.4)
    assert reason(PLANE, kernel, 1e-3)  # any mass with the entropy
    assert reason(PLANE, keller_segel, 1e-3, kind="power", m=0.8)
    assert not reason(PLANE, keller_segel, 1e3, kind="power", m=1.3)


def test_pure_aggregation_collapses_in_finite_time_below_the_square():
    for p, collapses in ((1.0, True), (1.5, True), (2.0, False), (3.0, False)):
        assert bool(reason(LINE, lambda x, p=p: np.abs(x) ** p, kind="none")) == collapses
    assert make_watch(Flow(LINE, Energy(Internal("none"), interaction=lambda x: x**2)), 1.0) is None


@pytest.mark.parametrize("kernel", [lambda x: -np.exp(-(x**2) / 2e6), lambda x: 1e6 + x**2, lambda x: 1e9 + x**2])
def test_rounding_is_no_singularity(kernel):
    """Close to the origin these change by no more than rounding: an exponent read there would be anything."""
    assert not reason(LINE, kernel, 1e6, kind="none")
    assert not reason(LINE, kernel, 1e6)


def test_a_smooth_kernel_on_a_small_box():
    assert not reason(Grid([-0.005], [0.005], [16]), lambda x: -np.cos(x), kind="none")


# ---- what a peak looks like ---------------------------------------------------------------------------------


@pytest.mark.parametrize("periodic", [False, True])
def test_a_point_mass_is_sharp_wherever_it_is(periodic):
    for grid in (Grid([0.0], [1.0], [16], periodic), Grid([0.0, 0.0], [1.0, 2.0], [16, 12], periodic)):
        rho = np.zeros(grid.shape)
        rho[(0,) * grid.dim] = 3.0
        assert peak(grid, rho).share == pytest.approx(1.0, rel=1e-9, abs=0) and peak(
            grid, rho
        ).sharpness == pytest.approx(1.0, rel=1e-9, abs=0)
        split = rho + np.roll(rho, 1, axis=-1) if periodic else rho + np.roll(rho, -15, axis=-1)
        assert peak(grid, split).sharpness == pytest.approx(1.0, rel=1e-9, abs=0)  # on a corner of cells


def test_a_resolved_density_is_not():
    for width, sharpness in ((0.1, 0.02), (0.05, 0.1), (0.01, 0.75)):
        grid = Grid([-0.5, -0.5], [0.5, 0.5], [64, 64])
        rho = grid.average(lambda x, y, w=width: np.exp(-(x**2 + y**2) / (2 * w**2)), points=8)
        found = peak(grid, rho).sharpness
        assert found < sharpness if sharpness < 0.5 else found > sharpness
    assert peak(PLANE, np.ones(PLANE.shape)).sharpness == pytest.approx(0.0, abs=1e-14)


@given(st.integers(0, 2**32 - 1), st.booleans(), st.booleans(), st.integers(4, 20))
def test_shares_and_sharpness_lie_between_0_and_1(seed, periodic, stretched, n):
    rng = np.random.default_rng(seed)
    mapping = [lambda s: s**2, lambda s: s] if stretched else None
    grid = Grid([0.0, 0.0], [1.0, 1.0], [n, 7], periodic, mapping=mapping)
    found = peak(grid, rng.random(grid.shape) ** 8)
    assert 0 < found.share <= 1 + 1e-14
    assert -1e-12 <= found.sharpness <= 1 + 1e-12


def test_no_mass_and_few_cells():
    assert np.isnan(peak(LINE, np.zeros(64)).share)
    assert np.isnan(peak(Grid([0.0], [1.0], [3]), np.ones(3)).sharpness)


# ---- runs that end with the verdict -------------------------------------------------------------------------


@pytest.mark.parametrize("cells", [32, 48, 64])
def test_above_the_critical_mass_the_run_ends_before_the_singularity_must(cells, tmp_path):
    """∫|x|²ρ = 0 at t = 1/4; the grids agree on the time to 3 %, and the moment is still close to its law."""
    case = load("keller_segel_blow_up_2d", [f"grid.shape=[{cells},{cells}]", "solver.dt=0.002"])
    result = runner.run(case, tmp_path / "run")
    run = store.read(tmp_path / "run")
    assert (result.status, result.exit_code, run.attributes["verdict"]) == ("finished", 0, "blow-up")
    assert result.message.startswith(f"blow-up at t = {run.t[-1]:.6g}: 4 cells hold")
    assert run.t[-1] == pytest.approx(0.172, rel=0.05, abs=0)
    assert run.diagnostics["sharpness"][-1] >= LEAST_SHARPNESS and run.diagnostics["concentration"][-1] >= 0.1
    assert np.all(run.diagnostics["sharpness"][:-1] < LEAST_SHARPNESS)
    assert run.diagnostics["min"].min() >= 0 and np.all(np.diff(run.diagnostics["energy"]) < 0)
    assert len(run.steps["t"]) == result.steps and run.steps["t"][-1] == run.t[-1]


@pytest.mark.parametrize("factor", [0.5, 1.0])
def test_up_to_the_critical_mass_it_goes_on(factor, tmp_path):
    mass = 8 * np.pi * factor
    overrides = [f"initial.mass={mass}", "grid.shape=[32,32]", "solver.dt=0.005"]
    assert runner.run(load("keller_segel_blow_up_2d", overrides), tmp_path / "run").message == "reached t = 0.25."


def test_it_can_be_ignored(tmp_path):
    overrides = ["grid.shape=[32,32]", "solver.dt=0.005", "solver.blow_up=ignore"]
    result = runner.run(load("keller_segel_blow_up_2d", overrides), tmp_path / "run")
    assert result.message == "reached t = 0.25."
    assert store.read(tmp_path / "run").attributes["verdict"] == ""


COLLAPSE = """
schema = 1
grid = { shape = [100], lower = [-2.0], upper = [2.0] }
energy = { internal = { kind = "none" }, interaction = "abs(x)" }
initial = { density = "where(abs(x) < 1, 1.0, 0.0)", mass = 2.0 }
solver = { method = "fv", dt = 0.005 }
time = { end = 1.0 }
output = { every = 0.1 }
"""


def test_a_block_under_its_own_weight_collapses_at_a_over_m(tmp_path):
    """W = |x|: a block of half-width a and mass M has the half-width a − Mt.  It spans 4 cells at (a − 2h)/M."""
    result = runner.run(loads(COLLAPSE), tmp_path / "run")
    run = store.read(tmp_path / "run")
    assert run.attributes["verdict"] == "blow-up", result.message
    assert 0.5 - 0.04 <= run.t[-1] <= 0.5


def test_a_narrow_start_is_no_blow_up(tmp_path):
    """A point mass that spreads: allowed by the energy, sharp on the grid, and no verdict, since it does not grow."""
    spread = [
        "energy.internal.kind=entropy", "energy.interaction=-0.01/sqrt(abs(x))", "time.end=0.1",
        "initial.density=where(abs(x) < 0.05, 1.0, 0.0)",
    ]  # fmt: skip
    case = override(loads(COLLAPSE), spread)
    assert runner.run(case, tmp_path / "run").message == "reached t = 0.1."


@pytest.mark.parametrize("potential", ["200*x**2", "50*x"])
def test_a_potential_that_squeezes_is_no_blow_up(potential, tmp_path):
    """A Gibbs state narrower than the cells, in a well and at a wall, beside a weak singular attraction."""
    squeezed = [
        'energy.internal={kind="entropy", kappa=0.1}', "energy.interaction=-0.01/sqrt(abs(x))", "time.end=0.5",
        f"energy.potential={potential}", "initial.density=exp(-x**2)",
    ]  # fmt: skip
    assert runner.run(override(loads(COLLAPSE), squeezed), tmp_path / "run").message == "reached t = 0.5."
    assert store.read(tmp_path / "run").diagnostics["sharpness"][-1] > 0.75


def test_a_confined_blow_up_is_still_found(tmp_path):
    """W = ln|x|, M = 3 > 2κ in a parabola: the attraction wins over diffusion and over V."""
    confined = [
        'energy.internal={kind="entropy", kappa=1.0}', "energy.interaction=log(abs(x))", "energy.potential=x**2",
        "initial.density=exp(-x**2)", "initial.mass=3.0",
    ]  # fmt: skip
    runner.run(override(loads(COLLAPSE), confined), tmp_path / "run")
    assert store.read(tmp_path / "run").attributes["verdict"] == "blow-up"


def test_resuming_keeps_the_verdict(tmp_path):
    """Stopped by the wall clock in its first step and taken up again: the same end."""
    overrides = ["grid.shape=[32,32]", "solver.dt=0.005"]
    whole = runner.run(load("keller_segel_blow_up_2d", overrides), tmp_path / "whole")
    stopped = runner.run(load("keller_segel_blow_up_2d", overrides), tmp_path / "parts", wall_limit=1e-3)
    assert stopped.exit_code == 75
    resumed = runner.resume(tmp_path / "parts")
    assert resumed.message == whole.message
    assert np.array_equal(store.read(tmp_path / "parts").rho[-1], store.read(tmp_path / "whole").rho[-1])
    for until in (None, 0.3):  # it does not march on from a density that has blown up
        with pytest.raises(CaseError, match=r"blow-up at t = .*start again: wgfpde run .*solver\.blow_up=ignore"):
            runner.resume(tmp_path / "parts", until=until)


def test_the_command_line_says_so(capsys, tmp_path):
    arguments = ["--set", "grid.shape=[32,32]", "--set", "solver.dt=0.005", "--out", str(tmp_path / "run"), "--json"]
    assert cli.main(["run", "keller_segel_blow_up_2d", *arguments]) == 0
    assert '"verdict": "blow-up"' in capsys.readouterr().out
    assert cli.main(["inspect", str(tmp_path / "run")]) == 0
    assert "finished with a blow-up: t = 0 to 0.165 of 0.25" in capsys.readouterr().out
    with pytest.raises(Exception, match='blow_up: expected "stop" or "ignore"'):
        load("keller_segel_blow_up_2d", ["solver.blow_up=never"])
