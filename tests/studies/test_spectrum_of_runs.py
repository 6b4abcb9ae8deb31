"""How a run decays beside its gap; spectra from the command line, in files and pictures."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tests.studies.test_spectrum import flow_1d, quartic
from wgfpde.cases.building import build_flow, build_grid
from wgfpde.cases.loading import load, override
from wgfpde.cli import main
from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.errors import CaseError
from wgfpde.grid import Grid
from wgfpde.runs.runner import run as run_case
from wgfpde.store import read, read_study, save_study
from wgfpde.studies.spectrum import observed_rate, spectrum, spectrum_study
from wgfpde.studies.spectrum.observed_decay import _fitted

# ---- the decay of a run ------------------------------------------------------------------------------------


def flow_of(name, *overrides):
    case = load(name, overrides)
    return build_flow(case, build_grid(case))


def observe(tmp_path, name, *overrides, k=8):
    case = load(name, overrides)
    result = run_case(case, tmp_path / "run")
    assert result.status == "finished"
    return observed_rate(read(tmp_path / "run"), spectrum(build_flow(case, build_grid(case)), k))


def test_observed_rate(tmp_path):
    found = observe(
        tmp_path, "double_well_1d", "grid.shape=[60]", "solver={method='fv', dt=0.1, order=1}", "time.end=20",
        "output.every=1",
    )  # fmt: skip
    assert found.mode == 1 and found.reason == ""
    assert found.rate == pytest.approx(found.stepped, rel=1e-4, abs=0)
    assert found.stepped == pytest.approx(np.log1p(0.1 * found.expected) / 0.1, rel=1e-10, abs=0)
    assert found.chi[-1] == pytest.approx(abs(found.amplitudes[-1, 1]), rel=1e-6, abs=0)


def test_what_the_modes_do_not_explain_decays_faster(tmp_path):
    """One mode is known: rows in which others hold a part of χ are not of the line."""
    found = observe(
        tmp_path, "double_well_1d", "grid.shape=[60]", "solver={method='fv', dt=0.1, order=1}", "time.end=20",
        "output.every=1", k=1,
    )  # fmt: skip
    assert found.rate == pytest.approx(found.stepped, rel=1e-4, abs=0)
    assert 0 < found.window[0] < found.window[1] == 20


@pytest.mark.parametrize("dt", ["0.05", "'adaptive'"])
def test_rate_of_a_run_that_ends_early_is_that_of_the_mode(tmp_path, dt):
    found = observe(
        tmp_path, "double_well_1d", "grid.shape=[60]", f"solver={{method='fv', dt={dt}}}", "time.end=1",
        "output.every=0.1",
    )  # fmt: skip
    assert found.rate == pytest.approx(found.stepped, rel=1e-9, abs=0)
    assert "a_1" in found.note


def test_symmetry_kills_the_first_mode(tmp_path):
    found = observe(tmp_path, "double_well_1d", "grid.shape=[60]", "initial.density=exp(-x**2)", "time.end=8",
                    "solver={method='fv', dt=0.02}", "output.every=0.5")  # fmt: skip
    assert found.mode == 2 and "nothing of mode 1" in found.note
    assert found.rate == pytest.approx(found.expected, rel=1e-3, abs=0)


def test_no_rate_without_a_distance(tmp_path):
    found = observe(tmp_path, "heat_1d", "grid.shape=[20]", 'initial.density="1"', "time.end=1")
    assert np.isnan(found.rate) and "starts at equilibrium" in found.reason


def test_no_rate_of_two_snapshots(tmp_path):
    found = observe(tmp_path, "heat_1d", "grid.shape=[20]", "time.end=0.1", "output.every=0.1")
    assert np.isnan(found.rate) and "2" in found.reason


def test_no_rate_at_equilibrium_at_once(tmp_path):
    found = observe(tmp_path, "heat_1d", "grid.shape=[20]", "time.end=40", "output.every=10", "solver.dt=0.01")
    assert np.isnan(found.rate) and "at equilibrium after 1 snapshots" in found.reason


def test_no_rate_of_modes_that_are_not_there(tmp_path):
    """A start of one cosine."""
    start = "initial.density=1 + 0.5*cos(4*pi*x)"
    found = observe(tmp_path, "heat_1d", "grid.shape=[32]", start, "time.end=0.02", "output.every=0.002", k=2)
    assert np.isnan(found.rate) and "nothing of modes 1 to 2" in found.reason
    with_mode = observed_rate(read(tmp_path / "run"), spectrum(flow_of("heat_1d", "grid.shape=[32]"), 4))
    assert with_mode.mode == 4
    assert with_mode.rate == pytest.approx(with_mode.stepped, rel=1e-9, abs=0)


def test_a_mode_that_comes_and_goes_has_no_rate(tmp_path):
    """It is there in rows 1, 3 and 5 only: a line needs neighbours."""
    run_case(case := load("heat_1d", ["grid.shape=[20]", "time.end=0.6", "output.every=0.1"]), tmp_path / "run")
    run, modes = read(tmp_path / "run"), spectrum(build_flow(case, build_grid(case)), 2)
    found, present = observed_rate(run, modes), np.zeros((7, 3), dtype=bool)
    present[[1, 3, 5], 1] = True
    seldom = _fitted(run, replace(found, chi=2 * found.chi), modes, present, {})
    assert "mode 1 is not seen in 3 snapshots one after the other" in seldom.reason


def test_another_grid_is_refused(tmp_path):
    case = load("heat_1d", ["grid.shape=[20]", "time.end=0.1"])
    run_case(case, tmp_path / "run")
    other = override(case, {"grid": {"shape": [24]}})
    with pytest.raises(CaseError, match="another grid"):
        observed_rate(read(tmp_path / "run"), spectrum(build_flow(other, build_grid(other)), 2))


# ---- command line, file, picture ---------------------------------------------------------------------------


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


SMALL = ("--set", "grid.shape=[48]")


def test_table(here, capsys):
    assert main(["spectrum", "double_well_1d", *SMALL, "--modes", "3"]) == 0
    out = capsys.readouterr().out
    found = spectrum(build_flow(c := load("double_well_1d", SMALL[1:]), build_grid(c)), 3)
    assert f"gap         {found.gap:.10g}" in out
    assert out.count("\n") > 9 and "double_well_1d-spectrum.h5" in out
    study = read_study(here / "double_well_1d-spectrum.h5")
    assert study.kind == "spectrum"
    assert study["eigenvalue"] == pytest.approx(found.eigenvalues, rel=1e-9, abs=0)
    assert study["phi"].shape == (4, 48) and study.variables["phi"].dims == ("mode", "x")
    assert study.attributes["gap"] == found.gap
    assert "shape = [48]" in study.texts["resolved_toml"].replace("shape = [ 48 ]", "shape = [48]")
    assert (here / "double_well_1d-spectrum.png").stat().st_size > 10_000


def test_2d_as_json(here, capsys):
    assert main(["spectrum", "double_well_2d", "--set", "grid.shape=[16,12]", "--json", "--plot", "a.svg"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert len(record["eigenvalues"]) == 9 and record["gap"] == record["eigenvalues"][1]
    assert record["figure"] == "a.svg" and (here / "a.svg").read_text().startswith("<?xml")
    assert read_study(here / record["file"])["phi"].shape == (9, 12, 16)


def test_run_and_richardson(here, capsys):
    options = ["--run", "--richardson", "--json", "--out", "b.h5"]
    overrides = ["--set", "time.end=20", "--set", "output.every=1", "--set", "grid.shape=[128]"]
    assert main(["spectrum", "double_well_1d", *overrides, *options]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["extrapolated"][1] == pytest.approx(0.18717041809, rel=1e-7, abs=0)
    assert record["observed"]["mode"] == 1
    assert record["observed"]["rate"] == pytest.approx(record["observed"]["stepped"], rel=1e-4, abs=0)
    study = read_study(here / "b.h5")
    assert study["amplitude"].shape == (21, 9) and study.attributes["observed_mode"] == 1
    assert not list(here.glob("runs*"))


def test_the_least_curvature_bounds_the_gap(here, capsys):
    """Of a convex well it is near λ, on a line and in the plane; the text, --json and the file say the same."""
    for flow, low in (
        (Flow(Grid([-3.0], [3.0], [40]), Energy(Internal(), lambda x: 0.65 * x**2)), 1.26),
        (Flow(Grid([-3.0] * 2, [3.0] * 2, [12, 14]), Energy(Internal(), lambda x, y: 0.65 * x**2 + 0.8 * y**2)), 1.0),
        (Flow(Grid([0.0], [1.0], [16], "periodic"), Energy()), -1e-9),
    ):
        found = spectrum(flow, 1)
        assert low < found.curvature <= found.gap * (1 + 1e-10)
    overrides = ["ou_1d", "--set", "grid.shape=[40]", "--modes", "2"]
    assert main(["spectrum", *overrides, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert 0.5 < record["curvature"] <= record["gap"]
    assert read_study(here / record["file"]).attributes["curvature"] == record["curvature"]
    assert main(["spectrum", *overrides]) == 0
    assert f"curvature   {record['curvature']:.6g} <= gap, by Bakry and Emery" in capsys.readouterr().out


@pytest.mark.parametrize("place", ["runs/a", "runs/a/output.h5"])
def test_of_a_run(here, capsys, place):
    run_case(load("heat_1d", ["grid.shape=[24]", "time.end=0.5", "output.every=0.05"]), here / "runs" / "a")
    assert main(["spectrum", place, "--modes", "4"]) == 0
    out = capsys.readouterr().out
    assert "<- observed" in out and "eigenvalue 1" in out and "24 cells" in out
    assert "chi" in read_study(here / "a-spectrum.h5").variables


def test_xarray_opens_it(here, capsys):
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("h5netcdf")
    assert main(["spectrum", "double_well_2d", "--set", "grid.shape=[12,8]", "--no-plot", "--modes", "2"]) == 0
    with xarray.open_dataset("double_well_2d-spectrum.h5", engine="h5netcdf") as data:
        assert data.phi.dims == ("mode", "y", "x")
        assert float(data.eigenvalue.sel(mode=1)) == data.attrs["gap"]
        assert float((data.pi * (6 / 12) * (8 / 8)).sum()) == pytest.approx(1.0, rel=1e-9, abs=0)


def test_an_older_spectrum_is_replaced_and_nothing_else(here, capsys):
    arguments = ["spectrum", "heat_1d", *SMALL, "--modes", "2", "--no-plot"]
    assert main(arguments) == 0 and main(arguments) == 0
    (here / "note.h5").write_text("mine")
    assert main([*arguments, "--out", "note.h5"]) == 2
    assert "is kept" in capsys.readouterr().err
    assert (here / "note.h5").read_text() == "mine"
    (here / "other.png").write_text("mine")
    assert main(["spectrum", "heat_1d", *SMALL, "--modes", "2", "--out", "other.h5"]) == 2
    assert (here / "other.png").read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["desai_zwanzig_1d"], "wgfpde stationary"),
        (["barenblatt_1d_m2"], '"power"'),
        (["heat_1d", *SMALL, "--modes", "0"], "a whole one, 1 or more; found 0"),
        (["double_well_2d", "--set", "grid.shape=[100000,100000]"], "fewer cells"),
        (["heat_1d", *SMALL, "--plot", "a.gif"], "png, pdf, svg"),
        (["heat_1d", *SMALL, "--out", "a.txt"], "a.txt: expected a file ending in .h5, .hdf5, .nc"),
        (["heat_1d", *SMALL, "--out", "a"], "a: expected a file ending in .h5, .hdf5, .nc"),
        (["geodesic_2d"], "a geodesic"),
    ],
)
def test_mistakes(here, capsys, arguments, words):
    assert main(["spectrum", *arguments]) == 2
    assert words in capsys.readouterr().err
    assert not list(here.iterdir())


def test_a_spectrum_that_cannot_be_written(here):
    flow = flow_1d(quartic, 0.2, 2.5, 12)
    (here / "file").write_text("")
    from wgfpde.errors import StoreError

    with pytest.raises(StoreError, match="cannot write"):
        save_study(here / "file" / "a.h5", spectrum_study(flow, spectrum(flow, 2), {"title": "a"}, {}))
