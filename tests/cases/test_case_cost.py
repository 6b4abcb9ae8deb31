"""What a case costs is counted before it is computed, told by `check`, and beyond a limit begun only when asked for."""

import itertools
import re
from types import SimpleNamespace

import numpy as np
import pytest
from same_runs import ATTRACT, JKO, case_of

import wgfpde as wgf
from wgfpde.base import effort
from wgfpde.base.effort import FAST, SLOW, Exhausted, allowed
from wgfpde.cases.limits import cost as limits
from wgfpde.cases.limits import quick_look
from wgfpde.cases.limits.cost import CELL, OFTEN, STEP, cost_of, together_cost
from wgfpde.cases.limits.quick_look import look_at
from wgfpde.cases.loading import from_mapping, load, override
from wgfpde.cases.varying import MOST_VALUES, vary, vary_values
from wgfpde.cli import main
from wgfpde.errors import CaseError
from wgfpde.formulas.compile import compile_expression
from wgfpde.grid import Grid
from wgfpde.grid.quadrature import GAUSS, LOOKED, POINTS
from wgfpde.runs.folder import check_room
from wgfpde.runs.runner import run
from wgfpde.studies.exits.survival import times_of

LONG_FORMULA = "1 + max({})".format(", ".join(f"sin(x + {k}*y)" for k in range(1, 550)))
FINE = {"shape": [512, 512], "lower": [0, 0], "upper": [1, 1]}
LINES = {
    "1D": case_of(grid={"shape": [30], "lower": [0.0], "upper": [1.0]}),
    "stretched": case_of(grid={"shape": [30], "lower": [0.0], "upper": [1.0], "mapping": ["s + 0.2*s*(1 - s)"]}),
    "periodic": case_of(grid={"shape": [30], "lower": [0.0], "upper": [1.0], "boundary": ["periodic"]}),
}


def plane(**tables):
    data = {
        "grid": {"shape": [20, 30], "lower": [0.0, 0.0], "upper": [1.0, 1.0]},
        "energy": {"internal": {"kind": "entropy", "kappa": 1.0}},
        "initial": {"density": "1 + x*y"},
        "time": {"end": 0.1},
        "solver": {"method": "fv", "dt": 0.01},
    }
    return from_mapping(data | tables)


# ---- the count -----------------------------------------------------------------------------------------------


def test_a_program_is_counted_by_the_size_of_each_result():
    """x**2 and y*3 have as many values as x and y; their sum and exp have those of the grid."""
    f = compile_expression("exp(x**2 + 3*y)", ("x", "y", "r"))
    nx, ny = 7, 11
    by_hand = FAST * nx + FAST * ny + 2 * FAST * nx * ny
    assert f.seconds(x=(1, nx), y=(ny, 1)) == pytest.approx(1e-9 * by_hand, rel=1e-12, abs=0)


@pytest.mark.parametrize("name", ["erf", "gammaln", "i0", "sin"])
def test_slow_functions_count_more(name):
    f = compile_expression(f"{name}(x)", ("x", "r"))
    assert f.seconds(x=(1000,)) == pytest.approx(1e-6 * SLOW[name], rel=1e-12, abs=0)


def test_what_is_spent_is_what_was_told():
    f, x, y = compile_expression("x*y + cos(r)", ("x", "y", "r")), np.ones((1, 20)), np.ones((30, 1))
    with allowed(1.0) as purse:
        f(x=x, y=y)
    assert 1.0 - 1e-9 * purse.left == pytest.approx(f.seconds(x=x.shape, y=y.shape), rel=1e-6, abs=0)


def test_nothing_is_evaluated_beyond_the_allowance():
    f, x = compile_expression("x + 1", ("x", "r")), np.ones(1000)
    with allowed(0.9 * f.seconds(x=x.shape)) as purse:
        before = purse.left
        with pytest.raises(Exhausted):
            f(x=x)
        assert purse.left == before
        with allowed(1.0):
            f(x=x)  # of its own
        f(x=x[:500])
    f(x=x)
    assert not effort.counted()


