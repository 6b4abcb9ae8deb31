"""A run's promises, kept and broken, on runs made up here: judged, bounded and put into words."""

from pathlib import Path

import numpy as np
import pytest

from wgfpde import promises
from wgfpde.store import Run

CASE = """
schema = 1
title = "made up"
grid = {{ shape = [4], lower = [0.0], upper = [2.0] }}
energy = {{ internal = {internal}, potential = "x" }}
initial = {{ density = "1" }}
solver = {{ method = "fv", dt = 0.1 }}
time = {{ end = 0.2 }}
output = {{ every = 0.1 }}
"""
ENTROPY = '{ kind = "entropy", kappa = 1.0 }'


def made_up(internal: str = ENTROPY, **diagnostics: list[float]) -> Run:
    """Three snapshots and two steps of dt = 0.1 on cells of width 0.5, without a file."""
    values = {
        "mass": [2.0, 2.0, 2.0],
        "energy": [3.0, 2.0, 1.0],
        "min": [0.5, 0.25, 0.0],
        "max": [3.0, 2.0, 2.0],
    } | diagnostics
    run = Run(
        path=Path("made_up.h5"),
        attributes={"title": "made up", "status": "finished", "equation": "heat", "method": "fv"},
        t=np.linspace(0.0, 0.2, len(values["mass"])),
        edges=(np.linspace(0.0, 2.0, 5),),
        periodic=(False,),
        diagnostics={name: np.array(v) for name, v in values.items()},
        labels={},
    )
    # these two are read from the file once and then remembered; here they are remembered from the start
    vars(run).update(
        steps={"t": np.array([0.1, 0.2]), "dt": np.array([0.1, 0.1])},
        resolved_toml=CASE.format(internal=internal),
    )
    return run


def test_promises_kept():
    record = promises.record_of(made_up())
    assert [p["kept"] for p in record["promises"]] == [True, True, True]
    assert promises.verdicts(record) == [
        "mass drift  0  (kept: ≤ 1e-12)",
        "min density 0  (kept: ≥ 0)",
        "energy rise -1  (kept: ≤ 5e-12)",
    ]


@pytest.mark.parametrize(
    ("name", "diagnostics", "line"),
    [
        ("mass drift", {"mass": [2.0, 2.5, 2.0]}, "mass drift  0.25  (BROKEN: ≤ 1e-12)"),
        ("min density", {"min": [0.5, -1e-20, 0.5]}, "min density -1e-20  (BROKEN: ≥ 0)"),
        ("energy rise", {"energy": [3.0, 2.0, 2.5]}, "energy rise 0.5  (BROKEN: ≤ 5e-12)"),
        ("mass drift", {"mass": [2.0, float("nan"), 2.0]}, "mass drift  nan  (BROKEN: ≤ 1e-12)"),
    ],
)
def test_one_promise_broken(name, diagnostics, line):
    record = promises.record_of(made_up(**diagnostics))
    assert [p["name"] for p in record["promises"] if not p["kept"]] == [name]
    assert line in promises.verdicts(record)


def test_errors_against_the_exact_solution():
    record = promises.record_of(made_up(error_l1=[0.0, 0.5, 0.125], error_linf=[0.0, 1.0, 0.25]))
    assert promises.verdicts(record)[-1] == "vs exact    l1 0.125, linf 0.25 at the end"


def test_table():
    header, *rows = promises.table(promises.record_of(made_up()))
    assert header.split() == ["diagnostic", "first", "last", "min", "max"]
    assert rows[1].split() == ["energy", "3", "1", "1", "3"]
    assert {len(line) for line in (header, *rows)} == {76}


def test_a_run_without_snapshots():
    record = promises.record_of(made_up(mass=[], energy=[], min=[], max=[]))
    assert record["snapshots"] == 0 and record["t_last"] is None
    assert promises.verdicts(record) == [] and promises.table(record) == []


def test_grid_text():
    edges = (np.linspace(-1.0, 1.0, 5), np.linspace(0.0, 2.5, 3))
    assert promises.grid_text(edges) == "4 × 2 cells on [-1, 1] × [0, 2.5]"


def test_nothing_is_printed(capsys):
    record = promises.record_of(made_up())
    promises.verdicts(record)
    promises.table(record)
    assert capsys.readouterr() == ("", "")
