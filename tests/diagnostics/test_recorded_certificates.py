"""Which inequalities a run records, unasked and on request."""

import pytest

from tests.diagnostics.test_certificates import USUAL, run_of
from wgfpde import store
from wgfpde.cases import building, loading
from wgfpde.diagnostics import REGISTRY
from wgfpde.diagnostics.certificates import convexity
from wgfpde.errors import CaseError
from wgfpde.output.inequalities import balance, inequalities_of
from wgfpde.runs import runner


def names_of(name, *overrides):
    return [d.name for d in building.build(loading.load(name, overrides)).diagnostics]


ON_REQUEST = [
    "w2_previous", "entropy_gibbs", "fisher_gibbs", "w2_gibbs", "slack_hwi", "slack_evi", "energy_balance", "de_bruijn",
]  # fmt: skip


def test_what_is_recorded_unasked():
    """The usual numbers; the log-Sobolev and Talagrand slacks where λ comes from Hess V > 0, or from the case."""
    assert names_of("double_well_1d") == USUAL
    slacks = ["slack_lsi", "slack_talagrand"]
    assert [name for name in names_of("ou_1d") if not name.startswith("error_")] == USUAL + slacks
    assert names_of("double_well_1d", "energy.lambda=0.1") == USUAL + slacks
    assert names_of("double_well_1d", "energy.potential=x**2", "solver={method='jko', tau=0.1}") == USUAL + slacks
    assert names_of("double_well_1d", "energy.potential=x", "initial.density='1'") == USUAL  # K = 0
    plane = names_of("ou_2d_correlated", "grid.shape=[16,16]")
    assert "slack_lsi" in plane and not {"slack_talagrand", *ON_REQUEST} & set(plane)
    assert "slack_lsi" not in names_of("double_well_2d", "grid.shape=[16,16]")
    porous = names_of("barenblatt_1d_m2")
    assert porous[:12] == USUAL[:12] and all(name.startswith("error_") for name in porous[12:])


@pytest.mark.parametrize("name", ["double_well_1d", "double_well_2d"])
def test_all_else_is_there_for_the_asking(name):
    small = "grid.shape=[16]" if name == "double_well_1d" else "grid.shape=[16,16]"
    asked = [*ON_REQUEST, "slack_lsi", "slack_talagrand"]
    found = names_of(name, small, f"output.diagnostics={asked}")
    assert found[len(names_of(name, small)) :] == [known for known in REGISTRY if known in asked]
    stretched = names_of("ou_stretched_1d", f"output.diagnostics={asked}")
    assert set(asked) <= set(stretched)


def test_evi_brings_what_it_is_judged_by():
    assert {"slack_evi", "fisher_gibbs", "w2_gibbs"} <= set(names_of("ou_1d", 'output.diagnostics=["slack_evi"]'))


def test_where_they_have_no_meaning():
    assert "energy_balance" in names_of("barenblatt_1d_m2", 'output.diagnostics=["energy_balance"]')
    for name, asked in (
        ("barenblatt_1d_m2", "fisher_gibbs"),
        ("barenblatt_1d_m2", "de_bruijn"),
        ("geodesic_2d", "energy_balance"),
        ("geodesic_2d", "slack_evi"),
    ):
        with pytest.raises(CaseError, match="no meaning for this case"):
            names_of(name, f'output.diagnostics=["{asked}"]')


def test_lambda_belongs_to_a_gibbs_state():
    with pytest.raises(CaseError, match="lambda: of use only with"):
        loading.load("barenblatt_1d_m2", ["energy.lambda=1.0"])
    with pytest.raises(CaseError, match=r"energy\.lambda: expected a number"):
        loading.load("ou_1d", ["energy.lambda=steep"])
    with pytest.raises(CaseError, match=r"energy\.lambda: expected a number larger than 0"):
        loading.load("ou_1d", ["energy.lambda=-1"])
    loaded = loading.loads(loading.load("ou_1d", ["energy.lambda=0.5"]).resolved_toml())
    assert loaded.energy.sobolev == 0.5
    assert convexity(building.build(loaded).flow).sobolev == 0.5


def test_in_the_plane_on_request(tmp_path):
    """Distances in the plane are found to 1e-3: the inequalities hold to that, and the energy is balanced."""
    names = '["w2_gibbs", "slack_talagrand", "slack_hwi", "slack_evi", "energy_balance", "de_bruijn"]'
    overrides = ["grid.shape=[32,32]", f"output.diagnostics={names}", "time.end=0.4", "output.every=0.2"]
    runner.run(loading.load("ou_2d_correlated", overrides), tmp_path / "run")
    run = store.read(tmp_path / "run")
    found = inequalities_of(run)
    assert [c["name"] for c in found] == ["log-Sobolev", "Talagrand", "HWI", "EVI"]
    assert all(c["holds"] for c in found), found
    kept = balance(run)
    assert kept is not None and kept["defect"] < 1e-2 * kept["lost"]


def test_a_run_at_rest_is_not_judged(tmp_path):
    run = run_of(tmp_path, "initial.density=exp(-1.3*x**2/1.4)", 'initial.sampling="centre"')
    assert all(c["holds"] is None for c in inequalities_of(run))
