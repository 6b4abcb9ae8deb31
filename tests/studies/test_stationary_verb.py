"""Stationary states and their diagrams on the command line; folds, plateaus, and numbers that are none."""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from mean_fields import CRITICAL_NOISE, ORDERED, desai_zwanzig_2d
from scipy.optimize import brentq

from wgfpde.cases.building import build
from wgfpde.cases.loading import load, override
from wgfpde.cases.varying import vary
from wgfpde.cli import main
from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.errors import CaseError
from wgfpde.grid import Grid
from wgfpde.store import read_study
from wgfpde.studies.stationary import branches, continuation, corrected, measured, starts, stationary
from wgfpde.studies.stationary.search import analysed

# ---- the command line ------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


DZ = ["stationary", "desai_zwanzig_1d", "--set", "grid.shape=[60]"]


def test_states_on_the_command_line(folder, capsys):
    assert main(DZ) == 0
    out = capsys.readouterr().out
    assert out.count("stable, lowest found") == 2
    assert "unstable in 1 direction" in out
    assert (folder / "desai_zwanzig_1d-stationary.png").stat().st_size > 1000
    with xr.open_dataset(folder / "desai_zwanzig_1d-stationary.h5", engine="h5netcdf") as data:
        assert data.rho.dims == ("state", "x")
        assert data.stable.values.tolist() == [1, 1, 0]
        assert data.measure.values == pytest.approx(
            np.sum(data.rho * data.x, axis=1) * 0.1 / (np.sum(data.rho, axis=1) * 0.1), abs=1e-12
        )
    assert main([*DZ, "--json", "--no-plot", "--measure", "variance_x"]) == 0  # its own result is replaced
    record = json.loads(capsys.readouterr().out)
    assert record["figure"] is None
    assert [state["verdict"] for state in record["states"]] == ["stable", "stable", "unstable"]
    assert record["states"][2]["measures"]["variance_x"] > record["states"][0]["measures"]["variance_x"]


