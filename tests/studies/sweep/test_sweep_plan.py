"""What a sweep is of: numbers, values, digests, names of folders; and what is refused before anything is run."""

import itertools

import pytest

from wgfpde.cases.loading import load
from wgfpde.cases.varying import Vary, vary
from wgfpde.errors import CaseError
from wgfpde.studies.sweep.plan import MOST, Plan


@pytest.fixture(scope="module")
def case():
    return load("desai_zwanzig_1d", ["grid.shape=[32]", "time.end=2"])


def plan_of(case, *items, zipped=False):
    return Plan(case, tuple(vary(items, case, together=zipped)), zipped)


def test_every_combination_the_last_key_fastest(case):
    plan = plan_of(case, "params.theta=0.5,1", "energy.internal.kappa=0.1:0.3:3")
    found = [tuple(plan.values(k).values()) for k in range(plan.count)]
    assert plan.shape == (2, 3)
    assert found == list(itertools.product([0.5, 1], [0.1, 0.2, 0.3]))
    assert plan.case_of(4).params["theta"] == 1.0 and plan.case_of(4).energy.internal.kappa == 0.2


def test_together_row_by_row(case):
    plan = plan_of(case, "solver.tolerance=1e-3,1e-4", "params.theta=1,1", zipped=True)
    assert plan.shape == (2,) and plan.values(1) == {"solver.tolerance": 1e-4, "params.theta": 1}
    with pytest.raises(CaseError, match="as many values each"):
        plan_of(case, "params.theta=1,2", "solver.tolerance=1e-3,1e-4,1e-5", zipped=True)


def test_whole_tables_and_methods_are_values(case):
    tables = plan_of(case, 'solver={ method = "fv", dt = 0.1 },{ method = "jko", tau = 0.1 }')
    assert [tables.case_of(k).solver.method for k in range(2)] == ["fv", "jko"]
    assert tables.case_of(1).solver.tau == 0.1
    with pytest.raises(CaseError, match="a key inside a table"):
        plan_of(case, "solver=fv,jko")


def test_values_evenly_spaced_in_their_logarithms(case):
    (v,) = vary(["params.theta=0.01:100:5:log"], case)
    assert list(v.values) == pytest.approx([0.01, 0.1, 1, 10, 100], rel=1e-14, abs=0)
    for text in ("0:1:3:log", "-1:1:3:log"):
        with pytest.raises(CaseError, match="one sign"):
            vary([f"params.theta={text}"], case)
    with pytest.raises(CaseError, match="FIRST:LAST:COUNT"):
        vary(["params.theta=1:2:3:ln"], case)


@pytest.mark.parametrize("text", ["0:1:1000000000", "1:2:1000001:log"])
def test_more_values_than_any_sweep_has_are_refused_before_they_are_made(case, text):
    with pytest.raises(CaseError, match="at most 1000000"):
        vary([f"params.theta={text}"], case, most=MOST)


def test_more_combinations_than_any_sweep_has_are_refused(case):
    many = tuple(range(1001))
    with pytest.raises(CaseError, match=r"1,001 × 1,001 = 1,002,001"):
        Plan(case, (Vary("params.theta", many), Vary("time.end", many)))
    assert MOST == 1_000_000


def test_a_digest_is_what_a_run_depends_on(case):
    plan = plan_of(case, "params.theta=0.5,1,2")
    assert len({plan.digest(k) for k in range(3)}) == 3
    longer = plan_of(case, "params.theta=2,0.5")
    assert plan.digest(2) == longer.digest(0), "the same run among other values"
    other = load("desai_zwanzig_1d", ["grid.shape=[33]", "time.end=2"])
    assert plan_of(other, "params.theta=0.5,1,2").digest(0) != plan.digest(0)
    titled = load("desai_zwanzig_1d", ["grid.shape=[32]", "time.end=2", "title=another"])
    assert plan_of(titled, "params.theta=0.5,1,2").digest(0) == plan.digest(0)
    base = load("desai_zwanzig_1d", ["grid.shape=[32]", "time.end=2", "params.theta=7"])
    assert plan_of(base, "params.theta=0.5,1,2").digest(0) == plan.digest(0), "the value that is varied does not count"


def test_a_digest_changes_with_a_data_file(case, tmp_path):
    file = tmp_path / "points.csv"
    digests = []
    for text in ("x\n0.1\n0.2\n", "x\n0.1\n0.3\n"):
        file.write_text(text)
        moved = load("desai_zwanzig_1d", ["grid.shape=[32]", f"initial.samples={file}", "initial.density="])
        digests.append(plan_of(moved, "params.theta=1,2").digest(0))
    assert digests[0] != digests[1]


def test_names_of_folders_tell_all_runs_apart_and_hold_nothing_odd(case):
    close = Plan(case, (Vary("params.theta", (0.1, 0.1 + 1e-16, 0.1 + 2e-17 * 3, 1e300)),))
    assert len({close.folder(k) for k in (0, 1, 3)}) == 3
    assert plan_of(case, "params.theta=0.5,1", "time.end=2,4").folder(1) == "theta=0.5,end=4"
    assert plan_of(case, "grid.shape=[32],[64]").folder(1) == "shape=64"
    odd = Plan(case, (Vary("initial.density", ("x/../../etc", "x\x1b[2J", "x" * 500)),))
    for k in range(3):
        name = odd.folder(k)
        assert "/" not in name and "\x1b" not in name and len(name) < 120 and not name.startswith(".")
    assert len({odd.folder(k) for k in range(3)}) == 3


def test_keys_that_end_alike_have_longer_names(case):
    plan = Plan(case, (Vary("initial.mass", (1, 2)), Vary("target.mass", (1, 2)), Vary("time.end", (1,))))
    assert plan.names == ("initial_mass", "target_mass", "end")


def test_a_misspelt_parameter_is_refused_with_the_nearest(case):
    with pytest.raises(CaseError, match=r"did you mean params\.theta"):
        plan_of(case, "params.thet=1,2")
