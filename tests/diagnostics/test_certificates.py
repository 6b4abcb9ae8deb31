"""Inequalities along actual runs, the balance of their energy, and what is told of them."""

import json
from dataclasses import replace

import numpy as np
import pytest

from wgfpde import cli, store
from wgfpde.cases import loading
from wgfpde.output.inequalities import inequalities_of, sentences
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
diagnostics = ["entropy_gibbs", "slack_hwi", "slack_evi", "energy_balance", "de_bruijn", "slack_lsi"]
"""
LAM, KAPPA, SHIFT, MASS = 1.3, 0.7, 1.0, 2.0
USUAL = [
    "mass", "energy", "energy_internal", "energy_potential", "energy_interaction", "dissipation", "min", "max",
    "mean_x", "variance_x", "second_moment", "entropy", "kl_gibbs",
]  # fmt: skip
"""What is recorded unasked."""


def run_of(tmp_path, *overrides, text=TRANSLATE):
    result = runner.run(loading.override(loading.loads(text), list(overrides)), tmp_path / "run", overwrite=True)
    assert result.status == "finished", result.message
    return store.read(tmp_path / "run")


@pytest.fixture(scope="module")
def translate(tmp_path_factory):
    return run_of(tmp_path_factory.mktemp("translate"))


def test_translates_saturate_three_inequalities_at_once(translate):
    for name in ("slack_lsi", "slack_talagrand", "slack_hwi"):
        assert np.max(np.abs(translate.diagnostics[name])) <= 1e-6, name
    entropy = translate.diagnostics["kl_gibbs"][0]
    assert entropy == pytest.approx(
        MASS * LAM * SHIFT**2 / (2 * KAPPA), rel=1e-6, abs=0
    )  # none of them is near 0 by itself
    assert translate.diagnostics["w2_gibbs"][0] == pytest.approx(np.sqrt(MASS) * SHIFT, rel=1e-6, abs=0)


def test_entropy_of_a_translate_decays_at_twice_lambda(tmp_path):
    """KL = KL₀ e^{−2λt}: the error is of order 2 in h, and Richardson's rule removes all but h⁴."""
    rates = []
    for cells, dt in ((100, 2e-3), (200, 1e-3)):
        run = run_of(tmp_path, f"grid.shape=[{cells}]", f"solver.dt={dt}")
        entropy = run.diagnostics["kl_gibbs"]
        rates.append(np.polyfit(run.t, np.log(entropy), 1)[0])
    # the modified mean decays at λ(1 − λh²/6κ + …): 6e-3 at h = 0.14
    assert rates[0] == pytest.approx(-2 * LAM, rel=1e-2, abs=0) and abs(rates[0] / (-2 * LAM) - 1) > 1e-3
    assert (4 * rates[1] - rates[0]) / 3 == pytest.approx(-2 * LAM, rel=5e-5, abs=0)


def test_all_is_said_to_hold(translate):
    found = inequalities_of(translate)
    assert [c["name"] for c in found] == ["log-Sobolev", "Talagrand", "HWI", "EVI"]
    assert all(c["holds"] for c in found)
    assert all(c["constant"] == pytest.approx(LAM, rel=1e-8, abs=0) and c["source"] == "Hess V" for c in found)


@pytest.mark.parametrize("cells", [16, 40, 400])
def test_nothing_is_violated_as_it_comes_to_rest(cells, tmp_path):
    """H falls to 1e-8: the distance is far below a cell, and Talagrand's inequality is an equality there."""
    run = run_of(tmp_path, "time.end=7", "solver.dt=0.02", "output.every=0.02", f"grid.shape=[{cells}]")
    *of_states, evi = inequalities_of(run)
    assert all(c["holds"] for c in of_states), of_states
    assert evi["holds"] is (None if cells == 16 else True)  # 16 cells are too coarse to say anything of the flow
    assert np.all(run.diagnostics["slack_talagrand"] >= -1e-9 * run.diagnostics["w2_gibbs"] ** 2)


@pytest.mark.parametrize("lam", [1.31, 2.6, 1e9])
def test_a_constant_that_is_too_large_is_found_out(tmp_path, lam):
    """Where 1.3 is true the part 1 − 1.3/λ of the larger side, H, is missing."""
    run = run_of(tmp_path, f"energy.lambda={lam}")
    found = {c["name"]: c for c in inequalities_of(run)}
    assert [found[name]["holds"] for name in ("log-Sobolev", "Talagrand", "HWI")] == [False, False, True]
    assert found["log-Sobolev"]["share"] == pytest.approx(LAM / lam - 1, rel=1e-2, abs=0)
    assert (found["Talagrand"]["source"], found["HWI"]["source"]) == ("the case", "Hess V")
    assert run.attributes["sobolev"] == lam and run.attributes["convexity"] == pytest.approx(LAM, rel=1e-8, abs=0)


