"""Densities of cases: the same averages for every method, and an estimate of their error that is told."""

import math
from weakref import WeakKeyDictionary

import numpy as np
import pytest

import wgfpde as wgf
from wgfpde.cases.building import build
from wgfpde.cases.loading import from_mapping
from wgfpde.errors import CaseError
from wgfpde.grid import known_results, quadrature
from wgfpde.output.promises import record_of, verdicts
from wgfpde.runs.runner import run
from wgfpde.store import read

DISC = "(x - 0.1)**2 + y**2 < 0.25"


def case(method="fv", text=DISC, dim=2, **tables):
    data = {
        "grid": {"shape": [8] * dim, "lower": [-1.0] * dim, "upper": [1.0] * dim},
        "energy": {"internal": {"kind": "entropy"}, "potential": "x**2"},
        "initial": {"density": text},
        "time": {"end": 0.01},
        "solver": {"method": method} | ({"tau": 0.005} if method == "jko" else {}),
    }
    return from_mapping(data | tables)


def test_all_methods_start_alike():
    starts = [build(case(method)).initial.rho for method in ("fv", "jko")]
    assert np.array_equal(*starts) and starts[0].sum() / 16 == pytest.approx(math.pi / 4, rel=1e-8, abs=0)


@pytest.mark.parametrize("place", ["initial", "target", "exact"])
def test_each_density_is_averaged_and_has_its_estimate(place, monkeypatch):
    """Where nothing may be refined the jumps are known to percents, and it is said of what."""
    monkeypatch.setattr(known_results, "_RESULTS", WeakKeyDictionary())  # of averages with more cells
    monkeypatch.setattr(quadrature, "REFINED", 2**13)
    monkeypatch.setattr(quadrature, "UNRESOLVED", 1.0)
    tables = {name: {"density": DISC if name == place else "1 + 0*x"} for name in {"initial", place}}
    if place == "target":
        tables |= {"energy": {"internal": {"kind": "none"}, "potential": "0"}, "time": {"end": 1.0}}
    problem = build(case("geodesic" if place == "target" else "fv", **tables))
    assert {name for name, error in problem.averaging.items() if error > 1e-8} == {place}
    assert f"[{place}] known to " in problem.averaging_note and "of the mass" in problem.averaging_note
    monkeypatch.undo()
    assert build(case("fv")).averaging_note == "" and 0 < build(case("fv")).averaging["initial"] <= 1e-8


def test_the_estimate_is_stored_and_told(tmp_path, monkeypatch):
    monkeypatch.setattr(known_results, "_RESULTS", WeakKeyDictionary())  # of averages with more cells
    monkeypatch.setattr(quadrature, "REFINED", 2**13)
    monkeypatch.setattr(quadrature, "UNRESOLVED", 1.0)
    seen = []
    run(case(), tmp_path / "run", progress=seen.append)
    told = [p.note for p in seen if p.warning and "cell averages" in p.note]
    assert len(told) == 1 and "[initial] known to" in told[0]
    assert told[0].removeprefix("note: ") in (tmp_path / "run" / "run.log").read_text(encoding="utf-8")
    record = record_of(read(tmp_path / "run"))
    assert record["averaging_error"] > 1e-8
    assert any(line.startswith("averages ") for line in verdicts(record))


def test_narrow_peaks_in_cases():
    peak = "exp(-(x-0.3)**2/(2*w**2))/(w*sqrt(2*pi))"
    grid = {"shape": [20], "lower": [0.0], "upper": [20.0]}
    for method in ("fv", "jko"):
        found = build(case(method, peak, 1, grid=grid, params={"w": 0.03}))
        assert found.flow.mass(found.initial.rho) == pytest.approx(1, rel=1e-9, abs=0)
        with pytest.raises(CaseError, match=r"initial.density: .*narrower than a cell"):
            build(case(method, peak, 1, grid=grid, params={"w": 1e-7}))


def test_functions_in_python():
    """The same averages of a function, and no note for an array."""
    grid = wgf.Grid([-1.0, -1.0], [1.0, 1.0], [8, 8])
    energy = wgf.Energy(wgf.Internal("entropy"))
    found = build(wgf.problem(grid, energy, lambda x, y: 1.0 * ((x - 0.1) ** 2 + y**2 < 0.25), 0.01))
    assert found.initial.rho == pytest.approx(build(case()).initial.rho, rel=1e-12, abs=0)
    assert 0 < found.averaging["initial"] <= 1e-8
    assert build(wgf.problem(grid, energy, np.ones((8, 8)), 0.01)).averaging == {"initial": 0.0}