@pytest.mark.parametrize("dim", [1, 2])
def test_averages_are_foreseen(dim):
    """The look of a smooth density, which needs no refinement."""
    f = compile_expression("1 + x*x", ("x", "y", "r")[: dim + 1] if dim == 2 else ("x", "r"))
    grid = Grid([0.0] * dim, [1.0] * dim, [12] * dim)
    with allowed(1.0) as purse:
        grid.average(f)
    case = plane(grid={"shape": [12] * dim, "lower": [0.0] * dim, "upper": [1.0] * dim}, initial={"density": "1 + x*x"})
    looks = 12**dim * (POINTS[dim] + 1) ** dim + (12 * GAUSS if dim == 1 else 0)
    told = cost_of(case).formulas["initial.density"]
    assert 1.0 - 1e-9 * purse.left == pytest.approx(told + 1e-9 * LOOKED * looks, rel=1e-3, abs=0)


# ---- the cost of a case --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LINES)
def test_steps_and_disk_in_1d(name):
    case = override(
        LINES[name], {"solver": {"method": "fv", "dt": 0.01}, "time": {"end": 1.0}, "output": {"every": 0.1}}
    )
    found = cost_of(case)
    assert found.steps == pytest.approx(100, rel=1e-9, abs=0)
    assert found.march == pytest.approx(100 * (STEP + 30 * CELL), rel=1e-9, abs=0)
    assert found.disk == pytest.approx(11 * 30 * 8 + 100 * 8 * 8, rel=1e-9, abs=0)


def test_steps_and_disk_in_2d():
    found = cost_of(plane(output={"every": 0.05, "precision": "float32"}))
    assert found.march == pytest.approx(10 * (STEP + 600 * CELL), rel=1e-9, abs=0)
    assert found.disk == pytest.approx(3 * 600 * 4 + 10 * 8 * 8, rel=1e-9, abs=0)


def test_methods_without_steps_of_one_size_tell_none():
    assert np.isnan(cost_of(plane(solver={"method": "fv", "dt": "adaptive"})).steps)
    assert cost_of(plane(solver={"method": "jko", "tau": 0.01})).steps == pytest.approx(10, rel=1e-9, abs=0)


def test_particles_do_not_pay_for_cells():
    fine = cost_of(load("langevin_double_well_1d", ["grid.shape=[4096]"]))
    assert fine.march == pytest.approx(fine.steps * STEP, rel=1e-6, abs=0)


def test_formulas_with_time_count_at_each_step():
    still, moving = (
        cost_of(plane(energy={"internal": {"kind": "entropy", "kappa": 1.0}, "potential": f"erf(x*y) + {t}"}))
        for t in ("x*y", "t*x*y")
    )
    more = moving.march - still.march
    assert more == pytest.approx(10 * moving.formulas["energy.potential"], rel=1e-9, abs=0)
    assert moving.formulas["energy.potential"] >= 600 * 1e-9 * SLOW["erf"]


def test_the_exact_density_is_averaged_often():
    case = plane(exact={"density": "1 + x*y"})
    found = cost_of(case).formulas
    assert found["exact.density"] == pytest.approx(OFTEN * found["initial.density"], rel=1e-9, abs=0)


def test_costs_add_up():
    one, two = plane(), plane(solver={"method": "fv", "dt": 0.005})
    both = together_cost([one, two])
    assert both.steps == pytest.approx(30, rel=1e-9, abs=0)
    assert both.seconds == pytest.approx(cost_of(one).seconds + cost_of(two).seconds, rel=1e-9, abs=0)
    assert both.disk == pytest.approx(cost_of(one).disk + cost_of(two).disk, rel=1e-9, abs=0)


@pytest.mark.parametrize("case", [LINES["1D"], plane(), case_of(solver=JKO | {"tau": 0.02}, **ATTRACT)])
def test_a_run_takes_at_least_that(case, tmp_path):
    assert run(case, tmp_path / "run").wall_seconds > cost_of(case).march


# ---- a quick look --------------------------------------------------------------------------------------------


def looked(case):
    return look_at(case, lambda problem: problem, cost_of(case).of_formulas.seconds)


def test_a_cheap_case_is_looked_at_whole():
    look = looked(plane())
    assert (look.how, look.note) == ("whole", "") and look.found.sampling == "average"


