"""What each verb says of the folder of a sweep: it shows it, goes on with it, or names it and what to do."""

import json

import pytest
from same_runs import case_of

from wgfpde.cases.varying import vary
from wgfpde.cli import main
from wgfpde.studies.sweep import Kept, Plan, sweep


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """Three runs are done, one of which failed, of four; with folders."""
    folder = tmp_path_factory.mktemp("sweep") / "S"
    case = case_of(time={"end": 0.03}, output={"every": 0.03})
    for values, share in (("x**2,x,log(x - 5)", None), ("x**2,x,log(x - 5),2*x", (1, 5))):
        varied = vary([f"energy.potential={values}", "initial.mass=1"], case)
        sweep(Plan(case, tuple(varied)), folder, Kept(True), share=share)
    return folder


def test_inspect_shows_it(swept, capsys):
    assert main(["inspect", str(swept)]) == 0
    text = capsys.readouterr().out
    assert text.startswith("Stopped\n  sweep       4 runs over energy.potential (4 values), initial.mass (1 values)")
    assert "2 finished, 1 failed, 1 not done" in text and "failed      potential = log(x - 5)" in text
    for words in ("sweep.h5", "sweep.csv", "wgfpde plot", "wgfpde resume", "wgfpde watch"):
        assert words in text
    assert main(["inspect", str(swept), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["kind"], record["runs"], record["finished"], record["failed"]) == ("sweep", 4, 2, 1)
    assert record["done_before"] == 2, "what failed is tried again: it is not done"
    assert record["keys"]["initial.mass"] == [1]


@pytest.mark.parametrize(
    "verb", ["report", "movie", "export --to nc", "w2 {}", "compare {}", "validate", "check", "run"]
)
def test_other_verbs_name_it(verb, swept, capsys):
    name, *more = verb.format(swept).split()
    assert main([name, str(swept), *more]) == 2
    text = capsys.readouterr().err
    assert text.count("error: ") == 1 and "the folder of a sweep" in text


def test_its_dataset_is_named_as_one(swept, capsys):
    assert main(["inspect", str(swept / "sweep.h5")]) == 2
    assert "is the file of a study (sweep), not of a run" in capsys.readouterr().err
