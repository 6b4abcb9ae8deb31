"""Two runs side by side: what is found, what passes, and what cannot be compared."""

import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from wgfpde import store
from wgfpde.cli import main
from wgfpde.errors import CaseError, StoreError
from wgfpde.output.compare import comparison as module
from wgfpde.output.compare.comparison import compare
from wgfpde.transport import distance

EVEN = ["double_well_1d", "--set", "grid.shape=[16]", "--set", "time.end=0.2", "--set", "solver.dt=0.05",
        "--set", "output.every=0.1"]  # fmt: skip
HEAT = ["heat_1d", "--set", "grid.shape=[16]", "--set", "time.end=0.02", "--set", "output.every=0.01",
        "--set", "output.diagnostics=['w2_previous']"]  # fmt: skip
PLANE = ["heat_2d", "--set", "time.end=0.02", "--set", "output.every=0.02", "--set", "solver.dt=0.01"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    """A folder of small runs."""
    folder = tmp_path_factory.mktemp("runs")

    def solve(name, case, *overrides):
        sets = [part for override in overrides for part in ("--set", override)]
        assert main(["run", *case, *sets, "--out", str(folder / name), "--quiet"]) == 0

    solve("heat", HEAT)
    solve("fine", HEAT, "grid.shape=[32]")
    solve("often", HEAT, "output.every=0.005")
    solve("long", HEAT, "time.end=0.03")
    solve("later", HEAT, "time.start=1", "time.end=1.02")
    solve("steps", HEAT, "solver.dt=5e-4")
    solve("box", HEAT, "grid.upper=[2.0]")
    solve("circle", HEAT, 'grid.boundary=["periodic"]')
    solve("even", EVEN, "initial.density=exp(-x**2)")
    solve("tall", PLANE, "grid.shape=[4, 12]")
    solve("wide", PLANE, "grid.shape=[8, 6]")
    return folder


@pytest.fixture
def read(runs):
    return lambda name: store.read(runs / name)


@pytest.fixture
def changed(runs, tmp_path):
    """A copy of a run, changed by a function of its open file; its path."""

    def change(name, edit) -> Path:
        copy = shutil.copytree(runs / name, tmp_path / "copy")
        with h5py.File(copy / "output.h5", "r+") as file:
            edit(file)
        return copy

    return change


def metric(found, name):
    (row,) = [row for row in found.metrics if row.name == name]
    return row


def last_cell(factor):
    def edit(file):
        file["rho"][2, 5] *= factor

    return edit


# ---- the same ---------------------------------------------


def test_a_run_is_identical_to_itself(runs, capsys):
    assert main(["compare", str(runs / "heat"), str(runs / "heat" / "output.h5"), "--rtol", "0"]) == 0
    out = capsys.readouterr().out
    assert "3 compared" in out and out.endswith("verdict  identical bit for bit\n") and "differ" not in out


def test_the_same_case_again_is_identical(runs, tmp_path):
    """Dates and wall times are not compared."""
    assert main(["run", *HEAT, "--out", str(tmp_path / "again"), "--quiet"]) == 0
    found = compare(store.read(runs / "heat"), store.read(tmp_path / "again"), rtol=0)
    assert found.identical and found.passed and found.steps.equal and found.case_changes == {}
    assert all(m.difference == 0 for m in found.metrics)


# ---- densities ---------------------------------------------


def test_one_cell(read, changed):
    """The norms of a difference in one cell are known, and it is the last snapshot that is worst."""
    a, b = store.read(changed("heat", last_cell(1 + 1e-6))), read("heat")
    found = compare(a, b)
    delta, h = a.rho[2][5] - b.rho[2][5], 1 / 16
    assert delta == pytest.approx(1e-6 * b.rho[2][5], rel=1e-6, abs=0) and not found.identical and not found.passed
    for name, difference, scale in (
        ("rho L1", h * delta, 1.0),
        ("rho L2", h**0.5 * delta, np.sqrt(h * np.sum(b.rho[2] ** 2))),
        ("rho Linf", delta, b.rho[2].max()),
    ):
        row = metric(found, name)
        assert (row.difference, row.scale, row.t) == (
            pytest.approx(difference, rel=1e-9, abs=0),
            pytest.approx(scale, rel=1e-9, abs=0),
            0.02,
        )
        assert row.bound == pytest.approx(1e-9 * scale, rel=1e-9, abs=0) and not row.passed
    assert [moment.identical for moment in found.moments] == [True, True, False]
    assert metric(found, "mass").passed  # of the column, which was not changed
    assert compare(a, b, rtol=1e-5).passed and not compare(a, b, rtol=1e-5).identical
    assert compare(a, b, rtol=0, atol=1e-3).passed
    assert compare(a, b, times=[0.01]).identical


def test_exit_code_and_words(runs, changed, capsys):
    a, b = str(changed("heat", last_cell(1.001))), str(runs / "heat")
    assert main(["compare", a, b]) == 3
    out = capsys.readouterr().out
    assert "verdict  BEYOND the tolerances (rtol 1e-09, atol 0): 3 of" in out
    (row,) = [line for line in out.splitlines() if line.startswith("rho Linf")]
    assert "BEYOND" in row and out.count("<- worst") == 1
    (moment,) = [line for line in out.splitlines() if "worst rho" in line]
    assert moment.split()[0] == "0.02"
    assert main(["compare", a, b, "--rtol", "0.01"]) == 0
    assert "within the tolerances (rtol 0.01, atol 0)" in capsys.readouterr().out


def test_finer_grid_is_averaged(read, runs, capsys):
    """32 cells on 16: the mean of two neighbours, whichever run comes first; W₂ on the grids as they are."""
    coarse, fine = read("heat"), read("fine")
    averaged = fine.rho[1].reshape(16, 2).mean(axis=1)
    expected = np.sum(np.abs(coarse.rho[1] - averaged)) / 16
    for found in (compare(coarse, fine), compare(fine, coarse)):
        assert found.moments[1].differences[0] == pytest.approx(expected, rel=1e-9, abs=0)
        assert found.moments[1].w2 == pytest.approx(
            distance(coarse.grid, coarse.rho[1], fine.rho[1], fine.grid).w2, rel=1e-6, abs=0
        )
        assert found.case_changes["grid.shape"] in (([16], [32]), ([32], [16]))
        assert not found.passed and not found.identical
    main(["compare", str(runs / "heat"), str(runs / "fine")])
    out = capsys.readouterr().out
    assert "B is averaged, conservatively, over the coarser 16 cells" in out and "[16] | [32]" in out


def test_each_axis_has_its_coarser_cells(read):
    tall, wide = read("tall"), read("wide")
    found = compare(tall, wide)
    p, q = tall.rho[0].reshape(6, 2, 4).mean(axis=1), wide.rho[0].reshape(6, 4, 2).mean(axis=2)
    areas = np.outer(np.diff(wide.edges[1]), np.diff(tall.edges[0]))
    assert found.moments[0].differences[0] == pytest.approx(np.sum(areas * np.abs(p - q)), rel=1e-9, abs=0)
    assert "both are averaged, conservatively, over the coarser 4 × 6 cells" in found.notes[0]


def test_w2_in_2d_on_request(read, runs, capsys):
    run = read("wide")
    assert compare(run, run).moments[0].w2 is None
    assert [moment.w2 for moment in compare(run, run, w2=True).moments] == [0.0, 0.0]
    assert main(["compare", str(run.path), str(run.path), "--w2"]) == 0
    assert capsys.readouterr().err == "W2 1 of 2\nW2 2 of 2\n"


def test_w2_in_2d_has_its_gap(read, changed):
    """The density moved by a cell, periodically, in x."""

    def shift(file):
        file["rho"][...] = np.roll(file["rho"][...], 1, axis=2)

    a, b = store.read(changed("wide", shift)), read("wide")
    found = compare(a, b, times=[0.0], w2=True)
    expected = distance(b.grid, a.rho[0], b.rho[0])
    assert found.moments[0].w2 == expected.w2 > 0 and found.moments[0].gap == expected.gap
    assert metric(found, "W2").difference == expected.w2


def test_w2_that_is_not_found_is_told(read, changed):
    def heavier(file):
        file["rho"][...] *= 1.01

    found = compare(store.read(changed("heat", heavier)), read("heat"), rtol=0.1)
    assert [moment.w2 for moment in found.moments] == [None] * 3 and found.passed
    (note,) = [note for note in found.notes if "W2 is left out, at t = 0" in note]
    assert "one mass" in note


def test_boundaries_differ(read):
    found = compare(read("heat"), read("circle"), rtol=10.0)
    assert found.case_changes["grid.boundary"] == (["no-flux"], ["periodic"])
    assert any("W2 is left out" in note for note in found.notes) and not found.moments[0].identical


def test_snapshots_are_read_one_at_a_time(read, monkeypatch):
    asked = []
    get = store.reading.reader.Stored.__getitem__
    monkeypatch.setattr(store.reading.reader.Stored, "__getitem__", lambda self, k: asked.append(k) or get(self, k))
    compare(read("heat"), read("often"))
    assert asked == [0, 0, 1, 2, 2, 4]


# ---- times ---------------------------------------------


def test_times_in_common(read, runs, capsys):
    found = compare(read("often"), read("heat"))
    assert [m.t for m in found.moments] == [0.0, 0.01, 0.02]
    assert found.only_a == pytest.approx([0.005, 0.015], rel=1e-9, abs=0) and found.only_b == []
    assert not found.identical and metric(found, "last time").passed
    # the snapshot before is another one in each run, so that their distance is not compared, but at the start
    assert metric(found, "w2_previous").t == 0.0
    main(["compare", str(runs / "heat"), str(runs / "often")])
    assert "3 compared; 2 only in B (t = 0.005, 0.015)" in capsys.readouterr().out


def test_runs_that_end_at_different_times(runs, capsys):
    heat, long = str(runs / "heat"), str(runs / "long")
    assert main(["compare", heat, long]) == 3
    assert "1 of" in capsys.readouterr().out.splitlines()[-1]
    assert main(["compare", heat, long, "--times", "0.01", "0.02"]) == 0
    assert capsys.readouterr().out.endswith("identical bit for bit\n")


def test_nearly_equal_times(read, changed):
    def late(file):
        file["t"][1] += 1e-12

    found = compare(store.read(changed("heat", late)), read("heat"))
    assert len(found.moments) == 3 and found.passed and not found.identical


def test_a_run_that_goes_on_or_was_killed(runs, changed, capsys):
    """Two of three snapshots are whole; t of the third is not a number yet."""

    def running(file):
        file["t"][2] = np.nan
        file.attrs.modify("status", np.bytes_(b"running"))

    copy = changed("heat", running)
    assert main(["compare", str(copy), str(runs / "heat")]) == 3
    out = capsys.readouterr().out
    assert "note     A is going on, or was killed: compared as far as it goes, to t = 0.01" in out
    assert "2 compared; 1 only in B (t = 0.02)" in out and "most of all last time" in out
    assert main(["compare", str(copy), str(runs / "heat"), "--time", "0.01"]) == 0


def test_a_run_without_snapshots(read, changed):
    def empty(file):
        file["t"][0] = np.nan

    with pytest.raises(StoreError, match="holds no snapshot"):
        compare(store.read(changed("heat", empty)), read("heat"))


# ---- diagnostics, steps ---------------------------------------------


def test_diagnostic(read, changed):
    def energy(file):
        file["diagnostics/energy"][1] += 1e-5

    found = compare(store.read(changed("heat", energy)), read("heat"))
    row = metric(found, "energy")
    scale = np.max(np.abs(read("heat").diagnostics["energy"]))
    assert (row.difference, row.t, row.scale) == (pytest.approx(1e-5, rel=1e-9, abs=0), 0.01, scale) and not row.passed
    assert [m.name for m in found.metrics if not m.passed] == ["energy"] and not found.identical


def test_infinite_and_missing_numbers(read, changed):
    def odd(file):
        file["diagnostics/dissipation"][:2] = np.inf, np.nan

    odd_run = store.read(changed("heat", odd))
    assert compare(odd_run, odd_run).identical
    row = metric(compare(odd_run, read("heat"), rtol=10.0), "dissipation")
    assert row.difference == np.inf and not row.passed


def test_rounding_of_a_number_that_cancels(read, changed):
    """The mean of an even density is 0 up to rounding, which says nothing; a shift of 1e-9 does."""

    def mean(by):
        def edit(file):
            file["diagnostics/mean_x"][:] += by

        return edit

    def without_it(file):
        file["diagnostics/mean_x"][:] = 0.0

    assert np.max(np.abs(read("even").diagnostics["mean_x"])) < 1e-13
    a = store.read(changed("even", mean(1e-16)))
    assert metric(compare(a, read("even")), "mean_x").passed
    assert not metric(compare(a, read("even"), rtol=0), "mean_x").passed
    shutil.rmtree(a.folder)
    assert not metric(compare(store.read(changed("even", mean(1e-9))), read("even")), "mean_x").passed


def test_error_is_measured_in_the_density(read):
    """The L1 error of the finer run is a quarter, but both errors are small beside the density."""
    found = compare(read("fine"), read("heat"), rtol=1e-2)
    row = metric(found, "error_l1")
    assert row.scale == pytest.approx(1.0, rel=1e-9, abs=0) and row.difference > 1e-6 and row.passed


def test_diagnostics_in_one_run_only(read, changed):
    def without(file):
        names = str(file["diagnostics"].attrs["order"]).split()
        file["diagnostics"].attrs["order"] = " ".join(name for name in names if name != "entropy")

    found = compare(store.read(changed("heat", without)), read("heat"))
    assert found.passed and not found.identical and "A lacks the diagnostics entropy" in found.notes


def test_steps(read, runs, changed, capsys):
    def residual(file):
        file["steps/iterations"][7] += 1

    found = compare(store.read(changed("heat", residual)), read("heat"))
    assert found.steps.first == 7 and not found.steps.equal and found.passed and not found.identical
    found = compare(read("steps"), read("heat"), rtol=1e-2)
    assert (found.steps.rows_a, found.steps.rows_b, found.steps.first) == (40, 20, 0) and found.passed
    assert found.case_changes == {"solver.dt": (5e-4, 1e-3)}
    main(["compare", str(runs / "steps"), str(runs / "heat")])
    assert "40 in A, 20 in B; the first that differs is step 0 (from 0); not judged" in capsys.readouterr().out


def test_fewer_steps(read):
    """A step table that goes on differs where the other one ends."""
    assert compare(read("heat"), read("long")).steps.first == 20


# ---- JSON, and what cannot be compared ---------------------------------------------


def test_json(runs, changed, capsys):
    def odd(file):
        file["rho"][2, 5] *= 1.001
        file["diagnostics/dissipation"][1] = np.inf

    assert main(["compare", str(changed("heat", odd)), str(runs / "often"), "--json"]) == 3
    record = json.loads(capsys.readouterr().out)
    assert record["b"] == str(runs / "often" / "output.h5")
    assert record["passed"] is False and record["identical"] is False
    assert record["only_a"] == [] and len(record["only_b"]) == 2 and record["steps"]["equal"] is False
    assert [moment["index_b"] for moment in record["moments"]] == [0, 2, 4]
    rows = {row["name"]: row for row in record["metrics"]}
    assert rows["rho L1"]["passed"] is False and rows["mass"]["passed"] is True
    assert rows["dissipation"]["difference"] is None and rows["dissipation"]["passed"] is False
    assert record["case_changes"] == {"output.every": [0.01, 0.005]}


@pytest.mark.parametrize(
    ("other", "options", "words"),
    [
        ("wide", [], "A is 1D and B is 2D"),
        ("later", [], "no time in common: A holds t = 0 to 0.02 in 3 snapshots"),
        ("heat", ["--time", "0.015"], "no snapshot at t = 0.015; the nearest"),
        ("heat", ["--rtol", "-1"], "tolerances must be ≥ 0 and finite; found rtol = -1"),
        ("heat", ["--atol", "nan"], "tolerances must be"),
        ("box", [], "Run both on one box"),
        ("nowhere", [], "does not exist"),
        ("heat", ["--time", "0", "--times", "0"], "not allowed with"),
    ],
)
def test_refused(runs, capsys, other, options, words):
    assert main(["compare", str(runs / "heat"), str(runs / other), *options]) == 2
    out, err = capsys.readouterr()
    assert words in err and out == "" and "Traceback" not in err


def test_refusal_in_python(read):
    with pytest.raises(CaseError, match="A is 2D and B is 1D"):
        compare(read("wide"), read("heat"))


def test_help_names_the_tolerances(capsys):
    assert main(["compare", "--help"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "default: 1e-9" in out and "any stored run" in out and "3 beyond them" in out
    assert (module.RTOL, module.ATOL) == (1e-9, 0.0)
