"""Inequalities along actual runs, the balance of their energy, and what is told of them."""

from dataclasses import replace

import numpy as np
import pytest

from wgfpde import cli, store
from wgfpde.cases import building as case
from wgfpde.diagnostics.certificates.constants import convexity
from wgfpde.errors import CaseError
from wgfpde.output.inequalities import balance, certificates, sentences
from wgfpde.runs import runner

TRANSLATE = """
schema = 1
[grid]
shape = [400]
lower = [-7.0]
upper = [7.0]
[energy]
internal = { kind = "entropy", kappa = 0.7 }
potential = "1.3*x**2/2"
[initial]
density = "exp(-1.3*(x - 1)**2/1.4)"
mass = 2.0
[solver]
method = "fv"
dt = 0.005
[time]
end = 1.0
[output]
every = 0.1
"""
LAM, KAPPA, SHIFT, MASS = 1.3, 0.7, 1.0, 2.0


def run_of(tmp_path, *overrides, text=TRANSLATE):
    result = runner.run(case.override(case.loads(text), list(overrides)), tmp_path / "run", overwrite=True)
    assert result.status == "finished", result.message
    return store.read(tmp_path / "run")


@pytest.fixture(scope="module")
def translate(tmp_path_factory):
    return run_of(tmp_path_factory.mktemp("translate"))


def test_translates_saturate_three_inequalities_at_once(translate):
    for name in ("slack_lsi", "slack_talagrand", "slack_hwi"):
        assert np.max(np.abs(translate.diagnostics[name])) <= 1e-6, name
    entropy = translate.diagnostics["kl_gibbs"][0]
    assert entropy == pytest.approx(MASS * LAM * SHIFT**2 / (2 * KAPPA), rel=1e-6)  # none of them is near 0 by itself
    assert translate.diagnostics["w2_gibbs"][0] == pytest.approx(np.sqrt(MASS) * SHIFT, rel=1e-6)


def test_entropy_of_a_translate_decays_at_twice_lambda(tmp_path):
    """KL = KL₀ e^{−2λt}: the error is of order 2 in h, and Richardson's rule removes all but h⁴."""
    rates = []
    for cells, dt in ((100, 2e-3), (200, 1e-3)):
        run = run_of(tmp_path, f"grid.shape=[{cells}]", f"solver.dt={dt}")
        entropy = run.diagnostics["kl_gibbs"]
        rates.append(np.polyfit(run.t, np.log(entropy), 1)[0])
    # the modified mean decays at λ(1 − λh²/6κ + …): 6e-3 at h = 0.14
    assert rates[0] == pytest.approx(-2 * LAM, rel=1e-2) and abs(rates[0] / (-2 * LAM) - 1) > 1e-3
    assert (4 * rates[1] - rates[0]) / 3 == pytest.approx(-2 * LAM, rel=5e-5)


def test_all_is_said_to_hold(translate):
    found = certificates(translate)
    assert [c["name"] for c in found] == ["log-Sobolev", "Talagrand", "HWI", "EVI"]
    assert all(c["holds"] for c in found)
    assert all(c["constant"] == pytest.approx(LAM, rel=1e-8) and c["source"] == "Hess V" for c in found)


@pytest.mark.parametrize("cells", [16, 40, 400])
def test_nothing_is_violated_as_it_comes_to_rest(cells, tmp_path):
    """H falls to 1e-8: the distance is far below a cell, and Talagrand's inequality is an equality there."""
    run = run_of(tmp_path, "time.end=7", "solver.dt=0.02", "output.every=0.02", f"grid.shape=[{cells}]")
    *of_states, evi = certificates(run)
    assert all(c["holds"] for c in of_states), of_states
    assert evi["holds"] is (None if cells == 16 else True)  # 16 cells are too coarse to say anything of the flow
    assert np.all(run.diagnostics["slack_talagrand"] >= -1e-9 * run.diagnostics["w2_gibbs"] ** 2)


