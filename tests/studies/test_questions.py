"""Studies by the Python interface: the same numbers as from the command line, and mistakes as sentences."""

import inspect

import numpy as np
import pytest

import wgfpde as wgf
from wgfpde.cases.loading import override
from wgfpde.cli import main
from wgfpde.errors import StoreError
from wgfpde.runs.progress import StatusLine
from wgfpde.store import read_study
from wgfpde.studies.convergence import record, write
from wgfpde.studies.spectrum import MODES
from wgfpde.studies.stationary.search import LIMIT


def test_spectrum_of_a_named_case():
    found = wgf.spectrum("ou_1d", modes=3, grid={"shape": [200], "lower": [-7.0], "upper": [7.0]})
    assert found.gap == pytest.approx(0.999184, abs=5e-7)
    assert found.eigenvalues.shape == (4,) and found.modes.shape == (4, 200)
    with pytest.raises(wgf.CaseError, match="wgfpde stationary"):
        wgf.spectrum("kuramoto_1d")
    with pytest.raises(wgf.CaseError, match="a geodesic"):
        wgf.spectrum("geodesic_2d")


@pytest.mark.parametrize("modes", [3.0, "3", 0, -2])
def test_modes_are_a_whole_number(modes):
    with pytest.raises(wgf.CaseError, match="a whole one, 1 or more; found"):
        wgf.spectrum("heat_1d", modes, grid={"shape": [20]})


def test_defaults_are_those_of_the_command_line(capsys):
    """Written once for both; the help says the same."""
    defaults = {name: inspect.signature(getattr(wgf, name)).parameters for name in ("spectrum", "stationary")}
    assert defaults["spectrum"]["modes"].default is None and defaults["stationary"]["limit"].default == LIMIT
    assert len(wgf.spectrum("heat_1d", grid={"shape": [20]}).eigenvalues) == 1 + MODES
    assert main(["spectrum", "--help"]) == 0
    assert f"default: {MODES}, or as many as can be had)" in " ".join(capsys.readouterr().out.split())


def test_stationary_states_and_a_diagram():
    states = wgf.stationary("desai_zwanzig_1d", grid={"shape": [60]})
    assert [s.verdict for s in states] == ["stable", "stable", "unstable"]
    x = np.linspace(-3, 3, 61)
    means = sorted(float(np.sum(0.5 * (x[1:] + x[:-1]) * s.rho) * 0.1) for s in states)
    assert means == pytest.approx([-0.705495273209, 0.0, 0.705495273209], abs=1e-9)
    diagram = wgf.stationary("desai_zwanzig_1d", vary="energy.internal.kappa=0.44:0.48:3", grid={"shape": [60]})
    assert [c.parameter for c in diagram.critical] == pytest.approx([0.456946581044], abs=1e-9)
    with pytest.raises(wgf.CaseError, match="FIRST:LAST:COUNT"):
        wgf.stationary("desai_zwanzig_1d", vary="energy.internal.kappa=0.3:0.6")


def test_stationary_refuses_what_it_does_not_use():
    grid = {"shape": [24]}
    with pytest.raises(wgf.CaseError, match="order parameter of a diagram"):
        wgf.stationary("ou_1d", measure="mean_x", grid=grid)
    for limit in (0, -1, 2.5, None):
        with pytest.raises(wgf.CaseError, match="at least 1"):
            wgf.stationary("ou_1d", limit=limit, grid=grid)
    with pytest.raises(wgf.CaseError, match=r"one parameter, found params\.a, params\.b"):
        case = override(wgf.load("ou_1d"), {"params": {"a": 1.0, "b": 1.0}, "grid": grid})
        wgf.stationary(case, vary=["params.a=1:2:3", "params.b=1:2:3"])


@pytest.mark.parametrize(
    "vary", ["energy.internal.kappa=1:2:3", ["energy.internal.kappa=1,1.5,2"], {"energy.internal.kappa": [1, 1.5, 2]}]
)
def test_all_forms_of_vary_in_a_diagram(vary):
    found = wgf.stationary("ou_1d", vary=vary, grid={"shape": [24]}, progress=False)
    assert found.values.tolist() == [1.0, 1.5, 2.0] and len(found.branches) == 1


def test_what_lasts_is_told_on_stderr(capsys, monkeypatch):
    """At once here; nothing with progress=False."""
    monkeypatch.setattr("wgfpde.runs.progress.StatusLine", lambda stream, at_once: StatusLine(stream, True))
    for tell in (True, False):
        wgf.spectrum("double_well_2d", 2, grid={"shape": [20, 20]}, progress=tell)
        spoken = capsys.readouterr()
        assert ("Lanczos iteration" in spoken.err) == tell and spoken.out == ""
        wgf.stationary("ou_1d", grid={"shape": [24]}, progress=tell)
        assert ("states found" in capsys.readouterr().err) == tell
        wgf.stationary("ou_1d", "energy.internal.kappa=1:2:2", grid={"shape": [24]}, progress=tell)
        assert ("energy.internal.kappa = 2, 2 of 2" in capsys.readouterr().err) == tell


TABLES = {"time": {"end": 0.1}, "output": {"every": 0.1}, "solver": {"dt": 0.01}}


@pytest.mark.parametrize("vary", ["grid.shape=8,16", ["grid.shape=8,16"], {"grid.shape": "8,16"}])
def test_all_forms_of_vary_in_a_study(vary):
    found = wgf.converge("heat_1d", vary, norms=["l1"], progress=False, **TABLES)
    assert [v.values for v in found.varied] == [([8], [16])]


def test_a_study_that_keeps_no_runs(tmp_path):
    """Its numbers stay, its runs are gone and so are their places; a file goes where it is told to."""
    found = wgf.converge(
        "heat_1d", "grid.shape=8,16", norms=["l1"], errors={"own": lambda run: 1 / run.rho[-1].size}, progress=False,
        **TABLES,
    )  # fmt: skip
    assert found.runs == [] and found.folder is None and not found.failures
    assert found.steps.tolist() == [10, 10] and found.fitted["own"] == pytest.approx(1.0, rel=1e-9, abs=0)
    assert [row["folder"] for row in record(found)["runs"]] == [None, None]
    with pytest.raises(StoreError, match="were not kept"):
        write(found)
    assert read_study(write(found, tmp_path / "a.h5"))["folder"].tolist() == ["", ""]


def test_convergence_with_and_without_a_folder(tmp_path, capsys):
    tables = {"time": {"end": 0.2}, "output": {"every": 0.1}, "solver": {"dt": 0.002}}
    found = wgf.converge("heat_1d", {"grid.shape": [16, 32, 64]}, **tables)
    assert found.fitted["l1"] == pytest.approx(2.0, abs=0.1)
    assert capsys.readouterr().err.count("\n") == 3
    kept = wgf.converge("heat_1d", {"grid.shape": [16, 32]}, tmp_path / "kept", norms=["l2"], progress=False, **tables)
    assert list(kept.errors) == ["l2"] and len(kept.runs) == 2 and capsys.readouterr().err == ""
    assert len(list((tmp_path / "kept").glob("*/output.h5"))) == 2
    with pytest.raises(wgf.CaseError):
        wgf.converge("heat_1d", {"grid.shap": [16, 32]}, **tables)
