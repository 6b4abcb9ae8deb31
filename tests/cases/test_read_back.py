"""Runs of cases with tables, read back: as the potential they come from, and as the names and data of their cases."""

import numpy as np
import pytest

import wgfpde as wgf
from tests.cases.test_table_cases import ENTROPY, REST, case
from wgfpde.cases.building import build
from wgfpde.cases.loading import loads
from wgfpde.cases.sources.case_files import copied_case, presets
from wgfpde.cases.sources.free_energies import told
from wgfpde.cli import main
from wgfpde.errors import CaseError
from wgfpde.runs.runner import resume, run


@pytest.mark.parametrize("ends", ["no-flux", "periodic"])
def test_marginals_are_read_back_as_the_potential_they_come_from(tmp_path, ends):
    """At rest ρ ∝ e^{−V/κ}: −κ ln of the density is V, of its marginals −κ ln ∫e^{−V/κ}, up to constants."""
    length = 2.0
    text = (
        f'[grid]\nshape = [24, 18]\nlower = [0.0, -1.0]\nupper = [{length}, 1.0]\nboundary = ["{ends}", "no-flux"]\n'
        f'[energy]\n{ENTROPY}potential = "cos(pi*x)*(1 + y/2) + y**2"\n'
        '[initial]\ndensity = "exp(-(cos(pi*x)*(1 + y/2) + y**2)/0.3)"\nsampling = "centre"\n'
        '[time]\nend = 0.1\n[output]\naverages = { q = "x**2*y" }\n'
    )
    run(loads(text, tmp_path / "c.toml", tmp_path), tmp_path / "r")
    found = wgf.read(tmp_path / "r")
    x, y = found.centers
    weight = found.rho[0] / found.rho[0].sum()
    expected = np.sum(weight * (x**2 + (x[1] - x[0]) ** 2 / 12) * y[:, None])
    assert found.diagnostics["q"] == pytest.approx(np.full(len(found), expected), rel=1e-10, abs=0)
    assert main(["export", str(tmp_path / "r"), "--to", "fes"]) == 0
    v = np.cos(np.pi * x) * (1 + y[:, None] / 2) + y[:, None] ** 2
    for name, shown in (("x", -0.3 * np.log(np.exp(-v / 0.3).sum(0))), ("y", -0.3 * np.log(np.exp(-v / 0.3).sum(1)))):
        axis = dict(zip("xy", found.grid.axes, strict=True))[name]
        line = wgf.Grid([axis.lower], [axis.upper], [axis.size], axis.boundary)
        read = wgf.read_table(tmp_path / "r/export" / f"fes_{name}.dat").on(line)
        assert np.ptp(line.sample(read) - shown) <= 1e-12
    plane = wgf.read_table(tmp_path / "r/export/fes.dat", dim=2).on(found.grid)
    assert np.ptp(found.grid.sample(plane) - v) <= 1e-12
    assert plane.rings == ((length, None) if ends == "periodic" else (None, None))


def test_export_of_free_energies_refuses_what_has_none(tmp_path, capsys):
    power = case(tmp_path, '"x**2"').text.replace('kind = "entropy"', 'kind = "power", m = 2.0')
    run(loads(power, tmp_path / "c.toml", tmp_path), tmp_path / "r")
    assert main(["export", str(tmp_path / "r"), "--to", "fes"]) == 2
    assert 'where the internal energy is the entropy; found "power"' in capsys.readouterr().err
    run(case(tmp_path, '"x**2"'), tmp_path / "s")
    assert main(["export", str(tmp_path / "s"), "--to", "fes", "--all"]) == 2
    assert "is of one snapshot; 11 were asked for" in capsys.readouterr().err


@pytest.mark.parametrize(("formula", "last"), [("k + 2*t", 0.5), ("3*k", 0.9)])
def test_the_free_energy_of_a_density_has_the_kappa_of_its_time(tmp_path, formula, last):
    text = (
        case(tmp_path, '"x**2"').text.replace("kappa = 0.3", f'kappa = "{formula}"').replace("end = 1.0", "end = 0.1")
    )
    found = run(loads(f"[params]\nk = 0.3\n{text}", tmp_path / "c.toml", tmp_path), tmp_path / "r")
    assert main(["export", str(tmp_path / "r"), "--to", "fes"]) == 0
    rho, kept = wgf.read(found.folder).rho[-1], np.loadtxt(tmp_path / "r/export/fes.dat")[:, 1]
    assert kept == pytest.approx(-last * np.log(rho), rel=1e-12, abs=0)


def test_what_is_told_of_a_driven_energy_is_of_the_start(tmp_path):
    flow = build(case(tmp_path, '"(1 + t)*(x**2 - 1)**2"')).flow
    assert told(flow)["kT"].startswith("kappa = 0.3 at t = 0; V from")
    assert told(build(case(tmp_path, '"x**2"')).flow)["kT"].startswith("kappa = 0.3; V from")


@pytest.mark.parametrize(
    ("name", "message"), [("energy", "a diagnostic already"), ("rho", "cannot name"), ('"a b"', "of its own")]
)
def test_names_of_averages(tmp_path, name, message):
    rest = REST + f'[output]\naverages = {{ {name} = "x" }}\n'
    with pytest.raises(CaseError, match=f"output.averages.*{message}"):
        build(case(tmp_path, '"x**2"', rest=rest))


def test_averages_travel_over_a_resume(tmp_path):
    rest = REST + '[output]\naverages = { q = "x" }\n'
    run(case(tmp_path, '"x**2"', rest=rest), tmp_path / "r")
    resume(tmp_path / "r", 1.5)
    found = wgf.read(tmp_path / "r")
    assert found.diagnostics["q"] == pytest.approx(found.diagnostics["mean_x"], rel=1e-12, abs=0) and found.t[-1] == 1.5


def test_new_copies_the_data_of_a_case(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["new", "fes_table_2d"]) == 0
    assert "fes_table_2d.dat" in capsys.readouterr().out
    assert (tmp_path / "fes_table_2d.dat").read_bytes() == presets()["fes_table_2d"].with_suffix(".dat").read_bytes()
    assert main(["check", "fes_table_2d.toml"]) == 0
    (tmp_path / "fes_table_2d.toml").unlink()
    capsys.readouterr()
    assert main(["new", "fes_table_2d"]) == 2
    assert "fes_table_2d.dat exists and is kept" in capsys.readouterr().err
    with pytest.raises(FileExistsError):
        copied_case(presets()["fes_table_2d"], tmp_path / "other.toml")
    assert not (tmp_path / "other.toml").exists()
