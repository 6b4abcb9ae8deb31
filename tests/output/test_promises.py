"""A run's promises, kept and broken, on runs made up here: judged, bounded and put into words."""

from pathlib import Path

import numpy as np
import pytest

from wgfpde.grid.boundary import Boundary
from wgfpde.grid.grid import grid_text
from wgfpde.output import promises
from wgfpde.store import Run

CASE = """
schema = 1
title = "made up"
grid = {{ shape = [4], lower = [0.0], upper = [2.0] }}
energy = {{ internal = {internal}, potential = "x" }}
initial = {{ density = "1" }}
solver = {solver}
time = {{ end = 0.2 }}
output = {{ every = 0.1 }}
"""
ENTROPY = '{ kind = "entropy", kappa = 1.0 }'
FV = '{ method = "fv", dt = 0.1 }'
JKO = '{ method = "jko", tau = 0.1, scheme = "jko", tolerance = 1e-6 }'
STEPS = {
    "gap": [1e-9, 1e-8], "primal": [0.31, 0.22], "dual": [0.31 - 1e-9, 0.22 - 1e-9], "transport": [0.05, 0.05],
    "drive_residual": [np.nan, np.nan],
}  # fmt: skip
"""Steps of 0.1 that cost ½W₂²/τ = 0.5 each: the energy of `made_up` falls by 1."""


def made_up(
    internal: str = ENTROPY, solver: str = FV, steps: dict[str, list[float]] | None = None, **diagnostics: list[float]
) -> Run:
    """Three snapshots and two steps of dt = 0.1 on cells of width 0.5, without a file."""
    values = {
        "mass": [2.0, 2.0, 2.0],
        "energy": [3.0, 2.0, 1.0],
        "min": [0.5, 0.25, 0.0],
        "max": [3.0, 2.0, 2.0],
        "energy_internal": [1.0, 0.0, 0.0],
        "energy_potential": [2.0, 2.0, 1.0],
        "energy_interaction": [0.0, 0.0, 0.0],
    } | diagnostics
    run = Run(
        path=Path("made_up.h5"),
        attributes={"title": "made up", "status": "finished", "equation": "heat", "method": solver.split('"')[1]},
        t=np.linspace(0.0, 0.2, len(values["mass"])),
        edges=(np.linspace(0.0, 2.0, 5),),
        boundary=(Boundary(),),
        diagnostics={name: np.array(v) for name, v in values.items()},
        labels={},
    )
    # these two are read from the file once and then remembered; here they are remembered from the start
    vars(run).update(
        steps={n: np.array(v) for n, v in ({"t": [0.1, 0.2], "dt": [0.1, 0.1]} | (steps or {})).items()},
        resolved_toml=CASE.format(internal=internal, solver=solver),
    )
    return run


def test_promises_kept():
    record = promises.record_of(made_up())
    assert [p["kept"] for p in record["promises"]] == [True, True, True]
    assert promises.verdicts(record) == [
        "mass drift  0  (kept: ≤ 1e-12)",
        "min density 0  (kept: ≥ 0)",
        "energy rise none: it falls, by 1 or more  (kept: ≤ 4e-12)",
    ]


@pytest.mark.parametrize(
    ("name", "diagnostics", "line"),
    [
        ("mass drift", {"mass": [2.0, 2.5, 2.0]}, "mass drift  0.25  (BROKEN: ≤ 1e-12)"),
        ("min density", {"min": [0.5, -1e-20, 0.5]}, "min density -1e-20  (BROKEN: ≥ 0)"),
        ("energy rise", {"energy": [3.0, 2.0, 2.5]}, "energy rise 0.5  (BROKEN: ≤ 4e-12)"),
        ("mass drift", {"mass": [2.0, float("nan"), 2.0]}, "mass drift  nan  (BROKEN: ≤ 1e-12)"),
    ],
)
def test_one_promise_broken(name, diagnostics, line):
    record = promises.record_of(made_up(**diagnostics))
    assert [p["name"] for p in record["promises"] if not p["kept"]] == [name]
    assert line in promises.verdicts(record)


def test_promises_of_jko_kept():
    lines = promises.verdicts(promises.record_of(made_up(solver=JKO, steps=STEPS)))
    assert lines[2:] == [
        "energy rise none: it falls, by 1 or more  (kept: ≤ 4e-12)",
        "E+T/τ rise  none: it falls, by 0.5 or more  (kept: ≤ 4e-12)",
        "duality gap 1e-08  (kept: ≤ 1e-06)",
    ]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"gap": [1e-9, 2e-6]}, "duality gap 2e-06  (BROKEN: ≤ 1e-06)"),
        ({"gap": [np.nan, 1e-9]}, "duality gap nan  (BROKEN: ≤ 1e-06)"),
        ({"transport": [0.05, 0.11]}, "E+T/τ rise  0.1  (BROKEN: ≤ 4e-12)"),
    ],
)
def test_promises_of_jko_broken(change, line):
    record = promises.record_of(made_up(solver=JKO, steps=STEPS | change))
    assert line in promises.verdicts(record)
    assert len([p for p in record["promises"] if not p["kept"]]) == 1


def test_the_gap_is_no_slack_of_the_energy_law():
    """A step that would rise by less than its gap stays where it is: E + ½W₂²/τ is never above the E before."""
    steps = STEPS | {"dual": [0.31, 0.2], "transport": [0.05, 0.1], "drive_residual": [1e-7, 1e-7]}
    record = promises.record_of(made_up(solver=JKO, steps=steps, energy=[3.0, 2.0, 1.0 - 1e-9]))
    assert all(p["kept"] for p in record["promises"])
    record = promises.record_of(made_up(solver=JKO, steps=steps, energy=[3.0, 2.0, 1.0 + 1e-9]))
    assert [p["name"] for p in record["promises"] if not p["kept"]] == ["E+T/τ rise"]


