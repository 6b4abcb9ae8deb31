"""The scaling benchmark: what it counts, what it leaves out, and one small run of it."""

import json
import sys
from pathlib import Path

import pytest

from wgfpde.energy.snapshot import Report

FOLDER = Path(__file__).resolve().parents[2] / "validation" / "benchmarks"


@pytest.fixture
def scaling(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    import scaling

    yield scaling
    for name in ("scaling", "triad", "timing"):
        sys.modules.pop(name, None)


def test_arrays_moved_by_a_linear_step_do_not_depend_on_the_grid(scaling):
    moved = {scaling.arrays_moved(scaling.EQUATIONS["entropy"], n, Report()) for n in (64, 100, 4096)}
    assert moved == {16.0}  # 3 sweeps of 4, a copy of 2, ρ and Φ of the energy


def test_arrays_moved_grow_with_convolutions_and_with_padding(scaling):
    log = scaling.EQUATIONS["log"]
    two, three, six = (scaling.arrays_moved(log, 128, Report(outer=k)) for k in (2, 3, 6))
    assert 0 < two < three < six
    assert six - three > 3 * (three - two) > 0  # the mixing is deeper, so that later ones cost more
    assert scaling.arrays_moved(log, 129, Report(outer=2)) > two  # 257 points are padded to more than twice the cells


def test_bound_is_bytes_over_bandwidth_of_as_many_threads(scaling):
    row = {"n": 100, "threads": 2, "arrays_moved": 16.0, "seconds": 1e-3}
    full = scaling.add_bound(row, {1: 1e9, 2: 4e9})
    assert full["bound_seconds"] == pytest.approx(16 * 8 * 100**2 / 4e9, rel=1e-9, abs=0)
    assert full["share_of_bandwidth"] == pytest.approx(0.32, rel=1e-9, abs=0)
    skipped = {"n": 100, "threads": 2, "skipped": "why"}
    assert scaling.add_bound(skipped, {2: 1.0}) == skipped


def test_grids_that_would_take_too_long_are_left_out_and_say_so(scaling, monkeypatch):
    def cheap(name, n, threads, seconds):
        return {"name": name, "n": n, "threads": threads, "seconds": 1.0, "needed_seconds": n / 64}

    monkeypatch.setattr(scaling, "_in_process", cheap)
    found = list(scaling.rows(["entropy"], [1], 4096, 8.0, 0.1))
    assert [row["n"] for row in found] == [64, 128, 256]
    assert found[-1]["skipped"] == "would take about 9 s, the limit is 8 s"
    assert "seconds" in found[-2]
    assert len(list(scaling.rows(["entropy"], [1, 2], 4096, 1e9, 0.1))) == 2 * len(scaling.SIDES)


def test_a_row_that_fails_says_why_and_ends_its_equation(scaling, monkeypatch):
    monkeypatch.setattr(scaling.sys, "executable", "/bin/false")
    found = list(scaling.rows(["entropy"], [1], 4096, 8.0, 0.1))
    assert [row["n"] for row in found] == [64, 128]
    assert "failed" in found[0]["skipped"]


def test_one_row_end_to_end(scaling, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(scaling.triad, "MEMORY", 2**18)
    monkeypatch.setattr(scaling, "_in_process", scaling.measure)
    out = tmp_path / "deep" / "scaling.json"
    scaling.main(["--quick", "--threads", "1", "--names", "entropy", "--largest", "64", "--out", str(out)])
    record = json.loads(out.read_text())
    (row,) = record["rows"]
    assert (row["name"], row["n"], row["threads"]) == ("entropy", 64, 1)
    assert row["steps"] >= 2
    assert row["nanoseconds_per_cell"] == pytest.approx(row["seconds"] / 64**2 * 1e9, rel=1e-9, abs=0)
    assert {speed["place"] for speed in record["triad"]} == {"memory", "L2"}
    assert record["versions"]["numba"] and record["date"] and record["cores"]
    assert "64²" in capsys.readouterr().out


def test_a_name_that_is_not_known_is_refused(scaling, capsys):
    with pytest.raises(SystemExit) as stop:
        scaling.main(["--names", "entrpy"])
    assert stop.value.code == 2
    assert "entrpy" in capsys.readouterr().err


def test_the_triad_computes_what_it_says(scaling):
    import numpy as np

    a, b, c = np.zeros((3, 5)), np.ones((3, 5)), np.full((3, 5), 2.0)
    scaling.triad._triad(1, 3, a, b, c, 3.0, 2)
    assert np.array_equal(a, [[0.0] * 5, [7.0] * 5, [7.0] * 5])
