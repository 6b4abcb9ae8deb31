"""Keys that are varied: values, ranges, lists, and what is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wgfpde.cases.loading import load
from wgfpde.cases.varying import Vary, together, varied_by, vary, vary_values
from wgfpde.errors import CaseError

LINE, PLANE = load("heat_1d"), load("heat_2d")
WELL = load("mckean_vlasov_quadratic_1d")


def one(item, case=LINE):
    (found,) = vary([item], case)
    return found


def test_values_are_toml_or_text():
    assert one("solver.dt=0.02, 1e-2,0.005").values == (0.02, 0.01, 0.005)
    assert one("solver.dt=0.1,adaptive").values == (0.1, "adaptive")
    assert one("energy.potential=\"x**2, really\", 'y,z',x").values == ("x**2, really", "y,z", "x")
    assert one('energy.internal={kind="entropy", kappa=2},{kind="none"}').values == (
        {"kind": "entropy", "kappa": 2}, {"kind": "none"},
    )  # fmt: skip


def test_one_number_is_that_many_cells_on_every_axis():
    assert one("grid.shape=64,128").values == ([64], [128])
    assert one("grid.shape=64,[32, 16]", PLANE).values == ([64, 64], [32, 16])
    assert [case.grid.shape for case in together(PLANE, [one("grid.shape=64,[32, 16]", PLANE)])] == [[64, 64], [32, 16]]


def test_range_includes_both_ends():
    found = one("params.theta=0.2:0.6:5", WELL)
    assert found.values == (0.2, 0.3, 0.4, 0.5, 0.6)
    assert one("solver.dt=1e-3:2e-3:2").values == (0.001, 0.002)


def test_a_colon_inside_a_text_is_no_range():
    assert one('initial.file="a:b","c:d"').values == ("a:b", "c:d")


def test_texts_and_numbers():
    assert [one("grid.shape=64,128").text(k) for k in (0, 1)] == ["64", "128"]
    found = Vary("a.b", ([64, 32], 0.0125, "jko", 7))
    assert [found.text(k) for k in range(4)] == ["[64, 32]", "0.0125", "jko", "7"]
    assert np.array_equal(found.numbers, [64, 0.0125, np.nan, 7], equal_nan=True)
    assert np.isnan(Vary("a.b", (True,)).numbers[0])


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ("solver.dt", "expected KEY=VALUE"),
        ("solver.dt=", "expected KEY=VALUE"),
        ("=1,2", "expected KEY=VALUE"),
        (".dt=1", "expected KEY=VALUE"),
        ("solver.dt=1,,2", "a value is missing"),
        ("solver.dt=1,2,", "a value is missing"),
        ("solver.dt=0.1,0.10", "given twice"),
        ("grid.shape=64,[64]", "given twice"),
        ("solver.dt=1:2", "FIRST:LAST:COUNT"),
        ("solver.dt=1:2:x", "FIRST:LAST:COUNT"),
        ("solver.dt=1:2:1", "at least 2"),
        ("solver.dt=1:2:3:4", "FIRST:LAST:COUNT"),
        ("solver.dt=0:inf:3", "FIRST:LAST:COUNT"),
        ("params.kapa=1,2", "no params.kapa; did you mean params.kappa"),
        ("dt=1,2", "inside a table; did you mean solver.dt"),
    ],
)
def test_refused_in_a_sentence(item, words):
    with pytest.raises(CaseError, match=words):
        vary([item], WELL)


def test_a_key_is_given_once():
    with pytest.raises(CaseError, match="given already"):
        vary(["solver.dt=1,2", "solver . dt=3,4"], LINE)


def test_what_the_schema_refuses_is_refused_with_the_case():
    with pytest.raises(CaseError, match='did you mean "shape"'):
        together(LINE, vary(["grid.shap=8,16"], LINE))


def test_together_takes_the_kth_of_each():
    cases = together(LINE, vary(["grid.shape=8,16", "solver.dt=0.1,0.05"], LINE))
    assert [(case.grid.shape, case.solver.dt) for case in cases] == [([8], 0.1), ([16], 0.05)]
    assert cases[0].sources["solver.dt"] == "--vary" and LINE.solver.dt == 1e-3
    with pytest.raises(CaseError, match=r"grid.shape has 2, solver.dt has 3"):
        together(LINE, vary(["grid.shape=8,16", "solver.dt=1,2,3"], LINE))


def test_from_python():
    found = vary_values({"grid.shape": np.array([8, 16]), "solver.dt": (np.float64(0.1), 0.05)}, PLANE)
    assert found == vary(["grid.shape=8,16", "solver.dt=0.1,0.05"], PLANE)
    assert vary_values({"grid.shape": [(8, 4), 16]}, PLANE)[0].values == ([8, 4], [16, 16])
    for values, words in (({"grid.shape": []}, "at least one"), ({"params.q": [1]}, "no params.q")):
        with pytest.raises(CaseError, match=words):
            vary_values(values, PLANE)


def test_a_text_as_values_is_read_as_on_the_command_line():
    assert vary_values({"solver.dt": "0.1,0.2"}, LINE)[0].values == (0.1, 0.2)
    assert vary_values({"params.theta": "0.2:0.6:3"}, WELL)[0].values == (0.2, 0.4, 0.6)


def test_all_forms_mean_the_same():
    meant = vary(["grid.shape=8,16", "solver.dt=0.1,0.05"], LINE)
    assert varied_by({"grid.shape": [8, 16], "solver.dt": [0.1, 0.05]}, LINE) == meant
    assert varied_by(["grid.shape=8,16", "solver.dt=0.1,0.05"], LINE) == meant == varied_by(meant, LINE)
    assert varied_by("grid.shape=8,16", LINE) == meant[:1] == varied_by(("grid.shape=8,16",), LINE)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (3, "expected a text, a list of texts or a mapping, found 3"),
        ([("solver.dt", [1, 2])], "expected a text, a list of texts or a mapping"),
        ([], "found none"),
        ({}, "found none"),
        ({"solver.dt": 0.1}, '"solver.dt": expected a list of values, found 0.1'),
        ({"solver.dt": None}, "expected a list of values"),
    ],
)
def test_what_is_no_form_is_refused(given, words):
    with pytest.raises(CaseError, match=words):
        varied_by(given, LINE)


@given(st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=6, unique=True))
def test_numbers_survive_the_command_line(values):
    found = one("solver.dt=" + ",".join(map(repr, values)))
    assert found.values == tuple(values)
    assert [case.solver.dt for case in together(LINE, [found])] == values


def test_a_value_may_be_given_twice_where_another_key_tells():
    found = vary(["solver.dt=0.1,0.1", "grid.shape=8,16"], LINE)
    assert [case.grid.shape for case in together(LINE, found)] == [[8], [16]]
    with pytest.raises(CaseError, match=r"solver.dt = 0.1, grid.shape = 8 is given twice"):
        vary(["solver.dt=0.1,0.2,0.1", "grid.shape=8,16,8"], LINE)