def test_a_violation_far_below_zero_is_one(translate):
    """Also where the side that should be larger is negative itself, as that of HWI with a large K."""
    run = replace(translate, diagnostics=dict(translate.diagnostics))
    run.diagnostics["slack_hwi"] = -3 * KAPPA * run.diagnostics["entropy_gibbs"]
    found = {c["name"]: c for c in inequalities_of(run)}["HWI"]
    assert found["holds"] is False and found["share"] == pytest.approx(-1.5, rel=1e-9, abs=0)


def test_evi_is_an_equality_for_translates_in_the_limit(tmp_path):
    """Between snapshots a time s apart the entropy at the end is the smallest: what is left is of first order in s."""
    slacks = []
    for s, dt in ((0.05, 0.0025), (0.025, 0.00125)):
        run = run_of(tmp_path, f"output.every={s}", f"solver.dt={dt}", "time.end=0.1")
        assert run.diagnostics["slack_evi"][0] == 0.0
        slacks.append(run.diagnostics["slack_evi"][1] / s)
    assert slacks[1] > 0 and slacks[0] / slacks[1] == pytest.approx(2.0, rel=0.1, abs=0)


def test_evi_of_jko_steps(tmp_path):
    """A JKO step of a translate: m₁ = m₀/(1 + λτ), and ½m₁² − ½m₀²/(1 + λτ) + τλm₁²/2/(1 + λτ) = −½(λτm₁)²/(1 + λτ):
    it holds exactly, where e^{λτ} in place of 1 + λτ would break it for large τ."""
    jko = ("solver.method=jko", "solver.tau=0.5", "output.every=0.5", "time.end=1.0", "grid.shape=[100]")
    run = run_of(tmp_path, *jko)
    slack = run.diagnostics["slack_evi"][1:]
    means = SHIFT / (1 + LAM * 0.5) ** np.arange(1, 3)
    assert slack == pytest.approx(0.5 * MASS * (LAM * 0.5 * means) ** 2 / (1 + LAM * 0.5), rel=0.02, abs=0)


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
        assert inequalities_of(run)[-1]["holds"], dt


def test_steep_potentials_over_long_times_do_not_overflow(tmp_path):
    """K s = 800 between snapshots; and e^{-100}/π is more than the cells tell: that is not known, and no failure."""
    steep = ('energy.potential="400*x**2"', "grid.lower=[-1]", "grid.upper=[1]", "grid.shape=[100]")
    run = run_of(tmp_path, *steep, "solver.dt=0.1", "output.every=1", "time.end=2")
    assert np.all(np.isfinite(run.diagnostics["slack_evi"]))
    assert run.attributes["convexity"] == pytest.approx(800, rel=1e-8, abs=0)
    kink = ('energy.potential="10*abs(x)"', "energy.internal.kappa=0.001", "grid.lower=[-4]", "grid.upper=[4]")
    start = ("initial.density=exp(-(x-2)**2/0.02)", "grid.shape=[64]", "time.end=0.1")
    run = run_of(tmp_path, *kink, *start)
    assert np.isnan(run.diagnostics["slack_lsi"][0])
    assert not any(c["holds"] is False for c in inequalities_of(run))


def test_evi_of_a_double_well_is_known_for_any_step(tmp_path):
    """K = −1 and steps of 2: 1 + K dt is negative, and G = e^{K dt} serves; with snapshots 4 apart, between which ½W₂²
    falls to a hundredth, it says nothing of the run."""
    well = ("energy.potential=x**4/4 - x**2/2", "grid.lower=[-3]", "grid.upper=[3]", "grid.shape=[100]")
    run = run_of(tmp_path, *well, "solver.dt=2", "time.end=20", "output.every=4")
    assert np.all(run.diagnostics["slack_evi"][1:] > 0)
    assert verdicts_of(run)["EVI"] == "says nothing here"
    run = run_of(tmp_path, *well, "solver.dt=2", "time.end=20", "output.every=2")
    assert verdicts_of(run)["EVI"] == "holds"


def test_what_is_not_known_is_no_violation(translate):
    """NaN (a distance that was not found) and ∞ (vacuum) prove nothing; −∞ does."""
    for value, expected in ((np.nan, None), (np.inf, None), (-np.inf, False)):
        run = replace(translate, diagnostics=dict(translate.diagnostics))
        run.diagnostics["slack_talagrand"] = np.full(len(run), value)
        found = {c["name"]: c for c in inequalities_of(run)}
        assert found["Talagrand"]["holds"] is expected and found["log-Sobolev"]["holds"]
        assert "nan" not in " ".join(sentences(inequalities_of(run)))


