"""Studies by the Python door: the same numbers as from the command line, and mistakes as sentences."""

import numpy as np
import pytest

import wgfpde as wgf


def test_spectrum_of_a_named_case():
    found = wgf.spectrum("ou_1d", modes=3, grid={"shape": [200], "lower": [-7.0], "upper": [7.0]})
    assert found.gap == pytest.approx(0.999184, abs=5e-7)
    assert found.eigenvalues.shape == (4,) and found.modes.shape == (4, 200)
    with pytest.raises(wgf.CaseError, match="wgfpde stationary"):
        wgf.spectrum("kuramoto_1d")


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