@pytest.mark.parametrize("lam", [1.31, 2.6, 1e9])
def test_a_constant_that_is_too_large_is_found_out(tmp_path, lam):
    """Where 1.3 is true the part 1 − 1.3/λ of the larger side, H, is missing."""
    run = run_of(tmp_path, f"energy.lambda={lam}")
    found = {c["name"]: c for c in certificates(run)}
    assert [found[name]["holds"] for name in ("log-Sobolev", "Talagrand", "HWI")] == [False, False, True]
    assert found["log-Sobolev"]["share"] == pytest.approx(LAM / lam - 1, rel=1e-2)
    assert (found["Talagrand"]["source"], found["HWI"]["source"]) == ("the case", "Hess V")
    assert run.attributes["sobolev"] == lam and run.attributes["convexity"] == pytest.approx(LAM, rel=1e-8)


def test_a_violation_far_below_zero_is_one(translate):
    """Also where the side that should be larger is negative itself, as that of HWI with a large K."""
    run = replace(translate, diagnostics=dict(translate.diagnostics))
    run.diagnostics["slack_hwi"] = -3 * KAPPA * run.diagnostics["entropy_gibbs"]
    found = {c["name"]: c for c in certificates(run)}["HWI"]
    assert found["holds"] is False and found["share"] == pytest.approx(-1.5)


def test_evi_is_an_equality_for_translates_in_the_limit(tmp_path):
    """Between snapshots a time s apart the entropy at the end is the smallest: what is left is of first order in s."""
    slacks = []
    for s, dt in ((0.05, 0.0025), (0.025, 0.00125)):
        run = run_of(tmp_path, f"output.every={s}", f"solver.dt={dt}", "time.end=0.1")
        assert run.diagnostics["slack_evi"][0] == 0.0
        slacks.append(run.diagnostics["slack_evi"][1] / s)
    assert slacks[1] > 0 and slacks[0] / slacks[1] == pytest.approx(2.0, rel=0.1)


def test_evi_of_jko_steps(tmp_path):
    """A JKO step of a translate: m₁ = m₀/(1 + λτ), and ½m₁² − ½m₀²/(1 + λτ) + τλm₁²/2/(1 + λτ) = −½(λτm₁)²/(1 + λτ):
    it holds exactly, where e^{λτ} in place of 1 + λτ would break it for large τ."""
    jko = ("solver.method=jko", "solver.tau=0.5", "output.every=0.5", "time.end=2.0", "grid.shape=[200]")
    run = run_of(tmp_path, *jko)
    slack = run.diagnostics["slack_evi"][1:]
    m1 = SHIFT / (1 + LAM * 0.5)
    assert slack[0] == pytest.approx(0.5 * MASS * (LAM * 0.5 * m1) ** 2 / (1 + LAM * 0.5), rel=0.05)
    assert np.all(slack > 0)


@pytest.mark.parametrize("order", [1, 2])
def test_energy_balance_has_the_order_of_the_steps(tmp_path, order):
    defects = []
    for dt in (0.02, 0.01):
        run = run_of(tmp_path, f"solver.order={order}", f"solver.dt={dt}", "grid.shape=[100]")
        defects.append(abs(run.diagnostics["energy_balance"][-1]))
        lost = run.diagnostics["energy"][0] - run.diagnostics["energy"][-1]
        assert run.diagnostics["energy_balance"][0] == 0.0 and defects[-1] < 0.02 * lost
    assert np.log2(defects[0] / defects[1]) == pytest.approx(order, abs=0.15)


def test_de_bruijn_tends_to_zero_with_the_steps(tmp_path):
    """The residual is a mean over the steps between two snapshots, relative to κI: order 2 in dt."""
    shares = []
    for dt in (0.02, 0.01):
        run = run_of(tmp_path, f"solver.dt={dt}", "grid.shape=[100]", "initial.density=exp(-(x-1)**2/0.3)")
        d = run.diagnostics
        shares.append(np.max(np.abs(d["de_bruijn"][1:] / (d["dissipation"][1:] / KAPPA))))
    assert shares[1] < 2e-3 and 3 < shares[0] / shares[1] < 5


def test_a_start_against_vacuum_has_a_finite_balance(tmp_path):
    run = run_of(tmp_path, "initial.density=where(abs(x) < 1, 1.0, 0.0)", "grid.shape=[100]")
    assert run.diagnostics["dissipation"][0] == np.inf
    assert np.all(np.isfinite(run.diagnostics["energy_balance"]))