@pytest.mark.parametrize("floor", [0.0, 1e-200, 1e-30, 1e-8])
def test_the_balance_does_not_depend_on_what_is_next_to_nothing(tmp_path, floor):
    """D of the start is 1e3 for a floor of 1e-200: the first step says nothing of it, and the balance is not off."""
    block = f"initial.density=where(abs(x) < 1, 1.0, {floor})"
    run = run_of(tmp_path, block, "grid.shape=[100]", "solver.dt=0.002")
    lost = run.diagnostics["energy"][0] - run.diagnostics["energy"][-1]
    assert abs(run.diagnostics["energy_balance"][-1]) < 0.05 * lost


# ---- bounds that say nothing ------------------------------------------------------------------------------

WELL = ("energy.potential=x**4/4 - x**2/2", "energy.internal.kappa=0.02", "grid.lower=[-3]", "grid.upper=[3]")
WELL = (*WELL, "initial.density=exp(-x**2/0.02)", "solver.dt=0.05", "time.end=10", "output.every=0.5")


def verdicts_of(run):
    return {c["name"]: c["verdict"] for c in inequalities_of(run)}


@pytest.mark.parametrize("start", ["exp(-x**2/0.02)", "exp(-(x - 1.5)**2/0.05)"], ids=["ridge", "flank"])
def test_a_double_well_with_little_noise_says_nothing(tmp_path, start):
    """λ by Holley–Stroock is e^{−(barrier)/κ}, and the run falls into the wells at a rate of order 1; K = −1 does say
    something, of a density far from equilibrium."""
    run = run_of(tmp_path, *WELL, f"initial.density={start}", 'output.diagnostics=["slack_lsi", "slack_talagrand"]')
    assert run.attributes["sobolev"] < 1e-4
    found = inequalities_of(run)
    assert [c["verdict"] for c in found] == ["says nothing here"] * 2 and all(c["holds"] is None for c in found)
    assert sentences(found)[0].startswith("vacuous     log-Sobolev, Talagrand (λ = ")
    assert sentences(found)[0].endswith("from Holley-Stroock): says nothing here")


def test_all_four_of_a_convex_potential_hold(translate):
    assert set(verdicts_of(translate).values()) == {"holds"}


def test_a_violation_is_not_called_vacuous(tmp_path):
    """A constant that is too large is broken, however far the other bounds are from what they bound."""
    run = run_of(tmp_path, *WELL, "energy.lambda=2", 'output.diagnostics=["slack_hwi"]')
    assert verdicts_of(run) == {"log-Sobolev": "VIOLATED", "Talagrand": "VIOLATED", "HWI": "holds"}


@pytest.mark.parametrize(("name", "column"), [("log-Sobolev", "slack_lsi"), ("Talagrand", "slack_talagrand")])
def test_the_two_limits(translate, name, column):
    """100 times what is bounded, at every snapshot judged; λ of 1e-3 of the rate, here 1.3, at which H decays."""
    size = translate.diagnostics["entropy_gibbs"] if name == "log-Sobolev" else translate.diagnostics["w2_gibbs"] ** 2
    for factor, verdict in ((99.0, "holds"), (101.0, "says nothing here")):
        run = replace(translate, diagnostics=translate.diagnostics | {column: factor * size})
        assert verdicts_of(run)[name] == verdict
    slack = 101 * size
    slack[3] = 99 * size[3]
    assert verdicts_of(replace(translate, diagnostics=translate.diagnostics | {column: slack}))[name] == "holds"
    for part, verdict in ((1.1e-3, "holds"), (0.9e-3, "says nothing here")):
        run = replace(translate, attributes=translate.attributes | {"sobolev": part * LAM})
        assert verdicts_of(run)[name] == verdict


@pytest.mark.parametrize(("name", "column", "factor"), [("HWI", "slack_hwi", KAPPA), ("EVI", "slack_evi", None)])
def test_those_of_K_say_nothing_where_the_bound_is_far(translate, name, column, factor):
    """With K = 0 they lose a term and no more; EVI bounds ½W₂² + κH s, from one snapshot to the next."""
    d = translate.diagnostics
    size = KAPPA * d["entropy_gibbs"] if factor else 0.5 * d["w2_gibbs"] ** 2 + KAPPA * d["entropy_gibbs"] * 0.1
    for k, slack, verdict in (
        (0.0, 98 * size, "holds"),
        (0.0, 102 * size, "says nothing here"),
        (0.0, 0 * size, "holds"),
    ):
        run = replace(translate, diagnostics=d | {column: slack}, attributes=translate.attributes | {"convexity": k})
        assert verdicts_of(run)[name] == verdict


