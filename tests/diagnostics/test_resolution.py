"""Resolution: three numbers of a density on a grid, the bounds on them, and who tells of it."""

import json

import numpy as np
import pytest

from wgfpde import cli, store
from wgfpde.cases.building import build
from wgfpde.cases.loading import loads, override
from wgfpde.diagnostics import resolution
from wgfpde.diagnostics.resolution import resolution_note, resolution_of
from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.grid import Grid

HEAT = Energy(Internal("entropy", 0.5))
LINE, RING = Grid([0.0], [2.0], [40]), Grid([0.0], [2.0], [40], True)
STRETCHED = Grid([0.0], [2.0], [40], mapping=[lambda s: s + 0.3 * s * (s - 1)])
PLANE = Grid([0.0, 0.0], [2.0, 3.0], [40, 30])

CASE = """
title = "steep"
[grid]
lower = [-1.0]
upper = [1.0]
shape = [20]
[initial]
density = "1.0"
[energy]
internal = { kind = "entropy" }
potential = "1000*x**4"
[solver]
method = "fv"
dt = 1e-3
[time]
end = 2e-3
"""


def cells_of(grid, rho):
    return resolution_of(Flow(grid, HEAT), rho).cells


def box(n, start, size=40):
    rho = np.zeros(size)
    rho[np.arange(start, start + n) % size] = 1.7
    return rho


def gaussian(grid, sigma, centre=1.0):
    return np.exp(-((grid.x.centers - centre) ** 2) / (2 * sigma**2))


# ---- the numbers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 5])
def test_a_box_of_n_cells_is_n_cells_wide(n):
    assert cells_of(LINE, box(n, 7)) == pytest.approx((n,), rel=1e-14, abs=0)
    assert cells_of(RING, box(n, 39)) == pytest.approx((n,), rel=1e-14, abs=0)  # across the end of the ring
    assert cells_of(LINE, box(n, 0)) == pytest.approx((2 * n,), rel=1e-14, abs=0)  # a wall is a mirror
    assert cells_of(PLANE, np.outer(box(3, 9, 30), box(n, 7))) == pytest.approx((n, 3), rel=1e-14, abs=0)


def test_a_gaussian_is_two_and_a_half_deviations_wide():
    wide = np.sqrt(2 * np.pi) * 0.2 / 0.05
    assert cells_of(LINE, gaussian(LINE, 0.2)) == pytest.approx((wide,), rel=0.01, abs=0)
    both = gaussian(LINE, 0.1, 0.5) + gaussian(LINE, 0.1, 1.5)
    assert cells_of(LINE, both) == pytest.approx((wide / 2,), rel=0.05, abs=0)  # not the sum of both peaks
    assert cells_of(LINE, np.ones(40)) == (np.inf,)


def test_widths_of_cells_count_where_the_peak_is():
    """By cells, not by lengths: on a stretched axis the same length has more of them where they are small."""
    edges = STRETCHED.x.edges
    for n, start in ((4, 2), (4, 30)):
        exact = 2 * np.diff(edges)[start : start + n].sum()
        jumps = STRETCHED.x.widths[[start - 1, start, start + n - 1, start + n]].sum() / 2
        assert cells_of(STRETCHED, box(n, start)) == pytest.approx((exact / jumps,), rel=1e-13, abs=0)
    assert cells_of(STRETCHED, box(4, 2)) == pytest.approx((4,), rel=0.05, abs=0)


def test_a_disk_is_as_wide_as_its_mean_chord():
    grid = Grid([-1.0, -1.0], [1.0, 1.0], [200, 200])
    x, y = np.meshgrid(grid.x.centers, grid.x.centers)
    assert cells_of(grid, (np.hypot(x, y) < 0.5) * 1.0) == pytest.approx((np.pi / 4 * 100,) * 2, rel=0.01, abs=0)


def peclet_of(grid, energy, rho, **more):
    return resolution_of(Flow(grid, energy, **more), rho).peclet