def test_fisher_information_is_the_dissipation_up_to_h2(tmp_path):
    """I − D/κ² is of second order: 4 times less on half the cells."""
    gaps = []
    for cells in (100, 200):
        d = run_of(tmp_path, f"grid.shape=[{cells}]", "time.end=0.2").diagnostics
        gaps.append(abs(d["fisher_gibbs"][-1] - d["dissipation"][-1] / KAPPA**2) / d["fisher_gibbs"][-1])
    assert gaps[1] < 1e-2 and 3.5 < gaps[0] / gaps[1] < 4.5


@pytest.mark.parametrize("order", [1, 2])
def test_evi_of_large_steps(tmp_path, order):
    """Implicit steps contract by 1/(1 + K dt) at least, which is what EVI is taken with: no step size breaks it."""
    for dt in (0.1, 0.5):
        run = run_of(tmp_path, f"solver.order={order}", f"solver.dt={dt}", "output.every=0.5", "time.end=2")
        assert certificates(run)[-1]["holds"], dt


def test_steep_potentials_over_long_times_do_not_overflow(tmp_path):
    """K s = 800 between snapshots; and e^{-100}/π is more than the cells tell: that is not known, and no failure."""
    steep = ('energy.potential="400*x**2"', "grid.lower=[-1]", "grid.upper=[1]", "grid.shape=[100]")
    run = run_of(tmp_path, *steep, "solver.dt=0.1", "output.every=1", "time.end=2")
    assert np.all(np.isfinite(run.diagnostics["slack_evi"])) and run.attributes["convexity"] == pytest.approx(800)
    kink = ('energy.potential="10*abs(x)"', "energy.internal.kappa=0.001", "grid.lower=[-4]", "grid.upper=[4]")
    start = ("initial.density=exp(-(x-2)**2/0.02)", "grid.shape=[64]", "time.end=0.1")
    run = run_of(tmp_path, *kink, *start)
    assert np.isnan(run.diagnostics["slack_lsi"][0])
    assert not any(c["holds"] is False for c in certificates(run))


def test_evi_of_a_double_well_is_known_for_any_step(tmp_path):
    """K = −1 and steps of 2: 1 + K dt is negative, and G = e^{K dt} serves."""
    well = ("energy.potential=x**4/4 - x**2/2", "grid.lower=[-3]", "grid.upper=[3]", "grid.shape=[100]")
    run = run_of(tmp_path, *well, "solver.dt=2", "time.end=20", "output.every=4")
    assert np.all(run.diagnostics["slack_evi"][1:] > 0) and certificates(run)[-1]["holds"]


def test_what_is_not_known_is_no_violation(translate):
    """NaN (a distance that was not found) and ∞ (vacuum) prove nothing; −∞ does."""
    for value, expected in ((np.nan, None), (np.inf, None), (-np.inf, False)):
        run = replace(translate, diagnostics=dict(translate.diagnostics))
        run.diagnostics["slack_talagrand"] = np.full(len(run), value)
        found = {c["name"]: c for c in certificates(run)}
        assert found["Talagrand"]["holds"] is expected and found["log-Sobolev"]["holds"]
        assert "nan" not in " ".join(sentences(certificates(run)))


@pytest.mark.parametrize("floor", [0.0, 1e-200, 1e-30, 1e-8])
def test_the_balance_does_not_depend_on_what_is_next_to_nothing(tmp_path, floor):
    """D of the start is 1e3 for a floor of 1e-200: the first step says nothing of it, and the balance is not off."""
    block = f"initial.density=where(abs(x) < 1, 1.0, {floor})"
    run = run_of(tmp_path, block, "grid.shape=[100]", "solver.dt=0.002")
    lost = run.diagnostics["energy"][0] - run.diagnostics["energy"][-1]
    assert abs(run.diagnostics["energy_balance"][-1]) < 0.05 * lost


# ---- where they are recorded ------------------------------------------------------------------------------


def names_of(name, *overrides):
    return [d.name for d in case.build(case.load(name, overrides)).diagnostics]


