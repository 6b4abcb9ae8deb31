"""What a problem stores and how much that is; which runs are watched for a blow-up; how a union is put into words."""

import pytest

import wgfpde as wgf
from wgfpde.base.case_table import tags_in_words
from wgfpde.cases import building
from wgfpde.cases.limits import memory

SMALL = {"grid": {"shape": [32]}, "time": {"end": 0.5}, "solver": {"tau": 0.1}}


@pytest.mark.parametrize(("precision", "size"), [("float64", 8), ("float32", 4)])
def test_bytes_of_densities_and_fields(precision, size):
    """Six snapshots of 32 cells, once more for phi; a field that is named twice is stored once."""
    for names, each in (([], 32), (["phi"], 64), (["phi", "phi"], 64)):
        output = {"every": 0.1, "fields": names, "precision": precision}
        problem = building.build(wgf.load("jko_gaussian_1d", output=output, **SMALL))
        assert len(problem.times) == 6
        assert [field.name for field in problem.fields] == list(dict.fromkeys(names))
        assert memory.bytes_stored(problem) == 6 * each * size


def test_a_crowd_of_bounded_density_is_not_watched_for_a_blow_up():
    """It cannot have one, where the same attraction without the bound can."""
    energy = {"internal": {"kind": "none"}, "interaction": "abs(x)", "potential": "0"}
    for bound, watched in ((None, True), (5.0, False)):
        solver = {"method": "jko", "tau": 0.1, "algorithm": "pdhg", **({} if bound is None else {"congestion": bound})}
        case = wgf.load("jko_gaussian_1d", energy=energy, **(SMALL | {"solver": solver}), output={"every": 0.1})
        assert (building.build(case).watch is not None) == watched


def test_tags_in_words():
    assert tags_in_words("kind", ["a"]) == 'a table with kind = "a"'
    assert tags_in_words("kind", "ab") == 'a table with kind = "a" or "b"'
    assert tags_in_words("kind", "abc") == 'a table with kind = "a", "b" or "c"'