def test_drift_over_diffusion_from_cell_to_cell():
    slope = Energy(Internal("entropy", 0.5), lambda x: 100 * x)
    assert peclet_of(LINE, slope, np.ones(40)) == pytest.approx((100 * 0.05 / 0.5,), rel=1e-12, abs=0)
    porous = Energy(Internal("power", 0.5, 3.0), lambda x: 100 * x)
    assert peclet_of(LINE, porous, np.full(40, 0.7)) == pytest.approx((5 / (1.5 * 0.7**2),), rel=1e-12, abs=0)
    pulled = Energy(Internal("entropy", 0.5), None, None, tilt=(80.0,))
    assert peclet_of(RING, pulled, np.ones(40)) == pytest.approx((80 * 0.05 / 0.5,), rel=1e-12, abs=0)
    plane = Energy(Internal("entropy", 0.5), lambda x, y: 100 * x + 50 * y)
    assert peclet_of(PLANE, plane, np.ones((30, 40))) == pytest.approx((10, 10), rel=1e-12, abs=0)
    drawn = Energy(Internal("entropy", 0.5), None, lambda x: 400 * np.abs(x))
    halves = np.zeros(40)
    halves[[0, 39]] = 10.0  # each draws what lies between to itself: nothing moves but the ends
    assert peclet_of(LINE, drawn, halves)[0] > 4
    assert peclet_of(LINE, Energy(Internal("none"), lambda x: 100 * x), np.ones(40)) == (0,)


@pytest.mark.parametrize(("share", "told"), [(0.4, False), (0.6, True)])
def test_what_half_of_the_mass_does_not_see_is_not_told(share, told):
    """Tails may lie on any slope."""
    flow = Flow(LINE, Energy(Internal("entropy", 0.5), lambda x: 100 * np.maximum(x - 1, 0)))
    rho = np.repeat([1 - share, share], 20)
    note = resolution_note(flow, rho, "it")
    assert ("half of the mass lies where the drive along x changes by 10 κ" in note) is told and bool(note) is told


def test_cells_that_are_shut_do_not_count():
    """The drive at forbidden cells is a number that nobody uses."""
    flow = Flow(LINE, Energy(Internal("entropy", 0.5), lambda x: np.where(np.abs(x - 1.025) < 0.01, 0.0, 1e6)))
    rho = np.zeros(40)
    rho[[5, 20]] = 1.0, 60.0  # most of the mass between them
    assert resolution_of(flow, rho).peclet == pytest.approx((2e6,), rel=1e-12, abs=0)
    flow.forbidden = ~np.isin(np.arange(40), [4, 5, 6, 20])
    assert resolution_of(flow, rho).peclet == (0,)


# ---- the bounds ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "told"), [(2, True), (3, True), (4, False), (9, False)])
def test_peaks_of_less_than_four_cells_are_told(n, told):
    note = resolution_note(Flow(LINE, HEAT), box(n, 9), "it")
    assert (f"peaks are {n} cells wide along x" in note) is told
    rho = np.outer(np.ones(30), box(n, 9))
    note = resolution_note(Flow(PLANE, HEAT), rho, "it")
    assert (f"peaks are {n} cells wide along x" in note) is told and "along y" not in note
    assert not told or f"Take about {40 * 4 // n + (40 * 4 % n > 0)} x 30 cells in place of 40 x 30" in note


@pytest.mark.parametrize(("share", "told"), [(0.22, True), (0.19, False)])
def test_a_fifth_of_the_mass_in_one_cell_is_told(share, told):
    rho = np.full(40, (1 - share) / 39)
    rho[7] = share
    note = resolution_note(Flow(LINE, HEAT), rho, "it")
    assert (f"{100 * share:.0f} % of the mass lies in one cell, a state of the grid" in note) is told
    few = Flow(Grid([0.0], [1.0], [4]), HEAT)
    assert not resolution_note(few, np.ones(4), "it")  # each of four cells has a quarter of it


def test_without_internal_energy_no_grid_is_promised_to_do():
    note = resolution_note(Flow(LINE, Energy(Internal("none"), None, lambda x: np.abs(x))), box(1, 4), "it")
    assert "as narrow as the cells on every grid" in note and "Take about" not in note
    assert resolution.LEAST_CELLS == 4 and not resolution_note(Flow(LINE, HEAT), np.zeros(40), "nothing")


# ---- who tells ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("internal", [Internal("power", 1.0, 1e9), Internal("entropy", 1e-9)])
def test_where_no_grid_resolves_a_drive_it_says_so(internal):
    """Péclet numbers may be beyond double precision."""
    flow = Flow(LINE, Energy(internal, lambda x: 1e3 * x))
    note = resolution_note(flow, np.full(40, 0.5), "the density")
    assert "changes by" in note and note.endswith("No grid would: take more diffusion, or a drive that changes less.")


def test_a_grid_may_be_larger_than_what_is_not_to_be_had():
    assert resolution.Resolution((np.inf,), (0.0,), 0.5, (1_500_000,)).wanted() == (1_500_000,)
    assert resolution.Resolution((np.inf,), (8.0,), 0.5, (600_000,)).wanted() == (resolution.BEYOND,)


