"""What the runs of a sweep share, and what they leave out: every row has the bits of a run done alone."""

import math

import numpy as np
import pytest

from wgfpde import store
from wgfpde.base.effort import Exhausted, Recent, allowed
from wgfpde.base.kernel_pointer import Direct, kind_of
from wgfpde.cases.building import build
from wgfpde.cases.loading import load
from wgfpde.cases.varying import vary
from wgfpde.diagnostics.certificates import constants
from wgfpde.energy.energy import Energy, Internal
from wgfpde.energy.flow import Flow
from wgfpde.formulas import compile as compiling
from wgfpde.formulas.compile import compile_expression
from wgfpde.grid import Grid
from wgfpde.grid.known_results import LARGEST, MOST, grid_key, known
from wgfpde.methods.finite_volumes.strides.many_steps import march
from wgfpde.runs import unstored
from wgfpde.runs.runner import run
from wgfpde.studies.sweep import Kept, Plan, sweep
from wgfpde.studies.sweep.journal import Journal
from wgfpde.studies.sweep.one_run import Setup, Task, outcome_of, solve

LINE = ["grid.shape=[24]", "time.end=0.2", "output.every=0.1"]
SQUARE = ["grid.shape=[12,10]", "time.end=0.1", "output.every=0.05"]
STRETCHED = 'grid.mapping=["s + 0.05*sin(2*pi*s)"]'
JKO = 'solver={method="jko", tau=0.05}'
RING = [
    "energy.interaction=", 'grid.boundary=["periodic"]', 'energy.potential="cos(pi*x/3)"', "grid.lower=[-3.0]",
    "grid.upper=[3.0]",
]  # fmt: skip
KAPPA = "energy.internal.kappa=0.5,0.7,0.5001"

SWEEPS = {
    "line": ("double_well_1d", LINE, [KAPPA]),
    "stretched": ("double_well_1d", [*LINE, STRETCHED], [KAPPA]),
    "snapshot before": ("double_well_1d", [*LINE, 'output.diagnostics=["w2_previous"]'], [KAPPA]),
    "ledger": ("double_well_1d", [*LINE, 'output.diagnostics=["slack_evi", "energy_balance"]'], [KAPPA]),
    "order": ("double_well_1d", LINE, ["solver.order=1,2", "initial.mass=1,2"]),
    "exact": ("heat_1d", LINE, ["energy.internal.kappa=0.3,0.4"]),
    "square": ("ou_2d_correlated", [*SQUARE, "solver.dt=0.01"], ["solver.order=1,2"]),
    "ring": ("desai_zwanzig_1d", [*LINE, *RING], ["energy.internal.kappa=0.4,0.5"]),
    "interacting": ("desai_zwanzig_1d", LINE, ["params.theta=0.5,1.5"]),
    "jko": ("double_well_1d", [*LINE, JKO], [KAPPA]),
    "moved potential": ("double_well_1d", LINE, ['energy.potential="x**4/4","x**2/2","x**4/4 - x**2/2"']),
}  # fmt: skip


def plan_of(name, overrides, items):
    case = load(name, overrides)
    return Plan(case, tuple(vary(items, case, together=False)))


def outcomes_of(plan, folder, kept):
    sweep(plan, folder, kept)
    journal = Journal(folder)
    return [journal.read(plan.digest(k)) for k in range(plan.count)]


def same(a, b):
    return repr(a) == repr(b)  # NaN is NaN, −0 is not 0


@pytest.mark.parametrize("which", SWEEPS)
def test_rows_have_the_bits_of_runs_done_alone(which, tmp_path):
    """Also where nothing is known of the parts of a run: `wgfpde run` in a process that has forgotten all."""
    plan = plan_of(*SWEEPS[which])
    quick = outcomes_of(plan, tmp_path / "quick", Kept(folders=False, density=True))
    folders = outcomes_of(plan, tmp_path / "folders", Kept(folders=True, density=True))
    for k, (row, held) in enumerate(zip(quick, folders, strict=True)):
        compiling._COMPILED.clear()
        assert run(plan.case_of(k), tmp_path / f"alone-{k}").status == row.status == "finished"
        alone = store.read(tmp_path / f"alone-{k}")
        assert row.numbers.keys() == held.numbers.keys() == alone.diagnostics.keys()
        for name, values in alone.diagnostics.items():
            assert same(row.numbers[name], float(values[-1])) and same(held.numbers[name], float(values[-1])), name
        assert row.t == held.t == alone.t[-1] and row.steps == held.steps == len(alone.steps["t"])
        assert row.rho.tobytes() == held.rho.tobytes() == alone.rho[-1].tobytes()
        assert row.message == held.message == alone.message