@pytest.mark.parametrize("density", ["exp(-x**2 - y)*(1 + x*y)", "1 + erf(x*y)"])
def test_a_fine_grid_is_looked_at_in_the_centres(density):
    look = looked(plane(grid=FINE, initial={"density": density}))
    assert look.how == "centres" and look.found.flow.grid.size == 512**2
    assert "at the centres of its cells" in look.note


def test_a_long_formula_is_looked_at_on_few_cells():
    """More than a minute of averages, by the count."""
    case = plane(grid=FINE, initial={"density": LONG_FORMULA})
    look = looked(case)
    assert look.how == "small" and look.found.flow.grid.shape == (16, 16)
    assert "16 x 16 cells in place of 512 x 512" in look.note
    assert cost_of(case).seconds > 60


def test_a_lesser_look_refuses_what_is_no_case(monkeypatch):
    monkeypatch.setattr(quick_look, "PATIENT", 0.1)
    with pytest.raises(CaseError, match=r"output\.averages\.q.*quick look at few cells"):
        looked(plane(grid=FINE, initial={"density": LONG_FORMULA}, output={"averages": {"q": "1/(x - x)"}}))
    energy = {"internal": {"kind": "none"}, "potential": "1/(x - x)"}
    with pytest.raises(CaseError, match=r"energy\.potential: .* not finite at x = 0\.000976562"):
        looked(plane(grid=FINE, initial={"density": LONG_FORMULA}, energy=energy))


def test_a_peak_that_few_cells_miss_is_no_fault():
    """It is 0 at all centres: then the case is built whole."""
    peak = "exp(-((x - 0.5)/0.00025)**2 - ((y - 0.5)/0.00025)**2)"
    many = " + ".join(f"0*erf(x*y + {k})" for k in range(40))
    case = plane(grid={"shape": [96, 96], "lower": [0, 0], "upper": [1, 1]}, initial={"density": f"{peak} + {many}"})
    assert looked(case).how == "whole"


def test_check_tells_the_cost(tmp_path, capsys, monkeypatch):
    assert main(["check", "heat_1d", "--set", "solver.dt=1e-9", "--set", "time.end=1"]) == 0
    told = capsys.readouterr().out
    assert re.search(r"time +at least .* h .* min: 1e\+09 steps", told)
    assert "begun only when asked for" in told and "--yes" in told


# ---- the limits ----------------------------------------------------------------------------------------------

OPEN = "grid.boundary=[['no-flux', 'absorbing']]"
VERBS = {
    "run": ["run", "{case}", "--out", "{place}/run", "--quiet"],
    "converge": ["converge", "{case}", "--vary", "grid.shape=8,16,32", "--out", "{place}/c", "--quiet", "--no-plot"],
    "spectrum": ["spectrum", "{case}", "--out", "{place}/s.h5", "--no-plot", "--modes", "2"],
    "stationary": ["stationary", "{case}", "--out", "{place}/t.h5", "--no-plot"],
    "exits": ["exits", "{case}", "--set", "grid.boundary=['absorbing']", "--out", "{place}/e.h5", "--no-plot"],
    "warm": ["warm", "{case}", "--workers", "1", "--quiet"],
}
CASE = """
[grid]
shape = [16]
lower = [-2]
upper = [2]
[energy]
internal = { kind = "entropy", kappa = 0.5 }
potential = "x**2/2"
[initial]
density = "exp(-x**2)"
[time]
end = 0.1
[solver]
method = "fv"
dt = 0.05
"""


def argv(verb, tmp_path):
    (tmp_path / "well.toml").write_text(CASE)
    return [word.format(case=tmp_path / "well.toml", place=tmp_path) for word in VERBS[verb]]


@pytest.mark.parametrize("verb", VERBS)
def test_what_takes_long_is_begun_when_asked_for(verb, tmp_path, monkeypatch, capsys):
    words = argv(verb, tmp_path)
    monkeypatch.setattr(limits, "LONG", 1e-9)
    assert main(words) == 2
    assert re.search(r"well\.toml: this takes at least .*, or add --yes$", capsys.readouterr().err.strip())
    assert [path.name for path in tmp_path.iterdir()] == ["well.toml"]
    assert main([*words, "--yes"]) == 0