def start(density, **more):
    return build(override(loads(CASE), {"initial": {"density": density}, **more})).resolution_notes


def test_a_steep_potential_on_few_cells():
    """V = 1000 x⁴ on 20 cells: the start lies on slopes of up to 400 κ a cell, and the Gibbs state is 3 cells wide."""
    first, last = start("1.0")
    assert "the density at the start: half of the mass lies where the drive along x changes by " in first
    assert "the Gibbs state: peaks are 3." in last and "Take about 2" in last
    fine = override(loads(CASE), {"grid": {"shape": [400]}, "initial": {"density": "exp(-30*x**2)"}})
    assert build(fine).resolution_notes == []


def test_a_start_in_one_cell_is_no_mistake(tmp_path):
    flat = {"energy": {"potential": "0"}}
    assert start("x > 0.0 and x < 0.1", **flat) == []  # a point
    assert len(start("x > 0.0 and x < 0.2", **flat)) == 1  # two cells wide
    assert len(start("exp(-x**2/(2*0.08**2))", **flat)) == 1
    points = tmp_path / "points.csv"
    points.write_text("x\n0.05\n0.05\n-0.65\n0.36\n")
    scattered = loads(CASE.replace('density = "1.0"', f'samples = "{points}"'))
    assert build(override(scattered, flat)).resolution_notes == []
    smooth = loads(CASE.replace('density = "1.0"', f'samples = "{points}"\nbandwidth = 0.01'))
    assert len(build(override(smooth, flat)).resolution_notes) == 1


def test_check_run_and_inspect_tell(tmp_path, capsys):
    path, folder = tmp_path / "steep.toml", tmp_path / "run"
    path.write_text(CASE)
    assert cli.main(["check", str(path)]) == 0
    assert capsys.readouterr().out.count("note        the grid does not resolve") == 2
    assert cli.main(["run", str(path), "--out", str(folder), "--set", "time.end=0.1", "--set", "solver.dt=0.05"]) == 0
    err = capsys.readouterr().err
    assert err.count("note: the grid does not resolve") == 3 and "the density at t = 0.1: peaks are 3." in err
    assert "the grid does not resolve the density at t = 0.1" in (folder / "run.log").read_text()
    kept = store.read(folder).attributes["resolution"]
    assert kept.startswith("the grid does not resolve the density at t = 0.1: peaks are 3.")
    assert cli.main(["inspect", str(folder)]) == 0
    assert f"resolution  {kept}" in capsys.readouterr().out
    assert cli.main(["inspect", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["resolution"] == kept


def test_a_run_that_is_resolved_says_nothing(tmp_path, capsys):
    path, folder = tmp_path / "flat.toml", tmp_path / "run"
    path.write_text(CASE.replace("1000*x**4", "x**2"))
    assert cli.main(["run", str(path), "--out", str(folder)]) == 0
    assert "resolve" not in capsys.readouterr().err and store.read(folder).attributes["resolution"] == ""
    assert cli.main(["inspect", str(folder)]) == 0
    assert "resolution" not in capsys.readouterr().out


def test_stationary_tells_by_state_and_by_branch(tmp_path, capsys):
    """At κ = 0.05 a fifth of the mass lies in one cell of 40, and no more than that at 0.3."""
    path, file = tmp_path / "crowd.toml", tmp_path / "states.h5"
    path.write_text(
        CASE.replace("shape = [20]", "shape = [40]").replace('"1000*x**4"', '"x**2"\ninteraction = "x**2"')
        .replace('{ kind = "entropy" }', '{ kind = "entropy", kappa = 0.01 }')
    )  # fmt: skip
    arguments = ["stationary", str(path), "--out", str(file), "--no-plot", "--json"]
    assert cli.main(arguments) == 0
    (state,) = json.loads(capsys.readouterr().out)["states"]
    assert any(note.startswith("the grid does not resolve the state: peaks are") for note in state["notes"])
    assert "does not resolve" in store.read_study(file).attributes["notes"]
    assert cli.main([*arguments[:-1], "--vary", "energy.internal.kappa=0.05:0.6:3"]) == 0
    out = capsys.readouterr().out
    assert "branch 0, 1 of 3 states, most at energy.internal.kappa = 0.05: the grid does not resolve the state" in out
    assert "% of the mass lies in one cell" in out and "does not resolve" in store.read_study(file).attributes["notes"]