def test_a_diagram_on_the_command_line(folder, capsys):
    arguments = [*DZ, "--vary", "energy.internal.kappa=0.42:0.5:3", "--out", "found/dz.h5"]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "critical  energy.internal.kappa = 0.45694" in out
    assert (folder / "found" / "dz.png").exists()
    study = read_study("found/dz.h5")
    assert study.kind == "bifurcation diagram"
    assert study["critical_value"] == pytest.approx([CRITICAL_NOISE], abs=1e-8)
    assert study["rho"].shape == (len(study["parameter"]), 60)
    with xr.open_dataset("found/dz.h5", engine="h5netcdf") as data:
        assert data.rho.dims == ("point", "x")
    assert main([*arguments, "--json", "--no-plot"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["critical"][0]["parameter"] == pytest.approx(CRITICAL_NOISE, abs=1e-8)
    assert len(record["branches"]) == 3


def test_states_in_2d_are_drawn_as_maps(folder, capsys):
    case = ["stationary", "double_well_2d", "--set", "grid.shape=[12,10]", "--plot", "maps.svg"]
    assert main(case) == 0
    assert "mean_y" in capsys.readouterr().out
    assert "<svg" in (folder / "maps.svg").read_text()
    with xr.open_dataset("double_well_2d-stationary.h5", engine="h5netcdf") as data:
        assert data.rho.dims == ("state", "y", "x")


def test_mistakes_on_the_command_line(folder, capsys):
    Path("notes.h5").write_text("not a study")
    wrong = {
        "wgfpde run CASE --set solver.stationary": ["stationary", "aggregation_1d"],
        "a geodesic has no": ["stationary", "geodesic_2d"],
        "without a bound": ["stationary", "crowd_motion_2d"],
        "there is no diagnostic": [*DZ, "--measure", "meen_x"],
        "leaves the grid": [*DZ, "--vary", "grid.shape=16,32"],
        "one parameter": [*DZ, "--vary", "params.theta=1,2", "--vary", "energy.internal.kappa=1,2"],
        "1 or more": [*DZ, "--branches", "0"],
        "holds no stationary states": [*DZ, "--out", "notes.h5"],
        "ending in .h5": [*DZ, "--out", "notes.txt"],
    }
    for message, arguments in wrong.items():
        assert main(arguments) == 2
        out, err = capsys.readouterr()
        assert message in err
        assert out == ""
    assert Path("notes.h5").read_text() == "not a study"


def test_the_case_decides_the_start(folder):
    problem = build(load("desai_zwanzig_1d", ["grid.shape=[60]"]))
    flow = problem.flow
    state = stationary(flow, flow.mass(problem.initial.rho), problem.initial.rho)
    assert measured(flow, state.rho, "mean_x") == pytest.approx(ORDERED, abs=1e-6)


# ---- folds, plateaus, and numbers that are no numbers --------------------------------------------------------


TILTED = {"energy": {"potential": "x**4/4 - x**2/2 + 0.01*x"}}
"""A weak field: of the three roots of the self-consistency the middle one has no symmetry to be found by."""


def tilted_roots(kappa):
    """m = ⟨x⟩ under e^{−(x⁴/4 − x²/2 + x/100 + (x − m)²/2)/κ}, by sign changes on a fine mesh."""
    x = np.linspace(-4, 4, 4001)

    def excess(m):
        weight = np.exp(-(x**4 / 4 - x**2 / 2 + 0.01 * x + (x - m) ** 2 / 2) / kappa)
        return float(np.sum(x * weight) / np.sum(weight)) - m

    mesh = np.linspace(-1.5, 1.5, 301)
    values = [excess(m) for m in mesh]
    pairs = zip(mesh[:-1], mesh[1:], values[:-1], values[1:], strict=True)
    return [brentq(excess, a, b, xtol=1e-13) for a, b, u, v in pairs if u * v < 0]


def test_the_state_between_two_minima_is_found():
    case = override(load("desai_zwanzig_1d"), TILTED)
    problem = build(case)
    states = branches(problem.flow, 1.0, starts(problem.flow, 1.0, problem.initial.rho))
    assert [state.verdict for state in states] == ["stable", "stable", "unstable"]
    means = sorted(problem.flow.integral(problem.flow.grid.x.centers * state.rho) for state in states)
    assert means == pytest.approx(tilted_roots(0.3), abs=1e-9)


def test_a_fold_is_told():
    """Two of the three roots meet where the field wins: between 0.40 and 0.41 by counting them."""
    assert (len(tilted_roots(0.4)), len(tilted_roots(0.41))) == (3, 1)
    case = override(load("desai_zwanzig_1d", ["grid.shape=[60]"]), TILTED)
    [key] = vary(["energy.internal.kappa=0.36:0.44:5"], case)
    diagram = continuation(case, key)
    assert not diagram.critical and [end.kind for end in diagram.ends] == ["fold", "fold"]
    place = diagram.ends[0].parameter
    assert len(tilted_roots(place - 1e-4)) == 3 and len(tilted_roots(place + 1e-4)) == 1
    assert {diagram.ends[0].meets, diagram.ends[1].meets} == {end.branch for end in diagram.ends}


def test_a_pitchfork_is_told_and_not_called_a_fold():
    case = load("desai_zwanzig_1d", ["grid.shape=[60]"])
    [key] = vary(["energy.internal.kappa=0.44:0.48:3"], case)
    ends = continuation(case, key).ends
    assert {end.kind for end in ends} == {"pitchfork"} and len(ends) == 2
    assert all(end.parameter == pytest.approx(0.456946581044, abs=1e-9) for end in ends)


def test_a_plateau_of_marginal_rates_hides_no_critical_value():
    case = load("kuramoto_1d", ["grid.shape=[64]"])
    [key] = vary(["params.K=1.9,1.99999999,2.00000001,2.1"], case)
    assert [one.parameter for one in continuation(case, key).critical] == pytest.approx([2.0], abs=2e-8)


def test_all_unstable_directions_are_counted():
    """W = −6 Σ cos kx, k ≤ 6, at the uniform state: cos and sin of each, 12 in all, more than the rates kept."""
    grid = Grid([-np.pi], [np.pi], [64], periodic=True)
    flow = Flow(grid, Energy(Internal(), interaction=lambda x: -6 * sum(np.cos(k * x) for k in range(1, 7))))
    state = analysed(flow, 1.0, stationary(flow, 1.0, np.full(64, 1 / (2 * np.pi)), analyse=False))
    assert np.ptp(state.rho) < 1e-12 and state.stability.unstable == 12 and state.stability.counted


def test_guesses_that_are_none_are_refused():
    flow = desai_zwanzig_2d(8)
    for guess in (np.full((8, 8), np.nan), np.ones(5)):
        with pytest.raises(CaseError, match="a guess needs the grid's shape"):
            corrected(flow, 1.0, guess)
    assert stationary(flow, 1.0, analyse=False).stable is None
    with pytest.raises(CaseError, match="at least 1; found 0"):
        branches(flow, 1.0, limit=0)


@pytest.mark.parametrize("measure", ["energy_balance", "de_bruijn", "slack_evi", "w2_previous"])
def test_measures_of_a_run_are_refused(measure):
    case = load("desai_zwanzig_1d", ["grid.shape=[40]"])
    [key] = vary(["energy.internal.kappa=0.3:0.4:2"], case)
    with pytest.raises(CaseError, match=measure):
        continuation(case, key, measure=measure)


def test_a_foreign_picture_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "desai_zwanzig_1d-stationary.png").write_text("precious")
    assert main(["stationary", "desai_zwanzig_1d", "--set", "grid.shape=[40]"]) == 2
    assert (tmp_path / "desai_zwanzig_1d-stationary.png").read_text() == "precious"