def test_a_limit_of_wall_clock_time_will_do(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "LONG", 1e-9)
    assert main([*argv("run", tmp_path), "--wall-limit", "10:00"]) == 0


def test_much_disk_is_taken_when_asked_for(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(limits, "MUCH", 100)
    assert main([*argv("run", tmp_path), "--wall-limit", "10:00"]) == 2
    assert "this writes about" in capsys.readouterr().err
    assert main([*argv("run", tmp_path), "--yes"]) == 0


def test_the_file_cannot_lift_the_limit(tmp_path):
    with pytest.raises(CaseError, match="limits"):
        plane(limits={"time": 1e9})


def test_a_full_disk_is_seen_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr("wgfpde.runs.folder.shutil.disk_usage", lambda place: SimpleNamespace(free=1000))
    with pytest.raises(CaseError, match=r"writes .* KiB and 0\.977 KiB are free in .*output\.every"):
        run(plane(), tmp_path / "deep" / "run")
    assert not (tmp_path / "deep").exists()


def test_what_is_replaced_counts_as_free(tmp_path, monkeypatch):
    (tmp_path / "output.h5").write_bytes(bytes(500))
    monkeypatch.setattr("wgfpde.runs.folder.shutil.disk_usage", lambda place: SimpleNamespace(free=1000))
    check_room(tmp_path, 1499)
    with pytest.raises(CaseError, match="are free in"):
        check_room(tmp_path, 1501)


def test_python_asks_before_a_long_run_too(tmp_path, monkeypatch):
    """In the words of Python; nothing is written."""
    monkeypatch.setattr(limits, "LONG", 1e-6)
    case = case_of()
    with pytest.raises(CaseError, match=r"or give unlimited=True") as raised:
        wgf.run(case, tmp_path / "a", progress=False)
    assert "--" not in str(raised.value) and not (tmp_path / "a").exists()
    assert wgf.run(case, tmp_path / "b", progress=False, unlimited=True).status == "finished"
    assert wgf.run(case, tmp_path / "c", progress=False, wall_limit=600).status == "finished"


# ---- numbers of values ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["converge", "stationary"])
def test_a_thousand_million_values_are_refused_by_count(verb, tmp_path, capsys):
    words = argv(verb, tmp_path)
    words = [word for word in words if "grid.shape" not in word and word != "--vary"]
    assert main([*words, "--vary", "energy.internal.kappa=0.1:0.2:1000000000"]) == 2
    assert f"at most {MOST_VALUES} values, a case each, found 1000000000" in capsys.readouterr().err


def test_endless_values_from_python_are_refused():
    with pytest.raises(CaseError, match=f"found more than {MOST_VALUES}"):
        vary_values({"solver.dt": itertools.count(1)}, plane())
    with pytest.raises(CaseError, match="found 10002"):
        vary(["solver.dt=" + "1," * 10001 + "2"], plane())


def test_as_many_values_as_there_may_be_are_taken():
    """And not one more, whoever counts them: a list, a range, a list from Python or a text from there."""
    case = plane()
    for given, count in ((["solver.dt=1,2,3"], 3), (["solver.dt=1:4:4"], 4), (["solver.dt=1:16:5:log"], 5)):
        assert len(vary(given, case, most=count)[0]) == count
        with pytest.raises(
            CaseError, match=f"at most {count - 1} values, a case each, found (more than {count - 1}|{count})"
        ):
            vary(given, case, most=count - 1)
    for values in ([1.0, 2.0, 3.0], "1,2,3", "1:3:3", np.array([1.0, 2.0, 3.0])):
        assert len(vary_values({"solver.dt": values}, case, most=3)[0]) == 3
        with pytest.raises(CaseError, match="at most 2 values"):
            vary_values({"solver.dt": values}, case, most=2)


def test_times_of_exits_are_refused_by_count():
    with pytest.raises(CaseError, match="at most 100000 times, found 1000000000"):
        times_of("0:1:1000000000", 1.0)