def test_the_residual_of_the_interaction_is_judged():
    record = promises.record_of(made_up(solver=JKO, steps=STEPS | {"drive_residual": [1e-7, 1e-3]}))
    assert [p["name"] for p in record["promises"] if not p["kept"]] == ["W residual"]


def test_steps_are_summed_between_snapshots():
    """Two steps lead from the first snapshot to the last written one; the third is not yet in a snapshot."""
    steps = {name: [*values, 9.0] for name, values in STEPS.items()} | {"t": [0.05, 0.1, 0.15], "dt": [0.1] * 3}
    run = made_up(solver=JKO, steps=steps | {"gap": [1e-9] * 3, "drive_residual": [np.nan] * 3})
    vars(run)["t"] = np.array([0.0, 0.1])
    vars(run)["diagnostics"] = {name: values[:2] for name, values in run.diagnostics.items()}
    record = promises.record_of(run)
    assert all(p["kept"] for p in record["promises"])
    assert [p["measured"] for p in record["promises"] if p["name"] == "E+T/τ rise"] == [pytest.approx(0.0, abs=1e-12)]


@pytest.mark.parametrize(("excess", "kept"), [(5e-10, True), (2e-9, False)])
def test_a_bound_on_the_density_holds_to_a_part_in_1e9(excess, kept):
    solver = JKO.replace("}", ", congestion = 2.0 }")
    found = promises.record_of(made_up(solver=solver, steps=STEPS, max=[2.0, 2.0 * (1 + excess), 2.0]))["promises"]
    assert [p["kept"] for p in found if p["name"] == "max density"] == [kept]


def test_an_extrapolated_step_is_no_minimiser():
    solver = JKO.replace('scheme = "jko"', 'scheme = "extrapolated"')
    steps = {"gap": [1e-9, 1e-9]} | {name: [np.nan] * 2 for name in ("primal", "dual", "transport")}
    record = promises.record_of(made_up(solver=solver, steps=steps))
    assert all(p["kept"] for p in record["promises"]) and len(record["promises"]) == 4


def test_a_start_above_the_bound_has_no_energy():
    """`max` starts at 3; from the second snapshot on it is 2, which is the bound."""
    solver = JKO.replace("}", ", congestion = 2.0 }")
    record = promises.record_of(made_up(solver=solver, steps=STEPS, energy=[0.0, 2.0, 1.0]))
    assert all(p["kept"] for p in record["promises"])
    assert "max density 2  (kept: ≤ 2)" in promises.verdicts(record)
    record = promises.record_of(made_up(solver=solver, steps=STEPS, energy=[0.0, 1.0, 2.0], max=[3.0, 2.0, 2.1]))
    broken = [p["name"] for p in record["promises"] if not p["kept"]]
    assert broken == ["energy rise", "E+T/τ rise", "max density"]


def test_a_geodesic_has_no_energy_law():
    solver = '{ method = "geodesic", tolerance = 1e-4 }'
    record = promises.record_of(made_up(solver=solver, steps={"gap": [1e-5, 1e-5]}, energy=[1.0, 0.0, 2.0]))
    assert [p["name"] for p in record["promises"]] == ["mass drift", "min density", "duality gap"]
    assert all(p["kept"] for p in record["promises"])


def test_every_promise_says_what_it_is_about():
    steps = STEPS | {"drive_residual": [1e-7, 1e-7]}
    solver = JKO.replace("}", ", congestion = 2.0 }")
    found = promises.record_of(made_up(solver=solver, steps=steps))["promises"]
    assert {p["name"] for p in found} == {
        "mass drift", "min density", "energy rise", "E+T/τ rise", "max density", "duality gap", "W residual",
    }  # fmt: skip
    assert len({p["meaning"] for p in found}) == len(found) and all(len(p["meaning"]) > 20 for p in found)
    assert [p["name"] for p in found if p["sign"] == "≥"] == ["min density"]


def test_a_jko_run_without_its_case_is_judged_by_what_needs_none():
    run = made_up(solver=JKO, steps=STEPS)
    vars(run)["resolved_toml"] = ""
    names = [p["name"] for p in promises.record_of(run)["promises"]]
    assert names == ["mass drift", "min density", "energy rise", "E+T/τ rise"]


def test_extremes_leave_out_what_was_not_found():
    facts = promises.record_of(made_up(w2_previous=[0.0, float("nan"), 2.0]))["diagnostics"]["w2_previous"]
    assert (facts["min"], facts["max"]) == (0.0, 2.0)


def test_errors_against_the_exact_solution():
    record = promises.record_of(made_up(error_l1=[0.0, 0.5, 0.125], error_linf=[0.0, 1.0, 0.25]))
    assert promises.verdicts(record)[-1] == "vs exact    l1 0.125, linf 0.25 at the end"


def test_a_run_without_snapshots():
    run = made_up(mass=[])
    vars(run)["diagnostics"] = {name: values[:0] for name, values in run.diagnostics.items()}
    record = promises.record_of(run)
    assert record["snapshots"] == 0 and record["t_last"] is None
    assert promises.verdicts(record) == []


def test_grid_text():
    edges = (np.linspace(-1.0, 1.0, 5), np.linspace(0.0, 2.5, 3))
    assert grid_text(edges) == "4 × 2 cells on [-1, 1] × [0, 2.5]"


def test_nothing_is_printed(capsys):
    record = promises.record_of(made_up())
    promises.verdicts(record)
    assert capsys.readouterr() == ("", "")