def test_where_they_are_recorded():
    line = names_of("ou_1d")
    assert {"fisher_gibbs", "w2_gibbs", "slack_lsi", "slack_hwi", "slack_evi"} <= set(line)
    assert {"energy_balance", "de_bruijn"} <= set(line)
    plane = names_of("double_well_2d", "grid.shape=[16,16]")
    assert "slack_lsi" in plane and not {"w2_gibbs", "slack_hwi", "energy_balance"} & set(plane)
    asked = names_of("double_well_2d", "grid.shape=[16,16]", 'output.diagnostics=["slack_hwi", "energy_balance"]')
    assert {"slack_hwi", "energy_balance"} <= set(asked)
    porous = names_of("barenblatt_1d_m2")
    assert "energy_balance" in porous and "fisher_gibbs" not in porous and "de_bruijn" not in porous
    path = names_of("geodesic_2d", "grid.shape=[16,16]")
    assert not {"slack_evi", "energy_balance", "de_bruijn"} & set(path)
    with pytest.raises(CaseError, match="no meaning for this case"):
        names_of("geodesic_2d", "grid.shape=[16,16]", 'output.diagnostics=["energy_balance"]')


def test_lambda_belongs_to_a_gibbs_state():
    with pytest.raises(CaseError, match="lambda: of use only with"):
        case.load("barenblatt_1d_m2", ["energy.lambda=1.0"])
    with pytest.raises(CaseError, match=r"energy\.lambda: expected a number"):
        case.load("ou_1d", ["energy.lambda=steep"])
    with pytest.raises(CaseError, match=r"energy\.lambda: expected a number larger than 0"):
        case.load("ou_1d", ["energy.lambda=-1"])
    loaded = case.loads(case.load("ou_1d", ["energy.lambda=0.5"]).resolved_toml())
    assert loaded.energy.sobolev == 0.5
    assert convexity(case.build(loaded).flow).sobolev == 0.5


def test_in_the_plane_on_request(tmp_path):
    """Distances in the plane are found to 1e-3: the inequalities hold to that, and the energy is balanced."""
    names = '["w2_gibbs", "slack_talagrand", "slack_hwi", "slack_evi", "energy_balance", "de_bruijn"]'
    overrides = ["grid.shape=[32,32]", f"output.diagnostics={names}", "time.end=0.4", "output.every=0.2"]
    runner.run(case.load("ou_2d_correlated", overrides), tmp_path / "run")
    run = store.read(tmp_path / "run")
    found = certificates(run)
    assert [c["name"] for c in found] == ["log-Sobolev", "Talagrand", "HWI", "EVI"]
    assert all(c["holds"] for c in found), found
    kept = balance(run)
    assert kept is not None and kept["defect"] < 1e-2 * kept["lost"]


def test_a_run_at_rest_is_not_judged(tmp_path):
    run = run_of(tmp_path, "initial.density=exp(-1.3*x**2/1.4)", 'initial.sampling="centre"')
    assert all(c["holds"] is None for c in certificates(run))


# ---- what a user sees ---------------------------------------------------------------------------------------


def test_inspect_and_report_tell_of_them(translate, capsys, tmp_path):
    assert cli.main(["inspect", str(translate.path)]) == 0
    text = capsys.readouterr().out
    assert "certified   log-Sobolev, Talagrand, HWI, EVI (λ = 1.3 from Hess V, K = 1.3 from Hess V)" in text
    assert "H ≤ κI/2λ" in text and "|E(t) + ∫D − E(0)| ≤" in text
    assert cli.main(["report", str(translate.path), "--out", str(tmp_path / "page.html")]) == 0
    page = (tmp_path / "page.html").read_text()
    assert "<h2>Certificates</h2>" in page and "Talagrand" in page and "VIOLATED" not in page


def test_a_violation_is_not_hidden(capsys, tmp_path):
    run = run_of(tmp_path, "energy.lambda=1.4", "grid.shape=[100]")
    assert cli.main(["inspect", str(run.path)]) == 0
    assert "VIOLATED    log-Sobolev: H ≤ κI/2λ, by" in capsys.readouterr().out


def test_a_resumed_run_has_the_same_balance(tmp_path):
    """The dissipation of the steps travels in the checkpoint."""
    whole = run_of(tmp_path, "grid.shape=[100]")
    runner.run(case.override(case.loads(TRANSLATE), ["grid.shape=[100]", "time.end=0.5"]), tmp_path / "parts")
    runner.resume(tmp_path / "parts", until=1.0)
    parts = store.read(tmp_path / "parts")
    for name in ("energy_balance", "de_bruijn", "slack_evi"):
        assert np.array_equal(whole.diagnostics[name], parts.diagnostics[name]), name