def test_a_path_shows_no_rate(tmp_path):
    """Along a geodesic to the Gibbs state H falls in one unit of time, which is none of the flow."""
    path = ("solver={method='geodesic'}", "target.density='exp(-1.3*x**2/1.4)'", "output.diagnostics=[]")
    run = run_of(tmp_path, *path)
    slow = replace(run, attributes=run.attributes | {"sobolev": 1e-4 * LAM})
    assert verdicts_of(slow) == {"log-Sobolev": "holds", "Talagrand": "holds"}


def test_the_slacks_alone_are_judged_as_with_all_columns(translate):
    """H of the cells and W₂² from its slack: the same verdicts, and shares to O(h²)."""
    usual = [name for name in translate.diagnostics if name in (*USUAL, "slack_lsi", "slack_talagrand")]
    few = replace(translate, diagnostics={name: translate.diagnostics[name] for name in usual})
    for some, every in zip(inequalities_of(few), inequalities_of(translate)[:2], strict=True):
        texts, same = ({name: isinstance(value, str) for name, value in row.items()} for row in (some, every))
        assert texts == same and all(some[name] == every[name] for name in texts if texts[name])
        left, right = ({n: v for n, v in row.items() if not texts[n] and n != "share"} for row in (some, every))
        assert left == pytest.approx(right, nan_ok=True, rel=1e-9, abs=0)
        assert some["share"] == pytest.approx(every["share"], rel=1e-2, abs=1e-12)
    for lam, verdict in ((1.31, "VIOLATED"), (1.29, "holds")):
        wrong = replace(few, diagnostics=dict(few.diagnostics), attributes=few.attributes | {"sobolev": lam})
        entropy, square = translate.diagnostics["entropy_gibbs"], translate.diagnostics["w2_gibbs"] ** 2
        wrong.diagnostics["slack_lsi"] = KAPPA * translate.diagnostics["fisher_gibbs"] / (2 * lam) - entropy
        wrong.diagnostics["slack_talagrand"] = 2 * KAPPA * entropy / lam - square
        assert set(verdicts_of(wrong).values()) == {verdict}


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


def test_says_nothing_is_what_a_user_reads(capsys, tmp_path):
    run = run_of(tmp_path, *WELL, 'output.diagnostics=["slack_lsi"]')
    assert cli.main(["inspect", str(run.path)]) == 0
    text = capsys.readouterr().out
    assert "says nothing here: λ = " in text and "and the run shows a rate of" in text and "holds" not in text
    assert cli.main(["inspect", str(run.path), "--json"]) == 0
    [told] = json.loads(capsys.readouterr().out)["certificates"]
    assert (told["verdict"], told["holds"]) == ("says nothing here", None)
    assert cli.main(["report", str(run.path), "--out", str(tmp_path / "page.html")]) == 0
    assert "<td>says nothing here</td>" in (tmp_path / "page.html").read_text()


def test_a_run_that_goes_on_records_what_its_file_holds(tmp_path):
    """Begun by a version that recorded more: nothing is lost, and the ledger goes on."""
    small = ["grid.shape=[100]", "time.end=0.5"]
    whole = run_of(tmp_path, "grid.shape=[100]")
    runner.run(loading.override(loading.loads(TRANSLATE), small), tmp_path / "parts")
    without = loading.override(loading.loads(TRANSLATE), [*small, "output.diagnostics=[]"])
    runner.resume(tmp_path / "parts", until=1.0, case=without)
    parts = store.read(tmp_path / "parts")
    assert list(parts.diagnostics) == list(whole.diagnostics)
    for name, values in whole.diagnostics.items():
        assert np.array_equal(values, parts.diagnostics[name]), name


def test_a_resumed_run_has_the_same_balance(tmp_path):
    """The dissipation of the steps travels in the checkpoint."""
    whole = run_of(tmp_path, "grid.shape=[100]")
    runner.run(loading.override(loading.loads(TRANSLATE), ["grid.shape=[100]", "time.end=0.5"]), tmp_path / "parts")
    runner.resume(tmp_path / "parts", until=1.0)
    parts = store.read(tmp_path / "parts")
    for name in ("energy_balance", "de_bruijn", "slack_evi"):
        assert np.array_equal(whole.diagnostics[name], parts.diagnostics[name]), name