@pytest.mark.parametrize("series", [(), ("energy", "mean_x")])
def test_a_folder_tells_what_memory_told(series, tmp_path):
    plan = plan_of("double_well_1d", LINE, [KAPPA])
    case = plan.case
    setup = Setup(case._draft.data, str(case.path), case.text, str(tmp_path), True, series, True)
    task = Task(1, plan.digest(1), plan.values(1), plan.folder(1))
    told = solve(setup, task)
    read = outcome_of(store.read(tmp_path / plan.folder(1)), setup, task)
    assert told.line == read.line


def test_of_rows_alone_no_numbers_in_between_are_found(tmp_path, monkeypatch):
    asked = []
    compute = unstored.diagnostics.compute
    monkeypatch.setattr(unstored.diagnostics, "compute", lambda *a, **k: asked.append(a[1].t) or compute(*a, **k))
    outcomes_of(plan_of("heat_1d", LINE, ["energy.internal.kappa=0.3"]), tmp_path / "A", Kept(folders=False))
    assert len(asked) == 1
    outcomes_of(plan_of("heat_1d", LINE, ["energy.internal.kappa=0.3"]), tmp_path / "B", Kept(False, ("energy",)))
    assert len(asked) == 1 + 3


def test_no_comparison_is_made_where_no_number_needs_it(monkeypatch):
    case = load("double_well_1d", LINE)
    monkeypatch.setattr(constants, "holley_stroock", lambda flow: pytest.fail("it was asked"))
    assert "slack_lsi" not in [d.name for d in build(case).diagnostics]


# ---- what is known of formulas -----------------------------------------------------------------------------


def test_equal_formulas_are_one():
    one = compile_expression("a*x**2 + 1", ("x",), {"a": 2.0, "b": 3.0})
    assert compile_expression("a*x**2 + 1", ("x",), {"a": 2, "b": 7.0}) is one
    for text, variables, params in (
        ("a*x**2 + 1", ("x",), {"a": 2.0000000000000004}),
        ("a*x**2 + 1", ("x", "t"), {"a": 2.0}),
        ("a*x**2  + 1", ("x",), {"a": 2.0}),
        ("r*a", ("x", "r"), {"a": 2.0}),
        ("r*a", ("x", "y", "r"), {"a": 2.0}),
    ):
        other = compile_expression(text, variables, params)
        assert other is not one and compile_expression(text, variables, params) is other
    zeros = [compile_expression("1/(x + z)", ("x",), {"z": z}) for z in (0.0, -0.0)]
    assert [math.copysign(1, f(x=np.array(-0.0))) for f in zeros] == [1.0, -1.0]


def test_few_formulas_are_remembered():
    most = compiling._COMPILED.most
    formulas = [compile_expression(f"x + {k}", ("x",)) for k in range(2 * most)]
    assert list(compiling._COMPILED.values()) == formulas[-most:]  # a formula equals itself alone


def test_results_are_found_once_for_formulas_and_anew_for_functions():
    formula = compile_expression("x**2 + 0.125", ("x",))
    calls = []
    grids = [Grid([0.0], [1.0], [8]), Grid([0.0], [1.0], [8], periodic=True), Grid([0.0], [1.0], [9])]
    edges = grids[0].x.edges
    grids.append(Grid.of_edges([edges], [grids[0].x.boundary]))
    for grid in grids * 2:
        known(formula, grid_key(grid, "what"), lambda: calls.append(1))
    assert len(calls) == len(grids)
    known(formula, grid_key(grids[0], "else"), lambda: calls.append(1))
    assert len(calls) == len(grids) + 1
    for _ in range(2):
        known(lambda x: x, grid_key(grids[0], "what"), lambda: calls.append(1))
        known(formula, grid_key(Grid([0.0], [1.0], [LARGEST + 1]), "what"), lambda: calls.append(1))
    assert len(calls) == len(grids) + 5


def test_few_results_are_kept_and_failures_are_not():
    formula = compile_expression("x**2 + 0.25", ("x",))
    found = [known(formula, ("key", k), lambda k=k: [k]) for k in range(MOST + 1)]
    assert known(formula, ("key", MOST), lambda: None) is found[MOST]
    assert known(formula, ("key", 0), lambda: "anew") == "anew"
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            known(formula, ("failing",), lambda: 1 / 0)


def test_averages_handed_out_are_ones_own():
    formula, grid = compile_expression("exp(-x**2)", ("x",)), Grid([-1.0], [1.0], [16])
    first = grid.average(formula)
    kept = first.copy()
    first[:] = 7.0
    assert np.array_equal(grid.average(formula), kept)


def test_what_formulas_cost_does_not_depend_on_what_was_done_before():
    formula, grid = compile_expression("exp(-x**2/3)", ("x",)), Grid([-1.0], [1.0], [64])
    spent = []
    for _ in range(2):
        with allowed(1.0) as purse:
            grid.average(formula)
        spent.append(purse.left)
        grid.average(formula)
    assert spent[0] == spent[1]
    with pytest.raises(Exhausted), allowed(1e-9):
        grid.average(formula)


@pytest.mark.parametrize("grid", [Grid([-2.0], [2.0], [20]), Grid([-2.0, -1.0], [2.0, 1.5], [8, 9])])
@pytest.mark.parametrize("text", ["(x**2 - 1)**2", "cos(x*{y}) + x**2"])
def test_constants_of_a_formula_are_those_of_a_function(grid, text):
    """K and λ at several κ, which share what was found of V; a function is asked anew each time."""
    names = ("x", "y")[: grid.dim]
    formula = compile_expression(text.format(y=names[-1]), names)
    for kappa in (0.3, 1.0, 0.3):
        flows = [Flow(grid, Energy(Internal("entropy", kappa), f)) for f in (formula, lambda **p: formula(**p))]
        found = [constants.convexity(flow) for flow in flows]
        assert found[0] == found[1] and found[0].sobolev > 0


# ---- kernels -----------------------------------------------------------------------------------------------


def test_kinds_tell_types_apart():
    a = np.zeros((3, 4))
    read_only = a.copy()
    read_only.flags.writeable = False
    values = [
        a, a.T, a[:, ::2], a[0], read_only, a.astype("f4"), a.astype("i8"), 1, 1.0, True, None, "x", 2**64 - 1,
        np.float64(1.0), (1, 2), (1, 2, 3), (1, 2.0), ((1, 2), 3), (),
    ]  # fmt: skip
    kinds = [kind_of(value) for value in values]
    assert len(set(kinds)) == len(values)
    assert kind_of(a) == kind_of(np.ones((5, 2))) and kind_of((1, a)) == kind_of((7, a + 1))


@pytest.mark.skipif(not hasattr(march, "overloads"), reason="compilation is switched off")
def test_a_direct_call_is_the_call():
    from wgfpde.base.kernel_cache import njit

    @njit
    def both(a, pair):
        return a.sum() + pair[0] * pair[1][0]

    direct, a = Direct(both), np.arange(6.0)
    for x, pair in ((a, (2, (3,))), (a[::2], (2, (3,))), (a, (2.5, (3,))), (a.astype("i8"), (2, (3,))), (a, (2, (3,)))):
        assert direct(x, pair) == both(x, pair)
        assert type(direct(x, pair)) is type(both(x, pair))
    assert len(direct._entries) == 4


def test_the_last_entries_are_kept():
    """And what stood under a key before stays the same object."""
    recent = Recent(4)
    for k in range(3):
        recent.keep(k, [k])
    first = recent[0]
    assert recent.keep(0, ["other"]) is first and list(recent) == [0, 1, 2]
    for k in range(3, 10):
        assert recent.keep(k, [k]) == [k] and len(recent) == min(k + 1, 4)
    assert list(recent) == [6, 7, 8, 9]
    assert recent.keep(7, ["other"]) == [7] and list(recent) == [6, 7, 8, 9]


def test_kernels_are_tried_once_for_runs_of_one_kind(tmp_path, monkeypatch):
    warmed = []
    monkeypatch.setattr(unstored, "_WARM", Recent(3))
    monkeypatch.setattr(unstored.March, "_warm_up", lambda self: warmed.append(self.problem.flow.grid.shape))
    items = ["grid.shape=[16],[24]", "energy.internal.kappa=0.5,0.6", "solver.order=1,2"]
    outcomes_of(plan_of("double_well_1d", LINE, items), tmp_path / "S", Kept(folders=False))
    assert len(warmed) == 4
    assert len(unstored._WARM) == 3  # the first is forgotten, and tried again
    outcomes_of(plan_of("double_well_1d", LINE, items), tmp_path / "T", Kept(folders=False))
    assert len(warmed) > 4
